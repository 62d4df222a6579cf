//! Looks on at the connections that are forwarded, and keeps what is worth a report.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::conversation::{Conversation, Event, Phase, TlsAlert};
use super::facts;
use super::process::{Finder, Process};
use super::record::Record;
use super::reply::error_response;
use crate::finding::Finding;
use crate::forward::{ConnectionEnd, Side, Watch, Watched};

/// What happens at a tap, as it happens.
pub enum TapEvent<'a> {
    /// A client connected.
    Connected,
    /// It could not be forwarded.
    NotForwarded(&'a Finding),
    /// It said something, or the server did.
    Said(&'a Event),
    /// The SSH session is gone.
    TunnelLost(&'a str),
    /// It is over.
    Ended(ConnectionEnd),
}

/// Who is told what happens.
pub trait EventSink: Send + Sync {
    /// Tells it, of the connection of this record.
    fn tell(&self, record: &Record, happening: TapEvent<'_>);
}

/// What a tap has seen so far.
#[derive(Default)]
pub struct Log {
    seen: Mutex<Seen>,
}

/// What has been seen of all connections.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many connections there were.
    pub connections: u64,
    /// Those that are over, the first ones and the latest, in the order of their ends.
    pub records: Vec<Record>,
    /// How many more are over, by how they ended.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// So many records of connections are kept.
const KEPT: usize = 1_000;

impl Log {
    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Seen {
    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.connections - self.left_out() - self.records.len() as u64
    }

    /// How many are over and not among the records.
    pub fn left_out(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Takes clients whose process was not found for the only one that was at their address.
    pub fn name_clients(&mut self) {
        let mut only: BTreeMap<IpAddr, Option<Process>> = BTreeMap::new();
        for record in &self.records {
            if let Some(process) = record.process() {
                only.entry(record.client.ip())
                    .and_modify(|known| *known = known.take().filter(|it| it == process))
                    .or_insert_with(|| Some(process.clone()));
            }
        }
        for record in &mut self.records {
            let known = only.get(&record.client.ip()).cloned().flatten();
            record.taken_for = known.filter(|_| record.process().is_none());
        }
    }

    /// Keeps a record. Of too many, those that came to nothing worth a word make room.
    fn keep(&mut self, record: Record) {
        if self.records.len() >= KEPT {
            let unremarkable = |it: &Record| {
                it.refused.is_none()
                    && it.conversation.errors.is_empty()
                    && it.conversation.unreadable.is_none()
                    && it.end.is_none_or(|(end, _)| end.error.is_none())
            };
            let at = self.records.iter().skip(KEPT / 2).position(unremarkable);
            let dropped = self.records.remove(KEPT / 2 + at.unwrap_or(0));
            *self.dropped.entry(facts::fate(&dropped)).or_default() += 1;
        }
        self.records.push(record);
    }
}

/// Looks on at every connection.
#[derive(Clone)]
pub struct Tap {
    address: SocketAddr,
    log: Arc<Log>,
    finder: Finder,
    teller: Arc<dyn EventSink>,
}

impl Tap {
    /// Looks on at connections to this address.
    pub fn new(address: SocketAddr, log: Arc<Log>, teller: Arc<dyn EventSink>) -> Self {
        Self {
            address,
            log,
            finder: Finder::start(),
            teller,
        }
    }
}

impl Watch for Tap {
    type Connection = TappedConnection;

    fn accepted(&self, number: u64, client: SocketAddr) -> TappedConnection {
        self.log.seen().connections += 1;
        let record = Record::new(number, client);
        self.finder.find(client, self.address, &record.process);
        self.teller.tell(&record, TapEvent::Connected);
        TappedConnection {
            record: Some(record),
            log: Arc::clone(&self.log),
            teller: Arc::clone(&self.teller),
        }
    }
}

/// Looks on at one connection.
pub struct TappedConnection {
    /// Taken when it is over.
    record: Option<Record>,
    log: Arc<Log>,
    teller: Arc<dyn EventSink>,
}

impl TappedConnection {
    /// What was said so far; none once it is over.
    pub(super) fn conversation(&self) -> Option<&Conversation> {
        self.record.as_ref().map(|record| &record.conversation)
    }

    /// Notes an alert that only the end of TLS could read.
    pub(super) fn alert(&mut self, alert: TlsAlert) {
        if let Some(record) = &mut self.record {
            let seen = &mut record.conversation.alerts;
            if seen.contains(&alert) {
                return;
            }
            // The record of that size was seen before.
            seen.retain(|it| it.from != alert.from || it.number.is_some());
            seen.push(alert);
            self.teller
                .tell(record, TapEvent::Said(&Event::Alert(alert)));
        }
    }

    /// What is read from now on was encrypted: a conversation that begins anew, behind what is
    /// known of the encryption.
    pub(super) fn enter_tls(&mut self) {
        if let Some(record) = &mut self.record {
            let outer = std::mem::take(&mut record.conversation);
            record.conversation = outer.inside();
        }
    }
}

impl Watched for TappedConnection {
    fn forwarded(&mut self) {}

    async fn not_forwarded(&mut self, mut client: TcpStream, why: Finding) {
        if let Some(record) = &mut self.record {
            self.teller.tell(record, TapEvent::NotForwarded(&why));
            record.refused = Some(why.clone());
        }
        let _ = tokio::time::timeout(TURN_AWAY_LIMIT, self.turn_away(&mut client, &why)).await;
    }

    /// Reads what one side sent, and tells what it means.
    fn passing(&mut self, from: Side, bytes: &[u8]) {
        let Some(record) = &mut self.record else {
            return;
        };
        let at = Instant::now();
        record.silence.heard(from, at);
        let mut events = Vec::new();
        let mut note = |event| events.push(event);
        match from {
            Side::Client => record.conversation.client(at, bytes, &mut note),
            Side::Server => record.conversation.server(at, bytes, &mut note),
        }
        for event in &events {
            self.teller.tell(record, TapEvent::Said(event));
        }
    }

    fn tunnel_lost(&mut self, why: &str) {
        if let Some(record) = &mut self.record {
            record.tunnel_lost = Some(why.to_owned());
            self.teller.tell(record, TapEvent::TunnelLost(why));
        }
    }

    fn ended(&mut self, end: ConnectionEnd) {
        if let Some(record) = &mut self.record {
            let at = Instant::now();
            record.silence.before_end = Some(record.silence_before_end(at));
            record.said_goodbye = facts::says_goodbye(&record.conversation);
            record.end = Some((end, at));
            self.teller.tell(record, TapEvent::Ended(end));
        }
    }
}

impl Drop for TappedConnection {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.log.seen().keep(record);
        }
    }
}

/// How long a client that cannot be forwarded has to say what it wants.
const TURN_AWAY_LIMIT: Duration = Duration::from_secs(2);

/// The most that such a client is listened to.
const MOST_HEARD: usize = 16 * 1024;

impl TappedConnection {
    /// Answers a client in the server's place: with an error, whatever it asks for first. libpq
    /// shows its text only in answer to a start-up message; asked for TLS, an `N` would have
    /// people look for a server without TLS. What is no PostgreSQL client is closed.
    async fn turn_away(&mut self, client: &mut TcpStream, why: &Finding) {
        let mut buffer = [0; 4096];
        let mut heard = 0;
        while heard < MOST_HEARD {
            let Ok(read @ 1..) = client.read(&mut buffer).await else {
                return;
            };
            heard += read;
            self.passing(Side::Client, buffer.get(..read).unwrap_or_default());
            let Some(record) = &self.record else { return };
            let conversation = &record.conversation;
            if conversation.startup.is_some()
                || conversation.phase == Phase::Opening && !conversation.encryption.is_empty()
            {
                let _ = client.write_all(&cannot_reach(why)).await;
                let _ = client.shutdown().await;
                return;
            }
            if conversation.phase != Phase::Opening {
                return;
            }
        }
    }
}

/// What a client is told whose database cannot be reached: 08001, the client was unable to
/// establish the connection.
fn cannot_reach(why: &Finding) -> Vec<u8> {
    let message = format!(
        "dbdoctor tap cannot reach the database: {} ({})",
        why.summary(),
        why.cause.code
    );
    error_response("08001", &message)
}
