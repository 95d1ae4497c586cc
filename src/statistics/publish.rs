//! Makes the release of a month from the coded records that two people opened. Nothing here reads or writes: what comes out is
//! stored in one transaction or not at all, and whoever calls this forgets what went in.

use super::catalogue::{Catalogue, Span};
use super::coded::{CodedRecord, Month, Pseudonym, Stage};
use super::domains::{Domains, Key};
use super::gates::{self, Gate};
use super::key::StatisticsKey;
use super::layout::Layout;
use super::protect::{Figures, Group, Try, begin, protect};
use super::release::{Kind, Release, shown};
use crate::guard::statement::hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often it is tried in another order, with other weights, before there is no release.
pub const SALTS: u8 = 8;

/// What two people opened.
pub struct Opening<'a> {
    /// Those of the stage and year that are released.
    pub domains: &'a Domains,
    pub key: &'a StatisticsKey,
    /// In any order, of any stage; what is not of this stage and period is left.
    pub records: &'a [CodedRecord],
    /// The month in which they open.
    pub now: Month,
}

/// How a person was counted.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Counted {
    /// In the release of which month.
    pub period: Month,
    /// `None` if a revision took her out again.
    pub key: Option<Key>,
}

/// What goes from one release to the next: published figures less errors and dithers are the exact ones, so it is case data, and sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Carry {
    pub(super) stage: Stage,
    pub(super) period: Month,
    pub(super) years: BTreeMap<u16, Year>,
    /// Hash of the release that it came out with.
    pub(super) release: [u8; 32],
    pub(super) counted: BTreeMap<Pseudonym, Counted>,
}

/// What a year began with, which stays, and where its figures stand.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Year {
    pub(super) domains: [u8; 32],
    /// Of the key.
    pub(super) mark: [u8; 32],
    pub(super) figures: Figures,
    /// It had its one revision.
    pub(super) revised: bool,
}

/// A release and what goes on from it; both are stored, or neither.
pub struct Published {
    pub release: Release,
    pub carry: Carry,
    /// How many tries did not hold the gates.
    pub salt: u8,
}

/// Why there is no release. Nothing of it says who, or how many are in a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the month {0} has not ended")]
    NotEnded(Month),
    #[error("the next release is that of {0}")]
    OutOfOrder(Month),
    #[error("the domains are of another year, or not those with which the year began")]
    OtherDomains,
    #[error("the key is not the one with which the year began")]
    OtherKey,
    #[error("the carry does not belong to the last release: it comes from another backup")]
    CarryDoesNotFit,
    #[error("{0} people have codes that are not in the domains")]
    OutsideDomains(usize),
    #[error("{0} people have two records of the same version that differ")]
    TwoOfOneVersion(usize),
    #[error("no try holds the gates; the last one failed because {0}")]
    Gates(Gate),
    #[error("the year was revised before")]
    Revised,
    #[error("fewer than {0} records of the year have changed")]
    TooFewChanged(usize),
}

/// The latest of each person's records at a stage.
pub(super) fn latest<'a>(opening: &Opening<'a>) -> Result<BTreeMap<Pseudonym, &'a CodedRecord>, Refused> {
    let mut people: BTreeMap<Pseudonym, (&CodedRecord, bool)> = BTreeMap::new();
    for record in opening.records.iter().filter(|record| record.stage == opening.domains.stage()) {
        let (known, twice) = people.entry(record.person).or_insert((record, false));
        if record.version > known.version {
            (*known, *twice) = (record, false);
        } else if record.version == known.version && record != *known {
            *twice = true;
        }
    }
    match people.values().filter(|(_, twice)| *twice).count() {
        0 => Ok(people.into_iter().map(|(person, (record, _))| (person, record)).collect()),
        twice => Err(Refused::TwoOfOneVersion(twice)),
    }
}

/// People by key.
pub(super) fn by_key<'a>(keys: impl Iterator<Item = &'a Key>) -> BTreeMap<Key, i64> {
    let mut groups = BTreeMap::new();
    for key in keys {
        *groups.entry(*key).or_insert(0) += 1;
    }
    groups
}

/// Groups people by their keys. Whoever comes counts as 1, and whoever a revision takes out as −1.
pub(super) fn grouped<'a>(
    people: impl Iterator<Item = (&'a Pseudonym, &'a Key, i64)>,
    key: &StatisticsKey,
) -> BTreeMap<Key, Group> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for (person, at, sign) in people {
        let rank = key.rank(person);
        let group = groups.entry(*at).or_insert(Group { people: 0, rank });
        group.people += sign;
        group.rank = group.rank.min(rank);
    }
    groups
}

