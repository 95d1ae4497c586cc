//! The file of a secret: a value a line, the oldest first, and behind each but the first the moment from which it is used.
//!
//! ```text
//! 5f0c…(64 hexadecimal digits)
//! a91e…(64 hexadecimal digits) 2026-11-22T13:41:00Z
//! ```
//!
//! One file holds all values of a secret, and is replaced as a whole: whoever is cut off in the middle leaves the old one.

use super::Named;
use crate::platform::config::ConfigError;
use crate::platform::random;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A line: a value as it lies there, open or sealed.
pub struct Line {
    pub value: Zeroizing<String>,
    pub from: Option<DateTime<Utc>>,
}

/// Reads the lines of a file; blank ones and comments count nothing.
///
/// # Errors
/// [`ConfigError::Secret`] when there is no value, a moment is none, or the order is not that of time.
pub fn parse(name: Named, text: &str) -> Result<Vec<Line>, ConfigError> {
    let wrong = |reason| ConfigError::Secret { name: name.as_str(), reason };
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (value, moment) = line.split_once(char::is_whitespace).map_or((line, None), |(v, m)| (v, Some(m.trim())));
        let from = moment
            .map(|moment| DateTime::parse_from_rfc3339(moment).map(|moment| moment.to_utc()))
            .transpose()
            .map_err(|_| wrong("behind a value stands something that is no moment like 2026-11-22T13:41:00Z"))?;
        if let Some(last) = lines.last() {
            if from.is_none_or(|from| last.from.is_some_and(|last| last >= from)) {
                return Err(wrong(
                    "each value but the first needs the moment of its first use, later than the one before",
                ));
            }
            if lines.iter().any(|line| line.value.as_str() == value) {
                return Err(wrong("has one value twice"));
            }
        }
        lines.push(Line { value: Zeroizing::new(value.to_owned()), from });
    }
    if lines.is_empty() { Err(wrong("is not 64 hexadecimal digits")) } else { Ok(lines) }
}

/// The text of such a file.
#[must_use]
pub fn text(lines: &[Line]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(lines.len() * 256));
    for line in lines {
        text.push_str(&line.value);
        if let Some(from) = line.from {
            text.push(' ');
            text.push_str(&from.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        }
        text.push('\n');
    }
    text
}

/// What stands in the file of a secret, with a check of whose it is and who else reads it; `None` if it is not there. What is
/// checked is what is read: it was opened before.
///
/// # Errors
/// [`ConfigError::Secret`] when others can read or replace it, or the service cannot read it.
pub fn read(file: &Path, name: &'static str, others: u32) -> Result<Option<Zeroizing<String>>, ConfigError> {
    let wrong = |reason| ConfigError::Secret { name, reason };
    let unread = |_| wrong("the file cannot be read: give it to the user that the service runs as");
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let about = opened.metadata().map_err(unread)?;
    if about.permissions().mode() & others != 0 {
        return Err(wrong("the file can be read by others: make it 0600"));
    }
    let folder = file.parent().and_then(|folder| std::fs::metadata(folder).ok());
    if !folder.is_some_and(|folder| belongs(&about, &folder, own_user())) {
        return Err(wrong(
            "the file or its folder is somebody else's: give both to root, or to whom the service runs as",
        ));
    }
    // With room for all of it, so that no piece of it is left behind in memory where it grew.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(about.len()).unwrap_or(0).saturating_add(1)));
    opened.read_to_string(&mut text).map_err(unread)?;
    Ok(Some(text))
}

/// Whom this process acts as.
pub(super) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether nobody but root and this user can have put the file there. An administrator's command reads what is the service's
/// user's as well, where the folder is that one's too.
pub(super) fn belongs(file: &Metadata, folder: &Metadata, user: u32) -> bool {
    // In a sticky folder others make files of their own, which they own.
    let closed = folder.mode() & 0o022 == 0 || folder.mode() & 0o1000 != 0;
    closed && is_trusted(file.uid(), folder.uid(), user)
}

fn is_trusted(file: u32, folder: u32, user: u32) -> bool {
    let own = |owner: u32| owner == 0 || owner == user;
    (own(file) && own(folder)) || (user == 0 && file == folder)
}

/// Held while files are changed: two commands at once would lose a value of one of them.
pub struct Held(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

/// Waits until nobody else changes this folder, and clears away what one that was cut off left behind.
///
/// # Errors
/// When the folder cannot be written.
pub fn hold(folder: &Path) -> io::Result<Held> {
    let (lock, mut options) = (folder.join(LOCK), OpenOptions::new());
    options.append(true).mode(0o600);
    // Only a file that was not there is given away: what lies under that name already may lead elsewhere.
    let file = match options.clone().create_new(true).open(&lock) {
        Ok(made) => {
            give(&made, &std::fs::metadata(folder)?)?;
            made
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.create(true).open(&lock)?,
        Err(error) => return Err(error),
    };
    file.lock()?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED)) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(Held(file))
}

