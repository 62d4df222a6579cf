//! The forms in which programs print what a connection is made of, and what a line
//! holds of it.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::url;

/// What one form holds: values by the names of [`GROUPS`].
pub type Sighting = Vec<(&'static str, String)>;

/// What a line holds.
#[derive(Debug, Default)]
pub struct Reading {
    /// In the order of the forms.
    pub sightings: Vec<Sighting>,
    /// What URLs say, which is among them too.
    pub urls: Vec<Sighting>,
    /// Passwords and what may be a part of one, never to be shown.
    pub secrets: Vec<String>,
}

/// What is a quote, in any language.
const QUOTES: &str = "\"'`´‘’“”„«»‹›「」";

const IP: &str = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*";
const NAME: &str = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?";
const PATH: &str = r"(?:~|\b[A-Za-z]:)?[/\\][^\s:;,)(\]|<>]+";
const DIGITS: &str = "[0-9]{1,5}";
const WORD: &str = r"[^\s/@:,;()\[\]{}=]{0,62}[^\s/@:,;()\[\]{}=.]";

/// The names of what is wanted, and how each is written where it is not quoted.
/// `socket` is the path of a unix socket, `client` the address that the server sees,
/// `encryption` what a refusal by pg_hba.conf says of it, `hop_…` an SSH server,
/// `key` the file of a private key.
const GROUPS: [(&str, &str); 16] = [
    ("host", NAME),
    ("address", IP),
    ("port", DIGITS),
    ("user", WORD),
    ("dbname", WORD),
    ("parameter", "[A-Za-z_][A-Za-z0-9_.-]{0,62}"),
    ("file", PATH),
    ("line", "[0-9]{1,9}"),
    ("sqlstate", "(?-i:(?:[0-9][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3})"),
    ("socket", r"[@/]\S*?\.s\.PGSQL\.[0-9]{1,5}"),
    ("client", IP),
    ("encryption", ".{1,60}?"),
    ("hop_host", NAME),
    ("hop_port", DIGITS),
    ("hop_user", WORD),
    ("key", PATH),
];

/// Regular expressions in which `"` is any kind of quote, `{host}` a value, `"{host}"`
/// one in quotes, `{end}` the end of a word and `{other}` no quote. What one of them
/// matched is not read by those after it: the more specific come first.
const FIRST: &[&str] = &[
    // Frames of a traceback name files of the program.
    r#"(?-i:\bFile) ".*?", line [0-9]+"#,
    r"\([A-Za-z0-9_$]+\.(?:java|kt|scala|js|ts|cs|rb|go|rs):[0-9:]+\)",
    r"\(?(?:file://)?(?:/[^\s:()/]+)+\.(?:m?js|cjs|tsx?|rb|go|rs|py|php|exs?|cs)(?:\(|:)[0-9]+(?::[0-9]+)*\)?",
    // A line of a password file.
    r"^(?:{host}|\*):(?:{port}|\*):(?:{dbname}|\*):(?:{user}|\*):\S+$",
    // Whom a server or a pooler serves, in its log.
    r"UTC:{client}\([0-9]+\):{user}@{dbname}:\[",
    r"\] {user}@{dbname} (?:FATAL|ERROR|LOG|DETAIL|HINT|PANIC|WARNING|STATEMENT):",
    r"connection received: host={client} port=[0-9]+",
    r"connection auth(?:enticated|orized): (?:identity=.*? )?user={user} database={dbname}",
    r"\bS-0x[0-9a-f]+: {dbname}/{user}@unix:{port}",
    r"\bS-0x[0-9a-f]+: {dbname}/{user}@{address}:{port}",
    r"\bS-0x[0-9a-f]+: {dbname}/{user}@{host}:{port}",
    r"\bC-0x[0-9a-f]+: {dbname}/{user}@{client}:[0-9]+",
    r"\bC-0x[0-9a-f]+: {dbname}/{user}@unix",
    r"\(Connection: [a-z]+, Host: {host}, Port: {port}, Database: {dbname},",
];

/// The same, read after URLs and settings.
const FORMS: &[&str] = &[
    // SSH servers, and what is forwarded through them.
    r"\bssh (?:.*? )?-L ?(?:[A-Za-z0-9.*]+:)?[0-9]+:{host}:{port}\b(?:.*? {hop_user}@{hop_host}{end})?",
    r"connect to host {hop_host} port {hop_port}",
    r"ssh: Could not resolve hostname {hop_host}:",
    r"\b{hop_user}@{hop_host}: Permission denied",
    r#"\b{hop_user}@{hop_host}(?:"s password|:(?P<hop_port>22|2222)\b)"#,
    r"Permission denied for user {hop_user} on host {hop_host}{end}",
    r"(?:Connection (?:closed|reset|timed out)|Disconnected|Received disconnect|banner exchange: Connection)\b(?: by| from| to| with)*(?: authenticating user {hop_user}| invalid user \S+)? (?:{hop_host}|[0-9A-Fa-f:]+) port {hop_port}",
    r#"(?:ssh_address_or_host|ssh_address|gateway|SSH server|bastion|jump host)[ =:(]+"{hop_host}", {hop_port}\b"#,
    r"(?:gateway|SSH server|bastion|jump host|ssh host)[ =:]+(?:{hop_user}@)?{hop_host}:{hop_port}\b",
    r#"remote_bind_address[ =:(]+"{host}", {port}\b"#,
    r#"local_bind_address[ =:(]+"{other}*", [0-9]+"#,
    r"connect_to {host} port {port}:",
    r"connect_to {host}: unknown host",
    r#"(?:Load key|Permissions [0-7]+ for|identity file|key file) "{key}""#,
    r"(?:Load key|identity file|key file) {key}",
    // libpq, in any language: the address in parentheses, the port behind it.
    r#""{host}"\s*\({address}\)[^0-9]{0,40}{port}\b"#,
    r#"(?:server at|Server auf|servidor en|servidor em|serveur sur|server su|serwerem na|сервер\S*|连接到) ?"{host}"[^"0-9]{1,20}{port}\b"#,
    r#""{host}", port {port}\b"#,
    r#""{socket}""#,
    r#"on host "{host}" \({address}\)"#,
    r#"on host "{host}""#,
    r"connections on port {port}\b",
    r#"(?:host ?names?n?|nombre|nom d.hôte|nome host|nome de host|ホスト名|имя|ім.я хоста|主机名|värdnamn|jméno hostitele) ?"{host}""#,
    r#""{host}" 호스트 이름"#,
    // Drivers and ORMs.
    r#"\("{host}", {port}(?:, [0-9]+, [0-9]+)?\)"#,
    r"->\[?{address}\]?:{port}\b",
    r"- Local \(.*?\)",
    r"\[?{address}\]?:{port} \({host}\)",
    r"\blookup {host} on \S+:53\b",
    r"\blookup {host}{end}",
    r"\b(?:ENOTFOUND|EAI_[A-Z]+|ENODATA|ESERVFAIL) {host}(?::{port}\b|[\s,)]|$)",
    r"\bE[A-Z]{4,12} \[?{address}\]?:{port}\b",
    r"\bE[A-Z]{4,12} {socket}",
    r"\bE[A-Z]{4,12} {host}:{port}\b",
    r"dial unix {socket}",
    r"dial tcp[46]? \[?{address}\]?:{port}\b",
    r"dial tcp[46]? {host}:{port}\b",
    r"(?:UnknownHostException|UnresolvedAddressException): {host}{end}",
    r"\b(?:connect|connection|connecting|connected)(?: to)?(?: the)?(?: server| database| host)?(?: at| on)? \(?\[?{address}\]?:{port}\b",
    r"\b(?:connect|connection|connecting|connected)(?: to)?(?: the)?(?: server| database| host)?(?: at| on)? \(?{host}:{port}\b",
    r"host is known\.? \({host}:{port}\)",
    r#"server (?:is running )?at "{host}":"{port}""#,
    r#"server (?:is running )?at "{host}:{port}""#,
    r#"database server at "{host}""#,
    r#"connect(?:ion|ing|ed)? to (?:the )?(?:server|database|host)(?: at| on)? "{host}""#,
    r#"exist on the database server at "{host}""#,
    r"could not find your database: {dbname}{end}",
    r"(?:could not|cannot|unable to|failed to) (?:resolve|lookup|look up)(?: host| hostname| name| address)*:? {host}{end}",
    r"(?:getaddrinfo|name resolution|dns resolution)(?: failed)? for(?: host)?:? {host}{end}",
    r"(?:unknown host|connecting with your hostname): {host}{end}",
    r"your username/password, username: {user}{end}",
    r#"database credentials for "{user}""#,
    r#""{user}" was denied access on the database "{dbname}""#,
    r#"database "{dbname}" does not exist on the database server"#,
    // pg_hba.conf: these are in this order in every language.
    r#""{client}"{other}{1,60}"{user}"(?:{other}{1,60}"{dbname}")?(?:[,、，] ?{encryption}$)?"#,
    // Users and databases, in any language.
    r#"(?:\buser(?:name)?|\brole|Benutzer|\brollen?|utilisateur|rôle|usuario|usuário|\brol|papel|papelu|utente|ruolo|пользовател\S*|рол[ьиі]|користувача?|użytkownik\S*|rola|roli|kullanıcı\S*|användare|uživatele?|ユーザー|ロール|사용자|用户|角色|მომხმარებ\S*|χρήστη) ?"{user}""#,
    r#""{user}" (?:롤|사용자|kullanıcı|rolü|rol)"#,
    r#"(?:\bdatabase|Datenbank|base de données|base de datos|base de dados|banco de dados|データベース|база данных|базы|базе|бази даних|databas(?:en)?|baza danych|bazy danych|veritabanı|数据库|데이터베이스|ბაზა) ?"{dbname}""#,
    r#""{dbname}" (?:데이터베이스|veritabanı)"#,
    r"(?:failed|denied|rejected) for (?:user|role):? {user}(?:[\s,;)]|$)",
    // Codes.
    r#"SQLSTATE ?[\[(=:]? ?"?{sqlstate}\b"#,
    r#"\b(?:code|pgcode|sqlstate|sql state)\\?"? ?(?:=>|[:=])? ?"?{sqlstate}\b"#,
    r"\b(?:FATAL|ERROR|PANIC)(?::  ?| ){sqlstate}\b",
    r"(?:^|[\s(]){sqlstate}: [a-z]",
    r#""C": "{sqlstate}""#,
    // Parameters.
    r#"(?:query parameter|connection option|configuration parameter|connection parameter|keyword argument|keyword not supported|start-?up parameter|unknown parameter|unknown option|unsupported option|unrecognized option|for parameter|invalid option|\bparameter)(?: in options)?:? "{parameter}""#,
    r"(?:startup parameter|configuration parameter|unknown parameter)(?: in options)?: {parameter}(?:[=\s,]|$)",
    r#"invalid {parameter} value: ""#,
    r"Couldn.t set {parameter}{end}",
    // Files.
    r#"line {line} of (?:configuration |service )?file "{file}""#,
    r#"\bfile "{file}"(?:,? line {line}\b)?"#,
    r#"(?:^|[\s"(=]){file}:? line {line}\b"#,
    r#"(?:^|[\s"(=]){file}:{line}(?::| |$)"#,
    r#"(?:No such file or directory|permission denied|could not open file|could not read|ENOENT|EACCES){other}{0,60}"{file}""#,
    r"\bopen {file}: ",
    // Addresses and names of anything else.
    r"\[{address}\]:{port}\b",
    r"{address}:{port}\b",
    r"\b{host}:(?P<port>5432|5433|5434|6432|6543|26257)\b",
];

/// Settings in their many spellings: `host=db`, `host: 'db'`, `:host=>"db"`, `Host=db;`.
const PAIR: &str = r#"(?P<name>\b(?:user id|user name|data source|initial catalog)|[A-Za-z_][A-Za-z0-9_.-]*)\\?"?(?P<sign>\s*=>\s*|\s*=\s*|:\s?)(?:\x22(?P<double>[^\x22]*)\x22|\x27(?P<single>[^\x27]*)\x27|(?P<bare>[^\s,;&)\]}>|{quotes}]+))"#;

struct Form {
    regex: Regex,
    names: Vec<&'static str>,
}

static BEFORE: LazyLock<Vec<Form>> = LazyLock::new(|| all(FIRST));
static AFTER: LazyLock<Vec<Form>> = LazyLock::new(|| all(FORMS));

/// Forms with the names of their groups.
fn all(forms: &[&str]) -> Vec<Form> {
    let forms = forms.iter().filter_map(|form| {
        let regex = compiled(form)?;
        let has = |name: &str| regex.capture_names().flatten().any(|it| it == name);
        let names = GROUPS.iter().map(|(name, _)| *name);
        let names = names.filter(|name| has(name)).collect();
        Some(Form { regex, names })
    });
    forms.collect()
}

static PAIRS: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(PAIR));
static URLS: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(url::TOKEN));

