//! `--redact`: a report without the names of hosts, users, databases and files.
//!
//! One step between the finished report and whatever renders it: [`Redactor::report`]
//! gives a report in which every name has a pseudonym, so that no form of output can
//! forget one. Names are known from the target, the facts and the evidence, by what
//! these hold; and by their form in every text. Templates of the catalogue are filled
//! from values that are redacted, so that a sentence keeps its own words whatever
//! somebody's database is called.

pub mod active;
mod forms;
mod keys;
mod names;
mod parts;
mod paths;
mod text;
mod values;
mod words;

use crate::explain::{Explanation, Match};
use crate::finding::{Finding, Fix};
use crate::report::{Report, StageRecord, TargetReport, WireConnection};
use crate::system::System;
use names::{Kind, Names};

/// Replaces names by pseudonyms, the same name always by the same.
#[derive(Debug)]
pub struct Redactor {
    names: Names,
}

impl Redactor {
    /// Pseudonyms in the order that names are met in, or derived from the names by
    /// a salt: then they are the same in every report.
    pub fn new(salt: Option<&str>) -> Self {
        Self {
            names: Names::new(salt),
        }
    }

    /// Learns the names of this machine and of who runs dbdoctor.
    pub fn learn_system(&mut self, system: &System) {
        let account = system.account.as_ref();
        let users = system.os_user.iter().chain(account.map(|it| &it.name));
        for user in users {
            self.names.learn(Kind::User, user);
        }
        let homes = system.home.iter().chain(account.map(|it| &it.home));
        for home in homes {
            self.learn_path(&home.to_string_lossy());
        }
        self.learn_path(&system.cwd.to_string_lossy());
        let host = system.var("HOSTNAME").into_iter();
        let own = nix::unistd::gethostname().ok();
        for host in host.chain(own.map(|name| name.to_string_lossy().into_owned())) {
            self.learn_endpoint(&host);
        }
    }

    /// Learns the names of a target.
    pub fn learn_target(&mut self, target: &TargetReport) {
        self.learn_target_json(&serde_json::to_value(target).unwrap_or_default());
    }

    /// A report without names.
    pub fn report(&mut self, report: &Report) -> Report {
        self.learn_target(&report.target);
        for record in &report.stages {
            self.learn_stage(record);
        }
        let target = serde_json::to_value(&report.target).unwrap_or_default();
        let target = self.target(&target);
        Report {
            command: report.command,
            started_at: report.started_at,
            started: report.started,
            took: report.took,
            interrupted: report.interrupted,
            environment: report.environment.clone(),
            target: serde_json::from_value(target).unwrap_or_default(),
            stages: report.stages.iter().map(|it| self.stage(it)).collect(),
            thresholds: report.thresholds,
            wire: report.wire.as_ref().map(|wire| self.wire(wire)),
        }
    }

    /// A stage's record without names, those of the target being known.
    pub fn stage(&mut self, record: &StageRecord) -> StageRecord {
        self.learn_stage(record);
        let mut shown = record.clone();
        shown.reason = record.reason.as_deref().map(|text| self.text(text));
        shown.summary = self.text(&record.summary);
        shown.facts = self.map(&record.facts);
        shown.map_findings(|finding| self.finding(finding));
        shown
    }

    fn learn_stage(&mut self, record: &StageRecord) {
        for (name, value) in &record.facts {
            self.learn(name, value);
        }
        for finding in record.all_findings() {
            finding.each_value(|name, value| self.learn(name, value));
        }
    }

    fn finding(&mut self, finding: Finding) -> Finding {
        finding.map_values(&mut |name, value| self.value(name, value))
    }

    fn wire(&mut self, wire: &[WireConnection]) -> Vec<WireConnection> {
        let mut shown = wire.to_vec();
        for connection in &mut shown {
            connection.to = self.text(&connection.to);
            for event in &mut connection.events {
                event.message = self.text(&event.message);
            }
        }
        shown
    }

    /// A step to take without names. A command is as good a shell's as it was:
    /// pseudonyms need no quotes. Of a name that begins or ends with a quote it may not be:
    /// that the name is gone counts more.
    fn fix(&mut self, fix: &Fix) -> Fix {
        Fix {
            text: self.text(&fix.text),
            command: fix.command.as_deref().map(|command| self.text(command)),
        }
    }

    /// What a text means, without the names that the text has. Capital words for what
    /// is not known stay.
    pub fn explanation(&mut self, found: &mut Explanation) {
        let values = |one: &Match| serde_json::to_value(&one.values).unwrap_or_default();
        for one in &found.matches {
            self.learn("", &values(one));
        }
        for one in &mut found.matches {
            one.values = serde_json::from_value(self.value("", &values(one))).unwrap_or_default();
            one.summary = self.text(&one.summary);
            one.fixes = one.fixes.iter().map(|fix| self.fix(fix)).collect();
            one.confirm_with = one.confirm_with.as_deref().map(|it| self.text(it));
            one.unwrapped_from = one.unwrapped_from.as_deref().map(|it| self.text(it));
        }
    }
}

#[cfg(test)]
mod tests;
