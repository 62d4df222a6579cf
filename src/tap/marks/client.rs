//! A client of the table, held to a conversation.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::stack::Stack;
use super::startup;
use crate::tap::conversation::{Conversation, Encryption, EncryptionAnswer, ScramUser};
use crate::text;

/// A driver or program: a row of `knowledge/client-marks.toml`, with what its base has.
#[derive(Debug)]
pub struct Client {
    /// As it is shown.
    pub name: &'static str,
    /// As `--as` calls it.
    pub driver: Option<&'static str>,
    /// The client that it is built on, or itself.
    pub root: &'static str,
    /// The versions that this is about, in words.
    pub version: Option<&'static str>,
    pub(super) startup: &'static [&'static str],
    pub(super) any_order: bool,
    pub(super) says: Option<&'static str>,
    pub(super) application: Option<&'static str>,
    /// The names of its own statements.
    pub(super) statements: Option<&'static str>,
    pub(super) scram_user: Option<ScramUser>,
    pub(super) stacks: &'static [&'static str],
    pub(super) direct: bool,
    pub(super) gss: bool,
    pub(super) falls_back: bool,
    pub(super) extended: bool,
    /// The version since which it offers ALPN in every ClientHello.
    pub(super) alpn_since: Option<&'static str>,
    /// Others that send the same.
    pub also: &'static [&'static str],
    /// Where that was read or measured.
    pub source: &'static str,
}

/// How much a mark tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Others that are known send the same.
    Shared,
    /// A name that an application can give itself.
    Application,
    /// Nobody else that is known begins like this.
    Startup,
    /// Nobody else names statements like this.
    Statements,
}

/// Whose TLS library it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tls {
    /// Not known, or not seen.
    Unknown,
    /// The client's, with other settings.
    Library,
    /// The client's.
    Exact,
}

/// A client that may be the one.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) client: &'static Client,
    pub(super) weight: Weight,
    pub(super) tls: Tls,
    /// The marks, in plain words.
    pub(super) by: Vec<String>,
}

impl Fit {
    /// Whether more than the start-up message speaks for it: the TLS library, or how it logs in.
    pub(super) fn is_borne_out(&self, seen: &Conversation) -> bool {
        self.tls > Tls::Unknown
            || (self.client.scram_user.is_some() && seen.login.scram_user.is_some())
    }
}

impl Client {
    /// Whether it can be the client of this conversation, and what tells; none where
    /// anything speaks against it, or nothing for it.
    pub(super) fn fit(&'static self, seen: &Conversation, stack: Option<&Stack>) -> Option<Fit> {
        if self.cannot_ask(seen) || self.cannot_speak(seen) {
            return None;
        }
        let tls = self.tls(stack)?;
        let mut by = Vec::new();
        let mut weight = None;
        if let Some(name) = self.own_statement(seen) {
            let name = text::clean(name);
            by.push(format!("it names its prepared statements as in {name}"));
            weight = Some(Weight::Statements);
        }
        if let Some(message) = &seen.startup {
            if !startup::fits(self.startup, self.any_order, &message.parameters) {
                return None;
            }
            weight = weight.max(Some(Weight::Shared));
            if let Some(says) = self.says {
                by.push(format!("in its start-up message {says}"));
                weight = weight.max(Some(Weight::Startup));
            }
            let application = message.get("application_name");
            match self.application {
                Some(known) if application.is_some_and(|name| matches(known, name)) => {
                    let name = text::clean(application.unwrap_or_default());
                    by.push(format!("application_name is {name}"));
                    weight = weight.max(Some(Weight::Application));
                }
                // It is told from its base by nothing else.
                Some(_) if self.name != self.root => return None,
                _ => {}
            }
            if by.is_empty() {
                let names = message.parameters.iter().map(|(name, _)| name.as_str());
                let names = text::clean(&names.collect::<Vec<_>>().join(", "));
                by.push(format!("its start-up message has {names}, in this order"));
            }
        }
        if tls > Tls::Unknown {
            weight = weight.max(Some(Weight::Shared));
            by.extend(stack.map(|stack| format!("its ClientHello is that of {}", stack.name)));
        }
        Some(Fit {
            client: self,
            weight: weight?,
            tls,
            by,
        })
    }

    /// Whether it never asks for encryption like this, or never goes on like this.
    fn cannot_ask(&self, seen: &Conversation) -> bool {
        seen.encryption.iter().any(|request| match request.asked {
            Encryption::Gss => !self.gss,
            Encryption::DirectTls => !self.direct,
            Encryption::Tls => {
                request.answer == Some(EncryptionAnswer::Refused)
                    && seen.startup.is_some()
                    && !self.falls_back
            }
        })
    }

    /// Whether it never logs in or asks for anything like this.
    fn cannot_speak(&self, seen: &Conversation) -> bool {
        let said = seen.login.scram_user;
        let extended = seen.statements.unnamed + seen.statements.named > 0;
        matches!((self.scram_user, said), (Some(own), Some(said)) if own != said)
            || (extended && !self.extended)
    }

    /// How its TLS library stands to the one that was seen; none where it is another.
    fn tls(&self, stack: Option<&Stack>) -> Option<Tls> {
        let Some(seen) = stack.filter(|_| !self.stacks.is_empty()) else {
            return Some(Tls::Unknown);
        };
        let mut own = self.stacks.iter().filter_map(|id| Stack::named(id));
        match self.stacks.contains(&seen.id) {
            true => Some(Tls::Exact),
            false => (own.any(|stack| stack.family == seen.family)).then_some(Tls::Library),
        }
    }

    /// The first statement whose name only this client gives.
    fn own_statement<'a>(&self, seen: &'a Conversation) -> Option<&'a str> {
        let known = self.statements?;
        let mut names = seen.statements.names.iter();
        names.find(|name| matches(known, name)).map(String::as_str)
    }
}

/// Whether a text is of this expression of the table. A test compiles them all.
fn matches(expression: &'static str, text: &str) -> bool {
    static ALL: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
        let all = super::known().iter();
        let texts = all.flat_map(|client| [client.application, client.statements]);
        let compiled = texts
            .flatten()
            .map(|text| Some((text, Regex::new(text).ok()?)));
        compiled.flatten().collect()
    });
    ALL.get(expression)
        .is_some_and(|compiled| compiled.is_match(text))
}
