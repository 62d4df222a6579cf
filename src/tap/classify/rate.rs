//! How often clients connect.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cause;
use crate::finding::Finding;
use crate::tap::record::Record;
use crate::wire::dial::seconds;

/// So many failed logins of one client, as fast as [`STORM_PAUSE`], are a storm.
const MIN_FAILURES: usize = 8;
/// A pool that waits for longer between its attempts is no storm.
const STORM_PAUSE: Duration = Duration::from_secs(1);

/// So many sessions of one client, one after the other and as short as [`SHORT`], are no pool.
const MIN_SHORT_SESSIONS: usize = 20;
/// A session that lives for longer is not opened for one piece of work.
const SHORT: Duration = Duration::from_secs(2);

/// The connections of each client.
fn by_client(records: &[Record]) -> BTreeMap<String, Vec<&Record>> {
    let mut clients: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    let connections = records
        .iter()
        .filter(|it| it.conversation.cancels.is_none());
    for record in connections {
        clients.entry(record.label()).or_default().push(record);
    }
    for connections in clients.values_mut() {
        connections.sort_by_key(|record| record.began);
    }
    clients
}

/// A client that comes back at once, again and again, though it is never let in.
pub(super) fn storm(records: &[Record]) -> Option<Finding> {
    let clients = by_client(records);
    let storms = clients.into_iter().filter_map(|(client, connections)| {
        let failed: Vec<&Record> = connections
            .iter()
            .copied()
            .filter(|it| it.is_let_in() == Some(false) && it.end.is_some() || it.refused.is_some())
            .collect();
        let (first, last) = (failed.first()?.began, failed.last()?.began);
        let is_let_in = connections.iter().any(|it| {
            it.is_let_in() != Some(false)
                && (first..=last).contains(&it.began)
                && it.refused.is_none()
        });
        if is_let_in {
            return None;
        }
        let pause = median_pause(&failed)?;
        (failed.len() >= MIN_FAILURES && pause < STORM_PAUSE).then_some((client, failed, pause))
    });
    let (client, failed, pause) = storms.max_by_key(|(_, failed, _)| failed.len())?;
    Some(
        Finding::new(&cause::tap::STORM)
            .with("client", client)
            .with("attempts", failed.len())
            .with("within", seconds(span(&failed)?))
            .with("pause", seconds(pause))
            .with("pause_ms", crate::report::ms(pause)),
    )
}

/// A client that opens a connection for each piece of work.
pub(super) fn no_pool(records: &[Record]) -> Option<Finding> {
    let clients = by_client(records);
    let busy = clients.into_iter().filter_map(|(client, connections)| {
        let short: Vec<&Record> = connections
            .into_iter()
            .filter(|record| {
                record.is_let_in() == Some(true) && record.lived().is_some_and(|time| time < SHORT)
            })
            .collect();
        let pause = median_pause(&short)?;
        (short.len() >= MIN_SHORT_SESSIONS && pause < SHORT).then_some((client, short, pause))
    });
    let (client, short, pause) = busy.max_by_key(|(_, short, _)| short.len())?;
    let life = median(short.iter().filter_map(|record| record.lived()));
    let login = median(short.iter().filter_map(|record| login(record)));
    Some(
        Finding::new(&cause::tap::NO_POOL)
            .with("client", client)
            .with("sessions", short.len())
            .with("within", seconds(span(&short)?))
            .with("lifetime", life.map(seconds))
            .with("pause", seconds(pause))
            .with("login", login.map(seconds)),
    )
}

fn login(record: &Record) -> Option<Duration> {
    let ready: Instant = record.conversation.login.ready?;
    Some(ready - record.began)
}

fn span(connections: &[&Record]) -> Option<Duration> {
    Some(connections.last()?.began - connections.first()?.began)
}

fn median_pause(connections: &[&Record]) -> Option<Duration> {
    let pairs = connections.windows(2);
    median(pairs.map(|pair| pair[1].began - pair[0].began))
}

fn median(times: impl Iterator<Item = Duration>) -> Option<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times.get(times.len() / 2).copied()
}
