//! Tables in the shapes that others ask for once a year. They are sums of released cells and nothing else, so they add no disclosure;
//! what a law asks to be sent beyond that goes another way.

use super::catalogue::Span;
use super::coded::{AgeBand, Attribute, Form, Stage};
use super::release::{Kind, Release};
use crate::cases::terms::Sex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A table with its header.
pub struct Sheet {
    pub header: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// As RFC 4180 has it.
    #[must_use]
    pub fn csv(&self) -> String {
        let header = self.header.iter().map(|word| (*word).to_owned()).collect();
        let line = |row: &Vec<String>| row.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\r\n";
        std::iter::once(&header).chain(&self.rows).map(line).collect()
    }

    /// An object for each row.
    #[must_use]
    pub fn json(&self) -> Value {
        let object = |row: &Vec<String>| -> Map<String, Value> {
            self.header.iter().map(|word| (*word).to_owned()).zip(row.iter().cloned().map(Value::String)).collect()
        };
        self.rows.iter().map(object).map(Value::Object).collect()
    }
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Indicator 16.2.2 of the Sustainable Development Goals: victims per 100,000 of `population`, the country's residents in that year,
/// by form, sex and age; two decimals. `None` unless the release ends its year and is of those identified, or if nobody lives there.
#[must_use]
pub fn sdg_16_2_2(release: &Release, population: u64) -> Option<Sheet> {
    let rows = summed(release, |form, sex, age| {
        Some(vec![form.map_or(ALL, Form::as_str), sex.map_or(ALL, Sex::as_str), age.unwrap_or(ALL)])
    })?;
    let rows = rows.into_iter().map(|(words, people)| {
        let hundredths = u64::try_from(people).ok()?.checked_mul(20_000_000)?.checked_add(population)?
            / population.checked_mul(2)?.max(1);
        let rate = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let year = release.period.year().to_string();
        Some(
            ["16.2.2".to_owned(), year].into_iter().chain(words.into_iter().map(str::to_owned)).chain([rate]).collect(),
        )
    });
    let header = &["Indicator", "Year", "Form", "Sex", "Age", "Per 100,000"];
    if population == 0 { None } else { Some(Sheet { header, rows: rows.collect::<Option<_>>()? }) }
}

/// The shape of the data file of the Global Report on Trafficking in Persons, in its words. `None` as above.
#[must_use]
pub fn glotip(release: &Release) -> Option<Sheet> {
    let sex = |sex: Option<Sex>| match sex {
        None => ALL,
        Some(Sex::Female) => "Female",
        Some(Sex::Male) => "Male",
        Some(Sex::NotApplicable) => "Other",
        Some(Sex::NotKnown) => "Unknown",
    };
    let counts = summed(release, |form, of, age| {
        let (dimension, category) = match form {
            None => ("Total", ALL),
            Some(Form::ForcedLabour) => ("by form of exploitation", "Forced labour"),
            Some(Form::SexualExploitation) => ("by form of exploitation", "Sexual exploitation"),
            Some(Form::OrganRemoval) => ("by form of exploitation", "Organ removal"),
            Some(Form::Unknown) => ("by form of exploitation", "Unknown"),
            Some(_) => ("by form of exploitation", "Other purposes"),
        };
        Some(vec![dimension, category, sex(of), age.unwrap_or(ALL)])
    })?;
    let mut rows: Vec<(Vec<&str>, i64)> = counts.into_iter().collect();
    let citizens = release.table("citizenship").map(|table| table.cells.as_slice()).unwrap_or_default();
    rows.extend(
        citizens
            .iter()
            .filter_map(|cell| Some((vec!["by citizenship", cell.words.first()?.as_str(), ALL, ALL], cell.people))),
    );
    let year = release.period.year().to_string();
    let rows = rows.into_iter().map(|(words, people)| {
        let mut row = vec!["Detected trafficking victims".to_owned()];
        row.extend(words.into_iter().map(str::to_owned));
        row.extend([year.clone(), "Counts".to_owned(), people.to_string()]);
        row
    });
    let header = &["Indicator", "Dimension", "Category", "Sex", "Age", "Year", "Unit of measurement", "VALUE"];
    Some(Sheet { header, rows: rows.collect() })
}

/// Victims under the International Classification of Crime for Statistical Purposes: trafficking in persons, by purpose, sex and age.
/// Who was exploited in several ways, or it is not known how, stands under 0204 itself. `None` as above.
#[must_use]
pub fn iccs_0204(release: &Release) -> Option<Sheet> {
    let counts = summed(release, |form, sex, age| {
        let code = match form? {
            Form::SexualExploitation => "02041",
            Form::ForcedLabour | Form::ChildLabour | Form::Servitude => "02042",
            Form::OrganRemoval => "02043",
            Form::Several | Form::Unknown => "0204",
            _ => "02049",
        };
        Some(vec![code, sex.map_or(ALL, Sex::as_str), age.unwrap_or(ALL)])
    })?;
    let year = release.period.year().to_string();
    let rows = counts.into_iter().map(|(words, people)| {
        words.into_iter().map(str::to_owned).chain([year.clone(), people.to_string()]).collect()
    });
    Some(Sheet { header: &["ICCS", "Sex", "Age", "Year", "Victims"], rows: rows.collect() })
}

/// Counts under the names of the Human Trafficking Case Data Standard. The words `several` and `unknown`, and those of citizenships
/// that are not countries, are ours. `None` as above.
#[must_use]
pub fn htcds(release: &Release) -> Option<Sheet> {
    ends_year(release)?;
    let fields = [
        ("form", "vic_TypeOfExploitation"),
        ("recruiter", "vic_RelationshipToTrafficker"),
        ("citizenship", "prs_Citizenship"),
    ];
    let mut rows = Vec::new();
    for (table, field) in fields {
        for cell in &release.table(table)?.cells {
            let (year, people) = (release.period.year().to_string(), cell.people.to_string());
            rows.push(vec![field.to_owned(), cell.words.first()?.clone(), year, people]);
        }
    }
    Some(Sheet { header: &["Field", "Code", "Year", "Victims"], rows })
}

/// All words of an attribute together.
const ALL: &str = "Total";

fn ends_year(release: &Release) -> Option<()> {
    let ends = release.period.month() == 12 || release.kind == Kind::Revision;
    (ends && release.stage == Stage::Identification).then_some(())
}

/// Adds up the year's figures by form, sex and age, as far as the release crosses them; adults are one band. `row` says where a
/// figure belongs.
fn summed<'a>(
    release: &Release,
    row: impl Fn(Option<Form>, Option<Sex>, Option<&'static str>) -> Option<Vec<&'a str>>,
) -> Option<BTreeMap<Vec<&'a str>, i64>> {
    ends_year(release)?;
    let mut sums = BTreeMap::new();
    let by_three = |attributes: &[Attribute]| {
        attributes.iter().all(|one| matches!(one, Attribute::Form | Attribute::Sex | Attribute::Age))
    };
    for table in release.tables.iter().filter(|table| table.span == Span::YearToDate && by_three(&table.attributes)) {
        for cell in &table.cells {
            let (mut form, mut sex, mut age) = (None, None, None);
            for (attribute, word) in table.attributes.iter().zip(&cell.words) {
                match attribute {
                    Attribute::Form => form = Some(word.parse().ok()?),
                    Attribute::Sex => sex = Some(word.parse().ok()?),
                    _ => {
                        age = Some(match word.parse().ok()? {
                            AgeBand::Child => "0 to 17 years",
                            AgeBand::Young | AgeBand::Adult => "18 years or over",
                            AgeBand::Unknown => "Unknown",
                        });
                    }
                }
            }
            if let Some(words) = row(form, sex, age) {
                *sums.entry(words).or_insert(0) += cell.people;
            }
        }
    }
    Some(sums)
}
