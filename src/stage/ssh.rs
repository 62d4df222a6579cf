//! `ssh`: a session on every hop, proved step by step.
//!
//! For each hop: the identification ([`identification`]), the algorithms
//! ([`algorithms`]), the host key ([`host_key`], from [`known_hosts`]),
//! authentication ([`auth`], with the keys of [`identities`] and the [`agent`]).
//! The next hop is reached through a forward of the one before. [`classify`]
//! and [`classify_auth`] turn what was seen into a cause, [`liveness`] says how a session fared later.

pub mod agent;
pub mod algorithms;
mod announced;
pub mod auth;
mod auth_log;
mod banner;
mod classify;
mod classify_agent;
mod classify_auth;
pub mod client;
pub mod forward;
pub mod host_key;
pub mod identification;
pub mod identities;
pub mod known_hosts;
mod known_hosts_command;
pub(crate) mod known_hosts_damage;
pub(crate) mod known_hosts_repair;
mod liveness;
mod product;
mod proxy_command;
mod signer;
mod slow;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use russh::client::{Config, GexParams, Handle};
use russh::{Disconnect, SshId};
use serde_json::{Map, Value, json};

use crate::cause::ssh::SILENT;
use crate::config::{Hop, SshPlan};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::identify;
use crate::report::{StageRecord, ms};
use crate::stage::Verdict;
use crate::stage::key::Keyring;
use crate::wire::command::CommandLog;
use crate::wire::waits::Awaited;
use crate::wire::{self, Address, Reopen, Route, Stream, TeeLog};
use agent::AgentTrouble;
use algorithms::Allowed;
use auth::Credentials;
use auth_log::AuthEnd;
use client::{Client, Watch};
use host_key::{HostKeyVerifier, Judgement};
use identification::{Greeting, Resumed, Unheard};
use identities::{Candidate, Identities};

/// An authenticated session on the last hop, through all the ones before it.
/// Cheap to clone; the session ends when the last clone is dropped, and with
/// it every forward through it.
#[derive(Clone)]
pub struct Bastion {
    /// The last hop, as people call it.
    pub label: String,
    sessions: Arc<Vec<Session>>,
}

/// An authenticated session on one hop.
pub(crate) struct Session {
    label: String,
    hop: Hop,
    /// The certificate that let us in, where it was one.
    certificate: Option<Candidate>,
    /// The server's software: `OpenSSH_9.2p1 Debian-2`.
    software: String,
    handle: Handle<Client>,
    watch: Arc<Watch>,
    /// What passes below.
    below: Arc<TeeLog>,
    /// The socket below the first hop, while it is in use.
    socket: Weak<socket2::Socket>,
    /// Whether it is OpenSSH's server, which looks the name of a forward's
    /// target up before it does anything else (channels.c, `connect_to`).
    looks_up_first: bool,
    /// Whether a forward has been open.
    used: AtomicBool,
}

impl Session {
    /// This machine's address as the first hop may see it: what a rule there
    /// compares. It is not known for later hops, nor behind address translation.
    fn client_address(&self) -> Option<String> {
        let address = self.socket.upgrade()?.local_addr().ok()?;
        Some(address.as_socket()?.ip().to_canonical().to_string())
    }
}

impl Drop for Session {
    /// The server is told, so that it does not log a lost connection.
    fn drop(&mut self) {
        if self.handle.is_closed() {
            return;
        }
        let goodbye = self
            .handle
            .disconnect(Disconnect::ByApplication, "done", "");
        // It only puts a message into a queue; a full one may be skipped.
        let mut goodbye = std::pin::pin!(goodbye);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = goodbye.as_mut().poll(&mut context);
    }
}

/// Starts the command that reaches a hop; its streams are the connection.
///
/// # Errors
/// Where there is none, or no shell to run it.
pub fn by_command(hop: &Hop, ctx: &Ctx) -> Verdict<Stream> {
    let command = hop.proxy_command.as_ref();
    let command = command.ok_or_else(|| classify::unclassified(hop, "no command is named"))?;
    wire::command::start(&command.line, &ctx.surroundings.vars)
        .map_err(|error| proxy_command::no_shell(hop, &error, &ctx.surroundings))
}

