//! Holds: by law a case is not to be erased, until a day or until two persons lift it.
//!
//! One supervisor places a hold and two lift it. It is believed when this service stored it and somebody of the squad signed
//! exactly what its row says; its end, when two did. One that the service placed and that is not believed is a fault, and keeps the
//! case as well. A row that the owner of the database takes away is missed in its register by the verifier.
//!
//! An end that the service never stored is none: the hold is in force, and two lift it as they would any.
//!
//! A row that the service never placed is no hold: it is passed over with an alarm, and keeps nothing. What tells the two apart is
//! a code over the hold's id and its case alone. Who changes that too has taken the hold away, which the owner of the database can
//! do anyhow; the verifier says so either way.

pub mod http;
pub mod model;
pub(crate) mod store;

use self::store::{HoldRow, LiftRow};
use super::model::CaseRow;
use super::signed::{signed, signed_by_two};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, HoldId};
use crate::guard::statement::{self, Act, HoldReason, HoldStatement, ProposalStatement};
use crate::guard::trust::Trust;
use crate::guard::vouch::{Codes, HoldCodes, Voucher, is_vouched};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

const NOT_BELIEVED: &str = "a hold is not signed, or was not stored by this service";

/// A hold that is believed.
pub(super) struct Hold {
    pub id: HoldId,
    pub reason: HoldReason,
    pub until: Option<DateTime<Utc>>,
    pub by: AccountId,
    pub made_at: DateTime<Utc>,
    /// When it was lifted, and by which two.
    pub lifted: Option<(DateTime<Utc>, [AccountId; 2])>,
}

impl Hold {
    pub(super) fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.lifted.is_none() && self.until.is_none_or(|until| until > now)
    }
}

/// Every hold there ever was on a case, in the order in which they were placed. What nobody placed is passed over.
///
/// # Errors
/// A fault when one of them is not believed any more, or its end is not.
pub(super) async fn of_case<V: Does, K: About>(unit: &mut Unit<V, K>, case: &CaseRow) -> Result<Vec<Hold>, Problem> {
    let rows = store::holds(unit, case.id).await?;
    let mut holds = Vec::with_capacity(rows.len());
    for row in rows {
        let codes = HoldCodes { note: &row.note, vouch: &row.vouch, placed: row.placed_vouch.as_deref() };
        if !unit.voucher().placed_hold(row.id, case.id, &codes) {
            tracing::error!(hold = %row.id, "ALARM: somebody wrote a hold that was never placed; it holds nothing");
            continue;
        }
        let (connection, trust) = unit.with_trust();
        holds.push(believed(connection, trust, case, row).await?);
    }
    Ok(holds)
}

/// Refuses to have a case erased that is on hold. Call after the case is locked.
///
/// # Errors
/// 409 `on_hold`, with the reason's code.
pub(super) async fn refuse_held<V: Does, K: About>(unit: &mut Unit<V, K>, case: &CaseRow) -> Result<(), Problem> {
    let now = store::now(unit).await?;
    let Some(hold) = of_case(unit, case).await?.into_iter().find(|hold| hold.is_in_force(now)) else { return Ok(()) };
    let until = hold.until.map_or_else(String::new, |until| format!(" until {}", until.to_rfc3339()));
    Err(Problem::illegal(
        "on_hold",
        format!("This case is on hold{until}: `{}`. It is not erased. Nothing was stored.", hold.reason),
    ))
}

/// Whether this service stored what two said.
fn is_stored_here(
    voucher: &Voucher,
    code: impl Fn(&Voucher, AccountId, &str) -> Codes,
    note: &str,
    vouch: &[u8],
) -> bool {
    statement::claimed_signers(note).next().is_some_and(|second| is_vouched(Some(vouch), &code(voucher, second, note)))
}

async fn believed(connection: &mut PgConnection, trust: &Trust, case: &CaseRow, row: HoldRow) -> Result<Hold, Problem> {
    let (id, of) = (row.id, case.organisation);
    let code = |voucher: &Voucher, signer, note: &str| voucher.hold(id, signer, note);
    let (stated, by) =
        signed::<HoldStatement>(connection, trust, of, &row.note, &row.vouch, code, NOT_BELIEVED).await?;
    let code = |voucher: &Voucher, second, note: &str| voucher.hold_lift(id, second, note);
    let lifted = match row.lifted {
        None => None,
        Some(LiftRow { note, vouch, .. }) if !is_stored_here(trust.voucher(), code, &note, &vouch) => {
            tracing::error!(hold = %id, "ALARM: somebody wrote that a hold was lifted; it is in force");
            None
        }
        Some(LiftRow { at, note, vouch }) => {
            let (lift, first, second) =
                signed_by_two::<ProposalStatement>(connection, trust, of, &note, &vouch, code, NOT_BELIEVED).await?;
            if lift.act != Act::HoldLift || lift.case != case.id || lift.about != id.0 {
                return Err(Problem::fault(NOT_BELIEVED));
            }
            Some((at, [first, second]))
        }
    };
    if stated.hold != id || stated.case != case.id || stated.until != row.until || stated.at != row.made_at {
        return Err(Problem::fault(NOT_BELIEVED));
    }
    Ok(Hold { id, reason: stated.reason, until: row.until, by, made_at: row.made_at, lifted })
}
