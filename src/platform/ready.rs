//! Whether the service can do its work now: alive is who answers at all, ready is who stands on everything it needs.
//!
//! A watch looks once a second and remembers; `/ready` only tells what it remembers, so that asking often costs nothing.

use crate::platform::problem::Problem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What was seen longer ago is not known any more: the watch itself hangs.
const FRESH: Duration = Duration::from_secs(15);

/// What the service stands on, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "seven facts that are seen apart, each called by its name")]
pub struct Standing {
    pub main: bool,
    pub erasure: bool,
    /// Some replica sequences the ledger.
    pub sequencer: bool,
    /// Entries have waited for their place for too long.
    pub behind: bool,
    /// Too few of those outside have seen the ledger.
    pub unwitnessed: bool,
    /// Two persons let some go on reading in spite of either.
    pub outage: bool,
    /// Its policy is not the one that was agreed to: it opens nothing but a repair.
    pub closed: bool,
}

/// Remembers what was seen, and that the service is ending.
#[derive(Default)]
pub struct Readiness {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    last: Option<(Instant, Standing)>,
    ending: bool,
}

impl Readiness {
    /// Told by the watch.
    pub fn saw(&self, standing: Standing, now: Instant) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).last = Some((now, standing));
    }

    /// From here on the service is not ready, whatever is seen.
    pub fn end(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ending = true;
    }

    /// Says "ready", or what keeps records closed while everything else goes on: then calls are written, and two who would
    /// propose an outage must be led here. In an outage, "outage".
    ///
    /// # Errors
    /// 503 with a code for the first thing without which nothing goes on.
    pub fn told(&self, now: Instant) -> Result<&'static str, Problem> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let not = |code, detail| Err(Problem::away(code, detail));
        if seen.ending {
            return not("ending", "The service is ending.");
        }
        match seen.last {
            Some((when, _)) if now.saturating_duration_since(when) > FRESH => {
                not("not_watched", "Nothing was seen for some seconds.")
            }
            None => not("starting", "The service has just started."),
            Some((_, Standing { main: false, .. })) => not("main_database_away", "The main database does not answer."),
            Some((_, Standing { erasure: false, .. })) => {
                not("erasure_store_away", "The erasure store does not answer.")
            }
            Some((_, Standing { closed: true, .. })) => {
                not("policy_not_agreed", "The policy of this process is not the one that two persons agreed to.")
            }
            Some((_, Standing { outage: true, .. })) => Ok("outage"),
            Some((_, Standing { behind: true, .. })) => Ok("ledger_behind"),
            Some((_, Standing { unwitnessed: true, .. })) => Ok("ledger_not_witnessed"),
            Some((_, Standing { sequencer: false, .. })) => Ok("no_sequencer"),
            Some(_) => Ok("ready"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(ready: &Readiness, now: Instant) -> &'static str {
        ready.told(now).unwrap_or_else(|problem| problem.code())
    }

    #[test]
    fn everything_is_needed_and_what_is_old_is_not_believed() {
        let (ready, now) = (Readiness::default(), Instant::now());
        assert_eq!(code(&ready, now), "starting");
        let well = Standing {
            main: true,
            erasure: true,
            sequencer: true,
            behind: false,
            unwitnessed: false,
            closed: false,
            outage: false,
        };
        for (standing, said) in [
            (Standing { main: false, ..well }, "main_database_away"),
            (Standing { erasure: false, ..well }, "erasure_store_away"),
            (Standing { sequencer: false, ..well }, "no_sequencer"),
            (Standing { behind: true, ..well }, "ledger_behind"),
            (Standing { unwitnessed: true, ..well }, "ledger_not_witnessed"),
            (Standing { closed: true, ..well }, "policy_not_agreed"),
            (Standing { behind: true, unwitnessed: true, outage: true, ..well }, "outage"),
            (Standing { behind: true, outage: true, closed: true, ..well }, "policy_not_agreed"),
            (Standing { behind: true, outage: true, sequencer: false, ..well }, "outage"),
            (well, "ready"),
        ] {
            ready.saw(standing, now);
            assert_eq!(code(&ready, now), said);
            // What keeps records closed keeps nobody from writing a call.
            let goes_on = standing.main && standing.erasure && !standing.closed;
            assert_eq!(ready.told(now).is_ok(), goes_on, "{said}");
        }
        assert_eq!(code(&ready, now + FRESH + Duration::from_secs(1)), "not_watched");
        ready.saw(well, now);
        ready.end();
        assert_eq!(code(&ready, now), "ending");
    }
}
