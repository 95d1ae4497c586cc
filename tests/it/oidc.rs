//! Somebody else names the person, and opens nothing by it. The issuer lies as it is told to (`issuer.rs`).

use crate::harness::World;
use crate::issuer::{Issuer, Lie, comes_in, link, named_by, returned, said, stranger, ticket, words};
use crate::repeated::entries;
use chrono::TimeDelta;
use himaya::demo::actor::Reply;
use himaya::platform::random;
use himaya::platform::secrets::{Live, Version, Versions};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use zeroize::Zeroizing;

#[tokio::test(flavor = "multi_thread")]
async fn the_issuer_names_a_person_over_two_replicas_and_their_own_words_let_them_in() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let config = named_by(&world, &issuer, false);
    let (_one, first, one) = world.replica_of(config.clone()).await;
    let (_other, second, other) = world.replica_of(config).await;
    let officer = world.signed_in("officer1").await.at(&one);
    let linked = link(&officer, &issuer, "subject-of-officer1").await;
    assert_eq!(linked.status, 201, "{}", linked.text);
    let links = officer.get("/api/v1/oidc/links", "").await.unwrap();
    assert_eq!(links.body["items"][0]["issuer"], json!(issuer.address));

    let named = ticket(&world, &issuer, (&one, &other), "subject-of-officer1").await;
    assert_eq!(named.status, 201, "{}", named.text);
    // A ticket opens nothing, and stands for no other name.
    let operator = world.country.person("operator1").unwrap();
    for wrong in [words(operator), json!({ "passphrase": "not the one" })] {
        assert_eq!(said(&comes_in(&world, &one, &named, wrong).await), (401, "wrong_credentials"));
    }
    let beside = json!({ "handle": "operator1", "passphrase": operator.passphrase });
    assert_eq!(comes_in(&world, &one, &named, beside).await.status, 422, "a name and a ticket are two");
    let request = stranger(&world, &one).request(Method::GET, "/api/v1/cases").await;
    let bare = request.header("purpose", "case_work").bearer_auth(named.text_of("ticket"));
    assert_eq!(stranger(&world, &one).send(bare).await.unwrap().status, 401, "there is no session before the words");
    let session = comes_in(&world, &other, &named, words(&officer)).await;
    assert_eq!((session.status, session.id("account")), (201, officer.account), "{}", session.text);
    assert_eq!(said(&comes_in(&world, &one, &named, words(&officer)).await), (401, "wrong_credentials"), "once");

    // Somebody whom nobody knows is answered alike, until the words are wrong in any case.
    let unknown = ticket(&world, &issuer, (&one, &other), "subject-of-nobody").await;
    let shape = |reply: &Reply| {
        (reply.status, reply.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), reply.text.len())
    };
    assert_eq!(shape(&unknown), shape(&named));
    assert_eq!(said(&comes_in(&world, &one, &unknown, words(&officer)).await), (401, "wrong_credentials"));
    let made_up = Reply { body: json!({ "ticket": "made-up" }), ..unknown };
    assert_eq!(said(&comes_in(&world, &one, &made_up, words(&officer)).await), (401, "wrong_credentials"));

    // Too late, and after the link was taken away.
    let late = ticket(&world, &issuer, (&one, &other), "subject-of-officer1").await;
    world.clock.advance(TimeDelta::minutes(6));
    assert_eq!(said(&comes_in(&world, &one, &late, words(&officer)).await), (401, "wrong_credentials"));
    let open = ticket(&world, &issuer, (&one, &other), "subject-of-officer1").await;
    officer.refresh().await.unwrap();
    let alone = officer.post("/api/v1/oidc/links/remove", &json!({})).await.unwrap();
    assert_eq!(alone.status, 422, "a session alone takes nothing away");
    assert_eq!(officer.post("/api/v1/oidc/links/remove", &words(&officer)).await.unwrap().status, 200);
    assert_eq!(said(&comes_in(&world, &one, &open, words(&officer)).await), (401, "wrong_credentials"));
    for serving in [first, second] {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_whole_and_true_way_back_names_anybody() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let (_app, serving, base) = world.replica_of(named_by(&world, &issuer, false)).await;
    let officer = world.signed_in("officer1").await.at(&base);
    assert_eq!(link(&officer, &issuer, "subject").await.status, 201);
    let nobody = stranger(&world, &base);
    let sends_out = async || nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    let finish = async |body: Value| nobody.post("/api/v1/oidc/sign-ins/finish", &body).await.unwrap();
    let mut believed = Vec::new();
    for lie in [Lie::Nonce, Lie::Audience, Lie::Expired, Lie::Unsigned, Lie::ClientsSecret, Lie::Issuer, Lie::Key] {
        let begun = sends_out().await;
        let back = issuer.sends_back(&begun, "subject", lie);
        if said(&finish(returned(&begun, &back)).await) != (401, "not_named") {
            believed.push(lie);
        }
    }
    assert_eq!(believed, []);
    // Used once, and by whom it was begun.
    let begun = sends_out().await;
    let back = issuer.sends_back(&begun, "subject", Lie::Nothing);
    assert_eq!(finish(returned(&begun, &back)).await.status, 201);
    let again = issuer.sends_back(&begun, "subject", Lie::Nothing);
    assert_eq!(said(&finish(returned(&begun, &again)).await), (401, "not_named"), "the state, once more");
    let (other, third) = (sends_out().await, sends_out().await);
    let used = (issuer.sends_back(&other, "subject", Lie::Nothing).0, back.1.clone());
    assert_eq!(said(&finish(returned(&other, &used)).await), (401, "not_named"), "the code, once more");
    let foreign = issuer.sends_back(&third, "subject", Lie::Nothing);
    assert_eq!(said(&finish(returned(&sends_out().await, &foreign)).await), (401, "not_named"), "another's way");
    assert_eq!(said(&finish(json!({ "state": foreign.0, "code": foreign.1 })).await), (401, "not_named"), "no handle");
    // A code that was begun for another way has another challenge and nonce.
    let (mine, theirs) = (sends_out().await, sends_out().await);
    let (mixed, _) = issuer.sends_back(&mine, "subject", Lie::Nothing);
    let (_, stolen) = issuer.sends_back(&theirs, "subject", Lie::Nothing);
    assert_eq!(said(&finish(returned(&mine, &(mixed, stolen))).await), (401, "not_named"), "PKCE");
    let late = sends_out().await;
    let back = issuer.sends_back(&late, "subject", Lie::Nothing);
    world.clock.advance(TimeDelta::minutes(11));
    assert_eq!(said(&finish(returned(&late, &back)).await), (401, "not_named"), "too late");
    // The browser's cookie is as good as the handle.
    let begun = sends_out().await;
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-") && ["Secure", "HttpOnly", "Path=/"].iter().all(|part| cookie.contains(part)));
    let (state, code) = issuer.sends_back(&begun, "subject", Lie::Nothing);
    let request = nobody.request(Method::POST, "/api/v1/oidc/sign-ins/finish").await;
    let request =
        request.header("cookie", cookie.split(';').next().unwrap()).json(&json!({ "state": state, "code": code }));
    assert_eq!(nobody.send(request).await.unwrap().status, 201);

    // A way to link is its session's, and one to sign in links nothing.
    officer.refresh().await.unwrap();
    let worker = world.country.person("worker1").unwrap().elsewhere().at(&base);
    worker.sign_in().await.unwrap();
    let before = entries(&world).await;
    let unshown = worker.post("/api/v1/oidc/links", &json!({ "passphrase": "not the one" })).await.unwrap();
    assert_eq!(said(&unshown), (403, "wrong_factor"));
    assert_eq!(entries(&world).await, before + 1, "wrong words are entered");
    let begun = worker.post("/api/v1/oidc/links", &words(&worker)).await.unwrap();
    let back = issuer.sends_back(&begun, "subject-of-worker", Lie::Nothing);
    let links = "/api/v1/oidc/links/finish";
    let before = entries(&world).await;
    assert_eq!(said(&officer.post(links, &returned(&begun, &back)).await.unwrap()), (403, "not_named"));
    assert_eq!(entries(&world).await, before + 1, "a link that fails is entered");
    assert_eq!(said(&finish(returned(&begun, &back)).await), (401, "not_named"));
    assert_eq!(entries(&world).await, before + 2, "and so is a way back on which nobody is named");
    let signing_in = sends_out().await;
    let in_back = issuer.sends_back(&signing_in, "subject-of-worker", Lie::Nothing);
    assert_eq!(said(&worker.post(links, &returned(&signing_in, &in_back)).await.unwrap()), (403, "not_named"));
    // Nobody is linked to somebody else's subject.
    let before = entries(&world).await;
    assert_eq!(said(&link(&worker, &issuer, "subject").await), (409, "linked_already"));
    assert_eq!(entries(&world).await, before + 2, "that it was begun, and that it was refused");
    assert_eq!(said(&link(&officer, &issuer, "another-subject").await), (409, "linked_already"));
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_is_bound_by_a_state_and_a_challenge_of_its_own() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let (_app, serving, base) = world.replica_of(named_by(&world, &issuer, false)).await;
    let nobody = stranger(&world, &base);
    let sends_out = async || nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    let (one, other) = (sends_out().await, sends_out().await);
    // Everything is this way's but the state: somebody else sent the person back.
    let (_, code) = issuer.sends_back(&one, "subject", Lie::Nothing);
    let (foreign, _) = issuer.sends_back(&other, "subject", Lie::Nothing);
    for state in [foreign, "made up".to_owned()] {
        let back = returned(&one, &(state, code.clone()));
        let finished = nobody.post("/api/v1/oidc/sign-ins/finish", &back).await.unwrap();
        assert_eq!(said(&finished), (401, "not_named"));
    }
    // The issuer gives a token to who has what the challenge is of, and no two ways have the same.
    let asked = |begun: &Reply, what: &str| {
        let url = Url::parse(begun.text_of("authorization_url")).unwrap();
        url.query_pairs().find(|(name, _)| name == what).unwrap().1.into_owned()
    };
    for what in ["state", "nonce", "code_challenge"] {
        assert_ne!(asked(&one, what), asked(&other, what), "{what}");
    }
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_has_a_budget_of_its_own_and_a_made_up_one_is_not_looked_up() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let mut config = named_by(&world, &issuer, false);
    config.limits.account = 3;
    let (_app, serving, base) = world.replica_of(config).await;
    let named = ticket(&world, &issuer, (&base, &base), "subject-of-nobody").await;
    let wrong =
        async |ticket: &Reply| comes_in(&world, &base, ticket, json!({ "passphrase": "not the one" })).await.status;
    let sql = async |text: &'static str| sqlx::raw_sql(text).execute(&mut world.owner().await).await.unwrap();
    // Who cannot look at tickets fails as soon as it looks.
    sql("REVOKE SELECT ON oidc_tickets FROM himaya_door").await;
    let genuine = named.text_of("ticket").to_owned();
    for made_up in ["A".repeat(43), genuine[..42].to_owned(), "made up".to_owned()] {
        let body = json!({ "named": made_up, "passphrase": "not the one" });
        let tried = stranger(&world, &base).post("/api/v1/sessions", &body).await.unwrap();
        assert_eq!(said(&tried), (401, "wrong_credentials"), "no look-up");
    }
    assert!(wrong(&named).await >= 500, "it is looked up, behind its budget");
    sql("GRANT SELECT ON oidc_tickets TO himaya_door; DELETE FROM sign_in_tries").await;
    assert_eq!([wrong(&named).await, wrong(&named).await, wrong(&named).await], [401, 401, 401]);
    sql("REVOKE SELECT ON oidc_tickets FROM himaya_door").await;
    assert_eq!(wrong(&named).await, 429, "and then no more");
    serving.stop().await.unwrap();
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_naming_is_required_a_linked_person_needs_both_and_a_subject_stands_under_no_clear_name() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let (app, serving, base) = world.replica_of(named_by(&world, &issuer, true)).await;
    // Not linked yet: otherwise nobody could be.
    let officer = world.country.person("officer1").unwrap().elsewhere().at(&base);
    officer.sign_in().await.unwrap();
    assert_eq!(link(&officer, &issuer, "personal-identifier-4711").await.status, 201);
    let typed = officer.elsewhere().try_sign_in(words(&officer)).await.unwrap();
    assert_eq!(said(&typed), (401, "naming_needed"), "{}", typed.text);
    let wrong = officer.elsewhere().try_sign_in(json!({ "passphrase": "not the one" })).await.unwrap();
    assert_eq!(said(&wrong), (401, "wrong_credentials"), "wrong words are not told apart");
    let named = ticket(&world, &issuer, (&base, &base), "personal-identifier-4711").await;
    assert_eq!(comes_in(&world, &base, &named, words(&officer)).await.status, 201);
    // A link to an issuer that is not configured any more keeps nobody out.
    let (next, _also) = Issuer::start(&world).await;
    let (_next, elsewhere, at_next) = world.replica_of(named_by(&world, &next, true)).await;
    assert_eq!(officer.elsewhere().at(&at_next).try_sign_in(words(&officer)).await.unwrap().status, 201);
    elsewhere.stop().await.unwrap();
    assert!(!contains(&world.dump(), b"personal-identifier"), "a personal identifier lies in the database");

    // After a rotation the old name is still found, and written anew.
    let old = app.secrets.pepper.get().oldest().clone();
    let from = Some(world.clock.now() - TimeDelta::seconds(1));
    let new = Version { id: "ab".repeat(8), from, value: Zeroizing::new(random::bytes()) };
    app.secrets.pepper.take(&Live::new(Versions::new(old.clone(), vec![new.clone()])));
    let named = ticket(&world, &issuer, (&base, &base), "personal-identifier-4711").await;
    let under: String =
        sqlx::query_scalar("SELECT pepper FROM oidc_links").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(under, new.id);
    assert_eq!(comes_in(&world, &base, &named, words(&officer)).await.status, 201);
    let again = ticket(&world, &issuer, (&base, &base), "personal-identifier-4711").await;
    assert_eq!(comes_in(&world, &base, &again, words(&officer)).await.status, 201);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_keeps_nobody_from_signing_in_by_name_and_many_tries_are_throttled() {
    let world = World::new().await;
    let (issuer, issuing) = Issuer::start(&world).await;
    let mut config = named_by(&world, &issuer, false);
    config.limits.address = 3;
    let (_app, serving, base) = world.replica_of(config).await;
    let nobody = stranger(&world, &base);
    let begun = nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    assert_eq!(begun.status, 201, "{}", begun.text);
    let back = issuer.sends_back(&begun, "subject", Lie::Nothing);
    issuing.abort();
    let _ = issuing.await;
    let away = nobody.post("/api/v1/oidc/sign-ins/finish", &returned(&begun, &back)).await.unwrap();
    assert_eq!(said(&away), (503, "issuer_away"), "{}", away.text);
    assert_eq!(nobody.try_sign_in(words(&nobody)).await.unwrap().status, 201, "by name");
    // Beginning is a row, and has a budget of its own: twenty times as many.
    let mut last = away;
    for _ in 0..60 {
        last = nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    }
    assert_eq!(said(&last), (429, "too_many_tries"), "{}", last.text);
    // Coming back has one too, which somebody's wrong codes do not take.
    let wrong = json!({ "state": "x", "code": "x", "handle": "x" });
    let tried = async || nobody.post("/api/v1/oidc/sign-ins/finish", &wrong).await.unwrap().status;
    assert_eq!([tried().await, tried().await, tried().await, tried().await], [401, 401, 401, 429]);
    let stray = json!({ "handle": "nobody", "code": "wrong" });
    let enrols = nobody.post("/api/v1/enrolments", &stray).await.unwrap();
    assert_ne!(enrols.status, 429, "{}", enrols.text);
    // Where nobody else names people there is no such way.
    let none = stranger(&world, &world.base).post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    assert_eq!(said(&none), (404, "no_issuer"));
    serving.stop().await.unwrap();
}
