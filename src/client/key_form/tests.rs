use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

fn key<'a>(path: &'a Path, form: Form, has_password: bool) -> KeyFile<'a> {
    KeyFile {
        path,
        form,
        mode: Some(0o600),
        is_roots: false,
        has_password,
    }
}

/// The form and the ending of a file that `record_keys.py` calls so.
fn recorded(name: &str) -> Option<(Form, &'static str)> {
    let (form, ending) = name.split_once(' ').unwrap_or((name, ""));
    let form = match form {
        "pkcs1" => Form::Pkcs1,
        "sec1" => Form::Sec1,
        "pkcs8" => Form::Pkcs8,
        "pkcs8-der" => Form::Pkcs8Der,
        "pkcs1-der" | "sec1-der" => Form::TraditionalDer,
        "pkcs1-encrypted" | "sec1-encrypted" => Form::PemEncrypted,
        "pkcs8-encrypted" => Form::Pkcs8Encrypted,
        "pkcs8-encrypted-der" => Form::Pkcs8EncryptedDer,
        "pkcs8-encrypted-pbes2-der" => Form::Pkcs8Pbes2Der,
        "pkcs12" => Form::Pkcs12,
        "openssh" => Form::OpenSsh,
        _ => return None,
    };
    let ending = [".pem", ".pk8", ".der", ".p12"]
        .into_iter()
        .find(|known| *known == ending);
    Some((form, ending.unwrap_or(".key")))
}

#[test]
fn real_drivers_say_the_same() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/keys.tsv");
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in std::fs::read_to_string(table).unwrap().lines() {
        let [name, password, driver, said] = line.split('\t').collect::<Vec<_>>()[..] else {
            continue;
        };
        let (_, form) = name.split_once(' ').unwrap();
        let open = form == "pkcs8 mode-0644";
        let form = if open { "pkcs8" } else { form };
        let (form, ending) = recorded(form).unwrap_or_else(|| panic!("{line}"));
        // The measured one, but for lib/pq, whose look at the mode was not run.
        let version = match driver {
            "pgjdbc" => "@42.5.5",
            "lib-pq" if open => continue,
            _ => "",
        };
        let driver = Driver::parse(&format!("{driver}{version}")).unwrap();
        let path = format!("KEY{ending}");
        let file = KeyFile {
            mode: Some(if open { 0o644 } else { 0o600 }),
            ..key(Path::new(&path), form, password == "given")
        };
        compared += 1;
        let ours = refusal(&driver, &file).map(|refusal| refusal.text.replace(&path, "KEY"));
        let agrees = match &ours {
            None => said == "ok",
            Some(text) => said.contains(text.as_str()),
        };
        if !agrees {
            wrong.push(format!("{line}\n    ours: {ours:?}"));
        }
    }
    assert!(compared > 250, "{compared}");
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn versions_decide() {
    let said = |driver: &str, path: &str, form| {
        let driver = Driver::parse(driver).unwrap();
        refusal(&driver, &key(Path::new(path), form, false)).map(|refusal| refusal.text)
    };
    assert!(said("pgjdbc@42.5", "client.key", Form::Pkcs8).is_some());
    assert_eq!(said("pgjdbc@42.7.9", "client.key", Form::Pkcs8), None);
    let named = said("pgjdbc@42.7.9", "client.pem", Form::Pkcs1);
    assert_eq!(named.as_deref(), Some("Could not load the private key"));
    let open = KeyFile {
        mode: Some(0o640),
        ..key(Path::new("client.key"), Form::Pkcs8, false)
    };
    let libpq = Driver::libpq();
    assert!(refusal(&libpq, &open).is_some());
    let roots = KeyFile {
        is_roots: true,
        ..open
    };
    assert_eq!(refusal(&libpq, &roots), None);
    assert!(!is_known(&Driver::parse("npgsql").unwrap()));
}

/// Runs a shell's command in a folder, with this on its standard input, and no terminal.
fn shell(folder: &Path, command: &str, input: &str) {
    let mut child = Command::new("setsid")
        .args(["-w", "sh", "-ec", command])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn forms_are_told_and_the_commands_mend_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let pass = "-passout pass:opensesame";
    for (name, form, command) in [
        (
            "a.key",
            Form::Pkcs1,
            "openssl genrsa -traditional -out a.key 2048".to_owned(),
        ),
        (
            "b.key",
            Form::Pkcs8,
            "openssl pkey -in a.key -out b.key".to_owned(),
        ),
        (
            "c.key",
            Form::Sec1,
            "openssl ecparam -genkey -noout -name prime256v1 -out c.key".to_owned(),
        ),
        (
            "d e.key",
            Form::PemEncrypted,
            format!("openssl rsa -aes256 -traditional -in a.key -out 'd e.key' {pass}"),
        ),
        (
            "f.key",
            Form::Pkcs8Encrypted,
            format!("openssl pkcs8 -topk8 -in a.key -out f.key {pass}"),
        ),
        (
            "g.pk8",
            Form::Pkcs8Der,
            "openssl pkcs8 -topk8 -nocrypt -in a.key -outform DER -out g.pk8".to_owned(),
        ),
        (
            "h.der",
            Form::TraditionalDer,
            "openssl rsa -traditional -in a.key -outform DER -out h.der".to_owned(),
        ),
        (
            "i.der",
            Form::TraditionalDer,
            "openssl ec -in c.key -outform DER -out i.der".to_owned(),
        ),
        (
            "j.pk8",
            Form::Pkcs8EncryptedDer,
            format!(
                "openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in a.key -outform DER -out j.pk8 {pass}"
            ),
        ),
        (
            "k.pk8",
            Form::Pkcs8Pbes2Der,
            format!("openssl pkcs8 -topk8 -in a.key -outform DER -out k.pk8 {pass}"),
        ),
        (
            "l.p12",
            Form::Pkcs12,
            format!(
                "openssl req -x509 -key a.key -subj /CN=x -out l.crt && openssl pkcs12 -export -in l.crt -inkey a.key -out l.p12 {pass}"
            ),
        ),
        (
            "m.key",
            Form::OpenSsh,
            "ssh-keygen -q -t rsa -b 2048 -N '' -f m.key".to_owned(),
        ),
    ] {
        shell(folder, &command, "");
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(Form::of(&bytes), Some(form), "{name}");
        for driver in [
            "libpq",
            "asyncpg",
            "node-postgres",
            "pgjdbc@42.5.5",
            "pgx",
            "lib-pq",
            "sqlx/rustls",
            "sqlx/native-tls",
        ] {
            let driver = Driver::parse(driver).unwrap();
            let Some(refused) = refusal(&driver, &key(Path::new(name), form, false)) else {
                continue;
            };
            shell(folder, &refused.command, "opensesame\n");
            let mended = std::fs::read(folder.join(&refused.file)).unwrap();
            let form = Form::of(&mended).unwrap();
            let again = refusal(&driver, &key(Path::new(&refused.file), form, false));
            assert_eq!(again, None, "{driver}: {name}: {}", refused.command);
            std::fs::remove_file(folder.join(&refused.file)).unwrap();
        }
    }
    assert_eq!(Form::of(b"-----BEGIN CERTIFICATE-----\n"), None);
    assert_eq!(Form::of(&[0x30]), None);
    assert_eq!(Form::of(b""), None);
}
