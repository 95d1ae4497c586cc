//! Who keeps an organisation's CUSTODY now: the founding's custodians and key, or those of the last statement that follows.
//!
//! Each key follows the one before. The same custodians pass it on by the signatures of two of them: that ends every use.
//! Other custodians are named by both responsible persons. A statement counts only if this service stored it besides, and one
//! that is not believed is passed over: whoever plants one must not stop cases from being opened.

use super::{CUSTODIANS, Founding, Recipient, RecipientId, Trust, TrustError};
use crate::guard::keys::{KemPublic, PublicKeys};
use crate::guard::record::{AccountId, OrganisationId, SharedKeyId};
use crate::guard::statement::{self, CustodyStatement, StatedCustodian, StatementError, claimed_signers, unhex};
use crate::guard::store;
use crate::guard::vouch::is_vouched;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most custodians (DESIGN section 4).
pub const MOST_CUSTODIANS: usize = 7;

/// Somebody who keeps a part of CUSTODY.
#[derive(Clone, PartialEq, Eq)]
pub struct Custodian {
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub keys: PublicKeys,
}

impl Custodian {
    /// As a recipient of their part.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient { id: RecipientId::Account(self.account), kem: self.keys.kem }
    }

    pub(super) fn read(stated: &StatedCustodian) -> Result<Self, StatementError> {
        let StatedCustodian { account, organisation, .. } = *stated;
        Ok(Self { account, organisation, keys: stated.keys.keys()? })
    }

    /// As it stands in a statement.
    #[must_use]
    pub fn stated(&self) -> StatedCustodian {
        StatedCustodian { account: self.account, organisation: self.organisation, keys: self.keys.into() }
    }
}

/// A CUSTODY key whose chain was checked to the pin.
pub struct Custody {
    pub key: SharedKeyId,
    pub organisation: OrganisationId,
    /// 0 for the founding's.
    pub number: i32,
    public: KemPublic,
    /// In a fixed order.
    pub custodians: Vec<Custodian>,
    /// Everybody who ever was one: what they signed then still counts.
    ever: BTreeMap<AccountId, VerifyingKey>,
    /// Of the whole chain up to here.
    digest: [u8; 32],
}

impl Custody {
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient { id: RecipientId::SharedKey(self.key), kem: self.public }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> KemPublic {
        self.public
    }

    #[must_use]
    pub fn custodian(&self, account: AccountId) -> Option<&Custodian> {
        self.custodians.iter().find(|custodian| custodian.account == account)
    }

    /// With which key somebody signed who is, or was, a custodian.
    #[must_use]
    pub fn ever(&self, account: AccountId) -> Option<VerifyingKey> {
        self.ever.get(&account).copied()
    }

    pub(super) fn of_founding(founding: &Founding) -> Result<Self, StatementError> {
        let RecipientId::SharedKey(key) = founding.custody.id else { return Err(StatementError::Malformed) };
        let custodians: Vec<Custodian> = founding
            .custodians()
            .iter()
            .map(|member| Custodian { account: member.account, organisation: member.organisation, keys: member.keys })
            .collect();
        let digest = Sha256::new()
            .chain_update(b"himaya custody chain v2")
            .chain_update(founding.digest)
            .chain_update(founding.organisation.0.as_bytes())
            .chain_update(key.0.as_bytes())
            .chain_update(founding.custody.kem.0);
        Ok(Self {
            key,
            organisation: founding.organisation,
            number: 0,
            public: founding.custody.kem,
            ever: custodians.iter().map(|custodian| (custodian.account, custodian.keys.sign)).collect(),
            custodians,
            digest: digest.finalize().into(),
        })
    }

