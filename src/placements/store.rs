//! All SQL about placements.

mod ends;
mod holders;

pub use ends::*;
pub use holders::*;

use super::content::PlacementRow;
use super::model::{DeclineCode, PlacementState};
use crate::accommodation::model::Places;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccommodationId, CaseId, OrganisationId, PlacementId, SharedKeyId, SubjectId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("a placement holds a word that is none"))
}

/// A placement's clear columns.
pub struct Row {
    pub case: CaseId,
    pub shelter: OrganisationId,
    pub squad: OrganisationId,
    pub person: SubjectId,
    pub address: Option<Uuid>,
    pub care: Option<Uuid>,
    pub shown: PlacementRow,
}

struct Stored {
    id: Uuid,
    number: i64,
    case_id: Uuid,
    subject_id: Uuid,
    accommodation_id: Uuid,
    shelter_id: Uuid,
    squad_id: Uuid,
    places: String,
    state: String,
    decline_code: Option<String>,
    address_id: Option<Uuid>,
    care_id: Option<Uuid>,
    requested_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    admitted_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<Stored> for Row {
    type Error = Problem;

    fn try_from(row: Stored) -> Result<Self, Problem> {
        Ok(Self {
            case: CaseId(row.case_id),
            shelter: OrganisationId(row.shelter_id),
            squad: OrganisationId(row.squad_id),
            person: SubjectId(row.subject_id),
            address: row.address_id,
            care: row.care_id,
            shown: PlacementRow {
                id: PlacementId(row.id),
                number: row.number,
                accommodation: AccommodationId(row.accommodation_id),
                places: word(&row.places)?,
                state: word(&row.state)?,
                decline_code: row.decline_code.as_deref().map(word).transpose()?,
                requested_at: row.requested_at,
                acknowledged_at: row.acknowledged_at,
                admitted_at: row.admitted_at,
                ended_at: row.ended_at,
            },
        })
    }
}

/// A placement that another work is about; nothing when it is not there for this person, or not any more.
pub async fn one<V: Does, K: About>(unit: &mut Unit<V, K>, id: Uuid) -> Result<Option<Row>, Problem> {
    placement(unit.sql(), id).await
}

async fn placement(connection: &mut PgConnection, id: Uuid) -> Result<Option<Row>, Problem> {
    let row = sqlx::query_as!(
        Stored,
        "SELECT id, number, case_id, subject_id, accommodation_id, shelter_id, squad_id, places, state,
                decline_code, address_id, care_id, requested_at, acknowledged_at, admitted_at, ended_at
         FROM placements WHERE id = $1",
        id
    )
    .fetch_optional(connection)
    .await?;
    row.map(Row::try_from).transpose()
}

/// The placement that a look is about.
pub async fn looked_at<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<Row>, Problem> {
    let id = look.id();
    placement(look.sql(), id).await
}

/// The placement that a unit is about, held against every other unit that is about it.
pub async fn held<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Row, Problem> {
    let id = unit.id();
    unit.serialise(id).await?;
    placement(unit.sql(), id).await?.ok_or_else(Problem::absent)
}

/// Placements that the person's keys or cases lead to, those that are not over first, newest first.
pub async fn list<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<[i64; 2]>,
    most: i64,
) -> Result<Vec<Row>, Problem> {
    // Their own numbers count down behind a flag that counts up.
    let [over, below] = after.unwrap_or([0, i64::MAX]);
    let above = below.saturating_neg();
    let rows = sqlx::query_as!(
        Stored,
        "SELECT id, number, case_id, subject_id, accommodation_id, shelter_id, squad_id, places, state,
                decline_code, address_id, care_id, requested_at, acknowledged_at, admitted_at, ended_at
         FROM placements WHERE ((ended_at IS NOT NULL)::int::bigint, -number) > ($1::bigint, $2::bigint)
         ORDER BY ended_at IS NOT NULL, number DESC LIMIT $3",
        over,
        above,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// A request to be stored.
pub struct New {
    pub id: PlacementId,
    pub case: CaseId,
    pub person: SubjectId,
    pub accommodation: AccommodationId,
    pub shelter: OrganisationId,
    pub places: Places,
    pub intake: SharedKeyId,
    pub by_consent: bool,
}

pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, new: &New) -> Result<(), sqlx::Error> {
    let (squad, now) = (unit.who().organisation, unit.now());
    unit.wrote(RowKind::Placement, new.id.0);
    sqlx::query!(
        "INSERT INTO placements (id, case_id, subject_id, accommodation_id, shelter_id, squad_id, places, intake_key_id,
                                 by_consent, state, requested_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'requested', $10)",
        new.id.0,
        new.case.0,
        new.person.0,
        new.accommodation.0,
        new.shelter.0,
        squad.0,
        new.places.as_str(),
        new.intake.0,
        new.by_consent,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The number that the database gave to a request.
pub async fn number<V: Does, K: About>(unit: &mut Unit<V, K>, placement: PlacementId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("SELECT number FROM placements WHERE id = $1", placement.0).fetch_one(unit.sql()).await
}

/// Whether a person is on a case.
pub async fn is_on_case<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM subjects WHERE case_id = $1 AND id = $2) AS "it!""#,
        case.0,
        person.0
    )
    .fetch_one(unit.sql())
    .await
}

