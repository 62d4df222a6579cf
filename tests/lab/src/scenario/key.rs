//! Private keys that cannot be used.

use crate::{Case, Expect, Need, Oracle, Scenario, write_mode};

/// Keys.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "key-good",
        about: "a key without a passphrase",
        expect: Expect::Pass,
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| Ok(Case::key(lab.client_key()?)),
    },
    Scenario {
        name: "key-passphrase-good",
        about: "an encrypted key and its passphrase",
        expect: Expect::Pass,
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| Ok(Case::key(lab.ssh_key("ed25519", "open sesame")?).passphrase("open sesame")),
    },
    Scenario {
        name: "key-missing",
        about: "no such file",
        expect: Expect::Fail("key.missing"),
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| Ok(Case::key(lab.dir("key")?.join("id_ed25519"))),
    },
    Scenario {
        name: "key-permissions",
        about: "readable by everybody",
        expect: Expect::Fail("key.permissions"),
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| {
            let key = std::fs::read(lab.client_key()?)?;
            Ok(Case::key(lab.file("id", key, 0o644)?))
        },
    },
    Scenario {
        name: "key-public",
        about: "the public half",
        expect: Expect::Fail("key.public"),
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| Ok(Case::key(lab.client_key()?.with_extension("pub"))),
    },
    Scenario {
        name: "key-passphrase-missing",
        about: "encrypted, and no passphrase at hand",
        expect: Expect::Fail("key.passphrase.missing"),
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| Ok(Case::key(lab.ssh_key("ed25519", "open sesame")?)),
    },
    Scenario {
        name: "key-passphrase-wrong",
        about: "encrypted with another passphrase",
        expect: Expect::Fail("key.passphrase.wrong"),
        oracle: Oracle::SshKeygen,
        needs: &[],
        setup: |lab| Ok(Case::key(lab.ssh_key("ed25519", "open sesame")?).passphrase("open barley")),
    },
    Scenario {
        name: "key-ppk",
        about: "a PuTTY key",
        expect: Expect::Fail("key.ppk"),
        oracle: Oracle::SshKeygen,
        needs: &[Need::PuttyTools],
        setup: |lab| {
            let key = lab.client_key()?;
            let ppk = lab.dir("key")?.join("id.ppk");
            let tool = crate::Tool::new("puttygen")
                .arg(key.display())
                .arg("-o")
                .arg(ppk.display());
            tool.succeed()?;
            write_mode(&ppk, std::fs::read(&ppk)?, 0o600)?;
            Ok(Case::key(ppk))
        },
    },
    Scenario {
        name: "key-unreadable",
        about: "belongs to root, and nobody reads it",
        expect: Expect::Fail("key.unreadable"),
        oracle: Oracle::SshKeygen,
        needs: &[Need::Root],
        setup: |lab| Ok(Case::key(lab.client_key()?).run_as("nobody")),
    },
];
