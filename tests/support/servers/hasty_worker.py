"""The server's worker with short deadlines and room for few processes, for gunicorn's --worker-class."""

import mmap

from todo_project.server import worker

worker.SEND_TIMEOUT = 1
worker.STATEMENT_TIMEOUT = 2
worker._connections = memoryview(mmap.mmap(-1, 32)).cast("i")

HastyWorker = worker.Worker
