//! Under which word a citizenship stands: its own, its region of the United Nations, or `OTHER`.

use crate::guard::words::words;

words! {
    /// The geographic regions of the United Nations' standard M49. Antarctica is in none of them.
    pub enum UnRegion {
        Africa = "AFRICA",
        Americas = "AMERICAS",
        Asia = "ASIA",
        Europe = "EUROPE",
        Oceania = "OCEANIA",
    }
}

/// Whoever stands under no other word.
pub const OTHER: &str = "OTHER";
/// Not known, or none.
pub const UNKNOWN: &str = "UNKNOWN";

const AFRICA: &str = "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA MG ML MR MU MW MZ NA NE \
    NG RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW";
const AMERICAS: &str = "AG AI AR AW BB BL BM BO BQ BR BS BV BZ CA CL CO CR CU CW DM DO EC FK GD GF GL GP GS GT GY HN HT JM KN KY LC MF \
    MQ MS MX NI PA PE PM PR PY SR SV SX TC TT US UY VC VE VG VI";
const ASIA: &str = "AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS \
    QA SA SG SY TH TJ TL TM TR TW UZ VN YE";
const EUROPE: &str = "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT \
    NL NO PL PT RO RS RU SE SI SJ SK SM UA VA";
const OCEANIA: &str = "AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS";

/// The region of a country of ISO 3166-1; `None` for Antarctica, and for what is no country.
#[must_use]
pub fn un_region(country: &str) -> Option<UnRegion> {
    let lists = [
        (AFRICA, UnRegion::Africa),
        (AMERICAS, UnRegion::Americas),
        (ASIA, UnRegion::Asia),
        (EUROPE, UnRegion::Europe),
        (OCEANIA, UnRegion::Oceania),
    ];
    let stands_in = |list: &str| list.split_ascii_whitespace().any(|code| code == country);
    lists.into_iter().find(|(list, _)| stands_in(list)).map(|(_, region)| region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::iso;
    use std::collections::BTreeSet;

    #[test]
    fn each_country_is_in_one_region_and_antarctica_in_none() {
        let all: Vec<&str> =
            [AFRICA, AMERICAS, ASIA, EUROPE, OCEANIA].into_iter().flat_map(str::split_ascii_whitespace).collect();
        let distinct: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!((all.len(), distinct.len()), (248, 248));
        assert!(all.iter().all(|code| iso::country(code, &()).is_ok()));
        assert_eq!(un_region("AQ"), None);
        assert_eq!(un_region("AZ"), Some(UnRegion::Asia));
        assert_eq!(un_region("az"), None);
    }
}
