//! Names of classes as requests of the API give them.

use greenroom_dialect::class::Class;

use crate::error::Problem;

/// Whether there is such a class.
pub(super) fn check_class(class: Option<&str>) -> Result<(), Problem> {
    let is_known = class.is_none_or(|class| Class::named(class).is_some());
    if is_known { Ok(()) } else { Err(Problem::UNKNOWN_CLASS) }
}
