//! libssh2 (crate `ssh2`), on which the SSH libraries of many languages are built:
//! connects to the last hop of the main run with the key that was used there.
//!
//! libssh2 has no host-key policy of its own, so dbdoctor judges the key that
//! libssh2 received before anything else is sent.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use russh::keys::PublicKey;
use serde_json::Value;
use ssh2::{KeyboardInteractivePrompt, MethodType, Prompt, Session};

use super::earned::Earned;
use super::{Outcome, Scene, Step, late, would_look_up};
use crate::config::{Family, Hop, HostKeyCheck, Place, SshMethod, SshPlan};
use crate::ctx::Ctx;
use crate::report::Stage;
use crate::secret::Secret;
use crate::stage::ssh::host_key::{HostKeyVerifier, Shown};
use crate::stage::ssh::known_hosts::fingerprint;
use crate::wire::{Address, Io, local_end};

/// No more keys than this are tried: servers count attempts.
const MOST_KEYS: usize = 5;

/// Tries it.
pub async fn ask(scene: &Scene<'_>, earned: Earned, limit: Instant) -> Outcome {
    let began = Instant::now();
    let Some(plan) = &scene.connected.target.ssh else {
        return Outcome::Skipped("the target has no SSH server".to_owned());
    };
    if let Some(why) = typed(scene, plan) {
        return Outcome::Skipped(why);
    }
    let at = scene.hop();
    let Some(hop) = plan.hops.get(at).cloned() else {
        return Outcome::Skipped("the target names no SSH server".to_owned());
    };
    if let Some(keyword) = limit_of(&hop) {
        return Outcome::Skipped(format!("it is not told {keyword} of the SSH configuration"));
    }
    // A list may have revoked the certificate alone, which libssh2 does not see.
    if hop_facts(scene, at).is_some_and(|hop| hop["host_key"]["known_hosts"] == "revoked") {
        return Outcome::Skipped("the host key is revoked".to_owned());
    }
    let link = match link(scene, at).await {
        Ok(link) => link,
        Err(why) => return Outcome::Skipped(why),
    };
    let means = match earned.only_verification() {
        true => None,
        false => Some(Means {
            keys: keys(scene, &hop, at),
            passphrase: plan.passphrase.clone(),
            password: plan.password.clone(),
        }),
    };
    let job = Libssh2Attempt {
        means,
        wanted: wanted(scene, plan, at),
        reachable: at == 0,
        ctx: scene.connected.ctx.clone(),
        limit,
        hop,
        link,
    };
    let (stop, stopped) = std::sync::mpsc::channel::<OwnedFd>();
    let thread = tokio::task::spawn_blocking(move || job.run(&stop));
    // It keeps its own time; this is for the case that it does not.
    let patience = limit + Duration::from_millis(200);
    match tokio::time::timeout_at(patience.into(), thread).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Skipped(format!("libssh2 crashed: {error}")),
        Err(_) => {
            if let Ok(socket) = stopped.try_recv() {
                let _ = socket2::Socket::from(socket).shutdown(std::net::Shutdown::Both);
            }
            Outcome::Failed(Step::Connect, late(limit, began))
        }
    }
}

/// What the run noted about a hop.
pub(super) fn hop_facts<'a>(scene: &Scene<'a>, at: usize) -> Option<&'a Value> {
    scene
        .stage(Stage::Ssh)?
        .facts
        .get("hops")?
        .as_array()?
        .get(at)
}

/// A setting that forbids what libssh2 would do all the same: it takes none of them, and would
/// get in where the configuration does not let anybody.
fn limit_of(hop: &Hop) -> Option<&'static str> {
    let lists = &hop.algorithms;
    let narrows = |list: &&(&'static str, &Option<String>)| {
        let written = list.1.as_deref();
        written.is_some_and(|list| !list.starts_with(['+', '^']))
    };
    let list = [
        ("KexAlgorithms", &lists.kex),
        ("HostKeyAlgorithms", &lists.host_key),
        ("Ciphers", &lists.cipher),
        ("MACs", &lists.mac),
        ("PubkeyAcceptedAlgorithms", &lists.pubkey),
    ];
    let list = list.iter().find(narrows).map(|(keyword, _)| *keyword);
    list.or_else(|| (hop.methods != SshMethod::ALL).then_some("the authentication methods"))
        .or_else(|| (hop.family != Family::default()).then_some("AddressFamily"))
}

