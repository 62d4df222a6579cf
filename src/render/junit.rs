//! JUnit's XML, as Jenkins and GitLab read it: a suite for the target, a case for
//! each stage. `tests/data/junit-10.xsd` is its schema.

use std::fmt::Write;

use super::{settings, told};
use crate::finding::Status;
use crate::report::{FindingJson, INTERRUPTED, NOT_REACHED, ReportJson, Stage, StageJson};

/// The report of a target, by its name.
pub(super) struct Suite<'a> {
    pub(super) name: &'a str,
    pub(super) report: &'a ReportJson,
}

/// The report as an XML document.
pub fn render(report: &ReportJson) -> String {
    let name = settings::subject(&report.target);
    let name = name.unwrap_or_else(|| format!("dbdoctor {}", report.run.command));
    let suite = Suite {
        name: &name,
        report,
    };
    document(&[suite], report.run.duration_ms)
}

/// Several suites as one document, which took so many milliseconds.
pub(super) fn document(suites: &[Suite], duration_ms: f64) -> String {
    let totals: Vec<Totals> = suites
        .iter()
        .map(|suite| Totals::of(suite.report))
        .collect();
    let sum = |of: fn(&Totals) -> usize| totals.iter().map(of).sum::<usize>();
    let mut page = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(
        page,
        "<testsuites name=\"dbdoctor\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{}\">",
        sum(|it| it.tests),
        sum(|it| it.failures),
        sum(|it| it.errors),
        seconds(duration_ms),
    );
    for (Suite { name, report }, totals) in suites.iter().zip(&totals) {
        let _ = writeln!(
            page,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
             skipped=\"{}\" time=\"{}\" timestamp=\"{}\">",
            escaped(name),
            totals.tests,
            totals.failures,
            totals.errors,
            totals.skipped,
            seconds(report.run.duration_ms),
            told::started(report),
        );
        let unfinished = unfinished(report);
        for stage in &report.stages {
            let is_error = unfinished == Some(stage.stage);
            case(&mut page, &report.run.command, stage, is_error);
        }
        page.push_str("  </testsuite>\n");
    }
    page.push_str("</testsuites>\n");
    page
}

struct Totals {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Totals {
    fn of(report: &ReportJson) -> Self {
        let count = |status: Status| {
            let stages = report.stages.iter();
            stages.filter(|stage| stage.status == status).count()
        };
        let errors = usize::from(unfinished(report).is_some());
        Self {
            tests: report.stages.len(),
            failures: count(Status::Fail),
            errors,
            skipped: count(Status::Skip) - errors,
        }
    }
}

/// The stage at which the run was interrupted, where nothing had failed: with skipped cases
/// alone the suite would pass.
fn unfinished(report: &ReportJson) -> Option<Stage> {
    if !report.run.interrupted || report.verdict.status == Status::Fail {
        return None;
    }
    let left = |it: &&StageJson| matches!(it.reason.as_deref(), Some(INTERRUPTED | NOT_REACHED));
    report.stages.iter().find(left).map(|it| it.stage)
}

fn case(page: &mut String, command: &str, stage: &StageJson, is_error: bool) {
    let _ = write!(
        page,
        "    <testcase classname=\"dbdoctor.{command}\" name=\"{}\" time=\"{}\"",
        stage.stage,
        seconds(stage.duration_ms.unwrap_or_default()),
    );
    let (failures, others): (Vec<&FindingJson>, Vec<_>) = stage
        .findings
        .iter()
        .partition(|finding| finding.status == Status::Fail);
    let mut parts = Vec::new();
    if stage.status == Status::Skip {
        let reason = escaped(stage.reason.as_deref().unwrap_or_default());
        let element = match is_error {
            true => "error type=\"interrupted\"",
            false => "skipped",
        };
        parts.push(format!("<{element} message=\"{reason}\"/>"));
    }
    // Readers take one failure of a case: the further ones are in its text.
    if let Some(first) = failures.first() {
        let text: Vec<String> = failures.iter().map(|one| told(one)).collect();
        parts.push(format!(
            "<failure type=\"{}\" message=\"{}\">{}</failure>",
            first.cause.code,
            escaped(&first.summary),
            escaped(&text.join("\n\n")),
        ));
    }
    let said = stage.summary.iter().cloned();
    let said: Vec<String> = said.chain(others.into_iter().map(told)).collect();
    if !said.is_empty() {
        let said = escaped(&said.join("\n\n"));
        parts.push(format!("<system-out>{said}</system-out>"));
    }
    match parts.as_slice() {
        [] => page.push_str("/>\n"),
        parts => {
            page.push_str(">\n");
            for part in parts {
                let _ = writeln!(page, "      {part}");
            }
            page.push_str("    </testcase>\n");
        }
    }
}

fn told(finding: &FindingJson) -> String {
    format!("{}: {}", finding.cause.code, told::finding(finding))
}

fn seconds(ms: f64) -> String {
    format!("{:.3}", ms / 1e3)
}

/// A text in XML 1.0, in which most control characters cannot even be escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_forbids_is_left_out() {
        assert_eq!(
            escaped("a\x00\x1b[1m\u{ffff}]]><b a=\"x\">&"),
            "a[1m]]&gt;&lt;b a=&quot;x&quot;&gt;&amp;"
        );
    }
}
