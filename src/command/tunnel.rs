//! `tunnel --listen`: keeps the tested tunnel open, so that an application can be
//! pointed at it. If the application works through it, its own tunnel library is at
//! fault.
//!
//! The address, and the fate of each connection, go to standard error as they
//! happen; the report is printed at the end.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::cause;
use crate::config::{Endpoint, Place};
use crate::ctx::Ctx;
use crate::finding::{Finding, shown};
use crate::idle::Stop;
use crate::pipeline::Connected;
use crate::report::{Report, Stage, StageRecord, ms};
use crate::stage::ssh::Bastion;
use crate::stage::tunnel;
use crate::text;

/// How often the server is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// After so many unanswered ones in a row the tunnel counts as dead.
const UNANSWERED: usize = 3;
/// A pause where the system has no more sockets to give.
const BREATH: Duration = Duration::from_millis(100);

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
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, bound))
    };
    let (listener, bound) = match bound.await {
        Ok(bound) => bound,
        Err(error) => {
            return Some(
                Finding::new(&cause::tunnel::LISTEN)
                    .with("address", address.to_string())
                    .with("port", address.port())
                    .with("error", error.to_string())
                    .with("errno", error.raw_os_error()),
            );
        }
    };
    if !bound.ip().is_loopback() {
        let exposed = Finding::new(&cause::tunnel::EXPOSED)
            .with("address", bound.to_string())
            .with("target", connected.endpoint.label());
        say(&exposed.summary());
        record.warn(exposed);
    }
    say(&format!(
        "listening on {bound}, forwarding to {} through {}; press Ctrl-C to stop",
        connected.endpoint.label(),
        bastion.label
    ));
    if let Some(example) = example(connected, bound) {
        say(&format!("try: {example}"));
    }
    let tally = Arc::new(Tally::default());
    let mut connections = JoinSet::new();
    let lost = {
        let accepting = accept(&listener, connected, bastion, &tally, &mut connections);
        let watching = watch(bastion, &connected.ctx);
        tokio::pin!(accepting, watching);
        tokio::select! {
            () = &mut accepting => None,
            lost = &mut watching => Some(lost),
            () = stop => None,
        }
    };
    // Each still says its last line. A tunnel that died has ended them all, and they find out.
    if lost.is_some() {
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(BREATH * 5, all).await;
    }
    let _ = tokio::time::timeout(BREATH, connections.shutdown()).await;
    if let Some(lost) = &lost {
        say(&lost.summary());
    }
    record.fact("listen", tally.fact(bound, began.elapsed()));
    record.summary = format!(
        "{}; kept open for {} on {bound}, {} connections",
        record.summary,
        seconds(began.elapsed()),
        tally.connections.load(Ordering::Relaxed),
    );
    lost
}

