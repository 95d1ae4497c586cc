//! Bringing a backup back, into databases that are empty or not there.

use super::manifest::{CHECKPOINT, ERASURE, MAIN, Manifest, ManifestError, OBJECTS, is_introduction};
use super::{ProgramError, Superusers, objects, programs, store};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::keys::LogKeys;
use crate::audit::ledger::OFFICE_KEPT;
use crate::audit::note::NoteError;
use crate::audit::verify::{Report, VerifyError, verify};
use crate::guard::council;
use crate::guard::sweep::{SweepError, Swept};
use crate::guard::tombstones::{self, TombstoneError};
use crate::platform::clock::Clock;
use crate::platform::config::{Config, ConfigError, address};
use crate::platform::db::{self, MigrateError};
use crate::platform::objects::{Objects, OpenError};
use crate::platform::schema::{Structure, StructureError};
use crate::platform::secrets::Secrets;
use crate::setup::store as setup;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use uuid::Uuid;

/// What is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Both,
    /// The erasure store still stands. It is newer than any backup of it, so it is kept.
    MainOnly,
}

/// What a restore is told.
pub struct Restore<'a> {
    pub from: &'a Path,
    pub superusers: &'a Superusers,
    pub which: Which,
    /// The checkpoints kept outside speak of entries that the backup has not, and somebody has decided to go on without
    /// those: the checkpoints are set aside as evidence.
    pub lose_newer_entries: bool,
    /// Go on without the file of tombstones, although what was erased since the backup comes back readable then.
    pub without_tombstones: bool,
}

/// What a restore did and found.
pub struct Restored {
    pub manifest: Manifest,
    pub sessions_ended: u64,
    /// Cases that came back although they were erased: there for nobody.
    pub cases_hidden: u64,
    /// Keys that were erased, by the file beside the checkpoints.
    pub tombstones: u64,
    /// What was swept; nothing when it was left alone; an error when too many keys seemed to belong to nothing.
    pub swept: Result<Option<Swept>, SweepError>,
    pub ledger: Report,
    /// Where newer checkpoints were set aside.
    pub set_aside: Option<PathBuf>,
}

