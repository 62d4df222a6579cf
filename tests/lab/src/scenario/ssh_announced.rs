//! Keys of a type that the server announces not to take (`server-sig-algs`). sshd announces what it
//! takes since OpenSSH 9.5; before, it announces everything.

use std::fs;

use anyhow::{Result, ensure};

use crate::{Behaviour, Case, Expect, FakeSshd, Lab, Need, Oracle, Scenario};

/// A server that announces signatures of one type of key alone, offered keys of these types.
fn offered(lab: &Lab, announced: &'static str, kinds: &[&str]) -> Result<Case> {
    let sshd = FakeSshd::start(lab, Behaviour::Announces(announced))?;
    let mut case = Case::check(lab.postgres()?.conn()).password(lab.password());
    let mut route = sshd.route();
    for (at, kind) in kinds.iter().enumerate() {
        let key = lab.ssh_key(kind, "")?;
        match at {
            0 => route = route.key(key),
            _ => case = case.args(&["--ssh-key", &key.display().to_string()]),
        }
    }
    Ok(case.ssh(route).keep(sshd))
}

/// The first fix makes a key of this type.
fn makes(case: Case, kind: &'static str) -> Case {
    case.assert(move |report| {
        let fix = &report["verdict"]["fixes"][0];
        let command = fix["command"].as_str().unwrap_or_default();
        ensure!(command == format!("ssh-keygen -t {kind}"), "{fix}");
        Ok(())
    })
}

const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, &[Need::Postgres], setup).oracle(Oracle::Ssh)
}

/// What it announces and what it is offered.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "ssh-announced-no-ed25519",
        "an Ed25519 key, and a server that takes none of them, as in FIPS mode",
        Expect::Fail("ssh.auth.algorithm"),
        |lab| Ok(makes(offered(lab, "ecdsa", &["ed25519"])?, "ecdsa")),
    ),
    row(
        "ssh-announced-rsa-alone",
        "an Ed25519 and an ECDSA key, and a server that takes RSA alone",
        Expect::Fail("ssh.auth.algorithm"),
        |lab| Ok(makes(offered(lab, "rsa", &["ed25519", "ecdsa"])?, "rsa")),
    ),
    row(
        "ssh-announced-no-rsa",
        "an RSA key, and a server that takes Ed25519 alone",
        Expect::Fail("ssh.auth.algorithm"),
        |lab| Ok(makes(offered(lab, "ed25519", &["rsa"])?, "ed25519")),
    ),
    row(
        "ssh-announced-and-unknown",
        "a list with the key's type, and a server that does not know the key",
        Expect::Fail("ssh.auth.publickey"),
        |lab| offered(lab, "ed25519", &["ed25519"]),
    ),
    row(
        "ssh-announced-one-of-two",
        "one key of a type that is not taken, and one that is unknown there",
        Expect::Fail("ssh.auth.publickey"),
        |lab| offered(lab, "rsa", &["ed25519", "rsa"]),
    ),
    Scenario::new(
        "ssh-announced-behind-jump",
        "the second of two servers takes no key of this type, the first does",
        Expect::Fail("ssh.auth.algorithm"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (first, second) = (
                lab.sshd()?,
                FakeSshd::start(lab, Behaviour::Announces("rsa"))?,
            );
            let own = second.route();
            let mut known = fs::read_to_string(first.known_hosts())?;
            if let Some(file) = &own.known_hosts {
                known += &fs::read_to_string(file)?;
            }
            let mut route = first.route();
            for hop in &own.hops {
                route = route.then(hop);
            }
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(case.ssh(route).keep(second))
        },
    )
    .oracle(Oracle::Ssh),
];
