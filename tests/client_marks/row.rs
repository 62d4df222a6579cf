//! The rows of `tests/data/client-marks.tsv`, and of the table of clients that they are of.

use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use dbdoctor::tap::conversation::{
    ChannelBinding, ClientHello, Conversation, Encryption, EncryptionAnswer, EncryptionRequest,
    ScramUser, Startup, Statements,
};

/// The folder of the tests.
pub fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// How a client is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It asks for no TLS.
    Clear,
    /// It asks, and the server refuses.
    Refused,
    /// In TLS.
    Tls,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clear, Self::Refused, Self::Tls];

    /// Its name in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Refused => "refused",
            Self::Tls => "tls",
        }
    }
}

/// A client of `clients.tsv`.
pub struct Client {
    /// Its name in the record.
    pub name: String,
    /// Whom it must be taken for.
    pub is: String,
    ways: [String; 3],
    /// Its program, in words.
    pub program: String,
}

impl Client {
    /// All of them.
    pub fn all() -> Result<Vec<Self>> {
        let path = tests().join("client_marks/clients.tsv");
        let text = fs::read_to_string(path)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let columns: Vec<&str> = line.split('\t').collect();
                let [name, is, clear, refused, tls, program] = columns[..] else {
                    bail!("six columns: {line}");
                };
                Ok(Client {
                    name: name.to_owned(),
                    is: is.to_owned(),
                    ways: [clear, refused, tls].map(str::to_owned),
                    program: program.to_owned(),
                })
            })
            .collect()
    }

    /// What is put behind the URL to run it in this way; none where it has no such way.
    pub fn query(&self, way: Way) -> Option<&str> {
        match self.ways[way as usize].as_str() {
            "-" => None,
            "." => Some(""),
            query => Some(query),
        }
    }
}

/// One connection of a client.
#[derive(Debug)]
pub struct Row {
    /// Of `clients.tsv`.
    pub client: String,
    /// How it was run.
    pub way: Way,
    asked: Vec<EncryptionRequest>,
    parameters: Vec<(String, String)>,
    mechanism: String,
    binding: ChannelBinding,
    user: Option<ScramUser>,
    statements: Statements,
    hello: Option<ClientHello>,
}

const ASKED: [Encryption; 3] = [Encryption::Tls, Encryption::DirectTls, Encryption::Gss];
const ANSWERED: [EncryptionAnswer; 2] = [EncryptionAnswer::Accepted, EncryptionAnswer::Refused];
const USERS: [ScramUser; 3] = [ScramUser::Empty, ScramUser::Star, ScramUser::Name];

impl Row {
    /// The row of a conversation, of which TLS may hide all but the first bytes.
    pub fn of(client: &str, way: Way, outer: &Conversation, inner: &Conversation) -> Option<Self> {
        let mut parameters = inner.startup.clone()?.parameters;
        for (name, value) in &mut parameters {
            if name.eq_ignore_ascii_case("timezone") && value != "UTC" {
                "ZONE".clone_into(value);
            }
            // Ruby's is the path of its program.
            if let Some((_, file)) = value
                .rsplit_once('/')
                .filter(|_| name == "application_name")
            {
                *value = format!("…/{file}");
            }
        }
        let login = &inner.login;
        Some(Row {
            client: client.to_owned(),
            way,
            asked: outer.encryption.clone(),
            parameters,
            mechanism: login.mechanism.clone().unwrap_or_default(),
            binding: login
                .channel_binding
                .clone()
                .unwrap_or(ChannelBinding::Unsupported),
            user: login.scram_user,
            statements: inner.statements.clone(),
            hello: outer.client_hello.clone(),
        })
    }

