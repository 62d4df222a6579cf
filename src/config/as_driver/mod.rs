//! The settings as a driver reads them, in libpq's terms: what a driver does not
//! read is not there, and what it takes for something else is that. The one
//! pipeline then does with them what the driver would.

pub mod url;
pub mod view;

use std::path::{Path, PathBuf};

use super::assemble::is_local;
use super::dsn::Assignment;
use super::enums::{ChannelBinding, SslMode};
use super::origin::Origin;
use super::resolve::Resolver;
use super::{NamedFile, Roots, Target, catalog, driver, driver_parameter, uri};
use crate::cause::{config as config_cause, driver as cause};
use crate::client::profile::{
    Binding, DefaultUser, Fate, Hosts, Missing, Passfile, Plan, Reader, Stack, Trust,
};
use crate::client::{Driver, Profile, Rules, Version, libpq};
use crate::finding::Finding;

use view::{Source, View};

/// The driver whose own scheme a URL has.
pub fn implied(text: &str) -> Option<Driver> {
    if text.starts_with(driver::JDBC) {
        return Driver::parse("pgjdbc").ok();
    }
    let (scheme, _) = driver::scheme(text)?;
    let behind = ["postgresql+", "postgres+"]
        .iter()
        .find_map(|prefix| scheme.strip_prefix(prefix))?;
    Driver::parse(&format!("sqlalchemy+{behind}")).ok()
}

/// What a driver's parameter is in libpq's terms.
enum Meaning {
    /// libpq's keyword.
    Keyword(&'static str),
    /// Something of its own.
    Own,
    /// Nothing.
    Other(Fate),
}

impl Resolver<'_> {
    /// Reads every source that the driver reads.
    ///
    /// # Errors
    /// What the driver stops at before it connects.
    pub(super) fn read_as(&mut self, driver: Driver, told_by: &'static str) -> Result<(), Finding> {
        let mut view = View::new(driver, told_by);
        self.note_sources(&mut view);
        let outcome = match driver.linked_libpq() {
            Some(_) => self.read_as_libpq(driver, &mut view),
            None => self.read_own_way(driver, &mut view),
        };
        self.view = Some(view);
        outcome
    }

    /// What the driver says, with its name.
    fn driver_finding(
        &self,
        cause: &'static crate::cause::Cause,
        driver: Driver,
        error: &str,
    ) -> Finding {
        Finding::new(cause)
            .with("driver", driver.to_string())
            .with("problem", error.to_owned())
            .with("error", error.to_owned())
    }

    /// A driver on top of libpq: libpq's own way, as its release has it.
    fn read_as_libpq(&mut self, driver: Driver, view: &mut View) -> Result<(), Finding> {
        self.read_flags();
        let outcome = match driver.sqlalchemy {
            true => self.read_url(driver, view),
            false => self.read_target_strictly(driver.linked_libpq().unwrap_or_default()),
        };
        outcome.and_then(|()| self.read_service())?;
        self.read_environment();
        self.read_frameworks();
        let version = driver.linked_libpq().unwrap_or_default();
        let mut refused = None;
        for (param, given) in self.parameters.iter() {
            if given.origin == Origin::Default {
                continue;
            }
            // A variable that it does not know is not looked at.
            let variable = given.origin.is_variable();
            let source = self.spoken(&given.origin);
            let later = libpq::later(version, param.name);
            let fate = match (later, variable) {
                (None, _) => "understood",
                (Some(_), true) => "ignored",
                (Some(_), false) => "refused",
            };
            view.note(param.name, fate, &source, None);
            if let (Some(since), false) = (later, variable) {
                refused.get_or_insert((param.name, source, since));
            }
        }
        if let Some((name, source, since)) = refused {
            let error = format!("invalid connection option \"{name}\"");
            return Err(self
                .driver_finding(&cause::PARAM_REFUSED, driver, &error)
                .with("parameter", name)
                .with("source", source)
                .with("libpq", version.to_string())
                .fix(
                    format!("Use libpq {since} or newer (the driver is linked with {version}), or remove {name}."),
                    None,
                ));
        }
        let roots = self.parameters.text("sslrootcert");
        if roots.as_deref() == Some("system") && !libpq::knows_system_roots(version) {
            // It is a file of that name.
            let origin = self.parameters.origin("sslrootcert");
            self.parameters.add_first("sslrootcert", "./system", origin);
        }
        self.add_defaults();
        let mode = self.parameters.text("sslmode").unwrap_or_default();
        view.written_mode = Some(mode.clone());
        view.plan = match mode.as_str() {
            "disable" => Plan::Off,
            "allow" => Plan::ClearFirst,
            "require" => Plan::ChainIfRoot,
            "verify-ca" => Plan::Chain,
            "verify-full" => Plan::Full,
            _ => Plan::Prefer,
        };
        Ok(())
    }

