//! Tokens: written where they are needed, or in a file of their own.

use std::fs::File;
use std::io::Read;

use greenroom_dialect::credential::Secret;

use super::tree::Tree;

/// A token file that is longer is something else.
const MAX_TOKEN_FILE_BYTES: usize = 16 * 1024;

/// What is in a file, up to a little more than a token may be long: a device has no end.
fn read_short(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(MAX_TOKEN_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// A token, or what is in the file that is named instead.
pub(super) fn read_token(tree: &mut Tree, token: &str, token_file: &str) -> Option<Secret> {
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
        let mut tree = Tree::default();
        tree.add_toml("g.toml", "token_file = \"/dev/zero\"\n");
        assert!(read_token(&mut tree, "token", "token_file").is_none());
        assert!(tree.problems[0].message.contains("longer than a token"), "{:?}", tree.problems);
    }
}
