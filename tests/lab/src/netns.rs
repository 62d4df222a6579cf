//! Hosts of one's own: network namespaces joined to this host by a cable.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};

use crate::process::Tool;

/// A network namespace: the other end of a cable whose near end is [`Netns::host_ip`]. It has
/// its own firewall, name servers and hosts file. Needs root; removed when dropped.
pub struct Netns {
    name: String,
    net: usize,
}

const PREFIX: &str = "dbdlab";

impl Netns {
    pub(crate) fn new() -> Result<Self> {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{n}", std::process::id());
        ip(&["netns", "add", &name])?;
        // From here on, dropping it cleans up.
        let mut netns = Netns { name, net: 0 };
        fs::create_dir_all(netns.etc())?;
        netns.hosts("127.0.0.1 localhost\n::1 localhost\n")?;
        netns.resolv_conf("nameserver 127.0.0.1\n")?;

        // The cable's name is unique on this host, and so reserves the addresses.
        let start = std::process::id() as usize + n;
        let try_net = |i: usize| {
            let net = (start + i) % 256;
            let cable =
                ["link", "add", &format!("{PREFIX}{net}"), "type", "veth"].map(str::to_owned);
            let far = ["peer", "name", "eth0", "netns", &netns.name].map(str::to_owned);
            Tool::new("ip")
                .args(cable)
                .args(far)
                .succeed()
                .ok()
                .map(|_| net)
        };
        let Some(net) = (0..256).find_map(try_net) else {
            bail!("no address range is left for a network namespace");
        };
        netns.net = net;
        let cable = format!("{PREFIX}{net}");
        ip(&[
            "addr",
            "add",
            &format!("{}/24", netns.host_ip()),
            "dev",
            &cable,
        ])?;
        ip(&[
            "-6",
            "addr",
            "add",
            &format!("fd00:200:{net:x}::1/64"),
            "dev",
            &cable,
            "nodad",
        ])?;
        ip(&["link", "set", &cable, "up"])?;
        let own = format!("{}/24", netns.ip());
        netns.run(&["ip", "addr", "add", &own, "dev", "eth0"])?;
        let own = format!("{}/64", netns.ip6());
        netns.run(&["ip", "-6", "addr", "add", &own, "dev", "eth0", "nodad"])?;
        netns.run(&["ip", "link", "set", "eth0", "up"])?;
        netns.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(netns)
    }

    /// Its name, for [`crate::Case::netns`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own address.
    pub fn ip(&self) -> String {
        format!("10.200.{}.2", self.net)
    }

    /// Its own IPv6 address.
    pub fn ip6(&self) -> String {
        format!("fd00:200:{:x}::2", self.net)
    }

    /// This host's address as seen from inside: bind a [`crate::Peer`] to it.
    pub fn host_ip(&self) -> String {
        format!("10.200.{}.1", self.net)
    }

    /// This host's IPv6 address as seen from inside.
    pub fn host_ip6(&self) -> String {
        format!("fd00:200:{:x}::1", self.net)
    }

    /// Replaces its `/etc/resolv.conf`; `nameserver 127.0.0.1` at first.
    pub fn resolv_conf(&self, text: &str) -> Result<()> {
        self.etc_file("resolv.conf", text)
    }

    /// Replaces its `/etc/hosts`; only `localhost` at first.
    pub fn hosts(&self, text: &str) -> Result<()> {
        self.etc_file("hosts", text)
    }

    /// Replaces any other file of its `/etc` that the host has too (`nsswitch.conf`).
    pub fn etc_file(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.etc().join(name), text)?)
    }

    /// Adds firewall rules, as `nft` reads them.
    pub fn nft(&self, rules: &str) -> Result<()> {
        self.tool("nft").args(["-f", "-"]).stdin(rules).succeed()?;
        Ok(())
    }

    /// What happens to outgoing packets: `output("tcp dport 5432 drop")`.
    pub fn output(&self, rule: &str) -> Result<()> {
        self.nft(&format!(
            "add table inet lab\n\
             add chain inet lab out {{ type filter hook output priority 0; }}\n\
             add rule inet lab out {rule}\n"
        ))
    }

    /// What happens to incoming packets: `input("tcp dport 5432 reject with tcp reset")`.
    pub fn input(&self, rule: &str) -> Result<()> {
        self.nft(&format!(
            "add table inet lab\n\
             add chain inet lab in {{ type filter hook input priority 0; }}\n\
             add rule inet lab in {rule}\n"
        ))
    }

    /// A program that runs inside.
    pub fn tool(&self, program: &str) -> Tool {
        Tool::new(program).netns(Some(self.name.clone()))
    }

    /// Runs a command inside and fails unless it succeeds.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        self.tool(words[0]).args(&words[1..]).succeed()
    }

    fn etc(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// The cable goes with the namespace it ends in.
fn remove(name: &str) {
    let _ = ip(&["netns", "delete", name]);
    let _ = fs::remove_dir_all(PathBuf::from("/etc/netns").join(name));
}

/// Removes what labs left behind that were killed.
fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut parts = name.split('-');
        let (prefix, pid) = (parts.next(), parts.next().unwrap_or_default());
        if prefix == Some(PREFIX) && !PathBuf::from("/proc").join(pid).exists() {
            remove(&name);
        }
    }
}

fn ip(args: &[&str]) -> Result<String> {
    Tool::new("ip").args(args).succeed()
}
