"""Mail as a channel: one thread per incident, plain text and HTML, over one SMTP server."""

from __future__ import annotations

import html
import smtplib
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from alerts.block_kit import clean
from alerts.channels.outcome import Found, FoundKind, Outcome, OutcomeKind, Parcel
from alerts.model import DeliveryKind
from alerts.story import Story

#: Seconds for everything before the message is handed over, and for handing it over.
TIMEOUT = 4.0

_POLICY = SMTP.clone(cte_type="7bit")
_GREYLISTED = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """Where mail is handed over, and by whom.

    Parameters
    ----------
    security
        ``starttls``, ``tls`` or ``none``; with the first two the certificate is verified.
    """

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str | None = None
    password: str | None = None
    certificates: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


class EmailChannel:
    """Mailboxes, by their addresses."""

    def __init__(self, server: MailServer, *, timeout: float = TIMEOUT) -> None:
        self._server = server
        self._timeout = timeout

    def send(self, parcel: Parcel) -> Outcome:
        """Hand the message to the mail server once; a change of the facts is not mailed."""
        if parcel.kind is DeliveryKind.UPDATE or parcel.story is None:
            return Outcome(kind=OutcomeKind.NOTHING_TO_SAY)
        message = compose(parcel, parcel.story, self._server.sender)
        try:
            client = self._open()
        except (OSError, smtplib.SMTPException, ValueError) as exc:
            return _not_open(exc)
        try:
            return self._hand_over(client, parcel.address, message)
        finally:
            # QUIT would wait for an answer; what was accepted is accepted.
            client.close()

    def find(self, parcel: Parcel) -> Found:
        """Nobody can look into another's mailbox."""
        del parcel
        return Found(kind=FoundKind.CANNOT_LOOK)

    def _open(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context(cafile=server.certificates)
        if server.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout, context=context
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        with ExitStack() as opened:
            opened.callback(client.close)
            if server.security == "starttls":
                client.starttls(context=context)
            if server.user is not None and server.password is not None:
                client.login(server.user, server.password)
            client.ehlo_or_helo_if_needed()
            opened.pop_all()
        return client

    def _hand_over(self, client: smtplib.SMTP, to: str, message: EmailMessage) -> Outcome:
        try:
            refused = _refused(client.mail(self._server.sender), OutcomeKind.BAD_CREDENTIALS)
            refused = refused or _refused(client.rcpt(to), OutcomeKind.BAD_DESTINATION)
        except (OSError, smtplib.SMTPException) as exc:
            return Outcome(kind=OutcomeKind.NOT_SENT, error=type(exc).__name__)
        if refused is not None:
            return refused
        try:
            answer = client.data(message.as_bytes(policy=_POLICY))
        except smtplib.SMTPDataError as exc:
            answer = (exc.smtp_code, b"")
        except (OSError, smtplib.SMTPException) as exc:
            # The server may have taken the message and died before it said so.
            return Outcome(kind=OutcomeKind.AMBIGUOUS, error=type(exc).__name__)
        refused = _refused(answer, OutcomeKind.UNRENDERABLE)
        if refused is not None:
            return refused
        return Outcome(kind=OutcomeKind.SENT, channel=to, ts=str(message["Message-ID"]))


def compose(parcel: Parcel, story: Story, sender: str) -> EmailMessage:
    """Return the mail; a reply names the first mail of its incident and so joins its thread."""
    message = EmailMessage(policy=_POLICY)
    domain = sender.rpartition("@")[2]
    reply = parcel.root is not None and parcel.kind is not DeliveryKind.ROOT
    message["Message-ID"] = f"<{parcel.delivery_id}@{domain}>"
    if parcel.root is not None and reply:
        message["In-Reply-To"] = message["References"] = clean(parcel.root[1], 300)
    message["Subject"] = clean(f"{'Re: ' if reply else ''}{story.topic}", 150)
    message["From"] = f"watchkeeper <{sender}>"
    message["To"] = parcel.address
    message["Date"] = formatdate(time.time())
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(story))
    message.add_alternative(_html(story), subtype="html")
    return message


def _text(story: Story) -> str:
    facts = [f"{name}: {value}" for name, value in story.facts]
    parts = [story.news, story.text, "\n".join(facts), "\n".join(story.lines), story.link]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(story: Story) -> str:
    def paragraph(text: str) -> str:
        return f"<p>{html.escape(text)}</p>" if text else ""

    rows = "".join(
        f"<tr><th align='left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in story.facts
    )
    news = f"<p><b>{html.escape(story.news)}</b></p>" if story.news else ""
    link = html.escape(story.link, quote=True)
    return "".join(
        [
            "<html><body>",
            news,
            paragraph(story.text),
            f"<table>{rows}</table>" if rows else "",
            *map(paragraph, story.lines),
            f'<p><a href="{link}">{link}</a></p>' if link else "",
            "</body></html>",
        ]
    )


def _not_open(exc: Exception) -> Outcome:
    shut = (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError, ssl.SSLError)
    code = exc.smtp_code if isinstance(exc, smtplib.SMTPResponseException) else 0
    if isinstance(exc, shut) and not 400 <= code < 500:
        return Outcome(kind=OutcomeKind.BAD_CREDENTIALS, error=type(exc).__name__)
    return Outcome(kind=OutcomeKind.NOT_SENT, error=type(exc).__name__)


def _refused(answer: tuple[int, bytes], kind: OutcomeKind) -> Outcome | None:
    """Return what a refusal means; its text is not repeated, it may hold addresses."""
    code = answer[0]
    if 200 <= code < 300:
        return None
    if 400 <= code < 500:
        return Outcome(kind=OutcomeKind.THROTTLED, retry_after=_GREYLISTED, error=f"smtp_{code}")
    return Outcome(kind=kind, error=f"smtp_{code}")
