//! Accounts that are shut, passwords past their term, and servers that ask for more than a
//! password. Real servers with PAM judge an account of their own making: root's, as a `shadow`
//! that only they see describes it.

use anyhow::{Result, ensure};

use crate::{
    Agent, Behaviour, Case, Expect, FakeSshd, Lab, Need, Oracle, Question, Scenario, Sshd,
    SshdBuilder, Tool,
};

/// Nothing is past its term.
const FRESH: &str = "19000:0:99999:7:::";
/// The account expired in 2020 (`chage -E`).
const EXPIRED: &str = "19000:0:99999:7::18262:";
/// The password must be changed at the next login (`chage -d 0`).
const AGED: &str = "0:0:99999:7:::";

/// The system's own accounts decide.
const PAM: &str = "auth required pam_unix.so\naccount required pam_unix.so\n\
                   password required pam_unix.so\nsession required pam_permit.so\n";

/// To the shared database through this server, with the lab's key.
fn through(lab: &Lab, sshd: &Sshd) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(sshd.route()))
}

/// A server that leaves the account to PAM; the password is `right-canary`.
fn pam<'a>(lab: &'a Lab, age: &str) -> Result<SshdBuilder<'a>> {
    let sshd = lab.new_sshd().config("UsePAM yes").etc("pam.d/sshd", PAM);
    sshd.account("right-canary", age)
}

/// The same, which asks for the password itself.
fn questions<'a>(lab: &'a Lab, age: &str) -> Result<SshdBuilder<'a>> {
    let sshd = lab
        .new_sshd()
        .config("PasswordAuthentication no")
        .config("KbdInteractiveAuthentication yes")
        .config("UsePAM yes");
    sshd.etc("pam.d/sshd", PAM).account("right-canary", age)
}

/// By password alone to a server that asks these questions.
fn asked(lab: &Lab, questions: &'static [Question], password: &str) -> Result<Case> {
    let sshd = FakeSshd::start(lab, Behaviour::Asks(questions))?;
    let case = Case::check(lab.postgres()?.conn()).ssh(sshd.route().without_key());
    Ok(case.ssh_password(password).keep(sshd))
}

/// The sentence must have these words.
fn says(case: Case, words: &'static str) -> Case {
    case.assert(move |report| {
        let said = report["verdict"]["summary"].as_str().unwrap_or_default();
        ensure!(said.contains(words), "not {words:?}: {said}");
        Ok(())
    })
}

/// The first fix must have these words.
fn advises(case: Case, words: &'static str) -> Case {
    case.assert(move |report| {
        let fix = report["verdict"]["fixes"][0].to_string();
        ensure!(fix.contains(words), "not {words:?}: {fix}");
        Ok(())
    })
}

const PASSWORD: Question = Question {
    said: "",
    prompt: "Password: ",
    answer: "right-canary",
};

/// Two steps, as with a code from an app.
const CODE: &[Question] = &[
    PASSWORD,
    Question {
        said: "",
        prompt: "Verification code: ",
        answer: "123456",
    },
];

/// A password and then a word from somewhere else.
const PUSH: &[Question] = &[
    PASSWORD,
    Question {
        said: "Pushed a login request to your phone...",
        prompt: "",
        answer: "",
    },
    Question {
        said: "",
        prompt: "Word on your phone: ",
        answer: "never",
    },
];

/// A hardware key alone.
const YUBIKEY: &[Question] = &[Question {
    said: "",
    prompt: "YubiKey for `root': ",
    answer: "cccccc",
}];

/// The password again, as though another module asked for it.
const AGAIN: &[Question] = &[
    PASSWORD,
    Question {
        said: "",
        prompt: "Password: ",
        answer: "never",
    },
];

