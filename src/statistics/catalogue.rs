//! Which tables there are. The catalogue is closed: what is not in it cannot be asked, and each release names its hash.

use super::coded::{Attribute, Stage};
use crate::guard::words::words;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Goes up with every change of the tables, weights or words.
pub const VERSION: u32 = 1;

words! {
    /// How many tables there are. A country that counts few people shows fewer.
    pub enum Extent {
        Full = "full",
        /// While the twelve months before the year held fewer than 100 people.
        Short = "short",
    }
}

words! {
    /// What a table counts: whoever entered since January, or in the month.
    pub enum Span {
        YearToDate = "year_to_date",
        Month = "month",
    }
}

/// One table of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// In the order of [`Attribute::ALL`]; none for a total.
    pub attributes: Vec<Attribute>,
    pub span: Span,
    /// How much an error in it weighs. Twice the weights of the method, so that the half ones are whole numbers.
    pub weight: i64,
    /// It is shown only when a quarter ends.
    pub quarterly: bool,
}

impl Table {
    /// Its one spelling, such as `form×sex` or `total by month`.
    #[must_use]
    pub fn name(&self) -> String {
        let words: Vec<&str> = self.attributes.iter().map(|attribute| attribute.as_str()).collect();
        let words = if words.is_empty() { "total".to_owned() } else { words.join("×") };
        if self.span == Span::Month { format!("{words} by month") } else { words }
    }
}

/// The tables of one cube. The total stands first, and those of the year before those of the month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    tables: Vec<Table>,
}

impl Catalogue {
    /// The tables of a stage at an extent.
    ///
    /// Identification has those of persons and those of flows in one cube: two cubes of the same people would be two draws of the same
    /// figures.
    #[must_use]
    pub fn of(stage: Stage, extent: Extent) -> Self {
        use Attribute::{Age, Citizenship, Deadline, Form, Recruiter, Region, Sex};
        let persons = stage == Stage::Identification;
        let one_way: &[&[Attribute]] = if persons {
            &[&[Form], &[Sex], &[Age], &[Region], &[Citizenship], &[Recruiter], &[Deadline]]
        } else {
            &[&[Form], &[Sex], &[Region], &[Deadline]]
        };
        let crossed: &[&[Attribute]] = match (persons, extent) {
            (true, Extent::Full) => &[
                &[Sex, Age],
                &[Form, Sex],
                &[Form, Age],
                &[Form, Citizenship],
                &[Form, Region],
                &[Form, Recruiter],
                &[Sex, Region],
                &[Age, Region],
                &[Form, Sex, Age],
                &[Form, Sex, Region],
            ],
            (true, Extent::Short) => &[&[Sex, Age], &[Form, Sex], &[Form, Age]],
            (false, Extent::Full) => &[&[Form, Sex], &[Form, Region], &[Sex, Region], &[Form, Sex, Region]],
            (false, Extent::Short) => &[],
        };
        let short = extent == Extent::Short;
        let table = |attributes: &&[Attribute], span| Table {
            attributes: attributes.to_vec(),
            span,
            weight: weight(attributes.len(), span),
            quarterly: short && !attributes.is_empty(),
        };
        let total: &[Attribute] = &[];
        let year =
            [&total].into_iter().chain(one_way).chain(crossed).map(|attributes| table(attributes, Span::YearToDate));
        let by_month: &[&[Attribute]] = if short { &[] } else { one_way };
        let month = [&total].into_iter().chain(by_month).map(|attributes| table(attributes, Span::Month));
        Self { tables: year.chain(month).collect() }
    }

    /// One that a test makes up.
    #[cfg(test)]
    pub(super) const fn made_up(tables: Vec<Table>) -> Self {
        Self { tables }
    }

    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Those of one span.
    #[must_use]
    pub fn only(&self, span: Span) -> Self {
        Self { tables: self.tables.iter().filter(|table| table.span == span).cloned().collect() }
    }

    /// SHA-256 over version, names, weights and which are quarterly.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut text = format!("himaya statistics catalogue {VERSION}\n");
        for table in &self.tables {
            let quarterly = if table.quarterly { " quarterly" } else { "" };
            // Writing into a string does not fail.
            let _ = writeln!(text, "{} {}{quarterly}", table.name(), table.weight);
        }
        Sha256::digest(text.as_bytes()).into()
    }
}

/// Total 8, month total 4, one-way 3, two-way 1, three-way ½, one-way by month ½; here twice that.
const fn weight(attributes: usize, span: Span) -> i64 {
    match (span, attributes) {
        (Span::YearToDate, 0) => 16,
        (Span::YearToDate, 1) => 6,
        (Span::YearToDate, 2) => 2,
        (Span::Month, 0) => 8,
        (Span::YearToDate | Span::Month, _) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stage: Stage, extent: Extent) -> Vec<String> {
        Catalogue::of(stage, extent).tables().iter().map(Table::name).collect()
    }

    #[test]
    fn the_catalogue_is_the_methods() {
        let full = names(Stage::Identification, Extent::Full);
        assert_eq!(full.iter().filter(|name| !name.ends_with("by month")).count(), 18);
        assert_eq!(full.iter().filter(|name| name.ends_with("by month")).count(), 8);
        assert_eq!(full.first().map(String::as_str), Some("total"));
        let short = names(Stage::Identification, Extent::Short);
        assert_eq!(short.len(), 12);
        assert_eq!(short.last().map(String::as_str), Some("total by month"));
        assert!(short.iter().all(|name| full.contains(name)));
        let flow =
            ["total", "form", "sex", "region", "deadline", "form×sex", "form×region", "sex×region", "form×sex×region"];
        let flow = flow.map(str::to_owned).into_iter();
        let by_month = ["total", "form", "sex", "region", "deadline"].map(|name| format!("{name} by month"));
        assert_eq!(names(Stage::Placement, Extent::Full), flow.chain(by_month).collect::<Vec<_>>());
    }

    #[test]
    fn each_change_of_the_tables_has_another_hash() {
        let catalogue = Catalogue::of(Stage::Identification, Extent::Full);
        assert_ne!(catalogue.hash(), Catalogue::of(Stage::Identification, Extent::Short).hash());
        let mut other = catalogue.tables().to_vec();
        other[3].weight += 1;
        assert_ne!(Catalogue::made_up(other).hash(), catalogue.hash());
    }
}
