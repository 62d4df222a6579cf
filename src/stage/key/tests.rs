//! Keys made on the spot, read and damaged. The lab does the same with
//! `ssh-keygen` as the judge.

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use proptest::prelude::*;
use russh::keys::ssh_key::LineEnding;

use super::blob::put_string;
use super::damage::diagnose;
use super::decrypt::{envelope, open};
use super::format::{KeyFileKind, PrivateForm, kind};
use super::openssh_v1::{Container, ContainerError, decode};
use super::{KeyRefusal, examine, keypair};
use crate::config::NamedFile;
use crate::finding::Finding;
use crate::secret::Secret;

/// An Ed25519 key in OpenSSH's format.
fn openssh() -> String {
    let key = PKey::generate_ed25519().unwrap();
    let (public, private) = (
        key.raw_public_key().unwrap(),
        key.raw_private_key().unwrap(),
    );
    let mut pair = Vec::new();
    put_string(&mut pair, b"ssh-ed25519");
    put_string(&mut pair, &public);
    put_string(&mut pair, &[private, public].concat());
    let key = keypair(&pair, "lab").unwrap();
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// An RSA key in PKCS#1.
fn pem() -> String {
    let key = Rsa::generate(1024).unwrap();
    String::from_utf8(key.private_key_to_pem().unwrap()).unwrap()
}

fn names(content: &str) -> Vec<String> {
    diagnose(content.as_bytes()).map_or(Vec::new(), |damage| damage.names())
}

fn reads(content: &str) -> bool {
    open(content.as_bytes(), "").is_ok()
}

#[test]
fn opensshs_own_format_is_read_with_opensshs_strictness() {
    let key = openssh();
    assert!(reads(&key));
    assert!(reads(&format!("{key}whatever follows")));
    assert!(
        reads(&key.replace("\nb3", "\n  b3")),
        "white space in the body"
    );
    assert!(!reads(key.trim_end()), "the footer's line break");
    assert!(!reads(&key.replace('\n', "\r\n")));
    assert!(!reads(&format!("\n{key}")));
    assert_eq!(
        decode(key.trim_end().as_bytes()),
        Err(ContainerError::NoFooter)
    );
}

#[test]
fn pem_is_read_with_openssls_patience() {
    let key = pem();
    assert!(reads(&key));
    assert!(reads(key.trim_end()));
    assert!(reads(&key.replace('\n', "\r\n")));
    assert!(reads(&format!("# a comment\n\n{key}")));
    assert!(!reads(&format!("  {key}")));
}

#[test]
fn whole_keys_are_not_called_damaged() {
    for key in [openssh(), pem()] {
        assert_eq!(names(&key), Vec::<String>::new());
        assert_eq!(names(&format!("{key}\n\n")), Vec::<String>::new());
    }
    assert_eq!(
        names(&format!("Bag Attributes\n\n{}", pem())),
        Vec::<String>::new()
    );
}

#[test]
fn damage_is_named_and_undone() {
    let (key, rsa) = (openssh(), pem());
    let cases: [(String, &[&str]); 14] = [
        (key.replace('\n', "\\n"), &["escaped-newlines"]),
        (key.replace('\n', "\r\n"), &["crlf"]),
        (rsa.replace('\n', "\r"), &["cr"]),
        (key.replace('\n', " "), &["spaces", "no-final-newline"]),
        (key.replace('\n', ""), &["one-line", "no-final-newline"]),
        (key.trim_end().to_owned(), &["no-final-newline"]),
        (format!("\u{feff}{rsa}"), &["bom"]),
        (format!("'{rsa}'"), &["quotes"]),
        (openssl::base64::encode_block(key.as_bytes()), &["base64"]),
        (
            key.replace([' ', '\n'], ""),
            &["blanks", "one-line", "no-final-newline"],
        ),
        (rsa.replace(' ', ""), &["blanks"]),
        (rsa.replace("TE KEY", "TE  KEY"), &["blanks"]),
        (key.replace(' ', "_"), &["blanks"]),
        (
            format!(
                "data:application/octet-stream;base64,{}",
                openssl::base64::encode_block(key.as_bytes())
            ),
            &["data-url", "base64"],
        ),
    ];
    for (content, expected) in cases {
        let damage = diagnose(content.as_bytes()).expect(expected[0]);
        assert_eq!(damage.names(), expected);
        let repaired = damage.repaired.clone().expect(expected[0]);
        assert!(reads(&repaired.expose()), "{expected:?}");
    }
}

#[test]
fn the_repair_to_paste_leads_to_the_same_file_and_to_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let damage = diagnose(openssh().trim_end().as_bytes()).unwrap();
    let first = |name: &str| {
        let path = folder.path().join(name);
        let _ = std::fs::write(&path, "");
        damage.finding(&path, false, true).fixes().remove(0)
    };
    let pasted = |name: &str| -> Vec<String> {
        let here = format!("{}/", folder.path().display());
        let words = shlex::split(&first(name).command.unwrap()).unwrap();
        words.iter().map(|word| word.replace(&here, "")).collect()
    };
    let command =
        |from: &str, to: &str| ["dbdoctor", "key", from, "--repair", to].map(str::to_owned);
    assert_eq!(pasted("id"), command("id", "id.repaired"));
    std::fs::write(folder.path().join("id.repaired"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("id.repaired-2")).unwrap();
    assert_eq!(pasted("id"), command("id", "id.repaired-3"));
    assert_eq!(pasted("$(b)'c d"), command("$(b)'c d", "$(b)'c d.repaired"));
    // A name that is not shown as it is would lead elsewhere.
    let odd = first("a\u{202e}b");
    assert_eq!(odd.command, None);
    assert!(odd.text.contains("--repair FILE"), "{}", odd.text);
    // Nor does a stream come twice.
    nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = damage.finding(&folder.path().join("pipe"), false, true);
    assert_eq!(pipe.fixes()[0].command, None);
    let stdin = damage.finding("/dev/stdin".as_ref(), false, true);
    assert_eq!(stdin.fixes()[0].command, None);
}

#[test]
fn what_openssh_would_not_read_is_not_offered() {
    let weak = Rsa::generate(512).unwrap().private_key_to_pem().unwrap();
    let weak = String::from_utf8(weak).unwrap().replace('\n', "\r");
    let another_type = openssh().replacen("QyNTUxOQ", "QyNTUxOA", 1);
    for text in [weak, another_type.trim_end().to_owned()] {
        let found = examined(text.as_bytes());
        assert!(found.repaired.is_none());
        let mut fixes = found.findings.iter().flat_map(Finding::fixes);
        assert!(fixes.all(|fix| !fix.command.is_some_and(|it| it.contains("--repair"))));
    }
    assert!(examined(openssh().trim_end().as_bytes()).repaired.is_some());
}

#[test]
fn what_is_lost_is_not_guessed() {
    let key = pem();
    let damage = diagnose(&key.as_bytes()[..key.len() / 2]).unwrap();
    assert_eq!(damage.names(), ["truncated"]);
    assert!(damage.repaired.is_none());
    assert!(
        damage.finding("id".as_ref(), false, true).fixes()[0]
            .command
            .is_none()
    );
}

#[test]
fn things_that_are_no_key_are_not_called_damaged() {
    for text in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(diagnose(text.as_bytes()).is_none(), "{text}");
    }
    let empty = "-----BEGIN OPENSSH PRIVATE KEY-----\n...\n-----END OPENSSH PRIVATE KEY-----\n";
    assert!(diagnose(empty.as_bytes()).is_none());
}