/// Protects what is new in the first try that holds the gates.
///
/// The first is the method's. Where a month has few people, another order of the passes finds the same; so whatever was too far in
/// one try weighs four times as much in the next, and later tries count one group more or less than the total asks for, which its
/// own bound allows. Without that, one year in twenty of a small country would stop in its autumn.
pub(super) fn gated(
    opening: &Opening<'_>,
    name: &str,
    layout: &Layout,
    before: &Figures,
    groups: &BTreeMap<Key, Group>,
    exact: &[i64],
) -> Result<(Figures, u8), Refused> {
    let base = opening.domains.base();
    let mut failed = Gate::TooFar;
    let mut trying = Try::first(layout);
    for salt in 0..SALTS {
        let turn = |item: &super::best::Item| opening.key.turn(name, salt, &item.rank);
        let figures = protect(layout, base, before.clone(), groups, &trying, turn);
        match gates::check(layout, base, &figures.published, exact) {
            Ok(()) => return Ok((figures, salt)),
            Err(gate) => failed = gate,
        }
        let too_far = gates::too_far(layout, base, &figures.published, exact);
        for (cell, _) in &too_far {
            if let Some(weight) = trying.weights.get_mut(*cell) {
                *weight *= 4;
            }
        }
        // Two tries with as many groups as the total asks for, then with what the figures lack.
        if salt > 0 {
            trying.more -= too_far.iter().map(|(_, wrong)| wrong.signum()).sum::<i64>().signum();
        }
    }
    Err(Refused::Gates(failed))
}

/// Makes the release of `period`. `before` is the last release of the stage and the carry that came out with it.
///
/// # Errors
/// See [`Refused`]; then nothing is to be stored.
pub fn publish(opening: &Opening<'_>, period: Month, before: Option<(&Release, &Carry)>) -> Result<Published, Refused> {
    let Opening { domains, key, .. } = *opening;
    if period >= opening.now {
        return Err(Refused::NotEnded(period));
    }
    if !domains.holds(period) {
        return Err(Refused::OtherDomains);
    }
    let catalogue = Catalogue::of(domains.stage(), domains.extent());
    let layout = Layout::of(&catalogue, domains);
    let mut figures = Figures::default();
    let (mut counted, mut years, mut previous) = (BTreeMap::new(), BTreeMap::new(), None);
    if let Some((last, carry)) = before {
        carry.fits(last, domains)?;
        if period != carry.period.next() {
            return Err(Refused::OutOfOrder(carry.period.next()));
        }
        if period.year() == carry.period.year() {
            figures = carry.goes_on(domains, key, &layout)?.figures.clone();
        }
        counted.clone_from(&carry.counted);
        years.clone_from(&carry.years);
        previous = Some(hex(&carry.release));
    }
    if figures.published.is_empty() {
        begin(&mut figures, &layout, Span::YearToDate, domains.base(), key, period);
    }
    begin(&mut figures, &layout, Span::Month, domains.base(), key, period);
    let mut new = BTreeMap::new();
    let mut outside = 0;
    for (person, record) in latest(opening)? {
        let Some(coded) = record.coded.as_ref().filter(|_| record.reached <= period) else { continue };
        if counted.contains_key(&person) {
            continue;
        }
        match domains.key(coded) {
            Ok(key) => drop(new.insert(person, layout.projected(&key))),
            Err(_) => outside += 1,
        }
    }
    if outside > 0 {
        return Err(Refused::OutsideDomains(outside));
    }
    counted.extend(new.iter().map(|(person, key)| (*person, Counted { period, key: Some(*key) })));
    let this_year = counted.values().filter(|one| one.period.year() == period.year());
    let exact = gates::exact(&layout, &by_key(this_year.filter_map(|one| one.key.as_ref())), &by_key(new.values()));
    let name = format!("{} {period}", domains.stage());
    let (mut figures, salt) = gated(
        opening,
        &name,
        &layout,
        &figures,
        &grouped(new.iter().map(|(person, at)| (person, at, 1)), key),
        &exact,
    )?;
    let release = Release {
        stage: domains.stage(),
        kind: Kind::Month,
        period,
        base: domains.base(),
        extent: domains.extent(),
        catalogue: hex(&catalogue.hash()),
        domains: hex(&domains.hash()),
        previous,
        tables: shown(&layout, &figures.published, period),
    };
    figures.published.truncate(layout.year());
    figures.errors.truncate(layout.year());
    years.insert(period.year(), Year { domains: domains.hash(), mark: key.mark(), figures, revised: false });
    let carry = Carry { stage: domains.stage(), period, years, release: release.hash(), counted };
    Ok(Published { release, carry, salt })
}

impl Carry {
    /// Whether it came out with this release, of this stage.
    pub(super) fn fits(&self, last: &Release, domains: &Domains) -> Result<(), Refused> {
        let same = self.release == last.hash() && self.stage == last.stage && self.stage == domains.stage();
        if same { Ok(()) } else { Err(Refused::CarryDoesNotFit) }
    }

    /// Whether these are what their year began with.
    pub(super) fn goes_on(&self, domains: &Domains, key: &StatisticsKey, layout: &Layout) -> Result<&Year, Refused> {
        let year = self.years.get(&domains.year()).ok_or(Refused::OtherDomains)?;
        if year.domains != domains.hash() {
            return Err(Refused::OtherDomains);
        }
        if year.mark != key.mark() {
            return Err(Refused::OtherKey);
        }
        let Figures { published, errors } = &year.figures;
        let fits = published.len() == layout.year() && errors.len() == layout.year();
        if fits { Ok(year) } else { Err(Refused::CarryDoesNotFit) }
    }
}
