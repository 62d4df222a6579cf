//! One configuration with its surroundings: at first one that gets through.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dbdoctor_lab::{Tool, write_mode};

use crate::bench::Bench;
use crate::dice::Dice;

/// A configuration in the making.
pub struct Draft {
    /// The home of the user database.
    pub home: PathBuf,
    /// What `HOME` says.
    pub variable: PathBuf,
    /// The host that is asked for.
    pub alias: String,
    /// Whether the file is named on the command line; else it is `~/.ssh/config`.
    pub named: bool,
    /// The mode of the configuration file.
    pub mode: u32,
    /// The lines before the host's block.
    pub before: Vec<String>,
    /// How the block begins.
    pub opening: String,
    /// Its settings.
    pub settings: Vec<(String, String)>,
    /// The lines behind it.
    pub after: Vec<String>,
    /// The file that the block is put in, included by the line that goes in its place.
    pub included: Option<(PathBuf, String)>,
    /// The known_hosts file's lines.
    pub known: Vec<String>,
    /// Further environment.
    pub env: Vec<(String, String)>,
    passwd: PathBuf,
    files: usize,
}

impl Draft {
    /// One that gets through.
    pub fn new(bench: &Bench) -> Result<Self> {
        let home = bench.lab.dir("home")?;
        fs::create_dir(home.join(".ssh"))?;
        let passwd = bench.lab.dir("passwd")?.join("passwd");
        let known = (0..3)
            .map(|which| {
                Ok(format!(
                    "{} {}",
                    bench.name("127.0.0.1"),
                    bench.host_key(which)?
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let known_hosts = home.join("known");
        let settings = [
            ("HostName", "127.0.0.1".to_owned()),
            ("Port", bench.sshd.port().to_string()),
            ("User", bench.lab.user()?),
            ("IdentityFile", bench.key.display().to_string()),
            ("UserKnownHostsFile", known_hosts.display().to_string()),
            ("GlobalKnownHostsFile", "/dev/null".to_owned()),
        ];
        let settings = settings
            .map(|(key, value)| (key.to_owned(), value))
            .to_vec();
        Ok(Draft {
            variable: home.clone(),
            home,
            alias: "bastion".to_owned(),
            named: true,
            mode: 0o600,
            before: Vec::new(),
            opening: "Host bastion".to_owned(),
            settings,
            after: Vec::new(),
            included: None,
            known,
            env: Vec::new(),
            passwd,
            files: 0,
        })
    }

    /// Sets a value in place of the one that was there.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.drop(key);
        self.add(key, value);
    }

    /// Adds a value behind the others.
    pub fn add(&mut self, key: &str, value: impl ToString) {
        self.settings.push((key.to_owned(), value.to_string()));
    }

    /// Takes a setting away.
    pub fn drop(&mut self, key: &str) {
        self.settings.retain(|(other, _)| other != key);
    }

    /// A file of the configuration's own, below the home.
    pub fn file(&mut self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> Result<PathBuf> {
        let path = self.home.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        write_mode(&path, content, mode)?;
        Ok(path)
    }

    /// A name for a file that no other has.
    pub fn name(&mut self, name: &str) -> String {
        self.files += 1;
        format!("{name}-{}", self.files)
    }

    fn config(&self) -> PathBuf {
        self.home.join(".ssh/config")
    }

    /// Writes it, and gives back what it is.
    pub fn write(&mut self, dice: &mut Dice) -> Result<String> {
        let mut block = format!("{}\n", self.opening);
        for (key, value) in &self.settings {
            writeln!(block, "{}", spelled(key, value, dice))?;
        }
        let mut text = String::new();
        for line in &self.before {
            writeln!(text, "{line}")?;
        }
        match self.included.clone() {
            Some((path, line)) => {
                let name = path.strip_prefix(&self.home)?.display().to_string();
                self.file(&name, &block, 0o600)?;
                writeln!(text, "{line}")?;
                block = format!("-- {}\n{block}", path.display());
            }
            None => text += &std::mem::take(&mut block),
        }
        for line in &self.after {
            writeln!(text, "{line}")?;
        }
        let known = self.known.join("\n") + "\n";
        self.file("known", &known, 0o600)?;
        let mode = self.mode;
        self.file(".ssh/config", &text, mode)?;
        self.write_passwd()?;
        Ok(format!(
            "-- {} (mode {:o}), asked for {:?}, home {}, HOME {}, {:?}\n{text}{block}-- known\n{known}",
            self.config().display(),
            self.mode,
            self.alias,
            self.home.display(),
            self.variable.display(),
            self.env,
        ))
    }

    fn write_passwd(&self) -> Result<()> {
        let mut text = String::new();
        for line in fs::read_to_string("/etc/passwd")?.lines() {
            let mut fields: Vec<&str> = line.split(':').collect();
            let home = self.home.to_string_lossy();
            if fields.len() == 7 && fields[2] == "0" {
                fields[5] = &home;
            }
            writeln!(text, "{}", fields.join(":"))?;
        }
        write_mode(&self.passwd, text, 0o644)
    }

    /// `ssh -W`, to the database.
    pub fn ssh(&self, bench: &Bench) -> Result<Tool> {
        let conn = bench.pg.conn();
        let port = conn.get("port").context("no port")?;
        let mut tool = Tool::new("ssh").args(["-o", "BatchMode=yes", "-W"]);
        tool = tool.arg(format!("127.0.0.1:{port}"));
        if self.named {
            tool = tool.arg("-F").arg(self.config().display());
        }
        Ok(self.surrounded(tool.arg(&self.alias)))
    }

    /// `dbdoctor tunnel`, to the database.
    pub fn dbdoctor(&self, bench: &Bench) -> Result<Tool> {
        let conn = bench.pg.conn();
        let port = conn.get("port").context("no port")?;
        let mut tool = Tool::new(env!("CARGO_BIN_EXE_dbdoctor"));
        tool = tool.args(["tunnel", "--format", "json", "--ssh", &self.alias]);
        if self.named {
            tool = tool.arg("--ssh-config").arg(self.config().display());
        }
        Ok(self.surrounded(tool.arg(format!("postgresql://app@127.0.0.1:{port}/appdb"))))
    }

    fn surrounded(&self, tool: Tool) -> Tool {
        let mut tool = tool.env("HOME", self.variable.display());
        tool.env.extend(self.env.iter().cloned());
        Tool {
            passwd: Some(self.passwd.clone()),
            cwd: Some(self.home.clone()),
            ..tool
        }
    }
}

/// A line in one of the forms that ssh reads the same.
pub fn spelled(key: &str, value: &str, dice: &mut Dice) -> String {
    let key = match dice.below(6) {
        0 => key.to_lowercase(),
        1 => key.to_uppercase(),
        _ => key.to_owned(),
    };
    // These take the line as it is, or quote for themselves.
    let plain = value.contains([' ', '"', '\'', '\\', '#']);
    let command = ["ProxyCommand", "KnownHostsCommand"]
        .iter()
        .any(|command| key.eq_ignore_ascii_case(command));
    match dice.below(8) {
        0 => format!("  {key}={value}"),
        1 => format!("\t{key} = {value}"),
        2 if !plain && !command => format!("  {key} \"{value}\""),
        3 if !plain && !command => format!("{key}=\"{value}\"  # said"),
        4 if !plain && !command => format!("  {key}\t{value}   "),
        5 if !command => format!("  {key} {value} # said"),
        _ => format!("  {key} {value}"),
    }
}

/// A path as text.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
