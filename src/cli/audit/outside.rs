//! What somebody does who checks the ledger from outside, and what the operator does for them.

use super::super::{At, Outcome};
use super::log_keys;
use himaya::audit::keys::{LogKeys, introductions};
use himaya::audit::note::NoteVerifier;
use himaya::audit::note::cosignature::CosignatureVerifier;
use himaya::audit::tiles::access::new_token;
use himaya::audit::tiles::export as tiles;
use himaya::audit::tiles::pruning::minimum;
use himaya::audit::verify::outside::{self, Cosigned, Report, Source, Told};
use himaya::guard::statement::hex;
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use himaya::platform::db;
use std::collections::HashSet;
use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// To verify from tiles alone.
#[derive(clap::Args)]
pub struct Outside {
    /// Verify the tiles in this folder, or at this address (https://…/ledger), and nothing else: no configuration and no database.
    #[arg(long, requires = "log_key", conflicts_with = "records")]
    pub tiles: Option<String>,
    /// File with the token that the operator gave to this verifier.
    #[arg(long, requires = "tiles")]
    pub token_file: Option<PathBuf>,
    /// File with the authority that is believed, as PEM; without it those that browsers know.
    #[arg(long, requires = "tiles")]
    pub authority: Option<PathBuf>,
    /// The key of a witness; may be given several times. Without `--tiles` the newest `--checkpoint` must be cosigned: the file
    /// `cosigned` beside the checkpoints is; and what was erased since its time was over is held to these witnesses' clocks, and not
    /// to those of the configuration's.
    #[arg(long)]
    pub witness: Vec<CosignatureVerifier>,
    /// How many of them must have cosigned. Without it, all.
    #[arg(long, requires = "witness")]
    pub witnesses: Option<usize>,
    /// Where the checkpoint is saved, if the ledger is whole. What was saved there before is compared first.
    #[arg(long, requires = "tiles")]
    pub save: Option<PathBuf>,
}

impl Outside {
    /// How many of the witnesses must have cosigned.
    ///
    /// # Errors
    /// When two of them are one.
    pub fn needed(&self) -> Result<usize, Box<dyn Error>> {
        let distinct: HashSet<[u8; 32]> = self.witness.iter().map(|witness| witness.key().to_bytes()).collect();
        if distinct.len() < self.witness.len() {
            return Err("two of the witnesses have the same key: they are one".into());
        }
        Ok(self.witnesses.unwrap_or(self.witness.len()))
    }

    /// Holds the newest of the checkpoints that were saved to the witnesses; without witnesses there is nothing to say.
    ///
    /// # Errors
    /// When witnesses are named, and no checkpoint of this log is.
    pub fn cosigned(&self, keys: &LogKeys, saved: &[String], needed: usize) -> Result<Cosigned, Box<dyn Error>> {
        if self.witness.is_empty() {
            return Ok(Cosigned::default());
        }
        let newest = outside::newest_cosigned(keys, saved, &self.witness, needed);
        newest.ok_or_else(|| {
            "--witness needs a --checkpoint of this log that they cosigned: the file `cosigned` beside the checkpoints is one".into()
        })
    }
}

/// A bar for whoever waits at a terminal.
pub struct Bar {
    shown: bool,
    began: Instant,
    last: Option<Instant>,
}

impl Bar {
    pub fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), began: Instant::now(), last: None }
    }

    pub fn at(&mut self, done: u64, all: u64) {
        const WIDE: u64 = 40;
        if !self.shown || (done < all && self.last.is_some_and(|last| last.elapsed() < Duration::from_millis(100))) {
            return;
        }
        self.last = Some(Instant::now());
        let filled = done.saturating_mul(WIDE).checked_div(all).unwrap_or(WIDE);
        let bar: String = (0..WIDE).map(|place| if place < filled { '#' } else { '.' }).collect();
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        eprint!("\r[{bar}] {done} of {all}, {} a second ", done.saturating_mul(1000) / millis);
    }

    pub fn end(&self) {
        if self.shown && self.last.is_some() {
            eprintln!();
        }
    }
}

pub async fn from_outside(told: Outside, checkpoint: &[PathBuf], key: Option<NoteVerifier>) -> Outcome {
    let place = told.tiles.as_deref().ok_or("--tiles is missing")?;
    let key = key.ok_or("--key is missing: the log's first public key, as somebody once wrote it down")?;
    let token = told.token_file.as_deref().map(std::fs::read_to_string).transpose()?.map(Zeroizing::new);
    let token = token.map(|token| Zeroizing::new(token.trim().to_owned()));
    let mut saved = checkpoint.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = &told.save {
        // Only what is not there was never saved: what cannot be read may be what would tell of a fork.
        match std::fs::read_to_string(file) {
            Ok(text) => saved.push(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("Nothing is saved in {} yet: this is the first time.", file.display());
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display()).into()),
        }
    }
    let needed = told.needed()?;
    let source = Source::open(place, token, told.authority.as_deref())?;
    let mut bar = Bar::new();
    let asked = outside::Told { key, saved, witnesses: told.witness, needed, now: Clock::default().now() };
    let report = outside::verify(&source, &asked, |done, all| bar.at(done, all)).await?;
    bar.end();
    say(&report, &asked);
    if !report.ok() {
        if let Some(file) = told.save.as_deref().filter(|_| !report.checkpoint.is_empty()) {
            evidence(file, &report)?;
        }
        return Ok(ExitCode::FAILURE);
    }
    if let Some(file) = &told.save {
        tiles::place_durably(file, report.checkpoint.as_bytes())?;
        println!("The checkpoint is saved in {}.", file.display());
    }
    println!("The ledger is whole.");
    Ok(ExitCode::SUCCESS)
}

