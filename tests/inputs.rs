//! Whatever file a setting names, endless or silent, large or no file at all:
//! the run ends in time, in bounded memory, with a status of its own.

#[path = "common/process.rs"]
mod process;
#[path = "common/trials.rs"]
mod trials;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Need, Postgres, Sshd};
use nix::libc;

use process::{dbdoctor, ended, text};

/// How long any of them may take: that of a run, and the machine's slowness.
const LIMIT: Duration = Duration::from_secs(60);

/// More address space than any of them needs, stacks and arenas of threads
/// included.
const MEMORY: &str = "--as=2000000000";

const TRIALS: &[trials::Named<World>] = &[
    ("settings_of_libpq", settings_of_libpq),
    ("files_of_tls", files_of_tls),
    ("files_of_ssh", files_of_ssh),
    ("keys_and_reports", keys_and_reports),
    ("hostile_reports", hostile_reports),
    ("hostile_texts", hostile_texts),
];

fn main() {
    let needs = [Need::Postgres, Need::Sshd];
    trials::run(2, trials::lab(&needs).map(World::new), TRIALS);
}

/// What cannot be read to its end, by its kind, and servers that a run gets to.
struct World {
    lab: Lab,
    odd: Vec<(&'static str, PathBuf)>,
    _held: (File, UnixListener),
}

impl World {
    fn new(lab: Lab) -> Self {
        let folder = lab.dir("odd").unwrap();
        let at = |name: &str| folder.join(name);
        let pipe = |name: &str| {
            nix::unistd::mkfifo(&at(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
            at(name)
        };
        let (unwritten, silent) = (pipe("unwritten"), pipe("silent"));
        let writer = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&silent)
            .unwrap();
        let mut large = File::create(at("large")).unwrap();
        std::io::copy(&mut std::io::repeat(b'a').take(100 << 20), &mut large).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let socket = UnixListener::bind(at("socket")).unwrap();
        let odd = vec![
            ("an endless device", "/dev/zero".into()),
            ("a pipe that nobody writes to", unwritten),
            ("a pipe whose writer stays silent", silent),
            ("100 MB", at("large")),
            ("a directory", at("folder")),
            ("a socket", at("socket")),
        ];
        Self {
            lab,
            odd,
            _held: (writer, socket),
        }
    }

    fn database(&self) -> Result<Arc<Postgres>> {
        self.lab.postgres()
    }

    fn sshd(&self) -> Result<Arc<Sshd>> {
        self.lab.sshd()
    }

    /// Runs with each odd file as this input.
    fn each(&self, input: &str, command: impl Fn(&Path) -> Result<Command>) -> Result<()> {
        for (kind, path) in &self.odd {
            self.bounded(&format!("{kind} as {input}"), command(path)?)?;
        }
        Ok(())
    }

    /// Runs a command under the limits; its status and what it said.
    fn bounded(&self, what: &str, command: Command) -> Result<(i32, String)> {
        let mut limited = Command::new("prlimit");
        limited
            .arg(MEMORY)
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .env("PGPASSWORD", self.lab.password())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in command.get_envs() {
            limited.env(name, value.unwrap_or_default());
        }
        let child = limited.spawn()?;
        let output = std::panic::catch_unwind(|| ended(child, LIMIT));
        let output = output.ok().context(format!("{what}: it did not end"))?;
        let said = text(&output.stdout) + &text(&output.stderr);
        let status = output.status.code().unwrap_or(-1);
        ensure!((0..=2).contains(&status), "{what}: status {status}: {said}");
        Ok((status, said))
    }

    /// A directory with this entry.
    fn entry(&self, name: &str, path: &Path) -> Result<PathBuf> {
        let folder = self.lab.dir("entry")?;
        symlink(path, folder.join(name))?;
        Ok(folder)
    }

    /// A check of the database with one more setting.
    fn check(&self, name: &str, value: &Path) -> Result<Command> {
        let conn = self
            .database()?
            .conn()
            .set("sslmode", "verify-full")
            .set("sslrootcert", self.lab.ca_file().display())
            .set(name, value.display());
        Ok(dbdoctor(&["check", &conn.to_string()]))
    }

    /// A check of the database through SSH, with one more argument.
    fn through_ssh(&self, flag: &str, value: &Path) -> Result<Command> {
        let route = self.sshd()?.route();
        let mut command = dbdoctor(&["check", &self.database()?.conn().to_string()]);
        command.arg("--ssh").arg(route.hops.join(","));
        if flag != "--ssh-config" {
            command.args(["--ssh-config", "/dev/null"]);
        }
        if flag != "--ssh-known-hosts" {
            command
                .arg("--ssh-known-hosts")
                .arg(route.known_hosts.context("known hosts")?);
        }
        if !["--ssh-key", "--ssh-config"].contains(&flag) {
            command.arg("--ssh-key").arg(route.key.context("a key")?);
        }
        command.arg(flag).arg(value);
        Ok(command)
    }
}

fn settings_of_libpq(world: &World) -> Result<()> {
    world.each("passfile", |path| {
        let mut command = world.check("passfile", path)?;
        command.env("PGPASSWORD", "");
        Ok(command)
    })?;
    let service = |name: &'static str, path: &Path| {
        let mut command = dbdoctor(&["check", "service=x"]);
        command.env(name, path);
        command
    };
    world.each("PGSERVICEFILE", |path| Ok(service("PGSERVICEFILE", path)))?;
    world.each("pg_service.conf", |path| {
        Ok(service(
            "PGSYSCONFDIR",
            &world.entry("pg_service.conf", path)?,
        ))
    })?;
    world.each("--env-file", |path| {
        let mut command = dbdoctor(&["check", "--env-file"]);
        command.arg(path);
        Ok(command)
    })?;
    world.each("docker-compose.yml", |path| {
        // Looked at where a name is not found.
        let mut command = Command::new("env");
        command
            .arg("-C")
            .arg(world.entry("docker-compose.yml", path)?);
        command
            .arg(env!("CARGO_BIN_EXE_dbdoctor"))
            .args(["check", "-h", "db.invalid"]);
        Ok(command)
    })
}

fn files_of_tls(world: &World) -> Result<()> {
    for name in ["sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir"] {
        world.each(name, |path| match name {
            "sslkey" => {
                // Without a certificate no key is read.
                let issued = world.lab.issue(dbdoctor_lab::CertSpec::client("app"))?;
                let (certificate, _) = issued.write(&world.lab.dir("client")?, "client")?;
                let mut command = world.check(name, path)?;
                command.env("PGSSLCERT", certificate);
                Ok(command)
            }
            _ => world.check(name, path),
        })?;
    }
    let hash = world.lab.ca().cert().subject_name_hash();
    for end in ["r0", "0"] {
        let name = format!("{hash:08x}.{end}");
        world.each(&format!("{name} in sslcrldir"), |path| {
            world.check("sslcrldir", &world.entry(&name, path)?)
        })?;
    }
    Ok(())
}

fn files_of_ssh(world: &World) -> Result<()> {
    for flag in ["--ssh-key", "--ssh-config", "--ssh-known-hosts"] {
        world.each(flag, |path| world.through_ssh(flag, path))?;
    }
    for keyword in [
        "Include",
        "IdentityFile",
        "CertificateFile",
        "UserKnownHostsFile",
        "GlobalKnownHostsFile",
        "RevokedHostKeys",
    ] {
        world.each(keyword, |path| {
            let key = world.sshd()?.route().key.context("a key")?;
            let lines = format!(
                "IdentityFile {}\n{keyword} {}\n",
                key.display(),
                path.display()
            );
            world.through_ssh("--ssh-config", &world.lab.file("config", lines, 0o600)?)
        })?;
    }
    for end in [".pub", "-cert.pub"] {
        world.each(&format!("a key's {end}"), |path| {
            let folder = world.entry(&format!("id{end}"), path)?;
            let key = world.sshd()?.route().key.context("a key")?;
            fs::copy(key, folder.join("id"))?;
            fs::set_permissions(folder.join("id"), Permissions::from_mode(0o600))?;
            world.through_ssh("--ssh-key", &folder.join("id"))
        })?;
    }
    Ok(())
}

fn keys_and_reports(world: &World) -> Result<()> {
    let of = |args: &[&str], path: &Path| {
        let mut command = dbdoctor(args);
        command.arg(path);
        command
    };
    world.each("a key", |path| Ok(of(&["key"], path)))?;
    let good = world.lab.file("good.json", GOOD, 0o600)?;
    let good = good.to_str().context("a path")?;
    for (kind, path) in &world.odd {
        // A report may be on its way through a pipe for minutes.
        if kind.contains("stays silent") {
            continue;
        }
        let what = format!("{kind} as a report");
        let (status, said) = world.bounded(&what, of(&["diff", good], path))?;
        ensure!(status == 2, "{what}: {status}: {said}");
        let mut command = of(&["diff"], path);
        command.arg(good);
        let (status, said) = world.bounded(&what, command)?;
        ensure!(status == 2, "{what}: {status}: {said}");
        ensure!(said.lines().count() == 1, "{what}: {said}");
    }
    for special in [
        "/proc/self/environ",
        "/proc/self/maps",
        "/proc/self/mem",
        "/proc/kmsg",
    ] {
        let (status, said) = world.bounded(special, of(&["diff", good], Path::new(special)))?;
        ensure!(status == 2, "{special}: {status}: {said}");
    }
    Ok(())
}

/// A report, as far as `diff` needs one.
const GOOD: &str = r#"{"verdict": {"status": "pass"}, "stages": []}"#;

/// A report with these facts.
fn with_facts(facts: &str) -> String {
    format!(
        r#"{{"verdict": {{"status": "fail", "stage": "tls", "cause": "tls.failed"}},
            "stages": [{{"stage": "tls", "status": "pass", "facts": {facts}, "findings": []}}]}}"#
    )
}

