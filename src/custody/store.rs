//! All SQL of openings and CUSTODY keys. What reaches further than row-level security are functions of the database that
//! ask who opened what, and when (migration 0021).

use super::model::{OpeningState, OpeningView, Reason, Verdict, Why};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::custody::Share;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, OpeningId, OrganisationId, RecordKind, SharedKeyId};
use crate::guard::statement::{fingerprint, hex};
use crate::guard::vouch::is_vouched;
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
pub async fn openings<V: Does, K: About>(look: &mut Look<V, K>, most: i64) -> Result<Vec<OpeningView>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT o.*, ARRAY(SELECT c.case_id FROM opening_cases c WHERE c.opening_id = o.id ORDER BY c.case_id) AS "cases!"
           FROM openings o ORDER BY o.invoked_at DESC, o.id LIMIT $1"#,
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

/// The person's shares of an organisation's CUSTODY keys, as the first of a pair: those keys that something rests on, and the
/// one in force.
pub async fn shares_to_take_off<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
    current: SharedKeyId,
) -> Result<Vec<(SharedKeyId, AccountId, Vec<u8>)>, sqlx::Error> {
    let account = unit.account();
    let rows = sqlx::query!(
        "SELECT s.key_id, s.second_account, s.share FROM custody_shares s
         WHERE s.first_account = $1
           AND (s.key_id = $3 OR s.key_id IN (SELECT r.key_id FROM custody_rests($2) r WHERE r.keys > 0))
         ORDER BY s.key_id, s.second_account",
        account.0,
        organisation.0,
        current.0
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(rows.into_iter().map(|row| (SharedKeyId(row.key_id), AccountId(row.second_account), row.share)).collect())
}

pub async fn insert_shares<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    key: SharedKeyId,
    shares: &[Share],
) -> Result<(), sqlx::Error> {
    let firsts: Vec<Uuid> = shares.iter().map(|share| share.first.0).collect();
    let seconds: Vec<Uuid> = shares.iter().map(|share| share.second.0).collect();
    let sealed: Vec<Vec<u8>> = shares.iter().map(|share| share.sealed.clone()).collect();
    sqlx::query!(
        "INSERT INTO custody_shares (key_id, first_account, second_account, share)
         SELECT $1, f, s, x FROM unnest($2::uuid[], $3::uuid[], $4::bytea[]) AS t(f, s, x)",
        key.0,
        &firsts,
        &seconds,
        &sealed
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub async fn insert_part<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    record: Uuid,
    opening: OpeningId,
    account: AccountId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO opening_parts (id, opening_id, account_id) VALUES ($1, $2, $3)",
        record,
        opening.0,
        account.0
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The part that the first custodian left for this person.
pub async fn part<V: Does, K: About>(unit: &mut Unit<V, K>, opening: OpeningId) -> Result<Option<Uuid>, sqlx::Error> {
    let account = unit.account();
    sqlx::query_scalar!("SELECT id FROM opening_parts WHERE opening_id = $1 AND account_id = $2", opening.0, account.0)
        .fetch_optional(unit.sql())
        .await
}

/// Deletes every part of an opening that was used or taken back; their erasure keys go with the commit. Only of records that
/// this service sealed as such parts: a row that was planted erases nothing.
pub async fn drop_parts<V: Does, K: About>(unit: &mut Unit<V, K>, opening: OpeningId) -> Result<(), sqlx::Error> {
    let gone = sqlx::query!(r#"SELECT id AS "id!", account_id AS "account!" FROM drop_parts($1)"#, opening.0)
        .fetch_all(unit.sql())
        .await?;
    for part in gone {
        if part.id == unit.voucher().part_of_opening(opening, AccountId(part.account)) {
            unit.erase_with_commit(part.id);
        } else {
            tracing::error!("ALARM: something that is no part of an opening was put in its place");
        }
    }
    Ok(())
}

/// A CUSTODY key that waits for its second signature.
pub struct NewCustody<'a> {
    pub key: SharedKeyId,
    pub organisation: OrganisationId,
    pub number: i32,
    pub note: &'a str,
    pub opening: Option<OpeningId>,
}

pub async fn insert_custody<V: Does, K: About>(unit: &mut Unit<V, K>, new: &NewCustody<'_>) -> Result<(), sqlx::Error> {
    let vouch = unit.voucher().custody(new.key, new.note);
    unit.wrote(RowKind::Custody, new.key.0);
    unit.touch(new.key.0);
    sqlx::query!(
        "INSERT INTO custodies (key_id, organisation_id, number, note, vouch, opening_id) VALUES ($1, $2, $3, $4, $5, $6)",
        new.key.0,
        new.organisation.0,
        new.number,
        new.note,
        vouch.as_slice(),
        new.opening.map(|opening| opening.0)
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The CUSTODY key that an opening prepared: its number and the note with the first signature.
pub async fn prepared<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
) -> Result<Option<(SharedKeyId, String)>, sqlx::Error> {
    let query = sqlx::query!(
        "SELECT key_id, note, vouch FROM custodies WHERE opening_id = $1 AND in_force_at IS NULL",
        opening.0
    );
    let row = query.fetch_optional(unit.sql()).await?;
    // Somebody knows the private half of what this service did not make, whoever signed it.
    let made_here =
        |key, note: &str, vouch: &[u8]| is_vouched(Some(vouch), &unit.voucher().custody(SharedKeyId(key), note));
    let row = row.filter(|row| made_here(row.key_id, &row.note, &row.vouch));
    Ok(row.map(|row| (SharedKeyId(row.key_id), row.note)))
}

/// What a responsible person proposed through this service.
pub async fn proposed<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
    key: SharedKeyId,
) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT note, vouch FROM custodies
         WHERE organisation_id = $1 AND key_id = $2 AND opening_id IS NULL AND in_force_at IS NULL",
        organisation.0,
        key.0
    )
    .fetch_optional(unit.sql())
    .await?;
    let own = |note: &str, vouch: &[u8]| is_vouched(Some(vouch), &unit.voucher().custody(key, note));
    Ok(row.filter(|row| own(&row.note, &row.vouch)).map(|row| row.note))
}

