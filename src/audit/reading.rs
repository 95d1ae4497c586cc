//! Entries as an auditor may see them: what the service wrote, opened with the hours' keys that this auditor holds.

use super::entry::{self, Detail, Leaf, Place};
use super::keys::LogKeys;
use super::retention::Periods;
use super::retention::statement::Statement;
use super::tree;
use super::{ledger, retention, store};
use crate::guard::gate::{About, Does};
use crate::guard::keys;
use crate::guard::look::Look;
use crate::guard::session::Who;
use crate::guard::vouch::is_vouched;
use crate::guard::{store as guard_store, vault};
use crate::platform::app::App;
use crate::platform::problem::Problem;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

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
    /// What happened was erased, since the time for which such entries are kept was over.
    pub erased: bool,
    /// For how many months what entries say is kept, by class, as this entry announces: a shorter period counts thirty days after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub periods: Option<Periods>,
}

impl EntryView {
    const fn altered(position: i64) -> Self {
        Self { position, detail: None, altered: true, erased: false, periods: None }
    }
}

/// Rows of the ledger for one auditor: first the keys are found, then that they looked is recorded, and only then
/// anything is opened.
pub(super) struct Reading {
    log: LogKeys,
    opened: DetailKeys,
    offices: Vec<(i64, usize)>,
    erased: HashSet<i64>,
    rows: Vec<store::Page>,
}

impl Reading {
    /// Finds what these rows, newest first, are opened with.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn prepare<V: Does, K: About>(
        app: &App,
        look: &mut Look<V, K>,
        who: &Who,
        rows: Vec<store::Page>,
    ) -> Result<Self, Problem> {
        let log = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
        let opened = detail_keys(look, who, &rows).await?;
        let offices = offices(app, &rows, &log).await?;
        let erased = erased(app, &rows).await?;
        Ok(Self { log, opened, offices, erased, rows })
    }

    /// The same for rows between which others lie that are not asked for, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn prepare_some<V: Does, K: About>(
        app: &App,
        look: &mut Look<V, K>,
        who: &Who,
        rows: Vec<store::Page>,
    ) -> Result<Self, Problem> {
        let log = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
        let opened = detail_keys(look, who, &rows).await?;
        // Where one key signed all there is, none has taken over.
        let positions: Vec<i64> =
            if log.all().len() > 1 { rows.iter().map(|row| row.position).collect() } else { vec![] };
        let stored = store::checkpoints_at(&app.databases.auditor, &positions).await?;
        let offices =
            stored.iter().filter_map(|stored| Some((stored.size, log.read(&stored.note).ok()?.key))).collect();
        let erased = erased(app, &rows).await?;
        Ok(Self { log, opened, offices, erased, rows })
    }

    /// The entry of each row, opened one by one as they are asked for.
    pub(super) fn of_rows(&self) -> impl Iterator<Item = EntryView> {
        self.rows.iter().map(|row| self.view(row))
    }

    /// The entries, opened one by one as they are asked for. Where a place of the tree is empty between two of them, the entry
    /// was taken away with its place.
    pub(super) fn entries(&self) -> impl Iterator<Item = EntryView> {
        let above = self.rows.iter().map(|row| Some(row.position));
        self.rows.iter().zip(std::iter::once(None).chain(above)).flat_map(|(row, above)| {
            let gone = above.map_or(0..0, |above| row.position + 1..above).rev();
            let gone = gone.map(EntryView::altered);
            gone.chain(std::iter::once_with(|| self.view(row)))
        })
    }

    fn view(&self, row: &store::Page) -> EntryView {
        let is_erased = row.detail.is_none() && self.erased.contains(&row.position);
        match leaf(row, &self.log, &self.offices) {
            Some(_) if is_erased => EntryView { altered: false, erased: true, ..EntryView::altered(row.position) },
            _ => view(row, &self.opened, &self.log, &self.offices),
        }
    }
}

/// Which of these entries say nothing any more since their time was over: as the service stored it, and vouches for.
async fn erased(app: &App, rows: &[store::Page]) -> Result<HashSet<i64>, sqlx::Error> {
    let gone: HashSet<i64> = rows.iter().filter(|row| row.detail.is_none()).map(|row| row.position).collect();
    let (Some(first), Some(last)) = (gone.iter().min(), gone.iter().max()) else { return Ok(gone) };
    let voucher = app.places.trust.voucher();
    let mut erased = HashSet::new();
    for told in retention::store::over(&app.databases.auditor, *first, *last).await? {
        if is_vouched(Some(&told.vouch), &voucher.retention(told.id, &told.statement)) {
            let named = Statement::parse(&told.statement).map(|statement| statement.positions).unwrap_or_default();
            erased.extend(named.into_iter().filter(|position| gone.contains(position)));
        }
    }
    Ok(erased)
}

/// By hour; nothing for one whose wrap does not open with the key to which it says that it is sealed.
type DetailKeys = HashMap<Uuid, Option<Zeroizing<[u8; 32]>>>;

