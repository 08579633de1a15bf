//! The page, as a browser shows it.

use anyhow::{Result, ensure};
use fantoccini::Locator;
use serde_json::json;

use crate::browser::{Browser, Scheme};
use crate::processes::Sender;
use crate::setup::serve_on_sqlite;

/// Would be a picture and a script if it were not text, and is wider than any window.
const HOSTILE: &str = "<img src=x onerror=document.title='hostile'>?&#0;%2f/../WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW\
                       WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW";

#[tokio::test]
async fn the_pages_fit_a_phone_and_a_desk_and_run_no_foreign_script() -> Result<()> {
    let (directory, _database, receiver) = serve_on_sqlite(&[]).await?;
    let empty = Browser::start(390, Scheme::Light).await?;
    empty.client.goto(&format!("{}/", receiver.admin)).await?;
    empty.fits().await?;
    empty.screenshot("empty").await?;

    let arguments = ["--messages=3000", "--malformed=0.01", "--failover=0.1", "--replies=0.1", "--foreign=0.02"];
    Sender::start(&directory, "sender", &[&receiver.url], &arguments).await?.finish().await?;
    let body = |status: &str| {
        json!({
            "trackingId": HOSTILE,
            "status": { "name": status, "updatedDate": "2026-11-23T10:00:00Z", "reason": { "detailedStatus": "Opted Out" } },
            "body": { "text": "<b>bold</b>" },
            "carrier<u>": HOSTILE,
        })
    };
    for status in ["QUEUED", "UNDELIVERED", "<script>document.title='hostile'</script>"] {
        ensure!(receiver.post(body(status).to_string()).await? == 200);
    }
    ensure!(receiver.post(format!("<script>document.title='hostile'</script>{HOSTILE}")).await? == 200);

    for width in [390, 1300] {
        let browser = Browser::start(width, Scheme::Light).await?;
        let link = Locator::XPath("//a[contains(., 'onerror')]");
        browser.goto_until(&format!("{}/", receiver.admin), link).await?;
        browser.fits().await?;
        browser.screenshot("overview").await?;
        let title = browser.client.title().await?;
        ensure!(title != "hostile" && !title.is_empty(), "{title}");
        let text = browser.client.find(link).await?.text().await?;
        ensure!(HOSTILE.starts_with(text.trim_end_matches('…')) && text.starts_with("<img src=x"), "{text}");

        browser.client.find(link).await?.click().await?;
        browser.fits().await?;
        browser.screenshot("message").await?;
        let page = browser.client.find(Locator::Css("body")).await?.text().await?;
        for shown in [HOSTILE, "QUEUED", "UNDELIVERED", "<script>document.title='hostile'</script>", "Opted Out"] {
            ensure!(page.contains(shown), "{shown} is not in {page}");
        }
        ensure!(browser.client.title().await? != "hostile");
        let images = browser.run("return document.images.length").await?;
        ensure!(images == 0, "{images} images");
        browser.client.back().await?;
        let unreadable = Locator::XPath("//*[contains(., 'EOF while parsing') or contains(., 'expected value')]");
        browser.client.find(unreadable).await?;
    }
    receiver.terminate().await
}
