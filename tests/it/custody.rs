//! What two custodians do together: nobody alone, for one reason, and not a moment longer.

use crate::absence::keys_of;
use crate::harness::World;
use crate::story::whole_ledger;
use crate::thief::stolen_keys;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::guard::record::AccountId;
use himaya::guard::statement::{self, GrantStatement, Window};
use serde_json::{Value, json};
use sqlx::Row as _;
use std::time::Duration;
use uuid::Uuid;

/// The number of a case, as it is said on the telephone.
pub async fn number_of(world: &World, case: Uuid) -> i64 {
    let mut owner = world.owner().await;
    sqlx::query_scalar("SELECT number FROM cases WHERE id = $1").bind(case).fetch_one(&mut owner).await.unwrap()
}

/// Somebody asks to see these sections of a case.
pub async fn invoke(world: &World, who: &Actor, case: Uuid, sections: &[&str], hours: i64) -> Uuid {
    let number = number_of(world, case).await;
    let wanted = json!({ "case_number": number, "reason": "danger_to_life", "sections": sections, "hours": hours });
    let invoked = who.post("/api/v1/emergencies", &wanted).await.unwrap();
    assert_eq!(invoked.status, 201, "{}", invoked.text);
    invoked.id("id")
}

/// A custodian, or whoever tries to be one, takes a step: what they confirm is what they are shown.
pub async fn step(who: &Actor, opening: Uuid, what: &str) -> Reply {
    let shown = who.get("/api/v1/openings", "").await.unwrap();
    let shown = shown.body["items"].as_array().and_then(|items| items.iter().find(|item| item["id"] == json!(opening)));
    let print = shown.map_or(json!("00"), |shown| shown["fingerprint"].clone());
    who.post(&format!("/api/v1/openings/{opening}/{what}"), &json!({ "fingerprint": print })).await.unwrap()
}

/// Two custodians open.
pub async fn opened_by(world: &World, opening: Uuid, first: &str, second: &str) -> Reply {
    let agreed = step(&world.signed_in(first).await, opening, "agree").await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    let opened = step(&world.signed_in(second).await, opening, "open").await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    opened
}

/// What the first custodian signed, signed by them anew for another time.
async fn sign_for(world: &World, handle: &str, opening: Uuid, seconds: i64) {
    let (mut owner, keys) = (world.owner().await, stolen_keys(world, handle).await);
    let note: String = sqlx::query_scalar("SELECT note FROM opening_cases WHERE opening_id = $1")
        .bind(opening)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let mut stated: GrantStatement = statement::unverified(&note).unwrap();
    let from = world.clock.now();
    stated.window = Some(Window { from, until: from + TimeDelta::seconds(seconds) });
    let account = AccountId(world.country.person(handle).unwrap().account);
    let note = statement::sign(&stated, account, &keys).unwrap();
    let change = sqlx::query("UPDATE opening_cases SET note = $2 WHERE opening_id = $1").bind(opening).bind(note);
    change.execute(&mut owner).await.unwrap();
}

async fn reads(who: &Actor, path: &str, purpose: &str) -> u16 {
    who.get(path, purpose).await.unwrap().status
}

