//! `himaya doctor`: looks at everything that has to be right before people's lives hang on a service, and says of each
//! thing what it is, or what is wrong and what to do.
//!
//! It changes nothing, and needs no more than the service has: each question goes to the database as the role that it is
//! about. `roles` asks what the roles may do, `schema` what the tables are, `ledger` looks at checkpoints and pins, `outages` who reads in spite of it,
//! `secrets` at the values of secrets and what needs the older ones, `machine` at clocks, disks and certificates.

mod agreed;
mod certificate;
mod ledger;
mod machine;
mod outages;
mod roles;
mod schema;
mod secrets;
mod store;

pub use agreed::{NoCouncil, agreements_of, council_of};
pub use outages::outages_of;
pub use schema::WITHOUT_ROW_SECURITY;

use crate::guard::policy;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, address, refusals};
use crate::platform::configured;
use crate::platform::secrets::Secrets;
use crate::staff::oidc::outage;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Well,
    Wrong,
    /// It could not be looked at from here, which is no fault.
    NotAsked,
}

/// What was looked at, and what there was to say.
#[derive(Clone, Debug)]
pub struct Check {
    pub about: String,
    pub verdict: Verdict,
    pub said: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Well => "ok",
            Verdict::Wrong => "WRONG",
            Verdict::NotAsked => "-",
        };
        write!(f, "{verdict:<6} {}: {}", self.about, self.said)
    }
}

/// What is found, in the order in which it is looked at.
#[derive(Default)]
struct Findings(Vec<Check>);

impl Findings {
    fn add(&mut self, about: impl Into<String>, verdict: Verdict, said: impl Into<String>) {
        self.0.push(Check { about: about.into(), verdict, said: said.into() });
    }

    fn well(&mut self, about: impl Into<String>, said: impl Into<String>) {
        self.add(about, Verdict::Well, said);
    }

    fn wrong(&mut self, about: impl Into<String>, said: impl Into<String>) {
        self.add(about, Verdict::Wrong, said);
    }

    /// Well if there is nothing to say against it.
    fn judge(&mut self, about: &str, well: &str, wrong: &[String]) {
        if wrong.is_empty() {
            self.well(about, well);
        } else {
            self.wrong(about, wrong.join("; "));
        }
    }
}

/// How long a database may take to answer a doctor.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a connection, or says in the findings why not. No password or row is in what a database says of a failed login.
async fn open(findings: &mut Findings, field: &str, address: &str) -> Option<PgConnection> {
    let Ok(options) = PgConnectOptions::from_str(address) else {
        findings.wrong(field, "is not an address like postgres://role@host/database");
        return None;
    };
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            findings.wrong(
                field,
                format!(
                    "nobody can log in ({error}): see that the server runs, and that the password in \
                                           the file `{field}` of the folder `secrets` is the role's"
                ),
            );
            None
        }
        Err(_) => {
            findings.wrong(field, "the server does not answer within five seconds");
            None
        }
    }
}

/// Looks at everything.
pub async fn examine(config: &Config, clock: &Clock) -> Vec<Check> {
    let mut findings = Findings::default();
    let secrets = match Secrets::read(config).await {
        Ok(secrets) => {
            findings.well("secrets", "all are there, and only their owner reads them");
            Some(secrets)
        }
        Err(error) => {
            findings.wrong("secrets", error.to_string());
            None
        }
    };
    if let Some(secrets) = &secrets {
        secrets::values(&mut findings, config, secrets, clock.now()).await;
        let fingerprint = configured::fingerprint(config, secrets);
        findings.well(
            "settings",
            format!("entries of processes that work with these name the configuration {fingerprint}"),
        );
    }
    match policy::check(&config.policies).await {
        Ok(table) => {
            findings.well("policies", "the policy is whole, and the reviewed matrix is what it answers");
            if let Some(secrets) = &secrets {
                let refused = refusals(config, secrets, &table.hash());
                for refusal in &refused.0 {
                    findings.wrong(refusal.field.as_str(), refusal.why.as_str());
                }
                if refused.0.is_empty() && config.production {
                    findings.well("configuration", "is fit for production");
                }
            }
        }
        Err(error) => findings.wrong("policies", error.to_string()),
    }
    if config.oidc.as_ref().is_some_and(|oidc| oidc.required) {
        match outage::until(&config.checkpoints, clock.now()) {
            Ok(None) => findings.well("oidc.required", "whoever is linked to the issuer has to be named by it"),
            Ok(Some(until)) => {
                let said = format!("is taken off until {until}: `himaya oidc outage --end` when the issuer is back");
                findings.wrong("oidc.required", said);
            }
            Err(error) => findings.wrong("oidc.required", error.to_string()),
        }
    }
    if !config.production {
        findings.add(
            "production",
            Verdict::NotAsked,
            "is false: nothing that people's lives hang on may run like this",
        );
    }
    for (field, address) in config.database.addresses() {
        let Some(mut connection) = open(&mut findings, field, address).await else { continue };
        roles::examine(&mut findings, field, &mut connection).await;
        match field {
            "database.app" => {
                schema::examine(&mut findings, &mut connection).await;
                ledger::pins(&mut findings, config, secrets.as_ref(), &mut connection).await;
                agreed::policy(&mut findings, config, secrets.as_ref(), clock).await;
                outages::open(&mut findings, config, clock).await;
                machine::clocks(&mut findings, "database.app", clock, &mut connection).await;
                machine::data_directory(&mut findings, "database.app", address);
            }
            "database.door" => {
                if let Some(secrets) = &secrets {
                    secrets::peppers(&mut findings, secrets, &mut connection).await;
                }
            }
            "database.erasure" => {
                schema::erasure(&mut findings, &mut connection).await;
                machine::clocks(&mut findings, "database.erasure", clock, &mut connection).await;
                machine::data_directory(&mut findings, "database.erasure", address);
            }
            "database.sweeper" => ledger::erasures(&mut findings, &mut connection).await,
            "database.sequencer" => {
                if let Some(secrets) = &secrets {
                    ledger::checkpoints(&mut findings, config, secrets, &mut connection, clock).await;
                    ledger::witnesses(&mut findings, config, secrets, clock).await;
                }
            }
            "database.migrator" => schema::migrations(&mut findings, field, &schema::MAIN, &mut connection).await,
            "database.erasure_migrator" => {
                schema::migrations(&mut findings, field, &schema::ERASURE, &mut connection).await;
            }
            _ => {}
        }
    }
    let same = address::database(&config.database.app) == address::database(&config.database.erasure);
    if same {
        findings.wrong(
            "database.erasure",
            "is the main database: then a backup of one holds both, and nothing is ever erased",
        );
    }
    machine::space(&mut findings, "checkpoints", &config.checkpoints);
    machine::attachments(&mut findings, config).await;
    if let Some(tls) = &config.tls {
        machine::certificate(&mut findings, tls, clock);
    }
    findings.0
}
