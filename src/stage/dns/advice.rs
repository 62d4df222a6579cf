//! The advice that depends on a name and on the compose project here. None of it changes the
//! cause; what else depends on where dbdoctor runs is in `src/place.rs`.

use std::net::Ipv4Addr;

use super::compose::{Compose, Reach, Service};
use super::name::{self, Inside};
use crate::cause::{self, Cause};
use crate::config::host_port;
use crate::finding::Finding;
use crate::listeners;
use crate::report::Environment;

/// A name that exists only elsewhere.
pub struct Unreached<'a> {
    /// The name.
    pub name: &'a str,
    /// The port that was to be reached.
    pub port: u16,
    /// Whether it is an SSH server's, and not the database's.
    pub is_hop: bool,
    /// Where it exists.
    pub inside: &'a Inside,
    /// The compose project here.
    pub compose: &'a Compose,
    /// Where dbdoctor runs.
    pub environment: &'a Environment,
}

impl Unreached<'_> {
    /// Adds the ways to what has the name.
    pub fn advise(&self, finding: Finding) -> Finding {
        let service = self.compose.service(self.name, self.port);
        let container = self.environment.container.as_deref();
        let name = self.name;
        match (service, container, &self.environment.ci) {
            (Some(service), None, _) => return self.on_machine(finding, service),
            (Some(service), Some(kind @ ("docker" | "podman")), None) => {
                return self.in_container(finding, service, kind);
            }
            _ => {}
        }
        match (self.inside, container) {
            (Inside::DockerHost, None) => finding.fix(
                "This does not run in a container: use localhost instead of the name.",
                None,
            ),
            (Inside::Cluster, kind) if kind != Some("kubernetes") => finding.fix(
                "From outside the cluster, forward the service's port and use localhost:",
                kubernetes_service(name).map(|(service, namespace)| {
                    let namespace = namespace.map(|n| format!(" -n {n}")).unwrap_or_default();
                    let port = self.port;
                    format!("kubectl port-forward{namespace} svc/{service} {port}:{port}")
                }),
            ),
            (Inside::Provider(provider), _) => finding.fix(
                format!(
                    "Outside {provider}'s network, use the public host name from its console, or its own tunnel or proxy."
                ),
                None,
            ),
            _ => finding,
        }
    }

    /// The way to a compose service from the machine that runs it.
    fn on_machine(&self, finding: Finding, service: &Service) -> Finding {
        let finding = finding
            .with("service", service.name.clone())
            .with("compose_file", service.file.clone());
        match self.compose.reach(service, self.port) {
            Reach::At { host, port, .. } => {
                let published = host_port(&host, port);
                let finding = finding
                    .with("published", published.clone())
                    .word("compose", compose_command(service));
                match self.is_hop {
                    true => finding.fix(
                        format!(
                            "Outside the container network, use {published}: {} is a service in {}.",
                            service.name, service.file
                        ),
                        None,
                    ),
                    false => finding,
                }
            }
            Reach::Unknown => self.ask_docker(finding, service),
            Reach::Unpublished => {
                let (published, target) = (free_port(self.port), self.port);
                finding.fix(
                    format!(
                        "Add ports: [\"127.0.0.1:{published}:{target}\"] to service {} in {}, which does not publish port {target}, and use localhost:{published}. Apply the change:",
                        service.name, service.file
                    ),
                    up(service),
                )
            }
        }
    }

    /// The way to a compose service from a container on another network: over the machine
    /// that runs both.
    fn in_container(&self, finding: Finding, service: &Service, kind: &str) -> Finding {
        let machine = match kind {
            "podman" => "host.containers.internal",
            _ => "host.docker.internal",
        };
        let known = finding
            .with("service", service.name.clone())
            .with("compose_file", service.file.clone());
        match self.compose.reach(service, self.port) {
            Reach::At {
                host,
                port,
                by_all: true,
            } => {
                let host = if host == "localhost" { machine } else { &host };
                known.word("outside", host_port(host, port))
            }
            Reach::Unknown => known.word("compose", compose_command(service)),
            _ => known,
        }
    }

    fn ask_docker(&self, finding: Finding, service: &Service) -> Finding {
        let mut words = compose_command(service);
        words.extend([
            "port".to_owned(),
            service.name.clone(),
            self.port.to_string(),
        ]);
        finding.fix(
            format!(
                "Outside the container network, use localhost with the port that {} in {} publishes. Show the port:",
                service.name, service.file
            ),
            shlex::try_join(words.iter().map(String::as_str)).ok(),
        )
    }
}

/// `docker compose`, with the files that it does not read unasked.
fn compose_command(service: &Service) -> Vec<String> {
    let files = service.asked_for.iter();
    let files = files.flat_map(|file| ["-f", file.as_str()]);
    let words = ["docker", "compose"].into_iter().chain(files);
    words.map(str::to_owned).collect()
}

/// The command that starts a service, or starts it anew after a change.
fn up(service: &Service) -> Option<String> {
    let mut words = compose_command(service);
    words.extend(["up".to_owned(), "-d".to_owned(), service.name.clone()]);
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

/// The first port from this one on that nothing listens on here.
fn free_port(port: u16) -> u16 {
    let taken = |port: &u16| listeners::listener((Ipv4Addr::LOCALHOST, *port).into()).is_some();
    (port..=u16::MAX).find(|port| !taken(port)).unwrap_or(port)
}

/// The service and namespace in a cluster's name, if they are safe to paste.
fn kubernetes_service(name: &str) -> Option<(&str, Option<&str>)> {
    let mut labels = name.split('.');
    let service = labels.next()?;
    let namespace = labels.next().filter(|label| *label != "svc");
    let safe = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    (safe(service) && namespace.is_none_or(safe)).then_some((service, namespace))
}

/// Advice for other failures.
pub fn advice(finding: Finding, name: &str, row: &Cause) -> Finding {
    use cause::dns::*;
    if row == &NXDOMAIN && name::is_localhost(name) {
        return finding.fix(
            "Use localhost: names that end in .localhost work in browsers, but the C library looks them up in DNS like any other name.",
            None,
        );
    }
    let multicast = name
        .trim_end_matches('.')
        .to_lowercase()
        .ends_with(".local");
    match multicast && row == &NXDOMAIN {
        true => finding.fix(
            "Names that end in .local are resolved over mDNS, which needs libnss-mdns and avahi-daemon on this machine and does not work in most containers. Set it up, or use the address:",
            Some("grep ^hosts: /etc/nsswitch.conf".to_owned()),
        ),
        false => finding,
    }
}
