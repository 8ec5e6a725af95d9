//! What an IMAP client session tells its host, as a transcript has it behind `<`: one line for each event.

use pillarbox_engine::imap::client::types::{
    Address, BodyPart, Completion, Counters, Envelope, Event, Failure, Fetched, Mailbox, Namespace,
    Opened, Outcome, Progress,
};
use pillarbox_engine::imap::types::{Flags, UidRun};

/// One event.
pub(super) fn told(event: &Event) -> String {
    match event {
        Event::Ready(ready) => {
            let preauth = if ready.preauth { " preauth" } else { "" };
            let server = ready.server.iter().map(|field| {
                let value = field.value.as_deref().unwrap_or(b"NIL");
                format!("{}={}", field.name.escape_ascii(), value.escape_ascii())
            });
            let server: Vec<String> = server.collect();
            let (can, on) = (words(&ready.capabilities), words(&ready.enabled));
            format!("ready{preauth} [{can}] enabled [{on}] server [{}]", server.join(" "))
        }
        Event::Completed(completion) => completed(completion),
        Event::Opened(opened) => self::opened(opened),
        Event::Closed => "closed".to_owned(),
        Event::Mailbox(mailbox) => self::mailbox(mailbox),
        Event::Status(counted) => {
            format!("status {} {}", counted.name.escape_ascii(), counters(&counted.counters))
        }
        Event::Namespaces(all) => format!(
            "namespaces [{}] [{}] [{}]",
            namespaces(&all.personal),
            namespaces(&all.others),
            namespaces(&all.shared)
        ),
        Event::Capabilities(names) => format!("capabilities {}", words(names)),
        Event::Exists(number) => format!("exists {number}"),
        Event::Recent(number) => format!("recent {number}"),
        Event::Flags(flags) => format!("flags {}", words(flags)),
        Event::Fetched(fetched) => self::fetched(fetched),
        Event::Expunged(number) => format!("expunged {number}"),
        Event::Vanished(vanished) => {
            let earlier = if vanished.earlier { " earlier" } else { "" };
            format!("vanished{earlier} {}", runs(&vanished.uids))
        }
        Event::Found(found) => format!("found {} {}", found.call, runs(&found.uids)),
        Event::Counted(count) => format!(
            "counted {} {} {:?} {:?} {:?}",
            count.call, count.count, count.min, count.max, count.modseq
        ),
        Event::FoundIn(place) => {
            format!("found-in {} {} {}", place.call, place.name.escape_ascii(), place.uid_validity)
        }
        Event::Scored(scored) => format!("scored {} {:?}", scored.call, scored.scores),
        Event::Updated(updated) => {
            let (removed, added) = (runs(&updated.removed), runs(&updated.added));
            format!("updated {} removed [{removed}] added [{added}]", updated.call)
        }
        Event::UpdateRefused(call) => format!("update-refused {call}"),
        Event::Progress(progress) => {
            let number = |number: Option<u32>| number.map_or("?".into(), |n| n.to_string());
            let Progress { call, done, goal } = *progress;
            format!("progress {} {} of {}", number(call), number(done), number(goal))
        }
        Event::Sorted(sorted) => format!("sorted {} {:?}", sorted.call, sorted.uids),
        Event::Threaded(threaded) => {
            let rows = threaded.rows.iter().map(|row| format!("{}:{}", row.depth, row.uid));
            format!("threaded {} {}", threaded.call, rows.collect::<Vec<_>>().join(" "))
        }
        Event::Quota(resources) => {
            let one = |one: &pillarbox_engine::imap::types::QuotaResource| {
                let (root, resource) = (one.root.escape_ascii(), one.resource.escape_ascii());
                format!("{root} {resource} {}/{}", one.usage, one.limit)
            };
            format!("quota {}", resources.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Event::Rights(rights) => {
            let entry = |entry: &pillarbox_engine::imap::types::RightsEntry| {
                format!("{}={}", entry.identifier.escape_ascii(), entry.rights.escape_ascii())
            };
            let entries: Vec<String> = rights.entries.iter().map(entry).collect();
            let (name, mine) = (rights.name.escape_ascii(), rights.mine.escape_ascii());
            format!("rights {name} [{mine}] [{}]", entries.join(" "))
        }
        Event::Grantable(told) => {
            let (name, who) = (told.name.escape_ascii(), told.identifier.escape_ascii());
            format!(
                "grantable {name} {who} [{}] [{}]",
                told.always.escape_ascii(),
                words(&told.groups)
            )
        }
        Event::MetadataLeftOut(octets) => format!("metadata-left-out {octets}"),
        Event::UrlsAuthorized(urls) => format!("urls-authorized {}", words(urls)),
        Event::UrlFetched(told) => {
            let found = if told.found { "found" } else { "nothing" };
            format!("url-fetched {} {found}", told.url.escape_ascii())
        }
        Event::Languages(names) => format!("languages {}", words(names)),
        Event::Metadata(told) => {
            let entry = |entry: &pillarbox_engine::imap::types::MetadataEntry| {
                let value = entry.value.as_deref().unwrap_or(b"NIL").escape_ascii();
                format!("{}={value}", entry.entry.escape_ascii())
            };
            let entries: Vec<String> = told.entries.iter().map(entry).collect();
            format!("metadata [{}] {}", told.name.escape_ascii(), entries.join(" "))
        }
        Event::Alert(text) => format!("alert {}", text.escape_ascii()),
        Event::NotifyOverflow => "notify-overflow".to_owned(),
        Event::Bye(text) => format!("bye {}", text.escape_ascii()),
        Event::Defect(rule) => format!("defect {}", rule.escape_ascii()),
        Event::Done(None) => "done".to_owned(),
        Event::Done(Some(failure)) => format!("done {}", why(failure)),
    }
}

fn completed(end: &Completion) -> String {
    let mut out = match end.outcome {
        Outcome::Ok => format!("completed {}", end.call),
        other => format!("failed {} {other:?}", end.call),
    };
    let mut put = |text: String| {
        out.push(' ');
        out.push_str(&text);
    };
    if !end.code.is_empty() {
        put(format!("[{}]", end.code.escape_ascii()));
    }
    if end.outcome != Outcome::Ok {
        put(end.text.escape_ascii().to_string());
    }
    if end.uid_validity != 0 {
        put(format!("{}/{}>{}", end.uid_validity, runs(&end.source), runs(&end.target)));
    }
    if !end.modified.is_empty() {
        put(format!("modified {}", runs(&end.modified)));
    }
    if let Some(limit) = end.message_limit {
        let lowest = limit.lowest_uid.map_or_else(String::new, |uid| format!(" down to {uid}"));
        put(format!("limit {}{lowest}", limit.max));
    }
    if end.incomplete {
        put("incomplete".to_owned());
    }
    out
}

fn opened(opened: &Opened) -> String {
    let mode = if opened.read_only { "read-only" } else { "read-write" };
    let new = if opened.new_keywords { " new-keywords" } else { "" };
    let modseqs = if opened.modseqs { " modseqs" } else { "" };
    let permanent = opened.permanent_flags.as_deref().map_or_else(|| "-".to_owned(), words);
    format!(
        "opened {} {mode} {} [{}] [{permanent}]{new}{modseqs}",
        opened.name.escape_ascii(),
        counters(&opened.counters),
        words(&opened.flags)
    )
}

fn mailbox(mailbox: &Mailbox) -> String {
    let separator =
        mailbox.separator.map_or_else(|| "NIL".to_owned(), |s| char::from(s).to_string());
    let kind = if mailbox.subscribed_list { "subscribed" } else { "mailbox" };
    let name = String::from_utf8_lossy(&mailbox.name);
    format!("{kind} {name} {separator} {}", words(&mailbox.attributes)).trim_end().to_owned()
}

fn counters(told: &Counters) -> String {
    let mut out: Vec<String> = Vec::new();
    let small = [
        ("messages", told.messages),
        ("recent", told.recent),
        ("uid-next", told.uid_next),
        ("uid-validity", told.uid_validity),
        ("unseen", told.unseen),
        ("deleted", told.deleted),
    ];
    out.extend(small.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?))));
    out.extend(told.size.map(|size| format!("size={size}")));
    out.extend(told.highest_modseq.map(|modseq| format!("modseq={modseq}")));
    if !told.mailbox_id.is_empty() {
        out.push(format!("id={}", told.mailbox_id.escape_ascii()));
    }
    out.join(" ")
}

