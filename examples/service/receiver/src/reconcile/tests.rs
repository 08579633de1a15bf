//! Whole runs, with a database and a fake of Routee's API.

use std::collections::BTreeMap;
use std::fs;

use axum::http::Uri;
use axum::response::Response;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::entry::Entry;
use crate::reconcile::due::Due;
use crate::reconcile::fake::{FakeRoutee, UNKNOWN, answer, tracked, tracked_flow};
use crate::reconcile::lease::Lease;
use crate::reconcile::run::Run;
use crate::store::fake::open_in;
use crate::store::value::Row;

const HOUR: i64 = 3_600_000;

struct Bench {
    directory: TempDir,
    store: Arc<dyn Store>,
}

impl Bench {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { store: open_in(&directory).await, directory }
    }

    /// Commits callbacks as if they had come.
    async fn receive(&self, bodies: &[Value]) {
        let entries: Vec<_> =
            bodies.iter().map(|body| Arc::new(Entry::read(body.to_string().into(), Utc::now()))).collect();
        self.store.commit(&entries).await.unwrap();
    }

    async fn rows(&self, sql: &str) -> Vec<Row> {
        self.store.query(sql, vec![]).await.unwrap()
    }

    async fn execute(&self, sql: &'static str) -> u64 {
        self.store.execute(vec![(sql, vec![])]).await.unwrap()
    }

    async fn statuses(&self) -> BTreeMap<String, String> {
        let rows = self.rows("SELECT tracking_id, status_name FROM message").await;
        rows.iter()
            .map(|row| (row.get::<&str>(0).unwrap().to_owned(), row.get::<&str>(1).unwrap().to_owned()))
            .collect()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].get::<i64>(0).unwrap()
    }

    fn ids(&self, lines: &str) -> Selection {
        let path = self.directory.path().join("ids");
        fs::write(&path, lines).unwrap();
        Selection { ids: Some(path), ..Selection::default() }
    }

    fn reconciler(&self, fake: &FakeRoutee) -> Reconciler {
        Reconciler::new(self.store.clone(), fake.routee(), Arc::default(), CancellationToken::new())
    }

    /// A run of a process of its own.
    async fn run(&self, fake: &FakeRoutee, selection: Selection) -> (Tally, Result<(), String>) {
        let mut reconciler = self.reconciler(fake);
        let result = reconciler.run_when_free(selection).await;
        (Tally { requests: 0, ..reconciler.tally }, result.map_err(|error| format!("{error:#}")))
    }
}

/// A callback of a message that was made long ago, with an hour to live.
fn queued(id: &str) -> Value {
    json!({
        "trackingId": id,
        "status": { "name": "QUEUED", "updatedDate": "2026-10-01T00:00:00Z" },
        "ttl": 3600,
        "createdAt": "2026-10-01T00:00:00Z",
    })
}

/// Answers for the messages and flows that it is given, and knows no others.
fn knows(all: impl IntoIterator<Item = Value>) -> FakeRoutee {
    let all: Vec<_> = all.into_iter().collect();
    FakeRoutee::new(move |url: &Uri, _: &str| -> Response {
        let (of, id) = url.path().rsplit_once('/').unwrap();
        let is_flow = |found: &Value| !found["messages"].is_null();
        let found = all.iter().find(|found| found["trackingId"] == id && is_flow(found) == of.contains("failover"));
        found.map_or_else(|| answer(404, UNKNOWN), |message| answer(200, &message.to_string()))
    })
}

fn map(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(id, name)| (id.to_string(), name.to_string())).collect()
}

#[tokio::test]
async fn overdue_messages_get_their_end_and_a_second_run_asks_for_nothing() {
    let bench = Bench::new().await;
    let fresh = json!({"trackingId": "fresh", "status": "QUEUED", "createdAt": Utc::now()});
    bench.receive(&[queued("a"), queued("b"), queued("gone"), queued("still"), fresh]).await;
    bench.receive(&[json!({"trackingId": "done", "status": "DELIVERED"})]).await;
    let fake = knows([tracked("a", "SEEN", 1), tracked("b", "EXPIRED", 1), tracked("still", "QUEUED", 1)]);
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 4, recovered: 3, unknown: 1, ..Tally::default() });
    let names = [
        ("a", "SEEN"),
        ("b", "EXPIRED"),
        ("done", "DELIVERED"),
        ("fresh", "QUEUED"),
        ("gone", "QUEUED"),
        ("still", "QUEUED"),
    ];
    assert_eq!(bench.statuses().await, map(&names));
    let kinds = bench.rows("SELECT kind, count(*) FROM history GROUP BY kind ORDER BY kind").await;
    let kinds: Vec<_> = kinds.iter().map(|row| (row.get::<&str>(0).unwrap(), row.get::<i64>(1).unwrap())).collect();
    assert_eq!(kinds, [("status", 6), ("tracked", 3)]);
    assert_eq!(Reconciliation::read(&*bench.store).await.unwrap().recovered, 3);

    // One hour to live and 40 h 3 min 30 s of retries from when it was made, whatever a later status seems to say.
    let overdue_at: DateTime<Utc> = "2026-10-02T17:03:30Z".parse().unwrap();
    let of_still = bench.number("SELECT overdue_at FROM message WHERE tracking_id = 'still'").await;
    assert_eq!(of_still, overdue_at.timestamp_millis());

    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!((tally, result), (Tally::default(), Ok(())));
    assert_eq!(fake.paths().len(), 4);
}

