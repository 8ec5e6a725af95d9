//! A small name server for tests: answers from a table over UDP and TCP on loopback, fails and keeps silent as told.
//! With a key it signs what it answers, as the root of a world of its own; that something is not there it cannot prove.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const RRSIG: u16 = 46;
const DNSKEY: u16 = 48;
const TLSA: u16 = 52;
/// RFC 8080 §3: Ed25519.
const ALGORITHM: u8 = 15;
/// Seconds that a record may be kept.
const TTL: u32 = 60;
/// Octets of an answer over UDP; a larger one is asked for again over TCP.
const UDP_MAX: usize = 1232;

/// A running name server; it ends with this value.
pub struct DnsServer {
    address: SocketAddr,
    table: Arc<Mutex<Table>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Table {
    /// By name and type, the data of records.
    records: HashMap<(String, u16), Vec<Vec<u8>>>,
    names: HashSet<String>,
    failing: HashSet<String>,
    silent: HashSet<String>,
    asked: HashMap<String, usize>,
    /// Signs all answers, but for these names: wrongly, or not at all.
    signer: Option<Ed25519KeyPair>,
    forged: HashSet<String>,
    bare: HashSet<String>,
}

impl DnsServer {
    /// Starts on a free port.
    ///
    /// # Panics
    /// If loopback has none.
    #[must_use]
    pub fn start() -> Self {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().expect("bound");
        let table: Arc<Mutex<Table>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let (its_table, its_over) = (Arc::clone(&table), Arc::clone(&over));
        let by_udp = std::thread::spawn(move || serve_udp(&udp, &its_table, &its_over));
        let (its_table, its_over) = (Arc::clone(&table), Arc::clone(&over));
        let by_tcp = std::thread::spawn(move || serve_tcp(&tcp, &its_table, &its_over));
        Self { address, table, over, threads: vec![by_udp, by_tcp] }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A mail exchanger; `.` for the null MX.
    pub fn mx(&self, domain: &str, preference: u16, exchange: &str) {
        let data = [&preference.to_be_bytes()[..], &wire_name(exchange)].concat();
        self.add(domain, MX, data);
    }

    /// An address of either kind.
    pub fn address_of(&self, host: &str, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.add(host, A, address.octets().to_vec()),
            IpAddr::V6(address) => self.add(host, AAAA, address.octets().to_vec()),
        }
    }

    /// Another name for a name.
    pub fn cname(&self, name: &str, target: &str) {
        self.add(name, CNAME, wire_name(target));
    }

    /// A name of an address, by the name that asks for it (`1.2.0.192.in-addr.arpa`).
    pub fn ptr(&self, name: &str, target: &str) {
        self.add(name, PTR, wire_name(target));
    }

    /// A text, in strings of at most 255 octets.
    pub fn txt(&self, name: &str, text: &str) {
        let strings = text.as_bytes().chunks(255);
        let data = strings.flat_map(|string| [&[string.len() as u8][..], string].concat());
        self.add(name, TXT, data.collect());
    }

    /// A certificate association.
    pub fn tlsa(&self, name: &str, numbers: [u8; 3], data: &[u8]) {
        self.add(name, TLSA, [&numbers[..], data].concat());
    }

    /// Signs all answers with a new key from now on; gives the line of a file of trust anchors that names it.
    ///
    /// # Panics
    /// If the machine has no entropy.
    #[must_use]
    pub fn sign(&self) -> String {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("entropy");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("it was just made");
        let public = pair.public_key().as_ref().to_vec();
        // RFC 4034 §2.1: a key of the zone, and its entry.
        self.add("", DNSKEY, [&[1, 1, 3, ALGORITHM][..], &public].concat());
        self.table().signer = Some(pair);
        format!(". 3600 IN DNSKEY 257 3 {ALGORITHM} {}\n", base64(&public))
    }

    /// What is said of this name has signatures of another key.
    pub fn forge(&self, name: &str) {
        self.table().forged.insert(name.to_owned());
    }

