//! Bodies that mean harm, or that no database takes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::read::{GzEncoder, ZlibEncoder};
use routee_viber::{Incoming, samples};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::database::Database;
use crate::postgres::Postgres;
use crate::processes::{PATIENCE, Receiver};
use crate::setup::{Directory, serve_on_sqlite};
use crate::stored::Stored;

const LONGEST_BODY: usize = 64 << 10;

#[tokio::test]
async fn strange_bodies_are_answered_200_and_strange_senders_403() -> Result<()> {
    let directory = Directory::new().await?;
    let database = Database::sqlite(&directory);
    let strange = r#"{"trackingId":"<b>1","status":"<i>?","carrier<u>":"A","ttl":10}"#;

    let receiver = Receiver::start(&directory, &database, &[]).await?;
    let id_too_long = format!(r#"{{"trackingId":"{}","status":"SEEN"}}"#, "1".repeat(3000));
    let broken = r#"{"trackingId":"half","label":"\ud83d","status":"SEEN"}"#;
    for body in [strange, strange, broken, "", r#"{"trackingId":"\u0000","status":"SEEN"}"#, &id_too_long] {
        ensure!(receiver.post(body.to_owned()).await? == 200);
    }
    ensure!(receiver.post(" ".repeat(LONGEST_BODY)).await? == 200);
    ensure!(receiver.post(" ".repeat(LONGEST_BODY + 1)).await? == 413);
    let stored = Stored::read(&database).await?;
    ensure!((stored.messages.len(), stored.unreadable.len()) == (2, 4));

    let page = receiver.get("/").await?;
    ensure!(page.contains("&lt;i&gt;?") && page.contains("carrier&lt;u&gt;"), "{page}");
    ensure!(!page.contains("<b>1") && !page.contains("<i>?") && !page.contains("<u>"), "{page}");
    ensure!(receiver.metric("routee_kept_total{kind=\"status\",verdict=\"duplicate\"}").await? == 1);
    ensure!(receiver.metric("routee_anomalies_total{kind=\"broken_text\"}").await? == 1);
    receiver.terminate().await?;

    let receiver = Receiver::start(&directory, &database, &["--allow-from=192.0.2.1"]).await?;
    ensure!(receiver.post(strange).await? == 403);
    receiver.terminate().await?;
    let receiver = Receiver::start(&directory, &database, &["--allow-from=127.0.0.1"]).await?;
    ensure!(receiver.post(strange).await? == 200);
    receiver.terminate().await
}

/// The same change of the same message, and why.
fn because(id: &str, reason: &str) -> String {
    let status = json!({ "name": "FAILED", "updatedDate": "2026-11-01T00:00:00Z", "reason": reason });
    json!({ "trackingId": id, "status": status }).to_string()
}

#[tokio::test]
async fn a_callback_with_the_key_of_another_and_other_bytes_is_kept_beside_it() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let receiver = Receiver::start(&directory, database, &[]).await?;
        for reason in ["first", "later", "later", "first", "last"] {
            ensure!(receiver.post(because("m", reason)).await? == 200);
        }
        for (verdict, rows) in [("advance", 1), ("variant", 2), ("duplicate", 2), ("stale", 0)] {
            let metric = format!("routee_kept_total{{kind=\"status\",verdict=\"{verdict}\"}}");
            ensure!(receiver.metric(&metric).await? == rows, "{verdict}: {}", receiver.get("/metrics").await?);
        }
        let message: Value = serde_json::from_str(&receiver.get("/messages/m").await?)?;
        ensure!(message["status"]["reason"]["detailedStatus"] == "first", "{message}");
        let history = message["history"].as_array().context("no history")?;
        let history: Vec<_> =
            history.iter().map(|row| (&row["status"]["reason"]["detailedStatus"], &row["isVariant"])).collect();
        let expected = [("first", false), ("later", true), ("last", true)].map(|(r, v)| (json!(r), json!(v)));
        ensure!(history == expected.each_ref().map(|(reason, is_variant)| (reason, is_variant)), "{message}");
        let page = receiver.get("/message?id=m").await?;
        ensure!(page.matches(" again, with other content").count() == 2, "{page}");
        let changes = receiver.get("/changes?after=0").await?;
        ensure!(changes.lines().count() == 1 && changes.contains("first"), "{changes}");
        receiver.terminate().await?;
    }
    Ok(())
}

