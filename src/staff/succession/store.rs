//! SQL of the foundings that follow others.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, OrganisationId, SuccessionId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// A founding that follows, as it is stored, not believed yet.
pub struct SuccessionRow {
    pub id: Uuid,
    pub number: i32,
    pub note: String,
    pub made_at: DateTime<Utc>,
    pub declined_at: Option<DateTime<Utc>>,
    /// When it took the founding's place.
    pub followed_at: Option<DateTime<Utc>>,
    pub proposed_by: Option<Uuid>,
}

/// Those of an organisation: the newest of each who proposed one, then the second newest of each, so that nobody's crowd out
/// another's.
pub async fn successions<V: Does, K: About>(
    look: &mut Look<V, K>,
    most: i64,
) -> Result<Vec<SuccessionRow>, sqlx::Error> {
    let organisation = look.id();
    sqlx::query_as!(
        SuccessionRow,
        r#"SELECT s.id, s.number, s.note, s.made_at, s.declined_at, f.followed_at AS "followed_at?",
                  s.registered_by AS proposed_by
           FROM successions s LEFT JOIN former_foundings f ON f.succession_id = s.id AND f.organisation_id = $1
           WHERE s.organisation_id = $1
           ORDER BY row_number() OVER (
               PARTITION BY s.registered_by
               ORDER BY (s.declined_at IS NULL AND f.followed_at IS NULL AND s.lapses_at > now()) DESC, s.made_at DESC, s.id)
           LIMIT $2"#,
        organisation,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// What waits.
pub async fn waiting<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
    succession: SuccessionId,
) -> Result<Option<SuccessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SuccessionRow,
        r#"SELECT s.id, s.number, s.note, s.made_at, s.declined_at, NULL::timestamptz AS "followed_at?",
                  s.registered_by AS proposed_by FROM successions s
           WHERE s.organisation_id = $1 AND s.id = $2 AND s.declined_at IS NULL
             AND NOT EXISTS (SELECT FROM former_foundings f WHERE f.succession_id = s.id) FOR UPDATE"#,
        organisation.0,
        succession.0
    )
    .fetch_optional(unit.sql())
    .await
}

/// The accounts of an organisation that are not disabled, with their handles, and whether a membership of theirs is complete.
pub async fn people<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<Vec<(AccountId, String, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT a.id, a.handle, EXISTS (
                      SELECT FROM memberships m WHERE m.account_id = a.id AND m.complete AND m.ended_at IS NULL) AS "admitted!"
           FROM accounts a WHERE a.organisation_id = $1 AND a.disabled_at IS NULL ORDER BY a.id"#,
        organisation.0
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(rows.into_iter().map(|row| (AccountId(row.id), row.handle, row.admitted)).collect())
}

/// The organisation's name.
pub async fn name<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT name FROM organisations WHERE id = $1", organisation.0).fetch_optional(unit.sql()).await
}

/// What is proposed.
pub struct Proposed<'a> {
    pub id: SuccessionId,
    pub organisation: OrganisationId,
    pub number: i32,
    pub two: [AccountId; 2],
    pub note: &'a str,
    pub made_at: DateTime<Utc>,
    pub lapses_at: DateTime<Utc>,
}

pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, new: &Proposed<'_>) -> Result<(), sqlx::Error> {
    unit.wrote(RowKind::Succession, new.id.0);
    unit.touch(new.id.0);
    let [first, second] = new.two;
    sqlx::query!(
        "INSERT INTO successions (id, organisation_id, number, first_id, second_id, note, made_at, lapses_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.0,
        new.organisation.0,
        new.number,
        first.0,
        second.0,
        new.note,
        new.made_at,
        new.lapses_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub async fn sign<V: Does, K: About>(unit: &mut Unit<V, K>, id: SuccessionId, note: &str) -> Result<(), Problem> {
    unit.wrote(RowKind::Succession, id.0);
    let done = sqlx::query!("UPDATE successions SET note = $2, standing = standing + 1 WHERE id = $1", id.0, note)
        .execute(unit.sql())
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::fault("a signature on a founding was not stored")) }
}

pub async fn decline<V: Does, K: About>(unit: &mut Unit<V, K>, id: SuccessionId) -> Result<(), Problem> {
    let now = unit.now();
    unit.wrote(RowKind::Succession, id.0);
    let done =
        sqlx::query!("UPDATE successions SET declined_at = $2, standing = standing + 1 WHERE id = $1", id.0, now)
            .execute(unit.sql())
            .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::fault("that a founding is declined was not stored")) }
}

/// Takes back what somebody proposed before and is still waiting: one of each is enough.
pub async fn decline_earlier<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<(), sqlx::Error> {
    let (now, account) = (unit.now(), unit.account());
    let declined = sqlx::query_scalar!(
        "UPDATE successions s SET declined_at = $3, standing = standing + 1
         WHERE s.organisation_id = $1 AND s.registered_by = $2 AND s.declined_at IS NULL AND s.lapses_at > $3
           AND NOT EXISTS (SELECT FROM former_foundings f WHERE f.succession_id = s.id) RETURNING s.id",
        organisation.0,
        account.0,
        now
    )
    .fetch_all(unit.sql())
    .await?;
    for succession in declined {
        unit.wrote(RowKind::Succession, succession);
    }
    Ok(())
}

/// Whom the two before had only proposed is proposed anew.
pub async fn end_proposed_memberships<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<(), sqlx::Error> {
    let now = unit.now();
    let waiting = sqlx::query_scalar!(
        "UPDATE memberships SET ended_at = $2, standing = standing + 1
         WHERE organisation_id = $1 AND NOT complete AND ended_at IS NULL RETURNING id",
        organisation.0,
        now
    )
    .fetch_all(unit.sql())
    .await?;
    for membership in waiting {
        unit.wrote(RowKind::Membership, membership);
    }
    Ok(())
}

/// The door's own transaction, in which a founding gives way. Until it ends nobody is admitted to the organisation, nothing is agreed to there
/// and no CUSTODY key follows.
pub async fn begin_giving_way(
    door: &PgPool,
    organisation: OrganisationId,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = door.begin().await?;
    crate::guard::store::serialise(&mut transaction, organisation.0).await?;
    crate::guard::store::replace_custody(&mut transaction, organisation).await?;
    Ok(transaction)
}

/// Puts a founding in the place of the one before, which is kept beside it.
pub async fn give_way(door: &mut PgConnection, following: &Proposed<'_>, now: DateTime<Utc>) -> Result<(), Problem> {
    let [first, second] = following.two;
    let kept = sqlx::query!(
        "INSERT INTO former_foundings (organisation_id, number, note, succession_id, first_id, second_id, followed_at)
         SELECT organisation_id, $2, note, $3, $4, $5, $6 FROM foundings WHERE organisation_id = $1 AND complete",
        following.organisation.0,
        following.number - 1,
        following.id.0,
        first.0,
        second.0,
        now
    )
    .execute(&mut *door)
    .await?;
    let (organisation, note) = (following.organisation.0, following.note);
    let put =
        sqlx::query!("UPDATE foundings SET note = $2 WHERE organisation_id = $1 AND complete", organisation, note)
            .execute(door)
            .await?;
    if kept.rows_affected() == 1 && put.rows_affected() == 1 {
        return Ok(());
    }
    Err(Problem::fault("a founding that follows was not stored"))
}
