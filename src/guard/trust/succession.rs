//! Who answers for an organisation now: the two of its founding, or those of the last one that follows it.
//!
//! A founding that follows names everybody anew, CUSTODY and the latest agreement about the policy as they stood, so nothing
//! that the two before sign afterwards counts. It is signed by its own two, and by those who may replace the two before: both of
//! them; or one of them, and two custodians. And it is pinned, as the first one was; that one's pin is then marked `former`.

use super::custody::{Custodian, Custody};
use super::{Founding, Trust, TrustError};
use crate::guard::record::{AccountId, OrganisationId, SuccessionId};
use crate::guard::statement::{
    self, FoundingStatement, StatedAgreement, StatedSuccession, StatementError, claimed_signers, unhex,
};
use crate::guard::store;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many custodians sign where one of the two before does not.
const CUSTODIANS_INSTEAD: usize = 2;

/// What a founding follows.
pub struct Succession {
    pub id: SuccessionId,
    /// The first that follows is 1.
    pub number: i32,
    pub lapses_at: DateTime<Utc>,
    follows: [u8; 32],
    custody_number: i32,
    custodians: Vec<Custodian>,
    policy: Option<StatedAgreement>,
    /// Whose signatures are to be checked.
    note: String,
}

impl Succession {
    pub(super) fn read(note: &str, stated: StatedSuccession) -> Result<Self, StatementError> {
        let mut custodians = Vec::with_capacity(stated.custodians.len());
        for custodian in &stated.custodians {
            custodians.push(Custodian::read(custodian)?);
        }
        Ok(Self {
            id: stated.succession,
            number: stated.number,
            lapses_at: stated.lapses_at,
            follows: unhex(&stated.follows)?,
            custody_number: stated.custody_number,
            custodians,
            policy: stated.policy,
            note: note.to_owned(),
        })
    }
}

/// Who may sign a founding that follows, beside its own two.
pub struct Agreeing {
    /// The two of today.
    pub present: Vec<AccountId>,
    /// Custodians who stand in for the one who does not sign: nobody who answers for it, before or after.
    pub custodians: Vec<AccountId>,
}

impl Agreeing {
    /// Of a founding that would follow `before` with `next` as its two.
    #[must_use]
    pub fn of(before: &Founding, next: &[AccountId], custody: &Custody) -> Self {
        let present = before.responsible();
        let counts = |account: &AccountId| !present.contains(account) && !next.contains(account);
        let custodians = custody.custodians.iter().map(|custodian| custodian.account).filter(counts).collect();
        Self { present, custodians }
    }

    /// How many custodians it takes in the place of one of the two: two, or the only one there is.
    #[must_use]
    pub fn custodians_instead(&self) -> usize {
        self.custodians.len().min(CUSTODIANS_INSTEAD)
    }

    /// Those of `signed` by whom it is agreed to: both of today's, or one of them and the custodians.
    #[must_use]
    pub fn agreed_by(&self, signed: &BTreeSet<AccountId>) -> Option<Vec<AccountId>> {
        let of = |all: &[AccountId]| all.iter().copied().filter(|one| signed.contains(one)).collect::<Vec<_>>();
        let (mut present, custodians) = (of(&self.present), of(&self.custodians));
        if present.len() == self.present.len() {
            return Some(present);
        }
        let enough = self.custodians_instead() > 0 && custodians.len() >= self.custodians_instead();
        (!present.is_empty() && enough).then(|| {
            present.extend(custodians);
            present
        })
    }
}

