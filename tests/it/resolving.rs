//! Who a pseudonym is: two auditors are told together, and nobody alone, whatever lies in the database.

use crate::harness::World;
use crate::policies::shown;
use crate::searching::placed;
use crate::thief::stolen_keys;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::guard::keys::PersonKeys;
use himaya::guard::record::AccountId;
use himaya::guard::statement::{self, ResolutionStatement};
use himaya::platform::secrets::Named;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

const RESOLUTIONS: &str = "/api/v1/ledger/resolutions";

pub async fn ask(by: &Actor, person: &str) -> Reply {
    let new = json!({ "person": person, "reason": "suspicion", "shown": shown(by) });
    by.post(RESOLUTIONS, &new).await.unwrap()
}

pub async fn agree(by: &Actor, asked: &Reply) -> Reply {
    let body = json!({ "fingerprint": asked.text_of("fingerprint"), "shown": shown(by) });
    by.post(&format!("{RESOLUTIONS}/{}/countersign", asked.id("id")), &body).await.unwrap()
}

async fn told(by: &Actor, id: Uuid) -> Reply {
    by.get(&format!("{RESOLUTIONS}/{id}"), "audit").await.unwrap()
}

/// The pseudonym of somebody who has just done what nobody else here does.
pub async fn pseudonym_of_operator(world: &World, auditor: &Actor) -> (Actor, String) {
    let operator = world.signed_in("operator1").await;
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    assert_eq!(operator.post("/api/v1/calls", &call).await.unwrap().status, 201);
    placed(world).await;
    let page = auditor.get("/api/v1/ledger/entries?limit=100", "audit").await.unwrap();
    let entries = page.body["items"].as_array().unwrap();
    let own = entries.iter().find(|entry| entry["detail"]["kind"] == "call" && entry["detail"]["verb"] == "create");
    (operator, own.unwrap()["detail"]["person"].as_str().unwrap().to_owned())
}

