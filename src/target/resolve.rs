//! From flags, files and variables to a [`Target`], in libpq's order:
//! flag, target, service file, environment, default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{Checked, Checker, Entry};
use super::dsn::Assignment;
use super::files;
use super::origin::{Origin, tilde};
use super::parameters::Parameters;
use super::params::{self, PARAMS};
use super::passfile::{self, Wanted};
use super::{
    Endpoint, Guards, Keepalives, NamedFile, Password, Place, Roots, SshPlan, Target, TlsSettings,
};
use super::{conninfo, service, ssh, uri};
use crate::cause::config as cause;
use crate::cli::TargetArgs;
use crate::finding::Finding;
use crate::report::{StageRecord, TargetReport};
use crate::secret::Secret;
use crate::surroundings::Surroundings;

/// Everything that is read from, and where it is written.
pub struct Resolver<'a> {
    pub(super) args: &'a TargetArgs,
    pub(super) surroundings: &'a Surroundings,
    pub(super) report: &'a mut TargetReport,
    pub(super) record: &'a mut StageRecord,
    pub(super) parameters: Parameters,
    /// The variables that count: the environment's, or the dotenv file's.
    pub(super) variables: BTreeMap<String, Variable>,
}

/// A variable's value and where it was set.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The value.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
}

impl<'a> Resolver<'a> {
    /// A resolver that has read nothing yet.
    pub fn new(
        args: &'a TargetArgs,
        surroundings: &'a Surroundings,
        report: &'a mut TargetReport,
        record: &'a mut StageRecord,
    ) -> Self {
        Self {
            args,
            surroundings,
            report,
            record,
            parameters: Parameters::default(),
            variables: BTreeMap::new(),
        }
    }

    /// Resolves everything. `typed` is the password from the terminal.
    ///
    /// # Errors
    /// The first thing that libpq would stop at. What was read is in the
    /// report all the same.
    pub fn resolve(mut self, typed: Option<Secret>) -> Result<Target, Finding> {
        self.read_variables()?;
        if let Some(secret) = typed {
            self.parameters
                .add("password", secret.expose_bytes(), Origin::Prompt);
        }
        self.read_flags();
        self.read_target()?;
        self.read_service()?;
        self.read_environment();
        self.add_defaults();
        self.parameters.describe(self.report);
        let outcome = self.target();
        self.parameters.describe(self.report);
        outcome
    }

