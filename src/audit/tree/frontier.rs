//! The right edge of a tree: what a log keeps, to append.

use super::{Hash, TreeError, TreeHead, check_root, empty_root, node_hash};

/// The right edge of a tree: all that is needed to append to it and know its root.
///
/// Holds one hash per set bit of the size, namely the roots of the complete
/// subtrees from left (largest) to right (smallest): at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    /// The right edge of the tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a right edge from what [`Frontier::hashes`] and
    /// [`Frontier::size`] gave. Only the number of hashes is checked: where a
    /// signed head of that size exists, use [`Frontier::resume`].
    ///
    /// # Errors
    /// [`TreeError::FrontierLength`] when a tree of `size` has another number.
    pub fn from_hashes(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(TreeError::FrontierLength { size, expected, given: hashes.len() });
        }
        Ok(Self { size, edge: hashes })
    }

    /// Restores a right edge and proves it to be the one of `head`, so that a
    /// table altered behind the log's back cannot fork it.
    ///
    /// # Errors
    /// As [`Frontier::from_hashes`], and [`TreeError::RootMismatch`] when the
    /// hashes do not lead to the head's root.
    pub fn resume(head: TreeHead, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        let frontier = Self::from_hashes(head.size, hashes)?;
        check_root(frontier.root() == head.root)?;
        Ok(frontier)
    }

    /// Appends a leaf by its [`leaf_hash`](super::leaf_hash) and gives the index it has from now on.
    ///
    /// # Errors
    /// [`TreeError::Full`] after `u64::MAX` leaves; the tree is then unchanged.
    pub fn append(&mut self, leaf: Hash) -> Result<u64, TreeError> {
        let index = self.size;
        self.append_subtree(leaf, 0)?;
        Ok(index)
    }

    /// Appends the complete subtree of this height (of 2 to its power of leaves) by its root.
    ///
    /// # Errors
    /// [`TreeError::NotAligned`] where such a subtree cannot begin, and as [`Frontier::append`]; the tree is then unchanged.
    pub fn append_subtree(&mut self, root: Hash, height: u32) -> Result<(), TreeError> {
        let leaves = 1_u64.checked_shl(height).ok_or(TreeError::Full)?;
        if !self.size.is_multiple_of(leaves) {
            return Err(TreeError::NotAligned { size: self.size, height });
        }
        let size = self.size.checked_add(leaves).ok_or(TreeError::Full)?;
        // As in a binary counter: each trailing one of the old number is a complete
        // subtree of just the height that the new one has grown to.
        let mut grown = root;
        for _ in 0..(self.size / leaves).trailing_ones() {
            if let Some(left) = self.edge.pop() {
                grown = node_hash(&left, &grown);
            }
        }
        self.edge.push(grown);
        self.size = size;
        Ok(())
    }

    /// The right edge of the tree of its first `size` leaves, whose size is this one's without some of its lower bits.
    #[must_use]
    pub fn begin(&self, size: u64) -> Self {
        Self { size, edge: self.edge.iter().copied().take(size.count_ones() as usize).collect() }
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far; [`empty_root`] when there are none.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.edge.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }

    /// Size and root together.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }

    /// The right edge, largest subtree first: what a table has to keep, with the
    /// size, for [`Frontier::resume`].
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.edge
    }
}
