//! The shelter's day in a real browser, by the keyboard alone, in each language, on a tablet: a request is taken on, a place is promised, the person
//! comes, is cared for, says what she agrees to, and leaves. And its pages as a browser without a script sees them.

use crate::console::{Tab, words};
use crate::console_walk::Seat;
use crate::matrix::count;
use crate::shelter::Placing;
use himaya::demo::actor::Actor;
use himaya::platform::language::{Language, say};
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// Waits until the placement's page says that it stands so.
fn stands(seat: &mut Seat, state: &str) {
    let said = json!(say(seat.language, &format!("placement-state-{state}"), &[]));
    seat.browser.until(&format!("document.querySelector('main .notice strong')?.innerText === {said}"));
}

fn signs_out(seat: &mut Seat) {
    seat.presses("footer form button");
    seat.sees("shelter-signed-out", "sign-in-title");
}

/// A step of somebody else, between two looks.
fn step(handle: &Handle, who: &Actor, path: &str, body: &Value) {
    let done = handle.block_on(who.post(path, body)).unwrap();
    assert!(done.status < 300, "{}", done.text);
}

fn day(seat: &mut Seat, handle: &Handle, placing: &Placing, placement: &str) {
    let number = say(seat.language, "placement-number", &[("number", "1".into())]);
    seat.goes("/");
    seat.signs_in(&placing.worker);
    seat.sees("placements", "placements-title");
    seat.browser.presses("F2");
    seat.sees_words("placement", &number);
    let told = seat.browser.runs("document.querySelector('.look').innerText");
    assert!(told.as_str().unwrap().contains("Leyla") && told.as_str().unwrap().contains("A cough"), "{told}");
    seat.browser.presses("F2");
    stands(seat, "acknowledged");
    seat.looks("placement-acknowledged");
    signs_out(seat);

    // The manager promises a place, for one worker.
    seat.signs_in(&placing.manager);
    seat.sees("placements-manager", "placements-title");
    seat.presses("nav a[href='/houses']");
    seat.sees("houses", "houses-title");
    seat.presses(".rows a[href$='/certificate']");
    seat.sees("certificate", "house-certify");
    let met = seat.browser.runs("document.querySelectorAll('[name=conditions]:checked').length");
    assert_eq!(met, 7);
    seat.presses("main .buttons a");
    seat.sees("houses-again", "houses-title");
    seat.presses(".rows a[href$='/address']");
    seat.sees("address", "house-address");
    let address = seat.browser.runs("document.querySelector('[name=address]').value");
    assert_eq!(address, "17 Plane Tree Lane, behind the old mill");
    seat.types("directions", "Ring twice.");
    seat.browser.presses("F2");
    seat.sees("houses-written", "houses-title");
    seat.presses("main summary");
    seat.looks("house-new");
    seat.presses("nav a[href='/placements']");
    seat.sees("placements-third", "placements-title");
    seat.browser.presses("F2");
    stands(seat, "acknowledged");
    seat.presses("a[href$='/decline']");
    seat.sees("decline", "placement-decline");
    seat.presses("main .buttons a");
    seat.sees("placements-fourth", "placements-title");
    seat.browser.presses("F2");
    stands(seat, "acknowledged");
    seat.browser.presses("F2");
    seat.sees("accept", "placement-accept");
    seat.browser.tabs_to(&format!("input[value='{}']", placing.worker.account));
    seat.browser.presses(" ");
    seat.browser.presses("F2");
    stands(seat, "matched");
    seat.looks("placement-matched");
    seat.presses("a[href$='/workers']");
    seat.sees("workers", "placement-workers");
    seat.presses("main .buttons a");
    stands(seat, "matched");
    signs_out(seat);

    // She agrees, and is driven there.
    let yes = json!({ "source": "person", "explained": "You may leave whenever you want.", "language": "az" });
    step(handle, &placing.officer, &format!("{placement}/consent"), &yes);
    step(handle, &placing.officer, &format!("{placement}/transport"), &json!({}));
    seat.signs_in(&placing.worker);
    seat.sees("placements-expected", "placements-title");
    seat.browser.presses("F9");
    seat.browser.until("location.pathname === '/placements/names'");
    assert!(seat.browser.runs("document.querySelector('.rows').innerText").as_str().unwrap().contains("Leyla"));
    seat.looks("placements-names");
    seat.browser.presses("F4");
    stands(seat, "transported");
    seat.browser.presses("F2");
    stands(seat, "admitted");
    seat.looks("placement-admitted");

    // Care, while a colleague writes as well.
    seat.browser.presses("F4");
    seat.sees("care", "care-title");
    seat.types("plan", "Məktəbi bitirmək istəyir.");
    seat.chooses("medical_help", "accepted");
    seat.types("medical_said", "Həkim bazar ertəsi");
    let there = json!({ "plan": "She draws.", "assistance": [{ "service": "legal", "state": "offered" }] });
    let path = format!("{placement}/care");
    assert_eq!(handle.block_on(placing.worker.put(&path, "\"0\"", &there)).unwrap().status, 200);
    seat.browser.presses("F2");
    seat.sees("care-conflict", "section-conflict");
    seat.browser.presses("F2");
    stands(seat, "admitted");
    let stored = handle.block_on(placing.worker.get(&path, "care")).unwrap().body;
    assert_eq!(stored["plan"], "She draws.\n\nMəktəbi bitirmək istəyir.");
    let help = json!([{ "service": "medical", "state": "accepted", "notes": "Həkim bazar ertəsi" },
        { "service": "legal", "state": "offered" }]);
    assert_eq!(stored["assistance"], help);

    // What she agrees to, and what comes of it.
    seat.browser.presses("F4");
    seat.sees("care-again", "care-title");
    seat.presses("form[action$='/share'] button");
    seat.sees("care-not-shared", "care-share");
    seat.presses("a[href$='/consents']");
    seat.sees("consents", "consents-title");
    seat.presses("main details > summary");
    seat.chooses("said", "given");
    seat.chooses("source", "person");
    seat.types("explained", "Dəstə oxuyacaq, istədiyin vaxt geri götürə bilərsən.");
    seat.looks("consents-open");
    seat.presses("details[open] button.main");
    seat.browser.until("document.querySelector('form[action$=\"/withdraw\"]')");
    seat.looks("consents-given");
    seat.presses("main p > a.button");
    stands(seat, "admitted");
    seat.browser.presses("F4");
    seat.sees("care-third", "care-title");
    seat.presses("form[action$='/share'] button");
    let shared = json!(say(seat.language, "care-shared", &[]));
    seat.browser.until(&format!("document.querySelector('main .notice')?.innerText === {shared}"));
    seat.looks("care-shared");

    // She leaves.
    seat.presses("nav a[href='/placements']");
    seat.sees("placements-here", "placements-title");
    seat.presses("a[href$='/exit']");
    seat.sees("exit", "placement-exit");
    seat.chooses("planned", "own");
    seat.browser.presses("F2");
    seat.sees("placements-over", "placements-title");
    let over = json!(say(seat.language, "placement-state-exited_by_person", &[]));
    assert!(seat.browser.runs(&format!("document.querySelector('main').innerText.includes({over})")) == true);
    signs_out(seat);
}

