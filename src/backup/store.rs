//! What a restore asks and changes by itself, as a superuser.

use sqlx::PgConnection;

/// Whether there is a database of this name.
///
/// # Errors
/// When the server does not answer.
pub async fn is_there(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS "it!""#, name)
        .fetch_one(connection)
        .await
}

/// Whether nobody has put anything into this database.
///
/// # Errors
/// When it does not answer.
pub async fn is_empty(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (
               SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
           ) AS "it!""#
    )
    .fetch_one(connection)
    .await
}

/// Ends every session: somebody may have signed out, or been disabled, since the backup.
///
/// # Errors
/// When the database does not answer.
pub async fn end_sessions(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("UPDATE sessions SET ended_at = now() WHERE ended_at IS NULL").execute(connection).await?;
    Ok(done.rows_affected())
}
