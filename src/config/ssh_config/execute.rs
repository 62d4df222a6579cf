//! `Match exec`: a command whose end decides.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::read::{Problem, Reader};
use crate::config::ssh::{connection_hash, expand, local_name};
use crate::process::started::Started;
use crate::process::{self, Variables};

/// How long a command may take. ssh waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);

impl Reader<'_> {
    /// Whether a command succeeds; none where it is not run, or does not end.
    /// ssh stops at one that a signal ends (readconf.c, `execute_in_shell`).
    pub(super) fn execute(&self, command: &str) -> Result<Option<bool>, Problem> {
        let line = expand(command, |token| self.token(token))?;
        match self.asked.environment {
            Some(environment) => succeeds(&line, environment, PATIENCE),
            None => Ok(None),
        }
    }

    /// The tokens of a command, from what is known up to this line (readconf.c,
    /// `expand_match_exec_or_include_path`).
    fn token(&self, token: char) -> Option<String> {
        let options = &self.options;
        let host = self.hostname();
        let port = options.port.unwrap_or(22);
        Some(match token {
            'h' => host,
            'n' => self.asked.host.to_owned(),
            'p' => port.to_string(),
            'r' => self.user(),
            'u' => self.asked.local_user.to_owned(),
            'i' => self.asked.uid.to_string(),
            'd' => self.asked.home?.display().to_string(),
            'k' => options.host_key_alias.clone().unwrap_or(host),
            'l' => local_name(),
            'L' => local_name().split('.').next()?.to_owned(),
            'j' => options.proxy_jump.clone().unwrap_or_default(),
            'C' => connection_hash(&host, port, &self.user())?,
            _ => return None,
        })
    }
}

fn succeeds(
    line: &str,
    environment: &Variables,
    patience: Duration,
) -> Result<Option<bool>, Problem> {
    let mut command = process::shell(line, environment);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let (started, _) = Started::begin(&mut command)
        .map_err(|error| format!("Match exec: the shell cannot be started: {error}"))?;
    let ended = started.wait(Instant::now() + patience);
    started.end();
    match ended {
        Some(status) if status.code().is_none() => {
            Err("the command of Match exec was ended by a signal".to_owned())
        }
        Some(status) => Ok(Some(status.success())),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HostQuery, Options, lookup_in};
    use super::*;

    fn read(text: &str) -> Result<Options, super::super::ConfigRejected> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let environment = [("PATH".into(), path.into())].into();
        let asked = HostQuery {
            host: "h",
            user: None,
            local_user: "me",
            uid: 1000,
            home: None,
            environment: Some(&environment),
        };
        lookup_in(text, &asked)
    }

    #[test]
    fn the_status_decides() {
        for (line, holds) in [
            ("exec true", true),
            ("exec false", false),
            ("!exec false", true),
            ("exec \"exit 3\"", false),
            ("exec nowhere-to-be-found", false),
            ("host h exec \"test %h%n%r%p%% = hhme22%%\"", true),
            // It is not run where something before it fails.
            ("host q exec \"kill $$\"", false),
        ] {
            let options = read(&format!("Match {line}\n Port 7")).unwrap();
            assert_eq!(options.port == Some(7), holds, "{line}");
            assert!(options.unsupported.is_empty());
        }
        assert!(read("Match exec \"kill $$\"\n Port 7").is_err());
        assert!(read("Match exec \"true %z\"\n Port 7").is_err());
    }

    #[test]
    fn what_does_not_end_is_not_waited_for() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let environment = [("PATH".into(), path.into())].into();
        let soon = Duration::from_millis(50);
        assert_eq!(succeeds("sleep 60", &environment, soon), Ok(None));
    }
}
