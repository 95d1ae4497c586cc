//! What a witness knows of one log, and how it judges the next checkpoint.
//!
//! On the disk lies the latest checkpoint that was cosigned, with the log's signature and the witness's own. It is replaced as
//! a whole, and made durable, before the cosignature leaves: whoever ends the process at any moment leaves the checkpoint
//! before, or this one, and never a cosignature that the witness does not remember.

use super::WitnessError;
use super::config::LogConfig;
use super::evidence::{self, Kind};
use super::submission::Submission;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::keys::{FollowError, LogKeys};
use crate::audit::note::cosignature::{CosignatureKey, CosignatureVerifier};
use crate::audit::note::{self, NoteVerifier};
use crate::audit::tree::{TreeHead, empty_root, verify_consistency};
use crate::audit::witnesses::AHEAD;
use crate::guard::statement::hex;
use crate::platform::config::make_folder;
use crate::platform::secrets::file;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq as _;

/// The longest body that is read: sixty-three hashes, and a checkpoint with sixteen signatures of any kind.
pub const LARGEST_SUBMISSION: usize = 128 * 1024;

/// Introductions that are read at most, and how long each may be.
const INTRODUCTIONS: usize = 256;
const INTRODUCTION: u64 = 64 * 1024;

/// Why nothing was cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Malformed(String),
    #[error("this witness does not know that log")]
    Unknown,
    #[error("no key in office of that log signed this checkpoint, or one of its signatures is wrong")]
    Unsigned,
    #[error("the old size is larger than the checkpoint")]
    Larger,
    #[error("the latest checkpoint cosigned here has {0} entries")]
    OtherSize(u64),
    #[error("{0}")]
    Inconsistent(&'static str),
    #[error("{0}")]
    Away(String),
}

