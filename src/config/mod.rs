//! What the user asked for: every setting resolved as libpq resolves it, with
//! where it came from and what it won over.

pub mod as_driver;
mod assemble;
pub mod catalog;
mod conflicts;
pub mod conninfo;
pub mod dotenv;
pub mod driver;
pub mod driver_parameter;
pub mod dsn;
pub mod enums;
pub mod files;
pub mod frameworks;
pub mod guards;
pub mod host_pattern;
pub mod known_hosts_command;
mod lint;
pub mod local_end;
pub mod origin;
pub mod parse;
pub mod passfile;
mod passwords;
mod pdo;
pub mod replication;
pub mod request;
pub mod resolve;
pub mod revoked_keys;
pub mod service;
mod service_link;
pub mod ssh;
pub mod ssh_config;
mod ssh_home;
pub mod targets;
pub mod uri;
pub mod url_repair;
pub mod validate;
pub mod values;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Rules;
use crate::report::{TargetReport, Thresholds};
use crate::secret::Secret;
use as_driver::view::View;
pub use enums::{
    AuthMethod, ChannelBinding, GssEncMode, LoadBalance, ProtocolVersion, RequireAuth, SslCertMode,
    SslMode, SslNegotiation, TargetSessionAttrs, TlsVersion,
};
use host_pattern::HostPattern;
use known_hosts_command::KnownHostsCommand;
use local_end::LocalEnd;
pub use replication::Replication;
use revoked_keys::RevokedKeys;
use ssh_config::Spec;
use ssh_config::lists::AlgorithmLists;

/// The resolved target: the input of every stage after `config`.
#[derive(Clone, Debug)]
pub struct Target {
    /// The parameters as reported, origins and shadows included.
    pub report: TargetReport,
    /// libpq's host list, in the order it is to be tried (already shuffled
    /// under `load_balance_hosts=random`). Never empty.
    pub endpoints: Vec<Endpoint>,
    /// The role to log in as.
    pub user: String,
    /// The database.
    pub dbname: String,
    /// `application_name` as it is sent: the target's, else `dbdoctor`.
    pub application_name: String,
    /// `options`, sent as they are.
    pub options: Option<String>,
    /// `replication`, sent as it is.
    pub replication: Option<String>,
    /// `client_encoding` where the target sets one; `auto` is resolved.
    pub client_encoding: Option<String>,
    /// Run-time parameters that libpq sends because a variable of its own sets
    /// them: `PGDATESTYLE`, `PGTZ`, `PGGEQO`.
    pub environment_options: Vec<(String, String)>,
    /// Encryption.
    pub tls: TlsSettings,
    /// `channel_binding`.
    pub channel_binding: ChannelBinding,
    /// `require_auth`.
    pub require_auth: RequireAuth,
    /// Whether a missing password may be asked for on the terminal when the
    /// server wants one: there is a person, and no `-w`.
    pub ask_password: bool,
    /// `gssencmode`.
    pub gssencmode: GssEncMode,
    /// `min_protocol_version`; `None` is 3.0.
    pub min_protocol: Option<ProtocolVersion>,
    /// `max_protocol_version`; `None` is 3.0.
    pub max_protocol: Option<ProtocolVersion>,
    /// `requirepeer`: who must run the server at the other end of a unix socket.
    pub require_peer: Option<String>,
    /// `target_session_attrs`.
    pub session_attrs: TargetSessionAttrs,
    /// The kind of server that is wanted in the word of a driver that has its own:
    /// `targetServerType`. libpq has none for `preferPrimary`.
    pub server_kind: Option<String>,
    /// `connect_timeout`, where it is set and bounds anything.
    pub connect_timeout: Option<Duration>,
    /// TCP keepalives.
    pub keepalives: Keepalives,
    /// The way to the database over SSH, if one is asked for.
    pub ssh: Option<SshPlan>,
    /// What must be true of the server that answers.
    pub guards: Guards,
    /// Whose way the pipeline goes.
    pub client: Rules,
    /// What the driver made of the settings, where it is one of its own.
    pub view: Option<View>,
}

