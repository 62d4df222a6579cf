//! Authentication in OpenSSH's order: `none` to learn what the server takes,
//! then keys, keyboard-interactive and password, as often as the server lets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse, Prompt};
use russh::keys::{Algorithm, HashAlg};
use russh::{MethodKind, MethodSet};

use super::agent::{Agent, AgentTrouble};
use super::algorithms::Allowed;
use super::announced;
use super::auth_log::{AuthEnd, AuthTranscript, KeyOutcome};
use super::client::{Client, SessionEnd, Watch};
use super::host_key::too_short;
use super::identities::{Candidate, Credential, Identities, SigningKey};
use super::signer::{KeySigner, SignError};
use crate::config::{Hop, SshMethod};
use crate::secret::Secret;
use crate::terminal::{self, Echo};
use crate::wire::TeeLog;
use crate::wire::waits::Awaited;

/// A server may ask for several methods in turn, not for ever.
const MOST_STEPS: usize = 8;
/// How long the server may take for its answer to a signature that came late.
const ANSWER: Duration = Duration::from_secs(2);
/// Rounds of questions in keyboard-interactive.
const MOST_ROUNDS: usize = 8;

/// The means to authenticate with.
pub struct Credentials<'a> {
    /// The hop.
    pub hop: &'a Hop,
    /// `DBDOCTOR_SSH_PASSWORD`.
    pub password: Option<&'a Secret>,
    /// Until when a person can be asked, if there is one.
    pub person_until: Option<Instant>,
    /// Whether a wrong host key rules passwords out.
    pub keys_only: bool,
    /// How long an agent may take to sign where nobody is there to confirm it.
    pub agent_patience: Duration,
    /// When the whole run ends.
    pub deadline: Instant,
    /// What passes below the session.
    pub below: Arc<TeeLog>,
    /// Whether the server is an OpenSSH that announces too few algorithms
    /// (compat.c, `SSH_BUG_SIGTYPE74`).
    pub announces_too_few: bool,
    /// Whether the server announces signatures for RSA keys alone, whatever it takes
    /// (OpenSSH 7.2 to 7.4).
    pub lists_only_rsa: bool,
}

/// Authenticates until the limit, or later by the time a person was asked.
pub async fn authenticate(
    handle: &mut Handle<Client>,
    watch: &Watch,
    means: &Credentials<'_>,
    offer: Identities,
    limit: Instant,
) -> AuthTranscript {
    let mut run = AuthRun {
        handle,
        watch,
        means,
        agent: offer.agent,
        limit,
        story: AuthTranscript {
            ending: AuthEnd::Exhausted,
            keys: offer
                .candidates
                .into_iter()
                .map(|candidate| (candidate, KeyOutcome::Untried))
                .collect(),
            methods: Vec::new(),
            passed: Vec::new(),
            method: "none",
            password_refused: false,
            questions: Vec::new(),
            asked_on: false,
            new_password: false,
            said: Vec::new(),
            trouble: offer.trouble,
            agent_keys: offer.agent_keys,
            announced: None,
            signed_in_vain: Vec::new(),
            keys_only: means.keys_only,
            asked: Duration::ZERO,
        },
        methods: MethodSet::empty(),
        rsa_hash: None,
        allowed: Allowed::by(&means.hop.algorithms),
    };
    run.story.ending = match run.all().await {
        Err(ending) => ending,
        Ok(()) => AuthEnd::Exhausted,
    };
    let task = watch.seen().task;
    run.story.announced = task
        .filter(|_| !means.lists_only_rsa)
        .and_then(announced::by);
    if run.story.ending == AuthEnd::Exhausted {
        run.ask_about_algorithms().await;
    }
    run.story
}

struct AuthRun<'a> {
    handle: &'a mut Handle<Client>,
    watch: &'a Watch,
    means: &'a Credentials<'a>,
    agent: Option<Agent>,
    limit: Instant,
    story: AuthTranscript,
    methods: MethodSet,
    /// The hash for RSA signatures, once it was looked up; `None` in it where
    /// the server takes SHA-1 alone.
    rsa_hash: Option<Option<HashAlg>>,
    /// What the configuration lets keys sign with.
    allowed: Allowed,
}

/// A step of authentication that left us outside.
enum AuthStep {
    Partial,
    Refused,
}

