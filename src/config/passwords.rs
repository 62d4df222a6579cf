//! The password of each entry: the parameter's for all, else the password
//! file's line for each.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::files;
use super::lint;
use super::origin::Origin;
use super::passfile::{self, PassfileQuery};
use super::resolve::{Resolver, socket_folder};
use super::validate::Entry;
use super::{Endpoint, Password};
use crate::cause::config as cause;
use crate::client::profile::Passfile;
use crate::finding::Finding;
use crate::secret::Secret;

impl Resolver<'_> {
    pub(super) fn add_passwords(
        &mut self,
        endpoints: &mut [Endpoint],
        entries: &[Entry],
        dbname: &str,
        user: &str,
    ) {
        let given = self.parameters.get("password").cloned();
        if let Some(mut given) = given.filter(|given| !given.value.is_empty()) {
            let password = Password {
                source: self.spoken(&given.origin),
                secret: Secret::from_bytes(std::mem::take(&mut given.value)),
            };
            for endpoint in endpoints {
                endpoint.password = Some(password.clone());
            }
            return;
        }
        let Some((path, bytes)) = self.password_file() else {
            return;
        };
        let mut missed = None;
        for (endpoint, entry) in endpoints.iter_mut().zip(entries) {
            let wanted = PassfileQuery {
                host: match endpoint.host.as_str() {
                    "" => entry.hostaddr.as_str(),
                    host if host == socket_folder() => "localhost",
                    host => host,
                },
                port: match entry.port.as_str() {
                    "" => "5432",
                    port => port,
                },
                dbname,
                user,
            };
            let Some((line, value)) = passfile::find(&bytes, &wanted) else {
                missed.get_or_insert_with(|| self.no_match(&path, &bytes, &wanted));
                continue;
            };
            let origin = Origin::Passfile {
                file: path.clone(),
                line,
            };
            endpoint.password = Some(Password {
                secret: Secret::from_bytes(value.clone()),
                source: self.spoken(&origin),
            });
            if self.parameters.text("password").is_none() {
                if passfile::is_cut(&bytes, line) {
                    let finding = Finding::new(&cause::PASSFILE_COLON);
                    let finding = finding.with("file", self.tilde(&path)).with("line", line);
                    self.record.warn(finding);
                }
                if let Some(finding) = lint::of_password(&value, &self.spoken(&origin)) {
                    self.record.warn(finding);
                }
                self.parameters.add_first("password", value, origin);
            }
        }
        if let Some(finding) = missed.filter(|_| endpoints.iter().all(|e| e.password.is_none())) {
            self.record.warn(finding);
        }
    }

    /// The password file, if libpq would read it.
    fn password_file(&mut self) -> Option<(PathBuf, Vec<u8>)> {
        let driver = self.driver.filter(|it| it.linked_libpq().is_none());
        let rule = driver.map_or(Passfile::Closed, |driver| driver.profile.passfile);
        if rule == Passfile::Never {
            return None;
        }
        let named = self.parameters.text("passfile").map(PathBuf::from);
        let source = self.parameters.source("passfile", self.home());
        let path = match &named {
            Some(path) => path.clone(),
            None => self.home()?.join(".pgpass"),
        };
        let unreadable = |resolver: &mut Self, why: files::Unreadable| {
            if named.is_some() || !why.missing {
                let finding = resolver.missing("passfile", &source, &path, why);
                resolver.record.warn(finding);
            }
        };
        let meta = match std::fs::metadata(&path) {
            Ok(meta) => meta,
            Err(_) => {
                // libpq says nothing of it, and whether there is one is not
                // known where the home is another user's.
                if named.is_some()
                    && let Err(why) = files::readable(&path)
                {
                    unreadable(self, why);
                }
                return None;
            }
        };
        if !meta.is_file() {
            // /dev/null is how people say that there is none.
            if meta.is_dir() {
                unreadable(self, files::Unreadable::because("is a directory"));
            }
            return None;
        }
        let mode = meta.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 && rule != Passfile::Open {
            self.record.warn(
                Finding::new(&cause::PASSFILE_PERMISSIONS)
                    .with("file", path.display().to_string())
                    .with("mode", format!("{mode:04o}")),
            );
            return None;
        }
        match files::read(&path) {
            Ok(bytes) => Some((path, bytes)),
            Err(why) => {
                unreadable(self, why);
                None
            }
        }
    }

    fn no_match(&self, path: &std::path::Path, bytes: &[u8], wanted: &PassfileQuery) -> Finding {
        let nearest = passfile::nearest(bytes, wanted);
        let (line, differs) = match nearest {
            Some((line, differs)) => (Some(line), Some(differs.join(" and "))),
            None => (None, None),
        };
        Finding::new(&cause::PASSFILE_NOMATCH)
            .with("file", self.tilde(path))
            .with("wanted", wanted.as_line())
            .with("line", line)
            .with(
                "differs",
                differs.map(|fields| format!("it has a different {fields}")),
            )
    }
}
