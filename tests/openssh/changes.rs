//! What is changed on a configuration that gets through. What dbdoctor says that it does not
//! follow is not among it, and a scenario of its own says what becomes of it:
//! * `ProxyUseFdpass`, `PKCS11Provider`, `VerifyHostKeyDNS`, `CanonicalizeHostname yes`:
//!   `config.ssh.unsupported`;
//! * `Match version`: the same; `localnetwork`, `tagged`, `sessiontype` and `command`: the ssh
//!   that is installed may not know them;
//! * `ControlPath` of a running master: ssh would not log in at all;
//! * `ForwardAgent` with a socket that is not there, at which ssh stops: dbdoctor forwards none;
//! * passphrases and passwords: ssh has nobody to ask here, nor has dbdoctor.

use anyhow::Result;

use crate::bench::{Bench, public};
use crate::dice::Dice;
use crate::draft::{Draft, shown};

type Change = fn(&mut Draft, &mut Dice, &Bench) -> Result<()>;

/// All of them, by name.
pub const ALL: &[(&str, Change)] = &[
    ("host line", host_line),
    ("host line", host_line),
    ("match line", match_line),
    ("match line", match_line),
    ("match exec", match_exec),
    ("earlier block", earlier_block),
    ("later block", later_block),
    ("include", include),
    ("host name", host_name),
    ("port", port),
    ("user", user),
    ("known_hosts lines", known_lines),
    ("known_hosts lines", known_lines),
    ("known_hosts files", known_files),
    ("known_hosts command", known_hosts_command),
    ("bind", bind),
    ("strict", strict),
    ("alias", host_key_alias),
    ("host key algorithms", host_key_algorithms),
    ("identity", identity),
    ("identity", identity),
    ("default identity", default_identity),
    ("agent", agent),
    ("agent", agent),
    ("methods", methods),
    ("homes", homes),
    ("command", proxy_command),
    ("command", proxy_command),
    ("jump", proxy_jump),
    ("jump", proxy_jump),
    ("file", config_file),
    ("line", line),
    ("line", line),
    ("algorithms", algorithms),
];

fn host_line(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    let alias = draft.alias.clone();
    draft.opening = dice
        .of(&[
            "Host other A",
            "Host A*",
            "Host *",
            "Host ?astion",
            "Host \"A\"",
            "Host=A",
            "host = \"A\" other",
            "HOST\tA",
            "Host * !other",
            "Host !other *",
            "Host !other !else A # said",
            // ssh does not find its host in these.
            "Host * !A",
            "Host !A",
            "Host BASTION",
            "Host A.*",
            "Host other,A",
            "Host !b* *",
            "Host \"A other\"",
            "Host 127.0.0.1",
        ])
        .replace('A', &alias);
    Ok(())
}

fn match_line(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let me = bench.lab.user()?;
    draft.opening = dice
        .of(&[
            "Match host A",
            "Match host other,A",
            "Match host !other,b*",
            "Match host=A",
            "Match host = A",
            "Match host \"A\"",
            "Match host BASTION",
            "Match originalhost A",
            "Match originalhost BASTION",
            "Match !host other",
            "Match !originalhost other host A",
            "Match host A user ME",
            "Match user ME",
            "Match localuser ME",
            "Match localuser \"ME,other\" host A",
            "Match !localuser other",
            "Match all",
            "match ALL",
            "Match final all",
            "Match final host 127.0.0.1",
            "Match final originalhost A",
            "Match !final host A",
            "Match host A # said",
            "Match canonical all",
            "Match !canonical host A",
            "Match host A all",
            "Match all host A",
            "Match !all",
            "Match host other",
            "Match host *,!A",
            "Match originalhost A host other",
            "Match host A user other",
            "Match !user ME",
            "Match localuser other",
            "Match host 127.0.0.1",
            "Match",
            "Match host",
            "Match nonsense A",
            "Match host A,",
        ])
        .replace('A', &draft.alias)
        .replace("ME", &me);
    // The name is known by then.
    if dice.once_in(4) {
        draft
            .before
            .push("Host b*\n  HostName 127.0.0.1".to_owned());
    }
    Ok(())
}

fn match_exec(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    draft.opening = dice
        .of(&[
            "Match exec true",
            "Match exec false",
            "Match !exec false",
            "Match !exec \"exit 3\"",
            "Match host A exec \"test %h = A\"",
            "Match exec \"test %n = A\"",
            "Match exec \"test %h = 127.0.0.1\"",
            "Match exec \"test %r = root\"",
            "Match exec \"test %p = 22\"",
            "Match exec \"test %u = root\"",
            "Match exec \"test -d %d/.ssh\"",
            "Match exec \"test \\\"$HOME\\\" = %d\"",
            "Match exec \"[ -n \\\"$SSH_AUTH_SOCK\\\" ]\"",
            "Match exec \"echo words; true\"",
            "Match exec \"nonsense-command\"",
            "Match exec \"grep -q A %d/.ssh/config\"",
            "Match exec \"test %i = 0\"",
            "Match exec \"test %k = A\"",
            "Match exec \"test %% = %\"",
            "Match exec \"test %X = A\"",
            "Match exec",
            "Match host other exec \"touch %d/ran; true\"",
        ])
        .replace('A', &draft.alias);
    Ok(())
}

