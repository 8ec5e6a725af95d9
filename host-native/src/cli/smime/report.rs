//! A verdict as lines for people, and as JSON for programs. Texts of others lose what a terminal would obey.

use std::ops::Range;

use pillarbox_engine::text::date::timestamp;
use pillarbox_smime::{Layer, Reason, Signer, Verdict};
use serde_json::{Value, json};

use crate::cli::mail::one_line;

pub(super) fn lines(verdict: &Verdict) -> Vec<String> {
    let mut out =
        vec![format!("state      {} ({})", verdict.state() as u8, verdict.state().words())];
    if verdict.is_partly_signed() {
        out.push("partly     signed: the message as a whole is not".to_owned());
    }
    verdict.reasons.iter().for_each(|why| push_reason(&mut out, why));
    for layer in &verdict.layers {
        push_layer(&mut out, layer);
    }
    for part in &verdict.parts {
        out.push(format!("part       octets {}", octets(&part.range)));
        part.layers.iter().for_each(|layer| push_layer(&mut out, layer));
    }
    out.iter().map(|line| one_line(line)).collect()
}

fn push_layer(out: &mut Vec<String>, layer: &Layer) {
    match layer {
        Layer::Signed { state, is_detached, covered, signers, reasons } => {
            out.push(format!("signed     {}", state.words()));
            let what = if *is_detached { "covers" } else { "holds" };
            out.push(format!("{what:<10} octets {}", octets(covered)));
            reasons.iter().for_each(|why| push_reason(out, why));
            signers.iter().for_each(|signer| push_signer(out, signer));
        }
        Layer::Encrypted { covered, cipher, recipients, opened_by, reasons } => {
            let cipher = cipher.map_or("a cipher that is not known here", |cipher| cipher.name());
            let opened = match opened_by {
                Some(name) => format!("decrypted with the key of {name}"),
                None => "not decrypted".to_owned(),
            };
            let people = if *recipients == 1 { "recipient" } else { "recipients" };
            out.push(format!("encrypted  {cipher}, {recipients} {people}; {opened}"));
            out.push(format!("covers     octets {}", octets(covered)));
            reasons.iter().for_each(|why| push_reason(out, why));
        }
    }
}

fn push_signer(out: &mut Vec<String>, signer: &Signer) {
    let mut line = format!("signer     {}", signer.subject.as_deref().unwrap_or("(unknown)"));
    if !signer.addresses.is_empty() {
        line.push_str(&format!(" <{}>", signer.addresses.join(", ")));
    }
    out.push(line);
    if let Some(at) = signer.signing_time {
        out.push(format!("time       {} (as the signer says)", time(at)));
    }
    if let Some(algorithm) = &signer.algorithm {
        out.push(format!("algorithm  {algorithm}"));
    }
    if signer.chain.len() > 1 {
        out.push(format!("trusted by {}", signer.chain[1..].join(" < ")));
    }
    if let Some(fingerprint) = &signer.fingerprint {
        out.push(format!("SHA-256    {fingerprint}"));
    }
    signer.reasons.iter().for_each(|why| push_reason(out, why));
}

fn push_reason(out: &mut Vec<String>, why: &Reason) {
    out.push(format!("because    {}", sentence(why)));
}

/// With the times that a certificate's validity is about.
fn sentence(why: &Reason) -> String {
    match why {
        Reason::NotValid { subject, not_before, not_after, at } => format!(
            "The certificate of {subject} is valid from {} until {}, and it was signed at {}.",
            time(*not_before),
            time(*not_after),
            time(*at)
        ),
        why => why.sentence(),
    }
}

fn time(seconds: i64) -> String {
    timestamp(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000))
}

/// As people count: the first octet is 1.
fn octets(range: &Range<usize>) -> String {
    format!("{} to {}", range.start + 1, range.end)
}

/// `covered` counts from 0, and its second number is one past the last octet.
pub(super) fn json(verdict: &Verdict) -> Value {
    json!({
        "state": verdict.state() as u8,
        "word": verdict.state().word(),
        "inner_word": verdict.inner_state().word(),
        "partly_signed": verdict.is_partly_signed(),
        "opened": verdict.is_open(),
        "reasons": reasons(&verdict.reasons),
        "layers": verdict.layers.iter().map(layer).collect::<Vec<_>>(),
        "parts": verdict.parts.iter().map(|part| json!({
            "range": [part.range.start, part.range.end],
            "layers": part.layers.iter().map(layer).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn reasons(all: &[Reason]) -> Vec<String> {
    all.iter().map(sentence).collect()
}

fn layer(layer: &Layer) -> Value {
    match layer {
        Layer::Signed { state, is_detached, covered, signers, reasons: why } => json!({
            "kind": "signed",
            "word": state.word(),
            "detached": is_detached,
            "covered": [covered.start, covered.end],
            "signers": signers.iter().map(signer).collect::<Vec<_>>(),
            "reasons": reasons(why),
        }),
        Layer::Encrypted { covered, cipher, recipients, opened_by, reasons: why } => json!({
            "kind": "encrypted",
            "covered": [covered.start, covered.end],
            "cipher": cipher.map(|cipher| cipher.name()),
            "authenticated": cipher.map(|cipher| cipher.is_authenticated()),
            "recipients": recipients,
            "opened_by": opened_by,
            "reasons": reasons(why),
        }),
    }
}

fn signer(signer: &Signer) -> Value {
    json!({
        "word": signer.state.word(),
        "subject": signer.subject,
        "issuer": signer.issuer,
        "addresses": signer.addresses,
        "fingerprint": signer.fingerprint,
        "chain": signer.chain,
        "signing_time": signer.signing_time.map(time),
        "algorithm": signer.algorithm,
        "reasons": reasons(&signer.reasons),
    })
}
