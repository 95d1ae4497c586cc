//! A mean, as its numbers come.

/// Of no number it is nothing.
#[derive(Clone, Copy, Default)]
pub struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    pub fn add(&mut self, number: f64) {
        self.sum += number;
        self.count += 1;
    }

    #[must_use]
    pub fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}
