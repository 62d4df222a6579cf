//! What this machine itself can say about a failure. None of it changes the cause.

use std::time::Duration;

use serde_json::Value;

use crate::cause;
use crate::finding::Finding;
use crate::listeners::{self, Listener};
use crate::wire::Address;

/// How long a look into `/proc` is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Adds what is known here about an address that failed.
pub async fn enrich(finding: Finding, address: Option<&Address>, is_hop: bool) -> Finding {
    let Some(Address::Tcp(to)) = address.cloned() else {
        return finding;
    };
    if !listeners::is_local(to.ip()) {
        return finding;
    }
    if finding.cause == &cause::tcp::TIMEOUT {
        let look = tokio::task::spawn_blocking(move || listeners::listener(to));
        return match tokio::time::timeout(PATIENCE, look).await {
            Ok(Ok(Some(listener))) => silent_here(finding, &listener),
            _ => finding.fix(
                "The address belongs to this machine: check which rule of its packet filter drops the packets:",
                Some("nft list ruleset; iptables -S".to_owned()),
            ),
        };
    }
    if finding.cause != &cause::tcp::REFUSED {
        return finding;
    }
    let servers = match is_hop {
        true => listeners::SSH_SERVERS,
        false => listeners::DATABASE_SERVERS,
    };
    let look = tokio::task::spawn_blocking(move || listeners::alternatives(to, servers));
    let others = match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(others)) => others,
        _ => Vec::new(),
    };
    refused_here(finding, to, &others, is_hop)
}

/// Advice where a process of this machine listens and nothing is answered: its
/// queue is full, or a packet filter here drops what is sent to it.
fn silent_here(finding: Finding, listener: &Listener) -> Finding {
    let port = listener.address.port();
    finding.with("listener", listener.to_json()).fix(
        format!(
            "On this machine, {} listens on {}. If its queue of pending connections is full (Recv-Q above Send-Q), it hangs or is stopped: restart it. Otherwise this machine's packet filter drops the packets:",
            listener.label(),
            listener.address
        ),
        Some(format!("ss -ltn 'sport = :{port}'; nft list ruleset")),
    )
}

/// Advice for a refusal by an address of this machine.
fn refused_here(
    finding: Finding,
    to: std::net::SocketAddr,
    others: &[Listener],
    is_hop: bool,
) -> Finding {
    let setting = match is_hop {
        true => "ListenAddress in sshd_config",
        false => "listen_addresses in postgresql.conf",
    };
    let mut finding = finding;
    if !others.is_empty() {
        let all: Vec<Value> = others.iter().map(Listener::to_json).collect();
        finding = finding.with("listening", all);
    }
    let same_port = others.iter().find(|l| l.address.port() == to.port());
    if let Some(listener) = same_port {
        finding = finding.fix(
            format!(
                "On this machine, {} listens on {} and not on {}: use that address, or configure it to listen on more addresses ({setting}).",
                listener.label(),
                listener.address,
                to.ip(),
            ),
            None,
        );
    } else if let [listener] = others {
        finding = finding.fix(
            format!(
                "On this machine, {} listens on {}: use port {}.",
                listener.label(),
                listener.address,
                listener.address.port()
            ),
            None,
        );
    } else if !others.is_empty() {
        let mut ports: Vec<String> = Vec::new();
        for listener in others {
            // One process often listens once for IPv4 and once for IPv6.
            let port = format!("{} ({})", listener.address.port(), listener.label());
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        finding = finding.fix(
            format!(
                "These programs listen on other ports of this machine: {}. Use the right one.",
                ports.join(", ")
            ),
            None,
        );
    }
    let ip = to.ip();
    let name = finding.evidence.get("host").and_then(|host| host.as_str());
    let name = name.map(|host| {
        host.strip_suffix(&format!(":{}", to.port()))
            .unwrap_or(host)
    });
    let is_name = |name: &&str| {
        let bare = name.trim_matches(['[', ']']);
        bare.parse::<std::net::IpAddr>().is_err() && !bare.to_lowercase().contains("localhost")
    };
    if let Some(name) = name.filter(is_name)
        && (ip.is_loopback() || ip.is_unspecified())
    {
        let text = match ip.is_unspecified() {
            true => format!(
                "{name} resolves to {ip}, which no server can have: a DNS filter (an ad blocker, a firewall's block list) returns it for names that it blocks. Allow the name there, or use other name servers."
            ),
            false => format!(
                "{name} resolves to {ip}, which is this machine. If the server is elsewhere, correct the DNS record or the line in /etc/hosts; a DNS filter may also return it for names that it blocks."
            ),
        };
        finding = finding.fix(text, None);
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised(others: &[Listener]) -> Vec<String> {
        let to = "127.0.0.1:5432".parse().unwrap();
        let finding = refused_here(Finding::new(&cause::tcp::REFUSED), to, others, false);
        finding.fixes().into_iter().map(|fix| fix.text).collect()
    }

    #[test]
    fn what_listens_nearby_is_named() {
        let postgres = |address: &str| Listener {
            address: address.parse().unwrap(),
            pid: Some(7),
            name: Some("postgres".to_owned()),
        };
        let fixes = advised(&[postgres("10.0.0.1:5432")]);
        assert!(fixes[0].contains("postgres (pid 7) listens on 10.0.0.1:5432"));
        let fixes = advised(&[postgres("127.0.0.1:5433")]);
        assert!(fixes[0].contains("use port 5433"));
    }
}
