//! What a person wants to see of a message, decoded by `mail-parser`: for hosts that show mail or test it.

use mail_parser::{MessageParser, MimeHeaders};

/// A message as a person sees it. Everything is UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Subject, decoded.
    pub subject: String,
    /// From, as `name <address>` or the address alone.
    pub from: Vec<String>,
    /// To.
    pub to: Vec<String>,
    /// The plain text, made from HTML if there is no other.
    pub text: Option<String>,
    /// The HTML, as it came: never to be shown without a sandbox.
    pub html: Option<String>,
    /// Attachments, inline ones included.
    pub attachments: Vec<Attachment>,
}

/// One attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// File name, without any path; a label, not a place to write to.
    pub name: Option<String>,
    /// Such as `image/png`.
    pub media_type: String,
    /// Octets, decoded.
    pub size: u64,
}

/// Decodes a message; `None` if the indexer finds more in it than `mail-parser` should be given.
#[must_use]
pub fn view(raw: &[u8]) -> Option<View> {
    let index = crate::index(raw, raw.len() as u64);
    // mail-parser bounds neither parts nor depth; the scanner does, and says when it had to.
    if index.truncated {
        return None;
    }
    let message = MessageParser::default().parse(raw)?;
    let attachments = message.attachments().map(|part| Attachment {
        name: part.attachment_name().map(|name| label(name).to_owned()),
        media_type: part.content_type().map_or_else(String::new, |kind| {
            let subtype = kind.c_subtype.as_deref().unwrap_or_default();
            format!("{}/{subtype}", kind.c_type).to_lowercase()
        }),
        size: part.contents().len() as u64,
    });
    Some(View {
        subject: message.subject().unwrap_or_default().to_owned(),
        from: shown(message.from()),
        to: shown(message.to()),
        text: message.body_text(0).map(std::borrow::Cow::into_owned),
        html: message.body_html(0).map(std::borrow::Cow::into_owned),
        attachments: attachments.collect(),
    })
}

/// The last component of what claims to be a file name.
fn label(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

fn shown(addresses: Option<&mail_parser::Address<'_>>) -> Vec<String> {
    let one = |address: &mail_parser::Addr<'_>| {
        let email = address.address().unwrap_or_default();
        match address.name() {
            Some(name) => format!("{name} <{email}>"),
            None => email.to_owned(),
        }
    };
    addresses.map(|list| list.iter().map(one).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_decoded() {
        let raw =
            b"From: =?utf-8?q?J=C3=B6rg?= <j@x.de>\r\nTo: a@b\r\nSubject: =?utf-8?b?w6Q=?=\r\n\
            MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
            Content-Type: text/plain; charset=iso-8859-1\r\n\r\nf\xfcnf\r\n--x\r\n\
            Content-Type: image/png; name=\"../a.png\"\r\nContent-Disposition: attachment\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n";
        let view = view(raw).expect("it is a message");
        assert_eq!(view.subject, "ä");
        assert_eq!(view.from, ["Jörg <j@x.de>"]);
        assert_eq!(view.text.as_deref().map(str::trim_end), Some("fünf"));
        let media_type = "image/png".to_owned();
        assert_eq!(
            view.attachments,
            [Attachment { name: Some("a.png".to_owned()), media_type, size: 3 }]
        );
    }
}
