"""The playground in Firefox, by real keys: another browser's engine must show the same story. The run in full only."""

import base64
import json
import smtplib
import socket
import subprocess
import time

from checks_clients import home
from marionette import Marionette
from server import TARGET, Server

SHOTS = TARGET / "firefox"
# WebDriver §17.4.2: keys that have no character.
END, RIGHT = "\ue010", "\ue014"
# No call goes out, nothing asks whether it is the usual browser.
SETTINGS = {
    "app.normandy.enabled": False, "app.update.enabled": False, "browser.shell.checkDefaultBrowser": False,
    "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False, "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """One window without a screen, moved by Marionette."""

    def __init__(self, profile):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = SETTINGS | {"marionette.port": port}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items()]
        (profile / "user.js").write_text("\n".join(lines))
        command = ["firefox-esr", "--headless", "--marionette", "-remote-allow-system-access", "--no-remote",
                   "--width", "1280", "--height", "800", "--profile", str(profile), "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                self.wire = Marionette(port, 60)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < end and self.process.poll() is None, "Firefox does not start"
                time.sleep(0.2)
        self.page()

    def page(self) -> None:
        self.wire.call("Marionette:SetContext", value="content")

    def open(self, url: str) -> None:
        self.wire.call("WebDriver:Navigate", url=url)

    def js(self, text: str, *arguments):
        return self.wire.call("WebDriver:ExecuteScript", script=text, args=list(arguments))

    def until(self, text: str, *arguments, within_s: float = 30):
        """What an expression gives, once it gives something."""
        end = time.monotonic() + within_s
        while not (found := self.js(f"return {text}", *arguments)):
            assert time.monotonic() < end, f"not in {within_s} s: {text}; {self.js('return document.body.innerText')[:500]}"
            time.sleep(0.05)
        return found

    def node(self, name: str, says: str) -> None:
        """Waits until the map says this of a node."""
        self.until("document.querySelector(`.map .node[aria-description^='${arguments[0]}']`)"
                   "?.getAttribute('aria-description').includes(arguments[1])", name, says)

    def press(self, keys: str) -> None:
        """As from a keyboard, to whatever has the focus."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.wire.call("WebDriver:PerformActions", actions=[{"type": "key", "id": "keyboard", "actions": strokes}])

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(self.wire.call("WebDriver:TakeScreenshot", full=False)))

    def errors(self, origin: str) -> list[str]:
        """What the page was told off for."""
        self.wire.call("Marionette:SetContext", value="chrome")
        told = self.wire.script(
            "return Services.console.getMessageArray().filter((told) => told instanceof Ci.nsIScriptError && "
            "!(told.flags & Ci.nsIScriptError.warningFlag) && told.sourceName.startsWith(arguments[0]))"
            ".map((told) => told.errorMessage)", origin)
        self.page()
        return told

    def close(self) -> None:
        self.wire.close()
        self.process.terminate()
        self.process.wait(timeout=30)


def firefox_shows_the_playground(server: Server) -> None:
    origin = f"http://127.0.0.1:{server.port['http']}"
    firefox = Firefox(home(server, "firefox"))
    try:
        firefox.open(f"{origin}/playground/#t={server.token}")
        # A newcomer sees mail move without doing anything.
        firefox.node("hamburger.edu", "INBOX 1")
        firefox.shot("home")
        firefox.js("location.hash = '#/s/alice-to-bob'")
        firefox.until("document.querySelector('.slider')")
        firefox.press(RIGHT * 8)
        firefox.until("[...document.querySelectorAll('.lines .line')].some((line) => line.innerText.includes('EHLO'))")
        firefox.shot("stage")
        firefox.press(END)
        firefox.node("hamburger.edu", "INBOX 1")
        firefox.press("e")
        firefox.shot("stage-end")
        # Over the bridge: what a real client says is there, and is explained.
        firefox.js("location.hash = '#/live'")
        firefox.until("document.querySelector('.live .chip.good')?.innerText.includes('connected')")
        with smtplib.SMTP("127.0.0.1", server.port["smtp"], timeout=30) as client:
            client.sendmail("firefox@crepes.fr", ["bob@hamburger.edu"], "Subject: from outside\r\n\r\nhi\r\n")
        firefox.until("[...document.querySelectorAll('.talk')].some((talk) => /smtp/i.test(talk.innerText))")
        firefox.shot("live")
        assert firefox.errors(origin) == [], firefox.errors(origin)
    finally:
        firefox.close()


CHECKS = [firefox_shows_the_playground]
