//! `--as all`: every driver on the same settings.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Driver, Profile};
use crate::config::Target;
use crate::config::request::{Request, Whose};
use crate::finding::Status;
use crate::report::{Report, Stage};
use crate::run_id::inherited;

use super::{Asked, Fared, differ, form, settings};

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

/// With what the driver's TLS library refuses.
fn judged(driver: Driver, fared: Fared) -> Fared {
    match form::refused(driver, &fared) {
        Some(refused) => Fared {
            status: Status::Fail,
            failure: Some((Stage::Tls, refused)),
            ..fared
        },
        None => fared,
    }
}

/// How many connections are made at once.
const AT_ONCE: usize = 4;

/// What is known of a driver's run.
enum Way {
    /// How it fared.
    Known(Box<Fared>),
    /// It goes the way of this number.
    Goes(usize, Box<Target>),
}

/// Runs what differs from libpq's run, which `report` tells of; each way is gone once,
/// however many of the drivers go it.
pub async fn every_driver(
    report: &mut Report,
    target: Option<&Target>,
    asked: &Asked<'_>,
    drivers: Vec<Driver>,
) {
    let psql = Fared::of(report, target.cloned());
    let mut ways: Vec<Target> = Vec::new();
    let mut outcomes: Vec<(usize, Fared)> = Vec::new();
    let mut under_way = JoinSet::new();
    let mut found: Vec<(Driver, Way)> = Vec::new();
    for driver in drivers {
        let request = Request {
            whose: Whose::As(driver, "--as all"),
            password: false,
            ..asked.request.clone()
        };
        let ready = match settings(&request, asked).await {
            Ok(ready) => ready,
            Err(stopped) => {
                found.push((driver, Way::Known(stopped)));
                continue;
            }
        };
        let ours = psql.target.as_ref();
        let passed = psql.status == Status::Pass;
        if ours.is_some_and(|ours| differ::same_way(&ready.target, ours, passed)) {
            let fared = psql.with(ready.target);
            found.push((driver, Way::Known(Box::new(fared))));
            continue;
        }
        let known = ways
            .iter()
            .position(|known| differ::same_habits(known, &ready.target));
        let number = known.unwrap_or(ways.len());
        found.push((driver, Way::Goes(number, Box::new(ready.target.clone()))));
        if known.is_some() {
            continue;
        }
        ways.push(ready.target.clone());
        while under_way.len() >= AT_ONCE {
            outcomes.extend(under_way.join_next().await.and_then(Result::ok));
        }
        let until = asked.until;
        under_way.spawn(inherited(
            async move { (number, ready.connect(until).await) },
        ));
    }
    while let Some(outcome) = under_way.join_next().await {
        outcomes.extend(outcome);
    }
    let gone = |number: usize| outcomes.iter().find(|(gone, _)| *gone == number);
    let rows: Vec<Row> = found
        .into_iter()
        .filter_map(|(driver, way)| {
            let fared = match way {
                Way::Known(fared) => *fared,
                Way::Goes(number, target) => gone(number)?.1.with(*target),
            };
            Some(Row {
                driver,
                fared: judged(driver, fared),
            })
        })
        .collect();
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
