//! What entries say, sealed to the auditors by a key that changes each hour.

use super::LedgerError;
use super::office::Office;
use crate::audit::entry::{Entry, Place};
use crate::audit::store;
use crate::guard::bytes::{self, ContentKey, Context};
use crate::guard::keys::{self, WrapContext, derive};
use crate::guard::record::{OrganisationId, RecordKind};
use crate::guard::statement::{OrganisationKind, SharedPurpose};
use crate::guard::store::organisations_of_kind;
use crate::guard::trust::{SharedKey, Trust};
use crate::platform::clock::Clock;
use crate::platform::random;
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The key of one hour.
pub(super) struct DetailKey {
    pub(super) id: Uuid,
    hour: i64,
    /// It lies open in the database: see [`Details::key`].
    open: bool,
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

/// The keys of this process, hour by hour.
pub(super) struct Details {
    pool: PgPool,
    trust: Arc<Trust>,
    clock: Clock,
    held: Mutex<Held>,
}

struct Held {
    key: Option<Arc<DetailKey>>,
    /// Once there was an office there is one: deleting its row does not bring the founding's openness back.
    office: Office,
}

impl Details {
    pub(super) fn new(pool: PgPool, trust: Arc<Trust>, clock: Clock, office: Office) -> Self {
        Self { pool, trust, clock, held: Mutex::new(Held { key: None, office }) }
    }

    /// The key of this hour. Before there is an auditor's office only the founding's own work is entered, and its details
    /// are open: there is no record of a person yet. Once it is founded, the same holds only for the office's own people,
    /// who have to sign in to make its key.
    ///
    /// # Errors
    /// [`LedgerError::NoAuditor`] when there is nobody to seal the entries to.
    pub(super) async fn key(&self, entries: &[Entry]) -> Result<Arc<DetailKey>, LedgerError> {
        let hour = self.clock.hour();
        let mut held = self.held.lock().await;
        if let Some(key) = held.key.as_ref().filter(|key| key.hour == hour && !key.open) {
            return Ok(Arc::clone(key));
        }
        let auditors = self.auditors(&mut held).await?;
        let work = |only: &dyn Fn(&Entry) -> bool| entries.iter().all(|entry| is_founding(entry.kind) && only(entry));
        let recipient = match &auditors {
            Auditors::Ready(key) => Some(key),
            Auditors::Unfounded if work(&|_| true) => None,
            Auditors::WithoutKey(office) if work(&|entry| entry.organisation == Some(*office)) => None,
            Auditors::Unfounded | Auditors::WithoutKey(_) => return Err(LedgerError::NoAuditor),
        };
        if let (None, Some(key)) = (recipient, held.key.as_ref().filter(|key| key.hour == hour)) {
            return Ok(Arc::clone(key));
        }
        let (id, secret) = (random::uuid(), Zeroizing::new(random::bytes::<32>()));
        if let Some(to) = recipient {
            let wrap = keys::wrap(&*secret, &to.recipient, &detail_context(id)).map_err(|_| LedgerError::Seal)?;
            store::insert_detail_key(&self.pool, id, hour, Some(to.id.0), &wrap).await?;
        } else {
            store::insert_detail_key(&self.pool, id, hour, None, &*secret).await?;
        }
        let key = Arc::new(DetailKey { id, hour, open: recipient.is_none(), secret });
        held.key = Some(Arc::clone(&key));
        Ok(key)
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

/// How a detail key is wrapped to the auditors.
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
