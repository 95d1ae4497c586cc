//! A person's ways to show who they are. What counts once is used up by one statement, whichever replica carries it out.

use super::KeptPasskey;
use crate::guard::passphrase::{Cost, Slot, SlotKind};
use crate::guard::record::{AccountId, CredentialId, SessionId};
use crate::staff::model::{CredentialKind, CredentialView};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

/// A slot as it is stored.
pub struct KeptSlot {
    pub id: CredentialId,
    pub slot: Slot,
}

/// The secret of an authenticator as it is stored.
pub struct KeptTotp {
    pub id: CredentialId,
    pub sealed: Vec<u8>,
}

/// What an account can show.
#[derive(Default)]
pub struct Kept {
    pub passphrase: Option<KeptSlot>,
    pub recovery: Option<KeptSlot>,
    pub totp: Option<KeptTotp>,
    pub passkeys: Vec<KeptPasskey>,
}

impl Kept {
    /// Whether the passphrase alone lets nobody in.
    pub fn has_second(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }
}

/// What this account can show; nothing for an account that is none.
pub async fn credentials(pool: &PgPool, account: AccountId) -> Result<Kept, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, kind, salt, memory_kib, passes, lanes, sealed, pepper FROM credential_slots WHERE account_id = $1",
        account.0
    )
    .fetch_all(pool)
    .await?;
    let mut kept = Kept::default();
    let number = |value: i32| u32::try_from(value).unwrap_or(1);
    for row in rows {
        let (Ok(kind), Ok(salt)) = (row.kind.parse(), row.salt.try_into()) else { continue };
        let cost = Cost { memory_kib: number(row.memory_kib), passes: number(row.passes), lanes: number(row.lanes) };
        let slot = Slot { kind, salt, cost, pepper: row.pepper, sealed: row.sealed };
        let slot = KeptSlot { id: CredentialId(row.id), slot };
        match kind {
            SlotKind::Passphrase => kept.passphrase = Some(slot),
            SlotKind::RecoveryCode => kept.recovery = Some(slot),
        }
    }
    let totp =
        sqlx::query!("SELECT id, sealed FROM totp_secrets WHERE account_id = $1 AND active_at IS NOT NULL", account.0);
    kept.totp = totp.fetch_optional(pool).await?.map(|row| KeptTotp { id: CredentialId(row.id), sealed: row.sealed });
    kept.passkeys = super::passkeys(pool, account).await?;
    Ok(kept)
}

/// What somebody can come in by.
pub struct Ways {
    pub passkeys: usize,
    /// There is a recovery code, or an authenticator: a passkey may be lost.
    pub without_a_passkey: bool,
}

/// The same, counted only.
pub async fn ways(connection: &mut PgConnection, account: AccountId) -> Result<Ways, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM passkeys WHERE account_id = $1) AS "passkeys!",
                  EXISTS (SELECT FROM credential_slots WHERE account_id = $1 AND kind = 'recovery_code')
                  OR EXISTS (SELECT FROM totp_secrets WHERE account_id = $1 AND active_at IS NOT NULL) AS "without!""#,
        account.0
    )
    .fetch_one(connection)
    .await?;
    Ok(Ways { passkeys: usize::try_from(row.passkeys).unwrap_or(usize::MAX), without_a_passkey: row.without })
}

/// The same without what opens anything, and without passkeys.
pub async fn credential_views(pool: &PgPool, account: AccountId) -> Result<Vec<CredentialView>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", kind AS "kind!", made_at AS "made_at!", last_used_at FROM (
               SELECT id, kind, created_at AS made_at, last_used_at FROM credential_slots
               WHERE account_id = $1 AND kind <> 'passkey'
               UNION ALL
               SELECT id, 'totp', active_at, last_used_at FROM totp_secrets WHERE account_id = $1 AND active_at IS NOT NULL
           ) AS all_of_them ORDER BY made_at, id"#,
        account.0
    )
    .fetch_all(pool)
    .await?;
    let view = |id, kind: CredentialKind, made_at, last_used_at| CredentialView {
        id: CredentialId(id),
        kind,
        label: None,
        opens_keys: kind != CredentialKind::Totp,
        made_at,
        last_used_at,
        copied_at: None,
    };
    let known =
        rows.into_iter().filter_map(|row| Some(view(row.id, row.kind.parse().ok()?, row.made_at, row.last_used_at)));
    Ok(known.collect())
}

/// Lets nobody else come in as this account, or change what it can show, until the transaction ends. False for one that is
/// disabled, or none.
pub async fn lock_account(connection: &mut PgConnection, account: AccountId) -> Result<bool, sqlx::Error> {
    let locked =
        sqlx::query!("SELECT id FROM accounts WHERE id = $1 AND disabled_at IS NULL FOR NO KEY UPDATE", account.0);
    Ok(locked.fetch_optional(connection).await?.is_some())
}

/// Whether this session goes on.
pub async fn session_lives(
    connection: &mut PgConnection,
    account: AccountId,
    session: SessionId,
) -> Result<bool, sqlx::Error> {
    let lives = sqlx::query!(
        "SELECT id FROM sessions WHERE id = $1 AND account_id = $2 AND ended_at IS NULL AND expires_at > now() FOR UPDATE",
        session.0,
        account.0
    );
    Ok(lives.fetch_optional(connection).await?.is_some())
}

