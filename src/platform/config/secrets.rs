//! The passwords of the database roles, and other words that only the service reads: files called like their field.

use super::{ConfigError, DatabaseConfig, address};
use crate::platform::secrets::{file, handed};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

/// The password of a database role, if there is a file of its field's name.
pub(super) fn password(folder: &Path, field: &'static str) -> Result<Option<Zeroizing<String>>, ConfigError> {
    let Some(text) = text(folder, field)? else { return Ok(None) };
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(ConfigError::Secret { name: field, reason: "the file is empty" });
    }
    Ok(Some(Zeroizing::new(password.to_owned())))
}

/// What stands in the file of a secret: the credential of that name that systemd hands over, or else the file in the
/// folder; `None` when there is neither.
fn text(folder: &Path, name: &'static str) -> Result<Option<Zeroizing<String>>, ConfigError> {
    if let Some(handed) = handed()
        // The mask of systemd's access list looks like the group's right to read.
        && let Some(text) = file::read(&handed.join(name), name, 0o037)?
    {
        return Ok(Some(text));
    }
    file::read(&folder.join(name), name, 0o077)
}

/// Writes the passwords of these addresses into files of their own; the addresses without them come back.
///
/// # Errors
/// When the folder cannot be written.
pub fn keep_passwords(folder: &Path, database: &DatabaseConfig) -> std::io::Result<DatabaseConfig> {
    make_folder(folder)?;
    database.change(|field, full| {
        let (address, password) = address::without_password(full);
        if let Some(password) = password.map(Zeroizing::new) {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(folder.join(field))?;
            writeln!(file, "{}", &*password)?;
        }
        Ok(address)
    })
}

pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A token in a file of its own, which nobody else reads.
///
/// # Errors
/// What is wrong with the file: a sentence that goes on after its field.
pub(crate) fn word(path: &Path) -> Result<Zeroizing<String>, String> {
    // The mask of systemd's access list for a credential looks like the group's right to read.
    let text = file::read(path, "token_file", 0o037).map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| format!("is {}, which is not there", path.display()))?;
    let word = Zeroizing::new(text.trim().to_owned());
    if word.is_empty() || !word.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!("is {}, which holds no token", path.display()));
    }
    Ok(word)
}
