//! What people of a squad said of a case, and this service stored: bars, holds, erasures.
//!
//! That they might say it is what the service's own code says: it stores nothing that did not come through the gate. Who they are,
//! and that they signed it, is found out here, also for who has left since.

use super::team;
use crate::guard::record::{AccountId, OrganisationId};
use crate::guard::statement::{self, Statement};
use crate::guard::trust::Trust;
use crate::guard::vouch::{Codes, Voucher, is_vouched};
use crate::platform::problem::Problem;
use sqlx::PgConnection;

/// What one person of the organisation said, and who.
///
/// # Errors
/// A fault with `not_believed` when the service did not store it, or nobody of the organisation signed it.
pub(super) async fn signed<S: Statement>(
    connection: &mut PgConnection,
    trust: &Trust,
    organisation: OrganisationId,
    note: &str,
    vouch: &[u8],
    code: impl Fn(&Voucher, AccountId, &str) -> Codes,
    not_believed: &'static str,
) -> Result<(S, AccountId), Problem> {
    let fault = || Problem::fault(not_believed);
    let claimed = statement::claimed_signers(note).next().ok_or_else(fault)?;
    if !is_vouched(Some(vouch), &code(trust.voucher(), claimed, note)) {
        return Err(fault());
    }
    let signer = team::trusted(trust.signer(connection, claimed).await)?;
    let stated = statement::verified(note, &[(signer.account, signer.keys.sign)]).map_err(|_| fault())?;
    if signer.organisation == organisation { Ok((stated, claimed)) } else { Err(fault()) }
}

/// What two persons of the organisation said together: the first of them, and the second.
///
/// # Errors
/// As [`signed`].
pub(super) async fn signed_by_two<S: Statement>(
    connection: &mut PgConnection,
    trust: &Trust,
    organisation: OrganisationId,
    note: &str,
    vouch: &[u8],
    code: impl Fn(&Voucher, AccountId, &str) -> Codes,
    not_believed: &'static str,
) -> Result<(S, AccountId, AccountId), Problem> {
    let fault = || Problem::fault(not_believed);
    let claimed: Vec<AccountId> = statement::claimed_signers(note).collect();
    let [second, first] = claimed[..] else { return Err(fault()) };
    if first == second || !is_vouched(Some(vouch), &code(trust.voucher(), second, note)) {
        return Err(fault());
    }
    let mut keys = Vec::with_capacity(2);
    for account in [first, second] {
        let signer = team::trusted(trust.signer(connection, account).await)?;
        if signer.organisation != organisation {
            return Err(fault());
        }
        keys.push((account, signer.keys.sign));
    }
    let stated = statement::verified(note, &keys).map_err(|_| fault())?;
    Ok((stated, first, second))
}
