//! The SMTP roles.

use pillarbox_engine::smtp as engine;
use pillarbox_engine::smtp::client::types as client;

use super::super::wit::{smtp_server as wit, smtp_types as shared};
use super::{records, variants};

records! {
    shared, engine;
    Extensions {
        pipelining, size, eight_bit_mime, smtputf8, enhanced_status_codes, chunking, binary_mime,
        dsn, require_tls, deliver_by, future_release, mt_priority, limits, etrn, xclient,
    }
    MailFrom {
        reverse_path, size, body, smtputf8, ret, envid, auth, require_tls, deliver_by,
        hold_until_ms, priority,
    }
    DeliverBy { seconds, mode, trace }
    RcptTo { forward_path, notify, orcpt }
    Mailbox { local_part, domain }
    Notify { success, failure, delay }
}

variants! {
    shared, engine;
    Service { Smtp, Submission, Lmtp }
    Body { SevenBit, EightBitMime, BinaryMime }
    Ret { Full, Headers }
    ByMode { Return, Notify }
}

records! {
    shared, client;
    Reply { code, status, lines }
    EnhancedStatus { class, subject, detail }
    Failure { stage, reply, diagnosis }
}

variants! {
    shared, client;
    TlsPolicy { Implicit, None, Opportunistic, Required }
    Stage { Session, Mail, Recipient, Data, EndOfData }
    Fate { Accepted(value), Failed(value), Deferred(value), Uncertain(value) }
}

/// On this side of the border a function, on the other whether there is one.
impl super::Convert<engine::Indexer> for bool {
    fn convert(self) -> engine::Indexer {
        let index = |octets: &[u8], known| {
            pillarbox_mime::index_surveyed(octets, known).map(|index| index.encode())
        };
        if self { engine::Indexer::new(index) } else { engine::Indexer::default() }
    }
}

impl super::Convert<bool> for engine::Indexer {
    fn convert(self) -> bool {
        self.is_there()
    }
}

records! {
    wit, engine;
    Config {
        host_name, service, peer, session_id, tls, auth, auth_required, extensions, persona,
        lenient, verify, return_path, faults, index, limits, trace,
    }
    Envelope {
        size, last, index, eight_bit, binary, return_path_octets, tls_optional, authors,
        utf8_undeclared,
    }
    Committed { id, fates }
    Forwarded { peer, port, helo, login, destination, destination_port }
}

variants! {
    wit, engine;
    Ask {
        Login(value), Sender(value), Recipient(value), Chunk(value), Commit(value), Verify(value),
        Expand(value), Flush(value), Phase(value),
    }
    Flush { Node(value), Subdomains(value), Queue(value) }
    Phase {
        Connected, Hello(value), Auth(value), Mail(value), Rcpt(value), Data, EndOfData, Committed,
        Quit, Other(value),
    }
    Answer {
        Login(value), Done, Refused(value), Committed(value), Mailboxes(value), Flushing(value),
        Instead(value), Hiding(value),
    }
    Call { Farewell(value) }
    Event { Greeted(value), Reset, Defect(value), Quit, Forwarded(value) }
}
