//! The fault lab: real servers on loopback, each with one injected fault.
//!
//! A [`Scenario`] sets one situation up and says what dbdoctor must conclude from it. A
//! reference client (psql, ssh, ssh-keygen) judges the same situation, so that a scenario that
//! is no fault at all is found out. [`verify`] compares all three.
//!
//! * [`Lab`]: the temporary directory, shared servers, and makers of everything else
//! * [`scenario`]: the scenarios, one file for each stage
//! * [`Postgres`], [`Sshd`], [`PgBouncer`], [`Pgpool`], [`HaProxy`], [`Dnsmasq`]: real servers
//! * [`Peer`]: ends that misbehave, and forwards that spoil what passes through them
//! * [`impostor`]: ends that speak the protocol and are no PostgreSQL server
//! * [`RecordingServer`]: what clients show to a TLS server
//! * [`mod@bench`]: what a run costs beside psql and ssh
//! * [`Netns`]: hosts of one's own
//! * [`token`]: tokens that are passed as a password
//! * [`Ca`] and [`CertSpec`]: certificates

pub mod bench;
mod case;
mod certs;
mod conn;
pub mod cost;
mod dnsmasq;
mod fake_ssh;
mod findings;
pub mod fixes;
mod haproxy;
pub mod impostor;
mod lab;
mod netns;
mod pgbouncer;
mod pgpool;
mod postgres;
pub mod process;
mod proxy;
mod recording;
mod run;
pub mod scenario;
mod sshd;
pub mod token;

pub use case::{Case, Expect, Need, Oracle, Scenario, SshRoute};
pub use certs::{Ca, CertSpec, Issued, KeyKind, Usage, write_mode};
pub use conn::Conn;
pub use dnsmasq::Dnsmasq;
pub use fake_ssh::{Behaviour, FakeSshd, Question};
pub use findings::{finding, verdicts_finding};
pub use fixes::{FixRun, run_fix};
pub use haproxy::HaProxy;
pub use lab::Lab;
pub use netns::Netns;
pub use pgbouncer::{PgBouncer, PgBouncerBuilder};
pub use pgpool::Pgpool;
pub use postgres::{Postgres, PostgresBuilder};
pub use process::{Finished, Service, Tool};
pub use proxy::{Blackhole, Fault, IdleEnd, Peer, Stream, Then, free_port};
pub use recording::{Answer, RecordingServer, Shown};
pub use run::{Outcome, ask_oracle, command, oracle_agrees, verify};
pub use sshd::{Agent, Sshd, SshdBuilder};
