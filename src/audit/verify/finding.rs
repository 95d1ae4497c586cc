//! What the verifier finds, in words.

use super::PolicyChange;
use crate::audit::entry::Place;
use crate::audit::mark::RowKind;
use crate::audit::retention::Class;
use crate::audit::tiles::model::Tile;
use crate::guard::record::OutageId;
use crate::guard::statement::hex;
use std::fmt;
use uuid::Uuid;

/// Where a checkpoint was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the database, as the sequencer stored it.
    Database,
    /// Outside the database, as somebody saved it.
    Outside,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "in the database",
            Self::Outside => "saved outside the database",
        })
    }
}

/// One thing that is not as the ledger promises. Positions count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A numbered entry is gone.
    EntryDeleted { position: i64, place: Place },
    /// A numbered entry has other bytes than when it was numbered.
    EntryEdited { position: i64, place: Place },
    /// An entry's bytes are no leaf.
    NotALeaf { place: Place },
    /// An entry is filed under another place than it says.
    OtherPlace { place: Place },
    /// What an entry says, sealed to the auditors, is gone.
    DetailDeleted { place: Place },
    /// It is said that details were erased since their time was over, and no entry of this service says so.
    RetentionNotEntered { retention: Uuid },
    /// Details were erased before their time was over; the entry that tells it stands at this position.
    ErasedEarly { retention: Uuid, position: i64, class: Class, months: u32 },
    /// Details were erased by a shorter period than any that had been announced for thirty days; the entry that tells it stands at this
    /// position.
    ErasedUnannounced { retention: Uuid, position: i64, class: Class, months: u32 },
    /// Details were erased of a case that was open then, or under a hold; the entry that tells it stands at this position.
    ErasedOfKeptCase { retention: Uuid, position: i64, case: Uuid },
    /// What the service seals to know what an entry is about is gone, or is not what it sealed there.
    LabelGone { place: Place },
    /// No replica of this service signed the entry.
    NotSignedByUs { place: Place },
    /// The entry was signed by a key that had been replaced before the entry got its number.
    SignedByOldKey { place: Place },
    /// The entry is not the one that comes next in its lane.
    LaneBroken { place: Place, expected: i64 },
    /// The entry names another entry before it than there is.
    ChainBroken { place: Place },
    /// Positions of the tree are empty.
    PositionsMissing { first: i64, last: i64 },
    /// An entry was skipped: later ones of its lane are numbered.
    LeftOut { place: Place },
    /// An entry waits for its number, but is not in the queue, so it never gets one.
    NotQueued { place: Place },
    /// An entry has waited for its number so long that nothing gives numbers any more: `hours` before the newest entry, or
    /// before now.
    Stalled { place: Place, hours: i64 },
    /// The queue holds a place whose entry is gone.
    WaitingEntryDeleted { place: Place },
    /// The queue holds an entry that has its number already.
    QueuedAgain { place: Place },
    /// A checkpoint was not signed by this log. `which` is its size in the database, or which of the saved ones it is.
    CheckpointForged { kept: Kept, which: i64, reason: String },
    /// A checkpoint was signed by a key that had been replaced at a smaller size.
    CheckpointByOldKey { kept: Kept, which: i64 },
    /// A checkpoint is filed in the database under another size than it says.
    CheckpointMisfiled { filed: i64, says: u64 },
    /// Signed checkpoints do not fit the tree: what they covered was changed. Neighbours are told together. The
    /// one of size `fits` before them does (none did if it is 0), so the first entry that is wrong stands from there to below `first`.
    TreeChanged { kept: Kept, fits: u64, first: u64, last: u64, count: u64 },
    /// A signed checkpoint covers more entries than there are.
    EntriesGone { kept: Kept, says: u64, leaves: u64 },
    /// The last leaves are under no checkpoint.
    NotCovered { covered: u64, leaves: u64 },
    /// A stored record's version stands in no entry.
    RecordNotEntered { record: Uuid, version: i64 },
    /// A stored record is not what was written as this version.
    RecordEdited { record: Uuid, version: i64 },
    /// One version of a record was written more than once.
    RecordEnteredTwice { record: Uuid, version: i64 },
    /// A later version of the record was written than the one that is stored.
    OldVersionPutBack { record: Uuid, version: i64 },
    /// A row that an account brought in is gone.
    RowGone { account: Uuid, number: i64 },
    /// No entry says that this row came in, or how it stands now.
    RowNotEntered { kind: RowKind, row: Uuid },
    /// A row does not stand as the ledger says.
    RowChanged { kind: RowKind, row: Uuid },
    /// The bytes of an attachment are not in the store.
    ObjectGone { object: Uuid },
    /// The bytes of an attachment are not those that were sealed.
    ObjectChanged { object: Uuid },
    /// A row was put back as it stood before, or after it was taken away.
    RowPutBack { kind: RowKind, row: Uuid },
    /// More than one entry speaks of a row under one name.
    RowEnteredTwice { kind: RowKind, row: Uuid },
    /// What was sealed for a row is gone.
    ContentGone { kind: RowKind, row: Uuid },
    /// A row is of no kind that this service writes.
    UnknownRow { row: Uuid },
    /// Hashes above the leaves are gone, or are not those of the leaves.
    TileChanged { tile: Tile },
    /// Entries were made under a policy to which nobody ever agreed, after two had agreed to another.
    PolicyNotAgreed { change: PolicyChange },
    /// An outage lies in the database as agreed to, and two persons did not sign it.
    OutageNotSigned { outage: OutageId },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryDeleted { position, place } => {
                write!(f, "An entry was deleted: position {position}, {}.", at(place))
            }
            Self::EntryEdited { position, place } => {
                write!(f, "An entry was changed after it was numbered: position {position}, {}.", at(place))
            }
            Self::NotALeaf { place } => write!(f, "An entry cannot be read: {}.", at(place)),
            Self::OtherPlace { place } => write!(f, "An entry was moved from another place to {}.", at(place)),
            Self::DetailDeleted { place } => {
                write!(f, "What an entry says to the auditors was deleted: {}.", at(place))
            }
            Self::RetentionNotEntered { retention } => write!(
                f,
                "Row {retention} says that the time of entries was over and what they said was erased, and no entry of this service \
                 says so: somebody deleted it, or wrote that row."
            ),
            Self::ErasedEarly { retention, position, class, months } => write!(
                f,
                "What entries of the class {class} said was erased before {months} months were over, as the entry at position \
                 {position} tells ({retention}): a clock was wrong, or somebody let it be wrong."
            ),
            Self::ErasedUnannounced { retention, position, class, months } => write!(
                f,
                "What entries of the class {class} said was erased after {months} months, as the entry at position {position} tells \
                 ({retention}), and no entry had announced so short a period thirty days before: it was made shorter unseen."
            ),
            Self::ErasedOfKeptCase { retention, position, case } => write!(
                f,
                "What entries about case {case} said was erased, as the entry at position {position} tells ({retention}), and the case was \
                 open then or under a hold: somebody made it look otherwise while it was looked up."
            ),
            Self::LabelGone { place } => write!(
                f,
                "The label that says what an entry is about was deleted or exchanged, so nobody sees whether its case should have kept \
                 it: {}.",
                at(place)
            ),
            Self::NotSignedByUs { place } => {
                write!(f, "An entry was not written by this service: its signature is wrong: {}.", at(place))
            }
            Self::SignedByOldKey { place } => {
                write!(
                    f,
                    "An entry was written with a key that had been replaced by then, as a thief would: {}.",
                    at(place)
                )
            }
            Self::LaneBroken { place, expected } => write!(
                f,
                "Entries are missing or out of order: n {expected} should come where this stands: {}.",
                at(place)
            ),
            Self::ChainBroken { place } => {
                write!(f, "The entry before this one was exchanged: {}.", at(place))
            }
            Self::PositionsMissing { first, last } => {
                write!(f, "The tree has holes: nothing stands at positions {first} to {last}.")
            }
            Self::LeftOut { place } => {
                write!(f, "An entry was taken out of the tree, or kept from it: {}.", at(place))
            }
            Self::NotQueued { place } => {
                write!(f, "An entry waits for its number but was taken out of the queue: {}.", at(place))
            }
            Self::Stalled { place, hours } => {
                write!(f, "Entries are kept from the tree: one has waited for {hours} hours, {}.", at(place))
            }
            Self::WaitingEntryDeleted { place } => {
                write!(f, "An entry was deleted while it waited for its number: {}.", at(place))
            }
            Self::QueuedAgain { place } => {
                write!(f, "An entry that has its number was put into the queue again: {}.", at(place))
            }
            Self::CheckpointForged { kept: Kept::Database, which, reason } => {
                write!(f, "The checkpoint of size {which} in the database was not signed by this log: {reason}.")
            }
            Self::CheckpointForged { kept: Kept::Outside, which, reason } => {
                write!(f, "Saved checkpoint number {which} was not signed by this log: {reason}.")
            }
            Self::CheckpointByOldKey { kept, which } => {
                write!(f, "A checkpoint {kept} was signed with a key that had been replaced by then: {which}.")
            }
            Self::CheckpointMisfiled { filed, says } => {
                write!(f, "A checkpoint of size {says} is filed in the database under size {filed}.")
            }
            Self::TreeChanged { kept, fits, first, last, count } => write!(
                f,
                "Entries were changed, exchanged or taken out after they were signed for: they do not fit {count} \
                 checkpoint(s) {kept}, sizes {first} to {last}. The first that is wrong is one of the entries {fits} to {}.",
                first.saturating_sub(1)
            ),
            Self::EntriesGone { kept, says, leaves } => write!(
                f,
                "Entries are missing at the end, or the database was rolled back: a checkpoint {kept} was signed for \
                 {says} entries, and there are {leaves}."
            ),
            Self::NotCovered { covered, leaves } => write!(
                f,
                "Checkpoints were deleted or entries added by another hand: there are {leaves} entries, and the \
                 newest checkpoint in the database is signed for {covered}."
            ),
            Self::TileChanged { tile } => write!(
                f,
                "Hashes that are served to whoever checks the ledger were changed or deleted: those of {tile} are not the entries'."
            ),
            Self::RecordNotEntered { record, version } => {
                write!(f, "Record {record}: no entry says that version {version} was ever written.")
            }
            Self::RecordEdited { record, version } => {
                write!(f, "Record {record} was edited: it is not what was written as version {version}.")
            }
            Self::RecordEnteredTwice { record, version } => {
                write!(f, "Record {record}: more than one entry says that version {version} was written.")
            }
            Self::OldVersionPutBack { record, version } => {
                write!(f, "Record {record}: an old version was put back: {version} is stored, a later one was written.")
            }
            Self::RowGone { account, number } => {
                write!(f, "A row was deleted: number {number} of what account {account} brought in.")
            }
            Self::RowNotEntered { kind, row } => {
                write!(f, "{kind} {row}: no entry says that it came in, or how it stands now.")
            }
            Self::RowChanged { kind, row } => {
                write!(f, "{kind} {row} was changed: it does not stand as it was entered.")
            }
            Self::RowPutBack { kind, row } => {
                write!(f, "{kind} {row} was put back: it stands as it did before a later entry.")
            }
            Self::RowEnteredTwice { kind, row } => write!(f, "{kind} {row}: more than one entry says how it stands."),
            Self::ContentGone { kind, row } => write!(f, "{kind} {row}: what was sealed for it was deleted."),
            Self::ObjectGone { object } => write!(f, "Object {object}: an attachment's bytes were removed."),
            Self::ObjectChanged { object } => {
                write!(f, "Object {object}: an attachment's bytes are not those that were stored.")
            }
            Self::UnknownRow { row } => write!(f, "Row {row} is of no kind that this service writes."),
            Self::OutageNotSigned { outage } => write!(
                f,
                "Outage {outage} lies in the database as agreed to, and two persons did not sign it. A service of this version \
                 opened nothing by it: find out who wrote it there."
            ),
            Self::PolicyNotAgreed { change: PolicyChange { policy, first, last, entries } } => write!(
                f,
                "{entries} entries, at positions {first} to {last}, were made under policy {}, to which two responsible persons \
                 never agreed. A service of this version lets people sign in under it, and opens nothing: find out what was \
                 running.",
                hex(policy)
            ),
        }
    }
}

fn at(place: &Place) -> String {
    format!("replica {}, lane {}, n {}", place.replica, place.lane, place.n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_the_place() {
        let place = Place { replica: Uuid::from_u128(1), lane: 2, n: 3 };
        assert_eq!(
            Finding::EntryDeleted { position: 4, place }.to_string(),
            "An entry was deleted: position 4, replica 00000000-0000-0000-0000-000000000001, lane 2, n 3."
        );
    }
}
