//! A list on paper.

use super::model::{AccessGap, AccessLine, AccessList, Gap};
use crate::platform::language::{Filled, Language, day, say};
use crate::platform::paper::{Block, Cell, PaperError, Sheet, Table};
use chrono::NaiveDate;

/// The list as PDF. It names nobody whose record it is: whoever gives it knows to whom.
///
/// # Errors
/// [`PaperError`], which would be a fault of the program.
pub(super) fn print(list: &AccessList, made: NaiveDate) -> Result<Vec<u8>, PaperError> {
    sheet(list, made).print()
}

fn sheet(list: &AccessList, made: NaiveDate) -> Sheet {
    let language = list.language;
    let told = |key: &str, filled: &[Filled<'_>]| say(language, key, filled);
    let text = |key: &str| Block::Text(told(key, &[]));
    let until = || ("until", day(language, list.until).into());
    let span = match list.from {
        Some(from) => told("access-list-span", &[("from", day(language, from).into()), until()]),
        None => told("access-list-span-all", &[until()]),
    };
    let mut blocks = vec![
        Block::Framed(told("access-list-keep", &[]), told("access-list-keep-why", &[])),
        text("access-list-by"),
        Block::Text(told("access-list-made", &[("day", day(language, made).into())])),
        Block::Text(span),
        text("access-list-intro"),
        text("access-list-no-names"),
    ];
    // That a day is not over is no fault, and frightens nobody under a heading of its own.
    let (usual, faults): (Vec<_>, Vec<_>) = list.gaps.iter().partition(|gap| gap.gap == Gap::Today);
    let said = |gaps: Vec<&AccessGap>| gaps.into_iter().map(|gap| Block::Text(gap.words.clone())).collect::<Vec<_>>();
    blocks.splice(4..4, said(usual));
    if !faults.is_empty() {
        blocks.push(Block::Heading(told("access-list-gaps-title", &[])));
        blocks.extend(said(faults));
    }
    blocks.push(if list.items.is_empty() { text("access-list-nothing") } else { Block::Table(table(list)) });
    blocks.push(text("access-list-itself"));
    blocks.push(Block::Heading(told("access-list-ask-title", &[])));
    blocks.push(text("access-list-ask"));
    Sheet { title: told("access-list-title", &[]), language, blocks, foot }
}

fn table(list: &AccessList) -> Table {
    let headings = ["access-list-day", "access-list-who", "access-list-why", "access-list-what"];
    let row = |line: &AccessLine| -> Vec<Cell> {
        let words = &line.words;
        vec![
            vec![words.day.clone()],
            vec![words.organisation.clone(), words.role.clone()],
            vec![words.purpose.clone()],
            vec![words.deed.clone()],
        ]
    };
    Table {
        widths: vec![1.0, 1.75, 1.45, 1.55],
        headings: headings.iter().map(|key| say(list.language, key, &[])).collect(),
        rows: list.items.iter().map(row).collect(),
    }
}

fn foot(language: Language, page: usize, pages: usize) -> String {
    say(language, "access-list-page", &[("page", page.into()), ("pages", pages.into())])
}

#[cfg(test)]
mod tests;
