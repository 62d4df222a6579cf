//! The settings as people meet them: broken URLs, sources that disagree, the
//! SSH configuration held to `ssh -G`, and parsers that take anything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dbdoctor::config::request::{Request, SshRequest};
use dbdoctor::config::ssh_config::{self, HostQuery};
use dbdoctor::config::{conninfo, dotenv, parse, passfile, service, ssh, uri};
use dbdoctor::finding::Finding;
use dbdoctor::report::{Stage, StageRecord, TargetReport};
use dbdoctor::stage::config;
use dbdoctor::system::System;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

/// A password that must never be shown, nor any piece of it of four letters.
const CANARY: &str = "c4n4rypw";

fn shows_canary(text: &str) -> bool {
    let letters: Vec<char> = CANARY.chars().collect();
    letters
        .windows(4)
        .any(|piece| text.contains(&piece.iter().collect::<String>()))
}

/// dbdoctor in a home and a folder of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
            .arg("config")
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path().join("home"))
            .env("PGSYSCONFDIR", self.folder.path())
            .envs(variables.iter().copied())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The report, once every form of it has been searched for the canary.
    fn report(&self, args: &[&str], variables: &[(&str, &str)]) -> Value {
        let with = |more: &[&'static str]| {
            let args: Vec<&str> = args.iter().copied().chain(more.iter().copied()).collect();
            let output = self.run(&args, variables);
            for bytes in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(bytes);
                assert!(!shows_canary(&text), "{args:?} {variables:?}\n{text}");
            }
            output
        };
        with(&["-v"]);
        with(&["-q"]);
        let output = with(&["--json"]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn cause(report: &Value) -> &str {
    report["verdict"]["cause"].as_str().unwrap_or("none")
}

fn causes(report: &Value) -> Vec<&str> {
    let findings = report["stages"][0]["findings"].as_array().unwrap();
    findings
        .iter()
        .filter_map(|f| f["cause"].as_str())
        .collect()
}

#[test]
fn what_people_write() {
    let place = Place::new();
    for (target, expected, status) in [
        (
            "postgresql://app:c4n4@rypw@db/app",
            "config.url.unescaped",
            "fail",
        ),
        (
            "postgresql://app:c4n4rypw/x@db/app",
            "config.url.unescaped",
            "fail",
        ),
        (
            "postgresql://app:c4n4/rypw@db:5432/app?sslmode=require",
            "config.url.unescaped",
            "fail",
        ),
        (
            "postgresql://app:12/c4n4rypw@db/app",
            "config.url.unescaped",
            "fail",
        ),
        (
            "postgresql://app:c4n4rypw%@db/app",
            "config.url.unescaped",
            "fail",
        ),
        (
            "postgresql://app:c4n4 rypw@db/app",
            "config.url.unescaped",
            "fail",
        ),
        (
            "postgresql://app:c4n4#rypw@db/app",
            "config.url.unescaped",
            "warn",
        ),
        (
            "postgresql://app:c4n4?rypw@db/app",
            "config.url.unescaped",
            "warn",
        ),
        (
            "postgresql://app:c4n4:rypw@db/app",
            "config.url.unescaped",
            "warn",
        ),
        (
            "postgresql://app:c4n4rypw/app",
            "config.param.invalid",
            "fail",
        ),
        (
            "postgresql://app:pw@db:54x2/app",
            "config.param.invalid",
            "fail",
        ),
        (
            "postgresql://app:c4n4rypw@${DB_HOST}/app",
            "config.url.placeholder",
            "fail",
        ),
        (
            "postgresql://${USER}:c4n4rypw@db/app",
            "config.url.placeholder",
            "fail",
        ),
        (
            "postgresql://app:<password>@db/app",
            "config.url.placeholder",
            "warn",
        ),
        ("postgres:/app:c4n4rypw@db/app", "config.url.syntax", "fail"),
        ("app:c4n4rypw@db/app", "config.url.syntax", "fail"),
        ("", "config.url.syntax", "fail"),
        (
            "\"postgresql://app:c4n4rypw@db/app\"",
            "config.whitespace",
            "fail",
        ),
        (
            "postgresql://app:c4n4rypw@db/app\n",
            "config.whitespace",
            "warn",
        ),
        (
            "host=db password=c4n4rypw sslmode=requires",
            "config.param.invalid",
            "fail",
        ),
        ("host=db password=x c4n4rypw", "config.url.syntax", "fail"),
        (
            "host=db password=x c4n4rypw=y",
            "config.param.unknown",
            "fail",
        ),
        ("host=db password='c4n4rypw", "config.url.syntax", "fail"),
        (
            "Host=db;Username=app;Password=c4n4rypw",
            "config.url.syntax",
            "fail",
        ),
        (
            "host=postgresql://app:c4n4rypw@db/app",
            "config.url.in-host",
            "fail",
        ),
        ("host=db:5432", "config.url.in-host", "fail"),
        (
            "dbname=postgresql://app:c4n4rypw@db/app",
            "config.param.invalid",
            "fail",
        ),
        (
            "postgresql://db/app?password=c4n4rypw&schema=x",
            "config.param.unknown",
            "warn",
        ),
        (
            "postgresql://db/app?password=x&c4n4rypw=y",
            "config.param.unknown",
            "fail",
        ),
        (
            "jdbc:postgresql://app:c4n4rypw@db/app",
            "driver.url",
            "fail",
        ),
        (
            "host=db sslrootcert=system sslmode=require",
            "config.param.conflict",
            "fail",
        ),
        ("service=c4n", "config.service.missing", "fail"),
        (
            "host=db sslpassword=c4n4rypw scram_client_key=c4n4rypw",
            "config.param.invalid",
            "fail",
        ),
    ] {
        let report = place.report(&[&format!("--url={target}")], &[]);
        assert_eq!(cause(&report), expected, "{target}");
        assert_eq!(report["verdict"]["status"], status, "{target}");
        let fixes = report["verdict"]["fixes"].as_array().unwrap();
        assert!(!fixes.is_empty(), "{target}");
    }
    let report = place.report(&[], &[("DATABASE_URL", "postgresql://app:p@ss@db/app")]);
    assert_eq!(cause(&report), "config.url.unescaped");
    let form = &report["stages"][0]["findings"][0]["evidence"]["form"];
    assert_eq!(form, "postgresql://app:…%40…@db/app");
    assert_eq!(report["target"]["url"], Value::Null);
}

#[test]
fn healthy_settings_have_no_warning() {
    let place = Place::new();
    place.write("home/.pg_service.conf", "[s]\nhost=db\nuser=app\n");
    for (args, variables) in [
        (
            &["postgresql://app:p%40ss@db/app?sslmode=require"][..],
            &[][..],
        ),
        (&["postgresql://app:pw@db.test:5432/my@db"], &[]),
        (&["postgresql://app@db/app?ssl=true"], &[]),
        (&["postgresql+asyncpg://app:pw@db/app?ssl=require"], &[]),
        (
            &["jdbc:postgresql://db/app?user=app&password=c4n4rypw&currentSchema=x"],
            &[],
        ),
        (&["db:6432"], &[]),
        (
            &["-h", "db", "-p", "6432", "-U", "a b", "-d", "odd name"],
            &[],
        ),
        (&["host=db user=app$x dbname=x"], &[("PGHOST", "other")]),
        (&["service=s"], &[("PGHOST", "other")]),
        (
            &[],
            &[
                ("PGHOST", "db"),
                ("PGPASSWORD", "c4n4rypw$x${"),
                ("PGPORT", "6432"),
            ],
        ),
        (
            &[],
            &[
                ("DATABASE_URL", "postgres://app:c4n4rypw@db/app"),
                ("PGSSLMODE", "require"),
            ],
        ),
        (
            &[],
            &[
                ("DATABASE_URL", "postgres://db/app"),
                ("PGHOST", "DB"),
                ("PGPORT", "5432"),
            ],
        ),
        (&[], &[("PGHOST", "/tmp"), ("PGPASSFILE", "/dev/null")]),
        (
            &["postgresql://h1:1,h2:2,[::1]/app?target_session_attrs=primary"],
            &[],
        ),
        (&[], &[]),
    ] {
        let report = place.report(args, variables);
        assert_eq!(causes(&report), [""; 0], "{args:?} {variables:?}");
        assert_eq!(report["verdict"]["status"], "pass");
    }
}

/// Incident 4: everyone believed that the program used the other settings.
#[test]
fn which_source_wins_and_why() {
    let place = Place::new();
    place.write(
        ".env",
        "# local\nDATABASE_URL=postgresql://app:c4n4rypw@db/app\n",
    );
    let local = ("PGHOST", "localhost");
    let report = place.report(&[], &[local]);
    assert_eq!(cause(&report), "config.sources.conflict");
    let evidence = &report["stages"][0]["findings"][0]["evidence"];
    assert_eq!(evidence["winner"], "PGHOST");
    assert_eq!(evidence["loser"], "DATABASE_URL in .env line 2");
    assert_eq!(
        report["target"]["parameters"]["host"]["origin"]["name"],
        "PGHOST"
    );

    let report = place.report(&[], &[]);
    assert_eq!(cause(&report), "config.default.used");

    let report = place.report(&["postgresql://localhost/app"], &[]);
    assert_eq!(cause(&report), "none");
    assert_eq!(report["stages"][0]["facts"]["dotenv"]["value"], "db");

    let report = place.report(&["--env-file", ".env"], &[local]);
    assert_eq!(cause(&report), "config.sources.conflict");
    let host = &report["target"]["parameters"]["host"];
    assert_eq!(host["value"], "db");
    assert_eq!(host["origin"]["kind"], "env-file");
    assert_eq!(host["origin"]["line"], 2);

    place.write(".env", "PGHOST=localhost\n");
    let url = ("DATABASE_URL", "postgresql://app:c4n4rypw@db/app");
    let report = place.report(&[], &[url, local]);
    assert_eq!(cause(&report), "config.sources.conflict");
    let host = &report["target"]["parameters"]["host"];
    assert_eq!(host["value"], "db");
    assert_eq!(host["shadows"][0]["value"], "localhost");
    assert_eq!(host["shadows"][0]["origin"]["name"], "PGHOST");

    let report = place.report(&["postgresql://a/b"], &[("PGHOSTADDR", "10.0.0.1")]);
    assert_eq!(cause(&report), "config.sources.conflict");
    let report = place.report(&["-d", "other"], &[url]);
    assert_eq!(cause(&report), "config.default.used");
}

#[test]
fn files_and_guards() {
    let place = Place::new();
    let report = place.report(&["--env-file", "none.env"], &[]);
    assert_eq!(cause(&report), "config.file.missing");
    place.write("bad.env", "PGHOST='x\n");
    let report = place.report(&["--env-file", "bad.env"], &[]);
    assert_eq!(cause(&report), "config.env-file.syntax");
    place.write("dollar.env", "PGHOST=db\nPGPASSWORD=c4n4$rypw\n");
    let report = place.report(&["--env-file", "dollar.env"], &[]);
    assert_eq!(cause(&report), "config.url.placeholder");

    let pgpass = place.write("home/.pgpass", "db:5433:*:*:c4n4rypw\n");
    let report = place.report(&["postgresql://app@db/app"], &[]);
    assert_eq!(cause(&report), "config.passfile.nomatch");
    let report = place.report(&["postgresql://app@db:5433/app"], &[]);
    assert_eq!(cause(&report), "none");
    let password = &report["target"]["parameters"]["password"];
    assert_eq!(password["value"], "(hidden)");
    assert_eq!(password["origin"]["kind"], "passfile");
    assert_eq!(password["origin"]["line"], 1);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&pgpass, std::fs::Permissions::from_mode(0o644)).unwrap();
    let report = place.report(&["postgresql://app@db:5433/app"], &[]);
    assert_eq!(cause(&report), "config.passfile.permissions");
    let report = place.report(
        &["postgresql://app@db:5433/app"],
        &[("PGPASSWORD", "c4n4rypw")],
    );
    assert_eq!(cause(&report), "none");

    for (target, expected, status) in [
        ("host=db sslcert=none.crt", "config.file.missing", "warn"),
        ("host=db sslcrl=none.crl", "config.file.missing", "warn"),
        ("host=db sslcert=none.crt sslmode=disable", "none", "pass"),
        ("host=/tmp sslcert=none.crt", "none", "pass"),
    ] {
        std::fs::remove_file(&pgpass).ok();
        let report = place.report(&[target], &[]);
        assert_eq!(
            (cause(&report), report["verdict"]["status"].as_str()),
            (expected, Some(status))
        );
    }

    for (args, expected) in [
        (
            ["--not-host", "*.PROD.test", "postgresql://db.prod.test/app"],
            "server.wrong-identity",
        ),
        (
            ["--not-host", "10.*", "host=db hostaddr=10.0.0.1"],
            "server.wrong-identity",
        ),
        (
            ["--not-host", "prod", "postgresql://db.prod.test/app"],
            "none",
        ),
    ] {
        assert_eq!(cause(&place.report(&args, &[])), expected, "{args:?}");
    }
    let report = place.report(&["--ssh", "b", "--ssh-config", "none.conf", "host=db"], &[]);
    assert_eq!(cause(&report), "config.file.missing");
}

