//! Causes of the `key` stage.
//!
//! The rules are OpenSSH's (ssh(1), `-i`; `authfile.c`, `sshkey.c`).

use super::{Cause, Severity, fix, run};

/// There is no such file.
pub static MISSING: Cause = Cause {
    code: "key.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key file does not exist",
    summary: "There is no private key at {path}.",
    meaning: "Nothing exists at the path of the key: a typing error, a secret that was not mounted or not written to disk, another home directory (a service or a container has its own), or a tilde inside quotes, which the shell does not expand. A file that exists but is not readable is `key.unreadable`. If no key is named, ssh looks for id_rsa, id_ecdsa, id_ed25519 and the other default names in ~/.ssh of the user it runs as.",
    fixes: &[
        run("List the keys as the user that connects:", "ls -la ~/.ssh"),
        fix("Correct the path (--ssh-key, IdentityFile), or put the key there."),
        fix(
            "In a container or a CI job, check that the secret is mounted or written to a file, and that the path is that file's and not the secret itself.",
        ),
    ],
    seen_as: &[
        "Identity file not accessible: No such file or directory",
        "no such identity:",
        "ENOENT: no such file or directory, open",
        "[Errno 2] No such file or directory",
    ],
};

/// The file exists and cannot be read.
pub static UNREADABLE: Cause = Cause {
    code: "key.unreadable",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key file cannot be read",
    summary: "{path} exists, but {reason}: {error}.",
    meaning: "The file, or a directory above it, is closed to the user that dbdoctor runs as. Usually root or another user created the key, and a service runs as a different user. This is not `key.permissions`, where OpenSSH ignores a key that too many can read. With other errors, the symbolic links form a loop, or the disk or mount fails.",
    fixes: &[
        run(
            "Check who can read it, and who you are:",
            "id; namei -l {path}",
        ),
        run(
            "If the key is meant for this user, make this user its owner:",
            "sudo chown \"$(id -u)\" {closed_file} && chmod 600 {closed_file}",
        ),
    ],
    seen_as: &[
        "Load key \"...\": Permission denied",
        "EACCES: permission denied, open",
        "[Errno 13] Permission denied",
    ],
};

/// Not a file with content.
pub static NOT_A_FILE: Cause = Cause {
    code: "key.not-a-file",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key path is not a regular file with content",
    summary: "{path} is {what}, not a file with a private key.",
    meaning: "Container engines create an empty directory when a file to be mounted does not exist on the host, and an unset CI secret writes an empty file. A pipe is read only if another process writes to it at once (process substitution).",
    fixes: &[
        run("Check what is there:", "ls -ld {path}"),
        fix(
            "Use the path of the file itself, and check that the secret that fills it is set where this job runs (it may be hidden from forks and unprotected branches).",
        ),
    ],
    seen_as: &[
        "Load key \"...\": Is a directory",
        "EISDIR: illegal operation on a directory, read",
        "[Errno 21] Is a directory",
    ],
};

/// Others have access, so that OpenSSH refuses the key.
pub static PERMISSIONS: Cause = Cause {
    code: "key.permissions",
    severity: Severity::Fail,
    retryable: false,
    title: "OpenSSH ignores the key: its permissions are too open",
    summary: "{path} has mode {mode}: {who} access, so OpenSSH ignores the key.",
    meaning: "OpenSSH does not use a private key that belongs to the user and gives group or others any access. It ignores the key, and the login then fails with \"Permission denied\". Many SSH libraries do not check this, so an application may connect where ssh does not. A key owned by another user is exempt (`key.owner`). On Windows drives under WSL, modes cannot be changed unless the drive is mounted with metadata: copy the key into the Linux file system.",
    fixes: &[
        run("Restrict it to its owner:", "chmod 600 {path}"),
        fix(
            "If the file system does not keep modes (a Windows drive, some mounted secrets), copy the key elsewhere and set the mode there.",
        ),
    ],
    seen_as: &[
        "WARNING: UNPROTECTED PRIVATE KEY FILE!",
        "are too open.",
        "It is required that your private key files are NOT accessible by others.",
        "This private key will be ignored.",
        "bad permissions",
    ],
};

