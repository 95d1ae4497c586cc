//! A witness: somebody outside sees every checkpoint of a log, and cosigns it only if the log merely grew.
//!
//! It runs at another organisation (an ombudsman, a coalition, a partner abroad), holds one key and one checkpoint for each
//! log, and no database. It learns nothing of what is in the log: how many entries there are, and one hash. Implements C2SP
//! `tlog-witness` (<https://c2sp.org/tlog-witness>).
//!
//! `config` is what it is told, `submission` what a log sends, `log` what it knows of one log and how it judges, `evidence`
//! what it keeps of a log that shows two faces, `folder` its key, `http` its doors.

pub mod config;
mod evidence;
mod folder;
mod http;
mod log;
pub(crate) mod submission;

pub use folder::{FolderError, Standing, init, standing, trust};
pub use log::{LARGEST_SUBMISSION, Refusal};

use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::cosignature::{CosignatureKey, CosignatureVerifier};
use crate::audit::note::unverified_text;
use crate::platform::clock::Clock;
use crate::platform::config::Refusals;
use crate::platform::listen::Listening;
use crate::platform::tls;
use axum_server::tls_rustls::RustlsConfig;
use config::WitnessConfig;
use folder::Folder;
use log::Log;
use std::sync::Arc;
use std::time::Duration;
use submission::Submission;
use tokio::sync::watch;

/// How long submissions under way may take when the witness is told to end.
const ENDING: Duration = Duration::from_secs(10);

/// A witness at work. It holds its folder: a second process over the same one could sign what this one must not.
pub struct Witness {
    key: CosignatureKey,
    logs: Vec<Log>,
    clock: Clock,
    _folder: Folder,
}

/// Why a witness does not begin.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("{0}")]
    Folder(#[from] FolderError),
    #[error("{0}")]
    Refused(#[from] Refusals),
    #[error("{origin}: {why}")]
    Log { origin: String, why: String },
    #[error("the listener: {0}")]
    Listen(#[from] std::io::Error),
}

impl Witness {
    /// Takes the folder, and looks whether everything kept there is still what this key cosigned.
    ///
    /// # Errors
    /// [`WitnessError`]: a witness that does not know what it has signed must not sign.
    pub fn open(config: &WitnessConfig, clock: Clock) -> Result<Self, WitnessError> {
        config.check()?;
        let folder = Folder::take(&config.folder)?;
        let key = folder.key()?;
        let logs = config.logs.iter().map(|told| Log::open(told, &config.folder)).collect::<Result<Vec<_>, _>>()?;
        for log in &logs {
            log.latest(key.verifier())
                .map_err(|error| WitnessError::Log { origin: log.origin().to_owned(), why: error.to_string() })?;
        }
        Ok(Self { key, logs, clock, _folder: folder })
    }

    /// The public half of its key.
    #[must_use]
    pub const fn verifier(&self) -> &CosignatureVerifier {
        self.key.verifier()
    }

    /// Whether whoever shows this token is answered about any log: before anything of what they send is read.
    #[must_use]
    pub fn admits(&self, token: Option<&str>) -> bool {
        self.logs.iter().any(|log| log.admits(token))
    }

    /// Judges what somebody submits, with the token they showed. What comes back is the cosignature, and it is durable that
    /// this checkpoint is the latest. Reads and writes files: not for an asynchronous task.
    ///
    /// # Errors
    /// [`Refusal`] says what is answered; then nothing was signed.
    pub fn add_checkpoint(&self, body: &str, token: Option<&str>) -> Result<String, Refusal> {
        let submission = Submission::parse(body).map_err(Refusal::Malformed)?;
        let text = unverified_text(submission.note).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let claimed = Checkpoint::parse(text).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let log = self.logs.iter().find(|log| log.origin() == claimed.origin());
        let log = log.filter(|log| log.admits(token)).ok_or(Refusal::Unknown)?;
        log.add(&submission, &self.key, self.clock.now())
    }

    /// The latest checkpoint of a log that this witness cosigned, by the hash of the log's origin.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] when there is none, [`Refusal::Away`] when it cannot be read.
    pub fn checkpoint(&self, hash: &str, token: Option<&str>) -> Result<String, Refusal> {
        let log = self.logs.iter().find(|log| log.hash() == hash).filter(|log| log.admits(token));
        let latest = log.ok_or(Refusal::Unknown)?.latest(self.key.verifier())?;
        latest.map(|latest| latest.note).ok_or(Refusal::Unknown)
    }

    /// Answers until `stop` says so, over TLS if the configuration says so; what is under way then is finished.
    ///
    /// # Errors
    /// When certificate and key are not a pair, or the listener fails.
    pub async fn serve(
        self: Arc<Self>,
        config: &WitnessConfig,
        listening: Listening,
        stop: watch::Receiver<bool>,
    ) -> Result<(), WitnessError> {
        let served = config.tls.as_ref().map(tls::load).transpose()?;
        let served = served.map(|served| RustlsConfig::from_config(Arc::new(served)));
        let fresh = match (&served, &config.tls) {
            (Some(served), Some(files)) => {
                Some(tokio::spawn(tls::keep_fresh(served.clone(), files.clone(), stop.clone())))
            }
            _ => None,
        };
        let answered = listening.serve(http::routes(self), served, ENDING, stop).await;
        if let Some(fresh) = fresh {
            fresh.abort();
        }
        Ok(answered?)
    }
}
