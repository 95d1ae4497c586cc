//! The one revision of a year: its figures as the records are now, if enough of them have changed.
//!
//! The method says when there is a revision, and not how. It is one more increment: whoever stands elsewhere now is taken out there and
//! put in here, and nothing else is drawn anew. If the whole year were protected once more, two draws of the same truth would be
//! on the table, and their mean is off by a third less than either. While fewer than ten records have changed there is none. That is
//! no wall against who codes: whoever changes nine records brings about the revision that shows the tenth. It shows the tables of
//! the year only: months stay as they were said.

use super::catalogue::{Catalogue, Span};
use super::coded::{Month, Pseudonym};
use super::domains::Key;
use super::gates;
use super::layout::Layout;
use super::publish::{Carry, Counted, Opening, Published, Refused, Year, by_key, gated, grouped, latest};
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
    let catalogue = Catalogue::of(domains.stage(), domains.extent());
    let layout = Layout::of(&catalogue.only(Span::YearToDate), domains);
    let year = carry.goes_on(domains, key, &layout)?;
    if year.revised {
        return Err(Refused::Revised);
    }
    let latest = latest(opening)?;
    let mut counted = carry.counted.clone();
    let mut stay: Vec<Key> = Vec::new();
    let mut moved: Vec<(&Pseudonym, Key, i64)> = Vec::new();
    let (mut changed, mut outside) = (0, 0);
    for (person, Counted { key, .. }) in counted.iter_mut().filter(|(_, one)| one.period.year() == domains.year()) {
        // Whose record is gone, because its time was over, was counted rightly and stays so.
        if let Some(record) = latest.get(person) {
            let Ok(now) = record.coded.as_ref().map(|coded| domains.key(coded)).transpose() else {
                outside += 1;
                continue;
            };
            let now = now.map(|key| layout.projected(&key));
            if now != *key {
                changed += 1;
                moved.extend(key.map(|key| (person, key, -1)));
                moved.extend(now.map(|key| (person, key, 1)));
                *key = now;
            }
        }
        stay.extend(*key);
    }
    if outside > 0 {
        return Err(Refused::OutsideDomains(outside));
    }
    if changed < CHANGED_FROM {
        return Err(Refused::TooFewChanged(CHANGED_FROM));
    }
    let exact = gates::exact(&layout, &by_key(stay.iter()), &BTreeMap::new());
    let name = format!("{} revision {}", domains.stage(), domains.year());
    let groups = grouped(moved.iter().map(|(person, key, sign)| (*person, key, *sign)), key);
    let (figures, salt) = gated(opening, &name, &layout, &year.figures, &groups, &exact)?;
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
    let mut years = carry.years.clone();
    years.insert(domains.year(), Year { figures, revised: true, ..year.clone() });
    let carry = Carry { stage: carry.stage, period: carry.period, years, release: release.hash(), counted };
    Ok(Published { release, carry, salt })
}