fn namespaces(all: &[Namespace]) -> String {
    let one = |one: &Namespace| {
        let separator = one.separator.map_or('-', char::from);
        format!("{}{separator}", one.prefix.escape_ascii())
    };
    all.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn fetched(told: &Fetched) -> String {
    let mut out = format!("fetched {}={}", told.number, told.uid);
    let mut put = |text: String| {
        out.push(' ');
        out.push_str(&text);
    };
    if let Some(flags) = &told.flags {
        put(format!("({})", self::flags(flags)));
    }
    if let Some(modseq) = told.modseq {
        put(format!("modseq={modseq}"));
    }
    if let Some(date) = told.internal_date_ms {
        put(format!("date={date}{:+}", told.internal_date_zone));
    }
    if let Some(date) = told.save_date_ms {
        put(format!("saved={date}"));
    }
    if let Some(size) = told.size {
        put(format!("size={size}"));
    }
    if let Some(envelope) = &told.envelope {
        put(self::envelope(envelope));
    }
    told.structure.iter().for_each(|part| put(self::part(part)));
    if let Some(preview) = &told.preview {
        put(format!("preview={}", preview.escape_ascii()));
    }
    if !told.email_id.is_empty() {
        put(format!("email-id={}", told.email_id.escape_ascii()));
    }
    if !told.thread_id.is_empty() {
        put(format!("thread-id={}", told.thread_id.escape_ascii()));
    }
    out
}

fn flags(flags: &Flags) -> String {
    let names = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    let system = names.iter().enumerate().filter(|(at, _)| flags.system & 1 << at != 0);
    let system = system.map(|(_, name)| (*name).to_owned());
    let keywords = flags.keywords.iter().map(|keyword| keyword.escape_ascii().to_string());
    system.chain(keywords).collect::<Vec<_>>().join(" ")
}

fn envelope(told: &Envelope) -> String {
    let text = |text: &Option<Vec<u8>>| {
        text.as_deref().map_or_else(|| "NIL".to_owned(), |text| text.escape_ascii().to_string())
    };
    let address = |address: &Address| {
        format!("{}<{}@{}>", text(&address.name), text(&address.mailbox), text(&address.host))
    };
    let list = |all: &[Address]| all.iter().map(address).collect::<Vec<_>>().join(",");
    format!(
        "envelope({}|{}|{}|{}|{}|{}|{}|{}|{}|{})",
        text(&told.date),
        text(&told.subject),
        list(&told.from),
        list(&told.sender),
        list(&told.reply_to),
        list(&told.to),
        list(&told.cc),
        list(&told.bcc),
        text(&told.in_reply_to),
        text(&told.message_id)
    )
}

fn part(part: &BodyPart) -> String {
    let (section, kind) = (part.section.escape_ascii(), part.media_type.escape_ascii());
    let values = |all: &[pillarbox_engine::imap::client::types::Parameter]| {
        let one = |one: &pillarbox_engine::imap::client::types::Parameter| {
            format!("{}={}", one.name.escape_ascii(), one.value.escape_ascii())
        };
        all.iter().map(one).collect::<Vec<_>>().join(";")
    };
    let lines = part.lines.map_or_else(String::new, |lines| format!("/{lines}"));
    let disposition = part.disposition.as_deref().map_or_else(String::new, |word| {
        format!(" {}:{}", word.escape_ascii(), values(&part.disposition_parameters))
    });
    let encoding = part.encoding.escape_ascii();
    let parameters = values(&part.parameters);
    format!(
        "{{{}:{section} {kind} {parameters} {encoding} {}{lines}{disposition}}}",
        part.depth, part.size
    )
}

fn words(words: &[Vec<u8>]) -> String {
    words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

fn runs(runs: &[UidRun]) -> String {
    let one = |run: &UidRun| match run.first == run.last {
        true => run.first.to_string(),
        false => format!("{}:{}", run.first, run.last),
    };
    runs.iter().map(one).collect::<Vec<_>>().join(",")
}

fn why(failure: &Failure) -> String {
    let (code, text) = (failure.code.escape_ascii(), failure.text.escape_ascii());
    format!("{:?} [{code}] {text}", failure.cause)
}
