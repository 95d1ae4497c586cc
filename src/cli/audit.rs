//! `himaya audit verify`, with the service's configuration; the rest is in `outside`.

mod outside;

use super::{At, Outcome};
use himaya::audit::keys::{LogKeys, introductions};
use himaya::audit::note::NoteVerifier;
use himaya::audit::retention::label::Labels;
use himaya::audit::verify::{self, Agreed, Believed, OutageReport};
use himaya::audit::witnesses::Witnesses;
use himaya::doctor::{NoCouncil, agreements_of, outages_of};
use himaya::guard::policy::DecisionTable;
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use himaya::platform::db;
use himaya::platform::objects::Objects;
use himaya::platform::schema::Structure;
use himaya::platform::secrets::Secrets;
use outside::{Bar, Outside, export, from_outside, say_cosigned, verifier};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(clap::Subcommand)]
pub enum Audit {
    /// Verify the ledger against its signed checkpoints, and against copies kept elsewhere.
    Verify {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        outside: Outside,
        /// A checkpoint that was saved outside the database; may be given several times.
        #[arg(long)]
        checkpoint: Vec<PathBuf>,
        /// Compare every sealed record with what the ledger says of it.
        #[arg(long)]
        records: bool,
        /// The log's first public key, as somebody once wrote it down (`himaya doctor` says it). Then no secret is read, and
        /// later keys count only as far as each was introduced by the one before, in a note beside the checkpoints.
        #[arg(long, visible_alias = "key")]
        log_key: Option<NoteVerifier>,
    },
    /// Write the tree into a folder, with its newest checkpoint: whoever has it verifies it with `--tiles`, and needs nothing else.
    Export {
        /// Where to; what is there already is gone on with.
        folder: PathBuf,
        #[command(flatten)]
        at: At,
        /// As for `verify`.
        #[arg(long, visible_alias = "key")]
        log_key: Option<NoteVerifier>,
    },
    /// Make a token for somebody who checks the ledger from outside.
    Verifier {
        /// Who it is.
        name: String,
    },
}

/// The keys that an outsider follows from the first one, or those among the service's own secrets.
async fn log_keys(config: &Config, first: Option<&NoteVerifier>) -> Result<LogKeys, Box<dyn Error>> {
    let Some(first) = first else {
        return Ok(LogKeys::of(&config.log_origin, &Secrets::read(config).await?.ledger.get())?);
    };
    if first.name().as_str() != config.log_origin {
        return Err(format!("--log-key is the key of {}, and log_origin is {}", first.name(), config.log_origin).into());
    }
    Ok(LogKeys::follow(first.clone(), &introductions(&config.checkpoints)?)?)
}

pub async fn audit(told: Audit) -> Outcome {
    match told {
        Audit::Verify { outside, checkpoint, log_key, .. } if outside.tiles.is_some() => {
            from_outside(outside, &checkpoint, log_key).await
        }
        Audit::Verify { at, outside, checkpoint, records, log_key } => {
            verify(&at, &outside, &checkpoint, records, log_key).await
        }
        Audit::Export { folder, at, log_key } => export(&folder, &at, log_key).await,
        Audit::Verifier { name } => verifier(&name),
    }
}

