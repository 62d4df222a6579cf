//! The contract's JSON object for many targets. There may be thousands of reports: each is
//! written by itself.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Counts, TargetsReport, groups};
use crate::finding::Status;
use crate::render::json;
use crate::report::{ReportJson, Run, SCHEMA_VERSION, Tool, Verdict, ms};

/// The reports of many targets as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TargetsJson {
    /// The version of this shape.
    pub schema_version: u32,
    /// Which program wrote it.
    pub tool: Tool,
    /// How it was run.
    pub run: Run,
    /// The outcome in one piece: the worst of the targets', with the most frequent cause.
    pub verdict: Verdict,
    /// How many targets came to what.
    pub counts: Counts,
    /// The report of each target, in the order of the file.
    pub reports: Vec<ReportJson>,
}

/// The object and a newline.
pub fn render(report: &TargetsReport) -> Vec<u8> {
    let head = TargetsJson {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        run: Run {
            command: report.command.to_owned(),
            started_at: report
                .started_at
                .format(&time::format_description::well_known::Rfc3339)
                .unwrap_or_default(),
            duration_ms: ms(report.took),
            interrupted: report.interrupted,
            environment: report.environment.clone(),
        },
        verdict: verdict(report),
        counts: report.counts(),
        reports: Vec::new(),
    };
    let head = json::object(&head);
    // It ends with the empty list, the brace and a newline.
    const END: &[u8] = b"[]\n}\n";
    let mut out = head.strip_suffix(END).unwrap_or(&head).to_vec();
    out.push(b'[');
    for (at, entry) in report.entries.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
        let one = entry.run.enter(|| json::render(&entry.report));
        let one = one.strip_suffix(b"\n").unwrap_or(&one);
        for (n, line) in one.split(|byte| *byte == b'\n').enumerate() {
            out.extend_from_slice(if n == 0 { b"    " } else { b"\n    " });
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\n  ]\n}\n");
    out
}

/// The outcome of all.
fn verdict(report: &TargetsReport) -> Verdict {
    let verdicts = report.entries.iter().map(|entry| {
        let verdict = entry.run.enter(|| entry.report.verdict());
        (verdict.status, verdict)
    });
    let verdicts: Vec<(Status, Verdict)> = verdicts.collect();
    let worst = verdicts.iter().map(|(status, _)| *status).max();
    let status = match worst.unwrap_or(Status::Pass) {
        Status::Pass if report.interrupted => Status::Skip,
        status => status,
    };
    let frequent = groups::frequent(report, status);
    let most = frequent.first().map(|(code, _)| *code);
    let of_most = || {
        let all = verdicts.iter().map(|(_, verdict)| verdict);
        all.filter(|it| it.status == status && it.cause.map(|cause| cause.code) == most)
    };
    let first = of_most().next();
    // What to do for one target is not what to do for another.
    let fixes = first.map(|first| &first.fixes);
    let fixes = fixes.filter(|fixes| of_most().all(|other| other.fixes == **fixes));
    let summary = match frequent.is_empty() {
        true => format!("{}.", report.counts().sentence()),
        false => format!(
            "{}: {}.",
            report.counts().sentence(),
            groups::in_words(&frequent, 3)
        ),
    };
    let mut failures = verdicts.iter().filter(|(one, _)| *one == Status::Fail);
    Verdict {
        status,
        stage: first.filter(|_| most.is_some()).and_then(|it| it.stage),
        cause: first.and_then(|it| it.cause),
        summary,
        fixes: match most {
            Some(_) => fixes.cloned().unwrap_or_default(),
            None => Vec::new(),
        },
        retryable: status == Status::Fail && failures.all(|(_, it)| it.retryable),
    }
}
