//! The command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line answers on the terminal")]

mod cli;

use clap::{Parser, Subcommand};
use cli::audit::{Audit, audit};
use cli::backup::{Backup, BringBack, backup, restore};
use cli::init::{Init, init};
use cli::keys::{Keys, keys};
use cli::oidc::{Oidc, oidc};
use cli::serve::until_told;
use cli::statistics::{Statistics, statistics};
use cli::witness::{Witness, witness};
use cli::{At, Outcome, doctor, serve};
use himaya::demo::{Demo, pages, stay, story, ways};
use himaya::guard::policy;
use himaya::platform::config::Config;
use himaya::platform::{db, router, secrets};
use std::path::PathBuf;
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
    Audit(Box<Audit>),
    /// Check or print the policy.
    #[command(subcommand)]
    Policy(Policy),
    /// Look after the keys, and the service's own secrets.
    #[command(subcommand)]
    Keys(Keys),
    /// What to do while the issuer who names people is lost.
    #[command(subcommand)]
    Oidc(Oidc),
    /// Watch a log from outside: no part of the service, and no database.
    #[command(subcommand)]
    Witness(Witness),
    /// Measure what the method of the statistics is worth, on people who do not exist.
    #[command(subcommand)]
    Statistics(Statistics),
    /// Print the API's document.
    Openapi,
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
enum Policy {
    /// Check the bundle and the reviewed matrix beside it.
    Check {
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
    /// Print the digest of the bundle, to which two responsible persons agree.
    Digest {
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
    /// Print the rules in which one bundle differs from another: what the two read before they agree.
    Diff { old: PathBuf, new: PathBuf },
    /// Say which policy was agreed to, and whether this bundle is.
    Agreed(At),
    /// Print the matrix that the bundle answers.
    Matrix {
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let level =
        if matches!(cli.command, Command::Serve(_) | Command::Witness(Witness::Serve(_))) { "info" } else { "warn" };
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
        Command::Audit(told) => audit(*told).await,
        Command::Policy(Policy::Check { folder }) => {
            let table = policy::check(&folder).await?;
            println!("The policy is whole: {} decisions, and the reviewed matrix is what it answers.", table.asked());
            println!("policy_sha256 = \"{}\"", himaya::guard::statement::hex(&table.hash()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy(Policy::Digest { folder }) => {
            println!("{}", himaya::guard::statement::hex(&policy::Bundle::of(&folder).await?.digest()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy(Policy::Diff { old, new }) => {
            print!("{}", policy::Bundle::of(&old).await?.difference(&policy::Bundle::of(&new).await?));
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy(Policy::Agreed(at)) => cli::policy::agreed(&at.config).await,
        Command::Policy(Policy::Matrix { folder }) => {
            print!("{}", policy::DecisionTable::from_dir(&folder).await?.matrix());
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(told) => keys(told).await,
        Command::Oidc(told) => oidc(&told),
        Command::Witness(told) => witness(told).await,
        Command::Statistics(told) => statistics(told),
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
    let played = story::play(&demo.country).await?;
    let played = stay::play(&demo.country, played).await?;
    let played = ways::play(&demo.country, played).await?;
    println!("\nThe story, played over HTTP:");
    for line in &played.lines {
        println!("{line}");
    }
    println!("\nSign-ins (role, name, passphrase; new at each run):\n{}", demo.sign_ins());
    println!(
        "Open {0}{1} and try every role. Serving on {0} (API document: {0}/api/openapi.json). Ctrl-C ends it and removes everything.",
        demo.address,
        pages::AT
    );
    if !once {
        until_told().await;
    }
    demo.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(told: &Migrate) -> Outcome {
    let config = Config::read(&told.at.config)?;
    match secrets::complete(&config.secrets) {
        Ok(false) => {}
        Ok(true) => {
            println!("The secret `vouch` has a file of its own now: keep a copy of it, and hand it to the service.");
        }
        Err(error) => {
            println!("The secret `vouch` got no file of its own yet, and follows from `ledger` as before: {error}.");
        }
    }
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
