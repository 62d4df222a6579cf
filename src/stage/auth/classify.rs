//! From what ended a start-up to its cause, but for the server's own words
//! ([`finding`](super::finding)). Pure.

use crate::cause::{auth, pooler, protocol, server, tls};
use crate::config::ChannelBinding;
use crate::finding::{Composed, Finding};
use crate::message::Message;
use crate::peer::{TELLING, in_words};
use crate::wire::first_reply::is_ancient;
use crate::wire::frames::ReadError;
use crate::wire::scram::ScramError;
use crate::wire::startup::{AuthRequest, StartupEnd, Unbindable};
use crate::wire::stranger::{self, PeerProtocol};

use super::context::LoginContext;
use super::finding::{dress, gss, intercepted, said_no, timeout};
use super::hba;
use super::server_or_pooler::Speaker;

/// The finding for what ended a start-up.
pub fn stop(stop: &StartupEnd, s: &LoginContext<'_>) -> Finding {
    match stop {
        StartupEnd::Server(error) => said_no(error, s),
        StartupEnd::Read(error) => read_failed(error, s),
        StartupEnd::PasswordNeeded => password_missing(s),
        StartupEnd::Forbidden => forbidden(s),
        StartupEnd::CertificateNotUsed => {
            let asks = if s.certificate_asked() {
                "accepts a connection without a client certificate"
            } else {
                "does not ask for a client certificate"
            };
            s.finding(&auth::METHOD_REFUSED)
                .with("asks", asks)
                .with("method", "no client certificate")
                .with("rule", "sslcertmode=require")
                .with("sent", "")
        }
        StartupEnd::Unbindable(why) => unbindable(*why, s),
        StartupEnd::Stripped => intercepted(s).with(
            "error",
            "the server offers channel binding, which requires TLS, but this connection is unencrypted: TLS was removed in transit",
        ),
        StartupEnd::Unserved => unserved(s),
        StartupEnd::Version(theirs) => s
            .finding(&auth::PROTOCOL_VERSION)
            .with("theirs", format!("{}.{}", theirs >> 16, theirs & 0xffff))
            .with(
                "wanted",
                s.target.min_protocol.map(|version| version.as_str()),
            ),
        StartupEnd::Scram(error) => scram(error, s),
        StartupEnd::Unproven => s.finding(&auth::SERVER_UNPROVEN).with(
            "error",
            "it accepted the login before it proved that it knows the password",
        ),
        StartupEnd::Protocol(what) => malformed(what, s),
    }
}

// ---- Passwords and proofs ----

/// A password is asked for, and there is none.
pub(super) fn password_missing(s: &LoginContext<'_>) -> Finding {
    let escape = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let default_socket =
        s.endpoint.host.is_empty() || s.endpoint.host == crate::config::resolve::socket_folder();
    let host = if s.is_unix() && default_socket {
        "localhost".to_owned()
    } else {
        escape(if s.endpoint.host.is_empty() {
            "*"
        } else {
            &s.endpoint.host
        })
    };
    let line = format!(
        "{host}:{}:{}:{}:PASSWORD",
        s.endpoint.port,
        escape(s.database()),
        escape(&s.target.user)
    );
    s.finding(&auth::PASSWORD_MISSING)
        .with("sources", s.sources.to_vec())
        .word("passfile_line", line)
}

fn scram(error: &ScramError, s: &LoginContext<'_>) -> Finding {
    match error {
        ScramError::Signature => s
            .finding(&auth::SERVER_UNPROVEN)
            .with("error", "its SCRAM signature is wrong"),
        ScramError::Nonce => s
            .finding(&auth::SERVER_UNPROVEN)
            .with("error", "its SCRAM nonce does not extend the client's"),
        ScramError::Server(word) => {
            refused_in_scram(word, s).with("error", format!("SCRAM error {word}"))
        }
        ScramError::Malformed(what) => malformed(what, s),
        ScramError::Local(what) => s.finding(&auth::UNCLASSIFIED).with("error", what.clone()),
    }
}

