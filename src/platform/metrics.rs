//! What the operator's machines may count: every metric there is, each by a function, so that nothing else becomes a
//! label. Labels are a route's pattern, a method, a class of status, and a witness's name in the configuration; never an id, a handle, an address or a word that
//! somebody sent.

use axum::http::{Method, StatusCode};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

const REQUESTS: &str = "himaya_requests_total";
const REQUEST_SECONDS: &str = "himaya_request_seconds";
const ENTRIES: &str = "himaya_ledger_entries_total";
const BATCH: &str = "himaya_ledger_batch_entries";
const FAILED: &str = "himaya_ledger_failures_total";
const BACKLOG: &str = "himaya_ledger_backlog_seconds";
const BEHIND: &str = "himaya_ledger_behind";
const COSIGNED: &str = "himaya_witness_cosigned_timestamp_seconds";
const UNWITNESSED: &str = "himaya_ledger_unwitnessed";
const OUTAGES: &str = "himaya_ledger_outages";
const IN_OUTAGE: &str = "himaya_ledger_outage_reads_total";
const REFUSED: &str = "himaya_refusals_total";
const BUSY: &str = "himaya_passphrase_pool_busy_total";
const TOO_MANY: &str = "himaya_too_many_tries_total";
const SWEEPS: &str = "himaya_sweeps_total";
const SWEPT: &str = "himaya_sweep_erased_total";
const ALARMS: &str = "himaya_sweep_alarms_total";
const ROUNDS: &str = "himaya_timekeeper_rounds_total";
const RAISED: &str = "himaya_alerts_raised_total";
const SUSPECTED: &str = "himaya_snooping_told_total";
const MAIN: &str = "himaya_main_database_up";
const ERASURE: &str = "himaya_erasure_store_up";
const SEQUENCER: &str = "himaya_sequencer_up";

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// The one recorder of this process; made by whoever comes first.
pub fn recorder() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let seconds = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &seconds)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(BATCH.to_owned()), &sizes))
            .unwrap_or_default()
            .build_recorder();
        let handle = recorder.handle();
        // Somebody else's recorder would count instead; nobody installs one.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    })
}

fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by route, method and class of status");
    describe_histogram!(REQUEST_SECONDS, "How long requests took, by route and method");
    describe_counter!(ENTRIES, "Entries made durable in the ledger");
    describe_histogram!(BATCH, "Entries of waiting reads that were committed together");
    describe_counter!(FAILED, "Batches of entries that were not written; what waited for them was not shown");
    describe_gauge!(BACKLOG, "For how long the oldest entry has waited for its place in the tree");
    describe_gauge!(BEHIND, "1 while no record is opened because entries wait too long");
    describe_gauge!(COSIGNED, "When each witness last cosigned a checkpoint, in seconds since 1970; 0 for never");
    describe_gauge!(UNWITNESSED, "1 while no record is opened because too few witnesses see the ledger");
    describe_gauge!(
        OUTAGES,
        "Outages that two persons opened and that count now: some go on reading in spite of the ledger"
    );
    describe_counter!(IN_OUTAGE, "Reads of records that an outage allowed");
    describe_counter!(REFUSED, "Requests that the policy refused");
    describe_counter!(SUSPECTED, "Days of people, unlike others of their role, that the auditors were told of");
    describe_counter!(BUSY, "Sign-ins and enrolments that were told to come back: the passphrase pool was full");
    describe_counter!(TOO_MANY, "Tries at the door that were refused because there were too many");
    describe_counter!(SWEEPS, "Sweeps of the erasure store that were done here");
    describe_counter!(SWEPT, "Erasure keys that belonged to nothing, or had come back, and were erased");
    describe_counter!(ALARMS, "Sweeps that stopped because too many keys seemed to belong to nothing");
    describe_counter!(ROUNDS, "Times that this process looked at the clocks");
    describe_counter!(RAISED, "Alerts that this process raised");
    describe_gauge!(MAIN, "1 while the main database answers");
    describe_gauge!(ERASURE, "1 while the erasure store answers");
    describe_gauge!(SEQUENCER, "1 while some replica sequences the ledger");
}

/// A request was answered. The pattern is the router's own text; a method that HTTP does not define is `other`, or else
/// a client could make labels.
pub fn answered(route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
    let route = route.unwrap_or("none").to_owned();
    let known = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::OPTIONS];
    let method = if known.contains(method) { method.as_str().to_owned() } else { "other".to_owned() };
    let class = match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS, "route" => route.clone(), "method" => method.clone(), "status" => class).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route, "method" => method).record(took.as_secs_f64());
}

/// Entries became durable, or will with their transaction.
pub fn entered(entries: usize) {
    counter!(ENTRIES).increment(entries as u64);
}

/// A batch of waiting reads was committed, or failed.
pub fn batch(entries: usize, written: bool) {
    if written {
        histogram!(BATCH).record(f64::from(u32::try_from(entries).unwrap_or(u32::MAX)));
    } else {
        counter!(FAILED).increment(1);
    }
}

/// How far the sequencer is behind.
pub fn backlog(oldest: Duration, behind: bool) {
    gauge!(BACKLOG).set(oldest.as_secs_f64());
    gauge!(BEHIND).set(f64::from(u8::from(behind)));
}

/// When a witness last cosigned. Its name is the configuration's.
pub fn cosigned(witness: &str, timestamp: i64) {
    // Exact in a float for longer than there will be clocks.
    gauge!(COSIGNED, "witness" => witness.to_owned()).set(f64::from(u32::try_from(timestamp).unwrap_or(u32::MAX)));
}

/// Whether too few witnesses see the ledger.
pub fn unwitnessed(unwitnessed: bool) {
    gauge!(UNWITNESSED).set(f64::from(u8::from(unwitnessed)));
}

/// The policy refused something.
pub fn refused() {
    counter!(REFUSED).increment(1);
}

/// Days of people that the auditors were told of.
pub fn suspected(days: u64) {
    counter!(SUSPECTED).increment(days);
}

/// The passphrase pool was full.
pub fn busy() {
    counter!(BUSY).increment(1);
}

/// A try was refused because there were too many.
pub fn too_many_tries() {
    counter!(TOO_MANY).increment(1);
}

/// A sweep was done.
pub fn swept(erased: u64) {
    counter!(SWEEPS).increment(1);
    counter!(SWEPT).increment(erased);
}

/// A sweep found too much to erase.
pub fn sweep_alarm() {
    counter!(ALARMS).increment(1);
}

/// The clocks were looked at.
pub fn looked_at_the_clocks(raised: u64) {
    counter!(ROUNDS).increment(1);
    counter!(RAISED).increment(raised);
}

/// What the service stands on.
pub fn standing(main: bool, erasure: bool, sequencer: bool) {
    for (name, up) in [(MAIN, main), (ERASURE, erasure), (SEQUENCER, sequencer)] {
        gauge!(name).set(f64::from(u8::from(up)));
    }
}

/// So many outages count now.
pub fn outages(open: usize) {
    gauge!(OUTAGES).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
}

/// A record is read that only an outage opens.
pub fn read_in_outage() {
    counter!(IN_OUTAGE).increment(1);
}
