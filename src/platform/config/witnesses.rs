//! Who watches the ledger from outside.

use super::{Refusal, secrets};
use crate::audit::note::cosignature::CosignatureVerifier;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[[witnesses]]`: somebody outside who cosigns the ledger's checkpoints.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogWitnessConfig {
    /// `https://witness.ombudsman.example`: what stands before `/add-checkpoint`.
    pub url: String,
    /// The witness's public key, as `himaya witness init` printed it there.
    pub vkey: String,
    /// File with the token that the witness asks for, readable to the service only; nothing where it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// File with the authority that its certificate hangs on, as PEM; without it those that browsers know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
}

impl LogWitnessConfig {
    /// Whether it is a trial's, on the same machine: only there nothing has to be encrypted.
    pub(crate) fn is_local(&self) -> bool {
        ["http://127.0.0.1:", "http://localhost:"].iter().any(|begin| self.url.starts_with(begin))
    }
}

/// What is wrong with the witnesses, and with how many are needed.
pub(super) fn faults(witnesses: &[LogWitnessConfig], needed: Option<usize>, production: bool) -> Vec<Refusal> {
    let mut found = Vec::new();
    let mut refuse = |field: String, why: String| found.push(Refusal { field, why });
    let mut known: Vec<CosignatureVerifier> = Vec::new();
    for (number, told) in witnesses.iter().enumerate() {
        if !told.url.starts_with("https://") && (production || !told.is_local()) {
            let why = "does not begin with https://: somebody on the way would see how the ledger grows";
            refuse(format!("witnesses[{number}].url"), why.to_owned());
        }
        match told.vkey.parse::<CosignatureVerifier>() {
            Ok(key) if known.iter().any(|other| other.name() == key.name() || other.key() == key.key()) => {
                refuse(
                    format!("witnesses[{number}].vkey"),
                    "is another one's name or key: it would count twice".to_owned(),
                );
            }
            Ok(key) => known.push(key),
            Err(error) => refuse(format!("witnesses[{number}].vkey"), format!("is no witness's key: {error}")),
        }
        if let Some(file) = &told.token_file
            && let Err(why) = secrets::word(file)
        {
            refuse(format!("witnesses[{number}].token_file"), why);
        }
    }
    match needed {
        None if !witnesses.is_empty() => refuse(
            "witnesses_needed".to_owned(),
            "is missing: of how many witnesses a checkpoint needs the cosignature before it counts".to_owned(),
        ),
        Some(needed) if !(1..=witnesses.len()).contains(&needed) => {
            refuse("witnesses_needed".to_owned(), format!("is {needed}, and there are {} witnesses", witnesses.len()));
        }
        _ => {}
    }
    found
}
