//! A founding that everybody has signed who must takes the place of the one before; or somebody whom it concerns does not want it.

use super::draft::{Before, fault, is_current};
use super::model::{SuccessionState, SuccessionView};
use super::propose::target;
use super::store::{self, Proposed};
use crate::audit::unit::Unit;
use crate::guard::gate::{kinds, verbs};
use crate::guard::record::{OrganisationId, SuccessionId};
use crate::guard::statement::{self, FoundingStatement};
use crate::guard::trust::check_founding;
use crate::platform::app::App;
use crate::platform::http::{Answer, InPath, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::Made;
use axum::extract::State;
use uuid::Uuid;

pub(super) fn moved_on() -> Problem {
    let anew =
        "Members, CUSTODY, the policy or those who answer have changed since, or it has lapsed. Propose it anew.";
    Problem::illegal("succession_moved_on", anew)
}

/// Put it in force, once everybody has signed and it is pinned. From that commit on its two answer for the organisation.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/successions/{succession}/found", operation_id = "found_succession", tag = "staff",
    params(("id" = Uuid, Path), ("succession" = SuccessionId, Path)),
    responses(
        (status = 200, body = SuccessionView),
        (status = 404, description = "There is no such founding for you.", body = ProblemDocument),
        (status = 409, description = "`signatures_missing`. `not_pinned`: the operator of the service adds the fingerprint first. \
            `succession_moved_on`: propose it anew.", body = ProblemDocument),
    ),
)]
pub async fn found(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, succession)): InPath<(Uuid, Uuid)>,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Found, kinds::Succession>(&who, target(id, succession), None).await?;
    let (organisation, succession) = (OrganisationId(id), SuccessionId(succession));
    // The unit first: it has its connection before anybody waits for what the door's transaction holds.
    let mut unit = Unit::begin(&app.places, leave).await?;
    // Held until the founding has given way: what it says of everybody is compared, and stays true until then.
    let mut door = store::begin_giving_way(&app.databases.door, organisation).await?;
    let (connection, trust) = unit.with_trust();
    let before = Before::of(trust, connection, organisation).await?;
    let row = store::waiting(&mut unit, organisation, succession).await?;
    let (Some(before), Some(row)) = (before, row) else {
        return Err(unit.refuse(succession.0, Problem::absent()).await);
    };
    let (note, now) = (row.note.clone(), unit.now());
    let stated: FoundingStatement = statement::unverified(&note).map_err(fault)?;
    let is_current = is_current(&mut unit, &before, &stated).await?;
    let view = before.view(&app.places.trust, row, now).filter(|view| view.state == SuccessionState::Proposed);
    let Some(mut view) = view.filter(|_| is_current) else {
        return Err(unit.refuse(succession.0, moved_on()).await);
    };
    if !view.waits_for.is_empty() || !view.agreed {
        let missing = "Its own two sign it, and both who answer today; or one of these and the custodians it says.";
        return Err(unit.refuse(succession.0, Problem::illegal("signatures_missing", missing)).await);
    }
    if !view.pinned {
        let pin = "The operator of the service adds its fingerprint to the file of pins first, as the two read it out.";
        return Err(unit.refuse(succession.0, Problem::illegal("not_pinned", pin)).await);
    }
    // Exactly what every reader will check.
    check_founding(&note).and_then(|next| next.check_follows(&before.founding, &before.custody)).map_err(fault)?;
    let [first, second] = *view.responsible.as_slice() else { return Err(Problem::fault("a founding has not two")) };
    let following = Proposed {
        id: succession,
        organisation,
        number: view.number,
        two: [first, second],
        note: &note,
        made_at: view.made_at,
        lapses_at: view.lapses_at,
    };
    store::give_way(&mut door, &following, now).await?;
    store::end_proposed_memberships(&mut unit, organisation).await?;
    unit.touch(succession.0);
    // Entered first: if the service ends between the two, nothing has changed but that somebody tried, and they try again.
    let _committed = unit.commit().await?;
    door.commit().await?;
    view.state = SuccessionState::InForce;
    Answer::ok(&view)
}

/// Take it out of the way: as one of the two of today, or as one of those whom it names. When those have agreed to it who may replace
/// the two of today, only who proposed it and those whom it names take it back: nobody stops their own replacement.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/successions/{succession}/decline", operation_id = "decline_succession",
    tag = "staff", params(("id" = Uuid, Path), ("succession" = SuccessionId, Path)),
    responses(
        (status = 200, body = Made),
        (status = 404, description = "There is no such founding for you.", body = ProblemDocument),
        (status = 409, description = "`agreed_already`.", body = ProblemDocument),
    ),
)]
pub async fn decline(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, succession)): InPath<(Uuid, Uuid)>,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Decline, kinds::Succession>(&who, target(id, succession), None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let (connection, trust) = unit.with_trust();
    let before = Before::of(trust, connection, OrganisationId(id)).await?;
    let row = store::waiting(&mut unit, OrganisationId(id), SuccessionId(succession)).await?;
    let (Some(before), Some(row)) = (before, row) else {
        return Err(unit.refuse(succession, Problem::absent()).await);
    };
    let now = unit.now();
    let own = row.proposed_by == Some(who.account.0);
    let view = before.view(&app.places.trust, row, now);
    if view.is_some_and(|view| view.agreed && !own && !view.responsible.contains(&who.account)) {
        let late = "Those who may have agreed to it. Only who proposed it and those whom it names take it back.";
        return Err(unit.refuse(succession, Problem::illegal("agreed_already", late)).await);
    }
    store::decline(&mut unit, SuccessionId(succession)).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Made { id: succession })
}
