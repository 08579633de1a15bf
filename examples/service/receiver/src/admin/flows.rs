//! `GET /flow?id=…`: a failover flow, as a page.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use maud::html;
use serde::Deserialize;

use crate::admin::dates::to_the_second;
use crate::admin::parts::{figure, nothing, page};
use crate::admin::state::Admin;
use crate::excerpt::short;
use crate::store::error::StoreError;

#[derive(Deserialize)]
pub struct FlowQuery {
    id: String,
}

pub async fn flow(
    State(admin): State<Admin>,
    Query(FlowQuery { id }): Query<FlowQuery>,
) -> Result<Response, StoreError> {
    // No flow has such an id, and PostgreSQL would refuse the query.
    if id.contains('\0') {
        return Ok(nothing(&id));
    }
    let sql = "SELECT status_name, termination_channel, changed_at, overdue_at FROM flow WHERE tracking_id = $1";
    let rows = admin.store.query(sql, vec![id.as_str().into()]).await?;
    let Some(row) = rows.first() else { return Ok(nothing(&id)) };
    let (status, channel): (&str, Option<&str>) = (row.get(0)?, row.get(1)?);
    let (changed_at, overdue_at): (_, Option<i64>) = (row.get(2)?, row.get(3)?);
    let content = html! {
        section.figures {
            (figure("status", &short(status)))
            @if let Some(channel) = channel { (figure("ended on the channel", &short(channel))) }
            (figure("received", &to_the_second(changed_at)))
            @if let Some(at) = overdue_at { (figure("overdue after", &to_the_second(at))) }
        }
        footer { "All times are UTC. The Viber messages in its steps are messages of their own." }
    };
    Ok(page("Failover flow", &id, &content).into_response())
}
