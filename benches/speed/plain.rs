//! What the service is compared with: the same handlers with no authentication, policy, encryption or ledger. They stand
//! here and not in the product, in a process of their own, over a database of their own with as many rows.
//!
//! They log each request and give it an id in a task of its own, as the service does: that is none of the four.

use crate::Outcome;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool, Row as _};
use std::io::Write as _;
use std::str::FromStr as _;
use uuid::Uuid;

const TABLES: &str = "
    CREATE TABLE sections (
        id uuid PRIMARY KEY, case_id uuid NOT NULL, kind text NOT NULL, version bigint NOT NULL, content jsonb NOT NULL);
    CREATE UNIQUE INDEX sections_one ON sections (case_id, kind);
    CREATE TABLE log (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
        case_id uuid NOT NULL, what text NOT NULL);
    CREATE FUNCTION read_and_log(wanted uuid, of text) RETURNS TABLE (id uuid, version bigint, content jsonb)
        LANGUAGE sql VOLATILE AS $$
            INSERT INTO log (case_id, what) VALUES (wanted, 'read ' || of);
            SELECT s.id, s.version, s.content FROM sections s WHERE s.case_id = wanted AND s.kind = of
        $$";
const SELECT: &str = "SELECT id, version, content FROM sections WHERE case_id = $1 AND kind = $2";
const INSERT: &str = "INSERT INTO log (case_id, what) VALUES ($1, 'read ' || $2)";
const UPDATE: &str = "UPDATE sections SET version = version + 1, content = $4
                      WHERE case_id = $1 AND kind = $2 AND version = $3 RETURNING id, version";

/// Makes a database with a section for each of these cases and as many others as to hold `records`.
pub async fn make(superuser: &str, name: &str, cases: &[Uuid], text: &str, records: u32) -> Outcome {
    let server = PgConnectOptions::from_str(superuser)?;
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut server.connect().await?).await?;
    let mut own = server.database(name).connect().await?;
    sqlx::raw_sql(TABLES).execute(&mut own).await?;
    let insert = "INSERT INTO sections SELECT gen_random_uuid(), c, 'narrative', 1, $2 FROM unnest($1::uuid[]) c";
    let content = sqlx::types::Json(json!({ "text": text }));
    sqlx::query(insert).bind(cases).bind(&content).execute(&mut own).await?;
    let others = "INSERT INTO sections SELECT gen_random_uuid(), md5(n::text)::uuid, 'narrative', 1, $2
                  FROM generate_series(1, $1) n";
    sqlx::query(others).bind(i64::from(records)).bind(&content).execute(&mut own).await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut own).await?;
    Ok(())
}

/// The process of its own: serves, and says its address on standard output.
pub async fn serve(url: &str) -> Outcome {
    tracing_subscriber::fmt().json().with_writer(std::io::stderr).init();
    let options = PgConnectOptions::from_str(url)?.log_statements(tracing::log::LevelFilter::Off);
    let pool = PgPoolOptions::new().max_connections(16).connect_with(options).await?;
    let router = Router::new()
        .route("/selects/{case}/{kind}", get(selects).put(write))
        .route("/logs/{case}/{kind}", get(logs))
        .layer(middleware::from_fn(own_task))
        .layer(middleware::from_fn(answer))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    Ok(axum::serve(listener, router).await?)
}

async fn own_task(request: Request, next: Next) -> Response {
    let task = tokio::spawn(next.run(request));
    task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn answer(request: Request, next: Next) -> Response {
    let (id, method) = (himaya::platform::random::uuid().to_string(), request.method().clone());
    let mut response = next.run(request).await;
    if let Ok(value) = id.parse() {
        response.headers_mut().insert("x-request-id", value);
    }
    tracing::info!(request_id = %id, %method, status = response.status().as_u16(), "answered");
    response
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn failed(error: sqlx::Error) -> StatusCode {
    tracing::error!(%error, "the database");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn section(pool: &PgPool, case: Uuid, kind: &str) -> Result<Response, StatusCode> {
    let row = sqlx::query(SELECT).bind(case).bind(kind).fetch_optional(pool).await.map_err(failed)?;
    let row = row.ok_or(StatusCode::NOT_FOUND)?;
    let (id, version, content): (Uuid, i64, Value) = (row.get(0), row.get(1), row.get(2));
    let view = json!({ "id": id, "kind": kind, "version": version, "schema_version": 1, "content": content });
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(view)).into_response())
}

async fn selects(State(pool): State<PgPool>, Path((case, kind)): Path<(Uuid, String)>) -> Result<Response, StatusCode> {
    section(&pool, case, &kind).await
}

/// One durable row before anything is shown.
async fn logs(State(pool): State<PgPool>, Path((case, kind)): Path<(Uuid, String)>) -> Result<Response, StatusCode> {
    sqlx::query(INSERT).bind(case).bind(&kind).execute(&pool).await.map_err(failed)?;
    section(&pool, case, &kind).await
}

async fn write(
    State(pool): State<PgPool>,
    Path((case, kind)): Path<(Uuid, String)>,
    headers: HeaderMap,
    Json(content): Json<Value>,
) -> Result<Response, StatusCode> {
    let read = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let read: i64 = read.trim_matches('"').parse().map_err(|_| StatusCode::PRECONDITION_FAILED)?;
    let query = sqlx::query(UPDATE).bind(case).bind(&kind).bind(read).bind(sqlx::types::Json(content));
    let row = query.fetch_optional(&pool).await.map_err(failed)?.ok_or(StatusCode::PRECONDITION_FAILED)?;
    let (id, version): (Uuid, i64) = (row.get(0), row.get(1));
    let view = json!({ "id": id, "kind": kind, "version": version });
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(view)).into_response())
}