    /// The target as libpq itself reads it, without the leave that is given to the spellings
    /// of others.
    fn read_target_strictly(&mut self, version: Version) -> Result<(), Finding> {
        // Before 18 blanks at the end of a URL are a part of its last value.
        if version.major() < 18
            && let Some((text, origin)) = self.target_text()
            && text.ends_with(' ')
            && let Some((_, rest)) = driver::scheme(&text)
            && let whole = rest.trim_end_matches(' ')
            && let blanks = "%20".repeat(rest.len() - whole.len())
            && let Ok(read) = uri::written(&format!("postgresql://{whole}{blanks}"))
            && let Some(last) = read.into_iter().next_back()
            && let Some(param) = catalog::find(&last.name)
            && last.text().ends_with(' ')
        {
            self.parameters.add(param.name, last.value, origin);
        }
        let before = self.record.findings.len();
        self.read_target()?;
        let spelled = |finding: &Finding| {
            finding
                .cause
                .is_any(&[&config_cause::PARAM_UNKNOWN, &config_cause::URL_SCHEME])
        };
        let at = self.record.findings[before..].iter().position(spelled);
        match at {
            Some(at) => Err(self.record.findings.remove(before + at).as_failure()),
            None => Ok(()),
        }
    }

    /// A driver of its own.
    fn read_own_way(&mut self, driver: Driver, view: &mut View) -> Result<(), Finding> {
        self.read_flags();
        self.read_url(driver, view)?;
        self.read_variables_of(driver, view)?;
        self.read_frameworks();
        if driver.profile.service && self.parameters.text("service").is_some() {
            self.read_service()?;
        }
        self.defaults_of(driver)?;
        self.plan(driver, view)?;
        self.add_defaults();
        Ok(())
    }

    /// The connection string, and what becomes of each of its parameters.
    fn read_url(&mut self, driver: Driver, view: &mut View) -> Result<(), Finding> {
        let Some((text, origin)) = self.target_text() else {
            return Ok(());
        };
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        let profile = driver.profile;
        let source = self.spoken(&origin);
        let read = match driver.sqlalchemy {
            true => url::sqlalchemy(&text, profile.name),
            false => url::read(profile.url, &text),
        };
        let read = read.map_err(|unread| {
            let cause = match unread.hosts {
                true => &cause::HOSTS,
                false => &cause::URL,
            };
            self.driver_finding(cause, driver, &unread.error)
                .with("part", unread.part)
                .with("source", source.clone())
                .word("hosts", "in the URL")
        })?;
        let mut given: Vec<Assignment> = Vec::new();
        for one in read {
            given.retain(|known| known.name != one.name);
            given.push(one);
        }
        // asyncpg behind SQLAlchemy is called with arguments, libpq with keywords.
        for one in given {
            self.take(driver, view, one, &origin, &source)?;
        }
        Ok(())
    }

