//! A person's ways to show who they are: each opens the same keys, and what counts once counts once on all replicas.

use crate::harness::World;
use crate::thief::loot;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::totp::TotpSecret;
use himaya::platform::config::{Config, LimitsConfig};
use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

async fn sql(world: &World, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&mut world.owner().await).await.unwrap();
}

async fn change(actor: &Actor, what: &str, fresh: Value) -> Reply {
    actor.post(&format!("/api/v1/credentials/{what}"), &fresh).await.unwrap()
}

/// Signs in with these words in a session of its own.
async fn tries(actor: &Actor, shown: Value) -> Reply {
    actor.elsewhere().try_sign_in(shown).await.unwrap()
}

fn said(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.code())
}

pub fn words(actor: &Actor) -> Value {
    json!({ "passphrase": actor.passphrase })
}

/// The next code of an authenticator: half a minute passes.
pub fn next_code(world: &World, secret: &str) -> String {
    world.clock.advance(TimeDelta::seconds(30));
    TotpSecret::code_at(secret, world.clock.now())
}

/// Sets an authenticator up; gives its secret.
pub async fn authenticator(world: &World, actor: &Actor) -> String {
    let begun = change(actor, "totp", words(actor)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let secret = begun.text_of("secret").to_owned();
    let confirmed = change(actor, "totp/confirm", json!({ "code": next_code(world, &secret) })).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    secret
}

pub async fn recovery_code(actor: &Actor, fresh: Value) -> String {
    let made = change(actor, "recovery-code", fresh).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.text_of("recovery_code").to_owned()
}

async fn works(actor: &Actor) -> u16 {
    actor.get("/api/v1/notices", "intake").await.unwrap().status
}

async fn entries(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut world.owner().await).await.unwrap()
}

