//! From a reached address, or a bastion, to a session: hosts in libpq's
//! order, each with the encryptions that `sslmode` allows, until one passes
//! or libpq would give up.

use crate::cause::{self, family};
use crate::client::profile::{Hosts, Retry};
use crate::config::{
    Endpoint, Keepalives, Place, SslMode, SslNegotiation, Target, TargetSessionAttrs,
};
use crate::finding::Finding;
use crate::report::{Report, Stage, StageRecord};
use crate::stage::protocol::Attempt;
use crate::stage::ssh::Bastion;
use crate::stage::tcp::Reached;
use crate::stage::{Verdict, auth, protocol, server, ssh, tcp, tls, tunnel};
use crate::wire::session::Session;
use crate::wire::{Address, Stream};

use super::outcome::FailedAttempt;
use super::{Connected, Failed, Failure, Run, Ways};

/// Where the attempts ended well.
pub(super) struct Arrived {
    pub(super) session: Option<Session>,
    pub(super) endpoint: Endpoint,
    /// The database's address, where this machine dialled it itself.
    pub(super) address: Option<Address>,
}

/// A failed attempt: the stage that saw it, why, and whether the attempt had
/// come to speak in clear.
type Broken = (Stage, Finding, bool);

/// How a pass over all hosts ended without success.
enum Dead {
    /// libpq gives up here.
    End,
    /// The list of hosts is used up.
    Exhausted,
}

impl Run<'_> {
    /// Tries the ways until one passes or libpq would give up.
    pub(super) async fn session(
        &mut self,
        target: &Target,
        mut ways: Ways,
    ) -> Result<Arrived, Failed> {
        let mut failures = Vec::new();
        let mut decided = false;
        for attrs in passes(target) {
            let target = Target {
                session_attrs: *attrs,
                ..target.clone()
            };
            match self.pass(&target, &mut ways, &mut failures).await {
                Ok(arrived) => {
                    self.demote_to_warnings(failures, target.tls.mode, &arrived.endpoint);
                    return Ok(arrived);
                }
                Err(Dead::Exhausted) => {}
                Err(Dead::End) => {
                    decided = true;
                    break;
                }
            }
        }
        self.fail_all(failures, decided);
        Err(Failed)
    }

    /// One pass over all hosts.
    async fn pass(
        &mut self,
        target: &Target,
        ways: &mut Ways,
        failures: &mut Vec<FailedAttempt>,
    ) -> Result<Arrived, Dead> {
        let count = match ways {
            Ways::Direct(reached) => reached.len(),
            Ways::Tunnel(_) => target.endpoints.len(),
        };
        'ways: for at in 0..count {
            let (endpoint, address) = match ways {
                Ways::Direct(reached) => (
                    &target.endpoints[reached[at].destination],
                    Some(reached[at].address.clone()),
                ),
                Ways::Tunnel(_) => (&target.endpoints[at], None),
            };
            let unix = matches!(address, Some(Address::Unix(_)));
            let attempts = attempts(target, unix);
            for (n, attempt) in attempts.iter().enumerate() {
                let stream = match ways {
                    Ways::Direct(reached) => self.dial(target, &mut reached[at]).await,
                    Ways::Tunnel(bastion) => self.forward(bastion, endpoint).await,
                };
                let outcome = match stream {
                    Ok(stream) => self.attempt(target, endpoint, stream, *attempt).await,
                    Err((stage, finding)) => Err((stage, finding, false)),
                };
                let (stage, finding, in_clear) = match outcome {
                    Ok(session) => {
                        return Ok(Arrived {
                            session,
                            endpoint: endpoint.clone(),
                            address,
                        });
                    }
                    Err(broken) => broken,
                };
                let finding = match ways {
                    Ways::Tunnel(bastion) => bastion.explain(finding, &self.ctx).await,
                    Ways::Direct(_) => finding,
                };
                let again = tries_other_encryption(target, stage, &finding);
                let next_host = goes_to_next_host(target, stage, &finding);
                let records = self.take_records();
                self.failures.push(Failure {
                    stage,
                    endpoint: Some(endpoint.label()),
                    cause: finding.cause,
                });
                failures.push(FailedAttempt {
                    endpoint: endpoint.label(),
                    attempt: *attempt,
                    stage,
                    finding,
                    records,
                });
                // `prefer` that was told N has spoken in clear already.
                let exhausted = *attempt == Attempt::Tls && in_clear;
                if again && n + 1 < attempts.len() && !exhausted {
                    continue;
                }
                if next_host {
                    continue 'ways;
                }
                return Err(Dead::End);
            }
        }
        Err(Dead::Exhausted)
    }

    /// One attempt on one connection.
    async fn attempt(
        &mut self,
        target: &Target,
        endpoint: &Endpoint,
        stream: Stream,
        attempt: Attempt,
    ) -> Result<Option<Session>, Broken> {
        let ctx = self.ctx.clone();
        if self.until <= Stage::Tunnel {
            return Ok(None);
        }
        let mut record = self.begin(Stage::Protocol);
        let verdict = protocol::probe(stream, attempt, endpoint, &ctx, &mut record).await;
        let greeted = self.step(record, verdict, false)?;

        let mut record = self.begin(Stage::Tls);
        if attempt == Attempt::Plain {
            record.skip(match endpoint.place {
                Place::Unix(_) => "unencrypted (unix socket)".to_owned(),
                _ => format!("unencrypted (sslmode={})", target.tls.mode.as_str()),
            });
        }
        let verdict = tls::probe(greeted, attempt, target, endpoint, &ctx, &mut record).await;
        let wire = self.step(record, verdict, false)?;
        if self.until <= Stage::Tls {
            return Ok(None);
        }
        let in_clear = wire.tls.is_none();

        let mut record = self.begin(Stage::Auth);
        let verdict = auth::probe(wire, target, endpoint, &ctx, &mut record).await;
        let mut session = self.step(record, verdict, in_clear)?;
        if self.until == Stage::Auth {
            return Ok(Some(session));
        }

        let mut record = self.begin(Stage::Server);
        let verdict = server::probe(&mut session, target, endpoint, &ctx, &mut record).await;
        auth::slow::confirm(self.report.stage(Stage::Auth), &record.facts);
        self.step(record, verdict, in_clear)?;
        Ok(Some(session))
    }

    async fn dial(
        &mut self,
        target: &Target,
        reached: &mut Reached,
    ) -> Result<Stream, (Stage, Finding)> {
        match reached.stream.take() {
            Some(stream) => Ok(stream),
            None => tcp::dial(&reached.address, &target.keepalives, None, &self.ctx)
                .await
                .map_err(|finding| (Stage::Tcp, finding.then_next_host())),
        }
    }

    async fn forward(
        &mut self,
        bastion: &Bastion,
        endpoint: &Endpoint,
    ) -> Result<Stream, (Stage, Finding)> {
        let ctx = self.ctx.clone();
        let mut record = self.begin(Stage::Tunnel);
        let verdict = tunnel::probe(bastion, endpoint, &ctx, &mut record).await;
        record.end(None);
        *self.report.stage(Stage::Tunnel) = record;
        verdict.map_err(|finding| (Stage::Tunnel, finding))
    }
}

