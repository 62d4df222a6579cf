//! `check --targets`: many targets at once, on real servers.

#[path = "common/process.rs"]
mod process;
#[path = "common/trials.rs"]
mod trials;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Need, Peer, free_port, impostor};
use process::text;
use serde_json::{Value, json};

const TRIALS: &[trials::Named<Lab>] = &[
    ("each_target_has_its_own_verdict", mixed),
    ("every_form_says_it", formats),
    ("the_json_fits_its_schema", schema),
    ("the_same_failure_is_told_once", told_once),
    ("a_silent_target_delays_no_other", black_holes),
    ("a_server_that_says_nothing_delays_no_other", silent),
    ("a_secret_is_hidden_everywhere", secrets),
    ("a_short_secret_garbles_no_other_target", short_secrets),
    ("names_are_replaced_where_that_is_asked_for", redacted),
    ("a_target_may_go_through_ssh", through_ssh),
    ("what_a_line_says_counts", own_settings),
    ("a_list_comes_from_standard_input", standard_input),
    ("an_interruption_tells_what_is_known", interrupted),
    ("no_more_than_half_of_the_slots_are_used", slots),
    ("what_is_no_list_is_an_error_of_usage", usage),
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

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres]), TRIALS);
}

/// `check --targets` of these lines, in an empty environment with the lab's password.
fn command(lab: &Lab, lines: &[String], args: &[&str]) -> Result<Command> {
    let file = lab.file("targets", lines.join("\n"), 0o600)?;
    let mut command = process::dbdoctor(&["check", "--targets"]);
    command
        .arg(file)
        .args(args)
        .env("HOME", lab.dir("home")?)
        .env("LANG", "C.UTF-8")
        .env("PGPASSWORD", lab.password());
    Ok(command)
}

fn run(lab: &Lab, lines: &[String], args: &[&str]) -> Result<Output> {
    Ok(process::run(&mut command(lab, lines, args)?))
}

fn report(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| words(output))
}

fn words(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("status {:?}\n{out}\n{err}", output.status.code())
}

/// The verdict's status and cause of each target.
fn verdicts(report: &Value) -> Vec<(String, String)> {
    let reports = report["reports"].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    reports
        .map(|one| {
            (
                word(&one["verdict"]["status"]),
                word(&one["verdict"]["cause"]),
            )
        })
        .collect()
}

fn line(object: Value) -> String {
    object.to_string()
}

/// A healthy target, one of each of three faults, and one that is no URL.
fn some(lab: &Lab) -> Result<Vec<String>> {
    let healthy = lab.postgres()?.conn();
    let closed = format!("127.0.0.1:{}", free_port());
    let missing = healthy.clone().set("dbname", "nope").to_string();
    let wrong = healthy.clone().set("password", "wr0ng-canary").to_string();
    Ok(vec![
        "# some targets\n".to_owned(),
        healthy.to_string(),
        line(json!({"name": "closed", "target": closed})),
        line(json!({"name": "missing", "target": missing})),
        line(json!({"name": "wrong", "target": wrong})),
        "postgres://app:s3cret@can@ry@db:x/y".to_owned(),
        line(json!({"name": "again", "target": healthy.to_string()})),
    ])
}

fn mixed(lab: &Lab) -> Result<()> {
    let output = run(lab, &some(lab)?, &["--json"])?;
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    let report = report(&output)?;
    let expected = [
        ("pass", ""),
        ("fail", "tcp.refused"),
        ("fail", "auth.database.missing"),
        ("fail", "auth.password.wrong"),
        ("fail", "config.url.unescaped"),
        ("pass", ""),
    ];
    let found = verdicts(&report);
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
    ensure!(found == expected, "{found:?}");
    let counts = json!({"targets": 6, "passed": 2, "warned": 0, "failed": 4, "not_run": 0});
    ensure!(report["counts"] == counts, "{}", report["counts"]);
    ensure!(report["verdict"]["status"] == "fail");
    let names = report["reports"].as_array().into_iter().flatten();
    let names: Vec<&Value> = names.map(|one| &one["target"]["name"]).collect();
    ensure!(names[1] == "closed" && names[0].is_null(), "{names:?}");

    let output = run(lab, &some(lab)?[..2], &["--json"])?;
    ensure!(output.status.success(), "{}", words(&output));
    Ok(())
}

