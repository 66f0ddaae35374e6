"""A mail server for tests, which keeps what it is given."""

import socketserver
import threading

from .doctor import MAIL_PASSWORD


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a mail needs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailSession)
        self.mails: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://ann:{MAIL_PASSWORD}@127.0.0.1:{self.server_address[1]}"


class MailSession(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.say("220 ready")
        for line in self.rfile:
            match line.split()[0].upper():
                case b"EHLO":
                    self.say("250-here", "250 AUTH PLAIN")
                case b"AUTH":
                    self.say("235 welcome")
                case b"DATA":
                    self.say("354 go on")
                    self.take_mail()
                    self.say("250 taken")
                case b"QUIT":
                    return self.say("221 bye")
                case _:
                    self.say("250 fine")
        return None

    def take_mail(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.decode())
        assert isinstance(self.server, MailServer)
        self.server.mails.append("".join(lines))

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
