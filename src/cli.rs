//! Every flag and subcommand, and nothing else: no logic, no defaults that depend on
//! the environment.
//!
//! The values of connection flags are plain strings on purpose: the `config` stage
//! validates them and reports a cause.

// These comments are the help, which knows no links: host[:port] is none.
#![allow(rustdoc::broken_intra_doc_links)]

mod help;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::client::Choice;
use crate::config::host_pattern::HostPattern;
use crate::config::request::{Request, SshRequest, TimeLimits, Whose};
use crate::config::{Guards, HostKeyCheck, ServerRole};
use crate::report::Thresholds;
use crate::secret::Secret;
use help::*;

/// Find out why a PostgreSQL connection fails and how to fix it
#[derive(Debug, Parser)]
#[command(
    name = "dbdoctor",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print help
    #[arg(short = '?', long, global = true, action = clap::ArgAction::HelpShort, help_heading = "Output")]
    pub help: Option<bool>,

    /// Print the version; with -v, also how it was built
    #[arg(short = 'V', long, action = clap::ArgAction::Version, help_heading = "Output")]
    pub version: Option<bool>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every stage over one connection and report the first failure
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Show which settings are in effect and where each comes from (no network)
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(ConfigArgs),
    /// Check name resolution: the system resolver and each name server
    #[command(after_help = DNS_EXAMPLES)]
    Dns(StageArgs),
    /// Check that every address accepts connections
    #[command(after_help = TCP_EXAMPLES)]
    Tcp(StageArgs),
    /// Check SSH private keys: format, permissions, passphrase
    #[command(after_help = KEY_EXAMPLES)]
    Key(KeyArgs),
    /// Check the SSH session and the forward to the database
    #[command(after_help = TUNNEL_EXAMPLES)]
    Tunnel(TunnelArgs),
    /// Check the TLS handshake and the certificates
    #[command(after_help = TLS_EXAMPLES)]
    Tls(LoginArgs),
    /// Check startup, authentication, authorisation and capacity
    #[command(after_help = AUTH_EXAMPLES)]
    Auth(LoginArgs),
    /// Find what drops idle connections, and how to prevent it
    #[command(after_help = IDLE_EXAMPLES)]
    Idle(IdleArgs),
    /// Connect many times: how often it fails, why, and how long it takes
    #[command(after_help = STRESS_EXAMPLES)]
    Stress(StressArgs),
    /// Forward an application's connections and show what it really sends
    #[command(after_help = TAP_EXAMPLES)]
    Tap(TapArgs),
    /// Find database connections shared by several processes after a fork (Linux)
    #[command(after_help = SOCKETS_EXAMPLES)]
    Sockets(SocketsArgs),
    /// Explain a cause code, an error message or a whole log
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Compare two JSON reports and show what explains the different verdicts
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Print the script that completes dbdoctor's command lines in a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of dbdoctor or of one of its commands
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Command [default: the main page]
        command: Option<String>,
    },
    /// Print the JSON Schema of the reports, or of what explain or diff prints
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema {
        /// Which JSON
        #[arg(value_enum, default_value_t = Written::Report)]
        of: Written,
    },
}

/// The kinds of JSON that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Written {
    /// A report: --json of a check, -o
    Report,
    /// explain --json
    Explain,
    /// diff --json
    Diff,
    /// The reports of many targets: check --targets
    Targets,
}

