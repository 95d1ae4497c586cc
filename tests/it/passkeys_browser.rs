//! Passkeys in a real browser, with an authenticator that it simulates.

use crate::browser::Browser;
use crate::harness::World;
use himaya::demo::story;
use serde_json::{Value, json};

const CLIENT: &str = include_str!("../browser/passkeys.js");

/// A browser at a page of this service, with the client's script and an authenticator.
async fn at(world: &World, prf: bool) -> Browser {
    let (folder, port) = (world.folder.join("browser"), world.base.rsplit(':').next().unwrap().to_owned());
    tokio::task::spawn_blocking(move || {
        let mut browser = Browser::open(&folder, &format!("http://localhost:{port}/health"));
        browser.authenticator(prf);
        browser.runs(CLIENT);
        browser
    })
    .await
    .unwrap()
}

/// Runs what a person does at the page.
async fn does(browser: Browser, script: String) -> (Browser, Value) {
    let run = move || {
        let mut browser = browser;
        let came = browser.runs(&script);
        (browser, came)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn sign_in(handle: &str, passphrase: &str) -> String {
    let words = json!({ "handle": handle, "passphrase": passphrase });
    format!(
        "(async () => {{ globalThis.session = (await himaya.send('sessions', {words})).body; return session.account }})()"
    )
}

fn reads(path: &str) -> String {
    let more = json!({ "method": "GET", "headers": { "purpose": "case_work" } });
    format!("himaya.send({}, undefined, session, {more})", json!(path))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_with_prf_opens_the_persons_keys_in_a_real_browser() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("cases/{}/sections/narrative", played.case);
    let before = officer.get(&format!("/api/v1/{path}"), "case_work").await.unwrap();
    assert_eq!(before.status, 200);

    let browser = at(&world, true).await;
    let (browser, account) = does(browser, sign_in("officer1", &officer.passphrase)).await;
    assert_eq!(account, json!(officer.account));
    let fresh = json!({ "passphrase": officer.passphrase });
    let (browser, refused) = does(browser, format!("himaya.add(session, {fresh}, 'telefon')")).await;
    assert_eq!((&refused["status"], &refused["body"]["code"]), (&json!(409), &json!("no_way_back")), "{refused}");
    let (browser, printed) = does(browser, format!("himaya.send('credentials/recovery-code', {fresh}, session)")).await;
    assert_eq!(printed["status"], 200, "{printed}");
    let (browser, made) = does(browser, format!("himaya.add(session, {fresh}, 'telefon')")).await;
    assert_eq!((&made["status"], &made["body"]["opens_keys"]), (&json!(200), &json!(true)), "{made}");
    let (browser, out) =
        does(browser, "himaya.send('sessions/current', undefined, session, { method: 'DELETE' })".to_owned()).await;
    assert_eq!(out["status"], 200, "{out}");

    // The passkey alone, and what it opens.
    let alone =
        "(async () => { const came = await himaya.signIn('officer1'); globalThis.session = came.body; return came })()";
    let (browser, came) = does(browser, alone.to_owned()).await;
    assert_eq!(came["status"], 201, "{came}");
    let (browser, read) = does(browser, reads(&path)).await;
    assert_eq!((&read["status"], &read["body"]), (&json!(200), &before.body), "{read}");
    let (browser, list) =
        does(browser, "himaya.send('credentials', undefined, session, { method: 'GET' })".to_owned()).await;
    let items = list["body"]["items"].as_array().unwrap();
    let kept = items.iter().find(|item| item["kind"] == "passkey").unwrap();
    assert_eq!((&kept["label"], &kept["opens_keys"]), (&json!("telefon"), &json!(true)));

    // It is removed by itself, and signs nobody in then.
    let remove = format!(
        "(async () => himaya.send('credentials/passkeys/{}/remove', {{ passkey: await himaya.again(session) }}, session))()",
        kept["id"].as_str().unwrap()
    );
    let (browser, gone) = does(browser, remove).await;
    assert_eq!(gone["status"], 200, "{gone}");
    // The browser has no passkey of the decoy's name to show.
    let (_browser, came) = does(browser, "himaya.signIn('officer1').catch(error => error.name)".to_owned()).await;
    assert_eq!(came, "NotAllowedError");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_without_prf_is_a_second_factor_in_a_real_browser() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let browser = at(&world, false).await;
    let (browser, _) = does(browser, sign_in("duty1", &duty.passphrase)).await;
    let words = json!({ "passphrase": duty.passphrase });
    let (browser, printed) = does(browser, format!("himaya.send('credentials/recovery-code', {words}, session)")).await;
    assert_eq!(printed["status"], 200, "{printed}");
    let (browser, made) = does(browser, format!("himaya.add(session, {words}, 'açar')")).await;
    assert_eq!((&made["status"], &made["body"]["opens_keys"]), (&json!(200), &json!(false)), "{made}");
    let (browser, came) = does(browser, "himaya.signIn('duty1')".to_owned()).await;
    assert_eq!((&came["status"], &came["body"]["code"]), (&json!(401), &json!("passphrase_needed")), "{came}");
    let both = json!({ "handle": "duty1", "passphrase": duty.passphrase });
    let (browser, came) = does(browser, format!("himaya.send('sessions', {both})")).await;
    assert_eq!((&came["status"], &came["body"]["code"]), (&json!(401), &json!("second_factor_needed")), "{came}");
    let (_browser, came) = does(browser, format!("himaya.signIn('duty1', {words})")).await;
    assert_eq!(came["status"], 201, "{came}");
}
