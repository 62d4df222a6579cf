//! What a scenario is made of.

use std::any::Any;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::conn::Conn;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::process::{Tool, find_program, is_root};

/// One situation, and what dbdoctor must conclude from it.
pub struct Scenario {
    /// Unique name: `tls-cert-expired`.
    pub name: &'static str,
    /// What is set up, in one line.
    pub about: &'static str,
    /// What dbdoctor must say.
    pub expect: Expect,
    /// Who else is asked; `psql` unless set.
    pub oracle: Oracle,
    /// What the machine must have.
    pub needs: &'static [Need],
    /// Builds it.
    pub setup: fn(&Lab) -> Result<Case>,
}

/// The verdict a scenario calls for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expect {
    /// It connects: status 0, whether or not there are warnings ([`Case::warns`]).
    Pass,
    /// It connects, and the verdict is this warning: status 0.
    Warn(&'static str),
    /// It does not, and the verdict is this cause: status 1.
    Fail(&'static str),
}

/// The reference client that judges the same situation: it must succeed exactly where dbdoctor
/// must.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Oracle {
    /// `psql`, where there is a tunnel through `ssh -L`.
    Psql,
    /// `ssh -W`, to the database's port.
    Ssh,
    /// `ssh-keygen -y`, on a private key.
    SshKeygen,
    /// The program that [`Case::asks`] names.
    Own,
    /// Nobody, and why.
    None(&'static str),
}

/// Something a scenario needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Need {
    Root,
    Postgres,
    Sshd,
    PgBouncer,
    Pgpool,
    HaProxy,
    Dnsmasq,
    /// Network namespaces; implies root.
    Netns,
    /// A firewall in a namespace; implies [`Need::Netns`].
    Nft,
    PuttyTools,
    Dropbear,
    Python,
    Node,
    Xmllint,
    CmarkGfm,
    NodeExporter,
}

impl Need {
    /// Why it is not met, if so.
    pub fn missing(self) -> Option<String> {
        let program = |name: &str| {
            find_program(name)
                .is_none()
                .then(|| format!("{name} is not installed"))
        };
        let root = || (!is_root()).then(|| "needs root".to_owned());
        match self {
            Need::Root => root(),
            Need::Postgres => match crate::postgres::bin_dir() {
                Some(_) => program("psql"),
                None => Some("no PostgreSQL server is installed".to_owned()),
            },
            Need::Sshd => program("sshd").or_else(|| program("ssh")),
            Need::PgBouncer => program("pgbouncer"),
            Need::Pgpool => program("pgpool"),
            Need::HaProxy => program("haproxy"),
            Need::Dnsmasq => program("dnsmasq"),
            Need::Netns => root().or_else(|| program("ip")),
            Need::Nft => root().or_else(|| program("ip")).or_else(|| program("nft")),
            Need::PuttyTools => program("puttygen"),
            Need::Dropbear => program("dropbear"),
            Need::Python => program("python3"),
            Need::Node => program("node"),
            Need::Xmllint => program("xmllint"),
            Need::CmarkGfm => program("cmark-gfm"),
            Need::NodeExporter => program("prometheus-node-exporter"),
        }
    }
}

impl Scenario {
    /// A situation that `psql` judges too.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        expect: Expect,
        needs: &'static [Need],
        setup: fn(&Lab) -> Result<Case>,
    ) -> Self {
        Scenario {
            name,
            about,
            expect,
            oracle: Oracle::Psql,
            needs,
            setup,
        }
    }

    /// Judged by another client.
    pub const fn oracle(self, oracle: Oracle) -> Self {
        Scenario { oracle, ..self }
    }

    /// Why it cannot run here, if so.
    pub fn skipped(&self) -> Option<String> {
        let client = match self.oracle {
            Oracle::Psql => find_program("psql").is_none(),
            Oracle::Ssh | Oracle::SshKeygen => find_program("ssh").is_none(),
            Oracle::Own | Oracle::None(_) => false,
        };
        let client = client.then(|| "its reference client is not installed".to_owned());
        client.or_else(|| self.needs.iter().find_map(|need| need.missing()))
    }
}

