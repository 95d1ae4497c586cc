//! A body that comes in, within its times: a place is held only for who goes on sending.

use crate::platform::config::Patience;
use crate::platform::problem::Problem;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long, and how much, is read of what is not taken, so that a client that is still sending hears why.
const DRAIN: (Duration, u64) = (Duration::from_secs(1), 16 << 20);

/// A body, and how long it may take.
pub(super) struct Incoming {
    stream: BodyDataStream,
    patience: Patience,
    until: Instant,
    /// How long the client was waited for since it last had brought enough, and what it has brought since.
    waited: Duration,
    brought: u64,
    /// What the client says that it will send.
    pub announced: Option<u64>,
    /// The client asks first (`Expect: 100-continue`), and sends nothing before it is read from.
    asks: bool,
}

impl Incoming {
    pub(super) fn of(headers: &HeaderMap, body: Body, patience: Patience) -> Self {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let asks = headers.contains_key(header::EXPECT);
        let until = Instant::now() + patience.upload;
        let (waited, brought) = (Duration::ZERO, 0);
        Self { stream: body.into_data_stream(), patience, until, waited, brought, announced, asks }
    }

    /// What comes next; nothing at the end. Only time in which the client was waited for counts against it: not what the
    /// store takes.
    ///
    /// # Errors
    /// 400 for a body that ends early, 408 for one that trickles.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        self.asks = false;
        let begun = Instant::now();
        let left = self.patience.window.saturating_sub(self.waited);
        let piece = timeout(left.min(self.until.saturating_duration_since(begun)), self.stream.next()).await;
        self.waited += begun.elapsed();
        match piece {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => {
                self.brought += piece.len() as u64;
                if self.brought >= self.patience.least {
                    (self.waited, self.brought) = (Duration::ZERO, 0);
                }
                Ok(Some(piece))
            }
            Ok(Some(Err(_))) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, "cut_off", "The body ended early. Nothing was stored."))
            }
            Err(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The body took too long: less than 64 KiB in half a minute, or a quarter of an hour in all. Nothing was \
                 stored.",
            )),
        }
    }

    /// Reads on for a moment: a connection that is closed while somebody sends loses the answer to them.
    pub(super) async fn drain(&mut self) {
        if self.asks {
            return;
        }
        let (time, most) = DRAIN;
        let _ = timeout(time, async {
            let mut read = 0;
            while let Some(Ok(piece)) = self.stream.next().await {
                read += piece.len() as u64;
                if read > most {
                    return;
                }
            }
        })
        .await;
    }
}