impl AuthRun<'_> {
    /// Tries everything. `Ok` means that nothing is left.
    async fn all(&mut self) -> Result<(), AuthEnd> {
        let user = self.means.hop.user.clone();
        let reply = self
            .reply(|handle| Box::pin(handle.authenticate_none(user)))
            .await?;
        self.watch.note_answer();
        self.step(reply, "none").await?;
        for _ in 0..MOST_STEPS {
            let mut partial = false;
            let methods = self.means.hop.methods.clone();
            for method in methods {
                // A password that was refused as an answer is not sent once more.
                let spent = self.story.password_refused && self.means.password.is_some();
                let asked = self.may_use_password();
                partial = match method {
                    SshMethod::PublicKey if self.takes(MethodKind::PublicKey) => {
                        self.keys().await?
                    }
                    SshMethod::KeyboardInteractive
                        if asked && self.takes(MethodKind::KeyboardInteractive) =>
                    {
                        self.keyboard_interactive().await?
                    }
                    SshMethod::Password if asked && !spent && self.takes(MethodKind::Password) => {
                        self.password().await?
                    }
                    _ => false,
                };
                if partial {
                    break;
                }
            }
            if !partial {
                return Ok(());
            }
            // What was used is refused by the server itself the second time;
            // OpenSSH begins again too (sshconnect2.c, `pubkey_reset`).
            for (_, outcome) in &mut self.story.keys {
                if matches!(outcome, KeyOutcome::Refused) {
                    *outcome = KeyOutcome::Untried;
                }
            }
        }
        Ok(())
    }

    fn takes(&self, method: MethodKind) -> bool {
        self.methods.contains(&method)
    }

    fn may_use_password(&self) -> bool {
        !self.means.keys_only
    }

    /// Offers the keys one after the other; true where one was a part of it.
    async fn keys(&mut self) -> Result<bool, AuthEnd> {
        for at in 0..self.story.keys.len() {
            let Some((candidate, KeyOutcome::Untried)) = self.story.keys.get(at).cloned() else {
                continue;
            };
            if too_short(&candidate.credential.public(), self.means.hop).is_some() {
                self.settle(at, KeyOutcome::TooShort);
                continue;
            }
            let Some(hash) = self.signature(&candidate).await? else {
                self.settle(at, KeyOutcome::NoAlgorithm);
                continue;
            };
            self.story.method = "publickey";
            let outcome = match self.offer(&candidate, hash).await {
                Err(ended @ AuthEnd::Ended(_)) => {
                    self.settle(at, KeyOutcome::Refused);
                    return Err(ended);
                }
                outcome => outcome?,
            };
            let done = outcome.clone();
            self.settle(at, outcome);
            match done {
                KeyOutcome::Accepted => return Err(AuthEnd::In),
                KeyOutcome::Partial => {
                    self.story.passed.push("publickey");
                    return Ok(true);
                }
                _ if !self.takes(MethodKind::PublicKey) => return Ok(false),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Nobody was let in: would the server take a refused RSA key with another
    /// signature? It is only asked, nothing is signed. Ends at the first doubt.
    async fn ask_about_algorithms(&mut self) {
        let mut asked = 0;
        for at in 0..self.story.keys.len() {
            let Some((candidate, KeyOutcome::Refused | KeyOutcome::NoAlgorithm)) =
                self.story.keys.get(at).cloned()
            else {
                continue;
            };
            if !candidate.credential.is_rsa()
                || self.story.signed_in_vain.contains(&candidate.label())
                || matches!(candidate.credential, Credential::Certificate(_))
                || !self.takes(MethodKind::PublicKey)
                || asked == 2
            {
                continue;
            }
            asked += 1;
            let question = Candidate {
                hand: SigningKey::Nobody,
                ..candidate
            };
            for (hash, name) in [
                (Some(HashAlg::Sha256), "rsa-sha2-256"),
                (None, "ssh-rsa (SHA-1)"),
            ] {
                match self.offer(&question, hash).await {
                    Ok(KeyOutcome::Locked) => {
                        self.settle(at, KeyOutcome::OnlyWith(name));
                        return;
                    }
                    Ok(KeyOutcome::Refused) => {}
                    _ => return,
                }
            }
        }
    }

    fn settle(&mut self, at: usize, outcome: KeyOutcome) {
        if let Some((_, slot)) = self.story.keys.get_mut(at) {
            *slot = outcome;
        }
    }

    /// The hash that a key signs with; none in it for keys that have one way
    /// to sign, and for SHA-1. `None` where the configuration or the server
    /// leaves no way.
    async fn signature(
        &mut self,
        candidate: &Candidate,
    ) -> Result<Option<Option<HashAlg>>, AuthEnd> {
        let certificate = matches!(candidate.credential, Credential::Certificate(_));
        let algorithm = candidate.credential.public().algorithm();
        if !candidate.credential.is_rsa() {
            let signs = self.allowed.signs(&algorithm, certificate);
            return Ok(signs.then_some(None));
        }
        let signs = |hash| self.allowed.signs(&Algorithm::Rsa { hash }, certificate);
        let (large, small, old) = (
            signs(Some(HashAlg::Sha512)),
            signs(Some(HashAlg::Sha256)),
            signs(None),
        );
        Ok(match self.rsa_hash().await? {
            Some(HashAlg::Sha512) if large => Some(Some(HashAlg::Sha512)),
            // Whoever takes the larger hash takes the smaller one.
            Some(_) if small => Some(Some(HashAlg::Sha256)),
            _ => old.then_some(None),
        })
    }

    /// The hash for signatures by RSA keys: OpenSSH does not sign with SHA-1,
    /// and offers no RSA key to a server that announces nothing better
    /// (sshconnect2.c, `key_sig_algorithm`).
    async fn rsa_hash(&mut self) -> Result<Option<HashAlg>, AuthEnd> {
        if let Some(hash) = self.rsa_hash {
            return Ok(hash);
        }
        // Whatever the server announces came before its answer to `none`.
        let announced = tokio::time::timeout(
            Duration::from_millis(100),
            self.handle.best_supported_rsa_hash(),
        );
        let hash = match announced.await {
            Ok(Ok(Some(None))) if self.means.announces_too_few => Some(HashAlg::Sha512),
            Ok(Ok(hash)) => hash.flatten(),
            Ok(Err(_)) => return Err(AuthEnd::Ended(self.watch.end(self.means.deadline).await)),
            Err(_) => None,
        };
        self.rsa_hash = Some(hash);
        Ok(hash)
    }

    /// Offers one key and signs if the server would take it.
    async fn offer(
        &mut self,
        candidate: &Candidate,
        hash: Option<HashAlg>,
    ) -> Result<KeyOutcome, AuthEnd> {
        let user = self.means.hop.user.clone();
        // The agent's time is not the server's: a person may have to confirm.
        let patience = Instant::now() + self.means.agent_patience;
        let agent_until = self.means.person_until.unwrap_or(patience);
        let agent_until = agent_until.min(self.means.deadline);
        let signing = Arc::new(AtomicBool::new(false));
        let mut pen = KeySigner {
            hand: &candidate.hand,
            agent: self.agent.as_mut(),
            agent_until,
            signing: Arc::clone(&signing),
            waited: Duration::ZERO,
            signed: false,
        };
        let handle = &mut *self.handle;
        let asking = async {
            match &candidate.credential {
                Credential::Key(key) => {
                    handle
                        .authenticate_publickey_with(user, key.clone(), hash, &mut pen)
                        .await
                }
                Credential::Certificate(certificate) => {
                    let certificate = certificate.as_ref().clone();
                    handle
                        .authenticate_certificate_with(user, certificate, hash, &mut pen)
                        .await
                }
            }
        };
        let reply = {
            tokio::pin!(asking);
            match tokio::time::timeout_at(self.limit.into(), &mut asking).await {
                Err(_) if signing.load(Ordering::Relaxed) => {
                    let until = (agent_until + ANSWER).min(self.means.deadline);
                    tokio::time::timeout_at(until.into(), asking).await
                }
                reply => reply,
            }
        };
        self.limit += pen.waited;
        let signed = pen.signed;
        let reply = match reply {
            Err(_) => return Err(AuthEnd::Late),
            Ok(Err(SignError::Trouble(trouble))) => {
                if trouble == AgentTrouble::Mute {
                    // A late answer would be taken for the next one's.
                    self.agent = None;
                    self.story.trouble = Some(AgentTrouble::Mute);
                }
                return Ok(KeyOutcome::Unsigned(trouble));
            }
            Ok(Err(SignError::Nobody)) => return Ok(KeyOutcome::Locked),
            Ok(Err(SignError::Gone)) => {
                return Err(AuthEnd::Ended(self.watch.end(self.means.deadline).await));
            }
            Ok(Ok(reply)) => reply,
        };
        match self.step(reply, "publickey").await {
            Err(AuthEnd::In) => Ok(KeyOutcome::Accepted),
            Err(other) => Err(other),
            Ok(AuthStep::Partial) => Ok(KeyOutcome::Partial),
            Ok(AuthStep::Refused) => {
                if signed {
                    self.story.signed_in_vain.push(candidate.label());
                }
                Ok(KeyOutcome::Refused)
            }
        }
    }

    async fn keyboard_interactive(&mut self) -> Result<bool, AuthEnd> {
        if self.means.password.is_none() && self.means.person_until.is_none() {
            return Ok(false);
        }
        self.story.method = "keyboard-interactive";
        let user = self.means.hop.user.clone();
        let mut reply = self
            .reply(|handle| Box::pin(handle.authenticate_keyboard_interactive_start(user, None)))
            .await?;
        // The question that was answered last.
        let mut answered: Option<String> = None;
        let mut asked_on = false;
        for _ in 0..MOST_ROUNDS {
            let (name, instructions, prompts) = match reply {
                KeyboardInteractiveAuthResponse::Success => {
                    self.note_wait("keyboard-interactive");
                    return Err(AuthEnd::In);
                }
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                } => {
                    self.story.password_refused |=
                        answered.is_some() && !asked_on && !partial_success;
                    let reply = AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    };
                    return self
                        .step(reply, "keyboard-interactive")
                        .await
                        .map(|step| matches!(step, AuthStep::Partial));
                }
                KeyboardInteractiveAuthResponse::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => (name, instructions, prompts),
            };
            for words in [name, instructions] {
                let words = crate::text::clean(&words);
                if !words.trim().is_empty() {
                    self.story.said.push(words.trim().to_owned());
                }
            }
            let mut answers = Vec::new();
            let only = prompts.len() == 1;
            for prompt in prompts {
                let answer = match (
                    self.means.password,
                    only && answered.is_none() && wants_password(&prompt),
                ) {
                    (Some(password), true) => Some(password.expose_owned()),
                    _ => self.ask(&prompt).await?,
                };
                match answer {
                    Some(answer) => {
                        answered = Some(prompt.prompt);
                        answers.push(answer);
                    }
                    None => {
                        // The same question once more says that the answer was wrong.
                        if answered.as_ref() != Some(&prompt.prompt) {
                            asked_on |= answered.is_some();
                            self.story.questions.push(prompt.prompt);
                        }
                        // An empty answer ends it in order.
                        answers.push(String::new());
                    }
                }
            }
            self.story.asked_on |= asked_on;
            reply = self
                .reply(|handle| Box::pin(handle.authenticate_keyboard_interactive_respond(answers)))
                .await?;
        }
        Ok(false)
    }

    async fn password(&mut self) -> Result<bool, AuthEnd> {
        let password = match self.means.password {
            Some(password) => password.clone(),
            None => {
                let prompt = Prompt {
                    prompt: format!(
                        "{}@{}'s password: ",
                        self.means.hop.user, self.means.hop.host
                    ),
                    echo: false,
                };
                match self.ask(&prompt).await? {
                    Some(typed) => Secret::new(typed),
                    None => return Ok(false),
                }
            }
        };
        self.story.method = "password";
        let user = self.means.hop.user.clone();
        let heard = |run: &Self| {
            let received = run.means.below.seen().received;
            (received, run.watch.seen().notice.len())
        };
        let before = heard(self);
        let reply = self
            .reply(|handle| Box::pin(handle.authenticate_password(user, password.expose_owned())))
            .await;
        if reply == Err(AuthEnd::Late) {
            let now = heard(self);
            self.story.new_password = now.0 > before.0 && now.1 == before.1;
        }
        let reply = reply?;
        match self.step(reply, "password").await {
            Ok(AuthStep::Refused) => {
                // Where more than the password is wanted, a refusal says little.
                self.story.password_refused |= !self.story.asked_on;
                Ok(false)
            }
            Ok(AuthStep::Partial) => Ok(true),
            Err(ending) => {
                self.story.password_refused |=
                    matches!(ending, AuthEnd::Ended(_)) && !self.story.asked_on;
                Err(ending)
            }
        }
    }

    /// Asks a person, if there is one; the time it takes counts for the whole
    /// run alone.
    async fn ask(&mut self, prompt: &Prompt) -> Result<Option<String>, AuthEnd> {
        let Some(until) = self.means.person_until else {
            return Ok(None);
        };
        let began = Instant::now();
        let words = crate::text::clean(&prompt.prompt);
        let echo = match prompt.echo {
            true => Echo::On,
            false => Echo::Off,
        };
        let answer = terminal::ask(format!("{} ", words.trim_end()), echo, until).await;
        let took = began.elapsed();
        self.limit += took;
        self.story.asked += took;
        Ok(answer.ok().map(|typed| typed.expose_owned()))
    }

    /// Runs one request of the library within the time.
    async fn reply<T>(
        &mut self,
        request: impl for<'h> FnOnce(
            &'h mut Handle<Client>,
        ) -> std::pin::Pin<
            Box<dyn Future<Output = Result<T, russh::Error>> + Send + 'h>,
        >,
    ) -> Result<T, AuthEnd> {
        let request = request(self.handle);
        match tokio::time::timeout_at(self.limit.into(), request).await {
            Err(_) => Err(AuthEnd::Late),
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(AuthEnd::Ended(self.watch.end(self.means.deadline).await)),
        }
    }

    /// Notes how long an answer took. What a server says beside its questions is
    /// for a person, whom it may be waiting for ("approve the request on your phone").
    fn note_wait(&self, method: &'static str) {
        let awaited = match method == "keyboard-interactive" && !self.story.said.is_empty() {
            true => Awaited::Person,
            false => Awaited::SshAuth(method),
        };
        self.means.below.note_wait(awaited);
    }

    /// Takes note of the server's answer.
    async fn step(&mut self, reply: AuthResult, method: &'static str) -> Result<AuthStep, AuthEnd> {
        self.note_wait(method);
        match reply {
            AuthResult::Success => {
                self.story.method = method;
                Err(AuthEnd::In)
            }
            // The library says the same where the connection is gone.
            AuthResult::Failure {
                remaining_methods,
                partial_success: false,
            } if remaining_methods.is_empty() => match self.watch.end(self.means.deadline).await {
                SessionEnd::Error(_) => {
                    self.methods = MethodSet::empty();
                    self.story.methods = Vec::new();
                    Err(AuthEnd::Exhausted)
                }
                end => Err(AuthEnd::Ended(end)),
            },
            AuthResult::Failure {
                remaining_methods,
                partial_success,
            } => {
                self.story.methods = remaining_methods.iter().map(|m| m.into()).collect();
                self.methods = remaining_methods;
                if partial_success && method != "publickey" {
                    self.story.passed.push(method);
                }
                Ok(match partial_success {
                    true => AuthStep::Partial,
                    false => AuthStep::Refused,
                })
            }
        }
    }
}

