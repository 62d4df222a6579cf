//! Lists of algorithms as `ssh_config(5)` writes them: a list of its own, or
//! `+`, `-` and `^` for a change to the default (kex.c, `kex_assemble_names`).

use super::pattern;

/// What the configuration says about algorithms, not yet applied to the
/// defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlgorithmLists {
    /// `KexAlgorithms`.
    pub kex: Option<String>,
    /// `HostKeyAlgorithms`.
    pub host_key: Option<String>,
    /// `Ciphers`.
    pub cipher: Option<String>,
    /// `MACs`.
    pub mac: Option<String>,
    /// `PubkeyAcceptedAlgorithms`.
    pub pubkey: Option<String>,
    /// `CASignatureAlgorithms`.
    pub ca_signature: Option<String>,
}

/// The names that hold: the default, changed by what was written. A name with
/// a wildcard stands for every one that it fits of those that OpenSSH knows.
pub fn assemble(all: &[&str], default: &[&str], written: Option<&str>) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let Some(written) = written else {
        return owned(default);
    };
    let named = |list: &str| -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for item in list.split(',').filter(|item| !item.is_empty()) {
            let fitting = all.iter().filter(|name| pattern(item, name));
            let fitting: Vec<String> = match item.contains(['*', '?']) {
                true => fitting.map(|name| (*name).to_owned()).collect(),
                false => vec![item.to_owned()],
            };
            for name in fitting {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    };
    let join = |mut first: Vec<String>, then: Vec<String>| {
        for name in then {
            if !first.contains(&name) {
                first.push(name);
            }
        }
        first
    };
    match (written.get(..1), written.get(1..)) {
        (Some("+"), Some(list)) => join(owned(default), named(list)),
        (Some("^"), Some(list)) => join(named(list), owned(default)),
        (Some("-"), Some(list)) => {
            let out = |name: &&&str| !list.split(',').any(|item| pattern(item, name));
            default
                .iter()
                .filter(out)
                .map(|name| (*name).to_owned())
                .collect()
        }
        _ => named(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_change_the_default_as_in_openssh() {
        let of = |written| {
            assemble(&["a-3", "a-2", "a-1", "b"], &["a-1", "a-2", "b"], written).join(",")
        };
        assert_eq!(of(None), "a-1,a-2,b");
        assert_eq!(of(Some("b,c")), "b,c");
        assert_eq!(of(Some("+c,b")), "a-1,a-2,b,c");
        assert_eq!(of(Some("^b,c")), "b,c,a-1,a-2");
        assert_eq!(of(Some("-a-*")), "b");
        assert_eq!(of(Some("a-*")), "a-3,a-2,a-1");
        assert_eq!(of(Some("+a-*")), "a-1,a-2,b,a-3");
        assert_eq!(of(Some("-é")), "a-1,a-2,b");
        assert_eq!(of(Some("é")), "é");
    }
}