/// The newest proposal that would follow the key in force.
pub async fn newest_proposal<V: Does, K: About>(
    look: &mut Look<V, K>,
    organisation: OrganisationId,
    number: i32,
) -> Result<Option<(SharedKeyId, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT c.key_id, c.note, c.vouch FROM custodies c JOIN shared_keys k ON k.id = c.key_id
         WHERE c.organisation_id = $1 AND c.number = $2 AND c.opening_id IS NULL AND c.in_force_at IS NULL
         ORDER BY k.opens_at DESC, c.key_id LIMIT 100",
        organisation.0,
        number
    )
    .fetch_all(look.sql())
    .await?;
    let (_, trust) = look.with_trust();
    let own = |key, note: &str, vouch: &[u8]| is_vouched(Some(vouch), &trust.voucher().custody(SharedKeyId(key), note));
    let newest = rows.into_iter().find(|row| own(row.key_id, &row.note, &row.vouch));
    Ok(newest.map(|row| (SharedKeyId(row.key_id), row.note)))
}

/// Whether a key has a share for each ordered pair of so many custodians.
pub async fn is_shared<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    key: SharedKeyId,
    custodians: usize,
) -> Result<bool, sqlx::Error> {
    let custodians = i64::try_from(custodians).unwrap_or_default();
    sqlx::query_scalar!(r#"SELECT custody_is_shared($1, $2) AS "it!""#, key.0, custodians).fetch_one(unit.sql()).await
}

/// Both have signed: it is the one in force from this commit on.
pub async fn put_in_force<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    key: SharedKeyId,
    note: &str,
) -> Result<(), Problem> {
    let (vouch, now) = (unit.voucher().custody(key, note), unit.now());
    unit.wrote(RowKind::Custody, key.0);
    let done = sqlx::query!(
        "UPDATE custodies SET note = $2, vouch = $3, in_force_at = $4, standing = standing + 1
         WHERE key_id = $1 AND in_force_at IS NULL",
        key.0,
        note,
        vouch.as_slice(),
        now
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::fault("a CUSTODY key could not be put in force")) }
}

/// One key of a record as it is wrapped to CUSTODY.
pub struct WrapToMove {
    pub key: Uuid,
    pub epoch: i32,
    pub case: Option<CaseId>,
    pub wrap: Vec<u8>,
}

/// What rests on an older CUSTODY key, in steps, to the custodian who has just opened it.
pub async fn wraps_to_move<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
    old: SharedKeyId,
    after: (Uuid, i32),
    most: i64,
) -> Result<Vec<WrapToMove>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT key_id AS "key!", epoch AS "epoch!", case_id, wrap AS "wrap!" FROM custody_wraps($1, $2, $3, $4, $5)"#,
        opening.0,
        old.0,
        after.0,
        after.1,
        most
    )
    .fetch_all(unit.sql())
    .await?;
    let moved = rows.into_iter().map(|row| WrapToMove {
        key: row.key,
        epoch: row.epoch,
        case: row.case_id.map(CaseId),
        wrap: row.wrap,
    });
    Ok(moved.collect())
}

/// Puts these wraps in the place of those to the older key. False when another key has followed in the meantime.
pub async fn move_wraps<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
    (old, new): (SharedKeyId, SharedKeyId),
    wraps: &[WrapToMove],
) -> Result<bool, sqlx::Error> {
    let keys: Vec<Uuid> = wraps.iter().map(|wrap| wrap.key).collect();
    let epochs: Vec<i32> = wraps.iter().map(|wrap| wrap.epoch).collect();
    let bytes: Vec<Vec<u8>> = wraps.iter().map(|wrap| wrap.wrap.clone()).collect();
    let moved = sqlx::query_scalar!(
        r#"SELECT move_custody_wraps($1, $2, $3, $4, $5, $6) AS "moved!""#,
        opening.0,
        old.0,
        new.0,
        &keys,
        &epochs,
        &bytes
    )
    .fetch_one(unit.sql())
    .await?;
    Ok(moved >= 0)
}

/// Deletes the shares of keys on which nothing rests any more.
pub async fn drop_empty_shares<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    opening: OpeningId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT drop_empty_custody_shares($1)", opening.0).fetch_one(unit.sql()).await?;
    Ok(())
}

/// How many keys of records rest on older CUSTODY keys than this one.
pub async fn rest_on_older(
    connection: &mut sqlx::PgConnection,
    organisation: OrganisationId,
    current: SharedKeyId,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT COALESCE(sum(r.keys), 0)::bigint AS "it!" FROM custody_rests($1) r WHERE r.key_id <> $2"#,
        organisation.0,
        current.0
    )
    .fetch_one(connection)
    .await
}
