//! What people sign: foundings, memberships, shared keys, grants, proposals, bars, policies and case heads, as C2SP signed notes.
//!
//! The signed bytes are the stored bytes: a first line that names the statement, then one line of JSON. Nothing is
//! encoded again to check a signature, so there is no second encoding to disagree with the first.

mod cases;
mod founding;
mod kinds;

pub use cases::{
    AssignmentStatement, BarLiftStatement, BarLine, BarStatement, CaseHead, GrantStatement, HeadLine, HoldStatement,
    ProposalStatement, TeamLine, Window,
};
pub use founding::{FoundingMember, FoundingStatement, MembershipStatement, StatedAgreement, StatedSuccession};
pub use kinds::{
    AccessReason, Act, BarReason, ErasureReason, HoldReason, Lack, OrganisationKind, OutageReason, ResolutionReason,
    SharedPurpose,
};

use super::keys::{KemPublic, PersonKeys, PublicKeys};
use super::record::{
    AccountId, CaseId, OpeningId, OrganisationId, OutageId, PolicyId, RecordKind, ResolutionId, SharedKeyId,
};
use crate::audit::note::{self, KeyName, NoteSigner, NoteVerifier};
use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A statement's words and the line that names its kind.
pub trait Statement: Serialize + DeserializeOwned {
    /// First line of the signed text.
    const HEADLINE: &'static str;
}

macro_rules! statements {
    ($($name:ident => $headline:literal,)+) => {$(
        impl Statement for $name { const HEADLINE: &'static str = $headline; }
    )+};
}
statements! {
    FoundingStatement => "himaya/founding/v1",
    MembershipStatement => "himaya/membership/v1",
    SharedKeyStatement => "himaya/shared-key/v1",
    GrantStatement => "himaya/grant/v1",
    AssignmentStatement => "himaya/assignment/v1",
    BarStatement => "himaya/bar/v1",
    BarLiftStatement => "himaya/bar-lift/v1",
    ProposalStatement => "himaya/proposal/v1",
    HoldStatement => "himaya/hold/v1",
    CaseHead => "himaya/case-head/v2",
    CustodyStatement => "himaya/custody/v1",
    OpeningStatement => "himaya/opening/v1",
    PolicyStatement => "himaya/policy/v1",
    ResolutionStatement => "himaya/resolution/v1",
    OutageStatement => "himaya/outage/v1",
}

/// A public key pair as it stands in a statement (hexadecimal).
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct StatedKeys {
    pub kem: String,
    pub sign: String,
}

impl From<PublicKeys> for StatedKeys {
    fn from(keys: PublicKeys) -> Self {
        Self { kem: hex(&keys.kem.0), sign: hex(keys.sign.as_bytes()) }
    }
}

impl StatedKeys {
    /// # Errors
    /// [`StatementError::Malformed`] if either is no key.
    pub fn keys(&self) -> Result<PublicKeys, StatementError> {
        let sign = VerifyingKey::from_bytes(&unhex(&self.sign)?).map_err(|_| StatementError::Malformed)?;
        Ok(PublicKeys { kem: KemPublic(unhex(&self.kem)?), sign })
    }
}

/// A key held together for a time; signed by the member who made it.
#[derive(Serialize, Deserialize)]
pub struct SharedKeyStatement {
    pub key: SharedKeyId,
    pub organisation: OrganisationId,
    pub purpose: SharedPurpose,
    pub public: String,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
}

/// A CUSTODY key follows another. With the same custodians, signed by two of them; with others, by both responsible persons.
#[derive(Serialize, Deserialize)]
pub struct CustodyStatement {
    pub key: SharedKeyId,
    pub organisation: OrganisationId,
    /// The founding's key has none; the first that follows it is 1.
    pub number: i32,
    pub follows: SharedKeyId,
    pub public: String,
    pub custodians: Vec<StatedCustodian>,
    /// The use that it ends, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<OpeningId>,
    pub made_at: DateTime<Utc>,
}

/// What two custodians are asked to open CUSTODY for; signed by who asks. It is what both of them confirm, whatever stands in the
/// row beside it.
#[derive(Serialize, Deserialize)]
pub struct OpeningStatement {
    pub opening: OpeningId,
    pub organisation: OrganisationId,
    /// Codes of [`crate::custody::model`].
    pub why: String,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<AccountId>,
    pub sections: Vec<RecordKind>,
    pub hours: i16,
    /// In order.
    pub cases: Vec<CaseId>,
    pub invoked_by: AccountId,
    pub invoked_at: DateTime<Utc>,
}

/// Another policy is to decide. Signed by both responsible persons of the organisation that answers for it.
#[derive(Serialize, Deserialize)]
pub struct PolicyStatement {
    pub policy: PolicyId,
    pub organisation: OrganisationId,
    /// The first agreement is 1.
    pub number: i32,
    /// The agreement before, which the first has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<PolicyId>,
    /// SHA-256 of the policy, as `himaya policy digest` prints it.
    pub digest: String,
    /// SHA-256 of the difference that both have read.
    pub difference: String,
    /// So long the policy before counts beside it: replicas are exchanged one by one.
    pub before_until: DateTime<Utc>,
    pub made_at: DateTime<Utc>,
    /// Afterwards it cannot be countersigned any more.
    pub lapses_at: DateTime<Utc>,
}

/// Two auditors are to be told who a pseudonym of the ledger is. Signed by both.
#[derive(Serialize, Deserialize)]
pub struct ResolutionStatement {
    pub resolution: ResolutionId,
    /// The auditors' office.
    pub organisation: OrganisationId,
    /// The pseudonym.
    pub person: String,
    pub reason: ResolutionReason,
    pub made_at: DateTime<Utc>,
    /// Afterwards it is not countersigned, and nobody is told.
    pub lapses_at: DateTime<Utc>,
}

/// The assigned and duty readers of one organisation go on reading while the ledger lacks something. Signed by who proposes it, and
/// by who agrees; it counts once, since its id is drawn at random and what is over is remembered.
#[derive(Serialize, Deserialize)]
pub struct OutageStatement {
    pub outage: OutageId,
    /// Whose readers.
    pub organisation: OrganisationId,
    /// In spite of what.
    pub lacks: Vec<Lack>,
    pub reason: OutageReason,
    pub proposed_by: AccountId,
    pub from: DateTime<Utc>,
    /// Four hours later at most.
    pub until: DateTime<Utc>,
}

/// Somebody who keeps a part of CUSTODY; perhaps of another organisation.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct StatedCustodian {
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub keys: StatedKeys,
}

