//! Files in which a private key is expected.

use crate::stage::key::KeyRefusal;
use crate::stage::key::damage as damages;
use crate::stage::key::decrypt;
use crate::stage::key::format::{self, KeyFileKind};

/// The content of a key file: a key that opens opens again as it is written.
pub fn key(data: &[u8]) {
    let kind = format::kind(data);
    let about = decrypt::envelope(data);
    assert!(about.cipher.is_none_or(|it| it.len() <= data.len()));
    if let KeyFileKind::Public(_) = kind {
        format::read_public(&String::from_utf8_lossy(data));
    }
    let Ok(opened) = decrypt::open(data, "") else {
        return;
    };
    let private = opened.private();
    if let Some(written) = private.and_then(|key| key.to_openssh(Default::default()).ok()) {
        let again = decrypt::open(written.as_bytes(), "").unwrap();
        assert_eq!(again.public().key_data(), opened.public().key_data());
    }
}

/// A damaged key: what is repaired is a key, the same however often it is repaired, and the
/// words about the damage quote nothing of it.
pub fn damage(data: &[u8]) {
    let found = damages::diagnose(data);
    let words = |found: &damages::Damage| -> String {
        let steps = found.steps.iter();
        steps
            .map(|step| format!("{} {}\n", step.what, step.place))
            .collect()
    };
    if let Some(found) = damages::altered(data) {
        quotes_nothing(&words(&found), data);
    }
    let Some(found) = found else { return };
    quotes_nothing(&words(&found), data);
    if let Some(repaired) = &found.repaired {
        let text = repaired.expose_bytes();
        assert!(matches!(format::kind(&text), KeyFileKind::Private(_)));
        let opened = decrypt::open(&text, "");
        assert_ne!(opened.as_ref().err(), Some(&KeyRefusal::Format));
        // What is still odd about it is no damage that another repair would see otherwise.
        let again = damages::diagnose(&text).and_then(|it| it.repaired);
        if let (Ok(first), Some(again)) = (opened, again) {
            let second = decrypt::open(&again.expose_bytes(), "").unwrap();
            assert_eq!(first.public().key_data(), second.public().key_data());
        }
    }
}

/// Holds words to quoting no piece of a key that would help anybody.
fn quotes_nothing(words: &str, key: &[u8]) {
    const LONGEST: usize = 20;
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    for run in words.as_bytes().windows(LONGEST) {
        let quoted = run.iter().all(is_base64) && key.windows(LONGEST).any(|piece| piece == run);
        assert!(!quoted, "{words}");
    }
}
