//! Receiving: a body becomes a sealed object, piece by piece. Nothing is held whole but an image, whose metadata is taken
//! out before anything of it is stored.

use super::image::{self, Image, Recognised};
use super::incoming::Incoming;
use super::model::Sum;
use super::sink::Sink;
use super::told::Told;
use crate::guard::record::{AccountId, ObjectId};
use crate::guard::statement::hex;
use crate::guard::vault::ObjectKey;
use crate::platform::objects::{self, Objects};
use crate::platform::problem::Problem;
use axum::body::Bytes;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

/// After so many bytes it is asked again whether the disk has room.
const ROOM: u64 = 16 << 20;

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

/// The store does not answer: said in the log by the kind of failure, and to the client without it. Its own words would
/// name the object, and may repeat whatever the store answered.
pub(super) fn away(error: &object_store::Error) -> Problem {
    tracing::error!(why = objects::kind(error), "the store of attachments");
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
    account: AccountId,
    told: &Told,
    incoming: &mut Incoming,
) -> Result<Received, Problem> {
    let limits = &objects.limits;
    if incoming.announced.is_some_and(|announced| announced > limits.largest) {
        return Err(Problem::too_large("The file", limits.largest));
    }
    room(objects, incoming.announced.unwrap_or_default())?;
    // The person's own first: who sends much waits for themselves, and takes no place from others meanwhile.
    let _own = limits.uploads.of(account).await.ok_or_else(busy)?;
    let _place = objects::place(&limits.files, limits.patience.wait).await.ok_or_else(busy)?;
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
        let filled = fill(&mut sink, objects, incoming, head).await;
        return sink.end(erasure, filled, told.media_type.clone()).await;
    };
    let _place = objects::place(&limits.images, limits.patience.wait).await.ok_or_else(busy)?;
    let whole = whole(incoming, head, limits.largest_image.min(limits.largest)).await?;
    let came = Sum { bytes: whole.len() as u64, sha256: hex(&Sha256::digest(&whole)) };
    let picture = stripped(kind, whole).await?;
    let mut sink = Sink::begin(erasure, objects).await?;
    let filled = sink.take(&picture).await;
    let mut received = sink.end(erasure, filled, kind.media_type().to_owned()).await?;
    received.came_in = Some(came).filter(|came| *came != received.stored);
    Ok(received)
}

async fn fill(sink: &mut Sink, objects: &Objects, incoming: &mut Incoming, head: Vec<u8>) -> Result<(), Problem> {
    let largest = objects.limits.largest;
    let (mut piece, mut asked) = (Some(Bytes::from(head)), 0);
    while let Some(bytes) = piece {
        let length = sink.length() + bytes.len() as u64;
        if length > largest {
            return Err(Problem::too_large("The file", largest));
        }
        // Others fill the disk meanwhile.
        if length - asked > ROOM {
            room(objects, 0)?;
            asked = length;
        }
        sink.take(&bytes).await?;
        piece = incoming.next().await?;
    }
    Ok(())
}

/// Whether there is room for so much. On the same disk there may be what must never fail to be written, the checkpoints
/// and the tombstones: files leave some of it free.
fn room(objects: &Objects, bytes: u64) -> Result<(), Problem> {
    if objects.has_room(bytes) {
        return Ok(());
    }
    tracing::error!("the disk of attachments is nearly full: no file is taken until there is room again");
    Err(Problem::away("no_room", "There is no room for files now. Nothing was stored. Tell the administrator."))
}

fn busy() -> Problem {
    Problem::away("busy", "Too many files are being received. Nothing was stored. Send it again.")
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
    // Growing step by step would hold it twice.
    let expected = incoming.announced.and_then(|announced| usize::try_from(announced).ok()).unwrap_or_default();
    whole.reserve_exact(expected.saturating_sub(whole.len()));
    while let Some(piece) = incoming.next().await? {
        whole.extend_from_slice(&piece);
        if whole.len() as u64 > largest {
            return Err(too_large());
        }
    }
    Ok(whole.into())
}

async fn stripped(kind: Image, whole: Bytes) -> Result<Vec<u8>, Problem> {
    let stripped = tokio::task::spawn_blocking(move || kind.strip(&whole)).await;
    let stripped = stripped.map_err(|_| Problem::fault("an image could not be taken apart"))?;
    stripped.map_err(|why| {
        let message = format!("begins like {}, and cannot be read as such: {why}", kind.media_type());
        Problem::field("body", message)
    })
}