/// Both receivers get each of them at the same moment, so that batches hold several and wait for each other.
#[tokio::test]
async fn of_callbacks_with_one_key_two_receivers_keep_each_once() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let start = || Receiver::start(&directory, &postgres.database, &[]);
    let (one, other) = tokio::try_join!(start(), start())?;
    for round in 0..10 {
        let mut posting = JoinSet::new();
        for number in 0..40 {
            for receiver in [&one, &other] {
                let body = because(&format!("round {round}"), &format!("reason {}", number % 20));
                let (client, url) = (receiver.client.clone(), format!("{}/callbacks", receiver.url));
                // Whoever waits for the other one for too long is answered 503, and comes again.
                posting.spawn(timeout(PATIENCE, async move {
                    while client.post(&url).body(body.clone()).send().await?.status() != 200 {}
                    anyhow::Ok(())
                }));
            }
        }
        while let Some(taken) = posting.join_next().await {
            taken???;
        }
    }
    let database = &postgres.database;
    let bodies = "SELECT count(*), count(DISTINCT body), count(*) FILTER (WHERE NOT is_variant) FROM history
                  GROUP BY about, key";
    let found = database.rows(bodies).await?;
    ensure!(found.len() == 10 && found.iter().all(|row| *row == ["20", "20", "1"]), "{found:?}");
    ensure!(database.number("SELECT count(*) FROM change").await? == 10);
    // What moved the message is the first of its key.
    let moved = "SELECT count(*) FROM message JOIN history USING (tracking_id) WHERE NOT is_variant
                 AND convert_from(body, 'UTF8')::jsonb #>> '{status,reason}' = message.reason";
    ensure!(database.number(moved).await? == 10);
    let (mut refused, mut variants) = (0, 0);
    for receiver in [one, other] {
        refused += receiver.refused().await?;
        variants += receiver.metric("routee_kept_total{kind=\"status\",verdict=\"variant\"}").await?;
        receiver.terminate().await?;
    }
    // Of a batch that was refused it is not known what was kept.
    ensure!(variants == 190 || refused > 0, "{variants} variants");
    Ok(())
}

/// A body as Node.js compresses it.
const BROTLI: &[u8] = b"\x0b\x13\x80{\"trackingId\":\"brotli\",\"status\":\"SEEN\"}\x03";

fn compressed(encoding: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    if encoding == "gzip" {
        GzEncoder::new(body, Compression::best()).read_to_end(&mut compressed)?;
    } else {
        ZlibEncoder::new(body, Compression::best()).read_to_end(&mut compressed)?;
    }
    Ok(compressed)
}

