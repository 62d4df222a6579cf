//! What is asked on a terminal: the question stays there while a person types, and every way out
//! gives the terminal back as it was.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

/// dbdoctor on a terminal of its own.
struct Session {
    keyboard: File,
    terminal: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Session {
    fn start(args: &[&str]) -> Self {
        let pty = openpty(None, None).unwrap();
        let keyboard = File::from(pty.master);
        let side = || pty.slave.try_clone().unwrap();
        let child = Command::new("setsid")
            // Whoever runs the tests may ignore signals (nohup), which is inherited.
            .args(["--ctty", "env", "--default-signal"])
            .arg(env!("CARGO_BIN_EXE_dbdoctor"))
            .args(args)
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut from) = (Arc::clone(&screen), keyboard.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut bytes) {
                seen.lock().unwrap().extend(&bytes[..n]);
            }
        });
        Self {
            keyboard,
            terminal: pty.slave,
            screen,
            child,
        }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    fn echoes(&self) -> bool {
        let settings = tcgetattr(&self.terminal).unwrap();
        settings.local_flags.contains(LocalFlags::ECHO)
    }

    /// Waits for a question, which then stays the last thing on the screen.
    fn asked(&self, question: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.screen().contains(question) {
            assert!(Instant::now() < end, "no {question:?}: {:?}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(600));
        let screen = self.screen();
        assert!(screen.ends_with(question), "{screen:?}");
        assert!(!self.echoes(), "what is typed at {question:?} is shown");
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn is_told(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the end, after which what is typed is shown again.
    fn ended(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("it does not end: {:?}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(self.echoes(), "the terminal is left without echo");
        std::thread::sleep(Duration::from_millis(200));
        (status, self.screen())
    }
}

/// A server that asks for a password in clear, after a while.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = [0; 1024];
                let _ = client.read(&mut bytes);
                std::thread::sleep(Duration::from_millis(400));
                let _ = client.write_all(b"R\0\0\0\x08\0\0\0\x03");
                while let Ok(1..) = client.read(&mut bytes) {}
            });
        }
    });
    port
}

/// Every question, by the arguments that lead to it.
fn questions(all: impl Fn(&[&str], &str)) {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "s3cr3t", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    let key = key.to_str().unwrap();
    let port = server().to_string();
    let target = [
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "app",
        "-d",
        "sslmode=disable",
    ];
    all(&[&["check", "-W"], &target[..]].concat(), "Password: ");
    all(
        &[&["check"], &target[..]].concat(),
        "Password for role app: ",
    );
    all(
        &["key", key],
        &format!("Enter passphrase for key '{key}': "),
    );
}

#[test]
fn a_question_stays_and_every_signal_gives_the_terminal_back() {
    questions(|args, question| {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let session = Session::start(args);
            session.asked(question);
            session.is_told(signal);
            let (status, screen) = session.ended();
            assert_eq!(status.code(), Some(130), "{args:?} {signal}: {screen}");
            assert!(
                screen.contains("Interrupted"),
                "{args:?} {signal}: {screen}"
            );
        }
    });
}

#[test]
fn ctrl_c_at_a_question_gives_the_terminal_back() {
    questions(|args, question| {
        let mut session = Session::start(args);
        session.asked(question);
        session.types("s3cr3t\x03");
        let (status, screen) = session.ended();
        assert_eq!(status.code(), Some(130), "{args:?}: {screen}");
        assert!(!screen.contains("s3cr3t"), "{screen}");
    });
}

#[test]
fn the_deadline_ends_a_question() {
    questions(|args, question| {
        let session = Session::start(&[args, &["--deadline", "2s"]].concat());
        session.asked(question);
        let (status, screen) = session.ended();
        assert_eq!(status.code(), Some(1), "{args:?}: {screen}");
    });
}

#[test]
fn an_answer_is_taken_and_not_shown() {
    questions(|args, question| {
        let mut session = Session::start(&[args, &["--deadline", "3s"]].concat());
        session.asked(question);
        session.types("s3cr3t\n");
        let (_, screen) = session.ended();
        assert!(!screen.contains("s3cr3t"), "{args:?}: {screen}");
        assert_eq!(screen.matches(question).count(), 1, "{screen}");
    });
}

#[test]
fn nothing_is_asked_from_the_background() {
    // timeout(1) takes what it runs out of the foreground.
    let pty = openpty(None, None).unwrap();
    let side = || pty.slave.try_clone().unwrap();
    let began = Instant::now();
    let script = "timeout 15 \"$0\" check -W -h 127.0.0.1 -p 1; exit $?";
    let status = Command::new("setsid")
        .args(["--ctty", "sh", "-c", script])
        .arg(env!("CARGO_BIN_EXE_dbdoctor"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(side())
        .stdout(side())
        .stderr(side())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(10));
}
