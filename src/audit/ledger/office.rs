//! Whether there ever was an auditor's office, kept beside the checkpoints.
//!
//! Before there is one, the founding's own work is entered with a key that lies open. Whoever deletes the office's founding from the
//! database and waits for a restart would bring that back; the file says to each process that there was one.

use super::LedgerError;
use crate::guard::record::OrganisationId;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The file in the folder of checkpoints; it holds the office's id.
pub const KEPT: &str = "auditors-founded";

/// The office that there is or was.
pub(super) struct Office {
    file: PathBuf,
    seen: Option<OrganisationId>,
    kept: bool,
}

impl Office {
    pub(super) fn new(checkpoints: &Path) -> Self {
        Self { file: checkpoints.join(KEPT), seen: None, kept: false }
    }

    /// There is one. A file that cannot be written now is written the next time: this process knows it all the same.
    pub(super) fn founded(&mut self, office: OrganisationId) {
        let seen = *self.seen.get_or_insert(office);
        if self.kept {
            return;
        }
        match self.keep(seen) {
            Ok(()) => self.kept = true,
            Err(error) => tracing::error!(%error, file = KEPT, "it is not kept that there is an auditor's office"),
        }
    }

    /// The office that any process of this machine has seen; nothing when none ever was.
    ///
    /// # Errors
    /// [`LedgerError::NoAuditor`] when there is a file that says no office: nobody knows then that there was none.
    pub(super) fn known(&self) -> Result<Option<OrganisationId>, LedgerError> {
        if self.seen.is_some() {
            return Ok(self.seen);
        }
        let unreadable = |error: io::Error| {
            tracing::error!(%error, file = KEPT, "it cannot be read whether there was an auditor's office");
            LedgerError::NoAuditor
        };
        match std::fs::read_to_string(&self.file) {
            Ok(text) => {
                let office = text.trim().parse::<Uuid>().map_err(|error| unreadable(io::Error::other(error)))?;
                Ok(Some(OrganisationId(office)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Writes the file, whole, unless there is one.
    fn keep(&self, office: OrganisationId) -> io::Result<()> {
        if self.file.exists() { Ok(()) } else { crate::guard::council::keep(&self.file, &format!("{}\n", office.0)) }
    }
}