/// What ssh says about a host: the lines of `ssh -G`.
fn ssh_g(config: &Path, host: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let output = Command::new("ssh")
        .arg("-F")
        .arg(config)
        .args(["-G", host])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if output.status.success() {
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((name, value)) = line.split_once(' ') {
                said.entry(name.to_owned())
                    .or_default()
                    .push(value.to_owned());
            }
        }
    }
    Some(said)
}

/// Compares one configuration with ssh's reading of it.
fn ssh_agrees(text: &str, host: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, text).unwrap();
    let Some(theirs) = ssh_g(&config, host) else {
        return Ok(());
    };
    let user = nix::unistd::User::from_uid(nix::unistd::getuid())
        .unwrap()
        .unwrap();
    let asked = HostQuery {
        environment: None,
        host,
        user: None,
        local_user: &user.name,
        uid: user.uid.as_raw(),
        home: Some(&user.dir),
    };
    let files = ssh_config::Files {
        user: Some(config),
        named: true,
        system: None,
    };
    let ours = ssh_config::lookup(&files, &asked);
    let wrong = |what: &str| {
        Err(format!(
            "{what} for {host}:\n{text}\n ssh: {theirs:?}\n dbdoctor: {ours:?}"
        ))
    };
    let options = match &ours {
        Ok(options) if !theirs.is_empty() => options,
        Err(_) if theirs.is_empty() => return Ok(()),
        _ => return wrong("only one accepts it"),
    };
    let first = |name: &str| theirs.get(name).map(|v| v[0].clone());
    let name = options.hostname.clone().unwrap_or(host.to_owned());
    let name = name.replace("%h", host).replace("%%", "%").to_lowercase();
    if first("hostname").map(|name| name.to_lowercase()) != Some(name) {
        return wrong("HostName");
    }
    if first("user") != Some(options.user.clone().unwrap_or(user.name.clone())) {
        return wrong("User");
    }
    if first("port") != Some(options.port.unwrap_or(22).to_string()) {
        return wrong("Port");
    }
    let alive = options.server_alive_interval.unwrap_or_default();
    if first("serveraliveinterval") != Some(alive.as_secs().to_string()) {
        return wrong("ServerAliveInterval");
    }
    let keepalive = match options.tcp_keepalive {
        Some(false) => "no",
        _ => "yes",
    };
    if first("tcpkeepalive").as_deref() != Some(keepalive) {
        return wrong("TCPKeepAlive");
    }
    let keys = theirs.get("identityfile").cloned().unwrap_or_default();
    if !options.identity_files.is_empty() && keys != options.identity_files {
        return wrong("IdentityFile");
    }
    if first("identitiesonly").as_deref()
        != Some(if options.identities_only == Some(true) {
            "yes"
        } else {
            "no"
        })
    {
        return wrong("IdentitiesOnly");
    }
    let strict = match options.strict.as_deref() {
        None | Some("ask") => "ask",
        Some("yes" | "true") => "true",
        Some("accept-new") => "accept-new",
        Some(_) => "false",
    };
    if first("stricthostkeychecking").as_deref() != Some(strict) {
        return wrong("StrictHostKeyChecking");
    }
    if let Some(files) = &options.user_known_hosts
        && first("userknownhostsfile") != Some(files.join(" "))
        && !files.iter().any(|f| f.starts_with('~'))
    {
        return wrong("UserKnownHostsFile");
    }
    let jump = options
        .proxy_jump
        .clone()
        .filter(|j| !j.eq_ignore_ascii_case("none"));
    if first("proxyjump").is_some() != jump.is_some() {
        return wrong("ProxyJump");
    }
    let alias = options.host_key_alias.as_deref().map(str::to_lowercase);
    if alias != first("hostkeyalias") {
        return wrong("HostKeyAlias");
    }
    Ok(())
}

