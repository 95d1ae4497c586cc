//! Devices on which people have signed in.

use crate::guard::record::{AccountId, DeviceId};
use crate::staff::model::DeviceView;
use sqlx::{PgConnection, PgPool};

/// How many are kept for each account; the one that was not used for longest gives way.
const MOST: i64 = 20;

/// The device of this token, if it is this name's, of an account in force, and was used in the last half year.
pub async fn device_of(pool: &PgPool, handle: &str, token_hash: &[u8]) -> Result<Option<DeviceId>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "SELECT d.id FROM known_devices d JOIN accounts a ON a.id = d.account_id
         WHERE d.token_hash = $1 AND a.handle = $2 AND a.disabled_at IS NULL
           AND d.last_used_at > now() - interval '180 days'",
        token_hash,
        handle
    )
    .fetch_optional(pool)
    .await?;
    Ok(id.map(DeviceId))
}

/// Somebody signed in again on a device. False when it was forgotten meanwhile.
pub async fn device_used(connection: &mut PgConnection, device: DeviceId) -> Result<bool, sqlx::Error> {
    let used = sqlx::query!("UPDATE known_devices SET last_used_at = now() WHERE id = $1", device.0);
    Ok(used.execute(connection).await?.rows_affected() == 1)
}

/// A device on which somebody signed in for the first time; old ones of the same account give way.
pub async fn keep_device(
    connection: &mut PgConnection,
    account: AccountId,
    token_hash: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO known_devices (id, account_id, token_hash, made_at, last_used_at) VALUES ($1, $2, $3, now(), now())",
        DeviceId::random().0,
        account.0,
        token_hash
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM known_devices WHERE account_id = $1 AND (last_used_at < now() - interval '180 days' OR id NOT IN (
             SELECT id FROM known_devices WHERE account_id = $1 ORDER BY last_used_at DESC, made_at DESC, id LIMIT $2))",
        account.0,
        MOST
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The devices of one account, the last used first.
pub async fn devices(pool: &PgPool, account: AccountId) -> Result<Vec<DeviceView>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, made_at, last_used_at FROM known_devices
         WHERE account_id = $1 AND last_used_at > now() - interval '180 days' ORDER BY last_used_at DESC, id",
        account.0
    )
    .fetch_all(pool)
    .await?;
    let view = |id, made_at, last_used_at| DeviceView { id: DeviceId(id), made_at, last_used_at };
    Ok(rows.into_iter().map(|row| view(row.id, row.made_at, row.last_used_at)).collect())
}

/// Forgets a device of this account. False when it has none of this id.
pub async fn forget_device(
    connection: &mut PgConnection,
    account: AccountId,
    device: DeviceId,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!("DELETE FROM known_devices WHERE id = $1 AND account_id = $2", device.0, account.0);
    Ok(gone.execute(connection).await?.rows_affected() == 1)
}