/// Forwards every connection until it is dropped.
async fn accept(
    listener: &TcpListener,
    connected: &Connected,
    bastion: &Bastion,
    tally: &Arc<Tally>,
    connections: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((local, peer)) => {
                    let number = tally.connections.fetch_add(1, Ordering::Relaxed) + 1;
                    connections.spawn(connection(
                        number,
                        local,
                        peer,
                        bastion.clone(),
                        connected.endpoint.clone(),
                        connected.ctx.clone(),
                        Arc::clone(tally),
                    ));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Waits for the end of the session: it ends, or no longer answers.
async fn watch(bastion: &Bastion, ctx: &Ctx) -> Finding {
    let mut unanswered = 0;
    loop {
        tokio::select! {
            _ = bastion.ended() => {
                return bastion.after_disconnect().await;
            }
            () = tokio::time::sleep(KEEPALIVE) => {}
        }
        let limit = Instant::now() + KEEPALIVE;
        match bastion.ping(&ctx.anew(), limit).await {
            Ok(_) => unanswered = 0,
            Err(lost) => {
                unanswered += 1;
                if unanswered == UNANSWERED || bastion.fate().is_some() {
                    return lost;
                }
            }
        }
    }
}

/// One connection, from its forward to its end.
async fn connection(
    number: u64,
    local: TcpStream,
    peer: SocketAddr,
    bastion: Bastion,
    endpoint: Endpoint,
    ctx: Ctx,
    tally: Arc<Tally>,
) {
    let began = Instant::now();
    let _ = local.set_nodelay(true);
    let ctx = ctx.anew();
    let forward = match tunnel::open(&bastion, &endpoint, &ctx, ctx.limit()).await {
        Ok(forward) => forward,
        Err(failure) => {
            tally.refused.fetch_add(1, Ordering::Relaxed);
            let finding = tunnel::refused(&failure, &bastion, &endpoint);
            say(&format!(
                "#{number} from {peer}: not forwarded, {}: {}",
                finding.cause.code,
                finding.summary()
            ));
            return;
        }
    };
    say(&format!("#{number} from {peer}: forwarded"));
    let (near, far) = (tokio::io::split(local), tokio::io::split(forward));
    let mut told = Told {
        number,
        began,
        up: AtomicU64::new(0),
        down: AtomicU64::new(0),
        fate: None,
    };
    let upward = pump(near.0, far.1, &told.up, &tally.up);
    let downward = pump(far.0, near.1, &told.down, &tally.down);
    tokio::pin!(upward, downward);
    // Whoever stops first has ended it; the other may still be speaking.
    let (heard, mut fate) = tokio::select! {
        biased; // what the application closed is closed by it, whatever came meanwhile
        end = &mut upward => (Closer::Application, end.between(Closer::Application, Closer::Database)),
        end = &mut downward => (Closer::Database, end.between(Closer::Database, Closer::Application)),
    };
    told.fate = Some(fate);
    if fate.by == Closer::Database
        && let Some(death) = bastion.wait_for_disconnect().await
    {
        let why = death.evidence.get("error").map(shown).unwrap_or_default();
        say(&format!("#{number}: tunnel lost: {why}"));
        fate.by = Closer::Tunnel;
        told.fate = Some(fate);
    }
    match heard {
        Closer::Application => drop(downward.await),
        // The application is told; what it still says goes nowhere.
        _ => drop(tokio::time::timeout(BREATH, upward).await),
    }
}

/// What is told of a connection at its end: once, also where the tunnel ends
/// in the middle of everything.
struct Told {
    number: u64,
    began: Instant,
    up: AtomicU64,
    down: AtomicU64,
    fate: Option<ConnectionEnd>,
}

impl Drop for Told {
    fn drop(&mut self) {
        let fate = match &self.fate {
            Some(fate) => fate.to_string(),
            None => "closed with the tunnel".to_owned(),
        };
        say(&format!(
            "#{}: {fate} after {}, {} up, {} down",
            self.number,
            seconds(self.began.elapsed()),
            bytes(self.up.load(Ordering::Relaxed)),
            bytes(self.down.load(Ordering::Relaxed)),
        ));
    }
}

/// Who may end a connection.
#[derive(Clone, Copy, PartialEq)]
enum Closer {
    Application,
    Database,
    Tunnel,
}

/// Who ended a connection, and how.
#[derive(Clone, Copy)]
struct ConnectionEnd {
    by: Closer,
    error: Option<ErrorKind>,
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Closer::Application => "the application",
            Closer::Database => "the database side",
            Closer::Tunnel => "the tunnel",
        };
        match self.error {
            None => write!(f, "closed by {by}"),
            Some(ErrorKind::ConnectionReset) => write!(f, "reset by {by}"),
            Some(kind) => write!(f, "broken by {by} ({kind})"),
        }
    }
}

/// Where one direction came to its end.
#[derive(Clone, Copy)]
enum DirectionEnd {
    /// Nothing more is read.
    Read(Option<ErrorKind>),
    /// Nothing more can be written.
    Written(ErrorKind),
}

impl DirectionEnd {
    fn between(self, reader: Closer, writer: Closer) -> ConnectionEnd {
        match self {
            Self::Read(error) => ConnectionEnd { by: reader, error },
            Self::Written(kind) => ConnectionEnd {
                by: writer,
                error: Some(kind),
            },
        }
    }
}

/// Copies one direction to its end and passes the end on.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
    total: &AtomicU64,
) -> DirectionEnd {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return DirectionEnd::Read(None);
            }
            Ok(read) => read,
            Err(error) => {
                let _ = to.shutdown().await;
                return DirectionEnd::Read(Some(error.kind()));
            }
        };
        count.fetch_add(read as u64, Ordering::Relaxed);
        total.fetch_add(read as u64, Ordering::Relaxed);
        let written = async {
            to.write_all(buffer.get(..read).unwrap_or_default()).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return DirectionEnd::Written(error.kind());
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
    let _ = writeln!(std::io::stderr(), "dbdoctor: {}", text::clean(line));
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
