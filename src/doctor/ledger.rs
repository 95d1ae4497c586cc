//! The ledger's newest checkpoints, inside the database and outside, the pins, and erasures that wait.

use super::{Findings, Verdict, store};
use crate::audit::keys::LogKeys;
use crate::audit::store::newest_checkpoint;
use crate::audit::witnesses::Witnesses;
use crate::audit::witnesses::watch::UNSEEN;
use crate::guard::policy::DecisionTable;
use crate::guard::record::OrganisationId;
use crate::guard::statement::{fingerprint, hex};
use crate::guard::trust::{Trust, pinned};
use crate::guard::vouch::Voucher;
use crate::platform::clock::Clock;
use crate::platform::config::Config;
use crate::platform::secrets::Secrets;
use chrono::TimeDelta;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;

/// Whether the secret that signs is the one that has signed, and the database is not behind what is kept outside.
pub(super) async fn checkpoints(
    findings: &mut Findings,
    config: &Config,
    secrets: &Secrets,
    connection: &mut PgConnection,
    clock: &Clock,
) {
    let keys = match LogKeys::of(&config.log_origin, &secrets.ledger.get()) {
        Ok(keys) => keys,
        Err(error) => return findings.wrong("log_origin", format!("cannot name a log: {error}")),
    };
    let stored = match newest_checkpoint(connection).await {
        Ok(stored) => stored,
        Err(error) => return findings.wrong("ledger", format!("the newest checkpoint cannot be read: {error}")),
    };
    let size = match stored.map(|stored| keys.read(&stored.note).map(|signed| signed.checkpoint)) {
        None => {
            findings.add("ledger", Verdict::NotAsked, "nothing has been signed yet");
            0
        }
        Some(Ok(checkpoint)) => {
            findings.well(
                "ledger",
                format!("the newest checkpoint, of {} entries, is signed by our key", checkpoint.size()),
            );
            checkpoint.size()
        }
        Some(Err(error)) => {
            let why = format!(
                "the newest checkpoint in the database does not fit the secret `ledger` and log_origin ({error}): is it the \
                 right secret, and the right database?"
            );
            return findings.wrong("ledger", why);
        }
    };
    let file = config.checkpoints.join("checkpoint");
    match std::fs::read_to_string(&file).map(|text| keys.read(&text).map(|signed| signed.checkpoint)) {
        Ok(Ok(kept)) if kept.size() > size => findings.wrong(
            "checkpoints",
            format!(
                "the one kept outside speaks of {} entries, the database of {size}: the database was rolled back. Find out \
                 why before anything is written",
                kept.size()
            ),
        ),
        Ok(Ok(kept)) if unkept(connection, kept.size(), clock).await => findings.wrong(
            "checkpoints",
            format!(
                "what follows the first {} entries is not kept outside for more than a minute: make room in {}, or let it be written again",
                kept.size(),
                config.checkpoints.display()
            ),
        ),
        Ok(Ok(kept)) => findings.well("checkpoints", format!("the newest is kept outside as well, of {} entries", kept.size())),
        Ok(Err(error)) => findings.wrong("checkpoints", format!("the one kept outside is not this log's: {error}")),
        Err(_) if size == 0 => findings.add("checkpoints", Verdict::NotAsked, "nothing has been signed yet"),
        Err(error) => findings.wrong(
            "checkpoints",
            format!("none can be read in {} ({error}): without it a rolled-back database looks whole", file.display()),
        ),
    }
}

/// Whether the database has had a later checkpoint for so long that it should be kept outside as well.
async fn unkept(connection: &mut PgConnection, kept: u64, clock: &Clock) -> bool {
    let since = store::later_checkpoint(connection, kept).await;
    // One that cannot be read is said of the database.
    since.ok().flatten().is_some_and(|since| clock.now() - since > TimeDelta::minutes(1))
}

