//! Who is bribed, whose session takes in SQL, and who owns the database, in the matter of who answers for an organisation.

use crate::harness::World;
use crate::succession::{found, founding_of, newcomer, path, pin, propose, sign, squad, status, succeed};
use crate::thief::stolen_keys;
use crate::walls::injected;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::guard::action::Role;
use himaya::guard::record::{AccountId, MembershipId, OrganisationId};
use himaya::guard::statement::{self, FoundingStatement, MembershipStatement};
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_two_before_sign_afterwards_counts_no_more() {
    let world = World::new().await;
    let squad = squad(&world);
    succeed(&world, squad, ["ssupervisor1", "officer1"], &["ssupervisor1", "ssupervisor2", "officer1"]).await;
    let pair = [
        ("ssupervisor1", stolen_keys(&world, "ssupervisor1").await),
        ("ssupervisor2", stolen_keys(&world, "ssupervisor2").await),
    ];
    let officer = world.signed_in("officer2").await;
    assert_eq!(status(&officer, "/api/v1/workload", "supervision").await, 403);
    let mut owner = world.owner().await;
    let note: String = sqlx::query_scalar("SELECT note FROM memberships WHERE account_id = $1")
        .bind(officer.account)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let stated: MembershipStatement = statement::unverified(&note).unwrap();
    let promoted = MembershipStatement {
        membership: MembershipId(stated.membership.0),
        organisation: OrganisationId(squad),
        role: Role::SquadSupervisor,
        ..stated
    };
    let [(first, first_keys), (second, second_keys)] = &pair;
    let account = |handle: &str| AccountId(world.country.person(handle).unwrap().account);
    let note = statement::sign(&promoted, account(first), first_keys).unwrap();
    let note = statement::countersign(&note, account(second), second_keys).unwrap();
    let put = "UPDATE memberships SET note = $2 WHERE account_id = $1";
    sqlx::query(put).bind(officer.account).bind(&note).execute(&mut owner).await.unwrap();
    assert_eq!(
        status(&officer, "/api/v1/workload", "supervision").await,
        403,
        "the founding that follows says what she is"
    );
    assert_eq!(status(&officer, "/api/v1/cases", "case_work").await, 200);
    // By the two of today the same words count.
    let third = stolen_keys(&world, "officer1").await;
    let note = statement::sign(&promoted, account(first), first_keys).unwrap();
    let note = statement::countersign(&note, account("officer1"), &third).unwrap();
    sqlx::query(put).bind(officer.account).bind(&note).execute(&mut owner).await.unwrap();
    assert_eq!(status(&officer, "/api/v1/workload", "supervision").await, 200);
}

