//! Medians, targets, and what is printed.

use std::io::Write as _;

/// The median; zero of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    if values.len().is_multiple_of(2) { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) } else { at(middle) }
}

/// Prints as it comes, and counts what is missed.
#[derive(Default)]
pub struct Report {
    missed: Vec<String>,
}

impl Report {
    /// A line without a target.
    #[expect(clippy::unused_self, reason = "who prints holds the report")]
    pub fn say(&self, what: &str, line: &str) {
        // A reader that has gone away misses the rest.
        let _ = writeln!(std::io::stdout(), "{what:<58} {line}");
    }

    /// A value that is to be at least so much.
    pub fn at_least(&mut self, what: &str, shown: String, value: f64, least: f64) {
        self.judged(what, shown, value >= least, &format!("≥ {least}"), 100.0 * (1.0 - value / least));
    }

    /// A value that is to be at most so much.
    pub fn at_most(&mut self, what: &str, shown: String, value: f64, most: f64, target: &str) {
        self.judged(what, shown, value <= most, target, 100.0 * (value / most - 1.0));
    }

    fn judged(&mut self, what: &str, mut shown: String, met: bool, target: &str, by: f64) {
        let verdict =
            if met { format!("  (target {target}: met)") } else { format!("  (target {target}: MISSED by {by:.0} %)") };
        shown.push_str(&verdict);
        if !met {
            self.missed.push(format!("{what}: {shown}"));
        }
        self.say(what, &shown);
    }

    /// At the end: what was missed.
    pub fn end(self) {
        self.say("", "");
        if self.missed.is_empty() {
            self.say("every target is met", "");
        }
        for missed in &self.missed {
            self.say(missed, "");
        }
    }
}