    /// One parameter of a connection string.
    fn take(
        &mut self,
        driver: Driver,
        view: &mut View,
        one: Assignment,
        origin: &Origin,
        source: &str,
    ) -> Result<(), Finding> {
        let (name, forced) = match one.name.strip_prefix(url::SENT) {
            Some(name) => (name.to_owned(), true),
            None => (one.name.clone(), false),
        };
        let value = one.text();
        let placed = ["host", "port", "user", "password", "dbname"].contains(&name.as_str());
        match meaning(driver, &name, forced) {
            Meaning::Keyword("sslmode") if driver.linked_libpq().is_none() => {
                self.mode_word = Some((name.clone(), value.clone(), origin.clone()));
                view.written_mode = Some(value);
                view.note(&name, "understood", source, None);
            }
            Meaning::Keyword(keyword) => {
                let taken = Profile::row(driver.profile.values, keyword);
                if taken.is_some_and(|taken| !taken.contains(&value.as_str())) {
                    return Err(self.not_taken(driver, view, (&name, &value), source));
                }
                // A number that is none is no limit.
                let number = value.trim().parse::<i64>().is_ok();
                if keyword == "connect_timeout" && value.is_empty() {
                    return Ok(());
                }
                if keyword == "connect_timeout" && driver.linked_libpq().is_none() && !number {
                    view.note(&name, "ignored", source, None);
                    return match driver.profile.strict_numbers {
                        true => Err(self.not_taken(driver, view, (&name, &value), source)),
                        false => Ok(()),
                    };
                }
                let hostaddr = keyword == "hostaddr" && driver.profile.url == Reader::Sqlx;
                let keyword = if hostaddr { "host" } else { keyword };
                let own = driver_parameter::of(driver.profile.name, &name);
                let said = own.and_then(|row| row.settings(&value).ok());
                let settings = match said {
                    Some(settings) if !settings.is_empty() && keyword != "sslmode" => settings,
                    _ => Vec::new(),
                };
                match settings.is_empty() {
                    // The address stands in the host's place.
                    true if hostaddr => {
                        self.parameters
                            .add_first(keyword, one.value, origin.clone());
                    }
                    true => self.parameters.add(keyword, one.value, origin.clone()),
                    false => {
                        for (keyword, value) in settings {
                            self.parameters.add(keyword, value, origin.clone());
                        }
                    }
                }
                if own.is_some_and(driver_parameter::Parameter::chooses_server) {
                    self.server_kind = Some(value);
                }
                if !placed {
                    let note = (keyword != name).then(|| format!("libpq: {keyword}"));
                    view.note(&name, "understood", source, note);
                }
            }
            Meaning::Own => {
                if name == "ssl" {
                    self.ssl_word = Some(value);
                }
                let note = driver_parameter::of(driver.profile.name, &name)
                    .map(|row| row.meaning.to_owned());
                view.note(&name, "understood", source, note);
            }
            Meaning::Other(Fate::Ignored) => view.note(&name, "ignored", source, None),
            Meaning::Other(Fate::Sent) => {
                view.note(&name, "sent", source, None);
                self.startup.push((name, value));
            }
            Meaning::Other(Fate::Refused) => {
                view.note(&name, "refused", source, None);
                let template = driver
                    .profile
                    .refused
                    .unwrap_or("unknown option {parameter}");
                let template = match driver.sqlalchemy && driver.profile.name == "asyncpg" {
                    true => "connect() got an unexpected keyword argument '{parameter}'",
                    false => template,
                };
                let error = template.replace("{parameter}", &crate::text::clean(&name));
                let meant = (name == "sslmode" && driver.sqlalchemy).then_some("ssl");
                return Err(self
                    .driver_finding(&cause::PARAM_REFUSED, driver, &error)
                    .with("parameter", name)
                    .with("source", source.to_owned())
                    .with("meant", meant));
            }
        }
        Ok(())
    }

    /// A value that the driver does not take.
    fn not_taken(
        &self,
        driver: Driver,
        view: &mut View,
        (name, value): (&str, &str),
        source: &str,
    ) -> Finding {
        view.note(name, "refused", source, None);
        let text = Profile::row(driver.profile.texts, "value");
        let error = text
            .unwrap_or("invalid value for {parameter}")
            .replace("{parameter}", name)
            .replace("{value}", &crate::text::clean(value));
        self.driver_finding(&cause::PARAM_REFUSED, driver, &error)
            .with("parameter", format!("{name}={value}"))
            .with("source", source.to_owned())
    }

    /// The variables that the driver reads.
    fn read_variables_of(&mut self, driver: Driver, view: &mut View) -> Result<(), Finding> {
        let profile = driver.profile;
        for name in profile.refused_variables {
            if let Some(variable) = self.variables.get(*name) {
                let error = match profile.is_below("1.11") {
                    true => format!("setting {name} not supported"),
                    false => format!("environment variable ${name} is not supported"),
                };
                let source = self.spoken(&variable.origin);
                return Err(self
                    .driver_finding(&cause::PARAM_REFUSED, driver, &error)
                    .with("parameter", (*name).to_owned())
                    .with("source", source)
                    .fix(format!("Unset {name} for the application."), None));
            }
        }
        let mut rows: Vec<_> = profile.environment.to_vec();
        // An older release may not read one.
        rows.retain(|(_, keyword)| !keyword.is_empty());
        // sqlx asks for the address before the host.
        rows.sort_by_key(|(_, keyword)| *keyword != "hostaddr");
        for (name, keyword) in rows {
            let Some(variable) = self.variables.get(name).cloned() else {
                continue;
            };
            if variable.value.is_empty() {
                continue;
            }
            match keyword {
                "sslmode" if self.mode_word.is_none() && self.ssl_word.is_none() => {
                    let value = variable.text();
                    view.written_mode = Some(value.clone());
                    self.mode_word = Some((name.to_owned(), value, variable.origin));
                    self.mode_from_variable = true;
                }
                "sslmode" => {}
                "hostaddr" if profile.url == Reader::Sqlx => {
                    self.parameters.add("host", variable.value, variable.origin);
                }
                keyword => self
                    .parameters
                    .add(keyword, variable.value, variable.origin),
            }
        }
        Ok(())
    }

