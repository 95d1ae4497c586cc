//! What was read while the ledger lacked something and two persons let readers go on. Each such read bears a mark in its leaf that only who
//! knows the outage's id can tell from random bytes; so it is counted without opening an entry.

use super::finding::Finding;
use super::{Report, VerifyError, store};
use crate::audit::entry::Leaf;
use crate::audit::mark;
use crate::guard::outage::Outage;
use crate::guard::record::OutageId;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use sqlx::PgPool;

/// An hour before and after: clocks of processes differ.
const AROUND: i64 = 1;

/// What lies in the database of outages to which two are said to have agreed, checked back to the pins.
#[derive(Default)]
pub struct Outages {
    /// Two have signed it; and when somebody ended it.
    pub signed: Vec<(Outage, Option<DateTime<Utc>>)>,
    /// They have not.
    pub unsigned: Vec<OutageId>,
}

/// An outage, with what was read in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutageReport {
    pub outage: Outage,
    pub ended_at: Option<DateTime<Utc>>,
    /// Entries that were made in it.
    pub reads: u64,
}

impl Report {
    /// Tells each outage that two opened with the reads in it, as the auditor's role, and finds those that two did not sign.
    ///
    /// # Errors
    /// [`VerifyError`] when the entries could not be read to the end.
    pub async fn compare_outages(&mut self, pool: &PgPool, outages: Outages) -> Result<(), VerifyError> {
        for outage in outages.unsigned {
            self.find(Finding::OutageNotSigned { outage });
        }
        for (outage, ended_at) in outages.signed {
            let hour = |at: DateTime<Utc>| at.timestamp().div_euclid(3600);
            let (first, last) = (hour(outage.from) - AROUND, hour(outage.until) + AROUND);
            let mut connection = pool.acquire().await?;
            let (mut leaves, mut reads) = (store::leaves_of_hours(&mut connection, first, last), 0);
            while let Some(leaf) = leaves.try_next().await? {
                let is_of = |leaf: Leaf| leaf.mark == mark::in_outage(outage.id.0, &leaf.digest);
                reads += u64::from(Leaf::parse(&leaf).is_some_and(is_of));
            }
            drop(leaves);
            self.outages.push(OutageReport { outage, ended_at, reads });
        }
        Ok(())
    }
}