impl Target {
    /// What the server has to be, as the target says it.
    pub fn wanted_server(&self) -> (&'static str, String) {
        let (name, value) = match &self.server_kind {
            Some(kind) => ("targetServerType", kind.as_str()),
            None => ("target_session_attrs", self.session_attrs.as_str()),
        };
        (name, format!("{name}={value}"))
    }

    /// The kind of walsender that the session is to be; none for an ordinary one.
    pub fn replication_mode(&self) -> Option<Replication> {
        Replication::of(self.replication.as_deref()?)
    }

    /// Whether the name in the certificate is checked.
    pub fn checks_name(&self) -> bool {
        self.tls.mode == SslMode::VerifyFull || self.client.always_name
    }

    /// Whether any connection may be encrypted: one through a unix socket is
    /// not, unless SSH leads to it.
    pub fn uses_tls(&self) -> bool {
        let local = |endpoint: &Endpoint| matches!(endpoint.place, Place::Unix(_));
        self.tls.mode != SslMode::Disable
            && (self.ssh.is_some() || !self.endpoints.iter().all(local))
    }
}

/// One entry of libpq's host list.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The `host` parameter's entry: a name, an address, a socket directory;
    /// empty where only `hostaddr` is given.
    pub host: String,
    /// Where to connect.
    pub place: Place,
    /// The port; part of the socket's file name for a unix socket.
    pub port: u16,
    /// The password for this entry, and where it came from.
    pub password: Option<Password>,
}

impl Endpoint {
    /// How the entry is named in sentences: `db.test:5432`, `[::1]:5432`, a socket's path.
    pub fn label(&self) -> String {
        match &self.place {
            Place::Unix(path) => path.display().to_string(),
            Place::Ip(ip, _) if self.host.is_empty() => {
                std::net::SocketAddr::new(*ip, self.port).to_string()
            }
            _ => host_port(&self.host, self.port),
        }
    }
}

/// A host with its port, an IPv6 address in brackets.
pub fn host_port(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// Where an entry connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A unix socket's file.
    Unix(PathBuf),
    /// A literal address (`hostaddr`, or an address as host), with its IPv6
    /// scope id (0 for none).
    Ip(IpAddr, u32),
    /// A name to resolve.
    Name(String),
}

impl Place {
    /// Reads a host as getaddrinfo would: an address (IPv6 with a zone, IPv4
    /// also in the short and octal forms of inet_aton), else a name.
    pub fn of_host(host: &str) -> Self {
        match Self::address(host) {
            Some((ip, zone)) => Place::Ip(ip, zone),
            None => Place::Name(host.to_owned()),
        }
    }

    /// An address with its IPv6 scope id, as `getaddrinfo` takes it without
    /// asking anyone.
    pub fn address(text: &str) -> Option<(IpAddr, u32)> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        match (address.parse(), zone) {
            (Ok(ip), None) => Some((ip, 0)),
            (Ok(IpAddr::V6(ip)), Some(zone)) => {
                // Only where the address needs it may a zone be a name.
                let link_local = ip.is_unicast_link_local()
                    || matches!(ip.octets(), [0xff, scope, ..] if scope & 0xf == 2);
                let number = zone.parse().ok();
                let named = || nix::net::if_::if_nametoindex(zone).ok();
                let index = number.or_else(|| link_local.then(named).flatten())?;
                Some((IpAddr::V6(ip), index))
            }
            (Err(_), None) => inet_aton(text).map(|ip| (IpAddr::V4(ip), 0)),
            _ => None,
        }
    }
}

