//! A thief has a dump of both databases and every secret of the service.

use crate::harness::World;
use crate::shelter::Placing;
pub use crate::stolen::loot;
use himaya::demo::story;
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::keys::{KemPrivate, PersonKeys, RecordKey};
use himaya::platform::secrets::{NOTICE, Named, Secrets};
use serde_json::json;
use sqlx::Row as _;
use std::collections::BTreeSet;
use uuid::Uuid;

pub struct Ciphertext {
    pub record: Uuid,
    pub kind: String,
    pub epoch: u32,
    pub version: u64,
    pub key: Uuid,
    pub blob: Vec<u8>,
}

pub async fn ciphertexts(world: &World) -> Vec<Ciphertext> {
    let rows = sqlx::query("SELECT record_id, kind, epoch, version, key_id, blob FROM sealed")
        .fetch_all(&mut world.owner().await)
        .await
        .unwrap();
    rows.iter()
        .map(|row| Ciphertext {
            record: row.get(0),
            kind: row.get(1),
            epoch: u32::try_from(row.get::<i32, _>(2)).unwrap(),
            version: u64::try_from(row.get::<i64, _>(3)).unwrap(),
            key: row.get(4),
            blob: row.get(5),
        })
        .collect()
}

pub async fn erasure_key(world: &World, key: Uuid) -> [u8; 32] {
    let row: Vec<u8> = sqlx::query_scalar("SELECT key FROM erasure.keys WHERE key_id = $1")
        .bind(key)
        .fetch_one(&mut world.erasure_owner().await)
        .await
        .unwrap();
    row.try_into().unwrap()
}

pub fn opens(record: &Ciphertext, key: &ContentKey) -> bool {
    let context = Context::new("sealed", record.record.into_bytes(), &record.kind, record.epoch, record.version);
    bytes::open(key, record.epoch, &context, &record.blob).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_with_every_server_secret_opens_nothing() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    crate::stolen::take_ways_in(&world).await;
    // A file with a second value, as it is while one is exchanged.
    himaya::platform::secrets::rotate(&world.app.config, Named::Pepper, NOTICE, &world.clock).await.unwrap();
    let dump = world.dump();
    for word in ["Leyla", "waitress", "white van", "yellow house", "bakery", "safe tonight"] {
        assert!(!dump.windows(word.len()).any(|part| part == word.as_bytes()), "the dump says {word}");
    }
    let loot = loot(&world).await;
    // The service's own view of its secrets: the thief has each of them.
    let secrets = Secrets::read(&world.app.config).await.unwrap();
    let mut own: Vec<[u8; 32]> = secrets.token.get().iter().map(|version| version.value.to_bytes()).collect();
    own.extend(secrets.ledger.get().iter().map(|version| version.value.signing.as_ref().unwrap().to_bytes()));
    for secret in [&secrets.pepper, &secrets.pseudonyms, &secrets.vouch] {
        own.extend(secret.get().iter().map(|version| *version.value));
    }
    assert_eq!(own.len(), Named::ALL.len() + 1);
    assert!(own.iter().all(|secret| loot.contains(secret)), "a secret is not in the loot");

    let (mut tried, records) = (0, ciphertexts(&world).await);
    assert!(records.len() >= 6);
    for record in &records {
        let erasure = RecordKey::from_stolen(erasure_key(&world, record.key).await);
        for secret in &loot {
            let plain = ContentKey::from_bytes(*secret);
            let derived = RecordKey::from_stolen(*secret).content_key(&erasure);
            assert!(!opens(record, &plain) && !opens(record, &derived), "a {} opened", record.kind);
            tried += 2;
        }
    }
    assert!(tried > 500, "the thief tried {tried}");
    // The wraps do not open with anything of the loot either: it holds no key to which any of them was made.
    let publics: BTreeSet<Vec<u8>> =
        sqlx::query_scalar("SELECT kem_public FROM account_keys UNION ALL SELECT public_key FROM shared_keys")
            .fetch_all(&mut world.owner().await)
            .await
            .unwrap()
            .into_iter()
            .collect();
    assert!(publics.len() > 20, "{}", publics.len());
    for secret in &loot {
        let Ok(public) = KemPrivate::from_stolen(*secret).public() else { continue };
        assert!(!publics.contains(public.0.as_slice()), "the loot holds a private key");
    }
    crate::stolen::open_with_nothing_of(&world, &loot).await;
}