/// A form as a regular expression.
fn compiled(form: &str) -> Option<Regex> {
    let mut out = String::from("(?i)");
    let mut rest = form;
    while let Some(c) = rest.chars().next() {
        let group = GROUPS.iter().find_map(|(name, plain)| {
            let quoted = rest.strip_prefix(&format!("\"{{{name}}}\""));
            let bare = rest.strip_prefix(&format!("{{{name}}}"));
            // What is in quotes may be anything; a number or an address is one there, too.
            let inside = match *name {
                "address" | "client" | "port" | "hop_port" | "socket" => (*plain).to_owned(),
                _ => format!("[^{QUOTES}]{{1,300}}?"),
            };
            match (quoted, bare) {
                (Some(after), _) => Some((
                    format!(r"\s?[{QUOTES}]\s?(?P<{name}>{inside})\s?[{QUOTES}]"),
                    after,
                )),
                (_, Some(after)) => Some((format!("(?P<{name}>{plain})"), after)),
                _ => None,
            }
        });
        let words = [
            ("{end}", format!(r"(?:[\s,;:)\]}}]|\.\s|\.?$|[{QUOTES}])")),
            ("{other}", format!("[^{QUOTES}]")),
            ("{quotes}", QUOTES.to_owned()),
            ("\"", format!("[{QUOTES}]")),
            (r"\b", r"(?-u:\b)".to_owned()),
        ];
        let word = words.into_iter().find_map(|(word, text)| {
            let after = rest.strip_prefix(word)?;
            Some((text, after))
        });
        let (text, after) = group
            .or(word)
            .unwrap_or_else(|| (c.to_string(), rest.get(c.len_utf8()..).unwrap_or_default()));
        out += &text;
        rest = after;
    }
    Regex::new(&out).ok()
}

