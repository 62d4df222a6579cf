//! From flags, files and variables to parameters, in libpq's order: flag,
//! target, service file, environment, default. What is made of them is in
//! `assemble`, what is doubtful about them in `doubts` and `sources`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::as_driver::{self, view::View};
use super::catalog::{self, PARAMS};
use super::files::{self, Unreadable};
use super::origin::{Origin, tilde};
use super::validate::Checker;
use super::values::Parameters;
use super::{Target, dotenv, driver, driver_parameter, parse, service};
use crate::cause::config as cause;
use crate::client::Driver;
use crate::config::request::{Request, Whose};
use crate::finding::Finding;
use crate::report::{StageRecord, TargetReport};
use crate::secret::Secret;
use crate::system::System;

/// Everything that is read from, and where it is written.
pub struct Resolver<'a> {
    pub(super) args: &'a Request,
    pub(super) surroundings: &'a System,
    pub(super) report: &'a mut TargetReport,
    pub(super) record: &'a mut StageRecord,
    pub(super) parameters: Parameters,
    /// The variables that count: the environment's, or the dotenv file's.
    pub(super) variables: Variables,
    /// Whether certificates are not to be verified, whatever files there are.
    pub(super) no_verify: bool,
    pub(super) server_kind: Option<String>,
    /// The driver whose settings they are, where they are not libpq's.
    pub(super) driver: Option<Driver>,
    /// What a driver of its own makes of it.
    pub(super) view: Option<View>,
    /// The word that says whether a driver of its own uses TLS: its name, itself, its origin.
    pub(super) mode_word: Option<(String, String, Origin)>,
    pub(super) mode_from_variable: bool,
    /// The same of its parameter `ssl`.
    pub(super) ssl_word: Option<String>,
    /// What a driver hands over to the server.
    pub(super) startup: Vec<(String, String)>,
}

/// Variables by name.
pub type Variables = BTreeMap<String, Variable>;

/// A variable's value and where it was set.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The value; it need not be UTF-8.
    pub value: Vec<u8>,
    /// Where it was set.
    pub origin: Origin,
}

impl Variable {
    /// The value as text, lossily.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

impl<'a> Resolver<'a> {
    /// A resolver that has read nothing yet.
    pub fn new(
        args: &'a Request,
        surroundings: &'a System,
        report: &'a mut TargetReport,
        record: &'a mut StageRecord,
    ) -> Self {
        Self {
            args,
            surroundings,
            report,
            record,
            parameters: Parameters::default(),
            variables: Variables::new(),
            no_verify: false,
            server_kind: None,
            driver: None,
            view: None,
            mode_word: None,
            mode_from_variable: false,
            ssl_word: None,
            startup: Vec::new(),
        }
    }

    /// Resolves everything. `typed` is the password from the terminal. It is done once.
    ///
    /// # Errors
    /// The first thing that libpq would stop at. What was read is in the
    /// report all the same.
    pub fn resolve(&mut self, typed: Option<Secret>) -> Result<Target, Finding> {
        if let Err(finding) = self.read(typed) {
            // What was not read may say where to connect: no default is shown.
            self.parameters.describe(self.report);
            self.report.url = None;
            return Err(finding);
        }
        self.parameters.describe(self.report);
        let outcome = self.assemble();
        self.parameters.describe(self.report);
        self.record.summary = self.summary();
        outcome
    }

    /// What a driver of its own made of the settings, also where it stopped at one.
    pub fn view(self) -> Option<View> {
        self.view
    }

    /// Where the settings came from, in one line; what came from the same
    /// place as the host is not repeated.
    fn summary(&self) -> String {
        let place = match self.parameters.text("hostaddr") {
            Some(_) if self.parameters.text("host").is_none() => "hostaddr",
            _ => "host",
        };
        let from = |name: &str| match self.parameters.origin(name) {
            Origin::Default => "by default".to_owned(),
            origin => format!("from {}", self.spoken(&origin)),
        };
        let first = self.parameters.origin(place);
        let mut parts = vec![format!("{place} {}", from(place))];
        for (name, called) in [("port", "port"), ("user", "user"), ("dbname", "database")] {
            let origin = self.parameters.origin(name);
            if !origin.same_source(&first) && origin != Origin::Default {
                parts.push(format!("{called} {}", from(name)));
            }
        }
        parts.push(match self.parameters.text("password") {
            Some(_) => format!("password {}", from("password")),
            None => "no password".to_owned(),
        });
        parts.join(", ")
    }

