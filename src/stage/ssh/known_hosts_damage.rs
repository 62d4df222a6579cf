//! Lines of known_hosts that are for the host, or would be if they were intact,
//! and that OpenSSH skips: what is wrong with them, and what mends it.

use std::borrow::Cow;

use openssl::base64;
use russh::keys::PublicKey;

use super::known_hosts::{applies, fingerprint, line, names, public_key};

/// A wrapped line has no more pieces than this.
const MOST_PIECES: usize = 64;

/// No key is shorter in base64: that of Ed25519.
const SHORTEST: usize = 68;

/// A host's name has the beginning of no more types of keys in it.
const MOST_TYPES: usize = 4;

/// The host that is looked for, and the key that it shows.
pub struct Wanted<'a> {
    /// How known_hosts calls it.
    pub name: &'a str,
    /// Its bare name and its port, unless it is called by an alias.
    pub bare: Option<(&'a str, u16)>,
    /// The key.
    pub key: &'a PublicKey,
}

/// What is wrong, as a clause.
pub type What = Cow<'static, str>;

/// What is wrong with a file, and how it is mended.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// The line, from 1; the whole file otherwise.
    pub number: Option<usize>,
    /// What it is.
    pub what: What,
    /// Whether the damaged line has the very key that the host shows.
    pub same_key: bool,
    /// What mends it.
    pub mend: Mend,
}

/// What mends a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// Out of UTF-16, as iconv calls it.
    Decode(&'static str),
    /// Without the three bytes of the byte order mark.
    DropMark,
    /// A new line at each `\n` that is written out.
    Unescape,
    /// A new line before this text.
    Split(String),
    /// Without these lines.
    Drop(usize, usize),
}

/// The first damage of a file that concerns the host.
pub fn find(content: &[u8], wanted: &Wanted<'_>) -> Option<Damage> {
    let whole = |what: &'static str, mend| Damage {
        number: None,
        what: what.into(),
        same_key: false,
        mend,
    };
    match content {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Some(whole("it is in UTF-16", Mend::Decode("UTF-16")));
        }
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => {
            return Some(whole("it is in UTF-16", Mend::Decode("UTF-16LE")));
        }
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => {
            return Some(whole("it is in UTF-16", Mend::Decode("UTF-16BE")));
        }
        _ => {}
    }
    let text: Vec<Cow<'_, str>> = content.split(|byte| *byte == b'\n').map(line).collect();
    if let Some(first) = text[0].strip_prefix('\u{feff}')
        && (wanted.is_read(first) || wanted.damage(&Lines::of(&[first.into()]), 0).is_some())
    {
        let damage = whole("it begins with a byte order mark", Mend::DropMark);
        return Some(Damage {
            number: Some(1),
            ..damage
        });
    }
    let lines = Lines::of(&text);
    (0..text.len()).find_map(|at| wanted.damage(&lines, at))
}

/// The lines of a file.
struct Lines<'a> {
    text: &'a [Cow<'a, str>],
    /// What each of them adds to an entry that an earlier one began, and whether it can: it
    /// is looked at from up to [`MOST_PIECES`] lines.
    pieces: Vec<(&'a str, bool)>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a [Cow<'a, str>]) -> Self {
        let pieces = text.iter().map(|line| {
            let piece = piece(line);
            let goes_on = words(piece).get(1..).is_some_and(|rest| !key_reads(rest));
            (piece, goes_on && !piece.starts_with('#'))
        });
        Self {
            text,
            pieces: pieces.collect(),
        }
    }
}

