//! The hashes above the leaves, as they are stored to be served: each that of the full tile below it.

use super::finding::Finding;
use super::walk::Walk;
use crate::audit::tiles::model::{Holds, Tile, WIDTH, hashes_at};
use crate::audit::tiles::store;
use crate::audit::tree::tree_root;
use sqlx::PgConnection;

impl Walk<'_> {
    /// Compares them. Where there are none at all the sequencer has not begun to keep them: it makes them when it starts, from the leaves,
    /// so whoever empties the table hides nothing.
    pub(super) async fn above(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        // Without a leaf nobody knows what stands above it: that was told.
        let Some(size) = self.dense() else { return Ok(()) };
        if !store::any_nodes(connection).await? {
            return Ok(());
        }
        for level in 1_u8..8 {
            for n in 0..hashes_at(level, size).div_ceil(WIDTH) {
                let Some(tile) = Tile::of(Holds::Hashes(level), n, size) else { break };
                let stored = store::hashes(connection, tile).await?;
                let mut same = true;
                for (n, stored) in tile.range().zip(stored) {
                    let Some(below) = Tile::of(Holds::Hashes(level - 1), n, size) else { break };
                    let below = store::hashes(connection, below).await?;
                    let below: Option<Vec<_>> = below.into_iter().collect();
                    same &= below.is_some_and(|below| stored == Some(tree_root(&below)));
                }
                if !same {
                    self.report.find(Finding::TileChanged { tile });
                }
            }
        }
        Ok(())
    }
}
