"""After a restore as in the operations guide, no client takes a new state for the one that it knows."""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from tests.support.assertions import assert_error
from tests.support.caller import signed_in
from tests.support.commands import run
from tests.support.follower import Follower
from tests.support.programs import require
from tests.support.servers.postgres import find_binaries
from tests.support.tasks import create_task, server_entries

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

GUIDE = (settings.BASE_DIR / "docs" / "operations.md").read_text()


@pytest.fixture
def backup(postgres_url, tmp_path):
    return Backup(postgres_url, tmp_path)


class Backup:
    """Runs the guide's commands on the database of this test."""

    def __init__(self, url, folder):
        self.file = folder / "backup"
        self.url = urlsplit(url)._replace(path=f"/{connection.settings_dict['NAME']}").geturl()

    def run(self, program):
        connection.close()
        [command] = re.findall(rf"`({program} .*?)`", GUIDE)
        command = command.replace('"$DATABASE_URL_UNPOOLED"', self.url).replace("todo.dump", str(self.file))
        subprocess.run([self.find(program), *command.split()[1:]], check=True, timeout=60)

    def find(self, program):
        """Beside the server, because an older pg_dump refuses a newer server."""
        found = shutil.which(program, path=find_binaries()) or shutil.which(program)
        require(found, f"no {program}: install Debian's postgresql-client")
        return Path(found or "")


class Device:
    """A client of one user with a cached list, the ETag of a task, and a copy from the sync feed."""

    def __init__(self, user, limit):
        self.caller = signed_in(user)
        self.follower = Follower(self.caller, limit)

    def write(self, title):
        """The same requests again after the restore get the same versions again, for other values."""
        self.task = create_task(self.caller, title, key="shared")
        for _ in range(5):
            response = self.caller("patch", f"/tasks/{self.task['id']}", {"title": title})
            title += "!"
        self.etag = response["ETag"]
        create_task(self.caller, title)

    def read(self):
        self.list_etag = self.caller("get", "/tasks")["ETag"]
        self.follower.step()

    def server_entries(self):
        return server_entries(lambda path: self.caller("get", path).json())


def test_after_a_restore_every_client_starts_over_and_no_old_etag_matches(
    alice, bob, django_user_model, backup
):
    carol = django_user_model.objects.create_user("carol@example.com")
    first_syncing = Device(carol, limit=1)
    devices = [Device(alice, limit=100), Device(bob, limit=100), first_syncing]
    for device in (devices[0], first_syncing):  # Bob has written nothing before the backup.
        create_task(device.caller), create_task(device.caller)
    backup.run("pg_dump")
    for device in devices:
        device.write("lost")
        device.read()
    first_syncing.follower.step()
    assert first_syncing.follower.step()  # It is in the middle of its initial sync.

    backup.run("pg_restore")
    [command] = re.findall(r"`python manage\.py (new_epoch)`", GUIDE)
    run(command)
    before = [(device.etag, device.list_etag) for device in devices]
    for device in devices:
        device.write("written after the restore")

    for device, (etag, list_etag) in zip(devices, before, strict=True):
        path = f"/tasks/{device.task['id']}"
        assert device.caller("get", "/tasks", **{"If-None-Match": list_etag}).status_code == 200
        assert device.caller("get", path, **{"If-None-Match": etag}).status_code == 200
        assert_error(device.caller("patch", path, {}, **{"If-Match": etag}), 412, "PRECONDITION_FAILED")
        while device.follower.step():
            continue
        assert device.follower.resyncs == 1
        assert device.follower.copy == device.server_entries()
