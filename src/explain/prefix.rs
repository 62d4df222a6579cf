//! What terminals, containers, test runners and logs put before each line, so that a
//! message of several lines is read as what it is.

/// A line without what was put before it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stripped<'a> {
    /// What remains, with its indentation.
    pub rest: &'a str,
    /// Who is quoted: a container, a pod, a program and its process.
    pub origin: &'a str,
    /// Whether there was a time: a log's record begins so.
    pub stamped: bool,
    /// When it was written, as the line says it.
    pub time: Option<&'a str>,
    /// Whether it is a line of source code in a test runner's report.
    pub code: bool,
}

/// So many things may stand before a line: mail around a container's log of a
/// runner's output.
const MOST: usize = 6;

/// Takes off what stands before a line.
pub fn strip(line: &str) -> Stripped<'_> {
    let mut found = Stripped {
        rest: line,
        ..Stripped::default()
    };
    for _ in 0..MOST {
        let rest = found.rest;
        if let Some((time, after)) = time(rest) {
            (found.stamped, found.rest) = (true, after);
            found.time = found.time.or(Some(time));
        } else if let Some(after) = quoted(rest) {
            found.rest = after;
        } else if let Some(after) = pytest(rest) {
            found.rest = after;
            break;
        } else if let Some((origin, after)) = origin(rest) {
            found.rest = after;
            if !origin.is_empty() {
                found.origin = origin;
            }
        } else {
            break;
        }
    }
    let indented = found.rest.starts_with("    ");
    found.code = line.trim_start().starts_with(">  ") && indented;
    found
}

/// A time that begins a line: ISO 8601 and its kin, a time of day, syslog's. What
/// follows keeps its indentation but for one blank.
fn time(line: &str) -> Option<(&str, &str)> {
    let opened = line.strip_prefix('[').unwrap_or(line);
    let at = line.len() - opened.len();
    let length = date(opened)
        .map(|date| date + day_time(opened.get(date..).unwrap_or_default()).unwrap_or(0))
        .filter(|length| *length > DATE)
        .or_else(|| syslog(opened))
        .or_else(|| day_time(opened).filter(|length| *length >= CLOCK))?;
    let time = opened.get(..length)?.trim_end();
    let after = line.get(at + length..)?;
    let after = after.strip_prefix(']').unwrap_or(after);
    // A word goes on: no time.
    if after.starts_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    Some((time, after.strip_prefix([' ', '\t']).unwrap_or(after)))
}

/// The length of `2026-11-21` and of the `T` or blank after it.
const DATE: usize = 11;
/// The least length of a time of day: `11:00:41`.
const CLOCK: usize = 8;

/// `2026-11-21T`, `2026/11/21 `.
fn date(text: &str) -> Option<usize> {
    let shape = text.as_bytes().get(..DATE)?;
    let fits = shape
        .iter()
        .zip(b"0000-00-00T")
        .all(|(is, wanted)| match wanted {
            b'0' => is.is_ascii_digit(),
            b'-' => matches!(is, b'-' | b'/'),
            _ => matches!(is, b'T' | b' ' | b','),
        });
    fits.then_some(DATE)
}

/// `11:00:41`, `11:00:41.331Z`, `11:00:41,331+00:00`.
fn day_time(text: &str) -> Option<usize> {
    let shape = text.as_bytes().get(..CLOCK)?;
    let fits = shape
        .iter()
        .zip(b"00:00:00")
        .all(|(is, wanted)| match wanted {
            b'0' => is.is_ascii_digit(),
            _ => *is == b':',
        });
    if !fits {
        return None;
    }
    let rest = text.get(CLOCK..)?;
    let mut length = CLOCK;
    if rest.starts_with(['.', ',']) {
        let digits = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        length += if digits > 0 { digits + 1 } else { 0 };
    }
    let zone = text.get(length..)?;
    let digits = |from: &str| {
        let kept = |b: &u8| b.is_ascii_digit() || *b == b':';
        from.bytes().take_while(kept).count()
    };
    length += match zone.chars().next() {
        Some('Z') => 1,
        Some('+' | '-') => 1 + digits(zone.get(1..)?),
        _ => 0,
    };
    Some(length)
}

/// `Nov 21 11:00:41 host `: the time alone.
fn syslog(text: &str) -> Option<usize> {
    let month = text.find(' ')?;
    let named = text.get(..month)?.chars().all(char::is_alphabetic);
    if !named || !(3..=6).contains(&month) {
        return None;
    }
    let rest = text.get(month + 1..)?;
    let day = rest.len() - rest.trim_start().len();
    let digits = rest.trim_start().bytes().take_while(u8::is_ascii_digit);
    let day = day + digits.count();
    let clock = rest.get(day..)?.strip_prefix(' ')?;
    ((1..=3).contains(&day)).then_some(())?;
    let length = month + 1 + day + 1 + day_time(clock)?;
    Some(length)
}

