//! dbdoctor through an application's eyes, held to the real drivers: what each of them did on
//! each set-up is recorded, and `dbdoctor check --as` must come to the same.
//!
//! The columns of the tables are explained at their heads. `scripts/record-drivers` records;
//! with `DRIVERS` or `SETUPS` (regular expressions) only what fits is run.

mod comparison;
mod record;
mod servers;
mod tables;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use dbdoctor_lab::Need;

use servers::Host;
use tables::{Driver, SetUp, Tables};

/// How many programs run at once.
const AT_ONCE: usize = 4;

#[test]
fn dbdoctor_comes_to_what_the_drivers_do() -> Result<()> {
    if let Some(why) = missing() {
        ensure!(std::env::var_os("CI").is_none(), "skipped: {why}");
        eprintln!("skipped: {why}");
        return Ok(());
    }
    comparison::run(&Tables::read()?, &Host::raise()?)
}

#[test]
fn the_record_fits_its_tables() -> Result<()> {
    record::check(&Tables::read()?)
}

/// Run by scripts/record-drivers.
#[test]
#[ignore = "needs the drivers"]
fn record_drivers() -> Result<()> {
    record::run(&Tables::read()?, &Host::raise()?)
}

fn missing() -> Option<String> {
    let needs = [Need::Postgres, Need::PgBouncer, Need::Netns, Need::Python];
    needs.into_iter().find_map(Need::missing)
}

/// Does something with every pair of set-up and driver, several at once, in the order of their
/// tables.
fn each_pair<T: Send>(
    pairs: &[(&SetUp, &Driver)],
    does: impl Fn(&SetUp, &Driver) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((setup, driver)) = pairs.get(at) else {
                        return;
                    };
                    let result = does(setup, driver);
                    done.lock().expect("results").insert(at, result);
                }
            });
        }
    });
    done.into_inner().expect("results").into_values().collect()
}
