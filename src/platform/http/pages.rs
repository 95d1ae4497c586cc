//! The pages of a list.

use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use utoipa::ToSchema;
use uuid::Uuid;

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
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Send as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

    /// A cursor of several numbers: where the list goes on, in the order in which it is sorted.
    ///
    /// # Errors
    /// 422 for a cursor that this list never gave.
    pub fn after<const N: usize>(&self) -> Result<Option<[i64; N]>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let numbers: Result<Vec<i64>, _> = cursor.split('.').map(str::parse).collect();
        let place = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        place.map(Some).ok_or_else(|| Problem::field("cursor", "is not one of ours"))
    }

    /// A cursor that is the id of the last row: for rows that are never taken away.
    ///
    /// # Errors
    /// 422 for a cursor that this list never gave.
    pub fn after_id(&self) -> Result<Option<Uuid>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        cursor.parse().map(Some).map_err(|_| Problem::field("cursor", "is not one of ours"))
    }

    /// How many rows tell whether there is another page.
    #[must_use]
    pub fn most(&self) -> i64 {
        self.limit + 1
    }

    /// The page that a list of at most [`Self::most`] rows makes.
    pub fn page<T, C: Display>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> C) -> Listed<T> {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > most;
        items.truncate(most);
        let next = if more { items.last().map(|last| cursor(last).to_string()) } else { None };
        Listed { items, next }
    }
}

impl<T> Listed<T> {
    /// The same page of something else.
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(view).collect(), next: self.next }
    }

    /// [`Self::map`], unless one of them cannot be shown.
    ///
    /// # Errors
    /// That of the first.
    pub fn try_map<U, E>(self, view: impl FnMut(T) -> Result<U, E>) -> Result<Listed<U>, E> {
        let items = self.items.into_iter().map(view).collect::<Result<_, E>>()?;
        Ok(Listed { items, next: self.next })
    }
}
