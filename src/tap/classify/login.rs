//! Logins that fail, and errors about statements.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::about;
use crate::cause;
use crate::config::{Endpoint, Password, Place, Target};
use crate::finding::Finding;
use crate::forward::Side;
use crate::secret::Secret;
use crate::stage::auth;
use crate::tap::conversation::{Login, Method, Phase};
use crate::tap::record::Record;
use crate::wire::dial::seconds;
use crate::wire::server_error::ServerError;
use crate::wire::startup::{AuthRequest, Exchange};
use crate::wire::{Address, Reopen, Route};

/// Errors that end logins, as `check` explains them: one finding for each cause, the most
/// frequent first.
pub(super) fn refused(records: &[Record], target: &Target) -> Vec<Finding> {
    let mut kinds: Vec<(Finding, u64)> = Vec::new();
    for record in records {
        let login = &record.conversation.login;
        let Some(error) = record.conversation.errors.last() else {
            continue;
        };
        if login.ready.is_some() {
            continue;
        }
        let finding = explained(record, error, target);
        let same = |known: &Finding| known.cause == finding.cause;
        match kinds.iter_mut().find(|(known, _)| same(known)) {
            Some((_, count)) => *count += 1,
            None => kinds.push((finding, 1)),
        }
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = kinds.into_iter();
    told.map(|(finding, count)| finding.with("connections", count))
        .collect()
}

/// An error in answer to a login, with the user and the database that the client named.
fn explained(record: &Record, error: &ServerError, target: &Target) -> Finding {
    let conversation = &record.conversation;
    let startup = conversation.startup.as_ref();
    let user = startup.and_then(|it| it.get("user")).unwrap_or_default();
    let named = startup.and_then(|it| it.get("database"));
    let dbname = named.unwrap_or(user);
    let mut endpoint = target.endpoints[0].clone();
    endpoint.password = conversation.login.has_answered.then(|| Password {
        secret: Secret::new(""),
        source: "the application's settings".to_owned(),
    });
    let mut report = target.report.clone();
    for (name, value) in [("user", user), ("dbname", dbname)] {
        if let Some(parameter) = report.parameters.get_mut(name) {
            parameter.value = value.to_owned();
        }
    }
    let seen = Target {
        report,
        user: user.to_owned(),
        dbname: dbname.to_owned(),
        replication: startup
            .and_then(|it| it.get("replication"))
            .map(str::to_owned),
        application_name: startup
            .and_then(|it| it.get("application_name"))
            .unwrap_or_default()
            .to_owned(),
        endpoints: vec![endpoint.clone()],
        ..target.clone()
    };
    let route = route(target, &endpoint);
    let exchange = exchange(&conversation.login);
    let finding = auth::overheard_error(error, &seen, &endpoint, &route, &exchange)
        .without(&["sslmode"])
        .with("process", record.label())
        .with("user", user.to_owned())
        .with("database", dbname.to_owned());
    let finding = match finding.cause == &cause::auth::PASSWORD_WRONG {
        true => finding.fix_first(format!(
            "Check the password that the application is configured with for {user}: a tap changes \
             host and port, which entries of .pgpass and of secret stores may be for."
        )),
        false => finding,
    };
    let is_default = named.is_none() || named == Some(user);
    match finding.cause == &cause::auth::DATABASE_MISSING && is_default {
        true => finding
            .with("database_source", "the user's name: the client names no database of its own")
            .fix_first(format!(
                "Name the database in the application's settings: without one it takes the user's name, {user}."
            )),
        false => finding,
    }
}

/// The way to the server, as far as commands and lines of pg_hba.conf need it.
fn route(target: &Target, endpoint: &Endpoint) -> Route {
    match (&target.ssh, &endpoint.place) {
        (Some(plan), _) => Route::Tunnel {
            host: endpoint.host.clone(),
            port: endpoint.port,
            via: plan.hops.last().map(|hop| hop.label()).unwrap_or_default(),
            again: Reopen::default(),
        },
        (None, Place::Unix(path)) => Route::Direct(Address::Unix(path.clone())),
        (None, Place::Ip(ip, _)) => Route::Direct(Address::Tcp((*ip, endpoint.port).into())),
        (None, Place::Name(_)) => {
            Route::Direct(Address::Tcp((Ipv4Addr::UNSPECIFIED, endpoint.port).into()))
        }
    }
}

fn exchange(login: &Login) -> Exchange {
    let asked = login.asked.first().map(|method| match method {
        Method::Cleartext => AuthRequest::Cleartext,
        Method::Md5 => AuthRequest::Md5,
        Method::Sasl(mechanisms) => AuthRequest::Sasl(mechanisms.clone()),
        Method::Gss => AuthRequest::Gss,
        Method::Sspi => AuthRequest::Sspi,
        Method::Other(number) => AuthRequest::Other(i32::try_from(*number).unwrap_or(i32::MAX)),
    });
    Exchange {
        asked,
        answered: login.has_answered,
        password_used: login.has_answered,
        authenticated: login.authenticated.is_some(),
        replied: true,
        ..Exchange::default()
    }
}

/// Clients that give up on a server that does not answer.
pub(super) fn unanswered(records: &[Record], target: &Target) -> Option<Finding> {
    let gives_up = |record: &Record| {
        let conversation = &record.conversation;
        let login = &conversation.login;
        let waits = match (&conversation.startup, conversation.encryption.last()) {
            (Some(_), _) => {
                login.asked.is_empty()
                    && login.authenticated.is_none()
                    && conversation.errors.is_empty()
            }
            (None, Some(request)) => request.answer.is_none(),
            (None, None) => false,
        };
        let silence = record.silence.before_end.unwrap_or_default();
        record.refused.is_none()
            && record.is_ended_by(Side::Client)
            && waits
            && silence >= ANSWER
            && conversation.phase != Phase::Lost
    };
    let (finding, first) = about(&cause::tap::NO_ANSWER, records, gives_up)?;
    let silence = first.silence.before_end.unwrap_or_default();
    Some(
        finding
            .with("endpoint", target.endpoints[0].label())
            .with("waited", seconds(silence)),
    )
}

/// A server that has not answered for so long does not answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Clients that leave without an answer when they are asked for a password.
pub(super) fn abandoned(records: &[Record]) -> Option<Finding> {
    let leaves = |record: &Record| {
        let login = &record.conversation.login;
        record.conversation.phase == Phase::Login
            && record.is_ended_by(Side::Client)
            && !login.asked.is_empty()
            && !login.has_answered
            && login.authenticated.is_none()
            && record.conversation.errors.is_empty()
            // It may have asked a person, and come back with the password.
            && !records.iter().any(|later| {
                later.began > record.began
                    && later.is_of_same_client(record)
                    && later.conversation.login.has_answered
            })
    };
    let (finding, first) = about(&cause::tap::LOGIN_ABANDONED, records, leaves)?;
    let login = &first.conversation.login;
    let asked = login.asked.last()?;
    let in_tls = first.conversation.client_hello.is_some();
    let plus =
        matches!(asked, Method::Sasl(offered) if offered.iter().any(|it| it.ends_with("-PLUS")));
    let finding = finding
        .with("asked", asked.to_string())
        .with("encrypted", in_tls);
    Some(match (asked, plus) {
        (Method::Sasl(_), false) => finding.with("channel_binding_offered", false).word(
            "binding",
            match in_tls {
                true => ", or insists on channel binding, which the server does not offer",
                false => ", or insists on channel binding, which needs TLS",
            },
        ),
        _ => finding,
    })
}
