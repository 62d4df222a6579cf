//! Where an SSH connection is made from (`BindAddress`, `BindInterface`).

use super::origin::tilde;
use super::ssh_config::Options;
use std::path::Path;

/// The local end that the SSH configuration sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEnd {
    /// What sets it.
    pub by: BoundBy,
    /// The address or name, or the interface.
    pub value: String,
    /// The file that sets it.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
}

/// The keyword that sets a local end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundBy {
    /// `BindAddress`.
    Address,
    /// `BindInterface`: an address of that interface.
    Interface,
}

impl BoundBy {
    /// As the manual spells it.
    pub fn keyword(self) -> &'static str {
        match self {
            BoundBy::Address => "BindAddress",
            BoundBy::Interface => "BindInterface",
        }
    }
}

impl LocalEnd {
    /// With both set, the address counts (sshconnect.c, `ssh_create_socket`).
    pub fn of(options: &Options, home: Option<&Path>) -> Option<Self> {
        let (by, written) = match (&options.bind_address, &options.bind_interface) {
            (Some(address), _) => (BoundBy::Address, address),
            (None, Some(interface)) => (BoundBy::Interface, interface),
            (None, None) => return None,
        };
        Some(Self {
            by,
            value: written.text.clone(),
            file: tilde(&written.file, home),
            line: written.line,
        })
    }
}
