//! What a run costs beside the reference clients: psql, and ssh with psql behind it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::case::Case;
use crate::conn::Conn;
use crate::cost::{Cost, measure, time_to_answer};
use crate::lab::Lab;
use crate::postgres::{Postgres, bin_dir};
use crate::process::Tool;
use crate::proxy::{Fault, Peer, free_port};
use crate::run::{command, ssh, surroundings};
use crate::sshd::Sshd;

/// The delay in each direction where round trips are counted.
const DELAY: Duration = Duration::from_millis(25);

/// The ways to a database that are compared.
pub const WAYS: [&str; 5] = ["trust", "scram", "tls-scram", "ssh-scram", "ssh-tls-scram"];

/// One way to a database, and who is asked to take it.
pub struct Way<'a> {
    lab: &'a Lab,
    name: &'a str,
    dbdoctor: &'a Path,
    postgres: Postgres,
    sshd: Option<Sshd>,
}

/// What both cost.
pub struct Comparison {
    /// dbdoctor's.
    pub ours: Cost,
    /// The reference client's.
    pub theirs: Cost,
}

impl<'a> Way<'a> {
    /// Starts the servers of a way.
    ///
    /// # Errors
    /// Where a server does not start.
    pub fn new(lab: &'a Lab, name: &'a str, dbdoctor: &'a Path) -> Result<Self> {
        let method = match name {
            "trust" => "trust",
            _ => "scram-sha-256",
        };
        let postgres = lab
            .new_postgres()
            .hba(&format!("host all all all {method}"));
        let postgres = match name.contains("tls") {
            true => postgres.tls(lab.issue(lab.cert())?),
            false => postgres,
        };
        let sshd = match name.starts_with("ssh") {
            true => Some(lab.new_sshd().start()?),
            false => None,
        };
        Ok(Self {
            lab,
            name,
            dbdoctor,
            postgres: postgres.start()?,
            sshd,
        })
    }

    /// The call of dbdoctor, through `by` instead of the first server where it is given.
    ///
    /// # Errors
    /// Where its surroundings cannot be made.
    pub fn ours(&self, by: Option<&Peer>) -> Result<Tool> {
        command(self.lab, &self.case(by)?, self.dbdoctor)
    }

    /// The call of psql, behind ssh where the way goes through it.
    ///
    /// # Errors
    /// Where its surroundings cannot be made.
    pub fn theirs(&self, by: Option<&Peer>) -> Result<Tool> {
        let case = self.case(by)?;
        // Debian's `psql` is a wrapper in Perl.
        let psql = bin_dir().context("no PostgreSQL")?.join("psql");
        let ask = "select 1";
        let Some(route) = &case.ssh else {
            let tool = Tool::new(psql.to_string_lossy()).args(["-Atqc", ask]);
            return surroundings(self.lab, &case, tool.arg(self.conn(by)));
        };
        let (ssh, destination) = ssh(self.lab, &case, route)?;
        let port = free_port();
        let forward = format!("127.0.0.1:{port}:{}", self.postgres.addr());
        let near = self.conn(None).set("hostaddr", "127.0.0.1");
        let near = near.set("port", port);
        // bash needs no program to find out whether the port is open.
        let script = format!(
            "{} -N -o ExitOnForwardFailure=yes -L {forward} {destination} & ssh=$!\n\
             until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.02; done\n\
             '{}' -Atqc '{ask}' '{near}'; status=$?\n\
             kill $ssh; wait $ssh; exit $status",
            std::iter::once(&ssh.program)
                .chain(&ssh.args)
                .cloned()
                .collect::<Vec<_>>()
                .join(" "),
            psql.display(),
        );
        surroundings(self.lab, &case, Tool::new("bash").args(["-c", &script]))
    }

    /// Runs both in turn, and takes the median of each figure.
    ///
    /// # Errors
    /// Where one of them fails.
    pub fn compare(&self, measurer: &Path, runs: usize) -> Result<Comparison> {
        let (ours, theirs) = (self.ours(None)?, self.theirs(None)?);
        let mut costs = (Vec::new(), Vec::new());
        for _ in 0..runs {
            costs.0.push(measure(measurer, &ours)?);
            costs.1.push(measure(measurer, &theirs)?);
        }
        Ok(Comparison {
            ours: Cost::median(&costs.0),
            theirs: Cost::median(&costs.1),
        })
    }

