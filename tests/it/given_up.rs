//! Whole lives of cases whose clients go away at every await, step by step, and readers who do.

use crate::harness::World;
use crate::ledger::{comes_true, given_up, pool_is_sound};
use crate::story::whole_ledger;
use himaya::demo::actor::Actor;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// After how many polls the clients go away: one of them at once, and the last after the end of most requests. `cancelled.rs` waits longer.
const POLLS: std::ops::Range<usize> = 0..4;

/// How much of everything there is, in one snapshot.
type Counts = BTreeMap<String, i64>;

async fn counts(connection: &mut PgConnection) -> Counts {
    let all = "SELECT what || ' ' || state, number::bigint FROM (
            SELECT 'call' AS what, state, count(*) AS number FROM calls GROUP BY state
            UNION ALL SELECT 'notice', state, count(*) FROM notices GROUP BY state
            UNION ALL SELECT 'case', state, count(*) FROM cases GROUP BY state
            UNION ALL SELECT 'case', 'epochs', sum(epoch) FROM cases
            UNION ALL SELECT 'case', 'epochs that wait', count(*) FROM cases WHERE epoch_pending
            UNION ALL SELECT 'heads', '', sum(number) FROM case_heads
            UNION ALL SELECT 'sealed', kind, sum(version) FROM sealed GROUP BY kind
            UNION ALL SELECT 'sealed', 'epochs', sum(epoch) FROM sealed
            UNION ALL SELECT 'wraps', CASE WHEN recipient_key IS NULL THEN 'people' ELSE 'desks' END, count(*) FROM wraps GROUP BY 2
            UNION ALL SELECT 'access', relation || (ended_at IS NULL)::text, count(*) FROM case_access GROUP BY 2
            UNION ALL SELECT 'persons', '', count(*) FROM subjects
            UNION ALL SELECT 'sections', '', count(*) FROM sections
            UNION ALL SELECT 'notes', '', count(*) FROM case_notes
            UNION ALL SELECT 'addenda', '', count(*) FROM addenda
            UNION ALL SELECT 'removals', (confirmed_at IS NULL)::text, count(*) FROM proposals GROUP BY 2
            UNION ALL SELECT 'answers', '', count(*) FROM idempotency
            UNION ALL SELECT 'registers', '', sum(length) FROM registers
        ) counted WHERE number IS NOT NULL";
    let rows: Vec<(String, i64)> = sqlx::query_as(all).fetch_all(connection).await.unwrap();
    rows.into_iter().collect()
}

/// What has come since, and what has gone.
fn since(start: &Counts, now: &Counts) -> Counts {
    let of = |counts: &Counts, what: &String| counts.get(what).copied().unwrap_or_default();
    let what = start.keys().chain(now.keys());
    what.map(|what| (what.clone(), of(now, what) - of(start, what))).filter(|(_, change)| *change != 0).collect()
}

/// One life of a case: each step is a request that its client gives up after so many polls, or waits for.
struct Life<'a> {
    world: &'a World,
    owner: PgConnection,
    start: Counts,
    polls: Option<usize>,
    /// What had changed after each step, when everybody waited.
    expected: &'a [(&'static str, Counts)],
    lived: Vec<(&'static str, Counts)>,
}

