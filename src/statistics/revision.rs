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
use super::protect::{Figures, begin};
use super::publish::{Carry, Counted, Opening, Published, Refused, by_key, gated, latest};
use super::release::{Kind, Release, shown};
use crate::guard::statement::hex;
use std::collections::BTreeMap;

/// There is a revision from so many changed records.
pub const CHANGED_FROM: usize = 10;

/// Revises the year of the opening's domains, with the key that the year had. `last` is the stage's last release, whatever it is of.
///
/// # Errors
/// See [`Refused`]; how many records changed is not said.
pub fn revise(opening: &Opening<'_>, last: &Release, carry: &Carry) -> Result<Published, Refused> {
    let Opening { domains, key, .. } = *opening;
    carry.fits(last, domains)?;
    let december = Month::new(domains.year(), 12).ok_or(Refused::OtherDomains)?;
    if carry.period < december {
        return Err(Refused::OutOfOrder(carry.period.next()));
    }
    carry.goes_on(domains, key)?;
    if carry.revised.contains(&domains.year()) {
        return Err(Refused::Revised);
    }
    let catalogue = Catalogue::of(domains.stage(), domains.extent());
    let layout = Layout::of(&catalogue.only(Span::YearToDate), domains);
    let latest = latest(opening)?;
    let mut counted = carry.counted.clone();
    let mut people: BTreeMap<Pseudonym, Key> = BTreeMap::new();
    let (mut changed, mut outside) = (0, 0);
    for (person, Counted { key, .. }) in counted.iter_mut().filter(|(_, one)| one.period.year() == domains.year()) {
        // Whose record is gone, because its time was over, was counted rightly and stays so.
        if let Some(record) = latest.get(person) {
            let Ok(now) = record.coded.as_ref().map(|coded| domains.key(coded)).transpose() else {
                outside += 1;
                continue;
            };
            let now = now.map(|key| layout.projected(&key));
            changed += usize::from(now != *key);
            *key = now;
        }
        people.extend(key.map(|key| (*person, key)));
    }
    if outside > 0 {
        return Err(Refused::OutsideDomains(outside));
    }
    if changed < CHANGED_FROM {
        return Err(Refused::TooFewChanged(CHANGED_FROM));
    }
    let exact = gates::exact(&layout, &by_key(people.values()), &BTreeMap::new());
    let name = format!("{} revision {}", domains.stage(), domains.year());
    let mut before = Figures::default();
    begin(&mut before, &layout, Span::YearToDate, domains.base(), key, december);
    let (figures, salt) = gated(opening, &name, &layout, &before, &people, &exact)?;
    let release = Release {
        stage: domains.stage(),
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