/// The way through SSH.
#[derive(Clone, Debug)]
pub struct SshRoute {
    /// `USER@HOST:PORT` of each hop, jumps first.
    pub hops: Vec<String>,
    /// `--ssh-key`.
    pub key: Option<PathBuf>,
    /// `--ssh-known-hosts`.
    pub known_hosts: Option<PathBuf>,
    /// `--ssh-config`, also read by the reference client.
    pub config: Option<PathBuf>,
    /// Further `ssh -o` options for the reference client alone.
    pub options: Vec<String>,
}

impl SshRoute {
    /// Through this end, without a key and without known hosts.
    pub fn new(destination: &str) -> Self {
        let hops = vec![destination.to_owned()];
        SshRoute {
            hops,
            key: None,
            known_hosts: None,
            config: None,
            options: Vec::new(),
        }
    }

    /// With this key.
    pub fn key(mut self, path: impl AsRef<Path>) -> Self {
        self.key = Some(path.as_ref().to_owned());
        self
    }

    /// Without a key.
    pub fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// With this known_hosts file.
    pub fn known_hosts(mut self, path: impl AsRef<Path>) -> Self {
        self.known_hosts = Some(path.as_ref().to_owned());
        self
    }

    /// With this configuration file.
    pub fn config(mut self, path: impl AsRef<Path>) -> Self {
        self.config = Some(path.as_ref().to_owned());
        self
    }

    /// With an `ssh -o` option for the reference client.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// On through another end, which this one must reach.
    pub fn then(mut self, destination: &str) -> Self {
        self.hops.push(destination.to_owned());
        self
    }
}

/// Further assertions on the report; the path is that of the dbdoctor that wrote it.
type Check = Box<dyn Fn(&Value, &Path) -> Result<()> + Send>;

/// How dbdoctor, and the reference client, are called on a situation.
pub struct Case {
    /// The subcommand.
    pub command: String,
    /// What comes after it.
    pub args: Vec<String>,
    /// Where to connect, for the reference client.
    pub target: Option<String>,
    /// The same in parts, where known.
    pub conn: Option<Conn>,
    /// The way through SSH.
    pub ssh: Option<SshRoute>,
    /// The private key that is examined.
    pub key: Option<PathBuf>,
    /// The environment of both programs.
    pub env: Vec<(String, String)>,
    /// The network namespace both run in.
    pub netns: Option<String>,
    /// The directory both run in; an empty one otherwise.
    pub cwd: Option<PathBuf>,
    /// The home directory of both; an empty one otherwise.
    pub home: Option<PathBuf>,
    /// The home in the user database, where it is not the same.
    pub database_home: Option<PathBuf>,
    /// The user database itself, where it is not made from the machine's.
    pub passwd: Option<PathBuf>,
    /// The operating-system user both run as.
    pub run_as: Option<String>,
    /// What dbdoctor reads on standard input.
    pub stdin: Option<String>,
    /// The reference client, where it is not the usual call.
    pub oracle: Option<Tool>,
    /// How long the reference client may take; if longer, it has failed.
    pub patience: Duration,
    /// What must never be shown, beside the lab's password.
    pub secrets: Vec<String>,
    /// Warnings that must be among the findings.
    pub warns: Vec<&'static str>,
    /// Findings that must not be there.
    pub forbids: Vec<&'static str>,
    /// Further assertions on the report.
    pub checks: Vec<Check>,
    /// What is kept alive while the case runs.
    pub guard: Vec<Box<dyn Any + Send>>,
}

impl Case {
    /// `dbdoctor COMMAND`, with nothing else.
    pub fn new(command: &str) -> Self {
        Case {
            command: command.to_owned(),
            args: Vec::new(),
            target: None,
            conn: None,
            ssh: None,
            key: None,
            env: Vec::new(),
            netns: None,
            cwd: None,
            home: None,
            database_home: None,
            passwd: None,
            run_as: None,
            stdin: None,
            oracle: None,
            patience: Duration::from_secs(20),
            secrets: Vec::new(),
            warns: Vec::new(),
            forbids: Vec::new(),
            checks: Vec::new(),
            guard: Vec::new(),
        }
    }

