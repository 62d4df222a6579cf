//! Holds the reading of settings to libpq's own: the same strings accepted,
//! the same values, the same effect of variables, service and password files.
//!
//! The system's libpq is asked through a small C program (`data/libpq.c`). A
//! further one (18 is the reference) is asked where `LIBPQ` names the library
//! or Python's `psycopg_binary` brings one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dbdoctor::config::request::Request;
use dbdoctor::config::{Place, Target, catalog, conninfo, uri};
use dbdoctor::report::{Stage, StageRecord, TargetReport};
use dbdoctor::stage::config;
use dbdoctor::system::System;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A password that must never be shown.
const CANARY: &str = "c4n4ry";

/// A libpq that answers.
struct Libpq {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    version: u32,
}

impl Drop for Libpq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a connection held when it had failed.
#[derive(Debug)]
struct Held {
    host: String,
    port: String,
    user: String,
    dbname: String,
    password: String,
    error: String,
}

impl Libpq {
    fn start(program: &Path, library: &str) -> Result<Self, String> {
        let mut child = Command::new(program)
            .arg(library)
            .env_clear()
            .env("LC_ALL", "C")
            .env("HOME", "/nonexistent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut libpq = Self {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            version: 0,
        };
        let answer = libpq.ask("version");
        let number = answer.strip_prefix("version ").and_then(|n| n.parse().ok());
        libpq.version = number.ok_or_else(|| format!("{library} cannot be loaded"))?;
        Ok(libpq)
    }

    fn ask(&mut self, request: &str) -> String {
        let _ = writeln!(self.to, "{request}");
        let _ = self.to.flush();
        let mut answer = String::new();
        let _ = self.from.read_line(&mut answer);
        answer.trim_end().to_owned()
    }

    fn parse(&mut self, text: &str) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let answer = self.ask(&format!("parse {}", hex(text)));
        match answer.strip_prefix("ok") {
            Some(list) => Ok(list
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), unhex(value)))
                .collect()),
            None => Err(shown(answer.trim_start_matches("error "))),
        }
    }

    fn connect(&mut self, text: &str) -> Held {
        let answer = self.ask(&format!("connect {}", hex(text)));
        let mut parts = answer.split(' ').skip(1).map(shown);
        let mut next = || parts.next().unwrap_or_default();
        Held {
            host: next(),
            port: next(),
            user: next(),
            dbname: next(),
            password: next(),
            error: next(),
        }
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim_start_matches('-');
    (0..digits.len() / 2)
        .filter_map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok())
        .collect()
}

fn shown(text: &str) -> String {
    String::from_utf8_lossy(&unhex(text)).into_owned()
}

/// Every libpq that can be had, the system's first.
fn libraries() -> Vec<Libpq> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    // Tests run at the same time, each with a program of its own.
    let program = folder.join(format!("libpq-{:?}", std::thread::current().id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/libpq.c");
    let built = Command::new("cc")
        .args(["-O1", "-o"])
        .arg(&program)
        .args([source, "-ldl"])
        .status();
    let mut found = Vec::new();
    if built.is_ok_and(|status| status.success()) {
        for library in ["libpq.so.5".to_owned()].into_iter().chain(newer()) {
            match Libpq::start(&program, &library) {
                Ok(libpq) => found.push(libpq),
                Err(why) => eprintln!("skipped: {why}"),
            }
        }
    } else {
        eprintln!("skipped: no C compiler");
    }
    let _ = std::fs::remove_file(&program);
    if found.is_empty() && std::env::var_os("CI").is_some() {
        panic!("no libpq to compare with");
    }
    found
}

/// A newer libpq: what `LIBPQ` names, or the one in Python's psycopg_binary.
fn newer() -> Option<String> {
    if let Ok(path) = std::env::var("LIBPQ") {
        return Some(path);
    }
    let code = "import glob, os, psycopg_binary as p; print(glob.glob(os.path.dirname(p.__path__[0]) + '/psycopg_binary.libs/libpq-*')[0])";
    let output = Command::new("python3").args(["-c", code]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!path.is_empty()).then_some(path)
}

/// What dbdoctor makes of a string, before anything is judged.
fn ours(text: &str) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let read = match uri::strip_prefix(text) {
        Some(_) => uri::parse(text),
        None => conninfo::parse(text),
    };
    let mut values = BTreeMap::new();
    for assignment in read.map_err(|error| error.problem.to_owned())? {
        let (name, value) = match assignment.name.as_str() {
            "requiressl" => {
                let on = assignment.value.first() == Some(&b'1');
                let mode = if on { "require" } else { "prefer" };
                ("sslmode".to_owned(), mode.as_bytes().to_vec())
            }
            _ => (assignment.name, assignment.value),
        };
        if catalog::find(&name).is_none() {
            return Err(format!("unknown parameter {name}"));
        }
        values.insert(name, value);
    }
    Ok(values)
}

