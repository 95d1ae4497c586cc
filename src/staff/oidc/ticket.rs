//! A ticket stands for the name at one sign-in. It is looked at first, and used up in the transaction that stores the session.

use super::store;
use crate::guard::record::AccountId;
use crate::guard::statement::hex;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use crate::staff::factors::{Denied, wrong_words};
use crate::staff::issued::Kind;
use crate::staff::limits::{self, Taken, Tries};
use crate::staff::model::SignIn;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

/// What was shown in the place of the name.
#[derive(Clone, Copy)]
pub struct Ticket([u8; 32]);

impl Ticket {
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Puts the name into what was sent that its ticket stands for. A ticket of nobody stands for a name that nobody has, so that it takes the
/// same way to the same answer.
///
/// Only a ticket that the door gave out is looked up, and it has a budget.
///
/// # Errors
/// 422 when there is both, or neither; 429 when this ticket was tried too often.
pub async fn named(app: &App, given: &mut SignIn, taken: &mut Vec<Taken>) -> Result<Option<Ticket>, Problem> {
    let Some(text) = given.named.take() else {
        if given.handle.is_empty() {
            return Err(Problem::field("handle", "is needed, or `named` in its place"));
        }
        return Ok(None);
    };
    if !given.handle.is_empty() {
        return Err(Problem::field("named", "stands in the place of `handle`: leave one of the two out"));
    }
    let ticket = Ticket::of(&text);
    let mut found = None;
    if app.oidc.is_some() && app.issued.knows(Kind::Ticket, &text) {
        taken.push(limits::take(app, Tries::With(&ticket.0)).await?);
        found = store::handle_of_ticket(&app.databases.door, &ticket.0, app.places.clock.now()).await?;
    }
    // No handle holds a colon.
    given.handle = found.unwrap_or_else(|| format!("ticket:{}", hex(ticket.0.split_at(16).0)));
    Ok(Some(ticket))
}

/// Whether somebody who comes in was named as they have to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    Enough,
    /// The issuer is lost, and the operator has said that they come in without.
    LeftOut,
}

/// Uses the ticket up; without one, asks whether this account is linked where the configuration wants to be told the name by the issuer.
pub async fn redeem(
    app: &App,
    connection: &mut PgConnection,
    account: AccountId,
    ticket: Option<Ticket>,
    now: DateTime<Utc>,
) -> Result<Naming, Denied> {
    let Some(ticket) = ticket else {
        // A link to an issuer that was configured before keeps nobody out.
        if let Some(issuer) = app.oidc.as_ref().filter(|oidc| oidc.is_required()) {
            let names = issuer.issuer_names().map_err(Problem::from)?;
            if store::is_linked(connection, account, &names).await? {
                return match issuer.outage(now) {
                    Some(until) => {
                        tracing::error!(%until, "ALARM: somebody comes in without being named by the issuer, as the operator has said");
                        Ok(Naming::LeftOut)
                    }
                    // The words were right: nothing was guessed.
                    None => Err(Denied::uncounted(needed())),
                };
            }
        }
        return Ok(Naming::Enough);
    };
    if store::use_ticket(connection, &ticket.0, account, now).await? {
        Ok(Naming::Enough)
    } else {
        Err(Denied::wrong(wrong_words()))
    }
}

fn needed() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "naming_needed",
        "Here the issuer names you first: begin with /api/v1/oidc/sign-ins, then send the same again with `named` in the place of \
         `handle`.",
    )
}
