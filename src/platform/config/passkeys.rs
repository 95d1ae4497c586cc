//! To what passkeys are bound.

use super::Refusal;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

/// `[passkeys]`: the name that people's authenticators know the service by. With another name every passkey is of no use.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeysConfig {
    /// A domain, without scheme and port: the origins' own, or one above them.
    pub relying_party: String,
    /// Where people's browsers are: `https://himaya.example.gov`.
    pub origins: Vec<String>,
}

impl PasskeysConfig {
    /// Who checks what authenticators say. Without a setting it is this machine, at any port: what suits a trial.
    ///
    /// # Errors
    /// What is wrong, naming the field.
    pub fn build(told: Option<&Self>) -> Result<Webauthn, Refusal> {
        let trial = || Self { relying_party: "localhost".to_owned(), origins: vec!["http://localhost".to_owned()] };
        let (own, any_port) = told.map_or_else(|| (trial(), true), |told| (told.clone(), false));
        let refused = |field: &str, why: String| Refusal { field: format!("passkeys.{field}"), why };
        let mut origins = Vec::new();
        for origin in &own.origins {
            let url = Url::parse(origin).ok().filter(|url| {
                url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
            });
            let url = url.ok_or_else(|| {
                refused("origins", format!("has {origin}: an origin is like https://himaya.example.gov"))
            })?;
            let fits = url.domain().is_some_and(|domain| {
                domain == own.relying_party || domain.ends_with(&format!(".{}", own.relying_party))
            });
            if !fits || own.relying_party.is_empty() {
                let why = format!("has {origin}, which is not of passkeys.relying_party, {}", own.relying_party);
                return Err(refused("origins", why));
            }
            origins.push(url);
        }
        let Some((first, more)) = origins.split_first() else {
            return Err(refused("origins", "is empty: name the address at which people's browsers are".to_owned()));
        };
        let wrong = |_| refused("relying_party", format!("is {}, which is no domain", own.relying_party));
        let builder = WebauthnBuilder::new(&own.relying_party, first).map_err(wrong)?;
        let builder = builder.rp_name("Himaya").allow_any_port(any_port);
        more.iter().fold(builder, WebauthnBuilder::append_allowed_origin).build().map_err(wrong)
    }

    /// What is refused of it.
    pub(super) fn faults(told: Option<&Self>, production: bool) -> Vec<Refusal> {
        let refused = |field: &str, why: &str| vec![Refusal { field: field.to_owned(), why: why.to_owned() }];
        match told {
            None if production => refused(
                "passkeys",
                "is not set: name the domain to which people's passkeys are bound, and the origins of their browsers",
            ),
            Some(told) if production && !told.origins.iter().all(|origin| origin.starts_with("https://")) => {
                refused("passkeys.origins", "names one without https://: a passkey there can be asked for by anybody")
            }
            _ => Self::build(told).err().into_iter().collect(),
        }
    }
}
