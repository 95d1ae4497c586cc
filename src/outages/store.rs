//! SQL of outages.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, OutageId};
use crate::guard::statement::OutageStatement;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An outage as it is stored, not believed yet.
pub struct OutageRow {
    pub id: Uuid,
    pub note: String,
    pub agreed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_by: Option<AccountId>,
}

/// The newest that the person may see.
pub async fn newest<V: Does, K: About>(look: &mut Look<V, K>, most: i64) -> Result<Vec<OutageRow>, sqlx::Error> {
    sqlx::query_as!(
        OutageRow,
        r#"SELECT id, note, agreed_at, ended_at, ended_by AS "ended_by: AccountId" FROM outages
           ORDER BY made_at DESC, id LIMIT $1"#,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// Stores what one has signed.
pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    stated: &OutageStatement,
    note: &str,
) -> Result<(), sqlx::Error> {
    unit.wrote(RowKind::Outage, stated.outage.0);
    unit.touch(stated.outage.0);
    sqlx::query!(
        "INSERT INTO outages (id, organisation_id, note, made_at) VALUES ($1, $2, $3, $4)",
        stated.outage.0,
        stated.organisation.0,
        note,
        stated.from
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The outage that this unit is about, held until it ends; nothing when it is not the person's to see.
pub async fn hold<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<OutageRow>, Problem> {
    let id = unit.id();
    unit.serialise(id).await?;
    let found = sqlx::query_as!(
        OutageRow,
        r#"SELECT id, note, agreed_at, ended_at, ended_by AS "ended_by: AccountId" FROM outages WHERE id = $1"#,
        id
    )
    .fetch_optional(unit.sql())
    .await?;
    Ok(found)
}

/// Both have signed.
pub async fn agree<V: Does, K: About>(unit: &mut Unit<V, K>, outage: OutageId, note: &str) -> Result<(), Problem> {
    let now = unit.now();
    unit.wrote(RowKind::Outage, outage.0);
    let done = sqlx::query!(
        "UPDATE outages SET note = $2, agreed_at = $3, standing = standing + 1
         WHERE id = $1 AND agreed_at IS NULL AND ended_at IS NULL",
        outage.0,
        note,
        now
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::fault("an outage was not agreed to")) }
}

/// Somebody ends it.
pub async fn end<V: Does, K: About>(unit: &mut Unit<V, K>, outage: OutageId) -> Result<DateTime<Utc>, Problem> {
    let (account, now) = (unit.account(), unit.now());
    unit.wrote(RowKind::Outage, outage.0);
    let done = sqlx::query!(
        "UPDATE outages SET ended_at = $2, ended_by = $3, standing = standing + 1 WHERE id = $1 AND ended_at IS NULL",
        outage.0,
        now,
        account.0
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(now) } else { Err(Problem::fault("an outage was not ended")) }
}
