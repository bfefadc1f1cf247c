//! Datasets from outside: files are imported, kept, named and read again.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod binance;
mod captures;
mod folder;
mod named;
mod parquet;
mod text;

use std::fs;
use std::path::PathBuf;

use dataset::{Format, Import, Imported, import};
use tempfile::TempDir;

/// A folder with files to import.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// What is wrong with a file, without the folder it lies in.
    #[track_caller]
    fn refused(&self, of: &Import) -> String {
        let message = import(of).unwrap_err().to_string();
        message.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn plain(file: PathBuf) -> Import {
    Import { files: vec![file], format: None, values: None, columns: None, interval_ms: None }
}

fn of_format(file: PathBuf, format: Format) -> Import {
    Import { format: Some(format), ..plain(file) }
}

#[track_caller]
fn imported(of: &Import) -> Imported {
    import(of).unwrap()
}
