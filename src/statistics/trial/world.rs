//! A country that does not exist, month by month, and what each method publishes of it.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::{Catalogue, Span};
use super::super::coded::{Attribute, CodedRecord, Month, Pseudonym, Stage};
use super::super::domains::{Domains, Key};
use super::super::gates::exact;
use super::super::key::StatisticsKey;
use super::super::layout::Layout;
use super::super::protect::{Figures, Group, Try, begin, protect};
use super::super::publish::{Opening, Published, Refused, publish};
use super::super::release::Release;
use super::fixture::{Draw, people, regions};
use super::others;
use crate::guard::words::words;
use std::collections::BTreeMap;

words! {
    /// A way to publish.
    pub enum Method {
        Increments = "protected increments cube",
        /// The negative control: the same cube, made anew each month from everybody, with a draw of its own.
        Reprotected = "the same, made anew each month",
        Suppression = "threshold suppression",
        CellKey = "cell-key rounding",
        Private = "differential privacy",
    }
}

/// One year of it.
pub struct World {
    pub domains: Domains,
    pub layout: Layout,
    pub months: Vec<NewPeople>,
    records: Vec<CodedRecord>,
}

/// Who is new in a month, and the exact figures.
pub struct NewPeople {
    pub month: Month,
    pub people: BTreeMap<Pseudonym, Key>,
    pub exact: Vec<i64>,
}

/// What is published in a month: for each cell of the layout its figure, or nothing.
pub type Shown = Vec<Option<i64>>;

impl World {
    /// A year after two others with as many people, up to `last` of its months. `without` is left out.
    #[must_use]
    pub fn of(seed: u64, per_year: usize, last: u8, without: Option<Pseudonym>) -> Option<Self> {
        Self::made(seed, per_year, last, |record| Some(record.person) != without)
    }

    /// The same, but in its last month only this person came.
    #[must_use]
    pub fn ending_alone(seed: u64, per_year: usize, last: u8, person: Pseudonym) -> Option<Self> {
        Self::made(seed, per_year, last, |record| record.reached.month() != last || record.person == person)
    }

    /// The same, but nobody came after June.
    #[must_use]
    pub fn quiet(seed: u64, per_year: usize) -> Option<Self> {
        Self::made(seed, per_year, 12, |record| record.reached.month() <= 6)
    }

    fn made(seed: u64, per_year: usize, last: u8, there: impl Fn(&CodedRecord) -> bool) -> Option<Self> {
        const YEAR: u16 = 2026;
        let mut records = people(seed, per_year, YEAR - 2..YEAR + 1);
        // The words were frozen before anybody of the year came, so they do not tell who was left out.
        let before: Vec<CodedRecord> = records.iter().filter(|record| record.reached.year() < YEAR).cloned().collect();
        let domains = Domains::freeze(Stage::Identification, YEAR, &regions(), &before).ok()?;
        records.retain(|record| record.reached.year() == YEAR && there(record));
        let layout = Layout::of(&Catalogue::of(domains.stage(), domains.extent()), &domains);
        let mut months = Vec::new();
        let mut year: BTreeMap<Key, i64> = BTreeMap::new();
        for month in (1..=last).filter_map(|month| Month::new(YEAR, month)) {
            let here = records.iter().filter(|record| record.reached == month);
            let people: BTreeMap<Pseudonym, Key> =
                here.filter_map(|record| Some((record.person, domains.key(record.coded.as_ref()?).ok()?))).collect();
            let mut new: BTreeMap<Key, i64> = BTreeMap::new();
            for key in people.values() {
                *new.entry(*key).or_default() += 1;
                *year.entry(*key).or_default() += 1;
            }
            let exact = exact(&layout, &year, &new);
            months.push(NewPeople { month, people, exact });
        }
        Some(Self { domains, layout, months, records })
    }

    /// How many words each attribute has.
    #[must_use]
    pub fn sizes(&self) -> Vec<u16> {
        let sizes = Attribute::ALL.iter().map(|attribute| self.domains.words(*attribute).len());
        sizes.map(|size| u16::try_from(size).unwrap_or(u16::MAX)).collect()
    }

