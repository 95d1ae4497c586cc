//! All SQL about rosters. Row-level security shows a roster to its own organisation, and lets its supervisors change it.

use super::model::{ShiftView, Span};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, ShiftId};
use crate::platform::problem::Problem;

/// The turns of the person's own desk that touch this time.
pub async fn shifts<V: Does, K: About>(look: &mut Look<V, K>, asked: Span) -> Result<Vec<ShiftView>, sqlx::Error> {
    let organisation = look.authorized().who().organisation;
    let rows = sqlx::query!(
        "SELECT id, account_id, starts_at, ends_at FROM shifts
         WHERE organisation_id = $1 AND cancelled_at IS NULL AND ends_at > $2 AND starts_at < $3
         ORDER BY starts_at, id LIMIT 5000",
        organisation.0,
        asked.starts_at,
        asked.ends_at
    )
    .fetch_all(look.sql())
    .await?;
    let view = |id, account, starts_at, ends_at| ShiftView {
        id: ShiftId(id),
        account: AccountId(account),
        span: Span { starts_at, ends_at },
    };
    Ok(rows.into_iter().map(|row| view(row.id, row.account_id, row.starts_at, row.ends_at)).collect())
}

/// When nobody is at that desk, of this time.
pub async fn gaps<V: Does, K: About>(look: &mut Look<V, K>, asked: Span) -> Result<Vec<Span>, sqlx::Error> {
    let organisation = look.authorized().who().organisation;
    let gaps = sqlx::query_as!(
        Span,
        r#"SELECT starts_at AS "starts_at!", ends_at AS "ends_at!" FROM roster_gaps($1, $2, $3)"#,
        organisation.0,
        asked.starts_at,
        asked.ends_at
    )
    .fetch_all(look.sql())
    .await?;
    Ok(gaps.into_iter().filter_map(|gap| asked.part_of(gap)).collect())
}

/// Whether somebody has another turn in this time.
pub async fn is_there<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    account: AccountId,
    span: Span,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM shifts WHERE account_id = $1 AND cancelled_at IS NULL
                          AND ends_at > $2 AND starts_at < $3) AS "it!""#,
        account.0,
        span.starts_at,
        span.ends_at
    )
    .fetch_one(unit.sql())
    .await
}

pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: ShiftId,
    account: AccountId,
    span: Span,
) -> Result<(), sqlx::Error> {
    let (organisation, now) = (unit.who().organisation, unit.now());
    unit.wrote(RowKind::Shift, id.0);
    sqlx::query!(
        "INSERT INTO shifts (id, organisation_id, account_id, starts_at, ends_at, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        id.0,
        organisation.0,
        account.0,
        span.starts_at,
        span.ends_at,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Takes the turn that a unit is about off the roster; false if it is off already.
pub async fn cancel<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<bool, Problem> {
    let (id, now) = (unit.id(), unit.now());
    unit.wrote(RowKind::Shift, id);
    let done = sqlx::query!(
        "UPDATE shifts SET cancelled_at = $2, standing = standing + 1 WHERE id = $1 AND cancelled_at IS NULL",
        id,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}
