//! The operator's day in a real browser, by the keyboard alone, from the sign-in to the sign-out, in each language; every page is looked at by
//! axe-core. With `CONSOLE_PICTURES` naming a folder, each is also put there as a picture.

use crate::browser::Browser;
use crate::harness::World;
use himaya::demo::actor::Actor;
use himaya::demo::pages as demo;
use himaya::platform::language::{Language, say};
use himaya::platform::serve::Serving;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::runtime::Handle;

const AXE: &str = include_str!("../vendor/axe-core/axe.min.js");

/// What axe-core looks for: WCAG 2.2, A and AA, and what its makers think best.
const RULES: &str = "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }";

/// Somebody at a browser of their own.
pub struct Seat {
    pub browser: Browser,
    base: String,
    pub language: Language,
    pictures: Option<PathBuf>,
    pub pages: usize,
    /// Held in the hand: everything that is pressed is large enough for a finger.
    pub tablet: bool,
}

impl Seat {
    pub fn at(world: &World, language: Language) -> Self {
        let port = world.base.rsplit(':').next().unwrap();
        let base = format!("http://localhost:{port}");
        let mut browser = Browser::open(&world.folder.join(format!("browser-{language}")), &format!("{base}/health"));
        browser.does("Network.enable", &json!({}));
        browser.does("Network.setExtraHTTPHeaders", &json!({ "headers": { "Accept-Language": language.as_str() } }));
        let pictures = std::env::var_os("CONSOLE_PICTURES").map(PathBuf::from);
        Self { browser, base, language, pictures, pages: 0, tablet: false }
    }

    pub fn goes(&mut self, path: &str) {
        let address = format!("{}{path}", self.base);
        self.browser.goes(&address);
    }

    /// Waits for a page, and looks at it: at its words, its title and address, and with axe-core.
    pub fn sees(&mut self, name: &str, key: &str) {
        self.sees_words(name, &say(self.language, key, &[]));
    }

    /// The same, where the page's name says more.
    pub fn sees_words(&mut self, name: &str, words: &str) {
        self.browser.until(&format!("document.querySelector('h1')?.innerText === {}", json!(words)));
        self.looks(name);
    }

    pub fn looks(&mut self, name: &str) {
        let told = self.browser.runs("[document.documentElement.lang, document.title, location.search]");
        assert_eq!(told, json!([self.language.as_str(), "Himaya", ""]), "{name}");
        let nobodys = self.browser.runs(
            "[...document.forms].filter(form => !form.elements.whose?.value).map(form => form.getAttribute('action')).filter(to => !['/language', '/exit', '/sign-out', '/sign-in', '/first'].includes(to))",
        );
        assert_eq!(nobodys, json!([]), "{name}: every form says whose it is");
        self.browser.runs(AXE);
        let found = self.browser.runs(&format!(
            "axe.run(document, {RULES}).then(found => found.violations.map(found => [found.id, found.nodes.map(node => node.html)]))"
        ));
        assert_eq!(found, json!([]), "{name} in {}", self.language);
        // Nothing is wider than the narrowest screen, which is also 200 % of a small one.
        self.browser.does(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": false }),
        );
        let wide = self.browser.runs("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth");
        self.browser.does("Emulation.clearDeviceMetricsOverride", &json!({}));
        assert_eq!(wide, json!(0), "{name} in {}", self.language);
        if self.tablet {
            self.fits_a_finger(name);
        }
        if let Some(folder) = &self.pictures {
            let place = |what: &str| folder.join(format!("{name}-{}-{what}.png", self.language));
            for (what, width, dark) in
                [("light", 1280, false), ("dark", 1280, true), ("tablet", 768, false), ("narrow", 320, false)]
            {
                self.browser.picture(&place(what), width, dark);
            }
        }
        self.pages += 1;
    }

