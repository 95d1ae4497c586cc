//! What is found in a log that somebody fetched, in words.

use crate::audit::entry::Place;
use crate::audit::keys::FollowError;
use crate::audit::note::NoteError;
use crate::audit::tiles::model::{BadBytes, HEIGHT, Tile};
use crate::audit::verify::{BadCheckpoint, Finding};
use chrono::{DateTime, Utc};

/// One thing that is not as the log promises. Entries are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Keys(FollowError),
    #[error("{} is not this log's: {reason}", saved.map_or("the checkpoint".to_owned(), |which| format!("saved checkpoint {which}")))]
    CheckpointForged {
        /// Which of those that were saved; none for the log's own.
        saved: Option<u64>,
        reason: BadCheckpoint,
    },
    #[error(
        "the checkpoint is signed by a key that had been replaced when saved checkpoint {saved} was signed: that key was stolen"
    )]
    OldKey { saved: u64 },
    #[error(
        "the checkpoint is signed by a key that another replaced at {since}, and the newest entry is of long after: that key was stolen"
    )]
    RetiredKey { since: DateTime<Utc> },
    #[error("what {witness} is said to have cosigned is not what they cosigned: {reason}")]
    CosignatureForged { witness: String, reason: NoteError },
    #[error("{given} of the named witnesses cosigned the checkpoint, and {needed} are asked for")]
    TooFewWitnesses { given: usize, needed: usize },
    #[error(
        "the log is given from entry {0} on, which is no beginning of a bundle of this log: so nothing is said of any"
    )]
    Minimum(u64),
    #[error(
        "the log is given from entry {0} on, and that is not two years older than the newest, or than now: younger ones are kept back, which \
         no pruning may do"
    )]
    PrunedEarly(u64),
    #[error(
        "saved checkpoint {saved} is of {size} entries, and the log is given from entry {minimum} on: whether it is the same log cannot be \
         seen. Ask the operator for an export of what lies between"
    )]
    SavedBefore { saved: u64, size: u64, minimum: u64 },
    #[error("{what} is missing{}", of(*first))]
    Missing {
        what: String,
        /// The first entry of which nothing is known without it.
        first: Option<u64>,
    },
    #[error("{what} {reason}{}", of(*first))]
    Bytes { what: String, reason: BadBytes, first: Option<u64> },
    #[error("{what} cannot be read: {why}{}", of(*first))]
    Unreadable { what: String, why: String, first: Option<u64> },
    #[error("entry {0} is gone: it has its number, and no bytes")]
    Gone(u64),
    #[error("entry {0} is not what was numbered: its bytes do not have the hash that stands in the tree")]
    Edited(u64),
    #[error("entry {0} is no entry of a ledger")]
    NotALeaf(u64),
    #[error("entry {0} is under one policy too many: no service has had so many, and no others are listed")]
    TooManyPolicies(u64),
    #[error(
        "entry {entry} is not the next of its lane ({}, lane {}): it is number {}, and {expected} comes next",
        place.replica, place.lane, place.n
    )]
    LaneBroken { entry: u64, place: Place, expected: i64 },
    #[error(
        "entry {entry} does not name the entry before it in its lane ({}, lane {}, number {}){}",
        place.replica, place.lane, place.n, before.map_or(String::new(), |before| format!(": entry {before} is not the one that was there"))
    )]
    ChainBroken {
        entry: u64,
        place: Place,
        /// Where the one stands that should be named: it was edited, or this one was.
        before: Option<u64>,
    },
    #[error("{tile} does not have the hash of entries {first} to {last}")]
    Above { tile: String, first: u64, last: u64 },
    #[error(
        "the entries do not lead to the root that the checkpoint signs: there are two logs, or one was changed after it was signed"
    )]
    OtherRoot,
    #[error("{0}")]
    Saved(Finding),
}

fn of(first: Option<u64>) -> String {
    first.map_or(String::new(), |first| format!(": nothing is known of entry {first} and those after it"))
}

impl Fault {
    /// A hash of a tile above the leaves.
    pub(super) fn above(tile: Tile, at: u64) -> Self {
        let covers = 1_u64.checked_shl(HEIGHT * u32::from(tile.holds().level())).unwrap_or(u64::MAX);
        let first = tile.range().start.saturating_add(at).saturating_mul(covers);
        Self::Above { tile: tile.to_string(), first, last: first.saturating_add(covers - 1) }
    }

    /// Whether it says that there are two logs, that one was rolled back, or that it is not the log at all: told before everything else, however
    /// much else there is.
    #[must_use]
    pub const fn is_grave(&self) -> bool {
        matches!(
            self,
            Self::Keys(_)
                | Self::CheckpointForged { .. }
                | Self::OldKey { .. }
                | Self::RetiredKey { .. }
                | Self::OtherRoot
                | Self::Saved(_)
        )
    }

    /// Which entry it is about; where a chain is broken, the earlier one that may have been changed.
    #[must_use]
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::Gone(entry)
            | Self::Edited(entry)
            | Self::NotALeaf(entry)
            | Self::TooManyPolicies(entry)
            | Self::LaneBroken { entry, .. }
            | Self::ChainBroken { entry, before: None, .. } => Some(*entry),
            Self::ChainBroken { before: Some(before), .. } => Some(*before),
            Self::Missing { first, .. } | Self::Bytes { first, .. } | Self::Unreadable { first, .. } => *first,
            _ => None,
        }
    }
}
