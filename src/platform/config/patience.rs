//! How long files may take on their way in and out. No setting: tests make it shorter.

use std::time::Duration;

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Patience {
    /// In so much time of waiting for it, a client that sends must bring [`Self::least`], or the end.
    pub window: Duration,
    /// In bytes.
    pub least: u64,
    /// How long an upload may take. A session ends when nothing is heard of it for twenty minutes.
    pub upload: Duration,
    /// How long one waits for a place that others have.
    pub wait: Duration,
    /// How long a file may be compared before it is given out.
    pub compare: Duration,
    /// How long the store of objects may be silent in the middle of an answer.
    pub store: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            least: 64 * 1024,
            upload: Duration::from_mins(15),
            wait: Duration::from_secs(10),
            compare: Duration::from_mins(15),
            store: Duration::from_secs(30),
        }
    }
}
