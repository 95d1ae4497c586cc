//! Somebody asks two custodians to open CUSTODY, and says why.

use super::model::{Invoked, LAPSES, NewEmergency, NewEntrusting, Reason, Why};
use super::store::{self, NewOpening};
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::policy::Decision;
use crate::guard::record::{AccountId, CaseId, OpeningId, OrganisationId, RecordKind};
use crate::guard::statement::{self, OpeningStatement, hex};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;

/// What is asked for, before it is signed.
struct Asked {
    organisation: OrganisationId,
    why: Why,
    reason: Reason,
    person: Option<AccountId>,
    sections: Vec<RecordKind>,
    hours: i16,
    /// In order.
    cases: Vec<CaseId>,
}

async fn invoke<V: Does, K: About>(unit: &mut Unit<V, K>, asked: Asked) -> Result<Answer, Problem> {
    let (who, id, now) = (unit.who(), OpeningId::random(), unit.now());
    let Asked { organisation, why, reason, person, sections, hours, cases } = asked;
    let stated = OpeningStatement {
        opening: id,
        organisation,
        why: why.as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        person,
        sections: sections.clone(),
        hours,
        cases: cases.clone(),
        invoked_by: who.account,
        invoked_at: now,
    };
    let fault = |_| Problem::fault("what was asked for cannot be written");
    let note = statement::sign(&stated, who.account, &who.keys).map_err(fault)?;
    let fingerprint = hex(&statement::fingerprint(&note).map_err(fault)?);
    let (sections, cases, lapses_at) = (&sections, &cases, now + LAPSES);
    let new = NewOpening { id, organisation, why, reason, person, sections, hours, cases, lapses_at, note: &note };
    store::insert(unit, &new).await?;
    Answer::created(&Invoked { id, fingerprint, lapses_at })
}

/// Ask to look at a case that is not yours, because somebody is in danger: two custodians let you in, or do not. The case's
/// team and the auditors are told as soon as they do.
#[utoipa::path(
    post, path = "/api/v1/emergencies", operation_id = "invoke_emergency", tag = "custody",
    params(("Idempotency-Key" = String, Header)), request_body = NewEmergency,
    responses(
        (status = 201, description = "It waits for a custodian. Telephone two of them.", body = Invoked),
        (status = 403, description = "Your role looks at no case.", body = ProblemDocument),
        (status = 422, description = "`case_number`: no case of your squad has it.", body = ProblemDocument),
    ),
)]
pub async fn emergency(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewEmergency>,
) -> Result<Answer, Problem> {
    let target = Target::Kind(RecordKind::Emergency);
    let leave = app.gate.authorize::<verbs::Create, kinds::Opening>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let case = store::case_of_ours(&mut unit, new.case_number).await?;
    let case = case.ok_or_else(|| Problem::field("case_number", "is no case of your squad"))?;
    let asked = Asked {
        organisation: who.organisation,
        why: Why::Emergency,
        reason: new.reason,
        person: Some(who.account),
        sections: new.sections(),
        hours: new.hours,
        cases: vec![case],
    };
    let answer = invoke(&mut unit, asked).await?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Ask that cases on which nobody is left be given to a colleague.
#[utoipa::path(
    post, path = "/api/v1/entrustings", operation_id = "entrust_cases", tag = "custody",
    params(("Idempotency-Key" = String, Header)), request_body = NewEntrusting,
    responses(
        (status = 201, description = "It waits for a custodian.", body = Invoked),
        (status = 422, description = "`account`: not a colleague who works on cases. `cases`: not all of your squad.",
            body = ProblemDocument),
    ),
)]
pub async fn entrust(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewEntrusting>,
) -> Result<Answer, Problem> {
    let target = Target::Kind(RecordKind::Entrusting);
    let leave = app.gate.authorize::<verbs::Create, kinds::Opening>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let works =
        |role| app.policy.decide(role, Relation::Assigned, RecordKind::Case, Verb::Write, None) == Decision::Allow;
    unit.member(new.account)
        .await?
        .filter(|member| member.organisation == who.organisation && works(member.role))
        .ok_or_else(|| Problem::field("account", "is not a colleague of yours who works on cases"))?;
    let mut cases = new.cases;
    cases.sort_unstable();
    cases.dedup();
    if store::supervised(&mut unit, &cases).await? != cases {
        return Err(Problem::field("cases", "names a case that is not your squad's"));
    }
    let asked = Asked {
        organisation: who.organisation,
        why: Why::NobodyLeft,
        reason: Reason::NobodyLeft,
        person: Some(new.account),
        sections: vec![],
        hours: 0,
        cases,
    };
    let answer = invoke(&mut unit, asked).await?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Ask for a new CUSTODY key: after the custodians were changed, or where passing on was interrupted. Nothing is looked at.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/custody/renewals", operation_id = "renew_custody", tag = "custody",
    params(("id" = uuid::Uuid, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 201, description = "It waits for a custodian.", body = Invoked),
        (status = 404, description = "You keep nothing of such an organisation.", body = ProblemDocument),
    ),
)]
pub async fn renewal(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
) -> Result<Answer, Problem> {
    let target = Target::OfOrganisation(RecordKind::Custody, id, id);
    let leave = app.gate.authorize::<verbs::Renew, kinds::Custody>(&who, target, None).await?;
    let once = key.for_body(&who, &[])?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let asked = Asked {
        organisation: OrganisationId(id),
        why: Why::Renewal,
        reason: Reason::CustodiansChanged,
        person: None,
        sections: vec![],
        hours: 0,
        cases: vec![],
    };
    let answer = invoke(&mut unit, asked).await?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}