impl Wanted<'_> {
    /// Whether a line applies to the host and can be read.
    fn is_read(&self, line: &str) -> bool {
        let bare = self.bare.map(|(host, _)| host);
        let mut all = [Some(self.name), bare].into_iter().flatten();
        all.any(|name| applies(line, &name.to_lowercase()).is_some())
    }

    /// Whether a first field names the host as OpenSSH reads it.
    fn named(&self, field: &str) -> bool {
        let bare = self.bare.map(|(host, _)| host);
        let mut all = [Some(self.name), bare].into_iter().flatten();
        all.any(|name| names(field, &name.to_lowercase()))
    }

    /// Whether a first field means the host in a form that known_hosts does not
    /// have: `host:port`, `user@host`, `[host]:22`, `ssh://host`.
    fn meant(&self, field: &str) -> bool {
        let Some((host, port)) = self.bare else {
            return false;
        };
        let host = host.to_lowercase();
        field.to_lowercase().split(',').any(|name| {
            let name = name.strip_prefix("ssh://").unwrap_or(name);
            let name = name.rsplit('@').next().unwrap_or(name);
            let name: String = name.trim_end_matches('/').split(['[', ']']).collect();
            name == host || name == format!("{host}:{port}")
        })
    }

    fn damage(&self, lines: &Lines<'_>, at: usize) -> Option<Damage> {
        let text = lines.text[at].trim();
        if text.is_empty() || text.starts_with('#') || self.is_read(&lines.text[at]) {
            return None;
        }
        let damage = |what: What, same_key, mend| {
            Some(Damage {
                number: Some(at + 1),
                what,
                same_key,
                mend,
            })
        };
        let drop = Mend::Drop(at + 1, at + 1);
        if text.contains("\\n") && text.split("\\n").any(|part| self.begins(part.trim())) {
            let what = "it contains \\n as two characters instead of line ends";
            return damage(what.into(), false, Mend::Unescape);
        }
        let all = words(text);
        let marker = all.first().filter(|word| word.starts_with('@'));
        if marker == Some(&"@revoked") {
            return None;
        }
        let fields = &all[usize::from(marker.is_some())..];
        // OpenSSH takes it for a pattern of every host.
        if let [word] = fields
            && word.len() > 2
            && word.chars().all(|char| char == '*')
        {
            return damage(MASKED.into(), false, drop);
        }
        let Some((place, rest)) = self.entry(fields) else {
            if let Some((last, same)) = self.wrapped(lines, at) {
                return damage(wrapped(at, last), same, Mend::Drop(at + 1, last + 1));
            }
            let (what, same) = self.nameless(fields)?;
            return damage(what, same, drop);
        };
        if place > 0 && fields[..=place].iter().any(|word| word.contains("AAAA")) {
            let what = "it is on the same line as the entry before it";
            let begin = match self.named(fields[place]) {
                true => fields[place],
                false => self.name,
            };
            let begin = format!("{begin} {}", rest[0]);
            let same = self.has_key(rest);
            return damage(what.into(), same, Mend::Split(begin));
        }
        if !key_reads(rest) {
            if let Some((last, same)) = self.wrapped(lines, at) {
                return damage(wrapped(at, last), same, Mend::Drop(at + 1, last + 1));
            }
            return damage(self.unread(rest), false, drop);
        }
        let what: What = match marker {
            _ if text.contains(QUOTES) => "it is in quotes".into(),
            Some(word) if *word != "@cert-authority" => {
                format!("{word} is not a marker that OpenSSH knows").into()
            }
            _ if place > 0 => "there is text before the name of the host".into(),
            _ if !self.named(fields[0]) => {
                format!("it calls the host {} instead of {}", fields[0], self.name).into()
            }
            _ => "it contains white space that OpenSSH does not know".into(),
        };
        damage(what, self.has_key(rest), drop)
    }

    /// Whether this is the beginning of an entry for the host.
    fn begins(&self, text: &str) -> bool {
        let words = words(text);
        self.entry(&words).is_some_and(|(place, _)| place == 0)
    }

    /// Where the host is named in a line, and what follows. Behind the first
    /// word only a key's type tells a host from a comment.
    fn entry<'w>(&self, fields: &'w [&'w str]) -> Option<(usize, &'w [&'w str])> {
        let place = fields.iter().enumerate().position(|(place, word)| {
            let typed = fields.get(place + 1).is_some_and(|next| is_type(next));
            let ours = || self.named(word) || self.meant(word);
            match typed {
                true => ours() || word.ends_with(self.name),
                false => place == 0 && ours(),
            }
        })?;
        Some((place, &fields[place + 1..]))
    }

    /// The last line of those that a line was wrapped over, and whether they
    /// have the host's key.
    fn wrapped(&self, lines: &Lines<'_>, at: usize) -> Option<(usize, bool)> {
        let mut joined = lines.pieces[at].0.to_owned();
        let rest = lines.pieces.iter().enumerate().skip(at + 1);
        for (last, (piece, goes_on)) in rest.take(MOST_PIECES) {
            if !goes_on {
                return None;
            }
            joined.push_str(piece);
            if joined.len() >= SHORTEST
                && let Some(same) = self.joined(&joined)
            {
                return Some((last, same));
            }
        }
        None
    }

    /// Whether an entry for the host whose pieces were joined, with the blanks between them
    /// lost, has the key that it shows; none where it is no such entry.
    fn joined(&self, text: &str) -> Option<bool> {
        // Every key begins with the length of its type, which has zeros before it.
        text.find("AAAA")?;
        let rest = match text.strip_prefix("@cert-authority") {
            Some(rest) => rest,
            None if text.starts_with('@') => text.split_once(is_blank)?.1,
            None => text,
        };
        let first = rest.find("AAAA")?;
        let starts = rest.char_indices().map(|(at, _)| at);
        starts
            .take_while(|at| *at < first)
            .filter(|at| is_type(&rest[*at..]))
            .take(MOST_TYPES)
            .find_map(|at| {
                let (host, typed) = rest.split_at(at);
                let key = typed.find("AAAA")?;
                let (key_type, key) = typed.split_at(key);
                let host = host.trim_matches(is_blank);
                let fields = [
                    key_type.trim_matches(is_blank),
                    key.split(is_blank).next().unwrap_or_default(),
                ];
                let ours = self.named(host) || self.meant(host) || host.ends_with(self.name);
                let reads = ours && !host.contains(is_blank) && key_reads(&fields);
                reads.then(|| self.has_key(&fields))
            })
    }

    /// What is wrong with a line that names no host, if it is this one's.
    fn nameless(&self, fields: &[&str]) -> Option<(What, bool)> {
        let key = encoded(self.key);
        if fields
            .iter()
            .any(|word| word.contains(&fingerprint(self.key)))
        {
            return Some((
                "it has the key's fingerprint instead of the key".into(),
                false,
            ));
        }
        let at = fields.iter().take(2).position(|word| *word == key)?;
        let what = match at {
            0 => "it has the key alone, without the name of the host and the type of the key",
            _ if is_type(fields[0]) => "it does not begin with the name of the host",
            _ => return None,
        };
        Some((what.into(), true))
    }

    fn has_key(&self, rest: &[&str]) -> bool {
        matches!(rest, [_, key, ..] if *key == encoded(self.key))
    }

    /// Why the key of a line cannot be read.
    fn unread(&self, rest: &[&str]) -> What {
        if rest.iter().any(|word| word.contains("***")) {
            return MASKED.into();
        }
        if rest
            .iter()
            .any(|word| word.starts_with("SHA256:") || word.starts_with("MD5:"))
        {
            return "it has a fingerprint instead of the key".into();
        }
        let shown = encoded(self.key);
        match rest {
            [] => "it ends after the name of the host".into(),
            [key, ..] if key.starts_with("AAAA") => "the type of the key is missing".into(),
            [key_type, ..] if !is_type(key_type) => {
                format!("{key_type} is not a type of key").into()
            }
            [_] => "the key is missing".into(),
            [key_type, key, ..] => match inner_type(key) {
                _ if shown.len() > key.len() && shown.starts_with(key) => CUT.into(),
                Some(inner) if inner != *key_type && public_key(&inner, key).is_some() => {
                    format!("it says {key_type}, and the key is of the type {inner}").into()
                }
                _ if !key.chars().all(is_base64) => {
                    "the key contains characters that are not base64".into()
                }
                _ if is_cut(key) => CUT.into(),
                _ => "the base64 of the key is damaged".into(),
            },
        }
    }
}

