//! The founding of an organisation: who is nominated, and the statement that two of them sign.

use super::public_keys;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::keys::PublicKeys;
use crate::guard::look::Look;
use crate::guard::record::AccountId;

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
