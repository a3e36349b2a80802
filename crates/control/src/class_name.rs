//! Request type names in API requests.

use greenroom_dialect::class::Class;

use crate::error::Problem;

/// Rejects unknown request types.
pub(super) fn check_class(class: Option<&str>) -> Result<(), Problem> {
    let is_known = class.is_none_or(|class| Class::parse(class).is_some());
    if is_known { Ok(()) } else { Err(Problem::UNKNOWN_CLASS) }
}
