//! The owner of the database changes the tree, the queue, the checkpoints and what they vouch for, some of it with the log's own key:
//! the verifier says of each what was done and where, and nothing besides.

use crate::harness::World;
use crate::story::whole_ledger;
use ed25519_dalek::{Signer as _, SigningKey};
use himaya::audit::checkpoint::Checkpoint;
use himaya::audit::entry::{Leaf, Place, signed_message};
use himaya::audit::mark::{Mark, Named, RowKind};
use himaya::audit::note::{self, KeyName, NoteError, NoteSigner, unverified_text};
use himaya::audit::tiles::model::{Holds, Tile};
use himaya::audit::tree::{TreeHead, leaf_hash};
use himaya::audit::verify::{BadCheckpoint, Finding, Kept, verify};
use himaya::demo::story;
use himaya::guard::statement::hex;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// What is changed here.
pub const TABLES: [&str; 5] = ["ledger_entries", "ledger_pending", "ledger_tree", "ledger_checkpoints", "sealed"];

/// Keeps how these tables stand, and from now on lets this connection do what no constraint and no trigger would.
#[expect(clippy::format_push_string, reason = "statements of a test, a handful of them")]
pub async fn save(owner: &mut PgConnection) {
    let mut statements = "SET session_replication_role = replica; CREATE SCHEMA kept;
                          CREATE TABLE kept.view AS SELECT rtrim(pg_get_viewdef('standings'), ';') AS text;"
        .to_owned();
    for table in TABLES {
        statements += &format!("CREATE TABLE kept.{table} AS SELECT * FROM {table};");
    }
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(owner).await.unwrap();
}

/// Puts back what [`save`] kept.
#[expect(clippy::format_push_string, reason = "statements of a test, a handful of them")]
pub async fn restore(owner: &mut PgConnection) {
    let mut statements = "DO $$ BEGIN
        EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || (SELECT text FROM kept.view);
    END $$;"
        .to_owned();
    for table in TABLES {
        statements += &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept.{table};");
    }
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(owner).await.unwrap();
}

/// Changes something.
pub async fn tamper(owner: &mut PgConnection, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(owner).await.unwrap();
}

fn is(place: &Place) -> String {
    format!("(replica, lane, n) = ('{}', {}, {})", place.replica, place.lane, place.n)
}

/// A ledger as it was left, and the key that it is signed with.
struct Left {
    /// Who stands at each position.
    tree: Vec<Place>,
    /// Two that follow one another in their lane, and for which no place was made any more.
    waiting: [Place; 2],
    checkpoints: Vec<(i64, String)>,
    key: SigningKey,
    origin: String,
    hour: i64,
}

