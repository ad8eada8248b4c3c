# One binary and the libraries that it links, nothing else: no shell, no package manager, no root.
#
#   docker build -t switchboard --build-arg REVISION="$(git rev-parse HEAD)" .
#
# A release pins the two images by digest: --build-arg BUILDER=rust@sha256:… --build-arg RUNTIME=gcr.io/distroless/…@sha256:…
ARG BUILDER=docker.io/library/rust:1.95.0-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILDER} AS build
# The image has the toolchain that rust-toolchain.toml names; its lints are not needed here.
ENV RUSTUP_TOOLCHAIN=1.95.0 CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
WORKDIR /build

# The dependencies, in a layer of their own that lives as long as Cargo.lock: everything is built with empty sources first.
COPY Cargo.toml Cargo.lock ./
COPY loadtest/Cargo.toml loadtest/
RUN for file in src/main.rs loadtest/src/main.rs $(sed -n 's/^path = "\(.*\.rs\)"$/\1/p' Cargo.toml); do \
        mkdir -p "$(dirname "$file")" && echo 'fn main() {}' >"$file" || exit 1; \
    done \
    && touch src/lib.rs \
    && cargo build --profile dist --locked --package switchboard \
    && rm -rf src

COPY src src
# Newer than the empty ones, whatever the date of a checkout, or Cargo would find nothing to do.
RUN find src -name '*.rs' -exec touch {} + \
    && cargo build --profile dist --locked --package switchboard \
    && mkdir -p /out/data \
    && cp target/dist/switchboard /out/switchboard

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Switchboard" \
      org.opencontainers.image.description="A chat cluster: stateless WebSocket gateways over Redis and MongoDB, or one node." \
      org.opencontainers.image.source="https://github.com/switchboard-chat/switchboard" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/switchboard /usr/local/bin/switchboard
# Only for one node with the embedded store: mount a volume here. In a cluster nothing is ever written.
COPY --from=build --chown=65532:65532 /out/data /data
ENV SWITCHBOARD_LISTEN=0.0.0.0:3000 SWITCHBOARD_OPS_LISTEN=0.0.0.0:9464 SWITCHBOARD_DATA_DIR=/data
EXPOSE 3000 9464
USER 65532:65532
# Longer than SWITCHBOARD_DRAIN_SECONDS must be given to `docker stop`: -t 30.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["/usr/local/bin/switchboard", "health"]
ENTRYPOINT ["/usr/local/bin/switchboard"]
CMD ["serve"]
