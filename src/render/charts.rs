//! Numbers that are better looked at: addresses and name servers side by side, latencies as
//! histograms, the idle test as a timeline.

use serde_json::{Map, Value};

use super::layout::{Ink, Page, mark, pad, pad_left, plain, width};
use super::options::Style;
use super::stages::time_of_ms;
use crate::finding::Status;
use crate::idle::format_duration;
use crate::report::{Report, Stage, StageRecord};

/// What stands on the left of the histograms and the timeline.
const MARGIN: &str = "    ";
/// The most ends that are shown side by side.
const MOST_ENDS: usize = 12;
/// The least time that is drawn, in milliseconds.
const LEAST_MS: f64 = 0.1;
/// Narrower than this a chart shows nothing.
const NARROWEST: usize = 16;

/// The ends that a stage came to, side by side below its row, whose text begins at `indent`.
pub fn write_ends(page: &mut Page, record: &StageRecord, indent: usize, style: &Style) {
    match record.stage {
        Stage::Tcp => ends(page, &addresses(&record.facts), indent, style),
        Stage::Dns => ends(page, &name_servers(&record.facts), indent, style),
        Stage::Stress => ends(page, &by_address(&record.facts), indent, style),
        _ => {}
    }
}

/// What the longer tests measured.
pub fn write(page: &mut Page, report: &Report, style: &Style) {
    for record in &report.stages {
        match record.stage {
            Stage::Stress => histograms(page, &record.facts, style),
            Stage::Idle => timeline(page, &record.facts, style),
            _ => {}
        }
    }
}

/// The names of the evidence of a stage that is drawn.
pub fn drawn(record: &StageRecord) -> Vec<&'static str> {
    match record.stage {
        Stage::Tcp if !addresses(&record.facts).is_empty() => vec!["addresses"],
        Stage::Dns if !name_servers(&record.facts).is_empty() => vec!["answers", "name_servers"],
        Stage::Idle => vec!["silences", "dropped_ms", "survived_ms"],
        _ => Vec::new(),
    }
}

fn list<'a>(facts: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    let list = facts.get(name).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// One of several ends, and how it did.
struct End {
    status: Status,
    text: String,
}

/// The addresses that were tried, where there are several.
fn addresses(facts: &Map<String, Value>) -> Vec<End> {
    let rows = list(facts, "addresses");
    if rows.len() < 2 {
        return Vec::new();
    }
    let end = |row: &Value| {
        let (status, how) = match text(row, "outcome") {
            "open" => (
                Status::Pass,
                row["ms"].as_f64().map(time_of_ms).unwrap_or_default(),
            ),
            "unknown" => (Status::Skip, "not tried".to_owned()),
            outcome => (Status::Fail, outcome.to_owned()),
        };
        End {
            status,
            text: format!("{} {how}", text(row, "address")),
        }
    };
    rows.iter().map(end).collect()
}

/// What the name servers say, where they do not say the same.
fn name_servers(facts: &Map<String, Value>) -> Vec<End> {
    let mut ends = Vec::new();
    for lookup in list(facts, "lookups") {
        let Some(servers) = lookup["name_servers"].as_array() else {
            continue;
        };
        let said = |row: &Value| (row["outcome"].clone(), row["addresses"].clone());
        if servers.windows(2).all(|two| said(&two[0]) == said(&two[1])) {
            continue;
        }
        ends.extend(servers.iter().map(|row| {
            let addresses: Vec<&str> = (row["addresses"].as_array().into_iter().flatten())
                .filter_map(Value::as_str)
                .collect();
            match addresses.is_empty() {
                true => End {
                    status: Status::Fail,
                    text: format!("{} {}", text(row, "server"), text(row, "outcome")),
                },
                false => End {
                    status: Status::Pass,
                    text: format!("{} → {}", text(row, "server"), addresses.join(", ")),
                },
            }
        }));
    }
    ends
}

/// The addresses that attempts came to, where there are several.
fn by_address(facts: &Map<String, Value>) -> Vec<End> {
    let rows = facts.get("by_address").and_then(Value::as_object);
    let end = |(address, row): (&String, &Value)| {
        let (passed, of) = (row["succeeded"].as_u64(), row["attempts"].as_u64());
        End {
            status: if passed == of {
                Status::Pass
            } else {
                Status::Fail
            },
            text: format!(
                "{address} {} of {}",
                passed.unwrap_or_default(),
                of.unwrap_or_default()
            ),
        }
    };
    rows.into_iter().flatten().map(end).collect()
}

