//! The console's pages as a browser without a script sees them: cookies, headers, forms, and what happens when something goes wrong.

use crate::harness::World;
use crate::matrix::{count, reviewed};
use himaya::demo::actor::Actor;
use himaya::demo::{pages as demo, stay, story};
use himaya::platform::page;
use himaya::platform::serve::Serving;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, redirect};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// A browser's cookies, and nothing else of it.
#[derive(Clone)]
pub struct Tab {
    client: Client,
    base: String,
    pub cookies: BTreeMap<String, String>,
    pub language: &'static str,
}

/// What a page answered.
pub struct Shown {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Shown {
    pub fn to(&self) -> &str {
        self.headers.get("location").map_or("", |to| to.to_str().unwrap())
    }

    /// The value of the first hidden field of this name.
    pub fn field(&self, name: &str) -> String {
        let from =
            self.text.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {}", self.text));
        self.text[from..].split('"').nth(3).unwrap().replace("&#34;", "\"")
    }

    /// What a browser would send of the form with this id, as it stands there.
    pub fn form(&self, id: &str) -> Vec<(String, String)> {
        let from = self.text.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id}: {}", self.text));
        let form = self.text[from..].split("</form>").next().unwrap();
        let plain = |text: &str| {
            let text = text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">");
            text.replace("&#38;", "&")
        };
        let said = |tag: &str, name: &str| {
            tag.split_once(&format!(" {name}=\"")).map(|(_, rest)| plain(rest.split('"').next().unwrap()))
        };
        let (mut fields, mut select) = (Vec::new(), String::new());
        for tag in form.split('<').skip(1) {
            let (tag, after) = tag.split_once('>').unwrap();
            let name = said(tag, "name").unwrap_or_default();
            match tag.split_whitespace().next().unwrap() {
                "input" => {
                    let asked = matches!(said(tag, "type").as_deref(), Some("radio" | "checkbox"));
                    if !asked || tag.ends_with("checked") {
                        fields.push((name, said(tag, "value").unwrap_or_default()));
                    }
                }
                // The line end after the tag is none of its own.
                "textarea" => fields.push((name, plain(after.strip_prefix('\n').unwrap_or(after)))),
                "select" => select = name,
                "option" if tag.ends_with("selected") => fields.push((select.clone(), said(tag, "value").unwrap())),
                _ => {}
            }
        }
        fields
    }

    pub fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Tab {
    pub fn new(base: &str) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { client, base: base.to_owned(), cookies: BTreeMap::new(), language: "en" }
    }

    /// In the session that somebody has already.
    pub async fn of(world: &World, actor: &Actor) -> Self {
        let (access, secret, refresh) = actor.secrets().await;
        let mut tab = Self::new(&world.base);
        for (name, value) in [("access", access), ("session", secret), ("refresh", refresh)] {
            tab.cookies.insert(format!("__Host-himaya-{name}"), value);
        }
        tab
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Shown {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("cookie", cookies.join("; ")).header("accept-language", self.language);
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for set in headers.get_all("set-cookie") {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Shown { status, headers, text: answer.text().await.unwrap() }
    }

    pub async fn get(&mut self, path: &str) -> Shown {
        let request = self.client.get(format!("{}{path}", self.base)).header("accept", "text/html");
        self.send(request).await
    }

    /// The same, asked for by a page of this site.
    pub async fn get_from(&mut self, site: &str, path: &str) -> Shown {
        let request = self.client.get(format!("{}{path}", self.base)).header("accept", "text/html");
        self.send(request.header("sec-fetch-site", site)).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let encoded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let request = self.client.post(format!("{}{path}", self.base)).header("accept", "text/html");
        let request =
            request.header("sec-fetch-site", "same-origin").header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(pairs.join("&"))).await
    }

    /// Sends a form as it stood on a page, with these fields typed into it.
    pub async fn sends(&mut self, path: &str, form: &[(String, String)], typed: &[(&str, &str)]) -> Shown {
        let kept = form.iter().filter(|(name, _)| !typed.iter().any(|(other, _)| other == name));
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        self.post(path, &kept.chain(typed.iter().copied()).collect::<Vec<_>>()).await
    }

    /// Starts a call, and shows its page.
    async fn call(&mut self) -> (String, Shown) {
        let key = self.get("/calls").await.expect(200).field("key");
        let path = self.post("/calls", &[("key", &key)]).await.expect(303).to().to_owned();
        let page = self.get(&path).await.expect(200);
        (path, page)
    }
}