/// Why no other client can be asked: a person typed what opened the door, and
/// it is not kept.
pub(super) fn typed(scene: &Scene<'_>, plan: &SshPlan) -> Option<String> {
    if !scene.connected.ctx.surroundings.interactive {
        return None;
    }
    for at in 0..plan.hops.len() {
        let Some(auth) = hop_facts(scene, at).map(|hop| &hop["auth"]) else {
            continue;
        };
        let method = auth["method"].as_str().unwrap_or_default();
        if plan.password.is_none() && matches!(method, "password" | "keyboard-interactive") {
            return Some("the SSH password was typed and is not stored".to_owned());
        }
    }
    let locked = || {
        plan.hops
            .iter()
            .flat_map(|hop| &hop.identity_files)
            .any(|file| encrypted(&file.path))
    };
    (plan.passphrase.is_none() && locked())
        .then(|| "the key's passphrase was typed and is not stored".to_owned())
}

/// Whether a key file says that it is encrypted.
fn encrypted(path: &std::path::Path) -> bool {
    let Ok(bytes) = crate::config::files::read(path) else {
        return false;
    };
    let text = String::from_utf8_lossy(&bytes);
    match russh::keys::PrivateKey::from_openssh(text.as_bytes()) {
        Ok(key) => key.is_encrypted(),
        Err(_) => text.contains("ENCRYPTED"),
    }
}

/// How the hop is reached.
enum Link {
    /// The address that the run dialled.
    Known(Address),
    /// To be looked up.
    Name(String, u16),
    /// Through the hops before.
    Pipe(UnixStream),
}

async fn link(scene: &Scene<'_>, at: usize) -> Result<Link, String> {
    let connected = scene.connected;
    let hops = connected.target.ssh.as_ref().map(|plan| &plan.hops);
    let Some(hop) = hops.and_then(|hops| hops.get(at)) else {
        return Err("the target names no SSH server".to_owned());
    };
    if hop.proxy_command.is_some() {
        let stream = crate::stage::ssh::by_command(hop, &connected.ctx.anew());
        let stream = stream.map_err(|finding| finding.summary())?;
        return piped(stream.io, ());
    }
    if at == 0 {
        return match &connected.address {
            Some(address) => Ok(Link::Known(address.clone())),
            None => match would_look_up(&connected.target, &Place::of_host(&hop.host)) {
                Some(why) => Err(why),
                None => Ok(Link::Name(hop.host.clone(), hop.port)),
            },
        };
    }
    let jump = |error: String| format!("the jump host failed: {error}");
    let bastion = connected
        .hop(&connected.target.keepalives, at)
        .await
        .map_err(|finding| jump(finding.summary()))?;
    let ctx = connected.ctx.anew();
    let io = match bastion.last() {
        Some(session) => session
            .open(&hop.host, hop.port, &ctx, ctx.limit())
            .await
            .map_err(|_| jump("it cannot reach the next host".to_owned()))?,
        None => return Err(jump("no session".to_owned())),
    };
    piped(io, bastion)
}

/// A pipe to what carries the bytes; what must outlive it is kept with it.
fn piped<K: Send + 'static>(mut io: impl Io + 'static, kept: K) -> Result<Link, String> {
    let pair = || {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((tokio::net::UnixStream::from_std(ours)?, theirs))
    };
    let (mut ours, theirs) = pair().map_err(|error: std::io::Error| error.to_string())?;
    tokio::spawn(async move {
        let _ = tokio::io::copy_bidirectional(&mut ours, &mut io).await;
        drop(kept);
    });
    Ok(Link::Pipe(theirs))
}

/// What the forward is to reach.
pub(super) enum ForwardTarget {
    Tcp(String, u16),
    Unix(String),
}

