//! What the values in a text, and what stands around it, say about its cause.

use super::text::{Line, Text};
use crate::cause::{
    Cause, auth, client, config, dns, family, idle, key, pooler, protocol, server, ssh, tcp, tls,
    tunnel,
};
use crate::message::Phase;
use crate::stage::dns::name;

/// How far the phase is looked for, in lines.
const NEAR: usize = 6;

/// Signs that an error came while connecting.
const CONNECTING: &[&str] = &[
    "connection to server at",
    "connection to server on socket",
    "could not connect to server",
    "failed to connect",
    "unable to connect",
    "cannot connect",
    "connection failed:",
    "connection attempt",
    "connect call",
    "connect_utils",
    "create_connection(",
    "create_ssl_connection",
    "error connecting",
    "econnrefused",
    ".connect(",
    "in connect",
    "_connect(",
    "create_pool",
    "startup failed",
    "initializing database",
    "during startup",
];

/// Signs that the connection had worked before.
const WORKING: &[&str] = &[
    "cursor.execute",
    "execute(",
    "do_execute",
    "[sql:",
    "in execute",
    "fetchall",
    "fetchone",
    ".query(",
    "executequery",
    "executeupdate",
    "sending to the backend",
    "consuming input",
    "rollback",
    "do_ping",
    "after idle",
    "idle for",
    "client.query",
    "mid-session",
];

/// Signs that a setting, and not a standby, keeps a session from writing: its name,
/// a full disk, and a provider that makes projects read-only before it is full.
const GUARDED: &[&str] = &[
    "default_transaction_read_only",
    "no space left",
    "disk full",
    "disk is full",
    "supabase",
];

/// When the error in a line came: as the line says, or those nearby, or as
/// the text usually does.
pub fn phase(text: &Text, at: usize, usual: Phase) -> Option<Phase> {
    let line = text.lines.get(at)?;
    let has = |signs: &[&str], line: &str| signs.iter().any(|sign| line.contains(sign));
    if has(CONNECTING, &line.folded) {
        return Some(Phase::Connect);
    }
    if has(WORKING, &line.folded) {
        return Some(Phase::Session);
    }
    if usual == Phase::Connect {
        return Some(usual);
    }
    let connecting = text
        .around(at, NEAR)
        .any(|line| has(CONNECTING, &line.folded));
    let working = text.around(at, NEAR).any(|line| has(WORKING, &line.folded));
    match (connecting, working) {
        (true, false) => Some(Phase::Connect),
        (false, true) => Some(Phase::Session),
        _ if text.lines.len() == 1 && usual != Phase::Any => None,
        _ => Some(usual),
    }
}

/// Whether a cause keeps a server from running: whatever else its log says, of
/// clients that it refused or ended, comes from that or is no matter.
pub fn stops_a_server(cause: &Cause) -> bool {
    cause.is_of(family::SERVER_START)
        || cause.is_of(family::SERVER_CRASH)
        || *cause == server::DISK_FULL
}

/// Whether a line says that it is the root of a chain of exceptions.
pub fn is_root(folded: &str) -> bool {
    ["caused by:", "[cause]:", "---> "]
        .iter()
        .any(|sign| folded.contains(sign))
}

