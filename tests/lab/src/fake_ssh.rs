//! An SSH server that does what no OpenSSH does: it lets every key in, and
//! answers a forward as it is told.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session,
    VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelOpenFailure, Disconnect, Error, MethodKind, Preferred, SshId};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::case::SshRoute;
use crate::lab::Lab;

/// What it does.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Refuses every forward for this reason.
    Refuse(ChannelOpenFailure),
    /// Announces SHA-1 signatures alone for RSA keys, as servers before rsa-sha2 did.
    OnlySha1,
    /// Asks these questions one after the other by keyboard-interactive, and lets in whoever
    /// answers all of them.
    Asks(&'static [Question]),
    /// Takes any password, and ends the session with it as the reason once a
    /// forward is asked for.
    Repeat,
    /// Ends the session with this reason once a forward is asked for.
    Ends(&'static str),
    /// Shows its first client another host key than the one it is known by, and lets nobody in.
    TwoFaced,
    /// Takes no key of anybody's.
    Nobody,
    /// The same, and announces signatures of this type of key alone, which is also its host
    /// key's: `ed25519`, `ecdsa` or `rsa`.
    Announces(&'static str),
}

/// A question by keyboard-interactive.
#[derive(Debug)]
pub struct Question {
    /// What is said before it.
    pub said: &'static str,
    /// The question; none where it is empty.
    pub prompt: &'static str,
    /// The right answer.
    pub answer: &'static str,
}

/// User names, and the methods that they came with.
type Offered = Arc<Mutex<Vec<(String, &'static str)>>>;

/// A running one.
pub struct FakeSshd {
    address: SocketAddr,
    known_hosts: PathBuf,
    client_key: PathBuf,
    user: String,
    offered: Offered,
    // Dropped without waiting for what still runs in it.
    runtime: Option<Runtime>,
}

impl FakeSshd {
    /// Starts one.
    pub fn start(lab: &Lab, behaviour: Behaviour) -> Result<Self> {
        Self::configured(lab, behaviour, Config::default(), None)
    }

    /// Starts one that identifies itself as this software, and shows this before the login.
    pub fn like(
        lab: &Lab,
        behaviour: Behaviour,
        software: &str,
        banner: Option<&'static str>,
    ) -> Result<Self> {
        let config = Config {
            server_id: SshId::Standard(format!("SSH-2.0-{software}").into()),
            ..Config::default()
        };
        Self::configured(lab, behaviour, config, banner)
    }

    fn configured(
        lab: &Lab,
        behaviour: Behaviour,
        config: Config,
        banner: Option<&'static str>,
    ) -> Result<Self> {
        let kind = match behaviour {
            Behaviour::Announces(kind) => kind,
            _ => "ed25519",
        };
        let host_key = lab.ssh_key(kind, "")?;
        let public = fs::read_to_string(host_key.with_extension("pub"))?;
        let mut config = Config {
            keys: vec![PrivateKey::read_openssh_file(&host_key)?],
            ..config
        };
        if let Behaviour::Nobody | Behaviour::Announces(_) = behaviour {
            config.methods = [MethodKind::PublicKey][..].into();
        }
        if let Behaviour::Announces(_) = behaviour {
            config.preferred = Preferred {
                key: config.keys.iter().map(signs_as).collect(),
                ..Preferred::DEFAULT
            };
        }
        if let Behaviour::OnlySha1 = behaviour {
            config.preferred = Preferred {
                key: vec![Algorithm::Ed25519, Algorithm::Rsa { hash: None }].into(),
                ..Preferred::DEFAULT
            };
        }
        if let Behaviour::Asks(_) = behaviour {
            config.methods = [MethodKind::KeyboardInteractive][..].into();
        }
        let mut first = match behaviour {
            Behaviour::TwoFaced => Some(Arc::new(Config {
                keys: vec![PrivateKey::read_openssh_file(&lab.ssh_key("ed25519", "")?)?],
                ..Config::default()
            })),
            _ => None,
        };
        let config = Arc::new(config);
        let offered = Offered::default();
        let record = offered.clone();
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let guest = Guest(behaviour.clone(), String::new(), 0, record.clone(), banner);
                let config = first.take().unwrap_or_else(|| Arc::clone(&config));
                tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, stream, guest).await {
                        let _ = session.await;
                    }
                });
            }
        });
        let line = format!("[127.0.0.1]:{} {public}", address.port());
        Ok(FakeSshd {
            address,
            known_hosts: lab.file("known_hosts", line, 0o644)?,
            offered,
            client_key: lab.client_key()?,
            user: lab.user()?,
            runtime: Some(runtime),
        })
    }

    /// The way in that works.
    pub fn route(&self) -> SshRoute {
        SshRoute::new(&format!("{}@{}", self.user, self.address))
            .key(&self.client_key)
            .known_hosts(&self.known_hosts)
    }
}

