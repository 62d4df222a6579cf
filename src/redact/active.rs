//! The one redactor of this process, where `--redact` asks for it: what is told on
//! standard error while a run goes on has the same pseudonyms as its report.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use super::Redactor;
use crate::report::{Report, StageRecord, TargetReport};
use crate::system::System;

static ACTIVE: OnceLock<Mutex<Redactor>> = OnceLock::new();

/// Has everything redacted from here on, with pseudonyms derived by the salt where
/// there is one.
pub fn begin(salt: Option<&str>) {
    let mut redactor = Redactor::new(salt);
    redactor.learn_system(&System::of_process());
    let _ = ACTIVE.set(Mutex::new(redactor));
}

/// Whether anything is redacted.
pub fn is_asked_for() -> bool {
    ACTIVE.get().is_some()
}

/// The redactor; none where nothing is redacted.
pub fn redactor() -> Option<MutexGuard<'static, Redactor>> {
    let active = ACTIVE.get()?;
    Some(active.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Learns the names of a target before anything is said of it.
pub fn learn(target: &TargetReport) {
    if let Some(mut redactor) = redactor() {
        redactor.learn_target(target);
    }
}

/// A report as it may be shown.
pub fn report(report: &Report) -> Cow<'_, Report> {
    match redactor() {
        Some(mut redactor) => Cow::Owned(redactor.report(report)),
        None => Cow::Borrowed(report),
    }
}

/// A stage's record as it may be shown.
pub fn stage(record: &StageRecord) -> Cow<'_, StageRecord> {
    match redactor() {
        Some(mut redactor) => Cow::Owned(redactor.stage(record)),
        None => Cow::Borrowed(record),
    }
}

/// A line as it may be shown.
pub fn line(text: &str) -> Cow<'_, str> {
    match redactor() {
        Some(mut redactor) => Cow::Owned(redactor.text(text)),
        None => Cow::Borrowed(text),
    }
}

/// Facts that are told while a run goes on, as they may be shown. Names that they hold are
/// known from then on.
pub fn facts(facts: Value) -> Value {
    match (redactor(), facts) {
        (Some(mut redactor), Value::Object(facts)) => {
            facts
                .iter()
                .for_each(|(name, value)| redactor.learn(name, value));
            Value::Object(redactor.map(&facts))
        }
        (_, facts) => facts,
    }
}
