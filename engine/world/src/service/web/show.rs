//! One message: what its header and its text say, what it is made of, and the files in it.

use pillarbox_engine::message::{Address, Index, Part, PartKind, Span};
use pillarbox_engine::text::{charset, transfer};
use pillarbox_engine::types::Reason;

use super::desk::{DRAFT, FLAGGED, Letter, SEEN, for_use, one, system};
use super::list::{files, is_text, mailbox, moment, people, shown, subject};
use super::page::{Frame, Html};
use super::{Call, Not, rich};
use crate::service::Backend;
use crate::web::{Given, Response, encoded};
use pillarbox_engine::imap::types::SpecialUse;

/// Octets of a message's texts that are read to be shown.
pub(super) const SHOWN_MAX: u64 = 512 << 10;
/// Octets of a file or a message that is handed out in one response; larger ones are there by IMAP.
pub(super) const DOWNLOAD_MAX: u64 = 32 << 20;
/// Lines of a quote that are shown; one that is longer is folded.
const QUOTE_MAX: usize = 3;
/// Parts that the structure shows.
const PARTS_MAX: usize = 1000;
/// What is handed out is nothing that a browser should do anything with.
const HARMLESS: [(&str, &str); 2] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
];

/// A person with name and address.
pub(super) fn person(address: &Address) -> String {
    let at = mailbox(address);
    match address.name.as_ref().filter(|name| !name.is_empty()) {
        Some(name) => [&shown(Some(name), "")[..], " <", &at, ">"].concat(),
        None => at,
    }
}

pub(super) fn persons(list: &[Address]) -> String {
    people(list).map(person).collect::<Vec<_>>().join(", ")
}

/// The value of a parameter.
fn parameter<'a>(all: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    let found = all.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| &value[..])
}

