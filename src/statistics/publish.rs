//! Makes the release of a month from the coded records that two people opened. Nothing here reads or writes: what comes out is
//! stored in one transaction or not at all, and whoever calls this forgets what went in.

use super::catalogue::{Catalogue, Cube};
use super::coded::{CodedRecord, Month, Pseudonym};
use super::domains::{Domains, Key};
use super::gates::{self, Gate};
use super::key::StatisticsKey;
use super::layout::Layout;
use super::protect::{Figures, Group, beginning, protect};
use super::release::{Kind, Release, shown};
use crate::guard::statement::hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often the passes are tried in another order before there is no release.
pub const SALTS: u8 = 8;

/// What two people opened.
pub struct Opening<'a> {
    pub cube: Cube,
    /// Those of the year that is released.
    pub domains: &'a Domains,
    pub key: &'a StatisticsKey,
    /// In any order, of any stage; what is not of this cube and period is left.
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
    pub(super) cube: Cube,
    pub(super) period: Month,
    pub(super) domains: [u8; 32],
    /// Of the key.
    pub(super) mark: [u8; 32],
    /// Hash of the release that it came out with.
    pub(super) release: [u8; 32],
    pub(super) published: Vec<i64>,
    pub(super) errors: Vec<i64>,
    pub(super) counted: BTreeMap<Pseudonym, Counted>,
    /// The years that were revised.
    pub(super) revised: Vec<u16>,
}

/// A release and what goes on from it; both are stored, or neither.
pub struct Published {
    pub release: Release,
    pub carry: Carry,
    /// How many orders of the passes did not hold the gates.
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
    #[error("no order of the passes holds the gates; the last one failed because {0}")]
    Gates(Gate),
    #[error("the year was revised before")]
    Revised,
    #[error("fewer than {0} records of the year have changed")]
    TooFewChanged(usize),
}

/// The latest of each person's records at a stage.
pub(super) fn latest<'a>(opening: &Opening<'a>) -> Result<BTreeMap<Pseudonym, &'a CodedRecord>, Refused> {
    let mut people: BTreeMap<Pseudonym, (&CodedRecord, bool)> = BTreeMap::new();
    for record in opening.records.iter().filter(|record| record.stage == opening.cube.stage()) {
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

/// Protects what is new in the first order of the passes that holds the gates.
pub(super) fn gated(
    opening: &Opening<'_>,
    name: &str,
    layout: &Layout,
    before: &Figures,
    people: &BTreeMap<Pseudonym, Key>,
    exact: &[i64],
) -> Result<(Figures, u8), Refused> {
    let base = opening.domains.base();
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for (person, key) in people {
        let rank = opening.key.rank(person);
        let group = groups.entry(*key).or_insert(Group { people: 0, rank });
        group.people += 1;
        group.rank = group.rank.min(rank);
    }
    let mut failed = Gate::TooFar;
    for salt in 0..SALTS {
        let turn = |item: &super::best::Item| opening.key.turn(name, salt, &item.rank);
        let figures = protect(layout, base, before.clone(), &groups, turn);
        match gates::check(layout, base, &figures.published, exact) {
            Ok(()) => return Ok((figures, salt)),
            Err(gate) => failed = gate,
        }
    }
    Err(Refused::Gates(failed))
}

/// Makes the release of `period`. `before` is the last release of the cube and the carry that came out with it.
///
/// # Errors
/// See [`Refused`]; then nothing is to be stored.
pub fn publish(
    opening: &Opening<'_>,
    period: Month,
    before: Option<(&Release, &Carry)>,
) -> Result<Published, Refused> {
    let Opening { cube, domains, key, .. } = *opening;
    if period >= opening.now {
        return Err(Refused::NotEnded(period));
    }
    if !domains.holds(period) {
        return Err(Refused::OtherDomains);
    }
    let catalogue = Catalogue::of(cube, domains.extent());
    let layout = Layout::of(&catalogue, domains);
    let mut figures = beginning(&layout, domains.base(), key, period);
    let (mut counted, mut revised, mut previous) = (BTreeMap::new(), Vec::new(), None);
    if let Some((last, carry)) = before {
        if carry.release != last.hash() || carry.cube != cube {
            return Err(Refused::CarryDoesNotFit);
        }
        if period != carry.period.next() {
            return Err(Refused::OutOfOrder(carry.period.next()));
        }
        if period.year() == carry.period.year() {
            carry.goes_on(domains, key, &layout)?;
            for (place, (published, error)) in carry.published.iter().zip(&carry.errors).enumerate() {
                figures.set(place, *published, *error);
            }
        }
        counted.clone_from(&carry.counted);
        revised.clone_from(&carry.revised);
        previous = Some(hex(&carry.release));
    }
    let mut new = BTreeMap::new();
    let mut outside = 0;
    for (person, record) in latest(opening)? {
        let Some(coded) = record.coded.as_ref().filter(|_| record.reached <= period) else { continue };
        if counted.contains_key(&person) {
            continue;
        }
        match domains.key(coded) {
            Some(key) => drop(new.insert(person, key)),
            None => outside += 1,
        }
    }
    if outside > 0 {
        return Err(Refused::OutsideDomains(outside));
    }
    counted.extend(new.iter().map(|(person, key)| (*person, Counted { period, key: Some(*key) })));
    let this_year = counted.values().filter(|one| one.period.year() == period.year());
    let exact = gates::exact(&layout, &by_key(this_year.filter_map(|one| one.key.as_ref())), &by_key(new.values()));
    let name = format!("{} {period}", cube.as_str());
    let (figures, salt) = gated(opening, &name, &layout, &figures, &new, &exact)?;
    let release = Release {
        cube,
        kind: Kind::Month,
        period,
        base: domains.base(),
        extent: domains.extent(),
        catalogue: hex(&catalogue.hash()),
        domains: hex(&domains.hash()),
        previous,
        tables: shown(&layout, &figures.published, period),
    };
    let Figures { mut published, mut errors } = figures;
    published.truncate(layout.year());
    errors.truncate(layout.year());
    let (domains, mark, hash) = (domains.hash(), key.mark(), release.hash());
    let carry = Carry { cube, period, domains, mark, release: hash, published, errors, counted, revised };
    Ok(Published { release, carry, salt })
}

impl Carry {
    /// Whether the year goes on with what it began with.
    fn goes_on(&self, domains: &Domains, key: &StatisticsKey, layout: &Layout) -> Result<(), Refused> {
        if self.domains != domains.hash() {
            return Err(Refused::OtherDomains);
        }
        if self.mark != key.mark() {
            return Err(Refused::OtherKey);
        }
        if self.published.len() != layout.year() || self.errors.len() != layout.year() {
            return Err(Refused::CarryDoesNotFit);
        }
        Ok(())
    }
}
