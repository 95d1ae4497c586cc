//! Retention: what entries say is erased when the time of their class is over. Leaf, mark and tree stay, so the ledger stays verifiable.
//!
//! Who gains by it is whoever wants a trace gone before somebody looks. So no period is shorter than the floor of its class (`rules`), and one
//! that was made shorter counts only when it has stood in the ledger for thirty days (`announced`). What is erased is told by an entry, and
//! the verifier believes no other (`statement`). How old an entry is its own leaf says, and at least what witnesses saw before it; what time
//! it is now witnesses say, and not the machine's clock (`told_time`): without witnesses nothing is erased, and the verifier has a clock of
//! its own. Entries about a case that is open or under a hold are kept; which case that is, and which class, stands in a `label` that only
//! the service opens. It stays, so the verifier finds what was erased while somebody made a case look closed.
//!
//! `job` goes through the ledger batch by batch. An entry is durable before what it speaks of is erased; a process that dies between the two
//! leaves an entry about details that are there, and the next pass enters and erases them.

pub mod announced;
mod config;
mod job;
pub mod label;
pub(in crate::audit) mod rules;
pub mod statement;
pub(in crate::audit) mod store;
mod told_time;

pub use announced::{Announced, Periods};
pub use config::{Period, RetentionConfig};
pub use job::{Passed, Retention, RetentionError};
pub use rules::Class;
pub use statement::Erased;
pub use told_time::Seen;
