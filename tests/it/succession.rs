//! A responsible person leaves, or is lost: another one takes their place, by two at least, and never by one.

use crate::custody::{invoke, opened_by};
use crate::harness::World;
use crate::story::whole_ledger;
use crate::thief::stolen_keys;
use chrono::TimeDelta;
use himaya::audit::verify::verify;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::country::{Person, admit};
use himaya::demo::story;
use himaya::guard::record::AccountId;
use himaya::guard::statement;
use serde_json::{Value, json};
use uuid::Uuid;

pub fn shown(actor: &Actor) -> Value {
    json!({ "passphrase": actor.passphrase })
}

pub fn squad(world: &World) -> Uuid {
    world.country.organisations["squad"]
}

pub fn path(organisation: Uuid) -> String {
    format!("/api/v1/organisations/{organisation}/successions")
}

pub async fn propose(world: &World, by: &Actor, organisation: Uuid, two: [&str; 2]) -> Reply {
    let two = two.map(|handle| world.country.person(handle).unwrap().account);
    by.post(&path(organisation), &json!({ "responsible": two, "shown": shown(by) })).await.unwrap()
}

pub async fn sign(by: &Actor, organisation: Uuid, proposed: &Reply) -> Reply {
    let body = json!({ "fingerprint": proposed.text_of("fingerprint"), "shown": shown(by) });
    by.post(&format!("{}/{}/countersign", path(organisation), proposed.id("id")), &body).await.unwrap()
}

pub async fn found(by: &Actor, organisation: Uuid, proposed: &Reply) -> Reply {
    by.post(&format!("{}/{}/found", path(organisation), proposed.id("id")), &json!({})).await.unwrap()
}

/// What the operator does: pins the founding that follows, and says of the one before that it is a former one.
pub fn pin(world: &World, proposed: &Reply) {
    let pins = std::fs::read_to_string(&world.app.config.pins).unwrap();
    std::fs::write(&world.app.config.pins, format!("{pins}{}\n", proposed.text_of("fingerprint"))).unwrap();
}

pub fn mark_former(world: &World, fingerprint: &str) {
    let pins = std::fs::read_to_string(&world.app.config.pins).unwrap();
    assert!(pins.contains(fingerprint), "{pins}");
    std::fs::write(&world.app.config.pins, pins.replace(fingerprint, &format!("former {fingerprint}"))).unwrap();
}

pub async fn founding_of(world: &World, organisation: Uuid) -> (String, String) {
    let mut owner = world.owner().await;
    let note: String = sqlx::query_scalar("SELECT note FROM foundings WHERE organisation_id = $1")
        .bind(organisation)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let print = statement::hex(&statement::fingerprint(&note).unwrap());
    (note, print)
}

/// All of it: proposed by the first, signed by the others, pinned, put in force.
pub async fn succeed(world: &World, organisation: Uuid, two: [&str; 2], signers: &[&str]) -> Reply {
    let (_, before) = founding_of(world, organisation).await;
    let mut people = Vec::new();
    for signer in signers {
        people.push(world.signed_in(signer).await);
    }
    let proposed = propose(world, &people[0], organisation, two).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    for other in &people[1..] {
        let signed = sign(other, organisation, &proposed).await;
        assert_eq!(signed.status, 200, "{}: {}", other.handle, signed.text);
    }
    pin(world, &proposed);
    let done = found(&people[0], organisation, &proposed).await;
    assert_eq!((done.status, done.text_of("state")), (200, "in_force"), "{}", done.text);
    mark_former(world, &before);
    proposed
}

pub async fn status(who: &Actor, path: &str, purpose: &str) -> u16 {
    who.get(path, purpose).await.unwrap().status
}

/// Somebody new with keys of their own, whom nobody has admitted.
pub async fn newcomer(world: &World, organisation: Uuid, handle: &str) -> Actor {
    let admin = world.signed_in("admin1").await;
    let body = json!({ "organisation": organisation, "handle": handle, "responsible": false, "custodian": false });
    let made = admin.post("/api/v1/accounts", &body).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    let actor = Actor::enrol(&world.base, handle, made.text_of("enrolment_code")).await.unwrap();
    actor.sign_in().await.unwrap();
    actor
}

