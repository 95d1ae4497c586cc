//! The style sheet, the script and the icon: compiled in, named by what they hold, and so never out of date.

use super::refused::Refused;
use crate::guard::statement::hex;
use crate::platform::http::Lasting;
use crate::platform::problem::Problem;
use axum::Extension;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// Where they lie.
pub const AT: &str = "/files/{name}";

/// One of them.
pub struct File {
    path: String,
    kind: &'static str,
    text: &'static str,
}

impl File {
    fn new(ending: &str, kind: &'static str, text: &'static str) -> Self {
        let digest = hex(&Sha256::digest(text));
        let name = format!("{}.{ending}", digest.get(..20).unwrap_or(&digest));
        Self { path: AT.replace("{name}", &name), kind, text }
    }

    pub fn path(&self) -> &str {
        &self.path
    }
}

pub static STYLE: LazyLock<File> =
    LazyLock::new(|| File::new("css", "text/css; charset=utf-8", include_str!("pages/style.css")));
pub static SCRIPT: LazyLock<File> =
    LazyLock::new(|| File::new("js", "text/javascript; charset=utf-8", include_str!("pages/console.js")));
pub static ICON: LazyLock<File> = LazyLock::new(|| File::new("svg", "image/svg+xml", include_str!("pages/icon.svg")));

/// Gives one out.
pub async fn file(Path(name): Path<String>) -> Result<Response, Refused> {
    let asked = AT.replace("{name}", &name);
    let files: [&'static File; 3] = [&STYLE, &SCRIPT, &ICON];
    let absent = || Problem::new(StatusCode::NOT_FOUND, "no_such_route", "There is no such address.");
    let found = files.into_iter().find(|file| file.path() == asked).ok_or_else(absent)?;
    Ok((Extension(Lasting), [(header::CONTENT_TYPE, found.kind)], found.text).into_response())
}
