//! Problems that the gateway's API reports, in the words of the command line: options and commands, not JSON or paths.

use http::StatusCode;
use serde_json::Value;

/// The problem of a response in a sentence or two. The commands for playlists name the server by another option.
pub(super) fn describe(status: StatusCode, problem: &Value, is_of_playlists: bool) -> String {
    let field = |name: &str| problem[name].as_str().unwrap_or_default().trim();
    let title = Some(field("title")).filter(|title| Some(*title) != status.canonical_reason()).unwrap_or_default();
    let detail = match detail_for_command_line(field("code"), is_of_playlists) {
        Some(detail) if is_for_programs(field("detail")) => detail,
        _ => field("detail"),
    };
    match (title, detail) {
        ("", "") => format!("the gateway responded with status {status}"),
        ("", detail) => detail.to_owned(),
        (title, "") => title.to_owned(),
        (title, detail) if title.ends_with(['.', '?', '!', ':']) => format!("{title} {detail}"),
        (title, detail) => format!("{title}. {detail}"),
    }
}

/// Whether a text shows JSON, or paths or methods of the API.
fn is_for_programs(detail: &str) -> bool {
    ["\"", "/api/", "PUT ", "POST "].iter().any(|part| detail.contains(part))
}

/// Detail of a problem whose own text is written for programs: it shows JSON or paths of the API.
fn detail_for_command_line(code: &str, is_of_playlists: bool) -> Option<&'static str> {
    Some(match code {
        "which-server" if is_of_playlists => "Several servers are configured. Name one with --to NAME.",
        "which-server" => "Several servers are configured. Name one with --server NAME.",
        "which-library" => "Several libraries match. Name one with --library home:3, or its server with --server NAME.",
        "unknown-server" => "`greenroom status` lists the configured servers.",
        "unknown-class" => "`greenroom policies` lists the request types.",
        "unknown-library" => "`greenroom build --list` lists the libraries; ids look like home:3.",
        "unknown-job" => "`greenroom jobs` lists them.",
        "nothing-here" => "The gateway has no such function: is it an older version?",
        "library-off" => "Turn it on first: greenroom build LIBRARY --on",
        "what-is-stale" => "Give exactly one of a path, --class, --tag and --all.",
        "what-goes-back" => "Give one request type, or none for all.",
        "no-snapshot" => "`greenroom build` builds the index, `greenroom build --list` shows its progress.",
        "no-music-library" => {
            "Tracks are looked up in a music library, and the server lists none to the configured token. Check that this \
             account may see the music library. Films and shows are found with --path or --id."
        }
        "token-missing" => {
            "Name the gateway's data directory with --data-dir or its configuration file with --config, or a file with the \
             token with --control-token-file; `greenroom token show` prints the token on the gateway's machine."
        }
        "nothing-asked" => {
            "Give one of these: a track (a title with its artist, or an id such as spotify:track:…), --path or --id. An \
             ISRC alone can belong to several recordings."
        }
        "needs-token" => "The response holds secrets: name the gateway's data directory with --data-dir.",
        "bad-body" | "bad-query" | "not-json" => "The gateway does not know this request: is it an older version?",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_a_sentence_and_not_a_status() {
        let said =
            |status: u16, problem: &Value| describe(StatusCode::from_u16(status).expect("a status"), problem, false);
        let generic = json!({"title": "Not Found", "detail": "No such server is configured; the servers are: home"});
        assert_eq!(said(404, &generic), "No such server is configured; the servers are: home");
        let question = json!({"title": "Which library?", "detail": "Several match."});
        assert_eq!(said(400, &question), "Which library? Several match.");
        assert_eq!(said(404, &json!({"title": "No such job", "detail": "None."})), "No such job. None.");
        assert_eq!(said(502, &Value::Null), "the gateway responded with status 502 Bad Gateway");
        let page = json!({"title": "Unprocessable Entity", "detail": "This is a web page.", "code": "unreadable"});
        assert_eq!(said(422, &page), "This is a web page.");
    }

    #[test]
    fn options_are_named_instead_of_json() {
        let detail = "Several libraries match. Name one, \"library\": \"home:3\", or its \"server\".";
        let problem = json!({"title": "Library required", "detail": detail, "code": "which-library"});
        let text = describe(StatusCode::BAD_REQUEST, &problem, false);
        assert!(text.contains("--library home:3") && text.contains("--server NAME") && !text.contains('"'), "{text}");
    }

    #[test]
    fn a_missing_server_is_named_with_the_option_that_the_command_has() {
        let problem = json!({"title": "Server required", "detail": "Name one in \"server\".", "code": "which-server"});
        let said = |is_of_playlists| describe(StatusCode::BAD_REQUEST, &problem, is_of_playlists);
        assert_eq!(said(false), "Server required. Several servers are configured. Name one with --server NAME.");
        assert_eq!(said(true), "Server required. Several servers are configured. Name one with --to NAME.");
    }

    /// Code and detail of the problems in a source file.
    fn problems(text: &str) -> Vec<(String, String)> {
        let blocks = text
            .split(": Self = Self {")
            .skip(1)
            .chain(text.split(": Problem = Problem {").skip(1))
            .filter_map(|rest| {
                let block = rest.split("};").next()?;
                let code = block.split("code: \"").nth(1)?.split('"').next()?.to_owned();
                // Without the quote at its end.
                let detail =
                    block.split("detail: \"").nth(1)?.trim_end().trim_end_matches(',').strip_suffix('"')?.to_owned();
                Some((code, detail))
            });
        blocks.collect()
    }

    #[test]
    fn every_detail_written_for_programs_has_words_for_the_command_line() {
        // Problems of paths that no command uses.
        let of_the_page = ["wrong-method", "too-many-viewers"];
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let files = ["control/src/error.rs", "library-api/src/matching_api/mod.rs"].map(|file| crates.join(file));
        let mut found = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).expect("read the source");
            for (code, detail) in problems(&text) {
                found += 1;
                assert!(
                    !is_for_programs(&detail.replace('\\', ""))
                        || of_the_page.contains(&code.as_str())
                        || detail_for_command_line(&code, false).is_some(),
                    "{code}: {detail}"
                );
            }
        }
        assert!(found > 30, "problems are written in another way now: {found}");
    }
}
