//! A country founded by the real commands, cases opened by its people, and the real binary serving it.

use crate::machine;
use crate::{CLIENTS, Outcome};
use himaya::demo::actor::Actor;
use himaya::demo::country::{ADMINISTRATORS, Country};
use himaya::platform::clock::Clock;
use himaya::platform::secrets::SecretsFor;
use himaya::setup::{self, Plan};
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Cases that are read and written.
pub const CASES: usize = 64;
/// Notes on the first of them.
pub const NOTES: usize = 50;

/// The address of another database of the same server.
pub fn database(superuser: &str, name: &str) -> String {
    superuser.replacen("/postgres?", &format!("/{name}?"), 1)
}

/// A process that serves, ended with the value.
pub struct Served {
    pub address: SocketAddr,
    child: Child,
}

impl Served {
    /// `himaya serve` with the configuration in a folder.
    pub async fn himaya(folder: &Path) -> Outcome<Self> {
        let free = || -> Outcome<SocketAddr> { Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?) };
        let (address, metrics) = (free()?, free()?);
        let child = Command::new(env!("CARGO_BIN_EXE_himaya"))
            .args(["serve", "--config"])
            .arg(folder.join("himaya.toml"))
            .env("HIMAYA_LISTEN", address.to_string())
            .env("HIMAYA_METRICS_LISTEN", metrics.to_string())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log"))?)
            .spawn()?;
        let served = Self { address, child };
        served.ready().await?;
        Ok(served)
    }

    /// The unprotected handlers over a database.
    pub async fn plain(url: &str, folder: &Path) -> Outcome<Self> {
        use std::io::BufRead as _;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["plain", url])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("log-plain"))?)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        std::io::BufReader::new(stdout).read_line(&mut line)?;
        let served = Self { address: line.trim().parse()?, child };
        served.ready().await?;
        Ok(served)
    }

    async fn ready(&self) -> Outcome {
        let (deadline, mut tick) =
            (Instant::now() + Duration::from_secs(30), tokio::time::interval(Duration::from_millis(20)));
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            if Instant::now() > deadline {
                return Err("a server does not come up".into());
            }
            tick.tick().await;
        }
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in order: the last entries get their place in the ledger.
    pub fn stop(mut self) -> Outcome {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that was stopped in order is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One client's session, at whichever service over a copy of the same databases.
pub struct Session {
    pub actor: Actor,
}

impl Session {
    /// The head of a request, up to the blank line, with both halves of the session.
    pub async fn head(&self, method: &str, path: &str) -> String {
        let (token, secret, _) = self.actor.secrets().await;
        format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nhimaya-session: {secret}\r\n"
        )
    }
}

/// What was founded and opened, in a folder of its own.
pub struct World {
    pub folder: PathBuf,
    pub country: Country,
    pub cases: Vec<Uuid>,
    pub sessions: Vec<Session>,
}

/// What a narrative holds in each of these cases.
pub fn text() -> String {
    "Recruited as a waitress by an acquaintance; passport taken on arrival. ".repeat(8)
}

impl World {
    /// Founds the country and opens the cases, all over HTTP.
    pub async fn found(superuser: &str, folder: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        let plan = Plan {
            superuser: superuser.to_owned(),
            erasure_superuser: None,
            log_origin: "himaya.example/ledger".to_owned(),
            secrets: SecretsFor::Service,
            folder: folder.to_owned(),
            policies: Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"),
            database: "small".to_owned(),
            administrators: ADMINISTRATORS.map(str::to_owned),
        };
        let founded = setup::init(&plan, &Clock::default()).await?;
        let served = Served::himaya(folder).await?;
        let base = format!("http://{}", served.address);
        let codes: Vec<_> =
            founded.codes.iter().map(|(handle, id, code)| (handle.clone(), id.0, code.clone())).collect();
        let country = Country::found(&base, &founded.config.pins, founded.organisation.0, &codes).await?;

        let mut cases = Vec::with_capacity(CASES);
        for _ in 0..CASES {
            cases.push(open_case(&country).await?);
        }
        let officer = country.person("officer1")?;
        if let Some(first) = cases.first() {
            for number in 0..NOTES {
                let note = json!({ "text": format!("{number}: met her. She is safe tonight.") });
                let noted = officer.post(&format!("/api/v1/cases/{first}/notes"), &note).await?;
                noted.expect_status(201, "officer1", "write a note")?;
            }
        }

        let mut sessions = Vec::with_capacity(CLIENTS);
        for number in 0..CLIENTS {
            let handle = if number % 2 == 0 { "officer1" } else { "officer2" };
            let actor = country.person(handle)?.elsewhere();
            actor.sign_in().await?;
            sessions.push(Session { actor });
        }
        served.stop()?;
        Ok(Self { folder: folder.to_owned(), country, cases, sessions })
    }

