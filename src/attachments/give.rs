//! Giving out: an object is opened piece by piece, and leaves as an opaque stream under its own name.
//!
//! It is read twice. The first time nothing goes out: every chunk is authentic, the end is there, and content and object
//! have the hashes that were sealed, or the answer is a fault. The second time it is sent.

use super::model::File;
use super::receive::away;
use crate::guard::bytes::ContentKey;
use crate::guard::bytes::stream::{HEAD, Opener};
use crate::guard::record::AccountId;
use crate::guard::statement::hex;
use crate::guard::vault::objects::object_context;
use crate::platform::clock::Clock;
use crate::platform::http::Client;
use crate::platform::objects::{self, Objects};
use crate::platform::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

/// What a client may do with it: nothing. It is no page of this service.
const POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";
/// RFC 5987, `attr-char`.
const SAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Why an object does not open.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the object is not as it was sealed")]
    Changed,
    #[error("the store of objects: {}", objects::kind(.0))]
    Store(#[from] object_store::Error),
    #[error("the reader's session is over")]
    Over,
}

/// Who gets a file, and for how long.
pub(super) struct Reader {
    pub account: AccountId,
    /// When their session ends at the latest.
    pub until: DateTime<Utc>,
    pub clock: Clock,
    pub client: Client,
}

/// An object on its way out.
struct Opening {
    sealed: BoxStream<'static, Result<Bytes, object_store::Error>>,
    opener: Option<Opener>,
    digest: Sha256,
}

impl Opening {
    async fn begin(objects: &Objects, file: &File, key: &ContentKey) -> Result<Self, Broken> {
        let mut sealed = objects.read(file.object).await?;
        let (mut digest, mut head) = (Sha256::new(), Vec::with_capacity(HEAD));
        let mut rest = Bytes::new();
        while head.len() < HEAD {
            let mut piece = sealed.next().await.ok_or(Broken::Changed)??;
            rest = piece.split_off(piece.len().min(HEAD - head.len()));
            digest.update(&piece);
            head.extend_from_slice(&piece);
        }
        let head: &[u8; HEAD] = head.as_slice().try_into().map_err(|_| Broken::Changed)?;
        let opener = Opener::new(key, &object_context(file.object), file.stored.bytes, head);
        let opener = opener.map_err(|_| Broken::Changed)?;
        let sealed = stream::once(async { Ok(rest) }).chain(sealed).boxed();
        Ok(Self { sealed, opener: Some(opener), digest })
    }

    /// What opens next; nothing at the end, once it is known that it was the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let mut out = Vec::new();
        while let Some(opener) = &mut self.opener {
            if let Some(piece) = self.sealed.next().await.transpose()? {
                self.digest.update(&piece);
                opener.push(&piece, &mut out).map_err(|_| Broken::Changed)?;
            } else {
                let opener = self.opener.take().ok_or(Broken::Changed)?;
                opener.finish(&mut out).map_err(|_| Broken::Changed)?;
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }
}

/// Whether the object is what was sealed, to its last byte.
async fn compare(objects: &Objects, file: &File, key: &ContentKey, digest: &[u8]) -> Result<(), Broken> {
    let (mut opening, mut content) = (Opening::begin(objects, file, key).await?, Sha256::new());
    while let Some(piece) = opening.next().await? {
        content.update(&piece);
    }
    let whole = hex(&content.finalize()) == file.stored.sha256 && opening.digest.finalize()[..] == *digest;
    if whole { Ok(()) } else { Err(Broken::Changed) }
}

fn told(broken: Broken) -> Problem {
    match broken {
        Broken::Store(object_store::Error::NotFound { .. }) => Problem::fault("an attachment's object is not there"),
        Broken::Store(error) => away(&error),
        Broken::Changed => Problem::fault("an attachment's object is not as it was sealed"),
        Broken::Over => Problem::sign_in(),
    }
}

/// [`compare`], a few at once for each account and a few for all: it reads and opens whole files, before anybody sees a byte.
async fn compared(
    objects: &Objects,
    account: AccountId,
    file: &File,
    key: &ContentKey,
    digest: &[u8],
) -> Result<(), Problem> {
    let busy = || Problem::away("busy", "Too many files are being given out. Ask again.");
    let limits = &objects.limits;
    let _own = limits.downloads.of(account).await.ok_or_else(busy)?;
    let _place = objects::place(&limits.compared, limits.patience.wait).await.ok_or_else(busy)?;
    let late = |_| Problem::away("objects_slow", "The store of attachments took too long. Ask again.");
    timeout(limits.patience.compare, compare(objects, file, key, digest)).await.map_err(late)?.map_err(told)
}

/// The answer that carries a file.
///
/// # Errors
/// A fault when the object is not there, or not as it was sealed: then nothing of it goes out.
pub(super) async fn answer(
    objects: &Objects,
    file: File,
    key: ContentKey,
    digest: &[u8],
    reader: Reader,
) -> Result<Response, Problem> {
    let Reader { account, until, clock, mut client } = reader;
    // Nothing is held by now that must be finished, so nobody is worked for who has gone.
    tokio::select! {
        compared = compared(objects, account, &file, &key, digest) => compared?,
        () = client.gone() => return Err(Problem::away("client_gone", "Nobody waits for this answer.")),
    }
    let opening = Opening::begin(objects, &file, &key).await.map_err(told)?;
    // What breaks from here on ends the connection: the client has heard how much there must be.
    let body = stream::unfold(Some((opening, clock)), move |opening| async move {
        let (mut opening, clock) = opening?;
        let next = if clock.now() < until { opening.next().await } else { Err(Broken::Over) };
        match next {
            Ok(Some(piece)) => Some((Ok(piece), Some((opening, clock)))),
            Ok(None) => None,
            Err(broken) => {
                tracing::error!(%broken, "an attachment was not given out to its end");
                Some((Err(broken), None))
            }
        }
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    let name = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(&file.name, SAFE));
    let name = HeaderValue::from_str(&name).map_err(|_| Problem::fault("a name does not fit a header"))?;
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.stored.bytes));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    Ok(response)
}
