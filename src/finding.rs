//! A finding: a cause, the evidence for it, and its words filled from both.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cause::{Cause, FixRow, Severity};
use crate::invocation;
use crate::text;

/// How a stage, or the whole run, ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did not run.
    Skip,
    /// It works.
    Pass,
    /// It works, with something worth a word.
    Warn,
    /// It does not work.
    Fail,
}

impl From<Severity> for Status {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Fail => Status::Fail,
            Severity::Warn => Status::Warn,
        }
    }
}

/// A step that mends a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// What to do, as a sentence.
    pub text: String,
    /// What to paste into a shell, if there is something.
    pub command: Option<String>,
}

impl Fix {
    /// The same step, with dbdoctor's name as the user has to type it.
    fn typed(self) -> Self {
        let rename = |text: String| invocation::as_typed(&text).into_owned();
        Self {
            text: rename(self.text),
            command: self.command.map(rename),
        }
    }
}

/// One cause that was found, with its evidence. Its sentence and its fixes
/// are filled from the evidence when they are asked for.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The catalogue's row.
    pub cause: &'static Cause,
    /// `Warn` or `Fail`; `Pass` where it says why something works.
    pub status: Status,
    /// What convinced us; values are already safe to show.
    pub evidence: Map<String, Value>,
    /// Boxed, since findings are returned as errors.
    texts: Box<Texts>,
    /// Whether trying again may help; the cause's own unless overridden.
    pub retryable: bool,
    /// What libpq would still try after this failure.
    pub onward: Onward,
    /// Whether it is the likely reason for what fails after it: a warning that
    /// another machine was reached than the one that was meant.
    pub leads: bool,
}

/// How many fixes a finding shows (interface.md, Output), unless it has more of
/// its own: `idle` has one for each driver.
const MOST_FIXES: usize = 4;

/// How many of them may be those of a warning that led to the finding.
const LEADING_FIXES: usize = 2;

/// What a finding's texts are made of beside the evidence.
#[derive(Clone, Debug, Default)]
struct Texts {
    /// Values for the templates alone, safe to show.
    words: Map<String, Value>,
    /// Fixes that come before all others, also before a product's.
    leading: Vec<Fix>,
    /// Fixes only this sighting knows, put before the catalogue's.
    fixes: Vec<Fix>,
    /// Whether the page's fixes are about another product.
    off_page: bool,
    /// Fixes in place of all others.
    instead: Vec<&'static FixRow>,
}

/// What libpq would still try after a failure (interface.md, Promises).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Onward {
    /// The next address or host of the list.
    pub next_host: bool,
    /// The same address with the other encryption, under `prefer` and `allow`.
    pub other_encryption: bool,
}

impl Finding {
    /// A finding of this cause with its usual severity.
    pub fn new(cause: &'static Cause) -> Self {
        Self {
            cause,
            status: cause.severity.into(),
            evidence: Map::new(),
            texts: Box::default(),
            retryable: cause.retryable,
            onward: Onward::default(),
            leads: false,
        }
    }

    /// Adds evidence. Text is cleaned here, once, for every output.
    pub fn with(mut self, name: &str, value: impl Observed) -> Self {
        insert(&mut self.evidence, name, value);
        self
    }

    /// Adds a piece of a sentence or of a command for the templates, which says
    /// nothing by itself and is therefore no evidence.
    pub fn word(mut self, name: &str, value: impl Observed) -> Self {
        insert(&mut self.texts.words, name, value);
        self
    }

    /// Takes values away again, and with them the fixes that need them.
    pub fn without(mut self, names: &[&str]) -> Self {
        for name in names {
            self.evidence.shift_remove(*name);
            self.texts.words.shift_remove(*name);
        }
        self
    }

