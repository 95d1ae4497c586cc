//! How far the walk has come, for whoever waits for it.

/// Entries between two tellings.
const STEP: u64 = 256;

/// Tells how many of how many are done. The database says how many there are, and it may lie: nobody is told of more than that, or of fewer
/// than before, and at the end of all of them.
pub(super) struct Steps<F> {
    size: u64,
    told: Option<u64>,
    tell: F,
}

impl<F: FnMut(u64, u64)> Steps<F> {
    pub(super) const fn new(size: u64, tell: F) -> Self {
        Self { size, told: None, tell }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: u64) {
        let done = done.min(self.size);
        if self.told.is_none_or(|told| done >= told.saturating_add(STEP)) {
            self.told = Some(done);
            (self.tell)(done, self.size);
        }
    }

    /// All that there was is done.
    pub(super) fn end(mut self) {
        (self.tell)(self.size, self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(size: u64, done: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let mut steps = Steps::new(size, |done, of| all.push((done, of)));
        for done in done {
            steps.at(done);
        }
        steps.end();
        all
    }

    #[test]
    fn what_is_told_never_goes_back_and_ends_with_all_of_them() {
        assert_eq!(told(0, []), [(0, 0)]);
        assert_eq!(told(700, 1..=700), [(1, 700), (257, 700), (513, 700), (700, 700)]);
        // Positions that somebody took away, put out of order, or made up.
        for lies in [vec![5, 600, 3, 2], vec![9000, 1, u64::MAX], vec![700, 700, 0]] {
            let all = told(700, lies.clone());
            assert!(all.is_sorted() && all.iter().all(|(done, of)| done <= of), "{lies:?}: {all:?}");
            assert_eq!(all.last(), Some(&(700, 700)), "{lies:?}");
        }
    }
}
