//! The worked example as a known answer, and the properties of releases.

use super::super::best::{Best, Item};
use super::super::catalogue::{Catalogue, Extent, Span, Table};
use super::super::coded::{AgeBand, Attribute, Coded, CodedRecord, Deadline, Form, Pseudonym, Recruiter, Stage};
use super::super::domains::{Domains, Key};
use super::super::key::ONE;
use super::super::layout::Layout;
use super::super::protect::{Figures, Group, Try, protect};
use super::super::publish::{Carry, Published};
use super::super::release::{Release, whole};
use super::super::trial::fixture::Draw;
use super::{Country, month};
use crate::cases::terms::Sex;
use std::collections::BTreeMap;

/// Who is new: a key, how many, and which rank.
type New = [(Form, Sex, i64, u8)];

struct Example {
    layout: Layout,
    domains: Domains,
}

pub fn coded(form: Form, sex: Sex) -> Coded {
    let (age, recruiter, deadline) = (AgeBand::Adult, Recruiter::Unknown, Deadline::Met);
    Coded { form, sex, age, region: None, citizenship: None, recruiter, deadline }
}

impl Example {
    fn new() -> Self {
        let table = |attributes: &[Attribute], weight| Table {
            attributes: attributes.to_vec(),
            span: Span::YearToDate,
            weight,
            quarterly: false,
        };
        let (form, sex) = (Attribute::Form, Attribute::Sex);
        let tables = vec![table(&[], 16), table(&[form], 6), table(&[sex], 6), table(&[form, sex], 2)];
        let domains = Domains::freeze(Stage::Identification, 2026, &[], &[]).unwrap().with(3, Extent::Full);
        Self { layout: Layout::of(&Catalogue::made_up(tables), &domains), domains }
    }

    fn key(&self, form: Form, sex: Sex) -> Key {
        self.layout.projected(&self.domains.key(&coded(form, sex)).unwrap())
    }

    fn step(&self, before: Figures, new: &New) -> Figures {
        let groups = new
            .iter()
            .map(|(form, sex, people, rank)| (self.key(*form, *sex), Group { people: *people, rank: [*rank; 32] }));
        let groups: BTreeMap<Key, Group> = groups.collect();
        protect(&self.layout, 3, before, &groups, &Try::first(&self.layout), |item| item.rank)
    }

    /// Total, F, M, SEX, LAB, F-SEX, F-LAB, M-LAB of a row.
    fn told(&self, row: &[i64]) -> [i64; 8] {
        use Form::{ForcedLabour, SexualExploitation};
        use Sex::{Female, Male};
        let of = |table: usize, form, sex| row[self.layout.places()[table].cell(&self.key(form, sex))];
        [
            row[0],
            of(2, ForcedLabour, Female),
            of(2, ForcedLabour, Male),
            of(1, SexualExploitation, Female),
            of(1, ForcedLabour, Female),
            of(3, SexualExploitation, Female),
            of(3, ForcedLabour, Female),
            of(3, ForcedLabour, Male),
        ]
    }
}

#[test]
fn the_worked_example_comes_out_whoever_goes_first() {
    use Form::{ForcedLabour, SexualExploitation};
    use Sex::{Female, Male};
    let example = Example::new();
    let none = Figures { published: vec![0; example.layout.len()], errors: vec![0; example.layout.len()] };
    for ranks in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let first = example.step(
            none.clone(),
            &[
                (SexualExploitation, Female, 4, ranks[0]),
                (ForcedLabour, Female, 1, ranks[1]),
                (ForcedLabour, Male, 2, ranks[2]),
            ],
        );
        assert_eq!(example.told(&first.published), [6, 3, 3, 3, 3, 3, 0, 3], "{ranks:?}");
        assert_eq!(example.told(&first.errors), [-1, -2, 1, -1, 0, -1, -1, 1].map(|error| error * ONE));
        let second =
            example.step(first, &[(ForcedLabour, Female, 1, ranks[0]), (SexualExploitation, Female, 1, ranks[1])]);
        assert_eq!(example.told(&second.published), [9, 6, 3, 6, 3, 6, 0, 3], "{ranks:?}");
    }
}

/// People by the words of a table, counted from the records and nothing else.
fn counted(country: &Country, table: &[Attribute], there: impl Fn(&CodedRecord) -> bool) -> BTreeMap<Vec<String>, i64> {
    let mut people = BTreeMap::new();
    for record in country.records.iter().filter(|record| there(record)) {
        let key = country.domains.key(record.coded.as_ref().unwrap()).unwrap();
        let word = |one: &Attribute| {
            let place = Attribute::ALL.iter().position(|other| other == one).unwrap();
            country.domains.words(*one)[usize::from(key[place])].clone()
        };
        *people.entry(table.iter().map(word).collect()).or_default() += 1;
    }
    people
}

