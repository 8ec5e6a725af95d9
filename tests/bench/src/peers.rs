//! Sets up Postfix and Dovecot from Debian's packages, with configuration and data of their own.
//! Nothing outside the given directory and a short one for sockets is touched or read.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::server::{Addresses, Kind, Process, Server, free_address, quietly};

/// Says how to get a peer that is not there, or why it cannot be run.
pub(crate) fn missing(kind: Kind) -> Option<String> {
    let (program, packages) = match kind {
        Kind::Postfix | Kind::PostfixHold => ("postfix", "postfix"),
        Kind::SmtpSink => ("smtp-sink", "postfix"),
        _ => ("dovecot", "dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd"),
    };
    if find(program).is_none() {
        return Some(format!("not installed; on Debian: apt-get install {packages}"));
    }
    (kind != Kind::SmtpSink && !root()).then(|| {
        "needs root, since its processes change to users of their own; run as root".to_owned()
    })
}

/// Starts a peer with its data below `home`; Postfix relays everything to a next hop, if one is given.
pub(crate) fn start(kind: Kind, home: &Path, next_hop: Option<SocketAddr>) -> Result<Server> {
    // Their own users must be able to reach their data.
    fs::set_permissions(home, fs::Permissions::from_mode(0o755))?;
    match kind {
        Kind::Postfix | Kind::PostfixHold => postfix(kind, home, next_hop),
        Kind::SmtpSink => smtp_sink(home),
        _ => dovecot(kind, home),
    }
}

fn postfix(kind: Kind, home: &Path, next_hop: Option<SocketAddr>) -> Result<Server> {
    let address = free_address()?;
    let config = home.join("config");
    for directory in ["config", "queue", "data"] {
        fs::create_dir_all(home.join(directory))?;
    }
    ensure!(run("chown", &["postfix", &text(&home.join("data"))?]), "there is no user postfix");
    fs::write(config.join("main.cf"), postfix_main(kind, home, next_hop)?)?;
    fs::write(config.join("master.cf"), postfix_master(address))?;
    let with_config = |action: &str| -> Result<Command> {
        let mut command = Command::new(program("postfix")?);
        command.arg("-c").arg(&config).arg(action);
        Ok(command)
    };
    // Creates what is missing in the queue directory.
    ensure!(quietly(with_config("check")?), "postfix check refuses {}", config.display());
    let stop = with_config("stop")?;
    let process = Process::start(with_config("start-fg")?, home.join("log"), Some(stop))?;
    let fate = match (kind, next_hop) {
        (_, Some(_)) => "everything relayed, with its own limits",
        (Kind::PostfixHold, _) => "every message put on hold",
        _ => "every delivery deferred",
    };
    let version = output("postconf", &["-d", "-h", "mail_version"])?;
    Ok(Server {
        kind,
        addresses: Addresses { smtp: Some(address), ..Addresses::default() },
        facts: format!(
            "Postfix {version}, {fate}; an fsync of the queue file before each 250 (cannot be \
             turned off)"
        ),
        process,
    })
}

fn postfix_main(kind: Kind, home: &Path, next_hop: Option<SocketAddr>) -> Result<String> {
    let home = text(home)?;
    let fate = match (kind, next_hop) {
        (_, Some(next_hop)) => format!(
            "mydestination =\nrelayhost = [{}]:{}\ndisable_dns_lookups = yes\n\
             smtp_dns_support_level = disabled\nsmtpd_relay_restrictions = permit_mynetworks, reject",
            next_hop.ip(),
            next_hop.port()
        ),
        (Kind::PostfixHold, _) => {
            "mydestination = bench.example\nsmtpd_client_restrictions = static:HOLD".to_owned()
        }
        _ => "mydestination = bench.example\ndefer_transports = local".to_owned(),
    };
    // in_flow_delay would slow down intake, since this queue is not being emptied. No DNS is asked.
    Ok(format!(
        "compatibility_level = 3.6\n\
         queue_directory = {home}/queue\n\
         data_directory = {home}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         inet_interfaces = loopback-only\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         myhostname = peer.bench.example\n\
         alias_maps =\n\
         local_recipient_maps =\n\
         smtpd_peername_lookup = no\n\
         {fate}\n\
         in_flow_delay = 0\n"
    ))
}