#[tokio::test]
async fn compressed_bodies_are_decoded_within_the_same_limit() -> Result<()> {
    let (_directory, database, receiver) = serve_on_sqlite(&[]).await?;
    let post = async |encoding: &str, body: Vec<u8>| {
        let request = receiver.client.post(format!("{}/callbacks", receiver.url)).header("content-encoding", encoding);
        anyhow::Ok(request.body(body).send().await?.status().as_u16())
    };
    for encoding in ["gzip", "deflate"] {
        let body = format!(r#"{{"trackingId":"{encoding}","status":"SEEN"}}"#);
        ensure!(post(encoding, compressed(encoding, body.as_bytes())?).await? == 200);
        let cut = compressed(encoding, body.as_bytes())?;
        ensure!(post(encoding, cut[..cut.len() - 1].to_vec()).await? == 400);
        ensure!(post(encoding, compressed(encoding, &vec![b' '; LONGEST_BODY])?).await? == 200);
        for length in [LONGEST_BODY + 1, 20 << 20] {
            let bomb = compressed(encoding, &vec![b' '; length])?;
            ensure!(bomb.len() < LONGEST_BODY);
            ensure!(post(encoding, bomb).await? == 413, "{encoding}: {length} bytes");
        }
    }
    ensure!(post("br", BROTLI.to_vec()).await? == 200);
    ensure!(post("zstd", b"{}".to_vec()).await? == 415);
    for (reason, count) in [("encoding", 1), ("body_broken", 2), ("body_too_large", 4)] {
        let metric = format!("routee_refused_total{{reason=\"{reason}\"}}");
        ensure!(receiver.metric(&metric).await? == count, "{reason}");
    }
    let messages = Stored::read(&database).await?.messages;
    ensure!(messages.keys().eq(["brotli", "deflate", "gzip"]), "{messages:?}");
    receiver.terminate().await
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_before_the_body() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    for (length, code) in [(LONGEST_BODY + 1, "413"), (LONGEST_BODY, "100")] {
        let mut client = TcpStream::connect(receiver.url.replace("http://", "")).await?;
        let head =
            format!("POST /callbacks HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
        client.write_all(head.as_bytes()).await?;
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await?;
        ensure!(String::from_utf8_lossy(&answer) == format!("HTTP/1.1 {code}"), "{answer:?}");
    }
    receiver.terminate().await
}

#[tokio::test]
async fn hostile_bodies_become_the_same_rows_on_both_databases() -> Result<()> {
    let directory = Directory::new().await?;
    let sqlite = Database::sqlite(&directory);
    let on_sqlite = outcome(&directory, &sqlite).await?;
    let directory = TempDir::new()?;
    let postgres = Postgres::start(&directory).await?;
    let on_postgres = outcome(&directory, &postgres.database).await?;
    ensure!(on_sqlite.keys == on_postgres.keys && on_sqlite.messages == on_postgres.messages);
    ensure!(on_sqlite.unreadable == on_postgres.unreadable && on_sqlite.other == on_postgres.other);
    ensure!(on_sqlite.flows == on_postgres.flows);
    Ok(())
}

/// Bodies that take much more memory than they are long, and more of them than are written at once.
#[tokio::test]
async fn the_costliest_bodies_fit_into_512_mb() -> Result<()> {
    let directory = Directory::new().await?;
    for key in ["empty", "keys", "messages"] {
        let item = |body, place| match key {
            "empty" => "{}".to_owned(),
            "keys" => format!(r#"{{"k{place}":0}}"#),
            _ => format!(r#"{{"type":"Viber","trackingId":"{body}-{place}","status":"SEEN"}}"#),
        };
        let receiver = Receiver::start(&directory, &Database::sqlite(&directory), &[]).await?;
        let mut posting = JoinSet::new();
        for number in 0..500 {
            let mut body = format!(r#"{{"trackingId":"{number}","status":"SEEN","{key}":[{}"#, item(number, 0));
            for next in (1..).map(|place| format!(",{}", item(number, place))) {
                if body.len() + next.len() + 2 > LONGEST_BODY {
                    break;
                }
                body += &next;
            }
            let request = receiver.client.post(format!("{}/callbacks", receiver.url)).body(body + "]}");
            // Whoever is sent away before its body was read may see no more than a reset.
            posting.spawn(async move { request.send().await.map_or(503, |answer| answer.status().as_u16()) });
        }
        let codes = posting.join_all().await;
        let answered = codes.iter().filter(|code| **code == 200).count();
        ensure!(answered > 0 && codes.iter().all(|code| [200, 408, 503].contains(code)), "{codes:?}");

        let id = receiver.process.id().context("it has ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no size")?;
        let kilobytes: u32 = most.trim().trim_end_matches(" kB").parse()?;
        println!("{kilobytes} kB for 500 bodies with {}; {answered} were answered 200", item(0, 1));
        ensure!(kilobytes < 512 << 10);
        receiver.terminate().await?;
    }
    Ok(())
}

/// What is stored of all hostile bodies, none of which is to harm the others.
async fn outcome(directory: &TempDir, database: &Database) -> Result<Stored> {
    let receiver = Receiver::start(directory, database, &[]).await?;
    let hostile = hostile()?;
    for (number, body) in hostile.iter().enumerate() {
        let harmless = format!(r#"{{"trackingId":"harmless {number}","status":"SEEN"}}"#);
        let codes = tokio::try_join!(receiver.post(body.clone()), receiver.post(harmless))?;
        ensure!(codes == (200, 200), "{codes:?} for number {number}");
    }
    receiver.terminate().await?;

    let stored = Stored::read(database).await?;
    for body in &hostile {
        let key = Incoming::from_slice(body.as_bytes()).ok().and_then(|incoming| incoming.idempotency_key());
        let is_there = key.is_some_and(|key| stored.keys.contains(&key));
        let shown: String = body.chars().take(200).collect();
        ensure!(is_there || stored.unreadable.contains(body) || stored.other.contains(body), "{shown} is missing");
    }
    ensure!(stored.keys.iter().filter(|key| key.starts_with(r#"["long","#)).count() == 1);
    for number in 0..hostile.len() {
        ensure!(stored.messages.contains_key(&format!("harmless {number}")));
    }
    ensure!(stored.messages.get("ko").is_some_and(|name| name == "SEEN"), "{:?}", stored.messages.get("ko"));
    Ok(stored)
}

fn hostile() -> Result<BTreeSet<String>> {
    let magic = r#"{"a":1,"$serde_json::private::RawValue":5}"#;
    let mut bodies = BTreeSet::from([
        format!(r#"{{"trackingId":"ko","status":{{"name":"QUEUED","x":{magic}}}}}"#),
        r#"{"trackingId":"ko","status":{"name":"SEEN","updatedDate":"2026-11-23T10:00:00Z"}}"#.to_owned(),
        r#"{"trackingId":"n","status":"SEEN","price":1e999}"#.to_owned(),
        r#"{"trackingId":"s","status":{"name":"SEEN","updatedDate":"\ud83d"}}"#.to_owned(),
        format!(r#"{{"trackingId":"long","status":"{}"}}"#, "S".repeat(60_000)),
        format!(r#"{{"trackingId":"deep","status":"SEEN","x":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000)),
        format!(r#"{{"trackingId":"{}","status":"SEEN"}}"#, "é".repeat(700)),
    ]);
    for (_, sample) in samples::ALL {
        let whole: Value = serde_json::from_str(sample)?;
        let mut number = 0;
        // Each with an id of its own, or all would be the same callback.
        while let Some(body) = with_nul(&whole, number) {
            bodies.insert(body.to_string());
            bodies.insert(body.to_string().replacen("0a047b46", &format!("{number:08}"), 1));
            number += 1;
        }
    }
    ensure!(bodies.len() > 100, "{} bodies", bodies.len());
    Ok(bodies)
}

/// The body with a NUL in its key or text of that number. None if it has no more.
fn with_nul(body: &Value, mut number: usize) -> Option<Value> {
    let mut body = body.clone();
    put_nul(&mut body, &mut number).then_some(body)
}

fn put_nul(value: &mut Value, left: &mut usize) -> bool {
    let mut is_it = || std::mem::replace(left, left.wrapping_sub(1)) == 0;
    match value {
        Value::String(text) if is_it() => {
            text.push('\0');
            true
        }
        Value::Array(items) => items.iter_mut().any(|item| put_nul(item, left)),
        Value::Object(object) => {
            let keys: Vec<_> = object.keys().cloned().collect();
            keys.into_iter().any(|key| rename(object, &key, left) || put_nul(&mut object[&key], left))
        }
        _ => false,
    }
}

fn rename(object: &mut Map<String, Value>, key: &str, left: &mut usize) -> bool {
    let is_it = std::mem::replace(left, left.wrapping_sub(1)) == 0;
    if is_it && let Some(value) = object.remove(key) {
        object.insert(format!("{key}\0"), value);
    }
    is_it
}
