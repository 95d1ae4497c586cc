//! The command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line answers on the terminal")]

use clap::{Parser, Subcommand};
use himaya::audit::verify;
use himaya::demo::{Demo, story};
use himaya::guard::policy;
use himaya::platform::app::App;
use himaya::platform::clock::Clock;
use himaya::platform::config::{Config, Secrets};
use himaya::platform::serve::Serving;
use himaya::platform::{db, router};
use himaya::setup::{self, Plan};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::net::TcpListener;

type Outcome = Result<ExitCode, Box<dyn Error>>;

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
    /// Bring both databases to this version's schema.
    Migrate(At),
    /// Set up roles, databases, secrets and the first organisation on an empty PostgreSQL.
    Init {
        /// Address of a superuser, used once: `postgres://user:password@host/postgres`
        #[arg(long, env = "HIMAYA_SUPERUSER_URL", hide_env_values = true)]
        superuser_url: String,
        /// Where configuration, secrets and pins go.
        #[arg(long)]
        folder: PathBuf,
        /// Where the policies lie.
        #[arg(long, default_value = "policies")]
        policies: PathBuf,
        /// Handles of the first three administrators.
        #[arg(long, num_args = 3, value_names = ["FIRST", "SECOND", "THIRD"])]
        administrators: Vec<String>,
    },
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
        Command::Serve(at) => serve(&at.config).await,
        Command::Migrate(at) => migrate(&at.config).await,
        Command::Init { superuser_url, folder, policies, administrators } => {
            init(superuser_url, folder, policies, administrators).await
        }
        Command::Audit(Audit::Verify { at, checkpoint, records }) => audit(&at.config, &checkpoint, records).await,
        Command::Policy(Policy::Check { folder }) => {
            let table = policy::check(&folder).await?;
            println!("The policy is whole: {} decisions, and the reviewed matrix is what it answers.", table.asked());
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

async fn until_told() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match terminate.as_mut() {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
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

async fn serve(config: &Path) -> Outcome {
    let app = App::start(Config::read(config)?, Clock::default()).await?;
    let listener = TcpListener::bind(app.config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let serving = Serving::start(&app, listener);
    until_told().await;
    serving.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(config: &Path) -> Outcome {
    let config = Config::read(config)?;
    let named = |url: Option<String>, field| url.ok_or_else(|| format!("the configuration has no {field}"));
    let main = named(config.database.migrator, "database.migrator")?;
    let erasure = named(config.database.erasure_migrator, "database.erasure_migrator")?;
    db::migrate(&main, &erasure).await?;
    println!("Both databases have this version's schema.");
    Ok(ExitCode::SUCCESS)
}

async fn init(superuser: String, folder: PathBuf, policies: PathBuf, names: Vec<String>) -> Outcome {
    let administrators: [String; 3] = if names.is_empty() {
        himaya::demo::country::ADMINISTRATORS.map(str::to_owned)
    } else {
        names.try_into().map_err(|_| "three administrators are needed")?
    };
    std::fs::create_dir_all(&folder)?;
    let plan = Plan { superuser, folder, policies, database: "himaya".to_owned(), administrators };
    let founded = setup::init(&plan, &Clock::default()).await?;
    println!("Set up. The configuration is {}.", founded.config_file.display());
    println!("Hand each of these people their one-time code; each makes keys with it at the first sign-in:");
    for (handle, _, code) in &founded.codes {
        println!("  {handle:<14} {code}");
    }
    println!("Then two of them found the organisation {} and you pin its fingerprint in", founded.organisation);
    println!("{} (README, \"Founding\").", founded.config.pins.display());
    Ok(ExitCode::SUCCESS)
}

async fn sweep(config: &Path, however_many: bool) -> Outcome {
    let databases = db::connect(&Config::read(config)?.database).await?;
    match databases.sweeper.sweep(however_many).await? {
        None => println!("A running service is sweeping at this moment."),
        Some(swept) => println!(
            "{} keys looked at: {} belong to no record, {} of them were erased; {} had come back and were erased again. {} \
             wraps had ended and were deleted.",
            swept.looked_at, swept.orphans, swept.erased, swept.again, swept.ended
        ),
    }
    Ok(ExitCode::SUCCESS)
}

async fn audit(config: &Path, saved: &[PathBuf], records: bool) -> Outcome {
    let config = Config::read(config)?;
    let secrets = Secrets::read(&config.secrets)?;
    let saved = saved.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let databases = db::connect(&config.database).await?;
    let key = secrets.ledger.verifying_key();
    let report = verify::verify(&databases.auditor, &key, &config.log_origin, &saved, records).await?;
    println!(
        "{} entries, {} in the tree, {} waiting; {} checkpoints, {} records and {} rows compared.",
        report.entries, report.leaves, report.unsequenced, report.checkpoints, report.records, report.rows
    );
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
    if report.ok() {
        println!("The ledger is whole.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}
