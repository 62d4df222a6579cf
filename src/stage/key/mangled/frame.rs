//! What was done to a key's frame (header and footer) and to its body.

use super::super::container;
use super::super::format::PrivateForm;
use super::{Step, der_length, form_of, place};

/// The characters that stand for dashes.
const DASHES: [char; 6] = [
    '-', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}',
];
/// The characters that quote.
const QUOTES: [char; 7] = [
    '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}',
];

/// A key's text taken apart.
pub struct Framed {
    form: PrivateForm,
    /// `Proc-Type` and `DEK-Info` of a traditional PEM key.
    headers: Vec<String>,
    /// The base64 digits.
    digits: String,
    /// What they stand for, where they are base64.
    bytes: Option<Vec<u8>>,
    /// Where the body begins, for what is lost in it.
    body_place: String,
    /// The first character that does not belong there.
    stray: Option<(char, String)>,
    /// Whether there is a footer.
    footer: bool,
}

/// A header or footer line that was found, perhaps damaged.
struct Mark {
    /// Where its first dash is, and the byte after its last.
    start: usize,
    end: usize,
    /// The words between the dashes.
    label: String,
    /// Whether every character is as it should be.
    exact: bool,
}

/// Takes a text apart and notes what is wrong with its frame. `None` where it
/// holds no private key.
pub fn read(text: &str, steps: &mut Vec<Step>) -> Option<Framed> {
    let header = find_mark(text, "BEGIN", 0);
    let from = header.as_ref().map_or(0, |mark| mark.end);
    let footer = find_mark(text, "END", from);
    if header.is_none() && footer.is_none() {
        return bare(text, steps);
    }
    let to = footer.as_ref().map_or(text.len(), |mark| mark.start);
    let body = text.get(from..to)?;
    let label = header
        .as_ref()
        .or(footer.as_ref())
        .map(|mark| mark.label.clone())?;
    let mut framed = Framed::of_body(body, &place(text, from));
    framed.footer = footer.is_some();
    let named = PrivateForm::ALL
        .into_iter()
        .find(|form| form.label() == label);
    // What the bytes are counts for more than what the header says.
    let real = framed
        .bytes
        .as_deref()
        .and_then(form_of)
        .filter(|_| framed.headers.is_empty());
    framed.form = real.or(named)?;
    if framed.digits.len() < 40 && framed.bytes.as_deref().and_then(form_of).is_none() {
        return None;
    }
    let good = framed.form.label();
    let strict = framed.form == PrivateForm::OpenSsh;

    before(text, header.as_ref(), strict, steps);
    let relabelled = real.is_some_and(|real| named != Some(real));
    match &header {
        None => steps.push(Step::new(
            "no-header",
            "the header line is missing",
            place(text, 0),
            &format!("{{ echo '-----BEGIN {good}-----'; cat; }}"),
        )),
        Some(mark) if relabelled => steps.push(Step::new(
            "wrong-header",
            &format!("the header says {label}, and what follows is of the form {good}"),
            place(text, mark.start),
            &format!("sed 's/\\(-----[A-Z]* \\)[A-Z ]*PRIVATE KEY-----/\\1{good}-----/'"),
        )),
        Some(mark) if !mark.exact => steps.push(Step::new(
            "header",
            "the header line was altered",
            place(text, mark.start),
            &format!("sed 's/^.*BEGIN.*PRIVATE KEY.*$/-----BEGIN {good}-----/'"),
        )),
        Some(_) => {}
    }
    lines(text, body, from, to, &framed, steps);
    match &footer {
        None if framed.is_complete() => steps.push(Step::new(
            "no-footer",
            "the footer line is missing",
            place(text, text.trim_end().len()),
            &format!("{{ awk 1; echo '-----END {good}-----'; }}"),
        )),
        None => {}
        Some(mark) if mark.label != label && !relabelled => steps.push(Step::new(
            "footer",
            "the footer does not go with the header",
            place(text, mark.start),
            &format!("sed 's/^.*END .*PRIVATE KEY.*$/-----END {good}-----/'"),
        )),
        Some(mark) if !mark.exact => steps.push(Step::new(
            "footer",
            "the footer line was altered",
            place(text, mark.start),
            &format!("sed 's/^.*END .*PRIVATE.*$/-----END {good}-----/'"),
        )),
        Some(_) => {}
    }
    after(text, footer.as_ref(), steps);
    Some(framed)
}