    /// Whether a template's hole of this name would be filled.
    pub fn fills(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !value.is_null())
    }

    /// The value of a template's hole: of the evidence, or of a word for it.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.evidence
            .get(name)
            .or_else(|| self.texts.words.get(name))
    }

    /// The same finding as a warning.
    pub fn as_warning(mut self) -> Self {
        self.status = Status::Warn;
        self
    }

    /// The same finding as a word about what works.
    pub fn as_note(mut self) -> Self {
        self.status = Status::Pass;
        self
    }

    /// The same finding as a failure.
    pub fn as_failure(mut self) -> Self {
        self.status = Status::Fail;
        self
    }

    /// The same finding, marked as one that may heal (or not).
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// The same finding, after which libpq goes on to the next host.
    pub fn then_next_host(mut self) -> Self {
        self.onward.next_host = true;
        self
    }

    /// The same finding, after which libpq tries the other encryption where
    /// `sslmode` has one.
    pub fn then_other_encryption(mut self) -> Self {
        self.onward.other_encryption = true;
        self
    }

    /// The same warning, marked as the likely reason for what fails after it.
    pub fn leading(mut self) -> Self {
        self.leads = true;
        self
    }

    /// The same failure, of which earlier warnings are the likely reason: they are
    /// among the evidence, and the first fixes of the first come before all others.
    pub fn led_by(mut self, warnings: &[&Finding]) -> Self {
        let told = warnings
            .iter()
            .map(|warning| json!({ "cause": warning.cause.code, "summary": warning.summary() }));
        self.evidence.insert("led_by".to_owned(), told.collect());
        let mut fixes = warnings.iter().map(|warning| warning.fixes());
        let fixes = fixes.find(|fixes| !fixes.is_empty()).unwrap_or_default();
        self.texts.leading = fixes.into_iter().take(LEADING_FIXES).collect();
        self
    }

    /// Adds a fix that is right whatever product this is about.
    pub fn fix_first(mut self, text: impl Into<String>) -> Self {
        self.texts.leading.push(Fix {
            text: text::clean_ours(&text.into()),
            command: None,
        });
        self
    }

    /// Adds a fix that only the stage can word. It comes before the
    /// catalogue's own.
    pub fn fix(mut self, text: impl Into<String>, command: Option<String>) -> Self {
        self.texts.fixes.push(Fix {
            text: text::clean_ours(&text.into()),
            command: command.map(|c| text::clean_ours(&c)),
        });
        self
    }

    /// Adds a product's fixes before the page's, filled from the evidence.
    pub fn with_fixes_of<'a>(mut self, rows: impl IntoIterator<Item = &'a FixRow>) -> Self {
        let filled = rows.into_iter().filter_map(|row| self.filled(row));
        let fixes: Vec<Fix> = filled.collect();
        self.texts.fixes.extend(fixes);
        self
    }

    /// The same finding without the page's fixes, which are about another
    /// product.
    pub fn off_page(mut self) -> Self {
        self.texts.off_page = true;
        self
    }

    /// A template as a sentence, filled from the evidence; `None` if a value is
    /// missing.
    pub fn filled_text(&self, template: &str) -> Option<String> {
        self.fill(template, Quoting::None)
    }

    fn filled(&self, row: &FixRow) -> Option<Fix> {
        Some(Fix {
            text: self.fill(row.text, Quoting::None)?,
            command: match row.command {
                Some(command) => Some(self.fill(command, Quoting::Shell)?),
                None => None,
            },
        })
    }

    /// Puts these fixes in place of all others.
    pub fn fix_instead(mut self, rows: impl IntoIterator<Item = &'static FixRow>) -> Self {
        self.texts.instead = rows.into_iter().collect();
        self
    }

    /// The same finding with what another one of the same failure knows beside:
    /// its evidence where this one has none of that name, and what libpq would
    /// still try.
    pub fn with_evidence_of(mut self, other: Finding) -> Self {
        for (name, value) in other.evidence {
            self.evidence.entry(name).or_insert(value);
        }
        for (name, value) in other.texts.words {
            self.texts.words.entry(name).or_insert(value);
        }
        self.onward = Onward {
            next_host: self.onward.next_host || other.onward.next_host,
            other_encryption: self.onward.other_encryption || other.onward.other_encryption,
        };
        self
    }

    /// Shows every value that the texts are made of, with its name.
    pub fn each_value(&self, mut see: impl FnMut(&str, &Value)) {
        for (name, value) in self.evidence.iter().chain(&self.texts.words) {
            see(name, value);
        }
    }

    /// The same finding with other values: of the evidence and of the words by their
    /// names, of the fixes of its own as `text` and `shell`.
    pub fn map_values(mut self, change: &mut impl FnMut(&str, &Value) -> Value) -> Self {
        let maps = [&mut self.evidence, &mut self.texts.words];
        for (name, value) in maps.into_iter().flatten() {
            *value = change(name, value);
        }
        let fixes = self.texts.leading.iter_mut().chain(&mut self.texts.fixes);
        for fix in fixes {
            fix.text = shown(&change("text", &Value::from(fix.text.as_str())));
            let command = fix.command.take();
            fix.command = command.map(|it| shown(&change("shell", &Value::from(it))));
        }
        self
    }

    /// The sentence for people: the cause's template filled from the evidence,
    /// or its title where a value is missing.
    pub fn summary(&self) -> String {
        self.fill(self.cause.summary, Quoting::None)
            .unwrap_or_else(|| format!("{}.", self.cause.title))
    }

    /// What to do, in order; fixes whose values are unknown are left out, and
    /// those that would be too many for a tired reader.
    pub fn fixes(&self) -> Vec<Fix> {
        let others = self.fixes_of_its_own();
        let most = MOST_FIXES.max(others.len());
        let leading = self.texts.leading.iter().cloned();
        let mut fixes: Vec<Fix> = leading.chain(others).take(most).collect();
        // The one that it was an alternative to is left out.
        if let Some(first) = fixes.first_mut()
            && let Some(rest) = first
                .text
                .strip_prefix("Or ")
                .or(first.text.strip_prefix("Or, "))
        {
            let mut letters = rest.chars();
            let capital = letters.next().into_iter().flat_map(char::to_uppercase);
            first.text = capital.chain(letters).collect();
        }
        fixes.into_iter().map(Fix::typed).collect()
    }

    fn fixes_of_its_own(&self) -> Vec<Fix> {
        let instead = &self.texts.instead;
        if !instead.is_empty() {
            let rows = instead.iter().filter_map(|row| self.filled(row));
            let rows: Vec<Fix> = rows.take(MOST_FIXES).collect();
            if !rows.is_empty() {
                return rows;
            }
        }
        let page = match self.texts.off_page {
            true => &[][..],
            false => self.cause.fixes,
        };
        let rows = page.iter().filter_map(|row| self.filled(row));
        let own = &self.texts.fixes;
        let most = MOST_FIXES.max(own.len());
        own.iter().cloned().chain(rows).take(most).collect()
    }

    /// Fills a template; `None` if a value is missing and the template has no
    /// other wording.
    fn fill(&self, template: &str, quoting: Quoting) -> Option<String> {
        expand(template, |hole| match self.value(hole.name) {
            Some(value) => quoting.put(value),
            None => hole
                .general
                .filter(|wording| !wording.pages_only)
                .map(|wording| wording.text.to_owned()),
        })
    }

    /// What to do where little or nothing is known of the particular case, in the
    /// page's order or a product's. Sentences have the wording their templates give for
    /// what is missing, and a row without one is left out; commands have capital words to
    /// replace (`HOST`).
    pub fn fixes_in_general(&self) -> Vec<Fix> {
        let page = match self.texts.off_page {
            true => &[][..],
            false => self.cause.fixes,
        };
        let rows: Vec<&FixRow> = match self.texts.instead.is_empty() {
            true => page.iter().collect(),
            false => self.texts.instead.clone(),
        };
        let own = self.texts.leading.iter().chain(&self.texts.fixes).cloned();
        let fixes = own.chain(self.in_general(rows));
        fixes.map(Fix::typed).collect()
    }

    /// These fixes, filled as [`Finding::fixes_in_general`] does.
    pub fn in_general<'a>(&self, rows: impl IntoIterator<Item = &'a FixRow>) -> Vec<Fix> {
        let rows = rows.into_iter().filter_map(|row| {
            Some(Fix {
                text: expand(row.text, |hole| self.value_or_wording(&hole, Quoting::None))?,
                command: match row.command {
                    Some(command) => Some(expand(command, |hole| {
                        let known = self.value_or_wording(&hole, Quoting::Shell);
                        Some(known.unwrap_or_else(|| hole.name.to_uppercase()))
                    })?),
                    None => None,
                },
            })
        });
        // A wording may be the whole of a fix, and be empty.
        rows.filter(|fix| !fix.text.is_empty()).collect()
    }

    /// A hole's value, or the wording that its template gives without one.
    fn value_or_wording(&self, hole: &Hole<'_>, quoting: Quoting) -> Option<String> {
        match self.value(hole.name) {
            Some(value) => quoting.put(value),
            None => hole.general.map(|wording| wording.text.to_owned()),
        }
    }

    /// Whether a fix has a hole of one of these names that nothing fills: it is about
    /// something that is not there.
    pub fn lacks(&self, row: &FixRow, names: &[&str]) -> bool {
        let parts = row.text.split('{').skip(1);
        let mut holes = parts.filter_map(|part| Some(Hole::parse(part.split('}').next()?)));
        holes.any(|hole| names.contains(&hole.name) && !self.fills(hole.name))
    }

    /// The same finding without those of its fixes that lack a value of these names,
    /// where others are left.
    pub fn not_about(mut self, names: &[&str]) -> Self {
        if self.texts.instead.is_empty() && !self.texts.off_page {
            let kept = self
                .cause
                .fixes
                .iter()
                .filter(|row| !self.lacks(row, names));
            let kept: Vec<&'static FixRow> = kept.collect();
            if kept.len() < self.cause.fixes.len() {
                self.texts.instead = kept;
            }
        }
        self
    }

    /// The sentence for people where not every value is known: without the phrases that
    /// need those that are missing, or the cause's title where too little is left, or where
    /// it is about a run of ours.
    pub fn summary_in_general(&self) -> String {
        let is_of_run = self.cause.summary.contains("dbdoctor");
        let template = Some(self.cause.summary).filter(|_| !is_of_run);
        template
            .and_then(|template| self.text_in_general(template))
            .unwrap_or_else(|| format!("{}.", self.cause.title))
    }

    /// A template as a sentence, as [`Finding::summary_in_general`] fills it.
    pub fn text_in_general(&self, template: &str) -> Option<String> {
        let mut template = Cow::Borrowed(template);
        loop {
            let filled = expand(&template, |hole| {
                self.value_or_wording(&hole, Quoting::None)
            });
            if filled.is_some() {
                return filled;
            }
            template = Cow::Owned(self.without_a_phrase(&template)?);
        }
    }

    /// A template without the phrase that has its first missing value: one in
    /// parentheses, a place (`at {endpoint}`), or what follows the sentence's last colon.
    fn without_a_phrase(&self, template: &str) -> Option<String> {
        let missing = |(at, _): &(usize, &str)| {
            let inner = template
                .get(at + 1..)
                .and_then(|rest| rest.split('}').next());
            inner.is_some_and(|inner| {
                let hole = Hole::parse(inner);
                hole.general.is_none() && !self.fills(hole.name)
            })
        };
        let (from, _) = template.match_indices('{').find(missing)?;
        let to = from + template.get(from..)?.find('}')? + 1;
        let (before, after) = (template.get(..from)?, template.get(to..)?);
        if let Some(open) = before.rfind('(')
            && !before.get(open..)?.contains(')')
        {
            let close = after.find(')')? + 1;
            return Some(format!(
                "{}{}",
                before.get(..open)?.trim_end(),
                after.get(close..)?
            ));
        }
        let is_endpoint = template.get(from..to) == Some("{endpoint}");
        let mut places = [" on the server at ", " at "].into_iter();
        if let Some(before) = places.find_map(|place| before.strip_suffix(place))
            && is_endpoint
        {
            return Some(format!("{before}{after}"));
        }
        let begin = before.rfind(". ").map_or(0, |at| at + 2);
        let colon = begin + before.get(begin..)?.rfind(": ")?;
        let end = after.find(". ").map_or(after.len(), |at| at + 1);
        Some(format!("{}.{}", before.get(..colon)?, after.get(end..)?))
    }
}