impl Refusal {
    /// How it is answered.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Larger => StatusCode::BAD_REQUEST,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Unsigned => StatusCode::FORBIDDEN,
            Self::OtherSize(_) => StatusCode::CONFLICT,
            Self::Inconsistent(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The latest checkpoint that was cosigned.
pub struct Latest {
    /// With the log's signatures and the witness's.
    pub note: String,
    checkpoint: Checkpoint,
    /// Which of the log's keys was in office.
    key: usize,
    at: u64,
    line: String,
}

/// A log that is witnessed.
pub struct Log {
    origin: String,
    hash: String,
    configured: Vec<NoteVerifier>,
    token: Option<[u8; 32]>,
    folder: PathBuf,
    /// One submission at a time.
    turn: Mutex<()>,
}

impl Log {
    /// A log as the configuration names it, with its folder, which only a witness at work makes: one that an administrator's
    /// command made would be the administrator's.
    ///
    /// # Errors
    /// [`WitnessError`] when a setting is wrong or its folder cannot be made.
    pub fn open(told: &LogConfig, folder: &Path) -> Result<Self, WitnessError> {
        let log = Self::known(told, folder)?;
        let wrong = |why: String| WitnessError::Log { origin: told.origin.clone(), why };
        make_folder(&log.folder).map_err(|error| wrong(format!("{} cannot be made: {error}", log.folder.display())))?;
        Ok(log)
    }

    /// The same, whether it has its folder yet or not.
    ///
    /// # Errors
    /// [`WitnessError`] when a setting is wrong.
    pub fn known(told: &LogConfig, folder: &Path) -> Result<Self, WitnessError> {
        let wrong = |why: String| WitnessError::Log { origin: told.origin.clone(), why };
        let hash: [u8; 32] = Sha256::digest(told.origin.as_bytes()).into();
        let hash = hex(&hash);
        let own = folder.join("logs").join(&hash);
        let (configured, token) = (told.keys().map_err(wrong)?, told.token().map_err(wrong)?);
        Ok(Self { origin: told.origin.clone(), hash, configured, token, folder: own, turn: Mutex::new(()) })
    }

    /// Whether a witness has worked on it in this folder.
    pub fn has_begun(&self) -> bool {
        self.folder.is_dir()
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// SHA-256 of the origin, under which the latest checkpoint is served.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether whoever shows this token is answered about this log.
    pub fn admits(&self, token: Option<&str>) -> bool {
        let Some(wanted) = &self.token else { return true };
        let shown: [u8; 32] = Sha256::digest(token.unwrap_or_default().as_bytes()).into();
        shown.ct_eq(wanted).into()
    }

    /// The log's keys: those of the configuration, and along the introductions those that follow.
    fn keys(&self) -> Result<LogKeys, Refusal> {
        let introductions = self.introductions().map_err(|error| self.away("introductions of keys", &error))?;
        LogKeys::follow_on(self.configured.clone(), &introductions).map_err(|error: FollowError| {
            tracing::error!(origin = self.origin, %error, "ALARM: nothing of this log is cosigned until somebody looks");
            Refusal::Away(error.to_string())
        })
    }

    fn introductions(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let named = entry.path().extension().is_some_and(|extension| extension == "key");
            if named && found.len() < INTRODUCTIONS && entry.metadata()?.len() <= INTRODUCTION {
                found.push(String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned());
            }
        }
        Ok(found)
    }

    /// Keeps a note that introduces the next key, if it does.
    pub fn introduce(&self, note: &str) -> io::Result<Option<NoteVerifier>> {
        let mut all = self.introductions()?;
        let before = LogKeys::follow_on(self.configured.clone(), &all).map_err(io::Error::other)?.all().len();
        all.push(note.to_owned());
        let keys = LogKeys::follow_on(self.configured.clone(), &all).map_err(io::Error::other)?;
        let Some(introduced) = keys.all().get(before..).and_then(<[NoteVerifier]>::first) else { return Ok(None) };
        let held = file::hold(&self.folder)?;
        file::replace(&self.folder, &crate::audit::keys::file_name(introduced.key()), note, &held)?;
        Ok(Some(introduced.clone()))
    }

    /// The latest checkpoint that was cosigned here; `None` if none ever was.
    ///
    /// # Errors
    /// [`Refusal::Away`] when what lies there is not what this witness left: it must not begin anew.
    pub fn latest(&self, witness: &CosignatureVerifier) -> Result<Option<Latest>, Refusal> {
        let note = match std::fs::read_to_string(self.folder.join("checkpoint")) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.away("latest checkpoint", &error)),
        };
        let signed = self.keys()?.read(&note).map_err(|error| self.away("latest checkpoint", &error))?;
        let own = witness.verify(&note).map_err(|error| self.away("latest checkpoint", &error))?;
        let (checkpoint, key) = (signed.checkpoint, signed.key);
        Ok(Some(Latest { note, checkpoint, key, at: own.at, line: own.line }))
    }

    /// When the latest checkpoint was cosigned, in seconds since 1970, and how many entries it speaks of.
    ///
    /// # Errors
    /// As [`Self::latest`].
    pub fn seen(&self, witness: &CosignatureVerifier) -> Result<Option<(u64, u64)>, Refusal> {
        Ok(self.latest(witness)?.map(|latest| (latest.at, latest.checkpoint.size())))
    }

    /// How many pieces of evidence lie there.
    pub fn evidence(&self) -> usize {
        evidence::count(&self.evidence_folder())
    }

    pub fn evidence_folder(&self) -> PathBuf {
        self.folder.join("evidence")
    }

    fn away(&self, what: &str, why: &dyn std::fmt::Display) -> Refusal {
        tracing::error!(origin = self.origin, %why, "ALARM: the {what} cannot be read or written: nothing is cosigned");
        Refusal::Away(format!("the witness cannot use its own {what} now"))
    }

