//! All SQL about organisations, accounts, memberships, sessions and shared keys.

use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::keys::{KemPublic, PublicKeys};
use crate::guard::look::Look;
use crate::guard::passphrase::{Cost, Slot};
use crate::guard::record::{AccountId, MembershipId, OrganisationId, SessionId, SharedKeyId};
use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A new organisation; false when the name is taken.
pub async fn insert_organisation(
    connection: &mut PgConnection,
    id: OrganisationId,
    kind: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO organisations (id, kind, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
        id.0,
        kind,
        name,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub struct OrganisationRow {
    pub id: Uuid,
    pub kind: String,
    pub name: String,
    pub founded: bool,
}

pub async fn organisations<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<OrganisationRow>, sqlx::Error> {
    sqlx::query_as!(
        OrganisationRow,
        r#"SELECT o.id, o.kind, o.name, COALESCE(f.complete, false) AS "founded!"
           FROM organisations o LEFT JOIN foundings f ON f.organisation_id = o.id ORDER BY o.name LIMIT 500"#
    )
    .fetch_all(look.sql())
    .await
}

pub struct NewAccountRow<'a> {
    pub id: AccountId,
    pub organisation: OrganisationId,
    pub handle: &'a str,
    pub responsible: bool,
    pub custodian: bool,
    pub enrolment_hash: &'a [u8],
    pub enrolment_expires_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// A new account; false when the handle is taken.
pub async fn insert_account(connection: &mut PgConnection, row: &NewAccountRow<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO accounts (id, organisation_id, handle, nominated_responsible, nominated_custodian, enrolment_hash,
                               enrolment_expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (handle) DO NOTHING",
        row.id.0,
        row.organisation.0,
        row.handle,
        row.responsible,
        row.custodian,
        row.enrolment_hash,
        row.enrolment_expires_at,
        row.now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn organisation_exists<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: OrganisationId,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM organisations WHERE id = $1) AS "it!""#, id.0);
    found.fetch_one(unit.sql()).await
}

pub struct AccountRow {
    pub id: Uuid,
    pub organisation_id: Uuid,
    pub handle: String,
    pub enrolled: bool,
    pub disabled: bool,
}

pub async fn accounts<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<AccountRow>, sqlx::Error> {
    sqlx::query_as!(
        AccountRow,
        r#"SELECT a.id, a.organisation_id, a.handle, (k.account_id IS NOT NULL) AS "enrolled!",
                  (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a LEFT JOIN account_keys k ON k.account_id = a.id ORDER BY a.handle LIMIT 1000"#
    )
    .fetch_all(look.sql())
    .await
}

pub async fn disable_account<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<bool, sqlx::Error> {
    let (id, now) = (unit.id(), unit.now());
    let done = sqlx::query!("UPDATE accounts SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL", id, now)
        .execute(unit.sql())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A nominated founder with the keys they made.
pub struct Founder {
    pub account: AccountId,
    pub handle: String,
    pub responsible: bool,
    pub custodian: bool,
    pub keys: Option<PublicKeys>,
}

pub async fn founders<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Vec<Founder>, sqlx::Error> {
    let organisation = unit.id();
    let rows = sqlx::query!(
        r#"SELECT a.id, a.handle, a.nominated_responsible, a.nominated_custodian, k.kem_public AS "kem?",
                  k.sign_public AS "sign?"
           FROM accounts a LEFT JOIN account_keys k ON k.account_id = a.id
           WHERE a.organisation_id = $1 AND (a.nominated_responsible OR a.nominated_custodian)
             AND a.disabled_at IS NULL ORDER BY a.id"#,
        organisation
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Founder {
            account: AccountId(row.id),
            handle: row.handle,
            responsible: row.nominated_responsible,
            custodian: row.nominated_custodian,
            keys: public_keys(row.kem.as_deref(), row.sign.as_deref()),
        })
        .collect())
}

fn public_keys(kem: Option<&[u8]>, sign: Option<&[u8]>) -> Option<PublicKeys> {
    let kem = KemPublic(kem?.try_into().ok()?);
    Some(PublicKeys { kem, sign: VerifyingKey::from_bytes(sign?.try_into().ok()?).ok()? })
}

/// The organisation that a unit is about, for its statement.
pub async fn organisation<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<(String, String)>, sqlx::Error> {
    let id = unit.id();
    let row = sqlx::query!("SELECT kind, name FROM organisations WHERE id = $1", id).fetch_optional(unit.sql()).await?;
    Ok(row.map(|row| (row.kind, row.name)))
}

/// Stores a proposed founding; false when one is there already.
pub async fn insert_founding<V: Does, K: About>(unit: &mut Unit<V, K>, note: &str) -> Result<bool, sqlx::Error> {
    let (id, now) = (unit.id(), unit.now());
    let done = sqlx::query!(
        "INSERT INTO foundings (organisation_id, note, proposed_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        id,
        note,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn founding<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<(String, bool)>, sqlx::Error> {
    let id = look.id();
    let row = sqlx::query!("SELECT note, complete FROM foundings WHERE organisation_id = $1", id)
        .fetch_optional(look.sql())
        .await?;
    Ok(row.map(|row| (row.note, row.complete)))
}

pub async fn founding_to_sign<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<String>, sqlx::Error> {
    let id = unit.id();
    sqlx::query_scalar!("SELECT note FROM foundings WHERE organisation_id = $1 AND NOT complete FOR UPDATE", id)
        .fetch_optional(unit.sql())
        .await
}

pub async fn complete_founding<V: Does, K: About>(unit: &mut Unit<V, K>, note: &str) -> Result<(), sqlx::Error> {
    let id = unit.id();
    sqlx::query!("UPDATE foundings SET note = $2, complete = true WHERE organisation_id = $1", id, note)
        .execute(unit.sql())
        .await?;
    Ok(())
}

/// A shared key with its statement.
pub struct NewSharedKey<'a> {
    pub id: SharedKeyId,
    pub organisation: OrganisationId,
    pub purpose: &'static str,
    pub public: KemPublic,
    pub note: &'a str,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
}

pub async fn insert_shared_key<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    key: &NewSharedKey<'_>,
) -> Result<(), sqlx::Error> {
    let maker = unit.account();
    sqlx::query!(
        "INSERT INTO shared_keys (id, organisation_id, purpose, public_key, maker_id, note, opens_at, closes_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        key.id.0,
        key.organisation.0,
        key.purpose,
        key.public.0.as_slice(),
        maker.0,
        key.note,
        key.opens_at,
        key.closes_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The wraps of a new shared key, in one statement.
pub async fn insert_shared_key_wraps<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    key: SharedKeyId,
    accounts: &[Uuid],
    wraps: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO shared_key_wraps (key_id, account_id, wrap)
         SELECT $1, a, w FROM unnest($2::uuid[], $3::bytea[]) AS t(a, w)",
        key.0,
        accounts,
        wraps
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub async fn insert_custody_share<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    key: SharedKeyId,
    first: AccountId,
    second: AccountId,
    share: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO custody_shares (key_id, first_account, second_account, share) VALUES ($1, $2, $3, $4)",
        key.0,
        first.0,
        second.0,
        share
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub struct MemberRow {
    pub account: Uuid,
    pub handle: String,
    pub kem: Option<Vec<u8>>,
    pub sign: Option<Vec<u8>>,
    pub membership: Option<Uuid>,
    pub note: Option<String>,
    pub complete: Option<bool>,
    pub disabled: bool,
}

impl MemberRow {
    pub fn keys(&self) -> Option<PublicKeys> {
        public_keys(self.kem.as_deref(), self.sign.as_deref())
    }
}

pub async fn members<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<MemberRow>, sqlx::Error> {
    let organisation = look.id();
    sqlx::query_as!(
        MemberRow,
        r#"SELECT a.id AS account, a.handle, k.kem_public AS "kem?", k.sign_public AS "sign?", m.id AS "membership?",
                  m.note AS "note?", m.complete AS "complete?", (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a
           LEFT JOIN account_keys k ON k.account_id = a.id
           LEFT JOIN memberships m ON m.account_id = a.id AND m.ended_at IS NULL
           WHERE a.organisation_id = $1 ORDER BY a.handle LIMIT 500"#,
        organisation
    )
    .fetch_all(look.sql())
    .await
}

/// The accounts of an organisation that are not disabled.
pub async fn accounts_of<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<Vec<AccountId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM accounts WHERE organisation_id = $1 AND disabled_at IS NULL ORDER BY id LIMIT 1000",
        organisation.0
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// The public keys that an account of this organisation made.
pub async fn keys_of<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    account: AccountId,
    organisation: OrganisationId,
) -> Result<Option<PublicKeys>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT k.kem_public, k.sign_public FROM account_keys k JOIN accounts a ON a.id = k.account_id
         WHERE a.id = $1 AND a.organisation_id = $2 AND a.disabled_at IS NULL",
        account.0,
        organisation.0
    )
    .fetch_optional(unit.sql())
    .await?;
    Ok(row.and_then(|row| public_keys(Some(&row.kem_public), Some(&row.sign_public))))
}

/// Stores a proposed membership; false when one is in force or proposed already.
pub async fn insert_membership<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: MembershipId,
    account: AccountId,
    organisation: OrganisationId,
    note: &str,
) -> Result<bool, sqlx::Error> {
    let now = unit.now();
    let done = sqlx::query!(
        "INSERT INTO memberships (id, account_id, organisation_id, note, proposed_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        id.0,
        account.0,
        organisation.0,
        note,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn membership_to_sign<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<String>, sqlx::Error> {
    let id = unit.id();
    sqlx::query_scalar!(
        "SELECT note FROM memberships WHERE id = $1 AND NOT complete AND ended_at IS NULL FOR UPDATE",
        id
    )
    .fetch_optional(unit.sql())
    .await
}

pub async fn complete_membership<V: Does, K: About>(unit: &mut Unit<V, K>, note: &str) -> Result<(), sqlx::Error> {
    let id = unit.id();
    sqlx::query!("UPDATE memberships SET note = $2, complete = true WHERE id = $1", id, note)
        .execute(unit.sql())
        .await?;
    Ok(())
}

/// Open notices that are still sealed to an older epoch that this person holds.
pub async fn notices_to_pass_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    newest: SharedKeyId,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let organisation = unit.who().organisation;
    sqlx::query_scalar!(
        "SELECT id FROM notices WHERE squad_id = $1 AND state IN ('sent', 'acknowledged') AND intake_key_id <> $2
         AND i_hold(intake_key_id) ORDER BY id FOR UPDATE",
        organisation.0,
        newest.0
    )
    .fetch_all(unit.sql())
    .await
}

/// What hangs on a notice: itself, and its addenda.
pub async fn sealed_of_notice<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    notice: Uuid,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT $1::uuid AS "id!" UNION ALL SELECT id FROM addenda WHERE notice_id = $1"#, notice)
        .fetch_all(unit.sql())
        .await
}

/// A notice is sealed to the new epoch from here on.
pub async fn pass_notice_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    notice: Uuid,
    newest: SharedKeyId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE notices SET intake_key_id = $2 WHERE id = $1", notice, newest.0).execute(unit.sql()).await?;
    Ok(())
}

/// Erases the private halves of INTAKE epochs that have closed and hold no open notice any more.
pub async fn erase_emptied_epochs<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<u64, sqlx::Error> {
    let (organisation, now) = (unit.who().organisation, unit.now());
    let done = sqlx::query!(
        "DELETE FROM shared_key_wraps w USING shared_keys k
         WHERE k.id = w.key_id AND k.organisation_id = $1 AND k.purpose = 'intake' AND k.closes_at <= $2
           AND NOT EXISTS (SELECT FROM wraps r WHERE r.recipient_key = k.id)
           AND i_hold(k.id)",
        organisation.0,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected())
}

/// An account as the door sees it.
pub struct DoorAccount {
    pub id: AccountId,
    pub organisation: OrganisationId,
    pub slot: Option<Slot>,
}

/// The account that enrols with this code, if the code is right and in time.
pub async fn account_enrolling(
    pool: &PgPool,
    handle: &str,
    code_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<(AccountId, OrganisationId)>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT id, organisation_id FROM accounts WHERE handle = $1 AND enrolment_hash = $2 AND enrolment_expires_at > $3
         AND disabled_at IS NULL",
        handle,
        code_hash,
        now
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| (AccountId(row.id), OrganisationId(row.organisation_id))))
}