/// Passes every hop: identification, algorithms, host key, authentication.
/// A forward from one hop to the next that fails is a `tunnel.*` finding.
pub async fn probe(
    stream: Stream,
    plan: &SshPlan,
    keys: &Keyring,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Bastion> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut facts = Vec::new();
    let mut stream = Some(stream);
    let mut outcome = Ok(());
    for hop in &plan.hops {
        let mut visit = Visit {
            hop,
            plan,
            keys,
            ctx,
            limit: ctx.limit(),
            first: sessions.is_empty(),
            facts: Map::new(),
            warnings: Vec::new(),
            summary: String::new(),
        };
        visit.fact("hop", hop.label());
        let visited = match stream.take() {
            Some(stream) => {
                let route = stream.route.clone();
                let visited = visit.session(stream, None).await;
                match (&route, visited) {
                    (Route::Command(log), Err(finding)) => {
                        Err(proxy_command::explain(finding, hop, log).await)
                    }
                    (_, visited) => visited,
                }
            }
            None => match sessions.last() {
                Some(before) => match visit.reach(before).await {
                    Ok(stream) => visit.session(stream, Some(before)).await,
                    Err(finding) => Err(finding),
                },
                None => Err(classify::unclassified(hop, "no connection was handed over")),
            },
        };
        if !visit.summary.is_empty() {
            record.summary = visit.summary;
        }
        for warning in visit.warnings {
            record.warn(warning);
        }
        facts.push(Value::Object(visit.facts));
        match visited {
            Ok(session) => sessions.push(session),
            Err(finding) => {
                outcome = Err(finding);
                break;
            }
        }
    }
    if plan.hops.len() > 1 && !record.summary.is_empty() {
        record.summary = format!(
            "hop {} of {}: {}",
            facts.len(),
            plan.hops.len(),
            record.summary
        );
    }
    record.fact("hops", facts);
    outcome?;
    match plan.hops.last() {
        Some(last) => Ok(Bastion {
            label: last.label(),
            sessions: Arc::new(sessions),
        }),
        None => {
            Err(Finding::new(&crate::cause::ssh::UNCLASSIFIED)
                .with("error", "no SSH server is named"))
        }
    }
}

/// One hop on the way.
struct Visit<'a> {
    hop: &'a Hop,
    plan: &'a SshPlan,
    keys: &'a Keyring,
    ctx: &'a Ctx,
    limit: Instant,
    first: bool,
    facts: Map<String, Value>,
    warnings: Vec<Finding>,
    summary: String,
}

