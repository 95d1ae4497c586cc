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
//! Two layers: `seal_chunks`/`open_chunks` are the C2SP message and nothing else (a stream
//! builds on the `MessageKeys` under them); [`seal`]/[`open`] add header, salt and padding.

use aes_gcm::aead::{AeadInOut, KeyInit, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Key};
use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const FORMAT: u8 = 0x01;
const SUITE: u8 = 0x01;
const HEADER: usize = 6;
const SALT: usize = 24;
const COMMITMENT: usize = 32;
const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;
const CHUNK: usize = 16 * 1024;
/// Chunks a message may have at most ("Message chunking").
const MAX_CHUNKS: u64 = 1 << 38;
/// What `info` begins with, before salt and context ("Key derivation").
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
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
    /// The operating system gave no random bytes, so there is no salt.
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

/// The C2SP message for `plaintext`: salt ‖ commitment ‖ chunks. The salt must never repeat
/// under one key; `context` may be empty; no padding, no header.
///
/// # Errors
/// [`SealError::Cipher`] from 4 PiB on.
pub(crate) fn seal_chunks(
    key: &ContentKey,
    salt: &[u8; SALT],
    context: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let keys = MessageKeys::derive(key, salt, context).ok_or(SealError::Cipher)?;
    let mut out = [&salt[..], &keys.commitment].concat();
    let chunks = plaintext.chunks_exact(CHUNK);
    // The remainder is what the specification wants last: shorter than a chunk, maybe empty.
    let last = chunks.remainder();
    out.reserve_exact(plaintext.len().saturating_add(TAG * (chunks.len() + 1)));
    for (number, chunk) in (0..).zip(chunks.chain([last])) {
        keys.seal_chunk(number, chunk, &mut out).ok_or(SealError::Cipher)?;
    }
    Ok(out)
}

/// Opens a C2SP message; nothing of it is returned unless all of it is authentic.
///
/// # Errors
/// [`OpenError::NotThisRecord`], whatever the reason.
pub(crate) fn open_chunks(key: &ContentKey, context: &[u8], message: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let open = || {
        let (salt, rest) = message.split_first_chunk::<SALT>()?;
        let (commitment, body) = rest.split_first_chunk::<COMMITMENT>()?;
        let keys = MessageKeys::derive(key, salt, context)?;
        // Before any chunk: GCM alone lets one ciphertext open under several keys.
        bool::from(keys.commitment.ct_eq(commitment)).then_some(())?;
        let chunks = body.chunks_exact(CHUNK + TAG);
        // Truncated after a full chunk, the message ends in an empty remainder, and that lacks
        // a tag: the missing last chunk is an error, not an end.
        let last = chunks.remainder();
        let mut out = Zeroizing::new(Vec::with_capacity(body.len()));
        for (number, chunk) in (0..).zip(chunks.chain([last])) {
            keys.open_chunk(number, chunk, &mut out)?;
        }
        Some(out)
    };
    open().ok_or(OpenError::NotThisRecord)
}

/// What is derived for a single message: its AEAD key, base nonce and commitment.
pub(crate) struct MessageKeys {
    cipher: Aes256Gcm, // wipes its key schedule when dropped (feature "zeroize")
    base_nonce: Zeroizing<[u8; NONCE]>,
    pub(crate) commitment: [u8; COMMITMENT], // to be compared in constant time
}

impl MessageKeys {
    /// "Key derivation". `None` only if a primitive refuses these fixed sizes.
    pub(crate) fn derive(key: &ContentKey, salt: &[u8; SALT], context: &[u8]) -> Option<Self> {
        // The hkdf crate refuses a PRK shorter than the hash, the specification wants one of 32
        // bytes. HMAC itself fills a short key with zeros (RFC 2104), so these PRKs are equal.
        let mut prk = Zeroizing::new([0; 64]);
        prk.first_chunk_mut::<KEY>()?.copy_from_slice(key.as_bytes());
        let mut derived = Zeroizing::new([0; KEY + NONCE + COMMITMENT]);
        let hkdf = Hkdf::<Sha512>::from_prk(&prk[..]).ok()?;
        hkdf.expand_multi_info(&[INFO, salt, context], &mut derived[..]).ok()?;
        let (key, rest) = derived.split_first_chunk::<KEY>()?;
        let (base_nonce, commitment) = rest.split_first_chunk::<NONCE>()?;
        Some(Self {
            cipher: Aes256Gcm::new(<&Key<Aes256Gcm>>::from(key)),
            base_nonce: Zeroizing::new(*base_nonce),
            commitment: commitment.try_into().ok()?,
        })
    }

