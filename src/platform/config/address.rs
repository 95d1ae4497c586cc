//! Database addresses, `postgres://user:password@host:port/database?options`: taking them apart and changing one part.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::str::FromStr as _;

/// Before the user and the rest: scheme, user and password, and everything from the `@` on.
fn parts(address: &str) -> Option<(&str, &str, &str)> {
    let at = address.find("://")? + 3;
    let (scheme, rest) = address.split_at_checked(at)?;
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let (user, after) = rest.split_at_checked(rest.get(..authority)?.rfind('@')?)?;
    Some((scheme, user, after))
}

/// Whether the address holds a password, before its host or among its options.
#[must_use]
pub fn has_password(address: &str) -> bool {
    parts(address).is_some_and(|(_, user, _)| user.contains(':'))
        || address.split_once('?').is_some_and(|(_, options)| {
            options.split('&').any(|option| option.starts_with("password=") || option.starts_with("sslpassword="))
        })
}

/// The password before the host, and the address without it.
#[must_use]
pub fn without_password(address: &str) -> (String, Option<String>) {
    let Some((scheme, user, after)) = parts(address) else { return (address.to_owned(), None) };
    let Some((user, password)) = user.split_once(':') else { return (address.to_owned(), None) };
    (format!("{scheme}{user}{after}"), Some(plain(password)))
}

/// The same address with this password.
#[must_use]
pub fn with_password(address: &str, password: &str) -> String {
    let Some((scheme, user, after)) = parts(address) else { return address.to_owned() };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}{user}:{}{after}", percent(password))
}

/// The same server for another user, without a password, and another database.
#[must_use]
pub fn elsewhere(address: &str, user: &str, database: &str) -> Option<String> {
    let (scheme, _, after) = parts(address)?;
    let (host, rest) = after.split_once('/').unwrap_or((after, ""));
    let options = rest.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
    Some(format!("{scheme}{user}{host}/{database}{options}"))
}

/// The same server and user, and another database.
#[must_use]
pub fn to_database(address: &str, database: &str) -> Option<String> {
    let (scheme, user, after) = parts(address)?;
    let (host, rest) = after.split_once('/').unwrap_or((after, ""));
    let options = rest.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
    Some(format!("{scheme}{user}{host}/{database}{options}"))
}

/// The database that an address opens.
#[must_use]
pub fn database(address: &str) -> Option<String> {
    PgConnectOptions::from_str(address).ok()?.get_database().map(str::to_owned)
}

/// What is wrong with the way to the server: what is sent could be read, or answered by somebody else.
#[must_use]
pub fn open_to_others(address: &str) -> Option<String> {
    let Ok(options) = PgConnectOptions::from_str(address) else {
        return Some("is not an address like postgres://role@host/database".to_owned());
    };
    let host = options.get_host();
    let here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    (!here && !verified).then(|| {
        "goes to another machine without knowing it: add `?sslmode=verify-full` (and `&sslrootcert=` for an authority of \
         your own)"
            .to_owned()
    })
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, after) = match hex.filter(|_| *first == b'%') {
            Some(byte) => (byte, after.get(2..).unwrap_or_default()),
            None => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_taken_out_and_put_in() {
        let plain = "postgres://role@localhost:5432/db?host=/run/x";
        let with = with_password(plain, "a:b@c/ü");
        assert!(has_password(&with) && !has_password(plain));
        assert!(has_password("postgres://role@localhost/db?sslmode=prefer&password=x"));
        assert!(PgConnectOptions::from_str(&with).is_ok(), "{with}");
        assert_eq!(without_password(&with), (plain.to_owned(), Some("a:b@c/ü".to_owned())));
        assert_eq!(without_password(plain), (plain.to_owned(), None));
        assert_eq!(elsewhere(&with, "other", "d2").as_deref(), Some("postgres://other@localhost:5432/d2?host=/run/x"));
    }

    #[test]
    fn a_way_over_the_network_is_taken_only_when_the_server_is_verified() {
        for near in ["localhost/db", "127.0.0.1/db", "[::1]:5433/db", "localhost/db?host=/run/postgresql"] {
            assert_eq!(open_to_others(&format!("postgres://role@{near}")), None, "{near}");
        }
        assert_eq!(open_to_others("postgres://role@db.example/db?sslmode=verify-full"), None);
        for far in
            ["db.example/db", "10.0.0.5/db?sslmode=require", "db.example/db?sslmode=verify-ca", "localhost.example/d"]
        {
            assert!(open_to_others(&format!("postgres://role@{far}")).is_some(), "{far}");
        }
        assert!(open_to_others("nonsense").is_some());
    }
}
