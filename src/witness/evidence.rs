//! What a witness keeps of a log that shows it two faces: both checkpoints, as they were signed, and the proof.

use crate::audit::tree::TreeHead;
use crate::guard::statement::hex;
use crate::platform::config::make_folder;
use crate::platform::secrets::file;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// Pieces of one kind that are kept at most: whoever could fill the folder would keep the witness from working. Each is of
/// another tree that the log itself signed, so that only who holds its key comes near to so many.
const MOST: usize = 512;

/// What is wrong with what was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The log signed two roots of one size: no excuse is possible.
    Fork,
    /// The proof does not lead from the one to the other: a fork, or a proof that somebody spoilt.
    Unproved,
}

impl Kind {
    const fn ending(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Unproved => "unproved",
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Fork => "the log signed two roots of one size",
            Self::Unproved => "no proof leads from the one checkpoint to the other",
        }
    }
}

/// How many pieces lie in the folder.
pub fn count(folder: &Path) -> usize {
    let Ok(files) = std::fs::read_dir(folder) else { return 0 };
    let ending = |path: &Path| {
        path.extension().is_some_and(|end| [Kind::Fork, Kind::Unproved].iter().any(|kind| end == kind.ending()))
    };
    files.flatten().filter(|file| ending(&file.path())).count()
}

/// Keeps a piece: `<time>-<hash>.<kind>`. The first of each size and root is kept, whatever else stands in the note.
///
/// # Errors
/// When it cannot be written, or there are too many already.
pub fn keep(
    folder: &Path,
    kind: Kind,
    kept: &str,
    submitted: &str,
    tree: &TreeHead,
    now: DateTime<Utc>,
) -> io::Result<PathBuf> {
    make_folder(folder)?;
    let held = file::hold(folder)?;
    let hash: [u8; 32] = Sha256::digest(format!("{}\n{}\n", tree.size, tree.root)).into();
    let end = format!("-{}.{}", hex(hash.get(..8).unwrap_or_default()), kind.ending());
    let mut others = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(&end) {
            return Ok(folder.join(name));
        }
        others += usize::from(name.ends_with(kind.ending()));
    }
    if others >= MOST {
        return Err(io::Error::other(format!("there are {others} pieces of evidence already: move them away")));
    }
    let name = format!("{}{end}", now.format("%Y%m%dT%H%M%SZ"));
    let text = format!(
        "himaya witness evidence v1\n{}\n\n=== the checkpoint that was cosigned before ===\n{kept}\n=== what was submitted \
         ===\n{submitted}",
        kind.says()
    );
    file::replace(folder, &name, &text, &held)?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;
    use crate::platform::random;

    #[test]
    fn each_checkpoint_is_kept_once_and_there_is_an_end() {
        let folder = std::env::temp_dir().join(format!("himaya-evidence-{}", random::uuid()));
        let keep = |kind, tree: &str| {
            let head = TreeHead { size: 7, root: leaf_hash(tree.as_bytes()) };
            keep(&folder, kind, "kept", "submitted", &head, DateTime::UNIX_EPOCH)
        };
        let first = keep(Kind::Fork, "0").unwrap();
        assert_eq!(keep(Kind::Fork, "0").unwrap(), first);
        let text = std::fs::read_to_string(&first).unwrap();
        assert!(text.contains("two roots") && text.contains("\nkept\n") && text.ends_with("submitted"));
        for number in 0..MOST {
            keep(Kind::Unproved, &number.to_string()).unwrap();
        }
        assert!(keep(Kind::Unproved, "one more").is_err());
        // Spoilt proofs, which anybody can send, leave the room of what no excuse is possible for.
        assert!(keep(Kind::Fork, "one more").is_ok());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
