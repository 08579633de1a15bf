//! Tracking ids from a file, one per line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{self, Path};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use tracing::warn;

use crate::entry::{ID_TOO_LONG, LONGEST_ID, fault_of_id};

/// The file, read piece by piece, since it may hold millions.
pub struct Ids {
    file: BufReader<File>,
    line: u64,
    /// How many bytes were read.
    pub place: u64,
}

/// Ids, and how many lines are not an id that can be asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub ids: Vec<String>,
    pub faults: u64,
}

impl Ids {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { file: BufReader::new(file), line: 0, place: 0 })
    }

    /// Tells this file from others, and from itself before it was last written.
    pub fn identity(&self, path: &Path) -> io::Result<String> {
        let metadata = self.file.get_ref().metadata()?;
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Ok(format!("{} {} {changed}", path::absolute(path)?.display(), metadata.len()))
    }

    pub fn size(&self) -> io::Result<u64> {
        Ok(self.file.get_ref().metadata()?.len())
    }

    /// The next ids, at most that many; `None` at the end. A line that is not an id is logged with its number.
    pub fn next(&mut self, most: usize) -> io::Result<Option<Piece>> {
        let mut piece = Piece::default();
        while piece.ids.len() < most {
            let Some(line) = self.next_line()? else { break };
            let id = if line.len() > LONGEST_ID { Err(ID_TOO_LONG) } else { id_of(line) };
            match id {
                Ok(id) if id.is_empty() => {}
                Ok(id) => piece.ids.push(id),
                Err(fault) => {
                    warn!("line {}: {fault}", self.line);
                    piece.faults += 1;
                }
            }
        }
        Ok((piece != Piece::default()).then_some(piece))
    }

    /// The next line without its end. A line that is too long is cut, but is still too long.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let longest = LONGEST_ID as u64 + 2;
        let mut read = self.file.by_ref().take(longest).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            read += self.file.skip_until(b'\n')?;
        }
        self.line += 1;
        self.place += read as u64;
        if line.ends_with(b"\n") {
            line.pop();
        }
        if line.ends_with(b"\r") {
            line.pop();
        }
        Ok(Some(line))
    }
}

fn id_of(line: Vec<u8>) -> Result<String, &'static str> {
    let id = String::from_utf8(line).map_err(|_| "the id is not UTF-8")?;
    match fault_of_id(&id) {
        None => Ok(id),
        Some(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn pieces(content: &[u8], most: usize) -> Vec<(Vec<String>, u64)> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ids");
        std::fs::write(&path, content).unwrap();
        let mut ids = Ids::open(&path).unwrap();
        let mut pieces = Vec::new();
        while let Some(piece) = ids.next(most).unwrap() {
            pieces.push((piece.ids, piece.faults));
        }
        assert_eq!((ids.place, ids.size().unwrap()), (content.len() as u64, content.len() as u64));
        pieces
    }

    fn texts(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_is_read_piece_by_piece() {
        assert_eq!(pieces(b"a\nb\r\n\n\r\n c\nd", 2), [(texts(&["a", "b"]), 0), (texts(&[" c", "d"]), 0)]);
        assert_eq!(pieces(b"", 2), []);
        assert_eq!(pieces(b"\n\n", 2), []);
    }

    #[test]
    fn lines_that_are_not_ids_are_counted_and_skipped() {
        let (fits, long) = ("i".repeat(LONGEST_ID), "i".repeat(LONGEST_ID + 1));
        let longer = "i".repeat(100_000);
        // A quote takes two bytes in a key.
        let quoted = "\"".repeat(LONGEST_ID / 2 + 1);
        let lines = [fits.as_str(), &long, "a\0b", &longer, &quoted, &format!("{fits}\r"), "last"].join("\n");
        assert_eq!(pieces(lines.as_bytes(), 10), [(vec![fits.clone(), fits, "last".to_owned()], 4)]);
        assert_eq!(pieces(b"a\n\xff\nb", 10), [(texts(&["a", "b"]), 1)]);
        assert_eq!(pieces(format!("{long}\n{longer}").as_bytes(), 10), [(vec![], 2)]);
    }
}
