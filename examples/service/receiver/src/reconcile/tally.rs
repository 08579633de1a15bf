//! What came of a run.

use std::fmt;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages and flows, each of them once.
    pub asked: u64,
    /// Messages whose status changed, those in the steps of a flow included.
    pub recovered: u64,
    pub unchanged: u64,
    /// Flows that changed, or that were not known.
    pub flows_recovered: u64,
    pub flows_unchanged: u64,
    /// Messages from a recipient.
    pub inbound: u64,
    pub unknown: u64,
    pub unreadable: u64,
    /// Ids of a file that had white space or a byte-order mark around them.
    pub trimmed: u64,
    /// Ids that need not be asked for, or not yet.
    pub skipped: u64,
    pub failed: u64,
    pub requests: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "asked: {}", self.asked)?;
        writeln!(f, "recovered: {}", self.recovered)?;
        writeln!(f, "unchanged: {}", self.unchanged)?;
        writeln!(f, "flows recovered: {}", self.flows_recovered)?;
        writeln!(f, "flows unchanged: {}", self.flows_unchanged)?;
        writeln!(f, "inbound: {}", self.inbound)?;
        writeln!(f, "unknown to Routee: {}", self.unknown)?;
        writeln!(f, "unreadable: {}", self.unreadable)?;
        writeln!(f, "trimmed: {}", self.trimmed)?;
        writeln!(f, "skipped: {}", self.skipped)?;
        writeln!(f, "failed: {}", self.failed)?;
        write!(f, "requests: {}", self.requests)
    }
}
