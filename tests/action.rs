//! The GitHub action: its steps are run as the runner runs them, on a healthy server and on
//! faults, with a hostile password and hostile inputs.

#[path = "common/trials.rs"]
mod trials;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Need};
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("a_healthy_server_passes", healthy),
    ("a_fault_fails_the_job_with_its_cause", fault),
    ("fail_on_decides_what_fails_the_job", fail_on),
    ("an_unset_secret_fails_the_job", unset),
    ("settings_of_the_job_are_used", environment),
    ("inputs_are_not_run", injection),
    ("wrong_inputs_are_told", wrong_inputs),
    ("every_form_of_a_password_is_hidden", passwords),
    ("a_release_is_installed", installed),
    ("a_damaged_release_is_rejected", damaged),
];

/// A password with what URLs, shells, JSON and the runner give a meaning to.
const HOSTILE: &str = "p@ss:w/or%d\"$(touch owned)`id`'\\::set-output name=x::y";

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres]), TRIALS);
}

const DBDOCTOR: &str = env!("CARGO_BIN_EXE_dbdoctor");

/// Whether this build has the format for annotations.
fn has_annotations() -> Result<bool> {
    let help = Command::new(DBDOCTOR).args(["check", "--help"]).output()?;
    Ok(String::from_utf8_lossy(&help.stdout).contains("github"))
}

/// The runner of GitHub, as far as a composite action can tell.
struct Runner<'a> {
    folder: PathBuf,
    inputs: BTreeMap<&'a str, String>,
    environment: BTreeMap<&'a str, String>,
}

/// What is left of a job.
#[derive(Debug)]
struct Job {
    succeeded: bool,
    /// What the runner shows, with each mask applied from when it was asked for.
    log: String,
    masks: Vec<String>,
    outputs: BTreeMap<String, String>,
    /// What the job's summary got.
    summary: String,
    path: String,
}

impl<'a> Runner<'a> {
    fn new(lab: &Lab) -> Result<Self> {
        let folder = lab.dir("runner")?;
        std::fs::create_dir(folder.join("bin"))?;
        let runner = Runner {
            folder,
            inputs: BTreeMap::from([("version", "installed".to_owned())]),
            environment: BTreeMap::new(),
        };
        runner.provide_dbdoctor()?;
        Ok(runner)
    }

