//! The officer finds somebody a place, in a real browser, by the keyboard alone, in each language: what she agrees to is written down, a house is
//! asked, she agrees to it, and is brought there. And colleagues leave a case: one by their own act, one when two say so.

use crate::console::{Tab, words};
use crate::console_walk::Seat;
use crate::harness::World;
use crate::shelter::Placing;
use himaya::demo::stay::open_house;
use himaya::demo::story;
use himaya::platform::language::{Language, say};
use serde_json::json;
use tokio::runtime::Handle;

/// Waits until the placement's page says that it stands so.
fn stands(seat: &mut Seat, state: &str) {
    let said = json!(say(seat.language, &format!("placement-state-{state}"), &[]));
    seat.browser.until(&format!("document.querySelector('main .notice strong')?.innerText === {said}"));
}

fn day(seat: &mut Seat, handle: &Handle, placing: &Placing) {
    let case = say(seat.language, "case-number", &[("number", "1".into())]);
    seat.goes("/");
    seat.signs_in(&placing.officer);
    seat.sees("placing-cases", "cases-title");
    seat.browser.presses("F2");
    seat.sees_words("placing-case", &case);
    seat.presses("a[href$='/consents']");
    seat.sees("placing-consents", "consents-title");
    seat.presses("main details > summary");
    let house = placing.world.country.organisations["accommodation"];
    seat.chooses("recipient", &house.to_string());
    seat.chooses("section", "placement");
    seat.chooses("said", "given");
    seat.chooses("source", "person");
    seat.types("explained", "Ev nə biləcək və bunu geri götürə bilərsən.");
    seat.presses("details[open] button.main");
    seat.browser.until("document.querySelector('form[action$=\"/withdraw\"]')");
    seat.looks("placing-consent-given");
    seat.presses("main p > a.button");
    seat.sees_words("placing-case-again", &case);
    seat.presses("a[href$='/placements']:not(nav a)");
    seat.sees("placing-ask", "placement-ask");
    seat.chooses("accommodation", &placing.played.house.to_string());
    seat.chooses("places", "women");
    seat.chooses("basis", "consent");
    seat.types("called", "Leyla");
    seat.chooses("age", "18-20");
    seat.chooses("language", "az");
    seat.types("safety", "Adını telefonda deməyin.");
    seat.browser.presses("F2");
    stands(seat, "requested");
    seat.looks("placing-requested");
    let path = seat.browser.runs("location.pathname").as_str().unwrap().to_owned();
    let api = format!("/api/v1{path}");
    handle.block_on(async {
        let taken = placing.worker.post(&format!("{api}/acknowledge"), &json!({})).await.unwrap();
        assert_eq!(taken.status, 200, "{}", taken.text);
        let named = json!({ "workers": [placing.worker.account] });
        let accepted = placing.manager.post(&format!("{api}/accept"), &named).await.unwrap();
        assert_eq!(accepted.status, 200, "{}", accepted.text);
    });
    seat.browser.reloads();
    stands(seat, "matched");
    seat.looks("placing-matched");
    seat.browser.presses("F2");
    seat.sees("placing-agree", "placement-do-consent");
    seat.chooses("source", "person");
    seat.types("explained", "İstənilən vaxt gedə bilərsən.");
    seat.browser.presses("F2");
    stands(seat, "consented");
    seat.presses("a[href$='/arrival']");
    seat.sees("placing-arrival", "placement-do-arrival");
    let told = seat.browser.runs("document.querySelector('.look').innerText");
    assert!(told.as_str().unwrap().contains("17 Plane Tree Lane"), "{told}");
    seat.presses("main p > a.button");
    stands(seat, "consented");
    seat.browser.presses("F2");
    stands(seat, "transported");
    seat.looks("placing-transported");
    seat.presses("nav a[href='/placements']");
    seat.sees("placing-list", "placements-squad");
    seat.presses("nav a[href='/houses']");
    seat.sees("placing-houses", "houses-title");
    assert!(!seat.browser.runs("document.body.innerText").as_str().unwrap().contains("Plane Tree"));
    seat.presses("nav a[href='/cases']");
    seat.sees("placing-cases-again", "cases-title");
    seat.browser.presses("F2");
    seat.sees_words("placing-case-third", &case);
    seat.presses("a[href$='/removals']");
    seat.sees("placing-removals", "removals-title");
    seat.presses("main .buttons a");
    seat.sees_words("placing-case-fourth", &case);
    seat.presses("footer form button");
    seat.sees("placing-signed-out", "sign-in-title");
}

