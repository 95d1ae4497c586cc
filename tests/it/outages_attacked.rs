//! Who holds the database, and one of the two who could sign, opens nothing; and what is over stays over.

use crate::harness::World;
use crate::outages::{close, closed, countersign, propose, reads, told, unseen, verified};
use crate::thief::stolen_keys;
use crate::walls::injected;
use crate::witnessed::soon;
use chrono::TimeDelta;
use himaya::audit::verify::Finding;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::keys::PersonKeys;
use himaya::guard::record::{AccountId, OrganisationId, OutageId};
use himaya::guard::statement::{self, Lack, OutageReason, OutageStatement};
use himaya::platform::app::App;
use himaya::platform::config::Config;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

const UNSEEN: &[&str] = &["ledger_not_witnessed"];

/// Somebody whose passphrase is stolen.
struct Stolen {
    account: AccountId,
    keys: PersonKeys,
}

async fn stolen(world: &World, handle: &str) -> Stolen {
    let account = AccountId(world.country.person(handle).unwrap().account);
    Stolen { account, keys: stolen_keys(world, handle).await }
}

/// What two would have to sign, for an hour.
fn stated(world: &World, by: &Stolen) -> OutageStatement {
    let now = world.clock.now();
    OutageStatement {
        outage: OutageId::random(),
        organisation: OrganisationId(world.country.organisations["squad"]),
        lacks: vec![Lack::NotWitnessed],
        reason: OutageReason::DangerToLife,
        proposed_by: by.account,
        from: now,
        until: now + TimeDelta::hours(1),
    }
}

fn signed(stated: &OutageStatement, by: &Stolen, and: &Stolen) -> String {
    let note = statement::sign(stated, by.account, &by.keys).unwrap();
    statement::countersign(&note, and.account, &and.keys).unwrap()
}

/// Puts a row there, as agreed to.
async fn plant(owner: &mut PgConnection, id: OutageId, organisation: OrganisationId, note: &str) {
    let plant = "INSERT INTO outages (id, organisation_id, note, made_at, agreed_at, registered_by, register_no)
                 VALUES ($1, $2, $3, now(), now(), NULL, NULL)";
    sqlx::query(plant).bind(id.0).bind(organisation.0).bind(note).execute(owner).await.unwrap();
}

async fn run(owner: &mut PgConnection, id: Uuid, statement: &'static str) {
    let done = sqlx::query(statement).bind(id).execute(owner).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_did_not_sign_who_may_opens_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let (app, serving, base) = world.replica_of(unseen(&world)).await;
    let officer = world.country.person("officer1").unwrap().at(&base);
    let mut owner = world.owner().await;
    let [duty, member, first, second, auditor] = [
        stolen(&world, "duty1").await,
        stolen(&world, "officer1").await,
        stolen(&world, "ssupervisor1").await,
        stolen(&world, "ssupervisor2").await,
        stolen(&world, "auditor1").await,
    ];
    let ghost = Stolen { account: second.account, keys: PersonKeys::generate() };
    let twice = Stolen { account: second.account, keys: stolen_keys(&world, "ssupervisor1").await };
    let squad = OrganisationId(world.country.organisations["squad"]);
    let mut planted = Vec::new();
    let mut add = |what: &'static str, id: OutageId, note: String| planted.push((what, id, note));

    let one = stated(&world, &duty);
    add("one signature", one.outage, statement::sign(&one, duty.account, &duty.keys).unwrap());
    let one = stated(&world, &first);
    add("one signature, of who might agree", one.outage, statement::sign(&one, first.account, &first.keys).unwrap());
    let one = stated(&world, &duty);
    add("a key of the thief's own", one.outage, signed(&one, &duty, &ghost));
    let one = stated(&world, &first);
    add("the same person in another's name", one.outage, signed(&one, &first, &twice));
    let one = stated(&world, &first);
    add("a second who may not agree", one.outage, signed(&one, &first, &member));
    let one = stated(&world, &auditor);
    add("a first who may not propose", one.outage, signed(&one, &auditor, &first));
    let one = stated(&world, &duty);
    add("signed by others than it says", one.outage, signed(&one, &second, &first));
    let one = OutageStatement { until: world.clock.now() + TimeDelta::hours(5), ..stated(&world, &duty) };
    add("five hours", one.outage, signed(&one, &duty, &first));
    let one = OutageStatement { lacks: vec![], ..stated(&world, &duty) };
    add("in spite of nothing", one.outage, signed(&one, &duty, &first));
    let helpline = OrganisationId(world.country.organisations["helpline"]);
    let one = OutageStatement { organisation: helpline, ..stated(&world, &duty) };
    add("another organisation's", one.outage, signed(&one, &duty, &first));
    let one = stated(&world, &duty);
    let note = signed(&one, &duty, &first);
    let (from, to) = (one.until.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), "2099-01-01T00:00:00Z");
    assert!(note.contains(&from), "{note}");
    add("prolonged", one.outage, note.replace(&from, to));
    add("under another id", OutageId::random(), note);

    for (what, id, note) in &planted {
        plant(&mut owner, *id, squad, note).await;
        app.places.outages.look().await.unwrap();
        assert_eq!(told(&officer, &narrative, "case_work").await, closed("ledger_not_witnessed"), "{what}");
    }
    let report = verified(&world).await;
    let mut signed_by_two = Vec::new();
    for (what, id, _) in &planted {
        let found = report.findings.contains(&Finding::OutageNotSigned { outage: *id });
        let told = report.outages.iter().find(|told| told.outage.id == *id);
        assert!(found != told.is_some_and(|told| !told.outage.might && told.reads == 0), "{what}");
        signed_by_two.extend(told.map(|_| *what));
    }
    let wanted = ["a second who may not agree", "a first who may not propose", "another organisation's"];
    assert_eq!(signed_by_two.len(), wanted.len());
    assert!(wanted.iter().all(|what| signed_by_two.contains(what)), "{signed_by_two:?}");
    let listed = world.country.person("auditor2").unwrap().get(crate::outages::OUTAGES, "").await.unwrap();
    assert_eq!(listed.body["items"], json!([]), "what nobody might sign is shown to nobody as open");

    // Signed by two who may, and not for now, for what it lacks now, or for whose readers: that is no forgery, and opens nothing here.
    let later = world.clock.now() + TimeDelta::minutes(10);
    let behind = OutageStatement { lacks: vec![Lack::Behind], ..stated(&world, &duty) };
    let future = OutageStatement { from: later, until: later + TimeDelta::hours(1), ..stated(&world, &duty) };
    for one in [behind, future] {
        plant(&mut owner, one.outage, squad, &signed(&one, &duty, &first)).await;
        app.places.outages.look().await.unwrap();
        assert_eq!(told(&officer, &narrative, "case_work").await, closed("ledger_not_witnessed"));
    }
    // Nobody's word is asked for but that of the two.
    let one = stated(&world, &duty);
    plant(&mut owner, one.outage, squad, &signed(&one, &duty, &auditor)).await;
    app.places.outages.look().await.unwrap();
    assert_eq!(told(&officer, &narrative, "case_work").await, reads());
    serving.stop().await.unwrap();
}