/// What a line holds.
pub fn read(line: &str) -> Reading {
    let mut reading = Reading::default();
    let mut left = line.to_owned();
    reading.read_forms(&BEFORE, &mut left);
    if let Some(urls) = URLS.as_ref() {
        each(urls, &mut left, |found, left| {
            let token = found.get(0)?;
            let after = left.get(token.end()..).unwrap_or_default();
            let (sighting, secrets) = url::read(token.as_str(), after);
            reading.secrets.extend(secrets);
            (!sighting.is_empty()).then(|| reading.urls.push(sighting))
        });
    }
    reading.sightings.extend(reading.urls.iter().cloned());
    let mut pairs = Sighting::new();
    if let Some(regex) = PAIRS.as_ref() {
        each(regex, &mut left, |found, left| {
            match pair(found, left)? {
                ("secret", value) => reading.secrets.push(value),
                known => pairs.push(known),
            }
            Some(())
        });
    }
    if !pairs.is_empty() {
        reading.sightings.push(pairs);
    }
    reading.read_forms(&AFTER, &mut left);
    reading
}

impl Reading {
    fn read_forms(&mut self, forms: &[Form], left: &mut String) {
        for form in forms {
            each(&form.regex, left, |found, line| {
                let held = form.names.iter().filter_map(|name| {
                    let value = found.name(name)?;
                    let is_whole = !is_torn(line, value.range());
                    is_whole.then(|| (*name, value.as_str().trim().to_owned()))
                });
                let held: Sighting = held.filter(|(_, value)| !value.is_empty()).collect();
                // A frame of a traceback has no value and is blanked out all the same.
                let is_of_use = !held.is_empty() || form.names.is_empty();
                is_of_use.then(|| self.sightings.push(held))
            });
        }
    }
}

