//! Runs dbdoctor on what was recorded.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::Tool;
use serde_json::Value;

use crate::each_pair;
use crate::servers::Host;
use crate::tables::{Driver, SetUp, Tables, here, rows};

/// How many of a hundred pairs must agree, those of known.tsv among them.
const ENOUGH: f64 = 98.0;

/// The reason of a pair that nobody has explained.
const UNEXPLAINED: &str = "?";

/// How long dbdoctor may take for a pair.
const LIMIT: Duration = Duration::from_secs(60);

/// Fails where dbdoctor disagrees and known.tsv does not say so, and where too many disagree.
pub fn run(tables: &Tables, host: &Host) -> Result<()> {
    let causes = Causes::read()?;
    let known = rows("known.tsv", 3)?;
    let pairs = share_of(tables, tables.pairs()?);
    let recorded: BTreeMap<_, _> = (tables.recorded.iter())
        .map(|row| ((row.setup.as_str(), row.driver.as_str()), row))
        .collect();
    let judged = each_pair(&pairs, |setup, driver| {
        let did = recorded
            .get(&(setup.name.as_str(), driver.name.as_str()))
            .with_context(|| format!("{} on {} is not recorded", driver.name, setup.name))?;
        let said = match dbdoctor(host, setup, driver) {
            Ok(report) => said(&report["verdict"]),
            // One failure must not hide what becomes of the others.
            Err(error) => format!("{error:#}"),
        };
        let agrees = match said.as_str() {
            // What becomes of later statements is a warning.
            "pass" | "warn" => ["connects", "statement"].contains(&did.outcome.as_str()),
            cause => causes.fit(cause, &did.outcome),
        };
        let reason = known
            .iter()
            .find(|row| row[0] == setup.name && row[1] == driver.name && row[2] != UNEXPLAINED);
        if !agrees {
            eprintln!(
                "{}{}\t{}\t{}\tdbdoctor: {said}\t{}",
                reason.map_or("", |_| "known: "),
                setup.name,
                driver.name,
                did.outcome,
                did.text
            );
        }
        if agrees && let Some(row) = reason {
            eprintln!(
                "agrees now, take it out of known.tsv: {}\t{}",
                row[0], row[1]
            );
        }
        let left = (!agrees).then(|| {
            let reason = reason.map_or(UNEXPLAINED, |row| &row[2]);
            [&setup.name, &driver.name, reason].map(str::to_owned)
        });
        Ok((agrees, left))
    })?;

    let mut by_driver: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for ((_, driver), (agrees, _)) in pairs.iter().zip(&judged) {
        let (agreed, all) = by_driver.entry(driver.name.as_str()).or_default();
        *all += 1;
        *agreed += u32::from(*agrees);
    }
    for (driver, (agreed, all)) in &by_driver {
        eprintln!("{driver}: {agreed} of {all} agree");
    }
    let (agreed, all) = by_driver
        .values()
        .fold((0, 0), |(agreed, all), one| (agreed + one.0, all + one.1));
    let share = 100.0 * f64::from(agreed) / f64::from(all);
    eprintln!("{agreed} of {all} pairs agree: {share:.1} of 100");
    let left = judged.into_iter().filter_map(|(_, left)| left);
    let left: Vec<_> = left.collect();
    if std::env::var_os("UPDATE").is_some() {
        return write_known(&pairs, &known, &left);
    }
    let wrong = left.iter().filter(|row| row[2] == UNEXPLAINED).count();
    ensure!(
        wrong == 0,
        "{wrong} pairs disagree, and known.tsv does not say why: see above"
    );
    ensure!(share >= ENOUGH, "{share:.1} of 100 agree, not {ENOUGH}");
    Ok(())
}

/// One pair in three, where nobody chose: each set-up with a third of the drivers, each
/// driver on a third of the set-ups. All of them take several minutes (`PAIRS=all`).
fn share_of<'a>(
    tables: &'a Tables,
    pairs: Vec<(&'a SetUp, &'a Driver)>,
) -> Vec<(&'a SetUp, &'a Driver)> {
    let is_set = |name| std::env::var_os(name).is_some();
    if ["PAIRS", "SETUPS", "DRIVERS", "UPDATE"]
        .into_iter()
        .any(is_set)
    {
        return pairs;
    }
    let setup_at = |it: &SetUp| tables.setups.iter().position(|one| one.name == it.name);
    let driver_at = |it: &Driver| tables.drivers.iter().position(|one| one.name == it.name);
    let is_ours = |(setup, driver): &(&SetUp, &Driver)| {
        let at = setup_at(setup).zip(driver_at(driver));
        at.is_some_and(|(setup, driver)| (setup + driver) % 3 == 0)
    };
    pairs.into_iter().filter(is_ours).collect()
}

/// Lists in known.tsv the pairs that disagree, where these were run, with the reasons it has;
/// a new one fails the test until its reason is written.
fn write_known(
    pairs: &[(&SetUp, &Driver)],
    known: &[Vec<String>],
    left: &[[String; 3]],
) -> Result<()> {
    let path = here().join("known.tsv");
    let old = fs::read_to_string(&path)?;
    let head = old.lines().take_while(|line| line.starts_with('#'));
    let mut text: String = head.map(|line| format!("{line}\n")).collect();
    let was_run = |row: &Vec<String>| {
        (pairs.iter()).any(|(setup, driver)| row[0] == setup.name && row[1] == driver.name)
    };
    let others = known.iter().filter(|row| !was_run(row));
    for row in others
        .map(Vec::as_slice)
        .chain(left.iter().map(<[_; 3]>::as_slice))
    {
        text += &format!("{}\n", row.join("\t"));
    }
    Ok(fs::write(path, text)?)
}

/// The status of a verdict, or its cause where it is a failure.
fn said(verdict: &Value) -> String {
    let word = match verdict["status"].as_str() {
        Some("fail") => verdict["cause"].as_str().unwrap_or("no cause"),
        status => status.unwrap_or("no verdict"),
    };
    word.to_owned()
}

/// What dbdoctor reports for a pair.
fn dbdoctor(host: &Host, setup: &SetUp, driver: &Driver) -> Result<Value> {
    let home = setup.home(host)?;
    let spelled = driver.spell(&setup.connection).context("no spelling")?;
    let mut tool: Tool = host
        .tool(env!("CARGO_BIN_EXE_dbdoctor"))
        .args(["check", "--json", "--url"])
        .arg(host.fill(&spelled, &home));
    if let Some(profile) = &driver.profile {
        tool = tool.args(["--as", profile]);
    }
    let done = setup.surround(host, &home, tool)?.run(LIMIT)?;
    fs::remove_dir_all(&home)?;
    serde_json::from_str(&done.stdout).with_context(|| format!("no report: {done}"))
}

/// The kinds of failure that dbdoctor's causes are.
struct Causes(Vec<Vec<String>>);

impl Causes {
    fn read() -> Result<Self> {
        Ok(Causes(rows("causes.tsv", 2)?))
    }

    /// Whether a cause is of this kind. The row with the longest beginning counts.
    fn fit(&self, cause: &str, kind: &str) -> bool {
        let begins = |row: &&Vec<String>| {
            cause == row[0]
                || cause
                    .strip_prefix(&row[0])
                    .is_some_and(|r| r.starts_with('.'))
        };
        let row = self.0.iter().filter(begins).max_by_key(|row| row[0].len());
        row.is_some_and(|row| row[1].split(' ').any(|one| one == kind))
    }
}
