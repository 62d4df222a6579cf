//! Where a report goes: standard output, and the file of `--output`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::{Exit, usage};
use crate::cli::{FailOn, Format, OutputArgs};
use crate::finding::Status;
use crate::render;
use crate::render::style::{Style, width_of};
use crate::report::Report;
use crate::surroundings::Surroundings;

/// Whether the file of `--output` can be written, asked before the run so that
/// nobody waits for a report that is then lost.
///
/// # Errors
/// The usage error to end with.
pub fn writable(output: &OutputArgs) -> Result<(), Exit> {
    match &output.output {
        Some(path) => check(path).map_err(|error| refuse(&error)),
        None => Ok(()),
    }
}

fn refuse(error: &io::Error) -> Exit {
    usage(&format!("the file of --output cannot be written: {error}"))
}

fn check(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(access(path, AccessFlags::W_OK)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() => {
            let folder = folder(path);
            match fs::metadata(&folder)? {
                about if about.is_dir() => Ok(access(
                    folder.as_path(),
                    AccessFlags::W_OK | AccessFlags::X_OK,
                )?),
                _ => Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Err(error) => Err(error),
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where the report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Standard output, as ever.
    Stdout,
    /// Standard error: standard output belongs to a command that comes next.
    Stderr,
}

/// Prints the report, writes it to the file of `--output`, and says how the
/// process ends.
pub fn conclude(report: &Report, output: &OutputArgs, around: &Surroundings) -> Exit {
    conclude_to(To::Stdout, report, output, around)
}

/// The same with a choice of where it is printed.
pub fn conclude_to(to: To, report: &Report, output: &OutputArgs, around: &Surroundings) -> Exit {
    let shown = match output.format() {
        Format::Table => {
            let width = match to {
                To::Stdout => width_of(io::stdout()),
                To::Stderr => width_of(io::stderr()),
            };
            render::table::render(report, &Style::new(output, around, width)).into_bytes()
        }
        Format::Json => render::json::render(report),
    };
    if let Err(exit) = deliver(to, &shown, output, || render::json::render(report)) {
        return exit;
    }
    match report.verdict().status {
        _ if report.interrupted => Exit::Interrupted,
        Status::Fail => Exit::Cause,
        Status::Warn if output.fail_on == FailOn::Warn => Exit::Cause,
        _ => Exit::Success,
    }
}

/// Prints what is shown, and writes the JSON to the file of `--output`.
///
/// # Errors
/// How to end where one of them cannot be written.
pub fn deliver(
    to: To,
    shown: &[u8],
    output: &OutputArgs,
    json: impl FnOnce() -> Vec<u8>,
) -> Result<(), Exit> {
    let printed = match to {
        To::Stdout => print(shown),
        To::Stderr => {
            // Who closed standard error does not want to know.
            let _ = io::stderr().write_all(shown);
            Exit::Success
        }
    };
    if let Some(path) = &output.output {
        replace(path, &json()).map_err(|error| refuse(&error))?;
    }
    match printed {
        Exit::Success => Ok(()),
        failed => Err(failed),
    }
}

/// Writes to standard output. A reader that went away has read enough.
pub fn print(bytes: &[u8]) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            usage(&format!("standard output cannot be written: {error}"))
        }
        _ => Exit::Success,
    }
}

/// Where a link leads to that leads to no file yet; the path itself for any other.
fn behind(path: &Path) -> PathBuf {
    const LONGEST_CHAIN: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LONGEST_CHAIN {
        match fs::read_link(&path) {
            Ok(next) => path = folder(&path).join(next),
            Err(_) => break,
        }
    }
    path
}

/// Has a file that exceeds the limit on its size (`ulimit -f`) be an error and
/// not the end of this process.
fn on_limit() -> Option<tokio::signal::unix::Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::runtime::Handle::try_current().ok()?;
    signal(SignalKind::from_raw(libc::SIGXFSZ)).ok()
}

/// Puts the bytes in the place of a file, all of them or none: they are
/// written beside it and moved. What is no regular file is written directly.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link is followed; the file behind it is replaced, or made.
    let target = fs::canonicalize(path).unwrap_or_else(|_| behind(path));
    let _limit = on_limit();
    let mode = match fs::metadata(&target) {
        Ok(about) if about.is_file() => Some(about.permissions().mode() & 0o7777),
        Ok(_) => {
            return fs::OpenOptions::new()
                .write(true)
                .open(&target)?
                .write_all(bytes);
        }
        Err(_) => None,
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dbdoctor-");
    // As any new file: the umask takes from it what it must.
    builder.permissions(fs::Permissions::from_mode(mode.unwrap_or(0o666)));
    match builder.tempfile_in(folder(&target)) {
        Ok(mut file) => {
            file.write_all(bytes)?;
            file.persist(&target).map_err(|error| error.error)?;
            Ok(())
        }
        // The file may be written although its folder may not.
        Err(_) => fs::write(&target, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_no_file_yet_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (new, ahead) = (dir.path().join("new.json"), dir.path().join("ahead"));
        std::os::unix::fs::symlink("new.json", &ahead).unwrap();
        replace(&ahead, b"new").unwrap();
        assert_eq!(fs::read(&new).unwrap(), b"new");
        assert!(ahead.is_symlink());
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        check(&path).unwrap();
        replace(&path, b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(link.is_symlink());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_found_out_before() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check(dir.path()).is_err());
        assert!(check(&dir.path().join("no/such/folder")).is_err());
        assert!(check(Path::new("")).is_err());
        assert!(check(Path::new("/dev/null")).is_ok());
    }
}
