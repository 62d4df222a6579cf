//! One question to one name server: datagrams as the C library sends them, and
//! TCP where an answer does not fit (RFC 1035, 4.2).

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// When a question without an answer is sent again.
const RESEND: Duration = Duration::from_millis(1_000);

/// A host that does not answer ARP or neighbour discovery is reported as
/// unreachable after about three seconds; a missing route at once. Only the
/// latter is known at once, the former is silence.
const AT_ONCE: Duration = Duration::from_millis(900);

/// The largest datagram that is read: the largest that there is, as the C
/// library reads it.
const LARGEST: usize = 65_535;

/// The size of datagrams that the C library announces with `edns0`
/// (`RESOLV_EDNS_BUFFER_SIZE`).
const ANNOUNCED: u16 = 1_200;

/// What one question came to.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A reply in order.
    Read(Box<Message>),
    /// A reply that could not be read.
    Unreadable,
    /// A reply that was cut to fit into a datagram, and none over TCP.
    Truncated,
    /// None.
    Silent,
    /// The question could not be asked.
    Unusable(i32),
}

/// A question for one kind of record, with or without EDNS (RFC 6891).
pub fn question(name: &Name, kind: RecordType, edns: bool) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), kind));
    if edns {
        let mut edns = Edns::new();
        edns.set_max_payload(ANNOUNCED);
        message.set_edns(edns);
    }
    message
}

/// Whether a message is the reply to a question.
pub(crate) fn answers_to(reply: &Message, question: &Message) -> bool {
    reply.metadata.id == question.metadata.id
        && reply.metadata.message_type == MessageType::Response
        && match (reply.queries.first(), question.queries.first()) {
            (Some(theirs), Some(ours)) => {
                theirs.query_type() == ours.query_type() && theirs.name() == ours.name()
            }
            // Some servers leave the question out of an error.
            (None, _) => reply.metadata.response_code != ResponseCode::NoError,
            _ => false,
        }
}

/// Sends questions over one socket, as the C library does, and reads until all
/// are answered. A truncated answer is asked for again over TCP.
/// `early` is told of every reply as it comes.
pub async fn over_udp(
    server: SocketAddr,
    questions: &[Message],
    limit: Instant,
    early: &(dyn Fn(&[Reply]) + Sync),
) -> Vec<Reply> {
    let mut replies: Vec<Reply> = vec![Reply::Silent; questions.len()];
    let started = Instant::now();
    let failed = |error: &io::Error| match error.raw_os_error() {
        Some(errno) if errno != libc::EHOSTUNREACH || started.elapsed() < AT_ONCE => {
            Reply::Unusable(errno)
        }
        _ => Reply::Silent,
    };
    let wildcard: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = match UdpSocket::bind(wildcard).await {
        Ok(socket) => socket,
        Err(error) => return vec![failed(&error); questions.len()],
    };
    if let Err(error) = socket.connect(server).await {
        return vec![failed(&error); questions.len()];
    }
    let mut buffer = vec![0u8; LARGEST];
    let mut truncated = Vec::new();
    let open = |replies: &[Reply]| replies.iter().any(|reply| matches!(reply, Reply::Silent));
    while open(&replies) && Instant::now() < limit {
        for (question, _) in waiting(questions, &replies) {
            let Ok(bytes) = question.to_vec() else {
                continue;
            };
            if let Err(error) = socket.send(&bytes).await {
                return vec![failed(&error); questions.len()];
            }
        }
        let round = limit.min(Instant::now() + RESEND);
        while open(&replies) {
            let read = match tokio::time::timeout_at(round.into(), socket.recv(&mut buffer)).await {
                Err(_) => break,
                Ok(Err(error)) => {
                    let reply = failed(&error);
                    for open in replies.iter_mut().filter(|r| matches!(r, Reply::Silent)) {
                        *open = reply.clone();
                    }
                    return replies;
                }
                Ok(Ok(read)) => read,
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            match Message::from_vec(bytes) {
                Ok(message) => {
                    let Some(at) = questions.iter().position(|q| answers_to(&message, q)) else {
                        continue;
                    };
                    if message.metadata.truncation {
                        truncated.push(at);
                        replies[at] = Reply::Truncated;
                        continue;
                    }
                    replies[at] = Reply::Read(Box::new(message));
                    early(&replies);
                }
                // It is ours by its id, and cannot be read.
                Err(_) if bytes.len() < 2 => {
                    // Too short to say which question it is for; the C library
                    // goes on to the next server.
                    for open in replies.iter_mut().filter(|r| matches!(r, Reply::Silent)) {
                        *open = Reply::Unreadable;
                    }
                }
                Err(_) => {
                    let id = bytes.first_chunk().map(|id| u16::from_be_bytes(*id));
                    let ours = questions.iter().position(|q| Some(q.metadata.id) == id);
                    if let Some(at) = ours {
                        replies[at] = Reply::Unreadable;
                    }
                }
            }
        }
    }
    for at in truncated {
        if let full @ Reply::Read(_) = over_tcp(server, &questions[at], limit).await {
            replies[at] = full;
        }
    }
    replies
}

/// The questions that have no reply yet, with their places.
fn waiting<'a>(
    questions: &'a [Message],
    replies: &'a [Reply],
) -> impl Iterator<Item = (&'a Message, usize)> {
    questions
        .iter()
        .zip(replies)
        .enumerate()
        .filter(|(_, (_, reply))| matches!(reply, Reply::Silent))
        .map(|(at, (question, _))| (question, at))
}

