//! All SQL about organisations, accounts, memberships, sessions, credentials, passkeys, devices, tries at the door and shared keys.

mod credentials;
mod devices;
mod door;
mod foundings;
mod limits;
mod memberships;
mod organisations;
mod passkeys;
mod sessions;
mod shared_keys;

pub use credentials::*;
pub use devices::*;
pub use door::*;
pub use foundings::*;
pub use limits::*;
pub use memberships::*;
pub use organisations::*;
pub use passkeys::*;
pub use sessions::*;
pub use shared_keys::*;

use crate::guard::keys::{KemPublic, PublicKeys};
use ed25519_dalek::VerifyingKey;

fn public_keys(kem: Option<&[u8]>, sign: Option<&[u8]>) -> Option<PublicKeys> {
    let kem = KemPublic(kem?.try_into().ok()?);
    Some(PublicKeys { kem, sign: VerifyingKey::from_bytes(sign?.try_into().ok()?).ok()? })
}
