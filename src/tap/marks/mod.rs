//! Which driver or program a client is, by what it sends.
//!
//! ```text
//! Conversation ─► every client of knowledge/client-marks.toml that nothing speaks against
//!                       └─► the ones for which most speaks ─► Recognised
//! ```

mod client;
mod stack;
mod startup;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Value, json};

pub use client::Client;
pub use stack::Stack;

use super::conversation::{Conversation, Encryption, ScramUser};
use crate::client::Driver;
use client::{Fit, Weight};

include!(concat!(env!("OUT_DIR"), "/marks.rs"));

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Others that are known send the same.
    Possible,
    /// It calls itself so, or it is the only one that is known to send this.
    Likely,
    /// Nobody else does what it does.
    Certain,
}

/// The client that a conversation is of.
#[derive(Clone, Debug)]
pub struct Recognised {
    /// Which, or the first of them where several send the same.
    pub client: &'static Client,
    /// Its version, as far as the marks tell, in words: `5`, `libpq before 17`.
    pub version: Option<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// The marks, in plain words: each a clause of its own.
    pub by: Vec<String>,
    /// What is built on it, or it on, and looks the same here.
    pub alike: Vec<&'static str>,
    /// Others that look the same here.
    pub others: Vec<&'static str>,
    /// What more would tell them apart.
    pub told_by: Option<&'static str>,
}

impl Recognised {
    /// The driver that `--as` would be given; none where that knows none, or where it is one
    /// of several that have nothing in common.
    pub fn driver(&self) -> Option<Driver> {
        (self.certainty > Certainty::Possible).then_some(())?;
        self.client.driver.and_then(|name| Driver::parse(name).ok())
    }
}

impl Recognised {
    /// As it stands in a report.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.client.name,
            "as": self.client.driver,
            "version": self.version,
            "certainty": self.certainty.as_str(),
            "by": self.by,
            "alike": self.alike,
            "others": self.others,
            "told_by": self.told_by,
        })
    }
}

impl Certainty {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// How many of those that are alike are shown.
const SHOWN: usize = 5;

impl fmt::Display for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.client.name)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        // What a habit of its own tells needs no list of what is built on it.
        if let (Certainty::Possible | Certainty::Likely, [_, ..]) = (self.certainty, &*self.alike) {
            let some = &self.alike[..self.alike.len().min(SHOWN)];
            let more = if self.alike.len() > SHOWN {
                ", …"
            } else {
                ""
            };
            write!(f, " (or {}{more})", some.join(", "))?;
        }
        self.others
            .iter()
            .try_for_each(|name| write!(f, " or {name}"))
    }
}

/// Every client that is known.
pub fn known() -> &'static [Client] {
    CLIENTS
}

/// The client that this conversation is of; none where it sends what no client of the table
/// does, or nothing that tells.
pub fn recognise(seen: &Conversation) -> Option<Recognised> {
    let stack = seen.client_hello.as_ref().and_then(Stack::of);
    let fits = CLIENTS.iter().filter_map(|client| client.fit(seen, stack));
    let fits: Vec<Fit> = fits.collect();
    let most = fits.iter().map(|fit| (fit.weight, fit.tls)).max()?;
    let kept: Vec<&Fit> = (fits.iter())
        .filter(|fit| (fit.weight, fit.tls) == most)
        .collect();
    let first = kept.first()?;
    let client = first.client;

    let one_root = kept.iter().all(|fit| fit.client.root == client.root);
    let certainty = match most.0 {
        _ if !one_root => Certainty::Possible,
        Weight::Statements | Weight::Startup => Certainty::Certain,
        Weight::Application => Certainty::Likely,
        // Strangers send the same: something else must speak for it too.
        Weight::Shared if seen.startup.is_some() && first.is_borne_out(seen) => Certainty::Likely,
        Weight::Shared => Certainty::Possible,
    };
    let (mut alike, mut others) = (Vec::new(), Vec::new());
    for fit in &kept {
        let (names, also): (&mut Vec<&str>, _) = match fit.client.root == client.root {
            true => (&mut alike, fit.client.also),
            // What is built on another one adds nothing.
            false => (&mut others, &[] as &[_]),
        };
        for name in std::iter::once(&fit.client.name).chain(also) {
            if *name != client.name && !names.contains(name) {
                names.push(name);
            }
        }
    }
    // Drivers before what few applications use.
    alike.sort_by_key(|name| client.also.contains(name));
    Some(Recognised {
        client,
        version: version(&kept, client, seen),
        certainty,
        by: first.by.clone(),
        told_by: told_by(&kept, seen),
        alike,
        others,
    })
}

/// The version, where all rows that fit are of one, or where ALPN tells it.
fn version(kept: &[&Fit], client: &Client, seen: &Conversation) -> Option<String> {
    let of_it = kept.iter().filter(|fit| fit.client.name == client.name);
    let mut versions = of_it.map(|fit| fit.client.version);
    let first = versions.next()?;
    if let Some(version) = first.filter(|_| versions.all(|other| other == first)) {
        return Some(version.to_owned());
    }
    // With direct TLS everybody must offer it.
    let after_request = seen.encryption.iter().any(|it| it.asked == Encryption::Tls);
    let (since, hello) = (client.alpn_since?, seen.client_hello.as_ref()?);
    after_request.then(|| {
        let built_on = match client.name == client.root {
            true => String::new(),
            false => format!("with {} ", client.root),
        };
        match hello.alpn.is_empty() {
            true => format!("{built_on}before {since}"),
            false => format!("{built_on}{since} or newer"),
        }
    })
}

/// What more would tell those apart that look the same.
fn told_by(kept: &[&Fit], seen: &Conversation) -> Option<&'static str> {
    if seen.startup.is_none() {
        return Some("the start-up message, which TLS hides: run dbdoctor tap --stand-in");
    }
    let names = kept.iter().any(|fit| fit.client.statements.is_some());
    (names && kept.len() > 1 && seen.statements.names.is_empty())
        .then_some("the names of prepared statements, once it prepares some")
}
