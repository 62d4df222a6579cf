//! The installed `ssh`, run as `ssh -W` to the last hop that the main run reached, with the
//! user's own configuration: what ssh makes of it is the opinion that is asked for, so no
//! setting as dbdoctor reads it is passed on. A file that includes the user's says first what
//! the promises of interface.md demand: no shared connection, no change to known_hosts or the
//! agent, no unknown host key, no local command. Never is a secret in an argument or a file: a
//! passphrase or password reaches `ssh` through `SSH_ASKPASS` and the environment. (The
//! configuration has to be a file, because `ssh` closes the descriptors it inherits.)

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
use crate::config::{Hop, HostKeyCheck, Place, SshPlan, host_port};
use crate::process;
use crate::secret;
use crate::stage::key::version;
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
        ForwardTarget::Tcp(host, port) => host_port(&host, port),
    };
    let prepared = match SshFiles::new(scene, hops, plan, earned) {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(why)) => return Outcome::Skipped(why),
        Err(error) => {
            return Outcome::Skipped(format!("cannot create a temporary directory: {error}"));
        }
    };
    let mut command = prepared.command(scene, plan);
    command
        .args(["-W", &wanted])
        .args(destination(hops, earned));
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
        let timeout = scene.connected.ctx.timeout.as_secs().max(1);
        // Versions before 8.7 do not know the keyword.
        let stays = match version::installed() {
            Some(installed) if installed >= (8, 7) => "ForkAfterAuthentication no\n",
            _ => "",
        };
        let before = format!(
            "{KEEPS_PROMISES}{stays}ConnectTimeout {timeout}\n{}",
            // In batch mode ssh asks for no passphrase either.
            match (asks, passphrase) {
                (false, _) => "BatchMode yes\n",
                // What a server asks for must not look like ssh's own question.
                (true, true) => "KbdInteractiveAuthentication no\n",
                (true, false) => "",
            }
        );
        if plan.given.config.iter().any(|file| is_spent(file)) {
            return Ok(Err(
                "the SSH configuration is a pipe, which is read only once".to_owned(),
            ));
        }
        let Some(config) = configuration(before, hops, plan) else {
            return Ok(Err(
                "a file name cannot be expressed in an ssh configuration file".to_owned(),
            ));
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

/// What is so for every hop, whatever the user's configuration says: the first value counts.
const KEEPS_PROMISES: &str = "ControlMaster no
ControlPath none
ControlPersist no
UpdateHostKeys no
AddKeysToAgent no
StrictHostKeyChecking yes
PermitLocalCommand no
RemoteCommand none
RequestTTY no
ForwardAgent no
ForwardX11 no
Tunnel no
ClearAllForwardings yes
NumberOfPasswordPrompts 1
ConnectionAttempts 1
LogLevel ERROR
";

/// For a server that the run refused: not even the user's name. ssh ends by
/// itself once it has found no way to authenticate.
const OFFERS_NOTHING: [&str; 7] = [
    "User=dbdoctor",
    "IdentityFile=none",
    "IdentityAgent=none",
    "PubkeyAuthentication=no",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "GSSAPIAuthentication=no",
];

/// The configuration: `text`, which comes before the user's files, these, and what our flags and
/// interface.md put in the place of ssh's defaults. `None` where a name cannot be written down.
fn configuration(mut text: String, hops: &[Hop], plan: &SshPlan) -> Option<String> {
    for key in &plan.given.keys {
        writeln!(text, "IdentityFile {}", quoted(&percent(key.to_str()?))?).ok()?;
    }
    if let Some(known) = &plan.given.known_hosts {
        let known = quoted(&percent(known.to_str()?))?;
        writeln!(text, "UserKnownHostsFile {known}").ok()?;
        text.push_str("GlobalKnownHostsFile /dev/null\n");
    }
    for file in &plan.given.config {
        let file = std::path::absolute(file).ok()?;
        writeln!(text, "Include {}", quoted(literal(file.to_str()?)?)?).ok()?;
    }
    if hops.iter().all(|hop| hop.global_known_hosts.is_empty()) {
        text.push_str("GlobalKnownHostsFile /dev/null\n");
    }
    Some(text)
}

/// The arguments that name the server and the jump hosts of our flags. Only the last hop's story
/// is told, so that a jump's is not taken for it.
fn destination(hops: &[Hop], earned: Earned) -> Vec<String> {
    let mut args = vec!["-o".to_owned(), "LogLevel=DEBUG2".to_owned()];
    let Some((last, before)) = hops.split_last() else {
        return args;
    };
    let nothing = earned.only_verification();
    if nothing {
        args.extend(
            OFFERS_NOTHING
                .iter()
                .flat_map(|option| ["-o", option])
                .map(str::to_owned),
        );
    }
    if let Some(user) = last.written.user.as_ref().filter(|_| !nothing) {
        args.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = last.written.port {
        args.extend(["-p".to_owned(), port.to_string()]);
    }
    if last.follows {
        // The first that its own configuration leads to ends the list.
        let start = before.iter().rposition(|hop| !hop.follows).unwrap_or(0);
        let jumps: Vec<String> = before[start..]
            .iter()
            .map(|hop| hop.written.to_string())
            .collect();
        args.extend(["-J".to_owned(), jumps.join(",")]);
    }
    args.extend(["--".to_owned(), last.written.host.clone()]);
    args
}

/// Whether it is no file that can be read again.
fn is_spent(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|file| !file.is_file())
}

/// A name without the characters that `Include` takes for a pattern.
fn literal(path: &str) -> Option<&str> {
    (!path.contains(['*', '?', '[', '{'])).then_some(path)
}

fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// In quotes, where it can be. `~` and `${}` are expanded even there.
fn quoted(value: &str) -> Option<String> {
    let bad = |c: char| c == '"' || c == '\\' || c.is_control();
    let plain = !value.is_empty() && !value.contains(bad) && !value.contains("${");
    (plain && !value.starts_with('~')).then(|| format!("\"{value}\""))
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
        // The last line on a bad configuration only counts its lines.
        let counted = self
            .complaints
            .last()
            .is_some_and(|c| c.contains("terminating, "));
        let open = self
            .complaints
            .iter()
            .find(|c| counted || c.contains("open failed"));
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
        for bad in ["", "a\nProxyCommand x", "a\"b", "~x", "/k/${HOME}"] {
            assert!(quoted(bad).is_none(), "{bad:?}");
        }
        assert_eq!(percent("/k/100%"), "/k/100%%");
        assert!(literal("/k/[a]").is_none());
    }

    /// The hops of this configuration, reached by `--ssh`.
    fn plan(config: &str, hops: &[&str]) -> SshPlan {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, config).unwrap();
        let args = crate::config::request::SshRequest {
            hops: hops.iter().map(|hop| hop.to_string()).collect(),
            config: Some(file),
            keys: vec!["/k/100%".into()],
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
        let plan = crate::config::ssh::plan(&args, &surroundings, None, &mut record);
        plan.unwrap().unwrap()
    }

    #[test]
    fn the_users_own_configuration_decides() {
        let plan = plan("Host b\n User u\n Port 7\n", &["b"]);
        let text = configuration(String::new(), &plan.hops, &plan).unwrap();
        let file = plan.given.config[0].display();
        let wanted = format!(
            "IdentityFile \"/k/100%%\"\nInclude \"{file}\"\nGlobalKnownHostsFile /dev/null\n"
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_way_is_named_as_it_was_written() {
        let way = |config: &str, hops: &[&str], reached: usize| {
            let plan = plan(config, hops);
            let args = destination(&plan.hops[..reached], Earned::Everything);
            args[2..].join(" ")
        };
        let config = "Host b\n User u\n Port 7\n ProxyJump j,k@l:3\n";
        assert_eq!(way(config, &["b"], 3), "-- b");
        assert_eq!(way(config, &["b"], 1), "-- j");
        assert_eq!(way(config, &["b"], 2), "-l k -p 3 -J j -- l");
        assert_eq!(way(config, &["b", "x@c:9"], 4), "-l x -p 9 -J b -- c");
        assert_eq!(way("", &["u@a", "[::1]:5", "c"], 3), "-J u@a,[::1]:5 -- c");
    }
}
