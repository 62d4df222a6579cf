//! `dns`: names to addresses, as applications get them, beside what each name
//! server says for itself.
//!
//! The connection waits for getaddrinfo alone. The name servers are asked at
//! the same time; their answers are compared to the side where the name
//! resolves, and tell why where it does not.

mod advice;
mod background;
mod classify;
mod cluster;
mod compare;
pub mod compose;
pub(crate) mod exchange;
mod lookup;
pub mod name;
mod pinned;
pub(crate) mod resolv;
mod search;
pub(crate) mod servers;
mod slow;
mod system;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::config::host_pattern::HostPattern;
use crate::config::{Destination, Endpoint, Family, Hop, Place, Target, conninfo, guards};
use crate::ctx::Ctx;
use crate::finding::{Finding, shown};
use crate::report::StageRecord;
use crate::stage::{BackgroundCheck, Verdict};
use crate::system::System;
use crate::wire::Address;

use background::compare_aside;
use classify::Settings;
pub use cluster::{addresses_of, pod};
use lookup::{Lookup, look_up};
pub use pinned::check_pinned;
use resolv::Resolv;

/// How many names are looked up at once; each takes a thread.
const AT_ONCE: usize = 32;

/// The largest settings file that is read.
const LARGEST_FILE: u64 = 1 << 20;

/// What became of one destination: its addresses in getaddrinfo's order;
/// empty where it could not be resolved (a provisional finding says why).
pub type Resolved = Vec<Address>;

/// Resolves all destinations at once, and keeps the addresses that may be
/// used. Fails where none is left, and where a name leads to a forbidden host.
pub async fn probe(
    destinations: &[Destination],
    forbidden: &[HostPattern],
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<BackgroundCheck>,
) -> Verdict<Vec<Resolved>> {
    let mut resolved = resolve(destinations, forbidden, ctx, record, asides).await?;
    let mut ruled_out = None;
    for (destination, addresses) in destinations.iter().zip(&mut resolved) {
        let before = addresses.len();
        addresses.retain(|address| match address {
            Address::Tcp(address) => destination.family.has(address.ip()),
            Address::Unix(_) => true,
        });
        if addresses.is_empty() && before > 0 {
            ruled_out.get_or_insert(destination);
        }
    }
    match ruled_out {
        Some(destination) if resolved.iter().all(Vec::is_empty) => {
            Err(of_other_family(destination))
        }
        _ => Ok(resolved),
    }
}

/// All addresses are of the kind that the SSH configuration rules out.
fn of_other_family(destination: &Destination) -> Finding {
    let name = match &destination.place {
        Place::Name(name) => name.clone(),
        Place::Ip(ip, _) => ip.to_string(),
        Place::Unix(path) => path.display().to_string(),
    };
    let keyword = destination.family.keyword();
    let wanted = match destination.family {
        Family::V6 => "IPv6",
        _ => "IPv4",
    };
    Finding::new(&crate::cause::dns::NO_ADDRESS)
        .with("name", name)
        .with(
            "records",
            format!(
                "of the family set in the SSH configuration ({wanted}, AddressFamily {keyword})"
            ),
        )
        .with("family", keyword)
        .fix(
            format!("Remove AddressFamily {keyword} from the SSH configuration, or set it to any."),
            None,
        )
}

/// Resolves all destinations at once. Fails where none has an address; the
/// comparison with the name servers is an [`BackgroundCheck`].
async fn resolve(
    destinations: &[Destination],
    forbidden: &[HostPattern],
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<BackgroundCheck>,
) -> Verdict<Vec<Resolved>> {
    let mut names: Vec<String> = Vec::new();
    for destination in destinations {
        if let Place::Name(name) = &destination.place
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        let only_sockets = destinations
            .iter()
            .all(|destination| matches!(destination.place, Place::Unix(_)));
        record.summary = match only_sockets {
            true => "unix socket, no lookup needed".to_owned(),
            false => "IP address given, no lookup needed".to_owned(),
        };
        return Ok(destinations
            .iter()
            .map(|destination| literal(destination).into_iter().collect())
            .collect());
    }

    let hop = destinations.iter().find_map(|d| d.hop.clone());
    let ports = destinations.iter().rev().filter_map(|d| match &d.place {
        Place::Name(name) => Some((name.clone(), d.port)),
        _ => None,
    });
    let settings = Arc::new(read_settings(ports.collect(), hop, ctx));
    record.fact("resolver", described_settings(&settings));
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let looks: Vec<JoinHandle<Lookup>> = names
        .iter()
        .map(|name| {
            let (name, ctx) = (name.clone(), ctx.clone());
            let (settings, turns) = (Arc::clone(&settings), Arc::clone(&turns));
            tokio::spawn(async move {
                let _turn = turns.acquire().await;
                look_up(name, ctx, settings).await
            })
        })
        .collect();
    let mut found = Vec::new();
    for (look, name) in looks.into_iter().zip(names) {
        found.push(match look.await {
            Ok(look) => look,
            Err(error) => Lookup::broken(name, &error.to_string()),
        });
    }
    let verdict = conclude(destinations, &found, record);
    record.fact(
        "lookups",
        found.iter().map(Lookup::described).collect::<Vec<_>>(),
    );
    let allowed = judge(&mut found, forbidden, ctx).await;
    asides.push(compare_aside(found, settings, ctx));
    allowed.and(verdict)
}

/// Whether no name leads to a forbidden host.
async fn judge(looks: &mut [Lookup], forbidden: &[HostPattern], ctx: &Ctx) -> Verdict<()> {
    let takes_names = forbidden.iter().any(HostPattern::takes_names);
    for look in looks.iter_mut().filter(|look| !look.addresses.is_empty()) {
        let names = match takes_names {
            true => look.names(ctx).await,
            false => Vec::new(),
        };
        guards::looked_up(forbidden, &look.name, &names, &look.ips())?;
    }
    Ok(())
}