/// What an administrator's command makes is no less the service's own: it is given to whom the rest belongs.
fn give(file: &File, owner: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) && own_user() == 0 {
        std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// The file that is locked.
const LOCK: &str = ".rotating";

/// How the name of a file begins that is not whole yet.
const UNFINISHED: &str = ".unfinished-";

/// Replaces a file as a whole, or makes it: written beside, made durable, renamed, and the folder made durable. It belongs
/// to whom the one before belonged, or the folder, and only they read it.
///
/// # Errors
/// When the folder cannot be written; then the file is the old one.
pub fn replace(folder: &Path, name: &str, text: &str, held: &Held) -> io::Result<()> {
    replace_if(folder, name, text, held, || true).map(|_| ())
}

/// The same, if it still counts when everything is written, and only the name is to change. Says whether it did.
///
/// # Errors
/// As [`replace`].
pub fn replace_if(
    folder: &Path,
    name: &str,
    text: &str,
    _held: &Held,
    counts: impl FnOnce() -> bool,
) -> io::Result<bool> {
    let (file, beside) = (folder.join(name), unfinished(folder));
    let owner = std::fs::metadata(&file).or_else(|_| std::fs::metadata(folder))?;
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let own = written.metadata()?;
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
        std::os::unix::fs::fchown(&written, Some(owner.uid()), Some(owner.gid()))?;
    }
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    drop(written);
    if !counts() {
        std::fs::remove_file(&beside)?;
        return Ok(false);
    }
    std::fs::rename(&beside, &file)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

fn unfinished(folder: &Path) -> PathBuf {
    folder.join(format!("{UNFINISHED}{}", random::uuid().simple()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        parse(Named::Pepper, text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_written_reads_back_and_a_file_of_one_value_is_as_it_always_was() {
        let (one, two) = ("11".repeat(32), "22".repeat(32));
        assert_eq!(text(&parse(Named::Pepper, &one).unwrap()).as_str(), format!("{one}\n"));
        let both = format!("{one}\n{two} 2026-11-22T13:41:00Z\n");
        assert_eq!(text(&parse(Named::Pepper, &format!("# two\n\n{both}")).unwrap()).as_str(), both);
    }

    #[test]
    fn a_file_that_somebody_else_can_have_put_there_is_refused() {
        let (service, stranger) = (994, 1000);
        for (file, folder, user) in [(0, 0, service), (service, 0, service), (service, service, service), (0, 0, 0)] {
            assert!(is_trusted(file, folder, user), "{file} {folder} {user}");
        }
        assert!(is_trusted(service, service, 0), "an administrator looks at the service's own");
        for (file, folder, user) in
            [(stranger, 0, service), (0, stranger, service), (stranger, stranger, service), (stranger, 0, 0)]
        {
            assert!(!is_trusted(file, folder, user), "{file} {folder} {user}");
        }
        let folder = std::env::temp_dir().join(format!("himaya-whose-{}", random::uuid()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("pepper");
        std::fs::write(&file, "11\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        for (mode, well) in [(0o700, true), (0o755, true), (0o775, false), (0o777, false), (0o1777, true)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&file, "pepper", 0o077).is_ok(), well, "{mode:o}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_command_leaves_behind_belongs_to_whom_the_folder_belongs() {
        let folder = std::env::temp_dir().join(format!("himaya-given-{}", random::uuid()));
        std::fs::create_dir(&folder).unwrap();
        // Where the tests do not run as root nobody else can be given anything, and nobody else's is a folder of theirs.
        let given = std::os::unix::fs::chown(&folder, Some(64_999), Some(64_998)).is_ok();
        assert_eq!(given, own_user() == 0);
        let held = hold(&folder).unwrap();
        replace(&folder, "note", "text", &held).unwrap();
        let owner = std::fs::metadata(&folder).unwrap();
        for name in [LOCK, "note"] {
            let about = std::fs::metadata(folder.join(name)).unwrap();
            assert_eq!((about.uid(), about.gid()), (owner.uid(), owner.gid()), "{name}");
        }
        // Whoever comes next finds the same file, and takes it.
        drop(held);
        drop(hold(&folder).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_without_order_is_refused_by_name() {
        assert!(said("").contains("secret pepper: is not 64"), "{}", said(""));
        assert!(said("11\n22\n").contains("needs the moment"));
        assert!(said("11\n22 yesterday\n").contains("no moment"));
        assert!(said("11 2026-11-22T13:41:00Z\n22 2026-11-22T13:41:00Z\n").contains("later than the one before"));
        assert!(said("11\n11 2026-11-22T13:41:00Z\n").contains("twice"));
    }
}
