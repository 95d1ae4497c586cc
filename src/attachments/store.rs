//! All SQL about attachments. Rows are added and taken away, and never changed.

use super::model::On;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AttachmentId, CaseId, ObjectId, SectionId};
use crate::platform::problem::Problem;
use uuid::Uuid;

/// An attachment's clear columns.
pub struct Row {
    pub id: Uuid,
    pub object: Uuid,
    /// SHA-256 of the sealed bytes.
    pub digest: Vec<u8>,
}

/// What hangs on a call, a notice or a section (by the id of that), in order; or one of it.
///
/// # Errors
/// When the database does not answer.
pub async fn hanging<V: Does, K: About>(
    look: &mut Look<V, K>,
    on: Uuid,
    one: Option<AttachmentId>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "SELECT id, object, digest FROM attachments
         WHERE (call_id = $1 OR notice_id = $1 OR section_id = $1) AND ($2::uuid IS NULL OR id = $2)
         ORDER BY added_at, id",
        on,
        one.map(|one| one.0)
    )
    .fetch_all(look.sql())
    .await
}

/// The same of a draft that this unit has locked.
///
/// # Errors
/// When the database does not answer.
pub async fn hanging_on_draft<V: Does, K: About>(unit: &mut Unit<V, K>, call: Uuid) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(Row, "SELECT id, object, digest FROM attachments WHERE call_id = $1 ORDER BY added_at, id", call)
        .fetch_all(unit.sql())
        .await
}

/// How many hang there.
///
/// # Errors
/// When the database does not answer.
pub async fn count<V: Does, K: About>(unit: &mut Unit<V, K>, on: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "many!" FROM attachments WHERE call_id = $1 OR notice_id = $1 OR section_id = $1"#,
        on
    )
    .fetch_one(unit.sql())
    .await
}

/// The case that a notice has become part of; nothing before, and nothing for a notice that is not there.
///
/// # Errors
/// When the database does not answer.
pub async fn case_of_notice<V: Does, K: About>(
    look: &mut Look<V, K>,
    notice: Uuid,
) -> Result<Option<CaseId>, sqlx::Error> {
    let case =
        sqlx::query_scalar!("SELECT case_id FROM notices WHERE id = $1", notice).fetch_optional(look.sql()).await?;
    Ok(case.flatten().map(CaseId))
}

/// Whether a call is still there for the person.
///
/// # Errors
/// When the database does not answer.
pub async fn is_call<V: Does, K: About>(look: &mut Look<V, K>, call: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM calls WHERE id = $1) AS "it!""#, call).fetch_one(look.sql()).await
}

/// A new attachment: on what, and where its bytes lie.
pub struct NewRow {
    pub id: AttachmentId,
    pub on: On,
    /// The section's own id, for one that hangs on a section.
    pub section: Option<SectionId>,
    pub object: ObjectId,
    pub digest: Vec<u8>,
}

/// Stores the row.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, new: &NewRow) -> Result<(), sqlx::Error> {
    let (author, now) = (unit.account(), unit.now());
    let (call, notice) = match new.on {
        On::Call(id) => (Some(id.0), None),
        On::Notice(id) => (None, Some(id.0)),
        On::Section(_) => (None, None),
    };
    unit.wrote(RowKind::Attachment, new.id.0);
    sqlx::query!(
        "INSERT INTO attachments (id, call_id, notice_id, section_id, author_id, object, digest, added_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.0,
        call,
        notice,
        new.section.map(|id| id.0),
        author.0,
        new.object.0,
        new.digest,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Takes a draft's attachment away; its record is gone already.
///
/// # Errors
/// A fault if it is not there, and as the database refuses.
pub async fn delete<V: Does, K: About>(unit: &mut Unit<V, K>, id: AttachmentId) -> Result<(), Problem> {
    let gone = sqlx::query!("DELETE FROM attachments WHERE id = $1 RETURNING register_no", id.0)
        .fetch_optional(unit.sql())
        .await?;
    let gone = gone.ok_or_else(|| Problem::fault("an attachment of a locked draft is gone"))?;
    unit.struck(RowKind::Attachment, id.0, gone.register_no).await
}
