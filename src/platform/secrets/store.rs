//! What the database knows of the service's secrets.

use sqlx::PgConnection;

/// A pepper, and how many slots of one kind are sealed with it.
pub struct Sealed {
    /// None for those from before peppers had names: the oldest.
    pub pepper: Option<String>,
    /// `recovery_code`, or what a person signs in with each day.
    pub kind: String,
    pub slots: i64,
}

/// How many slots are sealed with which pepper. Those of disabled accounts are left out: nobody signs in with them any more,
/// for an account that was disabled stays so.
///
/// # Errors
/// When the database does not answer.
pub async fn slots_by_pepper(connection: &mut PgConnection) -> Result<Vec<Sealed>, sqlx::Error> {
    sqlx::query_as!(
        Sealed,
        r#"SELECT s.pepper, s.kind, count(*) AS "slots!" FROM credential_slots s
           JOIN accounts a ON a.id = s.account_id WHERE a.disabled_at IS NULL GROUP BY s.pepper, s.kind"#
    )
    .fetch_all(connection)
    .await
}

/// How many people somebody else names whose links rest on which pepper.
///
/// # Errors
/// When the database does not answer.
pub async fn links_by_pepper(connection: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(r#"SELECT pepper, count(*) AS "links!" FROM oidc_links GROUP BY pepper"#);
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.pepper, row.links)).collect())
}
