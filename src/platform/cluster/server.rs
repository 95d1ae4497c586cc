//! PostgreSQL's own programs: making a cluster, starting its server, and stopping it.

use super::error::{io, output, run};
use super::home::{give, make_dir, random_hex, write_secret};
use super::{Cluster, ClusterError, Durability, LONGEST_SOCKET_DIR, Options, PORT, SUPERUSER};
use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

impl Cluster {
    /// `initdb`, into a folder that gets its name when it is whole: an interrupted
    /// start leaves no half cluster behind.
    pub(super) fn create(&mut self) -> Result<(), ClusterError> {
        let step = "making the cluster";
        let new = self.folder.join("data.new");
        if new.exists() {
            fs::remove_dir_all(&new).map_err(io(step, &new))?;
        }
        let pwfile = self.folder.join("pwfile");
        let _ = fs::remove_file(&pwfile);
        write_secret(&pwfile, &self.password)?;
        give(&pwfile, self.user.as_ref())?;
        let mut initdb = self.command("initdb");
        initdb
            .args(["-A", "scram-sha-256", "-E", "UTF8", "-U", SUPERUSER])
            .args(["--locale=C.UTF-8", "--no-instructions", "--pwfile"])
            .arg(&pwfile);
        initdb.arg(match self.durability {
            Durability::Durable => "--data-checksums",
            Durability::Throwaway => "--no-sync",
        });
        let made = run(initdb.arg("-D").arg(&new), "initdb", None);
        fs::remove_file(&pwfile).map_err(io(step, &pwfile))?;
        made?;
        fs::rename(&new, &self.data).map_err(io(step, &self.data))?;
        self.created = true;
        Ok(())
    }

    pub(super) fn runs(&self) -> Result<bool, ClusterError> {
        let mut status = self.command("pg_ctl");
        let status = status.arg("status").arg("-D").arg(&self.data);
        Ok(output(status, "pg_ctl status")?.status.success())
    }

    /// Takes the server that runs already, if one does and answers.
    pub(super) fn reuse(&mut self) -> Result<bool, ClusterError> {
        let running = self.runs()?;
        let pid = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let Some(socket_dir) = pid.lines().nth(4).filter(|dir| running && !dir.is_empty()) else {
            return Ok(false);
        };
        // After a crash the pid in the file may be another program's by now.
        if UnixStream::connect(Path::new(socket_dir).join(socket_name())).is_err() {
            return Ok(false);
        }
        let opts = fs::read_to_string(self.data.join("postmaster.opts")).unwrap_or_default();
        if self.durability == Durability::Durable && opts.contains("fsync=off") {
            return Err(ClusterError::NotDurable(self.data.clone()));
        }
        self.socket_dir = PathBuf::from(socket_dir);
        Ok(true)
    }

    /// `pg_ctl start`, which returns when the server takes connections.
    pub(super) fn launch(&mut self, options: Options) -> Result<(), ClusterError> {
        if self.socket_dir.as_os_str().len() > LONGEST_SOCKET_DIR {
            self.socket_dir = PathBuf::from(format!("/tmp/himaya-{}", random_hex()));
        }
        make_dir(&self.socket_dir, self.user.as_ref())?;
        let socket_dir = self.socket_dir.to_string_lossy().replace('\'', r"'\''");
        // Neither statements nor the rows of a failed one belong in a log file.
        let mut settings = format!(
            "-c listen_addresses='' -c port={PORT} -c unix_socket_directories='{socket_dir}' \
             -c unix_socket_permissions=0700 -c max_connections={} \
             -c log_min_error_statement=panic -c log_error_verbosity=terse",
            options.max_connections
        );
        if self.durability == Durability::Throwaway {
            settings.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        let log = self.folder.join("log");
        let mut start = self.command("pg_ctl");
        start.args(["start", "-s", "-w", "-t", "60", "-o", &settings]);
        start.arg("-l").arg(&log).arg("-D").arg(&self.data);
        // Set first: a server that comes up too late for pg_ctl is stopped by the drop.
        self.started = true;
        run(&mut start, "pg_ctl start", Some(&log))
    }

    pub(super) fn halt(&self) -> Result<(), ClusterError> {
        if self.runs()? {
            let mut stop = self.command("pg_ctl");
            stop.args(["stop", "-s", "-w", "-t", "60", "-m", "fast"]);
            run(stop.arg("-D").arg(&self.data), "pg_ctl stop", None)?;
        }
        if !self.socket_dir.starts_with(&self.folder) {
            let _ = fs::remove_dir(&self.socket_dir);
        }
        if self.created && self.durability == Durability::Throwaway {
            let step = "removing the cluster";
            fs::remove_dir_all(&self.folder).map_err(io(step, &self.folder))?;
        }
        Ok(())
    }

    /// A program of PostgreSQL's, as the server's user and untouched by the caller's
    /// environment (PGDATA, PGOPTIONS, locale, time zone).
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().current_dir("/");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

pub(super) fn socket_name() -> String {
    format!(".s.PGSQL.{PORT}")
}
