//! What became of campaigns: the same numbers as a page, as JSON, as CSV and in a terminal.

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::browser::{Browser, Scheme};
use crate::database::Database;
use crate::operations::run;
use crate::postgres::Postgres;
use crate::processes::{Receiver, until};
use crate::setup::{Directory, serve_on_sqlite};

/// Would be a script and another page if it were not text, is a formula to a spreadsheet, and is as long as an id may be,
/// which is 1 KiB as JSON.
fn hostile() -> String {
    let hostile = "=1+1<script>document.title='hostile'</script>/../%2e%2e?&#0;\"";
    format!("{hostile}{}", "W".repeat(1023 - hostile.len()))
}

/// For a URL.
fn escaped(id: &str) -> String {
    id.bytes().fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"))
}

async fn send(receiver: &Receiver, campaign: Option<&str>, id: &str, status: &str, seconds: u32) -> Result<()> {
    let date = format!("2026-11-23T10:{:02}:{:02}Z", seconds / 60, seconds % 60);
    let body = json!({
        "trackingId": id,
        "campaignTrackingId": campaign,
        "createdAt": "2026-11-23T10:00:00Z",
        "price": 0.1,
        "status": { "name": status, "updatedDate": date, "reason": { "detailedStatus": (status == "FAILED").then_some("Opted Out") } },
    });
    ensure!(receiver.post(body.to_string()).await? == 200);
    Ok(())
}

/// Three messages of each campaign, of which one was seen after half a minute, one delivered after two seconds, and one
/// failed; and a reply to the first one.
async fn fill(receiver: &Receiver, campaigns: &[Option<&str>]) -> Result<()> {
    for (number, campaign) in campaigns.iter().enumerate() {
        for (id, status, seconds) in
            [("a", "DELIVERED", 1), ("a", "SEEN", 30), ("b", "DELIVERED", 2), ("c", "FAILED", 3)]
        {
            send(receiver, *campaign, &format!("{number}-{id}"), status, seconds).await?;
        }
        let reply = json!({
            "from": "1", "message": "yes", "sentDate": "2026-11-23T12:00:00Z",
            "referenceTrackingId": format!("{number}-a"), "campaignTrackingId": campaign,
        });
        ensure!(receiver.post(reply.to_string()).await? == 200);
    }
    Ok(())
}

/// The answer to somebody who wants that, and follows no redirection.
async fn ask(receiver: &Receiver, path: &str, accept: &str, tag: &str) -> Result<Response> {
    let client = Client::builder().redirect(Policy::none()).build()?;
    let request = client.get(format!("{}{path}", receiver.admin)).header(ACCEPT, accept);
    Ok(request.header(IF_NONE_MATCH, tag).send().await?)
}

