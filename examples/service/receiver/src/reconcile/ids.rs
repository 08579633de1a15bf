//! Tracking ids from a file, one per line. White space and byte-order marks around an id are dropped.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{self, Path};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use tracing::warn;

use crate::entry::{LONGEST_ID, fault_of_id};

/// The longest line, so that an id may have white space around it.
const LONGEST_LINE: usize = 4 * LONGEST_ID;
const LINE_TOO_LONG: &str = "the line is longer than 4 KiB";

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The file, read piece by piece, since it may hold millions.
pub struct Ids {
    file: BufReader<File>,
    line: u64,
    /// How many bytes were read.
    pub place: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub ids: Vec<String>,
    /// How many of the ids had something around them that was dropped.
    pub trimmed: u64,
    /// How many lines are not an id that can be asked for.
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
            match id_of(&line) {
                Ok("") => {}
                Ok(id) => {
                    piece.trimmed += u64::from(id.len() < line.len());
                    piece.ids.push(id.to_owned());
                }
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
        let longest = LONGEST_LINE as u64 + 2;
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

fn id_of(line: &[u8]) -> Result<&str, &'static str> {
    if line.len() > LONGEST_LINE {
        return Err(LINE_TOO_LONG);
    }
    let line = str::from_utf8(line).map_err(|_| "the id is not UTF-8")?;
    let id = line.trim_matches(|letter: char| letter.is_whitespace() || letter == BYTE_ORDER_MARK);
    match fault_of_id(id) {
        None => Ok(id),
        Some(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// The ids of each piece, how many were trimmed, and how many lines are at fault.
    fn pieces(content: &[u8], most: usize) -> Vec<(Vec<String>, u64, u64)> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ids");
        std::fs::write(&path, content).unwrap();
        let mut ids = Ids::open(&path).unwrap();
        let mut pieces = Vec::new();
        while let Some(piece) = ids.next(most).unwrap() {
            pieces.push((piece.ids, piece.trimmed, piece.faults));
        }
        assert_eq!((ids.place, ids.size().unwrap()), (content.len() as u64, content.len() as u64));
        pieces
    }

    fn texts(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_is_read_piece_by_piece() {
        assert_eq!(pieces(b"a\nb\r\n\n\r\nc\nd", 2), [(texts(&["a", "b"]), 0, 0), (texts(&["c", "d"]), 0, 0)]);
        assert_eq!(pieces(b"", 2), []);
        assert_eq!(pieces(b"\n\n", 2), []);
    }

    #[test]
    fn white_space_and_marks_around_an_id_are_dropped_and_counted() {
        let content = "\u{feff}a\n\tb\n c \r\nd\n\u{feff} e f\u{a0}\n\u{feff}\n \t\n\r\r\n";
        assert_eq!(pieces(content.as_bytes(), 10), [(texts(&["a", "b", "c", "d", "e f"]), 4, 0)]);
        assert_eq!(pieces("\u{feff}".as_bytes(), 10), []);
    }

    #[test]
    fn a_line_has_a_longest_length_with_white_space() {
        let fits = format!("{}a", " ".repeat(LONGEST_LINE - 1));
        for end in ["", "\n", "\r\n"] {
            assert_eq!(pieces(format!("{fits}{end}").as_bytes(), 10), [(texts(&["a"]), 1, 0)]);
            assert_eq!(pieces(format!(" {fits}{end}").as_bytes(), 10), [(vec![], 0, 1)]);
        }
        let blank = " ".repeat(100_000);
        assert_eq!(pieces(format!("{blank}a\nb").as_bytes(), 10), [(texts(&["b"]), 0, 1)]);
    }

    #[test]
    fn lines_that_are_not_ids_are_counted_and_skipped() {
        let (fits, long) = ("i".repeat(LONGEST_ID), "i".repeat(LONGEST_ID + 1));
        let longer = "i".repeat(100_000);
        // A quote takes two bytes in a key.
        let quoted = "\"".repeat(LONGEST_ID / 2 + 1);
        let lines = [fits.as_str(), &long, "a\0b", &longer, &quoted, &format!("{fits}\r"), "last"].join("\n");
        assert_eq!(pieces(lines.as_bytes(), 10), [(vec![fits.clone(), fits, "last".to_owned()], 0, 4)]);
        assert_eq!(pieces(b"a\n\xff\nb", 10), [(texts(&["a", "b"]), 0, 1)]);
        assert_eq!(pieces(format!("{long}\n{longer}").as_bytes(), 10), [(vec![], 0, 2)]);
    }
}
