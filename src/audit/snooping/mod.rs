//! Snooping: people who look without work to do are told to the auditors, with the reason.
//!
//! What is counted is counted when an entry is made (`tally`), in the memory of the process; every few seconds the counts of
//! a person's day are added to those of other processes (`lookout`), and compared with the habit of the role (`rules`). Which
//! record somebody looked at is never stored for it: the database gets numbers, and the ledger has the entries.

pub mod config;
pub mod http;
pub mod lookout;
pub mod model;
pub mod rules;
pub(crate) mod store;
pub mod tally;

pub use config::{RuleConfig, SnoopingConfig};
pub use lookout::Lookout;
pub use model::Measure;
pub use tally::Tally;
