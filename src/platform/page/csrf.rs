//! A form is taken from a page of the console itself and from nowhere else. The browser says where a request comes from; one that does not
//! say it is not let in either: cookies alone do not tell whose will a request is.

use axum::http::{HeaderMap, header};

/// Whether a page of this very origin sends this. Pages send no referrer, and with it no origin, so `Sec-Fetch-Site` is what is asked
/// first; where there is none the origin must be the host that was asked, over a line that nobody on the way writes to.
pub fn from_own_page(headers: &HeaderMap) -> bool {
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().and_then(|value| value.to_str().ok());
        first.filter(|_| values.next().is_none())
    };
    if headers.contains_key("sec-fetch-site") {
        return only("sec-fetch-site") == Some("same-origin");
    }
    let origin = only(header::ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    match (origin, only(header::HOST.as_str())) {
        (Some((scheme, from)), Some(host)) => {
            (scheme == "https" || is_this_machine(host)) && from.eq_ignore_ascii_case(host)
        }
        _ => false,
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn a_request_is_taken_from_its_own_origin_only() {
        for (sent, taken) in [
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://a.example")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://a.example")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "")], false),
            (&[("origin", "https://a.example")], true),
            (&[("origin", "https://A.example")], true),
            (&[("origin", "http://a.example")], false),
            (&[("origin", "https://a.example.evil")], false),
            (&[("origin", "https://evil"), ("origin", "https://a.example")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("a.example"));
            for (name, value) in sent {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(from_own_page(&headers), taken, "{sent:?}");
        }
        for (host, origin, taken) in [
            ("localhost:8080", "http://localhost:8080", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("localhost:8080", "http://localhost:9090", false),
            ("localhost.evil:8080", "http://localhost.evil:8080", false),
        ] {
            let headers = [(header::HOST, host), (header::ORIGIN, origin)];
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect();
            assert_eq!(from_own_page(&headers), taken, "{host} {origin}");
        }
    }
}
