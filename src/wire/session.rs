//! A logged-in session: simple queries, and what the server says unasked.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::ctx::{Ctx, Late};
use crate::wire::frames::{BoundsPhase, Fields, Frame, Frames, ReadError, put_message};
use crate::wire::secured::Wire;
use crate::wire::server_error::ServerError;

/// How many rows of an answer are kept; dbdoctor asks for a few.
const MOST_ROWS: usize = 10_000;

/// How many bytes of an answer are taken before it is given up.
const MOST_BYTES: usize = 8 << 20;

/// How many parameters are kept; a server has a dozen.
const MOST_PARAMETERS: usize = 256;

/// How many notices are kept of what a server says during its answers.
const MOST_NOTICES: usize = 16;

/// The messages that may come in answer to a query, beside rows and the end
/// (PostgreSQL documentation, "Message Formats").
const ANSWERS: &[u8] = b"123ACEGHINSTVWcdnst";

/// A row of an answer, as text; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// A session after ReadyForQuery.
pub struct Session {
    frames: Frames,
    /// What ParameterStatus messages told, by name; kept up to date.
    pub parameters: BTreeMap<String, String>,
    /// Their names as they came at start-up: a pooler has an order of its own.
    pub reported: Vec<String>,
    /// BackendKeyData's process id: the server's, or a number that a pooler
    /// made up.
    pub backend_pid: Option<i32>,
    /// Whether the last ReadyForQuery said that a transaction is open or failed.
    pub in_transaction: bool,
    /// What the server said beside its answers, the first of it.
    pub notices: Vec<ServerError>,
    /// Whether a query was cut off, so that the session is of no more use.
    broken: bool,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The server refuses it; the session goes on unless the severity is `FATAL`.
    Server(Box<ServerError>),
    /// The peer ended the connection in order.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The peer violates the protocol: how, and the length that a message
    /// claims, where it is absurd.
    Violated(String, Option<usize>),
    /// The connection broke in another way.
    Broken(String),
    /// No answer in time.
    Late,
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Closed => QueryError::Closed,
            ReadError::Reset => QueryError::Reset,
            ReadError::Oversized(_, length) => {
                QueryError::Violated(error.to_string(), Some(length))
            }
            ReadError::Malformed(..) | ReadError::Stranger(_) => {
                QueryError::Violated(error.to_string(), None)
            }
            other => QueryError::Broken(other.to_string()),
        }
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueryError::Server(error) => error.fmt(f),
            QueryError::Closed => f.write_str("the peer closed the connection"),
            QueryError::Reset => f.write_str("the peer reset the connection"),
            QueryError::Violated(text, _) | QueryError::Broken(text) => f.write_str(text),
            QueryError::Late => f.write_str("no answer in time"),
        }
    }
}

/// What arrives on a session that asked for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdleMessage {
    /// The server ends the session, and says why: `FATAL` errors such as
    /// 57P01 and 57P05. The end of the connection follows.
    Error(Box<ServerError>),
    /// A notice.
    Notice(Box<ServerError>),
    /// A parameter changed.
    Parameter(String, String),
    /// The peer ended the connection in order.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The connection broke in another way, or the peer violates the protocol.
    Broken(String),
}

impl Session {
    /// A session whose start-up is done.
    pub fn new(
        frames: Frames,
        parameters: BTreeMap<String, String>,
        backend_pid: Option<i32>,
    ) -> Self {
        Self {
            frames,
            parameters,
            reported: Vec::new(),
            backend_pid,
            in_transaction: false,
            notices: Vec::new(),
            broken: false,
        }
    }

    /// The transport below: its route, socket, and what was seen of it.
    pub fn wire(&self) -> &Wire {
        self.frames.wire()
    }

    /// Sends a simple query and gathers its rows, within the stage's time.
    pub async fn simple_query(&mut self, sql: &str, ctx: &Ctx) -> Result<Vec<Row>, QueryError> {
        self.query_until(sql, ctx.limit(), ctx).await
    }

    /// Sends a simple query and gathers its rows, up to a limit. A session
    /// whose query was not answered in time is of no more use.
    pub async fn query_until(
        &mut self,
        sql: &str,
        limit: Instant,
        ctx: &Ctx,
    ) -> Result<Vec<Row>, QueryError> {
        if self.broken {
            return Err(QueryError::Late);
        }
        self.broken = true;
        let mut body: Vec<u8> = sql.bytes().filter(|&b| b != 0).collect();
        body.push(0);
        let mut message = Vec::new();
        put_message(&mut message, b'Q', &body);
        let answer = ctx
            .until(limit, async {
                self.frames.send(&message).await;
                self.answer().await
            })
            .await
            .unwrap_or(Err(QueryError::Late));
        self.broken = matches!(
            answer,
            Err(QueryError::Late
                | QueryError::Closed
                | QueryError::Reset
                | QueryError::Violated(..)
                | QueryError::Broken(_))
        );
        answer
    }

