//! The control socket: how commands on the host reach the running server. Whoever may open the file is an administrator.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};

use crate::flows::command::Command;
use crate::flows::dispatch;
use crate::model::event::AuditContext;
use crate::web::Web;

/// `POST /command`: one command as JSON, its reply as JSON.
pub async fn command(web: Data<Web>, command: Json<Command>) -> HttpResponse {
    let context = AuditContext { actor: Some("cli".to_owned()), ..AuditContext::default() };
    let reply = dispatch::run(&web.services, command.into_inner(), context).await.unwrap_or_else(|fault| dispatch::broken(&fault));
    HttpResponse::Ok().json(reply)
}
