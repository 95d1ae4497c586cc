//! What still needs the old values of a secret: for whoever asks the doctor, and before one is dropped.

use super::{Named, Secrets, Version, Versions, store};
use crate::audit::keys::LogKeys;
use crate::audit::store::newest_checkpoint;
use crate::guard::passphrase::SlotKind;
use crate::guard::token;
use crate::platform::config::Config;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection};

/// Clocks may be so far apart, and a request under way so long.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// Slots that nobody opens from day to day: with these words nothing is sealed anew.
const PRINTED: &str = SlotKind::RecoveryCode.as_str();

/// Slots that a passkey opens, which somebody may keep for another day.
const PASSKEY: &str = "passkey";

/// A value before the current one.
pub struct Needs {
    pub id: String,
    /// What needs it: a sentence that goes on after the value's name. `None` when nothing does.
    pub by: Option<String>,
    /// Only its public half is kept: there is nothing left to drop.
    pub is_retired: bool,
}

/// The values before the current one, with what needs each.
///
/// # Errors
/// When a database does not answer that has to be asked.
pub async fn needs(
    config: &Config,
    secrets: &Secrets,
    name: Named,
    now: DateTime<Utc>,
) -> Result<Vec<Needs>, sqlx::Error> {
    match name {
        Named::Token => Ok(old(&secrets.token.get(), now, |_, until| {
            let end = until + token::LIFE + token::SLACK;
            (now < end).then(|| format!("signed tokens that are good until {end}"))
        })),
        Named::Pepper => {
            let versions = secrets.pepper.get();
            if versions.current(now).id == versions.oldest().id {
                return Ok(Vec::new());
            }
            let mut connection = PgConnection::connect(&config.database.door).await?;
            let sealed = store::slots_by_pepper(&mut connection).await?;
            let linked = store::links_by_pepper(&mut connection).await?;
            connection.close().await?;
            let oldest = versions.oldest().id.clone();
            Ok(old(&versions, now, |version, until| {
                let own = |pepper: &Option<String>| pepper.as_deref().unwrap_or(&oldest) == version.id;
                let slots = |wanted: &[&str], but: bool| -> i64 {
                    let counted = sealed.iter().filter(|sealed| own(&sealed.pepper));
                    counted
                        .filter(|sealed| wanted.contains(&sealed.kind.as_str()) != but)
                        .map(|sealed| sealed.slots)
                        .sum()
                };
                let (people, codes) = (slots(&[PRINTED, PASSKEY], true), slots(&[PRINTED], false));
                let passkeys = slots(&[PASSKEY], false);
                let links: i64 = linked.iter().filter(|(id, _)| *id == version.id).map(|(_, links)| links).sum();
                let parts: Vec<String> = [
                    (people, format!("seals the keys of {people} people, each until they next sign in")),
                    (
                        passkeys,
                        format!("seals what {passkeys} passkeys open, each until somebody signs in with it alone"),
                    ),
                    (codes, format!("seals {codes} printed recovery codes, each until its owner takes a new one")),
                    (links, format!("is behind the links of {links} people, each until the issuer next names them")),
                ]
                .into_iter()
                .filter_map(|(count, said)| (count > 0).then_some(said))
                .collect();
                if parts.is_empty() {
                    return (now < until + SLACK).then(|| "was in use a moment ago".to_owned());
                }
                Some(parts.join(", and "))
            }))
        }
        Named::Ledger => {
            let versions = secrets.ledger.get();
            if versions.current(now).id == versions.oldest().id {
                return Ok(Vec::new());
            }
            let mut connection = PgConnection::connect(&config.database.sequencer).await?;
            let stored = newest_checkpoint(&mut connection).await?;
            connection.close().await?;
            let signed = LogKeys::of(&config.log_origin, &versions)
                .ok()
                .zip(stored)
                .and_then(|(keys, stored)| keys.read(&stored.note).ok())
                .map(|signed| signed.key);
            let mut all = old(&versions, now, |version, _| {
                let own = versions.iter().position(|known| known.id == version.id);
                (signed <= own).then(|| {
                    "signs the ledger until the next key takes over, with entries some minutes behind its moment"
                        .to_owned()
                })
            });
            for needs in &mut all {
                needs.is_retired = versions.find(&needs.id).is_some_and(|version| version.value.signing.is_none());
            }
            Ok(all)
        }
        Named::Pseudonyms => Ok(old(&secrets.pseudonyms.get(), now, |_, _| {
            Some("leads from the pseudonyms in older entries to people, as long as the ledger stands".to_owned())
        })),
        Named::Vouch => Ok(old(&secrets.vouch.get(), now, |_, _| {
            Some("vouches for everything that was stored under it and not written anew since".to_owned())
        })),
    }
}

/// The values before the current one, each with the moment at which it ceased to be used.
fn old<T>(
    versions: &Versions<T>,
    now: DateTime<Utc>,
    by: impl Fn(&Version<T>, DateTime<Utc>) -> Option<String>,
) -> Vec<Needs> {
    let current = &versions.current(now).id;
    let before = versions.iter().take_while(|version| version.id != *current);
    before
        .filter_map(|version| {
            let until = versions.until(&version.id)?;
            Some(Needs { id: version.id.clone(), by: by(version, until), is_retired: false })
        })
        .collect()
}
