//! Receiving: a body becomes a sealed object, piece by piece. Nothing is held whole but an image, whose metadata is taken
//! out before anything of it is stored.

use super::image::{self, Image, Recognised};
use super::model::{LONGEST_NAME, Sum};
use crate::guard::bytes::stream::Sealer;
use crate::guard::record::ObjectId;
use crate::guard::statement::hex;
use crate::guard::store::delete_erasure_key;
use crate::guard::vault::ObjectKey;
use crate::guard::vault::objects::object_context;
use crate::platform::objects::{Objects, Writing};
use crate::platform::problem::Problem;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

/// The header in which the file's name travels: headers like it are not logged, as addresses are.
pub const NAME_HEADER: &str = "himaya-file-name";
/// How long a client may be silent.
const SILENT: Duration = Duration::from_secs(30);
/// How long an upload may take. A session ends when nothing is heard of it for twenty minutes.
const WHOLE: Duration = Duration::from_mins(15);
/// How long an upload waits for others to end.
const WAIT: Duration = Duration::from_secs(10);
/// How long, and how much, is read of what is not taken, so that a client that is still sending hears why.
const DRAIN: (Duration, u64) = (Duration::from_secs(1), 16 << 20);
/// What is sealed at once.
const STEP: usize = 64 * 1024;

/// What a client says of the file, checked.
pub(super) struct Told {
    pub name: String,
    pub media_type: String,
}

impl Told {
    /// # Errors
    /// 422 with the header's name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self { name: name(headers)?, media_type: media_type(headers)? })
    }
}

