"""The server's worker where each user has used more than their share, for gunicorn's --worker-class."""

import os

from django.conf import settings

from todo_project.api import concurrency
from todo_project.server import worker

settings.SECONDS_BEFORE_TURNS = 0
concurrency.SHARE = 1e-9
worker.MAX_WAIT = float(os.environ["MAX_WAIT"])

StrictWorker = worker.Worker
