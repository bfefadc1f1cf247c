//! The numbers that `crates/bench/peers/inputs.py` made for both sides.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quant::stats::AssetReturns;

use crate::Error;

/// How many assets there are returns of.
const ASSETS: [usize; 4] = [20, 100, 500, 2_000];

/// Everything that is computed from.
pub(super) struct Inputs {
    returns: BTreeMap<usize, AssetReturns>,
    /// A million returns with heavy tails.
    pub(super) heavy: Vec<f64>,
    /// Percentages whose volatility moves.
    pub(super) clustered: Vec<f64>,
    /// The same with shocks that have heavy tails.
    pub(super) clustered_heavy: Vec<f64>,
}

// === impl Inputs ===

impl Inputs {
    /// Reads the files of a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let mut returns = BTreeMap::new();
        for assets in ASSETS {
            let values = read(&folder.join(format!("ret{assets}.npy")))?;
            let series =
                (0..assets).map(|a| values.iter().skip(a).step_by(assets).copied().collect());
            returns.insert(assets, AssetReturns::try_new(series.collect(), 2)?);
        }
        let heavy = read(&folder.join("heavy.npy"))?;
        let clustered = read(&folder.join("clustered.npy"))?;
        let clustered_heavy = read(&folder.join("clustered_heavy.npy"))?;
        Ok(Self { returns, heavy, clustered, clustered_heavy })
    }

    /// Returns of 20, 100, 500 or 2,000 assets.
    pub(super) fn returns(&self, assets: usize) -> Result<&AssetReturns, Error> {
        self.returns.get(&assets).ok_or_else(|| format!("no returns of {assets} assets").into())
    }
}

/// The numbers of a file in NumPy's format, version 1, row by row.
fn read(path: &Path) -> Result<Vec<f64>, Error> {
    let bytes = fs::read(path)?;
    let header = bytes.get(8..10).and_then(|length| length.try_into().ok());
    let start = 10 + usize::from(u16::from_le_bytes(header.ok_or("no header")?));
    let (chunks, rest) = bytes.get(start..).ok_or("no data")?.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(format!("{}: not numbers of eight bytes", path.display()).into());
    }
    Ok(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(bytes: &[u8]) -> Result<Vec<f64>, String> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        fs::write(&path, bytes).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_follow_a_header_of_the_length_that_it_names() {
        let mut bytes = b"\x93NUMPY\x01\x00\x03\x00abc".to_vec();
        bytes.extend([1.5_f64, -2.0].map(f64::to_le_bytes).concat());
        assert_eq!(read_from(&bytes), Ok(vec![1.5, -2.0]));
        bytes.pop();
        assert!(read_from(&bytes).unwrap_err().ends_with("not numbers of eight bytes"));
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused() {
        assert_eq!(read_from(b""), Err("no header".to_owned()));
        assert_eq!(read_from(b"\x93NUMPY\x01\x00\xff\x00"), Err("no data".to_owned()));
    }
}
