//! What the door gave out and knows again without looking anything up: tokens of devices, and tickets of whom an issuer named.
//!
//! So a made-up one leads to no look-up of a name, and to no row: only what the service itself gave out has a budget of its own.
//! It lets nobody in.

use crate::guard::keys::derive;
use crate::platform::problem::Problem;
use crate::platform::random;
use crate::platform::secrets::{Live, Raw};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What is given out.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    /// To a device on which somebody of this name has signed in.
    Device(&'a str),
    /// To whom an issuer has named.
    Ticket,
}

/// Half of it is drawn, half is the service's own code on it.
const HALF: usize = 16;

/// Gives them out, and knows them again.
pub struct Issued {
    /// What the codes are made with. These are never dropped, so what was given out stays known.
    secrets: Live<Raw>,
}

impl Issued {
    #[must_use]
    pub const fn new(secrets: Live<Raw>) -> Self {
        Self { secrets }
    }

    fn mac(&self, kind: Kind<'_>, drawn: &[u8]) -> Option<Hmac<Sha256>> {
        let key = derive(&*self.secrets.get().oldest().value, &[], "himaya door issued v1");
        let mut mac = Hmac::<Sha256>::new_from_slice(&*key).ok()?;
        let (what, about) = match kind {
            Kind::Device(handle) => (b'd', handle),
            Kind::Ticket => (b't', ""),
        };
        mac.update(&[what]);
        mac.update(drawn);
        mac.update(about.as_bytes());
        Some(mac)
    }

    /// A new one.
    ///
    /// # Errors
    /// A fault, where no code can be made.
    pub fn make(&self, kind: Kind<'_>) -> Result<String, Problem> {
        let drawn: [u8; HALF] = random::bytes();
        let mac = self.mac(kind, &drawn).ok_or_else(|| Problem::fault("a code has no key"))?;
        let code = mac.finalize().into_bytes();
        Ok(URL_SAFE_NO_PAD.encode([drawn.as_slice(), code.as_slice().split_at(HALF).0].concat()))
    }

    /// Whether the service gave this out, for the same.
    #[must_use]
    pub fn knows(&self, kind: Kind<'_>, text: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return false };
        let Some((drawn, code)) = bytes.split_at_checked(HALF) else { return false };
        code.len() == HALF && self.mac(kind, drawn).is_some_and(|mac| mac.verify_truncated_left(code).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn what_was_given_out_is_known_for_the_same_and_nothing_else_is() {
        let of = |seed| Issued::new(Live::only("first", Zeroizing::new([seed; 32])));
        let (one, replica, other) = (of(1), of(1), of(2));
        let token = one.make(Kind::Device("duty1")).unwrap();
        assert!(replica.knows(Kind::Device("duty1"), &token) && token.len() == 43);
        assert!(!one.knows(Kind::Device("duty2"), &token) && !one.knows(Kind::Ticket, &token));
        assert!(!other.knows(Kind::Device("duty1"), &token));
        let ticket = one.make(Kind::Ticket).unwrap();
        assert!(replica.knows(Kind::Ticket, &ticket) && !one.knows(Kind::Device(""), &ticket));
        for made_up in ["", "A", "made up", &"A".repeat(43), &token[..42], &format!("{token}AAAA"), &token[..22]] {
            assert!(!one.knows(Kind::Device("duty1"), made_up), "{made_up}");
        }
    }
}
