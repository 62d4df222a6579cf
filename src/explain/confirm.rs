//! The command that confirms a cause or rules it out, complete where the text has what
//! it needs.

use std::net::IpAddr;

use super::refine;
use super::values::Read;
use crate::cause::{Cause, auth, client, config, family, pooler, server, tap};
use crate::invocation;

/// What stands for the target where the text does not name it.
const TARGET: &str = "TARGET";

/// The command for a cause in a text, or for a page where nothing was read; none where
/// no connection would show it.
pub fn with(cause: &Cause, read: &Read) -> Option<String> {
    let command = choose(cause, read)?;
    Some(invocation::as_typed(&command).into_owned())
}

fn choose(cause: &Cause, read: &Read) -> Option<String> {
    let any = |causes: &[&Cause]| cause.is_any(causes);
    let of = |family| cause.is_of(family);
    // What its log says is known; a connection shows no more than that it is down. A
    // closed event loop is inside the application.
    if refine::stops_a_server(cause) || any(&[&client::LOOP_CLOSED]) {
        return None;
    }
    let is_ssh = of(family::SSH) || of(family::TUNNEL) || read.is_of_hop;
    let words: &[&str] = if any(&[
        &client::FORK_TLS,
        &client::SHARED_SOCKET,
        &client::LEAKED_SOCKET,
    ]) {
        return Some("dbdoctor sockets".to_owned());
    } else if of(family::KEY) {
        let path = read.key.as_deref().or(read.values.file.as_deref());
        let path = path
            .filter(|path| !path.starts_with('-'))
            .and_then(quoted_path);
        return Some(format!(
            "dbdoctor key {}",
            path.as_deref().unwrap_or("PATH")
        ));
    } else if any(&[
        &client::TUNNEL_LIBRARY,
        &client::KEY_LIBRARY,
        &client::STACK_DIFFERS,
    ]) {
        return command(&["check", "--second-opinion"], read, true, false);
    } else if any(&[&client::CACHED_SETTINGS]) {
        &["config", "-v"]
    } else if any(&[
        &client::POOL_EXHAUSTED,
        &client::CONCURRENT_USE,
        &client::PREPARED_STATEMENT,
    ]) {
        &["stress", "--attempts", "50", "--concurrency", "10"]
    } else if any(&[&server::READ_ONLY, &server::READ_ONLY_SETTING]) {
        &["check", "--expect-writable"]
    } else if any(&[&server::SEVERAL]) {
        &["stress"]
    } else if any(&[&client::SCRAM_UNSUPPORTED]) {
        &["auth", "-v"]
    } else if any(&[&tap::UNVERIFIED, &tap::FALLBACK]) {
        return Some("dbdoctor tap --stand-in".to_owned());
    } else if of(family::TAP) {
        &["tap"]
    } else if any(&[&client::PORTPROXY]) || of(family::IDLE) {
        &["idle", "--for", "6m"]
    } else if of(family::CONFIG) {
        // The target as it is written is what is wrong: its parts say nothing.
        return match any(&[
            &config::PASSFILE_COLON,
            &config::PASSFILE_NOMATCH,
            &config::PASSFILE_PERMISSIONS,
        ]) {
            true => command(&["config"], read, false, false),
            false => Some(format!("dbdoctor config {TARGET}")),
        };
    } else if is_ssh {
        return command(&["tunnel"], read, true, false);
    } else if of(family::DNS) {
        &["dns"]
    } else if of(family::TCP) {
        &["tcp"]
    } else if of(family::SERVER_REPLICATION)
        || any(&[&auth::ROLE_REPLICATION, &pooler::REPLICATION])
    {
        return command(&["check"], read, false, true);
    } else if of(family::PROTOCOL) || of(family::TLS) {
        &["tls"]
    } else if of(family::AUTH) {
        &["auth"]
    } else {
        &["check"]
    };
    command(words, read, false, false)
}

/// A command with the target that the text names.
fn command(words: &[&str], read: &Read, ssh: bool, replication: bool) -> Option<String> {
    let mut out = vec!["dbdoctor".to_owned()];
    out.extend(words.iter().map(|word| (*word).to_owned()));
    if ssh {
        out.push("--ssh".to_owned());
        out.push(hop(read).unwrap_or_else(|| "USER@HOST".to_owned()));
    }
    out.extend(target(read, ssh, replication));
    shlex::try_join(out.iter().map(String::as_str)).ok()
}

/// The target that the text names, as options of the command line, and `TARGET` where it
/// does not name the host.
pub fn target(read: &Read, ssh: bool, replication: bool) -> Vec<String> {
    let mut out = Vec::new();
    let values = &read.values;
    // The end of a tunnel on this machine is not what the SSH server is to reach.
    let is_near = |host: &&String| {
        let ip = host.parse::<IpAddr>();
        *host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    };
    let host = values.host.as_ref().filter(|host| !(ssh && is_near(host)));
    let port = values.port.map(|port| port.to_string());
    let database = values
        .dbname
        .clone()
        .filter(|name| !name.contains(['=', ':', '/']));
    let database = match (replication, &database) {
        (true, Some(name)) => {
            let name = crate::config::conninfo::setting("dbname", name);
            Some(format!("{name} replication=database"))
        }
        (true, None) => None,
        (false, _) => database,
    };
    let options = [
        ("-h", host),
        ("-p", port.as_ref().filter(|_| host.is_some())),
        ("-U", values.user.as_ref()),
        ("-d", database.as_ref()),
    ];
    for (flag, value) in options {
        // What begins with a dash would be read as a flag.
        if let Some(value) = value.filter(|value| !value.starts_with('-')) {
            out.extend([flag.to_owned(), value.clone()]);
        }
    }
    match (host, replication && database.is_none()) {
        (None, true) => out.push(format!("{TARGET}?replication=database")),
        (None, false) => out.push(TARGET.to_owned()),
        (Some(_), true) => out.extend(["-d".to_owned(), "replication=database".to_owned()]),
        (Some(_), false) => {}
    }
    out
}

/// The SSH server as `--ssh` takes it.
fn hop(read: &Read) -> Option<String> {
    let hop = &read.hop;
    let host = hop.host.as_deref()?;
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let user = hop
        .user
        .as_deref()
        .filter(|user| !user.starts_with('-') && !user.contains(['@', ',', '/']));
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let port = hop.port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{user}{host}{port}"))
}

/// A path as a shell takes it, its `~` left to the shell.
fn quoted_path(path: &str) -> Option<String> {
    let (home, rest) = match path.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None => ("", path),
    };
    let rest = shlex::try_quote(rest).ok()?;
    Some(format!("{home}{rest}"))
}
