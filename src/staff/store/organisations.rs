//! Organisations and their accounts.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, OrganisationId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A new organisation; false when the name is taken.
pub async fn insert_organisation(
    connection: &mut PgConnection,
    id: OrganisationId,
    kind: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO organisations (id, kind, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
        id.0,
        kind,
        name,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub struct OrganisationRow {
    pub id: Uuid,
    pub kind: String,
    pub name: String,
    pub founded: bool,
}

pub async fn organisations<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<OrganisationRow>, sqlx::Error> {
    sqlx::query_as!(
        OrganisationRow,
        r#"SELECT o.id, o.kind, o.name, COALESCE(f.complete, false) AS "founded!"
           FROM organisations o LEFT JOIN foundings f ON f.organisation_id = o.id
           WHERE $1::uuid IS NULL OR (o.name, o.id) > (SELECT l.name, l.id FROM organisations l WHERE l.id = $1)
           ORDER BY o.name, o.id LIMIT $2"#,
        after,
        most
    )
    .fetch_all(look.sql())
    .await
}

pub async fn organisation_exists<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: OrganisationId,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM organisations WHERE id = $1) AS "it!""#, id.0);
    found.fetch_one(unit.sql()).await
}

/// The organisation that a unit is about, for its statement.
pub async fn organisation<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<(String, String)>, sqlx::Error> {
    let id = unit.id();
    let row = sqlx::query!("SELECT kind, name FROM organisations WHERE id = $1", id).fetch_optional(unit.sql()).await?;
    Ok(row.map(|row| (row.kind, row.name)))
}

pub struct NewAccountRow<'a> {
    pub id: AccountId,
    pub organisation: OrganisationId,
    pub handle: &'a str,
    pub responsible: bool,
    pub custodian: bool,
    pub enrolment_hash: &'a [u8],
    pub enrolment_expires_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// A new account; false when the handle is taken.
pub async fn insert_account(connection: &mut PgConnection, row: &NewAccountRow<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO accounts (id, organisation_id, handle, nominated_responsible, nominated_custodian, enrolment_hash,
                               enrolment_expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (handle) DO NOTHING",
        row.id.0,
        row.organisation.0,
        row.handle,
        row.responsible,
        row.custodian,
        row.enrolment_hash,
        row.enrolment_expires_at,
        row.now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub struct AccountRow {
    pub id: Uuid,
    pub organisation_id: Uuid,
    pub handle: String,
    pub enrolled: bool,
    pub disabled: bool,
}

pub async fn accounts<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<AccountRow>, sqlx::Error> {
    sqlx::query_as!(
        AccountRow,
        r#"SELECT a.id, a.organisation_id, a.handle, (k.account_id IS NOT NULL) AS "enrolled!",
                  (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a LEFT JOIN account_keys k ON k.account_id = a.id
           WHERE $1::uuid IS NULL OR a.handle > (SELECT l.handle FROM accounts l WHERE l.id = $1)
           ORDER BY a.handle LIMIT $2"#,
        after,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// The accounts of an organisation that are not disabled.
pub async fn accounts_of<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<Vec<AccountId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM accounts WHERE organisation_id = $1 AND disabled_at IS NULL ORDER BY id LIMIT 1000",
        organisation.0
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

pub async fn disable_account<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<bool, sqlx::Error> {
    let (id, now) = (unit.id(), unit.now());
    unit.wrote(RowKind::Account, id);
    let done = sqlx::query!(
        "UPDATE accounts SET disabled_at = $2, standing = standing + 1 WHERE id = $1 AND disabled_at IS NULL",
        id,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}
