//! Content at rest: C2SP [chunked-encryption](https://c2sp.org/chunked-encryption) in its
//! instantiation Cobblestone-256 (HKDF-Expand-SHA-512, AES-256-GCM), under a padding layer.
//!
//! | sealed blob | bytes | |
//! |---|---|---|
//! | format version | 1 | `0x01` |
//! | suite | 1 | `0x01` = Cobblestone-256 |
//! | epoch | 4 | big-endian, which content key |
//! | salt | 24 | random per message |
//! | commitment | 32 | to key, salt and context |
//! | chunks | 16 + n each | AES-256-GCM, 16 KiB of plaintext each, the last always shorter |
//!
//! The C2SP context is the six header bytes followed by the [`Context`]: header and place are
//! authenticated without being trusted, and a blob moved to another row does not open.
//!
//! Two layers: `seal_chunks`/`open_chunks` in `chunks` are the C2SP message and nothing else (a
//! stream builds on the `MessageKeys` under them); [`seal`]/[`open`] add header, salt and padding.
//! What is too large to be held whole goes through [`stream`].

pub(crate) mod chunks;
pub mod stream;

#[cfg(test)]
mod tests;

use chunks::{open_chunks, seal_chunks};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const FORMAT: u8 = 0x01;
const SUITE: u8 = 0x01;
const HEADER: usize = 6;
const SALT: usize = 24;
const KEY: usize = 32;
const CHUNK: usize = 16 * 1024;
/// Padded sizes in bytes; above the last, multiples of [`CHUNK`].
const CLASSES: [usize; 3] = [256, 1024, 4096];
/// Bytes of the length in front of the padded plaintext.
const LENGTH: usize = 4;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// 4 GiB of plaintext or more.
    #[error("the content is too long to be sealed")]
    TooLong,
    /// A chunk numbered 2³⁸ or more, or a primitive that refuses its input. No input to [`seal`]
    /// is known to bring it about.
    #[error("the cipher refused its input")]
    Cipher,
}

/// Why a blob did not open. The first three are read off the header before anything is
/// authenticated: they say which key or program to look for, not that the rest is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another format than this program writes.
    #[error("sealed format {0:#04x} is not known")]
    Version(u8),
    /// Another cipher suite than Cobblestone-256.
    #[error("cipher suite {0:#04x} is not known")]
    Suite(u8),
    /// Sealed under the key of another epoch.
    #[error("sealed in epoch {found}, opened with the key of epoch {expected}")]
    Epoch {
        /// The epoch the header names.
        found: u32,
        /// The epoch the caller holds the key of.
        expected: u32,
    },
    /// Wrong key, wrong place, truncated or altered. One answer for all of them, so that it
    /// tells whoever tampers nothing about which check stopped them.
    #[error("not this record, or not intact")]
    NotThisRecord,
}

/// A 256-bit content key: the C2SP *input key*. Wiped when dropped; it can be neither cloned
/// nor printed nor serialised.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; KEY]);

