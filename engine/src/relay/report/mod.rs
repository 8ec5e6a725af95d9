//! Reports to the sender as messages (RFC 3461 §6, RFC 3464, RFC 6522, RFC 6533): for people, for programs, and what of
//! the message goes back. Whether one is due is decided in `settle`; who delivers it is the host's business.

mod fields;
mod human;
mod returned;
mod text;
mod words;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::types::{Notice, Report, ReportKind, Reported};
use crate::limits::{DOMAIN_MAX, REPORT_HEADER_MAX, REPORT_MESSAGE_MAX};
use crate::smtp::grammar::print_mailbox;
use crate::smtp::{Body, MailFrom, Mailbox, Notify, RcptTo, Ret};
use crate::text::{date, domain, header};
use crate::trace::Rule;

use returned::Returned;
use text::Field;

// RFC 3461 §6.1
pub(super) const ENVELOPE: Rule = Rule {
    rfc: 3461,
    section: "6.1",
    gist: "A report goes from the null path to the reverse path, and asks for no report itself.",
};

// RFC 3461 §6.2
pub(super) const CONTENTS: Rule = Rule {
    rfc: 3461,
    section: "6.2",
    gist: "The whole message goes back only with a failure and unless RET=HDRS; else its header section.",
};

// RFC 3464 §2.1
pub(super) const FIELDS: Rule = Rule {
    rfc: 3464,
    section: "2.1",
    gist: "Fields about the message stand first, then a group of fields for each recipient.",
};

/// Octets of a Message-ID that is cited; longer ones are no honest names.
const CITED_MAX: usize = 250;

/// How many octets of a message, from its first on, its report can use; the host need not read more.
#[must_use]
pub fn octets_wanted(kind: ReportKind, mail: &MailFrom, message_size: u64) -> u64 {
    let whole = may_return_all(kind, mail, None) && message_size <= REPORT_MESSAGE_MAX;
    // One more shows that it was cut.
    if whole { message_size } else { message_size.min(REPORT_HEADER_MAX as u64 + 1) }
}

/// RFC 3461 §6.2; without RET it is for us to say, and who gets a message back need not look for it.
///
/// RFC 8689 §5: what needed TLS on its way comes back as its header section alone.
fn may_return_all(kind: ReportKind, mail: &MailFrom, ret_max: Option<Ret>) -> bool {
    let headers = Some(Ret::Headers);
    kind == ReportKind::Failed && mail.ret != headers && ret_max != headers && !mail.require_tls
}

/// A report as a message, ready to be delivered to the reverse path with a null one of its own.
///
/// None if no report may be made: the reverse path is null, or NOTIFY forbids it for all recipients. Whatever a peer
/// wrote into the message, the envelope or a reply, it makes no field and no part of the report.
#[must_use]
pub fn make_report(report: &Report) -> Option<Notice> {
    // RFC 5321 §4.5.5: a report on a report would go in circles.
    let reverse_path = report.mail.reverse_path.as_ref()?;
    let told: Vec<&Reported> =
        report.due.recipients.iter().filter(|of| may_tell(report, of)).collect();
    if told.is_empty() {
        return None;
    }
    let cx = Context::new(report, reverse_path);
    let human = human::part(&cx, &told);
    let (status, global_status) = fields::part(&cx, &told);
    let returned = Returned::new(&cx);
    let eight_bit = global_status || returned.is_eight_bit() || !cx.to.is_ascii();

    let boundary = boundary(&report.unique, &[&human, &status, returned.content()]);
    let mut out = Vec::with_capacity(human.len() + status.len() + returned.content().len() + 2048);
    cx.header(&mut out, &boundary, eight_bit);
    out.extend_from_slice(b"This is a report in MIME form.\r\n");
    let delimit = |out: &mut Vec<u8>, end: &str| {
        out.extend_from_slice(format!("\r\n--{boundary}{end}\r\n").as_bytes());
    };
    delimit(&mut out, "");
    out.extend_from_slice(&human);
    delimit(&mut out, "");
    out.extend_from_slice(&status);
    if !returned.content().is_empty() {
        delimit(&mut out, "");
        returned.write(&mut out);
    }
    delimit(&mut out, "--");

    let mail = MailFrom {
        size: Some(out.len() as u64),
        body: if eight_bit { Body::EightBitMime } else { Body::SevenBit },
        // Only our own header section decides (RFC 6531 §3.1): what is returned stands inside of a part.
        smtputf8: !cx.to.is_ascii(),
        // RFC 8689 §5
        require_tls: report.mail.require_tls,
        ..MailFrom::default()
    };
    let never = Notify { success: false, failure: false, delay: false };
    let recipient =
        RcptTo { forward_path: reverse_path.clone(), notify: Some(never), ..RcptTo::default() };
    Some(Notice { mail, recipient, octets: out })
}