/// A refusal inside SCRAM: a word of RFC 5802, section 7, or one of the peer's own.
fn refused_in_scram(word: &str, s: &LoginContext<'_>) -> Finding {
    match word {
        "channel-bindings-dont-match" | "server-does-support-channel-binding" => intercepted(s),
        "channel-binding-not-supported" | "unsupported-channel-binding-type" => {
            channel_binding(format!("the server rejects it ({word})"), s)
        }
        "invalid-proof" | "unknown-user" => s.finding(&auth::PASSWORD_WRONG),
        "no-resources" => s.finding(&server::RESOURCES),
        _ => {
            let message = Message::of(word);
            match (message.of_pooler(), message.relayed()) {
                (Some((make, cause)), _) => dress(cause, &message, s)
                    .with("pooler", make)
                    .with("refuses", "does not know"),
                (None, Some(cause)) => dress(cause, &message, s),
                (None, None) => s.finding(&auth::UNCLASSIFIED),
            }
        }
    }
}

fn forbidden(s: &LoginContext<'_>) -> Finding {
    let rule = match s.target.report.parameters.get("require_auth") {
        Some(parameter) => format!("require_auth={}", parameter.value),
        None => "require_auth".to_owned(),
    };
    let sent = match s.exchange.password_used {
        true => "",
        false => "; no password was sent",
    };
    let method = match &s.exchange.asked {
        None | Some(AuthRequest::Nothing) => "no authentication at all".to_owned(),
        Some(AuthRequest::Cleartext) => "a cleartext password".to_owned(),
        Some(AuthRequest::Md5) => "an MD5 password".to_owned(),
        Some(asked) => asked.name(),
    };
    s.finding(&auth::METHOD_REFUSED)
        .with("asks", format!("asks for {method}"))
        .with("method", method)
        .with("rule", rule)
        .with("sent", sent)
}

fn unbindable(why: Unbindable, s: &LoginContext<'_>) -> Finding {
    let asked = s.exchange.asked.as_ref().map(AuthRequest::name);
    let reason = match why {
        Unbindable::NoTls => "the connection is not encrypted".to_owned(),
        Unbindable::NotScram => match asked.as_deref() {
            None | Some("none") => {
                "the server accepts the client without authentication".to_owned()
            }
            Some(asked) => format!("the server asks for {asked}, which does not support it"),
        },
        Unbindable::NotOffered => "the server offers SCRAM without it".to_owned(),
        Unbindable::NoDigest => {
            "the signature of the server's certificate uses no digest".to_owned()
        }
    };
    channel_binding(reason, s)
}

/// Channel binding cannot be, and why.
pub(super) fn channel_binding(reason: String, s: &LoginContext<'_>) -> Finding {
    let wanted = match s.target.channel_binding {
        ChannelBinding::Require => "require",
        ChannelBinding::Prefer => "prefer",
        ChannelBinding::Disable => "disable",
    };
    s.finding(&tls::CHANNEL_BINDING)
        .with("wanted", wanted)
        .with("reason", reason.clone())
        .with("error", reason)
}

fn unserved(s: &LoginContext<'_>) -> Finding {
    match &s.exchange.asked {
        Some(AuthRequest::Gss | AuthRequest::Sspi | AuthRequest::Other(2)) => {
            gss(s, "dbdoctor does not support")
        }
        _ => s
            .finding(&auth::METHOD_UNSUPPORTED)
            .word("hba_line", hba::line(s, s.our_address()).map(Composed)),
    }
}

// ---- The connection's end ----

/// The start-up is not over and the time is. `speaker` is who answered a
/// second connection.
pub fn late(s: &LoginContext<'_>, speaker: Option<Speaker>) -> Finding {
    let elapsed = s.elapsed.as_millis() as u64;
    // A pooler that had little time need not lack its server.
    let is_telling = s.elapsed >= TELLING;
    let pooler = speaker == Some(Speaker::Pooler) && is_telling;
    let finding = if s.exchange.authenticated {
        s.finding(if pooler {
            &pooler::WAIT
        } else {
            &server::TIMEOUT
        })
        .with("how", "the login succeeded but the session did not start")
        .with("error", "the session did not start")
    } else if pooler || (s.exchange.proven && is_telling) {
        // PostgreSQL says yes as soon as it has proved itself; a pooler first
        // needs a server.
        let error = if s.exchange.answered {
            "the pooler accepted the password but got no server connection"
        } else {
            "the pooler accepted the start-up message but got no server connection"
        };
        s.finding(&pooler::BACKEND).with("error", error)
    } else if s.exchange.answered {
        timeout(s, "no reply to the client's authentication message")
    } else if s.is_encrypted() || s.spoke_before || speaker.is_some() {
        timeout(s, "no reply to the start-up message")
    } else {
        s.finding(&protocol::SILENT)
            .word("who", s.endpoint.label())
            .with("error", "no reply to the start-up message")
    };
    finding
        .with("waited", in_words(s.elapsed))
        .with("elapsed_ms", elapsed)
        .with("timeout_ms", elapsed)
        .then_next_host()
}

