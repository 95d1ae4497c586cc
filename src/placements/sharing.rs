//! What the person says about it: asked before a shelter is told, and before more of its people are; and the end of what is
//! shared, in the same commit as the person's word.

use super::model::{PlacementBasis, PlacementState};
use super::store::{self, Row};
use crate::audit::unit::Unit;
use crate::consents::{self, Section, Word};
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does};
use crate::guard::record::{CaseId, OrganisationId, SubjectId};
use crate::platform::problem::Problem;

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
    let about = consents::About { case, person, recipient: shelter, section: Section::Placement };
    match consents::word(unit, &about, Purpose::Care).await? {
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

/// The person took a consent back, or refused: what rested on it ends. A request that the shelter has not fulfilled is
/// withdrawn; officers hold the care no more. Somebody who was admitted leaves by their own act, and is not put out by a word
/// about sharing.
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
            for row in store::current_of_case(unit, case).await? {
                let of_it = row.person == person && row.shelter == recipient;
                if of_it && let Ok(state) = row.shown.state.withdraw() {
                    end(unit, &row, state).await?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A placement is over: the address is gone for the officers; of a request that came to nothing the shelter holds nothing.
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