fn may_tell(report: &Report, reported: &Reported) -> bool {
    // RFC 2852 by-trace asks for what NOTIFY does not forbid.
    let traced = report.mail.deliver_by.is_some_and(|by| by.trace);
    match (report.due.kind, reported.recipient.notify) {
        (ReportKind::Failed, notify) => notify.is_none_or(|notify| notify.failure),
        (ReportKind::Delayed, notify) => notify.is_none_or(|notify| notify.delay),
        (ReportKind::Delivered | ReportKind::Relayed, notify) => {
            notify.map_or(traced, |notify| notify.success || traced && notify != Notify::default())
        }
    }
}

/// What all parts of a report need.
struct Context<'a> {
    report: &'a Report,
    /// This host's name, fit for fields.
    host: String,
    /// The reverse path, fit for a field.
    to: String,
    /// The message's header section, as much as goes back.
    section: &'a [u8],
    /// Whether the parts may hold UTF-8 as it is: the sender can read it, and there is some (RFC 6533 §4.4).
    utf8: bool,
}

impl<'a> Context<'a> {
    fn new(report: &'a Report, reverse_path: &Mailbox) -> Self {
        let section = returned::section(&report.message);
        let to = text::address(&print_mailbox(reverse_path));
        let recipients = &report.due.recipients;
        let beyond = |of: &Reported| {
            let path = &of.recipient.forward_path;
            !path.local_part.is_ascii() || !path.domain.is_ascii()
        };
        let some = !section.is_ascii() || recipients.iter().any(beyond);
        let utf8 = !to.is_ascii() || report.mail.smtputf8 && some;
        Self { report, host: host_name(&report.host_name), to, section, utf8 }
    }

    fn kind(&self) -> ReportKind {
        self.report.due.kind
    }

    /// The report's own header section.
    fn header(&self, out: &mut Vec<u8>, boundary: &str, eight_bit: bool) {
        let host = &self.host;
        let subject = match self.kind() {
            ReportKind::Failed => "Your mail could not be delivered",
            ReportKind::Delayed => "Your mail is delayed",
            ReportKind::Delivered => "Your mail was delivered",
            ReportKind::Relayed => "Your mail was handed on",
        };
        let mut field = |name: &str, value: &str| Field::new(name).words(value).end(out);
        field("From", &format!("Mail Delivery System <MAILER-DAEMON@{host}>"));
        field("To", &self.to);
        field("Subject", subject);
        field("Date", &date::date_time(self.report.now_unix_ms));
        field("Message-ID", &format!("<{}@{host}>", unique(&self.report.unique)));
        if let Some(cited) = self.message_id() {
            field("In-Reply-To", &cited);
            field("References", &cited);
        }
        // RFC 3834 §5: so that no program answers.
        field("Auto-Submitted", "auto-replied");
        field("MIME-Version", "1.0");
        let kind = "multipart/report; report-type=delivery-status;";
        field("Content-Type", &format!("{kind} boundary=\"{boundary}\""));
        if eight_bit {
            field("Content-Transfer-Encoding", "8bit");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The message's own name, if it is one.
    fn message_id(&self) -> Option<String> {
        let body = self.original(b"Message-ID")?;
        let inside = body.strip_prefix(b"<")?.strip_suffix(b">")?;
        let right = |octet: &u8| octet.is_ascii_graphic() && !b"<>()\"\\,;:".contains(octet);
        let right = inside.len() <= CITED_MAX && inside.contains(&b'@') && inside.iter().all(right);
        right.then(|| String::from_utf8(body).ok()).flatten()
    }

    /// The first field of the message with this name, unfolded.
    fn original(&self, name: &[u8]) -> Option<Vec<u8>> {
        header::fields(self.section).find(|field| field.is(name)).map(|field| field.unfolded())
    }
}

/// A name for fields; what is none is not repeated.
fn host_name(name: &[u8]) -> String {
    let literal = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    let inner = |octet: &u8| octet.is_ascii_hexdigit() || b".:IPv6".contains(octet);
    let right = match literal {
        Some(address) => address.len() <= DOMAIN_MAX && address.iter().all(inner),
        None => domain::is_name(&domain::to_ascii(name)),
    };
    let name = if literal.is_some() { name.to_vec() } else { domain::to_ascii(name) };
    let name = right.then(|| String::from_utf8(name).ok()).flatten();
    name.unwrap_or_else(|| String::from("localhost"))
}

/// The host's unique word, as far as it is one.
fn unique(word: &[u8]) -> String {
    word.iter().copied().filter(u8::is_ascii_alphanumeric).take(64).map(char::from).collect()
}

/// A boundary that no part holds: a digest of all of them, since who wrote one of them knew too little to foresee it.
fn boundary(unique: &[u8], parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new_with_prefix(unique);
    parts.iter().for_each(|part| digest.update(part));
    loop {
        let hash = digest.clone().finalize();
        // No quoted-printable or base64 holds the first two.
        let mut boundary = String::from("=_");
        hash.iter().take(16).for_each(|octet| boundary.push_str(&format!("{octet:02x}")));
        let found = |part: &&[u8]| memchr::memmem::find(part, boundary.as_bytes()).is_some();
        if !parts.iter().any(found) {
            return boundary;
        }
        digest.update(hash);
    }
}
