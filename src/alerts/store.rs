//! All SQL about alerts. Row-level security shows those that are about the person's own work, their desk's, and to a
//! supervisor their organisation's.

use super::model::{Acknowledged, AlertView};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, AlertId, OrganisationId};
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Whether this transaction is the only one that looks at the clocks.
pub async fn looking_alone(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // A replica that stands still in the middle must not keep all others from looking.
    sqlx::query!("SET LOCAL statement_timeout = '20s'").execute(&mut *connection).await?;
    sqlx::query!("SET LOCAL idle_in_transaction_session_timeout = '20s'").execute(&mut *connection).await?;
    // An arbitrary number, the same in every replica.
    let alone = sqlx::query_scalar!("SELECT pg_try_advisory_xact_lock(4850173)").fetch_one(connection).await?;
    Ok(alone.unwrap_or(false))
}

/// Raises what is due now and was never raised. As the timekeeper's role. By the database's clock, which is one for all
/// replicas: one whose own is days ahead would have everything overdue, once and for ever.
pub async fn raise(
    connection: &mut PgConnection,
    let_pass: TimeDelta,
    deadline: TimeDelta,
    ahead: TimeDelta,
) -> Result<u64, sqlx::Error> {
    let raised = sqlx::query_scalar!(
        r#"SELECT raise_alerts(now() + $1::interval, $2::interval, $3::interval) AS "raised!""#,
        let_pass as TimeDelta,
        deadline as TimeDelta,
        ahead as TimeDelta
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(raised).unwrap_or_default())
}

/// A word that this service wrote and does not know: somebody else wrote it.
fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("an alert holds a word that is none"))
}

/// The person's alerts below a number, newest first, each with its number.
pub async fn alerts<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: i64,
    most: i64,
) -> Result<Vec<(i64, AlertView)>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT a.id, a.number, a.what, a.level, a.about, a.occasion, a.organisation_id,
                  -- Whose it is now: a task may have been handed on since.
                  COALESCE((SELECT t.assignee_id FROM tasks t WHERE t.id = a.about), a.account_id) AS account_id, a.raised_at,
                  ARRAY(SELECT k.account_id FROM alert_acknowledgements k WHERE k.alert_id = a.id
                        ORDER BY k.acknowledged_at, k.id) AS "by!",
                  ARRAY(SELECT k.acknowledged_at FROM alert_acknowledgements k WHERE k.alert_id = a.id
                        ORDER BY k.acknowledged_at, k.id) AS "at!"
           FROM alerts a WHERE a.number < $1 ORDER BY a.number DESC LIMIT $2"#,
        before,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            let acknowledged = row.by.into_iter().zip(row.at);
            let view = AlertView {
                id: AlertId(row.id),
                what: word(&row.what)?,
                level: word(&row.level)?,
                about: row.about,
                occasion: row.occasion,
                organisation: OrganisationId(row.organisation_id),
                account: row.account_id.map(AccountId),
                raised_at: row.raised_at,
                explanation: None,
                acknowledged: acknowledged
                    .map(|(account, at)| Acknowledged { account: AccountId(account), at })
                    .collect(),
            };
            Ok((row.number, view))
        })
        .collect()
}

/// When this person acknowledged the alert before, if they did.
pub async fn acknowledged<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    alert: AlertId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let account = unit.account();
    sqlx::query_scalar!(
        "SELECT acknowledged_at FROM alert_acknowledgements WHERE alert_id = $1 AND account_id = $2",
        alert.0,
        account.0
    )
    .fetch_optional(unit.sql())
    .await
}

/// The person has seen to it, from now on.
pub async fn acknowledge<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    alert: AlertId,
    row: Uuid,
) -> Result<DateTime<Utc>, sqlx::Error> {
    let (account, now) = (unit.account(), unit.now());
    unit.wrote(RowKind::AlertAcknowledgement, row);
    sqlx::query!(
        "INSERT INTO alert_acknowledgements (id, alert_id, account_id, acknowledged_at) VALUES ($1, $2, $3, $4)",
        row,
        alert.0,
        account.0,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(now)
}
