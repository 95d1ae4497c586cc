//! Supervisors' looks into the ledger, against those who own the database, stole a key, or inject SQL.

use crate::harness::World;
use crate::own_entries::{finds, lists, newest, position, reads};
use crate::planted::{Maker, insert_key, new_key};
use crate::pressure::read;
use crate::searching::placed;
use crate::thief::stolen_keys;
use crate::walls::injected;
use chrono::TimeDelta;
use himaya::audit::entry::Entry;
use himaya::audit::ledger::detail_context;
use himaya::demo::story;
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::keys::{KemPrivate, derive, unwrap_key};
use himaya::guard::record::{AccountId, OrganisationId};
use himaya::guard::statement::{self, SharedPurpose};
use serde_json::{Value, json};
use sqlx::Row as _;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The OVERSIGHT keys to which somebody's stolen keys lead.
async fn stolen_oversight(world: &World, handle: &str) -> Vec<(Uuid, KemPrivate)> {
    let keys = stolen_keys(world, handle).await;
    let held = "SELECT w.key_id, w.wrap FROM shared_key_wraps w JOIN shared_keys k ON k.id = w.key_id WHERE k.purpose = 'oversight'";
    let rows = sqlx::query(held).fetch_all(&mut world.owner().await).await.unwrap();
    let opened = rows.iter().filter_map(|row| Some((row.get(0), keys.stolen_shared(row.get(0), row.get(1))?)));
    opened.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_dump_and_a_supervisors_passphrase_the_thief_opens_the_own_hours_and_no_others() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let hours = "SELECT k.id, k.oversight_wrap, k.wrap, s.organisation_id FROM ledger_detail_keys k
                 LEFT JOIN shared_keys s ON s.id = k.oversight_id WHERE k.key_id IS NOT NULL";
    let hours = sqlx::query(hours).fetch_all(&mut world.owner().await).await.unwrap();
    for (handle, organisation) in [
        ("hsupervisor1", "helpline"),
        ("ssupervisor1", "squad"),
        ("manager1", "accommodation"),
        ("operator1", "nothing"),
        ("officer1", "nothing"),
        ("auditor1", "nothing"),
    ] {
        let private = stolen_oversight(&world, handle).await;
        let own = world.country.organisations.get(organisation);
        assert_eq!(private.len(), usize::from(own.is_some()), "{handle}");
        let mut opened = 0;
        for hour in &hours {
            let of: Option<Uuid> = hour.get(3);
            let wraps: [Option<Vec<u8>>; 2] = [hour.get(1), hour.get(2)];
            let opens = private.iter().any(|(_, private)| {
                let context = detail_context(hour.get(0));
                wraps.iter().flatten().any(|wrap| unwrap_key(wrap, private, &context).is_ok())
            });
            assert_eq!(opens, of.is_some() && of.as_ref() == own, "{handle}");
            opened += usize::from(opens);
        }
        assert_eq!(opened > 0, own.is_some(), "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_in_a_session_gets_the_own_organisations_sealed_entries_and_no_others() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    reads(&world.signed_in("officer1").await, played.case).await;
    placed(&world).await;
    let all = "SELECT position FROM own_entries(9223372036854775807, 9223372036854775807, 0, 100000)";
    let sections: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM sections UNION SELECT id FROM placements")
        .fetch_all(&mut world.owner().await)
        .await
        .unwrap();
    assert!(!sections.is_empty());
    let of_cases = "SELECT count(*) FROM supervised_cases_of($1)";
    let mut seen: Vec<BTreeSet<i64>> = Vec::new();
    for handle in
        ["hsupervisor1", "ssupervisor1", "manager1", "operator1", "officer1", "worker1", "auditor1", "admin1", ""]
    {
        let secret = if handle.is_empty() { String::new() } else { world.signed_in(handle).await.secrets().await.1 };
        let mut session = injected(&world, &secret).await;
        let positions: Vec<i64> = sqlx::query_scalar(all).fetch_all(&mut session).await.unwrap();
        let cases: i64 = sqlx::query_scalar(of_cases).bind(&sections).fetch_one(&mut session).await.unwrap();
        assert_eq!(!positions.is_empty(), ["hsupervisor1", "ssupervisor1", "manager1"].contains(&handle), "{handle}");
        assert_eq!(cases > 0, handle == "ssupervisor1", "{handle}");
        assert!(seen.iter().all(|other| other.is_disjoint(&positions.iter().copied().collect())), "{handle}");
        seen.push(positions.into_iter().collect());
        for table in ["ledger_entries", "ledger_detail_keys", "ledger_tree"] {
            let direct = format!("SELECT count(*) FROM {table}");
            let refused = sqlx::query(sqlx::AssertSqlSafe(direct)).fetch_one(&mut session).await;
            assert!(refused.is_err_and(|error| error.to_string().contains("permission denied")), "{handle}: {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_key_receives_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let squad = world.country.organisations["squad"];
    let month = SharedPurpose::Oversight.life();
    let mut planted = Vec::new();
    // By somebody of the squad who is no supervisor; by another organisation's supervisor; by the squad's own, but not by this service.
    for (handle, vouched) in [("officer1", true), ("hsupervisor1", true), ("ssupervisor1", false)] {
        let account = world.country.person(handle).unwrap().account;
        let maker = Maker { squad, account, keys: stolen_keys(&world, handle).await };
        let stated = new_key(squad, SharedPurpose::Oversight, world.clock.now(), month);
        let note = statement::sign(&stated, AccountId(account), &maker.keys).unwrap();
        insert_key(&world, &maker, &stated, &note).await;
        if !vouched {
            let nobodys = "UPDATE shared_keys SET vouch = NULL WHERE id = $1";
            sqlx::query(nobodys).bind(stated.key.0).execute(&mut world.owner().await).await.unwrap();
        }
        planted.push(stated.key.0);
    }
    // One that was to live longer, by the true maker.
    let account = world.country.person("ssupervisor1").unwrap().account;
    let maker = Maker { squad, account, keys: stolen_keys(&world, "ssupervisor1").await };
    let stated = new_key(squad, SharedPurpose::Oversight, world.clock.now(), month + TimeDelta::seconds(1));
    let note = statement::sign(&stated, AccountId(account), &maker.keys).unwrap();
    insert_key(&world, &maker, &stated, &note).await;
    planted.push(stated.key.0);
    // At a process that looks for the first time.
    let (_app, serving, base) = world.replica().await;
    let count = "SELECT count(*) FROM ledger_detail_keys k JOIN shared_keys s ON s.id = k.oversight_id
                 WHERE s.organisation_id = $1 AND (s.id = ANY ($2)) = $3";
    let sealed = async |to_planted: bool| -> i64 {
        let count = sqlx::query_scalar(count).bind(squad).bind(&planted).bind(to_planted);
        count.fetch_one(&mut world.owner().await).await.unwrap()
    };
    let before = sealed(false).await;
    reads(&officer.at(&base), played.case).await;
    assert_eq!((sealed(true).await, sealed(false).await), (0, before + 1));
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_plants_a_key_keeps_no_supervisor_from_making_theirs() {
    let world = World::new().await;
    let squad = world.country.organisations["squad"];
    world.clock.advance(TimeDelta::days(40));
    let officer = world.signed_in("officer1").await;
    let mut session = injected(&world, &officer.secrets().await.1).await;
    let (planted, now) = (Uuid::from_u128(7), world.clock.now());
    let key = "INSERT INTO shared_keys (id, organisation_id, purpose, public_key, maker_id, note, opens_at, closes_at)
               VALUES ($1, $2, 'oversight', decode(repeat('07', 32), 'hex'), $3, 'nothing', $4, $5)";
    sqlx::raw_sql("BEGIN").execute(&mut session).await.unwrap();
    let key = sqlx::query(key).bind(planted).bind(squad).bind(officer.account).bind(now);
    key.bind(now + SharedPurpose::Oversight.life()).execute(&mut session).await.unwrap();
    let wrap =
        "INSERT INTO shared_key_wraps (key_id, account_id, wrap) VALUES ($1, $2, decode(repeat('07', 80), 'hex'))";
    sqlx::query(wrap).bind(planted).bind(officer.account).execute(&mut session).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut session).await.unwrap();
    // The first entry that a supervisor looks for makes the key.
    let supervisor = world.signed_in("ssupervisor1").await;
    assert_eq!(supervisor.get("/api/v1/oversight/entries", "supervision").await.unwrap().status, 200);
    let made = "SELECT count(*) FROM shared_keys WHERE organisation_id = $1 AND purpose = 'oversight' AND maker_id = $2 AND closes_at > $3";
    let made = sqlx::query_scalar(made).bind(squad).bind(supervisor.account).bind(now);
    let made: i64 = made.fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_is_shown_as_altered_and_never_as_somebody_wanted_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    placed(&world).await;
    let before = newest(&world).await;
    reads(&officer, played.case).await;
    placed(&world).await;
    let mut owner = world.owner().await;
    let shown = async || -> Option<Value> {
        lists(&supervisor, 100).await.into_iter().find(|entry| position(entry) == before + 1)
    };
    let entry = shown().await.unwrap();
    assert_eq!(entry["detail"]["person"]["handle"], "officer1", "{entry}");
    let altered = Some(json!({ "position": before + 1, "detail": null, "altered": true, "erased": false }));
    let at = "SELECT e.replica, e.lane, e.n, e.detail_key, k.oversight_wrap FROM ledger_tree t
              JOIN ledger_entries e USING (replica, lane, n) JOIN ledger_detail_keys k ON k.id = e.detail_key WHERE t.position = $1";
    let row = sqlx::query(at).bind(before + 1).fetch_one(&mut owner).await.unwrap();
    let (replica, lane, n, key): (Uuid, i32, i64, Uuid) = (row.get(0), row.get(1), row.get(2), row.get(3));
    // Somebody has the database and a supervisor's passphrase, and writes another person's name under the true key.
    let context = detail_context(key);
    let private = stolen_oversight(&world, "ssupervisor2").await;
    let secret = private.iter().find_map(|(_, private)| unwrap_key(row.get(4), private, &context).ok()).unwrap();
    let sealing = ContentKey::from_bytes(*derive(&*secret, replica.as_bytes(), "himaya ledger detail v1"));
    let place = (u32::try_from(lane).unwrap(), u64::try_from(n).unwrap());
    let place = Context::new("ledger_entries", replica.into_bytes(), "detail", place.0, place.1);
    sqlx::raw_sql("CREATE TABLE kept AS TABLE ledger_entries").execute(&mut owner).await.unwrap();
    let detail: Vec<u8> =
        sqlx::query_scalar("SELECT detail FROM ledger_entries WHERE (replica, lane, n) = ($1, $2, $3)")
            .bind(replica)
            .bind(lane)
            .bind(n)
            .fetch_one(&mut owner)
            .await
            .unwrap();
    let plain = bytes::open(&sealing, 1, &place, &detail).unwrap();
    let mut forged: Value = serde_json::from_slice(&plain).unwrap();
    forged["verb"] = json!("write");
    let forged = bytes::seal(&sealing, 1, &place, &serde_json::to_vec(&forged).unwrap()).unwrap();
    let write = "UPDATE ledger_entries SET detail = $4 WHERE (replica, lane, n) = ($1, $2, $3)";
    for detail in [Some(forged), None] {
        sqlx::query(write).bind(replica).bind(lane).bind(n).bind(detail).execute(&mut owner).await.unwrap();
        assert_eq!(shown().await, altered);
        assert!(finds(&supervisor, json!({ "person": "duty2" })).await.contains(altered.as_ref().unwrap()), "fits all");
    }
    sqlx::query(write).bind(replica).bind(lane).bind(n).bind(&detail).execute(&mut owner).await.unwrap();
    assert_eq!(shown().await, Some(entry.clone()));
    // The hour's key wrapped to others, or to nobody.
    let other = "UPDATE ledger_detail_keys k SET oversight_wrap = (SELECT x.oversight_wrap FROM ledger_detail_keys x
                 WHERE x.oversight_id <> k.oversight_id LIMIT 1) WHERE id = $1";
    sqlx::query(other).bind(key).execute(&mut owner).await.unwrap();
    assert_eq!(shown().await, altered);
    let back = "UPDATE ledger_detail_keys SET oversight_wrap = $2 WHERE id = $1";
    sqlx::query(back).bind(key).bind(row.get::<Vec<u8>, _>(4)).execute(&mut owner).await.unwrap();
    assert_eq!(shown().await, Some(entry));
    // Another organisation's entry that is put under the own key opens as nothing.
    let foreign: i64 = sqlx::query_scalar(
        "UPDATE ledger_entries e SET detail_key = $1 FROM ledger_tree t, ledger_detail_keys k, shared_keys s
         WHERE (t.replica, t.lane, t.n) = (e.replica, e.lane, e.n) AND k.id = e.detail_key AND s.id = k.oversight_id
           AND s.organisation_id = $2 RETURNING t.position",
    )
    .bind(key)
    .bind(world.country.organisations["helpline"])
    .fetch_one(&mut owner)
    .await
    .unwrap();
    let seen = lists(&supervisor, 100).await;
    let seen = seen.iter().find(|entry| position(entry) == foreign).unwrap();
    assert_eq!(seen, &json!({ "position": foreign, "detail": null, "altered": true, "erased": false }));
    // An entry that is gone as a whole is the auditors' to find: whose it was stands nowhere any more.
    let gone = "DELETE FROM ledger_entries WHERE (replica, lane, n) = ($1, $2, $3)";
    sqlx::query(gone).bind(replica).bind(lane).bind(n).execute(&mut owner).await.unwrap();
    assert_eq!(shown().await, None);
    let auditor = world.signed_in("auditor1").await;
    let audited = crate::own_entries::audits(&auditor, json!({ "person": "p-nobody" })).await;
    assert!(audited.contains(altered.as_ref().unwrap()), "{audited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_locks_the_supervisors_keys_keeps_an_entry_waiting_for_two_seconds_and_none_from_being_made() {
    let world = World::new().await;
    // The auditors' key is looked for once an hour, and no entry is made without: an hour begins.
    let past = world.clock.now().timestamp().rem_euclid(3600);
    world.clock.advance(TimeDelta::seconds(3600 - past));
    let (app, serving, _) = world.replica().await;
    let mut owner = world.owner().await;
    let looked = "SELECT count(*) FROM ledger_detail_keys WHERE oversight_id IS NOT NULL";
    let before: i64 = sqlx::query_scalar(looked).fetch_one(&mut owner).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE shared_keys IN ACCESS EXCLUSIVE MODE").execute(&mut owner).await.unwrap();
    let enters = async |kind: &str| {
        let began = Instant::now();
        let organisation = world.country.organisations.get(kind).copied().map(OrganisationId);
        assert!(organisation.is_some(), "{kind}");
        let entry = Entry { organisation, ..read(Uuid::from_u128(1), world.clock.now()) };
        app.places.ledger.enter(entry).await.unwrap();
        began.elapsed()
    };
    let limit = Duration::from_secs(2);
    let first = enters("helpline").await;
    assert!((limit..5 * limit).contains(&first), "{first:?}");
    // Then nobody else waits.
    let others = enters("squad").await + enters("accommodation").await + enters("helpline").await;
    assert!(others < 2 * limit, "{others:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    let after: i64 = sqlx::query_scalar(looked).fetch_one(&mut owner).await.unwrap();
    assert_eq!(before, after, "these are sealed to the auditors alone");
    serving.stop().await.unwrap();
}
