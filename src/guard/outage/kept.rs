//! What this machine has seen of outages, beside the checkpoints: a row that is put back opens nothing again, after a restart neither.

use crate::guard::record::OutageId;
use std::collections::HashSet;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

/// The file's name, in the folder of checkpoints.
pub const FILE: &str = "outages";

const BEGUN: &str = "begun";
const OVER: &str = "over";

/// Outages that a process of this machine has opened, and those that are over for good.
#[derive(Default)]
pub struct Kept {
    pub begun: HashSet<OutageId>,
    pub over: HashSet<OutageId>,
}

/// What the file says; nothing when there is none. A line that was cut off counts as none.
pub fn read(folder: &Path) -> io::Result<Kept> {
    let text = match std::fs::read_to_string(folder.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(error),
    };
    let mut kept = Kept::default();
    for (id, word) in text.lines().filter_map(|line| line.split_once(' ')) {
        let Ok(id) = id.parse().map(OutageId) else { continue };
        match word {
            BEGUN => kept.begun.insert(id),
            OVER => kept.over.insert(id),
            _ => false,
        };
    }
    Ok(kept)
}

/// This machine opens it from now on. Durable before anybody reads by it: otherwise nobody would know that its end was not seen.
pub fn begun(folder: &Path, id: OutageId) -> io::Result<()> {
    append(folder, id, BEGUN)
}

/// It opens nothing any more.
pub fn over(folder: &Path, id: OutageId) -> io::Result<()> {
    append(folder, id, OVER)
}

/// On a line of its own: what was being written when a machine went down may have no end.
fn append(folder: &Path, id: OutageId, word: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join(FILE))?;
    file.write_all(format!("\n{id} {word}\n").as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_counts_as_nothing_and_takes_no_other_with_it() {
        let folder = std::env::temp_dir().join(format!("himaya-outages-{}", crate::platform::random::uuid()));
        std::fs::create_dir(&folder).unwrap();
        let [one, other, last] = std::array::from_fn(|_| OutageId::random());
        assert!(read(&folder).unwrap().begun.is_empty(), "there was none yet");
        begun(&folder, one).unwrap();
        over(&folder, one).unwrap();
        let whole = std::fs::read_to_string(folder.join(FILE)).unwrap();
        std::fs::write(folder.join(FILE), format!("{whole}\n{other} ov")).unwrap();
        begun(&folder, last).unwrap();
        let kept = read(&folder).unwrap();
        assert_eq!((kept.begun, kept.over), (HashSet::from([one, last]), HashSet::from([one])));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
