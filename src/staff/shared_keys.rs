//! The keys that an organisation holds together for a time: INTAKE for a day, REVIEW and OVERSIGHT for a month, LEDGER for
//! a quarter.
//!
//! They are renewed by the sessions of those who hold them, when they sign in or look at their queue: half-way through an
//! epoch the next one begins, open notices pass on to it, and the private key of an emptied epoch is erased.

use super::founding::{key_fault, statement_fault};
use super::store::{self, NewSharedKey};
use crate::audit::unit::Unit;
use crate::guard::action::{Role, Verb};
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::keys::{self, KemPrivate};
use crate::guard::policy::DecisionTable;
use crate::guard::record::{RecordKind, SharedKeyId};
use crate::guard::session::Who;
use crate::guard::statement::{self, SharedKeyStatement, SharedPurpose, hex};
use crate::guard::trust::{Member, Recipient, recipient_being_made};
use crate::guard::vault::{self, SealingKey};
use crate::placements;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use std::sync::Arc;
use uuid::Uuid;

type Renewing = Unit<verbs::Renew, kinds::SharedKey>;

struct Kind {
    purpose: SharedPurpose,
    record: RecordKind,
}

const KINDS: [Kind; 4] = [
    Kind { purpose: SharedPurpose::Intake, record: RecordKind::Intake },
    Kind { purpose: SharedPurpose::Review, record: RecordKind::Review },
    Kind { purpose: SharedPurpose::Ledger, record: RecordKind::Ledger },
    Kind { purpose: SharedPurpose::Oversight, record: RecordKind::Oversight },
];

/// Renews what this person may renew and what is due, and passes open notices on.
///
/// # Errors
/// When the database or the ledger does not answer; nothing is half renewed.
pub async fn renew_due(app: &App, who: &Arc<Who>) -> Result<(), Problem> {
    for kind in &KINDS {
        if app.policy.ever_does(who.role(), kind.record, Verb::Renew) {
            renew(app, who, kind).await?;
        }
    }
    Ok(())
}

/// [`renew_due`], where a key that cannot be renewed now must not keep anybody from their work.
pub async fn renew_or_warn(app: &App, who: &Arc<Who>) {
    if let Err(problem) = renew_due(app, who).await {
        tracing::warn!(code = problem.code(), "a shared key was not renewed");
    }
}

async fn renew(app: &App, who: &Arc<Who>, kind: &Kind) -> Result<(), Problem> {
    let target = Target::Kind(kind.record);
    let leave = app.gate.authorize::<verbs::Renew, kinds::SharedKey>(who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    // Two colleagues who sign in at once would each make an epoch: the second waits, and then finds one.
    unit.serialise(who.organisation.0).await?;
    let current = unit.shared_key(who.organisation, kind.purpose).await?;
    let newest = match current {
        // Who holds no wrap of the key in force waits for a colleague who does: nobody makes themselves a holder.
        Some(key) if unit.shared_wrap(key.id).await?.is_none() && unit.is_held(key.id).await? => return Ok(()),
        Some(key) if unit.now() < key.opens_at + kind.purpose.life() / 2 => {
            let holders = store::holders(&mut unit, key.id).await?;
            let roster = roster(&app.policy, &mut unit, kind.purpose).await?;
            let complete = roster.iter().all(|member| holders.contains(&member.account.0));
            // Whoever has left held the key of what their people do from now on, too.
            let left = |holder: &Uuid| roster.iter().all(|member| member.account.0 != *holder);
            let rid = kind.purpose == SharedPurpose::Oversight && holders.iter().any(left);
            if complete && !rid { key.id } else { make(app, &mut unit, kind).await? }
        }
        _ => make(app, &mut unit, kind).await?,
    };
    let passed = if kind.purpose == SharedPurpose::Intake { pass_on(&mut unit, newest).await? } else { 0 };
    if unit.is_untouched() && passed == 0 {
        return Ok(());
    }
    let _committed = unit.commit().await?;
    if kind.purpose == SharedPurpose::Oversight {
        app.places.ledger.seal_anew(who.organisation).await;
    }
    Ok(())
}

/// Who holds the key: the members whose role does the work that it is for.
fn holds(policy: &DecisionTable, purpose: SharedPurpose, role: Role) -> bool {
    match purpose {
        SharedPurpose::Intake => {
            policy.ever_does(role, RecordKind::Notice, Verb::Acknowledge)
                || policy.ever_does(role, RecordKind::Placement, Verb::Acknowledge)
        }
        SharedPurpose::Review => policy.ever_does(role, RecordKind::Review, Verb::Renew),
        SharedPurpose::Ledger => policy.ever_does(role, RecordKind::Ledger, Verb::List),
        SharedPurpose::Oversight => policy.ever_does(role, RecordKind::Oversight, Verb::List),
        SharedPurpose::Custody => false,
    }
}

/// The members who are to hold a key now. Accounts without a proven membership are passed over: a ghost gets no key.
async fn roster<V: Does, K: About>(
    policy: &DecisionTable,
    unit: &mut Unit<V, K>,
    purpose: SharedPurpose,
) -> Result<Vec<Arc<Member>>, Problem> {
    let organisation = unit.who().organisation;
    let mut roster = Vec::new();
    for account in store::accounts_of(unit, organisation).await? {
        let member = unit.member(account).await?;
        roster.extend(member.filter(|m| m.organisation == organisation && holds(policy, purpose, m.role)));
    }
    Ok(roster)
}

/// To whom is sealed what the supervisors of the writer's organisation review: the month's REVIEW key. While none is in force, since no
/// supervisor has signed in to make one, to each supervisor's own key: to the same people to whom REVIEW would be wrapped, as they
/// are members now. So nobody waits for a supervisor at three in the morning, and nothing rests on a key that is over, which
/// somebody who has left may hold. Nobody at all where no supervisor is admitted: then it is CUSTODY's alone.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn reviewers<V: Does, K: About>(
    policy: &DecisionTable,
    unit: &mut Unit<V, K>,
) -> Result<Vec<Recipient>, Problem> {
    let organisation = unit.who().organisation;
    if let Some(review) = unit.shared_key(organisation, SharedPurpose::Review).await?
        // One that nobody holds any more, as after the only supervisor was replaced, is a key of nobody.
        && unit.is_held(review.id).await?
    {
        return Ok(vec![review.recipient]);
    }
    let supervisors = roster(policy, unit, SharedPurpose::Review).await?;
    tracing::warn!(supervisors = supervisors.len(), "no REVIEW key is in force: a supervisor should sign in");
    Ok(supervisors.iter().map(|supervisor| supervisor.recipient()).collect())
}

