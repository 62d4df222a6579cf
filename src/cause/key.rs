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
    meaning: "The path that names the key leads to nothing: a typing error, a secret that was \
              not mounted or not written to disk, another home directory (a service or a \
              container has its own), or a tilde inside quotes, which the shell leaves as it is. \
              A file that exists and may not be read is key.unreadable. Where default files are \
              meant, ssh looks for id_rsa, id_ecdsa, id_ed25519 and their kin in ~/.ssh, of the \
              user that it runs as.",
    fixes: &[
        run(
            "See which keys are there, as the user that connects.",
            "ls -la ~/.ssh",
        ),
        fix("Correct the path (--ssh-key, IdentityFile), or put the key where it is looked for."),
        fix(
            "In a container or a CI job, check that the secret is mounted and written to a file: \
             the path must be that file's, not the secret itself.",
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
    meaning: "The file, or a directory on the way to it, is closed to the user that dbdoctor \
              runs as. The usual reason is a key that root or another user made, and a service \
              that runs as somebody else. It is not key.permissions, where OpenSSH refuses a key \
              that too many may read. Where the error is another one, the links to the file lead \
              in a circle, or the disk or the mount below it fails.",
    fixes: &[
        run(
            "See who may read it, and who you are.",
            "id; namei -l {path}",
        ),
        run(
            "Give the file to the user that connects.",
            "sudo chown \"$(id -u)\" {closed_file} && chmod 600 {closed_file}",
        ),
    ],
    seen_as: &[
        "Load key \"...\": Permission denied",
        "EACCES: permission denied, open",
        "[Errno 13] Permission denied",
    ],
};

/// Something else than a file with content.
pub static NOT_A_FILE: Cause = Cause {
    code: "key.not-a-file",
    severity: Severity::Fail,
    retryable: false,
    title: "The path of the private key is not that of a file with a key in it",
    summary: "{path} is {what}, not a file with a private key.",
    meaning: "Container engines make an empty directory where a file to be mounted does not \
              exist on the host, and a CI secret that is not set writes an empty file. A pipe is \
              read if somebody writes into it at once (process substitution).",
    fixes: &[
        run("See what is there.", "ls -ld {path}"),
        fix(
            "Name the file itself, and check that the secret that fills it is set where this \
             job runs (a fork or an unprotected branch may not see it).",
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
    title: "The private key is accessible to others, and OpenSSH refuses it",
    summary: "{path} has mode {mode}: {who} access, and OpenSSH refuses such a key.",
    meaning: "OpenSSH does not use a private key that belongs to the user and grants group or \
              others any access. It ignores the key, and the login then fails with \"Permission \
              denied\". Many SSH libraries do not look, so that an application may work where \
              ssh does not. A key of another owner is not held to this (key.owner). On Windows \
              drives under WSL, modes cannot be changed unless the drive is mounted with \
              metadata: copy the key into the Linux file system.",
    fixes: &[
        run("Take the access away.", "chmod 600 {path}"),
        fix(
            "Where the file system does not keep modes (a Windows drive, some mounted secrets), \
             copy the key elsewhere and set the mode there.",
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

/// Somebody else owns the file.
pub static OWNER: Cause = Cause {
    code: "key.owner",
    severity: Severity::Warn,
    retryable: false,
    title: "The private key belongs to another user",
    summary: "{path} belongs to {owner}, not to the user that connects; OpenSSH then does not \
              look at its mode ({mode}).",
    meaning: "OpenSSH judges the mode of a key only if the user owns the file, so this works. \
              But its owner can change or replace it, and the same file may be refused for its \
              mode when its owner uses it. Keys mounted into containers often look like this.",
    fixes: &[
        run(
            "If the key is meant for this user, give it to them.",
            "sudo chown \"$(id -u)\" {path} && chmod 600 {path}",
        ),
        fix("If it comes from a mounted secret, nothing needs to be done."),
    ],
    seen_as: &[],
};

/// The public half, or a certificate.
pub static PUBLIC: Cause = Cause {
    code: "key.public",
    severity: Severity::Fail,
    retryable: false,
    title: "This is a public key or a certificate, not a private key",
    summary: "{path} holds {what}, not a private key.",
    meaning: "The public half (id_ed25519.pub, a line that begins with ssh-ed25519 AAAA…) goes \
              onto the server, into authorized_keys; the private half stays here and is what is \
              asked for. A certificate says that somebody vouches for a key and does not replace \
              it: it lies beside the private key, as KEY-cert.pub. ssh accepts the name of a \
              public half only where an agent holds the private one.",
    fixes: &[
        run("Use the private half beside it.", "dbdoctor key {private}"),
        fix(
            "Use the file of the same name without .pub (or -cert.pub); it begins with \
             -----BEGIN … PRIVATE KEY-----.",
        ),
        fix("In a CI secret, paste the private file's whole text."),
    ],
    seen_as: &[
        "Load key \"...\": invalid format",
        "Load key \"...\": error in libcrypto",
        "not a valid RSA private key file",
    ],
};

/// Damaged on its way.
pub static MANGLED: Cause = Cause {
    code: "key.mangled",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key was damaged on its way",
    summary: "The private key in {path} is damaged: {damage} ({where}); {reading}.",
    meaning: "It was a private key, and something on its way changed it: most often a CI \
              secret, an environment variable, a clipboard or a template. OpenSSH is strict with \
              its own format (the header is the first line, the footer ends with a line break, \
              no carriage return in either) and lenient with PEM; libraries differ again. A file \
              that never was a key is key.format.",
    fixes: &[
        fix(
            "Better still, put the key anew where it came from, as a file, or base64-encoded in \
             the secret and decoded where it is written.",
        ),
        fix(
            "When writing it from a variable: printf '%s\\n' \"$KEY\" > FILE, with the quotes, \
             which keep the line breaks.",
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

/// No private key at all, or in no form that OpenSSH reads.
pub static FORMAT: Cause = Cause {
    code: "key.format",
    severity: Severity::Fail,
    retryable: false,
    title: "This is not a private key in a form that OpenSSH reads",
    summary: "{path} is not a private key that OpenSSH reads: it is {what}.",
    meaning: "OpenSSH reads its own format (OPENSSH PRIVATE KEY) and PEM (RSA, EC and DSA \
              PRIVATE KEY, PRIVATE KEY, ENCRYPTED PRIVATE KEY). Anything else has to be \
              converted, or is another file altogether. A key that was damaged on its way is \
              key.mangled, a PuTTY key is key.ppk.",
    fixes: &[
        run("Look at how it begins.", "head -c 60 {path}"),
        fix(
            "Name the private key's file, or convert it into OpenSSH's format with the program \
             that made it.",
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
    meaning: "PuTTY, WinSCP and some database tools on Windows keep keys in a format of their \
              own. The key itself is fine; it has to be exported into OpenSSH's format. Version \
              3 needs PuTTYgen 0.75 or later.",
    fixes: &[
        run(
            "Convert it (package putty-tools, or putty from Homebrew); a passphrase is asked for \
             and kept.",
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

/// A type that nobody takes.
pub static TYPE: Cause = Cause {
    code: "key.type",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key is of a type that cannot be used here",
    summary: "{path} is a key of type {type}: {why}.",
    meaning: "SSH knows RSA, ECDSA on three NIST curves, and Ed25519. DSA is switched off in \
              OpenSSH since 7.0 and gone since 10.0; keys on secp256k1, Ed448 and the like are \
              made by openssl and belong to TLS or to blockchains. Keys of a security key (sk-…) \
              sign only with the device, which a server in a data centre and most libraries \
              cannot use.",
    fixes: &[
        run(
            "Make a key of a common type, and put its public half onto the server.",
            "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519",
        ),
        fix(
            "For a security key: plug it in and use ssh itself, or give the application a key of \
             its own.",
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
    summary: "The RSA key in {path} has {bits} bits; 2048 is the least that is safe, and under \
              1024 OpenSSH refuses the key.",
    meaning: "Servers may demand more than 1024 bits (RequiredRSASize), and systems with strict \
              crypto policies do. A short key can work on one server and be refused by the next.",
    fixes: &[run(
        "Make a new key, and put its public half onto the server.",
        "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519",
    )],
    seen_as: &[
        "Invalid key length",
        "Bad key length",
        "key size not allowed",
    ],
};

/// Encrypted, with nothing to open it.
pub static PASSPHRASE_MISSING: Cause = Cause {
    code: "key.passphrase.missing",
    severity: Severity::Fail,
    retryable: false,
    title: "The private key is encrypted, and there is no passphrase",
    summary: "{path} is encrypted, and neither a passphrase nor an agent is at hand.",
    meaning: "Somebody at a terminal is asked for the passphrase; a service or a CI job has \
              nobody to ask. dbdoctor takes it from DBDOCTOR_SSH_PASSPHRASE, or asks on a \
              terminal, unless an agent holds the key.",
    fixes: &[
        run(
            "Load it into an agent, which keeps it open.",
            "ssh-add {path}",
        ),
        fix("Set DBDOCTOR_SSH_PASSPHRASE (from the secret store, not on the command line)."),
        run(
            "For a service: take the passphrase off a copy that only the service can read.",
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

/// Encrypted, and the passphrase does not fit.
pub static PASSPHRASE_WRONG: Cause = Cause {
    code: "key.passphrase.wrong",
    severity: Severity::Fail,
    retryable: false,
    title: "The passphrase does not open the private key",
    summary: "{path} is encrypted, and the passphrase given does not open it.",
    meaning: "The passphrase belongs to another key, has a character too many (a line break or a \
              space that came with it from a file), or the key was encrypted anew. A damaged PEM \
              key can look the same: only the right passphrase tells them apart.",
    fixes: &[
        run("Try it by hand.", "ssh-keygen -y -f {path}"),
        fix("Check DBDOCTOR_SSH_PASSPHRASE for a line break or quotes at its end."),
    ],
    seen_as: &[
        "incorrect passphrase supplied to decrypt private key",
        "Bad passphrase",
        "bad decrypt",
        "OpenSSH key integrity check failed",
    ],
};

/// The companions belong to another key.
pub static PAIR_MISMATCH: Cause = Cause {
    code: "key.pair-mismatch",
    severity: Severity::Warn,
    retryable: false,
    title: "The public key or certificate beside the private key belongs to another key",
    summary: "{beside} does not belong to {path}: {other} there, {key} here.",
    meaning: "OpenSSH offers what the .pub beside a key says, and then refuses to sign with a \
              private key that does not belong to it, so the login fails although the right \
              private key is there. Libraries that look at the private key alone get in. It \
              happens when one of the two files is replaced.",
    fixes: &[
        run(
            "Write the public half anew from the private key.",
            "ssh-keygen -y -f {path} > {public_half}",
        ),
        fix(
            "For a certificate: have the current public key signed, or take the old certificate \
             away.",
        ),
    ],
    seen_as: &["contents do not match public", "identity_sign: private key"],
};

/// OpenSSH reads it and some libraries do not.
pub static LIBRARY: Cause = Cause {
    code: "key.library",
    severity: Severity::Warn,
    retryable: false,
    title: "Some SSH libraries cannot read this form of private key",
    summary: "OpenSSH reads {path}, and {library} does not.",
    meaning: "The forms that SSH libraries read differ: paramiko before 2.7 and JSch (the \
              original, not its fork com.github.mwiede) do not read OpenSSH's own format, \
              others do not read PKCS#8 or a cipher. dbdoctor key -v lists which can read the \
              key. It is never a finding of a run.",
    fixes: &[
        run(
            "Convert a copy to PEM (RSA and ECDSA).",
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
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
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
