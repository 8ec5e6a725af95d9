//! The pages of a web mail, as text with the few tags of 1996. Whatever a message says stands in them as text,
//! never as a tag.

use pillarbox_mime::View;

use crate::web::Response;
use crate::web::page::escaped;

/// For whom a page is.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// What stands before the path of every link.
    pub(super) base: &'a str,
    /// Who is signed in; empty: nobody.
    pub(super) name: &'a str,
}

/// A page: its title, why it is there again if something went wrong, who is signed in, and what it is about.
fn page(status: u16, title: &str, why: &str, who: Reader<'_>, body: &str) -> Response {
    let why = if why.is_empty() { String::new() } else { format!("<p>{}\n", escaped(why)) };
    let Reader { base, name } = who;
    let bar = match name {
        "" => String::new(),
        name => format!(
            "<p>{} <a href=\"{base}/inbox\">Inbox</a>\n<p><a href=\"{base}/compose\">Write</a>\n",
            escaped(name)
        ),
    };
    let title = escaped(title);
    let html =
        format!("<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n{why}{bar}{body}");
    Response {
        media_type: "text/html; charset=utf-8".to_owned(),
        body: html.into_bytes(),
        ..Response::of(status)
    }
}

pub(super) fn login(status: u16, host: &[u8], base: &str, why: &str) -> Response {
    let title = format!("Mail at {}", String::from_utf8_lossy(host));
    let form = format!(
        "<form method=post action=\"{base}/login\">\n<p><label>Name <input name=user autocomplete=username></label>\n\
         <p><label>Password <input type=password name=password autocomplete=current-password></label>\n<p><input type=submit value=\"Sign in\">\n</form>\n"
    );
    page(status, &title, why, Reader { base, name: "" }, &form)
}

/// Number, subject, author, and whether it was read.
pub(super) fn inbox(who: Reader<'_>, listed: &[(u32, String, String, bool)]) -> Response {
    let base = who.base;
    let row = |(uid, subject, from, is_read): &(u32, String, String, bool)| {
        let subject = if subject.trim().is_empty() { "no subject" } else { subject };
        let state = if *is_read { "read" } else { "unread" };
        let (subject, from) = (escaped(subject), escaped(from));
        format!("<li><a href=\"{base}/message/{uid}\">{subject}</a> from {from}, {state}</li>\n")
    };
    let rows: String = listed.iter().map(row).collect();
    let none = if listed.is_empty() { "<p>No messages.\n" } else { "" };
    page(200, "Inbox", "", who, &format!("{none}<ol>\n{rows}</ol>\n"))
}

pub(super) fn message(who: Reader<'_>, uid: u32, view: &View) -> Response {
    let (from, to) = (escaped(&view.from.join(", ")), escaped(&view.to.join(", ")));
    let text = escaped(view.text.as_deref().unwrap_or_default());
    let file = |file: &pillarbox_mime::Attachment| {
        let name = escaped(file.name.as_deref().unwrap_or("a file"));
        format!("<p>With it: {name}, {} octets\n", file.size)
    };
    let files: String = view.attachments.iter().map(file).collect();
    let base = who.base;
    let body = format!(
        "<p>From {from}\n<p>To {to}\n<pre>{text}</pre>\n{files}<form method=post action=\"{base}/delete\">\n\
         <input type=hidden name=message value={uid}>\n<p><input type=submit value=Delete>\n</form>\n"
    );
    page(200, &view.subject, "", who, &body)
}

/// A form to write in, with what was written before.
pub(super) fn compose(status: u16, who: Reader<'_>, written: [&str; 3], why: &str) -> Response {
    let base = who.base;
    let [to, subject, text] = written.map(escaped);
    let form = format!(
        "<form method=post action=\"{base}/send\">\n<p><label>To <input name=to value=\"{to}\"></label>\n\
         <p><label>Subject <input name=subject value=\"{subject}\"></label>\n\
         <p><label>Text <textarea name=text rows=12 cols=72>\n{text}</textarea></label>\n<p><input type=submit value=Send>\n</form>\n"
    );
    page(status, "Write", why, who, &form)
}

pub(super) fn sent(who: Reader<'_>) -> Response {
    page(200, "Sent", "", who, "<p>Your server has the letter, and sees to it that it arrives.\n")
}
