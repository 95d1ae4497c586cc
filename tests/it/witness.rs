//! A witness as its own process, and a log of the tests' own that is honest or not.

use crate::killed::{Service, kill, until};
use chrono::TimeDelta;
use ed25519_dalek::SigningKey;
use himaya::audit::checkpoint::Checkpoint;
use himaya::audit::keys::introduction;
use himaya::audit::note::cosignature::CosignatureVerifier;
use himaya::audit::note::{self, KeyName, NoteSigner};
use himaya::audit::tree::{Hash, TreeHead, consistency_proof, empty_root, leaf_hash, tree_root};
use himaya::platform::clock::Clock;
use himaya::platform::random;
use himaya::platform::secrets::Version;
use himaya::witness::config::WitnessConfig;
use himaya::witness::{Refusal, Witness};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub const ORIGIN: &str = "himaya.example/ledger";

/// A log that keeps all its leaves.
pub struct FakeLog {
    key: SigningKey,
    leaves: Vec<Hash>,
}

impl FakeLog {
    pub fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            leaves: (0..300_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect(),
        }
    }

    /// Another past, from this leaf on, under the same key.
    pub fn forked(&self, from: usize) -> Self {
        let mut leaves = self.leaves.clone();
        leaves[from] = leaf_hash(b"something else happened");
        Self { key: self.key.clone(), leaves }
    }

    fn signer(&self) -> NoteSigner {
        NoteSigner::new(KeyName::new(ORIGIN).unwrap(), &self.key)
    }

    pub fn vkey(&self) -> String {
        self.signer().verifier().to_string()
    }

    pub fn checkpoint(&self, size: usize) -> String {
        self.claimed(TreeHead { size: size as u64, root: tree_root(&self.leaves[..size]) })
    }

    fn claimed(&self, head: TreeHead) -> String {
        note::sign(&Checkpoint::new(ORIGIN, head).unwrap().to_text(), &[&self.signer()]).unwrap()
    }

    pub fn proof(&self, old: usize, new: usize) -> Vec<Hash> {
        consistency_proof(&self.leaves[..new], old as u64).unwrap()
    }

    /// What an honest log submits.
    pub fn body(&self, old: usize, new: usize) -> String {
        body(old, &self.proof(old, new), &self.checkpoint(new))
    }
}

pub fn body(old: usize, proof: &[Hash], note: &str) -> String {
    let proof = proof.iter().fold(String::new(), |lines, hash| lines + hash.to_string().as_str() + "\n");
    format!("old {old}\n{proof}\n{note}")
}

fn himaya(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_himaya")).arg("witness").args(arguments).output().unwrap()
}

/// A witness's folder and configuration, and its process while it runs.
pub struct Outside {
    pub home: PathBuf,
    pub address: String,
    pub key: CosignatureVerifier,
    process: Option<Service>,
}

