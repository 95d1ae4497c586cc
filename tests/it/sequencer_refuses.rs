//! What the sequencer does not continue: a database that was rolled back, or a tree that is not the one it signed. Nothing is placed
//! then, and once what was changed is put back it goes on.

use crate::harness::World;
use crate::rotation::{checkpoint, work};
use crate::sequencer::{all_placed, queue};
use crate::story::whole_ledger;
use crate::tampering_tree::{restore, save, tamper};
use himaya::audit::checkpoint::Checkpoint;
use himaya::audit::note::{self, KeyName, NoteError, NoteSigner, unverified_text};
use himaya::audit::sequencer::{self, SequencerError, SequencerParts};
use himaya::audit::tree::{TreeError, TreeHead, leaf_hash};
use himaya::audit::verify::BadCheckpoint;
use std::time::Duration;
use tokio::sync::watch;

/// Why it does not go on.
async fn refused(world: &World) -> SequencerError {
    let parts = SequencerParts {
        pool: world.app.databases.sequencer.clone(),
        keys: world.app.secrets.ledger.clone(),
        origin: world.app.config.log_origin.clone(),
        folder: world.app.config.checkpoints.clone(),
        clock: world.clock.clone(),
    };
    let (_stop, stopped) = watch::channel(false);
    let ended = tokio::time::timeout(Duration::from_secs(20), sequencer::run(parts, stopped)).await;
    ended.expect("it ends by itself").unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_tree_that_it_signed_is_not_continued() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    for _ in 0..3 {
        work(&operator).await;
        checkpoint(&world).await;
    }
    world.stop().await;
    let mut owner = world.owner().await;
    queue(&world, &mut owner, 1, 5).await;
    save(&mut owner).await;
    let newest: Vec<(i64, String)> =
        sqlx::query_as("SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 2")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    let [(size, note), (earlier, _)] = &newest[..] else { panic!("{newest:?}") };
    let (leaves, stored) = (size.unsigned_abs(), earlier.unsigned_abs());
    let outside = world.app.config.checkpoints.join("checkpoint");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), *note);

    // What only who holds the key could sign, and what anybody can write under a signature that was made for something else.
    let name = KeyName::new(world.app.config.log_origin.as_str()).unwrap();
    let key = world.app.secrets.ledger.get().oldest().value.signing.clone().unwrap();
    let other = Checkpoint::new(name.as_str(), TreeHead { size: leaves, root: leaf_hash(b"other") }).unwrap().to_text();
    let signed = note::sign(&other, &[&NoteSigner::new(name.clone(), &key)]).unwrap();
    let altered = format!("{other}{}", note.strip_prefix(unverified_text(note).unwrap()).unwrap());
    let bad = || BadCheckpoint::Note(NoteError::BadSignature(name.clone()));
    let refiled = |note: &str| format!("UPDATE ledger_checkpoints SET note = '{note}' WHERE size = {size}");
    let nothing = String::new;
    for (what, statements, kept, expected) in [
        (
            "an older database is put back",
            format!(
                "DELETE FROM ledger_tree WHERE position >= {earlier}; DELETE FROM ledger_checkpoints WHERE size > {earlier}"
            ),
            note,
            SequencerError::RolledBack { kept: leaves, stored },
        ),
        ("two roots of one size", nothing(), &signed, SequencerError::Forked { size: leaves }),
        (
            "a leaf that nobody signed for",
            format!("INSERT INTO ledger_tree VALUES ({size}, gen_random_uuid(), 0, 0, sha256('leaf'))"),
            note,
            SequencerError::TreeSize { leaves: size + 1, size: leaves },
        ),
        (
            "the last leaf is gone",
            format!("DELETE FROM ledger_tree WHERE position = {size} - 1"),
            note,
            SequencerError::TreeSize { leaves: size - 1, size: leaves },
        ),
        (
            "every checkpoint is gone",
            "DELETE FROM ledger_checkpoints".to_owned(),
            note,
            SequencerError::TreeSize { leaves: *size, size: 0 },
        ),
        (
            "the newest checkpoint is filed under another size",
            format!("UPDATE ledger_checkpoints SET size = size + 1 WHERE size = {size}"),
            note,
            SequencerError::Misfiled { filed: size + 1, says: leaves },
        ),
        ("the newest checkpoint is altered", refiled(&altered), note, SequencerError::StoredForged(bad())),
        ("the one kept outside is altered", nothing(), &altered, SequencerError::KeptForged(bad())),
        (
            "the right edge is another tree's",
            format!("UPDATE ledger_checkpoints SET right_edge[1] = sha256('edge') WHERE size = {size}"),
            note,
            SequencerError::Tree(TreeError::RootMismatch),
        ),
    ] {
        tamper(&mut owner, statements).await;
        std::fs::write(&outside, kept).unwrap();
        let stands = "SELECT (SELECT count(*) FROM ledger_tree), (SELECT count(*) FROM ledger_checkpoints),
                             (SELECT count(*) FROM ledger_pending)";
        let before: (i64, i64, i64) = sqlx::query_as(stands).fetch_one(&mut owner).await.unwrap();
        assert_eq!(format!("{:?}", refused(&world).await), format!("{expected:?}"), "{what}");
        let after: (i64, i64, i64) = sqlx::query_as(stands).fetch_one(&mut owner).await.unwrap();
        assert_eq!((after, after.2), (before, 5), "{what}: nothing is placed");
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), *kept, "{what}: what is kept outside stays");
        restore(&mut owner).await;
        std::fs::write(&outside, note).unwrap();
    }

    let (_, serving, _) = world.replica().await;
    all_placed(&world, &mut owner).await;
    serving.stop().await.unwrap();
    whole_ledger(&world).await;
}
