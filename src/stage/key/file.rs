//! Reading a key file: bounded, never hanging, with what the file system says
//! about it.

use std::fs::{Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::config::files::{Drained, PATIENCE, drain};

/// The most that is read of a file: a key of 16384 bits takes 13 kB.
pub const LARGEST: u64 = 1 << 20;

/// A file's content and standing.
pub struct KeyFile {
    /// Its first [`LARGEST`] bytes.
    pub content: Vec<u8>,
    /// The permission bits.
    pub mode: u32,
    /// The owner's id.
    pub uid: u32,
    /// The owner's name, where there is one.
    pub owner: Option<String>,
    /// What a symbolic link leads to.
    pub link: Option<PathBuf>,
    /// Directories above that others may write to, so that they can put
    /// another key in its place.
    pub open_parents: Vec<PathBuf>,
}

/// Why nothing was read.
#[derive(Debug)]
pub enum Unread {
    /// There is no such file; the second part is where a dangling link leads.
    Missing(std::io::Error, Option<PathBuf>),
    /// It is there and may not be read.
    Unreadable(std::io::Error),
    /// It is there and no file to hold a key.
    NotAFile(&'static str),
}

/// Reads a key file without ever waiting for a device or a silent pipe.
pub fn read(path: &Path) -> Result<KeyFile, Unread> {
    let metadata = std::fs::metadata(path).map_err(|error| unread(path, error))?;
    if let Some(kind) = unsuitable(&metadata) {
        return Err(Unread::NotAFile(kind));
    }
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| unread(path, error))?;
    // What was opened counts, not what the name stood for before.
    let metadata = file.metadata().map_err(Unread::Unreadable)?;
    if let Some(kind) = unsuitable(&metadata) {
        return Err(Unread::NotAFile(kind));
    }
    let is_pipe = metadata.file_type().is_fifo();
    let mut content = match is_pipe {
        true => match drain(&mut file, LARGEST, Instant::now() + PATIENCE) {
            Ok(Drained::All(content)) => content,
            Ok(Drained::NobodyWrites) => {
                return Err(Unread::NotAFile("a pipe that no process writes to"));
            }
            Ok(Drained::Silent) => {
                return Err(Unread::NotAFile("a pipe whose writer sends nothing"));
            }
            Err(error) => return Err(Unread::Unreadable(error)),
        },
        false => {
            let mut content = Vec::new();
            file.take(LARGEST + 1)
                .read_to_end(&mut content)
                .map_err(Unread::Unreadable)?;
            content
        }
    };
    if content.is_empty() {
        return Err(Unread::NotAFile("an empty file"));
    }
    content.truncate(LARGEST as usize);
    let uid = nix::unistd::Uid::from_raw(metadata.uid());
    Ok(KeyFile {
        content,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        owner: nix::unistd::User::from_uid(uid)
            .ok()
            .flatten()
            .map(|user| user.name),
        link: std::fs::read_link(path).ok(),
        open_parents: open_parents(path),
    })
}

/// What kind of thing it is, if not one that can be read to its end.
fn unsuitable(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        Some("a directory")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        None
    }
}

fn unread(path: &Path, error: std::io::Error) -> Unread {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
            Unread::Missing(error, std::fs::read_link(path).ok())
        }
        // A name with a NUL cannot exist.
        ErrorKind::InvalidInput => Unread::Missing(error, None),
        _ => Unread::Unreadable(error),
    }
}

/// The directories above the file, its real place, that group or world may
/// write to; with the sticky bit, as `/tmp` has it, files are safe in them.
fn open_parents(path: &Path) -> Vec<PathBuf> {
    const STICKY: u32 = 0o1000;
    let Ok(real) = std::fs::canonicalize(path) else {
        return Vec::new();
    };
    real.ancestors()
        .skip(1)
        .filter(|directory| {
            std::fs::metadata(directory)
                .is_ok_and(|found| found.mode() & 0o022 != 0 && found.mode() & STICKY == 0)
        })
        .map(Path::to_owned)
        .collect()
}
