//! The persons of a case by name: every identity on it is opened at once, and entered as one read of each.

use super::document::{Content, Document, Place};
use super::head;
use super::model::PersonNamed;
use super::store;
use crate::guard::action::{Purpose, Relation};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{CaseId, RecordKind, SectionId, SubjectId};
use crate::guard::vault::{self, Sealed};
use crate::platform::app::App;
use crate::platform::http::{Id, Listed, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// The persons of a case by name, in the order in which they came: for whoever may open who they are.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/persons", operation_id = "list_persons_of_case", tag = "cases",
    params(("id" = CaseId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "All persons whose identity the reader may open.", body = Listed<PersonNamed>),
        (status = 404, description = "There is no such case for the reader.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<PersonNamed>>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Identity, case, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Section>(&who, target, purpose).await?;
    let for_some = leave.relation() == Relation::Emergency;
    let mut look = Look::begin(&app.places, leave).await?;
    let persons = store::persons(&mut look, case).await?;
    let mut made = store::sections(&mut look, case).await?;
    made.retain(|(_, place)| place.kind == RecordKind::Identity);
    if for_some {
        let held = store::readable(&mut look, case).await?;
        made.retain(|(id, _)| held.contains(&id.0));
    }
    let identity = |person: &SubjectId| made.iter().find(|(_, place)| place.person == Some(*person)).copied();
    let found: Vec<(SectionId, Place)> = persons.iter().filter_map(identity).collect();
    let records: Vec<Uuid> = found.iter().map(|(id, _)| id.0).collect();
    let Some((_, sealed)) = head::vouched::<Document, _, _>(&mut look, case, &records).await? else {
        return Err(look.conclude_absent().await);
    };
    let versions = sealed.iter().map(|sealed| (sealed.record(), sealed.version())).collect();
    // The vault gives them back in the order in which it got them.
    let order: Vec<Uuid> = sealed.iter().map(Sealed::record).collect();
    let receipt = look.conclude(records, versions).await?;
    let mut named = Vec::with_capacity(order.len());
    for (record, opened) in order.into_iter().zip(vault::open(receipt, &who, sealed)?) {
        let at = found.iter().position(|(id, _)| id.0 == record).ok_or_else(Problem::absent)?;
        let (_, place) = found.get(at).copied().ok_or_else(Problem::absent)?;
        let (Content::Identity(identity), Some(person)) = (Content::read(opened.disclose(), &place)?, place.person)
        else {
            return Err(vault::VaultError::Shape.into());
        };
        let first_name = identity.first_name;
        named.push((
            at,
            PersonNamed { id: person, category: identity.category, first_name, second_name: identity.second_name },
        ));
    }
    named.sort_by_key(|(at, _)| *at);
    Ok(Json(Listed { items: named.into_iter().map(|(_, person)| person).collect(), next: None }))
}
