"""A real Chromium, driven over its debugging pipe: enough to open a page as a phone does, and to tap and type.

Invariant: a browser is a process of its own with a folder of its own; leaving the block ends both.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

PATIENCE_SECONDS: Final = 30.0
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--hide-scrollbars",
)  # fmt: skip


def chromium() -> str | None:
    """Where Chromium is, if it is here."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab. `console` has what the page and our policy complained about."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._rest = b""
        self._id = 0
        self._session: str | None = None
        self._loads = 0
        self.console: list[str] = []

    def attach(self) -> None:
        """Open a tab and listen to it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def shape(self, width: int, height: int, *, dark: bool = False, scripts: bool = True) -> None:
        """Be a screen of this size, and run scripts or not."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, url: str) -> None:
        """Go there, and wait until it has loaded."""
        loads = self._loads
        self.call("Page.navigate", url=url)
        self.wait_until(lambda: self._loads > loads)

    def tap(self, selector: str, *, loads: bool = True) -> None:
        """Tap the middle of an element, and wait for the page that comes, if one comes."""
        before = self._loads
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        if loads:
            self.wait_until(lambda: self._loads > before)

    def choose_file(self, selector: str, path: Path) -> None:
        """Put a file into a field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.tap(selector, loads=False)
        self.call("Input.insertText", text=text)

    def text(self, selector: str = "main") -> str:
        """What an element says."""
        return " ".join(str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")).split())

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401  any value of a script
        """The value of an expression, also where the page's own scripts are switched off."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Take a picture of what is seen, or of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def wait_until(self, is_so: Any) -> None:  # noqa: ANN401  a function
        """Read what the browser tells until it is so."""
        deadline = monotonic() + PATIENCE_SECONDS
        while not is_so():
            self._listen(deadline)

    def call(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        """Ask the browser for something, and get its answer."""
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            said = self._listen(deadline)
            if said.get("id") == self._id:
                assert "error" not in said, (method, said)
                return dict(said["result"])

    def _middle(self, selector: str) -> tuple[float, float]:
        found = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return float(found[0]), float(found[1])

    def _listen(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - monotonic()))
            assert ready, "the browser says nothing"
            chunk = os.read(self._in, 1 << 20)
            assert chunk, "the browser has ended"
            self._rest += chunk
        one, _, self._rest = self._rest.partition(b"\0")
        said: dict[str, Any] = json.loads(one)
        method, params = said.get("method"), said.get("params", {})
        if method == "Page.loadEventFired":
            self._loads += 1
        if method == "Log.entryAdded":
            self.console.append(f"{params['entry'].get('text')} {params['entry'].get('url', '')}")
        if method == "Runtime.exceptionThrown":
            self.console.append(str(params["exceptionDetails"]))
        return said


@contextmanager
def browsing() -> Iterator[Page]:
    """A tab of a browser that ends with the block."""
    path = chromium()
    assert path is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", path, *FLAGS, f"--user-data-dir={folder}"],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            page = Page(ours_out, ours_in)
            page.attach()
            yield page
        finally:
            process.kill()
            process.wait()
            os.close(ours_out)
            os.close(ours_in)
