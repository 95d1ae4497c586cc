//! Secure accommodation: placements, the address, care and consent, by the law's rules (plan, section 6; R13, R18, R27 to
//! R33).

use crate::harness::World;
use chrono::TimeDelta;
use himaya::audit::verify::verify;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::stay::{CONDITIONS, asked, open_house, said};
use himaya::demo::story::Played;
use himaya::demo::{stay, story};
use himaya::guard::session::SessionSecret;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

/// A country with a case, an open house, and the person's consent that the shelter is told.
pub struct Placing {
    pub world: World,
    pub played: Played,
    pub officer: Actor,
    pub manager: Actor,
    pub worker: Actor,
}

impl Placing {
    pub async fn new() -> Self {
        let world = World::new().await;
        let mut played = story::play(&world.country).await.unwrap();
        played.house = open_house(&world.country).await.unwrap();
        let (officer, manager) = (world.signed_in("officer1").await, world.signed_in("manager1").await);
        let worker = world.signed_in("worker1").await;
        let placing = Self { world, played, officer, manager, worker };
        assert_eq!(placing.says("accommodation", "care", "placement", "given").await.status, 201);
        placing
    }

    pub fn case(&self) -> String {
        format!("/api/v1/cases/{}", self.played.case)
    }

    /// The person says something to the officer.
    pub async fn says(&self, to: &str, purpose: &str, section: &str, what: &str) -> Reply {
        let recipient = self.world.country.organisations[to];
        let path = format!("{}/persons/{}/consents", self.case(), self.played.person);
        self.officer.post(&path, &said(recipient, purpose, section, what)).await.unwrap()
    }

    pub async fn ask(&self) -> Reply {
        self.officer.post(&format!("{}/placements", self.case()), &asked(&self.played)).await.unwrap()
    }

    /// A placement in a state of the way to admission.
    pub async fn placed(&self, until: &str) -> String {
        let asked = self.ask().await;
        assert_eq!(asked.status, 201, "{}", asked.text);
        let placement = format!("/api/v1/placements/{}", asked.id("id"));
        let named = json!({ "workers": [self.worker.account] });
        let agreed = json!({ "source": "person", "explained": "You may leave.", "language": "az" });
        let steps: [(&str, &Actor, &str, Value); 5] = [
            ("acknowledged", &self.worker, "acknowledge", json!({})),
            ("matched", &self.manager, "accept", named),
            ("consented", &self.officer, "consent", agreed),
            ("transported", &self.officer, "transport", json!({})),
            ("admitted", &self.worker, "admit", json!({})),
        ];
        for (state, who, step, body) in steps {
            if until == "requested" {
                break;
            }
            let done = who.post(&format!("{placement}/{step}"), &body).await.unwrap();
            assert_eq!((done.status, done.text_of("state")), (200, state), "{}", done.text);
            if state == until {
                break;
            }
        }
        placement
    }

    pub async fn sql(&self, statement: String) {
        let mut owner = self.world.owner().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
    }
}

/// The version with which somebody of the shelter reads a placement.
pub async fn etag(who: &Actor, placement: &str) -> String {
    let read = who.get(placement, "care").await.unwrap();
    read.etag.unwrap_or_else(|| panic!("{}", read.text))
}