/// Finds `-----BEGIN … PRIVATE KEY-----` or its like, also with other dashes,
/// too few of them, or in small letters.
fn find_mark(text: &str, word: &str, from: usize) -> Option<Mark> {
    let upper = text.to_ascii_uppercase();
    let mut search = from;
    loop {
        let at = search + upper.get(search..)?.find(word)?;
        search = at + word.len();
        let rest = upper.get(search..)?;
        // The label is short; a line break in it would be damage too.
        let window: String = rest.chars().take(40).collect();
        let Some(length) = window.find("PRIVATE KEY").map(|n| n + "PRIVATE KEY".len()) else {
            // A footer cut off in the middle still is one.
            let cut = word == "END" && text.get(..at)?.ends_with("-----") && rest.len() < 30;
            if cut {
                return Some(Mark {
                    start: at - 5,
                    end: text.len(),
                    label: String::new(),
                    exact: false,
                });
            }
            continue;
        };
        let words = window.get(..length)?;
        let label = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let before = text.get(..at)?;
        let start = before.trim_end_matches(' ').trim_end_matches(DASHES).len();
        let label_end = search + length;
        let tail = text.get(label_end..)?;
        // The dashes may stand apart from the words.
        let spaced = tail.trim_start_matches(' ');
        let end = match spaced.starts_with(DASHES) {
            true => text.len() - spaced.trim_start_matches(DASHES).len(),
            false => label_end,
        };
        let exact = text.get(start..end)? == format!("-----{word} {label}-----");
        return Some(Mark {
            start,
            end,
            label,
            exact,
        });
    }
}

/// What stands before the header.
fn before(text: &str, header: Option<&Mark>, strict: bool, steps: &mut Vec<Step>) {
    let Some(mark) = header else { return };
    let prefix = text.get(..mark.start).unwrap_or_default();
    let line_start = prefix.rfind('\n').map_or(0, |at| at + 1);
    let (lines, same) = prefix.split_at(line_start);
    let quotes: String = same.chars().filter(|c| QUOTES.contains(c)).collect();
    if strict && !lines.is_empty() {
        let (name, what) = match lines.trim().is_empty() {
            true => (
                "leading-blank-lines",
                "there are empty lines before the header",
            ),
            false => ("leading-text", "there is other text before the header"),
        };
        steps.push(Step::new(
            name,
            what,
            place(text, 0),
            "sed -n '/-----BEGIN/,$p'",
        ));
    }
    if same.is_empty() {
        return;
    }
    let rest = same.trim().trim_matches(QUOTES).trim();
    if !quotes.is_empty() {
        steps.push(Step::new(
            "quotes",
            "there are quotes around it",
            place(text, line_start + same.find(QUOTES).unwrap_or(0)),
            &quotes_filter(&quotes),
        ));
    }
    let cut = "sed 's/^.*-----BEGIN/-----BEGIN/'";
    if !rest.is_empty() {
        let what = match rest.ends_with(['=', ':']) {
            true => "the name of a variable stands before the header",
            false => "there is other text before the header, on its line",
        };
        steps.push(Step::new(
            "leading-text",
            what,
            place(text, line_start),
            cut,
        ));
    } else if quotes.is_empty() {
        let step = indentation(text, line_start);
        steps.push(step);
    }
}

fn indentation(text: &str, at: usize) -> Step {
    Step::new(
        "indentation",
        "lines are indented",
        place(text, at),
        "sed 's/^[[:space:]]*//'",
    )
}

fn quotes_filter(quotes: &str) -> String {
    let ascii: String = ['"', '\'', '`']
        .into_iter()
        .filter(|q| quotes.contains(*q))
        .collect();
    match ascii.as_str() {
        "" => "perl -CSD -pe 's/[\\x{2018}\\x{2019}\\x{201c}\\x{201d}]//g'".to_owned(),
        only if !only.contains('\'') => format!("tr -d '{only}'"),
        _ => "tr -d \"\\\"'\\`\"".to_owned(),
    }
}

