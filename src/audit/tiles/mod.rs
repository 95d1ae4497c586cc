//! The ledger as others fetch it: C2SP *tlog-tiles*, and *tlog-proof* for single entries.
//!
//! A tile is 256 hashes of one level of the tree beside one another, a bundle the 256 entries below a tile of level 0. They are what
//! the newest signed checkpoint covers, and once they are full they never change. The leaves' hashes stand in the tree's own
//! table. Those of the levels above are stored by the sequencer with the checkpoint that covers them: worked out on demand, one tile of
//! the second level would take sixteen million leaves.
//!
//! `model` is the names and bytes of tiles, `newest` judges the checkpoint that is given to others, `hashes` finds any part of the tree in them, `store` is all SQL; `access` says who may fetch,
//! `http` answers them, and `export` writes the same into a folder, where [`super::verify::outside`] reads it without this service.

pub mod access;
pub mod export;
pub mod hashes;
pub mod http;
pub mod model;
pub mod newest;
pub mod pruning;
pub(crate) mod store;

pub use http::routes;
