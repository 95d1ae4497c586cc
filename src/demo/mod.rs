//! `himaya demo`: a fictional country on a private PostgreSQL cluster, the story played once over HTTP, then serving.
//!
//! `country` founds it by the real commands, `story` plays a call at three in the morning until it is a sealed case, `ways` what else
//! can become of one, and `stay` a person's way through a shelter. `actor` is a person at a client, `cast` the same people by
//! what each role does, `pages` the page on which one tries every role. The tests use all of them.

pub mod actor;
pub mod cast;
pub mod country;
pub mod pages;
pub mod stay;
pub mod story;
pub mod ways;

use crate::platform::app::{App, StartError};
use crate::platform::clock::Clock;
use crate::platform::cluster::{Cluster, ClusterError};
use crate::platform::secrets::SecretsFor;
use crate::platform::serve::Serving;
use crate::setup::{self, Plan, SetupError};
use actor::ActorError;
use country::{ADMINISTRATORS, Country};
use std::fmt::Write as _;
use std::path::PathBuf;
use tokio::net::TcpListener;

/// Why the demonstration ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("PostgreSQL: {0}")]
    Cluster(#[from] ClusterError),
    #[error("setting up: {0}")]
    Setup(#[from] SetupError),
    #[error("starting: {0}")]
    Start(#[from] StartError),
    #[error("the story: {0}")]
    Story(#[from] ActorError),
    #[error("a file or the network: {0}")]
    Io(#[from] std::io::Error),
}

/// A demonstration that runs.
pub struct Demo {
    serving: Serving,
    cluster: Cluster,
    home: PathBuf,
    pub address: String,
    pub country: Country,
}

impl Demo {
    /// Starts a cluster of its own in `home`, founds the country, and serves on `listener`.
    ///
    /// # Errors
    /// [`DemoError`] with the step.
    pub async fn start(home: PathBuf, policies: PathBuf, listener: TcpListener) -> Result<Self, DemoError> {
        let address = format!("http://{}", listener.local_addr()?);
        let place = home.join("postgres");
        let cluster =
            tokio::task::spawn_blocking(move || Cluster::start(&place)).await.map_err(std::io::Error::other)??;
        let clock = Clock::default();
        let plan = Plan {
            superuser: cluster.superuser_url(),
            erasure_superuser: None,
            log_origin: "himaya.example/ledger".to_owned(),
            secrets: SecretsFor::Demo,
            folder: home.clone(),
            policies,
            database: "himaya".to_owned(),
            administrators: ADMINISTRATORS.map(str::to_owned),
        };
        let founded = setup::init(&plan, &clock).await?;
        let pins = founded.config.pins.clone();
        let app = App::start(founded.config, clock).await?;
        let people = pages::People::default();
        let serving = Serving::start_beside(&app, listener, pages::pages(&people));
        let codes: Vec<_> = founded.codes.into_iter().map(|(handle, id, code)| (handle, id.0, code)).collect();
        let country = Country::found(&address, &pins, founded.organisation.0, &codes).await?;
        country.agree_to_policy().await?;
        // Nobody else sets it: the country is founded once.
        let _ = people.set(pages::people(&country));
        Ok(Self { serving, cluster, home, address, country })
    }

    /// One sign-in for each person, as a table.
    #[must_use]
    pub fn sign_ins(&self) -> String {
        let mut table = String::new();
        for (actor, role) in self.country.everybody() {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "  {role:<20} {:<14} {}", actor.handle, actor.passphrase);
        }
        table
    }

    /// Ends the service, the cluster, and everything that was made.
    ///
    /// # Errors
    /// When something could not be ended or removed.
    pub async fn stop(self) -> Result<(), DemoError> {
        self.serving.stop().await?;
        let (cluster, home) = (self.cluster, self.home);
        tokio::task::spawn_blocking(move || -> Result<(), DemoError> {
            cluster.stop()?;
            std::fs::remove_dir_all(home)?;
            Ok(())
        })
        .await
        .map_err(std::io::Error::other)?
    }
}
