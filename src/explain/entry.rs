//! Entries of a server's own log: whose they are, and which part of one a line is.

use super::prefix::Stripped;

/// What a line of a server's log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The process that wrote it; empty where the line does not tell.
    pub process: String,
    /// Which part it is.
    pub part: Part,
}

/// The part of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What keeps somebody from something: an error or worse.
    Failure,
    /// What is reported.
    Report,
    /// What is known of it besides.
    Detail,
    /// Where and in what it happened.
    Context,
}

/// The words that begin each part, as PostgreSQL, PgBouncer and Pgpool write them.
const PARTS: &[(&str, Part)] = &[
    ("FATAL", Part::Failure),
    ("ERROR", Part::Failure),
    ("PANIC", Part::Failure),
    ("LOG", Part::Report),
    ("WARNING", Part::Report),
    ("NOTICE", Part::Report),
    ("INFO", Part::Report),
    ("DETAIL", Part::Detail),
    ("HINT", Part::Detail),
    ("CONTEXT", Part::Context),
    ("STATEMENT", Part::Context),
    ("QUERY", Part::Context),
    ("LOCATION", Part::Context),
    ("BACKTRACE", Part::Context),
];

/// So far into a line stands what it is.
const FAR: usize = 200;

/// What a line of a server's log is; nothing where it is no such line. A client prints
/// the same words with neither a time nor a process before them.
pub fn entry(line: &Stripped<'_>) -> Option<Entry> {
    let head: &str = line.rest.get(..FAR).unwrap_or(line.rest);
    let (at, part) = part(head)?;
    let before = line.rest.get(..at)?;
    let process = number(before, "[", "]")
        .or_else(|| number(before, "pid ", ":"))
        .or_else(|| line.origin.rsplit_once('[').map(|(_, process)| process))
        .unwrap_or_default();
    let ours = line.stamped || !process.is_empty();
    ours.then(|| Entry {
        process: process.to_owned(),
        part,
    })
}

/// The word that tells the part, and where it stands.
pub fn part(head: &str) -> Option<(usize, Part)> {
    let found = PARTS.iter().filter_map(|(word, part)| {
        let at = head.match_indices(word).find_map(|(at, _)| {
            let before = head.get(..at)?.chars().next_back();
            let after = head.get(at + word.len()..)?;
            let begins = before.is_none_or(|c| matches!(c, ' ' | ':' | ']'));
            // PgBouncer writes no colon: a connection follows, or its own report.
            let pooler = [" C-0x", " S-0x"]
                .iter()
                .any(|sign| after.starts_with(sign))
                || (*word == "LOG" && at > 0 && after.starts_with(' '));
            (begins && (after.starts_with(": ") || pooler)).then_some(at)
        })?;
        Some((at, *part))
    });
    found.min_by_key(|(at, _)| *at)
}

/// The last number between two signs, which a process is.
fn number<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.rsplit_once(open)?;
    let (number, _) = rest.split_once(close)?;
    let digits = |c: char| c.is_ascii_digit() || c == '-';
    (!number.is_empty() && number.chars().all(digits)).then_some(number)
}

/// The parts of an entry that stands in one line, as `jsonlog` and `csvlog` write it.
pub fn columns(line: &str) -> Option<Vec<String>> {
    if line.contains("\"error_severity\":\"") {
        // Objects are flat: each key that begins a part begins a line.
        let mut out = line.to_owned();
        for (key, word) in [
            ("\"error_severity\":\"", "\n"),
            (",\"message\":\"", "\n"),
            (",\"detail\":\"", "\nDETAIL: "),
            (",\"hint\":\"", "\nHINT: "),
            (",\"context\":\"", "\nCONTEXT: "),
            (",\"statement\":\"", "\nSTATEMENT: "),
        ] {
            out = out.replacen(key, word, 1);
        }
        return Some(out.lines().map(str::to_owned).collect());
    }
    let (_, rest) = [",FATAL,", ",ERROR,", ",PANIC,"]
        .iter()
        .find_map(|severity| line.split_once(severity))?;
    let (state, message) = rest.split_once(",\"")?;
    if state.len() != 5 || !state.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let undoubled = |text: &str| text.replace("\"\"", "\"");
    let (message, detail) = message.split_once("\",").unwrap_or((message, ""));
    let mut parts = vec![undoubled(message)];
    let detail = detail.trim_start_matches([',', '"']);
    if detail.starts_with(|c: char| c.is_ascii_alphabetic()) {
        parts.push(format!("DETAIL: {}", undoubled(detail)));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::super::prefix::strip;
    use super::*;

    fn of(line: &str) -> Option<(String, Part)> {
        entry(&strip(line)).map(|entry| (entry.process, entry.part))
    }

    #[test]
    fn entries_have_a_process() {
        let entry = |process: &str, part| Some((process.to_owned(), part));
        assert_eq!(
            of("2026-10-02 11:00:41.112 UTC [4411] etl@dwh FATAL:  no"),
            entry("4411", Part::Failure)
        );
        assert_eq!(
            of("2026-10-02 11:00:41 UTC:10.9.1.4(51802):etl@dwh:[4411]:DETAIL:  x"),
            entry("4411", Part::Detail)
        );
        assert_eq!(
            of("Oct  2 11:00:41 pg1 postgres[4411]: [3-2] HINT:  x"),
            entry("4411", Part::Detail)
        );
        assert_eq!(
            of("2026-10-02 11:00:41.112 UTC [7] LOG S-0x55d0c1b0: a/a@10.0.0.5:5432 closing"),
            entry("7", Part::Report)
        );
        assert_eq!(of("psql: error: FATAL:  no"), None);
        assert_eq!(of("FATAL:  no"), None);
    }

    #[test]
    fn an_entry_in_one_line_is_taken_apart() {
        let csv = "2026-10-02 11:00:41 UTC,\"a\",\"b\",1,\"x\",0,2,\"authentication\",x,4/1,0,\
                   FATAL,28P01,\"no such \"\"a\"\"\",\"Role \"\"a\"\" is not there.\",,,";
        assert_eq!(
            columns(csv).unwrap(),
            ["no such \"a\"", "DETAIL: Role \"a\" is not there.\",,,"]
        );
        assert_eq!(columns("a, FATAL, b"), None);
    }
}
