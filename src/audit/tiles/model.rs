//! Tiles by name and by bytes, as C2SP `tlog-tiles` (<https://c2sp.org/tlog-tiles>) specifies them. No I/O.

use crate::audit::tree::Hash;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;
/// How many halvings of the tree one tile spans.
pub const HEIGHT: u32 = 8;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// The longest name of a tile: seven groups of digits, a level, a width.
const LONGEST: usize = 64;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holds {
    /// Hashes of this level: those of leaves at level 0, and above it those of full tiles of the level below.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// One tile or bundle, full or partial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    holds: Holds,
    n: u64,
    /// 1 to 256.
    width: u64,
}

/// A text that names no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("names no tile")]
pub struct NoTile;

/// Why bytes are not what a tile or bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBytes {
    #[error("has {given} bytes where {expected} are needed")]
    Length {
        /// What a tile of this width has.
        expected: usize,
        /// What is there.
        given: usize,
    },
    #[error("ends within its entry {0}")]
    CutOff(u64),
    #[error("goes on after its {0} entries")]
    TooLong(u64),
}

/// An entry is longer than a bundle's two bytes of length can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry is longer than 65535 bytes")]
pub struct EntryTooLong;

/// How many hashes of a level a tree of so many leaves has.
#[must_use]
pub fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0)
}

impl Tile {
    /// The tile of a level that begins with hash `n` × 256, as far as a tree of this size has it; `None` where it has nothing of it.
    #[must_use]
    pub fn of(holds: Holds, n: u64, size: u64) -> Option<Self> {
        let there = hashes_at(holds.level(), size);
        let width = there.checked_sub(n.checked_mul(WIDTH)?)?.min(WIDTH);
        (width > 0).then_some(Self { holds, n, width })
    }

    /// Every tile of hashes that a tree of this size has above the leaves, full or partial, level by level.
    pub fn above_leaves(size: u64) -> impl Iterator<Item = Self> {
        (1_u8..8).flat_map(move |level| {
            (0..hashes_at(level, size).div_ceil(WIDTH)).filter_map(move |n| Self::of(Holds::Hashes(level), n, size))
        })
    }

    #[must_use]
    pub const fn holds(&self) -> Holds {
        self.holds
    }

    /// Its index within the level.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// How many hashes or entries it holds.
    #[must_use]
    pub const fn width(&self) -> u64 {
        self.width
    }

    /// Which hashes of its level, or which entries.
    #[must_use]
    pub const fn range(&self) -> Range<u64> {
        let first = self.n.saturating_mul(WIDTH);
        first..first.saturating_add(self.width)
    }

    /// Whether a tree of this size has all of it.
    #[must_use]
    pub fn is_in(&self, size: u64) -> bool {
        self.n.checked_mul(WIDTH).and_then(|first| first.checked_add(self.width)).is_some_and(|end| {
            // A full tile of a level whose numbers end before it is in no tree.
            end <= hashes_at(self.holds.level(), size)
        })
    }

