use std::env;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::home::random_hex;
use super::server::socket_name;
use super::*;

/// Removed at the end, with what it says lies elsewhere; in /tmp since a socket's path has to be short.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        Self(PathBuf::from(format!("/tmp/himaya-home-{}", random_hex())))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for home in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if let Ok(folder) = fs::read_to_string(home.path().join("location")) {
                let _ = fs::remove_dir_all(folder.trim_end());
            }
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

const QUICK: Options = Options { durability: Durability::Throwaway, max_connections: 10 };

fn psql(url: &str, sql: &str) -> Option<String> {
    let path = env::var_os("PATH")?;
    let psql = env::split_paths(&path).map(|dir| dir.join("psql")).find(|p| p.is_file())?;
    let out = Command::new(psql).args([url, "-XAtc", sql]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(String::from_utf8(out.stdout).unwrap().trim().to_owned())
}

/// The server's first answer to a client that says who it is: the way to log in that
/// it demands, 10 for SASL. It needs no client, which not every machine has.
fn demanded(cluster: &Cluster) -> [u8; 9] {
    let mut socket = UnixStream::connect(cluster.socket_dir().join(socket_name())).unwrap();
    let body = [&[0, 3, 0, 0][..], b"user\0himaya_superuser\0\0"].concat();
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    socket.write_all(&[&length[..], &body].concat()).unwrap();
    let mut answer = [0; 9];
    socket.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn a_cluster_starts_answers_is_reused_and_stops() {
    let home = Home::new();
    let cluster = Cluster::start_with(&home.0, QUICK).unwrap();
    assert!(cluster.created());
    let answer = demanded(&cluster);
    assert_eq!((answer[0], &answer[5..]), (b'R', &[0, 0, 0, 10][..]));
    if let Some(one) = psql(&cluster.superuser_url(), "select 1") {
        assert_eq!(one, "1");
        let sql = "create role \"a b\" login password 'x/?#&%:@'";
        psql(&cluster.superuser_url(), sql);
        let url = cluster.url("a b", "x/?#&%:@", "postgres");
        assert_eq!(psql(&url, "select current_user").unwrap(), "a b");
        let show = |name| psql(&url, &format!("show {name}")).unwrap();
        let shown = ["fsync", "max_connections", "listen_addresses", "server_encoding"].map(show);
        assert_eq!(shown, ["off", "10", "", "UTF8"]);
    }

    let again = Cluster::start_with(&home.0, QUICK).unwrap();
    assert_eq!((again.superuser_url(), again.created()), (cluster.superuser_url(), false));
    drop(again);
    demanded(&cluster);

    let refused = Cluster::start(&home.0).unwrap_err();
    assert!(matches!(refused, ClusterError::NotDurable(_)), "{refused}");

    let (folder, socket_dir) = (cluster.folder.clone(), cluster.socket_dir.clone());
    assert!(!format!("{cluster:?}").contains(&cluster.password));
    cluster.stop().unwrap();
    assert!(UnixStream::connect(socket_dir.join(socket_name())).is_err());
    assert!(!folder.exists());
}

#[test]
fn a_durable_cluster_is_found_again_after_it_was_dropped() {
    // Too deep for a socket, and with what a shell would take for its own.
    let outer = Home::new();
    let home = outer.0.join(format!("it's {}", "deep ".repeat(20)));
    let cluster = Cluster::start(&home).unwrap();
    let (data, socket_dir) = (cluster.data.clone(), cluster.socket_dir.clone());
    assert!(socket_dir.as_os_str().len() <= LONGEST_SOCKET_DIR);
    if let Some(on) = psql(&cluster.superuser_url(), "show fsync") {
        assert_eq!(on, "on");
        psql(&cluster.superuser_url(), "create table kept (x int)");
    }
    drop(cluster);
    assert!(UnixStream::connect(socket_dir.join(socket_name())).is_err());
    // A folder made for the socket alone goes with the server.
    assert!(data.exists() && (socket_dir.parent() == data.parent() || !socket_dir.exists()));

    let cluster = Cluster::start(&home).unwrap();
    assert!(!cluster.created() && cluster.data == data);
    if let Some(kept) = psql(&cluster.superuser_url(), "select count(*) from kept") {
        assert_eq!(kept, "0");
    }
    drop(cluster);

    fs::remove_file(home.join("superuser.password")).unwrap();
    let refused = Cluster::start(&home).unwrap_err();
    assert!(matches!(refused, ClusterError::PasswordLost { .. }), "{refused}");
}

#[test]
fn a_home_that_the_server_cannot_use_is_left_to_its_owner() {
    let outer = Home::new();
    let home = outer.0.join("a $(false) home");
    let cluster = Cluster::start_with(&home, QUICK).unwrap();
    let folder = cluster.folder.clone();
    assert!(folder.starts_with("/var/tmp"));
    demanded(&cluster);
    drop(cluster);
    assert!(!folder.exists());
    // What is noted is gone, which is no reason not to start.
    let cluster = Cluster::start_with(&home, QUICK).unwrap();
    assert!(cluster.created());
}

#[test]
fn a_failed_start_says_what_the_server_said() {
    let home = Home::new();
    let options = Options { max_connections: 0, ..QUICK };
    let said = Cluster::start_with(&home.0, options).unwrap_err().to_string();
    assert!(said.starts_with("pg_ctl start failed") && said.contains("max_connections"), "{said}");
}