#[test]
fn ssh_configurations_are_read_as_ssh_reads_them() {
    if ssh_g(Path::new("/dev/null"), "h").is_none() {
        assert!(std::env::var_os("CI").is_none(), "no ssh to compare with");
        eprintln!("skipped: ssh is not installed");
        return;
    }
    let cases = [
        "ServerAliveInterval 30\nServerAliveInterval 40\n",
        "ServerAliveInterval none\nServerAliveInterval 1m30\n",
        "ServerAliveInterval 0\nServerAliveInterval 5\n",
        "Host other\nServerAliveInterval 5\nHost *\nServerAliveInterval 1H\n",
        "ServerAliveInterval soon\n",
        "ServerAliveInterval 3551w\n",
        "TCPKeepAlive no\n",
        "KeepAlive no\nTCPKeepAlive yes\n",
        "MACs foo\n",
        "MACs +foo\n",
        "MACs -foo\n",
        "MACs ^hmac-*\n",
        "MACs hmac-sha1,,foo\n",
        "MACs\n",
        "Ciphers none\n",
        "Ciphers aes*\n",
        "Ciphers -aes*\n",
        "Ciphers arcfour\n",
        "Ciphers AES128-CTR\n",
        "KexAlgorithms foo\n",
        "KexAlgorithms +curve25519-sha256,foo\n",
        "KexAlgorithms ^ecdh-sha2-nistp256\n",
        "HostKeyAlgorithms *\n",
        "HostKeyAlgorithms foo*\n",
        "HostKeyAlgorithms +ssh-*\n",
        "HostKeyAlgorithms ssh-dss\n",
        "PubkeyAcceptedAlgorithms foo\n",
        "PubkeyAcceptedKeyTypes +foo\n",
        "HostbasedAcceptedAlgorithms foo\n",
        "CASignatureAlgorithms foo\n",
        "CASignatureAlgorithms +ssh-rsa\n",
        "CASignatureAlgorithms rsa-*\n",
        "RevokedHostKeys none\n",
        "RevokedHostKeys /dev/null\n",
        "RevokedHostKeys none a\n",
        "IgnoreUnknown !foo,*\nfoo x\n",
        "IgnoreUnknown !foo,*\nbar x\n",
        "CanonicalDomains a..b\n",
        "CanonicalDomains none a\n",
        "LogLevel foo\n",
        "LogLevel Verbose\n",
        "SyslogFacility foo\n",
        "SyslogFacility LOCAL0\n",
        "RequestTTY force\n",
        "RequestTTY foo\n",
        "SessionType none\n",
        "SessionType foo\n",
        "Tunnel point-to-point\n",
        "Tunnel foo\n",
        "ControlMaster auto\n",
        "ControlMaster foo\n",
        "ControlPersist 10m\n",
        "ControlPersist foo\n",
        "UpdateHostKeys ask\n",
        "UpdateHostKeys foo\n",
        "ConnectTimeout 5\n",
        "ConnectTimeout none\n",
        "ConnectTimeout foo\n",
        "ServerAliveInterval 1h30\n",
        "ServerAliveInterval foo\n",
        "FingerprintHash md5\n",
        "FingerprintHash foo\n",
        "AddressFamily inet6\n",
        "AddressFamily foo\n",
        "VerifyHostKeyDNS ask\n",
        "VerifyHostKeyDNS foo\n",
        "CanonicalizeHostname foo\n",
        "LocalForward 8080\n",
        "LocalForward 8080 a:80\n",
        "SetEnv A=b C=d\n",
        "SetEnv A\n",
        "NumberOfPasswordPrompts 3\n",
        "NumberOfPasswordPrompts -1\n",
        "RequiredRSASize foo\n",
        "CheckHostIP maybe\n",
        "AddKeysToAgent maybe\n",
        "AddKeysToAgent confirm 5m\n",
        "AddKeysToAgent 1h\n",
        "AddKeysToAgent yes 5m\n",
        "AddKeysToAgent ask x\n",
        "RekeyLimit 1\n",
        "RekeyLimit \"\"\n",
        "IPQoS \"\"\n",
        "AddKeysToAgent \"\"\n",
        "PermitRemoteOpen \"\"\n",
        "CanonicalDomains \"\"\n",
        "SendEnv \"\"\n",
        "TunnelDevice \"\"\n",
        "StreamLocalBindMask \"\"\n",
        "EscapeChar \"\"\n",
        "Host x\n CanonicalizePermittedCNAMEs \"\"\n",
        "SendEnv # x\n",
        "PermitRemoteOpen # x\n",
        "IPQoS # x\n",
        "CanonicalDomains # x\n",
        "RekeyLimit x\n",
        "RekeyLimit 0\n",
        "RekeyLimit 1G 1h\n",
        "RekeyLimit default none\n",
        "RekeyLimit 1.5k\n",
        "RekeyLimit 1KB\n",
        "RekeyLimit -1K\n",
        "RekeyLimit 1G x\n",
        "RekeyLimit 1G 1h x\n",
        "RekeyLimit K\n",
        "RekeyLimit 15\n",
        "RekeyLimit 9E\n",
        "IPQoS foo\n",
        "IPQoS lowdelay throughput\n",
        "IPQoS AF11\n",
        "IPQoS 0x10 255\n",
        "IPQoS 256\n",
        "IPQoS none\n",
        "IPQoS ef ef ef\n",
        "IPQoS 010\n",
        "SendEnv A=B\n",
        "SendEnv LANG -LC_*\n",
        "LocalForward 5432 db\n",
        "LocalForward foo db:5432\n",
        "LocalForward ssh db:ssh\n",
        "LocalForward 5432 db:5432 x\n",
        "LocalForward 0 db:1\n",
        "LocalForward [::1]:5432 [::2]:1\n",
        "LocalForward /a/b /c/d\n",
        "LocalForward 1 /c/d\n",
        "LocalForward a:b:1 c:1\n",
        "LocalForward 127.0.0.1:1 db:1\n",
        "LocalForward 1:db:2 \"\"\n",
        "LocalForward 1 db:2:\n",
        "LocalForward *:1 db:1\n",
        "RemoteForward foo\n",
        "RemoteForward 0\n",
        "RemoteForward 1080\n",
        "RemoteForward 1 db:1\n",
        "RemoteForward 1 db\n",
        "RemoteForward /a db:1\n",
        "RemoteForward a:b\n",
        "DynamicForward foo\n",
        "DynamicForward 1080\n",
        "DynamicForward a:1080\n",
        "DynamicForward a:b:1\n",
        "DynamicForward 1080 x\n",
        "DynamicForward /a/b\n",
        "PermitRemoteOpen foo\n",
        "PermitRemoteOpen any\n",
        "PermitRemoteOpen any x:1\n",
        "PermitRemoteOpen a:1 b:* [::1]:5\n",
        "PermitRemoteOpen a/1\n",
        "Host x\n ConnectionAttempts 0\n",
        "ConnectionAttempts none\n",
        "NumberOfPasswordPrompts none\n",
        "NumberOfPasswordPrompts 0\n",
        "EscapeChar xx\n",
        "EscapeChar ^a\n",
        "EscapeChar ^A\n",
        "EscapeChar none\n",
        "EscapeChar NONE\n",
        "EscapeChar ~\n",
        "TunnelDevice x\n",
        "TunnelDevice any:any\n",
        "TunnelDevice 1:2\n",
        "TunnelDevice 1\n",
        "TunnelDevice :\n",
        "TunnelDevice 2147483647\n",
        "StreamLocalBindMask 999\n",
        "StreamLocalBindMask 0177\n",
        "StreamLocalBindMask 7777\n",
        "StreamLocalBindMask 08\n",
        "StreamLocalBindMask 8\n",
        "CanonicalDomains -x\n",
        "CanonicalDomains a.b c\n",
        "CanonicalDomains none x\n",
        "CanonicalDomains a..b\n",
        "CanonicalDomains a_b.\n",
        "CanonicalizePermittedCNAMEs x\n",
        "Host x\n CanonicalizePermittedCNAMEs a:b *\n",
        "CanonicalizePermittedCNAMEs none\n",
        "Host x\n CanonicalizePermittedCNAMEs a:\n",
        "CanonicalizePermittedCNAMEs none a:b\n",
        "ProxyJump a/\n",
        "ProxyJump a/22\n",
        "ProxyJump ssh://a/\n",
        "ProxyJump ssh://u@a:1\n",
        "ProxyJump ssh://a/b\n",
        "ProxyJump a:ssh\n",
        "Port http\n",
        "Port ssh\n",
        "Port nonsense-here\n",
        "Port +22\n",
        "ForwardX11Timeout none\n",
        "ForwardX11Timeout x\n",
        "User a\0b\nPort 7\n",
        "\0User a\n",
        "KbdInteractiveDevices a b\n",
        "KbdInteractiveDevices a\n",
        "ForwardAgent /x\n",
        "ForwardAgent $X\n",
        "CheckHostIP yes\n",
        "RequiredRSASize none\n",
        "RequiredRSASize +4096\n",
        "RequiredRSASize 4294967295\n",
        "RequiredRSASize 4096\n",
        "RequiredRSASize 0\n",
        "ServerAliveCountMax 0\n",
        "Host x\n MACs foo\n",
        "Host h\n User a\nHost *\n User b\n",
        "Host *  !h\n User a\n",
        "Host H\n User a\n",
        "host=h\nuser=a\n",
        "User = a # comment\n",
        "User \"a b\"\n",
        "User a\\ b\n",
        "User 'a\n",
        "User a b\n",
        "User\n",
        "Port 0\n",
        "Port 65536\n",
        "Port -1\n",
        "Port x\n",
        "Port 22 # x\n",
        "\tPort\t\t7  \r\n",
        "HostName %h.x\n",
        "HostName X.Y\n",
        "IdentityFile a\nIdentityFile b\nIdentityFile a\nIdentityFile none\n",
        "IdentitiesOnly yes\n",
        "IdentitiesOnly YES\n",
        "IdentitiesOnly maybe\n",
        "StrictHostKeyChecking off\n",
        "StrictHostKeyChecking accept-new\n",
        "StrictHostKeyChecking maybe\n",
        "UserKnownHostsFile /a /b \"/c d\"\n",
        "UserKnownHostsFile none\n",
        "UserKnownHostsFile none /a\n",
        "UserKnownHostsFile\n",
        "HostKeyAlias x\n",
        "HostKeyAlias X.y\n",
        "Include ~nobody-here/x ~root/nothing-here\n",
        "ProxyJump a,b\n",
        "ProxyJump none\n",
        "ProxyJump a:x\n",
        "ProxyJump a:0\n",
        "ProxyJump a@b@c:4\n",
        "ProxyCommand nc %h %p\nProxyJump a\n",
        "ProxyJump a\nProxyCommand nc\n",
        "ProxyCommand none\nProxyJump a\n",
        "Nonsense x\n",
        "UseKeychain yes\n",
        "IgnoreUnknown Use*\nUseKeychain yes\n",
        "IgnoreUnknown usekeychain,x\nUseKeychain yes\n",
        "UseKeychain yes\nIgnoreUnknown Use*\n",
        "Host x\n Nonsense y\n",
        "Match all\n User a\n",
        "Match host h\n User a\n",
        "Match host !h\n User a\n",
        "Match host *,!h\n User a\n",
        "Match host h user nobody\n User a\n",
        "HostName x\nMatch host x\n User a\n",
        "HostName x\nMatch host h\n User a\n",
        "HostName x\nMatch originalhost h\n User a\n",
        "Match !host x\n User a\n",
        "Match host H\n User a\n",
        "Match host DB*\n User a\n",
        "Match originalhost H,d*\n User a\n",
        "Match host = h\n User a\n",
        "Match host=h\n User a\n",
        "Match = host h\n User a\n",
        "Match host == h\n User a\n",
        "Match host \"h\" user *\n User a\n",
        "Match host \"h\"user *\n User a\n",
        "Match host 'h'\n User a\n",
        "Match host \"h\n User a\n",
        "Match host h # x\n User a\n",
        "Match host # h\n User a\n",
        "Match all # x\n User a\n",
        "Match !all\n User a\n",
        "Match !!host h\n User a\n",
        "Match host h,\n User a\n",
        "Match canonical\n User a\n",
        "Match final\n HostName 127.0.0.9\n",
        "HostName %h.x\nMatch final\n HostName y\n",
        "HostName %h%%x\nMatch final host *%x\n User a\n",
        "Match canonical\n User a\nMatch final\n Port 7\n",
        "Match !canonical\n User a\nMatch final\n Port 7\n",
        "Match final all\n User a\nMatch !final\n Port 7\n",
        "User a\nMatch user a\n Port 7\n",
        "Match final\n User a\n",
        "Match final all\n User a\n",
        "HostName z\nMatch final host z\n User a\n",
        "Match\n",
        "Match host\n",
        "Match nonsense x\n",
        "Match all host h\n",
        "Match exec true\n Port 22\n",
        "Match localuser nobody-here\n User a\n",
        "Host\n",
        "Include\n",
        "Include /nonexistent/*\n",
        "SendEnv LANG LC_*\nHashKnownHosts yes\nGSSAPIAuthentication yes\n",
        "ForwardAgent yes\nServerAliveInterval 30\nControlMaster auto\nControlPath ~/x-%C\nControlPersist 10m\n",
        "AddKeysToAgent yes\nCompression yes\nLogLevel ERROR\nVisualHostKey no\n",
        "Ciphers aes128-ctr\nMACs hmac-sha2-256\nKexAlgorithms curve25519-sha256\nHostKeyAlgorithms +ssh-rsa\nPubkeyAcceptedKeyTypes +ssh-rsa\n",
        "PreferredAuthentications publickey\nPubkeyAuthentication yes\nPasswordAuthentication no\n",
        "Protocol 2\nRSAAuthentication yes\n",
        "LocalForward 8080 localhost:80\nDynamicForward 1080\n",
        "ConnectTimeout 10\nConnectionAttempts 2\nTCPKeepAlive yes\n",
        "SetEnv A=b C=d\nRequestTTY no\nExitOnForwardFailure yes\n",
        "BatchMode maybe\n",
        "ConnectionAttempts x\n",
        "\"User\" a\n",
        "User==a\n",
        "#x\n  # y\n\nUser a\n",
    ];
    let wrong: Vec<String> = cases
        .iter()
        .flat_map(|text| [ssh_agrees(text, "h"), ssh_agrees(text, "Db1")])
        .filter_map(Result::err)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let line = prop_oneof![
        "Host [hx*?! ]{1,5}",
        "Match (host|!host|originalhost|user|all)[ =]{0,3}[hH=x*!,\"]{0,4}",
        "Match (host|user) [hxHX*]{1,2} ?=?(host|user|all|final|canonical|#) ?[hx*\"]{0,3}",
        "User[ =]{1,2}[ab\"#' ]{1,4}",
        "Port [0-9]{1,5}",
        "HostName (%h|%h\\.x|[a-zA-Z]{1,3})",
        "IdentityFile [a-c]",
        "IdentitiesOnly (yes|no|x)",
        "StrictHostKeyChecking (yes|no|ask|accept-new|x)",
        "ProxyJump [ab,:@0-9]{1,5}",
        "[#a-z ]{0,5}",
    ];
    let text = prop::collection::vec(line, 0..7).prop_map(|lines| lines.join("\n"));
    runner(150)
        .run(&text, |text| {
            ssh_agrees(&text, "h").map_err(TestCaseError::fail)
        })
        .unwrap();
}