/// inet_aton(3): one to four numbers, decimal, octal or hexadecimal, the last
/// of which fills what is left of the address.
fn inet_aton(text: &str) -> Option<std::net::Ipv4Addr> {
    let number = |part: &str| -> Option<u32> {
        let hex = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
        let (digits, radix) = match (hex, part.strip_prefix('0')) {
            (Some(hex), _) => (hex, 16),
            (None, Some(octal)) if !octal.is_empty() => (octal, 8),
            _ => (part, 10),
        };
        let plain = digits.chars().all(|c| c.is_digit(radix)) && !digits.is_empty();
        plain.then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 32 - 8 * first.len() as u32;
    if room < 32 && *last >> room != 0 {
        return None;
    }
    let high = first
        .iter()
        .enumerate()
        .fold(0u32, |sum, (at, part)| sum | part << (24 - 8 * at));
    Some((high | last).into())
}

/// A place and a port: what `dns` and `tcp` look at.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where.
    pub place: Place,
    /// The port; meaningless for a unix socket.
    pub port: u16,
    /// The addresses that may be used.
    pub family: Family,
    /// The SSH server that it is; `None` for the database.
    pub hop: Option<Arc<Hop>>,
}

/// The kind of address that a name may stand for (`AddressFamily`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Any.
    #[default]
    Any,
    /// IPv4 (`inet`).
    V4,
    /// IPv6 (`inet6`).
    V6,
}

impl Family {
    /// Whether an address is of this kind.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }

    /// As `ssh_config(5)` writes it.
    pub fn keyword(self) -> &'static str {
        match self {
            Family::Any => "any",
            Family::V4 => "inet",
            Family::V6 => "inet6",
        }
    }
}

/// A password and where it was found.
#[derive(Clone, Debug)]
pub struct Password {
    /// The password itself.
    pub secret: Secret,
    /// Where it came from, as people say it: `~/.pgpass line 2`, `PGPASSWORD`, `the URL`.
    pub source: String,
}

/// A file that a setting names, or its default place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The path.
    pub path: PathBuf,
    /// Whether the user named it; else it is the default place, which may be empty.
    pub named: bool,
}

/// Where trusted root certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// `sslrootcert=system`: OpenSSL's default places.
    System,
    /// A file (`sslrootcert`, else `~/.postgresql/root.crt`).
    File(NamedFile),
    /// The system's, and a file beside them.
    SystemAnd(PathBuf),
    /// Mozilla's list, as it is compiled into other TLS libraries, and a file beside it.
    Mozilla(Option<PathBuf>),
    /// Certificates are verified, and there is no authority to trust.
    Nobody,
    /// No file is named and there is no home directory to look in.
    Nowhere,
}

/// The `ssl*` parameters.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// `sslmode`.
    pub mode: SslMode,
    /// `sslnegotiation`.
    pub negotiation: SslNegotiation,
    /// `sslrootcert`.
    pub roots: Roots,
    /// `sslcert`.
    pub certificate: Option<NamedFile>,
    /// `sslkey`.
    pub key: Option<NamedFile>,
    /// `sslpassword`.
    pub key_password: Option<Secret>,
    /// `sslcertmode`.
    pub certificate_mode: SslCertMode,
    /// `sslcrl`.
    pub crl: Option<NamedFile>,
    /// `sslcrldir`.
    pub crl_dir: Option<PathBuf>,
    /// `sslsni`.
    pub sni: bool,
    /// `ssl_min_protocol_version`.
    pub min_version: Option<TlsVersion>,
    /// `ssl_max_protocol_version`.
    pub max_version: Option<TlsVersion>,
}

/// The `keepalives*` and `tcp_user_timeout` parameters; 0 means the system's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalives {
    /// `keepalives`.
    pub enabled: bool,
    /// `keepalives_idle`, seconds.
    pub idle: u32,
    /// `keepalives_interval`, seconds.
    pub interval: u32,
    /// `keepalives_count`.
    pub count: u32,
    /// `tcp_user_timeout`, milliseconds.
    pub user_timeout: u32,
}

impl Keepalives {
    /// None at all: for a connection that lasts a second.
    pub const OFF: Self = Self {
        enabled: false,
        idle: 0,
        interval: 0,
        count: 0,
        user_timeout: 0,
    };
}

