//! The ledger: no plaintext leaves before the entry that says so is durable, and nobody can change or drop an entry
//! unseen (DESIGN section 5).
//!
//! `entry` is what is written, `mark` what it vouches for, `ledger` writes it, `unit` and `receipt` tie it to changes and reads; `sequencer` puts
//! entries into the RFC 6962 `tree` and signs `checkpoint`s as C2SP signed `note`s, with `keys` that introduce one another; `tiles` is what others fetch of it;
//! `oversight` is what supervisors see of it; `access_list` tells a person who opened their record; `retention` erases what entries say when its
//! time is over; `verify` checks all of it; `witnesses` are those outside who see every checkpoint.

pub mod access_list;
pub mod asked;
pub mod checkpoint;
pub mod entry;
pub mod http;
pub mod keys;
pub mod ledger;
pub mod mark;
pub mod note;
pub mod oversight;
pub mod reading;
pub mod receipt;
pub mod resolutions;
pub mod retention;
pub mod search;
pub mod sequencer;
pub mod snooping;
pub(crate) mod store;
pub mod tiles;
pub mod tree;
pub mod unit;
pub mod verify;
pub mod witnesses;