/// Why nothing, or not everything, was brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the backup: {0}")]
    Manifest(#[from] ManifestError),
    #[error("the backup is of the log {theirs}, and the configuration's log_origin is {ours}")]
    OtherLog { theirs: String, ours: String },
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("log_origin: {0}")]
    Origin(#[from] NoteError),
    #[error("{0}")]
    Structure(#[from] StructureError),
    #[error("the backup's checkpoint is not signed by the secret `ledger`")]
    Checkpoint,
    #[error(
        "the checkpoints kept outside speak of {kept} entries, the backup of {saved}: what was entered in between would be \
         lost. Is there no newer backup? If there is none, say --lose-newer-entries"
    )]
    NewerKept { kept: u64, saved: u64 },
    #[error(
        "the database {0} is not empty: a restore never writes over anything. Rename it, or restore under another name"
    )]
    NotEmpty(String),
    #[error("the backup has attachments, and the configuration has no attachments.folder to put them into")]
    NoFolder,
    #[error(
        "the folder of attachments holds other bytes under the name {0}: a restore never writes over anything. Name another"
    )]
    OtherObject(Uuid),
    #[error("{0} is not an address of a database with a plain name")]
    Address(&'static str),
    #[error("the password in the file `{0}` has other characters than letters and digits: let `himaya init` make one")]
    Password(&'static str),
    #[error("{0}")]
    Program(#[from] ProgramError),
    #[error("a database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    #[error(
        "there is no file `tombstones` in the folder of checkpoints: what was erased since the backup would be readable again. Put \
         it there; if nobody has it any more, say --without-tombstones"
    )]
    NoTombstones,
    #[error("what was erased: {0}")]
    Tombstones(#[from] TombstoneError),
    #[error("the schema: {0}")]
    Migrate(#[from] MigrateError),
    #[error("a file: {0}")]
    File(#[from] io::Error),
    #[error("the ledger cannot be verified: {0}")]
    Verify(#[from] VerifyError),
    #[error("{0}")]
    Objects(#[from] OpenError),
}

/// A database that is to be filled.
struct Target {
    name: String,
    server: PgConnectOptions,
    address: String,
    file: &'static str,
}

impl Target {
    fn new(field: &'static str, ours: &str, superuser: &str, file: &'static str) -> Result<Self, RestoreError> {
        let plain = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let name = address::database(ours).filter(plain).ok_or(RestoreError::Address(field))?;
        let address = address::to_database(superuser, &name).ok_or(RestoreError::Address("--superuser-url"))?;
        Ok(Self { name, server: PgConnectOptions::from_str(superuser)?, address, file })
    }

    async fn open(&self) -> Result<PgConnection, sqlx::Error> {
        self.server.clone().database(&self.name).connect().await
    }

    /// Refuses a database in which there is something.
    async fn must_be_empty(&self) -> Result<(), RestoreError> {
        let mut server = self.server.connect().await?;
        let there = store::is_there(&mut server, &self.name).await?;
        server.close().await?;
        if there {
            let mut inside = self.open().await?;
            let empty = store::is_empty(&mut inside).await?;
            inside.close().await?;
            if !empty {
                return Err(RestoreError::NotEmpty(self.name.clone()));
            }
        }
        Ok(())
    }

    async fn fill(&self, from: &Path, config: &Config) -> Result<(), RestoreError> {
        let mut server = self.server.connect().await?;
        setup::make_roles(&mut server).await?;
        for (role, password) in passwords(config, &self.name)? {
            setup::set_passwords(&mut server, &[(role, password)]).await?;
        }
        setup::make_database(&mut server, &self.name).await?;
        server.close().await?;
        let mut inside = self.open().await?;
        setup::own_schema(&mut inside).await?;
        inside.close().await?;
        programs::restore(&self.address, &from.join(self.file)).await?;
        Ok(())
    }
}

/// The passwords that the configuration has for this database's roles: a new server does not know them yet.
fn passwords(config: &Config, database: &str) -> Result<Vec<(&'static str, String)>, RestoreError> {
    let mut found = Vec::new();
    for (field, full) in config.database.addresses() {
        let (plain, password) = address::without_password(full);
        let options = PgConnectOptions::from_str(&plain)?;
        let role = setup::LOGINS.into_iter().find(|role| *role == options.get_username());
        if let (Some(role), Some(password), true) = (role, password, options.get_database() == Some(database)) {
            // It goes into a statement as it is.
            if !password.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(RestoreError::Password(field));
            }
            found.push((role, password));
        }
    }
    Ok(found)
}

/// Brings a backup back: see [`super`]. Nothing is changed before everything that can be known has been looked at.
///
/// # Errors
/// [`RestoreError`] with the step. What the ledger's verifier finds is no error but stands in [`Restored`].
pub async fn restore(config: &Config, told: &Restore<'_>, clock: &Clock) -> Result<Restored, RestoreError> {
    let manifest = Manifest::check(told.from)?;
    if manifest.log_origin != config.log_origin {
        return Err(RestoreError::OtherLog { theirs: manifest.log_origin, ours: config.log_origin.clone() });
    }
    let mut targets = vec![Target::new("database.app", &config.database.app, &told.superusers.main, MAIN)?];
    if told.which == Which::Both {
        targets.push(Target::new("database.erasure", &config.database.erasure, &told.superusers.erasure, ERASURE)?);
    }
    for target in &targets {
        if !manifest.files.contains_key(target.file) || !told.from.join(target.file).exists() {
            return Err(ManifestError::Missing(target.file).into());
        }
        target.must_be_empty().await?;
    }
    let secrets = Secrets::read(config).await?;
    let keys = LogKeys::of(&config.log_origin, &secrets.ledger.get())?;
    let saved = match std::fs::read_to_string(told.from.join(CHECKPOINT)) {
        Ok(text) => Some((keys.read(&text).map_err(|_| RestoreError::Checkpoint)?.checkpoint, text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !manifest.files.contains_key(CHECKPOINT) => None,
        Err(error) => return Err(error.into()),
    };
    let size = saved.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size());
    let newer = kept(config, &keys).filter(|kept| kept.size() > size);
    if let Some(kept) = newer.as_ref().filter(|_| !told.lose_newer_entries) {
        return Err(RestoreError::NewerKept { kept: kept.size(), saved: size });
    }
    if told.which == Which::Both && !told.without_tombstones && !tombstones::is_there(&config.checkpoints) {
        return Err(RestoreError::NoTombstones);
    }
    let folder = config.attachments.as_ref().and_then(|told| told.folder.as_deref());
    if !manifest.objects.is_empty() {
        let folder = folder.ok_or(RestoreError::NoFolder)?;
        if let Some(object) = objects::other(&manifest.objects, folder)? {
            return Err(RestoreError::OtherObject(object));
        }
    }

    for target in &targets {
        target.fill(told.from, config).await?;
    }
    if let (Some(main), Some(erasure)) = (&config.database.migrator, &config.database.erasure_migrator) {
        // A backup of an older version becomes one of this.
        db::migrate(main, erasure, None).await?;
    }
    // Next, so that a restore that stops later on leaves nothing behind that was erased. A service does the same at its start.
    let mut databases = db::connect(&config.database).await?;
    let applied = tombstones::apply(&databases.sweeper, &config.checkpoints).await?;
    if let Some(folder) = folder {
        objects::put_back(&manifest.objects, &told.from.join(OBJECTS), folder)?;
    }
    let mut sessions_ended = 0;
    if let Some(main) = targets.first() {
        let mut inside = main.open().await?;
        sessions_ended = store::end_sessions(&mut inside).await?;
        inside.close().await?;
    }
    let objects = config.attachments.as_ref().map(|told| Objects::open(told, &config.secrets)).transpose()?;
    databases.sweeper.objects.clone_from(&objects);
    if let Some(kept) = &config.schema_pin {
        // On the machine that was backed up the pin is still there, and says what was restored; a new one has none yet.
        if kept.exists() {
            Structure::check(&databases, kept).await?;
        } else {
            Structure::now(&databases.sweeper.main, &databases.sweeper.erasure).await?.keep(kept)?;
        }
    }
    // A store that was kept is newer than the main database now is: its keys without a record may belong to a better
    // backup, and erasing is for ever.
    let swept = match told.which {
        Which::Both => databases.sweeper.sweep(false).await,
        Which::MainOnly => Ok(None),
    };
    let texts: Vec<String> = saved.iter().map(|(_, text)| text.clone()).collect();
    let mut ledger = verify(&databases.auditor, &keys, &texts, true).await?;
    if let Some(objects) = &objects {
        ledger.compare_objects(&databases.auditor, &databases.sweeper.erasure, objects).await?;
    }
    // What was erased since goes again, after it was seen to be there.
    databases.sweeper.clear_or_warn().await;
    databases.close().await;
    let set_aside = if newer.is_some() { Some(set_aside(&config.checkpoints, clock)?) } else { None };
    if let Some((_, text)) = saved {
        std::fs::write(config.checkpoints.join("checkpoint"), text)?;
    }
    // One that is there already is the same, or evidence.
    for name in manifest.files.keys().filter(|name| is_introduction(name)) {
        let kept = config.checkpoints.join(name);
        if !kept.exists() {
            std::fs::copy(told.from.join(name), kept)?;
        }
    }
    let (cases_hidden, tombstones) = (applied.hidden, applied.known);
    Ok(Restored { manifest, sessions_ended, cases_hidden, tombstones, swept, ledger, set_aside })
}

/// The newest checkpoint kept outside, if it is this log's.
fn kept(config: &Config, keys: &LogKeys) -> Option<Checkpoint> {
    let text = std::fs::read_to_string(config.checkpoints.join("checkpoint")).ok()?;
    Some(keys.read(&text).ok()?.checkpoint)
}

/// Moves the checkpoints into a folder of their own: with them in its way, the sequencer would rightly refuse to go on.
fn set_aside(folder: &Path, clock: &Clock) -> io::Result<PathBuf> {
    let aside = folder.join(format!("before-restore-{}", clock.now().format("%Y%m%dT%H%M%SZ")));
    std::fs::create_dir(&aside)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let latest = [council::KEPT, OFFICE_KEPT].contains(&&*text);
        if text == "checkpoint" || text.ends_with(".checkpoint") || latest {
            std::fs::rename(entry.path(), aside.join(&name))?;
        }
    }
    Ok(aside)
}