impl Visit<'_> {
    fn fact(&mut self, name: &str, value: impl crate::finding::Observed) {
        self.facts.insert(name.to_owned(), value.into_shown());
    }

    /// Adds time that passed without the server.
    fn pause(&mut self, time: Duration) {
        self.limit = (self.limit + time).min(self.ctx.deadline);
    }

    /// The forward from the hop before to this one.
    async fn reach(&mut self, before: &Session) -> Verdict<Stream> {
        let began = Instant::now();
        let opened = before
            .open(&self.hop.host, self.hop.port, self.ctx, self.limit)
            .await;
        let took = began.elapsed();
        self.fact("forward_ms", ms(took));
        let io = opened.map_err(|failure| {
            forward::finding(
                &failure,
                &forward::ForwardRequest {
                    host: &self.hop.host,
                    port: self.hop.port,
                    via: before,
                    next: Some(self.hop),
                },
            )
        })?;
        self.warnings
            .extend(before.slow_forward(&self.hop.host, self.hop.port, took, true));
        let route = Route::Tunnel {
            host: self.hop.host.clone(),
            port: self.hop.port,
            via: before.label.clone(),
            again: Reopen::default(),
        };
        Ok(Stream::new(io, route, None))
    }

    async fn session(&mut self, stream: Stream, before: Option<&Session>) -> Verdict<Session> {
        let route = stream.route.clone();
        let socket = match before {
            Some(before) => before.socket.clone(),
            None => stream
                .socket
                .as_ref()
                .map(Arc::downgrade)
                .unwrap_or_default(),
        };
        if let Route::Direct(address) = &route {
            self.fact("address", address.to_string());
        }
        if let Some(command) = &self.hop.proxy_command {
            let shown = json!({"file": command.file, "line": command.number});
            self.fact("proxy_command", shown);
        }
        let began = Instant::now();
        let (greeting, stream, replay) = self.greet(stream, before).await?;
        stream.log.note_wait(Awaited::Identification);
        self.fact("identification", greeting.identification.clone());
        if !greeting.before.is_empty() {
            self.fact("before_identification", greeting.before.clone());
        }
        let greeted = Instant::now();
        self.fact("identification_ms", ms(greeted - began));
        self.summary = short_software(&greeting);

        let below = Arc::clone(&stream.log);
        let (mut handle, watch) = self.handshake(stream, replay).await?;
        below.note_wait(Awaited::KeyExchange);
        let shaken = Instant::now();
        self.fact("handshake_ms", ms(shaken - greeted));

        let offer = Identities::gather(self.hop, self.keys, self.ctx.deadline).await;
        let keys_only = watch
            .seen()
            .host_key
            .as_ref()
            .is_some_and(|judgement| judgement.keys_only);
        let means = Credentials {
            hop: self.hop,
            password: self.plan.password.as_ref(),
            person_until: (self.ctx.surroundings.interactive).then_some(self.ctx.deadline),
            keys_only,
            agent_patience: self.ctx.timeout,
            deadline: self.ctx.deadline,
            below: Arc::clone(&below),
            announces_too_few: greeting.software().starts_with("OpenSSH_7.4"),
            lists_only_rsa: ["OpenSSH_7.2", "OpenSSH_7.3", "OpenSSH_7.4"]
                .iter()
                .any(|version| greeting.software().starts_with(version)),
        };
        let story = auth::authenticate(&mut handle, &watch, &means, offer, self.limit).await;
        self.fact("auth", story.fact());
        self.fact("auth_ms", ms(shaken.elapsed().saturating_sub(story.asked)));
        let (banner, notice) = {
            let seen = watch.seen();
            (seen.banner.clone(), seen.notice.clone())
        };
        if !banner.is_empty() {
            self.fact("banner", banner.clone());
        }
        if !notice.is_empty() {
            self.fact("notice", notice.clone());
        }
        if story.ending == AuthEnd::In {
            // ssh has no such patience (authfd.c, `ssh_request_reply`).
            if story.trouble == Some(AgentTrouble::Mute) {
                self.warnings.push(classify::mute_agent(self.hop));
            }
            // The log is that of this hop's own transport; below a forward there
            // is no socket to ask.
            let own = before.is_none().then(|| socket.upgrade()).flatten();
            self.warnings
                .extend(slow::login(self.hop, &below, own.as_deref()));
            let how = match story.passed.as_slice() {
                [] => story.method.to_owned(),
                passed => format!("{} and {}", passed.join(", "), story.method),
            };
            self.summary = format!("{}, {how} accepted", self.summary);
            return Ok(Session {
                label: self.hop.label(),
                hop: self.hop.clone(),
                certificate: story.certificate().cloned(),
                software: greeting.software().to_owned(),
                handle,
                watch,
                below,
                socket,
                looks_up_first: greeting.software().starts_with("OpenSSH"),
                used: AtomicBool::new(false),
            });
        }
        let finding = classify_auth::authentication(self.hop, &story, &banner, &notice);
        Err(product::advised(finding, self.hop, greeting.software()))
    }

    /// The identification. On failure says what is there instead.
    async fn greet(
        &mut self,
        mut stream: Stream,
        before: Option<&Session>,
    ) -> Verdict<(Greeting, Stream, Vec<u8>)> {
        let mut heard = Vec::new();
        let exchanged = self
            .ctx
            .until(
                self.limit,
                identification::exchange(&mut stream.io, &mut heard),
            )
            .await;
        let unheard = match exchanged {
            // Our own line comes back, bare or in a complaint about it.
            Ok(Ok((greeting, _))) if greeting.identification.starts_with(identification::OURS) => {
                let bytes = greeting
                    .before
                    .first()
                    .map_or(&[][..], |line| line.as_bytes());
                let (bytes, what) = match greeting.identification == identification::OURS {
                    true => (bytes, "a server that only echoes its input"),
                    false => (bytes, identification::who(bytes)),
                };
                let shown = match bytes {
                    [] => greeting.identification.as_bytes(),
                    bytes => bytes,
                };
                return Err(classify::foreign(self.hop, shown, what));
            }
            Ok(Ok((greeting, replay))) if speaks_two(&greeting) => {
                return Ok((greeting, stream, replay));
            }
            Ok(Ok((greeting, _))) => {
                let bytes = greeting.identification.as_bytes();
                return Err(classify::foreign(
                    self.hop,
                    bytes,
                    identification::who(bytes),
                ));
            }
            Ok(Err(unheard)) => Some(unheard),
            Err(_) => None,
        };
        if let Route::Command(log) = &stream.route
            && let Some(finding) = self.by_command(log, unheard.as_ref(), &heard).await
        {
            return Err(finding);
        }
        let nobody_spoke = heard.is_empty()
            && !matches!(&unheard, Some(identification::Unheard::Foreign(_)))
            && !matches!(&unheard, Some(identification::Unheard::Closed(bytes) | identification::Unheard::Broken(_, bytes)) if !bytes.is_empty());
        let mut look = None;
        if nobody_spoke && unheard.is_some() {
            let closed = Box::pin(classify::who_closed(
                &stream.route,
                (self.hop, before),
                self.ctx,
                self.limit,
            ))
            .await;
            if let Some(who) = closed.who {
                return Err(classify::foreign(self.hop, &[], who));
            }
            if let Some(version) = closed.proxy_header {
                return Err(classify::behind_proxy_header(self.hop, version));
            }
            look = Some(closed);
        }
        let finding = classify::identification(self.hop, unheard, &heard, self.first);
        let finding = match &stream.route {
            // Nothing blocks a machine's connections to itself, unless sshd says so.
            Route::Direct(Address::Tcp(address))
                if address.ip().is_loopback() && !finding.evidence.contains_key("said") =>
            {
                finding
            }
            _ => finding.word("remote_host", self.hop.host.clone()),
        };
        let finding = match &stream.route {
            Route::Direct(Address::Tcp(address)) if finding.cause == &SILENT => {
                match identify::listener(*address).await {
                    Some(listener) => identify::with_accept_queue(finding, &listener).await,
                    None => finding,
                }
            }
            _ => finding,
        };
        Err(match look {
            Some(look) => look.described(finding),
            None => finding,
        })
    }

    /// What the command that should reach the server did instead.
    async fn by_command(
        &self,
        log: &CommandLog,
        unheard: Option<&Unheard>,
        heard: &[u8],
    ) -> Option<Finding> {
        let bytes = match unheard {
            Some(Unheard::Closed(bytes) | Unheard::Broken(_, bytes) | Unheard::Foreign(bytes)) => {
                bytes
            }
            None => heard,
        };
        proxy_command::unheard(self.hop, log, unheard.is_some(), bytes, self.ctx).await
    }

    /// Key exchange and host key.
    async fn handshake(
        &mut self,
        stream: Stream,
        replay: Vec<u8>,
    ) -> Verdict<(Handle<Client>, Arc<Watch>)> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let allowed = Allowed::by(&self.hop.algorithms);
        let (hop, first) = (
            self.hop.clone(),
            self.first && self.hop.proxy_command.is_none(),
        );
        let address = match &stream.route {
            Route::Direct(Address::Tcp(address)) => Some(address.ip()),
            _ => None,
        };
        let (ctx, began) = (self.ctx.clone(), Instant::now());
        let judge = tokio::task::spawn_blocking(move || {
            HostKeyVerifier::new(&hop, now, first)
                .at(address)
                .asking(&ctx, ctx.deadline)
        });
        let judge = judge
            .await
            .map_err(|error| classify::unclassified(self.hop, &error.to_string()))?;
        self.pause(began.elapsed());
        if let Some(command) = &self.hop.known_hosts_command {
            let shown = json!({"file": command.file, "line": command.line});
            self.fact("known_hosts_command", shown);
        }
        if let Some(finding) = judge.stopped() {
            return Err(finding);
        }
        let config = Config {
            client_id: SshId::Standard(identification::OURS.into()),
            preferred: algorithms::preferred(&allowed, &judge.known()),
            gex: GexParams::new(2048, 3072, 8192).unwrap_or_default(),
            ..Config::default()
        };
        let watch = Arc::new(Watch::default());
        let (io, clear) = Resumed::new(stream.io, stream.socket, replay);
        announced::listen();
        let client = Client::new(Arc::clone(&watch), judge, stream.log);
        let connecting = russh::client::connect_stream(Arc::new(config), io, client);
        let mut connecting = std::pin::pin!(connecting);
        let connected = loop {
            let connected = self.ctx.until(self.limit, &mut connecting).await;
            // The server is not to blame for the time that the verdict takes.
            let judged = watch.time_of_verdict().await;
            self.pause(judged);
            if connected.is_ok() || judged.is_zero() {
                break connected;
            }
        };

        let offer = algorithms::server_offer(&clear.bytes());
        let judgement = watch.seen().host_key.clone();
        let agreed = watch.seen().agreed.clone();
        if let Some(judgement) = &judgement {
            self.fact("host_key", judgement.fact.clone());
            self.summary = format!("{}, {}", self.summary, judgement.summary);
        }
        if let Some([kex, host_key, cipher, mac]) = &agreed {
            let named = json!({"kex": kex, "host_key": host_key, "cipher": cipher, "mac": mac});
            self.fact("algorithms", named);
        }
        match connected {
            Ok(Ok(handle)) => {
                if let (Some(offer), Some(agreed)) = (&offer, &agreed)
                    && let Some(finding) =
                        classify::only_after_hostkey_override(self.hop, &allowed, offer, agreed)
                {
                    return Err(finding);
                }
                self.warnings
                    .extend(judgement.and_then(|judgement| judgement.finding));
                Ok((handle, watch))
            }
            Ok(Err(russh::Error::UnknownKey)) => Err(judgement
                .and_then(|judgement| judgement.finding)
                .unwrap_or_else(|| classify::unclassified(self.hop, "the host key was refused"))),
            Ok(Err(error)) => {
                let end = watch.seen().end.clone();
                Err(classify::handshake(
                    self.hop,
                    &error,
                    end,
                    &allowed,
                    offer.as_ref(),
                    &clear.bytes(),
                ))
            }
            // The refusal came too late to end the session in time.
            Err(_) => match judgement.filter(|judgement| !judgement.accepted) {
                Some(Judgement {
                    finding: Some(finding),
                    ..
                }) => Err(finding),
                _ => Err(classify::stalled(self.hop, "the key exchange", self.ctx)),
            },
        }
    }
}

/// Whether both ends can speak protocol 2 (`1.99` means both versions). A name
/// of the software must follow (kex.c, `kex_exchange_identification`).
fn speaks_two(greeting: &Greeting) -> bool {
    let Some((version, software)) = greeting
        .identification
        .strip_prefix("SSH-")
        .and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    !software.is_empty() && (version.starts_with("2.") || version == "1.99")
}

/// `OpenSSH_9.2p1` of `OpenSSH_9.2p1 Debian-2`.
fn short_software(greeting: &Greeting) -> String {
    let software = greeting.software();
    let name = software.split_once(' ').map_or(software, |(name, _)| name);
    crate::text::clean(name)
}