/// Keeps what was served beside what was saved: two signed checkpoints that contradict one another convict whoever signed them.
fn evidence(saved: &Path, report: &Report) -> io::Result<()> {
    let root = report.checkpoint.lines().nth(2).unwrap_or_default();
    let root: String = root.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let mut found = saved.to_owned();
    found.as_mut_os_string().push(format!(".found-{}-{root}", report.size));
    tiles::place_durably(&found, report.checkpoint.as_bytes())?;
    match std::fs::read_to_string(saved) {
        Ok(text) => println!("Saved before, in {}:\n{text}", saved.display()),
        Err(_) => println!("Nothing was saved before in {}.", saved.display()),
    }
    println!("Found now, kept as evidence in {}:\n{}", found.display(), report.checkpoint);
    Ok(())
}

fn say(report: &Report, asked: &Told) {
    println!(
        "{} of {} entries in {} lanes; {} saved checkpoints and {} keys of the log; cosigned by {} of {} witnesses.",
        report.entries,
        report.size,
        report.lanes,
        report.saved,
        report.keys,
        report.witnesses.len(),
        asked.witnesses.len()
    );
    say_cosigned(&report.witnesses);
    if asked.saved.is_empty() {
        println!(
            "No saved checkpoint was given: what is whole may be another log. Save this one, and give it the next time."
        );
    }
    if report.minimum > 0 {
        println!(
            "Checked from entry {} on: the log gives nothing of those before. Nothing is said of them but that this tree stands on them.",
            report.minimum
        );
    }
    for change in &report.policy_changes {
        println!("Policy {}: entries {} to {}.", hex(&change.policy), change.first, change.last);
    }
    for fault in &report.faults {
        println!("FOUND: {fault}");
    }
    if report.unlisted > 0 {
        println!("FOUND: {} more", report.unlisted);
    }
    if let Some(first) = report.first_wrong() {
        println!("The first entry that is wrong: {first}.");
    }
}

/// Who cosigned, and when.
pub fn say_cosigned(witnesses: &[(String, u64)]) {
    for (witness, time) in witnesses {
        let time = i64::try_from(*time).ok().and_then(|time| chrono::DateTime::from_timestamp(time, 0));
        println!("Cosigned by {witness}: {}.", time.map_or_else(|| "at no time".to_owned(), |time| time.to_rfc3339()));
    }
}

pub async fn export(folder: &Path, at: &At, key: Option<NoteVerifier>) -> Outcome {
    let config = Config::read(&at.config)?;
    let keys = log_keys(&config, key.as_ref()).await?;
    let databases = db::connect(&config.database).await?;
    let introductions = introductions(&config.checkpoints)?;
    let minimum = minimum(&databases.auditor, &keys, config.retention.tiles, Clock::default().now()).await?;
    let mut bar = Bar::new();
    let exported =
        tiles::export(&databases.auditor, &keys, introductions, minimum, &config.checkpoints, folder, |done, all| {
            bar.at(done, all);
        })
        .await;
    bar.end();
    let exported = exported?;
    println!(
        "{} entries: {} tiles and bundles written, {} were there. `himaya audit verify --tiles {} --key {}` verifies them.",
        exported.size,
        exported.written,
        exported.kept,
        folder.display(),
        keys.all().first().map(ToString::to_string).unwrap_or_default()
    );
    Ok(ExitCode::SUCCESS)
}

/// Says the token once, and what the configuration needs of it.
pub fn verifier(name: &str) -> Outcome {
    if name.trim().is_empty() || name.chars().any(|c| c.is_control() || matches!(c, '"' | '\\')) {
        return Err(
            "a verifier's name has no quotation marks, backslashes and control characters, and is not empty".into()
        );
    }
    let (token, digest) = new_token();
    println!("The token, said only now; give it to {name} on a safe way, who keeps it in a file of their own:");
    println!("{}", *token);
    println!();
    println!("For the configuration of every replica:");
    println!("[[ledger_verifiers]]\nname = \"{name}\"\ntoken_sha256 = \"{digest}\"");
    Ok(ExitCode::SUCCESS)
}
