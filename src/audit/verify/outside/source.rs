//! Where tiles come from: a folder, or a service that serves them.

use crate::audit::entry::LEAF_BYTES;
use crate::audit::tiles::model::{HASH_BYTES, Holds, Tile, WIDTH};
use crate::platform::causes::causes;
use crate::platform::tls::trusting;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// This machine, where nobody else reads what is sent.
const LOCAL: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a service is asked that says "wait, then go on": it names the time itself.
const WAITS: u32 = 60;
/// The longest that is waited at once.
const LONGEST_WAIT: u64 = 30;
/// The most of a checkpoint, or of keys, that is read.
const TEXT: u64 = 1024 * 1024;
/// The most of a tile: its hashes.
const HASHES: u64 = WIDTH * HASH_BYTES as u64;
/// The most of a bundle: our entries are of one length, and nobody fills a verifier's memory with longer ones. A little more is read, so
/// that one that is longer is named by its number.
const ENTRIES: u64 = WIDTH * (2 + LEAF_BYTES as u64) + 4096;
/// How long a service may let a verifier wait altogether, in seconds; each answer that it gives adds one.
const WAITED: u64 = 600;

/// Where tiles come from.
pub enum Source {
    Folder(PathBuf),
    Served(Box<Served>),
}

/// A service that serves them.
pub struct Served {
    prefix: String,
    token: Option<Zeroizing<String>>,
    client: Client<HttpsConnector<HttpConnector>, Body>,
    /// Seconds for which may still be waited.
    patience: AtomicU64,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{file} cannot be read: {error}")]
    File { file: String, error: io::Error },
    #[error("--tiles {0}")]
    Address(String),
    #[error("{what}: {why}")]
    Answer { what: String, why: String },
    #[error("{0} is longer than what it should be ever is")]
    TooLong(String),
    #[error("a thread that checks ended early")]
    Ended,
}

impl Source {
    /// A folder, or an address that begins with https:// (http:// on this machine only: a token would be read on the way).
    ///
    /// # Errors
    /// [`SourceError`] when it is neither.
    pub fn open(place: &str, token: Option<Zeroizing<String>>, authority: Option<&Path>) -> Result<Self, SourceError> {
        // A name and a password before the host make it look like another one.
        let address = place.parse::<Uri>().ok().filter(|_| !place.contains('@'));
        let scheme = address.as_ref().and_then(Uri::scheme_str);
        let local = address.as_ref().and_then(Uri::host).is_some_and(|host| LOCAL.contains(&host));
        let local = scheme == Some("http") && local;
        if scheme != Some("https") && !local {
            if place.contains("://") {
                let why = "begins with something else than https://: what is fetched, and the token, could be read on the way";
                return Err(SourceError::Address(why.to_owned()));
            }
            return Ok(Self::Folder(place.into()));
        }
        let builder = HttpsConnectorBuilder::new();
        let builder = match authority {
            None => builder.with_provider_and_webpki_roots(ring::default_provider()).map_err(|error| error.to_string()),
            Some(file) => trusting(file).map(|tls| builder.with_tls_config(tls)),
        };
        let builder = builder.map_err(|why| SourceError::Address(format!("authority {why}")))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let builder = if local { builder.https_or_http() } else { builder.https_only() };
        let client = Client::builder(TokioExecutor::new()).build(builder.enable_http1().wrap_connector(tcp));
        let prefix = place.trim_end_matches('/').to_owned();
        Ok(Self::Served(Box::new(Served { prefix, token, client, patience: AtomicU64::new(WAITED) })))
    }

    /// What is there under this name; nothing when there is none.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    pub async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        self.bounded(name, TEXT).await
    }

    /// The bytes of a tile or bundle. Where a folder has the full one in place of a partial one, as much of it as was asked for.
    pub(super) async fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, SourceError> {
        let most = match tile.holds() {
            Holds::Hashes(_) => HASHES,
            Holds::Entries => ENTRIES,
        };
        if let Some(bytes) = self.bounded(&tile.to_string(), most).await? {
            return Ok(Some(bytes));
        }
        let Some(full) = Tile::of(tile.holds(), tile.n(), u64::MAX).filter(|full| *full != tile) else {
            return Ok(None);
        };
        let Some(bytes) = self.bounded(&full.to_string(), most).await? else { return Ok(None) };
        Ok(Some(begin(tile, full, bytes)))
    }

    /// The checkpoints that an export kept beside the newest one; a service has none. Each was exported once, so the tree has to fit all
    /// of them.
    pub(super) async fn history(&self) -> Result<Vec<String>, SourceError> {
        let Self::Folder(folder) = self else { return Ok(vec![]) };
        let folder = folder.join("checkpoints");
        tokio::task::spawn_blocking(move || history(&folder)).await.map_err(|_| SourceError::Ended)?
    }

    async fn bounded(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SourceError> {
        match self {
            Self::Folder(folder) => {
                let file = folder.join(name);
                tokio::task::spawn_blocking(move || from_file(&file, most)).await.map_err(|_| SourceError::Ended)?
            }
            Self::Served(served) => served.fetch(name, most).await,
        }
    }
}

