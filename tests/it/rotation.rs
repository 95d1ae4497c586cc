//! The service's own secrets are exchanged while it runs, and nobody notices but who holds a stolen old one.

use crate::credentials::{recovery_code, words};
use crate::harness::World;
use crate::ledger::comes_true;
use chrono::TimeDelta;
use ed25519_dalek::{Signer as _, SigningKey};
use himaya::audit::checkpoint::Checkpoint;
use himaya::audit::entry::{Leaf, Place, signed_message};
use himaya::audit::keys::LogKeys;
use himaya::audit::note::{self, KeyName, NoteSigner, NoteVerifier};
use himaya::audit::tree::{Hash, TreeHead, leaf_hash};
use himaya::audit::verify::{Finding, Kept, Report, verify};
use himaya::demo::actor::Actor;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use himaya::platform::secrets::{self, NOTICE, Named, RotateError};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The name of the newest value that a process knows.
pub fn newest(app: &App, name: Named) -> String {
    match name {
        Named::Pepper => app.secrets.pepper.get().newest().id.clone(),
        Named::Token => app.secrets.token.get().newest().id.clone(),
        Named::Ledger => app.secrets.ledger.get().newest().id.clone(),
        Named::Pseudonyms => app.secrets.pseudonyms.get().newest().id.clone(),
        Named::Vouch => app.secrets.vouch.get().newest().id.clone(),
    }
}

/// Makes a new value as the command does; when this returns, each of these processes knows it and none uses it yet.
pub async fn rotate(world: &World, name: Named, processes: &[&App]) -> String {
    let rotated = secrets::rotate(&world.app.config, name, NOTICE, &world.clock).await.unwrap();
    comes_true("every process reads the new value by itself", async || {
        processes.iter().all(|app| newest(app, name) == rotated.id)
    })
    .await;
    rotated.id
}

pub async fn retire(world: &World, name: Named) -> Result<Vec<String>, RotateError> {
    secrets::retire(&world.app.config, name, world.clock.now()).await
}

