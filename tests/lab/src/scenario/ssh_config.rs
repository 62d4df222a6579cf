//! What a configuration file makes of one and the same server.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::{Agent, Case, Conn, Expect, Lab, Need, Oracle, Peer, Scenario, SshRoute, Sshd, Tool};

/// To the shared database through this server, by an alias of a configuration with these lines.
fn configured(lab: &Lab, sshd: &Sshd, lines: &[&str]) -> Result<Case> {
    let key = format!("IdentityFile {}", lab.client_key()?.display());
    bare(lab, sshd, &[lines, &[key.as_str()]].concat())
}

/// The same without a key.
fn bare(lab: &Lab, sshd: &Sshd, lines: &[&str]) -> Result<Case> {
    to(lab.postgres()?.conn(), lab, sshd, lines)
}

/// The same to another database.
fn to(database: Conn, lab: &Lab, sshd: &Sshd, lines: &[&str]) -> Result<Case> {
    let mut config = format!(
        "Host bastion\n  HostName {}\n  Port {}\n  User {}\n",
        sshd.host(),
        sshd.port(),
        lab.user()?,
    );
    for line in lines {
        config += &format!("  {line}\n");
    }
    if !config.contains("KnownHosts") {
        config += &format!("  UserKnownHostsFile {}\n", sshd.known_hosts().display());
    }
    let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
    let case = Case::check(database).password(lab.password());
    Ok(case.ssh(route).forbids("config.ssh.unsupported"))
}

/// A server with this line, asked by a client with that one.
fn both(lab: &Lab, server: &str, client: &str) -> Result<Case> {
    let sshd = lab.new_sshd().config(server).start()?;
    Ok(configured(lab, &sshd, &[client])?.keep(sshd))
}

/// With `CheckHostIP`, a server that is known by a name; these lines (`<address>`, `<key>`, `<other>`)
/// are about its address.
fn by_address(lab: &Lab, lines: &str, config: &[&str]) -> Result<Case> {
    let ns = lab.netns()?;
    let pg = lab.new_postgres().netns(&ns).start()?;
    let sshd = lab.new_sshd().netns(&ns).start()?;
    let public = |key: &Path| fs::read_to_string(key.with_extension("pub"));
    let key = public(sshd.host_key())?;
    let lines = lines
        .replace("<address>", &format!("[{}]:{}", sshd.host(), sshd.port()))
        .replace("<other>", public(&lab.ssh_key("ed25519", "")?)?.trim())
        .replace("<key>", key.trim());
    let known = lab.file("known_hosts", format!("name {key}{lines}\n"), 0o600)?;
    let known = format!("UserKnownHostsFile {}", known.display());
    let own = ["CheckHostIP yes", "HostKeyAlias name", &known];
    let key = format!("IdentityFile {}", lab.client_key()?.display());
    let lines = [config, &own, &[key.as_str()]].concat();
    let case = to(pg.conn(), lab, &sshd, &lines)?;
    Ok(case.keep((pg, sshd, ns)))
}

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];
const ACROSS: &[Need] = &[Need::Postgres, Need::Sshd, Need::Netns];

