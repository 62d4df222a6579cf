//! What `/proc` tells of a process, read from outside before its place is taken.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use procfs::ProcError;
use procfs::process::{FDTarget, MMapPath, Process, Stat, Status};

use super::{Refusal, Traces, environment};
use crate::text;

/// More than the kernel lets an environment be.
const LARGEST: u64 = 16 << 20;
/// A process with more files than this is not looked at further.
const MOST_FILES: usize = 65_536;
/// `PF_KTHREAD` of the kernel's `sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// A running process whose place can be taken, as far as reading goes.
pub struct Found {
    /// Its id.
    pub pid: i32,
    /// Its name, safe to show.
    pub name: String,
    /// What `/proc/PID/status` says.
    pub status: Status,
    /// Its environment.
    pub variables: Vec<(OsString, OsString)>,
    /// Its user namespace, where it is not ours.
    pub user: Option<File>,
    /// Its network namespace, where it is not ours.
    pub network: Option<File>,
    /// Its mount namespace, where it is not ours.
    pub mounts: Option<File>,
    /// Its root directory, where it is not ours.
    pub root: Option<File>,
    /// Its working directory, as it would write it.
    pub directory: PathBuf,
    /// What tells which driver it uses.
    pub traces: Traces,
    process: Process,
    started: u64,
}

impl Found {
    /// Looks at a process.
    ///
    /// # Errors
    /// Where it is not there, has no such things, or may not be looked at.
    pub fn look(pid: i32) -> Result<Self, Refusal> {
        let process = Process::new(pid).map_err(|error| gone(pid, &error))?;
        let stat = process.stat().map_err(|error| gone(pid, &error))?;
        let name = shown(&stat.comm);
        can_be_looked_from(pid, &name, &stat)?;
        let status = process.status().map_err(|error| gone(pid, &error))?;
        let forbidden = |what: &str, error: ProcError| match error {
            ProcError::PermissionDenied(_) => Refusal {
                why: format!(
                    "{what} of process {pid} ({name}, uid {}) may not be read by this user",
                    status.euid
                ),
                privileged: true,
            },
            error => gone(pid, &error),
        };
        let mut bytes = Vec::new();
        let file = process.open_relative("environ");
        let file = file.map_err(|error| forbidden("the environment", error))?;
        let read = file.take(LARGEST).read_to_end(&mut bytes);
        read.map_err(|error| forbidden("the environment", error.into()))?;
        let variables = environment::read(&bytes).ok_or_else(|| overwritten(pid, &name, &stat))?;
        let apart = |kind: &str| -> Result<Option<File>, Refusal> {
            let theirs = process
                .open_relative(format!("ns/{kind}"))
                .map_err(|error| forbidden("the namespaces", error))?;
            Ok(Some(theirs).filter(|theirs| !is_ours(theirs, &format!("/proc/self/ns/{kind}"))))
        };
        let (user, network, mounts) = (apart("user")?, apart("net")?, apart("mnt")?);
        let root = place(&Path::new("/proc").join(pid.to_string()).join("root"))
            .map_err(|error| forbidden("the root directory", error.into()))?;
        let root = Some(root).filter(|root| mounts.is_some() || !is_ours(root, "/"));
        let top = match root {
            Some(_) => process.root().unwrap_or_default(),
            None => PathBuf::new(),
        };
        let own = |path: PathBuf| within(&top, path);
        let directory = process
            .cwd()
            .map_err(|error| forbidden("the working directory", error))?;
        let found = Self {
            pid,
            traces: traces(&process, &own),
            directory: own(directory),
            started: stat.starttime,
            name,
            status,
            variables,
            user,
            network,
            mounts,
            root,
            process,
        };
        found.still_there()?;
        Ok(found)
    }

