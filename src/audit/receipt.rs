//! Proof that an entry is durable: without one the vault opens nothing.

use crate::guard::record::AccountId;
use uuid::Uuid;

/// Names the person and every record and version that the entry speaks of. Made only after the entry was committed, and
/// spent by opening.
#[must_use = "an entry was written so that something may be opened"]
pub struct Receipt {
    account: AccountId,
    records: Vec<(Uuid, i64)>,
}

impl Receipt {
    pub(super) fn new(account: AccountId, records: Vec<(Uuid, i64)>) -> Self {
        Self { account, records }
    }

    /// Whether the entry speaks of this version of this record.
    #[must_use]
    pub fn covers(&self, record: Uuid, version: i64) -> bool {
        self.records.contains(&(record, version))
    }

    /// Takes some of what the entry speaks of into a receipt of its own, for content of another shape.
    pub fn take(&mut self, versions: &[(Uuid, i64)]) -> Self {
        let (taken, kept) = std::mem::take(&mut self.records).into_iter().partition(|named| versions.contains(named));
        self.records = kept;
        Self { account: self.account, records: taken }
    }

    /// For whom the entry was made.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Nothing is opened by it: what was shown are clear columns.
    pub(crate) fn spend(self) {
        drop(self);
    }
}
