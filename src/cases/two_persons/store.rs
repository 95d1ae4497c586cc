//! All SQL about proposals. Row-level security shows them to who works on the case and to the squad's supervisors, and none to
//! whom it concerns.

use super::Proposed;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::cases::store::one;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, CaseId, ProposalId};
use crate::guard::statement::{Act, ProposalStatement};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A proposal as it lies there, not believed yet.
pub struct ProposalRow {
    pub id: ProposalId,
    pub(in crate::cases) what: Proposed,
    pub note: String,
    pub vouch: Vec<u8>,
    pub made_at: DateTime<Utc>,
    pub lapses_at: DateTime<Utc>,
    pub confirmed: bool,
}

/// As the database has it.
struct Row {
    id: Uuid,
    about: Uuid,
    account_id: Option<Uuid>,
    note: String,
    vouch: Vec<u8>,
    made_at: DateTime<Utc>,
    lapses_at: DateTime<Utc>,
    confirmed: bool,
}

impl Row {
    fn about(self, act: Act) -> ProposalRow {
        let Self { id, about, account_id, note, vouch, made_at, lapses_at, confirmed } = self;
        let what = Proposed { act, about, account: account_id.map(AccountId), reason: None };
        ProposalRow { id: ProposalId(id), what, note, vouch, made_at, lapses_at, confirmed }
    }
}

/// What is proposed on a case, has not lapsed, and waits for a second person.
pub async fn waiting<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    act: Act,
) -> Result<Vec<ProposalRow>, sqlx::Error> {
    let now = unit.now();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, about, account_id, note, vouch, made_at, lapses_at, false AS "confirmed!" FROM proposals
           WHERE case_id = $1 AND act = $2 AND confirmed_at IS NULL AND lapses_at > $3 ORDER BY made_at, id LIMIT 100"#,
        case.0,
        act.as_str(),
        now
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(rows.into_iter().map(|row| row.about(act)).collect())
}

/// One proposal, whether it waits or not.
pub async fn proposal<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    act: Act,
    id: ProposalId,
) -> Result<Option<ProposalRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, about, account_id, note, vouch, made_at, lapses_at, confirmed_at IS NOT NULL AS "confirmed!"
           FROM proposals WHERE case_id = $1 AND act = $2 AND id = $3"#,
        case.0,
        act.as_str(),
        id.0
    )
    .fetch_optional(unit.sql())
    .await?;
    Ok(row.map(|row| row.about(act)))
}

/// A new proposal with its signed statement.
pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    stated: &ProposalStatement,
    note: &str,
) -> Result<(), sqlx::Error> {
    let vouch = unit.voucher().proposal(stated.proposal, unit.account(), note);
    unit.wrote(RowKind::Proposal, stated.proposal.0);
    unit.touch(stated.proposal.0);
    sqlx::query!(
        "INSERT INTO proposals (id, case_id, act, about, account_id, note, vouch, made_at, lapses_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        stated.proposal.0,
        case.0,
        stated.act.as_str(),
        stated.about,
        stated.account.map(|account| account.0),
        note,
        vouch.as_slice(),
        stated.at,
        stated.lapses_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The second person has signed it too.
pub async fn confirm<V: Does, K: About>(unit: &mut Unit<V, K>, id: ProposalId, both: &str) -> Result<(), Problem> {
    let now = unit.now();
    let vouch = unit.voucher().confirmation(id, unit.account(), both);
    unit.wrote(RowKind::Proposal, id.0);
    unit.touch(id.0);
    let done = sqlx::query!(
        "UPDATE proposals SET confirmed_at = $2, confirm_note = $3, confirm_vouch = $4, standing = standing + 1
         WHERE id = $1 AND confirmed_at IS NULL",
        id.0,
        now,
        both,
        vouch.as_slice()
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())
}