fn earlier_block(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let opening = *dice.of(&[
        "Host other",
        "Host *",
        "Host b* !bastion",
        "Match host other",
        "Match user nobody",
        "Match final all",
        "Match originalhost b*",
        "",
    ]);
    let setting = one_setting(dice, bench)?;
    draft.before.push(format!("{opening}\n  {setting}"));
    Ok(())
}

fn later_block(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let opening = *dice.of(&[
        "Host *",
        "Host bastion",
        "Host other",
        "Match all",
        "Match final all",
        "Match host 127.0.0.1",
        "Match host bastion",
        "Match originalhost bastion",
    ]);
    let setting = one_setting(dice, bench)?;
    draft.after.push(format!("{opening}\n  {setting}"));
    if dice.once_in(2) {
        let gone = [
            "User",
            "Port",
            "HostName",
            "IdentityFile",
            "UserKnownHostsFile",
        ];
        let gone = *dice.of(&gone);
        if let Some((_, value)) = draft.settings.iter().find(|(key, _)| key == gone).cloned() {
            draft.after.push(format!("  {gone} {value}"));
            draft.drop(gone);
        }
    }
    Ok(())
}

/// A setting that may spoil everything where it counts.
fn one_setting(dice: &mut Dice, bench: &Bench) -> Result<String> {
    Ok(dice
        .of(&[
            format!("Port {}", bench.closed),
            format!("Port {}", bench.sshd.port()),
            "User nobody".to_owned(),
            "HostName localhost".to_owned(),
            "HostName nowhere.invalid".to_owned(),
            "UserKnownHostsFile /dev/null".to_owned(),
            "UserKnownHostsFile none".to_owned(),
            format!("IdentityFile {}", shown(&bench.stranger)),
            "IdentityFile none".to_owned(),
            "IdentitiesOnly yes".to_owned(),
            "PubkeyAuthentication no".to_owned(),
            "StrictHostKeyChecking no".to_owned(),
            "StrictHostKeyChecking accept-new".to_owned(),
            "HostKeyAlias nobody".to_owned(),
            "ProxyCommand false".to_owned(),
            "ProxyJump none".to_owned(),
            "Nonsense yes".to_owned(),
            "BatchMode maybe".to_owned(),
        ])
        .clone())
}

fn include(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    let name = draft.name(".ssh/included");
    let path = draft.home.join(&name);
    let base = name.trim_start_matches(".ssh/").to_owned();
    let line = match dice.below(10) {
        0 => format!("Include {base}"),
        1 => format!("Include \"{}\"", path.display()),
        2 => format!("Include ~/{name}"),
        3 => format!("Include nowhere {base}"),
        4 => "Include included-*".to_owned(),
        5 => format!("Include={}", path.display()),
        6 => format!("Host b*\n  Include {base}"),
        7 => format!("Host other\n  Include {base}"),
        8 => format!("Match user nobody\n  Include {base}"),
        _ => format!("Include {}/../{base}", path.display()),
    };
    draft.included = Some((path, line));
    Ok(())
}

fn host_name(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    match dice.below(10) {
        0 => draft.set("HostName", "localhost"),
        1 => {
            draft.set("HostName", "localhost");
            draft.known = vec![format!(
                "{} {}",
                bench.name("localhost"),
                bench.host_key(0)?
            )];
        }
        2 => {
            draft.set("HostName", "LOCALHOST");
            draft.known = vec![format!(
                "{} {}",
                bench.name("localhost"),
                bench.host_key(1)?
            )];
        }
        3 => {
            draft.alias = "127.0.0.1".to_owned();
            draft.set("HostName", "%h");
            draft.opening = "Host 127.*".to_owned();
        }
        4 => {
            draft.alias = "1".to_owned();
            draft.set("HostName", "127.0.0.%h");
            draft.opening = "Host ?".to_owned();
        }
        5 => draft.set("HostName", "127.0.0.1%%"),
        6 => draft.set("HostName", "127.0.0.%p"),
        7 => draft.drop("HostName"),
        8 => {
            draft.alias = "localhost".to_owned();
            draft.opening = "Host LOCALHOST localhost".to_owned();
            draft.drop("HostName");
        }
        _ => draft.set("HostName", "127.1"),
    }
    Ok(())
}

fn port(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let own = bench.sshd.port();
    match dice.below(8) {
        0 => draft.set("Port", bench.closed),
        1 => draft.set("Port", format!("0{own}")),
        2 => draft.set("Port", "ssh"),
        3 => draft.set("Port", bench.jump.port()),
        4 => draft.add("Port", bench.closed),
        5 => {
            draft.drop("Port");
            draft.alias = format!("ssh://bastion:{own}");
        }
        6 => draft.set("Port", "70000"),
        _ => draft.set("Port", bench.pg.conn().get("port").unwrap_or_default()),
    }
    Ok(())
}