fn name(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = |why: &str| Problem::field("Himaya-File-Name", why);
    let sent = headers.get(NAME_HEADER).ok_or_else(|| wrong("is needed: the file's name, UTF-8, percent-encoded"))?;
    let sent = sent.to_str().map_err(|_| wrong("is not percent-encoded"))?;
    let name = percent_decode_str(sent).decode_utf8().map_err(|_| wrong("is not UTF-8, percent-encoded"))?;
    if name.trim().is_empty() || name == "." || name == ".." {
        return Err(wrong("is no name"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(wrong(&format!("is longer than {LONGEST_NAME} characters")));
    }
    // Letters that turn the direction of reading make `exe.pdf` out of `fdp.exe`.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if name.chars().any(|c| c.is_control() || turns(c)) {
        return Err(wrong("holds a character that cannot be seen"));
    }
    if name.contains(['/', '\\']) {
        return Err(wrong("holds a / or a \\: a name, without folders"));
    }
    Ok(name.into_owned())
}

/// `type/subtype`, in small letters and without parameters.
fn media_type(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = || Problem::field("Content-Type", "is one media type, like application/pdf");
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(first) = sent.next() else { return Ok("application/octet-stream".to_owned()) };
    let first = first.to_str().ok().filter(|_| sent.next().is_none()).ok_or_else(wrong)?;
    let essence = first.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let parts: Vec<&str> = essence.split('/').collect();
    if essence.len() <= 127 && matches!(parts[..], [kind, subtype] if token(kind) && token(subtype)) {
        Ok(essence)
    } else {
        Err(wrong())
    }
}

/// A body that comes in, within its times.
pub(super) struct Incoming {
    stream: BodyDataStream,
    until: Instant,
    /// What the client says that it will send.
    pub announced: Option<u64>,
    /// The client asks first (`Expect: 100-continue`), and sends nothing before it is read from.
    asks: bool,
}

impl Incoming {
    pub(super) fn of(headers: &HeaderMap, body: Body) -> Self {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let asks = headers.contains_key(header::EXPECT);
        Self { stream: body.into_data_stream(), until: Instant::now() + WHOLE, announced, asks }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        self.asks = false;
        let until = self.until.min(Instant::now() + SILENT);
        match timeout_at(until, self.stream.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(_))) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, "cut_off", "The body ended early. Nothing was stored."))
            }
            Err(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The body took too long: half a minute of silence, or a quarter of an hour in all. Nothing was stored.",
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

/// A file that lies sealed in the store, and belongs to nothing yet.
pub(super) struct Received {
    pub object: ObjectId,
    pub key: ObjectKey,
    pub media_type: String,
    pub stored: Sum,
    /// What came in, where that is not what is stored.
    pub came_in: Option<Sum>,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
}

impl Received {
    /// The hash of what came in, as the client can compute it too.
    pub(super) fn sha256(&self) -> &str {
        &self.came_in.as_ref().unwrap_or(&self.stored).sha256
    }
}

/// The store does not answer: said in the log by its own words, and to the client without them.
pub(super) fn away(error: &object_store::Error) -> Problem {
    tracing::error!(%error, "the store of attachments");
    Problem::away("objects_away", "The store of attachments does not answer. Nothing was stored. Send it again.")
}

/// Receives a body into the store. Its erasure key is durable before its first byte is; what was stored when this fails
/// belongs to nothing, and is swept.
///
/// # Errors
/// As the body is not taken, or a store does not answer.
pub(super) async fn receive(
    erasure: &PgPool,
    objects: &Objects,
    told: &Told,
    incoming: &mut Incoming,
) -> Result<Received, Problem> {
    let limits = &objects.limits;
    if incoming.announced.is_some_and(|announced| announced > limits.largest) {
        return Err(Problem::too_large("The file", limits.largest));
    }
    let _place = place(&limits.files).await?;
    let mut head = Vec::new();
    while head.len() < image::TELLING {
        let Some(piece) = incoming.next().await? else { break };
        head.extend_from_slice(&piece);
    }
    if head.is_empty() {
        return Err(Problem::field("body", "is empty"));
    }
    let kind = match image::recognise(&head) {
        Recognised::Image(kind) => Some(kind),
        Recognised::OtherImage(what) => return Err(other_image(&format!("the body is {what}"))),
        Recognised::Opaque if told.media_type.starts_with("image/") => {
            return Err(other_image("the body is none of these, whatever it is called"));
        }
        Recognised::Opaque => None,
    };
    let Some(kind) = kind else {
        let mut sink = Sink::begin(erasure, objects).await?;
        let filled = fill(&mut sink, incoming, head, limits.largest).await;
        return sink.end(erasure, filled, told.media_type.clone()).await;
    };
    let _place = place(&limits.images).await?;
    let whole = whole(incoming, head, limits.largest_image.min(limits.largest)).await?;
    let came = Sum { bytes: whole.len() as u64, sha256: hex(&Sha256::digest(&whole)) };
    let picture = stripped(kind, whole).await?;
    let mut sink = Sink::begin(erasure, objects).await?;
    let filled = sink.take(&picture).await;
    let mut received = sink.end(erasure, filled, kind.media_type().to_owned()).await?;
    received.came_in = Some(came).filter(|came| *came != received.stored);
    Ok(received)
}

async fn fill(sink: &mut Sink, incoming: &mut Incoming, head: Vec<u8>, largest: u64) -> Result<(), Problem> {
    let mut piece = Some(Bytes::from(head));
    while let Some(bytes) = piece {
        if sink.sealer.length() + bytes.len() as u64 > largest {
            return Err(Problem::too_large("The file", largest));
        }
        sink.take(&bytes).await?;
        piece = incoming.next().await?;
    }
    Ok(())
}

async fn place(places: &Semaphore) -> Result<SemaphorePermit<'_>, Problem> {
    match timeout(WAIT, places.acquire()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Problem::away("busy", "Too many files are being received. Nothing was stored. Send it again.")),
    }
}

fn other_image(what: &str) -> Problem {
    let message = format!(
        "metadata is taken out of images, which is known for JPEG, PNG and WebP: {what}. Convert it; or, if it is evidence \
         that must stay as it is, put it into an archive"
    );
    Problem::field("body", message)
}

