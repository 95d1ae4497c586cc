//! What must not be bypassed, once: who asks (`session`, `token`), who vouches for whom (`statement`, `trust`), who may
//! do what (`policy`, `gate`), and what opens (`keys`, `bytes`, `passphrase`, `vault`).
//!
//! A capability never decides by itself. It asks the gate for an [`gate::Authorized`], reads with a [`look::Look`] or
//! writes with a [`crate::audit::unit::Unit`], and opens with the [`crate::audit::receipt::Receipt`] that these end in.
//! Forgetting a step does not compile; `tests/compile_fail/` keeps it so.

pub mod action;
pub mod bytes;
pub mod columns;
pub mod council;
pub mod custody;
pub mod gate;
pub mod keys;
pub mod look;
pub mod outage;
pub mod passkey;
pub mod passphrase;
pub mod policy;
pub mod record;
pub mod session;
pub mod statement;
pub(crate) mod store;
pub mod sweep;
#[cfg(feature = "test-support")]
pub mod theft;
pub mod token;
pub mod tombstones;
pub mod totp;
pub mod trust;
pub mod vault;
pub mod vouch;
pub(crate) mod words;
