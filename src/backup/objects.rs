//! The sealed bytes of attachments, from one folder into another. They never change under their name: what is there
//! already, and whole, is left as it is.

use super::manifest::{Sum, sum};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use uuid::Uuid;

/// Copies every object there is. What is removed meanwhile was erased, and is left out.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<BTreeMap<Uuid, Sum>> {
    let mut copied = BTreeMap::new();
    let listed = match std::fs::read_dir(from) {
        Ok(listed) => listed,
        // Nothing was ever attached.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(copied),
        Err(error) => return Err(error),
    };
    for entry in listed {
        // What is being written bears another name.
        let Some(object) = entry?.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok()) else { continue };
        let name = object.to_string();
        match put(&from.join(&name), to, &name) {
            Ok(sum) => copied.insert(object, sum),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
    }
    if !copied.is_empty() {
        File::open(to)?.sync_all()?;
    }
    Ok(copied)
}

/// Puts one file into a folder, whole and durable or not at all under its name.
fn put(from: &Path, folder: &Path, name: &str) -> io::Result<Sum> {
    let mut source = File::open(from)?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let unfinished = folder.join(format!("{name}#copy"));
    let mut target = File::create(&unfinished)?;
    target.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()?;
    let copied = sum(&unfinished)?;
    std::fs::rename(&unfinished, folder.join(name))?;
    Ok(copied)
}

/// The first object of the backup that is in the folder with other bytes.
pub(super) fn other(objects: &BTreeMap<Uuid, Sum>, folder: &Path) -> io::Result<Option<Uuid>> {
    for (object, written) in objects {
        match sum(&folder.join(object.to_string())) {
            Ok(found) if found == *written => {}
            Ok(_) => return Ok(Some(*object)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Puts the backup's objects back, those that are not there.
pub(super) fn put_back(objects: &BTreeMap<Uuid, Sum>, from: &Path, folder: &Path) -> io::Result<()> {
    for object in objects.keys() {
        let name = object.to_string();
        if !folder.join(&name).exists() {
            put(&from.join(&name), folder, &name)?;
        }
    }
    if !objects.is_empty() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
