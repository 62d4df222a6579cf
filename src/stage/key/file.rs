//! Reading a key file: bounded, never hanging, with what the file system says
//! about it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The most that is read of a file: a key of 16384 bits takes 13 kB.
pub const LARGEST: u64 = 1 << 20;

/// How long a pipe's writer may take.
const PIPE_PATIENCE: Duration = Duration::from_secs(2);

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
    let file = OpenOptions::new()
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
        true => read_pipe(file)?,
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

/// Reads a pipe to its end. Without a writer that is at once; a writer that
/// says nothing is given up.
fn read_pipe(mut pipe: File) -> Result<Vec<u8>, Unread> {
    let limit = Instant::now() + PIPE_PATIENCE;
    let mut content = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) if content.is_empty() => {
                return Err(Unread::NotAFile("a pipe that nobody writes to"));
            }
            Ok(0) => return Ok(content),
            Ok(count) => content.extend(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if Instant::now() > limit {
                    return Err(Unread::NotAFile("a pipe whose writer stays silent"));
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Unread::Unreadable(error)),
        }
        if content.len() as u64 > LARGEST || Instant::now() > limit {
            return Ok(content);
        }
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