    pub(super) fn home(&self) -> Option<&'a Path> {
        self.surroundings.home.as_deref()
    }

    fn checker(&self) -> Checker<'_> {
        Checker {
            parameters: &self.parameters,
            home: self.home(),
        }
    }

    fn read_variables(&mut self) -> Result<(), Finding> {
        for (name, value) in &self.surroundings.vars {
            let name = name.to_string_lossy().into_owned();
            self.variables.insert(
                name.clone(),
                Variable {
                    value: value.to_string_lossy().into_owned(),
                    origin: Origin::Variable(name),
                },
            );
        }
        Ok(())
    }

    /// Flags; an empty one counts as not given, as in psql.
    fn read_flags(&mut self) {
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

    fn read_target(&mut self) -> Result<(), Finding> {
        let Some((text, origin)) = self.target_text() else {
            return Ok(());
        };
        let rejected = |problem: String| {
            Finding::new(&cause::URL_SYNTAX)
                .with("source", origin.spoken(self.surroundings.home.as_deref()))
                .with("problem", problem)
        };
        let read = match uri::strip_prefix(&text) {
            Some(_) => uri::parse(&text),
            None if text.contains('=') => conninfo::parse(&text),
            None => Ok(bare(&text)),
        };
        let assignments =
            read.map_err(|e| rejected(format!("{}, at character {}", e.problem, e.column)))?;
        for assignment in assignments.into_iter().rev() {
            if params::find(&assignment.name).is_none() {
                return Err(Finding::new(&cause::PARAM_UNKNOWN)
                    .with("parameter", assignment.name)
                    .with("source", origin.spoken(self.home()))
                    .with("known", ""));
            }
            self.parameters
                .add(&assignment.name, assignment.value, origin.clone());
        }
        Ok(())
    }

    /// The connection URL or string, and what gave it.
    fn target_text(&self) -> Option<(String, Origin)> {
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
        if args.host.is_some() || args.port.is_some() || args.dbname.is_some() {
            return None;
        }
        let variable = self.variables.get("DATABASE_URL")?;
        (!variable.value.is_empty()).then(|| (variable.value.clone(), variable.origin.clone()))
    }

    /// The service's parameters, which do not win over what was given.
    fn read_service(&mut self) -> Result<(), Finding> {
        let variable = self.variables.get("PGSERVICE");
        let (name, origin) = match (self.parameters.get("service"), variable) {
            (Some(given), _) => (given.text(), given.origin.clone()),
            (None, Some(variable)) => (variable.value.clone(), variable.origin.clone()),
            (None, None) => return Ok(()),
        };
        let mut looked_in = Vec::new();
        for (path, named) in self.service_files() {
            let bytes = match files::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.missing && !named => continue,
                Err(error) => {
                    return Err(self.no_service(
                        &name,
                        &origin,
                        &path,
                        format!("{} {}", tilde(&path, self.home()), error.problem),
                    ));
                }
            };
            let found = service::find(&bytes, &name).map_err(|bad| {
                Finding::new(&cause::SERVICE_SYNTAX)
                    .with("file", tilde(&path, self.home()))
                    .with("line", bad.line)
                    .with("problem", bad.problem)
            })?;
            let Some(found) = found else {
                looked_in.push((path, service::names(&bytes)));
                continue;
            };
            return self.add_service(&name, &path, found);
        }
        let problem = match looked_in.is_empty() {
            true => "there is no service file".to_owned(),
            false => {
                let files: Vec<_> = looked_in
                    .iter()
                    .map(|(path, names)| match names.is_empty() {
                        true => format!("{} defines none", tilde(path, self.home())),
                        false => {
                            let names = names.join(", ");
                            format!("{} defines {names}", tilde(path, self.home()))
                        }
                    })
                    .collect();
                files.join("; ")
            }
        };
        let path = looked_in
            .into_iter()
            .map(|(path, _)| path)
            .chain(self.service_files().into_iter().map(|(path, _)| path))
            .next()
            .unwrap_or_else(|| PathBuf::from("pg_service.conf"));
        Err(self.no_service(&name, &origin, &path, problem))
    }

    fn no_service(&self, name: &str, origin: &Origin, path: &Path, problem: String) -> Finding {
        Finding::new(&cause::SERVICE_MISSING)
            .with("service", name)
            .with("source", origin.spoken(self.home()))
            .with("file", tilde(path, self.home()))
            .with("problem", problem)
    }

    fn add_service(
        &mut self,
        name: &str,
        path: &Path,
        found: service::Service,
    ) -> Result<(), Finding> {
        for (key, value, line) in found.parameters {
            let origin = Origin::Service {
                name: name.to_owned(),
                file: path.to_owned(),
                line,
            };
            if params::find(&key).is_none() {
                return Err(Finding::new(&cause::PARAM_UNKNOWN)
                    .with("parameter", key)
                    .with("source", origin.spoken(self.home()))
                    .with("known", ""));
            }
            self.parameters.add(&key, value, origin);
        }
        Ok(())
    }

    /// The service files in the order that libpq looks at them, and whether
    /// one must be there.
    fn service_files(&self) -> Vec<(PathBuf, bool)> {
        let mut files = Vec::new();
        match self.variables.get("PGSERVICEFILE") {
            Some(file) => files.push((PathBuf::from(&file.value), true)),
            None => files.extend(self.home().map(|h| (h.join(".pg_service.conf"), false))),
        }
        let folder = match self.variables.get("PGSYSCONFDIR") {
            Some(folder) => PathBuf::from(&folder.value),
            None => PathBuf::from("/etc/postgresql-common"),
        };
        files.push((folder.join("pg_service.conf"), false));
        files
    }

    /// libpq's variables; one that is set to nothing counts.
    fn read_environment(&mut self) {
        for param in PARAMS {
            let Some(variable) = param.variable.and_then(|name| self.variables.get(name)) else {
                continue;
            };
            let origin = variable.origin.clone();
            let value = self.raw_variable(param.variable.unwrap_or_default(), variable);
            self.parameters.add(param.name, value, origin);
        }
        // The deprecated PGREQUIRESSL counts where nothing else does.
        if let Some(variable) = self.variables.get("PGREQUIRESSL")
            && variable.value.starts_with('1')
        {
            let origin = variable.origin.clone();
            self.parameters.add("sslmode", "require", origin);
        }
    }

    /// A variable's bytes as the environment has them.
    fn raw_variable(&self, name: &str, variable: &Variable) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt;
        let raw = self.surroundings.vars.get(std::ffi::OsStr::new(name));
        match (&variable.origin, raw) {
            (Origin::Variable(_), Some(raw)) => raw.as_bytes().to_vec(),
            _ => variable.value.clone().into_bytes(),
        }
    }

    fn add_defaults(&mut self) {
        let system = self
            .parameters
            .text("sslrootcert")
            .is_some_and(|roots| roots == "system");
        for param in PARAMS {
            let default = match param.name {
                "sslmode" if system => Some("verify-full"),
                _ => param.default,
            };
            if let Some(default) = default {
                self.parameters.add(param.name, default, Origin::Default);
            }
        }
        if self.parameters.text("port").is_none() {
            self.parameters.add_first("port", "5432", Origin::Default);
        }
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
            Some(_) => self.parameters.add(name, value, Origin::Default),
            None => self.parameters.add_first(name, value, Origin::Default),
        }
    }

    /// Checks what was read and makes the target of it.
    fn target(&mut self) -> Result<Target, Finding> {
        let entries = self.checker().entries()?;
        let Some(user) = self.parameters.text("user") else {
            return Err(Finding::new(&cause::USER_UNKNOWN).with("uid", self.surroundings.uid));
        };
        let dbname = self.parameters.text("dbname").unwrap_or_default();
        let checked = self.checker().settings()?;
        let mut endpoints = self.endpoints(&entries)?;
        let connect_timeout = self.checker().number("connect_timeout")?;
        let keepalives = self.keepalives(&endpoints)?;
        self.add_passwords(&mut endpoints, &entries, &dbname, &user);
        let ssh = self.ssh()?;
        let tls = self.tls(&checked)?;
        let target = Target {
            report: TargetReport::default(),
            endpoints,
            user,
            dbname,
            application_name: ["application_name", "fallback_application_name"]
                .iter()
                .find_map(|name| self.parameters.text(name))
                .unwrap_or_else(|| "dbdoctor".to_owned()),
            options: self.parameters.text("options"),
            replication: self.parameters.text("replication"),
            client_encoding: self.client_encoding(),
            tls,
            channel_binding: checked.channel_binding,
            require_auth: checked.require_auth,
            ask_password: self.surroundings.interactive && !self.args.no_password,
            gssencmode: checked.gssencmode,
            min_protocol: checked.min_protocol,
            max_protocol: checked.max_protocol,
            require_peer: self.parameters.text("requirepeer"),
            session_attrs: checked.session_attrs,
            connect_timeout: connect_timeout
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            keepalives,
            ssh,
            guards: Guards {
                database: self.args.guards.expect_database.clone(),
                role: self.args.guards.expect_role,
                server_version: self.args.guards.expect_server_version,
                cluster_name: self.args.guards.expect_cluster_name.clone(),
            },
        };
        Ok(target)
    }

    fn endpoints(&mut self, entries: &[Entry]) -> Result<Vec<Endpoint>, Finding> {
        let mut endpoints = Vec::new();
        for entry in entries {
            let port = match entry.port.as_str() {
                "" => 5432,
                text => match super::check::integer(text) {
                    Some(port) => port,
                    None => {
                        return Err(self.checker().invalid(
                            "port",
                            "it is not a whole number",
                            Some("a number from 1 to 65535".to_owned()),
                        ));
                    }
                },
            };
            let port = u16::try_from(port).ok().filter(|port| *port > 0);
            let Some(port) = port else {
                return Err(self.checker().invalid(
                    "port",
                    "ports go from 1 to 65535",
                    Some("a number from 1 to 65535".to_owned()),
                ));
            };
            let place = match (entry.hostaddr.as_str(), entry.host.as_str()) {
                ("", "") => socket(socket_folder(), port),
                ("", host) if host.starts_with(['/', '@']) => socket(host, port),
                ("", host) => Place::of_host(host),
                (address, _) => match Place::address(address) {
                    Some((ip, zone)) => Place::Ip(ip, zone),
                    None => {
                        return Err(self.checker().invalid(
                            "hostaddr",
                            "it is not an address",
                            Some("an IPv4 or IPv6 address, without brackets".to_owned()),
                        ));
                    }
                },
            };
            let host = match (entry.hostaddr.as_str(), entry.host.as_str()) {
                ("", "") => socket_folder(),
                (_, host) => host,
            };
            endpoints.push(Endpoint {
                host: host.to_owned(),
                place,
                port,
                password: None,
            });
        }
        Ok(endpoints)
    }

    /// The keepalive parameters, which libpq reads only for TCP.
    fn keepalives(&self, endpoints: &[Endpoint]) -> Result<Keepalives, Finding> {
        let mut keepalives = Keepalives {
            enabled: true,
            idle: 0,
            interval: 0,
            count: 0,
            user_timeout: 0,
        };
        if endpoints.iter().all(|e| matches!(e.place, Place::Unix(_))) {
            return Ok(keepalives);
        }
        let checker = self.checker();
        keepalives.enabled = checker.number("keepalives")?.unwrap_or(1) != 0;
        // Less than zero means the system's default, as zero does.
        let number = |name: &str| -> Result<u32, Finding> {
            let number = checker.number(name)?.unwrap_or(0);
            Ok(u32::try_from(number).unwrap_or(0))
        };
        if keepalives.enabled {
            keepalives.idle = number("keepalives_idle")?;
            keepalives.interval = number("keepalives_interval")?;
            keepalives.count = number("keepalives_count")?;
        }
        keepalives.user_timeout = number("tcp_user_timeout")?;
        Ok(keepalives)
    }

    fn client_encoding(&self) -> Option<String> {
        let encoding = self.parameters.text("client_encoding")?;
        match encoding.as_str() {
            "auto" => Some("UTF8".to_owned()),
            _ => Some(encoding),
        }
    }

    /// A password for every entry: the parameter for all, else the password
    /// file's line for each.
    fn add_passwords(
        &mut self,
        endpoints: &mut [Endpoint],
        entries: &[Entry],
        dbname: &str,
        user: &str,
    ) {
        if let Some(given) = self.parameters.get("password")
            && !given.value.is_empty()
        {
            let password = Password {
                secret: Secret::from_bytes(given.value.clone()),
                source: given.origin.spoken(self.home()),
            };
            for endpoint in endpoints {
                endpoint.password = Some(password.clone());
            }
            return;
        }
        let Some(path) = self
            .parameters
            .text("passfile")
            .map(PathBuf::from)
            .or_else(|| self.home().map(|home| home.join(".pgpass")))
        else {
            return;
        };
        use std::os::unix::fs::PermissionsExt;
        let Ok(meta) = std::fs::metadata(&path) else {
            return;
        };
        let mode = meta.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            self.record.warn(
                Finding::new(&cause::PASSFILE_PERMISSIONS)
                    .with("file", path.display().to_string())
                    .with("mode", format!("{mode:04o}")),
            );
            return;
        }
        let Ok(bytes) = files::read(&path) else {
            return;
        };
        for (endpoint, entry) in endpoints.iter_mut().zip(entries) {
            let host = match endpoint.host.as_str() {
                "" => entry.hostaddr.as_str(),
                host if host == socket_folder() => "localhost",
                host => host,
            };
            let wanted = Wanted {
                host,
                port: match entry.port.as_str() {
                    "" => "5432",
                    port => port,
                },
                dbname,
                user,
            };
            if let Some((line, password)) = passfile::find(&bytes, &wanted) {
                let origin = Origin::Passfile {
                    file: path.clone(),
                    line,
                };
                endpoint.password = Some(Password {
                    secret: Secret::from_bytes(password.clone()),
                    source: origin.spoken(self.surroundings.home.as_deref()),
                });
                if self.parameters.text("password").is_none() {
                    self.parameters.add_first("password", password, origin);
                }
            }
        }
    }

    fn tls(&self, checked: &Checked) -> Result<TlsSettings, Finding> {
        let folder = self.home().map(|home| home.join(".postgresql"));
        let file = |name: &str, default: &str| -> Option<NamedFile> {
            match self.parameters.text(name) {
                Some(path) => Some(NamedFile {
                    path: path.into(),
                    named: true,
                }),
                None => folder.as_ref().map(|folder| NamedFile {
                    path: folder.join(default),
                    named: false,
                }),
            }
        };
        let crl_dir = self.parameters.text("sslcrldir").map(PathBuf::from);
        Ok(TlsSettings {
            mode: checked.sslmode,
            negotiation: checked.negotiation,
            roots: match (
                self.parameters.text("sslrootcert").as_deref(),
                file("sslrootcert", "root.crt"),
            ) {
                (Some("system"), _) => Roots::System,
                (_, Some(file)) => Roots::File(file),
                (_, None) => Roots::Nowhere,
            },
            certificate: file("sslcert", "postgresql.crt"),
            key: file("sslkey", "postgresql.key"),
            key_password: self
                .parameters
                .get("sslpassword")
                .map(|given| Secret::from_bytes(given.value.clone())),
            certificate_mode: checked.certificate_mode,
            crl: file("sslcrl", "root.crl").filter(|crl| crl.named || crl_dir.is_none()),
            crl_dir,
            sni: self
                .parameters
                .text("sslsni")
                .is_some_and(|sni| sni.starts_with('1')),
            min_version: checked.min_tls,
            max_version: checked.max_tls,
        })
    }

    fn ssh(&mut self) -> Result<Option<SshPlan>, Finding> {
        ssh::plan(&self.args.ssh, self.surroundings, self.record)
    }
}

/// Whether a database name is a connection URL or string, as libpq decides.
pub fn is_dsn(name: &str) -> bool {
    uri::strip_prefix(name).is_some() || name.contains('=')
}

/// A bare `host[:port]`, or several separated by commas.
fn bare(text: &str) -> Vec<Assignment> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in text.split(',') {
        let (host, port) = match item.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            None => match item.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, port),
                _ => (item, ""),
            },
        };
        hosts.push(host);
        ports.push(port);
    }
    let mut out = vec![Assignment::new("host", &hosts.join(","))];
    if ports.iter().any(|port| !port.is_empty()) {
        out.push(Assignment::new("port", &ports.join(",")));
    }
    out
}

/// libpq's default socket directory: Debian's, else that of an unchanged build.
pub fn socket_folder() -> &'static str {
    const DEBIAN: &str = "/var/run/postgresql";
    match Path::new(DEBIAN).is_dir() {
        true => DEBIAN,
        false => "/tmp",
    }
}

fn socket(folder: &str, port: u16) -> Place {
    Place::Unix(Path::new(folder).join(format!(".s.PGSQL.{port}")))
}
