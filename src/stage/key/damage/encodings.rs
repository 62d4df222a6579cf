//! What was done to the whole text: encodings, escapes, line ends.

use super::super::openssh_v1;
use super::{DamageStep, place};

/// The most layers that are undone: base64 of base64 of escaped text.
const DEEPEST: usize = 12;

/// A layer that is there, with the text beneath it.
type Peeled = Option<(DamageStep, String)>;

/// Undoes layer after layer.
pub fn decode_layers(content: &[u8], steps: &mut Vec<DamageStep>) -> String {
    let mut text = match utf16(content) {
        Some((step, text)) => {
            steps.push(step);
            text
        }
        None => String::from_utf8_lossy(content).into_owned(),
    };
    let layers: [fn(&str) -> Peeled; 13] = [
        bom,
        data_url,
        base64,
        percent,
        html,
        blanks,
        strings,
        escapes,
        lost_backslashes,
        backslashes,
        carriage,
        spaces,
        mail,
    ];
    for _ in 0..DEEPEST {
        let Some((step, beneath)) = layers.iter().find_map(|layer| layer(&text)) else {
            break;
        };
        steps.push(step);
        text = beneath;
    }
    text
}

/// Whether there is a key's frame to speak of.
fn is_framed(text: &str) -> bool {
    text.contains("BEGIN") && text.contains("PRIVATE")
}

fn utf16(content: &[u8]) -> Option<(DamageStep, String)> {
    let head = content.get(..content.len().min(256)).unwrap_or_default();
    let zeros = |odd: usize| {
        head.iter()
            .enumerate()
            .filter(|(at, byte)| at % 2 == odd && **byte == 0)
            .count()
    };
    // Text of Latin letters has a zero in every other byte.
    let (little, marked) = match content {
        [0xff, 0xfe, ..] => (true, true),
        [0xfe, 0xff, ..] => (false, true),
        _ if head.len() > 32 && zeros(1) * 5 > head.len() * 2 => (true, false),
        _ if head.len() > 32 && zeros(0) * 5 > head.len() * 2 => (false, false),
        _ => return None,
    };
    let body = content
        .get(if marked { 2 } else { 0 }..)
        .unwrap_or_default();
    let text = crate::text::from_utf16(body, little);
    let what = "the text is UTF-16, as Windows PowerShell writes it, not ASCII";
    Some((DamageStep::new("utf-16", what, place("", 0)), text))
}

fn bom(text: &str) -> Peeled {
    let rest = text.strip_prefix('\u{feff}')?;
    let what = "a byte-order mark precedes the header";
    Some((
        DamageStep::new("bom", what, place(text, 0)),
        rest.to_owned(),
    ))
}

/// `data:…;base64,` before it, as browsers and some interfaces hand files over.
fn data_url(text: &str) -> Peeled {
    const MARK: &str = ";base64,";
    let body = text.trim_start().trim_start_matches(['"', '\'']);
    let at = body.find(MARK).filter(|at| *at < 200)?;
    if !body.starts_with("data:") || body.get(..at)?.contains(',') {
        return None;
    }
    let rest = body.get(at + MARK.len()..)?;
    let rest = rest.trim_end().trim_end_matches(['"', '\'']);
    let what = "it is a data: URL, as browsers encode files";
    let step = DamageStep::new("data-url", what, place(text, 0));
    Some((step, rest.to_owned()))
}

/// The whole file base64-encoded once more.
fn base64(text: &str) -> Peeled {
    if text.contains("-----") || text.len() < 64 {
        return None;
    }
    let quotes = ['"', '\'', '`'];
    let packed: String = text
        .trim()
        .trim_matches(quotes)
        .split_whitespace()
        .collect();
    let padded = format!("{packed}{}", "=".repeat((4 - packed.len() % 4) % 4));
    let inner = openssh_v1::base64(padded.as_bytes())?;
    // Its own text, or one more layer of the same.
    let inner = match inner.starts_with(&[0xff, 0xfe]) {
        true => utf16(&inner)?.1,
        false => String::from_utf8(inner).ok()?,
    };
    let again = inner.trim_start().starts_with("LS0tLS1C");
    if !is_framed(&inner) && !again {
        return None;
    }
    let what = "the whole file is base64-encoded again";
    Some((DamageStep::new("base64", what, place(text, 0)), inner))
}