    /// "AEAD usage": the base nonce XOR the chunk's number, big-endian. `None` from 2³⁸ on.
    fn nonce(&self, number: u64) -> Option<[u8; NONCE]> {
        let mut nonce = *self.base_nonce;
        for (byte, count) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= count;
        }
        (number < MAX_CHUNKS).then_some(nonce)
    }

    /// Appends chunk `number` (from zero), encrypted and tagged, to `out`. Every chunk but the
    /// last has 16 KiB, the last less: the caller's part. `None` past the
    /// last number; `out` is then to be discarded.
    pub(crate) fn seal_chunk(&self, number: u64, chunk: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (nonce, start) = (self.nonce(number)?.into(), out.len());
        out.resize(start.checked_add(chunk.len())?, 0);
        // From one buffer into the other: plaintext never stands in `out`.
        let buffer = InOutBuf::new(chunk, out.get_mut(start..)?).ok()?;
        let tag = self.cipher.encrypt_inout_detached(&nonce, b"", buffer);
        out.extend_from_slice(&tag.ok()?);
        Some(())
    }

    /// Appends the plaintext of chunk `number` to `out`, whose capacity must suffice (growing
    /// would leave plaintext in freed memory). `None` if it is not authentic; `out`
    /// then has zeros at its end, never unauthenticated plaintext.
    pub(crate) fn open_chunk(&self, number: u64, chunk: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (body, tag) = chunk.split_last_chunk::<TAG>()?;
        let (nonce, start) = (self.nonce(number)?.into(), out.len());
        out.resize(start.checked_add(body.len())?, 0);
        let buffer = InOutBuf::new(body, out.get_mut(start..)?).ok()?;
        let opened = self.cipher.decrypt_inout_detached(&nonce, b"", buffer, tag.into());
        opened.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const VECTORS: &str = include_str!("../../tests/vectors/chunked_encryption.json");
    const GONE: OpenError = OpenError::NotThisRecord;

    fn hex(v: &Value) -> Vec<u8> {
        let digits = v.as_str().unwrap().as_bytes().chunks(2);
        digits.map(|d| u8::from_str_radix(str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }
    fn hex_n<const N: usize>(v: &Value) -> [u8; N] {
        hex(v).try_into().unwrap()
    }
    fn pattern(len: u64) -> Vec<u8> {
        (0..len).map(|i| u8::try_from((7 * i + 13) % 251).unwrap()).collect()
    }
    fn key(byte: u8) -> ContentKey {
        ContentKey::from_bytes([byte; KEY])
    }
    fn place() -> Context {
        Context::new("notes", [5; 16], "body", 3, 9)
    }
    fn with(blob: &[u8], at: usize, to: u8) -> Vec<u8> {
        [&blob[..at], &[to], &blob[at + 1..]].concat()
    }
    /// Checks `run` (vector, salt, key, plaintext → blob) against the vectors of `group`.
    fn known(group: &str, run: impl Fn(&Value, &[u8; SALT], &ContentKey, &[u8]) -> Vec<u8>) {
        let all: Value = serde_json::from_str(VECTORS).unwrap();
        for v in all[group].as_array().unwrap() {
            let plain = pattern(v["plaintext_len"].as_u64().unwrap());
            let key = ContentKey::from_bytes(hex_n(&v["key"]));
            let blob = run(v, &hex_n(&v["salt"]), &key, &plain);
            assert_eq!(blob.len() as u64, v["sealed_len"].as_u64().unwrap());
            assert_eq!(digest(&blob), hex_n(&v["sealed_sha256"]));
            assert!(v["sealed"].is_null() || blob == hex(&v["sealed"]));
        }
    }

    #[test]
    fn messages_match_the_independent_implementation() {
        known("messages", |v, salt, key, plain| {
            let context = hex(&v["context"]);
            let blob = seal_chunks(key, salt, &context, plain).unwrap();
            assert_eq!(*open_chunks(key, &context, &blob).unwrap(), plain);
            blob
        });
    }

    #[test]
    fn records_match_the_independent_implementation() {
        known("records", |v, salt, key, plain| {
            let epoch = u32::from_be_bytes(hex_n(&v["epoch"]));
            let version = u64::from_be_bytes(hex_n(&v["version"]));
            let [table, section] = ["table", "section"].map(|name| v[name].as_str().unwrap());
            let context = Context::new(table, hex_n(&v["row"]), section, epoch, version);
            assert_eq!(context.0, hex(&v["context"]));
            let blob = seal_with_salt(key, epoch, &context, salt, plain).unwrap();
            assert_eq!(*open(key, epoch, &context, &blob).unwrap(), plain);
            blob
        });
    }

    #[test]
    fn the_header_is_refused_by_name_and_bound() {
        let blob = seal(&key(1), 3, &place(), b"x").unwrap();
        let opened = |epoch, blob: &[u8]| open(&key(1), epoch, &place(), blob).unwrap_err();
        assert_eq!(opened(3, &with(&blob, 0, 2)), OpenError::Version(2));
        assert_eq!(opened(3, &with(&blob, 1, 2)), OpenError::Suite(2));
        let epoch = OpenError::Epoch { found: 3, expected: 4 };
        assert_eq!(opened(4, &blob), epoch);
        // The header rewritten to what the caller expects: the commitment knows better.
        assert_eq!(opened(4, &with(&blob, 5, 4)), GONE);
    }

    #[test]
    fn every_bit_every_length_and_every_chunk_counts() {
        let blob = seal(&key(1), 3, &place(), b"").unwrap();
        for bit in 0..blob.len() * 8 {
            let bad = with(&blob, bit / 8, blob[bit / 8] ^ (1 << (bit % 8)));
            assert!(open(&key(1), 3, &place(), &bad).is_err(), "bit {bit}");
        }
        let message = seal_chunks(&key(1), &[2; SALT], b"", &pattern(2 * CHUNK as u64)).unwrap();
        let (start, chunks) = message.split_at(SALT + COMMITMENT);
        let (one, rest) = chunks.split_at(CHUNK + TAG);
        let (two, last) = rest.split_at(CHUNK + TAG);
        let opened = |parts: &[&[u8]]| open_chunks(&key(1), b"", &[start, &parts.concat()].concat());
        assert!(opened(&[one, two, last]).is_ok());
        for cut in [&[][..], &[one], &[one, two], &[one, last], &[two, one, last], &[last]] {
            assert_eq!(opened(cut), Err(GONE));
        }
        let keys = MessageKeys::derive(&key(1), &[2; SALT], b"").unwrap();
        assert!(keys.nonce(MAX_CHUNKS - 1).is_some() && keys.nonce(MAX_CHUNKS).is_none());
    }

    #[test]
    fn another_place_does_not_open() {
        let of = |table, row, section, epoch, version| Context::new(table, [row; 16], section, epoch, version);
        // The row is sixteen times "a": without lengths the first three would be one place.
        let places = [
            of("aa", b'a', "", 1, 1),
            of("a", b'a', "a", 1, 1),
            of("", b'a', "aa", 1, 1),
            of("aa", b'b', "", 1, 1),
            of("aa", b'a', "", 2, 1),
            of("aa", b'a', "", 1, 2),
        ];
        for (i, a) in places.iter().enumerate() {
            let blob = seal(&key(1), 3, a, b"x").unwrap();
            for (j, b) in places.iter().enumerate() {
                assert_eq!(open(&key(1), 3, b, &blob).is_ok(), i == j);
            }
        }
    }

    #[test]
    fn padding_has_one_form() {
        let good = pad(b"abc").unwrap();
        assert_eq!(**unpad(&good).unwrap(), *b"abc");
        let longer = [&good[..], &[0; 768]].concat();
        let (dirty, end) = (with(&good, 7, 1), with(&good, 255, 1));
        let (length, huge) = (with(&good, 2, 1), with(&good, 0, 255));
        for bad in [&dirty, &end, &length, &huge, &longer, &good[..255], &[0; 3], &[]] {
            assert!(unpad(bad).is_none());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn sealed_opens_again_and_only_whole(
            plain in prop_oneof![0..600_usize, 0..70_000_usize]
                .prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)),
            (bit, cut) in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let blob = seal(&key(1), 3, &place(), &plain).unwrap();
            prop_assert_eq!(&*open(&key(1), 3, &place(), &blob).unwrap(), &plain);
            prop_assert_ne!(&blob, &seal(&key(1), 3, &place(), &plain).unwrap());
            let bit = bit.index(blob.len() * 8);
            let flipped = with(&blob, bit / 8, blob[bit / 8] ^ (1 << (bit % 8)));
            prop_assert!(open(&key(1), 3, &place(), &flipped).is_err());
            prop_assert_eq!(open(&key(1), 3, &place(), &blob[..cut.index(blob.len())]), Err(GONE));
            prop_assert_eq!(open(&key(2), 3, &place(), &blob), Err(GONE));
        }
    }
}
