//! The listener: TCP or a unix socket, with TLS or without, and its end within a bound.

use super::config::Listen;
use super::http::Peer;
use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Address, Handle, Server};
use hyper_util::rt::TokioTimer;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

/// How long a client may take to send a request's head.
const HEAD: Duration = Duration::from_secs(15);

/// A place where connections come in.
pub enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl From<TcpListener> for Listening {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl Listening {
    /// Opens the place. A socket that an earlier process left behind is replaced.
    ///
    /// # Errors
    /// When it is taken, or not ours to open.
    pub async fn at(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => {
                if std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket()) {
                    std::fs::remove_file(path)?;
                }
                Ok(Self::Unix(UnixListener::bind(path)?))
            }
        }
    }

    /// Answers requests until `stop` says so; those under way may then take `within`.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        within: Duration,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let service = router.into_make_service_with_connect_info::<Peer>();
        match (self, tls) {
            (Self::Tcp(listener), None) => {
                patient(axum_server::from_tcp(listener.into_std()?)?, within, stop).serve(service).await
            }
            (Self::Tcp(listener), Some(tls)) => {
                let server = axum_server::from_tcp(listener.into_std()?)?.acceptor(RustlsAcceptor::new(tls));
                patient(server, within, stop).serve(service).await
            }
            // Who may open the socket is the file's own to say; there is no network to protect it from.
            (Self::Unix(listener), _) => {
                patient(axum_server::from_unix(listener.into_std()?)?, within, stop).serve(service).await
            }
        }
    }
}

/// A server that ends within a bound once it is told, and does not wait for ever for a request's head.
fn patient<A, T>(mut server: Server<A, T>, within: Duration, mut stop: watch::Receiver<bool>) -> Server<A, T>
where
    A: Address + Send + Sync + 'static,
{
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let handle = Handle::new();
    let ended = handle.clone();
    tokio::spawn(async move {
        // An error means that the sender is gone, which is an end as well.
        let _ = stop.wait_for(|stop| *stop).await;
        ended.graceful_shutdown(Some(within));
    });
    server.http1_only().handle(handle)
}