/// One question over TCP (RFC 1035, 4.2.2).
pub async fn over_tcp(server: SocketAddr, question: &Message, limit: Instant) -> Reply {
    let exchange = async {
        let bytes = question
            .to_vec()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut stream = TcpStream::connect(server).await?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        stream.write_all(&framed).await?;
        let length = stream.read_u16().await?;
        let mut reply = vec![0; usize::from(length)];
        stream.read_exact(&mut reply).await?;
        Ok::<_, io::Error>(reply)
    };
    match tokio::time::timeout_at(limit.into(), exchange).await {
        Err(_) => Reply::Silent,
        Ok(Err(error)) => error
            .raw_os_error()
            .map_or(Reply::Unreadable, Reply::Unusable),
        Ok(Ok(bytes)) => match Message::from_vec(&bytes) {
            Ok(message) if answers_to(&message, question) => Reply::Read(Box::new(message)),
            _ => Reply::Unreadable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns_name(name: &str) -> Option<Name> {
        let mut name = Name::from_ascii(name).ok()?;
        name.set_fqdn(true);
        Some(name)
    }

    #[tokio::test]
    async fn a_closed_port_is_told_at_once() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        drop(socket);
        let name = dns_name("db.test").unwrap();
        let questions = [question(&name, RecordType::A, false)];
        let limit = Instant::now() + Duration::from_secs(5);
        let replies = over_udp(server, &questions, limit, &|_| ()).await;
        assert!(matches!(replies[0], Reply::Unusable(libc::ECONNREFUSED)));
    }

    #[tokio::test]
    async fn an_empty_reply_is_one_that_cannot_be_read() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(b"", from).await;
            }
        });
        let name = dns_name("db.test").unwrap();
        let questions = [RecordType::A, RecordType::AAAA].map(|kind| question(&name, kind, false));
        let limit = Instant::now() + Duration::from_secs(20);
        let replies = over_udp(server, &questions, limit, &|_| ()).await;
        assert!(
            replies
                .iter()
                .all(|reply| matches!(reply, Reply::Unreadable))
        );
    }

    #[tokio::test]
    async fn garbage_is_no_answer_and_no_panic() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(b"x", from).await;
                let _ = socket.send_to(&buffer[..8], from).await;
            }
        });
        let name = dns_name("db.test").unwrap();
        let questions = [question(&name, RecordType::A, false)];
        let limit = Instant::now() + Duration::from_millis(300);
        let replies = over_udp(server, &questions, limit, &|_| ()).await;
        assert!(matches!(replies[0], Reply::Unreadable));
    }
}