/// How one more session is opened.
#[derive(Clone, Debug)]
pub struct Another {
    /// The keepalives of the connection that this machine itself opens.
    pub keepalives: Keepalives,
    /// Through a tunnel: whether it gets an SSH session of its own.
    pub own_hop: bool,
    /// Settings of the server's session, beside the target's `options`.
    pub options: Option<String>,
}

impl Connected {
    /// Opens one more session the same way: same address or bastion, same
    /// encryption rules, nothing looked up again. With an SSH session of its
    /// own, that comes along and must outlive it.
    ///
    /// # Errors
    /// The finding of the stage that failed.
    pub async fn again(&self, another: &Another) -> Verdict<(Session, Option<Bastion>)> {
        let mut report = Report::new("again", &[], self.ctx.environment.as_ref().clone());
        let own = match another.own_hop && self.bastion.is_some() {
            true => Some(self.hop(&another.keepalives, usize::MAX).await?),
            false => None,
        };
        let ways = match (own.as_ref().or(self.bastion.as_ref()), &self.address) {
            (Some(bastion), _) => Ways::Tunnel(bastion.clone()),
            (None, Some(address)) => Ways::Direct(vec![Reached {
                destination: 0,
                address: address.clone(),
                stream: None,
            }]),
            (None, None) => Ways::Direct(Vec::new()),
        };
        let target = Target {
            endpoints: vec![self.endpoint.clone()],
            keepalives: another.keepalives,
            options: joined(self.target.options.as_deref(), another.options.as_deref()),
            ..self.target.clone()
        };
        let mut run = Run {
            ctx: self.ctx.anew(),
            report: &mut report,
            progress: &mut (),
            until: Stage::Auth,
            only: None,
            background: Vec::new(),
            failures: Vec::new(),
        };
        match run.session(&target, ways).await {
            Ok(Arrived {
                session: Some(session),
                ..
            }) => Ok((session, own)),
            _ => Err(report
                .stages
                .iter()
                .flat_map(StageRecord::all_findings)
                .next()
                .unwrap_or_else(|| Finding::new(&crate::cause::auth::UNCLASSIFIED))),
        }
    }

