//! The demonstration and the commands of an operator, run as programs.

use crate::harness::World;
use himaya::platform::cluster::Cluster;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// Runs the program to its end.
pub async fn himaya(words: &[&str], temporary: &Path) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_himaya"))
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A folder that the server's user may enter: a socket's path is short, and root's PostgreSQL runs as somebody else.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let folder =
            PathBuf::from("/tmp").join(format!("hd{}", &himaya::platform::random::uuid().simple().to_string()[..8]));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn left(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_plays_the_whole_story_says_who_read_what_and_leaves_nothing_behind() {
    let temporary = Temporary::new();
    let output = himaya(&["demo", "--once", "--listen", "127.0.0.1:0"], &temporary.0).await;
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for line in [
        "a silent call just before was logged in one step",
        "the draft: read by operator1; refused to operator2 (404), hsupervisor1 (404), duty1 (404)",
        "the draft, now: read by nobody; refused to operator1 (404)",
        "the notice: read by duty1, duty2; refused to operator1 (404)",
        "the slip: read by operator1; refused to operator2 (404)",
        "who she is: read by officer1, duty1; refused to officer2 (404)",
        "what happened, after: read by officer1; refused to officer2 (404)",
        "the ledger: read by auditor1, auditor2; refused to admin1 (403)",
        "the closed call: read by hsupervisor1; refused to duty1 (404), auditor1 (404)",
        "the slip says: too_little_to_act_on",
        "the returned notice: read by nobody",
        "the second notice: read by duty1, officer1; refused to duty2 (404)",
        "who the witness is: read by officer1; refused to officer2 (404), worker1 (404)",
        "followed up, closed, and taken up again",
        "an account that nobody was admitted to opens nothing",
        "/try and try every role",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // One sign-in for each person, with words that are new at each run.
    let world = World::new().await;
    for (actor, role) in world.country.everybody() {
        let own: Vec<&str> =
            text.lines().filter(|line| line.split_whitespace().nth(1) == Some(&actor.handle)).collect();
        let [line] = own[..] else { panic!("{}: {own:?}", actor.handle) };
        assert!(line.split_whitespace().next() == Some(role) && !line.contains(&actor.passphrase), "{}", actor.handle);
        assert!(line.split_whitespace().count() > 2, "{}", actor.handle);
    }
    assert_eq!(temporary.left(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_checked_by_a_command_that_fails_when_the_reviewed_matrix_is_not_its_answer() {
    let temporary = Temporary::new();
    let checked = himaya(&["policy", "check"], &temporary.0).await;
    assert!(checked.status.success() && said(&checked).contains("The policy is whole"), "{}", said(&checked));
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for file in ["model.conf", "access.csv", "access-matrix.txt"] {
        std::fs::copy(policies.join(file), temporary.0.join(file)).unwrap();
    }
    let rules = std::fs::read_to_string(temporary.0.join("access.csv")).unwrap();
    std::fs::write(temporary.0.join("access.csv"), rules.replace("p, auditor, none, ledger, list, audit, allow\n", ""))
        .unwrap();
    let checked = himaya(&["policy", "check", temporary.0.to_str().unwrap()], &temporary.0).await;
    assert!(!checked.status.success() && said(&checked).contains("access-matrix.txt"), "{}", said(&checked));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_is_set_up_by_a_command_and_brought_up_to_date_by_another() {
    let temporary = Temporary::new();
    let place = temporary.0.join("pg");
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&place)).await.unwrap().unwrap();
    let folder = temporary.0.join("himaya");
    let (folder, superuser) = (folder.to_str().unwrap(), cluster.superuser_url());
    let made = himaya(&["init", "--superuser-url", &superuser, "--folder", folder], &temporary.0).await;
    assert!(made.status.success(), "{}", said(&made));
    let text = said(&made);
    let codes = ["admin1", "admin2", "admin3"].map(|handle| {
        let line = text.lines().find(|line| line.trim_start().starts_with(handle)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    });
    assert!(codes.iter().all(|code| code.len() > 12) && codes[0] != codes[1], "{text}");
    let config = format!("{folder}/himaya.toml");
    assert!(text.contains(&config) && !text.contains(&superuser), "{text}");
    // What is there is not made a second time, and not overwritten.
    let again = himaya(&["init", "--superuser-url", &superuser, "--folder", folder], &temporary.0).await;
    assert!(!again.status.success(), "{}", said(&again));
    let migrated = himaya(&["migrate", "--config", &config], &temporary.0).await;
    assert!(migrated.status.success() && said(&migrated).contains("this version's schema"), "{}", said(&migrated));
    let looked = himaya(&["doctor", "--config", &config], &temporary.0).await;
    assert!(said(&looked).contains("secrets: all are there"), "{}", said(&looked));
    tokio::task::spawn_blocking(move || cluster.stop()).await.unwrap().unwrap();
}
