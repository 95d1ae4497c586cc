//! TLS in the binary: rustls, 1.3 and 1.2, and the certificate read again when its files change or on SIGHUP.

use super::config::{Refusals, TlsConfig};
use axum_server::tls_rustls::RustlsConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(30);

/// Reads certificate and key, and sees that they belong together.
///
/// # Errors
/// [`Refusals`] with the field.
pub fn load(files: &TlsConfig) -> Result<ServerConfig, Refusals> {
    let chain = chain(&files.certificate)?;
    let wrong = |why: String| Refusals::of("tls.key", format!("is {}, and {why}", files.key.display()));
    let about = std::fs::metadata(&files.key).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    // Not the group's right to read: the mask of systemd's access list for a credential looks like it.
    if about.permissions().mode() & 0o037 != 0 {
        return Err(wrong("others can read it: make it 0600".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|_| wrong("holds no private key as PEM".to_owned()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| wrong(format!("does not fit the certificate: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in a file, the service's own first.
///
/// # Errors
/// [`Refusals`] when there is none.
pub fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Refusals> {
    let wrong = |why: &str| Refusals::of("tls.certificate", format!("is {}, and {why}", file.display()));
    let chain: Vec<_> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|_| {
        wrong("cannot be read as PEM: give the file that holds the certificate and what leads to its root")
    })?;
    if chain.is_empty() { Err(wrong("holds no certificate")) } else { Ok(chain) }
}

/// A client that believes the authority in this file, and no other.
///
/// # Errors
/// What is wrong with the file: a sentence that goes on after its field.
pub(crate) fn trusting(file: &Path) -> Result<ClientConfig, String> {
    let wrong = |why: String| format!("is {}, and {why}", file.display());
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for certificate in found.map_err(|_| wrong("cannot be read as PEM".to_owned()))? {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| wrong(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

type Stamp = [Option<(u64, u64, i64, i64)>; 2];

fn stamp(files: &TlsConfig) -> Stamp {
    [&files.certificate, &files.key].map(|file| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
    })
}

/// Reads the files again when they have changed, and on SIGHUP. What cannot be read changes nothing: connections go on
/// under the certificate that there was.
pub async fn keep_fresh(served: RustlsConfig, files: TlsConfig, mut stop: watch::Receiver<bool>) {
    let (mut hangup, mut known) = (signal(SignalKind::hangup()).ok(), stamp(&files));
    let mut tick = tokio::time::interval(EVERY);
    loop {
        let told = async {
            match hangup.as_mut() {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            _ = tick.tick() => false,
            _ = told => true,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let now = stamp(&files);
        if !asked && now == known {
            continue;
        }
        match load(&files) {
            Ok(config) => {
                served.reload_from_config(Arc::new(config));
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
        known = now;
    }
}
