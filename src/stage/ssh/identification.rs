//! The identification: both ends' first line (RFC 4253, section 4.2), read by
//! OpenSSH's rules and kept below the SSH library, which sees it once more.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::text;

/// Our own identification, without the line's end.
pub const OURS: &str = concat!("SSH-2.0-dbdoctor_", env!("CARGO_PKG_VERSION"));

/// How many lines a server may send before its identification (OpenSSH:
/// `SSH_MAX_PRE_BANNER_LINES`).
const MOST_LINES: usize = 1024;
/// How long one of them may be (OpenSSH: `SSH_MAX_BANNER_LEN`).
const LONGEST_LINE: usize = 8192;
/// How much of the clear text after the identification is kept: the server's
/// KEXINIT, which is at most a packet (RFC 4253, section 6.1).
const KEPT: usize = 40_000;

/// What the server said first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its identification, without the line's end.
    pub identification: String,
    /// The lines before it.
    pub before: Vec<String>,
}

impl Greeting {
    /// The software's name and version: `OpenSSH_9.2p1 Debian-2`.
    pub fn software(&self) -> &str {
        self.identification
            .splitn(3, '-')
            .nth(2)
            .unwrap_or(&self.identification)
    }
}

/// Why there was no identification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// The connection ended in order after these bytes.
    Closed(Vec<u8>),
    /// The connection broke after these bytes.
    Broken(io::ErrorKind, Vec<u8>),
    /// Bytes that no SSH server sends.
    Foreign(Vec<u8>),
}

/// Sends our identification and waits for the server's. What was read of the
/// server's answer, from the identification on, is returned for the replay.
/// The caller bounds the time; `heard` then has what had come.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    heard: &mut Vec<u8>,
) -> Result<(Greeting, Vec<u8>), Unheard> {
    let line = format!("{OURS}\r\n");
    let sent = async {
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await
    };
    if let Err(error) = sent.await {
        return Err(Unheard::Broken(error.kind(), Vec::new()));
    }
    let mut before = Vec::new();
    let mut begun = 0;
    let mut chunk = [0; 4096];
    loop {
        while let Some(length) = heard
            .get(begun..)
            .and_then(|rest| rest.iter().position(|&byte| byte == b'\n'))
        {
            let end = begun + length;
            let line = heard.get(begun..end).unwrap_or_default();
            // As below, where the rest of it is still to come.
            if line.contains(&0) || length > LONGEST_LINE {
                return Err(Unheard::Foreign(std::mem::take(heard)));
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.starts_with(b"SSH-") {
                let greeting = Greeting {
                    identification: String::from_utf8_lossy(line).into_owned(),
                    before,
                };
                return Ok((greeting, heard.split_off(begun)));
            }
            before.push(text::clean(&String::from_utf8_lossy(line)));
            begun = end + 1;
            if before.len() > MOST_LINES {
                return Err(Unheard::Foreign(std::mem::take(heard)));
            }
        }
        let rest = heard.get(begun..).unwrap_or_default();
        if rest.contains(&0) || rest.len() > LONGEST_LINE {
            return Err(Unheard::Foreign(std::mem::take(heard)));
        }
        match stream.read(&mut chunk).await {
            Ok(0) => return Err(Unheard::Closed(std::mem::take(heard))),
            Ok(n) => heard.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(error) => return Err(Unheard::Broken(error.kind(), std::mem::take(heard))),
        }
    }
}

/// Who it is that sends these bytes where an SSH server was expected.
pub fn who(bytes: &[u8]) -> &'static str {
    let trimmed = bytes.trim_ascii_start();
    recognised(bytes)
        .or_else(|| recognised(trimmed))
        .unwrap_or("a service other than SSH")
}

