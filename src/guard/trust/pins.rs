//! The file of pins: one fingerprint of a founding statement (64 hexadecimal digits, blanks between them or not) a line;
//! `#` begins a comment. `former` before it says that another founding follows this one: it vouches for nobody any more, but is
//! needed to check what was signed while it did.
//!
//! The operator of the service writes it by hand. It is read again when it has changed, so a pin that is added or taken
//! away counts from the next request on; while it cannot be read, nobody is pinned.

use crate::guard::statement::{StatementError, unhex};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(super) struct Pins {
    file: PathBuf,
    read: Mutex<(Option<Stamp>, Known)>,
}

/// The fingerprints, and whether each is a former one.
type Known = HashMap<[u8; 32], bool>;

/// What changes when the file does: its node, its size, and when it was last written (seconds, nanoseconds).
type Stamp = (u64, u64, i64, i64);

impl Pins {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, read: Mutex::default() }
    }

    /// Whether this fingerprint is pinned now, or, where that is asked, as a former one.
    pub(super) fn hold(&self, fingerprint: &[u8; 32], or_formerly: bool) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.file);
        if stamp.is_none() || read.0 != stamp {
            // The stamp is from before the reading: what is written meanwhile is read the next time.
            *read = (stamp, stamp.and_then(|_| pins(&self.file)).unwrap_or_default());
        }
        read.1.get(fingerprint).is_some_and(|former| !former || or_formerly)
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(file).ok()?;
    Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

fn pins(file: &Path) -> Option<Known> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut pins = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        match pin(line) {
            // Once former, always former: a line that was left behind does not bring it back.
            Ok(Some(Pin { fingerprint, former })) => *pins.entry(fingerprint).or_default() |= former,
            Ok(None) => {}
            Err(_) => tracing::warn!(number, "a line of the file of pins is no fingerprint: 64 hexadecimal digits"),
        }
    }
    Some(pins)
}

/// A line of the file of pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    pub fingerprint: [u8; 32],
    /// Another founding follows it.
    pub former: bool,
}

/// What a line says; nothing where it is empty or only a comment.
fn pin(line: &str) -> Result<Option<Pin>, StatementError> {
    let said = line.split('#').next().unwrap_or_default().trim();
    let (former, digits) = match said.strip_prefix("former") {
        Some(rest) if rest.starts_with(char::is_whitespace) => (true, rest),
        _ => (false, said),
    };
    let digits: String = digits.split_whitespace().collect();
    if digits.is_empty() && !former {
        return Ok(None);
    }
    Ok(Some(Pin { fingerprint: unhex(&digits.to_ascii_lowercase())?, former }))
}

/// Why a file of pins is not one.
#[derive(Debug, thiserror::Error)]
pub enum PinFault {
    #[error("is {}, which cannot be read ({source}): nobody would be vouched for", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("is {}, whose line {line} is no fingerprint: write 64 hexadecimal digits, `former` before them where another founding follows, and comments after `#`", file.display())]
    Line { file: PathBuf, line: usize },
}

/// Every fingerprint in a file of pins, in which each line must be one. While serving, a line that is none just pins nobody.
///
/// # Errors
/// [`PinFault`] with the line.
pub fn pinned(file: &Path) -> Result<Vec<Pin>, PinFault> {
    let text =
        std::fs::read_to_string(file).map_err(|source| PinFault::Unreadable { file: file.to_owned(), source })?;
    let mut found = Vec::new();
    for (above, line) in text.lines().enumerate() {
        found.extend(pin(line).map_err(|_| PinFault::Line { file: file.to_owned(), line: above + 1 })?);
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
        assert!(!pins.hold(&[1; 32], false), "there is no file");
        std::fs::write(&file, format!("# comment\n{one}  # squad\nnonsense\n")).unwrap();
        assert!(pins.hold(&[1; 32], false) && !pins.hold(&[2; 32], false));
        std::fs::write(&file, format!("{one}\n{other}\n")).unwrap();
        assert!(pins.hold(&[1; 32], false) && pins.hold(&[2; 32], false));
        std::fs::write(&file, format!("{other}\n")).unwrap();
        assert!(!pins.hold(&[1; 32], false) && pins.hold(&[2; 32], false));
        std::fs::write(&file, format!("{other}\nFORMER {one}\nformer {one}  # followed\n")).unwrap();
        assert!(!pins.hold(&[1; 32], false) && pins.hold(&[1; 32], true) && pins.hold(&[2; 32], true));
        std::fs::write(&file, format!("former {one}\n{one}\nformer{other}\nformer\n")).unwrap();
        assert!(!pins.hold(&[1; 32], false) && !pins.hold(&[2; 32], true), "once former, always former");
        std::fs::remove_file(&file).unwrap();
        assert!(!pins.hold(&[2; 32], false));
    }
}
