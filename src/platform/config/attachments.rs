//! Where the sealed bytes of attachments lie, and how large they may be.

use super::patience::Patience;
use super::secrets::password;
use super::{ConfigError, Refusal};
use crate::platform::random;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const MIB: u64 = 1 << 20;
/// Nothing larger is taken, whatever is configured: an upload is bounded in time.
const MOST_MIB: u64 = 4096;
/// An image is held whole while its metadata is taken out, and once more without it.
const MOST_IMAGE_MIB: u64 = 32;
const MOST_AT_ONCE: usize = 64;

/// `[attachments]`: a folder or a bucket, and limits.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentsConfig {
    /// A folder that only the service reads and writes; of several replicas all need the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Anything that speaks S3, in place of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Config>,
    /// The largest file, in MiB.
    #[serde(default = "largest_mib")]
    pub largest_mib: u64,
    /// The largest image, in MiB: JPEG, PNG and WebP, whose metadata is taken out.
    #[serde(default = "largest_image_mib")]
    pub largest_image_mib: u64,
    /// How many files are received at once; more wait.
    #[serde(default = "at_once")]
    pub at_once: usize,
    /// What files leave free of the folder's disk, in MiB: below that none is taken.
    #[serde(default = "keep_free_mib")]
    pub keep_free_mib: u64,
    /// How long things may take: no setting, shorter in tests only.
    #[serde(skip)]
    pub patience: Patience,
}

/// A bucket. The keys to it are files in the folder of secrets, or credentials: `attachments.access_key`,
/// `attachments.secret_key`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// `https://s3.example.gov`.
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    /// An authority of one's own, PEM; without it those that browsers know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
}

/// The keys to a bucket.
pub struct S3Keys {
    pub access: Zeroizing<String>,
    pub secret: Zeroizing<String>,
}

const fn largest_mib() -> u64 {
    256
}

const fn largest_image_mib() -> u64 {
    16
}

const fn at_once() -> usize {
    8
}

const fn keep_free_mib() -> u64 {
    2048
}

impl AttachmentsConfig {
    /// A folder, with the limits that hold unless they are set.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
            s3: None,
            largest_mib: largest_mib(),
            largest_image_mib: largest_image_mib(),
            at_once: at_once(),
            keep_free_mib: keep_free_mib(),
            patience: Patience::default(),
        }
    }

    /// What is left free of the disk, in bytes.
    #[must_use]
    pub fn keep_free(&self) -> u64 {
        self.keep_free_mib.saturating_mul(MIB)
    }

    /// The largest file in bytes.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.largest_mib.saturating_mul(MIB)
    }

    /// The largest image in bytes.
    #[must_use]
    pub fn largest_image(&self) -> u64 {
        self.largest_image_mib.saturating_mul(MIB)
    }

    /// What is wrong with it, wherever the service runs.
    pub(super) fn faults(&self, secrets: &Path) -> Vec<Refusal> {
        let mut found = Vec::new();
        let mut refuse = |field: &str, why: String| found.push(Refusal { field: field.to_owned(), why });
        match (&self.folder, &self.s3) {
            (Some(folder), None) => {
                if let Some(why) = unwritable(folder).or_else(|| open_to_others(folder)) {
                    refuse("attachments.folder", why);
                }
            }
            (None, Some(s3)) => {
                if let Err(why) = s3.address() {
                    refuse("attachments.s3.endpoint", why);
                }
                for (field, value) in [("bucket", &s3.bucket), ("region", &s3.region)] {
                    if value.trim().is_empty() {
                        refuse(&format!("attachments.s3.{field}"), "is empty".to_owned());
                    }
                }
                if let Err(error) = S3Keys::read(secrets) {
                    refuse("attachments.s3", format!("has no key: {error}"));
                }
            }
            _ => refuse("attachments", "needs a folder or an s3 bucket, and not both".to_owned()),
        }
        for (field, value, most) in [
            ("attachments.largest_mib", self.largest_mib, MOST_MIB),
            ("attachments.largest_image_mib", self.largest_image_mib, MOST_IMAGE_MIB.min(self.largest_mib)),
        ] {
            if !(1..=most).contains(&value) {
                refuse(field, format!("is {value}: set 1 to {most}"));
            }
        }
        if !(1..=MOST_AT_ONCE).contains(&self.at_once) {
            refuse("attachments.at_once", format!("is {}: set 1 to {MOST_AT_ONCE}", self.at_once));
        }
        found
    }

    /// What else is wrong with it in production.
    pub(super) fn faults_in_production(&self) -> Option<Refusal> {
        let s3 = self.s3.as_ref()?;
        // What is wrong with an address that is none was said.
        let open = s3.address().is_ok_and(|(tls, local)| !tls && !local);
        open.then(|| Refusal {
            field: "attachments.s3.endpoint".to_owned(),
            why: "goes to another machine without TLS: say https://, and name `authority` for one of your own"
                .to_owned(),
        })
    }
}

