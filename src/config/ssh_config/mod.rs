//! `ssh_config(5)`: which values hold for one host. Lines are judged as
//! OpenSSH judges them, those of other hosts too, since ssh stops at any line
//! that it does not understand.

mod criteria;
mod destination;
mod execute;
mod forward;
mod include;
mod keyword;
mod line;
pub mod lists;
mod names;
pub mod pattern;
mod permissions;
mod read;
mod settings;
mod undecided;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files;
use crate::process::Variables;
use lists::AlgorithmLists;
use read::{DEEPEST, Holds, LinePlace, MOST_FILES, Reader};

pub use destination::{Spec, jump, spec};
pub use line::argv;
pub use names::AlgorithmList;
pub use pattern::{pattern, pattern_list};
pub use undecided::STRICT;

/// What the configuration says about one host; the first value of each wins,
/// and keys and certificates add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `HostName`, not expanded.
    pub hostname: Option<String>,
    /// `User`.
    pub user: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// The file and line that set it.
    pub port_place: Option<(PathBuf, usize)>,
    /// Every `IdentityFile`, not expanded; `none` among them.
    pub identity_files: Vec<String>,
    /// Every `CertificateFile`, not expanded.
    pub certificate_files: Vec<String>,
    /// `IdentityAgent`, not expanded.
    pub identity_agent: Option<String>,
    /// `IdentitiesOnly`.
    pub identities_only: Option<bool>,
    /// `ProxyJump`, unless a `ProxyCommand` came first.
    pub proxy_jump: Option<String>,
    /// `ProxyCommand`, not expanded, unless a `ProxyJump` came first.
    pub proxy_command: Option<Written>,
    /// Where `ProxyUseFdpass` asks for a connection in place of its bytes.
    pub passes_descriptor: Option<Option<(PathBuf, usize)>>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
    /// `UserKnownHostsFile`, not expanded.
    pub user_known_hosts: Option<Vec<String>>,
    /// `GlobalKnownHostsFile`, not expanded.
    pub global_known_hosts: Option<Vec<String>>,
    /// `KnownHostsCommand`, not expanded.
    pub known_hosts_command: Option<Written>,
    /// `RevokedHostKeys`, not expanded.
    pub revoked_host_keys: Option<Vec<String>>,
    /// `StrictHostKeyChecking`, in lower case.
    pub strict: Option<String>,
    /// `AddressFamily`.
    pub address_family: Option<super::Family>,
    /// `BindAddress`.
    pub bind_address: Option<Written>,
    /// `BindInterface`.
    pub bind_interface: Option<Written>,
    /// `NoHostAuthenticationForLocalhost`.
    pub trusts_loopback: Option<bool>,
    /// `KexAlgorithms` and its like.
    pub algorithms: AlgorithmLists,
    /// `CheckHostIP`.
    pub check_host_ip: Option<bool>,
    /// `RequiredRSASize`, in bits.
    pub required_rsa_size: Option<u32>,
    /// `ServerAliveInterval`; `none` counts as not set.
    pub server_alive_interval: Option<Duration>,
    /// `TCPKeepAlive`.
    pub tcp_keepalive: Option<bool>,
    /// `PubkeyAuthentication`.
    pub pubkey: Option<bool>,
    /// `PasswordAuthentication`.
    pub password: Option<bool>,
    /// `KbdInteractiveAuthentication`.
    pub questions: Option<bool>,
    /// `PreferredAuthentications`.
    pub preferred_methods: Option<String>,
    /// `ControlPath`, not expanded.
    pub control_path: Option<String>,
    /// `ConnectionAttempts`.
    pub connection_attempts: Option<u32>,
    /// Settings for this host that are not followed here.
    pub unsupported: Vec<Unsupported>,
    /// Restrictions that may be meant for this host: whether they are, is not known here.
    pub undecided: Vec<Undecided>,
    /// `Tag`, for `Match tagged`.
    tag: Option<String>,
    /// `CanonicalizeHostname`.
    canonicalizes: Option<bool>,
    /// `CanonicalDomains`.
    canonical_domains: Option<Vec<String>>,
    /// Whether any block asks for a second reading (`Match final`).
    wants_final: bool,
}

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The value: of a command the rest of its line.
    pub text: String,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// A setting that is not followed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// As it is spelled in the manual.
    pub keyword: String,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// A setting that restricts trust, in a block of which it is not known whether
