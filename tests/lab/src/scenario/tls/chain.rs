//! Chains, roots and revocation.

use super::*;

const ROOT_INVALID: Expect = Expect::Fail("tls.root.invalid");
const CRL: Expect = Expect::Fail("tls.crl");
const REVOKED: Expect = Expect::Fail("tls.cert.revoked");

/// A server whose certificate is the authority's, with this revocation list.
fn with_crl(lab: &Lab, make: impl Fn(&Ca, &Issued, &Path) -> Result<()>) -> Result<Case> {
    let issued = lab.issue(lab.cert())?;
    let file = lab.dir("crl")?.join("root.crl");
    make(lab.ca(), &issued, &file)?;
    verifying(lab, issued, &[("sslcrl", &file.to_string_lossy())])
}

/// A pipe that is written to over and over, as `<(cat FILE)` of a shell is once.
fn piped(lab: &Lab, file: &Path) -> Result<(PathBuf, Service)> {
    let dir = lab.dir("piped")?;
    let pipe = dir.join("pipe");
    Tool::new("mkfifo").arg(pipe.display()).succeed()?;
    let writing = "while cat \"$0\" > \"$1\"; do sleep 0.1; done";
    let writer = Tool::new("sh").args(["-c", writing]);
    let writer = writer.arg(file.display()).arg(pipe.display());
    Ok((pipe, writer.serve(dir.join("log"), "KILL")?))
}

/// A root file of this content in place of the real one.
fn with_root_file(lab: &Lab, content: &[u8], sslmode: &str) -> Result<Case> {
    let file = lab.file("root.crt", content, 0o644)?;
    shared(
        lab,
        &[
            ("sslrootcert", &file.to_string_lossy()),
            ("sslmode", sslmode),
        ],
    )
}

