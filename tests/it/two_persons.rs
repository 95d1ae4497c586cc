//! What nobody does alone: a colleague is taken off a case by two, and the last one by two supervisors.

use crate::absence::{hand_over, keys_of};
use crate::harness::World;
use crate::story::whole_ledger;
use crate::thief::stolen_keys;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::guard::record::{AccountId, CaseId, ProposalId};
use himaya::guard::statement::{self, Act, ProposalStatement};
use serde_json::{Value, json};
use uuid::Uuid;

pub async fn propose(actor: &Actor, case: &str, account: Uuid) -> Reply {
    actor.post(&format!("{case}/removals"), &json!({ "account": account })).await.unwrap()
}

pub async fn confirm(actor: &Actor, case: &str, removal: Uuid) -> Reply {
    actor.post(&format!("{case}/removals/{removal}/confirm"), &Value::Null).await.unwrap()
}

/// Takes somebody off a case as it is done: one proposes it, another confirms.
pub async fn take_off(one: &Actor, other: &Actor, case: &str, account: Uuid) {
    let proposed = propose(one, case, account).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let confirmed = confirm(other, case, proposed.id("id")).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
}

async fn give(officer: &Actor, case: &str, account: Uuid, relation: &str) {
    let body = json!({ "account": account, "relation": relation, "reason": "workload" });
    assert_eq!(officer.post(&format!("{case}/access"), &body).await.unwrap().status, 201);
}

async fn reads(actor: &Actor, path: &str) -> u16 {
    actor.get(path, "case_work").await.unwrap().status
}

