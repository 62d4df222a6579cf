//! Values of reports, by what they are called.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::forms::{self, Span};
use super::keys::{Holds, holds, is_code, part, setting_holds};
use super::names::Kind;
use super::parts::{attributes, endpoint, is_part, is_phrase, is_plain, is_program};
use super::words::{self, are_words, is_common};
use super::{Redactor, paths};
use crate::provider;

impl Redactor {
    /// A report in JSON without names, of this or another version.
    pub fn json(&mut self, report: &Value) -> Value {
        self.learn_report(report);
        let Value::Object(map) = report else {
            return self.value("", report);
        };
        let shown = map.iter().map(|(name, value)| {
            let shown = match name.as_str() {
                "target" => self.target(value),
                "tool" | "schema_version" | "run" => value.clone(),
                _ => self.value(name, value),
            };
            (name.clone(), shown)
        });
        Value::Object(shown.collect())
    }

    /// Learns the names of a report in JSON: of its target first, so that their
    /// numbers are the lowest, then of its facts and evidence.
    fn learn_report(&mut self, report: &Value) {
        self.learn_target_json(&report["target"]);
        for stage in report["stages"].as_array().into_iter().flatten() {
            self.learn("", &stage["facts"]);
            for finding in stage["findings"].as_array().into_iter().flatten() {
                self.learn("", &finding["evidence"]);
            }
        }
    }

    pub(super) fn learn_target_json(&mut self, target: &Value) {
        let parameters = target["parameters"].as_object();
        let first = ["host", "hostaddr", "user", "dbname", "service"];
        let mut settings: Vec<(&String, &Value)> = parameters.into_iter().flatten().collect();
        settings.sort_by_key(|(name, _)| {
            let place = first.iter().position(|it| it == name);
            place.unwrap_or(first.len())
        });
        for (name, setting) in settings {
            let shadows = setting["shadows"].as_array().into_iter().flatten();
            for held in std::iter::once(setting).chain(shadows) {
                if let Some(value) = held["value"].as_str() {
                    self.learn_setting(name, value);
                    self.setting_value(name, value);
                }
                self.learn_origin(&held["origin"]);
            }
        }
        self.learn("ssh", &target["ssh"]);
    }

    fn learn_origin(&mut self, origin: &Value) {
        if let Some(file) = origin["file"].as_str() {
            self.learn_path(file);
        }
        if let (Some("service"), Some(name)) = (origin["kind"].as_str(), origin["name"].as_str()) {
            self.names.learn(Kind::Service, name);
        }
    }

    fn learn_setting(&mut self, name: &str, value: &str) {
        match setting_holds(name) {
            Holds::Name(Kind::Database) if value.contains("://") || value.contains('=') => {}
            Holds::Name(Kind::Path) if value == "system" => {}
            Holds::Setting if !is_plain(value) => self.names.learn(Kind::Value, value),
            Holds::Name(Kind::Path) => self.learn_path(value),
            Holds::Name(kind) => self.names.learn(kind, value),
            held => self.learn_as(held, value),
        }
    }

