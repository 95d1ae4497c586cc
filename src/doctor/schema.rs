//! What the tables are: those of this version, with row-level security on every one that needs it.

use super::{Findings, store};
use crate::guard::columns::{CLEAR, SEALED};
use sqlx::PgConnection;
use sqlx::migrate::{Migrate as _, Migrator};
use std::collections::BTreeSet;

/// Tables without a person's or a case's rows: the sequencer's own, and the migrations'.
pub const WITHOUT_ROW_SECURITY: [&str; 7] = [
    "_sqlx_migrations",
    "ledger_checkpoints",
    "ledger_cosignatures",
    "ledger_lanes",
    "ledger_nodes",
    "ledger_pending",
    "ledger_tree",
];

/// What the erasure store holds.
const ERASURE_COLUMNS: [&str; 7] = [
    "keys.created_at",
    "keys.key",
    "keys.key_id",
    "suspects.key_id",
    "suspects.noted_at",
    "tombstones.erased_at",
    "tombstones.key_id",
];

pub(super) static MAIN: Migrator = sqlx::migrate!("migrations/main");
pub(super) static ERASURE: Migrator = sqlx::migrate!("migrations/erasure");

pub(super) async fn examine(findings: &mut Findings, connection: &mut PgConnection) {
    match store::without_row_security(connection).await {
        Ok(open) => {
            let open: Vec<_> = open.iter().filter(|table| !WITHOUT_ROW_SECURITY.contains(&table.as_str())).collect();
            let wrong: Vec<String> = open
                .iter()
                .map(|table| {
                    format!(
                        "{table} is open: as the migrator, ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL \
                         SECURITY, and find out who changed it"
                    )
                })
                .collect();
            findings.judge("row-level security", "is enabled and forced on every table that needs it", &wrong);
        }
        Err(error) => findings.wrong("row-level security", format!("cannot be seen: {error}")),
    }
    let clear = CLEAR.iter().flat_map(|(table, columns)| columns.iter().map(move |column| (table, column)));
    let known = clear.chain(SEALED.iter().map(|(table, column)| (table, column)));
    let known = known.map(|(table, column)| format!("{table}.{column}")).collect();
    columns(findings, "main schema", "public", &known, connection).await;
}

pub(super) async fn erasure(findings: &mut Findings, connection: &mut PgConnection) {
    let known = ERASURE_COLUMNS.map(str::to_owned).into();
    columns(findings, "erasure schema", "erasure", &known, connection).await;
}

async fn columns(
    findings: &mut Findings,
    about: &str,
    schema: &str,
    known: &BTreeSet<String>,
    connection: &mut PgConnection,
) {
    match store::columns(connection, schema).await {
        Ok(found) => {
            let found: BTreeSet<String> = found.into_iter().collect();
            let some =
                |names: Vec<&String>| names.into_iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let missing: Vec<_> = known.difference(&found).collect();
            let unknown: Vec<_> = found.difference(known).collect();
            let mut wrong = Vec::new();
            if !missing.is_empty() {
                wrong.push(format!("{} and more are not there: run `himaya migrate`", some(missing)));
            }
            if !unknown.is_empty() {
                wrong.push(format!(
                    "{} and more are not of this version: is this program older than the database?",
                    some(unknown)
                ));
            }
            findings.judge(about, "has the columns of this version", &wrong);
        }
        Err(error) => findings.wrong(about, format!("cannot be seen: {error}")),
    }
}

/// Whether each migration of this version was run, and as it was published: only the migrator may ask that.
pub(super) async fn migrations(
    findings: &mut Findings,
    field: &str,
    migrator: &Migrator,
    connection: &mut PgConnection,
) {
    let about = format!("{field}: migrations");
    match connection.list_applied_migrations("_sqlx_migrations").await {
        Ok(applied) => {
            let wrong: Vec<String> = migrator
                .iter()
                .filter_map(|wanted| match applied.iter().find(|done| done.version == wanted.version) {
                    None => Some(format!("{} was not run: run `himaya migrate`", wanted.version)),
                    Some(done) if done.checksum != wanted.checksum => Some(format!(
                        "{} was run in another form: this is not the database of this program",
                        wanted.version
                    )),
                    Some(_) => None,
                })
                .collect();
            findings.judge(&about, "all were run, as published", &wrong);
        }
        Err(error) => findings.wrong(about, format!("cannot be seen ({error}): run `himaya migrate`")),
    }
}
