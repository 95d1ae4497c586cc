//! The C2SP message and nothing else: salt, commitment, chunks. Section names are those of the specification.

use super::{CHUNK, ContentKey, KEY, OpenError, SALT, SealError};
use aes_gcm::aead::{AeadInOut, KeyInit, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Key};
use hkdf::Hkdf;
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(super) const COMMITMENT: usize = 32;
const NONCE: usize = 12;
pub(super) const TAG: usize = 16;
/// Chunks a message may have at most ("Message chunking").
pub(super) const MAX_CHUNKS: u64 = 1 << 38;
/// What `info` begins with, before salt and context ("Key derivation").
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

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
    pub(super) fn nonce(&self, number: u64) -> Option<[u8; NONCE]> {
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
