//! A model of gateways, their clocks, their store and what lies between, driven through random histories. It runs the
//! decisions that gateways run; the store does what the scripts do.

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

use greenroom_cache::remote::{ClusterRole, Leadership};

use crate::agreement::{
    CatchUp, HeartbeatReply, LogEntry, SequencePosition, cluster_role, plan_catch_up, trust_end_ms,
};
use crate::announcements::{AnnouncementResult, Announcements};

const GATEWAYS: usize = 3;
const LEASE_MS: u64 = 1_000;
const HISTORIES: u64 = 3_000;
const STEPS: usize = 120;

/// A small generator of numbers: a history is its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Debug, Clone)]
struct Lease {
    until_ms: u64,
    heard: u64,
    seen: u64,
}

/// The store, as the scripts see it. A copy of it is what a replica has when it takes over.
#[derive(Debug, Clone, Default)]
struct Store {
    epoch: u64,
    born_ms: u64,
    /// Run of the store, and the run that it knows of.
    run: u64,
    known_run: u64,
    log: Vec<String>,
    leases: BTreeMap<usize, Lease>,
    /// The gateway that leads, or led last.
    leader: Option<usize>,
}

impl Store {
    fn seq(&self) -> u64 {
        self.log.len() as u64
    }

    fn hear(&mut self, id: usize, standing: &SequencePosition, now_ms: u64, epochs: &mut u64) -> HeartbeatReply {
        let known = usize::try_from(standing.heard).expect("it is small");
        let is_ours = standing.epoch == self.epoch && known > 0;
        let lost = is_ours && self.log.get(known - 1).is_none_or(|token| *token != standing.token);
        if self.epoch == 0 || lost {
            *epochs += 1;
            let run = self.run;
            *self = Self { epoch: *epochs, born_ms: now_ms, run, known_run: run, ..Self::default() };
        }
        if self.run != self.known_run {
            (self.born_ms, self.known_run) = (now_ms, self.run);
        }
        let heard = if standing.epoch == self.epoch { standing.heard } else { 0 };
        let others = self.leases.iter().filter(|(peer, lease)| **peer != id && lease.until_ms > now_ms);
        let acked = others.map(|(_, lease)| lease.heard).fold(self.seq(), u64::min);
        let mine = self.leases.get(&id).cloned();
        let renewed = mine.as_ref().is_none_or(|mine| heard >= mine.seen) || standing.epoch != self.epoch;
        let until_ms = if renewed { now_ms + LEASE_MS } else { mine.map_or(0, |mine| mine.until_ms) };
        let is_live = |of: usize| self.leases.get(&of).is_some_and(|lease| lease.until_ms > now_ms);
        let may_take_over = self.leader.is_none_or(|leader| leader != id && !is_live(leader));
        let is_settled = now_ms >= self.born_ms + LEASE_MS;
        if is_settled && may_take_over {
            self.leader = renewed.then_some(id);
        }
        let leader = self.leader.filter(|_| is_settled).map(|leader| leader.to_string());
        self.leases.insert(id, Lease { until_ms, heard, seen: self.seq() });
        let entry = |(at, token): (usize, &String)| LogEntry {
            seq: at as u64 + 1,
            token: token.clone(),
            scope: String::new(),
            purges: false,
            durations_ms: [0; 3],
        };
        let is_same = standing.epoch == self.epoch;
        HeartbeatReply {
            now_ms: Timestamp::from_millis(now_ms),
            epoch: self.epoch,
            seq: self.seq(),
            floor: 0,
            renewed,
            gap: false,
            acked: if now_ms < self.born_ms + LEASE_MS { 0 } else { acked },
            peers: Vec::new(),
            entries: if is_same { self.log.iter().enumerate().map(entry).skip(known).collect() } else { Vec::new() },
            longest_lease_ms: Duration::from_millis(LEASE_MS),
            leader: leader.unwrap_or_default(),
        }
    }

    /// Numbers a write; `None` in another epoch.
    fn announce(&mut self, epoch: u64, token: String) -> Option<u64> {
        if epoch != self.epoch {
            return None;
        }
        self.log.push(token);
        let seq = self.seq();
        self.leases.values_mut().for_each(|lease| lease.heard = lease.heard.min(seq - 1));
        Some(seq)
    }
}