#[tokio::test]
async fn of_many_that_are_overdue_since_the_same_time_each_is_asked_for_once() {
    let bench = Bench::new().await;
    let ids: Vec<_> = (0..=2 * CHUNK).map(|id| format!("m{id:04}")).collect();
    bench.receive(&ids.iter().map(|id| queued(id)).collect::<Vec<_>>()).await;
    assert_eq!(bench.number("SELECT count(DISTINCT overdue_at) FROM message").await, 1);
    let fake = knows([]);
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!((tally, result), (Tally { asked: 1001, unknown: 1001, ..Tally::default() }, Ok(())));
    let mut paths = fake.paths();
    paths.sort();
    let ids: Vec<_> = ids.into_iter().map(|id| format!("/base/viber/tracking/{id}")).collect();
    assert_eq!(paths, ids);
}

#[tokio::test]
async fn what_moves_to_before_the_place_of_a_run_is_asked_for() {
    let bench = Bench::new().await;
    let ids: Vec<_> = (0..=CHUNK).map(|id| format!("m{id:04}")).collect();
    bench.receive(&ids.iter().map(|id| queued(id)).collect::<Vec<_>>()).await;
    let other = Connection::open(bench.directory.path().join("routee.db")).unwrap();
    let fake = FakeRoutee::new(move |_, _| {
        other.execute("UPDATE message SET overdue_at = 1 WHERE tracking_id = 'm0500'", []).unwrap();
        answer(404, UNKNOWN)
    });
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!((tally, result), (Tally { asked: 501, unknown: 501, ..Tally::default() }, Ok(())));
    let mut paths = fake.paths();
    assert_eq!(paths.last().map(String::as_str), Some("/base/viber/tracking/m0500"));
    paths.sort();
    let ids: Vec<_> = ids.into_iter().map(|id| format!("/base/viber/tracking/{id}")).collect();
    assert_eq!(paths, ids);
}

#[tokio::test]
async fn an_api_that_stays_busy_ends_the_run() {
    let bench = Bench::new().await;
    let ids: Vec<_> = (0..20).map(|id| queued(&format!("m{id}"))).collect();
    bench.receive(&ids).await;
    time::pause();
    let fake = FakeRoutee::new(|_, _| answer(503, ""));
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    let busy = "10 in a row could not be asked for: Routee answers 503 Service Unavailable";
    assert_eq!(result, Err(busy.to_owned()));
    assert!((10..=16).contains(&tally.failed), "{tally}");
    let (tally, result) = bench.run(&fake, campaign()).await;
    // Ten readings, the first of one page that could not be asked for.
    assert_eq!((tally.asked, result), (0, Err(busy.to_owned())));
}

#[tokio::test]
async fn a_run_that_could_not_ask_for_everything_asks_for_the_rest() {
    let bench = Bench::new().await;
    let selection = bench.ids("a\nb");
    let path = selection.ids.clone();
    let fake = FakeRoutee::new(|url, _| match url.path().rsplit('/').next().unwrap() {
        "a" => answer(200, &tracked("a", "DELIVERED", 1).to_string()),
        "b" => answer(400, ""),
        _ => answer(404, UNKNOWN),
    });
    let (tally, result) = bench.run(&fake, selection).await;
    assert_eq!((tally.asked, tally.failed, result), (1, 1, Ok(())));
    bench.execute("UPDATE asked SET next_at = 0").await;
    let fake = knows([tracked("a", "SEEN", 2), tracked("b", "SEEN", 2)]);
    let (tally, _) = bench.run(&fake, Selection { ids: path, ..Selection::default() }).await;
    assert_eq!(tally, Tally { asked: 1, recovered: 1, skipped: 1, ..Tally::default() });
    assert_eq!(bench.statuses().await, map(&[("a", "DELIVERED"), ("b", "SEEN")]));
    assert_eq!(bench.number("SELECT count(*) FROM run").await, 0);
}

#[tokio::test]
async fn a_message_without_an_end_is_asked_for_less_and_less_often() {
    let bench = Bench::new().await;
    bench.receive(&[queued("still")]).await;
    // The API does not say when it was made, and it stays overdue.
    let fake = knows([tracked("still", "QUEUED", 1)]);
    bench.run(&fake, bench.ids("still\nunknown")).await.1.unwrap();
    for times in 1..4 {
        let rows = bench.rows("SELECT times, next_at - asked_at, outcome FROM asked ORDER BY tracking_id").await;
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.get::<i64>(0).unwrap(), row.get::<i64>(1).unwrap(), row.get::<&str>(2).unwrap()))
            .collect();
        let pause = HOUR << (times - 1);
        assert_eq!(rows, [(times, pause, "pending"), (times, pause, "unknown")]);
        assert_eq!(bench.run(&fake, Selection::default()).await.0, Tally::default());
        assert_eq!(bench.run(&fake, bench.ids("still\nunknown")).await.0, Tally { skipped: 2, ..Tally::default() });
        // Their time comes.
        bench.execute("UPDATE asked SET next_at = 0").await;
        let (tally, _) = bench.run(&fake, Selection::default()).await;
        assert_eq!(tally, Tally { asked: 2, unchanged: 1, unknown: 1, ..Tally::default() });
    }
}

