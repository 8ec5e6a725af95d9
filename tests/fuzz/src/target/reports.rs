//! Reports about mail (RFC 3464): whatever stands in what they are made of, they are messages whose parts are these.

use pillarbox_engine::relay::{Due, Report, ReportKind, Reported, Tried, make_report};
use pillarbox_engine::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply, Stage};
use pillarbox_engine::smtp::grammar::parse_mailbox;
use pillarbox_engine::smtp::{MailFrom, Mailbox, Notify, RcptTo, Ret};

use super::USUAL;
use crate::{Seen, Target};

pub(super) const REPORT: Target = Target {
    name: "report",
    run: report,
    seeds: || {
        let plain: &[u8] = b"0\nalice@crepes.fr\nbob@hamburger.edu\nmx.hamburger.edu\nNo such user\nQQ314159\nrfc822;Bob@x\n\
            From: a@b\r\nSubject: x\r\n\r\nhi\r\n";
        (0..8).map(|kind| [&[b'0' + kind], &plain[1..]].concat()).collect()
    },
    words: &[
        "\n", "\r\n", "\r", "\r\n\r\n", "--", ": ", ";", "utf-8;", "rfc822;", "é", "\0",
        "\u{2028}", "@", "+0D+0A", "\"", "<", ">",
    ],
    lines: true,
    rounds: 3000,
    ..USUAL
};

/// The lines of an input are a kind, two addresses, a server, its words, identifiers, and then the message.
fn report(input: &[u8], seen: &mut Seen) {
    let mut lines = input.splitn(8, |octet| *octet == b'\n');
    let mut line = || lines.next().unwrap_or_default().to_vec();
    let kind = line().first().copied().unwrap_or_default();
    let (sender, recipient) = (mailbox(&line()), mailbox(&line()).unwrap_or_default());
    let (server, words, envid, orcpt) = (line(), line(), line(), line());
    let message = line();
    let kinds =
        [ReportKind::Failed, ReportKind::Delayed, ReportKind::Delivered, ReportKind::Relayed];
    let (code, class) = [(550, 5), (451, 4), (250, 2), (250, 2)][usize::from(kind) % 4];
    let status = Some(EnhancedStatus { class, subject: 1, detail: u16::from(kind) });
    let reply = Reply {
        code,
        status,
        lines: words.split(|octet| *octet == b'\r').map(<[u8]>::to_vec).collect(),
    };
    let failure = |reply| Failure {
        stage: Stage::Recipient,
        reply: Some(reply),
        diagnosis: "5.0.0 ours".to_owned(),
    };
    let kind_of = kinds[usize::from(kind) % 4];
    let fate = match kind_of {
        ReportKind::Failed => Fate::Failed(failure(reply)),
        ReportKind::Delayed => Fate::Deferred(failure(reply)),
        ReportKind::Delivered | ReportKind::Relayed => Fate::Accepted(reply),
    };
    let success = matches!(kind_of, ReportKind::Delivered | ReportKind::Relayed);
    let notify = success.then_some(Notify { success, failure: false, delay: false });
    let given = |octets: Vec<u8>| Some(octets).filter(|octets| !octets.is_empty());
    let report = Report {
        due: Due {
            kind: kind_of,
            recipients: vec![Reported {
                recipient: RcptTo { forward_path: recipient, notify, orcpt: given(orcpt) },
                tried: Tried { fate, server: given(server), at_unix_ms: 1_767_603_660_000 },
                expired: None,
            }],
            until_unix_ms: Some(1_768_000_000_000),
        },
        host_name: b"mx.crepes.fr".to_vec(),
        now_unix_ms: 1_767_603_661_000,
        came_unix_ms: 1_767_603_600_000,
        mail: MailFrom {
            reverse_path: sender,
            envid: given(envid),
            smtputf8: kind & 4 != 0,
            ret: (kind & 8 != 0).then_some(Ret::Headers),
            ..MailFrom::default()
        },
        ret_max: None,
        message_size: message.len() as u64,
        message,
        log_id: Some(b"q17".to_vec()),
        unique: b"u1".to_vec(),
    };
    let Some(notice) = make_report(&report) else { return seen.note("none") };
    let octets = &notice.octets;
    assert!(octets.len() <= 4 * input.len() + (16 << 10), "{} octets", octets.len());
    let index = pillarbox_mime::index(octets, octets.len() as u64);
    let own: Vec<_> = index.children(0).collect();
    let types: Vec<_> =
        own.iter().map(|at| index.parts[*at].media_type.escape_ascii().to_string()).collect();
    // Of what has no octets, or no header section where that alone is due, nothing is returned.
    let right = matches!(types.len(), 2 | 3) && types[..2] == ["text", "message"];
    assert!(right, "{types:?}\n{}", octets.escape_ascii());
    seen.note((types, notice.mail.smtputf8, octets.is_ascii(), octets.len().min(4000) / 100));
    if !notice.mail.smtputf8 {
        let end = index.parts[0].header.end as usize;
        assert!(octets[..end].is_ascii(), "its header section is ASCII");
    }
}

fn mailbox(text: &[u8]) -> Option<Mailbox> {
    parse_mailbox(text, true).ok()
}
