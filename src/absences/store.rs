//! All SQL about absences. Who is away and who stands in, every colleague sees.

use super::model::AbsenceView;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AbsenceId, AccountId, CaseId};
use crate::guard::statement::Window;
use crate::platform::problem::Problem;
use uuid::Uuid;

/// Absences of the person's own organisation that are not over, after the given one, with the cases that the person sees.
pub async fn absences<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<AbsenceView>, sqlx::Error> {
    let organisation = look.authorized().who().organisation;
    let rows = sqlx::query!(
        r#"SELECT a.id, a.account_id, a.stand_in_id, a.starts_at, a.ends_at, a.ended_at,
                  ARRAY(SELECT c.case_id FROM case_access c WHERE c.absence_id = a.id ORDER BY c.case_id) AS "cases!"
           FROM absences a
           WHERE a.organisation_id = $1 AND a.ends_at > now()
             AND ($2::uuid IS NULL OR (a.starts_at, a.id) > (SELECT l.starts_at, l.id FROM absences l WHERE l.id = $2))
           ORDER BY a.starts_at, a.id LIMIT $3"#,
        organisation.0,
        after,
        most
    )
    .fetch_all(look.sql())
    .await?;
    let view = rows.into_iter().map(|row| AbsenceView {
        id: AbsenceId(row.id),
        account: AccountId(row.account_id),
        stand_in: AccountId(row.stand_in_id),
        from: row.starts_at,
        until: row.ends_at,
        ended_at: row.ended_at,
        cases: row.cases.into_iter().map(CaseId).collect(),
    });
    Ok(view.collect())
}

pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: AbsenceId,
    stand_in: AccountId,
    window: Window,
) -> Result<(), sqlx::Error> {
    let (who, now) = (unit.who(), unit.now());
    unit.wrote(RowKind::Absence, id.0);
    sqlx::query!(
        "INSERT INTO absences (id, organisation_id, account_id, stand_in_id, starts_at, ends_at, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id.0,
        who.organisation.0,
        who.account.0,
        stand_in.0,
        window.from,
        window.until,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Whether the absence hands over a case from which the person is kept off.
pub async fn is_barred_from<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<bool, sqlx::Error> {
    let id = unit.id();
    sqlx::query_scalar!(r#"SELECT i_am_barred_from_absence($1) AS "it!""#, id).fetch_one(unit.sql()).await
}

/// Ends the absence that a unit is about; false if it is over.
pub async fn end<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<bool, Problem> {
    let (id, now) = (unit.id(), unit.now());
    unit.wrote(RowKind::Absence, id);
    let done = sqlx::query!(
        "UPDATE absences SET ended_at = $2, standing = standing + 1 WHERE id = $1 AND ended_at IS NULL AND ends_at > now()",
        id,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(done.rows_affected() == 1)
}