/// Whether the quote behind a value is not that which is before it: there is more of it,
/// and it may be a password with a quote in it.
fn is_torn(line: &str, value: Range<usize>) -> bool {
    const PAIRS: [(char, &str); 12] = [
        ('"', "\""),
        ('\'', "'"),
        ('`', "`'´"),
        ('´', "´"),
        ('‘', "’"),
        ('’', "’"),
        ('“', "”"),
        ('”', "”"),
        ('„', "“”"),
        ('«', "»"),
        ('»', "«»"),
        ('「', "」"),
    ];
    let before = line.get(..value.start).unwrap_or_default().trim_end();
    let after = line.get(value.end..).unwrap_or_default().trim_start();
    let open = before.chars().next_back().filter(|c| QUOTES.contains(*c));
    let close = after.chars().next().filter(|c| QUOTES.contains(*c));
    let (Some(open), Some(close)) = (open, close) else {
        return false;
    };
    let pair = PAIRS.iter().find(|(known, _)| *known == open);
    !pair.is_some_and(|(_, closes)| closes.contains(close))
}

/// Reads what matches, and blanks out what was of use. What was not may begin another
/// match before its own end.
fn each(regex: &Regex, left: &mut String, mut read: impl FnMut(&Captures<'_>, &str) -> Option<()>) {
    let mut from = 0;
    while let Some(found) = regex.captures_at(left, from) {
        let whole = found.get(0).map_or(0..0, |it| it.range());
        let sign = found.name("sign").map_or(whole.end, |it| it.end());
        let is_of_use = read(&found, left).is_some();
        let end = if is_of_use { whole.end } else { sign };
        from = end.max(from + 1);
        if is_of_use {
            left.replace_range(whole.clone(), &" ".repeat(whole.len()));
        }
        while from < left.len() && !left.is_char_boundary(from) {
            from += 1;
        }
        if from > left.len() {
            break;
        }
    }
}

/// What a name of a setting stands for.
const SETTINGS: &[(&str, &[&str])] = &[
    (
        "host",
        &[
            "host",
            "hostname",
            "server",
            "data source",
            "pghost",
            "servername",
            "server_name",
        ],
    ),
    ("address", &["hostaddr", "address", "pghostaddr"]),
    ("port", &["port", "pgport"]),
    (
        "user",
        &[
            "user",
            "username",
            "user id",
            "user name",
            "uid",
            "userid",
            "pguser",
            "usename",
            "login",
            "role",
        ],
    ),
    (
        "dbname",
        &[
            "dbname",
            "database",
            "db",
            "initial catalog",
            "pgdatabase",
            "db_name",
            "database_name",
            "datname",
        ],
    ),
    ("sqlstate", &["sqlstate", "pgcode"]),
    ("client", &["client", "client_addr", "remote_host"]),
    ("parameter", &["parameter"]),
    (
        "hop_host",
        &[
            "ssh_host",
            "ssh_hostname",
            "bastion_host",
            "jump_host",
            "ssh_address",
            "sshhost",
        ],
    ),
    ("hop_port", &["ssh_port", "bastion_port", "sshport"]),
    (
        "hop_user",
        &["ssh_user", "ssh_username", "bastion_user", "sshuser"],
    ),
];

/// What begins the names of settings of applications.
const PREFIXES: &[&str] = &[
    "db_",
    "db.",
    "postgres_",
    "postgresql_",
    "database_",
    "datasource.",
];

/// Pieces of the names of settings that are secrets.
const SECRETS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "credential",
    "private_key",
];

