//! The same message piece by piece, for what is too large to be held whole: header, salt, commitment, chunks.
//!
//! The length of the content is not in front of it, since it is not known before the end: it stands in the sealed record
//! that also holds the key. Behind the content come zeros, up to the next size that is told: above 16 KiB multiples of a
//! growing step, so that never more than an eighth is added, and few sizes tell files apart.

use super::chunks::{COMMITMENT, MessageKeys, TAG};
use super::{CHUNK, ContentKey, Context, FORMAT, HEADER, OpenError, SALT, SUITE, SealError};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes in front of the chunks.
pub const HEAD: usize = HEADER + SALT + COMMITMENT;
/// A key is used for one object, and never renewed.
const EPOCH: u32 = 1;
/// A chunk as it lies in the object.
const SEALED_CHUNK: usize = CHUNK + TAG;

const fn header() -> [u8; HEADER] {
    let [a, b, c, d] = EPOCH.to_be_bytes();
    [FORMAT, SUITE, a, b, c, d]
}

/// How many bytes are sealed for content of this length; `None` if no `u64` holds it.
#[must_use]
pub fn padded(length: u64) -> Option<u64> {
    // The four highest bits of the length stay free, the rest is rounded up.
    let step = (CHUNK as u64).max(1 << length.max(1).ilog2().saturating_sub(3));
    length.max(1).checked_next_multiple_of(step)
}

/// How large the object is that holds content of this length.
#[must_use]
pub fn sealed_length(length: u64) -> Option<u64> {
    let padded = padded(length)?;
    // Padded to whole chunks, so the last one is empty.
    let chunks = padded / CHUNK as u64 + 1;
    padded.checked_add(HEAD as u64)?.checked_add(chunks.checked_mul(TAG as u64)?)
}

/// Seals a stream. What is pushed comes out as soon as a chunk is full.
pub struct Sealer {
    keys: MessageKeys,
    number: u64,
    waiting: Zeroizing<Vec<u8>>,
    length: u64,
}

impl Sealer {
    /// Begins, and appends the head to `out`. The key is used once: nothing else may be sealed under it.
    ///
    /// # Errors
    /// [`SealError::Cipher`] if a primitive refuses these fixed sizes.
    pub fn new(key: &ContentKey, context: &Context, out: &mut Vec<u8>) -> Result<Self, SealError> {
        let salt = crate::platform::random::bytes::<SALT>();
        let keys = MessageKeys::derive(key, &salt, &[&header()[..], context.as_bytes()].concat());
        let keys = keys.ok_or(SealError::Cipher)?;
        out.extend_from_slice(&header());
        out.extend_from_slice(&salt);
        out.extend_from_slice(&keys.commitment);
        Ok(Self { keys, number: 0, waiting: Zeroizing::new(Vec::with_capacity(CHUNK)), length: 0 })
    }

    /// How much was pushed.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes content, and appends the chunks that it fills to `out`.
    ///
    /// # Errors
    /// [`SealError::TooLong`] beyond what a message may hold.
    pub fn push(&mut self, mut content: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        while !content.is_empty() {
            let room = CHUNK - self.waiting.len();
            let (now, later) = content.split_at(room.min(content.len()));
            // Within its capacity: growing would leave plaintext in freed memory.
            self.waiting.extend_from_slice(now);
            self.length = self.length.checked_add(now.len() as u64).ok_or(SealError::TooLong)?;
            content = later;
            if self.waiting.len() == CHUNK {
                self.seal_waiting(out)?;
            }
        }
        Ok(())
    }

    /// How many zeros are still to be pushed before the end, when all content was.
    ///
    /// # Errors
    /// [`SealError::TooLong`] if no size holds it.
    pub fn padding(&self) -> Result<u64, SealError> {
        padded(self.length).map(|padded| padded - self.length).ok_or(SealError::TooLong)
    }

