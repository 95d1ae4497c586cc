//! What a connection is asked before it serves the next person.

use sqlx::{PgConnection, Row as _};

/// Injected SQL may leave something behind in the connection that it ran in: a statement prepared under one of our own
/// names, which is handed the next person's secret; a temporary table in front of a real one; another role or search path;
/// a session to speak for; a cursor; a lock. Every name here is qualified, since the search path may be among them, and the
/// protocol is the simple one, which uses no prepared statement. What is left of other settings ends with `RESET ALL`; if
/// the search path comes out of it changed, it had been.
const LEFT_BEHIND: &str = "
    SELECT pg_catalog.current_setting('search_path') AS path,
           pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid
           AND CURRENT_USER OPERATOR(pg_catalog.=) SESSION_USER
           AND COALESCE(pg_catalog.current_setting('himaya.lookup', true), '') OPERATOR(pg_catalog.=) ''
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_cursors)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks
                           WHERE locktype OPERATOR(pg_catalog.=) 'advisory'
                             AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) AS clean;
    RESET ALL;
    SELECT pg_catalog.current_setting('search_path') AS path, true AS clean";

/// Whether a connection is as it was when it was opened, but for the statements that the driver itself prepared.
///
/// # Errors
/// When the database does not answer.
pub async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let rows = sqlx::raw_sql(LEFT_BEHIND).fetch_all(connection).await?;
    let [before, after] = rows.as_slice() else { return Ok(false) };
    Ok(before.try_get("clean")? && before.try_get::<String, _>("path")? == after.try_get::<String, _>("path")?)
}
