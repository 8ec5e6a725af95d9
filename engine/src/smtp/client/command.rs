//! Commands as lines: MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3), with the parameters that the server offered.
//! Every value comes from a checked type or is encoded, so no line can hold a second command.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Client;
use super::offer::Offered;
use super::types::Delivery;
use crate::limits::Limits;
use crate::role::Cx;
use crate::smtp::grammar::{
    ENVID_MAX, IDENTITY_MAX, Parts, encode_xtext, is_orcpt, parse, parse_mailbox, print_mailbox,
    print_orcpt,
};
use crate::smtp::types::{
    Body, ByMode, DeliverBy, Extensions, MailFrom, Mailbox, Notify, RcptTo, Ret,
};
use crate::text::date::timestamp;
use crate::trace::{Part, Rule};
use crate::types::Misuse;

/// RFC 2852: nine digits.
pub(crate) const BY_SECONDS_MAX: u32 = 999_999_999;
/// The year 10000, which RFC 3339 cannot write.
const HOLD_UNTIL_MAX: u64 = 253_402_300_800_000;

/// What MAIL says of this message on this connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    /// The encoding of the body as it is sent.
    pub(super) body: Body,
    /// Whether an address or a header field is in UTF-8.
    pub(super) smtputf8: bool,
    /// Octets, as far as known before.
    pub(super) size: u64,
    /// RFC 8689.
    pub(super) require_tls: bool,
    /// RFC 4865: only to a submission server.
    pub(super) held: bool,
}

/// Sends a command, its CRLF included, with its parts labelled.
pub(super) fn send(cx: &mut Cx<Client>, line: &[u8], why: Option<&'static Rule>) {
    cx.send_parts(line, why, parts);
}

/// What a command is made of, as the server's own parser would read it.
fn parts(line: &[u8]) -> Vec<Part> {
    let text = line.strip_suffix(b"\r\n").unwrap_or(line);
    let mut all = Vec::new();
    let mut put = |start: usize, end: usize, label| {
        if start < end {
            all.push(Part { start, end, label });
        }
    };
    match text {
        b"." => {
            put(0, line.len(), "end of data");
            return all;
        }
        b"*" => put(0, text.len(), "cancellation"),
        _ => {
            let mut parts = Parts::new(true);
            // Whether the server will take it is the server's to say; here only its form counts.
            let _ = parse(text, Extensions::all(), true, &mut parts);
            let mut at = 0;
            for Part { start, end, label } in parts.iter() {
                put(at, start, "SP");
                put(start, end, label);
                at = end;
            }
            put(at, text.len(), "argument");
        }
    }
    put(text.len(), line.len(), "CRLF");
    all
}

