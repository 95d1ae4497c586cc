//! All SQL of supervisors' looks into the ledger, under their own session: it takes no organisation, so it gives no other one's.

use super::model::{Colleague, Cursor, Shown};
use crate::audit::store::Page;
use crate::guard::gate::{About, Does};
use crate::guard::look::{Look, Places};
use crate::guard::record::AccountId;
use crate::guard::session::Who;
use crate::guard::store::enter;
use uuid::Uuid;

/// Entries of the own organisation from a cursor on, not older than an hour since 1970; each with where to go on behind it.
pub(super) async fn entries<V: Does, K: About>(
    look: &mut Look<V, K>,
    from: Cursor,
    oldest: i64,
    most: i32,
) -> Result<Vec<(Cursor, Page)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT hour AS "hour!", position AS "position!", replica AS "replica!", lane AS "lane!", n AS "n!", leaf_hash AS "leaf_hash!",
                  leaf AS "leaf!", signature AS "signature!", detail, detail_key AS "detail_key!", key_id AS "key_id!", wrap AS "wrap!"
           FROM own_entries($1, $2, $3, $4)"#,
        from.hour,
        from.position,
        oldest,
        most
    )
    .fetch_all(look.sql())
    .await?;
    let page = rows.into_iter().map(|row| {
        let entry = Page {
            position: row.position,
            replica: row.replica,
            lane: row.lane,
            n: row.n,
            leaf_hash: row.leaf_hash,
            leaf: Some(row.leaf),
            signature: Some(row.signature),
            detail: row.detail,
            detail_key: Some(row.detail_key),
            key_id: Some(row.key_id),
            wrap: Some(row.wrap),
        };
        (Cursor { hour: row.hour, position: row.position }, entry)
    });
    Ok(page.collect())
}

/// Everybody who has or had an account in the own organisation.
pub(super) async fn people<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<Colleague>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, handle FROM accounts WHERE organisation_id = my_organisation() ORDER BY handle LIMIT 5000"
    )
    .fetch_all(look.sql())
    .await?;
    Ok(rows.into_iter().map(|row| Colleague { account: AccountId(row.id), handle: row.handle }).collect())
}

/// What a supervisor may know of these records: those of which row-level security shows the clear row to the session, colleagues,
/// and in the place of what hangs on a case that they supervise, the case.
///
/// What entries say is opened only once it is recorded that somebody looks, and the look is over then: so this one is its own.
pub(super) async fn shown(places: &Places, who: &Who, records: &[Uuid]) -> Result<Shown, sqlx::Error> {
    let mut transaction = places.main.begin().await?;
    enter(&mut transaction, &who.lookup).await?;
    let rows = sqlx::query!(
        r#"SELECT record AS "record!", case_id AS "shown!" FROM supervised_cases_of($1)
           UNION ALL SELECT id, id FROM cases WHERE id = ANY($1)
           UNION ALL SELECT grant_id, grant_id FROM case_access WHERE grant_id = ANY($1)
           UNION ALL SELECT id, id FROM bars WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM proposals WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM holds WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM erasures WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM openings WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM assignments WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM tasks WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM shifts WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM absences WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM calls WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM notices WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM directions WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM placements WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM consents WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM attachments WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM accommodations WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM trainings WHERE id = ANY($1)
           UNION ALL SELECT id, id FROM accounts WHERE id = ANY($1) AND organisation_id = my_organisation()
           UNION ALL SELECT id, id FROM organisations WHERE id = ANY($1) AND id = my_organisation()"#,
        records
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut shown = Shown(std::collections::HashMap::with_capacity(rows.len()));
    for row in rows {
        // Itself, where both are to be seen.
        let called = shown.0.entry(row.record).or_insert(row.shown);
        if row.shown == row.record {
            *called = row.record;
        }
    }
    Ok(shown)
}
