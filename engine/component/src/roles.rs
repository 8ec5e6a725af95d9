//! Each role's session as a resource of the contract.

use std::cell::RefCell;

use pillarbox_engine::{Input, Output, Session, Step, imap, pop3, smtp};

use crate::Component;
use crate::convert::Convert;
use crate::wit::{
    imap_client, imap_server, pop3_client, pop3_server, smtp_client, smtp_server,
    types as wit_types,
};

// A macro, since the contract repeats one form for each role and so do the traits made of it.

/// Exports one role's session under the name of its interface.
macro_rules! session {
    ($wit:ident, $session:ident, $role:ty) => {
        /// One session, of which the host holds a handle.
        #[allow(unreachable_pub, reason = "the generated trait is public and names it")]
        pub struct $session(RefCell<Session<$role>>);

        impl $wit::GuestSession for $session {
            fn new(config: $wit::Config, now: $wit::Now) -> Self {
                Self(RefCell::new(Session::new(config.convert(), now.convert())))
            }

            fn receive(&self, now: $wit::Now, octets: Vec<u8>) -> u32 {
                octets_taken(self.0.borrow_mut().receive(now.convert(), &octets))
            }

            fn receive_end(&self, now: $wit::Now) {
                self.0.borrow_mut().receive_end(now.convert());
            }

            fn secured(&self, now: $wit::Now, facts: $wit::TlsFacts) -> Result<(), $wit::Misuse> {
                let secured = self.0.borrow_mut().secured(now.convert(), facts.convert());
                secured.map_err(Convert::convert)
            }

            fn answer(
                &self,
                now: $wit::Now,
                id: $wit::AskId,
                answer: $wit::Answer,
            ) -> Result<(), $wit::Misuse> {
                let answered = self.0.borrow_mut().answer(now.convert(), id, answer.convert());
                answered.map_err(Convert::convert)
            }

            fn call(&self, now: $wit::Now, call: $wit::Call) -> Result<(), $wit::Misuse> {
                let called = self.0.borrow_mut().call(now.convert(), call.convert());
                called.map_err(Convert::convert)
            }

            fn tick(&self, now: $wit::Now) {
                self.0.borrow_mut().tick(now.convert());
            }

            fn poll(&self) -> $wit::Output {
                self.0.borrow_mut().poll().convert()
            }

            fn step(
                &self,
                now: $wit::Now,
                input: $wit::Input,
            ) -> Result<$wit::Stepped, $wit::Misuse> {
                #[cfg(feature = "crash-verbs")]
                if let $wit::Input::Receive(octets) = &input {
                    crate::crash::obey(octets);
                }
                let stepped = self.0.borrow_mut().step(now.convert(), input.convert());
                let Step { taken, outputs } = stepped.map_err(Convert::convert)?;
                Ok($wit::Stepped { taken: octets_taken(taken), outputs: outputs.convert() })
            }

            fn freeze(&self) -> Result<Vec<u8>, $wit::Misuse> {
                self.0.borrow().freeze().ok_or(wit_types::Misuse::WrongState)
            }

            fn thaw(
                config: $wit::Config,
                now: $wit::Now,
                frozen: Vec<u8>,
            ) -> Result<$wit::Session, $wit::Misuse> {
                let session = Session::<$role>::thaw(config.convert(), now.convert(), &frozen);
                let session = session.map_err(Convert::convert)?;
                Ok($wit::Session::new(Self(RefCell::new(session))))
            }
        }

        impl Convert<Input<$role>> for $wit::Input {
            fn convert(self) -> Input<$role> {
                match self {
                    Self::Nothing => Input::Nothing,
                    Self::Receive(octets) => Input::Receive(octets),
                    Self::ReceiveEnd => Input::ReceiveEnd,
                    Self::Secured(facts) => Input::Secured(facts.convert()),
                    Self::Answer((id, answer)) => Input::Answer(id, answer.convert()),
                    Self::Call(call) => Input::Call(call.convert()),
                    Self::Tick => Input::Tick,
                }
            }
        }

        impl Convert<$wit::Output> for Output<$role> {
            fn convert(self) -> $wit::Output {
                match self {
                    Self::Transmit(octets) => $wit::Output::Transmit(octets),
                    Self::TransmitBlob(range) => $wit::Output::TransmitBlob(range.convert()),
                    Self::Ask(id, ask) => $wit::Output::Ask((id, ask.convert())),
                    Self::Event(event) => $wit::Output::Event(event.convert()),
                    Self::StartTls => $wit::Output::StartTls,
                    Self::Compress => $wit::Output::Compress,
                    Self::Note(note) => $wit::Output::Note(note.convert()),
                    Self::Wait { deadline_ms } => $wit::Output::Wait(deadline_ms),
                    Self::Close => $wit::Output::Close,
                }
            }
        }
    };
}

/// Exports one server role: its session, and its last words.
macro_rules! server {
    ($wit:ident, $session:ident, $role:ty, $farewell:path) => {
        session!($wit, $session, $role);

        impl $wit::Guest for Component {
            type Session = $session;

            fn farewell(reason: $wit::FarewellReason) -> Vec<u8> {
                $farewell(reason.convert())
            }
        }
    };
}

server!(smtp_server, SmtpServer, smtp::Server, smtp::farewell);
server!(pop3_server, Pop3Server, pop3::Server, pop3::farewell);
server!(imap_server, ImapServer, imap::Server, imap::farewell);

session!(smtp_client, SmtpClient, smtp::Client);
session!(pop3_client, Pop3Client, pop3::Client);
session!(imap_client, ImapClient, imap::Client);

impl smtp_client::Guest for Component {
    type Session = SmtpClient;
}

impl pop3_client::Guest for Component {
    type Session = Pop3Client;
}

impl imap_client::Guest for Component {
    type Session = ImapClient;
}

fn octets_taken(taken: usize) -> u32 {
    u32::try_from(taken).expect("one offer of octets fits in a memory of 4 GiB")
}
