//! What name servers answer, and the files that name them.

use std::fs;
use std::path::PathBuf;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RecordType};

use super::parts;
use crate::stage::dns::compose::{Compose, Reach};
use crate::stage::dns::exchange::{Reply, answers_to, question};
use crate::stage::dns::resolv::{self as files, Resolv};
use crate::stage::dns::servers::judge;
use crate::system::System;

/// Two datagrams that come for the questions for the addresses of a name.
pub fn answer(data: &[u8]) {
    const NAME: &str = "db.example.";
    let name = Name::from_ascii(NAME).unwrap();
    let asked = [RecordType::A, RecordType::AAAA].map(|kind| question(&name, kind, true));
    let replies = parts::<2>(data).map(Message::from_vec);
    let replies: Vec<Reply> = replies
        .into_iter()
        .zip(&asked)
        .map(|(reply, question)| match reply {
            Ok(reply) => {
                answers_to(&reply, question);
                Reply::Read(Box::new(reply))
            }
            Err(_) => Reply::Unreadable,
        })
        .collect();
    let answer = judge(([127, 0, 0, 1], 53).into(), NAME, &name, &replies);
    assert!(answer.addresses.len() <= data.len() && answer.chain.len() <= 256);
    assert!(answer.ttl.is_some() || answer.addresses.is_empty());
    assert!(answer.sentence().len() < 64 << 10);
}

/// `resolv.conf`, `hosts` and `nsswitch.conf`.
pub fn resolv(data: &[u8]) {
    let [first, name] = parts(data);
    let (text, name) = (
        String::from_utf8_lossy(first),
        String::from_utf8_lossy(name),
    );
    let read = Resolv::parse(&text, "host.corp.example", None, Some(&name));
    assert!(read.servers.len() <= 3 && read.search.len() <= 16);
    let candidates = read.candidates(&name);
    assert!((1..=17).contains(&candidates.len()), "{candidates:?}");
    for (at, candidate) in candidates.iter().enumerate() {
        assert!(!candidates[..at].contains(candidate), "{candidates:?}");
    }
    let found = files::hosts_entries(&text, "db.example");
    assert!(found.len() <= text.lines().count());
    files::host_sources(&text);
}

/// The compose file of a project, and its `.env`.
pub fn compose(data: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap();
    }
    let [file, env] = parts(data);
    let cwd: PathBuf = FOLDER.with(|folder| folder.path().to_owned());
    fs::write(cwd.join("compose.yaml"), file).unwrap();
    fs::write(cwd.join(".env"), env).unwrap();
    let system = System {
        cwd,
        ..System::default()
    };
    let read = Compose::read(&system);
    if let Some(service) = read.service("db", 5432)
        && let Reach::At { .. } = read.reach(service, 5432)
    {
        assert!(!file.is_empty());
    }
}