async fn make(app: &App, unit: &mut Renewing, kind: &Kind) -> Result<SharedKeyId, Problem> {
    let who = unit.who();
    let (id, private, now) = (SharedKeyId::random(), KemPrivate::generate(), unit.now());
    let public = private.public().map_err(key_fault)?;
    let stated = SharedKeyStatement {
        key: id,
        organisation: who.organisation,
        purpose: kind.purpose,
        public: hex(&public.0),
        opens_at: now,
        closes_at: now + kind.purpose.life(),
    };
    let note = statement::sign(&stated, who.account, &who.keys).map_err(statement_fault)?;
    let row = NewSharedKey {
        id,
        organisation: who.organisation,
        purpose: kind.purpose.as_str(),
        public,
        note: &note,
        opens_at: stated.opens_at,
        closes_at: stated.closes_at,
    };
    store::insert_shared_key(unit, &row).await?;
    let (mut accounts, mut wraps) = (Vec::new(), Vec::new());
    for member in roster(&app.policy, unit, kind.purpose).await? {
        let context = vault::shared_context(id.0);
        wraps.push(keys::wrap(private.as_bytes(), &member.recipient(), &context).map_err(key_fault)?);
        accounts.push(member.account.0);
    }
    store::insert_shared_key_wraps(unit, id, &accounts, &wraps).await?;
    unit.touch(id.0);
    Ok(id)
}

/// What is open at the desk passes on to the newest epoch: notices at the squad, requests for a place at a shelter. Their
/// keys are unwrapped with the old one and wrapped to the new one.
async fn pass_on(unit: &mut Renewing, newest: SharedKeyId) -> Result<usize, Problem> {
    let who = unit.who();
    let notices = store::notices_to_pass_on(unit, newest).await?;
    let requests = placements::store::to_pass_on(unit, newest).await?;
    if notices.is_empty() && requests.is_empty() {
        return erase_emptied(unit).await;
    }
    let key = unit.shared_key(who.organisation, SharedPurpose::Intake).await?;
    let Some(key) = key.filter(|key| key.id == newest) else { return Ok(0) };
    let recipient = recipient_being_made(newest, key.recipient.kem());
    for notice in &notices {
        let hanging = store::sealed_of_notice(unit, *notice).await?;
        rewrap(unit, &hanging, &recipient).await?;
        store::pass_notice_on(unit, *notice, newest).await?;
        unit.touch(*notice);
    }
    for request in &requests {
        unit.touch(*request);
        if !placements::goes_on(unit, *request).await? {
            continue;
        }
        // What hangs on a request is sealed under its own key.
        rewrap(unit, &[*request], &recipient).await?;
        placements::store::pass_on(unit, *request, newest).await?;
    }
    Ok(notices.len() + requests.len() + erase_emptied(unit).await?)
}

/// The keys of these records, from the epoch that is over to the one in force.
async fn rewrap(unit: &mut Renewing, records: &[Uuid], recipient: &Recipient) -> Result<(), Problem> {
    let all = unit.fetch::<serde_json::Value>(records).await?;
    if all.len() != records.len() {
        return Err(Problem::fault("something at the desk is not sealed to the epoch that it stands in"));
    }
    for sealed in all {
        let sealing = SealingKey::of(&unit.who().keys, &sealed)?;
        let wrap = sealing.wrap_to(recipient, None, sealed.epoch(), None)?;
        unit.replace_shared_wraps(sealed.key_id(), wrap).await?;
    }
    Ok(())
}

/// The private keys of epochs that are over and hold nothing any more.
async fn erase_emptied(unit: &mut Renewing) -> Result<usize, Problem> {
    Ok(usize::try_from(store::erase_emptied_epochs(unit).await?).unwrap_or(usize::MAX))
}
