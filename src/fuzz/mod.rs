//! What every parser of foreign bytes must hold to, whatever it is given.
//!
//! Each function here feeds one parser and panics where a property of it does not hold:
//! that it ends soon, that its result is bounded, that it does not depend on how the
//! bytes were split, that it repeats no secret, that what it wrote can be read again.
//! `fuzz/` has libFuzzer's programs that call them, `fuzz/corpus/` the inputs that the
//! tests below replay, and CONTRIBUTING.md says how to add one.

// A property that does not hold ends in a panic: that is what these are for.
#![allow(clippy::unwrap_used, clippy::panic)]

mod config;
mod dns;
mod key;
mod reports;
mod ssh;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// A function that feeds a parser.
type Check = fn(&[u8]);

/// Every target; `fuzz/targets.tsv` has the longest input of each.
const TARGETS: &[(&str, Check)] = &[
    ("url", config::url),
    ("conninfo", config::conninfo),
    ("as_driver", config::as_driver),
    ("env_file", config::env_file),
    ("passfile", config::passfile),
    ("service", config::service),
    ("ssh_config", config::ssh_config),
    ("revoked_keys", config::revoked_keys),
    ("token", config::token),
    ("key", key::key),
    ("key_damage", key::damage),
    ("known_hosts", ssh::known_hosts),
    ("ssh_identification", ssh::identification),
    ("ssh_packets", ssh::packets),
    ("startup", wire::startup),
    ("session", wire::session),
    ("server_error", wire::server_error),
    ("scram", wire::scram),
    ("first_reply", wire::first_reply),
    ("tap_client", tap::client),
    ("tap_server", tap::server),
    ("tap", tap::both),
    ("certificate", tls::certificate),
    ("tls_handshake", tls::handshake),
    ("dns_answer", dns::answer),
    ("resolv", dns::resolv),
    ("compose", dns::compose),
    ("report", reports::diff),
    ("explain", reports::explain),
];

/// The longest input of each target.
static LONGEST: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/targets.tsv");
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let name = columns.next().unwrap().to_owned();
        (name, columns.next().unwrap().parse().unwrap())
    };
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(row)
        .collect()
});

/// The processor time that any input may take; without optimisation it is more.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 1 });

/// Feeds the target of this name.
///
/// # Panics
/// There is no such target, or a property does not hold.
pub fn run(name: &str, data: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let longest = LONGEST[name].min(data.len());
    let begun = processor_time();
    check(&data[..longest]);
    let took = processor_time() - begun;
    assert!(took < PATIENCE, "{longest} bytes take {took:?}");
}

/// What this thread has used so far: a machine that is busy counts against nobody.
fn processor_time() -> Duration {
    #[cfg(target_os = "linux")]
    let whose = UsageWho::RUSAGE_THREAD;
    #[cfg(not(target_os = "linux"))]
    let whose = UsageWho::RUSAGE_SELF;
    let used = getrusage(whose).unwrap();
    [used.user_time(), used.system_time()]
        .into_iter()
        .map(|time| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000))
        .sum()
}

/// The text of an input; none where it is not UTF-8.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// A secret that no parser makes up.
const CANARY: &str = "hunter2correcthorse";

/// Puts the secret where the input says: in place of its first `\x01`.
fn with_canary(text: &str) -> Option<(String, usize)> {
    let at = text.find('\u{1}')?;
    Some((text.replacen('\u{1}', CANARY, 1), at))
}

/// The inputs of a target that has several: they are separated by `\x00\x00`.
fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut rest = data;
    std::array::from_fn(|at| {
        let end = rest.windows(2).position(|pair| pair == [0, 0]);
        match end.filter(|_| at + 1 < N) {
            Some(end) => {
                let part = &rest[..end];
                rest = &rest[end + 2..];
                part
            }
            None => std::mem::take(&mut rest),
        }
    })
}