/// The first hashes or entries of a full tile. What is none is given as it is: who reads it finds out.
fn begin(tile: Tile, full: Tile, bytes: Vec<u8>) -> Vec<u8> {
    let wanted = usize::try_from(tile.width()).unwrap_or(0);
    let length = match tile.holds() {
        Holds::Hashes(_) => full.hashes(&bytes).ok().map(|_| wanted * 32),
        Holds::Entries => {
            full.entries(&bytes).ok().map(|entries| entries.iter().take(wanted).map(|entry| entry.len() + 2).sum())
        }
    };
    length.and_then(|length| bytes.get(..length)).map(<[u8]>::to_vec).unwrap_or(bytes)
}

fn history(folder: &Path) -> Result<Vec<String>, SourceError> {
    let wrong = |error| SourceError::File { file: folder.display().to_string(), error };
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(wrong(error)),
    };
    let mut found = Vec::new();
    for file in files {
        let file = file.map_err(wrong)?.path();
        // What an interrupted export left is not one yet.
        if file.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit)) {
            found.push(file);
        }
    }
    found.sort();
    let read = found.iter().filter_map(|file| from_file(file, TEXT).transpose());
    read.map(|bytes| Ok(String::from_utf8_lossy(&bytes?).into_owned())).collect()
}

fn from_file(file: &Path, most: u64) -> Result<Option<Vec<u8>>, SourceError> {
    use io::Read as _;
    let wrong = |error| SourceError::File { file: file.display().to_string(), error };
    // A pipe would let everybody wait who opens it.
    let opened = match std::fs::metadata(file)
        .and_then(|about| about.is_file().then(|| std::fs::File::open(file)).transpose())
    {
        Ok(Some(opened)) => opened,
        Ok(None) => return Err(wrong(io::Error::other("no file"))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(wrong(error)),
    };
    let mut bytes = Vec::new();
    opened.take(most + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > most { Err(SourceError::TooLong(file.display().to_string())) } else { Ok(Some(bytes)) }
}

impl Served {
    async fn fetch(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let what = format!("{}/{name}", self.prefix);
        let wrong = |why: String| SourceError::Answer { what: what.clone(), why };
        for _ in 0..WAITS {
            let mut request = Request::builder().uri(&what).header(header::ACCEPT_ENCODING, "identity");
            if let Some(token) = &self.token {
                request = request.header(header::AUTHORIZATION, format!("Bearer {}", &**token));
            }
            let request = request.body(Body::empty()).map_err(|_| SourceError::Address("is no address".to_owned()))?;
            let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
            let answer = answer.map_err(|_| wrong("no answer within half a minute".to_owned()))?;
            let answer = answer.map_err(|error| wrong(causes(&error)))?;
            match answer.status() {
                StatusCode::OK => {
                    let most = usize::try_from(most).unwrap_or(usize::MAX);
                    let body = tokio::time::timeout(PATIENCE, to_bytes(Body::new(answer.into_body()), most)).await;
                    let body = body.map_err(|_| wrong("the answer did not end within half a minute".to_owned()))?;
                    let body = body.map_err(|_| wrong("the answer broke off, or is too long".to_owned()))?;
                    self.patience.fetch_add(1, Ordering::Relaxed);
                    return Ok(Some(body.to_vec()));
                }
                StatusCode::NOT_FOUND => return Ok(None),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    let told = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let seconds = told.and_then(|value| value.parse().ok()).unwrap_or(1_u64);
                    let seconds = seconds.clamp(1, LONGEST_WAIT);
                    let left = |left: u64| left.checked_sub(seconds);
                    if self.patience.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                status => return Err(wrong(format!("answered {}", status.as_u16()))),
            }
        }
        Err(wrong("says again and again that it cannot answer now".to_owned()))
    }
}
