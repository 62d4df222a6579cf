//! What keeps the secrets of this run from being shown where a peer repeats
//! them, in whatever form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Secret;
use super::finder::{Finder, Form, Origin};
use super::forms::{forms, is_shown_anyway};
use super::others::Others;
use crate::run_id::RunId;

/// The secrets of this run in the forms that a peer may repeat them in, or of each of
/// several runs. [`crate::text::clean`] takes them out of every text that is shown.
static GUARDED: RwLock<AllGuarded> = RwLock::new(AllGuarded {
    only: Guarded::new(),
    runs: BTreeMap::new(),
    others: Others::new(),
    made: Vec::new(),
});

struct AllGuarded {
    /// Those of the process's only run.
    only: Guarded,
    /// Those of each of several runs.
    runs: BTreeMap<RunId, Guarded>,
    /// Those of all of the several runs.
    others: Others,
    /// The forms that were made last: targets often share their password.
    made: Vec<(Secret, String, Vec<Form>)>,
}

struct Guarded {
    /// The values of the target that are shown anyway.
    known: Vec<String>,
    user: String,
    finder: Finder,
}

impl Guarded {
    const fn new() -> Self {
        Self {
            known: Vec::new(),
            user: String::new(),
            finder: Finder::new(),
        }
    }
}

impl Default for Guarded {
    fn default() -> Self {
        Self::new()
    }
}

/// So many secrets have their forms kept.
const MADE: usize = 8;

impl AllGuarded {
    /// Those of the run that the current task belongs to.
    fn current(&mut self) -> &mut Guarded {
        match RunId::current() {
            Some(run) => self.runs.entry(run).or_default(),
            None => &mut self.only,
        }
    }

    fn guard(&mut self, secret: &Secret) {
        let guarded = self.current();
        let (user, known) = (guarded.user.clone(), guarded.known.clone());
        if RunId::current().is_none() {
            guarded.finder.add(forms(secret, &user, &known));
            return;
        }
        if is_shown_anyway(secret, &known) {
            return;
        }
        let made = self
            .made
            .iter()
            .find(|(of, by, _)| of == secret && *by == user);
        let made = match made {
            Some((_, _, made)) => made.clone(),
            None => {
                let made = forms(secret, &user, &[]);
                self.others.add(&made);
                self.made.truncate(MADE - 1);
                self.made.insert(0, (secret.clone(), user, made.clone()));
                made
            }
        };
        self.current().finder.add(made);
    }

    /// Bytes without secrets: the current run's, wherever they stand, and those of other runs
    /// that are in no text by chance. Where it cannot be told whose text it is, all of them.
    fn hide(&self, bytes: &[u8], part: bool, origin: Origin) -> Option<Vec<u8>> {
        let run = RunId::current().map(|run| self.runs.get(&run));
        match run {
            None if self.runs.is_empty() => self.only.finder.hide(bytes, part, origin),
            None => {
                let all = std::iter::once(&self.only).chain(self.runs.values());
                all.fold(None, |hidden: Option<Vec<u8>>, guarded| {
                    let text = hidden.as_deref().unwrap_or(bytes);
                    guarded.finder.hide(text, part, origin).or(hidden)
                })
            }
            Some(own) => {
                let nothing = Guarded::new();
                let own = own.unwrap_or(&nothing);
                let hidden = own.finder.hide(bytes, part, origin);
                let text = hidden.as_deref().unwrap_or(bytes);
                self.others.hide(text, &own.known).or(hidden)
            }
        }
    }
}

fn written() -> RwLockWriteGuard<'static, AllGuarded> {
    GUARDED.write().unwrap_or_else(PoisonError::into_inner)
}

fn read() -> RwLockReadGuard<'static, AllGuarded> {
    GUARDED.read().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is shown of the target anyway, before the first [`guard`]: a
/// password that is part of that cannot be told from it, and hiding it there
/// would give it away.
pub fn exempt_from_redaction(user: &str, values: impl IntoIterator<Item = String>) {
    let mut guarded = written();
    let guarded = guarded.current();
    user.clone_into(&mut guarded.user);
    guarded.known.extend(values);
}