/// Adds a value; a null is left out, so that templates can tell what is unknown.
fn insert(map: &mut Map<String, Value>, name: &str, value: impl Observed) {
    match value.into_shown() {
        Value::Null => {}
        value => {
            map.insert(name.to_owned(), value);
        }
    }
}

/// What stands in braces in a template.
struct Hole<'a> {
    /// The name of the evidence.
    name: &'a str,
    /// The wording without that evidence, where the template gives one.
    general: Option<Wording<'a>>,
}

/// What is said where evidence is missing.
#[derive(Clone, Copy)]
struct Wording<'a> {
    text: &'a str,
    /// `?` and not `|`: for pages, never for a finding.
    pages_only: bool,
}

impl<'a> Hole<'a> {
    fn parse(inner: &'a str) -> Self {
        let Some(at) = inner.find(['|', '?']) else {
            return Self {
                name: inner,
                general: None,
            };
        };
        Self {
            name: &inner[..at],
            general: Some(Wording {
                text: &inner[at + 1..],
                pages_only: inner[at..].starts_with('?'),
            }),
        }
    }
}

/// How values are put into a template.
#[derive(Clone, Copy, PartialEq)]
enum Quoting {
    None,
    Shell,
}

impl Quoting {
    /// A value as it is put in; none where a shell cannot be told it.
    fn put(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Quoting::None, value) => Some(shown(value)),
            // The words of a command.
            (Quoting::Shell, Value::Array(words)) => {
                let words: Vec<String> = words.iter().map(shown).collect();
                shlex::try_join(words.iter().map(String::as_str)).ok()
            }
            (Quoting::Shell, value) => {
                let value = shown(value);
                // Quotes do not keep a program from taking a name for one of its options.
                match value.starts_with('-') {
                    true => None,
                    false => shlex::try_quote(&value).ok().map(Cow::into_owned),
                }
            }
        }
    }
}

