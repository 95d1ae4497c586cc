//! The keys that sign the log, one after the other, as an outsider follows them.
//!
//! Each key but the first is introduced by the one before it: a signed note that both signed, which is kept beside the
//! checkpoints. So whoever once wrote the first key down knows all of them, and a key that nobody introduced is nobody's.
//! Before a key takes over both sign some checkpoints; from the first one that it signs alone the one before signs nothing
//! any more, neither entries nor checkpoints, whatever time they claim.

use super::checkpoint::Checkpoint;
use super::entry::signed_message;
use super::note::{self, KeyName, NoteError, NoteSigner, NoteVerifier};
use super::verify::BadCheckpoint;
use crate::platform::secrets::{LogKey, Version, Versions};
use chrono::{DateTime, SecondsFormat, Utc};
use ed25519_dalek::{Signature, VerifyingKey};
use std::io;
use std::path::Path;

/// First line of an introduction.
const INTRODUCES: &str = "himaya ledger key v1";

/// The public keys of a log, the oldest first.
#[derive(Clone)]
pub struct LogKeys(Vec<NoteVerifier>);

/// A checkpoint, and which key signed it: of several the oldest, which is still in office.
pub struct Signed {
    pub checkpoint: Checkpoint,
    pub key: usize,
}

/// Why an outsider cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    #[error("the key {0:08x} introduces two others: one of them is a thief's")]
    Forked(u32),
}

impl LogKeys {
    /// The keys among the service's own secrets.
    ///
    /// # Errors
    /// [`NoteError`] when the origin names no key.
    pub fn of(origin: &str, versions: &Versions<LogKey>) -> Result<Self, NoteError> {
        let name = KeyName::new(origin)?;
        Ok(Self(versions.iter().map(|version| NoteVerifier::new(name.clone(), &version.value.public)).collect()))
    }

    /// These, the oldest first.
    #[must_use]
    pub const fn in_order(keys: Vec<NoteVerifier>) -> Self {
        Self(keys)
    }

    /// From the first key, which somebody once wrote down, along the introductions. What leads from no known key, is not
    /// signed as it should be, or is no introduction at all says nothing: whoever may write into the folder stops nobody.
    ///
    /// # Errors
    /// [`FollowError`] when a known key introduced two others.
    pub fn follow(first: NoteVerifier, introductions: &[String]) -> Result<Self, FollowError> {
        Self::follow_on(vec![first], introductions)
    }

    /// The same from several keys that are known already, the oldest first: the newest of them introduces the next.
    ///
    /// # Errors
    /// [`FollowError`] when a known key introduced two others.
    pub fn follow_on(mut keys: Vec<NoteVerifier>, introductions: &[String]) -> Result<Self, FollowError> {
        while let Some(last) = keys.last().cloned() {
            let mut next: Option<NoteVerifier> = None;
            for introduction in introductions {
                let Some(introduced) = introduced_by(&last, introduction) else { continue };
                if keys.contains(&introduced) || next.as_ref().is_some_and(|next| *next != introduced) {
                    return Err(FollowError::Forked(last.key_id()));
                }
                next = Some(introduced);
            }
            match next {
                Some(next) => keys.push(next),
                None => break,
            }
        }
        Ok(Self(keys))
    }

    /// Since when the key after this one signs, as the introductions say: none where nobody replaced it, or they do not say.
    #[must_use]
    pub fn replaced_at(&self, key: usize, introductions: &[String]) -> Option<DateTime<Utc>> {
        let (by, next) = (self.0.get(key)?, self.0.get(key.checked_add(1)?)?);
        let from = |note: &String| {
            let opened = note::open(note, std::slice::from_ref(by)).ok()?;
            Some(DateTime::parse_from_rfc3339(opened.text().lines().nth(2)?).ok()?.to_utc())
        };
        introductions.iter().filter(|note| introduced_by(by, note).as_ref() == Some(next)).filter_map(from).min()
    }

    /// From the oldest to the newest.
    #[must_use]
    pub fn all(&self) -> &[NoteVerifier] {
        &self.0
    }

