//! `--redact`: runs whose names are telling, failing in every stage, and no name in
//! any form of their reports.

mod common;
#[path = "common/trials.rs"]
mod trials;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::canary::formats;
use dbdoctor_lab::{
    Case, CertSpec, Conn, Finished, Lab, Need, Peer, Postgres, SshRoute, Tool, command, free_port,
    write_mode,
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_dbdoctor");

/// What no redacted report may have in it, in small letters.
const NAMES: &[&str] = &["zebra", "quagga", "okapi", "kudu", "gnuu", "192.0.2.77"];

const TRIALS: &[trials::Named<Set>] = &[
    (
        "no form of a redacted report has a name",
        no_form_has_a_name,
    ),
    ("standard error has no name", standard_error_has_no_name),
    (
        "reports of one salt compare as plain ones do",
        salted_reports_compare,
    ),
    ("a plain report is as it was", a_plain_report_is_as_it_was),
    ("explain has no name", explain_has_no_name),
    ("an empty salt is refused", an_empty_salt_is_refused),
];

fn main() {
    let lab = trials::lab(&[Need::Postgres, Need::Sshd]);
    let set = lab.and_then(|lab| Set::new(lab).map_err(|error| format!("{error:#}")));
    trials::run(2, set, TRIALS);
}

/// A server whose role, database and certificate have telling names.
struct Set {
    // Dropped before the lab's directory.
    server: Postgres,
    lab: Lab,
}

/// What is set up, and the cause that a run must find; none where it passes.
type Setup = (&'static str, Option<&'static str>, fn(&Set) -> Result<Case>);

const SETUPS: &[Setup] = &[
    ("healthy", None, |set| Ok(set.case(set.conn()))),
    ("config", Some("config.file.missing"), |set| {
        let conn = set.conn().set("sslmode", "verify-full");
        Ok(set.case(conn.set("sslrootcert", "/srv/kudu/gnuu.pem")))
    }),
    ("service", Some("config.service.missing"), |set| {
        Ok(set.case(set.conn().set("service", "kudu")))
    }),
    ("key", Some("key.permissions"), |set| {
        let key = set.lab.ssh_key("ed25519", "")?.with_file_name("id_gnuu");
        write_mode(&key, fs::read(key.with_file_name("id"))?, 0o644)?;
        Ok(Case::key(key))
    }),
    ("dns", Some("dns.nxdomain"), |set| {
        let conn = set.conn().without("hostaddr");
        Ok(set.case(conn.set("host", "db.okapi.invalid")))
    }),
    ("tcp", Some("tcp.refused"), |set| {
        Ok(set.case(set.conn().set("port", free_port())))
    }),
    ("tls", Some("tls.cert.hostname"), |set| {
        let conn = set.conn().set("host", "other.okapi.test");
        Ok(set.case(set.verified(conn)))
    }),
    ("tls authority", Some("tls.cert.unknown-ca"), |set| {
        let home = set.home()?;
        let other = dbdoctor_lab::Ca::new("Kudu Root")?;
        other.write(&home.join("gnuu.crt"))?;
        let conn = set.conn().set("sslmode", "verify-ca");
        let conn = conn.set("sslrootcert", home.join("gnuu.crt").display());
        Ok(set.case(conn))
    }),
    ("auth", Some("auth.password.wrong"), |set| {
        Ok(set.case(set.conn()).password("wrong-canary"))
    }),
    ("database", Some("auth.database.missing"), |set| {
        Ok(set.case(set.conn().set("dbname", "d-kudu")))
    }),
    ("hba", Some("auth.hba.reject"), |set| {
        Ok(set.case(set.conn().set("user", "u-gnuu")))
    }),
    ("guard", Some("server.wrong-identity"), |set| {
        Ok(set.case(set.conn()).args(&["--not-host", "*.okapi.test"]))
    }),
    ("protocol", Some("protocol.not-postgres"), |set| {
        let peer = Peer::script(|mut stream| {
            stream.receive()?;
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nVia: db.okapi.test\r\n\r\nno u-zebra")?;
            stream.close()
        })?;
        Ok(set.case(set.conn().set("port", peer.port())).keep(peer))
    }),
    ("identity", Some("server.wrong-identity"), |set| {
        Ok(set.case(set.conn()).args(&["--expect-database", "d-gnuu"]))
    }),
    ("tunnel", Some("tunnel.target.unresolved"), |set| {
        let conn = set.conn().without("hostaddr");
        let conn = conn.set("host", "db.okapi.invalid");
        Ok(set.case(conn).ssh(set.lab.sshd()?.route()))
    }),
    ("ssh key", Some("ssh.auth.publickey"), |set| {
        let sshd = set.lab.new_sshd().authorized_keys("").start()?;
        let route = sshd.route();
        let hop = format!("{}@{}", set.lab.user()?, sshd.addr());
        let route = SshRoute {
            hops: vec![hop],
            ..route
        };
        Ok(set.case(set.conn()).ssh(route).keep(sshd))
    }),
    ("ssh host key", Some("ssh.hostkey.unknown"), |set| {
        let known = set.home()?.join("known_gnuu");
        write_mode(&known, "bastion.okapi.test ssh-ed25519 AAAA\n", 0o644)?;
        let route = set.lab.sshd()?.route().known_hosts(known);
        Ok(set.case(set.conn()).ssh(route))
    }),
];

impl Set {
    fn new(lab: Lab) -> Result<Self> {
        let names = ["db.okapi.test", "*.kudu.okapi.test"];
        let issued = lab.issue(CertSpec::server("db.okapi.test", &names, &["192.0.2.77"]))?;
        let sql = format!(
            "create role \"u-zebra\" login password '{}'; create role \"u-gnuu\" login; \
             create database \"d-quagga\"",
            lab.password()
        );
        let server = lab.new_postgres().tls(issued);
        let server = server.hba("host all u-gnuu all reject");
        let server = server.hba("host all u-zebra all scram-sha-256");
        let mut made = server;
        for statement in sql.split("; ") {
            made = made.sql(statement);
        }
        let server = made.start()?;
        Ok(Self { server, lab })
    }

    fn conn(&self) -> Conn {
        Conn::new()
            .set("host", "db.okapi.test")
            .set("hostaddr", "127.0.0.1")
            .set("port", self.server.port())
            .set("user", "u-zebra")
            .set("dbname", "d-quagga")
            .set("application_name", "kudu billing")
    }

    fn verified(&self, conn: Conn) -> Conn {
        let conn = conn.set("sslmode", "verify-full");
        conn.set("sslrootcert", self.lab.ca_file().display())
    }

    fn home(&self) -> Result<std::path::PathBuf> {
        self.lab.dir("kudu")
    }

    fn case(&self, conn: Conn) -> Case {
        Case::check(conn).password(self.lab.password())
    }

    /// Runs a case with further arguments.
    fn run(&self, case: &mut Case, args: &[&str]) -> Result<Finished> {
        let own = case.args.len();
        case.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        let tool = command(&self.lab, case, Path::new(BIN));
        case.args.truncate(own);
        tool?.run(Duration::from_secs(60))
    }

    /// Holds a text to the names, and to the place where all files of the test are.
    fn has_no_name(&self, shown: &str) -> Result<()> {
        let shown = shown.to_lowercase();
        let root = self.lab.root().to_string_lossy().to_lowercase();
        for name in NAMES.iter().copied().chain([root.as_str()]) {
            ensure!(!shown.contains(name), "{name} in:\n{shown}");
        }
        self.has_no_secret(&shown)
    }

    fn has_no_secret(&self, shown: &str) -> Result<()> {
        for secret in [self.lab.password(), "wrong-canary"] {
            ensure!(!shown.contains(secret), "{secret} in:\n{shown}");
        }
        Ok(())
    }
}

fn report(done: &Finished) -> Result<Value> {
    serde_json::from_str(&done.stdout).with_context(|| done.to_string())
}

fn no_form_has_a_name(set: &Set) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, cause, setup) in SETUPS {
        let checked = setup(set).and_then(|mut case| forms_of(set, &mut case, *cause));
        wrong.extend(checked.err().map(|error| format!("{name}: {error:#}")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

/// Every form of a case's report, also in the file of `-o` and on standard error.
fn forms_of(set: &Set, case: &mut Case, cause: Option<&str>) -> Result<()> {
    let file = set.lab.dir("out")?.join("report.json");
    for format in formats() {
        let to = file.to_string_lossy();
        let args = ["--format", &format, "--redact", "-vv", "-o", &to];
        let done = set.run(case, &args)?;
        let written = fs::read_to_string(&file).unwrap_or_default();
        let all = format!("{}{}{written}", done.stdout, done.stderr);
        set.has_no_name(&all).with_context(|| format.clone())?;
        if format == "json" {
            let report = report(&done)?;
            common::valid(&report).map_err(anyhow::Error::msg)?;
            let found = report["verdict"]["cause"].as_str();
            ensure!(found == cause, "{found:?}, not {cause:?}");
            fixes_are_commands(&report)?;
        }
    }
    Ok(())
}

/// Every command that is to be pasted can be read by a shell.
fn fixes_are_commands(report: &Value) -> Result<()> {
    for fix in report["verdict"]["fixes"].as_array().into_iter().flatten() {
        if let Some(command) = fix["command"].as_str() {
            let read = Tool::new("sh").args(["-n", "-c", command]);
            read.succeed().with_context(|| command.to_owned())?;
        }
    }
    Ok(())
}

fn standard_error_has_no_name(set: &Set) -> Result<()> {
    let refused = set.conn().set("port", free_port());
    let mut waiting = set.case(refused);
    let done = set.run(&mut waiting, &["--redact", "--wait", "1s"])?;
    ensure!(done.stderr.contains("waiting"), "{done}");
    set.has_no_name(&done.stderr)?;
    let mut stress = set
        .case(set.conn())
        .password("wrong-canary")
        .command("stress");
    let done = set.run(&mut stress, &["--redact", "--attempts", "3"])?;
    set.has_no_name(&format!("{}{}", done.stdout, done.stderr))
}

/// What differs, without the values.
fn differences(set: &Set, files: [&Path; 2]) -> Result<Vec<String>> {
    let mut diff = Case::new("diff");
    for file in files {
        diff = diff.arg(file.display());
    }
    let diff = report(&set.run(&mut diff, &[])?)?;
    let all = diff["differences"].as_array().context("no differences")?;
    let line = |it: &Value| {
        let equal = it["a"] == it["b"];
        format!(
            "{} {} {} {} {equal}",
            it["part"], it["stage"], it["name"], it["explains"]
        )
    };
    Ok(all.iter().map(line).collect())
}

fn salted_reports_compare(set: &Set) -> Result<()> {
    let pairs: [(Setup, Setup); 3] = [
        (SETUPS[0], SETUPS[8]),
        (SETUPS[0], SETUPS[9]),
        (SETUPS[6], SETUPS[7]),
    ];
    for ((a, _, first), (b, _, second)) in pairs {
        let dir = set.lab.dir("out")?;
        let mut files = Vec::new();
        for (n, setup) in [first, second].into_iter().enumerate() {
            let mut case = setup(set)?;
            let plain = dir.join(format!("plain{n}"));
            set.run(&mut case, &["-o", &plain.to_string_lossy()])?;
            // The same run redacted, since two runs differ by themselves.
            let salted = dir.join(format!("salted{n}"));
            let text = fs::read_to_string(&plain)?;
            let mut redactor = dbdoctor::redact::Redactor::new(Some("a salt of ours"));
            let shown = redactor.json(&serde_json::from_str(&text)?).to_string();
            set.has_no_name(&shown)?;
            fs::write(&salted, shown)?;
            files.push((plain, salted));
        }
        let plain = differences(set, [&files[0].0, &files[1].0])?;
        let salted = differences(set, [&files[0].1, &files[1].1])?;
        ensure!(
            !plain.is_empty() && plain == salted,
            "{a}, {b}: {plain:#?} {salted:#?}"
        );
    }
    // And the program derives the same names as the library.
    let mut case = SETUPS[8].2(set)?;
    let salted = report(&set.run(&mut case, &["--redact-salt", "s"])?)?;
    let again = report(&set.run(&mut case, &["--redact-salt", "s"])?)?;
    ensure!(salted["target"] == again["target"], "{salted} {again}");
    let other = report(&set.run(&mut case, &["--redact-salt", "t"])?)?;
    ensure!(salted["target"] != other["target"], "{salted}");
    set.has_no_name(&salted.to_string())
}

fn a_plain_report_is_as_it_was(set: &Set) -> Result<()> {
    let mut case = SETUPS[8].2(set)?;
    let report = report(&set.run(&mut case, &["-vv"])?)?;
    let user = &report["target"]["parameters"]["user"]["value"];
    ensure!(user == "u-zebra", "{report}");
    set.has_no_secret(&report.to_string())
}

fn explain_has_no_name(set: &Set) -> Result<()> {
    let text = "psql: error: connection to server at \"db.okapi.test\" (192.0.2.77), port 5432 \
                failed: FATAL:  password authentication failed for user \"u-zebra\"";
    for format in ["table", "json"] {
        let mut case = Case::new("explain").arg(text);
        let plain = set.run(&mut case, &["--format", format, "-v"])?;
        ensure!(plain.stdout.contains("auth.password.wrong"), "{plain}");
        ensure!(plain.stdout.contains("u-zebra"), "{plain}");
        let done = set.run(&mut case, &["--format", format, "-v", "--redact"])?;
        ensure!(done.stdout.contains("auth.password.wrong"), "{done}");
        set.has_no_name(&done.stdout)?;
    }
    Ok(())
}

fn an_empty_salt_is_refused(set: &Set) -> Result<()> {
    let mut case = set.case(set.conn());
    let done = set.run(&mut case, &["--redact-salt", ""])?;
    ensure!(done.status == Some(2) && done.stdout.is_empty(), "{done}");
    ensure!(done.stderr.contains("--redact-salt"), "{done}");
    Ok(())
}
