"""The server's worker with a serving thread that may take long, for gunicorn's --worker-class."""

import os

from todo_project.server import worker

worker.LONG_REQUEST = float(os.environ["LONG_REQUEST"])
worker.LONG_REQUEST_DISTANT = float(os.environ["LONG_REQUEST_DISTANT"])

PatientWorker = worker.Worker
