//! Signs messages with HMAC-SHA256 over the time and the body, so that neither can be changed and old messages cannot
//! be replayed.

use data_encoding::HEXLOWER;
use greenroom_dialect::credential::Secret;
use ring::hmac;

/// The signature header.
pub const HEADER: &str = "greenroom-signature";

/// The header's value: `t=` seconds since 1970, `v1=` the HMAC over `t`, a dot and the body, in hexadecimal.
pub fn sign(secret: &Secret, now_s: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{now_s}.").as_bytes());
    context.update(body);
    format!("t={now_s},v1={}", HEXLOWER.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac Jefe`.
    #[test]
    fn the_signature_matches_other_implementations() {
        let signature = sign(&Secret::new("Jefe"), 1_700_000_000, b"{\"a\":1}");
        assert_eq!(signature, "t=1700000000,v1=fa5f6481efc59da48b19c9dc10196c9953e5651f8304b3a318b6b87d70272e0a");
    }

    #[test]
    fn the_signature_depends_on_time_body_and_secret() {
        let signature = sign(&Secret::new("s"), 1, b"body");
        assert_ne!(signature[4..], sign(&Secret::new("s"), 2, b"body")[4..]);
        assert_ne!(signature, sign(&Secret::new("s"), 1, b"bodz"));
        assert_ne!(signature, sign(&Secret::new("z"), 1, b"body"));
    }
}