fn user(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let me = bench.lab.user()?;
    match dice.below(7) {
        0 => draft.set("User", "nobody"),
        1 => draft.set("User", "no-such-user"),
        2 => draft.drop("User"),
        3 => {
            draft.set("User", "nobody");
            draft.alias = format!("{me}@{}", draft.alias);
        }
        4 => draft.alias = format!("nobody@{}", draft.alias),
        5 => draft.set("User", "%u"),
        _ => draft.set("User", "two words"),
    }
    Ok(())
}

fn known_lines(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let name = bench.name("127.0.0.1");
    let (ed25519, ecdsa) = (bench.host_key(0)?, bench.host_key(1)?);
    let wrong = public(&bench.stranger)?;
    let authority = public(&bench.authority)?;
    let port = bench.sshd.port();
    let fine = |name: &str| format!("{name} {ed25519}");
    draft.known = match dice.below(36) {
        0 => vec![],
        1 => vec![fine(&name)],
        2 => vec![format!("{name} {ecdsa}")],
        3 => vec![format!("{name} {}", bench.host_key(2)?)],
        4 => vec![format!("{name} {wrong}")],
        5 => vec![format!("{name} {wrong}"), format!("{name} {ecdsa}")],
        6 => vec![format!("{name} {wrong}"), fine(&name)],
        7 => vec![fine("127.0.0.1")],
        8 => vec![fine("127.0.0.1"), format!("{name} {wrong}")],
        9 => vec![fine(&format!("[127.0.0.*]:{port}"))],
        10 => vec![fine(&format!("*,!{name}"))],
        11 => vec![fine(&format!("!{name},*"))],
        12 => vec![fine("*")],
        13 => vec![fine(&format!("[127.0.0.1]:{}", bench.closed))],
        14 => vec![fine(&format!("other,{name}"))],
        15 => vec![format!("@cert-authority {name} {authority}")],
        16 => vec![format!("@cert-authority * {authority}")],
        17 => vec![
            format!("@cert-authority * {authority}"),
            format!("@revoked * {ed25519}"),
        ],
        18 => vec![format!("@revoked {name} {ed25519}"), fine(&name)],
        19 => vec![fine(&name), format!("@revoked * {ecdsa}")],
        20 => vec![format!("@revoked * {authority}"), fine(&name)],
        21 => vec![
            format!("@revoked * {authority}"),
            format!("@cert-authority * {authority}"),
        ],
        22 => vec![format!("@cert-authority {name} {wrong}")],
        23 => vec![format!("@cert-authority {name} {wrong}"), fine(&name)],
        24 => vec![format!("@nonsense {name} {ed25519}")],
        25 => vec![
            "# said".to_owned(),
            String::new(),
            format!("  {name}\t{ed25519} comment"),
        ],
        26 => vec!["nonsense".to_owned(), fine(&name)],
        27 => vec![format!("{name} ssh-ed25519 AAAA"), fine(&name)],
        28 => vec![format!(
            "{name} ssh-rsa {}",
            ed25519.trim_start_matches("ssh-ed25519 ")
        )],
        29 => vec![fine(&bench.name("localhost"))],
        30 => vec![fine(&format!("127.0.0.1:{port}"))],
        31 => vec![bench.hashed(&name, 0)?],
        32 => vec![bench.hashed(&name, 1)?],
        33 => vec![bench.hashed("127.0.0.1", 0)?],
        34 => vec![bench.hashed(&bench.name("localhost"), 0)?],
        _ => vec![format!("{name} {wrong}"), bench.hashed(&name, 0)?],
    };
    Ok(())
}

fn known_files(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let known = shown(&draft.home.join("known"));
    let lines = draft.known.join("\n") + "\n";
    let name = bench.name("127.0.0.1");
    let wrong = format!("{name} {}\n", public(&bench.stranger)?);
    match dice.below(14) {
        0 => draft.set("UserKnownHostsFile", format!("/nowhere/known {known}")),
        1 => draft.set("UserKnownHostsFile", format!("{known} /nowhere/known")),
        2 => draft.set("UserKnownHostsFile", "/nowhere/known"),
        3 => draft.set("UserKnownHostsFile", "~/known"),
        4 => draft.set("UserKnownHostsFile", "%d/known"),
        5 => draft.set("UserKnownHostsFile", "${HOME}/known"),
        6 => draft.set("UserKnownHostsFile", "none"),
        7 => {
            draft.set("UserKnownHostsFile", "none");
            draft.set("GlobalKnownHostsFile", known);
        }
        8 => {
            let other = draft.file("wrong", wrong, 0o600)?;
            draft.set("GlobalKnownHostsFile", shown(&other));
        }
        9 => {
            let other = draft.file("wrong", wrong, 0o600)?;
            draft.set("UserKnownHostsFile", format!("{} {known}", shown(&other)));
        }
        10 => {
            draft.drop("UserKnownHostsFile");
            draft.file(".ssh/known_hosts", lines, 0o600)?;
        }
        11 => {
            draft.drop("UserKnownHostsFile");
            draft.file(".ssh/known_hosts2", lines, 0o600)?;
        }
        12 => draft.set("UserKnownHostsFile", "%d/%k-known"),
        _ => draft.set("UserKnownHostsFile", "${NOT_SET}/known"),
    }
    Ok(())
}

