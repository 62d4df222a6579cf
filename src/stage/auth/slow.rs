//! A login that works, and keeps the client waiting: which answer was late, and
//! what delays that one.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::cause;
use crate::finding::Finding;
use crate::report::{StageRecord, ms};
use crate::stage::protocol::Attempt;
use crate::wire::dial;
use crate::wire::secured::Wire;
use crate::wire::startup::AuthRequest;
use crate::wire::waits::{Awaited, Delays, LEAST_DELAY, Wait};

use super::context::LoginContext;

/// The warning for a login with an answer that came late; `pooler` is the sign
/// of a pooler, where there is one.
pub fn warning(
    wire: &Wire,
    situation: &LoginContext<'_>,
    pooler: Option<&'static str>,
) -> Option<Finding> {
    let waits = wire.log.seen().waits.clone();
    let delays = Delays::among(waits.iter(), wire.socket.as_deref())?;
    let longest = delays.longest;
    let finding = situation
        .finding(&cause::auth::SLOW)
        .with("took", dial::seconds(longest.took))
        .with("ms", ms(delays.total))
        .with("awaited", longest.awaited.name())
        .with("waits", delays.described)
        .with("rtt_ms", delays.rtt_ms)
        .with("pooler", pooler)
        .word("doing", doing(longest.awaited, situation));
    Some(suspects(
        finding,
        longest.awaited,
        &waits,
        wire,
        situation,
        pooler.is_some(),
    ))
}

/// Takes suspects back that the server's own answer rules out: it does not log
/// host names, or a pooler stands before it.
pub fn confirm(record: &mut StageRecord, server: &Map<String, Value>) {
    let is = |name: &str, value: bool| server.get(name).is_some_and(|fact| *fact == value);
    let (logs_no_names, pooler) = (is("log_hostname", false), is("pooler", true));
    for finding in &mut record.findings {
        if finding.cause != &cause::auth::SLOW {
            continue;
        }
        let mut known = std::mem::replace(finding, Finding::new(finding.cause));
        if logs_no_names {
            known = known.without(&["logs_names"]);
            // Nothing else looks the client up before it has said who it is.
            if !known.fills("names_in_hba") {
                known = known.without(&["looks_up", "client_ip"]);
            }
        }
        if pooler {
            known = known
                .without(&["logs_names", "names_in_hba", "looks_up", "opens"])
                .with(
                    "pooler",
                    server.get("pooler_seen_by").cloned().unwrap_or_default(),
                );
        }
        *finding = known;
    }
}

/// The warning for `sslmode=allow` where the attempt without TLS cost time, only
/// to be refused.
pub fn refused_first(endpoint: &str, took: Duration) -> Option<Finding> {
    (took >= LEAST_DELAY).then(|| {
        Finding::new(&cause::auth::SLOW)
            .with("endpoint", endpoint.to_owned())
            .with("took", dial::seconds(took))
            .with("ms", ms(took))
            .with("attempt", Attempt::Plain.name())
            .word(
                "doing",
                "to refuse a login without TLS, which sslmode=allow tries first",
            )
            .word("mode", "require")
    })
}

/// What the server did with the time, as it stands in the summary.
fn doing(awaited: Awaited, situation: &LoginContext<'_>) -> String {
    let asked = situation.exchange.asked.as_ref();
    match (awaited, asked) {
        (Awaited::TlsOffer, _) => "to answer the request for TLS".to_owned(),
        (Awaited::TlsHandshake, _) => "for the TLS handshake".to_owned(),
        (Awaited::AuthRequest, None | Some(AuthRequest::Nothing)) => format!(
            "to answer the start-up message and open the session of role {}",
            situation.target.user
        ),
        (Awaited::AuthRequest, Some(asked)) => {
            format!("to request authentication ({})", asked.name())
        }
        (Awaited::Challenge, _) => "to begin SCRAM authentication".to_owned(),
        (Awaited::Session, _) => "to open the session after the login".to_owned(),
        (_, Some(AuthRequest::Cleartext)) => format!(
            "to check the password of role {} and open the session",
            situation.target.user
        ),
        _ => format!(
            "to open the session after the password of role {} was sent",
            situation.target.user
        ),
    }
}

/// Names the server in the fixes that this wait calls for.
fn suspects(
    finding: Finding,
    awaited: Awaited,
    waits: &[Wait],
    wire: &Wire,
    situation: &LoginContext<'_>,
    pooler: bool,
) -> Finding {
    let asked = situation.exchange.asked.as_ref();
    let no_request = matches!(asked, None | Some(AuthRequest::Nothing));
    let tcp = !situation.is_unix();
    let first = waits.first().map(|wait| wait.awaited);
    // PostgreSQL looks up names for its log before it reads the first message
    // (backend_startup.c, `BackendInitialize`), and those of pg_hba.conf once it
    // has the start-up message (hba.c, `check_hostname`).
    let logs_names = tcp && !pooler && first == Some(awaited);
    let names_in_hba = tcp && !pooler && awaited == Awaited::AuthRequest;
    // Where nothing is requested, an ident server may be asked, or modules of PAM
    // that need no password.
    let asks = match awaited {
        Awaited::Login => matches!(asked, Some(AuthRequest::Cleartext)),
        Awaited::AuthRequest => tcp && !pooler && no_request,
        _ => false,
    };
    let opens = match awaited {
        Awaited::AuthRequest => no_request,
        Awaited::Login | Awaited::Session => true,
        _ => false,
    };
    let queues = tcp && (opens || awaited == Awaited::AuthRequest);
    let host = match situation.is_unix() {
        true => "this machine".to_owned(),
        false => situation.host(),
    };
    let name = |applies: bool| applies.then(|| host.clone());
    let endpoint = queues.then(|| situation.endpoint.label());
    let client = (logs_names || names_in_hba)
        .then(|| local_ip(wire))
        .flatten();
    finding
        .word("logs_names", name(logs_names))
        .word("names_in_hba", name(names_in_hba))
        .word("looks_up", name(client.is_some()))
        .with("client_ip", client)
        .word("asks", name(asks))
        .word("opens", name(opens && !pooler))
        .word("queues", endpoint)
        .word("works", name(!queues && !opens))
}

/// The client's address on the connection.
fn local_ip(wire: &Wire) -> Option<String> {
    let address = wire.socket.as_ref()?.local_addr().ok()?.as_socket()?;
    Some(address.ip().to_canonical().to_string())
}
