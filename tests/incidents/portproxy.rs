//! Incident 3: a port forward between the application and the database drops idle connections.

use anyhow::{Result, ensure};
use dbdoctor_lab::free_port;

use crate::replay::{Replay, run};

/// The way opens, and does not last: `idle` finds for how long, and what keeps it open.
pub fn replay(replay: &Replay) -> Result<()> {
    let postgres = replay.lab.postgres()?;
    let port = free_port();
    let forward = replay.script("portproxy.py").arg(port);
    let forward = replay.serve(&forward.arg(postgres.port()).arg(1.5))?;
    let application =
        |port: u16, more: &[&str]| run(&replay.script("engine.py").arg(port).arg(2.5).args(more));

    let failed = application(port, &[])?;
    ensure!(failed.status == Some(1), "{failed}");
    ensure!(
        failed
            .stderr
            .contains("connection was closed in the middle of operation"),
        "{failed}"
    );
    // asyncpg's last line hides the reason, which stands further up.
    let causes = replay.causes(&failed.stderr)?;
    ensure!(
        causes.first().is_some_and(|best| best == "idle.reset"),
        "{causes:?}"
    );
    // The same on Windows, in the words of the incident's log.
    let causes = replay.causes(ON_WINDOWS)?;
    ensure!(
        causes
            .first()
            .is_some_and(|best| best == "client.portproxy"),
        "{causes:?}"
    );

    // The way is open, and what answers there is a process of this machine: a forward.
    let conn = postgres.conn().set("port", port).set("sslmode", "disable");
    let report = replay
        .report(&["check", "-v", &conn.to_string()])?
        .passes()?;
    let listener = &report.facts("tcp")["listener"];
    ensure!(listener["pid"] == forward.pid(), "{listener}");

    // It does not last, and a query now and then keeps it open.
    let idle = |target: &str| {
        let seconds = ["idle", "--for", "3s", "--keepalive-interval", "1s"];
        replay.report(&[&seconds[..], &[target]].concat())
    };
    let report = idle(&conn.to_string())?.fails("idle.reset")?;
    let facts = report.facts("idle");
    let milliseconds = |name: &str| facts["threshold"][name].as_f64().unwrap_or_default();
    ensure!(milliseconds("survived_ms") < 1500.0 + SLACK, "{facts:#}");
    ensure!(milliseconds("dropped_ms") > 1500.0 - SLACK, "{facts:#}");
    ensure!(facts["drop"]["kind"] == "reset", "{facts:#}");
    ensure!(facts["heartbeat_helps"] == true, "{facts:#}");
    let mended = application(port, &["0.5"])?;
    ensure!(mended.status == Some(0), "{mended}");

    // So does the way without the forward.
    let direct = postgres.conn().set("sslmode", "disable");
    idle(&direct.to_string())?.passes()?;
    let mended = application(postgres.port(), &[])?;
    ensure!(mended.status == Some(0), "{mended}");
    Ok(())
}

/// How far the forward's clock and ours may be apart.
const SLACK: f64 = 300.0;

const ON_WINDOWS: &str = "\
INFO: Starting RCA Engine API...
INFO: Initializing database connection pool...
ERROR: ConnectionResetError: [WinError 64] The specified network name is no longer available
ERROR: Application startup failed. Exiting.
";
