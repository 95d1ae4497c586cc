//! SQL of lists of who opened a record.

use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId};
use sqlx::PgPool;
use uuid::Uuid;

/// What hangs on what was asked for.
pub(super) struct Hanging {
    /// With what was asked for itself, as far as it is there.
    pub records: Vec<Uuid>,
    /// Cases of those asked for that two persons erased.
    pub erased: Vec<Uuid>,
}

/// What the database says to hang on these cases, calls and notices: to an auditor's session, and to nobody else's.
pub(super) async fn hanging<V: Does, K: About>(look: &mut Look<V, K>, asked: &[Uuid]) -> Result<Hanging, sqlx::Error> {
    let rows = sqlx::query!(r#"SELECT record AS "record!", erased AS "erased!" FROM hangs_on($1)"#, asked)
        .fetch_all(look.sql())
        .await?;
    let (mut records, mut erased) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        if row.erased { erased.push(row.record) } else { records.push(row.record) }
    }
    Ok(Hanging { records, erased })
}

/// A case's head, not believed yet.
pub(super) struct HeadRow {
    pub number: i64,
    pub note: String,
    pub signer: AccountId,
    pub vouch: Option<Vec<u8>>,
}

/// The head of a case, as the auditors' role sees it for the verifier.
pub(super) async fn head(pool: &PgPool, case: CaseId) -> Result<Option<HeadRow>, sqlx::Error> {
    sqlx::query_as!(
        HeadRow,
        r#"SELECT number, note, signer_id AS "signer: AccountId", vouch FROM case_heads WHERE case_id = $1"#,
        case.0
    )
    .fetch_optional(pool)
    .await
}