async fn walk(language: Language) {
    let placing = Placing::new().await;
    let placement = placing.placed("requested").await;
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&placing.world, language);
        seat.tablet = true;
        day(&mut seat, &handle, &placing, &placement);
        assert!(seat.pages > 30, "{}", seat.pages);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelters_day_in_azerbaijani_on_a_tablet() {
    walk(Language::Azerbaijani).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelters_day_in_russian_on_a_tablet() {
    walk(Language::Russian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelters_day_in_english_on_a_tablet() {
    walk(Language::English).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_tells_the_shelter_what_care_needs_and_nobody_else_anything() {
    let placing = Placing::new().await;
    let api = placing.placed("acknowledged").await;
    let path = api.strip_prefix("/api/v1").unwrap().to_owned();
    let mut tab = Tab::of(&placing.world, &placing.worker).await;
    let shown = tab.get(&path).await.expect(200);
    assert!(shown.has("Leyla") && shown.has("Nobody says her name on the telephone."), "{}", shown.text);
    for none in [placing.played.case.to_string(), placing.played.person.to_string(), "waitress".to_owned()] {
        assert!(!shown.has(&none), "{none}");
    }
    // What is not their work is not offered to them, and not there.
    assert!(!shown.has("/accept") && !shown.has("/decline"));
    for page in ["accept", "decline", "workers", "care", "consents"] {
        tab.get(&format!("{path}/{page}")).await.expect(404);
    }
    // The list opens nothing, and one entry is made for one page.
    let mut owner = placing.world.owner().await;
    for (page, entries) in [("/placements".to_owned(), 1), (path.clone(), 2)] {
        let before = count(&mut owner).await;
        let listed = tab.get(&page).await.expect(200);
        assert!(page != "/placements" || !listed.has("Leyla"));
        assert_eq!(count(&mut owner).await - before, entries, "{page}: and the colleagues by name");
    }
    for handle in ["coordinator1", "ssupervisor1", "auditor1", "admin1", "operator1"] {
        let mut tab = Tab::of(&placing.world, &placing.world.signed_in(handle).await).await;
        let refused = tab.get(&path).await.expect(404);
        assert!(!refused.has("Leyla"), "{handle}");
    }
    // A worker without training opens nothing, and writes down that somebody left.
    placing.sql("UPDATE trainings SET expires_at = now() - interval '1 minute'".to_owned()).await;
    assert!(!tab.get(&path).await.expect(404).has("Leyla"));
    let asked = tab.get(&format!("{path}/exit")).await.expect(200);
    assert!(!asked.text.contains(" checked"), "nothing is chosen beforehand: {}", asked.text);
    tab.post(&format!("{path}/exit"), &[]).await.expect(422);
    assert_eq!(tab.post(&format!("{path}/exit"), &[("planned", "own")]).await.expect(303).to(), "/placements");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_told_at_its_field_and_stays_typed() {
    let placing = Placing::new().await;
    let api = placing.placed("acknowledged").await;
    let path = api.strip_prefix("/api/v1").unwrap().to_owned();
    let mut manager = Tab::of(&placing.world, &placing.manager).await;
    // Nobody named; then somebody whose training has run out since the page was made.
    let none = manager.post(&format!("{path}/accept"), &[]).await.expect(422);
    assert!(none.has(&words("en", "workers-rule")), "{}", none.text);
    let worker = placing.worker.account.to_string();
    let lapse = format!("UPDATE trainings SET expires_at = now() WHERE account_id = '{worker}'");
    placing.sql(lapse).await;
    let accept = manager.get(&format!("{path}/accept")).await.expect(200);
    assert!(!accept.has(&worker), "{}", accept.text);
    let late = manager.post(&format!("{path}/accept"), &[("workers", &worker)]).await.expect(422);
    assert!(late.has(&words("en", "workers-rule")) && late.has(&format!("value=\"{worker}\" checked")));
    assert!(manager.get("/houses").await.expect(200).has("ran out"));
    // A certificate that says less shuts the house.
    let house = format!("/houses/{}", placing.played.house);
    let form = manager.get(&format!("{house}/certificate")).await.expect(200).form("certificate");
    assert_eq!(form.iter().filter(|(name, _)| name == "conditions").count(), 7);
    let wrong = manager.sends(&format!("{house}/certificate"), &form, &[("expires_at", "2020-01-01T10:00")]).await;
    assert!(wrong.expect(422).has(&words("en", "house-until-rule")));
    let until = (placing.world.clock.now() + chrono::TimeDelta::days(9)).format("%Y-%m-%dT%H:%M").to_string();
    let less = [("expires_at", until.as_str()), ("conditions", "telephone")];
    manager.sends(&format!("{house}/certificate"), &form, &less).await.expect(303);
    let shut = manager.get("/houses").await.expect(200);
    assert!(shut.has(&words("en", "house-shut")) && shut.has("Missing: Medical care"), "{}", shut.text);
    let refused = manager.post(&format!("{path}/accept"), &[("workers", &worker)]).await.expect(409);
    assert!(refused.has(&words("en", "problem-accommodation_unfit")), "{}", refused.text);
    // The address: another manager's words are shown beside one's own, before they are replaced.
    let page = format!("{house}/address");
    let read = manager.get(&page).await.expect(200).form("address");
    manager.sends(&page, &read, &[("address", "Saved first")]).await.expect(303);
    let both = manager.sends(&page, &read, &[("address", "Typed later")]).await.expect(412);
    assert!(both.has("Saved first") && both.has("Typed later</textarea>"), "{}", both.text);
    manager.sends(&page, &both.form("address"), &[]).await.expect(303);
    assert!(manager.get(&page).await.expect(200).has("Typed later"));
    // Nobody but its managers opens it.
    let mut worker = Tab::of(&placing.world, &placing.worker).await;
    for page in ["certificate", "address"] {
        worker.get(&format!("{house}/{page}")).await.expect(404);
    }
}
