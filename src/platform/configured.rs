//! With which settings a process works is an entry of the ledger: when it starts, and when its keys, its pins or what it takes for granted
//! change while it runs. What keeps records closed rests on lines of the operator's own file (witnesses, limits, who verifies), so
//! whoever changes one leaves a trace for the auditors. The entry names a fingerprint and no setting: the log of the process and
//! `himaya doctor` say the same one, so the auditors ask the operator what was changed, and compare.

use super::clock::Clock;
use super::config::{Config, address};
use super::secrets::{Live, Secrets};
use crate::audit::entry::{Entry, Outcome};
use crate::audit::ledger::{Ledger, LedgerError};
use crate::guard::action::{Relation, Role, Verb};
use crate::guard::record::{AccountId, RecordKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How often it is looked whether something changed.
const AGAIN: Duration = Duration::from_secs(5);

/// For how long a start waits for the entry: a ledger that takes none opens no record either.
const WAITS: Duration = Duration::from_secs(5);

/// Of everything that is set, the pins of the founding and of the databases' structure, and which keys there are. No password and no secret
/// goes into it.
#[must_use]
pub fn fingerprint(config: &Config, secrets: &Secrets) -> Uuid {
    let plain = config.database.change(|_, full| Ok::<_, Infallible>(address::without_password(full).0));
    let plain = plain.unwrap_or_else(|never| match never {});
    let set = serde_json::to_value(Config { database: plain, ..config.clone() }).unwrap_or_default();
    let pins = std::fs::read_to_string(&config.pins).unwrap_or_default();
    let mut pins: Vec<&str> = pins.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    pins.sort_unstable();
    let schema = config.schema_pin.as_ref().and_then(|pin| std::fs::read_to_string(pin).ok());
    let all = json!({
        "set": set,
        "pins": pins,
        "keys": [
            keys(&secrets.pepper), keys(&secrets.token), keys(&secrets.ledger), keys(&secrets.pseudonyms), keys(&secrets.vouch)
        ],
        "schema": schema,
    });
    let digest = Sha256::new().chain_update(b"himaya configuration v1").chain_update(all.to_string()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Names and beginnings, never values.
fn keys<T>(live: &Live<T>) -> Value {
    live.get().iter().map(|version| json!([version.id, version.from])).collect()
}

/// What this process has told of its settings.
pub struct Configured {
    told: Mutex<Option<Uuid>>,
}

impl Configured {
    /// Enters with what the process begins to work. Before there is an auditors' office nobody could read it: it is told later.
    pub async fn begin(config: &Config, secrets: &Secrets, ledger: &Ledger, clock: &Clock) -> Self {
        let configured = Self { told: Mutex::default() };
        if tokio::time::timeout(WAITS, configured.tell(config, secrets, ledger, clock)).await.is_err() {
            tracing::error!("ALARM: the ledger does not take the entry of the settings with which this process starts");
        }
        configured
    }

    /// Enters what has not been told yet, again and again, until the end.
    pub async fn keep_told(
        self: Arc<Self>,
        config: Config,
        secrets: Arc<Secrets>,
        ledger: Arc<Ledger>,
        clock: Clock,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut tick = tokio::time::interval(AGAIN);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = self.tell(&config, &secrets, &ledger, &clock) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn tell(&self, config: &Config, secrets: &Secrets, ledger: &Ledger, clock: &Clock) {
        let now = fingerprint(config, secrets);
        if *self.told.lock().unwrap_or_else(PoisonError::into_inner) == Some(now) {
            return;
        }
        match ledger.enter(entry(now, clock)).await {
            Ok(()) => {
                tracing::info!(configuration = %now, "this process works with these settings");
                *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            }
            // Before there are auditors with a key nobody could read it: it waits.
            Err(error) if matches!(*error, LedgerError::NoAuditor) => {
                tracing::debug!("the settings of this process are entered when there are auditors with a key");
            }
            // No record is opened either.
            Err(error) => tracing::warn!(%error, "the settings of this process are not entered yet"),
        }
    }
}

/// Nobody did it who has an account.
fn entry(fingerprint: Uuid, clock: &Clock) -> Entry {
    Entry {
        at: clock.now(),
        account: AccountId(Uuid::nil()),
        organisation: None,
        role: Role::Unadmitted,
        relation: Relation::None,
        verb: Verb::Begin,
        kind: RecordKind::Configuration,
        purpose: None,
        outcome: Outcome::Done,
        records: vec![fingerprint],
        asked: None,
        about: None,
        mark: None,
        erased: None,
    }
}