/// Why a statement is not believed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StatementError {
    #[error("the statement has the wrong shape")]
    Malformed,
    #[error("a signature on the statement is missing or wrong")]
    NotSigned,
    #[error("this person has signed it already")]
    SignedAlready,
}

/// The name under which an account signs.
fn key_name(account: AccountId) -> Result<KeyName, StatementError> {
    KeyName::new(format!("himaya/{account}")).map_err(|_| StatementError::Malformed)
}

/// Writes and signs a statement.
///
/// # Errors
/// [`StatementError::Malformed`] if it cannot be written as a note.
pub fn sign<S: Statement>(statement: &S, account: AccountId, keys: &PersonKeys) -> Result<String, StatementError> {
    let body = serde_json::to_string(statement).map_err(|_| StatementError::Malformed)?;
    let signer = NoteSigner::new(key_name(account)?, keys.signing_key());
    note::sign(&format!("{}\n{body}\n", S::HEADLINE), &[&signer]).map_err(|_| StatementError::Malformed)
}

/// Adds a second person's signature.
///
/// # Errors
/// [`StatementError::SignedAlready`] if it is the same person's.
pub fn countersign(signed: &str, account: AccountId, keys: &PersonKeys) -> Result<String, StatementError> {
    let second = NoteSigner::new(key_name(account)?, keys.signing_key());
    note::add_signature(signed, &second).map_err(|_| StatementError::SignedAlready)
}

/// Reads a statement whose signatures are not checked yet: only to find out whose they should be.
///
/// # Errors
/// [`StatementError::Malformed`] for anything that is not such a statement.
pub fn unverified<S: Statement>(signed: &str) -> Result<S, StatementError> {
    parse(note::unverified_text(signed).map_err(|_| StatementError::Malformed)?)
}

/// Whose signatures a note claims to carry: only to know whose key to check them with.
pub fn claimed_signers(note: &str) -> impl Iterator<Item = AccountId> {
    note.lines().rev().take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, _) = line.strip_prefix("\u{2014} himaya/")?.split_once(' ')?;
        name.parse().ok().map(AccountId)
    })
}

/// Reads a statement signed by every one of `signers`.
///
/// # Errors
/// [`StatementError::NotSigned`] if one of them has not signed it, or a signature is wrong.
pub fn verified<S: Statement>(signed: &str, signers: &[(AccountId, VerifyingKey)]) -> Result<S, StatementError> {
    let mut trusted = Vec::with_capacity(signers.len());
    for (account, key) in signers {
        trusted.push(NoteVerifier::new(key_name(*account)?, key));
    }
    let read = note::open(signed, &trusted).map_err(|_| StatementError::NotSigned)?;
    for (account, _) in signers {
        if !read.signed_by().contains(&key_name(*account)?) {
            return Err(StatementError::NotSigned);
        }
    }
    parse(read.text())
}

fn parse<S: Statement>(text: &str) -> Result<S, StatementError> {
    let body = text
        .strip_prefix(S::HEADLINE)
        .and_then(|rest| rest.strip_prefix('\n'))
        .and_then(|rest| rest.strip_suffix('\n'))
        .ok_or(StatementError::Malformed)?;
    serde_json::from_str(body).map_err(|_| StatementError::Malformed)
}

/// What is pinned and read out loud: SHA-256 of a statement's text, without its signatures.
///
/// # Errors
/// [`StatementError::Malformed`] if it is no note.
pub fn fingerprint(signed: &str) -> Result<[u8; 32], StatementError> {
    let text = note::unverified_text(signed).map_err(|_| StatementError::Malformed)?;
    Ok(Sha256::digest(text.as_bytes()).into())
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads 32 bytes of hexadecimal.
///
/// # Errors
/// [`StatementError::Malformed`] for anything else.
pub fn unhex(text: &str) -> Result<[u8; 32], StatementError> {
    let mut bytes = [0_u8; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(StatementError::Malformed);
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| StatementError::Malformed)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| StatementError::Malformed)?;
    }
    Ok(bytes)
}
