//! The one thing in a body that is rewritten: the address by which a Jellyfin server tells clients to reach it.
//! Clients that believed it would go past us from then on.

use greenroom_cache::Value;
use greenroom_upstream::ask::Kind;
use greenroom_upstream::jellyfin::public_info_address;
use greenroom_upstream::verdict::Read;
use http::HeaderMap;
use http::header::HOST;

use super::answer;
use crate::server::Server;

/// Longest host that is written into a body.
const MAX_HOST: usize = 255;

/// The value with the address that the client used in place of the server's own; `None` if there is none in it.
pub fn rewrite(server: &Server, read: &Read, headers: &HeaderMap, value: &Value) -> Option<Value> {
    if server.settings.kind != Kind::Jellyfin || !is_system_info(&read.target) {
        return None;
    }
    let host = headers.get(HOST)?.to_str().ok().filter(|host| is_host(host))?;
    let address = format!("http://{host}{}", server.settings.base_path);
    let body = public_info_address(&value.body, &address)?;
    Some(answer::with_body(value, body.into()))
}

fn is_system_info(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.eq_ignore_ascii_case("/System/Info/Public") || path.eq_ignore_ascii_case("/System/Info")
}

/// Name or address, with or without a port: what is not that is not repeated.
fn is_host(host: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_');
    !host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_host_is_repeated() {
        assert!(is_host("192.168.1.4:8196"));
        assert!(is_host("[fe80::1]:8196"));
        assert!(!is_host("evil\"/><script>"));
        assert!(!is_host(""));
    }

    #[test]
    fn only_the_servers_own_info_holds_the_address() {
        assert!(is_system_info("/System/Info/Public"));
        assert!(is_system_info("/system/info?x=1"));
        assert!(!is_system_info("/System/Info/Storage"));
    }
}
