//! The fields that this hop puts before a message (RFC 5321 §4.4).

use alloc::vec::Vec;

use super::submission::Completion;
use super::{Common, Transaction};
use crate::role::Cx;
use crate::smtp::grammar::print_mailbox;
use crate::smtp::{Server, Service};
use crate::text::date;
use crate::trace::Rule;

/// RFC 5321 §4.4.
pub(super) const RECEIVED: Rule = Rule {
    rfc: 5321,
    section: "4.4",
    gist: "Each server puts a Received field before the message: from whom, by whom, how, and when.",
};

/// Return-Path, where this server makes final deliveries.
pub(super) fn return_path(common: &Common, tx: &Transaction) -> Vec<u8> {
    if !common.config.return_path {
        return Vec::new();
    }
    let path = tx.from.reverse_path.as_ref().map(print_mailbox).unwrap_or_default();
    [b"Return-Path: <", &path[..], b">\r\n"].concat()
}

/// Received.
pub(super) fn received(common: &Common, tx: &Transaction, cx: &Cx<Server>) -> Vec<u8> {
    let config = &common.config;
    let mut out = Vec::with_capacity(256);
    let peer = &config.peer;
    let tag: &[u8] = if peer.address.contains(&b':') { b"IPv6:" } else { b"" };
    let helo = common.helo.as_deref().unwrap_or(b"unknown");
    put(&mut out, &[b"Received: from ", helo, b" ("]);
    if let Some(name) = &peer.name {
        put(&mut out, &[name, b" "]);
    }
    put(&mut out, &[b"[", tag, &peer.address, b"])\r\n\tby ", &config.host_name]);
    put(&mut out, &[b" with ", &protocol(common, tx), b" id ", &tx.id]);
    // RFC 5321 §7.2: with several recipients, naming one would tell it to the others.
    if let [only] = &tx.recipients[..] {
        put(&mut out, &[b"\r\n\tfor <", &print_mailbox(only), b">"]);
    }
    if let Some(priority) = tx.from.priority {
        // RFC 6710 §7, a clause of RFC 5321 §4.4.
        put(&mut out, &[b"\r\n\tPRIORITY ", alloc::format!("{priority}").as_bytes()]);
    }
    put(&mut out, &[b";\r\n\t", date::date_time(cx.now.unix_ms).as_bytes(), b"\r\n"]);
    out
}

/// From, Date and Message-ID for a submitted message that has none: it is from whom MAIL names, if it names anybody. The transaction's name is unique on this server, and with
/// the time it stays so when the server begins to count anew.
pub(super) fn completion(common: &Common, tx: &Transaction, cx: &Cx<Server>) -> Completion {
    let now_ms = cx.now.unix_ms;
    let date = [b"Date: ", date::date_time(now_ms).as_bytes(), b"\r\n"].concat();
    let path = tx.from.reverse_path.as_ref().map(print_mailbox);
    let from = path.map_or_else(Vec::new, |path| [b"From: ", &path[..], b"\r\n"].concat());
    let time = alloc::format!(".{now_ms}@");
    let host = &common.config.host_name[..];
    let id = [b"Message-ID: <", &tx.id[..], time.as_bytes(), host, b">\r\n"].concat();
    Completion::new(from, date, id)
}

/// RFC 3848 and RFC 6531 §4.3: the registered name of how the message came.
fn protocol(common: &Common, tx: &Transaction) -> Vec<u8> {
    let mut name = Vec::new();
    let client = common.client.as_ref();
    let esmtp = client.and_then(|client| client.esmtp).unwrap_or(common.esmtp);
    let base: &[u8] = match (common.config.service, tx.from.smtputf8, esmtp) {
        (Service::Lmtp, true, _) => b"UTF8LMTP",
        (Service::Lmtp, false, _) => b"LMTP",
        (_, true, _) => b"UTF8SMTP",
        (_, false, true) => b"ESMTP",
        (_, false, false) => b"SMTP",
    };
    name.extend_from_slice(base);
    if common.is_secured() {
        name.push(b'S');
    }
    if common.account.is_some() {
        name.push(b'A');
    }
    name
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