const CUT: &str = "the end of the key is missing";
const MASKED: &str = "the key is masked with ***";
const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

fn wrapped(at: usize, last: usize) -> What {
    format!("it is wrapped over the lines {} to {}", at + 1, last + 1).into()
}

/// A piece of a wrapped line.
fn piece(line: &str) -> &str {
    line.trim_matches(|char: char| is_blank(char) || char == '\\')
}

/// The words of a line, whatever stands between them.
fn words(text: &str) -> Vec<&str> {
    text.split(is_blank)
        .filter(|word| !word.is_empty())
        .collect()
}

fn is_blank(char: char) -> bool {
    let invisible = ['\u{200b}', '\u{feff}', '\u{fffd}'];
    char.is_whitespace() || char.is_control() || QUOTES.contains(&char) || invisible.contains(&char)
}

fn is_type(word: &str) -> bool {
    let families = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "rsa-sha2-"];
    families.iter().any(|family| word.starts_with(family))
}

fn key_reads(rest: &[&str]) -> bool {
    matches!(rest, [key_type, key, ..] if public_key(key_type, key).is_some())
}

/// A key as known_hosts has it, without its type.
fn encoded(key: &PublicKey) -> String {
    key.to_bytes()
        .map(|bytes| base64::encode_block(&bytes))
        .unwrap_or_default()
}

