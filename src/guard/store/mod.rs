//! All SQL of the guard: who is asking, who vouches for whom, and what is sealed for whom.
//!
//! Every function that touches a record takes a connection that has entered a session (see [`super::look`] and
//! [`crate::audit::unit`]), so row-level security sees the same person as the gate.
//!
//! A file a subject: `session` who is asking, `statements` who vouches for whom, `relations` how they stand to a record,
//! `sealed` and `wraps` what is sealed and for whom, `visit` all of these for one section, `erasure` the second database, `answers` what was answered before,
//! `custody` what two custodians reach, `policies` which policy was agreed to,
//! `outages` which readers were let on.

mod answers;
mod custody;
mod erasure;
mod outages;
mod policies;
mod relations;
mod sealed;
mod session;
mod statements;
mod visit;
mod wraps;

pub use answers::*;
pub use custody::*;
pub use erasure::*;
pub use outages::*;
pub use policies::*;
pub use relations::*;
pub use sealed::*;
pub use session::*;
pub use statements::*;
pub use visit::*;
pub use wraps::*;

use sqlx::PgConnection;
use uuid::Uuid;

/// Holds everybody else who names the same thing until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn serialise(connection: &mut PgConnection, thing: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))", thing)
        .fetch_one(connection)
        .await?;
    Ok(())
}
