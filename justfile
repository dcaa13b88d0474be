# Everything a developer does here. `just ci` is what CI runs.

host := `rustc -vV | sed -n 's/^host: //p'`
# On Linux, links statically and at a fixed address, as install.sh does.
static := if os() == "linux" { "-C target-feature=+crt-static -C relocation-model=static" } else { "" }

[private]
default:
    @just --list --unsorted

# Format the code
[group('check')]
fmt:
    cargo fmt

# Refuse unformatted code, lints, broken docs, and hooks that use the CLI's modules
[group('check')]
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    cargo clippy --no-default-features --lib --bins --locked -- -D warnings
    cargo check --no-default-features --lib --bins --locked
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --quiet

# Run the tests
[group('check')]
test *args:
    cargo test --locked {{args}}

# Run the property tests with new random values (takes seconds; each run has other values)
[group('check')]
properties *args:
    PROPTEST_RNG_SEED=$(od -An -N6 -tu8 /dev/urandom | tr -d ' ') cargo test --locked {{args}}

# Run the long forms of the race, kill and fault tests (some minutes)
[group('check')]
torture *args:
    CCSESSION_TORTURE=full cargo test --release --locked --test it -- {{args}}

# Kill `ship` 1,000 times while a collector fails and lies at random (some minutes)
[group('check')]
torture-ship:
    CCSESSION_TORTURE=full cargo test --locked --test it -- ship::killed

# Drive the real Claude Code client, offline, with the installed hooks (installs the client by npm)
[group('check')]
realclient *args:
    CCSESSION_BIN_DIR=$(./install.sh --build-only) tests/realclient/run {{args}}

# Open reports, the dashboard and traces in headless Chromium (installs what is missing by apt and npm)
[group('check')]
browser *args: programs
    CCSESSION_BIN_DIR="${CARGO_TARGET_DIR:-$PWD/target}/debug" tests/browser/run {{args}}

# Draw the pictures of the pages in docs/
[group('check')]
screenshots: programs
    tests/browser/run --only-install
    cd tests/browser && CCSESSION_BIN_DIR="${CARGO_TARGET_DIR:-$OLDPWD/target}/debug" node screenshots.js

# Run the real client within itself, with two versions in all four combinations (installs both)
[group('check')]
realclient-matrix *args:
    CCSESSION_BIN_DIR=$(./install.sh --build-only) tests/realclient/run --matrix {{args}}

# Check the doctor against the real client: under which settings do hooks run?
[group('check')]
realclient-settings *args:
    CCSESSION_BIN_DIR=$(./install.sh --build-only) tests/realclient/settings {{args}}

# Ship simulated machines through a real collector, in both encodings, and compare (installs rotel by pip, into target/fleet)
[group('check')]
fleet-collector *args: programs
    CCSESSION_BIN_DIR="${CARGO_TARGET_DIR:-$PWD/target}/debug" tests/fleet/collector {{args}}

# Ship simulated machines through a real collector into MLflow and Phoenix, and compare (installs 2 GB by pip, into target/tools)
[group('check')]
fleet-stores *args: programs
    CCSESSION_BIN_DIR="${CARGO_TARGET_DIR:-$PWD/target}/debug" tests/fleet/trace-stores {{args}}

# Compare what ccsession makes of the transcripts in DIR with an independent count (works on a copy)
[group('check')]
corpus dir *args:
    cargo build --locked
    tests/corpus/run {{dir}} {{args}}

# Refuse licences, sources and known advisories that deny.toml does not allow (cargo-deny)
[group('check')]
deny:
    cargo deny check

# Build the documentation site in target/site, and fail on any warning or broken link
[group('check')]
docs:
    docs/site/build

# Draw the other pictures from what the program prints
[group('check')]
picture:
    CCSESSION_DRAW=1 cargo test --locked --lib cli::top::tests
    CCSESSION_DRAW=1 cargo test --locked --test it docs::the_picture

# Check our OpenTelemetry names against the published conventions (installs them by pip and npm)
[group('check')]
telemetry-names:
    tests/telemetry/names.py

# What CI runs
[group('check')]
ci:
    .ci/run

# Run the harness recipes that have no short form in cargo test, in their short form
[group('harness')]
harness: programs
    tests/harness/short

# Files that another user plants against uid 1000 and root; SIZE questions while they change (--peer FILE: tries a Python helper, too)
[group('harness')]
harness-hostile *args: programs
    tests/harness/hostile.py {{args}}

