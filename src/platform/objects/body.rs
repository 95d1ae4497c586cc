//! The body of a store's answer, within bounds: a store that stops in the middle of it is given up, as is one that has too
//! much to say of a failure. Whoever reads it waits for nothing else.

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Why a body was given up.
#[derive(Debug, thiserror::Error)]
enum Given {
    #[error("the store fell silent in the middle of its answer")]
    Late,
    #[error("the store says too much of a failure")]
    TooMuch,
}

/// A body that comes piece by piece, none of them too late.
pub(super) struct Bounded<B> {
    inner: B,
    patience: Duration,
    /// Runs while a piece is waited for, and not while nobody asks for one.
    waiting: Option<Pin<Box<Sleep>>>,
    /// How many bytes may still come, where there is a bound.
    left: Option<usize>,
}

impl<B> Bounded<B> {
    pub(super) fn new(inner: B, patience: Duration, most: Option<usize>) -> Self {
        Self { inner, patience, waiting: None, left: most }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) else {
            let patience = this.patience;
            let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
            ready!(waiting.as_mut().poll(context));
            return Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, Given::Late))));
        };
        this.waiting = None;
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
        if let (Ok(frame), Some(left)) = (&frame, &mut this.left) {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(rest) => *left = rest,
                None => return Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Decode, Given::TooMuch)))),
            }
        }
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};

    fn pieces(many: usize) -> impl Body<Data = Bytes, Error = std::io::Error> + Unpin {
        let piece = || Ok(Frame::data(Bytes::from_static(&[7; 100])));
        StreamBody::new(stream::iter((0..many).map(move |_| piece())).chain(stream::pending()).boxed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_falls_silent_is_given_up_and_only_then() {
        let patience = Duration::from_secs(30);
        let mut body = Bounded::new(pieces(2), patience, None);
        for _ in 0..2 {
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 100);
            // Whoever reads takes their time: that is none of the store's.
            tokio::time::sleep(patience * 3).await;
        }
        let begun = tokio::time::Instant::now();
        let late = body.frame().await.unwrap().unwrap_err();
        assert_eq!((late.kind(), begun.elapsed().as_secs()), (HttpErrorKind::Timeout, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_of_a_failure_is_not_read_without_end() {
        let mut body = Bounded::new(pieces(5), Duration::from_secs(30), Some(250));
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
        }
        assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), HttpErrorKind::Decode);
    }
}
