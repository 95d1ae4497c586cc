//! All SQL about bars. Row-level security shows them to the people on the case, who compare them with its head, and to the
//! squad's supervisors.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, BarId, CaseId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A bar as it lies there, not believed yet.
pub struct BarRow {
    pub id: BarId,
    pub account: AccountId,
    pub note: String,
    pub vouch: Vec<u8>,
    pub made_at: DateTime<Utc>,
    pub lifted: Option<LiftRow>,
}

/// The end of a bar, likewise.
pub struct LiftRow {
    pub at: DateTime<Utc>,
    pub note: String,
    pub vouch: Vec<u8>,
}

/// Every bar there ever was on a case.
pub async fn bars(connection: &mut PgConnection, case: CaseId) -> Result<Vec<BarRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, account_id, note, vouch, made_at, lifted_at, lift_note, lift_vouch FROM bars
         WHERE case_id = $1 ORDER BY made_at, id",
        case.0
    )
    .fetch_all(connection)
    .await?;
    let bars = rows.into_iter().map(|row| BarRow {
        id: BarId(row.id),
        account: AccountId(row.account_id),
        note: row.note,
        vouch: row.vouch,
        made_at: row.made_at,
        lifted: row.lifted_at.zip(row.lift_note).zip(row.lift_vouch).map(|((at, note), vouch)| LiftRow {
            at,
            note,
            vouch,
        }),
    });
    Ok(bars.collect())
}

/// A new bar. Last in its unit: from here on whoever is barred sees nothing of the case any more.
pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    bar: BarId,
    case: CaseId,
    account: AccountId,
    note: &str,
) -> Result<(), sqlx::Error> {
    let now = unit.now();
    let vouch = unit.voucher().bar(bar, unit.account(), note);
    unit.wrote(RowKind::Bar, bar.0);
    unit.touch(bar.0);
    sqlx::query!(
        "INSERT INTO bars (id, case_id, account_id, note, vouch, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        bar.0,
        case.0,
        account.0,
        note,
        vouch.as_slice(),
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// A bar has no effect any more.
pub async fn lift<V: Does, K: About>(unit: &mut Unit<V, K>, bar: BarId, note: &str) -> Result<(), Problem> {
    let now = unit.now();
    let vouch = unit.voucher().bar_lift(bar, unit.account(), note);
    unit.wrote(RowKind::Bar, bar.0);
    unit.touch(bar.0);
    let done = sqlx::query!(
        "UPDATE bars SET lifted_at = $2, lift_note = $3, lift_vouch = $4, standing = standing + 1
         WHERE id = $1 AND lifted_at IS NULL",
        bar.0,
        now,
        note,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    crate::cases::store::one(done.rows_affected())
}