/// Mail quotes: `> `, `> > `.
fn quoted(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('>')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

/// pytest's `E   `.
fn pytest(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("E   ").map(|rest| {
        let tab = rest.trim_start_matches(' ');
        if tab.starts_with('\t') {
            tab
        } else {
            rest.trim_start()
        }
    })
}

/// Who writes: `db-1  | `, `[pod/pg-0/postgres] `, `app[web.1]: `, `host postgres[12]: `,
/// `#11 0.412 `, `{"log":"`.
fn origin(line: &str) -> Option<(&str, &str)> {
    container(line)
        .or_else(|| pod(line))
        .or_else(|| build_step(line))
        .or_else(|| program(line))
        .or_else(|| sequence(line))
        .or_else(|| json(line))
}

/// syslog's number of a message and of its part: `[3-1] `.
fn sequence(line: &str) -> Option<(&str, &str)> {
    let (number, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (message, part) = number.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits(message) && digits(part)).then_some(("", rest))
}

fn container(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('|')?;
    let word = name.trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let named = word.len() <= 64 && word.chars().all(plain);
    let lettered = word.contains(|c: char| c.is_ascii_alphabetic());
    let apart = rest.is_empty() || rest.starts_with([' ', '\t']);
    (named && lettered && name.len() > word.len() && apart)
        .then(|| (word, rest.strip_prefix(' ').unwrap_or(rest)))
}

fn pod(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("[pod/")?.split_once(']')?;
    Some((name, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// A step of `docker build`: its number and the seconds.
fn build_step(line: &str) -> Option<(&str, &str)> {
    let (step, rest) = line.strip_prefix('#')?.split_once(' ')?;
    let (seconds, rest) = rest.split_once(' ')?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = seconds.split_once('.')?;
    (number(step) && number(whole) && number(part)).then_some((step, rest))
}

/// `app[web.1]: `, or a host and then a program with its process.
fn program(line: &str) -> Option<(&str, &str)> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@');
    let (head, rest) = line.split_once("]: ").or_else(|| {
        let head = line.strip_suffix("]:")?;
        Some((head, ""))
    })?;
    let (name, process) = head.rsplit_once('[')?;
    let one_or_two = name.split(' ').count() <= 2;
    let named = !name.is_empty() && name.len() <= 128 && name.chars().all(|c| word(c) || c == ' ');
    let numbered = !process.is_empty() && process.chars().all(word);
    (one_or_two && named && numbered && !name.ends_with(' ')).then_some((head, rest))
}

/// The beginning of a container's log in JSON, and of structured logs that begin with
/// their message.
fn json(line: &str) -> Option<(&str, &str)> {
    let begins = ["{\"log\":\"", "{\"msg\":\"", "{\"message\":\""];
    let sign = begins.iter().find(|sign| line.starts_with(**sign))?;
    Some(("", line.get(sign.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_line_is_taken_off() {
        for (line, rest) in [
            (
                "E   psycopg2.OperationalError: x",
                "psycopg2.OperationalError: x",
            ),
            ("E   \tIs the server running", "\tIs the server running"),
            ("> > FATAL: x", "FATAL: x"),
            ("db-1  | FATAL: x", "FATAL: x"),
            ("db-1  |     at Client", "    at Client"),
            ("#11 0.412     at TCP", "    at TCP"),
            ("[pod/pg-0/postgres] FATAL: x", "FATAL: x"),
            ("2026-10-02T11:00:41.3318712Z E       FATAL: x", "FATAL: x"),
            (
                "2026-10-02T11:00:41.331902+00:00 app[web.1]:     at x",
                "    at x",
            ),
            ("Oct  2 11:00:41 pg1 postgres[4411]: FATAL: x", "FATAL: x"),
            ("okt 02 11:00:41 pg1 postgres[5120]: FATAL: x", "FATAL: x"),
            ("[2026-10-02 11:00:41,331] FATAL: x", "FATAL: x"),
            ("11:00:41.331 [error] x", "[error] x"),
            ("{\"log\":\"FATAL: x", "FATAL: x"),
            // None of it.
            ("12 |     println!()", "12 |     println!()"),
            ("psql: error: x", "psql: error: x"),
            ("postgres://a|b", "postgres://a|b"),
            ("", ""),
        ] {
            assert_eq!(strip(line).rest, rest, "{line}");
        }
        assert!(strip(">       conn = _connect(dsn)").code);
        assert!(!strip("> \tIs the server running").code);
        assert_eq!(
            strip("2026-10-02T11:00:41Z x").time,
            Some("2026-10-02T11:00:41Z")
        );
    }
}