    /// Waits for something that the server says unasked. May be dropped
    /// half-way and called again.
    pub async fn next_event(&mut self) -> IdleMessage {
        loop {
            match self.frames.next(BoundsPhase::Session).await {
                Ok(frame) => {
                    if let Some(event) = self.unasked(&frame) {
                        return event;
                    }
                }
                Err(ReadError::Closed) => return IdleMessage::Closed,
                Err(ReadError::Reset) => return IdleMessage::Reset,
                Err(other) => return IdleMessage::Broken(other.to_string()),
            }
        }
    }

    /// As [`Session::next_event`], up to a limit.
    pub async fn next_event_until(
        &mut self,
        limit: Instant,
        ctx: &Ctx,
    ) -> Result<IdleMessage, Late> {
        ctx.until(limit, self.next_event()).await
    }

    /// Ends the session in order: Terminate, then the server's end.
    pub async fn close(self) {
        self.frames.terminate().await;
    }

    async fn answer(&mut self) -> Result<Vec<Row>, QueryError> {
        let mut rows = Vec::new();
        let mut refusal = None;
        let mut taken = 0;
        loop {
            let frame = match self.frames.next(BoundsPhase::Session).await {
                Ok(frame) => frame,
                // A FATAL error is followed by the end of the connection.
                Err(error) => {
                    return Err(refusal.map_or_else(|| error.into(), QueryError::Server));
                }
            };
            taken += frame.body.len();
            if taken > MOST_BYTES {
                return Err(violated("an answer that never ends"));
            }
            match frame.tag {
                b'D' => match row(&frame.body) {
                    Some(row) if rows.len() < MOST_ROWS => rows.push(row),
                    Some(_) => {}
                    None => return Err(violated("a malformed row")),
                },
                b'Z' => {
                    self.in_transaction = frame.body.first() != Some(&b'I');
                    return match refusal {
                        Some(error) => Err(QueryError::Server(error)),
                        None => Ok(rows),
                    };
                }
                tag if ANSWERS.contains(&tag) => match self.unasked(&frame) {
                    Some(IdleMessage::Error(error)) => {
                        refusal.get_or_insert(error);
                    }
                    Some(IdleMessage::Notice(notice)) if self.notices.len() < MOST_NOTICES => {
                        self.notices.push(*notice);
                    }
                    _ => {}
                },
                tag => {
                    let tag = crate::text::clean_bytes(&[tag]);
                    return Err(violated(&format!("a message of the unknown type '{tag}'")));
                }
            }
        }
    }

    fn unasked(&mut self, frame: &Frame) -> Option<IdleMessage> {
        let said = || ServerError::parse(&frame.body).map(Box::new);
        match frame.tag {
            b'E' => said().map(IdleMessage::Error),
            b'N' => said().map(IdleMessage::Notice),
            b'S' => {
                let mut fields = Fields(&frame.body);
                let (name, value) = (fields.string()?, fields.string()?);
                if self.parameters.len() < MOST_PARAMETERS || self.parameters.contains_key(&name) {
                    self.parameters.insert(name.clone(), value.clone());
                }
                Some(IdleMessage::Parameter(name, value))
            }
            _ => None,
        }
    }
}

fn violated(how: &str) -> QueryError {
    QueryError::Violated(how.to_owned(), None)
}

/// A DataRow's values.
fn row(body: &[u8]) -> Option<Row> {
    let mut fields = Fields(body);
    let count = usize::try_from(fields.i16()?).ok()?;
    (0..count)
        .map(|_| match usize::try_from(fields.i32()?) {
            Ok(length) => Some(Some(super::frames::decode(fields.bytes(length)?))),
            Err(_) => Some(None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_bounded() {
        assert_eq!(
            row(b"\0\x02\0\0\0\x01a\xff\xff\xff\xff"),
            Some(vec![Some("a".to_owned()), None])
        );
        assert_eq!(row(b"\0\x01\0\0\0\x09a"), None);
        assert_eq!(row(b"\x7f\xff"), None);
    }
}
