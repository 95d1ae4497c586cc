//! How fast an outsider checks the ledger: a folder of tiles, read, hashed and followed lane by lane; it fails below what is promised.
//! `cargo bench --bench tiles [-- entries]`, or as a part of `deploy/bench`.

use ed25519_dalek::SigningKey;
use himaya::audit::checkpoint::Checkpoint;
use himaya::audit::entry::{Leaf, Place};
use himaya::audit::note::{self, KeyName, NoteSigner};
use himaya::audit::tiles::export::place;
use himaya::audit::tiles::model::{Holds, Tile, bundle};
use himaya::audit::tree::{Frontier, Hash, leaf_hash, tree_root};
use himaya::audit::verify::outside::{Source, Told, verify};
use himaya::platform::clock::Clock;
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

/// Anything that ends the run.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const ORIGIN: &str = "log.example/ledger";
/// Entries that two cores verify in a second, at least.
const PROMISED: u64 = 1_000_000;
/// As many lanes as two replicas have.
const LANES: i32 = 16;

fn put(folder: &Path, tile: Option<Tile>, bytes: &[u8]) -> Outcome {
    let tile = tile.ok_or("no tile")?;
    Ok(place(&folder.join(tile.to_string()), bytes)?)
}

fn hashes(of: &[Hash]) -> Vec<u8> {
    of.iter().flat_map(Hash::as_bytes).copied().collect()
}

/// A log of so many entries, and its key.
fn log(folder: &Path, size: u64) -> Outcome<NoteSigner> {
    let mut lanes: Vec<(Place, Hash)> = (0..LANES)
        .map(|lane| Place { replica: Uuid::from_u128(7), lane, n: 0 })
        .map(|place| (place, place.origin()))
        .collect();
    let (mut tree, mut above) = (Frontier::new(), Vec::new());
    for n in 0..size.div_ceil(256) {
        let (mut entries, mut leaves) = (Vec::new(), Vec::new());
        for number in n * 256..size.min((n + 1) * 256) {
            let at = usize::try_from(number)? % lanes.len();
            let (next, previous) = lanes.get_mut(at).ok_or("no lane")?;
            let leaf = Leaf::new(*next, *previous, 5, [1; 32], b"detail", None).to_bytes();
            (next.n, *previous) = (next.n + 1, leaf_hash(&leaf));
            leaves.push(*previous);
            tree.append(*previous)?;
            entries.push(leaf);
        }
        put(folder, Tile::of(Holds::Entries, n, size), &bundle(entries.iter().map(|leaf| Some(leaf.as_slice())))?)?;
        put(folder, Tile::of(Holds::Hashes(0), n, size), &hashes(&leaves))?;
        if leaves.len() == 256 {
            above.push(tree_root(&leaves));
        }
    }
    for level in 1_u8..8 {
        for (n, part) in (0..).zip(above.chunks(256)) {
            put(folder, Tile::of(Holds::Hashes(level), n, size), &hashes(part))?;
        }
        above = above.chunks_exact(256).map(tree_root).collect();
    }
    let signer = NoteSigner::new(KeyName::new(ORIGIN)?, &SigningKey::from_bytes(&[1; 32]));
    let text = Checkpoint::new(ORIGIN, tree.head())?.to_text();
    place(&folder.join("checkpoint"), note::sign(&text, &[&signer])?.as_bytes())?;
    Ok(signer)
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a benchmark answers on the terminal")]
async fn main() -> Outcome {
    let size = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000_u64);
    let folder = std::env::temp_dir().join(format!("himaya-tiles-{}", himaya::platform::random::uuid()));
    let key = log(&folder, size)?.verifier().clone();
    let source = Source::open(&folder.to_string_lossy(), None, None)?;
    let mut best = 0;
    for round in 1..=3 {
        let began = Instant::now();
        let told = Told { key: key.clone(), saved: vec![], witnesses: vec![], needed: 0, now: Clock::default().now() };
        let report = verify(&source, &told, |_, _| ()).await?;
        let took = began.elapsed();
        if !report.ok() || report.entries != size {
            return Err(format!("{:?}", report.faults).into());
        }
        let millis = u64::try_from(took.as_millis())?.max(1);
        let rate = size * 1000 / millis;
        println!("round {round}: {size} entries in {millis} ms, {rate} a second");
        best = rate.max(best);
    }
    std::fs::remove_dir_all(folder)?;
    // A short one has not begun when it ends, and says nothing.
    if size >= PROMISED && best < PROMISED {
        return Err(format!("fewer than {PROMISED} entries a second").into());
    }
    Ok(())
}
