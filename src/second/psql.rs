//! The installed `psql`, which is the installed libpq, with every parameter
//! as the run resolved it: in a service file of our own, so that nothing of
//! the user's surroundings counts twice and a libpq that is too old for a
//! parameter says so, where it would ignore a variable. The password comes
//! through the environment, never as an argument.
//!
//! Behind a tunnel it is led through the run's own, by a listener on loopback
//! that is there for it alone.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::child::{self, Trouble};
use super::{Outcome, Scene, Step, late};
use crate::report::Stage;
use crate::secret::HIDDEN;
use crate::stage::tunnel;
use crate::target::{Place, Target, TargetSessionAttrs};

/// The longest line of a service file (fe-connect.c of libpq 13 and before: 256).
const LONGEST_LINE: usize = 250;
/// How many connections it is led through: `sslmode` and hosts make several.
const MOST_CONNECTIONS: usize = 8;
/// The name of our service.
const SERVICE: &str = "dbdoctor";

/// Tries it.
pub async fn ask(scene: &Scene<'_>, limit: Instant) -> Outcome {
    let began = Instant::now();
    let skipped = |why: &str| Outcome::Skipped(why.to_owned());
    if scene.until <= Stage::Tls {
        return skipped("it does not stop after TLS");
    }
    if typed(scene) {
        return skipped("the password was typed, and is not kept");
    }
    let connected = scene.connected;
    let target = &connected.target;
    let forward = match (&target.ssh, &connected.bastion) {
        (None, _) => None,
        (Some(_), None) => return skipped("there is no tunnel to go through"),
        (Some(_), Some(_)) if matches!(connected.endpoint.place, Place::Unix(_)) => {
            return skipped("the database is a unix socket at the far end of the tunnel");
        }
        (Some(_), Some(_)) => match Forward::open(scene, limit).await {
            Ok(forward) => Some(forward),
            Err(error) => return Outcome::Skipped(format!("no listener on loopback: {error}")),
        },
    };
    let Some(service) = service(target, scene, forward.as_ref().map(|f| f.port)) else {
        return skipped("a parameter cannot be written into a service file");
    };
    let passwords = match Passwords::of(target, scene, forward.is_some()) {
        Some(passwords) => passwords,
        None => return skipped("the hosts' different passwords cannot be handed over"),
    };
    let folder = match tempfile::Builder::new().prefix("dbdoctor-").tempdir() {
        Ok(folder) => folder,
        Err(error) => return Outcome::Skipped(format!("no temporary directory: {error}")),
    };
    let path = folder.path().join("service");
    let passfile = folder.path().join("passfile");
    let written = write(&path, service.as_bytes()).and_then(|()| match &passwords {
        Passwords::File(lines) => write(&passfile, lines),
        _ => Ok(()),
    });
    if let Err(error) = written {
        return Outcome::Skipped(format!("no temporary file: {error}"));
    }

    let mut command = Command::new("psql");
    command.args(["-X", "-w", "-A", "-t", "-q", "-c", "SELECT 1"]);
    command.args(["-d", &format!("service={SERVICE}")]);
    command.env_clear();
    for (name, value) in &connected.ctx.surroundings.vars {
        let text = name.to_string_lossy();
        let ours = text.starts_with("PG")
            || text.starts_with("DBDOCTOR_")
            || text.starts_with("PSQL")
            || text == "DATABASE_URL";
        if !ours {
            command.env(name, value);
        }
    }
    command.env("LC_ALL", "C").env("PGSERVICEFILE", &path);
    // Whether or not it is there: the user's own was read by the run.
    command.env("PGPASSFILE", &passfile);
    if let Passwords::One(password) = &passwords {
        command.env("PGPASSWORD", OsStr::from_bytes(password));
    }
    let ended = child::run(command, limit).await;
    drop(forward);
    match ended {
        Ok(ended) if ended.status == Some(0) => Outcome::Passed(reached(target, scene)),
        Ok(ended) if ended.stderr.contains("service file") => {
            skipped("it is too old for a parameter of this target")
        }
        Ok(ended) => Outcome::Failed(step(&ended.stderr, target), complaint(&ended.stderr)),
        Err(Trouble::Absent) => skipped("psql is not installed"),
        Err(Trouble::Broken(error)) => Outcome::Skipped(format!("psql: {error}")),
        Err(Trouble::Late) => Outcome::Failed(Step::Connect, late(limit, began)),
    }
}

/// Whether a person typed the password that opened the door.
pub(super) fn typed(scene: &Scene<'_>) -> bool {
    let target = &scene.connected.target;
    let without = target.endpoints.iter().all(|e| e.password.is_none());
    let source = scene.known(Stage::Auth, "password_source");
    let asked = source.and_then(|s| s.as_str()) == Some("asked for on the terminal");
    target.ask_password && without && asked
}

/// What success proves.
fn reached(target: &Target, scene: &Scene<'_>) -> Step {
    match target.session_attrs {
        TargetSessionAttrs::Any => Step::Login,
        _ if scene.until > Stage::Auth => Step::Session,
        _ => Step::Login,
    }
}

/// The password, or passwords.
enum Passwords {
    None,
    One(Vec<u8>),
    File(Vec<u8>),
}

impl Passwords {
    fn of(target: &Target, scene: &Scene<'_>, tunnelled: bool) -> Option<Self> {
        let bytes = |endpoint: &crate::target::Endpoint| {
            let password = endpoint.password.as_ref()?;
            Some(password.secret.expose_bytes().to_vec())
        };
        let mut each: Vec<Option<Vec<u8>>> = match tunnelled {
            true => vec![bytes(&scene.connected.endpoint)],
            false => target.endpoints.iter().map(bytes).collect(),
        };
        each.dedup();
        match each.as_mut_slice() {
            [one] => match one.take() {
                None => Some(Passwords::None),
                Some(one) if one.contains(&0) => None,
                Some(one) => Some(Passwords::One(one)),
            },
            _ => Self::file(target).map(Passwords::File),
        }
    }

