//! What a text says of the connection that failed: where it went, as whom, and with
//! what.
//!
//! The line that was recognised counts first, then the lines near it, then the whole
//! text where it names one thing alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::driver::{self, Driver};
use super::forms::{self, Reading, Sighting};
use super::rules::Said;
use super::text::Text;
use crate::cause::{Cause, auth, config, family};
use crate::config::host_port;
use crate::message::{Pattern, fold, unfolded};
use crate::text;

/// What a text says of the connection; null where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Values {
    /// The database server's host: a name, an address, or the directory of its socket.
    pub host: Option<String>,
    /// The server's IP address; in a refusal by pg_hba.conf that does not name it, the
    /// client's.
    pub address: Option<String>,
    /// The server's port.
    pub port: Option<u16>,
    /// The role.
    pub user: Option<String>,
    /// The database.
    pub dbname: Option<String>,
    /// The connection parameter or setting that the error is about.
    pub parameter: Option<String>,
    /// The file that the error is about.
    pub file: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// The SQLSTATE.
    pub sqlstate: Option<String>,
    /// The driver or library that speaks.
    pub driver: Option<String>,
    /// Its version.
    pub driver_version: Option<String>,
    /// Who runs the server, by its host name or its words.
    pub provider: Option<String>,
    /// The pooler between the client and the server.
    pub pooler: Option<String>,
}

/// An SSH server that a text names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// Its host.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The user there.
    pub user: Option<String>,
}

/// What a text says, with what is not shown by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// What is shown.
    pub values: Values,
    /// The SSH server.
    pub hop: Hop,
    /// Whether the line itself is about the SSH server.
    pub is_of_hop: bool,
    /// The client's address as the server sees it.
    pub client: Option<String>,
    /// How a refusal by pg_hba.conf says that the connection is encrypted.
    pub encrypted: Option<bool>,
    /// The path of a unix socket.
    pub socket: Option<String>,
    /// The file of a private key.
    pub key: Option<String>,
    /// Whether a server wrote it into its own log.
    pub is_server_log: bool,
    /// The server's address, where that is an address.
    pub server_address: Option<String>,
}

/// How far the same message reaches, in lines.
const NEAR: usize = 15;

/// So near, a line counts before others that say something else.
const BESIDE: usize = 2;

/// A text of so many lines is about one thing, where it names one thing alone.
const WHOLE: usize = 400;

/// Values are no longer, in characters.
const LONGEST: usize = 255;

/// Reads the values of a text. A line is read once, however many causes it speaks of.
pub struct Reader<'a> {
    text: &'a Text,
    lines: HashMap<usize, Rc<Reading>>,
}

impl<'a> Reader<'a> {
    /// A reader of this text.
    pub fn new(text: &'a Text) -> Self {
        Self {
            text,
            lines: HashMap::new(),
        }
    }

    fn reading(&mut self, number: usize, line: &str) -> Rc<Reading> {
        let known = self.lines.entry(number);
        Rc::clone(known.or_insert_with(|| Rc::new(forms::read(line))))
    }