fn is_base64(char: char) -> bool {
    char.is_ascii_alphanumeric() || ['+', '/', '='].contains(&char)
}

/// What the whole groups of a key's base64 stand for.
fn decoded(key: &str) -> Option<Vec<u8>> {
    let whole = key.get(..key.len() / 4 * 4)?;
    base64::decode_block(whole).ok()
}

/// The type that a key has within.
fn inner_type(key: &str) -> Option<String> {
    let bytes = decoded(key)?;
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    String::from_utf8(rest.get(..length)?.to_vec()).ok()
}

/// Whether a key ends before its last part does (RFC 4253, section 6.6).
fn is_cut(key: &str) -> bool {
    let Some(bytes) = decoded(key) else {
        return false;
    };
    let mut rest = bytes.as_slice();
    let mut parts = 0;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok();
        match length.and_then(|length| after.get(length..)) {
            Some(after) => rest = after,
            None => return true,
        }
        parts += 1;
    }
    // Every key has a part behind its type.
    !rest.is_empty() || parts < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "[ssh-gw.example]:2222";
    const TYPE: &str = "ssh-ed25519";
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJKWiRBB2V0TAgWv0hWqDmBnGQRrkG0XCSbHY+8BY7rs";

    fn damage(content: &str) -> Option<Damage> {
        let key = public_key(TYPE, KEY).unwrap();
        let wanted = Wanted {
            name: NAME,
            bare: Some(("ssh-gw.example", 2222)),
            key: &key,
        };
        find(content.as_bytes(), &wanted)
    }

    #[test]
    fn an_entry_that_was_wrapped_anywhere_is_put_together() {
        let (begin, end) = KEY.split_at(30);
        for (lines, wrapped) in [
            (3, format!("{NAME}\n{TYPE}\n{KEY}\n")),
            (3, format!("{NAME} \\\n  {TYPE} \\\n  {KEY} me\n")),
            (2, format!("{NAME} {TYPE} {begin}\n{end} me@there\n")),
            (2, format!("{NAME} {TYPE}\n{KEY}\n")),
            (2, format!("@cert-authority {NAME} {TYPE} {begin}\n{end}\n")),
            (
                3,
                format!("[ssh-gw.exa\nmple]:2222 {TYPE} {begin}\n{end}\n"),
            ),
            (2, format!("ssh-gw.example:2222\n{TYPE} {KEY}\n")),
        ] {
            let found = damage(&wrapped).unwrap_or_else(|| panic!("{wrapped}"));
            assert_eq!(found.mend, Mend::Drop(1, lines), "{wrapped}");
            assert!(found.same_key, "{wrapped}");
        }
        // Somebody else's.
        assert_eq!(damage(&format!("other\n{TYPE}\n{KEY}x\n")), None);
    }
}
