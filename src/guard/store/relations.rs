//! How a person stands to a record, for the gate.

mod work;

pub use work::*;

use crate::guard::action::Relation;
use crate::guard::record::{AccountId, CaseId, OrganisationId};
use sqlx::PgConnection;
use uuid::Uuid;

/// How a person stands to a case, as a query of this module found it. The gate takes no other word for it.
pub struct Found {
    account: AccountId,
    case: CaseId,
    relations: Vec<Relation>,
}

impl Found {
    pub(super) fn on_case(account: AccountId, case: CaseId, relations: Vec<Relation>) -> Self {
        Self { account, case, relations }
    }

    /// The relations, if they are this person's to this case.
    #[must_use]
    pub fn of(self, account: AccountId, case: CaseId) -> Option<Vec<Relation>> {
        (self.account == account && self.case == case).then_some(self.relations)
    }
}

/// How a person stands to a call.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_call(
    connection: &mut PgConnection,
    account: AccountId,
    call: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (operator_id = $2 AND expires_at > now()
                   AND state IN ('opened', 'safety_checked', 'triaged')) AS "own!",
                  (i_supervise(organisation_id) AND (expires_at <= now()
                   OR state IN ('referred', 'callback_scheduled', 'closed'))) AS "supervises!"
           FROM calls WHERE id = $1"#,
        call,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([(row.own, Relation::OwnDraft), (row.supervises, Relation::SupervisorOf)])
    }))
}

/// How a person stands to a session: it is their own, or nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_session(connection: &mut PgConnection, session: Uuid) -> Result<Vec<Relation>, sqlx::Error> {
    let own = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM my_sessions() WHERE id = $1) AS "own!""#, session);
    Ok(relations([(own.fetch_one(connection).await?, Relation::Oneself)]))
}

/// How a person stands to a notice: the squad's duty by the INTAKE key they hold, until it is accepted or returned.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_notice(
    connection: &mut PgConnection,
    account: AccountId,
    notice: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (sender_id = $2) AS "sender!",
                  (i_hold(intake_key_id) AND state IN ('sent', 'acknowledged')) AS "duty!",
                  COALESCE(my_relation_to_case(case_id) = 'assigned', false) AS "assigned!",
                  (state = 'returned' AND i_supervise(sender_organisation_id)) AS "supervises!"
           FROM notices WHERE id = $1"#,
        notice,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([
            (row.duty, Relation::Duty),
            (row.assigned, Relation::Assigned),
            (row.sender, Relation::Sender),
            (row.supervises, Relation::SupervisorOf),
        ])
    }))
}

/// How a person stands to a case.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_case(connection: &mut PgConnection, case: Uuid) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT my_relation_to_case(id) AS relation, i_supervise(organisation_id) AS "supervises!"
           FROM cases WHERE id = $1"#,
        case
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        let own = row.relation.as_deref().unwrap_or_default();
        relations([
            (own == Relation::Assigned.as_str(), Relation::Assigned),
            (own == Relation::Granted.as_str(), Relation::Granted),
            (own == Relation::Emergency.as_str(), Relation::Emergency),
            (row.supervises, Relation::SupervisorOf),
        ])
    }))
}

/// How a person stands to a house: on duty for it, in the organisation that runs it.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_house(connection: &mut PgConnection, house: Uuid) -> Result<Vec<Relation>, sqlx::Error> {
    let duty = sqlx::query_scalar!(r#"SELECT i_work_at($1) AS "it!""#, house).fetch_one(connection).await?;
    Ok(relations([(duty, Relation::Duty)]))
}

/// How a person stands to a placement: the shelter's duty by the INTAKE key, until it decides; afterwards its people to
/// whom it is sealed; as long as their training counts. The officers who are assigned to the case all the time.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_placement(
    connection: &mut PgConnection,
    account: AccountId,
    placement: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (shelter_id = my_organisation() AND i_hold(intake_key_id)
                   AND state IN ('requested', 'acknowledged')) AS "duty!",
                  (shelter_id = my_organisation() AND EXISTS (
                      SELECT FROM wraps w WHERE w.key_id = placements.id AND w.recipient_account = $2)) AS "named!",
                  i_am_trained('care_for_victims') AS "trained!",
                  COALESCE(my_relation_to_case(case_id) = 'assigned', false) AS "officer!"
           FROM placements WHERE id = $1"#,
        placement,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([
            (row.officer || (row.named && row.trained), Relation::Assigned),
            (row.duty && row.trained, Relation::Duty),
            ((row.named || row.duty) && !row.trained, Relation::Untrained),
        ])
    }))
}

/// How a person stands to the care that hangs on a placement: its workers, and the case's officers as long as the person
/// consents. It stays when the placement is over, since assistance goes on.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_care(
    connection: &mut PgConnection,
    account: AccountId,
    placement: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (shelter_id = my_organisation() AND EXISTS (
                      SELECT FROM wraps w WHERE w.key_id = placements.id AND w.recipient_account = $2)
                   AND state NOT IN ('requested', 'acknowledged')) AS "named!",
                  i_am_trained('care_for_victims') AS "trained!",
                  (squad_id = my_organisation()
                   AND sharing_allowed(case_id, subject_id, squad_id, 'case_work', 'care')
                   AND COALESCE(my_relation_to_case(case_id) = 'assigned', false)) AS "consented!"
           FROM placements WHERE id = $1"#,
        placement,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([
            (row.named && row.trained, Relation::Assigned),
            (row.consented, Relation::Consented),
            (row.named && !row.trained, Relation::Untrained),
        ])
    }))
}

/// How a person stands to a consent: like to the placement or the case on which it was recorded.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_consent(
    connection: &mut PgConnection,
    account: AccountId,
    consent: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!("SELECT case_id, placement_id FROM consents WHERE id = $1", consent)
        .fetch_optional(&mut *connection)
        .await?;
    match row {
        None => Ok(vec![]),
        Some(row) => match row.placement_id {
            Some(placement) => relations_to_placement(connection, account, placement).await,
            None => relations_to_case(connection, row.case_id).await,
        },
    }
}

/// Whether somebody is one of the two nominated to found an organisation that has no complete statement yet.
///
/// # Errors
/// When the database does not answer.
pub async fn is_founder(
    connection: &mut PgConnection,
    account: AccountId,
    organisation: OrganisationId,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT a.nominated_responsible AND NOT EXISTS (
                      SELECT FROM foundings f WHERE f.organisation_id = a.organisation_id AND f.complete)
           FROM accounts a WHERE a.id = $1 AND a.organisation_id = $2"#,
        account.0,
        organisation.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.flatten().unwrap_or(false))
}

pub(super) fn relations<const N: usize>(found: [(bool, Relation); N]) -> Vec<Relation> {
    found.into_iter().filter_map(|(holds, relation)| holds.then_some(relation)).collect()
}
