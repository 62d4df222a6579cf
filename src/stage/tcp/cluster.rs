//! What a failed connection looks like from inside a Kubernetes cluster. A Service's
//! address belongs to no machine: rules of each node answer for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::config::Keepalives;
use crate::ctx::Ctx;
use crate::kubernetes::{Pod, Service};
use crate::listeners;
use crate::stage::dns;
use crate::wire::Address;
use crate::wire::dial::{self, ConnectError, Why};

/// How long the cluster's DNS and an address that no machine has are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Addresses for documentation (RFC 5737, RFC 3849), which no machine has.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NOBODY6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// What the cluster has to do with an address.
#[derive(Clone, Debug, Default)]
pub struct InCluster {
    /// The Service that has it.
    pub service: Option<Service>,
    /// An address that no machine has, if that is refused as well.
    pub refused_too: Option<IpAddr>,
}

/// Looks at an address that failed; nothing is known outside of Kubernetes.
pub async fn look(host: &str, to: SocketAddr, miss: &ConnectError, ctx: &Ctx) -> InCluster {
    let Some(pod) = dns::pod(ctx) else {
        return InCluster::default();
    };
    let limit = ctx.deadline.min(Instant::now() + PATIENCE);
    InCluster {
        service: service(&pod, host, to.ip(), limit).await,
        refused_too: match is_reset(miss) && !listeners::is_local(to.ip()) {
            true => refuses_for_nobody(to, limit).await,
            false => None,
        },
    }
}

/// The Service whose name led to the address. A short name may be a machine's: the
/// Service's own name has to lead there too.
async fn service(pod: &Pod, host: &str, ip: IpAddr, limit: Instant) -> Option<Service> {
    let Some(service) = pod.service(host) else {
        return pod.service_at(ip);
    };
    if host.split('.').any(|label| label == "svc") {
        return Some(service);
    }
    let absolute = service.absolute(pod.domain.as_deref()?);
    let found = dns::addresses_of(&absolute, limit).await;
    found.contains(&ip).then_some(service)
}

/// Whether it was refused, and not by an ICMP message.
fn is_reset(miss: &ConnectError) -> bool {
    miss.why == Why::Errno(libc::ECONNREFUSED) && miss.icmp.is_none()
}

/// Whether an address that no machine has is refused as well: then a rule here or on the
/// way answers for every address. The first packet of a connection is all that is sent.
async fn refuses_for_nobody(to: SocketAddr, limit: Instant) -> Option<IpAddr> {
    let nobody = match to.ip() {
        IpAddr::V4(_) => NOBODY,
        IpAddr::V6(_) => NOBODY6,
    };
    let address = Address::Tcp(SocketAddr::new(nobody, to.port()));
    match dial::knock(&address, &Keepalives::OFF, None, limit)
        .await
        .result
    {
        Ok(stream) => {
            dial::close_socket(stream);
            None
        }
        Err(miss) => is_reset(&miss).then_some(nobody),
    }
}