    /// Reads every source, the strongest first.
    fn read(&mut self, typed: Option<Secret>) -> Result<(), Finding> {
        self.read_variables()?;
        if let Some(secret) = typed {
            self.parameters
                .add("password", secret.expose_bytes().to_vec(), Origin::Prompt);
        }
        if let Some((driver, told_by)) = self.whose() {
            self.driver = Some(driver);
            return self.read_as(driver, told_by);
        }
        self.read_flags();
        let outcome = self.read_target().and_then(|()| self.read_service());
        self.read_environment();
        self.read_frameworks();
        outcome?;
        self.add_defaults();
        Ok(())
    }

    /// The driver whose settings they are, and how that is known.
    fn whose(&self) -> Option<(Driver, &'static str)> {
        match self.args.whose {
            Whose::Libpq => None,
            Whose::As(driver, told_by) => Some((driver, told_by)),
            Whose::Implied => {
                let (text, _) = self.target_text()?;
                Some((as_driver::implied(&text)?, "the URL's scheme"))
            }
        }
    }

    pub(super) fn home(&self) -> Option<&'a Path> {
        self.surroundings.home.as_deref()
    }

    pub(super) fn spoken(&self, origin: &Origin) -> String {
        origin.spoken(self.home())
    }

    pub(super) fn tilde(&self, path: &Path) -> String {
        tilde(path, self.home())
    }

