//! What a restore asks and changes by itself, as a superuser.

use sqlx::PgConnection;
use uuid::Uuid;

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

/// Takes erased cases out of everybody's sight: nobody stands in any relation to one, and the wraps go of what hangs on it. Its
/// rows stay as the backup's ledger says. How many cases there were.
///
/// # Errors
/// When the database does not answer.
pub async fn hide_erased(connection: &mut PgConnection, erased: &[Uuid]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO erased_before (case_id) SELECT id FROM cases WHERE id = ANY($1) ON CONFLICT DO NOTHING",
        erased
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "WITH here AS (SELECT p.id, p.address_id, p.care_id FROM placements p JOIN erased_before e ON e.case_id = p.case_id),
         told AS (SELECT n.id FROM notices n JOIN erased_before e ON e.case_id = n.case_id),
         records AS (
             SELECT id FROM here UNION ALL SELECT address_id FROM here UNION ALL SELECT care_id FROM here
             UNION ALL SELECT id FROM told
             UNION ALL SELECT a.id FROM addenda a WHERE a.notice_id IN (SELECT id FROM told)
             UNION ALL SELECT t.id FROM attachments t WHERE t.notice_id IN (SELECT id FROM told)
             UNION ALL SELECT c.id FROM consents c JOIN erased_before e ON e.case_id = c.case_id
             UNION ALL SELECT t.id FROM tasks t JOIN erased_before e ON e.case_id = t.case_id)
         DELETE FROM wraps WHERE key_id = ANY($1) AND key_id IN (
             SELECT s.key_id FROM sealed s WHERE s.record_id IN (SELECT id FROM records)
             UNION ALL SELECT s.key_id FROM sealed s JOIN erased_before e ON e.case_id = s.case_id)",
        erased
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