fn known_hosts_command(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let keys: Vec<String> = (0..3)
        .map(|which| bench.host_key(which))
        .collect::<Result<_>>()?;
    let wrong = public(&bench.stranger)?;
    let (name, which) = (bench.name("127.0.0.1"), dice.below(3));
    let script = dice
        .of(&[
            "#!/bin/sh\necho \"$2 KEY\"\n",
            "#!/bin/sh\necho \"$2 KEY\"\n",
            "#!/bin/sh\necho 'NAME KEY'\n",
            "#!/bin/sh\necho \"$2 WRONG\"\n",
            "#!/bin/sh\necho \"@revoked $2 KEY\"\n",
            "#!/bin/sh\n[ $3 = NONE ] || echo \"$2 $3 $4\"\n",
            "#!/bin/sh\n[ $1 = ORDER ] && echo \"$2 KEY\"\n",
            "#!/bin/sh\n[ $1 = ORDER ] || echo \"$2 KEY\"\n",
            "#!/bin/sh\necho \"$2 KEY\"\nexit 1\n",
            "#!/bin/sh\nkill -KILL $$\n",
            "#!/bin/sh\n",
            "echo \"$2 KEY\"\n",
            "#!/nowhere/sh\n",
        ])
        .replace("KEY", &keys[which])
        .replace("NAME", &name)
        .replace("WRONG", &wrong);
    let mode = if dice.once_in(10) { 0o644 } else { 0o755 };
    let script = draft.file("lookup", script, mode)?;
    let command = dice
        .of(&[
            "SCRIPT %I %H %t %K",
            "SCRIPT %I %H %t %K",
            "SCRIPT %I %H %t %K",
            "SCRIPT \"%I\" '%H' %t %K # %z",
            "SCRIPT %I %H",
            "SCRIPT",
            "lookup %I %H %t %K",
            "/nowhere/lookup %I %H",
            "SCRIPT %I %H %t '%K",
            "SCRIPT %I %H %U",
            "SCRIPT %I ${NOT_SET}",
            "none",
            "/bin/cat KNOWN",
            "~/lookup %I %H %t %K",
        ])
        .replace("SCRIPT", &shown(&script))
        .replace("KNOWN", &shown(&draft.home.join("known")));
    draft.set("KnownHostsCommand", command);
    // Often nothing else knows the server.
    if dice.once_in(2) {
        draft.set("UserKnownHostsFile", "none");
    }
    Ok(())
}

fn bind(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    let address = dice.of(&[
        "127.0.0.1",
        "127.0.0.9",
        "localhost",
        "0.0.0.0",
        "127.1",
        "::1",
        "198.51.100.7",
        "nobody.invalid",
        "*",
    ]);
    let interface = dice.of(&["lo", "lo", "tun9", "none"]);
    match dice.below(3) {
        0 => draft.set("BindInterface", interface),
        1 => {
            draft.set("BindAddress", address);
            draft.set("BindInterface", interface);
        }
        _ => draft.set("BindAddress", address),
    }
    Ok(())
}

fn strict(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let values = [
        "yes",
        "no",
        "off",
        "accept-new",
        "ask",
        "NO",
        "true",
        "maybe",
    ];
    draft.set("StrictHostKeyChecking", dice.of(&values));
    match dice.below(5) {
        0 => draft.known = vec![],
        1 => {
            draft.known = vec![format!(
                "{} {}",
                bench.name("127.0.0.1"),
                public(&bench.stranger)?
            )]
        }
        2 => draft.set("NoHostAuthenticationForLocalhost", dice.of(&["yes", "no"])),
        3 => {
            let revoked = public(&bench.stranger)?;
            draft.known.push(format!("@revoked * {revoked}"));
        }
        _ => draft.known = vec![format!("@revoked * {}", bench.host_key(0)?)],
    }
    Ok(())
}

fn host_key_alias(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    draft.set(
        "HostKeyAlias",
        dice.of(&["named", "NAMED", "nobody", "127.0.0.1", "%h"]),
    );
    let key = bench.host_key(0)?;
    match dice.below(5) {
        0 => draft.known.push(format!("named {key}")),
        1 => draft.known = vec![format!("{} {key}", bench.name("named"))],
        2 => draft.known = vec![bench.hashed("named", 0)?],
        3 => {
            draft.known = vec![format!(
                "@cert-authority named {}",
                public(&bench.authority)?
            )]
        }
        _ => {}
    }
    Ok(())
}

