//! The user a Jellyfin token belongs to.

use serde::Deserialize;

/// The user's id from the JSON body of Jellyfin's `/Users/Me`, without dashes.
pub fn own_user(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct MeResponse {
        #[serde(rename = "Id")]
        id: String,
    }
    let response: MeResponse = serde_json::from_slice(body).ok()?;
    Some(response.id.replace('-', "").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let response = br#"{"Name":"a","Id":"08CA909F-6D10-44AA-9930-BE392943948F"}"#;
        assert_eq!(own_user(response).as_deref(), Some("08ca909f6d1044aa9930be392943948f"));
        assert_eq!(own_user(b"<html>"), None);
    }
}