/// Somebody who is known by the shape of what he says.
fn recognised(bytes: &[u8]) -> Option<&'static str> {
    let starts = |prefix: &[u8]| bytes.starts_with(prefix);
    let lower = bytes.to_ascii_lowercase();
    let contains = |word: &[u8]| lower.windows(word.len()).any(|window| window == word);
    Some(match bytes {
        _ if starts(b"HTTP/") || is_markup(&lower) => "a web server (HTTP)",
        [0x15 | 0x16, 3, ..] => "a TLS server",
        _ if starts(b"SSH-1.") => "an SSH server that supports only protocol 1",
        _ if starts(b"SSH-") => "a service whose identification is not valid for SSH 2",
        [_, _, 0, 0, 10 | 0xff, ..] => "MySQL or MariaDB",
        [b'E', 0, 0, ..] | [b'N'] | [b'S'] => "PostgreSQL",
        // RESP: an error begins with a minus and a word in capitals.
        [b'-', b'A'..=b'Z', b'A'..=b'Z', ..] => "Redis",
        // A reply code of three digits (RFC 959, RFC 5321).
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..] => match contains(b"ftp") {
            true => "an FTP server",
            false => "a mail or FTP server",
        },
        _ if starts(b"+OK") => "a POP3 server",
        _ if starts(b"* OK") || starts(b"* BYE") => "an IMAP server",
        _ if starts(b"RFB ") => "a VNC server",
        [0xff, 0xfb..=0xfe, ..] => "a telnet server",
        [3, 0, 0, ..] => "a remote desktop (RDP) server",
        _ => return None,
    })
}

