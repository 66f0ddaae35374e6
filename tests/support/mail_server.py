"""A mail server that stores the mail it receives."""

import socketserver
import threading

from .doctor import MAIL_PASSWORD


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks just enough SMTP to receive a mail."""

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
        self.reply("220 ready")
        for line in self.rfile:
            match line.split()[0].upper():
                case b"EHLO":
                    self.reply("250-localhost", "250 AUTH PLAIN")
                case b"AUTH":
                    self.reply("235 accepted")
                case b"DATA":
                    self.reply("354 continue")
                    self.receive_mail()
                    self.reply("250 received")
                case b"QUIT":
                    return self.reply("221 bye")
                case _:
                    self.reply("250 ok")
        return None

    def receive_mail(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.decode())
        assert isinstance(self.server, MailServer)
        self.server.mails.append("".join(lines))

    def reply(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
