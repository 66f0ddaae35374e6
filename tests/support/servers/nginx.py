"""nginx as in deploy/nginx.conf before one or more gunicorns, with ports and a certificate of its own."""

import contextlib
import shutil
import socket
from pathlib import Path

from tests.support.certificates import CERTIFICATE, KEY, write_certificate
from tests.support.programs import require

from .gunicorn import ROOT
from .server import Server, chown_to_server_user, free_port

EXAMPLE = ROOT / "deploy" / "nginx.conf"

MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {example}
}}
"""


def find_nginx() -> str | None:
    # Debian installs it where only root looks for programs.
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


class Nginx(Server):
    """HTTPS on `port`, HTTP on `http_port`."""

    def __init__(self, *upstream_ports: int) -> None:
        self.upstream = "\n".join(f"server 127.0.0.1:{port};" for port in upstream_ports)
        self.http_port = free_port()
        super().__init__()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        require(find_nginx(), "no nginx: install Debian's nginx-light")
        write_certificate(self.folder)
        example = EXAMPLE.read_text()
        for old, new in {
            "listen 80;": f"listen 127.0.0.1:{self.http_port};",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "server 127.0.0.1:8000;": self.upstream,
            "/etc/letsencrypt/live/api.example.com/fullchain.pem": f"{self.folder}/{CERTIFICATE}",
            "/etc/letsencrypt/live/api.example.com/privkey.pem": f"{self.folder}/{KEY}",
        }.items():
            assert example.count(old) == 1, old
            example = example.replace(old, new)
        (self.folder / "nginx.conf").write_text(MAIN.format(folder=self.folder, example=example))
        chown_to_server_user(self.folder)

    def command(self) -> list[str | Path]:
        return [find_nginx() or "nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return (self.folder / "nginx.pid").exists()
        return False
