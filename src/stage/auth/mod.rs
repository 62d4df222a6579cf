//! `auth`: start-up, authentication, authorisation.
//!
//! Proves that the server lets this role into this database: the start-up
//! message is sent, every request of the server passes the target's own rules
//! before it is answered, and what ends it is classified from SQLSTATE,
//! routine and exchange.

mod classify;
mod context;
mod finding;
pub mod hba;
mod locale;
mod notices;
mod pooler;
mod refusal;
#[cfg(test)]
mod refusal_tests;
mod routine;
pub mod server_or_pooler;
pub mod slow;
mod token;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cause::{self, family};
use crate::config::{Endpoint, ProtocolVersion, Target};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::peer::TELLING;
use crate::peer::identify::{PendingRequest, unmask_on};
use crate::peer::proxy_header;
use crate::progress;
use crate::report::{Stage, StageRecord};
use crate::secret::Secret;
use crate::stage::protocol::Attempt;
use crate::stage::{Verdict, protocol, tls};
use crate::terminal::{self, Echo};
use crate::wire::first_reply::{Ending, Heard};
use crate::wire::frames::{BoundsPhase, Frames, PROTOCOL_3_0, PROTOCOL_3_2, startup_message};
use crate::wire::secured::Encryption;
use crate::wire::secured::Wire;
use crate::wire::server_error::ServerError;
use crate::wire::session::Session;
use crate::wire::startup::{AuthRequest, Exchange, Login, Rules, StartupEnd};
use crate::wire::{Address, Route};

use context::LoginContext;
use server_or_pooler::Speaker;

/// How long a second connection is looked at after the first was cut.
const LOOK: Duration = Duration::from_secs(2);

/// PgBouncer's default of `server_login_retry`, and the time for one login.
const LOGIN_RETRY: Duration = Duration::from_secs(16);