/// Replaces what stands in braces in a template; `None` if something has no
/// value. `{{` and `}}` stand for the braces themselves.
fn expand(template: &str, value: impl Fn(Hole<'_>) -> Option<String>) -> Option<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let (inner, after) = rest.split_once('}')?;
        out.push_str(&value(Hole::parse(inner))?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// A value as it stands in a sentence.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What evidence and facts are made of, made safe to show. A literal is a word
/// of ours and stays as it is, whatever the secrets of the run are; any other
/// text may be a peer's.
pub trait Observed {
    /// The value as it is shown.
    fn into_shown(self) -> Value;
}

impl Observed for &'static str {
    fn into_shown(self) -> Value {
        text::visible(self).into()
    }
}

impl Observed for String {
    fn into_shown(self) -> Value {
        text::clean(&self).into()
    }
}

/// A text that was composed of our own words, numbers and dates alone.
pub struct Composed(pub String);

impl Observed for Composed {
    fn into_shown(self) -> Value {
        self.0.into()
    }
}

impl Observed for Cow<'static, str> {
    fn into_shown(self) -> Value {
        match self {
            Cow::Borrowed(ours) => ours.into_shown(),
            Cow::Owned(text) => text.into_shown(),
        }
    }
}

/// The names in it are ours; [`text::clean`] is for others.
impl Observed for Value {
    fn into_shown(self) -> Value {
        match self {
            Value::String(text) => text.into_shown(),
            Value::Array(items) => items.into_shown(),
            Value::Object(map) => map.into_shown(),
            other => other,
        }
    }
}

