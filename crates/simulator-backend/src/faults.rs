//! Fault injection at run time.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No fault.
    #[default]
    None,
    /// Connections are dropped as soon as they are made, and existing ones are cut.
    Down,
    /// Nothing listens any more: the system refuses connections, and existing ones are cut. When the fault is lifted
    /// the server listens at the same address again.
    Gone,
    /// Requests are accepted and not answered until the fault is lifted.
    Hang,
    /// Every response takes this much longer, in milliseconds.
    Slow(u64),
    /// 503 with the page of a starting server.
    StartPage503,
    /// Only half of the announced length is sent, then the connection is cut.
    Truncated,
    /// 200 with the HTML of a foreign login page.
    HtmlInsteadOfJson,
    /// 200 from a server that has not loaded its library yet.
    EmptyWhileStarting,
    /// 400: the server speaks only TLS.
    EncryptedOnly,
    /// Responses carry a date that is off by this many seconds.
    WrongClock(i64),
    /// An empty response with this status, whatever was asked for; a redirect leads to a login page.
    Status(u16),
    /// The response is compressed with gzip, whatever encodings the client accepts.
    Gzip,
    /// The request is carried out, then the connection is cut without a response.
    AnswerLost,
}

impl Fault {
    /// A delay of responses.
    pub fn slow(by: Duration) -> Self {
        Self::Slow(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A fault and its scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FaultRule {
    /// The fault.
    pub fault: Fault,
    /// Prefix of affected paths; `None` means all. `Down` cuts whole connections, and `Gone` closes the listener, only
    /// without a prefix.
    #[serde(default)]
    pub path_prefix: Option<String>,
    /// Number of matching requests spared first: with 7, the eighth page of a crawl fails.
    #[serde(default)]
    pub spare: u32,
    /// Number of requests after which the fault is gone; `None` means never.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Holds the current rule.
#[derive(Debug)]
pub struct FaultInjector {
    rule: Mutex<FaultRule>,
    shown: watch::Sender<FaultRule>,
}

impl Default for FaultInjector {
    fn default() -> Self {
        Self { rule: Mutex::default(), shown: watch::Sender::new(FaultRule::default()) }
    }
}

impl FaultInjector {
    /// Sets a fault for everything.
    pub fn set(&self, fault: Fault) {
        self.set_rule(FaultRule { fault, ..FaultRule::default() });
    }

    /// Sets a fault for paths that start with `prefix` only.
    pub fn set_for(&self, prefix: &str, fault: Fault) {
        self.set_rule(FaultRule { fault, path_prefix: Some(prefix.into()), ..FaultRule::default() });
    }

    /// Sets a fault for the next `times` requests.
    pub fn set_times(&self, fault: Fault, times: u32) {
        self.set_rule(FaultRule { fault, times: Some(times), ..FaultRule::default() });
    }

    /// Sets a rule.
    pub fn set_rule(&self, rule: FaultRule) {
        let mut held = self.rule.lock();
        *held = rule;
        self.shown.send_replace(held.clone());
    }

    /// Removes any fault.
    pub fn clear(&self) {
        self.set(Fault::None);
    }

    /// The current rule.
    pub fn rule(&self) -> FaultRule {
        self.rule.lock().clone()
    }

    /// The fault for a request for `path`, counted against the rule's `times`.
    pub(crate) fn inject(&self, path: &str) -> InjectedFault {
        let mut held = self.rule.lock();
        if held.fault == Fault::None || held.path_prefix.as_ref().is_some_and(|prefix| !path.starts_with(prefix)) {
            return InjectedFault { fault: Fault::None, changes: self.shown.subscribe() };
        }
        if held.spare > 0 {
            held.spare -= 1;
            return InjectedFault { fault: Fault::None, changes: self.shown.subscribe() };
        }
        let fault = held.fault;
        if let Some(left) = held.times.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *held = FaultRule::default();
                self.shown.send_replace(held.clone());
            }
        }
        InjectedFault { fault, changes: self.shown.subscribe() }
    }

    /// Whether whole connections are refused now.
    pub(crate) fn refuses_connections(&self) -> bool {
        whole(&self.rule.lock())
    }

    /// Waits until the server must listen, or stop listening.
    pub(crate) async fn wait_for_listening(&self, wanted: bool) {
        let mut shown = self.shown.subscribe();
        if shown.wait_for(|rule| is_gone(rule) != wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until connections must be cut.
    pub(crate) async fn wait_for_cut(&self) {
        let mut shown = self.shown.subscribe();
        if shown.wait_for(whole).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The fault of one request, if any.
pub(crate) struct InjectedFault {
    /// The fault.
    pub(crate) fault: Fault,
    changes: watch::Receiver<FaultRule>,
}

impl InjectedFault {
    /// Waits until another rule is set.
    pub(crate) async fn wait_until_lifted(mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn is_gone(rule: &FaultRule) -> bool {
    rule.fault == Fault::Gone && whole(rule)
}

fn whole(rule: &FaultRule) -> bool {
    matches!(rule.fault, Fault::Down | Fault::Gone)
        && rule.path_prefix.is_none()
        && rule.times.is_none()
        && rule.spare == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_limits_a_fault() {
        let faults = FaultInjector::default();
        faults.set_for("/library", Fault::StartPage503);
        assert_eq!(faults.inject("/library/sections").fault, Fault::StartPage503);
        assert_eq!(faults.inject("/identity").fault, Fault::None);
    }

    #[test]
    fn a_counted_fault_ends_by_itself() {
        let faults = FaultInjector::default();
        faults.set_times(Fault::Truncated, 2);
        assert_eq!(faults.inject("/").fault, Fault::Truncated);
        assert_eq!(faults.inject("/").fault, Fault::Truncated);
        assert_eq!(faults.inject("/").fault, Fault::None);
    }

    #[test]
    fn the_nth_page_can_fail() {
        let faults = FaultInjector::default();
        let page = Some("/library/sections/3/all".to_owned());
        faults.set_rule(FaultRule { fault: Fault::Truncated, path_prefix: page, spare: 2, times: Some(1) });
        let struck = |path: &str| faults.inject(path).fault;
        assert_eq!(struck("/library/sections/3/all"), Fault::None);
        assert_eq!(struck("/identity"), Fault::None, "what is not meant is not counted");
        assert_eq!(struck("/library/sections/3/all"), Fault::None);
        assert_eq!(struck("/library/sections/3/all"), Fault::Truncated);
        assert_eq!(struck("/library/sections/3/all"), Fault::None);
    }

    #[tokio::test]
    async fn what_hangs_is_released_by_the_next_rule() {
        let faults = FaultInjector::default();
        faults.set_times(Fault::Hang, 1);
        let struck = faults.inject("/");
        assert_eq!(struck.fault, Fault::Hang);
        faults.clear();
        struck.wait_until_lifted().await;
    }

    #[test]
    fn a_rule_is_read_from_json() {
        let rule: FaultRule = serde_json::from_str(r#"{"fault":{"slow":250},"path_prefix":"/x"}"#).unwrap();
        assert_eq!(rule.fault, Fault::Slow(250));
        let rule: FaultRule = serde_json::from_str(r#"{"fault":"start_page503"}"#).unwrap();
        assert_eq!(rule.fault, Fault::StartPage503);
    }
}