    /// Puts dbdoctor in PATH. A build without the format for annotations prints its table.
    fn provide_dbdoctor(&self) -> Result<()> {
        let program = self.folder.join("bin/dbdoctor");
        if has_annotations()? {
            std::os::unix::fs::symlink(DBDOCTOR, program)?;
            return Ok(());
        }
        let script = format!("#!/bin/bash\nexec {DBDOCTOR} \"${{@/#github/table}}\"\n");
        std::fs::write(&program, script)?;
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755))?;
        Ok(())
    }

    fn with(mut self, input: &'a str, value: impl ToString) -> Self {
        self.inputs.insert(input, value.to_string());
        self
    }

    fn env(mut self, name: &'a str, value: impl ToString) -> Self {
        self.environment.insert(name, value.to_string());
        self
    }

    fn run(self) -> Result<Job> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let action: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(root.join("action.yml"))?)?;
        let mut contexts = BTreeMap::from([
            ("github.action_ref".to_owned(), "v1.2.3".to_owned()),
            (
                "github.action_repository".to_owned(),
                "acme/dbdoctor".to_owned(),
            ),
        ]);
        for (name, input) in action["inputs"].as_object().context("no inputs")? {
            let default = input["default"].as_str().context("no default")?;
            let value = self
                .inputs
                .get(name.as_str())
                .map_or(default, String::as_str);
            contexts.insert(format!("inputs.{name}"), value.to_owned());
        }
        for input in self.inputs.keys() {
            ensure!(
                contexts.contains_key(&format!("inputs.{input}")),
                "no input {input}"
            );
        }
        let file = |name: &str| -> Result<PathBuf> {
            let path = self.folder.join(name);
            std::fs::write(&path, "")?;
            Ok(path)
        };
        let (output, path) = (file("output")?, file("path")?);
        let summary = file("summary")?;
        let temp = self.folder.join("temp");
        std::fs::create_dir(&temp)?;
        let mut job = Job {
            succeeded: true,
            log: String::new(),
            masks: Vec::new(),
            outputs: BTreeMap::new(),
            summary: String::new(),
            path: format!("{}/bin:/usr/bin:/bin", self.folder.display()),
        };
        for step in action["runs"]["steps"].as_array().context("no steps")? {
            ensure!(step["shell"] == "bash", "{step}");
            let script = self.folder.join("step.sh");
            std::fs::write(&script, step["run"].as_str().context("no script")?)?;
            let mut command = Command::new("timeout");
            command
                .args([
                    "60",
                    "bash",
                    "--noprofile",
                    "--norc",
                    "-e",
                    "-o",
                    "pipefail",
                ])
                .arg(&script)
                .current_dir(&self.folder)
                .env_clear()
                .env("PATH", &job.path)
                .env("HOME", &self.folder)
                .env("CI", "true")
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_SERVER_URL", "https://github.invalid")
                .env("GITHUB_ACTION_PATH", root)
                .env("GITHUB_OUTPUT", &output)
                .env("GITHUB_PATH", &path)
                .env("GITHUB_STEP_SUMMARY", &summary)
                .env("RUNNER_TEMP", &temp)
                .envs(&self.environment)
                .stdin(Stdio::null());
            for (name, value) in step["env"].as_object().context("no variables")? {
                let expression = value.as_str().context("no text")?;
                let inner = expression
                    .strip_prefix("${{ ")
                    .and_then(|it| it.strip_suffix(" }}"));
                let value = &contexts[inner.context("no expression")?];
                command.env(name, value);
            }
            let ended = command.output()?;
            let told = String::from_utf8(ended.stdout)? + &String::from_utf8(ended.stderr)?;
            for line in told.lines() {
                job.take(line);
            }
            let added = std::fs::read_to_string(&path)?;
            for folder in added
                .lines()
                .filter(|folder| !job.path.contains(folder))
                .collect::<Vec<_>>()
            {
                job.path = format!("{folder}:{}", job.path);
            }
            if !ended.status.success() {
                job.succeeded = false;
                break;
            }
        }
        job.summary = std::fs::read_to_string(summary)?;
        for line in std::fs::read_to_string(output)?.lines() {
            let (name, value) = line.split_once('=').context(line.to_owned())?;
            let kept = job.outputs.insert(name.to_owned(), value.to_owned());
            ensure!(kept.is_none(), "{name} twice");
        }
        ensure!(!self.folder.join("owned").exists(), "an input was run");
        Ok(job)
    }
}

impl Job {
    /// A line as the runner takes it.
    fn take(&mut self, line: &str) {
        if let Some(data) = line.strip_prefix("::add-mask::") {
            let data = data
                .replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%25", "%");
            self.masks.extend(data.lines().map(str::to_owned));
            return;
        }
        let mut masks: Vec<&String> = self.masks.iter().collect();
        masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
        let mut line = line.to_owned();
        for mask in masks {
            line = line.replace(mask.as_str(), "***");
        }
        self.log += &line;
        self.log += "\n";
    }

    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    fn hides(&self, secret: &str) -> Result<()> {
        ensure!(!self.log.contains(secret), "{secret} is in\n{}", self.log);
        ensure!(
            self.masks.iter().any(|mask| mask == secret),
            "{secret:?} is not in {:?}",
            self.masks
        );
        Ok(())
    }
}

/// The shared server's URL with this password.
fn url(lab: &Lab, password: &str) -> Result<String> {
    let conn = lab.postgres()?.conn().set("host", "127.0.0.1");
    Ok(conn.set("password", password).url())
}