fn header(answer: &Response, name: reqwest::header::HeaderName) -> String {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn a_campaign_has_the_same_numbers_everywhere(database: &Database, directory: &Directory) -> Result<()> {
    let receiver = Receiver::start(directory, database, &[]).await?;
    let hostile = hostile();
    fill(&receiver, &[Some("spring"), Some(&hostile), Some(".."), None]).await?;

    let list: Value = serde_json::from_str(&receiver.get("/campaigns").await?)?;
    let campaigns = list["campaigns"].as_array().context("no campaigns")?;
    let ids: Vec<_> = campaigns.iter().map(|campaign| &campaign["campaign"]).collect();
    ensure!(ids == [&Value::Null, &json!(".."), &json!(hostile), &json!("spring")], "{ids:?}");
    let durations = |messages, median, p90, buckets: Value| json!({ "messages": messages, "medianWithinSeconds": median, "p90WithinSeconds": p90, "buckets": buckets });
    let bucket = |seconds, messages| json!({ "withinSeconds": seconds, "messages": messages });
    for campaign in campaigns {
        let expected = json!({
            "campaign": campaign["campaign"], "latestHour": "2026-11-23T12:00:00Z",
            "messages": 3, "delivered": 2, "seen": 1, "failed": 1, "pending": 0, "unrecognized": 0, "replies": 1,
            "price": { "sum": "0.3", "messages": 3 },
            "toDelivery": durations(2, 1, 2, json!([bucket(1, 1), bucket(2, 1)])),
            "toFirstLook": durations(1, 30, 30, json!([bucket(30, 1)])),
        });
        ensure!(*campaign == expected, "{campaign:#}");
    }

    let paths = ["/campaigns/spring", "/campaign?id=", "/campaign?id=.."].map(ToOwned::to_owned);
    let escaped = escaped(&hostile);
    for path in paths.into_iter().chain([format!("/campaigns/{escaped}"), format!("/campaign?id={escaped}")]) {
        let campaign: Value = serde_json::from_str(&receiver.get(&path).await?)?;
        let point = json!({ "from": "2026-11-23T10:00:00Z", "messages": 3, "delivered": 2, "seen": 1, "failed": 1, "pending": 0, "unrecognized": 0 });
        ensure!(campaign["timeline"] == json!({ "unit": "hour", "points": [point] }), "{path}: {campaign:#}");
        ensure!(campaign["reasons"] == json!([{ "reason": "Opted Out", "messages": 1 }]), "{path}: {campaign:#}");
    }
    for path in ["/campaigns", "/campaigns/spring", "/campaign?id="] {
        // Whoever has it does not get it again, in whatever format.
        for (accept, kind) in [
            ("*/*", "application/json"),
            ("text/html", "text/html; charset=utf-8"),
            ("text/csv", "text/csv; charset=utf-8"),
        ] {
            let answer = ask(&receiver, path, accept, "\"another\"").await?;
            ensure!(answer.status() == 200 && header(&answer, CONTENT_TYPE) == kind, "{path}, {accept}: {answer:?}");
            let again = ask(&receiver, path, accept, &header(&answer, ETAG)).await?;
            ensure!(again.status() == 304 && again.text().await?.is_empty(), "{path}, {accept}");
        }
    }
    for unknown in ["/campaigns/summer", "/campaign?id=summer", "/campaigns/%00", "/flow?id=spring"] {
        ensure!(receiver.ask(unknown).await?.status() == 404, "{unknown}");
    }

    let csv = receiver.get("/campaigns?format=csv").await?;
    let rest = "2026-11-23 12:00,3,2,1,1,0,0,0.3,1,1,2,30,30\r\n";
    let quoted = format!("\"'{}\"", hostile.replace('"', "\"\""));
    let expected = format!(
        "\u{feff}campaign,latest_hour,messages,delivered,seen,failed,pending,unrecognized,price,replies,delivered_median_s,\
         delivered_p90_s,seen_median_s,seen_p90_s\r\n,{rest}..,{rest}{quoted},{rest}spring,{rest}"
    );
    ensure!(csv == expected, "{csv}");

    // A page of the list says where the next one is, and it ends.
    let mut next = "/campaigns?limit=3".to_owned();
    for expected in [3, 1] {
        let answer = receiver.ask(&next).await?;
        let link = header(&answer, LINK);
        let page: Value = serde_json::from_str(&answer.text().await?)?;
        ensure!(page["campaigns"].as_array().map(Vec::len) == Some(expected), "{next}: {page:#}");
        page["next"].as_str().unwrap_or_default().clone_into(&mut next);
        ensure!(link == if next.is_empty() { String::new() } else { format!("<{next}>; rel=\"next\"") }, "{link}");
    }
    ensure!(next.is_empty() && receiver.ask("/campaigns?after=x").await?.status() == 400);

    send(&receiver, None, "spring", "SEEN", 5).await?;
    for (id, place) in [("0-a", "/message?id=0%2Da"), ("%20..%0A", "/campaign?id=%2E%2E")] {
        let found = ask(&receiver, &format!("/find?id={id}"), "text/html", "").await?;
        ensure!(found.status() == 303 && header(&found, LOCATION) == place, "{id}: {found:?}");
    }
    ensure!(ask(&receiver, "/find?id=nobody", "text/html", "").await?.status() == 404);
    let both = ask(&receiver, "/find?id=spring", "text/html", "").await?;
    let both = (both.status(), both.text().await?);
    ensure!(
        both.0 == 300 && both.1.contains("/message?id=spring") && both.1.contains("/campaign?id=spring"),
        "{both:?}"
    );

    for arguments in [&["report", "--campaign", "spring"][..], &["report", "--campaign", &hostile]] {
        let printed = run(database, arguments).await?;
        let printed = String::from_utf8(printed.stdout)?;
        let lines: Vec<_> = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for line in ["delivered 2 66.7 %", "price 0.3", "first look 1 within 30 s within 30 s", "Opted Out 1"] {
            ensure!(lines.iter().any(|found| found == line), "{line} is not in {printed}");
        }
        let csv = run(database, &[arguments, &["--csv"]].concat()).await?;
        let served = receiver
            .get(&format!("/campaign?format=csv&id={}", if arguments[2] == "spring" { "spring" } else { &escaped }))
            .await?;
        ensure!(String::from_utf8(csv.stdout)? == served);
    }
    let days = run(database, &["report", "--since", "2026-11-23", "--csv"]).await?;
    let expected = "\u{feff}day,messages,delivered,seen,failed,pending,unrecognized,price,replies\r\n\
                    2026-11-23,13,9,5,4,0,0,1.3,4\r\n";
    ensure!(String::from_utf8(days.stdout)? == expected);
    let unknown = run(database, &["report", "--campaign", "summer"]).await?;
    let said = String::from_utf8(unknown.stderr)?;
    ensure!(!unknown.status.success() && said == "Error: nothing is known of the campaign summer\n", "{said}");
    receiver.terminate().await
}

#[tokio::test]
async fn a_campaign_has_the_same_numbers_everywhere_on_sqlite() -> Result<()> {
    let directory = Directory::new().await?;
    a_campaign_has_the_same_numbers_everywhere(&Database::sqlite(&directory), &directory).await
}

#[tokio::test]
async fn a_campaign_has_the_same_numbers_everywhere_on_postgresql() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    a_campaign_has_the_same_numbers_everywhere(&postgres.database, &directory).await
}

