//! What hangs on a case: persons, sections, notes, and the head that vouches for everything sealed.

use super::{one, word};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::cases::document::Place;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, CaseNoteId, OrganisationId, RecordKind, SectionId, SubjectId};
use crate::guard::statement::HeadLine;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A case's head as it is stored, with what it must agree with.
pub struct HeadRow {
    pub case: CaseId,
    pub organisation: OrganisationId,
    pub epoch: i32,
    pub number: i64,
    pub note: String,
    pub signer: AccountId,
    pub vouch: Option<Vec<u8>>,
}

async fn head(connection: &mut PgConnection, case: CaseId) -> Result<Option<HeadRow>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT h.number, h.note, h.signer_id, h.vouch, c.organisation_id, c.epoch
         FROM case_heads h JOIN cases c ON c.id = h.case_id WHERE h.case_id = $1",
        case.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| HeadRow {
        case,
        organisation: OrganisationId(row.organisation_id),
        epoch: row.epoch,
        number: row.number,
        note: row.note,
        signer: AccountId(row.signer_id),
        vouch: row.vouch,
    }))
}

/// The head that a look compares with.
pub async fn head_to_read<V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
) -> Result<Option<HeadRow>, sqlx::Error> {
    head(look.sql(), case).await
}

/// The head that a unit compares with, and replaces.
pub async fn head_to_replace<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
) -> Result<Option<HeadRow>, sqlx::Error> {
    head(unit.sql(), case).await
}

/// The new head: the first of a case, or the one after the one that is there.
pub async fn put_head<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    number: i64,
    note: &str,
) -> Result<(), Problem> {
    let account = unit.account();
    let vouch = unit.voucher().head(case, number, account, note);
    unit.wrote(RowKind::CaseHead, case.0);
    let done = sqlx::query!(
        "INSERT INTO case_heads AS h (case_id, number, note, signer_id, vouch) VALUES ($1, $2::bigint, $3, $4, $5)
         ON CONFLICT (case_id) DO UPDATE SET number = $2::bigint, note = $3, signer_id = $4, vouch = $5
         WHERE h.number = $2::bigint - 1",
        case.0,
        number,
        note,
        account.0,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())
}

async fn on_case(connection: &mut PgConnection, case: CaseId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT i_am_on_case($1) AS "it!""#, case.0).fetch_one(connection).await
}

/// Whether the reader is still on the case: it tells a head that is missing from access that has ended.
pub async fn reader_is_on_case<V: Does, K: About>(look: &mut Look<V, K>, case: CaseId) -> Result<bool, sqlx::Error> {
    on_case(look.sql(), case).await
}

/// What of a case the reader holds a key of.
pub async fn readable<V: Does, K: About>(look: &mut Look<V, K>, case: CaseId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT record_id FROM sealed WHERE case_id = $1", case.0).fetch_all(look.sql()).await
}

/// Likewise for the writer.
pub async fn writer_is_on_case<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<bool, sqlx::Error> {
    on_case(unit.sql(), case).await
}

/// One sealed record of a case, as it lies there.
pub struct Line {
    pub kind: RecordKind,
    pub key: Uuid,
    pub author: AccountId,
    pub head: HeadLine,
}

/// Everything sealed of a case, in the order of a head.
pub async fn lines<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<Line>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT record_id, kind, key_id, version, author, encode(sha256(blob), 'hex') AS "digest!"
           FROM sealed WHERE case_id = $1 ORDER BY record_id"#,
        case.0
    )
    .fetch_all(unit.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Line {
                kind: word(&row.kind)?,
                key: row.key_id,
                author: AccountId(row.author),
                head: HeadLine { record: row.record_id, version: row.version, digest: row.digest },
            })
        })
        .collect()
}

/// A new person on a case.
pub async fn insert_person<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
) -> Result<(), sqlx::Error> {
    let now = unit.now();
    unit.wrote(RowKind::Person, person.0);
    sqlx::query!("INSERT INTO subjects (id, case_id, added_at) VALUES ($1, $2, $3)", person.0, case.0, now)
        .execute(unit.sql())
        .await?;
    Ok(())
}

/// The persons of a case, in the order in which they came.
pub async fn persons<V: Does, K: About>(look: &mut Look<V, K>, case: CaseId) -> Result<Vec<SubjectId>, sqlx::Error> {
    let ids = sqlx::query_scalar!("SELECT id FROM subjects WHERE case_id = $1 ORDER BY added_at, id", case.0)
        .fetch_all(look.sql())
        .await?;
    Ok(ids.into_iter().map(SubjectId).collect())
}

/// A new section; its content is sealed under its own id.
pub async fn insert_section<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    section: SectionId,
    place: &Place,
) -> Result<(), sqlx::Error> {
    unit.wrote(RowKind::Section, section.0);
    sqlx::query!(
        "INSERT INTO sections (id, case_id, subject_id, kind) VALUES ($1, $2, $3, $4)",
        section.0,
        place.case.0,
        place.person.map(|person| person.0),
        place.kind.as_str()
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The sections of a case and where each belongs.
pub async fn sections<V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
) -> Result<Vec<(SectionId, Place)>, Problem> {
    let rows = sqlx::query!("SELECT id, subject_id, kind FROM sections WHERE case_id = $1", case.0)
        .fetch_all(look.sql())
        .await?;
    rows.into_iter()
        .map(|row| {
            let place = Place { case, person: row.subject_id.map(SubjectId), kind: word(&row.kind)? };
            Ok((SectionId(row.id), place))
        })
        .collect()
}

async fn section_at(connection: &mut PgConnection, place: &Place) -> Result<Option<SectionId>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM sections WHERE case_id = $1 AND subject_id IS NOT DISTINCT FROM $2 AND kind = $3",
        place.case.0,
        place.person.map(|person| person.0),
        place.kind.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(SectionId))
}

/// The section at this place, to be read.
pub async fn section_to_read<V: Does, K: About>(
    look: &mut Look<V, K>,
    place: &Place,
) -> Result<Option<SectionId>, sqlx::Error> {
    section_at(look.sql(), place).await
}

/// The section at this place, to be written.
pub async fn section_to_write<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    place: &Place,
) -> Result<Option<SectionId>, sqlx::Error> {
    section_at(unit.sql(), place).await
}

/// How many notes the case has.
pub async fn count_notes<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "notes!" FROM case_notes WHERE case_id = $1"#, case.0)
        .fetch_one(unit.sql())
        .await
}

/// A new note; its text is sealed beside it.
pub async fn insert_note<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    note: CaseNoteId,
    position: i64,
) -> Result<(), sqlx::Error> {
    let (account, now): (AccountId, DateTime<Utc>) = (unit.account(), unit.now());
    unit.wrote(RowKind::CaseNote, note.0);
    sqlx::query!(
        "INSERT INTO case_notes (id, case_id, position, author_id, written_at) VALUES ($1, $2, $3, $4, $5)",
        note.0,
        case.0,
        position,
        account.0,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Notes from a position on: id and position, in order.
pub async fn notes<V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
    from: i64,
    limit: i64,
) -> Result<Vec<(CaseNoteId, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, position FROM case_notes WHERE case_id = $1 AND position >= $2 ORDER BY position LIMIT $3",
        case.0,
        from,
        limit
    )
    .fetch_all(look.sql())
    .await?;
    Ok(rows.into_iter().map(|row| (CaseNoteId(row.id), row.position)).collect())
}
