//! The output of `diff` as text.

use std::collections::HashSet;

use super::findings::section;
use super::layout::mark;
use super::layout::{Ink, Page};
use super::options::{Style, Verbosity};
use crate::diff::{Diff, Difference, Part, Side};
use crate::finding::Status;
use crate::render::evidence;

/// Nobody reads more differences of one kind.
const MOST_SHOWN: usize = 100;

/// The differences as text.
pub fn render(diff: &Diff, style: &Style) -> String {
    let mut page = Page::new(style);
    if style.verbosity > Verbosity::Quiet {
        side(&mut page, "A", &diff.a, style);
        side(&mut page, "B", &diff.b, style);
        let mut seen = HashSet::new();
        let (first, rest): (Vec<_>, Vec<_>) = diff
            .differences
            .iter()
            // One address in three places is one difference.
            .filter(|one| {
                let pair = (one.a.to_string(), one.b.to_string());
                style.verbosity >= Verbosity::Verbose || seen.insert(pair)
            })
            .partition(|one| one.explains);
        block(&mut page, "Likely why", &first, style);
        let title = if first.is_empty() {
            "Differences"
        } else {
            "Also differs"
        };
        block(&mut page, title, &rest, style);
        page.gap();
    }
    let (status, text) = conclusion(diff);
    let sign = format!("{} ", mark(status, style).trim_end());
    page.paragraph(&[(status.into(), &sign)], status.into(), &text);
    page.into_text()
}

fn conclusion(diff: &Diff) -> (Status, String) {
    let verdict = |side: &Side| match (&side.cause, &side.status) {
        (Some(cause), Some(status)) => format!("{status} with {cause}"),
        (None, Some(status)) => status.clone(),
        _ => "no verdict".to_owned(),
    };
    let many = match diff.differences.len() {
        0 => "no differences".to_owned(),
        1 => "1 difference".to_owned(),
        n => format!("{n} differences"),
    };
    match diff.same_verdict {
        true => (
            Status::Pass,
            format!("Same verdict in both: {} ({many}).", verdict(&diff.a)),
        ),
        false => (
            Status::Fail,
            format!(
                "Different verdicts: A {}, B {} ({many}).",
                verdict(&diff.a),
                verdict(&diff.b)
            ),
        ),
    }
}

fn side(page: &mut Page, name: &str, side: &Side, style: &Style) {
    let status = match side.status.as_deref() {
        Some("pass") => Status::Pass,
        Some("warn") => Status::Warn,
        Some("fail") => Status::Fail,
        _ => Status::Skip,
    };
    let sign = format!("{name} {} ", mark(status, style));
    let cause = side.cause.as_ref().map(|cause| format!("{cause}: "));
    let summary = side.summary.as_deref().unwrap_or_default();
    let text = format!("{}{summary}", cause.unwrap_or_default());
    page.paragraph(&[(status.into(), &sign)], Ink::Strong, &text);
    let blanks = " ".repeat(sign.chars().count());
    page.paragraph(&[(Ink::Plain, &blanks)], Ink::Faint, &side.place);
}

fn block(page: &mut Page, title: &str, differences: &[&Difference], style: &Style) {
    if differences.is_empty() {
        return;
    }
    section(page, title, style, |page, indent| {
        let blanks = " ".repeat(indent);
        let deeper = " ".repeat(indent + 2);
        for one in differences.iter().take(MOST_SHOWN) {
            let what = match (one.part, &one.stage) {
                (Part::Finding, _) => one.name.clone(),
                (Part::Environment, _) => format!("environment: {}", one.name),
                (Part::Target | Part::Origin, _) => format!("setting: {}", one.name),
                (Part::Fact, Some(stage)) => format!("{stage}: {}", one.name),
                (Part::Fact, None) => one.name.clone(),
            };
            page.paragraph(&[(Ink::Plain, &blanks)], Ink::Strong, &what);
            for (name, value) in [("A  ", &one.a), ("B  ", &one.b)] {
                let label = [(Ink::Plain, deeper.as_str()), (Ink::Faint, name)];
                page.paragraph(&label, Ink::Plain, &evidence::value(value));
            }
        }
        if let Some(more @ 1..) = differences.len().checked_sub(MOST_SHOWN) {
            let more = format!("and {more} more; --json shows all of them");
            page.paragraph(&[(Ink::Plain, &blanks)], Ink::Faint, &more);
        }
    });
}