    /// The one that follows by this statement, if those signed it who may.
    ///
    /// # Errors
    /// [`StatementError`] for anything else.
    pub fn followed_by(&self, note: &str, founding: &Founding) -> Result<Self, StatementError> {
        let claimed: CustodyStatement = statement::unverified(note)?;
        let names: BTreeSet<AccountId> = claimed_signers(note).collect();
        let same = claimed.custodians.iter().cloned().eq(self.custodians.iter().map(Custodian::stated));
        let keepers: Vec<_> =
            self.custodians.iter().filter(|c| names.contains(&c.account)).map(|c| (c.account, c.keys.sign)).collect();
        let responsible = founding.two();
        let signers = if same && keepers.len() >= 2 {
            keepers
        } else if responsible.iter().all(|(account, _)| names.contains(account)) {
            responsible
        } else {
            return Err(StatementError::NotSigned);
        };
        let stated: CustodyStatement = statement::verified(note, &signers)?;
        let mut custodians = Vec::with_capacity(stated.custodians.len());
        for custodian in &stated.custodians {
            custodians.push(Custodian::read(custodian)?);
        }
        let people: BTreeSet<AccountId> = custodians.iter().map(|custodian| custodian.account).collect();
        let fits = stated.organisation == self.organisation
            && stated.number == self.number + 1
            && stated.follows == self.key
            && stated.key != self.key
            && people.len() == custodians.len()
            && (CUSTODIANS..=MOST_CUSTODIANS).contains(&custodians.len());
        if !fits {
            return Err(StatementError::Malformed);
        }
        let mut ever = self.ever.clone();
        ever.extend(custodians.iter().map(|custodian| (custodian.account, custodian.keys.sign)));
        Ok(Self {
            key: stated.key,
            organisation: self.organisation,
            number: stated.number,
            public: KemPublic(unhex(&stated.public)?),
            custodians,
            ever,
            digest: self.digest_with(note),
        })
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn digest_with(&self, note: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.digest).chain_update(Sha256::digest(note.as_bytes())).finalize().into()
    }
}

impl Trust {
    /// The CUSTODY key in force of an organisation, and who keeps it.
    ///
    /// # Errors
    /// [`TrustError::Forming`] for an organisation that is not founded; [`TrustError::WentBack`] when a key is gone that this
    /// process has seen in force: nothing is sealed to one that came before.
    pub async fn custody(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
    ) -> Result<Arc<Custody>, TrustError> {
        let foundings = self.foundings(connection, organisation).await?;
        let Some((first, mut rest)) = foundings.split_first() else { return Err(TrustError::Forming) };
        let mut founding = Arc::clone(first);
        let mut custody = Arc::new(Custody::of_founding(&founding)?);
        for row in store::custodies(connection, organisation).await? {
            self.pass_on(&mut founding, &mut rest, &custody)?;
            let vouch = self.voucher.custody(SharedKeyId(row.key_id), &row.note);
            let vouched = self.by_pins_alone || is_vouched(Some(row.vouch.as_slice()), &vouch);
            let next = vouched.then(|| self.next(&custody, &row.note, &founding));
            if let Some(next) = next.flatten().filter(|next| next.key.0 == row.key_id) {
                custody = next;
            } else {
                tracing::error!("ALARM: a CUSTODY key lies in the database that nobody made");
            }
        }
        self.pass_on(&mut founding, &mut rest, &custody)?;
        if !rest.is_empty() {
            tracing::error!("ALARM: a CUSTODY key is gone with which other responsible persons began");
            return Err(TrustError::WentBack);
        }
        let mut seen = self.seen();
        seen.agreed.extend(foundings.iter().map(|founding| founding.digest));
        let last = (founding.number(), founding.fingerprint());
        let highest = seen.highest_founding.entry(organisation).or_insert(last);
        // Somebody who reads slowly may come with an earlier one.
        if last.0 >= highest.0 {
            *highest = last;
        }
        let highest = seen.highest_custody.entry(organisation).or_default();
        if custody.number < *highest {
            tracing::error!("ALARM: a CUSTODY key was taken away that was in force");
            return Err(TrustError::WentBack);
        }
        *highest = custody.number;
        Ok(custody)
    }

    fn next(&self, before: &Custody, note: &str, founding: &Founding) -> Option<Arc<Custody>> {
        let digest = before.digest_with(note);
        if let Some(known) = self.seen().custodies.get(&digest) {
            return Some(Arc::clone(known));
        }
        let next = Arc::new(before.followed_by(note, founding).ok()?);
        self.seen().custodies.insert(digest, Arc::clone(&next));
        Some(next)
    }
}