/// Why a value is not dropped.
pub async fn needed(world: &World, name: Named) -> String {
    match retire(world, name).await {
        Err(RotateError::Needed { why, .. }) => why,
        other => panic!("{name}: {:?}", other.err().map(|error| error.to_string())),
    }
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

/// What a request with this access token is answered.
async fn with_token(base: &str, token: &str, secret: &str) -> u16 {
    let asked = reqwest::Client::new().get(format!("{base}/api/v1/sessions/current"));
    asked.bearer_auth(token).header("himaya-session", secret).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_token_is_good_to_its_end_on_every_replica_and_a_forged_one_nowhere() {
    let world = World::new().await;
    let (other, serving, base) = world.replica().await;
    let operator = world.signed_in("operator1").await;
    let (old, secret, _) = operator.secrets().await;
    let first = kid(&old);
    let second = rotate(&world, Named::Token, &[&world.app, &other]).await;
    assert_ne!(first, second);
    operator.refresh().await.unwrap();
    assert_eq!(kid(&operator.secrets().await.0), first, "prepared, and not used yet");
    let again = secrets::rotate(&world.app.config, Named::Token, NOTICE, &world.clock).await.err().unwrap();
    assert!(matches!(&again, RotateError::Prepared { id, .. } if *id == second), "{again}");

    world.clock.advance(TimeDelta::seconds(62));
    operator.at(&base).refresh().await.unwrap();
    let (new, ..) = operator.secrets().await;
    assert_eq!(kid(&new), second);
    for base in [&world.base, &base] {
        assert_eq!((with_token(base, &old, &secret).await, with_token(base, &new, &secret).await), (200, 200));
    }
    assert!(needed(&world, Named::Token).await.contains("good until"));

    // A thief's own key under a name that is known, and under one that is not.
    let claims = |seconds: i64| {
        let session: Value = serde_json::from_slice(&payload(&new)).unwrap();
        let now = world.clock.now().timestamp();
        json!({ "sub": session["sub"], "sid": session["sid"], "iss": "himaya", "aud": "himaya-api", "iat": now,
                "exp": now + seconds })
    };
    let signed = |kid: &str, key: &[u8], seconds| {
        let (typ, kid) = (Some("at+jwt".to_owned()), Some(kid.to_owned()));
        let header = Header { typ, kid, alg: Algorithm::EdDSA, ..Header::default() };
        jsonwebtoken::encode(&header, &claims(seconds), &EncodingKey::from_ed_der(key)).unwrap()
    };
    let stolen = world.app.secrets.token.get().find(&first).unwrap().value.to_bytes();
    let right = signed(&first, &stolen, 300);
    assert_eq!(with_token(&world.base, &right, &secret).await, 200, "the forgery is made as it should be");
    for forged in [
        signed(&second, &[9; 32], 300),
        signed("00000000000000aa", &[9; 32], 300),
        signed(&second, &stolen, 300),
        signed("", &stolen, 300),
    ] {
        assert_eq!(with_token(&world.base, &forged, &secret).await, 401, "{forged}");
    }

    // The longest token's life is over: the old key is nobody's, before anybody dropped it.
    world.clock.advance(TimeDelta::seconds(360));
    let late = signed(&first, &stolen, 300);
    assert_eq!((with_token(&world.base, &late, &secret).await, with_token(&base, &late, &secret).await), (401, 401));
    assert_eq!(retire(&world, Named::Token).await.unwrap(), std::slice::from_ref(&first));
    comes_true("the dropped key is forgotten", async || other.secrets.token.get().find(&first).is_none()).await;
    operator.refresh().await.unwrap();
    assert_eq!(with_token(&base, &operator.secrets().await.0, &secret).await, 200);
    assert!(needed(&world, Named::Token).await.contains("no older value"));
    serving.stop().await.unwrap();
}

fn payload(token: &str) -> Vec<u8> {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// How many people's keys are sealed with this pepper.
async fn sealed_with(world: &World, pepper: &str) -> i64 {
    let count = "SELECT count(*) FROM credential_slots WHERE pepper = $1";
    sqlx::query_scalar(count).bind(pepper).fetch_one(&mut world.owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_pepper_goes_when_everybody_has_signed_in_and_no_sooner() {
    let world = World::new().await;
    let first = newest(&world.app, Named::Pepper);
    let mut owner = world.owner().await;
    // Half of the country is from before peppers had names.
    let unnamed = "UPDATE credential_slots SET pepper = NULL WHERE account_id::text < '8'";
    sqlx::raw_sql(unnamed).execute(&mut owner).await.unwrap();
    let duty = world.country.person("duty1").unwrap();
    duty.sign_in().await.unwrap();
    recovery_code(duty, words(duty)).await;
    let (other, serving, base) = world.replica().await;
    let second = rotate(&world, Named::Pepper, &[&world.app, &other]).await;
    let operator = world.country.person("operator1").unwrap();
    operator.sign_in().await.unwrap();
    assert_eq!(sealed_with(&world, &second).await, 0, "prepared, and not used yet");
    world.clock.advance(TimeDelta::seconds(62));
    let wrong = Actor::known(&world.base, "operator1", "not these words", operator.account, "", None);
    assert!(wrong.sign_in().await.is_err());
    assert_eq!(sealed_with(&world, &second).await, 0, "wrong words seal nothing");

    // Records are not touched, only what leads to the person's keys.
    let before: Vec<u8> = sqlx::query_scalar("SELECT kem_public FROM account_keys WHERE account_id = $1")
        .bind(operator.account)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    for base in [&world.base, &base] {
        operator.at(base).sign_in().await.unwrap();
    }
    assert_eq!(sealed_with(&world, &second).await, 1);
    let slots: i64 = sqlx::query_scalar("SELECT count(*) FROM credential_slots").fetch_one(&mut owner).await.unwrap();
    world.clock.advance(TimeDelta::seconds(62));
    let why = needed(&world, Named::Pepper).await;
    assert!(why.contains(&format!("{first} seals the keys of {} people", slots - 2)), "{why}");
    assert!(why.contains("seals 1 printed recovery codes"), "{why}");
    assert_eq!(said(&world, "secrets: pepper").await, (true, why));

    // Everybody but two has left; the last one signs in at the other replica.
    sqlx::query("DELETE FROM credential_slots WHERE account_id NOT IN ($1, $2)")
        .bind(operator.account)
        .bind(duty.account)
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(needed(&world, Named::Pepper).await.contains("of 1 people"));
    let duty = duty.at(&base);
    duty.sign_in().await.unwrap();
    // With a printed code nobody signs in each day: its owner takes a new one.
    assert!(needed(&world, Named::Pepper).await.contains("seals 1 printed recovery codes"));
    assert!(retire(&world, Named::Pepper).await.is_err());
    recovery_code(&duty, words(&duty)).await;
    assert_eq!(retire(&world, Named::Pepper).await.unwrap(), std::slice::from_ref(&first));
    comes_true("the dropped pepper is forgotten", async || other.secrets.pepper.get().find(&first).is_none()).await;
    for actor in [operator, &duty] {
        actor.sign_in().await.unwrap();
    }
    let after: Vec<u8> = sqlx::query_scalar("SELECT kem_public FROM account_keys WHERE account_id = $1")
        .bind(operator.account)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(before, after);

    // One that was dropped behind the service's back is told of.
    sqlx::query("UPDATE credential_slots SET pepper = $1 WHERE account_id = $2")
        .bind(&first)
        .bind(duty.account)
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(duty.sign_in().await.is_err());
    let (well, told) = said(&world, "secrets: pepper: sign-ins").await;
    assert!(!well && told.contains("1 people cannot sign in"), "{told}");
    serving.stop().await.unwrap();
}

/// What the doctor says about something: the part behind the value in use, and whether it is well.
async fn said(world: &World, about: &str) -> (bool, String) {
    use himaya::doctor::{Verdict, examine};
    let all = examine(&world.app.config, &world.clock).await;
    let check = all.into_iter().find(|check| check.about == about).unwrap();
    let tail = check.said.split_once("; ").map_or(check.said.as_str(), |(_, tail)| tail).to_owned();
    (check.verdict == Verdict::Well, tail)
}

pub async fn verified(world: &World, keys: &LogKeys, saved: &[String]) -> Report {
    verify(&world.app.databases.auditor, keys, saved, true).await.unwrap()
}

/// A call is written, and read again: two entries at least.
pub async fn work(operator: &Actor) -> String {
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let made = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/api/v1/calls/{}", made.id("id"));
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200);
    path
}

/// The newest checkpoint's note, once nothing waits for its place.
pub async fn checkpoint(world: &World) -> String {
    let mut owner = world.owner().await;
    comes_true("the queue is empty", async || {
        let count = "SELECT count(*) FROM ledger_pending";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&mut owner).await.unwrap() == 0
    })
    .await;
    let newest = "SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1";
    sqlx::query_scalar(newest).fetch_one(&mut owner).await.unwrap()
}

pub fn signatures(note: &str) -> usize {
    note.lines().filter(|line| line.starts_with('—')).count()
}

/// Lets time pass until the key takes over, with work in between: the last checkpoint that both signed.
pub async fn switch(world: &World, operator: &Actor) -> String {
    checkpoint(world).await;
    world.clock.advance(TimeDelta::seconds(125));
    work(operator).await;
    let both = checkpoint(world).await;
    assert_eq!(signatures(&both), 2, "{both}");
    world.clock.advance(TimeDelta::seconds(12));
    work(operator).await;
    let alone = checkpoint(world).await;
    assert_eq!(signatures(&alone), 1, "{alone}");
    both
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_goes_on_under_a_new_key_and_an_outsider_follows_it() {
    let mut world = World::new().await;
    let (other, serving, base) = world.replica().await;
    let operator = world.signed_in("operator1").await;
    let path = work(&operator).await;
    let (first, saved) = (newest(&world.app, Named::Ledger), checkpoint(&world).await);
    // What an auditor wrote down on the first day.
    let name = KeyName::new(world.app.config.log_origin.as_str()).unwrap();
    let public = |app: &App, id: &str| {
        let key = app.secrets.ledger.get().find(id).unwrap().value.public;
        NoteVerifier::new(name.clone(), &key)
    };
    let written_down = public(&world.app, &first);

    let second = rotate(&world, Named::Ledger, &[&world.app, &other]).await;
    let introduced =
        world.app.config.checkpoints.join(himaya::audit::keys::file_name(public(&world.app, &second).key()));
    comes_true("the new key is introduced outside the database", async || introduced.exists()).await;
    world.clock.advance(TimeDelta::seconds(62));
    // Entries are signed by the new key, the checkpoints over them still by the old one.
    work(&operator.at(&base)).await;
    let outsider = LogKeys::in_order(vec![written_down.clone()]);
    let between = checkpoint(&world).await;
    assert!(outsider.read(&between).is_ok() && signatures(&between) == 1);
    assert!(needed(&world, Named::Ledger).await.contains("signs the ledger"));

    // Two minutes later nothing of the old key is on its way any more.
    let switch = switch(&world, &operator).await;
    assert!(outsider.read(&switch).is_ok(), "signed by the old key as well: {switch}");
    work(&operator).await;
    let after = checkpoint(&world).await;
    assert!(outsider.read(&after).is_err() && signatures(&after) == 1, "{after}");

    // Offline, with the first key and the introductions.
    let notes = [std::fs::read_to_string(&introduced).unwrap()];
    let followed = LogKeys::follow(written_down.clone(), &notes).unwrap();
    let report = verified(&world, &followed, &[saved.clone(), between.clone(), switch, after.clone()]).await;
    assert!(report.ok() && report.records > 0, "{:#?}", report.findings);
    assert!(verified(&world, &world.app.log_keys().unwrap(), &[]).await.ok());
    // Who does not follow, or follows somebody else, finds what nobody introduced.
    for nobody in [outsider, LogKeys::in_order(vec![public(&world.app, &second)])] {
        let report = verified(&world, &nobody, &[]).await;
        let strange =
            |finding: &Finding| matches!(finding, Finding::NotSignedByUs { .. } | Finding::CheckpointForged { .. });
        assert!(!report.ok() && report.findings.iter().any(strange));
    }

    // The old private half goes; everything stays verifiable, and what it vouched for is still believed.
    assert_eq!(retire(&world, Named::Ledger).await.unwrap(), std::slice::from_ref(&first));
    let file = std::fs::read_to_string(world.app.config.secrets.join("ledger")).unwrap();
    assert!(file.starts_with("public:") && file.lines().count() == 2, "only the public half lies there");
    comes_true("the old private half is forgotten", async || {
        let keys = [&world.app, &other].map(|app| app.secrets.ledger.get());
        keys.iter().all(|keys| keys.find(&first).unwrap().value.signing.is_none())
    })
    .await;
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200, "stored under the first key");
    work(&operator).await;
    serving.stop().await.unwrap();
    world.stop().await;
    let (app, serving, base) = world.replica().await;
    work(&operator.at(&base)).await;
    assert!(needed(&world, Named::Ledger).await.contains("no older value"));
    serving.stop().await.unwrap();
    let report = verify(&app.databases.auditor, &followed, &[saved, between, after], true).await.unwrap();
    assert!(report.ok(), "{:#?}", report.findings);
}

/// Puts an entry into the database that this key signed, as its owner can, with its place in the queue.
async fn plant(world: &World, key: &SigningKey) -> Place {
    let mut owner = world.owner().await;
    let place = Place { replica: himaya::platform::random::uuid(), lane: 0, n: 0 };
    let leaf = Leaf::new(place, place.origin(), world.clock.hour(), [0; 32], b"detail", None).to_bytes();
    let signature = key.sign(&signed_message(&leaf)).to_bytes();
    sqlx::query(
        "INSERT INTO ledger_entries (replica, lane, n, leaf, signature, detail_key, detail)
         SELECT $1, 0, 0, $2, $3, id, 'x' FROM ledger_detail_keys LIMIT 1",
    )
    .bind(place.replica)
    .bind(&leaf)
    .bind(signature.as_slice())
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::query("INSERT INTO ledger_pending (replica, lane, n) VALUES ($1, 0, 0)")
        .bind(place.replica)
        .execute(&mut owner)
        .await
        .unwrap();
    place
}

async fn is_placed(world: &World, place: Place) -> bool {
    let count = "SELECT count(*) FROM ledger_tree WHERE replica = $1";
    let placed: i64 = sqlx::query_scalar(count).bind(place.replica).fetch_one(&mut world.owner().await).await.unwrap();
    placed == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_of_the_ledger_is_worth_nothing_once_it_was_replaced() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let first = newest(&world.app, Named::Ledger);
    let stolen = world.app.secrets.ledger.get().find(&first).unwrap().value.signing.clone().unwrap();
    let second = rotate(&world, Named::Ledger, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    // Until the switch an entry of the old key may be on its way: it gets its place.
    let late = plant(&world, &stolen).await;
    comes_true("a late entry is placed", async || is_placed(&world, late).await).await;
    switch(&world, &operator).await;
    assert!(verified(&world, &world.app.log_keys().unwrap(), &[]).await.ok());
    let forged = plant(&world, &stolen).await;
    let stranger = plant(&world, &SigningKey::from_bytes(&[9; 32])).await;
    // Rounds of the sequencer go by: what the service wrote gets its place, and the forgeries do not.
    work(&operator).await;
    let mut owner = world.owner().await;
    comes_true("only the forgeries wait", async || {
        let count = "SELECT count(*) FROM ledger_pending";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&mut owner).await.unwrap() == 2
    })
    .await;
    assert!(!is_placed(&world, forged).await && !is_placed(&world, stranger).await);
    world.stop().await;
    let keys = world.app.log_keys().unwrap();
    let found = verified(&world, &keys, &[]).await.findings;
    assert!(found.contains(&Finding::SignedByOldKey { place: forged }), "{found:#?}");
    assert!(found.contains(&Finding::NotSignedByUs { place: stranger }), "{found:#?}");

    // The owner of the database gives it a place by hand, with a checkpoint that the stolen key signs.
    let (size, edge): (i64, Vec<Vec<u8>>) =
        sqlx::query_as("SELECT size, right_edge FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    let leaf: Vec<u8> = sqlx::query_scalar("SELECT leaf FROM ledger_entries WHERE replica = $1")
        .bind(forged.replica)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let hashes = edge.into_iter().map(|hash| Hash::from_bytes(hash.try_into().unwrap())).collect();
    let mut tree = himaya::audit::tree::Frontier::from_hashes(u64::try_from(size).unwrap(), hashes).unwrap();
    tree.append(leaf_hash(&leaf)).unwrap();
    let head: TreeHead = tree.head();
    let name = KeyName::new(world.app.config.log_origin.as_str()).unwrap();
    let text = Checkpoint::new(name.as_str(), head).unwrap().to_text();
    let signed = note::sign(&text, &[&NoteSigner::new(name, &stolen)]).unwrap();
    for statement in [
        "INSERT INTO ledger_tree (position, replica, lane, n, leaf_hash) VALUES ($1, $2, 0, 0, $3)",
        "DELETE FROM ledger_pending WHERE $1 > 0 AND replica = $2 AND $3::bytea IS NOT NULL",
    ] {
        let planted = sqlx::query(statement).bind(size).bind(forged.replica);
        planted.bind(leaf_hash(&leaf).as_bytes().as_slice()).execute(&mut owner).await.unwrap();
    }
    sqlx::query("INSERT INTO ledger_checkpoints (size, note, right_edge, made_at) VALUES ($1, $2, '{}', now())")
        .bind(size + 1)
        .bind(&signed)
        .execute(&mut owner)
        .await
        .unwrap();
    let found = verified(&world, &keys, std::slice::from_ref(&signed)).await.findings;
    for finding in [
        Finding::SignedByOldKey { place: forged },
        Finding::CheckpointByOldKey { kept: Kept::Database, which: size + 1 },
        Finding::CheckpointByOldKey { kept: Kept::Outside, which: 1 },
    ] {
        assert!(found.contains(&finding), "{finding}: {found:#?}");
    }
    assert_eq!(world.app.secrets.ledger.get().newest().id, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_missed_the_new_key_writes_nothing_and_holds_nobody_up() {
    let mut world = World::new().await;
    // On a machine of its own, whose copy of the folder nobody brought up to date.
    let stale = world.folder.join("stale");
    std::fs::create_dir(&stale).unwrap();
    for name in Named::ALL {
        std::fs::copy(world.app.config.secrets.join(name.as_str()), stale.join(name.as_str())).unwrap();
    }
    let config = Config { secrets: stale.clone(), ..world.app.config.clone() };
    let (other, serving, base) = world.replica_of(config).await;
    // As for sequencing, the stale one waits: the world's own process holds the office.
    let operator = world.signed_in("operator1").await;
    rotate(&world, Named::Ledger, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    work(&operator.at(&base)).await;
    checkpoint(&world).await;
    world.clock.advance(TimeDelta::seconds(125));
    work(&operator).await;
    assert_eq!(signatures(&checkpoint(&world).await), 2);
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    comes_true("the stale process finds out", async || {
        operator.at(&base).post("/api/v1/calls", &call).await.unwrap().status == 503
    })
    .await;
    // What it wrote until then has its place.
    checkpoint(&world).await;
    world.clock.advance(TimeDelta::seconds(12));
    work(&operator).await;
    assert_eq!(signatures(&checkpoint(&world).await), 1);
    // The others go on, and nothing waits for ever.
    work(&operator).await;
    checkpoint(&world).await;
    std::fs::copy(world.app.config.secrets.join("ledger"), stale.join("ledger")).unwrap();
    comes_true("brought up to date it goes on", async || {
        operator.at(&base).post("/api/v1/calls", &call).await.unwrap().status == 201
    })
    .await;
    assert_eq!(newest(&other, Named::Ledger), newest(&world.app, Named::Ledger));
    serving.stop().await.unwrap();
    world.stop().await;
    let report = verified(&world, &world.app.log_keys().unwrap(), &[]).await;
    assert!(report.ok(), "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_another_pseudonym_that_says_its_key_and_what_was_vouched_for_stays_believed() {
    let world = World::new().await;
    let (operator, auditor) = (world.signed_in("operator1").await, world.signed_in("auditor1").await);
    let old = work(&operator).await;
    let pseudonyms = async || {
        checkpoint(&world).await;
        let page = auditor.get("/api/v1/ledger/entries?limit=100", "audit").await.unwrap();
        let all = page.body["items"].as_array().unwrap().clone();
        let calls = all.into_iter().filter(|item| item["detail"]["kind"] == "call");
        let mut people: Vec<String> = calls.map(|item| item["detail"]["person"].as_str().unwrap().to_owned()).collect();
        people.sort();
        people.dedup();
        people
    };
    let before = pseudonyms().await;
    assert_eq!(before.len(), 1);
    let key = rotate(&world, Named::Pseudonyms, &[&world.app]).await;
    let vouch = rotate(&world, Named::Vouch, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    let new = work(&operator).await;
    let after = pseudonyms().await;
    let named = format!("p-{key}-");
    assert!(after.len() == 2 && after.contains(&before[0]), "{after:?}");
    assert!(after.iter().any(|person| person.starts_with(&named)), "{after:?}");
    assert!(needed(&world, Named::Pseudonyms).await.contains("pseudonyms in older entries"));

    // Two codes of two values; one of a value that nobody has is none.
    for path in [&old, &new] {
        assert_eq!(operator.get(path, "intake").await.unwrap().status, 200);
    }
    assert_eq!(newest(&world.app, Named::Vouch), vouch);
    assert!(needed(&world, Named::Vouch).await.contains("vouches for everything"));
    let file = world.app.config.secrets.join("vouch");
    let text = std::fs::read_to_string(&file).unwrap();
    let newer = text.lines().nth(1).unwrap().split(' ').next().unwrap();
    std::fs::write(&file, format!("{newer}\n")).unwrap();
    // Who starts without it believes nothing that it vouched for, not even to whom the ledger is sealed, and shows nothing;
    // `rotation_mended.rs` says what runs on.
    let (_, serving, base) = world.replica().await;
    for (path, status) in [(&old, 500), (&new, 503)] {
        assert_eq!(operator.at(&base).get(path, "intake").await.unwrap().status, status);
    }
    serving.stop().await.unwrap();
}
