//! Identification of servers by responses of servers, proxies and other programs.

use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::{
    IdentityProbe, IdentityProbeResponse, MediaServer, ServerIdentity, UnrecognizedResponse, identify_server,
    next_probe,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html";
const XML: &str = "text/xml;charset=utf-8";
const TEXT: &str = "text/plain";

fn identity(expected: ServerKind, status: u16, content_type: &'static str, body: &str) -> ServerIdentity {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    identify_server(expected, &IdentityProbeResponse { status, headers: &headers, body: body.as_bytes() })
}

/// The kind, name, version, identifier and claim of a supported server.
type ExpectedIdentity = (ServerKind, Option<&'static str>, &'static str, Option<&'static str>, Option<bool>);

fn known((kind, name, version, id, claimed): ExpectedIdentity) -> MediaServer {
    let id = id.map(str::to_owned);
    MediaServer { kind, name: name.map(str::to_owned), version: version.into(), id, claimed }
}

/// Apart from expected or other kind, the result does not depend on the expected kind.
fn assert_known(what: &str, content_type: &'static str, body: &str, server: ExpectedIdentity) {
    let server = known(server);
    let kind = server.kind;
    let expected = ServerIdentity::Expected(server.clone());
    assert_eq!(identity(kind, 200, content_type, body), expected, "{what}");
    assert_eq!(identity(kind.other(), 200, content_type, body), ServerIdentity::OtherKind(server), "{what}");
}

fn assert_not_known(what: &str, status: u16, content_type: &'static str, body: &str, is: &ServerIdentity) {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        assert_eq!(&identity(kind, status, content_type, body), is, "{what}, where {kind:?} is expected");
    }
}

#[test]
fn a_plex_is_recognised_in_both_of_its_forms() {
    let den = Some("Den");
    for (what, content_type, body, server) in [
        (
            "JSON",
            JSON,
            r#"{"MediaContainer":{"size":0,"apiVersion":"1.1.1","claimed":true,"machineIdentifier":"m","version":"1.43.2.1"}}"#,
            (ServerKind::Plex, None, "1.43.2.1", Some("m"), Some(true)),
        ),
        (
            "JSON that writes a flag as a number",
            JSON,
            r#"{"MediaContainer":{"claimed":1,"machineIdentifier":"m","version":"1.40.0"}}"#,
            (ServerKind::Plex, None, "1.40.0", Some("m"), Some(true)),
        ),
        (
            "JSON that writes a flag as a text",
            JSON,
            r#"{"MediaContainer":{"claimed":"0","machineIdentifier":"m","version":"1.40.0","friendlyName":"Den"}}"#,
            (ServerKind::Plex, den, "1.40.0", Some("m"), Some(false)),
        ),
        (
            "XML",
            XML,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MediaContainer size=\"0\" claimed=\"1\" \
             friendlyName=\"Tom &amp; Jo\" machineIdentifier=\"m\" version=\"1.43.2.1\">\n</MediaContainer>\n",
            (ServerKind::Plex, Some("Tom & Jo"), "1.43.2.1", Some("m"), Some(true)),
        ),
        (
            "XML of one element",
            XML,
            "<MediaContainer claimed=\"0\" machineIdentifier=\"m\" version=\"1.43\"/>",
            (ServerKind::Plex, None, "1.43", Some("m"), Some(false)),
        ),
    ] {
        assert_known(what, content_type, body, server);
    }
}

#[test]
fn jellyfin_is_distinguished_from_emby() {
    let jellyfin = |name, version, id| (ServerKind::Jellyfin, name, version, id, None);
    for (what, body, server) in [
        (
            "10.8",
            r#"{"LocalAddress":"http://10.0.0.1:8096","ServerName":"Den","Version":"10.8.13","ProductName":"Jellyfin Server","OperatingSystem":"Linux","Id":"a1","StartupWizardCompleted":true}"#,
            jellyfin(Some("Den"), "10.8.13", Some("a1")),
        ),
        (
            "10.11",
            r#"{"LocalAddress":"http://10.0.0.1:8096","ServerName":"Den","Version":"10.11.3","ProductName":"Jellyfin Server","OperatingSystem":"","Id":"a1","StartupWizardCompleted":true}"#,
            jellyfin(Some("Den"), "10.11.3", Some("a1")),
        ),
        (
            "12 without a name of its own",
            r#"{"ServerName":null,"Version":"12.0.0","ProductName":"Jellyfin Server","Id":"a1"}"#,
            jellyfin(None, "12.0.0", Some("a1")),
        ),
        ("one without identifier and product", r#"{"Version":"12.0.0"}"#, jellyfin(None, "12.0.0", None)),
        (
            "one without a product",
            r#"{"ServerName":"den","Version":"10.11.0","Id":"a"}"#,
            jellyfin(Some("den"), "10.11.0", Some("a")),
        ),
    ] {
        assert_known(what, JSON, body, server);
    }
    for (what, body, version) in [
        ("4.9", r#"{"LocalAddresses":[],"ServerName":"Den","Version":"4.9.1.2","Id":"x"}"#, "4.9.1.2"),
        ("3.5", r#"{"LocalAddress":"","ServerName":"Den","Version":"3.5.2.0","Id":"x"}"#, "3.5.2.0"),
        ("one with a product", r#"{"Version":"4.8","ProductName":"Emby Server","Id":"x"}"#, "4.8"),
        ("one without identifier", r#"{"Version":"4.8","ProductName":"Emby Server"}"#, "4.8"),
        ("one of a later numbering", r#"{"Version":"10.1","ProductName":"Emby Server"}"#, "10.1"),
    ] {
        assert_not_known(what, 200, JSON, body, &ServerIdentity::Emby { version: version.into() });
    }
}

#[test]
fn unrecognized_responses_are_described() {
    use UnrecognizedResponse::{Empty, LoginRequired, NotFound, OtherProduct, Redirect, Truncated, Unknown, WebPage};
    let jellyfin = r#"{"ServerName":"Den","Version":"10.11.3","ProductName":"Jellyfin Server","Id":"x"}"#;
    for (what, status, content_type, body, is) in [
        (
            "a relative of another name",
            200,
            JSON,
            r#"{"Version":"1","ProductName":"Router","Id":"x"}"#,
            OtherProduct("Router".into()),
        ),
        ("the page of a proxy", 200, HTML, "<!doctype html><title>Welcome to nginx!</title>", WebPage),
        ("a page that is called JSON", 200, JSON, "<html>router</html>", WebPage),
        ("a login of a proxy", 401, HTML, "<html>log in</html>", LoginRequired(401)),
        ("a refusal around a server's own words", 403, JSON, jellyfin, LoginRequired(403)),
        ("a redirect to a login", 302, HTML, "", Redirect(302)),
        ("a redirect with a server's own words", 301, JSON, jellyfin, Redirect(301)),
        ("a path that is not there", 404, HTML, "<html>404</html>", NotFound(404)),
        ("a body that breaks off", 200, JSON, &jellyfin[..40], Truncated),
        (
            "XML that breaks off in its root",
            200,
            XML,
            "<?xml version=\"1.0\"?>\n<MediaContainer size=\"0\" mach",
            Truncated,
        ),
        (
            "XML that breaks off after its root",
            200,
            XML,
            "<MediaContainer machineIdentifier=\"m\" version=\"1\">\n",
            Truncated,
        ),
        ("an empty body", 200, JSON, "", Empty),
        ("no content", 204, JSON, "", Unknown(204)),
        ("JSON of another program", 200, JSON, r#"{"status":"ok"}"#, Unknown(200)),
        ("a list", 200, JSON, "[]", Unknown(200)),
        ("a Plex without identifier", 200, JSON, r#"{"MediaContainer":{"size":0,"version":"1"}}"#, Unknown(200)),
        ("a text", 200, TEXT, "Jellyfin Server", Unknown(200)),
        ("a refusal that says nothing", 400, TEXT, "no", Unknown(400)),
    ] {
        assert_not_known(what, status, content_type, body, &ServerIdentity::Unrecognized(is));
    }
}

#[test]
fn a_starting_failing_or_encrypted_server_is_recognised() {
    let starting_json = r#"{"MediaContainer":{"size":0,"startState":"startingPlugins"}}"#;
    let starting_xml = "<MediaContainer size=\"0\" startState=\"maintenance\" version=\"1\"/>";
    for (what, status, body, is) in [
        ("a starting Jellyfin", 503, "<html>The server is loading</html>", ServerIdentity::Starting { status: 503 }),
        ("a starting Plex", 503, starting_json, ServerIdentity::Starting { status: 503 }),
        ("a starting Plex that says 200", 200, starting_json, ServerIdentity::Starting { status: 200 }),
        ("a starting Plex in XML", 200, starting_xml, ServerIdentity::Starting { status: 200 }),
        ("a proxy whose server is away", 502, "<html>Bad Gateway</html>", ServerIdentity::Failing { status: 502 }),
        ("a server that fails", 500, "", ServerIdentity::Failing { status: 500 }),
        ("a Go server", 400, "Client sent an HTTP request to an HTTPS server.\n", ServerIdentity::EncryptionRequired),
        ("nginx", 400, "<h1>The plain HTTP request was sent to HTTPS port</h1>", ServerIdentity::EncryptionRequired),
    ] {
        assert_not_known(what, status, TEXT, body, &is);
    }
}

#[test]
fn an_unrecognized_server_is_probed_at_the_paths_of_the_other_kinds_only() {
    let page = || ServerIdentity::Unrecognized(UnrecognizedResponse::WebPage);
    let nothing = || ServerIdentity::Unrecognized(UnrecognizedResponse::NotFound(404));
    let emby = || ServerIdentity::Emby { version: "4.8".into() };
    let plex = known((ServerKind::Plex, None, "1.43", Some("m"), None));
    let (own, other) = (ServerIdentity::Expected(plex.clone()), ServerIdentity::OtherKind(plex));
    assert_eq!(next_probe(ServerKind::Plex, &[]), IdentityProbe::Request("/identity"));
    assert_eq!(next_probe(ServerKind::Jellyfin, &[]), IdentityProbe::Request("/System/Info/Public"));
    assert_eq!(next_probe(ServerKind::Plex, &[page()]), IdentityProbe::Request("/System/Info/Public"));
    assert_eq!(next_probe(ServerKind::Plex, &[page(), nothing()]), IdentityProbe::Request("/emby/System/Info/Public"));
    assert_eq!(next_probe(ServerKind::Jellyfin, &[page()]), IdentityProbe::Request("/emby/System/Info/Public"));
    assert_eq!(next_probe(ServerKind::Jellyfin, &[page(), nothing()]), IdentityProbe::Request("/identity"));
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        assert_eq!(next_probe(kind, &[page(), nothing(), nothing()]), IdentityProbe::Done(page()), "as at first");
        assert_eq!(next_probe(kind, &[page(), nothing(), other.clone()]), IdentityProbe::Done(other.clone()));
        assert_eq!(next_probe(kind, &[page(), emby()]), IdentityProbe::Done(emby()));
        let at_a_foreign_path = [nothing(), own.clone(), ServerIdentity::Starting { status: 503 }];
        assert_eq!(next_probe(kind, &at_a_foreign_path), IdentityProbe::Done(nothing()), "that is another place");
        for sure in [own.clone(), other.clone(), emby(), ServerIdentity::Failing { status: 502 }] {
            assert_eq!(next_probe(kind, std::slice::from_ref(&sure)), IdentityProbe::Done(sure.clone()));
        }
    }
}

#[test]
fn a_server_identity_is_described_in_one_sentence() {
    let plex = known((ServerKind::Plex, None, "1.43", Some("m"), None));
    for (is, words) in [
        (ServerIdentity::OtherKind(plex), "it is a plex server (1.43)"),
        (ServerIdentity::Emby { version: "4.8".into() }, "it is an Emby server (4.8), which is not supported yet"),
        (ServerIdentity::Starting { status: 503 }, "it is starting (status 503)"),
        (ServerIdentity::Unrecognized(UnrecognizedResponse::WebPage), "it answered with a web page"),
        (
            ServerIdentity::Unrecognized(UnrecognizedResponse::NotFound(404)),
            "it answered with status 404: the path does not exist",
        ),
    ] {
        assert_eq!(is.to_string(), words);
    }
}