/// The guards for CI.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// `--not-host`.
    pub not_host: Vec<HostPattern>,
    /// `--expect-database`.
    pub database: Option<String>,
    /// `--expect-role`.
    pub role: Option<ServerRole>,
    /// `--expect-server-version`, a major version.
    pub server_version: Option<u32>,
    /// `--expect-cluster-name`.
    pub cluster_name: Option<String>,
    /// `--expect-writable`.
    pub writable: bool,
    /// `--warn-cert-days`, `--fail-cert-days`, `--warn-latency`.
    pub thresholds: Thresholds,
}

/// What a server is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerRole {
    /// It takes writes.
    Primary,
    /// It is in recovery.
    Standby,
}

/// The way to the database over SSH: every hop's settings, resolved from
/// flags and `ssh_config`.
#[derive(Clone, Debug)]
pub struct SshPlan {
    /// The hops in the order they are passed, the last one being the bastion
    /// that reaches the database. Never empty.
    pub hops: Vec<Hop>,
    /// `DBDOCTOR_SSH_PASSPHRASE`; `Some("")` means "none, and do not ask".
    pub passphrase: Option<Secret>,
    /// `DBDOCTOR_SSH_PASSWORD`.
    pub password: Option<Secret>,
    /// The files that flags and defaults name.
    pub given: SshFiles,
}

/// The files that ssh is to read, whatever stands in them.
#[derive(Clone, Debug, Default)]
pub struct SshFiles {
    /// The configuration, in the order it is read.
    pub config: Vec<PathBuf>,
    /// `--ssh-key`.
    pub keys: Vec<PathBuf>,
    /// `--ssh-known-hosts`.
    pub known_hosts: Option<PathBuf>,
}

/// The command that a hop is reached through (`ProxyCommand`).
#[derive(Clone, Debug)]
pub struct ProxyCommand {
    /// The line for the shell, with its tokens replaced. It may hold a secret,
    /// and is not shown.
    pub line: String,
    /// The file that names it.
    pub file: String,
    /// The line in it, from 1.
    pub number: usize,
}

/// One SSH server on the way.
#[derive(Clone, Debug)]
pub struct Hop {
    /// As it was written in `--ssh` or ProxyJump; `Host` patterns match its host.
    pub written: Spec,
    /// It is reached through the hop before it in the list of `--ssh` or ProxyJump that names
    /// both, whatever its own ProxyJump says.
    pub follows: bool,
    /// `HostName`: what is resolved and dialled.
    pub host: String,
    /// `Port`.
    pub port: u16,
    /// `ProxyCommand`, where this machine does not connect to it itself.
    pub proxy_command: Option<ProxyCommand>,
    /// `BindAddress` or `BindInterface`, where this machine connects to it.
    pub local_end: Option<LocalEnd>,
    /// Where that was set.
    pub port_source: PortSource,
    /// `User`.
    pub user: String,
    /// `AddressFamily`.
    pub family: Family,
    /// `--ssh-key` and `IdentityFile`, in the order they are offered; the
    /// default files, where none is named.
    pub identity_files: Vec<NamedFile>,
    /// `CertificateFile`.
    pub certificate_files: Vec<PathBuf>,
    /// `IdentitiesOnly`.
    pub identities_only: bool,
    /// The agent's socket (`IdentityAgent`, else `SSH_AUTH_SOCK`), if there is to be one.
    pub agent: Option<PathBuf>,
    /// `UserKnownHostsFile` or `--ssh-known-hosts`.
    pub known_hosts: Vec<PathBuf>,
    /// `GlobalKnownHostsFile`.
    pub global_known_hosts: Vec<PathBuf>,
    /// `KnownHostsCommand`.
    pub known_hosts_command: Option<KnownHostsCommand>,
    /// `RevokedHostKeys`, as it was read when the run began.
    pub revoked_host_keys: Vec<RevokedKeys>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
    /// `StrictHostKeyChecking` or `--ssh-host-key-check`.
    pub host_key_check: HostKeyCheck,
    /// `NoHostAuthenticationForLocalhost`.
    pub trusts_loopback: bool,
    /// `CheckHostIP`: known_hosts is asked about the address too.
    pub checks_address: bool,
    /// The algorithms that the configuration sets.
    pub algorithms: AlgorithmLists,
    /// `RequiredRSASize`: RSA keys of fewer bits are neither taken nor offered.
    pub least_rsa_bits: u32,
    /// `ServerAliveInterval`; zero for none.
    pub alive_interval: Duration,
    /// `TCPKeepAlive`.
    pub tcp_keepalive: bool,
    /// The ways to authenticate, in the order they are tried.
    pub methods: Vec<SshMethod>,
    /// The options that give ssh what our flags said: `-F FILE -i KEY`.
    pub ssh_options: Vec<String>,
    /// What `ssh -L` is told for a tunnel to the target's first database.
    pub forward: Option<String>,
}

