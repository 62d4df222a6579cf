//! The output of `explain` as text: a cause's page, the catalogue, matches.

use super::findings::{section, write_fixes};
use super::layout::{Ink, Page, pad, width};
use super::options::{Style, Verbosity};
use crate::cause::{self, Severity};
use crate::config::host_port;
use crate::explain::{Count, Explanation, Match, Phase, Values};

/// The page of one cause.
pub fn page(found: &Match, style: &Style) -> String {
    let mut page = Page::new(style);
    page.line(&[(Ink::Strong, found.cause)]);
    page.paragraph(&[(Ink::Plain, "  ")], Ink::Strong, &found.summary);
    let Some(row) = cause::find(found.cause) else {
        return page.into_text();
    };
    let mut marks = vec![match row.severity {
        Severity::Fail => "stops the connection",
        Severity::Warn => "warning",
    }];
    if row.retryable {
        marks.push("transient: retried with --wait");
    }
    let since = row.later().map(|version| format!("since {version}"));
    marks.extend(since.as_deref());
    page.paragraph(&[(Ink::Plain, "  ")], Ink::Faint, &marks.join("; "));
    page.gap();
    page.paragraph(&[(Ink::Plain, "  ")], Ink::Plain, found.meaning);
    fixes(&mut page, found, style);
    if !found.seen_as.is_empty() {
        section(&mut page, "Seen as", style, |page, indent| {
            let blanks = " ".repeat(indent);
            for text in found.seen_as {
                page.paragraph(&[(Ink::Plain, &blanks)], Ink::Plain, text);
            }
        });
    }
    confirm(&mut page, found, style);
    page.into_text()
}

/// The catalogue: a line per code.
pub fn list(all: &[Match], style: &Style) -> String {
    let mut page = Page::new(style);
    let codes = all.iter().map(|row| width(row.cause)).max().unwrap_or(0);
    let mut stage = "";
    for row in all {
        let own = row.cause.split('.').next().unwrap_or_default();
        if own != stage {
            page.gap();
            stage = own;
        }
        let label = format!("{}  ", pad(row.cause, codes));
        page.paragraph(&[(Ink::Strong, &label)], Ink::Plain, &row.summary);
    }
    page.into_text()
}

/// What a text may mean, best first.
pub fn matches(found: &Explanation, style: &Style) -> String {
    let mut page = Page::new(style);
    if style.verbosity == Verbosity::Quiet {
        if let Some(best) = found.matches.first() {
            let label = format!("{}  ", best.cause);
            page.paragraph(&[(Ink::Strong, &label)], Ink::Plain, &best.summary);
        }
        return page.into_text();
    }
    for (n, one) in found.matches.iter().enumerate() {
        page.gap();
        let number = match found.matches.len() {
            1 => String::new(),
            _ => format!("{}. ", n + 1),
        };
        let sure = format!(
            "  {}",
            match one.confidence {
                crate::explain::Confidence::High => "high confidence",
                crate::explain::Confidence::Medium => "medium confidence",
                crate::explain::Confidence::Low => "low confidence",
            }
        );
        page.line(&[
            (Ink::Plain, &number),
            (Ink::Strong, one.cause),
            (Ink::Faint, &sure),
        ]);
        page.paragraph(&[(Ink::Plain, "  ")], Ink::Strong, &one.summary);
        // What is further down the list is looked up by its code.
        if n < 2 || style.verbosity >= Verbosity::Verbose {
            page.gap();
            page.paragraph(&[(Ink::Plain, "  ")], Ink::Plain, one.meaning);
            recognised(&mut page, one, style);
            from_text(&mut page, &one.values, style);
            fixes(&mut page, one, style);
            confirm(&mut page, one, style);
        } else {
            confirm(&mut page, one, style);
        }
    }
    if found.summary.iter().any(|count| count.count > 1) {
        page.gap();
        summary(&mut page, &found.summary, style);
    }
    page.into_text()
}

/// How often each cause is in a log, from when to when.
fn summary(page: &mut Page, counts: &[Count], style: &Style) {
    let codes = counts.iter().map(|one| width(one.cause)).max().unwrap_or(0);
    section(page, "In all", style, |page, indent| {
        for one in counts {
            let label = format!("{}{}  ", " ".repeat(indent), pad(one.cause, codes));
            let times = match one.count {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            };
            let lines = match one.count {
                1 => format!("line {}", one.first_line),
                _ => format!("lines {} to {}", one.first_line, one.last_line),
            };
            let when = match (&one.first_time, &one.last_time) {
                (Some(first), Some(last)) if first != last => format!(", {first} to {last}"),
                (Some(first), _) => format!(", {first}"),
                (None, _) => String::new(),
            };
            let text = format!("{times}: {lines}{when}");
            page.paragraph(&[(Ink::Plain, &label)], Ink::Plain, &text);
        }
    });
}