#[test]
fn passphrases_are_told_from_damage() {
    let key = Rsa::generate(1024).unwrap();
    let locked = key
        .private_key_to_pem_passphrase(Cipher::aes_256_cbc(), b"open sesame")
        .unwrap();
    assert!(envelope(&locked).encrypted);
    assert_eq!(open(&locked, "").err(), Some(KeyRefusal::Passphrase));
    assert_eq!(
        open(&locked, "open barley").err(),
        Some(KeyRefusal::Passphrase)
    );
    assert!(open(&locked, "open sesame").is_ok());
    let text = String::from_utf8(locked).unwrap();
    let indented = text.replace('\n', "\n  ");
    assert_eq!(
        open(indented.as_bytes(), "open sesame").err(),
        Some(KeyRefusal::Format)
    );
    assert_eq!(names(&indented), ["indentation"]);
}

#[test]
fn a_container_tells_its_public_half_without_a_passphrase() {
    let key = openssh();
    let container = Container::parse(&decode(key.as_bytes()).unwrap()).unwrap();
    assert_eq!(container.type_name(), "ssh-ed25519");
    assert!(container.public_key().is_some() && container.is_whole());
    assert_eq!(
        kind(key.as_bytes()),
        KeyFileKind::Private(PrivateForm::OpenSsh)
    );
}