/// `%0A` and `%20`, from a URL or a form.
fn percent(text: &str) -> Peeled {
    let upper = text.to_ascii_uppercase();
    let at = [
        "BEGIN%20",
        "-----%0A",
        "%2D%2D",
        "BEGIN+OPENSSH",
        "BEGIN+RSA",
        "BEGIN+PRIVATE",
        "BEGIN+EC",
    ]
    .iter()
    .find_map(|mark| upper.find(mark))?;
    // A plus is a space only in a form, where a real one is %2B.
    let form = upper.contains("BEGIN+");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = (ahead.next(), ahead.next());
        let escaped = match (byte, digits) {
            (b'%', (Some(high), Some(low))) => hex(high).zip(hex(low)).map(|(h, l)| h << 4 | l),
            _ => None,
        };
        match (byte, escaped) {
            (_, Some(value)) => {
                out.push(value);
                bytes = ahead;
            }
            (b'+', None) if form => out.push(b' '),
            _ => out.push(byte),
        }
    }
    let step = DamageStep::new(
        "url-encoded",
        "the text is URL-encoded (%0A for line breaks)",
        place(text, at),
    );
    Some((step, String::from_utf8_lossy(&out).into_owned()))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// What HTML and XML make of line breaks and signs.
fn html(text: &str) -> Peeled {
    const MARKS: [(&str, &str); 16] = [
        ("&#10;", "\n"),
        ("&#xA;", "\n"),
        ("&#xa;", "\n"),
        ("&#13;", ""),
        ("&#xD;", ""),
        ("<br>", "\n"),
        ("<br/>", "\n"),
        ("<br />", "\n"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#43;", "+"),
        ("&#x2B;", "+"),
        ("&#x2F;", "/"),
        ("&#61;", "="),
        ("&nbsp;", " "),
    ];
    if !is_framed(text) {
        return None;
    }
    let at = MARKS.iter().filter_map(|(mark, _)| text.find(mark)).min()?;
    let mut out = text.to_owned();
    for (mark, meant) in MARKS {
        out = out.replace(mark, meant);
    }
    Some((
        DamageStep::new(
            "html",
            "the text was escaped for HTML or XML",
            place(text, at),
        ),
        out,
    ))
}

/// The blanks of header and footer lost, or made into something else: by
/// `tr -d '[:space:]'`, for a file's name, or by another character set.
fn blanks(text: &str) -> Peeled {
    let mut out = String::with_capacity(text.len() + 8);
    let mut first = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = match mark(rest) {
            Some((sound, length)) => {
                if !rest.starts_with(&sound) {
                    first.get_or_insert(text.len() - rest.len());
                }
                out.push_str(&sound);
                length
            }
            None => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = rest.get(skip..)?;
    }
    let at = first?;
    for name in ["Proc-Type:", "DEK-Info:"] {
        if let Some((before, after)) = out.split_once(name) {
            out = format!("{before}{name} {}", after.trim_start_matches(is_blank));
        }
    }
    let what =
        "spaces in the header or the footer are missing, doubled or replaced with other characters";
    Some((DamageStep::new("blanks", what, place(text, at)), out))
}

/// What may stand where a blank belongs; a byte that is no UTF-8 is one of
/// another character set's.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '_' | '\u{fffd}')
}

/// The beginning of a text that is a header or footer without its outer
/// dashes: as it should be, and how long it is.
fn mark(text: &str) -> Option<(String, usize)> {
    const KINDS: [&str; 5] = ["OPENSSH", "RSA", "EC", "DSA", "ENCRYPTED"];
    let mut sound = String::from("-");
    let mut at = 1;
    text.strip_prefix('-')?;
    let mut word = |words: &[&str], at: &mut usize, blank: bool| -> Option<()> {
        let rest = text.get(*at..)?;
        let word = words.iter().find(|word| rest.starts_with(**word))?;
        sound.push_str(word);
        *at += word.len();
        if blank {
            let rest = text.get(*at..)?;
            sound.push(' ');
            *at += rest.len() - rest.trim_start_matches(is_blank).len();
        }
        Some(())
    };
    word(&["BEGIN", "END"], &mut at, true)?;
    let _ = word(&KINDS, &mut at, true);
    word(&["PRIVATE"], &mut at, true)?;
    word(&["KEY-"], &mut at, false)?;
    Some((sound, at))
}

/// A list of quoted strings, one a line, from a program's source.
fn strings(text: &str) -> Peeled {
    let quotes = ['"', '\''];
    let ends = ['+', ',', ';', '.', ')', ']', '\\', ' '];
    let inside = |line: &str| -> Option<String> {
        let line = line.trim_start().strip_prefix(quotes)?;
        let line = line
            .trim_end()
            .trim_end_matches(ends)
            .strip_suffix(quotes)?;
        Some(line.to_owned())
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.len() < 4 || !is_framed(text) {
        return None;
    }
    let out: Vec<String> = lines
        .iter()
        .map(|line| inside(line))
        .collect::<Option<_>>()?;
    let what = "every line is in quotes, as in source code";
    Some((
        DamageStep::new("quotes", what, place(text, 0)),
        out.join("\n") + "\n",
    ))
}

/// Lines that begin with a sign of quotation, as mail programs put it.
fn mail(text: &str) -> Peeled {
    let is_mark = |line: &str| line.starts_with("-----");
    let body: Vec<&str> = text
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !is_mark(line))
        .collect();
    let sign = body
        .get(1)?
        .chars()
        .next()
        .filter(|c| matches!(c, '>' | '|'))?;
    if !is_framed(text) || !body.iter().all(|line| line.starts_with(sign)) {
        return None;
    }
    let out: Vec<&str> = text
        .lines()
        .map(|line| match line.trim_start().strip_prefix(sign) {
            Some(rest) => rest.trim_start(),
            None => line,
        })
        .collect();
    let what = format!("lines begin with {sign}, as in a quoted email");
    let at = text.find(sign)?;
    Some((
        DamageStep::new("quoted-lines", &what, place(text, at)),
        out.join("\n") + "\n",
    ))
}

