//! The sender against the receiver, as real processes on loopback, while things go wrong.

mod backup;
mod bodies;
mod browser;
mod changes;
mod clients;
mod consumer;
mod crashes;
mod database;
mod databases;
mod hosts;
mod lives;
mod migration;
mod monitoring;
mod operations;
mod page;
mod pooler;
mod postgres;
mod processes;
mod reconcile;
mod sender;
mod sent;
mod setup;
mod stored;
mod supervisor;
mod urls;
