//! `Match`: whether a block's criteria hold.

use super::pattern::pattern_list;
use super::read::{Place, Problem, Reader};

impl Reader<'_> {
    /// Whether all criteria of a `Match` line hold.
    pub(super) fn criteria(
        &mut self,
        words: &[String],
        line: usize,
        place: &Place,
    ) -> Result<bool, Problem> {
        let mut words = words.iter().map(String::as_str).peekable();
        let (mut matched, mut count, mut unknown) = (true, 0, None);
        while let Some(word) = words.next() {
            if word.starts_with('#') {
                break;
            }
            let negated = word.starts_with('!');
            let (name, inline) = match word.trim_start_matches('!').split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.trim_start_matches('!'), None),
            };
            let name = name.to_ascii_lowercase();
            if name == "all" {
                let more = words.peek().is_some_and(|word| !word.starts_with('#'));
                if count > 1 || more {
                    return Err("\"all\" beside other criteria of Match".to_owned());
                }
                return Ok(matched && !negated);
            }
            count += 1;
            if name == "canonical" || name == "final" {
                self.options.wants_final |= name == "final";
                let holds = name == "final" && self.second.is_some();
                matched &= holds != negated;
                continue;
            }
            let value = inline.or_else(|| words.next());
            let value = value.filter(|value| !value.is_empty());
            let value =
                value.ok_or_else(|| format!("a criterion of Match without a value: {name}"))?;
            let holds = match name.as_str() {
                "host" => pattern_list(value, &self.hostname().to_ascii_lowercase()),
                "originalhost" => pattern_list(value, self.asked.host),
                "user" => pattern_list(value, &self.user()),
                "localuser" => pattern_list(value, self.asked.local_user),
                "exec" | "localnetwork" | "tagged" | "version" | "sessiontype" | "command" => {
                    unknown.get_or_insert(name);
                    continue;
                }
                _ => {
                    return Err(format!(
                        "a criterion of Match that ssh does not know: {name}"
                    ));
                }
            };
            matched &= holds != negated;
        }
        if count == 0 {
            return Err("Match without a criterion".to_owned());
        }
        // Only a block that would count but for that criterion is worth a word.
        if let Some(name) = unknown {
            if matched && !place.never {
                self.not_followed(&format!("Match {name}"), line, place);
            }
            return Ok(false);
        }
        Ok(matched)
    }

    /// The host's name as far as it is known.
    pub(super) fn hostname(&self) -> String {
        match (&self.second, &self.options.hostname) {
            (Some(host), _) => host.clone(),
            (None, Some(name)) => name.replace("%h", self.asked.host).replace("%%", "%"),
            (None, None) => self.asked.host.to_owned(),
        }
    }

    pub(super) fn user(&self) -> String {
        let user = self.asked.user.or(self.options.user.as_deref());
        user.unwrap_or(self.asked.local_user).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    #[test]
    fn criteria() {
        for (line, holds) in [
            ("all", true),
            ("host h", true),
            ("host !h,*", false),
            ("host a,h user me", true),
            ("user you", false),
            ("!user you", true),
            ("originalhost h localuser me", true),
            ("final", false),
            ("exec \"true\"", false),
        ] {
            let options = read(&format!("Match {line}\n Port 7"), "h").unwrap();
            assert_eq!(options.port == Some(7), holds, "{line}");
        }
        let options = read("Match host h exec \"x y\"\n Port 7", "h").unwrap();
        assert_eq!(options.unsupported[0].keyword, "Match exec");
        assert!(
            read("Match host q exec x\n Port 7", "h")
                .unwrap()
                .unsupported
                .is_empty()
        );
        for bad in [
            "",
            "host",
            "nonsense x",
            "all user me",
            "user me host h all",
        ] {
            assert!(read(&format!("Match {bad}"), "h").is_err(), "{bad}");
        }
    }
}