    /// `dbdoctor check CONNINFO`.
    pub fn check(conn: Conn) -> Self {
        Case {
            conn: Some(conn.clone()),
            ..Case::target(conn)
        }
    }

    /// `dbdoctor check TARGET`, for a URI or a conninfo string of one's own writing.
    pub fn target(target: impl Display) -> Self {
        let case = Case::new("check").arg(&target);
        Case {
            target: Some(target.to_string()),
            ..case
        }
    }

    /// `dbdoctor key PATH`.
    pub fn key(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let case = Case::new("key").arg(path.display());
        Case {
            key: Some(path),
            ..case
        }
    }

    /// Another subcommand with the same target.
    pub fn command(mut self, command: &str) -> Self {
        self.command = command.to_owned();
        self
    }

    /// One more argument for dbdoctor.
    pub fn arg(mut self, arg: impl Display) -> Self {
        self.args.push(arg.to_string());
        self
    }

    /// More arguments for dbdoctor.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|a| a.to_string()));
        self
    }

    /// An environment variable for both programs.
    pub fn env(mut self, name: &str, value: impl Display) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// The database password, by `PGPASSWORD`; a secret.
    pub fn password(self, password: &str) -> Self {
        self.env("PGPASSWORD", password).secret(password)
    }

    /// The key's passphrase; a secret.
    pub fn passphrase(self, passphrase: &str) -> Self {
        self.env("DBDOCTOR_SSH_PASSPHRASE", passphrase)
            .secret(passphrase)
    }

    /// The SSH password; a secret.
    pub fn ssh_password(self, password: &str) -> Self {
        self.env("DBDOCTOR_SSH_PASSWORD", password).secret(password)
    }

    /// Goes through SSH.
    pub fn ssh(mut self, route: SshRoute) -> Self {
        self.ssh = Some(route);
        self
    }

    /// Runs inside a namespace, which is kept.
    pub fn netns(mut self, netns: Netns) -> Self {
        self.netns = Some(netns.name().to_owned());
        self.keep(netns)
    }

    /// Runs in this directory.
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cwd = Some(dir.into());
        self
    }

    /// Runs with this home directory.
    pub fn home(mut self, dir: impl Into<PathBuf>) -> Self {
        self.home = Some(dir.into());
        self
    }

    /// The user database has this home directory, whatever `HOME` says; needs root.
    pub fn database_home(mut self, dir: impl Into<PathBuf>) -> Self {
        self.database_home = Some(dir.into());
        self
    }

    /// Runs as another user; needs root.
    pub fn run_as(mut self, user: &str) -> Self {
        self.run_as = Some(user.to_owned());
        self
    }

    /// Gives dbdoctor something to read.
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Asks the reference client in this way. Environment, namespace and user are added.
    pub fn asks(mut self, tool: Tool) -> Self {
        self.oracle = Some(tool);
        self
    }

    /// Waits so many seconds for the reference client, which by itself would wait forever.
    pub fn patience(mut self, seconds: u64) -> Self {
        self.patience = Duration::from_secs(seconds);
        self
    }

    /// Asks `psql` about another spelling of the target.
    pub fn asks_psql(mut self, target: impl Display) -> Self {
        self.target = Some(target.to_string());
        self
    }

    /// What must never be shown.
    pub fn secret(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.secrets.push(secret.to_owned());
        }
        self
    }

    /// A warning that must be there.
    pub fn warns(mut self, cause: &'static str) -> Self {
        self.warns.push(cause);
        self
    }

    /// A finding that must not be there.
    pub fn forbids(mut self, cause: &'static str) -> Self {
        self.forbids.push(cause);
        self
    }

    /// A further assertion on the report.
    pub fn assert(self, check: impl Fn(&Value) -> Result<()> + Send + 'static) -> Self {
        self.assert_with(move |report, _| check(report))
    }

    /// A further assertion on the report, with the path of the dbdoctor that wrote it.
    pub fn assert_with(
        mut self,
        check: impl Fn(&Value, &Path) -> Result<()> + Send + 'static,
    ) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// Keeps something alive while the case runs.
    pub fn keep(mut self, thing: impl Any + Send) -> Self {
        self.guard.push(Box::new(thing));
        self
    }
}
