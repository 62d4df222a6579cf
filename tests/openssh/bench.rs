//! The servers, keys and agents of all configurations.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use dbdoctor_lab::{Agent, Lab, Postgres, Sshd, Tool};

/// Passes standard input and output on to `HOST PORT`, as `nc` does.
const RELAY: &str = r#"#!/usr/bin/python3 -IS
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while True:
    data = s.recv(65536)
    if not data:
        break
    os.write(1, data)
"#;

/// What every configuration leads to, or could.
pub struct Bench<'a> {
    /// Where all files are.
    pub lab: &'a Lab,
    /// The database, at the far end.
    pub pg: Arc<Postgres>,
    /// The server to get through; it has an Ed25519 key with a certificate, an ECDSA and an RSA
    /// key.
    pub sshd: Sshd,
    /// A server to jump from, with an Ed25519 key.
    pub jump: Sshd,
    /// The key that both accept.
    pub key: PathBuf,
    /// The same key with the passphrase `lock`.
    pub locked: PathBuf,
    /// A key that neither accepts.
    pub stranger: PathBuf,
    /// More of that kind.
    pub wrong: Vec<PathBuf>,
    /// The authority of the host certificate.
    pub authority: PathBuf,
    /// An agent with the key.
    pub agent: Agent,
    /// An agent with the other key.
    pub other_agent: Agent,
    /// An agent without keys.
    pub empty_agent: Agent,
    /// A program in the place of `nc`.
    pub relay: PathBuf,
    /// A port where nobody listens.
    pub closed: u16,
}

impl<'a> Bench<'a> {
    /// Starts all of it.
    pub fn new(lab: &'a Lab) -> Result<Self> {
        let key = lab.client_key()?;
        let locked = lab.dir("locked")?.join("id");
        fs::copy(&key, &locked)?;
        fs::copy(key.with_extension("pub"), locked.with_extension("pub"))?;
        let lock = Tool::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "lock", "-f"]);
        lock.arg(locked.display()).succeed()?;
        let stranger = lab.ssh_key("ed25519", "")?;
        let authority = lab.ssh_key("ed25519", "")?;
        let host_key = lab.ssh_key("ed25519", "")?;
        let certify = Tool::new("ssh-keygen")
            .args(["-q", "-h", "-I", "host", "-n", "127.0.0.1,localhost,named"])
            .arg("-s")
            .arg(authority.display());
        certify
            .arg(host_key.with_extension("pub").display())
            .succeed()?;
        let certificate = host_key.with_file_name("id-cert.pub");
        let sshd = lab
            .new_sshd()
            .config(&format!("HostCertificate {}", certificate.display()))
            .host_key(&host_key)
            .host_key(lab.ssh_key("ecdsa", "")?)
            .host_key(lab.ssh_key("rsa", "")?)
            .start()?;
        let agents = [Agent::start(lab)?, Agent::start(lab)?, Agent::start(lab)?];
        agents[0].add(&key)?;
        agents[1].add(&stranger)?;
        let [agent, other_agent, empty_agent] = agents;
        Ok(Bench {
            lab,
            pg: lab.postgres()?,
            sshd,
            jump: lab.new_sshd().start()?,
            key,
            locked,
            stranger,
            wrong: (0..7)
                .map(|_| lab.ssh_key("ed25519", ""))
                .collect::<Result<_>>()?,
            authority,
            agent,
            other_agent,
            empty_agent,
            relay: lab.file("relay", RELAY, 0o755)?,
            closed: dbdoctor_lab::free_port(),
        })
    }

    /// `TYPE KEY` of the server's first host keys: Ed25519, ECDSA, RSA.
    pub fn host_key(&self, which: usize) -> Result<String> {
        let known = fs::read_to_string(self.sshd.known_hosts())?;
        let line = known.lines().nth(which).unwrap_or_default();
        Ok(line.split_once(' ').unwrap_or_default().1.to_owned())
    }

    /// The same in a line for a name that is hashed.
    pub fn hashed(&self, name: &str, which: usize) -> Result<String> {
        let file = self.lab.file(
            "known",
            format!("{name} {}\n", self.host_key(which)?),
            0o600,
        )?;
        let hash = Tool::new("ssh-keygen").args(["-q", "-H", "-f"]);
        hash.arg(file.display()).succeed()?;
        Ok(fs::read_to_string(file)?.trim_end().to_owned())
    }

    /// A private key that neither server accepts, one of several.
    pub fn wrong_key(&self, which: usize) -> Result<Vec<u8>> {
        Ok(fs::read(&self.wrong[which])?)
    }

    /// `[NAME]:PORT` of the server.
    pub fn name(&self, name: &str) -> String {
        format!("[{name}]:{}", self.sshd.port())
    }
}

/// `TYPE KEY` of a key's public half.
pub fn public(key: &Path) -> Result<String> {
    let text = fs::read_to_string(key.with_extension("pub"))?;
    Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" "))
}