    /// Every source that libpq would read and that is there.
    fn note_sources(&mut self, view: &mut View) {
        let profile = view.driver.profile;
        let libpq = view.driver.linked_libpq().is_some();
        let listed = |name: &str| {
            Profile::row(profile.environment, name).is_some_and(|keyword| !keyword.is_empty())
        };
        for param in catalog::PARAMS {
            if let Some(name) = param.variable
                && self.variables.contains_key(name)
            {
                view.sources.push(Source {
                    name: name.to_owned(),
                    read: libpq || listed(name),
                    keyword: Some(param.name),
                    there: true,
                });
            }
        }
        let Some(home) = self.home() else { return };
        let passfile = libpq || profile.passfile != Passfile::Never;
        for (name, path, read) in [
            ("~/.pgpass", ".pgpass", passfile),
            (
                "~/.pg_service.conf",
                ".pg_service.conf",
                libpq || profile.service,
            ),
            (
                "~/.postgresql/root.crt",
                ".postgresql/root.crt",
                libpq || profile.tls.home_root,
            ),
            (
                "~/.postgresql/postgresql.crt",
                ".postgresql/postgresql.crt",
                libpq || profile.tls.home_certificate,
            ),
        ] {
            view.sources.push(Source {
                name: name.to_owned(),
                read,
                keyword: None,
                there: home.join(path).exists(),
            });
        }
    }

    /// Host, user and database where nothing names them.
    fn defaults_of(&mut self, driver: Driver) -> Result<(), Finding> {
        let profile = driver.profile;
        if let Some(host) = self.parameters.text("host")
            && host.contains(',')
            && profile.hosts == Hosts::One
        {
            let text = Profile::row(profile.texts, "hosts").unwrap_or("cannot resolve {host}");
            let error = text.replace("{host}", &crate::text::clean(&host));
            return Err(self
                .driver_finding(&cause::HOSTS, driver, &error)
                .with("hosts", host));
        }
        let none = |resolver: &Self, name: &str| resolver.parameters.text(name).is_none();
        let port = self
            .parameters
            .text("port")
            .unwrap_or_else(|| "5432".to_owned());
        if none(self, "host") && (none(self, "hostaddr") || profile.url == Reader::Sqlx) {
            if matches!(profile.url, Reader::TokioPostgres | Reader::Dotnet) {
                let text = Profile::row(profile.texts, "host.missing").unwrap_or("no host");
                return Err(self.not_given(driver, view::HOST, text));
            }
            let folders = ["/run/postgresql", "/var/run/postgresql", "/tmp"];
            let there = |folder: &&&str| match profile.stack_is(Stack::Go) {
                true => Path::new(folder).is_dir(),
                false => Path::new(folder).join(format!(".s.PGSQL.{port}")).exists(),
            };
            let found = folders
                .iter()
                .find(there)
                .filter(|_| profile.socket_default);
            let host = found.copied().unwrap_or("localhost");
            self.parameters.add("host", host, Origin::Default);
        }
        if none(self, "user") {
            let variable = |name: &str| self.surroundings.var(name).filter(|it| !it.is_empty());
            let account = || self.surroundings.os_user.clone();
            let user = match profile.user {
                DefaultUser::Account => account(),
                DefaultUser::Environment => variable("USER").or_else(account),
                DefaultUser::VariableOnly => variable("USER"),
                DefaultUser::LognameFirst => ["LOGNAME", "USER", "LNAME", "USERNAME"]
                    .iter()
                    .find_map(|name| variable(name))
                    .or_else(account),
                DefaultUser::Nobody => None,
            };
            match user {
                Some(user) => self.parameters.add("user", user, Origin::Default),
                None => {
                    let text = "no PostgreSQL user name specified in startup packet";
                    return Err(self.not_given(driver, view::USER, text));
                }
            }
        }
        Ok(())
    }

