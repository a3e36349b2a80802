//! A request written as text, so that seeds can be read and mutations stay requests: method and target in the first
//! line, a header per line, an empty line, the body. `$T` stands for the secret.

use greenroom_dialect::request::RequestView;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Secret that is planted where an input says `$T`, and must not be found where secrets may not be.
pub const SECRET: &str = "gr33nr00mS3cr3tT0k3n";

/// Says whose the credential is proven to be; no header of a request.
const OWN_USER: &str = "own-user";

/// A request that a [`RequestView`] can borrow from.
#[derive(Debug, Clone)]
pub struct FuzzRequest {
    /// The method; what is none counts as GET.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Whatever of the lines can be headers.
    pub headers: HeaderMap,
    /// Body after the empty line.
    pub body: Vec<u8>,
    /// Whom the credential is proven to belong to.
    pub own_user: Option<String>,
}

impl FuzzRequest {
    /// Reads a request out of any bytes.
    pub fn parse(bytes: &[u8]) -> Self {
        let (head, body) = split_once(bytes, b"\n\n");
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, target) = split_once(lines.next().unwrap_or_default(), b" ");
        let mut request = Self {
            method: Method::from_bytes(method).unwrap_or_default(),
            target: with_secret(&String::from_utf8_lossy(target)),
            headers: HeaderMap::new(),
            body: body.to_vec(),
            own_user: None,
        };
        for line in lines {
            let (name, value) = split_once(line, b":");
            let value = with_secret(&String::from_utf8_lossy(value.trim_ascii()));
            if name.eq_ignore_ascii_case(OWN_USER.as_bytes()) {
                // It is what the server said of the credential: plain, and no token.
                request.own_user =
                    Some(value).filter(|user| !user.contains(char::is_control) && !user.contains(SECRET));
                continue;
            }
            let header = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.as_bytes()));
            if let (Ok(name), Ok(value)) = header {
                request.headers.append(name, value);
            }
        }
        request
    }

    /// As the dialects see it.
    pub fn view(&self) -> RequestView<'_> {
        RequestView { method: &self.method, target: &self.target, headers: &self.headers, body: &self.body }
    }

    /// Path and raw query.
    pub fn parts(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// The same with another target.
    #[must_use]
    pub fn with_target(&self, target: impl Into<String>) -> Self {
        Self { target: target.into(), ..self.clone() }
    }

    /// The same with one more pair in its query.
    #[must_use]
    pub fn with_pair(&self, pair: &str) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        self.with_target(format!("{}{mark}{pair}", self.target))
    }

    /// The same with this header instead of what it had under that name.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        if let Ok(value) = HeaderValue::from_str(value) {
            other.headers.insert(name, value);
        }
        other
    }
}

/// A text with the secret in its places.
pub fn with_secret(text: &str) -> String {
    text.replace("$T", SECRET)
}

/// Bytes before and after the first `mark`; all of it and nothing if there is none.
pub fn split_once<'a>(bytes: &'a [u8], mark: &[u8]) -> (&'a [u8], &'a [u8]) {
    match bytes.windows(mark.len()).position(|window| window == mark) {
        Some(at) => (&bytes[..at], &bytes[at + mark.len()..]),
        None => (bytes, &[]),
    }
}

/// A number that depends on all of the input: chooses places in it.
pub fn chance(bytes: &[u8]) -> usize {
    bytes.iter().fold(17, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)))
}
