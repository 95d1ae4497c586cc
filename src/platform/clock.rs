//! The one clock. Times come in from outside so that a test can let a day pass; `clippy.toml` forbids the global ones.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Tells the time. Microseconds at the finest, as the database stores them.
#[derive(Clone, Default)]
pub struct Clock {
    shift_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// Now, in UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let shifted = Utc::now() + TimeDelta::seconds(self.shift_seconds.load(Ordering::Relaxed));
        DateTime::from_timestamp_micros(shifted.timestamp_micros()).unwrap_or(shifted)
    }

    /// Hours since 1970: all that a ledger leaf says of the time.
    #[must_use]
    pub fn hour(&self) -> i64 {
        self.now().timestamp().div_euclid(3600)
    }

    /// For how long something takes: never goes back.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.shift_seconds.load(Ordering::Relaxed).unsigned_abs())
    }

    /// By how much a test has let time pass: nothing otherwise.
    #[must_use]
    pub fn let_pass(&self) -> TimeDelta {
        TimeDelta::seconds(self.shift_seconds.load(Ordering::Relaxed))
    }

    /// Lets time pass, in tests.
    pub fn advance(&self, by: TimeDelta) {
        self.shift_seconds.fetch_add(by.num_seconds(), Ordering::Relaxed);
    }
}
