//! The installed `ssh`, run as `ssh -W` with the same hops, keys and target, up to
//! the last hop of the main run. dbdoctor writes its configuration, so the user's own
//! does not apply. The promises of interface.md hold: no shared connection, no change
//! to known_hosts, no unknown host key, no local command, and never a secret in an
//! argument or a file. A passphrase or password reaches `ssh` through `SSH_ASKPASS`
//! and the environment. (The configuration has to be a file, because `ssh` closes the
//! descriptors it inherits.)

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::earned::Earned;
use super::libssh2::{self, ForwardTarget};
use super::subprocess::{self, SpawnError};
use super::{Outcome, Scene, Step, late, would_look_up};
use crate::config::ssh::LEAST_RSA_BITS;
use crate::config::{Hop, HostKeyCheck, Place, SshMethod, SshPlan};
use crate::process;
use crate::secret;
use crate::temporary::Folder;
use crate::wire::first_reply::SSL_REQUEST;

/// No log is read beyond so many lines.
const MOST_LINES: usize = 4096;
/// No line is read beyond so many bytes.
const LONGEST_LINE: u64 = 8192;

/// Tries it.
pub async fn ask(scene: &Scene<'_>, earned: Earned, limit: Instant) -> Outcome {
    let began = Instant::now();
    let Some(plan) = &scene.connected.target.ssh else {
        return Outcome::Skipped("the target has no SSH server".to_owned());
    };
    // It goes as far as the run did: of a jump host on the way ssh tells nothing.
    let hops = &plan.hops[..=scene.hop()];
    if let Some(why) = cannot(scene, hops, plan) {
        return Outcome::Skipped(why);
    }
    let wanted = match libssh2::wanted(scene, plan, scene.hop()) {
        ForwardTarget::Unix(_) => {
            return Outcome::Skipped("ssh -W does not support unix sockets".to_owned());
        }
        ForwardTarget::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
        ForwardTarget::Tcp(host, port) => format!("{host}:{port}"),
    };
    let prepared = match SshFiles::new(scene, hops, plan, earned) {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(why)) => return Outcome::Skipped(why),
        Err(error) => {
            return Outcome::Skipped(format!("cannot create a temporary directory: {error}"));
        }
    };
    let mut command = prepared.command(scene, plan);
    command.args(["-W", &wanted, &alias(hops.len())]);
    let mut child = match subprocess::start(command.stdin(Stdio::piped())) {
        Ok(child) => child,
        Err(SpawnError::Absent) => return Outcome::Skipped("ssh is not installed".to_owned()),
        Err(SpawnError::Broken(error)) => return Outcome::Skipped(format!("ssh: {error}")),
        Err(SpawnError::Late) => return Outcome::Skipped("ssh did not start".to_owned()),
    };
    let mut log = Log::default();
    let watched = tokio::time::timeout_at(limit.into(), watch(&mut child, &mut log)).await;
    let outcome = match watched {
        Ok(()) if log.forwarded => Outcome::Passed(Step::Forward),
        _ if log.host_key && earned.only_verification() => Outcome::Passed(Step::HostKey),
        Ok(()) => match unfair(plan, &log) {
            Some(why) => Outcome::Skipped(why),
            None => Outcome::Failed(log.step(), log.complaint()),
        },
        Err(_) => Outcome::Failed(log.step(), late(limit, began)),
    };
    subprocess::end(&mut child).await;
    outcome
}

/// What rules it out beforehand: what only the run was told, by a person; and
/// a name whose addresses would not be judged.
fn cannot(scene: &Scene<'_>, hops: &[Hop], plan: &SshPlan) -> Option<String> {
    let first = hops.first().filter(|hop| hop.proxy_command.is_none());
    let first = first.map(|hop| Place::of_host(&hop.host));
    if let Some(why) = first.and_then(|hop| would_look_up(&scene.connected.target, &hop)) {
        return Some(why);
    }
    libssh2::typed(scene, plan).or_else(|| {
        let by_prompt = libssh2::hop_facts(scene, hops.len() - 1)
            .is_some_and(|hop| hop["auth"]["method"] == "keyboard-interactive");
        let has = |secret: &Option<_>| secret.is_some();
        (by_prompt && has(&plan.passphrase) && has(&plan.password)).then(|| {
            "keyboard-interactive prompts are not answered when a key passphrase is set".to_owned()
        })
    })
}

