//! The folder of datasets: one file each, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{DatasetError, Imported, Manifest, Mistake, Name, Table, file};

/// The most datasets that a folder holds.
pub const DATASETS_MAX: usize = 1_000;

/// What the files are called after the dataset's name.
const SUFFIX: &str = ".dataset";

/// A folder of datasets. It need not be there: then it holds none.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    /// Held while a dataset is read, so that many calls at once hold no more than one does.
    reading: Arc<Mutex<()>>,
}

/// A dataset of the folder, or why its file is none.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// What is known of it.
    pub manifest: Result<Manifest, DatasetError>,
}

// === impl Store ===

impl Store {
    /// The datasets of a folder.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, reading: Arc::default() }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every dataset, by name. Files that are called otherwise are not looked at.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds more than [`DATASETS_MAX`].
    pub fn list(&self) -> Result<Vec<Listed>, DatasetError> {
        let names = self.names()?;
        let listed = names.into_iter().map(|name| {
            let manifest = self.open(&name).and_then(|(mut from, path)| {
                let manifest = file::manifest(&mut from, &path)?;
                is_of(&name, &manifest, &path)?;
                Ok(manifest)
            });
            Listed { name, manifest }
        });
        Ok(listed.collect())
    }

    /// Reads a dataset; one at a time, since each is held whole.
    ///
    /// # Errors
    /// When there is none of that name, or its file is not as it was written.
    pub fn read(&self, name: &Name) -> Result<(Manifest, Table), DatasetError> {
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut from, path) = self.open(name)?;
        let (manifest, table) = file::decode(&mut from, &path)?;
        is_of(name, &manifest, &path)?;
        Ok((manifest, table))
    }

    /// Keeps what was imported under a name that is free.
    ///
    /// # Errors
    /// When the name is taken, the folder is full or cannot be written.
    pub fn put(&self, name: &Name, imported: Imported) -> Result<Manifest, DatasetError> {
        let path = self.path(name);
        let taken = || {
            let rule = "must be a name that is free: remove that dataset first, or choose another";
            let example = format!("{name}_2");
            DatasetError::from(Mistake::new("name", name, rule, example))
        };
        fs::create_dir_all(&self.dir).map_err(|error| DatasetError::io(&self.dir, &error))?;
        if path.symlink_metadata().is_ok() {
            return Err(taken());
        }
        let count = self.names()?.len();
        if count >= DATASETS_MAX {
            let rule = format!("must be fewer than {DATASETS_MAX} before another: remove some");
            return Err(Mistake::new("datasets", count, rule, DATASETS_MAX - 1).into());
        }
        let (bytes, manifest) = file::encode(name, &imported.table, imported.sources)?;
        let beside = self.dir.join(format!(".{name}.{}.tmp", std::process::id()));
        let written = write(&beside, &bytes).and_then(|()| {
            // A link is refused when its name is taken, which a rename would not be.
            fs::hard_link(&beside, &path)?;
            File::open(&self.dir)?.sync_all()
        });
        let removed = fs::remove_file(&beside);
        match written {
            Ok(()) => removed.map_err(|error| DatasetError::io(&beside, &error))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken()),
            Err(error) => return Err(DatasetError::io(&path, &error)),
        }
        Ok(manifest)
    }

    /// Removes a dataset.
    ///
    /// # Errors
    /// When there is none of that name, or the folder cannot be written.
    pub fn remove(&self, name: &Name) -> Result<(), DatasetError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.none(name)),
            Err(error) => Err(DatasetError::io(&path, &error)),
        }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.dir.join(format!("{name}{SUFFIX}"))
    }

    fn names(&self) -> Result<Vec<Name>, DatasetError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(DatasetError::io(&self.dir, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| DatasetError::io(&self.dir, &error))?;
            let file = entry.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(SUFFIX));
            names.extend(name.and_then(|name| name.parse::<Name>().ok()));
            if names.len() > DATASETS_MAX {
                let rule = format!("must hold at most {DATASETS_MAX} datasets");
                let folder = self.dir.display();
                return Err(Mistake::new("folder", folder, rule, "fewer").into());
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &Name) -> Result<(BufReader<File>, String), DatasetError> {
        let path = self.path(name);
        let shown = path.display().to_string();
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.none(name)),
            Err(error) => return Err(DatasetError::io(&path, &error)),
        };
        if !meta.is_file() {
            let what = if meta.is_symlink() { "a symbolic link" } else { "no regular file" };
            let rule = "must be a regular file, as `bot4 dataset import` writes it";
            return Err(Mistake::new("file", what, rule, "a file").in_file(&shown).into());
        }
        let file = File::open(&path).map_err(|error| DatasetError::io(&path, &error))?;
        Ok((BufReader::new(file), shown))
    }

    fn none(&self, name: &Name) -> DatasetError {
        let rule = "must be the name of a dataset that was imported, see list_datasets";
        let known = self.names().ok().and_then(|names| names.into_iter().next());
        let example = known.map_or_else(|| "none is there yet".to_owned(), |name| name.to_string());
        Mistake::new("dataset", name, rule, example).into()
    }
}

/// A file that was given another name would answer for what it is not.
fn is_of(name: &Name, manifest: &Manifest, path: &str) -> Result<(), DatasetError> {
    if manifest.name == name.as_str() {
        return Ok(());
    }
    let rule = format!("must be {name}, as the file's: import it under that name");
    Err(Mistake::new("name", &manifest.name, rule, name).in_file(path).into())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What an earlier attempt left, which had the same process id.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Readable by agents that run as another user; who may enter the folder decides who reads.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