impl Founding {
    /// 0 for the first; those that follow count on.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.succession.as_ref().map_or(0, |succession| succession.number)
    }

    /// What is read out and pinned.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// What it follows, where it is not the first.
    #[must_use]
    pub fn succession(&self) -> Option<&Succession> {
        self.succession.as_ref()
    }

    /// The latest agreement about the policy as it begins.
    pub(super) fn policy(&self) -> Option<StatedAgreement> {
        self.succession.as_ref().and_then(|succession| succession.policy.clone())
    }

    /// Whether it begins when this is CUSTODY's key.
    pub(super) fn begins_with(&self, custody: &Custody) -> bool {
        self.succession.as_ref().is_some_and(|succession| succession.custody_number == custody.number)
    }

    /// Checks that it follows `before` rightly, with CUSTODY as it stands then: it changes nothing but people, and those agreed to it
    /// who may.
    ///
    /// # Errors
    /// [`StatementError::NotSigned`] while a signature is missing, [`StatementError::Malformed`] for what follows something else.
    pub fn check_follows(&self, before: &Self, custody: &Custody) -> Result<(), StatementError> {
        let Some(own) = &self.succession else { return Err(StatementError::Malformed) };
        let fits = self.organisation == before.organisation
            && self.kind == before.kind
            && own.number == before.number() + 1
            && own.follows == before.fingerprint
            && own.custody_number == custody.number
            && own.custodians == custody.custodians
            && self.custody.id() == custody.recipient().id()
            && self.custody.kem().0 == custody.public().0;
        if !fits {
            return Err(StatementError::Malformed);
        }
        let key_of = |account: AccountId| {
            let of_two = before.two().into_iter().find(|(own, _)| *own == account).map(|(_, key)| key);
            of_two.or_else(|| custody.custodian(account).map(|custodian| custodian.keys.sign))
        };
        // Whose signature is right counts, and nobody else's is looked at: a line that claims to be somebody's spoils nothing.
        let signed: BTreeSet<AccountId> = claimed_signers(&own.note)
            .filter(|account| {
                let by = key_of(*account).map(|key| (*account, key));
                by.is_some_and(|by| statement::verified::<FoundingStatement>(&own.note, &[by]).is_ok())
            })
            .collect();
        let agreeing = Agreeing::of(before, &self.responsible(), custody);
        agreeing.agreed_by(&signed).map(|_| ()).ok_or(StatementError::NotSigned)
    }
}

impl Trust {
    /// Whether the operator has pinned this fingerprint.
    #[must_use]
    pub fn is_pinned(&self, fingerprint: &[u8; 32]) -> bool {
        self.pins.hold(fingerprint, false)
    }

    /// All foundings of an organisation, the first one first and the one in force last. Each is pinned, and named by the next;
    /// whether it was agreed to is checked with CUSTODY ([`Self::custody`]).
    ///
    /// # Errors
    /// [`TrustError::Forming`] for an organisation that is not founded; [`TrustError::WentBack`] when one of them is gone.
    pub(super) async fn foundings(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
    ) -> Result<Vec<Arc<Founding>>, TrustError> {
        let last = self.last_of(connection, organisation).await?;
        if last.succession.is_none() {
            return Ok(vec![last]);
        }
        let mut all: Vec<Arc<Founding>> = Vec::new();
        let follows = |all: &[Arc<Founding>], next: &Founding| match (all.last(), &next.succession) {
            (None, None) => true,
            (Some(before), Some(own)) => own.number == before.number() + 1 && own.follows == before.fingerprint,
            _ => false,
        };
        for note in store::former_foundings(connection, organisation).await? {
            // One that is not believed is passed over: it may be planted.
            let Ok(founding) = self.pinned_founding(&note, true) else { continue };
            // It was followed while this was read, or somebody wrote it there: what is in force ends the chain.
            if founding.fingerprint == last.fingerprint {
                break;
            }
            if founding.organisation == organisation && follows(&all, &founding) {
                all.push(founding);
            }
        }
        if !follows(&all, &last) {
            tracing::error!("ALARM: a founding that another one follows is gone, or its pin was taken away");
            return Err(TrustError::WentBack);
        }
        all.push(last);
        Ok(all)
    }

    /// Goes on to each founding that begins with this CUSTODY.
    ///
    /// # Errors
    /// [`StatementError`] for one to which those before did not agree.
    pub(super) fn pass_on(
        &self,
        founding: &mut Arc<Founding>,
        rest: &mut &[Arc<Founding>],
        custody: &Custody,
    ) -> Result<(), TrustError> {
        while let Some((next, others)) = rest.split_first() {
            if !next.begins_with(custody) {
                break;
            }
            let mut about = [0; 96];
            for (place, digest) in about.chunks_exact_mut(32).zip([founding.digest, next.digest, custody.digest()]) {
                place.copy_from_slice(&digest);
            }
            let known = self.seen().successions.contains(&about);
            if !known {
                next.check_follows(founding, custody).inspect_err(|_| {
                    tracing::error!("ALARM: a founding is in force to which those before did not agree");
                })?;
                self.seen().successions.insert(about);
            }
            (*founding, *rest) = (Arc::clone(next), others);
        }
        Ok(())
    }
}