    /// What a line says, and what the text says around it.
    pub fn read(&mut self, at: usize, cause: &Cause, said: &Said) -> Read {
        let text = self.text;
        let Some(line) = text.lines.get(at) else {
            return Read::default();
        };
        let own = self.reading(line.number, &line.text);
        let process = line.process();
        let near = text.around(at, NEAR).filter(|other| {
            // Another process's lines in a server's log are about another connection.
            let theirs = other.process();
            other.number != line.number
                && (process.is_none() || theirs.is_none() || theirs == process)
        });
        let mut near: Vec<(usize, bool, Rc<Reading>)> = near
            .map(|other| {
                let far = other.number.abs_diff(line.number);
                // What has a time of its own may be about something else.
                let beside =
                    far <= BESIDE && (other.time.is_none() || other.message == line.message);
                (far, beside, self.reading(other.number, &other.text))
            })
            .collect();
        near.sort_by_key(|(far, ..)| *far);
        let whole = match text.lines.len() <= WHOLE && process.is_none() {
            true => text.lines.as_slice(),
            false => &[],
        };
        let whole = whole
            .iter()
            .map(|line| self.reading(line.number, &line.text));
        let whole: Vec<Rc<Reading>> = whole.collect();

        let readings = near.iter().map(|(.., it)| it).chain(&whole);
        let secrets: Vec<&str> = std::iter::once(&own)
            .chain(readings)
            .flat_map(|it| &it.secrets)
            .map(String::as_str)
            .collect();
        let mut gathered = Gathered {
            secrets,
            read: Read::default(),
        };
        gathered.take(&captured(text, at, cause, said));
        // A URL that was split in the wrong place gives pieces of a password as its parts.
        let of_url = cause.is_any(&[&config::URL_UNESCAPED, &config::URL_SYNTAX]);
        let of = |reading: &'_ Rc<Reading>| match of_url {
            true => reading.urls.clone(),
            false => reading.sightings.clone(),
        };
        of(&own).iter().for_each(|it| gathered.take(it));
        // The server that an error of SSH names is an SSH server.
        if cause.is_of(family::SSH) && gathered.read.hop.host.is_none() {
            gathered.read.becomes_hop();
        }
        gathered.read.is_of_hop = gathered.read.hop.host.is_some() && gathered.is_nowhere();
        let beside = near.iter().filter(|(_, beside, _)| *beside);
        let beside: Vec<Sighting> = beside.flat_map(|(.., it)| of(it)).collect();
        beside.iter().for_each(|it| gathered.take(it));
        let near: Vec<Sighting> = near.iter().flat_map(|(.., it)| of(it)).collect();
        gathered.take_unambiguous(&near);
        if cause.is_of(family::SSH) && gathered.read.hop.host.is_none() {
            gathered.read.becomes_hop();
        }
        let whole: Vec<Sighting> = whole.iter().flat_map(of).collect();
        gathered.take_unambiguous(&whole);
        let mut read = gathered.read;
        read.is_server_log = line.is_of_server_log();
        read.finish(driver::of(text, at), driver::pooler_of(text, at));
        read
    }
}

/// What the holes of the pattern that matched hold: those with a name, and the one in
/// quotes of a message that has one value alone, in any language.
fn captured(text: &Text, at: usize, cause: &Cause, said: &Said) -> Sighting {
    let Some(line) = text.lines.get(at) else {
        return Sighting::new();
    };
    let one = if cause.is_of(family::DNS) {
        "{host}"
    } else if cause.is_any(&[&auth::DATABASE_MISSING, &auth::DATABASE_CLOSED]) {
        "{dbname}"
    } else if cause.is_any(&[
        &auth::PASSWORD_WRONG,
        &auth::ROLE_MISSING,
        &auth::ROLE_NOLOGIN,
    ]) {
        "{user}"
    } else {
        "*"
    };
    let pattern = fold(said.pattern);
    let pattern = match pattern.matches('*').count() {
        1 => ["\"*\"", "\" * \""]
            .iter()
            .fold(pattern, |pattern, quoted| {
                pattern.replace(quoted, &quoted.replace('*', one))
            }),
        _ => pattern,
    };
    let of_fact = said.fact.into_iter().flat_map(|fact| fact.pieces());
    let patterns = std::iter::once(pattern).chain(of_fact.map(str::to_owned));
    let mut found = Sighting::new();
    for pattern in patterns.filter(|pattern| pattern.contains('{')) {
        let pattern = Pattern::new(&pattern);
        let near = std::iter::once(line).chain(text.around(at, NEAR));
        let held = near.map(|line| (line, pattern.captures(&line.folded)));
        let held = held.filter(|(_, captures)| !captures.is_empty()).take(1);
        found.extend(held.flat_map(|(line, captures)| {
            let values = captures.into_iter();
            values.map(|(name, range)| (name, unfolded(&line.text, &range)))
        }));
    }
    found
}

