//! What a browser keeps of a session: cookies that no script reads, that no other site's page makes it send, and that go with the browser.

use axum::http::{HeaderMap, HeaderValue, header};
use zeroize::Zeroizing;

const ACCESS: &str = "__Host-himaya-access";
const SECRET: &str = "__Host-himaya-session";
const REFRESH: &str = "__Host-himaya-refresh";
const DEVICE: &str = "__Host-himaya-device";
const LANGUAGE: &str = "__Host-himaya-language";

/// How long a device is known again, and a language chosen: as long as the service remembers a device.
const HALF_A_YEAR: u32 = 15_552_000;

/// What the cookies of a request hold.
#[derive(Clone, Default)]
pub struct Kept {
    pub session: Option<Halves>,
    pub device: Option<String>,
    pub language: Option<String>,
}

/// A session as its client keeps it.
#[derive(Clone)]
pub struct Halves {
    pub access: Zeroizing<String>,
    pub secret: Zeroizing<String>,
    pub refresh: Zeroizing<String>,
}

impl Kept {
    pub fn of(headers: &HeaderMap) -> Self {
        let sent: Vec<(&str, &str)> = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .collect();
        // Two of one name are none: one of them was set by somebody else, and nobody could say which.
        let value = |name: &str| {
            let mut found = sent.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value);
            let (first, second) = (found.next(), found.next());
            first.filter(|value| second.is_none() && !value.is_empty()).map(str::to_owned)
        };
        let session = || {
            let (secret, refresh) = (value(SECRET)?.into(), value(REFRESH)?.into());
            Some(Halves { access: value(ACCESS).unwrap_or_default().into(), secret, refresh })
        };
        Self { session: session(), device: value(DEVICE), language: value(LANGUAGE) }
    }
}

/// One `Set-Cookie`. What the service gives out is made of letters that need no quoting; anything else is not set.
fn set(name: &str, value: &str, lasts: Option<u32>) -> Option<HeaderValue> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !value.bytes().all(plain) {
        return None;
    }
    let lasts = lasts.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{lasts}")).ok()
}

/// The session goes with the browser, the device's token stays.
pub fn keep_session(session: &Halves) -> Vec<HeaderValue> {
    let pairs = [(ACCESS, &session.access), (SECRET, &session.secret), (REFRESH, &session.refresh)];
    pairs.into_iter().filter_map(|(name, value)| set(name, value, None)).collect()
}

pub fn keep_device(token: &str) -> Vec<HeaderValue> {
    set(DEVICE, token, Some(HALF_A_YEAR)).into_iter().collect()
}

pub fn keep_language(language: &str) -> Vec<HeaderValue> {
    set(LANGUAGE, language, Some(HALF_A_YEAR)).into_iter().collect()
}

pub fn drop_session() -> Vec<HeaderValue> {
    [ACCESS, SECRET, REFRESH].into_iter().filter_map(|name| set(name, "", Some(0))).collect()
}

/// Nothing tells any more that somebody worked here.
pub fn drop_all() -> Vec<HeaderValue> {
    [ACCESS, SECRET, REFRESH, DEVICE, LANGUAGE].into_iter().filter_map(|name| set(name, "", Some(0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cookies: &[&str]) -> Kept {
        let mut headers = HeaderMap::new();
        for value in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(value).unwrap());
        }
        Kept::of(&headers)
    }

    #[test]
    fn a_session_is_there_when_both_what_opens_and_what_renews_are() {
        let whole = kept(&["__Host-himaya-session=s; other=1", "__Host-himaya-refresh=r"]).session.unwrap();
        assert_eq!((whole.access.as_str(), whole.secret.as_str(), whole.refresh.as_str()), ("", "s", "r"));
        assert!(kept(&["__Host-himaya-session=s; __Host-himaya-access=a"]).session.is_none());
        assert!(kept(&["__Host-himaya-session=; __Host-himaya-refresh=r"]).session.is_none());
        assert!(kept(&["himaya-session=s; __Host-himaya-refresh=r"]).session.is_none());
        assert!(kept(&["__Host-himaya-session=s; __Host-himaya-refresh=r; __Host-himaya-session=t"]).session.is_none());
        assert!(
            kept(&["__Host-himaya-session=s; __Host-himaya-refresh=r", "__Host-himaya-refresh=r"]).session.is_none()
        );
    }

    #[test]
    fn every_cookie_is_bound_to_the_host_and_nothing_is_written_beside_its_value() {
        let session = Halves {
            access: "a.b-c_9".to_owned().into(),
            secret: "s".to_owned().into(),
            refresh: "r; Domain=x".to_owned().into(),
        };
        let set: Vec<String> = [keep_session(&session), keep_device("d"), keep_language("az"), drop_all()]
            .concat()
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        // What would write another attribute is not set at all.
        assert_eq!(set.len(), 2 + 1 + 1 + 5);
        for cookie in set {
            assert!(cookie.starts_with("__Host-himaya-"), "{cookie}");
            assert!(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
        }
    }
}