/// Another user owns the file.
pub static OWNER: Cause = Cause {
    code: "key.owner",
    severity: Severity::Warn,
    retryable: false,
    title: "The private key belongs to another user",
    summary: "{path} belongs to {owner}, not to the user that connects, so OpenSSH does not check its mode ({mode}).",
    meaning: "OpenSSH checks the mode of a key only if the user owns the file, so this works. But the owner can change or replace the key, and OpenSSH may refuse the same file because of its mode when the owner uses it. Keys mounted into containers often look like this.",
    fixes: &[
        run(
            "If the key is meant for this user, make this user its owner:",
            "sudo chown \"$(id -u)\" {path} && chmod 600 {path}",
        ),
        fix("If it comes from a mounted secret, nothing needs to be done."),
    ],
    seen_as: &[],
};

/// A public key or a certificate.
pub static PUBLIC: Cause = Cause {
    code: "key.public",
    severity: Severity::Fail,
    retryable: false,
    title: "This is a public key or a certificate, not a private key",
    summary: "{path} holds {what}, not a private key.",
    meaning: "The public key (id_ed25519.pub, a line that begins with ssh-ed25519 AAAA…) goes onto the server, into authorized_keys. The private key stays on this machine and is the one needed here. A certificate is an authority's signature on a key and does not replace it: it is stored next to the private key, as KEY-cert.pub. ssh accepts the name of a public key only if an agent holds the private one.",
    fixes: &[
        run("Use the private key next to it:", "dbdoctor key {private}"),
        fix(
            "Use the file of the same name without .pub (or -cert.pub); it begins with -----BEGIN … PRIVATE KEY-----.",
        ),
        fix("In a CI secret, paste the whole text of the private key file."),
    ],
    seen_as: &[
        "Load key \"...\": invalid format",
        "Load key \"...\": error in libcrypto",
        "not a valid RSA private key file",
    ],
};

/// A damaged private key.
pub static MANGLED: Cause = Cause {
    code: "key.mangled",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key is damaged",
    summary: "The private key in {path} is damaged: {damage} ({where}); {reading}.",
    meaning: "It was a private key before it was stored or copied: most often a CI secret, an environment variable, a clipboard or a template changed it. OpenSSH is strict with its own format (the header must be the first line, the footer must end with a newline, and neither may have a carriage return) and lenient with PEM; libraries differ again. A file that never was a key is `key.format`.",
    fixes: &[
        fix(
            "Better still, store the key again from the original, as a file, or base64-encoded in the secret and decoded where it is written.",
        ),
        fix(
            "To write it from a variable, use printf '%s\\n' \"$KEY\" > FILE, with the quotes, which keep the line breaks.",
        ),
    ],
    seen_as: &[
        "Load key \"...\": error in libcrypto",
        "Load key \"...\": invalid format",
        "invalid privatekey",
        "not a valid OPENSSH private key file",
        "Cannot parse privateKey: Unsupported key format",
    ],
};

/// Not a private key, or not in a format that OpenSSH reads.
pub static FORMAT: Cause = Cause {
    code: "key.format",
    severity: Severity::Fail,
    retryable: false,
    title: "This is not a private key in a format that OpenSSH reads",
    summary: "{path} is not a private key that OpenSSH reads: it is {what}.",
    meaning: "OpenSSH reads its own format (OPENSSH PRIVATE KEY) and PEM (RSA, EC and DSA PRIVATE KEY, PRIVATE KEY, ENCRYPTED PRIVATE KEY). Anything else must be converted, or is the wrong file. A damaged private key is `key.mangled`, a PuTTY key is `key.ppk`.",
    fixes: &[
        run("Check how the file begins:", "head -c 60 {path}"),
        fix(
            "Use the path of the private key file, or convert the key to OpenSSH's format with the program that created it.",
        ),
    ],
    seen_as: &[
        "Load key \"...\": invalid format",
        "Load key \"...\": error in libcrypto",
        "invalid privatekey: [B@",
        "Cannot parse privateKey: Unsupported key format",
    ],
};