/// Values as they are found, each once.
struct Gathered<'a> {
    secrets: Vec<&'a str>,
    read: Read,
}

impl Gathered<'_> {
    /// Whether nothing says yet where the database server is.
    fn is_nowhere(&self) -> bool {
        let Read { values, socket, .. } = &self.read;
        values.host.is_none() && values.address.is_none() && socket.is_none()
    }

    /// Whether a value is no secret of the text, nor has one in it.
    fn is_safe(&self, value: &str) -> bool {
        let in_it = |secret: &&str| secret.len() > 5 && value.contains(secret);
        !self
            .secrets
            .iter()
            .any(|secret| *secret == value || in_it(secret))
    }

    /// Takes what is new. Host, address and port are those of one server: what speaks of
    /// another one is passed over.
    fn take(&mut self, sighting: &Sighting) {
        let mut here = Read::default();
        for (name, value) in sighting {
            if self.is_safe(value) {
                here.set(name, value);
            }
        }
        let hop = self.read.hop.host.as_ref();
        let is_hop = hop.is_some()
            && (hop == here.values.host.as_ref() || hop == here.values.address.as_ref())
            && here.values.port == self.read.hop.port;
        let port = here.values.port;
        if is_hop || port.is_some_and(|port| SSH_PORTS.contains(&port)) {
            here.becomes_hop();
        }
        let known = &mut self.read;
        let (ours, theirs) = (&known.values, &here.values);
        let differs = |a: &Option<String>, b: &Option<String>| {
            a.is_some()
                && b.is_some()
                && a.as_ref().map(|it| it.to_lowercase()) != b.as_ref().map(|it| it.to_lowercase())
        };
        let is_other = differs(&ours.host, &theirs.host)
            || differs(&ours.address, &theirs.address)
            || ours.port.zip(theirs.port).is_some_and(|(a, b)| a != b)
            || (known.socket.is_some() && (theirs.host.is_some() || theirs.address.is_some()))
            || (here.socket.is_some() && (ours.host.is_some() || ours.address.is_some()));
        if !is_other {
            fill(&mut known.values.host, here.values.host);
            fill(&mut known.values.address, here.values.address);
            fill(&mut known.values.port, here.values.port);
            fill(&mut known.socket, here.socket);
        }
        fill(&mut known.values.user, here.values.user);
        fill(&mut known.values.dbname, here.values.dbname);
        fill(&mut known.values.parameter, here.values.parameter);
        if known.values.file.is_none() {
            known.values.file = here.values.file;
            fill(&mut known.values.line, here.values.line);
        }
        fill(&mut known.values.sqlstate, here.values.sqlstate);
        fill(&mut known.client, here.client);
        fill(&mut known.encrypted, here.encrypted);
        fill(&mut known.key, here.key);
        fill(&mut known.values.driver, here.values.driver);
        fill(&mut known.values.driver_version, here.values.driver_version);
        fill(&mut known.values.pooler, here.values.pooler);
        if !differs(&known.hop.host, &here.hop.host) {
            fill(&mut known.hop.host, here.hop.host);
            fill(&mut known.hop.port, here.hop.port);
            fill(&mut known.hop.user, here.hop.user);
        }
    }

    /// Takes what all of these say alike.
    fn take_unambiguous(&mut self, sightings: &[Sighting]) {
        let mut alike: HashMap<&str, Option<String>> = HashMap::new();
        for (name, value) in sightings.iter().flatten() {
            let value = value.to_lowercase();
            let known = alike.entry(name).or_insert_with(|| Some(value.clone()));
            if known.as_ref().is_some_and(|known| *known != value) {
                *known = None;
            }
        }
        for sighting in sightings {
            let kept = sighting.iter();
            let kept = kept.filter(|(name, _)| alike.get(name).is_some_and(Option::is_some));
            self.take(&kept.cloned().collect());
        }
    }
}