/// From the hop of this number: the next hop, or the database.
pub(super) fn wanted(scene: &Scene<'_>, plan: &SshPlan, at: usize) -> ForwardTarget {
    if let Some(next) = plan.hops.get(at + 1) {
        return ForwardTarget::Tcp(next.host.clone(), next.port);
    }
    let endpoint = &scene.connected.endpoint;
    match &endpoint.place {
        Place::Unix(path) => ForwardTarget::Unix(path.to_string_lossy().into_owned()),
        Place::Ip(ip, _) => ForwardTarget::Tcp(ip.to_string(), endpoint.port),
        Place::Name(name) => ForwardTarget::Tcp(name.clone(), endpoint.port),
    }
}

/// A key to be tried.
struct CandidateKey {
    file: Option<PathBuf>,
    fingerprint: Option<String>,
    agent: bool,
    certificate: bool,
}

/// The key that the run was let in with; where it was not, all that it had.
fn keys(scene: &Scene<'_>, hop: &Hop, at: usize) -> Vec<CandidateKey> {
    let offered = hop_facts(scene, at).and_then(|hop| hop["auth"]["keys"].as_array());
    let offered = offered.map_or(&[][..], Vec::as_slice);
    let read = |key: &Value| CandidateKey {
        file: key["file"].as_str().map(PathBuf::from),
        fingerprint: key["fingerprint"].as_str().map(str::to_owned),
        agent: key["agent"].as_bool().unwrap_or(false),
        certificate: key["certificate"].as_bool().unwrap_or(false),
    };
    let accepted: Vec<CandidateKey> = offered
        .iter()
        .filter(|key| {
            let outcome = key["outcome"].as_str().unwrap_or_default();
            matches!(outcome, "accepted" | "accepted, more wanted")
        })
        .map(read)
        .collect();
    if !accepted.is_empty() {
        return accepted;
    }
    let mut keys: Vec<CandidateKey> = offered.iter().map(read).collect();
    for file in &hop.identity_files {
        let known = keys.iter().any(|key| key.file.as_ref() == Some(&file.path));
        if !known && file.path.exists() {
            keys.push(CandidateKey {
                file: Some(file.path.clone()),
                fingerprint: None,
                agent: false,
                certificate: false,
            });
        }
    }
    keys.truncate(MOST_KEYS);
    keys
}

/// What it authenticates with.
struct Means {
    keys: Vec<CandidateKey>,
    passphrase: Option<Secret>,
    password: Option<Secret>,
}

/// Everything that the thread needs.
struct Libssh2Attempt {
    hop: Hop,
    link: Link,
    /// None where it stops at the host key.
    means: Option<Means>,
    wanted: ForwardTarget,
    reachable: bool,
    ctx: Ctx,
    limit: Instant,
}

impl Libssh2Attempt {
    fn left(&self) -> Duration {
        self.limit.saturating_duration_since(Instant::now())
    }

    /// The session's patience for its next step.
    fn pace(&self, session: &Session) {
        let left = self.left().as_millis().clamp(1, 60_000);
        session.set_timeout(u32::try_from(left).unwrap_or(60_000));
    }

    /// One step after the other, blocking; a handle on the socket is sent out
    /// for whoever must end it.
    fn run(self, out: &std::sync::mpsc::Sender<OwnedFd>) -> Outcome {
        let failed = |step: Step, error: String| Outcome::Failed(step, error);
        let mut session = match Session::new() {
            Ok(session) => session,
            Err(error) => return Outcome::Skipped(format!("libssh2: {error}")),
        };
        match self.dial() {
            Ok(Some(socket)) => {
                if let Ok(copy) = socket.as_fd().try_clone_to_owned() {
                    let _ = out.send(copy);
                }
                session.set_tcp_stream(socket);
            }
            Ok(None) => return Outcome::Skipped("no route to this server".to_owned()),
            Err(error) => return failed(Step::Connect, error.to_string()),
        }
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let judge =
            HostKeyVerifier::new(&self.hop, now, self.reachable).asking(&self.ctx, self.limit);
        if let Some(finding) = judge.stopped() {
            return failed(Step::HostKey, finding.summary());
        }
        prefer_known(&session, &judge);
        self.pace(&session);
        if let Err(error) = session.handshake() {
            return failed(Step::Handshake, words(&error));
        }
        let keys_only = match self.host_key(&session, &judge) {
            Ok(keys_only) => keys_only,
            Err(outcome) => return outcome,
        };
        let Some(means) = &self.means else {
            return Outcome::Passed(Step::HostKey);
        };
        if let Err(outcome) = self.authenticate(&session, means, keys_only) {
            return outcome;
        }
        self.pace(&session);
        let forward = match &self.wanted {
            ForwardTarget::Tcp(host, port) => session.channel_direct_tcpip(host, *port, None),
            ForwardTarget::Unix(path) => session.channel_direct_streamlocal(path, None),
        };
        let outcome = match forward {
            Ok(_) => Outcome::Passed(Step::Forward),
            Err(error) => failed(Step::Forward, words(&error)),
        };
        self.pace(&session);
        let _ = session.disconnect(None, "done", None);
        outcome
    }