impl Observed for Map<String, Value> {
    fn into_shown(self) -> Value {
        let shown = |(name, value): (String, Value)| (name, value.into_shown());
        Value::Object(self.into_iter().map(shown).collect())
    }
}

impl<T: Observed> Observed for Option<T> {
    fn into_shown(self) -> Value {
        self.map_or(Value::Null, T::into_shown)
    }
}

impl<T: Observed> Observed for Vec<T> {
    fn into_shown(self) -> Value {
        self.into_iter().map(T::into_shown).collect()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Observed for $number {
            fn into_shown(self) -> Value {
                self.into()
            }
        })*
    };
}

numbers!(bool, i32, i64, u8, u16, u32, u64, usize, f64);

#[cfg(test)]
mod tests {
    use super::*;

    const fn fix(text: &'static str) -> FixRow {
        FixRow {
            text,
            command: None,
        }
    }

    const fn run(text: &'static str, command: &'static str) -> FixRow {
        FixRow {
            text,
            command: Some(command),
        }
    }

    const PLAIN: Cause = Cause {
        stage: None,
        code: "x.y",
        severity: Severity::Fail,
        retryable: true,
        since: "0.1.0",
        title: "A title",
        summary: "Port {port} of {host} is shut",
        meaning: "",
        fixes: &[],
        seen_as: &[],
    };