fn healthy(lab: &Lab) -> Result<()> {
    let job = Runner::new(lab)?
        .with("url", url(lab, lab.password())?)
        .with(
            "args",
            "--expect-database appdb\n--not-host '*.prod.example.com'",
        )
        .run()?;
    ensure!(job.succeeded, "{}", job.log);
    ensure!(job.output("status") == "pass", "{job:?}");
    ensure!(
        job.output("cause").is_empty() && job.output("stage").is_empty(),
        "{job:?}"
    );
    let report: Value = serde_json::from_slice(&std::fs::read(job.output("report"))?)?;
    ensure!(report["verdict"]["status"] == "pass", "{report:#}");
    ensure!(
        job.summary.is_empty() != has_annotations()?,
        "{}",
        job.summary
    );
    job.hides(lab.password())
}

fn fault(lab: &Lab) -> Result<()> {
    let job = Runner::new(lab)?.with("url", url(lab, HOSTILE)?).run()?;
    ensure!(!job.succeeded, "{}", job.log);
    ensure!(job.output("status") == "fail", "{job:?}");
    ensure!(job.output("stage") == "auth", "{job:?}");
    ensure!(job.output("cause") == "auth.password.wrong", "{job:?}");
    ensure!(job.log.contains("auth.password.wrong"), "{}", job.log);
    ensure!(!job.summary.contains(HOSTILE), "{}", job.summary);
    if has_annotations()? {
        ensure!(
            job.log.contains("::error title=auth.password.wrong"),
            "{}",
            job.log
        );
        ensure!(
            job.summary.contains("auth.password.wrong"),
            "{}",
            job.summary
        );
    }
    let report = std::fs::read_to_string(job.output("report"))?;
    ensure!(!report.contains(HOSTILE), "{report}");
    job.hides(HOSTILE)
}

fn fail_on(lab: &Lab) -> Result<()> {
    let failing = || -> Result<Runner> {
        Ok(Runner::new(lab)?.with("url", "postgres://app@127.0.0.1:1/app"))
    };
    let job = failing()?
        .with("fail-on", "never")
        .with("command", "tcp")
        .run()?;
    ensure!(
        job.succeeded && job.output("cause") == "tcp.refused",
        "{job:?}"
    );
    let job = failing()?
        .with("fail-on", "fail")
        .with("summary", "false")
        .run()?;
    ensure!(!job.succeeded && job.output("stage") == "tcp", "{job:?}");
    ensure!(job.summary.is_empty(), "{}", job.summary);
    // A parameter that libpq does not know, which other drivers do, is a warning.
    let warned = url(lab, lab.password())? + "?schema=public";
    let job = Runner::new(lab)?.with("url", &warned).run()?;
    ensure!(job.succeeded && job.output("status") == "warn", "{job:?}");
    let job = Runner::new(lab)?
        .with("url", &warned)
        .with("fail-on", "warn")
        .run()?;
    ensure!(!job.succeeded && job.output("status") == "warn", "{job:?}");
    // A usage error fails the job whatever is asked for.
    let job = failing()?
        .with("fail-on", "never")
        .with("args", "--no-such-flag")
        .run()?;
    ensure!(!job.succeeded && job.outputs.is_empty(), "{job:?}");
    Ok(())
}

/// The input is there and empty: the default database is not what was meant.
fn unset(lab: &Lab) -> Result<()> {
    let job = Runner::new(lab)?
        .with("url", "")
        .env("PGHOST", "127.0.0.1")
        .run()?;
    ensure!(
        !job.succeeded && job.output("cause") == "config.url.syntax",
        "{job:?}"
    );
    Ok(())
}

fn environment(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let job = Runner::new(lab)?
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.port())
        .env("PGUSER", "app")
        .env("PGDATABASE", "appdb")
        .env("PGPASSWORD", lab.password())
        .with("command", "auth")
        .run()?;
    ensure!(job.succeeded && job.output("status") == "pass", "{job:?}");
    job.hides(lab.password())?;
    let job = Runner::new(lab)?
        .env("DATABASE_URL", url(lab, HOSTILE)?)
        .run()?;
    ensure!(job.output("cause") == "auth.password.wrong", "{job:?}");
    job.hides(HOSTILE)
}

