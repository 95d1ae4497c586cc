//! Passkeys: an authenticator's key that answers a challenge once its owner is verified, by finger, face or PIN.
//!
//! `party` is the service as authenticators know it, `model` what goes in and out, `ceremonies` asks for a passkey and adds one,
//! `shown` looks at the answer. What an answer leads to is elsewhere: signing in (`sign_in`), a factor shown anew
//! (`credentials`). A passkey with PRF opens the person's keys (`guard/passkey.rs`), and since its owner was verified it counts
//! as both factors; one without is a second factor.
//!
//! A challenge is a row that any replica finds. It is taken away in the transaction of what it leads to: whoever dies half-way
//! has used nothing up, and the same answer counts at another replica.

pub mod ceremonies;
pub mod model;
mod party;
pub(super) mod shown;

pub use party::RelyingParty;
