//! Coming in and leaving: enrolment, signing in, and the sessions that follow.

use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::keys::PublicKeys;
use crate::guard::passphrase::{Cost, Slot};
use crate::guard::record::{AccountId, OrganisationId, SessionId};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

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
        "INSERT INTO credential_slots (id, account_id, kind, salt, memory_kib, passes, lanes, sealed, created_at, pepper)
         VALUES ($1, $2, 'passphrase', $3, $4, $5, $6, $7, $8, $9)",
        crate::platform::random::uuid(),
        account.0,
        slot.salt.as_slice(),
        i32::try_from(slot.cost.memory_kib).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.passes).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.lanes).unwrap_or(i32::MAX),
        slot.sealed,
        now,
        slot.pepper
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Puts a slot in the place of the one that was opened, if that is still there.
pub async fn replace_slot(pool: &PgPool, account: AccountId, old: &Slot, new: &Slot) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE credential_slots SET salt = $3, memory_kib = $4, passes = $5, lanes = $6, sealed = $7, pepper = $8
         WHERE account_id = $1 AND kind = 'passphrase' AND sealed = $2",
        account.0,
        old.sealed,
        new.salt.as_slice(),
        i32::try_from(new.cost.memory_kib).unwrap_or(i32::MAX),
        i32::try_from(new.cost.passes).unwrap_or(i32::MAX),
        i32::try_from(new.cost.lanes).unwrap_or(i32::MAX),
        new.sealed,
        new.pepper
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The account and passphrase slot behind a handle.
pub async fn account_signing_in(pool: &PgPool, handle: &str) -> Result<Option<DoorAccount>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT a.id, a.organisation_id, s.salt AS "salt?", s.memory_kib AS "memory_kib?", s.passes AS "passes?",
                  s.lanes AS "lanes?", s.sealed AS "sealed?", s.pepper AS "pepper?"
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
            slot: slot.map(|(salt, sealed)| Slot { salt, cost, pepper: row.pepper, sealed }),
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
