"""A Chromium without a window, driven over the pipe of its own debugging protocol: no driver, no port."""

import base64
import contextlib
import fcntl
import json
import os
import subprocess

from tenacity import retry, retry_if_exception_type, stop_after_attempt


class Browser:
    """One page of one browser."""

    def __init__(self, program, folder):
        self._number, self._session, self.complaints = 0, None, []
        target = self._start(program, folder)
        attached = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    # On a loaded machine Chromium now and then ends before it has read a word: that is not what a test is about.
    @retry(stop=stop_after_attempt(3), retry=retry_if_exception_type(BrokenPipeError), reraise=True)
    def _start(self, program, folder):
        """Start the program, and give what it says of its first page; its own words go beside its folder."""
        ours_in, theirs_out = (_far(end) for end in os.pipe())
        theirs_in, ours_out = (_far(end) for end in os.pipe())
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--hide-scrollbars", "--disable-background-networking", "--disable-dev-shm-usage",
                   "--remote-debugging-pipe", f"--user-data-dir={folder}"]  # fmt: skip

        def wire():
            os.dup2(theirs_in, 3)  # where the protocol is read
            os.dup2(theirs_out, 4)  # and written

        said = folder.parent / "chromium.log"
        with said.open("ab") as log:
            self._process = subprocess.Popen(
                [program, *options, "about:blank"], preexec_fn=wire, pass_fds=(3, 4),  # noqa: PLW1509  two system calls
                stdout=log, stderr=log,
            )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        try:
            return next(t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        except BrokenPipeError as gone:
            self.close()
            gone.add_note(said.read_text(errors="replace"))
            raise

    def ask(self, method, **parameters):
        """A command of the protocol and its result; what the page complains about on the way is kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told["error"]
                return told["result"]

    def _next(self):
        text = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            if not byte:
                raise BrokenPipeError("the browser has gone")
            text += byte
        told = json.loads(text)
        if told.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.complaints.append(told["params"])
        return told

    def open(self, url, width=1280, height=1000):
        """Go to a page, and wait until it is there."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.ask("Emulation.setDeviceMetricsOverride", **screen)
        self.ask("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, expression):
        """The value of an expression in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression, timeout_s=15):
        """Wait until an expression is true in the page."""
        steps = f"""new Promise((done, fail) => {{
            const until = Date.now() + {timeout_s * 1000};
            const look = () => ({expression}) ? done(true) : Date.now() > until ? fail("never") : setTimeout(look, 20);
            look(); }})"""
        try:
            return self.run(steps)
        except AssertionError:  # a page that is being left takes its questions with it
            return self.run(steps)

    def press_enter(self):
        """Press the key where the focus is."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **key)

    def picture(self):
        """The whole page as PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def close(self):
        """End the browser."""
        with contextlib.suppress(BrokenPipeError):
            self._out.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        self._in.close()


def _far(end):
    """The same end of a pipe under a number that is neither 3 nor 4."""
    moved = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return moved
