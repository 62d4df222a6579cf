//! The `--output` file: written completely or not at all, never through another
//! user's symbolic link, never waiting for a reader. That of `--repair`: new, or
//! not at all.
//!
//! The path is walked here, one component at a time and each relative to the
//! directory before it, because the kernel protects symbolic links in shared
//! directories only when it follows them itself, not when a file is replaced by
//! renaming.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, stat};
use nix::unistd::{AccessFlags, Gid, UnlinkatFlags, faccessat, fchown, geteuid, linkat, unlinkat};

/// How long the reader of a pipe may take for the report.
const PATIENCE: Duration = Duration::from_secs(10);

/// The mode of a new file.
const NEW: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// The mode of a new file that other users' programs collect.
const COLLECTED: Mode = NEW.union(Mode::S_IRGRP).union(Mode::S_IROTH);

/// Why a new file is not written over what is there.
const TAKEN: &str = "it is there already; give the name of a new file";

/// As many links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;

/// Enough to look things up in a directory: reading it is not always allowed.
#[cfg(target_os = "linux")]
const DIRECTORY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);
#[cfg(not(target_os = "linux"))]
const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

/// Whether the report can be written to this path, by the rules of [`write()`]
/// and without a trace: a pipe is not opened, since its reader would notice.
///
/// # Errors
/// Why it cannot.
pub fn check(path: &Path) -> io::Result<()> {
    Place::find(path)?.admit()
}

/// Writes to this path. A file is replaced whole, with the mode that it had
/// where it was ours, else with 0600: a report names hosts and users. A pipe
/// or a device is written to as far as its reader takes it.
///
/// # Errors
/// Why that cannot be done.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_as(path, bytes, NEW)
}

/// [`write()`] for what other users' programs collect: a new file gets mode 0644.
///
/// # Errors
/// Why that cannot be done.
pub fn write_collected(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_as(path, bytes, COLLECTED)
}

/// Writes after what is in a file, which is made where there is none. A file that
/// another user may have put there is not written to.
///
/// # Errors
/// Why that cannot be done.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = Place::find(path)?;
    place.admit()?;
    match &place.found {
        Some(found) if place.is_planted(found) => refuse("it belongs to another user"),
        Some(found) if is(found, SFlag::S_IFREG) => place.append(found, bytes),
        Some(_) => place.feed(bytes),
        None => place.put(bytes, Put::New, NEW).map_err(Failure::into_error),
    }
}

fn write_as(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let place = Place::find(path)?;
    place.admit()?;
    match &place.found {
        Some(found) if !is(found, SFlag::S_IFREG) => place.feed(bytes),
        Some(found) if place.is_open_file => place.append(found, bytes),
        found => match place.put(bytes, Put::Over, mode) {
            // The file may be written although its directory may not, or it
            // is a mount point, as files handed into a container are.
            Err(Failure::Directory(_)) if found.is_some() => place.overwrite(bytes),
            put => put.map_err(Failure::into_error),
        },
    }
}

/// Whether [`create()`] can write to this path.
///
/// # Errors
/// Why it cannot.
pub fn check_new(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => refuse(TAKEN),
        Err(_) => check(path),
    }
}

/// Writes a new file with mode 0600, never in the place of what is there: a
/// link is not followed.
///
/// # Errors
/// Why that cannot be done; then there is no file.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    check_new(path)?;
    let place = Place::find(path)?;
    place.admit()?;
    match place.found {
        Some(_) => refuse(TAKEN),
        None => place
            .put(bytes, Put::New, NEW)
            .map_err(|failure| match failure {
                Failure::Directory(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    io::Error::other(TAKEN)
                }
                failure => failure.into_error(),
            }),
    }
}

/// Whether two paths lead to the same place.
pub fn is_one_place(a: &Path, b: &Path) -> bool {
    let (Ok(a), Ok(b)) = (Place::find(a), Place::find(b)) else {
        return false;
    };
    let folders = (fstat(&a.directory), fstat(&b.directory));
    a.name == b.name && matches!(folders, (Ok(a), Ok(b)) if is_same(&a, &b))
}

/// Where a path leads.
struct Place {
    directory: OwnedFd,
    /// Users other than its owner can make entries in the directory.
    shared: bool,
    /// Only its owner can remove an entry from the directory.
    sticky: bool,
    name: OsString,
    found: Option<FileStat>,
    /// The name is one of procfs's links to open files (`/dev/stdout`,
    /// `/dev/fd/63`), which may have no path of their own.
    is_open_file: bool,
}

/// How a file comes to its place.
#[derive(Clone, Copy, PartialEq)]
enum Put {
    /// In the place of the one that is there, if any.
    Over,
    /// Where there is none.
    New,
}

/// Why a file was not put in its place.
enum Failure {
    /// Its directory does not allow it.
    Directory(io::Error),
    /// The new file cannot be filled.
    File(io::Error),
}

