//! All SQL about cases. Row-level security shows a case to the people on it and, its clear row and who is on it, to the
//! squad's supervisors; what is sealed, to those who can unwrap it.

mod access;
mod assignments;
mod contents;

pub use access::*;
pub use assignments::*;
pub use contents::*;

use super::model::{CaseRelation, CaseRow};
use super::states::CaseState;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{CaseId, OrganisationId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A word that this service wrote and does not know: somebody else wrote it.
fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("a case holds a word that is none"))
}

/// As the database has it.
struct Row {
    id: Uuid,
    number: i64,
    organisation_id: Uuid,
    state: String,
    epoch: i32,
    epoch_pending: bool,
    opened_at: DateTime<Utc>,
}

impl TryFrom<Row> for CaseRow {
    type Error = Problem;

    fn try_from(row: Row) -> Result<Self, Problem> {
        Ok(Self {
            id: CaseId(row.id),
            number: row.number,
            organisation: OrganisationId(row.organisation_id),
            state: word::<CaseState>(&row.state)?,
            epoch: row.epoch,
            epoch_pending: row.epoch_pending,
            opened_at: row.opened_at,
        })
    }
}

/// The version of a case's own row: each change of its state counts it up, and each renewal of its keys.
pub async fn standing(connection: &mut PgConnection, case: CaseId) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!("SELECT standing FROM cases WHERE id = $1", case.0).fetch_optional(connection).await
}

/// The case that a look is about.
pub async fn case<V: Does, K: About>(look: &mut Look<V, K>, case: CaseId) -> Result<Option<CaseRow>, Problem> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, number, organisation_id, state, epoch,
                  (epoch_pending OR case_has_lapsed_access(id)) AS "epoch_pending!", opened_at
           FROM cases WHERE id = $1"#,
        case.0
    )
    .fetch_optional(look.sql())
    .await?;
    row.map(CaseRow::try_from).transpose()
}

/// The case, locked: one write to a case at a time.
pub async fn lock<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Option<CaseRow>, Problem> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, number, organisation_id, state, epoch,
                  (epoch_pending OR custodians_changed(id)) AS "epoch_pending!", opened_at FROM cases WHERE id = $1 FOR UPDATE"#,
        case.0
    )
    .fetch_optional(unit.sql())
    .await?;
    row.map(CaseRow::try_from).transpose()
}

/// The reader's own cases below a number, newest first, with how they stand to each.
pub async fn own_cases<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: i64,
    limit: i64,
) -> Result<Vec<(CaseRow, CaseRelation)>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", number AS "number!", organisation_id AS "organisation_id!", state AS "state!",
                  epoch AS "epoch!", epoch_pending AS "epoch_pending!", opened_at AS "opened_at!", relation AS "relation!"
           FROM my_cases($1, $2)"#,
        before,
        limit
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            let relation = word(&row.relation)?;
            let case = Row {
                id: row.id,
                number: row.number,
                organisation_id: row.organisation_id,
                state: row.state,
                epoch: row.epoch,
                epoch_pending: row.epoch_pending,
                opened_at: row.opened_at,
            };
            Ok((CaseRow::try_from(case)?, relation))
        })
        .collect()
}

/// The cases of the squad that the reader supervises, below a number, newest first.
pub async fn supervised_cases<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: i64,
    limit: i64,
) -> Result<Vec<CaseRow>, Problem> {
    let organisation = look.authorized().who().organisation;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, number, organisation_id, state, epoch,
                  (epoch_pending OR case_has_lapsed_access(id)) AS "epoch_pending!", opened_at FROM cases
         WHERE organisation_id = $1 AND i_supervise(organisation_id) AND number < $2 ORDER BY number DESC LIMIT $3"#,
        organisation.0,
        before,
        limit
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(CaseRow::try_from).collect()
}

/// A new case, open, in its first epoch. Its number is read with [`lock`] once somebody is on it: until then
/// row-level security shows the row to nobody.
pub async fn insert_case<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    organisation: OrganisationId,
) -> Result<(), sqlx::Error> {
    let now = unit.now();
    unit.wrote(RowKind::Case, case.0);
    sqlx::query!(
        "INSERT INTO cases (id, organisation_id, state, epoch, opened_at) VALUES ($1, $2, $3, 1, $4)",
        case.0,
        organisation.0,
        CaseState::Open.as_str(),
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The new state; the row's version afterwards.
pub async fn set_state<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    state: CaseState,
) -> Result<i64, Problem> {
    unit.wrote(RowKind::Case, case.0);
    let standing = sqlx::query_scalar!(
        "UPDATE cases SET state = $2, standing = standing + 1 WHERE id = $1 RETURNING standing",
        case.0,
        state.as_str()
    )
    .fetch_optional(unit.sql())
    .await?;
    standing.ok_or_else(|| Problem::fault("a case is not as it was locked"))
}

/// The case goes on in a new epoch.
pub async fn set_epoch<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId, epoch: i32) -> Result<(), Problem> {
    let now = unit.now();
    unit.wrote(RowKind::Case, case.0);
    let done = sqlx::query!(
        "UPDATE cases SET epoch = $2::int, epoch_pending = false, keys_made_at = $3, standing = standing + 1
         WHERE id = $1 AND epoch = $2::int - 1",
        case.0,
        epoch,
        now
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())
}

/// The next who works on the case and can open it makes the new epoch.
pub async fn set_epoch_pending<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<(), Problem> {
    unit.wrote(RowKind::Case, case.0);
    let done = sqlx::query!("UPDATE cases SET epoch_pending = true, standing = standing + 1 WHERE id = $1", case.0)
        .execute(unit.sql())
        .await?;
    one(done.rows_affected())
}

/// A row that was locked or checked a moment ago is still there.
pub(super) fn one(rows: u64) -> Result<(), Problem> {
    if rows == 1 { Ok(()) } else { Err(Problem::fault("a case is not as it was locked")) }
}
