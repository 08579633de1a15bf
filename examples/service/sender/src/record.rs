//! The record: what was done, as lines of JSON.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

pub struct Record(Option<Mutex<BufWriter<File>>>);

impl Record {
    /// Without a path nothing is written.
    pub fn create(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(File::create).transpose()?;
        Ok(Self(file.map(|file| Mutex::new(BufWriter::new(file)))))
    }

    pub fn write(&self, line: impl FnOnce() -> Value) -> io::Result<()> {
        match &self.0 {
            Some(file) => {
                let line = line();
                writeln!(file.lock().unwrap(), "{line}")
            }
            None => Ok(()),
        }
    }

    pub fn flush(&self) -> io::Result<()> {
        match &self.0 {
            Some(file) => file.lock().unwrap().flush(),
            None => Ok(()),
        }
    }
}