    /// Whether all this is of one process: the pid may have gone to another
    /// one meanwhile.
    fn still_there(&self) -> Result<(), Refusal> {
        let now = Process::new(self.pid).and_then(|process| process.stat());
        match now.is_ok_and(|stat| stat.starttime == self.started) && self.process.is_alive() {
            true => Ok(()),
            false => Err(refused(format!("process {} has just ended", self.pid))),
        }
    }

    /// A user or group id within the process's own user namespace.
    pub fn mapped(&self, id: u32, map: &str) -> Option<u32> {
        let Some(_) = self.user else { return Some(id) };
        let mut text = String::new();
        let file = self.process.open_relative(map).ok()?;
        file.take(LARGEST).read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
            let (inner, outer, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
            let offset = id.checked_sub(outer).filter(|offset| *offset < count)?;
            inner.checked_add(offset)
        })
    }
}

/// A process that is no more, or that has no place to look from.
fn can_be_looked_from(pid: i32, name: &str, stat: &Stat) -> Result<(), Refusal> {
    if stat.flags & KERNEL_THREAD != 0 {
        return Err(refused(format!(
            "process {pid} ({name}) is a thread of the kernel: it has no environment and connects \
             to no database"
        )));
    }
    if matches!(stat.state, 'Z' | 'X') {
        return Err(refused(format!(
            "process {pid} ({name}) has ended and only waits to be removed by its parent, process \
             {}",
            stat.ppid
        )));
    }
    Ok(())
}

fn overwritten(pid: i32, name: &str, stat: &Stat) -> Refusal {
    refused(format!(
        "process {pid} ({name}) has written its title over its environment, so that its settings \
         cannot be read; its parent may still have them: --pid {}",
        stat.ppid
    ))
}

fn refused(why: String) -> Refusal {
    Refusal {
        why,
        privileged: false,
    }
}

fn gone(pid: i32, error: &ProcError) -> Refusal {
    match error {
        ProcError::NotFound(_) => refused(format!("no process has the pid {pid}")),
        ProcError::PermissionDenied(_) => Refusal {
            why: format!("process {pid} may not be looked at by this user"),
            privileged: true,
        },
        ProcError::Io(error, _) if error.raw_os_error() == Some(libc::ESRCH) => {
            refused(format!("process {pid} has just ended"))
        }
        error => refused(format!("process {pid} cannot be read: {error}")),
    }
}

/// A directory to go to later, without reading it.
fn place(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
        .open(path)
}

fn is_ours(theirs: &File, ours: &str) -> bool {
    let id = |about: std::fs::Metadata| (about.dev(), about.ino());
    match (theirs.metadata(), std::fs::metadata(ours)) {
        (Ok(theirs), Ok(ours)) => id(theirs) == id(ours),
        _ => false,
    }
}

/// A path as the process itself writes it. From outside it may be shown with
/// the path of the process's root before it.
fn within(root: &Path, path: PathBuf) -> PathBuf {
    match path.strip_prefix(root) {
        Ok(rest) if root.components().count() > 1 => Path::new("/").join(rest),
        _ => path,
    }
}

fn traces(process: &Process, own: &dyn Fn(PathBuf) -> PathBuf) -> Traces {
    let mut mapped: Vec<PathBuf> = process
        .maps()
        .into_iter()
        .flatten()
        .filter_map(|map| match map.pathname {
            MMapPath::Path(path) => Some(own(path)),
            _ => None,
        })
        .collect();
    mapped.sort();
    mapped.dedup();
    let open = process.fd().into_iter().flatten().flatten();
    let open = open.take(MOST_FILES).filter_map(|fd| match fd.target {
        FDTarget::Path(path) => Some(own(path)),
        _ => None,
    });
    let arguments = process.cmdline().unwrap_or_default();
    Traces {
        program: process.open_relative("exe").ok(),
        program_path: process.exe().map(own).unwrap_or_default(),
        arguments,
        mapped,
        open: open.collect(),
    }
}

/// The process chose its name itself.
fn shown(name: &str) -> String {
    text::clean_ours(name)
}