impl Command {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Check(_) => "check",
            Command::Config(_) => "config",
            Command::Dns(_) => "dns",
            Command::Tcp(_) => "tcp",
            Command::Key(_) => "key",
            Command::Tunnel(_) => "tunnel",
            Command::Tls(_) => "tls",
            Command::Auth(_) => "auth",
            Command::Idle(_) => "idle",
            Command::Stress(_) => "stress",
            Command::Tap(_) => "tap",
            Command::Sockets(_) => "sockets",
            Command::Explain(_) => "explain",
            Command::Diff(_) => "diff",
            Command::Completions { .. } => "completions",
            Command::Man { .. } => "man",
            Command::Schema { .. } => "schema",
        }
    }

    /// Whether it carries many connections at once, which several cores share; a run over
    /// one connection is done sooner on one thread.
    pub fn is_parallel(&self) -> bool {
        match self {
            Command::Check(args) => args.many.targets.is_some(),
            Command::Stress(_) | Command::Tap(_) => true,
            Command::Tunnel(args) => args.listen.is_some(),
            _ => false,
        }
    }

    /// What is printed, where that can be chosen.
    pub fn output(&self) -> Option<&OutputArgs> {
        Some(match self {
            Command::Check(args) => &args.run.output,
            Command::Config(args) => &args.run.output,
            Command::Dns(args) | Command::Tcp(args) => &args.run.output,
            Command::Key(args) => &args.output,
            Command::Tunnel(args) => &args.run.output,
            Command::Tls(args) | Command::Auth(args) => &args.stage.run.output,
            Command::Idle(args) => &args.run.output,
            Command::Stress(args) => &args.run.output,
            Command::Sockets(args) => &args.output,
            Command::Explain(args) => &args.output,
            Command::Diff(args) => &args.output,
            Command::Tap(args) => &args.run.output,
            Command::Completions { .. } | Command::Man { .. } | Command::Schema { .. } => {
                return None;
            }
        })
    }

    /// Whose settings a run is about, with what is printed of it and the
    /// command that comes after it.
    pub fn client(&self) -> Option<(&ClientArgs, &OutputArgs, &[OsString])> {
        Some(match self {
            Command::Check(args) => (&args.client, &args.run.output, &args.wait.command),
            Command::Config(args) => (&args.client, &args.run.output, &[]),
            Command::Dns(args) | Command::Tcp(args) => {
                (&args.client, &args.run.output, &args.wait.command)
            }
            Command::Tls(args) | Command::Auth(args) => {
                let LoginArgs { stage, .. } = args;
                (&stage.client, &stage.run.output, &stage.wait.command)
            }
            Command::Stress(args) => (&args.client, &args.run.output, &[]),
            _ => return None,
        })
    }
}

impl Command {
    /// The command that is run in our place at the end.
    pub fn then(&self) -> &[OsString] {
        match self {
            Command::Tunnel(args) => &args.wait.command,
            command => command.client().map_or(&[], |(_, _, then)| then),
        }
    }
}

/// What every run over a target takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to connect to.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How long it may take.
    #[command(flatten)]
    pub time: TimeArgs,
    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The target, and what is printed.
    #[command(flatten)]
    pub run: RunArgs,
    /// Whose settings they are.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// Whose settings are judged, where it is not libpq.
#[derive(Debug, Default, Args)]
pub struct ClientArgs {
    /// Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls,
    /// or all
    #[arg(
        long = "as",
        value_name = "DRIVER[@VERSION]",
        value_parser = Choice::parse,
        help_heading = "Application"
    )]
    pub driver: Option<Choice>,

    /// Look from where this process stands: its environment, files, network, user and driver
    /// (Linux)
    #[arg(long, value_name = "PID", value_parser = process_id, help_heading = "Application")]
    pub pid: Option<i32>,
}

impl ClientArgs {
    /// The target, with whose settings it is.
    pub fn request(&self, target: &TargetArgs) -> Request {
        Request {
            whose: match self.driver {
                Some(Choice::One(driver)) => Whose::As(driver, "--as"),
                Some(Choice::All) => Whose::Libpq,
                None => Whose::Implied,
            },
            ..Request::from(target)
        }
    }
}