    /// Whatever is pressed is 44 pixels high and wide at least, on a tablet and on the narrowest screen; a link within a sentence is not.
    fn fits_a_finger(&mut self, name: &str) {
        for width in [768, 320] {
            let size = json!({ "width": width, "height": 1024, "deviceScaleFactor": 1, "mobile": false });
            self.browser.does("Emulation.setDeviceMetricsOverride", &size);
            let small = self.browser.runs(
                "[...document.querySelectorAll('button, .button, nav a, .own a, select, textarea, summary, .choices label, input:not([type=hidden], [type=radio], [type=checkbox])')].filter(part => part.checkVisibility()).map(part => [part.outerHTML, part.getBoundingClientRect()]).filter(([, box]) => box.height < 43.5 || box.width < 43.5).map(([part]) => part)",
            );
            self.browser.does("Emulation.clearDeviceMetricsOverride", &json!({}));
            assert_eq!(small, json!([]), "{name} at {width} in {}", self.language);
        }
    }

    /// Types into a field that the keyboard leads to.
    pub fn types(&mut self, name: &str, text: &str) {
        self.browser.tabs_to(&format!("[name=\"{name}\"]"));
        self.browser.types(text);
    }

    /// Goes to a button or a link by the keyboard, and presses it.
    pub fn presses(&mut self, selector: &str) {
        self.browser.tabs_to(selector);
        self.browser.presses("Enter");
    }

    /// The same, and waits for the page that follows.
    pub fn goes_on(&mut self, selector: &str) {
        self.browser.runs("window.isOld = true");
        self.presses(selector);
        self.browser.until("!window.isOld");
    }

    /// Chooses an answer by the arrows.
    pub fn chooses(&mut self, name: &str, value: &str) {
        self.browser.tabs_to(&format!("[name=\"{name}\"]"));
        for _ in 0..12 {
            if self.browser.runs("document.activeElement.value") == value {
                // The first of several is reached before any is chosen.
                if self.browser.runs("document.activeElement.type === 'radio' && !document.activeElement.checked")
                    == true
                {
                    self.browser.presses(" ");
                }
                return;
            }
            self.browser.presses("ArrowDown");
        }
        panic!("{name} has no {value}");
    }

    /// Waits until the call says so of itself.
    fn until_standing(&mut self, name: &str) {
        self.browser.until(&format!("document.querySelector('.standing [data-when={name}]')?.hidden === false"));
    }

    pub fn signs_in(&mut self, actor: &Actor) {
        self.types("handle", &actor.handle);
        self.types("passphrase", &actor.passphrase);
        self.browser.presses("Enter");
    }
}

