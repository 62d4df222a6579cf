//! A GitHub workflow's annotations: a line for each finding, which the runner reads
//! as a command.

use super::{settings, told};
use crate::finding::Status;
use crate::report::ReportJson;

/// GitHub shows no more of a level in a step.
pub(super) const MOST: usize = 10;

/// The report as workflow commands; one line of plain text where there is nothing to
/// annotate.
pub fn render(report: &ReportJson) -> String {
    let findings = told::findings(report);
    let level = |status: Status, name: &str| {
        let of_level = findings.iter().filter(|(_, one)| one.status == status);
        let lines = of_level.take(MOST).map(|(stage, finding)| {
            let title = format!("{} ({})", finding.cause.code, stage.stage);
            annotation(name, &title, &told::finding(finding))
        });
        lines.collect::<String>()
    };
    let said = level(Status::Fail, "error") + &level(Status::Warn, "warning");
    if !said.is_empty() {
        return said;
    }
    let about = settings::subject(&report.target).unwrap_or_default();
    format!(
        "dbdoctor {}: {} {}\n",
        report.run.command,
        report.verdict.summary,
        crate::text::visible(&about)
    )
}

/// One annotation of a level.
pub(super) fn annotation(level: &str, title: &str, text: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(text))
}

/// A command's text, as the runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::{dns, tls};
    use crate::finding::Finding;
    use crate::report::{Environment, Report, Stage};

    #[test]
    fn no_more_of_a_level_than_github_shows_and_the_verdict_first() {
        let mut report = Report::new("check", &[Stage::Dns, Stage::Tls], Environment::default());
        for (stage, cause) in [(Stage::Dns, &dns::SLOW), (Stage::Tls, &tls::CERT_EXPIRED)] {
            let record = report.stage(stage);
            record.begin();
            for _ in 0..12 {
                record.findings.push(Finding::new(cause));
            }
            record.end(None);
        }
        let said = render(&report.to_json());
        for level in ["::error ", "::warning "] {
            let of_level = said.lines().filter(|line| line.starts_with(level));
            assert_eq!(of_level.count(), MOST, "{said}");
        }
        assert!(
            said.starts_with("::error title=tls.cert.expired (tls)::"),
            "{said}"
        );
    }

    #[test]
    fn a_text_ends_neither_its_command_nor_its_property() {
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(property("a: b, c%"), "a%3A b%2C c%25");
    }
}
