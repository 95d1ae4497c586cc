//! The real binary is killed at each step of an erasure: either nothing has happened and it can be done again, or the case is gone
//! and what is left to do is done by the next process. Nothing in between, and nothing else is lost.

use crate::erasing::{confirm, propose};
use crate::killed::{Service, cluster, found, home, kill, serve, until};
use himaya::demo::actor::Actor;
use himaya::demo::country::Country;
use himaya::demo::story;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use std::path::Path;
use std::process::Command;

/// The service, its databases as their owner, and who works with it.
struct Stage {
    main: PgConnection,
    erasure: PgConnection,
    watch: PgConnection,
    config: std::path::PathBuf,
    address: String,
    officer: Actor,
    one: Actor,
    other: Actor,
}

impl Stage {
    /// Whether somebody waits for a lock that a step of ours holds.
    async fn blocked(&mut self) -> bool {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'himaya'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut self.watch).await.unwrap() > 0
    }

    /// The process is killed as it stands, with what it had sent to the databases.
    async fn killed(&mut self, service: Service) {
        kill("-9", service.0.id());
        drop(service);
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'himaya'";
        sqlx::query(cut).execute(&mut self.watch).await.unwrap();
        let gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'himaya'";
        let watch = &mut self.watch;
        until("its connections end", async || {
            (sqlx::query_scalar::<_, i64>(gone).fetch_one(&mut *watch).await.unwrap() == 0).then_some(())
        })
        .await;
    }

    async fn again(&self) -> Service {
        serve(&self.config, &self.address).await
    }

    /// A case with a narrative and a file, of its own notice.
    async fn case(&self, country: &Country) -> String {
        let (operator, duty) = (country.person("operator1").unwrap(), country.person("duty1").unwrap());
        let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
        let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
        let sent =
            operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
        let notice = format!("/api/v1/notices/{}", sent.id("id"));
        assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
        let accepted = json!({ "officers": [self.officer.account] });
        let accepted = duty.post(&format!("{notice}/accept"), &accepted).await.unwrap();
        assert_eq!(accepted.status, 201, "{}", accepted.text);
        let case = format!("/api/v1/cases/{}", accepted.id("case"));
        let written = self.officer.post(&format!("{case}/notes"), &json!({ "text": "the white van" })).await.unwrap();
        assert_eq!(written.status, 201, "{}", written.text);
        case
    }

    async fn reads(&self, case: &str) -> (u16, bool) {
        let read = self.officer.get(&format!("{case}/notes"), "case_work").await.unwrap();
        (read.status, read.text.contains("the white van"))
    }

    async fn state(&self, case: &str) -> Option<String> {
        let id = case.rsplit('/').next().unwrap();
        let listed = self.one.get("/api/v1/erasures?limit=100", "supervision").await.unwrap();
        let items = listed.body["items"].as_array().unwrap();
        items.iter().find(|item| item["case"] == id).map(|item| item["state"].as_str().unwrap().to_owned())
    }
}