    /// The last chunk, which is always shorter than the others: without it a stream that was cut off looks whole.
    ///
    /// # Errors
    /// [`SealError::TooLong`] beyond what a message may hold.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.seal_waiting(out)
    }

    fn seal_waiting(&mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.keys.seal_chunk(self.number, &self.waiting, out).ok_or(SealError::TooLong)?;
        self.number += 1;
        self.waiting.clear();
        Ok(())
    }
}

/// Opens a stream. What comes out was authentic, chunk by chunk; only [`Opener::finish`] says that it was all of it.
pub struct Opener {
    keys: MessageKeys,
    number: u64,
    sealed: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    length: u64,
    opened: u64,
}

impl Opener {
    /// Begins with the head of an object that holds content of this length.
    ///
    /// # Errors
    /// [`OpenError::NotThisRecord`] for another key, place, or format.
    pub fn new(key: &ContentKey, context: &Context, length: u64, head: &[u8; HEAD]) -> Result<Self, OpenError> {
        let (found, rest) = head.split_first_chunk::<HEADER>().ok_or(OpenError::NotThisRecord)?;
        let (salt, commitment) = rest.split_first_chunk::<SALT>().ok_or(OpenError::NotThisRecord)?;
        let keys = MessageKeys::derive(key, salt, &[&header()[..], context.as_bytes()].concat());
        let keys = keys.ok_or(OpenError::NotThisRecord)?;
        if *found != header() || !bool::from(keys.commitment.ct_eq(commitment)) {
            return Err(OpenError::NotThisRecord);
        }
        let sealed = Vec::with_capacity(SEALED_CHUNK);
        Ok(Self { keys, number: 0, sealed, plain: Zeroizing::new(Vec::with_capacity(CHUNK)), length, opened: 0 })
    }

    /// Takes what lies behind the head, and appends the content of every whole chunk to `out`.
    ///
    /// # Errors
    /// [`OpenError::NotThisRecord`]; nothing of that chunk comes out.
    pub fn push(&mut self, mut sealed: &[u8], out: &mut Vec<u8>) -> Result<(), OpenError> {
        while !sealed.is_empty() {
            let room = SEALED_CHUNK - self.sealed.len();
            let (now, later) = sealed.split_at(room.min(sealed.len()));
            self.sealed.extend_from_slice(now);
            sealed = later;
            if self.sealed.len() == SEALED_CHUNK {
                self.open_waiting(out)?;
            }
        }
        Ok(())
    }