#[tokio::test]
async fn ids_of_a_file_are_asked_for_unless_they_were_seen() {
    let bench = Bench::new().await;
    bench
        .receive(&[json!({"trackingId": "seen", "status": "SEEN"}), json!({"trackingId": "old", "status": "QUEUED"})])
        .await;
    let inbound = json!({"trackingId": "reply", "status": "SEEN", "direction": "Inbound", "message": "yes"});
    let fake = knows([tracked("new", "DELIVERED", 1), tracked("old", "DELIVERED", 1), inbound]);
    let selection = bench.ids("\u{feff}new\r\nseen \nold\nreply\n\tnew\nnobody\na\0b\nlast");
    let (tally, result) = bench.run(&fake, selection).await;
    assert_eq!(result, Ok(()));
    let expected =
        Tally { asked: 5, recovered: 2, inbound: 1, unknown: 2, trimmed: 3, skipped: 2, failed: 1, ..Tally::default() };
    assert_eq!(tally, expected);
    assert_eq!(bench.statuses().await, map(&[("new", "DELIVERED"), ("old", "DELIVERED"), ("seen", "SEEN")]));
    assert_eq!(bench.number("SELECT count(*) FROM other WHERE what = 'an inbound message, tracked'").await, 1);
    // A line that is not an id can never be asked for, so that it does not keep the run open.
    assert_eq!(bench.number("SELECT count(*) FROM run").await, 0);
}

#[tokio::test]
async fn a_run_over_a_file_goes_on_where_it_was_and_ends() {
    let bench = Bench::new().await;
    let ids: Vec<_> = (0..30).map(|id| format!("m{id}")).collect();
    let selection = || bench.ids(&ids.join("\n"));
    let path = selection().ids.unwrap();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let fake = FakeRoutee::new(move |url, _| {
        let id = url.path().rsplit('/').next().unwrap();
        if id == "m20" {
            stopping.cancel();
        }
        answer(200, &tracked(id, "DELIVERED", 1).to_string())
    });
    let mut reconciler = Reconciler::new(bench.store.clone(), fake.routee(), Arc::default(), stop);
    let error =
        reconciler.run_when_free(Selection { ids: Some(path.clone()), ..Selection::default() }).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped before the end; start it again to go on");
    let before = reconciler.tally.asked;
    assert!((12..=28).contains(&before), "{before}");
    // It may be started again at any later time.
    bench.execute("UPDATE asked SET next_at = 0").await;

    let fake = knows((0..30).map(|id| tracked(&format!("m{id}"), "DELIVERED", 1)));
    let selection = || Selection { ids: Some(path.clone()), ..Selection::default() };
    let (tally, result) = bench.run(&fake, selection()).await;
    assert_eq!((tally.asked, tally.skipped, result), (30 - before, before, Ok(())));
    assert_eq!(bench.statuses().await.len(), 30);
    // The next one is a run of its own.
    bench.execute("UPDATE asked SET asked_at = asked_at - 1000, next_at = 0").await;
    assert_eq!(bench.run(&fake, selection()).await.0, Tally { asked: 30, unchanged: 30, ..Tally::default() });
}

#[tokio::test]
async fn messages_that_changed_since_and_were_not_seen_are_asked_for() {
    let bench = Bench::new().await;
    let of = |id: &str, name: &str| json!({"trackingId": id, "status": name});
    bench
        .receive(&[of("seen", "SEEN"), of("delivered", "DELIVERED"), of("old", "DELIVERED"), of("failed", "FAILED")])
        .await;
    bench.execute("UPDATE message SET changed_at = 999 WHERE tracking_id = 'old'").await;
    bench.execute("UPDATE message SET changed_at = 1000 WHERE tracking_id = 'failed'").await;
    let fake = knows([tracked("delivered", "SEEN", 1), tracked("failed", "FAILED", 1)]);
    let selection = || Selection { since: DateTime::from_timestamp_millis(1000), ..Selection::default() };
    let (tally, result) = bench.run(&fake, selection()).await;
    assert_eq!((tally, result), (Tally { asked: 2, recovered: 2, ..Tally::default() }, Ok(())));
    assert_eq!(fake.paths(), ["/base/viber/tracking/delivered", "/base/viber/tracking/failed"]);
    assert_eq!(bench.run(&fake, selection()).await.0, Tally::default());
}

#[tokio::test]
async fn a_bad_answer_does_not_affect_the_others() {
    let bench = Bench::new().await;
    bench.receive(&[queued("a"), queued("b"), queued("c"), queued("d")]).await;
    let fake = FakeRoutee::new(|url, _| match url.path().rsplit('/').next().unwrap() {
        "a" => answer(200, "<html>"),
        "b" => answer(400, ""),
        "c" => answer(200, &tracked("x", "SEEN", 1).to_string()),
        "d" => answer(200, &tracked("d", "SEEN", 1).to_string()),
        _ => answer(404, UNKNOWN),
    });
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 2, recovered: 1, unreadable: 1, failed: 2, ..Tally::default() });
    let names = [("a", "QUEUED"), ("b", "QUEUED"), ("c", "QUEUED"), ("d", "SEEN")];
    assert_eq!(bench.statuses().await, map(&names));
    let rows = bench.rows("SELECT reason FROM unreadable ORDER BY reason").await;
    assert_eq!(rows[0].get::<&str>(0).unwrap(), "the tracking API answered with another message");
    // Only what could not be asked is asked again.
    bench.run(&fake, Selection::default()).await.1.unwrap();
    let mut again = fake.paths()[5..].to_vec();
    again.sort();
    let tracking = ["a", "b", "receiver-reconcile-nobody"].map(|id| format!("/base/viber/tracking/{id}"));
    assert_eq!(again, tracking);
    assert_eq!(bench.number("SELECT count(*) FROM asked").await, 2);
}