fn formats(lab: &Lab) -> Result<()> {
    let lines = some(lab)?;
    for format in FORMATS {
        let output = run(lab, &lines, &["--format", format])?;
        let (said, all) = (text(&output.stdout), words(&output));
        let status = if format == "nagios" { 2 } else { 1 };
        ensure!(output.status.code() == Some(status), "{format}: {all}");
        ensure!(said.contains("auth.password.wrong"), "{format}: {all}");
        for secret in ["wr0ng-canary", "s3cret", "can@ry", lab.password()] {
            ensure!(!all.contains(secret), "{format} shows {secret}: {all}");
        }
        let parts: &[&str] = match format {
            "table" => &["4 of 6 targets failed", "✗ closed", "✓ again", "line 7"],
            "markdown" => &["4 of 6 targets failed", "| ✗ | closed | `tcp.refused` |"],
            "junit" => &["<testsuite name=\"closed\"", "<testsuite name=\"again\""],
            "github" => &["::error title=tcp.refused (tcp)::closed: "],
            "nagios" => &["DBDOCTOR CRITICAL - 4 of 6 targets failed", "failed=4;;;0"],
            "prometheus" => &["dbdoctor_up{target=\"closed\",", "target=\"again\""],
            _ => &[],
        };
        for part in parts {
            ensure!(said.contains(part), "{format} lacks {part}: {all}");
        }
    }
    let quiet = run(lab, &lines, &["-q"])?;
    ensure!(
        text(&quiet.stdout).lines().count() <= 3,
        "{}",
        words(&quiet)
    );
    let verbose = text(&run(lab, &lines, &["-vv"])?.stdout);
    // Each connection's messages are told of its own target.
    let wrong = verbose
        .split("── wrong")
        .nth(1)
        .context("a part of its own")?;
    let wrong = wrong.split("── ").next().unwrap_or_default();
    let sessions = wrong.matches("StartupMessage").count();
    // The second one is without TLS, as libpq tries it.
    ensure!((1..=2).contains(&sessions), "{wrong}");
    // All samples of a metric stand together, and none is there twice.
    let metrics = text(&run(lab, &lines, &["--format", "prometheus"])?.stdout);
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let mut labels: Vec<&str> = samples
        .filter_map(|line| line.rsplit_once(' '))
        .map(|it| it.0)
        .collect();
    let all = labels.len();
    labels.sort_unstable();
    labels.dedup();
    ensure!(labels.len() == all, "{metrics}");
    ensure!(
        metrics.matches("# TYPE dbdoctor_up ").count() == 1,
        "{metrics}"
    );
    Ok(())
}

fn schema(lab: &Lab) -> Result<()> {
    let file = lab.dir("out")?.join("targets.json");
    let path = file.to_string_lossy().into_owned();
    let output = run(lab, &some(lab)?, &["-o", &path])?;
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    let written: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    for (name, value) in [("targets", &written), ("report", &written["reports"][1])] {
        let path = format!("{}/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let validator = jsonschema::validator_for(&schema)?;
        let wrong: Vec<String> = validator
            .iter_errors(value)
            .map(|it| it.to_string())
            .collect();
        ensure!(wrong.is_empty(), "{name}: {wrong:?}");
    }
    let compared = process::run(&mut process::dbdoctor(&["diff", &path, &path]));
    ensure!(compared.status.code() == Some(2), "{}", words(&compared));
    ensure!(text(&compared.stderr).contains("reports of many targets"));
    Ok(())
}

fn told_once(lab: &Lab) -> Result<()> {
    let port = free_port();
    let lines: Vec<String> = (0..200)
        .map(|n| format!("host=127.0.0.1 port={port} user=app dbname=db{n}"))
        .collect();
    let said = text(&run(lab, &lines, &[])?.stdout);
    ensure!(said.contains("200 of 200 targets failed"), "{said}");
    ensure!(said.matches("What to do").count() == 1, "{said}");
    ensure!(said.lines().count() < 300, "{} lines", said.lines().count());
    ensure!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );

    // Of those that differ only in the target, one is told in full.
    let healthy = lab.postgres()?.conn();
    let lines: Vec<String> = (0..30)
        .map(|n| {
            healthy
                .clone()
                .set("dbname", format!("nope{n}"))
                .to_string()
        })
        .collect();
    let said = text(&run(lab, &lines, &[])?.stdout);
    ensure!(said.matches("What to do").count() == 1, "{said}");
    ensure!(said.contains("more targets; -v shows"), "{said}");
    Ok(())
}

