//! Passkeys, with an authenticator in software: what counts, what does not, and that it counts once on all replicas.

use crate::harness::World;
use crate::rotation::rotate;
use crate::software_key::{SoftwareKey, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::platform::config::{Config, LimitsConfig};
use himaya::platform::secrets::Named;
use serde_json::{Value, json};
use sqlx::Row as _;

pub async fn sql(world: &World, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&mut world.owner().await).await.unwrap();
}

pub async fn change(actor: &Actor, what: &str, body: Value) -> Reply {
    actor.post(&format!("/api/v1/credentials/passkeys{what}"), &body).await.unwrap()
}

pub fn said(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.code())
}

pub fn words(actor: &Actor) -> Value {
    json!({ "passphrase": actor.passphrase })
}

/// Takes a recovery code: without one, or an authenticator, no passkey counts.
pub async fn prints_a_code(actor: &Actor) {
    crate::credentials::recovery_code(actor, words(actor)).await;
}

/// Adds a passkey that begins with this factor; gives its id. Whoever shows their passphrase has no second factor yet.
pub async fn added(actor: &Actor, key: &SoftwareKey, fresh: Value) -> String {
    if fresh.get("passphrase").is_some() {
        prints_a_code(actor).await;
    }
    let begun = change(actor, "", fresh).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let made = change(actor, "/confirm", key.made(&begun.body, true)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    made.text_of("id").to_owned()
}

/// Asks at the door for a passkey of this name.
pub async fn asks(base: &str, handle: &str) -> Value {
    let sent =
        reqwest::Client::new().post(format!("{base}/api/v1/sessions/passkey")).json(&json!({ "handle": handle }));
    let sent = sent.send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 201);
    sent.json().await.unwrap()
}

/// The ids that are asked for, in their order.
fn ids(asked: &Value) -> Vec<String> {
    let allowed = asked["options"]["allowCredentials"].as_array().unwrap();
    allowed.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Signs in with this answer alone, in a session of its own.
pub async fn alone(actor: &Actor, answer: &Value) -> Reply {
    actor.elsewhere().try_sign_in(json!({ "passkey": answer })).await.unwrap()
}

pub async fn again(actor: &Actor, key: &mut SoftwareKey) -> Value {
    let asked = actor.post("/api/v1/credentials/passkeys/ask", &json!({})).await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text);
    json!({ "passkey": key.answer(&asked.body) })
}