    /// Reads a name as it stands behind `tile/`. A tile has one name only: no leading zeroes, no empty groups, no partial tile that is
    /// full.
    ///
    /// # Errors
    /// [`NoTile`] for any other text.
    pub fn parse(path: &str) -> Result<Self, NoTile> {
        if path.len() > LONGEST {
            return Err(NoTile);
        }
        let (level, rest) = path.split_once('/').ok_or(NoTile)?;
        let holds = if level == "entries" { Holds::Entries } else { Holds::Hashes(number(level, 63)?) };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, u64::from(number::<u8>(width, 255)?)),
            None => (rest, WIDTH),
        };
        let mut n: u64 = 0;
        let mut groups = index.split('/').peekable();
        while let Some(group) = groups.next() {
            let digits = if groups.peek().is_some() { group.strip_prefix('x').ok_or(NoTile)? } else { group };
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(NoTile);
            }
            let group: u64 = digits.parse().map_err(|_| NoTile)?;
            n = n.checked_mul(1000).and_then(|n| n.checked_add(group)).ok_or(NoTile)?;
        }
        let tile = Self { holds, n, width };
        // What reads the same and is written otherwise is another text: `x000/001`, `.p/0`.
        if width > 0 && tile.to_string().strip_prefix("tile/") == Some(path) { Ok(tile) } else { Err(NoTile) }
    }

    /// The hashes that these bytes are.
    ///
    /// # Errors
    /// [`BadBytes::Length`] unless they are as many as the tile is wide.
    pub fn hashes(&self, bytes: &[u8]) -> Result<Vec<Hash>, BadBytes> {
        let expected = usize::try_from(self.width).unwrap_or(usize::MAX).saturating_mul(HASH_BYTES);
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if bytes.len() != expected || !rest.is_empty() {
            return Err(BadBytes::Length { expected, given: bytes.len() });
        }
        Ok(hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect())
    }

    /// The entries that these bytes are.
    ///
    /// # Errors
    /// [`BadBytes`] unless they are as many as the bundle is wide, and nothing else.
    pub fn entries<'b>(&self, bytes: &'b [u8]) -> Result<Vec<&'b [u8]>, BadBytes> {
        let mut rest = bytes;
        let mut entries = Vec::with_capacity(usize::try_from(self.width).unwrap_or(0));
        for index in 0..self.width {
            let cut = BadBytes::CutOff(index);
            let (length, behind) = rest.split_first_chunk::<2>().ok_or(cut)?;
            let (entry, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(cut)?;
            entries.push(entry);
            rest = behind;
        }
        if rest.is_empty() { Ok(entries) } else { Err(BadBytes::TooLong(self.width)) }
    }
}

impl Holds {
    /// The level whose numbering it has: entries are numbered like their hashes.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::Hashes(level) => level,
            Self::Entries => 0,
        }
    }
}

/// The name, `tile/` before it.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holds {
            Holds::Hashes(level) => write!(f, "tile/{level}/")?,
            Holds::Entries => f.write_str("tile/entries/")?,
        }
        let (mut groups, mut rest) = (vec![self.n % 1000], self.n / 1000);
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (left, group) in groups.iter().enumerate().rev() {
            if left > 0 {
                write!(f, "x{group:03}/")?;
            } else {
                write!(f, "{group:03}")?;
            }
        }
        if self.width < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// A bundle of these entries. One that is gone from the store stands as an entry without bytes: whoever checks the bundle finds that it
/// does not fit, and which one it is.
///
/// # Errors
/// [`EntryTooLong`] if one does not fit into a bundle.
pub fn bundle<'e>(entries: impl IntoIterator<Item = Option<&'e [u8]>>) -> Result<Vec<u8>, EntryTooLong> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.unwrap_or_default();
        let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// A plain decimal number: no sign, and no zeroes before it.