fn injection(lab: &Lab) -> Result<()> {
    for hostile in [
        "$(touch owned)",
        "`touch owned`",
        "; touch owned",
        "'; touch owned; '",
        "${{ github.token }}",
        "x\n::set-output name=cause::none",
        "*",
    ] {
        let job = Runner::new(lab)?.with("url", hostile).run()?;
        ensure!(!job.succeeded, "{hostile}: {}", job.log);
        ensure!(
            job.output("cause").starts_with("config.") || job.output("cause").starts_with("dns."),
            "{job:?}"
        );
        let job = Runner::new(lab)?
            .with("args", format!("\"{hostile}\""))
            .with("command", "dns")
            .run()?;
        ensure!(!job.succeeded, "{hostile}: {}", job.log);
        ensure!(
            !job.log.lines().any(|line| line.starts_with("::set-output")),
            "{}",
            job.log
        );
        for input in ["command", "version", "fail-on", "summary"] {
            let job = Runner::new(lab)?.with(input, hostile).run()?;
            ensure!(!job.succeeded && job.outputs.is_empty(), "{input}: {job:?}");
        }
    }
    Ok(())
}

fn wrong_inputs(lab: &Lab) -> Result<()> {
    for (input, value, told) in [
        ("command", "Check all", "command must be a command"),
        ("fail-on", "error", "fail-on must be"),
        ("summary", "yes", "summary must be"),
        ("args", "--not-host '*.prod", "a quote that is not closed"),
        ("version", "1.0 beta", "version must be"),
    ] {
        let job = Runner::new(lab)?.with(input, value).run()?;
        ensure!(
            !job.succeeded && job.log.contains(told),
            "{input}: {}",
            job.log
        );
        ensure!(job.log.contains("::error title=dbdoctor::"), "{}", job.log);
    }
    Ok(())
}

/// Whatever form the target has, and where quotes or an @ are missing, what may be the password
/// is hidden, and nothing of the rest.
fn passwords(lab: &Lab) -> Result<()> {
    for (target, secrets) in [
        (
            "postgres://app:s3cret%21@db.invalid/x",
            &["s3cret%21", "s3cret!"][..],
        ),
        ("postgres://app:a@b:c@db.invalid/x", &["a@b:c"]),
        ("postgres://app:100%zz@db.invalid/x", &["100%zz"]),
        (
            "postgresql+asyncpg://app:p%2Fq@db.invalid/x",
            &["p%2Fq", "p/q"],
        ),
        (
            "postgres://db.invalid/x?user=app&password=q%26a&sslpassword=k#f",
            &["q%26a", "q&a", "k"],
        ),
        (
            "jdbc:postgresql://db.invalid/x?user=app&password=jd%62c",
            &["jd%62c", "jdbc"],
        ),
        ("host=db.invalid password=plain user=app", &["plain"]),
        (
            "host=db.invalid password = 'it\\'s a \\\\' user=app",
            &["it's a \\"],
        ),
        ("host=db.invalid password=a\\ b user=app", &["a b"]),
        (
            "Host=db.invalid;Username=app;Password=semi colon;Database=x",
            &["semi colon"],
        ),
        (
            "postgres://app:zeile%0Azwei@db.invalid/x",
            &["zeile", "zwei"],
        ),
    ] {
        let job = Runner::new(lab)?
            .with("url", target)
            .with("command", "config")
            .run()?;
        for secret in secrets {
            ensure!(
                job.masks.iter().any(|mask| mask == secret),
                "{target}: {secret} is not in {:?}",
                job.masks
            );
        }
        ensure!(
            !job.masks
                .iter()
                .any(|mask| "db.invalid app".contains(mask.as_str())),
            "{target}: {:?}",
            job.masks
        );
    }
    let job = Runner::new(lab)?
        .with("url", "postgres://app@db.invalid:5432/x?application_name=a")
        .with("command", "config")
        .run()?;
    ensure!(job.masks.is_empty(), "{:?}", job.masks);
    let job = Runner::new(lab)?
        .with("args", "-d 'host=127.0.0.1 port=1 password=inargs'")
        .env("PGPASSWORD", "of the environment")
        .env("DBDOCTOR_SSH_PASSPHRASE", "phrase\nof two lines")
        .run()?;
    for secret in ["inargs", "of the environment", "phrase", "of two lines"] {
        ensure!(
            job.masks.iter().any(|mask| mask == secret),
            "{secret}: {:?}",
            job.masks
        );
    }
    Ok(())
}

