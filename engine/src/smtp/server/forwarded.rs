//! XCLIENT (Postfix's own command, described in its XCLIENT_README): a trusted peer, such as a proxy or a filter, says
//! for whom it speaks. The session begins anew for that client, and the host is told.

use alloc::vec::Vec;

use super::commands::ORDER;
use super::reply::Reply;
use super::{Server, State};
use crate::role::Cx;
use crate::smtp::grammar::Attributes;
use crate::smtp::types::{Event, Forwarded};
use crate::trace::Rule;

/// XCLIENT is no RFC's; that a session can begin anew is RFC 5321 §3.1.
pub(super) const RESTART: Rule = Rule {
    rfc: 5321,
    section: "3.1",
    gist: "A session begins with 220; after XCLIENT it begins anew, for the client that the peer speaks for.",
};

/// What the peer told of the client that it speaks for, beyond its address.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// How it greeted the peer; the trace field says this, not how the peer greets us.
    pub(super) helo: Option<Vec<u8>>,
    /// Whether it did so with EHLO.
    pub(super) esmtp: Option<bool>,
    /// Whom it logged in as; what was said stays said until it is said anew.
    login: Option<Vec<u8>>,
}

impl Server {
    pub(super) fn xclient(mut self, cx: &mut Cx<Self>, told: Attributes, state: State) -> Self {
        if state.has_transaction() || matches!(state, State::Chunking(_)) {
            let reply = Reply::new(503, "5.5.1", "XCLIENT stands outside a transaction");
            return self.mistake(cx, &reply, &ORDER, state);
        }
        if self.is_tired() {
            self.state = state;
            return self.end_tired(cx);
        }
        let common = &mut *self.common;
        let Attributes { name, address, port, esmtp, helo, login, destination, destination_port } =
            told;
        let peer = &mut common.config.peer;
        if let Some(Some(address)) = address {
            // A name goes with its address.
            peer.name = None;
            peer.address = address;
        }
        if let Some(name) = name {
            peer.name = name;
        }
        let client = common.client.get_or_insert_default();
        if let Some(login) = login {
            client.login = login;
        }
        // Nor is a login of the peer itself the client's.
        common.account.clone_from(&client.login);
        if let Some(helo) = &helo {
            client.helo.clone_from(helo);
        }
        if let Some(esmtp) = esmtp {
            client.esmtp = esmtp;
        }
        let forwarded = Forwarded {
            peer: peer.clone(),
            port: port.flatten(),
            helo: helo.flatten(),
            login: client.login.clone(),
            destination: destination.flatten(),
            destination_port: destination_port.flatten(),
        };
        // Nothing that the peer did so far is the client's doing.
        common.helo = None;
        common.esmtp = false;
        (common.errors, common.strain) = (0, 0);
        common.alone = true;
        cx.event(Event::Forwarded(forwarded));
        self.say_greeting(cx);
        self.go(cx, State::Connected)
    }
}
