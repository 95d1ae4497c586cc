//! Bars: who is kept off a case. Somebody who is on it steps back from it, or a supervisor keeps a colleague off it; from that
//! commit on they are a stranger to it, and nobody puts them on it again until a supervisor lifts the bar.
//!
//! A bar is believed when this service stored it and somebody of the case's organisation signed exactly what its row says.
//! Every bar stands in the case's signed head from the next write on (`head`), so the owner of the database who
//! takes one away keeps everybody from writing, and brings nobody in.

pub mod http;
pub mod model;
pub(crate) mod store;

use self::store::{BarRow, LiftRow};
use super::model::CaseRow;
use super::signed::signed;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, BarId};
use crate::guard::statement::{BarLiftStatement, BarLine, BarReason, BarStatement};
use crate::guard::trust::Trust;
use crate::guard::vouch::Voucher;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeSet;

const NOT_BELIEVED: &str = "a bar is not signed, or was not stored by this service";

/// A bar that is believed.
pub(super) struct Bar {
    pub id: BarId,
    pub account: AccountId,
    pub reason: BarReason,
    pub by: AccountId,
    pub made_at: DateTime<Utc>,
    /// When it was lifted, and by whom.
    pub lifted: Option<(DateTime<Utc>, AccountId)>,
    pub line: BarLine,
}

/// Every bar there ever was on a case, in the order in which they were made.
///
/// # Errors
/// A fault when one of them is not believed, or its end is not.
pub(super) async fn of_case<V: Does, K: About>(unit: &mut Unit<V, K>, case: &CaseRow) -> Result<Vec<Bar>, Problem> {
    let rows = store::bars(unit.sql(), case.id).await?;
    let mut bars = Vec::with_capacity(rows.len());
    for row in rows {
        let (connection, trust) = unit.with_trust();
        bars.push(believed(connection, trust, case, row).await?);
    }
    Ok(bars)
}

/// [`of_case`] for who only looks.
///
/// # Errors
/// As [`of_case`].
pub(super) async fn seen<V: Does, K: About>(look: &mut Look<V, K>, case: &CaseRow) -> Result<Vec<Bar>, Problem> {
    let rows = store::bars(look.sql(), case.id).await?;
    let mut bars = Vec::with_capacity(rows.len());
    for row in rows {
        let (connection, trust) = look.with_trust();
        bars.push(believed(connection, trust, case, row).await?);
    }
    Ok(bars)
}

/// Who is kept off a case now.
///
/// # Errors
/// As [`of_case`].
pub(super) async fn barred<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
) -> Result<BTreeSet<AccountId>, Problem> {
    let bars = of_case(unit, case).await?;
    Ok(bars.into_iter().filter(|bar| bar.lifted.is_none()).map(|bar| bar.account).collect())
}

/// Refuses to put somebody on a case who is kept off it. Call after the case is locked.
///
/// # Errors
/// 409 `barred`, which says no more than that.
pub(crate) async fn refuse_barred<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    account: AccountId,
) -> Result<(), Problem> {
    if barred(unit, case).await?.contains(&account) {
        return Err(Problem::illegal("barred", "This colleague cannot be put on this case. Nothing was stored."));
    }
    Ok(())
}

async fn believed(connection: &mut PgConnection, trust: &Trust, case: &CaseRow, row: BarRow) -> Result<Bar, Problem> {
    let id = row.id;
    let code = |voucher: &Voucher, signer, note: &str| voucher.bar(id, signer, note);
    let (stated, by) =
        signed::<BarStatement>(connection, trust, case.organisation, &row.note, &row.vouch, code, NOT_BELIEVED).await?;
    let lifted = match row.lifted {
        None => None,
        Some(LiftRow { at, note, vouch }) => {
            let code = |voucher: &Voucher, signer, note: &str| voucher.bar_lift(id, signer, note);
            let (lift, by) =
                signed::<BarLiftStatement>(connection, trust, case.organisation, &note, &vouch, code, NOT_BELIEVED)
                    .await?;
            if lift.bar != id || lift.case != case.id || lift.account != row.account {
                return Err(Problem::fault(NOT_BELIEVED));
            }
            Some((at, by))
        }
    };
    if stated.bar != id || stated.case != case.id || stated.account != row.account {
        return Err(Problem::fault(NOT_BELIEVED));
    }
    let line = BarLine::of(id, &row.note);
    Ok(Bar { id, account: row.account, reason: stated.reason, by, made_at: row.made_at, lifted, line })
}
