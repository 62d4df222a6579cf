//! A dbdoctor that listens until it is ended: `tunnel --listen`, `tap`.

#![allow(dead_code)] // not every test waits for the same

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The process.
pub struct Listening {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// Where it listens.
    pub port: u16,
    /// What it has said on standard error so far.
    pub told: String,
}

impl Listening {
    /// Starts it and waits until it listens. After `longest` it is ended: no test waits for ever
    /// for one that says nothing. The number of a process that is over is not given to another
    /// so soon.
    pub fn start(command: &mut Command, longest: Duration) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pid = child.id().to_string();
        std::thread::spawn(move || {
            std::thread::sleep(longest);
            let _ = Command::new("kill").arg(pid).stderr(Stdio::null()).status();
        });
        let stderr = child.stderr.take().context("no standard error")?;
        let mut listening = Self {
            child,
            stderr: BufReader::new(stderr),
            port: 0,
            told: String::new(),
        };
        let line = listening.until("listening on ")?;
        let address = line.split("listening on ").nth(1).unwrap_or_default();
        let port = address.split(',').next().and_then(|a| a.rsplit(':').next());
        listening.port = port.and_then(|port| port.parse().ok()).context(line)?;
        Ok(listening)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads what it tells up to a line with these words, which it returns.
    pub fn until(&mut self, words: &str) -> Result<String> {
        self.until_times(words, 1)
    }

    /// Reads up to the line with which so many have these words.
    pub fn until_times(&mut self, words: &str, times: usize) -> Result<String> {
        let mut seen = self.told.lines().filter(|it| it.contains(words)).count();
        let mut last = self.told.lines().rfind(|it| it.contains(words));
        let mut line = last.take().unwrap_or_default().to_owned();
        while seen < times {
            line.clear();
            let read = self.stderr.read_line(&mut line)?;
            ensure!(read > 0, "never said {words:?} in\n{}", self.told);
            self.told += &line;
            seen += usize::from(line.contains(words));
        }
        Ok(line)
    }

    /// Ctrl-C.
    pub fn interrupt(&self) -> Result<()> {
        let pid = self.pid().to_string();
        ensure!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()?
                .success()
        );
        Ok(())
    }

    /// Its end: status and standard output. All that it told is in `told` then.
    pub fn end(&mut self) -> Result<(Option<i32>, String)> {
        let mut out = String::new();
        let stdout = self.child.stdout.as_mut().context("no standard output")?;
        stdout.read_to_string(&mut out)?;
        self.stderr.read_to_string(&mut self.told)?;
        Ok((self.child.wait()?.code(), out))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
