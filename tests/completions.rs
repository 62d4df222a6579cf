//! Completions in the shells themselves: each reads the script of `dbdoctor completions` and is
//! typed at on a terminal; what it makes of a line is the arguments that a stand-in notes.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use tempfile::TempDir;

/// What is typed before TAB, and the arguments that it becomes.
const LINES: &[(&str, &[&str])] = &[
    ("stre", &["stress"]),
    ("check --deadl", &["check", "--deadline"]),
    ("check --format js", &["check", "--format", "json"]),
    ("check --format=js", &["check", "--format=json"]),
    ("explain tls.cert.hostn", &["explain", "tls.cert.hostname"]),
    ("check --as asy", &["check", "--as", "asyncpg"]),
    ("check --as=pgj", &["check", "--as=pgjdbc"]),
    (
        "check --as tokio-postgres/ru",
        &["check", "--as", "tokio-postgres/rustls"],
    ),
    (
        "tunnel --ssh-config ssh_config --ssh bast",
        &[
            "tunnel",
            "--ssh-config",
            "ssh_config",
            "--ssh",
            "bastion.example.com",
        ],
    ),
    (
        "tunnel --ssh-config=ssh_config --ssh ops@inn",
        &["tunnel", "--ssh-config=ssh_config", "--ssh", "ops@inner"],
    ),
    (
        "check --ssh-config ssh_config --ssh ops@bastion,inn",
        &[
            "check",
            "--ssh-config",
            "ssh_config",
            "--ssh",
            "ops@bastion,inner",
        ],
    ),
    ("check service=ord", &["check", "service=orders"]),
    ("check -d service=ord", &["check", "-d", "service=orders"]),
    (
        "check --host db sslmode=verify-f",
        &["check", "--host", "db", "sslmode=verify-full"],
    ),
    (
        "check 'host=db sslmode=verify-f",
        &["check", "host=db sslmode=verify-full"],
    ),
    (
        "check \"host=db service=ord",
        &["check", "host=db service=orders"],
    ),
    ("key work", &["key", "work key"]),
    ("key keys/dep", &["key", "keys/deploy"]),
    (
        "check --ssh-key keys/dep",
        &["check", "--ssh-key", "keys/deploy"],
    ),
    ("check --env-file .en", &["check", "--env-file", ".env"]),
    ("man sock", &["man", "sockets"]),
    ("check --color al", &["check", "--color", "always"]),
];

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";

/// A folder with what can be completed, and a stand-in for dbdoctor that notes its arguments.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["bin", "home", "keys", "conf.d"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(
        at("ssh_config"),
        format!(
            "Host bastion.example.com *.internal\n Include {}/*\nMatch exec \"touch {}\"\n",
            at("conf.d").display(),
            at("ran").display()
        ),
    )
    .unwrap();
    fs::write(at("conf.d/more"), "Host inner !outer\n").unwrap();
    fs::write(at("services"), "[orders]\nhost=db\n").unwrap();
    fs::write(at("work key"), KEY).unwrap();
    fs::write(at("work.pub"), "ssh-ed25519 AAAA").unwrap();
    fs::write(at("keys/deploy"), KEY).unwrap();
    fs::write(at("keys/deploy.pub"), "ssh-ed25519 AAAA").unwrap();
    fs::write(at(".env"), "").unwrap();
    let stand_in = format!(
        "#!/bin/sh\n[ -z \"$DBDOCTOR_COMPLETE\" ] || exec '{}' \"$@\"\n\
         printf '<%s>' \"$@\" >>'{}'\necho >>'{1}'\n",
        env!("CARGO_BIN_EXE_dbdoctor"),
        at("noted").display()
    );
    fs::write(at("bin/dbdoctor"), stand_in).unwrap();
    fs::set_permissions(at("bin/dbdoctor"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A shell on a terminal.
struct Shell {
    keyboard: fs::File,
    _terminal: OwnedFd,
    child: Child,
    noted: PathBuf,
    lines: usize,
}

impl Shell {
    fn start(folder: &Path, words: &[&str]) -> Self {
        let pty = openpty(None, None).unwrap();
        let keyboard = fs::File::from(pty.master);
        let side = || pty.slave.try_clone().unwrap();
        let child = Command::new("setsid")
            .arg("--ctty")
            .args(words)
            .env_clear()
            .env("HOME", folder.join("home"))
            .env("ZDOTDIR", folder.join("home"))
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", folder.join("bin").display()),
            )
            .env("PGSERVICEFILE", folder.join("services"))
            .env("PGSYSCONFDIR", folder)
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(folder)
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let mut from = keyboard.try_clone().unwrap();
        let screen = folder.join("screen");
        std::thread::spawn(move || {
            let mut screen = fs::File::create(screen).unwrap();
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut bytes) {
                screen.write_all(&bytes[..n]).unwrap();
            }
        });
        Self {
            keyboard,
            _terminal: pty.slave,
            child,
            noted: folder.join("noted"),
            lines: 0,
        }
    }

    /// Types a line and waits for what the stand-in notes.
    fn line(&mut self, keys: &str) -> String {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let noted = fs::read_to_string(&self.noted).unwrap_or_default();
            if let Some(line) = noted.lines().nth(self.lines) {
                self.lines += 1;
                return line.to_owned();
            }
            if Instant::now() > end {
                let screen = self.noted.with_file_name("screen");
                let screen = fs::read(screen).unwrap_or_default();
                panic!(
                    "{keys:?} led to nothing: {}",
                    String::from_utf8_lossy(&screen)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Types every line at a shell that reads our script in this way.
fn completes(name: &str, words: &[&str], set_up: impl Fn(&Path) -> String) {
    let folder = folder();
    let script = Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
        .args(["completions", name])
        .output()
        .unwrap();
    assert!(script.status.success());
    let path = folder.path().join("home/_dbdoctor");
    fs::write(&path, script.stdout).unwrap();
    let mut shell = Shell::start(folder.path(), words);
    assert_eq!(shell.line(&set_up(&path)), "<ready>");
    let mut wrong = Vec::new();
    for (typed, arguments) in LINES {
        let wanted: String = arguments.iter().map(|it| format!("<{it}>")).collect();
        let made = shell.line(&format!("dbdoctor {typed}\t\n"));
        if made != wanted {
            wrong.push(format!("{typed}: {made}"));
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(!folder.path().join("ran").exists(), "Match exec was run");
}

#[test]
fn bash() {
    completes("bash", &["bash", "--norc", "--noprofile", "-i"], |script| {
        format!("source '{}'; dbdoctor ready\n", script.display())
    });
}

#[test]
fn zsh() {
    // As an installed script is loaded: from a folder of fpath, at the first TAB.
    completes("zsh", &["zsh", "-f", "-i"], |script| {
        let folder = script.parent().unwrap().display();
        format!("fpath=('{folder}' $fpath); autoload -U compinit; compinit -D -u; dbdoctor ready\n")
    });
}

#[test]
fn fish() {
    completes("fish", &["fish", "--no-config", "-i"], |script| {
        format!("source '{}'; dbdoctor ready\n", script.display())
    });
}
