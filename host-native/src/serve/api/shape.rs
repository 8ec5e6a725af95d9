//! Messages as Mailpit's API writes them.

use pillarbox_engine::message::{Address, Index};
use pillarbox_engine::text::date::timestamp;
use pillarbox_engine::text::words;
use pillarbox_world::service::catch::{Attached, Caught, attached};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};

use super::{DECODED_MAX, Failed, Mail};

/// Characters of the beginning of a text that a list shows.
const SNIPPET_MAX: usize = 250;

/// A field's text, decoded.
pub(super) fn text(field: Option<&Vec<u8>>) -> String {
    field.map(|field| words::decode(field)).unwrap_or_default()
}

/// Those of a list of addresses that are somebody.
pub(super) fn people(list: &[Address]) -> Vec<Value> {
    let somebody = |address: &&Address| address.mailbox.is_some() && address.host.is_some();
    list.iter().filter(somebody).map(person).collect()
}

fn person(address: &Address) -> Value {
    let part = |part: &Option<Vec<u8>>| {
        String::from_utf8_lossy(part.as_deref().unwrap_or_default()).into_owned()
    };
    let at = format!("{}@{}", part(&address.mailbox), part(&address.host));
    json!({ "Name": text(address.name.as_ref()), "Address": at })
}

/// The first of a list; nobody is an empty address.
fn first(list: &[Address]) -> Value {
    let nobody = || json!({ "Name": "", "Address": "" });
    people(list).into_iter().next().unwrap_or_else(nobody)
}

/// A Message-ID without its angle brackets.
pub(super) fn message_id(index: &Index) -> String {
    let id = index.envelope.message_id.as_deref().map(String::from_utf8_lossy);
    id.unwrap_or_default().trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

fn tags(caught: &Caught) -> Vec<String> {
    caught.tags().map(|tag| String::from_utf8_lossy(tag).into_owned()).collect()
}

/// A message in a list.
pub(super) fn item(caught: &Caught, index: &Index) -> Value {
    let envelope = &index.envelope;
    let preview = String::from_utf8_lossy(&index.preview);
    let snippet: String = preview.chars().take(SNIPPET_MAX).collect();
    let files = attached(index).into_iter().filter(|file| !file.inline).count();
    json!({
        "ID": caught.id.to_string(),
        "MessageID": message_id(index),
        "Read": caught.read,
        "From": first(&envelope.from),
        "To": people(&envelope.to),
        "Cc": people(&envelope.cc),
        "Bcc": people(&envelope.bcc),
        "ReplyTo": people(&envelope.reply_to),
        "Subject": text(envelope.subject.as_ref()),
        "Created": timestamp(caught.came_ms),
        "Tags": tags(caught),
        "Size": caught.size,
        "Attachments": files,
        "Snippet": snippet,
    })
}

/// A message by itself, with its texts and files.
pub(super) fn whole(mail: &Mail, caught: &Caught, index: &Index) -> Result<Value, Failed> {
    let envelope = &index.envelope;
    let header =
        mail.octets(caught, index.parts.first().map(|part| part.header).unwrap_or_default())?;
    let field = |name: &[u8]| {
        let mut fields = pillarbox_engine::text::header::fields(&header);
        let found = fields.find(|field| field.is(name));
        found.map(|field| words::decode(&field.unfolded())).unwrap_or_default()
    };
    let unsubscribe = field(b"List-Unsubscribe");
    let links: Vec<&str> = unsubscribe
        .split(',')
        .filter_map(|link| link.trim().strip_prefix('<')?.strip_suffix('>'))
        .collect();
    let path = field(b"Return-Path");
    let sent_ms = index.sent.and_then(|(ms, _)| u64::try_from(ms).ok());
    let (mut attachments, mut inline) = (Vec::new(), Vec::new());
    for file in attached(index) {
        let shown = self::file(mail, caught, index, &file)?;
        if file.inline { inline.push(shown) } else { attachments.push(shown) }
    }
    Ok(json!({
        "ID": caught.id.to_string(),
        "MessageID": message_id(index),
        "From": first(&envelope.from),
        "To": people(&envelope.to),
        "Cc": people(&envelope.cc),
        "Bcc": people(&envelope.bcc),
        "ReplyTo": people(&envelope.reply_to),
        "ReturnPath": path.trim_matches(['<', '>']),
        "Subject": text(envelope.subject.as_ref()),
        "ListUnsubscribe": {
            "Header": unsubscribe,
            "HeaderPost": field(b"List-Unsubscribe-Post"),
            "Links": links,
            "Errors": "",
        },
        "Date": timestamp(sent_ms.unwrap_or(caught.came_ms)),
        "Tags": tags(caught),
        "Text": mail.text(caught, index, "plain", DECODED_MAX)?,
        "HTML": mail.text(caught, index, "html", DECODED_MAX)?,
        "Size": caught.size,
        "Inline": inline,
        "Attachments": attachments,
    }))
}

fn file(mail: &Mail, caught: &Caught, index: &Index, file: &Attached) -> Result<Value, Failed> {
    let octets = mail.decoded(caught, &index.parts[file.at], DECODED_MAX)?;
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    Ok(json!({
        "PartID": file.number,
        "FileName": file.name,
        "ContentType": file.media_type,
        "ContentID": file.content_id,
        "Size": octets.len(),
        "Checksums": {
            "SHA1": hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &octets).as_ref()),
            "SHA256": hex(digest(&SHA256, &octets).as_ref()),
        },
    }))
}