/// `key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Private key file [default: the keys named by the target's SSH settings]
    pub path: Option<PathBuf>,
    /// Write a repaired copy of the damaged key in PATH to this new file, with mode 0600
    #[arg(long, value_name = "OUT", help_heading = "Key")]
    pub repair: Option<PathBuf>,
    /// Where keys are named.
    #[command(flatten)]
    pub ssh: SshArgs,
    /// How long it may take.
    #[command(flatten)]
    pub time: TimeArgs,
    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sockets`.
#[derive(Debug, Args)]
pub struct SocketsArgs {
    /// Check only this process and its descendants; may be repeated
    #[arg(long, value_name = "PID", help_heading = "Sockets")]
    pub pid: Vec<i32>,
    /// Database port; may be repeated [default: the port set in the environment, 5432, 5433, 6432,
    /// 6543, and any unix socket of PostgreSQL]
    #[arg(long, value_name = "PORT", value_parser = port, help_heading = "Sockets")]
    pub port: Vec<u16>,
    /// How long it may take.
    #[command(flatten)]
    pub time: TimeArgs,
    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The run itself.
    #[command(flatten)]
    pub run: RunArgs,

    /// Whose settings they are.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Many targets at once.
    #[command(flatten)]
    pub many: TargetsArgs,

    /// At the end, keep connections idle for up to this long and report which are dropped
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Time")]
    pub idle: Option<Duration>,

    /// Asking other client stacks too.
    #[command(flatten)]
    pub second: SecondArgs,

    /// Waiting for it to pass.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Many targets at once.
#[derive(Debug, Default, Args)]
pub struct TargetsArgs {
    /// Check every target in FILE (- reads standard input): on each line a TARGET, or a JSON
    /// object with target, name, ssh, ssh_key, env_file, as, expect_*; empty lines and lines that
    /// start with # are skipped. No password is prompted for
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "target", "url", "host", "password", "pid", "idle", "second_opinion", "wait", "command"
        ],
        help_heading = "Target"
    )]
    pub targets: Option<PathBuf>,

    /// Number of targets checked at a time (1 to 256), not counting those that have been waiting
    /// for an answer for more than 100 ms; connections to the same host start at least 2 ms apart
    /// [default: 16]
    #[arg(
        long,
        value_name = "N",
        value_parser = count::<256>,
        help_heading = "Target"
    )]
    pub concurrency: Option<u32>,
}

/// Asking other client stacks too.
#[derive(Debug, Default, Args)]
pub struct SecondArgs {
    /// Repeat the SSH and TLS steps with other client libraries and report where they differ
    #[arg(long, help_heading = "Second opinion")]
    pub second_opinion: bool,
}

/// `tls`, `auth`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The stage itself.
    #[command(flatten)]
    pub stage: StageArgs,
    /// Asking other client stacks too.
    #[command(flatten)]
    pub second: SecondArgs,
}

/// `dns`, `tcp`.
#[derive(Debug, Args)]
pub struct StageArgs {
    /// The run itself.
    #[command(flatten)]
    pub run: RunArgs,
    /// Whose settings they are.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Waiting for it to pass.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Waiting for a run to pass.
#[derive(Debug, Default, Args)]
pub struct WaitArgs {
    /// Retry for up to this long; stop at once on a failure that retrying cannot fix
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Time")]
    pub wait: Option<Duration>,

    /// Once the check passes, exec this command; the report goes to standard error
    #[arg(
        last = true,
        requires = "wait",
        value_name = "COMMAND",
        help_heading = "Time"
    )]
    pub command: Vec<OsString>,
}

/// `idle`.
#[derive(Debug, Args)]
pub struct IdleArgs {
    /// The run before it.
    #[command(flatten)]
    pub run: RunArgs,

    /// Longest idle time to test
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "6m", help_heading = "Idle")]
    pub longest: Duration,

    /// Interval of TCP keepalives and of heartbeat queries [default: 30s, or a sixth of --for]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Idle")]
    pub keepalive_interval: Option<Duration>,

    /// Keep a transaction open while idle
    #[arg(long, help_heading = "Idle")]
    pub in_transaction: bool,

    /// Waiting for it to pass.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `stress`.
#[derive(Debug, Args)]
pub struct StressArgs {
    /// Each attempt.
    #[command(flatten)]
    pub run: RunArgs,

    /// Whose settings they are.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Number of attempts (1 to 10000)
    #[arg(long, value_name = "N", value_parser = count::<10_000>, default_value = "20", help_heading = "Stress")]
    pub attempts: u32,

    /// Number of attempts at a time (1 to 64)
    #[arg(long, value_name = "C", value_parser = count::<64>, default_value = "4", help_heading = "Stress")]
    pub concurrency: u32,

    /// Start at most this many attempts per second [default: limited by --concurrency only]
    #[arg(long, value_name = "PER_SECOND", value_parser = rate, help_heading = "Stress")]
    pub rate: Option<f64>,
}

/// `tunnel`.
#[derive(Debug, Args)]
pub struct TunnelArgs {
    /// The run itself.
    #[command(flatten)]
    pub run: RunArgs,
    /// Keep the tunnel open on this local port until Ctrl-C (0 picks a free port)
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = local_address, help_heading = "Tunnel")]
    pub listen: Option<SocketAddr>,
    /// Asking other client stacks too.
    #[command(flatten)]
    pub second: SecondArgs,
    /// Waiting for it to pass.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `tap`.
#[derive(Debug, Args)]
pub struct TapArgs {
    /// The target, and what is printed.
    #[command(flatten)]
    pub run: RunArgs,
    /// Listen on this local port; point the application at it (0 picks a free port)
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = local_address, default_value = "5433", help_heading = "Tap")]
    pub listen: SocketAddr,
    /// End after this time [default: until Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, help_heading = "Tap")]
    pub time: Option<Duration>,
    /// Accept this many connections, and end when they have closed
    #[arg(long, value_name = "N", value_parser = connections, help_heading = "Tap")]
    pub connections: Option<u64>,
    /// Contact no target: answer as a server up to the login, to find out what the client does
    #[arg(long, help_heading = "Tap")]
    pub stand_in: bool,
    /// What the stand-in offers: a self-signed certificate for another name, none (no TLS), each
    /// in turn, or a PEM FILE with certificate chain and private key
    #[arg(
        long,
        value_name = "self-signed|none|each|FILE",
        default_value = "each",
        requires = "stand_in",
        help_heading = "Tap"
    )]
    pub tls: String,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Cause code (stage.cause), error message, or - to read standard input
    #[arg(value_name = "CODE|TEXT|-", conflicts_with = "list")]
    pub what: Vec<String>,
    /// List all codes
    #[arg(long)]
    pub list: bool,
    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// First report
    #[arg(value_name = "A.json")]
    pub a: PathBuf,
    /// Second report
    #[arg(value_name = "B.json")]
    pub b: PathBuf,
    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The target and the way to it.
#[derive(Debug, Default, PartialEq, Args)]
pub struct TargetArgs {
    /// A postgres:// URI, a key=value connection string, or host[:port]
    #[arg(value_name = "TARGET", help_heading = "Target", display_order = 0, value_parser = secret)]
    pub target: Option<Secret>,

    /// Same as TARGET
    #[arg(
        long,
        conflicts_with = "target",
        value_name = "TARGET",
        help_heading = "Target",
        value_parser = secret
    )]
    pub url: Option<Secret>,

    /// Database server host or socket directory
    #[arg(short = 'h', long, value_name = "HOST", help_heading = "Target")]
    pub host: Option<String>,

    /// Database server port
    #[arg(
        short,
        long,
        value_name = "PORT",
        help_heading = "Target",
        allow_hyphen_values = true
    )]
    pub port: Option<String>,

    /// Database user name
    #[arg(short = 'U', long, value_name = "NAME", help_heading = "Target")]
    pub username: Option<String>,

    /// Database name, or a URI or connection string
    #[arg(short, long, value_name = "NAME", help_heading = "Target", value_parser = secret)]
    pub dbname: Option<Secret>,

    /// Prompt for the password before connecting
    #[arg(
        short = 'W',
        long,
        conflicts_with = "no_password",
        help_heading = "Target"
    )]
    pub password: bool,

    /// Never prompt for a password
    #[arg(short = 'w', long, help_heading = "Target")]
    pub no_password: bool,

    /// Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub env_file: Option<PathBuf>,

    /// The way over SSH.
    #[command(flatten)]
    pub ssh: SshArgs,

    /// What must be true of it.
    #[command(flatten)]
    pub guards: GuardArgs,
}

impl From<&TargetArgs> for Request {
    fn from(args: &TargetArgs) -> Self {
        Self {
            whose: Whose::default(),
            target: exposed(&args.target),
            url: exposed(&args.url),
            host: args.host.clone(),
            port: args.port.clone(),
            username: args.username.clone(),
            dbname: exposed(&args.dbname),
            password: args.password,
            no_password: args.no_password,
            env_file: args.env_file.clone(),
            ssh: SshRequest::from(&args.ssh),
            guards: Guards::from(&args.guards),
        }
    }
}

/// Text that may have a password in it.
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn exposed(given: &Option<Secret>) -> Option<String> {
    given.as_ref().map(Secret::expose_owned)
}

impl TargetArgs {
    /// Whether `-d` is a target too, as in psql, and there is another one.
    pub fn names_two_targets(&self) -> bool {
        let whole = |name: String| name.contains("://") || name.contains('=');
        exposed(&self.dbname).is_some_and(whole) && (self.target.is_some() || self.url.is_some())
    }
}

/// The way over SSH.
#[derive(Debug, Default, PartialEq, Args)]
pub struct SshArgs {
    /// Connect through this SSH server; for several hops, repeat it or separate by commas
    #[arg(
        long,
        value_name = "[USER@]HOST[:PORT]",
        value_delimiter = ',',
        help_heading = "SSH"
    )]
    pub ssh: Vec<String>,

    /// Also offer this private key; may be repeated
    #[arg(long, value_name = "PATH", help_heading = "SSH")]
    pub ssh_key: Vec<PathBuf>,

    /// Use this file instead of ~/.ssh/config
    #[arg(long, value_name = "PATH", help_heading = "SSH")]
    pub ssh_config: Option<PathBuf>,

    /// Use this file instead of ~/.ssh/known_hosts
    #[arg(long, value_name = "PATH", help_heading = "SSH")]
    pub ssh_known_hosts: Option<PathBuf>,

    /// How to treat an unknown host key [default: as the SSH configuration says, else yes]
    #[arg(long, value_name = "HOW", help_heading = "SSH")]
    pub ssh_host_key_check: Option<HostKeyCheck>,
}

impl From<&SshArgs> for SshRequest {
    fn from(args: &SshArgs) -> Self {
        Self {
            hops: args.ssh.clone(),
            keys: args.ssh_key.clone(),
            config: args.ssh_config.clone(),
            known_hosts: args.ssh_known_hosts.clone(),
            host_key_check: args.ssh_host_key_check,
        }
    }
}

impl ValueEnum for HostKeyCheck {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Yes, Self::AcceptNew, Self::No]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Yes => PossibleValue::new("yes").help("Only a known key is accepted"),
            Self::AcceptNew => PossibleValue::new("accept-new")
                .help("An unknown key is accepted (and not written down), a changed one is not"),
            Self::No => PossibleValue::new("no")
                .help("Any key is accepted; with a changed one only public keys are offered"),
        })
    }
}

impl ValueEnum for ServerRole {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Primary, Self::Standby]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Primary => PossibleValue::new("primary").help("It takes writes"),
            Self::Standby => PossibleValue::new("standby").help("It is in recovery"),
        })
    }
}

/// Guards against the right settings of the wrong environment.
#[derive(Debug, Default, PartialEq, Args)]
pub struct GuardArgs {
    /// Fail unless the database has this name
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "Guards")]
    pub expect_database: Option<String>,

    /// Fail unless the server has this role
    #[arg(long, value_name = "ROLE", help_heading = "Guards")]
    pub expect_role: Option<ServerRole>,

    /// Fail unless the server has this major version
    #[arg(long, value_name = "MAJOR", help_heading = "Guards")]
    pub expect_server_version: Option<u32>,

    /// Fail unless the server has this cluster_name
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "Guards")]
    pub expect_cluster_name: Option<String>,

    /// Fail unless the session can write (not a standby, not read-only)
    #[arg(long, help_heading = "Guards")]
    pub expect_writable: bool,

    /// Fail if a database host or SSH hop matches: a name with * and ?, an address, a network
    /// (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the
    /// addresses and names from DNS before connecting; a name that is resolved at the far end of a
    /// tunnel is compared only as written. May be repeated
    #[arg(long, value_name = "PATTERN", value_parser = HostPattern::parse, help_heading = "Guards")]
    pub not_host: Vec<HostPattern>,

    /// Warn if a certificate expires in less than this many days; 0 never warns [default: 30]
    #[arg(long, value_name = "DAYS", value_parser = days, help_heading = "Guards")]
    pub warn_cert_days: Option<u32>,

    /// Fail if a certificate expires in less than this many days
    #[arg(long, value_name = "DAYS", value_parser = days, help_heading = "Guards")]
    pub fail_cert_days: Option<u32>,

    /// Warn if the connection takes longer than this, from the first lookup to the login
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Guards")]
    pub warn_latency: Option<Duration>,
}

impl GuardArgs {
    /// The guards that are given, by the names of their flags.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        // A new guard does not compile before it is here.
        let Self {
            expect_database,
            expect_role,
            expect_server_version,
            expect_cluster_name,
            expect_writable,
            not_host,
            warn_cert_days,
            fail_cert_days,
            warn_latency,
        } = self;
        [
            ("expect-database", expect_database.is_some()),
            ("expect-role", expect_role.is_some()),
            ("expect-server-version", expect_server_version.is_some()),
            ("expect-cluster-name", expect_cluster_name.is_some()),
            ("expect-writable", *expect_writable),
            ("not-host", !not_host.is_empty()),
            ("warn-cert-days", warn_cert_days.is_some()),
            ("fail-cert-days", fail_cert_days.is_some()),
            ("warn-latency", warn_latency.is_some()),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
    }
}

impl From<&GuardArgs> for Guards {
    fn from(args: &GuardArgs) -> Self {
        Self {
            not_host: args.not_host.clone(),
            database: args.expect_database.clone(),
            role: args.expect_role,
            server_version: args.expect_server_version,
            cluster_name: args.expect_cluster_name.clone(),
            writable: args.expect_writable,
            thresholds: Thresholds {
                warn_cert_days: args.warn_cert_days.unwrap_or(Thresholds::WARN_CERT_DAYS),
                fail_cert_days: args.fail_cert_days,
                warn_latency: args.warn_latency,
                expired_counts: args.warn_cert_days.is_some() || args.fail_cert_days.is_some(),
            },
        }
    }
}

/// How long a run may take.
#[derive(Clone, Debug, Args)]
pub struct TimeArgs {
    /// Timeout for each stage, per address [default: connect_timeout if set, else 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Time")]
    pub timeout: Option<Duration>,

    /// Time limit for the whole run
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s", help_heading = "Time")]
    pub deadline: Duration,
}

impl From<&TimeArgs> for TimeLimits {
    fn from(args: &TimeArgs) -> Self {
        Self {
            timeout: args.timeout,
            deadline: args.deadline,
        }
    }
}

/// What is printed.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// Output format
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        help_heading = "Output"
    )]
    pub format: Format,

    /// Short for --format json
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Also write the JSON report to this file (a new file gets mode 0600); with --format
    /// prometheus, write the metrics to it instead of standard output (mode 0644)
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// When to use colour
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub color: When,

    /// Print only the verdict
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,

    /// Also print all evidence and the details of each stage; twice: what was sent and received,
    /// and when
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,

    /// Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1),
    /// for a public bug report
    #[arg(long, help_heading = "Output")]
    pub redact: bool,

    /// Derive the pseudonyms from this text, so that redacted reports can be compared; implies
    /// --redact
    #[arg(long, value_name = "TEXT", value_parser = salt, help_heading = "Output")]
    pub redact_salt: Option<String>,

    /// Lowest verdict that makes the exit status 1
    #[arg(
        long,
        value_name = "VERDICT",
        default_value = "fail",
        help_heading = "Output"
    )]
    pub fail_on: FailOn,
}

impl OutputArgs {
    /// The form that was asked for.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// Whether names are replaced.
    pub fn redacts(&self) -> bool {
        self.redact || self.redact_salt.is_some()
    }
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For an issue or a step summary.
    Markdown,
    /// For a CI system's list of tests.
    Junit,
    /// Annotations of a GitHub workflow, and its step summary.
    Github,
    /// A monitoring plug-in's line and exit status.
    Nagios,
    /// Metrics for the node exporter's textfile collector.
    Prometheus,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which verdict makes the exit status 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Failures and warnings.
    Warn,
    /// Only failures.
    Fail,
}

/// Reads `[ADDR:]PORT`: a local address to listen on, loopback unless said.
fn local_address(text: &str) -> Result<SocketAddr, String> {
    let (address, port) = text.rsplit_once(':').unwrap_or(("", text));
    let address = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(address);
    let ip = match address {
        "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        address => address
            .parse()
            .map_err(|_| "use PORT, ADDRESS:PORT or [IPV6]:PORT".to_owned())?,
    };
    match port.parse() {
        Ok(port) => Ok(SocketAddr::new(ip, port)),
        Err(_) => Err("use a port number from 0 to 65535".to_owned()),
    }
}

/// Reads a DURATION: `500ms`, `5s`, `2m`, `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("use a number with ms, s, m or h".to_owned()),
    };
    let seconds: f64 = number
        .parse()
        .map_err(|_| "use a number with ms, s, m or h".to_owned())?;
    match Duration::try_from_secs_f64(seconds * scale) {
        Ok(time) if time.is_zero() => Err("use a duration longer than 0".to_owned()),
        Ok(time) if time <= Duration::from_secs(366 * 86_400) => Ok(time),
        _ => Err("use a duration of at most 366 days".to_owned()),
    }
}