fn hostile_reports(world: &World) -> Result<()> {
    let diff = |what: &str, a: &str, b: &str| {
        let a = world.lab.file("a.json", a, 0o600)?;
        let b = world.lab.file("b.json", b, 0o600)?;
        let mut command = dbdoctor(&["diff"]);
        command.arg(a).arg(b);
        world.bounded(what, command)
    };
    let mebi = 1 << 20;
    let many = |part: &str, times: usize| vec![part; times].join(",");
    for (what, hostile) in [
        ("stars", "*".repeat(10 * mebi)),
        ("brackets", "[".repeat(mebi)),
        ("braces", r#"{"a":"#.repeat(mebi / 2)),
        ("nested arrays", "[".repeat(200_000) + &"]".repeat(200_000)),
        (
            "nested facts",
            with_facts(&("[".repeat(200_000) + &"]".repeat(200_000))),
        ),
        ("endless numbers", with_facts(r#"{"x": 1e999}"#)),
        ("a report within text", format!("x{GOOD}")),
        ("two reports", format!("{GOOD}{GOOD}")),
        (
            "many empty objects",
            with_facts(&format!("[{}]", many("{}", mebi))),
        ),
        ("many values", with_facts(&format!("[{}]", many("0", mebi)))),
        (
            "many small objects",
            with_facts(&format!("[{}]", many(r#"{"":0}"#, mebi / 2))),
        ),
        ("no text", "\u{1}".repeat(100)),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
    ] {
        let (status, said) = diff(what, GOOD, &hostile)?;
        ensure!(status == 2, "{what}: {status}: {said}");
        ensure!(said.lines().count() == 1, "{what}: {said}");
    }
    // Reports that are large or odd, but reports.
    let facts: Vec<String> = (0..20_000).map(|n| format!(r#""f{n}": {n}"#)).collect();
    let other: Vec<String> = (0..20_000).map(|n| format!(r#""f{n}": -{n}"#)).collect();
    let deep = |value: &str| format!("{}{value}{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    for (what, a, b) in [
        (
            "many facts",
            format!("{{{}}}", facts.join(",")),
            format!("{{{}}}", other.join(",")),
        ),
        ("depth", deep("1"), deep("2")),
        (
            "a long text",
            "{}".to_owned(),
            format!(r#"{{"x": "{}"}}"#, "x".repeat(3 * mebi)),
        ),
        (
            "a long name",
            "{}".to_owned(),
            format!(r#"{{"{}": 1}}"#, "x".repeat(3 * mebi)),
        ),
        (
            "control characters",
            "{}".to_owned(),
            r#"{"\u001b[31mred\u0007": "\u001b]0;title\u0007\u202e\r\n", "y": 1e308}"#.to_owned(),
        ),
    ] {
        let (status, said) = diff(what, &with_facts(&a), &with_facts(&b))?;
        ensure!(status == 0, "{what}: {status}: {said}");
        ensure!(said.len() < 100_000, "{what}: {} bytes", said.len());
        let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        ensure!(!said.contains(hostile), "{what}: {said:?}");
    }
    Ok(())
}

fn hostile_texts(world: &World) -> Result<()> {
    let explain = |what: &str, bytes: &[u8]| {
        let file = world.lab.file("text", bytes, 0o600)?;
        let script = format!("exec \"$0\" explain - < {}", file.display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_dbdoctor")]);
        world.bounded(what, shell)
    };
    let mebi = 1 << 20;
    let known = "FATAL:  password authentication failed for user \"app\"\n";
    for (what, text) in [
        ("stars", "*".repeat(10 * mebi)),
        ("lines of stars", "*\n".repeat(mebi)),
        ("brackets", "[".repeat(mebi)),
        ("braces", "{\"a\":".repeat(mebi / 4)),
        ("quotes", "\"'`".repeat(mebi / 3)),
        ("backslashes", "\\".repeat(mebi)),
        ("escapes", "\\u001b\\n".repeat(mebi / 8)),
        ("wide characters", "\u{1f4a9}".repeat(mebi / 4)),
        (
            "a frame over and over",
            "  File \"x.py\", line 1, in x\n".repeat(50_000),
        ),
        ("the same error over and over", known.repeat(50_000)),
        ("bytes", "\u{0}\u{1}".repeat(mebi)),
    ] {
        let (status, said) = explain(what, format!("{text}\n{known}").as_bytes())?;
        ensure!(
            status == 0 && said.contains("auth.password.wrong"),
            "{what}: {status}: {said}"
        );
    }
    for text in [
        "[".repeat(100_000),
        "*".repeat(100_000),
        "\\".repeat(100_000),
    ] {
        let (status, said) = world.bounded("an argument", dbdoctor(&["explain", &text]))?;
        ensure!(status == 1, "{status}: {said}");
    }
    let mut endless = Command::new("sh");
    let script = "head -c 300000000 /dev/zero | \"$0\" explain -";
    endless.args(["-c", script, env!("CARGO_BIN_EXE_dbdoctor")]);
    world.bounded("an endless input", endless)?;
    Ok(())
}
