//! What stands between header and footer, and the whole key rebuilt from it.

use super::super::format::PrivateForm;
use super::super::openssh_v1;
use super::armor::QUOTES;
use super::{DamageStep, der_length, place};

/// No key has more bytes: one of 16384 bits has 12,000.
const LARGEST: usize = 1 << 16;

/// A key's text taken apart.
pub struct Armored {
    pub form: PrivateForm,
    /// `Proc-Type` and `DEK-Info` of a traditional PEM key.
    pub headers: Vec<String>,
    /// The base64 digits.
    pub digits: String,
    /// What they stand for, where they are base64.
    pub bytes: Option<Vec<u8>>,
    /// Where the body begins, for what is lost in it.
    pub body_place: String,
    /// The first character that does not belong there.
    pub stray: Option<(char, String)>,
    /// Whether there is a footer.
    pub footer: bool,
    /// Whether equals signs are missing at the end.
    pub padding_missing: bool,
}

impl Armored {
    /// Takes a body apart.
    pub fn of_body(body: &str, body_place: &str) -> Self {
        let (headers, rest) = legacy_headers(body);
        let mut stray = None;
        let mut digits = String::with_capacity(rest.len());
        for (at, c) in rest.char_indices() {
            match c {
                c if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') => digits.push(c),
                c if c.is_whitespace() || QUOTES.contains(&c) => {}
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
        let bytes = openssh_v1::base64(padded.as_bytes())
            .or_else(|| openssh_v1::base64(digits.get(..whole)?.as_bytes()));
        Self {
            form: PrivateForm::Pkcs8,
            headers,
            padding_missing: padded.len() > digits.len(),
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
            return openssh_v1::Container::lengths(bytes).map(|claimed| (claimed, bytes.len()));
        }
        if !self.headers.is_empty() {
            return None;
        }
        let (length, header) = der_length(bytes, 0x30)?;
        Some((length + header, bytes.len()))
    }

    /// Whether all bytes are there, so that only the footer is missing.
    pub fn is_complete(&self) -> bool {
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
    pub fn loss(&self) -> DamageStep {
        if let Some((c, at)) = &self.stray {
            let what = format!("it contains an invalid character ({})", shown(*c));
            return DamageStep::new("foreign-character", what, format!("in the body, {at}"));
        }
        match self.lengths() {
            // A character more or less shifts all that follows, lengths too.
            // What no key has is no length, nor is one of which the greater
            // part is missing before a footer.
            Some((claimed, have))
                if have < claimed && claimed <= LARGEST && !(self.footer && claimed / 2 > have) =>
            {
                DamageStep::new(
                    "truncated",
                    format!("it is truncated: {have} of {claimed} bytes are present"),
                    self.body_place.clone(),
                )
            }
            _ if !self.footer => DamageStep::new(
                "truncated",
                "it is truncated: the end of the body and the footer are missing",
                self.body_place.clone(),
            ),
            _ => DamageStep::new(
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
pub fn legacy_headers(body: &str) -> (Vec<String>, &str) {
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
