# Everything a person or a machine runs. Each target alone does all of its own set-up.
.PHONY: demo test check formatting lints tests without-fast-path documentation bench match-score e2e pictures sabotage model fuzz fuzz-brief package static image try-image sbom checksums release kodi prepare prepare-bench prepare-e2e prepare-fuzz

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
ifeq ($(NEXTEST),yes)
# Most tests wait for something most of the time: two more than there are cores run beside each other.
RUN_TESTS = $(CARGO) nextest run --no-fail-fast --test-threads=$$(($$(nproc) + 2))
else
RUN_TESTS = $(CARGO) test --no-fail-fast
endif

# See what Greenroom does: simulated servers, an evening of companion apps directly and through it, an outage.
demo: prepare
	$(CARGO) run --profile demo --no-default-features --quiet -p greenroom -- demo

# All tests: the checks, the model checks, the sabotage run, a brief run of the fuzz targets, and real clients against
# the real binary. What is missing is said before anything is built, and the last line says which part failed.
PARTS = prepare prepare-fuzz prepare-e2e formatting lints tests without-fast-path documentation model sabotage fuzz-brief e2e
test:
	@for part in $(PARTS); do \
	  began=$$(date +%s); \
	  echo "make test: $$part"; \
	  $(MAKE) --no-print-directory $$part || { echo "make test: $$part FAILED; parts: $(PARTS)" >&2; exit 1; }; \
	  echo "make test: $$part passed after $$(($$(date +%s) - began)) s"; \
	done

# What every commit passes.
check: formatting lints tests documentation

formatting: prepare
	$(CARGO) fmt --all --check

lints: prepare
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

tests: prepare
	$(RUN_TESTS) --workspace

# Every request parsed: what must hold for every client holds on that way as well. `tests` played all of it on the fast path.
SERVED_ALIKE = mixing:: undone:: regressions:: one_account:: cache_status:: statistics:: outages:: deferred:: fast_path::
without-fast-path: prepare
	GREENROOM_PLAY_WITHOUT_FAST_PATH=1 $(RUN_TESTS) -p greenroom --test play -- $(SERVED_ALIKE)

documentation: prepare
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

# Flights, markers and fences as shipped, over many thousands of schedules.
model: prepare
	$(RUN_TESTS) -p greenroom-cache --features shuttle --lib

# Takes out one safeguard at a time and expects a test to fail.
sabotage: prepare
	sh crates/sabotage.sh cache proxy dialect remote-store

# Every parser of foreign bytes, SECONDS each: make fuzz SECONDS=60 TARGETS="plex_requests redaction"
SECONDS ?= 600
fuzz: prepare prepare-fuzz
	fuzz/run.sh $(SECONDS) $(TARGETS)

# The same for a moment and with the same random numbers each time: whether every target still builds, holds for its
# seeds, and finds nothing near them.
fuzz-brief: prepare prepare-fuzz
	fuzz/run.sh brief

# Unmodified clients from PyPI and npm through the built program, then its page in Chromium. Pictures of it: target/e2e/browser.
# With the examples, features of dependencies are those of the tests: what `make tests` built is the program.
e2e: prepare prepare-e2e
	$(CARGO) build --quiet --workspace --bin greenroom --examples
	sh e2e/run.sh

# The picture of the page in the README: Greenroom's own page while the demo's race goes on.
pictures: prepare prepare-e2e
	$(CARGO) build --quiet --workspace --bin greenroom --examples
	sh e2e/run.sh browser demo
	cp target/e2e/browser/page.png docs/page.png

# Figures, compared side by side in one run: the engine, its disk tier, then the whole gateway beside nginx, Varnish and bare hyper.
bench: prepare prepare-bench
	$(CARGO) bench -p greenroom-cache
	$(CARGO) bench -p greenroom-library
	$(CARGO) build --release --quiet -p greenroom -p greenroom-bench
	$(CARGO) run --release --quiet -p greenroom-bench

# How well tracks are matched, on lists whose right answers are known: GREENROOM_MATCHING names their folder. Fails below
# the targets.
match-score: prepare
	$(CARGO) run --release --quiet -p greenroom-library --example score_matching

# What is released lies in target/dist. TARGET says for which system; the default is a static program for this machine.
TARGET ?= $(shell uname -m)-unknown-linux-musl

# A package for Debian and its relatives. `make package TARGET=` links the C library of this machine instead.
package: prepare
	@TARGET=$(TARGET) sh packaging/prepare.sh static deb
	sh packaging/deb.sh $(TARGET)

# The add-ons for Kodi, as zips to install, in target/kodi.
kodi:
	python3 clients/kodi/build.py

# One static program with its completions, man pages and unit, as an archive.
static: prepare
	@TARGET=$(TARGET) sh packaging/prepare.sh static
	sh packaging/static.sh $(TARGET)

# A container image, without a daemon; `docker build .` makes the same one.
image: prepare
	@TARGET=$(TARGET) sh packaging/prepare.sh static image
	sh packaging/image.sh $(TARGET)

# Starts the image from its layers (as root), and waits until it is healthy.
try-image: image
	sh packaging/try-image.sh target/dist/greenroom-*-image.tar

# The libraries in the program, with versions and licences.
sbom: prepare
	@TARGET=$(TARGET) sh packaging/prepare.sh sbom
	sh packaging/sbom.sh $(TARGET)

checksums:
	sh packaging/checksums.sh

# All of it, one after the other.
release:
	rm -rf target/dist
	$(MAKE) --no-print-directory package
	$(MAKE) --no-print-directory static
	$(MAKE) --no-print-directory image
	$(MAKE) --no-print-directory sbom
	$(MAKE) --no-print-directory checksums

prepare:
	@sh .ci/prepare

prepare-bench:
	@sh bench/prepare.sh

prepare-fuzz: prepare
	@sh fuzz/prepare.sh

prepare-e2e: prepare
	@sh e2e/prepare.sh
