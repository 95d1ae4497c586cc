//! What a service that people's lives hang on must not be told. Each refusal names the field and what to do.

use super::{Config, LedgerVerifier, PasskeysConfig, address, witnesses};
use crate::guard::trust::pinned;
use crate::platform::random;
use crate::platform::secrets::Secrets;
use std::fmt;
use std::path::Path;

/// A field that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub field: String,
    /// What is wrong and what to do: a sentence that goes on after the field.
    pub why: String,
}

/// All that is refused: somebody who sets up a service wants to know at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusals(pub Vec<Refusal>);

impl Refusals {
    /// One refusal.
    #[must_use]
    pub fn of(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self(vec![Refusal { field: field.into(), why: why.into() }])
    }

    /// Nothing, or an error.
    ///
    /// # Errors
    /// Itself, when there is a refusal.
    pub fn or_none(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Refusal { field, why }) in self.0.iter().enumerate() {
            write!(f, "{}{field} {why}", if i == 0 { "the configuration is refused: " } else { "\n  " })?;
        }
        Ok(())
    }
}

/// Everything that this configuration may not be with these secrets and under a policy of this hash. In production it
/// is stricter; a pin that does not fit, and a folder of checkpoints that cannot be written, are refused everywhere.
#[must_use]
pub fn refusals(config: &Config, secrets: &Secrets, policy: &[u8; 32]) -> Refusals {
    let mut found = Vec::new();
    let mut refuse = |field: &str, why: String| found.push(Refusal { field: field.to_owned(), why });
    let hash = crate::guard::statement::hex(policy);
    match &config.policy_sha256 {
        Some(pin) if !pin.trim().eq_ignore_ascii_case(&hash) => refuse(
            "policy_sha256",
            format!(
                "is not the hash of the policy in {}, which is {hash}: find out who changed the policy, review it, and \
                 only then pin it",
                config.policies.display()
            ),
        ),
        None if config.production => refuse(
            "policy_sha256",
            format!("is missing: review policies/access-matrix.txt, then pin it with policy_sha256 = \"{hash}\""),
        ),
        _ => {}
    }
    if let Some(why) = sink(&config.checkpoints) {
        refuse("checkpoints", why);
    }
    if !(1..=3650).contains(&config.erasure_backups_days) {
        let why = "is for how many days a backup of the erasure store is kept: set 1 to 3650";
        refuse("erasure_backups_days", why.to_owned());
    }
    found.extend(config.limits.faults());
    let snooping = config.snooping.faults().into_iter();
    found.extend(snooping.map(|(field, why)| Refusal { field: format!("snooping.{field}"), why }));
    let retention = config.retention.faults().into_iter();
    found.extend(retention.map(|(field, why)| Refusal { field: format!("retention.{field}"), why }));
    found.extend(LedgerVerifier::faults(&config.ledger_verifiers));
    found.extend(PasskeysConfig::faults(config.passkeys.as_ref(), config.production));
    found.extend(config.oidc.iter().flat_map(|oidc| oidc.faults(config.production)));
    found.extend(witnesses::faults(&config.witnesses, config.witnesses_needed, config.production));
    let mut refuse = |field: &str, why: String| found.push(Refusal { field: field.to_owned(), why });
    if config.production {
        only_in_production(config, secrets, &mut refuse);
    }
    match &config.attachments {
        Some(attachments) => {
            found.extend(attachments.faults(&config.secrets));
            found.extend(attachments.faults_in_production().filter(|_| config.production));
        }
        None if config.production => {
            let why = "is not set: name the folder, or the S3 bucket, in which attachments lie".to_owned();
            found.push(Refusal { field: "attachments".to_owned(), why });
        }
        None => {}
    }
    Refusals(found)
}

fn only_in_production(config: &Config, secrets: &Secrets, refuse: &mut impl FnMut(&str, String)) {
    for name in &secrets.of_a_demo {
        let why =
            format!("has a demonstration's secret in `{name}`: remove that file, and let `himaya init` make its own");
        refuse("secrets", why);
    }
    for (field, address) in config.database.addresses() {
        if let Some(why) = address::open_to_others(address) {
            refuse(field, why);
        }
    }
    if config.tls.is_none() && !config.behind_proxy && !config.listen.is_local() {
        let why = format!(
            "is {}, which others reach, and nobody speaks TLS there: set tls.certificate and tls.key; or listen on \
             127.0.0.1 or a unix socket; or, if a proxy in front of it speaks TLS, set behind_proxy = true",
            config.listen
        );
        refuse("listen", why);
    }
    if config.schema_pin.is_none() {
        refuse(
            "schema_pin",
            "is not set: name the file in which `himaya migrate` keeps the databases' structure".to_owned(),
        );
    }
    if let Err(fault) = pinned(&config.pins) {
        refuse("pins", fault.to_string());
    }
}

/// What keeps signed checkpoints from being written into the folder; without them a rolled-back database looks whole.
#[must_use]
pub fn sink(folder: &Path) -> Option<String> {
    let probe = folder.join(format!(".probe-{}", random::uuid().simple()));
    let tried = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    tried.err().map(|error| {
        format!(
            "is {}, and signed checkpoints cannot be written there ({error}): make the folder, outside the database and \
             best on another machine's disk, and give it to the user that the service runs as",
            folder.display()
        )
    })
}