/// Stores the keys that a person made, and uses the code up. False when it was used meanwhile.
pub async fn store_enrolment(
    pool: &PgPool,
    account: AccountId,
    code_hash: &[u8],
    public: &PublicKeys,
    slot: &Slot,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let used = sqlx::query!(
        "UPDATE accounts SET enrolment_hash = NULL, enrolment_expires_at = NULL WHERE id = $1 AND enrolment_hash = $2",
        account.0,
        code_hash
    )
    .execute(&mut *transaction)
    .await?;
    if used.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO account_keys (account_id, kem_public, sign_public, created_at) VALUES ($1, $2, $3, $4)",
        account.0,
        public.kem.0.as_slice(),
        public.sign.as_bytes().as_slice(),
        now
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO credential_slots (id, account_id, kind, salt, memory_kib, passes, lanes, sealed, created_at)
         VALUES ($1, $2, 'passphrase', $3, $4, $5, $6, $7, $8)",
        crate::platform::random::uuid(),
        account.0,
        slot.salt.as_slice(),
        i32::try_from(slot.cost.memory_kib).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.passes).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.lanes).unwrap_or(i32::MAX),
        slot.sealed,
        now
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// The account and passphrase slot behind a handle.
pub async fn account_signing_in(pool: &PgPool, handle: &str) -> Result<Option<DoorAccount>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT a.id, a.organisation_id, s.salt AS "salt?", s.memory_kib AS "memory_kib?", s.passes AS "passes?",
                  s.lanes AS "lanes?", s.sealed AS "sealed?"
           FROM accounts a LEFT JOIN credential_slots s ON s.account_id = a.id AND s.kind = 'passphrase'
           WHERE a.handle = $1 AND a.disabled_at IS NULL"#,
        handle
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(1);
        let cost = Cost { memory_kib: number(row.memory_kib), passes: number(row.passes), lanes: number(row.lanes) };
        let slot = row.salt.and_then(|salt| salt.try_into().ok()).zip(row.sealed);
        DoorAccount {
            id: AccountId(row.id),
            organisation: OrganisationId(row.organisation_id),
            slot: slot.map(|(salt, sealed)| Slot { salt, cost, sealed }),
        }
    }))
}

