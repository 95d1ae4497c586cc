//! A release: the tables of one month, the same bytes for the same question, chained to the release before.

use super::catalogue::{Extent, Span};
use super::coded::{Attribute, Month, Stage};
use super::layout::Layout;
use crate::guard::statement::hex;
use crate::guard::words::words;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

words! {
    /// Why there is a release.
    pub enum Kind {
        Month = "month",
        /// The one revision of a year.
        Revision = "revision",
    }
}

/// What is said of a period. Every cell of its tables is listed, zeros too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Release {
    pub stage: Stage,
    pub kind: Kind,
    /// The month; of a revision the December of its year.
    pub period: Month,
    /// Every figure is a multiple of it.
    pub base: i64,
    pub extent: Extent,
    /// SHA-256 of the catalogue, in hexadecimal digits.
    pub catalogue: String,
    /// SHA-256 of the domains, likewise.
    pub domains: String,
    /// SHA-256 of the release before, likewise; `None` for a stage's first.
    pub previous: Option<String>,
    pub tables: Vec<Shown>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    pub name: String,
    pub span: Span,
    pub attributes: Vec<Attribute>,
    pub cells: Vec<Cell>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// For each attribute of the table, the word.
    pub words: Vec<String>,
    /// People, a multiple of the base.
    pub people: i64,
}

/// The tables of a layout that are shown for a month.
pub(super) fn shown(layout: &Layout, published: &[i64], period: Month) -> Vec<Shown> {
    let places = layout.places().iter().filter(|place| place.shown(period));
    let tables = places.map(|place| {
        let figures = published.iter().enumerate().skip(place.start).take(place.len);
        let cells = figures.map(|(cell, people)| Cell {
            words: layout.words(place, cell).into_iter().map(str::to_owned).collect(),
            people: *people,
        });
        let attributes = place.attributes.iter().filter_map(|attribute| Attribute::ALL.get(*attribute).copied());
        Shown {
            name: place.name().to_owned(),
            span: place.span,
            attributes: attributes.collect(),
            cells: cells.collect(),
        }
    });
    tables.collect()
}

impl Release {
    /// The one form in bytes. A figure has seven digits, so the length says nothing of it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self { stage, kind, period, base, extent, catalogue, domains, previous, tables } = self;
        let previous = previous.as_deref().unwrap_or("none");
        let mut text = format!(
            "himaya statistics release 1\nstage {stage}\nkind {kind}\nperiod {period}\nbase {base}\nextent {extent}\n\
             catalogue {catalogue}\ndomains {domains}\nprevious {previous}\n"
        );
        for table in tables {
            // Writing into a string does not fail.
            let _ = writeln!(text, "table {}", table.name);
            for cell in &table.cells {
                for word in &cell.words {
                    let _ = write!(text, "{word}\t");
                }
                let _ = writeln!(text, "{:07}", cell.people);
            }
        }
        text.into_bytes()
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.bytes()).into()
    }

    /// A table by its name; `None` if it is not in the catalogue, or not shown this month.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Shown> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Shown {
    /// A figure by its words, in the order of the table's attributes; `None` if they are not in the domain.
    #[must_use]
    pub fn people(&self, words: &[&str]) -> Option<i64> {
        self.cells.iter().find(|cell| cell.words == words).map(|cell| cell.people)
    }
}

/// Where a chain of releases is broken: the place of the first that does not name the one before.
///
/// # Errors
/// That place.
pub fn whole(releases: &[Release]) -> Result<(), usize> {
    let mut before = None;
    for (place, release) in releases.iter().enumerate() {
        if release.previous != before {
            return Err(place);
        }
        before = Some(hex(&release.hash()));
    }
    Ok(())
}

/// Part of a whole in percent, in steps of 5; `None` unless the whole, as published, is at least four times the base. Both are
/// published figures, so it says nothing that they do not.
#[must_use]
pub fn ratio(part: i64, whole: i64, base: i64) -> Option<u8> {
    if part < 0 || whole < 4 * base {
        return None;
    }
    // Each is rounded by itself, so a part may come out above its whole.
    let twentieths = (part.min(whole) * 40 + whole) / (2 * whole);
    u8::try_from(twentieths * 5).ok()
}
