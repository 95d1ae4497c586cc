//! Members of an organisation: the keys they made, and the statements that admit them.

use super::public_keys;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::keys::PublicKeys;
use crate::guard::look::Look;
use crate::guard::record::{AccountId, MembershipId, OrganisationId};
use uuid::Uuid;

pub struct MemberRow {
    pub account: Uuid,
    pub handle: String,
    pub kem: Option<Vec<u8>>,
    pub sign: Option<Vec<u8>>,
    pub membership: Option<Uuid>,
    pub note: Option<String>,
    pub complete: Option<bool>,
    pub disabled: bool,
}

impl MemberRow {
    pub fn keys(&self) -> Option<PublicKeys> {
        public_keys(self.kem.as_deref(), self.sign.as_deref())
    }
}

pub async fn members<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    let organisation = look.id();
    sqlx::query_as!(
        MemberRow,
        r#"SELECT a.id AS account, a.handle, k.kem_public AS "kem?", k.sign_public AS "sign?", m.id AS "membership?",
                  m.note AS "note?", m.complete AS "complete?", (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a
           LEFT JOIN account_keys k ON k.account_id = a.id
           LEFT JOIN memberships m ON m.account_id = a.id AND m.ended_at IS NULL
           WHERE a.organisation_id = $1
             AND ($2::uuid IS NULL OR a.handle > (SELECT l.handle FROM accounts l WHERE l.id = $2))
           ORDER BY a.handle LIMIT $3"#,
        organisation,
        after,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// The accounts of one's own organisation that are not disabled, with their handles.
pub async fn people_of_mine<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    let organisation = look.authorized().who().organisation;
    let rows = sqlx::query!(
        "SELECT id, handle FROM accounts
         WHERE organisation_id = $1 AND disabled_at IS NULL
           AND ($2::uuid IS NULL OR handle > (SELECT l.handle FROM accounts l WHERE l.id = $2))
         ORDER BY handle LIMIT $3",
        organisation.0,
        after,
        most
    )
    .fetch_all(look.sql())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.handle)).collect())
}

/// The public keys that an account of this organisation made.
pub async fn keys_of<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    account: AccountId,
    organisation: OrganisationId,
) -> Result<Option<PublicKeys>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT k.kem_public, k.sign_public FROM account_keys k JOIN accounts a ON a.id = k.account_id
         WHERE a.id = $1 AND a.organisation_id = $2 AND a.disabled_at IS NULL",
        account.0,
        organisation.0
    )
    .fetch_optional(unit.sql())
    .await?;
    Ok(row.and_then(|row| public_keys(Some(&row.kem_public), Some(&row.sign_public))))
}

/// Stores a proposed membership; false when one is in force or proposed already.
pub async fn insert_membership<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: MembershipId,
    account: AccountId,
    organisation: OrganisationId,
    note: &str,
) -> Result<bool, sqlx::Error> {
    let now = unit.now();
    unit.wrote(RowKind::Membership, id.0);
    let done = sqlx::query!(
        "INSERT INTO memberships (id, account_id, organisation_id, note, proposed_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        id.0,
        account.0,
        organisation.0,
        note,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn membership_to_sign<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<String>, sqlx::Error> {
    let id = unit.id();
    sqlx::query_scalar!(
        "SELECT note FROM memberships WHERE id = $1 AND NOT complete AND ended_at IS NULL FOR UPDATE",
        id
    )
    .fetch_optional(unit.sql())
    .await
}

pub async fn complete_membership<V: Does, K: About>(unit: &mut Unit<V, K>, note: &str) -> Result<(), sqlx::Error> {
    let id = unit.id();
    unit.wrote(RowKind::Membership, id);
    sqlx::query!("UPDATE memberships SET note = $2, complete = true, standing = standing + 1 WHERE id = $1", id, note)
        .execute(unit.sql())
        .await?;
    Ok(())
}
