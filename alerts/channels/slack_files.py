"""Charts on Slack: uploaded by its external upload, then shown as a file in the thread."""

from __future__ import annotations

import http.client
import urllib.request

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import WebClient

from alerts.block_kit import clean
from alerts.channels.slack import classify, is_loopback
from alerts.charts import Chart
from watchkeeper.errors import DeliveryError

_TIMEOUT = 20
_FAILURES = (SlackClientError, OSError, http.client.HTTPException, ValueError)


class SlackFiles:
    """Slack as a gallery.

    Parameters
    ----------
    client
        As ``alerts.channels.slack.make_client`` makes it.
    """

    def __init__(self, client: WebClient) -> None:
        self._client = client

    def upload(self, chart: Chart, name: str) -> str:
        """Hand the bytes over and return the file's ID; nobody sees it yet.

        Raises
        ------
        DeliveryError
            It did not work; why, in a word.
        """
        try:
            place = self._client.files_getUploadURLExternal(
                filename=name, length=len(chart.png), alt_txt=clean(chart.alt, 1000)
            )
            url, file_id = str(place["upload_url"]), str(place["file_id"])
            self._put(url, chart.png)
        except _FAILURES as exc:
            raise _failed("upload", exc) from exc
        return file_id

    def show(self, file_id: str, chart: Chart, *, channel: str, thread: str) -> None:
        """Show an uploaded file in a thread, unless it is shown already.

        Raises
        ------
        DeliveryError
            It did not work; why, in a word.
        """
        try:
            if self._is_shown(file_id):
                return
            self._client.files_completeUploadExternal(
                files=[{"id": file_id, "title": clean(chart.title, 200)}],
                channel_id=channel,
                thread_ts=thread,
            )
        except _FAILURES as exc:
            raise _failed("show", exc) from exc

    def _is_shown(self, file_id: str) -> bool:
        try:
            found = self._client.files_info(file=file_id)["file"]
        except SlackApiError as exc:
            if exc.response.get("error") in {"file_not_found", "missing_scope"}:
                return False
            raise
        return bool(found.get("shares") or found.get("channels") or found.get("groups"))

    def _put(self, url: str, content: bytes) -> None:
        if not (url.startswith("https://") or is_loopback(self._client.base_url)):
            raise ValueError("the address of the upload is not safe")
        request = urllib.request.Request(  # noqa: S310  the address was checked above
            url, data=content, headers={"Content-Type": "image/png"}, method="POST"
        )
        handlers = [urllib.request.ProxyHandler({})] if is_loopback(url) else []
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as taken:
            taken.read(1024)


def _failed(what: str, exc: Exception) -> DeliveryError:
    return DeliveryError(f"{what}: {classify(exc).error or type(exc).__name__}")