/// Puts a slot in the place of the one of the same kind.
pub async fn replace_slot(
    connection: &mut PgConnection,
    account: AccountId,
    slot: &Slot,
    now: DateTime<Utc>,
) -> Result<CredentialId, sqlx::Error> {
    remove_slot(connection, account, slot.kind).await?;
    let id = CredentialId::random();
    sqlx::query!(
        "INSERT INTO credential_slots (id, account_id, kind, salt, memory_kib, passes, lanes, sealed, created_at, pepper)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        account.0,
        slot.kind.as_str(),
        slot.salt.as_slice(),
        i32::try_from(slot.cost.memory_kib).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.passes).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.lanes).unwrap_or(i32::MAX),
        slot.sealed,
        now,
        slot.pepper
    )
    .execute(connection)
    .await?;
    Ok(id)
}

/// Seals what is in a slot anew: the same words open it. Nothing happens when it was replaced meanwhile.
pub async fn seal_slot_anew(connection: &mut PgConnection, id: CredentialId, slot: &Slot) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE credential_slots SET salt = $2, memory_kib = $3, passes = $4, lanes = $5, sealed = $6, pepper = $7 WHERE id = $1",
        id.0,
        slot.salt.as_slice(),
        i32::try_from(slot.cost.memory_kib).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.passes).unwrap_or(i32::MAX),
        i32::try_from(slot.cost.lanes).unwrap_or(i32::MAX),
        slot.sealed,
        slot.pepper
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the slot of this kind. Which one it was.
pub async fn remove_slot(
    connection: &mut PgConnection,
    account: AccountId,
    kind: SlotKind,
) -> Result<Option<CredentialId>, sqlx::Error> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM credential_slots WHERE account_id = $1 AND kind = $2 RETURNING id",
        account.0,
        kind.as_str()
    );
    Ok(gone.fetch_optional(connection).await?.map(CredentialId))
}

/// A slot was opened. False when it was replaced meanwhile.
pub async fn slot_used(
    connection: &mut PgConnection,
    id: CredentialId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query!("UPDATE credential_slots SET last_used_at = $2 WHERE id = $1", id.0, now);
    Ok(used.execute(connection).await?.rows_affected() == 1)
}

/// Uses a slot up. False when somebody was faster.
pub async fn use_slot_up(connection: &mut PgConnection, id: CredentialId) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!("DELETE FROM credential_slots WHERE id = $1", id.0);
    Ok(gone.execute(connection).await?.rows_affected() == 1)
}

/// Uses a time step up. False when a code of this step or of a later one was used before, on whichever replica.
pub async fn use_step(
    connection: &mut PgConnection,
    id: CredentialId,
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query!(
        "UPDATE totp_secrets SET last_step = $2, last_used_at = $3
         WHERE id = $1 AND active_at IS NOT NULL AND last_step < $2",
        id.0,
        step,
        now
    );
    Ok(used.execute(connection).await?.rows_affected() == 1)
}

/// Whether the account has a second factor: an authenticator in force, or a passkey.
pub async fn has_second(connection: &mut PgConnection, account: AccountId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT (EXISTS (SELECT FROM totp_secrets WHERE account_id = $1 AND active_at IS NOT NULL)
                   OR EXISTS (SELECT FROM passkeys WHERE account_id = $1)) AS "it!""#,
        account.0
    )
    .fetch_one(connection)
    .await
}

/// Keeps a secret that does not count yet, in the place of an earlier one that never did.
pub async fn begin_totp(
    connection: &mut PgConnection,
    account: AccountId,
    id: CredentialId,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM totp_secrets WHERE account_id = $1 AND active_at IS NULL", account.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "INSERT INTO totp_secrets (id, account_id, sealed, made_at) VALUES ($1, $2, $3, $4)",
        id.0,
        account.0,
        sealed,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The secret that was begun not long ago.
pub async fn begun_totp(
    pool: &PgPool,
    account: AccountId,
    since: DateTime<Utc>,
) -> Result<Option<KeptTotp>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT id, sealed FROM totp_secrets WHERE account_id = $1 AND active_at IS NULL AND made_at > $2",
        account.0,
        since
    );
    Ok(row.fetch_optional(pool).await?.map(|row| KeptTotp { id: CredentialId(row.id), sealed: row.sealed }))
}

/// From here on it counts, and the one before does not. The code that showed it counts no second time. False when it is not
/// there any more.
pub async fn activate_totp(
    connection: &mut PgConnection,
    account: AccountId,
    id: CredentialId,
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    remove_totp(connection, account).await?;
    let active = sqlx::query!(
        "UPDATE totp_secrets SET active_at = $3, last_step = $4, last_used_at = $3
         WHERE id = $1 AND account_id = $2 AND active_at IS NULL",
        id.0,
        account.0,
        now,
        step
    );
    Ok(active.execute(connection).await?.rows_affected() == 1)
}

/// Removes the authenticator in force. Which one it was.
pub async fn remove_totp(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<CredentialId>, sqlx::Error> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM totp_secrets WHERE account_id = $1 AND active_at IS NOT NULL RETURNING id",
        account.0
    );
    Ok(gone.fetch_optional(connection).await?.map(CredentialId))
}

/// Ends the sessions of an account, all but this one.
pub async fn end_others(
    connection: &mut PgConnection,
    account: AccountId,
    but: SessionId,
) -> Result<Vec<SessionId>, sqlx::Error> {
    let ended = sqlx::query_scalar!(
        "UPDATE sessions SET ended_at = now() WHERE account_id = $1 AND id <> $2 AND ended_at IS NULL RETURNING id",
        account.0,
        but.0
    );
    Ok(ended.fetch_all(connection).await?.into_iter().map(SessionId).collect())
}

/// A second factor was shown in this session.
pub async fn second_factor_shown(
    connection: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE sessions SET second_factor_at = $2 WHERE id = $1", session.0, now).execute(connection).await?;
    Ok(())
}

/// What somebody is called here.
pub async fn handle_of(pool: &PgPool, account: AccountId) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!("SELECT handle FROM accounts WHERE id = $1", account.0).fetch_one(pool).await
}