/// Of all paths with tokens, `ssh -G` shows those of known_hosts as it uses them.
#[test]
fn paths_are_expanded_as_ssh_expands_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    for (text, fine) in [
        (
            "/%C ~/x ~/%n/%h /%l-%L-%p-%r-%i-%u-%d-%% ~root ~root//y",
            true,
        ),
        ("/%k/%C /%%C ${HOME}/x ~", true),
        ("/%Z", false),
        ("/%", false),
        ("${NOT_SET_HERE}/x", false),
        ("~nobody-here/x", false),
        ("/x\nControlPath ~/%Z", false),
        ("/x\nControlPath ~/%C-%%-%h", true),
        ("/x\nControlPath ~nobody-here/x", false),
        ("/x\nControlPath none", true),
        ("/x\nControlPath ${NOT_SET_HERE}", false),
        ("/x\nConnectionAttempts 0", false),
        ("/x\nConnectionAttempts 2", true),
        ("/x\nHost other\nConnectionAttempts 0\nControlPath %Z", true),
    ] {
        let text = format!("HostName Db.Test\nPort 7\nHostKeyAlias X\nUserKnownHostsFile {text}\n");
        std::fs::write(&config, &text).unwrap();
        let surroundings = System::of_process();
        let user = nix::unistd::User::from_uid(nix::unistd::getuid());
        if surroundings.home != user.unwrap().map(|user| user.dir) {
            return; // ssh does not look at HOME for it
        }
        let args = SshRequest {
            hops: vec!["db".to_owned()],
            config: Some(config.clone()),
            ..SshRequest::default()
        };
        let mut record = StageRecord::new(Stage::Config);
        let ours = ssh::ssh_plan(&args, &surroundings, &mut record);
        assert_eq!(ours.is_ok(), fine, "{text}");
        let Some(theirs) = ssh_g(&config, "db") else {
            return;
        };
        let Ok(Some(plan)) = ours else {
            assert!(theirs.is_empty(), "{text}");
            continue;
        };
        let files = plan.hops[0].known_hosts.iter();
        let files: Vec<_> = files.map(|file| file.display().to_string()).collect();
        assert_eq!(theirs["userknownhostsfile"], [files.join(" ")], "{text}");
    }
}

