//! What the catalogue says, asked as whichever role the connection is.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What a role may do.
pub struct Role {
    pub name: String,
    /// What stands above every other right, as ALTER ROLE calls it.
    pub powers: Vec<String>,
    /// Roles that it may act as.
    pub member_of: Vec<String>,
    pub owns: bool,
    pub makes_tables: bool,
    /// Tables that it may truncate, or put a trigger on.
    pub empties: Vec<String>,
    /// Tables whose rows it may change.
    pub changes: Vec<String>,
}

/// When the first checkpoint was made that speaks of more entries than this.
///
/// # Errors
/// When the database does not answer.
pub async fn later_checkpoint(connection: &mut PgConnection, size: u64) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    sqlx::query_scalar!("SELECT made_at FROM ledger_checkpoints WHERE size > $1 ORDER BY size LIMIT 1", size)
        .fetch_optional(connection)
        .await
}

/// The role that logged in, in this database.
///
/// # Errors
/// When the database does not answer.
pub async fn role(connection: &mut PgConnection) -> Result<Role, sqlx::Error> {
    sqlx::query_as!(
        Role,
        r#"WITH own AS (
               SELECT c.oid, c.relname::text AS name, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname IN ('public', 'erasure') AND c.relkind IN ('r', 'p')
           )
           SELECT r.rolname::text AS "name!", array_remove(ARRAY[
                      CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                      CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                      CASE WHEN r.rolreplication THEN 'REPLICATION' END], NULL) AS "powers!",
                  ARRAY(SELECT o.rolname::text FROM pg_roles o
                        WHERE o.oid <> r.oid AND pg_has_role(r.oid, o.oid, 'MEMBER') ORDER BY 1) AS "member_of!",
                  EXISTS (SELECT FROM own WHERE own.relowner = r.oid) AS "owns!",
                  (has_database_privilege(r.oid, current_database(), 'CREATE') OR EXISTS (
                      SELECT FROM pg_namespace n
                      WHERE n.nspname IN ('public', 'erasure') AND has_schema_privilege(r.oid, n.oid, 'CREATE')
                  )) AS "makes_tables!",
                  ARRAY(SELECT own.name FROM own WHERE has_table_privilege(r.oid, own.oid, 'TRUNCATE, TRIGGER')
                        ORDER BY 1) AS "empties!",
                  ARRAY(SELECT own.name FROM own
                        WHERE has_any_column_privilege(r.oid, own.oid, 'INSERT, UPDATE')
                           OR has_table_privilege(r.oid, own.oid, 'DELETE') ORDER BY 1) AS "changes!"
           FROM pg_roles r WHERE r.rolname = session_user"#
    )
    .fetch_one(connection)
    .await
}

/// Which of these (`schema.table` or `schema.table.column`) the role may read anything of.
///
/// # Errors
/// When the database does not answer.
pub async fn reads(connection: &mut PgConnection, asked: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
    sqlx::query_scalar!(
        r#"SELECT asked AS "asked!" FROM unnest($1::text[]) AS asked
           JOIN pg_namespace n ON n.nspname = split_part(asked, '.', 1)
           JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = split_part(asked, '.', 2)
           WHERE CASE WHEN split_part(asked, '.', 3) = '' THEN has_any_column_privilege(c.oid, 'SELECT')
                      ELSE has_column_privilege(c.oid, split_part(asked, '.', 3), 'SELECT') END"#,
        &asked
    )
    .fetch_all(connection)
    .await
}

/// Tables of the main database on which row-level security is not both enabled and forced.
///
/// # Errors
/// When the database does not answer.
pub async fn without_row_security(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT c.relname::text AS "name!" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
           ORDER BY c.relname"#
    )
    .fetch_all(connection)
    .await
}

/// Every column there is in a schema, as `table.column`.
///
/// # Errors
/// When the database does not answer.
pub async fn columns(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT c.relname || '.' || a.attname AS "name!"
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
             AND c.relname NOT LIKE '\_sqlx%'"#,
        schema
    )
    .fetch_all(connection)
    .await
}

/// What time the database's machine has.
///
/// # Errors
/// When the database does not answer.
pub async fn time(connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(connection).await
}

/// Every founding statement, with its organisation.
///
/// # Errors
/// When the database does not answer.
pub async fn foundings(connection: &mut PgConnection) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    let rows =
        sqlx::query!("SELECT organisation_id, note FROM foundings ORDER BY proposed_at").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.organisation_id, row.note)).collect())
}

/// The foundings that others have followed, with their organisations.
pub async fn former_foundings(connection: &mut PgConnection) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    let rows = sqlx::query!("SELECT organisation_id, note FROM former_foundings ORDER BY organisation_id, number")
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.organisation_id, row.note)).collect())
}

/// How many erasures wait, and for how many seconds the oldest of them, by the database's clock.
///
/// # Errors
/// When the database does not answer.
pub async fn erasures_waiting(connection: &mut PgConnection) -> Result<(i64, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT waiting AS "waiting!", EXTRACT(epoch FROM longest)::bigint AS "seconds!" FROM erasures_waiting()"#
    )
    .fetch_one(connection)
    .await?;
    Ok((row.waiting, row.seconds))
}
