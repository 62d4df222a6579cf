//! Markdown as GitHub and GitLab render it, for an issue or a step summary: the
//! verdict, a table of the stages, the findings, and the details folded.
//!
//! Texts of peers are put in as text: they make no markup, no link and no mention
//! of a user or an issue, and end no fence.

use std::fmt::Write;
use std::time::Duration;

use super::{evidence, settings, stages, told};
use crate::finding::{Fix, Status};
use crate::report::{FindingJson, ReportJson, Stage, StageJson};
use crate::text;

/// The report as Markdown.
pub fn render(report: &ReportJson, quiet: bool) -> String {
    let verdict = &report.verdict;
    let sign = sign(verdict.status);
    let command = &report.run.command;
    let what = match (verdict.status, verdict.cause) {
        (Status::Fail, Some(cause)) => code(cause.code),
        (Status::Warn, Some(cause)) => format!("passed with a warning, {}", code(cause.code)),
        (Status::Skip, _) => "interrupted".to_owned(),
        _ => "passed".to_owned(),
    };
    let mut page = format!("### {sign} dbdoctor {command}: {what}\n\n");
    if let Some(subject) = settings::subject(&report.target) {
        paragraph(&mut page, &prose(&subject));
    }
    if quiet {
        paragraph(&mut page, &prose(&verdict.summary));
        return page;
    }
    let findings = told::findings(report);
    if findings.is_empty() {
        paragraph(&mut page, &prose(&verdict.summary));
    }
    if report.run.interrupted {
        paragraph(&mut page, "Interrupted; these are partial results.");
    }
    stages(&mut page, &report.stages);
    for (stage, one) in findings {
        finding(&mut page, stage.stage, one, &[]);
    }
    for stage in &report.stages {
        facts(&mut page, stage);
    }
    let environment = &report.run.environment;
    let _ = writeln!(
        page,
        "<sub>dbdoctor {}, {}, {} {}</sub>",
        report.tool.version,
        told::started(report),
        prose(&environment.os),
        prose(&environment.arch),
    );
    page
}

pub(super) fn sign(status: Status) -> &'static str {
    match status {
        Status::Pass => "✓",
        Status::Warn => "⚠",
        Status::Fail => "✗",
        Status::Skip => "·",
    }
}

fn stages(page: &mut String, stages: &[StageJson]) {
    page.push_str("| | Stage | Result | Time |\n|---|---|---|---:|\n");
    for (n, stage) in stages.iter().enumerate() {
        let same = |other: &&StageJson| is_skipped_alike(stage, other);
        let earlier = stages.get(..n).unwrap_or_default();
        if earlier.iter().any(|other| same(&other)) {
            continue;
        }
        let later = stages.get(n + 1..).unwrap_or_default().iter().filter(same);
        let names = std::iter::once(stage).chain(later);
        let names: Vec<&str> = names.map(|stage| stage.stage.name()).collect();
        let time = stage.duration_ms.map(milliseconds).unwrap_or_default();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {time} |",
            sign(stage.status),
            names.join(", "),
            prose(headline(stage)),
        );
    }
    page.push('\n');
}

/// Whether two stages did not run for one reason: then they share a row.
fn is_skipped_alike(a: &StageJson, b: &StageJson) -> bool {
    a.status == Status::Skip && b.status == Status::Skip && a.reason == b.reason
}

/// A stage in one line: what is so, or what is wrong.
fn headline(stage: &StageJson) -> &str {
    let worst = stage
        .findings
        .iter()
        .find(|finding| finding.status == stage.status);
    match (&stage.reason, worst, &stage.summary) {
        (Some(reason), _, _) => reason,
        (_, Some(finding), _) if finding.status == Status::Fail => finding.cause.title,
        (_, _, Some(summary)) => summary,
        (_, Some(finding), None) => finding.cause.title,
        _ => "",
    }
}

/// A finding, and the targets that have it where there are several.
pub(super) fn finding(page: &mut String, stage: Stage, finding: &FindingJson, targets: &[String]) {
    let sign = sign(finding.status);
    let title = code(finding.cause.code);
    let _ = writeln!(page, "#### {sign} {title} ({stage})\n");
    paragraph(page, &prose(&finding.summary));
    if !targets.is_empty() {
        let targets: Vec<String> = targets.iter().map(|name| prose(name)).collect();
        paragraph(page, &format!("Targets: {}", targets.join(", ")));
    }
    fixes(page, &finding.fixes);
    let rows = evidence::everything(&finding.evidence);
    folded(page, "Evidence", &rows);
}

fn fixes(page: &mut String, fixes: &[Fix]) {
    for (n, fix) in fixes.iter().enumerate() {
        let _ = writeln!(page, "{}. {}", n + 1, prose(&fix.text));
        if let Some(command) = &fix.command {
            page.push('\n');
            fenced(page, "sh", "   ", command.lines());
        }
    }
    if !fixes.is_empty() {
        page.push('\n');
    }
}