/// What this version reads otherwise than libpq 18, which is the reference.
fn excused(version: u32, text: &str) -> bool {
    const NEWER: &[&str] = &[
        "sslnegotiation",
        "sslcertmode",
        "require_auth",
        "gssdelegation",
        "load_balance_hosts",
        "protocol_version",
        "scram_",
        "oauth_",
        "sslkeylogfile",
    ];
    // Spaces around a part of a URI are dropped since 18, and one within it
    // is refused.
    version < 180000
        && (NEWER.iter().any(|name| text.contains(name))
            || (uri::strip_prefix(text).is_some() && text.contains(' ')))
}

/// Compares both readings of a string.
fn agree(libpq: &mut Libpq, text: &str) -> Result<(), String> {
    if excused(libpq.version, text) {
        return Ok(());
    }
    let (theirs, ours) = (libpq.parse(text), ours(text));
    let same = match (&theirs, &ours) {
        (Ok(a), Ok(b)) => a == b,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    match same {
        true => Ok(()),
        false => Err(format!(
            "{text:?}\n libpq {}: {theirs:?}\n dbdoctor: {ours:?}",
            libpq.version
        )),
    }
}

#[test]
fn hard_cases() {
    let cases = [
        "",
        " ",
        "host",
        "host=",
        "host =a",
        "host= a",
        " host = a\tport\n=\n5 ",
        "host=a b",
        "=a",
        "host='a' port='5'",
        "host='a'port=5",
        "host='it\\'s' user=a\\ b dbname=\\\\",
        "host='a",
        "host='a\\'",
        "host=a\\",
        "host=a'b'c",
        "host=a=b",
        "Host=a",
        "hots=a",
        "sslmode=''",
        "requiressl=1",
        "requiressl=0",
        "user=a user=b",
        "postgres://",
        "postgresql://",
        "Postgres://h",
        "postgres:/h",
        "postgresql:h",
        "postgresql://h",
        "postgresql://h:",
        "postgresql://h:5432",
        "postgresql://:5432",
        "postgresql://h/",
        "postgresql://h/?",
        "postgresql://h?",
        "postgresql://?user=a",
        "postgresql://?",
        "postgresql://u@h",
        "postgresql://u:@h",
        "postgresql://:p@h",
        "postgresql://@h",
        "postgresql://:@h",
        "postgresql://u:p@h:1/d?sslmode=require&user=v",
        "postgresql://u:p:q@h",
        "postgresql://u:p@q@h",
        "postgresql://u/p@h",
        "postgresql://u:p/q@h",
        "postgresql://u:p#q@h/d#e",
        "postgresql://u:p?q@h",
        "postgresql://%75%73er:p%40@%68/d%20b",
        "postgresql://h/%",
        "postgresql://h/%2",
        "postgresql://h/%zz",
        "postgresql://h/%00",
        "postgresql://h/%c3%a9",
        "postgresql://h/%e9",
        "postgresql://%2Fvar%2Frun/d",
        "postgresql://[::1]",
        "postgresql://[::1]:5432/d",
        "postgresql://[::1",
        "postgresql://[]",
        "postgresql://[::1]x",
        "postgresql://[::1]?user=a",
        "postgresql://[fe80::1%25eth0]/d",
        "postgresql://[fe80::1%eth0]/d",
        "postgresql://a,b",
        "postgresql://a:1,b:2,c/d",
        "postgresql://a:1,b:2,c:/d",
        "postgresql://,",
        "postgresql://,,/d",
        "postgresql://:1,:2/d",
        "postgresql://[::1]:1,[::2]:2/d",
        "postgresql://[::1],b",
        "postgresql://a[::1]",
        "postgresql:///d",
        "postgresql:///d?host=/tmp&port=5",
        "postgresql://h/d?host=",
        "postgresql://h/d/e",
        "postgresql://h/d?a=b",
        "postgresql://h/d?user",
        "postgresql://h/d?user=a&",
        "postgresql://h/d?&user=a",
        "postgresql://h/d?user=a&&port=1",
        "postgresql://h/d?user=a=b",
        "postgresql://h/d?us%65r=a",
        "postgresql://h/d?ssl=true",
        "postgresql://h/d?ssl=tru%65",
        "postgresql://h/d?ssl=1",
        "postgresql://h/d?ssl=",
        "postgresql://h/d?requiressl=1",
        "postgresql://h/d?options=-c%20a%3Db",
        "postgresql://h/d?application_name=a+b",
        "postgresql://h/d#e?user=a",
        "postgresql://h/d\n",
        " postgresql://h/d",
        "postgresql://h/d ",
        "postgresql:// h /d",
        "postgresql://h/ d ?user= a ",
        "postgresql://u:p q@h",
        "postgresql://h, i/d",
        "postgresql://h/d?user=a\tb",
    ];
    for libpq in &mut libraries() {
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|text| agree(libpq, text).err())
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for param in catalog::PARAMS {
            for text in [
                format!("{}=x", param.name),
                format!("{}=''", param.name),
                format!("postgresql://?{}=x%20y", param.name),
            ] {
                agree(libpq, &text).unwrap();
            }
        }
    }
}

