//! `dns`: names to addresses, as applications get them, beside what each name
//! server says for itself.

mod system;

use std::net::SocketAddr;

use crate::cause;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::StageRecord;
use crate::stage::{Aside, Verdict};
use crate::target::{Destination, Place};
use crate::wire::Address;

/// What became of one destination: its addresses in getaddrinfo's order;
/// empty where it could not be resolved (a provisional finding says why).
pub type Resolved = Vec<Address>;

/// Resolves all destinations at once. Fails where none has an address; the
/// comparison with the name servers is an [`Aside`].
pub async fn probe(
    destinations: &[Destination],
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<Aside>,
) -> Verdict<Vec<Resolved>> {
    let _ = asides;
    let limit = ctx.limit();
    let mut resolved = Vec::new();
    let mut failures = Vec::new();
    for destination in destinations {
        let addresses = match &destination.place {
            Place::Unix(path) => vec![Address::Unix(path.clone())],
            Place::Ip(std::net::IpAddr::V6(ip), scope) => vec![Address::Tcp(
                std::net::SocketAddrV6::new(*ip, destination.port, 0, *scope).into(),
            )],
            Place::Ip(ip, _) => vec![Address::Tcp(SocketAddr::new(*ip, destination.port))],
            Place::Name(name) => match ctx.until(limit, system::resolve(name.clone())).await {
                Ok(system::SystemAnswer {
                    result: Ok(found), ..
                }) => found
                    .into_iter()
                    .map(|mut address| {
                        address.set_port(destination.port);
                        Address::Tcp(address)
                    })
                    .collect(),
                Ok(system::SystemAnswer {
                    result: Err(eai), ..
                }) => {
                    failures.push(
                        Finding::new(&cause::dns::UNCLASSIFIED)
                            .with("name", name.as_str())
                            .with("error", format!("{} ({})", eai.text, eai.name())),
                    );
                    Vec::new()
                }
                Err(_) => {
                    failures.push(
                        Finding::new(&cause::dns::UNCLASSIFIED)
                            .with("name", name.as_str())
                            .with("error", "no answer in time"),
                    );
                    Vec::new()
                }
            },
        };
        resolved.push(addresses);
    }
    if resolved.iter().all(Vec::is_empty) && !failures.is_empty() {
        return Err(failures.remove(0));
    }
    for failure in failures {
        record.provisional(failure);
    }
    Ok(resolved)
}