impl ContentKey {
    /// Takes over 32 uniformly random bytes (a CSPRNG's or a KDF's, never a password's). The
    /// caller wipes the copy left behind.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// The key itself, for wrapping it to its holders.
    pub(crate) fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

/// The place a blob belongs to. Sealed in one place, it opens in no other.
#[derive(Clone, PartialEq, Eq)]
pub struct Context(Vec<u8>);

impl Context {
    /// The encoded context, for signing what is sealed under it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `table`, `row` (the UUID's bytes), `section`, `epoch` and `version`, each behind its
    /// length in bytes as a big-endian `u32`: without the lengths ("ab", "c") and ("a", "bc")
    /// would be one place.
    #[must_use]
    pub fn new(table: &str, row: [u8; 16], section: &str, epoch: u32, version: u64) -> Self {
        let (epoch, version) = (epoch.to_be_bytes(), version.to_be_bytes());
        let mut bytes = Vec::new();
        for part in [table.as_bytes(), &row, section.as_bytes(), &epoch, &version] {
            match u32::try_from(part.len()) {
                Ok(len) if len < u32::MAX => bytes.extend(len.to_be_bytes()),
                // 4 GiB of name: absurd, but injective still, without an error to handle.
                _ => {
                    bytes.extend(u32::MAX.to_be_bytes());
                    bytes.extend(part.len().to_be_bytes());
                }
            }
            bytes.extend(part);
        }
        Self(bytes)
    }
}

/// Seals `plaintext` under `key`, the key of `epoch`, for the place `context`, with a fresh
/// random salt. The length of the result tells only the padding class: plaintext and a
/// four-byte length filled up to 256 B, 1 KiB, 4 KiB, or the next multiple of 16 KiB.
///
/// # Errors
/// [`SealError::TooLong`] from 4 GiB of plaintext on.
pub fn seal(key: &ContentKey, epoch: u32, context: &Context, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    seal_with_salt(key, epoch, context, &crate::platform::random::bytes::<SALT>(), plaintext)
}

/// [`seal`] with its salt given, apart so that known answers can be checked. A salt used twice
/// under one key and context gives both plaintexts away: nothing else may call this.
fn seal_with_salt(
    key: &ContentKey,
    epoch: u32,
    context: &Context,
    salt: &[u8; SALT],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let [a, b, c, d] = epoch.to_be_bytes();
    let header = [FORMAT, SUITE, a, b, c, d];
    let padded = pad(plaintext).ok_or(SealError::TooLong)?;
    let message = seal_chunks(key, salt, &[&header[..], &context.0].concat(), &padded)?;
    Ok([&header[..], &message].concat())
}

/// Opens what [`seal`] made with the same key, epoch and context. The plaintext is wiped when
/// dropped.
///
/// # Errors
/// [`OpenError::Version`], [`OpenError::Suite`] and [`OpenError::Epoch`] if the header names
/// another; every other failure is [`OpenError::NotThisRecord`].
pub fn open(key: &ContentKey, epoch: u32, context: &Context, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, message) = sealed.split_first_chunk::<HEADER>().ok_or(OpenError::NotThisRecord)?;
    let [format, suite, found @ ..] = *header;
    let found = u32::from_be_bytes(found);
    match (format, suite) {
        (FORMAT, SUITE) if found == epoch => {}
        (FORMAT, SUITE) => {
            return Err(OpenError::Epoch { found, expected: epoch });
        }
        (FORMAT, _) => return Err(OpenError::Suite(suite)),
        _ => return Err(OpenError::Version(format)),
    }
    let padded = open_chunks(key, &[&header[..], &context.0].concat(), message)?;
    unpad(&padded).ok_or(OpenError::NotThisRecord)
}

/// The SHA-256 of a sealed blob, header included, by which journals and backups name it.
#[must_use]
pub fn digest(sealed: &[u8]) -> [u8; 32] {
    Sha256::digest(sealed).into()
}

/// The padded size in bytes for `len` bytes of plaintext; `None` if no `usize` holds it.
fn padded_len(len: usize) -> Option<usize> {
    let used = len.checked_add(LENGTH)?;
    let class = CLASSES.into_iter().find(|class| used <= *class);
    class.or_else(|| used.checked_next_multiple_of(CHUNK))
}

fn pad(plaintext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let size = padded_len(plaintext.len())?;
    let len = u32::try_from(plaintext.len()).ok()?;
    // At its full size from the start: growing would leave plaintext in freed memory.
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    padded.extend_from_slice(&len.to_be_bytes());
    padded.extend_from_slice(plaintext);
    padded.resize(size, 0);
    Some(padded)
}

/// Undoes [`pad`]; `None` for anything it cannot have made, so that a plaintext has one form.
fn unpad(padded: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (len, rest) = padded.split_first_chunk::<LENGTH>()?;
    let (plaintext, zeros) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let sound = padded_len(plaintext.len()) == Some(padded.len()) && zeros.iter().all(|b| *b == 0);
    sound.then(|| Zeroizing::new(plaintext.to_vec()))
}
