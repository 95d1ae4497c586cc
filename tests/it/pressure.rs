//! More entries come than the ledger takes: who cannot be entered is refused at once, nobody waits without end, and no more are kept in memory
//! than the queue holds.

use crate::harness::World;
use crate::story::whole_ledger;
use crate::witnessed::soon;
use chrono::{DateTime, Utc};
use himaya::audit::entry::{Entry, Outcome};
use himaya::audit::ledger::LedgerError;
use himaya::guard::action::{Purpose, Relation, Role, Verb};
use himaya::guard::record::{AccountId, RecordKind};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Readers that come at once; the queue, and the batch that is being written.
const READERS: usize = 6000;
const KEPT: usize = 4096 + 256;

pub fn read(account: Uuid, at: DateTime<Utc>) -> Entry {
    Entry {
        at,
        account: AccountId(account),
        organisation: None,
        role: Role::SquadOfficer,
        relation: Relation::Assigned,
        verb: Verb::Read,
        kind: RecordKind::Narrative,
        purpose: Some(Purpose::CaseWork),
        outcome: Outcome::Done,
        records: vec![],
        asked: None,
        about: None,
        mark: None,
        erased: None,
        turn: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_queue_readers_are_refused_at_once_and_in_it_they_wait_for_seconds() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let said = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let call = operator.post("/api/v1/calls", &said).await.unwrap().id("id");
    let path = format!("/api/v1/calls/{call}");
    // Nothing is written any more, and nothing fails.
    let mut owner = world.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE ledger_entries IN EXCLUSIVE MODE").execute(&mut owner).await.unwrap();
    let began = Instant::now();
    let [full, late, done] = [0; 3].map(|_| Arc::new(AtomicUsize::new(0)));
    for _ in 0..READERS {
        let (ledger, entry) = (Arc::clone(&world.app.places.ledger), read(operator.account, world.clock.now()));
        let (full, late, done) = (Arc::clone(&full), Arc::clone(&late), Arc::clone(&done));
        tokio::spawn(async move {
            let counted = match ledger.enter(entry).await.map_err(|error| matches!(*error, LedgerError::Late)) {
                Ok(()) => done,
                Err(true) => late,
                Err(false) => full,
            };
            counted.fetch_add(1, Ordering::Relaxed);
        });
    }
    let count = |counted: &AtomicUsize| counted.load(Ordering::Relaxed);
    soon("those beyond the queue are refused", async || count(&full) >= READERS - KEPT).await;
    assert!(began.elapsed() < Duration::from_secs(10), "at once");
    assert!(count(&full) <= READERS - 4096 && count(&late) + count(&done) == 0);
    // So is who asks over HTTP, and is told why.
    let refused = operator.get(&path, "intake").await.unwrap();
    assert_eq!((refused.status, refused.code()), (503, "ledger_away"), "{}", refused.text);
    assert!(refused.text.contains("nothing is shown") && !refused.text.contains("hello"), "{}", refused.text);
    soon("nobody waits without end", async || count(&late) + count(&full) == READERS).await;
    assert!(began.elapsed() < Duration::from_secs(40));
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    soon("reading goes on", async || operator.get(&path, "intake").await.unwrap().status == 200).await;
    assert_eq!(count(&done), 0, "whoever was refused is shown nothing, also when the entry stands by now");
    world.stop().await;
    whole_ledger(&world).await;
}
