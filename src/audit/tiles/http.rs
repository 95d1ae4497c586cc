//! What is answered to those who check the ledger from outside.

use super::access::Fetching;
use super::hashes::Proof;
use super::model::{Holds, Tile, bundle};
use super::store;
use crate::audit::keys::introductions;
use crate::audit::tree::{Hash, leaf_hash};
use crate::platform::app::App;
use crate::platform::http::{InPath, Lasting};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// First line of a C2SP `tlog-proof`.
const PROOF: &str = "c2sp.org/tlog-proof@v1";

/// The routes of the tree.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(checkpoint)).routes(routes!(tile)).routes(routes!(proof)).routes(routes!(keys))
}

/// The notes by which each of the log's keys introduces the next.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct KeysView {
    pub introductions: Vec<String>,
}

/// The newest checkpoint that is served, and how many leaves it covers.
async fn newest(app: &App) -> Result<(u64, String), Problem> {
    let note = store::newest(&app.databases.auditor).await?.ok_or_else(Problem::absent)?;
    let keys = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
    let signed = keys.read(&note).map_err(|_| Problem::fault("the newest checkpoint is not this log's"))?;
    Ok((signed.checkpoint.size(), note))
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
    let (size, _) = newest(&app).await?;
    if !tile.is_in(size) {
        return Err(Problem::absent());
    }
    let bytes = bytes(&app, tile).await?;
    let mut answer = ([(header::CONTENT_TYPE, BYTES)], bytes.bytes).into_response();
    // Not compressed: nearly all of an entry is hashes.
    if bytes.whole {
        answer.extensions_mut().insert(Lasting);
    }
    Ok(answer)
}

struct Bytes {
    bytes: Vec<u8>,
    /// Whether it is what was numbered: only that never changes.
    whole: bool,
}

async fn bytes(app: &App, tile: Tile) -> Result<Bytes, Problem> {
    let mut connection = app.databases.auditor.acquire().await?;
    let gone = || Problem::fault("ALARM: a row of the tree is gone: verify the ledger");
    match tile.holds() {
        Holds::Hashes(_) => {
            let hashes = store::hashes(&mut connection, tile).await?;
            if hashes.len() as u64 != tile.width() {
                return Err(gone());
            }
            Ok(Bytes { bytes: hashes.iter().flat_map(Hash::as_bytes).copied().collect(), whole: true })
        }
        Holds::Entries => {
            let kept = store::entries(&mut connection, tile).await?;
            if kept.len() as u64 != tile.width() {
                return Err(gone());
            }
            let fits = |one: &store::Kept| {
                one.leaf.as_deref().is_some_and(|leaf| leaf_hash(leaf).as_bytes().as_slice() == one.leaf_hash)
            };
            // What was deleted or edited goes out as it is now: whoever checks finds out which entry it was.
            let whole = kept.iter().all(fits);
            if !whole {
                tracing::error!("ALARM: an entry was deleted or changed after it was numbered: verify the ledger");
            }
            let bytes = bundle(kept.iter().map(|one| one.leaf.as_deref())).map_err(|_| gone())?;
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
    let (size, note) = newest(&app).await?;
    let proof = Proof::inclusion(index, size).map_err(|_| Problem::absent())?;
    let mut connection = app.databases.auditor.acquire().await?;
    let hashes = store::runs(&mut connection, &proof.needed()).await?;
    let hashes =
        proof.from(&hashes).ok_or_else(|| Problem::fault("ALARM: a row of the tree is gone: verify the ledger"))?;
    let mut text = format!("{PROOF}\nindex {index}\n");
    for hash in hashes {
        let _ = writeln!(text, "{hash}");
    }
    text.push('\n');
    text.push_str(&note);
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// How the log's keys followed one another: whoever knows the first one knows all of them by these notes.
#[utoipa::path(operation_id = "ledger_keys", get, path = "/ledger/keys", tag = "ledger", params(("Purpose" = Option<String>, Header)),
    security(("ledger_verifier" = []), ("access_token" = [], "session_secret" = [])),
    responses((status = 200, body = KeysView), (status = "4XX", body = ProblemDocument)))]
pub async fn keys(_fetching: Fetching, State(app): State<App>) -> Result<Json<KeysView>, Problem> {
    let folder = app.config.checkpoints.clone();
    let read = tokio::task::spawn_blocking(move || introductions(&folder)).await;
    let away = || Problem::away("checkpoints_away", "The folder of checkpoints does not answer. Try again in seconds.");
    let introductions = read.map_err(|_| away())?.map_err(|_| away())?;
    Ok(Json(KeysView { introductions }))
}