/// What a file is called: a label without any path.
#[must_use]
pub fn file_name(part: &Part) -> String {
    let given = part.disposition.as_ref().and_then(|(_, all)| parameter(all, "filename"));
    let given = given.or_else(|| parameter(&part.parameters, "name")).unwrap_or_default();
    let text = shown(Some(&given.to_vec()), "");
    let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    match (name.trim(), part.kind) {
        ("", PartKind::Message) => "message.eml".to_owned(),
        ("", _) => "file".to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// The media type as it is written; octets if it is none.
#[must_use]
pub fn media_type(part: &Part) -> String {
    let token = |octets: &[u8]| {
        let good = |o: &u8| o.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(o);
        !octets.is_empty() && octets.iter().all(good)
    };
    if !token(&part.media_type) || !token(&part.subtype) {
        return "application/octet-stream".to_owned();
    }
    let text = [&part.media_type[..], b"/", &part.subtype].concat();
    String::from_utf8_lossy(&text).to_ascii_lowercase()
}

/// What the octets of a part's body mean. An encoding that nobody knows is left as it is.
#[must_use]
pub fn transfer_decoded(part: &Part, octets: Vec<u8>) -> Vec<u8> {
    let encoding = if part.kind == PartKind::Leaf { &part.encoding[..] } else { b"" };
    let Some(mut decoder) = transfer::Decoder::new(encoding) else { return octets };
    let mut out = Vec::new();
    decoder.decode(&octets, &mut out);
    decoder.finish(&mut out);
    out
}

/// Places of the texts of this kind that are read with the message itself.
#[must_use]
pub fn texts(index: &Index, subtype: &str) -> Vec<usize> {
    let is_inside = |mut at: usize| {
        // Parents stand before their parts, so this ends.
        while at > 0 {
            at = (index.parts[at].parent as usize).min(at - 1);
            if index.parts[at].kind == PartKind::Message {
                return true;
            }
        }
        false
    };
    let own = (0..index.parts.len()).filter(|at| is_text(&index.parts[*at], subtype));
    own.filter(|at| !is_inside(*at)).collect()
}

/// A size for people.
pub(super) fn size(octets: u64) -> String {
    match octets {
        0..2048 => [&octets.to_string(), " octets"].concat(),
        2048..0x20_0000 => [&(octets >> 10).to_string(), " KiB"].concat(),
        _ => [&(octets >> 20).to_string(), " MiB"].concat(),
    }
}

/// A field's value that gives a file its name (RFC 6266 §4.3, RFC 8187 §3.2).
fn attachment(name: &str) -> String {
    let plain =
        |c: char| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    ["attachment; filename=\"", &plain, "\"; filename*=UTF-8''", &encoded(name)].concat()
}

/// Octets that a browser keeps, and does not show.
fn file(name: &str, media_type: String, body: Vec<u8>) -> Response {
    let mut fields = vec![("Content-Disposition", attachment(name))];
    fields.extend(HARMLESS.map(|(name, value)| (name, value.to_owned())));
    Response { media_type, fields, body, ..Response::of(200) }
}

impl<B: Backend> Call<'_, B> {
    pub(super) async fn message(
        &mut self,
        folder: &str,
        letter: Letter,
        what: &str,
        asked: &Given,
    ) -> Result<Response, Not> {
        let remote = asked.get("remote") == "once";
        match what.split_once('/').unwrap_or((what, "")) {
            ("", "") => self.read(folder, letter, asked.get("as") == "html", remote).await,
            ("html", "") => self.frame_of(&letter, remote).await,
            ("smtp", "") => self.show_smtp(folder, letter.row.uid),
            ("structure", "") => Ok(self.structure(folder, &letter)),
            ("raw", "") => {
                let Letter { row, .. } = letter;
                if row.size > DOWNLOAD_MAX {
                    return Err(Reason::TooLarge.into());
                }
                let octets = self.desk.octets(&row, Span { start: 0, end: row.size }).await?;
                let mut response = file("", "text/plain; charset=utf-8".to_owned(), octets);
                response.fields.remove(0);
                Ok(response)
            }
            ("part", number) => {
                let at: usize = number.parse().map_err(|_| Reason::NotFound)?;
                let part = letter.index.parts.get(at).ok_or(Reason::NotFound)?;
                let octets = self.part(&letter, part, DOWNLOAD_MAX).await?;
                Ok(file(&file_name(part), media_type(part), octets))
            }
            _ => Err(Reason::NotFound.into()),
        }
    }

    /// What a part means, if that is no more than so many octets as it stands.
    pub(super) async fn part(
        &mut self,
        letter: &Letter,
        part: &Part,
        max: u64,
    ) -> Result<Vec<u8>, Reason> {
        if part.body.length() > max {
            return Err(Reason::TooLarge);
        }
        Ok(transfer_decoded(part, self.desk.octets(&letter.row, part.body).await?))
    }

    /// The texts of a message of this kind, one behind the other, and whether that is all.
    pub(super) async fn text(
        &mut self,
        letter: &Letter,
        subtype: &str,
    ) -> Result<(String, bool), Reason> {
        let (mut out, mut left) = (String::new(), SHOWN_MAX);
        for at in texts(&letter.index, subtype) {
            let part = &letter.index.parts[at];
            let (start, end) = (part.body.start, part.body.end.min(part.body.start + left));
            left -= end - start;
            let shown = Part { body: Span { start, end }, ..part.clone() };
            let octets = self.part(letter, &shown, SHOWN_MAX).await?;
            let name = parameter(&part.parameters, "charset").unwrap_or_default();
            out.push_str(&charset::decode(name, &octets));
            if end < part.body.end {
                return Ok((out, false));
            }
        }
        Ok((out, true))
    }

    /// The text that is read: the plain one, or what the other says.
    pub(super) async fn plain(&mut self, letter: &Letter) -> Result<(String, bool), Reason> {
        if !texts(&letter.index, "plain").is_empty() {
            return self.text(letter, "plain").await;
        }
        let (html, whole) = self.text(letter, "html").await?;
        Ok((rich::text(&html), whole))
    }

    async fn read(
        &mut self,
        folder: &str,
        letter: Letter,
        as_html: bool,
        remote: bool,
    ) -> Result<Response, Not> {
        let uid = letter.row.uid;
        if letter.row.flags.system & SEEN == 0 {
            match self.desk.flag(&one(uid), true, system(SEEN)).await {
                // Who may only look leaves it as it is (RFC 4314 §4).
                Ok(()) | Err(Reason::NotPermitted) => {}
                Err(reason) => return Err(reason.into()),
            }
            self.folders = self.desk.folders().await?;
        }
        let mut body = Html::default();
        head(self.frame(), folder, &letter, &mut body);
        if self.sent_as(folder, uid).is_some() {
            let place = self.frame().at(folder, &["/", &uid.to_string(), "/smtp"].concat());
            body.put("<p>").link(&place, "Show me the SMTP").put("\n");
        }
        let whole = if as_html && !texts(&letter.index, "html").is_empty() {
            self.framed(folder, &letter, remote, &mut body).await?
        } else {
            let (text, whole) = self.plain(&letter).await?;
            quoted(&text, &mut body);
            whole
        };
        if !whole {
            body.put("<p>This is only its beginning; all of it is in the raw source.\n");
        }
        attachments(self.frame(), folder, &letter, &mut body);
        self.tools(folder, &letter, &mut body);
        self.conversation(folder, &letter, &mut body).await;
        Ok(self.frame().page(200, &subject(&letter.index), "", &body))
    }

    /// What can be done with a message.
    fn tools(&self, folder: &str, letter: &Letter, body: &mut Html) {
        let (frame, uid) = (self.frame(), letter.row.uid.to_string());
        body.put("<form class=act method=post action=\"").put(frame.base).put("/act\">\n");
        body.hidden("in", folder).hidden("uid", &uid).hidden("stay", &uid).put("<p class=tools>\n");
        match letter.row.flags.system & FLAGGED {
            0 => body.button("flag", "Flag"),
            _ => body.button("unflag", "Unflag"),
        };
        let trash = for_use(&self.folders, SpecialUse::Trash);
        let is_gone = trash.is_none_or(|row| row.name == folder.as_bytes());
        let word = if is_gone { "Delete for ever" } else { "Delete" };
        body.button("unread", "Mark as unread").button("delete", word);
        body.choice(&self.folders, folder).put("</form>\n");
    }

    /// What a message is made of.
    fn structure(&self, folder: &str, letter: &Letter) -> Response {
        let (frame, mut body) = (self.frame(), Html::default());
        head(frame, folder, letter, &mut body);
        body.put("<pre class=structure>\n");
        let parts = &letter.index.parts;
        let mut depths: Vec<usize> = Vec::new();
        for (at, part) in parts.iter().take(PARTS_MAX).enumerate() {
            let above = depths.get(part.parent as usize).filter(|_| at > 0);
            let depth = above.map_or(0, |depth| depth + 1);
            depths.push(depth);
            // A deep one is not drawn deeper: the page stays as wide as it is.
            body.put(&"  ".repeat(depth.min(30))).text(&media_type(part)).put(", ");
            body.put(&size(part.body.length()));
            if part.kind == PartKind::Leaf {
                body.put(", ").text(&String::from_utf8_lossy(&part.encoding));
                if !is_text(part, "plain") {
                    body.put(", ").text(&file_name(part));
                }
            }
            body.put("\n");
        }
        body.put("</pre>\n");
        if parts.len() > PARTS_MAX || letter.index.truncated {
            body.put("<p>It has more parts than are shown.\n");
        }
        frame.page(200, &subject(&letter.index), "", &body)
    }
}

/// From whom it is, to whom, and the ways to see it otherwise.
fn head(frame: Frame<'_>, folder: &str, letter: &Letter, body: &mut Html) {
    let (envelope, row) = (&letter.index.envelope, &letter.row);
    body.put("<div class=head>\n");
    for (word, list) in [
        ("From ", &envelope.from),
        ("To ", &envelope.to),
        ("Cc ", &envelope.cc),
        ("Bcc ", &envelope.bcc),
    ] {
        let list = persons(list);
        if !list.is_empty() {
            body.put("<p>").put(word).text(&list).put("\n");
        }
    }
    body.put("<p>").put(&moment(row.internal_date_ms)).put(" UTC, ").put(&size(row.size));
    body.put("\n</div>\n<ul class=tools>\n");
    let uid = row.uid.to_string();
    let has_html = !texts(&letter.index, "html").is_empty();
    for (is_there, rest, word) in [
        (true, "", "Text"),
        (has_html, "?as=html", "HTML"),
        (true, "/structure", "Structure"),
        (true, "/raw", "Raw source"),
    ] {
        if !is_there {
            continue;
        }
        body.put("<li>").link(&frame.at(folder, &["/", &uid, rest].concat()), word).put("</li>\n");
    }
    let place = [folder, "/", &uid].concat();
    let ways: &[(&str, &str)] = match row.flags.system & DRAFT {
        0 => &[
            ("?how=reply&re=", "Reply"),
            ("?how=all&re=", "Reply to all"),
            ("?how=forward&re=", "Forward"),
        ],
        _ => &[("?draft=", "Go on writing")],
    };
    for (rest, word) in ways {
        let place = [frame.base, "/write", rest, &encoded(&place)].concat();
        body.put("<li class=write>").link(&place, word).put("</li>\n");
    }
    body.put("</ul>\n");
}

/// A text, in which long quotes are folded.
fn quoted(text: &str, body: &mut Html) {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    let (mut at, mut open) = (0, false);
    while at < lines.len() {
        let quote = lines[at..].iter().take_while(|line| line.starts_with('>')).count();
        let folds = quote > QUOTE_MAX;
        if folds || !open {
            body.put(if open { "</pre>\n" } else { "" });
            open = !folds;
            body.put(if folds { "<details><summary>Quoted text, " } else { "<pre>" });
        }
        if folds {
            body.number(quote as u64).put(" lines</summary>\n<pre>");
            body.text(&lines[at..at + quote].join("\n")).put("</pre></details>\n");
            at += quote;
        } else {
            let taken = quote.max(1);
            lines[at..at + taken].iter().for_each(|line| _ = body.text(line).put("\n"));
            at += taken;
        }
    }
    body.put(if open { "</pre>\n" } else { "" });
}

/// The files of a message.
fn attachments(frame: Frame<'_>, folder: &str, letter: &Letter, body: &mut Html) {
    let files = files(&letter.index);
    if files.is_empty() {
        return;
    }
    body.put("<h2>Files</h2>\n<ul class=files>\n");
    let uid = letter.row.uid.to_string();
    for at in files {
        let part = &letter.index.parts[at];
        let place = frame.at(folder, &["/", &uid, "/part/", &at.to_string()].concat());
        body.put("<li>").link(&place, &file_name(part)).put(", ").text(&media_type(part));
        body.put(", ").put(&size(part.body.length())).put("</li>\n");
    }
    body.put("</ul>\n");
}
