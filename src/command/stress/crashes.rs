//! A server that crashed again and again during the test.

use std::collections::BTreeMap;

use super::stats::Sample;
use crate::command::crash_loop::{self, CrashLoop};
use crate::finding::Finding;

/// Whether an attempt failed as one does at a server that goes down: from then on
/// each that passes says who served it.
pub fn suspected(samples: &[Sample]) -> bool {
    let failures = samples.iter().filter_map(|sample| sample.failure.as_ref());
    failures
        .map(|finding| finding.cause)
        .any(crash_loop::is_of_a_crash)
}

/// The finding, where the server at one of the addresses did.
pub fn finding(samples: &[Sample]) -> Option<Finding> {
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by_key(|sample| sample.began);
    let mut loops: BTreeMap<Option<&str>, CrashLoop> = BTreeMap::new();
    for sample in sorted {
        let crash_loop = loops.entry(sample.address.as_deref()).or_default();
        match &sample.failure {
            Some(finding) => crash_loop.failed(sample.began, finding),
            None => crash_loop.passed(sample.began, sample.served_by.clone()),
        }
    }
    loops.values().find_map(CrashLoop::finding)
}