#[test]
fn every_figure_is_near_the_truth_and_every_sum_adds() {
    for (seed, people) in [(1, 60), (2, 60), (3, 250), (4, 250), (5, 1000)] {
        let country = Country::of(seed, people);
        let base = country.domains.base();
        let mut tables = 0;
        for published in country.until(12) {
            let release = &published.release;
            for table in &release.tables {
                tables += 1;
                let exact = counted(&country, &table.attributes, |record| match table.span {
                    Span::YearToDate => record.reached <= release.period,
                    Span::Month => record.reached == release.period,
                });
                let bound = if table.span == Span::YearToDate && table.attributes.len() < 2 { 2 } else { 3 } * base;
                let words: usize = table.attributes.iter().map(|one| country.domains.words(*one).len()).product();
                assert_eq!(table.cells.len(), words, "zeros are listed");
                for cell in &table.cells {
                    let exact = exact.get(&cell.words).copied().unwrap_or(0);
                    assert!(cell.people >= 0 && cell.people % base == 0 && (cell.people - exact).abs() <= bound);
                }
                adds(release, table);
            }
        }
        assert!(tables >= 12, "{tables}");
    }
}

/// A table's cells add up to every coarser table of the same span.
fn adds(release: &Release, fine: &super::super::release::Shown) {
    let coarser = release
        .tables
        .iter()
        .filter(|coarse| coarse.span == fine.span && coarse.attributes.iter().all(|one| fine.attributes.contains(one)));
    for coarse in coarser {
        let kept = |words: &[String]| -> Vec<String> {
            let pairs = fine.attributes.iter().zip(words).filter(|(one, _)| coarse.attributes.contains(one));
            pairs.map(|(_, word)| word.clone()).collect()
        };
        let mut sums: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        for cell in &fine.cells {
            *sums.entry(kept(&cell.words)).or_default() += cell.people;
        }
        for cell in &coarse.cells {
            assert_eq!(sums.get(&cell.words), Some(&cell.people), "{} and {}", fine.name, coarse.name);
        }
    }
}

#[test]
fn what_a_month_adds_to_the_year_is_the_months_own_figure() {
    let country = Country::of(3, 250);
    let all = country.until(12);
    for (before, now) in all.iter().zip(all.iter().skip(1)) {
        let months = now.release.tables.iter().filter(|table| table.span == Span::Month);
        for table in months {
            let name = table.name.strip_suffix(" by month").unwrap();
            for cell in &table.cells {
                let words: Vec<&str> = cell.words.iter().map(String::as_str).collect();
                let year = |release: &Release| release.table(name).unwrap().people(&words).unwrap();
                assert_eq!(year(&now.release) - year(&before.release), cell.people, "{name}");
            }
        }
        // Nothing that was said is taken back.
        for (before, now) in before.release.tables.iter().zip(&now.release.tables) {
            let cells = before.cells.iter().zip(&now.cells);
            assert!(now.span == Span::Month || cells.into_iter().all(|(before, now)| before.people <= now.people));
        }
    }
}

#[test]
fn a_month_is_protected_once_and_no_later_one_moves_it() {
    let country = Country::of(3, 250);
    let mut other = Country::of(3, 250);
    other.records.retain(|record| record.reached != month(6));
    let (all, others) = (country.until(7), other.until(7));
    for (month, other) in all.iter().zip(&others).take(5) {
        assert_eq!(month.release.bytes(), other.release.bytes());
    }
    assert_ne!(all[5].release.tables, others[5].release.tables);
    // A month without anybody says the same of the year again.
    let year = |published: &Published| -> Vec<_> {
        published.release.tables.iter().filter(|table| table.span == Span::YearToDate).cloned().collect()
    };
    assert_eq!(year(&others[4]), year(&others[5]));
    let month = others[5].release.tables.iter().filter(|table| table.span == Span::Month);
    assert!(month.flat_map(|table| &table.cells).all(|cell| cell.people == 0));
}

