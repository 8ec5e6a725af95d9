//! What tests of several stores share: which stores there are, and a PostgreSQL of the test's own.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod cluster;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use pillarbox::config::{Data, Database};

use cluster::Cluster;

/// A store that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// How many runs a test makes: what goes through a socket for each statement makes fewer.
    pub(crate) fn runs(self, many: u64) -> u64 {
        if self == Self::Postgres { many / 6 } else { many }
    }
}

/// Where a store of a test is; gone with this.
pub(crate) struct Place {
    pub(crate) data: Data,
    pub(crate) directory: PathBuf,
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) url: Option<String>,
}

impl Place {
    pub(crate) fn new(kind: Kind, name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("pillarbox-{name}-{kind:?}-{}", std::process::id()));
        drop(fs::remove_dir_all(&directory));
        match kind {
            Kind::Sqlite => Self {
                data: Data::Directory(directory.clone()),
                directory,
                cluster: None,
                url: None,
            },
            Kind::Postgres => {
                let cluster = Cluster::shared();
                let url = cluster.database();
                let database = Database::new(&url, directory.clone()).expect("it is near");
                let data = Data::Database(database);
                Self { data, directory, cluster: Some(cluster), url: Some(url) }
            }
        }
    }

    /// Runs a statement without the store's knowledge.
    pub(crate) fn by_hand(&self, sql: &str) {
        match &self.data {
            Data::Database(database) => {
                let shown = database.to_string();
                let name = shown.split(' ').next().expect("its name comes first");
                let cluster = self.cluster.as_ref().expect("it has one");
                let sql = sql.replace("CAST('n' || i AS BLOB)", "convert_to('n' || i, 'UTF8')");
                cluster.psql(name, &format!("SET search_path = pillarbox; {sql}"));
            }
            _ => {
                let file = rusqlite::Connection::open(self.directory.join("mail.db"));
                file.expect("it is a database").execute_batch(sql).expect("it is right");
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}
