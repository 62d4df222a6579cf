//! The way over SSH, from flags, variables and `ssh_config`: every hop with
//! the settings that ssh would use for it.

use std::path::{Path, PathBuf};

use super::known_hosts_command::KnownHostsCommand;
use super::local_end::LocalEnd;
use super::origin::tilde;
use super::revoked_keys::RevokedKeys;
use super::ssh_config::{
    self, ConfigRejected, Files, HostQuery, Options, STRICT, Spec, Undecided, spec,
};
use super::ssh_home;
use super::{
    Endpoint, Hop, HostKeyCheck, NamedFile, Place, PortSource, ProxyCommand, SshFiles, SshMethod,
    SshPlan,
};
use crate::cause::config as cause;
use crate::config::request::SshRequest;
use crate::finding::Finding;
use crate::report::StageRecord;
use crate::secret::Secret;
use crate::system::{Account, System};

/// More hops than any way has.
const MOST_HOPS: usize = 16;

/// The least that OpenSSH takes of an RSA key, whatever its configuration says
/// (`SSH_RSA_MINIMUM_MODULUS_SIZE`), in bits.
pub const LEAST_RSA_BITS: u32 = 1024;

/// The files that ssh looks for where none is named (`IdentityFile`).
pub const DEFAULT_KEYS: [&str; 7] = [
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_xmss",
    "id_dsa",
];

/// The hops that `--ssh` names, with the jump hosts that the configuration
/// puts before the first; `None` without `--ssh`. What is not followed
/// becomes a warning of the record.
///
/// # Errors
/// What ssh itself would stop at.
pub fn plan(
    args: &SshRequest,
    surroundings: &System,
    database: Option<&Endpoint>,
    record: &mut StageRecord,
) -> Result<Option<SshPlan>, Finding> {
    if args.hops.is_empty() {
        return Ok(None);
    }
    let account = surroundings
        .account
        .as_ref()
        .ok_or_else(|| ssh_home::no_user(surroundings))?;
    if let Some(finding) = ssh_home::unread(account, args, surroundings) {
        record.warn(finding);
    }
    let mut planner = Planner {
        args,
        account,
        surroundings,
        files: files(args, surroundings),
        forward: database.map(|endpoint| format!("127.0.0.1:15432:{}", endpoint.label())),
        unsupported: Vec::new(),
    };
    let mut specs = Vec::new();
    for text in &args.hops {
        let url = text.contains("://") && !text.trim_start().starts_with("ssh://");
        let read = spec(text).filter(|_| !url).ok_or_else(|| {
            Finding::new(&cause::PARAM_INVALID)
                .with("parameter", "--ssh")
                .with("source", "command line")
                .with("value", "the given text")
                .with("problem", "it is not [USER@]HOST[:PORT]")
                .with("allowed", "[USER@]HOST[:PORT], the port from 1 to 65535")
        })?;
        if let Some((_, password)) = read.user.as_deref().and_then(|user| user.split_once(':')) {
            // Some gateways take more than a name here; others are given a
            // password, which ssh does not take. It is not shown.
            crate::secret::guard(&Secret::new(password));
        }
        specs.push(read);
    }
    let hops = planner.hops(&specs, &mut Vec::new())?;
    if let Some(path) = &args.known_hosts {
        let path = expand_home(path, surroundings.ssh_home());
        if let Err(why) = super::files::readable(&path) {
            record.warn(
                Finding::new(&cause::FILE_MISSING)
                    .with("parameter", "--ssh-known-hosts")
                    .with("source", "command line")
                    .with("file", path.display().to_string())
                    .with("problem", why.problem),
            );
        }
    }
    if let Some(finding) = planner.unreadable() {
        record.warn(finding);
    }
    for (host, setting) in &planner.unsupported {
        record.warn(
            Finding::new(&cause::SSH_UNSUPPORTED)
                .with("file", tilde(&setting.file, surroundings.home.as_deref()))
                .with("line", setting.line)
                .with("keyword", setting.keyword.clone())
                .word("ssh", ssh_words(args, surroundings))
                .word("forward", planner.forward.clone())
                .with("host", host.clone()),
        );
    }
    Ok(Some(SshPlan {
        hops,
        passphrase: surroundings.var("DBDOCTOR_SSH_PASSPHRASE").map(Secret::new),
        password: surroundings
            .var("DBDOCTOR_SSH_PASSWORD")
            .filter(|password| !password.is_empty())
            .map(Secret::new),
        given: given(args, surroundings, &planner.files),
    }))
}