impl Failure {
    fn into_error(self) -> io::Error {
        match self {
            Failure::Directory(error) | Failure::File(error) => error,
        }
    }
}

impl Place {
    fn find(path: &Path) -> io::Result<Self> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut directory = openat(AT_FDCWD, ".", DIRECTORY, Mode::empty())?;
        let mut ahead = components(path);
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let last = ahead.is_empty();
            let found = match fstatat(&directory, &*name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Err(Errno::ENOENT) if last => None,
                found => Some(found?),
            };
            let link = found.filter(|found| is(found, SFlag::S_IFLNK));
            // Links of procfs are the kernel's own, and only it can follow them.
            let is_open_file = link.is_some() && is_procfs(&directory);
            if let Some(link) = link
                && !is_open_file
            {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::ELOOP.into());
                }
                ahead.extend(components(&read_link(&directory, &name, &link)?));
            } else if !last {
                let flags = match is_open_file {
                    true => DIRECTORY,
                    false => DIRECTORY | OFlag::O_NOFOLLOW,
                };
                directory = openat(&directory, &*name, flags, Mode::empty())?;
            } else {
                let found = match is_open_file {
                    true => Some(fstatat(&directory, &*name, AtFlags::empty())?),
                    false => found,
                };
                let mode = fstat(&directory)?.st_mode;
                return Ok(Self {
                    directory,
                    shared: mode & 0o022 != 0,
                    sticky: mode & libc::S_ISVTX != 0,
                    name,
                    found,
                    is_open_file,
                });
            }
        }
        // The path is `.` alone.
        Err(io::ErrorKind::IsADirectory.into())
    }

    /// Whether the rules and the system let the report be written here.
    fn admit(&self) -> io::Result<()> {
        let Some(found) = &self.found else {
            if is_procfs(&self.directory) {
                return Err(Errno::ENOENT.into());
            }
            let may = AccessFlags::W_OK | AccessFlags::X_OK;
            return Ok(faccessat(&self.directory, ".", may, AtFlags::AT_EACCESS)?);
        };
        match kind(found) {
            SFlag::S_IFDIR => return Err(io::ErrorKind::IsADirectory.into()),
            SFlag::S_IFREG | SFlag::S_IFIFO | SFlag::S_IFCHR => {}
            _ => return refuse("not a regular file or pipe"),
        }
        let replaceable = is(found, SFlag::S_IFREG) && !self.sticky;
        if self.is_planted(found) && !replaceable {
            return refuse(&format!(
                "it belongs to another user (uid {}), and its directory is writable by others",
                found.st_uid
            ));
        }
        Ok(faccessat(
            &self.directory,
            &*self.name,
            AccessFlags::W_OK,
            AtFlags::AT_EACCESS,
        )?)
    }

    /// Whether another user may have put this here to get at the report.
    fn is_planted(&self, found: &FileStat) -> bool {
        self.shared && !self.is_open_file && !is_trusted(found.st_uid)
    }

    /// Puts a new file in its place, once it is whole.
    fn put(&self, bytes: &[u8], how: Put, mode: Mode) -> Result<(), Failure> {
        let mut random = [0; 8];
        openssl::rand::rand_bytes(&mut random).map_err(|error| Failure::File(error.into()))?;
        let name = format!(".dbdoctor-{:016x}", u64::from_ne_bytes(random));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, &*name, flags, NEW)
            .map_err(|error| Failure::Directory(error.into()))?;
        let (from, to) = ((&self.directory, &*name), (&self.directory, &*self.name));
        let put = self
            .fill(File::from(file), bytes, mode)
            .map_err(Failure::File)
            .and_then(|()| {
                match how {
                    Put::Over => renameat(from.0, from.1, to.0, to.1),
                    Put::New => linkat(from.0, from.1, to.0, to.1, AtFlags::empty()),
                }
                .map_err(|error| Failure::Directory(error.into()))
            });
        if put.is_err() || how == Put::New {
            let _ = unlinkat(&self.directory, &*name, UnlinkatFlags::NoRemoveDir);
        }
        put
    }

    /// Fills a new file, and gives it its mode: that of the one before it where that
    /// was ours.
    fn fill(&self, mut file: File, bytes: &[u8], mut mode: Mode) -> io::Result<()> {
        // A second name may be somebody else's, with a mode meant for the first.
        let ours = |found: &&FileStat| found.st_uid == geteuid().as_raw() && found.st_nlink == 1;
        if let Some(before) = self.found.as_ref().filter(ours) {
            mode = Mode::from_bits_truncate(before.st_mode & 0o777);
            let group = Gid::from_raw(before.st_gid);
            if fstat(&file)?.st_gid != before.st_gid && fchown(&file, None, Some(group)).is_err() {
                // Its group's permissions are not for another group.
                mode.remove(Mode::S_IRWXG);
            }
        }
        file.write_all(bytes)?;
        // Not left to the umask.
        fchmod(&file, mode)?;
        flush(&file)
    }

    /// Writes over the contents of a file that cannot be replaced.
    fn overwrite(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open(OFlag::empty())?;
        let before = fstat(&file)?;
        if self.shared && (before.st_nlink > 1 || self.is_planted(&before)) {
            return refuse("its directory is writable by others, who might have created it");
        }
        if let Err(error) = reserve(&file, bytes.len()) {
            let _ = file.set_len(before.st_size.unsigned_abs());
            return Err(error);
        }
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        flush(&file)
    }

    /// Writes to a file that is open already, after what is in it.
    fn append(&self, found: &FileStat, bytes: &[u8]) -> io::Result<()> {
        // Our own streams keep their place in it, which a second opening has not.
        let (stdout, stderr) = (io::stdout(), io::stderr());
        for stream in [stdout.as_fd(), stderr.as_fd()] {
            if fstat(stream).is_ok_and(|about| is_same(&about, found)) {
                return File::from(stream.try_clone_to_owned()?).write_all(bytes);
            }
        }
        self.open(OFlag::O_APPEND)?.write_all(bytes)
    }

    /// Writes to a pipe or a device for as long as it takes what it is given.
    fn feed(&self, bytes: &[u8]) -> io::Result<()> {
        const PAUSE: Duration = Duration::from_millis(2);
        let limit = Instant::now() + PATIENCE;
        let mut file = match self.open(OFlag::empty()) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                return refuse("no process reads from it");
            }
            file => file?,
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if Instant::now() > limit => {
                    return refuse(&format!(
                        "its reader did not read the report within {} s",
                        PATIENCE.as_secs()
                    ));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        Ok(())
    }

    /// Opens for writing what was found here, and nothing that has taken its
    /// place since.
    fn open(&self, flags: OFlag) -> io::Result<File> {
        let mut flags =
            flags | OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        flags.set(OFlag::O_NOFOLLOW, !self.is_open_file);
        let file = openat(&self.directory, &*self.name, flags, Mode::empty())?;
        let about = fstat(&file)?;
        match self.found.is_some_and(|found| is_same(&about, &found)) {
            true => Ok(File::from(file)),
            false => refuse("it was replaced while the report was being written"),
        }
    }
}