fn host_key_algorithms(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let value = *dice.of(&[
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "rsa-sha2-512,rsa-sha2-256",
        "-ssh-ed25519*",
        "-ssh-ed25519,ssh-ed25519-cert-v01@openssh.com",
        "^ssh-ed25519",
        "^rsa-sha2-256",
        "+ssh-rsa",
        "ssh-rsa",
        "ssh-ed25519-cert-v01@openssh.com",
        "-*cert*",
        "ecdsa-sha2-nistp521",
        "ssh-dss",
        "nonsense",
        "+nonsense",
        "-nonsense",
    ]);
    draft.set("HostKeyAlgorithms", value);
    let name = bench.name("127.0.0.1");
    match dice.below(4) {
        0 => draft.known = vec![format!("{name} {}", bench.host_key(0)?)],
        1 => {
            draft.known = vec![format!(
                "@cert-authority {name} {}",
                public(&bench.authority)?
            )]
        }
        2 => draft.known = vec![format!("{name} {}", bench.host_key(2)?)],
        _ => {}
    }
    Ok(())
}

fn identity(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let text = std::fs::read(&bench.key)?;
    let public_text = std::fs::read(bench.key.with_extension("pub"))?;
    match dice.below(22) {
        0 => draft.set("IdentityFile", shown(&bench.stranger)),
        1 => draft.set("IdentityFile", "/nowhere/id"),
        2 => draft.set("IdentityFile", shown(&bench.locked)),
        3 => draft.set("IdentityFile", shown(&bench.key.with_extension("pub"))),
        4 => draft.set("IdentityFile", "none"),
        5 => draft.drop("IdentityFile"),
        6 => draft.add("IdentityFile", shown(&bench.stranger)),
        7 => {
            draft.set("IdentityFile", "/nowhere/id");
            draft.add("IdentityFile", shown(&bench.stranger));
            draft.add("IdentityFile", shown(&bench.key));
        }
        8 => {
            let mode = *dice.of(&[0o600, 0o400, 0o640, 0o644, 0o660, 0o700, 0o604, 0o000]);
            draft.file("key", text, mode)?;
            draft.set("IdentityFile", dice.of(&["~/key", "%d/key", "${HOME}/key"]));
        }
        9 => {
            draft.file("key-bastion", text, 0o600)?;
            draft.set(
                "IdentityFile",
                dice.of(&["~/key-%n", "~/key-%h", "%d/key-%k", "~/key-%r"]),
            );
        }
        10 => {
            draft.file("a key", text, 0o600)?;
            let spelled = ["\"~/a key\"", "~/a\\ key", "'~/a key'", "~/a key"];
            draft.set("IdentityFile", dice.of(&spelled));
        }
        11 => {
            draft.file("key", &text[..text.len() / 2], 0o600)?;
            draft.set("IdentityFile", "~/key");
        }
        12 => {
            draft.file("key", text, 0o600)?;
            draft.file("key.pub", "nonsense\n", 0o644)?;
            draft.set("IdentityFile", "~/key");
        }
        13 => {
            draft.file("key", text, 0o600)?;
            let other = std::fs::read(bench.stranger.with_extension("pub"))?;
            draft.file("key.pub", other, 0o644)?;
            draft.set("IdentityFile", "~/key");
        }
        14 => {
            draft.file("key.pub", public_text, 0o644)?;
            draft.set("IdentityFile", "~/key");
        }
        15 => {
            draft.set("IdentityFile", "none");
            draft.add("IdentityFile", shown(&bench.key));
        }
        16 => {
            draft.file("key", text, 0o600)?;
            draft.set("IdentityFile", "key");
        }
        17 => {
            draft.set("IdentityFile", shown(&bench.stranger));
            draft.set("IdentitiesOnly", "yes");
        }
        18 => draft.set("IdentityFile", "%X/key"),
        19 => draft.set("CertificateFile", "/nowhere/cert"),
        20 => {
            // More wrong keys than the server takes.
            draft.drop("IdentityFile");
            for n in 0..7 {
                let stranger = draft.file(&format!("wrong-{n}"), bench.wrong_key(n)?, 0o600)?;
                draft.add("IdentityFile", shown(&stranger));
            }
            draft.add("IdentityFile", shown(&bench.key));
        }
        _ => draft.set("IdentityFile", "\"\""),
    }
    Ok(())
}

fn default_identity(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let text = std::fs::read(&bench.key)?;
    let names = [
        "id_ed25519",
        "id_rsa",
        "id_ecdsa",
        "id_dsa",
        "id_ed25519_sk",
        "id_xmss",
        "id",
    ];
    let name = format!(".ssh/{}", dice.of(&names));
    draft.file(&name, text, *dice.of(&[0o600, 0o600, 0o600, 0o644]))?;
    match dice.below(4) {
        0 => draft.set("IdentityFile", shown(&bench.stranger)),
        1 => draft.set("IdentitiesOnly", "yes"),
        _ => {}
    }
    if dice.below(4) > 0 {
        draft.drop("IdentityFile");
    }
    Ok(())
}