/// Chains, roots and revocation.
pub const SCENARIOS: &[Scenario] = &[
    // ---- Chains ----
    Scenario::new(
        "tls-root-sent-healthy",
        "the server sends its root as well",
        PASS,
        &[Need::Postgres],
        |lab| {
            let mut issued = lab.ca().intermediate("Lab CA 2")?.issue(&lab.cert())?;
            issued.chain.push(lab.ca().cert().clone());
            with_cert(lab, issued)
        },
    ),
    Scenario::new(
        "tls-root-sent-untrusted",
        "the server sends its root, which nobody trusts",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let other = Ca::new("Other CA")?;
            let mut issued = other.issue(&lab.cert())?;
            issued.chain.push(other.cert().clone());
            with_cert(lab, issued)
        },
    ),
    Scenario::new(
        "tls-same-name-other-key",
        "an authority set up anew under its old name",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let cn = "Lab CA";
            let (old, new) = (Ca::new(cn)?, Ca::new(cn)?);
            let file = old.write(&lab.dir("old")?.join("root.crt"))?;
            verifying(
                lab,
                new.issue(&lab.cert())?,
                &[("sslrootcert", &file.to_string_lossy())],
            )
        },
    ),
    Scenario::new(
        "tls-unknown-ca-require",
        "require verifies too once a root file is there",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            verifying(
                lab,
                Ca::new("Other CA")?.issue(&lab.cert())?,
                &[("sslmode", "require")],
            )
        },
    ),
    Scenario::new(
        "tls-unknown-ca-verify-ca",
        "unknown authority under verify-ca",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            verifying(
                lab,
                Ca::new("Other CA")?.issue(&lab.cert())?,
                &[("sslmode", "verify-ca")],
            )
        },
    ),
    Scenario::new(
        "tls-unknown-ca-prefer",
        "the root file does not fit, and prefer goes on in clear",
        Expect::Warn("tls.cert.unknown-ca"),
        &[Need::Postgres],
        |lab| {
            verifying(
                lab,
                Ca::new("Other CA")?.issue(&lab.cert())?,
                &[("sslmode", "prefer")],
            )
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-url",
        "an intermediate is missing, and the certificate says where it is",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate("Lab CA 2")?;
            let spec = CertSpec {
                issuer_url: "http://ca.test/2.crt".into(),
                ..lab.cert()
            };
            Ok(with_cert(lab, between.issue(&spec)?.without_chain())?
                .assert(tells("tls.cert.incomplete-chain", "issuer_url")))
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-org",
        "an intermediate of the trusted root's organisation is missing",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let of = |cn| CertSpec {
                org: "Corp".into(),
                ..CertSpec::authority(cn)
            };
            let root = Ca::with(&of("Corp Root"))?;
            let file = root.write(&lab.dir("corp")?.join("root.crt"))?;
            let issued = root
                .intermediate_with(&of("Corp CA 2"))?
                .issue(&lab.cert())?
                .without_chain();
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-incomplete-chain-deep",
        "the upper of two intermediates is missing",
        INCOMPLETE,
        &[Need::Postgres],
        |lab| {
            let of = |cn| CertSpec {
                org: "Corp".into(),
                ..CertSpec::authority(cn)
            };
            let root = Ca::with(&of("Corp Root"))?;
            let file = root.write(&lab.dir("corp")?.join("root.crt"))?;
            let mut issued = root
                .intermediate_with(&of("Corp CA 2"))?
                .intermediate_with(&of("Corp CA 3"))?
                .issue(&lab.cert())?;
            issued.chain.truncate(1);
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-other-organisation",
        "another organisation's authority, and its intermediate is sent",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| {
            let other = Ca::with(&CertSpec {
                org: "Other".into(),
                ..CertSpec::authority("Other Root")
            })?;
            with_cert(lab, other.intermediate("Other CA 2")?.issue(&lab.cert())?)
        },
    ),
    Scenario::new(
        "tls-intermediate-in-root-file-healthy",
        "the missing intermediate is in the root file",
        PASS,
        &[Need::Postgres],
        |lab| {
            let between = lab.ca().intermediate("Lab CA 2")?;
            let file = lab.dir("both")?.join("root.crt");
            fs::write(
                &file,
                [between.cert().to_pem()?, lab.ca().cert().to_pem()?].concat(),
            )?;
            let issued = between.issue(&lab.cert())?.without_chain();
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-self-signed-trusted-healthy",
        "the self-signed certificate is the root file",
        PASS,
        &[Need::Postgres],
        |lab| {
            let issued = Issued::self_signed(&lab.cert())?;
            let file = lab.file("root.crt", issued.cert.to_pem()?, 0o644)?;
            verifying(lab, issued, &[("sslrootcert", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-self-signed-require-healthy",
        "self-signed, and nothing verifies it",
        PASS,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(Issued::self_signed(&lab.cert())?)
                .start()?;
            Ok(Case::check(pg.conn().set("sslmode", "require"))
                .password(lab.password())
                .keep(pg)
                .forbids("tls.cert.self-signed"))
        },
    ),
    Scenario::new(
        "tls-root-default-healthy",
        "the root file in its default place",
        PASS,
        &[Need::Postgres],
        |lab| {
            let home = lab.dir("home")?;
            fs::create_dir(home.join(".postgresql"))?;
            fs::copy(lab.ca_file(), home.join(".postgresql/root.crt"))?;
            Ok(plainly(lab, &[("sslmode", "verify-full")])?.home(home))
        },
    ),
    // ---- Roots ----
    Scenario::new(
        "tls-root-missing",
        "verification without a root file",
        Expect::Fail("tls.root.missing"),
        &[Need::Postgres],
        |lab| plainly(lab, &[("sslmode", "verify-full")]),
    ),
    Scenario::new(
        "tls-root-missing-verify-ca",
        "verify-ca without a root file",
        Expect::Fail("tls.root.missing"),
        &[Need::Postgres],
        |lab| plainly(lab, &[("sslmode", "verify-ca")]),
    ),
    Scenario::new(
        "tls-root-named-missing",
        "the named root file is not there",
        Expect::Fail("config.file.missing"),
        &[Need::Postgres],
        |lab| shared(lab, &[("sslrootcert", "/nonexistent/root.crt")]),
    ),
    Scenario::new(
        "tls-root-named-missing-require",
        "the named root file is not there, and require goes on without",
        Expect::Warn("config.file.missing"),
        &[Need::Postgres],
        |lab| {
            shared(
                lab,
                &[
                    ("sslrootcert", "/nonexistent/root.crt"),
                    ("sslmode", "require"),
                ],
            )
        },
    ),
    Scenario::new(
        "tls-root-missing-require-healthy",
        "require without a root file",
        PASS,
        &[Need::Postgres],
        |lab| {
            Ok(plainly(lab, &[("sslmode", "require")])?
                .forbids("tls.root.missing")
                .forbids("config.file.missing"))
        },
    ),
    Scenario::new(
        "tls-root-empty",
        "an empty root file",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| with_root_file(lab, b"", "verify-full"),
    ),
    Scenario::new(
        "tls-root-empty-require",
        "an empty root file under require",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| with_root_file(lab, b"", "require"),
    ),
    Scenario::new(
        "tls-root-empty-prefer",
        "an empty root file, and prefer goes on in clear",
        Expect::Warn("tls.root.invalid"),
        &[Need::Postgres],
        |lab| with_root_file(lab, b"", "prefer"),
    ),
    Scenario::new(
        "tls-root-piped-healthy",
        "the root file is a pipe, and all of it is read at once",
        PASS,
        &[Need::Postgres],
        |lab| {
            let file = lab.file("root.crt", lab.ca().cert().to_pem()?, 0o644)?;
            let (pipe, writer) = piped(lab, &file)?;
            Ok(shared(lab, &[("sslrootcert", &pipe.to_string_lossy())])?.keep(writer))
        },
    ),
    Scenario::new(
        "tls-root-pipe",
        "the root file is a pipe that nobody writes to",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            let pipe = lab.dir("pipe")?.join("root.crt");
            Tool::new("mkfifo").arg(pipe.display()).succeed()?;
            shared(lab, &[("sslrootcert", &pipe.to_string_lossy())])
        },
    )
    .oracle(Oracle::None("psql waits for ever")),
    Scenario::new(
        "tls-root-endless",
        "the root file is a device without an end",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslrootcert", "/dev/zero")]),
    )
    .oracle(Oracle::None("psql reads for ever")),
    Scenario::new(
        "tls-root-der",
        "a root file in DER",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| with_root_file(lab, &lab.ca().cert().to_der()?, "verify-ca"),
    ),
    Scenario::new(
        "tls-root-key",
        "a private key as root file",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            with_root_file(
                lab,
                &KeyKind::P256.generate()?.private_key_to_pem_pkcs8()?,
                "verify-full",
            )
        },
    ),
    Scenario::new(
        "tls-root-directory",
        "a directory as root file",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            shared(
                lab,
                &[("sslrootcert", &lab.dir("roots")?.to_string_lossy())],
            )
        },
    ),
    Scenario::new(
        "tls-root-damaged",
        "a root file cut in half",
        ROOT_INVALID,
        &[Need::Postgres],
        |lab| {
            let pem = lab.ca().cert().to_pem()?;
            with_root_file(lab, &pem[..pem.len() / 2], "verify-full")
        },
    ),
    Scenario::new(
        "tls-root-system",
        "a public root is asked for and the authority is private",
        UNKNOWN_CA,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslrootcert", "system")]),
    )
    .oracle(NEWER),
    Scenario::new(
        "tls-root-system-healthy",
        "the authority is among the system's roots",
        PASS,
        &[Need::Postgres],
        |lab| {
            Ok(shared(lab, &[("sslrootcert", "system")])?
                .env("SSL_CERT_FILE", lab.ca_file().display()))
        },
    )
    .oracle(NEWER),
    // ---- Revocation ----
    Scenario::new(
        "tls-crl-fresh-healthy",
        "a fresh revocation list that revokes another",
        PASS,
        &[Need::Postgres],
        |lab| {
            let other = lab.issue(lab.cert())?;
            with_crl(lab, |ca, _, file| ca.crl(file, &[&other], -1, 30).map(drop))
        },
    ),
    Scenario::new(
        "tls-crl-piped",
        "the server's certificate is revoked, by a list that is a pipe",
        REVOKED,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let file = lab.dir("crl")?.join("root.crl");
            lab.ca().crl(&file, &[&issued], -1, 30)?;
            let (pipe, writer) = piped(lab, &file)?;
            Ok(verifying(lab, issued, &[("sslcrl", &pipe.to_string_lossy())])?.keep(writer))
        },
    ),
    Scenario::new(
        "tls-crl-missing-file-healthy",
        "a revocation list that is not there is left out",
        PASS,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslcrl", "/nonexistent/root.crl")]),
    ),
    Scenario::new(
        "tls-crl-default",
        "revoked by the list in its default place",
        REVOKED,
        &[Need::Postgres],
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let home = lab.dir("home")?;
            fs::create_dir(home.join(".postgresql"))?;
            lab.ca()
                .crl(&home.join(".postgresql/root.crl"), &[&issued], -1, 30)?;
            Ok(verifying(lab, issued, &[])?.home(home))
        },
    ),
    Scenario::new(
        "tls-crl-stale",
        "the revocation list ended yesterday",
        CRL,
        &[Need::Postgres],
        |lab| with_crl(lab, |ca, _, file| ca.crl(file, &[], -10, -1).map(drop)),
    ),
    Scenario::new(
        "tls-crl-future",
        "the revocation list begins tomorrow",
        CRL,
        &[Need::Postgres],
        |lab| with_crl(lab, |ca, _, file| ca.crl(file, &[], 1, 30).map(drop)),
    ),
    Scenario::new(
        "tls-crl-other-authority",
        "a revocation list of another authority",
        CRL,
        &[Need::Postgres],
        |lab| {
            with_crl(lab, |_, _, file| {
                Ca::new("Other CA")?.crl(file, &[], -1, 30).map(drop)
            })
        },
    ),
    Scenario::new(
        "tls-crl-intermediate",
        "no revocation list for the intermediate's certificates",
        CRL,
        &[Need::Postgres],
        |lab| {
            let issued = lab.ca().intermediate("Lab CA 2")?.issue(&lab.cert())?;
            let file = lab
                .ca()
                .crl(&lab.dir("crl")?.join("root.crl"), &[], -1, 30)?;
            verifying(lab, issued, &[("sslcrl", &file.to_string_lossy())])
        },
    ),
    Scenario::new(
        "tls-crl-stale-and-revoked",
        "an old list, and the certificate is on it",
        CRL,
        &[Need::Postgres],
        |lab| {
            Ok(with_crl(lab, |ca, issued, file| {
                ca.crl(file, &[issued], -10, -1).map(drop)
            })?
            .assert(also("tls.cert.revoked")))
        },
    ),
    Scenario::new(
        "tls-crl-directory-empty",
        "a directory without revocation lists",
        CRL,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslcrldir", &lab.dir("crls")?.to_string_lossy())]),
    ),
    Scenario::new(
        "tls-crl-directory-missing",
        "a directory of revocation lists that is not there",
        CRL,
        &[Need::Postgres],
        |lab| shared(lab, &[("sslcrldir", "/nonexistent/crls")]),
    ),
];
