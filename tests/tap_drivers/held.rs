//! A tap that is held open.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Postgres};
use serde_json::Value;

/// The longest that one is held.
const LONGEST: &str = "240s";

/// A tap before a server.
pub struct Held {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

impl Held {
    /// Opens one.
    pub fn open(lab: &Lab, server: &Postgres) -> Result<Self> {
        let target = format!("postgresql://app@127.0.0.1:{}/appdb", server.port());
        let mut child = Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
            .args(["tap", "--listen", "0", "--json", "--for", LONGEST, &target])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", lab.dir("home")?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("no standard error")?;
        let mut held = Self { child, port: 0 };
        let (tell, told) = mpsc::channel();
        // All that it tells is read, or it would wait for somebody to.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address = line.split("listening on ").nth(1).and_then(|rest| {
                    let address = rest.split(',').next()?;
                    address.rsplit(':').next()?.parse().ok()
                });
                if let Some(port) = address {
                    let _ = tell.send(port);
                }
            }
        });
        held.port = told
            .recv_timeout(Duration::from_secs(20))
            .context("it never listens")?;
        Ok(held)
    }

    /// Ends it as Ctrl-C does; its report.
    pub fn end(&mut self) -> Result<Value> {
        let pid = self.child.id().to_string();
        ensure!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()?
                .success()
        );
        let mut out = String::new();
        let stdout = self.child.stdout.as_mut().context("no standard output")?;
        stdout.read_to_string(&mut out)?;
        ensure!(self.child.wait()?.code() == Some(0), "{out}");
        serde_json::from_str(&out).context(out)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The facts of the tap's stage.
pub fn facts(report: &Value) -> &Value {
    let mut stages = report["stages"].as_array().into_iter().flatten();
    let tap = stages.rfind(|record| record["stage"] == "tap");
    tap.map_or(&Value::Null, |record| &record["facts"])
}
