//! Who is bribed, whose session takes in SQL, and who owns the database, in the matter of who answers for an organisation.

use crate::harness::World;
use crate::succession::{found, founding_of, pin, propose, sign, squad, status, succeed};
use crate::thief::stolen_keys;
use crate::walls::injected;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::guard::action::Role;
use himaya::guard::record::{AccountId, MembershipId, OrganisationId};
use himaya::guard::statement::{self, FoundingStatement, MembershipStatement};
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
async fn forged(world: &World, organisation: Uuid, signers: [&str; 2]) -> String {
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
    // With the other one's signature it is one that they agreed to.
    let second = AccountId(world.country.person("ssupervisor2").unwrap().account);
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