/// What a step changes beside the state.
pub struct Change {
    pub decline_code: Option<DeclineCode>,
    /// The record of the address for this placement.
    pub address: Option<Uuid>,
}

impl Change {
    /// Nothing.
    pub fn of(row: &Row) -> Self {
        Self { decline_code: row.shown.decline_code, address: row.address }
    }
}

/// The placement goes on in another state; the times follow from it.
pub async fn set_state<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
    state: PlacementState,
    change: Change,
) -> Result<(), Problem> {
    let (id, now) = (placement.0, unit.now());
    unit.wrote(RowKind::Placement, id);
    let done = sqlx::query!(
        "UPDATE placements SET state = $2, standing = standing + 1, decline_code = $3, address_id = $4,
                acknowledged_at = CASE WHEN $2 = 'acknowledged' THEN $5 ELSE acknowledged_at END,
                matched_at = CASE WHEN $2 = 'matched' THEN $5 ELSE matched_at END,
                admitted_at = CASE WHEN $2 = 'admitted' THEN $5 ELSE admitted_at END,
                ended_at = CASE WHEN $6 THEN $5 ELSE ended_at END
         WHERE id = $1",
        id,
        state.as_str(),
        change.decline_code.map(DeclineCode::as_str),
        change.address,
        now,
        state.is_over()
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::absent()) }
}

/// The care of a placement has a record from here on.
pub async fn set_care<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
    care: Uuid,
) -> Result<(), Problem> {
    unit.wrote(RowKind::Placement, placement.0);
    let done = sqlx::query!(
        "UPDATE placements SET care_id = $2, standing = standing + 1 WHERE id = $1 AND care_id IS NULL",
        placement.0,
        care
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::absent()) }
}

/// The placement that a unit is about, before it is held.
pub async fn seen<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<Row>, Problem> {
    let id = unit.id();
    placement(unit.sql(), id).await
}

/// The ids of the placements of a case, in a fixed order.
pub async fn ids_of_case<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT id FROM placements WHERE case_id = $1 AND ended_at IS NULL ORDER BY id", case.0)
        .fetch_all(unit.sql())
        .await
}

/// The placements of a case that are not over.
pub async fn current_of_case<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<Row>, Problem> {
    let rows = sqlx::query_as!(
        Stored,
        "SELECT id, number, case_id, subject_id, accommodation_id, shelter_id, squad_id, places, state,
                decline_code, address_id, care_id, requested_at, acknowledged_at, admitted_at, ended_at
         FROM placements WHERE case_id = $1 AND ended_at IS NULL ORDER BY number FOR UPDATE",
        case.0
    )
    .fetch_all(unit.sql())
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// Requests that are still sealed to an older epoch of INTAKE that this person holds.
pub async fn to_pass_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    newest: SharedKeyId,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let shelter = unit.who().organisation;
    sqlx::query_scalar!(
        "SELECT id FROM placements WHERE shelter_id = $1 AND state IN ('requested', 'acknowledged') AND intake_key_id <> $2
           AND i_hold(intake_key_id) ORDER BY id FOR UPDATE",
        shelter.0,
        newest.0
    )
    .fetch_all(unit.sql())
    .await
}

/// A request is sealed to the new epoch from here on.
pub async fn pass_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: Uuid,
    newest: SharedKeyId,
) -> Result<(), Problem> {
    unit.wrote(RowKind::Placement, placement);
    sqlx::query!(
        "UPDATE placements SET intake_key_id = $2, standing = standing + 1 WHERE id = $1",
        placement,
        newest.0
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}
