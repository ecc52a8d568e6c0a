"""One page in headless Chromium, driven over the DevTools protocol's pipe; skips the test, loudly, without Chromium.

Messages are JSON with a zero byte behind each (https://chromedevtools.github.io/devtools-protocol/, option
`--remote-debugging-pipe`: Chromium reads file descriptor 3 and writes 4).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)
_WAIT_SECONDS = 20.0
_KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
    " ": (32, " "),
}


class ChromiumPage:
    """The one tab of a Chromium. `events` are all that Chromium told of it since `start_over`, as (method, params),
    oldest first."""

    def __init__(self, write_to: int, read_from: int) -> None:
        self._write_to = write_to
        self._read_from = read_from
        self._num_sent = 0
        self._unread = b""
        self._replies: dict[int, dict[str, Any]] = {}
        self._session = ""
        self._context = ""
        self.events: list[tuple[str, dict[str, Any]]] = []

    def start_over(self) -> None:
        """A blank tab of a visitor who has never been here: nothing stored, nothing emulated, no events."""
        self._session = ""
        if self._context:
            self.send("Target.disposeBrowserContext", browserContextId=self._context)
        self.events.clear()
        self._context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Audits"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a DevTools command. Fails the test on a refusal."""
        self._num_sent += 1
        number = self._num_sent
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        _write_all(self._write_to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _WAIT_SECONDS
        while number not in self._replies:
            self._read(deadline, method)
        reply = self._replies.pop(number)
        assert "error" not in reply, f"{method}: {reply['error']}"
        result: dict[str, Any] = reply["result"]
        return result

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        num_before = len(self.events)
        self.send("Page.navigate", url=url)
        deadline = time.monotonic() + _WAIT_SECONDS
        while not any(method == "Page.loadEventFired" for method, _ in self.events[num_before:]):
            self._read(deadline, f"loading {url}")

    def evaluate(self, expression: str) -> Any:
        """What JavaScript in the page gives, awaited. Fails the test when it throws."""
        reply = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in reply, f"{expression}: {reply['exceptionDetails']}"
        return reply["result"].get("value")

    def wait_for(self, expression: str, seconds: float = _WAIT_SECONDS) -> Any:
        """The value of JavaScript as soon as it is true. Fails the test after `seconds`, with the page's text."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            text = self.evaluate("document.body.innerText") if time.monotonic() > deadline else ""
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {expression}\n{text}"
            time.sleep(0.02)

    def texts(self, selector: str) -> list[str]:
        """The text of every element that is selected, as shown."""
        found: list[str] = self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText.trim())"
        )
        return found

    def click(self, selector: str) -> None:
        """A click of the mouse in the middle of the first element that is selected."""
        x, y = self.evaluate(
            f"(() => {{ const element = document.querySelector({json.dumps(selector)});"
            "element.scrollIntoView({block: 'center'}); const box = element.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key of the keyboard, down and up."""
        number, text = _KEYS[key]
        stroke = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": number}
        down = {"text": text} if text else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", modifiers=8 * shift, **stroke, **down)
        self.send("Input.dispatchKeyEvent", type="keyUp", modifiers=8 * shift, **stroke)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def choose_file(self, selector: str, path: Path) -> None:
        """What a visitor does in the dialog of a file field."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def look_like(self, *, width: int, height: int, theme: str, still: bool = False) -> None:
        """The window's size in CSS pixels, and what the visitor prefers: "light" or "dark", and little motion."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"})
        self.send("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> None:
        """A PNG of what the window shows."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """Errors, warnings, exceptions, and violations of policies that the page caused so far."""
        self.evaluate("0")  # what happened before this is read
        found = []
        for method, params in self.events:
            if method == "Runtime.exceptionThrown":
                found.append(json.dumps(params["exceptionDetails"]))
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(json.dumps(params["args"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            elif method == "Audits.issueAdded":
                found.append(json.dumps(params["issue"]))
        return found

    def requested_urls(self) -> list[str]:
        self.evaluate("0")
        return [params["request"]["url"] for method, params in self.events if method == "Network.requestWillBeSent"]

    def _read(self, deadline: float, waiting_for: str) -> None:
        ready, _, _ = select.select([self._read_from], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"Chromium did not answer {waiting_for} within {_WAIT_SECONDS:g} s"
        chunk = os.read(self._read_from, 1 << 20)
        assert chunk, f"Chromium ended while it should answer {waiting_for}"
        *messages, self._unread = (self._unread + chunk).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._replies[message["id"]] = message
            elif message.get("sessionId", "") == self._session:
                self.events.append((message["method"], message["params"]))


@contextmanager
def chromium_page(profile: Path, options: Sequence[str] = ()) -> Iterator[ChromiumPage]:
    """A blank page of a Chromium with the fresh profile folder `profile`, which ends with the block."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    commands_read, commands_write = os.pipe()
    answers_read, answers_write = os.pipe()
    # The shell puts the two ends where Chromium expects them.
    script = f'exec "$0" "$@" 3<&{commands_read} 4>&{answers_write}'
    arguments = [program, *_OPTIONS, *options, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        ["bash", "-c", script, *arguments],
        pass_fds=(commands_read, answers_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(commands_read)
    os.close(answers_write)
    try:
        page = ChromiumPage(commands_write, answers_read)
        page.start_over()
        yield page
    finally:
        _end(process, commands_write)
        os.close(answers_read)


def _end(process: subprocess.Popen[bytes], commands_write: int) -> None:
    """Chromium ends when its pipe closes."""
    os.close(commands_write)
    try:
        process.wait(timeout=_WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
