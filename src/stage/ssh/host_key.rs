//! Whether the server is who known_hosts says it is, as OpenSSH decides it
//! (sshconnect.c, `check_host_key`).

use std::net::IpAddr;
use std::time::Instant;

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, PublicKey, PublicKeyOrCertificate};
use serde_json::{Value, json};

use super::algorithms::{KnownKeyTypes, key_type, ordered_by_known_hosts, signs_certificates};
use super::known_hosts::{Book, KnownHostsLine, Marker, fingerprint, host_port};
use super::known_hosts_command::{Purpose, Run, Runner};
use super::known_hosts_damage::Wanted;
use super::known_hosts_repair::{Added, PLAIN, added, append, repair};
use crate::cause;
use crate::config::{Hop, HostKeyCheck};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::stage::key::bits;

/// What the server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its key, out of the certificate where it showed one.
    pub key: PublicKey,
    /// Its certificate.
    pub certificate: Option<Certificate>,
}

impl From<&PublicKeyOrCertificate> for Shown {
    fn from(shown: &PublicKeyOrCertificate) -> Self {
        Self {
            key: shown.public_key(),
            certificate: shown.certificate().cloned(),
        }
    }
}

impl Shown {
    /// The key alone.
    fn plain(&self) -> Self {
        Self {
            key: self.key.clone(),
            certificate: None,
        }
    }

    /// In what forms it is looked for, in order: a certificate that no known
    /// authority vouches for counts as the plain key within.
    fn forms(&self) -> impl Iterator<Item = Self> {
        let certificate = self.certificate.is_some().then(|| self.clone());
        certificate.into_iter().chain([self.plain()])
    }
}

/// What spoke against a host before nothing was found to speak for it.
#[derive(Default)]
struct Doubts {
    /// What is wrong with its certificate, and the line of the authority.
    fault: Option<(String, KnownHostsLine)>,
    /// The line for the bare name that revokes it.
    revoked: Option<KnownHostsLine>,
}

/// How known_hosts sees a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// A line has this very key, or the authority that signed it.
    Known(KnownHostsLine),
    /// No line applies.
    New,
    /// Lines apply, and none has this key.
    Changed(Vec<KnownHostsLine>),
    /// A line forbids it.
    Revoked(KnownHostsLine),
}

/// What becomes of the session.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Whether the session goes on.
    pub accepted: bool,
    /// Whether only public keys may be used from here on: the key is wrong,
    /// and checking is off.
    pub keys_only: bool,
    /// Why it does not, or a warning where it does.
    pub finding: Option<Finding>,
    /// For `facts`: type, fingerprint, and what known_hosts said.
    pub fact: Value,
    /// The same in three words.
    pub summary: &'static str,
}

/// Judges what a hop's server shows, from the files that know hosts.
#[derive(Clone, Debug)]
pub struct HostKeyVerifier {
    hop: Hop,
    book: Book,
    now: u64,
    reachable: bool,
    trusted: bool,
    /// The server's address as known_hosts names it, where that is looked up
    /// too (`CheckHostIP`).
    address: Option<String>,
    /// What runs `KnownHostsCommand`.
    runner: Option<Runner>,
    /// Its run for the order of algorithms.
    order: Option<Run>,
}

impl HostKeyVerifier {
    /// For a hop, at a time in seconds since 1970. `reachable` says whether
    /// this machine itself could ask the server for its key.
    pub fn new(hop: &Hop, now: u64, reachable: bool) -> Self {
        Self {
            hop: hop.clone(),
            book: Book::read(hop.known_hosts.iter().chain(&hop.global_known_hosts)),
            now,
            reachable,
            trusted: false,
            address: None,
            runner: None,
            order: None,
        }
    }

    /// The same with what `KnownHostsCommand` prints, which is run before the
    /// deadline: now for the order of algorithms, unless the configuration sets
    /// that, and for each name once a key is shown. Blocks.
    pub fn asking(mut self, ctx: &Ctx, deadline: Instant) -> Self {
        self.runner = Runner::new(&self.hop, ctx, deadline);
        let runner = self.runner.as_ref();
        self.order = runner
            .filter(|_| ordered_by_known_hosts(&self.hop.algorithms))
            .map(|runner| runner.order(&self.hop, &self.name()));
        self
    }

    /// Why ssh would end the session before a key is shown.
    pub fn stopped(&self) -> Option<Finding> {
        self.order.as_ref()?.failure(&self.hop)
    }

