//! Who is kept off a case is a stranger to it on every route, and nobody brings them back by whatever way.

use crate::absence::{hand_over, keys_of};
use crate::attachments::attached;
use crate::harness::World;
use crate::shelter::Placing;
use crate::story::whole_ledger;
use crate::tasks::task_on;
use crate::two_persons::take_off;
use himaya::audit::verify::verify;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn recuse(actor: &Actor, case: &str) -> Reply {
    actor.post(&format!("{case}/recuse"), &json!({ "reason": "threatened" })).await.unwrap()
}

async fn bar(supervisor: &Actor, case: &str, account: Uuid) -> Reply {
    let body = json!({ "account": account, "reason": "conflict_of_interest" });
    supervisor.post(&format!("{case}/bars"), &body).await.unwrap()
}

async fn give(officer: &Actor, case: &str, account: Uuid, relation: &str) -> Reply {
    let body = json!({ "account": account, "relation": relation, "reason": "workload" });
    officer.post(&format!("{case}/access"), &body).await.unwrap()
}

/// The alerts about something that somebody has.
async fn alerted(world: &World, handle: &str, about: Uuid) -> Vec<String> {
    let seen = world.signed_in(handle).await.get("/api/v1/alerts?limit=100", "").await.unwrap();
    let items = seen.body["items"].as_array().cloned().unwrap_or_default();
    let mut levels: Vec<String> = items
        .iter()
        .filter(|alert| alert["about"] == json!(about))
        .map(|alert| alert["level"].as_str().unwrap().to_owned())
        .collect();
    levels.sort_unstable();
    levels
}

async fn reads(actor: &Actor, path: &str) -> u16 {
    actor.get(path, "case_work").await.unwrap().status
}

/// What the verifier finds.
pub async fn findings(world: &World) -> Vec<String> {
    let keys = world.app.log_keys().unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    report.findings.iter().map(ToString::to_string).collect()
}

/// Everything that hangs on the case, by the beginning of the routes that name it.
pub struct Hanging {
    pub of: Vec<(&'static str, String)>,
    person: String,
    attachment: String,
}

impl Hanging {
    pub async fn on(placing: &Placing, task: Uuid, alert: String) -> Self {
        let played = &placing.played;
        let section = format!("{}/sections/narrative", placing.case());
        let placement = placing.placed("consented").await.replace("/api/v1/placements/", "");
        let squad = placing.world.country.organisations["squad"];
        let yes = himaya::demo::stay::said(squad, "case_work", "care", "given");
        let worker = placing.world.signed_in("worker1").await;
        let consents = format!("/api/v1/placements/{placement}/consents");
        let consent = worker.post(&consents, &yes).await.unwrap();
        assert_eq!(consent.status, 201, "{}", consent.text);
        let of = vec![
            ("/api/v1/cases/", played.case.to_string()),
            ("/api/v1/placements/", placement),
            ("/api/v1/notices/", played.notice.to_string()),
            ("/api/v1/slips/", played.notice.to_string()),
            ("/api/v1/tasks/", task.to_string()),
            ("/api/v1/alerts/", alert),
            ("/api/v1/consents/", consent.id("id").to_string()),
        ];
        let attachment = attached(&placing.officer, &section, "x", b"x").await.to_string();
        Self { of, person: played.person.to_string(), attachment }
    }

