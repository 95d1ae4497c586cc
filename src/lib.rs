//! Himaya: case management for the protection of victims of human trafficking.
//!
//! Need to know is held at four walls, each tested alone: the policy (`guard::policy`), the keys (`guard::vault`), the
//! database's row-level security (`migrations/`) and the ledger (`audit`). `ARCHITECTURE.md` walks one request through
//! the files.

pub mod absences;
pub mod accommodation;
pub mod alerts;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod calls;
pub mod cases;
pub mod consents;
pub mod custody;
pub mod demo;
pub mod doctor;
pub mod guard;
pub mod notices;
pub mod outages;
pub mod placements;
pub mod platform;
pub mod policies;
pub mod roster;
pub mod setup;
pub mod staff;
pub mod statistics;
pub mod status;
pub mod supervision;
pub mod tasks;
pub mod witness;