/// Ends in as many columns as there is room for.
fn ends(page: &mut Page, ends: &[End], indent: usize, style: &Style) {
    let shown: Vec<(Status, String)> = (ends.iter().take(MOST_ENDS))
        .map(|end| (end.status, plain(&end.text, style).into_owned()))
        .collect();
    let Some(longest) = shown.iter().map(|(_, text)| width(text)).max() else {
        return;
    };
    let sign = width(mark(Status::Pass, style)) + 1;
    let cell = sign + longest + 3;
    let room = style.width.saturating_sub(indent);
    let columns = ((room + 3) / cell).max(1);
    let blanks = " ".repeat(indent);
    if cell > room + 3 {
        for (status, text) in &shown {
            let sign = format!("{} ", mark(*status, style));
            page.paragraph(
                &[(Ink::Plain, &blanks), ((*status).into(), &sign)],
                Ink::Plain,
                text,
            );
        }
    } else {
        for row in shown.chunks(columns) {
            let cells: Vec<(Ink, String)> = (row.iter())
                .flat_map(|(status, text)| {
                    let sign = format!("{} ", mark(*status, style));
                    [
                        (Ink::from(*status), sign),
                        (Ink::Plain, pad(text, longest + 3)),
                    ]
                })
                .collect();
            let mut pieces = vec![(Ink::Plain, blanks.as_str())];
            pieces.extend(cells.iter().map(|(ink, text)| (*ink, text.as_str())));
            page.line(&pieces);
        }
    }
    if let Some(more @ 1..) = ends.len().checked_sub(MOST_ENDS) {
        page.line(&[
            (Ink::Plain, &blanks),
            (Ink::Faint, &format!("and {more} more")),
        ]);
    }
}

/// One stage's times: how many took how long.
struct Latencies<'a> {
    name: &'static str,
    row: &'a Value,
    /// The upper bound in milliseconds, and the attempts.
    buckets: Vec<(f64, f64)>,
}

/// The latencies by stage on one logarithmic scale, with their median and maximum.
fn histograms(page: &mut Page, facts: &Map<String, Value>, style: &Style) {
    let Some(Value::Object(by_stage)) = facts.get("latency_ms") else {
        return;
    };
    let names = Stage::RUN.iter().map(|stage| stage.name()).chain(["total"]);
    let rows: Vec<Latencies> = names
        .filter_map(|name| {
            let row = by_stage.get(name)?;
            // What takes no time has no latency to look at.
            row["max"].as_f64().filter(|most| *most > LEAST_MS)?;
            let buckets = (row["buckets"].as_array()?.iter())
                .filter_map(|it| Some((it["le_ms"].as_f64()?, it["count"].as_f64()?)))
                .collect();
            Some(Latencies { name, row, buckets })
        })
        .collect();
    let bounds = || {
        rows.iter()
            .flat_map(|row| row.buckets.iter().map(|it| it.0))
    };
    let (Some(least), Some(most)) = (
        bounds().min_by(f64::total_cmp),
        bounds().max_by(f64::total_cmp),
    ) else {
        return;
    };
    // Whole decades, two at least.
    let from = (least.log10() - 0.05).floor().max(LEAST_MS.log10());
    let to = most.log10().ceil().max(from + 2.0);
    let figures = |row: &Latencies, name| row.row[name].as_f64().map(time_of_ms);
    let name = 10;
    let figure = 10;
    let beside = MARGIN.len() + name + 2 * figure;
    let room = style.width.saturating_sub(beside).min(60);
    if room < NARROWEST {
        return;
    }
    let at = |ms: f64| {
        let share = (ms.max(LEAST_MS).log10() - from) / (to - from);
        ((share * room as f64).ceil() as usize).clamp(1, room) - 1
    };
    page.gap();
    let mut scale = String::new();
    for decade in from as i32..to as i32 {
        let label = time_of_ms(10f64.powi(decade)).replace(".0 ", " ");
        let column = ((f64::from(decade) - from) / (to - from) * room as f64).round() as usize;
        if width(&scale) <= column && column + width(&label) <= room {
            scale = pad(&scale, column) + &label + " ";
        }
    }
    page.line(&[
        (Ink::Plain, MARGIN),
        (Ink::Faint, &pad("latency", name)),
        (Ink::Faint, &pad(&scale, room)),
        (Ink::Faint, &pad_left("median", figure)),
        (Ink::Faint, &pad_left("maximum", figure)),
    ]);
    for row in &rows {
        let mut columns = vec![0.0; room];
        for (bound, count) in &row.buckets {
            columns[at(*bound)] += count;
        }
        let highest = columns.iter().copied().fold(0.0, f64::max);
        let drawn: String = (columns.iter())
            .map(|count| level(*count, highest, style))
            .collect();
        page.line(&[
            (Ink::Plain, MARGIN),
            (Ink::Plain, &pad(row.name, name)),
            (Ink::Plain, &pad(&drawn, room)),
            (
                Ink::Plain,
                &pad_left(&figures(row, "p50").unwrap_or_default(), figure),
            ),
            (
                Ink::Plain,
                &pad_left(&figures(row, "max").unwrap_or_default(), figure),
            ),
        ]);
    }
}

