//! As whom the server runs: PostgreSQL refuses to run as root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::error::{ClusterError, io, output};

/// The user that a server started by root runs as.
#[derive(Clone, Copy)]
pub(super) struct ServerUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl ServerUser {
    /// `postgres`, else `nobody`: initdb wants a user that has an entry.
    pub(super) fn lookup() -> Result<Self, ClusterError> {
        candidates()?.into_iter().next().ok_or(ClusterError::NoServerUser)
    }

    /// The owner of a file, for a cluster that is already there.
    pub(super) fn owner_of(path: &Path) -> Result<Self, ClusterError> {
        let meta = fs::symlink_metadata(path).map_err(io("asking who owns a file", path))?;
        Ok(Self { uid: meta.uid(), gid: meta.gid() })
    }

    /// Whether this is a user that [`ServerUser::lookup`] could have answered.
    pub(super) fn is_known(self) -> Result<bool, ClusterError> {
        Ok(candidates()?.iter().any(|user| user.uid == self.uid))
    }

    /// Whether the permissions let the user pass through every folder down to `path`.
    pub(super) fn may_enter(self, path: &Path) -> bool {
        path.ancestors().all(|dir| {
            fs::metadata(dir).is_ok_and(|meta| {
                let class = if meta.uid() == self.uid {
                    6
                } else if meta.gid() == self.gid {
                    3
                } else {
                    0
                };
                (meta.mode() >> class) & 1 == 1
            })
        })
    }
}

/// Whether this process is root, which std does not tell.
pub(super) fn is_root() -> Result<bool, ClusterError> {
    let done = output(Command::new("id").arg("-u"), "asking who runs this")?;
    Ok(done.stdout.trim_ascii() == b"0")
}

fn candidates() -> Result<Vec<ServerUser>, ClusterError> {
    let path = Path::new("/etc/passwd");
    let passwd = fs::read_to_string(path).map_err(io("reading the users", path))?;
    let find = |name| passwd.lines().find_map(|line| entry(line, name));
    Ok(["postgres", "nobody"].into_iter().filter_map(find).collect())
}

fn entry(line: &str, name: &str) -> Option<ServerUser> {
    let mut fields = line.split(':');
    let named = fields.next()? == name;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    (named && uid != 0).then_some(ServerUser { uid, gid })
}
