//! The commands of whoever runs the service.

pub mod backup;
pub mod doctor;
pub mod init;
pub mod serve;

use std::error::Error;
use std::process::ExitCode;

/// How a command ends.
pub type Outcome = Result<ExitCode, Box<dyn Error>>;