#[tokio::test]
async fn a_wrong_url_ends_the_run_and_loses_nothing() {
    let bench = Bench::new().await;
    bench.receive(&[queued("a"), queued("b")]).await;
    for (status, body) in [(404, "not found"), (200, "<html>"), (200, ""), (200, "[]")] {
        let fake = FakeRoutee::new(move |_, _| answer(status, body));
        let (tally, result) = bench.run(&fake, Selection::default()).await;
        assert!(result.unwrap_err().contains("is --api-url right"), "{tally}");
        assert_eq!(bench.number("SELECT count(*) FROM asked").await, 0);
    }
    let fake = knows([tracked("a", "SEEN", 1), tracked("b", "SEEN", 1)]);
    assert_eq!(bench.run(&fake, Selection::default()).await.0.recovered, 2);
}

/// A campaign whose pages have these entries; before each page but the first, `change` may move them.
fn pages(entries: Vec<Value>, mut change: impl FnMut(&mut Vec<Value>) + Send + 'static) -> FakeRoutee {
    let mut entries = entries;
    FakeRoutee::new(move |url, _| {
        let page: usize =
            url.query().unwrap().strip_prefix("page=").unwrap().split('&').next().unwrap().parse().unwrap();
        if page > 0 {
            change(&mut entries);
        }
        let total = entries.len();
        let content: Vec<_> = entries.iter().skip(page * 10).take(10).collect();
        let page =
            json!({"content": content, "number": page, "totalElements": total, "totalPages": total.div_ceil(10)});
        answer(200, &page.to_string())
    })
}

fn entries(count: u32) -> Vec<Value> {
    (0..count).map(|place| tracked(&format!("m{place:03}"), "DELIVERED", 1)).collect()
}

fn campaign() -> Selection {
    Selection { campaign: Some("c".to_owned()), ..Selection::default() }
}

#[tokio::test]
async fn a_campaign_is_read_once_if_nothing_moves() {
    let bench = Bench::new().await;
    let mut all = entries(25);
    all[3] = json!({"trackingId": "m003", "status": "SEEN", "direction": "Inbound"});
    all[4] = json!({"no": "id"});
    let fake = pages(all, |_| {});
    let (tally, result) = bench.run(&fake, campaign()).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 25, recovered: 23, inbound: 1, unreadable: 1, ..Tally::default() });
    assert_eq!(fake.paths().len(), 3);
    assert_eq!((bench.statuses().await.len(), bench.number("SELECT count(*) FROM run").await), (23, 0));
}

#[tokio::test]
async fn a_campaign_whose_pages_change_is_read_until_everything_was_found() {
    let bench = Bench::new().await;
    let mut turns = 0;
    // What was read already moves to the end, so that the first entry of the next page moves to one that was read.
    let fake = pages(entries(40), move |entries| {
        turns += 1;
        if turns < 8 {
            entries.rotate_left(1);
        }
    });
    let (tally, result) = bench.run(&fake, campaign()).await;
    assert_eq!((tally.recovered, tally.failed, result), (40, 0, Ok(())));
    assert_eq!(bench.statuses().await.len(), 40);
    assert!(fake.paths().len() > 4, "{:?}", fake.paths());
}

#[tokio::test]
async fn a_campaign_is_not_read_for_ever() {
    let bench = Bench::new().await;
    // It always says that there is one more than it shows.
    let fake = FakeRoutee::new(|url, _| {
        let content = if url.query().unwrap().starts_with("page=0&") { entries(2) } else { vec![] };
        answer(200, &json!({"content": content, "totalElements": 3, "totalPages": 1}).to_string())
    });
    let (tally, result) = bench.run(&fake, campaign()).await;
    assert_eq!((tally.asked, tally.recovered, tally.failed, result), (2, 2, 1, Ok(())));
    assert_eq!(fake.paths().len(), 10);
}

#[tokio::test]
async fn a_page_may_have_more_than_it_was_asked_for() {
    let bench = Bench::new().await;
    bench.run(&knows([]), bench.ids("i39999")).await.1.unwrap();
    // More than a statement of either database takes parameters.
    let ids: Vec<_> = (0..70_000).map(|id| format!("i{id}")).collect();
    let run = Run::begin(&*bench.store, "campaign c", Utc::now()).await.unwrap();
    let asked = due::asked_before(&*bench.store, &ids, Subject::Message, &run).await.unwrap();
    let due = Due { tracking_id: "i39999".to_owned(), times: 1, subject: Some(Subject::Message) };
    assert_eq!(asked, [("i39999".to_owned(), (due, false))].into());
}

#[tokio::test]
async fn a_campaign_without_figures_is_read_until_nothing_is_new() {
    for says_which_is_last in [true, false] {
        let bench = Bench::new().await;
        let fake = FakeRoutee::new(move |url, _| {
            let is_first = url.query().unwrap().starts_with("page=0&");
            let mut page = json!({"content": if is_first { entries(2) } else { vec![] }});
            if says_which_is_last {
                page["last"] = (!is_first).into();
            }
            answer(200, &page.to_string())
        });
        let (tally, result) = bench.run(&fake, campaign()).await;
        assert_eq!((tally.recovered, tally.failed, result), (2, 0, Ok(())));
        assert_eq!(fake.paths().len(), 4);
    }
}

