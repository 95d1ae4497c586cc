//! The routes of bars.

use super::model::{BarView, NewBar, Recusal, Recused};
use super::{of_case, store};
use crate::audit::unit::Unit;
use crate::cases::leaving::{self, Remains};
use crate::cases::model::CaseRow;
use crate::cases::store as cases;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, BarId, CaseId, RecordKind};
use crate::guard::statement::{self, BarLiftStatement, BarReason, BarStatement};
use crate::guard::trust::TrustError;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// Steps back from a case for good: from now on it is not there for oneself. Only a supervisor lets one be put on it again.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/recuse", operation_id = "recuse_from_case", tag = "cases",
    params(("id" = CaseId, Path)), request_body = Recusal,
    responses(
        (status = 200, description = "The case is closed to you.", body = Recused),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
        (status = 409, description = "`nobody_would_remain`: nobody would be left to work on it.",
            body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
    ),
)]
pub async fn recuse(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Recusal>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Bar, case, id);
    let leave = app.gate.authorize::<verbs::Recuse, kinds::Bar>(&who, target, None).await?;
    let reason = body.check()?.reason;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let at = unit.now();
    keep_off(&mut unit, &row, who.account, reason).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Recused { case, at })
}

/// Keeps a colleague off a case: nobody puts them on it. Who works on it is taken off by two persons first; the access of who
/// only reads, or is there for a time, ends now.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/bars", operation_id = "bar_from_case", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewBar,
    responses(
        (status = 201, description = "Barred.", body = BarView),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
        (status = 409, description = "`barred`: they are already; `two_persons`: they work on it, and are taken off by two first.",
            body = ProblemDocument),
        (status = 422, description = "`account`: nobody of the squad, and no custodian.", body = ProblemDocument),
    ),
)]
pub async fn create(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewBar>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Bar, case, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Bar>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let account = new.account;
    if !has_to_do_with(&mut unit, &row, account).await? {
        return Err(Problem::field("account", "is nobody of your squad, and no custodian of its"));
    }
    if super::barred(&mut unit, &row).await?.contains(&account) {
        return Err(Problem::illegal("barred", "This colleague is kept off this case already. Nothing was stored."));
    }
    if leaving::works_for_good(&mut unit, case, account).await? {
        return Err(leaving::takes_two());
    }
    let made_at = unit.now();
    let bar = keep_off(&mut unit, &row, account, new.reason).await?;
    let (by, reason) = (who.account, new.reason);
    let view = BarView { id: bar, account, by, reason, made_at, lifted_at: None, lifted_by: None };
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Whether somebody is of the case's squad, or keeps a part of its CUSTODY.
async fn has_to_do_with<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &CaseRow,
    account: AccountId,
) -> Result<bool, Problem> {
    if unit.member(account).await?.is_some_and(|member| member.organisation == row.organisation) {
        return Ok(true);
    }
    let (connection, trust) = unit.with_trust();
    match trust.custody(connection, row.organisation).await {
        Ok(custody) => Ok(custody.custodian(account).is_some()),
        Err(TrustError::Store(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// Access ends, what waits for them is withdrawn, and the statement is stored.
async fn keep_off<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &CaseRow,
    account: AccountId,
    reason: BarReason,
) -> Result<BarId, Problem> {
    let (case, bar, who) = (row.id, BarId::random(), unit.who());
    let stated = BarStatement { bar, case, account, reason, at: unit.now() };
    let note =
        statement::sign(&stated, who.account, &who.keys).map_err(|_| Problem::fault("a bar cannot be written"))?;
    cases::withdraw_assignments(unit, case, account).await?;
    if !leaving::put_off(unit, row, account, Remains::Worker).await? {
        // The next who works on the case signs a head that lists the bar, also where no key has to be made anew.
        cases::set_epoch_pending(unit, case).await?;
    }
    store::insert(unit, bar, case, account, &note).await?;
    Ok(bar)
}

/// The bars of a case, lifted ones included, for the purpose of supervision.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/bars", operation_id = "list_bars_of_case", tag = "cases",
    params(("id" = CaseId, Path), ("Purpose" = inline(Purpose), Header, description = "`supervision`")),
    responses(
        (status = 200, description = "In the order in which they were made.", body = Listed<BarView>),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<BarView>>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Bar, case, id);
    let leave = app.gate.authorize::<verbs::List, kinds::Bar>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(row) = cases::case(&mut look, case).await? else { return Err(look.conclude_absent().await) };
    let items: Vec<BarView> = super::seen(&mut look, &row).await?.into_iter().map(BarView::from).collect();
    look.conclude(items.iter().map(|bar| bar.id.0).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next: None }))
}

/// Lifts a bar. It gives no access back: whoever is to be on the case is put on it like anybody else.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/bars/{bar}/lift", operation_id = "lift_bar", tag = "cases",
    params(("id" = CaseId, Path), ("bar" = BarId, Path)),
    responses(
        (status = 200, description = "Lifted.", body = BarView),
        (status = 404, description = "There is no such bar for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: it is lifted already.", body = ProblemDocument),
    ),
)]
pub async fn lift(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, bar)): InPath<(Uuid, Uuid)>,
) -> Result<Answer, Problem> {
    let (case, bar) = (CaseId(id), BarId(bar));
    let target = Target::OnCase(RecordKind::Bar, case, id);
    let leave = app.gate.authorize::<verbs::Lift, kinds::Bar>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let Some(mut found) = of_case(&mut unit, &row).await?.into_iter().find(|known| known.id == bar) else {
        return Err(unit.refuse(bar.0, Problem::absent()).await);
    };
    if found.lifted.is_some() {
        return Err(Problem::illegal("illegal_transition", "This bar is lifted already. Nothing was stored."));
    }
    let at = unit.now();
    let stated = BarLiftStatement { bar, case, account: found.account, at };
    let note = statement::sign(&stated, who.account, &who.keys)
        .map_err(|_| Problem::fault("the end of a bar cannot be written"))?;
    store::lift(&mut unit, bar, &note).await?;
    let _committed = unit.commit().await?;
    found.lifted = Some((at, who.account));
    Answer::ok(&BarView::from(found))
}
