//! A mail server inside a page: sessions of all three protocols over one store in memory, typed at by hand.
//! A page holds a [`Server`], opens a [`Console`] per connection, and shows what comes back; nothing here knows a command.

use std::sync::Arc;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Role, Session, imap, pop3, smtp};
use pillarbox_world::conversation::Conversation;
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::service::{ImapService, Pop3Service, Service, SmtpService};
use wasm_bindgen::prelude::wasm_bindgen;

/// 2026-01-05T09:00:00Z, when time begins in the page.
const START_MS: u64 = 1_767_603_600_000;

/// A server with everybody's mailboxes; gone with the page.
#[wasm_bindgen]
pub struct Server {
    backend: Arc<LocalBackend>,
    connections: u64,
}

#[wasm_bindgen]
impl Server {
    /// A server of this name, without mail.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(host_name: &str) -> Self {
        Self { backend: Arc::new(LocalBackend::new(host_name.as_bytes())), connections: 0 }
    }

    /// Opens a connection: `smtp`, `pop3` or `imap`; nothing for any other word.
    pub fn connect(&mut self, protocol: &str, host_name: &str) -> Option<Console> {
        self.connections += 1;
        let key = self.connections;
        let facts = Facts { host_name: host_name.as_bytes().to_vec(), key };
        let backend = Arc::clone(&self.backend);
        let now = Now { monotonic_ms: 0, unix_ms: START_MS };
        let talk: Box<dyn Talk> = match protocol {
            "smtp" => {
                let session = Session::<smtp::Server>::new(facts.smtp(), now);
                Box::new(Conversation::new(session, SmtpService::new(backend, key), now))
            }
            "pop3" => {
                let session = Session::<pop3::Server>::new(facts.pop3(), now);
                Box::new(Conversation::new(session, Pop3Service::new(backend, key), now))
            }
            "imap" => {
                let session = Session::<imap::Server>::new(facts.imap(), now);
                Box::new(Conversation::new(session, ImapService::new(backend, key), now))
            }
            _ => return None,
        };
        Some(Console { talk })
    }
}

/// One connection to a [`Server`].
#[wasm_bindgen]
pub struct Console {
    talk: Box<dyn Talk>,
}

#[wasm_bindgen]
impl Console {
    /// Sends octets and gives what comes back; send nothing to hear the greeting, or what others caused.
    #[must_use]
    pub fn send(&mut self, octets: &[u8]) -> Vec<u8> {
        self.talk.say(octets)
    }

    /// Lets milliseconds pass and gives what the server says on its own.
    #[must_use]
    pub fn wait(&mut self, ms: u32) -> Vec<u8> {
        self.talk.wait(ms)
    }

    /// Whether the server has closed the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.talk.is_closed()
    }
}

/// A conversation whatever its protocol.
trait Talk {
    fn say(&mut self, octets: &[u8]) -> Vec<u8>;
    fn wait(&mut self, ms: u32) -> Vec<u8>;
    fn is_closed(&self) -> bool;
}

impl<R: Role, S: Service<R>> Talk for Conversation<R, Session<R>, S> {
    // The library breaks no sandbox, and this host keeps the contract: there is nothing to tell a page.
    fn say(&mut self, octets: &[u8]) -> Vec<u8> {
        Self::say(self, octets).unwrap_or_default()
    }
    fn wait(&mut self, ms: u32) -> Vec<u8> {
        Self::wait(self, u64::from(ms)).unwrap_or_default()
    }
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}

/// What the configurations of all roles have in common.
struct Facts {
    host_name: Vec<u8>,
    key: u64,
}

impl Facts {
    fn peer() -> Peer {
        Peer { address: b"192.0.2.1".to_vec(), name: None }
    }

    fn auth() -> AuthOffer {
        let mechanisms = vec![Mechanism::Plain, Mechanism::Login];
        AuthOffer { mechanisms, password_commands: true, cleartext: true }
    }

    fn session_id(&self) -> Vec<u8> {
        self.key.to_string().into_bytes()
    }

    fn smtp(&self) -> smtp::Config {
        smtp::Config {
            host_name: self.host_name.clone(),
            service: smtp::Service::Smtp,
            peer: Self::peer(),
            session_id: self.session_id(),
            tls: TlsOffer::None,
            auth: Self::auth(),
            auth_required: false,
            extensions: smtp::Extensions::default(),
            verify: false,
            return_path: true,
            faults: false,
            limits: Limits::SMTP,
            trace: false,
        }
    }

    fn pop3(&self) -> pop3::Config {
        pop3::Config {
            host_name: self.host_name.clone(),
            peer: Self::peer(),
            session_id: self.session_id(),
            tls: TlsOffer::None,
            auth: Self::auth(),
            apop_timestamp: None,
            faults: false,
            limits: Limits::POP3,
            trace: false,
        }
    }

    fn imap(&self) -> imap::types::Config {
        imap::types::Config {
            host_name: self.host_name.clone(),
            peer: Self::peer(),
            session_id: self.session_id(),
            tls: TlsOffer::None,
            auth: Self::auth(),
            without: Vec::new(),
            faults: false,
            limits: Limits::IMAP,
            trace: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_sent_in_the_page_is_read_in_the_page() {
        let mut server = Server::new("hamburger.edu");
        let mut open =
            |protocol| server.connect(protocol, "hamburger.edu").expect("a known protocol");
        let (mut alice, mut bob) = (open("smtp"), open("imap"));
        assert!(alice.send(b"").starts_with(b"220 "), "the server speaks first");
        assert!(alice.send(b"EHLO a\r\n").starts_with(b"250-"));
        let data =
            alice.send(b"MAIL FROM:<alice@crepes.fr>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n");
        assert!(data.windows(4).any(|octets| octets == b"354 "), "{}", data.escape_ascii());
        let said = alice.send(b"Subject: x\r\n\r\nwords\r\n.\r\nQUIT\r\n");
        assert!(said.windows(4).any(|octets| octets == b"221 "), "{}", said.escape_ascii());
        assert!(alice.is_closed());
        let read = bob.send(b"a LOGIN bob x\r\nb SELECT INBOX\r\nc FETCH 1 BODY[TEXT]\r\n");
        assert!(read.windows(7).any(|octets| octets == b"words\r\n"), "{}", read.escape_ascii());
        assert!(server.connect("gopher", "x").is_none());
    }
}