/// An answer on its way: when it arrives, when the question was sent by the gateway's clock, and what it says.
struct Answer {
    arrives_ms: u64,
    sent_ms: u64,
    heartbeat: HeartbeatReply,
}

struct Gateway {
    leadership: Leadership,
    standing: SequencePosition,
    trusted_until_ms: u64,
    /// Version of what it has cached; `None` if that was invalidated.
    cached: Option<u64>,
    answer: Option<Answer>,
    /// Version of a write that is not announced yet, and of one that waits for the others.
    write: Option<u64>,
    announcements: Announcements<u64>,
    has_joined: bool,
    paused_until_ms: u64,
    is_cut_off: bool,
    /// Per mille that its clock is fast or slow.
    drift: u64,
}

impl Gateway {
    /// `drift` is per mille that its clock is fast or slow.
    fn new(drift: u64) -> Self {
        Self {
            leadership: Leadership::among_peers(),
            standing: SequencePosition::default(),
            trusted_until_ms: 0,
            cached: None,
            answer: None,
            write: None,
            announcements: Announcements::default(),
            has_joined: false,
            paused_until_ms: 0,
            is_cut_off: false,
            drift,
        }
    }

    fn leads(&self, now_ms: u64) -> bool {
        self.leadership.role(Timestamp::from_millis(self.clock_ms(now_ms))) == ClusterRole::Leader
    }

    /// Its own clock.
    fn clock_ms(&self, now_ms: u64) -> u64 {
        now_ms * self.drift / 1_000
    }

    /// Does the same as `Session::beat` with an answer.
    fn apply(&mut self, answer: &Answer, store: &mut Store, id: usize, version: u64) -> Option<u64> {
        let heartbeat = &answer.heartbeat;
        let plan = plan_catch_up(&self.standing, heartbeat, self.has_joined, !self.has_joined);
        match plan {
            CatchUp::Log => {
                for entry in &heartbeat.entries {
                    self.announcements.hear(entry);
                    self.cached = None;
                    let token = entry.token.clone();
                    self.standing = SequencePosition { epoch: self.standing.epoch, heard: entry.seq, token };
                }
            }
            CatchUp::Marks | CatchUp::Everything | CatchUp::Start => {
                // The marks are read now, which is later than the answer. Only those above are heard.
                if plan.invalidates_everything() || store.seq() > self.standing.heard {
                    self.cached = None;
                }
                self.has_joined = true;
                let token = store.log.last().cloned().unwrap_or_default();
                self.standing = SequencePosition { epoch: store.epoch, heard: store.seq(), token };
            }
        }
        let lease = Duration::from_millis(LEASE_MS);
        if let Some(until_ms) =
            trust_end_ms(Timestamp::from_millis(answer.sent_ms), heartbeat, self.standing.heard, lease)
        {
            self.trusted_until_ms = until_ms.as_millis();
            self.leadership.set(cluster_role(heartbeat, &id.to_string()), until_ms);
        }
        let answered = match self.announcements.conclude(heartbeat, &self.standing) {
            Some(AnnouncementResult::Acknowledged(written)) => Some(written),
            Some(AnnouncementResult::Lost(written)) => {
                self.write = Some(written);
                None
            }
            None => None,
        };
        if !self.announcements.is_waiting()
            && let Some(written) = self.write
        {
            let token = format!("{id}:{version}:{}", store.seq());
            if let Some(seq) = store.announce(self.standing.epoch, token.clone()) {
                self.write = None;
                self.announcements.begin(self.standing.epoch, seq, token, written);
            }
        }
        answered
    }

    fn has_write(&self) -> bool {
        self.write.is_some() || self.announcements.is_waiting()
    }
}

/// Counts of a history's contents, so that none is empty by mistake.
#[derive(Default)]
struct HistoryCounts {
    hits: usize,
    /// Steps in which a gateway led.
    led: usize,
}