/// A fingerprint of all that is sealed and wrapped.
async fn sealed(world: &World) -> (String, String) {
    let all = "SELECT (SELECT md5(string_agg(s::text, '' ORDER BY s::text)) FROM sealed s),
                      (SELECT md5(string_agg(w::text, '' ORDER BY w::text)) FROM wraps w)";
    let row = sqlx::query(all).fetch_one(&mut world.owner().await).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_passphrase_opens_the_same_records_and_the_old_one_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let other = officer.elsewhere();
    other.sign_in().await.unwrap();
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let before = (officer.get(&path, "case_work").await.unwrap(), sealed(&world).await);

    let wrong = change(&officer, "passphrase", json!({ "passphrase": "not these words" })).await;
    assert_eq!(said(&wrong), (403, "wrong_factor"));
    let none = change(&officer, "passphrase", json!({})).await;
    assert_eq!((none.status, &none.body["errors"][0]["field"]), (422, &json!("passphrase")), "{}", none.text);
    assert_eq!(other.get(&path, "case_work").await.unwrap().status, 200, "nothing was changed");
    let counted = entries(&world).await;
    let changed = change(&officer, "passphrase", words(&officer)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(entries(&world).await, counted + 1);
    assert_eq!(changed.text_of("passphrase").split(' ').count(), 7);
    assert!(!changed.body["ended"].as_array().unwrap().is_empty());
    assert_eq!(other.get(&path, "case_work").await.unwrap().status, 401, "all other sessions end");
    assert_eq!(officer.get(&path, "case_work").await.unwrap().body, before.0.body, "this one goes on");

    assert_eq!(said(&tries(&officer, words(&officer)).await), (401, "wrong_credentials"));
    let fresh = officer.elsewhere();
    let new = json!({ "passphrase": changed.text_of("passphrase") });
    assert_eq!(fresh.try_sign_in(new).await.unwrap().status, 201);
    assert_eq!(fresh.get(&path, "case_work").await.unwrap().body, before.0.body);
    assert_eq!(sealed(&world).await, before.1, "nothing is sealed or wrapped anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_counts_from_its_first_code_on_and_each_code_once() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let other = duty.elsewhere();
    other.sign_in().await.unwrap();
    let begun = change(&duty, "totp", words(&duty)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let secret = begun.text_of("secret").to_owned();
    assert_eq!(begun.text_of("uri"), format!("otpauth://totp/Himaya:duty1?secret={secret}&issuer=Himaya"));
    assert_eq!(tries(&duty, words(&duty)).await.status, 201, "it does not count yet");
    assert_eq!(works(&other).await, 200);
    assert_eq!(said(&change(&duty, "totp/confirm", json!({ "code": "000000" })).await), (403, "wrong_factor"));
    let code = next_code(&world, &secret);
    assert_eq!(change(&duty, "totp/confirm", json!({ "code": code })).await.status, 200);
    assert_eq!((works(&other).await, works(&duty).await), (401, 200));

    assert_eq!(said(&tries(&duty, words(&duty)).await), (401, "second_factor_needed"));
    let wrong = json!({ "passphrase": "not these words", "code": code });
    assert_eq!(
        said(&tries(&duty, wrong).await),
        (401, "wrong_credentials"),
        "nothing is told before the words are right"
    );
    let with = |code: &str| json!({ "passphrase": duty.passphrase, "code": code });
    assert_eq!(said(&tries(&duty, with(&code)).await), (401, "wrong_second_factor"), "it confirmed already");
    let code = next_code(&world, &secret);
    assert_eq!(tries(&duty, with(&code)).await.status, 201);
    assert_eq!(said(&tries(&duty, with(&code)).await), (401, "wrong_second_factor"));
    // The clock is put back: no step that was used comes again.
    world.clock.advance(TimeDelta::seconds(-90));
    for back in [0, 30, 30] {
        world.clock.advance(TimeDelta::seconds(back));
        let old = TotpSecret::code_at(&secret, world.clock.now());
        assert_eq!(said(&tries(&duty, with(&old)).await), (401, "wrong_second_factor"));
    }
    let marked: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE second_factor_at IS NOT NULL")
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(marked, 2, "the session in which it was confirmed, and the one that began with it");
    let seen = duty.get("/api/v1/credentials", "").await.unwrap();
    let kinds: Vec<_> = seen.body["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, [json!("passphrase"), json!("totp")]);
    assert!(!seen.text.contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_sent_at_once_to_two_replicas_lets_one_in() {
    let world = World::new().await;
    let (_app, replica, base) = world.replica().await;
    let duty = world.signed_in("duty1").await;
    let secret = authenticator(&world, &duty).await;
    let sessions = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&mut world.owner().await).await.unwrap()
    };
    let before = sessions().await;
    let shown = json!({ "passphrase": duty.passphrase, "code": next_code(&world, &secret) });
    let all = (0..8).map(|i| {
        let (actor, shown) = (if i % 2 == 0 { duty.elsewhere() } else { duty.elsewhere().at(&base) }, shown.clone());
        tokio::spawn(async move { actor.try_sign_in(shown).await.unwrap() })
    });
    let mut answers = Vec::new();
    for one in all.collect::<Vec<_>>() {
        let reply = one.await.unwrap();
        answers.push((reply.status, reply.code().to_owned()));
    }
    answers.sort();
    assert_eq!(answers[0], (201, String::new()));
    assert!(answers[1..].iter().all(|answer| *answer == (401, "wrong_second_factor".to_owned())), "{answers:?}");
    assert_eq!(sessions().await, before + 1);
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_not_guessed_and_asking_for_one_counts_nothing() {
    let world = World::new().await;
    let limits = LimitsConfig { codes_a_day: 3, ..LimitsConfig::default() };
    let (_app, replica, base) = world.replica_of(Config { limits, ..world.app.config.clone() }).await;
    let duty = world.signed_in("duty1").await.at(&base);
    let secret = authenticator(&world, &duty).await;
    for _ in 0..12 {
        assert_eq!(said(&tries(&duty, words(&duty)).await), (401, "second_factor_needed"));
    }
    let guess = json!({ "passphrase": duty.passphrase, "code": "000000" });
    for expected in [401, 401, 401, 429] {
        assert_eq!(tries(&duty, guess.clone()).await.status, expected);
    }
    let right = json!({ "passphrase": duty.passphrase, "code": next_code(&world, &secret) });
    assert_eq!(tries(&duty, right.clone()).await.status, 429, "a day long, from anywhere");
    assert_eq!(duty.try_sign_in(right).await.unwrap().status, 201, "but on the person's own device");
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_stands_for_the_passphrase_once_and_everything_is_new_then() {
    let world = World::new().await;
    let (_app, replica, base) = world.replica().await;
    let duty = world.signed_in("duty1").await;
    let code = recovery_code(&duty, words(&duty)).await;
    assert_eq!(code.split(' ').count(), 10);
    let all = (0..6).map(|i| {
        let (actor, code) = (if i % 2 == 0 { duty.elsewhere() } else { duty.elsewhere().at(&base) }, code.clone());
        tokio::spawn(async move { actor.try_sign_in(json!({ "recovery_code": code })).await.unwrap() })
    });
    let mut won = None;
    for one in all.collect::<Vec<_>>() {
        let reply = one.await.unwrap();
        match said(&reply) {
            (201, _) => assert!(won.replace(reply).is_none(), "twice"),
            other => assert_eq!(other, (401, "wrong_credentials")),
        }
    }
    let won = won.unwrap();
    assert_eq!(works(&duty).await, 401, "all sessions from before end");
    assert_eq!(tries(&duty, words(&duty)).await.status, 401);
    assert_eq!(tries(&duty, json!({ "recovery_code": code })).await.status, 401);
    assert_eq!(tries(&duty, json!({ "passphrase": won.text_of("passphrase") })).await.status, 201);
    let next = json!({ "recovery_code": won.text_of("recovery_code") });
    assert_eq!(tries(&duty, next).await.status, 201);
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_stands_for_the_passphrase_or_for_the_code_and_never_for_both() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let code = recovery_code(&duty, words(&duty)).await;
    authenticator(&world, &duty).await;
    let alone = json!({ "recovery_code": code });
    assert_eq!(said(&tries(&duty, alone.clone()).await), (401, "second_factor_needed"));
    assert_eq!(said(&tries(&duty, alone).await), (401, "second_factor_needed"), "it was not used up");
    let all = json!({ "passphrase": duty.passphrase, "recovery_code": code, "code": "000000" });
    let refused = tries(&duty, all).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("recovery_code")));
    let wrong = json!({ "passphrase": duty.passphrase, "recovery_code": "not these words" });
    assert_eq!(said(&tries(&duty, wrong).await), (401, "wrong_second_factor"));

    let lost = duty.elsewhere();
    let reply = lost.try_sign_in(json!({ "passphrase": duty.passphrase, "recovery_code": code })).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!((works(&duty).await, reply.text_of("passphrase")), (200, ""), "the passphrase stays");
    let again = json!({ "passphrase": duty.passphrase, "recovery_code": code });
    assert_eq!(tries(&duty, again).await.status, 401, "it is used up");
    // With the next one the lost authenticator is removed.
    let next = reply.text_of("recovery_code").to_owned();
    let removed = change(&lost, "totp/remove", json!({ "recovery_code": next })).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!(works(&duty).await, 401);
    assert_eq!(tries(&duty, words(&duty)).await.status, 201, "without a code");

    let secret = authenticator(&world, &lost).await;
    let both = json!({ "recovery_code": removed.text_of("recovery_code"), "code": next_code(&world, &secret) });
    let reply = tries(&duty, both).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert!(!reply.text_of("passphrase").is_empty() && !reply.text_of("recovery_code").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_opens_for_its_own_kind_and_person_only() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let code = recovery_code(&one, words(&one)).await;
    // As the owner of the database: what was printed becomes what is typed, so that no code is asked for.
    let turn = "DELETE FROM credential_slots WHERE kind = 'passphrase'
                    AND account_id = (SELECT id FROM accounts WHERE handle = 'duty1');
                UPDATE credential_slots SET kind = 'passphrase' WHERE kind = 'recovery_code'";
    sql(&world, turn).await;
    assert_eq!(said(&tries(&one, json!({ "passphrase": code })).await), (401, "wrong_credentials"));
    // Somebody's own slot under another name: their words open it for nobody else.
    let lend = "DELETE FROM credential_slots WHERE account_id = (SELECT id FROM accounts WHERE handle = 'duty1');
                UPDATE credential_slots SET account_id = (SELECT id FROM accounts WHERE handle = 'duty1')
                WHERE account_id = (SELECT id FROM accounts WHERE handle = 'duty2')";
    sql(&world, lend).await;
    assert_eq!(said(&tries(&one, words(&two)).await), (401, "wrong_credentials"));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_dump_nor_the_services_secrets_reveal_what_an_authenticator_shares() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let secret = authenticator(&world, &one).await;
    let theirs = authenticator(&world, &two).await;
    let dump = world.dump();
    assert!(!dump.windows(secret.len()).any(|part| part == secret.as_bytes()));
    let rows = sqlx::query("SELECT id, sealed FROM totp_secrets").fetch_all(&mut world.owner().await).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let (id, sealed): (Uuid, Vec<u8>) = (row.get(0), row.get(1));
        let context = Context::new("totp_secrets", id.into_bytes(), "secret", 1, 1);
        for stolen in loot(&world).await {
            assert!(bytes::open(&ContentKey::from_bytes(stolen), 1, &context, &sealed).is_err());
        }
    }
    // Put in the place of somebody else's it opens nothing, and nobody comes in by it.
    let swap = "UPDATE totp_secrets t SET sealed = o.sealed FROM totp_secrets o WHERE o.id <> t.id";
    sql(&world, swap).await;
    let code = next_code(&world, &theirs);
    let reply = tries(&one, json!({ "passphrase": one.passphrase, "code": code })).await;
    assert_eq!(said(&reply), (500, "fault"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_alone_changes_nothing_and_wrong_factors_are_counted() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let secret = authenticator(&world, &duty).await;
    for what in ["passphrase", "recovery-code", "recovery-code/remove", "totp", "totp/remove"] {
        for fresh in [json!({}), words(&duty)] {
            let refused = change(&duty, what, fresh).await;
            assert_eq!(
                (refused.status, &refused.body["errors"][0]["field"]),
                (422, &json!("code")),
                "{}",
                refused.text
            );
        }
    }
    let limits = LimitsConfig { account: 3, ..LimitsConfig::default() };
    let (_app, replica, base) = world.replica_of(Config { limits, ..world.app.config.clone() }).await;
    let there = duty.at(&base);
    for expected in [403, 403, 403, 429] {
        assert_eq!(change(&there, "totp/remove", json!({ "code": "000000" })).await.status, expected);
    }
    let right = json!({ "code": next_code(&world, &secret) });
    assert_eq!(change(&there, "totp/remove", right).await.status, 429);
    // Somebody at a screen that was left open does not lock the person out by it.
    let shown = json!({ "passphrase": duty.passphrase, "code": next_code(&world, &secret) });
    assert_eq!(tries(&there, shown).await.status, 201);
    assert_eq!(change(&duty, "totp/remove", json!({ "code": next_code(&world, &secret) })).await.status, 200);
    assert_eq!(said(&change(&duty, "totp/remove", words(&duty)).await), (404, "not_found"));
    assert_eq!(said(&change(&duty, "recovery-code/remove", words(&duty)).await), (404, "not_found"));
    // Given away by being shown.
    let code = recovery_code(&duty, words(&duty)).await;
    let removed = change(&duty, "recovery-code/remove", json!({ "recovery_code": code })).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    let kept = duty.get("/api/v1/credentials", "").await.unwrap();
    assert_eq!(kept.body["items"].as_array().unwrap().len(), 1, "the last way in stays");
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_let_in_only_half_way_has_used_nothing_up() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let code = recovery_code(&duty, words(&duty)).await;
    let secret = authenticator(&world, &duty).await;
    let shown = json!({ "recovery_code": code, "code": next_code(&world, &secret) });
    sql(&world, "REVOKE INSERT ON sessions FROM himaya_door").await;
    assert_eq!(tries(&duty, shown.clone()).await.status, 500);
    assert_eq!(works(&duty).await, 200, "no session has ended");
    sql(&world, "GRANT INSERT ON sessions TO himaya_door").await;
    assert_eq!(tries(&duty, shown).await.status, 201);
}