/// How many strings each property sees.
fn cases() -> u32 {
    let set = std::env::var("PROPTEST_CASES").ok();
    set.and_then(|n| n.parse().ok()).unwrap_or(6_000)
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    })
}

/// Pieces that URIs are made of, right and wrong.
fn uri_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        5 => "[a-z0-9.-]{0,6}",
        2 => Just("%40".to_owned()),
        1 => Just("%2F".to_owned()),
        1 => "%[0-9a-g%]{0,2}",
        1 => "[@:/?#&=,\\[\\] %']",
        1 => Just("é".to_owned()),
        1 => Just(" ".to_owned()),
    ];
    let text = prop::collection::vec(word, 0..4).prop_map(|words| words.concat());
    let name = prop_oneof![
        8 => prop::sample::select(catalog::PARAMS.iter().map(|p| p.name.to_owned()).collect::<Vec<_>>()),
        1 => Just("ssl".to_owned()),
        1 => Just("requiressl".to_owned()),
        1 => "[a-z ]{0,5}",
    ];
    let value =
        prop_oneof![4 => text.clone(), 1 => Just("true".to_owned()), 1 => Just("1".to_owned())];
    let pair = (
        name,
        value,
        prop_oneof![8 => Just("="), 1 => Just(""), 1 => Just("==")],
    )
        .prop_map(|(name, value, equals)| format!("{name}{equals}{value}"));
    let host = prop_oneof![
        6 => text.clone(),
        2 => Just("[::1]".to_owned()),
        1 => "\\[[0-9a-f:%.]{0,8}\\]?[a-z]{0,1}",
    ];
    let place = (host, prop::option::of("[0-9a-z ]{0,5}")).prop_map(|(host, port)| match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    });
    (
        prop_oneof![6 => Just("postgresql://"), 3 => Just("postgres://"), 1 => Just("Postgres://")],
        prop::option::of((text.clone(), prop::option::of(text.clone()))),
        prop::collection::vec(place, 0..4),
        prop::option::of(text),
        prop::option::of(prop::collection::vec(pair, 0..4)),
    )
        .prop_map(|(scheme, user, hosts, dbname, pairs)| {
            let mut out = scheme.to_owned();
            if let Some((user, password)) = user {
                out += &user;
                if let Some(password) = password {
                    out += &format!(":{password}");
                }
                out.push('@');
            }
            out += &hosts.join(",");
            if let Some(dbname) = dbname {
                out += &format!("/{dbname}");
            }
            if let Some(pairs) = pairs {
                out += &format!("?{}", pairs.join("&"));
            }
            out
        })
}

/// Pieces that connection strings are made of, right and wrong.
fn conninfo_text() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        9 => prop::sample::select(catalog::PARAMS.iter().map(|p| p.name.to_owned()).collect::<Vec<_>>()),
        1 => Just("requiressl".to_owned()),
        1 => "[a-z'=]{0,4}",
    ];
    let blank = prop_oneof![6 => Just(""), 2 => Just(" "), 1 => Just("\t"), 1 => Just("\n \u{b}")];
    let value = prop_oneof![
        4 => "[a-z0-9/:@%,]{0,8}",
        2 => "'[a-z0-9 =]{0,6}'",
        1 => "'[a-z\\\\' ]{0,6}'?",
        1 => "[a-z\\\\' =]{0,6}",
        1 => Just("é".to_owned()),
        1 => "('[a-z \n\t]{0,4}'|[a-z]{0,3}\\\\[ \n\t])",
    ];
    let pair = (
        name,
        blank.clone(),
        prop_oneof![9 => Just("="), 1 => Just("")],
        blank.clone(),
        value,
        blank,
    )
        .prop_map(|(name, a, equals, b, value, c)| format!("{name}{a}{equals}{b}{value}{c}"));
    (
        prop::collection::vec(pair, 0..5),
        prop_oneof![4 => Just(" "), 1 => Just("")],
    )
        .prop_map(|(pairs, between)| pairs.join(between))
        .prop_filter("a URI", |text| uri::strip_prefix(text).is_none())
}

