//! Request type names in API requests: classes of media servers, and routes of HTTP APIs.

use greenroom_dialect::class::Class;
use greenroom_request_log::RouteName;

use crate::error::Problem;

/// Rejects unknown request types.
pub fn check_class(class: Option<&str>) -> Result<(), Problem> {
    let is_known = class.is_none_or(|class| Class::parse(class).is_some() || RouteName::is_known(class));
    if is_known { Ok(()) } else { Err(Problem::UNKNOWN_CLASS) }
}
