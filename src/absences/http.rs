//! The routes of absences.

use super::model::{AbsenceBegun, AbsenceEnded, AbsenceView, NewAbsence};
use super::store;
use crate::audit::unit::Unit;
use crate::cases;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::policy::Decision;
use crate::guard::record::{AbsenceId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// The most cases that are handed over at once.
const CASES: usize = 200;

/// Who of one's own organisation is or will be away, and who stands in.
#[utoipa::path(
    get, path = "/api/v1/absences", operation_id = "list_absences", tag = "work", params(Page),
    responses(
        (status = 200, description = "Absences that are not over, in the order in which they begin.", body = Listed<AbsenceView>),
        (status = 403, description = "The role has no cases.", body = ProblemDocument),
        (status = 422, description = "`cursor` or `limit` is not right.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Result<Paged, Problem>,
) -> Result<Json<Listed<AbsenceView>>, Problem> {
    let target = Target::Kind(RecordKind::Absence);
    let leave = app.gate.authorize::<verbs::List, kinds::Absence>(&who, target, None).await?;
    let paged = paged?;
    let after = paged.after_id()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let page = paged.page(store::absences(&mut look, after, paged.most()).await?, |item| item.id.0);
    let named = page.items.iter().flat_map(|item| [item.id.0].into_iter().chain(item.cases.iter().map(|case| case.0)));
    let named: Vec<Uuid> = named.collect();
    look.conclude(named, vec![]).await?.spend();
    Ok(Json(page))
}

/// Hands one's cases to a colleague for a time: all of them in one step, or none.
#[utoipa::path(
    post, path = "/api/v1/absences", operation_id = "begin_absence", tag = "work", request_body = NewAbsence,
    params(("Idempotency-Key" = String, Header)),
    responses(
        (status = 201, description = "The colleague stands in.", body = AbsenceBegun),
        (status = 409, description = "`on_already`: the colleague works on all of these cases; `otherwise_on_case`: may \
            read one of them, or stands in on it at another time; `barred`: is kept off one of them.",
            body = ProblemDocument),
        (status = 422, description = "A field is not right; `stand_in`: not a colleague who works on cases; `cases`: one of \
            them is not yours.", body = ProblemDocument),
    ),
)]
pub async fn begin(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewAbsence>,
) -> Result<Answer, Problem> {
    let target = Target::Kind(RecordKind::Absence);
    let leave = app.gate.authorize::<verbs::Create, kinds::Absence>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let window = new.window(unit.now())?;
    let own = who.member.as_ref().ok_or_else(Problem::not_your_work)?;
    let does =
        |role, verb| app.policy.decide(role, Relation::Assigned, RecordKind::Case, verb, None) == Decision::Allow;
    let stand_in = unit.member(new.stand_in).await?.filter(|member| {
        member.account != own.account && member.organisation == own.organisation && does(member.role, Verb::Write)
    });
    let stand_in =
        stand_in.ok_or_else(|| Problem::field("stand_in", "is not a colleague of yours who works on cases"))?;
    // Each case is one on which this person could give access at any time.
    if !does(who.role(), Verb::Assign) {
        return Err(Problem::not_your_work());
    }
    let mut wanted = match new.cases {
        Some(cases) => cases,
        None => cases::store::own_open_cases(&mut unit).await?,
    };
    // In one order for everybody: two who hand over at once wait for each other, and not in a circle.
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() || wanted.len() > CASES {
        return Err(Problem::field("cases", "names at least one case, and not more than 200"));
    }
    let id = AbsenceId::random();
    store::insert(&mut unit, id, stand_in.account, window).await?;
    let (mut handed, mut on_already) = (Vec::new(), Vec::new());
    for case in wanted {
        match cases::standing_in::hand_over(&mut unit, case, &stand_in, window, id).await {
            Ok(true) => handed.push(case),
            Ok(false) => on_already.push(case),
            Err(problem) if problem.code() == Problem::absent().code() => {
                return Err(unit.refuse(case.0, Problem::field("cases", "names a case that is not yours")).await);
            }
            Err(problem) => return Err(problem),
        }
        unit.touch(case.0);
    }
    if handed.is_empty() {
        return Err(Problem::illegal("on_already", "The colleague is on all of these cases. Nothing was stored."));
    }
    let (from, until) = (window.from, window.until);
    let answer = Answer::created(&AbsenceBegun { id, from, until, cases: handed, on_already })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Ends an absence before its time: the officer is back, or a supervisor ends it.
#[utoipa::path(
    post, path = "/api/v1/absences/{id}/end", operation_id = "end_absence", tag = "work",
    params(("id" = AbsenceId, Path)),
    responses(
        (status = 200, description = "The colleague's access has ended.", body = AbsenceEnded),
        (status = 404, description = "There is no such absence for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: it is over; `barred`: you are kept off one of its cases.",
            body = ProblemDocument),
    ),
)]
pub async fn end(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Absence, id);
    let leave = app.gate.authorize::<verbs::Close, kinds::Absence>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if store::is_barred_from(&mut unit).await? {
        return Err(Problem::illegal(
            "barred",
            "You are kept off one of these cases, and would leave it open: another supervisor, or whoever is away, ends this \
             absence. Nothing was stored.",
        ));
    }
    if !store::end(&mut unit).await? {
        return Err(Problem::illegal("illegal_transition", "This absence is over. Nothing was stored."));
    }
    let cases = cases::standing_in::end(&mut unit, AbsenceId(id)).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&AbsenceEnded { id: AbsenceId(id), cases })
}
