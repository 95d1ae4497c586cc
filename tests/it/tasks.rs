//! What is due: tasks of a case, call-backs, and the clocks that a person answers for.

use crate::harness::World;
use crate::story::whole_ledger;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use serde_json::{Value, json};
use uuid::Uuid;

/// What is due for somebody.
pub async fn due(actor: &Actor) -> Value {
    let reply = actor.get("/api/v1/tasks?due=today", "").await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body
}

/// The ids of one kind of thing in a list.
pub fn ids(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

/// A task on a case, due after so many hours.
pub async fn task_on(world: &World, maker: &Actor, case: Uuid, assignee: Uuid, hours: i64) -> Uuid {
    let due_at = world.clock.now() + TimeDelta::hours(hours);
    let task =
        json!({ "assignee": assignee, "kind": "visit", "due_at": due_at, "text": "Ask her sister in Sumqayit." });
    let made = maker.post(&format!("/api/v1/cases/{case}/tasks"), &task).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    made.id("id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_due_for_one_colleague_and_its_words_are_the_cases() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let outsider = world.signed_in("officer2").await;
    let soon = task_on(&world, &officer, played.case, duty.account, 3).await;
    let later = task_on(&world, &officer, played.case, duty.account, 72).await;
    let list = due(&duty).await;
    assert_eq!(ids(&list["tasks"], "id"), [soon.to_string()], "{list}");
    assert!(!list.to_string().contains("Sumqayit"), "a list says nothing of what is to be done: {list}");
    let any = duty.get("/api/v1/tasks?due=any", "").await.unwrap();
    assert_eq!(ids(&any.body["tasks"], "id"), [soon.to_string(), later.to_string()]);
    assert_eq!(ids(&due(&officer).await["tasks"], "id"), Vec::<String>::new(), "it is the colleague's");
    let wrong = duty.get("/api/v1/tasks?due=tomorrow", "").await.unwrap();
    assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("due")));

    let path = format!("/api/v1/tasks/{soon}");
    for reader in [&duty, &officer] {
        let read = reader.get(&path, "case_work").await.unwrap();
        assert_eq!(read.body["text"], "Ask her sister in Sumqayit.", "{}", read.text);
    }
    for handle in ["officer2", "duty2", "ssupervisor1", "operator1", "hsupervisor1", "coordinator1", "admin1"] {
        let stranger = world.signed_in(handle).await;
        for purpose in ["case_work", "supervision", "intake"] {
            assert_eq!(stranger.get(&path, purpose).await.unwrap().status, 404, "{handle} {purpose}");
        }
        let done = stranger.post(&format!("{path}/done"), &json!({})).await.unwrap();
        assert_eq!(done.status, 404, "{handle}");
    }
    let dump = world.dump();
    assert!(!dump.windows(8).any(|part| part == b"Sumqayit"), "the dump says what is to be done");

    // Whoever is not on the case could not read it.
    let on = json!({ "assignee": outsider.account });
    let refused = duty.post(&format!("{path}/hand-on"), &on).await.unwrap();
    assert_eq!((refused.status, refused.body["errors"][0]["field"].as_str()), (422, Some("assignee")));
    let on = json!({ "assignee": officer.account });
    assert_eq!(duty.post(&format!("{path}/hand-on"), &on).await.unwrap().status, 200);
    assert_eq!(ids(&due(&officer).await["tasks"], "id"), [soon.to_string()]);
    assert_eq!(officer.post(&format!("{path}/done"), &json!({})).await.unwrap().status, 200);
    let again = officer.post(&format!("{path}/done"), &json!({})).await.unwrap();
    assert_eq!((again.status, again.code()), (409, "illegal_transition"));
    assert_eq!(ids(&due(&officer).await["tasks"], "id"), Vec::<String>::new());
    // A new epoch seals the words of every task again.
    let given = json!({ "account": outsider.account, "relation": "granted", "reason": "expertise" });
    let case = format!("/api/v1/cases/{}", played.case);
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    crate::two_persons::take_off(&officer, &duty, &case, outsider.account).await;
    assert_eq!(duty.get(&path, "case_work").await.unwrap().body["text"], "Ask her sister in Sumqayit.");
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_back_is_sealed_to_who_is_to_do_it_and_the_call_is_not() {
    let mut world = World::new().await;
    let supervisor = world.signed_in("hsupervisor1").await;
    let (operator, colleague) = (world.signed_in("operator1").await, world.signed_in("operator2").await);
    let content = json!({ "content": {
        "safe_to_talk": "yes", "kind": "request_for_help", "said": "He listens at the door.",
        "call_back": { "wanted": "yes", "when": "after nine", "how": "ask for the bakery", "number": "+994 00 111" }
    } });
    let call = operator.post("/api/v1/calls", &content).await.unwrap().id("id");
    let path = format!("/api/v1/calls/{call}");
    let at = world.clock.now() + TimeDelta::hours(2);
    let wrong = json!({ "outcome": "closed", "call_back_at": at });
    let wrong = operator.post(&format!("{path}/close"), &wrong).await.unwrap();
    assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("call_back_at")));
    let end = json!({ "outcome": "callback_scheduled", "call_back_at": at });
    let closed = operator.post(&format!("{path}/close"), &end).await.unwrap();
    assert_eq!(closed.status, 200, "{}", closed.text);
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 404, "what was said is the supervisors'");
    let id = closed.id("task");
    let task = format!("/api/v1/tasks/{id}");
    assert_eq!(ids(&due(&operator).await["tasks"], "id"), [id.to_string()]);
    let read = operator.get(&task, "intake").await.unwrap();
    assert_eq!(read.body["call_back"]["number"], "+994 00 111", "{}", read.text);
    assert!(!read.text.contains("door"), "{}", read.text);
    assert_eq!(colleague.get(&task, "intake").await.unwrap().status, 404);
    assert_eq!(supervisor.get(&task, "supervision").await.unwrap().body["call_back"]["when"], "after nine");

    let to_a_supervisor = json!({ "assignee": supervisor.account });
    assert_eq!(operator.post(&format!("{task}/hand-on"), &to_a_supervisor).await.unwrap().status, 422);
    let on = json!({ "assignee": colleague.account });
    assert_eq!(operator.post(&format!("{task}/hand-on"), &on).await.unwrap().status, 200);
    assert_eq!(operator.get(&task, "intake").await.unwrap().status, 404);
    assert_eq!(wraps_of(&world, id, operator.account).await, 0, "no key is left to who handed it on");
    assert_eq!(colleague.get(&task, "intake").await.unwrap().body["call_back"]["how"], "ask for the bakery");
    // The supervisor hands it back: the colleague is ill.
    let back = json!({ "assignee": operator.account });
    assert_eq!(supervisor.post(&format!("{task}/hand-on"), &back).await.unwrap().status, 200);
    assert_eq!(colleague.get(&task, "intake").await.unwrap().status, 404);
    assert_eq!(operator.post(&format!("{task}/done"), &json!({})).await.unwrap().status, 200);
    assert_eq!(operator.get(&task, "intake").await.unwrap().status, 404, "done, and not read again");
    assert_eq!(supervisor.get(&task, "supervision").await.unwrap().status, 200);
    world.stop().await;
    whole_ledger(&world).await;
}

