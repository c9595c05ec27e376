# Two stages: the build needs compilers, the server only a handful of shared libraries.
FROM debian:12-slim AS build
WORKDIR /src
SHELL ["/bin/bash", "-c"]
COPY scripts/ scripts/
RUN ./scripts/setup build
COPY . .
RUN . scripts/build-options.sh && cmake --preset release "${cmake_options[@]}" && cmake --build build/release --target dure

FROM debian:12-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates libssl3 libsqlite3-0 libpqxx-6.4 libhiredis0.14 libre2-9 libspdlog1.10 libprometheus-cpp-core1.0 libargon2-1 libutf8proc2 libjemalloc2 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data --create-home dure
COPY --from=build /src/build/release/dure /usr/local/bin/dure
COPY config/ /usr/local/share/dure/config/
USER dure
WORKDIR /data
VOLUME /data
ENV DURE_SERVER__HOST=0.0.0.0 DURE_DATABASE__URL=sqlite:/data/dure.db DURE_AGENT__PROMPTS=/usr/local/share/dure/config/prompts
EXPOSE 8000
ENTRYPOINT ["dure"]
CMD ["serve"]
