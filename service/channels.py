"""The ways to reach people that the settings describe, each made ready to send."""

from __future__ import annotations

from alerts.channels.outcome import Channel
from alerts.channels.slack import SlackChannel, make_client
from watchkeeper.settings import Settings


def channels_of(settings: Settings) -> dict[str, Channel]:
    """Return the channels by transport; what is not configured is not there.

    Raises
    ------
    ConfigurationError
        A channel needs something that is not installed.
    """
    channels: dict[str, Channel] = {}
    slack = settings.slack
    if slack.token is not None:
        client = make_client(slack.token.get_secret_value(), base_url=slack.base_url)
        channels["slack"] = SlackChannel(client, default_channel=slack.channel)
    if settings.email.host is not None:
        channels["email"] = _email(settings)
    if settings.webhooks:
        channels["webhook"] = _webhooks(settings)
    if settings.pagerduty:
        channels["pagerduty"] = _pagerduty(settings)
    if settings.apprise:
        channels["apprise"] = _apprise(settings)
    return channels


def _email(settings: Settings) -> Channel:
    from alerts.channels.email import EmailChannel, MailServer  # noqa: PLC0415  only where used

    email = settings.email
    return EmailChannel(
        MailServer(
            host=email.host or "",
            port=email.port,
            sender=email.sender or "",
            security=email.security,
            user=email.user,
            password=None if email.password is None else email.password.get_secret_value(),
            certificates=None
            if email.certificates is None
            else str(settings.home / email.certificates),
        )
    )


def _webhooks(settings: Settings) -> Channel:
    from alerts.channels.webhook import Hook, WebhookChannel  # noqa: PLC0415  only where used

    return WebhookChannel(
        {
            name: Hook(url=hook.url, secret=hook.secret.get_secret_value().encode())
            for name, hook in settings.webhooks.items()
            if hook.secret is not None
        }
    )


def _pagerduty(settings: Settings) -> Channel:
    from alerts.channels.pagerduty import (  # noqa: PLC0415  only where used
        Integration,
        PagerDutyChannel,
    )

    return PagerDutyChannel(
        {
            name: Integration(key=each.key.get_secret_value(), url=each.url)
            for name, each in settings.pagerduty.items()
            if each.key is not None
        }
    )


def _apprise(settings: Settings) -> Channel:
    from alerts.channels.apprise import AppriseChannel  # noqa: PLC0415  an extra

    return AppriseChannel(
        {
            name: each.urls.get_secret_value().split()
            for name, each in settings.apprise.items()
            if each.urls is not None
        }
    )
