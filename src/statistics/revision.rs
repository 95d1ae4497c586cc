//! The one revision of a year: its tables made anew from the records as they are now, if enough of them have changed.
//!
//! The method says when there is a revision, and not how. Here the whole year is protected once more as a single increment, with the
//! same dithers and ranks, so it is not a second draw for figures that did not change; and there is none while fewer than ten
//! records changed, so no difference is one person's. It shows the tables of the year only: months stay as they were said.

use super::catalogue::{Catalogue, Span};
use super::coded::{Month, Pseudonym};
use super::domains::Key;
use super::gates;
use super::layout::Layout;
use super::protect::beginning;
use super::publish::{Carry, Counted, Opening, Published, Refused, by_key, gated, latest};
use super::release::{Kind, Release, shown};
use crate::guard::statement::hex;
use std::collections::BTreeMap;

/// There is a revision from so many changed records.
pub const CHANGED_FROM: usize = 10;

/// Revises the year of the opening's domains, with the key that the year had. `last` is the cube's last release, whatever it is of.
///
/// # Errors
/// See [`Refused`]; how many records changed is not said.
pub fn revise(opening: &Opening<'_>, last: &Release, carry: &Carry) -> Result<Published, Refused> {
    let Opening { cube, domains, key, .. } = *opening;
    if carry.release != last.hash() || carry.cube != cube {
        return Err(Refused::CarryDoesNotFit);
    }
    let december = Month::new(domains.year(), 12).ok_or(Refused::OtherDomains)?;
    if carry.period < december {
        return Err(Refused::OutOfOrder(carry.period.next()));
    }
    if carry.period == december && carry.domains != domains.hash() {
        return Err(Refused::OtherDomains);
    }
    if carry.revised.contains(&domains.year()) {
        return Err(Refused::Revised);
    }
    let latest = latest(opening)?;
    let mut counted = carry.counted.clone();
    let mut people: BTreeMap<Pseudonym, Key> = BTreeMap::new();
    let (mut changed, mut outside) = (0, 0);
    for (person, Counted { period, key }) in &mut counted {
        let Some(coded) = latest.get(person).filter(|_| period.year() == domains.year()).map(|record| &record.coded)
        else {
            continue;
        };
        let now = coded.as_ref().map(|coded| domains.key(coded));
        outside += usize::from(now == Some(None));
        let now = now.flatten();
        changed += usize::from(now != *key);
        *key = now;
        people.extend(now.map(|key| (*person, key)));
    }
    if outside > 0 {
        return Err(Refused::OutsideDomains(outside));
    }
    if changed < CHANGED_FROM {
        return Err(Refused::TooFewChanged(CHANGED_FROM));
    }
    let catalogue = Catalogue::of(cube, domains.extent());
    let layout = Layout::of(&catalogue.only(Span::YearToDate), domains);
    let exact = gates::exact(&layout, &by_key(people.values()), &BTreeMap::new());
    let name = format!("{} revision {}", cube.as_str(), domains.year());
    let before = beginning(&layout, domains.base(), key, december);
    let (figures, salt) = gated(opening, &name, &layout, &before, &people, &exact)?;
    let release = Release {
        cube,
        kind: Kind::Revision,
        period: december,
        base: domains.base(),
        extent: domains.extent(),
        catalogue: hex(&catalogue.hash()),
        domains: hex(&domains.hash()),
        previous: Some(hex(&carry.release)),
        tables: shown(&layout, &figures.published, december),
    };
    let mut carry = Carry { release: release.hash(), counted, ..carry.clone() };
    carry.revised.push(domains.year());
    Ok(Published { release, carry, salt })
}
