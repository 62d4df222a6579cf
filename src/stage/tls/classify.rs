//! From a failed handshake to its cause.

use std::time::Duration;

use openssl::error::ErrorStack;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

use crate::cause::{protocol as protocol_cause, tls as cause};
use crate::config::{Endpoint, Target, TlsVersion};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::commands;
use crate::peer::identify::PendingRequest;
use crate::peer::identify::unmask_on;
use crate::peer::tls_probe;
use crate::peer::{TELLING, describe, in_words};
use crate::report::StageRecord;
use crate::stage::protocol::Attempt;
use crate::wire::first_reply::{Answer, Ending, Heard};
use crate::wire::{Address, Route, Tee, TeeLog, stranger, tcp_info};

use super::chain::ChainCheck;
use super::client_alert::{about_client, rejected, required};
use super::codes::VerifyRefusal;
use super::context::TlsContext;
use super::failure::{HandshakeFailure, error_text};
use crate::wire::handshake_log::HandshakeLog;
use crate::wire::tls::alert_name;

/// How long the looks on further connections may take, each.
const LOOK: Duration = Duration::from_millis(1500);

/// How long an end that let the time run out is given for a short answer.
const BRIEF: Duration = Duration::from_millis(500);

/// Everything that is known about a handshake.
pub(super) struct HandshakeEvidence<'a> {
    pub(super) prepared: &'a TlsContext,
    pub(super) target: &'a Target,
    pub(super) endpoint: &'a Endpoint,
    pub(super) attempt: Attempt,
    pub(super) route: &'a Route,
    pub(super) ctx: &'a Ctx,
    pub(super) tap: &'a HandshakeLog,
    pub(super) log: &'a TeeLog,
    pub(super) socket: Option<&'a socket2::Socket>,
    pub(super) received_before: u64,
    pub(super) waited: Duration,
}

