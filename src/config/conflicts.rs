//! Where several sources name a server: which wins, and whether that is
//! easily mistaken.

use std::path::Path;

use super::dotenv;
use super::files;
use super::frameworks;
use super::origin::Origin;
use super::parse;
use super::resolve::Resolver;
use crate::cause::config as cause;
use crate::finding::Finding;

/// What a source says about where to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SourceNames {
    host: Option<String>,
    port: Option<String>,
    dbname: Option<String>,
    user: Option<String>,
    /// The source, as people say it.
    source: String,
    /// Whether libpq, or `--env-file`, knows a variable of that name.
    is_read: bool,
}

impl SourceNames {
    /// The same as flags.
    fn flags(&self) -> Vec<String> {
        let flags = [
            ("-h", &self.host),
            ("-p", &self.port),
            ("-U", &self.user),
            ("-d", &self.dbname),
        ];
        let given = flags.iter().filter_map(|(flag, value)| {
            let value = value.as_ref().filter(|value| !value.is_empty())?;
            Some([(*flag).to_owned(), value.clone()])
        });
        given.flatten().collect()
    }
}

impl Resolver<'_> {
    /// Warns of sources that disagree about where to connect.
    pub(super) fn compare_sources(&mut self) {
        let mut warnings = Vec::new();
        warnings.extend(self.address_from_elsewhere());
        warnings.extend(self.variables_against_each_other());
        warnings.extend(self.hidden_by_env_file());
        warnings.extend(self.unused_url());
        warnings.extend(self.dotenv_beside());
        for warning in warnings {
            self.record.warn(warning);
        }
    }

    /// `PGHOSTADDR` decides where a host given by a stronger source leads to.
    fn address_from_elsewhere(&self) -> Option<Finding> {
        let (host, address) = (
            self.parameters.get("host")?,
            self.parameters.get("hostaddr")?,
        );
        let weaker = address.origin.is_variable() && !host.origin.is_variable();
        if !weaker || host.origin == Origin::Default || address.value.is_empty() {
            return None;
        }
        (host.text() != address.text()).then(|| {
            conflict(
                &self.spoken(&address.origin),
                &format!("address {}", address.text()),
                &self.spoken(&host.origin),
                &format!("host {}", host.text()),
            )
        })
    }

    /// `DATABASE_URL` against `PGHOST`, a service against it: both come from
    /// the environment, and programs differ in which they read.
    fn variables_against_each_other(&self) -> Option<Finding> {
        ["host", "port", "dbname"].iter().find_map(|name| {
            let (winner, losers) = self.parameters.all(name).split_first()?;
            let implied = match &winner.origin {
                Origin::Service { .. } => self.origin("service").is_variable(),
                origin => is_database_url(origin),
            };
            let loser = losers.iter().find(|loser| {
                (loser.origin.is_variable() || matches!(loser.origin, Origin::Service { .. }))
                    && !same(name, &winner.text(), &loser.text())
            })?;
            implied.then(|| {
                conflict(
                    &self.spoken(&winner.origin),
                    &said(name, &winner.text()),
                    &self.spoken(&loser.origin),
                    &said(name, &loser.text()),
                )
            })
        })
    }

    /// The environment says otherwise than the dotenv file that hides it.
    fn hidden_by_env_file(&self) -> Option<Finding> {
        let file = self.args.env_file.as_ref()?;
        let named = |name: &str, variable: &str| {
            let hidden = self.surroundings.var(variable).filter(|v| !v.is_empty())?;
            let used = self.parameters.get(name)?;
            let decided = matches!(used.origin, Origin::EnvFile { .. } | Origin::Default);
            (decided && !same(name, &used.text(), &hidden)).then(|| {
                conflict(
                    &format!("--env-file {}", file.display()),
                    &said(name, &used.text()),
                    &format!("{variable} in the environment"),
                    &said(name, &hidden),
                )
            })
        };
        [
            ("host", "PGHOST"),
            ("port", "PGPORT"),
            ("dbname", "PGDATABASE"),
        ]
        .iter()
        .find_map(|(name, variable)| named(name, variable))
        .or_else(|| {
            let url = self.surroundings.var("DATABASE_URL")?;
            let other = names_of_url(&url, "DATABASE_URL in the environment")?;
            let (name, used, unused) = self.differs(&other)?;
            let origin = self.origin(name);
            let decided = matches!(origin, Origin::EnvFile { .. } | Origin::Default);
            decided.then(|| {
                conflict(
                    &format!("--env-file {}", file.display()),
                    &said(name, &used),
                    &other.source,
                    &said(name, &unused),
                )
            })
        })
    }

    /// `DATABASE_URL` is not read where a flag says a part, and it may say
    /// what is then left to something else.
    fn unused_url(&self) -> Option<Finding> {
        let args = self.args;
        if args.target.is_some() || args.url.is_some() || !self.names_a_part() {
            return None;
        }
        let variable = self.variables.get("DATABASE_URL")?;
        let other = names_of_url(&variable.text(), &self.spoken(&variable.origin))?;
        self.against(&other, None)
    }

    /// A dotenv file in the current directory, which is never a source.
    fn dotenv_beside(&mut self) -> Option<Finding> {
        if self.args.env_file.is_some() {
            return None;
        }
        let path = self.surroundings.cwd.join(".env");
        let bytes = files::read(&path).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let read = dotenv::parse(&text, |name| self.surroundings.var(name)).ok()?;
        let other = names_of_dotenv(&read)?;
        let (name, used, unused) = self.differs(&other)?;
        self.record.fact(
            "dotenv",
            serde_json::json!({
                "source": other.source.as_str(),
                "parameter": name,
                "value": unused,
                "used": used,
                "read": false,
            }),
        );
        self.against(&other, Some(Path::new(".env")))
    }

    /// A warning where a default or a variable decides, and this says otherwise.
    fn against(&self, other: &SourceNames, file: Option<&Path>) -> Option<Finding> {
        let (name, used, unused) = self.differs(other)?;
        let origin = self.origin(name);
        match origin {
            Origin::Default => Some(
                Finding::new(&cause::DEFAULT_USED)
                    .with(
                        "parameter",
                        if name == "dbname" { "database" } else { name },
                    )
                    .with("used", used)
                    .with("loser", other.source.clone())
                    .with("unused", said(name, &unused))
                    .with("file", file.map(|file| file.display().to_string()))
                    .word(
                        "env_file",
                        file.filter(|_| other.is_read)
                            .map(|file| file.display().to_string()),
                    )
                    .word(
                        "flags",
                        file.filter(|_| !other.is_read).map(|_| other.flags()),
                    ),
            ),
            origin if origin.is_variable() => Some(conflict(
                &self.spoken(&origin),
                &said(name, &used),
                &other.source,
                &said(name, &unused),
            )),
            _ => None,
        }
    }

    /// The first thing in which a source differs from what is used: the
    /// parameter, what is used, and what the source says.
    fn differs(&self, other: &SourceNames) -> Option<(&'static str, String, String)> {
        [
            ("host", &other.host),
            ("port", &other.port),
            ("dbname", &other.dbname),
        ]
        .into_iter()
        .find_map(|(name, value)| {
            let value = value.clone().filter(|value| !value.is_empty())?;
            let used = self.parameters.text(name).or_else(|| {
                (name == "host")
                    .then(|| self.parameters.text("hostaddr"))
                    .flatten()
            })?;
            (!same(name, &used, &value)).then_some((name, used, value))
        })
    }
}

