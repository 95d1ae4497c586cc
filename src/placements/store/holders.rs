//! Who holds what of a placement: its officers, and the people to whom its keys are wrapped.

use super::Row;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, PlacementId};
use crate::guard::statement::Window;
use uuid::Uuid;

/// An officer of a placement: one who is assigned to its case.
#[derive(Clone, Copy)]
pub struct Officer {
    pub account: AccountId,
    /// From when until when, for a stand-in.
    pub window: Option<Window>,
}

/// The officers who are assigned to the case of a placement now, or will be as a stand-in.
pub async fn officers<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
) -> Result<Vec<Officer>, sqlx::Error> {
    let rows =
        sqlx::query!(r#"SELECT account_id AS "account!", active_from, active_until FROM officers_of($1)"#, placement.0)
            .fetch_all(unit.sql())
            .await?;
    let window = |from: Option<_>, until| from.zip(until).map(|(from, until)| Window { from, until });
    let officer = |account, from, until| Officer { account: AccountId(account), window: window(from, until) };
    Ok(rows.into_iter().map(|row| officer(row.account, row.active_from, row.active_until)).collect())
}

/// Everything that is sealed under a placement's key: itself, and the consents that were recorded on it.
pub async fn under_key<V: Does, K: About>(unit: &mut Unit<V, K>, key: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT record_id FROM sealed WHERE key_id = $1 ORDER BY record_id", key)
        .fetch_all(unit.sql())
        .await
}

/// The people to whom a key is wrapped now.
pub async fn holders<V: Does, K: About>(unit: &mut Unit<V, K>, key: Uuid) -> Result<Vec<AccountId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        r#"SELECT recipient_account AS "id!" FROM wraps WHERE key_id = $1 AND recipient_account IS NOT NULL"#,
        key
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Of the shelter's people only these hold the care from here on. False when none of them holds it: then nothing changed.
pub async fn keep_care_with<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    workers: &[AccountId],
) -> Result<bool, sqlx::Error> {
    let placement = unit.id();
    let workers: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    sqlx::query_scalar!(r#"SELECT keep_care_with($1, $2) AS "kept!""#, placement, &workers).fetch_one(unit.sql()).await
}

/// Whether officers of the squad hold the care now.
pub async fn is_shared<V: Does, K: About>(unit: &mut Unit<V, K>, row: &Row) -> Result<bool, sqlx::Error> {
    let shared = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM wraps w JOIN accounts a ON a.id = w.recipient_account
                          WHERE w.key_id = $1 AND a.organisation_id = $2) AS "it!""#,
        row.care,
        row.squad.0
    );
    shared.fetch_one(unit.sql()).await
}
