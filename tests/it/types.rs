//! Forgetting a step does not compile.
//!
//! Each file of `tests/compile_fail` is compiled against the very library that these tests use, and what the compiler objects to, and
//! where, is compared with the file beside it. `HIMAYA_WRITE_MISUSES=1` writes these anew, to be reviewed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

fn written(file: &Path) -> SystemTime {
    std::fs::metadata(file).unwrap().modified().unwrap()
}

/// The library of these tests: the last one that was there when they were linked.
fn library() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let files = std::fs::read_dir(own.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
    let is_library = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with("libhimaya-") && name.ends_with(".rlib") && written(file) <= written(&own)
    };
    files.filter(is_library).max_by_key(|file| written(file)).unwrap()
}

/// What the compiler objects to in a file, a line each with the place; nothing if it has no objection.
fn objections(library: &Path, file: &str, out: &Path) -> Option<String> {
    let told = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "bin", "--emit", "metadata", "--color", "never", file])
        .arg("--extern")
        .arg(format!("himaya={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", library.parent().unwrap().display()))
        .arg("--out-dir")
        .arg(out)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    if told.status.success() {
        return None;
    }
    let (said, place) = (String::from_utf8(told.stderr).unwrap(), format!("--> {file}:"));
    let mut found = String::new();
    let mut lines = said.lines();
    while let Some(error) =
        lines.by_ref().find(|line| line.starts_with("error") && !line.starts_with("error: aborting"))
    {
        let at = lines.by_ref().find_map(|line| line.trim_start().strip_prefix(&place)).unwrap_or("nowhere");
        found.extend([at, " ", error, "\n"]);
    }
    Some(found)
}

#[test]
fn the_misuses_do_not_compile() {
    let library = library();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("misuses-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let mut misuses: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "rs")).collect();
    misuses.sort();
    assert!(misuses.len() >= 13, "{misuses:?}");
    let mut wrong = Vec::new();
    for misuse in misuses {
        let name = misuse.file_name().unwrap().to_str().unwrap();
        let expected = misuse.with_extension("stderr");
        let Some(said) = objections(&library, &format!("tests/compile_fail/{name}"), &out) else {
            wrong.push(format!("{name} compiles"));
            continue;
        };
        if std::env::var_os("HIMAYA_WRITE_MISUSES").is_some() {
            std::fs::write(&expected, &said).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != said {
            wrong.push(format!("{name} is refused for another reason:\n{said}"));
        }
    }
    std::fs::remove_dir_all(&out).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
