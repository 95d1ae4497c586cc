//! When a certificate ends: the one thing that is read of it here. Whether it is believed is for those who connect.

use chrono::{DateTime, NaiveDateTime, Utc};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Takes one DER element off: its tag, what is in it, and what comes after.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (inside, after) = rest.split_at_checked(length)?;
    Some((tag, inside, after))
}

/// The end of a certificate's validity (RFC 5280, section 4.1): certificate → to be signed → the fifth field, or the
/// fourth where the version is left out → the second of its two times.
pub(super) fn not_after(certificate: &[u8]) -> Option<DateTime<Utc>> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, signature's algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, validity, _) = element(rest)? else { return None };
    let (tag, end, _) = element(element(validity)?.2)?;
    let text = std::str::from_utf8(end).ok()?;
    let whole = match tag {
        // Two digits of the year: from 50 on they are of the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some(NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%SZ").ok()?.and_utc())
}

/// What a certificate at this place of a chain is called.
pub(super) fn named(at: usize) -> String {
    if at == 0 { "the service's own".to_owned() } else { format!("number {} of the chain", at + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(year: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut about = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        about.not_after = rcgen::date_time_ymd(year, 3, 9);
        about.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for year in [2031, 2049, 2050, 2120] {
            let end = not_after(&ending(year)).unwrap();
            assert_eq!(end.to_rfc3339(), format!("{year}-03-09T00:00:00+00:00"));
        }
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_no_panic() {
        let whole = ending(2031);
        for length in 0..whole.len() {
            let _ = not_after(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = not_after(&changed);
        }
    }
}