/// Accounts and questions.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "ssh-auth-pam-healthy",
        about: "a key, and PAM finds the account in order",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = pam(lab, FRESH)?.start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-account-expired",
        about: "the key is right, and the account has expired",
        expect: Expect::Fail("ssh.disconnected"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = pam(lab, EXPIRED)?.start()?;
            let case = says(through(lab, &sshd)?, "account has expired");
            Ok(advises(case, "chage -l root").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-account-expired-password",
        about: "the password is right, and the account has expired",
        expect: Expect::Fail("ssh.disconnected"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = pam(lab, EXPIRED)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = says(case.ssh_password("right-canary"), "account has expired");
            Ok(advises(case, "chage -l root").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-account-expired-questions",
        about: "the answer to the question for the password is right, and the account has expired",
        expect: Expect::Fail("ssh.auth.password"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = questions(lab, EXPIRED)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = says(case.ssh_password("right-canary"), "account has expired");
            Ok(advises(case, "chage -l").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-questions-aged",
        about: "the password is right, and a new one is wanted",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = questions(lab, AGED)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = says(case.ssh_password("right-canary"), "after the password");
            Ok(advises(case, "change it").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-questions-code",
        about: "the password is right, and a code is asked for after it",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| Ok(says(asked(lab, CODE, "right-canary")?, "Verification code")),
    },
    Scenario {
        name: "ssh-auth-questions-code-wrong",
        about: "the password is wrong, and a code would be asked for after it",
        expect: Expect::Fail("ssh.auth.password"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| asked(lab, CODE, "wr0ng-canary"),
    },
    Scenario {
        name: "ssh-auth-questions-push",
        about: "the password is right, and a request goes to a phone",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let case = asked(lab, PUSH, "right-canary")?;
            Ok(case.assert(|report| {
                let evidence = report["stages"].to_string();
                ensure!(evidence.contains("Pushed a login request"), "{evidence}");
                Ok(())
            }))
        },
    },
    Scenario {
        name: "ssh-auth-questions-again",
        about: "the question for the password comes once more",
        expect: Expect::Fail("ssh.auth.password"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| asked(lab, AGAIN, "right-canary"),
    },
    Scenario {
        name: "ssh-auth-questions-yubikey",
        about: "a hardware key is asked for, and there is a password alone",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| Ok(says(asked(lab, YUBIKEY, "right-canary")?, "YubiKey")),
    },
    Scenario {
        name: "ssh-auth-second-key-wanted",
        about: "the server wants two keys, and there is one",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let line = "AuthenticationMethods publickey,publickey";
            let sshd = lab.new_sshd().config(line).start()?;
            Ok(says(through(lab, &sshd)?, "another key").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-identities-only-agent",
        about: "the agent has the right key, and IdentitiesOnly leaves it out",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let config = lab.file("config", "Host *\n  IdentitiesOnly yes\n", 0o600)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key().config(config));
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(advises(case, "IdentitiesOnly").keep(agent))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-elsewhere",
        about: "a certificate that may be used from other addresses alone",
        expect: Expect::Fail("ssh.auth.publickey"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let ca = lab.ssh_key("ed25519", "")?;
            let key = lab.ssh_key("ed25519", "")?;
            let sign = Tool::new("ssh-keygen").args(["-q", "-I", "lab"]);
            sign.args(["-O", "source-address=10.0.0.0/8", "-n", &lab.user()?, "-s"])
                .arg(ca.display())
                .arg(key.with_extension("pub").display())
                .succeed()?;
            let ca = format!("TrustedUserCAKeys {}", ca.with_extension("pub").display());
            let sshd = lab.new_sshd().config(&ca).authorized_keys("").start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().key(key));
            Ok(advises(case, "10.0.0.0/8").keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-lost-at-once",
        about: "root may log in for a forced command alone: sshd takes the key and hangs up",
        expect: Expect::Fail("tunnel.lost"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let line = "PermitRootLogin forced-commands-only";
            let sshd = lab.new_sshd().config(line).start()?;
            let case = says(through(lab, &sshd)?, "right after the login");
            Ok(advises(case, "forced-commands-only").keep(sshd))
        },
    },
    Scenario {
        name: "tunnel-prohibited-password-aged",
        about: "the key is right, the password must be changed: no forward until then",
        expect: Expect::Fail("tunnel.prohibited"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = pam(lab, AGED)?.start()?;
            let case = advises(through(lab, &sshd)?, "chage -l");
            Ok(case
                .assert(|report| {
                    let evidence = report["stages"].to_string();
                    ensure!(evidence.contains("change your password"), "{evidence}");
                    Ok(())
                })
                .keep(sshd))
        },
    },
];