/// A refusal that comes from how strictly ssh is run here, not from ssh.
fn unfair(plan: &SshPlan, log: &Log) -> Option<String> {
    let lax = plan
        .hops
        .iter()
        .any(|hop| hop.host_key_check != HostKeyCheck::Yes);
    (lax && log.refused_host_key).then(|| {
        "the host key is not in known_hosts, and ssh is run only with StrictHostKeyChecking=yes"
            .to_owned()
    })
}

fn alias(hop: usize) -> String {
    format!("dbdoctor-hop-{hop}")
}

/// The files that ssh is given; they go away with it.
struct SshFiles {
    _folder: Folder,
    config: PathBuf,
    askpass: Option<PathBuf>,
}

impl SshFiles {
    /// Writes them. The inner error is a value that ssh's configuration
    /// cannot hold.
    fn new(
        scene: &Scene<'_>,
        hops: &[Hop],
        plan: &SshPlan,
        earned: Earned,
    ) -> io::Result<Result<Self, String>> {
        let folder = Folder::new()?;
        let only_verified = usize::from(earned.only_verification());
        // Of the hops that it authenticates at, each may ask.
        let asked = hops.len() > only_verified;
        let passphrase = asked && plan.passphrase.as_ref().is_some_and(|p| !p.is_empty());
        let asks = passphrase || (asked && plan.password.is_some());
        let mut config = String::new();
        for (at, hop) in hops.iter().enumerate() {
            let role = match at + 1 == hops.len() {
                false => Role::Jump,
                true if earned.only_verification() => Role::Verified,
                true => Role::Last,
            };
            match section(hop, at, role, plan) {
                Some(text) => config += &text,
                None => {
                    return Ok(Err(format!(
                        "a setting of {} cannot be expressed in an ssh configuration file",
                        hop.label()
                    )));
                }
            }
        }
        let timeout = scene.connected.ctx.timeout.as_secs().max(1);
        let _ = write!(
            config,
            "Host *\nControlMaster no\nControlPath none\nUpdateHostKeys no\n\
             StrictHostKeyChecking yes\nPermitLocalCommand no\nForwardAgent no\nForwardX11 no\n\
             VerifyHostKeyDNS no\nCheckHostIP no\nHashKnownHosts no\nNumberOfPasswordPrompts 1\n\
             ConnectionAttempts 1\nConnectTimeout {timeout}\nRequestTTY no\n\
             GSSAPIAuthentication no\nHostbasedAuthentication no\n",
        );
        // In batch mode ssh asks for no passphrase either.
        config += match (asks, passphrase) {
            (false, _) => "BatchMode yes\n",
            // What a server asks for must not look like ssh's own question.
            (true, true) => "KbdInteractiveAuthentication no\n",
            (true, false) => "",
        };
        let config = folder.write("config", &config)?;
        let askpass = match asks {
            true => Some(folder.script("askpass", ASKPASS)?),
            false => None,
        };
        Ok(Ok(Self {
            _folder: folder,
            config,
            askpass,
        }))
    }

    fn command(&self, scene: &Scene<'_>, plan: &SshPlan) -> Command {
        let environment = &scene.connected.ctx.surroundings.vars;
        let mut command = process::command("ssh", environment, Vec::new());
        command.arg("-F").arg(&self.config);
        command.args(["-T", "-a", "-x"]);
        if let Some(askpass) = &self.askpass {
            command.env("SSH_ASKPASS", askpass);
            command.env("SSH_ASKPASS_REQUIRE", "force");
            // Before 8.4 it wants a display to ask at.
            command.env("DISPLAY", "none:0");
            for (name, secret) in [
                ("DBDOCTOR_ASK_PASSPHRASE", &plan.passphrase),
                ("DBDOCTOR_ASK_PASSWORD", &plan.password),
            ] {
                if let Some(secret) = secret {
                    command.env(name, secret.expose());
                }
            }
        }
        command.into()
    }
}

