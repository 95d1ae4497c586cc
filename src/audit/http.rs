//! The auditor's view: the ledger under pseudonyms.

use super::entry::{self, Detail, Leaf, Place};
use super::keys::LogKeys;
use super::tree;
use super::{ledger, store};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::keys;
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::guard::session::Who;
use crate::guard::{store as guard_store, vault};
use crate::platform::app::App;
use crate::platform::http::{Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The routes of the ledger.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// An entry as the auditor reads it.
#[derive(Serialize, ToSchema)]
pub struct EntryView {
    /// Its index in the tree.
    pub position: i64,
    /// What happened, if the entry was sealed to a key that this auditor holds, and is as it was written.
    #[schema(value_type = Object)]
    pub detail: Option<Detail>,
    /// The entry or its detail was deleted or changed after it was written: somebody changed the database behind the
    /// service. `himaya audit verify` says more.
    pub altered: bool,
}

/// Read the ledger, newest entries first. Looking into it is an entry itself.
#[utoipa::path(operation_id = "ledger_list", get, path = "/api/v1/ledger/entries", tag = "ledger", params(Page, ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = Listed<EntryView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    page: Paged,
) -> Result<Json<Listed<EntryView>>, Problem> {
    let target = Target::Kind(RecordKind::Ledger);
    let leave = app.gate.authorize::<verbs::List, kinds::LedgerEntry>(&who, target, purpose).await?;
    let before = page.before()?;
    shared_keys::renew_or_warn(&app, &who).await;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::page(&app.databases.auditor, before, page.limit + 1).await?;
    let detail_keys = detail_keys(&mut look, &who, &rows).await?;
    // What is shown is recorded first, as everywhere.
    look.conclude(vec![], vec![]).await?.spend();
    let log = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
    let items = rows.iter().map(|row| view(row, &detail_keys, &log)).collect();
    Ok(Json(page.page(items, |entry: &EntryView| entry.position)))
}

type DetailKeys = HashMap<Uuid, Zeroizing<[u8; 32]>>;

/// Anybody who writes to the database can seal a detail under a key of their own: it is shown only if the leaf that this
/// service signed, and that stands in the tree, commits to it.
fn view(row: &store::Page, detail_keys: &DetailKeys, log: &LogKeys) -> EntryView {
    let position = row.position;
    let altered = EntryView { position, detail: None, altered: true };
    let (Some(leaf), Some(sealed), Some(key)) = (leaf(row, log), &row.detail, row.detail_key) else { return altered };
    // Sealed to a key that this auditor does not hold.
    let Some(key) = detail_keys.get(&key) else { return EntryView { altered: false, ..altered } };
    let Some(plain) = ledger::open_detail(key, leaf.place, sealed) else { return altered };
    if entry::commitment(&plain) != leaf.commitment {
        return altered;
    }
    let Ok(detail) = serde_json::from_slice(&plain) else { return altered };
    EntryView { position, detail: Some(detail), altered: false }
}

/// The leaf of this place, as it was signed and numbered.
fn leaf(row: &store::Page, log: &LogKeys) -> Option<Leaf> {
    let bytes = row.leaf.as_deref()?;
    log.signer(bytes, row.signature.as_deref()?)?;
    let place = Place { replica: row.replica, lane: row.lane, n: row.n };
    let numbered = tree::leaf_hash(bytes).as_bytes()[..] == row.leaf_hash;
    Leaf::parse(bytes).filter(|leaf| numbered && leaf.place == place)
}

type Looking = Look<verbs::List, kinds::LedgerEntry>;

/// The hours' keys that this auditor can unwrap.
async fn detail_keys(look: &mut Looking, who: &Who, rows: &[store::Page]) -> Result<DetailKeys, Problem> {
    let mut shared = HashMap::new();
    let mut opened = HashMap::new();
    for row in rows {
        let (Some(detail_key), Some(sealed)) = (row.detail_key, &row.wrap) else { continue };
        if opened.contains_key(&detail_key) {
            continue;
        }
        let Some(epoch) = row.key_id else {
            // From the founding, before there was an auditor's key.
            if let Ok(key) = <[u8; 32]>::try_from(sealed.as_slice()) {
                opened.insert(detail_key, Zeroizing::new(key));
            }
            continue;
        };
        if let std::collections::hash_map::Entry::Vacant(place) = shared.entry(epoch) {
            let wrap = guard_store::shared_wrap(look.sql(), epoch, who.account).await?;
            place.insert(wrap.and_then(|wrap| vault::shared_private(&who.keys, epoch, &wrap).ok()));
        }
        if let Some(Some(private)) = shared.get(&epoch)
            && let Ok(key) = keys::unwrap_key(sealed, private, &ledger::detail_context(detail_key))
        {
            opened.insert(detail_key, key);
        }
    }
    Ok(opened)
}