/// Literal `\n`, with one or several backslashes.
fn escapes(text: &str) -> Peeled {
    if !is_framed(text) {
        return None;
    }
    let at = text.find("\\n").or_else(|| text.find("\\r"))?;
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        while chars.next_if_eq(&'\\').is_some() {}
        match chars.peek() {
            Some('n') => {
                chars.next();
                out.push('\n');
            }
            Some('r') => {
                chars.next();
            }
            // JSON may escape a slash, and does escape quotes.
            Some('/' | '"' | '\'') => {}
            _ => out.push('\\'),
        }
    }
    let what = "line breaks are written as a backslash and an n";
    Some((
        DamageStep::new("escaped-newlines", what, place(text, at)),
        out,
    ))
}

/// `\n` whose backslash was eaten on the way: `-----nb3Bl…n…n-----END`.
fn lost_backslashes(text: &str) -> Peeled {
    let header = text.find(" KEY-----n")?;
    let body_at = header + " KEY-----n".len();
    let end = text.find("n-----END")?;
    let body = text.get(body_at..end)?;
    let width = [70, 64, 76].into_iter().find(|width| {
        let mut lines = body.as_bytes().chunks(width + 1).peekable();
        let mut whole = lines.peek().is_some();
        while let Some(line) = lines.next() {
            let last = lines.peek().is_none();
            whole &= last || line.last() == Some(&b'n');
        }
        whole && body.len() > *width
    })?;
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(width + 1)
        .filter_map(|line| std::str::from_utf8(line.get(..width).unwrap_or(line)).ok())
        .collect();
    let after = text.get(end + 1..)?;
    let after = match after.strip_suffix("-----n") {
        Some(rest) => format!("{rest}-----\n"),
        None => after.to_owned(),
    };
    let out = format!(
        "{}\n{}\n{after}",
        text.get(..body_at - 1)?,
        lines.join("\n")
    );
    let what = "line breaks were replaced with the letter n: a backslash was lost";
    Some((
        DamageStep::new("eaten-backslashes", what, place(text, body_at - 1)),
        out,
    ))
}

/// A backslash before each line break, from a shell or a Makefile.
fn backslashes(text: &str) -> Peeled {
    let at = text.find("\\\n").filter(|_| is_framed(text))?;
    let what = "lines end in a backslash";
    let out: Vec<&str> = text
        .lines()
        .map(|line| line.trim_end_matches('\\'))
        .collect();
    Some((
        DamageStep::new("backslashes", what, place(text, at)),
        out.join("\n") + "\n",
    ))
}

fn carriage(text: &str) -> Peeled {
    let at = text.find('\r')?;
    let step = match text.contains('\n') {
        true => DamageStep::new("crlf", "lines end in CR LF, as on Windows", place(text, at)),
        false => DamageStep::new(
            "cr",
            "lines end in CR alone, as on old Macs",
            place(text, at),
        ),
    };
    let meant = if text.contains('\n') { "" } else { "\n" };
    Some((step, text.replace('\r', meant)))
}

/// Spaces that look like spaces, and characters that look like nothing.
fn spaces(text: &str) -> Peeled {
    let odd = |c: char| {
        matches!(
            c,
            '\u{a0}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2060}' | '\u{feff}' | '\0'
        )
    };
    let at = text
        .find(odd)
        .filter(|_| is_framed(text) || text.contains("BEGIN"))
        // Behind the footer there is other text, whatever it is.
        .filter(|at| text.find("-----END").is_none_or(|end| *at < end))?;
    let out: String = text
        .chars()
        .filter_map(|c| match c {
            '\u{a0}' => Some(' '),
            '\u{2028}' => Some('\n'),
            c if odd(c) => None,
            c => Some(c),
        })
        .collect();
    let what = "it contains invisible characters, as word processors and web pages insert them";
    Some((
        DamageStep::new("invisible-characters", what, place(text, at)),
        out,
    ))
}
