//! What a server says before or during the login, where it is a reason: a page
//! to open, a policy that denies, an account that is locked.

use crate::finding::Finding;

/// How much of it stands in a sentence, in characters.
const SHOWN: usize = 300;

/// Words of a notice that stands before every login, whatever becomes of it.
const LEGAL: &[&str] = &[
    "authorized use",
    "authorised use",
    "authorized user",
    "authorised user",
    "authorized personnel",
    "unauthorized",
    "unauthorised",
    "monitored",
    "prosecut",
    "criminal",
    "consent to",
];

/// The words as a reason in a sentence; none for the usual legal notice, unless
/// it names a page.
pub fn words(banner: &str) -> Option<String> {
    let said = banner.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = said.to_lowercase();
    let legal = LEGAL.iter().any(|words| lower.contains(words));
    if said.is_empty() || legal || !said.chars().any(char::is_alphabetic) {
        return None;
    }
    let end = said.char_indices().nth(SHOWN).map(|(at, _)| at);
    Some(match end {
        Some(at) => format!("{}…", said.get(..at).unwrap_or_default()),
        None => said,
    })
}

/// The finding with the banner as the first thing to look at, if it is a reason.
pub fn reason(finding: Finding, banner: &str) -> Finding {
    let Some(words) = words(banner) else {
        return finding;
    };
    let what = match words.contains("https://") || words.contains("http://") {
        true => "open the page that it names in a browser, then try again",
        false => "check whether that is the reason",
    };
    finding.with("banner", banner.to_owned()).fix(
        format!("The server says before the login \"{words}\": {what}."),
        None,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_from_legal_notices() {
        for reason in [
            "# Tailscale SSH requires an additional check. # To authenticate, visit: https://login.tailscale.com/a/1",
            "tailscale: tailnet policy does not permit you to SSH as user \"root\"",
            "Maintenance until 18:00 UTC",
            "Wartungsarbeiten bis 18 Uhr",
        ] {
            assert!(words(reason).is_some(), "{reason}");
        }
        for notice in [
            "",
            "*******",
            "Authorized use only. All activity may be monitored and reported.",
            "WARNING: Unauthorized access to this system is forbidden",
        ] {
            assert_eq!(words(notice), None, "{notice}");
        }
        assert_eq!(words(&"x".repeat(5000)).unwrap().chars().count(), SHOWN + 1);
    }
}
