//! The device with the passkey is lost: there is always another way in, and nobody gives away the last one.

use crate::credentials::{authenticator, next_code, recovery_code};
use crate::harness::World;
use crate::passkeys::{added, again, alone, asks, change, count, said, sql, words};
use crate::software_key::SoftwareKey;
use himaya::demo::actor::{Actor, Reply};
use serde_json::{Value, json};

const PASSKEYS: &str = "SELECT count(*) FROM passkeys";

async fn credential(actor: &Actor, what: &str, fresh: Value) -> Reply {
    actor.post(&format!("/api/v1/credentials/{what}"), &fresh).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_passkey_counts_before_there_is_another_way_back_in() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let key = SoftwareKey::new(true);
    let refused = change(&duty, "", words(&duty)).await;
    assert_eq!(said(&refused), (409, "no_way_back"), "{}", refused.text);
    for missing in ["recovery code", "authenticator"] {
        assert!(refused.text.contains(missing), "{}", refused.text);
    }
    // It is asked again when the passkey is shown: the code may be gone by then.
    recovery_code(&duty, words(&duty)).await;
    let begun = change(&duty, "", words(&duty)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    assert_eq!(credential(&duty, "recovery-code/remove", words(&duty)).await.status, 200);
    assert_eq!(said(&change(&duty, "/confirm", key.made(&begun.body, true)).await), (409, "no_way_back"));
    assert_eq!(count(&world, PASSKEYS).await, 0);
    assert_eq!(duty.elsewhere().try_sign_in(words(&duty)).await.unwrap().status, 201, "nothing else was asked for");
    // The challenge was not used up by that.
    let code = recovery_code(&duty, words(&duty)).await;
    assert_eq!(change(&duty, "/confirm", key.made(&begun.body, true)).await.status, 200);
    // The day on which it is lost.
    let lost = json!({ "passphrase": duty.passphrase, "recovery_code": code });
    let came = duty.elsewhere().try_sign_in(lost).await.unwrap();
    assert_eq!(came.status, 201, "{}", came.text);
    assert!(came.body["recovery_code"].is_string(), "there is a next one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_is_a_way_back_too_and_the_last_one_is_not_given_away() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let secret = authenticator(&world, &duty).await;
    let mut key = SoftwareKey::new(true);
    let code = json!({ "code": next_code(&world, &secret) });
    let id = added(&duty, &key, code).await;
    let fresh = again(&duty, &mut key).await;
    assert_eq!(said(&credential(&duty, "totp/remove", fresh).await), (409, "last_way_in"));
    let fresh = again(&duty, &mut key).await;
    assert_eq!(credential(&duty, "recovery-code", fresh).await.status, 200);
    // Both given away at once: one of them stays.
    let (code, fresh) = (json!({ "code": next_code(&world, &secret) }), again(&duty, &mut key).await);
    let (one, other) =
        tokio::join!(credential(&duty, "totp/remove", fresh), credential(&duty, "recovery-code/remove", code.clone()));
    let mut answers = [one.status, other.status];
    answers.sort_unstable();
    assert!(answers == [200, 409] || (one.status, other.status) == (200, 403), "{} {}", one.text, other.text);
    let left = "SELECT (SELECT count(*) FROM totp_secrets WHERE active_at IS NOT NULL)
                     + (SELECT count(*) FROM credential_slots WHERE kind = 'recovery_code')";
    assert_eq!(count(&world, left).await, 1);
    // Without the passkey nothing is held back.
    let fresh = again(&duty, &mut key).await;
    assert_eq!(change(&duty, &format!("/{id}/remove"), fresh).await.status, 200);
    assert_eq!(count(&world, PASSKEYS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eleventh_passkey_does_not_count_however_many_were_begun() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let (mut key, tenth, eleventh) = (SoftwareKey::new(true), SoftwareKey::new(true), SoftwareKey::new(true));
    added(&duty, &key, words(&duty)).await;
    let mut begun = Vec::new();
    for _ in 0..2 {
        let fresh = again(&duty, &mut key).await;
        begun.push(change(&duty, "", fresh).await);
    }
    let more = "INSERT INTO passkeys SELECT gen_random_uuid(), account_id, sha256(n::text::bytea), registered, sealed, counter,
                    transports, prf_salt, made_at FROM passkeys, generate_series(1, 8) n";
    sql(&world, more).await;
    assert_eq!(change(&duty, "/confirm", tenth.made(&begun[0].body, true)).await.status, 200);
    let refused = change(&duty, "/confirm", eleventh.made(&begun[1].body, true)).await;
    assert_eq!(said(&refused), (409, "too_many_passkeys"), "{}", refused.text);
    assert_eq!(count(&world, PASSKEYS).await, 10);
    let asked = asks(&world.base, "duty1").await;
    assert_eq!(asked["options"]["allowCredentials"].as_array().unwrap().len(), 10, "as for every name");
    assert_eq!(alone(&duty, &key.answer(&asked)).await.status, 201);
}
