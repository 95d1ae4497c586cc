//! Whether two persons let readers go on in spite of the ledger, and whether what lies in the database was signed by two.

use super::agreed::{NoCouncil, trust_by_pins};
use super::{Findings, PATIENCE};
use crate::audit::verify::Outages;
use crate::guard::outage::{Outage, Reader, Signers};
use crate::guard::policy::DecisionTable;
use crate::guard::store::all_outages;
use crate::platform::clock::Clock;
use crate::platform::config::Config;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;

/// All outages to which two are said to have agreed. It hangs on signatures and pins, and needs none of the service's own secrets.
///
/// # Errors
/// [`NoCouncil`].
pub async fn outages_of(config: &Config, policy: Arc<DecisionTable>, clock: &Clock) -> Result<Outages, NoCouncil> {
    let trust = trust_by_pins(config, Arc::clone(&policy), clock);
    let reader = Reader { trust: &trust, policy: &policy, signers: Signers::Ever };
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect(&config.database.app).await?;
    let (mut connection, mut found) = (pool.acquire().await?, Outages::default());
    for row in all_outages(&mut connection).await? {
        match reader.agreed(&mut connection, &row.note).await? {
            Some(outage) if outage.id == row.id => found.signed.push((outage, row.ended_at)),
            _ => found.unsigned.push(row.id),
        }
    }
    Ok(found)
}

pub(super) async fn open(findings: &mut Findings, config: &Config, clock: &Clock) {
    // What is wrong with the policy's files is said elsewhere.
    let Ok(policy) = DecisionTable::from_dir(&config.policies).await else { return };
    let found = match outages_of(config, Arc::new(policy), clock).await {
        Ok(found) => found,
        Err(error) => return findings.wrong("outages", error.to_string()),
    };
    let now = clock.now();
    let is_open = |outage: &Outage| outage.might && outage.from <= now && now < outage.until;
    let open = found.signed.iter().filter(|(outage, ended_at)| ended_at.is_none() && is_open(outage));
    let mut wrong: Vec<String> = open
        .map(|(outage, _)| {
            format!(
                "by outage {} officers of {} go on reading until {}, in spite of the ledger: mend that, and have somebody end it \
                 (POST /api/v1/outages/{}/close)",
                outage.id, outage.organisation, outage.until, outage.id
            )
        })
        .collect();
    wrong.extend(found.unsigned.iter().map(|id| {
        format!("outage {id} lies in the database as agreed to, and two persons did not sign it: find out who wrote it there")
    }));
    findings.judge("outages", "nobody reads in spite of what the ledger lacks", &wrong);
}
