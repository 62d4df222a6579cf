//! The parts of values: of endpoints, of distinguished names.

use std::net::IpAddr;

use super::words::{are_words, is_common};

/// Whether a text is a phrase of ours in the place of a name.
pub fn is_phrase(text: &str) -> bool {
    text.trim().contains(' ') && text.split(' ').filter(|word| are_words(word)).count() > 1
}

/// What a server is to others, or a certificate in its chain.
pub fn is_part(text: &str) -> bool {
    let parts = [
        "primary",
        "standby",
        "server",
        "client",
        "intermediate",
        "root",
        "leaf",
    ];
    parts.contains(&text)
}

/// Whether a setting's value names nobody: a number, a word of a list.
pub fn is_plain(text: &str) -> bool {
    is_common(text)
        || are_words(text)
        || text
            .chars()
            .all(|c| c.is_ascii_digit() || ".,-+".contains(c))
}

/// `[USER@]HOST[:PORT]` in its parts.
pub fn endpoint(text: &str) -> (Option<&str>, &str, Option<&str>) {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) if !user.is_empty() && !user.contains('/') => (Some(user), rest),
        _ => (None, text),
    };
    if rest.starts_with(['/', '~']) || rest.parse::<IpAddr>().is_ok() {
        return (user, rest, None);
    }
    if let Some(inner) = rest.strip_prefix('[')
        && let Some((host, port)) = inner.split_once(']')
    {
        return (user, host, port.strip_prefix(':'));
    }
    match rest.split_once(':') {
        Some((host, port)) => (user, host, Some(port)),
        None => (user, rest, None),
    }
}

/// The values of a distinguished name's attributes, with their places; or the one
/// value where there is no attribute. Countries are left.
pub fn attributes(text: &str) -> Vec<(usize, &str)> {
    let mut all = Vec::new();
    let mut at = 0;
    for part in text.split([',', '/', '+', ';']) {
        let begin = at;
        at += part.len() + 1;
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), value),
            None if text.contains('=') => continue,
            None => match part.split_once(':') {
                Some((name @ ("DNS" | "IP" | "URI" | "email" | "IP Address"), value)) => {
                    (name, value)
                }
                _ => ("", part),
            },
        };
        let value_at = begin + part.len() - value.len();
        let trimmed = value.trim();
        let value_at = value_at + value.len() - value.trim_start().len();
        let country = matches!(name, "C" | "countryName");
        if !country && !trimmed.is_empty() && (!name.is_empty() || !is_phrase(trimmed)) {
            all.push((value_at, trimmed));
        }
    }
    all
}

/// Programs that everybody has.
pub fn is_program(word: &str) -> bool {
    let known = [
        "ssh",
        "nc",
        "ncat",
        "netcat",
        "socat",
        "sh",
        "bash",
        "exec",
        "cloudflared",
        "aws",
        "gcloud",
        "tsh",
        "corkscrew",
        "connect",
        "proxytunnel",
        "kubectl",
        "docker",
        "psql",
        "session-manager-plugin",
        "step",
        "openssl",
        "cat",
        "echo",
        "sudo",
        "ncat",
        "az",
    ];
    known.contains(&word)
}