    /// The same where the server is reached straight at this address. On
    /// loopback the configuration may trust every key
    /// (`NoHostAuthenticationForLocalhost`); elsewhere it may want the
    /// address's own lines to agree (`CheckHostIP`).
    pub fn at(mut self, address: Option<IpAddr>) -> Self {
        let loopback = address.is_some_and(|address| address.is_loopback());
        self.trusted = loopback && self.hop.trusts_loopback;
        self.address = address
            .filter(|_| self.hop.checks_address && !loopback)
            .map(|address| host_port(&address.to_string(), self.hop.port));
        self
    }

    /// The name that is looked up (sshconnect.c, `get_hostfile_hostname_ipaddr`).
    pub fn name(&self) -> String {
        match &self.hop.host_key_alias {
            Some(alias) => alias.clone(),
            None => host_port(&self.hop.host, self.hop.port),
        }
    }

    /// The lines for the bare name, which count where there are none for the
    /// name with its port.
    fn bare_lines(&self) -> Option<Vec<KnownHostsLine>> {
        let bare = self.hop.host_key_alias.is_none() && self.hop.port != 22;
        bare.then(|| self.book.lines(&self.hop.host))
    }

    /// What is known, for the order of algorithms. A line for the bare name
    /// does not change the order, but its authority may vouch for the host. Of
    /// each type the first key counts, unless it is revoked (hostfile.c,
    /// `check_hostkeys_by_key_or_type`).
    pub fn known(&self) -> KnownKeyTypes {
        let mut lines = self.book.lines(&self.name());
        lines.extend(self.order.iter().flat_map(|run| run.lines.clone()));
        let bare = self.bare_lines().unwrap_or_default();
        let plain = || lines.iter().filter(|line| line.marker == Marker::Plain);
        let first = |of: &&KnownHostsLine| {
            let same = plain().find(|line| line.key_type == of.key_type);
            same.is_some_and(|line| std::ptr::eq(line, *of))
        };
        let revoked = |key: &[u8]| {
            lines
                .iter()
                .any(|line| line.marker == Marker::Revoked && line.key == key)
        };
        KnownKeyTypes {
            types: plain()
                .filter(first)
                .filter(|line| !revoked(&line.key))
                .map(|line| line.key_type.clone())
                .collect(),
            authority: lines
                .iter()
                .chain(&bare)
                .any(|line| line.marker == Marker::Authority),
            prefers_certificates: self.runner.is_some()
                || !self.hop.revoked_host_keys.is_empty()
                || !bare.is_empty()
                || lines.iter().any(|line| line.marker == Marker::Revoked),
        }
    }

    /// The lines for a name, and the run of the command that printed some of
    /// them, where there is one.
    fn lines(
        &self,
        purpose: Purpose,
        name: &str,
        shown: &Shown,
    ) -> (Vec<KnownHostsLine>, Option<Run>) {
        let mut lines = self.book.lines(name);
        let runner = self.runner.as_ref();
        let run = runner.map(|runner| runner.run(purpose, name, Some(shown)));
        lines.extend(run.iter().flat_map(|run| run.lines.clone()));
        (lines, run)
    }

    /// The verdict on what the server shows. May run a command, and block.
    pub fn judge(&self, shown: &Shown) -> Judgement {
        let by_name = self.judge_by_name(shown);
        match &self.address {
            Some(address) if by_name.accepted && by_name.finding.is_none() => {
                self.judge_by_address(shown, by_name, address)
            }
            _ => by_name,
        }
    }

    /// A key that is right for the name is refused where lines for the address
    /// know others only (sshconnect.c, `check_host_key`: `ip_status`). For a
    /// certificate OpenSSH looks for authorities alone, and finds none new.
    fn judge_by_address(&self, shown: &Shown, by_name: Judgement, address: &str) -> Judgement {
        let known_by_authority = by_name.fact["known_hosts"] == "known by its authority";
        let lines = match shown.certificate {
            Some(_) => self.book.lines(address),
            None => {
                let (lines, run) = self.lines(Purpose::Address, address, shown);
                if let Some(failure) = run.and_then(|run| run.failure(&self.hop)) {
                    return self.refuse(shown, failure, "not looked up", None);
                }
                lines
            }
        };
        match standing(&lines, &shown.plain()) {
            Standing::Changed(lines) if !known_by_authority => {
                let finding = self
                    .changed(shown, &lines)
                    .with("known_as", address.to_owned())
                    .with("name", self.name())
                    .with(
                        "entry",
                        shown
                            .key
                            .to_openssh()
                            .ok()
                            .map(|key| format!("{address} {key}")),
                    );
                let finding = finding.fix(
                    format!("The key is right for {}; only the address has a different one in known_hosts. If the address was reused, remove that line, or set CheckHostIP no so that ssh does not check the address.", self.name()),
                    None,
                );
                self.refuse_unless_off(shown, finding, "changed", lines.first())
            }
            _ => by_name,
        }
    }