    pub(super) fn checker(&self) -> Checker<'_> {
        Checker {
            parameters: &self.parameters,
            home: self.home(),
        }
    }

    /// A file that a setting names and that cannot be read.
    pub(super) fn missing(
        &self,
        parameter: &str,
        source: &str,
        file: &Path,
        why: Unreadable,
    ) -> Finding {
        let finding = Finding::new(&cause::FILE_MISSING)
            .with("parameter", parameter.to_owned())
            .with("source", source.to_owned())
            .with("file", file.display().to_string())
            .with("problem", why.problem);
        match file.to_string_lossy().starts_with(['~', '$']) {
            true => finding.fix(
                "Use the full path: ~ and variables are not expanded here.",
                None,
            ),
            false => finding,
        }
    }

    /// The environment's variables, or the dotenv file's in place of the
    /// environment's PG* and DATABASE_URL.
    fn read_variables(&mut self) -> Result<(), Finding> {
        for (name, value) in &self.surroundings.vars {
            let name = name.to_string_lossy().into_owned();
            let variable = Variable {
                value: value.expose_bytes().to_vec(),
                origin: match &self.surroundings.process {
                    None => Origin::Variable(name.clone()),
                    Some(process) => Origin::ProcessVariable {
                        name: name.clone(),
                        pid: process.pid,
                    },
                },
            };
            self.variables.insert(name, variable);
        }
        let Some(path) = &self.args.env_file else {
            return Ok(());
        };
        self.variables.retain(|name, _| !is_of_database(name));
        let bytes = files::read(path)
            .map_err(|why| self.missing("--env-file", "command line", path, why))?;
        let text = String::from_utf8_lossy(&bytes);
        let read = dotenv::parse(&text, |name| self.variables.get(name).map(Variable::text));
        let read = read.map_err(|bad| {
            Finding::new(&cause::ENV_FILE_SYNTAX)
                .with("file", path.display().to_string())
                .with("line", bad.line)
                .with("problem", bad.problem)
        })?;
        for set in read.into_iter().filter(|set| is_of_database(&set.name)) {
            let origin = Origin::EnvFile {
                name: set.name.clone(),
                file: path.clone(),
                line: set.line,
            };
            if !set.unset.is_empty() {
                self.warn_of_unset(&set.name, &set.unset, &origin);
            }
            if let Some(value) = set.value {
                let value = value.into_bytes();
                self.variables.insert(set.name, Variable { value, origin });
            }
        }
        Ok(())
    }

    /// A variable within a value that is set nowhere: what is left out may be
    /// a piece of a password with a dollar sign.
    fn warn_of_unset(&mut self, name: &str, unset: &[String], origin: &Origin) {
        let secret = matches!(name, "DATABASE_URL" | "PGPASSWORD");
        let shown = match (secret, unset.first()) {
            (false, Some(unset)) => format!("${unset}"),
            _ => "$…".to_owned(),
        };
        let finding = Finding::new(&cause::URL_PLACEHOLDER)
            .with("part", name.to_owned())
            .with("placeholder", shown)
            .with("source", format!("{}; the variable is not set, so it is empty", self.spoken(origin)))
            .fix("If the dollar sign belongs to the value, write it as $$ or put the value in single quotes.", None);
        self.record.warn(finding);
    }

    /// Flags; an empty one counts as not given, as in psql.
    pub(super) fn read_flags(&mut self) {
        let args = self.args;
        let dbname = args.dbname.as_ref().filter(|name| !is_dsn(name));
        for (name, flag, value) in [
            ("host", "--host", args.host.as_ref()),
            ("port", "--port", args.port.as_ref()),
            ("user", "--username", args.username.as_ref()),
            ("dbname", "--dbname", dbname),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                self.parameters
                    .add(name, value.as_bytes(), Origin::Flag(flag));
            }
        }
    }

    pub(super) fn read_target(&mut self) -> Result<(), Finding> {
        let Some((text, origin)) = self.target_text() else {
            return Ok(());
        };
        let read = parse::read(&text, &self.spoken(&origin))?;
        self.parameters.hide_port |= read.hide_port;
        self.no_verify |= read.no_verify;
        self.server_kind = read.server_kind.or(self.server_kind.take());
        for warning in read.warnings {
            self.record.warn(warning);
        }
        if !read.translations.is_empty() {
            let said: Vec<_> = read.translations.iter().map(|t| t.to_value()).collect();
            self.record.fact("translations", said);
        }
        // The last one of a name counts, and is the only one.
        let mut seen = Vec::new();
        for assignment in read.assignments.into_iter().rev() {
            if !seen.contains(&assignment.name) {
                self.parameters
                    .add(&assignment.name, assignment.value, origin.clone());
                seen.push(assignment.name);
            }
        }
        Ok(())
    }

    /// The connection URL or string, and what gave it.
    pub(super) fn target_text(&self) -> Option<(String, Origin)> {
        let args = self.args;
        let dbname = args.dbname.as_ref().filter(|name| is_dsn(name));
        let given = [
            (args.target.as_ref(), "TARGET"),
            (args.url.as_ref(), "--url"),
            (dbname, "--dbname"),
        ];
        if let Some((text, name)) = given
            .into_iter()
            .find_map(|(text, name)| Some((text?, name)))
        {
            return Some((text.clone(), Origin::Target(name)));
        }
        let Some(variable) = self.variables.get("DATABASE_URL") else {
            return self.framework_url();
        };
        let text = variable.text();
        // Set to nothing, it is an unset secret, unless something else counts.
        let elsewhere = ["PGHOST", "PGHOSTADDR", "PGSERVICE"];
        let counts = !text.trim().is_empty()
            || !elsewhere
                .iter()
                .any(|name| self.variables.contains_key(*name));
        (!self.names_a_part() && counts).then(|| (text, variable.origin.clone()))
    }

    /// Whether a flag says a part of where to connect, so that DATABASE_URL
    /// does not count.
    pub(super) fn names_a_part(&self) -> bool {
        let args = self.args;
        args.host.is_some() || args.port.is_some() || args.dbname.is_some()
    }

    /// The service's parameters, which do not win over what was given.
    pub(super) fn read_service(&mut self) -> Result<(), Finding> {
        let variable = self.variables.get("PGSERVICE");
        let (name, origin) = match (self.parameters.get("service"), variable) {
            (Some(given), _) => (given.text(), given.origin.clone()),
            (None, Some(variable)) => (variable.text(), variable.origin.clone()),
            (None, None) => return Ok(()),
        };
        let no_service = |resolver: &Self, path: &Path, problem: String| {
            Finding::new(&cause::SERVICE_MISSING)
                .with("service", name.clone())
                .with("source", resolver.spoken(&origin))
                .with("file", path.display().to_string())
                .with("problem", problem)
        };
        let mut looked_in = Vec::new();
        let files = self.service_files();
        for (path, named) in &files {
            let bytes = match files::read(path) {
                Ok(bytes) => bytes,
                Err(why) if why.missing && !named => continue,
                Err(why) => {
                    let problem = format!("{} {}", self.tilde(path), why.problem);
                    return Err(no_service(self, path, problem));
                }
            };
            let found = service::find(&bytes, &name).map_err(|bad| {
                Finding::new(&cause::SERVICE_SYNTAX)
                    .with("file", self.tilde(path))
                    .with("line", bad.line)
                    .with("problem", bad.problem)
            })?;
            match found {
                Some(found) => return self.add_service(&name, path, found),
                None => {
                    let defined = match service::names(&bytes) {
                        names if names.is_empty() => "no service".to_owned(),
                        names => names.join(", "),
                    };
                    looked_in.push(format!("{} defines {defined}", self.tilde(path)));
                }
            }
        }
        let problem = match looked_in.is_empty() {
            true => {
                let names: Vec<_> = files.iter().map(|(path, _)| self.tilde(path)).collect();
                format!("there is no service file ({})", names.join(", "))
            }
            false => looked_in.join("; "),
        };
        let first = files.first().map(|(path, _)| path.clone());
        Err(no_service(self, &first.unwrap_or_default(), problem))
    }

    fn add_service(
        &mut self,
        name: &str,
        path: &Path,
        found: service::Service,
    ) -> Result<(), Finding> {
        let at = |line: usize| Origin::Service {
            name: name.to_owned(),
            file: path.to_owned(),
            line,
        };
        if let Some(line) = found.ldap.first() {
            self.record.warn(
                Finding::new(&cause::SERVICE_SYNTAX)
                    .with("file", self.tilde(path))
                    .with("line", *line)
                    .with(
                        "problem",
                        "it refers to an LDAP server, which dbdoctor does not support",
                    ),
            );
        }
        let mut seen = Vec::new();
        for (key, value, line) in found.parameters {
            let origin = at(line);
            if catalog::find(&key).is_none() {
                let source = self.spoken(&origin);
                let known = driver_parameter::any(&key);
                let finding = driver::not_known(&key, &source, known.is_none());
                return Err(finding);
            }
            // The first one of a name counts, and is the only one.
            if !seen.contains(&key) {
                self.parameters.add(&key, value, origin);
                seen.push(key);
            }
        }
        Ok(())
    }

    /// The service files in the order that libpq looks at them, and whether
    /// one must be there.
    fn service_files(&self) -> Vec<(PathBuf, bool)> {
        let path = |name| {
            let variable = self.variables.get(name);
            variable.map(|variable| PathBuf::from(variable.text()))
        };
        service::files(path("PGSERVICEFILE"), path("PGSYSCONFDIR"), self.home())
    }

    /// libpq's variables; one that is set to nothing counts.
    pub(super) fn read_environment(&mut self) {
        for param in PARAMS {
            let variable = param.variable.and_then(|name| self.variables.get(name));
            if let Some(Variable { value, origin }) = variable.cloned() {
                self.parameters.add(param.name, value, origin);
            }
        }
        // The deprecated PGREQUIRESSL counts where nothing else does.
        if let Some(variable) = self.variables.get("PGREQUIRESSL")
            && variable.value.starts_with(b"1")
        {
            let origin = variable.origin.clone();
            self.parameters.add("sslmode", "require", origin);
        }
    }

    pub(super) fn add_defaults(&mut self) {
        let roots = self.parameters.text("sslrootcert");
        for param in PARAMS {
            let default = match param.name {
                "sslmode" if roots.as_deref() == Some("system") => Some("verify-full"),
                _ => param.default,
            };
            if let Some(default) = default {
                self.parameters.add(param.name, default, Origin::Default);
            }
        }
        self.fall_back("port", Some("5432".to_owned()));
        self.fall_back("user", self.surroundings.os_user.clone());
        self.fall_back("dbname", self.parameters.text("user"));
        if self.parameters.text("hostaddr").is_none() {
            self.fall_back("host", Some(socket_folder().to_owned()));
        }
    }

    /// A default that also stands in for an empty value.
    fn fall_back(&mut self, name: &str, value: Option<String>) {
        let Some(value) = value else { return };
        match self.parameters.text(name) {
            None => self.parameters.add_first(name, value, Origin::Default),
            Some(_) if name != "port" => self.parameters.add(name, value, Origin::Default),
            Some(_) => {}
        }
    }
}

/// Whether a dotenv file's variable of this name is used, and the
/// environment's hidden by it.
fn is_of_database(name: &str) -> bool {
    name == "DATABASE_URL" || name.starts_with("PG")
}

/// Whether a database name is a target of its own: a connection string as
/// libpq decides, or a driver's URL.
pub fn is_dsn(name: &str) -> bool {
    name.contains("://") || name.contains('=') || driver::begins(name, "jdbc:")
}

/// libpq's default socket directory: Debian's, else that of an unchanged build.
pub fn socket_folder() -> &'static str {
    const DEBIAN: &str = "/var/run/postgresql";
    match Path::new(DEBIAN).is_dir() {
        true => DEBIAN,
        false => "/tmp",
    }
}