impl Life<'_> {
    async fn now(&mut self) -> Counts {
        since(&self.start, &counts(&mut self.owner).await)
    }

    async fn newest(&mut self, query: &'static str) -> Uuid {
        sqlx::query_scalar(query).fetch_one(&mut self.owner).await.unwrap()
    }

    async fn wait(&mut self, what: &'static str, request: RequestBuilder) {
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!((200..300).contains(&status), "{what}: {status} {text}");
    }

    async fn step(&mut self, what: &'static str, request: RequestBuilder) {
        let Some(polls) = self.polls else {
            self.wait(what, request).await;
            let now = self.now().await;
            assert_ne!(
                self.lived.last().map(|(_, before)| before),
                Some(&now),
                "{what} changes nothing that is counted"
            );
            self.lived.push((what, now));
            return;
        };
        let step = self.lived.len();
        let before = step.checked_sub(1).map(|last| self.expected[last].1.clone()).unwrap_or_default();
        let (known, after) = self.expected[step].clone();
        assert_eq!(known, what);
        let again = request.try_clone().unwrap();
        given_up(self.world, request, polls).await;
        if polls == 0 {
            assert_eq!(self.now().await, before, "{what} was not begun");
            self.wait(what, again).await;
        }
        let mut last = Counts::new();
        let (start, owner) = (self.start.clone(), &mut self.owner);
        comes_true(what, async || {
            last = since(&start, &counts(owner).await);
            assert!(last == before || last == after, "{what} after {polls}: {:?}", since(&after, &last));
            last == after
        })
        .await;
        pool_is_sound(self.world).await;
        self.lived.push((what, last));
    }
}

async fn post(actor: &Actor, path: &str, body: &Value) -> RequestBuilder {
    let key = himaya::platform::random::uuid().to_string();
    actor.request(Method::POST, path).await.header("idempotency-key", key).json(body)
}

/// Replaces what stands at this path, as whoever has just read it.
async fn change(actor: &Actor, method: Method, path: &str, body: &Value) -> RequestBuilder {
    let purpose = if path.contains("/calls/") { "intake" } else { "case_work" };
    let read = actor.get(path, purpose).await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    let request = actor.request(method, path).await.json(body);
    match read.etag {
        Some(etag) => request.header("if-match", etag),
        None => request,
    }
}

const CALL: &str = "SELECT id FROM calls ORDER BY opened_at DESC LIMIT 1";
const NOTICE: &str = "SELECT id FROM notices ORDER BY number DESC LIMIT 1";
const CASE: &str = "SELECT id FROM cases ORDER BY number DESC LIMIT 1";
const REMOVAL: &str = "SELECT id FROM proposals WHERE confirmed_at IS NULL";

async fn call(life: &mut Life<'_>, operator: &Actor) -> String {
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "hello" } });
    life.step("open", post(operator, "/api/v1/calls", &crisis).await).await;
    format!("/api/v1/calls/{}", life.newest(CALL).await)
}

async fn notice(life: &mut Life<'_>, operator: &Actor, duty: &Actor) -> String {
    let call = call(life, operator).await;
    let more = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they are at the gate" } });
    life.step("save", change(operator, Method::PUT, &call, &more).await).await;
    life.step("hand over", post(operator, &format!("{call}/hand-over"), &json!({ "basis": "child" })).await).await;
    let notice = life.newest(NOTICE).await;
    let text = json!({ "text": "a white van" });
    life.step("add", post(operator, &format!("/api/v1/slips/{notice}/addenda"), &text).await).await;
    let notice = format!("/api/v1/notices/{notice}");
    life.step("acknowledge", post(duty, &format!("{notice}/acknowledge"), &json!({})).await).await;
    notice
}