    /// The verdict by the host's name.
    fn judge_by_name(&self, shown: &Shown) -> Judgement {
        if let Some(bits) = too_short(&shown.key, &self.hop) {
            return self.refuse(shown, self.short(shown, bits), "not looked up", None);
        }
        // Whatever known_hosts says, and however strictly it is checked.
        let mut lists = self.hop.revoked_host_keys.iter();
        if let Some(place) =
            lists.find_map(|list| list.lists(&shown.key, shown.certificate.as_ref()))
        {
            let finding = self
                .finding(&cause::ssh::HOSTKEY_REVOKED, shown)
                .with("line", place)
                .with("setting", "RevokedHostKeys");
            return self.refuse(shown, finding, "revoked", None);
        }
        if self.trusted {
            return self.accept(shown, "not looked up on loopback", None);
        }
        let (lines, run) = self.lines(Purpose::Hostname, &self.name(), shown);
        if let Some(failure) = run.as_ref().and_then(|run| run.failure(&self.hop)) {
            return self.refuse(shown, failure, "not looked up", None);
        }
        let mut doubts = Doubts::default();
        for form in shown.forms() {
            match standing(&lines, &form) {
                Standing::Known(line) => match self.fault(&form) {
                    None => return self.known_by(&form, shown, &line),
                    Some(what) => doubts.fault = Some((what, line)),
                },
                Standing::Revoked(line) => {
                    return self.refuse_unless_off(
                        shown,
                        self.revoked(shown, &line),
                        "revoked",
                        Some(&line),
                    );
                }
                Standing::New => {
                    if let Some(judgement) = self.judge_by_bare_name(&form, shown, &mut doubts) {
                        return judgement;
                    }
                }
                Standing::Changed(lines) => {
                    let finding = match doubts.fault {
                        Some((fault, line)) => self.certificate(shown, fault, &line),
                        None => self.changed(shown, &lines),
                    };
                    return self.refuse_unless_off(shown, finding, "changed", lines.first());
                }
            }
        }
        let strict = self.hop.host_key_check == HostKeyCheck::Yes;
        match (doubts.revoked, doubts.fault) {
            (Some(line), _) if strict => {
                self.refuse(shown, self.revoked(shown, &line), "revoked", Some(&line))
            }
            // ssh says it in capitals and goes on.
            (Some(line), _) => Judgement {
                finding: Some(self.revoked(shown, &line)),
                ..self.accept(shown, "new, accepted", Some(&line))
            },
            (None, _) if !strict => self.accept(shown, "new, accepted", None),
            (None, Some((fault, line))) => {
                let finding = self.certificate(shown, fault, &line);
                self.refuse(shown, finding, "not known", None)
            }
            (None, None) => {
                let unknown = self.unknown(shown, run.as_ref());
                self.refuse(shown, unknown, "not known", None)
            }
        }
    }

    /// The lines for the bare name count where there are none for the name with
    /// its port. They can accept a host; one that they revoke is refused unless
    /// it is accepted as new.
    fn judge_by_bare_name(
        &self,
        form: &Shown,
        shown: &Shown,
        doubts: &mut Doubts,
    ) -> Option<Judgement> {
        let lines = self.bare_lines()?;
        for form in form.forms() {
            match standing(&lines, &form) {
                Standing::Known(line) => match self.fault(&form) {
                    None => return Some(self.known_by(&form, shown, &line)),
                    Some(what) => doubts.fault = Some((what, line)),
                },
                Standing::Revoked(line) if self.hop.host_key_check == HostKeyCheck::No => {
                    let finding = self.revoked(shown, &line);
                    return Some(self.refuse_unless_off(shown, finding, "revoked", Some(&line)));
                }
                Standing::Revoked(line) => {
                    doubts.revoked = Some(line);
                    return None;
                }
                Standing::New | Standing::Changed(_) => {}
            }
        }
        None
    }