#[test]
fn the_text_of_a_key_in_place_of_its_path_is_not_repeated() {
    let key = openssh();
    let shown = examine::shown_path(key.as_ref());
    assert!(!shown.contains("b3Blb"), "{shown}");
    let inline = NamedFile {
        path: key.clone().into(),
        named: true,
    };
    let found = examine::examine(&inline, None, 0, false);
    let said = format!("{:?} {:?} {}", found.facts, found.findings, found.summary);
    assert!(!said.contains("b3Blb"), "{said}");
    assert_eq!(found.findings[0].cause.code, "key.missing");
}

/// The codes of what is found of a file with this content and mode, as its
/// owner or as another user.
fn codes(content: &[u8], mode: u32, own: bool) -> Vec<&'static str> {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    let uid = nix::unistd::getuid().as_raw();
    judged(file.path(), if own { uid } else { uid + 1 })
}

fn judged(path: &std::path::Path, uid: u32) -> Vec<&'static str> {
    let named = NamedFile {
        path: path.to_owned(),
        named: true,
    };
    let found = examine::examine(&named, None, uid, false).findings;
    found.iter().map(|finding| finding.cause.code).collect()
}

#[test]
fn only_a_private_key_is_told_to_change_its_mode() {
    let key = openssh();
    let public =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC0bZyIpt0X45GEzB/TeuwaalaoYlMF/NUd7cQYJvm1W lab\n";
    let certificate = public.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com ");
    let pem_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let hollow = "-----BEGIN OPENSSH PRIVATE KEY-----\n...\n-----END OPENSSH PRIVATE KEY-----\n";
    let crlf = key.replace('\n', "\r\n");
    // What it is, and what is said of it where its mode is too open, too.
    let cases: [(&str, &str, &[&str], &[&str]); 9] = [
        ("a host name", "db.test\n", &["key.format"], &["key.format"]),
        ("a public key", public, &["key.public"], &["key.public"]),
        (
            "a certificate",
            &certificate,
            &["key.public"],
            &["key.public"],
        ),
        ("X.509", pem_certificate, &["key.public"], &["key.public"]),
        (
            "an empty file",
            "",
            &["key.not-a-file"],
            &["key.not-a-file"],
        ),
        ("a header alone", hollow, &["key.format"], &["key.format"]),
        ("a key", &key, &[], &["key.permissions"]),
        (
            "a damaged key",
            &crlf,
            &["key.mangled"],
            &["key.permissions", "key.mangled"],
        ),
        (
            "a PuTTY key",
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
            &["key.ppk"],
            &["key.ppk", "key.permissions"],
        ),
    ];
    for (what, content, shut, open) in cases {
        let content = content.as_bytes();
        assert_eq!(codes(content, 0o600, true), shut, "{what}, 0600");
        assert_eq!(codes(content, 0o644, true), open, "{what}, 0644");
        // The fix of key.owner changes owner and mode as well.
        let owned: Vec<&str> = open
            .iter()
            .map(|code| match *code {
                "key.permissions" => "key.owner",
                code => code,
            })
            .collect();
        assert_eq!(codes(content, 0o644, false), owned, "{what}, another's");
    }
    let folder = tempfile::tempdir().unwrap();
    let uid = nix::unistd::getuid().as_raw();
    assert_eq!(judged(folder.path(), uid), ["key.not-a-file"]);
    for path in ["/etc/hostname", "/etc/hosts"].map(std::path::Path::new) {
        if path.is_file() {
            assert_eq!(judged(path, 0), ["key.format"], "{}", path.display());
        }
    }
}