    /// What a method publishes, month by month; `draw` is its secret.
    ///
    /// # Errors
    /// When the cube refuses.
    pub fn published(&self, method: Method, draw: u64) -> Result<Vec<Shown>, Refused> {
        let shown = match method {
            Method::Increments => return self.increments(draw),
            Method::Reprotected => self.made_anew(draw),
            Method::Suppression => self.months.iter().map(|new| others::suppressed(&new.exact)).collect(),
            Method::CellKey => others::cell_keyed(self, draw),
            Method::Private => others::private(self, draw),
        };
        Ok(shown.into_iter().zip(&self.months).map(|(shown, new)| self.in_time(shown, new.month)).collect())
    }

    /// All methods show a table when the catalogue says so.
    fn in_time(&self, mut shown: Shown, month: Month) -> Shown {
        for place in self.layout.places().iter().filter(|place| !place.shown(month)) {
            shown[place.start..place.start + place.len].fill(None);
        }
        shown
    }

    fn key(draw: u64) -> StatisticsKey {
        StatisticsKey::new(Draw::new("key", draw).bytes())
    }

    /// The releases, as the product makes them.
    ///
    /// # Errors
    /// When one is refused.
    pub fn releases(&self, draw: u64) -> Result<Vec<Release>, Refused> {
        let key = Self::key(draw);
        let mut releases: Vec<Release> = Vec::new();
        let mut before: Option<Published> = None;
        for new in &self.months {
            let (domains, records, now) = (&self.domains, &self.records, new.month.next());
            let opening = Opening { domains, key: &key, records, now };
            let last = before.as_ref().map(|published| (&published.release, &published.carry));
            let published = publish(&opening, new.month, last)?;
            releases.push(published.release.clone());
            before = Some(published);
        }
        Ok(releases)
    }

    fn increments(&self, draw: u64) -> Result<Vec<Shown>, Refused> {
        let read = |release: Release| {
            let mut tables = release.tables.into_iter();
            let mut shown = Vec::with_capacity(self.layout.len());
            for place in self.layout.places() {
                match if place.shown(release.period) { tables.next() } else { None } {
                    Some(table) => shown.extend(table.cells.iter().map(|cell| Some(cell.people))),
                    None => shown.extend(std::iter::repeat_n(None, place.len)),
                }
            }
            shown
        };
        Ok(self.releases(draw)?.into_iter().map(read).collect())
    }

    fn made_anew(&self, draw: u64) -> Vec<Shown> {
        let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
        let mut all = Vec::new();
        for new in &self.months {
            let key = Self::key(draw ^ u64::from(new.month.month()) << 48);
            for (person, at) in &new.people {
                let rank = key.rank(person);
                let group = groups.entry(*at).or_insert(Group { people: 0, rank });
                group.people += 1;
                group.rank = group.rank.min(rank);
            }
            let mut begun = Figures::default();
            for span in [Span::YearToDate, Span::Month] {
                begin(&mut begun, &self.layout, span, self.domains.base(), &key, new.month);
            }
            let name = new.month.to_string();
            let turn = |item: &super::super::best::Item| key.turn(&name, 0, &item.rank);
            let figures = protect(&self.layout, self.domains.base(), begun, &groups, &Try::first(&self.layout), turn);
            let year = self.layout.places().iter().filter(|place| place.span == Span::YearToDate);
            let mut shown: Shown = vec![None; self.layout.len()];
            for cell in year.flat_map(|place| place.start..place.start + place.len) {
                shown[cell] = Some(figures.published[cell]);
            }
            // The month's own figure of such a method is what the year's figure grew by.
            if let Some(month) = self.layout.places().iter().find(|place| place.span == Span::Month) {
                let before = all.last().and_then(|before: &Shown| before[0]).unwrap_or(0);
                shown[month.start] = shown[0].map(|now| now - before);
            }
            all.push(shown);
        }
        all
    }
}
