#!/usr/bin/env bash
# Everything that CI runs: formatting, lints, documentation, all tests, and what
# may be in the build. On a bare Debian it first installs what the tests need and
# the machine lacks, and says so.
set -euo pipefail
cd "$(dirname "$0")"

CARGO_DENY=0.20.2
STANDARDWEBHOOKS=1.1.0
packages=()
command -v prometheus >/dev/null && command -v promtool >/dev/null || packages+=(prometheus)
command -v cc >/dev/null || packages+=(build-essential)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
[ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || packages+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

step() { printf '\n== %s\n' "$*"; }
die() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || die "there is no cargo: install Rust by rustup (rust-toolchain.toml names the version)"

if [ ${#packages[@]} -gt 0 ]; then
    step "installing by apt: ${packages[*]}"
    command -v apt-get >/dev/null || die "the tests need ${packages[*]}, and there is no apt-get here: install them by hand"
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo"
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq || die "apt-get update failed"
    # The tests start their own servers: the packages' services stay off.
    $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null || die "apt-get could not install ${packages[*]}"
fi

if ! cargo deny --version 2>/dev/null | grep -q "$CARGO_DENY"; then
    step "installing cargo-deny $CARGO_DENY from crates.io"
    # Unoptimised: it builds in two minutes and runs for one second.
    cargo install cargo-deny --version "$CARGO_DENY" --locked --debug || die "cargo-deny could not be installed"
fi

# The webhook standard's own library checks our signatures, in tests/it/delivery.
if ! target/venv/bin/python -c "from importlib.metadata import version; exit(version('standardwebhooks') != '$STANDARDWEBHOOKS')" 2>/dev/null; then
    step "installing standardwebhooks $STANDARDWEBHOOKS from PyPI into target/venv"
    mkdir -p target
    python3 -m venv --clear target/venv || die "there is no python3 with venv: install python3-venv"
    target/venv/bin/pip install --quiet --disable-pip-version-check "standardwebhooks==$STANDARDWEBHOOKS" || die "standardwebhooks could not be installed"
fi

step "cargo fmt"
cargo fmt --check

step "cargo clippy"
cargo clippy --locked --all-targets -- -D warnings

step "cargo doc"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

step "cargo deny"
cargo deny --locked check bans licenses sources

step "cargo test"
# Snapshots are compared, never written.
INSTA_UPDATE=no cargo test --locked

step "all passed"
