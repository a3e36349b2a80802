//! What can be made to go wrong, while the server runs.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// All is well.
    #[default]
    None,
    /// Connections are dropped as soon as they are made, and those that exist are cut.
    Down,
    /// Nothing listens any more: the system refuses connections, and those that exist are cut. When the fault is
    /// lifted the server listens at the same address again.
    Gone,
    /// Requests are taken and not answered until the fault is lifted.
    Hang,
    /// Every answer takes this much longer, in milliseconds.
    Slow(u64),
    /// 503 with the page a starting server shows.
    StartPage503,
    /// The announced length is sent only by half, then the connection is cut.
    Truncated,
    /// 200 with the HTML of somebody else's log-in page.
    HtmlInsteadOfJson,
    /// 200 from a server that has not loaded its library yet.
    EmptyWhileStarting,
    /// 400: the server speaks only TLS.
    EncryptedOnly,
    /// Answers carry a date that is off by so many seconds.
    WrongClock(i64),
    /// The request is carried out, then the connection is cut without an answer.
    AnswerLost,
}

impl Fault {
    /// A slow-down.
    pub fn slow(by: Duration) -> Self {
        Self::Slow(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A fault and where it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rule {
    /// The fault.
    pub fault: Fault,
    /// Only paths that start with this; everything if it is absent. `Down` cuts whole connections only if it is, and
    /// `Gone` takes the listener away only if it is.
    #[serde(default)]
    pub path_prefix: Option<String>,
    /// The first so many of these requests are spared: with 7, the eighth page of a crawl fails.
    #[serde(default)]
    pub spare: u32,
    /// After this many requests the fault is gone; never if it is absent.
    #[serde(default)]
    pub times: Option<u32>,
}

/// The switchboard.
#[derive(Debug)]
pub struct Faults {
    rule: Mutex<Rule>,
    shown: watch::Sender<Rule>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { rule: Mutex::default(), shown: watch::Sender::new(Rule::default()) }
    }
}

impl Faults {
    /// From now on everything fails like this.
    pub fn set(&self, fault: Fault) {
        self.set_rule(Rule { fault, ..Rule::default() });
    }

    /// From now on paths that start with `prefix` fail like this, and only they.
    pub fn set_for(&self, prefix: &str, fault: Fault) {
        self.set_rule(Rule { fault, path_prefix: Some(prefix.into()), ..Rule::default() });
    }

    /// The next `times` requests fail like this.
    pub fn set_times(&self, fault: Fault, times: u32) {
        self.set_rule(Rule { fault, times: Some(times), ..Rule::default() });
    }

    /// From now on this rule holds.
    pub fn set_rule(&self, rule: Rule) {
        let mut held = self.rule.lock();
        *held = rule;
        self.shown.send_replace(held.clone());
    }

    /// All is well again.
    pub fn clear(&self) {
        self.set(Fault::None);
    }

    /// The rule that holds.
    pub fn rule(&self) -> Rule {
        self.rule.lock().clone()
    }

    /// The fault that strikes a request for `path`, counted against the rule's `times`.
    pub(crate) fn strike(&self, path: &str) -> Struck {
        let mut held = self.rule.lock();
        if held.fault == Fault::None
            || held.path_prefix.as_ref().is_some_and(|prefix| !path.starts_with(prefix))
        {
            return Struck { fault: Fault::None, changes: self.shown.subscribe() };
        }
        if held.spare > 0 {
            held.spare -= 1;
            return Struck { fault: Fault::None, changes: self.shown.subscribe() };
        }
        let fault = held.fault;
        if let Some(left) = held.times.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *held = Rule::default();
                self.shown.send_replace(held.clone());
            }
        }
        Struck { fault, changes: self.shown.subscribe() }
    }

    /// Whether whole connections are refused now.
    pub(crate) fn refuses_connections(&self) -> bool {
        whole(&self.rule.lock())
    }

    /// Waits until the server is to listen, or no longer to.
    pub(crate) async fn listening(&self, wanted: bool) {
        let mut shown = self.shown.subscribe();
        if shown.wait_for(|rule| is_gone(rule) != wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until connections are to be cut.
    pub(crate) async fn cut(&self) {
        let mut shown = self.shown.subscribe();
        if shown.wait_for(whole).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A request that a fault strikes, or does not.
pub(crate) struct Struck {
    /// The fault.
    pub(crate) fault: Fault,
    changes: watch::Receiver<Rule>,
}

impl Struck {
    /// Waits until somebody sets another rule.
    pub(crate) async fn lifted(mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn is_gone(rule: &Rule) -> bool {
    rule.fault == Fault::Gone && whole(rule)
}

fn whole(rule: &Rule) -> bool {
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
        let faults = Faults::default();
        faults.set_for("/library", Fault::StartPage503);
        assert_eq!(faults.strike("/library/sections").fault, Fault::StartPage503);
        assert_eq!(faults.strike("/identity").fault, Fault::None);
    }

    #[test]
    fn a_counted_fault_ends_by_itself() {
        let faults = Faults::default();
        faults.set_times(Fault::Truncated, 2);
        assert_eq!(faults.strike("/").fault, Fault::Truncated);
        assert_eq!(faults.strike("/").fault, Fault::Truncated);
        assert_eq!(faults.strike("/").fault, Fault::None);
    }

    #[test]
    fn the_nth_page_can_fail() {
        let faults = Faults::default();
        let page = Some("/library/sections/3/all".to_owned());
        faults.set_rule(Rule { fault: Fault::Truncated, path_prefix: page, spare: 2, times: Some(1) });
        let struck = |path: &str| faults.strike(path).fault;
        assert_eq!(struck("/library/sections/3/all"), Fault::None);
        assert_eq!(struck("/identity"), Fault::None, "what is not meant is not counted");
        assert_eq!(struck("/library/sections/3/all"), Fault::None);
        assert_eq!(struck("/library/sections/3/all"), Fault::Truncated);
        assert_eq!(struck("/library/sections/3/all"), Fault::None);
    }

    #[tokio::test]
    async fn what_hangs_is_released_by_the_next_rule() {
        let faults = Faults::default();
        faults.set_times(Fault::Hang, 1);
        let struck = faults.strike("/");
        assert_eq!(struck.fault, Fault::Hang);
        faults.clear();
        struck.lifted().await;
    }

    #[test]
    fn a_rule_is_read_from_json() {
        let rule: Rule = serde_json::from_str(r#"{"fault":{"slow":250},"path_prefix":"/x"}"#).unwrap();
        assert_eq!(rule.fault, Fault::Slow(250));
        let rule: Rule = serde_json::from_str(r#"{"fault":"start_page503"}"#).unwrap();
        assert_eq!(rule.fault, Fault::StartPage503);
    }
}