/// Answers ssh's own question for a passphrase and questions for a password;
/// nothing else.
const ASKPASS: &str = "#!/bin/sh
case \"$1\" in
  'Enter passphrase for '*) [ -n \"$DBDOCTOR_ASK_PASSPHRASE\" ] || exit 1
    printf '%s\\n' \"$DBDOCTOR_ASK_PASSPHRASE\" ;;
  *'assword: '|*'assword:') [ -n \"$DBDOCTOR_ASK_PASSWORD\" ] || exit 1
    printf '%s\\n' \"$DBDOCTOR_ASK_PASSWORD\" ;;
  *) exit 1 ;;
esac
";

/// What a hop is to ssh.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// On the way.
    Jump,
    /// Where the forward begins.
    Last,
    /// The last, whose host key is looked at, and which is offered nothing.
    Verified,
}

/// One hop's section; `None` where a value cannot be written down.
fn section(hop: &Hop, at: usize, role: Role, plan: &SshPlan) -> Option<String> {
    let mut text = format!("Host {}\n", alias(at + 1));
    let mut line = |keyword: &str, values: &[String]| -> Option<()> {
        text += keyword;
        for value in values {
            text += &format!(" {}", quoted(value)?);
        }
        text.push('\n');
        Some(())
    };
    let one = |value: &str| [value.to_owned()];
    line("HostName", &one(&percent(&hop.host)))?;
    line("Port", &one(&hop.port.to_string()))?;
    if at > 0 {
        line("ProxyJump", &one(&alias(at)))?;
    }
    if let Some(command) = &hop.proxy_command {
        // It is the rest of its line, quotes and all.
        let fits = !command.line.contains(['\n', '\r']);
        fits.then(|| line(&format!("ProxyCommand {}", percent(&command.line)), &[]))??;
    }
    for (keyword, files) in [
        ("UserKnownHostsFile", &hop.known_hosts),
        ("GlobalKnownHostsFile", &hop.global_known_hosts),
    ] {
        let mut paths: Vec<String> = files.iter().map(|p| file(p)).collect::<Option<_>>()?;
        if paths.is_empty() {
            paths.push("/dev/null".to_owned());
        }
        line(keyword, &paths)?;
    }
    if !hop.revoked_host_keys.is_empty() {
        let lists = hop.revoked_host_keys.iter();
        let paths: Vec<String> = lists.map(|list| file(&list.file)).collect::<Option<_>>()?;
        line("RevokedHostKeys", &paths)?;
    }
    // Versions before 9.1 do not know the keyword.
    if hop.least_rsa_bits > LEAST_RSA_BITS {
        line("RequiredRSASize", &one(&hop.least_rsa_bits.to_string()))?;
    }
    if let Some(alias) = &hop.host_key_alias {
        line("HostKeyAlias", &one(alias))?;
    }
    let lists = &hop.algorithms;
    for (keyword, list) in [
        ("KexAlgorithms", &lists.kex),
        ("HostKeyAlgorithms", &lists.host_key),
        ("Ciphers", &lists.cipher),
        ("MACs", &lists.mac),
        ("PubkeyAcceptedAlgorithms", &lists.pubkey),
        ("CASignatureAlgorithms", &lists.ca_signature),
    ] {
        if let Some(list) = list {
            line(keyword, &one(list))?;
        }
    }
    if hop.trusts_loopback {
        line("NoHostAuthenticationForLocalhost", &one("yes"))?;
    }
    match role {
        Role::Verified => text += OFFERS_NOTHING,
        Role::Jump | Role::Last => text += &means(hop, plan)?,
    }
    // Only the last hop's story is told, so that a jump's is not taken for it.
    text += match role {
        Role::Jump => "LogLevel ERROR\n",
        Role::Last | Role::Verified => "LogLevel DEBUG2\n",
    };
    Some(text)
}

