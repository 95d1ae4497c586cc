//! SQL that a superuser runs once: roles, passwords, databases. Names and passwords are made here, never taken from input.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Postgres, Transaction};

/// SQLSTATE `invalid_catalog_name`.
const NO_SUCH_DATABASE: &str = "3D000";

const ROLES: [&str; 3] = [
    include_str!("../../migrations/roles.sql"),
    include_str!("../../migrations/roles-sweeper.sql"),
    include_str!("../../migrations/roles-timekeeper.sql"),
];
/// The roles that log in.
pub const LOGINS: [&str; 7] = [
    "himaya_migrator",
    "himaya_app",
    "himaya_door",
    "himaya_sequencer",
    "himaya_auditor",
    "himaya_sweeper",
    "himaya_timekeeper",
];

/// Makes the roles that are not there yet.
pub async fn make_roles(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = alone(connection).await?;
    for roles in ROLES {
        sqlx::raw_sql(roles).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Roles belong to the whole server: two installations that are set up on it, or restored, at the same moment would change the same row,
/// and PostgreSQL gives one of them an error for that.
async fn alone(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Gives each login role a password of its own, which is hexadecimal.
pub async fn set_passwords(
    connection: &mut PgConnection,
    passwords: &[(&'static str, String)],
) -> Result<(), sqlx::Error> {
    let mut transaction = alone(connection).await?;
    for (role, password) in passwords {
        let statement = format!("ALTER ROLE {role} PASSWORD '{password}'");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Makes a database that the owner owns, if it is not there, to which only the roles that log in connect. The name was
/// checked to be plain.
///
/// # Errors
/// When the database does not answer.
pub async fn make_database(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let there = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS "it!""#, name)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        let statement = format!("CREATE DATABASE {name} OWNER himaya_owner");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    let statement = format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    let statement = format!("GRANT CONNECT ON DATABASE {name} TO {}", LOGINS.join(", "));
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// Whether the database holds an organisation: one that is not there yet, or has no schema, holds none.
///
/// # Errors
/// When the server does not answer.
pub async fn is_set_up(database: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut connection = match database.connect().await {
        Ok(connection) => connection,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_DATABASE) => return Ok(false),
        Err(error) => return Err(error),
    };
    let table = sqlx::query_scalar!(r#"SELECT to_regclass('public.organisations') IS NOT NULL AS "it!""#);
    let it = table.fetch_one(&mut connection).await?
        && sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM public.organisations) AS "it!""#)
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    Ok(it)
}

/// Gives the schema to the owner, so that the migrator can change it.
pub async fn own_schema(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("ALTER SCHEMA public OWNER TO himaya_owner").execute(connection).await?;
    Ok(())
}
