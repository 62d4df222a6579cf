//! What must not be shown, whoever says it: passwords in targets that cannot
//! be read, passwords that a server repeats, what cannot be seen, what a shell
//! would run.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dbdoctor::secret::{self, Secret};
use dbdoctor::text;
use dbdoctor_lab::impostor::{self, Client, impostor};
use dbdoctor_lab::{Peer, free_port};
use proptest::prelude::*;
use serde_json::Value;

/// dbdoctor in an environment of its own: nothing of the machine's.
fn dbdoctor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    command
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
}

/// Everything that a run with all its words in the table, and the report in a
/// file, has said.
fn said(mut command: Command) -> (Output, String) {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.json");
    command.arg("-v").arg("-o").arg(&report);
    let output = command.output().unwrap();
    let mut all = String::from_utf8(output.stdout.clone()).unwrap();
    all += &String::from_utf8(output.stderr.clone()).unwrap();
    all += &std::fs::read_to_string(&report).unwrap_or_default();
    (output, all)
}

/// The pieces of a secret, of more than four characters, in a text. A line of
/// the table may end within one.
fn pieces(secret: &str, text: &str) -> Vec<String> {
    let folded: String = text.split_whitespace().collect();
    let secret: Vec<char> = secret.chars().collect();
    let pieces = secret.windows(5).map(|piece| piece.iter().collect());
    pieces
        .filter(|piece: &String| text.contains(piece) || folded.contains(piece))
        .collect()
}

/// Targets that cannot be read as they are meant, each with this password.
const TARGETS: &[&str] = &[
    "postgres://app:qzvkte2@xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2:xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2/xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2#xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2?xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2%xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2 xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2\"xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2'xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2[xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2\nxyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2\\xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2\u{ad}xyzzy@127.0.0.1:1/db",
    "postgres://app:${qzvkte2xyzzy}@127.0.0.1:1/db",
    "postgres://postgres://app:qzvkte2xyzzy@127.0.0.1:1/db",
    "postgres://app:qzvkte2xyzzy@:1/db",
    "postgres://app:qzvkte2xyzzy@/db?host=",
    "postgres://app:qzvkte2xyzzy",
    "postgres://app:qzvkte2xyzzy@",
    "postgres://:qzvkte2xyzzy@127.0.0.1:1/db",
    "postgres://127.0.0.1:qzvkte2xyzzy/db",
    "postgres://app@127.0.0.1:qzvkte2xyzzy/db",
    "POSTGRES://app:qzvkte2xyzzy@127.0.0.1:1/db",
    "mysql://app:qzvkte2xyzzy@127.0.0.1:1/db",
    "postgres//app:qzvkte2xyzzy@127.0.0.1:1/db",
    "postgres:/app:qzvkte2xyzzy@127.0.0.1:1/db",
    "app:qzvkte2xyzzy@127.0.0.1:1/db",
    "jdbc:postgresql://127.0.0.1:1/db?user=app&password=qzvkte2xyzzy",
    "jdbc:postgresql://app:qzvkte2xyzzy@127.0.0.1:1/db",
    "jdbc:postgresql:db?user=app;password=qzvkte2xyzzy",
    "postgresql+asyncpg://app:qzvkte2@xyzzy@127.0.0.1:1/db",
    "postgres://app@127.0.0.1:1/db?password=qzvkte2&xyzzy",
    "postgres://app@127.0.0.1:1/db?pasword=qzvkte2xyzzy",
    "postgres://app:qzvkte2xyzzy@127.0.0.1:99999/db",
    "postgres://app:qzvkte2xyzzy@[::1/db",
    "postgres://app:qzvkte2xyzzy@a:1,app:qzvkte2xyzzy@b:1/db",
    "host=127.0.0.1 port=1 user=app password='qzvkte2xyzzy dbname=db",
    "host=127.0.0.1 port=1 password = \"qzvkte2xyzzy\" user=app",
    "Host=127.0.0.1;Port=1;Username=app;Password=qzvkte2xyzzy;Database=db",
    "host=127.0.0.1 port=1 passwd=qzvkte2xyzzy",
    "host=app:qzvkte2xyzzy@127.0.0.1 port=1",
    "psql 'postgres://app:qzvkte2xyzzy@127.0.0.1:1/db'",
    "psql \"host=127.0.0.1 port=1 user=app password=qzvkte2xyzzy\"",
    "PGPASSWORD=qzvkte2xyzzy psql -h 127.0.0.1 -p 1 -U app db",
    "export DATABASE_URL=postgres://app:qzvkte2xyzzy@127.0.0.1:1/db",
    "DATABASE_URL=\"postgres://app:qzvkte2@xyzzy@127.0.0.1:1/db\"",
    "{\"url\": \"postgres://app:qzvkte2xyzzy@127.0.0.1:1/db\"}",
    "{\"host\": \"127.0.0.1\", \"port\": 1, \"password\": \"qzvkte2xyzzy\"}",
    "url: postgres://app:qzvkte2xyzzy@127.0.0.1:1/db",
    "<postgres://app:qzvkte2xyzzy@127.0.0.1:1/db>",
    "'postgres://app:qzvkte2xyzzy@127.0.0.1:1/db",
    " postgres://app:qzvkte2xyzzy@127.0.0.1:1/db ",
];