    static ROW: Cause = Cause {
        fixes: &[
            fix("Open {port}"),
            run("Call {name}", "ping {host}"),
            fix("Wait"),
            run("Ask {owner|the owner}:", "finger {owner|root}"),
            fix("Close {window?the open window}"),
        ],
        ..PLAIN
    };

    #[test]
    fn values_fill_the_templates_and_are_quoted_in_commands() {
        let finding = Finding::new(&ROW)
            .with("port", 5432)
            .with("host", "a b\x1b")
            .with("name", "x");
        assert_eq!(finding.summary(), "Port 5432 of a b is shut");
        assert_eq!(finding.fixes()[1].command.as_deref(), Some("ping 'a b'"));
    }

    #[test]
    fn nothing_unfilled_is_shown() {
        let finding = Finding::new(&ROW).with("port", 1).with("host", Value::Null);
        assert_eq!(finding.summary(), "A title.");
        assert_eq!(finding.fixes().len(), 3);
    }

    #[test]
    fn a_template_has_another_wording_where_a_value_is_missing() {
        let words = |fixes: Vec<Fix>| -> Vec<(String, Option<String>)> {
            fixes.into_iter().map(|it| (it.text, it.command)).collect()
        };
        let is = |text: &str, command: Option<&str>| (text.to_owned(), command.map(str::to_owned));
        let finding = Finding::new(&ROW);
        assert_eq!(
            words(finding.fixes()),
            [is("Wait", None), is("Ask the owner:", Some("finger root")),]
        );
        assert_eq!(
            words(finding.fixes_in_general()),
            [
                is("Wait", None),
                is("Ask the owner:", Some("finger root")),
                is("Close the open window", None),
            ]
        );
        let known = finding.with("owner", "a b").with("window", "the left one");
        assert_eq!(
            words(known.fixes()),
            [
                is("Wait", None),
                is("Ask a b:", Some("finger 'a b'")),
                is("Close the left one", None),
            ]
        );
    }

    #[test]
    fn a_warning_that_led_here_comes_first() {
        static EARLIER: Cause = Cause {
            code: "a.b",
            fixes: &[fix("Turn back"), fix("Ask"), fix("Give up")],
            ..PLAIN
        };
        let texts = |finding: &Finding| {
            let fixes = finding.fixes().into_iter();
            fixes.map(|fix| fix.text).collect::<Vec<_>>()
        };
        let warning = Finding::new(&EARLIER)
            .with("port", 1)
            .with("host", "x".to_owned());
        let led = Finding::new(&ROW).with("port", 2).led_by(&[&warning]);
        assert_eq!(texts(&led), ["Turn back", "Ask", "Open 2", "Wait"]);
        let told = &led.evidence["led_by"][0];
        assert_eq!(told["cause"], "a.b");
        assert_eq!(told["summary"], "Port 1 of x is shut");
        // A product's own fixes come after it, too.
        let instead = led.fix_instead([&ROW.fixes[2]]);
        assert_eq!(texts(&instead), ["Turn back", "Ask", "Wait"]);
    }

    #[test]
    fn the_first_fix_is_no_alternative() {
        static OTHER: Cause = Cause {
            fixes: &[
                fix("Open {window}."),
                fix("Or open the door."),
                fix("Or wait."),
            ],
            ..PLAIN
        };
        let texts = |finding: Finding| -> Vec<String> {
            let fixes = finding.fixes().into_iter();
            fixes.map(|fix| fix.text).collect()
        };
        let finding = Finding::new(&OTHER);
        assert_eq!(texts(finding.clone()), ["Open the door.", "Or wait."]);
        assert_eq!(
            texts(finding.with("window", "it")),
            ["Open it.", "Or open the door.", "Or wait."]
        );
    }

    #[test]
    fn a_command_in_general_has_capital_words() {
        static GENERAL: Cause = Cause {
            fixes: &[run("Call it:", "ping {host} -c {{1}}")],
            ..PLAIN
        };
        let fixes = Finding::new(&GENERAL).fixes_in_general();
        assert_eq!(fixes[0].command.as_deref(), Some("ping HOST -c {1}"));
    }
}
