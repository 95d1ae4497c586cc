//! All SQL about accommodation and training.

use super::model::{
    AccommodationView, Capacity, CertificateView, Condition, NewAccommodation, NewCertificate, NewTraining, Places,
    PlacesView, TrainingView,
};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccommodationId, AccountId, OrganisationId};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("an accommodation holds a word that is none"))
}

pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: AccommodationId,
    new: &NewAccommodation,
) -> Result<(), sqlx::Error> {
    let (organisation, now) = (unit.who().organisation, unit.now());
    let Capacity { women, men, families, children } = new.capacity;
    unit.wrote(RowKind::Accommodation, id.0);
    sqlx::query!(
        "INSERT INTO accommodations (id, organisation_id, kind, women, men, families, children, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        organisation.0,
        new.kind.as_str(),
        i32::from(women),
        i32::from(men),
        i32::from(families),
        i32::from(children),
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

pub async fn insert_certificate<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    new: &NewCertificate,
) -> Result<Uuid, sqlx::Error> {
    let (id, accommodation, now) = (crate::platform::random::uuid(), unit.id(), unit.now());
    let conditions: Vec<String> = new.conditions.iter().map(|condition| condition.as_str().to_owned()).collect();
    unit.wrote(RowKind::Certificate, id);
    sqlx::query!(
        "INSERT INTO certificates (id, accommodation_id, conditions, certified_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        id,
        accommodation,
        &conditions,
        now,
        new.expires_at
    )
    .execute(unit.sql())
    .await?;
    Ok(id)
}

struct Row {
    id: Uuid,
    organisation_id: Uuid,
    kind: String,
    women: i32,
    men: i32,
    families: i32,
    children: i32,
    women_taken: i64,
    men_taken: i64,
    families_taken: i64,
    children_taken: i64,
    conditions: Option<Vec<String>>,
    certified_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

impl Row {
    fn view(self, now: DateTime<Utc>) -> Result<AccommodationView, Problem> {
        let certificate = match (self.conditions, self.certified_at, self.expires_at) {
            (Some(met), Some(certified_at), Some(expires_at)) => {
                let met = met.iter().map(|text| word(text)).collect::<Result<Vec<Condition>, _>>()?;
                Some(CertificateView { missing: CertificateView::missing(&met), certified_at, expires_at })
            }
            _ => None,
        };
        let places = |places, capacity: i32, taken: i64| PlacesView {
            places,
            capacity,
            free: (i64::from(capacity) - taken).max(0),
        };
        Ok(AccommodationView {
            id: AccommodationId(self.id),
            organisation: OrganisationId(self.organisation_id),
            kind: word(&self.kind)?,
            places: vec![
                places(Places::Women, self.women, self.women_taken),
                places(Places::Men, self.men, self.men_taken),
                places(Places::Families, self.families, self.families_taken),
                places(Places::Children, self.children, self.children_taken),
            ],
            open: CertificateView::check(certificate.as_ref(), now).is_ok(),
            certificate,
        })
    }
}

async fn houses(
    connection: &mut PgConnection,
    wanted: Option<Uuid>,
    (after, most): (Option<Uuid>, i64),
    now: DateTime<Utc>,
) -> Result<Vec<AccommodationView>, Problem> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT a.id, a.organisation_id, a.kind, a.women, a.men, a.families, a.children,
                  places_taken(a.id, 'women') AS "women_taken!", places_taken(a.id, 'men') AS "men_taken!",
                  places_taken(a.id, 'families') AS "families_taken!", places_taken(a.id, 'children') AS "children_taken!",
                  c.conditions AS "conditions?", c.certified_at AS "certified_at?", c.expires_at AS "expires_at?"
           FROM accommodations a
           LEFT JOIN LATERAL (SELECT * FROM certificates c WHERE c.accommodation_id = a.id
                              ORDER BY c.certified_at DESC LIMIT 1) c ON true
           WHERE ($1::uuid IS NULL OR a.id = $1)
             AND ($2::uuid IS NULL
                  OR (a.opened_at, a.id) > (SELECT l.opened_at, l.id FROM accommodations l WHERE l.id = $2))
           ORDER BY a.opened_at, a.id LIMIT $3"#,
        wanted,
        after,
        most
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.view(now)).collect()
}

/// The houses behind one of them, or from the first.
pub async fn all<V: Does, K: About>(
    look: &mut Look<V, K>,
    after: Option<Uuid>,
    most: i64,
    now: DateTime<Utc>,
) -> Result<Vec<AccommodationView>, Problem> {
    houses(look.sql(), None, (after, most), now).await
}

/// One house, while somebody is placed there.
pub async fn one<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    id: AccommodationId,
) -> Result<Option<AccommodationView>, Problem> {
    let now = unit.now();
    Ok(houses(unit.sql(), Some(id.0), (None, 1), now).await?.pop())
}

/// Whether the house that a unit is about has an address, also one that this person cannot open.
pub async fn has_address<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<bool, sqlx::Error> {
    let house = unit.id();
    sqlx::query_scalar!(r#"SELECT house_has_address($1) AS "it!""#, house).fetch_one(unit.sql()).await
}

pub async fn insert_training<V: Does, K: About>(unit: &mut Unit<V, K>, new: &NewTraining) -> Result<Uuid, sqlx::Error> {
    let id = crate::platform::random::uuid();
    unit.wrote(RowKind::Training, id);
    sqlx::query!(
        "INSERT INTO trainings (id, account_id, course, passed_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        id,
        new.account.0,
        new.course.as_str(),
        new.passed_at,
        new.expires_at
    )
    .execute(unit.sql())
    .await?;
    Ok(id)
}

/// Certificates of training of one's own organisation, newest first.
pub async fn trainings<V: Does, K: About>(
    look: &mut Look<V, K>,
    now: DateTime<Utc>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<TrainingView>, Problem> {
    let rows = sqlx::query!(
        "SELECT id, account_id, course, passed_at, expires_at FROM trainings
         WHERE $1::uuid IS NULL OR (expires_at, id) < (SELECT l.expires_at, l.id FROM trainings l WHERE l.id = $1)
         ORDER BY expires_at DESC, id DESC LIMIT $2",
        after,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(TrainingView {
                id: row.id,
                account: AccountId(row.account_id),
                course: word(&row.course)?,
                passed_at: row.passed_at,
                expires_at: row.expires_at,
                current: row.expires_at > now,
            })
        })
        .collect()
}

/// Whether a colleague of one's own organisation has passed a course that still counts.
pub async fn is_trained<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    account: AccountId,
    course: &str,
) -> Result<bool, sqlx::Error> {
    // By the database's own clock, like row-level security.
    let trained = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM trainings WHERE account_id = $1 AND course = $2 AND expires_at > now()) AS "it!""#,
        account.0,
        course
    );
    trained.fetch_one(unit.sql()).await
}
