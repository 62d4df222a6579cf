//! What several tests share: committed files that a test compares, and
//! rewrites under `UPDATE=1`.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Holds a committed file to what the program makes of it today. Under
/// `UPDATE=1` the file is rewritten instead.
pub fn compare(path: impl AsRef<Path>, now: &[u8]) {
    let path: PathBuf = root().join(path);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, now).unwrap();
        return;
    }
    let committed = std::fs::read(&path).unwrap_or_default();
    assert!(
        committed == now,
        "{} is not what the program makes of it today; look at it with UPDATE=1 cargo test and git diff.\n{}",
        path.display(),
        String::from_utf8_lossy(now)
    );
}
