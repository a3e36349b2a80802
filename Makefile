# Everything a person or a machine runs. Each target alone does all of its own set-up.
.PHONY: demo test check formatting lints tests documentation bench match-score e2e sabotage model fuzz fuzz-brief package prepare prepare-bench prepare-e2e prepare-fuzz

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
ifeq ($(NEXTEST),yes)
RUN_TESTS = $(CARGO) nextest run --no-fail-fast
else
RUN_TESTS = $(CARGO) test --no-fail-fast
endif

# See what Greenroom does: simulated servers, an evening of companion apps directly and through it, an outage.
demo: prepare
	$(CARGO) run --profile demo --quiet -p greenroom -- demo

# All tests: the checks, the model checks, the sabotage run, a brief run of the fuzz targets, and real clients against
# the real binary. What is missing is said before anything is built, and the last line says which part failed.
PARTS = prepare prepare-fuzz prepare-e2e formatting lints tests documentation model sabotage fuzz-brief e2e
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

# A package for Debian and its relatives, in target/debian. TARGET=x86_64-unknown-linux-musl makes a static program.
package: prepare
	@$(CARGO) deb --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deb
	sh packaging/deb.sh $(TARGET)

prepare:
	@sh .ci/prepare

prepare-bench:
	@sh bench/prepare.sh

prepare-fuzz: prepare
	@sh fuzz/prepare.sh

prepare-e2e: prepare
	@sh e2e/prepare.sh