pub struct NewSession<'a> {
    pub id: SessionId,
    pub account: AccountId,
    pub lookup_hash: &'a [u8],
    pub sealed_keys: &'a [u8],
    pub refresh_hash: &'a [u8],
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert_session(pool: &PgPool, session: &NewSession<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sessions (id, account_id, lookup_hash, sealed_keys, started_at, last_seen_at, expires_at, refresh_hash,
                               refreshed_at)
         VALUES ($1, $2, $3, $4, $5, now(), $6, $7, $5)",
        session.id.0,
        session.account.0,
        session.lookup_hash,
        session.sealed_keys,
        session.now,
        session.expires_at,
        session.refresh_hash
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A session found by a refresh handle, in force or just replaced.
pub struct Refreshable {
    pub id: Uuid,
    pub account_id: Uuid,
    pub expires_at: DateTime<Utc>,
    pub current: bool,
    pub refreshed_at: DateTime<Utc>,
}

/// Finds and locks the session of a refresh handle.
pub async fn session_to_refresh(
    connection: &mut PgConnection,
    hash: &[u8],
) -> Result<Option<Refreshable>, sqlx::Error> {
    sqlx::query_as!(
        Refreshable,
        r#"SELECT s.id, s.account_id, s.expires_at, (s.refresh_hash = $1) AS "current!", s.refreshed_at
           FROM sessions s JOIN accounts a ON a.id = s.account_id
           WHERE (s.refresh_hash = $1 OR s.previous_refresh_hash = $1) AND s.ended_at IS NULL AND s.expires_at > now()
             AND s.last_seen_at > now() - interval '20 minutes' AND a.disabled_at IS NULL
           FOR UPDATE OF s"#,
        hash
    )
    .fetch_optional(connection)
    .await
}

/// The handle that is in force from here on; the one before is good for a moment longer.
pub async fn rotate_refresh(
    connection: &mut PgConnection,
    id: Uuid,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sessions SET previous_refresh_hash = refresh_hash, refresh_hash = $2, refreshed_at = $3,
                last_seen_at = now() WHERE id = $1",
        id,
        hash,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a session: a refresh handle was used again long after it was replaced, so somebody has a copy.
pub async fn end_session(connection: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE sessions SET ended_at = $2 WHERE id = $1", id, now).execute(connection).await?;
    Ok(())
}

/// Ends the session that this unit speaks for.
pub async fn leave<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<(), sqlx::Error> {
    let who = unit.who();
    sqlx::query_scalar!("SELECT session_leave($1)", who.lookup.bytes()).fetch_optional(unit.sql()).await?;
    Ok(())
}