#[tokio::test]
async fn a_campaign_goes_on_at_its_page() {
    let bench = Bench::new().await;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let mut turns = 0;
    let fake = pages(entries(40), move |_| {
        turns += 1;
        if turns == 2 {
            stopping.cancel();
        }
    });
    let mut reconciler = Reconciler::new(bench.store.clone(), fake.routee(), Arc::default(), stop);
    reconciler.run_when_free(campaign()).await.unwrap_err();
    let fake = pages(entries(40), |_| {});
    let (tally, result) = bench.run(&fake, campaign()).await;
    assert_eq!((tally.failed, result), (0, Ok(())));
    assert!(!fake.paths()[0].contains("page=0"), "{:?}", fake.paths());
    assert_eq!(bench.statuses().await.len(), 40);
}

#[tokio::test]
async fn a_campaign_that_nobody_knows_is_an_error() {
    let bench = Bench::new().await;
    let (_, result) = bench.run(&FakeRoutee::script([]), campaign()).await;
    assert_eq!(result, Err("Routee does not know this campaign".to_owned()));
    assert_eq!(bench.number("SELECT count(*) FROM run").await, 0);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_asked_for_again() {
    let bench = Bench::new().await;
    let mut turns = 0;
    let fake = FakeRoutee::new(move |url, _| {
        turns += 1;
        let is_first = url.query().unwrap_or_default().starts_with("page=0&");
        let content = if is_first { &entries(20)[..10] } else { &entries(20)[10..] };
        let page = json!({"content": content, "totalElements": 20, "totalPages": 2}).to_string();
        match turns {
            2 => answer(200, "{"),
            3 => answer(400, ""),
            4 => answer(404, UNKNOWN),
            _ => answer(200, &page),
        }
    });
    let (tally, result) = bench.run(&fake, campaign()).await;
    assert_eq!((tally.recovered, tally.unreadable, tally.failed, result), (20, 1, 0, Ok(())));
}

#[tokio::test]
async fn one_process_asks_at_a_time() {
    let bench = Bench::new().await;
    let [one, other] = ["one", "other"].map(|owner| Lease::of(bench.store.clone(), owner));
    assert_eq!(one.acquire(1).await, Ok(true));
    assert_eq!(other.acquire(1).await, Ok(false));
    assert_eq!(one.acquire(5_000).await, Ok(true));
    // It lasts for fifteen seconds.
    assert_eq!(other.acquire(20_000).await, Ok(false));
    assert_eq!(other.acquire(20_001).await, Ok(true));
    assert_eq!(one.acquire(20_001).await, Ok(false));
    // Whoever has lost it releases nothing.
    one.release(7).await.unwrap();
    assert_eq!(one.acquire(20_001).await, Ok(false));
    other.release(8).await.unwrap();
    assert_eq!(one.acquire(20_001).await, Ok(true));
    let state = Reconciliation { recovered: 0, recovered_flows: 0, ran_at: Some(8) };
    assert_eq!(Reconciliation::read(&*bench.store).await.unwrap(), state);

    bench.receive(&[queued("a")]).await;
    let fake = knows([tracked("a", "SEEN", 1)]);
    one.acquire(now()).await.unwrap();
    let mut reconciler = bench.reconciler(&fake);
    reconciler.run_if_free(Selection::default()).await.unwrap();
    assert_eq!(fake.paths(), [""; 0]);
    one.release(now()).await.unwrap();
    reconciler.run_if_free(Selection::default()).await.unwrap();
    assert_eq!(fake.paths(), ["/base/viber/tracking/a"]);
}

/// The callback of a flow that was made long ago.
fn in_progress(id: &str) -> Value {
    let flow = tracked_flow(id, "InProgress", "QUEUED");
    assert_eq!(flow["originatingService"], "failover");
    Value::Object(
        flow.as_object()
            .unwrap()
            .clone()
            .into_iter()
            .chain([("originatingService".to_owned(), "Failover".into())])
            .collect(),
    )
}

impl Bench {
    async fn flows(&self) -> BTreeMap<String, String> {
        let rows = self.rows("SELECT tracking_id, status_name FROM flow").await;
        rows.iter()
            .map(|row| (row.get::<&str>(0).unwrap().to_owned(), row.get::<&str>(1).unwrap().to_owned()))
            .collect()
    }
}

#[tokio::test]
async fn overdue_flows_get_their_end_with_that_of_their_steps() {
    let bench = Bench::new().await;
    bench.receive(&[in_progress("a"), in_progress("still"), in_progress("gone")]).await;
    let fresh =
        json!({"trackingId": "fresh", "status": "InProgress", "messages": [{"type": "Sms"}], "createdAt": Utc::now()});
    let ended = json!({"trackingId": "ended", "status": "Failed", "messages": [{"type": "Sms"}], "createdAt": "2026-10-01T00:00:00Z"});
    bench.receive(&[fresh, ended]).await;
    // Ten minutes to live and 40 h 3 min 30 s of retries.
    let overdue_at: DateTime<Utc> = "2026-10-02T16:13:30Z".parse().unwrap();
    assert_eq!(
        bench.number("SELECT overdue_at FROM flow WHERE tracking_id = 'a'").await,
        overdue_at.timestamp_millis()
    );
    assert_eq!(overdue(&*bench.store, Subject::Flow).await.unwrap(), 3);

    let fake = knows([tracked_flow("a", "Succeeded", "DELIVERED"), tracked_flow("still", "InProgress", "QUEUED")]);
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    // The steps of the two flows that have not ended are messages that are asked for, too.
    assert_eq!(result, Ok(()));
    let expected =
        Tally { asked: 5, recovered: 1, flows_recovered: 1, flows_unchanged: 1, unknown: 3, ..Tally::default() };
    assert_eq!(tally, expected);
    let mut paths = fake.paths();
    paths.sort();
    let expected = [
        "failover/tracking/a",
        "failover/tracking/gone",
        "failover/tracking/still",
        "viber/tracking/v-gone",
        "viber/tracking/v-still",
    ];
    assert_eq!(paths, expected.map(|path| format!("/base/{path}")));
    let names = [
        ("a", "Succeeded"),
        ("ended", "Failed"),
        ("fresh", "InProgress"),
        ("gone", "InProgress"),
        ("still", "InProgress"),
    ];
    assert_eq!(bench.flows().await, map(&names));
    assert_eq!(bench.statuses().await, map(&[("v-a", "DELIVERED"), ("v-gone", "QUEUED"), ("v-still", "QUEUED")]));
    assert_eq!(
        bench.number("SELECT count(*) FROM flow WHERE tracking_id IN ('a', 'ended') AND overdue_at IS NULL").await,
        2
    );
    // What has the key of the callback is nothing new, whatever else is different.
    let kinds = bench.rows("SELECT tracking_id FROM history WHERE kind = 'tracked_flow'").await;
    assert_eq!(kinds.iter().map(|row| row.get::<&str>(0).unwrap()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(bench.number("SELECT count(*) FROM history WHERE is_variant = 1").await, 0);
    let state = Reconciliation::read(&*bench.store).await.unwrap();
    assert_eq!((state.recovered, state.recovered_flows), (1, 1));
    assert_eq!(bench.run(&fake, Selection::default()).await, (Tally::default(), Ok(())));
}

#[tokio::test]
async fn a_flow_may_be_unknown_with_another_code() {
    let bench = Bench::new().await;
    bench.receive(&[in_progress("gone")]).await;
    bench.execute("DELETE FROM message").await;
    let fake =
        FakeRoutee::new(|url, _| answer(404, if url.path().contains("viber") { UNKNOWN } else { "no such flow" }));
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!((tally, result), (Tally { asked: 1, unknown: 1, ..Tally::default() }, Ok(())));
    // As long as the API is Routee's.
    bench.execute("UPDATE asked SET next_at = 0").await;
    let fake = FakeRoutee::new(|_, _| answer(404, "no such flow"));
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert!(result.unwrap_err().contains("is --api-url right"), "{tally}");
}

#[tokio::test]
async fn an_application_that_may_not_track_flows_can_ask_for_messages() {
    for code in [401, 403] {
        let bench = Bench::new().await;
        let fake = FakeRoutee::new(move |url, _| match url.path().rsplit_once('/').unwrap() {
            ("/base/viber/tracking", "m") => answer(200, &tracked("m", "SEEN", 1).to_string()),
            ("/base/viber/tracking", _) => answer(404, UNKNOWN),
            _ => answer(code, ""),
        });
        let (tally, result) = bench.run(&fake, bench.ids("m\nnobody")).await;
        assert_eq!(
            (tally, result),
            (Tally { asked: 2, recovered: 1, unknown: 1, ..Tally::default() }, Ok(())),
            "{code}"
        );
        // What the database knows as a flow is a failure.
        bench.receive(&[in_progress("f")]).await;
        bench.execute("DELETE FROM message").await;
        let (tally, result) = bench.run(&fake, Selection::default()).await;
        assert_eq!((tally, result), (Tally { failed: 1, ..Tally::default() }, Ok(())), "{code}");
    }
}

#[tokio::test]
async fn ids_of_a_file_may_be_those_of_flows() {
    let bench = Bench::new().await;
    bench.receive(&[in_progress("known"), queued("message")]).await;
    let flows = ["known", "new"].map(|id| tracked_flow(id, "Succeeded", "DELIVERED"));
    let fake = knows(flows.into_iter().chain([tracked("message", "SEEN", 1), tracked("other", "SEEN", 1)]));
    let (tally, result) = bench.run(&fake, bench.ids("known\nnew\nmessage\nother\nnobody")).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 5, recovered: 4, flows_recovered: 2, unknown: 1, ..Tally::default() });
    let mut paths = fake.paths();
    paths.sort();
    let expected = [
        "failover/tracking/known",
        "failover/tracking/new",
        "failover/tracking/nobody",
        "viber/tracking/message",
        "viber/tracking/new",
        "viber/tracking/nobody",
        "viber/tracking/other",
    ];
    assert_eq!(paths, expected.map(|path| format!("/base/{path}")));
    assert_eq!(bench.flows().await, map(&[("known", "Succeeded"), ("new", "Succeeded")]));
    // What nobody knew may be either of the two the next time.
    bench.execute("UPDATE asked SET next_at = 0").await;
    let fake = knows([tracked_flow("nobody", "Succeeded", "DELIVERED")]);
    let (tally, _) = bench.run(&fake, Selection::default()).await;
    assert_eq!(tally, Tally { asked: 1, recovered: 1, flows_recovered: 1, ..Tally::default() });
}

#[tokio::test]
async fn an_answer_that_is_not_the_flow_goes_to_unreadable() {
    let bench = Bench::new().await;
    bench.receive(&["a", "b", "c", "d"].map(in_progress)).await;
    bench.execute("DELETE FROM message").await;
    let fake = FakeRoutee::new(|url, _| match url.path().rsplit('/').next().unwrap() {
        "a" => answer(200, "{"),
        "b" => answer(200, &tracked_flow("x", "Succeeded", "SEEN").to_string()),
        // The older page has the shape of an SMS.
        "c" => {
            answer(200, &json!({"messageId": "c", "status": {"name": "Delivered"}, "to": "+306912345678"}).to_string())
        }
        "d" => answer(200, &tracked_flow("d", "Succeeded", "SEEN").to_string()),
        _ => answer(404, UNKNOWN),
    });
    let (tally, result) = bench.run(&fake, Selection::default()).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 4, recovered: 1, flows_recovered: 1, unreadable: 3, ..Tally::default() });
    let rows = bench.rows("SELECT reason FROM unreadable ORDER BY reason").await;
    let reasons: Vec<_> = rows.iter().map(|row| row.get::<&str>(0).unwrap()).collect();
    assert_eq!(
        reasons[1..],
        ["the tracking API answered with another flow", "the tracking API answered with what is not a failover flow"]
    );
    assert!(reasons[0].contains("line 1 column 1"), "{reasons:?}");
    assert_eq!(bench.run(&fake, Selection::default()).await.0, Tally::default());
}