    /// Whether this parameter goes to the server with this value.
    fn sends(&self, name: &str, value: &str) -> bool {
        self.startup
            .iter()
            .any(|(known, sent)| known == name && sent == value)
    }

    /// What a driver needs and has no default for.
    fn not_given(&self, driver: Driver, what: &'static str, error: &str) -> Finding {
        self.driver_finding(&cause::SOURCE, driver, error)
            .with("what", what)
            .with(
                "source_name",
                match what {
                    view::HOST => "PGHOST, or libpq's default",
                    _ => "PGUSER, or the name of the account",
                },
            )
    }

    /// What the driver does about TLS.
    fn plan(&mut self, driver: Driver, view: &mut View) -> Result<(), Finding> {
        let given = self.target_text().map(|(text, _)| text).unwrap_or_default();
        let compatible = driver.profile.url == Reader::Node
            && url::asks(&given, "uselibpqcompat").as_deref() == Some("true");
        let as_libpq = Profile::at("node-postgres", Some("uselibpqcompat"), driver.version)
            .filter(|_| compatible);
        let profile = as_libpq.unwrap_or(driver.profile);
        let tls = &profile.tls;
        let named_files = ["sslrootcert", "sslcert", "sslkey"]
            .iter()
            .any(|name| self.parameters.text(name).is_some());
        let word = self.mode_word.clone();
        let word = word.filter(|(_, value, _)| !(value.is_empty() && tls.other.is_some()));
        let ssl = self.ssl_word.clone();
        let plan = match (&word, &ssl) {
            (Some((name, value, origin)), _) => {
                let lower = value.to_ascii_lowercase();
                let key = if tls.any_case { &lower } else { value };
                // sqlx and node-postgres take a wrong word of the environment for none.
                let variable =
                    self.mode_from_variable && matches!(profile.url, Reader::Sqlx | Reader::Node);
                let other = if variable {
                    Some(tls.absent)
                } else {
                    tls.other
                };
                match Profile::row(tls.modes, key).or(other) {
                    Some(plan) => plan,
                    None => {
                        let text = Profile::row(profile.texts, "sslmode")
                            .unwrap_or("invalid sslmode \"{value}\"");
                        let error = text.replace("{value}", &crate::text::clean(value));
                        let source = self.spoken(origin);
                        return Err(self
                            .driver_finding(&cause::PARAM_REFUSED, driver, &error)
                            .with("parameter", format!("{name}={value}"))
                            .with("source", source));
                    }
                }
            }
            (None, Some(value)) => match Profile::row(tls.ssl, value) {
                Some(_) if named_files && profile.url == Reader::Node => Plan::Full,
                Some(plan) => plan,
                None if profile.url == Reader::Node && !value.is_empty() => {
                    let error = format!("Cannot use 'in' operator to search for 'key' in {value}");
                    return Err(self
                        .driver_finding(&cause::PARAM_REFUSED, driver, &error)
                        .with("parameter", format!("ssl={value}"))
                        .with("source", "the URL"));
                }
                None => tls.other.unwrap_or(tls.absent),
            },
            (None, None) if named_files && profile.url == Reader::Node => Plan::Full,
            (None, None) => tls.absent,
        };
        let roots = self
            .parameters
            .text("sslrootcert")
            .filter(|_| tls.reads_root);
        let system = roots.as_deref() == Some("system");
        // Before 5.0 pgx knew no word for the system's authorities.
        let knows_system = profile.name == "pgx" && !profile.is_below("5.0");
        let plan = match plan {
            _ if system && knows_system => Plan::Full,
            _ if self.sends("sslrootcert", "system") && profile.url == Reader::PostgresJs => {
                Plan::Full
            }
            plan => plan,
        };
        if system && !knows_system {
            // It is a file of that name.
            let origin = self.parameters.origin("sslrootcert");
            self.parameters.add_first("sslrootcert", "./system", origin);
        }
        view.plan = plan;
        let mode = match plan {
            Plan::Off => SslMode::Disable,
            Plan::ClearFirst => SslMode::Allow,
            Plan::Prefer | Plan::PreferVerified => SslMode::Prefer,
            Plan::Unverified | Plan::ChainIfRoot | Plan::ChainIfNamed => SslMode::Require,
            Plan::Chain => SslMode::VerifyCa,
            Plan::Full => SslMode::VerifyFull,
        };
        let origin = word.map_or(Origin::Default, |(_, _, origin)| origin);
        self.parameters.add_first("sslmode", mode.as_str(), origin);
        Ok(())
    }