/// Two replicas on two machines, both without their witness, and who reads and signs there.
struct Machines {
    world: World,
    narrative: String,
    one: (App, Config, String),
    other: (App, Config, String),
}

impl Machines {
    async fn new() -> (Self, Vec<himaya::platform::serve::Serving>) {
        let world = World::new().await;
        let played = story::play(&world.country).await.unwrap();
        let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
        let here = unseen(&world);
        let checkpoints = world.folder.join("another-machine");
        std::fs::create_dir(&checkpoints).unwrap();
        let there = Config { checkpoints, ..here.clone() };
        let (app, serving, base) = world.replica_of(here.clone()).await;
        let (beside, second, other) = world.replica_of(there.clone()).await;
        let (one, other) = ((app, here, base), (beside, there, other));
        (Self { world, narrative, one, other }, vec![serving, second])
    }

    fn who(&self, handle: &str) -> Actor {
        self.world.country.person(handle).unwrap().at(&self.one.2)
    }

    async fn told(&self, at: &str) -> (u16, String) {
        told(&self.who("officer1").at(at), &self.narrative, "case_work").await
    }

    /// Opened by two, and read by at both.
    async fn opened(&self, by: &str, and: &str) -> (Uuid, String) {
        let proposed = propose(&self.who(by), UNSEEN, 1).await;
        let agreed = countersign(&self.who(and), &proposed).await;
        assert_eq!(agreed.status, 200, "{}", agreed.text);
        assert_eq!(self.told(&self.one.2).await, reads(), "at once");
        soon("the other machine goes on", async || self.told(&self.other.2).await == reads()).await;
        (proposed.id("id"), agreed.text_of("statement").to_owned())
    }

    /// Closed at both, whenever they look.
    async fn stays_closed(&self, what: &str) {
        for (app, _, base) in [&self.one, &self.other] {
            app.places.outages.look().await.unwrap();
            assert_eq!(self.told(base).await, closed("ledger_not_witnessed"), "{what}");
        }
    }