fn postfix_master(address: SocketAddr) -> String {
    let mut services = format!("{address} inet n - n - - smtpd\n");
    // The sockets of cleanup and flush are looked for among the public ones.
    for (service, private, most, program) in [
        ("cleanup", "n", "0", "cleanup"),
        ("flush", "n", "0", "flush"),
        ("rewrite", "y", "-", "trivial-rewrite"),
        ("bounce", "y", "0", "bounce"),
        ("defer", "y", "0", "bounce"),
        ("trace", "y", "0", "bounce"),
        ("retry", "y", "-", "error"),
        ("error", "y", "-", "error"),
        ("discard", "y", "-", "discard"),
        ("proxymap", "y", "-", "proxymap"),
        ("anvil", "y", "1", "anvil"),
        ("smtp", "y", "-", "smtp"),
        ("scache", "y", "1", "scache"),
    ] {
        writeln!(services, "{service} unix {private} - n - {most} {program}")
            .expect("a String takes all");
    }
    services.push_str("qmgr unix n - n 300 1 qmgr\npickup unix n - n 60 1 pickup\n");
    services
}

fn smtp_sink(home: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(program("smtp-sink")?);
    // It refuses to serve as root, and names another user only as root.
    if root() {
        command.args(["-u", "nobody"]);
    }
    command.args([&address.to_string(), "128"]);
    Ok(Server {
        kind: Kind::SmtpSink,
        addresses: Addresses { smtp: Some(address), ..Addresses::default() },
        facts: "Postfix's smtp-sink; stores nothing, syncs nothing".to_owned(),
        process: Process::start(command, home.join("log"), None)?,
    })
}

fn dovecot(kind: Kind, home: &Path) -> Result<Server> {
    let addresses = Addresses {
        smtp: None,
        lmtp: Some(free_address()?),
        pop3: Some(free_address()?),
        imap: Some(free_address()?),
    };
    fs::create_dir_all(home.join("mail"))?;
    ensure!(run("chown", &["mail:mail", &text(&home.join("mail"))?]), "there is no user mail");
    let sockets = socket_directory(kind)?;
    let config = home.join("dovecot.conf");
    fs::write(&config, dovecot_config(kind, home, &sockets, &addresses)?)?;
    let mut command = Command::new(program("dovecot")?);
    command.arg("-F").arg("-c").arg(&config);
    let process = Process::start(command, home.join("log"), None)?;
    let version = output("dovecot", &["--version"])?;
    let config = text(&config)?;
    let sync = output("doveconf", &["-c", &config, "-h", "mail_fsync"])?;
    let location = output("doveconf", &["-c", &config, "-h", "mail_location"])?;
    let reuse =
        if kind == Kind::DovecotReuse { ", processes serve 1,000 sessions each" } else { "" };
    Ok(Server {
        kind,
        addresses,
        facts: format!("Dovecot {version}, {location}, mail_fsync={sync}{reuse}"),
        process,
    })
}

/// Where sockets go, which [`crate::scratch`] removes. Names of Unix sockets are short (108 octets
/// with the path), hence no directory below `home`.
pub(crate) fn sockets() -> PathBuf {
    std::env::temp_dir().join(format!("pillarbox-bench-{}", std::process::id()))
}

fn socket_directory(kind: Kind) -> Result<PathBuf> {
    let directory = sockets().join(kind.name());
    fs::create_dir_all(&directory)?;
    for level in [&sockets(), &directory] {
        fs::set_permissions(level, fs::Permissions::from_mode(0o755))?;
    }
    Ok(directory)
}

