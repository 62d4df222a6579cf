//! What happens at a tap, as lines on standard error: for people, or one JSON object each.
//!
//! A thread writes them, so that a terminal that is slow or stopped holds no connection up.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::forward::ConnectionEnd;
use crate::redact;
use crate::report::ms;
use crate::tap::record::Record;
use crate::tap::watch::{EventSink, TapEvent};
use crate::text;

/// So many lines may wait to be written.
const WAITING: usize = 4_096;

/// How long what is still to be written may take at the end.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Tells what happens.
pub(super) struct EventWriter {
    began: Instant,
    as_json: bool,
    is_quiet: bool,
    lines: Mutex<Option<SyncSender<String>>>,
    missed: AtomicU64,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl EventWriter {
    /// Tells in JSON, or for people; with `is_quiet` nothing at all.
    pub(super) fn new(as_json: bool, is_quiet: bool) -> Self {
        let (lines, writer) = match is_quiet {
            true => (None, None),
            false => {
                let (lines, waiting) = sync_channel(WAITING);
                let writer = std::thread::Builder::new().spawn(move || write(&waiting));
                (Some(lines), writer.ok())
            }
        };
        Self {
            began: Instant::now(),
            as_json,
            is_quiet,
            lines: Mutex::new(lines),
            missed: AtomicU64::new(0),
            writer: Mutex::new(writer),
        }
    }

    /// Says something about the tap itself.
    pub(super) fn say(&self, line: &str) {
        self.line(None, "tap", line, || Value::Null);
    }

    /// The values are only made where somebody is to see or to learn from them.
    fn line(
        &self,
        record: Option<&Record>,
        name: &str,
        words: &str,
        values: impl FnOnce() -> Value,
    ) {
        // First, since the words may hold names that only the values tell apart.
        let values = (self.as_json || redact::active::is_asked_for())
            .then(|| redact::active::facts(values()));
        let words = &*redact::active::line(words);
        let client = record.map(|record| record.client.to_string());
        let client = client.as_deref().map(redact::active::line);
        let line = match (self.as_json, record) {
            (true, record) => json!({
                "at_ms": ms(self.began.elapsed()),
                "connection": record.map(|record| record.number),
                "client": client,
                "event": name,
                "text": text::clean(words),
                "values": values,
            })
            .to_string(),
            (false, Some(record)) => {
                format!("dbdoctor: #{}: {}", record.number, text::clean(words))
            }
            (false, None) => format!("dbdoctor: {}", text::clean(words)),
        };
        let lines = self.lines.lock();
        if let Ok(Some(lines)) = lines.as_deref()
            && lines.try_send(line).is_err()
        {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment until all is written.
    pub(super) fn finish(&self) {
        let missed = self.missed.load(Ordering::Relaxed);
        if missed > 0 {
            self.say(&format!(
                "{missed} more events, not shown: standard error is too slow"
            ));
        }
        if let Ok(mut lines) = self.lines.lock() {
            *lines = None;
        }
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        let limit = Instant::now() + FLUSH_LIMIT;
        while writer.as_ref().is_some_and(|writer| !writer.is_finished()) && Instant::now() < limit
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Writes what comes; who closed standard error does not want to know.
fn write(lines: &Receiver<String>) {
    for line in lines {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

impl EventSink for EventWriter {
    fn tell(&self, record: &Record, happening: TapEvent<'_>) {
        if self.is_quiet {
            return;
        }
        let none = || Value::Null;
        match happening {
            TapEvent::Connected => {
                let words = format!("connection from {}", record.client);
                self.line(Some(record), "connected", &words, none);
            }
            TapEvent::NotForwarded(why) => {
                let code = why.cause.code;
                let words = format!("not forwarded, {code}: {}", why.summary());
                let values = || json!({"cause": code});
                self.line(Some(record), "not-forwarded", &words, values);
            }
            TapEvent::Said(event) => {
                let words = event.to_string();
                self.line(Some(record), event.name(), &words, || event.to_json());
            }
            TapEvent::TunnelLost(why) => {
                let words = format!("tunnel lost: {why}");
                self.line(Some(record), "tunnel-lost", &words, none);
            }
            TapEvent::Ended(end) => {
                self.line(Some(record), "ended", &ended(record, end), none);
            }
        }
    }
}

/// How a connection ended, in words.
fn ended(record: &Record, end: ConnectionEnd) -> String {
    let quiet = record.silence.before_end.unwrap_or_default();
    let idle = match quiet.as_secs() {
        0 => String::new(),
        _ => format!(", idle for the last {:.1} s", quiet.as_secs_f64()),
    };
    let process = match record.process() {
        Some(process) => format!("{process}: "),
        None => String::new(),
    };
    let bytes = record.conversation.bytes;
    format!(
        "{process}{end} after {:.1} s ({} bytes from the application, {} from the server){idle}",
        record.began.elapsed().as_secs_f64(),
        bytes.client,
        bytes.server,
    )
}