/// The same for `dbdoctor key`, which has no target.
///
/// # Errors
/// As [`plan`].
pub fn ssh_plan(
    args: &SshRequest,
    surroundings: &System,
    record: &mut StageRecord,
) -> Result<Option<SshPlan>, Finding> {
    plan(args, surroundings, None, record)
}

/// The ways to authenticate that are not switched off, in their order.
fn methods(options: &Options) -> Vec<SshMethod> {
    let on = |method: &SshMethod| {
        let set = match method {
            SshMethod::PublicKey => options.pubkey,
            SshMethod::KeyboardInteractive => options.questions,
            SshMethod::Password => options.password,
        };
        set.unwrap_or(true)
    };
    let known = |name: &str| SshMethod::ALL.into_iter().find(|m| m.name() == name);
    match &options.preferred_methods {
        Some(names) => names.split(',').filter_map(known).filter(on).collect(),
        None => SshMethod::ALL.into_iter().filter(on).collect(),
    }
}

/// The configuration files: `--ssh-config` alone, else the user's and the system's.
fn files(args: &SshRequest, surroundings: &System) -> Files {
    match &args.config {
        Some(path) if path.as_os_str().eq_ignore_ascii_case("none") => Files::default(),
        Some(path) => Files {
            user: Some(expand_home(path, surroundings.ssh_home())),
            named: true,
            system: None,
        },
        None => Files {
            user: surroundings.ssh_home().map(|home| home.join(".ssh/config")),
            named: false,
            system: Some(PathBuf::from("/etc/ssh/ssh_config")),
        },
    }
}

/// The files that flags and defaults name.
fn given(args: &SshRequest, surroundings: &System, files: &Files) -> SshFiles {
    let path = |path: &PathBuf| expand_home(path, surroundings.ssh_home());
    SshFiles {
        config: files.user.iter().chain(&files.system).cloned().collect(),
        keys: args.keys.iter().map(path).collect(),
        known_hosts: args.known_hosts.as_ref().map(path),
    }
}

/// What our flags said, in ssh's words.
fn ssh_options(args: &SshRequest, surroundings: &System) -> Vec<String> {
    let path = |path: &PathBuf| {
        let path = expand_home(path, surroundings.ssh_home());
        path.display().to_string()
    };
    let mut options = Vec::new();
    if let Some(file) = &args.config {
        options.extend(["-F".to_owned(), path(file)]);
    }
    for key in &args.keys {
        options.extend(["-i".to_owned(), path(key)]);
    }
    if let Some(file) = &args.known_hosts {
        let file = format!("UserKnownHostsFile={}", path(file));
        options.extend(["-o".to_owned(), file]);
    }
    options
}

/// How ssh is called with these flags: the words of a command to paste.
fn ssh_words(args: &SshRequest, surroundings: &System) -> Vec<String> {
    let ssh = ["ssh".to_owned()];
    ssh.into_iter()
        .chain(ssh_options(args, surroundings))
        .collect()
}

struct Planner<'a> {
    args: &'a SshRequest,
    /// Whose name and home ssh goes by.
    account: &'a Account,
    surroundings: &'a System,
    files: Files,
    /// What `ssh -L` is told for a tunnel to the database.
    forward: Option<String>,
    /// Settings that are not followed, with the host they are for.
    unsupported: Vec<(String, ssh_config::Unsupported)>,
}

