//! Stocks: how many are between two stages. They are differences of what was released, so they say nothing that was not said.

use super::catalogue::Span;
use super::release::{Cell, Release};

/// How many reached the first stage and not yet the second, by the cells of a table that both stages have. Each list holds the last
/// release of every year since the statistics began, so the newest stands last.
///
/// Each figure is the difference of two sums, and may be off by what their releases are off, all together; one below zero says that
/// the truth is close to it. Whoever left without a second stage is still in it.
///
/// `None` if a release lacks the table, if the words changed between the years, or if it is a table of months.
#[must_use]
pub fn stock(reached: &[&Release], left: &[&Release], table: &str) -> Option<Vec<Cell>> {
    let mut all: Vec<Cell> = Vec::new();
    let signed = reached.iter().map(|release| (release, 1)).chain(left.iter().map(|release| (release, -1)));
    for (release, sign) in signed {
        let shown = release.table(table).filter(|table| table.span == Span::YearToDate)?;
        if all.is_empty() {
            all.extend(shown.cells.iter().map(|cell| Cell { people: 0, ..cell.clone() }));
        }
        if all.len() != shown.cells.len() {
            return None;
        }
        for (sum, cell) in all.iter_mut().zip(&shown.cells) {
            if sum.words != cell.words {
                return None;
            }
            sum.people += sign * cell.people;
        }
    }
    Some(all)
}
