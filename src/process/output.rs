//! A program of the user's own that is run to its end, for what it prints.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::started::Started;

/// How long what it printed last may come behind its end.
const AFTERWORD: Duration = Duration::from_millis(500);

/// What a program did.
#[derive(Debug)]
pub struct Output {
    /// What it printed.
    pub printed: Vec<u8>,
    /// The beginning of its standard error.
    pub said: Vec<u8>,
    /// How it ended; none where it had to be ended.
    pub ended: Option<ExitStatus>,
}

/// Runs a program ([`super::users_own`]) until it ends, or the limit ends it and
/// all that it started. Of its two outputs so many bytes are kept. Blocks.
///
/// # Errors
/// Where it cannot be started.
pub fn run(
    command: &mut Command,
    (most_printed, most_said): (usize, usize),
    limit: Instant,
) -> io::Result<Output> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (started, pipes) = Started::begin(command)?;
    let printed = pipes.output.map(|pipe| reader(pipe, most_printed));
    let said = pipes.errors.map(|pipe| reader(pipe, most_said));
    let ended = started.wait(limit);
    started.end();
    let all = |of: Option<Receiver<Vec<u8>>>| {
        let of = of.and_then(|reader| reader.recv_timeout(AFTERWORD).ok());
        of.unwrap_or_default()
    };
    Ok(Output {
        printed: all(printed),
        said: all(said),
        ended,
    })
}

/// Reads a stream to its end, and keeps its beginning.
fn reader(mut pipe: impl Read + Send + 'static, most: usize) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut kept = Vec::new();
        let mut chunk = [0; 8192];
        while let Ok(n @ 1..) = pipe.read(&mut chunk) {
            let keep = n.min(most.saturating_sub(kept.len()));
            kept.extend_from_slice(chunk.get(..keep).unwrap_or_default());
        }
        // Nobody waits for it any more where this fails.
        let _ = sender.send(kept);
    };
    // Without a thread nothing is sent, and nothing was read.
    let _ = std::thread::Builder::new().spawn(read);
    receiver
}

#[cfg(test)]
mod tests {
    use super::super::{Variables, shell};
    use super::*;

    fn variables() -> Variables {
        let path = std::env::var_os("PATH").unwrap_or_default();
        [("PATH".into(), path.into())].into()
    }

    #[test]
    fn both_outputs_are_kept_up_to_their_bounds() {
        let line = "yes out | head -c 300000; yes err | head -c 300000 >&2; exit 3";
        let limit = Instant::now() + Duration::from_secs(10);
        let output = run(&mut shell(line, &variables()), (200_000, 10), limit).unwrap();
        assert_eq!((output.printed.len(), output.said.len()), (200_000, 10));
        assert_eq!(output.ended.and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn one_that_does_not_end_is_ended() {
        let began = Instant::now();
        let limit = began + Duration::from_millis(100);
        let mut command = shell("echo early; sleep 60 & sleep 60", &variables());
        let output = run(&mut command, (100, 100), limit).unwrap();
        assert_eq!(
            (output.printed.as_slice(), output.ended),
            (&b"early\n"[..], None)
        );
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
