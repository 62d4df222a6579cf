//! The forms of a report, each read by what it is meant for: JUnit's schema, the node
//! exporter, a Markdown renderer, and readers written after the documentation of
//! GitHub's runner and of monitoring plug-ins. A healthy run, a failing one, one with a
//! warning, and a server whose message attacks them all.

#[path = "common/process.rs"]
mod process;
#[path = "common/trials.rs"]
mod trials;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dbdoctor_lab::process::find_program;
use dbdoctor_lab::{CertSpec, Lab, Need, Peer, Postgres, free_port, impostor};
use process::text;
use regex::Regex;
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("junit_is_valid_by_its_schema", junit),
    ("metrics_are_collected_by_the_node_exporter", prometheus),
    ("metrics_go_to_the_file_or_to_standard_output", metrics_file),
    ("a_certificate_is_watched_without_a_user", certificate_alone),
    ("a_plug_in_says_one_line_and_its_status", nagios),
    ("a_plug_in_that_cannot_check_is_unknown", nagios_unknown),
    ("annotations_are_read_back_by_the_runner", github),
    ("the_summary_of_a_step_is_appended_to", step_summary),
    ("markdown_shows_texts_as_texts", markdown),
    ("no_line_of_any_form_is_a_command", no_commands),
    ("the_status_is_the_same_in_every_form", statuses),
    ("days_of_a_certificate_warn_and_fail", certificate_days),
    ("a_slow_connection_warns", latency),
    ("thresholds_that_are_not_judged_are_refused", refused),
    ("the_place_of_a_process_makes_no_difference", process),
];

const FORMATS: [&str; 7] = [
    "table",
    "json",
    "markdown",
    "junit",
    "github",
    "nagios",
    "prometheus",
];

/// A server's message that no form may take for more than text.
const HOSTILE: &str = "::error::first\n::stop-commands::token\n  ::set-output name=a::b\n\
    ##[add-mask]x ##vso[task.setvariable]y | a=1;2;3 ]]> <script>alert(1)</script>\n\
    ``` `` ~~~ @admin GH-7 #12 [x](http://evil.test) ![i](http://evil.test/i.png)\n\
    www.evil.test <a@evil.test> \u{1b}[31m\u{feff}\u{7} %0A::error::y $x$ &lt; \" ' \\ {a=\"b\"} 1";

fn main() {
    let needs = [
        Need::Root,
        Need::Postgres,
        Need::Xmllint,
        Need::CmarkGfm,
        Need::NodeExporter,
    ];
    trials::run(2, trials::lab(&needs), TRIALS);
}

/// dbdoctor in an empty environment, with the lab's password.
fn dbdoctor(lab: &Lab, args: &[&str]) -> Result<Command> {
    let mut command = process::dbdoctor(args);
    command
        .env("HOME", lab.dir("home")?)
        .env("PGPASSWORD", lab.password());
    Ok(command)
}

fn run(lab: &Lab, args: &[&str]) -> Result<Output> {
    Ok(dbdoctor(lab, args)?.output()?)
}

