//! Restrictions of trust in blocks of which it is not known whether they hold
//! (`Match exec`, or a name that `CanonicalizeHostname` would make).

use super::Undecided;
use super::keyword::ValueKind;
use super::read::{LinePlace, Reader};

impl Reader<'_> {
    /// Notes a setting of such a block, if it could restrict trust.
    pub(super) fn note_undecided(
        &mut self,
        kind: ValueKind,
        words: &[String],
        line: usize,
        place: &LinePlace,
    ) {
        let keyword = self.restriction(kind, words);
        if let (Some(keyword), Some(condition)) = (keyword, &self.condition) {
            self.options.undecided.push(Undecided {
                keyword,
                condition: condition.clone(),
                file: place.path.to_owned(),
                line,
            });
        }
    }

    /// The name of a setting that would narrow what is trusted, and that no line
    /// before it has settled.
    fn restriction(&self, kind: ValueKind, words: &[String]) -> Option<&'static str> {
        let options = &self.options;
        let first = words.first()?.to_ascii_lowercase();
        let among = |list: &[&str]| list.contains(&first.as_str());
        let (keyword, narrows) = match kind {
            ValueKind::RefuseConnection => ("RefuseConnection", true),
            ValueKind::RevokedHostKeys => (
                "RevokedHostKeys",
                options.revoked_host_keys.is_none() && !among(&["none"]),
            ),
            ValueKind::CaSignatureAlgorithms => (
                "CASignatureAlgorithms",
                options.algorithms.ca_signature.is_none() && !first.starts_with(['+', '^']),
            ),
            ValueKind::RequiredRsaSize => ("RequiredRSASize", options.required_rsa_size.is_none()),
            ValueKind::StrictHostKeyChecking => (
                STRICT,
                options.strict.is_none() && among(&["yes", "true", "ask"]),
            ),
            ValueKind::NoHostAuthenticationForLocalhost => (
                LOOPBACK,
                options.trusts_loopback.is_none() && among(&["no", "false"]),
            ),
            ValueKind::CheckHostIp => (
                "CheckHostIP",
                options.check_host_ip.is_none() && among(&["yes", "true"]),
            ),
            _ => return None,
        };
        narrows.then_some(keyword)
    }

    /// Forgets what would change nothing, now that all is read.
    pub(super) fn settle_undecided(&mut self) {
        let options = &mut self.options;
        let lax = matches!(
            options.strict.as_deref(),
            Some("no" | "false" | "off" | "accept-new")
        );
        let trusts_loopback = options.trusts_loopback == Some(true);
        options
            .undecided
            .retain(|undecided| match undecided.keyword {
                STRICT => lax,
                LOOPBACK => trusts_loopback,
                _ => true,
            });
    }
}

/// By default it is `yes` here.
pub const STRICT: &str = "StrictHostKeyChecking";
/// By default it is `no`.
const LOOPBACK: &str = "NoHostAuthenticationForLocalhost";

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    #[test]
    fn restrictions_that_may_hold() {
        let found = |text: &str| -> Vec<(&str, String)> {
            let options = read(text, "h").unwrap();
            let undecided = options.undecided.into_iter();
            undecided.map(|u| (u.keyword, u.condition)).collect()
        };
        let one = |keyword, condition: &str| vec![(keyword, condition.to_owned())];
        for (text, expected) in [
            (
                "Match exec x\n RevokedHostKeys /r",
                one("RevokedHostKeys", "Match exec"),
            ),
            (
                "Match host h version OpenSSH_10*\n RefuseConnection no",
                one("RefuseConnection", "Match version"),
            ),
            (
                "Match !exec x\n RequiredRSASize 3072",
                one("RequiredRSASize", "Match exec"),
            ),
            (
                "Match exec x\n CheckHostIP yes",
                one("CheckHostIP", "Match exec"),
            ),
            (
                "Match exec x\n CASignatureAlgorithms ssh-ed25519",
                one("CASignatureAlgorithms", "Match exec"),
            ),
            (
                "Match exec x\n StrictHostKeyChecking yes\nHost *\n StrictHostKeyChecking no",
                one("StrictHostKeyChecking", "Match exec"),
            ),
            // Another host, no restriction, or settled before or by default.
            ("Match host q exec x\n RevokedHostKeys /r", vec![]),
            ("Match exec x\n RevokedHostKeys none", vec![]),
            ("Match exec x\n CASignatureAlgorithms +ssh-rsa", vec![]),
            ("Match exec x\n Port 7\n HostName q", vec![]),
            ("Match exec x\n Port 7\nHost *\n RevokedHostKeys /r", vec![]),
            (
                "RevokedHostKeys /a\nMatch exec x\n RevokedHostKeys /r",
                vec![],
            ),
            ("Match exec x\n StrictHostKeyChecking yes", vec![]),
            ("Match exec x\n StrictHostKeyChecking no", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
