//! The commands of whoever runs the service.

pub mod audit;
pub mod backup;
pub mod doctor;
pub mod init;
pub mod keys;
pub mod oidc;
pub mod policy;
pub mod serve;
pub mod statistics;
pub mod witness;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a command ends.
pub type Outcome = Result<ExitCode, Box<dyn Error>>;

#[derive(clap::Args)]
pub struct At {
    /// The configuration.
    #[arg(long, env = "HIMAYA_CONFIG", default_value = "himaya.toml")]
    pub config: PathBuf,
}
