//! Whose key is it? Nobody seals to a key without a statement that says so.
//!
//! The chain: a fingerprint pinned in the configuration → the founding statement of an organisation, signed by its two
//! responsible persons → the statement by which those two admitted a member → the member's keys and role. Everything is
//! read from the database and nothing in it is believed: a swapped key or a ghost officer has no valid chain.

mod check;
mod custody;
mod memory;
mod model;
mod pins;
mod policy;
mod shared;
mod succession;

pub use check::{check_founding, check_membership};
pub use custody::{Custodian, Custody, MOST_CUSTODIANS};
use memory::Memory;
pub use memory::Signatures;
pub use model::{Founding, Member, Recipient, RecipientId, SharedKey};
use pins::Pins;
pub use pins::{Pin, PinFault, pinned};
pub use policy::{AgreedPolicy, Agreements, LONGEST_OVERLAP};
pub(crate) use shared::{recipient_being_made, recipient_in_proposal};
pub use succession::{Agreeing, Succession};

use super::keys::{KeyError, PersonKeys, PublicKeys};
use super::policy::DecisionTable;
use super::record::{AccountId, OrganisationId};
use super::statement::{self, CaseHead, StatementError};
use super::store::{self, Statements};
use super::vouch::Voucher;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The least number of custodians (DESIGN section 4: two of three to seven open CUSTODY).
pub const CUSTODIANS: usize = 3;

