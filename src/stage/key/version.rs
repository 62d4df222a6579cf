//! Which OpenSSH is installed, for the few rules that changed between
//! versions.

use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::process;

/// The version of the installed `ssh`, as `(major, minor)`; `None` where there
/// is none or it does not say. It is asked once.
pub fn installed() -> Option<(u32, u32)> {
    static VERSION: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *VERSION.get_or_init(ask)
}

/// `ssh -V` writes `OpenSSH_9.2p1 …` to standard error.
fn ask() -> Option<(u32, u32)> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let environment = std::env::vars_os()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let mut child = process::command("ssh", &environment, Vec::new())
        .arg("-V")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let limit = Instant::now() + PATIENCE;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = child.wait_with_output().ok()?;
    parse(&String::from_utf8_lossy(&said.stderr))
}

fn parse(said: &str) -> Option<(u32, u32)> {
    let (_, rest) = said.split_once("OpenSSH_")?;
    let rest = rest.strip_prefix("for_Windows_").unwrap_or(rest);
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.22"),
            Some((9, 2))
        );
        assert_eq!(
            parse("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2"),
            Some((9, 5))
        );
        assert_eq!(parse("OpenSSH_10.0p2"), Some((10, 0)));
        assert_eq!(parse("OpenSSH_10.0p2, LibreSSL 3.3.6"), Some((10, 0)));
        assert_eq!(parse("ssh: not found"), None);
        assert_eq!(parse("Sun_SSH_1.1"), None);
    }
}
