//! The ledger as others fetch it: read from a running service by an implementation of the formats that is not ours.

use crate::harness::World;
use crate::ledger::comes_true;
use crate::story::whole_ledger;
use himaya::audit::tiles::access::new_token;
use himaya::audit::verify::{Finding, verify};
use himaya::demo::story;
use himaya::platform::app::App;
use himaya::platform::config::{Config, LedgerVerifier};
use himaya::platform::serve::Serving;
use reqwest::{Response, StatusCode};
use serde_json::json;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint, Hash, HashReader as _, Tile, TileHashReader, TileReader};
use uuid::Uuid;

/// A replica that knows a verifier, and that verifier's way to it.
pub struct Outside {
    pub app: App,
    pub token: String,
    /// With `/ledger` at its end.
    pub prefix: String,
    serving: Serving,
}

impl Outside {
    /// Over a world with at least so many entries, all of them in the tree.
    pub async fn of(world: &World, entries: i64) -> Self {
        Self::with(world, entries, world.app.config.clone()).await
    }

    /// The same with a configuration of its own.
    pub async fn with(world: &World, entries: i64, config: Config) -> Self {
        let (token, token_sha256) = new_token();
        let told = LedgerVerifier { name: "the ombudsman".to_owned(), token_sha256 };
        let config = Config { ledger_verifiers: vec![told], ..config };
        let (app, serving, base) = world.replica_of(config).await;
        if entries > 0 {
            grow(world, entries).await;
        }
        Self { app, token: token.to_string(), prefix: format!("{base}/ledger"), serving }
    }

    pub async fn get(&self, path: &str) -> Response {
        reqwest::Client::new().get(format!("{}/{path}", self.prefix)).bearer_auth(&self.token).send().await.unwrap()
    }

    async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    async fn text(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path).await).unwrap()
    }

    /// The checkpoint as somebody else's library reads it, its signature checked under the log's first key.
    pub async fn checkpoint(&self) -> Checkpoint {
        let note = Note::from_bytes(&self.bytes("checkpoint").await).unwrap();
        let vkey = self.app.log_keys().unwrap().all()[0].to_string();
        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        let (signed, unknown) = note.verify(&known).unwrap();
        assert_eq!((signed.len(), unknown.len()), (1, 0));
        let checkpoint = Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.extension()), ("himaya.example/ledger", ""));
        checkpoint
    }

    /// The entries of the log, by the bytes of its bundles.
    async fn entries(&self, size: u64) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for n in 0..size.div_ceil(256) {
            let width = (size - n * 256).min(256);
            let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
            let bundle = self.bytes(&format!("tile/entries/{n:03}{partial}")).await;
            let mut rest = bundle.as_slice();
            while let [high, low, behind @ ..] = rest {
                let (entry, behind) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])));
                entries.push(entry.to_vec());
                rest = behind;
            }
        }
        assert_eq!(entries.len() as u64, size);
        entries
    }

    pub async fn stop(self) {
        self.serving.stop().await.unwrap();
    }
}