    /// Reads a checkpoint that the log of this name signed with one of its keys.
    ///
    /// # Errors
    /// [`BadCheckpoint`] when it did not.
    pub fn read(&self, text: &str) -> Result<Signed, BadCheckpoint> {
        let opened = note::open(text, &self.0)?;
        let checkpoint = Checkpoint::parse(opened.text())?;
        let key = self.0.iter().position(|key| opened.signed_by_ids().contains(&key.key_id()));
        match (key, self.0.first()) {
            (Some(key), Some(first)) if checkpoint.origin() == first.name().as_str() => Ok(Signed { checkpoint, key }),
            _ => Err(BadCheckpoint::OtherLog),
        }
    }

    /// Whether each key is known that claims to have signed this checkpoint in the log's name. If one is not, these are older
    /// than the log, and nothing may be signed with them.
    #[must_use]
    pub fn are_current(&self, checkpoint: &str) -> bool {
        let Some(first) = self.0.first() else { return false };
        // What is no note at all is for others to tell.
        let claimed = note::claimed_ids(checkpoint, first.name()).unwrap_or_default();
        claimed.iter().all(|id| self.0.iter().any(|key| key.key_id() == *id))
    }

    /// The newest of the keys that signed this checkpoint: alone it is in office, beside another it is about to be.
    /// `None` when these keys signed none of it.
    #[must_use]
    pub fn announced(&self, checkpoint: &str) -> Option<usize> {
        self.read(checkpoint).ok()?;
        let opened = note::open(checkpoint, &self.0).ok()?;
        self.0.iter().rposition(|key| opened.signed_by_ids().contains(&key.key_id()))
    }

    /// Which key signed a leaf: `None` when none did.
    #[must_use]
    pub fn signer(&self, leaf: &[u8], signature: &[u8]) -> Option<usize> {
        let (message, signature) = (signed_message(leaf), Signature::from_slice(signature).ok()?);
        self.0.iter().rposition(|key| key.key().verify_strict(&message, &signature).is_ok())
    }
}

/// The note by which one key introduces the next, and its file's name; `None` when a private half is gone.
///
/// # Errors
/// [`NoteError`] when the origin names no key.
pub fn introduction(
    origin: &str,
    old: &Version<LogKey>,
    new: &Version<LogKey>,
) -> Result<Option<(String, String)>, NoteError> {
    let (Some(by), Some(own), Some(from)) = (&old.value.signing, &new.value.signing, new.from) else { return Ok(None) };
    let name = KeyName::new(origin)?;
    let (by, own) = (NoteSigner::new(name.clone(), by), NoteSigner::new(name, own));
    let text = introduces(own.verifier(), from);
    Ok(Some((file_name(own.verifier().key()), note::sign(&text, &[&by, &own])?)))
}

/// Every file among the checkpoints that may introduce a key. What is no text, or no introduction, introduces nobody.
///
/// # Errors
/// When the folder cannot be read.
pub fn introductions(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            found.push((path.clone(), String::from_utf8_lossy(&std::fs::read(&path)?).into_owned()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, note)| note).collect())
}

/// Where a key's introduction is kept, beside the checkpoints.
#[must_use]
pub fn file_name(key: &VerifyingKey) -> String {
    format!("{}.key", crate::guard::statement::hex(key.as_bytes().get(..8).unwrap_or_default()))
}

