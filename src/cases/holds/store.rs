//! All SQL about holds. Row-level security shows them to the people on the case and to the squad's supervisors.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{CaseId, HoldId};
use crate::guard::statement::HoldStatement;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};

/// A hold as it lies there, not believed yet.
pub struct HoldRow {
    pub id: HoldId,
    pub until: Option<DateTime<Utc>>,
    pub note: String,
    pub vouch: Vec<u8>,
    /// That the service placed it, whatever the rest says.
    pub placed_vouch: Option<Vec<u8>>,
    pub made_at: DateTime<Utc>,
    pub lifted: Option<LiftRow>,
}

/// The end of a hold, likewise.
pub struct LiftRow {
    pub at: DateTime<Utc>,
    pub note: String,
    pub vouch: Vec<u8>,
}

/// Every hold there ever was on a case.
pub async fn holds<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<HoldRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, until, note, vouch, placed_vouch, made_at, lifted_at, lift_note, lift_vouch FROM holds
         WHERE case_id = $1 ORDER BY made_at, id",
        case.0
    )
    .fetch_all(unit.sql())
    .await?;
    let lift = |((at, note), vouch)| LiftRow { at, note, vouch };
    let holds = rows.into_iter().map(|row| HoldRow {
        id: HoldId(row.id),
        until: row.until,
        note: row.note,
        vouch: row.vouch,
        placed_vouch: row.placed_vouch,
        made_at: row.made_at,
        lifted: row.lifted_at.zip(row.lift_note).zip(row.lift_vouch).map(lift),
    });
    Ok(holds.collect())
}

/// The earlier of the service's clock and the database's: no hold is over before it is by both. The function `two_erase` asks the
/// same.
pub async fn now<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<DateTime<Utc>, sqlx::Error> {
    let now = unit.now();
    sqlx::query_scalar!(r#"SELECT LEAST($1::timestamptz, clock_timestamp()) AS "now!""#, now)
        .fetch_one(unit.sql())
        .await
}

/// A new hold with its signed statement.
pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    stated: &HoldStatement,
    note: &str,
) -> Result<(), sqlx::Error> {
    let vouch = unit.voucher().hold(stated.hold, unit.account(), note);
    let placed = unit.voucher().hold_placed(stated.hold, stated.case);
    unit.wrote(RowKind::Hold, stated.hold.0);
    unit.touch(stated.hold.0);
    sqlx::query!(
        "INSERT INTO holds (id, case_id, until, note, vouch, made_at, placed_vouch) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        stated.hold.0,
        stated.case.0,
        stated.until,
        note,
        vouch.as_slice(),
        stated.at,
        placed.as_slice()
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// A hold has no effect any more: two persons said so in this statement. What somebody else wrote there before is overwritten.
pub async fn lift<V: Does, K: About>(unit: &mut Unit<V, K>, hold: HoldId, both: &str) -> Result<(), Problem> {
    let now = unit.now();
    let vouch = unit.voucher().hold_lift(hold, unit.account(), both);
    unit.wrote(RowKind::Hold, hold.0);
    unit.touch(hold.0);
    let done = sqlx::query!(
        "UPDATE holds SET lifted_at = $2, lift_note = $3, lift_vouch = $4, standing = standing + 1
         WHERE id = $1",
        hold.0,
        now,
        both,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    crate::cases::store::one(done.rows_affected())
}
