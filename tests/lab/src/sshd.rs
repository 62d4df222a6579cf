//! Real SSH servers and agents.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::case::SshRoute;
use crate::certs::write_mode;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::process::{Service, Tool, find_program, is_root};
use crate::proxy::{Peer, Then, free_port};

/// An SSH server to be started.
pub struct SshdBuilder<'a> {
    lab: &'a Lab,
    config: Vec<String>,
    host_keys: Vec<PathBuf>,
    authorized: Option<String>,
    /// Name and address.
    netns: Option<(String, String)>,
    etc: Vec<(String, String)>,
}

impl<'a> SshdBuilder<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        let (config, host_keys, etc) = Default::default();
        SshdBuilder {
            lab,
            config,
            host_keys,
            authorized: None,
            netns: None,
            etc,
        }
    }

    /// A line of `sshd_config`; it comes before the lab's own, and the first one counts.
    pub fn config(mut self, line: &str) -> Self {
        self.config.push(line.to_owned());
        self
    }

    /// A host key's file; a new Ed25519 key otherwise.
    pub fn host_key(mut self, path: impl Into<PathBuf>) -> Self {
        self.host_keys.push(path.into());
        self
    }

    /// The content of `authorized_keys`; [`Lab::client_key`] otherwise.
    pub fn authorized_keys(mut self, lines: impl Into<String>) -> Self {
        self.authorized = Some(lines.into());
        self
    }

    /// Runs inside a network namespace, on its address.
    pub fn netns(mut self, netns: &Netns) -> Self {
        self.netns = Some((netns.name().to_owned(), netns.ip()));
        self
    }

    /// Replaces a file below `/etc`, for this server's eyes only (`shadow`, `pam.d/sshd`);
    /// needs root.
    pub fn etc(mut self, name: &str, content: impl Into<String>) -> Self {
        self.etc.push((name.to_owned(), content.into()));
        self
    }

    /// Accepts a password for root, beside keys; needs root, whose real password is untouched.
    pub fn password(self, password: &str) -> Result<Self> {
        self.account(password, "19000:0:99999:7:::")
    }

    /// The same with what shadow(5) says about the age of password and account, from the date
    /// of the last change on.
    pub fn account(self, password: &str, age: &str) -> Result<Self> {
        let hash = Tool::new("openssl")
            .args(["passwd", "-6", "-stdin"])
            .stdin(password)
            .succeed()?;
        let shadow = fs::read_to_string("/etc/shadow")?;
        let others = shadow.lines().filter(|line| !line.starts_with("root:"));
        let mut lines = vec![format!("root:{}:{age}", hash.trim())];
        lines.extend(others.map(str::to_owned));
        Ok(self
            .etc("shadow", lines.join("\n") + "\n")
            .config("PasswordAuthentication yes"))
    }

    /// Starts it.
    pub fn start(self) -> Result<Sshd> {
        let dir = self.lab.dir("sshd")?;
        let mut host_keys = self.host_keys;
        if host_keys.is_empty() {
            host_keys.push(self.lab.ssh_key("ed25519", "")?);
        }
        let client_key = self.lab.client_key()?;
        let authorized = match self.authorized {
            Some(lines) => lines,
            None => fs::read_to_string(client_key.with_extension("pub"))?,
        };
        write_mode(&dir.join("authorized_keys"), authorized, 0o644)?;

        let port = free_port();
        let host = self
            .netns
            .as_ref()
            .map_or("127.0.0.1".to_owned(), |(_, ip)| ip.clone());
        let mut config = self.config.join("\n");
        config += &format!("\nPort {port}\nListenAddress {host}\nPidFile none\n");
        config += &format!("AuthorizedKeysFile {}/authorized_keys\n", dir.display());
        config += "PermitRootLogin yes\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n";
        config += "KbdInteractiveAuthentication no\nUseDNS no\nLogLevel VERBOSE\n";
        if !config.contains("MaxStartups") {
            config += "MaxStartups 100\n"; // of this one, the last counts
        }
        let mut known_hosts = String::new();
        for key in &host_keys {
            config += &format!("HostKey {}\n", key.display());
            let public = fs::read_to_string(key.with_extension("pub"))?;
            known_hosts += &format!("[{host}]:{port} {public}");
        }
        write_mode(&dir.join("sshd_config"), config, 0o644)?;
        write_mode(&dir.join("known_hosts"), known_hosts, 0o644)?;

        let sshd = find_program("sshd").context("no SSH server is installed")?;
        if is_root() {
            fs::create_dir_all("/run/sshd")?; // sshd insists on it
        }
        let mut tool = Tool::new(sshd.to_string_lossy()).args(["-D", "-e", "-f"]);
        tool = tool.arg(dir.join("sshd_config").display());
        if !self.etc.is_empty() {
            tool = with_own_etc(tool, &dir, &self.etc)?;
        }
        let tool = tool.netns(self.netns.map(|(name, _)| name));
        let service = tool.serve(dir.join("log"), "TERM")?;
        service.wait_ready(|| match tool.netns {
            Some(_) => service.log().contains("Server listening"),
            None => TcpStream::connect((host.as_str(), port)).is_ok(),
        })?;
        Ok(Sshd {
            service,
            dir,
            host,
            port,
            user: self.lab.user()?,
            client_key,
            host_keys,
        })
    }
}