impl Planner<'_> {
    /// The hops of a list. ssh reaches the first one by its own ProxyJump;
    /// the others are reached through the one before, whatever theirs says.
    fn hops(&mut self, specs: &[Spec], trail: &mut Vec<Spec>) -> Result<Vec<Hop>, Finding> {
        let mut hops = Vec::new();
        for (at, spec) in specs.iter().enumerate() {
            let (mut hop, jumps) = self.hop(spec, at == 0)?;
            if !trail.is_empty() && hop.port_source == PortSource::Flag {
                hop.port_source = PortSource::ProxyJump;
            }
            let before = match at.checked_sub(1) {
                Some(before) => specs.get(before),
                None => jumps.last(),
            };
            if let Some(jump) = before.filter(|jump| is_jump_to_itself(jump, &hop)) {
                return Err(circle(&jump.host));
            }
            if at == 0 && !jumps.is_empty() {
                trail.push(spec.clone());
                // Its own ProxyJump counts for the first of them alone; for
                // the same destination it says the same again.
                if let Some(jump) = jumps.first().filter(|jump| trail.contains(jump)) {
                    return Err(circle(&jump.host));
                }
                if trail.len() > MOST_HOPS {
                    return Err(circle(&spec.host));
                }
                hops.extend(self.hops(&jumps, trail)?);
            }
            hops.push(hop);
        }
        Ok(hops)
    }

    /// One hop and the jump hosts before it.
    fn hop(&mut self, spec: &Spec, first: bool) -> Result<(Hop, Vec<Spec>), Finding> {
        let surroundings = self.surroundings;
        let home = Some(self.account.home.as_path());
        let local_user = self.account.name.clone();
        let asked = HostQuery {
            host: &spec.host,
            user: spec.user.as_deref(),
            local_user: &local_user,
            uid: surroundings.uid,
            home,
            environment: Some(&surroundings.vars),
        };
        let options = ssh_config::lookup(&self.files, &asked)
            .map_err(|rejected| self.rejected(rejected, &spec.host))?;
        if let Some(undecided) = self.undecided(&options) {
            return Err(Finding::new(&cause::SSH_UNDECIDED)
                .with("file", undecided.file.display().to_string())
                .with("line", undecided.line)
                .with("keyword", undecided.keyword)
                .with("condition", undecided.condition.clone())
                .word("ssh", ssh_words(self.args, self.surroundings))
                .with("host", spec.host.clone()));
        }
        let wrong = |problem: String| {
            Finding::new(&cause::SSH_SYNTAX)
                .with("place", self.config_name())
                .with("file", self.config_name())
                .with("problem", problem)
                .with("host", spec.host.clone())
        };

        let port = spec.port.or(options.port).unwrap_or(22);
        let port_source = match (spec.port, &options.port_place) {
            (Some(_), _) => PortSource::Flag,
            (None, Some((file, line))) => PortSource::File(file.clone(), *line),
            (None, None) => PortSource::Default,
        };
        let user = spec.user.clone().or_else(|| options.user.clone());
        let user = user.unwrap_or_else(|| local_user.clone());
        let host = match &options.hostname {
            Some(name) => expand(name, |token| match token {
                'h' => Some(spec.host.clone()),
                _ => None,
            })
            .map_err(&wrong)?,
            None => spec.host.clone(),
        }
        .to_lowercase();
        // An address is looked up in known_hosts as it is usually written
        // (ssh.c, `resolve_addr`).
        let host = match Place::address(&host) {
            Some((address, 0)) => address.to_string(),
            _ => host,
        };
        let alias = options.host_key_alias.as_deref().map(str::to_lowercase);
        let tokens = |token: char| -> Option<String> {
            Some(match token {
                'h' => host.clone(),
                'n' => spec.host.clone(),
                'p' => port.to_string(),
                'r' => user.clone(),
                'u' => local_user.clone(),
                'd' => home?.display().to_string(),
                'i' => surroundings.uid.to_string(),
                'L' => local_name().split('.').next()?.to_owned(),
                'l' => local_name(),
                'k' => alias.clone().unwrap_or_else(|| spec.host.clone()),
                'j' => options.proxy_jump.clone().unwrap_or_default(),
                'C' => connection_hash(&host, port, &user)?,
                _ => return None,
            })
        };
        let path = |text: &str| -> Result<PathBuf, Finding> {
            let text = expand_tilde(text, home).map_err(&wrong)?;
            let text = expand(&text, tokens).map_err(&wrong)?;
            let text = self.variables(&text).map_err(&wrong)?;
            Ok(PathBuf::from(text))
        };
        let some = |text: &&String| !text.eq_ignore_ascii_case("none");
        let paths = |texts: &[String]| -> Result<Vec<PathBuf>, Finding> {
            texts.iter().filter(some).map(|text| path(text)).collect()
        };

        // ssh stops at these, though nothing comes of them here.
        if options.connection_attempts == Some(0) {
            return Err(wrong("ConnectionAttempts 0".to_owned()));
        }
        if let Some(text) = options.control_path.as_ref().filter(some) {
            path(text)?;
        }

        let named = |path: PathBuf| NamedFile { path, named: true };
        let mut identity_files: Vec<NamedFile> = self
            .args
            .keys
            .iter()
            .map(|path| named(expand_home(path, home)))
            .collect();
        for path in paths(&options.identity_files)? {
            if !identity_files.iter().any(|known| known.path == path) {
                identity_files.push(named(path));
            }
        }
        if self.args.keys.is_empty() && options.identity_files.is_empty() {
            identity_files = default_keys(home);
        }
        let inside = |names: &[&str]| -> Vec<PathBuf> {
            let folder = home.map(|home| home.join(".ssh"));
            folder
                .map(|folder| names.iter().map(|name| folder.join(name)).collect())
                .unwrap_or_default()
        };
        let (known_hosts, global_known_hosts) = match &self.args.known_hosts {
            Some(path) => (vec![expand_home(path, home)], Vec::new()),
            None => (
                match &options.user_known_hosts {
                    Some(files) => paths(files)?,
                    None => inside(&["known_hosts", "known_hosts2"]),
                },
                match &options.global_known_hosts {
                    // Neither tokens nor variables are expanded there.
                    Some(files) => files
                        .iter()
                        .filter(some)
                        .map(|file| expand_tilde(file, home).map(PathBuf::from))
                        .collect::<Result<_, _>>()
                        .map_err(&wrong)?,
                    None if self.args.config.is_some() => Vec::new(),
                    None => ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
                        .map(PathBuf::from)
                        .to_vec(),
                },
            ),
        };
        let revoked_host_keys = paths(options.revoked_host_keys.as_deref().unwrap_or_default())?
            .iter()
            .map(|file| {
                RevokedKeys::read(file).map_err(|problem| {
                    Finding::new(&cause::SSH_REVOKED_KEYS)
                        .with("file", file.display().to_string())
                        .with("problem", problem)
                        .with("host", spec.host.clone())
                })
            })
            .collect::<Result<_, _>>()?;
        let jumps = match options.proxy_jump.as_deref() {
            Some(list) if first && !list.eq_ignore_ascii_case("none") => {
                let list = expand(list, tokens).map_err(&wrong)?;
                list.split(',')
                    .map(|item| {
                        ssh_config::jump(item)
                            .ok_or_else(|| wrong("a ProxyJump that is not a host".to_owned()))
                    })
                    .collect::<Result<_, _>>()?
            }
            _ => Vec::new(),
        };
        let proxy_command = match &options.proxy_command {
            Some(command) if !command.text.eq_ignore_ascii_case("none") => {
                let known = |c: char| matches!(c, 'h' | 'k' | 'n' | 'p' | 'r');
                let tokens = |c: char| tokens(c).filter(|_| known(c));
                Some(ProxyCommand {
                    line: expand(&command.text, tokens).map_err(&wrong)?,
                    file: tilde(&command.file, home),
                    number: command.line,
                })
            }
            _ => None,
        };
        let local_end = LocalEnd::of(&options, home)
            .filter(|_| first && jumps.is_empty() && proxy_command.is_none());
        let known_hosts_command = match &options.known_hosts_command {
            Some(command) if !command.text.eq_ignore_ascii_case("none") => {
                let place = (tilde(&command.file, home), command.line);
                let variable = |name: &str| self.surroundings.var(name);
                let command = KnownHostsCommand::new(&command.text, place, tokens, variable);
                Some(command.map_err(|problem| wrong(format!("KnownHostsCommand: {problem}")))?)
            }
            _ => None,
        };
        if let (Some(_), Some(Some((file, line))), true) =
            (&proxy_command, &options.passes_descriptor, first)
        {
            // What it prints is no SSH: ssh takes a connection from it.
            return Err(Finding::new(&cause::SSH_UNSUPPORTED)
                .as_failure()
                .with("file", tilde(file, home))
                .with("line", *line)
                .with("keyword", "ProxyUseFdpass")
                .word("ssh", ssh_words(self.args, self.surroundings))
                .word("forward", self.forward.clone())
                .with("host", spec.host.clone()));
        }
        let hop = Hop {
            written: spec.clone(),
            follows: !first,
            identity_files,
            certificate_files: paths(&options.certificate_files)?,
            identities_only: options.identities_only.unwrap_or(false),
            agent: self.agent(&options, path)?,
            known_hosts,
            global_known_hosts,
            known_hosts_command,
            revoked_host_keys,
            host_key_alias: alias,
            host_key_check: self.host_key_check(&options),
            trusts_loopback: options.trusts_loopback.unwrap_or(false),
            checks_address: options.check_host_ip.unwrap_or(false),
            algorithms: options.algorithms.clone(),
            alive_interval: options.server_alive_interval.unwrap_or_default(),
            tcp_keepalive: options.tcp_keepalive.unwrap_or(true),
            least_rsa_bits: options.required_rsa_size.unwrap_or(0).max(LEAST_RSA_BITS),
            methods: methods(&options),
            proxy_command: proxy_command.filter(|_| first),
            local_end,
            ssh_options: ssh_options(self.args, self.surroundings),
            forward: self.forward.clone(),
            host,
            port,
            port_source,
            user,
            family: options.address_family.unwrap_or_default(),
        };
        for setting in options.unsupported {
            self.unsupported.push((spec.host.clone(), setting));
        }
        Ok((hop, jumps))
    }

    /// The user's configuration, where ssh goes on without it in silence.
    fn unreadable(&self) -> Option<Finding> {
        let file = self.files.user.as_ref().filter(|_| !self.files.named)?;
        let why = super::files::readable(file).err()?;
        why.forbidden.then(|| {
            Finding::new(&cause::FILE_MISSING)
                .with("parameter", "the SSH configuration")
                .with("source", "by default")
                .with("file", file.display().to_string())
                .with("problem", why.problem)
        })
    }

    /// A restriction that may hold; what the command line says settles it.
    fn undecided<'o>(&self, options: &'o Options) -> Option<&'o Undecided> {
        let settled = self.args.host_key_check.is_some();
        let mut undecided = options.undecided.iter();
        undecided.find(|undecided| !settled || undecided.keyword != STRICT)
    }

    fn host_key_check(&self, options: &Options) -> HostKeyCheck {
        let configured = match options.strict.as_deref() {
            Some("no" | "false" | "off") => HostKeyCheck::No,
            Some("accept-new") => HostKeyCheck::AcceptNew,
            // Nobody is there to be asked.
            _ => HostKeyCheck::Yes,
        };
        self.args.host_key_check.unwrap_or(configured)
    }

    /// The agent's socket: `IdentityAgent`, else `SSH_AUTH_SOCK`.
    fn agent(
        &self,
        options: &Options,
        path: impl Fn(&str) -> Result<PathBuf, Finding>,
    ) -> Result<Option<PathBuf>, Finding> {
        let variable = |name: &str| {
            let value = self.surroundings.var(name);
            value.filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        match options.identity_agent.as_deref() {
            None | Some("SSH_AUTH_SOCK") => Ok(variable("SSH_AUTH_SOCK")),
            Some(text) if text.eq_ignore_ascii_case("none") => Ok(None),
            Some(text) => match text.strip_prefix('$') {
                Some(name) if !name.starts_with('{') => Ok(variable(name)),
                _ => path(text).map(Some),
            },
        }
    }

    /// `${NAME}` in a path; ssh stops at one that is not set.
    fn variables(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, after) = after
                .split_once('}')
                .ok_or("an unterminated ${".to_owned())?;
            let value = self.surroundings.var(name);
            out.push_str(&value.ok_or(format!("the variable {name} is not set"))?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn config_name(&self) -> String {
        let file = self
            .files
            .user
            .as_deref()
            .unwrap_or(Path::new("ssh_config"));
        tilde(file, self.surroundings.home.as_deref())
    }

    fn rejected(&self, rejected: ConfigRejected, host: &str) -> Finding {
        let shown = |file: &Path| file.display().to_string();
        match rejected {
            ConfigRejected::Line {
                file,
                line,
                problem,
            } => Finding::new(&cause::SSH_SYNTAX)
                .with("place", format!("{}, line {line}", shown(&file)))
                .with("file", shown(&file))
                .with("line", line)
                .with("problem", problem)
                .with("host", host.to_owned()),
            ConfigRejected::Refused { file, line, words } => Finding::new(&cause::SSH_REFUSED)
                .with("file", shown(&file))
                .with("line", line)
                .with("words", words)
                .with("host", host.to_owned()),
            ConfigRejected::Permissions { file, problem } => Finding::new(&cause::SSH_PERMISSIONS)
                .with("file", shown(&file))
                .with("problem", problem),
            ConfigRejected::Unreadable { file, why } => {
                let named = self.files.named && self.files.user.as_ref() == Some(&file);
                let (parameter, source) = match named {
                    true => ("--ssh-config", "command line"),
                    false => ("the SSH configuration", "by default"),
                };
                Finding::new(&cause::FILE_MISSING)
                    .with("parameter", parameter)
                    .with("source", source)
                    .with("file", shown(&file))
                    .with("problem", why.problem)
            }
        }
    }
}

/// What ssh itself takes for a circle: the jump host as it is written is the
/// host that it is to lead to, with the same port and user (ssh.c, `main`).
fn is_jump_to_itself(jump: &Spec, hop: &Hop) -> bool {
    jump.host == hop.host
        && jump.port.unwrap_or(22) == hop.port
        && jump.user.as_ref().is_none_or(|user| *user == hop.user)
}

fn circle(host: &str) -> Finding {
    Finding::new(&cause::SSH_LOOP).with("host", host.to_owned())
}

/// The keys that ssh looks for where none is named.
pub fn default_keys(home: Option<&Path>) -> Vec<NamedFile> {
    let Some(folder) = home.map(|home| home.join(".ssh")) else {
        return Vec::new();
    };
    let file = |name: &&str| NamedFile {
        path: folder.join(name),
        named: false,
    };
    DEFAULT_KEYS.iter().map(file).collect()
}

/// `~` and `~/…` as the home directory.
fn expand_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (home, path.strip_prefix("~")) {
        (Some(home), Ok(rest)) if rest.as_os_str().is_empty() => home.to_owned(),
        (Some(home), Ok(rest)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The same for text, and `~USER` as that user's home directory; ssh stops at
/// a user who is not there (misc.c, `tilde_expand`).
fn expand_tilde(text: &str, home: Option<&Path>) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('~') else {
        return Ok(text.to_owned());
    };
    let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let folder = match (user, home) {
        ("", Some(home)) => home.to_owned(),
        ("", None) => return Ok(text.to_owned()),
        (user, _) => {
            home_of(user).ok_or_else(|| format!("{text}: the user {user} does not exist here"))?
        }
    };
    let path = folder.join(rest.trim_start_matches('/'));
    Ok(path.to_string_lossy().into_owned())
}

/// A user's home directory.
pub(super) fn home_of(user: &str) -> Option<PathBuf> {
    let user = nix::unistd::User::from_name(user).ok()??;
    Some(user.dir)
}

/// `%C` (readconf.c, `ssh_connection_hash`).
pub(super) fn connection_hash(host: &str, port: u16, user: &str) -> Option<String> {
    let text = format!("{}{host}{port}{user}", local_name());
    let hash = openssl::hash::hash(openssl::hash::MessageDigest::sha1(), text.as_bytes());
    Some(
        hash.ok()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

/// Replaces `%x`; ssh stops at one that it does not know.
pub(super) fn expand(text: &str, token: impl Fn(char) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next() {
                Some('%') => out.push('%'),
                Some(c) => out.push_str(
                    &token(c)
                        .ok_or_else(|| format!("a token that ssh does not know here: %{c}"))?,
                ),
                None => return Err("a % at the end".to_owned()),
            },
            c => out.push(c),
        }
    }
    Ok(out)
}

pub(super) fn local_name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Stage;

    /// A home with an SSH configuration, and the hops of `--ssh`.
    fn hops(config: &str, ssh: &[&str]) -> Result<(Vec<Hop>, StageRecord), Finding> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let file = home.path().join("config");
        std::fs::write(&file, config).unwrap();
        let args = SshRequest {
            hops: ssh.iter().map(|s| s.to_string()).collect(),
            config: Some(file),
            ..SshRequest::default()
        };
        let surroundings = System {
            account: Some(Account {
                name: "me".to_owned(),
                home: PathBuf::from("/home/me"),
            }),
            uid: 1000,
            ..System::default()
        };
        let mut record = StageRecord::new(Stage::Config);
        let plan = plan(&args, &surroundings, None, &mut record)?.unwrap();
        Ok((plan.hops, record))
    }

    fn labels(config: &str, ssh: &[&str]) -> Vec<String> {
        let (hops, _) = hops(config, ssh).unwrap();
        hops.iter().map(Hop::label).collect()
    }

    #[test]
    fn jumps_come_from_flags_and_from_the_configuration() {
        assert_eq!(labels("", &["ops@b:2222"]), ["ops@b:2222"]);
        assert_eq!(labels("", &["a", "x@b"]), ["me@a:22", "x@b:22"]);
        let config = "Host b\n ProxyJump j1,u@j2:3\nHost j1\n HostName J1.test\n ProxyJump j0\nHost j2\n ProxyJump nowhere\n";
        assert_eq!(
            labels(config, &["b"]),
            ["me@j0:22", "me@j1.test:22", "u@j2:3", "me@b:22"]
        );
        // The second of a list is reached through the first.
        assert_eq!(labels(config, &["a", "b"]), ["me@a:22", "me@b:22"]);
        assert_eq!(labels("ProxyJump none\n", &["b"]), ["me@b:22"]);
    }

    #[test]
    fn a_circle_is_found() {
        for config in [
            "Host *\n ProxyJump b\n",
            "Host a\n ProxyJump b\nHost b\n ProxyJump a\n",
        ] {
            let finding = hops(config, &["a"]).map(|_| ()).unwrap_err();
            assert_eq!(finding.cause.code, "config.ssh.loop", "{config}");
        }
    }

    #[test]
    fn the_same_host_twice_is_no_circle_by_itself() {
        // The same alias with another user is another destination.
        let config = "Match originalhost t user root\n ProxyJump other@t\n HostName b.test\n\
                      Match originalhost t\n HostName a.test\n";
        assert_eq!(
            labels(config, &["root@t"]),
            ["other@a.test:22", "root@b.test:22"]
        );
        assert_eq!(labels("", &["a:1", "a:2"]), ["me@a:1", "me@a:2"]);
        assert_eq!(labels("", &["x@a", "y@a"]), ["x@a:22", "y@a:22"]);
        assert_eq!(
            labels("Host a\n HostName b\n", &["a", "a"]),
            ["me@b:22", "me@b:22"]
        );
        for (config, ssh) in [
            ("", &["a", "a"][..]),
            ("", &["x", "a", "a"]),
            ("", &["ops@a:22", "ops@a"]),
            ("Host b\n ProxyJump j,b\n", &["b"]),
            ("Port 7\nProxyJump b\n", &["a"]),
        ] {
            let finding = hops(config, ssh).map(|_| ()).unwrap_err();
            assert_eq!(finding.cause.code, "config.ssh.loop", "{config} {ssh:?}");
        }
    }

    #[test]
    fn tokens_and_files() {
        let config = "
HostName %h.test
HostKeyAlias other
IdentityFile ~/.ssh/%n-%r-%p
IdentityFile %d/%h
UserKnownHostsFile /k/%k ~/x
IdentityAgent none
IdentitiesOnly yes
StrictHostKeyChecking accept-new
";
        let (hops, _) = hops(config, &["ops@b:7"]).unwrap();
        let hop = &hops[0];
        let files: Vec<_> = hop
            .identity_files
            .iter()
            .map(|f| f.path.display().to_string())
            .collect();
        assert_eq!(files, ["/home/me/.ssh/b-ops-7", "/home/me/b.test"]);
        assert_eq!(
            hop.known_hosts,
            [PathBuf::from("/k/other"), PathBuf::from("/home/me/x")]
        );
        assert_eq!(hop.agent, None);
        assert!(hop.identities_only);
        assert_eq!(hop.host_key_check, HostKeyCheck::AcceptNew);
        let finding = hops_error("IdentityFile %z\n");
        assert_eq!(finding, "config.ssh.syntax");
    }

    fn hops_error(config: &str) -> &'static str {
        hops(config, &["b"]).map(|_| ()).unwrap_err().cause.code
    }

    #[test]
    fn what_stops_ssh_stops_here() {
        assert_eq!(hops_error("Nonsense x\n"), "config.ssh.syntax");
        assert_eq!(
            hops("", &["b:x"]).map(|_| ()).unwrap_err().cause.code,
            "config.param.invalid"
        );
        let command = "ProxyCommand x %h\nProxyUseFdpass yes\n";
        assert_eq!(hops_error(command), "config.ssh.unsupported");
        assert_eq!(hops_error("ProxyCommand x %u\n"), "config.ssh.syntax");
        for hostile in ["b;id", "b&id", "b$(id)", "x;y@b", "-l@b", "a -oX=y@b"] {
            let finding = hops("", &[hostile]).map(|_| ()).unwrap_err();
            assert_eq!(finding.cause.code, "config.param.invalid", "{hostile}");
        }
    }

    #[test]
    fn a_command_is_for_the_hop_that_this_machine_reaches() {
        let command = |config: &str, ssh: &[&str]| -> Vec<Option<String>> {
            let (hops, record) = hops(config, ssh).unwrap();
            assert!(record.findings.is_empty());
            let line = |hop: Hop| hop.proxy_command.map(|command| command.line);
            hops.into_iter().map(line).collect()
        };
        let config = "Host b\n HostName B.test\n Port 7\n HostKeyAlias k\n User u\n \
                      ProxyCommand x %h %p %r %n %k %%\nHost c\n ProxyJump b\n";
        let line = || Some("x b.test 7 u b k %".to_owned());
        assert_eq!(command(config, &["b"]), [line()]);
        assert_eq!(command(config, &["c"]), [line(), None]);
        assert_eq!(command(config, &["b", "c"]), [line(), None]);
        // A jump that was asked for comes before it.
        assert_eq!(command(config, &["a", "b"]), [None, None]);
        assert_eq!(command("ProxyCommand none\n", &["b"]), [None]);
        // Only for such a command does it matter.
        assert_eq!(command("ProxyUseFdpass yes\n", &["b"]), [None]);
    }

    #[test]
    fn default_keys_only_where_none_is_named() {
        let (hops, _) = hops("", &["b"]).unwrap();
        assert_eq!(hops[0].identity_files.len(), DEFAULT_KEYS.len());
        assert!(!hops[0].identity_files[0].named);
    }
}