fn introduces(key: &NoteVerifier, from: DateTime<Utc>) -> String {
    format!("{INTRODUCES}\n{key}\n{}\n", from.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The key that `by` introduces in this note; `None` if it did not sign it, or it introduces nobody.
fn introduced_by(by: &NoteVerifier, note: &str) -> Option<NoteVerifier> {
    let opened = note::open(note, std::slice::from_ref(by)).ok()?;
    let mut lines = opened.text().lines();
    let (Some(INTRODUCES), Some(key)) = (lines.next(), lines.next()) else { return None };
    let key: NoteVerifier = key.parse().ok()?;
    // In its own note a key introduces nobody: it was introduced. Who is introduced holds the private half, and goes by the
    // log's name.
    let introduced = key != *by && key.name() == by.name() && note::open(note, std::slice::from_ref(&key)).is_ok();
    introduced.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::Frontier;
    use ed25519_dalek::SigningKey;

    fn version(seed: u8, minute: i64) -> Version<LogKey> {
        let from = DateTime::from_timestamp(1_800_000_000 + minute * 60, 0);
        Version { id: seed.to_string(), from, value: SigningKey::from_bytes(&[seed; 32]).into() }
    }

    fn vkey(seed: u8) -> NoteVerifier {
        NoteVerifier::new(KeyName::new("log.example").unwrap(), &version(seed, 0).value.public)
    }

    fn note(old: u8, new: u8) -> String {
        introduction("log.example", &version(old, 0), &version(new, i64::from(new))).unwrap().unwrap().1
    }

    #[test]
    fn an_outsider_follows_from_the_first_key_to_the_last() {
        let notes = [note(2, 3), note(1, 2)];
        let keys = LogKeys::follow(vkey(1), &notes).unwrap();
        assert_eq!(keys.all(), [vkey(1), vkey(2), vkey(3)]);
        assert_eq!(LogKeys::follow(vkey(3), &notes).unwrap().all(), [vkey(3)]);
    }

    #[test]
    fn a_key_that_nobody_introduced_is_nobodys() {
        // A thief's key introduces itself, or is introduced by another thief's.
        assert_eq!(LogKeys::follow(vkey(1), &[note(8, 9)]).unwrap().all(), [vkey(1)]);
        // By the old key alone, without its own signature: anybody's public key could be put there.
        let by = NoteSigner::new(KeyName::new("log.example").unwrap(), &SigningKey::from_bytes(&[1; 32]));
        let alone = note::sign(&introduces(&vkey(9), DateTime::UNIX_EPOCH), &[&by]).unwrap();
        let changed = note(1, 2).replace("2027", "2028");
        let other = note::sign("something else\n", &[&by]).unwrap();
        for nothing in [alone, changed, other, String::new(), "junk".to_owned()] {
            assert_eq!(LogKeys::follow(vkey(1), std::slice::from_ref(&nothing)).unwrap().all(), [vkey(1)]);
            // Nor does it keep an outsider from following what is right.
            assert_eq!(LogKeys::follow(vkey(1), &[nothing, note(1, 2)]).unwrap().all(), [vkey(1), vkey(2)]);
        }
    }

    #[test]
    fn whoever_does_not_know_the_newest_key_is_told_by_a_checkpoint() {
        let signer = |seed: u8| NoteSigner::new(vkey(1).name().clone(), &SigningKey::from_bytes(&[seed; 32]));
        let checkpoint = |by: &[u8]| {
            let signers: Vec<_> = by.iter().map(|seed| signer(*seed)).collect();
            note::sign("a checkpoint\n", &signers.iter().collect::<Vec<_>>()).unwrap()
        };
        let (old, both) = (LogKeys(vec![vkey(1)]), LogKeys(vec![vkey(1), vkey(2)]));
        let head = |by: &[u8]| {
            let text = Checkpoint::new("log.example", Frontier::new().head()).unwrap().to_text();
            let signers: Vec<_> = by.iter().map(|seed| signer(*seed)).collect();
            note::sign(&text, &signers.iter().collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(
            [&[1][..], &[1, 2], &[2], &[9]].map(|by| both.announced(&head(by))),
            [Some(0), Some(1), Some(1), None]
        );
        assert!(
            old.are_current(&checkpoint(&[1]))
                && both.are_current(&checkpoint(&[1]))
                && both.are_current(&checkpoint(&[1, 2]))
        );
        assert!(!old.are_current(&checkpoint(&[1, 2])) && !old.are_current(&checkpoint(&[2])));
    }

    #[test]
    fn a_stolen_key_that_introduces_another_is_seen() {
        let forked = LogKeys::follow(vkey(1), &[note(1, 2), note(1, 9)]);
        assert_eq!(forked.err(), Some(FollowError::Forked(vkey(1).key_id())));
        let circle = LogKeys::follow(vkey(1), &[note(1, 2), note(2, 1)]);
        assert!(circle.is_err());
    }
}