/// For a server that the run refused: not even the user's name. ssh ends by
/// itself once it has found no way to authenticate.
const OFFERS_NOTHING: &str = "User dbdoctor
IdentityFile none
IdentityAgent none
PubkeyAuthentication no
PasswordAuthentication no
KbdInteractiveAuthentication no
";

/// Who logs in at a hop, and with what.
fn means(hop: &Hop, plan: &SshPlan) -> Option<String> {
    let mut text = String::new();
    let mut line = |keyword: &str, value: &str| -> Option<()> {
        writeln!(text, "{keyword} {}", quoted(value)?).ok()
    };
    line("User", &hop.user)?;
    let existing: Vec<&PathBuf> = hop
        .identity_files
        .iter()
        .filter(|file| file.named || file.path.exists())
        .map(|file| &file.path)
        .collect();
    for path in &existing {
        line("IdentityFile", &file(path)?)?;
    }
    if existing.is_empty() {
        line("IdentityFile", "none")?;
    }
    for path in &hop.certificate_files {
        line("CertificateFile", &file(path)?)?;
    }
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    line("IdentitiesOnly", yes(hop.identities_only))?;
    let agent = match &hop.agent {
        Some(socket) => file(socket)?,
        None => "none".to_owned(),
    };
    line("IdentityAgent", &agent)?;
    let password = plan.password.is_some();
    let methods: Vec<&str> = hop
        .methods
        .iter()
        .filter(|method| password || **method == SshMethod::PublicKey)
        .map(|method| method.name())
        .collect();
    match methods.as_slice() {
        [] => line("PubkeyAuthentication", "no")?,
        methods => line("PreferredAuthentications", &methods.join(","))?,
    }
    Some(text)
}

/// A file's name as the configuration takes it: `%` and `${}` are expanded there.
fn file(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    (!text.contains("${") && !text.starts_with('~')).then(|| percent(text))
}

fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// In quotes, where it can be.
fn quoted(value: &str) -> Option<String> {
    let bad = |c: char| c == '"' || c == '\\' || c.is_control();
    (!value.is_empty() && !value.contains(bad)).then(|| format!("\"{value}\""))
}

/// Reads what ssh says until the forward is proved or ssh ends.
async fn watch(child: &mut Child, log: &mut Log) {
    let (Some(mut stdin), Some(mut stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return;
    };
    // It is read only once there is a forward; whoever speaks PostgreSQL answers
    // it, which proves the forward. (An SSH server speaks first.)
    let _ = stdin.write_all(&SSL_REQUEST).await;
    let mut answer = [0u8; 1];
    let mut lines = BufReader::new(stderr);
    let (mut heard, mut piece) = (false, false);
    for _ in 0..MOST_LINES {
        let mut line = Vec::new();
        let mut bounded = (&mut lines).take(LONGEST_LINE);
        tokio::select! {
            read = stdout.read(&mut answer), if !heard => {
                heard = true;
                if matches!(read, Ok(1)) {
                    log.forwarded = true;
                    return;
                }
            }
            read = bounded.read_until(b'\n', &mut line) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
                // A longer one comes in pieces, and so may a secret in it.
                if line.len() as u64 == LONGEST_LINE || piece {
                    line = secret::hide_part(&line).into_owned();
                }
                piece = !line.ends_with(b"\n");
                log.hear(&String::from_utf8_lossy(&line));
                if log.forwarded {
                    return;
                }
            }
        }
    }
}

/// What ssh has told. Its words are never translated.
#[derive(Debug, Default)]
struct Log {
    connected: bool,
    shaken: bool,
    host_key: bool,
    inside: bool,
    forwarded: bool,
    refused_host_key: bool,
    complaints: Vec<String>,
}

