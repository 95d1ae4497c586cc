//! The values of each secret: which is used, since when, which is prepared, and what still needs the older ones.

use super::{Findings, Verdict};
use crate::audit::keys::file_name;
use crate::audit::note::{KeyName, NoteVerifier};
use crate::platform::config::Config;
use crate::platform::secrets::{Named, Secrets, Versions, needs, store};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Says of each secret what there is of it.
pub(super) async fn values(findings: &mut Findings, config: &Config, secrets: &Secrets, now: DateTime<Utc>) {
    for name in Named::ALL.iter().copied() {
        let mut said = match name {
            Named::Pepper => ages(&secrets.pepper.get(), now),
            Named::Token => ages(&secrets.token.get(), now),
            Named::Ledger => ages(&secrets.ledger.get(), now),
            Named::Pseudonyms => ages(&secrets.pseudonyms.get(), now),
            Named::Vouch => ages(&secrets.vouch.get(), now),
        };
        let about = format!("secrets: {name}");
        let old = match needs(config, secrets, name, now).await {
            Ok(old) => old,
            Err(error) => {
                said.push(format!("what needs its older values could not be asked: {error}"));
                findings.add(about, Verdict::NotAsked, said.join("; "));
                continue;
            }
        };
        for old in old {
            said.push(match (old.is_retired, old.by) {
                (true, _) => format!("{} is retired, and only its public half is kept", old.id),
                (false, Some(why)) => format!("{} {why}", old.id),
                (false, None) => format!("nothing needs {} any more: himaya keys retire {name}", old.id),
            });
        }
        if name == Named::Ledger {
            ledger(&mut said, config, secrets);
        }
        findings.well(about, said.join("; "));
    }
}

fn ages<T>(versions: &Versions<T>, now: DateTime<Utc>) -> Vec<String> {
    let current = versions.current(now);
    let since = current.from.map_or_else(
        || "has been used from the beginning".to_owned(),
        |from| format!("is used since {from}, {} days", (now - from).num_days()),
    );
    let mut said = vec![format!("{} {since}", current.id)];
    let newest = versions.newest();
    if let Some(from) = newest.from.filter(|from| *from > now) {
        said.push(format!("{} is prepared, and used from {from} on", newest.id));
    }
    said
}

/// What an outsider needs: the first key, to be written down, and how many were introduced after it.
fn ledger(said: &mut Vec<String>, config: &Config, secrets: &Secrets) {
    let versions = secrets.ledger.get();
    if let Ok(name) = KeyName::new(config.log_origin.as_str()) {
        said.push(format!("its first public key is {}", NoteVerifier::new(name, &versions.oldest().value.public)));
    }
    let missing = versions.iter().skip(1).filter(|key| !config.checkpoints.join(file_name(&key.value.public)).exists());
    for key in missing {
        said.push(format!("{} is not introduced to outsiders yet: a running service sees to that", key.id));
    }
}

/// Whether every person's keys are sealed with a pepper that is there: else they cannot sign in.
pub(super) async fn peppers(findings: &mut Findings, secrets: &Secrets, connection: &mut PgConnection) {
    const ABOUT: &str = "secrets: pepper: sign-ins";
    let sealed = match store::slots_by_pepper(connection).await {
        Ok(sealed) => sealed,
        Err(error) => return findings.wrong(ABOUT, format!("cannot be asked: {error}")),
    };
    let versions = secrets.pepper.get();
    let wrong: Vec<String> = sealed
        .iter()
        .filter_map(|sealed| Some((sealed.pepper.as_deref()?, sealed.slots)))
        .filter(|(pepper, _)| versions.find(pepper).is_none())
        .map(|(pepper, slots)| {
            format!(
                "{slots} people cannot sign in: their keys are sealed with {pepper}, which is not there. Put it back"
            )
        })
        .collect();
    findings.judge(ABOUT, "everybody's keys are sealed with a pepper that is there", &wrong);
}