    fn known_by(&self, form: &Shown, shown: &Shown, line: &KnownHostsLine) -> Judgement {
        let summary = match form.certificate {
            Some(_) => "known by its authority",
            None => "known",
        };
        self.accept(shown, summary, Some(line))
    }

    /// What is wrong with a certificate of a known authority (sshkey.c,
    /// `sshkey_cert_check_host`).
    fn fault(&self, shown: &Shown) -> Option<String> {
        let certificate = shown.certificate.as_ref()?;
        // In small letters, and the certificate's names as they are (ssh.c).
        let name = match &self.hop.host_key_alias {
            Some(alias) => alias.to_lowercase(),
            None => self.hop.host.to_lowercase(),
        };
        if certificate.verify_signature().is_err() {
            return Some("its signature is not the authority's".to_owned());
        }
        if certificate.cert_type() != CertType::Host {
            return Some("it is a user certificate, not a host certificate".to_owned());
        }
        if self.now < certificate.valid_after() {
            return Some(format!(
                "it is not valid before {}",
                moment(certificate.valid_after())
            ));
        }
        if self.now >= certificate.valid_before() {
            return Some(format!(
                "it expired on {}",
                moment(certificate.valid_before())
            ));
        }
        let principals = certificate.valid_principals();
        if !principals.is_empty() && !principals.contains(&name) {
            return Some(format!(
                "it is for {}, not for {name}",
                principals.join(", ")
            ));
        }
        if certificate.critical_options().iter().next().is_some() {
            return Some("it has critical options that OpenSSH does not know".to_owned());
        }
        let algorithm = certificate.signature().algorithm();
        (!signs_certificates(&algorithm, &self.hop.algorithms)).then(|| {
            let by = match &self.hop.algorithms.ca_signature {
                Some(_) => "CASignatureAlgorithms",
                None => "OpenSSH's default for CASignatureAlgorithms",
            };
            let name = match algorithm {
                Algorithm::Rsa { hash: None } => "ssh-rsa (SHA-1)",
                _ => algorithm.as_str(),
            };
            format!("the authority signed it with {name}, which {by} does not allow")
        })
    }

    fn accept(
        &self,
        shown: &Shown,
        summary: &'static str,
        line: Option<&KnownHostsLine>,
    ) -> Judgement {
        Judgement {
            accepted: true,
            keys_only: false,
            finding: None,
            fact: self.fact(shown, summary, line),
            summary: match summary {
                "new, accepted" => "host key not known but accepted",
                _ => "host key known",
            },
        }
    }

    fn refuse(
        &self,
        shown: &Shown,
        finding: Finding,
        summary: &'static str,
        line: Option<&KnownHostsLine>,
    ) -> Judgement {
        Judgement {
            accepted: false,
            keys_only: false,
            finding: Some(finding),
            fact: self.fact(shown, summary, line),
            summary: "host key refused",
        }
    }

    /// With `StrictHostKeyChecking no`, OpenSSH goes on with public keys only.
    fn refuse_unless_off(
        &self,
        shown: &Shown,
        finding: Finding,
        summary: &'static str,
        line: Option<&KnownHostsLine>,
    ) -> Judgement {
        let off = self.hop.host_key_check == HostKeyCheck::No;
        Judgement {
            accepted: off,
            keys_only: off,
            summary: if off {
                "host key wrong but accepted"
            } else {
                "host key refused"
            },
            ..self.refuse(shown, finding, summary, line)
        }
    }

    fn fact(&self, shown: &Shown, known: &str, line: Option<&KnownHostsLine>) -> Value {
        json!({
            "type": key_type(&shown.key.algorithm()),
            "fingerprint": fingerprint(&shown.key),
            "certificate": shown.certificate.as_ref().map(|certificate| json!({
                "key_id": certificate.key_id(),
                "principals": certificate.valid_principals(),
                "valid_before": moment(certificate.valid_before()),
                "authority": authority(certificate),
            })),
            "known_hosts": known,
            "file": line.map(|line| line.source.to_string()),
            "line": line.map(|line| line.number),
        })
    }

