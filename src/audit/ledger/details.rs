//! What entries say, sealed once by a key that changes each hour: to the auditors, and to the supervisors of the organisation whose people
//! did it.

use super::LedgerError;
use super::office::Office;
use crate::audit::entry::{Entry, Place};
use crate::audit::store::{self, NewDetailKey};
use crate::guard::bytes::{self, ContentKey, Context};
use crate::guard::keys::{self, WrapContext, derive};
use crate::guard::record::{OrganisationId, RecordKind, SharedKeyId};
use crate::guard::statement::{OrganisationKind, SharedPurpose};
use crate::guard::store::organisations_of_kind;
use crate::guard::trust::{SharedKey, Trust};
use crate::platform::clock::Clock;
use crate::platform::random;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A key of one hour: of one organisation's people, or of all whose organisation has no supervisors with a key.
pub(super) struct DetailKey {
    pub(super) id: Uuid,
    secret: Zeroizing<[u8; 32]>,
}

impl DetailKey {
    pub(super) fn seal(&self, place: Place, detail: &[u8]) -> Result<Vec<u8>, LedgerError> {
        let (key, context) = place_key(&self.secret, place);
        bytes::seal(&key, 1, &context, detail).map_err(|_| LedgerError::Seal)
    }
}

/// Who could read an entry that is sealed now.
enum Auditors {
    /// No auditor's office was ever founded.
    Unfounded,
    /// This office is founded, and none of its people has signed in to make a key, or the last one has run out.
    WithoutKey(OrganisationId),
    Ready(SharedKey),
}

/// After so long it is looked whether an organisation's supervisors have another key: one who has left opens no more then.
const LOOKED: Duration = Duration::from_mins(1);

/// For so long every entry waits for what an organisation's supervisors have: somebody may have locked it.
const LOOKING: Duration = Duration::from_secs(2);

/// The keys of this process, hour by hour.
pub(super) struct Details {
    pool: PgPool,
    trust: Arc<Trust>,
    clock: Clock,
    held: Mutex<Held>,
}

struct Held {
    hour: i64,
    /// The LEDGER key of the hour, once there is one.
    ledger: Option<SharedKey>,
    /// For all who have no supervisors with a key. While there is no LEDGER key it lies open in the database: see [`Details::keys`].
    common: Option<Arc<DetailKey>>,
    own: HashMap<OrganisationId, Own>,
    /// When the look for supervisors' keys last took too long: until the next one nobody waits for it.
    locked: Option<Instant>,
    /// Once there was an office there is one: deleting its row does not bring the founding's openness back.
    office: Office,
}

/// What an organisation's entries are sealed under.
struct Own {
    key: Arc<DetailKey>,
    /// The OVERSIGHT epoch that it is wrapped to; none while it is the common one.
    epoch: Option<SharedKeyId>,
    looked: Instant,
}

impl Details {
    pub(super) fn new(pool: PgPool, trust: Arc<Trust>, clock: Clock, office: Office) -> Self {
        let held = Held { hour: 0, ledger: None, common: None, own: HashMap::new(), locked: None, office };
        Self { pool, trust, clock, held: Mutex::new(held) }
    }

    /// The key of each of these entries, now. Before there is an auditor's office only the founding's own work is entered, and
    /// its details are open: there is no record of a person yet. Once it is founded, the same holds only for the office's own
    /// people, who have to sign in to make its key.
    ///
    /// # Errors
    /// [`LedgerError::NoAuditor`] when there is nobody to seal the entries to.
    pub(super) async fn keys(&self, entries: &[Entry]) -> Result<Vec<Arc<DetailKey>>, LedgerError> {
        let hour = self.clock.hour();
        let mut held = self.held.lock().await;
        if held.hour != hour {
            (held.hour, held.ledger, held.common) = (hour, None, None);
            held.own.clear();
        }
        if held.ledger.is_none() {
            let auditors = self.auditors(&mut held).await?;
            let work =
                |only: &dyn Fn(&Entry) -> bool| entries.iter().all(|entry| is_founding(entry.kind) && only(entry));
            match auditors {
                Auditors::Ready(key) => (held.ledger, held.common) = (Some(key), None),
                Auditors::Unfounded if work(&|_| true) => {}
                Auditors::WithoutKey(office) if work(&|entry| entry.organisation == Some(office)) => {}
                Auditors::Unfounded | Auditors::WithoutKey(_) => return Err(LedgerError::NoAuditor),
            }
        }
        let mut keys = Vec::with_capacity(entries.len());
        for entry in entries {
            let organisation = entry.overseen_by().filter(|_| held.ledger.is_some());
            keys.push(match organisation {
                Some(organisation) => self.own(&mut held, organisation).await?,
                None => self.common(&mut held).await?,
            });
        }
        Ok(keys)
    }

    /// What an organisation's people do from now on is sealed to the newest key of its supervisors.
    pub(super) async fn seal_anew(&self, organisation: OrganisationId) {
        self.held.lock().await.own.remove(&organisation);
    }

    async fn common(&self, held: &mut Held) -> Result<Arc<DetailKey>, LedgerError> {
        if let Some(key) = &held.common {
            return Ok(Arc::clone(key));
        }
        let key = self.make(held, None).await?;
        held.common = Some(Arc::clone(&key));
        Ok(key)
    }