/// A search that has these flows, each of the given minute of 2026-11-01. Before each page, `change` may move them.
fn searched(flows: Vec<(u32, Value)>, mut change: impl FnMut(&mut Vec<(u32, Value)>) + Send + 'static) -> FakeRoutee {
    let mut flows = flows;
    FakeRoutee::new(move |url, _| {
        change(&mut flows);
        let query: BTreeMap<_, _> = url.query().unwrap().split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        let within = |minute: u32| {
            let date = format!("2026-11-01T{:02}:{:02}Z", minute / 60, minute % 60);
            (query["dateStart"]..=query["dateEnd"]).contains(&&*date)
        };
        let page: usize = query["page"].parse().unwrap();
        let all: Vec<_> = flows.iter().filter(|(minute, _)| within(*minute)).map(|(_, flow)| flow).collect();
        let content: Vec<_> = all.iter().skip(page * 10).take(10).collect();
        let (total, pages) = (all.len(), all.len().div_ceil(10));
        answer(
            200,
            &json!({"content": content, "number": page, "totalElements": total, "totalPages": pages}).to_string(),
        )
    })
}

/// Flows of one minute after the other.
fn minutely(count: u32) -> Vec<(u32, Value)> {
    (0..count).map(|place| (place, tracked_flow(&format!("f{place:03}"), "Succeeded", "DELIVERED"))).collect()
}

