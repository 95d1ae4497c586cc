//! All SQL about calls. What is clear here are ids, states and times.
//!
//! Whether a draft is abandoned is asked of the database's own clock, the one by which row-level security and the wraps
//! go: all of them change over at the same moment.

use super::model::{CallState, CallSummary};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{CallId, OrganisationId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

fn state(stored: &str) -> Result<CallState, sqlx::Error> {
    stored.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A call to be stored.
pub struct NewCallRow {
    pub id: CallId,
    pub organisation: OrganisationId,
    pub state: CallState,
    pub opened_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
}

/// Stores a new call of this operator.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, row: &NewCallRow) -> Result<(), sqlx::Error> {
    let operator = unit.account();
    unit.wrote(RowKind::Call, row.id.0);
    sqlx::query!(
        "INSERT INTO calls (id, organisation_id, operator_id, state, opened_at, expires_at, closed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        row.id.0,
        row.organisation.0,
        operator.0,
        row.state.as_str(),
        row.opened_at,
        row.expires_at,
        row.closed_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

struct ListedRow {
    id: Uuid,
    state: String,
    opened_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl TryFrom<ListedRow> for CallSummary {
    type Error = sqlx::Error;

    fn try_from(row: ListedRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: CallId(row.id),
            state: state(&row.state)?,
            opened_at: row.opened_at,
            expires_at: row.expires_at,
            closed_at: row.closed_at,
        })
    }
}

/// This operator's own calls, newest first, opened before the given time (or all of them).
///
/// # Errors
/// When the database does not answer.
pub async fn own<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: Option<DateTime<Utc>>,
    most: i64,
) -> Result<Vec<CallSummary>, sqlx::Error> {
    let operator = look.account();
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT id, opened_at, expires_at, closed_at,
                  CASE WHEN closed_at IS NULL AND expires_at <= now() THEN 'abandoned' ELSE state END AS "state!"
           FROM calls WHERE operator_id = $1 AND opened_at < COALESCE($2::timestamptz, 'infinity') ORDER BY opened_at DESC LIMIT $3"#,
        operator.0,
        before as Option<DateTime<Utc>>,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(CallSummary::try_from).collect()
}

/// The calls of this supervisor's organisation that are theirs to review: closed, or abandoned; newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn to_review<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: Option<DateTime<Utc>>,
    most: i64,
) -> Result<Vec<CallSummary>, sqlx::Error> {
    let organisation = look.authorized().who().organisation;
    let rows = sqlx::query_as!(
        ListedRow,
        r#"SELECT id, opened_at, expires_at, closed_at,
                  CASE WHEN closed_at IS NULL THEN 'abandoned' ELSE state END AS "state!"
           FROM calls WHERE organisation_id = $1 AND (closed_at IS NOT NULL OR expires_at <= now())
             AND opened_at < COALESCE($2::timestamptz, 'infinity') ORDER BY opened_at DESC LIMIT $3"#,
        organisation.0,
        before as Option<DateTime<Utc>>,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(CallSummary::try_from).collect()
}

/// The call that this look is about.
///
/// # Errors
/// When the database does not answer.
pub async fn call<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<CallSummary>, sqlx::Error> {
    let id = look.id();
    let row = sqlx::query_as!(
        ListedRow,
        r#"SELECT id, opened_at, expires_at, closed_at,
                  CASE WHEN closed_at IS NULL AND expires_at <= now() THEN 'abandoned' ELSE state END AS "state!"
           FROM calls WHERE id = $1"#,
        id
    )
    .fetch_optional(look.sql())
    .await?;
    row.map(CallSummary::try_from).transpose()
}

/// A draft as it stands.
pub(crate) struct DraftRow {
    state: CallState,
    pub(crate) opened_at: DateTime<Utc>,
}

impl DraftRow {
    /// Where it stands; see [`CallState`] for the steps from there.
    pub(crate) fn state(&self) -> CallState {
        self.state
    }
}

/// The draft that this unit is about, locked until the unit ends; nothing once it is finished, abandoned or handed over.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn draft<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<DraftRow>, sqlx::Error> {
    let id = unit.id();
    let row = sqlx::query!(
        "SELECT state, opened_at FROM calls
         WHERE id = $1 AND closed_at IS NULL AND expires_at > now() FOR UPDATE",
        id
    )
    .fetch_optional(unit.sql())
    .await?;
    row.map(|row| Ok(DraftRow { state: state(&row.state)?, opened_at: row.opened_at })).transpose()
}

/// Removes a draft whose content went elsewhere, with its ciphertext and every wrap of its key. The erasure key follows
/// when the unit is committed, so whatever takes the draft's place must be sealed under a key with another id.
///
/// # Errors
/// 404 if there is no such draft of this operator, and as the database refuses.
pub(crate) async fn delete_draft<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<(), Problem> {
    let id = unit.id();
    unit.forget(id, id).await?;
    let gone = sqlx::query!("DELETE FROM calls WHERE id = $1 AND closed_at IS NULL RETURNING register_no", id)
        .fetch_optional(unit.sql())
        .await?;
    unit.struck(RowKind::Call, id, gone.ok_or_else(Problem::absent)?.register_no).await
}

/// Stores the state that follows from a save, if it is another one. False when there is no such draft of this operator.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn set_state<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    draft: &DraftRow,
    state: CallState,
) -> Result<bool, sqlx::Error> {
    if draft.state == state {
        return Ok(true);
    }
    let id = unit.id();
    unit.wrote(RowKind::Call, id);
    let done = sqlx::query!(
        "UPDATE calls SET state = $2, standing = standing + 1 WHERE id = $1 AND closed_at IS NULL",
        id,
        state.as_str()
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores how a draft ended. False when there is no such draft of this operator.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn finish<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    state: CallState,
    closed_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let id = unit.id();
    unit.wrote(RowKind::Call, id);
    let done = sqlx::query!(
        "UPDATE calls SET state = $2, closed_at = $3, standing = standing + 1 WHERE id = $1 AND closed_at IS NULL",
        id,
        state.as_str(),
        closed_at
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Wakes the wraps of a draft that sleep until it is abandoned: everybody's but the operator's. How many there were.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn wake_sleeping_wraps<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<u64, sqlx::Error> {
    let id = unit.id();
    let done = sqlx::query!("UPDATE wraps SET active_from = now() WHERE key_id = $1 AND active_from > now()", id)
        .execute(unit.sql())
        .await?;
    Ok(done.rows_affected())
}
