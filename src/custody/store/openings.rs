//! Openings: what was asked for, and how it stands. The steps are the database's too (the trigger of migration 0021).

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::custody::model::{OpeningState, OpeningView, Reason, Verdict, Why};
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, OpeningId, OrganisationId, RecordKind};
use crate::guard::statement::{fingerprint, hex};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("an opening holds a word that is none"))
}

fn print_of(note: &str) -> Result<String, Problem> {
    let print = fingerprint(note).map_err(|_| Problem::fault("an opening's statement is none"))?;
    Ok(hex(&print))
}

/// An opening to be invoked.
pub struct NewOpening<'a> {
    pub id: OpeningId,
    pub organisation: OrganisationId,
    pub why: Why,
    pub reason: Reason,
    pub person: Option<AccountId>,
    pub sections: &'a [RecordKind],
    pub hours: i16,
    pub cases: &'a [CaseId],
    pub lapses_at: DateTime<Utc>,
    /// All of this, signed.
    pub note: &'a str,
}

pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, new: &NewOpening<'_>) -> Result<(), sqlx::Error> {
    let (account, now) = (unit.account(), unit.now());
    let vouch = unit.voucher().opening(new.id, account, new.note);
    unit.wrote(RowKind::Opening, new.id.0);
    unit.touch(new.id.0);
    let sections: Vec<String> = new.sections.iter().map(|kind| kind.as_str().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO openings (id, organisation_id, why, reason, person_id, sections, hours, invoked_by, invoked_at, lapses_at,
                               note, vouch, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'invoked')",
        new.id.0,
        new.organisation.0,
        new.why.as_str(),
        new.reason.as_str(),
        new.person.map(|person| person.0),
        &sections,
        new.hours,
        account.0,
        now,
        new.lapses_at,
        new.note,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    let cases: Vec<Uuid> = new.cases.iter().map(|case| case.0).collect();
    sqlx::query!(
        "INSERT INTO opening_cases (opening_id, case_id) SELECT $1, c FROM unnest($2::uuid[]) AS t(c)",
        new.id.0,
        &cases
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// A case of the person's own squad, by its number.
pub async fn case_of_ours<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    number: i64,
) -> Result<Option<CaseId>, sqlx::Error> {
    let found = sqlx::query_scalar!("SELECT case_of_ours($1)", number).fetch_one(unit.sql()).await?;
    Ok(found.map(CaseId))
}

/// Which of these cases the person supervises.
pub async fn supervised<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    cases: &[CaseId],
) -> Result<Vec<CaseId>, sqlx::Error> {
    let cases: Vec<Uuid> = cases.iter().map(|case| case.0).collect();
    let found =
        sqlx::query_scalar!("SELECT id FROM cases WHERE id = ANY($1) AND i_supervise_case(id) ORDER BY id", &cases)
            .fetch_all(unit.sql())
            .await?;
    Ok(found.into_iter().map(CaseId).collect())
}

/// The openings that concern the person, the newest first.
pub async fn openings<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<OpeningView>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT o.*, ARRAY(SELECT c.case_id FROM opening_cases c WHERE c.opening_id = o.id ORDER BY c.case_id) AS "cases!"
           FROM openings o
           WHERE $1::uuid IS NULL OR (o.invoked_at, o.id) < (SELECT l.invoked_at, l.id FROM openings l WHERE l.id = $1)
           ORDER BY o.invoked_at DESC, o.id DESC LIMIT $2"#,
        after,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OpeningView {
                id: OpeningId(row.id),
                organisation: OrganisationId(row.organisation_id),
                why: word(&row.why)?,
                reason: word(&row.reason)?,
                state: word(&row.state)?,
                person: row.person_id.map(AccountId),
                sections: row.sections.iter().map(|kind| word(kind)).collect::<Result<_, _>>()?,
                hours: row.hours,
                cases: row.cases.into_iter().map(CaseId).collect(),
                invoked_by: AccountId(row.invoked_by),
                invoked_at: row.invoked_at,
                lapses_at: row.lapses_at,
                first: row.first_id.map(AccountId),
                second: row.second_id.map(AccountId),
                opened_at: row.opened_at,
                reviewed_by: row.reviewed_by.map(AccountId),
                verdict: row.verdict.as_deref().map(word).transpose()?,
                fingerprint: print_of(&row.note)?,
                statement: row.note,
            })
        })
        .collect()
}