fn runner(cases: u32) -> TestRunner {
    let set = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    TestRunner::new(Config {
        cases: set.unwrap_or(cases),
        failure_persistence: None,
        ..Config::default()
    })
}

/// Text of the characters that parsers stumble over.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9:/@?#&=%\\[\\]{}$<>'\"\\\\ ,.;!*\n\r\t-]{0,60}",
        1 => "\\PC{0,40}",
        1 => "(postgresql://|jdbc:postgresql://|Host |Match |[A-Z]{1,4}=|\\[s\\]\n|\\*:){1,3}[a-z0-9:/@?#&=%{}$'\"\\\\ ,\n]{0,50}",
        1 => any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

#[test]
fn no_parser_panics() {
    runner(5_000)
        .run(&anything(), |text| {
            let _ = uri::parse(&text);
            let _ = conninfo::parse(&text);
            let _ = parse::read(&text, "TARGET");
            let _ = dotenv::parse(&text, |_| Some("x".to_owned()));
            let _ = service::find(text.as_bytes(), "s");
            let _ = service::names(text.as_bytes());
            let wanted = passfile::PassfileQuery {
                host: "h",
                port: "1",
                dbname: "d",
                user: "u",
            };
            let _ = passfile::find(text.as_bytes(), &wanted);
            let _ = passfile::nearest(text.as_bytes(), &wanted);
            let asked = HostQuery {
                environment: None,
                host: "h",
                user: None,
                local_user: "me",
                uid: 0,
                home: None,
            };
            let _ = ssh_config::lookup_in(&text, &asked);
            let _ = ssh_config::spec(&text);
            let surroundings = System {
                os_user: Some("me".to_owned()),
                vars: [
                    ("PGHOST", &text),
                    ("PGPORT", &text),
                    ("DATABASE_URL", &text),
                ]
                .into_iter()
                .map(|(name, value)| (OsString::from(name), value.into()))
                .collect(),
                ..System::default()
            };
            let _ = probe(Some(&text), &surroundings);
            let _ = probe(None, &surroundings);
            let args = SshRequest {
                hops: vec![text],
                config: Some(PathBuf::from("none")),
                ..SshRequest::default()
            };
            let mut record = StageRecord::new(Stage::Config);
            let _ = ssh::ssh_plan(&args, &surroundings, &mut record);
            Ok(())
        })
        .unwrap();
}

