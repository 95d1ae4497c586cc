//! Exports and early warning, from released figures.

use super::super::exports::{Sheet, glotip, htcds, iccs_0204, sdg_16_2_2};
use super::super::release::{Kind, Release};
use super::super::trial::fixture::Draw;
use super::super::warning::{Light, registered, watch};
use super::Country;

/// The sum of the rows that have these words, by place.
fn sum(sheet: &Sheet, words: &[(usize, &str)]) -> i64 {
    let rows = sheet.rows.iter().filter(|row| words.iter().all(|(place, word)| row[*place] == *word));
    rows.map(|row| row.last().unwrap().parse::<i64>().unwrap()).sum()
}

#[test]
fn exports_are_sums_of_the_released_cells_of_a_year() {
    for people in [60, 250] {
        let all = Country::of(3, people).until(12);
        let release = &all.last().unwrap().release;
        let total = release.table("total").unwrap().people(&[]).unwrap();
        let file = glotip(release).unwrap();
        assert_eq!(sum(&file, &[(1, "Total"), (3, "Total"), (4, "Total")]), total);
        assert_eq!(sum(&file, &[(1, "by form of exploitation"), (3, "Total"), (4, "Total")]), total);
        assert_eq!(sum(&file, &[(1, "by citizenship")]), total);
        let age = release.table("age").unwrap();
        let adults = age.people(&["18-29"]).unwrap() + age.people(&["30+"]).unwrap();
        assert_eq!(sum(&file, &[(1, "Total"), (3, "Total"), (4, "18 years or over")]), adults);
        let crimes = iccs_0204(release).unwrap();
        assert_eq!(sum(&crimes, &[(1, "Total"), (2, "Total")]), total);
        let form = release.table("form").unwrap();
        assert_eq!(
            sum(&crimes, &[(0, "02041"), (1, "Total"), (2, "Total")]),
            form.people(&["SexualExploitation"]).unwrap()
        );
        let standard = htcds(release).unwrap();
        for field in ["vic_TypeOfExploitation", "vic_RelationshipToTrafficker", "prs_Citizenship"] {
            assert_eq!(sum(&standard, &[(0, field)]), total, "{field}");
        }
        let goal = sdg_16_2_2(release, 1_000_000).unwrap();
        assert_eq!(goal.rows.iter().filter(|row| row[2..5] == ["Total", "Total", "Total"]).count(), 1);
        let rate = goal.rows.iter().find(|row| row[2..5] == ["Total", "Total", "Total"]).unwrap();
        assert_eq!(rate[5], format!("{}.{}0", total / 10, total % 10));
        // Only the year as a whole is exported, and only for people who live somewhere.
        let june = &all[5].release;
        assert!(glotip(june).is_none() && htcds(june).is_none() && iccs_0204(june).is_none());
        assert!(sdg_16_2_2(june, 1_000_000).is_none() && sdg_16_2_2(release, 0).is_none());
    }
}

#[test]
fn a_sheet_is_written_as_others_read_it() {
    let sheet = Sheet { header: &["a", "b"], rows: vec![vec!["x,\"y\"".to_owned(), "1".to_owned()]] };
    assert_eq!(sheet.csv(), "a,b\r\n\"x,\"\"y\"\"\",1\r\n");
    assert_eq!(sheet.json().to_string(), r#"[{"a":"x,\"y\"","b":"1"}]"#);
}

fn series(months: usize, mean: u64, draw: &mut Draw) -> Vec<i64> {
    (0..months).map(|_| i64::try_from(draw.below(mean) + draw.below(mean + 1)).unwrap() / 3 * 3).collect()
}

#[test]
fn a_rise_turns_red_and_a_quiet_year_seldom_does() {
    let mut draw = Draw::new("series", 1);
    let (mut quiet, mut risen) = (0, 0);
    for _ in 0..20 {
        let mut figures = series(36, 12, &mut draw);
        quiet += usize::from(watch(&figures, 3).unwrap().light == Light::Red);
        for month in figures.iter_mut().skip(30) {
            *month += 12;
        }
        risen += usize::from(watch(&figures, 3).unwrap().light == Light::Red);
    }
    assert!(quiet <= 4 && risen == 20, "{quiet} {risen}");
    let warning = watch(&series(36, 12, &mut draw), 3).unwrap();
    assert!((1..=10).contains(&warning.false_alarms) && !warning.quarterly, "{}", warning.false_alarms);
}

#[test]
fn few_are_watched_by_quarter_and_no_history_shows_no_light() {
    assert!(watch(&[3; 35], 3).is_none());
    let few: Vec<i64> = (0..36).map(|month| if month % 3 == 0 { 3 } else { 0 }).collect();
    let warning = watch(&few, 3).unwrap();
    assert!(warning.quarterly && warning.light == Light::Green);
}

#[test]
fn five_years_show_a_month_that_stands_out() {
    let mut figures = vec![12; 72];
    assert_eq!(watch(&figures, 3).unwrap().light, Light::Green);
    // One month alone: too little for the sum of the year, too much for this month of the other years.
    figures[71] = 24;
    assert_eq!(watch(&figures, 3).unwrap().light, Light::Red);
    assert_ne!(watch(&figures[36..], 3).unwrap().light, Light::Red);
}

#[test]
fn the_total_the_forms_minors_and_regions_are_watched() {
    let releases: Vec<Release> = Country::of(3, 250).until(12).into_iter().map(|published| published.release).collect();
    let series = registered(&releases);
    let count = |table: &str| series.iter().filter(|one| one.table == table).count();
    assert_eq!(
        (count("total by month"), count("form by month"), count("age by month"), count("region by month")),
        (1, 13, 1, 14)
    );
    assert_eq!(series.len(), 29);
    assert!(series.iter().all(|one| one.figures.len() == 12));
    let minors = series.iter().find(|one| one.table == "age by month").unwrap();
    assert_eq!(minors.word.as_deref(), Some("0-17"));
    assert_eq!(minors.figures.iter().sum::<i64>(), releases[11].table("age").unwrap().people(&["0-17"]).unwrap());
    let revision = Release { kind: Kind::Revision, tables: Vec::new(), ..releases[11].clone() };
    let with: Vec<Release> = releases.iter().cloned().chain([revision]).collect();
    let lengths: Vec<usize> = registered(&with).iter().map(|one| one.figures.len()).collect();
    assert_eq!(lengths, [12; 29], "a revision is no month");
    let few: Vec<Release> = Country::of(3, 60).until(6).into_iter().map(|published| published.release).collect();
    assert_eq!(registered(&few).len(), 1, "a country with few people shows the total of months only");
    // After years with few, a series begins with the first release that has it.
    let both: Vec<Release> = few.into_iter().chain(releases).collect();
    let lengths: Vec<usize> = registered(&both).iter().map(|one| one.figures.len()).collect();
    assert!(lengths.contains(&18) && lengths.iter().filter(|length| **length == 12).count() == 28);
    assert!(registered(&[]).is_empty());
}
