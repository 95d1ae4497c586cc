//! The administrator's day in a real browser, by the keyboard alone, in each language: an organisation, an account with its code, and one that is
//! disabled; and that nothing else is there for them, nor this for anybody else.

use crate::console::{Tab, words};
use crate::console_walk::Seat;
use crate::harness::World;
use himaya::platform::language::Language;

fn day(seat: &mut Seat, world: &World) {
    seat.goes("/");
    seat.signs_in(world.country.person("admin1").unwrap());
    seat.sees("organisations", "organisations-title");
    seat.presses("main summary");
    seat.chooses("kind", "helpline");
    seat.types("name", "Qaynar xətt 2");
    seat.looks("organisation-new");
    seat.goes_on("details[open] button.main");
    seat.sees("organisations-made", "organisations-title");
    assert!(seat.browser.runs("document.querySelector('main').innerText").as_str().unwrap().contains("Qaynar xətt 2"));
    seat.presses("nav a[href='/accounts']");
    seat.sees("accounts", "accounts-title");
    seat.presses("main > details > summary");
    let squad = world.country.organisations["squad"].to_string();
    seat.chooses("organisation", &squad);
    seat.types("handle", "officer9");
    seat.looks("account-new");
    seat.goes_on("main > details[open] button.main");
    seat.sees("account-made", "account-made");
    let code = seat.browser.runs("document.querySelector('.secret').innerText");
    assert_eq!(code.as_str().unwrap().len(), 24);
    seat.presses("main p > a.button");
    seat.sees("accounts-more", "accounts-title");
    seat.browser.tabs_to("li:has(form) summary");
    seat.presses("footer form button");
    seat.sees("administrator-signed-out", "sign-in-title");
}

async fn walk(language: Language) {
    let world = World::new().await;
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&world, language);
        day(&mut seat, &world);
        assert!(seat.pages > 7, "{}", seat.pages);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_day_in_azerbaijani() {
    walk(Language::Azerbaijani).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_day_in_russian() {
    walk(Language::Russian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_day_in_english() {
    walk(Language::English).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_once_its_code_shown_once_and_disabled_at_once() {
    let world = World::new().await;
    let mut tab = Tab::of(&world, &world.signed_in("admin1").await).await;
    let squad = world.country.organisations["squad"].to_string();
    let form = tab.get("/accounts").await.expect(200).form("account");
    let wrong = tab.sends("/accounts", &form, &[("handle", "No Name"), ("organisation", &squad)]).await.expect(422);
    assert!(wrong.has(&words("en", "account-handle-rule")) && wrong.has("value=\"No Name\""), "{}", wrong.text);
    let typed = [("handle", "officer9"), ("organisation", squad.as_str())];
    let made = tab.sends("/accounts", &form, &typed).await.expect(200);
    let code = made.text.split("class=\"secret\" lang=\"en\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let again = tab.sends("/accounts", &form, &typed).await.expect(200);
    assert!(!again.has(&code) && again.has(&words("en", "account-code-gone")), "{}", again.text);
    let taken = tab.get("/accounts").await.expect(200).form("account");
    let taken = tab.sends("/accounts", &taken, &typed).await.expect(409);
    assert!(taken.has(&words("en", "problem-handle_taken")), "{}", taken.text);
    // Whoever is disabled is out at their next request.
    let officer = world.signed_in("officer1").await;
    let mut theirs = Tab::of(&world, &officer).await;
    theirs.get("/cases").await.expect(200);
    assert_eq!(tab.post(&format!("/accounts/{}/disable", officer.account), &[]).await.expect(303).to(), "/accounts");
    theirs.get("/cases").await.expect(401);
    for handle in ["officer2", "auditor1", "coordinator1"] {
        let mut tab = Tab::of(&world, &world.signed_in(handle).await).await;
        for page in ["/organisations", "/accounts"] {
            assert!(!tab.get(page).await.expect(403).has("officer2"), "{handle}");
        }
    }
}
