//! Reads a delivery report (RFC 3464, RFC 6522) as its recipient's program would, by nothing that the server uses.

use std::collections::BTreeMap;

/// The fields of one block, names in lower case.
pub type Fields = BTreeMap<String, String>;

/// A report, taken apart.
#[derive(Debug)]
pub struct Report {
    /// Its own header.
    pub header: Fields,
    /// The types of its parts.
    pub parts: Vec<String>,
    /// What holds for the whole message.
    pub message: Fields,
    /// What holds for each recipient.
    pub recipients: Vec<Fields>,
    /// What is returned of the message.
    pub returned: String,
}

impl Report {
    /// Takes one apart.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let (head, body) = text.split_once("\r\n\r\n").expect("a header ends");
        let header = fields(head);
        let kind = &header["content-type"];
        assert!(kind.starts_with("multipart/report"), "{kind}");
        assert!(kind.contains("report-type=delivery-status"), "{kind}");
        let boundary = kind.split("boundary=").nth(1).expect("it has a boundary");
        let boundary = boundary.trim_matches('"');
        let end = format!("\r\n--{boundary}--");
        let inside = body.split(&*end).next().expect("there is a first");
        assert!(body.contains(&*end), "the last boundary is there");
        let separator = format!("--{boundary}\r\n");
        let mut parts = Vec::new();
        let mut contents = Vec::new();
        for part in inside.split(&*separator).skip(1) {
            let (head, content) = part.split_once("\r\n\r\n").expect("a part's header ends");
            let kind = fields(head).remove("content-type").expect("each part has a type");
            parts.push(kind.split(';').next().expect("there is a first").to_owned());
            contents.push(content);
        }
        let [_, status, returned] = &contents[..] else { panic!("{} parts", contents.len()) };
        let mut blocks = status.split("\r\n\r\n").filter(|block| !block.trim().is_empty());
        let message = fields(blocks.next().expect("fields of the message"));
        let recipients = blocks.map(fields).collect();
        Self { header, parts, message, recipients, returned: (*returned).to_owned() }
    }

    /// What RFC 3464 and RFC 6522 ask of every report, from this server to this sender.
    ///
    /// # Panics
    /// If it is not so.
    pub fn check(&self, host: &str, sender: &str) {
        // RFC 6522 §3, RFC 3461 §6.2.
        assert_eq!(self.parts[0], "text/plain", "{self:?}");
        assert_eq!(self.parts[1], "message/delivery-status", "{self:?}");
        assert!(["message/rfc822", "text/rfc822-headers"].contains(&&*self.parts[2]), "{self:?}");
        // RFC 5321 §6.1: from nobody, so that it never comes back.
        assert_eq!(self.header["return-path"], "<>", "{self:?}");
        assert_eq!(self.header["to"], sender, "{self:?}");
        assert!(self.header["from"].contains(&format!("@{host}>")), "{self:?}");
        // RFC 3834 §5.
        assert!(self.header["auto-submitted"].starts_with("auto-"), "{self:?}");
        assert!(self.header.contains_key("date") && self.header.contains_key("message-id"));
        assert_eq!(self.message["reporting-mta"], format!("dns; {host}"), "{self:?}");
        assert!(self.message.contains_key("arrival-date"), "{self:?}");
    }
}

/// Folded lines are joined.
fn fields(block: &str) -> Fields {
    let unfolded = block.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded.lines().filter(|line| !line.is_empty());
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line}"));
        (name.to_lowercase(), value.trim().to_owned())
    };
    lines.map(field).collect()
}