    /// New access tokens, good for five minutes at the service over any copy of the databases. Always at the same one: a
    /// refresh handle that comes twice ends its session.
    pub async fn refresh(&self, at: &Served) -> Outcome {
        let base = format!("http://{}", at.address);
        for session in &self.sessions {
            session.actor.at(&base).refresh().await?;
        }
        Ok(())
    }
}

/// A call becomes a notice, the notice a case with two officers, a narrative and a person.
async fn open_case(country: &Country) -> Outcome<Uuid> {
    let (operator, duty) = (country.person("operator1")?, country.person("duty1")?);
    let (officer, colleague) = (country.person("officer1")?, country.person("officer2")?);
    let said = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "danger": "immediate", "said": text() } });
    let call = operator.post("/api/v1/calls", &said).await?.expect_status(201, "operator1", "log a call")?;
    let path = format!("/api/v1/calls/{}/hand-over", call.id("id"));
    let notice = operator.post(&path, &json!({ "basis": "vital_interest" })).await?;
    let notice = notice.expect_status(201, "operator1", "hand over")?.id("id");
    let path = format!("/api/v1/notices/{notice}");
    let acknowledged = duty.post(&format!("{path}/acknowledge"), &json!({})).await?;
    acknowledged.expect_status(200, "duty1", "acknowledge")?;
    let officers = json!({ "officers": [officer.account, colleague.account] });
    let accepted = duty.post(&format!("{path}/accept"), &officers).await?.expect_status(201, "duty1", "accept")?;
    let case = accepted.id("case");
    let path = format!("/api/v1/cases/{case}/persons");
    let person = officer.post(&path, &json!({ "category": "presumed_victim" })).await?;
    person.expect_status(201, "officer1", "add a person")?;
    let path = format!("/api/v1/cases/{case}/sections/narrative");
    let read = officer.get(&path, "case_work").await?.expect_status(200, "officer1", "read the narrative")?;
    let etag = read.etag.clone().unwrap_or_default();
    let mut content = read.field("content");
    if let Some(fields) = content.as_object_mut() {
        fields.insert("text".to_owned(), json!(text()));
    }
    officer.put(&path, &etag, &content).await?.expect_status(200, "officer1", "write the narrative")?;
    Ok(case)
}

/// Copies databases and folder of a world whose service is stopped.
pub async fn copy(superuser: &str, from: &Path, name: &str) -> Outcome<PathBuf> {
    use sqlx::{AssertSqlSafe, ConnectOptions as _};
    let mut server = superuser.parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
    for part in ["", "_erasure"] {
        let copied = format!("CREATE DATABASE {name}{part} TEMPLATE small{part} OWNER himaya_owner");
        sqlx::raw_sql(AssertSqlSafe(copied)).execute(&mut server).await?;
        setup::make_database(&mut server, &format!("{name}{part}")).await?;
    }
    let to = from.with_file_name(name);
    for part in ["secrets", "checkpoints", "."] {
        fs::create_dir_all(to.join(part))?;
        for entry in fs::read_dir(from.join(part))?.flatten().filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), to.join(part).join(entry.file_name()))?;
        }
    }
    let config = fs::read_to_string(from.join("himaya.toml"))?;
    let (old, new) = (format!("{}/", from.display()), format!("{}/", to.display()));
    let config = config.replace("/small", &format!("/{name}")).replace(&old, &new);
    fs::write(to.join("himaya.toml"), config)?;
    Ok(to)
}

/// The process that all of PostgreSQL's are children of.
pub async fn postmaster(superuser: &str) -> Outcome<u32> {
    use sqlx::{ConnectOptions as _, Row as _};
    let mut server = superuser.parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(&mut server).await?;
    let backend = u32::try_from(row.try_get::<i32, _>(0)?)?;
    machine::parent(backend).ok_or_else(|| "PostgreSQL has no postmaster".into())
}