#[test]
fn any_uri_is_read_alike() {
    for libpq in &mut libraries() {
        let libpq = std::cell::RefCell::new(libpq);
        runner()
            .run(&uri_text(), |text| {
                agree(&mut libpq.borrow_mut(), &text).map_err(TestCaseError::fail)
            })
            .unwrap();
    }
}

#[test]
fn any_connection_string_is_read_alike() {
    for libpq in &mut libraries() {
        let libpq = std::cell::RefCell::new(libpq);
        runner()
            .run(&conninfo_text(), |text| {
                agree(&mut libpq.borrow_mut(), &text).map_err(TestCaseError::fail)
            })
            .unwrap();
    }
}

/// A situation: files in a home of its own, variables, and what is asked for.
#[derive(Default)]
struct Situation<'a> {
    target: &'a str,
    variables: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
    /// Which version reads it as the reference does.
    since: u32,
}

/// Asks both about a situation and compares what they would connect with.
fn compare(libpq: &mut Libpq, situation: &Situation) -> Result<(), String> {
    if libpq.version < situation.since {
        return Ok(());
    }
    let home = tempfile::tempdir().unwrap();
    let place = |text: &str| text.replace("HOME", &home.path().to_string_lossy());
    for (name, text) in situation.files {
        use std::os::unix::fs::PermissionsExt;
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut variables = vec![
        ("HOME".to_owned(), place("HOME")),
        ("PGSYSCONFDIR".to_owned(), place("HOME/etc")),
    ];
    variables.extend(
        situation
            .variables
            .iter()
            .map(|(n, v)| (n.to_string(), place(v))),
    );
    for (name, value) in &variables {
        libpq.ask(&format!("env {name} {}", hex(value)));
    }
    let target = place(situation.target);
    let held = libpq.connect(&target);
    for (name, _) in &variables {
        libpq.ask(&format!("clear {name}"));
    }
    // What it says once it has come to the network is no refusal.
    let reached = held.error.lines().any(|line| {
        line.starts_with("connection to server")
            || line.starts_with("could not translate host name")
    });
    let accepted = reached && !held.error.contains("invalid integer value");

    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    let surroundings = System {
        process: None,
        vars: variables
            .iter()
            .map(|(name, value)| (OsString::from(name), value.into()))
            .collect(),
        home: Some(home.path().to_owned()),
        cwd: home.path().to_owned(),
        os_user: user.ok().flatten().map(|user| user.name),
        account: None,
        uid: nix::unistd::geteuid().as_raw(),
        interactive: false,
    };
    let (verdict, said) = probe(&target, &surroundings);
    let describe = |what: &str| {
        Err(format!(
            "{what}: {target:?} {:?}\n libpq {}: {held:?}\n dbdoctor: {verdict:?}",
            situation.variables, libpq.version
        ))
    };
    if said.contains(CANARY) {
        return describe("the password is shown");
    }
    let ours = match &verdict {
        Ok(target) if accepted => target,
        Err(_) if !accepted => return Ok(()),
        _ => return describe("only one accepts it"),
    };
    // libpq holds the entry that it tried last.
    let last = ours.endpoints.last().unwrap();
    let given = |name: &str| {
        let list = ours.report.parameters.get(name)?.value.clone();
        list.rsplit(',').next().map(str::to_owned)
    };
    let host = match last.host.as_str() {
        "" => given("hostaddr").unwrap_or_default(),
        host => host.to_owned(),
    };
    let port = match held.port.as_str() {
        "" => "5432",
        port => port.trim(),
    };
    let password = last.password.as_ref().map(|p| p.secret.expose());
    let password = password.as_ref().map_or("", |text| text.as_str());
    let reported = |name: &str| {
        let parameter = ours.report.parameters.get(name);
        parameter.map_or("", |it| it.value.as_str())
    };
    let same = reported("user") == held.user
        && reported("dbname") == held.dbname
        && host == held.host
        && last.port.to_string() == port.trim_start_matches('+')
        && ours.user == held.user
        && ours.dbname == held.dbname
        && password == held.password;
    match same {
        true => Ok(()),
        false => describe("they differ"),
    }
}

/// dbdoctor's reading, and everything that it says about it.
fn probe(target: &str, surroundings: &System) -> (Result<Target, &'static str>, String) {
    let args = Request {
        url: (!target.is_empty()).then(|| target.to_owned()),
        ..Request::default()
    };
    let mut report = TargetReport::default();
    let mut record = StageRecord::new(Stage::Config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let verdict = runtime.block_on(config::probe(
        &args,
        surroundings,
        std::time::Instant::now(),
        &mut report,
        &mut record,
        &mut None,
    ));
    let mut said = format!("{report:?} {record:?}");
    let verdict = verdict.map_err(|finding| {
        said += &format!("{finding:?} {} {:?}", finding.summary(), finding.fixes());
        finding.cause.code
    });
    (verdict, said)
}

const PASSFILE: &str = "# comment
other:*:*:*:no
127.0.0.1:1:orders:app:c4n4ry-1
127.0.0.1:*:*:esc\\:aped:c4n4ry-2\\:x\\\\y
localhost:*:*:*:c4n4ry-3
/tmp:*:*:*:c4n4ry-4
::1:*:*:*:c4n4ry-5
\\:\\:1:*:*:*:c4n4ry-6
*:*:last:*:c4n4ry-7
";

const SERVICES: &str = "[other]
host=127.0.0.2
[ prod]
host=127.0.0.3
[prod]
host=127.0.0.1
port=1
dbname=service_db
user=service_user
user=second
application_name= spaced
[broken]
host
[nested]
service=prod
[unknown]
hots=1
[spaced]
host = 127.0.0.1
";

/// A target, variables, and the version since which they mean this.
type Row = (String, Vec<(&'static str, &'static str)>, u32);

#[test]
fn situations() {
    const LOCAL: &str = "host=127.0.0.1 port=1";
    let home: &[(&str, &str)] = &[
        (".pgpass", PASSFILE),
        ("other.pass", "*:*:*:*:c4n4ry-other\n"),
        (".pg_service.conf", SERVICES),
        (
            "etc/pg_service.conf",
            "[system]\nhost=127.0.0.1\nport=1\ndbname=sys\n",
        ),
        (
            "other.conf",
            "[prod]\nhost=127.0.0.1\nport=1\ndbname=other_file\n",
        ),
    ];
    let mut situations: Vec<Row> = Vec::new();
    let mut add = |target: &str, variables: &[(&'static str, &'static str)], since| {
        situations.push((target.to_owned(), variables.to_vec(), since));
    };
    // Variables, and what is stronger than they.
    add(
        LOCAL,
        &[
            ("PGUSER", "u"),
            ("PGDATABASE", "d"),
            ("PGPASSWORD", "c4n4ry"),
        ],
        0,
    );
    add(
        "user=a",
        &[("PGHOST", "127.0.0.1"), ("PGPORT", "1"), ("PGUSER", "u")],
        0,
    );
    add("host=127.0.0.1", &[("PGPORT", "1 ")], 0);
    add("host=127.0.0.1", &[("PGPORT", " +1")], 0);
    add("host=127.0.0.1", &[("PGPORT", "x")], 0);
    add("host='' port=1", &[("PGHOST", "127.0.0.1")], 0);
    add("host=127.0.0.1 port=''", &[("PGPORT", "1")], 0);
    add("postgresql://127.0.0.1:1", &[("PGHOST", "127.0.0.2")], 0);
    add("postgresql://:1", &[("PGHOST", "127.0.0.1")], 0);
    add("host=nowhere port=1", &[("PGHOSTADDR", "127.0.0.1")], 0);
    add(LOCAL, &[("PGSSLMODE", "")], 0);
    add(LOCAL, &[("PGSSLMODE", "Require")], 0);
    add(LOCAL, &[("PGREQUIRESSL", "1")], 0);
    add(LOCAL, &[("PGCONNECT_TIMEOUT", "")], 0);
    add(LOCAL, &[("PGCONNECT_TIMEOUT", "2x")], 0);
    add(LOCAL, &[("PGCONNECT_TIMEOUT", "-1")], 0);
    add(LOCAL, &[("PGUSER", ""), ("PGDATABASE", "")], 0);
    add(LOCAL, &[("PGSSLROOTCERT", "system")], 180000);
    add(
        LOCAL,
        &[("PGSSLROOTCERT", "system"), ("PGSSLMODE", "require")],
        180000,
    );
    add(LOCAL, &[("PGTARGETSESSIONATTRS", "primary")], 0);
    add(LOCAL, &[("PGTARGETSESSIONATTRS", "master")], 0);
    // Password files.
    for target in [
        "host=127.0.0.1 port=1 user=app dbname=orders",
        "host=127.0.0.1 port=1 user=app dbname=other",
        "host=127.0.0.1 port=1 user='esc:aped' dbname=x",
        "hostaddr=127.0.0.1 port=1 user=app dbname=orders",
        "host=localhost hostaddr=127.0.0.1 port=1 user=app",
        "host=elsewhere hostaddr=127.0.0.1 port=1 user=app dbname=last",
        "host=/tmp port=1 user=app",
        "host='' port=1 user=app",
        "host=/var/run/postgresql port=1 user=app",
        "host=/var/run/postgresql/ port=1 user=app",
        "host=::1 port=1 user=app",
        "host=127.0.0.1 port=1 user=app dbname=orders password=''",
        "host=127.0.0.1 port=1 user=app dbname=orders password=c4n4ry-given",
        "host=127.0.0.1 port=1 passfile=HOME/other.pass",
        "host=127.0.0.1 port=1 passfile=HOME/none",
        "host=127.0.0.1 port=1 passfile=''",
        "host=127.0.0.2,127.0.0.1 port=1 user=app dbname=orders",
    ] {
        add(target, &[], 0);
    }
    add(LOCAL, &[("PGPASSFILE", "HOME/other.pass")], 0);
    add(LOCAL, &[("PGPASSFILE", "HOME")], 0);
    // Services.
    for target in [
        "service=prod",
        "service=prod user=a",
        "service=prod host=''",
        "postgresql:///?service=prod",
        "service=system",
        "service=none",
        "service=broken",
        "service=nested",
        "service=unknown",
        "service=spaced",
        "service=''",
        "service=pro",
    ] {
        add(target, &[], 0);
    }
    add("", &[("PGSERVICE", "prod")], 0);
    add("service=system", &[("PGSERVICE", "prod")], 0);
    add(
        "",
        &[
            ("PGSERVICE", "prod"),
            ("PGHOST", "127.0.0.9"),
            ("PGUSER", "u"),
        ],
        0,
    );
    add("service=prod", &[("PGSERVICEFILE", "HOME/other.conf")], 0);
    add("service=system", &[("PGSERVICEFILE", "HOME/other.conf")], 0);
    add("service=prod", &[("PGSERVICEFILE", "HOME/none.conf")], 0);
    // What is refused together, and what is not.
    for target in [
        "sslmode=require sslnegotiation=direct",
        "sslnegotiation=direct",
        "sslrootcert=system",
        "sslrootcert=system sslmode=verify-ca",
        "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
        "ssl_max_protocol_version=TLSv1.1",
        "ssl_max_protocol_version=TLSv1",
        "ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1",
        "ssl_min_protocol_version=tlsv1.1",
        "ssl_min_protocol_version=''",
        "ssl_min_protocol_version='' ssl_max_protocol_version=TLSv1.1",
        "ssl_min_protocol_version=SSLv3",
        "min_protocol_version=3.2",
        "min_protocol_version=latest max_protocol_version=3.2",
        "min_protocol_version=3.2 max_protocol_version=latest",
        "min_protocol_version=3.2 max_protocol_version=3.0",
        "min_protocol_version=''",
        "max_protocol_version=3",
        "require_auth=''",
        "require_auth=none",
        "require_auth=md5,scram-sha-256",
        "require_auth=!md5,!none",
        "require_auth=md5,!none",
        "require_auth=md5,md5",
        "require_auth=md5,",
        "require_auth=,md5",
        "require_auth='md5 '",
        "require_auth=!",
        "require_auth=oauth",
        "require_auth=MD5",
        "channel_binding=require",
        "channel_binding=''",
        "sslcertmode=''",
        "sslcertmode=disable",
        "sslcertmode=require",
        "gssencmode=disable",
        "gssencmode=require",
        "gssencmode=x",
        "load_balance_hosts=random",
        "load_balance_hosts=''",
        "target_session_attrs=''",
        "target_session_attrs=prefer-standby",
        "keepalives=''",
        "keepalives=x",
        "keepalives=0 keepalives_idle=x",
        "keepalives_idle=x",
        "keepalives_interval=''",
        "keepalives_count=1x",
        "tcp_user_timeout=x",
        "tcp_user_timeout=-1",
        "connect_timeout=' 3 '",
        "connect_timeout=99999999999",
        "sslcompression=x sslsni=x krbsrvname='' gssdelegation=x replication=x",
        "scram_client_key=x",
        "scram_client_key=''",
        "scram_client_key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "scram_server_key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "requirepeer=x",
        "sslkeylogfile=/nonexistent/x",
        "client_encoding=nonsense",
        "oauth_issuer=x oauth_client_id=y oauth_scope=z",
        "dbname='host=a'",
        "dbname=postgres",
    ] {
        add(&format!("{LOCAL} {target}"), &[], 180000);
    }
    // Blanks and line ends that belong to a value.
    for target in [
        "user=abc\\ ",
        "user='  padded  '",
        "user='two\nlines\n' dbname=' '",
        "user='\t' dbname=a\\\n",
        "user='a\u{200b}' dbname='\u{1b}[2Jx'",
    ] {
        add(&format!("{LOCAL} {target}"), &[], 0);
    }
    for target in [
        "postgresql://user%20@127.0.0.1:1/d%0a",
        "postgresql://127.0.0.1:1/%20%09?user=%0d%0a",
    ] {
        add(target, &[], 0);
    }
    add(LOCAL, &[("PGUSER", " u "), ("PGDATABASE", "d\n")], 0);
    // Hosts, addresses and ports.
    for target in [
        "host=127.0.0.1 port=0",
        "host=127.0.0.1 port=65536",
        "host=127.0.0.1 port=-1",
        "host=127.0.0.1 port=1,2",
        "host=127.0.0.1,127.0.0.2 port=1",
        "host=127.0.0.1,127.0.0.2 port=1,2",
        "host=127.0.0.1,127.0.0.2 port=1,2,3",
        "host=127.0.0.1,127.0.0.2 port=0,1",
        "host=127.0.0.1,127.0.0.2 port=x,1",
        "host=127.0.0.1, port=1",
        "host=,127.0.0.1 port=1",
        "hostaddr=127.0.0.1 port=1",
        "hostaddr=127.0.0.1,127.0.0.2 port=1",
        "hostaddr=127.0.0.1,127.0.0.2 host=a port=1",
        "hostaddr=127.0.0.1,127.0.0.2 host=a,b port=1",
        "hostaddr=127.0.0.1,127.0.0.2 host=,b port=1,2",
        "hostaddr=x port=1",
        "hostaddr=x,127.0.0.1 port=1",
        "hostaddr=[::1] port=1",
        "hostaddr=127.1 port=1",
        "hostaddr=::1%lo port=1",
        "hostaddr='127.0.0.1 ' port=1",
        "host=127.1 port=1",
        "host=@nothing port=1",
        "host=/tmp port=0",
        "host=/tmp port=1 keepalives=x",
        "postgresql://127.0.0.1:1,127.0.0.2:2/d",
        "postgresql://127.0.0.1,127.0.0.2:2/d?port=1",
        "postgresql://127.0.0.1:1/d?host=127.0.0.2",
        "postgresql://%2Ftmp:1/d",
        "postgresql:///d?host=/tmp&port=1",
    ] {
        add(target, &[], 0);
    }
    for libpq in &mut libraries() {
        let wrong: Vec<String> = situations
            .iter()
            .filter_map(|(target, variables, since)| {
                let situation = Situation {
                    target,
                    variables,
                    files: home,
                    since: *since,
                };
                compare(libpq, &situation).err()
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The ends that libpq's error tells of, in the order they were tried.
fn tried(error: &str) -> Vec<String> {
    let end = |line: &str| {
        let place = line.strip_prefix("connection to server ")?;
        let quoted: Vec<&str> = place.split('"').collect();
        Some(match quoted.as_slice() {
            ["on socket ", path, ..] => (*path).to_owned(),
            ["at ", host, port] => {
                let port = port.trim_start_matches(", port");
                let number = port.split_whitespace().next();
                format!("{host}:{}", number.unwrap_or_default())
            }
            _ => line.to_owned(),
        })
    };
    error.lines().filter_map(end).collect()
}

/// Lists of hosts, addresses and ports with entries of every kind: the same
/// ends are tried in the same order, and what libpq finds no address for is
/// no reason to stop.
#[test]
fn lists_lead_to_the_same_ends() {
    let lists = [
        "postgresql://?host=127.0.0.1,/tmp,[x]&port=1",
        "postgresql://?host=[x],/tmp,127.0.0.1&port=1",
        "postgresql://?host=[::1],127.0.0.1&port=1",
        "postgresql://?host=127.0.0.1:2,127.0.0.1&port=1",
        "postgresql://127.0.0.1:1,u%40x:1/d",
        "postgresql://127.0.0.1:1,${HOST}:1/d",
        "postgresql:///d?host=${HOST},127.0.0.1&port=1",
        "postgresql://127.0.0.1,[::1]/d?port=1",
        "postgresql:///d?host=,127.0.0.1&port=1",
        "host=127.0.0.1,/tmp,[x] port=1",
        "host=[x],a/b,127.0.0.1 port=1,2,3",
        "host=127.0.0.1,<host> port=1",
        "host=/tmp,@none,127.0.0.1 port=1",
        "host=127.0.0.1,[::1]:1,u:p@h,postgres://h port=1",
        "host=[x] port=1",
        "host=[x],a/b port=1",
        "host=,, port=1",
        "hostaddr=,127.0.0.1 port=1",
        "hostaddr=127.0.0.1, port=1",
        "hostaddr=,127.0.0.1 host=[x],y port=1",
        "hostaddr=127.0.0.1, host=[x],/tmp port=1",
        "hostaddr=127.0.0.1 host=[x] port=1",
        "hostaddr=, host=127.0.0.1,127.0.0.2 port=1",
        "hostaddr=[::1],127.0.0.1 port=1",
        "host=127.0.0.1,127.0.0.2 port=,1",
        "host=127.0.0.1,127.0.0.2 port=1,",
        "host=127.0.0.1,127.0.0.2 port=,",
        "host=127.0.0.1 port=,",
        "host=127.0.0.1,127.0.0.2 port=' 1 , 2'",
        "host=127.0.0.1,127.0.0.2 port=1,0",
        "host=[x],127.0.0.1 port=x,1",
    ];
    let home = tempfile::tempdir().unwrap();
    let surroundings = System {
        process: None,
        vars: BTreeMap::new(),
        home: Some(home.path().to_owned()),
        cwd: home.path().to_owned(),
        os_user: Some("app".to_owned()),
        account: None,
        uid: nix::unistd::geteuid().as_raw(),
        interactive: false,
    };
    for libpq in &mut libraries() {
        for list in lists {
            let held = libpq.connect(list);
            let (target, said) = probe(list, &surroundings);
            let ours: Vec<String> = target
                .iter()
                .flat_map(|target| &target.endpoints)
                .map(|end| match &end.place {
                    Place::Ip(ip, _) => format!("{ip}:{}", end.port),
                    _ => end.label(),
                })
                .collect();
            assert_eq!(ours, tried(&held.error), "{list}\n{held:?}\n{said}");
        }
    }
}

#[test]
fn any_mixture_of_sources_ends_alike() {
    let value = |name: &'static str| -> BoxedStrategy<String> {
        match name {
            "host" => prop::sample::select(vec![
                "127.0.0.1",
                "127.0.0.2",
                "",
                "/tmp",
                "127.0.0.1,127.0.0.2",
            ])
            .prop_map(str::to_owned)
            .boxed(),
            "port" => prop::sample::select(vec!["1", "2", "", "1,2", " 1", "0", "x"])
                .prop_map(str::to_owned)
                .boxed(),
            "password" => "c4n4ry-[a-z]{0,3}".boxed(),
            "sslmode" => prop::sample::select(vec!["disable", "prefer", "require", "", "verify"])
                .prop_map(str::to_owned)
                .boxed(),
            _ => "[a-z]{0,4}".boxed(),
        }
    };
    const NAMES: [&str; 6] = ["host", "port", "user", "dbname", "password", "sslmode"];
    const VARIABLES: [&str; 6] = [
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGPASSWORD",
        "PGSSLMODE",
    ];
    let source = || {
        let one = |name| prop::option::weighted(0.4, value(name));
        (
            one("host"),
            one("port"),
            one("user"),
            one("dbname"),
            one("password"),
            one("sslmode"),
        )
            .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f])
    };
    let strategy = (source(), source(), prop::option::of(source()));
    for libpq in &mut libraries() {
        let libpq = std::cell::RefCell::new(libpq);
        let mut runner = TestRunner::new(Config {
            cases: cases() / 10,
            failure_persistence: None,
            ..Config::default()
        });
        runner
            .run(&strategy, |(given, variables, service)| {
                let mut target = String::new();
                for (name, value) in NAMES.iter().zip(&given) {
                    if let Some(value) = value {
                        target += &format!("{name}='{value}' ");
                    }
                }
                let mut file = "[s]\n".to_owned();
                if let Some(service) = &service {
                    target += "service=s";
                    for (name, value) in NAMES.iter().zip(service) {
                        if let Some(value) = value {
                            file += &format!("{name}={value}\n");
                        }
                    }
                }
                let variables: Vec<(&str, &str)> = VARIABLES
                    .iter()
                    .zip(&variables)
                    .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
                    .collect();
                let situation = Situation {
                    target: &target,
                    variables: &variables,
                    files: &[(".pg_service.conf", &file), (".pgpass", PASSFILE)],
                    since: 0,
                };
                compare(&mut libpq.borrow_mut(), &situation).map_err(TestCaseError::fail)
            })
            .unwrap();
    }
}
