//! The hosts of clients' sessions: what a queue or a person's device wants of a server, and what it hears.

use std::collections::VecDeque;
use std::sync::Arc;

use pillarbox_engine::sasl::{ClientCredentials, LoginAsk, LoginSecret, Mechanism};
use pillarbox_engine::smtp::client::types as smtp;
use pillarbox_engine::types::{BlobRange, Reason, Refusal};

use super::{Answered, Cx, Effect, Host, News};
use crate::service::Backend;
use crate::store::Store;
use crate::world::ImapOrder;
use crate::world::backend::NodeBackend;

/// A name and its password, as a device remembers them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Login {
    /// What is given to a server that offers these mechanisms: the password, in the simplest way that both know.
    pub(super) fn secret(&self, ask: &LoginAsk) -> LoginSecret {
        let LoginAsk::Choose(choice) = ask else { return LoginSecret::NoLogin };
        let simple = [Mechanism::Plain, Mechanism::Login];
        let found = simple.into_iter().find(|wanted| choice.mechanisms.contains(wanted));
        match found.filter(|_| choice.attempt == 1) {
            Some(mechanism) => LoginSecret::Credentials(ClientCredentials {
                mechanism,
                authorization: Vec::new(),
                user: self.user.clone(),
                secret: self.password.clone(),
                nonce: Vec::new(),
            }),
            None => LoginSecret::NoLogin,
        }
    }
}

/// What the application wants of a client's session.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Deliver this too.
    Deliver(smtp::Delivery),
    /// Say goodbye.
    Quit,
    /// Do this in the mailbox that is open by IMAP.
    Imap(ImapOrder),
}

/// Where the octets of outgoing messages are.
#[derive(Clone)]
pub(crate) enum Outgoing {
    /// In a server's store.
    Stored(Arc<NodeBackend>),
    /// With the device: one message.
    Held(Arc<[u8]>),
}

/// A message that is carried by an SMTP client.
#[derive(Clone)]
pub(crate) struct Carried {
    pub(crate) delivery: smtp::Delivery,
    pub(crate) outgoing: Outgoing,
    pub(crate) login: Option<Login>,
}

/// What stands behind an SMTP client's session.
pub(crate) struct SmtpHost {
    outgoing: Outgoing,
    login: Option<Login>,
    calls: VecDeque<smtp::Call>,
}

impl SmtpHost {
    /// With a first message; `last` if there will be no other.
    pub(crate) fn new(carried: Carried, last: bool) -> Self {
        let Carried { delivery, outgoing, login } = carried;
        let mut calls = VecDeque::from([smtp::Call::Deliver(delivery)]);
        if last {
            calls.push_back(smtp::Call::Quit);
        }
        Self { outgoing, login, calls }
    }

    fn read(&self, range: BlobRange) -> Option<Vec<u8>> {
        match &self.outgoing {
            Outgoing::Stored(backend) => backend.store().octets(range).ok(),
            Outgoing::Held(octets) => {
                let start = usize::try_from(range.offset).ok()?;
                let end = usize::try_from(range.offset.checked_add(range.length)?).ok()?;
                octets.get(start..end).map(<[u8]>::to_vec)
            }
        }
    }
}

impl Host<pillarbox_engine::smtp::Client> for SmtpHost {
    fn answer(
        &mut self,
        ask: &smtp::Ask,
        _resumed: bool,
        _cx: &mut Cx<'_>,
    ) -> Answered<smtp::Answer> {
        Answered::Now(match ask {
            smtp::Ask::Login(ask) => smtp::Answer::Login(match &self.login {
                Some(login) => login.secret(ask),
                None => LoginSecret::NoLogin,
            }),
            smtp::Ask::Octets(range) => match self.read(*range) {
                Some(octets) => smtp::Answer::Octets(octets),
                None => smtp::Answer::Refused(Refusal::new(Reason::StorageFailed)),
            },
        })
    }

    fn octets(&mut self, range: BlobRange) -> Option<Vec<u8>> {
        self.read(range)
    }

    fn event(&mut self, event: smtp::Event, cx: &mut Cx<'_>) {
        cx.effects.push(Effect::News(match event {
            smtp::Event::Ready(offer) => News::Offered { reports: offer.extensions.dsn },
            smtp::Event::Finished(finished) => News::Finished(finished),
            smtp::Event::Done(failure) => News::SmtpDone(failure),
            smtp::Event::Defect(_) => return,
        }));
    }

    fn call(&mut self) -> Option<smtp::Call> {
        self.calls.pop_front()
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Deliver(delivery) => self.calls.push_back(smtp::Call::Deliver(delivery)),
            Order::Quit => self.calls.push_back(smtp::Call::Quit),
            Order::Imap(_) => {}
        }
    }
}