/// An address whose listener never accepts: what is sent to it is lost.
struct BlackHole {
    address: SocketAddr,
    _full: (TcpListener, Vec<TcpStream>),
}

impl BlackHole {
    fn new() -> Result<Self> {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(0)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        let wait = Duration::from_millis(300);
        // Until its queue is full.
        while let Ok(stream) = TcpStream::connect_timeout(&address, wait) {
            waiting.push(stream);
            ensure!(waiting.len() < 20, "its queue never fills");
        }
        Ok(Self {
            address,
            _full: (listener, waiting),
        })
    }
}

/// The time that a run takes, which must end with this status.
fn timed(lab: &Lab, lines: &[String], args: &[&str], status: i32) -> Result<(Duration, Value)> {
    let mut command = command(lab, lines, args)?;
    let began = Instant::now();
    let output = process::run(&mut command);
    let took = began.elapsed();
    ensure!(output.status.code() == Some(status), "{}", words(&output));
    Ok((took, report(&output)?))
}

fn black_holes(lab: &Lab) -> Result<()> {
    let healthy = lab.postgres()?.conn().to_string();
    let hole = BlackHole::new()?;
    let args = ["--concurrency", "4", "--timeout", "6s", "--json"];
    let (alone, _) = timed(lab, &vec![healthy.clone(); 40], &args, 0)?;
    let lines: Vec<String> = (0..50)
        .map(|n| match n % 5 {
            0 => format!(
                "host=127.0.0.1 port={} user=app dbname=db{n}",
                hole.address.port()
            ),
            _ => healthy.clone(),
        })
        .collect();
    let (took, report) = timed(lab, &lines, &args, 1)?;
    let counts = &report["counts"];
    ensure!(counts["failed"] == 10 && counts["passed"] == 40, "{counts}");
    // One after another in the places they would take three times as long.
    let most = alone * 3 + Duration::from_secs(9);
    ensure!(took < most, "{took:?} and {alone:?} without them");
    Ok(())
}

fn silent(lab: &Lab) -> Result<()> {
    let healthy = lab.postgres()?.conn().to_string();
    let silent = Peer::silent()?;
    let silent = format!("host=127.0.0.1 port={} user=app", silent.port());
    let mut lines: Vec<String> = vec![silent; 4];
    lines.extend(vec![healthy; 6]);
    let args = ["--concurrency", "1", "--timeout", "4s", "--json"];
    let (_, report) = timed(lab, &lines, &args, 1)?;
    ensure!(report["counts"]["passed"] == 6, "{}", report["counts"]);
    // The healthy ones were done while the first still waited.
    let began = |at: usize| -> Result<time::OffsetDateTime> {
        let began = report["reports"][at]["run"]["started_at"].as_str();
        let format = &time::format_description::well_known::Rfc3339;
        Ok(time::OffsetDateTime::parse(
            began.context("a time")?,
            format,
        )?)
    };
    let between = began(9)? - began(0)?;
    ensure!(between < Duration::from_secs(4), "{between}");
    Ok(())
}

/// A server that asks for the password in clear and says in its refusal all that it was ever
/// told.
fn telltale() -> Result<Peer> {
    let heard = std::sync::Mutex::new(Vec::<String>::new());
    impostor::impostor(move |client| {
        client.send(b'R', &[0, 0, 0, 3])?;
        let (_, password) = client.receive()?;
        let password = text(&password).trim_end_matches('\0').to_owned();
        let all = {
            let mut heard = heard.lock().unwrap_or_else(|it| it.into_inner());
            heard.push(password);
            heard.join(" and ")
        };
        client.error(&[('S', "FATAL"), ('C', "28P01"), ('M', &format!("no: {all}"))])
    })
}

fn secrets(lab: &Lab) -> Result<()> {
    let server = telltale()?;
    let (first, second) = ("canary-of-one!", "canary-of-two!");
    let target = |user: &str, password: &str| {
        let port = server.port();
        format!("host=127.0.0.1 port={port} user={user} dbname=d password='{password}'")
    };
    let lines = [target("one", first), target("two", second)];
    for format in FORMATS {
        for more in [&["--concurrency", "1"][..], &["-vv", "--redact"]] {
            let output = run(lab, &lines, &[&["--format", format], more].concat())?;
            let all = words(&output);
            ensure!(!all.contains("canary"), "{format}: {all}");
            ensure!(!all.contains(lab.password()), "{format}: {all}");
        }
    }
    // Each password went only where it belongs, and the environment's nowhere.
    ensure!(!text(&server.received()).contains(lab.password()));
    Ok(())
}

