//! Marks: what one leaf vouches for, and the name that it bears there.
//!
//! What is sealed is vouched for version by version. A clear row is vouched for as it came, under its number in the
//! register of the person who brought it in; at each later standing; and when it was rightly taken away. Versions,
//! numbers and standings are dense, so what is missing shows, and so does what was put back.
//!
//! A name is a hash that only who knows the record's id, or the register's, can recompute.

use crate::guard::words::words;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

words! {
    /// The clear rows that the ledger vouches for, by the words of the view `standings`.
    pub enum RowKind {
        Organisation = "organisation",
        Account = "account",
        Membership = "membership",
        Call = "call",
        Notice = "notice",
        Addendum = "addendum",
        Case = "case",
        CaseAccess = "case_access",
        Person = "person",
        Section = "section",
        CaseNote = "case_note",
        CaseHead = "case_head",
        Accommodation = "accommodation",
        Certificate = "certificate",
        Training = "training",
        Placement = "placement",
        Consent = "consent",
        Attachment = "attachment",
        Task = "task",
        AlertAcknowledgement = "alert_acknowledgement",
        Assignment = "assignment",
        Direction = "direction",
        Shift = "shift",
        Absence = "absence",
        Opening = "opening",
        Custody = "custody",
        Bar = "bar",
        Proposal = "proposal",
        Hold = "hold",
        Erasure = "erasure",
        PolicyChange = "policy_change",
        Succession = "succession",
        Resolution = "resolution",
        Outage = "outage",
    }
}

impl RowKind {
    /// Whether something is sealed under the row's own id.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        matches!(
            self,
            Self::Call
                | Self::Notice
                | Self::Addendum
                | Self::Section
                | Self::CaseNote
                | Self::Placement
                | Self::Consent
                | Self::Attachment
                | Self::Task
        )
    }
}

/// What a leaf can vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// One version of one sealed record.
    Content { record: Uuid, version: i64 },
    /// The row that came into a register under this number.
    Registered { register: Uuid, number: i64 },
    /// The row of this number was taken away.
    Struck { register: Uuid, number: i64 },
    /// The row of this number was taken away, by others than its person and with what it hung on. The digest says how it stood: so
    /// a row that somebody planted under the number of another strikes off nothing.
    StruckAsItStood { register: Uuid, number: i64 },
    /// A row at its second or a later standing. Rows of two kinds may share an id.
    Standing { kind: RowKind, row: Uuid, standing: i64 },
}

impl Named {
    /// As it stands in a leaf.
    #[must_use]
    pub fn name(self) -> [u8; 32] {
        let (domain, kind, id, number): (&[u8], _, _, _) = match self {
            Self::Content { record, version } => (b"himaya record version v1", "", record, version),
            Self::Registered { register, number } => (b"himaya register v1", "", register, number),
            Self::Struck { register, number } => (b"himaya register struck v1", "", register, number),
            Self::StruckAsItStood { register, number } => (b"himaya register struck v2", "", register, number),
            Self::Standing { kind, row, standing } => (b"himaya row standing v1", kind.as_str(), row, standing),
        };
        // A domain has no fixed length, an id and a number do: only the kind stands between, and only in one domain.
        Sha256::new()
            .chain_update(domain)
            .chain_update(kind.as_bytes())
            .chain_update(id.as_bytes())
            .chain_update(number.to_be_bytes())
            .finalize()
            .into()
    }
}

/// What the ledger says of one record or row: enough to find that it was changed, hidden or put back, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// For the entry's detail, which the auditors read.
    pub record: Uuid,
    /// The version that was sealed; nothing for a row.
    pub version: Option<i64>,
    pub name: [u8; 32],
    pub digest: [u8; 32],
}

impl Mark {
    /// A version of a sealed record.
    #[must_use]
    pub fn content(record: Uuid, version: i64, digest: [u8; 32]) -> Self {
        Self { record, version: Some(version), name: Named::Content { record, version }.name(), digest }
    }

    /// What stands in the leaf of a read that an outage allowed, in the place of random bytes: who knows the outage's id counts such
    /// reads without opening an entry, and to everybody else the leaf tells nothing.
    #[must_use]
    pub fn in_outage(outage: Uuid, salt: [u8; 32]) -> Self {
        Self { record: outage, version: None, name: in_outage(outage, &salt), digest: salt }
    }

    /// What the ledger says of a row.
    #[must_use]
    pub fn row(row: Uuid, named: Named, digest: [u8; 32]) -> Self {
        Self { record: row, version: None, name: named.name(), digest }
    }
}

/// The mark of a read that an outage allowed, whose digest is this salt.
#[must_use]
pub fn in_outage(outage: Uuid, salt: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"himaya read in outage v1")
        .chain_update(outage.as_bytes())
        .chain_update(salt)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::statement::hex;

    /// Frozen: the verifier of a later version must still know the leaves of this one.
    #[test]
    fn names_are_frozen() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let names = [
            Named::Content { record: id, version: 2 },
            Named::Registered { register: id, number: 2 },
            Named::Struck { register: id, number: 2 },
            Named::Standing { kind: RowKind::Notice, row: id, standing: 2 },
            Named::Standing { kind: RowKind::Case, row: id, standing: 2 },
            Named::StruckAsItStood { register: id, number: 2 },
        ]
        .map(|named| hex(&named.name()[..8]));
        assert_eq!(
            names,
            [
                "6abd37f4f96393ea",
                "05dfa6b4008434e3",
                "cbd5bdad3c048e54",
                "fdbc682bd7d919cc",
                "8b0ee919353a057c",
                "dee7b577f3329b3a"
            ]
        );
    }
}