/// An opening's row, held until this unit ends; nothing of it is believed but how it stands.
pub struct Row {
    pub state: OpeningState,
    pub note: String,
    pub vouch: Vec<u8>,
    pub lapses_at: DateTime<Utc>,
    pub first: Option<AccountId>,
    pub second: Option<AccountId>,
}

/// Holds the opening that this unit is about; nothing when it is not the person's to see.
pub async fn hold<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<Row>, Problem> {
    let id = unit.id();
    unit.serialise(id).await?;
    let row = sqlx::query!("SELECT state, note, vouch, lapses_at, first_id, second_id FROM openings WHERE id = $1", id)
        .fetch_optional(unit.sql())
        .await?;
    row.map(|row| {
        Ok(Row {
            state: word(&row.state)?,
            note: row.note,
            vouch: row.vouch,
            lapses_at: row.lapses_at,
            first: row.first_id.map(AccountId),
            second: row.second_id.map(AccountId),
        })
    })
    .transpose()
}

/// The cases of an opening, in the order in which they are locked, each with the first custodian's permission.
pub async fn cases<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
) -> Result<Vec<(CaseId, Option<String>)>, sqlx::Error> {
    let rows =
        sqlx::query!("SELECT case_id, note FROM opening_cases WHERE opening_id = $1 ORDER BY case_id", opening.0)
            .fetch_all(unit.sql())
            .await?;
    Ok(rows.into_iter().map(|row| (CaseId(row.case_id), row.note)).collect())
}

pub async fn sign_case<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
    case: CaseId,
    note: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE opening_cases SET note = $3 WHERE opening_id = $1 AND case_id = $2", opening.0, case.0, note)
        .execute(unit.sql())
        .await?;
    Ok(())
}

fn one<V: Does, K: About>(unit: &mut Unit<V, K>, opening: OpeningId, rows: u64) -> Result<(), Problem> {
    unit.wrote(RowKind::Opening, opening.0);
    // Held since it was read: it cannot have changed, and what may not be changed is a fault.
    if rows == 1 { Ok(()) } else { Err(Problem::fault("an opening could not be changed")) }
}

/// The first custodian has agreed.
pub async fn agreed<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
    lapses_at: DateTime<Utc>,
) -> Result<(), Problem> {
    let account = unit.account();
    let done = sqlx::query!(
        "UPDATE openings SET state = 'agreed', first_id = $2, lapses_at = $3, standing = standing + 1
         WHERE id = $1 AND state = 'invoked'",
        opening.0,
        account.0,
        lapses_at
    )
    .execute(unit.sql())
    .await?;
    one(unit, opening, done.rows_affected())
}

/// The second opens, in this transaction.
pub async fn opened<V: Does, K: About>(unit: &mut Unit<V, K>, opening: OpeningId) -> Result<(), Problem> {
    let account = unit.account();
    let done = sqlx::query!(
        "UPDATE openings SET state = 'opened', second_id = $2, opened_at = now(), standing = standing + 1
         WHERE id = $1 AND state = 'agreed'",
        opening.0,
        account.0
    )
    .execute(unit.sql())
    .await?;
    one(unit, opening, done.rows_affected())
}

pub async fn declined<V: Does, K: About>(unit: &mut Unit<V, K>, opening: OpeningId) -> Result<(), Problem> {
    let done = sqlx::query!(
        "UPDATE openings SET state = 'declined', standing = standing + 1 WHERE id = $1 AND state IN ('invoked', 'agreed')",
        opening.0
    )
    .execute(unit.sql())
    .await?;
    one(unit, opening, done.rows_affected())
}

pub async fn reviewed<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
    verdict: Verdict,
) -> Result<(), Problem> {
    let (account, now) = (unit.account(), unit.now());
    let done = sqlx::query!(
        "UPDATE openings SET state = 'reviewed', reviewed_by = $2, reviewed_at = $3, verdict = $4, standing = standing + 1
         WHERE id = $1 AND state = 'opened'",
        opening.0,
        account.0,
        now,
        verdict.as_str()
    )
    .execute(unit.sql())
    .await?;
    one(unit, opening, done.rows_affected())
}

/// Tells whom it concerns of the opening that this transaction carries out.
pub async fn tell<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT tell_of_opening()").fetch_one(unit.sql()).await?;
    Ok(())
}
