//! What a driver made of the settings, for the report.

use serde_json::{Value, json};

use crate::client::Driver;
use crate::client::profile::Plan;

/// What a driver needs and has no default for.
pub const HOST: &str = "host";
/// What a driver needs and has no default for.
pub const USER: &str = "user";

/// How a driver sees the settings.
#[derive(Clone, Debug)]
pub struct View {
    /// The driver.
    pub driver: Driver,
    /// How it is known: `--as`, `the URL's scheme`.
    pub told_by: &'static str,
    /// Every parameter that was given, with its fate.
    pub parameters: Vec<Given>,
    /// Every source there is, and whether the driver reads it.
    pub sources: Vec<Source>,
    /// What it does about TLS.
    pub plan: Plan,
    /// Whether it verifies the chain, and the name.
    pub verifies: (bool, bool),
    /// Whom it trusts where it verifies.
    pub trust: Option<String>,
    /// `sslmode` as it was written.
    pub written_mode: Option<String>,
    /// What it puts into the start-up message of its own accord.
    pub startup: Vec<(String, String)>,
}

/// A parameter that was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its name as it was written.
    pub name: String,
    /// What becomes of it: `understood`, `ignored`, `sent`, `refused`.
    pub fate: &'static str,
    /// Where it was given.
    pub source: String,
    /// What it is taken for, where it is another thing than its name says.
    pub note: Option<String>,
}

/// A source of settings.
#[derive(Clone, Debug)]
pub struct Source {
    /// A variable or a file.
    pub name: String,
    /// Whether it is read.
    pub read: bool,
    /// The keyword that a variable sets.
    pub keyword: Option<&'static str>,
    /// Whether there is anything in it.
    pub there: bool,
}

impl View {
    /// A view of nothing yet.
    pub fn new(driver: Driver, told_by: &'static str) -> Self {
        Self {
            driver,
            told_by,
            parameters: Vec::new(),
            sources: Vec::new(),
            plan: driver.profile.tls.absent,
            verifies: (false, false),
            trust: None,
            written_mode: None,
            startup: Vec::new(),
        }
    }

    /// Notes what becomes of a parameter.
    pub fn note(&mut self, name: &str, fate: &'static str, source: &str, note: Option<String>) {
        self.parameters.push(Given {
            name: crate::text::clean(name),
            fate,
            source: source.to_owned(),
            note,
        });
    }

    /// What the report has of it, by name.
    pub fn facts(&self) -> Vec<(&'static str, Value)> {
        let profile = self.driver.profile;
        let asks = match self.plan {
            Plan::Off => "never",
            Plan::ClearFirst => "if the server insists",
            Plan::Prefer | Plan::PreferVerified => "prefer",
            _ => "require",
        };
        let parameters: Vec<Value> = self
            .parameters
            .iter()
            .map(|it| json!({"name": it.name, "fate": it.fate, "note": it.note}))
            .collect();
        let sources: Vec<Value> = self
            .sources
            .iter()
            .map(|it| json!({"name": it.name, "read": it.read}))
            .collect();
        let own: serde_json::Map<String, Value> = self
            .startup
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        vec![
            ("driver", json!(self.driver.name())),
            ("version", json!(self.driver.version.to_string())),
            (
                "libpq",
                json!(self.driver.linked_libpq().map(|it| it.to_string())),
            ),
            ("told_by", json!(self.told_by)),
            ("measured", json!(profile.measured)),
            ("rules_from", json!(profile.source)),
            (
                "tls",
                json!({
                    "asks": asks,
                    "verifies_chain": self.verifies.0,
                    "verifies_name": self.verifies.1,
                    "trust": self.trust,
                }),
            ),
            ("parameters", json!(parameters)),
            ("sources", json!(sources)),
            ("startup", Value::Object(own)),
            (
                "addresses",
                json!(match profile.addresses {
                    crate::client::profile::Addresses::All => "every address of a name, in turn",
                    crate::client::profile::Addresses::FirstIpv4 => {
                        "the first address of a name alone, IPv4 before IPv6"
                    }
                }),
            ),
            ("timeouts", json!({"connect_s": profile.connect_timeout})),
            ("keepalive", json!(profile.keepalive)),
            (
                "statements",
                json!(profile.statements.unwrap_or("not named")),
            ),
        ]
    }
}