/// Logs in, up to ReadyForQuery.
pub async fn probe(
    wire: Wire,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<Session> {
    let route = wire.route.clone();
    let tls = wire.tls.clone();
    if let Some(finding) = wrong_peer(&wire, target, endpoint) {
        return Err(finding);
    }
    let spoke_before = wire.log.seen().received > 0;
    let password = endpoint.password.as_ref().map(|p| p.secret.clone());
    let mut login = Login::new(wire, rules(target), password);
    let mut begun = Instant::now();
    let mut prompted = false;
    let stop = loop {
        match ctx.until(ctx.limit(), login.run()).await {
            Ok(Ok(())) => break None,
            Ok(Err(StartupEnd::PasswordNeeded)) if target.ask_password && !prompted => {
                prompted = true;
                login.password = ask(&target.user, ctx).await;
                begun = Instant::now();
            }
            Ok(Err(stop)) => break Some(Some(stop)),
            Err(_) => break Some(None),
        }
    };
    let mut elapsed = begun.elapsed();
    let password_source = match &endpoint.password {
        _ if prompted => Some("the terminal".to_owned()),
        Some(password) => Some(password.source.clone()),
        None => None,
    };
    facts(record, &login, password_source.as_deref());
    record.fact("password_passed_over", passed_over(target));
    let Some(stop) = stop else {
        let (session, exchange) = login.into_session();
        warn(
            record,
            &exchange,
            tls.is_some(),
            route.is_unix(),
            target,
            endpoint,
        );
        let situation = LoginContext::of_words(target, endpoint, &route, tls.as_ref(), &exchange);
        let weak = matches!(exchange.asked, Some(AuthRequest::Md5));
        notices::note(record, &exchange.notices, weak, &situation);
        let pooler = server_or_pooler::pooler_by_key(&session);
        if let Some(slow) = slow::warning(session.wire(), &situation, pooler) {
            record.warn(slow);
        }
        record.summary = summary(target, &exchange);
        return Ok(session);
    };
    let in_vain = login.wire().has_unacked_data();
    let mut speaker = None;
    let mut stop = stop;
    if stop.is_none() {
        speaker = server_or_pooler::ask(&route, tls.is_some(), target, endpoint, ctx).await;
        if speaker == Some(Speaker::Pooler) && ctx.patient && !in_vain {
            stop = reason_of_pooler(&mut login, begun, ctx).await;
            elapsed = begun.elapsed();
        }
    }
    let password = login.password.clone();
    let exchange = login.into_exchange();
    let os_user = ctx.surroundings.os_user.as_deref();
    let situation = LoginContext {
        target,
        endpoint,
        route: &route,
        tls: tls.as_ref(),
        spoke_before,
        exchange: &exchange,
        elapsed,
        os_user,
        password_source: password_source.as_deref(),
        sources: &sources(target, ctx),
    };
    let weak = matches!(exchange.asked, Some(AuthRequest::Md5));
    notices::note(record, &exchange.notices, weak, &situation);
    let finding = match &stop {
        Some(stop) => classify::stop(stop, &situation),
        // Something short of another connection got through.
        None if in_vain && speaker.is_some() && elapsed >= TELLING => classify::stalled(&situation),
        None => classify::late(&situation, speaker),
    };
    let now = time::OffsetDateTime::now_utc();
    let finding = token::weigh(finding, password.as_ref(), &situation, now);
    let finding = match finding.cause == &cause::auth::PASSWORD_MISSING {
        true => with_passfile(finding, target, ctx),
        false => finding,
    };
    // What a pooler was told happened on its way to the server, and not on ours.
    let finding = match finding.evidence.contains_key("pooler") {
        true => finding,
        false => below(finding, stop.as_ref(), tls.as_ref(), &situation, ctx).await,
    };
    let finding = after_the_end(finding, &route, tls.is_some(), target, endpoint, ctx).await;
    let finding = match situation.exchange.asked.is_none() && !spoke_before {
        true => Box::pin(proxy_header::or_sent(finding, &route, ctx)).await,
        false => finding,
    };
    Err(weigh_encryption(finding, &situation, ctx).await)
}

/// Listens on to a pooler that has not said why it has no server connection.
/// PgBouncer repeats a failed login to its server no sooner than after
/// `server_login_retry`, lets clients wait until then, and tells them the reason.
async fn reason_of_pooler(login: &mut Login, begun: Instant, ctx: &Ctx) -> Option<StartupEnd> {
    let _told = progress::waiting_for("waiting for the pooler's reason (up to 16 s)");
    let limit = (begun + LOGIN_RETRY).min(ctx.deadline - LOOK);
    match ctx.until(limit, login.run()).await {
        Ok(Err(stop @ StartupEnd::Server(_))) => Some(stop),
        _ => None,
    }
}

/// `requirepeer`: who runs the server at the other end of a unix socket, asked
/// of the kernel before anything is sent.
fn wrong_peer(wire: &Wire, target: &Target, endpoint: &Endpoint) -> Option<Finding> {
    let wanted = target.require_peer.as_deref().filter(|p| !p.is_empty())?;
    let Route::Direct(Address::Unix(_)) = wire.route else {
        return None;
    };
    let actual = peer_name(wire);
    if actual.as_deref() == Some(wanted) {
        return None;
    }
    let actual = match actual {
        Some(name) => format!("run by {name}"),
        None => "run by an unknown user".to_owned(),
    };
    Some(
        Finding::new(&cause::server::WRONG_IDENTITY)
            .with("endpoint", endpoint.label())
            .with("guard", "requirepeer")
            .with("rule", format!("requires a server run by {wanted}"))
            .with(
                "found",
                format!("the process at {} is {actual}", endpoint.label()),
            )
            .with("expected", wanted.to_owned())
            .with("actual", actual),
    )
}

/// The user that runs the other end of a unix socket.
fn peer_name(wire: &Wire) -> Option<String> {
    use nix::sys::socket::{getsockopt, sockopt};
    let socket = wire.socket.as_ref()?;
    let credentials = getsockopt(socket.as_ref(), sockopt::PeerCredentials).ok()?;
    let uid = nix::unistd::Uid::from_raw(credentials.uid());
    Some(nix::unistd::User::from_uid(uid).ok()??.name)
}

/// Where the cause lies below the start-up, what those stages know of it: who
/// it is that answers in another tongue or not at all, and what TLS said of
/// the client's certificate.
async fn below(
    finding: Finding,
    stop: Option<&StartupEnd>,
    tls: Option<&Encryption>,
    s: &LoginContext<'_>,
    ctx: &Ctx,
) -> Finding {
    let first = !s.exchange.replied && !s.spoke_before;
    match finding.cause {
        cause if cause.is_of(family::PROTOCOL) && first => {
            let heard = match stop {
                None => Some(Heard::nothing(Ending::Silent)),
                Some(StartupEnd::Read(error)) => error.heard(),
                Some(_) => None,
            };
            let Some(heard) = heard else {
                return finding;
            };
            let asked = PendingRequest::StartUp;
            let gone = None::<&mut tokio::io::DuplexStream>;
            let known = unmask_on(&heard, asked, gone, s.route, s.endpoint, s.elapsed, ctx);
            known.await.with_evidence_of(finding)
        }
        cause if cause.is_any(&[&cause::tls::CLIENT_REQUIRED, &cause::tls::CLIENT_REJECTED]) => tls
            .and_then(|tls| tls::late_alert(tls, s.target, s.endpoint, s.route))
            .filter(|known| known.cause == finding.cause)
            .unwrap_or_else(|| tls::client_required(tls, s.target, s.endpoint, s.route))
            .with_evidence_of(finding),
        _ => finding,
    }
}

/// Logs in once more on a new connection the same way, to learn more about a
/// failure. `None` where that does not work, or the way cannot be dialled again.
pub async fn again(
    route: &Route,
    encrypted: bool,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> Option<Session> {
    let attempt = server_or_pooler::same_attempt(encrypted, target);
    let wire = redial(route, attempt, target, endpoint, ctx).await?;
    let password = endpoint.password.as_ref().map(|p| p.secret.clone());
    let mut login = Login::new(wire, rules(target), password);
    login.run().await.ok()?;
    Some(login.into_session().0)
}

/// A connection was cut without a word, or by an administrator's command: a
/// server one of whose processes crashed, or that was told to stop, tells the
/// next who comes. Other findings are left as they are.
pub async fn after_the_end(
    finding: Finding,
    route: &Route,
    encrypted: bool,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> Finding {
    let cut = finding
        .cause
        .is_any(&[&cause::auth::CLOSED, &cause::server::CLOSED]);
    let ended = finding
        .evidence
        .get("sqlstate")
        .is_some_and(|code| code == "57P01");
    if !cut && !ended {
        return finding;
    }
    let error = match greeting(route, encrypted, target, endpoint, ctx).await {
        // 57P03 alone is about the server and not about this connection.
        Some(Err(error)) if cut && error.code == "57P03" => error,
        // It goes on: that command was for the one session.
        Some(Ok(())) if ended => {
            let mut finding = finding
                .with("after", "as soon as it started")
                .word("words", "by an administrator's command (57P01)")
                .with("seen", "a second connection is accepted")
                .retryable(true);
            finding.cause = &cause::idle::TERMINATED;
            return finding;
        }
        _ => return finding,
    };
    let exchange = Exchange::default();
    let situation = LoginContext::of_words(target, endpoint, route, None, &exchange);
    let cut = finding.evidence.get("error").cloned();
    let mut known = finding::said_no(&error, &situation)
        .with("seen", "on a second connection, after the first was closed")
        .with("first_connection", cut);
    // libpq knows of the first alone, and gives up.
    known.onward = finding.onward;
    known
}

/// How a new connection is greeted: it is asked to authenticate or let in, or
/// told an error. `None` where it is told nothing.
async fn greeting(
    route: &Route,
    encrypted: bool,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> Option<Result<(), ServerError>> {
    let limit = ctx.limit().min(Instant::now() + LOOK);
    let look = async {
        let attempt = server_or_pooler::same_attempt(encrypted, target);
        let wire = redial(route, attempt, target, endpoint, ctx).await?;
        let mut frames = Frames::new(wire);
        let message = startup_message(PROTOCOL_3_0, &rules(target).parameters);
        frames.send(&message).await;
        let frame = frames.next(BoundsPhase::Authentication).await.ok()?;
        match frame.tag {
            b'E' => ServerError::parse(&frame.body).map(Err),
            _ => Some(Ok(())),
        }
    };
    ctx.until(limit, look).await.ok().flatten()
}

/// A new connection with this encryption. `None` where that does not work.
async fn redial(
    route: &Route,
    attempt: Attempt,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
) -> Option<Wire> {
    let mut aside = StageRecord::new(Stage::Protocol);
    let stream = route.again(&target.keepalives, ctx).await?;
    let greeted = protocol::probe(stream, attempt, endpoint, ctx, &mut aside)
        .await
        .ok()?;
    tls::probe(greeted, attempt, target, endpoint, ctx, &mut aside)
        .await
        .ok()
}

/// Notes what a server said unasked during the session.
pub fn session_notices(
    record: &mut StageRecord,
    target: &Target,
    endpoint: &Endpoint,
    session: &Session,
) {
    let exchange = Exchange::default();
    let wire = session.wire();
    let situation =
        LoginContext::of_words(target, endpoint, &wire.route, wire.tls.as_ref(), &exchange);
    notices::note(record, &session.notices, false, &situation);
}

/// The finding for an error that ends a session after its start-up.
pub fn session_error(
    error: &ServerError,
    target: &Target,
    endpoint: &Endpoint,
    session: &Session,
) -> Finding {
    let exchange = Exchange {
        authenticated: true,
        replied: true,
        ..Exchange::default()
    };
    let wire = session.wire();
    let situation =
        LoginContext::of_words(target, endpoint, &wire.route, wire.tls.as_ref(), &exchange);
    finding::session_error(error, &situation)
}

/// The finding for an error that ends another client's login, of which this was seen.
pub fn overheard_error(
    error: &ServerError,
    target: &Target,
    endpoint: &Endpoint,
    route: &Route,
    exchange: &Exchange,
) -> Finding {
    let situation = LoginContext::of_words(target, endpoint, route, None, exchange);
    finding::said_no(error, &situation)
}

/// Where pg_hba.conf refuses, looks whether only the encryption is at fault.
async fn weigh_encryption(finding: Finding, s: &LoginContext<'_>, ctx: &Ctx) -> Finding {
    let ours = !finding.evidence.contains_key("pooler");
    if !ours || !finding.cause.is_of(family::AUTH_HBA) {
        return finding;
    }
    let passes =
        hba::other_encryption_passes(s.route, s.is_encrypted(), s.target, s.endpoint, ctx).await;
    let mut finding = match passes {
        Some(passes) => finding.with("other_encryption_passes", passes),
        None => finding,
    };
    if passes == Some(true) {
        finding.cause = if s.is_encrypted() {
            &cause::auth::HBA_NEEDS_PLAIN
        } else {
            &cause::auth::HBA_NEEDS_TLS
        };
    }
    finding
}

/// The target's rules, and the parameters that libpq sends
/// (`build_startup_packet`), in its order.
fn rules(target: &Target) -> Rules {
    let mut parameters = vec![("user".to_owned(), target.user.clone())];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            parameters.push((name.to_owned(), value.to_owned()));
        }
    };
    add("database", &target.dbname);
    add(
        "replication",
        target.replication.as_deref().unwrap_or_default(),
    );
    add("options", target.options.as_deref().unwrap_or_default());
    add("application_name", &target.application_name);
    add(
        "client_encoding",
        target.client_encoding.as_deref().unwrap_or_default(),
    );
    for (name, value) in &target.environment_options {
        parameters.push((name.clone(), value.clone()));
    }
    let (oldest, newest) = protocols(target);
    Rules {
        parameters,
        newest,
        oldest,
        user: target.user.clone(),
        require_auth: target.require_auth.clone(),
        channel_binding: target.channel_binding,
        certificate_mode: target.tls.certificate_mode,
        saslprep: target.client.saslprep,
    }
}

/// The protocol versions to be content with and to ask for. As in libpq 18,
/// 3.0 is asked for unless the target wants more: older servers and many
/// poolers do not negotiate.
fn protocols(target: &Target) -> (u32, u32) {
    let number = |version: Option<ProtocolVersion>| {
        version.map(|version| match version {
            ProtocolVersion::V3_0 => PROTOCOL_3_0,
            ProtocolVersion::V3_2 | ProtocolVersion::Latest => PROTOCOL_3_2,
        })
    };
    let oldest = number(target.min_protocol).unwrap_or(PROTOCOL_3_0);
    let newest = number(target.max_protocol).unwrap_or(oldest);
    (oldest, newest)
}

/// Asks the person at the terminal.
async fn ask(user: &str, ctx: &Ctx) -> Option<Secret> {
    let prompt = format!("Password for role {}: ", crate::text::clean(user));
    let typed = terminal::ask(prompt, Echo::Off, ctx.deadline).await.ok()?;
    for part in crate::token::parts(&typed) {
        crate::secret::guard(&part);
    }
    Some(typed)
}

/// The sources of a password that another one won over.
fn passed_over(target: &Target) -> Vec<String> {
    let Some(password) = target.report.parameters.get("password") else {
        return Vec::new();
    };
    let name = |origin: &crate::report::OriginReport| {
        let name = origin.name.as_ref().or(origin.file.as_ref());
        match (name, origin.line) {
            (Some(name), Some(line)) => format!("{} {name} line {line}", origin.kind),
            (Some(name), None) => format!("{} {name}", origin.kind),
            (None, _) => origin.kind.clone(),
        }
    };
    let shadows = password.shadows.iter();
    shadows.map(|shadow| name(&shadow.origin)).collect()
}

/// The password file that counts, whether it exists or not.
fn passfile(target: &Target, ctx: &Ctx) -> Option<String> {
    let named = target.report.parameters.get("passfile");
    let named = named.map(|p| p.value.clone());
    named.filter(|file| !file.is_empty()).or_else(|| {
        let home = ctx.surroundings.home.as_ref()?;
        Some(home.join(".pgpass").display().to_string())
    })
}

/// The mode of a password file that libpq ignores because others have access.
fn ignored_mode(file: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let meta = std::fs::metadata(file).ok()?;
    let mode = meta.permissions().mode() & 0o7777;
    (meta.is_file() && mode & 0o077 != 0).then(|| format!("{mode:04o}"))
}

/// Adds the password file, and whether it is there and ignored.
fn with_passfile(finding: Finding, target: &Target, ctx: &Ctx) -> Finding {
    let file = passfile(target, ctx);
    let finding = finding.word("passfile", file.clone());
    match file.as_deref().and_then(ignored_mode) {
        Some(mode) => finding
            .with("ignored_mode", mode)
            .with("ignored_passfile", file),
        None => finding,
    }
}

/// Where a password was looked for, as people say it.
fn sources(target: &Target, ctx: &Ctx) -> Vec<String> {
    let mut sources = vec!["the target".to_owned(), "PGPASSWORD".to_owned()];
    let parameters = &target.report.parameters;
    if let Some(file) = passfile(target, ctx) {
        let state = match (std::fs::metadata(&file), ignored_mode(&file)) {
            (Ok(_), Some(mode)) => format!("ignored because its mode is {mode}"),
            (Ok(_), None) => "no matching line".to_owned(),
            (Err(_), _) => "not found".to_owned(),
        };
        sources.push(format!("{file} ({state})"));
    }
    if parameters.contains_key("service") {
        sources.push("the service file".to_owned());
    }
    sources
}

fn facts(record: &mut StageRecord, login: &Login, password_source: Option<&str>) {
    let exchange = &login.exchange;
    let method = exchange.asked.as_ref().map(AuthRequest::name);
    record.fact("method", method);
    if let Some(AuthRequest::Sasl(list)) = &exchange.asked {
        record.fact("mechanisms", list.clone());
        record.fact("mechanism", exchange.mechanism);
        record.fact("channel_binding", exchange.bound);
        record.fact("scram_iterations", exchange.iterations);
        record.fact("server_proved_itself", exchange.proven);
    }
    record.fact("password_source", password_source.map(str::to_owned));
    record.fact("password_used", exchange.password_used);
    if exchange.authenticated {
        record.fact("parameters", reported(login.parameters()));
    }
}

/// What deserves a word although it worked.
fn warn(
    record: &mut StageRecord,
    exchange: &Exchange,
    encrypted: bool,
    unix: bool,
    target: &Target,
    endpoint: &Endpoint,
) {
    let with_names = |finding: Finding| {
        finding
            .with("endpoint", endpoint.label())
            .with("user", target.user.clone())
    };
    let weak = match &exchange.asked {
        Some(AuthRequest::Cleartext) if !encrypted && !unix => Some("in cleartext without TLS"),
        Some(AuthRequest::Md5) => Some("as an MD5 hash"),
        _ => None,
    };
    if let Some(how) = weak {
        record.warn(with_names(
            Finding::new(&cause::auth::METHOD_WEAK)
                .with("how", how)
                .word(
                    "insist_on_tls",
                    (!encrypted && !unix).then_some("sslmode=verify-full"),
                ),
        ));
    }
    // libpq takes a yes in the middle of SCRAM, for history's sake.
    if matches!(exchange.asked, Some(AuthRequest::Sasl(_))) && !exchange.proven {
        record.warn(with_names(
            Finding::new(&cause::auth::SERVER_UNPROVEN).with(
                "error",
                "it accepted the login before it proved that it knows the password",
            ),
        ));
    }
}

/// What PostgreSQL reports at login. Any other name is the peer's own words.
const REPORTED: [&str; 15] = [
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "application_name",
    "client_encoding",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "scram_iterations",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
];

/// The parameters that the server reported, by names that are safe to show.
fn reported<'a>(parameters: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    let shown = |(name, value): (&String, &String)| {
        let name = match REPORTED.contains(&name.as_str()) {
            true => name.clone(),
            false => crate::text::clean(name),
        };
        (name, Value::from(value.as_str()))
    };
    Value::Object(parameters.into_iter().map(shown).collect())
}

fn summary(target: &Target, exchange: &Exchange) -> String {
    let how = match &exchange.asked {
        Some(AuthRequest::Sasl(_)) if exchange.bound => {
            "SCRAM-SHA-256 with channel binding".to_owned()
        }
        Some(AuthRequest::Sasl(_)) => "SCRAM-SHA-256".to_owned(),
        Some(AuthRequest::Cleartext) => "cleartext password".to_owned(),
        Some(AuthRequest::Md5) => "MD5 password".to_owned(),
        _ => "no password requested".to_owned(),
    };
    format!("logged in as {} on {}, {how}", target.user, target.dbname)
}