fn examined(content: &[u8]) -> examine::Examined {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let named = NamedFile {
        path: file.path().to_owned(),
        named: true,
    };
    let uid = nix::unistd::getuid().as_raw();
    examine::examine(&named, Some(&Secret::new("x")), uid, true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_content_is_too_strange(content in proptest::collection::vec(any::<u8>(), 0..600)) {
        examined(&content);
    }

    #[test]
    fn no_damage_is_too_strange(
        at in any::<prop::sample::Index>(),
        until in any::<prop::sample::Index>(),
        with in "[ -~\\n\\r\u{a0}\u{2014}]{0,12}",
        own_format in any::<bool>(),
    ) {
        let mut text = if own_format { openssh() } else { pem() };
        let (a, b) = (at.index(text.len()), until.index(text.len()));
        text.replace_range(a.min(b)..a.max(b), &with);
        let found = examined(text.as_bytes());
        let refused = found.findings.iter().any(|f| f.status == crate::finding::Status::Fail);
        // An RSA key of this size is weak; nothing else may be said of one that reads.
        prop_assert_eq!(!refused, reads(&text) || text.is_empty());
        if let Some(repaired) = found.repaired {
            prop_assert!(reads(&repaired.expose()));
        }
    }
}

/// Whether ssh-keygen reads this file and dbdoctor does too, and then the same key.
fn agree_with_ssh_keygen(text: &[u8], what: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let keygen = |args: &[&str]| {
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(args).arg("-f").arg(&file).output().unwrap()
    };
    let judge = keygen(&["-y"]);
    let ours = open(text, "");
    assert_eq!(judge.status.success(), ours.is_ok(), "{what}: {judge:?}");
    let Ok(ours) = ours else { return false };
    assert!(ours.private.is_some(), "{what}: cannot sign");
    let public = ours.public.to_openssh().unwrap();
    assert!(
        String::from_utf8_lossy(&judge.stdout).starts_with(public.trim()),
        "{what}"
    );
    // The same in OpenSSH's own form.
    assert!(keygen(&["-p", "-q", "-N", ""]).status.success());
    let own = open(&std::fs::read(&file).unwrap(), "").unwrap();
    assert_eq!(own.public.key_data(), ours.public.key_data(), "{what}");
    true
}

/// OpenSSH's own form of a key, unencrypted, from the fields of both halves.
fn container(public: &[&[u8]], pair: &[&[u8]]) -> Vec<u8> {
    use super::blob::put_string;
    let fields = |fields: &[&[u8]]| {
        let mut out = Vec::new();
        fields.iter().for_each(|field| put_string(&mut out, field));
        out
    };
    let mut private = [[7u8; 8].as_slice(), &fields(pair), &[0; 4]].concat();
    private.extend((1..).take((8 - private.len() % 8) % 8));
    let mut all = b"openssh-key-v1\0".to_vec();
    all.extend(fields(&[b"none", b"none", b""]));
    all.extend([0, 0, 0, 1]);
    all.extend(fields(&[&fields(public), &private]));
    let body = openssl::base64::encode_block(&all);
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
        .into()
}

/// A number as an `mpint`, with this many more zero bytes than it needs.
fn mpint(number: &openssl::bn::BigNumRef, zeros: usize) -> Vec<u8> {
    let digits = number.to_vec();
    let sign = digits.first().is_some_and(|first| first & 0x80 != 0);
    [vec![0; zeros + usize::from(sign)], digits].concat()
}

/// The smallest and largest private numbers of each curve, with leading zero bytes and bits,
/// and beyond, in each form; `ssh-keygen -y` is the judge.
#[test]
fn private_numbers_of_curves_are_bounded_as_openssh_bounds_them() {
    use openssl::bn::{BigNum, BigNumContext};
    use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
    use openssl::nid::Nid;
    for (nid, name) in [
        (Nid::X9_62_PRIME256V1, "nistp256"),
        (Nid::SECP384R1, "nistp384"),
        (Nid::SECP521R1, "nistp521"),
    ] {
        let group = EcGroup::from_curve_name(nid).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let mut order = BigNum::new().unwrap();
        group.order(&mut order, &mut context).unwrap();
        let number = |from: u32| BigNum::from_u32(from).unwrap();
        let mut scalars = vec![number(1), number(2)];
        for shift in [1, 7, 8, 9, 16] {
            let mut short = BigNum::new().unwrap();
            short.rshift(&order, shift).unwrap();
            scalars.push(short);
        }
        for less in 1..4 {
            scalars.push(&*order - &*number(less));
        }
        // Half the order's bits, one less and one more.
        for bit in [-2, -1, 0, 1] {
            let mut half = BigNum::new().unwrap();
            half.set_bit(order.num_bits() / 2 + bit).unwrap();
            scalars.push(half);
        }
        let mut taken = 0;
        for scalar in scalars {
            let what = format!("{name} {scalar}");
            let mut point = EcPoint::new(&group).unwrap();
            point.mul_generator2(&group, &scalar, &mut context).unwrap();
            let key = EcKey::from_private_components(&group, &scalar, &point).unwrap();
            let sec1 = key.private_key_to_pem().unwrap();
            let pkcs8 = PKey::from_ec_key(key).unwrap();
            let pkcs8 = pkcs8.private_key_to_pem_pkcs8().unwrap();
            taken += usize::from(agree_with_ssh_keygen(&sec1, &what));
            taken += usize::from(agree_with_ssh_keygen(&pkcs8, &what));
            let form = PointConversionForm::UNCOMPRESSED;
            let point = point.to_bytes(&group, form, &mut context).unwrap();
            let kind = format!("ecdsa-sha2-{name}");
            let compressed = PointConversionForm::COMPRESSED;
            let short = EcPoint::from_bytes(&group, &point, &mut context)
                .and_then(|point| point.to_bytes(&group, compressed, &mut context))
                .unwrap();
            let public = [kind.as_bytes(), name.as_bytes(), &short];
            let number = mpint(&scalar, 0);
            let pair = [&public[..], &[&number]].concat();
            assert!(!agree_with_ssh_keygen(&container(&public, &pair), &what));
            let public = [kind.as_bytes(), name.as_bytes(), &point];
            for zeros in [0, 1, 3] {
                let private = mpint(&scalar, zeros);
                let pair = [&public[..], &[&private]].concat();
                let own = container(&public, &pair);
                taken += usize::from(agree_with_ssh_keygen(&own, &what));
            }
        }
        assert!(taken > 30, "{name}: {taken}");
    }
}

/// RSA keys of unusual sizes and exponents, and Ed25519 keys of unusual seeds.
#[test]
fn numbers_of_other_keys_are_bounded_as_openssh_bounds_them() {
    use openssl::bn::BigNum;
    use openssl::pkey::Id;
    use openssl::rsa::Rsa;
    for (bits, exponent) in [
        (1016, "65537"),
        (1023, "65537"),
        (1024, "65537"),
        (1025, "65537"),
        (2047, "65537"),
        (2049, "65537"),
        (2048, "3"),
        (2048, "4294967297"),
        (2048, "36893488147419103233"),
    ] {
        let what = format!("RSA {bits} {exponent}");
        let exponent = BigNum::from_dec_str(exponent).unwrap();
        let rsa = Rsa::generate_with_e(bits, &exponent).unwrap();
        let pkcs8 = PKey::from_rsa(rsa.clone()).unwrap();
        let pkcs8 = pkcs8.private_key_to_pem_pkcs8().unwrap();
        agree_with_ssh_keygen(&rsa.private_key_to_pem().unwrap(), &what);
        agree_with_ssh_keygen(&pkcs8, &what);
        for zeros in [0, 1, 2] {
            let parts = [
                rsa.e(),
                rsa.n(),
                rsa.d(),
                rsa.iqmp().unwrap(),
                rsa.p().unwrap(),
                rsa.q().unwrap(),
            ];
            let [e, n, d, iqmp, p, q] = parts.map(|part| mpint(part, zeros));
            let public: [&[u8]; 3] = [b"ssh-rsa", &e, &n];
            let pair: [&[u8]; 7] = [b"ssh-rsa", &n, &e, &d, &iqmp, &p, &q];
            agree_with_ssh_keygen(&container(&public, &pair), &what);
        }
    }
    for seed in [[0u8; 32], [0xff; 32], [0x80; 32], [1; 32]] {
        let key = PKey::private_key_from_raw_bytes(&seed, Id::ED25519).unwrap();
        let public = key.raw_public_key().unwrap();
        let both = [&seed[..], &public].concat();
        let own = container(
            &[b"ssh-ed25519", &public],
            &[b"ssh-ed25519", &public, &both],
        );
        assert!(agree_with_ssh_keygen(&own, "Ed25519"));
        let pkcs8 = key.private_key_to_pem_pkcs8().unwrap();
        agree_with_ssh_keygen(&pkcs8, "Ed25519 in PKCS#8");
    }
}
