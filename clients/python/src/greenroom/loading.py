"""One load per key: over the threads of this process by flights, over processes by leases of the store."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from typing import Any, Callable, ContextManager, Dict, NamedTuple, Optional, Tuple, Union

from . import codec
from .backend import LeaseHeld, LeaseResult, LeaseTaken, LeaseUnneeded, Put, PutResult, StorageError, StoredEntry
from .forking import renewed_in_child
from .lease_keeper import LEASE_SPANS_MAX, LeaseKeeper
from .storage import Storage, Terms, entry

# Refreshes behind stale answers at a time; beyond, the stale value is served without one.
REFRESHES_MAX = 4
# After a failed refresh the key is not refreshed for this long.
FAILURE_PAUSE_S = 1.0
POLL_FIRST_S = 0.005
POLL_LAST_S = 0.1
# Asked for in place of no version, so that an entry without one is no reason against a lease.
UNREADABLE = "unreadable"

log = logging.getLogger("greenroom")

Encoded = Tuple[int, bytes]


class Ask(NamedTuple):
    """A key to load, and how its value is to be stored."""

    key: bytes
    terms: Terms
    lease_s: float
    wait_s: float

    @property
    def waits_for_lease(self) -> bool:
        """True if a caller whose wait ended goes on to wait for the lease, False if it loads for itself."""
        return self.wait_s >= self.lease_s

    @property
    def patience_s(self) -> float:
        """The time for which a leader waits for the lease: longer than one that hangs keeps it."""
        return 2 * LEASE_SPANS_MAX * self.lease_s if self.waits_for_lease else self.wait_s


class LeaderGone(Exception):
    """The thread that loaded was interrupted; a waiting one takes over."""


class Flight:
    """A load under way in this process. Its future holds the encoded value, or the value itself if it has no code.

    Beside the first leader there may be others, which took over when waits ended; the first that is done ends it.
    """

    def __init__(self) -> None:
        self.begun: Optional[int] = None
        self.leaders = 1
        self.future: "concurrent.futures.Future[Union[Encoded, NamedTuple]]" = concurrent.futures.Future()


class Uncoded(NamedTuple):
    """A loaded value that cannot be stored."""

    value: Any


class Loads:
    """The flights of one cache."""

    def __init__(
        self,
        storage: Storage,
        pause: Callable[[float], None] = time.sleep,
        spawn: Optional[Callable[[Callable[[], None]], None]] = None,
    ) -> None:
        self.storage, self.counters, self.backend = storage, storage.counters, storage.backend
        self.pause = pause
        self._spawn = spawn or _spawn_thread
        self.renew()
        renewed_in_child(self)

    def renew(self) -> None:
        """In a child process: what the parent's threads load never ends here."""
        self._lock = threading.Lock()
        self._flights: Dict[bytes, Flight] = {}
        self._refreshing = 0
        self._keeper = LeaseKeeper()

    def load(self, ask: Ask, loader: Callable[[], Any]) -> Any:
        """Return the value of a key that is not fresh: loaded here, or by another thread or process.

        Raises what the loader raises. If another one loads for longer than `wait_s`, one of those who wait takes over
        as soon as the lease is free; with a wait that is shorter than the lease each loads for itself.
        """
        while True:
            flight, leads = self.join(ask)
            try:
                return self._lead(ask, flight, loader) if leads else self._followed(ask, flight, loader)
            except LeaderGone:
                continue

    def _followed(self, ask: Ask, flight: Flight, loader: Callable[[], Any]) -> Any:
        while True:
            leaders = flight.leaders
            try:
                return decoded(flight.future.result(timeout=ask.wait_s))
            except concurrent.futures.TimeoutError:
                if flight.future.done():
                    return decoded(flight.future.result())
            self.counters.add("waits_ended")
            if not ask.waits_for_lease:
                return loader()
            if self.take_over(flight, leaders):
                return self._lead(ask, flight, loader)

    def take_over(self, flight: Flight, leaders: int) -> bool:
        """Become one more leader of a flight, unless another caller did since there were so many."""
        with self._lock:
            if flight.leaders != leaders:
                return False
            flight.leaders += 1
            return True

    def join(self, ask: Ask) -> Tuple[Flight, bool]:
        """Return the flight of a key, and whether the caller leads it.

        A flight that began before an invalidation is not joined: its value is older than the caller's question.
        """
        with self._lock:
            flight = self._flights.get(ask.key)
            if flight is None:
                return self._started(ask.key), True
        if flight.begun is None or not self._invalidated(ask, flight.begun):
            return flight, False
        with self._lock:
            newer = self._flights.get(ask.key)
            if newer is None or newer is flight:
                return self._started(ask.key), True
            return newer, False

    def _started(self, key: bytes) -> Flight:
        flight = self._flights[key] = Flight()
        return flight

    def _invalidated(self, ask: Ask, begun: int) -> bool:
        try:
            return self.backend.invalidated(ask.key, ask.terms.tags, begun)
        except StorageError as error:
            self.storage.failed(error)
            return False

    def _lead(self, ask: Ask, flight: Flight, loader: Callable[[], Any]) -> Any:
        try:
            held = self.wait_for_lease(ask, ask.patience_s, flight.future.done)
            if isinstance(held, LeaseTaken):
                if flight.future.done():
                    return decoded(flight.future.result())
                self.counters.add("waits_ended")
                held = None
            if isinstance(held, StoredEntry):
                encoded: Union[Encoded, Uncoded] = (held.codec, held.payload)
                value = decoded(encoded)
                self.land(ask, flight, encoded)
                return value
            self.begin(flight, held)
            value, encoded = self._loaded(ask, held, loader)
        except BaseException as error:
            self.crash(ask, flight, error)
            raise
        self.land(ask, flight, encoded)
        return value

    @staticmethod
    def begin(flight: Flight, held: Optional[LeaseHeld]) -> None:
        """Note when the load began; of several that of the first, because each may be the one whose value is told."""
        if flight.begun is None and held is not None:
            flight.begun = held.begun

    def kept(self, ask: Ask, held: Optional[LeaseHeld]) -> ContextManager[None]:
        """Return a context in which a lease is extended, so that no other process loads as well."""
        return self._keeper.kept(ask.lease_s, None if held is None else lambda: self.give_back(ask, held, ask.lease_s))

    def _loaded(
        self, ask: Ask, held: Optional[LeaseHeld], loader: Callable[[], Any]
    ) -> Tuple[Any, Union[Encoded, Uncoded]]:
        try:
            with self.kept(ask, held):
                value = loader()
        except BaseException:
            self.counters.add("load_failures")
            self.give_back(ask, held)
            raise
        return value, self.store(ask, held, value)

    def wait_for_lease(
        self, ask: Ask, left_s: float, landed: Callable[[], bool] = bool
    ) -> Union[LeaseHeld, LeaseTaken, StoredEntry, None]:
        """Wait for the lease or for the value, None if storage failed.

        LeaseTaken if neither came within `left_s`, or `landed()` is true.
        """
        pause = POLL_FIRST_S
        while True:
            # The daemon wakes a caller; an embedded store is asked again and again.
            wait_s = max(0.0, min(left_s, self.backend.lease_wait_s))
            asked = time.monotonic()
            outcome = self.try_lease(ask, wait_s)
            if not isinstance(outcome, LeaseTaken) or left_s <= 0 or landed():
                return outcome
            waited_s = time.monotonic() - asked if wait_s else 0.0
            if waited_s < pause:
                self.pause(pause)
                waited_s += pause
            left_s -= waited_s
            pause = min(pause * 1.5, POLL_LAST_S)

    def try_lease(self, ask: Ask, wait_s: float = 0.0) -> Union[LeaseHeld, LeaseTaken, StoredEntry, None]:
        """Ask for the lease once, and let a daemon wait for it. Returns the entry if it was stored meanwhile, None if
        storage failed.

        An entry that no codec reads is as good as none: the lease is for the value in its place.
        """
        try:
            result = self._acquired(ask, ask.terms.version, wait_s)
            if isinstance(result, LeaseUnneeded) and not codec.is_readable(result.entry.codec, result.entry.payload):
                # The store gives a lease beside a fresh entry of another version.
                result = self._acquired(ask, "" if ask.terms.version else UNREADABLE, wait_s)
                if isinstance(result, LeaseUnneeded):
                    return LeaseTaken(self.storage.clock())
        except StorageError as error:
            self.storage.failed(error)
            return None
        return result.entry if isinstance(result, LeaseUnneeded) else result

    def _acquired(self, ask: Ask, version: str, wait_s: float) -> LeaseResult:
        return self.backend.acquire(ask.key, ask.terms.tags, ask.lease_s, self.storage.clock(), version, wait_s)

    def store(self, ask: Ask, held: Optional[LeaseHeld], value: Any) -> Union[Encoded, Uncoded]:
        """Store a loaded value, unless the key was invalidated since the load began, and end the lease."""
        self.counters.add("loads")
        try:
            encoded = codec.encode(value)
        except Exception as error:
            # Also a RuntimeError because another thread changes the value.
            self.counters.add("refused_unstorable")
            log.warning("a loaded value cannot be stored: %s", error)
            self.give_back(ask, held)
            return Uncoded(value)
        self.put(ask, held, encoded)
        return encoded

    def put(self, ask: Ask, held: Optional[LeaseHeld], encoded: Encoded) -> bool:
        """Store an encoded value under a lease, end the lease, and return whether it is stored."""
        if held is None:
            return False
        if not self.storage.has_room_for(encoded[1]):
            self.give_back(ask, held)
            return False
        made = entry(*encoded, ask.terms, self.storage.clock())
        result = self.storage.put_all([Put(ask.key, made, begun=held.begun, lease=held.token)])[0]
        if result not in (PutResult.STORED, PutResult.FENCED):
            self.give_back(ask, held)
        return result is PutResult.STORED

    def give_back(self, ask: Ask, held: Optional[LeaseHeld], pause_s: float = 0.0) -> None:
        """End a lease without a value, after a pause if one is given."""
        if held is None:
            return
        try:
            self.backend.release(ask.key, held.token, self.storage.clock() + pause_s if pause_s else None)
        except StorageError as error:
            self.storage.failed(error)

    def land(self, ask: Ask, flight: Flight, value: Union[Encoded, Uncoded]) -> None:
        """End a flight with a value for those who wait."""
        self._end(ask, flight)
        if not flight.future.done():
            flight.future.set_result(value)

    def crash(self, ask: Ask, flight: Flight, error: BaseException) -> None:
        """End a flight with an error for those who wait; an interrupt of the leader is not theirs."""
        self._end(ask, flight)
        if not flight.future.done():
            flight.future.set_exception(error if isinstance(error, Exception) else LeaderGone())

    def _end(self, ask: Ask, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(ask.key) is flight:
                del self._flights[ask.key]

    def refresh_behind(self, ask: Ask, loader: Callable[[], Any]) -> None:
        """Load a stale key in the background, unless another one does or REFRESHES_MAX run already."""
        if not self.may_refresh(ask):
            return
        try:
            self._spawn(lambda: self._refresh(ask, loader))
        except RuntimeError as error:
            # No thread can be started any more, for instance because the interpreter ends.
            self.refreshed()
            log.debug("no refresh: %s", error)

    def may_refresh(self, ask: Ask) -> bool:
        """Reserve one of REFRESHES_MAX places; `refreshed` frees it."""
        with self._lock:
            if ask.key in self._flights or self._refreshing >= REFRESHES_MAX:
                return False
            self._refreshing += 1
            return True

    def refreshed(self) -> None:
        """Free the place of a refresh."""
        with self._lock:
            self._refreshing -= 1

    def _refresh(self, ask: Ask, loader: Callable[[], Any]) -> None:
        try:
            held = self.try_lease(ask)
            if isinstance(held, LeaseHeld):
                try:
                    with self.kept(ask, held):
                        value = loader()
                except Exception as error:
                    self.refresh_failed(ask, held, error)
                    return
                self.counters.add("refreshes")
                self.store(ask, held, value)
        finally:
            self.refreshed()

    def refresh_failed(self, ask: Ask, held: LeaseHeld, error: Exception) -> None:
        """Count a failed refresh and keep the key from being refreshed for FAILURE_PAUSE_S."""
        self.counters.add("refresh_failures")
        log.info("a refresh failed, the stale value is served on: %r", error)
        self.give_back(ask, held, FAILURE_PAUSE_S)


def decoded(value: Any) -> Any:
    """Return a waiting caller's own copy of a flight's value."""
    return value.value if isinstance(value, Uncoded) else codec.decode(*value)


def _spawn_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="greenroom-refresh", daemon=True).start()