pub async fn status(who: &Actor, path: &str, purpose: &str) -> u16 {
    who.get(path, purpose).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_placed_is_cared_for_and_leaves() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    assert!(!played.placement.is_nil());
    let keys = world.app.log_keys().unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(report.ok(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_leaves_from_every_state_and_nobody_approves_it() {
    let placing = Placing::new().await;
    for state in ["requested", "acknowledged", "matched", "consented", "transported", "admitted"] {
        let placement = placing.placed(state).await;
        // Whoever is told of it first: the carer, in odd ones the officer.
        let who = if state.len() % 2 == 0 { &placing.worker } else { &placing.officer };
        let left = who.post(&format!("{placement}/exit"), &json!({})).await.unwrap();
        assert_eq!((left.status, left.text_of("state")), (200, "exited_by_person"), "{state}: {}", left.text);
        let again = placing.officer.post(&format!("{placement}/exit"), &json!({})).await.unwrap();
        assert_eq!((again.status, again.code()), (409, "illegal_transition"));
        // The desk holds nothing of a request that is over, and the address is gone.
        assert_eq!(status(&placing.officer, &format!("{placement}/arrival"), "case_work").await, 404);
        if matches!(state, "requested" | "acknowledged") {
            assert_eq!(status(&placing.worker, &placement, "care").await, 404);
        }
    }
    let mut owner = placing.world.owner().await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sealed WHERE kind = 'arrival'").fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_is_written_down_by_a_worker_whose_training_ran_out_and_nothing_else_is() {
    let placing = Placing::new().await;
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "plan": "x" })).await.unwrap().status, 200);
    placing.sql("UPDATE trainings SET expires_at = now() - interval '1 minute'".to_owned()).await;
    for (who, path) in [(&placing.worker, &placement), (&placing.worker, &care), (&placing.manager, &placement)] {
        assert_eq!(status(who, path, "care").await, 404, "{path}");
    }
    assert_eq!(placing.worker.put(&care, "\"1\"", &json!({ "plan": "y" })).await.unwrap().status, 404);
    let left = placing.worker.post(&format!("{placement}/exit"), &json!({})).await.unwrap();
    assert_eq!(left.status, 200, "{}", left.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_placed_where_a_condition_is_missing_or_expired() {
    let placing = Placing::new().await;
    let now = placing.world.clock.now();
    let certify = async |conditions: &[&str], days: i64| {
        let body = json!({ "conditions": conditions, "expires_at": now + TimeDelta::days(days) });
        let path = format!("/api/v1/accommodations/{}/certificates", placing.played.house);
        placing.manager.post(&path, &body).await.unwrap()
    };
    for missing in CONDITIONS {
        let met: Vec<&str> = CONDITIONS.into_iter().filter(|condition| *condition != missing).collect();
        assert_eq!(certify(&met, 100).await.status, 201);
        let refused = placing.ask().await;
        assert_eq!((refused.status, refused.code()), (409, "accommodation_unfit"), "{missing}");
        assert!(refused.text.contains(missing), "{}", refused.text);
    }
    assert_eq!(certify(&CONDITIONS, 100).await.status, 201);
    let placement = placing.placed("acknowledged").await;
    // It expires between the request and the acceptance.
    placing.sql("UPDATE certificates SET expires_at = now()".to_owned()).await;
    let named = json!({ "workers": [placing.worker.account] });
    let refused = placing.manager.post(&format!("{placement}/accept"), &named).await.unwrap();
    assert_eq!((refused.status, refused.code()), (409, "accommodation_unfit"), "{}", refused.text);
    assert_eq!(placing.ask().await.code(), "accommodation_unfit");
    assert_eq!(certify(&CONDITIONS, -1).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_training_is_not_named_and_a_full_house_takes_nobody() {
    let placing = Placing::new().await;
    let other = placing.world.signed_in("worker2").await;
    let placement = placing.placed("acknowledged").await;
    let lapse = format!("UPDATE trainings SET expires_at = now() WHERE account_id = '{}'", other.account);
    placing.sql(lapse).await;
    let accept = format!("{placement}/accept");
    for (named, field) in [(other.account, "workers[0]"), (placing.officer.account, "workers[0]")] {
        let refused = placing.manager.post(&accept, &json!({ "workers": [named] })).await.unwrap();
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.text.contains(field), "{}", refused.text);
    }
    placing.sql("UPDATE accommodations SET women = 1".to_owned()).await;
    let second = placing.placed("acknowledged").await;
    let named = json!({ "workers": [placing.worker.account] });
    assert_eq!(placing.manager.post(&accept, &named).await.unwrap().status, 200);
    let full = placing.manager.post(&format!("{second}/accept"), &named).await.unwrap();
    assert_eq!((full.status, full.code()), (409, "no_free_place"), "{}", full.text);
    assert_eq!(placing.ask().await.code(), "no_free_place");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_named_any_more_opens_neither_placement_nor_care() {
    let placing = Placing::new().await;
    let other = placing.world.signed_in("worker2").await;
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "medical": "x" })).await.unwrap().status, 200);
    let both = json!({ "workers": [placing.worker.account, other.account] });
    let workers = format!("{placement}/workers");
    assert_eq!(
        placing.manager.put(&workers, &etag(&placing.manager, &placement).await, &both).await.unwrap().status,
        200
    );
    assert_eq!(status(&other, &placement, "care").await, 200);
    // The care comes to the new carer with the next writing of somebody who holds it.
    assert_eq!(status(&other, &care, "care").await, 404);
    assert_eq!(placing.worker.put(&care, "\"1\"", &json!({ "medical": "y" })).await.unwrap().status, 200);
    assert_eq!(status(&other, &care, "care").await, 200);
    let one = json!({ "workers": [other.account] });
    assert_eq!(
        placing.manager.put(&workers, &etag(&placing.manager, &placement).await, &one).await.unwrap().status,
        200
    );
    for path in [&placement, &care] {
        assert_eq!(status(&placing.worker, path, "care").await, 404, "{path}");
    }
    assert_eq!(status(&other, &care, "care").await, 200);
    let mut owner = placing.world.owner().await;
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM wraps w JOIN placements p ON w.key_id IN (p.id, p.care_id) WHERE w.recipient_account = $1",
    )
    .bind(placing.worker.account)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(held, 0, "no wrap is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_wins_over_every_consent_and_every_basis() {
    let placing = Placing::new().await;
    let refused = placing.says("accommodation", "care", "placement", "refused").await;
    assert_eq!(refused.status, 201, "{}", refused.text);
    for basis in ["consent", "child", "vital_interest"] {
        let mut wanted = asked(&placing.played);
        wanted["basis"] = json!(basis);
        wanted["needs"]["age"] = json!("9-17");
        let told = placing.officer.post(&format!("{}/placements", placing.case()), &wanted).await.unwrap();
        assert_eq!((told.status, told.code()), (409, "sharing_refused"), "{basis}");
    }
    // Said later, it does not outweigh the refusal; taken back, the refusal is gone.
    assert_eq!(placing.says("accommodation", "care", "placement", "given").await.status, 201);
    assert_eq!(placing.ask().await.code(), "sharing_refused");
    let back = format!("/api/v1/consents/{}/withdraw", refused.id("id"));
    assert_eq!(placing.officer.post(&back, &json!({})).await.unwrap().status, 200);
    assert_eq!(placing.ask().await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_by_consent_ends_with_it_and_with_its_term() {
    let placing = Placing::new().await;
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "medical": "x" })).await.unwrap().status, 200);
    let squad = placing.world.country.organisations["squad"];
    let consents = format!("{placement}/consents");
    let share = format!("{care}/share");
    let asking = placing.worker.post(&consents, &said(squad, "case_work", "care", "asked")).await.unwrap();
    assert_eq!(asking.text_of("state"), "asked", "{}", asking.text);
    assert_eq!(placing.worker.post(&share, &json!({})).await.unwrap().code(), "no_consent");
    let answer = format!("/api/v1/consents/{}/answer", asking.id("id"));
    let yes = json!({ "said": "given", "source": "guardian" });
    assert_eq!(placing.worker.post(&answer, &yes).await.unwrap().text_of("state"), "given");
    assert_eq!(placing.worker.post(&answer, &yes).await.unwrap().code(), "illegal_transition");
    assert_eq!(placing.worker.post(&share, &json!({})).await.unwrap().status, 200);
    assert_eq!(status(&placing.officer, &care, "case_work").await, 200);
    // Officers read it, and never write it.
    assert_eq!(placing.officer.put(&care, "\"2\"", &json!({})).await.unwrap().status, 404);
    // Another refusal, on the case and not on the placement, wins at once.
    let no = placing.says("squad", "case_work", "care", "refused").await;
    assert_eq!(status(&placing.officer, &care, "case_work").await, 404);
    let mut owner = placing.world.owner().await;
    let wraps = "SELECT count(*) FROM wraps w JOIN placements p ON w.key_id = p.care_id WHERE w.recipient_account = $1";
    let held: i64 = sqlx::query_scalar(wraps).bind(placing.officer.account).fetch_one(&mut owner).await.unwrap();
    assert_eq!(held, 0, "the key is gone with the consent");
    let back = format!("/api/v1/consents/{}/withdraw", no.id("id"));
    assert_eq!(placing.officer.post(&back, &json!({})).await.unwrap().status, 200);
    assert_eq!(placing.worker.post(&share, &json!({})).await.unwrap().status, 200);
    assert_eq!(status(&placing.officer, &care, "case_work").await, 200);
    placing.sql("UPDATE consents SET expires_at = now() WHERE section = 'care'".to_owned()).await;
    assert_eq!(status(&placing.officer, &care, "case_work").await, 404);
    let listed = placing.worker.get(&consents, "care").await.unwrap();
    assert_eq!(listed.body["items"][0]["state"], "expired", "{}", listed.text);
    assert_eq!(listed.body["items"][0]["source"], "guardian", "{}", listed.text);
    assert_eq!(
        listed.body["items"].as_array().unwrap().len(),
        1,
        "what is said on the case is not told to the shelter"
    );
    let on_case = format!("{}/persons/{}/consents", placing.case(), placing.played.person);
    let listed = placing.officer.get(&on_case, "case_work").await.unwrap();
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 2, "{}", listed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_for_the_manager_and_the_officers_of_a_current_placement() {
    let placing = Placing::new().await;
    let address = format!("/api/v1/accommodations/{}/address", placing.played.house);
    assert_eq!(status(&placing.manager, &address, "care").await, 200);
    for handle in ["worker1", "officer1", "duty1", "ssupervisor1", "coordinator1", "admin1", "auditor1", "operator1"] {
        let person = placing.world.signed_in(handle).await;
        assert_eq!(status(&person, &address, "case_work").await, 404, "{handle}");
    }
    let placement = placing.placed("matched").await;
    let arrival = format!("{placement}/arrival");
    assert!(placing.officer.get(&arrival, "case_work").await.unwrap().text.contains("Plane Tree"));
    let colleague = placing.world.signed_in("officer2").await;
    for person in [&colleague, &placing.worker, &placing.manager] {
        assert_eq!(status(person, &arrival, "case_work").await, 404);
    }
    // A colleague who comes to the case comes to its placement; who leaves it leaves both.
    let access = format!("{}/access", placing.case());
    let given = json!({ "account": colleague.account, "relation": "assigned", "reason": "absence" });
    assert_eq!(placing.officer.post(&access, &given).await.unwrap().status, 201);
    assert_eq!(status(&colleague, &arrival, "case_work").await, 200);
    assert_eq!(status(&colleague, &placement, "case_work").await, 200);
    assert_eq!(status(&placing.worker, &placement, "care").await, 200);
    let duty = placing.world.signed_in("duty1").await;
    crate::two_persons::take_off(&placing.officer, &duty, &placing.case(), colleague.account).await;
    for path in [&arrival, &placement] {
        assert_eq!(status(&colleague, path, "case_work").await, 404, "{path}");
    }
    let mut owner = placing.world.owner().await;
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM wraps w JOIN placements p ON w.key_id IN (p.id, p.address_id) WHERE w.recipient_account = $1",
    )
    .bind(colleague.account)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(held, 0);
    // It stands in no list, in no other answer, in no dump.
    for (who, path, purpose) in [
        (&placing.officer, "/api/v1/accommodations".to_owned(), "case_work"),
        (&placing.officer, "/api/v1/placements".to_owned(), "case_work"),
        (&placing.officer, placement.clone(), "case_work"),
        (&placing.worker, placement.clone(), "care"),
    ] {
        let answer = who.get(&path, purpose).await.unwrap();
        assert!(answer.status == 200 && !answer.text.contains("Plane Tree"), "{path} {}", answer.text);
    }
    let dump = placing.world.dump();
    assert!(!dump.windows(10).any(|window| window == b"Plane Tree"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shelter_learns_what_care_needs_and_nothing_of_the_case() {
    let placing = Placing::new().await;
    let placement = placing.placed("admitted").await;
    let read = placing.worker.get(&placement, "care").await.unwrap();
    assert_eq!(read.body["needs"]["called"], "Leyla");
    assert!(read.body.get("case").is_none() && !read.text.contains(&placing.played.case.to_string()), "{}", read.text);
    for refused in ["sections/narrative", "sections/investigation", "sections/legal", "notes"] {
        let path = format!("{}/{refused}", placing.case());
        assert_eq!(status(&placing.worker, &path, "care").await, 404, "{refused}");
    }
    // A field that would carry more is refused by name.
    let mut wanted = asked(&placing.played);
    wanted["needs"]["narrative"] = json!("what happened");
    let told = placing.officer.post(&format!("{}/placements", placing.case()), &wanted).await.unwrap();
    assert_eq!(told.status, 422);
    assert!(told.text.contains("narrative"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_request_leaves_nothing_at_the_desk_and_an_open_one_passes_on_with_the_epoch() {
    let placing = Placing::new().await;
    let placement = placing.placed("requested").await;
    let other = placing.placed("requested").await;
    let decline = json!({ "code": "cannot_meet_needs" });
    assert_eq!(placing.manager.post(&format!("{placement}/decline"), &decline).await.unwrap().status, 200);
    assert_eq!(status(&placing.manager, &placement, "care").await, 404);
    let seen = placing.officer.get(&placement, "case_work").await.unwrap();
    assert_eq!(seen.body["decline_code"], "cannot_meet_needs", "{}", seen.text);
    // Half a day later another epoch is in force; the request is sealed to that one.
    let epoch = async || -> Uuid {
        let mut owner = placing.world.owner().await;
        let query = "SELECT intake_key_id FROM placements WHERE state = 'requested'";
        sqlx::query_scalar(query).fetch_one(&mut owner).await.unwrap()
    };
    let before = epoch().await;
    placing.world.clock.advance(TimeDelta::hours(13));
    let worker = placing.world.country.person("worker2").unwrap();
    worker.sign_in().await.unwrap();
    assert_eq!(status(worker, "/api/v1/placements", "care").await, 200);
    assert_ne!(epoch().await, before);
    assert_eq!(status(worker, &other, "care").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn illegal_steps_are_refused_by_name_and_training_is_entered_by_others() {
    let placing = Placing::new().await;
    let placement = placing.placed("requested").await;
    for (who, step, body) in [
        (&placing.officer, "transport", json!({})),
        (&placing.officer, "transfer", json!({})),
        (&placing.officer, "exit", json!({ "planned": true })),
        (&placing.manager, "accept", json!({ "workers": [placing.worker.account] })),
    ] {
        let refused = who.post(&format!("{placement}/{step}"), &body).await.unwrap();
        assert_eq!((refused.status, refused.code()), (409, "illegal_transition"), "{step} {}", refused.text);
        assert!(refused.text.contains("requested"), "{}", refused.text);
    }
    let now = placing.world.clock.now();
    let training = |account: Uuid| {
        json!({ "account": account, "course": "care_for_victims", "passed_at": now - TimeDelta::days(1),
                "expires_at": now + TimeDelta::days(9) })
    };
    let own = placing.manager.post("/api/v1/trainings", &training(placing.manager.account)).await.unwrap();
    assert_eq!(own.status, 422, "{}", own.text);
    let other = placing.world.signed_in("worker2").await;
    let refused = other.post("/api/v1/trainings", &training(placing.worker.account)).await.unwrap();
    assert_eq!(refused.status, 404, "no responsible person");
    let foreign = placing.manager.post("/api/v1/trainings", &training(placing.officer.account)).await.unwrap();
    assert_eq!(foreign.status, 422, "{}", foreign.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_sees_no_placement_or_consent_of_others() {
    let placing = Placing::new().await;
    placing.placed("admitted").await;
    let mut connection = placing.world.app.databases.app.acquire().await.unwrap();
    // The control: its own worker sees the placement, and not what was said on the case.
    let people =
        [("worker1", 1), ("officer1", 1), ("worker2", 0), ("officer2", 0), ("operator1", 0), ("coordinator1", 0)];
    for (handle, placements) in people {
        let person = placing.world.signed_in(handle).await;
        let (_, secret, _) = person.secrets().await;
        let lookup = SessionSecret::parse(&secret).unwrap().lookup().hex();
        let mut transaction = connection.begin().await.unwrap();
        let set = "SELECT set_config('himaya.lookup', $1, true)";
        sqlx::query(set).bind(lookup.as_str()).execute(&mut *transaction).await.unwrap();
        for (table, expected) in [("placements", placements), ("consents", i64::from(handle == "officer1"))] {
            let query = format!("SELECT count(*) FROM {table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(seen, expected, "{handle} {table}");
        }
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_see_it_does_not_say_yes_in_the_persons_place() {
    let placing = Placing::new().await;
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "medical": "x" })).await.unwrap().status, 200);
    let squad = placing.world.country.organisations["squad"];
    let consents = format!("{placement}/consents");
    // The officers, on the case and on the placement.
    let own = placing.says("squad", "case_work", "care", "given").await;
    assert_eq!((own.status, own.code()), (409, "own_favour"), "{}", own.text);
    let own = placing.officer.post(&consents, &said(squad, "case_work", "care", "given")).await.unwrap();
    assert_eq!(own.code(), "own_favour", "{}", own.text);
    // Nor do they answer what a carer asked, or take back a refusal that a carer recorded.
    let asking = placing.worker.post(&consents, &said(squad, "case_work", "care", "asked")).await.unwrap().id("id");
    let answer = format!("/api/v1/consents/{asking}/answer");
    let yes = json!({ "said": "given", "source": "person" });
    assert_eq!(placing.officer.post(&answer, &yes).await.unwrap().code(), "own_favour");
    let no = placing.worker.post(&consents, &said(squad, "case_work", "care", "refused")).await.unwrap().id("id");
    let back = format!("/api/v1/consents/{no}/withdraw");
    assert_eq!(placing.officer.post(&back, &json!({})).await.unwrap().status, 404);
    assert_eq!(placing.worker.post(&back, &json!({})).await.unwrap().status, 200);
    assert_eq!(placing.worker.post(&answer, &yes).await.unwrap().status, 200);
    // An ordinary writing shares nothing that was not shared.
    let saved = placing.worker.put(&care, "\"1\"", &json!({ "medical": "y" })).await.unwrap();
    assert_eq!(saved.body["shared"], false, "{}", saved.text);
    assert_eq!(status(&placing.officer, &care, "case_work").await, 404);
    assert_eq!(placing.worker.post(&format!("{care}/share"), &json!({})).await.unwrap().body["shared"], true);
    assert_eq!(placing.worker.put(&care, "\"3\"", &json!({ "medical": "z" })).await.unwrap().body["shared"], true);
    assert_eq!(status(&placing.officer, &care, "case_work").await, 200);
    // Whoever holds the database does not either: the row has no code of the service's.
    placing.sql("UPDATE consents SET state = 'given' WHERE state = 'withdrawn'".to_owned()).await;
    let forged = placing.worker.post(&format!("{care}/share"), &json!({})).await.unwrap();
    assert_eq!((forged.status, forged.code()), (500, "fault"), "{}", forged.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_or_a_consent_taken_back_ends_a_request_that_is_under_way() {
    for state in ["requested", "acknowledged", "matched", "consented", "transported"] {
        let placing = Placing::new().await;
        let placement = placing.placed(state).await;
        if state == "matched" {
            assert_eq!(placing.says("accommodation", "care", "placement", "refused").await.status, 201);
        } else {
            let listed = format!("{}/persons/{}/consents", placing.case(), placing.played.person);
            let given = placing.officer.get(&listed, "case_work").await.unwrap();
            let id = given.body["items"][0]["id"].as_str().unwrap();
            let back = placing.officer.post(&format!("/api/v1/consents/{id}/withdraw"), &json!({})).await.unwrap();
            assert_eq!(back.status, 200, "{}", back.text);
        }
        let seen = placing.officer.get(&placement, "case_work").await.unwrap();
        assert_eq!(seen.body["state"], "withdrawn", "{state} {}", seen.text);
        for who in [&placing.worker, &placing.manager] {
            assert_eq!(status(who, &placement, "care").await, 404, "{state}");
        }
        assert_eq!(status(&placing.officer, &format!("{placement}/arrival"), "case_work").await, 404);
        assert_eq!(placing.worker.put(&format!("{placement}/care"), "\"0\"", &json!({})).await.unwrap().status, 404);
        let mut owner = placing.world.owner().await;
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM wraps w JOIN placements p ON p.id = w.key_id
             LEFT JOIN accounts a ON a.id = w.recipient_account LEFT JOIN shared_keys k ON k.id = w.recipient_key
             WHERE COALESCE(a.organisation_id, k.organisation_id) = p.shelter_id",
        )
        .fetch_one(&mut owner)
        .await
        .unwrap();
        assert_eq!(left, 0, "{state}: nothing is wrapped to the shelter, its custodians included");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_carers_is_replaced_as_it_was_read_or_not_at_all() {
    let placing = Placing::new().await;
    let other = placing.world.signed_in("worker2").await;
    let placement = placing.placed("admitted").await;
    let workers = format!("{placement}/workers");
    let (first, both) = (placing.worker.account, json!({ "workers": [placing.worker.account, other.account] }));
    let read = etag(&placing.manager, &placement).await;
    let bare = placing.manager.request(Method::PUT, &workers).await.json(&both);
    let bare = placing.manager.send(bare).await.unwrap();
    assert_eq!((bare.status, bare.code()), (428, "if_match_needed"), "{}", bare.text);
    let done = placing.manager.put(&workers, &read, &both).await.unwrap();
    assert_eq!(done.status, 200, "{}", done.text);
    // Who still sees the list as it was would take the second carer off again without knowing of them.
    let one = json!({ "workers": [first] });
    let stale = placing.manager.put(&workers, &read, &one).await.unwrap();
    assert_eq!((stale.status, stale.code()), (412, "changed_meanwhile"), "{}", stale.text);
    assert_eq!(status(&other, &placement, "care").await, 200);
    assert_eq!(done.etag, Some(etag(&placing.manager, &placement).await));
    // A worker names nobody, whatever version they read.
    let refused = placing.worker.put(&workers, &read, &one).await.unwrap();
    assert_eq!((refused.status, refused.code()), (404, "not_found"), "{}", refused.text);
    assert_eq!(placing.manager.put(&workers, &done.etag.unwrap(), &one).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn care_is_the_carers_own_and_is_never_left_without_one() {
    let placing = Placing::new().await;
    let other = placing.world.signed_in("worker2").await;
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    // Who named the carers is none by that, and begins no record.
    assert_eq!(placing.manager.put(&care, "\"0\"", &json!({ "plan": "x" })).await.unwrap().status, 404);
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "plan": "x" })).await.unwrap().status, 200);
    let workers = format!("{placement}/workers");
    let only_other = json!({ "workers": [other.account] });
    let lost = placing.manager.put(&workers, &etag(&placing.manager, &placement).await, &only_other).await.unwrap();
    assert_eq!((lost.status, lost.code()), (409, "care_would_be_lost"), "{}", lost.text);
    assert_eq!(status(&placing.worker, &care, "care").await, 200);
    // A manager who was a carer too is none any more.
    let both = json!({ "workers": [placing.worker.account, placing.manager.account] });
    assert_eq!(
        placing.manager.put(&workers, &etag(&placing.manager, &placement).await, &both).await.unwrap().status,
        200
    );
    assert_eq!(placing.worker.put(&care, "\"1\"", &json!({ "plan": "y" })).await.unwrap().status, 200);
    assert_eq!(status(&placing.manager, &care, "care").await, 200);
    let one = json!({ "workers": [placing.worker.account] });
    assert_eq!(
        placing.manager.put(&workers, &etag(&placing.manager, &placement).await, &one).await.unwrap().status,
        200
    );
    assert_eq!(status(&placing.manager, &care, "care").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_who_left_is_not_sealed_to_again_and_one_who_comes_back_is() {
    let placing = Placing::new().await;
    let colleague = placing.world.signed_in("officer2").await;
    let placement = placing.placed("acknowledged").await;
    let access = format!("{}/access", placing.case());
    let given = json!({ "account": colleague.account, "relation": "assigned", "reason": "absence" });
    let duty = placing.world.signed_in("duty1").await;
    for _ in 0..2 {
        assert_eq!(placing.officer.post(&access, &given).await.unwrap().status, 201);
        assert_eq!(status(&colleague, &placement, "case_work").await, 200);
        crate::two_persons::take_off(&placing.officer, &duty, &placing.case(), colleague.account).await;
        assert_eq!(status(&colleague, &placement, "case_work").await, 404);
    }
    // Whoever holds the database puts a wrap back: the next sealing passes it over.
    let planted = format!(
        "INSERT INTO wraps (key_id, epoch, recipient_account, wrap)
         SELECT key_id, epoch, '{}', wrap FROM wraps WHERE recipient_account = '{}'
         AND key_id = (SELECT id FROM placements WHERE state = 'acknowledged')",
        colleague.account, placing.officer.account
    );
    placing.sql(planted).await;
    let named = json!({ "workers": [placing.worker.account] });
    assert_eq!(placing.manager.post(&format!("{placement}/accept"), &named).await.unwrap().status, 200);
    let mut owner = placing.world.owner().await;
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM wraps w JOIN placements p ON w.key_id IN (p.id, p.address_id) WHERE w.recipient_account = $1",
    )
    .bind(colleague.account)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(held, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_in_the_database_carries_no_content_on() {
    let placing = Placing::new().await;
    let (one, other) = (placing.placed("admitted").await, placing.placed("admitted").await);
    for placement in [&one, &other] {
        let care = format!("{placement}/care");
        assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "plan": "x" })).await.unwrap().status, 200);
    }
    let ids: Vec<&str> = [&one, &other].into_iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    placing
        .sql(format!(
            "CREATE TABLE kept AS SELECT id, care_id FROM placements; UPDATE placements SET care_id = NULL;
             UPDATE placements p SET care_id = k.care_id FROM kept k
             WHERE (p.id, k.id) IN (('{0}', '{1}'), ('{1}', '{0}'))",
            ids[0], ids[1]
        ))
        .await;
    let care = format!("{one}/care");
    for reply in [
        placing.worker.get(&care, "care").await.unwrap(),
        placing.worker.put(&care, "\"1\"", &json!({ "plan": "y" })).await.unwrap(),
    ] {
        assert_eq!((reply.status, reply.code()), (500, "fault"), "{}", reply.text);
    }
    let etag = etag(&placing.manager, &one).await;
    placing.sql("UPDATE placements SET shelter_id = squad_id".to_owned()).await;
    let workers = json!({ "workers": [placing.worker.account] });
    let moved = placing.manager.put(&format!("{one}/workers"), &etag, &workers).await.unwrap();
    assert_eq!(moved.status, 404, "{}", moved.text);
}