/// Anybody who writes to the database can seal a detail under a key of their own: it is shown only if the leaf that this
/// service signed, and that stands in the tree, commits to it.
fn view(row: &store::Page, opened: &DetailKeys, log: &LogKeys, offices: &[(i64, usize)]) -> EntryView {
    let position = row.position;
    let altered = EntryView::altered(position);
    let (Some(leaf), Some(sealed), Some(key)) = (leaf(row, log, offices), &row.detail, row.detail_key) else {
        return altered;
    };
    let key = match opened.get(&key) {
        Some(Some(key)) => key,
        // Sealed, so it says, to a key that this auditor holds: and it is not.
        Some(None) => return altered,
        // Sealed to a key that this auditor does not hold.
        None => return EntryView { altered: false, ..altered },
    };
    let Some(plain) = ledger::open_detail(key, leaf.place, sealed) else { return altered };
    if entry::commitment(&plain) != leaf.commitment {
        return altered;
    }
    let Ok(detail) = serde_json::from_slice(&plain) else { return altered };
    EntryView { position, detail: Some(detail), altered: false, erased: false, periods: Periods::announced(&leaf) }
}

/// From which positions on which key signs, as far as it matters for these rows: where a key has taken over, what an older
/// one signed is a thief's.
async fn offices(app: &App, rows: &[store::Page], log: &LogKeys) -> Result<Vec<(i64, usize)>, Problem> {
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let stored = store::checkpoints_over(&app.databases.auditor, oldest.position, newest.position).await?;
    Ok(stored.iter().filter_map(|stored| Some((stored.size, log.read(&stored.note).ok()?.key))).collect())
}

/// The hour of an entry that is as it was written, by its own leaf.
pub(super) fn hour_of(row: &store::Page, log: &LogKeys) -> Option<i64> {
    leaf(row, log, &[]).map(|leaf| leaf.hour)
}

/// The leaf of this place, as it was signed by a key that was in office, and numbered.
fn leaf(row: &store::Page, log: &LogKeys, offices: &[(i64, usize)]) -> Option<Leaf> {
    let bytes = row.leaf.as_deref()?;
    let signs = offices.iter().filter(|(from, _)| *from <= row.position).map(|(_, key)| *key).max();
    log.signer(bytes, row.signature.as_deref()?).filter(|key| Some(*key) >= signs)?;
    let place = Place { replica: row.replica, lane: row.lane, n: row.n };
    let numbered = tree::leaf_hash(bytes).as_bytes()[..] == row.leaf_hash;
    Leaf::parse(bytes).filter(|leaf| numbered && leaf.place == place)
}

/// The hours' keys that this auditor can unwrap.
async fn detail_keys<V: Does, K: About>(
    look: &mut Look<V, K>,
    who: &Who,
    rows: &[store::Page],
) -> Result<DetailKeys, Problem> {
    let mut shared = HashMap::new();
    let mut opened = HashMap::new();
    for row in rows {
        let (Some(detail_key), Some(sealed)) = (row.detail_key, &row.wrap) else { continue };
        if opened.contains_key(&detail_key) {
            continue;
        }
        let Some(epoch) = row.key_id else {
            // From the founding, before there was an auditor's key.
            opened.insert(detail_key, <[u8; 32]>::try_from(sealed.as_slice()).ok().map(Zeroizing::new));
            continue;
        };
        if let std::collections::hash_map::Entry::Vacant(place) = shared.entry(epoch) {
            let wrap = guard_store::shared_wrap(look.sql(), epoch, who.account).await?;
            place.insert(wrap.and_then(|wrap| vault::shared_private(&who.keys, epoch, &wrap).ok()));
        }
        if let Some(Some(private)) = shared.get(&epoch) {
            opened.insert(detail_key, keys::unwrap_key(sealed, private, &ledger::detail_context(detail_key)).ok());
        }
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::note::{KeyName, NoteVerifier};
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn what_an_older_key_signed_behind_the_place_where_another_took_over_is_not_shown() {
        let keys = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let name = KeyName::new("log.example").unwrap();
        let log =
            LogKeys::in_order(keys.iter().map(|key| NoteVerifier::new(name.clone(), &key.verifying_key())).collect());
        let shown = |position, by: usize, offices: &[(i64, usize)]| {
            let place = Place { replica: Uuid::from_u128(1), lane: 0, n: 0 };
            let bytes = Leaf::new(place, place.origin(), 0, [0; 32], b"detail", None).to_bytes();
            let row = store::Page {
                position,
                replica: place.replica,
                lane: 0,
                n: 0,
                leaf_hash: tree::leaf_hash(&bytes).as_bytes().to_vec(),
                signature: keys.get(by).map(|key| key.sign(&entry::signed_message(&bytes)).to_bytes().to_vec()),
                leaf: Some(bytes),
                detail: None,
                detail_key: None,
                key_id: None,
                wrap: None,
            };
            leaf(&row, &log, offices).is_some()
        };
        let offices = [(3, 0), (5, 1), (9, 1)];
        assert!(shown(4, 0, &offices) && shown(4, 1, &offices) && shown(5, 1, &offices));
        assert!(!shown(5, 0, &offices) && !shown(8, 0, &offices));
        assert!(shown(5, 0, &[]) && !shown(5, 0, &[(9, 1), (5, 1)]));
    }
}
