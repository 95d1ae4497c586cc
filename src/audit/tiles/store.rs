//! All SQL of tiles.

use super::hashes::{Hashes, Run};
use super::model::{HEIGHT, Holds, Tile, WIDTH, hashes_at};
use crate::audit::entry::LEAF_BYTES;
use crate::audit::tree::{Frontier, Hash, leaf_hash, tree_root};
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The table lets in nothing of another length, as long as nobody changed the table.
fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash::from_bytes)
}

/// A checkpoint, and the size under which it is filed: whoever owns the database may file it under another than its own.
pub struct Filed {
    pub size: i64,
    pub note: String,
}

/// The checkpoint that is filed as the newest one. Nothing of it is believed yet: see [`super::newest`].
///
/// # Errors
/// When the database does not answer.
pub async fn newest(pool: &PgPool) -> Result<Option<Filed>, sqlx::Error> {
    sqlx::query_as!(Filed, "SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_optional(pool)
        .await
}

struct Numbered {
    n: i64,
    hash: Vec<u8>,
}

async fn leaf_hashes(connection: &mut PgConnection, first: u64, end: u64) -> Result<Vec<Numbered>, sqlx::Error> {
    sqlx::query_as!(
        Numbered,
        "SELECT position AS n, leaf_hash AS hash FROM ledger_tree WHERE position >= $1 AND position < $2 ORDER BY position",
        signed(first),
        signed(end)
    )
    .fetch_all(connection)
    .await
}

/// The hashes of a tile, as many as it is wide: none in the place of a row that somebody deleted or made unreadable.
///
/// # Errors
/// When the database does not answer.
pub async fn hashes(connection: &mut PgConnection, tile: Tile) -> Result<Vec<Option<Hash>>, sqlx::Error> {
    let range = tile.range();
    let rows = match tile.holds() {
        Holds::Hashes(0) | Holds::Entries => leaf_hashes(connection, range.start, range.end).await?,
        Holds::Hashes(level) => {
            sqlx::query_as!(
                Numbered,
                "SELECT n, hash FROM ledger_nodes WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n",
                i16::from(level),
                signed(range.start),
                signed(range.end)
            )
            .fetch_all(connection)
            .await?
        }
    };
    let rows: HashMap<i64, Hash> = rows.iter().filter_map(|row| Some((row.n, hash(&row.hash)?))).collect();
    Ok(range.map(|n| rows.get(&signed(n)).copied()).collect())
}

/// A leaf's hash as it was numbered, and the entry that is stored for it now.
#[derive(Default)]
pub struct Kept {
    position: i64,
    leaf_hash: Vec<u8>,
    leaf: Option<Vec<u8>>,
}

impl Kept {
    /// What goes into a bundle. Whoever owns the database could make an entry so long that no bundle holds it, or nobody reads the
    /// bundle to its end: it goes out without bytes, and is found to be wrong like one that was deleted.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.leaf.as_deref().filter(|leaf| leaf.len() <= LEAF_BYTES)
    }

    /// Whether it is what was numbered.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.bytes().is_some_and(|leaf| leaf_hash(leaf).as_bytes().as_slice() == self.leaf_hash)
    }
}

/// The entries of a bundle, as many as it is wide: one without bytes in the place of a row that somebody deleted.
///
/// # Errors
/// When the database does not answer.
pub async fn entries(connection: &mut PgConnection, tile: Tile) -> Result<Vec<Kept>, sqlx::Error> {
    let range = tile.range();
    let rows = sqlx::query_as!(
        Kept,
        r#"SELECT t.position, t.leaf_hash, e.leaf AS "leaf?"
           FROM ledger_tree t
           LEFT JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           WHERE t.position >= $1 AND t.position < $2 ORDER BY t.position"#,
        signed(range.start),
        signed(range.end)
    )
    .fetch_all(connection)
    .await?;
    let mut rows: HashMap<i64, Kept> = rows.into_iter().map(|row| (row.position, row)).collect();
    Ok(range.map(|position| rows.remove(&signed(position)).unwrap_or_default()).collect())
}

