//! What is answered to those who check the ledger from outside.

use super::access::Fetching;
use super::hashes::{Proof, Run};
use super::model::{HASH_BYTES, Holds, Tile, bundle};
use super::newest::{self, Newest, NoneGiven};
use super::{pruning, store};
use crate::audit::keys::{LogKeys, Signed, introductions};
use crate::audit::tree::{TreeHead, verify_inclusion};
use crate::audit::witnesses::Witnesses;
use crate::platform::app::App;
use crate::platform::http::{InPath, Lasting};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// First line of a C2SP `tlog-proof`.
const PROOF: &str = "c2sp.org/tlog-proof@v1";

/// The folder of checkpoints is large: so many look into it at a time, and never take the threads that passphrases need.
static LOOKING: Semaphore = Semaphore::const_new(2);

/// The routes of the tree.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(checkpoint)).routes(routes!(tile)).routes(routes!(proof)).routes(routes!(keys))
}

/// The notes by which each of the log's keys introduces the next, and how much of the log is given.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct KeysView {
    pub introductions: Vec<String>,
    /// From which entry on the tree is given: bundles and tiles that end before are not. The beginning of a bundle.
    #[serde(default)]
    pub minimum_index: u64,
}

/// The newest checkpoint that is served, and the tree that it signs.
async fn newest(app: &App) -> Result<(TreeHead, String), Problem> {
    let keys = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
    match newest::newest(&app.databases.auditor, &keys, &app.config.checkpoints).await {
        Ok(Newest { signed, note }) => as_witnessed(app, &keys, signed, note).await,
        Err(NoneGiven::Store(error)) => Err(error.into()),
        Err(NoneGiven::Empty) => Err(Problem::absent()),
        Err(NoneGiven::Folder(_)) => Err(folder_away()),
        Err(error) => {
            tracing::error!(%error, "ALARM: the newest checkpoint is given to nobody: verify the ledger");
            let detail = "The newest checkpoint contradicts what is kept outside the database. Tell the operator to verify the ledger.";
            Err(Problem::away("checkpoint_contradicted", detail))
        }
    }
}

/// Where witnesses are configured, the newest checkpoint that enough of them have cosigned, with what they signed: nobody is
/// given what nobody outside has seen.
async fn as_witnessed(app: &App, keys: &LogKeys, newest: Signed, note: String) -> Result<(TreeHead, String), Problem> {
    let witnesses = Witnesses::of(&app.config).map_err(|_| Problem::fault("a witness's key is none"))?;
    let Some(witnesses) = witnesses else { return Ok((newest.checkpoint.head(), note)) };
    let served = witnesses.served(&app.databases.auditor, keys, app.places.clock.now()).await?;
    let cosigned = served.ok_or_else(Problem::absent)?;
    let head = keys.read(&cosigned.note).map_err(|_| Problem::fault("a cosigned checkpoint is not this log's"))?;
    if head.checkpoint.size() > newest.checkpoint.size() {
        tracing::error!("ALARM: witnesses have seen a longer ledger than there is");
        return Err(Problem::away("checkpoint_contradicted", "Witnesses have seen a longer ledger than there is."));
    }
    Ok((head.checkpoint.head(), cosigned.note))
}

fn folder_away() -> Problem {
    Problem::away("checkpoints_away", "The folder of checkpoints does not answer. Try again in seconds.")
}

/// The newest checkpoint, a signed note: how many entries there are, and the root of the tree above them.
#[utoipa::path(operation_id = "ledger_checkpoint", get, path = "/ledger/checkpoint", tag = "ledger", params(("Purpose" = Option<String>, Header)),
    security(("ledger_verifier" = []), ("access_token" = [], "session_secret" = [])),
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = ProblemDocument)))]
pub async fn checkpoint(_fetching: Fetching, State(app): State<App>) -> Result<Response, Problem> {
    let (_, note) = newest(&app).await?;
    Ok(([(header::CONTENT_TYPE, TEXT)], note).into_response())
}

/// A tile of hashes (`0/x001/x234/067`, `0/003.p/12`), or a bundle of entries (`entries/003.p/12`), by C2SP tlog-tiles, as far as the newest
/// checkpoint covers it.
#[utoipa::path(operation_id = "ledger_tile", get, path = "/ledger/tile/{*tile}", tag = "ledger", params(("tile" = String, Path), ("Purpose" = Option<String>, Header)),
    security(("ledger_verifier" = []), ("access_token" = [], "session_secret" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = ProblemDocument)))]
