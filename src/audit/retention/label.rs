//! What the service needs to know of an entry when its time is over, and nobody else learns from it: the class, what it is about, and whether a
//! case was opened or closed with it.
//!
//! It stays when the entry's detail is erased: so the verifier, with the service's secrets, sees by entries that nobody can write anew whether
//! a case should have kept it, whatever stood in the database for the minute in which that was looked up.
//!
//! Sealed under the secret that makes the ledger's pseudonyms, none of which is ever dropped. Whoever has a dump and that secret learns
//! which entry was about which case, and of which class; not what was done, or by whom.

use super::rules::Class;
use crate::audit::entry::{Entry, Place};
use crate::guard::keys::derive;
use crate::platform::secrets::{Live, Raw};
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Key};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// That a case began to keep what entries say of it, or no longer does: opened, or taken up again, and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Closed,
    Opened,
}

/// A class with a turn, an id, and what proves that the service wrote both in this place.
const BYTES: usize = 1 + 16;

/// A label, opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub class: Class,
    /// The case or the record that the entry is about; a list of many is about none.
    pub about: Option<Uuid>,
    /// What became of the case with it.
    pub turn: Option<Turn>,
}

impl Label {
    /// That of an entry: of the case that it opens or closes, or of what it is about. A refusal is about the record that was asked for.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let only = || entry.records.first().copied().filter(|_| entry.records.len() == 1);
        let about = entry.turn.map(|(case, _)| case).or(entry.about).or_else(only);
        Self { class: Class::of(entry), about, turn: entry.turn.map(|(_, turn)| turn) }
    }

    fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let class = Class::ALL.iter().position(|class| *class == self.class).unwrap_or_default();
        let [first, rest @ ..] = &mut bytes;
        let turn = match self.turn {
            None => 0,
            Some(Turn::Closed) => 1,
            Some(Turn::Opened) => 2,
        };
        // Frozen: the order of the classes stands in labels that were sealed, and in the upper half the turn.
        *first = u8::try_from(class).unwrap_or_default() | turn << 4;
        rest.copy_from_slice(self.about.unwrap_or_default().as_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (class, about) = bytes.split_first()?;
        let about = Uuid::from_slice(about).ok()?;
        let turn = match class >> 4 {
            0 => None,
            1 => Some(Turn::Closed),
            2 => Some(Turn::Opened),
            _ => return None,
        };
        let class = *Class::ALL.get(usize::from(class & 0x0f))?;
        Some(Self { class, about: (!about.is_nil()).then_some(about), turn })
    }
}

/// Seals and opens labels.
#[derive(Clone)]
pub struct Labels(Live<Raw>);

impl Labels {
    #[must_use]
    pub const fn new(secret: Live<Raw>) -> Self {
        Self(secret)
    }

    /// The label of an entry in this place. A place is written once, so its key seals one label ever.
    #[must_use]
    pub fn seal(&self, place: Place, label: Label, now: DateTime<Utc>) -> Option<Vec<u8>> {
        let mut bytes = label.to_bytes().to_vec();
        let tag = cipher(&self.0.get().current(now).value, place);
        let tag = tag.encrypt_inout_detached(&[0; 12].into(), b"", bytes.as_mut_slice().into()).ok()?;
        bytes.extend_from_slice(&tag);
        Some(bytes)
    }

    /// Opens it; `None` unless the service sealed it for this very place.
    #[must_use]
    pub fn open(&self, place: Place, sealed: &[u8]) -> Option<Label> {
        let (sealed, tag) = sealed.split_at_checked(BYTES)?;
        let tag: [u8; 16] = tag.try_into().ok()?;
        self.0.get().iter().rev().find_map(|version| {
            let mut bytes = sealed.to_vec();
            let opened = cipher(&version.value, place);
            opened.decrypt_inout_detached(&[0; 12].into(), b"", bytes.as_mut_slice().into(), &tag.into()).ok()?;
            Label::parse(&bytes)
        })
    }
}

fn cipher(secret: &Raw, place: Place) -> Aes256Gcm {
    let salt = [&place.replica.as_bytes()[..], &place.lane.to_be_bytes(), &place.n.to_be_bytes()].concat();
    let key = derive(&**secret, &salt, "himaya ledger label v1");
    Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn a_label_opens_in_its_place_and_with_the_secret_only() {
        let labels = |seed: u8| Labels::new(Live::only("a", Zeroizing::new([seed; 32])));
        let place = |n| Place { replica: Uuid::from_u128(1), lane: 2, n };
        for class in Class::ALL {
            let about = [(None, None), (Some(Uuid::from_u128(7)), None), (None, Some(Turn::Closed))];
            for (about, turn) in about.into_iter().chain([(Some(Uuid::from_u128(7)), Some(Turn::Opened))]) {
                let label = Label { class: *class, about, turn };
                let sealed = labels(1).seal(place(3), label, DateTime::UNIX_EPOCH).unwrap();
                assert_eq!(sealed.len(), 33);
                assert_eq!(labels(1).open(place(3), &sealed), Some(label));
                assert_eq!((labels(1).open(place(4), &sealed), labels(2).open(place(3), &sealed)), (None, None));
                let mut changed = sealed.clone();
                changed[0] ^= 1;
                assert_eq!(labels(1).open(place(3), &changed), None);
                assert_eq!(labels(1).open(place(3), &sealed[..32]), None);
            }
        }
    }
}