/// The words of a page: what stands in a language under this key.
pub fn words(language: &str, key: &str) -> String {
    let said = himaya::platform::language::say(language.parse().unwrap(), key, &[]);
    assert_ne!(said, key, "a key that stands nowhere");
    said.replace('\'', "&#39;")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_forbids_what_it_does_not_need_and_keeps_its_session_from_scripts_and_other_sites() {
    let world = World::new().await;
    let operator = world.country.person("operator1").unwrap().clone();
    let mut tab = Tab::new(&world.base);
    let signed_in = [("handle", "operator1"), ("passphrase", operator.passphrase.as_str()), ("to", "/")];
    let came = tab.post("/sign-in", &signed_in).await.expect(303);
    let set: Vec<&str> = came.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap()).collect();
    assert_eq!(set.len(), 4, "{set:?}");
    for cookie in set {
        assert!(cookie.starts_with("__Host-himaya-"), "{cookie}");
        assert!(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
        // What opens goes with the browser; a device's token opens nothing.
        assert_eq!(cookie.contains("Max-Age"), cookie.starts_with("__Host-himaya-device"), "{cookie}");
    }
    let shown = tab.get("/calls").await.expect(200);
    let style = shown.text.split("href=\"/files/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for path in ["/calls", "/first", "/help", "/calendar", "/no-such-page", "/calls/none"] {
        let shown = tab.get(path).await;
        let header = |name: &str| shown.headers.get(name).map_or("", |value| value.to_str().unwrap());
        let content = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(content.contains(part), "{path}: {content}");
        }
        assert!(!content.contains("unsafe") && !content.contains("data:"), "{content}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(header(name), value, "{path} {name}");
        }
        assert!(header("permissions-policy").contains("microphone=()"), "{path}");
        // Nothing inline: no style, no script, no handler.
        assert!(!shown.has("<style") && !shown.has(" style=") && !shown.has(" onclick=") && !shown.has("javascript:"));
        assert_eq!(
            shown.text.matches("<script").count(),
            shown.text.matches("<script src=\"/files/").count(),
            "{path}"
        );
        assert!(shown.text.len() < 60 * 1024, "{path}: {} bytes", shown.text.len());
    }
    let file = tab.get(&format!("/files/{style}")).await.expect(200);
    assert!(file.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(tab.get("/files/other.css").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_elsewhere_does_nothing_and_is_answered_in_words() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut tab = Tab::of(&world, &operator).await;
    let key = tab.get("/calls").await.field("key");
    let mut owner = world.owner().await;
    let before = count(&mut owner).await;
    let address = format!("{}/calls", world.base);
    let form = "application/x-www-form-urlencoded";
    for headers in [
        vec![("sec-fetch-site", "cross-site"), ("content-type", form)],
        vec![("sec-fetch-site", "same-site"), ("content-type", form)],
        vec![("sec-fetch-site", "none"), ("content-type", form)],
        vec![("origin", "https://evil.example"), ("content-type", form)],
        vec![("origin", "null"), ("content-type", form)],
        vec![("content-type", form)],
    ] {
        let mut request = tab.client.post(&address).body(format!("key={key}&kind=silent"));
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let refused = tab.send(request).await;
        assert_eq!(refused.status, 403, "{headers:?}");
        assert!(refused.has(&words("en", "problem-not_from_here")), "{}", refused.text);
    }
    // A form that is none, from a page of ours.
    for (kind, body) in [("text/plain", "kind=silent"), ("application/json", "{}"), (form, "kind=%ff")] {
        let request = tab.client.post(&address).header("sec-fetch-site", "same-origin").header("content-type", kind);
        assert_eq!(tab.send(request.body(body)).await.status, 400);
    }
    // Whoever is told so is looked up, to be shown their own work; nothing else happened.
    let listed = operator.get("/api/v1/calls", "intake").await.unwrap();
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 0);
    assert_eq!(count(&mut owner).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_enters_what_it_shows_once_and_what_nobody_asked_for_not_at_all() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut tab = Tab::of(&world, &operator).await;
    let (call, _) = tab.call().await;
    let mut owner = world.owner().await;
    for (page, asked) in [
        ("/calls", &["/api/v1/calls"][..]),
        (&call, &[&format!("/api/v1{call}")]),
        ("/slips", &["/api/v1/slips"]),
        ("/call-backs", &["/api/v1/tasks?due=any"]),
        ("/roster", &["/api/v1/roster", "/api/v1/colleagues?limit=100"]),
        ("/sessions", &["/api/v1/sessions"]),
    ] {
        let before = count(&mut owner).await;
        for path in asked {
            assert_eq!(operator.get(path, "intake").await.unwrap().status, 200, "{path}");
        }
        let by_the_api = count(&mut owner).await - before;
        tab.get(page).await.expect(200);
        assert_eq!(count(&mut owner).await, before + 2 * by_the_api, "{page}");
        // A browser that guesses what somebody will look at next reads nothing.
        for guess in ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"] {
            let request = tab.client.get(format!("{}{page}", world.base)).header("sec-purpose", guess);
            assert_eq!(tab.send(request).await.status, 503, "{page} {guess}");
        }
        assert_eq!(count(&mut owner).await, before + 2 * by_the_api, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_a_form_leads_to_a_page_that_is_there() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut tab = Tab::of(&world, &operator).await;
    let mut nobody = Tab::new(&world.base);
    let refused = nobody.post("/sign-in", &[("handle", "operator1"), ("passphrase", "no"), ("to", "/slips")]).await;
    let (_, page) = tab.call().await;
    let unknown = himaya::platform::random::uuid();
    let ended = nobody.post(&format!("/sessions/{unknown}/end"), &[]).await;
    let problem = tab.post(&format!("/call-backs/{unknown}/done"), &[]).await;
    for (shown, status, to) in
        [(refused, 401, "/slips"), (ended, 401, "/"), (problem, 404, "/"), (page, 200, "/calls/")]
    {
        let shown = shown.expect(status);
        assert!(shown.field("to").starts_with(to), "{}", shown.text);
        let other = tab.post("/language", &[("speak", "ru"), ("to", &shown.field("to"))]).await.expect(303);
        assert!(matches!(tab.get(other.to()).await.status, 200 | 303), "{}", other.to());
    }
    // An address that names nothing is answered as one that names what is not there.
    for path in ["/calls/before/x", "/slips/before/x", "/calls/x", "/slips/x"] {
        assert!(tab.get(path).await.expect(404).has(&words("ru", "problem-not_found")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_written_down_and_handed_over_without_a_script() {
    let world = World::new().await;
    let mut tab = Tab::of(&world, &world.signed_in("operator1").await).await;
    let (path, page) = tab.call().await;
    let (etag, opened) = (page.field("etag"), page.field("opened"));
    let typed = |etag: &str, more: &[(&'static str, &str)]| {
        let mut fields = vec![("etag", etag.to_owned()), ("opened", opened.clone())];
        fields.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        fields
    };
    // What kind of call it is has to be said first; what was typed is there all the same.
    let fields = typed(&etag, &[("said", "<b>Kömək & \"yardım\"</b>\r\nİkinci"), ("do", "hand-over")]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let early = tab.post(&path, &fields).await;
    assert_eq!(early.status, 422);
    assert!(early.has(&words("en", "call-rule-kind")) && early.has("Kömək &#38; &#34;yardım&#34;"), "{}", early.text);
    assert!(!early.has("<b>"), "what was typed is text");
    let etag = early.field("etag");
    let fields = typed(
        &etag,
        &[
            ("safe_to_talk", "yes"),
            ("kind", "crisis"),
            ("said", "Kömək"),
            ("person.first_name", "Leyla"),
            ("do", "hand-over"),
        ],
    );
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let saved = tab.post(&path, &fields).await.expect(303);
    assert_eq!(saved.to(), format!("{path}/hand-over"));
    let look = tab.get(saved.to()).await.expect(200);
    assert!(look.has("Kömək") && look.has("Leyla") && look.has(&words("en", "hand-over-once")));
    let key = look.field("key");
    let refused = tab.post(saved.to(), &[("key", &key), ("basis", "pseudonymous")]).await.expect(422);
    assert!(refused.has(&words("en", "hand-over-leave-rule")));
    assert_eq!(refused.field("key"), key);
    // Pressed twice: one notice, and the same slip.
    let mut second = tab.clone();
    let fields = [("key", key.as_str()), ("basis", "pseudonymous"), ("leave_behind", "yes")];
    let (first, again) = tokio::join!(tab.post(saved.to(), &fields), second.post(saved.to(), &fields));
    assert_eq!((first.status, again.status, first.to()), (303, 303, again.to()), "{} {}", first.text, again.text);
    let slip = tab.get(first.to()).await.expect(200);
    assert!(slip.has(&words("en", "notice-state-sent")) && !slip.has("Kömək") && !slip.has("Leyla"));
    // The call is gone, in words, and what is typed into another tab of it is not lost.
    let back = tab.get(&path).await.expect(404);
    assert!(back.has(&words("en", "problem-not_found")));
    let late = tab.post(&path, &[("etag", &etag), ("said", "She calls again"), ("do", "save")]).await.expect(404);
    assert!(late.has("She calls again") && late.has(&words("en", "call-gone-why")));
    // An addendum, and one in vain.
    let (path, key) = (first.to().to_owned(), slip.field("key"));
    let empty = tab.post(&path, &[("key", &key), ("text", "  ")]).await.expect(422);
    assert!(empty.has(&words("en", "slip-addendum-rule")));
    let added = tab.post(&path, &[("key", &key), ("text", "A second floor")]).await.expect(303);
    let slip = tab.get(added.to()).await.expect(200);
    assert!(slip.has("one addendum") && !slip.has("A second floor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_lose_nothing_of_each_other() {
    let world = World::new().await;
    let mut tab = Tab::of(&world, &world.signed_in("operator1").await).await;
    let (path, page) = tab.call().await;
    let (etag, opened) = (page.field("etag"), page.field("opened"));
    let there = [
        ("etag", etag.as_str()),
        ("opened", &opened),
        ("safe_to_talk", "yes"),
        ("said", "typed there"),
        ("do", "save"),
    ];
    tab.post(&path, &there).await.expect(303);
    let here =
        [("etag", etag.as_str()), ("opened", &opened), ("safe_to_talk", "no"), ("said", "typed here"), ("do", "save")];
    let conflict = tab.post(&path, &here).await.expect(412);
    assert!(
        conflict.has("typed there") && conflict.has("typed here") && conflict.has(&words("en", "call-conflict-why"))
    );
    let newer = conflict.field("etag");
    assert_ne!(newer, etag);
    // Another language shows both again and decides nothing.
    let kept = [("differs", "yes"), ("etag", newer.as_str()), ("safe_to_talk", "no"), ("said", "typed here")];
    let russian = tab.post(&path, &[&kept[..], &[("speak", "ru")]].concat()).await.expect(412);
    assert!(russian.has(&words("ru", "call-conflict-why")) && russian.has("typed there") && russian.has("lang=\"ru\""));
    let both = tab.post(&path, &[&kept[..], &[("choice", "both")]].concat()).await.expect(303);
    let page = tab.get(both.to()).await.expect(200);
    assert!(page.has("typed there\n\ntyped here"), "{}", page.text);
    assert!(page.has("name=\"safe_to_talk\" value=\"no\" checked"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_somebody_types_costs_no_word() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut tab = Tab::of(&world, &operator).await;
    let (path, page) = tab.call().await;
    let (etag, opened) = (page.field("etag"), page.field("opened"));
    assert_eq!(operator.delete("/api/v1/sessions/current").await.unwrap().status, 200);
    let typed = [("etag", etag.as_str()), ("opened", &opened), ("said", "said \"before\" it ended"), ("do", "save")];
    let ended = tab.post(&path, &typed).await.expect(401);
    assert!(ended.has("said &#34;before&#34; it ended") && ended.has(&words("en", "page-again-why")), "{}", ended.text);
    // Wrong words cost nothing either.
    let wrong = [&typed[..], &[("again-handle", "operator1"), ("again-passphrase", "wrong words")]].concat();
    let refused = tab.post(&path, &wrong).await.expect(401);
    assert!(refused.has("said &#34;before&#34; it ended") && refused.has(&words("en", "problem-wrong_credentials")));
    assert!(!refused.has("wrong words"), "a passphrase is never sent back");
    let right =
        [&typed[..], &[("again-handle", "operator1"), ("again-passphrase", operator.passphrase.as_str())]].concat();
    let saved = tab.post(&path, &right).await.expect(303);
    assert!(tab.get(saved.to()).await.expect(200).has("said &#34;before&#34; it ended"));
    // Whoever only looked is shown the door, and comes back to the same page.
    let mut nobody = Tab::new(&world.base);
    let door = nobody.get(&path).await.expect(401);
    assert_eq!(door.field("to"), path);
    for elsewhere in ["//evil.example", "https://evil.example/", "/\\evil.example"] {
        let fields = [("handle", "operator1"), ("passphrase", operator.passphrase.as_str()), ("to", elsewhere)];
        assert_eq!(nobody.post("/sign-in", &fields).await.expect(303).to(), "/");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_when_its_token_runs_out_and_two_pages_renew_it_as_one() {
    let world = World::new().await;
    let operator = world.country.person("operator1").unwrap().clone();
    let mut tab = Tab::new(&world.base);
    tab.post("/sign-in", &[("handle", "operator1"), ("passphrase", &operator.passphrase)]).await.expect(303);
    let before = tab.cookies.clone();
    for _ in 0..3 {
        world.clock.advance(chrono::TimeDelta::minutes(6));
        let (mut one, mut other) = (tab.clone(), tab.clone());
        let (first, second) = tokio::join!(one.get("/calls"), other.get("/slips"));
        assert_eq!((first.status, second.status), (200, 200), "{} {}", first.text, second.text);
        assert_eq!(one.cookies, other.cookies, "both keep the same handle");
        // The browser keeps whichever came last.
        tab = other;
    }
    assert_ne!(tab.cookies["__Host-himaya-refresh"], before["__Host-himaya-refresh"]);
    assert_eq!(tab.cookies["__Host-himaya-session"], before["__Host-himaya-session"]);
    // A handle that somebody copied ends the session, for both.
    let mut thief = tab.clone();
    thief.cookies.clone_from(&before);
    assert_eq!(thief.get("/calls").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_in_words_and_stays_in_the_form() {
    let world = World::new().await;
    let mut tab = Tab::of(&world, &world.signed_in("operator1").await).await;
    tab.language = "az";
    let (path, page) = tab.call().await;
    let (etag, opened) = (page.field("etag"), page.field("opened"));
    for size in [20_001, 100_000] {
        let long = "Ə".repeat(size);
        let fields = [
            ("etag", etag.as_str()),
            ("opened", &opened),
            ("said", &long),
            ("person.age_estimate", "otuz"),
            ("do", "save"),
        ];
        let refused = tab.post(&path, &fields).await;
        assert!(matches!(refused.status, 413 | 422), "{}", refused.status);
        assert!(refused.has(&long), "nothing typed is lost");
        assert_eq!(refused.field("etag"), etag);
    }
    let fields = [
        ("etag", etag.as_str()),
        ("opened", &opened),
        ("person.age_estimate", "otuz"),
        ("person.citizenship", "az"),
        ("do", "save"),
    ];
    let refused = tab.post(&path, &fields).await.expect(422);
    assert!(
        refused.has(&words("az", "call-rule-person-age_estimate"))
            && !refused.has(&words("az", "call-rule-person-citizenship"))
    );
    let long = "x".repeat(20_001);
    let refused =
        tab.post(&path, &[("etag", &etag), ("opened", &opened), ("said", &long), ("do", "save")]).await.expect(422);
    assert!(refused.has(&words("az", "call-rule-said")));
    let whole = "x".repeat(2 * 1024 * 1024);
    let refused = tab.post(&path, &[("etag", &etag), ("said", &whole)]).await;
    assert_eq!(refused.status, 413);
    assert!(refused.has(&words("az", "problem-too_large")));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_leaves_nothing() {
    let world = World::new().await;
    let mut tab = Tab::of(&world, &world.signed_in("operator1").await).await;
    tab.post("/language", &[("speak", "ru"), ("to", "/calls")]).await.expect(303);
    let left = tab.post("/exit", &[]).await.expect(303);
    assert_eq!(left.to(), "/calendar");
    assert_eq!(left.headers["clear-site-data"], "\"cache\", \"storage\"");
    assert!(tab.cookies.is_empty(), "{:?}", tab.cookies.keys());
    let away = tab.get("/calendar").await.expect(200);
    assert!(!away.text.to_lowercase().contains("himaya"), "{}", away.text);
    let mut with = Tab::of(&world, &world.country.person("operator1").unwrap().clone()).await;
    assert_eq!(with.get("/calls").await.status, 401, "the session is over on the service too");
    // Without a session, and again, it works all the same.
    assert_eq!(tab.post("/exit", &[]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_time_explains_the_words_and_shows_them_once() {
    let world = World::new().await;
    let admin = world.signed_in("admin1").await;
    let made = json!({ "organisation": world.country.organisations["helpline"], "handle": "operator3" });
    let made = admin.post("/api/v1/accounts", &made).await.unwrap();
    let code = made.text_of("enrolment_code").to_owned();
    let mut tab = Tab::new(&world.base);
    let wrong = tab.post("/first", &[("handle", "operator3"), ("code", "wrong")]).await.expect(401);
    assert!(wrong.has(&words("en", "first-wrong")) && !wrong.has("value=\"wrong\""));
    let shown = tab.post("/first", &[("handle", "operator3"), ("code", &code)]).await.expect(200);
    let passphrase =
        shown.text.split("class=\"secret\" lang=\"en\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(passphrase.split(' ').count(), 7);
    assert!(shown.has(&made.id("id").to_string()) && shown.has(&words("en", "first-once")));
    let again = tab.post("/first", &[("handle", "operator3"), ("code", &code)]).await.expect(401);
    assert!(!again.has(&passphrase));
    let came = tab.post("/sign-in", &[("handle", "operator3"), ("passphrase", &passphrase)]).await.expect(303);
    // Nobody has admitted them yet: that is said, and no work is shown.
    let home = tab.get(came.to()).await.expect(200);
    assert!(home.has(&words("en", "page-home-nothing")) && !home.has("/calls"), "{}", home.text);
    assert_eq!(tab.get("/calls").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_and_a_lost_passphrase_have_their_place_at_the_door() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let fresh = json!({ "passphrase": operator.passphrase });
    let code =
        operator.post("/api/v1/credentials/recovery-code", &fresh).await.unwrap().text_of("recovery_code").to_owned();
    let mut tab = Tab::new(&world.base);
    let came =
        tab.post("/sign-in", &[("handle", "operator1"), ("recovery_code", &code), ("to", "/slips")]).await.expect(200);
    let shown: Vec<&str> =
        came.text.split("class=\"secret\" lang=\"en\">").skip(1).map(|part| part.split('<').next().unwrap()).collect();
    assert_eq!(shown.iter().map(|words| words.split(' ').count()).collect::<Vec<_>>(), [7, 10], "{}", came.text);
    assert!(came.has("href=\"/slips\""));
    let mut other = Tab::new(&world.base);
    assert_eq!(
        other.post("/sign-in", &[("handle", "operator1"), ("passphrase", &operator.passphrase)]).await.status,
        401
    );
    assert_eq!(other.post("/sign-in", &[("handle", "operator1"), ("passphrase", shown[0])]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_shows_exactly_whom_the_reviewed_list_names_what_the_api_lets_them_see() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let draft = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id").to_string();
    let sent = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent =
        operator.post(&format!("/api/v1/calls/{sent}/hand-over"), &json!({ "basis": "pseudonymous" })).await.unwrap();
    let back = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let closed = operator
        .post(&format!("/api/v1/calls/{back}/close"), &json!({ "outcome": "callback_scheduled" }))
        .await
        .unwrap();
    let (slip, task) = (sent.id("id").to_string(), closed.id("task").to_string());
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let due = world.clock.now() + chrono::TimeDelta::days(1);
    let visit = json!({ "kind": "visit", "text": "x", "assignee": officer.account, "due_at": due });
    let visit =
        officer.post(&format!("/api/v1/cases/{}/tasks", played.case), &visit).await.unwrap().id("id").to_string();
    let (case, person) = (played.case.to_string(), played.person.to_string());
    let played = story::Played { house: stay::open_house(&world.country).await.unwrap(), ..played };
    let told = stay::said(world.country.organisations["accommodation"], "care", "placement", "given");
    let consents = format!("/api/v1/cases/{case}/persons/{person}/consents");
    assert_eq!(officer.post(&consents, &told).await.unwrap().status, 201);
    let placements = format!("/api/v1/cases/{case}/placements");
    let placement = officer.post(&placements, &stay::asked(&played)).await.unwrap().id("id").to_string();
    let house = played.house.to_string();
    let nobodys = himaya::platform::random::uuid().to_string();
    let concrete = |path: &str| {
        let id = match path {
            path if path.starts_with("/calls/") => &draft,
            path if path.starts_with("/slips/") || path.starts_with("/notices/") => &slip,
            path if path.starts_with("/cases/") => &case,
            path if path.starts_with("/tasks/") => &visit,
            path if path.starts_with("/placements/") => &placement,
            path if path.starts_with("/houses/") => &house,
            path if path.starts_with("/call-backs/") => &task,
            _ => &nobodys,
        };
        let kind = if path.contains("{person}") { "identity" } else { "narrative" };
        let cursor = match path {
            path if path.starts_with("/notices/") => "0.0.0",
            path if path.starts_with("/placements/") => "0.9",
            path if path.starts_with("/accounts/") => &nobodys,
            _ => "1",
        };
        let path = path.replace("{id}", id).replace("{person}", &person).replace("{kind}", kind);
        path.replace("{cursor}", cursor)
            .replace("{name}", "none.css")
            .replace("{file}", &nobodys)
            .replace("{removal}", &nobodys)
    };
    let mut pages = page::listed();
    // What changes something comes after what only shows, and what ends the session last.
    pages.sort_by_key(|(method, path)| {
        let ends =
            ["/sessions/end-others", "/sign-out", "/exit"].iter().position(|end| end == path).map_or(0, |at| at + 1);
        let done = usize::from(path.ends_with("/done") || path.ends_with("/leave"));
        (*method != Method::GET, ends, done, *path)
    });
    let roles: BTreeSet<&str> = world.country.everybody().map(|(_, role)| role).collect();
    let mut tabs = Vec::new();
    for role in roles {
        // The operator whose things these are, and the first of each other role.
        let mut people = world.country.everybody().filter(|(_, of)| *of == role).map(|(actor, _)| actor.handle.clone());
        let handle = people.next().unwrap();
        tabs.push((handle.clone(), Tab::of(&world, &world.signed_in(&handle).await).await));
    }
    tabs.push(("operator2".to_owned(), Tab::of(&world, &world.signed_in("operator2").await).await));
    tabs.push(("nobody".to_owned(), Tab::new(&world.base)));
    let (mut owner, mut list) = (world.owner().await, String::new());
    let (reasons, mut silent, mut entered) = (reviewed(4), BTreeSet::new(), BTreeSet::new());
    for (method, path) in pages {
        let _ = writeln!(list, "{method} {path}");
        for (handle, tab) in &mut tabs {
            if path == "/exit" && handle != "nobody" {
                // Signed out by the page before.
                let passphrase = world.country.person(handle).unwrap().passphrase.clone();
                tab.post("/sign-in", &[("handle", handle), ("passphrase", &passphrase)]).await.expect(303);
            }
            let before = count(&mut owner).await;
            let shown = if method == Method::GET {
                tab.get(&concrete(path)).await
            } else {
                tab.post(&concrete(path), &[]).await
            };
            let made = count(&mut owner).await - before;
            assert!(shown.status < 500, "{handle} {method} {path}: {} {}", shown.status, shown.text);
            let page = format!("{method} {path}");
            let asked = handle != "nobody" && matches!(shown.status, 200 | 303 | 403 | 404);
            assert!(
                reasons.contains_key(&page) || !asked || made >= 1,
                "{handle} {page}: {} and no entry",
                shown.status
            );
            assert!(handle != "nobody" || made == 0, "{page}: nobody is entered");
            if made == 0 && !entered.contains(&page) {
                silent.insert(page);
            } else {
                silent.remove(&page);
                entered.insert(page);
            }
            let _ = writeln!(list, "  {handle:<14} {}", shown.status);
        }
    }
    assert_eq!(
        silent,
        reasons.into_keys().collect(),
        "policies/no-entry.txt, part 4: a line for each, with its reason"
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pages.txt");
    if std::env::var_os("HIMAYA_WRITE_MATRIX").is_some() {
        std::fs::write(&file, &list).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = reviewed.lines().zip(list.lines()).position(|(a, b)| a != b);
    assert!(reviewed == list, "differs at line {difference:?}; write it anew with HIMAYA_WRITE_MATRIX=1 and review");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_shows_passphrases_is_the_demonstrations_alone() {
    let world = World::new().await;
    assert_eq!(Tab::new(&world.base).get(demo::AT).await.status, 404, "a service has no such page");
    let people = demo::People::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = Serving::start_beside(&world.app, listener, demo::pages(&people));
    assert!(people.set(demo::people(&world.country)).is_ok());
    let mut tab = Tab::new(&base);
    for language in ["az", "ru", "en"] {
        tab.language = language;
        let shown = tab.get(demo::AT).await.expect(200);
        assert!(shown.has(&words(language, "demo-title")));
        for (actor, role) in world.country.everybody() {
            assert!(shown.has(&actor.passphrase) && shown.has(&words(language, &format!("post-{role}"))), "{role}");
        }
    }
    // One button for each: it signs in, and leads to that person's work.
    for (handle, to) in [("operator1", "/calls"), ("duty1", "/notices"), ("officer1", "/cases")] {
        let mut tab = Tab::new(&base);
        let passphrase = world.country.person(handle).unwrap().passphrase.clone();
        tab.post("/sign-in", &[("handle", handle), ("passphrase", &passphrase), ("to", "/")]).await.expect(303);
        assert_eq!(tab.get("/").await.expect(303).to(), to);
    }
    serving.stop().await.unwrap();
}
