//! Tokens: given directly or in a file of their own.

use std::fs::File;
use std::io::Read;

use greenroom_dialect::credential::Secret;

use super::source::ConfigSource;

/// A longer file is no token file.
const MAX_TOKEN_FILE_BYTES: usize = 16 * 1024;

/// Reads a file up to a little more than the max length of a token: a device file has no end.
fn read_short(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(MAX_TOKEN_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// A token, or the contents of the file named instead.
pub(super) fn read_token(tree: &mut ConfigSource, token: &str, token_file: &str) -> Option<Secret> {
    let from_file = tree.take(token_file).and_then(|leaf| match read_short(&leaf.text) {
        Ok(text) if text.len() > MAX_TOKEN_FILE_BYTES => {
            tree.problem(leaf.place, format!("the token file {} is longer than a token is", leaf.text));
            None
        }
        Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Ok(_) => {
            tree.problem(leaf.place, format!("the token file {} is empty", leaf.text));
            None
        }
        Err(error) => {
            tree.problem(leaf.place, format!("the token file {} cannot be read: {error}", leaf.text));
            None
        }
    });
    let text = tree.take(token).map(|leaf| leaf.text.trim().to_owned()).or(from_file)?;
    if text.is_empty() { None } else { Some(Secret::new(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_without_an_end_is_not_read_to_it() {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", "token_file = \"/dev/zero\"\n");
        assert!(read_token(&mut tree, "token", "token_file").is_none());
        assert!(tree.errors[0].message.contains("longer than a token"), "{:?}", tree.errors);
    }
}
