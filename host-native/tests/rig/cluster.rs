//! A PostgreSQL of a test's own, on a socket in a directory of its own.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// A PostgreSQL server; stopped and removed with this.
pub(crate) struct Cluster {
    directory: PathBuf,
    server: Mutex<Child>,
    databases: AtomicU32,
}

impl Cluster {
    /// The one that the tests of this process share as long as any has it.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|broken| broken.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::start());
            *shared = Arc::downgrade(&new);
            new
        })
    }

    /// Starts one.
    pub(crate) fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // Short, since a socket's path is.
        let directory = PathBuf::from(format!("/tmp/pbx-pg-{}-{number}", std::process::id()));
        drop(fs::remove_dir_all(&directory));
        fs::create_dir_all(&directory).expect("it can be made");
        if is_root() {
            chown(&directory, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let data = directory.join("data");
        let made = command("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-A", "trust", "-U", "pillarbox", "-E", "UTF8", "--locale=C", "--no-sync", "-k"])
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb: {made}");
        let server = command("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&directory)
            .args(["-c", "listen_addresses=", "-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.join("log")).expect("it can be made"))
            .spawn()
            .expect("postgres starts");
        let cluster = Self { directory, server: Mutex::new(server), databases: 0.into() };
        let began = Instant::now();
        while !cluster
            .client("psql")
            .args(["-c", "SELECT 1", "postgres"])
            .status()
            .is_ok_and(|s| s.success())
        {
            assert!(began.elapsed() < Duration::from_secs(30), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    }

    /// The URL of a new database.
    pub(crate) fn database(&self) -> String {
        let name = format!("mail{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.client("createdb").arg(&name).status().expect("createdb runs");
        assert!(made.success(), "createdb: {made}");
        let host = self.directory.display().to_string().replace('/', "%2F");
        format!("postgres://pillarbox@{host}/{name}")
    }

    pub(crate) fn psql(&self, database: &str, sql: &str) {
        let done =
            self.client("psql").args(["-v", "ON_ERROR_STOP=1", "-c", sql, database]).status();
        assert!(done.expect("psql runs").success(), "{sql}");
    }

    fn client(&self, name: &str) -> Command {
        let mut client = Command::new(binary(name));
        client.arg("-h").arg(&self.directory).args(["-U", "pillarbox"]);
        client.stdout(Stdio::null()).stderr(Stdio::null());
        client
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut server = self.server.lock().unwrap_or_else(|broken| broken.into_inner());
        // Its immediate end: nobody needs what it has.
        let quit = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
        drop((quit, server.wait(), fs::remove_dir_all(&self.directory)));
    }
}

/// Who runs the server where the tests run as root, whom it refuses.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

fn command(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    command.current_dir("/tmp");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A program of PostgreSQL: Debian keeps those of the server out of the path.
fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = places.iter().map(|place| place.join(name)).find(|path| Path::is_file(path));
    found.unwrap_or_else(|| panic!("{name} is missing: install the package postgresql"))
}