/// The reader of somebody else's library, over HTTP.
impl TileReader for Outside {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = async {
            let mut read = Vec::new();
            for tile in tiles {
                // Theirs names the height as well.
                read.push(self.bytes(&tile.path().replace("tile/8/", "tile/")).await);
            }
            read
        };
        Ok(tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(read)))
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// Makes entries until there are so many, and waits until all of them are in the tree.
pub async fn grow(world: &World, entries: i64) {
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let call = operator.post("/api/v1/calls", &body).await.unwrap().id("id");
    let path = format!("/api/v1/calls/{call}");
    let mut owner = world.owner().await;
    let count = "SELECT count(*) FROM ledger_entries";
    let there: i64 = sqlx::query_scalar(count).fetch_one(&mut owner).await.unwrap();
    for _ in there..entries {
        assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200);
    }
    comes_true("everything is in the tree", async || {
        let waits: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut owner).await.unwrap();
        waits == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_implementation_that_is_not_ours_reads_root_inclusion_and_consistency_from_a_running_service() {
    let mut world = World::new().await;
    story::play(&world.country).await.unwrap();
    let outside = Outside::of(&world, 300).await;
    let first = outside.checkpoint().await;
    let entries = outside.entries(first.size()).await;
    assert!(first.size() >= 300);
    let reader = TileHashReader::new(first.size(), *first.hash(), &outside);
    assert_eq!(tlog_tiles::tree_hash(first.size(), &reader).unwrap(), *first.hash());
    for index in [0, 1, 255, 256, first.size() / 2, first.size() - 1] {
        let hash = tlog_tiles::record_hash(&entries[usize::try_from(index).unwrap()]);
        let proof = tlog_tiles::prove_record(first.size(), index, &reader).unwrap();
        tlog_tiles::check_record(&proof, first.size(), *first.hash(), index, hash).unwrap();
        // Our own proof of it, a text, checked by theirs.
        let text = outside.text(&format!("proof/{index}")).await;
        let (head, note) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
        assert_eq!(lines.next(), Some(format!("index {index}").as_str()));
        let ours: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).unwrap()).collect();
        let note = Note::from_bytes(note.as_bytes()).unwrap();
        let under = Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((under.size(), under.hash()), (first.size(), first.hash()));
        tlog_tiles::check_record(&ours, under.size(), *under.hash(), index, hash).unwrap();
        assert!(tlog_tiles::check_record(&ours, under.size(), *under.hash(), index ^ 1, hash).is_err());
    }
    // A tile's hashes are those of the entries.
    let stored = reader.read_hashes(&[tlog_tiles::stored_hash_index(0, 7)]).unwrap();
    assert_eq!(stored, [tlog_tiles::record_hash(&entries[7])]);

    grow(&world, i64::try_from(first.size()).unwrap() + 260).await;
    let second = outside.checkpoint().await;
    assert!(second.size() > first.size() + 256);
    let reader = TileHashReader::new(second.size(), *second.hash(), &outside);
    let proof = tlog_tiles::prove_tree(second.size(), first.size(), &reader).unwrap();
    tlog_tiles::check_tree(&proof, second.size(), *second.hash(), first.size(), *first.hash()).unwrap();
    assert_eq!(outside.entries(second.size()).await[..entries.len()], entries[..]);
    outside.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_newest_checkpoint_covers_is_served_and_what_never_changes_may_be_kept() {
    let world = World::new().await;
    let outside = Outside::of(&world, 300).await;
    let size = outside.checkpoint().await.size();
    let header = |answer: &Response, name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let checkpoint = outside.get("checkpoint").await;
    assert_eq!(header(&checkpoint, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&checkpoint, "cache-control"), "no-store");
    let last = size - 256;
    for path in ["0/000".to_owned(), "0/000.p/9".to_owned(), format!("0/001.p/{last}"), "1/000.p/1".to_owned()]
        .into_iter()
        .chain(["entries/000".to_owned(), format!("entries/001.p/{last}")])
    {
        let answer = outside.get(&format!("tile/{path}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&answer, "content-type"), "application/octet-stream");
        assert_eq!(header(&answer, "cache-control"), "private, max-age=31536000, immutable");
    }
    assert_eq!(outside.bytes("tile/0/000").await.len(), 8192);
    assert_eq!(outside.bytes("tile/0/000.p/9").await, outside.bytes("tile/0/000").await[..288]);
    for absent in [
        format!("tile/0/001.p/{}", last + 1),
        format!("tile/entries/001.p/{}", last + 1),
        "tile/0/001".to_owned(),
        "tile/1/000".to_owned(),
        "tile/1/000.p/2".to_owned(),
        "tile/2/000.p/1".to_owned(),
        "tile/63/000.p/1".to_owned(),
        "tile/0/0".to_owned(),
        "tile/0/000.p/0".to_owned(),
        "tile/data/000".to_owned(),
        "tile/0/x000/000".to_owned(),
        "tile/0/000%2Ep/9/".to_owned(),
        "tile/..%2F..%2Fcheckpoint".to_owned(),
        format!("proof/{size}"),
        "proof/-1".to_owned(),
        "proof/x".to_owned(),
    ] {
        let answer = outside.get(&absent).await;
        assert_eq!(
            (answer.status(), header(&answer, "cache-control").as_str()),
            (StatusCode::NOT_FOUND, "no-store"),
            "{absent}"
        );
    }
    // An entry of which nothing is signed yet is nobody's to see.
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE points AS TABLE ledger_checkpoints; DELETE FROM ledger_checkpoints WHERE size > 9")
        .execute(&mut owner)
        .await
        .unwrap();
    // Somebody took newer checkpoints away: what is kept outside the database says so, and nothing is served.
    for path in ["checkpoint", "tile/0/000.p/1", "proof/0"] {
        let refused = outside.get(path).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(refused.text().await.unwrap().contains("checkpoint_contradicted"), "{path}");
    }
    let note: String = sqlx::query_scalar("SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    std::fs::write(world.app.config.checkpoints.join("checkpoint"), note).unwrap();
    // Nor is one that is filed under another size than its own.
    sqlx::raw_sql(
        "UPDATE ledger_checkpoints SET size = size + 2 WHERE size = (SELECT max(size) FROM ledger_checkpoints)",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    assert_eq!(outside.get("checkpoint").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    sqlx::raw_sql(
        "UPDATE ledger_checkpoints SET size = size - 2 WHERE size = (SELECT max(size) FROM ledger_checkpoints)",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let covered = outside.checkpoint().await.size();
    assert!((1..=9).contains(&covered));
    assert_eq!(outside.get("tile/0/000.p/10").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(outside.bytes(&format!("tile/0/000.p/{covered}")).await.len() as u64, covered * 32);
    outside.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_what_a_missing_record_is_told_and_an_auditor_leaves_an_entry() {
    let world = World::new().await;
    let outside = Outside::of(&world, 0).await;
    let base = outside.prefix.strip_suffix("/ledger").unwrap();
    let auditor = world.signed_in("auditor1").await.at(base);
    let missing = auditor.get(&format!("/api/v1/cases/{}", Uuid::nil()), "audit").await.unwrap();
    let alike = |text: &str| {
        let mut body: serde_json::Value = serde_json::from_str(text).unwrap();
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let (access, ..) = auditor.secrets().await;
    let client = reqwest::Client::new();
    for path in ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "proof/0", "keys"] {
        let url = format!("{}/{path}", outside.prefix);
        assert_eq!(outside.get(path).await.status(), StatusCode::OK);
        for sent in [
            client.get(&url),
            client.get(&url).bearer_auth(""),
            client.get(&url).bearer_auth("0".repeat(64)),
            client.get(&url).bearer_auth(&outside.token[1..]),
            client.get(&url).bearer_auth(outside.token.to_uppercase()),
            // Half of a session is none of a verifier.
            client.get(&url).bearer_auth(&access),
            client.get(&url).header("authorization", format!("Basic {}", outside.token)),
            // To a replica that was told of nobody.
            client.get(url.replace(base, &world.base)).bearer_auth(&outside.token),
        ] {
            let answer = sent.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), missing.status), (404, 404), "{path}");
            assert_eq!(alike(&answer.text().await.unwrap()), alike(&missing.text), "{path}");
        }
    }
    // A verifier's token opens nothing else.
    let notices = client.get(format!("{base}/api/v1/ledger/entries")).bearer_auth(&outside.token).send().await.unwrap();
    assert_eq!(notices.status(), StatusCode::UNAUTHORIZED);
    let entries = async || {
        let count = "SELECT count(*) FROM ledger_entries";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&mut world.owner().await).await.unwrap()
    };
    let before = entries().await;
    assert_eq!(outside.get("checkpoint").await.status(), StatusCode::OK);
    assert_eq!(entries().await, before, "the ledger does not grow by being checked");
    assert_eq!(auditor.get("/ledger/checkpoint", "audit").await.unwrap().status, 200);
    assert_eq!(entries().await, before + 1, "what a person looks at is an entry");
    assert_eq!(auditor.get("/ledger/tile/0/000.p/1", "audit").await.unwrap().status, 200);
    let refused = world.signed_in("officer1").await.at(base).get("/ledger/checkpoint", "case_work").await.unwrap();
    assert_eq!((refused.status, refused.code()), (403, "not_your_work"));
    assert_eq!(entries().await, before + 3);
    outside.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_asks_without_end_is_told_to_wait() {
    let world = World::new().await;
    let outside = Outside::of(&world, 0).await;
    assert_eq!(outside.get("checkpoint").await.status(), StatusCode::OK);
    // Everything of the next hour is used up.
    let later = outside.app.places.clock.instant() + std::time::Duration::from_hours(1);
    while outside.app.verifiers.take(0, later).is_ok() {}
    let told = outside.get("checkpoint").await;
    assert_eq!((told.status(), &told.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap()));
    assert!(told.text().await.unwrap().contains("too_fast"));
    // Whose token it is not is still told nothing.
    let stranger = reqwest::Client::new().get(format!("{}/checkpoint", outside.prefix)).bearer_auth("0").send().await;
    assert_eq!(stranger.unwrap().status(), StatusCode::NOT_FOUND);
    outside.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hashes_above_the_leaves_are_made_good_where_the_tree_was_begun_before_them() {
    let mut world = World::new().await;
    let outside = Outside::of(&world, 530).await;
    let before = outside.bytes("tile/1/000.p/2").await;
    outside.stop().await;
    world.stop().await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("DELETE FROM ledger_nodes WHERE n = 0").execute(&mut owner).await.unwrap();
    let outside = Outside::of(&world, 0).await;
    comes_true("the sequencer makes them good when it begins", async || {
        outside.bytes("tile/1/000.p/2").await == before
    })
    .await;
    outside.stop().await;
    // Nobody changes one: not the app, which cannot even read them, and not the sequencer.
    for (pool, statements) in [
        (&world.app.databases.app, &["SELECT count(*) FROM ledger_nodes", "DELETE FROM ledger_nodes"][..]),
        (&world.app.databases.sequencer, &["DELETE FROM ledger_nodes", "UPDATE ledger_nodes SET n = n + 1000"]),
        (&world.app.databases.auditor, &["INSERT INTO ledger_nodes VALUES (1, 99, decode(repeat('00', 32), 'hex'))"]),
    ] {
        for statement in statements {
            let refused = sqlx::raw_sql(*statement).execute(pool).await.unwrap_err();
            assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501", "{statement}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_above_the_leaves_that_somebody_changed_or_deleted_are_found() {
    let mut world = World::new().await;
    grow(&world, 530).await;
    world.stop().await;
    let mut owner = world.owner().await;
    let report = whole_ledger(&world).await;
    assert!(report.leaves >= 530);
    for (tamper, undo) in [
        (
            "UPDATE ledger_nodes SET hash = set_byte(hash, 3, get_byte(hash, 3) # 1) WHERE n = 1",
            "UPDATE ledger_nodes SET hash = set_byte(hash, 3, get_byte(hash, 3) # 1) WHERE n = 1",
        ),
        (
            "CREATE TABLE node AS TABLE ledger_nodes; DELETE FROM ledger_nodes WHERE n = 0",
            "INSERT INTO ledger_nodes TABLE node ON CONFLICT DO NOTHING",
        ),
        // Nearly all of them, so that it looks as if there had never been any.
        (
            "DELETE FROM ledger_nodes; INSERT INTO ledger_nodes VALUES (7, 99, decode(repeat('00', 32), 'hex'))",
            "DELETE FROM ledger_nodes; INSERT INTO ledger_nodes TABLE node",
        ),
    ] {
        sqlx::raw_sql(tamper).execute(&mut owner).await.unwrap();
        let keys = world.app.log_keys().unwrap();
        let found = verify(&world.app.databases.auditor, &keys, &[], false).await.unwrap().findings;
        assert!(
            matches!(found[..], [Finding::TileChanged { .. }]) && found[0].to_string().contains("tile/1/000.p/2"),
            "{found:?}"
        );
        sqlx::raw_sql(undo).execute(&mut owner).await.unwrap();
    }
    whole_ledger(&world).await;
}