fn agent(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let agents = [
        shown(bench.agent.socket()),
        shown(bench.other_agent.socket()),
        shown(bench.empty_agent.socket()),
        "/nowhere/agent".to_owned(),
        String::new(),
    ];
    let socket = match dice.below(2) {
        0 => agents[0].clone(),
        _ => dice.of(&agents).clone(),
    };
    let named = dice.of(&agents).clone();
    draft.env.retain(|(name, _)| name != "SSH_AUTH_SOCK");
    draft.env.push(("SSH_AUTH_SOCK".to_owned(), socket));
    draft.env.push(("AGENT".to_owned(), named.clone()));
    match dice.below(12) {
        0 => draft.set("IdentityAgent", "none"),
        1 => draft.set("IdentityAgent", "SSH_AUTH_SOCK"),
        2 => draft.set("IdentityAgent", "$AGENT"),
        3 => draft.set("IdentityAgent", "${AGENT}"),
        4 => draft.set("IdentityAgent", named),
        5 => draft.set("IdentityAgent", "$NOT_SET"),
        6 => draft.set("IdentityAgent", "${NOT_SET}"),
        7 => draft.set("IdentityAgent", "%d/agent"),
        8 => draft.set("IdentityAgent", "NONE"),
        _ => {}
    }
    let key = &bench.key;
    match dice.below(9) {
        0 => {}
        1 => draft.set("IdentityFile", shown(&bench.stranger)),
        2 => draft.set("IdentityFile", shown(&key.with_extension("pub"))),
        3 => draft.set("IdentityFile", shown(&bench.locked)),
        4 => draft.set("IdentityFile", "/nowhere/id"),
        5 => draft.set("IdentityFile", "none"),
        _ => draft.drop("IdentityFile"),
    }
    if dice.once_in(3) {
        draft.set("IdentitiesOnly", dice.of(&["yes", "no"]));
    }
    Ok(())
}

fn methods(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    match dice.below(12) {
        0 => draft.set("PubkeyAuthentication", "no"),
        1 => draft.set("PubkeyAuthentication", "unbound"),
        2 => draft.set("PreferredAuthentications", "password"),
        3 => draft.set("PreferredAuthentications", "password,publickey"),
        4 => draft.set("PreferredAuthentications", "keyboard-interactive"),
        5 => draft.set("PreferredAuthentications", "publickey"),
        6 => draft.set("PreferredAuthentications", "nonsense,publickey"),
        7 => draft.set("PreferredAuthentications", "PUBLICKEY"),
        8 => draft.set("PasswordAuthentication", "no"),
        9 => draft.set("PubkeyAcceptedAlgorithms", "ssh-ed25519"),
        10 => draft.set(
            "PubkeyAcceptedAlgorithms",
            dice.of(&["-ssh-ed25519", "rsa-sha2-*", "+ssh-rsa"]),
        ),
        _ => draft.set("GSSAPIAuthentication", "yes"),
    }
    Ok(())
}

fn homes(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let other = bench.lab.dir("other-home")?;
    std::fs::create_dir(other.join(".ssh"))?;
    draft.variable = match dice.below(3) {
        0 => "/nowhere".into(),
        _ => other.clone(),
    };
    // The key lies in one of the two.
    let text = std::fs::read(&bench.key)?;
    match dice.below(5) {
        0 => {
            draft.file(".ssh/id_ed25519", text, 0o600)?;
            draft.drop("IdentityFile");
        }
        1 => {
            dbdoctor_lab::write_mode(&other.join(".ssh/id_ed25519"), text, 0o600)?;
            draft.drop("IdentityFile");
        }
        2 => {
            dbdoctor_lab::write_mode(&other.join("key"), text, 0o600)?;
            draft.set(
                "IdentityFile",
                dice.of(&["~/key", "${HOME}/key", "%d/key", "$HOME/key"]),
            );
        }
        3 => draft.set(
            "UserKnownHostsFile",
            dice.of(&["~/known", "${HOME}/known", "%d/known"]),
        ),
        _ => draft.named = false,
    }
    Ok(())
}

fn proxy_command(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let relay = shown(&bench.relay);
    let port = bench.sshd.port();
    let command = dice
        .of(&[
            "RELAY %h %p",
            "RELAY %h %p",
            "exec RELAY %h %p",
            "RELAY 127.0.0.1 PORT",
            "sh -c 'RELAY %h %p'",
            "sh -c \"RELAY 127.0.0.1 PORT\"",
            "test %r = root && RELAY %h %p",
            "test %n = bastion && exec RELAY %h %p",
            "echo words >&2; RELAY %h %p",
            "cd / && RELAY $TO %p",
            "RELAY %h %p 2>/dev/null",
            "none",
            "NONE",
            "false",
            "nonsense-command %h %p",
            "echo hello; cat",
            "RELAY 127.0.0.1 CLOSED",
            "exit 0",
            "RELAY %X %p",
            "RELAY %h%% %p",
            "test %k = bastion && RELAY 127.0.0.1 PORT",
        ])
        .replace("RELAY", &relay)
        .replace("PORT", &port.to_string())
        .replace("CLOSED", &bench.closed.to_string());
    draft.set("ProxyCommand", command);
    draft.env.push(("TO".to_owned(), "127.0.0.1".to_owned()));
    // A name that only the far end knows.
    if dice.once_in(4) {
        draft.set("HostName", "behind.invalid");
        let known = draft.known.clone();
        draft.known.extend(
            known
                .iter()
                .map(|line| line.replace("127.0.0.1", "behind.invalid")),
        );
    }
    Ok(())
}

