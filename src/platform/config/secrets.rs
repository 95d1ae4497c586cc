//! The service's own secrets: files that only it can read.

use super::{ConfigError, DatabaseConfig, address};
use crate::guard::statement::{hex, unhex};
use crate::platform::random;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

/// The service's own secrets. A stolen database with all of them still opens no record.
pub struct Secrets {
    pub pepper: Zeroizing<[u8; 32]>,
    pub token: SigningKey,
    pub ledger: SigningKey,
    pub pseudonyms: Zeroizing<[u8; 32]>,
    /// The names of those that a demonstration made.
    pub of_a_demo: Vec<&'static str>,
}

/// The names of the secret files.
pub const SECRET_FILES: [&str; 4] = ["pepper", "token", "ledger", "pseudonyms"];

/// Whom secrets are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsFor {
    Service,
    /// Recognisable by themselves, wherever they are copied to: production refuses them.
    Demo,
}

/// The bytes at the end of a demonstration's secret that follow from those before them.
const MARK: usize = 8;

/// What the last bytes of a demonstration's secret are.
fn mark(secret: &[u8; 32]) -> [u8; MARK] {
    let (own, _) = secret.split_at(32 - MARK);
    let digest = Sha256::new().chain_update(b"himaya demo secret v1").chain_update(own).finalize();
    std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
}

fn is_of_a_demo(secret: &[u8; 32]) -> bool {
    secret.ends_with(&mark(secret))
}

impl Secrets {
    /// Reads the four files.
    ///
    /// # Errors
    /// [`ConfigError::Secret`] for a file that is missing, is readable by others, or is not 64 hexadecimal digits.
    pub fn read(folder: &Path) -> Result<Self, ConfigError> {
        let [pepper, token, ledger, pseudonyms] = SECRET_FILES;
        let mut of_a_demo = Vec::new();
        let mut secret = |name| -> Result<_, ConfigError> {
            let secret = secret(folder, name)?;
            if is_of_a_demo(&secret) {
                of_a_demo.push(name);
            }
            Ok(secret)
        };
        Ok(Self {
            pepper: secret(pepper)?,
            token: SigningKey::from_bytes(&*secret(token)?),
            ledger: SigningKey::from_bytes(&*secret(ledger)?),
            pseudonyms: secret(pseudonyms)?,
            of_a_demo,
        })
    }
}

fn secret(folder: &Path, name: &'static str) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
    let wrong = |reason| ConfigError::Secret { name, reason };
    let text = text(folder, name)?.ok_or_else(|| wrong("the file cannot be read: it is not there"))?;
    unhex(text.trim()).map(Zeroizing::new).map_err(|_| wrong("is not 64 hexadecimal digits"))
}

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
    let handed = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    if let Some(handed) = handed
        // The mask of systemd's access list looks like the group's right to read.
        && let Some(text) = text_of(&Path::new(&handed).join(name), name, 0o037)?
    {
        return Ok(Some(text));
    }
    text_of(&folder.join(name), name, 0o077)
}

fn text_of(file: &Path, name: &'static str, others: u32) -> Result<Option<Zeroizing<String>>, ConfigError> {
    let wrong = |reason| ConfigError::Secret { name, reason };
    let about = match std::fs::metadata(file) {
        Ok(about) => about,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(_) => return Err(wrong("the file cannot be read: give it to the user that the service runs as")),
    };
    if about.permissions().mode() & others != 0 {
        return Err(wrong("the file can be read by others: make it 0600"));
    }
    let text = std::fs::read_to_string(file);
    text.map(|text| Some(Zeroizing::new(text)))
        .map_err(|_| wrong("the file cannot be read: give it to the user that the service runs as"))
}

/// Makes the secrets that are not there yet, each in a file of its own that only the service can read.
///
/// # Errors
/// When the folder cannot be written.
pub fn make_secrets(folder: &Path, whom: SecretsFor) -> std::io::Result<()> {
    make_folder(folder)?;
    for name in SECRET_FILES {
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name));
        match made {
            Ok(mut file) => {
                let mut secret = Zeroizing::new(random::bytes::<32>());
                if whom == SecretsFor::Demo {
                    let mark = mark(&secret);
                    for (byte, marked) in secret.iter_mut().skip(32 - MARK).zip(mark) {
                        *byte = marked;
                    }
                }
                writeln!(file, "{}", &*Zeroizing::new(hex(&*secret)))?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
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

fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("himaya-secrets-{}", random::uuid()))
    }

    #[test]
    fn a_demonstrations_secrets_are_known_by_themselves() {
        let (demo, own) = (folder(), folder());
        make_secrets(&demo, SecretsFor::Demo).unwrap();
        make_secrets(&own, SecretsFor::Service).unwrap();
        assert_eq!(Secrets::read(&demo).unwrap().of_a_demo, SECRET_FILES);
        assert_eq!(Secrets::read(&own).unwrap().of_a_demo, Vec::<&str>::new());
        // One that was copied among others is found as well.
        std::fs::copy(demo.join("ledger"), own.join("ledger")).unwrap();
        assert_eq!(Secrets::read(&own).unwrap().of_a_demo, ["ledger"]);
        for folder in [demo, own] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn a_secret_that_others_can_read_or_that_is_none_is_refused_by_name() {
        let folder = folder();
        make_secrets(&folder, SecretsFor::Service).unwrap();
        let pepper = folder.join("pepper");
        std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o640)).unwrap();
        let said = |folder: &Path| Secrets::read(folder).err().unwrap().to_string();
        assert!(said(&folder).contains("secret pepper: the file can be read by others"), "{}", said(&folder));
        std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&pepper, "00").unwrap();
        assert!(said(&folder).contains("secret pepper: is not 64"), "{}", said(&folder));
        std::fs::remove_file(&pepper).unwrap();
        assert!(said(&folder).contains("secret pepper: the file cannot be read"), "{}", said(&folder));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