/// The candidates in the order that fits this text.
pub fn causes(
    text: &Text,
    at: usize,
    usual: &[&'static Cause],
    phase: Option<Phase>,
) -> Vec<&'static Cause> {
    let mut causes = usual.to_vec();
    let (Some(line), Some(first)) = (text.lines.get(at), causes.first().copied()) else {
        return causes;
    };
    if first.is_of(family::DNS) {
        if let Some(cause) = host(&line.text).and_then(|host| of_host(&host)) {
            causes.retain(|known| *known != cause);
            causes.insert(0, cause);
        }
        // The name may be right, and only the application's settings old.
        let in_test = ["pytest", "conftest", "cached"]
            .iter()
            .any(|sign| text.mentions(sign));
        if in_test || causes.first() == Some(&&dns::CONTAINER_NAME) {
            causes.insert(1.min(causes.len()), &client::CACHED_SETTINGS);
        }
    } else if first.is_any(&[&tcp::REFUSED, &tcp::IPV6_FIRST]) {
        let local = ["127.0.0.1", "localhost", "::1"];
        let at_home = local.iter().any(|name| line.folded.contains(name));
        if at_home && port(&line.folded).is_some_and(|port| port >= 30_000) {
            causes.insert(0, &tunnel::LOST);
        } else if *first == tcp::IPV6_FIRST && refuses_on_ipv4(text) {
            causes = vec![&tcp::REFUSED, &tcp::IPV6_FIRST];
        }
    } else if *first == tcp::LOCAL && line.folded.contains("::1") && refuses_on_ipv4(text) {
        // The machine has no IPv6 loopback: what answered for IPv4 is the cause.
        causes.clear();
        if line.folded.contains("refused") {
            causes.push(&tcp::REFUSED);
        }
    } else if causes.contains(&&tcp::TIMEOUT) && causes.contains(&&tcp::REFUSED) {
        if let Some(place) = text.message(at).find_map(place) {
            causes.retain(|known| !place.contains(known));
            causes.splice(0..0, place);
        }
    } else if *first == config::FILE_MISSING && text.mentions("unix_connection") {
        causes = vec![&tcp::SOCKET_MISSING, &config::FILE_MISSING];
    } else if *first == config::FILE_MISSING && text.speaks_of_ssh(at) {
        causes = vec![&key::MISSING, &config::FILE_MISSING];
    } else if *first == ssh::CLOSED && text.mentions("TimeoutError") && !text.mentions("EOFError") {
        causes = vec![&ssh::SILENT, &ssh::CLOSED, &ssh::NOT_SSH];
    } else if *first == server::START_LIBRARY && phase == Some(Phase::Connect) {
        causes = vec![&server::LIBRARY];
    } else if *first == server::START_LIBRARY && text.mentions("database system is shut down") {
        causes = vec![&server::START_LIBRARY];
    } else if *first == server::START_VERSION && phase == Some(Phase::Connect) {
        // The server runs, and one of its databases has the files of another.
        causes = vec![&server::DAMAGED];
    } else if *first == auth::DATABASE_MISSING && database_is_user(text, &line.text) {
        causes.push(&config::DEFAULT_USED);
    } else if *first == server::READ_ONLY && GUARDED.iter().any(|sign| text.mentions(sign)) {
        causes.sort_by_key(|cause| **cause != server::READ_ONLY_SETTING);
    } else if *first == client::LOOP_CLOSED && is_reset_nearby(text, at) {
        // What asyncpg wraps around the reason, where there is one.
        causes.clear();
    } else if *first == client::LOOP_CLOSED && is_in_query(text, at) {
        // The loop ran: a query was under way.
        causes.sort_by_key(|cause| **cause == client::LOOP_CLOSED);
    } else if first.is_any(&[&idle::RESET, &idle::CLOSED, &client::PORTPROXY])
        && text.speaks_of_ssh(at)
    {
        let ssh: [&Cause; 2] = [&ssh::CLOSED, &client::TUNNEL_LIBRARY];
        causes.retain(|known| !known.is_any(&ssh));
        if phase == Some(Phase::Connect) && text.is_in_driver(at) {
            // The way in stood: it is the way through that was reset.
            let reset: [&Cause; 2] = [&protocol::RESET, &client::TUNNEL_LIBRARY];
            causes.retain(|known| **known != protocol::RESET);
            causes.splice(0..0, reset);
        } else if phase != Some(Phase::Session) {
            causes.splice(0..0, ssh);
        }
    }
    if phase == Some(Phase::Session) && *first == protocol::CLOSED {
        // What stood was not refused.
        causes.sort_by_key(|cause| !cause.is_of(family::IDLE));
    }
    if phase == Some(Phase::Connect) && first.is_of(family::IDLE) {
        // An idle drop cannot come while connecting.
        causes.retain(|cause| !cause.is_of(family::IDLE));
        if causes.is_empty() {
            causes.push(if *first == idle::RESET {
                &protocol::RESET
            } else {
                &protocol::CLOSED
            });
        }
    }
    if phase == Some(Phase::Connect) && *first == client::FORK_TLS {
        causes = vec![&tls::CLOSED, &client::FORK_TLS];
    }
    causes
}

/// Whether the message of a line shows a query.
fn is_in_query(text: &Text, at: usize) -> bool {
    let signs = ["[sql:", "in bind_execute", "in _do_execute"];
    text.message(at)
        .any(|line| signs.iter().any(|sign| line.folded.contains(sign)))
}

/// What usually keeps a connection to the place from being made that a line names,
/// where a wrapper says no more than that it was not.
fn place(line: &Line) -> Option<Vec<&'static Cause>> {
    if line.is_frame() || line.code {
        return None;
    }
    let words = line
        .folded
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | ',' | '=' | '/' | '@'));
    words.filter_map(endpoint).find_map(|host| {
        // Nothing drops packets to a loopback address in silence.
        if matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]") {
            Some(vec![&tcp::REFUSED])
        } else if host.starts_with("db.") && host.ends_with(".supabase.co") {
            // It has no IPv4 address.
            Some(vec![&tcp::UNREACHABLE, &dns::IPV6_ONLY])
        } else if host.ends_with(".neon.tech") {
            Some(vec![&pooler::SUSPENDED, &tcp::TIMEOUT])
        } else if name::inside(host, None).is_some() {
            Some(vec![&dns::CONTAINER_NAME])
        } else {
            None
        }
    })
}

