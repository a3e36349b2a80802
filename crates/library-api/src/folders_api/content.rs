//! Covers and files by signed links: a link names one file of one folder and its expiry, and grants nothing else.

use greenroom_cache::Timestamp;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use greenroom_folder::Folder;
use greenroom_folder::cover_store::CoverResult;
use greenroom_folder::file_entry::FileEntry;
use greenroom_folder::scan::Root;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, RANGE,
};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::entity_tag;
use super::problems::{BAD_LINK, COVERS_BUSY, UNKNOWN_FILE, UNKNOWN_FOLDER};
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::image_urls::ImageUrlSigner;
use greenroom_control::state::ApiState;

/// Path of the links.
pub(crate) const PATH: &str = "/api/folder/content";
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Kind of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FolderLinkKind)]
pub(crate) enum LinkKind {
    /// The cover, as a JPEG.
    Cover,
    /// The file itself.
    File,
}

/// Subject of a link.
#[derive(Debug, Clone)]
pub(crate) struct FileLink {
    pub(crate) folder: String,
    pub(crate) file: u64,
    pub(crate) kind: LinkKind,
    /// When the file was changed, so that a changed file has another link, and no cache shows its old cover.
    pub(crate) version: i64,
}

/// A link as it is requested.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileLinkQuery {
    /// The folder.
    folder: String,
    /// The file's number.
    file: u64,
    /// Kind of the link.
    #[param(inline)]
    kind: LinkKind,
    /// When the file was changed, in milliseconds since 1970.
    version: i64,
    /// Expiry, in seconds since 1970.
    until: u64,
    /// Signature over the other parameters.
    signature: String,
}

impl FileLink {
    /// The signed link.
    pub(crate) fn sign(&self, signer: &ImageUrlSigner, now_ms: Timestamp) -> String {
        let (until, signature) = signer.sign_text(&self.text(), now_ms);
        let kind = if self.kind == LinkKind::Cover { "cover" } else { "file" };
        let (folder, file, version) = (&self.folder, self.file, self.version);
        format!("{PATH}?folder={folder}&file={file}&kind={kind}&version={version}&until={until}&signature={signature}")
    }

    fn text(&self) -> String {
        format!("folder content\n{}\n{}\n{:?}\n{}", self.folder, self.file, self.kind, self.version)
    }
}