/// Adds the command that reaches what was meant with the target's other
/// settings: a published port, or the name without its search domain.
pub fn with_command(finding: Finding, target: &Target, endpoint: &Endpoint) -> Finding {
    use crate::cause::dns::{DISAGREE, HOSTADDR_OVERRIDE, HOSTS_OVERRIDE, SEARCH_DOMAIN};
    if finding.cause == &SEARCH_DOMAIN {
        return search::with_commands(finding, target, endpoint);
    }
    if finding
        .cause
        .is_any(&[&DISAGREE, &HOSTADDR_OVERRIDE, &HOSTS_OVERRIDE])
    {
        return pinned::with_command(finding, target, endpoint);
    }
    let published = finding.evidence.get("published").map(shown);
    let Some((host, port)) = published.as_ref().and_then(|it| it.rsplit_once(':')) else {
        return finding;
    };
    let host = host.trim_matches(['[', ']']);
    let address = if host == "localhost" {
        "127.0.0.1"
    } else {
        host
    };
    let replaced = match address.parse::<IpAddr>() {
        // The certificate is for the name as it is written.
        Ok(_) if target.checks_name() => [
            ("host", endpoint.host.as_str()),
            ("hostaddr", address),
            ("port", port),
        ],
        _ => [("host", host), ("hostaddr", ""), ("port", port)],
    };
    let conninfo = conninfo::of(target, endpoint, &replaced);
    finding.word("published_conninfo", conninfo)
}

/// One destination without a name: nothing to resolve.
fn literal(destination: &Destination) -> Option<Address> {
    let port = destination.port;
    match &destination.place {
        Place::Unix(path) => Some(Address::Unix(path.clone())),
        Place::Ip(IpAddr::V6(ip), scope) => {
            Some(Address::Tcp(SocketAddrV6::new(*ip, port, 0, *scope).into()))
        }
        Place::Ip(ip, _) => Some(Address::Tcp(SocketAddr::new(*ip, port))),
        Place::Name(_) => None,
    }
}

/// The addresses of every destination, its failures, and the summary line.
fn conclude(
    destinations: &[Destination],
    looks: &[Lookup],
    record: &mut StageRecord,
) -> Verdict<Vec<Resolved>> {
    let resolved: Vec<Resolved> = destinations
        .iter()
        .map(|destination| match &destination.place {
            Place::Name(name) => looks
                .iter()
                .filter(|look| look.name == *name)
                .flat_map(|look| &look.addresses)
                .map(|address| {
                    let mut address = *address;
                    address.set_port(destination.port);
                    Address::Tcp(address)
                })
                .collect(),
            _ => literal(destination).into_iter().collect(),
        })
        .collect();

    let first_good = resolved.iter().position(|addresses| !addresses.is_empty());
    let mut verdict = None;
    let mut told: Vec<&str> = Vec::new();
    for (at, destination) in destinations.iter().enumerate() {
        let Place::Name(name) = &destination.place else {
            continue;
        };
        let failure = looks
            .iter()
            .find(|look| look.name == *name)
            .and_then(|look| look.failure.clone());
        let Some(failure) = failure.filter(|_| !told.contains(&name.as_str())) else {
            continue;
        };
        told.push(name);
        match first_good {
            None if verdict.is_none() => verdict = Some(failure),
            // libpq would come to this host only after one that it tries first.
            Some(good) if good < at => record.warn(failure),
            _ => record.provisional(failure),
        }
    }
    let lines: Vec<String> = looks.iter().map(|look| look.line(false)).collect();
    record.summary = lines.join("; ");
    match verdict {
        Some(failure) => Err(failure),
        None => Ok(resolved),
    }
}

/// Reads the system's settings for names.
fn read_settings(ports: BTreeMap<String, u16>, hop: Option<Arc<Hop>>, ctx: &Ctx) -> Settings {
    let surroundings = &ctx.surroundings;
    let (resolv, unreadable) = read_resolv(surroundings);
    Settings {
        unreadable,
        resolv,
        hosts: read("/etc/hosts"),
        sources: resolv::host_sources(&read("/etc/nsswitch.conf")),
        surroundings: Arc::clone(surroundings),
        compose: OnceLock::new(),
        environment: (*ctx.environment).clone(),
        ports,
        hop,
        pod: pod(ctx),
    }
}

/// The resolver's settings, and why its file cannot be read, although it is there.
fn read_resolv(surroundings: &System) -> (Resolv, Option<String>) {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let text = try_read("/etc/resolv.conf");
    let unreadable = match &text {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Some(error.to_string()),
        _ => None,
    };
    let resolv = Resolv::parse(
        &text.unwrap_or_default(),
        &host.to_string_lossy(),
        surroundings.var("LOCALDOMAIN").as_deref(),
        surroundings.var("RES_OPTIONS").as_deref(),
    );
    (resolv, unreadable)
}

/// A settings file, bounded; nothing where it cannot be read.
fn read(path: &str) -> String {
    try_read(path).unwrap_or_default()
}

fn try_read(path: &str) -> io::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(Path::new(path))?;
    file.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn described_settings(settings: &Settings) -> Value {
    let resolv = &settings.resolv;
    json!({
        "name_servers": resolv.servers.iter().map(|s| s.ip().to_string()).collect::<Vec<_>>(),
        "search": resolv.search,
        "ndots": resolv.ndots,
        "sources": settings.sources,
    })
}
