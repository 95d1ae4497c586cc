//! Passkeys, the challenges that wait for them, and the slots that they open.

use crate::guard::passkey::{Bound, PrfSlot};
use crate::guard::record::{AccountId, CredentialId, OrganisationId, SessionId};
use crate::staff::passkeys::model::CeremonyKind;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A passkey as it is stored.
pub struct KeptPasskey {
    pub account: AccountId,
    pub id: CredentialId,
    pub credential: Vec<u8>,
    pub registered: Vec<u8>,
    pub sealed: Vec<u8>,
    pub counter: i64,
    pub transports: Vec<String>,
    pub prf_salt: [u8; 32],
    pub made_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub copied_at: Option<DateTime<Utc>>,
    /// What its PRF opens, where it has one.
    pub slot: Option<(CredentialId, PrfSlot)>,
}

impl KeptPasskey {
    /// All that is bound together about it.
    pub fn bound(&self) -> Bound<'_> {
        Bound { account: self.account, id: self.id, registered: &self.registered }
    }
}

/// The passkeys of an account, the oldest first.
pub async fn passkeys(pool: &PgPool, account: AccountId) -> Result<Vec<KeptPasskey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT p.id, p.credential, p.registered, p.sealed, p.counter, p.transports, p.prf_salt, p.made_at, p.last_used_at,
                  p.copied_at, s.id AS "slot_id?", s.salt AS "slot_salt?", s.pepper AS "slot_pepper?", s.sealed AS "slot_sealed?"
           FROM passkeys p LEFT JOIN credential_slots s ON s.passkey_id = p.id AND s.account_id = p.account_id
           WHERE p.account_id = $1 ORDER BY p.made_at, p.id"#,
        account.0
    )
    .fetch_all(pool)
    .await?;
    let kept = rows.into_iter().filter_map(|row| {
        let slot = row.slot_id.zip(row.slot_salt).zip(row.slot_sealed).and_then(|((id, salt), sealed)| {
            Some((CredentialId(id), PrfSlot { salt: salt.try_into().ok()?, pepper: row.slot_pepper, sealed }))
        });
        Some(KeptPasskey {
            account,
            id: CredentialId(row.id),
            credential: row.credential,
            registered: row.registered,
            sealed: row.sealed,
            counter: row.counter,
            transports: row.transports,
            prf_salt: row.prf_salt.try_into().ok()?,
            made_at: row.made_at,
            last_used_at: row.last_used_at,
            copied_at: row.copied_at,
            slot,
        })
    });
    Ok(kept.collect())
}

/// What authenticators are asked with at the door: the passkeys of this name, by id and salt.
pub async fn passkeys_of_name(pool: &PgPool, handle: &str) -> Result<Vec<(Vec<u8>, [u8; 32])>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT p.credential, p.prf_salt FROM passkeys p JOIN accounts a ON a.id = p.account_id
         WHERE a.handle = $1 AND a.disabled_at IS NULL ORDER BY p.made_at, p.id",
        handle
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.credential, row.prf_salt.try_into().ok()?))).collect())
}

/// A challenge that begins to wait.
pub struct NewCeremony {
    pub id: Uuid,
    pub kind: CeremonyKind,
    pub session: Option<SessionId>,
    pub challenge: [u8; 32],
    /// What a new passkey will be called, and its salt.
    pub new: Option<(CredentialId, [u8; 32])>,
    pub expires_at: DateTime<Utc>,
}

/// Keeps it.
pub async fn begin_ceremony(connection: &mut PgConnection, ceremony: &NewCeremony) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO passkey_ceremonies (id, kind, session_id, challenge, passkey_id, prf_salt, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        ceremony.id,
        ceremony.kind.as_str(),
        ceremony.session.map(|session| session.0),
        ceremony.challenge.as_slice(),
        ceremony.new.map(|(id, _)| id.0),
        ceremony.new.as_ref().map(|(_, salt)| salt.as_slice()),
        ceremony.expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes some away that nobody answered.
pub async fn sweep_ceremonies(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM passkey_ceremonies WHERE id IN (
             SELECT id FROM passkey_ceremonies WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)",
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A challenge that waits.
pub struct Ceremony {
    pub challenge: [u8; 32],
    pub new: Option<(CredentialId, [u8; 32])>,
}

/// The challenge that waits for this answer: of this kind, in this session, and not for too long.
pub async fn ceremony(
    pool: &PgPool,
    id: Uuid,
    kind: CeremonyKind,
    session: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Option<Ceremony>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT challenge, passkey_id, prf_salt FROM passkey_ceremonies
         WHERE id = $1 AND kind = $2 AND session_id IS NOT DISTINCT FROM $3 AND expires_at > $4",
        id,
        kind.as_str(),
        session.map(|session| session.0),
        now
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|row| {
        let new = row.passkey_id.zip(row.prf_salt.and_then(|salt| salt.try_into().ok()));
        let new = new.map(|(id, salt)| (CredentialId(id), salt));
        Some(Ceremony { challenge: row.challenge.try_into().ok()?, new })
    }))
}

