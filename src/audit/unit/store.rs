//! SQL of a unit's own: how the rows stand that it wrote, and the register of the person who writes.

use sqlx::PgConnection;
use uuid::Uuid;

/// A clear row as it stands, for its mark.
pub struct WrittenRow {
    pub kind: String,
    pub id: Uuid,
    pub register: Option<Uuid>,
    pub register_no: Option<i64>,
    pub standing: i64,
    pub digest: [u8; 32],
}

/// How the rows of these ids stand that this very transaction wrote.
///
/// # Errors
/// When the database does not answer.
pub async fn written_rows(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<WrittenRow>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kind AS "kind!", id AS "id!", register, register_no, standing AS "standing!", digest AS "digest!"
           FROM standings_written($1) ORDER BY register_no, kind, id"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let digest = row.digest.try_into().map_err(|_| sqlx::Error::RowNotFound)?;
            let (register, register_no, standing) = (row.register, row.register_no, row.standing);
            Ok(WrittenRow { kind: row.kind, id: row.id, register, register_no, standing, digest })
        })
        .collect()
}

/// The register of the person whose session this is.
///
/// # Errors
/// When the database does not answer.
pub async fn own_register(connection: &mut PgConnection) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT my_register()").fetch_one(connection).await
}

/// How long the person's own register is, and by what code the service vouched for that.
pub struct RegisterState {
    pub length: i64,
    pub tag: Option<Vec<u8>>,
}

/// The state of the register of the person whose session this is.
///
/// # Errors
/// When the database does not answer.
pub async fn register_state(connection: &mut PgConnection) -> Result<Option<RegisterState>, sqlx::Error> {
    sqlx::query_as!(RegisterState, r#"SELECT length AS "length!", tag FROM register_state()"#)
        .fetch_optional(connection)
        .await
}

/// Stores the code for the register's new length.
///
/// # Errors
/// When the database does not answer.
pub async fn tag_register(connection: &mut PgConnection, tag: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT register_tag($1)", tag).fetch_one(connection).await?;
    Ok(())
}