#[tokio::test]
async fn a_message_shows_its_life_with_retries_and_disorder() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    let now = chrono::Utc::now();
    // The second one comes when a retry is due, the third one when none is; both come after a newer status.
    for (status, seconds_ago) in [("SEEN", 1), ("DELIVERED", 120), ("QUEUED", 200)] {
        let date = (now - chrono::TimeDelta::seconds(seconds_ago)).to_rfc3339();
        let created_at = (now - chrono::TimeDelta::hours(1)).to_rfc3339();
        let body = json!({
            "trackingId": "m", "campaignTrackingId": "spring", "createdAt": created_at, "to": "+306900000001",
            "body": { "text": "Hello <b>you</b>" }, "status": { "name": status, "updatedDate": date },
        });
        ensure!(receiver.post(body.to_string()).await? == 200);
        // So that each has an arrival of its own.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let message: Value = serde_json::from_str(&receiver.get("/messages/m").await?)?;
    let history = message["history"].as_array().context("no history")?;
    let marks: Vec<_> = history.iter().map(|row| (&row["attempt"], &row["isOutOfOrder"])).collect();
    let expected = [(json!(0), json!(false)), (json!(3), json!(true)), (json!(null), json!(true))];
    ensure!(marks.iter().zip(&expected).all(|(found, (attempt, order))| *found == (attempt, order)), "{message:#}");
    ensure!(message["campaign"] == "spring", "{message:#}");

    let page = ask(&receiver, "/messages/m", "text/html", "").await?.text().await?;
    for shown in [
        "created at Routee, to +306900000001",
        "Hello &lt;b&gt;you&lt;/b&gt;",
        "probably retry 3 of 12",
        "not when an attempt was due",
        "out of order",
    ] {
        ensure!(page.contains(shown), "{shown} is not in {page}");
    }
    receiver.terminate().await
}

/// A campaign with so many messages, straight in the counters.
fn campaign_of(id: &str, messages: u32) -> String {
    let rows = [("status", "SEEN", messages), ("price", "0.035", messages), ("seen", "30", messages)];
    let times = [("ever", 0), ("day", 493_992), ("hour", 494_000), ("hour", 494_001), ("hour", 494_005)];
    let values: Vec<_> = rows
        .iter()
        .flat_map(|(what, value, count)| {
            times.map(|(unit, hour)| format!("('{id}', '{unit}', {hour}, '{what}', '{value}', {count}, 0)"))
        })
        .collect();
    format!(
        "INSERT INTO campaign_tally VALUES {}; INSERT INTO campaign (id, last_hour) VALUES ('{id}', 494005);",
        values.join(", ")
    )
}

