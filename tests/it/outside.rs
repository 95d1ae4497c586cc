//! `himaya audit verify --tiles`: the ledger is checked with nothing but its tiles, and what somebody did to it is told.

use crate::harness::World;
use crate::rotation_running::written;
use crate::tiles::{Outside, grow};
use crate::witness::ORIGIN;
use ed25519_dalek::SigningKey;
use himaya::audit::entry::LEAF_BYTES;
use himaya::audit::note::cosignature::CosignatureKey;
use himaya::audit::note::{KeyName, NoteVerifier, unverified_text};
use himaya::audit::tree::leaf_hash;
use himaya::audit::verify::{Believed, verify_with};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the command away from the service: in an empty folder, without configuration or secrets.
pub fn verify(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
    command
        .env_clear()
        .current_dir(std::env::temp_dir())
        .args(["audit", "verify"])
        .args(arguments)
        .stdin(Stdio::null());
    told(&command.output().unwrap())
}

fn told(output: &Output) -> (bool, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn export(config: &Path, folder: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
    told(&command.args(["audit", "export"]).arg(folder).arg("--config").arg(config).output().unwrap())
}

pub fn key(outside: &Outside) -> String {
    outside.app.log_keys().unwrap().all()[0].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ombudsman_verifies_over_http_keeps_the_checkpoint_and_is_told_which_entry_was_changed() {
    let world = World::new().await;
    let outside = Outside::of(&world, 300).await;
    let folder = world.folder.join("ombudsman");
    std::fs::create_dir_all(&folder).unwrap();
    let (token, kept) = (folder.join("token"), folder.join("checkpoint"));
    std::fs::write(&token, format!("{}\n", outside.token)).unwrap();
    let (token, kept, key) = (token.to_str().unwrap(), kept.to_str().unwrap(), key(&outside));
    let ask = || verify(&["--tiles", &outside.prefix, "--token-file", token, "--key", &key, "--save", kept]);
    let (whole, text) = ask();
    assert!(whole && text.contains("The ledger is whole.") && text.contains("No saved checkpoint"), "{text}");
    assert!(text.contains("Policy ") && text.contains("entries 0 to"), "{text}");
    let first = std::fs::read_to_string(kept).unwrap();
    grow(&world, 600).await;
    let (whole, text) = ask();
    assert!(whole && text.contains("1 saved checkpoints"), "{text}");
    assert_ne!(std::fs::read_to_string(kept).unwrap(), first);

    // Whoever has no token is told of nothing, and another's key signed nothing here.
    assert!(verify(&["--tiles", &outside.prefix, "--key", &key]).1.contains("FOUND: checkpoint is missing"));
    let other = SigningKey::from_bytes(&[7; 32]).verifying_key();
    let other = NoteVerifier::new(KeyName::new("himaya.example/ledger").unwrap(), &other).to_string();
    let (whole, text) = verify(&["--tiles", &outside.prefix, "--token-file", token, "--key", &other]);
    assert!(!whole && text.contains("FOUND: the checkpoint is not this log's: note is not signed by any"), "{text}");

    // The owner of the database changes an entry, deletes one, and exchanges two.
    let mut owner = world.owner().await;
    for (tamper, undo, found) in [
        (
            "UPDATE ledger_entries e SET leaf = set_byte(leaf, 100, get_byte(leaf, 100) # 1) FROM ledger_tree t
             WHERE t.position = 5 AND t.replica = e.replica AND t.lane = e.lane AND t.n = e.n",
            "UPDATE ledger_entries e SET leaf = set_byte(leaf, 100, get_byte(leaf, 100) # 1) FROM ledger_tree t
             WHERE t.position = 5 AND t.replica = e.replica AND t.lane = e.lane AND t.n = e.n",
            &["FOUND: entry 5 is not what was numbered", "The first entry that is wrong: 5."],
        ),
        (
            "CREATE TABLE gone AS SELECT e.* FROM ledger_entries e JOIN ledger_tree t USING (replica, lane, n)
             WHERE t.position = 299; DELETE FROM ledger_entries e USING gone g
             WHERE g.replica = e.replica AND g.lane = e.lane AND g.n = e.n",
            "INSERT INTO ledger_entries SELECT * FROM gone",
            &["FOUND: entry 299 is gone", "The first entry that is wrong: 299."],
        ),
        // So long that no bundle holds it.
        (
            "CREATE TABLE short AS SELECT e.* FROM ledger_entries e JOIN ledger_tree t USING (replica, lane, n)
             WHERE t.position = 6; UPDATE ledger_entries e SET leaf = decode(repeat('00', 70000), 'hex') FROM short s
             WHERE s.replica = e.replica AND s.lane = e.lane AND s.n = e.n",
            "UPDATE ledger_entries e SET leaf = s.leaf FROM short s
             WHERE s.replica = e.replica AND s.lane = e.lane AND s.n = e.n",
            &["FOUND: entry 6 is gone", "The first entry that is wrong: 6."],
        ),
        (
            "CREATE TABLE unnumbered AS SELECT * FROM ledger_tree WHERE position = 7;
             DELETE FROM ledger_tree WHERE position = 7",
            "INSERT INTO ledger_tree TABLE unnumbered",
            &["FOUND: entry 7 is gone", "The first entry that is wrong: 7."],
        ),
    ] {
        sqlx::raw_sql(tamper).execute(&mut owner).await.unwrap();
        // What is not as it was numbered goes out as it is, and is not kept by anybody on the way.
        let bundle = format!("tile/entries/{}", if tamper.contains("299") { "001.p/44" } else { "000" });
        assert_eq!(outside.get(&bundle).await.headers()["cache-control"], "no-store", "{bundle}");
        let (whole, text) = ask();
        assert!(!whole && found.iter().all(|found| text.contains(found)), "{text}");
        sqlx::raw_sql(undo).execute(&mut owner).await.unwrap();
        assert!(ask().0, "found after it was undone: {tamper}");
    }
    let swap = "CREATE TABLE one AS SELECT * FROM ledger_tree WHERE position IN (20, 21);
                DELETE FROM ledger_tree WHERE position IN (20, 21);
                INSERT INTO ledger_tree SELECT 41 - position, replica, lane, n, leaf_hash FROM one";
    sqlx::raw_sql(swap).execute(&mut owner).await.unwrap();
    let (whole, text) = ask();
    assert!(
        !whole && text.contains("FOUND: the entries do not lead to the root") && text.contains("entries 0 to 255"),
        "{text}"
    );
    outside.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_verified_without_the_service_gone_on_with_and_never_goes_back() {
    let world = World::new().await;
    let outside = Outside::of(&world, 300).await;
    let (config, folder) = (written(&world, |config| config), world.folder.join("exported"));
    let (done, text) = export(&config, &folder);
    assert!(done && text.contains("5 tiles and bundles written, 0 were there"), "{text}");
    let key = key(&outside);
    let at = folder.to_str().unwrap().to_owned();
    let ask = |more: &[&str]| verify(&[&["--tiles", &at, "--key", &key][..], more].concat());
    let (whole, text) = ask(&[]);
    assert!(whole, "{text}");
    // Gone on with: what was cut off by an interruption is written again, what is whole is left.
    let (tile, bundle) = (folder.join("tile/0/000"), folder.join("tile/entries/000"));
    let before = std::fs::read(&bundle).unwrap();
    assert_eq!(before.len(), 256 * (2 + LEAF_BYTES));
    std::fs::write(&bundle, &before[..7]).unwrap();
    let modified = std::fs::metadata(&tile).unwrap().modified().unwrap();
    let (done, text) = export(&config, &folder);
    assert!(done && text.contains("1 tiles and bundles written, 4 were there"), "{text}");
    assert_eq!(
        (std::fs::read(&bundle).unwrap(), std::fs::metadata(&tile).unwrap().modified().unwrap()),
        (before, modified)
    );
    let old = world.folder.join("old");
    assert!(Command::new("cp").arg("-r").arg(&folder).arg(&old).status().unwrap().success());

    grow(&world, 560).await;
    // A database with another tree than the one that was exported is not exported into the same folder.
    let mut owner = world.owner().await;
    let fork =
        "UPDATE ledger_tree SET leaf_hash = set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1) WHERE position = 257";
    sqlx::raw_sql(fork).execute(&mut owner).await.unwrap();
    let (done, text) = export(&config, &folder);
    assert!(!done && text.contains("there are two logs"), "{text}");
    sqlx::raw_sql(fork).execute(&mut owner).await.unwrap();
    let (done, text) = export(&config, &folder);
    assert!(done && text.contains("were there"), "{text}");
    let saved: Vec<_> = std::fs::read_dir(folder.join("checkpoints")).unwrap().collect();
    assert_eq!(saved.len(), 2);
    let newest = folder.join("checkpoint");
    // The old export with the newer checkpoint saved: entries are missing.
    let (whole, text) =
        verify(&["--tiles", old.to_str().unwrap(), "--key", &key, "--checkpoint", newest.to_str().unwrap()]);
    assert!(!whole && text.contains("FOUND") && text.contains("saved outside the database"), "{text}");
    let (whole, text) = ask(&["--checkpoint", old.join("checkpoint").to_str().unwrap()]);
    assert!(whole, "{text}");

    // A database that lost entries is not exported over a folder that has them.
    sqlx::raw_sql("DELETE FROM ledger_checkpoints WHERE size > 300").execute(&mut owner).await.unwrap();
    let (done, text) = export(&config, &folder);
    assert!(!done && text.contains("rolled back"), "{text}");
    assert!(ask(&[]).0);
    // A tile that is cut, an entry that is changed, in the folder itself.
    let whole_tile = std::fs::read(&tile).unwrap();
    std::fs::write(&tile, &whole_tile[..8190]).unwrap();
    let (whole, text) = ask(&[]);
    assert!(!whole && text.contains("FOUND: tile/0/000 has 8190 bytes where 8192 are needed"), "{text}");
    std::fs::write(&tile, whole_tile).unwrap();
    let mut changed = std::fs::read(&bundle).unwrap();
    changed[(2 + LEAF_BYTES) * 77 + 50] ^= 1;
    std::fs::write(&bundle, changed).unwrap();
    let (whole, text) = ask(&["--save", folder.join("saved").to_str().unwrap()]);
    assert!(!whole && text.contains("The first entry that is wrong: 77."), "{text}");
    assert!(!folder.join("saved").exists(), "what is not whole is not saved");
    assert!(text.contains("this is the first time") && text.contains("kept as evidence"), "{text}");
    let beside = |file: &std::fs::DirEntry| file.file_name().to_string_lossy().starts_with("saved.found-");
    let found: Vec<_> = std::fs::read_dir(&folder).unwrap().map(Result::unwrap).filter(beside).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(std::fs::read(found[0].path()).unwrap(), std::fs::read(folder.join("checkpoint")).unwrap());
    outside.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_holds_the_whole_ledger_to_what_they_signed_and_to_what_a_piece_of_evidence_shows() {
    let world = World::new().await;
    let outside = Outside::of(&world, 300).await;
    let (key, token, old) = (key(&outside), world.folder.join("token"), world.folder.join("old"));
    std::fs::write(&token, &outside.token).unwrap();
    let witness = crate::witness::Outside::started("w.example", std::slice::from_ref(&key)).await;
    let first = outside.get("checkpoint").await.text().await.unwrap();
    let (signed, text) = witness.submit(format!("old 0\n\n{first}")).await;
    assert_eq!(signed, 200, "{text}");
    let (done, text) = export(&written(&world, |config| config), &old);
    assert!(done, "{text}");
    grow(&world, 400).await;
    // An honest checkpoint, with a proof that somebody spoilt on the way.
    let later = outside.get("checkpoint").await.text().await.unwrap();
    let size = first.lines().nth(1).unwrap();
    let (refused, text) = witness.submit(format!("old {size}\n{}\n\n{later}", leaf_hash(b"spoilt"))).await;
    assert_eq!(refused, 422, "{text}");
    // As the README says: the last lines, from the ledger's name to the end.
    let (evidence, shown) = (witness.evidence("unproved").remove(0), world.folder.join("shown"));
    let at = evidence.rfind(&format!("\n{ORIGIN}\n")).unwrap() + 1;
    std::fs::write(&shown, &evidence[at..]).unwrap();
    let (own, shown) = (witness.own().join("checkpoint"), shown.to_str().unwrap());
    let both = ["--key", &key, "--checkpoint", own.to_str().unwrap(), "--checkpoint", shown];
    let served = ["--tiles", &outside.prefix, "--token-file", token.to_str().unwrap()];
    let (whole, text) = verify(&[&served[..], &both].concat());
    assert!(whole && text.contains("2 saved checkpoints"), "{text}");
    // What was given on a disk before is not all of what was shown since.
    let (whole, text) = verify(&[&["--tiles", old.to_str().unwrap()][..], &both].concat());
    assert!(!whole && text.contains("are missing at the end"), "{text}");
    outside.stop().await;
}

/// Runs the command as the operator does, with the service's configuration.
fn operator_verifies(config: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
    told(&command.args(["audit", "verify", "--config"]).arg(config).args(arguments).output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_holds_the_newest_checkpoint_to_the_witnesses_and_is_told_the_first_wrong_entry_and_how_far_it_is()
{
    let world = World::new().await;
    grow(&world, 300).await;
    let config = written(&world, |config| config);
    let mut owner = world.owner().await;
    let notes: Vec<String> =
        sqlx::query_scalar("SELECT note FROM ledger_checkpoints ORDER BY size").fetch_all(&mut owner).await.unwrap();
    let (first, newest) = (notes.first().unwrap(), notes.last().unwrap());
    let witness =
        |name: &str, seed: u8| CosignatureKey::new(KeyName::new(name).unwrap(), &SigningKey::from_bytes(&[seed; 32]));
    let (one, two) = (witness("one.example", 1), witness("two.example", 2));
    let saved = |name: &str, note: &str, by: &[&CosignatureKey]| {
        let text = unverified_text(note).unwrap();
        let lines: String = by.iter().map(|witness| witness.cosign(text, 1_800_000_000)).collect();
        let file = world.folder.join(name);
        std::fs::write(&file, format!("{note}{lines}")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let [plain, seen, old] =
        [saved("plain", newest, &[]), saved("seen", newest, &[&one]), saved("old", first, &[&one, &two])];
    let (one, two) = (one.verifier().to_string(), two.verifier().to_string());
    for (arguments, whole, said) in [
        (vec!["--checkpoint", &seen, "--witness", &one], true, "Cosigned by one.example: 2027-"),
        (vec!["--checkpoint", &seen, "--witness", &one, "--witness", &two], false, "FOUND: 1 of the named witnesses"),
        (vec!["--checkpoint", &seen, "--witness", &one, "--witness", &two, "--witnesses", "1"], true, "is whole"),
        // The newest counts, whatever they signed before; of several of that size the one that they signed.
        (
            vec!["--checkpoint", &old, "--checkpoint", &seen, "--witness", &two],
            false,
            "FOUND: 0 of the named witnesses",
        ),
        (vec!["--checkpoint", &old, "--witness", &two], true, "Cosigned by two.example"),
        (vec!["--checkpoint", &seen, "--checkpoint", &plain, "--witness", &one], true, "is whole"),
        (vec!["--checkpoint", &plain, "--checkpoint", &seen, "--witness", &one], true, "is whole"),
        (vec!["--witness", &one], false, "--witness needs a --checkpoint"),
        (vec!["--checkpoint", &seen, "--witness", &one, "--witness", &one], false, "they are one"),
    ] {
        let (done, text) = operator_verifies(&config, &arguments);
        assert!(done == whole && text.contains(said), "{arguments:?}: {text}");
        assert!(!text.contains("entry that is wrong"), "{text}");
    }

    let mut progress = Vec::new();
    let keys = world.app.log_keys().unwrap();
    let tell = |done, all| progress.push((done, all));
    let report =
        verify_with(&world.app.databases.auditor, &keys, false, Believed::at(world.clock.now()), tell).await.unwrap();
    assert!(progress.is_sorted() && progress.len() > 2, "{progress:?}");
    assert_eq!(progress.last(), Some(&(report.leaves, report.leaves)));

    for (tamper, wrong) in [
        (
            "UPDATE ledger_entries e SET leaf = set_byte(leaf, 100, get_byte(leaf, 100) # 1) FROM ledger_tree t
             WHERE t.position IN (9, 5) AND t.replica = e.replica AND t.lane = e.lane AND t.n = e.n",
            5,
        ),
        ("DELETE FROM ledger_tree WHERE position = 3", 3),
        (
            "DELETE FROM ledger_entries e USING ledger_tree t
             WHERE t.position = 2 AND t.replica = e.replica AND t.lane = e.lane AND t.n = e.n",
            2,
        ),
    ] {
        sqlx::raw_sql(tamper).execute(&mut owner).await.unwrap();
        let (whole, text) = operator_verifies(&config, &[]);
        assert!(!whole && text.contains(&format!("The first entry that is wrong: {wrong}.")), "{text}");
    }
}

#[test]
fn a_verifiers_token_is_said_once_and_the_configuration_has_its_digest() {
    let run = |name: &str| {
        told(&Command::new(env!("CARGO_BIN_EXE_himaya")).args(["audit", "verifier", name]).output().unwrap())
    };
    let (done, text) = run("the ombudsman");
    assert!(done, "{text}");
    let told: toml::Value = toml::from_str(text.split_once("replica:\n").unwrap().1).unwrap();
    let told = &told["ledger_verifiers"][0];
    assert_eq!(told["name"].as_str(), Some("the ombudsman"));
    let token = text.lines().find(|line| line.len() == 64).unwrap();
    let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(token.as_bytes()).into();
    assert_eq!(told["token_sha256"].as_str().unwrap(), himaya::guard::statement::hex(&digest));
    assert_ne!(run("the ombudsman").1, text);
    assert!(!run("").0 && !run("a\"b").0);
}