    fn finding(&self, cause: &'static cause::Cause, shown: &Shown) -> Finding {
        let finding = Finding::new(cause)
            .with("hop", self.hop.label())
            .with("host", self.hop.host.clone())
            .with("port", self.hop.port)
            .with("known_as", self.name())
            .with("key_type", key_type(&shown.key.algorithm()))
            .with("fingerprint", fingerprint(&shown.key))
            .with("short_type", short_type(&shown.key.algorithm()));
        let finding = match shown.key.to_openssh() {
            Ok(key) => finding.with("entry", format!("{} {key}", self.name())),
            Err(_) => finding,
        };
        let finding = match self.hop.known_hosts.first() {
            Some(file) => finding.with("known_hosts", file.display().to_string()),
            None => finding,
        };
        match self.reachable {
            true => finding.with("reachable_host", self.hop.host.clone()),
            false => finding,
        }
    }

    /// OpenSSH does not even look up a key that is shorter than it demands
    /// (sshconnect2.c, `verify_host_key_callback`).
    fn short(&self, shown: &Shown, bits: u32) -> Finding {
        let least = self.hop.least_rsa_bits;
        self.finding(&cause::ssh::ALGORITHMS, shown)
            .with("kind", "host key")
            .with("side", format!("this client's RequiredRSASize of {least}"))
            .with("theirs", format!("an RSA key of {bits} bits"))
            .with("bits", bits)
            .with("least_bits", least)
            .fix(
                format!("Create an Ed25519 or ECDSA host key on the server, or an RSA key of at least {least} bits; if it has one, add that to known_hosts, so that the client requests it."),
                None,
            )
            .fix(
                "Or lower RequiredRSASize in the SSH configuration for this host.",
                None,
            )
    }

    fn unknown(&self, shown: &Shown, run: Option<&Run>) -> Finding {
        let read: Vec<String> = self
            .book
            .files()
            .map(|file| file.display().to_string())
            .collect();
        let finding = self
            .finding(&cause::ssh::HOSTKEY_UNKNOWN, shown)
            .with("files_read", read);
        let finding = match run {
            Some(run) => run.explain_unknown(finding, &self.hop, &self.name()),
            None => finding,
        };
        self.with_repair(finding, shown)
    }

    /// How the key gets into the file: by a line behind the last one, unless
    /// the file or a line of it for this host must be repaired first.
    fn with_repair(&self, finding: Finding, shown: &Shown) -> Finding {
        let (Ok(key), Some(file)) = (shown.key.to_openssh(), self.hop.known_hosts.first()) else {
            return finding;
        };
        let name = self.name();
        let wanted = Wanted {
            name: &name,
            bare: match self.hop.host_key_alias {
                Some(_) => None,
                None => Some((&self.hop.host, self.hop.port)),
            },
            key: &shown.key,
        };
        let entry = format!("{name} {key}");
        if let Some(repair) = repair(&self.book, &wanted, &entry, file) {
            let kept = format!("the old file is kept as {}", repair.kept.display());
            let text = match repair.same_key {
                true => format!(
                    "{} has this key, but OpenSSH cannot read it: {}. Repair it ({kept}):",
                    repair.place, repair.what
                ),
                false => format!(
                    "OpenSSH cannot read {}: {}. {} repair it ({kept}):",
                    repair.place,
                    repair.what,
                    compare(shown)
                ),
            };
            // What proves it stands first.
            let read = finding.evidence.get("files_read").cloned();
            return finding
                .without(&["entry", "known_hosts", "files_read"])
                .with("damaged_line", repair.place)
                .with("damage", repair.what)
                .with("known_hosts", file.display().to_string())
                .with("files_read", read)
                .fix(text, Some(repair.command));
        }
        match added(&self.book, file, &entry) {
            Some(Added::Plainly) => finding,
            Some(Added::By(what, command)) => finding
                .without(&["entry"])
                .fix(format!("{} {what}", compare(shown)), Some(command)),
            Some(Added::Nowhere) | None => finding.without(&["entry"]),
        }
    }

    fn changed(&self, shown: &Shown, lines: &[KnownHostsLine]) -> Finding {
        let places: Vec<String> = lines.iter().map(KnownHostsLine::place).collect();
        let prints: Vec<String> = lines
            .iter()
            .map(|line| format!("{} {}", line.key_type, line.fingerprint))
            .collect();
        let shown_type = key_type(&shown.key.algorithm());
        let other_types = lines.iter().all(|line| line.key_type != shown_type);
        let mut finding = self
            .finding(&cause::ssh::HOSTKEY_CHANGED, shown)
            .with("expected", prints)
            .with("lines", places)
            .with("other_type_only", other_types.then_some(true));
        if let Some(file) = lines.iter().find_map(KnownHostsLine::file) {
            return finding.with("file", file.display().to_string());
        }
        if let Some(line) = lines.first() {
            finding = self.changed_by_command(finding, shown, line);
        }
        finding
    }

