//! The command that prints further lines for known_hosts (`KnownHostsCommand`),
//! its tokens replaced as far as they are known before it is run.

use super::ssh_config::argv;

/// Tokens of which the value is known where the command is run: the key's
/// fingerprint, the name that is looked up, why it is run, the key and its type.
const WHERE_RUN: &str = "fHIKt";

/// The command, without a shell (sshconnect.c, `load_hostkeys_command`).
#[derive(Clone, Debug)]
pub struct KnownHostsCommand {
    /// The program and its arguments; empty where a quote is not closed. They
    /// may hold a secret.
    words: Vec<Vec<Part>>,
    /// The file that names it.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Token(char),
    /// A variable of the environment, and its value.
    Variable(String, String),
}

impl KnownHostsCommand {
    /// From what is written. The program's own name has no tokens.
    ///
    /// # Errors
    /// A token that ssh does not know, or a variable that is not set: it stops
    /// at both.
    pub fn new(
        text: &str,
        (file, line): (String, usize),
        token: impl Fn(char) -> Option<String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut words = argv(text).unwrap_or_default().into_iter();
        let program = words.next().map(|program| Ok(vec![Part::Text(program)]));
        let arguments = words.map(|word| parts(&word, &token, &variable));
        Ok(Self {
            words: program
                .into_iter()
                .chain(arguments)
                .collect::<Result<_, _>>()?,
            file,
            line,
        })
    }

    /// The program and its arguments, with the tokens that are known only now.
    pub fn argv(&self, token: impl Fn(char) -> String) -> Vec<String> {
        let value = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Token(name) => token(*name),
            Part::Variable(_, value) => value.clone(),
        };
        let word = |parts: &Vec<Part>| parts.iter().map(value).collect();
        self.words.iter().map(word).collect()
    }

    /// The program.
    pub fn program(&self) -> &str {
        match self.words.first().map(Vec::as_slice) {
            Some([Part::Text(program)]) => program,
            _ => "",
        }
    }

    /// The command as a configuration names it, whatever its host is called
    /// there. A variable stays one.
    pub fn written(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.replace('\\', "\\\\").replace('"', "\\\""),
            Part::Token(name) => format!("%{name}"),
            Part::Variable(name, _) => format!("${{{name}}}"),
        };
        let mut words = Vec::new();
        for (at, parts) in self.words.iter().enumerate() {
            let escaped = parts.iter().map(|one| match one {
                Part::Text(text) if at > 0 => part(&Part::Text(text.replace('%', "%%"))),
                other => part(other),
            });
            words.push(format!("\"{}\"", escaped.collect::<String>()));
        }
        words.join(" ")
    }
}

/// One argument (misc.c, `vdollar_percent_expand`): what is put in is not
/// looked through again.
fn parts(
    word: &str,
    token: impl Fn(char) -> Option<String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['%', '$']) {
        let (before, behind) = rest.split_at(at);
        text.push_str(before);
        if let Some(named) = behind.strip_prefix("${") {
            let (name, after) = named.split_once('}').ok_or("an unterminated ${")?;
            let value = variable(name).ok_or(format!("the variable {name} is not set"))?;
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Variable(name.to_owned(), value));
            rest = after;
            continue;
        }
        let mut chars = behind.chars();
        match (chars.next(), chars.clone().next()) {
            (Some('%'), Some('%')) => text.push('%'),
            (Some('%'), Some(name)) if WHERE_RUN.contains(name) => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Token(name));
            }
            (Some('%'), Some(name)) => text.push_str(
                &token(name).ok_or(format!("a token that ssh does not know here: %{name}"))?,
            ),
            (Some('%'), None) => return Err("a % at the end".to_owned()),
            _ => {
                text.push('$');
                rest = chars.as_str();
                continue;
            }
        }
        chars.next();
        rest = chars.as_str();
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<Vec<String>, String> {
        let token = |name| match name {
            'h' => Some("%H".to_owned()),
            _ => None,
        };
        let variable = |name: &str| (name == "DIR").then(|| "/a b%h".to_owned());
        let command = KnownHostsCommand::new(text, (String::new(), 1), token, variable)?;
        Ok(command.argv(|name| format!("<{name}>")))
    }

    #[test]
    fn it_is_split_and_filled_as_ssh_does() {
        for (text, words) in [
            ("/x %H", &["/x", "<H>"][..]),
            ("/x%H '%I %t'  a\\ b", &["/x%H", "<I> <t>", "a b"]),
            ("\"/a b/x\" # c", &["/a b/x", "#", "c"]),
            // Values are not filled again.
            ("/x %h-%% ${DIR}/%K$x", &["/x", "%H-%", "/a b%h/<K>$x"]),
            ("/x ''", &["/x", ""]),
            ("/x 'open", &[]),
        ] {
            assert_eq!(run(text).unwrap(), words, "{text}");
        }
        let token = |name| (name == 'h').then(|| "a\\\"%b".to_owned());
        let variable = |_: &str| Some("secret".to_owned());
        let text = "/x%H '%h %H' ${DIR}%%";
        let command = KnownHostsCommand::new(text, (String::new(), 1), token, variable).unwrap();
        assert_eq!(command.program(), "/x%H");
        let written = command.written();
        assert_eq!(written, r#""/x%H" "a\\\"%%b %H" "${DIR}%%""#);
        for wrong in ["/x %z", "/x %", "/x ${NONE}", "/x ${DIR", "/x %U"] {
            assert!(run(wrong).is_err(), "{wrong}");
        }
    }
}