/// The configuration.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-config-mac-unknown",
        "a MAC that ssh does not know",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| configured(lab, &*lab.sshd()?, &["MACs hmac-foo"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-cipher-not-there",
        "a cipher that OpenSSH still knows, alone, and no server takes by default",
        Expect::Fail("ssh.algorithms"),
        BOTH,
        |lab| configured(lab, &*lab.sshd()?, &["Ciphers 3des-cbc"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-ciphers-retired",
        "ciphers that ssh no longer knows",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| {
            configured(
                lab,
                &*lab.sshd()?,
                &["Ciphers aes256-ctr,arcfour,blowfish-cbc"],
            )
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-kex-unknown",
        "a key exchange that ssh does not know is added",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| configured(lab, &*lab.sshd()?, &["KexAlgorithms +foo"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-hostkey-algorithm-unknown",
        "a pattern that no type of key fits",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| configured(lab, &*lab.sshd()?, &["HostKeyAlgorithms foo-*"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-time-wrong",
        "a time that is none",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| configured(lab, &*lab.sshd()?, &["ConnectTimeout soon"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-hostkey-pattern",
        "a pattern adds ssh-rsa, which no default has",
        Expect::Pass,
        BOTH,
        |lab| {
            let server = lab.new_sshd().host_key(lab.ssh_key("rsa", "")?);
            let sshd = server.config("HostKeyAlgorithms ssh-rsa").start()?;
            Ok(configured(lab, &sshd, &["HostKeyAlgorithms +ssh-r*"])?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-config-family",
        "AddressFamily inet6, and the host is an IPv4 address",
        Expect::Fail("dns.no-address"),
        BOTH,
        |lab| configured(lab, &*lab.sshd()?, &["AddressFamily inet6"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-family-fits",
        "AddressFamily inet, and the host is an IPv4 address",
        Expect::Pass,
        BOTH,
        |lab| {
            let sshd = lab.sshd()?;
            let case = configured(lab, &sshd, &["AddressFamily inet"])?;
            Ok(case.assert(|report| {
                let verdict = &report["verdict"];
                ensure!(verdict["status"] == "pass", "{verdict}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "ssh-config-kex-added",
        "an old key exchange that the configuration adds",
        Expect::Pass,
        BOTH,
        |lab| {
            both(
                lab,
                "KexAlgorithms diffie-hellman-group14-sha1",
                "KexAlgorithms +diffie-hellman-group14-sha1",
            )
        },
    ),
    Scenario::new(
        "ssh-config-kex-absent",
        "a key exchange that dbdoctor lacks is the only one allowed, and the server has it",
        Expect::Pass,
        BOTH,
        |lab| {
            let line = "KexAlgorithms sntrup761x25519-sha512@openssh.com";
            configured(lab, &*lab.sshd()?, &[line])
        },
    ),
    Scenario::new(
        "ssh-config-kex-absent-both",
        "the same, and the server does not have it",
        Expect::Fail("ssh.algorithms"),
        BOTH,
        |lab| {
            both(
                lab,
                "KexAlgorithms curve25519-sha256",
                "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            )
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-hostkey-added",
        "ssh-rsa host keys, which the configuration adds",
        Expect::Pass,
        BOTH,
        |lab| {
            let key = lab.ssh_key("rsa", "")?;
            let server = lab.new_sshd().host_key(key);
            let sshd = server.config("HostKeyAlgorithms ssh-rsa").start()?;
            let case = configured(lab, &sshd, &["HostKeyAlgorithms=+ssh-rsa"])?;
            Ok(case.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-config-ciphers-added",
        "a CBC cipher that the configuration puts first",
        Expect::Pass,
        BOTH,
        |lab| both(lab, "Ciphers aes256-cbc", "Ciphers ^aes256-cbc"),
    ),
    Scenario::new(
        "ssh-config-ciphers-removed",
        "the configuration takes away the ciphers that the server has",
        Expect::Fail("ssh.algorithms"),
        BOTH,
        |lab| both(lab, "Ciphers aes256-gcm@openssh.com", "Ciphers -*gcm*"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-pubkey-algorithms",
        "the configuration rules out the key's type",
        Expect::Fail("ssh.auth.algorithm"),
        BOTH,
        |lab| {
            let line = "PubkeyAcceptedAlgorithms rsa-sha2-512";
            configured(lab, &*lab.sshd()?, &[line])
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-rsa-size",
        "the configuration rules out RSA keys as short as the one at hand",
        Expect::Fail("ssh.auth.algorithm"),
        BOTH,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", ""])?;
            let sshd = lab.sshd()?;
            let line = format!("IdentityFile {}", key.display());
            let case = bare(lab, &sshd, &["RequiredRSASize 3072", &line])?;
            Ok(case.assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("RequiredRSASize"), "{summary}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-rsa-size-other-key",
        "the same, and a key of another type is at hand too",
        Expect::Pass,
        BOTH,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", ""])?;
            let line = format!("IdentityFile {}", key.display());
            configured(lab, &*lab.sshd()?, &["RequiredRSASize 3072", &line])
        },
    ),
    Scenario::new(
        "ssh-config-rsa-size-host",
        "the server's only host key is an RSA key shorter than the configuration demands",
        Expect::Fail("ssh.algorithms"),
        BOTH,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", ""])?;
            let sshd = lab.new_sshd().host_key(key).start()?;
            let case = configured(lab, &sshd, &["RequiredRSASize 3072"])?;
            Ok(case.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-final-hostname",
        "Match final names another host, too late for ssh",
        Expect::Pass,
        BOTH,
        |lab| {
            let sshd = lab.sshd()?;
            let known = format!("UserKnownHostsFile {}", sshd.known_hosts().display());
            let lines = [&known, "Match final", "HostName 127.0.0.9"];
            configured(lab, &sshd, &lines)
        },
    ),
    Scenario::new(
        "ssh-config-address-other",
        "CheckHostIP, and known_hosts has another key for the address",
        Expect::Fail("ssh.hostkey.changed"),
        ACROSS,
        |lab| by_address(lab, "<address> <other>", &[]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-address-new",
        "CheckHostIP, and known_hosts says nothing about the address",
        Expect::Pass,
        ACROSS,
        |lab| by_address(lab, "", &[]),
    ),
    Scenario::new(
        "ssh-config-address-known",
        "CheckHostIP, and known_hosts has the key for the address among others",
        Expect::Pass,
        ACROSS,
        |lab| by_address(lab, "<address> <other>\n<address> <key>", &[]),
    ),
    Scenario::new(
        "ssh-config-address-revoked",
        "CheckHostIP, and the key is revoked for the address alone, which ssh lets pass",
        Expect::Pass,
        ACROSS,
        |lab| by_address(lab, "@revoked <address> <key>", &[]),
    ),
    Scenario::new(
        "ssh-config-address-unchecked",
        "the same difference where CheckHostIP is off",
        Expect::Pass,
        ACROSS,
        |lab| by_address(lab, "<address> <other>", &["CheckHostIP no"]),
    ),
    Scenario::new(
        "ssh-config-pubkey-off",
        "the configuration switches keys off",
        Expect::Fail("ssh.auth.method"),
        BOTH,
        |lab| {
            let case = configured(lab, &*lab.sshd()?, &["PubkeyAuthentication no"])?;
            Ok(case.assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("disables publickey"), "{fixes}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-password-off",
        "the right password is at hand, and the configuration switches passwords off",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = lab.new_sshd().password("right-canary")?.start()?;
            let case = bare(
                lab,
                &sshd,
                &["IdentityFile none", "PasswordAuthentication no"],
            )?;
            Ok(case.ssh_password("right-canary").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-password-first",
        "passwords are preferred to keys, of which none is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let server = lab.new_sshd().password("right-canary")?;
            let sshd = server
                .authorized_keys("")
                .config("MaxAuthTries 1")
                .start()?;
            let line = "PreferredAuthentications password,publickey";
            let case = configured(lab, &sshd, &[line])?;
            Ok(case.ssh_password("right-canary").keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-config-loopback-trusted",
        "NoHostAuthenticationForLocalhost, and no known hosts",
        Expect::Pass,
        BOTH,
        |lab| {
            let lines = [
                "UserKnownHostsFile /dev/null",
                "NoHostAuthenticationForLocalhost yes",
            ];
            configured(lab, &*lab.sshd()?, &lines)
        },
    ),
    Scenario::new(
        "ssh-config-variable-unset",
        "IdentityFile names a variable that is not set",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| bare(lab, &*lab.sshd()?, &["IdentityFile ${KEYS_OF_NOBODY}/id"]),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-config-jump-own-settings",
        "a jump host with a key, a port and a name of its own",
        Expect::Pass,
        BOTH,
        |lab| {
            let other = lab.ssh_key("ecdsa", "")?;
            let public = fs::read_to_string(other.with_extension("pub"))?;
            let jump = lab.new_sshd().authorized_keys(public).start()?;
            let sshd = lab.sshd()?;
            let case = configured(lab, &sshd, &["ProxyJump gate"])?;
            let file = case.ssh.as_ref().and_then(|route| route.config.clone());
            let mut config = fs::read_to_string(file.unwrap_or_default())?;
            config += &format!(
                "Host=gate\n\tHostName = \"{}\"\n Port={}\n User \"{}\"\n IdentityFile {}\n UserKnownHostsFile {}\n",
                jump.host(),
                jump.port(),
                lab.user()?,
                other.display(),
                jump.known_hosts().display()
            );
            let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
            Ok(case.ssh(route).keep(jump))
        },
    ),
    Scenario::new(
        "ssh-auth-factors-key-refused",
        "the password is accepted, and the key that is wanted after it is not known",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let server = lab.new_sshd().password("right-canary")?;
            let server = server.config("AuthenticationMethods password,publickey");
            let sshd = server.authorized_keys("").start()?;
            let case = configured(lab, &sshd, &[])?;
            Ok(case.ssh_password("right-canary").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-certificate-critical",
        "a user certificate with an option that sshd must know and does not",
        Expect::Fail("ssh.auth.certificate"),
        BOTH,
        |lab| {
            let (ca, key) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("ed25519", "")?);
            let sign = Tool::new("ssh-keygen").args(["-q", "-I", "lab", "-n", &lab.user()?]);
            let sign = sign.args(["-O", "critical:unheard-of@example.com", "-s"]);
            sign.arg(ca.display())
                .arg(key.with_extension("pub").display())
                .succeed()?;
            let ca = format!("TrustedUserCAKeys {}", ca.with_extension("pub").display());
            let sshd = lab.new_sshd().config(&ca).authorized_keys("").start()?;
            let line = format!("IdentityFile {}", key.display());
            Ok(bare(lab, &sshd, &[&line])?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-agent-locked",
        "the agent has the key, and is locked",
        Expect::Fail("ssh.auth.agent"),
        BOTH,
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            agent.lock(lab)?;
            let line = format!("IdentityAgent {}", agent.socket().display());
            let case = bare(lab, &*lab.sshd()?, &[&line, "IdentityFile none"])?;
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-agent-mute",
        "SSH_AUTH_SOCK leads to something that accepts and never answers",
        Expect::Warn("ssh.auth.agent-mute"),
        BOTH,
        |lab| {
            let socket = lab.dir("agent")?.join("sock");
            let listener = UnixListener::bind(&socket)?;
            let line = format!("IdentityAgent {}", socket.display());
            Ok(configured(lab, &*lab.sshd()?, &[&line])?.keep(listener))
        },
    )
    .oracle(Oracle::None("ssh waits for ever")),
    Scenario::new(
        "ssh-not-ssh-nameless",
        "an identification without the name of a software",
        Expect::Fail("ssh.not-ssh"),
        BOTH,
        |lab| {
            let peer = Peer::speaks(*b"SSH-2.0-\r\n")?;
            let mut case = configured(lab, &*lab.sshd()?, &[])?;
            case.ssh = Some(SshRoute::new(&format!("ops@127.0.0.1:{}", peer.port())));
            Ok(case.patience(4).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
];