impl Outside {
    /// Makes a witness of these logs' keys.
    pub async fn new(name: &str, vkeys: &[String], token_sha256: Option<&str>) -> Self {
        let home = std::env::temp_dir().join(format!("himaya-witness-{}", random::uuid().simple()));
        let folder = home.join("state");
        std::fs::create_dir_all(&home).unwrap();
        let made = himaya(&["init", "--folder", folder.to_str().unwrap(), "--name", name]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let key = String::from_utf8(made.stdout).unwrap().trim().parse().unwrap();
        // A port that was free a moment ago.
        let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let token = token_sha256.map(|hash| format!("token_sha256 = \"{hash}\"\n")).unwrap_or_default();
        let text = format!(
            "listen = \"{address}\"\nfolder = \"{}\"\n[[logs]]\norigin = \"{ORIGIN}\"\nvkeys = {vkeys:?}\n{token}",
            folder.display()
        );
        std::fs::write(home.join("witness.toml"), text).unwrap();
        Self { home, address, key, process: None }
    }

    pub async fn started(name: &str, vkeys: &[String]) -> Self {
        let mut outside = Self::new(name, vkeys, None).await;
        outside.start().await;
        outside
    }

    pub fn config(&self) -> PathBuf {
        self.home.join("witness.toml")
    }

    pub async fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
        command.args(["witness", "serve", "--config"]).arg(self.config());
        let log = std::fs::File::options().create(true).append(true).open(self.home.join("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.start_as(command).await;
    }

    /// The same, by a command of the test's own.
    pub async fn start_as(&mut self, mut command: Command) {
        let mut service = Service(command.spawn().unwrap());
        let health = format!("http://{}/health", self.address);
        until("the witness comes up", async || {
            assert!(service.0.try_wait().unwrap().is_none(), "the witness ended: {}", self.said());
            reqwest::get(&health).await.ok().map(drop)
        })
        .await;
        self.process = Some(service);
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().0.id()
    }

    /// Ends the process at once, wherever it is.
    pub fn kill(&mut self) {
        self.process = None;
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }

    pub async fn submit(&self, body: impl Into<String>) -> (u16, String) {
        let (status, _, text) = self.submit_with(body, None).await;
        (status, text)
    }

    async fn submit_with(&self, body: impl Into<String>, token: Option<&str>) -> (u16, Option<String>, String) {
        let mut request =
            reqwest::Client::new().post(format!("http://{}/add-checkpoint", self.address)).body(body.into());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    }

    /// The latest checkpoint, as anybody is told it.
    pub async fn latest(&self) -> Option<String> {
        let hash: [u8; 32] = Sha256::digest(ORIGIN.as_bytes()).into();
        let hash = himaya::guard::statement::hex(&hash);
        let answer = reqwest::get(format!("http://{}/{hash}/checkpoint", self.address)).await.unwrap();
        if answer.status() == 404 { None } else { Some(answer.text().await.unwrap()) }
    }

    pub fn own(&self) -> PathBuf {
        let hash: [u8; 32] = Sha256::digest(ORIGIN.as_bytes()).into();
        self.home.join("state/logs").join(himaya::guard::statement::hex(&hash))
    }

    /// The pieces of evidence of this kind.
    pub fn evidence(&self, kind: &str) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.own().join("evidence")) else { return vec![] };
        let files = files.map(|file| file.unwrap().path());
        files
            .filter(|file| file.extension().is_some_and(|end| end == kind))
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.process = None;
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_the_protocols() {
    let (log, other) = (FakeLog::new(1), FakeLog::new(2));
    let witness = Outside::started("w.example", &[log.vkey()]).await;
    assert_eq!(witness.latest().await, None);
    let status = async |body: &str| witness.submit(body).await.0;

    // Nobody's, somebody else's, and what is none.
    assert_eq!(status("").await, 400);
    assert_eq!(status("old 0\n\nno checkpoint\n").await, 400);
    assert_eq!(status(&log.body(0, 5).replace("old 0", "old 00")).await, 400);
    assert_eq!(status(&log.body(0, 5).replace(ORIGIN, "other.example")).await, 404);
    assert_eq!(status(&other.body(0, 5)).await, 403);
    let spoilt = log.checkpoint(5).replacen("\n5\n", "\n6\n", 1);
    assert_eq!(status(&body(0, &[], &spoilt)).await, 403, "the log's own name and a signature of something else");
    assert_eq!(status(&body(6, &[], &log.checkpoint(5))).await, 400, "an old size beyond the new one");
    assert_eq!(status(&"x".repeat(200_000)).await, 413);
    assert_eq!(status(&body(0, &log.proof(3, 5), &log.checkpoint(5))).await, 422, "nothing has to be proved yet");
    let empty = TreeHead { size: 0, root: leaf_hash(b"") };
    assert_eq!(status(&body(0, &[], &log.claimed(empty))).await, 422, "there is one empty tree only");
    assert_eq!(witness.latest().await, None, "nothing of all this was cosigned");
    assert_eq!(status(&body(0, &[], &log.claimed(TreeHead { size: 0, root: empty_root() }))).await, 200);

    let (status_of_first, line) = witness.submit(log.body(0, 5)).await;
    assert_eq!(status_of_first, 200, "{line}");
    let cosigned = witness.key.verify(&format!("{}{line}", log.checkpoint(5))).unwrap();
    assert_eq!(cosigned.line, line, "and nothing else is in the answer");
    assert!(cosigned.at.abs_diff(Clock::default().now().timestamp().unsigned_abs()) < 60);
    let latest = witness.latest().await.unwrap();
    assert_eq!(latest, format!("{}{line}", log.checkpoint(5)));

    // Whoever is elsewhere is told where the witness is.
    for old in [0, 4] {
        let told = witness.submit_with(log.body(old, 9), None).await;
        assert_eq!(told, (409, Some("text/x.tlog.size".to_owned()), "5\n".to_owned()));
    }
    assert_eq!(witness.submit(body(4, &[], &log.checkpoint(4))).await, (409, "5\n".to_owned()), "never back");
    let mut wrong = log.proof(5, 9);
    wrong[0] = leaf_hash(b"wrong");
    assert_eq!(status(&body(5, &wrong, &log.checkpoint(9))).await, 422);
    assert_eq!(status(&body(5, &log.proof(4, 9), &log.checkpoint(9))).await, 422);
    assert_eq!(
        status(&body(5, &log.proof(5, 9), &log.checkpoint(5))).await,
        422,
        "from five to five nothing is to be proved"
    );
    assert_eq!(witness.latest().await.unwrap(), latest);
    // The same one again, and a later one, also with others' signatures on it, of which nothing is kept.
    assert_eq!(status(&log.body(5, 5)).await, 200);
    let both = format!("{}{}", log.checkpoint(9), other.checkpoint(9).rsplit_once("\n\n").unwrap().1);
    let (answered, line) = witness.submit(body(5, &log.proof(5, 9), &both)).await;
    assert_eq!((answered, witness.latest().await.unwrap()), (200, format!("{}{line}", log.checkpoint(9))));
    // The log's own line as often as a note may have any: what is kept has room for the witness's.
    let (text, own) =
        log.checkpoint(12).rsplit_once("\n\n").map(|(text, own)| (text.to_owned(), own.repeat(16))).unwrap();
    let (answered, line) = witness.submit(body(9, &log.proof(9, 12), &format!("{text}\n\n{own}"))).await;
    assert_eq!((answered, witness.latest().await.unwrap()), (200, format!("{}{line}", log.checkpoint(12))));
    assert_eq!(status(&log.body(12, 13)).await, 200, "and it goes on from there");
}

/// Somebody begins a submission and never ends it; what they are answered.
async fn begun(address: &str) -> tokio::net::TcpStream {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("POST /add-checkpoint HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\n\r\nold 0");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn answered(stream: &mut tokio::net::TcpStream) -> String {
    let (mut answer, wait) = (vec![0; 64], Duration::from_secs(10));
    let read = tokio::time::timeout(wait, stream.read(&mut answer)).await.expect("it is answered within ten seconds");
    String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_keep_nobody_out() {
    let log = FakeLog::new(1);
    let witness = Outside::started("w.example", &[log.vkey()]).await;
    let mut slow = Vec::new();
    for _ in 0..48 {
        slow.push(begun(&witness.address).await);
    }
    // They have come in: one more that is at once refused came after them.
    assert_eq!(witness.submit("").await.0, 400);
    assert_eq!(witness.submit(log.body(0, 3)).await.0, 200);
    assert!(answered(&mut slow[0]).await.contains(" 408 "), "and they are sent away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_two_faces_is_cosigned_once_and_both_are_kept() {
    let log = FakeLog::new(1);
    let forked = log.forked(6);
    let witness = Outside::started("w.example", &[log.vkey()]).await;
    assert_eq!(witness.submit(log.body(0, 8)).await.0, 200);
    let before = witness.latest().await;

    assert_eq!(witness.submit(forked.body(8, 8)).await.0, 422, "two roots of one size");
    assert_eq!(witness.submit(forked.body(0, 8)).await.0, 409, "whatever size it claims to know");
    assert_eq!(witness.submit(forked.body(8, 20)).await.0, 422, "a proof from the other past");
    assert_eq!(witness.latest().await, before);
    let forks = witness.evidence("fork");
    assert_eq!(forks.len(), 1, "once, however often it is sent");
    assert!(forks[0].contains(&before.unwrap()) && forks[0].ends_with(&forked.body(8, 8)));
    let unproved = witness.evidence("unproved");
    assert!(unproved.len() == 1 && unproved[0].ends_with(&forked.body(8, 20)));
    assert!(witness.said().contains("ALARM"));
    // Whoever still has the first past goes on.
    assert_eq!(witness.submit(log.body(8, 20)).await.0, 200);
    assert_eq!(witness.submit(forked.body(20, 30)).await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_everybody_else_out() {
    let log = FakeLog::new(1);
    let printed = String::from_utf8(himaya(&["token"]).stdout).unwrap();
    let (token, hash) = printed.trim().split_once("\ntoken_sha256 = ").unwrap();
    let mut witness = Outside::new("w.example", &[log.vkey()], Some(hash.trim_matches('"'))).await;
    witness.start().await;
    for shown in [None, Some(""), Some("x"), Some(hash)] {
        assert_eq!(witness.submit_with(log.body(0, 3), shown).await.0, 404, "{shown:?}");
    }
    assert_eq!(witness.submit_with(log.body(0, 3), Some(token)).await.0, 200);
    assert_eq!(witness.latest().await, None, "how the log grows is told to nobody else either");
    // Whoever shows none is answered before they have said anything.
    let begun_at = std::time::Instant::now();
    assert!(answered(&mut begun(&witness.address).await).await.contains(" 404 "));
    assert!(begun_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_never_forgets_what_it_cosigned() {
    let log = FakeLog::new(1);
    let mut witness = Outside::started("w.example", &[log.vkey()]).await;
    assert_eq!(witness.submit(log.body(0, 1)).await.0, 200);
    let (mut told, mut size, mut killed_under_way) = (1, 1, 0);
    for round in 0..12_u64 {
        let stop = AtomicBool::new(false);
        let pid = witness.process.as_ref().unwrap().0.id();
        let killing = async {
            tokio::time::sleep(Duration::from_millis(20 + round * 7)).await;
            stop.store(true, Ordering::Relaxed);
            kill("-KILL", pid);
        };
        let submitting = async {
            let client = reqwest::Client::new();
            while size < 290 {
                let next = size + 1;
                let sent =
                    client.post(format!("http://{}/add-checkpoint", witness.address)).body(log.body(size, next)).send();
                let Ok(answer) = sent.await else { break };
                assert_eq!(answer.status(), 200);
                let Ok(line) = answer.text().await else { break };
                witness.key.verify(&format!("{}{line}", log.checkpoint(next))).unwrap();
                (told, size) = (next, next);
            }
            killed_under_way += u32::from(stop.load(Ordering::Relaxed) && size < 290);
        };
        tokio::join!(killing, submitting);
        witness.kill();
        witness.start().await;
        // It is where it said, or one further: cosigned, and the answer lost.
        let latest = witness.latest().await.unwrap_or_else(|| panic!("round {round}"));
        witness.key.verify(&latest).unwrap();
        let at: usize = latest.lines().nth(1).unwrap().parse().unwrap();
        assert!(at == told || at == told + 1, "it said {told}, and remembers {at}");
        assert_eq!(witness.submit(log.forked(0).body(at, at)).await.0, 422, "another face of the same size");
        size = at;
    }
    assert!(killed_under_way >= 10, "{killed_under_way}: it was not killed at work");
    let left: Vec<_> = std::fs::read_dir(witness.own()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.len() < 16, "what was cut off is cleared away: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_is_one_witness() {
    let log = FakeLog::new(1);
    let mut witness = Outside::started("w.example", &[log.vkey()]).await;
    let state = witness.home.join("state");
    let again = himaya(&["serve", "--config", witness.config().to_str().unwrap()]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("another process"));
    let again = himaya(&["init", "--folder", state.to_str().unwrap(), "--name", "other.example"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("already"));
    assert_eq!(witness.submit(log.body(0, 3)).await.0, 200);

    // What it cannot write down it does not sign.
    let (own, away) = (witness.own(), witness.home.join("away"));
    std::fs::rename(&own, &away).unwrap();
    std::fs::write(&own, "not a folder").unwrap();
    assert_eq!(witness.submit(log.body(3, 5)).await.0, 503);
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(&away, &own).unwrap();
    assert_eq!(witness.submit(log.body(3, 5)).await.0, 200);

    // What it does not know again it does not begin anew.
    witness.kill();
    let kept = std::fs::read_to_string(own.join("checkpoint")).unwrap();
    for broken in [String::new(), kept.replacen("\n5\n", "\n4\n", 1), log.checkpoint(5)] {
        std::fs::write(own.join("checkpoint"), broken).unwrap();
        let refused = himaya(&["serve", "--config", witness.config().to_str().unwrap()]);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("latest checkpoint"));
    }
    std::fs::write(own.join("checkpoint"), kept).unwrap();
    witness.start().await;
    assert_eq!(witness.submit(log.body(5, 6)).await.0, 200);
    // A key that others can read is nobody's.
    witness.kill();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(state.join("key"), open).unwrap();
    assert!(!himaya(&["serve", "--config", witness.config().to_str().unwrap()]).status.success());
}

fn version(seed: u8) -> Version<himaya::platform::secrets::LogKey> {
    let from = chrono::DateTime::from_timestamp(1_800_000_000 + i64::from(seed), 0);
    Version { id: seed.to_string(), from, value: SigningKey::from_bytes(&[seed; 32]).into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_follows_is_trusted_by_introduction_and_the_one_before_signs_nothing_more() {
    let (old, new, thief) = (FakeLog::new(1), FakeLog::new(2), FakeLog::new(9));
    let witness = Outside::started("w.example", &[old.vkey()]).await;
    assert_eq!(witness.submit(old.body(0, 3)).await.0, 200);
    assert_eq!(witness.submit(new.body(3, 5)).await.0, 403);
    let trust = |text: &str| {
        let file = witness.home.join("introduction");
        std::fs::write(&file, text).unwrap();
        himaya(&["trust", "--config", witness.config().to_str().unwrap(), file.to_str().unwrap()]).status.success()
    };
    let introduces = |old: u8, new: u8| introduction(ORIGIN, &version(old), &version(new)).unwrap().unwrap().1;
    for nothing in ["", "junk", &introduces(9, 2), &introduces(1, 2).replace('+', "-"), &old.checkpoint(3)] {
        assert!(!trust(nothing), "{nothing}");
    }
    assert!(trust(&introduces(1, 2)));
    assert!(!trust(&introduces(1, 9)), "one key introduces one other");
    // Both keys sign some, then the new one alone.
    let both = format!("{}{}", old.checkpoint(5), new.checkpoint(5).rsplit_once("\n\n").unwrap().1);
    assert_eq!(witness.submit(body(3, &old.proof(3, 5), &both)).await.0, 200);
    assert_eq!(witness.submit(old.body(5, 6)).await.0, 200);
    // Somebody takes the old key's line away from one that both signed: the log, whose next one both sign, goes on.
    assert_eq!(witness.submit(new.body(6, 7)).await.0, 200);
    let both = format!("{}{}", old.checkpoint(8), new.checkpoint(8).rsplit_once("\n\n").unwrap().1);
    assert_eq!(witness.submit(body(7, &old.proof(7, 8), &both)).await.0, 200);
    assert_eq!(witness.submit(new.body(8, 9)).await.0, 200);
    assert_eq!(witness.submit(old.body(9, 10)).await.0, 403, "it was replaced: whoever still has it stole it");
    assert_eq!(witness.submit(thief.body(9, 10)).await.0, 403);
    assert_eq!(witness.submit(new.body(9, 10)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_anew_is_given_the_keys_again_that_lay_in_the_folder_that_was_moved_away() {
    let (old, new) = (FakeLog::new(1), FakeLog::new(2));
    let mut witness = Outside::new("w.example", &[old.vkey()], None).await;
    let introduces = introduction(ORIGIN, &version(1), &version(2)).unwrap().unwrap().1;
    let note = witness.home.join("note");
    std::fs::write(&note, &introduces).unwrap();
    let command = |witness: &Outside, more: &[&str]| {
        let config = witness.config();
        himaya(&[&more[..1], &["--config", config.to_str().unwrap()], &more[1..]].concat())
    };
    // What an administrator's command would make would be the administrator's: only a witness at work makes the log's folder.
    let status = command(&witness, &["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("never seen") && !status.status.success());
    let early = command(&witness, &["trust", note.to_str().unwrap()]);
    assert!(
        !early.status.success() && String::from_utf8_lossy(&early.stderr).contains("start it, then give it the note")
    );
    assert!(!witness.own().exists());
    witness.start().await;
    assert_eq!(witness.submit(old.body(0, 3)).await.0, 200);
    assert!(command(&witness, &["trust", note.to_str().unwrap()]).status.success());
    assert_eq!(witness.submit(new.body(3, 5)).await.0, 200);

    // As the README says: stopped, moved away, started.
    witness.kill();
    let away = witness.home.join("away");
    std::fs::rename(witness.own(), &away).unwrap();
    witness.start().await;
    let (status, text) = witness.submit(new.body(0, 5)).await;
    assert!(status == 403 && text.contains("no key in office"), "{status} {text}");
    let kept: Vec<_> = std::fs::read_dir(&away).unwrap().map(|file| file.unwrap().path()).collect();
    let keys = kept.iter().filter(|file| file.extension().is_some_and(|end| end == "key"));
    for key in keys {
        assert!(command(&witness, &["trust", key.to_str().unwrap()]).status.success());
    }
    let (status, text) = witness.submit(new.body(0, 5)).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(witness.submit(new.body(5, 6)).await.0, 200);
    assert!(away.join("checkpoint").exists(), "the evidence lies where it was put");
}

/// The README's page for an ombudsman.
fn page() -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, page) = readme.split_once("\n## For an ombudsman: running a witness\n").unwrap();
    page.split("\n### ").next().unwrap().to_owned()
}

#[test]
fn the_page_for_an_ombudsman_says_what_the_program_says() {
    let (root, page) = (Path::new(env!("CARGO_MANIFEST_DIR")), page());
    let mut source = String::new();
    let files = std::fs::read_dir(root.join("src/witness")).unwrap().map(|file| file.unwrap().path());
    for file in files.chain(["src/cli/witness.rs", "src/audit/keys.rs"].map(|file| root.join(file))) {
        let text = std::fs::read_to_string(file).unwrap();
        source.push_str(text.split("#[cfg(test)]").next().unwrap());
    }
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what you see")).collect();
    assert!(rows.len() >= 8, "{rows:?}");
    for row in rows {
        // What stands between two ticks in the first column is printed, but where the page leaves something open.
        let seen = row.split(" | ").next().unwrap();
        let phrases: Vec<&str> = seen.split('`').skip(1).step_by(2).collect();
        assert!(!phrases.is_empty(), "{row}");
        for part in phrases.iter().flat_map(|phrase| phrase.split('…')) {
            let part = part.trim().trim_start_matches('.');
            assert!(source.contains(part), "nothing says {part:?}: {seen}");
        }
    }
    for named in
        ["witness.toml", "himaya-witness.service", "himaya-witness-status.service", "himaya-witness-status.timer"]
    {
        assert!(page.contains(named) && root.join("deploy").join(named).is_file(), "{named}");
    }
    for said in ["journalctl -u himaya-witness", "evidence/", "OnFailure=", "himaya witness trust", "8443"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(std::fs::read_to_string(root.join("deploy/witness.toml")).unwrap().contains(":8443"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_takes_nothing_back() {
    let log = FakeLog::new(1);
    let outside = Outside::new("w.example", &[log.vkey()], None).await;
    let clock = Clock::default();
    let config = WitnessConfig::read(&outside.config()).unwrap();
    let witness = Witness::open(&config, clock.clone()).unwrap();
    let add = |old, new| {
        let line = witness.add_checkpoint(&log.body(old, new), None)?;
        Ok::<u64, Refusal>(outside.key.verify(&format!("{}{line}", log.checkpoint(new))).unwrap().at)
    };
    let first = add(0, 3).unwrap();
    clock.advance(TimeDelta::minutes(-3));
    assert_eq!(add(3, 5).unwrap(), first, "later, and never earlier than before");
    assert_eq!(add(5, 5).unwrap(), first);
    assert_eq!(add(0, 5), Err(Refusal::OtherSize(5)));
    clock.advance(TimeDelta::hours(3));
    assert!(add(5, 5).unwrap() >= first + 3000, "the same checkpoint, seen again later");
    assert_eq!(add(5, 5).unwrap(), add(5, 5).unwrap());
    // A clock that stood in the future for a moment does not make it sign the future for years.
    clock.advance(TimeDelta::days(2000));
    add(5, 6).unwrap();
    clock.advance(TimeDelta::days(-2000));
    assert!(add(6, 7).unwrap().abs_diff(clock.now().timestamp().unsigned_abs()) < 60);
    assert_eq!(add(0, 7), Err(Refusal::OtherSize(7)), "and of the log it forgets nothing");
}

#[test]
fn what_a_witness_must_not_be_told_is_refused_by_its_field() {
    let home = std::env::temp_dir().join(format!("himaya-witness-{}", random::uuid().simple()));
    std::fs::create_dir_all(&home).unwrap();
    let (log, file) = (FakeLog::new(1), home.join("witness.toml"));
    let refused = |head: &str, log: &str| {
        std::fs::write(&file, format!("{head}\nfolder = \"{}\"\n{log}", home.display())).unwrap();
        match WitnessConfig::read(&file) {
            Ok(config) => config.check().err().map(|error| error.to_string()).unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    };
    let one = format!("[[logs]]\norigin = \"{ORIGIN}\"\nvkeys = [\"{}\"]\n", log.vkey());
    assert_eq!(refused("", &one), "");
    assert_eq!(refused("listen = \"0.0.0.0:1\"\nbehind_proxy = true", &one), "");
    for (head, logs, said) in [
        ("listen = \"0.0.0.0:1\"", one.clone(), "listen "),
        ("", String::new(), "logs is empty"),
        ("", format!("{one}{one}"), "logs[1].origin"),
        ("", one.replace("origin = \"himaya", "origin = \"other"), "another log's"),
        ("", one.replace("himaya.example/ledger+", "himaya.example/ledger+0"), "logs[0].vkeys"),
        ("", format!("{one}token_sha256 = \"abc\""), "logs[0].token_sha256"),
        ("surprise = 1", one.clone(), "surprise"),
    ] {
        assert!(refused(head, &logs).contains(said), "{said}: {}", refused(head, &logs));
    }
    std::fs::remove_dir_all(&home).unwrap();
    assert!(!Path::new(&home).exists());
}
