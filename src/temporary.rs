//! Temporary files, for this user alone whatever the umask.
//!
//! A [`Folder`] is for programs that need a path and holds no secret: a kill
//! leaves it behind. A secret goes into a [`Nameless`] file, which is on no
//! disk and gone with the last process that holds it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

/// How the folders are called; `tempfile` adds something random.
const PREFIX: &str = "dbdoctor-run-";
/// No run needs a folder for so long: one that is older was left by a kill.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// A directory of temporary files is searched no further.
const MOST_ENTRIES: usize = 10_000;
/// Where a process finds its own descriptors.
const DESCRIPTORS: &str = match cfg!(target_os = "linux") {
    true => "/proc/self/fd",
    false => "/dev/fd",
};

/// A directory that only this user can enter, removed when it is dropped.
pub struct Folder(TempDir);

impl Folder {
    /// An empty one. Those that killed runs left are removed.
    ///
    /// # Errors
    /// Where none can be made.
    pub fn new() -> io::Result<Self> {
        sweep(&std::env::temp_dir());
        Self::within(&std::env::temp_dir())
    }

    fn within(place: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        // The umask may have taken from it what this user needs.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700))?;
        Ok(Self(folder))
    }

    /// Where a file of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a new file that only this user can read.
    ///
    /// # Errors
    /// Where it cannot be written, or is there already.
    pub fn write(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        self.create(name, content, 0o600)
    }

    /// Writes a new program that only this user can run.
    ///
    /// # Errors
    /// Where it cannot be written, or is there already.
    pub fn script(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        self.create(name, content, 0o700)
    }

    fn create(&self, name: &str, content: &str, mode: u32) -> io::Result<PathBuf> {
        let path = self.path(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(content.as_bytes())?;
        Ok(path)
    }
}

/// Removes this user's folders that are too old to be in use.
fn sweep(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries.take(MOST_ENTRIES) {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let left_behind = fs::symlink_metadata(&path).is_ok_and(|meta| {
            let age = meta.modified().ok().and_then(|at| at.elapsed().ok());
            meta.is_dir()
                && meta.uid() == nix::unistd::geteuid().as_raw()
                && meta.mode() & 0o7777 == 0o700
                && age.is_some_and(|age| age > LONGEST)
        });
        if left_behind {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// A file without a name on any disk, mode 0600: libpq takes a password file
/// for nothing else. A process that has inherited the descriptor reads it as
/// often as it likes under [`Nameless::path`].
pub struct Nameless(File);

impl Nameless {
    /// One that holds this.
    ///
    /// # Errors
    /// Where the system has no such files, or no names for descriptors.
    pub fn new(content: &[u8]) -> io::Result<Self> {
        // One that a sandbox forbids to be in memory is deleted before it is written.
        let mut file = in_memory().or_else(|_| tempfile::tempfile())?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(content)?;
        // Outside Linux whoever opens it begins where we stand.
        file.rewind()?;
        let file = Self(file);
        fs::metadata(file.path())?;
        Ok(file)
    }

    /// Its name in this process and in those that inherit the descriptor.
    pub fn path(&self) -> PathBuf {
        Path::new(DESCRIPTORS).join(self.0.as_raw_fd().to_string())
    }
}

impl From<Nameless> for OwnedFd {
    fn from(file: Nameless) -> Self {
        file.0.into()
    }
}

#[cfg(target_os = "linux")]
fn in_memory() -> io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    Ok(memfd_create("dbdoctor", MFdFlags::MFD_CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    /// The umask belongs to the whole process, so each has one of its own:
    /// this very test, run again.
    #[test]
    fn modes_do_not_depend_on_the_umask() {
        const INSIDE: &str = "DBDOCTOR_TEST_UMASK";
        if std::env::var_os(INSIDE).is_some() {
            let folder = Folder::new().unwrap();
            assert_eq!(mode(folder.0.path()), 0o700);
            assert_eq!(mode(&folder.write("file", "x").unwrap()), 0o600);
            assert_eq!(mode(&folder.script("script", "x").unwrap()), 0o700);
            assert_eq!(mode(&Nameless::new(b"x").unwrap().path()), 0o600);
            return;
        }
        for umask in ["000", "002", "022", "077", "277"] {
            let status = std::process::Command::new("sh")
                .args(["-c", "umask $1 && exec \"$0\" --exact $2"])
                .arg(std::env::current_exe().unwrap())
                .args([umask, "temporary::tests::modes_do_not_depend_on_the_umask"])
                .env(INSIDE, "1")
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "umask {umask}");
        }
    }

    #[test]
    fn nothing_that_is_there_is_written_over() {
        let folder = Folder::new().unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.path("link")).unwrap();
        assert!(folder.write("link", "x").is_err());
        folder.write("file", "x").unwrap();
        assert!(folder.script("file", "x").is_err());
    }

    #[test]
    fn a_nameless_file_is_read_again_and_again() {
        let file = Nameless::new(b"content").unwrap();
        assert!(fs::metadata(file.path()).unwrap().is_file());
        assert_eq!(fs::read(file.path()).unwrap(), b"content");
        #[cfg(target_os = "linux")]
        assert_eq!(fs::read(file.path()).unwrap(), b"content");
    }

    #[test]
    fn what_a_kill_left_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let keep = |folder: Folder| folder.0.keep();
        let old = keep(Folder::within(place.path()).unwrap());
        let young = keep(Folder::within(place.path()).unwrap());
        let other = place.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::set_permissions(&other, Permissions::from_mode(0o700)).unwrap();
        for path in [&old, &other] {
            let long_ago = SystemTime::now() - LONGEST * 2;
            File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
        sweep(place.path());
        assert!(!old.exists() && young.exists() && other.exists());
    }
}
