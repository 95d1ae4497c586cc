//! The integration tests: one binary, through the public API, on real PostgreSQL, as actors.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod absence;
mod alerts;
mod attachments;
mod attachments_bad;
mod attachments_pace;
mod attachments_sealed;
mod auditor;
mod bad_input;
mod bars;
mod bribed;
mod browser;
mod bucket;
mod bucket_failing;
mod canary;
mod cancelled;
mod catalogue;
mod credentials;
mod custody;
mod custody_injected;
mod custody_stolen;
mod deployed;
mod desk;
mod doctor;
mod door;
mod erasing;
mod erasing_attacked;
mod erasing_killed;
mod erasing_restored;
mod erasure;
mod fail_closed;
mod faults;
mod harness;
mod hidden;
mod holding;
mod houses;
mod injected;
mod issuer;
mod key_matrix;
mod killed;
mod ledger;
mod limits;
mod line;
mod matrix;
mod months;
mod oidc;
mod oidc_away;
mod oidc_keys;
mod outside;
mod passkeys;
mod passkeys_browser;
mod passkeys_lost;
mod planted;
mod policies;
mod policies_closed;
mod pool;
mod restoring;
mod revocation;
mod roster;
mod rotation;
mod rotation_mended;
mod rotation_running;
mod rotation_sealed;
mod rotation_token;
mod rotation_vouched;
mod running;
mod searching;
mod sessions;
mod shelter;
mod shift;
mod snooping;
mod software_key;
mod standing_in;
mod status;
mod steps;
mod story;
mod structure;
mod succession;
mod succession_attacked;
mod sweeping;
mod tampering;
mod tasks;
mod thief;
mod tiles;
mod two_persons;
mod types;
mod walls;
mod words;
mod workload;
mod wraps;
