//! Incident 2: an SSH tunnel of the application's own making resets connections now and then.

use anyhow::{Result, ensure};
use dbdoctor_lab::{Tool, free_port};

use crate::replay::{Replay, run};

/// The control experiment: the same application works through dbdoctor's tunnel.
pub fn replay(replay: &Replay) -> Result<()> {
    let (postgres, sshd) = (replay.lab.postgres()?, replay.lab.sshd()?);
    let key = replay.lab.client_key()?;
    let tunnel = |variant: &str, port: u16| -> Result<Tool> {
        let tool = replay.script("home_made_tunnel.py").arg(variant);
        let tool = tool.args([sshd.host(), &sshd.port().to_string(), &replay.lab.user()?]);
        let tool = tool.arg(key.display()).arg(sshd.known_hosts().display());
        Ok(tool.arg(postgres.host()).arg(postgres.port()).arg(port))
    };
    let application = |driver: &str, port: u16| {
        run(&replay
            .script("attempts.py")
            .args([driver, &port.to_string(), "6"]))
    };

    // The application through its own tunnel.
    let port = free_port();
    let own = replay.serve(&tunnel("own", port)?)?;
    for (driver, words, best) in [
        (
            "asyncpg",
            "ConnectionResetError: [Errno 104] Connection reset by peer",
            "protocol.reset",
        ),
        (
            "psycopg2",
            "server closed the connection unexpectedly",
            "protocol.closed",
        ),
    ] {
        let failed = application(driver, port)?;
        ensure!(failed.status == Some(1), "{failed}");
        ensure!(!failed.stdout.contains("0 of 6"), "{failed}");
        ensure!(failed.stderr.contains(words), "{failed}");
        // The driver sees only that the way through was cut.
        let causes = replay.causes(&failed.stderr)?;
        ensure!(causes.first().is_some_and(|it| it == best), "{causes:?}");
        // What the tunnel itself logs beside it says whose fault it is.
        let log = format!("{}{}", own.log(), failed.stderr);
        let causes = replay.causes(&log)?;
        ensure!(
            causes
                .first()
                .is_some_and(|it| it == "client.tunnel-library"),
            "{causes:?}"
        );
    }

    // How often, in figures.
    let target = postgres.conn().set("port", port).to_string();
    let stress = ["stress", "--attempts", "10", "--concurrency", "1", &target];
    let report = replay.report(&stress)?.fails("protocol.reset")?;
    let facts = report.facts("stress");
    let succeeded = facts["succeeded"].as_u64().unwrap_or_default();
    ensure!((1..10).contains(&succeeded), "{facts:#}");
    drop(own);

    // The same application, the same servers, another tunnel.
    let port = free_port();
    let listen = replay.dbdoctor(&[
        "tunnel",
        "--listen",
        &port.to_string(),
        "--ssh-config",
        "/dev/null",
        "--ssh",
        &sshd.destination(),
        "--ssh-key",
        &key.to_string_lossy(),
        "--ssh-known-hosts",
        &sshd.known_hosts().to_string_lossy(),
        &postgres.conn().to_string(),
    ])?;
    let listen = listen.serve(replay.lab.dir("tunnel")?.join("log"), "INT")?;
    listen.wait_ready(|| listen.log().contains("listening on"))?;
    let works = application("asyncpg", port)?;
    ensure!(works.status == Some(0), "{works}\n{}", listen.log());
    drop(listen);

    // What mended it.
    let port = free_port();
    let library = replay.serve(&tunnel("library", port)?)?;
    let mended = application("asyncpg", port)?;
    ensure!(mended.status == Some(0), "{mended}\n{}", library.log());
    let target = postgres.conn().set("port", port).to_string();
    let stress = ["stress", "--attempts", "10", "--concurrency", "1", &target];
    replay.report(&stress)?.passes()?;
    Ok(())
}

/// The key that the application could not read is good.
pub fn key(replay: &Replay) -> Result<()> {
    let key = replay.lab.client_key()?;
    let failed = run(&replay.script("load_key.py").arg(key.display()))?;
    ensure!(failed.status == Some(1), "{failed}");
    let causes = replay.causes(&failed.stderr)?;
    ensure!(
        causes
            .first()
            .is_some_and(|best| best == "client.key-library"),
        "{causes:?} for {failed}"
    );
    replay.report(&["key", &key.to_string_lossy()])?.passes()?;
    Ok(())
}