async fn wraps_of(world: &World, key: Uuid, account: Uuid) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM wraps WHERE key_id = $1 AND recipient_account = $2")
        .bind(key)
        .bind(account)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clocks_that_one_answers_for_stand_in_the_list() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let operator = world.signed_in("operator1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let how = json!({ "basis": "pseudonymous" });
    let notice = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &how).await.unwrap().id("id");
    let duty = world.signed_in("duty1").await;
    let list = due(&duty).await;
    assert_eq!(ids(&list["notices"], "id"), [notice.to_string()], "{list}");
    assert_eq!(list["notices"][0]["escalation"], "in_time");
    for handle in ["officer1", "operator1"] {
        assert_eq!(due(&world.signed_in(handle).await).await["notices"], json!([]), "{handle}");
    }
    // Access that a supervisor ended leaves an epoch to be made by who works on the case.
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    assert_eq!(due(&duty).await["pending_epochs"], json!([]));
    let (other, case) = (world.signed_in("ssupervisor2").await, format!("/api/v1/cases/{}", played.case));
    crate::two_persons::take_off(&supervisor, &other, &case, officer.account).await;
    assert_eq!(ids(&due(&duty).await["pending_epochs"], "case"), [played.case.to_string()]);
    assert_eq!(due(&officer).await["pending_epochs"], json!([]));
    let path = format!("/api/v1/cases/{}", played.case);
    assert_eq!(duty.get(&path, "case_work").await.unwrap().status, 200);
    assert_eq!(due(&duty).await["pending_epochs"], json!([]));
    // The clock runs, and stops when somebody has it.
    world.clock.advance(TimeDelta::hours(19));
    duty.sign_in().await.unwrap();
    assert_eq!(due(&duty).await["notices"][0]["escalation"], "three_quarters_gone");
    let path = format!("/api/v1/notices/{notice}/acknowledge");
    assert_eq!(duty.post(&path, &json!({})).await.unwrap().status, 200);
    assert_eq!(due(&duty).await["notices"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_holds_two_hundred_open_tasks_and_says_so() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let first = task_on(&world, &officer, played.case, officer.account, 3).await;
    sqlx::query(
        "INSERT INTO tasks (id, organisation_id, maker_id, assignee_id, case_id, kind, state, due_at, made_at, registered_by,
                            register_no)
         SELECT gen_random_uuid(), organisation_id, maker_id, assignee_id, case_id, kind, state, due_at, made_at, NULL, NULL
         FROM tasks, generate_series(2, 200) WHERE id = $1",
    )
    .bind(first)
    .execute(&mut world.owner().await)
    .await
    .unwrap();
    let body =
        json!({ "assignee": officer.account, "kind": "visit", "due_at": world.clock.now(), "text": "One more." });
    let tasks = format!("/api/v1/cases/{}/tasks", played.case);
    let refused = officer.post(&tasks, &body).await.unwrap();
    assert_eq!((refused.status, refused.code()), (409, "too_many_tasks"), "{}", refused.text);
    assert_eq!(officer.post(&format!("/api/v1/tasks/{first}/done"), &json!({})).await.unwrap().status, 200);
    let made = officer.post(&tasks, &body).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
}
