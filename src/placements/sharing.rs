//! What the person says about it: asked before a shelter is told, and before more of its people are; and the end of what is
//! shared, in the same commit as the person's word.

use super::model::{PlacementBasis, PlacementState};
use super::sealing;
use super::store::{self, Row};
use crate::audit::unit::Unit;
use crate::consents::{self, Section, Word};
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does};
use crate::guard::record::{CaseId, OrganisationId, SubjectId};
use crate::platform::problem::Problem;
use uuid::Uuid;

/// The placement that a unit is about, held with all placements of the person.
pub(crate) async fn held_with_all<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Row, Problem> {
    let row = store::seen(unit).await?.ok_or_else(Problem::absent)?;
    consents::hold(unit, row.case, row.person).await?;
    store::held(unit).await
}

/// Whether a shelter may be told of a person: a refusal wins over every basis.
///
/// # Errors
/// 409 by the person's word.
pub(crate) async fn wanted<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
    shelter: OrganisationId,
    basis: PlacementBasis,
) -> Result<(), Problem> {
    match word_on(unit, case, person, shelter).await? {
        Word::Refused => Err(Problem::illegal(
            "sharing_refused",
            "The person does not want this accommodation to be told of them. Nothing was stored.",
        )),
        Word::Nothing if basis == PlacementBasis::Consent => Err(Problem::illegal(
            "no_consent",
            "There is no consent in force that this accommodation is told: record it first, or state another basis.",
        )),
        Word::Nothing | Word::Given(_) => Ok(()),
    }
}

/// What the person says of a shelter that would be told of them.
async fn word_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
    shelter: OrganisationId,
) -> Result<Word, Problem> {
    let about = consents::About { case, person, recipient: shelter, section: Section::Placement };
    consents::word(unit, &about, Purpose::Care).await
}

/// Whether a request may go on to the desk's next epoch. What the person refuses, or does not consent to any more, goes
/// nowhere: it is withdrawn, as it would be by their word.
///
/// # Errors
/// A fault when a consent or the request's content is not as it was stored; as the database refuses.
pub(crate) async fn goes_on<V: Does, K: About>(unit: &mut Unit<V, K>, request: Uuid) -> Result<bool, Problem> {
    // The person's word about another request may have ended this one in the same unit.
    let Some(row) = store::one(unit, request).await? else { return Ok(false) };
    let goes_on = match word_on(unit, row.case, row.person, row.shelter).await? {
        Word::Given(_) => true,
        Word::Refused => false,
        Word::Nothing => sealing::content(unit, &row).await?.basis != PlacementBasis::Consent,
    };
    if !goes_on {
        stop_sharing(unit, row.case, row.person, row.shelter, Section::Placement).await?;
    }
    Ok(goes_on)
}

/// The person took a consent back, or refused: what rested on it ends, and nothing that something else still bears. A request
/// that the shelter has not fulfilled is withdrawn, whoever writes the word down; officers hold the care no more. Somebody who
/// was admitted leaves by their own act, and is not put out by a word about sharing.
///
/// # Errors
/// As the database refuses.
pub(crate) async fn stop_sharing<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
    recipient: OrganisationId,
    section: Section,
) -> Result<(), Problem> {
    match section {
        Section::Care => consents::store::end_care_sharing(unit, case, person).await,
        Section::Placement => {
            for arrival in store::end_requests(unit, case, person, recipient).await? {
                unit.erase_with_commit(arrival);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A placement is over: the address is gone for the officers; of one that nobody was admitted to the shelter holds nothing.
///
/// # Errors
/// As the database refuses.
pub(super) async fn end<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    state: PlacementState,
) -> Result<(), Problem> {
    let id = row.shown.id;
    store::set_state(unit, id, state, store::Change::of(row)).await?;
    if let Some(arrival) = store::end_arrival(unit, id).await? {
        unit.erase_with_commit(arrival);
    }
    store::end_shelter_wraps(unit, id).await?;
    unit.touch(id.0);
    Ok(())
}