/// Ports at which an SSH server is taken for granted.
const SSH_PORTS: [u16; 2] = [22, 2222];

fn fill<T>(known: &mut Option<T>, found: Option<T>) {
    if known.is_none() {
        *known = found;
    }
}

impl Read {
    /// Sets a value by its name, where it can be one.
    fn set(&mut self, name: &str, value: &str) {
        let values = &mut self.values;
        match name {
            "host" if is_socket(value) => self.socket = Some(value.to_owned()),
            "host" => match address(value) {
                Some(address) => values.address = Some(address),
                None => values.host = host(value),
            },
            "address" => values.address = address(value),
            "port" => values.port = port(value),
            "user" => values.user = name_of(value),
            "dbname" => values.dbname = name_of(value),
            "parameter" => values.parameter = parameter(value),
            "file" => values.file = path(value),
            "line" => values.line = value.parse().ok(),
            "sqlstate" => values.sqlstate = sqlstate(value),
            "socket" => self.socket = path(value),
            "client" => self.client = address(value),
            "encryption" => self.encrypted = encrypted(value),
            "hop_host" => self.hop.host = address(value).or_else(|| host(value)),
            "hop_port" => self.hop.port = port(value),
            "hop_user" => self.hop.user = name_of(value),
            "key" => self.key = path(value),
            "driver" => values.driver = shown(value),
            "driver_version" => values.driver_version = shown(value),
            "pooler" => values.pooler = shown(value),
            _ => {}
        }
    }

    /// What was taken for a database server is an SSH server.
    fn becomes_hop(&mut self) {
        let values = &mut self.values;
        fill(
            &mut self.hop.host,
            values.host.take().or(values.address.take()),
        );
        fill(&mut self.hop.port, values.port.take());
        fill(&mut self.hop.user, values.user.take());
        values.dbname = None;
    }

    /// Completes the values from each other.
    fn finish(&mut self, driver: Option<Driver>, pooler: Option<&'static str>) {
        let values = &mut self.values;
        if let Some((directory, port)) = self
            .socket
            .as_deref()
            .and_then(|path| path.rsplit_once("/.s.PGSQL."))
        {
            values.host = Some(directory.to_owned());
            values.port = port.parse().ok();
        } else if let Some(directory) = &self.socket {
            values.host = Some(directory.clone());
        }
        self.server_address.clone_from(&values.address);
        if values.host.is_none() {
            values.host.clone_from(&values.address);
        }
        if values.host.is_none() {
            values.address.clone_from(&self.client);
        }
        if values.file.is_none() {
            values.file.clone_from(&self.key);
        }
        if let Some(driver) = driver {
            fill(&mut values.driver, Some(driver.name.to_owned()));
            fill(&mut values.driver_version, driver.version);
        }
        let host = values.host.clone().unwrap_or_default();
        let pooler = pooler.or_else(|| driver::pooler_of_host(&host));
        fill(&mut values.pooler, pooler.map(str::to_owned));
    }

    /// The server as `host:port`, where its host is known.
    pub fn endpoint(&self) -> Option<String> {
        let host = self.values.host.as_deref()?;
        match self.values.port {
            _ if is_socket(host) => self.socket.clone(),
            Some(port) => Some(host_port(host, port)),
            None => Some(host.to_owned()),
        }
    }
}

/// Whether a host is the directory of a unix socket.
pub fn is_socket(host: &str) -> bool {
    host.starts_with(['/', '@']) && path(host).is_some()
}

/// A value that is safe to show and the same as it was given.
fn shown(value: &str) -> Option<String> {
    let clean = text::clean(value);
    let is_whole = clean == value && !value.is_empty() && value.chars().count() <= LONGEST;
    (is_whole && !is_masked(value)).then_some(clean)
}