async fn verify(
    at: &At,
    outside: &Outside,
    checkpoint: &[PathBuf],
    records: bool,
    log_key: Option<NoteVerifier>,
) -> Outcome {
    let needed = outside.needed()?;
    let config = Config::read(&at.config)?;
    let keys = log_keys(&config, log_key.as_ref()).await?;
    let saved = checkpoint.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let cosigned = outside.cosigned(&keys, &saved, needed)?;
    let databases = db::connect(&config.database).await?;
    let agreed = agreements_of(&config, &Clock::default()).await;
    let (agreed, unknown) = match &agreed {
        Ok(agreed) => (agreed.as_ref().and_then(Agreed::of), None),
        Err(error) => (None, Some(error.to_string())),
    };
    // Whoever writes the configuration names no witness to who has a list of their own.
    let witnesses = match Witnesses::named(outside.witness.clone(), needed) {
        Some(own) => Some(own),
        None => Witnesses::of(&config)?,
    };
    let now = Clock::default().now();
    let labels = match log_key {
        None => Some(Labels::new(Secrets::read(&config).await?.pseudonyms.clone())),
        Some(_) => None,
    };
    let believed = Believed { saved: &saved, agreed: agreed.clone(), witnesses: witnesses.as_ref(), labels, now };
    let mut bar = Bar::new();
    let report = verify::verify_with(&databases.auditor, &keys, records, believed, |done, all| bar.at(done, all)).await;
    bar.end();
    let mut report = report?;
    if let Some(attachments) = config.attachments.as_ref().filter(|_| records) {
        let objects = Objects::open(attachments, &config.secrets)?;
        report.compare_objects(&databases.auditor, &databases.sweeper.erasure, &objects).await?;
    }
    let policy = DecisionTable::from_dir(&config.policies).await.map(Arc::new).map_err(NoCouncil::from);
    let found = async { outages_of(&config, policy?, &Clock::default()).await };
    let outages = match found.await {
        Ok(outages) => report.compare_outages(&databases.auditor, outages).await.map(|()| None)?,
        Err(error) => Some(error.to_string()),
    };
    println!(
        "{} entries, {} in the tree, {} waiting; {} checkpoints, {} records, {} rows and {} files compared.",
        report.entries,
        report.leaves,
        report.unsequenced,
        report.checkpoints,
        report.records,
        report.rows,
        report.objects
    );
    say_cosigned(&cosigned.witnesses);
    if report.erased > 0 {
        println!("{} of the files were erased: their rows came back with a restore, and open nothing.", report.erased);
    }
    if records {
        println!(
            "{} rows stand in nobody's register: those that the set-up made. They never become more.",
            report.unregistered
        );
    }
    for (class, erased) in &report.retained {
        println!(
            "What {erased} entries of the class {class} said was erased since its time was over, as the ledger tells."
        );
    }
    for change in &report.policy_changes {
        let hash = himaya::guard::statement::hex(&change.policy);
        let standing = match &agreed {
            Some(agreed) if agreed.digests.contains(&change.policy) => ", agreed to by two",
            Some(_) => ", never agreed to",
            None => "",
        };
        println!("Policy {hash}{standing}: entries {} to {}.", change.first, change.last);
    }
    if agreed.is_none() && unknown.is_none() {
        println!("Nobody has agreed to a policy yet, so no entry is held to an agreement.");
    }
    if let Some(unknown) = &unknown {
        println!("FOUND: what was agreed about the policy is not known, so no entry is held to it: {unknown}");
    }
    for told in &report.outages {
        println!("{}", in_words(told));
    }
    if let Some(unknown) = &outages {
        println!("FOUND: whether two persons let anybody read in spite of the ledger is not known: {unknown}");
    }
    for finding in &report.findings {
        println!("FOUND: {finding}");
    }
    if report.unlisted > 0 {
        println!("FOUND: {} more", report.unlisted);
    }
    if let Some(first) = report.first_wrong {
        println!("The first entry that is wrong: {first}.");
    }
    for fault in &cosigned.faults {
        println!("FOUND: {fault}");
    }
    let structure = match &config.schema_pin {
        Some(kept) => Structure::check(&databases, kept).await.map_err(|error| error.to_string()),
        None => Err("schema_pin is not set, so nobody knows whether the databases' structure was changed".to_owned()),
    };
    if let Err(changed) = &structure {
        println!("FOUND: {changed}");
    }
    if report.ok() && cosigned.faults.is_empty() && structure.is_ok() && unknown.is_none() && outages.is_none() {
        println!("The ledger is whole.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Who let whom read in spite of the ledger, and how much was read.
fn in_words(told: &OutageReport) -> String {
    let OutageReport { outage, ended_at, reads } = told;
    let lacks: Vec<&str> = outage.lacks.iter().map(|lack| lack.as_str()).collect();
    let ended = ended_at.map(|at| format!(", ended at {at}")).unwrap_or_default();
    let might =
        if outage.might { "" } else { " By the policy of today, one of them might not: then it opened nothing." };
    format!(
        "Outage {}: officers of {} could read in spite of {} ({}), proposed by account {}, agreed to by account {}, from {} until \
         {}{ended}. {reads} reads.{might}",
        outage.id,
        outage.organisation,
        lacks.join(" and "),
        outage.reason,
        outage.proposed_by,
        outage.agreed_by,
        outage.from,
        outage.until,
    )
}
