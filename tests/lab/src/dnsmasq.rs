//! Real name servers, each inside a network namespace, where port 53 is free.

use anyhow::Result;

use crate::lab::Lab;
use crate::netns::Netns;
use crate::process::Service;

/// A running name server.
pub struct Dnsmasq {
    service: Service,
}

impl Dnsmasq {
    /// Answers on port 53 of `listen` (an address inside the namespace, such as 127.0.0.1) as
    /// told by lines of its configuration: `host-record=db.test,10.0.0.1`. All else does not
    /// exist.
    pub fn start(lab: &Lab, netns: &Netns, listen: &str, lines: &[&str]) -> Result<Self> {
        Self::start_bare(lab, netns, listen, &[lines, &["address=/#/"]].concat())
    }

    /// The same, but all else is refused, since there is nobody to ask.
    pub fn start_bare(lab: &Lab, netns: &Netns, listen: &str, lines: &[&str]) -> Result<Self> {
        let dir = lab.dir("dnsmasq")?;
        let tool = netns.tool("dnsmasq").args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--except-interface=none",
            "--log-facility=-",
            "--log-queries",
            "--user=root",
            "--pid-file=",
        ]);
        let tool = tool.arg(format!("--listen-address={listen}"));
        let tool = tool.args(lines.iter().map(|line| format!("--{line}")));
        let service = tool.serve(dir.join("log"), "TERM")?;
        service.wait_ready(|| service.log().contains("started"))?;
        Ok(Dnsmasq { service })
    }

    /// What it was asked and what it answered.
    pub fn log(&self) -> String {
        self.service.log()
    }
}