/// The hashes of these runs, as far as they are there: one query for the leaves, and one for all levels above.
///
/// # Errors
/// When the database does not answer.
pub async fn runs(connection: &mut PgConnection, wanted: &[Run]) -> Result<Hashes, sqlx::Error> {
    let (mut levels, mut firsts, mut ends) = (vec![], vec![], vec![]);
    for run in wanted {
        levels.push(i16::from(run.level));
        firsts.push(signed(run.first));
        ends.push(signed(run.first.saturating_add(run.count)));
    }
    let rows = sqlx::query!(
        r#"SELECT 0::smallint AS "level!", t.position AS "n!", t.leaf_hash AS "hash!"
           FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS wanted (level, first, past)
           JOIN ledger_tree t ON wanted.level = 0 AND t.position >= wanted.first AND t.position < wanted.past
           UNION ALL
           SELECT o.level, o.n, o.hash
           FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS wanted (level, first, past)
           JOIN ledger_nodes o ON o.level = wanted.level AND o.n >= wanted.first AND o.n < wanted.past"#,
        &levels,
        &firsts,
        &ends
    )
    .fetch_all(connection)
    .await?;
    let mut hashes = Hashes::default();
    for row in rows {
        if let (Ok(level), Ok(n), Some(hash)) = (u8::try_from(row.level), u64::try_from(row.n), hash(&row.hash)) {
            hashes.insert(level, n, hash);
        }
    }
    Ok(hashes)
}

/// Whether any hash above the leaves is stored.
///
/// # Errors
/// When the database does not answer.
pub async fn any_nodes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM ledger_nodes) AS "any!""#).fetch_one(connection).await
}

/// Why the hashes above the leaves are not stored.
#[derive(Debug, thiserror::Error)]
pub enum NotCompleted {
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    /// A row of the tree, or a hash above it, is gone: the first entry of which nothing is known.
    #[error("a row of the tree is gone, of entry {0} or one of those after it")]
    Gone(u64),
    /// What is stored does not lead to the tree that is signed.
    #[error("the stored tree is not the one that is signed")]
    Changed,
}

/// Stores every hash above the leaves that a tree of this size has and that is not stored yet, in the sequencer's own transaction. The
/// tree has grown to `now` from `from`: nothing, where it was begun before tiles were kept, or where some may be gone. What is made has to
/// lead from the one to the other: a row that somebody changed is not carried on into what others build proofs of.
///
/// # Errors
/// [`NotCompleted`]; nothing of it may be committed then.
pub async fn complete(connection: &mut PgConnection, from: &Frontier, now: &Frontier) -> Result<(), NotCompleted> {
    let size = now.size();
    for level in 1_u8..8 {
        let (first, end) = (hashes_at(level, from.size()), hashes_at(level, size));
        if first == end {
            break;
        }
        let missing = sqlx::query_scalar!(
            r#"SELECT n AS "n!" FROM generate_series($2::bigint, $3::bigint - 1) AS wanted (n)
               WHERE NOT EXISTS (SELECT FROM ledger_nodes o WHERE o.level = $1 AND o.n = wanted.n) ORDER BY n"#,
            i16::from(level),
            signed(first),
            signed(end)
        )
        .fetch_all(&mut *connection)
        .await?;
        for n in &missing {
            let at = u64::try_from(*n).unwrap_or(0);
            let gone = || NotCompleted::Gone(at << (HEIGHT * u32::from(level)));
            let below = Tile::of(Holds::Hashes(level - 1), at, size).ok_or_else(gone)?;
            let below = hashes(connection, below).await?.into_iter().collect::<Option<Vec<_>>>();
            let below = below.filter(|below| below.len() as u64 == WIDTH).ok_or_else(gone)?;
            let root = tree_root(&below);
            sqlx::query!(
                "INSERT INTO ledger_nodes (level, n, hash) VALUES ($1, $2, $3)",
                i16::from(level),
                *n,
                root.as_bytes().as_slice()
            )
            .execute(&mut *connection)
            .await?;
        }
        if !missing.is_empty() {
            leads(connection, level, from, now).await?;
        }
    }
    Ok(())
}

/// Whether what is stored from this level down leads from one tree to the other.
async fn leads(
    connection: &mut PgConnection,
    from_level: u8,
    from: &Frontier,
    now: &Frontier,
) -> Result<(), NotCompleted> {
    let height = |level: u8| HEIGHT * u32::from(level);
    let mut tree = from.begin(hashes_at(from_level, from.size()) << height(from_level));
    for level in (0..=from_level).rev() {
        let mut next = tree.size() >> height(level);
        while next < hashes_at(level, now.size()) {
            let tile = Tile::of(Holds::Hashes(level), next / WIDTH, now.size()).ok_or(NotCompleted::Changed)?;
            let stored = hashes(connection, tile).await?;
            for (_, hash) in tile.range().zip(stored).skip_while(|(n, _)| *n < next) {
                let hash = hash.ok_or(NotCompleted::Gone(tree.size()))?;
                tree.append_subtree(hash, height(level)).map_err(|_| NotCompleted::Changed)?;
            }
            next = tile.range().end;
        }
    }
    if tree == *now { Ok(()) } else { Err(NotCompleted::Changed) }
}
