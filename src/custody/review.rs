//! Somebody else looks at what was opened in an emergency.

use super::model::{NewReview, OpeningEnded, OpeningState, Why};
use super::{asked, store};
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{OpeningId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;

/// Review an emergency, as somebody who had no part in it. After 72 hours without one there is an alert.
#[utoipa::path(
    post, path = "/api/v1/openings/{id}/review", operation_id = "review_opening", tag = "custody",
    params(("id" = OpeningId, Path)), request_body = NewReview,
    responses(
        (status = 200, description = "Reviewed.", body = OpeningEnded),
        (status = 404, description = "There is no such emergency for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`; `your_own`: you had a part in it; `still_open`: it is not over.", body = ProblemDocument),
    ),
)]
pub async fn review(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<NewReview>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Opening, id);
    let leave = app.gate.authorize::<verbs::Review, kinds::Opening>(&who, target, None).await?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let held = asked::hold(&mut unit).await?.filter(|held| held.why == Why::Emergency);
    let Some(held) = held else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state = held.state.step(OpeningState::Reviewed)?;
    let part = [Some(held.invoked_by), held.person, held.first, held.second].contains(&Some(who.account));
    if part {
        return Err(Problem::illegal(
            "your_own",
            "You had a part in this: somebody else reviews it. Nothing was stored.",
        ));
    }
    // Until then there is more to come that is to be looked at.
    if unit.now() < held.lapses_at {
        return Err(Problem::illegal(
            "still_open",
            "The emergency is not over: review it afterwards. Nothing was stored.",
        ));
    }
    store::reviewed(&mut unit, held.id, new.verdict).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&OpeningEnded { id: held.id, state })
}
