//! Codes of ISO lists and dates, as the rules of the fields that hold them. A rule's message never repeats the value.

use chrono::NaiveDate;

/// ISO 3166-1, alpha-2: every officially assigned code.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK \
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM \
    JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS \
    MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM \
    US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A country of ISO 3166-1, by its two capital letters.
pub fn country<C>(code: &str, _: &C) -> garde::Result {
    let known = code.len() == 2 && COUNTRIES.split_ascii_whitespace().any(|country| country == code);
    if known { Ok(()) } else { Err(garde::Error::new("is a country code of ISO 3166: two capital letters")) }
}

/// A language of ISO 639, by two or three small letters: the shape only, since the lists grow.
pub fn language<C>(code: &str, _: &C) -> garde::Result {
    let fits = matches!(code.len(), 2 | 3) && code.bytes().all(|byte| byte.is_ascii_lowercase());
    if fits { Ok(()) } else { Err(garde::Error::new("is a language code of ISO 639: two or three small letters")) }
}

/// A day of the calendar, `YYYY-MM-DD`.
pub fn date<C>(text: &str, _: &C) -> garde::Result {
    // The library also reads years with a sign.
    let fits = text.len() == 10
        && text.starts_with(|c: char| c.is_ascii_digit())
        && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    if fits { Ok(()) } else { Err(garde::Error::new("is a date, YYYY-MM-DD")) }
}

/// A list of codes in which each stands once.
pub fn each_once<T: PartialEq, C>(codes: &[T], _: &C) -> garde::Result {
    let twice = codes.iter().enumerate().any(|(place, code)| codes.iter().take(place).any(|before| before == code));
    if twice { Err(garde::Error::new("names something twice")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_the_249_of_the_list() {
        let all: Vec<&str> = COUNTRIES.split_ascii_whitespace().collect();
        assert_eq!(all.len(), 249);
        assert!(all.is_sorted() && all.iter().all(|code| country(code, &()).is_ok()));
        for wrong in ["", "A", "az", "XX", "UK", "AZE", "AZ ", " AZ", "AD AE"] {
            assert!(country(wrong, &()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn languages_have_two_or_three_small_letters() {
        assert!(["az", "ru", "kmr"].iter().all(|code| language(code, &()).is_ok()));
        assert!(["", "a", "AZ", "azer", "a1", "əz"].iter().all(|code| language(code, &()).is_err()));
    }

    #[test]
    fn dates_are_days_that_exist() {
        assert!(["2009-02-28", "2008-02-29", "1931-12-31"].iter().all(|text| date(text, &()).is_ok()));
        for wrong in
            ["", "2009-02-29", "2009-2-8", "09-02-2008", "2009-02-28 ", "2009/02/28", "+209-02-28", "2009-13-01"]
        {
            assert!(date(wrong, &()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_code_stands_once() {
        assert!(each_once::<u8, ()>(&[], &()).is_ok());
        assert!(each_once(&[1, 2, 3], &()).is_ok());
        assert!(each_once(&[1, 2, 1], &()).is_err());
    }
}
