//! Incident 5: a pool that was filled before gunicorn forked its workers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use dbdoctor_lab::process::Service;
use dbdoctor_lab::{Postgres, free_port};
use serde_json::Value;

use crate::replay::{Replay, Report};

/// gunicorn with two workers.
struct Gunicorn {
    service: Service,
    port: u16,
}

impl Gunicorn {
    /// With these arguments, and the application in this variant.
    fn start(replay: &Replay, postgres: &Postgres, args: &[&str], variant: &str) -> Result<Self> {
        let port = free_port();
        let conn = postgres.conn().set("sslmode", "require");
        let tool = replay.python().args(["-m", "gunicorn", "--workers", "2"]);
        let tool = tool.arg("--bind").arg(format!("127.0.0.1:{port}"));
        let tool = tool.args(args).arg("forked_pool:app");
        let tool = tool.env("DATABASE", conn.url()).env("APPLICATION", variant);
        let service = tool.serve(replay.lab.dir("gunicorn")?.join("log"), "INT")?;
        service.wait_ready(|| service.log().matches("Booting worker").count() == 2)?;
        let gunicorn = Gunicorn { service, port };
        // Both are there once one has been asked for a page that does nothing.
        gunicorn.get("/healthz")?;
        Ok(gunicorn)
    }

    /// A page's last line.
    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page.lines().last().unwrap_or_default().to_owned())
    }

    /// Lets it work until its log says this.
    fn work_until(&self, words: &str) -> Result<()> {
        for _ in 0..60 {
            self.get("/admin/")?;
            if self.service.log().contains(words) {
                return Ok(());
            }
        }
        bail!("never said {words:?}:\n{}", self.service.log())
    }

    /// Lets it work without an error.
    fn works(&self) -> Result<()> {
        for _ in 0..12 {
            let page = self.get("/admin/")?;
            ensure!(page.ends_with(" app"), "{page}\n{}", self.service.log());
        }
        Ok(())
    }
}

fn sockets(replay: &Replay, postgres: &Postgres) -> Result<Report> {
    replay.report(&["sockets", "--port", &postgres.port().to_string()])
}

fn server(replay: &Replay) -> Result<Postgres> {
    let certificate = replay.lab.issue(replay.lab.cert())?;
    replay.lab.new_postgres().tls(certificate).start()
}

/// Two processes count the records of one TLS connection, each for itself; `sockets` sees both.
pub fn replay(replay: &Replay) -> Result<()> {
    let postgres = server(replay)?;
    let gunicorn = Gunicorn::start(replay, &postgres, &["--preload"], "original")?;
    let master = gunicorn.service.pid();

    // While it happens.
    let report = sockets(replay, &postgres)?.fails("client.shared-socket")?;
    let connections = &report.facts("client")["connections"];
    ensure!(connections[0]["shared"] == true, "{connections:#}");
    let processes = connections[0]["processes"].as_array();
    let processes = processes.map(Vec::as_slice).unwrap_or_default();
    ensure!(processes.len() == 3, "{processes:#?}");
    ensure!(processes[0]["pid"] == master, "{processes:#?}");
    let is_worker = |process: &Value| process["ppid"] == master;
    ensure!(processes[1..].iter().all(is_worker), "{processes:#?}");
    let advice = &report.json["verdict"]["fixes"][0]["text"];
    let advice = advice.as_str().unwrap_or_default();
    for words in ["gunicorn", "post_fork", "--preload", &master.to_string()] {
        ensure!(advice.contains(words), "{advice}");
    }

    // What people see of it, after which the workers have connections of their own.
    gunicorn.work_until("SSL error: decryption failed or bad record mac")?;
    let log = gunicorn.service.log();
    let matches = replay.explain(&log)?;
    let best = matches.first().cloned().unwrap_or_default();
    ensure!(best["cause"] == "client.fork-tls", "{matches:#?}\n{log}");
    ensure!(best["confirm_with"] == "dbdoctor sockets", "{best:#}");
    let wrappers = best["unwrapped_from"].as_str().unwrap_or_default();
    ensure!(wrappers.contains("SQLAlchemy"), "{best:#}");
    Ok(())
}

/// Set-ups in which nothing is shared, or nothing that anybody uses.
pub fn innocent(replay: &Replay) -> Result<()> {
    let postgres = server(replay)?;
    for (args, variant) in [
        (&[][..], "original"),
        (&["--threads", "3"], "original"),
        (&["--preload"], "lazy"),
        (&["--preload"], "closed"),
        (
            &["--preload", "--config", "python:hooks.dispose"],
            "original",
        ),
        (
            &["--preload", "--config", "python:hooks.forget"],
            "original",
        ),
    ] {
        let gunicorn = Gunicorn::start(replay, &postgres, args, variant)?;
        gunicorn.works()?;
        let report = sockets(replay, &postgres)?;
        ensure!(report.status == Some(0), "{args:?} {variant}: {report}");
    }
    Ok(())
}