/// One thing done, and what is found.
type Tampering = (&'static str, String, Vec<Finding>);

impl Left {
    async fn of(world: &World, owner: &mut PgConnection) -> Self {
        let places = async |owner: &mut PgConnection, from: &'static str| -> Vec<Place> {
            let rows: Vec<(Uuid, i32, i64)> = sqlx::query_as(from).fetch_all(owner).await.unwrap();
            rows.into_iter().map(|(replica, lane, n)| Place { replica, lane, n }).collect()
        };
        let tree = places(owner, "SELECT replica, lane, n FROM ledger_tree ORDER BY position").await;
        let mut waiting = places(owner, "SELECT replica, lane, n FROM ledger_pending ORDER BY replica, lane, n").await;
        let (last, before) = (waiting.pop().unwrap(), waiting.pop().unwrap());
        assert_eq!((before.replica, before.lane, before.n + 1), (last.replica, last.lane, last.n));
        let checkpoints = sqlx::query_as("SELECT size, note FROM ledger_checkpoints ORDER BY size");
        Self {
            tree,
            waiting: [before, last],
            checkpoints: checkpoints.fetch_all(owner).await.unwrap(),
            key: world.app.secrets.ledger.get().oldest().value.signing.clone().unwrap(),
            origin: world.app.config.log_origin.clone(),
            hour: world.clock.hour(),
        }
    }

    fn size(&self) -> i64 {
        self.tree.len().try_into().unwrap()
    }

    fn at(&self, position: i64) -> &Place {
        &self.tree[usize::try_from(position).unwrap()]
    }

    /// The size of the newest checkpoint for fewer leaves than these.
    fn before(&self, leaves: i64) -> u64 {
        self.checkpoints.iter().rev().find(|(size, _)| *size < leaves).map_or(0, |(size, _)| size.unsigned_abs())
    }

    /// That nothing which was signed for more leaves than these fits any more.
    fn changed_behind(&self, leaves: i64) -> Finding {
        let sizes: Vec<u64> =
            self.checkpoints.iter().filter(|(size, _)| *size > leaves).map(|(size, _)| size.unsigned_abs()).collect();
        let (first, last) = (sizes[0], *sizes.last().unwrap());
        // The first that is wrong is among the few between two checkpoints.
        let fits = self.before(leaves + 1);
        Finding::TreeChanged { kept: Kept::Database, fits, first, last, count: sizes.len() as u64 }
    }

    /// That the hash above this leaf is another one, where there is one already.
    fn above(&self, position: i64) -> Option<Finding> {
        let size = self.size().unsigned_abs();
        let covered = size / 256 * 256;
        let tile = Tile::of(Holds::Hashes(1), 0, size).filter(|_| position.unsigned_abs() < covered)?;
        Some(Finding::TileChanged { tile })
    }

    fn signer(&self, key: &SigningKey) -> NoteSigner {
        NoteSigner::new(KeyName::new(self.origin.clone()).unwrap(), key)
    }

    /// A checkpoint in the middle that can be filed under the next size.
    fn middle(&self) -> &(i64, String) {
        let middle = self.checkpoints.windows(2).skip(self.checkpoints.len() / 2);
        let mut free = middle.filter(|pair| pair[1].0 > pair[0].0 + 1).map(|pair| &pair[0]);
        free.next().unwrap()
    }

    fn refile(note: &str, size: i64) -> String {
        format!("UPDATE ledger_checkpoints SET note = '{note}' WHERE size = {size}")
    }

    /// An entry that the thief of the key signs, in a lane of its own, saying this.
    fn plants(&self, mark: Mark) -> String {
        let place = Place { replica: Uuid::from_u128(7), lane: 0, n: 0 };
        let leaf = Leaf::new(place, place.origin(), self.hour, [0; 32], b"detail", Some(mark)).to_bytes();
        let signature = hex(&self.key.sign(&signed_message(&leaf)).to_bytes());
        format!(
            "INSERT INTO ledger_entries (replica, lane, n, leaf, signature, detail_key, detail)
             SELECT '{0}', 0, 0, '\\x{1}', '\\x{signature}', detail_key, detail FROM ledger_entries LIMIT 1;
             INSERT INTO ledger_pending (replica, lane, n) VALUES ('{0}', 0, 0)",
            place.replica,
            hex(&leaf)
        )
    }

    fn positions(&self) -> Vec<Tampering> {
        let exchanged = |p: i64| {
            let beyond = self.size() + 1000;
            format!(
                "UPDATE ledger_tree SET position = {beyond} WHERE position = {p};
                 UPDATE ledger_tree SET position = {p} WHERE position = {p} + 1;
                 UPDATE ledger_tree SET position = {p} + 1 WHERE position = {beyond}"
            )
        };
        let of_one_lane =
            |one: &Place, next: &Place| (one.replica, one.lane, one.n + 1) == (next.replica, next.lane, next.n);
        // Three of one lane in a row, after the first leaves of all; and the first two neighbours of two lanes.
        let lane = (10..self.size() - 2)
            .find(|p| of_one_lane(self.at(*p), self.at(p + 1)) && of_one_lane(self.at(p + 1), self.at(p + 2)))
            .unwrap();
        let border = (1..self.size() - 1)
            .find(|p| (self.at(*p).replica, self.at(*p).lane) != (self.at(p + 1).replica, self.at(p + 1).lane))
            .unwrap();
        let (one, two, three) = (*self.at(lane), *self.at(lane + 1), *self.at(lane + 2));
        let broken = |place: Place, expected| Finding::LaneBroken { place, expected };
        vec![
            (
                "two of one lane change places",
                exchanged(lane),
                [broken(two, one.n), broken(one, three.n), broken(three, two.n), self.changed_behind(lane)]
                    .into_iter()
                    .chain(self.above(lane))
                    .collect(),
            ),
            (
                "two of different lanes change places: a leaf is reordered, and each lane is whole",
                exchanged(border),
                std::iter::once(self.changed_behind(border)).chain(self.above(border)).collect(),
            ),
            (
                "one position is deleted",
                format!("DELETE FROM ledger_tree WHERE position = {}", lane + 1),
                vec![
                    Finding::PositionsMissing { first: lane + 1, last: lane + 1 },
                    broken(three, two.n),
                    self.changed_behind(lane + 1),
                    Finding::LeftOut { place: two },
                ],
            ),
        ]
    }

    fn signed(&self) -> Vec<Tampering> {
        let ((newest, _), (before, _)) =
            (&self.checkpoints[self.checkpoints.len() - 1], &self.checkpoints[self.checkpoints.len() - 2]);
        let (leaves, covered) = (newest.unsigned_abs(), before.unsigned_abs());
        let (size, kept) = self.middle();
        let (size, text) = (*size, unverified_text(kept).unwrap());
        let by_another = note::sign(text, &[&self.signer(&SigningKey::from_bytes(&[9; 32]))]).unwrap();
        let other = Checkpoint::new(&*self.origin, TreeHead { size: size.unsigned_abs(), root: leaf_hash(b"other") });
        let of_another = note::sign(&other.unwrap().to_text(), &[&self.signer(&self.key)]).unwrap();
        let own_line = kept.strip_prefix(text).unwrap();
        let altered = format!("{}{own_line}", unverified_text(&of_another).unwrap());
        let forged = |reason: NoteError| Finding::CheckpointForged {
            kept: Kept::Database,
            which: size,
            reason: BadCheckpoint::Note(reason).to_string(),
        };
        let name = KeyName::new(self.origin.clone()).unwrap();
        vec![
            (
                "the newest checkpoint is deleted",
                format!("DELETE FROM ledger_checkpoints WHERE size = {newest}"),
                vec![Finding::NotCovered { covered, leaves }],
            ),
            (
                "the newest checkpoint is filed under the next size",
                format!("UPDATE ledger_checkpoints SET size = size + 1 WHERE size = {newest}"),
                vec![
                    Finding::CheckpointMisfiled { filed: newest + 1, says: leaves },
                    Finding::NotCovered { covered, leaves },
                ],
            ),
            (
                "an older checkpoint is filed under the next size",
                format!("UPDATE ledger_checkpoints SET size = size + 1 WHERE size = {size}"),
                vec![Finding::CheckpointMisfiled { filed: size + 1, says: size.unsigned_abs() }],
            ),
            (
                "a checkpoint is signed by another key",
                Self::refile(&by_another, size),
                vec![forged(NoteError::NoKnownSignature)],
            ),
            (
                "a checkpoint says something else under the same signature",
                Self::refile(&altered, size),
                vec![forged(NoteError::BadSignature(name))],
            ),
            (
                "a thief of the key signs another tree",
                Self::refile(&of_another, size),
                vec![Finding::TreeChanged {
                    kept: Kept::Database,
                    fits: self.before(size),
                    first: size.unsigned_abs(),
                    last: size.unsigned_abs(),
                    count: 1,
                }],
            ),
        ]
    }

    async fn queue(&self, owner: &mut PgConnection) -> Vec<Tampering> {
        let [before, last] = &self.waiting;
        let bytes: Vec<u8> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT leaf FROM ledger_entries WHERE {}", is(before))))
                .fetch_one(owner)
                .await
                .unwrap();
        let mut leaf = Leaf::parse(&bytes).unwrap();
        leaf.commitment = [1; 32];
        let leaf = leaf.to_bytes();
        let signature = self.key.sign(&signed_message(&leaf)).to_bytes();
        let moved = Place { replica: last.replica, lane: 99, n: 0 };
        let placed = *self.at(5);
        vec![
            (
                "an entry that waits is taken out of the queue",
                format!("DELETE FROM ledger_pending WHERE {}", is(last)),
                vec![Finding::NotQueued { place: *last }],
            ),
            (
                "an entry that has its place is queued again",
                format!(
                    "INSERT INTO ledger_pending (replica, lane, n) SELECT replica, lane, n FROM ledger_tree WHERE {}",
                    is(&placed)
                ),
                vec![Finding::QueuedAgain { place: placed }],
            ),
            (
                "an entry that waits is deleted",
                format!("DELETE FROM ledger_entries WHERE {}", is(last)),
                vec![Finding::WaitingEntryDeleted { place: *last }],
            ),
            (
                "one between two is deleted, and out of the queue as well",
                format!("DELETE FROM ledger_entries WHERE {0}; DELETE FROM ledger_pending WHERE {0}", is(before)),
                vec![Finding::LaneBroken { place: *last, expected: before.n }],
            ),
            (
                "an entry is moved to another place",
                format!(
                    "UPDATE ledger_entries SET (lane, n) = (99, 0) WHERE {0};
                     UPDATE ledger_pending SET (lane, n) = (99, 0) WHERE {0}",
                    is(last)
                ),
                vec![Finding::OtherPlace { place: moved }],
            ),
            (
                "an entry is made into what is none",
                format!("UPDATE ledger_entries SET leaf = substring(leaf FROM 2) WHERE {}", is(last)),
                vec![Finding::NotALeaf { place: *last }],
            ),
            (
                "a thief of the key exchanges the entry before another",
                format!(
                    "UPDATE ledger_entries SET leaf = '\\x{}', signature = '\\x{}' WHERE {}",
                    hex(&leaf),
                    hex(&signature),
                    is(before)
                ),
                vec![Finding::ChainBroken { place: *last }],
            ),
        ]
    }

    async fn vouched(&self, owner: &mut PgConnection) -> Vec<Tampering> {
        let (record, version): (Uuid, i64) =
            sqlx::query_as("SELECT record_id, version FROM sealed ORDER BY record_id LIMIT 1")
                .fetch_one(&mut *owner)
                .await
                .unwrap();
        let (row, register, number): (Uuid, Uuid, i64) = sqlx::query_as(
            "SELECT s.id, a.register, s.register_no FROM standings_all() s JOIN accounts a ON a.id = s.account_id
             WHERE s.kind = 'call' ORDER BY s.id LIMIT 1",
        )
        .fetch_one(owner)
        .await
        .unwrap();
        let (unknown, planted) = (Uuid::from_u128(8), Uuid::from_u128(9));
        let twice = Mark::row(row, Named::Registered { register, number }, [3; 32]);
        vec![
            (
                "a byte of what is sealed is flipped",
                format!(
                    "UPDATE sealed SET blob = set_byte(blob, 40, get_byte(blob, 40) # 1) WHERE record_id = '{record}'"
                ),
                vec![Finding::RecordEdited { record, version }],
            ),
            (
                "something is sealed that nobody entered",
                format!(
                    "INSERT INTO sealed SELECT (jsonb_populate_record(s, '{{\"record_id\": \"{planted}\"}}')).*
                     FROM sealed s WHERE record_id = '{record}'"
                ),
                vec![Finding::RecordNotEntered { record: planted, version }],
            ),
            (
                "a thief of the key enters the same version again",
                self.plants(Mark::content(record, version, [3; 32])),
                vec![Finding::RecordEnteredTwice { record, version }],
            ),
            (
                "a thief of the key enters the same row again",
                self.plants(twice),
                vec![Finding::RowEnteredTwice { kind: RowKind::Call, row }],
            ),
            (
                "a row of a kind that nobody knows is put among those that are vouched for",
                format!(
                    "DO $$ BEGIN
                         EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS '
                             || (SELECT text FROM kept.view)
                             || ' UNION ALL SELECT ''ghost'', ''{unknown}'', NULL, NULL, 1, ''0''::xid, ''''::bytea';
                     END $$"
                ),
                vec![Finding::UnknownRow { row: unknown }],
            ),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_the_tree_and_behind_it_is_found_by_what_and_where() {
    let mut world = World::new().await;
    story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    crate::rotation::checkpoint(&world).await;
    let mut owner = world.owner().await;
    crate::outages::stall(&mut owner).await;
    for _ in 0..3 {
        assert_eq!(officer.get("/api/v1/cases", "case_work").await.unwrap().status, 200);
    }
    world.stop().await;
    assert!(whole_ledger(&world).await.unsequenced >= 2, "some wait");
    save(&mut owner).await;
    let left = Left::of(&world, &mut owner).await;
    let mut all = left.positions();
    all.extend(left.signed());
    all.extend(left.queue(&mut owner).await);
    all.extend(left.vouched(&mut owner).await);

    let (keys, in_order) = (world.app.log_keys().unwrap(), |findings: &[Finding]| {
        let mut said: Vec<String> = findings.iter().map(|finding| format!("{finding:?}")).collect();
        said.sort();
        said
    });
    for (what, statements, expected) in all {
        tamper(&mut owner, statements).await;
        let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
        assert_eq!(in_order(&report.findings), in_order(&expected), "{what}");
        restore(&mut owner).await;
        whole_ledger(&world).await;
    }
}