    /// The end: the last chunk is there, and as much came out as there must be.
    ///
    /// # Errors
    /// [`OpenError::NotThisRecord`] for an object that was cut off or is longer than its content.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), OpenError> {
        self.open_waiting(out)?;
        (Some(self.opened) == padded(self.length)).then_some(()).ok_or(OpenError::NotThisRecord)
    }

    fn open_waiting(&mut self, out: &mut Vec<u8>) -> Result<(), OpenError> {
        self.plain.clear();
        self.keys.open_chunk(self.number, &self.sealed, &mut self.plain).ok_or(OpenError::NotThisRecord)?;
        self.number += 1;
        self.sealed.clear();
        let left = usize::try_from(self.length.saturating_sub(self.opened)).unwrap_or(usize::MAX);
        let (content, zeros) = self.plain.split_at(left.min(self.plain.len()));
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(OpenError::NotThisRecord);
        }
        out.extend_from_slice(content);
        self.opened = self.opened.saturating_add(self.plain.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::bytes::chunks::open_chunks;
    use proptest::prelude::*;

    fn place(row: u8) -> Context {
        Context::new("objects", [row; 16], "attachment", EPOCH, 1)
    }

    fn key(byte: u8) -> ContentKey {
        ContentKey::from_bytes([byte; 32])
    }

    fn seal(content: &[u8], pieces: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut sealer = Sealer::new(&key(1), &place(1), &mut out).unwrap();
        for piece in content.chunks(pieces) {
            sealer.push(piece, &mut out).unwrap();
        }
        let zeros = vec![0; usize::try_from(sealer.padding().unwrap()).unwrap()];
        sealer.push(&zeros, &mut out).unwrap();
        sealer.finish(&mut out).unwrap();
        out
    }

    fn open(
        key: &ContentKey,
        place: &Context,
        length: u64,
        sealed: &[u8],
        pieces: usize,
    ) -> Result<Vec<u8>, OpenError> {
        let (head, rest) = sealed.split_first_chunk().ok_or(OpenError::NotThisRecord)?;
        let (mut opener, mut out) = (Opener::new(key, place, length, head)?, Vec::new());
        for piece in rest.chunks(pieces) {
            opener.push(piece, &mut out)?;
        }
        opener.finish(&mut out).map(|()| out)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_is_sealed_in_pieces_opens_in_other_pieces(length in 0_usize..70_000, one in 1_usize..40_000, other in 1_usize..40_000) {
            let content: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let sealed = seal(&content, one);
            prop_assert_eq!(sealed_length(length as u64), Some(sealed.len() as u64));
            prop_assert_eq!(open(&key(1), &place(1), length as u64, &sealed, other).unwrap(), content);
        }
    }

    #[test]
    fn it_is_the_message_that_is_sealed_whole() {
        let sealed = seal(&vec![7; 20_000], 999);
        let context = [&header()[..], place(1).as_bytes()].concat();
        let plain = open_chunks(&key(1), &context, &sealed[HEADER..]).unwrap();
        assert_eq!(plain.len(), 2 * CHUNK);
        assert!(plain[..20_000].iter().all(|b| *b == 7) && plain[20_000..].iter().all(|b| *b == 0));
    }

    #[test]
    fn another_key_place_or_length_and_every_change_is_found() {
        let (content, length) = (vec![7; 40_000], 40_000);
        let sealed = seal(&content, 1000);
        let refused = |key: &ContentKey, place: &Context, length, sealed: &[u8]| {
            assert_eq!(open(key, place, length, sealed, 5000), Err(OpenError::NotThisRecord));
        };
        refused(&key(2), &place(1), length, &sealed);
        refused(&key(1), &place(2), length, &sealed);
        for other in [0, length - 1, length + 1, 2 * CHUNK as u64, 4 * CHUNK as u64] {
            // A shorter length finds content where there must be zeros, or another size than there must be.
            if other != length + 1 {
                refused(&key(1), &place(1), other, &sealed);
            }
        }
        for at in [0, 1, 5, 6, 40, 70, HEAD, HEAD + CHUNK, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            refused(&key(1), &place(1), length, &changed);
        }
        for cut in [0, HEAD, HEAD + SEALED_CHUNK, HEAD + 2 * SEALED_CHUNK, sealed.len() - TAG, sealed.len() - 1] {
            refused(&key(1), &place(1), length, &sealed[..cut]);
        }
        let (first, second) = (HEAD..HEAD + SEALED_CHUNK, HEAD + SEALED_CHUNK..HEAD + 2 * SEALED_CHUNK);
        let swapped = [&sealed[..HEAD], &sealed[second.clone()], &sealed[first], &sealed[second.end..]].concat();
        refused(&key(1), &place(1), length, &swapped);
        let longer = [&sealed[..], &[0; TAG]].concat();
        refused(&key(1), &place(1), length, &longer);
    }

    #[test]
    fn sizes_are_told_in_steps_of_an_eighth_at_most() {
        assert_eq!(padded(0), Some(CHUNK as u64));
        assert_eq!(padded(1), Some(CHUNK as u64));
        assert_eq!(padded(CHUNK as u64), Some(CHUNK as u64));
        for length in [100_000, 1 << 20, 5_242_881, 200 << 20, (1 << 40) + 1] {
            let told = padded(length).unwrap();
            assert!(told >= length && (told - length) * 8 <= length.max(8 * CHUNK as u64), "{length} {told}");
            assert_eq!(told % CHUNK as u64, 0);
        }
        // A megabyte more or less: the same size.
        assert_eq!(padded(65 << 20), padded(71 << 20));
        assert_eq!(padded(u64::MAX), None);
    }
}
