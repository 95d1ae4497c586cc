//! Where a request comes from, for counting tries. It is hashed before it is stored, and never logged.

use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::SocketAddr as SocketPath;

/// Who holds the other end of the connection. A unix socket has no address: only this machine reaches it.
#[derive(Clone, Copy)]
pub struct Peer(Option<IpAddr>);

impl Connected<SocketAddr> for Peer {
    fn connect_info(address: SocketAddr) -> Self {
        Self(Some(address.ip()))
    }
}

impl Connected<SocketPath> for Peer {
    fn connect_info(_path: SocketPath) -> Self {
        Self(None)
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, since one line has all of that.
pub struct Origin(Vec<u8>);

impl Origin {
    fn of(address: Option<IpAddr>) -> Self {
        Self(match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().into_iter().take(8).collect(),
            None => vec![],
        })
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The last entry of `X-Forwarded-For`: the one that the proxy itself wrote. What stands before it anybody may have sent.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim();
    let address = last.parse::<IpAddr>().or_else(|_| last.parse::<SocketAddr>().map(|address| address.ip()));
    address.or_else(|_| last.trim_matches(['[', ']']).parse()).ok()
}

impl FromRequestParts<App> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().and_then(|ConnectInfo(peer)| peer.0);
        let sent = app.config.behind_proxy.then(|| forwarded(&parts.headers)).flatten();
        Ok(Self::of(sent.or(peer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_what_the_proxy_wrote_is_believed() {
        for (sent, believed) in [
            (&["203.0.113.9"][..], Some("203.0.113.9")),
            (&["198.51.100.1, 203.0.113.9"], Some("203.0.113.9")),
            (&["198.51.100.1", "203.0.113.9"], Some("203.0.113.9")),
            (&["203.0.113.9:4711"], Some("203.0.113.9")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["203.0.113.9, somebody"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append("x-forwarded-for", HeaderValue::from_static(value));
            }
            assert_eq!(forwarded(&headers).map(|address| address.to_string()).as_deref(), believed, "{sent:?}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_an_ipv4_address_is_one_however_it_is_written() {
        let bytes = |text: &str| Origin::of(text.parse().ok()).0;
        assert_eq!(bytes("2001:db8:1:2::7"), bytes("2001:db8:1:2:ffff::1"));
        assert_ne!(bytes("2001:db8:1:2::7"), bytes("2001:db8:1:3::7"));
        assert_eq!(bytes("::ffff:203.0.113.9"), bytes("203.0.113.9"));
        assert_ne!(bytes("203.0.113.9"), bytes("203.0.113.10"));
    }
}
