//! The sender against a server that does not answer as it should.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use chrono::TimeDelta;
use routee_viber::{Counting, RESPONSE_DEADLINE, RetryPlan};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::{task, time};

use crate::processes::{Sender, one_at_a_time};

#[tokio::test]
async fn another_success_is_retried_by_the_schedule_and_given_up() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let url = serve(Router::new().route("/callbacks", post(StatusCode::CREATED))).await?;
    for (name, counting) in
        [("first-attempt", Counting::FromFirstAttempt), ("previous-attempt", Counting::FromPreviousAttempt)]
    {
        let counting_by = format!("--counting={name}");
        let arguments = ["--status=DELIVERED", "--speed-up=30000", &counting_by];
        let sender = Sender::start(&directory, &[&url], &arguments).await?;
        let (sent, has_given_up) = sender.finish_or_give_up().await?;
        ensure!(has_given_up);
        let numbers: Vec<_> = sent.attempts.iter().map(|attempt| attempt.number).collect();
        ensure!(numbers == (0..=12).collect::<Vec<_>>(), "{numbers:?}");

        let first = sent.attempts[0].begin;
        let plan = RetryPlan::new(first).counting(counting);
        for (attempt, at) in sent.attempts[1..].iter().zip(plan.times()) {
            let late = (attempt.begin - first) - (at - first) / 30_000;
            let (rounding, slack) = (TimeDelta::milliseconds(-2), TimeDelta::milliseconds(500));
            ensure!((rounding..slack).contains(&late), "{name}: {} is {late} late", attempt.number);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_late_200_is_no_answer() -> Result<()> {
    static WAS_LATE: AtomicBool = AtomicBool::new(false);
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let answer = async || {
        if !WAS_LATE.swap(true, Ordering::SeqCst) {
            time::sleep(RESPONSE_DEADLINE + Duration::from_millis(200)).await;
        }
    };
    let url = serve(Router::new().route("/callbacks", post(answer))).await?;
    let arguments = ["--status=SEEN", "--speed-up=30000"];
    let sent = Sender::start(&directory, &[&url], &arguments).await?.finish().await?;
    let codes: Vec<_> = sent.attempts.iter().map(|attempt| attempt.code).collect();
    ensure!(codes == [None, Some(200)], "{codes:?}");
    Ok(())
}

#[tokio::test]
async fn one_seed_makes_one_plan() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let url = serve(Router::new().route("/callbacks", post(StatusCode::OK))).await?;
    let mut plans = Vec::new();
    for seed in ["--seed=7", "--seed=7", "--seed=8"] {
        let arguments = [seed, "--messages=50", "--duplicates=0.5", "--truncated=0.5"];
        let sent = Sender::start(&directory, &[&url], &arguments).await?.finish().await?;
        plans.push((sent.last, sent.attempts.len(), sent.broken));
    }
    ensure!(plans[0] == plans[1] && plans[0] != plans[2], "{plans:?}");
    Ok(())
}

async fn serve(answers: Router) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    task::spawn(axum::serve(listener, answers).into_future());
    Ok(url)
}
