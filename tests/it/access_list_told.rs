//! What a list lacks is said in it, and what was counted is not changed on the way.

use crate::access_list::{asks, expected, hers, list, paper, times, word};
use crate::fail_closed::all_placed;
use crate::harness::World;
use crate::own_entries::{audits, reads};
use crate::searching::placed;
use crate::shelter::Placing;
use himaya::demo::story;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

fn gaps(list: &Value) -> Vec<String> {
    let gaps = list["gaps"].as_array().unwrap().iter().map(|gap| word(&gap["gap"]));
    gaps.filter(|gap| gap != "today").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_from_it_is_said_in_plain_words() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (auditor, case) = (world.signed_in("auditor1").await, played.case);
    reads(&world.signed_in("officer1").await, case).await;
    placed(&world).await;
    let mut owner = world.owner().await;
    let whole = list(&auditor, case, "en").await;
    assert_eq!(gaps(&whole), Vec::<String>::new());
    // A part of the record is put under no case, by whoever owns the database: its readers stay in the list.
    sqlx::raw_sql(
        "CREATE TABLE kept AS TABLE sections; SET session_replication_role = replica;
         UPDATE sealed SET case_id = NULL WHERE kind = 'narrative'; DELETE FROM sections WHERE kind = 'narrative'",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let hidden = list(&auditor, case, "en").await;
    assert_eq!(gaps(&hidden), ["lost"]);
    assert_eq!(times(&hidden, &["looked", "refused"]), times(&whole, &["looked", "refused"]));
    sqlx::raw_sql("INSERT INTO sections TABLE kept ON CONFLICT DO NOTHING").execute(&mut owner).await.unwrap();
    // So is an entry that was destroyed, and one that this auditor holds no key to.
    sqlx::raw_sql("UPDATE ledger_entries SET detail = NULL WHERE (replica, lane, n) = (SELECT replica, lane, n FROM ledger_tree ORDER BY position DESC OFFSET 20 LIMIT 1)")
        .execute(&mut owner)
        .await
        .unwrap();
    let altered = list(&auditor, case, "en").await;
    assert_eq!(gaps(&altered), ["altered"]);
    assert!(altered.to_string().contains("One entry in our book was changed or destroyed"), "{altered:#}");
    sqlx::raw_sql("DELETE FROM shared_key_wraps").execute(&mut owner).await.unwrap();
    let unreadable = list(&auditor, case, "ru").await;
    assert_eq!(gaps(&unreadable), ["altered", "unreadable"]);
    assert!(unreadable["items"].as_array().unwrap().is_empty());
    let (status, _, pdf) = paper(&auditor, &json!({ "case": case, "language": "ru" })).await;
    let text = lopdf::Document::load_mem(&pdf).unwrap().extract_text(&[1]).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status == 200 && text.contains("Чего нет в этом списке") && text.contains("не может прочитать"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_of_the_database_takes_away_is_missed_and_does_not_pass_for_erased() {
    let world = World::new().await;
    let case = story::play(&world.country).await.unwrap().case;
    reads(&world.signed_in("officer1").await, case).await;
    placed(&world).await;
    let auditor = world.signed_in("auditor1").await;
    let mut owner = world.owner().await;
    all_placed(&mut owner).await;
    assert_eq!(gaps(&list(&auditor, case, "en").await), Vec::<String>::new());
    all_placed(&mut owner).await;
    // Nothing new comes behind what is taken away at the end.
    crate::outages::stall(&mut owner).await;
    let without = async |which: &'static str| {
        let mut owner = world.owner().await;
        let taken = format!(
            "SET session_replication_role = replica; CREATE TABLE taken AS SELECT * FROM ledger_tree WHERE {which};
             DELETE FROM ledger_tree WHERE {which}"
        );
        sqlx::raw_sql(AssertSqlSafe(taken)).execute(&mut owner).await.unwrap();
        let list = list(&auditor, case, "en").await;
        sqlx::raw_sql("INSERT INTO ledger_tree SELECT * FROM taken; DROP TABLE taken")
            .execute(&mut owner)
            .await
            .unwrap();
        list["gaps"].as_array().unwrap().iter().find(|gap| gap["gap"] == "altered").map(|gap| word(&gap["words"]))
    };
    let gone = async |which| without(which).await.unwrap_or_default();
    assert!(gone("position < 3").await.contains("3 entries in our book"), "the oldest");
    let newest = "position > (SELECT max(position) - 2 FROM ledger_tree)";
    assert!(gone(newest).await.contains("2 entries in our book"), "the newest");
    assert!(gone("true").await.contains("entries in our book"), "all of them");
    assert_eq!(without("false").await, None);
    // Also when the database knows of no newer checkpoint any more: one is kept outside of it.
    let older = "SET session_replication_role = replica; DELETE FROM ledger_checkpoints WHERE size > (SELECT max(position) - 4 FROM ledger_tree)";
    sqlx::raw_sql(older).execute(&mut owner).await.unwrap();
    assert!(gone(newest).await.contains("2 entries in our book"), "beyond what the database says was signed");

    // A row that says that two persons erased the case, when its head is taken away.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE TABLE heads AS TABLE case_heads; DELETE FROM case_heads;
         INSERT INTO erasures (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at, note, barred, vouch)
         SELECT gen_random_uuid(), c.id, c.number, c.organisation_id, 'person_asked', a.account, now(), a.other, now(), 'a note', '{{}}', decode(repeat('00', 32), 'hex')
         FROM cases c, (SELECT min(id::text)::uuid AS account, max(id::text)::uuid AS other FROM accounts) AS a WHERE c.id = '{case}'"
    )))
    .execute(&mut owner)
    .await
    .unwrap();
    let planted = list(&auditor, case, "en").await;
    assert!(
        gaps(&planted).contains(&"lost".to_owned()) && !gaps(&planted).contains(&"erased".to_owned()),
        "{planted:#}"
    );
    sqlx::raw_sql("INSERT INTO case_heads TABLE heads").execute(&mut owner).await.unwrap();
    let planted = list(&auditor, case, "en").await;
    assert!(!gaps(&planted).contains(&"erased".to_owned()), "{planted:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_behind_and_a_case_that_was_erased_are_told() {
    let placing = Placing::new().await;
    let world = &placing.world;
    let (auditor, case) = (world.signed_in("auditor1").await, placing.played.case);
    let mut owner = world.owner().await;
    // She was looked at, and the case was shown with its parts: nothing else leads to what was looked at when it is gone.
    reads(&placing.officer, case).await;
    assert_eq!(placing.officer.get(&placing.case(), "case_work").await.unwrap().status, 200);
    all_placed(&mut owner).await;
    let whole = list(&auditor, case, "en").await;
    assert_eq!(gaps(&whole), Vec::<String>::new());
    let (one, other) = crate::erasing::supervisors(world).await;
    crate::erasing::erase(&one, &other, &placing.case()).await;
    all_placed(&mut owner).await;
    let erased = list(&auditor, case, "en").await;
    assert_eq!(gaps(&erased), ["erased"]);
    // The entries themselves still lead from the case to what was made with it, and back to the call.
    let counted = ["looked", "refused"];
    let (told, all) = (times(&erased, &counted), times(&whole, &counted));
    assert_eq!(told, all, "{erased:#}");
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON ledger_tree FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let behind = async || {
        world.clock.advance(chrono::TimeDelta::seconds(2));
        let list = list(&auditor, case, "en").await;
        gaps(&list).contains(&"behind".to_owned()).then_some(list)
    };
    let behind = crate::killed::until("the ledger to be behind", behind).await;
    assert!(behind.to_string().contains("Our book is not up to date"), "{behind:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_goes_on_where_it_stopped_and_nobody_changes_it_on_the_way() {
    let world = World::new().await;
    let case = story::play(&world.country).await.unwrap().case;
    placed(&world).await;
    let auditor = world.signed_in("auditor1").await;
    let body = |so_far: &str| json!({ "case": case, "language": "az", "so_far": so_far });
    let whole = list(&auditor, case, "az").await;
    let so_far = word(&whole["so_far"]);
    // Sent back, it is the same, without an entry being looked through: in another language, and on paper.
    let again = asks(&auditor, "access_request", &body(&so_far)).await;
    assert_eq!((again.status, &again.body["items"]), (200, &whole["items"]), "{}", again.text);
    assert_eq!(paper(&auditor, &body(&so_far)).await.0, 200);
    // From the middle: as the service writes it when there is more.
    placed(&world).await;
    let entries = audits(&auditor, json!({})).await;
    let hers = hers(&world, case, &entries).await;
    let names = |entry: &&Value| {
        let records = entry["detail"]["records"].as_array().unwrap();
        records.iter().any(|id| hers.contains(&word(id).parse().unwrap()))
    };
    let about: Vec<&Value> = entries.iter().filter(names).collect();
    let middle = about[about.len() / 2]["position"].as_i64().unwrap();
    let (mut state, code) = opened(&so_far);
    (state["below"], state["lines"]) = (json!(middle), json!([]));
    let question = [b"- -".as_slice(), case.as_bytes()].concat();
    let account = himaya::guard::record::AccountId(auditor.account);
    let state = serde_json::to_vec(&state).unwrap();
    let vouched = world.app.places.trust.voucher().access_list(account, &question, &state);
    let half = asks(&auditor, "access_request", &body(&closed(&vouched[..], &state))).await;
    assert_eq!(half.status, 200, "{}", half.text);
    let below: Vec<Value> = entries.into_iter().filter(|entry| entry["position"].as_i64().unwrap() < middle).collect();
    let counted = ["looked", "listed", "refused"];
    let expected = expected(&below, &hers);
    assert!(expected.len() > 5 && expected.values().sum::<u64>() < times(&whole, &counted).values().sum());
    assert_eq!(times(&half.body, &counted), expected, "{}", half.text);
    // With more to come there is no paper. What somebody changed, and what is another's or of another question, is no beginning.
    let (mut longer, _) = opened(&so_far);
    longer["lines"] = json!([]);
    let longer = closed(&code, &serde_json::to_vec(&longer).unwrap());
    let second = world.signed_in("auditor2").await;
    for (who, body) in [
        (&auditor, body(&longer)),
        (&auditor, body("")),
        (&auditor, body("%%%")),
        (&second, body(&so_far)),
        (&auditor, json!({ "case": case, "language": "az", "so_far": so_far, "from": "2026-01-01" })),
    ] {
        let refused = asks(who, "access_request", &body).await;
        assert_eq!((refused.status, refused.text.contains("\"so_far\"")), (422, true), "{}", refused.text);
    }
}

fn opened(so_far: &str) -> (Value, Vec<u8>) {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(so_far).unwrap();
    let (code, state) = bytes.split_at(32);
    (serde_json::from_slice(state).unwrap(), code.to_vec())
}

fn closed(code: &[u8], state: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([code, state].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_nothing_names_the_field() {
    let world = World::new().await;
    let case = story::play(&world.country).await.unwrap().case;
    let auditor = world.signed_in("auditor1").await;
    let nobody = himaya::platform::random::uuid();
    for (body, field) in [
        (json!({ "language": "az" }), "case"),
        (json!({ "case": nobody, "language": "az" }), "case"),
        (json!({ "case": "Leyla", "language": "az" }), "case"),
        (json!({ "records": [nobody], "language": "az" }), "records"),
        (json!({ "records": vec![case; 21], "language": "az" }), "records"),
        (json!({ "case": case }), "language"),
        (json!({ "case": case, "language": "tr" }), "language"),
        (json!({ "case": case, "language": "az", "from": "yesterday" }), "from"),
        (json!({ "case": case, "language": "az", "until": "2026-02-30" }), "until"),
        (json!({ "case": case, "language": "az", "from": "2026-03-02", "until": "2026-03-01" }), "from"),
        (json!({ "case": case, "language": "az", "from": "2190-01-01" }), "from"),
        (json!({ "case": case, "language": "az", "name": "Leyla" }), "name"),
    ] {
        let reply = asks(&auditor, "access_request", &body).await;
        assert_eq!(reply.status, 422, "{body}: {}", reply.text);
        assert!(reply.text.contains(&format!("\"field\":\"{field}\"")), "{body}: {}", reply.text);
        assert!(!reply.text.contains("Leyla"), "{}", reply.text);
    }
    // That it was asked for is entered, though there is no such case.
    placed(&world).await;
    let asked = audits(&auditor, json!({ "kind": "access_list", "record": nobody })).await;
    assert_eq!(asked.len(), 2, "{asked:?}");
    // A time without anything is no list of nothing: it is asked for, and says so.
    let before = json!({ "case": case, "language": "en", "from": "2001-01-01", "until": "2001-12-31" });
    let empty = asks(&auditor, "access_request", &before).await;
    assert_eq!((empty.status, &empty.body["items"], gaps(&empty.body).len()), (200, &json!([]), 0), "{}", empty.text);
    let (_, _, pdf) = paper(&auditor, &before).await;
    let text = lopdf::Document::load_mem(&pdf).unwrap().extract_text(&[1]).unwrap();
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains("In this time nobody looked"), "{text}");
}
