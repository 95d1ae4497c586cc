//! CUSTODY: the statements of its keys, and what two custodians reach through it.

use super::SealedRow;
use crate::guard::action::Relation;
use crate::guard::record::{AccountId, CaseId, OrganisationId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A CUSTODY key that claims to be in force.
pub struct CustodyRow {
    pub key_id: Uuid,
    pub note: String,
    pub vouch: Vec<u8>,
}

/// The CUSTODY keys after the founding's, in their order; none of them believed yet.
///
/// # Errors
/// When the database does not answer.
pub async fn custodies(
    connection: &mut PgConnection,
    organisation: OrganisationId,
) -> Result<Vec<CustodyRow>, sqlx::Error> {
    sqlx::query_as!(
        CustodyRow,
        "SELECT key_id, note, vouch FROM custodies WHERE organisation_id = $1 AND in_force_at IS NOT NULL
         ORDER BY number LIMIT 10000",
        organisation.0
    )
    .fetch_all(connection)
    .await
}

/// Keeps CUSTODY as it is until the transaction ends: whoever seals to a key must not be overtaken by its successor.
///
/// # Errors
/// When the database does not answer.
pub async fn hold_custody(connection: &mut PgConnection, organisation: OrganisationId) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtextextended($1::uuid::text, 1))", organisation.0)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// Waits until nobody seals to an organisation's CUSTODY, and holds everybody who would.
///
/// # Errors
/// When the database does not answer.
pub async fn replace_custody(connection: &mut PgConnection, organisation: OrganisationId) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 1))", organisation.0)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// What is sealed on a case of the opening that this very transaction carries out; `shared_key` names the CUSTODY key that
/// the wrap is for.
///
/// # Errors
/// When the database does not answer.
pub async fn sealed_in_custody(connection: &mut PgConnection, case: CaseId) -> Result<Vec<SealedRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedRow,
        r#"SELECT record_id AS "record_id!", kind AS "kind!", case_id, key_id AS "key_id!", epoch AS "epoch!",
                  version AS "version!", blob AS "blob!", author AS "author!", signature AS "signature!", vouch,
                  wrap AS "wrap!", NULL::uuid AS grant_id, custody AS shared_key, NULL::bytea AS shared_wrap
           FROM sealed_in_custody($1)"#,
        case.0
    )
    .fetch_all(connection)
    .await
}

/// How a person stands to an opening: who asked for it, keeps the CUSTODY, or supervises.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_opening(
    connection: &mut PgConnection,
    account: AccountId,
    opening: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (invoked_by = $2 OR person_id IS NOT DISTINCT FROM $2) AS "own!", i_keep_custody(organisation_id) AS "keeps!",
                  i_supervise(organisation_id) AS "supervises!"
           FROM openings WHERE id = $1"#,
        opening,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        super::relations::relations([
            (row.keeps, Relation::CustodianOf),
            (row.supervises, Relation::SupervisorOf),
            (row.own, Relation::Oneself),
        ])
    }))
}

/// Whether a person keeps a part of an organisation's CUSTODY.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_custody(
    connection: &mut PgConnection,
    organisation: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let keeps =
        sqlx::query_scalar!(r#"SELECT i_keep_custody($1) AS "it!""#, organisation).fetch_one(connection).await?;
    Ok(super::relations::relations([(keeps, Relation::CustodianOf)]))
}
