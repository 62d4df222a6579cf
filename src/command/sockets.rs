//! `sockets`: database connections that several processes hold at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cause::{Cause, client as cause};
use crate::cli::SocketsArgs;
use crate::config::request::Request;
use crate::finding::Finding;
use crate::pipeline::NotApplicable;
use crate::report::{Report, Stage, StageRecord, TargetReport};
use crate::sockets::{self, Held, HeldConnection, SocketFilter, SocketScan};
use crate::stage::config;
use crate::system::System;

/// PostgreSQL's port, and those that poolers and forwards usually take.
const USUAL_PORTS: [u16; 4] = [5432, 5433, 6432, 6543];

/// How long after the first look the second one comes: time enough for a
/// forked child to become another program.
const SECOND_LOOK: Duration = Duration::from_millis(150);

/// Looks for shared connections; whatever is found is in the report.
///
/// # Errors
/// A process was named that is not there.
pub async fn run(
    report: &mut Report,
    args: &SocketsArgs,
    surroundings: Arc<System>,
) -> Result<(), NotApplicable> {
    if args.pid.iter().any(|pid| !sockets::is_there(*pid)) {
        return Err(NotApplicable("no process has this pid"));
    }
    let mut record = StageRecord::new(Stage::Client);
    record.begin();
    *report.stage(Stage::Client) = record.clone();
    let wanted = SocketFilter {
        ports: match args.port.is_empty() {
            true => default_ports(&surroundings).await,
            false => args.port.iter().copied().collect(),
        },
        every_unix_socket: args.port.is_empty(),
        pids: args.pid.iter().copied().collect(),
    };
    let looked = tokio::time::timeout(args.time.deadline, twice(wanted.clone())).await;
    match looked {
        Ok(Some(seen)) => tell(&seen, &wanted, &mut record),
        Ok(None) => {
            record = StageRecord::new(Stage::Client);
            record.skip("socket sharing can be checked on Linux only");
            *report.stage(Stage::Client) = record;
            return Ok(());
        }
        Err(_) => {
            let error = "there are too many processes to check within --deadline";
            record.end(Some(
                Finding::new(&cause::UNCLASSIFIED).with("error", error),
            ));
        }
    }
    if !looked_failed(&record) {
        record.fail_all();
        record.end(None);
    }
    *report.stage(Stage::Client) = record;
    Ok(())
}

fn looked_failed(record: &StageRecord) -> bool {
    record
        .findings
        .iter()
        .any(|finding| finding.cause == &cause::UNCLASSIFIED)
}

/// Connections to this port that several processes hold by now, as findings.
pub(super) async fn shared(port: u16) -> Vec<Finding> {
    let wanted = SocketFilter {
        ports: BTreeSet::from([port]),
        every_unix_socket: false,
        pids: BTreeSet::new(),
    };
    let seen = twice(wanted).await.unwrap_or_default();
    let shared = seen.groups(Held::Shared);
    shared.iter().filter_map(|group| finding(group)).collect()
}