/// Reads a number from 1 to `MOST`.
fn count<const MOST: u32>(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ => Err(format!("use a number from 1 to {MOST}")),
    }
}

/// Reads a number of connections.
fn connections(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("use a number of 1 or more".to_owned()),
    }
}

/// Reads a number of days that a certificate is to be valid for.
fn days(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number <= 36_500 => Ok(number),
        _ => Err("use a number of days from 0 to 36500".to_owned()),
    }
}

/// Reads the name that a guard expects. Without one, an unset variable would
/// be a guard that a server without a name passes.
fn name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the name is empty (is a variable unset?)".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Reads the salt of pseudonyms. An empty one, of a variable that is not set, would
/// let anybody derive them.
fn salt(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the text is empty (is a variable unset?)".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Reads a port.
fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("use a number from 1 to 65535".to_owned()),
    }
}

/// Reads the id of a process.
fn process_id(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err("use the number of a process, as ps shows it".to_owned()),
    }
}

/// Reads how many things may begin in a second: more than 0, at most 1,000.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.001..=1_000.0).contains(&number) => Ok(number),
        _ => Err("use a number from 0.001 to 1000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn counts_and_rates() {
        assert_eq!(count::<64>("64"), Ok(64));
        assert_eq!(rate("0.5"), Ok(0.5));
        for bad in ["0", "65", "-1", "", "x", "1e1"] {
            assert!(count::<64>(bad).is_err(), "{bad}");
        }
        for bad in ["0", "-1", "nan", "inf", "", "x"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_comes_after_two_dashes_and_needs_wait() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["dbdoctor"], args].concat());
        let Ok(Command::Check(args)) =
            parse(&["check", "db", "--wait", "5s", "--", "psql", "-c", "x"]).map(|cli| cli.command)
        else {
            panic!("not read as check");
        };
        assert_eq!(args.wait.command, ["psql", "-c", "x"]);
        assert_eq!(args.run.target.target, Some("db".into()));
        assert!(parse(&["check", "db", "--", "psql"]).is_err());
    }

    #[test]
    fn local_addresses() {
        let read = |text| local_address(text).map(|address| address.to_string());
        assert_eq!(read("5433").as_deref(), Ok("127.0.0.1:5433"));
        assert_eq!(read("localhost:0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(read("0.0.0.0:1").as_deref(), Ok("0.0.0.0:1"));
        assert_eq!(read("[::1]:1").as_deref(), Ok("[::1]:1"));
        for bad in ["", "x", "70000", "host.test:1", "::1", "1:"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["0", "0ms", "", "s", "5x", "-1", "1e3", "99999999h", "."] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
