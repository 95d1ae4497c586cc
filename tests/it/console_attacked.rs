//! The console against whoever is not at it: other sites, strangers with a program, and somebody at another window.

use crate::console::{Tab, words};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_from_elsewhere_signs_nobody_out_and_a_page_beside_reads_nothing() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut tab = Tab::of(&world, &operator).await;
    // By a link the browser sends no cookie of ours; what it would be told to drop, it would.
    let by_link = Tab::new(&world.base).get("/calls").await.expect(401);
    assert!(by_link.headers.get("set-cookie").is_none(), "{:?}", by_link.headers);
    // A page under the same domain: they come along.
    for site in ["same-site", "cross-site"] {
        let beside = tab.get_from(site, "/calls").await.expect(401);
        assert!(beside.headers.get("set-cookie").is_none(), "{:?}", beside.headers);
    }
    for site in ["none", "same-origin"] {
        tab.get_from(site, "/calls").await.expect(200);
    }
    // Whose session is over is rid of it.
    assert_eq!(operator.delete("/api/v1/sessions/current").await.unwrap().status, 200);
    tab.get("/calls").await.expect(401);
    assert!(!tab.cookies.keys().any(|name| name.ends_with("-session")), "{:?}", tab.cookies.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_a_program_keeps_nobody_from_the_door_and_alarms_nobody() {
    let world = World::new().await;
    let mut stranger = Tab::new(&world.base);
    // A form of more fields than there are anywhere: each would cost a hundred times its own length.
    let many: Vec<(&str, &str)> = (0..1000).map(|_| ("a", "")).collect();
    stranger.post("/calls", &many).await.expect(400);
    // What a form holds may be anything, also what cannot stand in a header.
    let mut tab = Tab::of(&world, &world.signed_in("operator1").await).await;
    for key in ["a\u{1}bcdefg", "ə", "a\nb"] {
        let refused = tab.post("/calls", &[("key", key)]).await;
        assert!((400..500).contains(&refused.status), "{}: {}", refused.status, refused.text);
    }
    // Handles that are none: whoever comes with one is at the door, and nobody waits because of them.
    for made_up in 0..120 {
        for name in ["access", "session", "refresh"] {
            stranger.cookies.insert(format!("__Host-himaya-{name}"), format!("none-{made_up}"));
        }
        stranger.get("/calls").await.expect(401);
    }
    let operator = world.country.person("operator1").unwrap();
    let mut door = Tab::new(&world.base);
    door.post("/sign-in", &[("handle", "operator1"), ("passphrase", &operator.passphrase)]).await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_comes_back_with_every_refusal_and_a_passphrase_never() {
    let world = World::new().await;
    let mut tab = Tab::of(&world, &world.signed_in("operator1").await).await;
    let said = "She was at the station again this morning, with <two> men.";
    let gone = format!("/slips/{}", himaya::platform::random::uuid());
    let refused = tab.post(&gone, &[("key", "0123456789abcdef"), ("text", said)]).await.expect(404);
    assert!(refused.has(&words("en", "page-unsent")) && refused.has(&words("en", "problem-not_found")));
    // Once to be read and copied, and once to be sent again.
    assert_eq!(refused.text.matches("with &#60;two&#62; men.").count(), 2, "{}", refused.text);
    assert_eq!((refused.field("key").as_str(), refused.field("text").is_empty()), ("0123456789abcdef", false));
    // A step without words is refused as ever.
    let step = tab.post(&format!("/call-backs/{}/done", himaya::platform::random::uuid()), &[("key", "k")]).await;
    assert!(!step.expect(404).has(&words("en", "page-unsent")));

    let mut owner = world.owner().await;
    sqlx::raw_sql("ALTER TABLE sessions RENAME TO sessions_away").execute(&mut owner).await.unwrap();
    let away = tab.post("/calls", &[("key", "0123456789abcdef")]).await;
    assert!(away.status >= 500 && away.has(&words("en", "page-unsent")), "{}: {}", away.status, away.text);
    let door = tab
        .post("/sign-in", &[("handle", "operator1"), ("passphrase", "words that are nobody's at all, and long enough")])
        .await;
    assert!(!door.has("words that are"), "{}", door.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_sent_as_who_filled_it_in_or_not_at_all() {
    let world = World::new().await;
    let (first, second) = (world.signed_in("operator1").await, world.signed_in("operator2").await);
    let mut tab = Tab::of(&world, &first).await;
    let page = tab.get("/calls").await.expect(200);
    let (key, whose) = (page.field("key"), page.field("whose"));
    assert!(!page.has(&first.account.to_string()));
    // Somebody else signs in in the same browser, at another window.
    tab.cookies = Tab::of(&world, &second).await.cookies;
    let sent = [("whose", whose.as_str()), ("key", &key), ("text", "short")];
    let refused = tab.post("/calls", &sent).await.expect(409);
    assert!(refused.has(&words("en", "problem-another_account")) && refused.has(&words("en", "page-unsent")));
    assert_eq!((refused.field("text"), refused.field("whose")), ("short".to_owned(), whose.clone()));
    for who in [&first, &second] {
        let listed = who.get("/api/v1/calls", "intake").await.unwrap();
        assert_eq!(listed.body["items"], serde_json::json!([]), "{}", who.handle);
    }
    // Whoever's session ended and comes back goes on; who comes instead does not.
    tab.cookies.clear();
    let ended = tab.post("/calls", &sent).await.expect(401);
    assert_eq!(ended.field("whose"), whose);
    let again =
        |who: &'static str, words: &str| [("again-handle", who.to_owned()), ("again-passphrase", words.to_owned())];
    for (who, actor, status) in [("operator2", &second, 409), ("operator1", &first, 303)] {
        let again = again(who, &actor.passphrase);
        let again: Vec<(&str, &str)> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
        tab.post("/calls", &[&sent[..], &again].concat()).await.expect(status);
    }
}