#[test]
fn a_target_that_cannot_be_read_gives_nothing_away() {
    let mut shown = Vec::new();
    for target in TARGETS {
        let mut ways = vec![
            dbdoctor(&["config", target]),
            dbdoctor(&["config", "--url", target]),
            dbdoctor(&["config", "-d", target]),
        ];
        // In the wrong place it is told by its shape alone.
        let shaped = ["://app:qzvkte2xyzzy", "assword", "@127.0.0.1:qzvkte2xyzzy"];
        if shaped.iter().any(|shape| target.contains(shape)) {
            ways.extend([
                dbdoctor(&["config", "-h", target]),
                dbdoctor(&["config", "-h", "127.0.0.1", "-U", target]),
                dbdoctor(&["config", "-h", "127.0.0.1", "-p", target]),
                dbdoctor(&[
                    "config",
                    "-h",
                    "127.0.0.1",
                    "--ssh-config",
                    "/dev/null",
                    "--ssh",
                    target,
                ]),
                dbdoctor(&["key", target]),
            ]);
        }
        let mut variable = dbdoctor(&["check", "--timeout", "1s"]);
        variable.env("DATABASE_URL", target);
        ways.push(variable);
        for command in ways {
            let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            let (output, all) = said(command);
            assert!(
                matches!(output.status.code(), Some(0..=2)),
                "{args:?}: {all}"
            );
            let pieces = pieces("qzvkte2xyzzy", &all);
            if !pieces.is_empty() {
                shown.push(format!("{args:?}: {pieces:?}"));
            }
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

const PASSWORD: &str = "Zq7&vX2'wK9/pL4=tB";

/// What a server makes of a password that it repeats.
fn repetitions() -> Vec<String> {
    let between = |text: &str| -> String {
        let mut out = String::new();
        for c in PASSWORD.chars() {
            out.push(c);
            out.push_str(text);
        }
        out
    };
    let percent: String = PASSWORD.bytes().map(|b| format!("%{b:02X}")).collect();
    let hex: String = PASSWORD.bytes().map(|b| format!("{b:02x}")).collect();
    vec![
        PASSWORD.to_owned(),
        // Hiding it makes a text shorter, which must not uncover the rest.
        PASSWORD.repeat(400),
        format!("{PASSWORD} ").repeat(400),
        format!("{}{PASSWORD}", "x".repeat(1_990)),
        format!("{}{PASSWORD}", "x".repeat(3_990)),
        format!("{PASSWORD}{}", "x".repeat(5_000)),
        format!("postgres://app:{PASSWORD}@h/").repeat(300),
        between("\u{ad}"),
        between("\u{61c}\u{2028}"),
        between("\u{e0041}"),
        between("\x1b[1m"),
        between("\n"),
        between(" "),
        hex.repeat(60),
        percent,
        openssl::base64::encode_block(PASSWORD.as_bytes()).repeat(99),
        openssl::base64::encode_block(format!("app:{PASSWORD}").as_bytes()),
    ]
}

/// A secret in one of the forms that are guarded.
fn form(secret: &str, kind: usize) -> String {
    match kind % 5 {
        0 => secret.to_owned(),
        1 => secret
            .bytes()
            .map(
                |b| match b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                    true => char::from(b).to_string(),
                    false => format!("%{b:02X}"),
                },
            )
            .collect(),
        2 => openssl::base64::encode_block(secret.as_bytes()),
        3 => secret.bytes().map(|b| format!("{b:02x}")).collect(),
        _ => Value::from(secret).to_string().trim_matches('"').to_owned(),
    }
}

/// What a peer may put between the characters of a secret, or between two.
const BETWEEN: &[&str] = &[
    "",
    "",
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{ad}",
    "\u{200b}",
    "\u{fe0f}",
    "\u{e0041}",
    "\x1b[1;31m",
    "\x1b]0;~\x07",
    "\u{a0}",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_piece_of_a_secret_comes_out(
        secret in "[a-zA-Z0-9]{8,24}|[!-}]{8,40}|[a-zäöüß€é数😀]{8,16}|[a-z]{4} [0-9]{5}[a-z']{4}",
        kind in 0..5usize,
        (inside, after) in (0..BETWEEN.len(), 0..BETWEEN.len()),
        (before, times, behind) in (0..4_100usize, 1..300usize, 0..3_000usize),
        (from, to) in (0.0..1.0f64, 0.0..1.0f64),
    ) {
        secret::guard(&Secret::new(secret.as_str()));
        let form = form(&secret, kind);
        let mut once: String = form.chars().flat_map(|c| [c.to_string(), BETWEEN[inside].to_owned()]).collect();
        once.push_str(BETWEEN[after]);
        let said = format!("{}{}{}", "~".repeat(before), once.repeat(times), "~".repeat(behind));
        // Half of an escape sequence at the beginning is like any other text.
        let from = if said.contains('\x1b') { 0.0 } else { from };
        let (from, to) = ((from * said.len() as f64) as usize, (to * said.len() as f64) as usize);
        let cut = &said.as_bytes()[from.min(to)..from.max(to)];
        for shown in [
            text::clean(&said),
            text::clean_part(&String::from_utf8_lossy(cut)),
            text::clean_bytes(said.as_bytes()),
            text::clean_bytes(cut),
            text::clean_first_bytes(said.as_bytes(), before + 9),
        ] {
            let pieces = pieces(form.trim_end_matches('='), &shown);
            prop_assert!(pieces.is_empty(), "{:?} in {:?}", pieces, shown);
        }
    }
}

/// Gets the password as it is.
fn let_in(client: &mut Client) -> io::Result<()> {
    client.ask(impostor::CLEARTEXT, b"")?;
    client.receive()?;
    client.ask(impostor::OK, b"")
}

/// What dbdoctor says of a server.
fn said_of(peer: &Peer, more: &[&str]) -> String {
    let port = peer.port().to_string();
    let mut args = vec!["check", "-h", "127.0.0.1", "-p", &port, "-U", "app"];
    args.extend(more);
    let mut command = dbdoctor(&args);
    command.env("PGPASSWORD", PASSWORD).env("COLUMNS", "80");
    let (output, all) = said(command);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{:?}: {all}",
        output.status
    );
    all
}

/// Holds a text to what must not be in it.
fn nothing_given_away(all: &str, what: &str) {
    let hex: String = PASSWORD.bytes().map(|b| format!("{b:02x}")).collect();
    for form in [
        PASSWORD.to_owned(),
        hex,
        openssl::base64::encode_block(PASSWORD.as_bytes()),
    ] {
        let pieces = pieces(&form, all);
        assert!(pieces.is_empty(), "{what}: {pieces:?}\n{all}");
    }
    let unseen = all.chars().find(|&c| {
        c.is_control() && c != '\n'
            || matches!(
                c,
                '\u{ad}' | '\u{61c}' | '\u{2028}' | '\u{200b}' | '\u{e0041}'
            )
    });
    assert_eq!(unseen, None, "{what}: {all}");
}

#[test]
fn a_server_that_let_us_in_repeats_the_password_in_vain() {
    for text in repetitions() {
        let shown: String = text.chars().take(60).collect();
        let words = text.clone();
        let peer = impostor(move |client| {
            let_in(client)?;
            for name in ["server_version", "application_name", "is_superuser", &words] {
                client.send(b'S', format!("{name}\0{words}\0").as_bytes())?;
            }
            client.send(b'S', b"client_encoding\0UTF8\0")?;
            let notice = format!("SWARNING\0VWARNING\0C01000\0M{words}\0D{words}\0H{words}\0\0");
            client.send(b'N', notice.as_bytes())?;
            client.serve_facts(&[("", &words)])
        })
        .unwrap();
        nothing_given_away(&said_of(&peer, &[]), &format!("in values: {shown}"));

        let words = text.clone();
        let peer = impostor(move |client| {
            let_in(client)?;
            client.begin()?;
            while let Ok((b'Q', _)) = client.receive() {
                let kinds = ['M', 'D', 'H', 'W', 'F', 'R', 'c', 't', 'q'];
                let mut fields = vec![('S', "ERROR"), ('V', "ERROR"), ('C', "XX000")];
                fields.extend(kinds.map(|kind| (kind, words.as_str())));
                client.error(&fields)?;
                client.send(b'Z', b"I")?;
            }
            Ok(())
        })
        .unwrap();
        nothing_given_away(&said_of(&peer, &[]), &format!("in errors: {shown}"));

        let words = text.clone();
        let peer = impostor(move |client| {
            client.ask(impostor::CLEARTEXT, b"")?;
            client.receive()?;
            client.error(&[('S', &words), ('C', "28P01"), ('M', &words), ('D', &words)])
        })
        .unwrap();
        nothing_given_away(&said_of(&peer, &[]), &format!("in a refusal: {shown}"));
    }
}

/// How servers quote, in the languages of PostgreSQL and in none.
const QUOTED: &[&str] = &[
    "got «{}»",
    "got ‘{}’",
    "got „{}“",
    "got '{}'",
    "got \"{}\"",
    "got _{}_",
    "got x{}x",
    "got user{}",
    "got pw={}x",
    "got {}y{}y{}",
    "got: {}",
];

/// Passwords of 4 to 7 characters, and words that are usual in a report.
const WEAK: &[&str] = &[
    "letmein",
    "short7",
    "1234",
    "skip",
    "status",
    "rolname",
    "server",
    "connection",
    "permission denied",
    "certificate",
    "verify-full",
    "name_servers",
    "any",
    "prefer",
];

/// The report of a check against an end, with a password.
fn report_on(peer: &Peer, password: &str) -> (Value, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let port = peer.port().to_string();
    let mut command = dbdoctor(&["check", "-v", "-h", "127.0.0.1", "-p", &port]);
    command.args(["-U", "app", "-d", "appdb", "-o"]).arg(&file);
    command.env("PGPASSWORD", password).env("COLUMNS", "4000");
    let output = command.output().unwrap();
    let json = std::fs::read_to_string(&file).unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    (serde_json::from_str(&json).unwrap(), json + &table)
}

#[test]
fn what_a_server_quotes_is_hidden_however_usual_it_is() {
    for password in WEAK.iter().filter(|password| password.len() > 3) {
        let said: Vec<String> = QUOTED
            .iter()
            .map(|how| how.replace("{}", password))
            .collect();
        let words = said.join("; ");
        let refusing = impostor({
            let words = words.clone();
            move |client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive()?;
                let kinds = ['M', 'D', 'H', 'W', 'F', 'R'];
                let mut fields = vec![('S', "FATAL"), ('V', "FATAL"), ('C', "28P01")];
                fields.extend(kinds.map(|kind| (kind, words.as_str())));
                client.error(&fields)
            }
        });
        let repeating = impostor({
            let words = words.clone();
            move |client| {
                let_in(client)?;
                for name in ["server_version", "application_name", &words] {
                    client.send(b'S', format!("{name}\0{words}\0").as_bytes())?;
                }
                client.serve_facts(&[("", &words)])
            }
        });
        let (_, refused) = report_on(&refusing.unwrap(), password);
        assert!(refused.contains("got «(hidden)»"), "{password}: {refused}");
        let (_, repeated) = report_on(&repeating.unwrap(), password);
        for all in [refused, repeated] {
            for said in &said {
                assert!(!all.contains(said.as_str()), "{said}: {all}");
                let escaped = Value::from(said.as_str()).to_string();
                assert!(!all.contains(escaped.trim_matches('"')), "{said}: {all}");
            }
        }
    }
}