    fn dial(&self) -> std::io::Result<Option<OwnedFd>> {
        let addresses = match &self.link {
            Link::Pipe(pipe) => return pipe.as_fd().try_clone_to_owned().map(Some),
            Link::Known(Address::Tcp(address)) => vec![*address],
            Link::Known(Address::Unix(_)) => return Ok(None),
            Link::Name(host, port) => (host.as_str(), *port).to_socket_addrs()?.collect(),
        };
        let mut last = None;
        for address in addresses {
            match self.connect(address) {
                Ok(socket) => return Ok(Some(socket)),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    fn connect(&self, address: SocketAddr) -> std::io::Result<OwnedFd> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            None,
        )?;
        if let Some(end) = &self.hop.local_end {
            local_end::bind(&socket, end, address)
                .map_err(|why| std::io::Error::other(why.text()))?;
        }
        let left = self.left().max(Duration::from_millis(1));
        socket.connect_timeout(&address.into(), left)?;
        Ok(socket.into())
    }

    /// Whether the key is one that the target's files know. Tells whether
    /// passwords are ruled out.
    fn host_key(&self, session: &Session, judge: &HostKeyVerifier) -> Result<bool, Outcome> {
        let shown = session.host_key().map(|(bytes, _)| bytes.to_vec());
        let key = shown.and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
        let Some(key) = key else {
            return Err(Outcome::Skipped(
                "libssh2 received a host key that cannot be parsed".to_owned(),
            ));
        };
        let shown = Shown {
            key,
            certificate: None,
        };
        let judgement = judge.judge(&shown);
        if judgement.accepted {
            return Ok(judgement.keys_only);
        }
        // libssh2 knows no host certificates, so the key within is all it sees.
        if judge.known().authority {
            return Err(Outcome::Skipped(
                "the host is known by a CA-signed certificate, which libssh2 does not support"
                    .to_owned(),
            ));
        }
        let is = |cause| judgement.finding.as_ref().is_some_and(|f| f.cause == cause);
        if let Some(finding) = &judgement.finding
            && is(&crate::cause::ssh::KNOWN_HOSTS_COMMAND)
        {
            return Err(Outcome::Failed(Step::HostKey, finding.summary()));
        }
        let revoked = is(&crate::cause::ssh::HOSTKEY_REVOKED);
        let known_as = match self.hop.host_key_check {
            _ if revoked => "is revoked",
            HostKeyCheck::Yes => "does not match known_hosts",
            _ => "is rejected",
        };
        Err(Outcome::Failed(
            Step::HostKey,
            format!("the host key {} {known_as}", fingerprint(&shown.key)),
        ))
    }

    fn authenticate(
        &self,
        session: &Session,
        means: &Means,
        keys_only: bool,
    ) -> Result<(), Outcome> {
        let failed = |error: String| Outcome::Failed(Step::SshAuth, error);
        self.pace(session);
        let user = self.hop.user.as_str();
        let methods = match session.auth_methods(user) {
            Ok(methods) => methods.to_owned(),
            Err(_) if session.authenticated() => return Ok(()),
            Err(error) => return Err(failed(words(&error))),
        };
        let offers = |method: &str| methods.split(',').any(|m| m == method);
        let mut last = format!("the server accepts {methods}, but no such credential is available");
        if offers("publickey") {
            for key in &means.keys {
                self.pace(session);
                match self.with_key(session, key, means.passphrase.as_ref()) {
                    Ok(()) if session.authenticated() => return Ok(()),
                    Ok(()) => {}
                    Err(error) => last = error,
                }
            }
        }
        // After a partial success the server may want what it did not name before.
        if let Some(password) = means.password.as_ref().filter(|_| !keys_only) {
            self.pace(session);
            if let Err(error) = session.userauth_password(user, &password.expose()) {
                last = words(&error);
            }
            if !session.authenticated() {
                self.pace(session);
                let mut typist = Typist(password);
                if let Err(error) = session.userauth_keyboard_interactive(user, &mut typist) {
                    last = words(&error);
                }
            }
        }
        match session.authenticated() {
            true => Ok(()),
            false => Err(failed(last)),
        }
    }

    fn with_key(
        &self,
        session: &Session,
        key: &CandidateKey,
        passphrase: Option<&Secret>,
    ) -> Result<(), String> {
        let user = self.hop.user.as_str();
        if key.agent {
            return self.with_agent(session, key);
        }
        let Some(file) = &key.file else {
            return Err("the key has no file".to_owned());
        };
        let certificate = key.certificate.then(|| self.certificate_of(file)).flatten();
        let passphrase = passphrase.map(Secret::expose);
        session
            .userauth_pubkey_file(
                user,
                certificate.as_deref(),
                file,
                passphrase.as_ref().map(|text| text.as_str()),
            )
            .map_err(|error| format!("{} ({})", words(&error), file.display()))
    }

    /// The file of the certificate that goes with a key.
    fn certificate_of(&self, key: &std::path::Path) -> Option<PathBuf> {
        let mut beside = key.as_os_str().to_owned();
        beside.push("-cert.pub");
        let beside = PathBuf::from(beside);
        match self.hop.certificate_files.first() {
            Some(named) => Some(named.clone()),
            None => beside.exists().then_some(beside),
        }
    }

    fn with_agent(&self, session: &Session, key: &CandidateKey) -> Result<(), String> {
        let Some(socket) = &self.hop.agent else {
            return Err("no SSH agent".to_owned());
        };
        let attempt = || -> Result<bool, ssh2::Error> {
            let mut agent = session.agent()?;
            agent.set_identity_path(socket)?;
            agent.connect()?;
            agent.list_identities()?;
            for identity in agent.identities()? {
                let print = PublicKey::from_bytes(identity.blob())
                    .map(|key| fingerprint(&key))
                    .ok();
                if print.is_some() && print == key.fingerprint {
                    agent.userauth(&self.hop.user, &identity)?;
                    return Ok(true);
                }
            }
            Ok(false)
        };
        match attempt() {
            Ok(true) => Ok(()),
            Ok(false) => Err("the agent does not offer the key to libssh2".to_owned()),
            Err(error) => Err(format!("{} (key in the agent)", words(&error))),
        }
    }
}

/// The order of host-key algorithms: those of known keys first, as OpenSSH
/// asks for them, so that the key that is known is the one shown.
fn prefer_known(session: &Session, judge: &HostKeyVerifier) {
    let types = judge.known().types;
    let Ok(supported) = session.supported_algs(MethodType::HostKey) else {
        return;
    };
    let known = |algorithm: &str| {
        types
            .iter()
            .any(|kind| kind == algorithm || (kind == "ssh-rsa" && algorithm.starts_with("rsa-")))
    };
    let (mut first, rest): (Vec<&str>, Vec<&str>) = supported
        .into_iter()
        .partition(|algorithm| known(algorithm));
    if !first.is_empty() {
        first.extend(rest);
        let _ = session.method_pref(MethodType::HostKey, &first.join(","));
    }
}

/// Answers a single hidden question with the password.
struct Typist<'a>(&'a Secret);

impl KeyboardInteractivePrompt for Typist<'_> {
    fn prompt(&mut self, _: &str, _: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        match prompts {
            [only] if !only.echo => vec![self.0.expose_owned()],
            _ => prompts.iter().map(|_| String::new()).collect(),
        }
    }
}

/// libssh2's own words, and its number.
fn words(error: &ssh2::Error) -> String {
    let number = match error.code() {
        ssh2::ErrorCode::Session(number) | ssh2::ErrorCode::SFTP(number) => number,
    };
    format!("{} ({number})", error.message())
}
