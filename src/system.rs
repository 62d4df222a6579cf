//! The outside world, passed in: environment variables, home, user, folder.
//! Tests build one by hand; only [`System::of_process`] asks the system.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::process::Variables;
use crate::secret::Secret;
use crate::vantage::{self, Vantage};

/// The environment, where the process's own was written over.
static REMEMBERED: OnceLock<Variables> = OnceLock::new();

/// Keeps the environment's variables for [`System::of_process`]: the process's own are
/// written over ([`crate::initial_stack`]).
pub fn remember_variables() {
    REMEMBERED.get_or_init(variables);
}

fn variables() -> Variables {
    let variables = std::env::vars_os();
    variables
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// What the process stands in.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// The environment variables; values need not be UTF-8, and any may hold a secret.
    pub vars: Variables,
    /// The home directory: `HOME`, else the user database.
    pub home: Option<PathBuf>,
    /// The current directory.
    pub cwd: PathBuf,
    /// The operating-system user's name, from the effective user id as libpq
    /// and OpenSSH take it, not from `USER`.
    pub os_user: Option<String>,
    /// The user whom OpenSSH takes: that of the real user id in the user
    /// database. `None` where it has no such entry.
    pub account: Option<Account>,
    /// The effective user id.
    pub uid: u32,
    /// Whether a person can be asked: standard input and error are terminals.
    pub interactive: bool,
    /// The process that all of these are of, where it is not this one (`--pid`).
    pub process: Option<Arc<Vantage>>,
}

/// An entry of the user database.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The home directory, whatever `HOME` says.
    pub home: PathBuf,
}

impl System {
    /// The real ones.
    pub fn of_process() -> Self {
        use std::io::IsTerminal;
        let uid = nix::unistd::geteuid();
        let user = nix::unistd::User::from_uid(uid).ok().flatten();
        let account = nix::unistd::User::from_uid(nix::unistd::getuid());
        let account = account.ok().flatten().map(|user| Account {
            name: user.name,
            home: user.dir,
        });
        let home = std::env::var_os("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from)
            .or_else(|| user.as_ref().map(|user| user.dir.clone()));
        Self {
            vars: REMEMBERED.get().cloned().unwrap_or_else(variables),
            home,
            cwd: std::env::current_dir().unwrap_or_default(),
            os_user: user.map(|user| user.name),
            account,
            uid: uid.as_raw(),
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            process: vantage::taken(),
        }
    }

    /// The home directory of OpenSSH's files (ssh.c, `main`; misc.c,
    /// `tilde_expand`): it does not look at `HOME`.
    pub fn ssh_home(&self) -> Option<&Path> {
        self.account.as_ref().map(|account| account.home.as_path())
    }

    /// A variable that is set, as text. One that is not UTF-8 is read lossily.
    pub fn var(&self, name: &str) -> Option<String> {
        self.vars
            .get(&OsString::from(name))
            .map(Secret::expose_owned)
    }
}