    /// A password file for several hosts.
    fn file(target: &Target) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        for endpoint in &target.endpoints {
            let Some(password) = &endpoint.password else {
                continue;
            };
            let host = match &endpoint.place {
                Place::Unix(_) => return None,
                Place::Ip(ip, _) if endpoint.host.is_empty() => ip.to_string(),
                _ => endpoint.host.clone(),
            };
            let secret = password.secret.expose_bytes();
            if secret.contains(&b'\n') || host.contains('\n') {
                return None;
            }
            let place = [
                host,
                endpoint.port.to_string(),
                "*".to_owned(),
                "*".to_owned(),
            ];
            for (at, field) in place.iter().enumerate() {
                match at {
                    0 => lines.extend(escaped(field.as_bytes())),
                    _ => lines.extend(field.bytes()),
                }
                lines.push(b':');
            }
            lines.extend(escaped(secret));
            lines.push(b'\n');
        }
        Some(lines)
    }
}

/// With `:` and `\` as a password file has them.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if matches!(byte, b':' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Every parameter that is set, as a service; `None` where one cannot be
/// written down.
fn service(target: &Target, scene: &Scene<'_>, local: Option<u16>) -> Option<String> {
    let mut text = format!("[{SERVICE}]\n");
    let mut given = Vec::new();
    let mut line = |name: &str, value: &str| -> Option<()> {
        let fits = name.len() + value.len() < LONGEST_LINE;
        let plain = !value.contains(['\n', '\r', '\0']) && value.trim() == value;
        (fits && plain).then(|| {
            let _ = writeln!(text, "{name}={value}");
        })
    };
    for (name, parameter) in &target.report.parameters {
        let elsewhere = matches!(
            name.as_str(),
            "password" | "passfile" | "service" | "servicefile" | "sslpassword"
        );
        let moved = local.is_some() && matches!(name.as_str(), "host" | "hostaddr" | "port");
        if elsewhere || moved || parameter.origin.kind == "default" {
            continue;
        }
        if parameter.value == HIDDEN {
            return None;
        }
        line(name, &parameter.value)?;
        given.push(name.as_str());
    }
    if let Some(password) = &target.tls.key_password {
        line("sslpassword", password.expose())?;
    }
    if let Some(port) = local {
        let endpoint = &scene.connected.endpoint;
        let host = match &endpoint.place {
            Place::Ip(ip, _) if endpoint.host.is_empty() => ip.to_string(),
            _ => endpoint.host.clone(),
        };
        line("host", &host)?;
        line("hostaddr", "127.0.0.1")?;
        line("port", &port.to_string())?;
    }
    let timeout = scene.connected.ctx.timeout.as_secs().max(2).to_string();
    for (name, value) in [
        // The resolved ones, whatever they came from.
        ("user", target.user.as_str()),
        ("dbname", target.dbname.as_str()),
        ("application_name", target.application_name.as_str()),
        // Never attempted by the run.
        ("gssencmode", "disable"),
        ("connect_timeout", timeout.as_str()),
    ] {
        if !given.contains(&name) {
            line(name, value)?;
        }
    }
    Some(text)
}

fn write(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// psql's words, of which the last say what counts.
fn complaint(stderr: &str) -> String {
    let all = stderr.trim().replace("psql: error: ", "");
    let lines: Vec<&str> = all.lines().map(str::trim).collect();
    lines.join(" ")
}

/// Where it fell, by libpq's own words in the C locale.
fn step(stderr: &str, target: &Target) -> Step {
    let text = stderr.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let roles = ["read-only", "read-write", "standby", "recovery"];
    if target.session_attrs != TargetSessionAttrs::Any && says(&roles) {
        return Step::Session;
    }
    // FATAL is the server's, in whatever language the rest is.
    if says(&["fatal:"]) {
        return Step::Login;
    }
    if says(&["ssl", "tls", "certificate"]) {
        return Step::Tls;
    }
    let unreached = [
        "could not translate",
        "is the server running",
        "could not connect",
        "timeout expired",
    ];
    match says(&unreached) {
        true => Step::Connect,
        false => Step::Login,
    }
}

/// A listener on loopback whose connections go through the tunnel; it is gone
/// when this is dropped.
struct Forward {
    port: u16,
    task: JoinHandle<()>,
}

impl Forward {
    async fn open(scene: &Scene<'_>, limit: Instant) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let connected = scene.connected;
        let (bastion, endpoint) = (connected.bastion.clone(), connected.endpoint.clone());
        let ctx = connected.ctx.anew();
        let task = tokio::spawn(async move {
            let mut streams = tokio::task::JoinSet::new();
            for _ in 0..MOST_CONNECTIONS {
                let Ok((mut near, _)) = listener.accept().await else {
                    break;
                };
                let (bastion, endpoint, ctx) = (bastion.clone(), endpoint.clone(), ctx.clone());
                streams.spawn(async move {
                    if let Some(bastion) = bastion
                        && let Ok(mut far) = tunnel::open(&bastion, &endpoint, &ctx, limit).await
                    {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
            drop(listener);
            while streams.join_next().await.is_some() {}
        });
        Ok(Self { port, task })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_escaped() {
        assert_eq!(escaped(b"a:b\\c"), b"a\\:b\\\\c");
    }
}