/// it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The setting's name, as it is spelled in the manual.
    pub keyword: &'static str,
    /// What it depends on: `Match exec`.
    pub condition: String,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// Why ssh would stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigRejected {
    /// A line that it does not understand.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// `RefuseConnection`.
    Refused {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What it says.
        words: String,
    },
    /// A file that others could write.
    Permissions {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that is there and cannot be read, or is named and not there.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: files::Unreadable,
    },
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The user's file.
    pub user: Option<PathBuf>,
    /// Whether the user's file was named, so that it must be there, and its
    /// owner and mode are not looked at.
    pub named: bool,
    /// The system's file.
    pub system: Option<PathBuf>,
}

/// Who asks for which host.
#[derive(Clone, Debug)]
pub struct HostQuery<'a> {
    /// The host as it was written.
    pub host: &'a str,
    /// The user who was named with it.
    pub user: Option<&'a str>,
    /// The operating-system user.
    pub local_user: &'a str,
    /// Its number.
    pub uid: u32,
    /// The home directory.
    pub home: Option<&'a Path>,
    /// The environment that the commands of `Match exec` are run in; without
    /// one they are not run.
    pub environment: Option<&'a Variables>,
}

/// Reads the files for one host.
///
/// # Errors
/// What ssh would stop at.
pub fn lookup(files: &Files, asked: &HostQuery) -> Result<Options, ConfigRejected> {
    let mut reader = Reader {
        asked,
        options: Options::default(),
        second: None,
        ignored: None,
        condition: None,
        files: 0,
        named: Vec::new(),
    };
    reader.all(files, Holds::Yes)?;
    let host = reader.hostname().to_lowercase();
    if reader.options.wants_final {
        // The destination is settled by then (ssh.c, `main`).
        reader.options.hostname = Some(host.replace('%', "%%"));
        reader.second = Some(host.clone());
        reader.all(files, Holds::Yes)?;
    }
    if reader.options.canonicalizes == Some(true) {
        // Names are not completed here: what ssh would read for one may hold.
        reader.condition = Some("CanonicalizeHostname".to_owned());
        let domains = reader.options.canonical_domains.take().unwrap_or_default();
        let completed = domains.iter().map(|domain| format!("{host}.{domain}"));
        for name in completed.chain([host.clone()]) {
            reader.second = Some(name);
            reader.all(files, Holds::Unknown)?;
        }
    }
    reader.settle_undecided();
    Ok(reader.options)
}

/// The hosts that `Host` lines name in full, in the files' order, up to the first line that
/// ssh would stop at. No command of `Match exec` is run.
pub fn hosts(files: &Files, home: Option<&Path>, uid: u32) -> Vec<String> {
    let nobody = HostQuery {
        host: "",
        user: None,
        local_user: "",
        uid,
        home,
        environment: None,
    };
    let mut reader = Reader {
        asked: &nobody,
        options: Options::default(),
        second: None,
        ignored: None,
        condition: None,
        files: 0,
        named: Vec::new(),
    };
    // What was read before such a line is worth offering.
    let _ = reader.all(files, Holds::Yes);
    let mut seen = BTreeSet::new();
    reader.named.retain(|name| seen.insert(name.clone()));
    reader.named
}