/// Everything that is said about a target, as text.
fn probe(target: Option<&str>, surroundings: &System) -> String {
    let args = Request {
        url: target.map(str::to_owned),
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
        std::time::Instant::now() + std::time::Duration::from_secs(5),
        &mut report,
        &mut record,
        &mut None,
    ));
    let said = |finding: &Finding| {
        format!(
            "{} {:?} {:?}\n",
            finding.summary(),
            finding.evidence,
            finding.fixes()
        )
    };
    let mut text = serde_json::to_string(&report).unwrap();
    text += &record.summary;
    text += &serde_json::to_string(&record.facts).unwrap();
    text.extend(record.all_findings().map(|finding| said(&finding)));
    if let Err(finding) = &verdict {
        text += &said(finding);
    }
    text
}

/// Wherever reserved characters stand in a password, no piece of it is shown.
#[test]
fn no_piece_of_a_password_is_shown() {
    let reserved = || {
        prop::sample::select(vec![
            "@", ":", "/", "#", "?", "%", " ", "&", "=", "[", "]", "$", "\\", "'", ";", ",",
        ])
    };
    let password = (
        prop::option::of(reserved()),
        reserved(),
        prop::option::of(reserved()),
        prop::option::of(reserved()),
    )
        .prop_map(|(a, b, c, d)| {
            let or = |c: Option<&'static str>| c.unwrap_or_default();
            format!("{}c4n4{b}rypw{}c4n4rypw{}", or(a), or(c), or(d))
        });
    let shape = prop::sample::select(vec![
        "postgresql://app:PW@db/app",
        "postgresql://app:PW@db",
        "postgresql://app:PW@db.test:5432/app?sslmode=require",
        "postgres://app:PW@h1:1,h2:2/app",
        "postgresql+asyncpg://app:PW@db/app",
        "app:PW@db/app",
        "postgres:/app:PW@db/app",
        "postgresql://app:PW@${HOST}/app",
        "\"postgresql://app:PW@db/app\"",
    ]);
    let surroundings = System {
        os_user: Some("me".to_owned()),
        ..System::default()
    };
    runner(3_000)
        .run(&(shape, password), |(shape, password)| {
            let target = shape.replace("PW", &password);
            let said = probe(Some(&target), &surroundings);
            prop_assert!(!shows_canary(&said), "{}\n{}", target, said);
            Ok(())
        })
        .unwrap();
}
