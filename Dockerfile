# Every dependency is fetched and checked against its hash; of those, only what the program
# itself asks for goes into the image, so that no test or lint tool does.
ARG BASE=python:3.12.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /source
COPY requirements.lock .
RUN pip wheel --no-cache-dir --no-deps --require-hashes --requirement requirements.lock --wheel-dir /wheels
COPY pyproject.toml README.md ./
COPY contracts contracts
COPY handlers handlers
COPY service service
RUN python -m venv --without-pip /app \
    && pip --python /app/bin/python install --no-cache-dir --no-index --find-links /wheels ".[otel]"

FROM ${BASE}
LABEL org.opencontainers.image.title="calendar-sync" \
      org.opencontainers.image.description="Keeps My Calendar and linked calendars alike" \
      org.opencontainers.image.version="0.2.0"
# Nothing is installed in what runs, so nothing is left that could.
RUN pip uninstall --yes --root-user-action=ignore pip && rm -r /usr/local/lib/python3.*/ensurepip \
    && useradd --system --uid 10001 --no-create-home --home-dir /app calendar-sync
COPY --from=build /app /app
USER 10001
WORKDIR /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Every long-running process has a status port, once the world can reach it; 8403 is what docker-compose.yml gives it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('CALENDAR_SYNC_STATUS_PORT', 8403)}/healthz\", timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["calendar-sync"]
CMD ["--help"]
