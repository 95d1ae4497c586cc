//! `himaya serve`, and `himaya health`, which asks a running one.

use super::Outcome;
use himaya::platform::app::App;
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use himaya::platform::listen::Listening;
use himaya::platform::serve::{OperatorsDoor, Serving};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long the pools may take to close: a request that did not end in time may hold a connection.
const CLOSING: Duration = Duration::from_secs(5);

/// Waits for Ctrl-C, or to be told to end.
pub async fn until_told() {
    let mut terminate = signal(SignalKind::terminate()).ok();
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

pub async fn serve(config: &Path) -> Outcome {
    let app = App::start(Config::read(config)?, Clock::default()).await?;
    let about = |what: &str, error: std::io::Error| format!("{what} cannot be opened: {error}");
    let listening = Listening::at(&app.config.listen).await.map_err(|error| about("listen", error))?;
    let operators =
        TcpListener::bind(app.config.metrics_listen).await.map_err(|error| about("metrics_listen", error))?;
    let serving = Serving::start_configured(&app, listening)?;
    let operators = OperatorsDoor::open(&app, operators);
    tracing::info!(address = %app.config.listen, production = app.config.production, "serving");
    until_told().await;
    tracing::info!("ending: requests under way are finished first");
    serving.stop().await?;
    operators.close().await;
    if tokio::time::timeout(CLOSING, app.databases.close()).await.is_err() {
        tracing::warn!("a request was still under way at the end; nothing of it was stored halfway");
    }
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

/// Asks the running service whether it is ready, over its operators' listener: for a container's health check.
pub async fn health(config: &Path) -> Outcome {
    let mut address = Config::read(config)?.metrics_listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build()?;
    let answer = client.get(format!("http://{address}/ready")).send().await?;
    let ready = answer.status().is_success();
    println!("{}", answer.text().await?);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
