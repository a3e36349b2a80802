//! Which request may do what on the control plane: what is known of it, the policy, the session and the token.

pub(crate) mod middleware;
pub(crate) mod policy;
pub(crate) mod rate_limit;
pub(crate) mod request;
pub(crate) mod session;
pub(crate) mod token;