/// One history. The error is what a client saw, or two leaders.
fn play(seed: u64) -> Result<HistoryCounts, String> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    // The clocks differ within the margin by which trust ends before a lease does.
    let mut gateways: Vec<Gateway> = (0..GATEWAYS).map(|_| Gateway::new(960 + random.below(80))).collect();
    let (mut store, mut replica, mut epochs) = (Store::default(), Store::default(), 0);
    let (mut now_ms, mut version, mut answered, mut seen) = (10_000, 0, 0, HistoryCounts::default());
    for step in 0..STEPS {
        now_ms += random.below(120);
        let leaders = gateways.iter().filter(|gateway| gateway.leads(now_ms)).count();
        if leaders > 1 {
            return Err(format!("step {step}: {leaders} gateways lead"));
        }
        seen.led += leaders;
        let id = usize::try_from(random.below(GATEWAYS as u64)).expect("it is small");
        let gateway = &mut gateways[id];
        let is_awake = now_ms >= gateway.paused_until_ms;
        if is_awake && gateway.answer.as_ref().is_some_and(|answer| answer.arrives_ms <= now_ms) {
            let answer = gateway.answer.take().expect("it was there");
            if !gateway.is_cut_off {
                answered = gateway.apply(&answer, &mut store, id, version).map_or(answered, |done| done.max(answered));
            }
        }
        match random.below(16) {
            0..=7 if is_awake && !gateway.is_cut_off && gateway.answer.is_none() => {
                let sent_ms = gateway.clock_ms(now_ms);
                let heartbeat = store.hear(id, &gateway.standing, now_ms, &mut epochs);
                gateway.answer = Some(Answer { arrives_ms: now_ms + random.below(200), sent_ms, heartbeat });
            }
            8..=11 if is_awake => {
                match gateway.cached.filter(|_| gateway.clock_ms(now_ms) < gateway.trusted_until_ms) {
                    Some(cached) if cached < answered => {
                        return Err(format!(
                            "step {step}: gateway {id} served v{cached} after v{answered} was answered"
                        ));
                    }
                    Some(_) => seen.hits += 1,
                    None => gateway.cached = Some(version),
                }
            }
            12 | 13 if is_awake && !gateway.has_write() => {
                version += 1;
                gateway.cached = None;
                gateway.write = Some(version);
            }
            14 => match random.below(3) {
                0 => gateway.paused_until_ms = now_ms + random.below(3 * LEASE_MS),
                1 => gateway.is_cut_off = !gateway.is_cut_off,
                _ => replica = store.clone(),
            },
            // Its connection ended: what was on its way is gone, what waits waits on.
            15 if random.below(4) == 0 => gateway.answer = None,
            // Everything is lost, and the process is the same.
            15 if random.below(12) == 0 => store = Store { run: store.run, ..Store::default() },
            15 if random.below(8) == 0 => {
                // The replica lacks what came since, numbers and leases.
                store = Store { run: store.run + 1, ..replica.clone() };
            }
            _ => {}
        }
    }
    heal(&mut gateways, &mut store, now_ms, &mut epochs).map(|()| seen)
}

/// Nothing is paused or cut off any more: every write must be answered within a few leases.
fn heal(gateways: &mut [Gateway], store: &mut Store, mut now_ms: u64, epochs: &mut u64) -> Result<(), String> {
    for _ in 0..60 {
        now_ms += LEASE_MS / 10;
        for (id, gateway) in gateways.iter_mut().enumerate() {
            let heartbeat = store.hear(id, &gateway.standing, now_ms, epochs);
            let answer = Answer { arrives_ms: now_ms, sent_ms: gateway.clock_ms(now_ms), heartbeat };
            gateway.apply(&answer, store, id, 0);
        }
    }
    let waiting = gateways.iter().position(Gateway::has_write);
    let leaders = gateways.iter().filter(|gateway| gateway.leads(now_ms)).count();
    match (waiting, leaders) {
        (Some(id), _) => Err(format!("gateway {id} waits for ever")),
        (None, 1) => Ok(()),
        (None, leaders) => Err(format!("{leaders} gateways lead once all is well")),
    }
}

#[test]
fn no_history_of_gateways_serves_what_an_answered_write_made_wrong_or_has_two_leaders() {
    let mut all = HistoryCounts::default();
    for seed in 1..=HISTORIES {
        match play(seed) {
            Ok(seen) => (all.hits, all.led) = (all.hits + seen.hits, all.led + seen.led),
            Err(seen) => panic!("history {seed}: {seen}"),
        }
    }
    assert!(all.hits > 1_000, "the histories must serve something: {} hits", all.hits);
    assert!(all.led > 1_000, "gateways must lead: in {} steps", all.led);
}
