//! Runs the real drivers and records what they do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde_json::Value;

use crate::each_pair;
use crate::servers::Host;
use crate::tables::{Driver, Recorded, SetUp, Tables, write_record};

/// How long a driver may take; what takes longer is recorded as that.
const LIMIT: Duration = Duration::from_secs(20);

/// The longest text that is recorded.
const LONGEST: usize = 600;

/// Records the pairs that are wanted, beside what the record has of others.
pub fn run(tables: &Tables, host: &Host) -> Result<()> {
    let drivers = std::env::var_os("DBDOCTOR_DRIVERS").context("DBDOCTOR_DRIVERS is not set")?;
    let drivers = PathBuf::from(drivers);
    let pairs = tables.pairs()?;
    let mut versions = BTreeMap::new();
    for (_, driver) in &pairs {
        if !versions.contains_key(driver.name.as_str()) {
            versions.insert(driver.name.as_str(), version(host, &drivers, driver)?);
        }
    }
    let new = each_pair(&pairs, |setup, driver| {
        let text = run_one(host, &drivers, setup, driver)
            .with_context(|| format!("{} on {}", driver.name, setup.name))?;
        Ok(Recorded {
            setup: setup.name.clone(),
            driver: driver.name.clone(),
            version: versions[driver.name.as_str()].clone(),
            outcome: outcome(tables, &text),
            text,
        })
    })?;

    let of = |row: &Recorded| (row.setup.clone(), row.driver.clone());
    let mut all: BTreeMap<_, _> = tables.recorded.iter().map(|r| (of(r), r.clone())).collect();
    all.extend(new.into_iter().map(|row| (of(&row), row)));
    let mut rows = Vec::new();
    for setup in &tables.setups {
        for driver in &tables.drivers {
            rows.extend(all.remove(&(setup.name.clone(), driver.name.clone())));
        }
    }
    write_record(&rows)
}

/// The record has a row for every pair, and its outcomes are those of its texts.
pub fn check(tables: &Tables) -> Result<()> {
    let mut wrong = Vec::new();
    let mut rows = tables.recorded.clone();
    for row in &mut rows {
        let outcome = outcome(tables, &row.text);
        if outcome != row.outcome {
            wrong.push(format!("{} {}: {outcome}", row.setup, row.driver));
            row.outcome = outcome;
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        return write_record(&rows);
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names = |row: &Recorded| (row.setup.clone(), row.driver.clone());
    let mut recorded: Vec<_> = tables.recorded.iter().map(names).collect();
    let pairs = tables.pairs()?;
    let mut expected: Vec<_> = (pairs.iter())
        .map(|(setup, driver)| (setup.name.clone(), driver.name.clone()))
        .collect();
    recorded.sort();
    expected.sort();
    let missing = expected.iter().filter(|pair| !recorded.contains(pair));
    let missing: Vec<_> = missing.collect();
    ensure!(missing.is_empty(), "not recorded: {missing:?}");
    let other = recorded.iter().filter(|pair| !expected.contains(pair));
    let other: Vec<_> = other.collect();
    ensure!(other.is_empty(), "recorded, and in no table: {other:?}");
    Ok(())
}

/// What a text of the record means. It begins with how far the driver got.
fn outcome(tables: &Tables, text: &str) -> String {
    match text {
        "connects" => "connects".to_owned(),
        text if text.starts_with("connects, then ") => "statement".to_owned(),
        text => tables.kind(text).to_owned(),
    }
}

fn version(host: &Host, drivers: &Path, driver: &Driver) -> Result<String> {
    let tool = driver.client(host, drivers).arg("--version");
    Ok(tool.succeed()?.trim().to_owned())
}

/// `connects`, or the code and text of the failure.
fn run_one(host: &Host, drivers: &Path, setup: &SetUp, driver: &Driver) -> Result<String> {
    let home = setup.home(host)?;
    let spelled = driver.spell(&setup.connection).context("no spelling")?;
    let argument = driver.argument(&host.fill(&spelled, &home));
    let tool = driver.client(host, drivers).arg(argument);
    let done = setup.surround(host, &home, tool)?.run(LIMIT)?;
    std::fs::remove_dir_all(&home)?;
    if done.status.is_none() {
        return Ok(format!("still waiting after {} s", LIMIT.as_secs()));
    }
    // Warnings of the driver may stand before it.
    let answer = done.stdout.lines().last().unwrap_or_default();
    let Ok(answer) = serde_json::from_str::<Value>(answer) else {
        anyhow::bail!("no answer: {done}");
    };
    if answer["answered"] == true {
        return Ok("connects".to_owned());
    }
    let said = answer["error"].as_str().unwrap_or_default();
    let text = match answer["code"].as_str() {
        Some(code) if !said.contains(code) => format!("[{code}] {said}"),
        _ => said.to_owned(),
    };
    let text = plain(&host.strip(&text, &home))?.replace(&*drivers.to_string_lossy(), "{drivers}");
    Ok(match answer["connected"] == true {
        true => format!("connects, then {text}"),
        false => text,
    })
}

/// A text on one line, without what differs between two runs.
fn plain(text: &str) -> Result<String> {
    let differs = [
        // Node's OpenSSL begins with the number of a thread.
        (r"\b[0-9A-F]{12,16}:error:", "error:"),
        (r"127\.0\.0\.1:\d+->", "127.0.0.1:PORT->"),
        (r"\[::1\]:\d+->", "[::1]:PORT->"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
        (r"\b1[0-9]{9}\b", "TIME"),
        (r"0x[0-9a-f]{8,}", "ADDRESS"),
        (r"\s*\(Background on this error at: [^)]*\)", ""),
        (r"[ \t]*\r?\n[ \t]*", " / "),
        (r"\t", " "),
    ];
    let mut text = text.trim().to_owned();
    for (pattern, plain) in differs {
        text = Regex::new(pattern)?.replace_all(&text, plain).into_owned();
    }
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
    }
    Ok(text)
}
