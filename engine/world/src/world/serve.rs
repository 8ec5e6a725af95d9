//! Who sits at the server's end of a new wire: a session of the engine's, configured as the node is set up.

use std::sync::Arc;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::smtp::Extensions;
use pillarbox_engine::types::{Peer, Persona, TlsOffer};
use pillarbox_engine::{imap, pop3, smtp};

use super::World;
use super::ids::{End, Protocol, WireId};
use super::seat::{Drive, Seat, ServerHost, WebSeat};
use crate::fault::Watch;
use crate::service::web::WebMail;
use crate::service::{ImapService, Pop3Service, SmtpService};

/// What the configurations of all servers have in common.
struct Facts {
    host_name: Vec<u8>,
    peer: Peer,
    session_id: Vec<u8>,
    tls: TlsOffer,
    auth: AuthOffer,
    apop_timestamp: Option<Vec<u8>>,
    persona: Persona,
}

impl World {
    /// Who sits at the server's end of a new wire.
    pub(super) fn server_seat(&self, id: WireId) -> Box<dyn Drive> {
        let wire = self.wire(id);
        let node = self.node(wire.node(End::Server));
        let backend = node.backend.clone().expect("only servers listen");
        let key = u64::from(id.0) + 1;
        let facts = self.facts(id);
        let (now, told) = (self.clock_of(node.id), self.peer(id));
        match wire.protocol {
            Protocol::Smtp | Protocol::Submission => {
                let submission = wire.protocol == Protocol::Submission;
                let extensions = node.setup.extensions;
                let limits = Limits { received_max: node.setup.received_max, ..Limits::SMTP };
                let config = facts.smtp(submission, extensions, limits);
                let host = ServerHost::new(SmtpService::new(backend, key), Watch::new(told));
                Box::new(Seat::<smtp::Server, _>::new(self.engine.begin(config, now), host))
            }
            Protocol::Pop3 => {
                let config = facts.pop3();
                let host = ServerHost::new(Pop3Service::new(backend, key), Watch::new(told));
                Box::new(Seat::<pop3::Server, _>::new(self.engine.begin(config, now), host))
            }
            Protocol::Imap => {
                let host = ServerHost::new(ImapService::new(backend, key), Watch::new(told));
                Box::new(Seat::<imap::Server, _>::new(self.engine.begin(facts.imap(), now), host))
            }
            Protocol::Http => {
                let peer = self.node(wire.node(End::Client)).address.clone().into_bytes();
                let visits = Arc::clone(&backend.visits);
                let mail = WebMail::new(Arc::clone(&backend), key, visits, peer);
                let mail = node.setup.web_mail.then_some((mail, backend));
                Box::new(WebSeat::new(node.setup.pages.clone(), mail, told))
            }
        }
    }

    fn facts(&self, id: WireId) -> Facts {
        let wire = self.wire(id);
        let node = self.node(wire.node(End::Server));
        let implicit = Protocol::of_port(wire.port).is_some_and(|(_, implicit)| implicit);
        let tls = match (implicit, node.setup.tls) {
            (true, _) => TlsOffer::Implicit,
            (false, true) => TlsOffer::Upgrade,
            (false, false) => TlsOffer::None,
        };
        let client = self.node(wire.node(End::Client));
        let unix_ms = self.unix_ms_of(node.id);
        let stamp = || format!("<{}.{unix_ms}@{}>", id.0 + 1, node.setup.name).into_bytes();
        Facts {
            apop_timestamp: node.setup.apop.then(stamp),
            host_name: node.setup.name.clone().into_bytes(),
            persona: node.setup.persona,
            peer: Peer { address: client.address.clone().into_bytes(), name: None },
            session_id: (u64::from(id.0) + 1).to_string().into_bytes(),
            tls,
            auth: AuthOffer {
                mechanisms: vec![Mechanism::Plain, Mechanism::Login],
                password_commands: true,
                cleartext: node.setup.cleartext,
            },
        }
    }
}

impl Facts {
    fn smtp(self, submission: bool, extensions: Extensions, limits: Limits) -> smtp::Config {
        smtp::Config {
            host_name: self.host_name,
            service: if submission { smtp::Service::Submission } else { smtp::Service::Smtp },
            peer: self.peer,
            session_id: self.session_id,
            tls: self.tls,
            auth: if submission { self.auth } else { AuthOffer::default() },
            auth_required: submission,
            extensions,
            persona: self.persona,
            lenient: false,
            verify: false,
            return_path: true,
            faults: true,
            index: smtp::Indexer::default(),
            limits,
            trace: true,
        }
    }

    fn pop3(self) -> pop3::Config {
        pop3::Config {
            host_name: self.host_name,
            peer: self.peer,
            session_id: self.session_id,
            tls: self.tls,
            auth: self.auth,
            apop_timestamp: self.apop_timestamp,
            without: Vec::new(),
            login_delay_s: 0,
            persona: self.persona,
            faults: true,
            limits: Limits::POP3,
            trace: true,
        }
    }

    fn imap(self) -> imap::types::Config {
        imap::types::Config {
            host_name: self.host_name,
            peer: self.peer,
            session_id: self.session_id,
            tls: self.tls,
            auth: self.auth,
            preauth: None,
            // A reader could not follow compressed octets.
            without: vec![b"COMPRESS=DEFLATE".to_vec()],
            faults: true,
            limits: Limits::IMAP,
            trace: true,
        }
    }
}