async fn listed(actor: &Actor, case: &str, purpose: &str) -> usize {
    let list = actor.get(&format!("{case}/removals"), purpose).await.unwrap();
    assert_eq!(list.status, 200, "{}", list.text);
    list.body["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_access_takes_no_colleague_off_alone() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (third, reader) = (world.signed_in("officer2").await, world.signed_in("duty2").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let case = format!("/api/v1/cases/{}", played.case);
    give(&officer, &case, third.account, "assigned").await;
    give(&officer, &case, reader.account, "granted").await;
    for account in [third.account, reader.account, duty.account] {
        let alone = officer.delete(&format!("{case}/access/{account}")).await.unwrap();
        assert_eq!((alone.status, alone.code()), (409, "two_persons"), "{}", alone.text);
    }
    let proposed = propose(&officer, &case, third.account).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let removal = proposed.id("id");
    assert_eq!(propose(&duty, &case, third.account).await.code(), "proposed_already");
    for account in [officer.account, supervisor.account] {
        let wrong = propose(&officer, &case, account).await;
        assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("account")), "{}", wrong.text);
    }
    // Nothing has happened, and whom it concerns learns nothing.
    assert_eq!((reads(&third, &case).await, listed(&third, &case, "case_work").await), (200, 0));
    assert_eq!(confirm(&third, &case, removal).await.status, 404);
    assert_eq!((listed(&duty, &case, "case_work").await, listed(&supervisor, &case, "supervision").await), (1, 1));
    let same = confirm(&officer, &case, removal).await;
    assert_eq!((same.status, same.code()), (409, "same_person"), "{}", same.text);
    for handle in ["duty2", "operator1", "hsupervisor1", "coordinator1", "admin1", "manager1"] {
        let stranger = world.signed_in(handle).await;
        assert_eq!(confirm(&stranger, &case, removal).await.status, 404, "{handle}");
        assert_eq!(propose(&stranger, &case, third.account).await.status, 404, "{handle}");
    }
    assert_eq!(confirm(&duty, &case, himaya::platform::random::uuid()).await.status, 404);
    assert_eq!(reads(&third, &case).await, 200);
    // A colleague confirms: with new keys at once.
    let (before, _) = keys_of(&world, played.case, third.account).await;
    let confirmed = confirm(&duty, &case, removal).await;
    assert_eq!((confirmed.status, &confirmed.body["epoch_pending"]), (200, &json!(false)), "{}", confirmed.text);
    assert_eq!(reads(&third, &case).await, 404);
    assert_eq!(keys_of(&world, played.case, third.account).await, (before + 1, 0));
    assert_eq!(confirm(&duty, &case, removal).await.code(), "illegal_transition");
    // Or the supervisor, who holds no key.
    let proposed = propose(&duty, &case, reader.account).await.id("id");
    let confirmed = confirm(&supervisor, &case, proposed).await;
    assert_eq!((confirmed.status, &confirmed.body["epoch_pending"]), (200, &json!(true)), "{}", confirmed.text);
    assert_eq!((reads(&reader, &case).await, reads(&officer, &case).await), (404, 200));
    assert_eq!(listed(&supervisor, &case, "supervision").await, 0);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_is_taken_off_by_two_supervisors_and_not_by_one() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    // Whoever may put people on a case takes nobody off alone, also while others remain, and keeps nobody off who works on it.
    assert_eq!(one.delete(&format!("{case}/access/{}", duty.account)).await.unwrap().code(), "two_persons");
    let bar = json!({ "account": duty.account, "reason": "conflict_of_interest" });
    assert_eq!(one.post(&format!("{case}/bars"), &bar).await.unwrap().code(), "two_persons");
    assert_eq!(reads(&duty, &case).await, 200);
    take_off(&one, &officer, &case, duty.account).await;
    let last = format!("{case}/access/{}", officer.account);
    assert_eq!(one.delete(&last).await.unwrap().code(), "two_persons");
    assert_eq!(officer.delete(&last).await.unwrap().code(), "nobody_would_remain");
    let removal = propose(&one, &case, officer.account).await.id("id");
    assert_eq!(confirm(&one, &case, removal).await.code(), "same_person");
    assert_eq!(confirm(&officer, &case, removal).await.status, 404);
    assert_eq!(reads(&officer, &case).await, 200);
    assert_eq!(confirm(&other, &case, removal).await.status, 200);
    assert_eq!(reads(&officer, &case).await, 404);
    assert_eq!(keys_of(&world, played.case, officer.account).await.1, 0);
    let seen = one.get(&case, "supervision").await.unwrap();
    assert_eq!((&seen.body["access"], &seen.body["epoch_pending"]), (&json!([]), &json!(true)), "{}", seen.text);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_lapses_and_counts_for_one_permission_and_from_who_may_still_propose() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (third, supervisor) = (world.signed_in("officer2").await, world.signed_in("ssupervisor1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    give(&officer, &case, third.account, "assigned").await;
    // Who stands in decides about nobody.
    let stand_in = world.signed_in("duty2").await;
    assert_eq!(hand_over(&world, &officer, &stand_in, 0, 3600).await.status, 201);
    assert_eq!(propose(&stand_in, &case, duty.account).await.code(), "standing_in");
    let removal = propose(&officer, &case, third.account).await.id("id");
    assert_eq!(confirm(&stand_in, &case, removal).await.code(), "standing_in");
    world.clock.advance(TimeDelta::days(7));
    for actor in [&officer, &duty, &third, &supervisor] {
        actor.sign_in().await.unwrap();
    }
    assert_eq!(confirm(&duty, &case, removal).await.code(), "lapsed");
    assert_eq!(listed(&duty, &case, "case_work").await, 0);
    // Left and come back: it was another permission that was to end.
    let removal = propose(&officer, &case, third.account).await.id("id");
    assert_eq!(third.delete(&format!("{case}/access/{}", third.account)).await.unwrap().status, 200);
    assert_eq!(confirm(&duty, &case, removal).await.code(), "lapsed");
    give(&officer, &case, third.account, "assigned").await;
    assert_eq!(confirm(&duty, &case, removal).await.code(), "lapsed");
    assert_eq!(reads(&third, &case).await, 200);
    let removal = propose(&officer, &case, third.account).await.id("id");
    // Nothing is done that somebody proposed who left the case, or was kept off it, since.
    assert_eq!(officer.post(&format!("{case}/recuse"), &json!({ "reason": "kinship" })).await.unwrap().status, 200);
    assert_eq!(confirm(&duty, &case, removal).await.code(), "lapsed");
    assert_eq!(confirm(&supervisor, &case, removal).await.code(), "lapsed");
    assert_eq!(reads(&third, &case).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_is_forged_changed_or_put_back_takes_nobody_off() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (third, case) = (world.signed_in("officer2").await, format!("/api/v1/cases/{}", played.case));
    give(&officer, &case, third.account, "assigned").await;
    let mut owner = world.owner().await;
    let grant: Uuid = sqlx::query_scalar(
        "SELECT grant_id FROM case_access WHERE case_id = $1 AND account_id = $2 AND ended_at IS NULL",
    )
    .bind(played.case)
    .bind(third.account)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    // Signed with the officer's stolen keys, and stored beside the service.
    let keys = stolen_keys(&world, "officer1").await;
    let (id, at) = (ProposalId::random(), world.clock.now());
    let stated = ProposalStatement {
        proposal: id,
        act: Act::Removal,
        case: CaseId(played.case),
        about: grant,
        account: Some(AccountId(third.account)),
        reason: None,
        at,
        lapses_at: at + TimeDelta::days(7),
    };
    let note = statement::sign(&stated, AccountId(officer.account), &keys).unwrap();
    let insert = "INSERT INTO proposals (id, case_id, act, about, account_id, note, vouch, made_at, lapses_at, registered_by, register_no)
                  VALUES ($1, $2, 'removal', $3, $4, $5, sha256($5::bytea), $6, $7, NULL, NULL)";
    let insert = sqlx::query(insert).bind(id.0).bind(played.case).bind(grant).bind(third.account).bind(&note);
    insert.bind(stated.at).bind(stated.lapses_at).execute(&mut owner).await.unwrap();
    assert_eq!(listed(&duty, &case, "case_work").await, 0);
    assert_eq!(confirm(&duty, &case, id.0).await.code(), "lapsed");
    // A true one, turned against somebody else, or given a later end.
    let removal = propose(&officer, &case, third.account).await.id("id");
    for change in [
        "UPDATE proposals SET about = (SELECT grant_id FROM case_access WHERE account_id = (SELECT id FROM accounts WHERE handle = 'officer1') LIMIT 1)",
        "UPDATE proposals SET account_id = (SELECT id FROM accounts WHERE handle = 'officer1')",
        "UPDATE proposals SET lapses_at = lapses_at + interval '1 day'",
        "UPDATE proposals SET vouch = sha256(vouch)",
    ] {
        sqlx::raw_sql("CREATE TABLE kept AS TABLE proposals").execute(&mut owner).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&mut owner).await.unwrap();
        assert_eq!(confirm(&duty, &case, removal).await.code(), "lapsed", "{change}");
        let back = "DELETE FROM proposals; INSERT INTO proposals SELECT * FROM kept; DROP TABLE kept";
        sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    }
    assert_eq!((reads(&third, &case).await, reads(&officer, &case).await), (200, 200));
    // Nothing else was missing. Put back afterwards, it is about a permission that has ended.
    assert_eq!(confirm(&duty, &case, removal).await.status, 200);
    give(&officer, &case, third.account, "assigned").await;
    let back = "UPDATE proposals SET confirmed_at = NULL, confirm_note = NULL, confirm_vouch = NULL";
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    assert_eq!(confirm(&duty, &case, removal).await.code(), "lapsed");
    assert_eq!(reads(&third, &case).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_confirmed_once_whoever_comes_at_the_same_moment() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (third, case) = (world.signed_in("officer2").await, format!("/api/v1/cases/{}", played.case));
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    give(&officer, &case, third.account, "assigned").await;
    let (first, second) = tokio::join!(propose(&officer, &case, third.account), propose(&one, &case, third.account));
    let (proposed, refused) = if first.status == 201 { (first, second) } else { (second, first) };
    assert_eq!((proposed.status, refused.code()), (201, "proposed_already"), "{}", refused.text);
    let removal = proposed.id("id");
    let answers = tokio::join!(
        confirm(&duty, &case, removal),
        confirm(&other, &case, removal),
        confirm(&officer, &case, removal),
        confirm(&one, &case, removal)
    );
    let mut statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    assert_eq!(reads(&third, &case).await, 404);
    // Two who propose each other, and confirm at once: one of them stays.
    give(&officer, &case, third.account, "assigned").await;
    let (of_third, of_officer) = (
        propose(&officer, &case, third.account).await.id("id"),
        propose(&third, &case, officer.account).await.id("id"),
    );
    let (a, b) = tokio::join!(confirm(&duty, &case, of_third), confirm(&one, &case, of_officer));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", a.text, b.text);
    assert_eq!(reads(&duty, &case).await, 200);
    world.stop().await;
    whole_ledger(&world).await;
}