#[tokio::test]
async fn everybody_can_use_every_page_in_the_dark_and_in_the_light_on_a_phone_and_at_a_desk() -> Result<()> {
    let (_directory, database, receiver) = serve_on_sqlite(&[]).await?;
    let hostile = hostile();
    fill(&receiver, &[Some("spring"), Some(&hostile), None]).await?;
    database.run(&campaign_of("ten million", 10_000_000)).await?;
    database.run(&campaign_of("one", 1)).await?;
    let flow = json!({"trackingId": "flow", "status": "InProgress", "messages": [{}]});
    ensure!(receiver.post(flow.to_string()).await? == 200);
    let now = chrono::Utc::now().to_rfc3339();
    let recent = json!({"trackingId": "recent", "createdAt": now, "status": "DELIVERED", "carrier": 1});
    ensure!(receiver.post(recent.to_string()).await? == 200);
    ensure!(receiver.post("unreadable").await? == 200);

    let pages = [
        ("overview", "/"),
        ("campaigns", "/campaigns"),
        ("campaign", "/campaigns/spring"),
        ("none", "/campaign?id="),
        ("ten-million", "/campaigns/ten%20million"),
        ("one", "/campaigns/one"),
        ("life", "/message?id=0-a"),
        ("flow", "/flow?id=flow"),
        ("nothing", "/find?id=nobody"),
    ];
    for (width, scheme) in [(390, Scheme::Light), (390, Scheme::Dark), (1300, Scheme::Light), (1300, Scheme::Dark)] {
        let browser = Browser::start(width, scheme).await?;
        browser.goto_until(&format!("{}/", receiver.admin), Locator::Css(".chart")).await?;
        for (name, path) in pages {
            browser.client.goto(&format!("{}{path}", receiver.admin)).await?;
            browser.run("for (const details of document.querySelectorAll('details')) details.open = true").await?;
            browser.fits().await?;
            browser.is_accessible().await?;
            browser.screenshot(name).await?;
        }
        browser.client.goto(&format!("{}/campaigns", receiver.admin)).await?;
        browser.client.find(Locator::XPath("//a[contains(., '=1+1<script>')]")).await?.click().await?;
        browser.fits().await?;
        browser.is_accessible().await?;
        browser.screenshot("hostile").await?;
        let text = browser.client.find(Locator::Css("h1 code")).await?.text().await?;
        ensure!(text == hostile && browser.client.title().await? != "hostile", "{text}");
    }
    receiver.terminate().await
}

#[tokio::test]
async fn the_keyboard_alone_leads_from_the_overview_to_the_numbers_of_a_campaign() -> Result<()> {
    let (_directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    fill(&receiver, &[Some("spring"), Some("..")]).await?;
    let browser = Browser::start(1300, Scheme::Light).await?;
    // The page before may have the same elements.
    let leads_to = async |path: &str| {
        until(path, async || Ok(browser.client.current_url().await?.as_str().ends_with(path))).await?;
        browser.client.wait().for_element(Locator::Css(".chart")).await?;
        anyhow::Ok(())
    };
    browser.client.goto(&format!("{}/", receiver.admin)).await?;
    browser.tab_to("#id").await?;
    browser.press("spring\u{e007}").await?;
    leads_to("/campaign?id=spring").await?;
    browser.tab_to("summary").await?;
    browser.press("\u{e007}").await?;
    let row = browser.client.find(Locator::Css("details[open] tbody tr")).await?;
    ensure!(row.text().await? == "23 Nov 10:00 3 2 66.7 % 1 33.3 % 1 33.3 %", "{}", row.text().await?);

    browser.tab_to("a[href$='format=csv']").await?;
    browser.tab_to("a[href='/campaigns']").await?;
    browser.press("\u{e007}").await?;
    browser.client.wait().for_element(Locator::Css(".cards")).await?;
    // The one that is no path.
    browser.tab_to("th a").await?;
    browser.press("\u{e007}").await?;
    leads_to("/campaign?id=%2E%2E").await?;
    receiver.terminate().await
}
