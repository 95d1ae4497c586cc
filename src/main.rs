//! The command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line answers on the terminal")]

mod cli;

use clap::{Parser, Subcommand};
use cli::backup::{Backup, BringBack, backup, restore};
use cli::init::{Init, init};
use cli::serve::until_told;
use cli::{Outcome, doctor, serve};
use himaya::audit::verify;
use himaya::demo::{Demo, stay, story};
use himaya::guard::policy;
use himaya::platform::config::{Config, Secrets};
use himaya::platform::objects::Objects;
use himaya::platform::schema::Structure;
use himaya::platform::{db, router};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::net::TcpListener;

/// Case management for the protection of victims of human trafficking.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Found a fictional country on a private PostgreSQL, play the story once, and serve until Ctrl-C.
    Demo {
        /// Where to listen; another free port is taken if this one is not.
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
        /// Stop after the story.
        #[arg(long)]
        once: bool,
    },
    /// Serve.
    Serve(At),
    /// Ask a running service on this machine whether it is ready.
    Health(At),
    /// Look at everything that has to be right, and say what is wrong and what to do.
    Doctor(At),
    /// Write both databases and the newest checkpoint into a folder.
    Backup(Backup),
    /// Bring a backup back, into databases that are empty or not there.
    Restore(BringBack),
    /// Bring both databases to this version's schema.
    Migrate(Migrate),
    /// Set up roles, databases, secrets and the first organisation on an empty PostgreSQL.
    Init(Init),
    /// Check the ledger.
    #[command(subcommand)]
    Audit(Audit),
    /// Check or print the policy.
    #[command(subcommand)]
    Policy(Policy),
    /// Look after the keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Print the API's document.
    Openapi,
}

#[derive(clap::Args)]
struct At {
    /// The configuration.
    #[arg(long, env = "HIMAYA_CONFIG", default_value = "himaya.toml")]
    config: PathBuf,
}

#[derive(clap::Args)]
struct Migrate {
    #[command(flatten)]
    at: At,
    /// The version before found the structure of the databases unchanged (`himaya doctor`), and this one counts something
    /// else to it: a new role, or a new kind of setting. Without this, a structure that differs is not migrated.
    #[arg(long)]
    structure_was_checked: bool,
}

#[derive(Subcommand)]
enum Audit {
    /// Verify the ledger against its signed checkpoints, and against copies kept elsewhere.
    Verify {
        #[command(flatten)]
        at: At,
        /// A checkpoint that was saved outside the database; may be given several times.
        #[arg(long)]
        checkpoint: Vec<PathBuf>,
        /// Compare every sealed record with what the ledger says of it.
        #[arg(long)]
        records: bool,
    },
}

#[derive(Subcommand)]
enum Keys {
    /// Erase erasure keys that belong to no record, now instead of within the hour.
    Sweep {
        #[command(flatten)]
        at: At,
        /// Also when they are suspiciously many: first see that the main database is the right one, and the newest.
        #[arg(long)]
        however_many: bool,
    },
}

