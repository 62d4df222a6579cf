//! What a certificate of the login permits.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, Tool};

/// To the shared database by a certificate that was signed with these options, through a server
/// that trusts its authority.
fn certified(lab: &Lab, options: &[&str]) -> Result<Case> {
    let ca = lab.ssh_key("ed25519", "")?;
    let key = lab.ssh_key("ed25519", "")?;
    let sign = Tool::new("ssh-keygen").args(["-q", "-I", "lab", "-n"]);
    sign.arg(lab.user()?)
        .args(options.iter().copied())
        .arg("-s")
        .arg(ca.display())
        .arg(key.with_extension("pub").display())
        .succeed()?;
    let ca = format!("TrustedUserCAKeys {}", ca.with_extension("pub").display());
    let sshd = lab.new_sshd().config(&ca).authorized_keys("").start()?;
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(sshd.route().key(key)).keep(sshd))
}

/// The certificate is blamed, before the server.
fn blamed(report: &Value) -> Result<()> {
    let fix = &report["verdict"]["fixes"][0];
    let text = fix["text"].as_str().unwrap_or_default();
    ensure!(text.contains("permit-port-forwarding"), "{fix}");
    let command = fix["command"].as_str().unwrap_or_default();
    ensure!(command.ends_with("-cert.pub"), "{fix}");
    let shown = Tool::new("sh").args(["-c", command]).succeed()?;
    ensure!(!shown.contains("permit-port-forwarding"), "{shown}");
    Ok(())
}

/// Certificates and forwards.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "certificate-no-forwarding",
        "a certificate with -O no-port-forwarding",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd],
        |lab| Ok(certified(lab, &["-O", "no-port-forwarding"])?.assert(blamed)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "certificate-clear",
        "a certificate that permits nothing but a shell",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd],
        |lab| Ok(certified(lab, &["-O", "clear", "-O", "permit-pty"])?.assert(blamed)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "certificate-forced-command",
        "a certificate with a forced command, which permits forwards",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| certified(lab, &["-O", "force-command=/bin/false"]),
    ),
];
