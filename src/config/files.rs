//! Reading the files that settings name: bounded in size, and in the time that
//! a pipe is waited for.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More than any of these files needs.
const LARGEST: u64 = 4 << 20;
/// How long the writer of a pipe may take.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Why a file cannot be read, as it is said in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// `does not exist`, `is a directory`, ….
    pub problem: &'static str,
    /// Whether it simply is not there.
    pub missing: bool,
    /// Whether it may not be read by this user.
    pub forbidden: bool,
}

impl Unreadable {
    /// It is there, and something else than a permission is in the way.
    pub fn because(problem: &'static str) -> Self {
        Self {
            problem,
            missing: false,
            forbidden: false,
        }
    }

    fn of(kind: ErrorKind) -> Self {
        let problem = match kind {
            ErrorKind::NotFound => "does not exist",
            ErrorKind::NotADirectory => "does not exist (part of its path is not a directory)",
            ErrorKind::PermissionDenied => "this user is not allowed to read",
            ErrorKind::IsADirectory => "is a directory",
            _ => "cannot be read",
        };
        Self {
            problem,
            missing: matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory),
            forbidden: kind == ErrorKind::PermissionDenied,
        }
    }
}

/// The file's bytes. What is no plain file, such as a pipe that the shell made
/// (`/dev/fd/…`), is read as long as somebody writes, and for a moment only.
///
/// # Errors
/// Where it is not there, not to be read, too large, or not ours.
pub fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    read_until(path, LARGEST, Instant::now() + PATIENCE)
}

/// As [`read`], with another size, in bytes, and time to be enough.
///
/// # Errors
/// As [`read`].
pub fn read_until(path: &Path, largest: u64, limit: Instant) -> Result<Vec<u8>, Unreadable> {
    let of = |error: std::io::Error| Unreadable::of(error.kind());
    let not = Unreadable::because;
    let kind = fs::metadata(path).map_err(of)?.file_type();
    if kind.is_dir() {
        return Err(not("is a directory"));
    }
    if kind.is_socket() || kind.is_block_device() {
        return Err(not("is not a regular file"));
    }
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(of)?;
    let bytes = match kind.is_file() {
        true => {
            let mut bytes = Vec::new();
            file.take(largest + 1).read_to_end(&mut bytes).map_err(of)?;
            bytes
        }
        false => match drain(&mut file, largest, limit).map_err(of)? {
            Drained::All(bytes) => bytes,
            Drained::NobodyWrites if kind.is_fifo() => {
                return Err(not("is a pipe that no process writes to"));
            }
            Drained::NobodyWrites => Vec::new(),
            Drained::Silent => return Err(not("is a pipe whose writer sends nothing")),
        },
    };
    match bytes.len() as u64 > largest {
        true => Err(not("is too large")),
        false => Ok(bytes),
    }
}

/// What was read of a pipe.
#[derive(Debug, PartialEq, Eq)]
pub enum Drained {
    /// All of it, or one byte more than was to be read.
    All(Vec<u8>),
    /// Its other end is closed, and nothing was in it.
    NobodyWrites,
    /// Its other end is open, and it was not written to its end in time.
    Silent,
}

/// Reads a pipe that was opened without blocking to its end, and no more than
/// `largest` bytes of it and one.
///
/// # Errors
/// Those of reading.
pub fn drain(pipe: &mut File, largest: u64, limit: Instant) -> std::io::Result<Drained> {
    const PAUSE: Duration = Duration::from_millis(2);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() as u64 <= largest {
        match pipe.read(&mut buffer) {
            Ok(0) if bytes.is_empty() => return Ok(Drained::NobodyWrites),
            Ok(0) => break,
            Ok(count) => bytes.extend(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(_) if Instant::now() > limit => return Ok(Drained::Silent),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
    bytes.truncate(
        usize::try_from(largest)
            .unwrap_or(usize::MAX)
            .saturating_add(1),
    );
    Ok(Drained::All(bytes))
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
        false if kind.is_dir() => Err(Unreadable::because("is a directory")),
        false => Ok(()),
    }
}

/// An entry of a directory of certificates and revocation lists that OpenSSL
/// must not come to: it opens what an issuer's name leads to (`HASH.0`,
/// `HASH.r0`), waits for a pipe, and reads a device for ever.
pub fn unfit_for_openssl(directory: &Path) -> Option<PathBuf> {
    const LARGEST_LIST: u64 = 64 << 20;
    let is_looked_up = |name: &str| {
        name.split_once('.').is_some_and(|(hash, number)| {
            let number = number.strip_prefix('r').unwrap_or(number);
            hash.len() == 8
                && hash.bytes().all(|b| b.is_ascii_hexdigit())
                && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let entries = fs::read_dir(directory).ok()?.flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_looked_up))
        .map(|entry| entry.path())
        .find(|path| {
            fs::metadata(path).is_ok_and(|about| {
                !about.is_dir() && (!about.is_file() || about.len() > LARGEST_LIST)
            })
        })
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
        let nobody = "is a pipe that no process writes to";
        assert_eq!(read(&pipe).unwrap_err().problem, nobody);
        let writer = OpenOptions::new().read(true).write(true).open(&pipe);
        let late = read_until(&pipe, 9, Instant::now()).unwrap_err();
        assert_eq!(late.problem, "is a pipe whose writer sends nothing");
        drop(writer);
        assert_eq!(read(Path::new("/dev/null")), Ok(Vec::new()));
        assert_eq!(
            read(Path::new("/dev/zero")).unwrap_err().problem,
            "is too large"
        );
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(read(&file), Ok(b"x".to_vec()));
    }
}
