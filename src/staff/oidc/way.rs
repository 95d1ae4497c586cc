//! What binds both ends of the way to the issuer: everything follows from one secret that the client keeps.

use crate::guard::keys::derive;
use crate::platform::random;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The browser keeps it for our own pages, on this host, over TLS, and shows it to no script.
const COOKIE: &str = "__Host-himaya-oidc";

/// One way to the issuer and back.
pub struct Way(Zeroizing<[u8; 32]>);

impl Way {
    pub fn begin() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// From what the client kept: as it was sent, or the cookie.
    pub fn shown(handle: Option<&str>, headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let kept = || {
            cookies.flat_map(|line| line.split(';')).find_map(|one| one.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        };
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(handle.or_else(kept)?).ok()?);
        bytes.as_slice().try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// What the client keeps.
    pub fn handle(&self) -> String {
        URL_SAFE_NO_PAD.encode(*self.0)
    }

    pub fn cookie(&self, life: TimeDelta) -> Option<HeaderValue> {
        let text = format!(
            "{COOKIE}={}; Max-Age={}; Path=/; Secure; HttpOnly; SameSite=Lax",
            self.handle(),
            life.num_seconds()
        );
        HeaderValue::from_str(&text).ok()
    }

    fn part(&self, usage: &'static str) -> String {
        URL_SAFE_NO_PAD.encode(*derive(&*self.0, &[], usage))
    }

    pub fn state(&self) -> String {
        self.part("himaya oidc state v1")
    }

    pub fn nonce(&self) -> String {
        self.part("himaya oidc nonce v1")
    }

    /// PKCE's.
    pub fn verifier(&self) -> String {
        self.part("himaya oidc pkce v1")
    }

    /// Whether the issuer sent this one back.
    pub fn is(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// Under what it stands in the database.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.state().as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_know_the_same_and_each_part_is_another() {
        let way = Way::begin();
        let back = Way::shown(Some(&way.handle()), &HeaderMap::new()).unwrap();
        assert!(back.is(&way.state()) && back.nonce() == way.nonce() && back.verifier() == way.verifier());
        let parts = [way.handle(), way.state(), way.nonce(), way.verifier()];
        assert!(parts.iter().all(|part| parts.iter().filter(|other| *other == part).count() == 1 && part.len() == 43));
        assert!(!Way::begin().is(&way.state()));
        let mut headers = HeaderMap::new();
        let kept = way.cookie(TimeDelta::minutes(1)).unwrap();
        let kept = kept.to_str().unwrap().split(';').next().unwrap().to_owned();
        headers.insert(header::COOKIE, HeaderValue::from_str(&format!("a=b; {kept}; c=d")).unwrap());
        assert!(Way::shown(None, &headers).unwrap().is(&way.state()));
        assert!(Way::shown(None, &HeaderMap::new()).is_none() && Way::shown(Some("short"), &headers).is_none());
    }
}
