//! What a form with files says: `multipart/form-data` (RFC 7578). The files stay where they are in the body.

use std::ops::Range;

use pillarbox_engine::text::header::{fields, section_length};
use pillarbox_engine::text::params;

use super::form::{FIELDS_MAX, FORM, decode};

/// RFC 2046 §5.1.1: octets of a boundary.
const BOUNDARY_MAX: usize = 70;

/// What a form says: its fields in their order, a name as often as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Names and values.
    pub fields: Vec<(String, String)>,
    /// Files.
    pub files: Vec<Upload>,
}

/// A file of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What it is called where it comes from: a label, not a place.
    pub name: String,
    /// Its media type, as the browser says; empty if it does not.
    pub media_type: String,
    /// Where its octets are in the body.
    pub octets: Range<usize>,
}

impl Given {
    /// The first value of a field; empty if there is none.
    #[must_use]
    pub fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(own, _)| own == name).map(|(_, value)| &value[..])
    }
}

/// Reads a body. One that is not what its type says has nothing.
pub(super) fn read(media_type: &str, body: &[u8]) -> Given {
    let kind = params::parse(media_type.as_bytes());
    if kind.value.is_empty() || kind.value.eq_ignore_ascii_case(FORM.as_bytes()) {
        return Given { fields: decode(body), files: Vec::new() };
    }
    let mut given = Given::default();
    let boundary = kind.parameter(b"boundary").unwrap_or_default();
    let is_form = kind.value.eq_ignore_ascii_case(b"multipart/form-data");
    if !is_form || boundary.is_empty() || boundary.len() > BOUNDARY_MAX {
        return given;
    }
    let delimiter = [b"\r\n--", boundary].concat();
    // The first one may stand at the very beginning, without a line end in front.
    let mut at = match body.starts_with(&delimiter[2..]) {
        true => delimiter.len() - 2,
        false => match find(body, 0, &delimiter) {
            Some(found) => found + delimiter.len(),
            None => return given,
        },
    };
    for _ in 0..FIELDS_MAX {
        if !body[at..].starts_with(b"\r\n") {
            break;
        }
        // What is not ended did not come whole.
        let Some(end) = find(body, at, &delimiter) else { break };
        part(body, at + 2..end.max(at + 2), &mut given);
        at = end + delimiter.len();
    }
    given
}

fn part(body: &[u8], range: Range<usize>, given: &mut Given) {
    let octets = &body[range.clone()];
    let (mut name, mut file, mut media_type) = (None, None, String::new());
    for field in fields(octets) {
        let value = params::parse(&field.unfolded());
        if field.is(b"Content-Disposition") {
            name = value.parameter(b"name").map(label);
            file = value.parameter(b"filename").map(label);
        } else if field.is(b"Content-Type") {
            media_type = String::from_utf8_lossy(&value.value).into_owned();
        }
    }
    let Some(name) = name else { return };
    let start = range.start + section_length(octets);
    match file {
        // A field for a file into which none was put.
        Some(file) if file.is_empty() && start == range.end => {}
        Some(file) => {
            given.files.push(Upload { name: file, media_type, octets: start..range.end });
        }
        None => {
            let value = String::from_utf8_lossy(&body[start..range.end]).into_owned();
            given.fields.push((name, value));
        }
    }
}

/// RFC 7578 §2: names are UTF-8; browsers write what a quoted string cannot hold with a percent sign.
fn label(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    text.replace("%22", "\"").replace("%0D", "").replace("%0A", " ")
}

/// Where a delimiter begins, which begins with CR and holds no other one.
fn find(body: &[u8], from: usize, delimiter: &[u8]) -> Option<usize> {
    let places = body.iter().enumerate().skip(from).filter(|(_, octet)| **octet == b'\r');
    places.map(|(at, _)| at).find(|at| body[*at..].starts_with(delimiter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=----x1";

    #[test]
    fn fields_and_files_are_read() {
        let body =
            "------x1\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nbob@a\r\n------x1\r\n\
            Content-Disposition: form-data; name=\"files\"; filename=\"Crème %22a%22.txt\"\r\n\
            Content-Type: text/plain\r\n\r\none\r\n--\r\ntwo\r\n\r\n------x1\r\n\
            Content-Disposition: form-data; name=\"files\"; filename=\"\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n\r\n------x1--\r\n"
                .as_bytes();
        let given = read(KIND, body);
        assert_eq!(given.get("to"), "bob@a");
        assert_eq!(given.files.len(), 1, "an empty field for files is none");
        let file = &given.files[0];
        assert_eq!((&file.name[..], &file.media_type[..]), ("Crème \"a\".txt", "text/plain"));
        assert_eq!(&body[file.octets.clone()], b"one\r\n--\r\ntwo\r\n");
    }

    #[test]
    fn what_is_no_form_says_nothing_and_does_no_harm() {
        let part = "------x1\r\nContent-Disposition: form-data; name=a\r\n\r\nb";
        for (kind, body) in [
            (KIND, ""),
            (KIND, "------x1"),
            (KIND, "------x1\r\n"),
            (KIND, "------x1--"),
            (KIND, part),
            (KIND, "------x1\r\n------x1--"),
            (KIND, "------x1\r\nno field\r\n\r\nb\r\n------x1--"),
            ("multipart/form-data", part),
            ("multipart/mixed; boundary=----x1", part),
            ("text/plain", "a=b"),
        ] {
            assert_eq!(read(kind, body.as_bytes()), Given::default(), "{kind} {body:?}");
        }
        assert_eq!(read("", b"a=b").get("a"), "b");
        let many = format!("{part}\r\n").repeat(3 * FIELDS_MAX) + "------x1--";
        assert_eq!(read(KIND, many.as_bytes()).fields.len(), FIELDS_MAX);
        // Every beginning of a whole body.
        let whole = format!("{part}\r\n------x1\r\n\r\n\r\n------x1--");
        for end in 0..whole.len() {
            assert!(read(KIND, &whole.as_bytes()[..end]).fields.len() <= 1);
        }
    }
}