/// What is wrong with the lines between header and footer.
fn lines(text: &str, body: &str, from: usize, to: usize, framed: &Framed, steps: &mut Vec<Step>) {
    let told = |steps: &[Step], name: &str| steps.iter().any(|step| step.name == name);
    let with_header = from > 0;
    let glued = with_header && !body.starts_with('\n') && !body.trim().is_empty();
    let tail_glued =
        framed.footer && to < text.len() && !body.trim_end_matches(' ').ends_with('\n');
    let trailing = glued && body.trim_start_matches([' ', '\t']).starts_with('\n');
    let inner = body.trim();
    let legacy = !framed.headers.is_empty();

    if (glued && !trailing) || (tail_glued && with_header && !told(steps, "eaten-backslashes")) {
        let spaced = inner.contains([' ', '\t']);
        let (name, what) = match spaced {
            true => ("spaces", "line breaks have become spaces"),
            false => ("one-line", "line breaks are gone"),
        };
        steps.push(Step::new(name, what, place(text, from), &unglue(legacy)));
        return;
    }
    if trailing {
        steps.push(Step::new(
            "trailing-space",
            "there is white space behind the header",
            place(text, from),
            "sed 's/[[:space:]]*$//'",
        ));
    }
    let all: Vec<&str> = inner.lines().collect();
    let longest = all.iter().map(|line| line.trim().len()).max().unwrap_or(0);
    let first_long = all.iter().find(|line| line.trim().len() == longest);
    if longest > 128 && first_long.is_some_and(|line| line.trim().contains(' ')) && !legacy {
        let what = "line breaks have become spaces";
        steps.push(Step::new(
            "spaces",
            what,
            place(text, from + 1),
            &unglue(legacy),
        ));
    } else if longest > 128 && all.len() <= 2 {
        let what = "the body is on one line";
        steps.push(Step::new(
            "one-line",
            what,
            place(text, from + 1),
            "fold -w 64",
        ));
    }
    let mut at = from;
    for line in body.split_inclusive('\n') {
        let bare = line.trim_end_matches('\n');
        if bare.starts_with([' ', '\t']) && !bare.trim().is_empty() && !told(steps, "indentation") {
            // White space behind the header is not in front of anything.
            if at > from || !with_header {
                let step = indentation(text, at);
                steps.push(step);
            }
        }
        at += line.len();
    }
    let last_indent = text
        .get(from..to)
        .and_then(|b| b.rfind('\n'))
        .is_some_and(|nl| {
            let indent = text.get(from + nl + 1..to).unwrap_or_default();
            !indent.is_empty() && indent.trim().is_empty()
        });
    if last_indent && framed.footer && !told(steps, "indentation") {
        let step = indentation(text, to);
        steps.push(step);
    }
    let mut at = from;
    for (n, line) in body.split_inclusive('\n').enumerate() {
        // Behind the headers of a traditional key an empty line belongs.
        if n > 0 && line.trim().is_empty() && line.ends_with('\n') && !legacy {
            let what = "there are empty lines inside";
            steps.push(Step::new("blank-lines", what, place(text, at), "awk NF"));
            break;
        }
        at += line.len();
    }
    if legacy
        && !body
            .lines()
            .any(|line| line.trim().is_empty() && !body.starts_with(line))
    {
        let blank = body.trim_start().lines().any(|line| line.trim().is_empty());
        if !blank {
            steps.push(Step::new(
                "no-blank-line",
                "the empty line behind DEK-Info is missing",
                place(text, text.find("DEK-Info").unwrap_or(from)),
                "awk '{print} /^DEK-Info/{print \"\"}'",
            ));
        }
    }
    if let Some((sign, prefix)) = quoted_mail(body) {
        steps.push(Step::new(
            "quoted-lines",
            &format!("lines begin with {sign}, as in a quoted mail"),
            place(text, from + 1),
            &prefix,
        ));
    }
}

/// Lines of the body that all begin with the same sign of quotation.
fn quoted_mail(body: &str) -> Option<(char, String)> {
    let mut lines = body.trim().lines().peekable();
    lines.peek()?;
    let sign = body
        .trim()
        .chars()
        .next()
        .filter(|c| matches!(c, '>' | '|'))?;
    lines
        .all(|line| line.trim_start().starts_with(sign))
        .then(|| (sign, format!("sed 's/^[[:space:]]*[{sign}][[:space:]]*//'")))
}

/// Puts header, body and footer on lines of their own, and the pieces of the
/// body too.
fn unglue(legacy: bool) -> String {
    let split =
        "awk '{gsub(/-----BEGIN [A-Z ]+-----/,\"&\\n\"); gsub(/-----END/,\"\\n&\"); print}'";
    match legacy {
        false => format!("{split} | awk '!/^-----/{{gsub(/[ \\t]+/,\"\\n\")}} NF' | awk NF"),
        true => {
            let parts = "perl -pe 's/\\s*(Proc-Type: \\S+)\\s*/\\n$1\\n/; s/\\s*(DEK-Info: DES\\S*?,[0-9A-F]{16}|DEK-Info: \\S+?,[0-9A-F]{32})\\s*/\\n$1\\n\\n/'";
            let body = "awk '/^(-----|Proc|DEK)/{sub(/ +$/,\"\"); print; if (/^DEK/) print \"\"; next} {gsub(/[ \\t]+/,\"\\n\")} NF'";
            let drop = "awk '/^DEK/{print $0 \"\\n\"; next} NF'";
            format!("{split} | {parts} | {body} | {drop}")
        }
    }
}