/// Where the port of an SSH server was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortSource {
    /// In `--ssh`.
    Flag,
    /// In the `ProxyJump` that names the server.
    ProxyJump,
    /// By `Port` in a configuration file, with its line.
    File(PathBuf, usize),
    /// Nowhere.
    Default,
}

impl fmt::Display for PortSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortSource::Flag => write!(f, "--ssh"),
            PortSource::ProxyJump => write!(f, "ProxyJump in the SSH configuration"),
            PortSource::File(path, line) => write!(f, "{} line {line}", path.display()),
            PortSource::Default => write!(f, "the default (no port is set)"),
        }
    }
}

/// A way to authenticate that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshMethod {
    /// By key.
    PublicKey,
    /// By answers to the server's questions.
    KeyboardInteractive,
    /// By password.
    Password,
}

impl SshMethod {
    /// All, in the order of OpenSSH's `PreferredAuthentications`.
    pub const ALL: [SshMethod; 3] = [
        SshMethod::PublicKey,
        SshMethod::KeyboardInteractive,
        SshMethod::Password,
    ];

    /// Its name in the protocol (RFC 4252, RFC 4256).
    pub fn name(self) -> &'static str {
        match self {
            SshMethod::PublicKey => "publickey",
            SshMethod::KeyboardInteractive => "keyboard-interactive",
            SshMethod::Password => "password",
        }
    }
}

impl Hop {
    /// How ssh is called to go to it as we do, but for port, user and host: the
    /// words of a command to paste.
    pub fn ssh_words(&self) -> Vec<String> {
        let ssh = ["ssh".to_owned()];
        ssh.into_iter().chain(self.ssh_options.clone()).collect()
    }

    /// The arguments with which ssh goes to it as we do, but for `USER@HOST`.
    pub fn ssh_args(&self) -> Vec<String> {
        let port = ["-p".to_owned(), self.port.to_string()];
        self.ssh_options.iter().cloned().chain(port).collect()
    }

    /// How the hop is named in sentences: `ops@bastion:22`.
    pub fn label(&self) -> String {
        // What stands behind a colon was meant for a password.
        let user = match self.user.split_once(':') {
            Some((user, _)) => format!("{user}:{}", crate::secret::HIDDEN),
            None => self.user.clone(),
        };
        format!("{user}@{}", host_port(&self.host, self.port))
    }
}

/// What to do about a host key that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyCheck {
    /// Only a known key is accepted.
    Yes,
    /// An unknown key is accepted (and not written down), a changed one is not.
    AcceptNew,
    /// Any key is accepted; with a changed one only public keys are offered.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_getaddrinfo_reads_them() {
        let v4 = |text: &str| Place::Ip(text.parse().unwrap(), 0);
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("010.0.0.1", "8.0.0.1"),
            ("::1", "::1"),
        ] {
            assert_eq!(Place::of_host(host), v4(address), "{host}");
        }
        for name in [
            "db",
            "127.0.0.256",
            "1.2.3.4.5",
            "0x",
            "09.1",
            "::1%lo",
            "1.",
            "",
            "4294967296",
        ] {
            assert_eq!(Place::of_host(name), Place::Name(name.to_owned()), "{name}");
        }
        assert_eq!(
            Place::of_host("fe80::1%1"),
            Place::Ip("fe80::1".parse().unwrap(), 1)
        );
    }
}