pub async fn count(world: &World, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(&mut world.owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_with_prf_stands_alone_and_opens_the_same_records() {
    let world = World::new().await;
    let (_app, replica, base) = world.replica().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let other = officer.elsewhere();
    other.sign_in().await.unwrap();
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let before = officer.get(&path, "case_work").await.unwrap();
    let sealed = "SELECT count(DISTINCT s::text) + 1000 * (SELECT count(DISTINCT w::text) FROM wraps w) FROM sealed s";
    let untouched = count(&world, sealed).await;

    let mut key = SoftwareKey::new(true);
    added(&officer, &key, words(&officer)).await;
    assert_eq!(other.get(&path, "case_work").await.unwrap().status, 401, "all other sessions end");
    assert_eq!(officer.get(&path, "case_work").await.unwrap().body, before.body, "this one goes on");

    // Asked for at one replica, and shown at the other.
    let answer = key.answer(&asks(&world.base, "officer1").await);
    let fresh = officer.elsewhere().at(&base);
    let came = fresh.try_sign_in(json!({ "passkey": answer })).await.unwrap();
    assert_eq!(came.status, 201, "{}", came.text);
    assert_eq!(fresh.get(&path, "case_work").await.unwrap().body, before.body);
    assert_eq!(count(&world, sealed).await, untouched, "nothing is sealed or wrapped anew");
    let marked = "SELECT count(*) FROM sessions WHERE second_factor_at IS NOT NULL AND ended_at IS NULL";
    assert_eq!(count(&world, marked).await, 2, "it is both factors: where it was shown first, and where it let in");
    // It is a second factor for the passphrase too, and the passphrase alone is none.
    let tried = officer.elsewhere().try_sign_in(words(&officer)).await.unwrap();
    assert_eq!(said(&tried), (401, "second_factor_needed"));
    let wrong = json!({ "passphrase": "not these words", "passkey": key.answer(&asks(&base, "officer1").await) });
    assert_eq!(said(&officer.elsewhere().try_sign_in(wrong).await.unwrap()), (401, "wrong_credentials"));
    // What a PRF gave is nowhere.
    let (dump, prf) = (world.dump(), answer["prf"].as_str().unwrap().to_owned());
    assert!(!dump.windows(prf.len()).any(|part| part == prf.as_bytes()));
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_for_its_own_challenge_and_not_for_long() {
    let world = World::new().await;
    let (_app, replica, base) = world.replica().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    added(&duty, &key, words(&duty)).await;
    let answer = key.answer(&asks(&world.base, "duty1").await);
    let all = (0..8).map(|i| {
        let (actor, answer) = (if i % 2 == 0 { duty.elsewhere() } else { duty.elsewhere().at(&base) }, answer.clone());
        tokio::spawn(async move { alone(&actor, &answer).await.status })
    });
    let mut answers = Vec::new();
    for one in all.collect::<Vec<_>>() {
        answers.push(one.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!((answers[0], answers[1..].iter().all(|status| *status == 401)), (201, true), "{answers:?}");
    sql(&world, "UPDATE sign_in_tries SET taken = 0").await;

    let late = key.answer(&asks(&world.base, "duty1").await);
    world.clock.advance(TimeDelta::seconds(301));
    duty.refresh().await.unwrap();
    assert_eq!(said(&alone(&duty, &late).await), (401, "wrong_credentials"));
    // Somebody else's challenge, that of a session, one that never was, and another passkey's own.
    let (mut other, colleague) = (SoftwareKey::new(true), world.signed_in("duty2").await);
    added(&colleague, &other, words(&colleague)).await;
    let asked = asks(&world.base, "duty1").await;
    assert_eq!(said(&alone(&duty, &other.answer(&asked)).await), (401, "wrong_credentials"));
    let mut lent = key.answer(&asked);
    lent["user_handle"] = json!(text(colleague.account.as_bytes()));
    assert_eq!(said(&alone(&duty, &lent).await), (401, "wrong_credentials"));
    let in_session = again(&duty, &mut key).await;
    assert_eq!(said(&alone(&duty, &in_session["passkey"]).await), (401, "wrong_credentials"));
    let mut made_up = key.answer(&asked);
    made_up["ceremony"] = json!(himaya::platform::random::uuid());
    assert_eq!(said(&alone(&duty, &made_up).await), (401, "wrong_credentials"));
    let mut elsewhere = key.clone();
    elsewhere.origin = "https://himaya.example";
    assert_eq!(said(&alone(&duty, &elsewhere.answer(&asked)).await), (401, "wrong_credentials"));
    // At the door of a session too: not the challenge of another session.
    let second = duty.elsewhere();
    let shown = json!({ "passkey": key.answer(&asks(&world.base, "duty1").await) });
    assert_eq!(second.try_sign_in(shown).await.unwrap().status, 201);
    let theirs = again(&duty, &mut key).await;
    let made = second.post("/api/v1/credentials/recovery-code", &theirs).await.unwrap();
    assert_eq!(said(&made), (403, "wrong_factor"));
    assert_eq!(duty.post("/api/v1/credentials/recovery-code", &theirs).await.unwrap().status, 200);
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_counts_answers_each_challenge_once_as_well() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    (key.counter, key.counts) = (0, false);
    added(&duty, &key, words(&duty)).await;
    for _ in 0..2 {
        let answer = key.answer(&asks(&world.base, "duty1").await);
        assert_eq!(alone(&duty, &answer).await.status, 201);
        assert_eq!(said(&alone(&duty, &answer).await), (401, "wrong_credentials"), "once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_passkey_is_no_second_factor() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let (mut own, mut theirs) = (SoftwareKey::new(false), SoftwareKey::new(false));
    added(&one, &own, words(&one)).await;
    added(&two, &theirs, words(&two)).await;
    let asked = asks(&world.base, "duty1").await;
    let with = |answer: Value| json!({ "passphrase": one.passphrase, "passkey": answer });
    let tried = one.elsewhere().try_sign_in(with(theirs.answer(&asked))).await.unwrap();
    assert_eq!(said(&tried), (401, "wrong_second_factor"), "{}", tried.text);
    assert_eq!(one.elsewhere().try_sign_in(with(own.answer(&asked))).await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_was_not_verified_is_nobody() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    key.verifies = false;
    prints_a_code(&duty).await;
    let begun = change(&duty, "", words(&duty)).await;
    assert_eq!(said(&change(&duty, "/confirm", key.made(&begun.body, true)).await), (403, "wrong_factor"));
    key.verifies = true;
    added(&duty, &key, words(&duty)).await;
    key.verifies = false;
    let answer = key.answer(&asks(&world.base, "duty1").await);
    assert_eq!(said(&alone(&duty, &answer).await), (401, "wrong_credentials"));
    let both = json!({ "passphrase": duty.passphrase, "passkey": answer });
    assert_eq!(said(&duty.elsewhere().try_sign_in(both).await.unwrap()), (401, "wrong_second_factor"));
    let shown = again(&duty, &mut key).await;
    let made = duty.post("/api/v1/credentials/recovery-code", &shown).await.unwrap();
    assert_eq!(said(&made), (403, "wrong_factor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_databases_owner_exchanges_nothing_about_a_passkey() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let (mut own, mut thiefs, mut plain) = (SoftwareKey::new(true), SoftwareKey::new(true), SoftwareKey::new(false));
    added(&one, &own, words(&one)).await;
    added(&two, &thiefs, words(&two)).await;
    let whole = alone(&one, &own.answer(&asks(&world.base, "duty1").await)).await;
    assert_eq!(whole.status, 201, "{}", whole.text);

    // The thief's public key in somebody else's row: their own authenticator signs, and nothing opens.
    let swap = "UPDATE passkeys SET credential = credential || '\\x00'
                    WHERE account_id = (SELECT id FROM accounts WHERE handle = 'duty2');
                UPDATE passkeys SET registered = (SELECT registered FROM passkeys p JOIN accounts a ON a.id = p.account_id
                                                  WHERE a.handle = 'duty2'),
                                    credential = substr((SELECT credential FROM passkeys p
                                        JOIN accounts a ON a.id = p.account_id WHERE a.handle = 'duty2'), 1, 32)
                    WHERE account_id = (SELECT id FROM accounts WHERE handle = 'duty1')";
    sql(&world, swap).await;
    let answer = thiefs.answer(&asks(&world.base, "duty1").await);
    assert_eq!(said(&alone(&one, &answer).await), (401, "wrong_credentials"));
    // With the passphrase besides it would be the second factor: what the person's own keys sealed says that it is not theirs.
    let both = json!({ "passphrase": one.passphrase, "passkey": thiefs.answer(&asks(&world.base, "duty1").await) });
    assert_eq!(one.elsewhere().try_sign_in(both).await.unwrap().status, 500);
    // Nor does the thief's own slot, or their own row, under another account.
    let lend = "DELETE FROM credential_slots WHERE passkey_id IN (SELECT p.id FROM passkeys p
                    JOIN accounts a ON a.id = p.account_id WHERE a.handle = 'duty1');
                DELETE FROM passkeys WHERE account_id = (SELECT id FROM accounts WHERE handle = 'duty1');
                UPDATE passkeys SET credential = substr(credential, 1, 32),
                    account_id = (SELECT id FROM accounts WHERE handle = 'duty1');
                UPDATE credential_slots SET account_id = (SELECT id FROM accounts WHERE handle = 'duty1')
                    WHERE kind = 'passkey'";
    sql(&world, lend).await;
    let answer = thiefs.answer(&asks(&world.base, "duty1").await);
    assert_eq!(said(&alone(&one, &answer).await), (401, "wrong_credentials"));
    let both = json!({ "passphrase": one.passphrase, "passkey": thiefs.answer(&asks(&world.base, "duty1").await) });
    assert_eq!(one.elsewhere().try_sign_in(both).await.unwrap().status, 500);
    let shown = again(&one, &mut thiefs).await;
    assert_eq!(one.post("/api/v1/credentials/recovery-code", &shown).await.unwrap().status, 500);
    let asked = one.post("/api/v1/credentials/passkeys/ask", &json!({})).await.unwrap();
    assert_eq!(change(&one, "/unlock", thiefs.answer(&asked.body)).await.status, 500);

    // One that opens nothing, with another public key.
    sql(&world, "DELETE FROM credential_slots WHERE kind = 'passkey'; DELETE FROM passkeys").await;
    added(&one, &plain, words(&one)).await;
    let both = json!({ "passphrase": one.passphrase, "passkey": plain.answer(&asks(&world.base, "duty1").await) });
    assert_eq!(one.elsewhere().try_sign_in(both).await.unwrap().status, 201);
    let mut forged = SoftwareKey::new(false);
    forged.id.clone_from(&plain.id);
    let mut other = forged.clone();
    other.id = vec![9; 32];
    added(&two, &other, words(&two)).await;
    let swap = "UPDATE passkeys SET registered = convert_to(replace(convert_from((SELECT registered FROM passkeys p
                    JOIN accounts a ON a.id = p.account_id WHERE a.handle = 'duty2'), 'UTF8'),
                    'CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk', rtrim(translate(encode(credential, 'base64'), '+/', '-_'), '=')),
                    'UTF8') WHERE account_id = (SELECT id FROM accounts WHERE handle = 'duty1')";
    sql(&world, swap).await;
    forged.counter = 100;
    let both = json!({ "passphrase": one.passphrase, "passkey": forged.answer(&asks(&world.base, "duty1").await) });
    assert_eq!(one.elsewhere().try_sign_in(both).await.unwrap().status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_that_counts_backwards_is_refused_and_told() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    added(&duty, &key, words(&duty)).await;
    let mut copy = key.clone();
    assert_eq!(alone(&duty, &key.answer(&asks(&world.base, "duty1").await)).await.status, 201);
    let before = count(&world, "SELECT count(*) FROM ledger_entries").await;
    let tried = alone(&duty, &copy.answer(&asks(&world.base, "duty1").await)).await;
    assert_eq!(said(&tried), (401, "wrong_credentials"), "it does not say why");
    assert_eq!(count(&world, "SELECT count(*) FROM ledger_entries").await, before + 2, "the passkey, and the sign-in");
    let list = duty.get("/api/v1/credentials", "").await.unwrap();
    let told = list.body["items"].as_array().unwrap().iter().find(|item| item["kind"] == "passkey").unwrap();
    assert!(told["copied_at"].is_string(), "{told}");
    assert_eq!(alone(&duty, &key.answer(&asks(&world.base, "duty1").await)).await.status, 201, "the other one goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_has_is_asked_for_a_passkey_like_any_other() {
    let world = World::new().await;
    let (_app, replica, base) = world.replica().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    added(&duty, &key, words(&duty)).await;
    // Names apart, everything is alike: how many there are, what stands where, and how long it is at most.
    let shape = |asked: &Value| {
        let mut options = asked["options"].clone();
        let ids: Vec<String> = ids(asked);
        let salts = options["extensions"]["prf"]["evalByCredential"].as_object().unwrap();
        assert!(ids.iter().all(|id| (22..=86).contains(&id.len()) && salts[id]["first"].as_str().unwrap().len() == 43));
        assert_eq!(salts.len(), ids.len(), "no two alike");
        let entry = options["allowCredentials"][0].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let salts = salts.len();
        options["allowCredentials"] = json!((ids.len(), entry));
        options["extensions"]["prf"]["evalByCredential"] = json!(salts);
        options["challenge"] = json!("");
        options
    };
    let several = world.signed_in("officer1").await;
    let (mut first, second) = (SoftwareKey::new(true), SoftwareKey::new(false));
    added(&several, &first, words(&several)).await;
    let fresh = again(&several, &mut first).await;
    added(&several, &second, fresh).await;
    let known = shape(&asks(&world.base, "duty1").await);
    assert_eq!(known["allowCredentials"][0], json!(10), "one passkey among ten that are asked for");
    for handle in ["officer1", "duty1", "duty2", "nobody.of.this.name", "x"] {
        let (here, there) = (asks(&world.base, handle).await, asks(&base, handle).await);
        assert_eq!(shape(&here), known, "{handle}");
        for stays in ["allowCredentials", "extensions"] {
            assert_eq!(here["options"][stays], there["options"][stays], "{handle}: at every replica, and each time");
        }
        assert_ne!(here["options"]["challenge"], there["options"]["challenge"]);
    }
    let (asked, both) = (ids(&asks(&base, "officer1").await), [text(&first.id), text(&second.id)]);
    assert!(both.iter().all(|id| asked.contains(id)), "{asked:?}");
    let nobodys = ids(&asks(&base, "nobody").await);
    assert!(ids(&asks(&base, "duty2").await).iter().all(|id| !nobodys.contains(id)));
    // A name that gets its first passkey, or loses it, is asked for what it was asked for before, but for one.
    let colleague = world.signed_in("duty2").await;
    let (before, mut new) = (ids(&asks(&base, "duty2").await), SoftwareKey::new(true));
    let id = added(&colleague, &new, words(&colleague)).await;
    let since = ids(&asks(&base, "duty2").await);
    assert_eq!(since.iter().filter(|id| !before.contains(id)).collect::<Vec<_>>(), [&text(&new.id)]);
    let fresh = again(&colleague, &mut new).await;
    assert_eq!(change(&colleague, &format!("/{id}/remove"), fresh).await.status, 200);
    assert_eq!(ids(&asks(&base, "duty2").await), before, "and in the order of then");

    // Nor does a colleague learn which are decoys by adding one of the same name.
    for (colleague, handle) in [("operator1", "duty1"), ("operator2", "duty2")] {
        let mut same = SoftwareKey::new(true);
        let asked = asks(&base, handle).await;
        let id = asked["options"]["allowCredentials"][0]["id"].as_str().unwrap();
        same.id = URL_SAFE_NO_PAD.decode(id).unwrap();
        let colleague = world.signed_in(colleague).await;
        added(&colleague, &same, words(&colleague)).await;
    }

    // And so is the answer that is wrong, and what it costs.
    let limits = LimitsConfig { account: 3, address: 5, device: 3, ..LimitsConfig::default() };
    let (_app, limited, base) = world.replica_of(Config { limits, ..world.app.config.clone() }).await;
    let mut wrong = SoftwareKey::new(true);
    let mut tries = async |handle: &str| {
        let asked = asks(&base, handle).await;
        // One that somebody has, or one that nobody has.
        let id = if handle == "duty1" { text(&key.id) } else { ids(&asked)[0].clone() };
        let mut answer = wrong.answer(&asked);
        answer["credential_id"] = json!(id);
        answer["prf"] = json!(text(&[7; 32]));
        let body = json!({ "handle": handle, "passkey": answer });
        let sent = reqwest::Client::new().post(format!("{base}/api/v1/sessions")).json(&body).send().await.unwrap();
        let status = sent.status().as_u16();
        let mut body: Value = sent.json().await.unwrap();
        body["request_id"] = json!("");
        (status, body)
    };
    let (known, unknown) = (tries("duty1").await, tries("nobody.of.this.name").await);
    assert_eq!((known.0, &known), (401, &unknown));
    assert_eq!((tries("duty1").await.0, tries("duty1").await.0, tries("duty1").await.0), (401, 401, 429));
    let right = key.answer(&asks(&base, "duty1").await);
    assert_eq!(alone(&duty.at(&base), &right).await.status, 429, "from a device on which they never were");
    let device = duty.at(&base).try_sign_in(json!({ "passkey": right })).await.unwrap();
    assert_eq!(device.status, 201, "{}", device.text);
    limited.stop().await.unwrap();
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_prf_is_a_second_factor_and_nothing_is_changed_without_one() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let (mut key, mut other) = (SoftwareKey::new(false), SoftwareKey::new(true));
    let id = added(&duty, &key, words(&duty)).await;
    let answer = key.answer(&asks(&world.base, "duty1").await);
    assert_eq!(said(&alone(&duty, &answer).await), (401, "passphrase_needed"));
    let both = json!({ "passphrase": duty.passphrase, "passkey": answer });
    assert_eq!(duty.elsewhere().try_sign_in(both.clone()).await.unwrap().status, 201, "it was not used up");
    assert_eq!(said(&duty.elsewhere().try_sign_in(both).await.unwrap()), (401, "wrong_second_factor"));
    let with_code = json!({ "passphrase": duty.passphrase, "code": "000000" });
    assert_eq!(said(&duty.elsewhere().try_sign_in(with_code).await.unwrap()), (401, "wrong_second_factor"));
    let three = json!({ "passphrase": duty.passphrase, "recovery_code": "some words", "passkey": answer });
    assert_eq!(duty.elsewhere().try_sign_in(three).await.unwrap().status, 422);

    // Neither a session nor the passphrase adds or removes one now.
    for fresh in [json!({}), words(&duty)] {
        for what in [String::new(), format!("/{id}/remove")] {
            let refused = change(&duty, &what, fresh.clone()).await;
            assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("passkey")), "{what}");
        }
    }
    let missing = format!("/{}/remove", himaya::platform::random::uuid());
    let fresh = again(&duty, &mut key).await;
    assert_eq!(change(&duty, &missing, fresh).await.status, 404);
    let colleague = world.signed_in("duty2").await;
    assert_eq!(change(&colleague, &format!("/{id}/remove"), words(&colleague)).await.status, 404, "not theirs");

    // With it another one is added, whose PRF gives something from its first use on only.
    let fresh = again(&duty, &mut key).await;
    let begun = change(&duty, "", fresh).await;
    let made = change(&duty, "/confirm", other.made(&begun.body, false)).await;
    assert_eq!((made.status, &made.body["opens_keys"]), (200, &json!(false)), "{}", made.text);
    assert_eq!(change(&duty, "/confirm", other.made(&begun.body, false)).await.code(), "not_begun", "once");
    assert_eq!(said(&alone(&duty, &other.answer(&asks(&world.base, "duty1").await)).await), (401, "passphrase_needed"));
    let asked = duty.post("/api/v1/credentials/passkeys/ask", &json!({})).await.unwrap();
    let mut without = other.answer(&asked.body);
    without.as_object_mut().unwrap().remove("prf");
    assert_eq!(change(&duty, "/unlock", without).await.status, 422);
    let unlocked = change(&duty, "/unlock", other.answer(&asked.body)).await;
    assert_eq!((unlocked.status, &unlocked.body["opens_keys"]), (200, &json!(true)), "{}", unlocked.text);
    let answer = other.answer(&asks(&world.base, "duty1").await);
    assert_eq!(alone(&duty, &answer).await.status, 201);
    let mut other_prf = other.answer(&asks(&world.base, "duty1").await);
    other_prf["prf"] = json!(text(&[7; 32]));
    assert_eq!(said(&alone(&duty, &other_prf).await), (401, "wrong_credentials"), "another PRF opens nothing");

    // Removed, it opens nothing and is none; when the last is gone the passphrase is enough again.
    let list = duty.get("/api/v1/credentials", "").await.unwrap();
    let second = list.body["items"].as_array().unwrap().iter().rfind(|item| item["kind"] == "passkey").unwrap();
    let second = second["id"].as_str().unwrap().to_owned();
    let fresh = again(&duty, &mut key).await;
    assert_eq!(change(&duty, &format!("/{second}/remove"), fresh).await.status, 200);
    let gone = other.answer(&asks(&world.base, "duty1").await);
    assert_eq!(said(&alone(&duty, &gone).await), (401, "wrong_credentials"));
    // The printed code is the way in when the device is lost: it is not given away while there is nothing else.
    let codes = "/api/v1/credentials/recovery-code";
    let fresh = again(&duty, &mut key).await;
    assert_eq!(duty.post(codes, &fresh).await.unwrap().status, 200);
    let fresh = again(&duty, &mut key).await;
    let kept_back = duty.post(&format!("{codes}/remove"), &fresh).await.unwrap();
    assert_eq!(said(&kept_back), (409, "last_way_in"), "{}", kept_back.text);
    let fresh = again(&duty, &mut key).await;
    assert_eq!(change(&duty, &format!("/{id}/remove"), fresh).await.status, 200);
    assert_eq!(duty.elsewhere().try_sign_in(words(&duty)).await.unwrap().status, 201);
    assert_eq!(count(&world, "SELECT count(*) FROM credential_slots WHERE kind = 'passkey'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_dies_half_way_has_used_nothing_up() {
    let mut world = World::new().await;
    let (_app, replica, base) = world.replica().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    added(&duty, &key, words(&duty)).await;
    let answer = key.answer(&asks(&world.base, "duty1").await);
    // The account is held, so that the first replica waits half-way; then its connection is cut.
    let mut holder = world.owner().await;
    sqlx::raw_sql("BEGIN; SELECT id FROM accounts WHERE handle = 'duty1' FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();
    let (first, shown) = (duty.elsewhere(), answer.clone());
    let waits = tokio::spawn(async move { alone(&first, &shown).await.status });
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = 'himaya_door' AND wait_event_type = 'Lock'";
    let mut owner = world.owner().await;
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        tick.tick().await;
        let ended: i64 = sqlx::query(cut).fetch_one(&mut owner).await.unwrap().get(0);
        if ended > 0 {
            break;
        }
    }
    assert_eq!(waits.await.unwrap(), 503);
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    world.stop().await;
    let came = alone(&duty.at(&base), &answer).await;
    assert_eq!(came.status, 201, "{}", came.text);
    assert_eq!(alone(&duty.at(&base), &answer).await.status, 401, "once");
    replica.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_of_the_pepper_a_passkey_still_opens_and_is_sealed_with_the_next() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let mut key = SoftwareKey::new(true);
    added(&duty, &key, words(&duty)).await;
    let named = asks(&world.base, "nobody").await["options"]["allowCredentials"].clone();
    let second = rotate(&world, Named::Pepper, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    let sealed_with = async || -> (i64, i64) {
        let count = "SELECT count(*) FILTER (WHERE kind = 'passkey'), count(*) FROM credential_slots WHERE pepper = $1";
        let row = sqlx::query(count).bind(&second).fetch_one(&mut world.owner().await).await.unwrap();
        (row.get(0), row.get(1))
    };
    for _ in 0..2 {
        assert_eq!(alone(&duty, &key.answer(&asks(&world.base, "duty1").await)).await.status, 201);
        assert_eq!(sealed_with().await, (1, 1), "and nothing else of theirs");
    }
    assert_eq!(asks(&world.base, "nobody").await["options"]["allowCredentials"], named, "decoys stay what they are");
}
