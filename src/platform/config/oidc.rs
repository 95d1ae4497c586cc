//! Who else may name people.

use super::{ConfigError, Refusal, secrets};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file of the client's secret, among the service's own.
const SECRET: &str = "oidc.client_secret";

/// `[oidc]`: an issuer of `OpenID` Connect that names people. It opens nothing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// `https://login.example.gov/realms/staff`, exactly as it stands in its tokens.
    pub issuer: String,
    pub client_id: String,
    /// Where it sends people back to: a page of ours.
    pub redirect_url: String,
    /// Whoever is linked signs in by being named, and no more by typing the name.
    #[serde(default)]
    pub required: bool,
    /// File with the authority that is believed, as PEM; without it those that browsers know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
}

fn local(address: &str) -> bool {
    ["http://127.0.0.1:", "http://127.0.0.1/", "http://localhost:", "http://localhost/"]
        .iter()
        .any(|begin| address.starts_with(begin))
}

impl OidcConfig {
    /// Nothing where the issuer knows us without one: PKCE is used in any case.
    ///
    /// # Errors
    /// [`ConfigError::Secret`] for a file that others can read, or that is empty.
    pub(crate) fn client_secret(folder: &Path) -> Result<Option<Zeroizing<String>>, ConfigError> {
        secrets::password(folder, SECRET)
    }

    /// A trial's issuer on the same machine: only there nothing has to be encrypted.
    pub(crate) fn is_local(&self) -> bool {
        local(&self.issuer)
    }

    /// Whether an address that the issuer publishes may be asked: somebody on the way could exchange its keys.
    pub(crate) fn may_ask(&self, address: &str) -> bool {
        address.starts_with("https://") || (self.is_local() && local(address))
    }

    /// What is wrong with it: without TLS somebody on the way could name anybody. A trial may have its issuer on the same machine.
    pub(super) fn faults(&self, production: bool) -> Vec<Refusal> {
        let refuse = |field: &str, why: &str| Refusal { field: format!("oidc.{field}"), why: why.to_owned() };
        let mut found = Vec::new();
        for (field, address) in [("issuer", &self.issuer), ("redirect_url", &self.redirect_url)] {
            if !address.starts_with("https://") && (production || !local(address)) {
                found.push(refuse(field, "does not begin with https://: somebody on the way could name anybody"));
            }
        }
        if self.client_id.trim().is_empty() {
            found.push(refuse("client_id", "is empty: it is what the issuer knows this service as"));
        }
        found
    }
}
