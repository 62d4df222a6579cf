//! The signature algorithms that a server announces (`server-sig-algs`, RFC 8308, section 3.1).
//!
//! russh reads the list and keeps it to itself but for RSA. It logs it, though: a line for the
//! extension and one for each algorithm, by the task of the session. Nothing else is taken from
//! the log, and nothing of it is shown.

use std::sync::{Mutex, MutexGuard};

use log::{LevelFilter, Log, Metadata, Record};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use tokio::task::Id;

/// The part of russh that reads the extension.
const TARGET: &str = "russh::client::encrypted";
/// The line before the list's own.
const HEADER: &str = "* server-sig-algs";
/// Sessions that are remembered at once.
const MOST_SESSIONS: usize = 64;
/// Every algorithm that is told from others.
const KNOWN: [Algorithm; 10] = [
    Algorithm::Ed25519,
    Algorithm::SkEd25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
    Algorithm::Rsa { hash: None },
    Algorithm::Dsa,
];

/// What each session's server announced last.
static ANNOUNCED: Mutex<Vec<(Id, Vec<Algorithm>)>> = Mutex::new(Vec::new());

/// The log's reader.
struct Reader;

/// Begins to read. To be called before a session is opened.
pub fn listen() {
    // The second call changes nothing.
    if log::set_logger(&Reader).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// What the server of the session with this task announced; `None` where it announced nothing.
pub fn by(task: Id) -> Option<Vec<Algorithm>> {
    let announced = announced();
    let of_task = |(session, list): &(Id, Vec<Algorithm>)| (*session == task).then(|| list.clone());
    announced.iter().find_map(of_task)
}

fn announced() -> MutexGuard<'static, Vec<(Id, Vec<Algorithm>)>> {
    ANNOUNCED
        .lock()
        .unwrap_or_else(|broken| broken.into_inner())
}

impl Log for Reader {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn log(&self, record: &Record<'_>) {
        let Some(task) = tokio::task::try_id().filter(|_| self.enabled(record.metadata())) else {
            return;
        };
        if record.args().as_str() == Some(HEADER) {
            let mut announced = announced();
            announced.retain(|(session, _)| *session != task);
            if announced.len() == MOST_SESSIONS {
                announced.remove(0);
            }
            announced.push((task, Vec::new()));
            return;
        }
        let line = record.args().to_string();
        let Some(name) = line.strip_prefix("  * ") else {
            return;
        };
        let algorithm = KNOWN.iter().find(|known| format!("{known:?}") == name);
        let mut announced = announced();
        let list = announced.iter_mut().find(|(session, _)| *session == task);
        if let (Some((_, list)), Some(algorithm)) = (list, algorithm)
            && !list.contains(algorithm)
        {
            list.push(algorithm.clone());
        }
    }

    fn flush(&self) {}
}