/// What a program reads: the names, and whatever has words that are ours.
fn skeleton(name: &str, value: &Value) -> Value {
    const OURS: [&str; 10] = [
        "status",
        "stage",
        "cause",
        "schema_version",
        "tool",
        "command",
        "kind",
        "environment",
        "retryable",
        "interrupted",
    ];
    match value {
        Value::Object(map) if !OURS.contains(&name) => map
            .iter()
            .map(|(name, value)| (name.clone(), skeleton(name, value)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| skeleton(name, item)).collect(),
        value if OURS.contains(&name) => value.clone(),
        _ => Value::Null,
    }
}

#[test]
fn no_password_destroys_the_report() {
    let schema: Value = serde_json::from_str(include_str!("../schema/report.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let refusing = impostor(|client| {
        client.ask(impostor::CLEARTEXT, b"")?;
        client.receive()?;
        client.error(&[
            ('S', "FATAL"),
            ('V', "FATAL"),
            ('C', "28P01"),
            ('M', "no, no"),
        ])
    });
    let serving = impostor(|client| {
        let_in(client)?;
        client.serve_facts(&[])
    });
    let tokens = regex::Regex::new("[A-Za-z0-9_.:-]{3,}").unwrap();
    for peer in [refusing, serving] {
        let peer = peer.unwrap();
        let (usual, text) = report_on(&peer, "Qq77qqQq");
        let usual = skeleton("", &usual);
        let tokens: std::collections::BTreeSet<&str> = tokens
            .find_iter(&text)
            .map(|found| found.as_str())
            .collect();
        assert!(tokens.contains("status") && tokens.contains("x86_64") || tokens.len() > 100);
        // Times and ports differ from run to run.
        let lettered = |token: &&&str| token.contains(|c: char| c.is_ascii_alphabetic());
        let mut passwords: Vec<&str> = tokens.iter().filter(lettered).copied().collect();
        passwords.extend(["2026", "0.1.0", "127.0.0.1"]);
        let check = |password: &str| {
            let (report, text) = report_on(&peer, password);
            assert_eq!(skeleton("", &report), usual, "{password}");
            assert!(schema.is_valid(&report), "{password}: {report:#}");
            let began = report["run"]["started_at"].as_str().unwrap();
            assert!(began.starts_with("20"), "{password}: {began}");
            assert!(
                !text.contains("(hidden)_") && !text.contains("_(hidden)"),
                "{password}: {text}"
            );
        };
        std::thread::scope(|scope| {
            for some in passwords.chunks(passwords.len().div_ceil(6)) {
                scope.spawn(|| some.iter().for_each(|password| check(password)));
            }
        });
    }
}

#[test]
fn bytes_that_repeat_the_password_are_not_shown() {
    let forms = [
        PASSWORD.as_bytes().to_vec(),
        PASSWORD.bytes().flat_map(|b| [b, 0]).collect(),
        format!("{}{}", "x".repeat(112), PASSWORD).into_bytes(),
        // The rest of it does not come.
        format!("\x01\x02 {}", &PASSWORD[..9]).into_bytes(),
    ];
    for bytes in forms {
        let what = format!("{bytes:?}");
        let peer = impostor(move |client| {
            client.ask(impostor::CLEARTEXT, b"")?;
            client.receive()?;
            client.send_raw(&bytes)
        })
        .unwrap();
        nothing_given_away(&said_of(&peer, &[]), &what);
    }
}

/// Names that a shell, or a program that it runs, may take for more.
const NAMES: &[&str] = &[
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned; \"",
    "a\ntouch pwned\n",
    "a; touch pwned #",
    "a > pwned",
    "a | touch pwned",
    "${x:-$(touch pwned)}",
    "\\$(touch pwned)",
    "-oProxyCommand=touch pwned",
    "--help",
    "!touch",
    "a\x1b[2J\u{202e}b",
];

/// The reports of runs in which these names are everywhere.
fn reports_on(name: &'static str, dir: &Path) -> Vec<Value> {
    let refusal = move |code: &'static str, message: String| {
        impostor(move |client| {
            client.error(&[
                ('S', "FATAL"),
                ('V', "FATAL"),
                ('C', code),
                ('M', &message),
                ('F', "auth.c"),
                ('R', "auth_failed"),
            ])
        })
        .unwrap()
    };
    let peers = [
        refusal("28000", format!("role \"{name}\" does not exist")),
        refusal(
            "28P01",
            format!("password authentication failed for user \"{name}\""),
        ),
        refusal("3D000", format!("database \"{name}\" does not exist")),
        refusal(
            "42501",
            format!("permission denied for database \"{name}\""),
        ),
        refusal(
            "28000",
            format!(
                "no pg_hba.conf entry for host \"127.0.0.1\", user \"{name}\", database \"{name}\", no encryption"
            ),
        ),
        refusal(
            "22023",
            format!("invalid value for parameter \"{name}\": \"{name}\""),
        ),
    ];
    let ports = peers.iter().map(Peer::port).chain([free_port()]);
    let ports: Vec<String> = ports.map(|port| port.to_string()).collect();
    let key = dir.join(name.replace(['/', '\0'], ""));
    std::fs::write(&key, "no key").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = key.to_str().unwrap();
    let (host, user) = (format!("--host={name}"), format!("--username={name}"));
    let (dbname, hop) = (format!("--dbname={name}"), format!("--ssh={name}"));
    let mut runs: Vec<Vec<String>> = Vec::new();
    let mut run = |args: &[&str]| runs.push(args.iter().map(|&arg| arg.to_owned()).collect());
    for port in &ports {
        run(&["check", "-h", "127.0.0.1", "-p", port, &user, &dbname]);
    }
    run(&["check", &host, &user]);
    run(&["check", "-h", "127.0.0.1", "-p", &ports[0], &hop]);
    run(&[
        "check",
        "-h",
        "127.0.0.1",
        "-p",
        &ports[0],
        "--ssh=127.0.0.1:1",
        "--ssh-key",
        file,
    ]);
    run(&["key", file]);
    let root = format!("sslrootcert={file}");
    let target = format!("host=127.0.0.1 port={} sslmode=verify-full", ports[0]);
    run(&[
        "check",
        &format!("{target} {}", root.replace('\'', "\\'").replace(' ', "\\ ")),
    ]);
    let reports = runs.iter().map(|args| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = dbdoctor(&args);
        command
            .args(["--json", "--timeout", "2s"])
            .env("PGPASSWORD", "x");
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    });
    reports.collect()
}

