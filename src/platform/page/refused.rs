//! What the API refuses, for a page: the document that every client gets, said in the person's language.

use super::Layout;
use crate::platform::problem::{Problem, ProblemDocument};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The codes that have words of their own (`problem-…`). Any other is a general sentence with the request's id.
pub const SAID: [&str; 45] = [
    "accommodation_unfit",
    "address_held_by_others",
    "already_on_case",
    "another_account",
    "barred",
    "busy",
    "care_would_be_lost",
    "case_busy",
    "changed_meanwhile",
    "database_away",
    "handle_taken",
    "idempotency_key_reused",
    "illegal_transition",
    "in_progress",
    "invalid",
    "lapsed",
    "ledger_away",
    "no_address",
    "no_consent",
    "no_free_place",
    "no_review_key",
    "no_such_method",
    "no_such_route",
    "nobody_to_bring",
    "nobody_trained",
    "nobody_would_remain",
    "not_found",
    "not_from_here",
    "not_your_work",
    "own_favour",
    "proposed_already",
    "same_person",
    "second_factor_needed",
    "sharing_refused",
    "shelter_not_reachable",
    "sign_in",
    "signing_in_busy",
    "squad_not_reachable",
    "standing_in",
    "too_fast",
    "too_large",
    "too_many_tasks",
    "too_many_tries",
    "wrong_credentials",
    "wrong_second_factor",
];

/// A refusal on its way to a page.
#[derive(Clone)]
pub struct Refused(Box<ProblemDocument>);

impl Refused {
    pub(super) fn of(document: ProblemDocument) -> Self {
        Self(Box::new(document))
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The problem's stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The fields that are not right, as the API names them.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.errors.iter().map(|error| error.field.as_str())
    }

    /// To be told on the telephone when asking for help; empty where there is none.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// What is the matter, in the language of the page.
    #[must_use]
    pub fn words(&self, page: &Layout) -> String {
        let known = SAID.iter().find(|code| **code == self.code());
        known.map_or_else(|| page.say("problem-other"), |code| page.say(&format!("problem-{code}")))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::of(problem.document(""))
    }
}

impl IntoResponse for Refused {
    /// The door renders it: only that knows the language, and what was typed.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
