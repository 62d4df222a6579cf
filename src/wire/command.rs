//! A command whose standard input and output carry the bytes (`ProxyCommand`).

use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::{Route, Stream};
use crate::process::started::Started;
use crate::process::{self, Variables};
use crate::text;

/// How much of its standard error is kept; the rest is read and dropped.
const KEPT: usize = 4096;
/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// What is known of a command that runs.
#[derive(Debug)]
pub struct CommandLog {
    started: Arc<Started>,
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    over: bool,
}

/// Routes are compared by where they lead, and a command leads where it leads.
impl PartialEq for CommandLog {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.started, &other.started)
    }
}

impl Eq for CommandLog {}

impl CommandLog {
    /// Its first words on standard error, fit to be shown.
    pub fn words(&self) -> String {
        let said = locked(&self.said);
        text::clean_part(String::from_utf8_lossy(&said.bytes).trim())
    }

    /// How it ended, and its last words with it, where that happens before the
    /// limit.
    pub async fn ended(&self, limit: Instant) -> Option<ExitStatus> {
        let silent = || locked(&self.said).over;
        while Instant::now() < limit && !(silent() && self.started.ended().is_some()) {
            tokio::time::sleep(LOOK).await;
        }
        self.started.ended()
    }
}

fn locked(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Starts a line of the user's shell. It is ended when the stream is dropped,
/// and at the latest with the process.
///
/// # Errors
/// Where the shell cannot be started.
pub fn start(line: &str, environment: &Variables) -> io::Result<Stream> {
    let mut command = process::shell(&format!("exec {line}"), environment);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (started, pipes) = Started::begin(&mut command)?;
    let said = Arc::new(Mutex::new(Said::default()));
    let io = Ends {
        input: pipes.input.map(ChildStdin::from_std).transpose()?,
        output: pipes.output.map(ChildStdout::from_std).transpose()?,
        started: Arc::clone(&started),
    };
    let errors = pipes.errors.map(ChildStderr::from_std).transpose()?;
    tokio::spawn(listen(errors, Arc::clone(&said)));
    let log = CommandLog { started, said };
    Ok(Stream::new(
        Box::new(io),
        Route::Command(Arc::new(log)),
        None,
    ))
}

/// Keeps what it says first, and lets it say the rest.
async fn listen(errors: Option<ChildStderr>, said: Arc<Mutex<Said>>) {
    let mut chunk = [0; 1024];
    if let Some(mut errors) = errors {
        while let Ok(n @ 1..) = errors.read(&mut chunk).await {
            let mut said = locked(&said);
            let keep = n.min(KEPT.saturating_sub(said.bytes.len()));
            said.bytes
                .extend_from_slice(chunk.get(..keep).unwrap_or_default());
        }
    }
    locked(&said).over = true;
}

/// Both ends, and the program behind them.
struct Ends {
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    started: Arc<Started>,
}

impl Drop for Ends {
    /// Its input ends first, so that it can end by itself. Elsewhere, since it
    /// may take a moment; where there is no thread for that, here.
    fn drop(&mut self) {
        drop((self.input.take(), self.output.take()));
        let started = Arc::clone(&self.started);
        let elsewhere = std::thread::Builder::new().spawn(move || started.end());
        if elsewhere.is_err() {
            self.started.end();
        }
    }
}

impl AsyncRead for Ends {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.output {
            Some(output) => Pin::new(output).poll_read(cx, buf),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Ends {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.input {
            Some(input) => Pin::new(input).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.input {
            Some(input) => Pin::new(input).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    fn variables() -> Variables {
        let path = std::env::var_os("PATH").unwrap_or_default();
        [("PATH".into(), path.into())].into()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn its_streams_carry_bytes_and_its_words_are_bounded() {
        let line = "sh -c 'yes oops | head -c 100000 >&2; cat; exit 3'";
        let mut stream = start(line, &variables()).unwrap();
        stream.io.write_all(b"hello").await.unwrap();
        stream.io.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.io.read_to_end(&mut back).await.unwrap();
        assert_eq!(back, b"hello");
        let Route::Command(log) = &stream.route else {
            panic!("another route");
        };
        let ended = log.ended(soon()).await;
        assert_eq!(ended.and_then(|status| status.code()), Some(3));
        assert!(log.words().starts_with("oops"));
        assert!(log.words().len() <= KEPT);
    }
}