#[test]
fn commands_to_paste_run_nothing_that_a_name_says() {
    let decoys = tempfile::tempdir().unwrap();
    let programs = [
        "psql",
        "ssh",
        "ssh-keygen",
        "ssh-add",
        "ssh-copy-id",
        "ssh-keyscan",
        "sudo",
        "dig",
        "nc",
        "openssl",
        "systemctl",
        "chmod",
        "ls",
        "cp",
        "mv",
        "rm",
        "getent",
        "dbdoctor",
        "curl",
        "host",
        "ip",
        "ss",
        "cat",
        "docker",
        "kubectl",
        "createdb",
        "createuser",
        "python3",
    ];
    for program in programs {
        decoy(
            decoys.path(),
            program,
            "printf '%s\\n' \"${0##*/}\" \"$@\" >> \"$LOG\"",
        );
    }
    decoy(decoys.path(), "touch", ": > \"$MARK\"");
    let (log, mark) = (decoys.path().join("log"), decoys.path().join("mark"));
    let shell = |args: &[&str], command: &str, dir: &Path| {
        Command::new("/bin/sh")
            .args(args)
            .arg(command)
            .env_clear()
            .env("PATH", decoys.path())
            .env("LOG", &log)
            .env("MARK", &mark)
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    // What is to be noticed is noticed.
    shell(&["-c"], "psql \"$(touch pwned)\"", decoys.path());
    assert!(mark.exists() && log.exists());
    std::fs::remove_file(&mark).unwrap();
    let mut run = 0;
    for name in NAMES {
        let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for report in reports_on(name, files.path()) {
            let mut commands = Vec::new();
            collect(&report, &mut commands);
            for command in commands {
                let seen = !command.contains(|c: char| c.is_control() && c != '\n');
                assert!(seen, "{command:?}");
                let parsed = shell(&["-nc"], &command, dir.path());
                assert!(parsed.status.success(), "{command}: {parsed:?}");
                shell(&["-c"], &command, dir.path());
                assert!(!mark.exists(), "{name:?} is run by: {command}");
                let made = std::fs::read_dir(dir.path()).unwrap().count();
                assert_eq!(made, 0, "{name:?} makes a file by: {command}");
                run += 1;
            }
        }
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let option = log.lines().find(|arg| arg.starts_with("-oProxyCommand"));
        assert_eq!(option, None, "{name:?} is an option in:\n{log}");
    }
    assert!(run > 100, "{run} commands");
}

fn decoy(dir: &Path, name: &str, script: &str) {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The commands of every fix in a report.
fn collect(value: &Value, commands: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, commands)),
        Value::Object(map) => {
            if let Some(Value::String(command)) = map.get("command")
                && map.contains_key("text")
            {
                commands.push(command.clone());
            }
            map.values().for_each(|item| collect(item, commands));
        }
        _ => {}
    }
}

