//! How a person stands to everyday work: tasks, alerts, notices that wait, shifts, absences.

use super::relations;
use crate::guard::action::Relation;
use crate::guard::record::AccountId;
use sqlx::PgConnection;
use uuid::Uuid;

/// How a person stands to a task: who is to do it, as long as they are on its case; and, for a case's task, everybody who
/// works on the case.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_task(
    connection: &mut PgConnection,
    account: AccountId,
    task: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (assignee_id = $2 AND (case_id IS NULL OR i_am_on_case(case_id))) AS "assigned!",
                  COALESCE(my_relation_to_case(case_id) = 'assigned', false) AS "works!",
                  i_supervise(organisation_id) AS "supervises!"
           FROM tasks WHERE id = $1"#,
        task,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([
            (row.assigned, Relation::Assigned),
            (row.works, Relation::Duty),
            (row.supervises, Relation::SupervisorOf),
        ])
    }))
}

/// How a person stands to an alert: it is about their own work, their desk's, or their people's.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_alert(
    connection: &mut PgConnection,
    account: AccountId,
    alert: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT CASE a.what
                      WHEN 'task_overdue' THEN EXISTS (
                          SELECT FROM tasks t WHERE t.id = a.about
                             AND (t.assignee_id = $2 OR i_stand_in_for(t.assignee_id, t.case_id)
                                  OR (my_relation_to_case(t.case_id) = 'assigned' AND nobody_does(t.assignee_id, t.case_id))))
                      ELSE a.account_id IS NOT DISTINCT FROM $2 END AS "own!",
                  (a.desk AND (i_keep_desk(a.organisation_id)
                              OR (a.organisation_id = my_organisation() AND i_audit()))) AS "desk!", i_supervise(a.organisation_id) AS "supervises!"
           FROM alerts a WHERE a.id = $1"#,
        alert,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([(row.own, Relation::Assigned), (row.desk, Relation::Duty), (row.supervises, Relation::SupervisorOf)])
    }))
}

/// Whether a person supervises the squad to which a notice came. It says nothing of reading it.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_waiting_notice(
    connection: &mut PgConnection,
    notice: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let found = sqlx::query_scalar!(r#"SELECT i_supervise(squad_id) AS "it!" FROM notices WHERE id = $1"#, notice)
        .fetch_optional(connection)
        .await?;
    Ok(relations([(found.unwrap_or(false), Relation::SupervisorOf)]))
}

/// Whether a person supervises the desk that a shift is at.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_shift(connection: &mut PgConnection, shift: Uuid) -> Result<Vec<Relation>, sqlx::Error> {
    let found = sqlx::query_scalar!(r#"SELECT i_supervise(organisation_id) AS "it!" FROM shifts WHERE id = $1"#, shift)
        .fetch_optional(connection)
        .await?;
    Ok(relations([(found.unwrap_or(false), Relation::SupervisorOf)]))
}

/// How a person stands to an absence: it is their own, they stand in, or they supervise both.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_absence(
    connection: &mut PgConnection,
    account: AccountId,
    absence: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (account_id = $2) AS "own!", (stand_in_id = $2) AS "stands_in!",
                  i_supervise(organisation_id) AS "supervises!"
           FROM absences WHERE id = $1"#,
        absence,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([
            (row.own, Relation::Oneself),
            (row.stands_in, Relation::Assigned),
            (row.supervises, Relation::SupervisorOf),
        ])
    }))
}

/// How a person stands to a resolution: it waits at their office, or they have signed it.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_resolution(
    connection: &mut PgConnection,
    account: AccountId,
    resolution: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (registered_by IS NOT DISTINCT FROM $2 OR agreed_by IS NOT DISTINCT FROM $2) AS "signed!"
           FROM resolutions WHERE id = $1"#,
        resolution,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    // Only the office's own are seen at all.
    Ok(row.map_or_else(Vec::new, |row| relations([(true, Relation::Duty), (row.signed, Relation::Oneself)])))
}
