//! The advice that depends on where dbdoctor runs. None of it changes the cause.

use super::name::{self, Inside};
use crate::cause::{self, Cause};
use crate::finding::Finding;
use crate::report::Environment;

/// Advice for a name that exists only elsewhere.
pub fn container_advice(
    finding: Finding,
    name: &str,
    port: u16,
    inside: &Inside,
    environment: &Environment,
) -> Finding {
    if let Some(ci) = &environment.ci {
        return finding.fix(
            format!(
                "This runs in {ci}: the name of a service container resolves only if the job itself runs in a container on the same network. Otherwise, publish the service's port and use localhost."
            ),
            None,
        );
    }
    match (inside, &environment.container) {
        (Inside::DockerHost, Some(_)) => finding.fix(
            format!(
                "On Linux, add the name when you start the container: --add-host={name}:host-gateway (extra_hosts in a compose file)."
            ),
            None,
        ),
        (Inside::DockerHost, None) => finding.fix(
            "This does not run in a container: use localhost instead of the name.",
            None,
        ),
        (Inside::Compose(file), None) => from_outside(finding, name, port, file),
        (Inside::Containers | Inside::Compose(_), Some(kind)) => {
            let finding = finding.fix(
                format!(
                    "This runs in a container ({kind}) that is not on the network of {name}: put both on the same network, and check that {name} is up, because a stopped container has no name there."
                ),
                None,
            );
            match inside {
                Inside::Compose(file) => from_outside(finding, name, port, file),
                _ => finding,
            }
        }
        (Inside::Cluster, None) => finding.fix(
            "From outside the cluster, forward the service's port and use localhost:",
            kubernetes_service(name).map(|(service, namespace)| {
                let namespace = namespace.map(|n| format!(" -n {n}")).unwrap_or_default();
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

/// The way to a compose service from outside of its network.
fn from_outside(finding: Finding, name: &str, port: u16, file: &str) -> Finding {
    finding.fix(
        format!(
            "{name} is a service in {file}; outside its network, use localhost with the port that it publishes:"
        ),
        shlex::try_quote(name)
            .ok()
            .map(|name| format!("docker compose port {name} {port}")),
    )
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
pub fn advice(finding: Finding, name: &str, row: &Cause, environment: &Environment) -> Finding {
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
    let finding = match multicast && row == &NXDOMAIN {
        true => finding.fix(
            "Names that end in .local are resolved over mDNS, which needs libnss-mdns and avahi-daemon on this machine and does not work in most containers. Set it up, or use the address:",
            Some("grep ^hosts: /etc/nsswitch.conf".to_owned()),
        ),
        false => finding,
    };
    let no_answer = row.is_any(&[&TIMEOUT, &NO_RESOLVER]);
    match (&environment.container, environment.wsl) {
        (_, true) if no_answer || row == &NXDOMAIN => finding.fix(
            "This runs in WSL, which copies the name server into /etc/resolv.conf when it starts. After a VPN or network change, run wsl --shutdown in Windows, or set dnsTunneling=true in .wslconfig.",
            None,
        ),
        (Some(kind), _) if no_answer => finding.fix(
            format!(
                "This runs in a container ({kind}), whose name servers are set when it starts: check them there (docker run --dns, the cluster's CoreDNS)."
            ),
            None,
        ),
        _ => finding,
    }
}
