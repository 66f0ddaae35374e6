"""The server's worker with a serving thread that may take a minute, for gunicorn's --worker-class."""

from todo_project.server import worker

worker.LONG_REQUEST = 60

PatientWorker = worker.Worker