/// Keeps a secret of the target out of everything that is shown from now on:
/// a hostile server may repeat the password that it was given.
pub fn guard(secret: &Secret) {
    written().guard(secret);
}

/// Bytes without the secrets that are guarded.
pub fn hide(bytes: &[u8]) -> Cow<'_, [u8]> {
    without(bytes, false, Origin::Peer)
}

/// The same for bytes that were cut off at their ends: what may be a piece of a
/// secret there is hidden, too.
pub fn hide_part(bytes: &[u8]) -> Cow<'_, [u8]> {
    without(bytes, true, Origin::Peer)
}

fn without(bytes: &[u8], part: bool, origin: Origin) -> Cow<'_, [u8]> {
    match read().hide(bytes, part, origin) {
        Some(hidden) => Cow::Owned(hidden),
        None => Cow::Borrowed(bytes),
    }
}

/// [`hide`] for text.
pub fn hide_text(text: String) -> String {
    as_text(hide(text.as_bytes())).unwrap_or(text)
}

/// The same for a sentence of ours, in which every word may be there by chance:
/// what a peer said was hidden before it came there.
pub fn hide_in_ours(text: String) -> String {
    as_text(without(text.as_bytes(), false, Origin::Ours)).unwrap_or(text)
}

/// [`hide_part`] for text.
pub fn hide_part_text(text: String) -> String {
    as_text(hide_part(text.as_bytes())).unwrap_or(text)
}