/// Looks, and once more where something seems to be shared.
async fn twice(wanted: SocketFilter) -> Option<SocketScan> {
    let first = look(wanted.clone()).await?;
    if first.connections.iter().all(|c| c.held() == Held::Alone) {
        return Some(first);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    let later = look(wanted).await?;
    Some(first.confirmed_by(&later))
}

async fn look(wanted: SocketFilter) -> Option<SocketScan> {
    let task = tokio::task::spawn_blocking(move || sockets::look(&wanted));
    task.await.ok().flatten()
}

/// The usual ports and those of the target that the environment names.
async fn default_ports(surroundings: &System) -> BTreeSet<u16> {
    let mut record = StageRecord::new(Stage::Config);
    let mut described = TargetReport::default();
    let args = Request {
        no_password: true,
        ..Request::default()
    };
    let target = config::probe(
        &args,
        surroundings,
        Instant::now(),
        &mut described,
        &mut record,
        &mut None,
    )
    .await;
    let ports = target.into_iter().flat_map(|target| target.endpoints);
    ports
        .map(|endpoint| endpoint.port)
        .chain(USUAL_PORTS)
        .collect()
}

/// Facts, findings, and one line.
fn tell(seen: &SocketScan, wanted: &SocketFilter, record: &mut StageRecord) {
    let connections: Vec<Value> = seen
        .connections
        .iter()
        .map(HeldConnection::to_json)
        .collect();
    record.fact("ports", wanted.ports.iter().copied().collect::<Vec<u16>>());
    record.fact("processes_seen", seen.processes);
    record.fact("processes_unseen", seen.unseen);
    record.fact("connections_unowned", seen.unowned);
    let leaked = seen.groups(Held::Leaked);
    let forgotten = inodes(&seen.groups(Held::Forgotten));
    record.fact("left_open_in_other_programs", inodes(&leaked));
    record.fact("inherited_and_unused", forgotten.clone());
    record.fact("connections", connections);
    let shared = seen.groups(Held::Shared);
    for finding in shared.iter().filter_map(|group| finding(group)) {
        record.provisional(finding);
    }
    let doubtful = seen.groups(Held::Doubtful);
    for finding in doubtful.iter().filter_map(|group| finding(group)) {
        record.warn(finding.as_warning());
    }
    for finding in leaked.iter().filter_map(|group| leak(group)) {
        record.warn(finding);
    }
    let shared = shared.iter().chain(&doubtful).map(Vec::len).sum();
    record.summary = summary(seen, wanted, shared, forgotten.len());
}

fn inodes(groups: &[Vec<&HeldConnection>]) -> Vec<u64> {
    groups.iter().flatten().map(|c| c.inode).collect()
}

fn summary(seen: &SocketScan, wanted: &SocketFilter, shared: usize, forgotten: usize) -> String {
    let ports: Vec<String> = wanted.ports.iter().map(u16::to_string).collect();
    let place = match ports.as_slice() {
        [port] => format!("to port {port}"),
        ports => format!("to ports {}", ports.join(", ")),
    };
    let place = match wanted.every_unix_socket {
        true => format!("{place} or a unix socket of PostgreSQL"),
        false => place,
    };
    let mut line = match (seen.connections.len(), shared) {
        (0, _) => format!("no connection {place} in {} processes", seen.processes),
        (all, 0) if forgotten > 0 => format!(
            "{all} connections {place}; {forgotten} of them inherited by workers that do not use \
             them"
        ),
        (1, 0) => format!("one connection {place}, in one process"),
        (all, 0) => format!("{all} connections {place}, each in one process"),
        (all, shared) => {
            format!("{shared} of {all} connections {place} shared by several processes")
        }
    };
    if seen.unseen > 0 {
        let people = if seen.unseen == 1 {
            "process"
        } else {
            "processes"
        };
        line.push_str(&format!(
            "; could not inspect {} {people} of other users",
            seen.unseen
        ));
    }
    line
}

/// `127.0.0.1:40112 to 127.0.0.1:5432`.
fn ends(connection: &HeldConnection) -> String {
    match connection.local {
        Some(local) => format!("{local} to {}", connection.remote),
        None => format!("to {}", connection.remote),
    }
}

/// A finding about connections that the same processes hold.
fn about(cause: &'static Cause, group: &[&HeldConnection]) -> Option<Finding> {
    let first = group.first()?;
    let connection = match group.len() {
        1 => ends(first),
        2 => format!("{} (and one other)", ends(first)),
        many => format!("{} (and {} others)", ends(first), many - 1),
    };
    let all: Vec<String> = group.iter().map(|c| ends(c)).collect();
    Some(
        Finding::new(cause)
            .with("connection", connection)
            .with("connections", all),
    )
}

/// The finding for connections that other programs than their owner's inherited.
fn leak(group: &[&HeldConnection]) -> Option<Finding> {
    let first = group.first()?;
    let [owner, others @ ..] = first.holders.as_slice() else {
        return None;
    };
    let pids: Vec<i32> = others.iter().map(|holder| holder.pid).collect();
    Some(
        about(&cause::LEAKED_SOCKET, group)?
            .with("owner", sockets::people(std::slice::from_ref(owner)))
            .with("programs", sockets::people(others))
            .with("pids", pids)
            .word("pid", others.first()?.pid)
            .word("inode", first.inode),
    )
}

/// The finding for connections that several processes of one program hold.
fn finding(group: &[&HeldConnection]) -> Option<Finding> {
    let first = group.first()?;
    let pids: Vec<i32> = first.holders.iter().map(|holder| holder.pid).collect();
    let finding = about(&cause::SHARED_SOCKET, group)?
        .with("processes", sockets::people(&first.holders))
        .with("pids", pids);
    let finding = match first.together {
        Some(time) => finding.with("shared_for_s", time.as_secs()),
        None => finding,
    };
    let finding = match first.used_together() {
        Some(used) => finding.with("used_since", used),
        None => finding,
    };
    let framework = first.holders.iter().find_map(|holder| holder.framework);
    let finding = match framework {
        Some(framework) => finding.fix(
            format!(
                "{} (here: {}).",
                framework.advice(),
                sockets::people(&first.holders)
            ),
            None,
        ),
        None => finding,
    };
    Some(match first.used_together() {
        Some(false) => finding.fix(
            "Nothing has been sent over it since the fork: check again once the workers have \
             handled requests. If they do not use the inherited connection, they open their own, \
             and the check passes."
                .to_owned(),
            None,
        ),
        None if first.held() == Held::Doubtful => finding.fix(
            "Check whether the workers use it: each that inherited it has opened a connection of \
             its own too, and nothing shows here whether anything is sent over this one. If their \
             pools do not contain it, it does no harm."
                .to_owned(),
            None,
        ),
        _ => finding,
    })
}