fn short_secrets(lab: &Lab) -> Result<()> {
    let healthy = lab.postgres()?.conn();
    let wrong = healthy.clone().set("password", "appdb").to_string();
    let missing = healthy.clone().set("dbname", "appdb2").to_string();
    let lines = [
        line(json!({"name": "wrong", "target": wrong})),
        line(json!({"name": "appdb", "target": missing})),
    ];
    let said = text(&run(lab, &lines, &[])?.stdout);
    ensure!(said.contains("Database appdb2 does not exist"), "{said}");
    ensure!(said.contains("✗ appdb "), "{said}");
    ensure!(!said.contains("(hidden)"), "{said}");
    Ok(())
}

fn redacted(lab: &Lab) -> Result<()> {
    let healthy = lab.postgres()?.conn();
    let missing = healthy.clone().set("dbname", "orders-canary").to_string();
    let lines = [
        line(json!({"name": "canary", "target": healthy.to_string()})),
        missing,
    ];
    for format in FORMATS {
        let output = run(lab, &lines, &["--format", format, "--redact"])?;
        let said = words(&output);
        ensure!(!said.contains("canary"), "{format}: {said}");
    }
    let said = text(&run(lab, &lines, &["--redact"])?.stdout);
    ensure!(
        said.contains("target-1") && said.contains("database-"),
        "{said}"
    );
    Ok(())
}

fn through_ssh(lab: &Lab) -> Result<()> {
    if let Some(why) = Need::Sshd.missing() {
        eprintln!("skipped: {why}");
        return Ok(());
    }
    let (pg, sshd) = (lab.postgres()?, lab.sshd()?);
    let key = lab.client_key()?;
    let target = pg.conn().to_string();
    let lines = [
        line(json!({
            "name": "tunnel", "target": target, "ssh": sshd.destination(), "ssh_key": key,
        })),
        line(json!({"name": "direct", "target": target})),
        line(
            json!({"name": "no key", "target": target, "ssh": [sshd.destination()],
            "ssh_key": ["/nonexistent/key"]}),
        ),
    ];
    let known_hosts = sshd.known_hosts().to_string_lossy().into_owned();
    let config = lab
        .file("ssh_config", "", 0o600)?
        .to_string_lossy()
        .into_owned();
    let args = [
        "--json",
        "--ssh-known-hosts",
        &known_hosts,
        "--ssh-config",
        &config,
    ];
    let output = run(lab, &lines, &args)?;
    let report = report(&output)?;
    let statuses: Vec<String> = verdicts(&report).into_iter().map(|it| it.0).collect();
    ensure!(statuses == ["pass", "pass", "fail"], "{}", words(&output));
    let ssh = |at: usize| {
        report["reports"][at]["target"]["ssh"]
            .as_array()
            .map(Vec::len)
    };
    ensure!(ssh(0) == Some(1) && ssh(1) == Some(0));
    Ok(())
}

fn own_settings(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let target = pg.conn().to_string();
    let env = lab.file("own.env", "PGPASSWORD=wr0ng-canary\n", 0o600)?;
    let lines = [
        line(json!({"target": target, "expect_role": "standby"})),
        line(json!({"target": target, "expect_role": "primary"})),
        line(json!({"target": target, "env_file": env})),
        line(json!({"target": target, "as": "pgx", "expect_database": "other"})),
    ];
    let output = run(lab, &lines, &["--json"])?;
    let causes: Vec<String> = verdicts(&report(&output)?)
        .into_iter()
        .map(|it| it.1)
        .collect();
    let expected = [
        "server.wrong-identity",
        "",
        "auth.password.wrong",
        "server.wrong-identity",
    ];
    ensure!(causes == expected, "{causes:?}");
    Ok(())
}

fn standard_input(lab: &Lab) -> Result<()> {
    let mut command = process::dbdoctor(&["check", "--targets", "-", "--json"]);
    command
        .env("HOME", lab.dir("home")?)
        .env("PGPASSWORD", lab.password())
        .stdin(Stdio::piped());
    let mut child = command.spawn()?;
    let healthy = lab.postgres()?.conn();
    let mut input = child.stdin.take().context("it is a pipe")?;
    write!(input, "\u{feff}# {healthy}\r\n\r\n  {healthy}\r\n{healthy}")?;
    drop(input);
    let output = process::ended(child, Duration::from_secs(60));
    ensure!(output.status.success(), "{}", words(&output));
    ensure!(report(&output)?["counts"]["passed"] == 2);
    Ok(())
}

