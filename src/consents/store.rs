//! All SQL about consents, and the one question that every sharing asks.

use super::model::{ConsentState, NewConsent, Section};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{self, Does};
use crate::guard::look::Look;
use crate::guard::record::{CaseId, ConsentId, OrganisationId, PlacementId, SubjectId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Whose section is to be shared, and with whom.
pub struct About {
    pub case: CaseId,
    pub person: SubjectId,
    pub recipient: OrganisationId,
    pub section: Section,
}

/// Whether the person does not want this recipient to see this section. It wins.
pub async fn refused<V: Does, K: gate::About>(unit: &mut Unit<V, K>, about: &About) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT sharing_refused($1, $2, $3, $4) AS "it!""#,
        about.case.0,
        about.person.0,
        about.recipient.0,
        about.section.as_str()
    )
    .fetch_one(unit.sql())
    .await
}

/// Whether a consent is in force, and no refusal.
pub async fn allowed<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    about: &About,
    purpose: Purpose,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT sharing_allowed($1, $2, $3, $4, $5) AS "it!""#,
        about.case.0,
        about.person.0,
        about.recipient.0,
        purpose.as_str(),
        about.section.as_str()
    )
    .fetch_one(unit.sql())
    .await
}

/// A consent's clear columns.
pub struct Row {
    pub id: ConsentId,
    pub case: CaseId,
    pub person: SubjectId,
    pub placement: Option<PlacementId>,
    pub purpose: Purpose,
    pub recipient: OrganisationId,
    pub section: Section,
    pub state: ConsentState,
    pub recorded_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

struct Stored {
    id: Uuid,
    case_id: Uuid,
    subject_id: Uuid,
    placement_id: Option<Uuid>,
    purpose: String,
    recipient_id: Uuid,
    section: String,
    state: String,
    recorded_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("a consent holds a word that is none"))
}

impl TryFrom<Stored> for Row {
    type Error = Problem;

    fn try_from(row: Stored) -> Result<Self, Problem> {
        Ok(Self {
            id: ConsentId(row.id),
            case: CaseId(row.case_id),
            person: SubjectId(row.subject_id),
            placement: row.placement_id.map(PlacementId),
            purpose: word(&row.purpose)?,
            recipient: OrganisationId(row.recipient_id),
            section: word(&row.section)?,
            state: word(&row.state)?,
            recorded_at: row.recorded_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
        })
    }
}

/// Where a new consent belongs.
pub struct Place {
    pub case: CaseId,
    pub person: SubjectId,
    pub placement: Option<PlacementId>,
}

pub async fn insert<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    id: ConsentId,
    place: &Place,
    new: &NewConsent,
) -> Result<(), sqlx::Error> {
    let now = unit.now();
    unit.wrote(RowKind::Consent, id.0);
    sqlx::query!(
        "INSERT INTO consents (id, case_id, subject_id, placement_id, purpose, recipient_id, section, state, recorded_at,
                               expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        place.case.0,
        place.person.0,
        place.placement.map(|placement| placement.0),
        new.purpose.as_str(),
        new.recipient.0,
        new.section.as_str(),
        new.said.as_str(),
        now,
        new.expires_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The consent that a unit is about, held against every other unit that is about it.
pub async fn held<V: Does, K: gate::About>(unit: &mut Unit<V, K>) -> Result<Row, Problem> {
    let id = unit.id();
    let row = sqlx::query_as!(
        Stored,
        "SELECT id, case_id, subject_id, placement_id, purpose, recipient_id, section, state, recorded_at, expires_at,
                ended_at
         FROM consents WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(unit.sql())
    .await?;
    row.map(Row::try_from).transpose()?.ok_or_else(Problem::absent)
}

/// The consents that were recorded on a case about one person, or on a placement; in the order of their recording.
pub async fn list<V: Does, K: gate::About>(look: &mut Look<V, K>, place: &Place) -> Result<Vec<Row>, Problem> {
    let rows = sqlx::query_as!(
        Stored,
        "SELECT id, case_id, subject_id, placement_id, purpose, recipient_id, section, state, recorded_at, expires_at,
                ended_at
         FROM consents
         WHERE case_id = $1 AND subject_id = $2 AND placement_id IS NOT DISTINCT FROM $3 ORDER BY recorded_at, id LIMIT 500",
        place.case.0,
        place.person.0,
        place.placement.map(|placement| placement.0)
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// The consent goes on in another state; with its end, wraps of the person's care that rested on it are gone.
pub async fn set_state<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    state: ConsentState,
) -> Result<(), Problem> {
    let now = unit.now();
    unit.wrote(RowKind::Consent, row.id.0);
    let done = sqlx::query!(
        "UPDATE consents SET state = $2, standing = standing + 1,
                ended_at = CASE WHEN $2 = 'withdrawn' THEN $3 ELSE ended_at END
         WHERE id = $1",
        row.id.0,
        state.as_str(),
        now
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() != 1 {
        return Err(Problem::absent());
    }
    end_what_it_bore(unit, row.case, row.person).await
}

/// Wraps of the person's care that no consent bears any more are gone.
pub async fn end_what_it_bore<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
) -> Result<(), Problem> {
    sqlx::query!("SELECT end_care_wraps($1, $2)", case.0, person.0).execute(unit.sql()).await?;
    Ok(())
}