/// Reads one text as a file in the user's folder, its includes as nothing.
/// For tests of the parser alone.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_in(text: &str, asked: &HostQuery) -> Result<Options, ConfigRejected> {
    let mut reader = Reader {
        asked,
        options: Options::default(),
        second: None,
        ignored: None,
        condition: None,
        files: MOST_FILES,
        named: Vec::new(),
    };
    let place = LinePlace {
        path: Path::new("config"),
        user: true,
        outer: Holds::Yes,
        depth: DEEPEST,
    };
    let mut active = Holds::Yes;
    reader.text(text, &place, &mut active)?;
    reader.settle_undecided();
    Ok(reader.options)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read(text: &str, host: &str) -> Result<Options, ConfigRejected> {
        let asked = HostQuery {
            host,
            user: None,
            local_user: "me",
            uid: 1000,
            home: None,
            environment: None,
        };
        lookup_in(text, &asked)
    }

    #[test]
    fn the_first_value_wins_and_keys_add_up() {
        let text = "
# comment
Host db*  !db9
  User=ops
  Port 2222
  IdentityFile \"~/a key\"
Host *
  User other
  IdentityFile ~/b
  HostName %h.test
  StrictHostKeyChecking OFF
";
        let options = read(text, "db1").unwrap();
        assert_eq!(options.user.as_deref(), Some("ops"));
        assert_eq!(options.port, Some(2222));
        assert_eq!(options.identity_files, ["~/a key", "~/b"]);
        assert_eq!(options.hostname.as_deref(), Some("%h.test"));
        assert_eq!(options.strict.as_deref(), Some("off"));
        assert_eq!(read(text, "db9").unwrap().user.as_deref(), Some("other"));
        assert_eq!(read(text, "DB1").unwrap().port, None);
    }

    #[test]
    fn lines_that_ssh_stops_at() {
        for bad in [
            "Nonsense yes",
            "UseKeychain yes",
            "Port",
            "Port x",
            "Port 0",
            "Port 70000",
            "User \"x",
            "User a b",
            "IdentitiesOnly maybe",
            "StrictHostKeyChecking maybe",
            "ProxyJump a:x",
            "UserKnownHostsFile a none",
            "Host other\n Nonsense yes",
            "Host other\n MACs foo",
            "KexAlgorithms +foo",
            "PubkeyAcceptedKeyTypes foo",
            "HostbasedKeyTypes foo",
            "CASignatureAlgorithms foo",
            "LogLevel loud",
            "ConnectTimeout soon",
            "ConnectionAttempts -1",
            "AddressFamily ipv4",
            "LocalForward 8080",
            "IPQoS foo",
            "SendEnv A=B",
            "EscapeChar xx",
            "SetEnv LANG",
        ] {
            assert!(read(bad, "h").is_err(), "{bad}");
        }
        for fine in [
            "IgnoreUnknown UseKey*\nUseKeychain yes",
            "SendEnv LANG LC_*",
            "User x # comment",
            "LocalForward 1 a:2",
            "ProxyCommand nc %h %p",
            "ConnectTimeout 10",
            "ServerAliveInterval 1m",
            "ServerAliveInterval 1h30",
            "ConnectTimeout none",
            "LogLevel verbose",
            "ControlMaster AutoAsk",
            "ControlPersist 10m",
            "LocalForward /a /b",
            "HostKeyAlgorithms +ssh-*",
            "Ciphers -foo",
            "\tport=22\r",
            "HostName = h",
        ] {
            assert!(read(fine, "h").is_ok(), "{fine}");
        }
    }

    #[test]
    fn a_command_is_the_rest_of_its_line() {
        for (text, command) in [
            ("ProxyCommand nc %h %p", Some("nc %h %p")),
            ("ProxyCommand = \"a b\"  c # d ", Some("\"a b\"  c # d")),
            ("ProxyCommand ==x", Some("x")),
            ("ProxyCommand x\nProxyCommand y", Some("x")),
            ("ProxyCommand nOne", Some("nOne")),
            ("Host q\n ProxyCommand x", None),
            ("ProxyJump a\nProxyCommand nc", None),
            ("ProxyJump none\nProxyCommand nc", Some("nc")),
        ] {
            let options = read(text, "h").unwrap();
            let read = options.proxy_command.map(|command| command.text);
            assert_eq!(read.as_deref(), command, "{text}");
        }
        let options = read("ProxyCommand none\nProxyJump a", "h").unwrap();
        assert_eq!(options.proxy_jump, None);
    }

    #[test]
    fn quotes_and_comments_of_jumps() {
        for (text, jump) in [
            ("ProxyJump none", Some("none")),
            ("ProxyJump \"a\"", Some("a")),
            ("ProxyJump=a # said", Some("a")),
            ("ProxyJump a,b # said", Some("a,b")),
            ("ProxyJump \"none\"", None),
            ("ProxyJump none # said", None),
            ("ProxyJump \"a,b\"", None),
            ("ProxyJump \"a:22\"", None),
            ("ProxyJump \"u@a\"", None),
            ("ProxyJump \"a,b\" # said", None),
        ] {
            let read = read(text, "h").ok().and_then(|options| options.proxy_jump);
            assert_eq!(read.as_deref(), jump, "{text}");
        }
        // Where it does not count, it does not matter.
        for text in [
            "Host q\n ProxyJump \"none\"",
            "ProxyJump a\nProxyJump \"none\"",
            "ProxyCommand x\nProxyJump \"a,b\"",
        ] {
            assert!(read(text, "h").is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_followed_is_named() {
        let named = |text: &str| -> Vec<String> {
            let options = read(text, "h").unwrap();
            options.unsupported.into_iter().map(|u| u.keyword).collect()
        };
        assert_eq!(
            named("CanonicalizePermittedCNAMEs a:b"),
            ["CanonicalizePermittedCNAMEs"]
        );
        assert_eq!(named("CanonicalizePermittedCNAMEs none"), [""; 0]);
        assert_eq!(
            named("AddressFamily any\nVerifyHostKeyDNS yes"),
            ["VerifyHostKeyDNS"]
        );
    }
}