fn interrupted(lab: &Lab) -> Result<()> {
    let silent = Peer::silent()?;
    let target = format!("host=127.0.0.1 port={} user=app", silent.port());
    let healthy = lab.postgres()?.conn().to_string();
    let mut lines = vec![healthy];
    lines.extend(vec![target; 40]);
    let args = [
        "--json",
        "--timeout",
        "50s",
        "--deadline",
        "55s",
        "--concurrency",
        "1",
    ];
    let child = command(lab, &lines, &args)?.spawn()?;
    process::until("connected", || silent.connections() > 0);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
    nix::sys::signal::kill(pid, nix::sys::signal::SIGINT)?;
    let output = process::ended(child, Duration::from_secs(20));
    ensure!(output.status.code() == Some(130), "{}", words(&output));
    let report = report(&output)?;
    ensure!(report["run"]["interrupted"] == true);
    ensure!(report["counts"]["targets"] == 41, "{}", report["counts"]);
    let not_run = report["counts"]["not_run"].as_u64();
    ensure!(not_run >= Some(40), "{}", report["counts"]);
    ensure!(report["reports"][40]["stages"][0]["status"] != "fail");
    Ok(())
}

fn slots(lab: &Lab) -> Result<()> {
    let pg = lab
        .new_postgres()
        .conf("max_connections", 12)
        .conf("log_connections", "on")
        .start()?;
    let lines = vec![pg.conn().to_string(); 40];
    let output = run(lab, &lines, &["--concurrency", "64"])?;
    ensure!(output.status.success(), "{}", words(&output));
    Ok(())
}

fn usage(lab: &Lab) -> Result<()> {
    let list = |content: &str| -> Result<PathBuf> { lab.file("list", content, 0o600) };
    let good = list("127.0.0.1:1")?.to_string_lossy().into_owned();
    for more in [
        &["db"][..],
        &["--url", "db"],
        &["-h", "db"],
        &["-W"],
        &["--idle", "5s"],
        &["--wait", "5s"],
        &["--second-opinion"],
        &["--pid", "1"],
        &["-d", "postgres://s3cret@db/x"],
        &["--concurrency", "0"],
    ] {
        let output = process::run(process::dbdoctor(&["check", "--targets", &good]).args(more));
        ensure!(
            output.status.code() == Some(2),
            "{more:?}: {}",
            words(&output)
        );
        let said = text(&output.stderr);
        let first = said.lines().next().unwrap_or_default();
        ensure!(first.starts_with("dbdoctor: --"), "{more:?}: {said}");
    }
    for (content, part) in [
        ("", "holds no target"),
        ("# nothing", "holds no target"),
        (
            "db\n{\"target\": \"s3cret",
            "line 2 of the file is not valid JSON",
        ),
        (
            "db\n\n{\"target\": \"s3cret\", \"hots\": 1}",
            "line 3 of the file",
        ),
        ("{\"target\": [\"s3cret\"]}", "target must be a string"),
        ("db\0s3cret", "line 1 of the file is not text"),
    ] {
        let path = list(content)?.to_string_lossy().into_owned();
        let output = process::run(&mut process::dbdoctor(&["check", "--targets", &path]));
        let all = words(&output);
        ensure!(output.status.code() == Some(2), "{content}: {all}");
        ensure!(
            all.contains(part) && !all.contains("s3cret"),
            "{content}: {all}"
        );
        ensure!(output.stdout.is_empty(), "{all}");
    }
    let folder = lab.dir("folder")?.to_string_lossy().into_owned();
    for (file, part) in [
        ("/nonexistent", "does not exist"),
        (&*folder, "is a directory"),
        ("postgres://app:s3cret@db/x", "takes a file"),
    ] {
        let output = process::run(&mut process::dbdoctor(&["check", "--targets", file]));
        let all = words(&output);
        ensure!(output.status.code() == Some(2), "{all}");
        ensure!(all.contains(part) && !all.contains("s3cret"), "{all}");
    }
    let alone = process::run(&mut process::dbdoctor(&[
        "check",
        "--concurrency",
        "2",
        "db",
    ]));
    ensure!(alone.status.code() == Some(2), "{}", words(&alone));
    Ok(())
}