    /// Opens one more SSH session over the same hops, or over the first
    /// `hops` of them.
    ///
    /// # Errors
    /// The finding of the stage that failed.
    pub async fn hop(&self, keepalives: &Keepalives, hops: usize) -> Verdict<Bastion> {
        let ctx = self.ctx.anew();
        let nobody = || {
            Finding::new(&crate::cause::ssh::UNCLASSIFIED)
                .with("error", "the target has no SSH server")
        };
        let mut plan = self.target.ssh.clone().ok_or_else(nobody)?;
        plan.hops.truncate(hops.max(1));
        let stream = match (super::by_command(&plan), &self.address) {
            (Some((_, hop)), _) => ssh::by_command(hop, &ctx)?,
            (None, Some(address)) => {
                let local_end = plan.hops.first().and_then(|hop| hop.local_end.as_ref());
                tcp::dial(address, keepalives, local_end, &ctx).await?
            }
            (None, None) => return Err(nobody()),
        };
        let mut record = StageRecord::new(Stage::Ssh);
        ssh::probe(stream, &plan, &self.keys, &ctx, &mut record).await
    }
}

/// The target's `options` and more of them.
pub fn joined(own: Option<&str>, more: Option<&str>) -> Option<String> {
    let all: Vec<&str> = [own, more].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// The passes over the host list (`target_session_attrs`, PostgreSQL
/// documentation: `prefer-standby` looks for a standby first, then takes any).
fn passes(target: &Target) -> &'static [TargetSessionAttrs] {
    use TargetSessionAttrs::*;
    match target.session_attrs {
        Any if target.server_kind.as_deref() == Some("preferPrimary") => &[ReadWrite, Any],
        Any => &[Any],
        ReadWrite => &[ReadWrite],
        ReadOnly => &[ReadOnly],
        Primary => &[Primary],
        Standby => &[Standby],
        PreferStandby => &[Standby, Any],
    }
}

/// The attempts that libpq makes on one address (`sslmode`, PostgreSQL
/// documentation, "SSL Mode Descriptions").
fn attempts(target: &Target, unix: bool) -> &'static [Attempt] {
    match (target.tls.mode, target.tls.negotiation) {
        _ if unix && !target.client.tls_on_sockets => &[Attempt::Plain],
        (_, SslNegotiation::Direct) => &[Attempt::DirectTls],
        (SslMode::Disable, _) => &[Attempt::Plain],
        (SslMode::Allow, _) => &[Attempt::Plain, Attempt::Tls],
        (SslMode::Prefer, _) if target.client.retry == Retry::Nothing => &[Attempt::Tls],
        (SslMode::Prefer, _) => &[Attempt::Tls, Attempt::Plain],
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => &[Attempt::Tls],
    }
}

/// Whether the client tries once more with the other encryption.
fn tries_other_encryption(target: &Target, stage: Stage, finding: &Finding) -> bool {
    let libpq = finding.onward.other_encryption;
    match target.client.retry {
        Retry::Libpq => libpq,
        // Under `allow` only: the server insisted on TLS.
        Retry::Nothing => libpq && target.tls.mode == SslMode::Allow,
        Retry::Refusal => finding.cause.is_of(family::AUTH_HBA),
        Retry::Established => libpq && stage >= Stage::Auth,
        Retry::Pgx5 => libpq && !ends_pgx(finding),
        Retry::Pgx4 => libpq && !finding.cause.is_of(family::AUTH_HBA),
    }
}

/// Whether the client goes on to the next host.
fn goes_to_next_host(target: &Target, stage: Stage, finding: &Finding) -> bool {
    let libpq = finding.onward.next_host;
    match target.client.hosts {
        Hosts::Libpq => libpq,
        Hosts::One => false,
        Hosts::Refused => stage <= Stage::Tcp,
        Hosts::Tls => libpq || stage == Stage::Tls,
        Hosts::Any => true,
        Hosts::Pgx => !ends_pgx(finding),
    }
}

/// pgx stops at SQLSTATE 28P01, 3D000 and 42501.
fn ends_pgx(finding: &Finding) -> bool {
    finding.cause.is_any(&[
        &cause::auth::PASSWORD_WRONG,
        &cause::auth::DATABASE_MISSING,
        &cause::auth::DATABASE_DENIED,
    ])
}