# A pointer directory that is full, read-only, another user's or missing, and a full state: up to SIZE KiB of room
[group('harness')]
harness-private-tmp *args: programs
    tests/harness/private_tmp.py {{args}}

# Every system call of every hook and command fails with each of eight errors: SIZE of these faults, or 0 for all
[group('harness')]
harness-inject *args: programs
    tests/harness/inject.py {{args}}

# Reads and writes that do less than asked: SIZE sessions
[group('harness')]
harness-lie *args: programs
    tests/harness/lie.py {{args}}

# SIGKILL at every system call, and SIZE times at random moments
[group('harness')]
harness-kill *args: programs
    tests/harness/kill.py {{args}}

# Power cuts on ext4 with five kinds of mount options: SIZE of them
[group('harness')]
harness-cut *args: programs
    tests/harness/cut.py {{args}}

# Clocks that jump: SIZE orders of jumps
[group('harness')]
harness-clock *args: programs
    tests/harness/clock.py {{args}}

# Descriptors, file sizes, memory, stack, streams: SIZE limits of each kind
[group('harness')]
harness-limits *args: programs
    tests/harness/limits.py {{args}}

# Fuzzing: SIZE executions of each target, or of the named ones
[group('harness')]
harness-fuzz *args:
    tests/harness/fuzz.py {{args}}

# Stores against readers, sweeps and ends: SIZE times the full form
[group('harness')]
harness-races *args:
    tests/harness/races.py {{args}}

# How every hook and command opens files
[group('harness')]
harness-audit *args: programs
    tests/harness/audit.py {{args}}

# Twenty sessions, kills, a cleanup each minute: SIZE minutes
[group('harness')]
harness-soak *args: programs
    tests/harness/soak.py {{args}}

# A simulated fleet: `just fleet lake 10` measures 10 machines; `clickhouse` and `stores` try contrib/ (installs by pip, into target/fleet)
[group('measure')]
fleet what="lake" *args:
    tests/fleet/run {{what}} {{args}}

[private]
programs:
    cargo build --locked --bins --quiet

# Build the programs as they are installed, and print their folder
[group('build')]
build:
    ./install.sh --build-only

# Write the completions and manual pages in contrib/ from the command line
[group('build')]
generate:
    CCSESSION_GENERATE=1 cargo test --locked --test it generated::

# Check the pages in src/web, test their modules, and build them into src/web/built (needs npm)
[group('build')]
web:
    cd src/web && npm ci --ignore-scripts --silent && npx tsc --noEmit && node build.mjs --test && node build.mjs

# Build, install for this user, register the hooks
[group('build')]
install *args:
    ./install.sh {{args}}

# Time whole processes against their budgets (--quick, --rounds N, --no-budget)
[group('measure')]
bench *args:
    RUSTFLAGS="{{static}}" cargo bench --locked --bench hooks --target {{host}} -- {{args}}

# Count instructions and system calls against benches/ceilings.md (--runs N; needs valgrind and strace)
[group('measure')]
counts *args:
    benches/counts.py "$(./install.sh --build-only)" {{args}}

# Time the archiving of a long transcript against `zstd -3` (--mb N, --no-budget)
[group('measure')]
bench-archive *args:
    RUSTFLAGS="{{static}}" cargo bench --locked --bench archive --target {{host}} -- {{args}}

# Check the times that the documents promise: blocked hooks, followers, the redactor (--no-budget)
[group('measure')]
bench-promises *args:
    RUSTFLAGS="{{static}}" cargo bench --locked --bench promises --target {{host}} -- {{args}}

# Time the same questions about sessions of 1,000 and of 1,000,000 events (--rounds N, --no-budget)
[group('measure')]
bench-growth *args:
    RUSTFLAGS="{{static}}" cargo bench --locked --bench growth --target {{host}} -- {{args}}

# Time shipping a million events to a collector that discards them, against `cat | curl` (SESSIONS, --protocol, --compression, --repeat N)
[group('measure')]
bench-ship *args:
    CCSESSION_BIN_DIR=$(./install.sh --build-only) benches/ship.py {{args}}

# Search for texts that slow the redactor down, made from a grammar (--texts N, --seed N, --no-budget)
[group('measure')]
redactor *args:
    cargo bench --locked --bench redactor -- {{args}}

# Time views over a million events against DuckDB, jq and wc (--quick, --rounds N, --no-budget; installs DuckDB with pip)
[group('measure')]
bench-views *args:
    RUSTFLAGS="{{static}}" cargo bench --locked --bench views --target {{host}} -- {{args}}