impl Log {
    fn hear(&mut self, line: &str) {
        let line = line.trim();
        let says = |fragment: &str| line.contains(fragment);
        self.connected |= says("Remote protocol version");
        self.shaken |= says("Server host key: ") || says("Server host certificate: ");
        self.host_key |= says("SSH2_MSG_NEWKEYS received");
        self.inside |= says("Authenticated to ") || says("Authentication succeeded");
        self.forwarded |= says("open confirm rwindow");
        self.refused_host_key |= says("Host key verification failed");
        let complaint = !line.is_empty()
            && !line.starts_with("debug")
            && !line.starts_with("OpenSSH_")
            && !says("Authenticated to ")
            && !line.starts_with('@');
        if complaint && self.complaints.len() < 64 {
            self.complaints.push(line.to_owned());
        }
    }

    /// The step it has reached, or failed in.
    fn step(&self) -> Step {
        match self {
            Log { inside: true, .. } => Step::Forward,
            Log { host_key: true, .. } => Step::SshAuth,
            Log { shaken: true, .. } => Step::HostKey,
            Log {
                connected: true, ..
            } => Step::Handshake,
            _ => Step::Connect,
        }
    }

    /// The words that say it best: of a forward what the server said, else
    /// the last.
    fn complaint(&self) -> String {
        let open = self.complaints.iter().find(|c| c.contains("open failed"));
        open.or(self.complaints.last())
            .cloned()
            .unwrap_or_else(|| "it exited without an error message".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_how_far_it_got() {
        let mut log = Log::default();
        assert_eq!(log.step(), Step::Connect);
        log.hear("debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1\r\n");
        assert_eq!(log.step(), Step::Handshake);
        log.hear("debug1: Server host key: ssh-ed25519 SHA256:x");
        assert_eq!(log.step(), Step::HostKey);
        log.hear("debug1: SSH2_MSG_NEWKEYS received");
        log.hear("ops@bastion: Permission denied (publickey).");
        assert_eq!(log.step(), Step::SshAuth);
        assert_eq!(
            log.complaint(),
            "ops@bastion: Permission denied (publickey)."
        );
        log.hear("Authenticated to bastion ([10.0.0.1]:22) using \"publickey\".");
        log.hear("channel 0: open failed: connect failed: Connection refused");
        log.hear("stdio forwarding failed");
        assert_eq!(log.step(), Step::Forward);
        assert!(log.complaint().contains("Connection refused"));
    }

    #[test]
    fn values_cannot_end_their_line() {
        assert_eq!(quoted("a b").as_deref(), Some("\"a b\""));
        assert!(quoted("a\nProxyCommand x").is_none());
        assert!(quoted("a\"b").is_none());
        assert_eq!(file(Path::new("/k/100%")).as_deref(), Some("/k/100%%"));
        assert!(file(Path::new("/k/${HOME}")).is_none());
    }

    #[test]
    fn what_narrows_trust_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        let text =
            "RevokedHostKeys /dev/null\nCASignatureAlgorithms -rsa-*\nRequiredRSASize 3072\n";
        std::fs::write(&config, text).unwrap();
        let args = crate::config::request::SshRequest {
            hops: vec!["ops@bastion".to_owned()],
            config: Some(config),
            ..Default::default()
        };
        let mut record = crate::report::StageRecord::new(crate::report::Stage::Config);
        let surroundings = crate::system::System {
            account: Some(crate::system::Account {
                name: "me".to_owned(),
                home: folder.path().to_owned(),
            }),
            ..Default::default()
        };
        let plan = crate::config::ssh::plan(&args, &surroundings, &mut record);
        let plan = plan.unwrap().unwrap();
        let section = section(&plan.hops[0], 0, Role::Last, &plan).unwrap();
        for line in [
            "RevokedHostKeys \"/dev/null\"",
            "CASignatureAlgorithms \"-rsa-*\"",
            "RequiredRSASize \"3072\"",
        ] {
            assert!(section.contains(line), "{section}");
        }
    }
}
