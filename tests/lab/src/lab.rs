//! The lab itself: one temporary directory, and servers that many scenarios share.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};

use crate::certs::{Ca, CertSpec, Issued, write_mode};
use crate::netns::Netns;
use crate::pgbouncer::PgBouncerBuilder;
use crate::postgres::{Postgres, PostgresBuilder, make_template};
use crate::process::{Tool, current_user};
use crate::sshd::{Sshd, SshdBuilder};

/// The languages of which shared servers can be had.
const LANGUAGES: [&str; 2] = ["de", "fr"];

/// Where scenarios get everything from. Shared servers start when first asked for; all is
/// stopped and deleted on drop.
pub struct Lab {
    // Fields drop in this order: servers before the directory they live in.
    postgres: Shared<Arc<Postgres>>,
    foreign: [Shared<Arc<Postgres>>; LANGUAGES.len()],
    sshd: Shared<Arc<Sshd>>,
    template: Shared<PathBuf>,
    client_key: Shared<PathBuf>,
    user: Shared<String>,
    ca: Ca,
    password: String,
    counter: AtomicUsize,
    dir: tempfile::TempDir,
}

impl Lab {
    /// An empty lab.
    pub fn new() -> Result<Self> {
        sweep();
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let dir = tempfile::Builder::new().prefix(&prefix).tempdir()?;
        // Servers that run as other users must be able to pass.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let mut random = [0; 6];
        openssl::rand::rand_bytes(&mut random)?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let ca = Ca::new("Lab CA")?;
        ca.write(&dir.path().join("ca.crt"))?;
        Ok(Lab {
            postgres: Shared::default(),
            foreign: Default::default(),
            sshd: Shared::default(),
            template: Shared::default(),
            client_key: Shared::default(),
            user: Shared::default(),
            ca,
            password: format!("s3cret-canary-{}", random),
            counter: AtomicUsize::new(0),
            dir,
        })
    }

    /// A new, empty directory that every user may read.
    pub fn dir(&self, name: &str) -> Result<PathBuf> {
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.path().join(format!("{name}-{n}"));
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Writes a file into a directory of its own.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> Result<PathBuf> {
        let path = self.dir("file")?.join(name);
        write_mode(&path, content, mode)?;
        Ok(path)
    }

    /// The lab's directory.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The password of the role `app` on every server, and a canary: it must never be shown.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The user the lab runs as, for SSH.
    pub fn user(&self) -> Result<String> {
        self.user.get(|| Ok(current_user()))
    }

    /// The certificate authority that everything of the lab's trusts.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Its certificate's file, for `sslrootcert`.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// A valid server certificate's design, for `localhost`, `db.test` and loopback addresses.
    pub fn cert(&self) -> CertSpec {
        CertSpec::server("db.test", &["db.test", "localhost"], &["127.0.0.1", "::1"])
    }

    /// Issues a certificate from the lab's authority.
    pub fn issue(&self, spec: CertSpec) -> Result<Issued> {
        self.ca.issue(&spec)
    }

    /// The shared server: TLS with a valid certificate, SCRAM, role `app`, database `appdb`.
    /// Change nothing on it.
    pub fn postgres(&self) -> Result<Arc<Postgres>> {
        self.postgres.get(|| {
            let issued = self.issue(self.cert())?;
            // Many scenarios share it, some with a dozen connections.
            let pg = self.new_postgres().conf("max_connections", 100);
            Ok(Arc::new(pg.tls(issued).start()?))
        })
    }

    /// A shared server that speaks this language; [`Lab::postgres`] without one.
    pub fn postgres_in(&self, language: Option<&str>) -> Result<Arc<Postgres>> {
        let known = |language| LANGUAGES.iter().position(|known| *known == language);
        match language {
            None => self.postgres(),
            Some(language) => {
                let at = known(language).context("the lab has no server of that language")?;
                self.foreign[at]
                    .get(|| Ok(Arc::new(self.new_postgres().language(language).start()?)))
            }
        }
    }

    /// A server of one's own: role `app`, database `appdb`, no TLS unless told.
    pub fn new_postgres(&self) -> PostgresBuilder<'_> {
        PostgresBuilder::new(self)
    }

    /// The data directory that servers are copied from.
    pub(crate) fn template(&self) -> Result<PathBuf> {
        self.template.get(|| make_template(self))
    }

    /// The shared SSH server, which accepts [`Lab::client_key`]. Change nothing on it.
    pub fn sshd(&self) -> Result<Arc<Sshd>> {
        self.sshd.get(|| Ok(Arc::new(self.new_sshd().start()?)))
    }

    /// An SSH server of one's own.
    pub fn new_sshd(&self) -> SshdBuilder<'_> {
        SshdBuilder::new(self)
    }

    /// The Ed25519 key that the lab's SSH servers accept, without a passphrase.
    pub fn client_key(&self) -> Result<PathBuf> {
        self.client_key.get(|| self.ssh_key("ed25519", ""))
    }

    /// A new SSH key pair (`ed25519`, `ecdsa`, `rsa`, with `ssh-keygen`'s further arguments),
    /// in a directory of its own; the public half is beside it.
    pub fn ssh_key(&self, kind: &str, passphrase: &str) -> Result<PathBuf> {
        self.ssh_keygen(&["-t", kind, "-N", passphrase])
    }

    /// The same with all of `ssh-keygen`'s arguments (`-t rsa -b 1024 -m PEM -N ''`).
    pub fn ssh_keygen(&self, args: &[&str]) -> Result<PathBuf> {
        let path = self.dir("key")?.join("id");
        let tool = Tool::new("ssh-keygen").args(["-q", "-C", "lab"]).args(args);
        tool.arg("-f").arg(path.display()).succeed()?;
        Ok(path)
    }

    /// A connection pooler.
    pub fn new_pgbouncer(&self) -> PgBouncerBuilder<'_> {
        PgBouncerBuilder::new(self)
    }

    /// A host of one's own; needs root.
    pub fn netns(&self) -> Result<Netns> {
        Netns::new()
    }
}

const PREFIX: &str = "dbdoctor-lab-";

/// Removes the directories of labs that were killed.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Something made once, by whoever needs it first.
struct Shared<T>(Mutex<Option<T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Shared(Mutex::new(None))
    }
}

impl<T: Clone> Shared<T> {
    fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut slot = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(made) = &*slot {
            return Ok(made.clone());
        }
        let made = make()?;
        *slot = Some(made.clone());
        Ok(made)
    }
}