impl FakeSshd {
    /// Under which names clients asked to be let in, and by which methods.
    pub fn offered(&self) -> Vec<(String, &'static str)> {
        self.offered
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clone()
    }
}

impl Drop for FakeSshd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Its behaviour, the password that it was given, which question is open, what is offered, and
/// what is shown before the login.
struct Guest(Behaviour, String, usize, Offered, Option<&'static str>);

impl Guest {
    fn note(&self, user: &str, method: &'static str) {
        let mut offered = self.3.lock().unwrap_or_else(|e| e.into_inner());
        offered.push((user.to_owned(), method));
    }
}

impl Handler for Guest {
    type Error = Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Error> {
        Ok(self.4.map(str::to_owned))
    }

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Error> {
        self.note(user, "none");
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        _: PublicKeyOffer<'_>,
    ) -> Result<Auth, Error> {
        self.note(user, "publickey");
        Ok(match self.0 {
            Behaviour::Repeat
            | Behaviour::Asks(_)
            | Behaviour::TwoFaced
            | Behaviour::Nobody
            | Behaviour::Announces(_) => Auth::reject(),
            _ => Auth::Accept,
        })
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Error> {
        self.note(user, "password");
        password.clone_into(&mut self.1);
        Ok(match self.0 {
            Behaviour::Asks(_)
            | Behaviour::TwoFaced
            | Behaviour::Nobody
            | Behaviour::Announces(_) => Auth::reject(),
            _ => Auth::Accept,
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Error> {
        let Behaviour::Asks(questions) = self.0 else {
            return Ok(Auth::reject());
        };
        match response {
            None => self.2 = 0,
            Some(answers) => {
                let answers: Vec<_> = answers.collect();
                let open = &questions[self.2];
                let right = match open.prompt {
                    "" => answers.is_empty(),
                    _ => answers.iter().map(|a| &a[..]).eq([open.answer.as_bytes()]),
                };
                if !right {
                    return Ok(Auth::reject());
                }
                self.2 += 1;
            }
        }
        let Some(next) = questions.get(self.2) else {
            return Ok(Auth::Accept);
        };
        let prompts = match next.prompt {
            "" => Vec::new(),
            prompt => vec![(prompt.into(), false)],
        };
        Ok(Auth::Partial {
            name: "".into(),
            instructions: next.said.into(),
            prompts: prompts.into(),
        })
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Error> {
        match &self.0 {
            Behaviour::Repeat => {
                let words = format!("no more of {}", self.1);
                session.disconnect(Disconnect::ByApplication, &words, "")?;
            }
            Behaviour::Ends(words) => session.disconnect(Disconnect::ByApplication, words, "")?,
            Behaviour::Refuse(reason) => reply.reject(reason.clone()).await,
            Behaviour::OnlySha1
            | Behaviour::Asks(_)
            | Behaviour::TwoFaced
            | Behaviour::Nobody
            | Behaviour::Announces(_) => {
                reply.accept().await;
            }
        }
        Ok(())
    }
}

/// What signatures of a host key are called; of RSA keys the best.
fn signs_as(key: &PrivateKey) -> Algorithm {
    match key.algorithm() {
        Algorithm::Rsa { .. } => Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        },
        other => other,
    }
}
