//! What each role may do: its own work, and nothing else.

use super::{Findings, store};
use sqlx::PgConnection;

/// What a role is, and what it must never be able to do.
struct Rule {
    field: &'static str,
    role: &'static str,
    /// Tables, or columns of one (`schema.table.column`), of which it may not read anything.
    never_reads: &'static [&'static str],
    /// Whether it may change rows at all.
    writes: bool,
}

const RULES: [Rule; 8] = [
    Rule {
        field: "database.app",
        role: "himaya_app",
        never_reads: &[
            "public.sessions",
            "public.credential_slots",
            "public.totp_secrets",
            "public.known_devices",
            "public.sign_in_tries",
            "public.oidc_links",
            "public.oidc_attempts",
            "public.oidc_tickets",
            "public.ledger_entries",
            "public.ledger_detail_keys",
        ],
        writes: true,
    },
    Rule {
        field: "database.door",
        role: "himaya_door",
        never_reads: &[
            "public.sealed",
            "public.wraps",
            "public.shared_key_wraps",
            "public.calls",
            "public.notices",
            "public.cases",
            "public.sections",
            "public.attachments",
            "public.ledger_entries",
        ],
        writes: true,
    },
    Rule {
        field: "database.sequencer",
        role: "himaya_sequencer",
        never_reads: &[
            "public.sealed",
            "public.wraps",
            "public.sessions",
            "public.calls",
            "public.cases",
            "public.attachments",
        ],
        writes: true,
    },
    Rule {
        field: "database.auditor",
        role: "himaya_auditor",
        never_reads: &[
            "public.wraps",
            "public.shared_key_wraps",
            "public.sessions",
            "public.credential_slots",
            "public.totp_secrets",
        ],
        writes: false,
    },
    Rule {
        field: "database.sweeper",
        role: "himaya_sweeper",
        never_reads: &[
            "public.sealed",
            "public.wraps",
            "public.accounts",
            "public.sessions",
            "public.calls",
            "public.attachments",
        ],
        writes: false,
    },
    Rule {
        field: "database.timekeeper",
        role: "himaya_timekeeper",
        never_reads: &[
            "public.sealed",
            "public.wraps",
            "public.accounts",
            "public.sessions",
            "public.calls",
            "public.notices",
            "public.cases",
            "public.tasks",
            "public.alerts",
        ],
        writes: false,
    },
    Rule { field: "database.erasure", role: "himaya_app", never_reads: &[], writes: true },
    Rule {
        field: "database.erasure_sweeper",
        role: "himaya_sweeper",
        never_reads: &["erasure.keys.key"],
        writes: true,
    },
];

/// Asks the database what the role of this connection may do.
pub(super) async fn examine(findings: &mut Findings, field: &str, connection: &mut PgConnection) {
    match faults(field, connection).await {
        Ok(faults) => findings.judge(field, "logs in, and can do its own work only", &faults),
        Err(error) => findings.wrong(field, format!("does not answer what its role may do: {error}")),
    }
}

async fn faults(field: &str, connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let own = store::role(connection).await?;
    let mut faults = Vec::new();
    for power in &own.powers {
        faults.push(format!("the role {0} is {power}: as a superuser, ALTER ROLE {0} NO{power}", own.name));
    }
    // The migrator changes the schema in the owner's name; it never serves a request.
    let migrates = field.ends_with("migrator");
    let Some(rule) = RULES.iter().find(|rule| rule.field == field) else {
        if migrates && own.name != "himaya_migrator" {
            faults.push(format!("logs in as {} and not as himaya_migrator", own.name));
        }
        return Ok(faults);
    };
    if own.name != rule.role {
        faults.push(format!("logs in as {} and not as {}", own.name, rule.role));
    }
    if own.powers.iter().any(|power| power == "SUPERUSER") {
        // It may do everything; the rest would only repeat that.
        return Ok(faults);
    }
    if !own.member_of.is_empty() {
        let of = own.member_of.join(", ");
        faults.push(format!("may act as {of}: REVOKE {of} FROM {}", own.name));
    }
    if own.owns || own.makes_tables {
        faults.push("owns or makes tables: tables belong to himaya_owner, and only the migrator makes them".to_owned());
    }
    if !own.empties.is_empty() {
        faults.push(format!("may TRUNCATE {}", own.empties.join(", ")));
    }
    let readable = store::reads(connection, rule.never_reads).await?;
    if !readable.is_empty() {
        faults.push(format!("reads {}: REVOKE SELECT from {}", readable.join(", "), own.name));
    }
    if !rule.writes && !own.changes.is_empty() {
        faults.push(format!("changes {}: it only reads", own.changes.join(", ")));
    }
    Ok(faults)
}
