//! SQL of what is counted and told. The counts are written and read by functions that the timekeeper's role may call: no
//! role of the service reads the table.

use super::model::{Measure, Suspicion, explanation};
use super::rules::{DayOf, Told};
use super::tally::Added;
use crate::guard::action::Role;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::OrganisationId;
use crate::platform::problem::Problem;
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// Adds to each day, and says what it has now: a row for each measure that grew, and one of the records for every day, so
/// that a day on which nothing was read is one as well.
pub(super) async fn add(
    connection: &mut PgConnection,
    added: &[(Uuid, &Added)],
) -> Result<Vec<(Measure, DayOf)>, sqlx::Error> {
    let (mut people, mut roles) = (vec![], vec![]);
    let (mut days, mut measures, mut counts) = (vec![], vec![], vec![]);
    for (person, day) in added {
        for (measure, count) in Measure::ALL.iter().zip(day.counts) {
            if count == 0 && *measure != Measure::Records {
                continue;
            }
            people.push(*person);
            roles.push(day.role.as_str().to_owned());
            days.push(day.day);
            measures.push(measure.as_str().to_owned());
            counts.push(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }
    let rows = sqlx::query!(
        r#"SELECT who AS "who!", measure AS "measure!", day AS "day!", counted AS "counted!"
           FROM count_looks($1, $2, $3, $4, $5)"#,
        &people,
        &roles,
        &days,
        &measures,
        &counts
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some((row.measure.parse().ok()?, DayOf { person: row.who, day: row.day, counted: row.counted }))
        })
        .collect())
}

/// The days of a role, with what they have of one measure.
pub(super) async fn habit(
    connection: &mut PgConnection,
    role: Role,
    measure: Measure,
    since: NaiveDate,
) -> Result<Vec<DayOf>, sqlx::Error> {
    sqlx::query_as!(
        DayOf,
        r#"SELECT who AS "person!", day AS "day!", counted AS "counted!" FROM habit_of($1, $2, $3)"#,
        role.as_str(),
        measure.as_str(),
        since
    )
    .fetch_all(connection)
    .await
}

/// A day that is told of.
pub(super) struct Suspected {
    pub id: Uuid,
    pub person: String,
    pub organisation: OrganisationId,
    pub role: Role,
    pub measure: Measure,
    pub day: NaiveDate,
    pub told: Told,
    pub now: DateTime<Utc>,
}

/// Tells the auditors, once for each person, measure and day; whether it is new.
pub(super) async fn suspect(connection: &mut PgConnection, suspected: &Suspected) -> Result<bool, sqlx::Error> {
    let Told { counted, usual, most } = suspected.told;
    let new = sqlx::query_scalar!(
        "SELECT tell_of_snooping($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        suspected.id,
        suspected.person,
        suspected.organisation.0,
        suspected.role.as_str(),
        suspected.measure.as_str(),
        suspected.day,
        counted,
        usual,
        most,
        suspected.now
    )
    .fetch_one(connection)
    .await?;
    Ok(new.unwrap_or_default())
}

/// Forgets counts of before a day.
pub(super) async fn forget(pool: &PgPool, before: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT forget_looks($1)", before).execute(pool).await?;
    Ok(())
}

/// What these suspicions say in a sentence, as far as they are the person's to see.
pub(crate) async fn explained<V: Does, K: About>(
    look: &mut Look<V, K>,
    wanted: &[Uuid],
) -> Result<HashMap<Uuid, String>, sqlx::Error> {
    let rows = sqlx::query!("SELECT id, measure, counted, usual, most FROM suspicions WHERE id = ANY ($1)", wanted)
        .fetch_all(look.sql())
        .await?;
    let said = rows.into_iter().filter_map(|row| {
        let measure = row.measure.parse().ok()?;
        Some((row.id, explanation(measure, row.counted, row.usual, row.most)))
    });
    Ok(said.collect())
}

/// What the auditors are told, newest first, each with its number.
pub(super) async fn suspicions<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: i64,
    most: i64,
) -> Result<Vec<(i64, Suspicion)>, Problem> {
    let rows = sqlx::query!(
        "SELECT id, number, person, organisation_id, role, measure, day, counted, usual, most, raised_at FROM suspicions
         WHERE number < $1 ORDER BY number DESC LIMIT $2",
        before,
        most
    )
    .fetch_all(look.sql())
    .await?;
    // A word that this service does not know was written by somebody else: it is left out, and the rest is shown.
    let shown = rows.into_iter().filter_map(|row| {
        let (role, measure) = (row.role.parse().ok()?, row.measure.parse().ok()?);
        let suspicion = Suspicion {
            id: row.id,
            person: row.person,
            organisation: OrganisationId(row.organisation_id),
            role,
            measure,
            day: row.day,
            counted: row.counted,
            usual: row.usual,
            most: row.most,
            raised_at: row.raised_at,
            explanation: explanation(measure, row.counted, row.usual, row.most),
        };
        Some((row.number, suspicion))
    });
    Ok(shown.collect())
}
