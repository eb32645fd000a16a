# Every dependency is fetched and checked against its hash; of those, only what the program
# itself asks for goes into the image, so that no test or lint tool does.
FROM python:3.12-slim AS build
WORKDIR /source
COPY requirements.lock .
RUN pip wheel --no-cache-dir --no-deps --require-hashes --requirement requirements.lock --wheel-dir /wheels
COPY pyproject.toml README.md ./
COPY contracts contracts
COPY handlers handlers
COPY service service
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --no-index --find-links /wheels .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /app calendar-sync
COPY --from=build /app /app
USER 10001
WORKDIR /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
STOPSIGNAL SIGTERM
ENTRYPOINT ["calendar-sync"]
CMD ["--help"]
