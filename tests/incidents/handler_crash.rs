//! Incident 1: the tunnel's library fails before it has reached anything.

use anyhow::{Result, ensure};
use dbdoctor_lab::Tool;

use crate::replay::{Replay, run};

/// The error text names the library, and independent clients prove that the way is open.
pub fn replay(replay: &Replay) -> Result<()> {
    let (postgres, sshd) = (replay.lab.postgres()?, replay.lab.sshd()?);
    let application = |variant: &str| -> Result<Tool> {
        let tool = replay.script("handler_crash.py").arg(variant);
        let tool = tool.args([sshd.host(), &sshd.port().to_string(), &replay.lab.user()?]);
        let tool = tool.arg(replay.lab.client_key()?.display());
        let tool = tool.arg(sshd.known_hosts().display());
        Ok(tool.arg(postgres.host()).arg(postgres.port()))
    };

    let crashed = run(&application("original")?)?;
    let words = "Failed to create database manager for procurement: Failed to create postgresql \
                 manager: name 'stop_event' is not defined";
    ensure!(crashed.status == Some(1), "{crashed}");
    ensure!(crashed.stderr.contains(words), "{crashed}");

    let matches = replay.explain(&crashed.stderr)?;
    let best = matches.first().map(|best| &best["cause"]);
    ensure!(
        best.is_some_and(|cause| cause == "client.tunnel-library"),
        "{matches:#?}"
    );
    ensure!(matches[0]["confidence"] == "high", "{matches:#?}");
    let confirm = matches[0]["confirm_with"].as_str().unwrap_or_default();
    ensure!(confirm.contains("--second-opinion"), "{confirm}");

    let route = sshd.route();
    let key = replay.lab.client_key()?;
    let report = replay.report(&[
        "check",
        "--second-opinion",
        "--ssh-config",
        "/dev/null",
        "--ssh",
        &route.hops[0],
        "--ssh-key",
        &key.to_string_lossy(),
        "--ssh-known-hosts",
        &sshd.known_hosts().to_string_lossy(),
        &postgres.conn().to_string(),
    ])?;
    let report = report.passes()?;
    let others = &report.facts("client")["second_opinion"];
    for stack in ["libssh2", "ssh", "psql"] {
        let rows = others.as_array().into_iter().flatten();
        let mut rows = rows.filter(|row| {
            let name = row["stack"].as_str().unwrap_or_default().to_lowercase();
            name.contains(stack) && row["outcome"] == "passed"
        });
        ensure!(rows.next().is_some(), "{stack}: {others:#}");
    }

    let mended = run(&application("mended")?)?;
    ensure!(mended.status == Some(0), "{mended}");
    ensure!(mended.stdout.contains("connected to appdb"), "{mended}");
    Ok(())
}
