//! `--as all`: every driver on the same settings.

use serde_json::{Value, json};

use crate::client::{Driver, Profile};
use crate::config::request::{Request, Whose};
use crate::finding::Status;
use crate::report::{Report, Stage};

use super::{Asked, Fared, differ, run};

/// How one driver fared.
pub struct Row {
    /// The driver.
    pub driver: Driver,
    /// How it fared, and what it made of the settings.
    pub fared: Fared,
}

impl Row {
    /// As a fact; `psql` is how libpq fared.
    fn fact(&self, psql: &Fared) -> Value {
        let told =
            self.fared.failure.clone().map(|(stage, failed)| {
                differ::explain(failed, stage, self.driver, &self.fared, psql)
            });
        json!({
            "driver": self.driver.name(),
            "version": self.driver.version.to_string(),
            "measured": self.driver.profile.measured,
            "status": self.fared.status,
            "cause": told.as_ref().map(|told| told.cause.code),
            "why": told.as_ref().map(|told| told.summary()),
            "error": told.as_ref().and_then(|told| told.evidence.get("error").cloned()),
            "fix": told.as_ref().and_then(|told| told.fixes().into_iter().next()).map(|fix| fix.text),
        })
    }
}

/// Every driver in each of its variants.
pub fn drivers() -> Vec<Driver> {
    Profile::all()
        .filter(|profile| profile.name != "libpq")
        .flat_map(|profile| {
            let variants = profile.connectors.iter();
            let named: Vec<Driver> = variants
                .filter_map(|variant| {
                    let name = format!("{}/{variant}", profile.name);
                    Driver::parse(&name).ok()
                })
                .collect();
            match named.is_empty() {
                true => vec![Driver::of(profile)],
                false => named,
            }
        })
        .collect()
}

/// Runs what differs from libpq's run, which `report` tells of, one of these drivers
/// after the other; a way that was gone already is not gone again.
pub async fn every_driver(
    report: &mut Report,
    target: Option<&crate::config::Target>,
    asked: &Asked<'_>,
    drivers: Vec<Driver>,
) {
    let psql = Fared::of(report, target.cloned());
    let mut rows: Vec<Row> = Vec::new();
    for driver in drivers {
        let request = Request {
            whose: Whose::As(driver, "--as all"),
            password: false,
            ..asked.request.clone()
        };
        let fared = run(&request, asked, |target| {
            let gone = rows.iter().map(|row| &row.fared).find(|fared| {
                let known = fared.target.as_ref();
                known.is_some_and(|known| differ::same_habits(known, target))
            });
            let libpqs = || {
                let ours = psql.target.as_ref()?;
                let same = differ::same_way(target, ours, psql.status == Status::Pass);
                same.then_some(&psql)
            };
            gone.or_else(libpqs).cloned()
        })
        .await;
        rows.push(Row { driver, fared });
    }
    let facts: Vec<Value> = rows.iter().map(|row| row.fact(&psql)).collect();
    let connect = rows
        .iter()
        .filter(|row| row.fared.failure.is_none())
        .count();
    let client = report.stage(Stage::Client);
    client.reason = None;
    client.begin();
    client.fact("drivers", facts);
    client.summary = format!("{connect} of {} drivers connect", rows.len());
    client.end(None);
}