/// A cover or a file, with ranges, by a link from a list.
#[utoipa::path(
    get,
    path = "/api/folder/content",
    params(FileLinkQuery),
    responses(
        (status = 200, description = "The cover or the file", content_type = "application/octet-stream"),
        (status = 206, description = "A range of the file", content_type = "application/octet-stream"),
        (status = 403, description = "The link is not signed by this gateway, or it has expired"),
        (status = 404, description = "The file is gone, or has no cover"),
        (status = 416, description = "The file is shorter than the range"),
        (status = 503, description = "Too many covers are being made"),
    ),
)]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    method: Method,
    headers: HeaderMap,
    link: Result<Query<FileLinkQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = link.map_err(|_| BAD_LINK)?;
    let link = FileLink { folder: query.folder, file: query.file, kind: query.kind, version: query.version };
    let (signer, now_ms) = (&state.control.image_url_signer, state.control.clock.now());
    let remaining_s = signer.check_text(&link.text(), query.until, &query.signature, now_ms).ok_or(BAD_LINK)?;
    let folder = state.control.folders.find(&link.folder).ok_or(UNKNOWN_FOLDER)?;
    let file = folder.find_by_id(link.file).ok_or(UNKNOWN_FILE)?;
    let mut response = match link.kind {
        LinkKind::Cover => cover(folder, &file).await?,
        LinkKind::File => {
            let folder = Arc::clone(folder);
            let is_head = method == Method::HEAD;
            run_blocking(move || open(&folder, &file, &headers, is_head)).await?
        }
    };
    if let Ok(value) = HeaderValue::from_str(&format!("private, max-age={remaining_s}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    Ok(response)
}

async fn cover(folder: &Arc<Folder>, file: &Arc<FileEntry>) -> Result<Response, Problem> {
    match folder.cover(file).await {
        CoverResult::Picture(picture) => {
            let mut response = Body::from(picture).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
            Ok(response)
        }
        CoverResult::Absent => Err(UNKNOWN_FILE),
        CoverResult::Busy => Err(COVERS_BUSY),
    }
}

/// The file, or a range of it, as an attachment: no browser interprets it.
fn open(folder: &Folder, file: &FileEntry, asked: &HeaderMap, is_head: bool) -> Result<Response, Problem> {
    let opened = Root::open(&folder.settings.path).and_then(|root| root.open_file(&file.path));
    let mut opened = opened.map_err(|_| UNKNOWN_FILE)?;
    let facts = opened.metadata().map_err(|_| UNKNOWN_FILE)?;
    let (size, tag) = (facts.len(), entity_tag::of_file(&facts));
    let range = asked.get(RANGE).filter(|_| entity_tag::allows_range(asked, &tag));
    let range = range.and_then(|range| range.to_str().ok()).and_then(|range| range.strip_prefix("bytes="));
    let part = match range.map_or(RangeAnswer::Whole, |text| parse_range(text, size)) {
        RangeAnswer::Whole => None,
        RangeAnswer::Part(start, end) => Some((start, end)),
        RangeAnswer::Unsatisfiable => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                response.headers_mut().insert(CONTENT_RANGE, value);
            }
            return Ok(response);
        }
    };
    let (start, length) = part.map_or((0, size), |(start, end)| (start, end - start + 1));
    opened.seek(SeekFrom::Start(start)).map_err(|_| UNKNOWN_FILE)?;
    let body = if is_head { Body::empty() } else { stream_body(opened, length) };
    let mut response = body.into_response();
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put(CONTENT_LENGTH, length.to_string());
    put(CONTENT_TYPE, "application/octet-stream".into());
    put(ACCEPT_RANGES, "bytes".into());
    put(ETAG, tag);
    let name = percent_encode(file.name());
    put(CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}"));
    if let Some((start, end)) = part {
        put(CONTENT_RANGE, format!("bytes {start}-{end}/{size}"));
    }
    Ok(response)
}

/// Response to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangeAnswer {
    /// The whole file, as for several ranges and what is no range.
    Whole,
    /// From this byte to that one.
    Part(u64, u64),
    /// Nothing: the file is shorter.
    Unsatisfiable,
}

fn parse_range(text: &str, size: u64) -> RangeAnswer {
    let Some((first, last)) = text.trim().split_once('-').filter(|_| !text.contains(',')) else {
        return RangeAnswer::Whole;
    };
    let Some(end_of_file) = size.checked_sub(1) else { return RangeAnswer::Unsatisfiable };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (start, end) = match (number(first), number(last)) {
        (Some(first), None) if last.trim().is_empty() => (first, end_of_file),
        (Some(first), Some(last)) => (first, last.min(end_of_file)),
        (None, Some(0)) if first.trim().is_empty() => return RangeAnswer::Unsatisfiable,
        (None, Some(count)) if first.trim().is_empty() => (size.saturating_sub(count), end_of_file),
        _ => return RangeAnswer::Whole,
    };
    if start <= end { RangeAnswer::Part(start, end) } else { RangeAnswer::Unsatisfiable }
}

/// The bytes of a file, read one piece at a time as the client takes them.
fn stream_body(file: std::fs::File, length: u64) -> Body {
    Body::from_stream(stream::unfold(Some((file, length)), |left| async move {
        let (mut file, left) = left.filter(|(_, left)| *left > 0)?;
        let read = run_blocking(move || {
            let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES))];
            let count = file.read(&mut chunk)?;
            chunk.truncate(count);
            if count == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            }
            Ok((Bytes::from(chunk), file))
        });
        Some(match read.await {
            Ok((chunk, file)) => {
                let left = left - chunk.len() as u64;
                (Ok(chunk), Some((file, left)))
            }
            Err(error) => (Err(error), None),
        })
    }))
}

