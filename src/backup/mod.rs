//! `himaya backup` and `himaya restore`: both databases, the newest checkpoint with the introductions of the ledger's keys, and
//! the sealed bytes of attachments, in a folder of files with their sums.
//!
//! The order is checkpoint, main database, attachments, erasure store, and each is a snapshot of its own moment:
//!
//! - The checkpoint comes before the main database, so it never speaks of entries that the dump has not.
//! - The bytes of an attachment are there before its row, so those of every row in the dump are copied after it; but for
//!   what was erased in between. In a bucket they are not copied: it has backups of its own.
//! - The erasure store comes after the main database. A key is durable before its record, so the later dump has the key of
//!   every record in the earlier one; the other way round, what was written in between could never be opened again. And
//!   what is erased in between has no key in the backup: a restore does not undo it.
//!
//! What is erased after the backup is erased again by the file of tombstones beside the checkpoints
//! (`guard::tombstones`), and without that file both databases are not restored. A dump of the erasure store is still what makes old backups of the main database readable, so it
//! is kept for days only: the manifest says until when.
//!
//! Both work as a superuser of the PostgreSQL servers, since row-level security is forced on everybody else; a service
//! never holds such a right. The service's secrets and pins are in no backup: they are kept elsewhere, or else one stolen
//! folder would hold the pepper beside the passphrases that it protects.

mod manifest;
mod objects;
mod programs;
mod restore;
mod store;
mod take;

pub use manifest::{ERASURE_DUMP_DAYS, Manifest, ManifestError};
pub use programs::ProgramError;
pub use restore::{Restore, RestoreError, Restored, Which, restore};
pub use take::{TakeError, take};

/// A superuser's addresses: of the main database's server, and of the erasure store's. A password may be left out for
/// libpq to find (`PGPASSFILE`).
#[derive(Clone)]
pub struct Superusers {
    pub main: String,
    pub erasure: String,
}
