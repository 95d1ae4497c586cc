//! A service of its own for each test: databases copied from a template in which the country was founded once.
//!
//! The cluster is the one that `deploy/test` started (`HIMAYA_TEST_PG`, a superuser's address).

use himaya::demo::actor::{Actor, Left};
use himaya::demo::country::{ADMINISTRATORS, Country, ORGANISATIONS};
use himaya::platform::app::App;
use himaya::platform::clock::Clock;
use himaya::platform::cluster::Cluster;
use himaya::platform::config::{AttachmentsConfig, Config};
use himaya::platform::secrets::SecretsFor;
use himaya::platform::serve::Serving;
use himaya::setup::{self, Plan};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use tokio::net::TcpListener;
use uuid::Uuid;

/// What the template knows of one person.
#[derive(Serialize, Deserialize)]
struct Known {
    handle: String,
    passphrase: String,
    account: Uuid,
    fingerprint: String,
    left: Option<Left>,
}

#[derive(Serialize, Deserialize)]
struct Template {
    people: Vec<Known>,
    organisations: BTreeMap<String, Uuid>,
    config: Config,
}

/// A running service with the founded country.
pub struct World {
    pub app: App,
    pub clock: Clock,
    pub country: Country,
    pub base: String,
    pub superuser: String,
    pub folder: PathBuf,
    pub database: String,
    serving: Option<Serving>,
    /// The last, so that what used them is gone.
    _made: Made,
}

/// What a test made. It goes with the test: hundreds of them would fill a small disk. What a failed one made stays.
struct Made {
    superuser: String,
    database: String,
    folder: PathBuf,
}

impl Drop for Made {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (address, database) = (self.superuser.clone(), self.database.clone());
        // A thread, since a runtime cannot be waited for inside another.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = superuser(&address, "postgres").await;
                for name in [&database, &format!("{database}_erasure")] {
                    sql(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
                connection.close().await.unwrap();
            });
        });
        if dropped.join().is_err() {
            tracing::warn!("the databases of a test stay");
        }
        // A test may have taken the folder away itself.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn role_of(handle: &str) -> &'static str {
    if ADMINISTRATORS.contains(&handle) {
        return "administrator";
    }
    let mut people = ORGANISATIONS.iter().flat_map(|(_, _, people)| people.iter());
    people.find(|person| person.handle == handle).expect("a person of the country").role
}

async fn superuser(address: &str, database: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(address).unwrap().database(database);
    options.connect().await.expect("the test cluster answers")
}