/// Uses a challenge up. False when it was used before, on whichever replica, or waited for too long.
pub async fn use_ceremony_up(connection: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!("DELETE FROM passkey_ceremonies WHERE id = $1 AND expires_at > $2", id, now);
    Ok(gone.execute(connection).await?.rows_affected() == 1)
}

/// A passkey was used and counts on from here. Many never count: they stay at zero. False when it was removed, or counted
/// further meanwhile.
pub async fn passkey_used(
    connection: &mut PgConnection,
    id: CredentialId,
    counter: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query!(
        "UPDATE passkeys SET counter = $2, last_used_at = $3 WHERE id = $1 AND (counter < $2 OR (counter = 0 AND $2 = 0))",
        id.0,
        counter,
        now
    );
    Ok(used.execute(connection).await?.rows_affected() == 1)
}

/// A passkey counted backwards.
pub async fn passkey_copied(pool: &PgPool, id: CredentialId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE passkeys SET copied_at = $2 WHERE id = $1", id.0, now).execute(pool).await?;
    Ok(())
}

/// Keeps a new passkey, and what it opens. False when the account has it already.
pub async fn keep_passkey(
    connection: &mut PgConnection,
    new: &KeptPasskey,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query!(
        "INSERT INTO passkeys (id, account_id, credential, registered, sealed, counter, transports, prf_salt, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account_id, credential) DO NOTHING",
        new.id.0,
        new.account.0,
        new.credential,
        new.registered,
        new.sealed,
        new.counter,
        &new.transports,
        new.prf_salt.as_slice(),
        now
    )
    .execute(&mut *connection)
    .await?;
    if kept.rows_affected() != 1 {
        return Ok(false);
    }
    if let Some((_, slot)) = &new.slot {
        keep_passkey_slot(connection, new.account, new.id, slot, now).await?;
    }
    Ok(true)
}

/// Puts a slot in the place of the one that this passkey opened, if it opened one.
pub async fn keep_passkey_slot(
    connection: &mut PgConnection,
    account: AccountId,
    passkey: CredentialId,
    slot: &PrfSlot,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM credential_slots WHERE passkey_id = $1", passkey.0).execute(&mut *connection).await?;
    // Nothing is stretched: what a PRF gives cannot be guessed.
    sqlx::query!(
        "INSERT INTO credential_slots (id, account_id, kind, salt, memory_kib, passes, lanes, sealed, created_at, pepper, passkey_id)
         VALUES ($1, $2, 'passkey', $3, 0, 0, 0, $4, $5, $6, $7)",
        CredentialId::random().0,
        account.0,
        slot.salt.as_slice(),
        slot.sealed,
        now,
        slot.pepper,
        passkey.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Seals what is in such a slot anew. Nothing happens when it was replaced meanwhile.
pub async fn seal_passkey_slot_anew(
    connection: &mut PgConnection,
    id: CredentialId,
    slot: &PrfSlot,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE credential_slots SET salt = $2, sealed = $3, pepper = $4 WHERE id = $1 AND kind = 'passkey'",
        id.0,
        slot.salt.as_slice(),
        slot.sealed,
        slot.pepper
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a passkey of this account, and what it opened. False when there is none of this id.
pub async fn remove_passkey(
    connection: &mut PgConnection,
    account: AccountId,
    id: CredentialId,
) -> Result<bool, sqlx::Error> {
    sqlx::query!("DELETE FROM credential_slots WHERE passkey_id = $1 AND account_id = $2", id.0, account.0)
        .execute(&mut *connection)
        .await?;
    let gone = sqlx::query!("DELETE FROM passkeys WHERE id = $1 AND account_id = $2", id.0, account.0);
    Ok(gone.execute(connection).await?.rows_affected() == 1)
}

/// Where somebody works, for the entry of what was refused at the door.
pub async fn organisation_of(pool: &PgPool, account: AccountId) -> Result<Option<OrganisationId>, sqlx::Error> {
    let id = sqlx::query_scalar!("SELECT organisation_id FROM accounts WHERE id = $1", account.0);
    Ok(id.fetch_optional(pool).await?.map(OrganisationId))
}
