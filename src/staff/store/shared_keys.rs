//! The keys that an organisation holds together, and the open notices that a new INTAKE epoch takes over.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::keys::KemPublic;
use crate::guard::record::{OrganisationId, SharedKeyId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

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
    let vouch = unit.voucher().shared_key(key.id, maker, key.note);
    sqlx::query!(
        "INSERT INTO shared_keys (id, organisation_id, purpose, public_key, maker_id, note, opens_at, closes_at, vouch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.id.0,
        key.organisation.0,
        key.purpose,
        key.public.0.as_slice(),
        maker.0,
        key.note,
        key.opens_at,
        key.closes_at,
        vouch.as_slice()
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

/// What hangs on a notice: itself, its addenda and its attachments.
pub async fn sealed_of_notice<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    notice: Uuid,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT $1::uuid AS "id!" UNION ALL SELECT id FROM addenda WHERE notice_id = $1
           UNION ALL SELECT id FROM attachments WHERE notice_id = $1"#,
        notice
    )
    .fetch_all(unit.sql())
    .await
}

/// A notice is sealed to the new epoch from here on.
pub async fn pass_notice_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    notice: Uuid,
    newest: SharedKeyId,
) -> Result<(), sqlx::Error> {
    unit.wrote(RowKind::Notice, notice);
    sqlx::query!("UPDATE notices SET intake_key_id = $2, standing = standing + 1 WHERE id = $1", notice, newest.0)
        .execute(unit.sql())
        .await?;
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

/// To whom a shared key is wrapped, for one who holds it.
pub async fn holders<V: Does, K: About>(unit: &mut Unit<V, K>, key: SharedKeyId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT account_id FROM shared_key_wraps WHERE key_id = $1", key.0).fetch_all(unit.sql()).await
}