/// The time is used up, and what we sent last never arrived.
pub fn stalled(s: &LoginContext<'_>) -> Finding {
    s.finding(&protocol::STALL)
        .with("direction", crate::peer::stall_direction(true))
        .with("waited", in_words(s.elapsed))
        .with("error", "the last packets sent are not acknowledged")
        .then_next_host()
}

fn read_failed(error: &ReadError, s: &LoginContext<'_>) -> Finding {
    let text = error.to_string();
    match error {
        ReadError::OldError(message) => {
            let shape = Message::of(message);
            match shape.cause() {
                Some(cause) => dress(cause, &shape, s),
                None if is_ancient(message) => s.finding(&auth::UNCLASSIFIED),
                // The one error that a server of this century sends in that form.
                None => s.finding(&server::RESOURCES),
            }
        }
        ReadError::Alert(number, _) => alert(*number, s),
        ReadError::Stranger(bytes) => {
            let shown = crate::text::clean_bytes(bytes);
            let known = stranger::recognise(bytes)
                .filter(|who| !matches!(who.kind, PeerProtocol::Text | PeerProtocol::Unknown));
            match known {
                // It has answered as PostgreSQL does before, and says nothing
                // that somebody else would.
                None if s.exchange.replied || s.spoke_before => malformed(&text, s),
                Some(_) if s.exchange.replied => malformed(&text, s),
                who => s
                    .finding(&protocol::NOT_POSTGRES)
                    .with(
                        "what",
                        who.map_or("an unknown service", |who| who.kind.name()),
                    )
                    .with("bytes", shown),
            }
        }
        ReadError::Malformed(..) => malformed(&text, s),
        ReadError::Oversized(_, length) => s.finding(&protocol::OVERSIZED).with("length", *length),
        ReadError::Closed | ReadError::Reset | ReadError::Io(..) => ended(error, s),
    }
    .with("error", text)
}

/// TLS 1.3 has the server look at the client's certificate after the
/// handshake (RFC 8446, section 6.2, for the numbers).
fn alert(number: i32, s: &LoginContext<'_>) -> Finding {
    match number {
        116 => s.finding(&tls::CLIENT_REQUIRED),
        40 if s.certificate_asked() && !s.certificate_sent() => s.finding(&tls::CLIENT_REQUIRED),
        42..=46 | 48 | 49 | 51 => s.finding(&tls::CLIENT_REJECTED),
        _ => s.finding(&tls::UNCLASSIFIED),
    }
    .with("alert", number)
}

/// The peer ended the connection.
fn ended(error: &ReadError, s: &LoginContext<'_>) -> Finding {
    let reset = *error == ReadError::Reset;
    if s.exchange.authenticated {
        return s.finding(&server::CLOSED);
    }
    if !s.exchange.replied {
        let cause = if reset {
            &protocol::RESET
        } else {
            &protocol::CLOSED
        };
        return s
            .finding(cause)
            .word("who", s.endpoint.label())
            .with("waited", in_words(s.elapsed));
    }
    // `authentication_timeout` counts whole seconds, and the server then
    // closes without a word.
    let seconds = s.elapsed.as_secs_f64();
    let past = seconds.fract();
    if !reset && seconds >= 0.95 && !(0.3..=0.95).contains(&past) {
        return timeout(s, "the server closed the connection");
    }
    s.finding(&auth::CLOSED)
}

fn malformed(what: &str, s: &LoginContext<'_>) -> Finding {
    s.finding(&protocol::MALFORMED)
        .with("received", what.to_owned())
        .with("error", what.to_owned())
}
