//! What an SSH server says before encryption, and the file that knows it.

use std::path::PathBuf;

use russh::keys::PublicKey;

use super::stream::{Peer, run};
use crate::stage::ssh::algorithms;
use crate::stage::ssh::identification::{self as greeting, Unheard};
use crate::stage::ssh::known_hosts::{Source, lines_of};
use crate::stage::ssh::known_hosts_damage::{Mend, Wanted, find};
use crate::stage::ssh::known_hosts_repair::apply;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJKWiRBB2V0TAgWv0hWqDmBnGQRrkG0XCSbHY+8BY7rs";

/// A file that knows `[bastion.example]:2222`, or would if it were undamaged: an entry
/// behind its last line is read, and what mends it changes it.
pub fn known_hosts(data: &[u8]) {
    const NAME: &str = "[bastion.example]:2222";
    let key = PublicKey::from_openssh(KEY).unwrap();
    let source = Source::File(PathBuf::from("known_hosts"));
    let count = data.split(|b| *b == b'\n').count();
    let lines = lines_of(&source, data, NAME);
    assert!(lines.iter().all(|line| (1..=count).contains(&line.number)));
    let entry = format!("\n{NAME} {KEY}\n");
    let known = lines_of(&source, &[data, entry.as_bytes()].concat(), NAME);
    assert_eq!(known.last().map(|line| line.number), Some(count + 1));
    let wanted = Wanted {
        name: NAME,
        bare: Some(("bastion.example", 2222)),
        key: &key,
    };
    let Some(damage) = find(data, &wanted) else {
        return;
    };
    assert!(damage.number.is_none_or(|it| (1..=count).contains(&it)));
    if let Mend::Drop(first, last) = damage.mend {
        assert!(1 <= first && first <= last && last <= count);
    }
    assert_ne!(apply(&damage.mend, data), data, "{damage:?}");
}

/// A server's first words: they are read the same however they come.
pub fn identification(data: &[u8]) {
    greeting::who(data);
    greeting::turned_away(data);
    let read = |most: usize| {
        run(async {
            let mut heard = Vec::new();
            let result = greeting::exchange(&mut Peer::new(data, most), &mut heard).await;
            match result {
                Ok((greeting, _)) => {
                    assert!(greeting.identification.len() <= 3 * data.len());
                    assert!(greeting.before.iter().map(String::len).sum::<usize>() < 4 << 20);
                    format!("{greeting:?}")
                }
                // How much had come by then is not the same.
                Err(Unheard::Foreign(_)) => "foreign".to_owned(),
                Err(Unheard::Closed(heard)) => format!("closed behind {} bytes", heard.len()),
                Err(Unheard::Broken(..)) => "broken".to_owned(),
            }
        })
    };
    let whole = read(usize::MAX);
    let first = usize::from(data.first().copied().unwrap_or(1));
    for most in [1, first] {
        assert_eq!(read(most), whole, "in pieces of {most}");
    }
}

/// A server's packets up to its KEXINIT.
pub fn packets(data: &[u8]) {
    if let Some(offer) = algorithms::server_offer(data) {
        let names = [&offer.kex, &offer.host_key, &offer.cipher, &offer.mac];
        let size: usize = names.into_iter().flatten().map(String::len).sum();
        assert!(size <= 3 * data.len(), "{size}");
        assert_eq!(
            algorithms::server_offer(&[data, b"more"].concat()),
            Some(offer)
        );
    }
}
