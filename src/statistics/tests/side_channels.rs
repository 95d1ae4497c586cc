//! What a release's size and order say: nothing of the counts.

use super::super::publish::Published;
use super::{Country, month};

fn names(published: &Published) -> Vec<String> {
    let tables = published.release.tables.iter();
    tables.flat_map(|table| table.cells.iter().map(|cell| format!("{} {}", table.name, cell.words.join(" ")))).collect()
}

#[test]
fn many_people_few_and_none_have_releases_of_one_size_and_order() {
    for people in [60, 250] {
        let (many, mut few, mut none) = (Country::of(1, people), Country::of(1, people), Country::of(1, people));
        few.records.truncate(3);
        none.records.clear();
        for ((many, few), none) in many.until(4).iter().zip(few.until(4)).zip(none.until(4)) {
            assert_eq!(many.release.bytes().len(), few.release.bytes().len());
            assert_eq!(many.release.bytes().len(), none.release.bytes().len());
            assert_eq!((names(many), names(many)), (names(&few), names(&none)));
            assert!(none.release.tables.iter().flat_map(|table| &table.cells).all(|cell| cell.people == 0));
        }
    }
}

#[test]
fn what_is_not_in_the_catalogue_is_not_there() {
    let country = Country::of(1, 60);
    let all = country.until(3);
    assert!(all[2].release.table("age×citizenship").is_none());
    assert!(all[2].release.table("sex").unwrap().people(&["unheard of"]).is_none());
    // A country with few people shows its attributes when a quarter ends.
    assert!(all[1].release.table("sex").is_none() && all[1].release.table("total").is_some());
    assert_eq!(all[1].release.period, month(2));
}
