//! The file of what is known of domains' policies: a line is added for each policy that is fetched, and the file is
//! written anew when most of its lines are old. It is a cache: a line that cannot be read, or written, is left out.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DOMAINS_MAX, Kept, Policy};

/// Octets of the file that are read; as many policies as are kept take a hundredth of it.
const OCTETS_MAX: u64 = 256 << 20;
/// Lines beyond those that are needed, before the file is written anew.
const OLD_LINES_MAX: usize = 1000;

/// The file, open for more.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

#[derive(Serialize, Deserialize)]
struct Line {
    domain: String,
    id: String,
    until_ms: u64,
    renew_ms: u64,
    policy: Policy,
}

impl Journal {
    /// Opens the file, and reads what has not ended.
    pub(super) fn open(path: &Path, now_ms: u64) -> io::Result<(Self, HashMap<String, Kept>)> {
        let mut kept = HashMap::new();
        match File::open(path) {
            Ok(file) => {
                for line in BufReader::new(file.take(OCTETS_MAX)).split(b'\n') {
                    let Ok(line) = serde_json::from_slice::<Line>(&line?) else {
                        continue;
                    };
                    let Line { domain, id, until_ms, renew_ms, policy } = line;
                    let policy = Some(Arc::new(policy));
                    if until_ms > now_ms {
                        let (is_used, failing) = (false, None);
                        let found = Kept { id, policy, until_ms, renew_ms, is_used, failing };
                        kept.insert(domain, found);
                    } else {
                        kept.remove(&domain);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if kept.len() > DOMAINS_MAX {
            let mut ends: Vec<u64> = kept.values().map(|kept| kept.until_ms).collect();
            ends.sort_unstable();
            let least = ends[ends.len() - DOMAINS_MAX];
            kept.retain(|_, kept| kept.until_ms >= least);
        }
        let file = rewrite(path, &kept)?;
        Ok((Self { path: path.to_owned(), file, lines: kept.len() }, kept))
    }

    /// Adds what has become known of a domain. The kernel keeps it when the process is killed.
    pub(super) fn note(&mut self, domain: &str, all: &HashMap<String, Kept>) {
        let noted = match all.get(domain) {
            Some(kept) if self.lines < all.len() + OLD_LINES_MAX => {
                self.lines += 1;
                add(&mut self.file, domain, kept)
            }
            _ => rewrite(&self.path, all).map(|file| {
                self.file = file;
                self.lines = all.len();
            }),
        };
        if let Err(error) = noted {
            let file = self.path.display();
            tracing::warn!(%file, %error, "an MTA-STS policy could not be written down");
        }
    }
}

/// Writes the file anew, so that it is whole at any time.
fn rewrite(path: &Path, all: &HashMap<String, Kept>) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let mut file = BufWriter::new(file);
    for (domain, kept) in all {
        add(&mut file, domain, kept)?;
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    Ok(file)
}

fn add(file: &mut impl Write, domain: &str, kept: &Kept) -> io::Result<()> {
    // That there is none, or that it could not be had, is of no use to the next process.
    let Some(policy) = &kept.policy else { return Ok(()) };
    let Kept { id, until_ms, renew_ms, .. } = kept.clone();
    let (domain, policy) = (domain.to_owned(), Policy::clone(policy));
    let mut line = serde_json::to_vec(&Line { domain, id, until_ms, renew_ms, policy })?;
    line.push(b'\n');
    file.write_all(&line)
}