/// The names of a path, the last one first.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev();
    names
        .filter(|name| *name != Component::CurDir)
        .map(|name| name.as_os_str().to_owned())
        .collect()
}

/// Where a link leads, provided that it is not another user's.
fn read_link(directory: &OwnedFd, name: &OsStr, link: &FileStat) -> io::Result<PathBuf> {
    if !is_trusted(link.st_uid) {
        return refuse(&format!(
            "its path contains a symbolic link owned by another user (uid {}); use the real path",
            link.st_uid
        ));
    }
    let to = readlinkat(directory, name)?;
    // The link that was read is the one that was looked at.
    let still = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    match is_same(&still, link) {
        true => Ok(to.into()),
        false => refuse("a symbolic link in its path was replaced while it was being read"),
    }
}

/// Whether a user's links and files can be relied on: our own, and those of
/// root. The owner of `/` counts as root, whose number is another one in a
/// user namespace.
fn is_trusted(user: u32) -> bool {
    user == geteuid().as_raw() || user == 0 || stat("/").is_ok_and(|root| root.st_uid == user)
}

fn kind(about: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(about.st_mode) & SFlag::S_IFMT
}

fn is(about: &FileStat, wanted: SFlag) -> bool {
    kind(about) == wanted
}

fn is_same(a: &FileStat, b: &FileStat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

#[cfg(target_os = "linux")]
fn is_procfs(directory: &OwnedFd) -> bool {
    use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
    fstatfs(directory).is_ok_and(|system| system.filesystem_type() == PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_procfs(_: &OwnedFd) -> bool {
    false
}

/// Has the file system set room aside, so that a full one is found out before
/// anything is overwritten.
#[cfg(target_os = "linux")]
fn reserve(file: &File, length: usize) -> io::Result<()> {
    let length = length.try_into().map_err(io::Error::other)?;
    match nix::fcntl::posix_fallocate(file, 0, length) {
        Err(full @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG)) => Err(full.into()),
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: usize) -> io::Result<()> {
    Ok(())
}

/// Waits for the disk: network file systems say only now that they are full.
fn flush(file: &File) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    match file.sync_all() {
        Err(error) if !matches!(error.kind(), InvalidInput | Unsupported) => Err(error),
        _ => Ok(()),
    }
}

fn refuse<T>(why: &str) -> io::Result<T> {
    Err(io::Error::other(why.to_owned()))
}