/// `MAIL FROM:<…>` with its parameters, CRLF included.
pub(super) fn mail(mail: &MailFrom, declared: Declared, offered: &Offered) -> Vec<u8> {
    let extensions = offered.told.extensions;
    let path = mail.reverse_path.as_ref().map(print_mailbox).unwrap_or_default();
    let mut line = [b"MAIL FROM:<", &path[..], b">"].concat();
    if extensions.size {
        param(&mut line, "SIZE", declared.size.to_string().as_bytes());
    }
    match declared.body {
        Body::EightBitMime if extensions.eight_bit_mime => param(&mut line, "BODY", b"8BITMIME"),
        Body::BinaryMime if extensions.binary_mime => param(&mut line, "BODY", b"BINARYMIME"),
        _ => {}
    }
    if declared.smtputf8 {
        line.extend_from_slice(b" SMTPUTF8");
    }
    if extensions.dsn {
        match mail.ret {
            Some(Ret::Full) => param(&mut line, "RET", b"FULL"),
            Some(Ret::Headers) => param(&mut line, "RET", b"HDRS"),
            None => {}
        }
        if let Some(envid) = &mail.envid {
            param(&mut line, "ENVID", &encode_xtext(envid));
        }
    }
    if let (Some(auth), Some(_)) = (&mail.auth, &offered.mechanisms) {
        let auth = if auth.is_empty() { b"<>".to_vec() } else { encode_xtext(auth) };
        param(&mut line, "AUTH", &auth);
    }
    if declared.require_tls {
        line.extend_from_slice(b" REQUIRETLS");
    }
    if let Some(by) = mail.deliver_by.filter(|_| extensions.deliver_by) {
        param(&mut line, "BY", &print_by(by));
    }
    if let Some(until_ms) = mail.hold_until_ms.filter(|_| declared.held) {
        param(&mut line, "HOLDUNTIL", timestamp(until_ms).as_bytes());
    }
    if let Some(priority) = mail.priority.filter(|_| extensions.mt_priority) {
        // RFC 6710 §4.2; a server that does not offer it gets the mail without (§4.3).
        param(&mut line, "MT-PRIORITY", priority.to_string().as_bytes());
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// `RCPT TO:<…>` with its parameters, CRLF included.
pub(super) fn rcpt(rcpt: &RcptTo, offered: &Offered) -> Vec<u8> {
    let mut line = [b"RCPT TO:<", &print_mailbox(&rcpt.forward_path)[..], b">"].concat();
    let extensions = offered.told.extensions;
    if extensions.dsn {
        if let Some(notify) = rcpt.notify {
            param(&mut line, "NOTIFY", &print_notify(notify));
        }
        if let Some(orcpt) = &rcpt.orcpt {
            param(&mut line, "ORCPT", &print_orcpt(orcpt, extensions.smtputf8));
        }
    }
    line.extend_from_slice(b"\r\n");
    line
}

fn param(line: &mut Vec<u8>, keyword: &str, value: &[u8]) {
    line.extend_from_slice(format!(" {keyword}=").as_bytes());
    line.extend_from_slice(value);
}

fn print_notify(notify: Notify) -> Vec<u8> {
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let words: Vec<&str> = words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
    if words.is_empty() { b"NEVER".to_vec() } else { words.join(",").into_bytes() }
}

/// RFC 2852: `by-time ";" by-mode [by-trace]`.
fn print_by(by: DeliverBy) -> Vec<u8> {
    let mode = match by.mode {
        ByMode::Return => "R",
        ByMode::Notify => "N",
    };
    format!("{};{mode}{}", by.seconds, if by.trace { "T" } else { "" }).into_bytes()
}

/// Checks a delivery before it is taken: every address is one, and every list has its bounds.
///
/// # Errors
/// [`Misuse::BadValue`].
pub(super) fn check(delivery: &Delivery, limits: &Limits) -> Result<(), Misuse> {
    let mail = &delivery.mail;
    let count = delivery.recipients.len();
    let right = (1..=limits.recipients_max as usize).contains(&count)
        && mail.reverse_path.as_ref().is_none_or(is_mailbox)
        && mail.envid.as_ref().is_none_or(|envid| envid.len() <= ENVID_MAX)
        && mail.auth.as_ref().is_none_or(|auth| auth.len() <= IDENTITY_MAX)
        && mail.priority.is_none_or(|priority| (-9..=9).contains(&priority))
        && mail.deliver_by.is_none_or(|by| by.seconds.unsigned_abs() <= BY_SECONDS_MAX)
        && mail.hold_until_ms.is_none_or(|until_ms| until_ms < HOLD_UNTIL_MAX)
        && delivery.offset.checked_add(delivery.size).is_some()
        && delivery.recipients.iter().all(|rcpt| {
            let path = &rcpt.forward_path;
            let postmaster =
                path.domain.is_empty() && path.local_part.eq_ignore_ascii_case(b"postmaster");
            (postmaster || is_mailbox(path)) && rcpt.orcpt.as_deref().is_none_or(is_orcpt)
        });
    if right { Ok(()) } else { Err(Misuse::BadValue) }
}

/// Whether what is printed reads as the same mailbox: then it holds nothing that could end a path or a line.
fn is_mailbox(mailbox: &Mailbox) -> bool {
    parse_mailbox(&print_mailbox(mailbox), true).is_ok_and(|read| read == *mailbox)
}

/// Whether an address needs SMTPUTF8 (RFC 6531 §3.3).
pub(super) fn is_utf8(mailbox: &Mailbox) -> bool {
    !mailbox.local_part.is_ascii() || !mailbox.domain.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn mailbox(local: &[u8], domain: &[u8]) -> Mailbox {
        Mailbox { local_part: local.to_vec(), domain: domain.to_vec() }
    }

    fn delivery(recipient: Mailbox) -> Delivery {
        Delivery {
            id: 1,
            mail: MailFrom::default(),
            recipients: vec![RcptTo { forward_path: recipient, ..RcptTo::default() }],
            message: 1,
            offset: 0,
            size: 1,
            plain: false,
            require_tls: false,
        }
    }

    #[test]
    fn no_address_can_bring_a_second_command() {
        let limits = Limits::SMTP;
        assert!(check(&delivery(mailbox(b"a b>c", b"x.example")), &limits).is_ok());
        assert!(check(&delivery(mailbox(b"Postmaster", b"")), &limits).is_ok());
        let wrong: [(&[u8], &[u8]); 7] = [
            (b"a\r\nRCPT TO:<b@c>", b"x.example"),
            (b"a", b"x> SIZE=1"),
            (b"a", b"x\r\nDATA"),
            (b"a\0", b"x"),
            (b"a", b""),
            (b"", b"x"),
            (b"\xff", b"x"),
        ];
        for (local, domain) in wrong {
            let delivery = delivery(mailbox(local, domain));
            assert_eq!(check(&delivery, &limits), Err(Misuse::BadValue));
        }
        let mut many = delivery(mailbox(b"a", b"b"));
        many.recipients = vec![many.recipients[0].clone(); 1001];
        assert_eq!(check(&many, &limits), Err(Misuse::BadValue));
        many.recipients.clear();
        assert_eq!(check(&many, &limits), Err(Misuse::BadValue));
    }

    #[test]
    fn parameters_go_out_only_where_they_are_offered() {
        let from = MailFrom {
            reverse_path: Some(mailbox(b"a b", b"x.example")),
            ret: Some(Ret::Headers),
            envid: Some(b"id=1".to_vec()),
            auth: Some(Vec::new()),
            ..MailFrom::default()
        };
        let to = RcptTo {
            forward_path: mailbox(b"bob", b"y.example"),
            notify: Some(Notify { success: true, failure: false, delay: true }),
            orcpt: Some(b"rfc822;bob+x@y.example".to_vec()),
        };
        let declared = Declared {
            body: Body::EightBitMime,
            smtputf8: true,
            size: 7,
            require_tls: true,
            held: true,
        };
        let mut offered = Offered::nothing(Vec::new());
        let line = mail(&from, declared, &offered);
        assert_eq!(line, b"MAIL FROM:<\"a b\"@x.example> SMTPUTF8 REQUIRETLS\r\n");
        assert_eq!(rcpt(&to, &offered), b"RCPT TO:<bob@y.example>\r\n");
        for line in ["SIZE", "8BITMIME", "DSN", "AUTH PLAIN"] {
            offered.line(line.as_bytes());
        }
        assert_eq!(
            mail(&from, declared, &offered).escape_ascii().to_string(),
            "MAIL FROM:<\\\"a b\\\"@x.example> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS \
             ENVID=id+3D1 AUTH=<> REQUIRETLS\\r\\n"
        );
        assert_eq!(
            rcpt(&to, &offered).escape_ascii().to_string(),
            "RCPT TO:<bob@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob+2Bx@y.example\\r\\n"
        );
        let never = RcptTo { notify: Some(Notify::default()), orcpt: None, ..to };
        assert!(rcpt(&never, &offered).ends_with(b" NOTIFY=NEVER\r\n"));
    }
}