pub async fn tile(
    _fetching: Fetching,
    State(app): State<App>,
    InPath(path): InPath<String>,
) -> Result<Response, Problem> {
    let tile = Tile::parse(&path).map_err(|_| Problem::absent())?;
    let (head, _) = newest(&app).await?;
    if !tile.is_in(head.size) {
        return Err(Problem::absent());
    }
    let minimum = minimum(&app).await?;
    if pruning::is_pruned(tile, minimum) {
        return Err(pruning::gone(minimum));
    }
    let bytes = bytes(&app, tile).await?;
    let mut answer = ([(header::CONTENT_TYPE, BYTES)], bytes.bytes).into_response();
    // Not compressed: nearly all of an entry is hashes.
    if bytes.whole {
        answer.extensions_mut().insert(Lasting);
    }
    Ok(answer)
}

async fn minimum(app: &App) -> Result<u64, Problem> {
    let keys = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
    Ok(app.pruning.minimum(&app.databases.auditor, &keys, app.places.clock.now()).await?)
}

struct Bytes {
    bytes: Vec<u8>,
    /// Whether it is what was numbered: only that never changes.
    whole: bool,
}

async fn bytes(app: &App, tile: Tile) -> Result<Bytes, Problem> {
    let mut connection = app.databases.auditor.acquire().await?;
    match tile.holds() {
        Holds::Hashes(_) => {
            let hashes = store::hashes(&mut connection, tile).await?;
            // In the place of a row that was deleted stands what is nothing's hash: whoever checks finds out which one it was.
            let whole = hashes.iter().all(Option::is_some);
            if !whole {
                tracing::error!(%tile, "ALARM: a hash of the tree was deleted: verify the ledger");
            }
            let bytes = hashes.iter().flat_map(|hash| hash.map_or([0; HASH_BYTES], |hash| *hash.as_bytes())).collect();
            Ok(Bytes { bytes, whole })
        }
        Holds::Entries => {
            let kept = store::entries(&mut connection, tile).await?;
            // What was deleted or edited goes out as it is now: whoever checks finds out which entry it was.
            let whole = kept.iter().all(store::Kept::fits);
            if !whole {
                tracing::error!("ALARM: an entry was deleted or changed after it was numbered: verify the ledger");
            }
            let bytes = bundle(kept.iter().map(store::Kept::bytes));
            let bytes = bytes.map_err(|_| Problem::fault("an entry does not fit into a bundle"))?;
            Ok(Bytes { bytes, whole })
        }
    }
}

/// That the entry of this index stands in the tree, by C2SP tlog-proof: the proof and the newest checkpoint, to be kept and checked by anybody
/// at any time. The entry's own bytes are in its bundle.
#[utoipa::path(operation_id = "ledger_proof", get, path = "/ledger/proof/{index}", tag = "ledger", params(("index" = u64, Path), ("Purpose" = Option<String>, Header)),
    security(("ledger_verifier" = []), ("access_token" = [], "session_secret" = [])),
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = ProblemDocument)))]
pub async fn proof(
    _fetching: Fetching,
    State(app): State<App>,
    InPath(index): InPath<u64>,
) -> Result<Response, Problem> {
    let (head, note) = newest(&app).await?;
    let proof = Proof::inclusion(index, head.size).map_err(|_| Problem::absent())?;
    let minimum = minimum(&app).await?;
    if index < minimum {
        return Err(pruning::gone(minimum));
    }
    let mut connection = app.databases.auditor.acquire().await?;
    let changed = || Problem::fault("ALARM: the tree is not what the checkpoint signs: verify the ledger");
    let leaf = Run { level: 0, first: index, count: 1 };
    let runs = store::runs(&mut connection, &[proof.needed(), vec![leaf]].concat()).await?;
    let hashes = proof.from(&runs).ok_or_else(changed)?;
    // Nobody is given a proof to keep that proves nothing.
    let leaf = runs.root(&(index..index.saturating_add(1))).ok_or_else(changed)?;
    verify_inclusion(&leaf, index, &head, &hashes).map_err(|_| changed())?;
    let mut text = format!("{PROOF}\nindex {index}\n");
    for hash in hashes {
        let _ = writeln!(text, "{hash}");
    }
    text.push('\n');
    text.push_str(&note);
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// How the log's keys followed one another: whoever knows the first one knows all of them by these notes. And from which entry on the tree is
/// given, where it was pruned.
#[utoipa::path(operation_id = "ledger_keys", get, path = "/ledger/keys", tag = "ledger", params(("Purpose" = Option<String>, Header)),
    security(("ledger_verifier" = []), ("access_token" = [], "session_secret" = [])),
    responses((status = 200, body = KeysView), (status = "4XX", body = ProblemDocument)))]
pub async fn keys(_fetching: Fetching, State(app): State<App>) -> Result<Json<KeysView>, Problem> {
    let minimum_index = minimum(&app).await?;
    let folder = app.config.checkpoints.clone();
    let _place = LOOKING.acquire().await.map_err(|_| folder_away())?;
    let read = tokio::task::spawn_blocking(move || introductions(&folder)).await;
    let introductions = read.map_err(|_| folder_away())?.map_err(|_| folder_away())?;
    Ok(Json(KeysView { introductions, minimum_index }))
}
