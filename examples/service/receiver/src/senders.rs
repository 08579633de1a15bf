//! Who may send callbacks.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use routee_viber::{CALLBACK_HOST, SenderAllowlist};
use tokio::sync::watch;
use tokio::{task, time};
use tracing::{info, warn};

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Value;

const LOOK_UP_EVERY: Duration = Duration::from_mins(10);

/// How soon to look again if the name does not resolve.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(5);

/// How long an address counts after it was last seen: the host may have more addresses than one DNS answer has.
const SEEN_FOR: Duration = Duration::from_hours(24);

/// Which senders are allowed, as the command line says.
pub enum Allowed {
    Anybody,
    These(Vec<IpAddr>),
    /// The addresses of Routee's callback host, looked up again and again.
    Routee,
}

/// The list as it is now, and the task that keeps it up to date.
pub fn watch(
    allowed: Allowed,
    store: Arc<dyn Store>,
) -> (watch::Receiver<Option<SenderAllowlist>>, Option<impl Future<Output = ()> + Send>) {
    let (list, task) = match allowed {
        Allowed::Anybody => {
            warn!("callbacks are taken from anybody: see --allow-routee and --allow-from");
            (None, false)
        }
        Allowed::These(addresses) => (Some(addresses.into_iter().collect()), false),
        Allowed::Routee => (Some(SenderAllowlist::default()), true),
    };
    let (update, senders) = watch::channel(list);
    (senders, task.then(|| refresh(update, store)))
}

/// Begins with the saved list, so that Routee may send even if DNS fails at the start; then looks the name up again and
/// again.
async fn refresh(update: watch::Sender<Option<SenderAllowlist>>, store: Arc<dyn Store>) {
    match saved(&*store).await {
        Ok(list) => drop(update.send_replace(Some(list))),
        Err(error) => warn!(%error, "cannot read the saved list of senders"),
    }
    loop {
        let resolved = task::spawn_blocking(SenderAllowlist::resolve).await;
        let resolved = resolved.map_err(std::io::Error::other).flatten();
        let rest = match resolved {
            Ok(mut list) => {
                match save(&*store, &list).await {
                    Ok(saved) => list.extend(saved.iter()),
                    Err(error) => warn!(%error, "cannot save the list of senders"),
                }
                if update.borrow().as_ref() != Some(&list) {
                    info!(addresses = list.len(), "the list of senders has changed");
                    update.send_replace(Some(list));
                }
                LOOK_UP_EVERY
            }
            Err(error) => {
                let known = update.borrow().as_ref().map_or(0, SenderAllowlist::len);
                warn!(%error, known, "cannot resolve {CALLBACK_HOST}; the last list applies");
                LOOK_UP_AGAIN
            }
        };
        time::sleep(rest).await;
    }
}

/// The saved list, even if it is old: with an empty one, Routee could not send.
async fn saved(store: &dyn Store) -> Result<SenderAllowlist, StoreError> {
    let rows = store.query("SELECT address FROM sender", vec![]).await?;
    let addresses = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<&str>, _>>()?;
    Ok(addresses.iter().filter_map(|address| address.parse().ok()).collect())
}

/// Saves the list, forgets addresses that were last seen too long ago, and returns what is left.
async fn save(store: &dyn Store, list: &SenderAllowlist) -> Result<SenderAllowlist, StoreError> {
    let now = Utc::now();
    let upsert = "INSERT INTO sender (address, seen_at) VALUES ($1, $2)
                  ON CONFLICT (address) DO UPDATE SET seen_at = excluded.seen_at";
    let forget = "DELETE FROM sender WHERE seen_at < $1";
    let row = |address: IpAddr| vec![Value::from(address.to_string()), now.timestamp_millis().into()];
    let mut statements: Vec<_> = list.iter().map(|address| (upsert, row(address))).collect();
    statements.push((forget, vec![(now - SEEN_FOR).timestamp_millis().into()]));
    store.execute(statements).await?;
    saved(store).await
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::fake::open_in;

    #[tokio::test]
    async fn addresses_that_were_seen_today_count_too() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let list = |addresses: &[&str]| -> SenderAllowlist {
            addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect()
        };
        assert_eq!(saved(&*store).await, Ok(list(&[])));
        assert_eq!(save(&*store, &list(&["192.0.2.1", "2001:db8::1"])).await, Ok(list(&["192.0.2.1", "2001:db8::1"])));
        assert_eq!(save(&*store, &list(&["192.0.2.2"])).await, Ok(list(&["192.0.2.1", "192.0.2.2", "2001:db8::1"])));
        let long_ago = Value::from((Utc::now() - SEEN_FOR).timestamp_millis() - 1);
        let age = "UPDATE sender SET seen_at = $1 WHERE address <> '192.0.2.2'";
        store.execute(vec![(age, vec![long_ago])]).await.unwrap();
        assert_eq!(save(&*store, &list(&["192.0.2.2"])).await, Ok(list(&["192.0.2.2"])));
        store.close().await;
    }

    #[tokio::test]
    async fn a_start_without_name_service_takes_the_saved_list() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let list: SenderAllowlist = ["192.0.2.1".parse::<IpAddr>().unwrap()].into_iter().collect();
        save(&*store, &list).await.unwrap();
        let (mut senders, task) = watch(Allowed::Routee, store);
        assert_eq!(senders.borrow_and_update().as_ref(), Some(&SenderAllowlist::default()));
        let task = task::spawn(task.unwrap());
        senders.changed().await.unwrap();
        assert!(senders.borrow().as_ref().unwrap().contains("192.0.2.1".parse().unwrap()));
        task.abort();
    }
}
