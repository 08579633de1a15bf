//! `GET /find?id=…`: leads to the message, flow or campaign that has an id.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde::Deserialize;

use crate::admin::parts::{link, nothing, page, url};
use crate::admin::state::Admin;
use crate::reports::campaign;
use crate::store::error::StoreError;

#[derive(Deserialize)]
pub struct FindQuery {
    id: String,
}

/// Where each is shown, and what knows it.
const TABLES: [(&str, &str); 2] = [
    ("/message", "SELECT tracking_id FROM message WHERE tracking_id = $1"),
    ("/flow", "SELECT tracking_id FROM flow WHERE tracking_id = $1"),
];

pub async fn find(
    State(admin): State<Admin>,
    Query(FindQuery { id }): Query<FindQuery>,
) -> Result<Response, StoreError> {
    // Whoever copies an id may copy a space with it.
    lead_to(&admin, id.trim()).await
}

/// The way to what has the id, or the page that says that nothing has.
pub async fn lead_to(admin: &Admin, id: &str) -> Result<Response, StoreError> {
    // Nothing has such an id, and PostgreSQL would refuse the query; an empty one is that of no campaign.
    if id.is_empty() || id.contains('\0') {
        return Ok(nothing(id));
    }
    let mut found = Vec::new();
    for (path, sql) in TABLES {
        if !admin.store.query(sql, vec![id.into()]).await?.is_empty() {
            found.push(path);
        }
    }
    admin.settle().await?;
    if campaign::is_known(&*admin.store, id).await? {
        found.push("/campaign");
    }
    Ok(match found[..] {
        [] => nothing(id),
        [path] => Redirect::to(&url(path, id)).into_response(),
        _ => {
            let several = html! {
                section {
                    ul { @for path in found { li { (path.trim_start_matches('/')) " " (link(path, id)) } } }
                }
            };
            (StatusCode::MULTIPLE_CHOICES, page("There are several with the id", id, &several)).into_response()
        }
    })
}
