//! All SQL of openings and CUSTODY keys. What reaches further than row-level security are functions of the database that
//! ask who opened what, and when (migration 0021).

mod keys;
mod openings;

pub use keys::*;
pub use openings::*;
