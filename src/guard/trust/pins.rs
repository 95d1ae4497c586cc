//! The file of pins: one fingerprint of a founding statement (64 hexadecimal digits, blanks between them or not) a line;
//! `#` begins a comment.
//!
//! The operator of the service writes it by hand. It is read again when it has changed, so a pin that is added or taken
//! away counts from the next request on; while it cannot be read, nobody is pinned.

use crate::guard::statement::unhex;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(super) struct Pins {
    file: PathBuf,
    read: Mutex<(Option<Stamp>, HashSet<[u8; 32]>)>,
}

/// What changes when the file does: its node, its size, and when it was last written (seconds, nanoseconds).
type Stamp = (u64, u64, i64, i64);

impl Pins {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, read: Mutex::default() }
    }

    /// Whether this fingerprint is pinned now.
    pub(super) fn hold(&self, fingerprint: &[u8; 32]) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.file);
        if stamp.is_none() || read.0 != stamp {
            // The stamp is from before the reading: what is written meanwhile is read the next time.
            *read = (stamp, stamp.and_then(|_| pins(&self.file)).unwrap_or_default());
        }
        read.1.contains(fingerprint)
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(file).ok()?;
    Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

fn pins(file: &Path) -> Option<HashSet<[u8; 32]>> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut pins = HashSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let digits: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        match unhex(&digits.to_ascii_lowercase()) {
            Ok(pin) => {
                pins.insert(pin);
            }
            Err(_) if digits.is_empty() => {}
            Err(_) => tracing::warn!(number, "a line of the file of pins is no fingerprint: 64 hexadecimal digits"),
        }
    }
    Some(pins)
}

/// Why a file of pins is not one.
#[derive(Debug, thiserror::Error)]
pub enum PinFault {
    #[error("is {}, which cannot be read ({source}): nobody would be vouched for", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("is {}, whose line {line} is no fingerprint: write 64 hexadecimal digits, and comments after `#`", file.display())]
    Line { file: PathBuf, line: usize },
}

/// Every fingerprint in a file of pins, in which each line must be one. While serving, a line that is none just pins nobody.
///
/// # Errors
/// [`PinFault`] with the line.
pub fn pinned(file: &Path) -> Result<Vec<[u8; 32]>, PinFault> {
    let text =
        std::fs::read_to_string(file).map_err(|source| PinFault::Unreadable { file: file.to_owned(), source })?;
    let mut found = Vec::new();
    for (above, line) in text.lines().enumerate() {
        let said = line.split('#').next().unwrap_or_default().trim();
        if !said.is_empty() {
            let fault = |_| PinFault::Line { file: file.to_owned(), line: above + 1 };
            found.push(unhex(said).map_err(fault)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_counts_from_when_it_is_written_until_it_is_taken_away() {
        let file = std::env::temp_dir().join(format!("himaya-pins-{}", crate::platform::random::uuid()));
        let (one, other) = ("01".repeat(32), "02".repeat(32));
        let pins = Pins::new(file.clone());
        assert!(!pins.hold(&[1; 32]), "there is no file");
        std::fs::write(&file, format!("# comment\n{one}  # squad\nnonsense\n")).unwrap();
        assert!(pins.hold(&[1; 32]) && !pins.hold(&[2; 32]));
        std::fs::write(&file, format!("{one}\n{other}\n")).unwrap();
        assert!(pins.hold(&[1; 32]) && pins.hold(&[2; 32]));
        std::fs::write(&file, format!("{other}\n")).unwrap();
        assert!(!pins.hold(&[1; 32]) && pins.hold(&[2; 32]));
        std::fs::remove_file(&file).unwrap();
        assert!(!pins.hold(&[2; 32]));
    }
}
