//! Whose keys open what: not as it is written somewhere, but as it is when everybody's keys are tried on everything.

use crate::alerts::waiting_notice;
use crate::custody::{invoke, opened_by};
use crate::harness::World;
use crate::thief::stolen_keys;
use himaya::demo::{stay, story};
use himaya::guard::keys::PersonKeys;
use himaya::guard::theft::steal_custody;
use serde_json::json;
use sqlx::Row as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use uuid::Uuid;

const HEADING: &str = "# Whose keys open what. Made by trying everybody's own keys on every wrap in the database, after the whole story of the demo,
# with a call that is being written, one that waits for a call-back, a notice that waits, and an emergency for the narrative.
# `own`: wrapped to the person. `intake`, `review`: through a key that their desk holds together, for a day or a month.
# The second part: what two custodians together lead to, by whose CUSTODY. One alone leads to nothing.
";
const SECTIONS: [&str; 6] = ["identity", "contact_and_safety", "narrative", "care", "legal", "investigation"];

/// Everything that a wrap could lead to: what it is, and the way.
struct Way {
    kind: String,
    key: Uuid,
    epoch: u32,
    case: Option<Uuid>,
    grant: Option<Uuid>,
    wrap: Vec<u8>,
    shared: Option<(Uuid, String)>,
}

async fn ways(world: &World) -> Vec<Way> {
    let rows = sqlx::query(
        "SELECT DISTINCT s.kind, w.key_id, w.epoch, s.case_id, w.grant_id, w.wrap, k.id, k.purpose FROM wraps w
         JOIN sealed s ON s.key_id = w.key_id AND s.epoch = w.epoch LEFT JOIN shared_keys k ON k.id = w.recipient_key
         WHERE w.active_from <= now() AND w.active_until > now()",
    )
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    let shared = |row: &sqlx::postgres::PgRow| Some((row.get::<Option<Uuid>, _>(6)?, row.get(7)));
    rows.iter()
        .map(|row| Way {
            kind: row.get(0),
            key: row.get(1),
            epoch: u32::try_from(row.get::<i32, _>(2)).unwrap(),
            case: row.get(3),
            grant: row.get(4),
            wrap: row.get(5),
            shared: shared(row),
        })
        .collect()
}

/// By which ways a person's keys open which kinds.
async fn opens(world: &World, keys: &PersonKeys, ways: &[Way]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut shared = BTreeMap::new();
    let wraps =
        sqlx::query("SELECT key_id, wrap FROM shared_key_wraps").fetch_all(&mut world.owner().await).await.unwrap();
    for row in &wraps {
        let id: Uuid = row.get(0);
        if let Some(private) = keys.stolen_shared(id, row.get(1)) {
            shared.insert(id, private);
        }
    }
    let own = keys.stolen_kem();
    for way in ways {
        let (private, how) = match &way.shared {
            None => (&own, "own"),
            Some((id, purpose)) => match shared.get(id) {
                Some(private) => (private, purpose.as_str()),
                None => continue,
            },
        };
        if private.try_record_key(&way.wrap, way.case, way.key, way.epoch, way.grant).is_some() {
            found.insert((way.kind.clone(), how.to_owned()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn everybodys_keys_open_what_the_reviewed_matrix_says_and_nobodys_open_all_sections() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    let operator = world.signed_in("operator1").await;
    let draft = json!({ "content": { "safe_to_talk": "yes" } });
    assert_eq!(operator.post("/api/v1/calls", &draft).await.unwrap().status, 201);
    let again = json!({ "content": {
        "safe_to_talk": "yes", "kind": "request_for_help", "call_back": { "wanted": "yes", "when": "after nine", "how": "ask", "number": "+994 00 111" }
    } });
    let call = operator.post("/api/v1/calls", &again).await.unwrap().id("id");
    let close = json!({ "outcome": "callback_scheduled" });
    let closed = operator.post(&format!("/api/v1/calls/{call}/close"), &close).await.unwrap();
    assert!(closed.status < 300, "{}", closed.text);
    waiting_notice(&world).await;
    let emergency = invoke(&world, &world.signed_in("duty2").await, played.case, &["narrative"], 1).await;
    opened_by(&world, emergency, "ssupervisor1", "ssupervisor2").await;

    let ways = ways(&world).await;
    let mut by_kind: BTreeMap<String, BTreeSet<String>> =
        ways.iter().map(|way| (way.kind.clone(), BTreeSet::new())).collect();
    let mut people: Vec<(Uuid, PersonKeys)> = Vec::new();
    for (actor, role) in world.country.everybody() {
        let keys = stolen_keys(&world, &actor.handle).await;
        let opened = opens(&world, &keys, &ways).await;
        let sections = SECTIONS.iter().filter(|section| opened.iter().any(|(kind, _)| kind == *section)).count();
        assert!(sections < SECTIONS.len(), "{} opens all sections", actor.handle);
        let sees_nothing =
            ["administrator", "auditor", "coordinator", "statistician", "squad_supervisor"].contains(&role);
        assert!(!sees_nothing || opened.is_empty(), "{} opens {opened:?}", actor.handle);
        for (kind, how) in opened {
            by_kind.entry(kind).or_default().insert(format!("{role} ({how})"));
        }
        people.push((actor.account, keys));
    }
    let mut matrix = HEADING.to_owned();
    for (kind, roles) in &by_kind {
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        let _ =
            writeln!(matrix, "{kind:<20} {}", if roles.is_empty() { "nobody".to_owned() } else { roles.join(", ") });
    }
    let _ = writeln!(matrix);
    for (kind, organisations) in by_custody(&world, &people, &ways).await {
        let organisations: Vec<&str> = organisations.iter().map(String::as_str).collect();
        let _ = writeln!(matrix, "{kind:<20} two custodians of: {}", organisations.join(", "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/key-matrix.txt");
    if std::env::var_os("HIMAYA_WRITE_MATRIX").is_some() {
        std::fs::write(&file, &matrix).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(reviewed, matrix, "write it anew with HIMAYA_WRITE_MATRIX=1 and review");
}

/// What two custodians' keys lead to together, by the kind of organisation whose CUSTODY it is. One person's lead to nothing.
async fn by_custody(world: &World, people: &[(Uuid, PersonKeys)], ways: &[Way]) -> BTreeMap<String, BTreeSet<String>> {
    let rows = sqlx::query(
        "SELECT s.key_id, s.first_account, s.second_account, s.share, o.kind FROM custody_shares s
         JOIN shared_keys k ON k.id = s.key_id JOIN organisations o ON o.id = k.organisation_id",
    )
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    let keys_of = |account: Uuid| &people.iter().find(|(known, _)| *known == account).unwrap().1;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let (key, first, second): (Uuid, Uuid, Uuid) = (row.get(0), row.get(1), row.get(2));
        let (share, organisation): (Vec<u8>, String) = (row.get(3), row.get(4));
        for alone in [first, second] {
            assert!(steal_custody(&share, keys_of(alone), keys_of(alone), key).is_none(), "one custodian alone");
        }
        let private = steal_custody(&share, keys_of(first), keys_of(second), key).expect("two together");
        for way in ways.iter().filter(|way| way.shared.as_ref().is_some_and(|(id, _)| *id == key)) {
            if private.try_record_key(&way.wrap, way.case, way.key, way.epoch, way.grant).is_some() {
                found.entry(way.kind.clone()).or_default().insert(organisation.clone());
            }
        }
    }
    found
}
