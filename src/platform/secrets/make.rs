//! The first values, made by `himaya init` and by a demonstration.

use super::{Named, Raw, file, vouch_of_ledger};
use crate::guard::statement::{hex, unhex};
use crate::platform::config::make_folder;
use crate::platform::random;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

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

pub(super) fn is_of_a_demo(secret: &[u8; 32]) -> bool {
    secret.ends_with(&mark(secret))
}

/// A new value.
pub(super) fn fresh(whom: SecretsFor) -> Raw {
    let mut secret = Zeroizing::new(random::bytes::<32>());
    if whom == SecretsFor::Demo {
        let mark = mark(&secret);
        for (byte, marked) in secret.iter_mut().skip(32 - MARK).zip(mark) {
            *byte = marked;
        }
    }
    secret
}

/// Makes the secrets that are not there yet, each in a file of its own that only the service can read.
///
/// # Errors
/// When the folder cannot be written.
pub fn make(folder: &Path, whom: SecretsFor) -> io::Result<()> {
    make_folder(folder)?;
    complete(folder)?;
    let held = file::hold(folder)?;
    for name in Named::ALL {
        if !folder.join(name.as_str()).exists() {
            let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex(&*fresh(whom)))));
            file::replace(folder, name.as_str(), &text, &held)?;
        }
    }
    Ok(())
}

/// Gives what an older version derived a file of its own: `vouch` followed from the ledger's key, and has to stay what it
/// was when that is exchanged. Says whether it made the file.
///
/// # Errors
/// When the folder cannot be written.
pub fn complete(folder: &Path) -> io::Result<bool> {
    let (ledger, vouch) = (folder.join(Named::Ledger.as_str()), Named::Vouch.as_str());
    if folder.join(vouch).exists() || !ledger.exists() {
        return Ok(false);
    }
    let held = file::hold(folder)?;
    let text = Zeroizing::new(std::fs::read_to_string(ledger)?);
    let first = file::parse(Named::Ledger, &text).ok().and_then(|lines| unhex(&lines.first()?.value).ok());
    // One that is sealed belongs to a version that made this file already.
    let Some(first) = first.map(Zeroizing::new) else { return Ok(false) };
    let derived = vouch_of_ledger(&SigningKey::from_bytes(&first));
    file::replace(folder, vouch, &Zeroizing::new(format!("{}\n", *Zeroizing::new(hex(&*derived)))), &held)?;
    Ok(true)
}