/// Why nobody is trusted here.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("no statement admits this person")]
    NotAMember,
    #[error("the organisation is still forming")]
    Forming,
    #[error("there is no such key in force")]
    NoKey,
    #[error("whether those before agreed to this founding was not checked yet")]
    Unchecked(OrganisationId),
    #[error("a key, a policy or a founding that was in force is gone")]
    WentBack,
    #[error("several organisations could answer for it: name one with policy_keepers")]
    Several,
    #[error("a statement is not believed: {0}")]
    Statement(#[from] StatementError),
    #[error("the statements could not be read")]
    Store(#[from] sqlx::Error),
}

/// Checks chains, and remembers which notes it has checked. What it remembers is a function of the notes' own bytes and
/// of the pins, so a change in the database is a different note and is checked anew.
pub struct Trust {
    pins: Pins,
    policy: Arc<DecisionTable>,
    voucher: Voucher,
    seen: Mutex<Seen>,
    memory: Memory,
    /// Pins and signatures alone decide: for who checks what was signed, without the service's own secrets.
    by_pins_alone: bool,
}

#[derive(Default)]
struct Seen {
    foundings: HashMap<[u8; 32], ([u8; 32], Arc<Founding>)>,
    /// By founding and membership: what was checked against one organisation's two is not checked against another's.
    members: HashMap<([u8; 32], [u8; 32]), Arc<Member>>,
    /// By the digest of the whole chain.
    custodies: HashMap<[u8; 32], Arc<Custody>>,
    /// The highest number that was in force.
    highest_custody: HashMap<OrganisationId, i32>,
    highest_founding: HashMap<OrganisationId, (i32, [u8; 32])>,
    /// By what is followed, what follows, and CUSTODY as it was then.
    successions: HashSet<[u8; 96]>,
    /// Digests of those that follow, and to which those before have agreed.
    agreed: HashSet<[u8; 32]>,
    highest_policy: HashMap<OrganisationId, i32>,
}

fn digest_of(note: &str) -> [u8; 32] {
    Sha256::digest(note.as_bytes()).into()
}

impl Trust {
    /// `pins` is the file of fingerprints: see [`pinned`].
    #[must_use]
    pub fn new(pins: PathBuf, policy: Arc<DecisionTable>, voucher: Voucher) -> Self {
        Self {
            pins: Pins::new(pins),
            policy,
            voucher,
            seen: Mutex::default(),
            memory: Memory::default(),
            by_pins_alone: false,
        }
    }

    /// For who checks what was signed and has none of the service's own secrets: that the service vouches for a CUSTODY key is not
    /// looked at. Its signatures are, and those of everybody who agreed to a founding that follows.
    #[must_use]
    pub fn by_pins_alone(mut self) -> Self {
        self.by_pins_alone = true;
        self
    }

    /// What the service itself vouches for.
    #[must_use]
    pub fn voucher(&self) -> &Voucher {
        &self.voucher
    }

    /// Signatures that were verified before.
    #[must_use]
    pub fn signatures(&self) -> Arc<Signatures> {
        Arc::clone(&self.memory.signatures)
    }

    /// A case's head, read and signed by this member.
    ///
    /// # Errors
    /// [`StatementError`] for anything else.
    pub fn head(&self, note: &str, signer: &Member) -> Result<Arc<CaseHead>, StatementError> {
        self.memory.head(note, signer.account, signer.keys.sign)
    }

    /// The public halves of the keys that a session's row keeps.
    ///
    /// # Errors
    /// [`KeyError`] if a stored key is none.
    pub fn public_of_session(&self, sealed: &[u8], keys: &PersonKeys) -> Result<PublicKeys, KeyError> {
        self.memory.public(sealed, keys)
    }

    /// The founding in force that this note is. What is remembered of it counts only as long as the pin stands.
    fn founding_of_note(&self, note: &str) -> Result<Arc<Founding>, TrustError> {
        let founding = self.last_founding(note)?;
        if founding.succession.is_some() && !self.seen().agreed.contains(&founding.digest) {
            return Err(TrustError::Unchecked(founding.organisation));
        }
        Ok(founding)
    }

    /// The same, before it is checked whether those before agreed to it.
    fn last_founding(&self, note: &str) -> Result<Arc<Founding>, TrustError> {
        let founding = self.pinned_founding(note, false)?;
        let mut seen = self.seen();
        let last = (founding.number(), founding.fingerprint);
        let highest = seen.highest_founding.get(&founding.organisation).copied().unwrap_or(last);
        // One whose pin was taken away again is not in force any more.
        if (founding.number() < highest.0 || (founding.number() == highest.0 && founding.fingerprint != highest.1))
            && self.pins.hold(&highest.1, false)
        {
            tracing::error!("ALARM: a founding was put back that another one has followed");
            return Err(TrustError::WentBack);
        }
        // One that follows counts when it is known that those before agreed to it.
        if founding.succession.is_none() {
            seen.highest_founding.insert(founding.organisation, last);
        }
        drop(seen);
        Ok(founding)
    }

    /// Checks whether those before agreed to a founding that follows, once, before anybody is believed by it. What is wrong is told
    /// by believing nobody.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn learn(&self, pool: &PgPool, founding: Option<&str>) -> Result<(), sqlx::Error> {
        let Some(Err(TrustError::Unchecked(organisation))) = founding.map(|note| self.founding_of_note(note)) else {
            return Ok(());
        };
        match self.custody(&mut *pool.acquire().await?, organisation).await {
            Err(TrustError::Store(error)) => return Err(error),
            Err(error) => tracing::error!(%error, %organisation, "a founding that follows another is not believed"),
            Ok(_) => {}
        }
        Ok(())
    }

    /// A founding that is pinned, or that was.
    fn pinned_founding(&self, note: &str, or_formerly: bool) -> Result<Arc<Founding>, TrustError> {
        let digest = digest_of(note);
        let remembered = self.seen().foundings.get(&digest).map(|(print, founding)| (*print, Arc::clone(founding)));
        let print = match &remembered {
            Some((print, _)) => *print,
            None => statement::fingerprint(note)?,
        };
        if !self.pins.hold(&print, or_formerly) {
            return Err(TrustError::Forming);
        }
        if let Some((_, founding)) = remembered {
            return Ok(founding);
        }
        let founding = Arc::new(check_founding(note)?);
        self.seen().foundings.insert(digest, (print, Arc::clone(&founding)));
        Ok(founding)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The founded organisation.
    ///
    /// # Errors
    /// [`TrustError::Forming`] until two responsible persons have signed and the fingerprint is pinned.
    pub async fn founding(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
    ) -> Result<Arc<Founding>, TrustError> {
        let founding = self.last_of(connection, organisation).await?;
        let known = self.seen().agreed.contains(&founding.digest);
        if founding.succession.is_some() && !known {
            self.custody(connection, organisation).await?;
        }
        Ok(founding)
    }

    async fn last_of(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
    ) -> Result<Arc<Founding>, TrustError> {
        let note = store::founding_note(connection, organisation).await?.ok_or(TrustError::Forming)?;
        let founding = self.last_founding(&note)?;
        if founding.organisation == organisation { Ok(founding) } else { Err(TrustError::Forming) }
    }

    /// The member that a person is now. The statements come from the
    /// store or the session's own query.
    ///
    /// # Errors
    /// [`TrustError::NotAMember`] without a complete chain.
    pub fn member_of_notes(
        &self,
        account: AccountId,
        founding: Option<&str>,
        membership: Option<&str>,
    ) -> Result<Arc<Member>, TrustError> {
        let founding = self.founding_of_note(founding.ok_or(TrustError::Forming)?)?;
        self.member_in(&founding, account, membership)
    }

    /// The member that a person is by this founding.
    fn member_in(
        &self,
        founding: &Founding,
        account: AccountId,
        membership: Option<&str>,
    ) -> Result<Arc<Member>, TrustError> {
        let named = || founding.members.get(&account).map(Arc::clone).ok_or(TrustError::NotAMember);
        let Some(note) = membership else { return named() };
        let digests = (founding.digest, digest_of(note));
        let remembered = self.seen().members.get(&digests).map(Arc::clone);
        let member = if let Some(member) = remembered {
            member
        } else {
            let member = match check_membership(note, founding) {
                Ok(member) => Arc::new(member),
                // Admitted by the two before, or planted: a founding names everybody whom it takes over.
                Err(_) => return named(),
            };
            self.seen().members.insert(digests, Arc::clone(&member));
            member
        };
        let same = member.account == account && member.organisation == founding.organisation;
        if same { Ok(member) } else { named() }
    }

    /// A member in force, to seal to.
    ///
    /// # Errors
    /// [`TrustError::NotAMember`] for a ghost, somebody disabled, or somebody whose membership has ended.
    pub async fn member(&self, connection: &mut PgConnection, account: AccountId) -> Result<Arc<Member>, TrustError> {
        let notes = store::statements_of(connection, account).await?.ok_or(TrustError::NotAMember)?;
        if notes.disabled {
            return Err(TrustError::NotAMember);
        }
        self.member_by(connection, account, &notes).await
    }

    /// [`Self::member_of_notes`], and what it takes to check them.
    async fn member_by(
        &self,
        connection: &mut PgConnection,
        account: AccountId,
        notes: &Statements,
    ) -> Result<Arc<Member>, TrustError> {
        let of_notes = || self.member_of_notes(account, notes.founding.as_deref(), notes.membership.as_deref());
        match of_notes() {
            Err(TrustError::Unchecked(organisation)) => {
                self.custody(connection, organisation).await?;
                of_notes()
            }
            believed => believed,
        }
    }

    /// Somebody who signed something, now or in the past: also those who have left since.
    ///
    /// # Errors
    /// [`TrustError::NotAMember`] for somebody who was never admitted.
    pub async fn signer(&self, connection: &mut PgConnection, account: AccountId) -> Result<Arc<Member>, TrustError> {
        let notes = store::statements_ever_of(connection, account).await?.ok_or(TrustError::NotAMember)?;
        let now = self.member_by(connection, account, &notes).await;
        let (Err(error), Some(note)) = (&now, notes.founding.as_deref()) else { return now };
        if matches!(error, TrustError::Store(_)) {
            return now;
        }
        let founding = self.founding_of_note(note)?;
        if founding.succession.is_none() {
            return now;
        }
        // Whoever had left before others answered for the organisation stands in an earlier founding.
        for earlier in self.foundings(connection, founding.organisation).await?.iter().rev().skip(1) {
            if let Ok(member) = self.member_in(earlier, account, notes.membership.as_deref()) {
                return Ok(member);
            }
        }
        now
    }
}

#[cfg(test)]
mod tests;