fn dovecot_config(
    kind: Kind,
    home: &Path,
    sockets: &Path,
    addresses: &Addresses,
) -> Result<String> {
    let (home, sockets) = (text(home)?, text(sockets)?);
    let format = match kind {
        Kind::DovecotSdbox => "sdbox",
        Kind::DovecotMdbox => "mdbox",
        _ => "maildir",
    };
    let port = |address: Option<SocketAddr>| address.map_or(0, |address| address.port());
    let listener = |service: &str, name: &str, port: u16, reuse: &str| {
        format!(
            "service {service} {{\n  inet_listener {name} {{\n    address = 127.0.0.1\n    \
             port = {port}\n  }}\n  inet_listener {name}s {{\n    port = 0\n  }}\n{reuse}}}\n"
        )
    };
    // Processes that stay keep their connections to the auth service, hence the higher limit.
    let (login, session, limit) = if kind == Kind::DovecotReuse {
        ("  service_count = 0\n  process_min_avail = 2\n", "1000", "default_client_limit = 10000\n")
    } else {
        ("", "1", "")
    };
    Ok(format!(
        "protocols = imap pop3 lmtp\n\
         base_dir = {sockets}\nstate_dir = {sockets}\nlog_path = /dev/stderr\n\
         ssl = no\ndisable_plaintext_auth = no\n\
         first_valid_uid = 1\nmail_location = {format}:~/mail\n\
         mail_max_userip_connections = 0\n\
         passdb {{\n  driver = static\n  args = nopassword=y\n}}\n\
         userdb {{\n  driver = static\n  args = uid=mail gid=mail home={home}/mail/%u\n}}\n\
         service imap {{\n  service_count = {session}\n  process_limit = 2048\n}}\n\
         service pop3 {{\n  service_count = {session}\n}}\n\
         {limit}{imap}{pop3}{lmtp}",
        imap = listener("imap-login", "imap", port(addresses.imap), login),
        pop3 = listener("pop3-login", "pop3", port(addresses.pop3), login),
        lmtp = format_args!(
            "service lmtp {{\n  inet_listener lmtp {{\n    address = 127.0.0.1\n    \
             port = {}\n  }}\n}}\n",
            port(addresses.lmtp)
        ),
    ))
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    ensure!(!text.contains(char::is_whitespace), "{text}: no peer takes a path with spaces");
    Ok(text.to_owned())
}

fn run(name: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(name);
    command.args(arguments);
    quietly(command)
}

fn output(name: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program(name)?).args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split(" (").next().unwrap_or_default().trim().to_owned())
}

fn program(name: &str) -> Result<PathBuf> {
    find(name).with_context(|| format!("{name} is not installed"))
}

fn root() -> bool {
    fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}

/// Servers live in /usr/sbin, which is not in every user's PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_holds_ports_and_paths() {
        let address = SocketAddr::from(([127, 0, 0, 1], 2143));
        let addresses = Addresses { imap: Some(address), ..Addresses::default() };
        let (home, sockets) = (Path::new("/h"), Path::new("/s"));
        let plain = dovecot_config(Kind::DovecotSdbox, home, sockets, &addresses).expect("UTF-8");
        assert!(plain.contains("port = 2143\n") && plain.contains("sdbox:~/mail"));
        assert!(plain.contains("home=/h/mail/%u") && plain.contains("base_dir = /s\n"));
        assert!(plain.contains("service_count = 1\n"));
        let reuse = dovecot_config(Kind::DovecotReuse, home, sockets, &addresses).expect("UTF-8");
        assert!(reuse.contains("service_count = 1000\n") && reuse.contains("maildir:~/mail"));
        assert!(postfix_main(Kind::Postfix, home, None).expect("UTF-8").contains("= /h/queue\n"));
        assert!(postfix_main(Kind::Postfix, Path::new("/a b"), None).is_err());
        let relaying = postfix_main(Kind::Postfix, home, Some(address)).expect("UTF-8");
        assert!(relaying.contains("relayhost = [127.0.0.1]:2143\n"));
        assert!(postfix_master(address).starts_with("127.0.0.1:2143 inet"));
    }

    #[test]
    fn programs_are_found_beyond_the_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-here").is_none());
    }
}
