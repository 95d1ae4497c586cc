//! Whoever owns the database, or whose session takes in SQL, erases nothing that two did not agree to, and hides nothing by it.

use crate::erasing::{confirm, count, erase, listed, propose, supervisors};
use crate::faults::let_in;
use crate::harness::World;
use crate::walls::injected;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::record::{AccountId, ProposalId};
use himaya::guard::sweep::Finished;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_erased_by_a_list_that_the_service_did_not_make() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let second = crate::alerts::waiting_notice(&world).await;
    let_in(&world, false).await;
    erase(&one, &other, &format!("/api/v1/cases/{}", played.case)).await;
    let_in(&world, true).await;
    let key = "SELECT count(*) FROM erasure.keys WHERE key_id = $1";
    let there = async || -> i64 {
        sqlx::query_scalar(key).bind(second).fetch_one(&mut world.erasure_owner().await).await.unwrap()
    };
    // The owner of the database adds another record's key to a true list.
    let mut owner = world.owner().await;
    // A connection that was cut is found to be once.
    while world.app.databases.sweeper.erasure.acquire().await.unwrap().ping().await.is_err() {}
    let longer = "UPDATE erasing SET keys = keys || $1::uuid";
    sqlx::query(longer).bind(second).execute(&mut owner).await.unwrap();
    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished { online: 0, forged: 1 });
    assert_eq!(there().await, 1);
    // What cannot be written down outside is not said to be erased: a restored backup would bring it back.
    let file = world.app.config.checkpoints.join(himaya::guard::tombstones::FILE);
    let aside = file.with_extension("aside");
    if file.exists() {
        std::fs::rename(&file, &aside).unwrap();
    }
    std::fs::create_dir(&file).unwrap();
    let shorter = "UPDATE erasing SET keys = array_remove(keys, $1::uuid)";
    sqlx::query(shorter).bind(second).execute(&mut owner).await.unwrap();
    assert!(world.app.eraser().finish().await.is_err());
    assert_eq!(listed(&one, "supervision").await[0]["state"], "erasing");
    std::fs::remove_dir(&file).unwrap();
    if aside.exists() {
        std::fs::rename(&aside, &file).unwrap();
    }
    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished { online: 1, forged: 0 });
    assert_eq!(there().await, 1);
    let written = himaya::guard::tombstones::read(&world.app.config.checkpoints).unwrap();
    assert!(written.contains(&played.case), "at once");
    // Who was kept off the case hears nothing of it.
    assert_eq!(listed(&one, "supervision").await.len(), 1);
    sqlx::raw_sql("UPDATE erasures SET barred = ARRAY[proposed_by]").execute(&mut owner).await.unwrap();
    assert_eq!((listed(&one, "supervision").await.len(), listed(&other, "supervision").await.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_puts_under_a_case_is_not_erased_with_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let (officer, case) = (world.signed_in("officer1").await, format!("/api/v1/cases/{}", played.case));
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    let notice = sent.id("id");
    let path = format!("/api/v1/notices/{notice}");
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let accepted = duty.post(&format!("{path}/accept"), &json!({ "officers": [officer.account] })).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    let theirs = accepted.id("case");
    let notes = format!("/api/v1/cases/{theirs}/notes");
    assert_eq!(officer.post(&notes, &json!({ "text": "the white van" })).await.unwrap().status, 201);

    let proposed = propose(&one, &case).await.id("id");
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS SELECT record_id, case_id, kind FROM sealed")
        .execute(&mut owner)
        .await
        .unwrap();
    let keys = async || -> i64 {
        let all = "SELECT count(*) FROM erasure.keys";
        sqlx::query_scalar(all).fetch_one(&mut world.erasure_owner().await).await.unwrap()
    };
    let before = keys().await;
    let mine = played.case;
    for change in [
        format!(
            "UPDATE sealed SET case_id = '{mine}' WHERE record_id IN (SELECT id FROM case_notes WHERE case_id = '{theirs}')"
        ),
        format!("UPDATE sealed SET case_id = '{mine}' WHERE kind = 'identity' OR case_id = '{theirs}'"),
        format!("UPDATE notices SET case_id = '{mine}' WHERE id = '{notice}'"),
        format!(
            "UPDATE notices SET case_id = '{mine}' WHERE id = '{notice}';
             UPDATE sealed SET case_id = '{mine}' WHERE record_id = '{notice}'"
        ),
        format!("UPDATE sealed SET vouch = sha256(vouch) WHERE case_id = '{mine}'"),
    ] {
        sqlx::raw_sql("CREATE TABLE vouched AS SELECT record_id, vouch FROM sealed").execute(&mut owner).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(change.clone())).execute(&mut owner).await.unwrap();
        let refused = confirm(&other, &case, proposed).await;
        assert_eq!((refused.status, refused.code()), (500, "fault"), "{change}: {}", refused.text);
        let back = format!(
            "UPDATE notices SET case_id = '{theirs}' WHERE id = '{notice}';
             UPDATE sealed s SET case_id = k.case_id FROM kept k WHERE k.record_id = s.record_id;
             UPDATE sealed s SET vouch = v.vouch FROM vouched v WHERE v.record_id = s.record_id; DROP TABLE vouched"
        );
        sqlx::raw_sql(AssertSqlSafe(back)).execute(&mut owner).await.unwrap();
        let read = officer.get(&notes, "case_work").await.unwrap();
        assert!(read.status == 200 && read.text.contains("the white van"), "{change}: {}", read.text);
        assert_eq!(officer.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap().status, 200);
        assert_eq!(keys().await, before, "{change}");
    }
    assert_eq!(confirm(&other, &case, proposed).await.status, 200);
    assert_eq!(world.app.eraser().finish().await.unwrap().online, 1);
    assert_eq!(officer.get(&notes, "case_work").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_injected_into_one_of_the_two_erases_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let proposed = propose(&one, &case).await.id("id");
    let proposal = ProposalId(proposed);
    let rows = async || count(&world, "SELECT (SELECT count(*) FROM sealed) + (SELECT count(*) FROM cases)").await;
    let before = rows().await;
    for actor in [&one, &other] {
        let mut theirs = injected(&world, &actor.secrets().await.1).await;
        let calls: Vec<String> = sqlx::query_scalar("SELECT what FROM erase_case($1)")
            .bind(played.case)
            .fetch_all(&mut theirs)
            .await
            .unwrap();
        assert!(calls.is_empty());
        let plants = sqlx::query(
            "INSERT INTO erasures (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at,
                                   note, barred, vouch)
             SELECT $1, c.id, c.number, c.organisation_id, 'court_order', $2, now(), me(), now(), 'x', '{}', sha256('x') FROM cases c",
        );
        let planted = plants.bind(proposed).bind(one.account).execute(&mut theirs).await.unwrap_err().to_string();
        assert!(planted.contains("row-level security") || planted.contains("check constraint"), "{planted}");
        for forbidden in [
            "DELETE FROM cases",
            "DELETE FROM notices",
            "DELETE FROM holds",
            "SELECT * FROM erasing",
            "DELETE FROM erasing",
            "UPDATE erasures SET final_at = now()",
            "SELECT erasure_is_online(gen_random_uuid(), interval '0')",
            "SELECT * FROM erased_before",
            "INSERT INTO erased_before SELECT id FROM cases",
            "SELECT hide_erased(ARRAY(SELECT id FROM cases))",
            "SELECT unwrap_hidden(ARRAY(SELECT key_id FROM wraps))",
            "UPDATE holds SET disregarded_at = now()",
            "SELECT disregard_hold(gen_random_uuid())",
            "SELECT * FROM holds_in_the_way(gen_random_uuid())",
            "SELECT * FROM erasure_orders",
            "INSERT INTO erasure_orders VALUES (gen_random_uuid(), me(), pg_current_xact_id(), now())",
            "SELECT order_erasure(gen_random_uuid(), me(), pg_current_xact_id()::text)",
        ] {
            let refused = sqlx::raw_sql(forbidden).execute(&mut theirs).await.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "{forbidden}: {refused}");
        }
    }
    // What two sign and the service carries out, as SQL that is injected would say it: by itself, and beside an order of the service.
    let confirmed =
        "UPDATE proposals SET confirmed_at = now(), confirm_note = note, confirm_vouch = vouch, standing = 2";
    let planting = format!(
        "INSERT INTO erasures (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at, note,
                               barred, vouch)
         SELECT '{proposed}', c.id, c.number, c.organisation_id, 'court_order', '{}', now(), me(), now(), 'x', '{{}}', sha256('x')
         FROM cases c",
        one.account
    );
    let planted = format!("{confirmed}; {planting}");
    let lifted = "UPDATE holds SET lifted_at = now(), lift_note = note, lift_vouch = vouch, standing = 2";
    let agreed = format!("{confirmed}; {lifted}");
    let tries = async |actor: &Actor, sql: &str, ordered: bool| {
        let mut theirs = injected(&world, &actor.secrets().await.1).await;
        sqlx::raw_sql("BEGIN").execute(&mut theirs).await.unwrap();
        if ordered {
            let own = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut theirs).await;
            let own: String = own.unwrap();
            world.app.eraser().order(proposal, AccountId(actor.account), &own).await.unwrap();
        }
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut theirs).await;
        done.map(|_| ()).map_err(|error| error.to_string())
    };
    let refuses = async |actor: &Actor, sql: &str| {
        for ordered in [false, true] {
            let refused = tries(actor, sql, ordered).await.expect_err(sql);
            assert!(refused.contains("row-level security"), "{sql}: {refused}");
        }
    };
    // Beside an order nothing else is missing; without one nothing is enough.
    assert_eq!(tries(&other, &planted, true).await, Ok(()));
    let alone = tries(&other, &planted, false).await.unwrap_err();
    assert!(alone.contains("row-level security"), "{alone}");
    refuses(&one, &planted).await;
    // What was confirmed before, in another transaction, counts no more.
    sqlx::raw_sql(confirmed).execute(&mut world.owner().await).await.unwrap();
    refuses(&other, &planting).await;
    let unsaid = "UPDATE proposals SET confirmed_at = NULL, confirm_note = NULL, confirm_vouch = NULL, standing = 1";
    sqlx::raw_sql(unsaid).execute(&mut world.owner().await).await.unwrap();
    // Nor does a proposal count that has lapsed, whatever time is told.
    let lapses = "UPDATE proposals SET lapses_at = now() - interval '1 hour'";
    let lasts = "UPDATE proposals SET lapses_at = now() + interval '7 days'";
    let earlier = planted.replace("me(), now(), 'x'", "me(), now() - interval '2 hours', 'x'");
    sqlx::raw_sql(lapses).execute(&mut world.owner().await).await.unwrap();
    for sql in [&planted, &earlier] {
        refuses(&other, sql).await;
    }
    sqlx::raw_sql(lasts).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(tries(&other, &planted, true).await, Ok(()));
    // A hold with an end is in force by the database's own clock, whatever time is told.
    let until = world.clock.now() + chrono::TimeDelta::days(1);
    let ends = json!({ "reason": "complaint", "until": until });
    assert_eq!(one.post(&format!("{case}/holds"), &ends).await.unwrap().status, 201);
    let later = planted.replace("me(), now(), 'x'", "me(), now() + interval '2 days', 'x'");
    assert_ne!(later, planted);
    for sql in [&planted, &later] {
        refuses(&other, sql).await;
    }
    // While there is a hold, nobody's session alone lifts it; nor does the one who proposed that it be lifted.
    let held = one.post(&format!("{case}/holds"), &json!({ "reason": "complaint" })).await.unwrap();
    assert_eq!(held.status, 201, "{}", held.text);
    for actor in [&one, &other] {
        refuses(actor, &planted).await;
        refuses(actor, lifted).await;
        refuses(actor, &agreed).await;
    }
    let lifts = one.post(&format!("{case}/holds/{}/lifts", held.id("id")), &Value::Null).await.unwrap();
    assert_eq!(lifts.status, 201, "{}", lifts.text);
    let lift_one = format!("{confirmed}; {lifted} WHERE id = '{}'", held.id("id"));
    refuses(&one, &lift_one).await;
    // Who is the second may write it; nobody believes it, and two lift the hold as they would have.
    assert_eq!(tries(&other, &format!("{lift_one}; COMMIT"), false).await, Ok(()));
    let in_force = async || {
        let seen = other.get(&format!("{case}/holds"), "supervision").await.unwrap();
        assert_eq!(seen.status, 200, "{}", seen.text);
        let of = seen.body["items"].as_array().unwrap().clone();
        of.iter().find(|item| item["id"] == held.body["id"]).unwrap()["in_force"] == true
    };
    assert!(in_force().await);
    assert_eq!(propose(&one, &case).await.code(), "on_hold");
    let lifts = format!("{case}/holds/{}/lifts", held.id("id"));
    let again = one.post(&lifts, &Value::Null).await.unwrap();
    assert_eq!(again.status, 201, "{}", again.text);
    let agreed = other.post(&format!("{lifts}/{}/confirm", again.id("id")), &Value::Null).await.unwrap();
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    assert!(!in_force().await);
    assert_eq!(rows().await, before);
}