async fn sql(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

/// The shared template, made by whichever test comes first.
async fn template(address: &str) -> (Template, PathBuf) {
    let mut connection = superuser(address, "postgres").await;
    // Held until this connection closes: the others wait, then find the template.
    sqlx::query("SELECT pg_advisory_lock(48501710)").execute(&mut connection).await.unwrap();
    let cluster: i64 = sqlx::query_scalar("SELECT system_identifier FROM pg_control_system()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let mut about = Sha256::new().chain_update(cluster.to_be_bytes());
    for folder in ["migrations/main", "migrations/erasure", "policies"] {
        let mut files: Vec<_> =
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().path());
        for file in files {
            about.update(std::fs::read(file.unwrap().path()).unwrap());
        }
    }
    // When the tests were built stands for what they are: the file itself is large.
    let built = std::fs::metadata(std::env::current_exe().unwrap()).unwrap().modified().unwrap();
    about.update(format!("{built:?}"));
    // Sessions, tokens and keys of a day are no older than when a person begins their shift.
    about.update((Clock::default().now().timestamp() / 3600).to_be_bytes());
    let digest: [u8; 32] = about.finalize().into();
    let name = himaya::guard::statement::hex(&digest[..6]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("template-{name}"));
    let ready = folder.join("template.json");
    if !ready.exists() {
        let template = found(address, &format!("t{name}"), &folder).await;
        std::fs::write(&ready, serde_json::to_vec(&template).unwrap()).unwrap();
    }
    connection.close().await.unwrap();
    (serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap(), folder)
}

async fn found(address: &str, database: &str, folder: &Path) -> Template {
    std::fs::create_dir_all(folder).unwrap();
    let plan = Plan {
        superuser: address.to_owned(),
        erasure_superuser: None,
        log_origin: "himaya.example/ledger".to_owned(),
        secrets: SecretsFor::Service,
        folder: folder.to_owned(),
        policies: policies(),
        database: database.to_owned(),
        administrators: ADMINISTRATORS.map(str::to_owned),
    };
    let clock = Clock::default();
    let founded = setup::init(&plan, &clock).await.unwrap();
    let app = App::start(founded.config.clone(), clock).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = Serving::start(&app, listener);
    let codes: Vec<_> = founded.codes.iter().map(|(handle, id, code)| (handle.clone(), id.0, code.clone())).collect();
    let country = Country::found(&base, &founded.config.pins, founded.organisation.0, &codes).await.unwrap();
    let mut people = Vec::new();
    for (actor, _) in country.everybody() {
        people.push(Known {
            handle: actor.handle.clone(),
            passphrase: actor.passphrase.clone(),
            account: actor.account,
            fingerprint: actor.key_fingerprint.clone(),
            left: actor.leave().await,
        });
    }
    let organisations = country.organisations.clone();
    serving.stop().await.unwrap();
    app.databases.close().await;
    Template { people, organisations, config: founded.config }
}

impl World {
    /// A service of its own with the country of the template.
    pub async fn new() -> Self {
        // What the service says of its faults stands in what a failed test prints. One test listens itself, from before.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let address = std::env::var("HIMAYA_TEST_PG")
            .expect("HIMAYA_TEST_PG names a superuser's address; `deploy/test` starts a cluster and sets it");
        let (template, made) = template(&address).await;
        let database = format!("w{}", himaya::platform::random::uuid().simple());
        let mut connection = superuser(&address, "postgres").await;
        let from = made.file_name().unwrap().to_string_lossy().replace("template-", "t");
        sql(&mut connection, format!("CREATE DATABASE {database} TEMPLATE {from} OWNER himaya_owner")).await;
        sql(&mut connection, format!("CREATE DATABASE {database}_erasure TEMPLATE {from}_erasure OWNER himaya_owner"))
            .await;
        // A copy does not inherit who may connect, and who may make temporary tables.
        for name in [database.clone(), format!("{database}_erasure")] {
            setup::make_database(&mut connection, &name).await.unwrap();
        }
        connection.close().await.unwrap();

        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&database);
        for part in ["secrets", "checkpoints"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
            for file in std::fs::read_dir(made.join(part)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), folder.join(part).join(file.file_name())).unwrap();
            }
        }
        std::fs::copy(made.join("pins"), folder.join("pins")).unwrap();
        let text = serde_json::to_string(&template.config).unwrap();
        let mut config: Config =
            serde_json::from_str(&text.replace(&format!("/{from}"), &format!("/{database}"))).unwrap();
        (config.pins, config.secrets, config.checkpoints) =
            (folder.join("pins"), folder.join("secrets"), folder.join("checkpoints"));
        let mut attachments = AttachmentsConfig::in_folder(folder.join("attachments"));
        // However little room the machine has that tests; `attachments_pace.rs` asks for more than there is.
        attachments.keep_free_mib = 0;
        config.attachments = Some(attachments);
        // Most tests tamper as the owner of the database; `structure.rs` sets it.
        config.schema_pin = None;
        // `sweeping.rs` sweeps at moments of its own; a sweep beside it would find the other at work and leave.
        config.sweeps = false;
        // Likewise the timekeeper: `alerts.rs` looks at the clocks at moments of its own.
        config.keeps_time = false;
        std::fs::copy(made.join("schema"), folder.join("schema")).unwrap();
        config.policies = policies();

        let clock = Clock::default();
        let app = App::start(config, clock.clone()).await.unwrap();
        let (serving, base) = serve(&app).await;
        let mut begun = superuser(&address, &database).await;
        let now = "UPDATE sessions SET started_at = now(), last_seen_at = now(), refreshed_at = now(),
                                       expires_at = now() + interval '8 hours' WHERE ended_at IS NULL";
        sql(&mut begun, now.to_owned()).await;
        begun.close().await.unwrap();
        let people = template.people.into_iter().map(|Known { handle, passphrase, account, fingerprint, left }| {
            (Actor::known(&base, &handle, &passphrase, account, &fingerprint, left), role_of(&handle))
        });
        let country = Country::known(&base, &app.config.pins, people, template.organisations);
        let serving = Some(serving);
        let made = Made { superuser: address.clone(), database: database.clone(), folder: folder.clone() };
        Self { app, clock, country, base, superuser: address, folder, database, serving, _made: made }
    }

    /// Another replica over the same databases, with the same secrets.
    pub async fn replica(&self) -> (App, Serving, String) {
        self.replica_with(&policies()).await
    }

    /// A replica that decides by another policy.
    pub async fn replica_with(&self, policies: &Path) -> (App, Serving, String) {
        self.replica_of(Config { policies: policies.to_owned(), ..self.app.config.clone() }).await
    }

    /// A replica with a configuration of its own.
    pub async fn replica_of(&self, config: Config) -> (App, Serving, String) {
        let app = App::start(config, self.clock.clone()).await.unwrap();
        let (serving, base) = serve(&app).await;
        (app, serving, base)
    }

    /// Somebody, signed in: since the founding, or anew where that session is over.
    pub async fn signed_in(&self, handle: &str) -> Actor {
        let actor = self.country.person(handle).unwrap().clone();
        actor.ready().await.unwrap();
        actor
    }

    /// A connection as the superuser: the owner of the machine, who can change every row.
    pub async fn owner(&self) -> PgConnection {
        superuser(&self.superuser, &self.database).await
    }

    /// The same, to the server beside the databases.
    pub async fn server_owner(&self) -> PgConnection {
        superuser(&self.superuser, "postgres").await
    }

    /// The same, to the erasure store.
    pub async fn erasure_owner(&self) -> PgConnection {
        superuser(&self.superuser, &format!("{}_erasure", self.database)).await
    }

    /// Everything in both databases, as an attacker would carry it away.
    pub fn dump(&self) -> Vec<u8> {
        let bin = Cluster::find_binaries().unwrap();
        let mut all = Vec::new();
        for database in [self.database.clone(), format!("{}_erasure", self.database)] {
            let address = self.superuser.rsplit_once("/postgres?").map(|(a, b)| format!("{a}/{database}?{b}"));
            let output = std::process::Command::new(bin.join("pg_dump"))
                .arg(address.expect("a superuser's address ends in /postgres?…"))
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            all.extend(output.stdout);
        }
        all
    }

    /// Stops the service.
    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop().await.unwrap();
        }
    }
}

async fn serve(app: &App) -> (Serving, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    (Serving::start(app, listener), base)
}
