//! The values of one secret: the one in use, those before it, and the one that is prepared.
//!
//! A value is accepted from when it is read, and used from the moment that stands with it. So every process that reads it
//! in time takes what others make with it, and none of them has to be stopped.

use chrono::{DateTime, Utc};
use std::sync::{Arc, PoisonError, RwLock};

/// One value.
#[derive(Clone)]
pub struct Version<T> {
    /// What it is called: sixteen hexadecimal digits that follow from the value, and lead nobody back to it.
    pub id: String,
    /// Used from then on; the first value has always been.
    pub from: Option<DateTime<Utc>>,
    pub value: T,
}

/// All values, the oldest first: there is always one.
#[derive(Clone)]
pub struct Versions<T> {
    oldest: Version<T>,
    later: Vec<Version<T>>,
}

impl<T> Versions<T> {
    #[must_use]
    pub const fn new(oldest: Version<T>, later: Vec<Version<T>>) -> Self {
        Self { oldest, later }
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Version<T>> {
        std::iter::once(&self.oldest).chain(&self.later)
    }

    #[must_use]
    pub const fn oldest(&self) -> &Version<T> {
        &self.oldest
    }

    #[must_use]
    pub fn newest(&self) -> &Version<T> {
        self.later.last().unwrap_or(&self.oldest)
    }

    /// The value in use: the newest whose moment has come.
    #[must_use]
    pub fn current(&self, now: DateTime<Utc>) -> &Version<T> {
        let begun = |version: &&Version<T>| version.from.is_some_and(|from| from <= now);
        self.later.iter().rev().find(begun).unwrap_or(&self.oldest)
    }

    /// The value of this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Version<T>> {
        self.iter().find(|version| version.id == id)
    }

    /// When the value of this name ceased, or ceases, to be used; `None` while none follows.
    #[must_use]
    pub fn until(&self, id: &str) -> Option<DateTime<Utc>> {
        self.iter().skip_while(|version| version.id != id).nth(1)?.from
    }
}

/// A secret as everybody holds it who needs it: after a rotation they hold the new values, without knowing.
pub struct Live<T>(Arc<RwLock<Arc<Versions<T>>>>);

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Live<T> {
    #[must_use]
    pub fn new(versions: Versions<T>) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(versions))))
    }

    /// One value that has always been used.
    #[must_use]
    pub fn only(id: &str, value: T) -> Self {
        Self::new(Versions::new(Version { id: id.to_owned(), from: None, value }, Vec::new()))
    }

    /// The values as they are now.
    #[must_use]
    pub fn get(&self) -> Arc<Versions<T>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was read anew, for everybody who holds this.
    pub fn take(&self, fresh: &Self) {
        let fresh = fresh.get();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn version(id: &str, from: Option<i64>) -> Version<()> {
        Version { id: id.to_owned(), from: from.map(at), value: () }
    }

    #[test]
    fn a_value_is_known_before_its_moment_and_used_from_then_on() {
        let versions = Versions::new(version("a", None), vec![version("b", Some(10)), version("c", Some(20))]);
        let used: Vec<&str> = [0, 9, 10, 19, 20, 99].map(|minute| versions.current(at(minute)).id.as_str()).to_vec();
        assert_eq!(used, ["a", "a", "b", "b", "c", "c"]);
        assert!(versions.find("c").is_some() && versions.find("d").is_none());
        assert_eq!((versions.until("a"), versions.until("c")), (Some(at(10)), None));
    }

    #[test]
    fn whoever_holds_a_secret_holds_what_was_read_anew() {
        let held = Live::only("a", 1);
        let other = held.clone();
        held.take(&Live::only("b", 2));
        assert_eq!(other.get().current(at(0)).value, 2);
    }
}
