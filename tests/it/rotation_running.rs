//! The real binary: secrets are exchanged under requests to two processes, and commands are killed in the middle.

use crate::harness::World;
use crate::ledger::comes_true;
use himaya::demo::actor::Actor;
use himaya::platform::config::{Config, keep_passwords};
use himaya::platform::secrets::{KeeperConfig, Named, Secrets};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The world's configuration as a file that the binary reads.
pub fn written(world: &World, change: impl FnOnce(Config) -> Config) -> PathBuf {
    let config = world.app.config.clone();
    let database = keep_passwords(&config.secrets, &config.database).unwrap();
    let (file, schema_pin) = (world.folder.join("himaya.toml"), Some(world.folder.join("schema")));
    std::fs::write(&file, toml::to_string(&change(Config { database, schema_pin, ..config })).unwrap()).unwrap();
    file
}

fn himaya(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
    command.args(arguments).arg("--config").arg(config).stdin(Stdio::null());
    command
}

fn ran(config: &Path, arguments: &[&str]) -> Output {
    himaya(config, arguments).output().unwrap()
}

/// A process that serves, killed at the end whatever happens.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn serve(config: &Path) -> (Process, String) {
    serve_with(config, |_| {}).await
}

/// The same with more said to it.
pub async fn serve_with(config: &Path, more: impl FnOnce(&mut Command)) -> (Process, String) {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = himaya(config, &["serve"]);
    command.env("HIMAYA_LISTEN", &address).env("HIMAYA_METRICS_LISTEN", "127.0.0.1:0").stderr(Stdio::null());
    more(&mut command);
    let process = Process(command.spawn().unwrap());
    let base = format!("http://{address}");
    comes_true("the service comes up", async || reqwest::get(format!("{base}/health")).await.is_ok()).await;
    (process, base)
}

