//! The key K: from it follow the dither of a cell, the rank of a person and the order of a scan. Without it, nobody can say
//! which way a figure was rounded.

use super::coded::Pseudonym;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// By how much errors and dithers are scaled, in bits: 2^20 is one person.
pub const SCALE_BITS: u32 = 20;
/// One person, as errors and dithers count.
pub const ONE: i64 = 1 << SCALE_BITS;

/// K. It is held under a quorum only, and changes only at a year's end.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct StatisticsKey([u8; 32]);

impl StatisticsKey {
    /// Takes over 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA-256 over the parts, each with its length before it, so that no two lists of parts are the same bytes.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // An HMAC takes a key of any length, so the shorter way never happens.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The dither of a cell, between −b/2 and b/2, scaled by 2^20. It depends on the cell's name only, so it is the same in every
    /// month, year and cube: figures about the same people cannot be averaged.
    #[must_use]
    pub fn dither(&self, cell: &str, base: i64) -> i64 {
        // The highest 20 of the 64 bits that the method draws: base · 2^20 · (drawn / 2^64 − ½).
        let [first, second, third, ..] = self.mac(&[b"di", cell.as_bytes()]);
        let share = i64::from(u32::from_be_bytes([0, first, second, third]) >> (24 - SCALE_BITS));
        base * share - base * ONE / 2
    }

    /// Who goes first when somebody has to be counted up.
    #[must_use]
    pub fn rank(&self, person: &Pseudonym) -> [u8; 32] {
        self.mac(&[b"rk", &person.0])
    }

    /// When an item's turn comes in a pass over those that were counted up.
    #[must_use]
    pub fn turn(&self, release: &str, salt: u8, item: &[u8; 32]) -> [u8; 32] {
        self.mac(&[b"or", release.as_bytes(), &[salt], item])
    }

    /// Tells whether it is the key of the months before, and nothing else of it.
    #[must_use]
    pub fn mark(&self) -> [u8; 32] {
        self.mac(&[b"mark"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dithers_fill_the_base_evenly_and_stay() {
        let key = StatisticsKey::new([7; 32]);
        let drawn: Vec<i64> = (0..2000).map(|cell| key.dither(&format!("cell {cell}"), 3)).collect();
        assert!(drawn.iter().all(|u| (-3 * ONE / 2..3 * ONE / 2).contains(u)));
        let (sum, below) = (drawn.iter().sum::<i64>(), drawn.iter().filter(|u| **u < 0).count());
        assert!((sum / 2000).abs() < ONE / 10, "{sum}");
        assert!((900..1100).contains(&below), "{below}");
        assert_eq!(key.dither("cell 1", 3), StatisticsKey::new([7; 32]).dither("cell 1", 3));
        assert_ne!(key.dither("cell 1", 3), StatisticsKey::new([8; 32]).dither("cell 1", 3));
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        let key = StatisticsKey::new([7; 32]);
        assert_ne!(key.mac(&[b"ab", b"c"]), key.mac(&[b"a", b"bc"]));
    }
}