async fn row(owner: &mut PgConnection, id: Uuid) -> String {
    sqlx::query("SELECT note FROM resolutions WHERE id = $1").bind(id).fetch_one(owner).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_auditors_are_told_who_a_pseudonym_is_and_nobody_alone() {
    let world = World::new().await;
    let (one, other, third) =
        (world.signed_in("auditor1").await, world.signed_in("auditor2").await, world.signed_in("auditor3").await);
    let (operator, person) = pseudonym_of_operator(&world, &one).await;
    // Bad input: nobody's pseudonym, no reason of the list, nobody who shows who they are.
    let bad = ask(&one, "p-00000000000000000bad").await;
    assert_eq!((bad.status, bad.body["errors"][0]["field"].as_str()), (422, Some("person")), "{}", bad.text);
    let why = json!({ "person": person, "reason": "curiosity", "shown": shown(&one) });
    let why = one.post(RESOLUTIONS, &why).await.unwrap();
    assert_eq!((why.status, why.body["errors"][0]["field"].as_str()), (422, Some("reason")), "{}", why.text);
    let wrong = json!({ "person": person, "reason": "leak", "shown": { "passphrase": "not the one" } });
    let wrong = one.post(RESOLUTIONS, &wrong).await.unwrap();
    assert_eq!((wrong.status, wrong.code()), (403, "wrong_factor"), "{}", wrong.text);

    let asked = ask(&one, &person).await;
    assert_eq!((asked.status, asked.text_of("state")), (201, "proposed"), "{}", asked.text);
    let id = asked.id("id");
    assert!(!asked.text.contains(&operator.account.to_string()) && !asked.text.contains("operator1"), "{}", asked.text);
    for early in [&one, &other, &third] {
        assert_eq!(told(early, id).await.status, 404, "{}", early.handle);
    }
    let again = agree(&one, &asked).await;
    assert_eq!((again.status, again.code()), (409, "signed_already"), "{}", again.text);
    let unread = json!({ "fingerprint": "0".repeat(64), "shown": shown(&other) });
    let unread = other.post(&format!("{RESOLUTIONS}/{id}/countersign"), &unread).await.unwrap();
    assert_eq!((unread.status, unread.body["errors"][0]["field"].as_str()), (422, Some("fingerprint")));
    // Nobody else, and what is not theirs is not there: the person's own supervisor neither.
    for stranger in ["hsupervisor1", "admin1", "coordinator1", "operator1"] {
        let stranger = world.signed_in(stranger).await;
        assert_eq!(agree(&stranger, &asked).await.status, 404, "{}", stranger.handle);
        assert_eq!(told(&stranger, id).await.status, 404, "{}", stranger.handle);
        assert_eq!(stranger.get(RESOLUTIONS, "audit").await.unwrap().status, 403, "{}", stranger.handle);
    }

    let agreed = agree(&other, &asked).await;
    assert_eq!((agreed.status, agreed.text_of("state")), (200, "agreed"), "{}", agreed.text);
    for two in [&one, &other] {
        let answer = told(two, id).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!((answer.text_of("handle"), answer.id("account")), ("operator1", operator.account));
        assert_eq!(answer.id("organisation"), world.country.organisations["helpline"]);
    }
    // A colleague sees that it was asked, and not who it is.
    assert_eq!(told(&third, id).await.status, 404);
    let list = third.get(RESOLUTIONS, "audit").await.unwrap();
    assert_eq!((list.status, &list.body["items"][0]["state"]), (200, &json!("agreed")), "{}", list.text);
    assert!(!list.text.contains(&operator.account.to_string()) && !list.text.contains("operator1"), "{}", list.text);
    let late = agree(&third, &asked).await;
    assert_eq!((late.status, late.code()), (409, "resolution_over"), "{}", late.text);

    // Asking, agreeing and each reading are entries; those that were refused too.
    placed(&world).await;
    let page = third.get("/api/v1/ledger/entries?limit=100", "audit").await.unwrap();
    let entries: Vec<&Value> = page.body["items"].as_array().unwrap().iter().map(|entry| &entry["detail"]).collect();
    let of = |verb: &str, outcome: &str| {
        let fits = |entry: &&&Value| {
            entry["kind"] == "resolution"
                && entry["verb"] == verb
                && entry["outcome"] == outcome
                && entry["records"].as_array().unwrap().contains(&json!(id))
        };
        entries.iter().filter(fits).count()
    };
    assert_eq!((of("propose", "done"), of("countersign", "done"), of("read", "done")), (1, 1, 2));
    assert!(of("read", "refused") >= 8, "{}", of("read", "refused"));
    assert!(!page.text.contains(&operator.account.to_string()), "the ledger links a pseudonym to nobody");

    crate::story::whole_ledger(&world).await;

    // After a week nobody is told any more.
    world.clock.advance(TimeDelta::days(7));
    // Signed in anew: the session of a week ago is over.
    let one = one.elsewhere();
    one.sign_in().await.unwrap();
    assert_eq!(told(&one, id).await.status, 404);
    let list = one.get(RESOLUTIONS, "audit").await.unwrap();
    assert_eq!(list.body["items"][0]["state"], "lapsed", "{}", list.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_the_database_and_one_auditor_are_told_nothing() {
    let world = World::new().await;
    let (one, other) = (world.signed_in("auditor1").await, world.signed_in("auditor2").await);
    let (_, person) = pseudonym_of_operator(&world, &one).await;
    let asked = ask(&one, &person).await;
    let (id, note) = (asked.id("id"), asked.text_of("statement").to_owned());
    let stated: ResolutionStatement = statement::unverified(&note).unwrap();
    let mut owner = world.owner().await;
    let plant = "UPDATE resolutions SET note = $2, agreed_by = $3, agreed_at = now() WHERE id = $1";
    let bribed = stolen_keys(&world, "auditor1").await;
    let officer = world.signed_in("officer1").await;
    let officers = stolen_keys(&world, "officer1").await;
    // The same signature twice; one by a key of the owner's; one by somebody who is no auditor.
    let forged = statement::countersign(&note, AccountId(other.account), &PersonKeys::generate()).unwrap();
    let own = statement::countersign(&note, AccountId(other.account), &bribed).unwrap();
    let foreign = statement::countersign(&note, AccountId(officer.account), &officers).unwrap();
    let twice = format!("{note}{}\n", note.lines().last().unwrap());
    for planted in [&note, &twice, &forged, &own, &foreign] {
        sqlx::query(plant).bind(id).bind(planted).bind(other.account).execute(&mut owner).await.unwrap();
        assert_eq!(told(&one, id).await.status, 404);
    }
    let back = "UPDATE resolutions SET note = $2, agreed_by = NULL, agreed_at = NULL WHERE id = $1";
    sqlx::query(back).bind(id).bind(&note).execute(&mut owner).await.unwrap();
    assert_eq!(agree(&other, &asked).await.status, 200);
    assert_eq!(told(&one, id).await.status, 200);

    // What both signed of one pseudonym says nothing of another, in another row neither, and not for longer.
    let both = row(&mut owner, id).await;
    sqlx::query("UPDATE resolutions SET person = 'p-00000000000000000bad' WHERE id = $1")
        .bind(id)
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(told(&one, id).await.status, 404);
    sqlx::query("UPDATE resolutions SET person = $2 WHERE id = $1")
        .bind(id)
        .bind(&person)
        .execute(&mut owner)
        .await
        .unwrap();
    let next = ask(&one, &person).await;
    sqlx::query(plant).bind(next.id("id")).bind(&both).bind(other.account).execute(&mut owner).await.unwrap();
    assert_eq!(told(&one, next.id("id")).await.status, 404);
    let longer = ResolutionStatement { lapses_at: stated.lapses_at + TimeDelta::days(365), ..stated };
    let longer = statement::sign(&longer, AccountId(one.account), &bribed).unwrap();
    let longer =
        statement::countersign(&longer, AccountId(other.account), &stolen_keys(&world, "auditor2").await).unwrap();
    sqlx::query("UPDATE resolutions SET note = $2 WHERE id = $1")
        .bind(id)
        .bind(&longer)
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(told(&one, id).await.status, 404, "a week, whatever two have signed");
    sqlx::query("UPDATE resolutions SET note = $2 WHERE id = $1")
        .bind(id)
        .bind(&both)
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(told(&one, id).await.status, 200);

    // Whoever has left agrees to nothing any more.
    let admin = world.signed_in("admin1").await;
    let gone = admin.post(&format!("/api/v1/accounts/{}/disable", other.account), &json!({})).await.unwrap();
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(told(&one, id).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pseudonym_from_before_the_secret_was_exchanged_is_resolved_too() {
    let world = World::new().await;
    let (one, other) = (world.signed_in("auditor1").await, world.signed_in("auditor2").await);
    let (_, before) = pseudonym_of_operator(&world, &one).await;
    crate::rotation::rotate(&world, Named::Pseudonyms, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    let (_, after) = pseudonym_of_operator(&world, &one).await;
    assert_ne!(before, after);
    for person in [&before, &after] {
        let asked = ask(&one, person).await;
        assert_eq!(agree(&other, &asked).await.status, 200);
        assert_eq!(told(&one, asked.id("id")).await.text_of("handle"), "operator1");
    }
}
