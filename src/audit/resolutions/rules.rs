//! What counts: the signatures of auditors who are in office now, and nothing that stands in a row beside them.

use super::model::{LASTS, ResolutionState, ResolutionView};
use super::store::ResolutionRow;
use crate::guard::record::{AccountId, OrganisationId};
use crate::guard::statement::{self, OrganisationKind, ResolutionStatement, claimed_signers, hex};
use crate::guard::trust::{Trust, TrustError};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Of so many claimed signers the keys are looked up: a planted note may claim any number.
const SIGNERS: usize = 4;

/// A resolution with the signatures that count.
pub(super) struct Stated {
    pub statement: ResolutionStatement,
    pub signed_by: Vec<AccountId>,
    note: String,
}

impl Stated {
    /// Checks a row; `None` for one that no auditor of this office has signed, or that says something else than its row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn check(
        connection: &mut PgConnection,
        trust: &Trust,
        office: OrganisationId,
        row: ResolutionRow,
    ) -> Result<Option<Self>, sqlx::Error> {
        let mut signed_by = Vec::new();
        let mut stated = None;
        for account in claimed_signers(&row.note).take(SIGNERS) {
            let member = match trust.member(connection, account).await {
                Ok(member) => member,
                Err(TrustError::Store(error)) => return Err(error),
                Err(_) => continue,
            };
            let is_auditor = member.organisation == office && member.organisation_kind == OrganisationKind::Auditor;
            if !is_auditor || signed_by.contains(&account) {
                continue;
            }
            let read = statement::verified::<ResolutionStatement>(&row.note, &[(account, member.keys.sign)]);
            if let Ok(read) = read.map(|read| stated.insert(read)) {
                signed_by.push(account);
                if read.resolution != row.id || read.organisation != office || read.person != row.person {
                    return Ok(None);
                }
            }
        }
        Ok(stated.map(|statement| Self { statement, signed_by, note: row.note }))
    }

    pub(super) fn state(&self, now: DateTime<Utc>) -> ResolutionState {
        let stated = &self.statement;
        // Nor does one that was made tomorrow: a week of it would be as long as its makers like.
        let over = now >= stated.lapses_at || stated.made_at > now || stated.lapses_at > stated.made_at + LASTS;
        match self.signed_by.len() {
            1 if !over => ResolutionState::Proposed,
            2 if !over => ResolutionState::Agreed,
            // Whoever signs as a third was asked by nobody.
            _ => ResolutionState::Lapsed,
        }
    }

    /// Whether this person is one of two who may be told now.
    pub(super) fn tells(&self, account: AccountId, now: DateTime<Utc>) -> bool {
        self.state(now) == ResolutionState::Agreed && self.signed_by.contains(&account)
    }

    pub(super) fn note(&self) -> &str {
        &self.note
    }

    /// As it is shown; nothing for a note that is none.
    pub(super) fn view(self, now: DateTime<Utc>) -> Option<ResolutionView> {
        let state = self.state(now);
        let fingerprint = hex(&statement::fingerprint(&self.note).ok()?);
        let Self { statement: stated, signed_by, note } = self;
        Some(ResolutionView {
            id: stated.resolution,
            person: stated.person,
            reason: stated.reason,
            state,
            signed_by,
            made_at: stated.made_at,
            lapses_at: stated.lapses_at,
            statement: note,
            fingerprint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::record::ResolutionId;
    use crate::guard::statement::ResolutionReason;
    use chrono::TimeDelta;

    #[test]
    fn a_week_begins_when_it_was_made_and_not_later() {
        let (now, account) = (DateTime::UNIX_EPOCH + TimeDelta::days(20_000), AccountId(uuid::Uuid::from_u128(1)));
        let agreed = |made_at: DateTime<Utc>, lasts| Stated {
            statement: ResolutionStatement {
                resolution: ResolutionId::random(),
                organisation: OrganisationId(uuid::Uuid::from_u128(2)),
                person: "p-1".to_owned(),
                reason: ResolutionReason::ALL[0],
                made_at,
                lapses_at: made_at + lasts,
            },
            signed_by: vec![account, AccountId(uuid::Uuid::from_u128(3))],
            note: String::new(),
        };
        let second = TimeDelta::seconds(1);
        assert!(agreed(now, LASTS).tells(account, now));
        assert!(agreed(now - LASTS + second, LASTS).tells(account, now));
        for over in [agreed(now - LASTS, LASTS), agreed(now, LASTS + second), agreed(now + second, LASTS)] {
            assert!(!over.tells(account, now));
        }
    }
}
