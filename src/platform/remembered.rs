//! A bounded memory of what was computed from given bytes, keyed by their digest: it never outlives its use by more than
//! one generation, and never holds more than two.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// SHA-256 of the bytes that the value follows from.
pub type Digest = [u8; 32];

/// Remembers values that follow from bytes alone. What a revocation or a change in the database must change at the next
/// request does not belong here.
pub struct Remembered<T> {
    most: usize,
    kept: Mutex<Generations<T>>,
}

struct Generations<T> {
    young: HashMap<Digest, T>,
    old: HashMap<Digest, T>,
}

impl<T: Clone> Remembered<T> {
    /// At most twice so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    /// What was remembered; something old that is asked for becomes young again.
    pub fn get(&self, digest: &Digest) -> Option<T> {
        let mut kept = self.lock();
        if let Some(value) = kept.young.get(digest) {
            return Some(value.clone());
        }
        let value = kept.old.get(digest).cloned()?;
        self.put(&mut kept, *digest, value.clone());
        Some(value)
    }

    /// Remembers a value.
    pub fn insert(&self, digest: Digest, value: T) {
        self.put(&mut self.lock(), digest, value);
    }

    fn put(&self, kept: &mut Generations<T>, digest: Digest, value: T) {
        if kept.young.len() >= self.most {
            kept.old = std::mem::take(&mut kept.young);
        }
        kept.young.insert(digest, value);
    }

    fn lock(&self) -> MutexGuard<'_, Generations<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_what_nobody_asks_for_and_never_holds_more_than_twice_its_bound() {
        let (memory, digest) = (Remembered::new(4), |n: u8| [n; 32]);
        memory.insert(digest(0), 0);
        for n in 1..=60 {
            memory.insert(digest(n), n);
            assert_eq!(memory.get(&digest(0)), Some(0), "asked for all the time");
            let kept = memory.lock();
            assert!(kept.young.len() + kept.old.len() <= 8);
        }
        assert_eq!(memory.get(&digest(1)), None);
    }
}
