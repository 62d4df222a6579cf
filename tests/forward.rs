//! A forward that dies of a reset, as `kubectl port-forward` does (kubernetes/kubectl#1169),
//! outlives every command: connections are left in order, whatever became of them.

#[path = "common/trials.rs"]
mod trials;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use dbdoctor_lab::{Conn, Lab, Need, Postgres};

const TRIALS: &[trials::Named<Lab>] = &[
    ("psql_may_kill_it", |lab| {
        // What the others are to be told from: this forward does die.
        let server = lab.postgres()?;
        let forward = Forward::to(server.port())?;
        let mut psql = Command::new("psql");
        let conn = forward.conn(&server).set("password", lab.password());
        psql.args(["-Atc", "select 1", &conn.to_string()]);
        ensure!(psql.stdin(Stdio::null()).output()?.status.success(), "psql");
        let abrupt = TcpStream::connect(("127.0.0.1", forward.port))?;
        socket2::SockRef::from(&abrupt).set_linger(Some(Duration::ZERO))?;
        drop(abrupt);
        thread::sleep(Duration::from_millis(100));
        ensure!(forward.survives().is_err(), "a reset went unseen");
        Ok(())
    }),
    ("check", |lab| outlives(lab, &["check"], &[], 0)),
    ("check_in_clear", |lab| {
        outlives(lab, &["check"], &[("sslmode", "disable")], 0)
    }),
    ("check_verifying", |lab| {
        let root = lab.ca_file().display().to_string();
        let full = [("sslmode", "verify-full"), ("sslrootcert", &root)];
        outlives(lab, &["check"], &full, 0)
    }),
    ("certificate_refused", |lab| {
        let root = lab.ca_file().display().to_string();
        let full = [
            ("sslmode", "verify-full"),
            ("sslrootcert", root.as_str()),
            ("host", "other.test"),
            ("hostaddr", "127.0.0.1"),
        ];
        outlives(lab, &["check"], &full, 1)
    }),
    ("password_wrong", |lab| {
        outlives(lab, &["check"], &[("password", "wr0ng-canary")], 1)
    }),
    ("password_missing", |lab| {
        outlives(lab, &["check", "-w"], &[("password", "")], 1)
    }),
    ("database_missing", |lab| {
        outlives(lab, &["check"], &[("dbname", "nowhere")], 1)
    }),
    ("only_tls", |lab| outlives(lab, &["tls"], &[], 0)),
    ("only_auth", |lab| outlives(lab, &["auth"], &[], 0)),
    ("second_opinion", |lab| {
        outlives(lab, &["tls", "--second-opinion"], &[], 0)
    }),
    ("stress", |lab| {
        let stress = ["stress", "--attempts", "6", "--concurrency", "2"];
        outlives(lab, &stress, &[], 0)
    }),
    ("idle", |lab| {
        outlives(lab, &["idle", "--for", "1s"], &[], 0)
    }),
    ("the_command_after_a_wait_finds_it", |lab| {
        let server = lab.postgres()?;
        let forward = Forward::to(server.port())?;
        let conn = forward.conn(&server);
        let told = run(
            lab,
            &["check", "--wait", "5s", &conn.to_string(), "--", "true"],
        )?;
        ensure!(told.status.code() == Some(0), "{told:?}");
        // At once: the session was over before the command began.
        forward.survives()
    }),
];

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres]), TRIALS);
}

/// Runs dbdoctor over a new forward, which must be there afterwards.
fn outlives(lab: &Lab, args: &[&str], settings: &[(&str, &str)], status: i32) -> Result<()> {
    let server = lab.postgres()?;
    let forward = Forward::to(server.port())?;
    let mut conn = forward.conn(&server);
    for (name, value) in settings {
        conn = conn.set(name, value);
    }
    let conn = conn.to_string();
    let mut all = args.to_vec();
    all.push(&conn);
    let told = run(lab, &all)?;
    ensure!(told.status.code() == Some(status), "{told:?}");
    thread::sleep(Duration::from_millis(300));
    forward.survives()
}

fn run(lab: &Lab, args: &[&str]) -> Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", lab.dir("home")?)
        .env("PGPASSWORD", lab.password())
        .stdin(Stdio::null());
    Ok(command.output()?)
}

/// A forward that takes any reset, of either end, for its own end.
struct Forward {
    port: u16,
    died: Arc<Mutex<Option<String>>>,
}

impl Forward {
    fn to(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let died = Arc::new(Mutex::new(None));
        let told = Arc::clone(&died);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    return;
                };
                let ways = [
                    ("client", client.try_clone(), server.try_clone()),
                    ("server", server.try_clone(), client.try_clone()),
                ];
                for (end, from, to) in ways {
                    let (Ok(from), Ok(to)) = (from, to) else {
                        return;
                    };
                    let told = Arc::clone(&told);
                    thread::spawn(move || copy(end, from, to, &told));
                }
            }
        });
        Ok(Forward { port, died })
    }

    fn conn(&self, server: &Postgres) -> Conn {
        server.conn().set("port", self.port)
    }

    fn survives(&self) -> Result<()> {
        let died = self.died.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
        ensure!(died.is_none(), "the forward died: {died:?}");
        Ok(())
    }
}

fn copy(end: &str, mut from: TcpStream, mut to: TcpStream, died: &Mutex<Option<String>>) {
    let mut buffer = [0; 16 * 1024];
    let error = loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(read) => {
                if let Err(error) = to.write_all(&buffer[..read]) {
                    break error;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    if let Ok(mut died) = died.lock() {
        died.get_or_insert(format!("from the {end}: {error}"));
    }
}
