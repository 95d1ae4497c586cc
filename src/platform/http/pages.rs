//! The pages of a list.

use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of a list: where to go on, and how much at most.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 100; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<i64>,
}

/// A list's page as it is sent.
#[derive(Serialize, ToSchema)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Send as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The page asked for, checked.
pub struct Paged {
    pub limit: i64,
    pub cursor: Option<String>,
}

impl FromRequestParts<App> for Paged {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Query(page) = Query::<Page>::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::field("query", "takes `cursor` and `limit` and nothing else"))?;
        let limit = page.limit.unwrap_or(50);
        if !(1..=100).contains(&limit) {
            return Err(Problem::field("limit", "is a number from 1 to 100"));
        }
        if page.cursor.as_ref().is_some_and(|cursor| cursor.len() > 200) {
            return Err(Problem::field("cursor", "is not one of ours"));
        }
        Ok(Self { limit, cursor: page.cursor.filter(|cursor| !cursor.is_empty()) })
    }
}

impl Paged {
    /// A cursor that is a number: the list goes down from it.
    ///
    /// # Errors
    /// 422 for a cursor that this list never gave.
    pub fn before(&self) -> Result<i64, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(i64::MAX) };
        cursor.parse().map_err(|_| Problem::field("cursor", "is not one of ours"))
    }

    /// The page that a list of at most `limit + 1` rows makes.
    pub fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> i64) -> Listed<T> {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > most;
        items.truncate(most);
        let next = if more { items.last().map(|last| cursor(last).to_string()) } else { None };
        Listed { items, next }
    }
}