/// The text that something was taken out of, if so.
fn as_text(hidden: Cow<'_, [u8]>) -> Option<String> {
    match hidden {
        Cow::Borrowed(_) => None,
        Cow::Owned(hidden) => Some(String::from_utf8_lossy(&hidden).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::HIDDEN;
    use super::*;

    #[test]
    fn each_of_several_runs_has_its_own_secrets() {
        let of = |user: &str, database: &str, password: &str| {
            let run = RunId::new();
            run.enter(|| {
                exempt_from_redaction(user, [database.to_owned()]);
                guard(&Secret::new(password));
            });
            run
        };
        // Other tests, whose texts belong to no run, do not have these words.
        let short = of("one", "orders", "zq7");
        let long = of("two", "zq7", "canary-of-two!");
        let same = of("three", "canary-of-two!", "other-canary");
        let said = "role zq7 of orders, canary-of-two!, other-canary";
        let shown = |run: RunId| run.enter(|| hide_text(said.to_owned()));
        // So short that only its own run takes it out, and there as a value.
        assert_eq!(short.enter(|| hide_text("'zq7'".into())), "'(hidden)'");
        assert_eq!(long.enter(|| hide_text("'zq7'".into())), "'zq7'");
        // One that is in no text by chance is taken out everywhere.
        assert_eq!(shown(short), "role zq7 of orders, (hidden), (hidden)");
        assert_eq!(shown(long), "role zq7 of orders, (hidden), (hidden)");
        // But not where it is shown anyway.
        assert_eq!(shown(same), "role zq7 of orders, canary-of-two!, (hidden)");
        // Nothing tells whose text this is.
        assert_eq!(
            hide_text("'zq7' canary-of-two!".into()),
            "'(hidden)' (hidden)"
        );
    }

    fn finder(secret: &str, known: &[&str]) -> Finder {
        let known: Vec<String> = known.iter().map(|&k| k.to_owned()).collect();
        let mut finder = Finder::new();
        finder.add(forms(&Secret::new(secret), "app", &known));
        finder
    }

    fn hidden(secret: &str, known: &[&str], text: &str) -> String {
        let out = finder(secret, known).hide(text.as_bytes(), false, Origin::Peer);
        String::from_utf8(out.unwrap_or_else(|| text.into())).unwrap()
    }

    fn hidden_in_part(secret: &str, text: &str) -> String {
        let out = finder(secret, &[]).hide(text.as_bytes(), true, Origin::Peer);
        String::from_utf8(out.unwrap_or_else(|| text.into())).unwrap()
    }

    #[test]
    fn a_password_is_taken_out_in_every_form() {
        for repeated in [
            "x hunter2-and-more!x",
            "aHVudGVyMi1hbmQtbW9yZSE=",
            "68756e746572322d616e642d6d6f726521",
            "68 75 6e 74 65 72 32 2d 61 6e 64 2d 6d 6f 72 65 21",
            "hunter2-and-more%21",
            "AGFwcABodW50ZXIyLWFuZC1tb3JlIQ==",
            // "password=" and "u:" before it, as base64.
            "cGFzc3dvcmQ9aHVudGVyMi1hbmQtbW9yZSE=",
            "dTpodW50ZXIyLWFuZC1tb3JlIQ==",
        ] {
            let shown = hidden("hunter2-and-more!", &[], repeated);
            assert!(shown.contains(HIDDEN), "{repeated}: {shown}");
            assert!(!shown.contains("hunter2"), "{repeated}: {shown}");
            assert!(!shown.contains("tb3JlI"), "{repeated}: {shown}");
        }
    }

    #[test]
    fn blanks_of_a_secret_count_in_its_pieces() {
        let secret = "aaaa 00000aaa'";
        assert_eq!(
            hidden_in_part(secret, "said: aaaa \u{fffd}"),
            format!("said: {HIDDEN}")
        );
        assert_eq!(hidden_in_part(secret, "said: aaa"), "said: aaa");
    }

    #[test]
    fn percent_encoding_has_dialects() {
        for repeated in [
            "x%20hunter2%2F%26%21",
            "x%20hunter2/%26%21",
            "x%20hunter2%2f%26%21",
            "x%20hunter2%2F%26!",
            "x%20hunter2/&!",
            "x+hunter2%2F%26%21",
        ] {
            let shown = hidden("x hunter2/&!", &[], repeated);
            assert_eq!(shown, HIDDEN, "{repeated}");
        }
    }

    #[test]
    fn programs_escape_what_they_print() {
        for (secret, repeated) in [
            ("it's-\"quoted\"\\<&", "it''s-\"quoted\"\\<&"),
            ("it's-\"quoted\"\\<&", "it\\'s-\"quoted\"\\\\<&"),
            ("it's-\"quoted\"\\<&", "it's-\\\"quoted\\\"\\\\<&"),
            (
                "it's-\"quoted\"\\<&",
                "it&#39;s-&quot;quoted&quot;\\&lt;&amp;",
            ),
            ("schlüssel-bund", "schl\\u00fcssel-bund"),
            ("schlüssel-bund", "schl\\xc3\\xbcssel-bund"),
            ("schlüssel-bund", "schlÃ¼ssel-bund"),
        ] {
            assert_eq!(hidden(secret, &[], repeated), HIDDEN, "{repeated}");
        }
    }

    #[test]
    fn what_is_put_into_a_password_does_not_save_it() {
        for repeated in [
            "hunter2-\nand-more!",
            "hunter2-\u{ad}and-more!",
            "hunter2-\u{e0041}and\u{200b}-more!",
            "h\0u\0n\0t\0e\0r\x002\0-\0a\0n\0d\0-\0m\0o\0r\0e\0!\0",
            "hunter2\x1b[31m-and-\x1b]0;x\x07more!",
            "hunter2 - and - more!",
            "aHVudGVy\r\nMi1hbmQt\r\nbW9yZSE=",
        ] {
            let shown = crate::visible::visible(&hidden("hunter2-and-more!", &[], repeated));
            let rest = shown.replace(HIDDEN, "");
            assert!(rest.len() <= 4, "{repeated}: {shown}");
        }
    }

    #[test]
    fn repetition_without_a_gap_leaves_no_piece() {
        let shown = hidden("1234512345", &[], "x123451234512345x");
        assert_eq!(shown, "x(hidden)x");
    }

    #[test]
    fn pieces_at_the_ends_of_what_was_cut_are_taken_out() {
        for (text, shown) in [
            ("said hunter2-and", "said (hidden)"),
            ("said hunter2-a\nn\u{fffd}", "said (hidden)"),
            ("said hunte", "said (hidden)"),
            ("said hunt", "said hunt"),
            ("-and-more! was said", "(hidden) was said"),
            ("said aHVudGVyMi1hb", "said (hidden)"),
            ("said md5e12ab", "said (hidden)"),
            ("said hunter2, again", "said hunter2, again"),
            ("ter2-and-m", "(hidden)"),
            ("er2-", "er2-"),
        ] {
            assert_eq!(hidden_in_part("hunter2-and-more!", text), shown);
        }
        assert_eq!(
            hidden("hunter2-and-more!", &[], "hunter2-and"),
            "hunter2-and"
        );
    }

    #[test]
    fn an_md5_answer_is_taken_out() {
        let said = "md57e5f6037f1199f1075432170e2a45f8b";
        let twice = format!("{said}, {said}.");
        assert_eq!(&*hide(twice.as_bytes()), b"(hidden), (hidden).");
        assert_eq!(&*hide(b"md5 is weak, md5"), b"md5 is weak, md5");
        assert_eq!(&*hide(b"md5md51"), b"md5md51");
    }

    #[test]
    fn a_large_text_takes_no_long_time() {
        let finder = finder("aaaaaaaaaaaa", &[]);
        let begun = std::time::Instant::now();
        let md5 = "md57e5f6037f1199f1075432170e2a45f8b".repeat(300_000);
        for text in ["a".repeat(10 << 20), "ab".repeat(5 << 20), md5] {
            finder.hide(text.as_bytes(), true, Origin::Peer);
        }
        assert!(begun.elapsed().as_secs() < 300);
    }

    #[test]
    fn a_short_or_usual_one_is_taken_out_of_what_a_peer_says() {
        for secret in ["letmein", "short7", "skip", "permission denied", "größe"] {
            for said in [
                "got «{}»",
                "‘{}’",
                "„{}“",
                "_{}_",
                "user{}",
                "pw={}x",
                "{}x{}x{}",
                "password: {}",
                "HTTP/1.1 {}",
                "{}",
                "{}{}",
                "ä{}ß",
                "数{}数",
            ] {
                let shown = hidden(secret, &[], &said.replace("{}", secret));
                let hidden_too = said.replace("{}", HIDDEN);
                // Two in a row are taken out as one where they overlap.
                assert!(!shown.contains(secret) && shown.contains(HIDDEN), "{shown}");
                assert_eq!(shown, hidden_too);
            }
        }
    }

    #[test]
    fn a_very_short_one_is_taken_out_as_a_value() {
        let of = |secret: &str, text: &str| hidden(secret, &[], text);
        assert_eq!(of("a", "a role has a name"), "a role has a name");
        for said in [
            "password={}",
            "'{}'",
            "«{}»",
            "“{}”",
            "‘{}’",
            "„{}“",
            "‚{}‘",
            "‹{}›",
        ] {
            assert_eq!(
                of("a", &said.replace("{}", "a")),
                said.replace("{}", HIDDEN)
            );
        }
        assert_eq!(of("a", "=ab 'a, «a"), "=ab 'a, «a");
        assert_eq!(of("", "''"), "''");
        assert_eq!(of("totheserver", "to the server"), "to the server");
        assert_eq!(of("totheserver", "xtotheserver"), "x(hidden)");
        assert_eq!(of(" \u{200b}  ", "a  b"), "a  b");
    }

    #[test]
    fn a_sentence_of_ours_keeps_its_words() {
        let of = |secret, text: &str| {
            let out = finder(secret, &[]).hide(text.as_bytes(), false, Origin::Ours);
            String::from_utf8(out.unwrap_or_else(|| text.into())).unwrap()
        };
        assert_eq!(of("server", "got 'server'"), "got 'server'");
        assert_eq!(of("rolname", "WHERE rolname = 'a'"), "WHERE rolname = 'a'");
        assert_eq!(of("certificate", "the certificate"), "the certificate");
        assert_eq!(of("hunter2-and-more!", "x hunter2-and-more!"), "x (hidden)");
    }

    #[test]
    fn what_is_shown_anyway_is_not_given_away() {
        let said = "role \"warehouse\" does not exist";
        assert_eq!(hidden("warehouse", &["warehouse"], said), said);
    }
}