fn facts(page: &mut String, stage: &StageJson) {
    let rows = evidence::everything(&stage.facts);
    folded(page, &format!("Facts of {}", stage.stage), &rows);
}

/// Named values, folded away.
fn folded(page: &mut String, title: &str, rows: &[evidence::EvidenceRow]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "<details><summary>{title}</summary>\n");
    let lines: Vec<String> = rows
        .iter()
        .map(|row| format!("{}: {}", row.name, row.value))
        .collect();
    fenced(page, "text", "", lines.iter().map(String::as_str));
    page.push_str("\n</details>\n\n");
}

/// Lines as they are, in a fence that none of them ends.
fn fenced<'a>(
    page: &mut String,
    language: &str,
    indent: &str,
    lines: impl Iterator<Item = &'a str>,
) {
    let lines: Vec<String> = lines.map(visible_line).collect();
    let longest = lines.iter().map(|line| backticks(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(page, "{indent}{fence}{language}");
    for line in lines {
        let _ = writeln!(page, "{indent}{line}");
    }
    let _ = writeln!(page, "{indent}{fence}");
}

/// A line without what cannot be seen, its indentation kept.
fn visible_line(line: &str) -> String {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", " ".repeat(blanks), text::visible(line.trim_start()))
}

/// The longest run of backticks in a text.
fn backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn paragraph(page: &mut String, text: &str) {
    let _ = writeln!(page, "{text}\n");
}

/// A code of ours.
pub(super) fn code(code: &str) -> String {
    format!("`{code}`")
}

pub(super) fn milliseconds(ms: f64) -> String {
    stages::time(Duration::from_secs_f64(ms.max(0.0) / 1e3))
}

/// Any text as text on one line. A comment, which shows as nothing and is not
/// copied, parts what would be linked: `@name`, `#1`, `GH-1`, an address.
pub(super) fn prose(text: &str) -> String {
    const APART: &str = "<!-- -->";
    let text = text::visible(text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = None;
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' => out.push_str("&#124;"),
            '$' => out.push_str("<span>$</span>"),
            '_' if is_inside_a_word(before, rest) => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' => out.extend(['\\', c]),
            '-' | '+' | '=' if before.is_none() => out.extend(['\\', c]),
            '.' | ')' if begins_item(text.get(..at), rest) => out.extend(['\\', c]),
            '@' | '#' => {
                out.push(c);
                out.push_str(APART);
            }
            ':' if rest.starts_with("://") => {
                out.push(c);
                out.push_str(APART);
            }
            '-' if ends_with(text.get(..at), "GH") => {
                out.push(c);
                out.push_str(APART);
            }
            '.' if ends_with(text.get(..at), "www") => {
                out.push_str(APART);
                out.push(c);
            }
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

fn ends_with(before: Option<&str>, word: &str) -> bool {
    let end = before.and_then(|text| text.get(text.len().checked_sub(word.len())?..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// Whether the text so far is a number, and what comes next makes an item of a list of
/// it.
fn begins_item(before: Option<&str>, rest: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let next = rest.chars().nth(1);
    before.is_some_and(digits) && next.is_none_or(char::is_whitespace)
}

/// Whether a mark of emphasis stands between letters, where it is none.
fn is_inside_a_word(before: Option<char>, rest: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    letter(before) && letter(rest.chars().nth(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_makes_no_markup() {
        assert_eq!(prose("a|b"), "a&#124;b");
        assert_eq!(prose("<script>"), "&lt;script&gt;");
        assert_eq!(prose("*b* _i_ `c` ~d~"), "\\*b\\* \\_i\\_ \\`c\\` \\~d\\~");
        assert_eq!(prose("[x](y)"), "\\[x\\](y)");
        assert_eq!(prose("- item"), "\\- item");
        assert_eq!(prose("12. item"), "12\\. item");
        assert_eq!(prose("1.5 s, 127.0.0.1"), "1.5 s, 127.0.0.1");
        assert_eq!(prose("a_b_c _d_e_"), "a_b_c \\_d_e\\_");
        assert_eq!(prose("a - b"), "a - b");
        assert_eq!(prose("two\nlines"), "two lines");
    }

    #[test]
    fn a_text_makes_no_link() {
        for (text, shown) in [
            ("@all", "@<!-- -->all"),
            ("app@db.test", "app@<!-- -->db.test"),
            ("#12", "#<!-- -->12"),
            ("GH-12", "GH-<!-- -->12"),
            ("https://x.test", "https:<!-- -->//x.test"),
            ("www.x.test", "www<!-- -->.x.test"),
        ] {
            assert_eq!(prose(text), shown);
        }
    }

    #[test]
    fn no_line_ends_its_fence() {
        let mut page = String::new();
        fenced(&mut page, "text", "", ["a ```` b", "```"].into_iter());
        assert_eq!(page, "`````text\na ```` b\n```\n`````\n");
    }
}
