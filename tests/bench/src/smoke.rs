//! The drivers against a tiny server of canned replies, over real sockets on loopback.
//! What matters: replies are counted rightly, and a wrong one ends the run with its octets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::imap_work::{Account, Append, LoginSelect, Query, Question, fill};
use crate::load::{Progress, Sample, Session, Window, rate, repeat};
use crate::pop3::Reader;
use crate::smtp::{Connect, Delivery, Dialect};

const WINDOW: Window =
    Window { warm_up: Duration::from_millis(20), measured: Duration::from_millis(150) };

/// Serves every connection with `serve` until the test's runtime ends.
async fn served<F, S>(serve: S) -> SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
    S: Fn(BufReader<TcpStream>) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a live socket");
            tokio::spawn(serve(BufReader::new(stream)));
        }
    });
    address
}

/// An SMTP or LMTP server; it checks order and stuffing, and answers the `bad`th message 451.
async fn smtp(mut peer: BufReader<TcpStream>, pipelining: bool, bad: u64) -> std::io::Result<()> {
    peer.write_all(b"220-two lines\r\n220 ready\r\n").await?;
    let (mut line, mut messages, mut within) = (String::new(), 0, false);
    loop {
        line.clear();
        if peer.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let word = line.split([' ', ':', '\r']).next().unwrap_or_default();
        let reply: &[u8] = match word {
            _ if within && line == ".\r\n" => {
                within = false;
                messages += 1;
                if messages == bad { b"451 4.3.0 disk\r\n" } else { b"250 2.0.0 kept\r\n" }
            }
            _ if within => continue,
            "EHLO" | "LHLO" if pipelining => b"250-me\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            "EHLO" | "LHLO" => b"250 me\r\n",
            "MAIL" | "RCPT" => {
                // Without PIPELINING nothing may have been sent ahead.
                assert!(pipelining || peer.buffer().is_empty(), "pipelined unasked");
                b"250 ok\r\n"
            }
            "DATA" => {
                within = true;
                b"354 go\r\n"
            }
            "QUIT" => {
                peer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => panic!("unexpected {line:?}"),
        };
        peer.write_all(reply).await?;
    }
}

async fn deliver(pipelining: bool, dialect: Dialect, bad: u64) -> anyhow::Result<Sample> {
    let address = served(move |peer| smtp(peer, pipelining, bad)).await;
    let mut sessions = Vec::new();
    for lane in 0..3 {
        sessions.push(Delivery::open(address, dialect, 2048, lane, 10).await?);
    }
    rate(sessions, WINDOW, Some(std::process::id())).await
}

#[tokio::test]
async fn deliveries_are_counted_with_and_without_pipelining() {
    for (pipelining, dialect) in
        [(true, Dialect::Smtp), (false, Dialect::Smtp), (true, Dialect::Lmtp)]
    {
        let sample = deliver(pipelining, dialect, 0).await.expect("a well-behaved server");
        assert!(sample.operations > 10, "{sample:?}");
        // 2048 octets and the final dot's line.
        assert_eq!(sample.octets, sample.operations * 2051);
        assert!(sample.seconds >= 0.15 && sample.server_cpu_seconds.is_some());
    }
}

#[tokio::test]
async fn a_refused_message_ends_the_run_with_the_octets_seen() {
    let error = deliver(true, Dialect::Smtp, 5).await.expect_err("451").to_string();
    assert!(error.contains("expected reply 250") && error.contains("451 4.3.0 disk"), "{error}");
}

#[tokio::test]
async fn connections_are_counted() {
    let address = served(|peer| smtp(peer, true, 0)).await;
    let sample = rate(vec![Connect::new(address)], WINDOW, None).await.expect("connections");
    assert!(sample.operations > 5 && sample.server_cpu_seconds.is_none(), "{sample:?}");
}

/// A POP3 server with two messages; the second one has a stuffed line.
async fn pop3(mut peer: BufReader<TcpStream>) -> std::io::Result<()> {
    peer.write_all(b"+OK ready\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if peer.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match line.trim_end() {
            "LIST" => b"+OK\r\n1 10\r\n2 13\r\n.\r\n",
            "RETR 1" => b"+OK\r\n12345678\r\n.\r\n",
            "RETR 2" => b"+OK\r\n..2345\r\nabc\r\n.\r\n",
            "QUIT" => {
                peer.write_all(b"+OK bye\r\n").await?;
                return Ok(());
            }
            command if command.starts_with("USER ") || command.starts_with("PASS ") => b"+OK\r\n",
            command => panic!("unexpected {command}"),
        };
        peer.write_all(reply).await?;
    }
}

#[tokio::test]
async fn maildrops_are_read_round_after_round() {
    let address = served(pop3).await;
    let reader = Reader::new(address, "ann".to_owned(), "secret".to_owned());
    let sample = rate(vec![reader], WINDOW, None).await.expect("two messages");
    assert!(sample.operations > 4, "{sample:?}");
    let least = sample.operations / 2 * 23;
    assert!((least..=least + 13).contains(&sample.octets), "{sample:?}");
}

