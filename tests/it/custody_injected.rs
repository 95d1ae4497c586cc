//! What injected SQL in a custodian's session, and an owner of the database with a bribed custodian, make of openings: nothing.

use crate::custody::{invoke, opened_by, step};
use crate::harness::World;
use crate::thief::stolen_keys;
use crate::walls::injected;
use chrono::TimeDelta;
use himaya::demo::story;
use himaya::guard::keys::KemPrivate;
use himaya::guard::record::{AccountId, GrantId};
use himaya::guard::statement::{self, CustodyStatement, GrantStatement, Window};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

async fn sql(connection: &mut PgConnection, statement: &str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await?.rows_affected())
}

/// How many sealed records a connection sees.
async fn sees(connection: &mut PgConnection, case: Uuid) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM sealed WHERE case_id = $1").bind(case).fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_of_one_custodian_opens_no_case_and_takes_no_step_that_is_not_theirs() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (helper, keeper) = (world.signed_in("officer2").await, world.signed_in("ssupervisor1").await);
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    assert_eq!(step(&keeper, opening, "agree").await.status, 200);
    let mut theirs = injected(&world, &keeper.secrets().await.1).await;
    let account = |handle: &str| world.country.person(handle).unwrap().account;
    let (me, other) = (keeper.account, account("ssupervisor2"));
    // Alone, in both parts; in the other's name; once more after it was opened; another case put in.
    for forbidden in [
        format!("UPDATE openings SET state = 'opened', second_id = '{me}', first_id = '{other}', opened_at = now()"),
        format!("UPDATE openings SET state = 'opened', second_id = '{other}', opened_at = now()"),
        "UPDATE openings SET lapses_at = 'infinity'".to_owned(),
        format!(
            "UPDATE openings SET state = 'reviewed', reviewed_by = '{me}', reviewed_at = now(), verdict = 'justified'"
        ),
        "UPDATE openings SET note = 'x'".to_owned(),
        "UPDATE custodies SET in_force_at = now()".to_owned(),
        format!(
            "INSERT INTO opening_parts (id, opening_id, account_id)
                 SELECT id, '{opening}', '{me}' FROM sections LIMIT 1"
        ),
        format!(
            "INSERT INTO opening_parts (id, opening_id, account_id) VALUES ('{}', '{opening}', '{me}')",
            played.case
        ),
        format!("INSERT INTO opening_cases (opening_id, case_id) VALUES ('{opening}', '{}')", played.case),
    ] {
        let done = sql(&mut theirs, &forbidden).await;
        assert!(done.as_ref().is_ok_and(|rows| *rows == 0) || done.is_err(), "{forbidden}: {done:?}");
    }
    assert_eq!(sees(&mut theirs, played.case).await, 0);
    let moved: i64 = sqlx::query_scalar("SELECT count(*) FROM custody_wraps($1, $1, $1, 0, 1000)")
        .bind(opening)
        .fetch_one(&mut theirs)
        .await
        .unwrap();
    assert_eq!(moved, 0);
    // An officer, and a responsible person who keeps nothing, even less.
    let officer = world.signed_in("officer1").await;
    let mut theirs = injected(&world, &officer.secrets().await.1).await;
    for forbidden in ["UPDATE custodies SET in_force_at = now()", "UPDATE openings SET state = 'declined'"] {
        let done = sql(&mut theirs, forbidden).await;
        assert!(done.as_ref().is_ok_and(|rows| *rows == 0) || done.is_err(), "{forbidden}: {done:?}");
    }
    // And what was agreed to is opened all the same.
    assert_eq!(step(&world.signed_in("duty1").await, opening, "open").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_was_made_into_another_one_or_whose_key_was_exchanged_is_opened_by_nobody() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let squad = world.country.organisations["squad"];
    let (bribed, honest) = (world.signed_in("ssupervisor1").await, world.signed_in("duty1").await);
    let keys = stolen_keys(&world, "ssupervisor1").await;
    let mut owner = world.owner().await;
    sql(&mut owner, "ALTER TABLE openings DISABLE TRIGGER opening_steps").await.unwrap();

    // A renewal that the honest one agreed to becomes an emergency for an accomplice.
    let custody = format!("/api/v1/organisations/{squad}/custody");
    let renewal = bribed.post(&format!("{custody}/renewals"), &json!({})).await.unwrap().id("id");
    assert_eq!(step(&honest, renewal, "agree").await.status, 200);
    let accomplice = world.country.person("officer2").unwrap().account;
    let now = world.clock.now();
    let stated = GrantStatement {
        grant: GrantId::random(),
        case: himaya::guard::record::CaseId(played.case),
        account: AccountId(accomplice),
        relation: himaya::guard::action::Relation::Emergency,
        reason: himaya::guard::statement::AccessReason::Emergency,
        at: now,
        window: Some(Window { from: now, until: now + TimeDelta::hours(4) }),
        absence: None,
        opening: Some(himaya::guard::record::OpeningId(renewal)),
        sections: Some(vec![himaya::guard::record::RecordKind::Narrative]),
    };
    let note = statement::sign(&stated, AccountId(honest.account), &keys).unwrap();
    let made = format!(
        "UPDATE openings SET why = 'emergency', person_id = '{accomplice}', sections = '{{narrative}}', hours = 4 WHERE id = '{renewal}'"
    );
    sql(&mut owner, &made).await.unwrap();
    let planted = sqlx::query("INSERT INTO opening_cases (opening_id, case_id, note) VALUES ($1, $2, $3)");
    planted.bind(renewal).bind(played.case).bind(note).execute(&mut owner).await.unwrap();
    let opened = step(&bribed, renewal, "open").await;
    assert_eq!(opened.status, 500, "{}", opened.text);
    sqlx::query("DELETE FROM opening_cases WHERE opening_id = $1").bind(renewal).execute(&mut owner).await.unwrap();

    // The first custodian puts a key of their own in the place of the one that the service prepared.
    let helper = world.signed_in("officer2").await;
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    assert_eq!(step(&bribed, opening, "agree").await.status, 200);
    let query = "SELECT note FROM custodies WHERE opening_id = $1";
    let prepared: String = sqlx::query_scalar(query).bind(opening).fetch_one(&mut owner).await.unwrap();
    let mut stated: CustodyStatement = statement::unverified(&prepared).unwrap();
    stated.public = statement::hex(&KemPrivate::generate().public().unwrap().0);
    let own = statement::sign(&stated, AccountId(bribed.account), &keys).unwrap();
    let exchange = sqlx::query("UPDATE custodies SET note = $2 WHERE opening_id = $1");
    exchange.bind(opening).bind(own).execute(&mut owner).await.unwrap();
    let opened = step(&honest, opening, "open").await;
    assert_eq!(opened.status, 500, "{}", opened.text);
    let seen = honest.get(&custody, "").await.unwrap();
    assert_eq!(seen.body["number"], json!(0), "{}", seen.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_openings_that_overlap_lose_no_key_and_one_that_is_gone_is_missed() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("officer2").await;
    let mut owner = world.owner().await;
    // The first stops before its last step; the second is agreed to meanwhile; then the first ends.
    sql(&mut owner, "REVOKE EXECUTE ON FUNCTION drop_empty_custody_shares(uuid) FROM himaya_app").await.unwrap();
    let first = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    opened_by(&world, first, "ssupervisor1", "ssupervisor2").await;
    let second = invoke(&world, &helper, played.case, &["legal"], 1).await;
    assert_eq!(step(&world.signed_in("ssupervisor1").await, second, "agree").await.status, 200);
    sql(&mut owner, "GRANT EXECUTE ON FUNCTION drop_empty_custody_shares(uuid) TO himaya_app").await.unwrap();
    let mut theirs = injected(&world, &world.signed_in("ssupervisor2").await.secrets().await.1).await;
    let dropped: i64 =
        sqlx::query_scalar("SELECT drop_empty_custody_shares($1)").bind(first).fetch_one(&mut theirs).await.unwrap();
    assert!(dropped > 0, "those of the founding's key");
    let opened = step(&world.signed_in("duty1").await, second, "open").await;
    assert_eq!((opened.status, &opened.body["rest_on_older"]), (200, &json!(0)), "{}", opened.text);
    let third = invoke(&world, &helper, played.case, &["investigation"], 1).await;
    let opened = opened_by(&world, third, "duty1", "ssupervisor1").await;
    assert_eq!(opened.body["rest_on_older"], json!(0), "{}", opened.text);

    // The newest is taken away: nothing is sealed to one that came before it.
    let query = "DELETE FROM custodies WHERE opening_id = $1";
    sqlx::query(query).bind(third).execute(&mut owner).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let person = json!({ "category": "witness" });
    let added = officer.post(&format!("/api/v1/cases/{}/persons", played.case), &person).await.unwrap();
    assert_eq!(added.status, 500, "{}", added.text);
}
