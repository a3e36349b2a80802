//! The name under which an app is shown: what it calls itself, unless that may be a token.

use greenroom_dialect::credential::Credential;
use greenroom_dialect::token_shape::looks_like_token;
use http::HeaderMap;
use http::header::USER_AGENT;

/// Name of apps that do not say one, or none that can be shown.
pub const UNKNOWN: &str = "unknown";
/// Max length of a displayed name.
const MAX_NAME_CHARS: usize = 40;
/// Shorter tokens are found in ordinary names by chance; only a name that is equal to one is not shown.
const MIN_TOKEN_BYTES: usize = 8;

/// The product name, else the first word of the user agent; only characters that are safe to show. A client may send a
/// token in place of either: a name that holds the request's own token, that looks like a token or that `is_token` knows
/// is not shown.
pub fn client_name(credential: &Credential, headers: &HeaderMap, is_token: impl Fn(&str) -> bool) -> String {
    let user_agent = || headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let Some(said) = credential.product.as_deref().or_else(user_agent) else { return UNKNOWN.to_owned() };
    let product = if credential.product.is_some() { said } else { first_word(said) };
    let is_shown = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '.' | '_' | '(' | ')');
    let shown: String = product.chars().filter(is_shown).collect();
    let holds_own_token = credential
        .token
        .as_ref()
        .is_some_and(|token| [said, product, &shown].iter().any(|name| is_part(name, token.expose())));
    let words = || [product, shown.as_str()].into_iter().flat_map(|text| text.split([' ', '(', ')']).chain([text]));
    if holds_own_token || looks_like_token(product) || looks_like_token(&shown) || words().any(is_token) {
        return UNKNOWN.to_owned();
    }
    let name: String = shown.chars().take(MAX_NAME_CHARS).collect();
    let name = name.trim();
    if name.is_empty() { UNKNOWN.to_owned() } else { name.to_owned() }
}

/// Whether the name is this token, holds it, or is a long part of it.
fn is_part(name: &str, token: &str) -> bool {
    let (name, token) = (name.trim().to_lowercase(), token.to_lowercase());
    name == token
        || (token.len() >= MIN_TOKEN_BYTES && name.contains(&token))
        || (name.len() >= MIN_TOKEN_BYTES && token.contains(&name))
}

fn first_word(user_agent: &str) -> &str {
    user_agent.split(['/', ' ']).next().unwrap_or(user_agent)
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::credential::Secret;
    use http::HeaderValue;

    use super::*;

    fn name_of(credential: &Credential, headers: &HeaderMap) -> String {
        client_name(credential, headers, |_| false)
    }

    fn user_agent(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_str(text).expect("a header value"))])
    }

    #[test]
    fn an_app_is_called_by_its_product_else_by_its_agent() {
        let headers = user_agent("PlexAPI/4.17 (Linux)");
        assert_eq!(name_of(&Credential::default(), &headers), "PlexAPI");
        let named = Credential { product: Some("Kometa".into()), ..Credential::default() };
        assert_eq!(name_of(&named, &headers), "Kometa");
    }

    #[test]
    fn what_an_app_calls_itself_cannot_break_a_page_or_a_metric() {
        let named = Credential { product: Some("<b>\"x\"\n{}".into()), ..Credential::default() };
        assert_eq!(name_of(&named, &HeaderMap::new()), "bx");
    }

    #[test]
    fn a_token_sent_as_a_user_agent_or_product_is_never_shown() {
        for token in ["token-of-anna", "x7Kd2mPq9Lw4Rt6Yz1Vb", "0123456789abcdef0123456789abcdef", "ab/cdefghij"] {
            for said in [token.to_owned(), format!("{token}/1.0"), format!(" {token} "), token.to_uppercase()] {
                let own = Credential { token: Some(Secret::new(token)), ..Credential::default() };
                assert_eq!(name_of(&own, &user_agent(&said)), UNKNOWN, "{said}");
                let product = Credential { product: Some(said.clone()), ..own };
                assert_eq!(name_of(&product, &HeaderMap::new()), UNKNOWN, "{said}");
            }
            let known = |word: &str| word == token;
            for said in [token.to_owned(), format!("App ({token})")] {
                let product = Credential { product: Some(said), ..Credential::default() };
                assert_eq!(client_name(&product, &HeaderMap::new(), known), UNKNOWN);
            }
        }
        let random = user_agent("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        assert_eq!(name_of(&Credential::default(), &random), UNKNOWN);
        let own = Credential { token: Some(Secret::new("t")), ..Credential::default() };
        assert_eq!(name_of(&own, &user_agent("t/2")), UNKNOWN);
        assert_eq!(name_of(&own, &user_agent("Tautulli/2")), "Tautulli", "a short token is part of many names");
    }
}