/// The records that these keys open: each that is wrapped to them does.
async fn opened_by(world: &World, keys: &PersonKeys) -> BTreeSet<Uuid> {
    let mut opened = BTreeSet::new();
    for record in ciphertexts(world).await {
        let Some(key) = unwrapped(world, keys, &record).await else { continue };
        let erasure = RecordKey::from_stolen(erasure_key(world, record.key).await);
        assert!(opens(&record, &key.content_key(&erasure)), "a {} is wrapped to them and does not open", record.kind);
        opened.insert(record.record);
    }
    opened
}

/// Every record of a case.
async fn on_case(world: &World, case: Uuid) -> BTreeSet<Uuid> {
    let all = sqlx::query_scalar("SELECT record_id FROM sealed WHERE case_id = $1").bind(case);
    let all: BTreeSet<Uuid> = all.fetch_all(&mut world.owner().await).await.unwrap().into_iter().collect();
    assert!(all.len() > 3, "{}", all.len());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_officers_passphrase_the_thief_opens_that_officers_cases_and_no_other() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (duty, officer) = (world.signed_in("duty2").await, world.signed_in("officer2").await);
    // A case of the other two, and a notice that waits for whoever is on duty.
    let other = crate::alerts::waiting_notice(&world).await;
    assert_eq!(duty.post(&format!("/api/v1/notices/{other}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let team = json!({ "officers": [officer.account] });
    let accepted = duty.post(&format!("/api/v1/notices/{other}/accept"), &team).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    let noted = json!({ "text": "Another person, another case." });
    let other = accepted.id("case");
    assert_eq!(officer.post(&format!("/api/v1/cases/{other}/notes"), &noted).await.unwrap().status, 201);
    let waits = BTreeSet::from([crate::alerts::waiting_notice(&world).await]);
    let (one, two) = (on_case(&world, played.case).await, on_case(&world, other).await);
    assert!(one.is_disjoint(&two));
    let none = BTreeSet::new();
    for (handle, expected) in [
        ("officer1", one.clone()),
        ("officer2", two.clone()),
        ("duty1", &one | &waits),
        ("duty2", &two | &waits),
        ("worker1", none.clone()),
        ("admin1", none.clone()),
    ] {
        let opened = opened_by(&world, &stolen_keys(&world, handle).await).await;
        assert_eq!(opened, expected, "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_operators_passphrase_the_thief_does_not_open_what_the_operator_abandoned() {
    let world = World::new().await;
    let (operator, supervisor) = (world.signed_in("operator1").await, world.signed_in("hsupervisor1").await);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they are at the gate" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let kept = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    for abandon in [
        "UPDATE calls SET opened_at = opened_at - interval '1 day', expires_at = expires_at - interval '1 day' WHERE id = $1",
        "UPDATE wraps SET active_from = active_from - interval '1 day', active_until = active_until - interval '1 day'
         WHERE key_id = $1",
    ] {
        sqlx::query(abandon).bind(call).execute(&mut world.owner().await).await.unwrap();
    }
    assert_eq!(world.app.databases.sweeper.sweep(false).await.unwrap().unwrap().ended, 1);
    let (keys, all) = (stolen_keys(&world, "operator1").await, ciphertexts(&world).await);
    let record = |id| all.iter().find(|record| record.record == id).unwrap();
    assert!(unwrapped(&world, &keys, record(call)).await.is_none());
    assert!(unwrapped(&world, &keys, record(kept)).await.is_some(), "a shift that goes on");
    let read = supervisor.get(&format!("/api/v1/calls/{call}"), "supervision").await.unwrap();
    assert_eq!(read.body["content"]["said"], "they are at the gate", "{}", read.text);
}

/// What the thief does with a passphrase, a dump and the pepper: exactly what the service does at sign-in.
pub async fn stolen_keys(world: &World, handle: &str) -> PersonKeys {
    use himaya::guard::passphrase::{Comer, Cost, Passphrase, Slot, SlotKind, Stretcher};
    let person = world.country.person(handle).unwrap();
    let row = sqlx::query(
        "SELECT salt, memory_kib, passes, lanes, sealed, pepper FROM credential_slots WHERE account_id = $1",
    )
    .bind(person.account)
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap();
    let number = |i: usize| u32::try_from(row.get::<i32, _>(i)).unwrap();
    let cost = Cost { memory_kib: number(1), passes: number(2), lanes: number(3) };
    assert_eq!(cost, himaya::guard::passphrase::COST);
    let (kind, salt) = (SlotKind::Passphrase, row.get::<Vec<u8>, _>(0).try_into().unwrap());
    let slot = Slot { kind, salt, cost, sealed: row.get(4), pepper: row.get(5) };
    let account = himaya::guard::record::AccountId(person.account);
    let words = Passphrase::typed(&person.passphrase);
    match Stretcher::new(world.app.secrets.pepper.clone(), 1)
        .unlock(Comer::Stranger, &words, account, Some(&slot))
        .await
    {
        Ok(keys) => keys,
        Err(error) => panic!("{error}"),
    }
}

/// The record's key, if any wrap of it opens with these keys: directly, or through a shared key.
pub async fn unwrapped(world: &World, keys: &PersonKeys, record: &Ciphertext) -> Option<RecordKey> {
    let rows = sqlx::query(
        "SELECT w.wrap, w.grant_id, s.case_id, w.recipient_key FROM wraps w JOIN sealed s ON s.key_id = w.key_id
         WHERE s.record_id = $1",
    )
    .bind(record.record)
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    for row in rows {
        let (wrap, grant, case): (Vec<u8>, Option<Uuid>, Option<Uuid>) = (row.get(0), row.get(1), row.get(2));
        let mut privates = vec![keys.stolen_kem()];
        if let Some(shared) = row.get::<Option<Uuid>, _>(3) {
            let shares: Vec<Vec<u8>> = sqlx::query_scalar("SELECT wrap FROM shared_key_wraps WHERE key_id = $1")
                .bind(shared)
                .fetch_all(&mut world.owner().await)
                .await
                .unwrap();
            privates.extend(shares.iter().filter_map(|share| keys.stolen_shared(shared, share)));
        }
        for private in &privates {
            // Also as it was wrapped before there was a case.
            let opened = |case| private.try_record_key(&wrap, case, record.key, record.epoch, grant);
            let key = [case, None].into_iter().find_map(opened);
            if key.is_some() {
                return key;
            }
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_dump_of_before_an_erasure_and_an_officers_passphrase_nothing_of_the_case_opens() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = crate::erasing::supervisors(&world).await;
    // What the thief carries away before: both databases, the service's secrets, and what an officer types.
    let keys = stolen_keys(&world, "officer1").await;
    let mut before = Vec::new();
    for record in ciphertexts(&world).await {
        let Some(key) = unwrapped(&world, &keys, &record).await else { continue };
        let erasure = RecordKey::from_stolen(erasure_key(&world, record.key).await);
        assert!(opens(&record, &key.content_key(&erasure)), "until then");
        before.push((record, key));
    }
    assert!(before.len() > 3, "{}", before.len());
    crate::erasing::erase(&one, &other, &format!("/api/v1/cases/{}", played.case)).await;
    assert_eq!(world.app.eraser().finish().await.unwrap().online, 1);
    // With the present erasure store, and everything else that there is now.
    let loot = loot(&world).await;
    for (record, key) in &before {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure.keys WHERE key_id = $1")
            .bind(record.key)
            .fetch_one(&mut world.erasure_owner().await)
            .await
            .unwrap();
        assert_eq!(left, 0, "{}", record.kind);
        for secret in &loot {
            let erasure = RecordKey::from_stolen(*secret);
            assert!(!opens(record, &key.content_key(&erasure)), "a {} opened", record.kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_shelter_workers_passphrase_the_thief_opens_whom_that_worker_cares_for_and_nothing_of_the_case() {
    let placing = Placing::new().await;
    let placement = placing.placed("admitted").await;
    let care =
        placing.worker.put(&format!("{placement}/care"), "\"0\"", &json!({ "medical": "insulin" })).await.unwrap();
    assert_eq!(care.status, 200, "{}", care.text);
    let world = &placing.world;
    for (handle, expected) in
        [("worker1", vec!["care", "placement"]), ("worker2", vec![]), ("manager1", vec!["address", "placement"])]
    {
        let keys = stolen_keys(world, handle).await;
        let mut kinds = Vec::new();
        for record in ciphertexts(world).await {
            let Some(key) = unwrapped(world, &keys, &record).await else { continue };
            let erasure = RecordKey::from_stolen(erasure_key(world, record.key).await);
            assert!(
                opens(&record, &key.content_key(&erasure)),
                "a {} is wrapped to {handle} and does not open",
                record.kind
            );
            kinds.push(record.kind);
        }
        kinds.sort();
        assert_eq!(kinds, expected, "{handle}");
    }
}
