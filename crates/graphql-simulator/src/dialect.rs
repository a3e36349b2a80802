//! The server: checks the token, parses the operations, and answers each.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, HOST};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::caller::GraphQlCaller;
use super::document::{ExecutableOperation, OperationKind};
use super::error::GraphQlError;
use super::execution::{ExecutionResult, execute};
use super::mutation::MutationResolver;
use super::operation::{OperationBatch, OperationRequest};
use super::operation_errors::{OperationErrors, OperationFailure};
use super::persisted::PersistedDocuments;
use super::resolver::QueryResolver;
use super::switches::GraphQlSwitches;
use super::{operation, operation_errors, pages};
use crate::catalogue::MediaKind;
use crate::class::RequestClass;
use crate::serve::{Dialect, SimulatedRequest, SimulatedResponse, SimulatorContext};
use crate::simulated_server::SimulatedServer;
use crate::users::UserRegistry;

/// Options of a simulated GraphQL API.
pub type GraphQlOptions = crate::options::SimulatorOptions<GraphQlSwitches>;

/// Path of the API.
pub const API_PATH: &str = "/graphql";
/// Episodes, each of another show, that every user left in the middle before the start.
const RESUMABLE_AT_START: u32 = 12;

/// A simulated GraphQL API that has not been started.
#[derive(Debug, Clone)]
pub struct GraphQl {
    options: GraphQlOptions,
}

impl GraphQl {
    /// A GraphQL API with these options.
    pub fn new(options: GraphQlOptions) -> Self {
        Self { options }
    }

    /// Starts it. Its tasks run on `tracker`.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<SimulatedServer> {
        let users = self.options.users.clone().unwrap_or_else(|| UserRegistry::standard("gql"));
        let switches = self.options.switches.clone();
        SimulatedServer::start(&self.options, users, address, tracker, |context| {
            leave_in_the_middle(context);
            GraphQlDialect { switches, documents: PersistedDocuments::default(), errors: OperationErrors::default() }
        })
        .await
    }
}

/// Gives every user something to resume.
fn leave_in_the_middle(context: &SimulatorContext) {
    let catalogue = context.state.catalogue();
    let shows = catalogue.count(MediaKind::Show);
    for user in context.state.current_users() {
        for number in 0..RESUMABLE_AT_START.min(shows) {
            let show = catalogue.id(MediaKind::Show, shows - 1 - number);
            let leaves = context.state.view().leaves(show);
            let draw = u64::from(user.id.0 * RESUMABLE_AT_START + number);
            let at = catalogue.rng().below("graphql/left", draw, leaves.len() as u64);
            let episode = usize::try_from(at).ok().and_then(|at| leaves.get(at));
            if let (Some(episode), true) = (episode, user.sees(MediaKind::Episode.section())) {
                let seconds = catalogue.rng().between("graphql/position", draw, 60, 600);
                context.state.write(user.id, |write| write.set_offset(*episode, seconds * 1_000));
            }
        }
    }
}

#[derive(Debug)]
struct GraphQlDialect {
    switches: GraphQlSwitches,
    documents: PersistedDocuments,
    errors: OperationErrors,
}

impl Dialect for GraphQlDialect {
    fn class(&self, asked: &SimulatedRequest) -> RequestClass {
        match asked.path.split('/').nth(1) {
            Some("images") => RequestClass::Image,
            Some("media") => RequestClass::Media,
            Some("graphql") => self.operation_class(asked),
            Some("status") => RequestClass::Identity,
            _ => RequestClass::Other,
        }
    }

    fn operation(&self, asked: &SimulatedRequest) -> Option<String> {
        let names = |all: &[OperationRequest]| {
            all.iter().map(|one| self.name(one).unwrap_or_else(|| "anonymous".into())).collect::<Vec<_>>().join(",")
        };
        match (asked.path == API_PATH).then(|| operation::parsed(asked).ok())?? {
            OperationBatch::Single(one) => Some(names(&[one])),
            OperationBatch::Several(all) => Some(names(&all)),
        }
    }

    fn secret(&self, asked: &SimulatedRequest) -> Option<String> {
        let (scheme, token) = asked.header(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty())
    }

    fn answer(&self, asked: SimulatedRequest, context: &Arc<SimulatorContext>) -> SimulatedResponse {
        if asked.path != API_PATH {
            return pages::answer(&asked.path, context);
        }
        let caller = match self.caller(&asked, context) {
            Ok(caller) => caller,
            Err(error) => return response(401, &errors(&error)),
        };
        if asked.method != Method::POST && !(self.switches.get && asked.method == Method::GET) {
            let error = GraphQlError::new("BAD_REQUEST", "GraphQL only supports GET and POST requests.");
            return response(405, &errors(&error)).with_header(ALLOW, "GET, POST");
        }
        let (status, body) = match operation::parsed(&asked) {
            Err(error) => (400, errors(&error)),
            Ok(OperationBatch::Single(one)) => self.execute(&one, &asked, &caller, context),
            Ok(OperationBatch::Several(_)) if !self.switches.batching => {
                (400, errors(&GraphQlError::new("BAD_REQUEST", "Operation batching disabled.")))
            }
            Ok(OperationBatch::Several(all)) => {
                (200, all.iter().map(|one| self.execute(one, &asked, &caller, context).1).collect())
            }
        };
        let response = response(status, &body);
        if self.switches.no_store { response.with_header(CACHE_CONTROL, "no-store") } else { response }
    }