fn proxy_jump(draft: &mut Draft, dice: &mut Dice, bench: &Bench) -> Result<()> {
    let me = bench.lab.user()?;
    let jump = format!("{me}@127.0.0.1:{}", bench.jump.port());
    let known = std::fs::read_to_string(bench.jump.known_hosts())?;
    draft.known.push(known.trim_end().to_owned());
    let own = format!(
        "  IdentityFile {}\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null",
        shown(&bench.key),
        shown(&draft.home.join("known")),
    );
    let hop = |name: &str, lines: &str| {
        let port = bench.jump.port();
        format!("Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {me}\n{lines}")
    };
    match dice.below(18) {
        0 => {
            draft.set("ProxyJump", jump);
            draft.after.push(format!("Host *\n{own}"));
        }
        1 => draft.set("ProxyJump", jump), // which is not known there
        2 => {
            draft.set("ProxyJump", "hop");
            draft.after.push(hop("hop", &own));
        }
        3 => {
            draft.set("ProxyJump", "hop,next");
            draft.after.push(hop("hop next", &own));
        }
        4 => {
            draft.set("ProxyJump", "next");
            draft
                .after
                .push(hop("next", &format!("{own}\n  ProxyJump hop")));
            draft.after.push(hop("hop", &own));
        }
        5 => draft.set("ProxyJump", "none"),
        6 => {
            draft.set("ProxyJump", "none");
            draft.add("ProxyCommand", format!("{} %h %p", shown(&bench.relay)));
        }
        7 => {
            draft.set("ProxyJump", "hop");
            draft.add("ProxyCommand", "false");
            draft.after.push(hop("hop", &own));
        }
        8 => {
            draft.drop("ProxyJump");
            draft.set("ProxyCommand", format!("{} %h %p", shown(&bench.relay)));
            draft.add("ProxyJump", "nowhere.invalid");
        }
        9 => {
            draft.set("ProxyJump", "nobody@hop");
            draft.after.push(hop("hop", &own));
        }
        10 => {
            draft.set("ProxyJump", format!("hop:{}", bench.closed));
            draft.after.push(hop("hop", &own));
        }
        11 => {
            draft.set("ProxyJump", format!("ssh://hop:{}", bench.jump.port()));
            draft.after.push(hop("hop", &own));
        }
        12 => {
            draft.set("ProxyJump", "hop");
            draft.after.push(hop("hop", &own));
            draft.after.push(format!(
                "  ProxyCommand {} 127.0.0.1 %p",
                shown(&bench.relay)
            ));
        }
        13 => {
            draft.set("ProxyJump", "hop");
            draft
                .after
                .push(hop("hop", &format!("  HostKeyAlias nobody\n{own}")));
        }
        14 => draft.set("ProxyJump", "hop:x"),
        15 => {
            // By its name, which the jump looks up.
            draft.set("ProxyJump", "hop");
            draft.set("HostName", "localhost");
            draft.known.push(format!(
                "{} {}",
                bench.name("localhost"),
                bench.host_key(0)?
            ));
            draft.after.push(hop("hop", &own));
        }
        16 => {
            draft.set("ProxyJump", "%h-hop");
            draft.after.push(hop("*-hop", &own));
        }
        _ => {
            draft.set("ProxyJump", "hop");
            let agent = "  IdentityFile none\n  IdentityAgent";
            let agent = format!("{agent} {}\n", shown(bench.agent.socket()));
            let rest = own.lines().skip(1).collect::<Vec<_>>().join("\n");
            draft.after.push(hop("hop", &(agent + &rest)));
        }
    }
    Ok(())
}

fn config_file(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    draft.named = dice.once_in(3);
    draft.mode = *dice.of(&[
        0o600, 0o644, 0o640, 0o660, 0o664, 0o646, 0o666, 0o700, 0o400,
    ]);
    Ok(())
}

