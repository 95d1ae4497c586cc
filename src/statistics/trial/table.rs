//! The trial as a table for a terminal.

use super::Row;
use std::fmt::Write as _;

/// The columns, each with what is good in it.
const HEAD: &str = "\
people  method                          base | one-way  largest  top three  month  sums  cells  | two dates      many   alone  compl.  strong
                                             | error    error    kept       error  add   hidden | sure   guess   dates  named  found   adversary";

/// What the columns say, under the table.
const NOTES: &str = "\
Use: the mean and largest error of the year's one-way figures and the mean error of a month's total, in people; how many of the three
largest words stay among the three largest; how many of the sums that are not all zero add; how many cells with people are hidden.
Attacks, less is better: new people whom two releases show alone, for certain, and by the best guess in the worst table; by how much
twelve releases lessen an error of one where nobody came after June; people named who came alone in their month, when that is
known; cells of 1 to 4 found from all tables, the exact total and one region; and how often who knows everybody else tells the
country with a person from the one without (50 % is chance). It is not differential privacy. A dash: the method has no such release.";

/// All rows, with what the columns mean.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{HEAD}\n");
    let mut people = None;
    for row in rows {
        if people.is_some_and(|people| people != row.people) {
            text.push('\n');
        }
        people = Some(row.people);
        // Writing into a string does not fail.
        let _ = writeln!(
            text,
            "{:6}  {:30}  {:4} | {:>7}  {:7}  {:>9}  {:>5}  {:>4}  {:>6} | {:>5}  {:>5}   {:>5}  {:>5}  {:>6}  {:>9}",
            row.people,
            row.method.as_str(),
            row.base,
            number(row.one_way_mean_error),
            row.one_way_largest_error,
            share(row.top_three_kept),
            number(row.month_total_error),
            share(row.sums_that_add),
            share(row.cells_hidden),
            share(row.two_dates_certain),
            share(row.two_dates_guessed),
            share(row.many_dates_gained),
            share(row.alone_named),
            share(row.complement_determined),
            share(row.adversary),
        );
    }
    text + "\n" + NOTES + "\n"
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.2}"))
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
