//! What the tap costs: pgbench through it and through a plain forwarder.
//!
//! The plain one is tokio's own `copy_bidirectional` in this process: built as the tap is, with
//! the same runtime, so that what is compared is the reading, and not one compiler's work with
//! another's. The runs alternate, so that what else the machine does meets both.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Postgres, Tool};
use tokio::net::{TcpListener, TcpStream};

use crate::held;

/// Runs of each kind.
const RUNS: usize = if cfg!(debug_assertions) { 3 } else { 7 };
/// The least that must be left of the plain forwarder's speed: 0.9. Without optimisation, which
/// the dependencies of the plain one have, only that nothing is grossly wrong can be held:
/// `cargo test --release --test tap_drivers the_tap` measures.
const LEAST: f64 = if cfg!(debug_assertions) { 0.4 } else { 0.9 };
/// How long each takes.
const SECONDS: &str = if cfg!(debug_assertions) { "1" } else { "2" };
/// On a machine that does other things, a comparison may be spoilt; one that is slow stays slow.
const COMPARISONS: usize = 3;

/// Compares them.
pub fn compare(lab: &Lab, server: &Postgres) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let plain = runtime.block_on(plain(server.port()))?;
    let mut tap = held::hold(lab, server)?;
    let mut ratios = Vec::new();
    for _ in 0..COMPARISONS {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            without.push(pgbench(lab, plain)?);
            with.push(pgbench(lab, tap.port)?);
        }
        let ratio = median(&mut with) / median(&mut without);
        eprintln!(
            "tap / plain forwarder: {ratio:.3} of {:.0} transactions a second",
            median(&mut without)
        );
        ratios.push(ratio);
        if ratio >= LEAST {
            break;
        }
    }
    let best = ratios.iter().copied().fold(0.0, f64::max);
    ensure!(best >= LEAST, "the tap leaves {ratios:.2?} of the speed");
    held::end(&mut tap)?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// A forwarder that reads nothing; its port.
async fn plain(server: u16) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    Ok(port)
}

/// Transactions a second.
fn pgbench(lab: &Lab, port: u16) -> Result<f64> {
    let script = lab.file(
        "select.sql",
        "select n, md5(n::text) from generate_series(1, 20) n;\n",
        0o644,
    )?;
    let done = Tool::new("pgbench")
        .args(["-n", "-M", "prepared", "-c", "4", "-T", SECONDS, "-f"])
        .arg(script.display())
        .arg(format!(
            "postgresql://app:pw@127.0.0.1:{port}/appdb?sslmode=disable"
        ))
        .env("HOME", lab.dir("home")?.display())
        .run(Duration::from_secs(30))?;
    let line = done.stdout.lines().find(|line| line.starts_with("tps = "));
    let number = line
        .and_then(|line| line.split(' ').nth(2))
        .with_context(|| done.to_string())?;
    Ok(number.parse()?)
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
