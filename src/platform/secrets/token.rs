//! A hardware security module, or anything else that speaks PKCS#11 (OASIS, version 2.40 and newer): what lies in the files of
//! secrets is sealed under an AES key that never leaves it (`CKM_AES_GCM`).
//!
//! The name of a secret is its additional authenticated data: one that was copied into the place of another does not open.
//! The module is spoken to only while something is opened or sealed, and let go again, so that it may be exchanged.

use super::{Named, Raw, file};
use crate::platform::config::ConfigError;
use crate::platform::random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// In front of a value that was sealed like this: nonce ‖ ciphertext ‖ tag, as base64.
const PREFIX: &str = "pkcs11:v1:";
const NONCE: usize = 12;
const TAG_BITS: u64 = 128;

/// A module is one for the whole process: who begins with it ends it before the next begins.
static MODULE: Mutex<()> = Mutex::new(());

/// Where the key is. The PIN is no setting but a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The maker's library: `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The label of an AES key in it that encrypts and decrypts.
    pub key: String,
    /// File with the user's PIN, readable to the service only.
    pub pin_file: PathBuf,
}

/// The way to a token.
#[derive(Clone)]
pub struct Token {
    config: TokenConfig,
    pin: AuthPin,
}

/// Why the token did nothing.
enum Failed {
    /// Each try counts: a token locks after a few.
    Login(String),
    Other(String),
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl Failed {
    fn told(self, say: impl FnOnce(String) -> String) -> ConfigError {
        match self {
            Self::Login(why) => ConfigError::Login(say(why)),
            Self::Other(why) => ConfigError::Keeper(say(why)),
        }
    }
}

fn wrong(why: impl Into<String>) -> ConfigError {
    ConfigError::Keeper(why.into())
}

impl Token {
    /// Reads the PIN.
    ///
    /// # Errors
    /// [`ConfigError`] with the setting that is wrong.
    pub fn new(config: &TokenConfig) -> Result<Self, ConfigError> {
        let about =
            |path: &Path| std::fs::metadata(path).map_err(|error| wrong(format!("module cannot be read: {error}")));
        // Where it lies in truth: a link leads to it, and whoever may write there exchanges it.
        let module = config.module.canonicalize().map_err(|error| wrong(format!("module cannot be read: {error}")))?;
        let (file, folder) = (about(&module)?, about(module.parent().unwrap_or(&module))?);
        let closed = file.permissions().mode() & 0o022 == 0 && file::belongs(&file, &folder, file::own_user());
        if !config.module.is_absolute() || !closed {
            return Err(wrong("module is code that the service runs: give its whole path, and let only root write it"));
        }
        let pin = file::read(&config.pin_file, "secrets_keeper.pin_file", 0o037)?;
        let pin = pin.ok_or_else(|| wrong("pin_file is not there"))?;
        let pin = pin.trim_end_matches(['\r', '\n']);
        if pin.is_empty() {
            return Err(wrong("pin_file holds no PIN"));
        }
        Ok(Self { config: config.clone(), pin: AuthPin::from(pin) })
    }

    /// Opens what was sealed for this secret.
    pub(super) async fn open(&self, name: Named, sealed: &str) -> Result<Raw, ConfigError> {
        let sealed = sealed.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let sealed = sealed.ok_or_else(|| name.wrong("is not what a token sealed"))?;
        let plain = self
            .with_key(move |session, key| {
                let (nonce, sealed) =
                    sealed.split_first_chunk::<NONCE>().ok_or_else(|| "it is too short".to_owned())?;
                let (mut nonce, about) = (*nonce, about(name));
                let gcm = GcmParams::new(&mut nonce, &about, TAG_BITS.into()).map_err(|error| error.to_string())?;
                let opened = session.decrypt(&Mechanism::AesGcm(gcm), key, sealed);
                opened.map(Zeroizing::new).map_err(|error| error.to_string())
            })
            .await
            .map_err(|failed| {
                let why = "the key is another, or so was the secret";
                failed.told(|reason| format!("the token does not open {name}: {reason}; {why}"))
            })?;
        let plain: [u8; 32] =
            plain.as_slice().try_into().map_err(|_| name.wrong("what the token opened is not 32 bytes"))?;
        Ok(Zeroizing::new(plain))
    }

    /// Seals a value for this secret.
    pub(super) async fn seal(&self, name: Named, secret: &Raw) -> Result<Zeroizing<String>, ConfigError> {
        let secret = secret.clone();
        let sealed = self
            .with_key(move |session, key| {
                let (mut nonce, about) = (random::bytes::<NONCE>(), about(name));
                let gcm = GcmParams::new(&mut nonce, &about, TAG_BITS.into()).map_err(|error| error.to_string())?;
                let sealed =
                    session.encrypt(&Mechanism::AesGcm(gcm), key, &*secret).map_err(|error| error.to_string())?;
                // A token that insists on a nonce of its own has put it in the place of ours.
                Ok([nonce.as_slice(), &sealed].concat())
            })
            .await
            .map_err(|failed| failed.told(|reason| format!("the token does not seal {name}: {reason}")))?;
        Ok(Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(sealed))))
    }

    /// Does something with the key, away from everything that must not wait.
    async fn with_key<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session, ObjectHandle) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Failed> {
        let token = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _alone = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
            let module = Pkcs11::new(&token.config.module).map_err(|error| Failed::Other(error.to_string()))?;
            let begin = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
            module.initialize(begin).map_err(|error| error.to_string())?;
            let done = token.session(&module).and_then(|(session, key)| work(&session, key).map_err(Failed::Other));
            let ended = module.finalize().map_err(|error| error.to_string());
            done.and_then(|done| ended.map(|()| done).map_err(Failed::Other))
        });
        done.await.unwrap_or_else(|_| Err(Failed::Other("the module ended in the middle".to_owned())))
    }

    /// A session of the user's, and the one key of this label.
    fn session(&self, module: &Pkcs11) -> Result<(Session, ObjectHandle), Failed> {
        let TokenConfig { token, key, .. } = &self.config;
        let slots = module.get_slots_with_initialized_token().map_err(|error| error.to_string())?;
        let named = |slot: &&cryptoki::slot::Slot| {
            module.get_token_info(**slot).is_ok_and(|info| info.label().trim_end() == token.as_str())
        };
        let mut found = slots.iter().filter(named);
        let (Some(slot), None) = (found.next(), found.next()) else {
            return Err(Failed::Other(format!("there is not exactly one token called {token}")));
        };
        let session = module.open_ro_session(*slot).map_err(|error| error.to_string())?;
        session
            .login(UserType::User, Some(&self.pin))
            .map_err(|error| Failed::Login(format!("nobody can log in ({error}): see the PIN")))?;
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(key.clone().into_bytes()),
        ];
        let keys = session.find_objects(&wanted).map_err(|error| error.to_string())?;
        match keys.as_slice() {
            [only] => Ok((session, *only)),
            _ => Err(Failed::Other(format!("there is not exactly one AES key called {key}"))),
        }
    }
}

/// Whether a value in a file was sealed by a token.
pub(super) fn is_sealed(value: &str) -> bool {
    value.starts_with(PREFIX)
}

fn about(name: Named) -> Vec<u8> {
    format!("himaya secret {name}").into_bytes()
}
