//! Erasing a case for good: one supervisor proposes it, another confirms it, and from that commit on there is no such case for
//! anybody.
//!
//! The commit takes away every row that hangs on the case and strikes each off the register in which it stands, so the ledger's
//! verifier misses none of them, and none that was taken away by another hand passes for one. What is left is a row that says
//! that there was a case of this number, and who erased it, when and why; and what is still to be erased in the second database
//! and in the store of objects ([`crate::guard::sweep`] carries that out, also when one of them is away at first).
//!
//! A table whose rows hang on a case is named in the function `erase_case`. One that is forgotten there keeps its case from being
//! erased by its reference, and fails a test that follows the catalogue.

pub mod http;
pub mod model;
pub(crate) mod store;

use self::model::{ErasureState, ErasureView};
use self::store::ErasureRow;
use super::signed::signed_by_two;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::statement::{Act, ProposalStatement};
use crate::guard::vouch::Voucher;
use crate::platform::problem::Problem;
use uuid::Uuid;

const NOT_BELIEVED: &str = "an erasure is not signed by two, or was not stored by this service";

/// Whether there are such cases, and two persons erased each of them.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn are_erased<V: Does, K: About>(look: &mut Look<V, K>, cases: &[Uuid]) -> Result<bool, sqlx::Error> {
    let rows = store::erasures_of(look, cases).await?;
    let mut all = !cases.is_empty() && rows.len() == cases.len();
    for row in rows {
        all &= believed(look, row).await.is_ok();
    }
    Ok(all)
}

/// What is left of a case, if two persons signed exactly that.
async fn believed<V: Does, K: About>(look: &mut Look<V, K>, row: ErasureRow) -> Result<ErasureView, Problem> {
    let code = |voucher: &Voucher, second, note: &str| voucher.erasure(row.id, second, note);
    let (connection, trust) = look.with_trust();
    let (stated, first, second) = signed_by_two::<ProposalStatement>(
        connection,
        trust,
        row.organisation,
        &row.note,
        &row.vouch,
        code,
        NOT_BELIEVED,
    )
    .await?;
    let fits = stated.act == Act::Erasure
        && stated.proposal == row.id
        && stated.case == row.case
        && stated.about == row.case.0
        && stated.reason.is_some_and(|reason| reason.as_str() == row.reason)
        && stated.at == row.proposed_at
        && (first, second) == (row.proposed_by, row.confirmed_by);
    let Some(reason) = stated.reason.filter(|_| fits) else { return Err(Problem::fault(NOT_BELIEVED)) };
    let state = match (row.online_at, row.is_final) {
        (None, _) => ErasureState::Erasing,
        (Some(_), false) => ErasureState::ErasedOnline,
        (Some(_), true) => ErasureState::ErasedFinally,
    };
    Ok(ErasureView {
        id: row.id,
        case: row.case,
        number: row.number,
        state,
        reason,
        proposed_by: row.proposed_by,
        proposed_at: row.proposed_at,
        lapses_at: None,
        confirmed_by: Some(row.confirmed_by),
        erased_at: Some(row.erased_at),
        online_at: row.online_at,
        final_at: row.final_at,
    })
}
