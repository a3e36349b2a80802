//! Ids in canonical form: 32 hexadecimal digits, lower case, as the server writes them.

use std::borrow::Cow;

/// Digits in an id.
const DIGITS: usize = 32;

/// The nil id: a user with this id counts as no user.
pub(crate) const NO_USER: &str = "00000000000000000000000000000000";

/// Positions of the dashes in the long form.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// Whether this is an id in either form.
pub(super) fn is_guid(id: &str) -> bool {
    let digits = id.bytes().filter(|byte| *byte != b'-').count();
    digits == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// `id` without dashes and in lower case if it is an id in either form; otherwise unchanged.
pub fn normalize(id: &str) -> Cow<'_, str> {
    let bytes = id.as_bytes();
    let long = bytes.len() == DIGITS + DASHES.len()
        && bytes.iter().enumerate().all(|(at, byte)| (*byte == b'-') == DASHES.contains(&at));
    if !long && bytes.len() != DIGITS {
        return Cow::Borrowed(id);
    }
    if !bytes.iter().all(|byte| byte.is_ascii_hexdigit() || (long && *byte == b'-')) {
        return Cow::Borrowed(id);
    }
    if !long && !bytes.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().filter(|digit| *digit != '-').map(|digit| digit.to_ascii_lowercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "08ca909f6d1044aa9930be392943948f";

    #[test]
    fn both_forms_of_an_id_are_the_same_id() {
        for form in [ID, "08CA909F6D1044AA9930BE392943948F", "08ca909f-6d10-44aa-9930-be392943948F"] {
            assert_eq!(normalize(form), ID);
        }
    }

    #[test]
    fn a_value_that_is_no_id_is_unchanged() {
        for text in ["", "~", "Me", "12", "08ca909f6d1044aa9930be392943948G", "08ca-909f6d1044aa9930be392943948f----"] {
            assert_eq!(normalize(text), text);
        }
    }
}
