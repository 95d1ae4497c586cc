//! Which policy decides is read by everybody who works here; one of the two responsible persons proposes another, and the other
//! countersigns it.

use super::model::{Agreement, ChangeState, NewPolicy, Policies, PolicyView, TO_COUNTERSIGN};
use super::store::{self, ChangeRow};
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Role, Verb};
use crate::guard::council::CouncilError;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::policy::{Bundle, Decision, DecisionTable, PolicyError};
use crate::guard::record::{AccountId, OrganisationId, PolicyId, RecordKind};
use crate::guard::statement::{self, PolicyStatement, StatementError, claimed_signers, hex};
use crate::guard::trust::{AgreedPolicy, Agreements, TrustError};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::credentials::shows_again;
use crate::staff::model::same_fingerprint;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The most changes that a list shows.
const LIST: usize = 50;

impl From<CouncilError> for Problem {
    fn from(error: CouncilError) -> Self {
        match error {
            CouncilError::Store(error) => error.into(),
            error => {
                tracing::error!(%error, "what was agreed about the policy is not known");
                Self::away(
                    "policy_unknown",
                    "What was agreed about the policy is not believed. Tell the administrator.",
                )
            }
        }
    }
}

fn untrusted(error: TrustError) -> Problem {
    CouncilError::from(error).into()
}

