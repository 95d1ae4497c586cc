//! CUSTODY's private half, which no single person opens: for each ordered pair of custodians it is stored as
//! `HPKE_first(HPKE_second(key))` (RFC 9180), so that either of two can go first.

use super::keys::{self, KemPrivate, KemPublic, KeyError, PersonKeys, WrapContext};
use super::record::{AccountId, CaseId, SharedKeyId};
use super::trust::{Custodian, Recipient};
use super::vault::key_context;
use uuid::Uuid;
use zeroize::Zeroizing;

/// One ordered pair's share.
pub struct Share {
    pub first: AccountId,
    pub second: AccountId,
    pub sealed: Vec<u8>,
}

/// A CUSTODY key that two custodians have opened together, for one request. It has no `Debug` and is never stored.
pub struct OpenCustody {
    pub key: SharedKeyId,
    private: KemPrivate,
}

fn inner(key: SharedKeyId) -> WrapContext {
    WrapContext { purpose: "custody inner", case: None, key_id: key.0, epoch: 1, grant: None }
}

fn outer(key: SharedKeyId) -> WrapContext {
    WrapContext { purpose: "custody outer", case: None, key_id: key.0, epoch: 1, grant: None }
}

/// The shares of a new key: one for each ordered pair.
///
/// # Errors
/// [`KeyError`] if a custodian's key is none.
pub fn split(
    private: &KemPrivate,
    key: SharedKeyId,
    custodians: &[(AccountId, Recipient)],
) -> Result<Vec<Share>, KeyError> {
    let mut shares = Vec::with_capacity(custodians.len() * custodians.len());
    for (second, to_second) in custodians {
        for (first, to_first) in custodians.iter().filter(|(first, _)| first != second) {
            let within = keys::wrap(private.as_bytes(), to_second, &inner(key))?;
            let sealed = keys::wrap(&within, to_first, &outer(key))?;
            shares.push(Share { first: *first, second: *second, sealed });
        }
    }
    Ok(shares)
}

/// What the first of a pair takes off: what is left opens only with the second's key.
///
/// # Errors
/// [`KeyError`] for anybody but the first.
pub fn take_off(share: &[u8], keys: &PersonKeys, key: SharedKeyId) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    keys::unwrap(share, keys.kem(), &outer(key))
}

/// What the second of a pair opens. It must be the private half of that public key.
///
/// # Errors
/// [`KeyError`] for anybody but the second, and for another key.
pub fn open(
    left: &[u8],
    keys: &PersonKeys,
    key: SharedKeyId,
    public: Option<KemPublic>,
) -> Result<OpenCustody, KeyError> {
    let private = KemPrivate::from_bytes(keys::unwrap_key(left, keys.kem(), &inner(key))?);
    if public.is_some_and(|public| private.public() != Ok(public)) {
        return Err(KeyError::NotForThisKey);
    }
    Ok(OpenCustody { key, private })
}

impl OpenCustody {
    /// The key of a record, from its wrap to CUSTODY.
    pub(super) fn record_key(
        &self,
        wrap: &[u8],
        case: Option<CaseId>,
        key: Uuid,
        epoch: u32,
    ) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        keys::unwrap_key(wrap, &self.private, &key_context(case, key, epoch, None))
    }

    /// For a test in the thief's place.
    #[cfg(feature = "test-support")]
    #[must_use]
    pub(super) fn stolen(self) -> KemPrivate {
        self.private
    }

    /// The same wrap for the CUSTODY key that follows.
    ///
    /// # Errors
    /// [`KeyError`] for a wrap that is not to this key.
    pub fn pass_on(
        &self,
        wrap: &[u8],
        case: Option<CaseId>,
        key: Uuid,
        epoch: u32,
        next: &Recipient,
    ) -> Result<Vec<u8>, KeyError> {
        let secret = self.record_key(wrap, case, key, epoch)?;
        keys::wrap(&*secret, next, &key_context(case, key, epoch, None))
    }
}

/// The custodians as [`split`] takes them.
#[must_use]
pub fn recipients(custodians: &[Custodian]) -> Vec<(AccountId, Recipient)> {
    custodians.iter().map(|custodian| (custodian.account, custodian.recipient())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::trust::recipient_in_proposal;

    #[test]
    fn two_open_it_in_either_order_and_nobody_alone() {
        let people: Vec<_> = (0..3).map(|_| (AccountId::random(), PersonKeys::generate())).collect();
        let recipients: Vec<_> = people
            .iter()
            .map(|(account, keys)| (*account, recipient_in_proposal(*account, keys.public().unwrap().kem)))
            .collect();
        let (key, private) = (SharedKeyId::random(), KemPrivate::generate());
        let public = private.public().unwrap();
        let shares = split(&private, key, &recipients).unwrap();
        assert_eq!(shares.len(), 6);
        for share in &shares {
            let of = |account| &people.iter().find(|(known, _)| *known == account).unwrap().1;
            let left = take_off(&share.sealed, of(share.first), key).unwrap();
            assert!(open(&left, of(share.second), key, Some(public)).is_ok());
            assert!(open(&left, of(share.first), key, Some(public)).is_err(), "the first alone");
            assert!(take_off(&share.sealed, of(share.second), key).is_err(), "the second alone");
            assert!(open(&share.sealed, of(share.second), key, None).is_err(), "the second without the first");
            assert!(take_off(&share.sealed, of(share.first), SharedKeyId::random()).is_err(), "another key's share");
            assert!(open(&left, of(share.second), key, Some(KemPrivate::generate().public().unwrap())).is_err());
        }
    }
}