fn line(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    let line = *dice.of(&[
        "ConnectTimeout 5",
        "ConnectTimeout soon",
        "ConnectTimeout 1m30s",
        "AddressFamily inet",
        "AddressFamily inet6",
        "AddressFamily any",
        "AddressFamily ipv4",
        "CanonicalizeHostname no",
        "CheckHostIP yes",
        "CheckHostIP no",
        "ServerAliveInterval 15",
        "ServerAliveInterval 1x",
        "ServerAliveCountMax -1",
        "LogLevel QUIET",
        "LogLevel loud",
        "Compression yes",
        "Compression perhaps",
        "TCPKeepAlive yes",
        "ForwardAgent yes",
        "ForwardAgent no",
        "RequestTTY force",
        "RequestTTY maybe",
        "RemoteCommand echo words",
        "LocalCommand echo words",
        "PermitLocalCommand yes",
        "SendEnv LANG LC_*",
        "SendEnv A=B",
        "SetEnv A=B C=D",
        "SetEnv A",
        "IPQoS lowdelay throughput",
        "IPQoS fast",
        "RekeyLimit 1G 1h",
        "RekeyLimit 1",
        "ControlMaster no",
        "ControlMaster auto",
        "ControlMaster auto\n  ControlPath none",
        "ControlPersist 10m",
        "ControlPersist soon",
        "HashKnownHosts yes",
        "UpdateHostKeys no",
        "UpdateHostKeys ask",
        "VisualHostKey yes",
        "EscapeChar none",
        "EscapeChar ab",
        "NumberOfPasswordPrompts 1",
        "ExitOnForwardFailure yes",
        "LocalForward 8080",
        "DynamicForward x",
        "IgnoreUnknown UseKeychain,Other\n  UseKeychain yes",
        "IgnoreUnknown Use*\n  UseKeychain yes\n  AddKeysToAgent no",
        "UseKeychain yes",
        "UseKeychain yes\n  IgnoreUnknown UseKeychain",
        "IgnoreUnknown Other\n  UseKeychain yes",
        "Protocol 2",
        "Cipher 3des",
        "RSAAuthentication yes",
        "UsePrivilegedPort no",
        "Nonsense yes",
        "Port 22 23",
        "User \"x",
        "User",
        "User=",
        "IdentitiesOnly",
        "IdentitiesOnly maybe",
        "BatchMode yes",
        "StrictHostKeyChecking=",
        "GSSAPIAuthentication no",
        "HostbasedAuthentication yes",
        "RequiredRSASize 2048",
        "RequiredRSASize 8192",
        "RequiredRSASize big",
        "CASignatureAlgorithms ssh-ed25519",
        "CASignatureAlgorithms rsa-sha2-512",
        "RevokedHostKeys /nowhere/revoked",
        "RevokedHostKeys none",
        "FingerprintHash md5",
        "ConnectionAttempts 2",
        "ConnectionAttempts 0",
        "ConnectionAttempts x",
        "PermitRemoteOpen any",
        "StdinNull yes",
        "ForkAfterAuthentication no",
        "SessionType none",
        "SessionType some",
        "# Nonsense yes",
        "ClearAllForwardings yes",
        "LogVerbose kex.c:*:1000",
        "Tunnel no",
        "XAuthLocation /usr/bin/xauth",
        "TunnelDevice any:any",
        "StreamLocalBindMask 0177",
        "StreamLocalBindMask 9",
    ]);
    match dice.below(4) {
        0 => draft.before.push(format!("Host other\n  {line}")),
        1 => draft.after.push(format!("Host *\n  {line}")),
        _ => {
            let (key, value) = line.split_once([' ', '=']).unwrap_or((line, ""));
            draft.settings.insert(0, (key.to_owned(), value.to_owned()));
        }
    }
    Ok(())
}

fn algorithms(draft: &mut Draft, dice: &mut Dice, _: &Bench) -> Result<()> {
    let (key, values): (_, &[&str]) = *dice.of(&[
        (
            "KexAlgorithms",
            &[
                "curve25519-sha256",
                "-curve25519*",
                "^ecdh-sha2-nistp256",
                "+diffie-hellman-group14-sha1",
                "diffie-hellman-group1-sha1",
                "diffie-hellman-group16-sha512,ecdh-sha2-nistp384",
                "nonsense",
                "+nonsense",
                "-nonsense",
                "-*",
            ] as &[&str],
        ),
        (
            "Ciphers",
            &[
                "aes256-gcm@openssh.com",
                "aes128-ctr,aes256-ctr",
                "chacha20-poly1305@openssh.com",
                "-chacha*",
                "^aes256-ctr",
                "+aes128-cbc",
                "3des-cbc",
                "aes128-cbc",
                "arcfour",
                "-arcfour",
                "aes256-ctr,nonsense",
            ],
        ),
        (
            "MACs",
            &[
                "hmac-sha2-256",
                "hmac-sha2-512-etm@openssh.com",
                "-hmac-sha1*",
                "^hmac-sha2-256",
                "+hmac-md5",
                "hmac-sha1",
                "hmac-sha2-*",
                "nonsense",
            ],
        ),
    ]);
    draft.set(key, dice.of(values));
    if key == "MACs" && dice.once_in(2) {
        draft.set("Ciphers", "aes256-ctr"); // one that needs a MAC
    }
    Ok(())
}