/// From the call to the case that is in its follow-up; a call that is closed; a notice that is returned.
async fn live(life: &mut Life<'_>) {
    let world = life.world;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let closed = call(life, &operator).await;
    life.step("close", post(&operator, &format!("{closed}/close"), &json!({ "outcome": "closed" })).await).await;
    let back = notice(life, &operator, &duty).await;
    let why = json!({ "code": "known_already" });
    life.step("return", post(&duty, &format!("{back}/return"), &why).await).await;

    let notice = notice(life, &operator, &duty).await;
    let team = json!({ "officers": [officer.account] });
    life.step("accept", post(&duty, &format!("{notice}/accept"), &team).await).await;
    let case = format!("/api/v1/cases/{}", life.newest(CASE).await);
    life.step("add a person", post(&officer, &format!("{case}/persons"), &json!({ "category": "witness" })).await)
        .await;
    let told = json!({ "text": "Recruited as a waitress." });
    let narrative = format!("{case}/sections/narrative");
    life.step("write", change(&officer, Method::PUT, &narrative, &told).await).await;
    life.step("note", post(&officer, &format!("{case}/notes"), &json!({ "text": "Met her." })).await).await;
    let given = json!({ "account": colleague.account, "relation": "assigned", "reason": "workload" });
    life.step("give access", post(&officer, &format!("{case}/access"), &given).await).await;
    let off = json!({ "account": colleague.account });
    life.step("propose a removal", post(&officer, &format!("{case}/removals"), &off).await).await;
    let confirm = format!("{case}/removals/{}/confirm", life.newest(REMOVAL).await);
    life.step("confirm it", post(&duty, &confirm, &json!({})).await).await;
    life.step("go on", change(&officer, Method::PATCH, &case, &json!({ "state": "follow_up" })).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_the_story_that_is_given_up_is_done_wholly_or_not_at_all() {
    let mut world = World::new().await;
    // Nobody is told of it here, and everybody has a session before anything is counted.
    for handle in ["operator1", "duty1", "officer1", "officer2"] {
        world.signed_in(handle).await;
    }
    let mut expected = Vec::new();
    for polls in std::iter::once(None).chain(POLLS.map(Some)) {
        let mut owner = world.owner().await;
        let start = counts(&mut owner).await;
        let mut life = Life { world: &world, owner, start, polls, expected: &expected, lived: Vec::new() };
        live(&mut life).await;
        let lived = life.lived;
        if polls.is_none() {
            assert!(lived.len() >= 20, "{}", lived.len());
            expected = lived;
        }
    }
    pool_is_sound(&world).await;
    world.stop().await;
    whole_ledger(&world).await;
}

async fn entries(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_given_up_is_entered_like_any_other_and_leaves_nothing_behind() {
    let mut world = World::new().await;
    let played = himaya::demo::story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (operator, auditor) = (world.signed_in("operator1").await, world.signed_in("auditor1").await);
    let stranger = world.signed_in("officer2").await;
    let waits = crate::alerts::waiting_notice(&world).await;
    let mut owner = world.owner().await;
    let case = format!("/api/v1/cases/{}", played.case);
    for (who, path, purpose) in [
        (&officer, format!("{case}/sections/narrative"), "case_work"),
        (&officer, format!("{case}/persons/{}/sections/identity", played.person), "case_work"),
        (&officer, case.clone(), "case_work"),
        (&officer, format!("{case}/notes"), "case_work"),
        (&duty, format!("/api/v1/notices/{waits}"), "intake"),
        (&duty, "/api/v1/notices".to_owned(), "intake"),
        (&operator, format!("/api/v1/slips/{waits}"), "intake"),
        (&auditor, "/api/v1/ledger/entries".to_owned(), "audit"),
        // A refusal is entered too.
        (&stranger, format!("{case}/sections/narrative"), "case_work"),
    ] {
        let before = entries(&mut owner).await;
        let refused = who.handle == stranger.handle;
        assert_eq!(who.get(&path, purpose).await.unwrap().status, if refused { 404 } else { 200 }, "{path}");
        let each = entries(&mut owner).await - before;
        assert!(each > 0, "{path} makes no entry");
        for polls in POLLS {
            let before = entries(&mut owner).await;
            let request = who.request(Method::GET, &path).await.header("purpose", purpose);
            given_up(&world, request, polls).await;
            pool_is_sound(&world).await;
            let more = if polls == 0 { 0 } else { each };
            comes_true(&path, async || {
                let now = entries(&mut owner).await;
                assert!(now <= before + more, "{path} after {polls}");
                now == before + more
            })
            .await;
        }
    }
    pool_is_sound(&world).await;
    world.stop().await;
    whole_ledger(&world).await;
}