    /// Judges a submission, and cosigns it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn add(
        &self,
        submission: &Submission<'_>,
        witness: &CosignatureKey,
        now: DateTime<Utc>,
    ) -> Result<String, Refusal> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = self.keys()?;
        let signed = keys.read(submission.note).map_err(|_| Refusal::Unsigned)?;
        let latest = self.latest(witness.verifier())?;
        // A key that another has replaced signs nothing more: whoever still has it stole it.
        // Of several that sign the newest counts: while both do, anybody can take the old one's line away.
        let newest = keys.announced(submission.note).ok_or(Refusal::Unsigned)?;
        if latest.as_ref().is_some_and(|latest| newest < latest.key) {
            return Err(Refusal::Unsigned);
        }
        self.judge(submission, &keys, &signed.checkpoint, latest.as_ref(), now)?;
        let text = note::unverified_text(submission.note).map_err(|_| Refusal::Unsigned)?;
        let at = self.time(latest.as_ref(), now);
        if let Some(same) = latest.as_ref().filter(|latest| latest.at == at && latest.checkpoint == signed.checkpoint)
            && note::unverified_text(&same.note).is_ok_and(|kept| kept == text)
        {
            return Ok(same.line.clone());
        }
        let line = witness.cosign(text, at);
        // Only the log's own signatures: what else was sent is not this witness's to keep.
        let signed_by_log = note::only_by(submission.note, keys.all()).map_err(|_| Refusal::Unsigned)?;
        let next = format!("{signed_by_log}{line}");
        // What could not be read again must not take the place of what can: the witness would be shut for ever.
        keys.read(&next).map_err(|error| self.away("next checkpoint", &error))?;
        witness.verifier().verify(&next).map_err(|error| self.away("next checkpoint", &error))?;
        let written = file::hold(&self.folder).and_then(|held| file::replace(&self.folder, "checkpoint", &next, &held));
        written.map_err(|error| self.away("latest checkpoint", &error))?;
        Ok(line)
    }

    /// Whether this checkpoint only adds to the latest one.
    fn judge(
        &self,
        submission: &Submission<'_>,
        keys: &LogKeys,
        checkpoint: &Checkpoint,
        latest: Option<&Latest>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let (old, head) = (submission.old, checkpoint.head());
        if old > head.size {
            return Err(Refusal::Larger);
        }
        let forked =
            latest.filter(|latest| latest.checkpoint.size() == head.size && *latest.checkpoint.root() != head.root);
        if let Some(latest) = forked {
            self.keep(Kind::Fork, latest, submission, (keys, head), now);
        }
        let known = latest.map_or(TreeHead { size: 0, root: empty_root() }, |latest| latest.checkpoint.head());
        if old != known.size {
            return Err(Refusal::OtherSize(known.size));
        }
        if forked.is_some() {
            return Err(Refusal::Inconsistent("another checkpoint of this size was cosigned here: the log is forked"));
        }
        verify_consistency(&known, &head, &submission.proof).map_err(|_| {
            if let Some(latest) = latest {
                self.keep(Kind::Unproved, latest, submission, (keys, head), now);
            }
            Refusal::Inconsistent("the proof does not lead from the checkpoint cosigned here to this one")
        })
    }

    fn keep(
        &self,
        kind: Kind,
        latest: &Latest,
        submission: &Submission<'_>,
        (keys, head): (&LogKeys, TreeHead),
        now: DateTime<Utc>,
    ) {
        // The log's own signatures prove; what somebody hung onto them does not.
        let note = note::only_by(submission.note, keys.all()).unwrap_or_else(|_| submission.note.to_owned());
        let submitted = Submission::body(submission.old, &submission.proof, &note);
        match evidence::keep(&self.evidence_folder(), kind, &latest.note, &submitted, &head, now) {
            Ok(file) => tracing::error!(
                origin = self.origin,
                ?kind,
                file = %file.display(),
                "ALARM: the log shows another face than before; it was not cosigned, and this is the evidence"
            ),
            Err(error) => tracing::error!(origin = self.origin, ?kind, %error, "ALARM: evidence was not kept"),
        }
    }

    /// Not earlier than what was said before: a clock that steps back takes nothing back. But if what was said before lies
    /// further ahead than anybody believes, the clock was wrong then: to go on saying so would shut this witness for as long.
    fn time(&self, latest: Option<&Latest>, now: DateTime<Utc>) -> u64 {
        let (said, now) = (latest.map_or(1, |latest| latest.at), u64::try_from(now.timestamp()).unwrap_or(0));
        if said > now.saturating_add(AHEAD.num_seconds().unsigned_abs()) {
            tracing::error!(
                origin = self.origin,
                said,
                now,
                "ALARM: what was cosigned before lies in the future: this machine's clock was wrong, or is now"
            );
            return now;
        }
        if now < said {
            tracing::warn!(
                origin = self.origin,
                said,
                now,
                "this machine's clock stands behind what was cosigned before"
            );
        }
        now.max(said)
    }
}