/// A site with one release, for one of its platforms.
fn site(lab: &Lab, damage: bool) -> Result<String> {
    let folder = lab.dir("site")?;
    let target = match std::env::consts::ARCH {
        "aarch64" => "aarch64-unknown-linux-gnu",
        _ => "x86_64-unknown-linux-gnu",
    };
    let name = format!("dbdoctor-1.2.3-{target}");
    std::fs::create_dir(folder.join(&name))?;
    let program = folder.join(&name).join("dbdoctor");
    std::fs::write(&program, "#!/bin/sh\necho \"the release: $*\"\n")?;
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755))?;
    let pack = "tar -czf \"$1.tar.gz\" \"$1\" && sha256sum \"$1.tar.gz\" > \"$1.tar.gz.sha256\"";
    let packed = Command::new("sh")
        .args(["-c", pack, "sh", &name])
        .current_dir(&folder)
        .status()?;
    ensure!(packed.success(), "tar");
    let archive = folder.join(format!("{name}.tar.gz"));
    if damage {
        let mut bytes = std::fs::read(&archive)?;
        bytes.push(0);
        std::fs::write(&archive, bytes)?;
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream
                .map_err(Into::into)
                .and_then(|stream| answer(stream, &folder));
        }
    });
    Ok(format!("http://{address}"))
}

/// Answers one request as GitHub's pages of releases do.
fn answer(mut stream: std::net::TcpStream, folder: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().context("no request")??;
    let path = request.split(' ').nth(1).context("no path")?.to_owned();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let releases = "/acme/dbdoctor/releases/";
    let (status, location, body) = match path.strip_prefix(releases) {
        Some("latest") => (
            "302 Found",
            format!("Location: {releases}tag/v1.2.3\r\n"),
            Vec::new(),
        ),
        Some("tag/v1.2.3") => ("200 OK", String::new(), b"the page".to_vec()),
        Some(file) => match std::fs::read(folder.join(file.trim_start_matches("download/v1.2.3/")))
        {
            Ok(bytes) => ("200 OK", String::new(), bytes),
            Err(_) => ("404 Not Found", String::new(), Vec::new()),
        },
        None => ("404 Not Found", String::new(), Vec::new()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{location}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    Ok(())
}

fn installed(lab: &Lab) -> Result<()> {
    let site = site(lab, false)?;
    // Of the tag that the action is used by, the latest, and one by name.
    for version in ["", "latest", "v1.2.3"] {
        let job = Runner::new(lab)?
            .with("version", version)
            .env("GITHUB_SERVER_URL", &site)
            .run()?;
        ensure!(job.succeeded, "{version}: {}", job.log);
        ensure!(
            job.log.contains("the release: check --format github"),
            "{}",
            job.log
        );
    }
    let job = Runner::new(lab)?
        .with("version", "v9.9.9")
        .env("GITHUB_SERVER_URL", &site)
        .run()?;
    ensure!(
        !job.succeeded && job.log.contains("Cannot download dbdoctor-9.9.9-"),
        "{}",
        job.log
    );
    Ok(())
}

fn damaged(lab: &Lab) -> Result<()> {
    let site = site(lab, true)?;
    let job = Runner::new(lab)?
        .with("version", "v1.2.3")
        .env("GITHUB_SERVER_URL", &site)
        .run()?;
    ensure!(
        !job.succeeded && job.log.contains("The checksum of dbdoctor-1.2.3-"),
        "{}",
        job.log
    );
    ensure!(!job.log.contains("the release"), "{}", job.log);
    Ok(())
}