/// Whether text in small letters is a page, with or without a status line.
fn is_markup(lower: &[u8]) -> bool {
    let marks: [&[u8]; 5] = [b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--"];
    marks
        .iter()
        .any(|mark| lower.windows(mark.len()).any(|window| window == *mark))
}

/// Whether these are an SSH server's own words for "not now", or those of who
/// guards it: sshd says them in place of its identification (sshd.c:
/// `MaxStartups`, `PerSourcePenalties`), a guard speaks of the address. What
/// another protocol's shape gives away is none of it, and our own line, sent
/// back in a complaint, does not count.
pub fn turned_away(bytes: &[u8]) -> bool {
    if recognised(bytes.trim_ascii_start()).is_some() {
        return false;
    }
    let said = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let said = said.replace(&OURS.to_ascii_lowercase(), "");
    let says = |words: &[&str]| words.iter().any(|words| said.contains(words));
    says(&[
        "exceeded maxstartups",
        "not allowed at this time",
        "not allowed to connect",
        "too many connections",
        "too many sessions",
        "too many login",
        "too many users",
        "ssh",
    ]) || (says(&["blocked", "banned", "denied", "refused", "rejected"])
        && says(&[
            "your ip",
            "your address",
            "your host",
            "from ",
            "remote host",
        ]))
}

/// A transport whose greeting is over: it replays the server's identification
/// to the SSH library, swallows the library's own, which was sent already, and
/// keeps the clear text that follows.
///
/// What was read is acknowledged at once: sshd sends its host keys behind the
/// end of authentication, and its next word, the answer to our forward, waits
/// for our acknowledgement (Nagle's algorithm, RFC 896), which the kernel would
/// hold back for 40 ms.
pub struct Resumed<S> {
    inner: S,
    socket: Option<Arc<socket2::Socket>>,
    replay: Vec<u8>,
    at: usize,
    swallow: usize,
    clear: Arc<Mutex<Vec<u8>>>,
}

/// The server's clear text after its identification line.
#[derive(Clone, Default)]
pub struct ClearText(Arc<Mutex<Vec<u8>>>);

impl ClearText {
    /// What came so far.
    pub fn bytes(&self) -> Vec<u8> {
        let clear = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        let line = clear.iter().position(|&byte| byte == b'\n');
        clear
            .get(line.map_or(0, |at| at + 1)..)
            .unwrap_or_default()
            .to_vec()
    }
}

impl<S> Resumed<S> {
    /// Goes on after the greeting with what was read of it. The socket is the
    /// one below, where there is one.
    pub fn new(
        inner: S,
        socket: Option<Arc<socket2::Socket>>,
        replay: Vec<u8>,
    ) -> (Self, ClearText) {
        let clear = Arc::new(Mutex::new(replay.clone()));
        let resumed = Self {
            inner,
            socket,
            replay,
            at: 0,
            swallow: OURS.len() + 2,
            clear: Arc::clone(&clear),
        };
        (resumed, ClearText(clear))
    }
}

/// Has the kernel acknowledge what it has received; it forgets again with the
/// next word of ours (tcp(7), `TCP_QUICKACK`). Only Linux has it.
fn acknowledge(socket: Option<&socket2::Socket>) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = socket {
        let _ = socket.set_tcp_quickack(true);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

impl<S: AsyncRead + Unpin> AsyncRead for Resumed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(rest) = this.replay.get(this.at..).filter(|rest| !rest.is_empty()) {
            let n = rest.len().min(buf.remaining());
            buf.put_slice(rest.get(..n).unwrap_or_default());
            this.at += n;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let result = std::task::ready!(Pin::new(&mut this.inner).poll_read(cx, buf));
        acknowledge(this.socket.as_deref());
        let mut clear = this
            .clear
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        if let Some(new) = buf.filled().get(before..)
            && clear.len() < KEPT
        {
            let room = KEPT - clear.len();
            clear.extend_from_slice(new.get(..room.min(new.len())).unwrap_or_default());
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Resumed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.swallow > 0 {
            let n = self.swallow.min(buf.len());
            self.swallow -= n;
            return Poll::Ready(Ok(n));
        }
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(bytes: &[u8]) -> Result<Greeting, Unheard> {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        exchange(&mut ours, &mut Vec::new()).await.map(|(g, _)| g)
    }

    #[tokio::test]
    async fn lines_before_the_identification_are_allowed() {
        let greeting = heard(b"hello\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\0\0")
            .await
            .unwrap();
        assert_eq!(greeting.software(), "OpenSSH_9.2p1 Debian-2");
        assert_eq!(greeting.before, ["hello"]);
    }

    #[tokio::test]
    async fn other_ends_are_recognised() {
        assert_eq!(heard(b"").await, Err(Unheard::Closed(Vec::new())));
        assert!(matches!(heard(b"Exceeded MaxStartups\r\n").await,
            Err(Unheard::Closed(bytes)) if turned_away(&bytes)));
        assert!(matches!(
            heard(b"J\0\0\0\x0a5.5.5-10.11\0").await,
            Err(Unheard::Foreign(_))
        ));
        let endless = vec![b'x'; LONGEST_LINE + 1];
        assert!(matches!(heard(&endless).await, Err(Unheard::Foreign(_))));
        // However they come: in one piece with the identification, too.
        let ended = [endless.as_slice(), b"\nSSH-2.0-x\r\n"].concat();
        assert!(matches!(heard(&ended).await, Err(Unheard::Foreign(_))));
        let zero = heard(b"\0\r\nSSH-2.0-x\r\n").await;
        assert!(matches!(zero, Err(Unheard::Foreign(_))));
        let lines = b"\n".repeat(MOST_LINES + 1);
        assert!(matches!(heard(&lines).await, Err(Unheard::Foreign(_))));
        assert_eq!(who(b"HTTP/1.1 400 Bad Request\r\n"), "a web server (HTTP)");
        assert_eq!(who(b"\n  <HTML><head>"), "a web server (HTTP)");
        assert_eq!(who(b"J\0\0\0\x0a5.5.5-10.11\0"), "MySQL or MariaDB");
    }

    #[test]
    fn only_an_ssh_server_turns_us_away() {
        for words in [
            "Exceeded MaxStartups\r\n",
            "Not allowed at this time\r\n",
            "Sorry, you are not allowed to connect.\r\n",
            "sshd: too busy\r\n",
            "Too many connections\r\n",
            "Your IP 192.0.2.7 is banned.\n",
        ] {
            assert!(turned_away(words.as_bytes()), "{words}");
        }
        for words in [
            format!("<!DOCTYPE HTML>\n<p>Bad request syntax ('{OURS}').</p>"),
            format!("\n<html><body>Access from your IP denied: {OURS}"),
            "HTTP/1.1 403 Forbidden\r\n\r\nAccess denied: use ssh".to_owned(),
            "421 Too many connections from your IP\r\n".to_owned(),
            format!("-ERR unknown command '{OURS}', with args beginning with:\r\n"),
            format!("Error: unknown command {OURS}\r\n"),
            "access denied by policy\n".to_owned(),
        ] {
            assert!(!turned_away(words.as_bytes()), "{words}");
        }
    }
}
