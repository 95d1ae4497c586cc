//! What a connection is asked before it serves the next person.

use sqlx::{PgConnection, Row as _};

/// Injected SQL may leave something behind in the connection that it ran in: a statement prepared under one of our own
/// names, which is handed the next person's secret; a temporary table in front of a real one; another role or search path;
/// a session to speak for; a cursor; a lock. Every name here is qualified, since the search path may be among them, and the
/// protocol is the simple one, which uses no prepared statement. What is left of other settings ends with `RESET ALL`; if
/// the search path comes out of it changed, it had been.
/// All but the settings are looked at by `nothing_is_left`, whose plan is kept, as the role that asks.
const LEFT_BEHIND: &str = "SELECT public.nothing_is_left() AS clean; SHOW search_path; RESET ALL; SHOW search_path";

/// Whether a connection is as it was when it was opened, but for the statements that the driver itself prepared.
///
/// # Errors
/// When the database does not answer.
pub async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let rows = sqlx::raw_sql(LEFT_BEHIND).fetch_all(connection).await?;
    let [clean, before, after] = rows.as_slice() else { return Ok(false) };
    Ok(clean.try_get(0)? && before.try_get::<String, _>(0)? == after.try_get::<String, _>(0)?)
}