/// Whether a question is for the password, and not for a second factor. Whom
/// it is for does not count: names may contain anything.
fn wants_password(prompt: &Prompt) -> bool {
    !prompt.echo && asks_for_password(&prompt.prompt)
}

/// The same by its words alone: most modules ask in their own language, so it
/// is what names something else that counts.
pub fn asks_for_password(question: &str) -> bool {
    const PARTS: [&str; 13] = [
        "code",
        "token",
        "verif",
        "factor",
        "yubi",
        "one-time",
        "one time",
        "challenge",
        "securid",
        "authenticator",
        "fingerprint",
        "2fa",
        "mfa",
    ];
    const WORDS: [&str; 7] = ["otp", "totp", "hotp", "pin", "duo", "oath", "sms"];
    let question = question.to_lowercase();
    let what = question.split(" for ").next().unwrap_or(&question);
    let what: Vec<&str> = what
        .split_whitespace()
        .filter(|word| !word.contains('@'))
        .collect();
    let what = what.join(" ");
    !PARTS.iter().any(|part| what.contains(part))
        && !what
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_question_for_the_password_gets_it() {
        for question in [
            "Password: ",
            "Password for root@code.test:",
            "vscode@pin.test's password: ",
            "Passwort: ",
            "Mot de passe : ",
            "Shopping list password:",
        ] {
            assert!(asks_for_password(question), "{question}");
        }
        for question in [
            "Verification code: ",
            "YubiKey for `root': ",
            "One-time password (OATH) for `root': ",
            "Enter PASSCODE: ",
            "OTP: ",
            "PIN: ",
            "Password & verification code: ",
        ] {
            assert!(!asks_for_password(question), "{question}");
        }
    }
}
