//! `tunnel --listen`: keeps the tested tunnel open, so that an application can be
//! pointed at it. If the application works through it, its own tunnel library is at
//! fault.
//!
//! The address, and the fate of each connection, go to standard error as they
//! happen; the report is printed at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cause;
use crate::config::Place;
use crate::finding::Finding;
use crate::forward::{self, ConnectionEnd, Side, Watch, Watched, Way};
use crate::idle::Stop;
use crate::pipeline::Connected;
use crate::redact;
use crate::report::{Report, Stage, StageRecord, ms};
use crate::stage::ssh::Bastion;
use crate::text;

/// Holds the tunnel open at a local address until `stop`, or until it dies;
/// what happened is added to the report's `tunnel` stage.
pub async fn hold(report: &mut Report, connected: Connected, address: SocketAddr, stop: Stop<'_>) {
    let mut record = report.stage(Stage::Tunnel).clone();
    let failure = match &connected.bastion {
        Some(bastion) => serve(&connected, bastion, address, &mut record, stop).await,
        None => None,
    };
    record.end(failure);
    *report.stage(Stage::Tunnel) = record;
    report.finish(false);
}

async fn serve(
    connected: &Connected,
    bastion: &Bastion,
    address: SocketAddr,
    record: &mut StageRecord,
    stop: Stop<'_>,
) -> Option<Finding> {
    let began = Instant::now();
    let (listener, bound) = match forward::listen(address, &cause::tunnel::LISTEN).await {
        Ok(bound) => bound,
        Err(finding) => return Some(finding),
    };
    let target = connected.endpoint.label();
    if let Some(exposed) = forward::exposed(bound, &cause::tunnel::EXPOSED, &target) {
        say(&exposed.summary());
        record.warn(exposed);
    }
    say(&format!(
        "listening on {bound}, forwarding to {target} through {}; press Ctrl-C to stop",
        bastion.label
    ));
    if let Some(example) = example(connected, bound) {
        say(&format!("try: {example}"));
    }
    let teller = Teller::default();
    let way = Way::tunnel(
        bastion.clone(),
        vec![connected.endpoint.clone()],
        connected.ctx.clone(),
    );
    let mut connections = JoinSet::new();
    let lost = tokio::select! {
        () = forward::forward(&listener, &way, &teller, &mut connections, None) => None,
        lost = way.gone() => Some(lost),
        () = stop => None,
    };
    forward::shut_down(&mut connections, lost.is_some()).await;
    if let Some(lost) = &lost {
        say(&lost.summary());
    }
    let tally = &teller.tally;
    record.fact("listen", tally.fact(bound, began.elapsed()));
    record.summary = format!(
        "{}; kept open for {} on {bound}, {} connections",
        record.summary,
        seconds(began.elapsed()),
        tally.connections.load(Ordering::Relaxed),
    );
    lost
}

/// Who tells of the connections.
#[derive(Clone, Default)]
struct Teller {
    tally: Arc<Tally>,
}

impl Watch for Teller {
    type Connection = Told;

    fn accepted(&self, number: u64, client: SocketAddr) -> Told {
        self.tally.connections.fetch_add(1, Ordering::Relaxed);
        Told {
            number,
            client,
            began: Instant::now(),
            up: 0,
            down: 0,
            fate: None,
            is_forwarded: false,
            tally: Arc::clone(&self.tally),
        }
    }
}

/// What is told of a connection, its end once, also where the tunnel ends in the middle of
/// everything.
struct Told {
    number: u64,
    client: SocketAddr,
    began: Instant,
    up: u64,
    down: u64,
    fate: Option<ConnectionEnd>,
    is_forwarded: bool,
    tally: Arc<Tally>,
}

impl Watched for Told {
    fn forwarded(&mut self) {
        self.is_forwarded = true;
        say(&format!("#{} from {}: forwarded", self.number, self.client));
    }

    async fn not_forwarded(&mut self, client: TcpStream, why: Finding) {
        drop(client);
        self.tally.refused.fetch_add(1, Ordering::Relaxed);
        say(&format!(
            "#{} from {}: not forwarded, {}: {}",
            self.number,
            self.client,
            why.cause.code,
            why.summary()
        ));
    }

    fn passing(&mut self, from: Side, bytes: &[u8]) {
        let (own, total) = match from {
            Side::Client => (&mut self.up, &self.tally.up),
            Side::Server => (&mut self.down, &self.tally.down),
        };
        *own += bytes.len() as u64;
        total.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    fn tunnel_lost(&mut self, why: &str) {
        say(&format!("#{}: tunnel lost: {why}", self.number));
    }

    fn ended(&mut self, end: ConnectionEnd) {
        self.fate = Some(end);
        self.tell();
    }
}

impl Told {
    fn tell(&self) {
        let fate = match &self.fate {
            Some(fate) => fate.to_string(),
            None => "closed with the tunnel".to_owned(),
        };
        say(&format!(
            "#{}: {fate} after {}, {} up, {} down",
            self.number,
            seconds(self.began.elapsed()),
            bytes(self.up),
            bytes(self.down),
        ));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.is_forwarded && self.fate.is_none() {
            self.tell();
        }
    }
}

/// Totals over all connections.
#[derive(Debug, Default)]
struct Tally {
    connections: AtomicU64,
    refused: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Tally {
    fn fact(&self, address: SocketAddr, held: Duration) -> serde_json::Value {
        json!({
            "address": address.to_string(),
            "held_ms": ms(held),
            "connections": self.connections.load(Ordering::Relaxed),
            "not_forwarded": self.refused.load(Ordering::Relaxed),
            "bytes_up": self.up.load(Ordering::Relaxed),
            "bytes_down": self.down.load(Ordering::Relaxed),
        })
    }
}

/// How to point `psql` at it: the host keeps its name, so that certificates
/// still fit, and the address is ours.
fn example(connected: &Connected, bound: SocketAddr) -> Option<String> {
    let host = match &connected.endpoint.place {
        Place::Unix(_) => String::new(),
        _ => format!("host={} ", connected.endpoint.host),
    };
    let near = match bound.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    let conninfo = format!(
        "{host}hostaddr={near} port={} user={} dbname={}",
        bound.port(),
        connected.target.user,
        connected.target.dbname
    );
    let plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let values = [
        &connected.endpoint.host,
        &connected.target.user,
        &connected.target.dbname,
    ];
    values
        .iter()
        .all(|value| plain(value))
        .then(|| format!("psql '{conninfo}'"))
}

/// A line on standard error; who closed it does not want to know.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(
        std::io::stderr(),
        "dbdoctor: {}",
        text::clean(&redact::active::line(line))
    );
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..10_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}
