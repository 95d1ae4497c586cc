//! All SQL about notices, slips and addenda.

use super::model::{NoticeState, ReturnCode};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AddendumId, CaseId, NoticeId, OrganisationId, SharedKeyId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A notice's clear columns.
pub struct Row {
    pub id: Uuid,
    pub number: i64,
    pub state: String,
    pub sender_organisation_id: Uuid,
    pub suspected_at: DateTime<Utc>,
    pub sent_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub return_code: Option<String>,
    pub case_id: Option<Uuid>,
    pub addenda: i64,
    pub attachments: i64,
}

impl Row {
    /// The state, if the word is known.
    pub fn state(&self) -> Option<NoticeState> {
        self.state.parse().ok()
    }

    /// Where it stands in the queue: the stage, within it the clock (for what came back, the newest first), and its number.
    pub fn place(&self) -> [i64; 3] {
        let (stage, clock) = match self.state() {
            Some(NoticeState::Sent) => (0, self.suspected_at.timestamp_micros()),
            Some(NoticeState::Acknowledged) => (1, self.suspected_at.timestamp_micros()),
            Some(NoticeState::Accepted | NoticeState::Returned) | None => (2, -self.number),
        };
        [stage, clock, self.number]
    }

    /// The return code, if there is one.
    pub fn return_code(&self) -> Option<ReturnCode> {
        self.return_code.as_deref().and_then(|code| code.parse().ok())
    }
}

pub struct NewNotice {
    pub id: NoticeId,
    pub squad: OrganisationId,
    pub intake: SharedKeyId,
    pub suspected_at: DateTime<Utc>,
}

pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, new: &NewNotice) -> Result<(), sqlx::Error> {
    let (who, now) = (unit.who(), unit.now());
    unit.wrote(RowKind::Notice, new.id.0);
    sqlx::query!(
        "INSERT INTO notices (id, sender_id, sender_organisation_id, squad_id, intake_key_id, state, suspected_at, sent_at)
         VALUES ($1, $2, $3, $4, $5, 'sent', $6, $7)",
        new.id.0,
        who.account.0,
        who.organisation.0,
        new.squad.0,
        new.intake.0,
        new.suspected_at,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The row of a notice in the unit that makes or changes it.
pub async fn row<V: Does, K: About>(unit: &mut Unit<V, K>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"SELECT n.id, n.number, n.state, n.sender_organisation_id, n.suspected_at, n.sent_at, n.acknowledged_at,
                  n.return_code, n.case_id, (SELECT count(*) FROM addenda a WHERE a.notice_id = n.id) AS "addenda!",
                  (SELECT count(*) FROM attachments t WHERE t.notice_id = n.id) AS "attachments!"
           FROM notices n WHERE n.id = $1"#,
        id
    )
    .fetch_optional(unit.sql())
    .await
}

/// The notice that a look is about.
pub async fn looked_at<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<Row>, sqlx::Error> {
    let id = look.id();
    sqlx::query_as!(
        Row,
        r#"SELECT n.id, n.number, n.state, n.sender_organisation_id, n.suspected_at, n.sent_at, n.acknowledged_at,
                  n.return_code, n.case_id, (SELECT count(*) FROM addenda a WHERE a.notice_id = n.id) AS "addenda!",
                  (SELECT count(*) FROM attachments t WHERE t.notice_id = n.id) AS "attachments!"
           FROM notices n WHERE n.id = $1"#,
        id
    )
    .fetch_optional(look.sql())
    .await
}

/// The person's own slips, newest first.
pub async fn slips<V: Does, K: About>(look: &mut Look<V, K>, before: i64, most: i64) -> Result<Vec<Row>, sqlx::Error> {
    let account = look.account();
    sqlx::query_as!(
        Row,
        r#"SELECT n.id, n.number, n.state, n.sender_organisation_id, n.suspected_at, n.sent_at, n.acknowledged_at,
                  n.return_code, n.case_id, (SELECT count(*) FROM addenda a WHERE a.notice_id = n.id) AS "addenda!",
                  (SELECT count(*) FROM attachments t WHERE t.notice_id = n.id) AS "attachments!"
           FROM notices n WHERE n.sender_id = $1 AND n.number < $2 ORDER BY n.number DESC LIMIT $3"#,
        account.0,
        before,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// The open notices of the person's squad, the most urgent first; and for supervisors of a sender, those that came back, the
/// newest first: they are kept for good, and the last one is never beyond what somebody looks at. Behind a place of
/// [`Row::place`].
pub async fn queue<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: [i64; 3],
    most: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let squad = look.authorized().who().organisation;
    let [stage, clock, number] = after;
    sqlx::query_as!(
        Row,
        r#"SELECT n.id, n.number, n.state, n.sender_organisation_id, n.suspected_at, n.sent_at, n.acknowledged_at,
                  n.return_code, n.case_id, (SELECT count(*) FROM addenda a WHERE a.notice_id = n.id) AS "addenda!",
                  (SELECT count(*) FROM attachments t WHERE t.notice_id = n.id) AS "attachments!"
           FROM notices n, LATERAL (
               SELECT CASE n.state WHEN 'sent' THEN 0 WHEN 'acknowledged' THEN 1 ELSE 2 END::bigint AS stage,
                      CASE n.state WHEN 'returned' THEN -n.number
                                   ELSE (extract(epoch FROM n.suspected_at) * 1000000)::bigint END AS clock) p
           WHERE ((n.squad_id = $1 AND n.state IN ('sent', 'acknowledged'))
               OR (n.sender_organisation_id = $1 AND n.state = 'returned' AND i_supervise($1)))
             AND (p.stage, p.clock, n.number) > ($2::bigint, $3::bigint, $4::bigint)
           ORDER BY p.stage, p.clock, n.number LIMIT $5"#,
        squad.0,
        stage,
        clock,
        number,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// An addendum's clear columns.
pub struct AddendumRow {
    pub id: Uuid,
    pub added_at: DateTime<Utc>,
}

pub async fn addenda<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<AddendumRow>, sqlx::Error> {
    let id = look.id();
    sqlx::query_as!(AddendumRow, "SELECT id, added_at FROM addenda WHERE notice_id = $1 ORDER BY added_at, id", id)
        .fetch_all(look.sql())
        .await
}

pub async fn insert_addendum<V: Does, K: About>(unit: &mut Unit<V, K>, id: AddendumId) -> Result<(), sqlx::Error> {
    let (notice, author, now) = (unit.id(), unit.account(), unit.now());
    unit.wrote(RowKind::Addendum, id.0);
    sqlx::query!(
        "INSERT INTO addenda (id, notice_id, author_id, added_at) VALUES ($1, $2, $3, $4)",
        id.0,
        notice,
        author.0,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// To which squad and epoch the sender's notice is sealed now.
pub async fn squad_of<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    notice: Uuid,
) -> Result<Option<OrganisationId>, sqlx::Error> {
    let squad =
        sqlx::query_scalar!("SELECT squad_id FROM notices WHERE id = $1", notice).fetch_optional(unit.sql()).await?;
    Ok(squad.map(OrganisationId))
}

pub async fn set_acknowledged<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<(), sqlx::Error> {
    let (id, now) = (unit.id(), unit.now());
    unit.wrote(RowKind::Notice, id);
    sqlx::query!(
        "UPDATE notices SET state = 'acknowledged', standing = standing + 1, acknowledged_at = $2 WHERE id = $1",
        id,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub async fn set_returned<V: Does, K: About>(unit: &mut Unit<V, K>, code: ReturnCode) -> Result<(), sqlx::Error> {
    let id = unit.id();
    unit.wrote(RowKind::Notice, id);
    sqlx::query!(
        "UPDATE notices SET state = 'returned', standing = standing + 1, return_code = $2 WHERE id = $1",
        id,
        code.as_str()
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub async fn set_accepted<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<(), sqlx::Error> {
    let id = unit.id();
    unit.wrote(RowKind::Notice, id);
    sqlx::query!(
        "UPDATE notices SET state = 'accepted', standing = standing + 1, case_id = $2 WHERE id = $1",
        id,
        case.0
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}
