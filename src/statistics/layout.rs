//! Where the cells of a catalogue stand in one row of numbers, and what each is called.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that says how long the row is")]

use super::catalogue::{Catalogue, Span, Table};
use super::coded::{Attribute, Month};
use super::domains::{Domains, Key};

/// One table in the row.
pub struct Place {
    /// Which of [`Attribute::ALL`], going up.
    pub attributes: Vec<usize>,
    /// How many words each of them has.
    pub sizes: Vec<usize>,
    pub weight: i64,
    pub span: Span,
    pub quarterly: bool,
    pub start: usize,
    pub len: usize,
    name: String,
}

/// The cells of all tables in one row: those of the year first, the total before all.
pub struct Layout {
    places: Vec<Place>,
    len: usize,
    year: usize,
    words: Vec<Vec<String>>,
}

impl Layout {
    #[must_use]
    pub fn of(catalogue: &Catalogue, domains: &Domains) -> Self {
        let mut places: Vec<Place> = Vec::new();
        let (mut len, mut year) = (0, 0);
        for table in catalogue.tables() {
            let place = Place::of(table, domains, len);
            len += place.len;
            if place.span == Span::YearToDate {
                year = len;
            }
            places.push(place);
        }
        let words = Attribute::ALL.iter().map(|attribute| domains.words(*attribute).to_vec()).collect();
        Self { places, len, year, words }
    }

    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// How many cells there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// How many of them, from the first, are of the year.
    #[must_use]
    pub const fn year(&self) -> usize {
        self.year
    }

    /// The key without what no table here asks for: whom the tables do not tell apart is protected as one group.
    #[must_use]
    pub fn projected(&self, key: &Key) -> Key {
        let asked = |attribute: &usize| self.places.iter().any(|place| place.attributes.contains(attribute));
        std::array::from_fn(|attribute| if asked(&attribute) { key[attribute] } else { 0 })
    }

    /// The cells in which somebody with this key counts, one for each table.
    pub fn cells(&self, key: &Key) -> impl Iterator<Item = (&Place, usize)> {
        self.places.iter().map(|place| (place, place.cell(key)))
    }

    /// The words of a table's cell, in the order of its attributes.
    #[must_use]
    pub fn words(&self, place: &Place, cell: usize) -> Vec<&str> {
        let mut rest = cell - place.start;
        let mut words: Vec<&str> = Vec::with_capacity(place.sizes.len());
        for (attribute, size) in place.attributes.iter().zip(&place.sizes).rev() {
            words.push(&self.words[*attribute][rest % size]);
            rest /= size;
        }
        words.reverse();
        words
    }

    /// The name of a cell, which its dither follows from: table, words, and for a month which one.
    #[must_use]
    pub fn label(&self, place: &Place, cell: usize, month: Month) -> String {
        let words = self.words(place, cell).join("\t");
        match place.span {
            Span::YearToDate => format!("{}\t{words}", place.name()),
            Span::Month => format!("{}\t{month}\t{words}", place.name()),
        }
    }
}

impl Place {
    fn of(table: &Table, domains: &Domains, start: usize) -> Self {
        let place_of = |wanted| Attribute::ALL.iter().position(|attribute| attribute == wanted);
        let attributes: Vec<usize> = table.attributes.iter().filter_map(place_of).collect();
        let sizes: Vec<usize> = table.attributes.iter().map(|attribute| domains.words(*attribute).len()).collect();
        let len = sizes.iter().product();
        let Table { span, weight, quarterly, .. } = *table;
        Self { attributes, sizes, weight, span, quarterly, start, len, name: table.name() }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cell in which somebody with this key counts.
    #[must_use]
    pub fn cell(&self, key: &Key) -> usize {
        let within = self.attributes.iter().zip(&self.sizes);
        self.start + within.fold(0, |cell, (attribute, size)| cell * size + usize::from(key[*attribute]))
    }

    /// Whether it is shown in a release of this month.
    #[must_use]
    pub const fn shown(&self, month: Month) -> bool {
        !self.quarterly || month.ends_quarter()
    }

    /// For each attribute of `other`, its place among the attributes of this table; `None` if this table cannot be summed up to it.
    #[must_use]
    pub fn sums_to(&self, other: &Self) -> Option<Vec<usize>> {
        if self.span != other.span || self.attributes.len() <= other.attributes.len() {
            return None;
        }
        other.attributes.iter().map(|wanted| self.attributes.iter().position(|own| own == wanted)).collect()
    }

    /// The place of each of this table's cells in the cells of a table that it sums to.
    #[must_use]
    pub fn parent_of(&self, cell: usize, other: &Self, kept: &[usize]) -> usize {
        let mut values = vec![0; self.sizes.len()];
        let mut rest = cell - self.start;
        for (value, size) in values.iter_mut().zip(&self.sizes).rev() {
            *value = rest % size;
            rest /= size;
        }
        other.start + kept.iter().zip(&other.sizes).fold(0, |at, (from, size)| at * size + values[*from])
    }
}
