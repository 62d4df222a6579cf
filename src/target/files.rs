//! Reading the files that settings name: bounded, and never waiting for a pipe.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// More than any of these files needs.
const LARGEST: u64 = 4 << 20;

/// Why a file cannot be read, as it is said in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// `does not exist`, `is a directory`, ….
    pub problem: &'static str,
    /// Whether it simply is not there.
    pub missing: bool,
}

impl Unreadable {
    fn of(kind: ErrorKind) -> Self {
        let problem = match kind {
            ErrorKind::NotFound => "does not exist",
            ErrorKind::NotADirectory => "does not exist (a part of its path is no directory)",
            ErrorKind::PermissionDenied => "this user may not read",
            ErrorKind::IsADirectory => "is a directory",
            _ => "cannot be read",
        };
        Self {
            problem,
            missing: matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }
}

/// The file's bytes. A pipe is read only where the shell made it
/// (`/dev/fd/…`), so that nothing waits for one that nobody writes to.
///
/// # Errors
/// Where it is not there, not a file, too large, or not ours to read.
pub fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let of = |error: std::io::Error| Unreadable::of(error.kind());
    let not = |problem| Unreadable {
        problem,
        missing: false,
    };
    let meta = fs::metadata(path).map_err(of)?;
    let kind = meta.file_type();
    let passed_on = ["/dev/", "/proc/"].iter().any(|p| path.starts_with(p));
    if kind.is_dir() {
        return Err(not("is a directory"));
    }
    if kind.is_socket() || kind.is_block_device() || (!kind.is_file() && !passed_on) {
        return Err(not("is not a plain file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(of)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(of)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(not("is larger than 4 MB")),
        false => Ok(bytes),
    }
}

/// Whether the file can be read, without reading it.
///
/// # Errors
/// As [`read`].
pub fn readable(path: &Path) -> Result<(), Unreadable> {
    let of = |error: std::io::Error| Unreadable::of(error.kind());
    let kind = fs::metadata(path).map_err(of)?.file_type();
    match kind.is_file() {
        true => File::open(path).map(drop).map_err(of),
        false if kind.is_dir() => Err(Unreadable {
            problem: "is a directory",
            missing: false,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err().problem, "is a directory");
        assert!(read(&folder.path().join("x")).unwrap_err().missing);
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&pipe).unwrap_err().problem, "is not a plain file");
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(read(&file), Ok(b"x".to_vec()));
    }
}