fn since(since: &str, until: &str) -> Selection {
    Selection { flows_since: Some(since.parse().unwrap()), until: Some(until.parse().unwrap()), ..Selection::default() }
}

fn the_first() -> Selection {
    since("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
}

#[tokio::test]
async fn flows_of_one_page_are_searched_once() {
    let bench = Bench::new().await;
    bench.receive(&[in_progress("f003"), tracked_flow("f004", "Succeeded", "DELIVERED")]).await;
    let mut flows = minutely(10);
    flows[7].1 = json!({"no": "id"});
    // It stands there twice.
    flows[8] = flows[9].clone();
    let fake = searched(flows, |_| {});
    let (tally, result) = bench.run(&fake, the_first()).await;
    assert_eq!(result, Ok(()));
    let expected =
        Tally { asked: 9, recovered: 7, flows_recovered: 7, flows_unchanged: 1, unreadable: 1, ..Tally::default() };
    assert_eq!(tally, expected);
    // An hour more on both sides.
    let path = "/base/failover/tracking?dateStart=2026-10-31T23:00Z&dateEnd=2026-11-02T01:01Z&page=0&size=100";
    assert_eq!(fake.paths(), [path]);
    assert_eq!((bench.flows().await.len(), bench.statuses().await.len()), (8, 8));
    assert_eq!(bench.number("SELECT count(*) FROM run").await, 0);
    let (tally, _) = bench.run(&fake, the_first()).await;
    assert_eq!(tally, Tally { asked: 9, flows_unchanged: 8, unreadable: 1, ..Tally::default() });
}

#[tokio::test]
async fn a_search_is_read_until_nothing_is_new_and_counts_each_flow_once() {
    let bench = Bench::new().await;
    let mut flows = minutely(40);
    flows[15].1 = json!({"no": "id"});
    let mut turns = 0;
    // What was read already moves to the end, so that the first flow of the next page moves to one that was read.
    let fake = searched(flows, move |flows| {
        turns += 1;
        if (2..6).contains(&turns) {
            flows.rotate_left(1);
        }
    });
    let (tally, result) = bench.run(&fake, the_first()).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 40, recovered: 39, flows_recovered: 39, unreadable: 1, ..Tally::default() });
    // Something was missed by the first reading, and the third one found nothing new.
    assert_eq!(fake.paths().len(), 12);
}