    /// A key that only `KnownHostsCommand` has: there is no line to remove.
    fn changed_by_command(
        &self,
        finding: Finding,
        shown: &Shown,
        line: &KnownHostsLine,
    ) -> Finding {
        let finding = finding.fix(
            format!(
                "{} correct the key that {} prints for {}.",
                compare(shown),
                line.source,
                self.name()
            ),
            None,
        );
        let entry = shown.key.to_openssh().ok();
        let entry = entry.map(|key| format!("{} {key}", self.name()));
        let known_hosts = self.hop.known_hosts.first();
        let add = entry.zip(known_hosts).and_then(|(entry, file)| {
            match added(&self.book, file, &entry)? {
                Added::Plainly => append(PLAIN, &entry, file),
                Added::By(_, command) => Some(command),
                Added::Nowhere => None,
            }
        });
        match add {
            Some(add) => finding.fix(
                "Until then, add the key to known_hosts, which ssh reads in addition to the command's output:",
                Some(add),
            ),
            None => finding,
        }
    }

    fn revoked(&self, shown: &Shown, line: &KnownHostsLine) -> Finding {
        self.finding(&cause::ssh::HOSTKEY_REVOKED, shown)
            .with("line", line.place())
    }

    fn certificate(&self, shown: &Shown, fault: String, line: &KnownHostsLine) -> Finding {
        let finding = self
            .finding(&cause::ssh::HOSTKEY_CERTIFICATE, shown)
            .with("fault", fault)
            .with("line", line.place());
        match &shown.certificate {
            Some(certificate) => finding
                .with("key_id", certificate.key_id().to_owned())
                .with("principals", certificate.valid_principals().to_vec())
                .with("valid_after", moment(certificate.valid_after()))
                .with("valid_before", moment(certificate.valid_before()))
                .with("authority", authority(certificate)),
            None => finding,
        }
    }
}

/// What comes before a key is trusted.
fn compare(shown: &Shown) -> String {
    format!(
        "Ask the server administrator for the fingerprint (on the server: ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub). If it is {},",
        short_type(&shown.key.algorithm()),
        fingerprint(&shown.key)
    )
}

/// How the lines that apply to a host see what it shows (hostfile.c,
/// `check_key_in_hostkeys`). A key of another type than all known ones counts
/// as changed, as with OpenSSH.
fn standing(lines: &[KnownHostsLine], shown: &Shown) -> Standing {
    let key = shown.key.to_bytes().unwrap_or_default();
    let authority = shown.certificate.as_ref().and_then(|certificate| {
        PublicKey::from(certificate.signature_key().clone())
            .to_bytes()
            .ok()
    });
    let revoked = lines.iter().find(|line| {
        line.marker == Marker::Revoked && (line.key == key || Some(&line.key) == authority.as_ref())
    });
    if let Some(line) = revoked {
        return Standing::Revoked(line.clone());
    }
    if shown.certificate.is_some() {
        return lines
            .iter()
            .find(|line| line.marker == Marker::Authority && Some(&line.key) == authority.as_ref())
            .map_or(Standing::New, |line| Standing::Known(line.clone()));
    }
    let plain = || lines.iter().filter(|line| line.marker == Marker::Plain);
    match plain().find(|line| line.key == key) {
        Some(line) => Standing::Known(line.clone()),
        None if plain().next().is_none() => Standing::New,
        None => Standing::Changed(plain().cloned().collect()),
    }
}

/// The length of an RSA key that is shorter than the hop takes, in bits
/// (sshkey.c, `sshkey_check_rsa_length`).
pub fn too_short(key: &PublicKey, hop: &Hop) -> Option<u32> {
    key.key_data().rsa()?;
    bits(key).filter(|bits| *bits < hop.least_rsa_bits)
}

/// The authority that signed a certificate, by its key's fingerprint.
fn authority(certificate: &Certificate) -> String {
    fingerprint(&PublicKey::from(certificate.signature_key().clone()))
}

/// The name in the host key's file: `ed25519`, `ecdsa`, `rsa`.
fn short_type(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rsa { .. } => "rsa",
        Algorithm::Ecdsa { .. } => "ecdsa",
        _ => "ed25519",
    }
}

/// A certificate's time: `2026-11-18 09:12 UTC`, or `forever`.
pub fn moment(seconds: u64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| "forever".to_owned())
}