impl HandshakeEvidence<'_> {
    /// The cause of a handshake that failed; further faults of the chain go
    /// into the record.
    pub(super) async fn failed(
        &self,
        failure: HandshakeFailure,
        error: &str,
        refusal: Option<VerifyRefusal>,
        tls: &mut SslStream<Tee>,
        record: &mut StageRecord,
    ) -> Finding {
        if failure == HandshakeFailure::Late {
            return self.late().await.then_next_host();
        }
        if let (HandshakeFailure::Verify, Some(refusal)) = (failure, &refusal) {
            return self.refused(refusal, record).then_other_encryption();
        }
        let fatal = self.tap.seen().alerts.last().copied();
        let finding = match (failure, fatal) {
            (HandshakeFailure::Alert(alert), _) => self.alert(alert).await,
            // The alert came, and what followed hid it.
            (HandshakeFailure::Closed | HandshakeFailure::Reset, Some((2, alert))) => {
                self.alert(alert).await
            }
            (HandshakeFailure::Version, _) => self.version().await,
            (HandshakeFailure::Algorithm(what), _) => self.cipher(what).await,
            (HandshakeFailure::NotTls, _) => self.not_tls(tls).await,
            (HandshakeFailure::Violation, _) => Finding::new(&protocol_cause::MALFORMED)
                .with("received", format!("an invalid TLS message ({error})")),
            (HandshakeFailure::Closed, _) => self.ended(Ending::Closed, tls).await,
            (HandshakeFailure::Reset, _) => self.ended(Ending::Reset, tls).await,
            _ => Finding::new(&cause::UNCLASSIFIED),
        };
        finding
            .with("error", error.to_owned())
            .then_other_encryption()
    }

    /// Bytes received since the handshake began.
    fn received(&self) -> u64 {
        self.log
            .seen()
            .received
            .saturating_sub(self.received_before)
    }

    /// Whether bytes still came at the end of the wait.
    fn is_flowing(&self) -> bool {
        let last = self.log.seen().last_byte_at;
        last.is_some_and(|at| at.elapsed() < self.waited / 3)
    }

    fn direct(&self) -> bool {
        self.attempt == Attempt::DirectTls
    }

    /// This side refused the server's certificate.
    fn refused(&self, refusal: &VerifyRefusal, record: &mut StageRecord) -> Finding {
        let chain = self.tap.chain();
        let full = self.target.checks_name();
        let trial = ChainCheck {
            chain: &chain,
            trusted: &self.prepared.trusted,
            now: OffsetDateTime::now_utc(),
            host: full.then_some(self.endpoint.host.as_str()),
        };
        let mut faults = trial.faults(refusal).into_iter().map(|finding| {
            let finding = self.with_commands(finding.with("connect", self.connect()));
            describe(finding, self.endpoint, self.route)
        });
        let first = faults.next();
        record.findings.extend(faults.map(Finding::as_failure));
        first
            .unwrap_or_else(|| Finding::new(&cause::UNCLASSIFIED))
            .with("sslmode", self.target.tls.mode.as_str())
    }

    /// Host and port as `openssl s_client -connect` takes them.
    fn connect(&self) -> String {
        match self.route {
            Route::Direct(Address::Tcp(address)) => address.to_string(),
            _ => format!("{}:{}", self.endpoint.host, self.endpoint.port),
        }
    }

    /// The commands that go to the same server: to look at its certificate and,
    /// where that is of another name, to connect by it.
    fn with_commands(&self, finding: Finding) -> Finding {
        let finding = finding.word("s_client", self.s_client());
        if finding.cause != &cause::CERT_HOSTNAME {
            return finding;
        }
        let conninfo = |replaced: &[(&str, &str)]| {
            commands::conninfo(self.target, self.endpoint, self.route, replaced)
        };
        let name = finding.evidence.get("name").and_then(|name| name.as_str());
        match (name, self.route) {
            (Some(name), Route::Direct(Address::Tcp(address))) => {
                let address = address.ip().to_string();
                let by_name = conninfo(&[("host", name), ("hostaddr", &address)]);
                finding.word("by_name", by_name)
            }
            // None of its names can be written as host.
            (None, _) if !finding.evidence.contains_key("carried") => {
                let without_name = conninfo(&[("sslmode", "verify-ca")]);
                let words =
                    without_name.and_then(|conninfo| shlex::try_join(["psql", &conninfo]).ok());
                finding.fix(
                    "None of the certificate's names is a host name, so verify its authority alone \
                     (sslmode=verify-ca), with an sslrootcert that signs only this server's \
                     certificates:",
                    words,
                )
            }
            _ => finding,
        }
    }

    fn s_client(&self) -> Option<Vec<String>> {
        commands::s_client(self.target, self.endpoint, self.route)
    }

    /// The server ended the handshake and said why.
    async fn alert(&self, alert: u8) -> Finding {
        let (asked, sent) = {
            let seen = self.tap.seen();
            (seen.certificate_request.is_some(), seen.certificate_sent)
        };
        let finding = match about_client(alert, asked, sent) {
            Some(true) => rejected(alert, self.prepared.client.as_ref(), self.tap),
            Some(false) => required(self.prepared.client.is_some(), self.target, self.tap),
            None => match alert {
                // protocol_version, inappropriate_fallback
                70 | 86 => self.version().await,
                // handshake_failure, insufficient_security, missing_extension
                40 | 71 | 109 => self.cipher("cipher, group or signature algorithm").await,
                112 => Finding::new(&cause::SNI).with("server_name", self.endpoint.host.clone()),
                120 => self.no_alpn().await,
                _ => Finding::new(&cause::UNCLASSIFIED),
            },
        };
        finding
            .with("alert", alert)
            .with("alert_name", alert_name(alert))
    }

    /// The server knows other protocol names than `postgresql`.
    async fn no_alpn(&self) -> Finding {
        let usual = tls_probe::asks_for_tls(self.route, self.ctx, LOOK).await;
        match usual {
            Some(_) if self.direct() => Finding::new(&cause::DIRECT_UNSUPPORTED).with(
                "reason",
                "it supports TLS but not the protocol name \"postgresql\"",
            ),
            _ => Finding::new(&protocol_cause::NOT_POSTGRES)
                .with(
                    "what",
                    "a TLS server that does not know the protocol name \"postgresql\" (probably HTTPS)",
                )
                .with("kind", "https"),
        }
    }

    /// Direct TLS was established; libpq insists on the protocol name
    /// (PostgreSQL documentation, `sslnegotiation`).
    pub(super) async fn without_alpn<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        tls: &mut SslStream<S>,
    ) -> Option<Finding> {
        let selected = tls.ssl().selected_alpn_protocol().map(<[u8]>::to_vec);
        match selected.as_deref() {
            Some(b"postgresql") => return None,
            Some(other) => {
                return Some(Finding::new(&cause::DIRECT_UNSUPPORTED).with(
                    "reason",
                    format!(
                        "it chose the protocol name \"{}\"",
                        String::from_utf8_lossy(other)
                    ),
                ));
            }
            None => {}
        }
        if tls_probe::speaks_http(tls).await {
            return Some(
                Finding::new(&protocol_cause::NOT_POSTGRES)
                    .with("what", "an HTTPS server")
                    .with("kind", "https"),
            );
        }
        Some(Finding::new(&cause::DIRECT_UNSUPPORTED).with(
            "reason",
            "TLS was established without agreement on the protocol name \"postgresql\"",
        ))
    }

    /// No common version.
    async fn version(&self) -> Finding {
        let allows =
            tls_probe::allows(self.route, self.direct(), self.endpoint, self.ctx, LOOK).await;
        let theirs = match (allows.versions.as_slice(), self.tap.seen().server_hello) {
            ([], Some((version, _))) => format!("chose {}", version_name(version)),
            ([], None) => "allows none of these".to_owned(),
            (versions, _) => format!("allows {}", versions.join(", ")),
        };
        let narrowed = self
            .target
            .tls
            .max_version
            .filter(|max| *max < TlsVersion::V1_3);
        let finding = match narrowed {
            Some(max) => Finding::new(&cause::VERSION).fix(
                format!(
                    "Remove ssl_max_protocol_version={}, which excludes later versions.",
                    max.as_str()
                ),
                None,
            ),
            None => Finding::new(&cause::VERSION),
        };
        finding
            .with("ours", self.our_versions())
            .with("theirs", theirs)
            .with("server_versions", allows.versions)
            .with("connect", self.connect())
            .word("s_client", self.s_client())
    }

    fn our_versions(&self) -> String {
        let min = self.target.tls.min_version;
        let max = self.target.tls.max_version;
        let name = |version: TlsVersion| version.as_str();
        match (min, max) {
            (Some(min), Some(max)) if min == max => format!("only {}", name(min)),
            (Some(min), Some(max)) => format!("{} to {}", name(min), name(max)),
            (Some(min), None) => format!("{} and later", name(min)),
            (None, Some(max)) => format!("versions up to {}", name(max)),
            (None, None) => "what openssl.cnf permits".to_owned(),
        }
    }

    /// No common algorithm.
    async fn cipher(&self, what: &str) -> Finding {
        let allows =
            tls_probe::allows(self.route, self.direct(), self.endpoint, self.ctx, LOOK).await;
        Finding::new(&cause::CIPHER)
            .with("what", what.to_owned())
            .with("ours", self.our_ciphers())
            .with("server_takes", allows.cipher)
            .with("server_versions", allows.versions)
    }

    fn our_ciphers(&self) -> Option<Vec<String>> {
        let ssl = openssl::ssl::Ssl::new(&self.prepared.context).ok()?;
        let names = crate::wire::handshake_log::ciphers(&ssl);
        (!names.is_empty()).then_some(names)
    }

    /// Clear bytes where TLS was expected.
    async fn not_tls(&self, tls: &mut SslStream<Tee>) -> Finding {
        let bytes: Vec<u8> = {
            let seen = self.log.seen();
            let skip = usize::try_from(self.received_before).unwrap_or(usize::MAX);
            seen.first_bytes.iter().skip(skip).copied().collect()
        };
        if self.direct() {
            let heard = Heard {
                bytes,
                ending: Ending::Open,
            };
            if heard.bytes.first() == Some(&b'E') || stranger::may_be_postgres(&heard.bytes) {
                return Finding::new(&cause::DIRECT_UNSUPPORTED)
                    .with("reason", "its answer is not encrypted");
            }
            return self.unmask(&heard, tls).await;
        }
        // An attacker who injects bytes does not wait for our message.
        if let Some(bytes) = tls_probe::unasked(self.route, self.ctx, BRIEF).await {
            return data_after_ssl_response(&bytes);
        }
        Finding::new(&protocol_cause::MALFORMED)
            .with("received", "unencrypted bytes after it accepted TLS")
            .with("bytes", stranger::hex(&bytes))
    }

    /// The connection ended.
    async fn ended(&self, ending: Ending, tls: &mut SslStream<Tee>) -> Finding {
        let received = self.received();
        if self.direct() && received == 0 {
            return self.unmask(&Heard::nothing(ending), tls).await;
        }
        let cause = match ending {
            Ending::Reset => &cause::RESET,
            _ => &cause::CLOSED,
        };
        Finding::new(cause).with("received", received)
    }

    async fn unmask(&self, heard: &Heard, tls: &mut SslStream<Tee>) -> Finding {
        let asked = PendingRequest::ClientHello;
        let (route, endpoint, ctx) = (self.route, self.endpoint, self.ctx);
        unmask_on(
            heard,
            asked,
            Some(tls.get_mut()),
            route,
            endpoint,
            self.waited,
            ctx,
        )
        .await
    }

    /// The time is used up. A question with a short answer tells a stuck end
    /// from a path on which only small messages pass.
    async fn late(&self) -> Finding {
        let received = self.received();
        let trickles = received > 0 && self.is_flowing();
        let is_telling = self.waited >= TELLING;
        if self.direct() && received == 0 && is_telling {
            let usual = tls_probe::asks_for_tls(self.route, self.ctx, BRIEF).await;
            if let Some(Answer::Tls { .. } | Answer::NoTls { .. }) = usual {
                return Finding::new(&cause::DIRECT_UNSUPPORTED).with(
                    "reason",
                    "it does not answer direct TLS, but answers the usual request",
                );
            }
        }
        let in_vain = self.socket.is_some_and(tcp_info::has_unacked_data);
        let out_of_order = self.socket.and_then(later_packets_came);
        let brief = tls_probe::answers_briefly(self.route, self.direct(), self.ctx, BRIEF).await;
        let cause = match brief || out_of_order == Some(true) {
            // Bytes were coming to the end: slow is not stuck. Nor is what had no time.
            _ if trickles => &cause::TIMEOUT,
            true if !is_telling => &cause::TIMEOUT,
            true => &protocol_cause::STALL,
            false if self.direct() && received == 0 => &protocol_cause::SILENT,
            false => &cause::TIMEOUT,
        };
        Finding::new(cause)
            .with("received", received)
            .with("waited", in_words(self.waited))
            .with("direction", crate::peer::stall_direction(in_vain))
            .with("short_answers_pass", brief)
            .with("later_packets_came", out_of_order)
    }
}

/// Unencrypted bytes after TLS was accepted.
pub(super) fn data_after_ssl_response(bytes: &[u8]) -> Finding {
    Finding::new(&protocol_cause::INJECTED)
        .with("answered", "accepted TLS")
        .with("count", bytes.len())
        .with("bytes", stranger::hex(bytes))
}

/// Whether the kernel has seen packets that came behind a missing one.
fn later_packets_came(socket: &socket2::Socket) -> Option<bool> {
    tcp_info::tcp_info(socket).map(|info| info.out_of_order > 0)
}

/// An error of OpenSSL outside the handshake.
pub(super) fn unclassified(error: &ErrorStack) -> Finding {
    Finding::new(&cause::UNCLASSIFIED).with("error", error_text(error))
}

fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".to_owned(),
        0x0301 => "TLSv1".to_owned(),
        0x0302 => "TLSv1.1".to_owned(),
        0x0303 => "TLSv1.2".to_owned(),
        0x0304 => "TLSv1.3".to_owned(),
        other => format!("version {other:#06x}"),
    }
}
