//! A thief has a dump of both databases and every secret of the service.

use crate::harness::World;
use crate::shelter::Placing;
use himaya::demo::story;
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::keys::{KemPrivate, PersonKeys, RecordKey};
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

/// Every 32-byte secret that a thief finds: the service's own files, and every 32-byte column of both databases.
pub async fn loot(world: &World) -> Vec<[u8; 32]> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(&world.app.config.secrets).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        found.extend(himaya::guard::statement::unhex(text.trim()).ok());
    }
    for mut connection in [world.owner().await, world.erasure_owner().await] {
        let columns = sqlx::query(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns
             WHERE data_type = 'bytea' AND table_schema IN ('public', 'erasure')",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        for column in columns {
            let (schema, table, name): (String, String, String) = (column.get(0), column.get(1), column.get(2));
            let query = format!("SELECT {name} FROM {schema}.{table} WHERE octet_length({name}) = 32 LIMIT 500");
            for row in sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap() {
                found.push(row.get::<Vec<u8>, _>(0).try_into().unwrap());
            }
        }
    }
    assert!(found.len() > 50, "the thief found {} secrets", found.len());
    found
}

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
    let dump = world.dump();
    for word in ["Leyla", "waitress", "white van", "yellow house", "bakery", "safe tonight"] {
        assert!(!dump.windows(word.len()).any(|part| part == word.as_bytes()), "the dump says {word}");
    }
    let loot = loot(&world).await;
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
    // The wraps do not open with anything of the loot either.
    let wraps = sqlx::query("SELECT wrap FROM wraps UNION ALL SELECT wrap FROM shared_key_wraps")
        .fetch_all(&mut world.owner().await)
        .await
        .unwrap();
    assert!(wraps.len() > 10 && tried > 500);
    for secret in &loot {
        let private = KemPrivate::from_stolen(*secret);
        let Ok(public) = private.public() else { continue };
        let known: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM account_keys WHERE kem_public = $1)
                  + (SELECT count(*) FROM shared_keys WHERE public_key = $1)",
        )
        .bind(public.0.as_slice())
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
        assert_eq!(known, 0, "the loot holds a private key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_officers_passphrase_the_thief_opens_that_officers_cases_and_no_other() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    for (handle, all_of_the_case) in [("officer1", true), ("officer2", false), ("worker1", false), ("admin1", false)] {
        let keys = stolen_keys(&world, handle).await;
        let mut opened = 0;
        for record in ciphertexts(&world).await {
            let Some(key) = unwrapped(&world, &keys, &record).await else { continue };
            let erasure = RecordKey::from_stolen(erasure_key(&world, record.key).await);
            assert!(opens(&record, &key.content_key(&erasure)));
            opened += 1;
        }
        let on_case: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed WHERE case_id = $1")
            .bind(played.case)
            .fetch_one(&mut world.owner().await)
            .await
            .unwrap();
        let expected = if all_of_the_case { on_case } else { 0 };
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
            if let Some(key) = private.try_record_key(&wrap, case, record.key, record.epoch, grant) {
                return Some(key);
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