async fn alerts(who: &Actor, about: Uuid) -> Vec<String> {
    let seen = who.get("/api/v1/alerts?limit=100", "").await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    let about = seen.body["items"].as_array().unwrap().iter().filter(|alert| alert["about"] == json!(about));
    about.map(|alert| alert["what"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_custodians_let_somebody_see_what_was_asked_for_and_everybody_concerned_is_told() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("duty2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    assert_eq!(reads(&helper, &narrative, "emergency").await, 404);
    let opening = invoke(&world, &helper, played.case, &["narrative"], 2).await;
    assert_eq!(reads(&helper, &narrative, "emergency").await, 404, "asking opens nothing");

    // Nobody alone, nobody twice, nobody for themselves, and nobody who keeps nothing.
    let (first, second) = (world.signed_in("ssupervisor1").await, world.signed_in("duty1").await);
    for stranger in ["officer1", "hsupervisor1", "auditor1", "manager1"] {
        let stranger = world.signed_in(stranger).await;
        for what in ["agree", "open", "decline"] {
            let refused = step(&stranger, opening, what).await;
            assert_eq!(refused.status, 404, "{} {what}: {}", stranger.handle, refused.text);
        }
    }
    assert_eq!(step(&helper, opening, "agree").await.status, 404);
    let other =
        first.post(&format!("/api/v1/openings/{opening}/agree"), &json!({ "fingerprint": "00" })).await.unwrap();
    assert_eq!((other.status, other.body["errors"][0]["field"].as_str()), (422, Some("fingerprint")), "{}", other.text);
    let early = step(&second, opening, "open").await;
    assert_eq!((early.status, early.code()), (409, "illegal_transition"), "{}", early.text);
    let agreed = step(&first, opening, "agree").await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    assert_eq!(reads(&helper, &narrative, "emergency").await, 404, "one custodian opens nothing");
    for what in ["agree", "open"] {
        let again = step(&first, opening, what).await;
        assert_eq!(again.status, 409, "{}", again.text);
    }
    let opened = step(&second, opening, "open").await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    assert_eq!(opened.body["rest_on_older"], json!(0), "{}", opened.text);

    // What was asked for, for that purpose, to read: nothing else, by nobody else.
    let seen = helper.get(&narrative, "emergency").await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert_eq!(reads(&helper, &narrative, "case_work").await, 404);
    for section in ["legal", "investigation"] {
        assert_eq!(reads(&helper, &format!("{case}/sections/{section}"), "emergency").await, 404, "{section}");
    }
    let identity = format!("{case}/persons/{}/sections/identity", played.person);
    assert_eq!(reads(&helper, &identity, "emergency").await, 404);
    let noted = helper.post(&format!("{case}/notes"), &json!({ "text": "mine" })).await.unwrap();
    assert_eq!(noted.status, 404, "{}", noted.text);
    let given = json!({ "account": helper.account, "relation": "assigned", "reason": "workload" });
    assert_eq!(helper.post(&format!("{case}/access"), &given).await.unwrap().status, 404);
    for custodian in [&first, &second] {
        assert_eq!(reads(custodian, &narrative, "emergency").await, 404, "{}", custodian.handle);
    }
    // The team works on meanwhile, and neither ends the other.
    let officer = world.signed_in("officer1").await;
    assert_eq!(officer.post(&format!("{case}/notes"), &json!({ "text": "ours" })).await.unwrap().status, 201);
    assert_eq!(reads(&helper, &narrative, "emergency").await, 200);
    let overview = helper.get(&case, "emergency").await.unwrap();
    let readable = |section: &&Value| section["readable"] == json!(true);
    let open: Vec<&Value> = overview.body["sections"].as_array().unwrap().iter().filter(readable).collect();
    assert_eq!(open.iter().map(|one| &one["kind"]).collect::<Vec<_>>(), [&json!("narrative")], "{}", overview.text);
    let team = officer.get(&case, "case_work").await.unwrap();
    let seen = team.body["access"].as_array().unwrap().iter().find(|one| one["account"] == json!(helper.account));
    assert_eq!(seen.unwrap()["relation"], json!("emergency"), "{}", team.text);

    for who in ["officer1", "ssupervisor1", "auditor1"] {
        assert_eq!(alerts(&world.signed_in(who).await, opening).await, ["custody_opened"], "{who}");
    }
    for who in ["officer2", "hsupervisor1"] {
        assert!(alerts(&world.signed_in(who).await, opening).await.is_empty(), "{who}");
    }
    // A supervisor ends it at once.
    let supervisor = world.signed_in("ssupervisor2").await;
    let off = supervisor.delete(&format!("{case}/access/{}", helper.account)).await.unwrap();
    assert_eq!(off.status, 200, "{}", off.text);
    assert_eq!(reads(&helper, &narrative, "emergency").await, 404);
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_ends_by_itself_and_the_keys_are_made_anew() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("duty2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    assert_eq!(step(&world.signed_in("ssupervisor1").await, opening, "agree").await.status, 200);
    // The first custodian signs for fifteen seconds. For more than was asked for, the second does not countersign.
    for (seconds, status) in [(3 * 3600, 500), (15, 200)] {
        sign_for(&world, "ssupervisor1", opening, seconds).await;
        let opened = step(&world.signed_in("ssupervisor2").await, opening, "open").await;
        assert_eq!(opened.status, status, "{}", opened.text);
    }
    let (epoch, wraps) = keys_of(&world, played.case, helper.account).await;
    assert!(wraps > 0);
    assert_eq!(reads(&helper, &narrative, "emergency").await, 200);
    let over = async {
        while helper.get(&narrative, "emergency").await.unwrap().status == 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), over).await.expect("it ends by itself");
    assert_eq!(reads(&helper, &narrative, "emergency").await, 404);
    assert_eq!(reads(&helper, &case, "emergency").await, 404);
    let officer = world.signed_in("officer1").await;
    assert_eq!(reads(&officer, &case, "case_work").await, 200);
    let noted = officer.post(&format!("{case}/notes"), &json!({ "text": "after it" })).await.unwrap();
    assert_eq!(noted.status, 201, "{}", noted.text);
    assert_eq!(keys_of(&world, played.case, helper.account).await, (epoch + 1, 0));
    assert_eq!(reads(&officer, &narrative, "case_work").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_reviews_an_emergency_or_there_is_an_alert() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("duty2").await;
    let reviewed = invoke(&world, &helper, played.case, &["identity"], 1).await;
    opened_by(&world, reviewed, "ssupervisor1", "duty1").await;
    let forgotten = invoke(&world, &helper, played.case, &["identity"], 1).await;
    opened_by(&world, forgotten, "duty1", "ssupervisor1").await;
    let verdict = json!({ "verdict": "justified" });
    let review = async |who: &str, opening: Uuid| {
        let who = world.signed_in(who).await;
        who.post(&format!("/api/v1/openings/{opening}/review"), &verdict).await.unwrap()
    };
    let own = review("ssupervisor1", reviewed).await;
    assert_eq!((own.status, own.code()), (409, "your_own"), "{}", own.text);
    for stranger in ["duty2", "duty1", "officer1", "hsupervisor1", "admin1"] {
        assert_eq!(review(stranger, reviewed).await.status, 404, "{stranger}");
    }
    let early = review("ssupervisor2", reviewed).await;
    assert_eq!((early.status, early.code()), (409, "still_open"), "{}", early.text);
    world.clock.advance(TimeDelta::minutes(61));
    for who in ["ssupervisor2", "auditor1"] {
        world.signed_in(who).await.refresh().await.unwrap();
    }
    let done = review("ssupervisor2", reviewed).await;
    assert_eq!((done.status, done.text_of("state")), (200, "reviewed"), "{}", done.text);
    assert_eq!(review("auditor1", reviewed).await.status, 409, "once");

    let look = async |hours| {
        world.clock.advance(TimeDelta::hours(hours));
        world.app.databases.timekeeper.look(&world.clock).await.unwrap().unwrap()
    };
    look(70).await;
    let auditor = world.country.person("auditor2").unwrap().elsewhere();
    world.clock.advance(TimeDelta::hours(-70));
    auditor.sign_in().await.unwrap();
    let unreviewed = |alerts: Vec<String>| alerts.iter().filter(|what| *what == "emergency_unreviewed").count();
    assert_eq!(unreviewed(alerts(&auditor, forgotten).await), 0);
    look(73).await;
    assert_eq!(look(1).await, 0, "each once");
    world.clock.advance(TimeDelta::hours(-74));
    assert_eq!(unreviewed(alerts(&auditor, forgotten).await), 1);
    assert_eq!(unreviewed(alerts(&auditor, reviewed).await), 0);
    let supervisor = world.signed_in("ssupervisor2").await;
    assert_eq!(unreviewed(alerts(&supervisor, forgotten).await), 1);
    assert_eq!(review("auditor1", forgotten).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_on_which_nobody_is_left_is_entrusted_by_two_and_no_other() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (supervisor, heir) = (world.signed_in("ssupervisor1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let entrust = async |case: Uuid| {
        let body = json!({ "account": heir.account, "cases": [case] });
        supervisor.post("/api/v1/entrustings", &body).await.unwrap()
    };
    let foreign = entrust(himaya::platform::random::uuid()).await;
    assert_eq!((foreign.status, foreign.body["errors"][0]["field"].as_str()), (422, Some("cases")), "{}", foreign.text);
    let early = entrust(played.case).await.id("id");
    assert_eq!(step(&world.signed_in("ssupervisor2").await, early, "agree").await.status, 200);
    let early = step(&supervisor, early, "open").await;
    assert_eq!((early.status, early.code()), (409, "somebody_is_left"), "{}", early.text);

    // Everybody on the case leaves the service.
    let admin = world.signed_in("admin1").await;
    let seen = supervisor.get(&case, "supervision").await.unwrap();
    let team: Vec<Value> = seen.body["access"].as_array().unwrap().clone();
    assert!(!team.is_empty());
    for one in &team {
        let account = one["account"].as_str().unwrap();
        assert_eq!(admin.post(&format!("/api/v1/accounts/{account}/disable"), &json!({})).await.unwrap().status, 200);
    }
    let opening = entrust(played.case).await.id("id");
    opened_by(&world, opening, "ssupervisor2", "ssupervisor1").await;
    let narrative = format!("{case}/sections/narrative");
    assert_eq!(reads(&heir, &narrative, "case_work").await, 200);
    let noted = heir.post(&format!("{case}/notes"), &json!({ "text": "taken over" })).await.unwrap();
    assert_eq!(noted.status, 201, "{}", noted.text);
    // The keys that those who left had are worth nothing.
    for one in &team {
        let account: Uuid = one["account"].as_str().unwrap().parse().unwrap();
        assert_eq!(keys_of(&world, played.case, account).await.1, 0);
    }
    for custodian in ["ssupervisor1", "ssupervisor2"] {
        assert_eq!(reads(&world.signed_in(custodian).await, &narrative, "case_work").await, 404, "{custodian}");
    }
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_open_at_once_one_does_and_an_opening_that_lapsed_or_was_declined_opens_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("officer2").await;
    let [one, two, three] =
        [world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await, world.signed_in("duty1").await];
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    // At once on two replicas, the first custodian too.
    let (_app, serving, base) = world.replica().await;
    let (two_there, three_there) = (two.at(&base), three.at(&base));
    let (a, b) = tokio::join!(step(&one, opening, "agree"), step(&two_there, opening, "agree"));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", a.text, b.text);
    let other = if a.status == 200 { &two } else { &one };
    let (a, b) = tokio::join!(step(other, opening, "open"), step(&three_there, opening, "open"));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", a.text, b.text);
    serving.stop().await.unwrap();

    let declined = invoke(&world, &helper, played.case, &["legal"], 1).await;
    assert_eq!(step(&one, declined, "agree").await.status, 200);
    for other in [&two, &three] {
        let not_theirs = step(other, declined, "decline").await;
        assert_eq!((not_theirs.status, not_theirs.code()), (409, "not_yours"), "{}", not_theirs.text);
    }
    assert_eq!(step(&one, declined, "decline").await.status, 200);
    let taken_back = invoke(&world, &helper, played.case, &["legal"], 1).await;
    assert_eq!(step(&helper, taken_back, "decline").await.status, 200);
    assert_eq!(step(&one, taken_back, "agree").await.status, 409);
    let parts = "SELECT count(*) FROM opening_parts";
    let left: i64 = sqlx::query_scalar(parts).fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(left, 0, "what the first left is gone");
    let late = step(&three, declined, "open").await;
    assert_eq!((late.status, late.code()), (409, "illegal_transition"), "{}", late.text);

    // Two openings at once: the second to be opened would bring back the key that the first has ended.
    let (first, second) = (
        invoke(&world, &helper, played.case, &["legal"], 1).await,
        invoke(&world, &helper, played.case, &["investigation"], 1).await,
    );
    for opening in [first, second] {
        assert_eq!(step(&one, opening, "agree").await.status, 200);
    }
    assert_eq!(step(&two, first, "open").await.status, 200);
    let overtaken = step(&two, second, "open").await;
    assert_eq!((overtaken.status, overtaken.code()), (409, "custody_moved_on"), "{}", overtaken.text);

    let lapsed = invoke(&world, &helper, played.case, &["legal"], 1).await;
    assert_eq!(step(&one, lapsed, "agree").await.status, 200);
    world.clock.advance(TimeDelta::minutes(61));
    for who in [&one, &two] {
        who.refresh().await.unwrap();
    }
    let late = step(&two, lapsed, "open").await;
    assert_eq!((late.status, late.code()), (409, "lapsed"), "{}", late.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("officer2").await;
    let number = number_of(&world, played.case).await;
    let wanted = |field: &str, value: Value| {
        let mut wanted =
            json!({ "case_number": number, "reason": "danger_to_life", "sections": ["narrative"], "hours": 1 });
        wanted[field] = value;
        wanted
    };
    for (field, value) in [
        ("case_number", json!(number + 1000)),
        ("case_number", json!(0)),
        ("sections", json!([])),
        ("sections", json!(["care"])),
        ("sections", json!(["call"])),
        ("hours", json!(5)),
        ("hours", json!(0)),
        ("reason", json!("curious")),
    ] {
        let refused = helper.post("/api/v1/emergencies", &wanted(field, value.clone())).await.unwrap();
        assert_eq!(refused.status, 422, "{field} {value}: {}", refused.text);
        assert!(refused.text.contains(field), "{field} {value}: {}", refused.text);
    }
    for stranger in ["operator1", "auditor1", "ssupervisor1", "worker1", "coordinator1", "admin1"] {
        let stranger = world.signed_in(stranger).await;
        let refused = stranger.post("/api/v1/emergencies", &wanted("hours", json!(1))).await.unwrap();
        assert_eq!(refused.status, 403, "{}: {}", stranger.handle, refused.text);
    }
    let given = json!({ "account": helper.account, "relation": "emergency", "reason": "workload" });
    let officer = world.signed_in("officer1").await;
    let given = officer.post(&format!("/api/v1/cases/{}/access", played.case), &given).await.unwrap();
    assert_eq!((given.status, given.body["errors"][0]["field"].as_str()), (422, Some("relation")), "{}", given.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_on_that_was_interrupted_is_finished_by_a_renewal() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let helper = world.signed_in("officer2").await;
    let mut owner = world.owner().await;
    let moves = "FUNCTION move_custody_wraps(uuid, uuid, uuid, uuid[], integer[], bytea[])";
    let sql = async |text: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut world.owner().await).await.unwrap();
    };
    sql(format!("REVOKE EXECUTE ON {moves} FROM himaya_app")).await;
    let opening = invoke(&world, &helper, played.case, &["narrative"], 1).await;
    let opened = opened_by(&world, opening, "ssupervisor1", "ssupervisor2").await;
    assert_eq!(opened.body["rest_on_older"], json!(-1), "{}", opened.text);
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(reads(&helper, &narrative, "emergency").await, 200, "what it was for is done");
    sql(format!("GRANT EXECUTE ON {moves} TO himaya_app")).await;
    let squad = world.country.organisations["squad"];
    let keeper = world.signed_in("duty1").await;
    let custody = format!("/api/v1/organisations/{squad}/custody");
    let before = keeper.get(&custody, "").await.unwrap();
    assert!(before.body["rest_on_older"].as_i64().unwrap() > 0, "{}", before.text);
    let renewal = keeper.post(&format!("{custody}/renewals"), &json!({})).await.unwrap();
    assert_eq!(renewal.status, 201, "{}", renewal.text);
    let opened = opened_by(&world, renewal.id("id"), "duty1", "ssupervisor1").await;
    assert_eq!(opened.body["rest_on_older"], json!(0), "{}", opened.text);
    let after = keeper.get(&custody, "").await.unwrap();
    assert_eq!((&after.body["rest_on_older"], &after.body["number"]), (&json!(0), &json!(2)), "{}", after.text);
    // Nothing is left of the keys before: neither wraps nor shares.
    let keys: Vec<Uuid> = sqlx::query("SELECT DISTINCT key_id FROM custody_shares s JOIN shared_keys k ON k.id = s.key_id WHERE k.organisation_id = $1")
        .bind(squad)
        .fetch_all(&mut owner)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(keys, [after.id("key")]);
}
