//! The owner of the database plants shared keys and a squad of their own, each with statements that are well signed.

use crate::harness::World;
use crate::thief::stolen_keys;
use chrono::{DateTime, TimeDelta, Utc};
use himaya::demo::actor::Reply;
use himaya::guard::action::Role;
use himaya::guard::keys::{KemPrivate, PersonKeys};
use himaya::guard::record::{AccountId, OrganisationId, SharedKeyId};
use himaya::guard::statement::{
    self, FoundingMember, FoundingStatement, OrganisationKind, SharedKeyStatement, SharedPurpose, hex,
};
use serde_json::json;
use uuid::Uuid;

/// Somebody of whom the owner of the database has the keys.
pub struct Maker {
    pub squad: Uuid,
    pub account: Uuid,
    pub keys: PersonKeys,
}

/// As if the service had made it for the maker, with the code that only the service has.
pub async fn insert_key(world: &World, maker: &Maker, stated: &SharedKeyStatement, note: &str) {
    let mut owner = world.owner().await;
    let row =
        "INSERT INTO shared_keys (id, organisation_id, purpose, public_key, maker_id, note, opens_at, closes_at, vouch)
               VALUES ($1, $2, $3, decode($4, 'hex'), $5, $6, $7, $8, $9)";
    let vouch = world.app.places.trust.voucher().shared_key(stated.key, AccountId(maker.account), note);
    sqlx::query(row)
        .bind(stated.key.0)
        .bind(maker.squad)
        .bind(stated.purpose.as_str())
        .bind(&stated.public)
        .bind(maker.account)
        .bind(note)
        .bind(stated.opens_at)
        .bind(stated.closes_at)
        .bind(vouch.as_slice())
        .execute(&mut owner)
        .await
        .unwrap();
    let held = "INSERT INTO shared_key_wraps (key_id, account_id, wrap) VALUES ($1, $2, '')";
    sqlx::query(held).bind(stated.key.0).bind(maker.account).execute(&mut owner).await.unwrap();
}

pub fn new_key(squad: Uuid, purpose: SharedPurpose, opens_at: DateTime<Utc>, life: TimeDelta) -> SharedKeyStatement {
    SharedKeyStatement {
        key: SharedKeyId::random(),
        organisation: OrganisationId(squad),
        purpose,
        public: hex(&KemPrivate::generate().public().unwrap().0),
        opens_at,
        closes_at: opens_at + life,
    }
}

/// Plants an INTAKE key with its maker's true signature.
async fn plant_intake(world: &World, maker: &Maker, life: TimeDelta) -> Uuid {
    let stated = new_key(maker.squad, SharedPurpose::Intake, world.clock.now(), life);
    let note = statement::sign(&stated, AccountId(maker.account), &maker.keys).unwrap();
    insert_key(world, maker, &stated, &note).await;
    stated.key.0
}