/// An image, whole: within its limit.
async fn whole(incoming: &mut Incoming, head: Vec<u8>, largest: u64) -> Result<Bytes, Problem> {
    let too_large = || Problem::too_large("The image", largest);
    if incoming.announced.is_some_and(|announced| announced > largest) {
        return Err(too_large());
    }
    let mut whole = head;
    while let Some(piece) = incoming.next().await? {
        whole.extend_from_slice(&piece);
        if whole.len() as u64 > largest {
            return Err(too_large());
        }
    }
    Ok(whole.into())
}

async fn stripped(kind: Image, whole: Bytes) -> Result<Bytes, Problem> {
    let stripped = tokio::task::spawn_blocking(move || kind.strip(whole)).await;
    let stripped = stripped.map_err(|_| Problem::fault("an image could not be taken apart"))?;
    stripped.map_err(|why| {
        let message = format!("begins like {}, and cannot be read as such: {why}", kind.media_type());
        Problem::field("body", message)
    })
}

/// Where content goes: hashed, sealed, hashed again, written.
struct Sink {
    object: ObjectId,
    key: ObjectKey,
    sealer: Sealer,
    writing: Writing,
    content: Sha256,
    sealed: Sha256,
    out: Vec<u8>,
}

fn refused(_: crate::guard::bytes::SealError) -> Problem {
    Problem::fault("a file could not be sealed")
}

impl Sink {
    async fn begin(erasure: &PgPool, objects: &Objects) -> Result<Self, Problem> {
        let object = ObjectId::random();
        let (key, content_key) = ObjectKey::make(erasure, object).await?;
        let mut out = Vec::new();
        let sealer = Sealer::new(&content_key, &object_context(object), &mut out).map_err(refused)?;
        let writing = objects.write(object).await.map_err(|error| away(&error))?;
        Ok(Self { object, key, sealer, writing, content: Sha256::new(), sealed: Sha256::new(), out })
    }

    async fn take(&mut self, content: &[u8]) -> Result<(), Problem> {
        for step in content.chunks(STEP) {
            self.content.update(step);
            self.sealer.push(step, &mut self.out).map_err(refused)?;
            self.write().await?;
        }
        Ok(())
    }

    /// Finishes what was filled, or gives it up: then its key goes at once.
    async fn end(self, erasure: &PgPool, filled: Result<(), Problem>, media_type: String) -> Result<Received, Problem> {
        let Err(problem) = filled else { return self.finish(media_type).await };
        self.writing.abort().await;
        if let Err(error) = delete_erasure_key(erasure, self.object.0).await {
            tracing::warn!(%error, "the key of an upload that was given up is swept later");
        }
        Err(problem)
    }

    async fn write(&mut self) -> Result<(), Problem> {
        self.sealed.update(&self.out);
        let written = self.writing.put(&self.out).await;
        self.out.clear();
        written.map_err(|error| away(&error))
    }

    async fn finish(mut self, media_type: String) -> Result<Received, Problem> {
        static ZEROS: [u8; STEP] = [0; STEP];
        let stored = Sum { bytes: self.sealer.length(), sha256: hex(&self.content.clone().finalize()) };
        let mut padding = self.sealer.padding().map_err(refused)?;
        while padding > 0 {
            let step = usize::try_from(padding).map_or(STEP, |padding| padding.min(STEP));
            self.sealer.push(ZEROS.get(..step).unwrap_or_default(), &mut self.out).map_err(refused)?;
            padding -= step as u64;
            self.write().await?;
        }
        let Self { object, key, sealer, mut writing, mut sealed, mut out, .. } = self;
        sealer.finish(&mut out).map_err(refused)?;
        sealed.update(&out);
        writing.put(&out).await.map_err(|error| away(&error))?;
        writing.finish().await.map_err(|error| away(&error))?;
        Ok(Received { object, key, media_type, stored, came_in: None, digest: sealed.finalize().into() })
    }
}
