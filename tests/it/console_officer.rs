//! The duty officer's and the officer's day in a real browser, by the keyboard alone, in each language: a notice is acknowledged, opened and
//! accepted, and the case is worked on, with a colleague who saves at the same time.

use crate::console_walk::Seat;
use crate::harness::World;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::platform::language::{Language, say};
use serde_json::json;
use tokio::runtime::Handle;

/// A call that is handed over; the text comes with it.
async fn handed_over(operator: &Actor, text: &str) {
    let said = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": text,
        "person": { "first_name": "Leyla" } } });
    let call = operator.post("/api/v1/calls", &said).await.unwrap().id("id");
    let how = json!({ "basis": "vital_interest" });
    assert_eq!(operator.post(&format!("/api/v1/calls/{call}/hand-over"), &how).await.unwrap().status, 201);
}

fn day(seat: &mut Seat, world: &World, handle: &Handle, (duty, officer): (&Actor, &Actor)) {
    let language = seat.language;
    let said = |key: &str, name: &'static str, value: &str| say(language, key, &[(name, value.into())]);
    seat.goes("/");
    seat.signs_in(duty);
    seat.sees("desk", "desk-title");
    let clock = seat.browser.runs("document.querySelector('.rows .state').innerText");
    assert_eq!(clock, say(language, "escalation-in_time", &[]), "the clock is told in words");
    seat.browser.presses("F2");
    seat.browser.until("document.querySelector('[data-key=F8]')");
    seat.looks("desk-acknowledged");
    seat.browser.presses("F8");
    seat.sees_words("notice", &said("notice-title", "number", "1"));
    let told = seat.browser.runs("document.querySelector('.look').innerText");
    assert!(told.as_str().unwrap().contains("Leyla"), "{told}");
    seat.browser.presses("F4");
    seat.sees("return", "return-title");
    seat.presses("a[href='/notices']");
    seat.sees("desk-again", "desk-title");
    seat.browser.presses("F8");
    seat.browser.until("document.querySelector('[data-key=F2]') && location.pathname.length > 20");
    seat.browser.presses("F2");
    seat.sees("accept", "accept-title");
    let account = handle.block_on(officer.get("/api/v1/sessions/current", "")).unwrap().text_of("account").to_owned();
    seat.browser.tabs_to(&format!("input[value='{account}']"));
    seat.browser.presses(" ");
    seat.browser.presses("F2");
    seat.sees_words("case", &said("case-number", "number", "1"));
    let case = seat.browser.runs("location.pathname").as_str().unwrap().to_owned();

    // A note, and a person.
    seat.browser.presses("F2");
    seat.sees("notes", "notes-title");
    seat.types("text", "Zəng etdim. Позвонила. I called.");
    seat.browser.presses("F2");
    seat.browser.until("document.querySelector('article.note .typed')?.innerText.includes('I called.')");
    seat.looks("notes-one");
    seat.presses(&format!("a[href='{case}']"));
    seat.browser.until("document.querySelector('.readers')");
    seat.presses("main details:not(.readers):not([open]) > summary");
    seat.chooses("category", "presumed_victim");
    seat.presses("details[open] button.main");
    seat.browser.until("document.querySelector('a[href$=\"/sections/identity\"]')");
    seat.presses(".readers summary");
    seat.looks("case-person");
    seat.presses("a[href$='/sections/identity']");
    seat.sees("identity", "section-identity");
    seat.types("first_name", "Leyla");
    seat.types("citizenship", "az");
    seat.browser.presses("F2");
    seat.sees_words("case-again", &said("case-number", "number", "1"));

    // A colleague saves the same section meanwhile.
    seat.presses("a[href$='/sections/narrative']");
    seat.sees("narrative", "section-narrative");
    handle.block_on(async {
        let path = format!("/api/v1{case}/sections/narrative");
        let read = officer.get(&path, "case_work").await.unwrap();
        let etag = read.etag.clone().unwrap();
        let there = json!({ "text": "What the colleague wrote.", "acts": ["transfer"] });
        assert_eq!(officer.put(&path, &etag, &there).await.unwrap().status, 200);
    });
    seat.types("text", "What I wrote.");
    seat.browser.tabs_to("input[value=recruitment]");
    seat.browser.presses(" ");
    seat.browser.presses("F2");
    seat.sees("section-conflict", "section-conflict");
    assert_eq!(seat.browser.runs("dispatchEvent(new Event('beforeunload', { cancelable: true }))"), false);
    seat.browser.presses("F2");
    seat.sees_words("case-joined", &said("case-number", "number", "1"));
    seat.presses("a[href$='/sections/narrative']");
    seat.sees("narrative-joined", "section-narrative");
    let text = seat.browser.runs("document.querySelector('[name=text]').value");
    assert_eq!(text, "What the colleague wrote.\n\nWhat I wrote.");
    assert_eq!(seat.browser.runs("document.querySelectorAll('[name=acts]:checked').length"), 2);
    // What is typed is not left by accident.
    seat.types("text", "!");
    assert_eq!(seat.browser.runs("dispatchEvent(new Event('beforeunload', { cancelable: true }))"), false);
    seat.browser.presses("F2");
    seat.browser.until("document.querySelector('.readers')");

    // A task for oneself, and a colleague who may read.
    seat.browser.presses("F4");
    seat.sees("task-new", "task-new");
    seat.chooses("kind", "visit");
    seat.types("text", "Baş çəkmək");
    let tomorrow = (world.clock.now() + TimeDelta::days(1)).format("%Y-%m-%dT%H:%M");
    seat.browser.runs(&format!("document.querySelector('[name=due_at]').value = '{tomorrow}'"));
    seat.browser.presses("F2");
    seat.browser.until("document.querySelector('a[href^=\"/tasks/\"]')");
    seat.looks("case-task");
    seat.browser.presses("F8");
    seat.sees("people", "people-title");
    seat.chooses("relation", "granted");
    seat.chooses("reason", "expertise");
    seat.browser.presses("F2");
    seat.browser.until("document.querySelector('main [role=alert].error, .readers')");
    seat.looks("people-done");
    seat.goes("/cases");
    seat.sees("cases", "cases-title");
    seat.browser.presses("F4");
    seat.sees("task", "task-visit");
    seat.browser.presses("F2");
    seat.sees("cases-done", "cases-title");
    seat.presses("footer form button");
    seat.sees("officer-signed-out", "sign-in-title");
}

async fn walk(language: Language) {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let officer = world.signed_in("officer1").await;
    handed_over(&operator, "Kömək edin").await;
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&world, language);
        day(&mut seat, &world, &handle, (&duty, &officer));
        assert!(seat.pages > 20);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officers_day_in_azerbaijani_on_the_console() {
    walk(Language::Azerbaijani).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officers_day_in_russian_on_the_console() {
    walk(Language::Russian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officers_day_in_english_on_the_console() {
    walk(Language::English).await;
}
