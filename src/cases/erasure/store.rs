//! All SQL about erasures. Row-level security shows what is left to the squad's supervisors and to auditors, and lets only the
//! transaction of the second person take a case away.

use crate::audit::mark::RowKind;
use crate::audit::unit::{Taken, Unit};
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, OrganisationId, ProposalId, RecordKind};
use crate::guard::statement::ErasureReason;
use crate::guard::vouch::{SealedFacts, is_vouched};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What is left of a case, to be written.
pub struct Erased<'a> {
    pub id: ProposalId,
    pub case: CaseId,
    pub number: i64,
    pub organisation: OrganisationId,
    pub reason: ErasureReason,
    pub proposed_by: AccountId,
    pub proposed_at: DateTime<Utc>,
    /// The proposal, signed by both.
    pub note: &'a str,
    /// Who is kept off the case.
    pub barred: &'a [AccountId],
}

/// Which transaction of the database this unit is.
pub async fn transaction<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text AS "it!""#).fetch_one(unit.sql()).await
}

/// Writes down that a case is erased. Before [`take_away`], which asks for it.
pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, erased: &Erased<'_>) -> Result<(), sqlx::Error> {
    let (now, second) = (unit.now(), unit.account());
    let vouch = unit.voucher().erasure(erased.id, second, erased.note);
    let barred: Vec<Uuid> = erased.barred.iter().map(|account| account.0).collect();
    unit.wrote(RowKind::Erasure, erased.id.0);
    unit.touch(erased.id.0);
    sqlx::query!(
        "INSERT INTO erasures (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at,
                               note, barred, vouch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        erased.id.0,
        erased.case.0,
        erased.number,
        erased.organisation.0,
        erased.reason.as_str(),
        erased.proposed_by.0,
        erased.proposed_at,
        second.0,
        now,
        erased.note,
        &barred,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Why nothing is erased: it would be for ever.
const NOT_OF_CASE: &str =
    "what is sealed on a case that is to be erased was not stored by this service, or on another case";

/// What is sealed on a placement, which its clear row alone joins to the case: the ciphertext names none.
const fn hangs_on_placement(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Placement | RecordKind::Arrival | RecordKind::Care | RecordKind::Consent)
}

/// Takes away everything that hangs on the case, and the case; the ledger will say which rows. What is to be erased elsewhere is
/// stored, and tried at once after the commit.
pub async fn take_away<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    erasure: ProposalId,
    case: CaseId,
) -> Result<(), Problem> {
    let taken = sqlx::query!(
        r#"SELECT what AS "what!", id AS "id!", register, register_no, kind, case_id, key_id, epoch, version, author, digest, vouch
           FROM erase_case($1) ORDER BY what, id"#,
        case.0
    )
    .fetch_all(unit.sql())
    .await?;
    // The case's own id is erased too, which is no key's: so a restored backup knows which case it was.
    let (mut keys, mut objects, mut rows) = (BTreeSet::from([case.0]), Vec::new(), Vec::new());
    for row in taken {
        match row.what.as_str() {
            "sealed" => {
                let facts = (row.kind, row.key_id, row.epoch, row.version, row.author, row.digest);
                let (Some(kind), Some(key), Some(epoch), Some(version), Some(author), Some(digest)) = facts else {
                    return Err(Problem::fault(NOT_OF_CASE));
                };
                let digest = digest.try_into().map_err(|_| Problem::fault(NOT_OF_CASE))?;
                let sealed =
                    SealedFacts { record: row.id, kind: &kind, case: row.case_id, key, epoch, version, author, digest };
                let of_case = match row.case_id {
                    Some(on) => on == case.0,
                    None => kind.parse().is_ok_and(hangs_on_placement),
                };
                if !of_case || !is_vouched(row.vouch.as_deref(), &unit.voucher().sealed(&sealed)) {
                    return Err(Problem::fault(NOT_OF_CASE));
                }
                keys.insert(key);
            }
            "object" => objects.push(row.id),
            kind => {
                let kind: RowKind = kind.parse().map_err(|_| Problem::fault("a row has no known kind"))?;
                let digest = row.digest.and_then(|digest| digest.try_into().ok());
                let (Some(standing), Some(digest)) = (row.version, digest) else {
                    return Err(Problem::fault("a row that is taken away does not say how it stood"));
                };
                rows.push(Taken { kind, row: row.id, place: row.register.zip(row.register_no), standing, digest });
            }
        }
    }
    if !rows.iter().any(|taken| taken.kind == RowKind::Case && taken.row == case.0) {
        return Err(Problem::fault("a case was not taken away"));
    }
    unit.struck_from_registers(rows);
    let keys: Vec<Uuid> = keys.into_iter().collect();
    let vouch = unit.voucher().erasing(erasure, &keys, &objects);
    sqlx::query!(
        "INSERT INTO erasing (erasure_id, keys, objects, vouch) VALUES ($1, $2, $3, $4)",
        erasure.0,
        &keys,
        &objects,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    for key in keys.into_iter().chain(objects) {
        unit.erase_with_commit(key);
    }
    Ok(())
}

/// What is left of a case as it lies there, not believed yet.
pub struct ErasureRow {
    pub id: ProposalId,
    pub case: CaseId,
    pub number: i64,
    pub organisation: OrganisationId,
    pub reason: String,
    pub proposed_by: AccountId,
    pub proposed_at: DateTime<Utc>,
    pub confirmed_by: AccountId,
    pub erased_at: DateTime<Utc>,
    pub note: String,
    pub vouch: Vec<u8>,
    pub online_at: Option<DateTime<Utc>>,
    pub final_at: Option<DateTime<Utc>>,
    pub is_final: bool,
}

/// Erased cases below a number, the highest first.
pub async fn erasures<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: i64,
    most: i64,
) -> Result<Vec<ErasureRow>, sqlx::Error> {
    sqlx::query_as!(
        ErasureRow,
        r#"SELECT id AS "id: ProposalId", case_id AS "case: CaseId", number, organisation_id AS "organisation: OrganisationId", reason,
                  proposed_by AS "proposed_by: AccountId", proposed_at, confirmed_by AS "confirmed_by: AccountId", erased_at, note,
                  vouch, online_at, final_at, COALESCE(final_at <= now(), false) AS "is_final!"
           FROM erasures WHERE number < $1 ORDER BY number DESC LIMIT $2"#,
        before,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// What is left of these cases, as far as they were erased.
pub async fn erasures_of<V: Does, K: About>(
    look: &mut Look<V, K>,
    cases: &[Uuid],
) -> Result<Vec<ErasureRow>, sqlx::Error> {
    sqlx::query_as!(
        ErasureRow,
        r#"SELECT id AS "id: ProposalId", case_id AS "case: CaseId", number, organisation_id AS "organisation: OrganisationId", reason,
                  proposed_by AS "proposed_by: AccountId", proposed_at, confirmed_by AS "confirmed_by: AccountId", erased_at, note,
                  vouch, online_at, final_at, COALESCE(final_at <= now(), false) AS "is_final!"
           FROM erasures WHERE case_id = ANY($1)"#,
        cases
    )
    .fetch_all(look.sql())
    .await
}
