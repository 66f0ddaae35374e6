FROM python:3.13-slim-bookworm

WORKDIR /app
COPY requirements*.txt ./
RUN pip install --no-cache-dir --only-binary :all: -r requirements.txt
COPY manage.py ./
COPY todo_project todo_project
COPY accounts accounts
COPY tasks tasks
COPY docs docs
# DEBUG and this key are for this command only.
RUN DEBUG=true SECRET_KEY=$(printf '%050d' 0) python manage.py collectstatic --noinput
# Bytecode, because the user of the processes cannot write it.
RUN python -m compileall -q . && useradd --system --uid 10001 todo
USER 10001

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\") or 8000}/healthz', timeout=4)"]
# The web process of Procfile. With exec, gunicorn itself receives SIGTERM.
CMD ["sh", "-c", "exec gunicorn todo_project.wsgi --config python:todo_project.server.gunicorn_conf --bind 0.0.0.0:${PORT:-8000}"]
