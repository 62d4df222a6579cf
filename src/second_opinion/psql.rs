//! The installed `psql`, and with it the installed libpq, with every parameter as the
//! main run resolved it. The parameters are in a service file written by dbdoctor, so
//! that the user's environment does not apply twice, and so that a libpq that is too
//! old for a parameter reports it (it would ignore a variable). The service file is
//! never on disk ([`Nameless`]). Neither is the password: it is passed in the
//! environment, or, if there are several, in a password file like the service file.
//!
//! With a tunnel, psql connects through that of the main run ([`LoopbackForward`]).

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use tokio::process::Command;

use super::earned::{self, Earned};
use super::forward::LoopbackForward;
use super::service::{self, Dialled, NO_FILE, Passwords};
use super::subprocess::{self, ExitReport, SpawnError};
use super::{Outcome, Scene, Step, late, would_look_up};
use crate::config::{Place, Target, TargetSessionAttrs};
use crate::pipeline::Connected;
use crate::process;
use crate::report::Stage;
use crate::stage::tunnel;
use crate::temporary::Nameless;
use crate::wire::Address;

/// Tries it.
pub async fn ask(scene: &Scene<'_>, earned: Earned, limit: Instant) -> Outcome {
    let began = Instant::now();
    let skipped = |why: &str| Outcome::Skipped(why.to_owned());
    if scene.until <= Stage::Tls {
        return skipped("psql cannot stop after the TLS handshake");
    }
    if typed(scene) {
        return skipped("the password was typed and is not stored");
    }
    let connected = scene.connected;
    let target = &connected.target;
    if earned.certificate_goes_first(target) {
        return skipped(
            "libpq sends the client certificate before it checks the server's name, and \
             dbdoctor did not check that name",
        );
    }
    let forward = match (&target.ssh, &connected.bastion) {
        (None, _) => None,
        (Some(_), None) => return skipped("the SSH tunnel is not available"),
        (Some(_), Some(_)) if matches!(connected.endpoint.place, Place::Unix(_)) => {
            return skipped("the database is a unix socket at the far end of the tunnel");
        }
        (Some(_), Some(_)) => match open_forward(scene, limit).await {
            Ok(forward) => Some(forward),
            Err(error) => return Outcome::Skipped(format!("cannot listen on loopback: {error}")),
        },
    };
    let at = match &forward {
        Some(forward) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, forward.port))),
        None => match judged(target, connected) {
            Ok(address) => address,
            Err(why) => return Outcome::Skipped(why),
        },
    };
    let endpoints = match at {
        Some(_) => vec![&connected.endpoint],
        None => earned::endpoints(scene),
    };
    let only = match endpoints.as_slice() {
        [endpoint] if at.is_some() || target.endpoints.len() > 1 => Some(Dialled { endpoint, at }),
        _ => None,
    };
    let Some(service) = service::text(scene, earned, only.as_ref()) else {
        return skipped("a parameter cannot be expressed in a service file");
    };
    let passwords = match earned.only_verification() {
        true => Passwords::None,
        false => match Passwords::of(&endpoints) {
            Some(passwords) => passwords,
            None => return skipped("the hosts have different passwords"),
        },
    };
    let command = match command(scene, earned, &service, &passwords) {
        Ok(command) => command,
        Err(error) => {
            return Outcome::Skipped(format!("cannot pass the settings to psql: {error}"));
        }
    };
    let ended = subprocess::run(command, limit).await;
    drop(forward);
    match ended {
        Ok(ended) if ended.stderr.contains("service file") => {
            skipped("the installed version does not support a parameter of this target")
        }
        Ok(ended) if earned.only_verification() => verified(&ended, target),
        Ok(ended) if ended.status == Some(0) => Outcome::Passed(reached(target, scene)),
        Ok(ended) => Outcome::Failed(step(&ended.stderr, target), complaint(&ended.stderr)),
        Err(SpawnError::Absent) => skipped("psql is not installed"),
        Err(SpawnError::Broken(error)) => Outcome::Skipped(format!("psql: {error}")),
        Err(SpawnError::Late) => Outcome::Failed(Step::Connect, late(limit, began)),
    }
}

async fn open_forward(scene: &Scene<'_>, limit: Instant) -> io::Result<LoopbackForward> {
    let connected = scene.connected;
    let (bastion, endpoint) = (connected.bastion.clone(), connected.endpoint.clone());
    let ctx = connected.ctx.anew();
    LoopbackForward::open(move || {
        let (bastion, endpoint, ctx) = (bastion.clone(), endpoint.clone(), ctx.clone());
        async move { tunnel::open(&bastion?, &endpoint, &ctx, limit).await.ok() }
    })
    .await
}

fn command(
    scene: &Scene<'_>,
    earned: Earned,
    service: &str,
    passwords: &Passwords,
) -> io::Result<Command> {
    let service = Nameless::new(service.as_bytes())?;
    let service_path = service.path();
    let mut inherited: Vec<OwnedFd> = vec![service.into()];
    // The user's own password file was read by the run.
    let mut passfile = NO_FILE.into();
    if let Passwords::File(lines) = passwords {
        let file = Nameless::new(lines)?;
        passfile = file.path();
        inherited.push(file.into());
    }
    let environment = &scene.connected.ctx.surroundings.vars;
    let mut command = process::command("psql", environment, inherited);
    command.args(["-X", "-w", "-A", "-t", "-q", "-c", "SELECT 1", "-d"]);
    command.arg(format!("service={}", service::NAME));
    command.env("PGSERVICEFILE", service_path);
    command.env("PGPASSFILE", passfile);
    if let Passwords::One(password) = passwords {
        command.env("PGPASSWORD", OsStr::from_bytes(password));
    }
    if earned.only_verification() {
        // No Kerberos ticket either.
        command.env("KRB5CCNAME", format!("FILE:{NO_FILE}"));
        command.env("KRB5_CLIENT_KTNAME", format!("FILE:{NO_FILE}"));
    }
    Ok(command.into())
}

/// What a login that could not succeed says of the verification before it.
fn verified(ended: &ExitReport, target: &Target) -> Outcome {
    let answered = ["FATAL:", "no password supplied"];
    let asked = answered.iter().any(|words| ended.stderr.contains(words));
    match asked || ended.status == Some(0) {
        true => Outcome::Passed(Step::Tls),
        false => {
            let step = step(&ended.stderr, target).min(Step::Tls);
            Outcome::Failed(step, complaint(&ended.stderr))
        }
    }
}

/// The address that the run reached, where psql is not to look the name up by
/// itself.
fn judged(target: &Target, connected: &Connected) -> Result<Option<SocketAddr>, String> {
    let places = target.endpoints.iter().map(|endpoint| &endpoint.place);
    match places
        .into_iter()
        .find_map(|place| would_look_up(target, place))
    {
        None => Ok(None),
        Some(why) => match &connected.address {
            Some(Address::Tcp(address)) => Ok(Some(*address)),
            _ => Err(why),
        },
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
