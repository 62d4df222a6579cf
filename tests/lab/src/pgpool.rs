//! Real Pgpool-IIs.

use std::net::TcpStream;

use anyhow::Result;

use crate::certs::write_mode;
use crate::conn::Conn;
use crate::lab::Lab;
use crate::process::{Service, Tool, is_root};
use crate::proxy::free_port;

/// A running Pgpool-II.
pub struct Pgpool {
    _service: Service,
    port: u16,
}

impl Pgpool {
    /// In front of the server at this port, with one line of `pool_hba.conf` and one entry of
    /// `pool_passwd` (`app:TEXTsecret`).
    pub fn start(lab: &Lab, backend: u16, hba: &str, entry: &str) -> Result<Self> {
        let dir = lab.dir("pgpool")?;
        let (port, pcp, d) = (free_port(), free_port(), dir.display());
        let conf = format!(
            "backend_clustering_mode = 'raw'\nlisten_addresses = '127.0.0.1'\nport = {port}\n\
             pcp_port = {pcp}\nunix_socket_directories = '{d}'\npcp_socket_dir = '{d}'\n\
             backend_hostname0 = '127.0.0.1'\nbackend_port0 = {backend}\nenable_pool_hba = on\n\
             num_init_children = 2\npid_file_name = '{d}/pgpool.pid'\nwork_dir = '{d}'\n\
             logdir = '{d}'\nsr_check_period = 0\n"
        );
        for (name, text) in [
            ("pgpool.conf", conf.as_str()),
            ("pool_hba.conf", hba),
            ("pool_passwd", entry),
            ("pcp.conf", ""),
        ] {
            write_mode(&dir.join(name), format!("{text}\n"), 0o600)?;
        }
        if is_root() {
            Tool::new("chown")
                .args(["-R", "postgres"])
                .arg(&d)
                .succeed()?;
        }
        let file = |name: &str| dir.join(name).display().to_string();
        let tool = Tool::new("pgpool")
            .args(["-n", "-f"])
            .arg(file("pgpool.conf"))
            .arg("-a")
            .arg(file("pool_hba.conf"))
            .arg("-F")
            .arg(file("pcp.conf"))
            .user("postgres");
        // SIGINT: it does not wait for its clients.
        let service = tool.serve(dir.join("log"), "INT")?;
        service.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Pgpool {
            _service: service,
            port,
        })
    }

    /// How `app` connects to `appdb` through it, without the password.
    pub fn conn(&self) -> Conn {
        Conn::new()
            .set("host", "127.0.0.1")
            .set("port", self.port)
            .set("user", "app")
            .set("dbname", "appdb")
    }
}