/// Hands a new call over, to the squad that is named or to the only one.
async fn hand_over(world: &World, squad: Option<Uuid>) -> Reply {
    let operator = world.signed_in("operator1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let how = json!({ "basis": "vital_interest", "squad": squad });
    operator.post(&format!("/api/v1/calls/{call}/hand-over"), &how).await.unwrap()
}

/// How many record keys are wrapped to this shared key, or to any of this organisation.
async fn sealed_to(world: &World, to: Uuid) -> i64 {
    let wraps = "SELECT count(*) FROM wraps w JOIN shared_keys k ON k.id = w.recipient_key
                 WHERE k.id = $1 OR k.organisation_id = $1";
    sqlx::query_scalar(wraps).bind(to).fetch_one(&mut world.owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intake_key_that_is_to_live_longer_than_a_day_is_not_believed() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let keys = stolen_keys(&world, "duty1").await;
    let maker = Maker { squad: world.country.organisations["squad"], account: duty.account, keys };
    let day = TimeDelta::hours(24);
    // The last is one that this officer may make, so nothing but its life speaks against the others.
    for (life, notices) in [(TimeDelta::days(3), 0), (day + TimeDelta::seconds(1), 0), (day, 1)] {
        let planted = plant_intake(&world, &maker, life).await;
        let sent = hand_over(&world, None).await;
        assert_eq!(sent.status, 201, "{}", sent.text);
        assert_eq!(sealed_to(&world, planted).await, notices, "{life}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_its_maker_signs_and_this_service_did_not_make_is_not_believed() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let keys = stolen_keys(&world, "duty1").await;
    let maker = Maker { squad: world.country.organisations["squad"], account: duty.account, keys };
    let planted = plant_intake(&world, &maker, TimeDelta::hours(24)).await;
    for code in ["NULL", "decode(repeat('07', 32), 'hex')"] {
        let other = format!("UPDATE shared_keys SET vouch = {code} WHERE id = $1");
        sqlx::query(sqlx::AssertSqlSafe(other)).bind(planted).execute(&mut world.owner().await).await.unwrap();
        assert_eq!(hand_over(&world, None).await.status, 201);
        assert_eq!(sealed_to(&world, planted).await, 0, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_rows_that_are_not_believed_do_not_hide_the_true_key() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    world.signed_in("hsupervisor1").await;
    // By the true maker, newer than the true key, and signed by nobody.
    let maker =
        Maker { squad: world.country.organisations["squad"], account: duty.account, keys: PersonKeys::generate() };
    for _ in 0..40 {
        plant_intake(&world, &maker, TimeDelta::hours(24)).await;
    }
    let sent = hand_over(&world, None).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
}

/// An organisation of kind squad as the owner of the database makes one: the people, their keys and the statement that
/// they sign are all the owner's. Its duty officer, and the statement.
async fn plant_squad(world: &World, squad: Uuid) -> (Maker, String) {
    let mut owner = world.owner().await;
    let found = "INSERT INTO organisations (id, kind, name, created_at) VALUES ($1, 'squad', $1::text, now())";
    sqlx::query(found).bind(squad).execute(&mut owner).await.unwrap();
    let (mut members, mut people) = (Vec::new(), Vec::new());
    for (number, role) in [Role::SquadSupervisor, Role::SquadSupervisor, Role::DutyOfficer].into_iter().enumerate() {
        let (account, keys) = (AccountId::random(), PersonKeys::generate());
        let enter = "INSERT INTO accounts (id, organisation_id, handle, nominated_responsible, nominated_custodian,
                                           created_at) VALUES ($1, $2, $1::text, false, true, now())";
        sqlx::query(enter).bind(account.0).bind(squad).execute(&mut owner).await.unwrap();
        members.push(FoundingMember {
            account,
            handle: account.to_string(),
            role,
            responsible: number < 2,
            custodian: true,
            keys: keys.public().unwrap().into(),
        });
        people.push((account, keys));
    }
    let now = world.clock.now();
    let custody = new_key(squad, SharedPurpose::Custody, now, SharedPurpose::Custody.life());
    let stated = FoundingStatement {
        organisation: OrganisationId(squad),
        kind: OrganisationKind::Squad,
        name: squad.to_string(),
        custody_key: custody.key,
        custody_public: custody.public.clone(),
        members,
        made_at: now,
        succession: None,
    };
    let note = statement::sign(&stated, people[0].0, &people[0].1).unwrap();
    let note = statement::countersign(&note, people[1].0, &people[1].1).unwrap();
    let (account, keys) = people.pop().unwrap();
    let duty = Maker { squad, account: account.0, keys };
    insert_key(world, &duty, &custody, &note).await;
    (duty, note)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squad_of_the_owners_making_gets_nothing_unless_it_is_pinned() {
    let world = World::new().await;
    let (operator, squad) = (world.signed_in("operator1").await, Uuid::from_u128(7));
    world.signed_in("duty1").await;
    let (duty, own) = plant_squad(&world, squad).await;
    plant_intake(&world, &duty, TimeDelta::hours(24)).await;
    let mut owner = world.owner().await;
    // A founding of its own, which nobody pinned; and that of the true squad, which speaks of the true squad only.
    let true_note = "SELECT note FROM foundings WHERE organisation_id = $1";
    let copied: String =
        sqlx::query_scalar(true_note).bind(world.country.organisations["squad"]).fetch_one(&mut owner).await.unwrap();
    for note in [&copied, &own] {
        let founded = "INSERT INTO foundings (organisation_id, note, complete, proposed_at)
                       VALUES ($1, $2, true, now()) ON CONFLICT (organisation_id) DO UPDATE SET note = $2";
        sqlx::query(founded).bind(squad).bind(note).execute(&mut owner).await.unwrap();
        let named = hand_over(&world, Some(squad)).await;
        assert_eq!((named.status, named.body["errors"][0]["field"].as_str()), (422, Some("squad")), "{}", named.text);
        let sent = hand_over(&world, None).await;
        assert_eq!(sent.status, 201, "{}", sent.text);
        // A notice that the owner turns to it takes no addendum.
        let turn = "UPDATE notices SET squad_id = $1 WHERE id = $2";
        sqlx::query(turn).bind(squad).bind(sent.id("id")).execute(&mut owner).await.unwrap();
        let addendum = format!("/api/v1/slips/{}/addenda", sent.id("id"));
        let refused = operator.post(&addendum, &json!({ "text": "the back door" })).await.unwrap();
        assert_eq!((refused.status, refused.code()), (503, "squad_not_reachable"), "{}", refused.text);
        assert_eq!(sealed_to(&world, squad).await, 0);
    }
    // Nothing else was missing: pinned, it is a squad like the other.
    let pin = hex(&statement::fingerprint(&own).unwrap());
    let pins = std::fs::read_to_string(&world.app.config.pins).unwrap();
    std::fs::write(&world.app.config.pins, format!("{pins}{pin}\n")).unwrap();
    assert_eq!(hand_over(&world, Some(squad)).await.status, 201);
    assert_eq!(sealed_to(&world, squad).await, 2);
}
