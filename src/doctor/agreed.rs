//! Which policy two persons have agreed to, and whether it is the one that lies here.

use super::{Findings, PATIENCE, Verdict};
use crate::guard::council::{Council, CouncilConfig, CouncilError, Standing};
use crate::guard::policy::{DecisionTable, PolicyError};
use crate::guard::record::OrganisationId;
use crate::guard::trust::{Agreements, Trust};
use crate::guard::vouch::Voucher;
use crate::platform::clock::Clock;
use crate::platform::config::Config;
use crate::platform::random;
use crate::platform::secrets::{Live, Raw, Secrets};
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why nobody could look.
#[derive(Debug, thiserror::Error)]
pub enum NoCouncil {
    #[error("{0}")]
    Policy(#[from] PolicyError),
    #[error("{0}")]
    Store(#[from] sqlx::Error),
    #[error("{0}")]
    Council(#[from] CouncilError),
    #[error("nobody has agreed to a policy, and production takes no other: what two persons agreed to was taken away")]
    Nobody,
    #[error("the organisation {0}, which answers for the policy, is not founded, or its pin is missing here")]
    Keepers(OrganisationId),
}

/// The council of a configuration, as the service has it.
///
/// # Errors
/// [`NoCouncil`].
pub async fn council_of(config: &Config, secrets: &Secrets, clock: &Clock) -> Result<Council, NoCouncil> {
    council(config, secrets.vouch.clone(), clock, std::convert::identity).await
}

/// What was agreed to. It hangs on signatures and pins, and needs none of the service's own secrets.
///
/// # Errors
/// [`NoCouncil`].
pub async fn agreements_of(config: &Config, clock: &Clock) -> Result<Option<Agreements>, NoCouncil> {
    let council = council(config, nothing_is_vouched_for(), clock, Trust::by_pins_alone).await?;
    // What was kept beside the checkpoints is compared as well: agreements that are gone are not agreements that never were.
    council.standing().await?;
    let agreements = council.agreements().await?;
    match (&agreements, config.policy_keepers) {
        (None, Some(keepers)) => Err(NoCouncil::Keepers(keepers)),
        // In production nothing is opened under a policy that nobody agreed to: if that is what the database says, it is not believed.
        (found, _) if config.production && found.as_ref().and_then(Agreements::in_force).is_none() => {
            Err(NoCouncil::Nobody)
        }
        _ => Ok(agreements),
    }
}

/// Who signed what, by pins and signatures alone.
pub(super) fn trust_by_pins(config: &Config, policy: Arc<DecisionTable>, clock: &Clock) -> Trust {
    let voucher = Voucher::new(nothing_is_vouched_for(), clock.clone());
    Trust::new(config.pins.clone(), policy, voucher).by_pins_alone()
}

fn nothing_is_vouched_for() -> Live<Raw> {
    Live::only("none", Zeroizing::new(random::bytes()))
}

async fn council(
    config: &Config,
    vouch: Live<Raw>,
    clock: &Clock,
    as_asked: fn(Trust) -> Trust,
) -> Result<Council, NoCouncil> {
    let policy = Arc::new(DecisionTable::from_dir(&config.policies).await?);
    let voucher = Voucher::new(vouch, clock.clone());
    let trust = Arc::new(as_asked(Trust::new(config.pins.clone(), Arc::clone(&policy), voucher)));
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