/// Which policy decides, who answers for it, and what was proposed.
#[utoipa::path(
    get, path = "/api/v1/policies", operation_id = "list_policies", tag = "staff",
    responses((status = 200, body = Policies), (status = "4XX", body = ProblemDocument)),
)]
pub async fn list(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<Policies>, Problem> {
    let leave = app.gate.authorize::<verbs::List, kinds::Policy>(&who, Target::Kind(RecordKind::Policy), None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let (own, now) = (app.policy.hash(), app.places.clock.now());
    let (connection, trust) = look.with_trust();
    let all = trust.policies(connection, app.config.policy_keepers).await.map_err(untrusted)?;
    let mut items = Vec::new();
    if let Some(all) = &all {
        let mut before = None;
        while items.len() < LIST {
            let run = store::notes(&mut look, all.organisation(), before).await?;
            let Some(last) = run.last() else { break };
            before = Some((last.made_at, last.id));
            for row in run.into_iter().filter(|row| stated(all, row.id, &row.note).is_some()) {
                let difference = store::difference(&mut look, row.id).await?.unwrap_or_default();
                items.extend(view(all, ChangeRow { id: row.id, note: row.note, difference }, now));
                if items.len() == LIST {
                    break;
                }
            }
        }
    }
    look.conclude(items.iter().map(|item: &PolicyView| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(Policies {
        organisation: all.as_ref().map(Agreements::organisation),
        responsible: all.as_ref().map(Agreements::responsible).unwrap_or_default(),
        own_digest: hex(&own),
        agreed: all.as_ref().is_some_and(|all| all.counts(&own, now)),
        items,
    }))
}

/// What one of the two, or both, have signed under this id.
fn stated(all: &Agreements, id: Uuid, note: &str) -> Option<(Vec<AccountId>, PolicyStatement)> {
    // A note may claim any number of signers; only the two are asked for.
    let two = all.responsible();
    let signed_by: Vec<AccountId> = claimed_signers(note)
        .filter(|account| two.contains(account))
        .take(two.len())
        .filter(|account| all.proposed(note, *account).is_ok())
        .collect();
    let stated = all.proposed(note, *signed_by.first()?).ok().filter(|stated| stated.policy.0 == id)?;
    Some((signed_by, stated))
}

/// A change as it stands; nothing for what neither of the two has signed.
fn view(all: &Agreements, row: ChangeRow, now: DateTime<Utc>) -> Option<PolicyView> {
    let (signed_by, stated) = stated(all, row.id, &row.note)?;
    if stated.difference != digest_of(&row.difference) {
        return None;
    }
    let agreed = all.all().iter().any(|agreed| agreed.id == stated.policy);
    let follows = stated.follows == all.in_force().map(|latest| latest.id);
    let state = match agreed {
        true => ChangeState::Agreed,
        false if follows && now < stated.lapses_at => ChangeState::Proposed,
        false => ChangeState::Lapsed,
    };
    let is_earlier = |other: &&AgreedPolicy| other.number < stated.number && hex(&other.digest) == stated.digest;
    let in_force = all.all().iter().rfind(|other| other.number < stated.number).map(|other| hex(&other.digest));
    let returns_to = all.all().iter().rfind(is_earlier).map(|other| other.number);
    Some(PolicyView {
        id: stated.policy,
        number: stated.number,
        state,
        // The one in force, agreed to once more, undoes nothing.
        returns_to: returns_to.filter(|_| in_force.as_ref() != Some(&stated.digest)),
        digest: stated.digest,
        signed_by,
        made_at: stated.made_at,
        before_until: stated.before_until,
        lapses_at: stated.lapses_at,
        difference: row.difference,
        fingerprint: hex(&statement::fingerprint(&row.note).ok()?),
        statement: row.note,
    })
}

fn digest_of(difference: &str) -> String {
    hex(&Sha256::digest(difference.as_bytes()))
}

/// What the two answer for, or the answer for everybody else.
async fn answering<V: Does, K: About>(app: &App, unit: &mut Unit<V, K>) -> Result<Option<Agreements>, Problem> {
    let (connection, trust) = unit.with_trust();
    trust.policies(connection, app.config.policy_keepers).await.map_err(untrusted)
}

/// The target of whoever wants to change the policy: where nobody answers for it, a record that is not there.
async fn target(app: &App, id: Option<Uuid>) -> Result<(OrganisationId, Target), Problem> {
    let organisation = app.council.keepers().await?.unwrap_or(OrganisationId(Uuid::nil()));
    Ok((organisation, Target::OfOrganisation(RecordKind::Policy, organisation.0, id.unwrap_or(organisation.0))))
}

/// A service starts with it, and whoever may change the policy today may change that one.
async fn usable(own: &DecisionTable, next: Bundle) -> Result<DecisionTable, Problem> {
    let compiled = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(DecisionTable::compile(&next.model, &next.rules))
    });
    let next =
        compiled.await.map_err(|_| Problem::fault("a policy was not compiled to its end"))?.map_err(|error| {
            let field = if matches!(error, PolicyError::Model(_)) { "model" } else { "rules" };
            Problem::field(field, format!("no service starts with this: {error}"))
        })?;
    let answerable = [Verb::Propose, Verb::Countersign];
    for (role, verb) in Role::ALL.iter().flat_map(|role| answerable.map(|verb| (*role, verb))) {
        let asked = |table: &DecisionTable| table.decide(role, Relation::ResponsibleOf, RecordKind::Policy, verb, None);
        if asked(own) == Decision::Allow && asked(&next) != Decision::Allow {
            return Err(lost(role, verb));
        }
    }
    Ok(next)
}

fn lost(role: Role, verb: Verb) -> Problem {
    Problem::field("rules", format!("takes `policy {verb}` from {role}: nobody could change the policy again"))
}

/// The two can change it again, whatever the policy of this process says: it may be one that nobody agreed to.
fn stays_changeable(next: &DecisionTable, all: &Agreements) -> Result<(), Problem> {
    let allows = |role: Role, verb: Verb| {
        next.decide(role, Relation::ResponsibleOf, RecordKind::Policy, verb, None) == Decision::Allow
    };
    let answerable = [Verb::Propose, Verb::Countersign];
    let taken = all.roles().into_iter().flat_map(|role| answerable.map(|verb| (role, verb)));
    match taken.into_iter().find(|(role, verb)| !allows(*role, *verb)) {
        Some((role, verb)) => Err(lost(role, verb)),
        None => Ok(()),
    }
}

/// Propose another policy, as one of the two responsible persons who answer for it.
#[utoipa::path(
    post, path = "/api/v1/policies", operation_id = "propose_policy", tag = "staff",
    params(("Idempotency-Key" = String, Header)), request_body = NewPolicy,
    responses(
        (status = 201, description = "It waits for the other responsible person.", body = PolicyView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "You do not answer for the policy.", body = ProblemDocument),
        (status = 409, description = "`not_in_force`: ask a service that has the policy in force. (One that is closed, since nobody agreed to \
            its policy, takes a proposal: it shows all of the next policy, and no difference.)", body = ProblemDocument),
        (status = 422, description = "`rules` or `model`: no service would start with it, or nobody could change it again.",
            body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewPolicy>,
) -> Result<Answer, Problem> {
    let (organisation, target) = target(&app, None).await?;
    let leave = app.gate.authorize::<verbs::Propose, kinds::Policy>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let own = app.policy.bundle();
    let is_own = new.model.is_none() && new.rules.is_none();
    let next = match (new.model, new.rules) {
        (None, None) => own.clone(),
        (Some(model), Some(rules)) => Bundle { model, rules },
        (None, Some(_)) => return Err(Problem::field("model", "comes with `rules`: send both files, or neither")),
        (Some(_), None) => return Err(Problem::field("rules", "comes with `model`: send both files, or neither")),
    };
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    if let Err(problem) = shows_again(&app, &who, &new.shown).await {
        return Err(unit.refuse(organisation.0, problem).await);
    }
    let compiled = if is_own { None } else { Some(usable(&app.policy, next.clone()).await?) };
    unit.serialise(organisation.0).await?;
    let Some(all) = answering(&app, &mut unit).await? else {
        return Err(unit.refuse(organisation.0, Problem::absent()).await);
    };
    stays_changeable(compiled.as_ref().unwrap_or(&app.policy), &all)?;
    let (latest, now) = (all.in_force(), unit.now());
    // The difference is read against the policy of this service.
    let difference = match latest.map(|latest| latest.digest).filter(|digest| *digest != app.policy.hash()) {
        None => own.difference(&next),
        Some(_) if all.counts(&app.policy.hash(), now) => {
            let elsewhere = "This service does not have the policy in force, so the difference would be a wrong one. Ask one that has it.";
            return Err(unit.refuse(organisation.0, Problem::illegal("not_in_force", elsewhere)).await);
        }
        // A repair, at a service that is closed: what is in force does not lie here, so there is nothing to leave out.
        Some(in_force) => next.whole(&in_force),
    };
    let stated = PolicyStatement {
        policy: PolicyId::random(),
        organisation: all.organisation(),
        number: latest.map_or(1, |latest| latest.number + 1),
        follows: latest.map(|latest| latest.id),
        digest: hex(&next.digest()),
        difference: digest_of(&difference),
        before_until: now + TimeDelta::hours(i64::from(new.overlap_hours)),
        made_at: now,
        lapses_at: now + TO_COUNTERSIGN,
    };
    let note = statement::sign(&stated, who.account, &who.keys).map_err(fault)?;
    // Exactly what will be checked: somebody whose keys are not those of the founding signs nothing here.
    all.proposed(&note, who.account).map_err(fault)?;
    store::insert(&mut unit, &stated, &note, &difference).await?;
    let row = ChangeRow { id: stated.policy.0, note, difference };
    let view = view(&all, row, now).ok_or_else(|| Problem::fault("a proposal is not as it was signed"))?;
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Agree to another policy, as the other responsible person.
#[utoipa::path(
    post, path = "/api/v1/policies/{id}/countersign", operation_id = "countersign_policy", tag = "staff",
    params(("id" = PolicyId, Path)), request_body = Agreement,
    responses(
        (status = 200, description = "From now on it is the one that decides.", body = PolicyView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "There is no such proposal for you.", body = ProblemDocument),
        (status = 409, description = "`signed_already`: the other one signs. `policy_moved_on`: propose it anew.",
            body = ProblemDocument),
    ),
)]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Agreement>,
) -> Result<Answer, Problem> {
    let (organisation, target) = target(&app, Some(id)).await?;
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Policy>(&who, target, None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(organisation.0).await?;
    let Some(all) = answering(&app, &mut unit).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let Some(mut row) = store::waiting(&mut unit, all.organisation(), PolicyId(id)).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if !same_fingerprint(&read.fingerprint, &hex(&statement::fingerprint(&row.note).map_err(fault)?)) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    let now = unit.now();
    let waits = view(&all, ChangeRow { note: row.note.clone(), difference: row.difference.clone(), ..row }, now);
    let waits = waits.ok_or_else(|| Problem::fault("a proposal is not as it was signed"))?;
    if waits.state != ChangeState::Proposed {
        let anew = "Another policy was agreed to since, or it has lapsed. Propose it anew.";
        return Err(Problem::illegal("policy_moved_on", anew));
    }
    if let Err(problem) = shows_again(&app, &who, &read.shown).await {
        return Err(unit.refuse(id, problem).await);
    }
    row.note = statement::countersign(&row.note, who.account, &who.keys).map_err(fault)?;
    let agreed = all.followed_by(&row.note).map_err(fault)?;
    store::agree(&mut unit, agreed.id, &row.note).await?;
    let _committed = unit.commit().await?;
    // This replica knows at once, the others when they look.
    if let Err(error) = app.council.look().await {
        tracing::warn!(%error, "an agreement about the policy was not looked at");
    }
    let shown = PolicyView {
        state: ChangeState::Agreed,
        signed_by: claimed_signers(&row.note).collect(),
        statement: row.note,
        ..waits
    };
    Answer::ok(&shown)
}

fn fault(error: StatementError) -> Problem {
    match error {
        StatementError::SignedAlready => {
            Problem::illegal("signed_already", "You have signed this already; the other responsible person signs it.")
        }
        StatementError::NotSigned => {
            Problem::illegal("not_signed", "A signature is not that of one of the two persons of the founding.")
        }
        StatementError::Malformed => Problem::fault("a statement about the policy could not be written or read"),
    }
}