/// The host of `host:port`.
fn endpoint(word: &str) -> Option<&str> {
    let word = word.trim_end_matches(['.', ':', ';', '!']);
    let (host, port) = word.rsplit_once(':')?;
    let is_port = port.parse::<u16>().is_ok_and(|port| port >= LEAST_PORT);
    let is_host = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[' || c == ':');
    (is_port && is_host && !host.contains("..")).then_some(host)
}

/// Databases listen on no lower port; line numbers are lower.
const LEAST_PORT: u16 = 1024;

/// Whether a reset connection is spoken of beside a line.
fn is_reset_nearby(text: &Text, at: usize) -> bool {
    let signs = [
        "connectionreseterror",
        "reset by peer",
        "winerror 64",
        "winerror 10054",
    ];
    text.around(at, NEAR)
        .any(|line| signs.iter().any(|sign| line.folded.contains(sign)))
}

/// What a host name says about why it does not resolve.
fn of_host(host: &str) -> Option<&'static Cause> {
    let port = host.rsplit_once(':').map(|(_, port)| port);
    match host {
        _ if host.contains("://") => Some(&config::URL_IN_HOST),
        _ if host.contains('@') => Some(&config::URL_UNESCAPED),
        _ if host.contains("${") || host.contains("{{") || host.starts_with(['$', '<']) => {
            Some(&config::URL_PLACEHOLDER)
        }
        _ if host.len() > 2 && host.starts_with('%') && host.ends_with('%') => {
            Some(&config::URL_PLACEHOLDER)
        }
        _ if host != host.trim() => Some(&config::WHITESPACE),
        _ if port.is_some_and(|port| port.parse::<u16>().is_ok()) && !host.contains("::") => {
            Some(&config::URL_IN_HOST)
        }
        _ if name::inside(host, None).is_some() => Some(&dns::CONTAINER_NAME),
        _ => None,
    }
}

/// The host name that a line says cannot be resolved.
fn host(line: &str) -> Option<String> {
    let quoted = |rest: &str| {
        let open = rest.chars().next()?;
        let close = match open {
            '"' | '\'' | '`' => open,
            '«' => '»',
            '“' => '”',
            _ => return None,
        };
        rest.get(open.len_utf8()..)?
            .split_once(close)
            .map(|(name, _)| name.to_owned())
    };
    let word = |rest: &str| {
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ',' | '(' | ')' | ']'))
            .unwrap_or(rest.len());
        let name = rest.get(..end)?.trim_end_matches([':', '.']);
        (!name.is_empty()).then(|| name.to_owned())
    };
    let signs = [
        "host name ",
        "resolve host ",
        "resolve hostname ",
        "Could not resolve hostname ",
        "ENOTFOUND ",
        "EAI_AGAIN ",
        "lookup ",
        "UnknownHostException: ",
        "for host ",
        "getaddrinfo for ",
    ];
    signs.iter().find_map(|sign| {
        let (_, rest) = line.split_once(sign)?;
        quoted(rest).or_else(|| word(rest))
    })
}

/// The port in a line.
fn port(folded: &str) -> Option<u32> {
    let after = |sign: &str| {
        let (_, rest) = folded.split_once(sign)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    [
        "port ",
        "127.0.0.1:",
        "localhost:",
        "127.0.0.1\", ",
        "127.0.0.1 ",
        "[::1]:",
        "::1:",
    ]
    .iter()
    .find_map(|sign| after(sign))
}

/// Whether the same refusal is there for the IPv4 loopback address too.
fn refuses_on_ipv4(text: &Text) -> bool {
    text.lines
        .iter()
        .any(|line| line.folded.contains("127.0.0.1") && line.folded.contains("refused"))
}

/// Whether the missing database has the user's name, as where none was given.
fn database_is_user(text: &Text, line: &str) -> bool {
    let Some((_, rest)) = line.split_once("database ") else {
        return false;
    };
    let name: String = rest
        .trim_start_matches(['"', '\'', '`'])
        .chars()
        .take_while(|c| !matches!(c, '"' | '\'' | '`') && !c.is_whitespace())
        .collect();
    !name.is_empty() && text.mentions(&format!("user \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_why() {
        let cause = |line: &str| host(line).and_then(|host| of_host(&host));
        let libpq = |name: &str| {
            cause(&format!(
                "could not translate host name \"{name}\" to address: x"
            ))
        };
        assert_eq!(libpq("db"), Some(&dns::CONTAINER_NAME));
        assert_eq!(libpq("db.example.com"), None);
        assert_eq!(libpq("2oHGo@db"), Some(&config::URL_UNESCAPED));
        assert_eq!(libpq("postgres://a"), Some(&config::URL_IN_HOST));
        assert_eq!(libpq("db.example.com:5432"), Some(&config::URL_IN_HOST));
        assert_eq!(libpq("${DB_HOST}"), Some(&config::URL_PLACEHOLDER));
        assert_eq!(libpq("db.test\r"), Some(&config::WHITESPACE));
        assert_eq!(
            cause("Error: getaddrinfo ENOTFOUND postgres"),
            Some(&dns::CONTAINER_NAME)
        );
        assert_eq!(
            cause("dial tcp: lookup db on 10.0.0.2:53: no such host"),
            Some(&dns::CONTAINER_NAME)
        );
    }

    #[test]
    fn ports_are_found() {
        assert_eq!(port("connect econnrefused 127.0.0.1:44563"), Some(44563));
        assert_eq!(
            port("server at \"127.0.0.1\", port 44563 failed"),
            Some(44563)
        );
        assert_eq!(port("nothing"), None);
    }
}