    /// The key of an organisation's own entries. What is wrong with its supervisors' key keeps no entry from being made: then the
    /// auditors alone read it.
    async fn own(&self, held: &mut Held, organisation: OrganisationId) -> Result<Arc<DetailKey>, LedgerError> {
        let now = Instant::now();
        if let Some(own) = held.own.get(&organisation).filter(|own| now.saturating_duration_since(own.looked) < LOOKED)
        {
            return Ok(Arc::clone(&own.key));
        }
        let Some(oversight) = self.oversight_soon(held, organisation).await else {
            // As before; and to the auditors alone where it was not known yet.
            return match held.own.get(&organisation) {
                Some(own) => Ok(Arc::clone(&own.key)),
                None => self.common(held).await,
            };
        };
        let epoch = oversight.as_ref().map(|key| key.id);
        if let Some(own) = held.own.get_mut(&organisation).filter(|own| own.epoch == epoch) {
            own.looked = now;
            return Ok(Arc::clone(&own.key));
        }
        let made = match &oversight {
            Some(oversight) => self.make(held, Some(oversight)).await,
            None => self.common(held).await,
        };
        let (key, epoch) = match made {
            Ok(key) => (key, epoch),
            Err(error) if oversight.is_some() => {
                tracing::warn!(%error, %organisation, "entries are sealed to the auditors alone");
                (self.common(held).await?, None)
            }
            Err(error) => return Err(error),
        };
        held.own.insert(organisation, Own { key: Arc::clone(&key), epoch, looked: now });
        Ok(key)
    }

    /// Makes a key and stores it, wrapped to the auditors first, where there are any.
    async fn make(&self, held: &Held, oversight: Option<&SharedKey>) -> Result<Arc<DetailKey>, LedgerError> {
        let (id, secret) = (random::uuid(), Zeroizing::new(random::bytes::<32>()));
        let wrap =
            |to: &SharedKey| keys::wrap(&*secret, &to.recipient, &detail_context(id)).map_err(|_| LedgerError::Seal);
        let sealed = held.ledger.as_ref().map(wrap).transpose()?;
        let key = NewDetailKey {
            id,
            hour: held.hour,
            key_id: held.ledger.as_ref().map(|key| key.id.0),
            wrap: sealed.unwrap_or_else(|| secret.to_vec()),
            oversight: oversight.map(|to| Ok::<_, LedgerError>((to.id.0, wrap(to)?))).transpose()?,
        };
        store::insert_detail_key(&self.pool, &key).await?;
        Ok(Arc::new(DetailKey { id, secret }))
    }

    /// [`Self::oversight`], unless that takes too long, or took too long a short while ago: every entry waits for it.
    async fn oversight_soon(&self, held: &mut Held, organisation: OrganisationId) -> Option<Option<SharedKey>> {
        if held.locked.is_some_and(|locked| locked.elapsed() < LOOKED) {
            return None;
        }
        let looked = tokio::time::timeout(LOOKING, self.oversight(organisation)).await.ok();
        held.locked = looked.is_none().then(Instant::now);
        if looked.is_none() {
            tracing::error!("ALARM: the keys of supervisors cannot be looked for: something is locked");
        }
        looked
    }

    /// The key of an organisation's supervisors: none where it has none that is believed, or where that cannot be seen.
    async fn oversight(&self, organisation: OrganisationId) -> Option<SharedKey> {
        let mut connection = self.pool.acquire().await.ok()?;
        let (purpose, now) = (SharedPurpose::Oversight, self.clock.now());
        self.trust.shared_key(&mut connection, organisation, purpose, now).await.ok()
    }

    async fn auditors(&self, held: &mut Held) -> Result<Auditors, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        let kind = OrganisationKind::Auditor;
        for office in organisations_of_kind(&mut connection, kind.as_str()).await? {
            let founded =
                self.trust.founding(&mut connection, office).await.is_ok_and(|founding| founding.kind == kind);
            if !founded {
                continue;
            }
            held.office.founded(office);
            let key = self.trust.shared_key(&mut connection, office, SharedPurpose::Ledger, self.clock.now()).await;
            if let Ok(key) = key {
                return Ok(Auditors::Ready(key));
            }
        }
        Ok(held.office.known()?.map_or(Auditors::Unfounded, Auditors::WithoutKey))
    }
}

/// Work that happens before any person's record exists: the only work that is entered while there is no auditor.
const fn is_founding(kind: RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::Organisation
            | RecordKind::Account
            | RecordKind::Membership
            | RecordKind::Session
            | RecordKind::Credential
            | RecordKind::Ledger
    )
}

/// How a detail key is wrapped, to the auditors and to supervisors: to whom is bound into it besides.
#[must_use]
pub fn detail_context(id: Uuid) -> WrapContext {
    WrapContext { purpose: "ledger detail", case: None, key_id: id, epoch: 1, grant: None }
}

fn place_key(secret: &Zeroizing<[u8; 32]>, place: Place) -> (ContentKey, Context) {
    let key = ContentKey::from_bytes(*derive(&**secret, place.replica.as_bytes(), "himaya ledger detail v1"));
    let number = u64::try_from(place.n).unwrap_or(u64::MAX);
    let lane = u32::try_from(place.lane).unwrap_or(u32::MAX);
    (key, Context::new("ledger_entries", place.replica.into_bytes(), "detail", lane, number))
}

/// Opens a detail with its hour's key; `None` if it was changed.
#[must_use]
pub fn open_detail(secret: &Zeroizing<[u8; 32]>, place: Place, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (key, context) = place_key(secret, place);
    bytes::open(&key, 1, &context, sealed).ok()
}
