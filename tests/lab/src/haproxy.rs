//! Real HAProxies.

use std::net::TcpStream;

use anyhow::Result;

use crate::certs::write_mode;
use crate::lab::Lab;
use crate::process::{Service, Tool};
use crate::proxy::free_port;

/// A running HAProxy.
pub struct HaProxy {
    service: Service,
    port: u16,
}

impl HaProxy {
    /// Passes TCP on to `backend` (`HOST:PORT`); `lines` go into its `listen` section and may
    /// shorten the time-outs (`timeout client 2s`).
    pub fn tcp(lab: &Lab, backend: &str, lines: &str) -> Result<Self> {
        Self::start(
            lab,
            &format!(
                "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
                 listen database\n bind 127.0.0.1:{{port}}\n server one {backend}\n {lines}\n"
            ),
        )
    }

    /// Ends TLS with a certificate of the lab's authority and passes what is inside on to `server`
    /// (`HOST:PORT`, and options); `bind` is added to its `bind` line (`alpn postgresql`).
    pub fn ending_tls(lab: &Lab, bind: &str, server: &str) -> Result<Self> {
        let bundle = lab.dir("tls")?.join("server.pem");
        lab.issue(lab.cert())?.write_bundle(&bundle)?;
        Self::start(
            lab,
            &format!(
                "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
                 listen inside\n bind 127.0.0.1:{{port}} ssl crt {} {bind}\n server one {server}\n",
                bundle.display(),
            ),
        )
    }

    /// Starts it with a configuration in which `{port}` stands for a free port.
    pub fn start(lab: &Lab, config: &str) -> Result<Self> {
        let dir = lab.dir("haproxy")?;
        let port = free_port();
        let path = dir.join("haproxy.cfg");
        write_mode(&path, config.replace("{port}", &port.to_string()), 0o644)?;
        let tool = Tool::new("haproxy").args(["-db", "-f"]).arg(path.display());
        let service = tool.serve(dir.join("log"), "TERM")?;
        service.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(HaProxy { service, port })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.service.log()
    }
}
