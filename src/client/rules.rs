//! What the pipeline asks about the client whose way it goes: where that is not libpq.

use super::driver::Driver;
use super::profile::{Addresses, Hosts, Retry, Saslprep};

/// How a client goes about a connection. The default is libpq's way.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The driver; none for libpq of the reference version.
    pub driver: Option<Driver>,
    /// After what it goes on to the next host.
    pub hosts: Hosts,
    /// Which addresses of a name it tries.
    pub addresses: Addresses,
    /// After what it tries once more without TLS, where it prefers TLS.
    pub retry: Retry,
    /// Whether it asks for TLS on unix sockets too.
    pub tls_on_sockets: bool,
    /// Whether it has the TLS library check the name whenever it verifies.
    pub always_name: bool,
    /// What it does to a password before it hashes it.
    pub saslprep: Saslprep,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            driver: None,
            hosts: Hosts::Libpq,
            addresses: Addresses::All,
            retry: Retry::Libpq,
            tls_on_sockets: false,
            always_name: false,
            saslprep: Saslprep::Full,
        }
    }
}

impl Rules {
    /// A driver's way.
    pub fn of(driver: Driver) -> Self {
        let profile = driver.profile;
        Self {
            driver: Some(driver),
            hosts: profile.hosts,
            addresses: profile.addresses,
            retry: profile.tls.retry,
            tls_on_sockets: profile.tls.on_sockets,
            always_name: false,
            saslprep: profile.saslprep,
        }
    }
}
