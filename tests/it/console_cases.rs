//! The desk's and the officer's pages as a browser without a script sees them: who is shown what, and that nothing typed is lost.

use crate::console::{Tab, words};
use crate::harness::World;
use crate::matrix::count;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use serde_json::json;

/// A notice at the desk.
async fn notice(operator: &Actor) -> String {
    let said = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "<i>Kömək</i>" } });
    let call = operator.post("/api/v1/calls", &said).await.unwrap().id("id");
    let how = json!({ "basis": "pseudonymous" });
    operator.post(&format!("/api/v1/calls/{call}/hand-over"), &how).await.unwrap().id("id").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_acknowledged_and_accepted_once_and_opened_only_by_who_opens_it() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let (first, second) = (notice(&operator).await, notice(&operator).await);
    let mut tab = Tab::of(&world, &duty).await;
    let desk = tab.get("/notices").await.expect(200);
    assert!(
        desk.has(&words("en", "escalation-in_time")) && desk.has("23 h 59 min") || desk.has("24 h 0 min"),
        "{}",
        desk.text
    );
    assert!(!desk.has("Kömək"));
    tab.post(&format!("/notices/{first}/acknowledge"), &[]).await.expect(303);
    let twice = tab.post(&format!("/notices/{first}/acknowledge"), &[]).await.expect(409);
    assert!(twice.has(&words("en", "problem-illegal_transition")));
    let opened = tab.get(&format!("/notices/{first}")).await.expect(200);
    assert!(opened.has("&#60;i&#62;Kömək&#60;/i&#62;"), "{}", opened.text);
    // Deciding opens nothing.
    let accept = tab.get(&format!("/notices/{first}/accept")).await.expect(200);
    assert!(!accept.has("Kömək"));
    let key = accept.field("key");
    let mut other = tab.clone();
    let fields = [("key", key.as_str()), ("case", "")];
    let path = format!("/notices/{first}/accept");
    let (one, two) = tokio::join!(tab.post(&path, &fields), other.post(&path, &fields));
    assert_eq!((one.status, two.status, one.to()), (303, 303, two.to()), "{} {}", one.text, two.text);
    let case = one.to().to_owned();
    tab.get(&case).await.expect(200);
    // Into a case that is there; officers are for a new one.
    tab.post(&format!("/notices/{second}/acknowledge"), &[]).await.expect(303);
    let path = format!("/notices/{second}/accept");
    let accept = tab.get(&path).await.expect(200);
    let (key, id) = (accept.field("key"), case.rsplit('/').next().unwrap().to_owned());
    assert!(accept.has(&id), "{}", accept.text);
    let officer = world.country.person("officer1").unwrap().account.to_string();
    let both = [("key", key.as_str()), ("case", &id), ("officers", &officer)];
    let refused = tab.post(&path, &both).await.expect(422);
    assert!(refused.has(&words("en", "accept-officers-rule")));
    assert!(refused.has(&format!("value=\"{officer}\" checked")) && refused.field("key") == key, "{}", refused.text);
    // Another language decides nothing.
    let russian = tab.post(&path, &[&both[..], &[("speak", "ru")]].concat()).await.expect(200);
    assert!(russian.has(&words("ru", "accept-title")) && russian.has(&format!("value=\"{officer}\" checked")));
    assert_eq!(tab.post(&path, &[("key", &key), ("case", &id)]).await.expect(303).to(), case);
    // The desk opens neither any more.
    tab.language = "en";
    tab.get("/notices/after/x").await.expect(404);
    assert!(!tab.get("/notices").await.expect(200).has(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_given_back_with_a_reason_and_no_word_more() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let notice = notice(&operator).await;
    let mut tab = Tab::of(&world, &duty).await;
    let path = format!("/notices/{notice}/return");
    let early = tab.post(&path, &[("code", "known_already")]).await.expect(409);
    assert!(early.has("value=\"known_already\" checked"), "what was chosen stays: {}", early.text);
    tab.post(&format!("/notices/{notice}/acknowledge"), &[]).await.expect(303);
    let none = tab.post(&path, &[]).await.expect(422);
    assert!(none.has(&words("en", "return-rule")));
    assert_eq!(tab.post(&path, &[("code", "known_already")]).await.expect(303).to(), "/notices");
    tab.get(&format!("/notices/{notice}")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_saves_second_chooses_and_nothing_typed_is_lost() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let mut tab = Tab::of(&world, &officer).await;
    let (case, person) = (format!("/cases/{}", played.case), played.person);
    let path = format!("{case}/persons/{person}/sections/identity");
    let opened = tab.get(&path).await.expect(200);
    let mut there = tab.clone();
    let etag = opened.field("etag").replace("&#34;", "\"");
    let saved = [("etag", etag.as_str()), ("first_name", "Saved there"), ("citizenship", "AZ")];
    assert_eq!(there.post(&path, &saved).await.expect(303).to(), case);
    let here = [("first_name", "Typed \"here\""), ("citizenship", "ge, az"), ("number_of_children", "2")];
    let both = tab.sends(&path, &opened.form("section"), &here).await.expect(412);
    assert!(both.has("Saved there") && both.has("Typed &#34;here&#34;"), "{}", both.text);
    assert_ne!(both.field("etag"), etag);
    // In another language all of it is still there, and to be chosen.
    let azerbaijani = tab.sends(&path, &both.form("section"), &[("speak", "az")]).await.expect(412);
    assert!(azerbaijani.has(&words("az", "section-conflict-why")) && azerbaijani.has("Typed &#34;here&#34;"));
    assert!(!azerbaijani.has(&words("az", "join-choose-rule")));
    // What both changed is chosen, and not guessed.
    let unchosen = tab.sends(&path, &azerbaijani.form("section"), &[]).await.expect(412);
    assert!(unchosen.has(&words("az", "join-choose-rule")), "{}", unchosen.text);
    let chosen = [("first_name", "Typed \"here\"")];
    assert_eq!(tab.sends(&path, &unchosen.form("section"), &chosen).await.expect(303).to(), case);
    let both = tab.get(&path).await.expect(200);
    assert!(
        both.has("value=\"Typed &#34;here&#34;\"") && both.has("value=\"AZ GE\"") && both.has("value=\"2\""),
        "{}",
        both.text
    );
    // What does not fit is named, and everything stays in the form.
    let etag = both.field("etag").replace("&#34;", "\"");
    let wrong = [
        ("etag", etag.as_str()),
        ("first_name", "Stays"),
        ("citizenship", "XX"),
        ("number_of_children", "many"),
        ("birthdate", "2009-02-30"),
    ];
    let refused = tab.post(&path, &wrong).await.expect(422);
    assert!(refused.has("value=\"Stays\"") && refused.has("value=\"many\""), "{}", refused.text);
    assert!(
        refused.has(&words("az", "rule-number")) || refused.has(&words("az", "rule-countries")),
        "{}",
        refused.text
    );
    // The session ends while they type.
    assert_eq!(officer.delete("/api/v1/sessions").await.unwrap().status, 200);
    assert_eq!(officer.delete("/api/v1/sessions/current").await.unwrap().status, 200);
    let right = [("etag", etag.as_str()), ("first_name", "After the session"), ("citizenship", "AZ")];
    let ended = tab.post(&path, &right).await.expect(401);
    assert!(ended.has("After the session"));
    let again = [("again-handle", "officer1"), ("again-passphrase", officer.passphrase.as_str())];
    tab.post(&path, &[&right[..], &again].concat()).await.expect(303);
    assert!(tab.get(&path).await.expect(200).has("After the session"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_answer_is_never_saved_over_a_colleagues_newer_one() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (mine, theirs) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let path = format!("/cases/{}/persons/{}/sections/contact_and_safety", played.case, played.person);
    let api = format!("/api/v1{path}");
    let stored = async || {
        let mut content = mine.get(&api, "case_work").await.unwrap().body["content"].clone();
        content.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        content
    };
    let write = async |content: serde_json::Value| {
        let etag = theirs.get(&api, "case_work").await.unwrap().etag.unwrap();
        assert_eq!(theirs.put(&api, &etag, &content).await.unwrap().status, 200);
    };
    write(json!({ "safe_to_contact": "yes", "mobile_phone": "1", "risk": "low", "risk_notes": "Read." })).await;
    let mut tab = Tab::of(&world, &mine).await;
    let read = tab.get(&path).await.expect(200).form("section");
    // The colleague learns that it is not safe any more; the officer, meanwhile, writes down another number.
    let newer = json!({ "safe_to_contact": "no", "mobile_phone": "1", "risk": "high", "risk_notes": "Read.\nTheirs." });
    write(newer.clone()).await;
    let typed = [("mobile_phone", "2"), ("risk", "medium"), ("risk_notes", "Read.\r\nMine.")];
    let shown = tab.sends(&path, &read, &typed).await.expect(412);
    assert_eq!(stored().await, newer, "nothing is saved before it is seen");
    let form = shown.form("section");
    let says = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((says("safe_to_contact"), says("mobile_phone"), says("risk")), (Some("no"), Some("2"), None));
    assert_eq!(says("risk_notes"), Some("Read.\nTheirs.\n\nMine."));
    for key in ["join-there", "join-both", "join-choose"] {
        assert_eq!(shown.text.matches(&words("en", key)).count(), 1, "{key} {}", shown.text);
    }
    tab.sends(&path, &form, &[]).await.expect(412);
    assert_eq!(stored().await, newer, "what both changed is not guessed");
    // Somebody saves again, before what was put together is saved: it is put together with that as well.
    let newest = json!({ "safe_to_contact": "declined", "mobile_phone": "1", "risk": "high", "risk_notes": "Read." });
    write(newest.clone()).await;
    let again = tab.sends(&path, &form, &[("risk", "imminent")]).await.expect(412);
    assert_eq!(stored().await, newest);
    let form = again.form("section");
    let chosen = [("risk", "imminent")];
    assert_eq!(tab.sends(&path, &form, &chosen).await.expect(303).to(), format!("/cases/{}", played.case));
    let all = stored().await;
    assert_eq!((&all["safe_to_contact"], &all["mobile_phone"]), (&json!("declined"), &json!("2")), "{all}");
    assert_eq!(all["risk"], json!("imminent"));
    // A form of which nothing says what was read: every difference is asked about.
    let etag = mine.get(&api, "case_work").await.unwrap().etag.unwrap();
    write(newer.clone()).await;
    tab.post(&path, &[("etag", &etag), ("safe_to_contact", "yes")]).await.expect(412);
    assert_eq!(stored().await, newer);
    // A colleague saves what was there: nothing is to be put together, and it is told all the same.
    let read = tab.get(&path).await.expect(200).form("section");
    write(newer.clone()).await;
    let told = tab.sends(&path, &read, &[("mobile_phone", "3")]).await.expect(412);
    assert!(told.has(&words("en", "section-conflict")) && told.has("data-guard=\"typed\""), "{}", told.text);
    assert_eq!(tab.sends(&path, &told.form("section"), &[]).await.expect(303).to(), format!("/cases/{}", played.case));
    assert_eq!(stored().await["mobile_phone"], json!("3"));
    // The officer's own answer was saved, of which they heard nothing, and taken back: what is sent again does not undo that.
    let (unsafe_now, safe_once) = (json!({ "safe_to_contact": "no" }), json!({ "safe_to_contact": "yes" }));
    write(unsafe_now.clone()).await;
    let read = tab.get(&path).await.expect(200).form("section");
    write(safe_once).await;
    write(unsafe_now.clone()).await;
    let asked = tab.sends(&path, &read, &[("safe_to_contact", "yes")]).await.expect(412);
    let form = asked.form("section");
    assert!(form.iter().all(|(name, _)| name != "safe_to_contact"), "{form:?}");
    tab.sends(&path, &form, &[]).await.expect(412);
    assert_eq!(stored().await, unsafe_now);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_shows_who_reads_what_and_opens_to_nobody_else() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let case = format!("/cases/{}", played.case);
    let section = format!("{case}/persons/{}/sections/identity", played.person);
    let officer = world.signed_in("officer1").await;
    let mut tab = Tab::of(&world, &officer).await;
    let shown = tab.get(&case).await.expect(200);
    for who in ["officer1", "duty1"] {
        assert!(shown.has(&format!("{who} · works on it since")), "{}", shown.text);
    }
    assert!(shown.has(&words("en", "section-care-kept")) && shown.has(&section));
    // One entry for the case, one for the colleagues, one for what is due; none for any section.
    let mut owner = world.owner().await;
    let mut entries = Vec::new();
    for asked in [&case[..], "/colleagues?limit=100", "/tasks?due=any"] {
        let before = count(&mut owner).await;
        assert_eq!(officer.get(&format!("/api/v1{asked}"), "case_work").await.unwrap().status, 200);
        entries.push(count(&mut owner).await - before);
    }
    let before = count(&mut owner).await;
    tab.get(&case).await.expect(200);
    assert_eq!(count(&mut owner).await - before, entries.iter().sum::<i64>(), "{entries:?}");
    let before = count(&mut owner).await;
    tab.get(&section).await.expect(200);
    assert_eq!(count(&mut owner).await - before, 1, "a section is read once");
    // Let in to read: everything is there to be read, nothing to be written.
    let reader = world.signed_in("officer2").await;
    let mut theirs = Tab::of(&world, &reader).await;
    for path in [&case, &section, &format!("{case}/notes")] {
        let refused = theirs.get(path).await.expect(404);
        let (id, none) = (played.case.to_string(), himaya::platform::random::uuid().to_string());
        let nowhere = theirs.get(&path.replace(&id, &none)).await.expect(404);
        let without_request = |text: &str| text.split("<code>").next().unwrap().to_owned();
        assert_eq!(without_request(&refused.text.replace(&id, &none)), without_request(&nowhere.text), "{path}");
    }
    let asked = tab.get(&format!("{case}/access")).await.expect(200);
    let (key, account) = (asked.field("key"), reader.account.to_string());
    let give = [("key", key.as_str()), ("account", &account), ("relation", "granted"), ("reason", "expertise")];
    assert_eq!(tab.post(&format!("{case}/access"), &give).await.expect(303).to(), case);
    let key = tab.get(&format!("{case}/access")).await.expect(200).field("key");
    let again = tab.post(&format!("{case}/access"), &[&give[1..], &[("key", key.as_str())]].concat()).await.expect(409);
    assert!(again.has(&words("en", "problem-already_on_case")) && again.has(&format!("value=\"{account}\" selected")));
    let read = theirs.get(&section).await.expect(200);
    assert!(read.has(&words("en", "section-read-only")) && !read.has("<input id=\"f-first_name\""), "{}", read.text);
    assert!(!theirs.get(&case).await.expect(200).has(&words("en", "people-title")));
    // A note, sent twice, is written once.
    let path = format!("{case}/notes");
    let key = tab.get(&path).await.expect(200).field("key");
    for _ in 0..2 {
        tab.post(&path, &[("key", &key), ("text", "<u>Written</u> once")]).await.expect(303);
    }
    // The same form with other words, after it was sent: they come back, under another key.
    let other = tab.post(&path, &[("key", &key), ("text", "Other words")]).await.expect(422);
    assert!(other.has("Other words</textarea>") && other.has(&words("en", "problem-idempotency_key_reused")));
    assert_ne!(other.field("key"), key);
    tab.post(&path, &[("key", &other.field("key")), ("text", "Other words")]).await.expect(303);
    let notes = tab.get(&path).await.expect(200);
    assert_eq!(notes.text.matches("&#60;u&#62;Written&#60;/u&#62; once").count(), 1, "{}", notes.text);
    assert!(notes.has("<strong>officer1</strong>"));
    // The state goes one step, and a colleague's step is not undone unseen.
    let etag = tab.get(&case).await.expect(200).field("etag").replace("&#34;", "\"");
    tab.post(&format!("{case}/state"), &[("etag", &etag), ("state", "follow_up")]).await.expect(303);
    let late = tab.post(&format!("{case}/state"), &[("etag", &etag), ("state", "follow_up")]).await.expect(412);
    assert!(late.has(&words("en", "problem-changed_meanwhile")) && late.has(&words("en", "case-become-closed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_persons_of_a_case_are_is_read_by_who_asks_for_it_and_entered_once() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let api = format!("/api/v1/cases/{}/persons", played.case);
    let second = officer.post(&api, &json!({ "category": "witness" })).await.unwrap().id("id");
    let path = format!("{api}/{}/sections/identity", played.person);
    let etag = officer.get(&path, "case_work").await.unwrap().etag.unwrap();
    let identity =
        json!({ "category": "victim", "first_name": "Leyla", "second_name": "<Ü>", "birthdate": "2009-02-28" });
    assert_eq!(officer.put(&path, &etag, &identity).await.unwrap().status, 200);
    let mut owner = world.owner().await;
    let before = count(&mut owner).await;
    let listed = officer.get(&api, "case_work").await.unwrap();
    assert_eq!(count(&mut owner).await, before + 1, "one entry for all of them");
    // In the order in which they came, and nothing more of them than their names.
    let expected = json!([
        { "id": played.person, "category": "victim", "first_name": "Leyla", "second_name": "<Ü>" },
        { "id": second, "category": "witness" },
    ]);
    assert_eq!(listed.body["items"], expected, "{}", listed.text);
    // Who is not on the case, or whose work it is not, is told of no case; a purpose is needed.
    for (handle, status) in
        [("officer2", 404), ("worker1", 404), ("ssupervisor1", 404), ("auditor1", 404), ("operator1", 404)]
    {
        let refused = world.signed_in(handle).await.get(&api, "case_work").await.unwrap();
        assert_eq!(refused.status, status, "{handle} {}", refused.text);
        assert!(!refused.text.contains("Leyla"));
    }
    assert_eq!(officer.get(&api, "").await.unwrap().status, 422);
    // The page names them when asked to, and not before.
    let mut tab = Tab::of(&world, &officer).await;
    let case = format!("/cases/{}", played.case);
    let shown = tab.get(&case).await.expect(200);
    assert!(!shown.has("Leyla") && shown.has(&words("en", "case-names")));
    let named = tab.get(&format!("{case}/names")).await.expect(200);
    assert!(named.has("Leyla &#60;Ü&#62; · Victim") && named.has("Person 2 · Witness"), "{}", named.text);
    assert!(!named.has(&words("en", "case-names")));
}
