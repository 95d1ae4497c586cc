//! Giving out: an object is opened piece by piece, and leaves as an opaque stream under its own name.
//!
//! It is read twice. The first time nothing goes out: every chunk is authentic, the end is there, and content and object
//! have the hashes that were sealed, or the answer is a fault. The second time it is sent.

use super::model::File;
use super::receive::away;
use crate::guard::bytes::ContentKey;
use crate::guard::bytes::stream::{HEAD, Opener};
use crate::guard::statement::hex;
use crate::guard::vault::objects::object_context;
use crate::platform::objects::Objects;
use crate::platform::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

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
    #[error("the store of objects: {0}")]
    Store(#[from] object_store::Error),
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

/// The answer that carries a file.
///
/// # Errors
/// A fault when the object is not there, or not as it was sealed: then nothing of it goes out.
pub(super) async fn answer(objects: &Objects, file: File, key: ContentKey, digest: &[u8]) -> Result<Response, Problem> {
    let told = |broken: Broken| match broken {
        Broken::Store(object_store::Error::NotFound { .. }) => Problem::fault("an attachment's object is not there"),
        Broken::Store(error) => away(&error),
        Broken::Changed => Problem::fault("an attachment's object is not as it was sealed"),
    };
    compare(objects, &file, &key, digest).await.map_err(told)?;
    let opening = Opening::begin(objects, &file, &key).await.map_err(told)?;
    // What breaks from here on ends the connection: the client has heard how much there must be.
    let body = stream::unfold(Some(opening), |opening| async {
        let mut opening = opening?;
        match opening.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(opening))),
            Ok(None) => None,
            Err(broken) => {
                tracing::error!(%broken, "an attachment changed while it was given out");
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