    async fn closes(&self, what: &str) {
        for (_, _, base) in [&self.one, &self.other] {
            soon(what, async || self.told(base).await == closed("ledger_not_witnessed")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_ended_is_not_open_again_when_its_row_is_put_back() {
    let (machines, serving) = Machines::new().await;
    let mut owner = machines.world.owner().await;
    let (id, _) = machines.opened("duty1", "ssupervisor1").await;
    let ended = close(&machines.who("ssupervisor2"), id).await;
    assert_eq!((ended.status, ended.text_of("state")), (200, "ended"), "{}", ended.text);
    assert_eq!(machines.told(&machines.one.2).await, closed("ledger_not_witnessed"), "at once");
    machines.closes("the other machine sees it").await;
    let again = close(&machines.who("auditor1"), id).await;
    assert_eq!((again.status, again.code()), (409, "not_open"), "{}", again.text);

    run(&mut owner, id, "UPDATE outages SET ended_at = NULL, ended_by = NULL, standing = 2 WHERE id = $1").await;
    machines.stays_closed("put back").await;
    // Who starts now was told by the file.
    let (app, started, base) = machines.world.replica_of(machines.one.1.clone()).await;
    app.places.outages.look().await.unwrap();
    assert_eq!(machines.told(&base).await, closed("ledger_not_witnessed"));
    started.stop().await.unwrap();
    run(
        &mut owner,
        id,
        "INSERT INTO outages (id, organisation_id, note, made_at, agreed_at, registered_by, register_no)
         SELECT gen_random_uuid(), organisation_id, note, made_at, agreed_at, NULL, NULL FROM outages WHERE id = $1",
    )
    .await;
    machines.stays_closed("copied").await;
    let found = verified(&machines.world).await.findings;
    assert!(found.iter().any(|found| matches!(found, Finding::RowPutBack { row, .. } if *row == id)), "{found:?}");
    for serving in serving {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_undoes_an_end_at_once_keeps_nothing_open_where_it_was_ended() {
    let (machines, serving) = Machines::new().await;
    let mut owner = machines.world.owner().await;
    let (id, _) = machines.opened("duty1", "ssupervisor1").await;
    // The row never says that it was ended, to nobody who looks.
    let undo = "CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF NEW.ended_at IS NOT NULL THEN NEW.ended_at := NULL; NEW.ended_by := NULL; END IF; RETURN NEW; END $$;
                CREATE TRIGGER zz_undo BEFORE UPDATE ON outages FOR EACH ROW EXECUTE FUNCTION undo()";
    sqlx::raw_sql(undo).execute(&mut owner).await.unwrap();
    assert_eq!(close(&machines.who("ssupervisor2"), id).await.text_of("state"), "ended");
    let (app, _, base) = &machines.one;
    app.places.outages.look().await.unwrap();
    assert_eq!(machines.told(base).await, closed("ledger_not_witnessed"));
    // Here it can be ended again, since its row does not say that it was; and where it was not ended, it can be.
    let again = close(&machines.who("ssupervisor2"), id).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(machines.told(&machines.other.2).await, reads());
    let there = machines.who("ssupervisor2").at(&machines.other.2);
    assert_eq!(close(&there, id).await.status, 200);
    assert_eq!(machines.told(&machines.other.2).await, closed("ledger_not_witnessed"));
    for serving in serving {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_away_is_over_for_good() {
    let (machines, serving) = Machines::new().await;
    let mut owner = machines.world.owner().await;
    // Deleted and put back.
    let (id, note) = machines.opened("duty1", "ssupervisor1").await;
    run(&mut owner, id, "UPDATE outages SET agreed_at = NULL WHERE id = $1").await;
    machines.closes("it is gone").await;
    run(&mut owner, id, "UPDATE outages SET agreed_at = now() WHERE id = $1").await;
    machines.stays_closed("put back").await;
    // Prolonged, and put back.
    let (id, _) = machines.opened("officer1", "ssupervisor1").await;
    run(&mut owner, id, "UPDATE outages SET note = replace(note, '\"until\":\"2', '\"until\":\"3') WHERE id = $1")
        .await;
    machines.closes("it was not signed like this").await;
    run(&mut owner, id, "UPDATE outages SET note = replace(note, '\"until\":\"3', '\"until\":\"2') WHERE id = $1")
        .await;
    machines.stays_closed("as it was").await;
    assert!(!note.is_empty());
    // Whoever signed may not any more: not even when the account is enabled again behind the service.
    let (_, _) = machines.opened("duty1", "ssupervisor2").await;
    let account = machines.who("ssupervisor2").account;
    let admin = machines.who("admin1");
    let disabled = admin.post(&format!("/api/v1/accounts/{account}/disable"), &json!({})).await.unwrap();
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    machines.closes("who signed is disabled").await;
    run(&mut owner, account, "UPDATE accounts SET disabled_at = NULL WHERE id = $1").await;
    machines.stays_closed("enabled again").await;
    // And what a disabled person proposed waits for nobody.
    let proposed = propose(&machines.who("duty1"), UNSEEN, 1).await;
    let account = machines.who("duty1").account;
    assert_eq!(admin.post(&format!("/api/v1/accounts/{account}/disable"), &json!({})).await.unwrap().status, 200);
    let late = countersign(&machines.who("ssupervisor1"), &proposed).await;
    assert_eq!((late.status, late.code()), (409, "not_waiting"), "{}", late.text);
    for serving in serving {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_over_by_each_process_s_own_clock_and_unseen_is_closed() {
    let (machines, serving) = Machines::new().await;
    let (app, config, _) = &machines.one;
    let counts = |app: &App| app.places.outages.opens_for_somebody(&app.places.ledger.lacks());
    let (_, _) = machines.opened("duty1", "ssupervisor1").await;
    // A restart in the middle ends nothing.
    let (started, restarted, base) = machines.world.replica_of(config.clone()).await;
    soon("it goes on after a restart", async || machines.told(&base).await == reads()).await;
    restarted.stop().await.unwrap();
    drop(started);
    machines.world.clock.advance(TimeDelta::minutes(59));
    assert!(counts(app), "an hour is not over");
    machines.world.clock.advance(TimeDelta::minutes(2));
    assert!(!counts(app) && !counts(&machines.other.0), "without looking");
    for (app, _, _) in [&machines.one, &machines.other] {
        app.places.outages.look().await.unwrap();
    }
    // Clocks that step back lead back to nothing.
    machines.world.clock.advance(TimeDelta::minutes(-30));
    for (app, _, _) in [&machines.one, &machines.other] {
        app.places.outages.look().await.unwrap();
        assert!(!counts(app));
    }

    // Whoever keeps a process from seeing an end closes it.
    for handle in ["duty1", "ssupervisor1", "officer1"] {
        machines.world.country.person(handle).unwrap().sign_in().await.unwrap();
    }
    machines.opened("duty1", "ssupervisor1").await;
    let mut owner = machines.world.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE outages IN ACCESS EXCLUSIVE MODE").execute(&mut owner).await.unwrap();
    machines.closes("nothing was seen for a while").await;
    owner.close().await.unwrap();
    for serving in serving {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_agrees_to_nothing_in_another_s_place_and_other_organisations_see_nothing() {
    let world = World::new().await;
    let (_app, serving, base) = world.replica_of(unseen(&world)).await;
    let [proposer, supervisor, operator] =
        [world.signed_in("duty1").await, world.signed_in("ssupervisor1").await, world.signed_in("operator1").await];
    assert_eq!(propose(&proposer.at(&base), UNSEEN, 1).await.status, 201);
    let line = |account: Uuid| format!("note || '\u{2014} himaya/{account} {}=' || E'\\n'", "A".repeat(91));
    let (own, theirs) = (line(proposer.account), line(supervisor.account));
    let squad = world.country.organisations["squad"];
    let forbidden = [
        "UPDATE outages SET agreed_at = now()".to_owned(),
        format!("UPDATE outages SET agreed_at = now(), note = {own}"),
        format!("UPDATE outages SET agreed_at = now(), note = {theirs}"),
        "UPDATE outages SET note = 'x'".to_owned(),
        "UPDATE outages SET made_at = now()".to_owned(),
        format!("UPDATE outages SET ended_at = now(), ended_by = '{}'", supervisor.account),
        format!(
            "INSERT INTO outages (id, organisation_id, note, made_at, agreed_at) VALUES (gen_random_uuid(), '{squad}', 'x', now(), now())"
        ),
        "DELETE FROM outages".to_owned(),
    ];
    let mut connection = injected(&world, &proposer.secrets().await.1).await;
    for forbidden in &forbidden {
        let done = sqlx::raw_sql(AssertSqlSafe(forbidden.clone())).execute(&mut connection).await;
        assert!(done.is_err(), "{forbidden}: {done:?}");
    }
    let seen = async |of: &Actor| {
        let mut connection = injected(&world, &of.secrets().await.1).await;
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM outages").fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!((seen(&supervisor).await, seen(&operator).await), (1, 0));
    let mut connection = injected(&world, &operator.secrets().await.1).await;
    for forbidden in ["UPDATE outages SET ended_at = now()", "UPDATE outages SET agreed_at = now()"] {
        let done = sqlx::raw_sql(forbidden).execute(&mut connection).await;
        assert!(done.is_err() || done.is_ok_and(|done| done.rows_affected() == 0), "{forbidden}");
    }
    // The second signature is let through, so what was refused was not refused for its shape.
    let agrees = format!("UPDATE outages SET agreed_at = now(), note = {theirs}");
    let mut connection = injected(&world, &supervisor.secrets().await.1).await;
    let done = sqlx::raw_sql(AssertSqlSafe(agrees)).execute(&mut connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    serving.stop().await.unwrap();
}
