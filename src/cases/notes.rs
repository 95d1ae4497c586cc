//! Notes on a case: written once, read in order, never changed. Each is sealed under the key of `investigation`.

use super::document::Place;
use super::model::{NewNote, NoteMade, NoteView};
use super::{head, store, team};
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, CaseNoteId, RecordKind};
use crate::guard::vault::{self, Placement, Sealed, SealingKey, VaultError};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A note as it is sealed. Its case, place, author and time are sealed with it: the clear row may be changed by who holds
/// the database, and a new epoch is signed by whoever makes it.
#[derive(Serialize, Deserialize)]
struct Note {
    schema_version: u16,
    case: CaseId,
    position: i64,
    author: AccountId,
    written_at: DateTime<Utc>,
    text: String,
}

const SCHEMA_VERSION: u16 = 1;

/// The notes of a case, in the order in which they were written.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/notes", operation_id = "list_case_notes", tag = "cases",
    params(("id" = CaseId, Path), Page, ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "A page of notes, oldest first.", body = Listed<NoteView>),
        (status = 404, description = "There is no such case for the reader.", body = ProblemDocument),
        (status = 422, description = "A cursor that is none.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
    paged: Paged,
) -> Result<Json<Listed<NoteView>>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::CaseNote, case, id);
    let leave = app.gate.authorize::<verbs::List, kinds::CaseNote>(&who, target, purpose).await?;
    // The cursor is the position before: this list goes up.
    let from = if paged.cursor.is_some() { paged.before()?.saturating_add(1).max(0) } else { 0 };
    let mut look = Look::begin(&app.places, leave).await?;
    let Some((notes, sealed)) = complete_page(&mut look, case, from, paged.limit).await? else {
        return Err(look.conclude_absent().await);
    };
    let next = notes.next;
    let ids: Vec<Uuid> = notes.items.iter().map(|(id, _)| id.0).collect();
    let versions = sealed.iter().map(|note| (note.record(), note.version())).collect();
    // The vault gives them back in the order in which it got them.
    let order: Vec<Uuid> = sealed.iter().map(Sealed::record).collect();
    let receipt = look.conclude(ids, versions).await?;
    let opened = vault::open(receipt, &who, sealed)?;
    let mut items = Vec::with_capacity(order.len());
    for (record, opened) in order.into_iter().zip(opened) {
        let note: Note = opened.disclose();
        let place = notes.items.iter().find(|(id, _)| id.0 == record);
        let (id, position) = place.copied().ok_or(VaultError::Tampered)?;
        if note.schema_version != SCHEMA_VERSION {
            return Err(VaultError::Shape.into());
        }
        if note.case != case || note.position != position {
            return Err(VaultError::Tampered.into());
        }
        items.push(NoteView { id, position, author: note.author, written_at: note.written_at, text: note.text });
    }
    items.sort_by_key(|note| note.position);
    Ok(Json(Listed { items, next }))
}

/// A page of notes with the sealed text of each: none is left out, and the head vouches for all of them. Nothing when
/// access has ended meanwhile.
async fn complete_page(
    look: &mut Look<verbs::List, kinds::CaseNote>,
    case: CaseId,
    from: i64,
    limit: i64,
) -> Result<Option<(Listed<(CaseNoteId, i64)>, Vec<Sealed<Note>>)>, Problem> {
    let mut head = head::to_read(look, case).await?;
    for _ in 0..head::ATTEMPTS {
        let Some(before) = head else { return Ok(None) };
        let items = store::notes(look, case, from, limit).await?;
        let dense = is_dense(&items, from, limit, before.notes);
        let records: Vec<Uuid> = items.iter().map(|(id, _)| id.0).collect();
        let sealed = look.fetch(&records).await?;
        if dense && head::vouches(&before, &records, &sealed, look.now()) {
            let last = items.last().map(|(_, position)| *position).filter(|last| last + 1 < before.notes);
            return Ok(Some((Listed { items, next: last.map(|last| last.to_string()) }, sealed)));
        }
        head = head::moved_on(look, case, &before).await?;
    }
    Err(head::busy())
}

/// Whether these are all notes from a position on, up to the limit, of a case that has `notes`.
fn is_dense(items: &[(CaseNoteId, i64)], from: i64, limit: i64, notes: i64) -> bool {
    let expected = notes.saturating_sub(from).clamp(0, limit);
    i64::try_from(items.len()).is_ok_and(|found| found == expected)
        && items.iter().zip(from..).all(|((_, position), expected)| *position == expected)
}

/// Writes a note.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/notes", operation_id = "append_case_note", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewNote,
    responses(
        (status = 201, description = "The note's id and position.", body = NoteMade),
        (status = 404, description = "There is no such case for the writer.", body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
    ),
)]
pub async fn append(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewNote>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::CaseNote, case, id);
    let leave = app.gate.authorize::<verbs::Append, kinds::CaseNote>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    head::lock_and_check(&mut unit, case).await?;
    let position = store::count_notes(&mut unit, case).await?;
    let (id, written_at) = (CaseNoteId::random(), unit.now());
    let note = Note { schema_version: SCHEMA_VERSION, case, position, author: who.account, written_at, text: new.text };
    store::insert_note(&mut unit, case, id, position).await?;
    seal_beside_notes(&mut unit, case, id.0, RecordKind::CaseNote, &note).await?;
    let answer = Answer::created(&NoteMade { id, position })?;
    once.remember(&mut unit, &answer).await?;
    let _ = unit.commit().await?;
    Ok(answer)
}

/// Seals a new record of a case that is locked under the key of its `investigation`, and signs the next head.
///
/// # Errors
/// As the databases refuse.
pub(crate) async fn seal_beside_notes<T: Serialize, V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    record: Uuid,
    kind: RecordKind,
    content: &T,
) -> Result<(), Problem> {
    let epoch = team::epoch(unit, case).await?;
    let investigation = Place { case, person: None, kind: RecordKind::Investigation };
    let Some(section) = store::section_to_write(unit, &investigation).await? else {
        return Err(Problem::fault("a case has no investigation section"));
    };
    let sealed = unit.fetch::<()>(&[section.0]).await?.pop();
    let sealed = sealed.ok_or_else(|| Problem::fault("a section is not sealed to somebody on its case"))?;
    let under = SealingKey::of(&unit.who().keys, &sealed)?;
    let place = Placement { record, kind, case: Some(case), key_id: under.id, epoch, version: 1 };
    unit.put(&place, &under, content).await?;
    head::sign_new_head(unit, case).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(positions: &[i64]) -> Vec<(CaseNoteId, i64)> {
        positions.iter().map(|position| (CaseNoteId::random(), *position)).collect()
    }

    #[test]
    fn a_page_leaves_nothing_out() {
        assert!(is_dense(&at(&[]), 0, 50, 0));
        assert!(is_dense(&at(&[0, 1, 2]), 0, 50, 3));
        assert!(is_dense(&at(&[0, 1]), 0, 2, 3));
        assert!(is_dense(&at(&[2]), 2, 2, 3));
        assert!(is_dense(&at(&[]), 9, 2, 3));
    }

    #[test]
    fn a_note_that_is_missing_shows() {
        for (positions, from, limit, notes) in
            [(&[][..], 0, 50, 1), (&[0, 2], 0, 50, 3), (&[0, 2], 0, 50, 2), (&[1, 2], 0, 50, 2), (&[0, 1], 0, 50, 3)]
        {
            assert!(!is_dense(&at(positions), from, limit, notes), "{positions:?} of {notes}");
        }
        assert!(!is_dense(&at(&[0]), 0, 2, 3));
    }
}