pub async fn disable(world: &World, handle: &str) {
    let (admin, account) = (world.signed_in("admin1").await, world.country.person(handle).unwrap().account);
    let done = admin.post(&format!("/api/v1/accounts/{account}/disable"), &json!({})).await.unwrap();
    assert_eq!(done.status, 200, "{}", done.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_the_two_hands_over_and_everything_goes_on() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let squad = squad(&world);
    let (stays, leaves) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let comes = world.signed_in("officer1").await;
    let (first_note, first_print) = founding_of(&world, squad).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");

    // What somebody wrote who has left since: no founding that follows names them.
    let writer = world.signed_in("officer2").await;
    let given = json!({ "account": writer.account, "relation": "assigned", "reason": "shift_change" });
    assert_eq!(comes.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    let read = writer.get(&narrative, "case_work").await.unwrap();
    let mut body = read.field("content");
    body["text"] = json!("she came by train");
    let written = writer.put(&narrative, &read.etag.clone().unwrap_or_default(), &body).await.unwrap();
    assert_eq!(written.status, 200, "{}", written.text);
    disable(&world, "officer2").await;

    // Who has no part in it learns nothing of it, and puts nothing in its way.
    let proposed = propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await;
    assert_eq!((proposed.status, proposed.text_of("state")), (201, "proposed"), "{}", proposed.text);
    for stranger in ["duty2", "hsupervisor1", "auditor1", "admin1"] {
        let stranger = world.signed_in(stranger).await;
        assert_eq!(status(&stranger, &path(squad), "").await, 404, "{}", stranger.handle);
        assert_eq!(sign(&stranger, squad, &proposed).await.status, 404, "{}", stranger.handle);
        for step in ["found", "decline"] {
            let tried = format!("{}/{}/{step}", path(squad), proposed.id("id"));
            assert_eq!(stranger.post(&tried, &json!({})).await.unwrap().status, 404, "{} {step}", stranger.handle);
        }
        assert_eq!(propose(&world, &stranger, squad, ["ssupervisor1", "officer1"]).await.status, 404);
    }
    // The other one of the two and the auditors are told.
    for (handle, told) in [("ssupervisor2", true), ("auditor1", true), ("duty1", false)] {
        let seen = world.signed_in(handle).await.get("/api/v1/alerts?limit=100", "").await.unwrap();
        assert_eq!(seen.status, 200, "{}", seen.text);
        let about = json!(proposed.id("id"));
        let found = seen.body["items"].as_array().unwrap().iter().any(|alert| alert["about"] == about);
        assert_eq!(found, told, "{handle}: {}", seen.text);
    }
    let again = sign(&stays, squad, &proposed).await;
    assert_eq!((again.status, again.code()), (409, "signed_already"), "{}", again.text);
    let early = found(&stays, squad, &proposed).await;
    assert_eq!((early.status, early.code()), (409, "signatures_missing"), "{}", early.text);
    // A session alone is not enough, nor what was not read.
    let body = json!({ "fingerprint": proposed.text_of("fingerprint"), "shown": { "passphrase": "not the one" } });
    let at = format!("{}/{}/countersign", path(squad), proposed.id("id"));
    assert_eq!(leaves.post(&at, &body).await.unwrap().code(), "wrong_factor");
    let body = json!({ "fingerprint": "0".repeat(64), "shown": shown(&leaves) });
    let unread = leaves.post(&at, &body).await.unwrap();
    assert_eq!((unread.status, unread.body["errors"][0]["field"].as_str()), (422, Some("fingerprint")));

    assert_eq!(sign(&leaves, squad, &proposed).await.status, 200);
    let early = found(&stays, squad, &proposed).await;
    assert_eq!((early.status, early.code()), (409, "signatures_missing"), "who comes has not signed: {}", early.text);
    let seen = comes.get(&path(squad), "").await.unwrap();
    let item = &seen.body["items"][0];
    assert_eq!(item["waits_for"], json!([comes.account]), "{}", seen.text);
    assert_eq!((&item["agreed"], &item["pinned"]), (&json!(true), &json!(false)), "{}", seen.text);
    assert_eq!(sign(&comes, squad, &proposed).await.status, 200);
    let unpinned = found(&comes, squad, &proposed).await;
    assert_eq!((unpinned.status, unpinned.code()), (409, "not_pinned"), "{}", unpinned.text);
    assert_eq!(founding_of(&world, squad).await.0, first_note);
    pin(&world, &proposed);
    let (one, other) = tokio::join!(found(&comes, squad, &proposed), found(&stays, squad, &proposed));
    let mut both = [one.status, other.status];
    both.sort_unstable();
    assert_eq!(both, [200, 404], "it is done once: {} {}", one.text, other.text);
    mark_former(&world, &first_print);

    // The one who came admits people with the one who stayed; the one who left does not, and is a colleague as before.
    let ninth = newcomer(&world, squad, "officer9").await;
    let person = Person { handle: "officer9", role: "squad_officer", responsible: false, custodian: false };
    admit(squad, &comes, &stays, &person, &ninth).await.unwrap();
    ninth.sign_in().await.unwrap();
    assert_eq!(status(&ninth, "/api/v1/cases", "case_work").await, 200);
    let admission =
        json!({ "account": ninth.account, "role": "squad_officer", "key_fingerprint": ninth.key_fingerprint });
    let members = format!("/api/v1/organisations/{squad}/members");
    assert_eq!(leaves.post(&members, &admission).await.unwrap().status, 404);
    assert_eq!(status(&leaves, "/api/v1/workload", "supervision").await, 200);

    // What was sealed and signed before is read and written as before, and custodians open it.
    let read = comes.get(&narrative, "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    let mut body = read.field("content");
    body["text"] = json!("she was brought by car");
    let written = comes.put(&narrative, &read.etag.clone().unwrap_or_default(), &body).await.unwrap();
    assert_eq!(written.status, 200, "{}", written.text);
    let helper = world.signed_in("duty2").await;
    let opening = invoke(&world, &helper, played.case, &["narrative"], 2).await;
    opened_by(&world, opening, "ssupervisor1", "duty1").await;
    assert_eq!(status(&helper, &narrative, "emergency").await, 200);

    // And back again, after CUSTODY has another key: a chain of three.
    let (second_note, _) = founding_of(&world, squad).await;
    succeed(&world, squad, ["ssupervisor1", "ssupervisor2"], &["ssupervisor1", "officer1", "ssupervisor2"]).await;
    assert_eq!(
        leaves.post(&members, &admission).await.unwrap().status,
        409,
        "she answers for it again, and the person is in"
    );
    assert_eq!(comes.post(&members, &admission).await.unwrap().status, 404);
    assert_eq!(status(&comes, &narrative, "case_work").await, 200);
    assert_eq!(status(&ninth, "/api/v1/cases", "case_work").await, 200);
    whole_ledger(&world).await;

    // An earlier founding put back vouches for nobody: not in this process, and not in one that begins.
    let (last_note, _) = founding_of(&world, squad).await;
    let mut owner = world.owner().await;
    let put = "UPDATE foundings SET note = $2 WHERE organisation_id = $1";
    for note in [&first_note, &second_note] {
        sqlx::query(put).bind(squad).bind(note).execute(&mut owner).await.unwrap();
        assert_ne!(status(&comes, &narrative, "case_work").await, 200);
        let (_app, serving, base) = world.replica().await;
        assert_ne!(status(&comes.at(&base), &narrative, "case_work").await, 200);
        serving.stop().await.unwrap();
    }
    sqlx::query(put).bind(squad).bind(&last_note).execute(&mut owner).await.unwrap();
    assert_eq!(status(&comes, &narrative, "case_work").await, 200);
    // One that is hidden from the chain stops what rests on it, and the verifier finds it.
    sqlx::query("DELETE FROM former_foundings WHERE number = 1").execute(&mut owner).await.unwrap();
    let (_app, serving, base) = world.replica().await;
    let at = comes.at(&base);
    let read = at.get(&narrative, "case_work").await.unwrap();
    let mut body = read.field("content");
    body["text"] = json!("later");
    let written = at.put(&narrative, &read.etag.clone().unwrap_or_default(), &body).await.unwrap();
    assert_ne!(written.status, 200);
    serving.stop().await.unwrap();
    // The verifier misses who proposed it.
    sqlx::query("DELETE FROM successions WHERE number = 1").execute(&mut owner).await.unwrap();
    let keys = world.app.log_keys().unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|finding| finding.contains("A row was deleted")), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_lost_is_replaced_by_the_other_and_two_custodians_and_by_nobody_less() {
    let world = World::new().await;
    let squad = squad(&world);
    let (stays, comes) = (world.signed_in("ssupervisor1").await, world.signed_in("officer1").await);
    // Five custodians, one of them from elsewhere.
    let keepers = ["ssupervisor1", "ssupervisor2", "duty1", "officer2", "hsupervisor1"];
    let keepers = keepers.map(|handle| world.country.person(handle).unwrap().account);
    let custody = format!("/api/v1/organisations/{squad}/custody");
    let named = stays.post(&custody, &json!({ "custodians": keepers })).await.unwrap();
    assert_eq!(named.status, 201, "{}", named.text);
    let body = json!({ "fingerprint": named.text_of("fingerprint") });
    let second = world.signed_in("ssupervisor2").await;
    let signed = second.post(&format!("{custody}/{}/countersign", named.id("key")), &body).await.unwrap();
    assert_eq!(signed.status, 200, "{}", signed.text);

    // She does not stop it alone: what those have agreed to who may is taken back by who proposed it and by those whom it names.
    let agreed = propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await;
    let declined = format!("{}/{}/decline", path(squad), agreed.id("id"));
    for other in ["officer1", "duty1", "hsupervisor1"] {
        assert_eq!(sign(&world.signed_in(other).await, squad, &agreed).await.status, 200, "{other}");
    }
    let late = second.post(&declined, &json!({})).await.unwrap();
    assert_eq!((late.status, late.code()), (409, "agreed_already"), "{}", late.text);
    // Nor by signing it first, nor through somebody whom she names in one of her own.
    assert_eq!(sign(&second, squad, &agreed).await.status, 200);
    let late = second.post(&declined, &json!({})).await.unwrap();
    assert_eq!((late.status, late.code()), (409, "agreed_already"), "{}", late.text);
    assert_eq!(propose(&world, &second, squad, ["ssupervisor2", "duty1"]).await.status, 201);
    let named = world.signed_in("duty1").await;
    assert_eq!(named.post(&declined, &json!({})).await.unwrap().status, 404);
    assert_eq!(comes.post(&declined, &json!({})).await.unwrap().status, 200);

    // Who waits to be admitted when she is lost is proposed anew by those who follow.
    let waits = newcomer(&world, squad, "officer9").await;
    let members = format!("/api/v1/organisations/{squad}/members");
    let body = json!({ "account": waits.account, "role": "squad_officer", "key_fingerprint": waits.key_fingerprint });
    assert_eq!(second.post(&members, &body).await.unwrap().status, 201);
    disable(&world, "ssupervisor2").await;

    // With a custodian as the one who comes: their own signature is not that of a custodian.
    let with_custodian = propose(&world, &stays, squad, ["ssupervisor1", "duty1"]).await;
    assert_eq!(with_custodian.body["custodians_instead"], json!(2), "{}", with_custodian.text);
    let signed = sign(&world.signed_in("duty1").await, squad, &with_custodian).await;
    assert_eq!(signed.body["agreed"], json!(false), "{}", signed.text);
    let signed = sign(&world.signed_in("officer2").await, squad, &with_custodian).await;
    assert_eq!((signed.status, &signed.body["agreed"]), (200, &json!(false)), "{}", signed.text);
    pin(&world, &with_custodian);
    let early = found(&stays, squad, &with_custodian).await;
    assert_eq!((early.status, early.code()), (409, "signatures_missing"), "{}", early.text);
    let declined = format!("{}/{}/decline", path(squad), with_custodian.id("id"));
    assert_eq!(stays.post(&declined, &json!({})).await.unwrap().status, 200);
    assert_eq!(sign(&world.signed_in("hsupervisor1").await, squad, &with_custodian).await.status, 404);
    assert_eq!(found(&stays, squad, &with_custodian).await.status, 404);

    let proposed = propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await;
    assert_eq!(sign(&comes, squad, &proposed).await.status, 200);
    pin(&world, &proposed);
    let one = sign(&world.signed_in("duty1").await, squad, &proposed).await;
    assert_eq!((one.status, &one.body["agreed"]), (200, &json!(false)), "{}", one.text);
    let early = found(&comes, squad, &proposed).await;
    assert_eq!((early.status, early.code()), (409, "signatures_missing"), "{}", early.text);
    // The signature of somebody else is no custodian's, wherever it stands.
    let mut owner = world.owner().await;
    let note: String = sqlx::query_scalar("SELECT note FROM successions WHERE id = $1")
        .bind(proposed.id("id"))
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let thief = stolen_keys(&world, "operator1").await;
    let put = "UPDATE successions SET note = $2 WHERE id = $1";
    for name in ["hsupervisor1", "ssupervisor2", "operator1"] {
        let name = AccountId(world.country.person(name).unwrap().account);
        let forged = statement::countersign(&note, name, &thief).unwrap();
        sqlx::query(put).bind(proposed.id("id")).bind(forged).execute(&mut owner).await.unwrap();
        let early = found(&comes, squad, &proposed).await;
        assert_eq!((early.status, early.code()), (409, "signatures_missing"), "{}", early.text);
    }
    sqlx::query(put).bind(proposed.id("id")).bind(&note).execute(&mut owner).await.unwrap();
    let two = sign(&world.signed_in("hsupervisor1").await, squad, &proposed).await;
    assert_eq!((two.status, &two.body["agreed"]), (200, &json!(true)), "{}", two.text);
    let done = found(&comes, squad, &proposed).await;
    assert_eq!((done.status, done.text_of("state")), (200, "in_force"), "{}", done.text);

    let person = Person { handle: "officer9", role: "squad_officer", responsible: false, custodian: false };
    admit(squad, &comes, &stays, &person, &waits).await.unwrap();
    // The custodians can be changed again.
    let keepers = ["ssupervisor1", "officer1", "duty1", "officer2"];
    let keepers = keepers.map(|handle| world.country.person(handle).unwrap().account);
    let named = comes.post(&custody, &json!({ "custodians": keepers })).await.unwrap();
    assert_eq!(named.status, 201, "{}", named.text);
    let body = json!({ "fingerprint": named.text_of("fingerprint") });
    let signed = stays.post(&format!("{custody}/{}/countersign", named.id("key")), &body).await.unwrap();
    assert_eq!(signed.status, 200, "{}", signed.text);
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_follow_agree_to_the_policy() {
    let world = World::new().await;
    let (first, second) = (world.signed_in("coordinator1").await, world.signed_in("statistician1").await);
    world.country.agree_to_policy().await.unwrap();
    let office = world.country.organisations["coordinator_office"];
    let two = ["coordinator1", "statistician2"];
    // An agreement that was made while this one waited is one that it does not know.
    let stale = propose(&world, &first, office, two).await;
    for other in ["statistician1", "statistician2"] {
        assert_eq!(sign(&world.signed_in(other).await, office, &stale).await.status, 200);
    }
    pin(&world, &stale);
    let shown_by = |actor: &Actor| json!({ "shown": shown(actor) });
    let agreed = async |one: &Actor, other: &Actor| {
        let proposed = one.post("/api/v1/policies", &shown_by(one)).await.unwrap();
        assert_eq!(proposed.status, 201, "{}", proposed.text);
        let body = json!({ "fingerprint": proposed.text_of("fingerprint"), "shown": shown(other) });
        other.post(&format!("/api/v1/policies/{}/countersign", proposed.id("id")), &body).await.unwrap()
    };
    assert_eq!(agreed(&first, &second).await.status, 200);
    let late = found(&first, office, &stale).await;
    assert_eq!((late.status, late.code()), (409, "succession_moved_on"), "{}", late.text);

    succeed(&world, office, two, &["coordinator1", "statistician1", "statistician2"]).await;
    let third = world.signed_in("statistician2").await;
    assert_eq!(second.post("/api/v1/policies", &shown_by(&second)).await.unwrap().status, 404);
    // The two before have signed a third one, which the owner of the database puts in its place.
    let proposed = first.post("/api/v1/policies", &shown_by(&first)).await.unwrap();
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let keys = stolen_keys(&world, "statistician1").await;
    let forged = statement::countersign(proposed.text_of("statement"), AccountId(second.account), &keys).unwrap();
    let mut owner = world.owner().await;
    let put = "UPDATE policy_changes SET note = $2, agreed_at = now() WHERE id = $1";
    sqlx::query(put).bind(proposed.id("id")).bind(&forged).execute(&mut owner).await.unwrap();
    let seen = first.get("/api/v1/policies", "").await.unwrap();
    let items = seen.body["items"].as_array().unwrap();
    let states: Vec<_> = items.iter().map(|item| (item["number"].as_i64(), item["state"].as_str())).collect();
    let as_it_is = [(Some(3), Some("proposed")), (Some(2), Some("agreed")), (Some(1), Some("agreed"))];
    assert_eq!(states, as_it_is, "{}", seen.text);
    let undo = "UPDATE policy_changes SET note = $2, agreed_at = NULL WHERE id = $1";
    sqlx::query(undo).bind(proposed.id("id")).bind(proposed.text_of("statement")).execute(&mut owner).await.unwrap();
    let done = agreed(&third, &first).await;
    assert_eq!((done.status, done.body["number"].as_i64()), (200, Some(3)), "{}", done.text);
    let (_app, serving, base) = world.replica().await;
    let seen = first.at(&base).get("/api/v1/policies", "").await.unwrap();
    assert_eq!(seen.body["agreed"], json!(true), "{}", seen.text);
    assert!(seen.body["responsible"].as_array().unwrap().contains(&json!(third.account)));
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_since_is_not_put_in_force_and_bad_input_names_its_field() {
    let world = World::new().await;
    let squad = squad(&world);
    let (stays, leaves) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let comes = world.signed_in("officer1").await;
    let stranger = world.country.person("operator1").unwrap().account;
    for two in [
        vec![stays.account, leaves.account],
        vec![stays.account, stays.account],
        vec![stays.account, stranger],
        vec![stays.account, Uuid::from_u128(1)],
        vec![stays.account],
    ] {
        let body = json!({ "responsible": two, "shown": shown(&stays) });
        let refused = stays.post(&path(squad), &body).await.unwrap();
        let field = refused.body["errors"][0]["field"].as_str();
        assert_eq!((refused.status, field), (422, Some("responsible")), "{}", refused.text);
    }
    let body = json!({ "responsible": [stays.account, comes.account], "shown": { "passphrase": "not the one" } });
    assert_eq!(stays.post(&path(squad), &body).await.unwrap().code(), "wrong_factor");

    let ready = async || {
        let proposed = propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await;
        for other in [&leaves, &comes] {
            assert_eq!(sign(other, squad, &proposed).await.status, 200);
        }
        pin(&world, &proposed);
        proposed
    };
    // Somebody was admitted since: she would be nobody.
    let proposed = ready().await;
    let ninth = newcomer(&world, squad, "officer9").await;
    let person = Person { handle: "officer9", role: "squad_officer", responsible: false, custodian: false };
    admit(squad, &stays, &leaves, &person, &ninth).await.unwrap();
    let moved = found(&stays, squad, &proposed).await;
    assert_eq!((moved.status, moved.code()), (409, "succession_moved_on"), "{}", moved.text);
    // Somebody was taken out since: she would be one of them.
    let proposed = ready().await;
    disable(&world, "duty2").await;
    let moved = found(&stays, squad, &proposed).await;
    assert_eq!((moved.status, moved.code()), (409, "succession_moved_on"), "{}", moved.text);
    // The words were changed in the database: nobody signed them.
    let proposed = ready().await;
    let mut owner = world.owner().await;
    let forge = "UPDATE successions SET note = replace(note, 'squad_officer', 'squad_supervisor') WHERE id = $1";
    sqlx::query(forge).bind(proposed.id("id")).execute(&mut owner).await.unwrap();
    let moved = found(&stays, squad, &proposed).await;
    assert_eq!((moved.status, moved.code()), (409, "succession_moved_on"), "{}", moved.text);
    // Somebody is not believed since: she is not left out in silence.
    let spoil = "UPDATE memberships SET note = note || ' ' WHERE account_id = $1";
    sqlx::query(spoil).bind(ninth.account).execute(&mut owner).await.unwrap();
    assert_eq!(propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await.status, 500);
    let mend = "UPDATE memberships SET note = rtrim(note, ' ') WHERE account_id = $1";
    sqlx::query(mend).bind(ninth.account).execute(&mut owner).await.unwrap();
    // Who is to come does not want to.
    let proposed = ready().await;
    let declined = format!("{}/{}/decline", path(squad), proposed.id("id"));
    assert_eq!(comes.post(&declined, &json!({})).await.unwrap().status, 200);
    assert_eq!(found(&stays, squad, &proposed).await.status, 404);
    // Proposed once more by the same person: the earlier one is taken back.
    let earlier = ready().await;
    ready().await;
    assert_eq!(found(&stays, squad, &earlier).await.status, 404);
    // Nobody put it in force in time.
    let proposed = ready().await;
    world.clock.advance(TimeDelta::days(15));
    stays.sign_in().await.unwrap();
    let late = found(&stays, squad, &proposed).await;
    assert_eq!((late.status, late.code()), (409, "succession_moved_on"), "{}", late.text);
    let (_, print) = founding_of(&world, squad).await;
    assert_ne!(print, proposed.text_of("fingerprint"));
}