/// A setting that is of use; anything else is left to the other forms.
fn pair(found: &Captures<'_>, line: &str) -> Option<(&'static str, String)> {
    let name = found.name("name")?.as_str().to_ascii_lowercase();
    let sign = found.name("sign")?.as_str();
    let quoted = found.name("double").or(found.name("single"));
    let quoted = quoted.map(|it| it.as_str());
    let value = quoted.or(found.name("bare").map(|it| it.as_str()))?;
    let is_error = ["error", "exception"].iter().any(|end| name.ends_with(end));
    let is_secret = SECRETS.iter().any(|piece| name.contains(piece)) || name == "pass";
    if is_secret && !is_error {
        return Some(("secret", value.to_owned()));
    }
    let bare = PREFIXES
        .iter()
        .find_map(|prefix| name.rsplit_once(prefix).map(|(_, rest)| rest));
    let known = |name: &str| {
        SETTINGS
            .iter()
            .find(|(_, names)| names.contains(&name))
            .map(|(known, _)| *known)
    };
    let known = known(&name).or_else(|| known(bare?))?;
    if value.is_empty() {
        return None;
    }
    if sign.starts_with(':') && quoted.is_none() {
        if value.contains(':') {
            return None;
        }
        let after = line.get(found.get(0)?.end()..).unwrap_or_default();
        let ends = after.is_empty() || after.starts_with([',', ';', ')', '}', ']']);
        let number = value.parse::<u16>().is_ok();
        // In prose, what follows a colon is a sentence.
        let told = match known {
            "port" => number,
            "host" | "address" | "hop_host" => ends || !sign.ends_with(' '),
            "sqlstate" => true,
            _ => !sign.ends_with(' '),
        };
        if !told || (!sign.ends_with(' ') && number != known.ends_with("port")) {
            return None;
        }
    }
    Some((known, value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_compiles() {
        assert_eq!(BEFORE.len(), FIRST.len());
        assert_eq!(AFTER.len(), FORMS.len());
        for form in FIRST.iter().chain(FORMS) {
            assert!(compiled(form).is_some(), "{form}");
        }
        assert!(PAIRS.is_some() && URLS.is_some());
    }
}
