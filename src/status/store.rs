//! All SQL of the status: five functions that give bands and sums, to the coordinator's office only.

use super::model::{Calls, FreePlaces, Notices, Tasks};
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::OrganisationId;
use crate::platform::problem::Problem;

/// Notices; nothing for anybody who is not of the coordinator's office.
pub async fn notices<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<Notices>, sqlx::Error> {
    sqlx::query_as!(
        Notices,
        r#"SELECT waiting AS "waiting!", overdue AS "overdue!", in_time_percent FROM status_notices()"#
    )
    .fetch_optional(look.sql())
    .await
}

pub async fn calls<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<Calls>, sqlx::Error> {
    sqlx::query_as!(Calls, r#"SELECT month AS "month!", calls FROM status_calls()"#).fetch_all(look.sql()).await
}

pub async fn places<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<FreePlaces>, Problem> {
    let query =
        sqlx::query!(r#"SELECT places AS "places!", capacity, free AS "free!" FROM status_places() ORDER BY places"#);
    let rows = query.fetch_all(look.sql()).await?;
    rows.into_iter()
        .map(|row| {
            let places = row.places.parse().map_err(|_| Problem::fault("places have a type that is none"))?;
            Ok(FreePlaces { places, capacity: row.capacity, free: row.free })
        })
        .collect()
}

/// Organisations, staff, and those with a current training.
pub async fn staff<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<(i64, i64, i64)>, sqlx::Error> {
    let query = sqlx::query!(
        r#"SELECT organisations AS "organisations!", staff AS "staff!", trained AS "trained!" FROM status_staff()"#
    );
    let row = query.fetch_optional(look.sql()).await?;
    Ok(row.map(|row| (row.organisations, row.staff, row.trained)))
}

/// Open and overdue tasks of each squad, where it has cases enough.
pub async fn tasks<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Vec<Tasks>, sqlx::Error> {
    let rows = sqlx::query!(r#"SELECT organisation_id AS "id!", open, overdue FROM status_tasks()"#)
        .fetch_all(look.sql())
        .await?;
    let view = |id, open, overdue| Tasks { organisation: OrganisationId(id), open, overdue };
    Ok(rows.into_iter().map(|row| view(row.id, row.open, row.overdue)).collect())
}
