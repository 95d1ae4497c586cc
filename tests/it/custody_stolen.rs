//! Custodians who were, custodians alone, and what an owner of the database plants: none of it opens anything.

use crate::absence::keys_of;
use crate::custody::{invoke, opened_by, step};
use crate::harness::World;
use crate::story::whole_ledger;
use crate::thief::stolen_keys;
use himaya::demo::story;
use himaya::guard::keys::{KemPrivate, PersonKeys};
use himaya::guard::record::{AccountId, OpeningId, OrganisationId, SharedKeyId};
use himaya::guard::statement::{self, CustodyStatement, StatedCustodian};
use himaya::guard::theft::steal_custody;
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

/// A copy of what leads to CUSTODY: the shares, and the wraps to each of its keys.
struct Copy {
    shares: Vec<(Uuid, Uuid, Uuid, Vec<u8>)>,
    wraps: Vec<(Uuid, i32, Option<Uuid>, Vec<u8>)>,
}

async fn copy(world: &World) -> Copy {
    let squad = world.country.organisations["squad"];
    let shares = sqlx::query_as(
        "SELECT s.key_id, s.first_account, s.second_account, s.share FROM custody_shares s
         JOIN shared_keys k ON k.id = s.key_id WHERE k.organisation_id = $1",
    )
    .bind(squad)
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    let wraps = sqlx::query_as(
        "SELECT w.key_id, w.epoch, (SELECT s.case_id FROM sealed s WHERE s.key_id = w.key_id LIMIT 1), w.wrap FROM wraps w
         JOIN shared_keys k ON k.id = w.recipient_key WHERE k.organisation_id = $1 AND k.purpose = 'custody'",
    )
    .bind(squad)
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    Copy { shares, wraps }
}

impl Copy {
    /// Every CUSTODY key that these people's passphrases open together, or alone.
    fn custody(&self, people: &[(Uuid, PersonKeys)]) -> Vec<KemPrivate> {
        let mut found = Vec::new();
        for (key, _, _, share) in &self.shares {
            for (_, first) in people {
                found.extend(people.iter().filter_map(|(_, second)| steal_custody(share, first, second, *key)));
            }
        }
        found
    }

    /// How many record keys they lead to.
    fn opens(&self, custody: &[KemPrivate]) -> usize {
        let wraps = self.wraps.iter();
        let opens = |(key, epoch, case, wrap): &&(Uuid, i32, Option<Uuid>, Vec<u8>)| {
            let epoch = u32::try_from(*epoch).unwrap();
            custody.iter().any(|private| private.try_record_key(wrap, *case, *key, epoch, None).is_some())
        };
        wraps.filter(opens).count()
    }
}

async fn stolen(world: &World, handle: &str) -> (Uuid, PersonKeys) {
    (world.country.person(handle).unwrap().account, stolen_keys(world, handle).await)
}