fn words(output: &Output) -> String {
    format!(
        "status {:?}\n{}\n{}",
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// What a program prints that must succeed.
fn succeed(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", words(&output));
    Ok(text(&output.stdout))
}

/// A target and what is so about it.
struct Run {
    name: &'static str,
    target: String,
    /// The verdict and its cause.
    status: &'static str,
    cause: Option<&'static str>,
    _kept: Box<dyn std::any::Any>,
}

impl Run {
    fn server(lab: &Lab, name: &'static str, days: i64) -> Result<(Postgres, String)> {
        let spec = CertSpec {
            not_after: days,
            ..lab.cert()
        };
        let issued = lab.issue(spec).context(name)?;
        let pg = lab.new_postgres().tls(issued).start()?;
        let conn = pg.conn().set("sslmode", "verify-full");
        let target = conn.set("sslrootcert", lab.ca_file().display()).to_string();
        Ok((pg, target))
    }

    fn healthy(lab: &Lab) -> Result<Self> {
        let (pg, target) = Self::server(lab, "healthy", 90)?;
        Ok(Run {
            name: "healthy",
            target,
            status: "pass",
            cause: None,
            _kept: Box::new(pg),
        })
    }

    fn warned(lab: &Lab) -> Result<Self> {
        let (pg, target) = Self::server(lab, "warned", 10)?;
        Ok(Run {
            name: "warned",
            target,
            status: "warn",
            cause: Some("tls.cert.expires-soon"),
            _kept: Box::new(pg),
        })
    }

    fn failing(lab: &Lab) -> Result<Self> {
        let (pg, target) = Self::server(lab, "failing", -3)?;
        Ok(Run {
            name: "failing",
            target,
            status: "fail",
            cause: Some("tls.cert.expired"),
            _kept: Box::new(pg),
        })
    }

    fn hostile() -> Result<Self> {
        let fields = [
            ('S', "FATAL"),
            ('V', "FATAL"),
            ('C', "P0001"),
            ('M', HOSTILE),
        ];
        let peer = impostor::impostor(move |client| client.error(&fields))?;
        Ok(Run {
            name: "hostile",
            target: format!("host=127.0.0.1 port={} user=app dbname=orders", peer.port()),
            status: "fail",
            cause: None,
            _kept: Box::new(peer),
        })
    }

    fn all(lab: &Lab) -> Result<Vec<Self>> {
        Ok(vec![
            Run::healthy(lab)?,
            Run::warned(lab)?,
            Run::failing(lab)?,
            Run::hostile()?,
        ])
    }

    fn shown(&self, lab: &Lab, format: &str) -> Result<Output> {
        run(lab, &["check", &self.target, "--format", format])
    }
}

// JUnit

fn xpath(file: &Path, query: &str) -> Result<String> {
    let mut xmllint = Command::new("xmllint");
    let said = succeed(xmllint.args(["--xpath", query]).arg(file))?;
    Ok(said.trim().to_owned())
}

fn junit(lab: &Lab) -> Result<()> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/junit-10.xsd");
    // A suite that was interrupted has no failure, and does not pass either.
    let output = interrupted(lab, "junit")?;
    let file = lab.file("interrupted.xml", &output.stdout, 0o600)?;
    let mut xmllint = Command::new("xmllint");
    succeed(xmllint.args(["--noout", "--schema", schema]).arg(&file))
        .with_context(|| words(&output))?;
    for (what, is) in [
        ("string(//testsuite/@errors)", "1"),
        ("count(//testcase[error])", "1"),
        ("count(//testcase[failure])", "0"),
        ("string(//testcase[error]/@name)", "protocol"),
    ] {
        let said = xpath(&file, what)?;
        ensure!(said == is, "{what}: {said}\n{}", words(&output));
    }
    for one in Run::all(lab)? {
        let output = one.shown(lab, "junit")?;
        let file = lab.file(&format!("{}.xml", one.name), &output.stdout, 0o600)?;
        let mut xmllint = Command::new("xmllint");
        succeed(xmllint.args(["--noout", "--schema", schema]).arg(&file))
            .with_context(|| words(&output))?;
        // What GitLab reads (lib/gitlab/ci/parsers/test/junit.rb): the names, and of the
        // elements of a case the failure before all others.
        let cases: usize = xpath(&file, "count(//testcase[@name][@classname])")?.parse()?;
        ensure!(cases >= 11, "{cases}: {}", words(&output));
        let failed = xpath(&file, "string(//testcase[failure]/failure/@type)")?;
        match (one.status, one.cause) {
            ("fail", Some(cause)) => ensure!(failed == cause, "{failed}"),
            ("fail", None) => ensure!(!failed.is_empty(), "{}", words(&output)),
            _ => ensure!(failed.is_empty(), "{failed}"),
        }
        for (counted, element) in [
            ("tests", ""),
            ("failures", "[failure]"),
            ("skipped", "[skipped]"),
        ] {
            let said = xpath(&file, &format!("string(//testsuite/@{counted})"))?;
            let is = xpath(&file, &format!("count(//testcase{element})"))?;
            ensure!(said == is, "{}: {counted}: {said}, is {is}", one.name);
        }
        let out = xpath(&file, "string(//testcase[@name='tls']/system-out)")?;
        match one.name {
            "warned" => ensure!(out.contains("tls.cert.expires-soon: "), "{out}"),
            "hostile" => {
                let failure = xpath(&file, "string(//failure)")?;
                ensure!(
                    failure.contains("]]> <script>alert(1)</script>"),
                    "{failure}"
                );
            }
            _ => {}
        }
    }
    // With --fail-on warn the tests fail as the run does.
    let warned = Run::warned(lab)?;
    let output = run(
        lab,
        &[
            "check",
            &warned.target,
            "--format",
            "junit",
            "--fail-on",
            "warn",
        ],
    )?;
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    let said = text(&output.stdout);
    ensure!(
        said.contains("<failure type=\"tls.cert.expires-soon\""),
        "{said}"
    );
    Ok(())
}

// Prometheus

/// A file of metrics as its samples: name and labels, and the value.
fn samples(text: &str) -> Result<BTreeMap<String, f64>> {
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').context(line.to_owned())?;
        let twice = samples.insert(name.to_owned(), value.parse()?);
        ensure!(twice.is_none(), "twice: {name}");
    }
    Ok(samples)
}

/// The value of the one sample that begins so and has this in its labels.
fn sample(samples: &BTreeMap<String, f64>, name: &str, label: &str) -> Result<f64> {
    let found: Vec<_> = samples
        .iter()
        .filter(|(sample, _)| sample.starts_with(&format!("{name}{{")) && sample.contains(label))
        .collect();
    match found.as_slice() {
        [(_, value)] => Ok(**value),
        found => bail!("{name} {label}: {found:?} of {samples:#?}"),
    }
}