/// Whether those who watch the ledger from outside have seen it lately.
pub(super) async fn witnesses(findings: &mut Findings, config: &Config, secrets: &Secrets, clock: &Clock) {
    let (witnesses, keys) = match (Witnesses::of(config), LogKeys::of(&config.log_origin, &secrets.ledger.get())) {
        (Ok(Some(witnesses)), Ok(keys)) => (witnesses, keys),
        (Ok(None), _) => {
            let said = "none are set: nobody outside would see a ledger that was made anew";
            return findings.add("witnesses", Verdict::NotAsked, said);
        }
        // Said of its field already.
        _ => return,
    };
    let now = clock.now();
    let last = match PgPool::connect(&config.database.sequencer).await {
        Ok(pool) => witnesses.last(&pool, &keys, now).await,
        Err(error) => Err(error),
    };
    let last = match last {
        Ok(last) => last,
        Err(error) => return findings.wrong("witnesses", format!("what they signed cannot be read: {error}")),
    };
    let mut fresh = 0;
    for (witness, last) in witnesses.all().iter().zip(last) {
        let about = format!("witness {}", witness.name());
        match last {
            Some(last) if now - last < TimeDelta::from_std(UNSEEN).unwrap_or_default() => {
                fresh += 1;
                findings.well(about, format!("cosigned last at {last}"));
            }
            Some(last) => findings.wrong(
                about,
                format!("cosigned last at {last}: see the service's log for what it answers, and call whoever runs it"),
            ),
            None => findings.wrong(about, "has never cosigned: see the service's log, and call whoever runs it"),
        }
    }
    let needed = witnesses.needed();
    let said = format!("{fresh} of {} see the ledger, {needed} are needed", witnesses.all().len());
    let wrong = if fresh < needed { vec![format!("{said}: no record is opened")] } else { vec![] };
    findings.judge("witnesses", &said, &wrong);
}

/// Whether each pin is a founding's, and each founding with a pin is one that two people signed.
pub(super) async fn pins(
    findings: &mut Findings,
    config: &Config,
    secrets: Option<&Secrets>,
    connection: &mut PgConnection,
) {
    let mut pins = match pinned(&config.pins) {
        Ok(pins) => pins,
        Err(fault) => return findings.wrong("pins", fault.to_string()),
    };
    let read = match store::foundings(connection).await {
        Ok(foundings) => store::former_foundings(connection).await.map(|former| (foundings, former)),
        Err(error) => Err(error),
    };
    let (foundings, former) = match read {
        Ok(read) => read,
        Err(error) => return findings.wrong("pins", format!("the foundings cannot be read: {error}")),
    };
    let Ok(policy) = DecisionTable::from_dir(&config.policies).await else { return };
    let Some(secrets) = secrets else { return };
    let voucher = Voucher::new(secrets.vouch.clone(), Clock::default());
    let trust = Trust::new(config.pins.clone(), Arc::new(policy), voucher);
    let (mut wrong, mut forming) = (Vec::new(), 0);
    for (organisation, note) in former {
        let print = fingerprint(&note).ok();
        if foundings.iter().any(|(_, note)| fingerprint(note).ok() == print) {
            wrong.push(format!(
                "the founding of {organisation} that is in force also lies among the former ones: who wrote it there?"
            ));
            continue;
        }
        let Some(at) = pins.iter().position(|pin| Some(pin.fingerprint) == print) else {
            wrong
                .push(format!("a founding of {organisation} that another one follows has no line `former …` any more"));
            continue;
        };
        let pin = pins.remove(at);
        if !pin.former {
            wrong.push(format!(
                "another founding of {organisation} follows {}: write `former` before its pin, or whoever owns the database can \
                 put it back",
                hex(&pin.fingerprint)
            ));
        }
    }
    for (organisation, note) in foundings {
        let print = fingerprint(&note).ok();
        let Some(at) = pins.iter().position(|pin| Some(pin.fingerprint) == print) else {
            forming += 1;
            continue;
        };
        if pins.remove(at).former {
            wrong.push(format!(
                "the pin of the founding of {organisation} says `former`, and no other founding follows it"
            ));
            continue;
        }
        if trust.founding(connection, OrganisationId(organisation)).await.is_err() {
            wrong.push(format!("the pinned founding of {organisation} is not signed by two responsible persons, or those before did not agree to it"));
        }
    }
    wrong.extend(pins.iter().map(|pin| {
        let pin = hex(&pin.fingerprint);
        format!("{pin} is no founding's fingerprint: a founding was changed in the database, or the pin mistyped")
    }));
    let said =
        format!("each belongs to a founding that two people signed; {forming} founded without a pin receive nothing");
    findings.judge("pins", &said, &wrong);
}

/// Longer than an erasure takes while both stores answer.
const ERASING: i64 = 15 * 60;

/// Whether erasures that two persons confirmed wait for a store that is away.
pub(super) async fn erasures(findings: &mut Findings, connection: &mut PgConnection) {
    match store::erasures_waiting(connection).await {
        Ok((0, _)) => findings.well("erasures", "every case that two persons erased is erased"),
        Ok((waiting, seconds)) if seconds <= ERASING => {
            findings.well("erasures", format!("{waiting} under way, since {seconds} seconds at most"));
        }
        Ok((waiting, seconds)) => findings.wrong(
            "erasures",
            format!(
                "{waiting} wait, the oldest for {} minutes: copies of these cases still open. See that a process with \
                 sweeps = true runs, and that the erasure store and the store of attachments answer it",
                seconds / 60
            ),
        ),
        Err(error) => findings.wrong("erasures", format!("cannot be read: {error}")),
    }
}
