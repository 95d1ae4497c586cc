//! A browser of one's own: Debian's chromium without a window, spoken to over two pipes.

use base64::Engine as _;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A browser with one page and one authenticator.
pub struct Browser {
    child: Child,
    says: Option<ChildStdin>,
    hears: BufReader<ChildStdout>,
    page: String,
    last: u64,
}

impl Browser {
    /// Opens a page. The browser is an empty one, keeps what it keeps in this folder, and asks nobody else for anything.
    pub fn open(folder: &Path, address: &str) -> Self {
        let program = std::env::var("HIMAYA_TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        std::fs::create_dir_all(folder).unwrap();
        let mut child = Command::new("sh")
            // Over the descriptors 3 and 4 it is told what to do, and says what came of it.
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", &program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"])
            .args(["--remote-debugging-pipe", &format!("--user-data-dir={}", folder.display()), "about:blank"])
            .env("HOME", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let (says, hears) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self { child, says, hears, page: String::new(), last: 0 };
        let target = browser.does("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.does("Target.attachToTarget", &attach);
        browser.page.push_str(attached["sessionId"].as_str().unwrap());
        browser.does("Page.enable", &json!({}));
        let opened = browser.does("Page.navigate", &json!({ "url": address }));
        assert_eq!(opened.get("errorText"), None, "{opened}");
        while browser.hear()["method"] != "Page.loadEventFired" {}
        browser
    }

    fn hear(&mut self) -> Value {
        let mut heard = Vec::new();
        self.hears.read_until(0, &mut heard).unwrap();
        assert_eq!(heard.pop(), Some(0), "the browser is gone: is there one? `deploy/test` finds or fetches it");
        serde_json::from_slice(&heard).unwrap()
    }

    /// One command, and its result.
    pub fn does(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if !self.page.is_empty() {
            command["sessionId"] = json!(self.page);
        }
        let mut bytes = serde_json::to_vec(&command).unwrap();
        bytes.push(0);
        self.says.as_mut().unwrap().write_all(&bytes).unwrap();
        loop {
            let heard = self.hear();
            if heard["id"] == self.last {
                assert_eq!(heard.get("error"), None, "{method}: {heard}");
                return heard["result"].clone();
            }
        }
    }

    /// Gives the browser an authenticator that is always at hand and knows its owner.
    pub fn authenticator(&mut self, prf: bool) {
        self.does("WebAuthn.enable", &json!({}));
        let options = json!({
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true, "hasPrf": prf,
        });
        self.does("WebAuthn.addVirtualAuthenticator", &json!({ "options": options }));
    }

    /// Goes to an address, as somebody does who types it.
    pub fn goes(&mut self, address: &str) {
        self.does("Page.navigate", &json!({ "url": address }));
        while self.hear()["method"] != "Page.loadEventFired" {}
    }

    /// Opens another window and turns to it. The window before, to be turned to again.
    pub fn opens_beside(&mut self, address: &str) -> String {
        let before = std::mem::take(&mut self.page);
        let target = self.does("Target.createTarget", &json!({ "url": address, "background": true }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.does("Target.attachToTarget", &attach);
        self.page.push_str(attached["sessionId"].as_str().unwrap());
        self.does("Page.enable", &json!({}));
        before
    }

    /// Turns to another window that is open. The one before.
    pub fn turns_to(&mut self, window: String) -> String {
        std::mem::replace(&mut self.page, window)
    }

    /// Shows the page anew, as somebody does who presses F5.
    pub fn reloads(&mut self) {
        // The page that is there knows that it is the old one.
        self.runs("window.isOld = true");
        self.does("Page.reload", &json!({}));
        self.until("!window.isOld");
    }

    /// Waits until a script comes to true in whatever page is there then, whole and with its own script running.
    pub fn until(&mut self, script: &str) {
        let began = std::time::Instant::now();
        let whole = format!("document.readyState === 'complete' && Boolean({script})");
        let told = json!({ "expression": whole, "returnByValue": true });
        loop {
            // Between two pages there is none to ask.
            let came = self.tries("Runtime.evaluate", &told);
            if came["result"]["result"]["value"] == true {
                return;
            }
            assert!(began.elapsed().as_secs() < 20, "{script} does not come: {}", self.runs("document.body.innerText"));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// One command, whatever comes of it.
    fn tries(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let command = json!({ "id": self.last, "method": method, "params": params, "sessionId": self.page });
        let mut bytes = serde_json::to_vec(&command).unwrap();
        bytes.push(0);
        self.says.as_mut().unwrap().write_all(&bytes).unwrap();
        loop {
            let heard = self.hear();
            if heard["id"] == self.last {
                return heard;
            }
        }
    }

    /// Presses a key that is no letter, and lets it go.
    pub fn presses(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            " " => 32,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            key => 111 + key[1..].parse::<u32>().expect("a key that is known"),
        };
        let mut told = json!({ "type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": code });
        if let Some(text) = match key {
            "Enter" => Some("\r"),
            " " => Some(" "),
            _ => None,
        } {
            (told["type"], told["text"]) = (json!("keyDown"), json!(text));
        }
        self.does("Input.dispatchKeyEvent", &told);
        told["type"] = json!("keyUp");
        self.does("Input.dispatchKeyEvent", &told);
    }

    /// Goes on by the keyboard until this has the focus.
    pub fn tabs_to(&mut self, selector: &str) {
        for _ in 0..150 {
            if self.runs(&format!("document.activeElement.matches({})", json!(selector))) == true {
                return;
            }
            self.presses("Tab");
        }
        panic!("no key leads to {selector}");
    }

    /// Types into what has the focus.
    pub fn types(&mut self, text: &str) {
        self.does("Input.insertText", &json!({ "text": text }));
    }

    /// A picture of the whole page, so wide, light or dark.
    pub fn picture(&mut self, file: &Path, width: u32, dark: bool) {
        self.runs("scrollTo(0, 0)");
        let scheme = if dark { "dark" } else { "light" };
        self.does(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.does("Emulation.setDeviceMetricsOverride", &size);
        self.does("Emulation.setScrollbarsHidden", &json!({ "hidden": true }));
        let taken = self.does("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
        self.does("Emulation.clearDeviceMetricsOverride", &json!({}));
        self.does("Emulation.setScrollbarsHidden", &json!({ "hidden": false }));
        self.does("Emulation.setEmulatedMedia", &json!({ "features": [] }));
        let bytes = base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// Runs a script in the page, and gives what it comes to.
    pub fn runs(&mut self, script: &str) -> Value {
        let told = json!({ "expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let came = self.does("Runtime.evaluate", &told);
        assert_eq!(came.get("exceptionDetails"), None, "{script}: {came}");
        came["result"]["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without its pipe it ends by itself, with all its processes.
        drop(self.says.take());
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut self.hears, &mut rest);
        let _ = self.child.wait();
    }
}