/// Both responsible persons name the squad's custodians.
async fn name_custodians(world: &World, handles: &[&str]) -> Uuid {
    let custody = format!("/api/v1/organisations/{}/custody", world.country.organisations["squad"]);
    let accounts: Vec<Uuid> = handles.iter().map(|handle| world.country.person(handle).unwrap().account).collect();
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let proposed = one.post(&custody, &json!({ "custodians": accounts })).await.unwrap();
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let (key, print) = (proposed.id("key"), json!({ "fingerprint": proposed.text_of("fingerprint") }));
    let sign = format!("{custody}/{key}/countersign");
    let twice = one.post(&sign, &print).await.unwrap();
    assert_eq!((twice.status, twice.code()), (409, "signed_already"), "{}", twice.text);
    let other_print = other.post(&sign, &json!({ "fingerprint": "00" })).await.unwrap();
    assert_eq!(other_print.status, 422, "{}", other_print.text);
    let signed = other.post(&sign, &print).await.unwrap();
    assert_eq!(signed.status, 200, "{}", signed.text);
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_opens_nothing_alone_and_a_former_one_nothing_with_an_old_copy() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let before = copy(&world).await;
    assert!(before.wraps.len() > 5);
    let (former, stays) = (stolen(&world, "duty1").await, stolen(&world, "ssupervisor1").await);
    assert_eq!(before.custody(std::slice::from_ref(&former)).len(), 0, "one alone");
    let both = [former, stays];
    let old = before.custody(&both);
    assert!(!old.is_empty() && before.opens(&old) == before.wraps.len(), "two together open all: the attack works");

    name_custodians(&world, &["ssupervisor1", "ssupervisor2", "officer1"]).await;
    let refused = world.signed_in("duty1").await;
    let helper = world.signed_in("officer2").await;
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    let former_agrees = step(&refused, opening, "agree").await;
    assert_eq!(former_agrees.status, 404, "{}", former_agrees.text);
    let opened = opened_by(&world, opening, "ssupervisor1", "ssupervisor2").await;
    assert_eq!(opened.body["rest_on_older"], json!(0), "{}", opened.text);
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(helper.get(&narrative, "emergency").await.unwrap().status, 200);

    let after = copy(&world).await;
    assert_eq!(after.wraps.len(), before.wraps.len());
    assert_eq!(after.opens(&old), 0, "the key of then opens nothing of now");
    let now = after.custody(&both[..1]);
    assert!(now.is_empty() && after.shares.iter().all(|(_, first, second, _)| ![first, second].contains(&&both[0].0)));
    // The parts that custodians left for one another are gone, with their erasure keys.
    let parts: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM opening_parts) + (SELECT count(*) FROM sealed WHERE kind = 'opening')",
    )
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap();
    assert_eq!(parts, 0);
    // Two of then together, with the copy of then, have the case's keys of then: they are not those of what is written now.
    let officer = world.signed_in("officer1").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let epoch = keys_of(&world, played.case, officer.account).await.0;
    assert_eq!(officer.post(&format!("{case}/notes"), &json!({ "text": "since" })).await.unwrap().status, 201);
    assert_eq!(keys_of(&world, played.case, officer.account).await.0, epoch + 1);
    assert_eq!(officer.post(&format!("{case}/notes"), &json!({ "text": "and on" })).await.unwrap().status, 201);
    assert_eq!(keys_of(&world, played.case, officer.account).await.0, epoch + 1, "once");
    // Who was let in goes on for their time, with what they were let in for and no more.
    assert_eq!(helper.get(&narrative, "emergency").await.unwrap().status, 200);
    assert_eq!(helper.get(&format!("{case}/sections/legal"), "emergency").await.unwrap().status, 404);
    assert_eq!(keys_of(&world, played.case, helper.account).await.1, 1);
    // The new custodian goes second, and first.
    let next = invoke(&world, &helper, played.case, &["legal"], 1).await;
    let opened = opened_by(&world, next, "officer1", "ssupervisor2").await;
    assert_eq!(opened.body["rest_on_older"], json!(0), "{}", opened.text);
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_custody_is_named_by_both_responsible_persons() {
    let world = World::new().await;
    let custody = format!("/api/v1/organisations/{}/custody", world.country.organisations["squad"]);
    let account = |handle: &str| world.country.person(handle).unwrap().account;
    let responsible = world.signed_in("ssupervisor1").await;
    for (custodians, why) in [
        (vec![account("officer1"), account("officer2")], "too few"),
        (vec![account("officer1"), account("officer2"), account("officer1")], "one twice"),
        (vec![account("officer1"), account("worker1"), account("worker2")], "others in the majority"),
        (vec![account("officer1"), account("officer2"), himaya::platform::random::uuid()], "nobody"),
    ] {
        let refused = responsible.post(&custody, &json!({ "custodians": custodians })).await.unwrap();
        assert_eq!(refused.status, 422, "{why}: {}", refused.text);
        assert_eq!(refused.body["errors"][0]["field"], json!("custodians"), "{why}: {}", refused.text);
    }
    let three = json!({ "custodians": [account("officer1"), account("officer2"), account("worker1")] });
    for stranger in ["duty1", "officer1", "hsupervisor1", "admin1", "auditor1"] {
        let refused = world.signed_in(stranger).await.post(&custody, &three).await.unwrap();
        assert_eq!(refused.status, 404, "{stranger}: {}", refused.text);
    }
    // Two of the present ones stay: what rests on the present key is theirs to pass on.
    let others = json!({ "custodians": [account("officer1"), account("officer2"), account("ssupervisor1")] });
    let refused = responsible.post(&custody, &others).await.unwrap();
    assert_eq!(
        (refused.status, refused.body["errors"][0]["field"].as_str()),
        (422, Some("custodians")),
        "{}",
        refused.text
    );
    // A proposal alone makes nobody a custodian.
    let with_one = json!({ "custodians": [account("ssupervisor1"), account("ssupervisor2"), account("worker1")] });
    assert_eq!(responsible.post(&custody, &with_one).await.unwrap().status, 201);
    assert_eq!(world.signed_in("worker1").await.get(&custody, "").await.unwrap().status, 404);
    // One from elsewhere is welcome, and goes first: who opens a case is a colleague.
    name_custodians(&world, &["ssupervisor1", "ssupervisor2", "worker1"]).await;
    let seen = world.signed_in("worker1").await.get(&custody, "").await.unwrap();
    assert_eq!((seen.status, seen.body["custodians"].as_array().map(Vec::len)), (200, Some(3)), "{}", seen.text);
    let played = story::play(&world.country).await.unwrap();
    let opening = invoke(&world, &world.signed_in("duty2").await, played.case, &["narrative"], 1).await;
    let opened = opened_by(&world, opening, "worker1", "ssupervisor1").await;
    assert!(opened.body["rest_on_older"].as_i64().unwrap() >= 0, "{}", opened.text);
    let next = invoke(&world, &world.signed_in("duty2").await, played.case, &["legal"], 1).await;
    assert_eq!(step(&world.signed_in("ssupervisor2").await, next, "agree").await.status, 200);
    let foreign = step(&world.signed_in("worker1").await, next, "open").await;
    assert_eq!((foreign.status, foreign.code()), (409, "other_custodian_second"), "{}", foreign.text);
    let read =
        world.signed_in("officer1").await.get(&format!("/api/v1/cases/{}", played.case), "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
}

/// A CUSTODY key of the thief's own, as two bribed people would sign it.
fn forged(
    world: &World,
    before: Uuid,
    signers: &[(Uuid, PersonKeys)],
    custodians: Vec<StatedCustodian>,
) -> (Uuid, String) {
    let key = SharedKeyId::random();
    let stated = CustodyStatement {
        key,
        organisation: OrganisationId(world.country.organisations["squad"]),
        number: 1,
        follows: SharedKeyId(before),
        public: statement::hex(&KemPrivate::generate().public().unwrap().0),
        custodians,
        opening: None::<OpeningId>,
        made_at: world.clock.now(),
    };
    let mut note = statement::sign(&stated, AccountId(signers[0].0), &signers[0].1).unwrap();
    for (account, keys) in &signers[1..] {
        note = statement::countersign(&note, AccountId(*account), keys).unwrap();
    }
    (key.0, note)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custody_key_that_an_owner_of_the_database_plants_is_sealed_to_by_nobody() {
    let world = World::new().await;
    let squad = world.country.organisations["squad"];
    let mut owner = world.owner().await;
    let query = "SELECT id FROM shared_keys WHERE organisation_id = $1 AND purpose = 'custody'";
    let true_key: Uuid = sqlx::query_scalar(query).bind(squad).fetch_one(&mut owner).await.unwrap();
    let people = [stolen(&world, "duty1").await, stolen(&world, "ssupervisor1").await];
    let mut three: Vec<_> =
        [stolen(&world, "duty1").await, stolen(&world, "ssupervisor1").await, stolen(&world, "ssupervisor2").await]
            .iter()
            .map(|(account, keys)| StatedCustodian {
                account: AccountId(*account),
                organisation: OrganisationId(squad),
                keys: keys.public().unwrap().into(),
            })
            .collect();
    three.sort_unstable_by_key(|custodian| custodian.account);
    let vouched = |key: Uuid, note: &str| world.app.places.trust.voucher().custody(SharedKeyId(key), note).to_vec();
    let (one, one_note) = forged(&world, true_key, &people[..1], three.clone());
    let (two, two_note) = forged(&world, true_key, &people, three);
    // With one signature though the service's secret was stolen too; and with two, without that secret.
    for (key, note, vouch) in [(one, &one_note, vouched(one, &one_note)), (two, &two_note, vec![0; 32])] {
        sqlx::query(
            "INSERT INTO shared_keys (id, organisation_id, purpose, public_key, maker_id, note, opens_at, closes_at)
             SELECT $1, organisation_id, purpose, sha256($3::uuid::text::bytea), maker_id, $2, now(), now() + interval '1 year'
             FROM shared_keys WHERE id = $3",
        )
        .bind(key)
        .bind(note)
        .bind(true_key)
        .execute(&mut owner)
        .await
        .unwrap();
        let plant = "INSERT INTO custodies (key_id, organisation_id, number, note, vouch, in_force_at, registered_by, register_no)
                     VALUES ($1, $2, 1, $3, $4, now(), NULL, NULL)";
        sqlx::query(plant).bind(key).bind(squad).bind(note).bind(vouch).execute(&mut owner).await.unwrap();
        let played = story::play(&world.country).await.unwrap();
        let to: Vec<Uuid> = sqlx::query(
            "SELECT DISTINCT w.recipient_key FROM wraps w JOIN sealed s ON s.key_id = w.key_id
             JOIN shared_keys k ON k.id = w.recipient_key AND k.purpose = 'custody' WHERE s.case_id = $1",
        )
        .bind(played.case)
        .fetch_all(&mut owner)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
        assert_eq!(to, [true_key]);
        sqlx::query("DELETE FROM custodies WHERE key_id = $1").bind(key).execute(&mut owner).await.unwrap();
    }
    // The control: with both, it counts. That is what two of three can do, and what the service's secret guards besides.
    let plant =
        "INSERT INTO custodies (key_id, organisation_id, number, note, vouch, in_force_at, registered_by, register_no)
                 VALUES ($1, $2, 1, $3, $4, now(), NULL, NULL)";
    let vouch = vouched(two, &two_note);
    sqlx::query(plant).bind(two).bind(squad).bind(&two_note).bind(vouch).execute(&mut owner).await.unwrap();
    let keeper = world.signed_in("duty1").await;
    let seen = keeper.get(&format!("/api/v1/organisations/{squad}/custody"), "").await.unwrap();
    assert_eq!((seen.status, seen.id("key")), (200, two), "{}", seen.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_one_custodian_signed_lets_nobody_in() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (thief, helper) = (world.country.person("officer2").unwrap().account, world.signed_in("officer2").await);
    let opening = invoke(&world, &helper, played.case, &["narrative"], 4).await;
    let agreed = step(&world.signed_in("ssupervisor1").await, opening, "agree").await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    let mut owner = world.owner().await;
    let note: String = sqlx::query_scalar("SELECT note FROM opening_cases WHERE opening_id = $1")
        .bind(opening)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let stated: himaya::guard::statement::GrantStatement = statement::unverified(&note).unwrap();
    let window = stated.window.unwrap();
    sqlx::query(
        "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at, active_from, active_until, opening_id,
                                  registered_by, register_no)
         VALUES ($1, $2, $3, 'emergency', $4, now(), $5, $6, $7, NULL, NULL)",
    )
    .bind(stated.grant.0)
    .bind(played.case)
    .bind(thief)
    .bind(&note)
    .bind(window.from)
    .bind(window.until)
    .bind(opening)
    .execute(&mut owner)
    .await
    .unwrap();
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(helper.get(&narrative, "emergency").await.unwrap().status, 404, "no key was wrapped for it");
    // And nobody wraps one: whoever writes to the case finds it, and stores nothing.
    let officer = world.signed_in("officer1").await;
    let noted = officer.post(&format!("/api/v1/cases/{}/notes", played.case), &json!({ "text": "x" })).await.unwrap();
    assert_eq!(noted.status, 500, "{}", noted.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_of_another_house_who_is_barred_takes_no_part_in_opening_the_case() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    name_custodians(&world, &["ssupervisor1", "ssupervisor2", "manager1"]).await;
    let (helper, keeper) = (world.signed_in("duty2").await, world.signed_in("manager1").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let bars = format!("/api/v1/cases/{}/bars", played.case);
    let bar = |account: Uuid| json!({ "account": account, "reason": "conflict_of_interest" });
    // Somebody who has nothing to do with the squad is not barred: there is nothing to keep them off.
    let nobody = supervisor.post(&bars, &bar(world.country.person("worker1").unwrap().account)).await.unwrap();
    assert_eq!((nobody.status, nobody.body["errors"][0]["field"].as_str()), (422, Some("account")), "{}", nobody.text);
    let made = supervisor.post(&bars, &bar(keeper.account)).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    assert_eq!(step(&keeper, opening, "agree").await.status, 404);
    let lifted = supervisor.post(&format!("{bars}/{}/lift", made.id("id")), &json!({})).await.unwrap();
    assert_eq!(lifted.status, 200, "{}", lifted.text);
    let agreed = step(&keeper, opening, "agree").await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
}