    fn own_page(&self, asked: &SimulatedRequest, page: &str, _: &SimulatorContext) -> Option<SimulatedResponse> {
        match (&asked.method, page) {
            (&Method::PUT, "operation-errors") => Some(match serde_json::from_slice(&asked.body) {
                Ok(rule) => {
                    self.errors.set(Some(rule));
                    SimulatedResponse::empty(204)
                }
                Err(_) => SimulatedResponse::text(400, "text/plain", "{\"operation\"?, \"partial\"?, \"times\"?}"),
            }),
            (&Method::DELETE, "operation-errors") => {
                self.errors.set(None);
                Some(SimulatedResponse::empty(204))
            }
            _ => None,
        }
    }

    fn start_page(&self) -> SimulatedResponse {
        SimulatedResponse::text(503, "text/html; charset=utf-8", "<html><body>Service Unavailable</body></html>")
    }
}

impl GraphQlDialect {
    fn caller(&self, asked: &SimulatedRequest, context: &SimulatorContext) -> Result<GraphQlCaller, GraphQlError> {
        let Some(secret) = self.secret(asked) else {
            let open = self.switches.public_catalogue.then_some(GraphQlCaller::Anonymous);
            return open.ok_or_else(GraphQlError::unauthenticated);
        };
        let user = context.token(&secret).and_then(|token| token.user).and_then(|id| context.state.user(id));
        user.map(GraphQlCaller::User).ok_or_else(|| GraphQlError::new("UNAUTHENTICATED", "The token is not valid."))
    }

    /// Name of an operation as the document tells it, if it can be executed.
    fn name(&self, asked: &OperationRequest) -> Option<String> {
        let document = self.documents.document(asked, self.switches.persisted_queries).ok()?;
        ExecutableOperation::new(&document, asked.name.as_deref(), &asked.variables).ok()?.name
    }

    fn operation_class(&self, asked: &SimulatedRequest) -> RequestClass {
        let all = match operation::parsed(asked) {
            Ok(OperationBatch::Single(one)) => vec![one],
            Ok(OperationBatch::Several(all)) => all,
            Err(_) => return RequestClass::Other,
        };
        let writes = all.iter().any(|one| {
            let document = self.documents.document(one, self.switches.persisted_queries);
            let operation =
                document.and_then(|text| ExecutableOperation::new(&text, one.name.as_deref(), &one.variables));
            operation.is_ok_and(|operation| operation.kind == OperationKind::Mutation)
        });
        if writes { RequestClass::Write } else { RequestClass::List }
    }

    /// Status and body of the response to one operation.
    fn execute(
        &self,
        asked: &OperationRequest,
        request: &SimulatedRequest,
        caller: &GraphQlCaller,
        context: &SimulatorContext,
    ) -> (u16, Value) {
        let document = self.documents.document(asked, self.switches.persisted_queries);
        let operation =
            document.and_then(|text| ExecutableOperation::new(&text, asked.name.as_deref(), &asked.variables));
        let operation = match operation {
            Ok(operation) => operation,
            // Clients of persisted documents send the document for an answer with status 200.
            Err(error) => return (if asked.document.is_none() { 200 } else { 400 }, errors(&error)),
        };
        if operation.kind == OperationKind::Mutation && request.method == Method::GET {
            let error = GraphQlError::new("BAD_REQUEST", "GET requests only support query operations, not mutation.");
            return (405, errors(&error));
        }
        let failure = self.errors.inject(operation.name.as_deref());
        if failure == Some(OperationFailure::Whole) {
            return (200, errors(&operation_errors::injected()));
        }
        let base_url = format!("http://{}", request.header(HOST.as_str()).unwrap_or("localhost"));
        let mut result = match operation.kind {
            OperationKind::Query => {
                let view = context.state.view();
                execute(&operation, &mut QueryResolver { view, caller, base_url: &base_url })
            }
            OperationKind::Mutation => {
                execute(&operation, &mut MutationResolver { context, caller, base_url: &base_url })
            }
        };
        if failure == Some(OperationFailure::Partial) {
            result.errors.push(operation_errors::injected());
        }
        let status = if result.data.is_none() { 400 } else { 200 };
        (status, self.body(result, caller, context))
    }

    fn body(&self, result: ExecutionResult, caller: &GraphQlCaller, context: &SimulatorContext) -> Value {
        let mut body = json!({});
        if !result.errors.is_empty() {
            body["errors"] = result.errors.iter().map(GraphQlError::to_json).collect();
        }
        if let Some(data) = result.data {
            body["data"] = data;
        }
        if self.switches.marks {
            let user_seq = caller.user().map_or(0, |user| context.state.user_seq(user));
            body["extensions"] = json!({
                "greenroomUser": caller.name(),
                "greenroomSeq": context.state.seq(),
                "greenroomUserSeq": user_seq,
            });
        }
        body
    }
}

fn errors(error: &GraphQlError) -> Value {
    json!({"errors": [error.to_json()]})
}

fn response(status: u16, body: &Value) -> SimulatedResponse {
    SimulatedResponse::new(status, "application/json; charset=utf-8", body.to_string())
}
