//! Which policy two persons have agreed to, and whether it is the one that lies here.

use super::{Findings, PATIENCE, Verdict};
use crate::guard::council::{Council, CouncilConfig, CouncilError, Standing};
use crate::guard::policy::{DecisionTable, PolicyError};
use crate::guard::trust::Trust;
use crate::guard::vouch::Voucher;
use crate::platform::clock::Clock;
use crate::platform::config::Config;
use crate::platform::secrets::Secrets;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;

/// Why nobody could look.
#[derive(Debug, thiserror::Error)]
pub enum NoCouncil {
    #[error("{0}")]
    Policy(#[from] PolicyError),
    #[error("{0}")]
    Store(#[from] sqlx::Error),
    #[error("{0}")]
    Council(#[from] CouncilError),
}

/// The council of a configuration, as the service has it.
///
/// # Errors
/// [`NoCouncil`].
pub async fn council_of(config: &Config, secrets: &Secrets, clock: &Clock) -> Result<Council, NoCouncil> {
    let policy = Arc::new(DecisionTable::from_dir(&config.policies).await?);
    let voucher = Voucher::new(secrets.vouch.clone(), clock.clone());
    let trust = Arc::new(Trust::new(config.pins.clone(), Arc::clone(&policy), voucher));
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect(&config.database.app).await?;
    let told =
        CouncilConfig { named: config.policy_keepers, production: config.production, checkpoints: &config.checkpoints };
    Ok(Council::new(pool, trust, policy, clock.clone(), &told))
}

pub(super) async fn policy(findings: &mut Findings, config: &Config, secrets: Option<&Secrets>, clock: &Clock) {
    let Some(secrets) = secrets else { return };
    let looked = async {
        let council = council_of(config, secrets, clock).await?;
        let standing = council.standing().await?;
        Ok::<_, NoCouncil>((standing, council.told().await?))
    };
    match looked.await {
        Ok((Standing::Agreed, told)) => findings.well("policy agreed", told),
        Ok((Standing::NoneYet, told)) if !config.production => findings.add("policy agreed", Verdict::NotAsked, told),
        Ok((_, told)) => findings.wrong("policy agreed", told),
        // What is wrong with the policy's files is said elsewhere.
        Err(NoCouncil::Policy(_)) => {}
        Err(error) => findings.wrong("policy agreed", error.to_string()),
    }
}
