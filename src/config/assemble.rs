//! From parameters to the [`Target`] that the stages take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::enums::{LoadBalance, SslMode};
use super::files;
use super::origin::Origin;
use super::resolve::{Resolver, socket_folder};
use super::validate::{Checked, Entry, integer};
use super::{
    Endpoint, Keepalives, NamedFile, Place, Roots, Target, TlsSettings, guards, lint, service_link,
    ssh,
};
use crate::cause::config as cause;
use crate::client::Rules;
use crate::finding::Finding;
use crate::report::TargetReport;
use crate::secret::Secret;

/// How people (and the fix of `tls.client.key`) write that there shall be no file:
/// libpq does without a certificate that is not there.
const NO_FILE: &str = "/nonexistent";

impl Resolver<'_> {
    /// libpq's `EnvironmentOptions`, in its order. The value `default` sends
    /// nothing, an empty one is sent.
    fn environment_options(&self) -> Vec<(String, String)> {
        [
            ("PGDATESTYLE", "datestyle"),
            ("PGTZ", "timezone"),
            ("PGGEQO", "geqo"),
        ]
        .into_iter()
        .filter_map(|(variable, name)| {
            Some((name.to_owned(), self.variables.get(variable)?.text()))
        })
        .filter(|(_, value)| !value.eq_ignore_ascii_case("default"))
        .collect()
    }

    /// Checks what was read and makes the target of it.
    ///
    /// # Errors
    /// The first thing that libpq would stop at.
    pub(super) fn assemble(&mut self) -> Result<Target, Finding> {
        let driver = self.driver;
        if driver.is_none() {
            self.doubt()?;
        }
        let entries = self.checker().entries()?;
        let Some(user) = self.parameters.text("user") else {
            return Err(Finding::new(&cause::USER_UNKNOWN).with("uid", self.surroundings.uid));
        };
        let dbname = self.parameters.text("dbname").unwrap_or_default();
        let checked = self.checker().settings()?;
        let (mut endpoints, mut entries) = self.endpoints(entries)?;
        let connect_timeout = self.checker().number("connect_timeout")?;
        let keepalives = match self.keepalives(&endpoints) {
            Ok(keepalives) => keepalives,
            Err(finding) => {
                // libpq gives up what is reached over TCP, and goes on with a
                // unix socket.
                let local: Vec<bool> = endpoints.iter().map(is_local).collect();
                if !local.contains(&true) {
                    return Err(finding);
                }
                self.record.warn(finding);
                let mut kept = local.iter();
                endpoints.retain(|_| kept.next() == Some(&true));
                let mut kept = local.iter();
                entries.retain(|_| kept.next() == Some(&true));
                self.keepalives(&endpoints)?
            }
        };
        let guards = &self.args.guards;
        guards::endpoints(&guards.not_host, &endpoints)?;
        self.add_passwords(&mut endpoints, &entries, &dbname, &user);
        if driver.is_none() {
            self.compare_sources();
        }
        let tls = self.tls(&checked);
        if driver.is_none() {
            self.look_at_tls_files(&tls, &endpoints)?;
        }
        guards::destinations(&guards.not_host, &self.args.ssh.hops)?;
        let ssh = ssh::plan(
            &self.args.ssh,
            self.surroundings,
            endpoints.first(),
            self.record,
        )?;
        let hops = ssh.as_ref().map_or(&[][..], |plan| &plan.hops);
        guards::hops(&guards.not_host, hops)?;
        if checked.load_balance == LoadBalance::Random {
            shuffle(&mut endpoints);
        }
        let mut target = Target {
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
            environment_options: self.environment_options(),
            tls,
            channel_binding: checked.channel_binding,
            require_auth: checked.require_auth,
            ask_password: self.surroundings.interactive && !self.args.no_password,
            gssencmode: checked.gssencmode,
            min_protocol: checked.min_protocol,
            max_protocol: checked.max_protocol,
            require_peer: self.parameters.text("requirepeer"),
            session_attrs: checked.session_attrs,
            server_kind: self.server_kind.clone(),
            connect_timeout: connect_timeout
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            keepalives,
            ssh,
            guards: guards.clone(),
            client: Rules::default(),
            view: None,
        };
        if let Some(driver) = driver {
            self.settle_as(driver, &mut target)?;
        }
        Ok(target)
    }

    /// Where each entry of the host list leads. libpq passes over a port out
    /// of range, an address that is none and a host that cannot be one, and
    /// tries the next entry.
    fn endpoints(&mut self, entries: Vec<Entry>) -> Result<(Vec<Endpoint>, Vec<Entry>), Finding> {
        let mut usable = (Vec::new(), Vec::new());
        let mut passed_over = Vec::new();
        for entry in entries {
            match self.endpoint(&entry) {
                Ok(endpoint) => {
                    usable.0.push(endpoint);
                    usable.1.push(entry);
                }
                // A port that is no number ends it at once, if it comes to it.
                Err((finding, true)) if usable.0.is_empty() => return Err(finding),
                Err((finding, _)) => passed_over.push(finding),
            }
        }
        let mut passed_over = passed_over.into_iter();
        if usable.0.is_empty() {
            return Err(passed_over
                .next()
                .unwrap_or_else(|| self.checker().invalid("host", "it is empty", None)));
        }
        passed_over.for_each(|finding| self.record.warn(finding));
        Ok(usable)
    }

    /// One entry; the flag says that libpq stops there.
    fn endpoint(&self, entry: &Entry) -> Result<Endpoint, (Finding, bool)> {
        let range = || Some("a number from 1 to 65535".to_owned());
        let wrong = |problem, ends| {
            let finding = self.checker().invalid("port", problem, range());
            (finding, ends)
        };
        let port = match entry.port.as_str() {
            "" => 5432,
            link if service_link::is_one(link) => {
                let problem = "it is the value of a service link, not a port";
                let (finding, ends) = wrong(problem, true);
                let finding = service_link::advise(finding, link, self.surroundings);
                return Err((finding, ends));
            }
            text => integer(text).ok_or_else(|| wrong("it is not a whole number", true))?,
        };
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| wrong("ports go from 1 to 65535", false))?;
        let place = match (entry.hostaddr.as_str(), entry.host.as_str()) {
            ("", "") => socket(socket_folder(), port),
            ("", host) if host.starts_with(['/', '@']) => socket(host, port),
            ("", host) => {
                let source = self.parameters.source("host", self.home());
                lint::no_host(host, &source).map_err(|finding| (finding, false))?;
                Place::of_host(host)
            }
            (address, _) => match Place::address(address) {
                Some((ip, zone)) => Place::Ip(ip, zone),
                None => {
                    let allowed = "an IPv4 or IPv6 address, without brackets".to_owned();
                    let finding = self.checker().invalid(
                        "hostaddr",
                        "it is not an IP address",
                        Some(allowed),
                    );
                    return Err((finding, false));
                }
            },
        };
        let host = match (entry.hostaddr.as_str(), entry.host.as_str()) {
            ("", "") => socket_folder(),
            (_, host) => host,
        };
        Ok(Endpoint {
            host: host.to_owned(),
            place,
            port,
            password: None,
        })
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
        if endpoints.iter().all(is_local) {
            return Ok(keepalives);
        }
        let checker = self.checker();
        // The kernel's bounds (MAX_TCP_KEEPIDLE and its kin, net/tcp.h). libpq
        // sets what it is given, 0 too, although its documentation promises
        // the system's default for that, and gives the address up.
        let bounded = |name: &str, most: i32| -> Result<u32, Finding> {
            match checker.number(name)? {
                Some(number) if cfg!(target_os = "linux") && !(1..=most).contains(&number) => {
                    Err(checker.invalid(
                        name,
                        "the system rejects it, and libpq then does not connect",
                        Some(format!("a number from 1 to {most}")),
                    ))
                }
                number => Ok(number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)),
            }
        };
        keepalives.enabled = checker.number("keepalives")?.unwrap_or(1) != 0;
        if keepalives.enabled {
            keepalives.idle = bounded("keepalives_idle", 32_767)?;
            keepalives.interval = bounded("keepalives_interval", 32_767)?;
            keepalives.count = bounded("keepalives_count", 127)?;
        }
        let user_timeout = checker.number("tcp_user_timeout")?;
        keepalives.user_timeout = user_timeout
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0);
        Ok(keepalives)
    }

    /// `auto` takes the encoding of the locale.
    fn client_encoding(&self) -> Option<String> {
        let encoding = self.parameters.text("client_encoding")?;
        if encoding != "auto" {
            return Some(encoding);
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| self.surroundings.var(name).filter(|v| !v.is_empty()))
            .unwrap_or_default();
        let charset = locale.split_once('.').map_or("", |(_, charset)| charset);
        let charset = charset.split('@').next().unwrap_or_default();
        let plain = charset.replace('-', "").to_ascii_uppercase();
        Some(match plain.as_str() {
            "UTF8" => "UTF8".to_owned(),
            "ISO88591" => "LATIN1".to_owned(),
            "ISO885915" => "LATIN9".to_owned(),
            _ => "SQL_ASCII".to_owned(),
        })
    }

    fn tls(&self, checked: &Checked) -> TlsSettings {
        let folder = self.home().map(|home| home.join(".postgresql"));
        let file = |name: &str, default: &str| match self.parameters.text(name) {
            Some(path) => Some(NamedFile {
                path: path.into(),
                named: true,
            }),
            None => folder.as_ref().map(|folder| NamedFile {
                path: folder.join(default),
                named: false,
            }),
        };
        let crl_dir = self.parameters.text("sslcrldir").map(PathBuf::from);
        let system = self.parameters.text("sslrootcert").as_deref() == Some("system");
        TlsSettings {
            mode: checked.sslmode,
            negotiation: checked.negotiation,
            roots: match file("sslrootcert", "root.crt") {
                _ if self.no_verify && checked.sslmode == SslMode::Require => Roots::Nowhere,
                _ if system => Roots::System,
                Some(file) => Roots::File(file),
                None => Roots::Nowhere,
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
        }
    }

    /// The files that the ssl* parameters name. A missing root file is for
    /// `tls` to judge; what libpq does without is a warning.
    fn look_at_tls_files(
        &mut self,
        tls: &TlsSettings,
        endpoints: &[Endpoint],
    ) -> Result<(), Finding> {
        let over_tcp = self.args.ssh.hops.is_empty() && endpoints.iter().all(is_local);
        if tls.mode == SslMode::Disable || over_tcp {
            return Ok(());
        }
        let look = |resolver: &Self, name: &str| -> Option<Finding> {
            let path = PathBuf::from(resolver.parameters.text(name)?);
            if path == Path::new(NO_FILE) {
                return None;
            }
            let why = match name {
                "sslcrldir" => match std::fs::read_dir(&path) {
                    Ok(_) => return None,
                    Err(_) => files::Unreadable::because("is not a readable directory"),
                },
                _ => files::readable(&path).err()?,
            };
            let source = resolver.parameters.source(name, resolver.home());
            Some(resolver.missing(name, &source, &path, why))
        };
        for name in ["sslcrl", "sslcrldir"] {
            if let Some(finding) = look(self, name) {
                self.record.warn(finding);
            }
        }
        if tls.certificate_mode.as_str() == "disable" {
            return Ok(());
        }
        let certificate = tls.certificate.as_ref().map(|file| file.path.as_path());
        let there = certificate.is_some_and(Path::exists);
        if let Some(finding) = look(self, "sslcert") {
            // Without the file libpq goes on without a certificate; one that
            // it cannot read ends the attempt to use TLS.
            match there && tls.mode.demands_tls() {
                true => return Err(finding),
                false => self.record.warn(finding),
            }
        }
        if let Some(finding) = look(self, "sslkey") {
            let engine = self
                .parameters
                .text("sslkey")
                .is_some_and(|k| k.contains(':'));
            match there && tls.mode.demands_tls() {
                true if !engine => return Err(finding),
                _ => self.record.warn(finding),
            }
        }
        Ok(())
    }

    /// Where a value came from that stands first for this parameter.
    pub(super) fn origin(&self, name: &str) -> Origin {
        self.parameters.origin(name)
    }
}

pub(super) fn is_local(endpoint: &Endpoint) -> bool {
    matches!(endpoint.place, Place::Unix(_))
}

fn socket(folder: &str, port: u16) -> Place {
    Place::Unix(PathBuf::from(format!("{folder}/.s.PGSQL.{port}")))
}

/// libpq's Fisher-Yates shuffle of the host list.
fn shuffle(endpoints: &mut [Endpoint]) {
    for last in (1..endpoints.len()).rev() {
        let mut bytes = [0; 8];
        if openssl::rand::rand_bytes(&mut bytes).is_err() {
            return;
        }
        let chosen = u64::from_ne_bytes(bytes) % (last as u64 + 1);
        endpoints.swap(last, usize::try_from(chosen).unwrap_or(last));
    }
}
