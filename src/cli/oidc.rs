//! `himaya oidc`: what to do while the issuer who names people is lost.

use super::{At, Outcome};
use chrono::TimeDelta;
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use himaya::staff::oidc::outage;
use std::process::ExitCode;

#[derive(clap::Subcommand)]
pub enum Oidc {
    /// Where naming is required: for some hours whoever is linked signs in by typing the name as well. It counts at once, for the
    /// processes of this machine, and ends by itself.
    Outage {
        #[command(flatten)]
        at: At,
        /// For how many hours, 24 at most.
        #[arg(long, default_value_t = 4)]
        hours: u8,
        /// End it now: the issuer is back.
        #[arg(long, conflicts_with = "hours")]
        end: bool,
    },
}

pub fn oidc(told: &Oidc) -> Outcome {
    let Oidc::Outage { at, hours, end } = told;
    let config = Config::read(&at.config)?;
    if *end {
        outage::end(&config.checkpoints)?;
        println!("Whoever is linked to the issuer has to be named by it again.");
        return Ok(ExitCode::SUCCESS);
    }
    if !config.oidc.is_some_and(|oidc| oidc.required) {
        return Err("oidc.required is not set, so nobody has to be named: there is nothing to take off".into());
    }
    let until = outage::begin(&config.checkpoints, Clock::default().now(), TimeDelta::hours((*hours).into()))?;
    println!(
        "Until {until} nobody has to be named by the issuer, at the processes of this machine. Say so on each machine."
    );
    println!(
        "Passphrases and second factors are asked for as ever. `himaya oidc outage --end` when the issuer is back."
    );
    Ok(ExitCode::SUCCESS)
}