    /// Every route that names something of the case, and every list in which it could stand.
    pub fn routes(&self, about: Uuid) -> Vec<(Method, String)> {
        let mut routes = Vec::new();
        for (method, path) in crate::matrix::routes() {
            let record = self.of.iter().find(|(beginning, _)| path.starts_with(beginning));
            let list =
                ["cases", "tasks", "alerts", "placements", "notices"].iter().any(|of| path == format!("/api/v1/{of}"));
            let Some((_, record)) = record.or(list.then_some(&self.of[0])) else { continue };
            let concrete = path.replace("{id}", record).replace("{person}", &self.person);
            let concrete = concrete.replace("{attachment}", &self.attachment).replace("{account}", &about.to_string());
            let concrete = ["{bar}", "{removal}", "{erasure}", "{hold}", "{lift}"]
                .iter()
                .fold(concrete, |path, id| path.replace(id, record));
            for kind in ["narrative", "investigation", "legal", "identity", "contact_and_safety"] {
                routes.push((method.clone(), concrete.replace("{kind}", kind)));
                if !path.contains("{kind}") {
                    break;
                }
            }
        }
        routes
    }
}

/// What somebody is answered, without what differs in every answer.
pub async fn answer(actor: &Actor, method: &Method, path: &str, purpose: &str) -> (u16, Value) {
    let mut request = actor.request(method.clone(), path).await.header("purpose", purpose);
    if *method != Method::GET && *method != Method::DELETE {
        request = request.header("idempotency-key", "bars-bars-bars").json(&json!({ "no_such_field": 1 }));
    }
    let reply = actor.send(request).await.unwrap();
    let mut body = reply.body;
    body["request_id"] = json!("");
    (reply.status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kept_off_a_case_is_answered_like_a_stranger_on_every_route() {
    let placing = Placing::new().await;
    let (world, case) = (&placing.world, placing.case());
    let (officer, stranger) = (&placing.officer, world.signed_in("officer2").await);
    let task = task_on(world, officer, placing.played.case, officer.account, -1).await;
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let alerts = officer.get("/api/v1/alerts", "").await.unwrap();
    let alert = alerts.body["items"][0]["id"].as_str().unwrap().to_owned();
    let hanging = Hanging::on(&placing, task, alert).await;
    let routes = hanging.routes(officer.account);
    assert!(routes.len() > 60, "{} routes", routes.len());
    let through =
        async |method: &Method, path: &str| ![403, 404].contains(&answer(officer, method, path, "case_work").await.0);
    let mut before = 0;
    for (method, path) in routes.iter().filter(|(method, _)| *method == Method::GET) {
        before += usize::from(through(method, path).await);
    }
    assert!(before > 15, "of {} routes {before} show something", routes.len());
    let recused = recuse(officer, &case).await;
    assert_eq!(recused.status, 200, "{}", recused.text);
    for (method, path) in &routes {
        for purpose in ["case_work", "care", "supervision", "intake"] {
            let (theirs, others) =
                (answer(officer, method, path, purpose).await, answer(&stranger, method, path, purpose).await);
            assert_eq!(theirs, others, "{method} {path}");
        }
    }
    // Their own work was the case's: it is in the hands of who stays.
    let duty = world.signed_in("duty1").await;
    assert_eq!(reads(&duty, &case).await, 200);
    assert_eq!(keys_of(world, placing.played.case, officer.account).await.1, 0);
    let left = "SELECT count(*) FROM wraps w JOIN sealed s ON s.key_id = w.key_id
                WHERE s.kind IN ('placement', 'arrival', 'care') AND w.recipient_account = $1";
    let left: i64 = sqlx::query_scalar(left).bind(officer.account).fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(left, 0, "nor a key of what hangs on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_with_a_conflict_of_interest_is_a_stranger_too() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let (officer, case) = (world.signed_in("officer1").await, format!("/api/v1/cases/{}", played.case));
    let task = task_on(&world, &officer, played.case, officer.account, -1).await;
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let seen = async |actor: &Actor| {
        let mut seen = String::new();
        for path in ["/api/v1/cases", "/api/v1/alerts", "/api/v1/notices", "/api/v1/workload", &case] {
            seen.push_str(&actor.get(path, "supervision").await.unwrap().text);
        }
        [played.case, task].iter().filter(|id| seen.contains(&id.to_string())).count()
    };
    assert_eq!((seen(&one).await, seen(&other).await), (2, 2));
    assert_eq!(recuse(&one, &case).await.status, 200);
    assert_eq!((seen(&one).await, seen(&other).await), (0, 2));
    let bars = format!("{case}/bars");
    let listed = other.get(&bars, "supervision").await.unwrap();
    let (id, by) = (&listed.body["items"][0]["id"], &listed.body["items"][0]["by"]);
    assert_eq!(by, &json!(one.account), "{}", listed.text);
    let lift = format!("{bars}/{}/lift", id.as_str().unwrap());
    for refused in [
        one.post(&lift, &json!({})).await,
        one.get(&bars, "supervision").await,
        one.delete(&format!("{case}/access/{}", officer.account)).await,
    ] {
        assert_eq!(refused.unwrap().status, 404, "nobody lifts their own");
    }
    assert_eq!(bar(&one, &case, officer.account).await.status, 404);
    // An absence that they end would leave the case open which they do not see.
    let stand_in = world.signed_in("officer2").await;
    let end = format!("/api/v1/absences/{}/end", hand_over(&world, &officer, &stand_in, 0, 3600).await.id("id"));
    assert_eq!(one.post(&end, &json!({})).await.unwrap().code(), "barred");
    assert_eq!(reads(&stand_in, &case).await, 200);
    assert_eq!(other.post(&end, &json!({})).await.unwrap().body["cases"], 1);
    assert_eq!(reads(&stand_in, &case).await, 404);
    assert_eq!(other.post(&lift, &json!({})).await.unwrap().status, 200);
    assert_eq!(seen(&one).await, 2);
    // Kept off by the other: the auditors are told, and they are not.
    let made = bar(&other, &case, one.account).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let another = bar(&other, &case, stand_in.account).await;
    for made in [made.id("id"), another.id("id")] {
        for (handle, told) in [("ssupervisor1", 0), ("ssupervisor2", 1), ("auditor1", 1)] {
            assert_eq!(alerted(&world, handle, made).await.len(), told, "{handle}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_puts_a_barred_colleague_on_the_case_by_whatever_way() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let (barred, case) = (world.signed_in("officer2").await, format!("/api/v1/cases/{}", played.case));
    // An instruction waits when they are barred.
    let instruction = json!({ "account": barred.account, "relation": "assigned" });
    let instructions = format!("{case}/assignments");
    assert_eq!(supervisor.post(&instructions, &instruction).await.unwrap().status, 201);
    let made = bar(&supervisor, &case, barred.account).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(bar(&supervisor, &case, barred.account).await.code(), "barred");
    // The other supervisors and the auditors are told; nobody else is, and not whom it concerns.
    for (handle, told) in [("ssupervisor2", 1), ("auditor1", 1), ("officer2", 0), ("officer1", 0), ("hsupervisor1", 0)]
    {
        assert_eq!(alerted(&world, handle, made.id("id")).await.len(), told, "{handle}");
    }
    assert_eq!((officer.sign_in().await.unwrap().status, reads(&officer, &case).await), (201, 200));
    assert_eq!(reads(&barred, &case).await, 404, "what waited is withdrawn");
    let put_back = "UPDATE assignments SET withdrawn_at = NULL";
    sqlx::query(put_back).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(reads(&officer, &case).await, 200);
    assert_eq!(reads(&barred, &case).await, 404, "and is not carried out where it was put back");
    let honest = "UPDATE assignments SET withdrawn_at = (SELECT made_at FROM bars)";
    sqlx::query(honest).execute(&mut world.owner().await).await.unwrap();
    // Assigned, granted, instructed, and as a stand-in.
    for refused in [
        give(&officer, &case, barred.account, "assigned").await,
        give(&officer, &case, barred.account, "granted").await,
        supervisor.post(&instructions, &instruction).await.unwrap(),
        hand_over(&world, &officer, &barred, 0, 3600).await,
    ] {
        assert_eq!((refused.status, refused.code()), (409, "barred"), "{}", refused.text);
        for tells in ["conflict_of_interest", "supervisor", &supervisor.account.to_string()] {
            assert!(!refused.text.contains(tells), "{}", refused.text);
        }
    }
    assert_eq!(reads(&barred, &case).await, 404);
    // Lifted, they are a colleague like others: without access, until somebody gives it.
    let lift = format!("{case}/bars/{}/lift", made.id("id"));
    for who in [&officer, &barred] {
        assert_eq!(who.post(&lift, &json!({})).await.unwrap().status, 404);
        assert_eq!(who.get(&format!("{case}/bars"), "supervision").await.unwrap().status, 404);
    }
    let lifted = supervisor.post(&lift, &json!({})).await.unwrap();
    assert_eq!((lifted.status, &lifted.body["lifted_by"]), (200, &json!(supervisor.account)), "{}", lifted.text);
    assert_eq!(supervisor.post(&lift, &json!({})).await.unwrap().code(), "illegal_transition");
    assert_eq!(alerted(&world, "auditor1", made.id("id")).await, ["begun", "ended"]);
    assert_eq!(reads(&barred, &case).await, 404);
    assert_eq!(give(&officer, &case, barred.account, "assigned").await.status, 201);
    assert_eq!(reads(&barred, &format!("{case}/sections/narrative")).await, 200);
    // Barred a second time, they leave again: who works on the case by two, and who only reads at once.
    assert_eq!(bar(&supervisor, &case, barred.account).await.code(), "two_persons");
    assert_eq!(reads(&barred, &case).await, 200);
    take_off(&supervisor, &officer, &case, barred.account).await;
    assert_eq!(give(&officer, &case, barred.account, "granted").await.status, 201);
    assert_eq!(bar(&supervisor, &case, barred.account).await.status, 201);
    assert_eq!(reads(&barred, &case).await, 404);
    assert_eq!(reads(&officer, &case).await, 200);
    let all = supervisor.get(&format!("{case}/bars"), "supervision").await.unwrap();
    assert_eq!(all.body["items"].as_array().unwrap().len(), 2, "{}", all.text);
    world.stop().await;
    let found = findings(&world).await;
    assert!(found.iter().all(|finding| finding.contains("assignment")), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barred_duty_officer_accepts_no_notice_into_the_case() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (duty, supervisor) = (world.signed_in("duty1").await, world.signed_in("ssupervisor1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let notice = crate::alerts::waiting_notice(&world).await;
    let accept = format!("/api/v1/notices/{notice}/accept");
    assert_eq!(duty.post(&format!("/api/v1/notices/{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    take_off(&supervisor, &world.signed_in("officer1").await, &case, duty.account).await;
    assert_eq!(bar(&supervisor, &case, duty.account).await.status, 201);
    let into = duty.post(&accept, &json!({ "case": played.case })).await.unwrap();
    assert_eq!((into.status, &into.body["errors"][0]["field"]), (422, &json!("case")), "{}", into.text);
    let own = duty.post(&accept, &json!({})).await.unwrap();
    assert_eq!(own.status, 201, "their work goes on elsewhere: {}", own.text);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recusal_ends_access_at_once_with_the_keys_and_with_who_stands_in() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (stand_in, supervisor) = (world.signed_in("officer2").await, world.signed_in("ssupervisor1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    assert_eq!(hand_over(&world, &officer, &stand_in, 0, 3600).await.status, 201);
    assert_eq!(reads(&stand_in, &case).await, 200);
    let (before, keys) = keys_of(&world, played.case, officer.account).await;
    assert!(keys > 0);
    let wrong = officer.post(&format!("{case}/recuse"), &json!({ "reason": "tired of it" })).await.unwrap();
    assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("reason")), "{}", wrong.text);
    assert_eq!(recuse(&officer, &case).await.status, 200);
    assert_eq!(recuse(&officer, &case).await.status, 404, "as for a stranger");
    for gone in [&officer, &stand_in] {
        assert_eq!(reads(gone, &case).await, 404);
        assert_eq!(keys_of(&world, played.case, gone.account).await.1, 0);
    }
    let pending = supervisor.get(&case, "supervision").await.unwrap();
    assert_eq!(pending.body["epoch_pending"], true, "{}", pending.text);
    assert_eq!(reads(&duty, &case).await, 200);
    assert_eq!(keys_of(&world, played.case, duty.account).await.0, before + 1);
    // Who stood in is not barred; who is left alone stays.
    assert_eq!(give(&duty, &case, stand_in.account, "granted").await.status, 201);
    let last = recuse(&duty, &case).await;
    assert_eq!((last.status, last.code()), (409, "nobody_would_remain"), "{}", last.text);
    let last = bar(&supervisor, &case, duty.account).await;
    assert_eq!((last.status, last.code()), (409, "two_persons"), "{}", last.text);
    assert_eq!(reads(&duty, &case).await, 200);
    // Whoever only reads steps back too.
    assert_eq!(recuse(&stand_in, &case).await.status, 200);
    assert_eq!(reads(&stand_in, &case).await, 404);
    let nobody = bar(&supervisor, &case, world.country.person("operator1").unwrap().account).await;
    assert_eq!((nobody.status, nobody.body["errors"][0]["field"].as_str()), (422, Some("account")));
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_database_takes_no_bar_away_lifts_none_and_makes_none() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let (barred, case) = (world.signed_in("officer2").await, format!("/api/v1/cases/{}", played.case));
    assert_eq!(bar(&supervisor, &case, barred.account).await.status, 201);
    // Somebody opens the case: from here on its head lists the bar.
    assert_eq!(reads(&officer, &case).await, 200);
    let mut owner = world.owner().await;
    let keep = "CREATE TABLE kept_bars AS TABLE bars";
    sqlx::raw_sql(keep).execute(&mut owner).await.unwrap();
    let back = "DELETE FROM bars; INSERT INTO bars SELECT * FROM kept_bars";
    for (change, found) in [
        ("DELETE FROM bars", "A row was deleted"),
        ("UPDATE bars SET account_id = (SELECT id FROM accounts WHERE handle = 'duty2')", "was changed"),
        ("UPDATE bars SET lifted_at = now(), lift_note = note, lift_vouch = vouch", "was changed"),
        ("UPDATE bars SET vouch = sha256(note::bytea)", ""),
    ] {
        sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
        let given = give(&officer, &case, barred.account, "assigned").await;
        assert_eq!((given.status, given.code()), (500, "fault"), "{change}: {}", given.text);
        assert_eq!(reads(&barred, &case).await, 404);
        assert!(findings(&world).await.iter().any(|finding| finding.contains(found)) || found.is_empty(), "{change}");
        sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    }
    let again = give(&officer, &case, barred.account, "assigned").await;
    assert_eq!((again.status, again.code()), (409, "barred"), "{}", again.text);
    // One that nobody made: found, and nothing is written beside it.
    let planted = "INSERT INTO bars (id, case_id, account_id, note, vouch, made_at, registered_by, register_no)
                   SELECT gen_random_uuid(), case_id, (SELECT id FROM accounts WHERE handle = 'duty2'), note, vouch, made_at,
                          NULL, NULL FROM bars";
    sqlx::raw_sql(planted).execute(&mut owner).await.unwrap();
    let noted = officer.post(&format!("{case}/notes"), &json!({ "text": "on" })).await.unwrap();
    assert_eq!((noted.status, noted.code()), (500, "fault"), "{}", noted.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_the_owner_leaves_to_somebody_who_is_barred_counts_for_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let (case, duty) = (format!("/api/v1/cases/{}", played.case), world.signed_in("duty1").await);
    let mut owner = world.owner().await;
    let keep = "CREATE TABLE kept_access AS TABLE case_access; CREATE TABLE kept_wraps AS TABLE wraps";
    sqlx::raw_sql(keep).execute(&mut owner).await.unwrap();
    take_off(&supervisor, &world.signed_in("ssupervisor2").await, &case, duty.account).await;
    assert_eq!(bar(&supervisor, &case, duty.account).await.status, 201);
    let back = "UPDATE case_access a SET ended_at = k.ended_at, standing = k.standing FROM kept_access k WHERE k.grant_id = a.grant_id;
                INSERT INTO wraps SELECT * FROM kept_wraps ON CONFLICT DO NOTHING";
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    for path in [case.clone(), format!("{case}/sections/narrative"), format!("{case}/notes")] {
        assert_eq!(reads(&duty, &path).await, 404, "{path}");
    }
    assert_eq!(duty.post(&format!("{case}/notes"), &json!({ "text": "still here" })).await.unwrap().status, 404);
    assert!(duty.get("/api/v1/cases", "case_work").await.unwrap().body["items"].as_array().unwrap().is_empty());
    // The next who works on the case ends it once more, and wraps nothing to them.
    assert_eq!(reads(&officer, &case).await, 200);
    assert_eq!(keys_of(&world, played.case, duty.account).await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_injected_neither_lifts_a_bar_nor_puts_anybody_past_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let (barred, case) = (world.signed_in("officer2").await, format!("/api/v1/cases/{}", played.case));
    assert_eq!(bar(&supervisor, &case, barred.account).await.status, 201);
    let access = "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at)
                  SELECT gen_random_uuid(), $1, $2, 'assigned', '', now()";
    let lift = "UPDATE bars SET lifted_at = now(), lift_note = '', lift_vouch = sha256('') WHERE case_id = $1 AND $2 <> case_id";
    let plant = "INSERT INTO bars (id, case_id, account_id, note, vouch, made_at)
                 VALUES (gen_random_uuid(), $1, $2, '', sha256(''), now())";
    for actor in [&officer, &barred] {
        for statement in [access, lift, plant, "DELETE FROM bars WHERE case_id = $1 AND $2 <> case_id"] {
            let mut theirs = crate::walls::injected(&world, &actor.secrets().await.1).await;
            let done = sqlx::query(statement).bind(played.case).bind(barred.account).execute(&mut theirs).await;
            assert_eq!(done.map_or(0, |done| done.rows_affected()), 0, "{}: {statement}", actor.handle);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_barred_and_given_access_at_the_same_moment_has_none() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let (other, case) = (world.signed_in("ssupervisor2").await, format!("/api/v1/cases/{}", played.case));
    let barred = world.signed_in("officer2").await;
    for _ in 0..4 {
        let (given, made, again) = tokio::join!(
            give(&officer, &case, barred.account, "granted"),
            bar(&supervisor, &case, barred.account),
            bar(&other, &case, barred.account)
        );
        assert!(given.status == 201 || given.code() == "barred", "{}", given.text);
        let mut barring = [made.status, again.status];
        barring.sort_unstable();
        assert_eq!(barring, [201, 409], "barred once");
        assert_eq!(reads(&barred, &case).await, 404);
        let listed = supervisor.get(&format!("{case}/bars"), "supervision").await.unwrap();
        let items = listed.body["items"].as_array().unwrap();
        let open: Vec<&Value> = items.iter().filter(|bar| bar["lifted_at"].is_null()).collect();
        assert_eq!(open.len(), 1, "{}", listed.text);
        let lift = format!("{case}/bars/{}/lift", open[0]["id"].as_str().unwrap());
        let (one, two) = tokio::join!(supervisor.post(&lift, &Value::Null), other.post(&lift, &Value::Null));
        let mut lifting = [one.unwrap().status, two.unwrap().status];
        lifting.sort_unstable();
        assert_eq!(lifting, [200, 409], "lifted once");
        assert_eq!(reads(&officer, &case).await, 200);
    }
    world.stop().await;
    whole_ledger(&world).await;
}