/// What stands behind the footer.
fn after(text: &str, footer: Option<&Mark>, steps: &mut Vec<Step>) {
    let Some(mark) = footer else { return };
    let rest = text.get(mark.end..).unwrap_or_default();
    let (same, later) = match rest.split_once('\n') {
        Some((same, later)) => (same, Some(later)),
        None => (rest, None),
    };
    let told = |steps: &[Step], name: &str| steps.iter().any(|step| step.name == name);
    if !same.trim().is_empty() {
        let quotes: String = same.chars().filter(|c| QUOTES.contains(c)).collect();
        let only = same
            .trim()
            .trim_matches(QUOTES)
            .trim_matches([',', ';', ' ', '}', ')'])
            .is_empty();
        if !quotes.is_empty() && !told(steps, "quotes") {
            steps.push(Step::new(
                "quotes",
                "there are quotes around it",
                place(text, mark.end),
                &quotes_filter(&quotes),
            ));
        }
        if !only || quotes.is_empty() || same.trim().len() > quotes.len() {
            steps.push(Step::new(
                "trailing-text",
                "there is other text behind the footer, on its line",
                place(text, mark.end),
                "sed 's/\\(-----END [A-Z ]*-----\\).*/\\1/'",
            ));
        }
    } else if !same.is_empty() && later.is_some() {
        steps.push(Step::new(
            "trailing-space",
            "there is white space behind the footer",
            place(text, mark.end),
            "sed 's/[[:space:]]*$//'",
        ));
    }
    match later {
        None => {
            // A step before may have removed what stood there.
            steps.push(Step::new(
                "no-final-newline",
                "the line break behind the footer is missing",
                place(text, text.len()),
                "awk 1",
            ));
        }
        Some(later) => {
            let junk = later
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with('#'));
            if junk.is_some_and(is_junk) {
                let quoted = later.trim().trim_matches(QUOTES).is_empty();
                let step = match quoted {
                    true if told(steps, "quotes") => return,
                    true => Step::new(
                        "quotes",
                        "there are quotes around it",
                        place(text, mark.end + 1),
                        &quotes_filter(later),
                    ),
                    false => Step::new(
                        "trailing-text",
                        "there is other text behind the footer",
                        place(text, mark.end + 1),
                        "sed '/-----END/q'",
                    ),
                };
                steps.push(step);
            }
        }
    }
}

/// Whether a line behind the footer has no business there: another PEM block
/// or the public half has.
fn is_junk(line: &str) -> bool {
    !line.starts_with("-----BEGIN")
        && !line.starts_with("ssh-")
        && !line.starts_with("ecdsa-")
        && !line.starts_with("Bag Attributes")
}

/// Base64 without any frame, of bytes that are a private key.
fn bare(text: &str, steps: &mut Vec<Step>) -> Option<Framed> {
    let framed = Framed::of_body(text.trim().trim_matches(QUOTES), &place(text, 0));
    let form = form_of(framed.bytes.as_deref()?)?;
    let framed = Framed { form, ..framed };
    // Short sequences of ASN.1 are found in many things.
    if framed.stray.is_some() || framed.bytes.as_ref()?.len() < 64 {
        return None;
    }
    let good = form.label();
    steps.push(Step::new(
        "no-header",
        "the header and footer lines are missing",
        place(text, 0),
        &format!("{{ echo '-----BEGIN {good}-----'; awk 1; echo '-----END {good}-----'; }}"),
    ));
    let longest = text
        .lines()
        .map(|line| line.trim().len())
        .max()
        .unwrap_or(0);
    if longest > 128 && form != PrivateForm::OpenSsh {
        steps.push(Step::new(
            "one-line",
            "the body is on one line",
            place(text, 0),
            "fold -w 64",
        ));
    }
    if text.trim() != text.trim().trim_matches(QUOTES) {
        steps.insert(
            steps.len() - 1,
            Step::new(
                "quotes",
                "there are quotes around it",
                place(text, 0),
                &quotes_filter(text),
            ),
        );
    }
    Some(framed)
}

