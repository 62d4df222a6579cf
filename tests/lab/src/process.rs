//! Programs the lab runs: to the end (clients) or in the background (servers).
//!
//! Nothing outlives the lab: a [`Service`] is stopped by its id when dropped, and the kernel
//! kills it should the lab itself be killed.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Where programs are looked for; servers live in `sbin`.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program with everything needed to run it. The environment starts empty but for `PATH` and
/// `LC_ALL`, so that nothing of the developer's own settings leaks into a scenario.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Program name or path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside `PATH` and `LC_ALL`.
    pub env: Vec<(String, String)>,
    /// The network namespace to run in.
    pub netns: Option<String>,
    /// The operating-system user to run as; needs root.
    pub user: Option<String>,
    /// The user database that it sees, in a mount namespace of its own; needs root.
    pub passwd: Option<PathBuf>,
    /// The working directory.
    pub cwd: Option<PathBuf>,
    /// What it reads on standard input; nothing by default.
    pub stdin: Option<String>,
}

impl Tool {
    /// A program without arguments.
    pub fn new(program: impl Into<String>) -> Self {
        Tool {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            netns: None,
            user: None,
            passwd: None,
            cwd: None,
            stdin: None,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl fmt::Display) -> Self {
        self.args.push(arg.to_string());
        self
    }

    /// Adds arguments.
    pub fn args<A: fmt::Display>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.to_string()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// Runs as this operating-system user, where the lab is root and can choose.
    pub fn user(mut self, user: &str) -> Self {
        self.user = is_root().then(|| user.to_owned());
        self
    }

    /// Runs inside a network namespace.
    pub fn netns(mut self, name: Option<String>) -> Self {
        self.netns = name;
        self
    }

    /// Gives it something to read.
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Runs it to its end and fails unless it succeeds.
    pub fn succeed(&self) -> Result<String> {
        let done = self.run(Duration::from_secs(60))?;
        if done.status != Some(0) {
            bail!("{self}: {done}");
        }
        Ok(done.stdout)
    }

    /// Runs it to its end, or until the time is up.
    pub fn run(&self, limit: Duration) -> Result<Finished> {
        let started = Instant::now();
        let mut child = self
            .command(&["setsid"]) // a session of its own: no terminal to prompt on
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.program))?;
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), self.stdin.clone()) {
            thread::spawn(move || stdin.write_all(text.as_bytes()));
        }
        let (tell, texts) = mpsc::channel();
        read_all(child.stdout.take(), false, tell.clone());
        read_all(child.stderr.take(), true, tell);

        let status = wait_until(&mut child, started + limit)?;
        if status.is_none() {
            // A session leader's id is its group's: whatever it started goes with it.
            let _ = signal("KILL", &format!("-{}", child.id()));
            child.wait()?;
        }
        let elapsed = started.elapsed();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        // A background process that inherited the pipes must not hold us up.
        while let Ok((is_stderr, text)) = texts.recv_timeout(Duration::from_secs(2)) {
            *(if is_stderr { &mut stderr } else { &mut stdout }) = text;
        }
        Ok(Finished {
            status: status.and_then(|s| s.code().or(s.signal().map(|n| 128 + n))),
            stdout,
            stderr,
            elapsed,
        })
    }

    /// Starts it in the background, its output going to `log`; stopped by `stop_signal`.
    pub fn serve(&self, log: PathBuf, stop_signal: &'static str) -> Result<Service> {
        let out = File::create(&log)?;
        let mut command = self.command(&["setpriv", "--pdeathsig", "KILL"]);
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let child = spawn_from_lasting_thread(command)
            .with_context(|| format!("cannot start {}", self.program))?;
        Ok(Service {
            name: self.program.clone(),
            pid: child.id(),
            child: Mutex::new(child),
            log,
            stop_signal,
        })
    }

    fn words(&self, first: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |more: &[&str]| words.extend(more.iter().map(|w| w.to_string()));
        if let Some(netns) = &self.netns {
            add(&["ip", "netns", "exec", netns]);
        }
        if let Some(passwd) = &self.passwd {
            let script = "mount --bind \"$0\" /etc/passwd && exec \"$@\"";
            add(&["unshare", "--mount", "--propagation=private"]);
            add(&["sh", "-c", script, &passwd.to_string_lossy()]);
        }
        if let Some(user) = &self.user {
            let group = primary_group(user);
            // A number need not be anybody's.
            let groups = match user.bytes().all(|b| b.is_ascii_digit()) {
                true => "--clear-groups",
                false => "--init-groups",
            };
            add(&["setpriv", "--reuid", user, "--regid", &group, groups]);
        }
        add(first); // innermost: a change of user clears the death signal
        add(&[&self.program]);
        words.extend(self.args.iter().cloned());
        words
    }

    /// The command itself, for those who run it in their own way.
    pub(crate) fn command(&self, first: &[&str]) -> Command {
        let words = self.words(first);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear();
        command.env("PATH", PATH).env("LC_ALL", "C.UTF-8");
        command.envs(self.env.iter().cloned());
        command.current_dir(self.cwd.as_deref().unwrap_or(Path::new("/")));
        command
    }
}