/// A column of a histogram: its height, in eighths of the highest.
fn level(count: f64, highest: f64, style: &Style) -> char {
    let levels = match style.utf8 {
        true => ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        false => ['.', '.', ':', ':', '+', '+', '#', '#'],
    };
    if count <= 0.0 {
        return ' ';
    }
    let height = (count / highest * 8.0).ceil() as usize;
    levels[height.clamp(1, 8) - 1]
}

/// The rungs of the idle test on one scale of time, and between which of them connections
/// are dropped.
fn timeline(page: &mut Page, facts: &Map<String, Value>, style: &Style) {
    let rungs: Vec<(f64, &str)> = (list(facts, "rungs").iter())
        .filter_map(|rung| Some((rung["silence_ms"].as_f64()?, text(rung, "outcome"))))
        .collect();
    let last = rungs.iter().map(|rung| rung.0).fold(0.0, f64::max);
    let label = 18;
    let room = (style.width.saturating_sub(MARGIN.len() + label + 1)).min(60);
    if rungs.len() < 2 || last <= 0.0 || room < NARROWEST {
        return;
    }
    let column = |ms: f64| ((ms / last * (room - 1) as f64).round() as usize).min(room - 1);
    let threshold = facts.get("threshold").unwrap_or(&Value::Null);
    let dropped = threshold["dropped_ms"].as_f64();
    let survived = threshold["survived_ms"].as_f64();
    page.gap();
    let end = spoken(last);
    let scale = format!("{}{end}", pad("0", room.saturating_sub(width(&end))));
    page.line(&[
        (Ink::Plain, MARGIN),
        (Ink::Faint, &pad("idle for", label)),
        (Ink::Faint, &scale),
    ]);

    let dash = if style.utf8 { "─" } else { "-" };
    let alive = |until: f64| dash.repeat(column(until));
    let bare: Vec<(usize, Status)> = (rungs.iter())
        .map(|(silence, outcome)| (column(*silence), fate(outcome)))
        .collect();
    let lived = survived.unwrap_or(0.0);
    row(page, "no traffic", label, &alive(lived), &bare, style);
    if let Some(dropped) = dropped {
        let at = column(dropped);
        let sign = if style.utf8 { "▲" } else { "^" };
        let said = match survived {
            Some(survived) => format!("dropped after {} to {}", spoken(survived), spoken(dropped)),
            None => format!("dropped within {}", spoken(dropped)),
        };
        // On the side of the mark where there is room for it.
        let line = match at + 2 + width(&said) <= room {
            true => format!("{}{sign} {said}", " ".repeat(at)),
            false => pad_left(&format!("{said} {sign}"), at + 1),
        };
        page.line(&[
            (Ink::Plain, MARGIN),
            (Ink::Plain, &pad("", label)),
            (Ink::Fail, &line),
        ]);
    }
    let own = facts.get("configured").unwrap_or(&Value::Null);
    if let (Some(silence), outcome @ ("survived" | "dropped")) =
        (own["silence_ms"].as_f64(), text(own, "outcome"))
    {
        let end = [(column(silence), fate(outcome))];
        row(page, "as configured", label, &alive(silence), &end, style);
    }
    for (name, words) in [
        ("keepalive_helps", "TCP keepalives"),
        ("heartbeat_helps", "queries"),
    ] {
        let Some(helps) = facts.get(name).and_then(Value::as_bool) else {
            continue;
        };
        let (until, status) = match helps {
            true => (last, Status::Pass),
            false => (dropped.unwrap_or(last), Status::Fail),
        };
        row(
            page,
            words,
            label,
            &alive(until),
            &[(column(until), status)],
            style,
        );
    }
}

fn fate(outcome: &str) -> Status {
    match outcome {
        "survived" => Status::Pass,
        "unclear" => Status::Skip,
        _ => Status::Fail,
    }
}

fn spoken(ms: f64) -> String {
    format_duration(std::time::Duration::from_secs_f64((ms / 1e3).max(0.0)))
}

/// A line of the timeline: alive as far as `line`, with the marks at their columns.
fn row(
    page: &mut Page,
    name: &str,
    label: usize,
    line: &str,
    marks: &[(usize, Status)],
    style: &Style,
) {
    let mut cells: Vec<(Ink, String)> =
        (line.chars()).map(|c| (Ink::Pass, c.to_string())).collect();
    for (at, status) in marks {
        while cells.len() <= *at {
            cells.push((Ink::Plain, " ".to_owned()));
        }
        let sign = match (status, style.utf8) {
            (_, true) => mark(*status, style),
            (Status::Pass, false) => "o",
            (Status::Fail, false) => "X",
            (_, false) => "?",
        };
        cells[*at] = ((*status).into(), sign.to_owned());
    }
    let name = pad(name, label);
    let mut pieces = vec![(Ink::Plain, MARGIN), (Ink::Plain, name.as_str())];
    pieces.extend(cells.iter().map(|(ink, text)| (*ink, text.as_str())));
    page.line(&pieces);
}