/// A PuTTY key.
pub static PPK: Cause = Cause {
    code: "key.ppk",
    severity: Severity::Fail,
    retryable: false,
    title: "This is a PuTTY key, which OpenSSH does not read",
    summary: "{path} is a PuTTY key (.ppk, version {version}); OpenSSH does not read that format.",
    meaning: "PuTTY, WinSCP and some database tools on Windows store keys in a format of their own. The key itself is fine; export it to OpenSSH's format. Version 3 needs PuTTYgen 0.75 or later.",
    fixes: &[
        run(
            "Convert it (package putty-tools, or putty from Homebrew; this asks for the passphrase and keeps it):",
            "puttygen {path} -O private-openssh -o {converted} && chmod 600 {converted}",
        ),
        fix("On Windows: PuTTYgen, Conversions, Export OpenSSH key."),
    ],
    seen_as: &[
        "PuTTY-User-Key-File",
        "Load key \"...\": invalid format",
        "unknown or unsupported key type",
    ],
};

/// A key type that servers do not accept.
pub static TYPE: Cause = Cause {
    code: "key.type",
    severity: Severity::Fail,
    retryable: false,
    title: "This type of private key cannot be used here",
    summary: "{path} is a key of type {type}: {why}.",
    meaning: "SSH supports RSA, ECDSA on three NIST curves, and Ed25519. DSA is disabled in OpenSSH since 7.0 and removed in 10.0. Keys on secp256k1, Ed448 and similar curves are made by openssl and belong to TLS or to blockchains. Keys of a security key (sk-…) sign only with the device, which a server in a data centre and most libraries cannot use.",
    fixes: &[
        run(
            "Create a key of a common type, and add its public key to authorized_keys on the server:",
            "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519",
        ),
        fix(
            "For a security key: plug it in and use ssh itself, or give the application its own key.",
        ),
    ],
    seen_as: &[
        "unknown or unsupported key type",
        "key type ssh-dss not in PubkeyAcceptedAlgorithms",
        "no mutual signature algorithm",
        "module 'paramiko' has no attribute 'DSSKey'",
        "Unsupported key type",
    ],
};

/// Too short.
pub static WEAK: Cause = Cause {
    code: "key.weak",
    severity: Severity::Warn,
    retryable: false,
    title: "The RSA key is too short",
    summary: "The RSA key in {path} has {bits} bits; at least 2048 are considered safe, and OpenSSH refuses keys under 1024.",
    meaning: "Servers can require more than 1024 bits (RequiredRSASize), and systems with strict crypto policies do. A short key may work on one server and be refused by the next.",
    fixes: &[run(
        "Create a new key, and add its public key to authorized_keys on the server:",
        "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519",
    )],
    seen_as: &[
        "Invalid key length",
        "Bad key length",
        "key size not allowed",
    ],
};

/// Encrypted, without a passphrase.
pub static PASSPHRASE_MISSING: Cause = Cause {
    code: "key.passphrase.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key is encrypted, and no passphrase is available",
    summary: "{path} is encrypted, and neither a passphrase nor an agent is available.",
    meaning: "On a terminal, ssh asks for the passphrase; a service or a CI job has no one to ask. dbdoctor takes it from DBDOCTOR_SSH_PASSPHRASE or asks on a terminal, unless an agent holds the key.",
    fixes: &[
        run(
            "Load the key into an agent, which keeps it decrypted:",
            "ssh-add {path}",
        ),
        fix("Set DBDOCTOR_SSH_PASSPHRASE (from the secret store, not on the command line)."),
        run(
            "For a service: remove the passphrase from a copy that only the service can read:",
            "cp -p {path} {path}.open && ssh-keygen -p -N '' -f {path}.open",
        ),
    ],
    seen_as: &[
        "Private key file is encrypted",
        "Encrypted private OpenSSH key detected, but no passphrase given",
        "private key is encrypted but no passphrase",
        "Enter passphrase for key",
    ],
};