    /// Makes the target of libpq's terms the driver's: trust, start-up, what it can.
    ///
    /// # Errors
    /// A file that the driver stops at.
    pub(super) fn settle_as(&mut self, driver: Driver, target: &mut Target) -> Result<(), Finding> {
        target.client = Rules::of(driver);
        let Some(mut view) = self.view.take() else {
            return Ok(());
        };
        let outcome = match driver.linked_libpq() {
            Some(version) => {
                self.trust_of_libpq(driver, version, target, &mut view);
                Ok(())
            }
            None => self.settle_own_way(driver, target, &mut view),
        };
        target.view = Some(view.clone());
        self.view = Some(view);
        outcome
    }

    /// The wheels of Python have an OpenSSL that knows no system's authorities.
    fn trust_of_libpq(
        &self,
        driver: Driver,
        version: crate::client::Version,
        target: &mut Target,
        view: &mut View,
    ) {
        let wheel = driver.profile.language == "Python";
        if target.tls.roots == Roots::System && !libpq::knows_system_roots(version) {
            target.tls.roots = Roots::File(NamedFile {
                path: PathBuf::from("system"),
                named: true,
            });
        }
        if target.tls.roots == Roots::System && wheel {
            target.tls.roots = Roots::Nobody;
        }
        let file = match &target.tls.roots {
            Roots::File(file) => file.path.exists(),
            Roots::System | Roots::SystemAnd(_) | Roots::Nobody | Roots::Mozilla(_) => true,
            Roots::Nowhere => false,
        };
        let mode = target.tls.mode;
        view.verifies = (
            mode >= SslMode::VerifyCa || (mode == SslMode::Require && file),
            mode == SslMode::VerifyFull,
        );
        view.trust = view.verifies.0.then(|| match &target.tls.roots {
            Roots::File(file) => file.path.display().to_string(),
            Roots::Nobody => {
                "no authority: the wheel's OpenSSL has none of the system's".to_owned()
            }
            _ => "the system's authorities".to_owned(),
        });
    }