async fn walk(language: Language) {
    let world = World::new().await;
    let mut played = story::play(&world.country).await.unwrap();
    played.house = open_house(&world.country).await.unwrap();
    let (officer, manager) = (world.signed_in("officer1").await, world.signed_in("manager1").await);
    let worker = world.signed_in("worker1").await;
    let (placing, handle) = (Placing { world, played, officer, manager, worker }, Handle::current());
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&placing.world, language);
        day(&mut seat, &handle, &placing);
        assert!(seat.pages >= 18, "{}", seat.pages);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_a_place_in_azerbaijani() {
    walk(Language::Azerbaijani).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_a_place_in_russian() {
    walk(Language::Russian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_a_place_in_english() {
    walk(Language::English).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_is_asked_only_with_her_word_and_what_was_typed_stays() {
    let placing = Placing::new().await;
    let (case, person) = (placing.played.case, placing.played.person);
    let mut tab = Tab::of(&placing.world, &placing.officer).await;
    let path = format!("/cases/{case}/persons/{person}/placements");
    let form = tab.get(&path).await.expect(200).form("request");
    // Nothing stated: each field says what it wants.
    let empty = tab.sends(&path, &form, &[("safety", "Kept <b>")]).await.expect(422);
    assert!(empty.has("Kept &#60;b&#62;</textarea>"), "{}", empty.text);
    let house = placing.played.house.to_string();
    let typed = [
        ("accommodation", house.as_str()),
        ("places", "women"),
        ("basis", "consent"),
        ("called", "Leyla"),
        ("age", "18-20"),
    ];
    // She takes her word back before it is sent.
    let consents = format!("/cases/{case}/persons/{person}/consents");
    let shown = tab.get(&consents).await.expect(200);
    let consent = shown.text.split("action=\"/consents/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let back = tab.post(&format!("/consents/{consent}/withdraw"), &[("to", &consents)]).await.expect(303);
    assert_eq!(back.to(), consents);
    let refused = tab.sends(&path, &form, &typed).await.expect(409);
    assert!(refused.has(&words("en", "problem-no_consent")) && refused.has("value=\"Leyla\""), "{}", refused.text);
    let shelter = placing.world.country.organisations["accommodation"].to_string();
    let form = tab.get(&consents).await.expect(200).form("consent");
    let yes = [("recipient", shelter.as_str()), ("section", "placement"), ("said", "given"), ("source", "person")];
    let unsaid = tab.sends(&consents, &form, &yes).await.expect(422);
    assert!(unsaid.has(&words("en", "consent-explained-rule")) && unsaid.has("value=\"given\" checked"));
    let said = [&yes[..], &[("explained", "Who is told what, and that you can take it back.")]].concat();
    tab.sends(&consents, &form, &said).await.expect(303);
    let asked = tab.sends(&path, &refused.form("request"), &[]).await.expect(303);
    let placement = tab.get(asked.to()).await.expect(200);
    assert!(placement.has("Leyla") && !placement.has("/arrival\""), "{}", placement.text);
    tab.get(&format!("{}/arrival", asked.to())).await.expect(404);
    // Another officer, and who is at the shelter, find no such case.
    for handle in ["officer2", "worker1", "ssupervisor1"] {
        let mut tab = Tab::of(&placing.world, &placing.world.signed_in(handle).await).await;
        tab.get(&consents).await.expect(404);
        assert!(tab.get(asked.to()).await.status == 404 || handle == "worker1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_leaves_a_case_by_their_own_act_or_when_two_say_so() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let case = format!("/cases/{}", played.case);
    let (officer, duty, other) =
        (world.signed_in("officer1").await, world.signed_in("duty1").await, world.signed_in("officer2").await);
    let give = json!({ "account": other.account, "relation": "assigned", "reason": "shift_change" });
    assert_eq!(officer.post(&format!("/api/v1{case}/access"), &give).await.unwrap().status, 201);
    let (mut mine, mut second) = (Tab::of(&world, &officer).await, Tab::of(&world, &duty).await);
    let mut theirs = Tab::of(&world, &other).await;
    let path = format!("{case}/removals");
    let form = mine.get(&path).await.expect(200).form("removal");
    let account = other.account.to_string();
    mine.sends(&path, &form, &[]).await.expect(422);
    mine.sends(&path, &form, &[("account", &account)]).await.expect(303);
    let waits = mine.get(&path).await.expect(200);
    assert!(waits.has(&words("en", "removal-waits")) && !waits.has("/confirm\""), "{}", waits.text);
    // Whom it concerns is not told.
    let told = theirs.get(&path).await.expect(200);
    assert!(told.has(&words("en", "removals-none")), "{}", told.text);
    let shown = second.get(&path).await.expect(200);
    let confirm = shown.text.split("action=\"").find(|part| part.contains("/confirm\"")).unwrap();
    let confirm = confirm.split('"').next().unwrap().to_owned();
    assert!(mine.post(&confirm, &[]).await.expect(409).has(&words("en", "problem-same_person")));
    theirs.get(&case).await.expect(200);
    assert_eq!(second.post(&confirm, &[]).await.expect(303).to(), case);
    theirs.get(&case).await.expect(404);
    // One's own act, for everybody but the last.
    assert_eq!(second.post(&format!("{case}/leave"), &[]).await.expect(303).to(), "/cases");
    second.get(&case).await.expect(404);
    let last = mine.post(&format!("{case}/leave"), &[]).await.expect(409);
    assert!(last.has(&words("en", "problem-nobody_would_remain")), "{}", last.text);
    mine.get(&case).await.expect(200);
}
