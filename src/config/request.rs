//! What a run is asked for, however that was said.

use std::path::PathBuf;
use std::time::Duration;

use super::{Guards, HostKeyCheck};
use crate::client::Driver;

/// The target, before anything is read for it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whose settings they are.
    pub whose: Whose,
    /// A URI, a connection string or `host[:port]`.
    pub target: Option<String>,
    /// The same, as an option.
    pub url: Option<String>,
    /// `-h`.
    pub host: Option<String>,
    /// `-p`; not yet known to be a number.
    pub port: Option<String>,
    /// `-U`.
    pub username: Option<String>,
    /// `-d`, which may be a whole target, as in psql.
    pub dbname: Option<String>,
    /// Whether the password is asked for before anything else.
    pub password: bool,
    /// Whether a password is never asked for.
    pub no_password: bool,
    /// Where `DATABASE_URL` and `PG*` are read instead of the environment.
    pub env_file: Option<PathBuf>,
    /// The way over SSH.
    pub ssh: SshRequest,
    /// What must be true of it.
    pub guards: Guards,
}

/// Whose settings they are.
#[derive(Clone, Copy, Debug, Default)]
pub enum Whose {
    /// libpq's, with the spellings of drivers that libpq does not read.
    #[default]
    Libpq,
    /// The driver's whose scheme the URL has, else libpq's.
    Implied,
    /// This driver's, and how that is known.
    As(Driver, &'static str),
}

/// The way over SSH, before `ssh_config` is read.
#[derive(Clone, Debug, Default)]
pub struct SshRequest {
    /// `[USER@]HOST[:PORT]` of each hop, in the order they are passed.
    pub hops: Vec<String>,
    /// Private keys to offer before those that the configuration names.
    pub keys: Vec<PathBuf>,
    /// The configuration, in place of `~/.ssh/config`.
    pub config: Option<PathBuf>,
    /// The known hosts, in place of the configuration's.
    pub known_hosts: Option<PathBuf>,
    /// What to do about an unknown host key, in place of the configuration's.
    pub host_key_check: Option<HostKeyCheck>,
}

/// How long a run may take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Of each stage, per address.
    pub timeout: Option<Duration>,
    /// Of the whole run.
    pub deadline: Duration,
}