impl Framed {
    /// Takes a body apart.
    fn of_body(body: &str, body_place: &str) -> Self {
        let (headers, rest) = legacy_headers(body);
        let quoted = quoted_mail(rest).map(|(sign, _)| sign);
        let mut stray = None;
        let mut digits = String::with_capacity(rest.len());
        for (at, c) in rest.char_indices() {
            match c {
                c if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') => digits.push(c),
                c if c.is_whitespace() || QUOTES.contains(&c) || Some(c) == quoted => {}
                // A comma behind a quoted line is that of a list of strings.
                ',' if body.contains(['"', '\'']) => {}
                c => {
                    stray.get_or_insert_with(|| (c, place(rest, at)));
                }
            }
        }
        // Padding that was cut off is known from the length.
        let missing = (4 - digits.trim_end_matches('=').len() % 4) % 4;
        let padded = match missing {
            0..=2 => format!("{}{}", digits.trim_end_matches('='), "=".repeat(missing)),
            _ => digits.clone(),
        };
        let whole = digits.len() / 4 * 4;
        let bytes = container::base64(padded.as_bytes())
            .or_else(|| container::base64(digits.get(..whole)?.as_bytes()));
        Self {
            form: PrivateForm::Pkcs8,
            headers,
            digits: padded,
            bytes,
            body_place: body_place.to_owned(),
            stray,
            footer: false,
        }
    }

    /// The text as it should be.
    pub fn rebuild(&self) -> String {
        let width = match self.form {
            PrivateForm::OpenSsh => 70,
            _ => 64,
        };
        let label = self.form.label();
        let mut out = format!("-----BEGIN {label}-----\n");
        for header in &self.headers {
            out.push_str(header);
            out.push('\n');
        }
        if !self.headers.is_empty() {
            out.push('\n');
        }
        for line in self.digits.as_bytes().chunks(width) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out.push_str(&format!("-----END {label}-----\n"));
        out
    }

    /// How many bytes the structure claims, and how many there are.
    fn lengths(&self) -> Option<(usize, usize)> {
        let bytes = self.bytes.as_deref()?;
        if self.form == PrivateForm::OpenSsh {
            return container::Container::lengths(bytes).map(|claimed| (claimed, bytes.len()));
        }
        if !self.headers.is_empty() {
            return None;
        }
        let (length, header) = der_length(bytes, 0x30)?;
        Some((length + header, bytes.len()))
    }

    /// Whether all bytes are there, so that only the footer is missing.
    fn is_complete(&self) -> bool {
        match self.lengths() {
            Some((claimed, have)) => have >= claimed,
            None => !self.headers.is_empty() && self.is_whole_pem(),
        }
    }

    /// Whether an encrypted PEM key can be whole: its DER is complete, or its
    /// cipher's blocks are.
    pub fn is_whole_pem(&self) -> bool {
        match (&self.bytes, self.lengths()) {
            (Some(_), Some((claimed, have))) => claimed == have,
            (Some(bytes), None) => {
                let block = if self.headers.iter().any(|h| h.contains("DES")) {
                    8
                } else {
                    16
                };
                !bytes.is_empty() && bytes.len().is_multiple_of(block)
            }
            (None, _) => false,
        }
    }

    /// What cannot be repaired.
    pub fn loss(&self) -> Step {
        if let Some((c, at)) = &self.stray {
            let what = format!(
                "there is a character that does not belong there ({})",
                shown(*c)
            );
            return Step::lost("foreign-character", what, format!("in the body, {at}"));
        }
        match self.lengths() {
            Some((claimed, have)) if have < claimed => Step::lost(
                "truncated",
                format!("it is cut off: {have} of {claimed} bytes are there"),
                self.body_place.clone(),
            ),
            _ if !self.footer => Step::lost(
                "truncated",
                "it is cut off: the end of the body and the footer are missing",
                self.body_place.clone(),
            ),
            _ => Step::lost(
                "altered",
                "characters of the body were changed, lost or added",
                self.body_place.clone(),
            ),
        }
    }
}

/// A single foreign character, as it may be shown.
fn shown(c: char) -> String {
    match c.is_ascii_graphic() {
        true => format!("'{c}'"),
        false => format!("U+{:04X}", u32::from(c)),
    }
}

/// The two headers of an encrypted traditional PEM key, wherever the line
/// breaks around them went, and what follows them.
fn legacy_headers(body: &str) -> (Vec<String>, &str) {
    let parsed = || {
        let (_, rest) = body.split_once("Proc-Type:")?;
        let (_, rest) = rest.split_once("DEK-Info:")?;
        let rest = rest.trim_start();
        let (name, rest) = rest.split_once(',')?;
        let digits = if name.contains("DES") { 16 } else { 32 };
        let rest = rest.trim_start();
        let iv = rest.get(..digits)?;
        let hex = iv.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then_some((name, iv, rest.get(digits..)?))
    };
    match parsed() {
        Some((name, iv, rest)) => (
            vec![
                "Proc-Type: 4,ENCRYPTED".to_owned(),
                format!("DEK-Info: {name},{iv}"),
            ],
            rest,
        ),
        None => (Vec::new(), body),
    }
}
