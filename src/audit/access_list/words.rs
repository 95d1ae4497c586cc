//! A list in words. What is not known here stands nowhere in it.

use super::model::{AccessGap, AccessLine, AccessList, Counted, Deed, Gap, Kind, LineWords};
use crate::guard::action::Purpose;
use crate::guard::record::OrganisationId;
use crate::platform::language::{Language, day, say};
use std::collections::HashMap;

/// What organisations are called by what was signed; nothing for one that is not believed.
pub(super) type Names = HashMap<OrganisationId, Option<String>>;

/// What was found beside the entries.
pub(super) struct Found {
    pub erased: bool,
    pub lost: bool,
    /// The last day of the span is not over.
    pub today: bool,
}

/// The list, but for what goes on it.
pub(super) fn list(language: Language, counted: &Counted, found: &Found, names: &Names, so_far: String) -> AccessList {
    let line = |(kind, times): (&Kind, &u32)| AccessLine {
        day: kind.day,
        organisation: kind.organisation,
        role: kind.role,
        purpose: kind.purpose,
        deed: kind.deed,
        times: *times,
        words: LineWords {
            day: day(language, kind.day),
            organisation: organisation(language, kind.organisation, names),
            role: say(language, &format!("role-{}", kind.role), &[]),
            purpose: say(language, &format!("purpose-{}", purpose(kind)), &[]),
            deed: say(language, &format!("deed-{}", kind.deed), &[("times", (*times).into())]),
        },
    };
    AccessList {
        language,
        from: counted.from,
        until: counted.until,
        items: counted.lines.iter().map(line).collect(),
        gaps: gaps(language, counted, found),
        more: counted.below.is_some(),
        so_far,
    }
}

fn organisation(language: Language, id: Option<OrganisationId>, names: &Names) -> String {
    let name = id.and_then(|id| names.get(&id)).and_then(Option::as_deref);
    name.map_or_else(|| say(language, "access-list-unknown-organisation", &[]), str::to_owned)
}

/// Work other than reading has no purpose of its own, and whoever was refused may have stated none.
fn purpose(kind: &Kind) -> &'static str {
    match kind.purpose {
        Some(purpose) => purpose.as_str(),
        None if kind.deed == Deed::Refused => "unsaid",
        None if kind.deed == Deed::Audited => Purpose::Audit.as_str(),
        None => "part",
    }
}

fn gaps(language: Language, counted: &Counted, found: &Found) -> Vec<AccessGap> {
    let all = [
        (Gap::Altered, counted.altered > 0, counted.altered),
        (Gap::Unreadable, counted.unreadable > 0, counted.unreadable),
        (Gap::Old, counted.old > 0, counted.old),
        (Gap::Erased, found.erased, 0),
        (Gap::Lost, found.lost, 0),
        (Gap::Behind, counted.behind, 0),
        (Gap::Today, found.today, 0),
    ];
    let told = all.into_iter().filter(|(_, there, _)| *there);
    told.map(|(gap, _, entries)| AccessGap {
        gap,
        words: say(language, &format!("access-list-gap-{gap}"), &[("entries", entries.into())]),
    })
    .collect()
}
