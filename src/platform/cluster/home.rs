//! The files of a home folder, and where the server's own folder is.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::error::{ClusterError, io};
use super::user::ServerUser;

/// Makes the home folder, if it is not there yet.
pub(super) fn make(home: &Path, root: bool) -> Result<(), ClusterError> {
    let step = "making the home folder";
    if home.is_dir() {
        return Ok(());
    }
    // The server's user has to pass through; what is secret in here is 0600.
    let mode = if root { 0o711 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(mode).create(home).map_err(io(step, home))?;
    // Again, past the umask.
    fs::set_permissions(home, Permissions::from_mode(mode)).map_err(io(step, home))
}

/// Where the server's folder is, if an earlier start made a cluster for this home.
pub(super) fn known_folder(home: &Path, root: bool) -> Result<Option<PathBuf>, ClusterError> {
    let inside = home.join("postgres");
    if inside.join("data/PG_VERSION").exists() {
        return Ok(Some(inside));
    }
    let path = home.join("location");
    let location = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(io("reading where the cluster is", &path))?,
    };
    let folder = PathBuf::from(location.trim_end());
    if !folder.join("data/PG_VERSION").exists() {
        tracing::warn!(folder = %folder.display(), "the cluster is gone, a new one is made");
        return Ok(None);
    }
    // It lies in a folder that everybody writes to: were it removed, somebody else
    // could have put their own in its place.
    if root && !ServerUser::owner_of(&folder)?.is_known()? {
        return Err(ClusterError::Io {
            step: "checking who owns the cluster",
            path: folder,
            source: io::ErrorKind::PermissionDenied.into(),
        });
    }
    Ok(Some(folder))
}

/// A folder for the server: in `home`, or below /var/tmp where the server's user
/// cannot get there or `pg_ctl`, which goes through a shell, cannot quote the path.
pub(super) fn new_folder(home: &Path, user: Option<&ServerUser>) -> Result<PathBuf, ClusterError> {
    let quotable = |c: char| !c.is_control() && !"\"$`\\,".contains(c);
    let plain = home.to_str().is_some_and(|path| path.chars().all(quotable));
    let location = home.join("location");
    let folder = if plain && user.is_none_or(|user| user.may_enter(home)) {
        let _ = fs::remove_file(&location);
        home.join("postgres")
    } else {
        let folder = PathBuf::from(format!("/var/tmp/himaya-{}", random_hex()));
        let line = format!("{}\n", folder.display());
        fs::write(&location, line).map_err(io("noting where the cluster is", &location))?;
        folder
    };
    make_dir(&folder, user)?;
    Ok(folder)
}

/// Makes a folder for the server's user alone, or takes the one of an earlier start.
pub(super) fn make_dir(path: &Path, user: Option<&ServerUser>) -> Result<(), ClusterError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => give(path, user),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let owner = ServerUser::owner_of(path)?.uid;
            let theirs = user.is_some_and(|user| user.uid != owner);
            if theirs { give(path, user) } else { Ok(()) }
        }
        Err(error) => Err(io("making a folder", path)(error)),
    }
}

pub(super) fn give(path: &Path, user: Option<&ServerUser>) -> Result<(), ClusterError> {
    user.map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)).map_err(io("giving to the server", path)))
}

pub(super) fn major_of(folder: &Path) -> Option<u32> {
    let version = fs::read_to_string(folder.join("data/PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

/// One start at a time: two would run initdb into the same folder.
pub(super) fn lock(path: &Path) -> Result<File, ClusterError> {
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(path).map_err(io("opening the lock", path))?;
    file.lock().map_err(io("taking the lock", path))?;
    Ok(file)
}

/// The superuser's password, made at the first start.
pub(super) fn password(path: &Path, known: Option<&Path>) -> Result<String, ClusterError> {
    match fs::read_to_string(path) {
        Ok(password) if !password.trim().is_empty() => Ok(password.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("reading the password", path)(error)),
        _ if known.is_some() => {
            Err(ClusterError::PasswordLost { path: path.to_owned(), data: known.unwrap_or(path).join("data") })
        }
        _ => {
            let password = random_hex();
            let _ = fs::remove_file(path);
            write_secret(path, &password)?;
            Ok(password)
        }
    }
}

pub(super) fn write_secret(path: &Path, secret: &str) -> Result<(), ClusterError> {
    let mut options = OpenOptions::new();
    let file = options.create_new(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{secret}")).map_err(io("writing the password", path))
}

/// 128 random bits in letters that need no quoting anywhere.
pub(super) fn random_hex() -> String {
    format!("{:032x}", u128::from_ne_bytes(crate::platform::random::bytes()))
}