impl S3Config {
    /// Whether the endpoint is spoken to over TLS, and whether it is on this machine.
    fn address(&self) -> Result<(bool, bool), String> {
        const SHAPE: &str = "is an address like https://s3.example.gov";
        let uri: axum::http::Uri = self.endpoint.parse().map_err(|_| SHAPE.to_owned())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(SHAPE.to_owned()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| SHAPE.to_owned())?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("holds a name or a password: keys are files in the folder `secrets`".to_owned());
        }
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        Ok((tls, host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())))
    }
}

impl S3Keys {
    /// Reads both files.
    ///
    /// # Errors
    /// [`ConfigError::Secret`] for one that is missing, empty, or readable by others.
    pub fn read(secrets: &Path) -> Result<Self, ConfigError> {
        let key = |name| {
            password(secrets, name)?
                .ok_or(ConfigError::Secret { name, reason: "the file cannot be read: it is not there" })
        };
        Ok(Self { access: key("attachments.access_key")?, secret: key("attachments.secret_key")? })
    }
}

/// What keeps objects from being written into the folder. One that is not there is made when the service starts, by the
/// user that it runs as.
fn unwritable(folder: &Path) -> Option<String> {
    let there = if folder.exists() { folder } else { folder.parent().unwrap_or(folder) };
    let probe = there.join(format!(".probe-{}", random::uuid().simple()));
    let tried = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    tried.err().map(|error| {
        format!(
            "is {}, and nothing can be written there ({error}): give the folder to the user that the service runs as",
            folder.display()
        )
    })
}

/// What is wrong with a folder that is there already and that others than its owner may enter. What lies in it is sealed;
/// how much and when is told to nobody.
#[must_use]
pub fn open_to_others(folder: &Path) -> Option<String> {
    let mode = std::fs::metadata(folder).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        format!("is {}, which others than its owner may enter (mode {mode:o}): chmod 0700 it", folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(config: &AttachmentsConfig) -> Vec<String> {
        config.faults(Path::new("/nowhere")).into_iter().map(|refusal| refusal.field).collect()
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let folder = std::env::temp_dir().join(format!("himaya-objects-{}", random::uuid()));
        std::fs::create_dir(&folder).unwrap();
        let config = AttachmentsConfig::in_folder(folder.clone());
        for (mode, refused) in [(0o700, false), (0o750, true), (0o701, true), (0o777, true)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(faults(&config).contains(&"attachments.folder".to_owned()), refused, "{mode:o}");
            assert_eq!(crate::platform::objects::Objects::open(&config, &folder).is_err(), refused, "{mode:o}");
        }
        std::fs::remove_dir(folder).unwrap();
    }

    #[test]
    fn each_fault_is_named_by_its_field() {
        let folder = std::env::temp_dir().join(format!("himaya-objects-{}", random::uuid()));
        let good = AttachmentsConfig::in_folder(folder.clone());
        assert_eq!(faults(&good), Vec::<String>::new());
        let s3 = |endpoint: &str| AttachmentsConfig {
            folder: None,
            s3: Some(S3Config {
                endpoint: endpoint.to_owned(),
                bucket: "b".to_owned(),
                region: "r".to_owned(),
                authority: None,
            }),
            ..good.clone()
        };
        for (config, field) in [
            (AttachmentsConfig { folder: None, ..good.clone() }, "attachments"),
            (AttachmentsConfig { folder: Some(folder.clone()), ..s3("https://x") }, "attachments"),
            (AttachmentsConfig { folder: Some("/proc/none".into()), ..good.clone() }, "attachments.folder"),
            (AttachmentsConfig { largest_mib: 0, ..good.clone() }, "attachments.largest_mib"),
            (AttachmentsConfig { largest_image_mib: 500, ..good.clone() }, "attachments.largest_image_mib"),
            (AttachmentsConfig { at_once: 0, ..good.clone() }, "attachments.at_once"),
            (s3("ftp://x"), "attachments.s3.endpoint"),
            (s3("https://name:word@x"), "attachments.s3.endpoint"),
        ] {
            assert_eq!(faults(&config).first().map(String::as_str), Some(field));
        }
        assert_eq!(faults(&s3("https://x")), ["attachments.s3"], "without its keys");
        for (endpoint, refused) in
            [("http://s3.example", true), ("http://127.0.0.1:9000", false), ("https://s3.example", false)]
        {
            assert_eq!(s3(endpoint).faults_in_production().is_some(), refused, "{endpoint}");
        }
    }
}