fn conflict(winner: &str, used: &str, loser: &str, unused: &str) -> Finding {
    Finding::new(&cause::SOURCES_CONFLICT)
        .with("winner", winner.to_owned())
        .with("used", used.to_owned())
        .with("loser", loser.to_owned())
        .with("unused", unused.to_owned())
}

fn said(name: &str, value: &str) -> String {
    match name {
        "dbname" => format!("database {value}"),
        name => format!("{name} {value}"),
    }
}

/// Whether two values of a parameter mean the same place.
fn same(name: &str, a: &str, b: &str) -> bool {
    let loopback = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1");
    match name {
        "host" => {
            a.trim_end_matches('.')
                .eq_ignore_ascii_case(b.trim_end_matches('.'))
                || (loopback(a) && loopback(b))
        }
        _ => a.trim() == b.trim(),
    }
}

fn is_database_url(origin: &Origin) -> bool {
    match origin {
        Origin::Variable(name)
        | Origin::ProcessVariable { name, .. }
        | Origin::EnvFile { name, .. } => name == "DATABASE_URL",
        _ => false,
    }
}

/// What a URL says; nothing where it cannot be read.
fn names_of_url(url: &str, source: &str) -> Option<SourceNames> {
    let read = parse::read(url, source).ok()?;
    let value = |name: &str| {
        let given = read.assignments.iter().rev().find(|a| a.name == name);
        given.map(|a| a.text()).filter(|text| !text.is_empty())
    };
    let host = value("host").or_else(|| value("hostaddr"));
    Some(SourceNames {
        port: value("port").or_else(|| host.is_some().then(|| "5432".to_owned())),
        host,
        dbname: value("dbname"),
        user: value("user"),
        source: source.to_owned(),
        is_read: true,
    })
}

/// What a dotenv file says: its URL, else the variables of libpq, of the
/// official image and of common frameworks.
fn names_of_dotenv(read: &[dotenv::Set]) -> Option<SourceNames> {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            let set = read.iter().rev().find(|set| set.name == *name)?;
            let value = set.value.clone().filter(|value| !value.is_empty())?;
            let source = format!("{} in .env line {}", set.name, set.line);
            let is_read = set.name.starts_with("PG") || set.name == "DATABASE_URL";
            Some((value, source, is_read))
        })
    };
    let url = find(&frameworks::URL);
    if let Some((url, source, is_read)) = url
        && let Some(names) = names_of_url(&url, &source)
    {
        return Some(SourceNames { is_read, ..names });
    }
    let host = find(&frameworks::HOST);
    let port = find(&frameworks::PORT);
    let dbname = find(&frameworks::DBNAME);
    let user = find(&frameworks::USER);
    let places = [&host, &port, &dbname];
    let source = places
        .into_iter()
        .find_map(|found| found.as_ref().map(|(_, source, _)| source.clone()))?;
    let is_read = places.into_iter().flatten().all(|(_, _, is_read)| *is_read);
    let value = |found: Option<(String, String, bool)>| found.map(|(value, ..)| value);
    Some(SourceNames {
        host: value(host),
        port: value(port),
        dbname: value(dbname),
        user: value(user),
        source,
        is_read,
    })
}