    /// What is said of this name has no signatures.
    pub fn strip(&self, name: &str) {
        self.table().bare.insert(name.to_owned());
    }

    /// Everything asked about this name fails on the server's side.
    pub fn fail(&self, name: &str) {
        self.table().failing.insert(name.to_owned());
    }

    /// Nothing asked about this name is answered.
    pub fn keep_silent(&self, name: &str) {
        self.table().silent.insert(name.to_owned());
    }

    /// Forgets all about a name.
    pub fn forget(&self, name: &str) {
        let mut table = self.table();
        let table = &mut *table;
        table.records.retain(|(other, _), _| other != name);
        for names in [&mut table.names, &mut table.failing, &mut table.silent] {
            names.remove(name);
        }
    }

    /// How often something about this name was asked.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        self.table().asked.get(name).copied().unwrap_or_default()
    }

    /// How many questions came in all.
    #[must_use]
    pub fn asked_in_all(&self) -> usize {
        self.table().asked.values().sum()
    }

    fn add(&self, name: &str, kind: u16, data: Vec<u8>) {
        let mut table = self.table();
        table.names.insert(name.to_owned());
        table.records.entry((name.to_owned(), kind)).or_default().push(data);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// One port for both.
fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = udp.local_addr().expect("bound");
        if let Ok(tcp) = TcpListener::bind(address) {
            udp.set_read_timeout(Some(Duration::from_millis(20))).expect("not zero");
            tcp.set_nonblocking(true).expect("a socket");
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

fn serve_udp(socket: &UdpSocket, table: &Mutex<Table>, over: &AtomicBool) {
    let mut query = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        let Ok((size, peer)) = socket.recv_from(&mut query) else { continue };
        let Some(mut answer) = answer(&query[..size], table) else { continue };
        if answer.len() > UDP_MAX {
            // TC, and nothing but the question.
            answer = truncated(&query[..size]);
        }
        drop(socket.send_to(&answer, peer));
    }
}

fn serve_tcp(listener: &TcpListener, table: &Mutex<Table>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        drop(stream.set_nonblocking(false));
        drop(stream.set_read_timeout(Some(Duration::from_millis(500))));
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut query).is_err() {
                break;
            }
            let Some(answer) = answer(&query, table) else { break };
            let size = u16::try_from(answer.len()).expect("tests keep to 64 KiB");
            if stream.write_all(&[&size.to_be_bytes()[..], &answer].concat()).is_err() {
                break;
            }
        }
    }
}

/// RFC 1035 §4.1.
fn answer(query: &[u8], table: &Mutex<Table>) -> Option<Vec<u8>> {
    let (asked, kind, question) = question(query)?;
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    *table.asked.entry(asked.clone()).or_default() += 1;
    if table.silent.contains(&asked) {
        return None;
    }
    let mut name = asked;
    let mut records = Vec::new();
    let code = loop {
        if table.failing.contains(&name) {
            break 2;
        }
        let found = table.records.get(&(name.clone(), kind));
        records.extend(found.into_iter().flatten().map(|data| (name.clone(), kind, data.clone())));
        let alias = table.records.get(&(name.clone(), CNAME)).filter(|_| kind != CNAME);
        let Some(target) = alias.and_then(|all| all.first()) else {
            break if table.names.contains(&name) { 0 } else { 3 };
        };
        records.push((name.clone(), CNAME, target.clone()));
        if records.len() > 16 {
            break 2;
        }
        name = read_name(target, 0)?.0;
    };
    let signatures = table.signatures(&records);
    records.extend(signatures);
    let count = u16::try_from(records.len()).ok()?;
    // QR, RD and RA, and the code.
    let mut out = [&query[..2], &[0x81, 0x80 | code]].concat();
    out.extend([0, 1]);
    out.extend(count.to_be_bytes());
    out.extend([0; 4]);
    out.extend(question);
    for (owner, kind, data) in records {
        out.extend(wire_name(&owner));
        out.extend(kind.to_be_bytes());
        // IN
        out.extend([0, 1]);
        out.extend(TTL.to_be_bytes());
        out.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        out.extend(data);
    }
    Some(out)
}

