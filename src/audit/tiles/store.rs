//! All SQL of tiles.

use super::hashes::{Hashes, Run};
use super::model::{Holds, Tile, WIDTH, hashes_at};
use crate::audit::tree::{Hash, tree_root};
use sqlx::{PgConnection, PgPool};

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hash(bytes: &[u8]) -> Result<Hash, sqlx::Error> {
    // The table lets in nothing of another length.
    bytes.try_into().map(Hash::from_bytes).map_err(|_| sqlx::Error::RowNotFound)
}

/// The newest checkpoint that others are given: the one place that says which that is.
///
/// # Errors
/// When the database does not answer.
pub async fn newest(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1").fetch_optional(pool).await
}

async fn leaf_hashes(connection: &mut PgConnection, first: u64, end: u64) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT leaf_hash FROM ledger_tree WHERE position >= $1 AND position < $2 ORDER BY position",
        signed(first),
        signed(end)
    )
    .fetch_all(connection)
    .await
}

/// The hashes of a tile. Fewer than it is wide where somebody deleted a row.
///
/// # Errors
/// When the database does not answer.
pub async fn hashes(connection: &mut PgConnection, tile: Tile) -> Result<Vec<Hash>, sqlx::Error> {
    let range = tile.range();
    let rows = match tile.holds() {
        Holds::Hashes(0) | Holds::Entries => leaf_hashes(connection, range.start, range.end).await?,
        Holds::Hashes(level) => {
            sqlx::query_scalar!(
                "SELECT hash FROM ledger_nodes WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n",
                i16::from(level),
                signed(range.start),
                signed(range.end)
            )
            .fetch_all(connection)
            .await?
        }
    };
    rows.iter().map(|row| hash(row)).collect()
}

/// A leaf's hash as it was numbered, and the entry that is stored for it now.
pub struct Kept {
    pub leaf_hash: Vec<u8>,
    pub leaf: Option<Vec<u8>>,
}

/// The entries of a bundle. Fewer than it is wide where somebody deleted a row of the tree.
///
/// # Errors
/// When the database does not answer.
pub async fn entries(connection: &mut PgConnection, tile: Tile) -> Result<Vec<Kept>, sqlx::Error> {
    let range = tile.range();
    sqlx::query_as!(
        Kept,
        r#"SELECT t.leaf_hash, e.leaf AS "leaf?"
           FROM ledger_tree t
           LEFT JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           WHERE t.position >= $1 AND t.position < $2 ORDER BY t.position"#,
        signed(range.start),
        signed(range.end)
    )
    .fetch_all(connection)
    .await
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
        if let (Ok(level), Ok(n)) = (u8::try_from(row.level), u64::try_from(row.n)) {
            hashes.insert(level, n, hash(&row.hash)?);
        }
    }
    Ok(hashes)
}

/// Stores every hash above the leaves that a tree of this size has and that is not stored yet, in the sequencer's own transaction. The
/// tree has grown from `from`: nothing, where it was begun before tiles were kept.
///
/// # Errors
/// When the database does not answer, or a leaf is gone.
pub async fn complete(connection: &mut PgConnection, from: u64, size: u64) -> Result<(), sqlx::Error> {
    if hashes_at(1, from) == hashes_at(1, size) {
        return Ok(());
    }
    for level in 1_u8..8 {
        let wanted = hashes_at(level, size);
        if wanted == 0 {
            break;
        }
        let stored = sqlx::query_scalar!(
            r#"SELECT coalesce(max(n) + 1, 0) AS "stored!" FROM ledger_nodes WHERE level = $1"#,
            i16::from(level)
        )
        .fetch_one(&mut *connection)
        .await?;
        for n in u64::try_from(stored).unwrap_or(0)..wanted {
            let below = Tile::of(Holds::Hashes(level - 1), n, size).ok_or(sqlx::Error::RowNotFound)?;
            let below = hashes(connection, below).await?;
            if below.len() as u64 != WIDTH {
                return Err(sqlx::Error::RowNotFound);
            }
            let root = tree_root(&below);
            sqlx::query!(
                "INSERT INTO ledger_nodes (level, n, hash) VALUES ($1, $2, $3)",
                i16::from(level),
                signed(n),
                root.as_bytes().as_slice()
            )
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
