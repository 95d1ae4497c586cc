//! Secrets that lie sealed in their files by a key in a PKCS#11 token: the distribution's `SoftHSM2`, and the real binary.

use crate::harness::World;
use crate::rotation_running::{Process, serve_with, written};
use himaya::platform::config::Config;
use himaya::platform::secrets::{KeeperConfig, Named, TokenConfig};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `deploy/test` finds or fetches it, and says where its library and its tool are.
fn softhsm(what: &str) -> PathBuf {
    let place = std::env::var_os(what).unwrap_or_else(|| panic!("{what} is not set: `deploy/test` sees to SoftHSM2"));
    place.into()
}

/// A token of this test's own.
struct Hsm {
    settings: PathBuf,
    config: TokenConfig,
}

impl Hsm {
    fn new(folder: &Path) -> Self {
        let (tokens, settings) = (folder.join("tokens"), folder.join("softhsm2.conf"));
        std::fs::create_dir(&tokens).unwrap();
        std::fs::write(&settings, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).unwrap();
        let pin_file = folder.join("pin");
        std::fs::write(&pin_file, "87654321\n").unwrap();
        std::fs::set_permissions(&pin_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let config = TokenConfig {
            module: softhsm("HIMAYA_TEST_PKCS11"),
            token: "himaya".to_owned(),
            key: "secrets".to_owned(),
            pin_file,
        };
        let hsm = Self { settings, config };
        hsm.tool(&["--init-token", "--free", "--label", "himaya", "--so-pin", "12345678", "--pin", "87654321"]);
        for (label, byte) in [("secrets", 7), ("other", 8)] {
            let key = folder.join("aes");
            std::fs::write(&key, [byte; 32]).unwrap();
            let id = format!("0{byte}");
            hsm.tool(&[
                "--import",
                key.to_str().unwrap(),
                "--aes",
                "--token",
                "himaya",
                "--label",
                label,
                "--id",
                &id,
                "--pin",
                "87654321",
            ]);
        }
        hsm
    }

    fn tool(&self, arguments: &[&str]) {
        let done = Command::new(softhsm("HIMAYA_TEST_SOFTHSM_UTIL"))
            .args(["--module", self.config.module.to_str().unwrap()])
            .args(arguments)
            .env("SOFTHSM2_CONF", &self.settings)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The command, with this token, and whatever is changed about it.
    fn himaya(&self, world: &World, change: impl FnOnce(&mut TokenConfig), arguments: &[&str]) -> Output {
        let mut config = self.config.clone();
        change(&mut config);
        let file = written(world, |all| Config { secrets_keeper: KeeperConfig::Pkcs11(config), ..all });
        let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
        command.args(arguments).arg("--config").arg(file).env("SOFTHSM2_CONF", &self.settings).output().unwrap()
    }

    fn well(&self, world: &World, arguments: &[&str]) {
        let done = self.himaya(world, |_| {}, arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// What is said when it does not start.
    fn refuses(&self, world: &World, change: impl FnOnce(&mut TokenConfig), why: &str) {
        let done = self.himaya(world, change, &["audit", "verify"]);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(why), "{why}: {said}");
        assert!(!said.contains("87654321"), "the PIN is told nobody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_by_a_token_the_secrets_open_at_the_start_and_are_exchanged() {
    let mut world = World::new().await;
    world.stop().await;
    let folder = world.app.config.secrets.clone();
    let hsm = Hsm::new(&world.folder);
    hsm.refuses(&world, |_| {}, "secret pepper: lies open in its file");
    let open: Vec<String> =
        Named::ALL.iter().map(|name| std::fs::read_to_string(folder.join(name.as_str())).unwrap()).collect();
    hsm.well(&world, &["keys", "seal"]);
    for (name, open) in Named::ALL.iter().zip(&open) {
        let sealed = std::fs::read_to_string(folder.join(name.as_str())).unwrap();
        assert!(sealed.starts_with("pkcs11:v1:") && !sealed.contains(open.trim()), "{name}");
    }
    hsm.well(&world, &["audit", "verify"]);

    // The service starts, works, and takes a new value while it runs.
    let file = written(&world, |all| Config { secrets_keeper: KeeperConfig::Pkcs11(hsm.config.clone()), ..all });
    let settings = hsm.settings.clone();
    let (process, base): (Process, String) =
        serve_with(&file, move |command| _ = command.env("SOFTHSM2_CONF", settings)).await;
    let operator = world.country.person("operator1").unwrap().at(&base);
    let kid = async || {
        let token = operator.sign_in().await.unwrap().text_of("access_token").to_owned();
        jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
    };
    let before = kid().await;
    hsm.well(&world, &["keys", "rotate", "token", "--in-seconds", "10"]);
    let text = std::fs::read_to_string(folder.join("token")).unwrap();
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.starts_with("pkcs11:v1:")), "{text}");
    let (start, mut tick) = (std::time::Instant::now(), tokio::time::interval(std::time::Duration::from_millis(500)));
    while kid().await == before {
        assert!(start.elapsed() < std::time::Duration::from_mins(1), "the new key is never used");
        tick.tick().await;
    }
    drop(process);

    // Each thing that is wrong is told by its name.
    hsm.refuses(&world, |config| config.key = "other".to_owned(), "does not open pepper");
    hsm.refuses(&world, |config| config.key = "nobody".to_owned(), "not exactly one AES key called nobody");
    hsm.refuses(&world, |config| config.token = "nobody".to_owned(), "not exactly one token called nobody");
    hsm.refuses(&world, |config| config.module = "/nowhere.so".into(), "module cannot be read");
    std::fs::write(&hsm.config.pin_file, "1111\n").unwrap();
    hsm.refuses(&world, |_| {}, "see the PIN");
    std::fs::write(&hsm.config.pin_file, "87654321\n").unwrap();
    std::fs::set_permissions(&hsm.config.pin_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    hsm.refuses(&world, |_| {}, "pin_file: the file can be read by others");
    std::fs::set_permissions(&hsm.config.pin_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // One secret in the place of another does not open.
    std::fs::copy(folder.join("pepper"), folder.join("pseudonyms")).unwrap();
    hsm.refuses(&world, |_| {}, "does not open pseudonyms");
}
