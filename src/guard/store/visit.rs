//! Session, standing, head, wrap and ciphertext of one section, in one round trip.

use super::{Entered, Found, SealedRow, relations};
use crate::guard::action::Relation;
use crate::guard::record::{AccountId, CaseId, OrganisationId, SessionId};
use crate::guard::session::Lookup;
use sqlx::PgPool;
use uuid::Uuid;

/// What a session finds at one place of a case. Nothing of it is believed yet, and nothing is opened.
pub struct Visited {
    pub entered: Entered,
    pub found: Found,
    pub section: Option<VisitedSection>,
}

/// A section as it lies there for this person, with what must vouch for it.
pub struct VisitedSection {
    pub organisation: OrganisationId,
    pub epoch: i32,
    pub head: VisitedHead,
    pub signer: Notes,
    pub author: Notes,
    pub row: SealedRow,
}

/// The case's head as it is stored.
pub struct VisitedHead {
    pub number: i64,
    pub note: String,
    pub signer: AccountId,
    pub vouch: Option<Vec<u8>>,
}

/// The statements that vouched for somebody. A founding that is the visitor's own comes over once.
pub struct Notes {
    pub founding: Option<String>,
    pub membership: Option<String>,
}

/// Everything that reading one section asks of the main database. Nothing without a session that is alive.
///
/// # Errors
/// When the database does not answer.
pub async fn visit_section(
    pool: &PgPool,
    lookup: &Lookup,
    case: CaseId,
    person: Option<Uuid>,
    kind: &str,
) -> Result<Option<Visited>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT session_id AS "session!", account_id AS "account!", organisation_id AS "organisation!",
                  sealed_keys AS "sealed_keys!", expires_at AS "expires_at!", founding, membership, relation, supervises,
                  section, case_organisation, case_epoch, head_number, head_note, head_signer, head_vouch,
                  signer_founding, signer_membership, author_founding, author_membership, kind, key_id, epoch, version,
                  blob, author, signature, vouch, wrap, grant_id
           FROM visit_section($1, $2, $3, $4)"#,
        lookup.bytes(),
        case.0,
        person,
        kind
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let account = AccountId(row.account);
    let entered = Entered {
        session: SessionId(row.session),
        account,
        organisation: OrganisationId(row.organisation),
        sealed_keys: row.sealed_keys,
        expires_at: row.expires_at,
        founding: row.founding,
        membership: row.membership,
    };
    let own = row.relation.as_deref().unwrap_or_default();
    let standing = relations([
        (own == Relation::Assigned.as_str(), Relation::Assigned),
        (own == Relation::Granted.as_str(), Relation::Granted),
        (own == Relation::Emergency.as_str(), Relation::Emergency),
        (row.supervises.unwrap_or(false), Relation::SupervisorOf),
    ]);
    let own_founding = || entered.founding.clone();
    let section = (|| {
        Some(VisitedSection {
            organisation: OrganisationId(row.case_organisation?),
            epoch: row.case_epoch?,
            head: VisitedHead {
                number: row.head_number?,
                note: row.head_note?,
                signer: AccountId(row.head_signer?),
                vouch: row.head_vouch,
            },
            signer: Notes { founding: row.signer_founding.or_else(own_founding), membership: row.signer_membership },
            author: Notes { founding: row.author_founding.or_else(own_founding), membership: row.author_membership },
            row: SealedRow {
                record_id: row.section?,
                kind: row.kind?,
                case_id: Some(case.0),
                key_id: row.key_id?,
                epoch: row.epoch?,
                version: row.version?,
                blob: row.blob?,
                author: row.author?,
                signature: row.signature?,
                vouch: row.vouch,
                wrap: row.wrap?,
                grant_id: row.grant_id,
                shared_key: None,
                shared_wrap: None,
            },
        })
    })();
    Ok(Some(Visited { entered, found: Found::on_case(account, case, standing), section }))
}