/// A line that can be pasted into a shell.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cwd) = &self.cwd {
            write!(f, "cd {} && ", quote(&cwd.to_string_lossy()))?;
        }
        write!(f, "env -i PATH=\"$PATH\"")?;
        for (name, value) in &self.env {
            write!(f, " {name}={}", quote(value))?;
        }
        for word in self.words(&[]) {
            write!(f, " {}", quote(&word))?;
        }
        Ok(())
    }
}

/// What came of a program that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Exit status (128 + n for a signal), or `None` when it was stopped at the time limit.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "status {status}")?,
            None => write!(f, "stopped at the time limit")?,
        }
        write!(
            f,
            " after {:?}\n{}\n{}",
            self.elapsed,
            self.stdout.trim_end(),
            self.stderr.trim_end()
        )
    }
}

/// A program running in the background, stopped when dropped.
pub struct Service {
    name: String,
    pid: u32,
    child: Mutex<Child>,
    log: PathBuf,
    stop_signal: &'static str,
}

impl Service {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(name, &self.pid.to_string())
    }

    /// Waits until `ready` says so; fails when the program ends first, or after 30 seconds.
    pub fn wait_ready(&self, ready: impl Fn() -> bool) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if let Some(status) = self.lock().try_wait()? {
                bail!("{} ended at once ({status}):\n{}", self.name, self.log());
            }
            if ready() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!(
            "{} is not ready after 30 seconds:\n{}",
            self.name,
            self.log()
        )
    }

    /// Stops it, first politely.
    pub fn stop(&self) {
        let mut child = self.lock();
        if let Ok(None) = child.try_wait() {
            let _ = self.signal(self.stop_signal);
            if let Ok(None) = wait_until(&mut child, Instant::now() + Duration::from_secs(6)) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether the lab runs as root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0))
}

/// The name of the user the lab runs as.
pub fn current_user() -> String {
    let name = Tool::new("id").arg("-un").succeed().unwrap_or_default();
    name.trim().to_owned()
}

/// Finds a program on [`PATH`].
pub fn find_program(name: &str) -> Option<PathBuf> {
    PATH.split(':')
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

/// Quotes a word for a shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn signal(name: &str, pid: &str) -> Result<()> {
    let status = Command::new("kill")
        .args(["-s", name, "--", pid])
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "cannot signal {pid}");
    Ok(())
}

fn primary_group(user: &str) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let fields = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let group = fields
        .filter(|f| f.len() > 3 && f[0] == user)
        .map(|f| f[3].to_owned())
        .next();
    group.unwrap_or_else(|| user.to_owned())
}

fn wait_until(child: &mut Child, end: Instant) -> Result<Option<std::process::ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn read_all(
    pipe: Option<impl Read + Send + 'static>,
    is_stderr: bool,
    tell: mpsc::Sender<(bool, String)>,
) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = tell.send((is_stderr, String::from_utf8_lossy(&bytes).into_owned()));
    });
}

/// The kernel's death signal is tied to the *thread* that started a process, and test threads
/// come and go; this one stays as long as the lab's process does.
fn spawn_from_lasting_thread(command: Command) -> Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static ORDERS: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, result) = mpsc::channel();
    orders
        .lock()
        .unwrap_or_else(|e| e.into_inner())
        .send((command, answer))?;
    Ok(result.recv()??)
}