    /// How many round trips go by before dbdoctor's report is printed: by how much longer it
    /// takes where each direction is delayed. What is sent at once is not delayed one by one.
    ///
    /// # Errors
    /// Where it fails.
    pub fn own_round_trips(&self) -> Result<f64> {
        self.round_trips(|peer| self.ours(Some(peer)))
    }

    /// The same before psql's answer is printed.
    ///
    /// # Errors
    /// Where it fails.
    pub fn their_round_trips(&self) -> Result<f64> {
        self.round_trips(|peer| self.theirs(Some(peer)))
    }

    fn round_trips(&self, call: impl Fn(&Peer) -> Result<Tool>) -> Result<f64> {
        let first = match &self.sshd {
            Some(sshd) => sshd.addr(),
            None => self.postgres.addr(),
        };
        let answer = |delay| -> Result<Duration> {
            let peer = Peer::forward(first.clone(), Fault::Delay(delay))?;
            let tool = call(&peer)?;
            let runs: Result<Vec<Duration>> = (0..3).map(|_| time_to_answer(&tool)).collect();
            Ok(runs?.into_iter().min().unwrap_or_default())
        };
        let longer = answer(DELAY)?.saturating_sub(answer(Duration::ZERO)?);
        // The handshake of TCP is with the forward, which delays nothing of it.
        Ok(longer.as_secs_f64() / (2.0 * DELAY.as_secs_f64()) + 1.0)
    }

    fn case(&self, by: Option<&Peer>) -> Result<Case> {
        let Some(sshd) = &self.sshd else {
            return Ok(Case::check(self.conn(by)).password(self.lab.password()));
        };
        let route = match by {
            Some(peer) => sshd.route_by(self.lab, peer)?,
            None => sshd.route(),
        };
        let case = Case::check(self.conn(None)).password(self.lab.password());
        Ok(case.ssh(route))
    }

    fn conn(&self, by: Option<&Peer>) -> Conn {
        let conn = match by {
            Some(peer) => self.postgres.conn().set("port", peer.port()),
            None => self.postgres.conn(),
        };
        match self.name.contains("tls") {
            true => conn
                .set("sslmode", "verify-full")
                .set("sslrootcert", self.lab.ca_file().display()),
            false => conn.set("sslmode", "disable"),
        }
    }
}

/// The table of all ways.
///
/// # Errors
/// Where a server does not start, or a client fails.
pub fn table(measurer: &Path, dbdoctor: &Path, names: &[String], runs: usize) -> Result<String> {
    let lab = Lab::new()?;
    let mut text = format!(
        "{:<14} {:>17} {:>23} {:>23} {:>23}\n{:<14} {:>11} {:>5} {:>9} {:>7} {:>5} {:>9} {:>7} {:>5} {:>9} {:>7} {:>5}\n",
        "",
        "round trips",
        "wall (ms)",
        "CPU (ms)",
        "peak (MiB)",
        "way",
        "dbdoctor",
        "psql",
        "dbdoctor",
        "psql",
        "ratio",
        "dbdoctor",
        "psql",
        "ratio",
        "dbdoctor",
        "psql",
        "ratio",
    );
    for name in WAYS {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let way = Way::new(&lab, name, dbdoctor)?;
        let (ours, theirs) = (way.own_round_trips()?, way.their_round_trips()?);
        let cost = way.compare(measurer, runs)?;
        write!(text, "{name:<14} {ours:>11.1} {theirs:>5.1}")?;
        let figures: [fn(&Cost) -> f64; 3] = [
            |cost| cost.wall.as_secs_f64() * 1e3,
            |cost| cost.cpu.as_secs_f64() * 1e3,
            |cost| cost.peak_kib as f64 / 1024.0,
        ];
        for figure in figures {
            let (a, b) = (figure(&cost.ours), figure(&cost.theirs));
            write!(text, " {a:>9.1} {b:>7.1} {:>5.2}", a / b)?;
        }
        text.push('\n');
    }
    Ok(text)
}

/// The program that measures: this one.
///
/// # Errors
/// Where the system does not say which that is.
pub fn measurer() -> Result<PathBuf> {
    Ok(std::env::current_exe()?)
}
