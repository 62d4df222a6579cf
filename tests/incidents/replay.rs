//! What the replays share: the lab, the Python that has the drivers, and dbdoctor.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::process::{Finished, PATH, Service, find_program};
use dbdoctor_lab::{Lab, Need, Tool};
use serde_json::Value;

/// What the applications import.
const MODULES: &[&str] = &[
    "asyncpg",
    "gunicorn",
    "paramiko",
    "psycopg2",
    "sqlalchemy",
    "sshtunnel",
];

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The lab, and what is needed beside it.
pub struct Replay {
    /// Servers.
    pub lab: Lab,
    python: PathBuf,
}

impl Replay {
    /// A lab, or why there can be none.
    pub fn new() -> Result<Self, String> {
        for need in [Need::Postgres, Need::Sshd, Need::Netns, Need::Dnsmasq] {
            if let Some(why) = need.missing() {
                return Err(why);
            }
        }
        Ok(Replay {
            lab: Lab::new().expect("a temporary directory and openssl"),
            python: python()?,
        })
    }

    /// One of the scripts beside this file. The password is in its environment.
    pub fn script(&self, name: &str) -> Tool {
        self.python().arg(script(name))
    }

    /// Python itself, which writes no files beside the scripts.
    pub fn python(&self) -> Tool {
        Tool::new(self.python.to_string_lossy())
            .arg("-B")
            .env("PGPASSWORD", self.lab.password())
            .env("PYTHONPATH", script(""))
            .env("PYTHONUNBUFFERED", "1")
    }

    /// A script in the background, once it says that it is ready.
    pub fn serve(&self, tool: &Tool) -> Result<Service> {
        let service = tool.serve(self.lab.dir("application")?.join("log"), "TERM")?;
        service.wait_ready(|| service.log().contains("ready"))?;
        Ok(service)
    }

    /// dbdoctor, with the password and an empty home.
    pub fn dbdoctor(&self, args: &[&str]) -> Result<Tool> {
        Ok(Tool::new(env!("CARGO_BIN_EXE_dbdoctor"))
            .args(args)
            .env("PGPASSWORD", self.lab.password())
            .env("HOME", self.lab.dir("home")?.display()))
    }

    /// Its report.
    pub fn report(&self, args: &[&str]) -> Result<Report> {
        Report::of(&self.dbdoctor(args)?)
    }

    /// What it makes of an error text: the matches, best first.
    pub fn explain(&self, text: &str) -> Result<Vec<Value>> {
        let tool = self.dbdoctor(&["explain", "--format", "json", "-"])?;
        let done = tool.stdin(text).run(LIMIT)?;
        let said: Value = serde_json::from_str(&done.stdout).context(done.to_string())?;
        Ok(said["matches"].as_array().cloned().unwrap_or_default())
    }

    /// The causes that it makes of an error text, best first.
    pub fn causes(&self, text: &str) -> Result<Vec<String>> {
        let matches = self.explain(text)?;
        let cause = |one: &Value| one["cause"].as_str().unwrap_or_default().to_owned();
        Ok(matches.iter().map(cause).collect())
    }
}

/// A script beside this file.
fn script(name: &str) -> String {
    format!("{}/tests/incidents/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The first Python on the path that has all modules: a distribution's modules belong to its own.
fn python() -> Result<PathBuf, String> {
    let imports = format!("import {}", MODULES.join(", "));
    let can = |python: &PathBuf| {
        let tool = Tool::new(python.to_string_lossy()).args(["-c", &imports]);
        python.is_file() && tool.succeed().is_ok()
    };
    find_program("python3").ok_or("python3 is not installed")?;
    PATH.split(':')
        .map(|dir| PathBuf::from(dir).join("python3"))
        .find(can)
        .ok_or_else(|| format!("no python3 has all of {}", MODULES.join(", ")))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Runs an application to its end.
pub fn run(tool: &Tool) -> Result<Finished> {
    tool.run(LIMIT)
}

/// What dbdoctor reports.
pub struct Report {
    /// The exit status.
    pub status: Option<i32>,
    /// The report.
    pub json: Value,
    text: String,
}

impl Report {
    /// Runs dbdoctor.
    pub fn of(tool: &Tool) -> Result<Self> {
        let tool = tool.clone().args(["--format", "json"]);
        let done = tool.run(LIMIT)?;
        let json = serde_json::from_str(&done.stdout).with_context(|| done.to_string())?;
        Ok(Report {
            status: done.status,
            json,
            text: format!("{tool}\n{done}"),
        })
    }

    /// Holds it to a verdict that passes.
    pub fn passes(self) -> Result<Self> {
        ensure!(self.status == Some(0), "{}", self.text);
        ensure!(self.json["verdict"]["status"] == "pass", "{}", self.text);
        Ok(self)
    }

    /// Holds it to a cause.
    pub fn fails(self, cause: &str) -> Result<Self> {
        ensure!(self.status == Some(1), "{}", self.text);
        ensure!(self.json["verdict"]["cause"] == cause, "{}", self.text);
        Ok(self)
    }

    /// The facts of a stage.
    pub fn facts(&self, stage: &str) -> &Value {
        let stages = self.json["stages"].as_array();
        let found = stages.and_then(|all| all.iter().find(|one| one["stage"] == stage));
        found.map_or(&Value::Null, |stage| &stage["facts"])
    }
}
