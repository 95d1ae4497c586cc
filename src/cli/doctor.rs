//! `himaya doctor`.

use super::Outcome;
use himaya::doctor::{self, Verdict};
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use std::path::Path;
use std::process::ExitCode;

pub async fn doctor(config: &Path) -> Outcome {
    let config = Config::read(config)?;
    let checks = doctor::examine(&config, &Clock::default()).await;
    for check in &checks {
        println!("{check}");
    }
    let wrong = checks.iter().filter(|check| check.verdict == Verdict::Wrong).count();
    if wrong == 0 {
        println!("Everything is as it should be.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{wrong} of {} are wrong.", checks.len());
    Ok(ExitCode::FAILURE)
}
