//! What `explain` reads from a text beside its cause: host, port, user and the like, in
//! summaries, fixes and the command that confirms it.

use clap::Parser;
use dbdoctor::cli::Cli;
use dbdoctor::explain::{Explanation, Match};

/// The best match of a text.
fn best(text: &str) -> Match {
    let mut found = Explanation::of_text(text).matches;
    assert!(!found.is_empty(), "nothing is known of: {text}");
    found.remove(0)
}

/// The values of a match as `name=value`, in the order of the keys.
fn values(found: &Match) -> String {
    let all = serde_json::to_value(&found.values).unwrap();
    let all = all.as_object().unwrap();
    let known = all.iter().filter(|(_, value)| !value.is_null());
    let words = known.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Texts of `tests/corpus/values.txt`: `### VALUES`, `=== COMMAND` where the
/// command is complete, then the text.
fn corpus() -> Vec<(&'static str, Option<&'static str>, &'static str)> {
    let entries = include_str!("corpus/values.txt").split("### ").skip(1);
    entries
        .map(|entry| {
            let (values, rest) = entry.split_once('\n').unwrap();
            let command = rest
                .strip_prefix("=== ")
                .and_then(|rest| rest.split_once('\n'));
            match command {
                Some((command, text)) => (values.trim(), Some(command), text.trim_end()),
                None => (values.trim(), None, rest.trim_end()),
            }
        })
        .collect()
}

#[test]
fn what_a_text_says_is_read() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{} texts", corpus.len());
    let mut wrong = Vec::new();
    for (wanted, command, text) in corpus {
        let found = best(text);
        let got = values(&found);
        if got != wanted {
            wrong.push(format!(
                "{text}\n  wanted {wanted}\n  got    {got}  ({})",
                found.cause
            ));
        }
        if let Some(command) = command {
            let got = found.confirm_with.as_deref().unwrap_or("none");
            if got != command {
                wrong.push(format!(
                    "{text}\n  wanted {command}\n  got    {got}  ({})",
                    found.cause
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The words of a command, as a shell would pass them on.
fn words(command: &str) -> Vec<String> {
    shlex::split(command).unwrap_or_else(|| panic!("no shell reads {command}"))
}

#[test]
fn every_command_is_one_of_ours() {
    for (_, _, text) in corpus() {
        for found in Explanation::of_text(text).matches {
            let Some(command) = found.confirm_with else {
                continue;
            };
            let parsed = Cli::try_parse_from(words(&command));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}

/// Where the text has a value, no capital word stands for it.
#[test]
fn no_hole_is_left_where_the_text_has_the_value() {
    for (_, _, text) in corpus() {
        let found = best(text);
        let words = |text: &str| -> Vec<String> {
            let word = |c: char| !(c.is_ascii_uppercase() || c == '_');
            text.split(word).map(str::to_owned).collect()
        };
        let mut said: Vec<String> = words(&found.summary);
        said.extend(found.confirm_with.iter().flat_map(|it| words(it)));
        for fix in &found.fixes {
            said.extend(words(&fix.text));
            said.extend(fix.command.iter().flat_map(|it| words(it)));
        }
        let known = [
            (found.values.host.is_some(), "HOST"),
            (found.values.host.is_some(), "TARGET"),
            (found.values.port.is_some(), "PORT"),
            (found.values.user.is_some(), "USER"),
            (found.values.user.is_some(), "ROLE"),
            (found.values.dbname.is_some(), "DATABASE"),
            (found.values.parameter.is_some(), "PARAMETER"),
            (found.values.file.is_some(), "PATH"),
        ];
        for (_, hole) in known.iter().filter(|(known, _)| *known) {
            let at = said.iter().find(|word| word == hole);
            assert!(at.is_none(), "{text}: {hole} in {:?}", found.fixes);
        }
        assert!(
            found.fixes.len() <= 4,
            "{text}: {} fixes",
            found.fixes.len()
        );
    }
}

#[test]
fn summaries_and_fixes_are_filled() {
    let found = best(
        "connection to server at \"db.corp.test\" (10.0.0.5), port 5432 failed: FATAL:  no \
         pg_hba.conf entry for host \"10.1.2.3\", user \"app\", database \"orders\", SSL encryption",
    );
    assert_eq!(found.cause, "auth.hba.no-entry");
    assert_eq!(
        found.summary,
        "No line of the server's pg_hba.conf matches role app, database orders, from 10.1.2.3 \
         with TLS."
    );
    let line = "hostssl orders app 10.1.2.3/32 scram-sha-256";
    let command = found.fixes[0].command.as_deref().unwrap();
    assert!(command.contains(line), "{command}");

    let found = best("FATAL:  role \"app\" does not exist");
    assert_eq!(found.summary, "Role app does not exist.");
    let found = best("FATAL:  database \"orders\" does not exist");
    assert_eq!(found.summary, "Database orders does not exist.");
    let found = best("FATAL:  password authentication failed for user \"app\"");
    assert!(
        found
            .summary
            .starts_with("The server does not accept the password for role app. "),
        "{}",
        found.summary
    );
    let found = best("invalid connection option \"ssl_mode\"");
    assert_eq!(found.fixes[0].text, "Write sslmode instead of ssl_mode.");
    let found = best(
        "psql: connect to server at \"db.corp.test\" (10.0.0.5), port 5432 failed: Connection refused",
    );
    assert!(
        found
            .summary
            .starts_with("10.0.0.5:5432 refuses the connection")
    );
    assert!(
        found.fixes[0].text.contains("db.corp.test"),
        "{:?}",
        found.fixes
    );
}

/// A managed provider's users have neither the machine nor its files.
#[test]
fn a_provider_brings_its_fixes() {
    for (host, name) in [
        ("orders.abc.eu-west-1.rds.amazonaws.com", "Amazon RDS"),
        ("ep-cool-1.eu-central-1.aws.neon.tech", "Neon"),
        ("db.abcd.supabase.co", "Supabase"),
        ("pg-1.aivencloud.com", "Aiven"),
    ] {
        let found = best(&format!(
            "connection to server at \"{host}\" (10.9.9.9), port 5432 failed: FATAL:  no \
             pg_hba.conf entry for host \"10.1.2.3\", user \"app\", database \"orders\", SSL on"
        ));
        assert_eq!(found.values.provider.as_deref(), Some(name));
        let said = serde_json::to_string(&found.fixes).unwrap();
        for words in ["pg_hba_file_rules", "to pg_hba.conf", "systemctl"] {
            assert!(!said.contains(words), "{name}: {said}");
        }
    }
}

/// An SSH server's host and user are not the database's.
#[test]
fn an_ssh_server_is_kept_apart() {
    for (text, command) in [
        (
            "ops@bastion.corp.test: Permission denied (publickey).",
            "dbdoctor tunnel --ssh ops@bastion.corp.test TARGET",
        ),
        (
            "ssh: connect to host bastion.corp.test port 22: Connection refused",
            "dbdoctor tunnel --ssh bastion.corp.test:22 TARGET",
        ),
        (
            "The authenticity of host '[10.0.0.9]:2022' can't be established.\n\
             Host key verification failed.",
            "dbdoctor tunnel --ssh 10.0.0.9:2022 TARGET",
        ),
        (
            "ssh -N -L 5433:db.corp.test:5432 ops@bastion.corp.test\n\
             channel 2: open failed: administratively prohibited: open failed",
            "dbdoctor tunnel --ssh ops@bastion.corp.test -h db.corp.test -p 5432",
        ),
        (
            "SSHTunnelForwarder(('bastion.corp.test', 22), ssh_username='ops', \
             remote_bind_address=('db.corp.test', 5432))\n\
             paramiko.ssh_exception.AuthenticationException: Authentication failed.",
            "dbdoctor tunnel --ssh ops@bastion.corp.test:22 -h db.corp.test -p 5432",
        ),
    ] {
        let found = best(text);
        assert_eq!(found.confirm_with.as_deref(), Some(command), "{text}");
        let host = found.values.host.as_deref();
        assert!(host.is_none_or(|host| host == "db.corp.test"), "{text}");
        assert_eq!(found.values.user, None, "{text}");
    }
}

/// Whether a shell does more with a command than take it apart into words.
fn is_read_by_shell(command: &str) -> bool {
    let mut quote = None;
    command
        .replace("\\\\", "")
        .chars()
        .any(|c| match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                false
            }
            (Some(open), c) if open == c => {
                quote = None;
                false
            }
            (Some('"'), c) => "$`\\!".contains(c),
            (None, c) => "$`;|&<>(){}[]*?!#~\\\n".contains(c),
            _ => false,
        })
}

/// What a shell would run, or a command line would take for a flag, is quoted or left out.
#[test]
fn hostile_texts_give_safe_commands() {
    let hostile = [
        "$(reboot)",
        "`reboot`",
        "a;reboot",
        "a|reboot",
        "a&&reboot",
        "--help",
        "-x",
        "a b",
        "a'b",
        "a\\b",
        "../../etc",
        "a\u{202e}b",
        "a\tb",
        "{a,b}",
        "~root",
        "!!",
        "a>b",
        "*",
        "=x",
        "x=y",
        "postgres://x",
        "@evil",
        "#",
        "a\u{7}b",
        "%n",
    ];
    for evil in hostile {
        for text in [
            format!(
                "could not translate host name \"{evil}\" to address: Name or service not known"
            ),
            format!(
                "connection to server at \"{evil}\" (10.0.0.5), port 5432 failed: Connection refused"
            ),
            format!("FATAL:  role \"{evil}\" does not exist"),
            format!("FATAL:  database \"{evil}\" does not exist"),
            format!("host={evil} user={evil} dbname={evil} psql: connection refused"),
            format!("Load key \"/home/{evil}/id\": invalid format"),
            format!("ssh: connect to host {evil} port 22: Connection refused"),
        ] {
            for found in Explanation::of_text(&text).matches {
                let Some(command) = &found.confirm_with else {
                    continue;
                };
                let words = words(command);
                assert_eq!(words[0], "dbdoctor");
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{text}: {command}: {}", parsed.unwrap_err());
                // Nothing is left for a shell to do.
                assert!(!is_read_by_shell(command), "{text}: {command}");
                let said = serde_json::to_string(&found).unwrap();
                assert!(
                    !said.contains("\\u0007") && !said.contains('\u{202e}'),
                    "{said}"
                );
            }
        }
    }
}

/// A password is not shown, wherever it stands, also where it is taken for something else.
#[test]
fn secrets_are_never_values() {
    let refused = "\npsycopg2.OperationalError: connection to server at \"db\", port 5432 failed: Connection refused";
    let secret = "s3cr3tPw";
    let forms = [
        "postgres://app:s3cr3tPw@db:5432/orders",
        "postgresql+asyncpg://app:s3cr3tPw@db/orders",
        "postgres://app:s3cr3tPw@x@db/orders",
        "postgres://app:x@s3cr3tPw@db/orders",
        "postgres://app:x/s3cr3tPw@db/orders",
        "postgres://app:x#s3cr3tPw@db/orders",
        "postgres://app:x?s3cr3tPw@db/orders",
        "postgres://app:x:s3cr3tPw@db/orders",
        "postgres://app:x s3cr3tPw@db/orders",
        "postgres://app:x\"s3cr3tPw@db/orders",
        "postgres://:s3cr3tPw@db/orders",
        "jdbc:postgresql://db/orders?user=app&password=s3cr3tPw",
        "jdbc:postgresql://db/orders?password=s3cr3tPw&user=app",
        "host=db password=s3cr3tPw user=app",
        "host=db password='a s3cr3tPw' user=app",
        "Host=db;Password=s3cr3tPw;Username=app",
        "Server=db;Pwd=s3cr3tPw;Uid=app",
        "{ host: 'db', password: 's3cr3tPw', user: 'app' }",
        "{\"host\": \"db\", \"password\": \"s3cr3tPw\"}",
        ":password=>\"s3cr3tPw\", :host=>\"db\"",
        "map[host:db password:s3cr3tPw]",
        "PGPASSWORD=s3cr3tPw psql -h db",
        "DB_PASSWORD: s3cr3tPw",
        "POSTGRES_PASSWORD=\"s3cr3tPw\"",
        "ssh_password='s3cr3tPw' ssh_host=bastion",
        "token=s3cr3tPw host=db",
        "could not translate host name \"s3cr3tPw@db\" to address: Name or service not known",
        "getaddrinfo ENOTFOUND s3cr3tPw@db",
        "lookup s3cr3tPw@db: no such host",
        "invalid port \":s3cr3tPw\" after host",
        "Port could not be cast to integer value as 's3cr3tPw'",
        "db:5432:orders:app:s3cr3tPw",
        "redis://:s3cr3tPw@cache:6379/0",
        "passphrase = s3cr3tPw",
    ];
    assert!(forms.len() >= 25);
    for form in forms {
        for text in [
            form.to_owned(),
            format!("{form}{refused}"),
            format!("{refused}\n{form}"),
        ] {
            let said = serde_json::to_string(&Explanation::of_text(&text)).unwrap();
            assert!(!said.contains(secret), "{text}\n{said}");
        }
    }
    // A piece of a password that a reader of URLs took for the host.
    let torn = "DATABASE_URL=postgres://app:x@s3cr3tPw@db/orders\n\
                could not translate host name \"s3cr3tPw\" to address: Name or service not known";
    let said = serde_json::to_string(&Explanation::of_text(torn)).unwrap();
    assert!(!said.contains(secret), "{said}");
}

/// Where the log is what was pasted, nobody is sent to it.
#[test]
fn a_server_log_is_not_looked_into_again() {
    let client = best("FATAL:  password authentication failed for user \"app\"");
    let said = |found: &Match| serde_json::to_string(&found.fixes).unwrap();
    assert!(said(&client).contains("server's log"));
    let log = best(
        "2026-04-02 08:00:01.123 UTC [77] FATAL:  password authentication failed for user \"app\"",
    );
    assert_eq!(log.cause, client.cause);
    assert!(!said(&log).contains("server's log"), "{}", said(&log));
    // Of another process nothing is taken.
    let log = best(
        "2026-04-02 08:00:01.123 UTC [76] other@shop ERROR:  canceling statement\n\
         2026-04-02 08:00:01.124 UTC [77] FATAL:  password authentication failed for user \"app\"",
    );
    assert_eq!(
        (log.values.user.as_deref(), log.values.dbname),
        (Some("app"), None)
    );
}

/// Two servers in one text: the one of the message.
#[test]
fn the_server_of_the_message_counts() {
    let found = best(
        "connecting to 10.0.0.8:5432\n\
         connecting to 10.0.0.9:5432\n\
         psql: error: connection to server at \"10.0.0.9\", port 5432 failed: Connection refused",
    );
    assert_eq!(found.values.host.as_deref(), Some("10.0.0.9"));
    let found = best("dial tcp: lookup db.corp.test on 10.0.0.2:53: no such host");
    assert_eq!((found.values.address, found.values.port), (None, None));
}

/// A page of the catalogue holds in a text, too: nothing in it was tried.
#[test]
fn no_page_says_that_something_was_tried() {
    let tried = [
        "dbdoctor tried",
        "dbdoctor tested",
        "dbdoctor measured",
        "dbdoctor checked",
        "dbdoctor found",
        "dbdoctor sent",
    ];
    for found in Explanation::catalogue().matches {
        for words in tried {
            assert!(!found.meaning.contains(words), "{}: {words}", found.cause);
        }
    }
}

/// The setting that keeps the statements is not the one to set.
#[test]
fn statements_of_pgbouncer_are_not_mended_by_their_own_setting() {
    let found = best("ERROR:  prepared statement \"PGBOUNCER_12\" does not exist");
    assert_eq!(found.cause, "client.prepared-statement");
    assert!(
        found.fixes[0].text.contains("pgbouncer=true"),
        "{:?}",
        found.fixes
    );
    let said = serde_json::to_string(&found.fixes).unwrap();
    assert!(
        !said.contains("Or set max_prepared_statements in"),
        "{said}"
    );
    let other = best("ERROR:  prepared statement \"s1\" does not exist");
    assert!(other.fixes[0].text.contains("statement cache"));
}

/// What is to be pasted is one whole command of a shell, with its values in it.
#[test]
fn commands_can_be_pasted() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/stacks");
    let mut commands = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let corpus = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let texts = corpus.split("### ").filter_map(|it| it.split_once('\n'));
        for (_, text) in texts {
            let found = Explanation::of_text(text.trim_end()).matches;
            let fixes = found.iter().flat_map(|it| &it.fixes);
            commands.extend(fixes.filter_map(|fix| fix.command.clone()));
        }
    }
    assert!(commands.len() >= 100, "{}", commands.len());
    for command in commands {
        let parsed = std::process::Command::new("sh")
            .args(["-n", "-c", &command])
            .status()
            .unwrap();
        assert!(parsed.success(), "{command}");
    }
}