fn recognised(page: &mut Page, one: &Match, style: &Style) {
    section(page, "Recognised", style, |page, indent| {
        let blanks = " ".repeat(indent);
        let place = one.line.map(|line| format!("line {line}: "));
        let mut text = format!("{}{}", place.unwrap_or_default(), one.matched);
        match one.phase {
            Some(Phase::Connect) => text += ", while connecting",
            Some(Phase::Session) => text += ", on an established connection",
            Some(Phase::Any) | None => {}
        }
        if let Some(wrappers) = &one.unwrapped_from {
            text += &format!(" (quoted by {wrappers})");
        }
        page.paragraph(&[(Ink::Plain, &blanks)], Ink::Plain, &text);
    });
}

/// What the text says of the connection, in one line.
fn from_text(page: &mut Page, values: &Values, style: &Style) {
    let told = in_words(values);
    if !told.is_empty() {
        section(page, "In the text", style, |page, indent| {
            let blanks = " ".repeat(indent);
            page.paragraph(&[(Ink::Plain, &blanks)], Ink::Plain, &told);
        });
    }
}

/// Values as a line: `app at db.corp.test:5432 (10.0.0.5), database orders, psycopg2`.
fn in_words(values: &Values) -> String {
    let user = values.user.as_deref();
    let is_socket = |host: &str| host.starts_with(['/', '@']);
    let place = values.host.as_deref().map(|host| match values.port {
        Some(port) if is_socket(host) => format!("{host}, port {port}"),
        Some(port) => host_port(host, port),
        None => host.to_owned(),
    });
    let address = values.address.as_deref();
    let address = address.filter(|address| values.host.as_deref() != Some(*address));
    let place = match (place, address) {
        (Some(place), Some(address)) => Some(format!("{place} ({address})")),
        // Without a server, it is the client's.
        (None, Some(address)) => Some(format!("the server, from {address}")),
        (place, None) => place,
    };
    let who = match (user, place) {
        (Some(user), Some(place)) => Some(format!("{user} at {place}")),
        (Some(user), None) => Some(format!("role {user}")),
        (None, place) => place,
    };
    let named = |name: &str, value: &Option<String>| Some(format!("{name} {}", value.as_ref()?));
    let file = values.file.as_ref().map(|file| match values.line {
        Some(line) => format!("{file}, line {line}"),
        None => file.clone(),
    });
    let driver = values
        .driver
        .as_ref()
        .map(|driver| match &values.driver_version {
            Some(version) => format!("{driver} {version}"),
            None => driver.clone(),
        });
    let parts = [
        who,
        named("database", &values.dbname),
        named("parameter", &values.parameter),
        file,
        named("SQLSTATE", &values.sqlstate),
        driver,
        values.provider.clone(),
        values.pooler.clone(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn fixes(page: &mut Page, one: &Match, style: &Style) {
    if !one.fixes.is_empty() {
        section(page, "What to do", style, |page, indent| {
            write_fixes(page, &one.fixes, indent);
        });
    }
}

fn confirm(page: &mut Page, one: &Match, style: &Style) {
    if let Some(command) = &one.confirm_with {
        section(page, "Confirm", style, |page, indent| {
            let blanks = " ".repeat(indent);
            page.line(&[(Ink::Plain, &blanks), (Ink::Command, command)]);
        });
    }
}

/// The catalogue as a page of documentation, in Markdown.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Causes\n\nEvery finding carries one of these codes. Codes are never renamed or \
         reused. `dbdoctor explain CODE` prints the same page. In the commands, replace the words \
         in capitals; in a report, dbdoctor fills them in.\n\nThis page is generated from the pages in `causes/`.\n",
    );
    let mut stage = "";
    for one in &Explanation::catalogue().matches {
        let Some(row) = cause::find(one.cause) else {
            continue;
        };
        let own = one.cause.split('.').next().unwrap_or_default();
        if own != stage {
            out += &format!("\n## {own}\n");
            stage = own;
        }
        out += &format!("\n### `{}`\n\n**{}.**", row.code, escaped(row.title));
        if row.severity == Severity::Warn {
            out += " Warning.";
        }
        if row.retryable {
            out += " Transient: `--wait` retries.";
        }
        if let Some(version) = row.later() {
            out += &format!(" Since {version}.");
        }
        out += &format!("\n\n{}\n\n", escaped(row.meaning));
        for (n, fix) in one.fixes.iter().enumerate() {
            out += &format!("{}. {}\n", n + 1, escaped(&fix.text));
            for line in fix.command.iter().flat_map(|command| command.lines()) {
                out += &format!("   `{}`\n", line.replace('`', "'"));
            }
        }
        if !row.seen_as.is_empty() {
            out += "\nSeen as:\n\n";
            for text in row.seen_as {
                out += &format!("- `{}`\n", text.replace('`', "'"));
            }
        }
    }
    out
}

/// Text that Markdown must not read as marks.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    for c in text.chars() {
        if c == '`' {
            code = !code;
        }
        if !code && matches!(c, '<' | '*' | '_' | '[') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
