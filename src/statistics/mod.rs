//! Statistics: tables that are true enough to govern by, and useless to find a person by.
//!
//! This is the method of the statistics page, the protected increments cube: every displayed figure is a sum of the same
//! protected groups, so all tables add; each month only those who are new are rounded, by a key that a quorum holds; and what
//! rounding took is carried inside the year. It is not differential privacy: whoever knows everybody else learns something of
//! the one who is left (`trial` measures how much).
//!
//! All of it is pure: no database, no clock, no randomness. `coded` is what goes in, `domains` and `catalogue` are the closed lists,
//! `publish` and `revision` make releases, `protect` is the method itself with `best` as its search, `gates` what must hold,
//! `release` what comes out. From releases alone follow `flow` (stocks), `warning` (early warning) and `exports`. `trial` measures
//! the method beside others on people who do not exist.

mod best;
pub mod catalogue;
pub mod citizenship;
pub mod coded;
pub mod domains;
pub mod exports;
pub mod flow;
mod gates;
pub mod key;
mod layout;
mod protect;
pub mod publish;
pub mod release;
pub mod revision;
pub mod trial;
pub mod warning;

#[cfg(test)]
mod tests;

pub use gates::Gate;