/// The real consumer: the node exporter's textfile collector, as a user of its own.
fn collected(folder: &Path) -> Result<String> {
    let port = free_port();
    let exporter = find_program("prometheus-node-exporter").context("not installed")?;
    let mut exporter = Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--",
        ])
        .arg(exporter)
        .args(["--collector.disable-defaults", "--collector.textfile"])
        .arg(format!(
            "--collector.textfile.directory={}",
            folder.display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let limit = Instant::now() + Duration::from_secs(20);
    let got = loop {
        match get(port) {
            Err(error) if Instant::now() > limit => break Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
            got => break got,
        }
    };
    exporter.kill()?;
    exporter.wait()?;
    got
}

fn get(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

fn prometheus(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let runs = Run::all(lab)?;
    for one in &runs {
        let file = folder.path().join(format!("{}.prom", one.name));
        let args = ["check", &one.target, "--format", "prometheus", "-o"];
        let output = dbdoctor(lab, &args)?.arg(&file).output()?;
        let status = i32::from(one.status == "fail");
        ensure!(output.status.code() == Some(status), "{}", words(&output));
    }
    let said = collected(folder.path())?;
    ensure!(said.contains("node_textfile_scrape_error 0"), "{said}");
    for one in &runs {
        let port = one.target.split("port=").nth(1).unwrap_or_default();
        let port = port.split(' ').next().unwrap_or_default().replace('\'', "");
        let port = format!("port=\"{port}\"");
        let ours: Vec<&str> = said.lines().filter(|line| line.contains(&port)).collect();
        let ours = samples(&ours.join("\n"))?;
        let up = sample(&ours, "dbdoctor_up", "")?;
        ensure!(up == f64::from(u8::from(one.status != "fail")), "{ours:#?}");
        let run = sample(&ours, "dbdoctor_last_run_timestamp_seconds", "")?;
        let now = std::time::UNIX_EPOCH.elapsed()?.as_secs_f64();
        ensure!((now - run).abs() < 600.0, "{run} is not now");
        sample(&ours, "dbdoctor_stage_seconds", "stage=\"tcp\"")?;
        if let Some(cause) = one.cause {
            let cause = format!("cause=\"{cause}\"");
            ensure!(sample(&ours, "dbdoctor_finding", &cause)? == 1.0);
        }
        let days = match one.name {
            "healthy" => 90.0,
            "warned" => 10.0,
            "failing" => -3.0,
            _ => continue,
        };
        let end = sample(&ours, "dbdoctor_certificate_not_after_seconds", "")?;
        ensure!(
            ((end - now) / 86_400.0 - days).abs() < 1.1,
            "{}: {end}",
            one.name
        );
    }
    // A peer's words are in no label.
    ensure!(
        !said.contains("alert(1)") && !said.contains("evil"),
        "{said}"
    );
    Ok(())
}

fn metrics_file(lab: &Lab) -> Result<()> {
    let healthy = Run::healthy(lab)?;
    let args = ["check", &healthy.target, "--format", "prometheus"];
    let shown = run(lab, &args)?;
    ensure!(
        text(&shown.stdout).contains("dbdoctor_up{"),
        "{}",
        words(&shown)
    );
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("dbdoctor.prom");
    let output = dbdoctor(lab, &args)?.arg("-o").arg(&file).output()?;
    ensure!(output.stdout.is_empty(), "{}", words(&output));
    let about = fs::metadata(&file)?;
    ensure!(about.mode() & 0o7777 == 0o644, "{:o}", about.mode());
    let names = |text: &str| -> Result<Vec<String>> { Ok(samples(text)?.into_keys().collect()) };
    let written = fs::read_to_string(&file)?;
    ensure!(
        names(&written)? == names(&text(&shown.stdout))?,
        "{written}"
    );
    // It is renamed into its place, and nothing is left beside it.
    dbdoctor(lab, &args)?.arg("-o").arg(&file).output()?;
    ensure!(fs::metadata(&file)?.ino() != about.ino());
    ensure!(fs::read_dir(folder.path())?.count() == 1);
    // The other forms write the JSON there.
    let file = folder.path().join("report.json");
    let args = ["check", &healthy.target, "--format", "nagios"];
    let output = dbdoctor(lab, &args)?.arg("-o").arg(&file).output()?;
    ensure!(
        text(&output.stdout).starts_with("DBDOCTOR OK"),
        "{}",
        words(&output)
    );
    let report: Value = serde_json::from_slice(&fs::read(&file)?)?;
    ensure!(report["verdict"]["status"] == "pass");
    ensure!(fs::metadata(&file)?.mode() & 0o7777 == 0o600);
    Ok(())
}

/// Nothing is known but the host: no user, no password, no database.
fn certificate_alone(lab: &Lab) -> Result<()> {
    let (pg, _) = Run::server(lab, "alone", 20)?;
    let target = format!("{}:{}", pg.host(), pg.port());
    let output = dbdoctor(lab, &["tls", &target, "--format", "prometheus"])?
        .env_remove("PGPASSWORD")
        .output()?;
    ensure!(output.status.code() == Some(0), "{}", words(&output));
    let ours = samples(&text(&output.stdout))?;
    let end = sample(
        &ours,
        "dbdoctor_certificate_not_after_seconds",
        "command=\"tls\"",
    )?;
    let now = std::time::UNIX_EPOCH.elapsed()?.as_secs_f64();
    ensure!(((end - now) / 86_400.0 - 20.0).abs() < 1.1, "{end}");
    ensure!(sample(&ours, "dbdoctor_up", "")? == 1.0);
    let log = pg.log();
    ensure!(!log.contains("authentication failed"), "{log}");
    Ok(())
}

// Monitoring plug-ins

/// A plug-in's output by the guidelines of the Monitoring Plugins project
/// (monitoring-plugins.org/doc/guidelines.html, "Plugin Output" and "Performance data"):
/// its text, and the performance data by label.
fn plugin_output(output: &Output) -> Result<(String, BTreeMap<String, Vec<String>>)> {
    let said = text(&output.stdout);
    let line = said.strip_suffix('\n').context("no line end")?;
    ensure!(!line.contains('\n'), "more than a line: {said}");
    let (line, data) = line.split_once('|').unwrap_or((line, ""));
    ensure!(!data.contains('|'), "{data}");
    let number = r"-?\d+(?:\.\d+)?";
    let range = format!(r"(?:@?(?:(?:{number}|~)?:)?(?:{number})?)");
    let datum = format!(
        r"^(\w+)=({number})(|s|us|ms|%|c|B|KB|MB|GB|TB)(?:;({range})(?:;({range})(?:;((?:{number})?)(?:;((?:{number})?))?)?)?)?$"
    );
    let datum = Regex::new(&datum)?;
    let mut found = BTreeMap::new();
    for one in data.split_whitespace() {
        let parts = datum.captures(one).with_context(|| one.to_owned())?;
        let part = |n: usize| parts.get(n).map_or("", |part| part.as_str()).to_owned();
        let values = vec![part(2), part(3), part(4), part(5)];
        ensure!(found.insert(part(1), values).is_none(), "{one} twice");
    }
    Ok((line.trim_end().to_owned(), found))
}

fn nagios(lab: &Lab) -> Result<()> {
    for one in Run::all(lab)? {
        let args = [
            "check",
            &one.target,
            "--format",
            "nagios",
            "--fail-cert-days",
            "7",
        ];
        let output = run(lab, &args)?;
        let (line, data) = plugin_output(&output).with_context(|| words(&output))?;
        let (status, word) = match one.status {
            "pass" => (0, "OK"),
            "warn" => (1, "WARNING"),
            _ => (2, "CRITICAL"),
        };
        ensure!(output.status.code() == Some(status), "{}", words(&output));
        let cause = one
            .cause
            .map(|cause| format!("{cause}: "))
            .unwrap_or_default();
        let begins = format!("DBDOCTOR {word} - {cause}");
        ensure!(line.starts_with(&begins), "{line}");
        ensure!(
            data.contains_key("tcp") && data.contains_key("total"),
            "{data:?}"
        );
        let days = data
            .get("cert_days")
            .map(|it| (it[0].as_str(), it[2].as_str(), it[3].as_str()));
        match (one.name, days) {
            ("healthy", Some((days, "30", "7"))) => ensure!(["89", "90"].contains(&days)),
            ("warned", Some((days, "30", "7"))) => ensure!(["9", "10"].contains(&days)),
            ("failing", Some((days, "30", "7"))) => ensure!(["-3", "-4"].contains(&days)),
            ("hostile", None) => {}
            (name, days) => bail!("{name}: {days:?}"),
        }
    }
    // Expired where nothing verifies it is no reason to be content.
    let (_pg, target) = Run::server(lab, "expired", -3)?;
    let target = target.replace("verify-full", "require");
    let target = Regex::new(r"sslrootcert=\S+")?
        .replace(&target, "")
        .into_owned();
    let output = run(lab, &["tls", &target, "--format", "nagios"])?;
    let (line, _) = plugin_output(&output)?;
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    ensure!(
        line.starts_with("DBDOCTOR WARNING - tls.cert.expired: "),
        "{line}"
    );
    let output = run(lab, &["tls", &target])?;
    ensure!(output.status.code() == Some(0), "{}", words(&output));
    Ok(())
}

fn nagios_unknown(lab: &Lab) -> Result<()> {
    let healthy = Run::healthy(lab)?;
    let unwritable = lab.root().join("no/such/file");
    let unwritable = unwritable.display().to_string();
    for args in [
        &["check", "--format", "nagios", "--no-such-flag"][..],
        &["check", "--format=nagios", "--timeout", "soon"],
        &["dns", "--format", "nagios", "--expect-writable"],
        &["tunnel", &healthy.target, "--format", "nagios"],
        &[
            "check",
            &healthy.target,
            "--format",
            "nagios",
            "-o",
            &unwritable,
        ],
        &["explain", "tls.cert.expired", "--format", "nagios"],
    ] {
        let output = run(lab, args)?;
        let (line, _) = plugin_output(&output).with_context(|| words(&output))?;
        ensure!(
            output.status.code() == Some(3),
            "{args:?}: {}",
            words(&output)
        );
        ensure!(line.starts_with("DBDOCTOR UNKNOWN - "), "{args:?}: {line}");
    }
    let output = interrupted(lab, "nagios")?;
    let (line, _) = plugin_output(&output)?;
    ensure!(output.status.code() == Some(3), "{}", words(&output));
    ensure!(line.starts_with("DBDOCTOR UNKNOWN - interrupted"), "{line}");
    Ok(())
}

/// What is printed where Ctrl-C ends the wait for a server that does not answer.
fn interrupted(lab: &Lab, format: &str) -> Result<Output> {
    let silent = Peer::silent()?;
    let target = format!("host=127.0.0.1 port={} user=app", silent.port());
    let child = dbdoctor(lab, &["check", &target, "--format", format])?.spawn()?;
    let limit = Instant::now() + Duration::from_secs(20);
    while silent.connections() == 0 && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    succeed(Command::new("kill").args(["-INT", &pid]))?;
    Ok(child.wait_with_output()?)
}

// GitHub

/// A command that the runner finds in a line of a job's log, by the rules of its
/// ActionCommand.cs: `::NAME PROPERTIES::DATA` at the beginning of a line, else
/// `##[NAME PROPERTIES]DATA` anywhere. Any name is taken for one that it knows.
fn runner_command(line: &str) -> Option<(String, BTreeMap<String, String>, String)> {
    let (info, data, between) = match line.trim_start().strip_prefix("::") {
        Some(rest) if rest.contains("::") => {
            let (info, data) = rest.split_once("::")?;
            (info, data, ',')
        }
        _ => {
            let (info, data) = line.split_once("##[")?.1.split_once(']')?;
            (info, data, ';')
        }
    };
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        || name.is_empty()
    {
        return None;
    }
    let unescaped = |text: &str| {
        [
            ("%0D", "\r"),
            ("%0A", "\n"),
            ("%3A", ":"),
            ("%2C", ","),
            ("%25", "%"),
        ]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let properties = properties
        .split(between)
        .filter_map(|one| one.split_once('='));
    let properties = properties.map(|(name, value)| (name.to_owned(), unescaped(value)));
    let data = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]
        .iter()
        .fold(data.to_owned(), |text, (from, to)| text.replace(from, to));
    Some((name.to_owned(), properties.collect(), data))
}

fn github(lab: &Lab) -> Result<()> {
    for one in Run::all(lab)? {
        let output = one.shown(lab, "github")?;
        let said = text(&output.stdout);
        let commands: Vec<_> = said.lines().map(runner_command).collect();
        if one.status == "pass" {
            ensure!(
                commands == [None] && said.contains("All checks passed"),
                "{said}"
            );
            continue;
        }
        let level = if one.status == "fail" {
            "error"
        } else {
            "warning"
        };
        ensure!(said.lines().count() <= 20, "{said}");
        let first = commands.first().cloned().flatten().context(said.clone())?;
        let (name, properties, data) = first;
        ensure!(name == level, "{said}");
        let title = properties.get("title").context("no title")?;
        match one.cause {
            Some(cause) => ensure!(*title == format!("{cause} (tls)"), "{title}"),
            None => ensure!(data.contains("%0A::error::y"), "{data}"),
        }
        ensure!(data.contains("What to do:\n1. "), "{data}");
        for command in commands {
            let (name, _, _) = command.context("a line that is no command")?;
            ensure!(["error", "warning"].contains(&name.as_str()), "{name}");
        }
    }
    Ok(())
}

fn step_summary(lab: &Lab) -> Result<()> {
    let failing = Run::failing(lab)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("summary.md");
    fs::write(&file, "before\n")?;
    let summarised = |path: &Path| -> Result<Output> {
        let output = dbdoctor(lab, &["check", &failing.target, "--format", "github"])?
            .env("GITHUB_STEP_SUMMARY", path)
            .output()?;
        ensure!(output.status.code() == Some(1), "{}", words(&output));
        ensure!(text(&output.stdout).contains("::error title=tls.cert.expired"));
        Ok(output)
    };
    let output = summarised(&file)?;
    ensure!(output.stderr.is_empty(), "{}", words(&output));
    let written = fs::read_to_string(&file)?;
    ensure!(
        written.starts_with("before\n### ✗ dbdoctor check: `tls.cert.expired`"),
        "{written}"
    );
    summarised(&file)?;
    let reports = || -> Result<usize> {
        let written = fs::read_to_string(&file)?;
        Ok(written
            .lines()
            .filter(|line| line.starts_with("### "))
            .count())
    };
    ensure!(reports()? == 2);
    // In another form nothing is written.
    dbdoctor(lab, &["check", &failing.target])?
        .env("GITHUB_STEP_SUMMARY", &file)
        .output()?;
    ensure!(reports()? == 2);
    // What cannot be written to is a word on standard error.
    let unwritable = folder.path().join("no/summary.md");
    let link = folder.path().join("link.md");
    symlink(&file, &link)?;
    let owner = nix::unistd::Uid::from_raw(61_234);
    nix::unistd::fchownat(
        nix::fcntl::AT_FDCWD,
        &link,
        Some(owner),
        None,
        nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
    )?;
    for path in [&unwritable, &link, &folder.path().to_owned()] {
        let output = summarised(path)?;
        let said = text(&output.stderr);
        ensure!(
            said.starts_with("dbdoctor: cannot write to the file of GITHUB_STEP_SUMMARY: "),
            "{said}"
        );
        ensure!(said.lines().count() == 1, "{said}");
    }
    ensure!(reports()? == 2);
    // A file of another user in a folder of everyone is not appended to.
    let shared = folder.path().join("tmp");
    fs::create_dir(&shared)?;
    fs::set_permissions(&shared, Permissions::from_mode(0o1777))?;
    let planted = shared.join("summary.md");
    fs::write(&planted, "")?;
    nix::unistd::chown(&planted, Some(owner), None)?;
    let output = summarised(&planted)?;
    ensure!(
        text(&output.stderr).contains("belongs to another user"),
        "{}",
        words(&output)
    );
    ensure!(fs::read(&planted)?.is_empty());
    Ok(())
}

// Markdown

/// What a renderer of GitHub's Markdown makes of it, as HTML.
fn rendered(lab: &Lab, name: &str, markdown: &[u8]) -> Result<String> {
    let file: PathBuf = lab.file(&format!("{name}.md"), markdown, 0o600)?;
    let mut renderer = Command::new("cmark-gfm");
    for extension in ["table", "strikethrough", "autolink", "tagfilter"] {
        renderer.args(["-e", extension]);
    }
    succeed(renderer.arg("--unsafe").arg(file))
}

fn markdown(lab: &Lab) -> Result<()> {
    let rows = Regex::new(r"(?s)<tr>(.*?)</tr>")?;
    let code = Regex::new(r"(?s)<(code|pre)\b.*?</(code|pre)>")?;
    for one in Run::all(lab)? {
        let output = one.shown(lab, "markdown")?;
        let said = text(&output.stdout);
        let page = rendered(lab, one.name, &output.stdout)?;
        if let Some(cause) = one.cause {
            ensure!(
                page.contains(&format!("<code>{cause}</code> (tls)</h4>")),
                "{page}"
            );
        }
        ensure!(page.matches("<table>").count() == 1, "{page}");
        ensure!(page.matches("<tr>").count() >= 8, "{page}");
        for row in rows.captures_iter(&page) {
            let cells = row[1].matches("</t").count();
            ensure!(cells == 4, "{cells} cells: {}", &row[0]);
        }
        let folds = page.matches("<details>").count();
        ensure!(
            folds >= 3 && folds == page.matches("</details>").count(),
            "{page}"
        );
        for never in ["<script", "<a ", "<img", "<del>", "<em>", "href"] {
            ensure!(!page.contains(never), "{never} in {page}");
        }
        // GitHub links what stands in a text and in no code.
        let plain = code.replace_all(&page, "");
        for never in [r"@\w", r"#\d", r"GH-\d", r"\$[a-z]"] {
            let found = Regex::new(never)?
                .find(&plain)
                .map(|it| it.as_str().to_owned());
            ensure!(found.is_none(), "{found:?} in {plain}");
        }
        if one.name == "hostile" {
            ensure!(
                page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
                "{page}"
            );
            ensure!(page.matches("<pre><code").count() == page.matches("</code></pre>").count());
            // Without the comments, it is what the server said.
            let shown = plain.replace("<!-- -->", "");
            ensure!(
                shown.contains("@admin GH-7 #12 [x](http://evil.test)"),
                "{shown}"
            );
        }
        if one.status == "fail" {
            let quiet = run(lab, &["check", &one.target, "--format", "markdown", "-q"])?;
            let quiet = text(&quiet.stdout);
            ensure!(
                said.len() > quiet.len() && quiet.lines().count() < 8,
                "{quiet}"
            );
        }
    }
    Ok(())
}

// All of them

fn no_commands(lab: &Lab) -> Result<()> {
    let hostile = Run::hostile()?;
    for format in FORMATS {
        for columns in ["50", "80", "110"] {
            let output = dbdoctor(lab, &["check", &hostile.target, "--format", format, "-v"])?
                .env("COLUMNS", columns)
                .output()?;
            let said = text(&output.stdout);
            let told = said.contains("alert(1)");
            let tells = !["prometheus", "nagios"].contains(&format);
            ensure!(told == tells || format == "nagios", "{format}: {said}");
            ensure!(
                !said.contains('\u{1b}') && !said.contains('\u{feff}'),
                "{format}: {said}"
            );
            let lines = said
                .lines()
                .chain(std::str::from_utf8(&output.stderr)?.lines());
            for line in lines {
                let ours = format == "github" && line.starts_with("::error title=");
                let ours = ours || format == "github" && line.starts_with("::warning title=");
                ensure!(ours || runner_command(line).is_none(), "{format}: {line}");
                ensure!(!line.contains("##vso["), "{format}: {line}");
            }
        }
    }
    // A text that is explained may be anybody's.
    let said = text(&run(lab, &["explain", HOSTILE])?.stdout);
    ensure!(
        said.lines().all(|line| runner_command(line).is_none()),
        "{said}"
    );
    Ok(())
}

fn statuses(lab: &Lab) -> Result<()> {
    for one in Run::all(lab)? {
        for format in FORMATS.into_iter().filter(|format| *format != "nagios") {
            for (fail_on, status) in [
                ("fail", i32::from(one.status == "fail")),
                ("warn", i32::from(one.status != "pass")),
            ] {
                let args = [
                    "check",
                    &one.target,
                    "--format",
                    format,
                    "--fail-on",
                    fail_on,
                ];
                let output = run(lab, &args)?;
                ensure!(
                    output.status.code() == Some(status),
                    "{format}: {}",
                    words(&output)
                );
            }
        }
    }
    let output = run(lab, &["check", "--format", "junit", "--no-such-flag"])?;
    ensure!(output.status.code() == Some(2) && output.stdout.is_empty());
    for (args, word) in [
        (&["explain", "tls.cert.expired"][..], "explain"),
        (&["diff", "a.json", "b.json"], "diff"),
    ] {
        for format in &FORMATS[2..5] {
            let output = run(lab, &[args, &["--format", *format]].concat())?;
            let said = text(&output.stderr);
            ensure!(output.status.code() == Some(2), "{}", words(&output));
            ensure!(
                said.contains(word) && said.contains("use table or json"),
                "{said}"
            );
        }
    }
    Ok(())
}

// Thresholds

fn verdict(lab: &Lab, args: &[&str]) -> Result<(Value, Option<i32>)> {
    let output = run(lab, &[args, &["--json"]].concat())?;
    let report: Value = serde_json::from_slice(&output.stdout).with_context(|| words(&output))?;
    Ok((report, output.status.code()))
}

fn certificate_days(lab: &Lab) -> Result<()> {
    let (_pg, verified) = Run::server(lab, "ten days", 10)?;
    let open = verified.replace("verify-full", "require");
    let open = Regex::new(r"sslrootcert=\S+")?
        .replace(&open, "")
        .into_owned();
    let soon = "tls.cert.expires-soon";
    for target in [&verified, &open] {
        for command in ["tls", "auth", "check"] {
            for (flags, status, code) in [
                (&[][..], "warn", 0),
                (&["--warn-cert-days", "5"], "pass", 0),
                (&["--warn-cert-days", "0"], "pass", 0),
                (&["--warn-cert-days", "11"], "warn", 0),
                (&["--fail-cert-days", "5"], "warn", 0),
                (&["--fail-cert-days", "11"], "fail", 1),
                (
                    &["--warn-cert-days", "0", "--fail-cert-days", "11"],
                    "fail",
                    1,
                ),
                (&["--warn-cert-days", "11", "--fail-on", "warn"], "warn", 1),
            ] {
                let (report, ended) = verdict(lab, &[&[command, target.as_str()], flags].concat())?;
                let found = &report["verdict"];
                ensure!(found["status"] == status, "{command} {flags:?}: {found}");
                ensure!(ended == Some(code), "{command} {flags:?}: {ended:?}");
                ensure!((found["cause"] == soon) == (status != "pass"), "{found}");
            }
        }
    }
    // The connection works, and the stages after it are run.
    let (report, _) = verdict(lab, &["check", &verified, "--fail-cert-days", "11"])?;
    let server = report["stages"].as_array().into_iter().flatten();
    let mut server = server.filter(|record| record["stage"] == "server");
    ensure!(
        server
            .next()
            .is_some_and(|record| record["status"] != "skip")
    );

    let (_pg, expired) = Run::server(lab, "expired", -3)?;
    let expired = expired.replace("verify-full", "require");
    let expired = Regex::new(r"sslrootcert=\S+")?
        .replace(&expired, "")
        .into_owned();
    for (flags, status) in [
        (&[][..], "pass"),
        (&["--warn-cert-days", "30"], "warn"),
        (&["--fail-cert-days", "7"], "fail"),
    ] {
        let (report, _) = verdict(lab, &[&["tls", expired.as_str()], flags].concat())?;
        let found = &report["verdict"];
        ensure!(found["status"] == status, "{flags:?}: {found}");
        ensure!(
            (found["cause"] == "tls.cert.expired") == (status != "pass"),
            "{found}"
        );
    }
    Ok(())
}

fn latency(lab: &Lab) -> Result<()> {
    // A server that starts each session late.
    let pg = lab.new_postgres().conf("pre_auth_delay", 1).start()?;
    let slow = pg.conn().to_string();
    let (report, ended) = verdict(lab, &["check", &slow, "--warn-latency", "400ms"])?;
    let stages = report["stages"].as_array().into_iter().flatten();
    let findings: Vec<&Value> = stages
        .flat_map(|stage| stage["findings"].as_array().into_iter().flatten())
        .filter(|finding| finding["cause"] == "client.latency")
        .collect();
    ensure!(
        findings.len() == 1 && ended == Some(0),
        "{}",
        report["verdict"]
    );
    let took = findings[0]["evidence"]["took_ms"]
        .as_f64()
        .context("no time")?;
    ensure!((1_000.0..10_000.0).contains(&took), "{took}");
    let output = run(
        lab,
        &[
            "check",
            &slow,
            "--warn-latency",
            "400ms",
            "--format",
            "nagios",
        ],
    )?;
    let (_, data) = plugin_output(&output)?;
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    ensure!(
        data["total"][2] == "0.4" && data["total"][0].parse::<f64>()? > 1.0,
        "{data:?}"
    );
    for command in ["check", "tcp", "auth"] {
        let (report, _) = verdict(lab, &[command, &slow, "--warn-latency", "20s"])?;
        ensure!(!report.to_string().contains("client.latency"), "{command}");
    }
    // A failure is not slow, whatever it took.
    let (report, _) = verdict(
        lab,
        &[
            "check",
            "host=127.0.0.1 port=1 user=app",
            "--warn-latency",
            "1ms",
        ],
    )?;
    ensure!(!report.to_string().contains("client.latency"), "{report}");
    Ok(())
}

fn refused(lab: &Lab) -> Result<()> {
    for args in [
        &["dns", "db.test", "--fail-cert-days", "7"][..],
        &["tcp", "db.test", "--warn-cert-days", "7"],
        &["config", "db.test", "--warn-latency", "1s"],
        &["check", "db.test", "--warn-cert-days", "-1"],
        &["check", "db.test", "--fail-cert-days", "soon"],
        &["check", "db.test", "--warn-latency", "0"],
    ] {
        let output = run(lab, args)?;
        ensure!(
            output.status.code() == Some(2),
            "{args:?}: {}",
            words(&output)
        );
    }
    Ok(())
}

// --pid: one process looks, another one writes and ends.

fn process(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    for (port, word, status) in [(pg.port(), "OK", 0), (1, "CRITICAL", 2)] {
        let mut application = Command::new("sleep")
            .arg("60")
            .env_clear()
            .env("PGHOST", pg.host())
            .env("PGPORT", port.to_string())
            .env("PGUSER", "app")
            .env("PGDATABASE", "appdb")
            .env("PGPASSWORD", lab.password())
            .spawn()?;
        let pid = application.id().to_string();
        let args = ["check", "--pid", &pid, "--format"];
        let plugin = run(lab, &[&args[..], &["nagios"]].concat())?;
        let file = lab.root().join(format!("{port}.prom"));
        let metrics = dbdoctor(lab, &args)?
            .arg("prometheus")
            .arg("-o")
            .arg(&file)
            .output()?;
        application.kill()?;
        application.wait()?;
        let (line, _) = plugin_output(&plugin).with_context(|| words(&plugin))?;
        ensure!(line.starts_with(&format!("DBDOCTOR {word} - ")), "{line}");
        ensure!(plugin.status.code() == Some(status), "{}", words(&plugin));
        ensure!(metrics.stdout.is_empty(), "{}", words(&metrics));
        ensure!(metrics.status.code() == Some(i32::from(status == 2)));
        let written = samples(&fs::read_to_string(&file)?)?;
        ensure!(sample(&written, "dbdoctor_up", "")? == f64::from(u8::from(status == 0)));
        ensure!(fs::metadata(&file)?.mode() & 0o7777 == 0o644);
    }
    Ok(())
}
