//! Properties of the credentials of a request, in every form.

use greenroom_dialect::credential::{Credential, Secret};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::{HeaderMap, Method};

use super::request::{FuzzRequest, SECRET};

/// Checks what must hold of the credential of any request to a server of this kind.
pub fn check(kind: ServerKind, bytes: &[u8]) {
    let request = FuzzRequest::parse(bytes);
    let credential = kind.credential(&request.view());
    let printed = format!("{credential:?}");
    let said = [&credential.product, &credential.version, &credential.device, &credential.device_id];
    let says_it_itself = said.iter().any(|word| word.as_ref().is_some_and(|word| word.contains(SECRET)));
    if credential.token.as_ref().is_some_and(|token| token.expose() == SECRET) && !says_it_itself {
        assert!(!printed.contains(SECRET), "a credential prints its token");
    }
    for translate in [true, false] {
        arrives(kind, &request, &credential, translate);
    }
}

/// The forwarded token is the same, in one form, and does not print itself.
fn arrives(kind: ServerKind, request: &FuzzRequest, credential: &Credential, translate: bool) {
    let sent = kind.credential_headers(credential, translate);
    let mut headers = HeaderMap::new();
    for (name, value) in &sent {
        assert!(!headers.contains_key(name), "{name} is sent twice");
        headers.append(name.clone(), value.clone());
    }
    let again = kind.credential(&RequestView { method: &Method::GET, target: "/", headers: &headers, body: &[] });
    assert!(!again.ambiguous, "what is sent is not ambiguous");
    assert!(
        again.token == credential.token,
        "a token that was found arrives: {:?} became {:?} (translated: {translate})",
        credential.token.as_ref().map(Secret::expose),
        again.token.as_ref().map(Secret::expose),
    );
    let target = kind.target_for_server(&request.target, translate).into_owned();
    assert_eq!(kind.target_for_server(&target, translate), target, "once is enough");
    let again = kind.credential(&RequestView { method: &Method::GET, target: &target, headers: &headers, body: &[] });
    assert!(credential.ambiguous || (again.token == credential.token && !again.ambiguous), "beside {target}");
    if let Some(token) = &credential.token {
        let printed = format!("{sent:?}");
        let is_telling = token.expose().len() >= SECRET.len();
        assert!(!(is_telling && printed.contains(token.expose())), "a header prints the token");
    }
}