/// Whether something stands in place of a value.
fn is_masked(value: &str) -> bool {
    let known = [
        "[unknown]",
        "unknown",
        "(null)",
        "null",
        "undefined",
        "none",
        "nil",
    ];
    known.contains(&value.to_ascii_lowercase().as_str())
        || (value.len() > 1
            && value
                .chars()
                .all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '?' | '-' | '_')))
        || value.starts_with(['<', '{', '$', '[', '(', '%'])
}

fn address(value: &str) -> Option<String> {
    let value = value.trim_matches(['[', ']']);
    let ip: IpAddr = value.split('%').next()?.parse().ok()?;
    (!ip.is_unspecified()).then(|| ip.to_string())
}

/// A host name. Anything that is none may be a piece of a URL that was split in the
/// wrong place, and so of a password.
fn host(value: &str) -> Option<String> {
    let value = value.strip_suffix('.').unwrap_or(value);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let lettered = value.chars().any(char::is_alphabetic);
    let is_name = value.chars().all(plain) && lettered && !value.starts_with(['-', '.']);
    let word = [
        "is", "on", "at", "to", "the", "not", "failed", "error", "address", "name",
    ];
    (is_name && !word.contains(&value.to_ascii_lowercase().as_str()))
        .then(|| shown(value))
        .flatten()
}

fn port(value: &str) -> Option<u16> {
    value.parse().ok().filter(|port| *port > 0)
}

/// The name of a role or a database.
fn name_of(value: &str) -> Option<String> {
    let value = value.trim();
    // What stands between @ and / is the middle of a URL that was cut in the wrong place.
    let is_cut = value
        .split_once('@')
        .is_some_and(|(_, rest)| rest.contains('/'));
    let is_url = is_cut || value.contains("://") || value.contains(['\n', '\0']);
    (!is_url && value.chars().count() <= 63 && !value.starts_with('('))
        .then(|| shown(value))
        .flatten()
}

fn parameter(value: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    (value.len() <= 63 && value.chars().all(letter))
        .then(|| shown(value))
        .flatten()
}

fn path(value: &str) -> Option<String> {
    let is_path = value.contains(['/', '\\', '.']) || value.starts_with('~');
    (is_path && !value.contains("://") && !value.contains('@') || is_abstract(value))
        .then(|| shown(value))
        .flatten()
}

/// Whether a socket is in the abstract namespace.
fn is_abstract(value: &str) -> bool {
    value.starts_with('@') && value.get(1..).is_some_and(|rest| !rest.contains('@'))
}

/// Five characters, of which one is a digit; codes of Prisma look alike.
fn sqlstate(value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    let is_one = value.len() == 5 && value.chars().all(plain);
    let digit = value.chars().any(|c| c.is_ascii_digit());
    let bytes = value.as_bytes();
    let prisma = bytes.first() == Some(&b'P') && bytes.get(1).is_some_and(|b| *b != b'0');
    (is_one && digit && !prisma).then(|| value.to_owned())
}

/// What the end of a refusal by pg_hba.conf says: encrypted by TLS or GSSAPI, or not.
fn encrypted(value: &str) -> Option<bool> {
    const OFF: &[&str] = &[
        "off",
        "no encryption",
        "aus",
        "keine",
        "inactif",
        "aucun",
        "sans",
        "pas de",
        "desactivado",
        "sin ",
        "sem ",
        "desabilitado",
        "nessun",
        "disattivato",
        "выкл",
        "без",
        "відкл",
        "オフ",
        "なし",
        "关闭",
        "未加密",
        "没有",
        "중지",
        "ingen",
        "brak",
        "wyłączon",
        "kapalı",
        "yok",
    ];
    let value = value.to_lowercase();
    let off = OFF.iter().any(|word| value.contains(word));
    let on = ["ssl", "tls", "gss"]
        .iter()
        .any(|word| value.contains(word));
    match (off, on) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}