type Owned = (String, u16, Vec<u8>);

impl Table {
    /// One for each set of records in an answer, if they are signed.
    fn signatures(&self, records: &[Owned]) -> Vec<Owned> {
        let Some(pair) = &self.signer else { return Vec::new() };
        let key = self.records.get(&(String::new(), DNSKEY)).and_then(|keys| keys.last());
        let tag = key_tag(key.expect("it was added with the signer"));
        let mut sets: Vec<(String, u16)> = Vec::new();
        for (owner, kind, _) in records {
            let set = (owner.clone(), *kind);
            if !sets.contains(&set) && !self.bare.contains(owner) {
                sets.push(set);
            }
        }
        let signed = sets.into_iter().map(|(owner, kind)| {
            let all = records.iter().filter(|record| record.0 == owner && record.1 == kind);
            let mut data: Vec<&[u8]> = all.map(|record| &record.2[..]).collect();
            data.sort_unstable();
            let mut signature = signature(pair, tag, &owner, kind, &data);
            if self.forged.contains(&owner) {
                *signature.last_mut().expect("it is long") ^= 1;
            }
            (owner, RRSIG, signature)
        });
        signed.collect()
    }
}

/// The data of an RRSIG of the root (RFC 4034 §3.1).
fn signature(pair: &Ed25519KeyPair, tag: u16, owner: &str, kind: u16, data: &[&[u8]]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let time = |at: u64| u32::try_from(at).expect("before 2106").to_be_bytes();
    let labels = owner.split('.').filter(|label| !label.is_empty()).count();
    let mut out = [&kind.to_be_bytes()[..], &[ALGORITHM, labels as u8]].concat();
    out.extend(TTL.to_be_bytes());
    out.extend(time(now + 86_400));
    out.extend(time(now - 3600));
    out.extend(tag.to_be_bytes());
    out.extend(wire_name(""));
    let mut signed = out.clone();
    for data in data {
        signed.extend(wire_name(owner));
        signed.extend(kind.to_be_bytes());
        signed.extend([0, 1]);
        signed.extend(TTL.to_be_bytes());
        signed.extend(u16::try_from(data.len()).expect("tests keep it short").to_be_bytes());
        signed.extend(*data);
    }
    out.extend(pair.sign(&signed).as_ref());
    out
}

/// RFC 4034 appendix B.
fn key_tag(key: &[u8]) -> u16 {
    let octets = key.iter().enumerate();
    let sum: u32 = octets.map(|(at, octet)| u32::from(*octet) << (8 * ((at as u32 + 1) & 1))).sum();
    (sum + (sum >> 16)) as u16
}

fn base64(octets: &[u8]) -> String {
    let encoded = pillarbox_engine::text::base64::encode(octets);
    String::from_utf8(encoded).expect("ASCII")
}

fn truncated(query: &[u8]) -> Vec<u8> {
    let question = question(query).map_or_else(Vec::new, |(_, _, question)| question);
    let head = [&query[..2], &[0x83, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    [head, question].concat()
}

/// The name in lower case, the type, and the whole question as it came.
fn question(query: &[u8]) -> Option<(String, u16, Vec<u8>)> {
    let (name, end) = read_name(query, 12)?;
    let kind = u16::from_be_bytes(query.get(end..end + 2)?.try_into().ok()?);
    Some((name, kind, query.get(12..end + 4)?.to_vec()))
}

fn read_name(octets: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*octets.get(at)?);
        if length == 0 {
            return Some((labels.join("."), at + 1));
        }
        let label = octets.get(at + 1..at + 1 + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + length;
    }
}

fn wire_name(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut out: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat()).collect();
    out.push(0);
    out
}