#[test]
fn a_person_is_counted_once_and_late_entries_come_with_the_next_release() {
    let mut country = Country::of(3, 250);
    let all = country.until(5);
    let mut changed = country.records.iter().find(|record| record.reached == month(4)).unwrap().clone();
    changed.version = 2;
    changed.coded.as_mut().unwrap().sex = Sex::NotApplicable;
    let late = CodedRecord { person: Pseudonym([9; 16]), version: 1, reached: month(2), ..changed.clone() };
    let june = country.publish(month(6), all.last()).unwrap();
    country.records.push(changed);
    assert_eq!(country.publish(month(6), all.last()).unwrap().release.bytes(), june.release.bytes());
    let before = june.carry.counted.len();
    country.records.push(late);
    let with = country.publish(month(6), all.last()).unwrap();
    assert_eq!(with.carry.counted.len(), before + 1);
    assert_eq!(with.carry.counted[&Pseudonym([9; 16])].period, month(6));
}

#[test]
fn the_order_of_rows_a_restart_and_a_restored_backup_change_no_byte() {
    for people in [60, 250] {
        let mut country = Country::of(4, people);
        let all = country.until(12);
        let mut draw = Draw::new("order", 1);
        for _ in 0..3 {
            let mut shuffled: Vec<(u64, CodedRecord)> =
                country.records.drain(..).map(|record| (draw.below(1 << 32), record)).collect();
            shuffled.sort_by_key(|(place, _)| *place);
            country.records.extend(shuffled.into_iter().map(|(_, record)| record));
            for (published, again) in all.iter().zip(country.until(12)) {
                assert_eq!(published.release.bytes(), again.release.bytes());
                assert_eq!(json(&published.carry), json(&again.carry));
            }
        }
        let restored: Carry = serde_json::from_str(&json(&all[6].carry)).unwrap();
        let restored = Published { release: all[6].release.clone(), carry: restored, salt: 0 };
        let again = country.publish(month(8), Some(&restored)).unwrap();
        assert_eq!(again.release.bytes(), all[7].release.bytes());
    }
}

fn json(carry: &Carry) -> String {
    serde_json::to_string(carry).unwrap()
}

/// The bytes are the same on every machine, and in every version of the product: a figure that was published stays what it is.
#[test]
fn the_releases_of_a_country_are_known() {
    let hash = |people: usize| {
        let all = Country::of(7, people).until(12);
        crate::guard::statement::hex(&all.last().unwrap().release.hash())
    };
    assert_eq!(hash(60), "bfa5fc90db2e174fba2a8456243321b3e7c29b28e4213a55a94d3f098c5001bf");
    assert_eq!(hash(250), "0dab45256da36e28d7fbbba689433a4f88d13b1e3bec5fa522cc80c9d286a079");
}

#[test]
fn the_chain_breaks_where_a_release_is_changed() {
    let mut chain: Vec<Release> = Country::of(1, 60).until(6).into_iter().map(|published| published.release).collect();
    assert_eq!(whole(&chain), Ok(()));
    chain[2].tables[0].cells[0].people += 5;
    assert_eq!(whole(&chain), Err(3));
    chain.remove(3);
    assert_eq!(whole(&chain), Err(3));
    assert_eq!(whole(&chain[1..]), Err(0));
}

#[test]
fn the_best_item_is_the_one_that_a_look_at_all_finds() {
    let country = Country::of(5, 1000);
    let layout = Layout::of(&Catalogue::of(Stage::Identification, country.domains.extent()), &country.domains);
    let mut draw = Draw::new("best", 5);
    let mut items = BTreeMap::new();
    for record in &country.records {
        items.insert(country.domains.key(record.coded.as_ref().unwrap()).unwrap(), draw.bytes());
    }
    let items: Vec<Item> = items.into_iter().map(|(key, rank)| Item { key, rank }).collect();
    let weights = Try::first(&layout).weights;
    // Without errors all cost the same at first, and the rank alone decides.
    for spread in [1, 7] {
        let errors = (0..layout.len()).map(|_| i64::try_from(draw.below(spread)).unwrap() - 3).collect();
        let mut best = Best::new(&layout, 3, &items, errors, &weights);
        let mut down = vec![true; items.len()];
        for round in 0..200 {
            let than = i64::try_from(draw.below(400)).unwrap() - 200;
            let slow = (0..items.len()).filter(|item| down[*item] && best.cost(*item) < than);
            let slow = slow.min_by_key(|item| (best.cost(*item), items[*item].rank));
            assert_eq!(best.below(than), slow, "{round}");
            let item = slow.unwrap_or_else(|| usize::try_from(draw.below(items.len() as u64)).unwrap());
            best.count(item, if down[item] { 3 } else { -3 });
            down[item] = !down[item];
        }
    }
}
