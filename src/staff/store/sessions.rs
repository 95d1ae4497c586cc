//! A person's own sessions. Row-level security shows no session to anybody: two functions know whose they are.

use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::SessionId;
use crate::staff::model::SessionView;
use uuid::Uuid;

/// The sessions in which the person can go on, the newest first.
pub async fn sessions<V: Does, K: About>(
    look: &mut Look<V, K>,
    this: SessionId,
) -> Result<Vec<SessionView>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", started_at AS "started_at!", last_seen_at AS "last_seen_at!", expires_at AS "expires_at!"
           FROM my_sessions()"#
    )
    .fetch_all(look.sql())
    .await?;
    let view = |id, started_at, last_seen_at, expires_at| SessionView {
        id: SessionId(id),
        this: SessionId(id) == this,
        started_at,
        last_seen_at,
        expires_at,
    };
    Ok(rows.into_iter().map(|row| view(row.id, row.started_at, row.last_seen_at, row.expires_at)).collect())
}

/// The ids of the same.
pub async fn sessions_of_mine<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Vec<SessionId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(r#"SELECT id AS "id!" FROM my_sessions()"#).fetch_all(unit.sql()).await?;
    Ok(ids.into_iter().map(SessionId).collect())
}

/// Ends those of these sessions that are the person's own. Which ones.
pub async fn end_sessions<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    wanted: &[SessionId],
) -> Result<Vec<SessionId>, sqlx::Error> {
    let wanted: Vec<Uuid> = wanted.iter().map(|session| session.0).collect();
    let ended = sqlx::query_scalar!(r#"SELECT end_my_sessions($1) AS "id!""#, &wanted).fetch_all(unit.sql()).await?;
    for session in &ended {
        unit.touch(*session);
    }
    Ok(ended.into_iter().map(SessionId).collect())
}
