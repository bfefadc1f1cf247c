//! Reads the lines of recorded captures, file after file, and knows where it stands.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

/// Longest line there may be; a snapshot of 5000 levels a side needs a tenth of it.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// Why a capture cannot be read any further.
#[derive(Debug, Error)]
pub(crate) enum CaptureError {
    /// The file cannot be opened or is no gzip file.
    #[error("{path}: {source}")]
    Open {
        /// Which file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file ends in the middle or is damaged.
    #[error("{path}: line {line}: the file is damaged or cut off: {source}")]
    Damaged {
        /// Which file.
        path: String,
        /// The line that could not be read, counted from one.
        line: u64,
        /// What the decoder says.
        source: std::io::Error,
    },
    /// A line is longer than any message can be.
    #[error("{path}: line {line} is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong {
        /// Which file.
        path: String,
        /// Which line, counted from one.
        line: u64,
    },
}

/// Recorded files that continue each other.
#[derive(Debug)]
pub(super) struct Capture {
    /// Files that are still to be read, the next one last.
    waiting: Vec<PathBuf>,
    open: Option<OpenFile>,
    line: Vec<u8>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    reader: BufReader<MultiGzDecoder<BufReader<File>>>,
    lines: u64,
}

// === impl Capture ===

impl Capture {
    /// Opens the first file; the others are checked to be there.
    pub(super) fn open(files: &[PathBuf]) -> Result<Self, CaptureError> {
        for path in files {
            check_gzip(path)?;
        }
        let waiting = files.iter().rev().cloned().collect();
        Ok(Self { waiting, open: None, line: Vec::new() })
    }

    /// The next line without its end; `None` after the last line of the last file.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, CaptureError> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.waiting.pop() else { return Ok(None) };
                self.open = Some(OpenFile::open(path)?);
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            self.line.clear();
            if open.read(&mut self.line)? {
                return Ok(Some(&self.line));
            }
            self.open = None;
        }
    }

    /// File and number of the last line that was read.
    pub(super) fn place(&self) -> String {
        match &self.open {
            Some(open) => format!("{}:{}", open.path.display(), open.lines),
            None => "no file".to_owned(),
        }
    }
}

// === impl OpenFile ===

impl OpenFile {
    fn open(path: PathBuf) -> Result<Self, CaptureError> {
        let file = File::open(&path)
            .map_err(|source| CaptureError::Open { path: path.display().to_string(), source })?;
        let reader = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(BufReader::new(file)));
        Ok(Self { path, reader, lines: 0 })
    }

    /// Reads one line; false at the end of the file.
    fn read(&mut self, line: &mut Vec<u8>) -> Result<bool, CaptureError> {
        let path = || self.path.display().to_string();
        let number = self.lines.saturating_add(1);
        let limit = LINE_BYTES_MAX.saturating_add(1);
        let count = (&mut self.reader)
            .take(limit)
            .read_until(b'\n', line)
            .map_err(|source| CaptureError::Damaged { path: path(), line: number, source })?;
        if count == 0 {
            return Ok(false);
        }
        self.lines = number;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if u64::try_from(count).unwrap_or(u64::MAX) >= limit {
            return Err(CaptureError::LineTooLong { path: path(), line: number });
        }
        Ok(true)
    }
}

/// Looks at the first two bytes, so that a wrong file is refused before trading starts.
fn check_gzip(path: &Path) -> Result<(), CaptureError> {
    let error = |source| CaptureError::Open { path: path.display().to_string(), source };
    let mut magic = [0_u8; 2];
    File::open(path).map_err(error)?.read_exact(&mut magic).map_err(error)?;
    if magic == [0x1f, 0x8b] {
        return Ok(());
    }
    Err(error(std::io::Error::new(std::io::ErrorKind::InvalidData, "not a gzip file")))
}
