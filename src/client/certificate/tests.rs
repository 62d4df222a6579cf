use super::*;

/// What a real stack said of a form.
struct Said {
    form: String,
    stack: Stack,
    version: Version,
    demand: Demand,
    text: String,
}

const STACKS: [Stack; 8] = [
    Stack::Libpq,
    Stack::NativeTls,
    Stack::Python,
    Stack::PythonDefault,
    Stack::Node,
    Stack::Go,
    Stack::Rustls,
    Stack::Java,
];

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks")
}

/// The form's host, and the certificates that are sent and trusted.
struct Form {
    host: String,
    sent: Vec<X509>,
    anchors: Vec<X509>,
}

impl Form {
    fn read(name: &str) -> Self {
        let path = folder().join(format!("forms/{name}.pem"));
        let text = std::fs::read_to_string(path).unwrap();
        let host = text.lines().next().unwrap().strip_prefix("host: ").unwrap();
        let (sent, anchors) = text.split_once("trusted:\n").unwrap();
        Self {
            host: host.to_owned(),
            sent: X509::stack_from_pem(sent.as_bytes()).unwrap(),
            anchors: X509::stack_from_pem(anchors.as_bytes()).unwrap(),
        }
    }

    fn chain(&self) -> Chain<'_> {
        Chain {
            sent: &self.sent,
            host: &self.host,
            anchors: &self.anchors,
        }
    }
}

/// The runs, and what was refused.
fn recorded() -> (Vec<(Stack, Version)>, Vec<Said>) {
    let stack = |name: &str| {
        STACKS
            .into_iter()
            .find(|stack| stack.name() == name)
            .unwrap()
    };
    let version = |text: &str| Version::parse(text).unwrap();
    let (mut runs, mut said) = (Vec::new(), Vec::new());
    let text = std::fs::read_to_string(folder().join("said.tsv")).unwrap();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["*", name, number] => runs.push((stack(name), version(number))),
            [form, name, number, demand, text] => said.push(Said {
                form: form.to_owned(),
                stack: stack(name),
                version: version(number),
                demand: match demand {
                    "none" => Demand::Nothing,
                    "chain" => Demand::Chain,
                    _ => Demand::Name,
                },
                text: text.to_owned(),
            }),
            _ => panic!("{line}"),
        }
    }
    (runs, said)
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder().join("forms"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        // Those are about the version of TLS, not the certificate.
        .filter(|name| !name.starts_with("only-"))
        .collect();
    names.sort();
    names
}

#[test]
fn real_stacks_say_the_same() {
    let (runs, said) = recorded();
    let names = names();
    assert!(names.len() >= 100 && runs.len() >= 12);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for name in &names {
        let form = Form::read(name);
        for (stack, version) in &runs {
            for demand in [Demand::Nothing, Demand::Chain, Demand::Name] {
                // rustls has no verification of the chain alone; libpq's is the run's own.
                if *stack == Stack::Rustls && demand == Demand::Chain
                    || *stack == Stack::Libpq && demand != Demand::Nothing
                {
                    continue;
                }
                compared += 1;
                let real = said.iter().find(|said| {
                    said.form == *name
                        && said.stack == *stack
                        && said.version == *version
                        && said.demand == demand
                });
                let ours = refusals(*stack, Some(*version), demand, &form.chain());
                let agrees = match real {
                    None => ours.is_empty(),
                    Some(real) => ours
                        .first()
                        .is_some_and(|ours| is_in(&ours.text, &real.text)),
                };
                if !agrees {
                    let real = real.map_or("accepted", |real| &real.text);
                    wrong.push(format!(
                        "{name} {} {version} {demand:?}: {real}\n      ours: {ours:?}",
                        stack.name()
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Whether a text is in another, but for the moment of the run.
fn is_in(ours: &str, real: &str) -> bool {
    let mut rest = real;
    ours.split("current time ").enumerate().all(|(at, part)| {
        let part = match at {
            0 => part,
            _ => part.split_once(' ').map_or("", |(_, rest)| rest),
        };
        let part = part
            .split(": verification time ")
            .next()
            .unwrap_or_default();
        match rest.find(part) {
            Some(found) => {
                rest = &rest[found + part.len()..];
                true
            }
            None => false,
        }
    })
}

#[test]
fn every_stack_has_a_lowest_version_of_tls() {
    let (runs, said) = recorded();
    for (stack, version) in runs {
        let (lowest, text) = stack.lowest_tls(Some(version));
        assert_eq!(lowest, "TLSv1.2");
        let real = said.iter().find(|said| {
            said.form == "only-tlsv1-1" && said.stack == stack && said.version == version
        });
        assert!(
            real.is_some_and(|real| real.text.contains(text)),
            "{stack:?} {version}: {text}"
        );
    }
}

#[test]
fn a_version_that_is_not_known_is_the_newest() {
    let form = Form::read("root-no-ku");
    let chain = form.chain();
    let say = |version: Option<&str>| {
        let version = version.and_then(Version::parse);
        refusals(Stack::PythonDefault, version, Demand::Name, &chain)
    };
    assert_eq!(say(Some("3.12")), []);
    assert_eq!(say(Some("3.13")), say(None));
    assert_eq!(say(None)[0].since, Version::parse("3.13"));
    assert_eq!(refusals(Stack::Go, None, Demand::Name, &chain), []);
}
