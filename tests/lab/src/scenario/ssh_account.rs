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
    Scenario::new(
        "ssh-auth-pam-healthy",
        "a key, and PAM finds the account in order",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = pam(lab, FRESH)?.start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-account-expired",
        "the key is right, and the account has expired",
        Expect::Fail("ssh.disconnected"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = pam(lab, EXPIRED)?.start()?;
            let case = says(through(lab, &sshd)?, "account has expired");
            Ok(advises(case, "chage -l root").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-account-expired-password",
        "the password is right, and the account has expired",
        Expect::Fail("ssh.disconnected"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = pam(lab, EXPIRED)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = says(case.ssh_password("right-canary"), "account has expired");
            Ok(advises(case, "chage -l root").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-account-expired-questions",
        "the answer to the question for the password is right, and the account has expired",
        Expect::Fail("ssh.auth.password"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = questions(lab, EXPIRED)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = says(case.ssh_password("right-canary"), "account has expired");
            Ok(advises(case, "chage -l").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-aged",
        "the password is right, and a new one is wanted",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = questions(lab, AGED)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = says(case.ssh_password("right-canary"), "after the password");
            Ok(advises(case, "change it").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-code",
        "the password is right, and a code is asked for after it",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd],
        |lab| Ok(says(asked(lab, CODE, "right-canary")?, "Verification code")),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-code-wrong",
        "the password is wrong, and a code would be asked for after it",
        Expect::Fail("ssh.auth.password"),
        &[Need::Postgres, Need::Sshd],
        |lab| asked(lab, CODE, "wr0ng-canary"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-push",
        "the password is right, and a request goes to a phone",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = asked(lab, PUSH, "right-canary")?;
            Ok(case.assert(|report| {
                let evidence = report["stages"].to_string();
                ensure!(evidence.contains("Pushed a login request"), "{evidence}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-again",
        "the question for the password comes once more",
        Expect::Fail("ssh.auth.password"),
        &[Need::Postgres, Need::Sshd],
        |lab| asked(lab, AGAIN, "right-canary"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-yubikey",
        "a hardware key is asked for, and there is a password alone",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd],
        |lab| Ok(says(asked(lab, YUBIKEY, "right-canary")?, "YubiKey")),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-second-key-wanted",
        "the server wants two keys, and there is one",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let line = "AuthenticationMethods publickey,publickey";
            let sshd = lab.new_sshd().config(line).start()?;
            Ok(says(through(lab, &sshd)?, "another key").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-identities-only-agent",
        "the agent has the right key, and IdentitiesOnly leaves it out",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let config = lab.file("config", "Host *\n  IdentitiesOnly yes\n", 0o600)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key().config(config));
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(advises(case, "IdentitiesOnly").keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-certificate-elsewhere",
        "a certificate that may be used from other addresses alone",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
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
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-lost-at-once",
        "root may log in for a forced command alone: sshd takes the key and hangs up",
        Expect::Fail("tunnel.lost"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let line = "PermitRootLogin forced-commands-only";
            let sshd = lab.new_sshd().config(line).start()?;
            let case = says(through(lab, &sshd)?, "right after the login");
            Ok(advises(case, "forced-commands-only").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "tunnel-prohibited-password-aged",
        "the key is right, the password must be changed: no forward until then",
        Expect::Fail("tunnel.prohibited"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
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
    )
    .oracle(Oracle::Ssh),
];