fn percent_encode(name: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // Writing to a string cannot fail.
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use greenroom_config::FolderSettings;
    use greenroom_folder::folder::FolderContext;
    use greenroom_folder::scan::FileFacts;
    use http::header::IF_RANGE;

    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file_and_a_senseless_one_is_refused_or_left_out() {
        assert_eq!(parse_range("0-", 10), RangeAnswer::Part(0, 9));
        assert_eq!(parse_range("5-7", 10), RangeAnswer::Part(5, 7));
        assert_eq!(parse_range("5-700", 10), RangeAnswer::Part(5, 9));
        assert_eq!(parse_range("-3", 10), RangeAnswer::Part(7, 9));
        assert_eq!(parse_range("-300", 10), RangeAnswer::Part(0, 9));
        for text in ["10-", "7-5", "-0"] {
            assert_eq!(parse_range(text, 10), RangeAnswer::Unsatisfiable, "{text}");
        }
        assert_eq!(parse_range("0-", 0), RangeAnswer::Unsatisfiable);
        for text in ["0-1,3-4", "x", "a-b", "99999999999999999999-"] {
            assert_eq!(parse_range(text, 10), RangeAnswer::Whole, "{text}");
        }
    }

    #[test]
    fn a_range_of_another_version_of_the_file_is_the_whole_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("1.cbz");
        std::fs::write(&path, "0123456789").expect("written");
        let context = FolderContext {
            data_dir: directory.path().join("data"),
            clock: greenroom_cache::Clock::system(),
            tasks: tokio_util::task::TaskTracker::default(),
            stop: tokio_util::sync::CancellationToken::default(),
            warnings: Arc::default(),
        };
        let folder = Folder::new(FolderSettings::new("comics", directory.path().to_path_buf()), context);
        let stat = FileFacts { size: 10, mtime_ns: 0, inode: 1, birth_ns: 0, is_directory: false };
        let file = FileEntry::new(1, "1.cbz", stat, Timestamp::UNIX_EPOCH);
        let mut asked = HeaderMap::new();
        asked.insert(RANGE, HeaderValue::from_static("bytes=4-"));
        let first = open(&folder, &file, &asked, false).expect("opened");
        assert_eq!(first.status(), StatusCode::PARTIAL_CONTENT);
        asked.insert(IF_RANGE, first.headers()[ETAG].clone());
        assert_eq!(open(&folder, &file, &asked, false).expect("opened").status(), StatusCode::PARTIAL_CONTENT);
        std::fs::write(&path, "something longer").expect("written");
        let whole = open(&folder, &file, &asked, false).expect("opened");
        assert_eq!((whole.status(), &whole.headers()[CONTENT_LENGTH]), (StatusCode::OK, &HeaderValue::from(16)));
        assert_ne!(whole.headers()[ETAG], first.headers()[ETAG]);
    }

    #[test]
    fn a_link_is_for_one_file_and_kind_until_it_expires() {
        let signer = ImageUrlSigner::default();
        let link = FileLink { folder: "comics".into(), file: 7, kind: LinkKind::Cover, version: 5 };
        let signed: http::Uri = link.sign(&signer, Timestamp::from_millis(1_000_000)).parse().expect("a link");
        let Query(query): Query<FileLinkQuery> = Query::try_from_uri(&signed).expect("its parts");
        let check = |link: &FileLink, now_ms| signer.check_text(&link.text(), query.until, &query.signature, now_ms);
        assert!(check(&link, Timestamp::from_millis(1_000_000)).is_some());
        assert!(check(&FileLink { file: 8, ..link.clone() }, Timestamp::from_millis(1_000_000)).is_none());
        assert!(check(&FileLink { kind: LinkKind::File, ..link.clone() }, Timestamp::from_millis(1_000_000)).is_none());
        assert!(check(&FileLink { version: 6, ..link.clone() }, Timestamp::from_millis(1_000_000)).is_none());
        assert_ne!(
            link.sign(&signer, Timestamp::from_millis(1_000_000)),
            FileLink { version: 6, ..link.clone() }.sign(&signer, Timestamp::from_millis(1_000_000))
        );
        assert!(check(&link, Timestamp::from_millis(100_000_000)).is_none(), "expired");
    }
}