#[tokio::test]
async fn a_window_that_does_not_come_to_rest_is_halved() {
    let bench = Bench::new().await;
    // With each of very many pages, one more stands on the first one, so that a reading does not see it.
    let mut newcomers = 0..60;
    let fake = searched(minutely(40), move |flows| {
        let flow = newcomers.next().map(|place| tracked_flow(&format!("n{place:03}"), "Succeeded", "DELIVERED"));
        flows.splice(0..0, flow.map(|flow| (50, flow)));
    });
    let (tally, result) = bench.run(&fake, since("2026-11-01T00:00:00Z", "2026-11-01T00:59:00Z")).await;
    assert_eq!(result, Ok(()));
    assert_eq!(tally, Tally { asked: 100, recovered: 100, flows_recovered: 100, ..Tally::default() });
    let dates = |path: &str| {
        let dates = path.split_once("?dateStart=2026-").unwrap().1.split_once("&page").unwrap().0;
        dates.replace("&dateEnd=2026-", " to ")
    };
    let mut windows: Vec<_> = fake.paths().iter().map(|path| dates(path)).collect();
    windows.dedup();
    let expected = [
        "10-31T23:00Z to 11-01T02:00Z",
        // At rest from here on, but for what comes at 00:50.
        "10-31T23:00Z to 11-01T00:30Z",
        "11-01T00:30Z to 11-01T02:00Z",
        "11-01T00:30Z to 11-01T01:15Z",
        "11-01T00:30Z to 11-01T00:52Z",
        "11-01T00:30Z to 11-01T00:41Z",
        // Twice as long as the one before.
        "11-01T00:41Z to 11-01T01:03Z",
        "11-01T01:03Z to 11-01T01:47Z",
        "11-01T01:47Z to 11-01T02:00Z",
    ];
    assert_eq!(windows, expected);
}

#[tokio::test]
async fn flows_that_come_while_it_reads_do_not_keep_a_search_going() {
    let bench = Bench::new().await;
    let mut count = 0;
    let fake = searched(minutely(30), move |flows| {
        count += 1;
        let mut flow = tracked_flow(&format!("new{count}"), "Queued", "QUEUED");
        flow["createdAt"] = json!(Utc::now() + chrono::TimeDelta::seconds(1));
        flows.insert(0, (0, flow));
    });
    let (tally, result) = bench.run(&fake, the_first()).await;
    assert_eq!((tally.failed, result), (0, Ok(())));
    let flows = bench.flows().await;
    assert_eq!(flows.keys().filter(|id| id.starts_with('f')).count(), 30);
    assert_eq!(fake.paths().len(), 8);
}

#[tokio::test]
async fn a_search_goes_on_where_it_was() {
    for stop_at in 1..14 {
        let bench = Bench::new().await;
        let stop = CancellationToken::new();
        let (stopping, mut turns) = (stop.clone(), 0);
        let fake = searched(minutely(60), move |flows| {
            turns += 1;
            flows.rotate_left(1);
            if turns == stop_at {
                stopping.cancel();
            }
        });
        let selection = || since("2026-11-01T00:00:00Z", "2026-11-01T00:59:00Z");
        let mut reconciler = Reconciler::new(bench.store.clone(), fake.routee(), Arc::default(), stop);
        reconciler.run_when_free(selection()).await.unwrap_err();
        let before = reconciler.tally;
        let fake = searched(minutely(60), |flows| flows.rotate_left(1));
        let (tally, result) = bench.run(&fake, selection()).await;
        assert_eq!((before.asked + tally.asked, tally.failed, result), (60, 0, Ok(())), "{stop_at}");
        assert_eq!(bench.flows().await.len(), 60);
        assert!(
            stop_at < 2 || !fake.paths()[0].contains("dateStart=2026-10-31T23:00Z&dateEnd=2026-11-01T02:00Z&page=0&")
        );
    }
}

#[tokio::test]
async fn a_search_that_cannot_be_read_is_a_failure_and_comes_to_an_end() {
    let no_page = r#"{"error":"not now"}"#;
    for (code, body, unreadable) in [(400, "", 0), (200, "{", 10), (200, no_page, 10)] {
        let bench = Bench::new().await;
        let fake =
            FakeRoutee::new(
                move |url, _| {
                    if url.path().contains("failover") { answer(code, body) } else { answer(404, UNKNOWN) }
                },
            );
        let (tally, result) = bench.run(&fake, the_first()).await;
        assert_eq!((tally.failed, tally.unreadable, result), (1, unreadable, Ok(())), "{body}");
        assert_eq!(fake.paths().iter().filter(|path| path.contains("failover")).count(), 10);
        assert_eq!(bench.number("SELECT count(*) FROM run").await, 0);
    }
    let bench = Bench::new().await;
    let (tally, result) = bench.run(&FakeRoutee::script([]), the_first()).await;
    assert_eq!((tally, result), (Tally::default(), Ok(())));
}

#[tokio::test]
async fn a_search_that_ends_before_it_begins_is_an_error() {
    let url: reqwest::Url = "http://api.test".parse().unwrap();
    let api = RouteeApi { api_url: url.clone(), auth_url: url, rate: crate::cli::Interval(Duration::ZERO) };
    let backwards = since("2026-11-02T00:00:00Z", "2026-11-01T23:59:59Z");
    let error = reconcile("sqlite:nowhere", backwards, &api).await.unwrap_err();
    assert_eq!(error.to_string(), "--until is before --flows-since");
}