/// What the duty officer does, between two looks of the operator.
fn duty(handle: &Handle, duty: &Actor, step: &str, body: &Value) {
    handle.block_on(async {
        let queue = duty.get("/api/v1/notices", "intake").await.unwrap();
        let id = queue.body["items"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        let done = duty.post(&format!("/api/v1/notices/{id}/{step}"), body).await.unwrap();
        assert_eq!(done.status, 200, "{}", done.text);
    });
}

/// The whole day.
fn day(seat: &mut Seat, handle: &Handle, operator: &Actor, officer: &Actor) {
    seat.goes("/");
    seat.sees("sign-in", "sign-in-title");
    seat.goes("/first");
    seat.sees("first", "first-title");
    seat.goes("/help");
    seat.sees("help", "page-help");
    seat.goes("/");
    seat.types("handle", "operator1");
    seat.types("passphrase", "wrong words");
    seat.browser.presses("Enter");
    seat.browser.until("document.querySelector('[role=alert].error')");
    seat.looks("sign-in-refused");
    // The name stays.
    assert_eq!(seat.browser.runs("document.querySelector('[name=handle]').value"), "operator1");
    seat.types("passphrase", &operator.passphrase);
    seat.browser.presses("Enter");
    seat.sees("calls", "calls-title");

    // A silent call, by one key; then one that is none.
    seat.browser.presses("F4");
    seat.browser.until("document.querySelectorAll('.rows li').length === 1");
    seat.browser.presses("F2");
    seat.sees("call", "call-title");
    // What was typed is kept at once, before anything was asked.
    seat.types("said", "Kömək edin. Помогите. Help.");
    seat.until_standing("saved");
    seat.browser.reloads();
    seat.browser.until("document.querySelector('[name=said]')?.value === 'Kömək edin. Помогите. Help.'");
    seat.chooses("safe_to_talk", "yes");
    seat.chooses("danger", "soon");
    seat.types("place", "Gəncə");
    seat.chooses("kind", "crisis");
    seat.until_standing("saved");
    seat.looks("call-typed");
    seat.browser.presses("F2");
    seat.sees("hand-over", "hand-over-title");
    let text = seat.browser.runs("document.querySelector('main').innerText");
    assert!(text.as_str().unwrap().contains("Gəncə"), "{text}");
    seat.chooses("basis", "consent");
    seat.presses("main button.main");
    seat.browser.until("location.pathname.startsWith('/slips/')");
    seat.browser.until("document.querySelector('[name=text]')");
    seat.looks("slip");
    seat.types("text", "İkinci mərtəbə");
    seat.goes_on("main button.main");
    let added = say(seat.language, "slip-addenda", &[("number", 1.into())]);
    assert!(seat.browser.runs("document.querySelector('dl').innerText").as_str().unwrap().contains(&added));
    duty(handle, officer, "acknowledge", &json!({}));
    seat.presses("nav a[href='/slips']");
    seat.sees("slips", "slips-title");
    let acknowledged = say(seat.language, "notice-state-acknowledged", &[]);
    assert!(seat.browser.runs("document.querySelector('main').innerText").as_str().unwrap().contains(&acknowledged));
    duty(handle, officer, "return", &json!({ "code": "known_already" }));
    seat.browser.reloads();
    let returned = json!(say(seat.language, "return-code-known_already", &[]));
    seat.browser.until(&format!("document.querySelector('main')?.innerText.includes({returned})"));

    // One who is to be called back.
    seat.presses("nav a[href='/calls']");
    seat.sees("calls-later", "calls-title");
    seat.browser.presses("F2");
    seat.sees("call-empty", "call-title");
    seat.chooses("safe_to_talk", "no");
    seat.chooses("kind", "request_for_help");
    seat.presses("details:not([open]) > summary");
    seat.types("call_back.how", "Ask for the hairdresser");
    seat.presses("button[value=end]");
    seat.sees("call-end", "call-end-title");
    seat.chooses("outcome", "callback_scheduled");
    seat.presses("main button.main");
    seat.sees("call-backs", "back-title");
    seat.presses(".rows a");
    seat.sees("call-back", "back-one");
    let told = seat.browser.runs("document.querySelector('.look').innerText");
    assert!(told.as_str().unwrap().contains("Ask for the hairdresser"), "{told}");
    seat.goes_on("main button.main");
    seat.sees("call-backs-none", "back-title");
    seat.presses("nav a[href='/roster']");
    seat.sees("roster", "roster-title");
    seat.presses("footer a[href='/sessions']");
    seat.sees("sessions", "page-sessions");
    seat.presses("footer form button");
    seat.sees("signed-out", "sign-in-title");
}

async fn walk(language: Language) {
    let world = World::new().await;
    let (operator, officer) = (world.country.person("operator1").unwrap().clone(), world.signed_in("duty1").await);
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&world, language);
        day(&mut seat, &handle, &operator, &officer);
        assert!(seat.pages > 15);
        // Back: nothing of the work is there.
        seat.browser.runs("history.back()");
        seat.browser.until("document.querySelector('[name=passphrase]')");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_day_in_azerbaijani() {
    walk(Language::Azerbaijani).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_day_in_russian() {
    walk(Language::Russian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_day_in_english() {
    walk(Language::English).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_presses_of_escape_empty_the_screen_and_end_the_session() {
    let world = World::new().await;
    let operator = world.country.person("operator1").unwrap().clone();
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&world, Language::English);
        seat.goes("/");
        seat.signs_in(&operator);
        seat.sees("calls", "calls-title");
        seat.browser.presses("F2");
        seat.sees("call", "call-title");
        seat.types("said", "Nobody is to see this");
        let entries = seat.browser.runs("history.length");
        let call = seat.browser.opens_beside(&format!("{}/sessions", seat.base));
        seat.browser.until("location.pathname === '/sessions'");
        let beside = seat.browser.turns_to(call);
        seat.browser.presses("Escape");
        seat.browser.presses("Escape");
        seat.browser.until("location.pathname === '/calendar'");
        let call = seat.browser.turns_to(beside);
        seat.browser.until("location.pathname === '/calendar'");
        seat.browser.turns_to(call);
        assert_eq!(
            seat.browser.runs("history.length"),
            entries,
            "the call's place in the history is the calendar's now"
        );
        assert!(!seat.browser.runs("document.documentElement.outerHTML").as_str().unwrap().contains("Nobody"));
        let kept = seat.browser.does("Network.getCookies", &json!({}));
        assert_eq!(kept["cookies"], json!([]));
        seat.browser.runs("history.back()");
        seat.browser.until("document.querySelector('[name=passphrase]')");
        seat.goes("/calls");
        seat.browser.until("document.querySelector('[name=passphrase]')");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_while_the_line_is_down_or_the_session_over_is_saved_when_it_is_back() {
    let world = World::new().await;
    let operator = world.country.person("operator1").unwrap().clone();
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&world, Language::English);
        seat.goes("/");
        seat.signs_in(&operator);
        seat.sees("calls", "calls-title");
        seat.browser.presses("F2");
        seat.sees("call", "call-title");
        let line = |seat: &mut Seat, down: bool| {
            let told = json!({ "offline": down, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
            seat.browser.does("Network.emulateNetworkConditions", &told);
        };
        line(&mut seat, true);
        seat.types("said", "typed while the line was down.");
        seat.until_standing("offline");
        seat.looks("call-offline");
        // No button leads away from what is not saved.
        seat.browser.presses("F2");
        seat.until_standing("offline");
        line(&mut seat, false);
        seat.until_standing("saved");
        // The session ends elsewhere.
        handle.block_on(async {
            let ended = operator.elsewhere();
            ended.sign_in().await.unwrap();
            assert_eq!(ended.delete("/api/v1/sessions").await.unwrap().status, 200);
        });
        seat.types("said", " Typed after the session.");
        seat.until_standing("again");
        seat.looks("call-again");
        assert_eq!(seat.browser.runs("document.activeElement.name"), "said", "whoever types on types into the call");
        seat.browser.tabs_to("#f-a-handle");
        seat.browser.types("operator1");
        seat.browser.presses("Tab");
        seat.browser.types(&operator.passphrase);
        seat.browser.presses("Enter");
        seat.until_standing("saved");
        seat.browser.reloads();
        seat.browser.until("document.querySelector('[name=said]')?.value.includes('was down.') && document.querySelector('[name=said]').value.includes('after the session.')");
        // Another tab saved meanwhile: both texts are shown.
        seat.browser.runs(
            "fetch(location.pathname, { method: 'POST', body: new URLSearchParams({ etag: document.forms.call.elements.etag.value, said: 'from another tab', do: 'save' }) }).then(() => 0)",
        );
        seat.types("said", " And more.");
        seat.sees("call-conflict", "call-conflict");
        seat.presses("button[value=both]");
        seat.browser.until("document.querySelector('[name=said]')?.value.includes('from another tab') && document.querySelector('[name=said]').value.includes('And more.')");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstrations_page_signs_in_at_the_address_that_it_prints() {
    let world = World::new().await;
    let people = demo::People::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = Serving::start_beside(&world.app, listener, demo::pages(&people));
    assert!(people.set(demo::people(&world.country)).is_ok());
    tokio::task::spawn_blocking(move || {
        let mut seat = Seat::at(&world, Language::English);
        seat.base = address;
        seat.goes(demo::AT);
        seat.sees("demo", "demo-title");
        // A browser keeps what is for TLS alone also for this machine.
        seat.browser.runs("document.querySelector('input[value=duty1]').form.requestSubmit()");
        seat.sees("demo-desk", "desk-title");
    })
    .await
    .unwrap();
    serving.stop().await.unwrap();
}
