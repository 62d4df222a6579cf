//! What is known when a start-up fails: the input of every classification.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Endpoint, Target};
use crate::finding::Finding;
use crate::peer::commands;
use crate::wire::secured::Encryption;
use crate::wire::startup::Exchange;
use crate::wire::{Address, Route};

/// What is known when a start-up fails.
#[derive(Clone, Debug)]
pub struct LoginContext<'a> {
    /// What was asked for.
    pub target: &'a Target,
    /// Which host.
    pub endpoint: &'a Endpoint,
    /// How it was reached.
    pub route: &'a Route,
    /// The result of the handshake; `None` without TLS.
    pub tls: Option<&'a Encryption>,
    /// Whether the peer had said something before the start-up message.
    pub spoke_before: bool,
    /// What was seen of the start-up.
    pub exchange: &'a Exchange,
    /// The time since the start-up message.
    pub elapsed: Duration,
    /// The operating-system user that runs this.
    pub os_user: Option<&'a str>,
    /// Where the password came from.
    pub password_source: Option<&'a str>,
    /// Where passwords were looked for.
    pub sources: &'a [String],
}

impl<'a> LoginContext<'a> {
    /// Where nothing but the peer's words count: not how long it took, nor
    /// where a password was looked for.
    pub fn of_words(
        target: &'a Target,
        endpoint: &'a Endpoint,
        route: &'a Route,
        tls: Option<&'a Encryption>,
        exchange: &'a Exchange,
    ) -> Self {
        Self {
            target,
            endpoint,
            route,
            tls,
            spoke_before: true,
            exchange,
            elapsed: Duration::ZERO,
            os_user: None,
            password_source: endpoint.password.as_ref().map(|p| p.source.as_str()),
            sources: &[],
        }
    }

    /// Our address, where the server cannot see another one.
    pub fn our_address(&self) -> Option<IpAddr> {
        match self.route {
            Route::Direct(Address::Tcp(address)) => Some(address.ip()).filter(IpAddr::is_loopback),
            _ => None,
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the server asked for a client certificate.
    pub fn certificate_asked(&self) -> bool {
        self.tls.is_some_and(|tls| tls.client_certificate_asked)
    }

    /// Whether one was sent.
    pub fn certificate_sent(&self) -> bool {
        self.tls.is_some_and(|tls| tls.client_certificate_sent)
    }

    /// Whether the way is a unix socket of this machine.
    pub fn is_unix(&self) -> bool {
        self.route.is_unix()
    }

    /// A finding with everything that templates and readers need, whatever
    /// the cause.
    pub fn finding(&self, cause: &'static crate::cause::Cause) -> Finding {
        let finding = Finding::new(cause)
            .with("endpoint", self.endpoint.label())
            .with("host", self.host())
            .with("port", self.endpoint.port)
            .with("user", self.target.user.clone())
            .with("database", self.database().to_owned())
            .with("sslmode", self.target.tls.mode.as_str())
            .with("replication", self.target.replication.clone())
            .with(
                "password_from",
                self.password_source
                    .unwrap_or("no source (none was sent)")
                    .to_owned(),
            )
            .with(
                "method",
                self.exchange.asked.as_ref().map(|asked| asked.name()),
            )
            .with("encryption", self.encryption());
        commands::with_conninfo(finding, self.target, self.endpoint, self.route)
    }

    /// The host by itself: as it is named, its address, or a socket's directory.
    pub fn host(&self) -> String {
        match &self.route {
            Route::Direct(Address::Unix(path)) => path
                .parent()
                .map(|dir| dir.display().to_string())
                .unwrap_or_default(),
            _ if self.endpoint.host.is_empty() => match &self.endpoint.place {
                crate::config::Place::Ip(ip, _) => ip.to_string(),
                _ => self.endpoint.label(),
            },
            _ => self.endpoint.host.clone(),
        }
    }

    /// The database that is asked for: the server takes the role's name where
    /// none is sent.
    pub fn database(&self) -> &'a str {
        if self.target.dbname.is_empty() {
            &self.target.user
        } else {
            &self.target.dbname
        }
    }

    /// The encryption, as it stands in a sentence.
    pub fn encryption(&self) -> &'static str {
        match (self.is_encrypted(), self.is_unix()) {
            (true, _) => "with TLS",
            (false, true) => "over a unix socket",
            (false, false) => "without TLS",
        }
    }
}
