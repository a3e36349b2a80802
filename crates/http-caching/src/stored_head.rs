//! The head of a stored response with all that decides on its use, and its form in storage.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::byte_range::PartRange;

/// Version of the encoding; another one is not read.
const VERSION: u8 = 2;

/// May a stored response be used stale if the origin server cannot be asked?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleOnErrorRule {
    /// Never: the server forbids it.
    Forbidden,
    /// For this time past its freshness.
    Within(Duration),
}

/// The head of a stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// Status.
    pub status: StatusCode,
    /// Fields, without those of the connection.
    pub headers: HeaderMap,
    /// When it arrived, or was last validated, in wall-clock milliseconds.
    pub response_ms: u64,
    /// Its age at that time, in milliseconds.
    pub initial_age_ms: u64,
    /// Freshness lifetime, in milliseconds.
    pub lifetime_ms: u64,
    /// Time past its freshness for which it may be used while it is validated, in milliseconds.
    pub stale_while_revalidate_ms: u64,
    /// Whether it may be used if the server cannot be asked.
    pub stale_on_error: StaleOnErrorRule,
    /// It must be validated before every use.
    pub needs_validation: bool,
    /// Request fields that selected it (`Vary`), with digests of their normalised values, which may be secrets.
    pub selected_by: Vec<(HeaderName, String)>,
    /// Range of the body, if it is not the whole one.
    pub part: Option<PartRange>,
    /// Fields after the body.
    pub trailers: HeaderMap,
}

impl StoredHead {
    /// Its age, in milliseconds.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        self.initial_age_ms.saturating_add(now_ms.saturating_sub(self.response_ms))
    }

    /// Freshness left in milliseconds; negative once it is over.
    pub fn fresh_left_ms(&self, now_ms: u64) -> i64 {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        signed(self.lifetime_ms).saturating_sub(signed(self.age_ms(now_ms)))
    }

    /// Encodes it for storage.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(
            64 + self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 6).sum::<usize>(),
        );
        out.put_u8(VERSION);
        out.put_u16(self.status.as_u16());
        for ms in [self.response_ms, self.initial_age_ms, self.lifetime_ms, self.stale_while_revalidate_ms] {
            out.put_u64(ms);
        }
        out.put_u64(match self.stale_on_error {
            StaleOnErrorRule::Forbidden => u64::MAX,
            StaleOnErrorRule::Within(time) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX - 1),
        });
        out.put_u8(u8::from(self.needs_validation));
        match self.part {
            Some(part) => {
                out.put_u8(1);
                out.put_u64(part.first);
                out.put_u64(part.last);
                out.put_u64(part.complete);
            }
            None => out.put_u8(0),
        }
        put_pairs(
            &mut out,
            self.selected_by.len(),
            self.selected_by.iter().map(|(name, value)| (name.as_str(), value.as_bytes())),
        );
        put_pairs(
            &mut out,
            self.headers.len(),
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())),
        );
        if !self.trailers.is_empty() {
            put_pairs(
                &mut out,
                self.trailers.len(),
                self.trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())),
            );
        }
        out.into()
    }

    /// Decodes it; `None` if these are not the bytes of a head.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let status = StatusCode::from_u16(bytes.try_get_u16().ok()?).ok()?;
        let mut ms = || bytes.try_get_u64().ok();
        let (response_ms, initial_age_ms, lifetime_ms) = (ms()?, ms()?, ms()?);
        let (stale_while_revalidate_ms, stale_on_error_ms) = (ms()?, ms()?);
        let needs_validation = bytes.try_get_u8().ok()? != 0;
        let part = if bytes.try_get_u8().ok()? == 0 {
            None
        } else {
            let mut number = || bytes.try_get_u64().ok();
            Some(PartRange { first: number()?, last: number()?, complete: number()? })
        };
        let mut selected_by = Vec::new();
        for _ in 0..bytes.try_get_u16().ok()? {
            let (name, value) = take_pair(&mut bytes)?;
            selected_by.push((HeaderName::from_bytes(name).ok()?, String::from_utf8(value.to_vec()).ok()?));
        }
        let headers = take_fields(&mut bytes)?;
        // They are written only if there are any.
        let trailers = if bytes.is_empty() { HeaderMap::new() } else { take_fields(&mut bytes)? };
        let stale_on_error = match stale_on_error_ms {
            u64::MAX => StaleOnErrorRule::Forbidden,
            ms => StaleOnErrorRule::Within(Duration::from_millis(ms)),
        };
        bytes.is_empty().then_some(Self {
            status,
            headers,
            response_ms,
            initial_age_ms,
            lifetime_ms,
            stale_while_revalidate_ms,
            stale_on_error,
            needs_validation,
            selected_by,
            part,
            trailers,
        })
    }
}

fn put_pairs<'a>(out: &mut Vec<u8>, count: usize, pairs: impl Iterator<Item = (&'a str, &'a [u8])>) {
    // A head has at most 64 KiB, so neither number is cut.
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    out.put_u16(count);
    for (name, value) in pairs.take(count.into()) {
        out.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
        out.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value);
    }
}

fn take_fields(bytes: &mut &[u8]) -> Option<HeaderMap> {
    let count = bytes.try_get_u16().ok()?;
    let mut fields = HeaderMap::with_capacity(usize::from(count).min(bytes.len() / 2));
    for _ in 0..count {
        let (name, value) = take_pair(bytes)?;
        fields.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(fields)
}

fn take_pair<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let name = usize::from(bytes.try_get_u16().ok()?);
    let value = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    let (pair, rest) = bytes.split_at_checked(name.checked_add(value)?)?;
    *bytes = rest;
    Some(pair.split_at(name))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn head() -> StoredHead {
        StoredHead {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            response_ms: 1_000_000,
            initial_age_ms: 0,
            lifetime_ms: 10_000,
            stale_while_revalidate_ms: 0,
            stale_on_error: StaleOnErrorRule::Forbidden,
            needs_validation: false,
            selected_by: Vec::new(),
            part: None,
            trailers: HeaderMap::new(),
        }
    }

    #[test]
    fn a_head_comes_back_as_it_went_in() {
        let mut full = head();
        full.headers.append("a", "1".parse().expect("a value"));
        full.headers.append("a", HeaderValue::from_bytes(b"\xff").expect("a value"));
        full.selected_by = vec![(HeaderName::from_static("accept"), "text/html".into())];
        full.part = Some(PartRange { first: 4, last: 8, complete: 10 });
        full.stale_on_error = StaleOnErrorRule::Within(Duration::from_secs(60));
        full.needs_validation = true;
        full.trailers.append("digest", "x".parse().expect("a value"));
        for one in [head(), full] {
            assert_eq!(StoredHead::decode(&one.encode()), Some(one));
        }
    }

    #[test]
    fn age_counts_on_from_the_arrival() {
        let head = StoredHead { initial_age_ms: 3000, ..head() };
        assert_eq!(head.age_ms(1_002_000), 5000);
        assert_eq!(head.fresh_left_ms(1_002_000), 5000);
        assert_eq!(head.fresh_left_ms(1_009_000), -2000);
        assert_eq!(head.age_ms(0), 3000, "a clock that was set back makes nothing younger");
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = StoredHead::decode(&bytes);
        }

        #[test]
        fn a_head_that_is_cut_is_no_head(cut in 0_usize..57) {
            let bytes = head().encode();
            prop_assume!(cut < bytes.len());
            prop_assert_eq!(StoredHead::decode(&bytes[..cut]), None);
        }
    }
}