/// An IMAP server with one mailbox of `messages` messages. `found` messages match any search.
async fn imap(
    mut peer: BufReader<TcpStream>,
    capabilities: &'static str,
    messages: u64,
    found: u64,
) -> std::io::Result<()> {
    peer.write_all(b"* OK ready\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if peer.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (tag, command) = line.trim_end().split_once(' ').expect("a tag");
        let word = command.split(' ').next().unwrap_or_default();
        let (tag, word) = (tag.to_owned(), word.to_owned());
        let mut reply = String::new();
        match word.as_str() {
            "CAPABILITY" => reply.push_str(&format!("* CAPABILITY IMAP4rev1 {capabilities}\r\n")),
            "SELECT" => reply.push_str(&format!("* FLAGS ()\r\n* {messages} EXISTS\r\n")),
            "APPEND" => append(&mut peer, command.to_owned(), capabilities).await?,
            "FETCH" if command.contains("BODY") => {
                for number in 1..=messages {
                    // The literal looks like the end of the command, and like a response.
                    let body = format!("{tag} OK\r\n* 1 FETCH\r\n");
                    let length = body.len();
                    reply
                        .push_str(&format!("* {number} FETCH (BODY[] {{{length}}}\r\n{body})\r\n"));
                }
            }
            "FETCH" => {
                (1..=messages)
                    .for_each(|it| reply.push_str(&format!("* {it} FETCH (FLAGS ())\r\n")));
            }
            "SEARCH" => {
                let numbers: String = (1..=found).map(|number| format!(" {number}")).collect();
                reply.push_str(&format!("* SEARCH{numbers}\r\n"));
            }
            "LOGIN" | "LOGOUT" | "CREATE" => (),
            _ => panic!("unexpected {command}"),
        }
        reply.push_str(&format!("{tag} OK done\r\n"));
        peer.write_all(reply.as_bytes()).await?;
        if word == "LOGOUT" {
            return Ok(());
        }
    }
}

/// Reads the literals of an APPEND, of whichever kind was offered.
async fn append(
    peer: &mut BufReader<TcpStream>,
    mut line: String,
    capabilities: &str,
) -> std::io::Result<()> {
    while let Some((_, count)) =
        line.trim_end().strip_suffix('}').and_then(|it| it.rsplit_once('{'))
    {
        let unasked = count.ends_with('+');
        assert_eq!(unasked, capabilities.contains("LITERAL+"));
        if !unasked {
            assert!(peer.buffer().is_empty(), "the literal did not wait");
            peer.write_all(b"+ go\r\n").await?;
        }
        let mut literal = vec![0; count.trim_end_matches('+').parse().expect("a count")];
        peer.read_exact(&mut literal).await?;
        assert!(literal.starts_with(b"Received:") && literal.ends_with(b"\r\n"));
        line.clear();
        peer.read_line(&mut line).await?;
    }
    assert_eq!(line, "\r\n");
    Ok(())
}

async fn account(capabilities: &'static str, messages: u64, found: u64) -> Account {
    let address = served(move |peer| imap(peer, capabilities, messages, found)).await;
    Account { address, user: "ann".to_owned(), password: "secret".to_owned() }
}

#[tokio::test]
async fn imap_work_is_counted() {
    for capabilities in ["", "LITERAL+", "LITERAL+ MULTIAPPEND"] {
        let account = account(capabilities, 50, 0).await;
        fill(&account, "Box", 50, 1024).await.expect("50 messages");
        let append = Append::open(&account, 1024, 0).await.expect("a session");
        let sample = rate(vec![append], WINDOW, None).await.expect("appends");
        assert!(sample.operations > 5, "{capabilities}: {sample:?}");
        assert_eq!(sample.octets, sample.operations * 1024);
        let sample = rate(vec![LoginSelect(account)], WINDOW, None).await.expect("logins");
        assert!(sample.operations > 5, "{sample:?}");
    }
}

#[tokio::test]
async fn queries_are_held_against_the_mailbox() {
    let account = account("", 200, 2).await;
    for question in [Question::Flags, Question::Bodies, Question::SearchBody] {
        let mut query = Query::open(&account, "Box", question).await.expect("a session");
        let sample = repeat(&mut query, WINDOW, 3, None).await.expect("right answers");
        assert!(sample.operations >= 3 && sample.operation_ms.is_some_and(|ms| ms > 0.0));
        assert_eq!(sample.octets > 0, question == Question::Bodies);
        query.close().await.expect("LOGOUT");
    }
}

#[tokio::test]
async fn a_search_that_finds_too_few_or_too_many_is_an_error() {
    for found in [1, 3] {
        let account = account("", 200, found).await;
        let mut query =
            Query::open(&account, "Box", Question::SearchFrom).await.expect("a session");
        let error = query.operate(&Progress::default()).await.expect_err("2 match").to_string();
        assert!(error.contains(&format!("{found} answers from 200 messages")), "{error}");
    }
}

#[tokio::test]
async fn filling_notices_what_is_missing() {
    let account = account("LITERAL+", 49, 0).await;
    let error = fill(&account, "INBOX", 50, 1024).await.expect_err("one is lost").to_string();
    assert!(error.contains("49") && error.contains("50"), "{error}");
}