/// Encrypted, with a wrong passphrase.
pub static PASSPHRASE_WRONG: Cause = Cause {
    code: "key.passphrase.wrong",
    severity: Severity::Fail,
    retryable: false,
    title: "The passphrase does not decrypt the private key",
    summary: "{path} is encrypted, and the given passphrase does not decrypt it.",
    meaning: "The passphrase belongs to another key, has an extra character (a newline or a space from the file it was read from), or the key was re-encrypted with another passphrase. A damaged PEM key can look the same: only the right passphrase tells them apart.",
    fixes: &[
        run("Try it by hand:", "ssh-keygen -y -f {path}"),
        fix("Check DBDOCTOR_SSH_PASSPHRASE for a trailing newline or quote."),
    ],
    seen_as: &[
        "incorrect passphrase supplied to decrypt private key",
        "Bad passphrase",
        "bad decrypt",
        "OpenSSH key integrity check failed",
    ],
};

/// The `.pub` or certificate next to it belongs to another key.
pub static PAIR_MISMATCH: Cause = Cause {
    code: "key.pair-mismatch",
    severity: Severity::Warn,
    retryable: false,
    title: "The public key or certificate next to the private key belongs to another key",
    summary: "{beside} does not belong to {path}: it has {other}, the private key is {key}.",
    meaning: "OpenSSH offers the key in the .pub file and then refuses to sign with a private key that does not belong to it, so the login fails although the right private key is there. Libraries that read only the private key connect. It happens when only one of the two files is replaced.",
    fixes: &[
        run(
            "Regenerate the public key from the private key:",
            "ssh-keygen -y -f {path} > {public_half}",
        ),
        fix(
            "For a certificate: have the current public key signed, or remove the old certificate.",
        ),
    ],
    seen_as: &["contents do not match public", "identity_sign: private key"],
};

/// OpenSSH reads it, but some libraries do not.
pub static LIBRARY: Cause = Cause {
    code: "key.library",
    severity: Severity::Warn,
    retryable: false,
    title: "Some SSH libraries cannot read this private key format",
    summary: "OpenSSH reads {path}, but {library} does not.",
    meaning: "SSH libraries differ in the formats they read: paramiko before 2.7 and JSch (the original, not its fork com.github.mwiede) do not read OpenSSH's own format; others do not read PKCS#8 or a certain cipher. dbdoctor key -v lists which libraries can read the key. A run never reports it as a finding.",
    fixes: &[
        run(
            "Convert a copy to PEM (RSA and ECDSA):",
            "cp -p {path} {path}.pem && ssh-keygen -p -m PEM -f {path}.pem",
        ),
        fix("Update the library: paramiko 2.7 or later, com.github.mwiede:jsch."),
    ],
    seen_as: &[
        "invalid privatekey: [B@",
        "not a valid RSA private key file",
        "not a valid OPENSSH private key file",
        "q must be exactly 160, 224, or 256 bits long",
        "encountered RSA key, expected OPENSSH key",
    ],
};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "key.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The key stage failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The evidence contains the raw error. Please report it.",
    fixes: &[fix(
        "Report it with the output of the same command with --format json added.",
    )],
    seen_as: &[],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[
    &MISSING,
    &UNREADABLE,
    &NOT_A_FILE,
    &PERMISSIONS,
    &OWNER,
    &PUBLIC,
    &MANGLED,
    &FORMAT,
    &PPK,
    &TYPE,
    &WEAK,
    &PASSPHRASE_MISSING,
    &PASSPHRASE_WRONG,
    &PAIR_MISMATCH,
    &LIBRARY,
    &UNCLASSIFIED,
];