fn number<N: FromStr + PartialOrd + Copy>(text: &str, most: N) -> Result<N, NoTile> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| plain && *number <= most).ok_or(NoTile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_specs_examples() {
        let tile = Tile::parse("0/x001/x234/067").unwrap();
        assert_eq!((tile.n(), tile.width(), tile.holds()), (1_234_067, 256, Holds::Hashes(0)));
        assert_eq!(tile.range(), 1_234_067 * 256..1_234_068 * 256);
        // A tree of 70,000 leaves.
        let names: Vec<String> = Tile::above_leaves(70_000).map(|tile| tile.to_string()).collect();
        assert_eq!(names, ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(Tile::of(Holds::Hashes(0), 273, 70_000).unwrap().to_string(), "tile/0/273.p/112");
        assert_eq!(Tile::of(Holds::Entries, 272, 70_000).unwrap().to_string(), "tile/entries/272");
        assert_eq!(Tile::of(Holds::Hashes(0), 274, 70_000), None);
        // And one of 256.
        assert_eq!(Tile::of(Holds::Hashes(0), 0, 256).unwrap().to_string(), "tile/0/000");
        assert_eq!(Tile::above_leaves(256).map(|tile| tile.to_string()).collect::<Vec<_>>(), ["tile/1/000.p/1"]);
    }

    #[test]
    fn a_tile_has_one_name() {
        for wrong in [
            "",
            "0",
            "0/",
            "/000",
            "00/000",
            "+0/000",
            "64/000",
            "256/000",
            "-1/000",
            "0/0",
            "0/00",
            "0/0000",
            "0/x000/001",
            "0/001/002",
            "0/x001",
            "0/x001/",
            "0/x001//002",
            "0/x01/002",
            "0/abc",
            "0/000.p",
            "0/000.p/",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/+1",
            "0/000.p/1/2",
            "0/000/",
            "0/000.p/1.p/1",
            "data/000",
            "Entries/000",
            "entries/",
            "0/٠٠٠",
            "0/x099/x999/x999/x999/x999/x999/999",
            "0/x000/x000/x000/x000/x000/x000/x000/x000/x000/x000/000",
        ] {
            assert_eq!(Tile::parse(wrong), Err(NoTile), "{wrong:?}");
        }
        for right in ["0/000", "63/999", "entries/x001/000.p/255", "7/x018/x446/x744/x073/x709/x551/615.p/1"] {
            assert_eq!(Tile::parse(right).unwrap().to_string(), format!("tile/{right}"));
        }
    }

    #[test]
    fn only_what_a_tree_has_is_in_it() {
        let is_in = |name: &str, size| Tile::parse(name).unwrap().is_in(size);
        assert!(is_in("0/000.p/1", 1) && is_in("0/000.p/255", 255) && is_in("0/000.p/9", 300) && is_in("0/000", 256));
        assert!(!is_in("0/000.p/1", 0) && !is_in("0/000.p/3", 2) && !is_in("0/000", 255) && !is_in("0/001.p/1", 256));
        assert!(
            is_in("1/000.p/1", 256) && !is_in("1/000.p/1", 255) && !is_in("1/000.p/2", 511) && is_in("1/000", 65_536)
        );
        assert!(is_in("entries/001.p/4", 260) && !is_in("entries/001.p/5", 260));
        assert!(is_in("7/000.p/255", u64::MAX) && !is_in("8/000.p/1", u64::MAX) && !is_in("63/000.p/1", u64::MAX));
        assert!(!is_in("7/x018/x446/x744/x073/x709/x551/615.p/1", u64::MAX));
    }

    #[test]
    fn a_bundle_that_is_cut_or_goes_on_is_none() {
        let whole = bundle([Some(&b"one"[..]), None, Some(b"three")]).unwrap();
        assert_eq!(whole, b"\0\x03one\0\0\0\x05three");
        let tile = Tile::parse("entries/000.p/3").unwrap();
        assert_eq!(tile.entries(&whole).unwrap(), [&b"one"[..], b"", b"three"]);
        for cut in 0..whole.len() {
            assert!(matches!(tile.entries(&whole[..cut]), Err(BadBytes::CutOff(_))), "{cut}");
        }
        assert_eq!(tile.entries(&[whole, vec![0]].concat()), Err(BadBytes::TooLong(3)));
        assert_eq!(bundle([Some(&vec![0; 65_536][..])]), Err(EntryTooLong));
        let hashes = Tile::parse("0/000.p/2").unwrap();
        assert_eq!(hashes.hashes(&[7; 64]).unwrap(), [Hash::from_bytes([7; 32]); 2]);
        for length in [0, 32, 63, 65, 96] {
            assert_eq!(hashes.hashes(&vec![0; length]), Err(BadBytes::Length { expected: 64, given: length }));
        }
    }

    proptest! {
        #[test]
        fn name_and_back(level in 0_u8..64, entries: bool, n: u64, width in 1_u64..=256) {
            let holds = if entries { Holds::Entries } else { Holds::Hashes(level) };
            let tile = Tile { holds, n, width };
            let name = tile.to_string();
            prop_assert_eq!(Tile::parse(name.strip_prefix("tile/").unwrap()), Ok(tile));
        }

        #[test]
        fn whatever_is_sent_is_a_name_or_none(text in "[0-9x/.pe]{0,40}") {
            if let Ok(tile) = Tile::parse(&text) {
                prop_assert_eq!(tile.to_string(), format!("tile/{text}"));
            }
        }

        #[test]
        fn entries_and_back(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..256)) {
            let bytes = bundle(entries.iter().map(|entry| Some(entry.as_slice()))).unwrap();
            let tile = Tile { holds: Holds::Entries, n: 0, width: entries.len() as u64 };
            prop_assert_eq!(tile.entries(&bytes).unwrap(), entries);
        }
    }
}
