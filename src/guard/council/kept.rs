//! The latest agreement, as it is kept beside the checkpoints.

use super::{Council, CouncilError};
use crate::guard::record::OrganisationId;
use std::path::Path;

impl Council {
    /// The latest agreement that any process of this machine has seen.
    pub(super) fn kept(&self) -> Result<Option<(OrganisationId, i32)>, CouncilError> {
        let text = match std::fs::read_to_string(&self.kept) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unkept(error)),
        };
        let mut words = text.split_whitespace();
        let organisation = words.next().and_then(|word| word.parse().ok()).map(OrganisationId);
        let number = words.next().and_then(|word| word.parse().ok());
        let unreadable = || std::io::Error::other("is not a line of organisation, number and digest");
        Ok(Some(organisation.zip(number).ok_or_else(|| self.unkept(unreadable()))?))
    }

    pub(super) fn unkept(&self, why: std::io::Error) -> CouncilError {
        CouncilError::Kept { file: self.kept.clone(), why }
    }
}

/// Puts the file in its place as a whole.
pub(crate) fn keep(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let new = file.with_extension(format!("new-{}", crate::platform::random::uuid().simple()));
    let mut made = std::fs::File::create_new(&new)?;
    made.write_all(text.as_bytes())?;
    made.sync_all()?;
    std::fs::rename(&new, file)
}