    fn settle_own_way(
        &mut self,
        driver: Driver,
        target: &mut Target,
        view: &mut View,
    ) -> Result<(), Finding> {
        let profile = driver.profile;
        let tls = &profile.tls;
        target.channel_binding = match profile.channel_binding {
            Binding::Never => ChannelBinding::Disable,
            Binding::Parameter | Binding::Prefer => target.channel_binding,
        };
        // Every parameter that libpq would send, and that the driver sends as it is.
        target.environment_options.clear();
        for (name, value) in profile.startup {
            view.startup.push(((*name).to_owned(), (*value).to_owned()));
            if target.client_encoding.is_none() || *name != "client_encoding" {
                target
                    .environment_options
                    .push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        for (name, value) in std::mem::take(&mut self.startup) {
            match name.as_str() {
                "application_name" => target.application_name = value,
                "options" => target.options = Some(value),
                "client_encoding" => {
                    target
                        .environment_options
                        .retain(|(known, _)| *known != name);
                    target.client_encoding = Some(value);
                }
                _ => {
                    target
                        .environment_options
                        .retain(|(known, _)| *known != name);
                    target.environment_options.push((name, value));
                }
            }
        }
        let named = self
            .parameters
            .text("sslrootcert")
            .filter(|_| tls.reads_root);
        let system = named.as_deref() == Some("system");
        let named = named.filter(|_| !system).map(PathBuf::from);
        let home = self.home().filter(|_| tls.home_root);
        let home = home.map(|home| home.join(".postgresql/root.crt"));
        let there = |path: &Path| path.exists();
        let verifies = match view.plan {
            Plan::Chain | Plan::Full | Plan::PreferVerified => true,
            Plan::ChainIfRoot => named.as_deref().or(home.as_deref()).is_some_and(there),
            Plan::ChainIfNamed => named.as_deref().is_some_and(there),
            _ => false,
        };
        let local = target.endpoints.iter().all(is_local) && !tls.on_sockets;
        let asks = view.plan != Plan::Off && !local;
        let stops = match tls.missing_root {
            Missing::Verifying => verifies && asks,
            Missing::Asking => asks,
            Missing::Demanding => {
                asks && !matches!(
                    view.plan,
                    Plan::Prefer | Plan::PreferVerified | Plan::ClearFirst
                )
            }
            Missing::Always => true,
        };
        if let Some(path) = named.as_deref().filter(|path| stops && !there(path)) {
            let text = Profile::row(profile.texts, "root.missing");
            let text = text
                .unwrap_or("{file}: no such file")
                .replace("{file}", &path.display().to_string());
            let source = self.parameters.source("sslrootcert", self.home());
            return Err(self
                .missing_root(driver, &text, path)
                .with("source", source));
        }
        if view.plan == Plan::Chain
            && profile.connector == Some("uselibpqcompat")
            && named.is_none()
        {
            let error = "SECURITY WARNING: Using sslmode=verify-ca requires specifying a CA with sslrootcert.";
            return Err(self.missing_root(driver, error, Path::new("sslrootcert")));
        }
        self.client_file_missing(driver, target, asks)?;
        let file = |path: PathBuf| NamedFile { path, named: true };
        let mozilla = "Mozilla's list of authorities, compiled into the driver's TLS library";
        let systems = "the system's authorities";
        let (roots, label) = match (tls.trust, named.or(home.filter(|it| there(it)))) {
            _ if !verifies => (Roots::Nowhere, None),
            _ if system => (Roots::System, Some(systems.to_owned())),
            (Trust::File, None) => {
                let default = self.home().map(|home| home.join(".postgresql/root.crt"));
                let default = default.unwrap_or_else(|| PathBuf::from("~/.postgresql/root.crt"));
                let text = Profile::row(profile.texts, "root.missing.default")
                    .or_else(|| Profile::row(profile.texts, "root.missing"))
                    .unwrap_or("no root file {file}")
                    .replace("{file}", &default.display().to_string());
                if !asks {
                    target.tls.roots = Roots::Nowhere;
                    return Ok(());
                }
                return Err(self.missing_root(driver, &text, &default));
            }
            // Node.js takes what holds no certificate for an empty list.
            (_, Some(path)) if profile.stack_is(Stack::Node) && !holds_certificates(&path) => (
                Roots::Nobody,
                Some(format!("{}, which holds no certificate", path.display())),
            ),
            (Trust::File | Trust::FileOrSystem | Trust::FileOrMozilla, Some(path)) => {
                let label = path.display().to_string();
                (Roots::File(file(path)), Some(label))
            }
            (Trust::System | Trust::FileOrSystem, _) | (Trust::SystemAndFile, None) => {
                (Roots::System, Some(systems.to_owned()))
            }
            (Trust::SystemAndFile, Some(path)) => {
                let label = format!("{systems} and {}", path.display());
                (Roots::SystemAnd(path), Some(label))
            }
            (Trust::Mozilla | Trust::FileOrMozilla, _) | (Trust::MozillaAndFile, None) => (
                Roots::Mozilla(self.extra_roots(driver)),
                Some(mozilla.to_owned()),
            ),
            (Trust::MozillaAndFile, Some(path)) => {
                let label = format!("{mozilla}, and {}", path.display());
                (Roots::Mozilla(Some(path)), Some(label))
            }
            (Trust::Nothing, _) => (Roots::Nobody, Some("no authority".to_owned())),
        };
        target.tls.roots = roots;
        if view.plan == Plan::ChainIfRoot || view.plan == Plan::ChainIfNamed {
            target.tls.mode = if verifies {
                SslMode::VerifyCa
            } else {
                SslMode::Require
            };
        }
        let name = matches!(view.plan, Plan::Full | Plan::PreferVerified);
        target.client.always_name = view.plan == Plan::PreferVerified;
        view.verifies = (verifies, verifies && name);
        view.trust = label;
        if !tls.home_certificate {
            for file in [&mut target.tls.certificate, &mut target.tls.key] {
                if file.as_ref().is_some_and(|file| !file.named) {
                    *file = None;
                }
            }
        }
        target.tls.crl = target.tls.crl.take().filter(|crl| crl.named);
        Ok(())
    }

    /// A client's certificate or key that is named and not there, where the driver reads it
    /// before the server asks for one.
    fn client_file_missing(
        &self,
        driver: Driver,
        target: &Target,
        asks: bool,
    ) -> Result<(), Finding> {
        let profile = driver.profile;
        let reads = match profile.url {
            // While it parses the URL.
            Reader::Node => true,
            Reader::Asyncpg | Reader::Sqlx => asks,
            _ => asks && profile.name == "pgx",
        };
        let files = [
            ("sslcert", &target.tls.certificate),
            ("sslkey", &target.tls.key),
        ];
        for (parameter, file) in files {
            let missing = file
                .as_ref()
                .filter(|file| reads && file.named && !file.path.exists());
            if let Some(file) = missing {
                let path = file.path.display();
                let error = match profile.url {
                    Reader::Node => format!("ENOENT: no such file or directory, open '{path}'"),
                    Reader::Asyncpg => "[Errno 2] No such file or directory".to_owned(),
                    Reader::Sqlx => {
                        "error communicating with database: No such file or directory (os error 2)"
                            .to_owned()
                    }
                    _ => format!(
                        "failed to configure TLS (unable to read cert: open {path}: no such file or directory)"
                    ),
                };
                let source = self.parameters.source(parameter, self.home());
                return Err(self
                    .missing_root(driver, &error, &file.path)
                    .with("parameter", parameter)
                    .with("source", source));
            }
        }
        Ok(())
    }

    /// What Node.js trusts beside its own list.
    fn extra_roots(&self, driver: Driver) -> Option<PathBuf> {
        let extra = self.surroundings.var("NODE_EXTRA_CA_CERTS")?;
        (driver.profile.stack_is(Stack::Node) && !extra.is_empty()).then(|| PathBuf::from(extra))
    }

    fn missing_root(&self, driver: Driver, error: &str, path: &Path) -> Finding {
        Finding::new(&config_cause::FILE_MISSING)
            .with("parameter", "sslrootcert")
            .with("source", "by default")
            .with("file", path.display().to_string())
            .with("problem", "does not exist")
            .with("driver", driver.to_string())
            .with("error", error.to_owned())
    }
}

/// Whether a file has a certificate in PEM.
fn holds_certificates(path: &Path) -> bool {
    let bytes = super::files::read(path).unwrap_or_default();
    openssl::x509::X509::stack_from_pem(&bytes).is_ok_and(|all| !all.is_empty())
}

/// What a parameter of this name means to a driver.
fn meaning(driver: Driver, name: &str, forced: bool) -> Meaning {
    let profile = driver.profile;
    if forced {
        return Meaning::Other(profile.other.unwrap_or(Fate::Ignored));
    }
    if driver.linked_libpq().is_some() {
        return match catalog::find(name) {
            Some(param) => Meaning::Keyword(param.name),
            None => Meaning::Other(Fate::Refused),
        };
    }
    if let Some(placed) = ["host", "port", "user", "password", "dbname"]
        .iter()
        .find(|placed| **placed == name)
    {
        return Meaning::Keyword(placed);
    }
    // SQLAlchemy hands the query over as arguments of asyncpg.connect.
    if driver.sqlalchemy && profile.name == "asyncpg" {
        const ARGUMENTS: [&str; 14] = [
            "passfile",
            "service",
            "servicefile",
            "timeout",
            "command_timeout",
            "statement_cache_size",
            "max_cached_statement_lifetime",
            "max_cacheable_statement_size",
            "direct_tls",
            "target_session_attrs",
            "krbsrvname",
            "gsslib",
            "prepared_statement_cache_size",
            "prepared_statement_name_func",
        ];
        return match name {
            "ssl" => Meaning::Keyword("sslmode"),
            "database" => Meaning::Keyword("dbname"),
            "passfile" => Meaning::Keyword("passfile"),
            "service" => Meaning::Keyword("service"),
            "target_session_attrs" => Meaning::Keyword("target_session_attrs"),
            "timeout" => Meaning::Keyword("connect_timeout"),
            name if ARGUMENTS.contains(&name) => Meaning::Own,
            _ => Meaning::Other(Fate::Refused),
        };
    }
    let any_case = profile.url == Reader::Dotnet;
    let lower = name.to_ascii_lowercase();
    let name = if any_case { lower.as_str() } else { name };
    if let Some(keyword) = Profile::row(profile.renamed, name) {
        return Meaning::Keyword(keyword);
    }
    if let Some(keyword) = profile.understood.iter().find(|it| **it == name) {
        return match catalog::find(keyword) {
            Some(param) => Meaning::Keyword(param.name),
            None => Meaning::Own,
        };
    }
    if profile.own.contains(&name) {
        return Meaning::Own;
    }
    Meaning::Other(profile.other.unwrap_or(Fate::Ignored))
}