/// Wraps a program so that it sees other files below `/etc`, in a mount namespace of its own.
fn with_own_etc(tool: Tool, dir: &Path, files: &[(String, String)]) -> Result<Tool> {
    let mut script = String::new();
    for (i, (name, content)) in files.iter().enumerate() {
        let own = dir.join(format!("etc-{i}"));
        write_mode(&own, content, 0o600)?;
        script += &format!("mount --bind {} /etc/{name} && ", own.display());
    }
    script += "exec \"$0\" \"$@\"";
    let wrapped = Tool::new("unshare").args(["--mount", "--propagation=private", "sh", "-c"]);
    Ok(wrapped.arg(script).arg(tool.program).args(tool.args))
}

/// A running SSH server.
pub struct Sshd {
    service: Service,
    dir: PathBuf,
    host: String,
    port: u16,
    user: String,
    client_key: PathBuf,
    host_keys: Vec<PathBuf>,
}

impl Sshd {
    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address it listens on.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `ADDRESS:PORT`, for forwards.
    pub fn addr(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `USER@ADDRESS:PORT`, for `--ssh`.
    pub fn destination(&self) -> String {
        format!("{}@{}", self.user, self.addr())
    }

    /// The file that knows its host keys.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// Its first host key; the public half is beside it.
    pub fn host_key(&self) -> &Path {
        &self.host_keys[0]
    }

    /// The way in that works: through this server, with the lab's key.
    pub fn route(&self) -> SshRoute {
        SshRoute::new(&self.destination())
            .key(&self.client_key)
            .known_hosts(self.known_hosts())
    }

    /// The way in by a peer that stands in front of it, known by this server's key.
    pub fn route_by(&self, lab: &Lab, peer: &Peer) -> Result<SshRoute> {
        self.route_by_port(lab, peer.port())
    }

    /// The same by whatever listens on this port.
    pub fn route_by_port(&self, lab: &Lab, port: u16) -> Result<SshRoute> {
        let key = fs::read_to_string(self.host_key().with_extension("pub"))?;
        let known = format!("[127.0.0.1]:{port} {key}");
        let mut route = self
            .route()
            .known_hosts(lab.file("known_hosts", known, 0o644)?);
        route.hops = vec![format!("{}@127.0.0.1:{port}", self.user)];
        Ok(route)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.service.log()
    }

    /// What kills it with all its sessions, as the system does that runs out of memory.
    pub fn killer(&self) -> impl Fn() -> Then + Send + Sync + 'static {
        let pid = self.service.pid();
        move || {
            descendants(pid).into_iter().for_each(kill);
            Then::Pass
        }
    }

    /// What kills its sessions alone, as an administrator does (`pkill -u`).
    pub fn session_killer(&self) -> impl Fn() -> Then + Send + Sync + 'static {
        let pid = self.service.pid();
        move || {
            let sessions = descendants(pid).into_iter().filter(|&child| child != pid);
            sessions.for_each(kill);
            Then::Pass
        }
    }

    /// Stops it; the port then refuses.
    pub fn stop(&self) {
        self.service.stop();
    }
}

/// A process and all that come from it.
fn descendants(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut parents: Vec<(u32, u32)> = processes
        .filter_map(|entry| {
            let child: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
            Some((child, parent.parse().ok()?))
        })
        .collect();
    loop {
        let before = family.len();
        parents.retain(|(child, parent)| {
            let of_it = family.contains(parent);
            if of_it {
                family.push(*child);
            }
            !of_it
        });
        if family.len() == before {
            return family;
        }
    }
}

fn kill(pid: u32) {
    let _ = Tool::new("kill").args(["-KILL"]).arg(pid).succeed();
}

/// A running SSH agent.
pub struct Agent {
    _service: Service,
    socket: PathBuf,
}

impl Agent {
    /// An agent without keys.
    pub fn start(lab: &Lab) -> Result<Self> {
        let dir = lab.dir("agent")?;
        let socket = dir.join("sock");
        let tool = Tool::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(socket.display());
        let service = tool.serve(dir.join("log"), "TERM")?;
        // The file is there a moment before anybody listens.
        service.wait_ready(|| UnixStream::connect(&socket).is_ok())?;
        Ok(Agent {
            _service: service,
            socket,
        })
    }

    /// Gives it a key that has no passphrase.
    pub fn add(&self, key: &Path) -> Result<()> {
        self.tool("ssh-add")
            .arg("-q")
            .arg(key.display())
            .succeed()?;
        Ok(())
    }

    /// Locks it: it then says that it has no keys.
    pub fn lock(&self, lab: &Lab) -> Result<()> {
        let ask = lab.file("askpass", "#!/bin/sh\necho lock\n", 0o755)?;
        self.tool("ssh-add")
            .args(["-q", "-x"])
            .env("SSH_ASKPASS", ask.display())
            .env("SSH_ASKPASS_REQUIRE", "force")
            .succeed()?;
        Ok(())
    }

    /// Its socket, for `SSH_AUTH_SOCK`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn tool(&self, program: &str) -> Tool {
        Tool::new(program).env("SSH_AUTH_SOCK", self.socket.display())
    }
}
