//! CUSTODY's keys: shares, parts that one custodian leaves for another, the keys that follow, and what rests on which.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::custody::Share;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, OpeningId, OrganisationId, SharedKeyId};
use crate::guard::vouch::is_vouched;
use crate::platform::problem::Problem;
use uuid::Uuid;

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
        if unit.voucher().is_part_of_opening(opening, AccountId(part.account), part.id) {
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