#[derive(Subcommand)]
enum Policy {
    /// Check the bundle and the reviewed matrix beside it.
    Check {
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
    /// Print the matrix that the bundle answers.
    Matrix {
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    // What a panic says may quote what it panicked over; where it was is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    match run(cli.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("himaya: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Demo { listen, once } => demo(&listen, once).await,
        Command::Serve(at) => serve::serve(&at.config).await,
        Command::Health(at) => serve::health(&at.config).await,
        Command::Doctor(at) => doctor::doctor(&at.config).await,
        Command::Backup(told) => backup(told).await,
        Command::Restore(told) => restore(told).await,
        Command::Migrate(told) => migrate(&told).await,
        Command::Init(told) => init(told).await,
        Command::Audit(Audit::Verify { at, checkpoint, records }) => audit(&at.config, &checkpoint, records).await,
        Command::Policy(Policy::Check { folder }) => {
            let table = policy::check(&folder).await?;
            println!("The policy is whole: {} decisions, and the reviewed matrix is what it answers.", table.asked());
            println!("policy_sha256 = \"{}\"", himaya::guard::statement::hex(&table.hash()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy(Policy::Matrix { folder }) => {
            print!("{}", policy::DecisionTable::from_dir(&folder).await?.matrix());
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(Keys::Sweep { at, however_many }) => sweep(&at.config, however_many).await,
        Command::Openapi => {
            println!("{}", serde_json::to_string_pretty(&router::document())?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn demo(listen: &str, once: bool) -> Outcome {
    let listener = match TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind("127.0.0.1:0").await?,
    };
    let home = std::env::temp_dir().join(format!("himaya-demo-{}", himaya::platform::random::uuid().simple()));
    std::fs::create_dir_all(&home)?;
    let policies = std::fs::canonicalize("policies")?;
    println!("Starting a private PostgreSQL and founding the country; this takes some seconds.");
    let demo = Demo::start(home, policies, listener).await?;
    let played = stay::play(&demo.country, story::play(&demo.country).await?).await?;
    println!("\nThe story, played over HTTP:");
    for line in &played.lines {
        println!("{line}");
    }
    println!("\nSign-ins (role, name, passphrase; new at each run):\n{}", demo.sign_ins());
    println!(
        "Serving on {0} (API document: {0}/api/openapi.json). Ctrl-C ends it and removes everything.",
        demo.address
    );
    if !once {
        until_told().await;
    }
    demo.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(told: &Migrate) -> Outcome {
    let config = Config::read(&told.at.config)?;
    let named = |url: Option<String>, field| url.ok_or_else(|| format!("the configuration has no {field}"));
    let main = named(config.database.migrator, "database.migrator")?;
    let erasure = named(config.database.erasure_migrator, "database.erasure_migrator")?;
    let kept = config.schema_pin.as_deref();
    if let Some(kept) = kept.filter(|_| !told.structure_was_checked) {
        db::check_structure(&main, &erasure, kept).await?;
    }
    db::migrate(&main, &erasure, kept).await?;
    println!("Both databases have this version's schema.");
    Ok(ExitCode::SUCCESS)
}

async fn sweep(config: &Path, however_many: bool) -> Outcome {
    let config = Config::read(config)?;
    let mut databases = db::connect(&config.database).await?;
    databases.sweeper.objects =
        config.attachments.as_ref().map(|told| Objects::open(told, &config.secrets)).transpose()?;
    match databases.sweeper.sweep(however_many).await? {
        None => println!("A running service is sweeping at this moment."),
        Some(swept) => println!(
            "{} keys looked at: {} belong to no record, {} of them were erased; {} had come back and were erased again. {} \
             wraps had ended and were deleted.",
            swept.looked_at, swept.orphans, swept.erased, swept.again, swept.ended
        ),
    }
    let cleared = databases.sweeper.clear_objects().await?;
    println!("{} files looked at: {} were erased, and removed.", cleared.looked_at, cleared.removed);
    Ok(ExitCode::SUCCESS)
}

async fn audit(config: &Path, saved: &[PathBuf], records: bool) -> Outcome {
    let config = Config::read(config)?;
    let secrets = Secrets::read(&config.secrets)?;
    let saved = saved.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let databases = db::connect(&config.database).await?;
    let key = secrets.ledger.verifying_key();
    let mut report = verify::verify(&databases.auditor, &key, &config.log_origin, &saved, records).await?;
    if let Some(attachments) = config.attachments.as_ref().filter(|_| records) {
        let objects = Objects::open(attachments, &config.secrets)?;
        report.compare_objects(&databases.auditor, &databases.sweeper.erasure, &objects).await?;
    }
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
    if report.erased > 0 {
        println!("{} of the files were erased: their rows came back with a restore, and open nothing.", report.erased);
    }
    if records {
        println!(
            "{} rows stand in nobody's register: those that the set-up made. They never become more.",
            report.unregistered
        );
    }
    for change in &report.policy_changes {
        let hash = himaya::guard::statement::hex(&change.policy);
        println!("Policy {hash}: entries {} to {}.", change.first, change.last);
    }
    for finding in &report.findings {
        println!("FOUND: {finding}");
    }
    if report.unlisted > 0 {
        println!("FOUND: {} more", report.unlisted);
    }
    let structure = match &config.schema_pin {
        Some(kept) => Structure::check(&databases, kept).await.map_err(|error| error.to_string()),
        None => Err("schema_pin is not set, so nobody knows whether the databases' structure was changed".to_owned()),
    };
    if let Err(changed) = &structure {
        println!("FOUND: {changed}");
    }
    if report.ok() && structure.is_ok() {
        println!("The ledger is whole.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}