async fn connect(superuser: &str, database: &str) -> PgConnection {
    PgConnection::connect(&superuser.replace("/postgres?", &format!("/{database}?"))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_is_killed_at_any_step_is_not_begun_or_comes_to_its_end() {
    let home = home();
    let postgres = cluster(&home).await.expect("a cluster starts");
    let founded = found(&postgres, &home).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let base = format!("http://{address}");
    let mut service = serve(&founded.config_file, &address).await;
    let codes: Vec<_> = founded.codes.iter().map(|(handle, id, code)| (handle.clone(), id.0, code.clone())).collect();
    let country = Country::found(&base, &founded.config.pins, founded.organisation.0, &codes).await.unwrap();
    let played = story::play(&country).await.unwrap();
    let superuser = postgres.superuser_url();
    let person = |handle: &str| country.person(handle).unwrap().clone();
    let mut stage = Stage {
        main: connect(&superuser, "himaya").await,
        erasure: connect(&superuser, "himaya_erasure").await,
        watch: connect(&superuser, "postgres").await,
        config: founded.config_file.clone(),
        address,
        officer: person("officer1"),
        one: person("ssupervisor1"),
        other: person("ssupervisor2"),
    };

    // Before the commit, at five places of it: nothing has happened.
    for table in ["proposals", "erasure_orders", "erasures", "case_heads", "ledger_entries"] {
        let case = stage.case(&country).await;
        let proposed = propose(&stage.one, &case).await.id("id");
        let lock = format!("BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut stage.main).await.unwrap();
        let asked = tokio::spawn({
            let (other, case) = (stage.other.clone(), case.clone());
            async move { other.post(&format!("{case}/erasures/{proposed}/confirm"), &Value::Null).await.is_ok() }
        });
        until("the erasure comes to this step", async || stage.blocked().await.then_some(())).await;
        stage.killed(service).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut stage.main).await.unwrap();
        assert!(!asked.await.unwrap(), "nobody was told that it is done");
        service = stage.again().await;
        assert_eq!((stage.reads(&case).await, stage.state(&case).await), ((200, true), None), "{table}");
        let waits = stage.one.get(&format!("{case}/erasures"), "supervision").await.unwrap();
        assert_eq!(waits.body["items"][0]["state"], "proposed", "{table}: {}", waits.text);
        let done = confirm(&stage.other, &case, proposed).await;
        assert_eq!(done.status, 200, "{table}: {}", done.text);
        assert_eq!(stage.reads(&case).await, (404, false));
    }

    // After it, before a key is erased; and when all are, before anybody has written that down.
    for written in [false, true] {
        let case = stage.case(&country).await;
        let id = case.rsplit('/').next().unwrap().to_owned();
        let proposed = propose(&stage.one, &case).await.id("id");
        let lock = "BEGIN; LOCK TABLE erasure.keys IN SHARE ROW EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut stage.erasure).await.unwrap();
        let asked = tokio::spawn({
            let (other, case) = (stage.other.clone(), case.clone());
            async move { other.post(&format!("{case}/erasures/{proposed}/confirm"), &Value::Null).await.is_ok() }
        });
        until("the case is gone, and its keys wait", async || {
            (stage.state(&case).await.is_some() && stage.blocked().await).then_some(())
        })
        .await;
        let keys = "SELECT keys FROM erasing w JOIN erasures e ON e.id = w.erasure_id WHERE e.case_id = $1::uuid";
        let keys: Vec<uuid::Uuid> = sqlx::query_scalar(keys).bind(&id).fetch_one(&mut stage.main).await.unwrap();
        if written {
            let lock = "BEGIN; LOCK TABLE erasing IN SHARE ROW EXCLUSIVE MODE";
            sqlx::raw_sql(lock).execute(&mut stage.main).await.unwrap();
            sqlx::raw_sql("ROLLBACK").execute(&mut stage.erasure).await.unwrap();
            until("its keys are erased, and nobody can write that down", async || {
                (left(&mut stage.erasure, &keys).await == 0 && stage.blocked().await).then_some(())
            })
            .await;
        } else {
            assert!(left(&mut stage.erasure, &keys).await > 3);
        }
        stage.killed(service).await;
        let open = if written { &mut stage.main } else { &mut stage.erasure };
        sqlx::raw_sql("ROLLBACK").execute(open).await.unwrap();
        let _ = asked.await.unwrap();
        service = stage.again().await;
        assert_eq!(stage.reads(&case).await, (404, false));
        until("the next process ends it", async || {
            (stage.state(&case).await.as_deref() == Some("erased_online")).then_some(())
        })
        .await;
        assert_eq!(left(&mut stage.erasure, &keys).await, 0);
    }

    // Nothing else was lost.
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(stage.officer.get(&narrative, "case_work").await.unwrap().status, 200);
    kill("-TERM", service.0.id());
    assert!(service.0.wait().unwrap().success());
    let verify = Command::new(env!("CARGO_BIN_EXE_himaya"))
        .args(["audit", "verify", "--records", "--config"])
        .arg(&founded.config_file)
        .arg("--checkpoint")
        .arg(Path::new(&founded.config.checkpoints).join("checkpoint"))
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    drop(stage);
    tokio::task::spawn_blocking(move || drop(postgres)).await.unwrap();
    std::fs::remove_dir_all(home).unwrap();
}

async fn left(erasure: &mut PgConnection, keys: &[uuid::Uuid]) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM erasure.keys WHERE key_id = ANY($1)")
        .bind(keys)
        .fetch_one(erasure)
        .await
        .unwrap()
}