    /// Learns the names in a value, by what it is called.
    pub(super) fn learn(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(map) => {
                for (inner, value) in map {
                    self.learn(&part(name, inner), value);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.learn(name, item);
                }
            }
            Value::String(text) if !is_code(name) => self.learn_as(holds(name), text),
            _ => {}
        }
    }

    pub(super) fn learn_as(&mut self, held: Holds, text: &str) {
        match held {
            Holds::Name(Kind::Path) => self.learn_path(text),
            Holds::Name(Kind::Program) if are_words(text) || is_program(text) => {}
            Holds::Name(Kind::Application) if is_program(text) => {}
            Holds::Name(kind) if !is_phrase(text) => self.names.learn(kind, text),
            Holds::Compared if !is_plain(text) && !text.contains(' ') && !self.is_form(text) => {
                self.names.learn(Kind::Name, text);
            }
            Holds::Role if !is_part(text) => self.names.learn(Kind::User, text),
            Holds::Endpoint => self.learn_endpoint(text),
            Holds::Distinguished if text.contains("://") || self.is_form(text) => {}
            Holds::Distinguished => {
                for (_, value) in attributes(text) {
                    match forms::is_host(value) {
                        true => self.learn_endpoint(value),
                        false if value.parse::<IpAddr>().is_ok() => {}
                        false => self.names.learn(Kind::Name, value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Learns the parts of `[USER@]HOST[:PORT]`, of a list of them.
    pub(super) fn learn_endpoint(&mut self, text: &str) {
        if text.contains("://") || is_phrase(text) {
            return;
        }
        let is_list = text.contains(' ');
        let all = text.split([',', ' ']);
        for one in all.filter(|one| !is_list || !words::is_word(one)) {
            let (user, host, _) = endpoint(one);
            if let Some(user) = user {
                self.names.learn(Kind::User, user);
            }
            match host {
                host if host.starts_with(['/', '~']) => self.learn_path(host),
                host if host.parse::<IpAddr>().is_ok() => {}
                host if host.chars().all(|c| c.is_ascii_digit()) => {}
                host => {
                    self.names.learn(Kind::Host, host.trim_start_matches("*."));
                    // What it is in names its owner too.
                    if let Some((_, domain)) = host.split_once('.')
                        && domain.contains('.')
                        && provider::domain(host).is_none()
                    {
                        self.names.learn(Kind::Host, domain);
                    }
                }
            }
        }
    }

    pub(super) fn learn_path(&mut self, path: &str) {
        let is_one = path.contains(['/', '\\', '.']) || !is_phrase(path) && !words::is_word(path);
        if is_one && !path.contains("://") && !path.contains(", ") && !paths::is_standard(path) {
            let named = paths::named_part(path);
            if named.len() > 1 && !paths::is_standard(named) {
                self.names.learn(Kind::Path, named);
            }
        }
    }

    /// The target, whose settings are values by their own names.
    pub(super) fn target(&mut self, target: &Value) -> Value {
        let Value::Object(map) = target else {
            return target.clone();
        };
        let shown = map.iter().map(|(name, value)| {
            let shown = match (name.as_str(), value) {
                ("parameters", Value::Object(settings)) => {
                    let each = settings.iter();
                    let each = each.map(|(name, it)| (name.clone(), self.setting(name, it)));
                    Value::Object(each.collect())
                }
                ("url", Value::String(url)) => Value::String(self.target_url(url)),
                (name, value) => self.value(name, value),
            };
            (name.clone(), shown)
        });
        Value::Object(shown.collect())
    }

    /// The target as a URI, in which settings follow a question mark.
    fn target_url(&mut self, url: &str) -> String {
        let Some((url, settings)) = url.split_once('?') else {
            return self.text(url);
        };
        let settings: Vec<String> = settings
            .split('&')
            .map(|setting| match setting.split_once('=') {
                Some((name, value)) => {
                    let held = forms::decoded(value);
                    match self.setting_value(name, &held) {
                        same if same == held => setting.to_owned(),
                        shown => format!("{name}={shown}"),
                    }
                }
                None => self.text(setting),
            })
            .collect();
        format!("{}?{}", self.text(url), settings.join("&"))
    }

    /// A setting's value, where it came from, and what it won over.
    fn setting(&mut self, name: &str, held: &Value) -> Value {
        let Value::Object(map) = held else {
            return held.clone();
        };
        let shown = map.iter().map(|(part, value)| {
            let shown = match (part.as_str(), value) {
                ("value", Value::String(text)) => Value::String(self.setting_value(name, text)),
                ("shadows", Value::Array(shadows)) => {
                    shadows.iter().map(|it| self.setting(name, it)).collect()
                }
                ("origin", Value::Object(origin)) => {
                    let kind = origin.get("kind").and_then(Value::as_str);
                    let is_service = kind == Some("service");
                    let each = origin.iter().map(|(part, value)| {
                        let shown = match (part.as_str(), value) {
                            ("name", Value::String(text)) if is_service => {
                                self.names.pseudonym(Kind::Service, text).into()
                            }
                            ("file", Value::String(text)) => self.path(text).into(),
                            (_, value) => value.clone(),
                        };
                        (part.clone(), shown)
                    });
                    Value::Object(each.collect())
                }
                (_, value) => value.clone(),
            };
            (part.clone(), shown)
        });
        Value::Object(shown.collect())
    }

    fn setting_value(&mut self, name: &str, text: &str) -> String {
        match setting_holds(name) {
            Holds::Name(Kind::Database) if text.contains("://") || text.contains('=') => {
                self.text(text)
            }
            Holds::Name(Kind::Path) if text == "system" => text.to_owned(),
            Holds::Setting if is_plain(text) => text.to_owned(),
            Holds::Setting => self.names.pseudonym(Kind::Value, text),
            Holds::Name(kind) if kind != Kind::Path && !text.is_empty() => {
                self.names.pseudonym(kind, text)
            }
            held => self.held(held, text),
        }
    }

    /// Facts without names.
    pub(super) fn map(&mut self, map: &Map<String, Value>) -> Map<String, Value> {
        match self.value("", &Value::Object(map.clone())) {
            Value::Object(shown) => shown,
            _ => Map::new(),
        }
    }

    /// A value without names, by what it is called.
    pub(super) fn value(&mut self, name: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let each = map.iter();
                let each = each.map(|(inner, value)| {
                    // What is told of an address, or the like, by that.
                    let key = match inner.contains(['.', ':', '/', '@']) {
                        true => self.text(inner),
                        false => inner.clone(),
                    };
                    (key, self.value(&part(name, inner), value))
                });
                Value::Object(each.collect())
            }
            Value::Array(items) => items.iter().map(|it| self.value(name, it)).collect(),
            Value::String(text) if is_code(name) => Value::String(text.clone()),
            Value::String(text) => Value::String(self.held(holds(name), text)),
            other => other.clone(),
        }
    }

    fn held(&mut self, held: Holds, text: &str) -> String {
        match held {
            Holds::Name(Kind::Path) => self.path(text),
            Holds::Name(Kind::Program) if are_words(text) || is_program(text) => text.to_owned(),
            Holds::Name(Kind::Application) if is_program(text) => text.to_owned(),
            // What we say where there is no name.
            Holds::Name(_) if is_phrase(text) => self.text(text),
            Holds::Name(Kind::User | Kind::Database | Kind::Cluster | Kind::Service)
                if forms::is_host(text) || text.contains('@') =>
            {
                self.text(text)
            }
            Holds::Name(kind) => self.names.pseudonym(kind, text),
            Holds::Role if is_part(text) || is_phrase(text) => text.to_owned(),
            Holds::Role => self.names.pseudonym(Kind::User, text),
            Holds::Endpoint => self.endpoint(text),
            Holds::Distinguished => self.distinguished(text),
            Holds::Command => self.command(text),
            Holds::Said => self.said(text),
            Holds::Banner => self.banner(text),
            Holds::Setting | Holds::Compared | Holds::Text => self.text(text),
        }
    }

    /// Whether all of a text is a name by its form.
    pub(super) fn is_form(&self, text: &str) -> bool {
        let spans = forms::find(text, &self.names);
        let whole = |span: &Span| span.from == 0 && span.to == text.len();
        spans.iter().any(whole)
    }

    fn path(&mut self, text: &str) -> String {
        if text.contains("://") || text.contains(", ") {
            return self.text(text);
        }
        if !text.contains(['/', '\\', '.']) && (is_phrase(text) || words::is_word(text)) {
            return self.text(text);
        }
        // `FILE:12`
        let (path, line) = match text.rsplit_once(':') {
            Some((path, line)) if !line.is_empty() && line.chars().all(|c| c.is_ascii_digit()) => {
                (path, &text[path.len()..])
            }
            _ => (text, ""),
        };
        if is_phrase(path) && !path.starts_with(['/', '~']) {
            return self.text(text);
        }
        let spans = paths::at(path, 0, &self.names);
        let shown = self.replaced(path, spans);
        format!("{shown}{line}")
    }

    fn endpoint(&mut self, text: &str) -> String {
        if text.contains("://") || is_phrase(text) || text.contains(" (") {
            return self.text(text);
        }
        let parts: Vec<String> = text
            .split(',')
            .map(|one| {
                let blanks = one.len() - one.trim_start().len();
                let trimmed = one.trim();
                if trimmed.contains(' ') {
                    return self.text(one);
                }
                let (user, host, _) = endpoint(trimmed);
                if host.is_empty() {
                    return one.to_owned();
                }
                let mut shown = one[..blanks].to_owned();
                let mut rest = trimmed;
                if let Some(user) = user {
                    shown += &self.names.pseudonym(Kind::User, user);
                    shown.push('@');
                    rest = &rest[user.len() + 1..];
                }
                let at = rest.find(host).unwrap_or(0);
                shown += &rest[..at];
                shown += &self.host(host);
                shown += &rest[at + host.len()..];
                shown
            })
            .collect();
        parts.join(",")
    }

    fn host(&mut self, host: &str) -> String {
        if host.starts_with(['/', '~']) {
            return self.path(host);
        }
        let is_number = host.chars().all(|c| c.is_ascii_digit());
        let (star, bare) = match host.strip_prefix("*.") {
            Some(bare) => ("*.", bare),
            None => ("", host),
        };
        match host.parse::<IpAddr>().is_ok() || forms::is_host(bare) {
            true => self.text(host),
            false if is_number || host.contains(['$', '%', '(']) => self.text(host),
            false => format!("{star}{}", self.names.pseudonym(Kind::Host, bare)),
        }
    }

    fn distinguished(&mut self, text: &str) -> String {
        if text.contains("://") || self.is_form(text) {
            return self.text(text);
        }
        let mut out = String::new();
        let mut rest = text;
        for (at, value) in attributes(text) {
            let begin = text.len() - rest.len();
            out += &text[begin..at];
            out += &match value {
                value if forms::is_host(value) || self.is_form(value) => self.text(value),
                value if value.parse::<IpAddr>().is_ok() => self.text(value),
                value if provider::has_authority(value) || is_common(value) => value.to_owned(),
                value => self.names.pseudonym(Kind::Name, value),
            };
            rest = &text[at + value.len()..];
        }
        // It may be a sentence about one, or a name alone.
        match rest.len() == text.len() {
            true => self.text(text),
            false => out + rest,
        }
    }

    /// The first words of a command: the program's own name says nothing, unless it is
    /// none of those we know.
    fn command(&mut self, text: &str) -> String {
        let shown = self.text(text);
        let words: Vec<String> = shown
            .split(' ')
            .map(|word| {
                let bare = word.trim_matches(['\'', '"', ',', ';', ':']);
                let known = bare.is_empty()
                    || are_words(bare)
                    || bare.starts_with(['-', '%', '$', '/', '~'])
                    || self.has_pseudonym(bare)
                    || is_program(bare);
                match known {
                    true => word.to_owned(),
                    false => word.replacen(bare, &self.names.pseudonym(Kind::Program, bare), 1),
                }
            })
            .collect();
        words.join(" ")
    }

    /// A banner, in which a word that we do not use ourselves may be a name.
    fn banner(&mut self, text: &str) -> String {
        let shown = self.said(text);
        let words: Vec<String> = shown
            .split(' ')
            .map(|word| {
                let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
                match are_words(bare) || self.has_pseudonym(bare) {
                    true => word.to_owned(),
                    false => word.replacen(bare, &self.names.pseudonym(Kind::Name, bare), 1),
                }
            })
            .collect();
        words.join(" ")
    }

    fn has_pseudonym(&self, word: &str) -> bool {
        let parts = word.split([':', '@', '/', '=', '[', ']', ',']);
        parts.into_iter().any(|part| self.names.is_pseudonym(part))
    }
}