/// Everything that a secret is needed for, again and again, at one process and then at the other: how often, and what went
/// wrong.
async fn works(person: Actor, bases: [String; 2], goes_on: Arc<AtomicBool>) -> (u64, Vec<String>) {
    let (mut done, mut failures) = (0, Vec::new());
    for base in bases.iter().cycle() {
        if !goes_on.load(Ordering::SeqCst) {
            break;
        }
        let person = person.at(base);
        let round = async {
            let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
            let made = person.post("/api/v1/calls", &body).await.map_err(|error| error.to_string())?;
            if made.status != 201 {
                return Err(made.text);
            }
            let path = format!("/api/v1/calls/{}", made.id("id"));
            let read = person.get(&path, "intake").await.map_err(|error| error.to_string())?;
            if read.status != 200 {
                return Err(read.text);
            }
            person.refresh().await.map_err(|error| error.to_string())?;
            person.elsewhere().sign_in().await.map_err(|error| error.to_string())
        };
        match round.await {
            Ok(_) => done += 1,
            Err(failure) => failures.push(failure),
        }
    }
    (done, failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_every_secret_is_exchanged_under_two_processes() {
    let mut world = World::new().await;
    world.stop().await;
    let config = written(&world, |config| config);
    let ((first, one), (second, two)) = (serve(&config).await, serve(&config).await);
    let goes_on = Arc::new(AtomicBool::new(true));
    let mut working = Vec::new();
    for (handle, bases) in [("operator1", [one.clone(), two.clone()]), ("operator2", [two, one.clone()])] {
        let person = world.country.person(handle).unwrap().elsewhere().at(&one);
        person.sign_in().await.unwrap();
        working.push(tokio::spawn(works(person, bases, Arc::clone(&goes_on))));
    }
    let kid = async || {
        let person = world.country.person("hsupervisor1").unwrap().elsewhere().at(&one);
        let token = person.sign_in().await.unwrap().text_of("access_token").to_owned();
        jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
    };
    let before = kid().await;
    for name in Named::ALL {
        let done = ran(&config, &["keys", "rotate", name.as_str(), "--in-seconds", "10"]);
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    }
    // The moment comes while people work, and some seconds more of work.
    let (start, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(250)));
    let mut after = kid().await;
    while after == before {
        assert!(start.elapsed() < Duration::from_mins(1), "the new key is never used");
        tick.tick().await;
        after = kid().await;
    }
    let sealed: i64 = {
        let mut owner = world.owner().await;
        let count = "SELECT count(DISTINCT pepper) FROM credential_slots";
        comes_true("people are sealed with the new pepper", async || {
            sqlx::query_scalar::<_, i64>(count).fetch_one(&mut owner).await.unwrap() == 2
        })
        .await;
        sqlx::query_scalar(count).fetch_one(&mut owner).await.unwrap()
    };
    assert_eq!(sealed, 2);
    goes_on.store(false, Ordering::SeqCst);
    for working in working {
        let (done, failures) = working.await.unwrap();
        assert!(
            failures.is_empty() && done > 3,
            "{done} rounds, and {} failed: {:?}",
            failures.len(),
            failures.first()
        );
    }
    for mut process in [first, second] {
        assert!(Command::new("kill").args(["-TERM", &process.0.id().to_string()]).status().unwrap().success());
        assert!(process.0.wait().unwrap().success());
    }
    let verified = ran(&config, &["audit", "verify", "--records"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// The secrets as the folder holds them: they are read whole, whatever happened.
async fn values(world: &World) -> Vec<usize> {
    let secrets = Secrets::read(&world.app.config).await.unwrap();
    vec![
        secrets.pepper.get().iter().count(),
        secrets.token.get().iter().count(),
        secrets.ledger.get().iter().count(),
        secrets.pseudonyms.get().iter().count(),
        secrets.vouch.get().iter().count(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_anywhere_leaves_all_old_or_all_new() {
    let mut world = World::new().await;
    world.stop().await;
    let config = written(&world, |config| config);
    let folder = &world.app.config.secrets;
    let (token, old) = (folder.join("token"), std::fs::read(folder.join("token")).unwrap());
    let whole = ran(&config, &["keys", "rotate", "token"]);
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let length = std::fs::metadata(&token).unwrap().len();
    assert_eq!(values(&world).await, [1, 2, 1, 1, 1]);
    std::fs::write(&token, &old).unwrap();

    // Cut off at each step of the writing: the system kills whoever writes beyond this length.
    for limit in [0, 1, 64, 65, 66, length - 1] {
        let cut = Command::new("prlimit")
            .arg(format!("--fsize={limit}"))
            .arg(env!("CARGO_BIN_EXE_himaya"))
            .args(["keys", "rotate", "token", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        assert!(!cut.status.success(), "with {limit} bytes");
        assert_eq!(std::fs::read(&token).unwrap(), old, "with {limit} bytes");
        assert_eq!(values(&world).await, [1; 5]);
    }
    // Killed at moments all over its time, from the first instruction to behind the last.
    let (start, done) = (Instant::now(), ran(&config, &["keys", "rotate", "token"]));
    assert!(done.status.success());
    let (whole, mut left_old, mut left_new) = (start.elapsed(), 0, 0);
    for part in 0..48 {
        std::fs::write(&token, &old).unwrap();
        let mut child = himaya(&config, &["keys", "rotate", "token"]).stdout(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(whole * part / 24).await;
        let _ = child.kill();
        child.wait().unwrap();
        match values(&world).await[..] {
            [1, 1, 1, 1, 1] => left_old += 1,
            [1, 2, 1, 1, 1] => left_new += 1,
            ref other => panic!("{other:?}"),
        }
        let about = std::fs::metadata(&token).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    assert!(left_old > 0 && left_new > 0, "{left_old} old, {left_new} new");
    // The next one clears away what those left behind.
    std::fs::write(&token, &old).unwrap();
    assert!(ran(&config, &["keys", "rotate", "token"]).status.success());
    let unfinished = |name: &str| name.starts_with(".unfinished");
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| unfinished(name)).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_cannot_be_is_refused_by_name_and_changes_nothing() {
    let mut world = World::new().await;
    world.stop().await;
    let (config, folder) = (written(&world, |config| config), world.app.config.secrets.clone());
    let refused = |arguments: &[&str], why: &str| {
        let before = std::fs::read(folder.join("pepper")).unwrap();
        let done = ran(&config, arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(why), "{arguments:?}: {said}");
        assert_eq!(std::fs::read(folder.join("pepper")).unwrap(), before);
    };
    refused(&["keys", "rotate", "salt"], "salt");
    refused(&["keys", "rotate", "pepper", "--in-seconds", "9"], "10 seconds at least");
    refused(&["keys", "retire", "pepper"], "secret pepper: has no older value");
    std::fs::set_permissions(folder.join("pepper"), std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&["keys", "rotate", "pepper"], "secret pepper: the file can be read by others");
    std::fs::set_permissions(folder.join("pepper"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(ran(&config, &["keys", "rotate", "pepper"]).status.success());
    refused(&["keys", "rotate", "pepper"], "is prepared already");
    let doctor = ran(&config, &["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("secrets: pepper: ") && told.contains("is prepared, and used from"), "{told}");
    // An outsider needs none of them: the first public key is enough.
    let (_, key) = told.split_once("its first public key is ").unwrap();
    let key = key.lines().next().unwrap().split(';').next().unwrap();
    for secret in Named::ALL {
        std::fs::rename(folder.join(secret.as_str()), folder.join(format!("away-{secret}"))).unwrap();
    }
    let verified = ran(&config, &["audit", "verify", "--log-key", key]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let other = key.replace("himaya.example", "other.example");
    assert!(!ran(&config, &["audit", "verify", "--log-key", &other]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_systemds_credentials_only_the_service_needs_no_folder_and_looks_into_none() {
    let mut world = World::new().await;
    world.stop().await;
    let only = |config| Config { secrets_keeper: KeeperConfig::Credentials, ..config };
    let config = written(&world, only);
    let verify = |handed: Option<&Path>| {
        let mut command = himaya(&config, &["audit", "verify"]);
        if let Some(handed) = handed {
            command.env("CREDENTIALS_DIRECTORY", handed);
        }
        let done = command.output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (well, said) = verify(None);
    assert!(!well && said.contains("secret pepper: is not among systemd's credentials"), "{said}");
    let handed = world.folder.join("handed");
    std::fs::create_dir(&handed).unwrap();
    for file in std::fs::read_dir(&world.app.config.secrets).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), handed.join(file.file_name())).unwrap();
    }
    assert_eq!(verify(Some(&handed)), (true, String::new()));
    std::fs::remove_file(handed.join("token")).unwrap();
    let (well, said) = verify(Some(&handed));
    assert!(!well && said.contains("secret token: is not among systemd's credentials"), "{said}");
    // An administrator exchanges what lies in the folder; the copies come with the next start.
    let done = ran(&config, &["keys", "rotate", "token", "--in-seconds", "3600"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
