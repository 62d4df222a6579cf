//! A name whose address is given with it (`hostaddr`), beside the address that it has
//! now: after a failover the name has moved, and the address has not.

use std::net::IpAddr;

use super::lookup::look_up;
use super::slow::SLOW;
use super::{compare, read_settings};
use crate::cause;
use crate::config::{Endpoint, Place, Target, conninfo};
use crate::ctx::Ctx;
use crate::finding::{Finding, shown};
use crate::report::Stage;
use crate::stage::{BackgroundCheck, Observation};

/// Looks up the names whose addresses were given, for a run that failed; `None` where
/// there is no such name. A run that passes asks nothing about them.
pub fn check_pinned(target: &Target, ctx: &Ctx) -> Option<BackgroundCheck> {
    // A tunnel's last hop has a view of its own.
    let endpoints = target.endpoints.iter().filter(|_| target.ssh.is_none());
    let names: Vec<(String, IpAddr)> = endpoints.filter_map(pinned).collect();
    if names.is_empty() {
        return None;
    }
    let ctx = ctx.clone();
    let task = tokio::spawn(async move {
        let looks: Vec<_> = names
            .into_iter()
            .map(|(name, given)| tokio::spawn(compared(name, given, ctx.clone())))
            .collect();
        let mut notes = Vec::new();
        for look in looks {
            if let Ok(Some(finding)) = look.await {
                notes.push(Observation::Warn(finding));
            }
        }
        notes
    });
    Some(BackgroundCheck {
        stage: Stage::Dns,
        task,
    })
}

/// The name of an entry and the address that is used in its place. One of this machine
/// is a tunnel's or a proxy's, and never a name's old one.
fn pinned(endpoint: &Endpoint) -> Option<(String, IpAddr)> {
    match (&endpoint.place, Place::of_host(&endpoint.host)) {
        (Place::Ip(given, _), Place::Name(name)) if !name.is_empty() && !given.is_loopback() => {
            Some((name, *given))
        }
        _ => None,
    }
}

/// The warning that a name has another address than the one that was given.
async fn compared(name: String, given: IpAddr, ctx: Ctx) -> Option<Finding> {
    let settings = read_settings(Default::default(), None, &ctx);
    let look = look_up(name.clone(), ctx, settings.into());
    let look = tokio::time::timeout(SLOW, look).await.ok()?;
    let answers = look.answers();
    if answers.iter().any(|answer| answer.is_of_other_name(&name)) {
        return None;
    }
    let known = answers.into_iter().flat_map(|answer| answer.addresses);
    if look.ips().contains(&given) || known.into_iter().any(|ip| ip == given) {
        return None;
    }
    let now = look.ips();
    compare::is_moved(&[given], &now).then(|| {
        let now: Vec<String> = now.iter().map(ToString::to_string).collect();
        Finding::new(&cause::dns::HOSTADDR_OVERRIDE)
            .with("name", name)
            .with("hostaddr", given.to_string())
            .with("dns", now)
            .leading()
    })
}

/// Adds the command that connects to the address that was not used, with the target's
/// other settings.
pub fn with_command(finding: Finding, target: &Target, endpoint: &Endpoint) -> Finding {
    let evidence = &finding.evidence;
    let others = evidence.get("other").or(evidence.get("dns"));
    let first = others.and_then(|ips| ips.as_array()?.first()).map(shown);
    let command = first.map(|ip| conninfo::of(target, endpoint, &[("hostaddr", &ip)]));
    finding.word("dns_conninfo", command)
}
