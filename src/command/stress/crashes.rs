//! A server that crashed again and again during the test.

use std::collections::BTreeMap;

use super::stats::Sample;
use crate::command::crash_loop::CrashLoop;
use crate::finding::Finding;

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