#[test]
fn there_is_no_core_dump_and_the_limit_is_put_back() {
    if !cfg!(target_os = "linux") {
        return; // its limits are read from /proc
    }
    let peer = Peer::silent().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new("/bin/sh")
        .args(["-c", "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_dbdoctor"))
        .args(["check", "-h", "127.0.0.1", "-p", &peer.port().to_string()])
        .args(["-U", "app", "--timeout", "20s"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while peer.connections() == 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let soft = core.and_then(|line| line.split_whitespace().nth(4));
    let killed = nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id() as i32),
        nix::sys::signal::Signal::SIGABRT,
    );
    let status = child.wait().unwrap();
    killed.unwrap();
    assert_eq!(soft, Some("0"), "{limits}");
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let peer = impostor(|client| {
        client.ask(impostor::OK, b"")?;
        client.serve()
    })
    .unwrap();
    let output = Command::new("/bin/sh")
        .args([
            "-c",
            "ulimit -S -c \"$(ulimit -H -c)\"; ulimit -c; exec \"$@\"",
            "sh",
        ])
        .arg(env!("CARGO_BIN_EXE_dbdoctor"))
        .args(["check", "-h", "127.0.0.1", "-p", &peer.port().to_string()])
        .args([
            "-U",
            "app",
            "--wait",
            "2s",
            "--",
            "/bin/sh",
            "-c",
            "ulimit -c",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let limits: Vec<&str> = text.lines().collect();
    assert_eq!(limits.len(), 2, "{output:?}");
    assert_eq!(limits[0], limits[1]);
}
