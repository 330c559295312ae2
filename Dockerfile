# wavegate in a container: one binary, no shell, user 65532, a root that may be
# read-only. Only /data is written.
#
#   docker build -t wavegate .
#   docker run --read-only --cap-drop ALL -p 9466:9466 -v wavegate:/data \
#       -v ./wavegate.toml:/etc/wavegate/wavegate.toml:ro -v ./rules:/etc/wavegate/rules:ro \
#       -e WAVEGATE_CONFIG=/etc/wavegate/wavegate.toml wavegate
#
# It listens on every address, so it refuses to start without a token: put one
# under [[tokens]] in wavegate.toml.
#
# Where this file was written no Docker engine runs, so the image itself was not
# built there. tests/it/dockerfile.rs reads this file, checks what can be checked
# without one, and asks cargo whether what is copied here is a whole package.

# The tag is the version of rust-toolchain.toml, which is left out of the image's
# context so that rustup does not fetch the lints' components. Debian 12 as below:
# the binary needs the C library that it was linked with.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
COPY benches benches
RUN cargo build --release --locked --bin wavegate
# The next stage has no shell to make a folder with.
RUN install --directory --owner=65532 --group=65532 --mode=0750 /data

# The C library and the certificates of the world's authorities, nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/wavegate /usr/local/bin/wavegate
COPY --from=build --chown=65532:65532 /data /data
COPY rules /etc/wavegate/rules
ENV WAVEGATE_LISTEN=0.0.0.0:9466 \
    WAVEGATE_RULES_DIR=/etc/wavegate/rules \
    WAVEGATE_STORE__PATH=/data/wavegate.db \
    WAVEGATE_LOG__FORMAT=json \
    SQLITE_TMPDIR=/data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 9466
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/wavegate", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/wavegate"]
CMD ["serve"]
