//! A case begins: when a notice is accepted, and when a person is added to it.

use super::document::{Content, NewDocument, OF_CASE, Place};
use super::head;
use super::model::{CaseRelation, CaseRow};
use super::store;
use super::team::{self, Teammate};
use crate::audit::retention::label::Turn;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{CaseId, OrganisationId, SectionId};
use crate::guard::statement::AccessReason;
use crate::guard::trust::Member;
use crate::guard::vault::Placement;
use crate::platform::problem::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Opens a case in this unit: everybody of `team` is assigned to it, and the unit's own person too. Its three sections are
/// sealed, empty, and its first head is signed. Returns its number. Whoever seals more to it in the same unit signs again
/// with [`head::sign_new_head`].
///
/// # Errors
/// A fault for a team from another organisation, and as the databases refuse.
pub(crate) async fn open_new<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    organisation: OrganisationId,
    team: &[Arc<Member>],
    reason: AccessReason,
) -> Result<i64, Problem> {
    let opener = unit.who().member.clone().ok_or_else(Problem::absent)?;
    let everybody: BTreeMap<_, _> =
        team.iter().chain([&opener]).map(|member| (member.account, Arc::clone(member))).collect();
    if everybody.values().any(|member| member.organisation != organisation) {
        return Err(Problem::fault("a case is opened for another organisation's member"));
    }
    let relation = CaseRelation::Assigned;
    let mut grants = Vec::with_capacity(everybody.len());
    let mut mates = Vec::with_capacity(everybody.len());
    for (account, member) in everybody {
        let grant = team::grant(unit, case, account, relation, reason)?;
        mates.push(Teammate::new(member, grant.grant, relation, unit.account()));
        grants.push(grant);
    }
    store::insert_case(unit, case, organisation).await?;
    unit.turns(case, Turn::Opened);
    store::insert_grants(unit, case, &grants).await?;
    let row = store::lock(unit, case).await?.ok_or_else(|| Problem::fault("a new case is not there"))?;
    let sections = OF_CASE.into_iter().filter_map(Content::empty);
    make_sections(unit, &row, &mates, sections.map(|content| (None, content)).collect()).await?;
    head::sign_first(unit, case).await?;
    unit.touch(case.0);
    Ok(row.number)
}

/// Makes sections, each under a key of its own that is wrapped to the whole team. The head is signed by the caller.
///
/// # Errors
/// As the databases refuse.
pub(super) async fn make_sections<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    team: &[Teammate],
    contents: Vec<(Option<crate::guard::record::SubjectId>, Content)>,
) -> Result<(), Problem> {
    let ids: Vec<Uuid> = contents.iter().map(|_| SectionId::random().0).collect();
    let keys = unit.new_keys(&ids).await?;
    let kinds = contents.iter().map(|(_, content)| content.kind());
    team::wrap_to_all(unit, case, team, keys.iter().zip(kinds)).await?;
    for (key, (person, content)) in keys.iter().zip(contents) {
        let place = Place { case: case.id, person, kind: content.kind() };
        store::insert_section(unit, SectionId(key.id), &place).await?;
        let placement = Placement {
            record: key.id,
            kind: place.kind,
            case: Some(case.id),
            key_id: key.id,
            epoch: case.epoch,
            version: 1,
        };
        unit.put(&placement, key, &NewDocument::new(&place, &content)).await?;
    }
    Ok(())
}
