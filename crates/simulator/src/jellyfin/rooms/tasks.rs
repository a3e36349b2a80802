//! `/ScheduledTasks`.

use http::Method;
use serde_json::Value;

use super::Outcome;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::house::run_task;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::tasks::Tasks;

/// Everything below `/ScheduledTasks`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    ask.admin()?;
    let key = |id: &str| Tasks::key_of(Ask::id(id)?).ok_or(Refusal::NotFound);
    match (&ask.method, rest) {
        (&Method::GET, []) => {
            let hidden = ask.params.flag("ishidden")?;
            let rows = if hidden == Some(true) { Vec::new() } else { ask.house.tasks.written(ask.now_ms) };
            Ok(Reply::json(Value::Array(rows)))
        }
        (&Method::GET, [id]) => {
            ask.house.tasks.one(key(id)?, ask.now_ms).map(Reply::json).ok_or(Refusal::NotFound)
        }
        (&Method::POST, ["running", id]) => {
            run_task(ask.house, ask.ground, key(id)?, ask.now_ms);
            Ok(Reply::nothing())
        }
        (&Method::DELETE, ["running", id]) => {
            ask.house.tasks.cancel(key(id)?, ask.now_ms);
            Ok(Reply::nothing())
        }
        _ => Err(Refusal::NotFound),
    }
}
