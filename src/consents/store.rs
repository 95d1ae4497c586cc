//! All SQL about consents.

use super::model::{ConsentState, NewConsent, Section};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{self, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, ConsentId, OrganisationId, PlacementId, SubjectId};
use crate::guard::vouch::SaidFacts;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

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
    pub standing: i64,
    pub recorded_by: AccountId,
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
    standing: i64,
    registered_by: Option<Uuid>,
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
            standing: row.standing,
            recorded_by: AccountId(row.registered_by.unwrap_or_default()),
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
    let (now, me) = (unit.now(), unit.account());
    let vouch = unit.voucher().consent(&SaidFacts {
        consent: id.0,
        case: place.case.0,
        person: place.person.0,
        placement: place.placement.map(|placement| placement.0),
        recipient: new.recipient.0,
        recorded_by: me.0,
        purpose: new.purpose.as_str(),
        section: new.section.as_str(),
        state: new.said.as_str(),
        standing: 1,
        expires_at: new.expires_at,
    });
    unit.wrote(RowKind::Consent, id.0);
    sqlx::query!(
        "INSERT INTO consents (id, case_id, subject_id, placement_id, purpose, recipient_id, section, state, recorded_at,
                               expires_at, vouch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        id.0,
        place.case.0,
        place.person.0,
        place.placement.map(|placement| placement.0),
        new.purpose.as_str(),
        new.recipient.0,
        new.section.as_str(),
        new.said.as_str(),
        now,
        new.expires_at,
        vouch.as_slice()
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
        "SELECT id, case_id, subject_id, placement_id, purpose, recipient_id, section, state, standing, registered_by,
                recorded_at, expires_at, ended_at
         FROM consents WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(unit.sql())
    .await?;
    row.map(Row::try_from).transpose()?.ok_or_else(Problem::absent)
}

/// The consents that were recorded on a case about one person, or on a placement; in the order of their recording.
pub async fn list<V: Does, K: gate::About>(
    look: &mut Look<V, K>,
    place: &Place,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<Row>, Problem> {
    let rows = sqlx::query_as!(
        Stored,
        "SELECT id, case_id, subject_id, placement_id, purpose, recipient_id, section, state, standing, registered_by,
                recorded_at, expires_at, ended_at
         FROM consents
         WHERE case_id = $1 AND subject_id = $2 AND placement_id IS NOT DISTINCT FROM $3
           AND ($4::uuid IS NULL OR (recorded_at, id) > (SELECT l.recorded_at, l.id FROM consents l WHERE l.id = $4))
         ORDER BY recorded_at, id LIMIT $5",
        place.case.0,
        place.person.0,
        place.placement.map(|placement| placement.0),
        after,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// Tells those who hold something by a consent that it counts no more: before it is taken from them, in the same commit.
pub async fn tell_recipients<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    consent: ConsentId,
) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!("SELECT tell_of_consent($1)", consent.0).fetch_one(unit.sql()).await?;
    Ok(())
}

/// The consent goes on in another state.
pub async fn set_state<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    state: ConsentState,
) -> Result<(), Problem> {
    let (now, standing) = (unit.now(), row.standing + 1);
    let vouch = unit.voucher().consent(&SaidFacts {
        consent: row.id.0,
        case: row.case.0,
        person: row.person.0,
        placement: row.placement.map(|placement| placement.0),
        recipient: row.recipient.0,
        recorded_by: row.recorded_by.0,
        purpose: row.purpose.as_str(),
        section: row.section.as_str(),
        state: state.as_str(),
        standing,
        expires_at: row.expires_at,
    });
    unit.wrote(RowKind::Consent, row.id.0);
    let done = sqlx::query!(
        "UPDATE consents SET state = $2, standing = $5::bigint, vouch = $4,
                ended_at = CASE WHEN $2 = 'withdrawn' THEN $3 ELSE ended_at END
         WHERE id = $1 AND standing = $5::bigint - 1",
        row.id.0,
        state.as_str(),
        now,
        vouch.as_slice(),
        standing
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::absent()) }
}

/// Something that a person said about a section and a recipient, with the service's code on it.
pub struct Spoken {
    pub id: Uuid,
    pub placement: Option<Uuid>,
    pub purpose: String,
    pub state: String,
    pub standing: i64,
    pub expires_at: Option<DateTime<Utc>>,
    pub recorded_by: Uuid,
    pub vouch: Vec<u8>,
}

/// Everything that the person said about this section and recipient.
pub async fn spoken<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    about: &super::sharing::About,
) -> Result<Vec<Spoken>, sqlx::Error> {
    sqlx::query_as!(
        Spoken,
        r#"SELECT id AS "id!", placement_id AS placement, purpose AS "purpose!", state AS "state!", expires_at,
                  registered_by AS "recorded_by!", standing AS "standing!", vouch AS "vouch!"
           FROM consents_about($1, $2, $3, $4)"#,
        about.case.0,
        about.person.0,
        about.recipient.0,
        about.section.as_str()
    )
    .fetch_all(unit.sql())
    .await
}

/// Wraps of the person's care that officers hold and that no consent bears any more are gone.
pub async fn end_care_sharing<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
) -> Result<(), Problem> {
    sqlx::query!("SELECT end_care_sharing($1, $2)", case.0, person.0).execute(unit.sql()).await?;
    Ok(())
}

/// The placements of a person, in a fixed order.
pub async fn placements_of<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT placements_of($1, $2) AS "id!""#, case.0, person.0).fetch_all(unit.sql()).await
}

/// The consent that a unit is about, before it holds it.
pub async fn found<V: Does, K: gate::About>(unit: &mut Unit<V, K>) -> Result<Option<(CaseId, SubjectId)>, sqlx::Error> {
    let id = unit.id();
    let row = sqlx::query!("SELECT case_id, subject_id FROM consents WHERE id = $1", id).fetch_optional(unit.sql());
    Ok(row.await?.map(|row| (CaseId(row.case_id), SubjectId(row.subject_id))))
}
