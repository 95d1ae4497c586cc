//! What ends with a placement, and with the person's word about it: functions of the database, since row-level security shows
//! not all of it to whoever writes the end down.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccommodationId, AccountId, CaseId, OrganisationId, PlacementId, SubjectId};
use crate::platform::problem::Problem;
use uuid::Uuid;

/// The copy of the address of a placement that is over, and its wraps, are gone. Its id, if there was one.
pub async fn end_arrival<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT end_arrival($1)", placement.0).fetch_one(unit.sql()).await
}

/// What a house has not fulfilled, and may not be told of any more by the person's word, is withdrawn: also what whoever
/// writes the word down cannot see. The address's copies that were erased with it.
pub async fn end_requests<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
    house: OrganisationId,
) -> Result<Vec<Uuid>, Problem> {
    let now = unit.now();
    let ended = sqlx::query!(
        r#"SELECT placement AS "placement!", arrival FROM end_requests($1, $2, $3, $4)"#,
        case.0,
        person.0,
        house.0,
        now
    )
    .fetch_all(unit.sql())
    .await?;
    for row in &ended {
        unit.wrote(RowKind::Placement, row.placement);
        unit.touch(row.placement);
    }
    Ok(ended.into_iter().filter_map(|row| row.arrival).collect())
}

/// Whether one of these of the house's people has a training that counts today.
pub async fn somebody_is_trained<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
    workers: &[AccountId],
) -> Result<bool, sqlx::Error> {
    let workers: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    sqlx::query_scalar!(r#"SELECT somebody_is_trained($1, $2) AS "it!""#, placement.0, &workers)
        .fetch_one(unit.sql())
        .await
}

/// The shelter's wraps of a request that came to nothing are gone.
pub async fn end_shelter_wraps<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT end_shelter_wraps($1)", placement.0).execute(unit.sql()).await?;
    Ok(())
}

/// The placements that have a copy of a house's address, in a fixed order.
pub async fn copies_of_address<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    house: AccommodationId,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT copies_of_address($1) AS "id!""#, house.0).fetch_all(unit.sql()).await
}

/// A placement without its copy of the address.
pub struct Dropped {
    pub placement: Uuid,
    /// The copy, if there was one.
    pub arrival: Option<Uuid>,
    /// Whether this person can open the placement.
    pub mine: bool,
}

/// The copies of a house's address are gone; without `moved` only those that this person can make anew.
pub async fn drop_copies_of_address<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    house: AccommodationId,
    moved: bool,
) -> Result<Vec<Dropped>, sqlx::Error> {
    let dropped = sqlx::query_as!(
        Dropped,
        r#"SELECT placement AS "placement!", arrival, mine AS "mine!" FROM drop_copies_of_address($1, $2)"#,
        house.0,
        moved
    )
    .fetch_all(unit.sql())
    .await?;
    for copy in dropped.iter().filter(|copy| copy.arrival.is_some()) {
        unit.wrote(RowKind::Placement, copy.placement);
        unit.touch(copy.placement);
    }
    Ok(dropped)
}

/// A placement has a copy of the address from here on.
pub async fn set_address<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    placement: PlacementId,
    address: Uuid,
) -> Result<(), Problem> {
    unit.wrote(RowKind::Placement, placement.0);
    let done = sqlx::query!(
        "UPDATE placements SET address_id = $2, standing = standing + 1 WHERE id = $1 AND address_id IS NULL",
        placement.0,
        address
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::absent()) }
}
