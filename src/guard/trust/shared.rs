//! Keys that an organisation holds together: INTAKE, REVIEW, LEDGER, OVERSIGHT.

use super::{Recipient, RecipientId, SharedKey, Trust, TrustError};
use crate::guard::action::Verb;
use crate::guard::keys::KemPublic;
use crate::guard::record::{AccountId, OrganisationId, RecordKind, SharedKeyId};
use crate::guard::statement::{self, SharedKeyStatement, SharedPurpose};
use crate::guard::store;
use crate::guard::vouch::is_vouched;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

impl Trust {
    /// The newest key of this purpose that is in force, made by a member of the organisation whose role renews it.
    ///
    /// # Errors
    /// [`TrustError::NoKey`] when there is none, or its statement is not believed.
    pub async fn shared_key(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
        purpose: SharedPurpose,
        now: DateTime<Utc>,
    ) -> Result<SharedKey, TrustError> {
        let kind = match purpose {
            SharedPurpose::Intake => RecordKind::Intake,
            SharedPurpose::Review => RecordKind::Review,
            SharedPurpose::Ledger => RecordKind::Ledger,
            SharedPurpose::Oversight => RecordKind::Oversight,
            SharedPurpose::Custody => return Err(TrustError::NoKey),
        };
        for row in store::shared_keys_in_force(connection, organisation, purpose.as_str(), now).await? {
            // A row that is not believed is passed over: planting one must not stop calls from being handed over.
            let code = self.voucher.shared_key(SharedKeyId(row.id), AccountId(row.maker), &row.note);
            if !is_vouched(row.vouch.as_deref(), &code) {
                continue;
            }
            let Ok(claimed) = statement::unverified::<SharedKeyStatement>(&row.note) else { continue };
            // Made by somebody who is a member now: whoever was dismissed makes no key, and theirs ends with them.
            let Ok(maker) = self.member(connection, AccountId(row.maker)).await else { continue };
            let signed = statement::verified::<SharedKeyStatement>(&row.note, &[(maker.account, maker.keys.sign)]);
            let believed = signed.is_ok()
                && maker.organisation == organisation
                && self.policy.ever_does(maker.role, kind, Verb::Renew)
                && claimed.organisation == organisation
                && claimed.purpose == purpose
                && claimed.key.0 == row.id
                && claimed.opens_at <= now
                && claimed.closes_at > now
                && claimed.closes_at - claimed.opens_at <= purpose.life();
            if believed {
                let kem = KemPublic(statement::unhex(&claimed.public)?);
                return Ok(SharedKey {
                    id: claimed.key,
                    organisation,
                    opens_at: claimed.opens_at,
                    closes_at: claimed.closes_at,
                    recipient: Recipient { id: RecipientId::SharedKey(claimed.key), kem },
                });
            }
        }
        Err(TrustError::NoKey)
    }
}

/// The keys that a proposal names, before anybody has signed: only for making the statement itself.
#[must_use]
pub(crate) fn recipient_in_proposal(account: AccountId, kem: KemPublic) -> Recipient {
    Recipient { id: RecipientId::Account(account), kem }
}

/// A shared key as recipient in the very transaction that makes it.
#[must_use]
pub(crate) fn recipient_being_made(key: SharedKeyId, kem: KemPublic) -> Recipient {
    Recipient { id: RecipientId::SharedKey(key), kem }
}
