# One static program in an empty image, for amd64 and arm64: docker buildx build --platform linux/amd64,linux/arm64 .
# Alpine's own target is static, so nothing is cross-compiled: each platform builds itself.
FROM rust:1.95-alpine AS build
ARG TARGETARCH
RUN apk add --no-cache build-base ca-certificates
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY bench bench
COPY crates crates
# The allocator takes the page size of the machine that builds, and ends at once where pages are larger: on arm64, kernels
# have pages of up to 64 KiB.
RUN --mount=type=cache,id=registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=target-$TARGETARCH,target=/source/target \
    if [ "$TARGETARCH" = arm64 ]; then export JEMALLOC_SYS_WITH_LG_PAGE=16; fi && \
    cargo build --release --locked --package greenroom && install -D target/release/greenroom /image/greenroom
# The release profile strips it; with symbols it would be several times as large.
RUN test "$(wc -c < /image/greenroom)" -le 41943040
RUN mkdir -p /image/data /image/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image/greenroom /greenroom
COPY --from=build /image/etc /etc
# Nobody's number; whoever mounts a folder at /data gives it to this one.
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
ENV GREENROOM_DATA_DIR=/data GREENROOM_CONTROL_LISTEN=0.0.0.0:8710
VOLUME /data
EXPOSE 32500 8196 8710
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/greenroom", "healthcheck"]
ENTRYPOINT ["/greenroom"]
CMD ["serve"]