/// The note of a founding that follows, as the owner of the database and two bribed people would have it.
pub async fn forged(world: &World, organisation: Uuid, signers: [&str; 2]) -> String {
    let mut owner = world.owner().await;
    let note: String =
        sqlx::query_scalar("SELECT note FROM successions WHERE organisation_id = $1 AND declined_at IS NULL")
            .bind(organisation)
            .fetch_one(&mut owner)
            .await
            .unwrap();
    let stated: FoundingStatement = statement::unverified(&note).unwrap();
    let account = |handle: &str| AccountId(world.country.person(handle).unwrap().account);
    let [first, second] = signers;
    let note = statement::sign(&stated, account(first), &stolen_keys(world, first).await).unwrap();
    statement::countersign(&note, account(second), &stolen_keys(world, second).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founding_to_which_those_before_did_not_agree_vouches_for_nobody_though_it_is_pinned() {
    let world = World::new().await;
    let squad = squad(&world);
    let bribed = world.signed_in("ssupervisor1").await;
    let officer = world.signed_in("officer2").await;
    let proposed = propose(&world, &bribed, squad, ["ssupervisor1", "officer1"]).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    pin(&world, &proposed);
    // Its own two have signed it, and the owner of the database puts it in force.
    let note = forged(&world, squad, ["ssupervisor1", "officer1"]).await;
    let (first, _) = founding_of(&world, squad).await;
    let mut owner = world.owner().await;
    let keep = "INSERT INTO former_foundings SELECT organisation_id, 0, note, $2, $3, $4, now() FROM foundings
                WHERE organisation_id = $1";
    let two = ["ssupervisor1", "officer1"].map(|handle| world.country.person(handle).unwrap().account);
    let kept = sqlx::query(keep).bind(squad).bind(proposed.id("id")).bind(two[0]).bind(two[1]);
    kept.execute(&mut owner).await.unwrap();
    let put = "UPDATE foundings SET note = $2 WHERE organisation_id = $1";
    sqlx::query(put).bind(squad).bind(&note).execute(&mut owner).await.unwrap();
    let members = format!("/api/v1/organisations/{squad}/members");
    for who in [&bribed, &officer, &world.signed_in("officer1").await] {
        assert_ne!(status(who, &members, "").await, 200, "{}", who.handle);
        let cases = who.get("/api/v1/cases", "case_work").await.unwrap();
        assert_eq!((cases.status, cases.code()), (403, "not_your_work"), "{}: {}", who.handle, cases.text);
    }
    // A line in the other one's name, by somebody else's key, is no signature of theirs.
    let second = AccountId(world.country.person("ssupervisor2").unwrap().account);
    let claimed = statement::countersign(&note, second, &stolen_keys(&world, "officer1").await).unwrap();
    sqlx::query(put).bind(squad).bind(&claimed).execute(&mut owner).await.unwrap();
    assert_ne!(status(&officer, "/api/v1/cases", "case_work").await, 200);
    // With the other one's signature it is one that they agreed to.
    let agreed = statement::countersign(&note, second, &stolen_keys(&world, "ssupervisor2").await).unwrap();
    sqlx::query(put).bind(squad).bind(&agreed).execute(&mut owner).await.unwrap();
    assert_eq!(status(&officer, "/api/v1/cases", "case_work").await, 200);
    assert_eq!(status(&world.signed_in("officer1").await, &members, "").await, 200);
    // Another one of the same number, agreed to by the same: not where this one was seen, as long as its pin stands.
    let mut stated: FoundingStatement = statement::unverified(&agreed).unwrap();
    stated.made_at += TimeDelta::seconds(1);
    let mut other = String::new();
    for handle in ["ssupervisor1", "officer1", "ssupervisor2"] {
        let (account, keys) =
            (AccountId(world.country.person(handle).unwrap().account), stolen_keys(&world, handle).await);
        other = match other.as_str() {
            "" => statement::sign(&stated, account, &keys).unwrap(),
            signed => statement::countersign(signed, account, &keys).unwrap(),
        };
    }
    let print = statement::hex(&statement::fingerprint(&other).unwrap());
    let pins = std::fs::read_to_string(&world.app.config.pins).unwrap();
    std::fs::write(&world.app.config.pins, format!("{pins}{print}\n")).unwrap();
    sqlx::query(put).bind(squad).bind(&other).execute(&mut owner).await.unwrap();
    assert_eq!(status(&officer, "/api/v1/cases", "case_work").await, 403);
    // The first one back, while its pin says nothing of another: not in a process that has seen the one that follows.
    sqlx::query(put).bind(squad).bind(&first).execute(&mut owner).await.unwrap();
    assert_eq!(status(&officer, "/api/v1/cases", "case_work").await, 403);
}

/// How many rows somebody changes with SQL that is injected into their session.
async fn changed(world: &World, who: &Actor, attack: &str) -> u64 {
    let mut theirs = injected(world, &who.secrets().await.1).await;
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(attack.to_owned())).execute(&mut theirs).await;
    done.map_or(0, |done| done.rows_affected())
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_injected_takes_no_organisation_away_from_its_two() {
    let world = World::new().await;
    let squad = squad(&world);
    let bribed = world.signed_in("ssupervisor1").await;
    let proposed = propose(&world, &bribed, squad, ["ssupervisor1", "officer1"]).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    for handle in ["ssupervisor1", "officer1", "duty1", "officer2"] {
        let who = world.signed_in(handle).await;
        for attack in [
            "UPDATE foundings SET note = 'x'",
            "UPDATE foundings SET complete = false",
            "INSERT INTO former_foundings SELECT organisation_id, 0, note, organisation_id, me(), me(), now() FROM foundings",
            "UPDATE former_foundings SET number = 7",
            "UPDATE successions SET number = 7",
            "UPDATE successions SET first_id = me()",
            "UPDATE accounts SET nominated_responsible = true",
        ] {
            assert_eq!(changed(&world, &who, attack).await, 0, "{handle}: {attack}");
        }
    }
    let stranger = world.signed_in("officer2").await;
    let plant = "INSERT INTO successions (id, organisation_id, number, first_id, second_id, note, made_at, lapses_at)
                 SELECT gen_random_uuid(), organisation_id, 9, first_id, second_id, note, made_at, lapses_at FROM successions";
    assert_eq!(changed(&world, &stranger, plant).await, 0);
    assert_eq!(changed(&world, &bribed, plant).await, 1, "it is only refused to others");
    // And what she plants changes nothing.
    assert_eq!(sign(&world.signed_in("ssupervisor2").await, squad, &proposed).await.status, 200);
    assert_eq!(sign(&world.signed_in("officer1").await, squad, &proposed).await.status, 200);
    pin(&world, &proposed);
    let done = found(&bribed, squad, &proposed).await;
    assert_eq!(done.status, 200, "{}", done.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_planted_shuts_no_founder_out_and_admits_nobody() {
    let world = World::new().await;
    let squad = squad(&world);
    let (first, second) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let waits = newcomer(&world, squad, "officer9").await;
    let body = json!({ "account": waits.account, "role": "squad_officer", "key_fingerprint": waits.key_fingerprint });
    let members = format!("/api/v1/organisations/{squad}/members");
    assert_eq!(first.post(&members, &body).await.unwrap().status, 201);
    let plant = |account: Uuid| {
        format!(
            "INSERT INTO memberships (id, account_id, organisation_id, note, proposed_at)
             VALUES (gen_random_uuid(), '{account}', my_organisation(), 'x', now())"
        )
    };
    let complete = "UPDATE memberships SET complete = true, ended_at = now() WHERE NOT complete";
    for handle in ["officer1", "duty1", "officer2"] {
        let colleague = world.signed_in(handle).await;
        for founder in [&first, &second, &colleague] {
            assert_eq!(changed(&world, &colleague, &plant(founder.account)).await, 0, "{handle}");
        }
        assert_eq!(changed(&world, &colleague, complete).await, 0, "{handle}");
    }
    // One of the two plants a row, and does not mark it as what both have signed.
    assert_eq!(changed(&world, &first, &plant(second.account)).await, 1);
    assert_eq!(changed(&world, &first, complete).await, 0);
    // Nor does the other one spoil what was proposed by marking it.
    let spoils = "UPDATE memberships SET note = 'x', complete = true WHERE registered_by <> me() AND NOT complete";
    assert_eq!(changed(&world, &second, spoils).await, 0);
    // Nor does it shut anybody out whom the founding names, if the owner of the database does that.
    let mut owner = world.owner().await;
    let done = sqlx::query("UPDATE memberships SET complete = true WHERE account_id = $1").bind(second.account);
    assert_eq!(done.execute(&mut owner).await.unwrap().rows_affected(), 1);
    assert_eq!(status(&second, "/api/v1/workload", "supervision").await, 200);
    assert_eq!(propose(&world, &second, squad, ["ssupervisor2", "officer1"]).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_gets_the_signatures_of_people_and_nothing_else() {
    let world = World::new().await;
    let squad = squad(&world);
    let (stays, leaves) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let (comes, keeper) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let proposed = propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await;
    assert_eq!(sign(&keeper, squad, &proposed).await.status, 200);
    // As long as a signature is, and none.
    let line = |who: &Actor| format!("\u{2014} himaya/{} {}=", who.account, "A".repeat(91));
    let spoil = [
        "UPDATE successions SET note = 'x'".to_owned(),
        "UPDATE successions SET note = note || ' '".to_owned(),
        "UPDATE successions SET note = replace(note, 'squad_officer', 'squad_supervisor')".to_owned(),
        format!("UPDATE successions SET note = note || E'{}\\n'", line(&stays)),
        format!("UPDATE successions SET note = note || E'{0}\\n{0}\\n'", line(&leaves)),
        format!("UPDATE successions SET note = note || E'\u{2014} himaya/{} =\\n'", leaves.account),
        format!("UPDATE successions SET note = note || E'{}\\n'", line(&keeper)),
    ];
    for who in [&keeper, &leaves] {
        for attack in &spoil {
            assert_eq!(changed(&world, who, attack).await, 0, "{}: {attack}", who.handle);
        }
    }
    assert_eq!(changed(&world, &keeper, "UPDATE successions SET declined_at = now()").await, 0);
    // A line in one's own name that is no signature: what others signed counts all the same.
    let own = format!("UPDATE successions SET note = note || E'{}\\n'", line(&leaves));
    assert_eq!(changed(&world, &leaves, &own).await, 1);
    assert_eq!(changed(&world, &leaves, &own).await, 0, "once");
    // And what she plants beside it crowds it out of nobody's list.
    let plant = "INSERT INTO successions (id, organisation_id, number, first_id, second_id, note, made_at, lapses_at)
                 SELECT gen_random_uuid(), organisation_id, 9, first_id, second_id, 'x', '9999-01-01', '9999-01-02'
                 FROM successions, generate_series(1, 60)";
    assert_eq!(changed(&world, &leaves, plant).await, 60);
    let seen = comes.get(&path(squad), "").await.unwrap();
    assert_eq!(seen.body["items"][0]["id"], json!(proposed.id("id")), "{}", seen.text);
    assert_eq!(seen.body["items"][0]["agreed"], json!(true), "{}", seen.text);
    assert_eq!(sign(&comes, squad, &proposed).await.status, 200);
    pin(&world, &proposed);
    let done = found(&comes, squad, &proposed).await;
    assert_eq!(done.status, 200, "{}", done.text);
    // Who answered before is told, and so are those who do now.
    let told: Vec<Uuid> = sqlx::query_scalar(
        "SELECT account_id FROM alerts WHERE about = $1 AND level = 'ended' AND account_id IS NOT NULL",
    )
    .bind(proposed.id("id"))
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    for who in [&stays, &leaves, &comes] {
        assert!(told.contains(&who.account), "{}", who.handle);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founding_that_nobody_agreed_to_and_that_is_shown_for_a_moment_changes_nothing() {
    let world = World::new().await;
    let squad = squad(&world);
    let (bribed, officer) = (world.signed_in("ssupervisor1").await, world.signed_in("officer2").await);
    let proposed = propose(&world, &bribed, squad, ["ssupervisor1", "officer1"]).await;
    pin(&world, &proposed);
    let note = forged(&world, squad, ["ssupervisor1", "officer1"]).await;
    let (first, _) = founding_of(&world, squad).await;
    let mut owner = world.owner().await;
    let put = "UPDATE foundings SET note = $2 WHERE organisation_id = $1";
    sqlx::query(put).bind(squad).bind(&note).execute(&mut owner).await.unwrap();
    assert_eq!(status(&officer, "/api/v1/cases", "case_work").await, 403);
    sqlx::query(put).bind(squad).bind(&first).execute(&mut owner).await.unwrap();
    assert_eq!(status(&officer, "/api/v1/cases", "case_work").await, 200);
    for other in ["ssupervisor2", "officer1"] {
        assert_eq!(sign(&world.signed_in(other).await, squad, &proposed).await.status, 200, "{other}");
    }
    let done = found(&bribed, squad, &proposed).await;
    assert_eq!(done.status, 200, "{}", done.text);
}