    /// The whole record.
    pub fn all() -> Result<Vec<Self>> {
        let text = fs::read_to_string(path())?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| Self::parse(line).with_context(|| line.to_owned()))
            .collect()
    }

    /// Writes the record, under the head that it has.
    pub fn write_all(rows: &[Self]) -> Result<()> {
        let old = fs::read_to_string(path())?;
        let head = old.lines().take_while(|line| line.starts_with('#'));
        let mut text: String = head.map(|line| format!("{line}\n")).collect();
        for row in rows {
            let line = row.line();
            ensure!(
                line.matches('\t').count() == 6 && !line.contains('\n'),
                "{line}"
            );
            writeln!(text, "{line}")?;
        }
        Ok(fs::write(path(), text)?)
    }

    fn line(&self) -> String {
        let asked = self.asked.iter().map(|request| {
            let answer = request
                .answer
                .map_or("-".to_owned(), |answer| word(&answer));
            format!("{} {answer}", word(&request.asked))
        });
        let parameters = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let binding = match &self.binding {
            ChannelBinding::Unsupported => "n".to_owned(),
            ChannelBinding::NotOffered => "y".to_owned(),
            ChannelBinding::Used(kind) => format!("p={kind}"),
        };
        let user = self.user.map_or("-".to_owned(), |user| word(&user));
        let Statements {
            simple,
            unnamed,
            named,
            names,
            ..
        } = &self.statements;
        let hello = self.hello.as_ref().map_or("-".to_owned(), hello_text);
        [
            self.client.clone(),
            self.way.as_str().to_owned(),
            dash(asked.collect::<Vec<_>>().join(", ")),
            parameters.collect::<Vec<_>>().join("; "),
            format!("{} {binding} {user}", dash(self.mechanism.clone())),
            format!("{simple} {unnamed} {named} {}", names.join(" "))
                .trim_end()
                .to_owned(),
            hello,
        ]
        .join("\t")
    }

    fn parse(line: &str) -> Result<Self> {
        let columns: Vec<&str> = line.split('\t').collect();
        let [client, way, asked, parameters, login, statements, hello] = columns[..] else {
            bail!("seven columns");
        };
        let way = Way::ALL
            .into_iter()
            .find(|known| known.as_str() == way)
            .context("way")?;
        let asked = asked.split(", ").filter(|text| *text != "-").map(|text| {
            let (asked, answer) = text.split_once(' ').context("asked")?;
            Ok(EncryptionRequest {
                asked: of_word(&ASKED, asked)?,
                answer: (answer != "-")
                    .then(|| of_word(&ANSWERED, answer))
                    .transpose()?,
            })
        });
        let parameters = parameters.split("; ").map(|pair| {
            let (name, value) = pair.split_once('=').context("parameter")?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let login: Vec<&str> = login.split(' ').collect();
        let [mechanism, binding, user] = login[..] else {
            bail!("login");
        };
        let mut numbers = statements.split(' ');
        let mut number = || anyhow::Ok(numbers.next().context("statements")?.parse()?);
        let (simple, unnamed, named) = (number()?, number()?, number()?);
        Ok(Row {
            client: client.to_owned(),
            way,
            asked: asked.collect::<Result<_>>()?,
            parameters: parameters.collect::<Result<_>>()?,
            mechanism: mechanism.to_owned(),
            binding: match binding {
                "n" => ChannelBinding::Unsupported,
                "y" => ChannelBinding::NotOffered,
                used => ChannelBinding::Used(used.trim_start_matches("p=").to_owned()),
            },
            user: (user != "-").then(|| of_word(&USERS, user)).transpose()?,
            statements: Statements {
                simple,
                unnamed,
                named,
                names: numbers.map(str::to_owned).collect(),
                ..Statements::default()
            },
            hello: (hello != "-").then(|| parse_hello(hello)).transpose()?,
        })
    }

    /// All that was seen, TLS taken off.
    pub fn conversation(&self) -> Conversation {
        let mut seen = self.login();
        seen.statements.clone_from(&self.statements);
        seen
    }

    /// The same before the first statement.
    pub fn login(&self) -> Conversation {
        let mut seen = self.hello_alone();
        seen.startup = Some(Startup {
            protocol: (3, 0),
            parameters: self.parameters.clone(),
        });
        seen.login.mechanism = Some(self.mechanism.clone()).filter(|name| name != "-");
        seen.login.channel_binding = Some(self.binding.clone());
        seen.login.scram_user = self.user;
        seen
    }

    /// What TLS does not hide.
    pub fn hello_alone(&self) -> Conversation {
        let mut seen = Conversation::new();
        seen.encryption.clone_from(&self.asked);
        seen.client_hello.clone_from(&self.hello);
        seen
    }
}

fn path() -> PathBuf {
    tests().join("data/client-marks.tsv")
}

/// A variant's name, in small letters.
fn word(variant: &impl Debug) -> String {
    format!("{variant:?}").to_lowercase()
}

fn of_word<T: Copy + Debug>(all: &[T], name: &str) -> Result<T> {
    let found = all.iter().find(|variant| word(*variant) == name);
    found
        .copied()
        .with_context(|| format!("{name} is not known"))
}

fn dash(text: String) -> String {
    match text.is_empty() {
        true => "-".to_owned(),
        false => text,
    }
}

/// The lists of a ClientHello, in the order of the record.
fn hello_text(hello: &ClientHello) -> String {
    let ClientHello {
        versions,
        ciphers,
        extensions,
        groups,
        key_shares,
        signatures,
        ..
    } = hello;
    let numbers = [
        versions, ciphers, extensions, groups, key_shares, signatures,
    ];
    let hex = |numbers: &Vec<u16>| {
        let all = numbers.iter().map(|number| format!("{number:04x}"));
        dash(all.collect::<Vec<_>>().join(" "))
    };
    let mut lists: Vec<String> = numbers.into_iter().map(hex).collect();
    lists.push(dash(hello.alpn.join(" ")));
    lists.join(" / ")
}

fn parse_hello(text: &str) -> Result<ClientHello> {
    let mut lists = text.split(" / ");
    let mut list = || {
        let text = lists.next().context("hello")?;
        let words = text.split(' ').filter(|word| *word != "-");
        anyhow::Ok(words.map(str::to_owned).collect::<Vec<_>>())
    };
    let mut numbers = || {
        let words = list()?;
        let all = words.iter().map(|word| u16::from_str_radix(word, 16));
        anyhow::Ok(all.collect::<Result<Vec<_>, _>>()?)
    };
    Ok(ClientHello {
        versions: numbers()?,
        ciphers: numbers()?,
        extensions: numbers()?,
        groups: numbers()?,
        key_shares: numbers()?,
        signatures: numbers()?,
        alpn: list()?,
        ..ClientHello::default()
    })
}
