# ruff: noqa: ARG002, N802, PLR0917  names and arguments are those of aiosmtpd and of the cases
from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from sqlalchemy import Engine, update

from alerts.channels.email import EmailChannel, MailServer
from alerts.channels.outcome import OutcomeKind, Parcel
from alerts.channels.trial import try_channel
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED, Destinations
from alerts.message import Message as Said
from alerts.model import DeliveryKind
from alerts.notes import note
from alerts.rows import DeliveryRow, DestinationRow, IncidentRow
from alerts.story import Story
from monitor.model import Family
from watchkeeper.database import write

TO = "ada@example.org"
PASSWORD = "the-password-of-the-test"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Mailbox:
    """Keeps what is handed over; each answer of a step can be told beforehand."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.answers: dict[str, list[str | float]] = {}
        self.secure: list[bool] = []

    async def _say(self, step: str, usual: str, server: SMTP) -> str:
        planned = self.answers.get(step)
        answer = planned.pop(0) if planned else usual
        if answer == "drop":
            server.transport.abort()
            return usual
        return str(answer)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        self.secure.append(session.ssl is not None)
        return await self._say("mail", "250 OK", server)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._say("rcpt", "250 OK", server)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await self._say("data", "250 taken", server)
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.mails.append(message_from_bytes(content, policy=default))
        return answer


def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[Callable[..., MailServer]]:
    running: list[Controller] = []

    def start(**how: Any) -> MailServer:
        tls = how.pop("tls", None)
        options = {"tls_context": tls, "require_starttls": True} if tls else {}
        controller = Controller(
            mailbox, hostname="127.0.0.1", port=free_port(), **options, **how.pop("server", {})
        )
        controller.start()
        running.append(controller)
        known = {"sender": "watch@example.org", "security": "none"} | how
        return MailServer(host="127.0.0.1", port=controller.port, **known)

    yield start
    for controller in running:
        controller.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    more = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*words.split(), "-keyout", key, "-out", crt, *more], check=True, capture_output=True
    )
    return key, crt


def parcel(kind: DeliveryKind = DeliveryKind.ROOT, **story: str) -> Parcel:
    plain = {
        "thread": "t",
        "name": "INC-0001",
        "severity": "page",
        "topic": "PAGE flights",
        "subject": "[PAGE] flights",
        "text": "ROC AUC 0.71",
    }
    return Parcel(
        delivery_id="d1",
        kind=kind,
        address=TO,
        message=Said(text="x"),
        story=Story(**plain | story),
    )


def open_by_mail(flights: Any) -> None:
    flights.day(0, broken=flights.columns)
    with write(flights.engine) as session:
        Destinations(session).ensure(f"email:{TO}")
        session.execute(update(IncidentRow).values(destinations=[f"email:{TO}"]))
        session.execute(update(DeliveryRow).values(destination=f"email:{TO}", transport="email"))


def settle(engine: Engine, mail: MailServer, rounds: int = 5) -> None:
    how = Delivering(limits=UNLIMITED, look_after=0.0, public_url="https://watch.example")
    worker = Deliverer(engine, {"email": EmailChannel(mail)}, owner="one", how=how)
    for _ in range(rounds):
        with write(engine) as session:
            session.execute(update(DeliveryRow).values(not_before=0.0))
            session.execute(update(DestinationRow).values(not_before=0.0))
        worker.run_once()


@ON_SQLITE
def test_an_incident_is_one_thread_of_mails_in_text_and_html(
    flights: Any, mailbox: Mailbox, server: Callable[..., MailServer]
) -> None:
    mail = server()
    open_by_mail(flights)
    settle(flights.engine, mail, rounds=1)
    flights.day(1, broken=flights.columns)
    with write(flights.engine) as session:
        now = flights.incident(Family.DATA_CONTRACT).updated_at
        note(session, "flights", "Retraining is <held>.", now=now, families=tuple(Family))
    settle(flights.engine, mail)

    root, reply = mailbox.mails
    assert isinstance(root, EmailMessage)
    assert isinstance(reply, EmailMessage)
    assert root["Subject"] == "PAGE flights: data contract (INC-0001)"
    assert reply["Subject"] == f"Re: {root['Subject']}"
    assert reply["References"] == reply["In-Reply-To"] == root["Message-ID"]
    assert root["To"] == TO
    text, page = root.get_body(("plain",)), reply.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "13 columns broken" in text.get_content()
    assert "https://watch.example/incidents/1" in text.get_content()
    assert "Retraining is &lt;held&gt;." in page.get_content()
    assert {row.state for row in flights.deliveries()} == {"sent", "superseded"}


@ON_SQLITE
@pytest.mark.parametrize(
    ("step", "answer", "mails"),
    [
        ("mail", "drop", 1),
        ("rcpt", "drop", 1),
        ("rcpt", "451 greylisted", 1),
        ("data", "452 full", 1),
        ("data", "554 no", 1),
        ("mail", "421 busy", 1),
        # Whether it was taken in, nobody can know: it is sent again and says so.
        ("data", "drop", 2),
    ],
)
def test_after_each_fault_the_mail_arrives(
    flights: Any,
    mailbox: Mailbox,
    server: Callable[..., MailServer],
    step: str,
    answer: str,
    mails: int,
) -> None:
    open_by_mail(flights)
    mailbox.answers[step] = [answer]
    settle(flights.engine, server())

    assert [row.state for row in flights.deliveries()] == ["sent"]
    assert len(mailbox.mails) == mails
    repeat = mailbox.mails[-1]
    assert isinstance(repeat, EmailMessage)
    body = repeat.get_body(("plain",))
    assert body is not None
    assert ("possible repeat" in body.get_content()) == (mails == 2)
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1


def test_it_logs_in_over_tls_with_the_authorities_that_are_named(
    mailbox: Mailbox, server: Callable[..., MailServer], certificate: tuple[Path, Path]
) -> None:
    key, crt = certificate
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(crt, key)
    ask = {"authenticator": check, "auth_required": True}
    known = {"security": "starttls", "certificates": str(crt), "user": "ada"}
    mail = server(tls=tls, server=ask, password=PASSWORD, **known)

    assert try_channel(EmailChannel(mail), f"email:{TO}").kind is OutcomeKind.SENT
    assert mailbox.secure == [True]
    assert "[TEST]" not in mailbox.mails[0]["Subject"]


@pytest.mark.parametrize("wrong", ["password", "certificate"])
def test_a_wrong_password_or_certificate_shuts_the_transport_and_sends_nothing(
    mailbox: Mailbox,
    server: Callable[..., MailServer],
    certificate: tuple[Path, Path],
    wrong: str,
) -> None:
    key, crt = certificate
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(crt, key)
    ask = {"authenticator": check, "auth_required": True}
    trusted = None if wrong == "certificate" else str(crt)
    mail = server(
        tls=tls, server=ask, security="starttls", certificates=trusted, user="a", password="wrong"
    )
    outcome = EmailChannel(mail).send(parcel())

    assert outcome.kind is OutcomeKind.BAD_CREDENTIALS
    assert mailbox.mails == []
    assert "wrong" not in f"{outcome} {mail!r}"


def test_a_server_without_tls_is_not_given_the_mail(
    mailbox: Mailbox, server: Callable[..., MailServer]
) -> None:
    outcome = EmailChannel(server(security="starttls")).send(parcel())

    assert (outcome.kind, outcome.error) == (
        OutcomeKind.BAD_CREDENTIALS,
        "SMTPNotSupportedError",
    )


def test_a_mailbox_that_does_not_exist_is_a_bad_destination(
    mailbox: Mailbox, server: Callable[..., MailServer]
) -> None:
    mailbox.answers["rcpt"] = ["550 no such user"]
    outcome = EmailChannel(server()).send(parcel())

    assert (outcome.kind, outcome.error) == (OutcomeKind.BAD_DESTINATION, "smtp_550")


def test_a_server_that_is_away_or_mute_has_surely_got_nothing() -> None:
    def send(port: int) -> Any:
        mail = MailServer(host="127.0.0.1", port=port, sender="a@b", security="none")
        return EmailChannel(mail, timeout=0.3).send(parcel()).kind

    assert send(free_port()) is OutcomeKind.NOT_SENT
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        assert send(mute.getsockname()[1]) is OutcomeKind.NOT_SENT
        assert time.monotonic() - started < 5


def test_names_with_line_ends_reach_no_header(
    mailbox: Mailbox, server: Callable[..., MailServer]
) -> None:
    evil = "flights\r\nBcc: eve@example.org\r\n\r\nbody"
    hostile = parcel(topic=evil, name=evil, text=evil, news=evil, subject=evil)

    assert EmailChannel(server()).send(hostile).kind is OutcomeKind.SENT
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "flights Bcc: eve@example.org body"


def test_what_changes_only_facts_is_not_mailed(
    mailbox: Mailbox, server: Callable[..., MailServer]
) -> None:
    outcome = EmailChannel(server()).send(parcel(DeliveryKind.UPDATE))

    assert outcome.kind is OutcomeKind.NOTHING_TO_SAY
    assert mailbox.mails == []
