"""Thunderbird on a screen of its own, in a profile made by files, moved by Marionette: nobody is asked, nobody clicks."""

import base64
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

from marionette import Marionette
from screen import Screen

LIBRARIES = pathlib.Path("/usr/lib/thunderbird")


class Item(ctypes.Structure):
    """NSS's SECItem."""

    _fields_ = [("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("length", ctypes.c_uint)]


def item(octets: bytes) -> Item:
    buffer = ctypes.create_string_buffer(octets, len(octets))
    made = Item(0, ctypes.cast(buffer, ctypes.c_void_p), len(octets))
    made.kept = buffer
    return made


def encrypt(profile: pathlib.Path, texts: list[str]) -> list[str]:
    """What Thunderbird writes for these texts, by the key of this profile, which is made."""
    # Its own ones, all of one version, whatever the system has.
    for name in ("libnssutil3.so", "libmozsqlite3.so"):
        ctypes.CDLL(str(LIBRARIES / name), mode=ctypes.RTLD_GLOBAL)
    nss = ctypes.CDLL(str(LIBRARIES / "libnss3.so"), mode=ctypes.RTLD_GLOBAL)
    nss.PK11_GetInternalKeySlot.restype = ctypes.c_void_p
    nss.PK11_InitPin.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    nss.PK11_FreeSlot.argtypes = [ctypes.c_void_p]
    nss.PK11SDR_Encrypt.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    if nss.NSS_InitReadWrite(f"sql:{profile}".encode()) != 0:
        raise AssertionError(f"no key can be made in {profile}")
    slot = nss.PK11_GetInternalKeySlot()
    nss.PK11_InitPin(slot, None, b"")
    out = []
    for text in texts:
        plain, made, key = item(text.encode()), Item(0, None, 0), Item(0, None, 0)
        if nss.PK11SDR_Encrypt(ctypes.byref(key), ctypes.byref(plain), ctypes.byref(made), None) != 0:
            raise AssertionError("a password cannot be stored")
        out.append(base64.b64encode(ctypes.string_at(made.data, made.length)).decode())
    nss.PK11_FreeSlot(slot)
    nss.NSS_Shutdown()
    return out


def store_password(profile: pathlib.Path, user: str, password: str) -> None:
    # In a process of its own: NSS is started once in each, and this one may need it for something else.
    here = pathlib.Path(__file__).resolve()
    ran = subprocess.run([sys.executable, str(here), str(profile), user, password], capture_output=True, timeout=60)
    if ran.returncode != 0:
        raise AssertionError(f"no password in {profile}: {ran.stderr.decode()}")
    encrypted = json.loads(ran.stdout)
    now = int(time.time() * 1000)
    logins = [
        {
            "id": number, "hostname": realm, "httpRealm": realm, "formSubmitURL": None, "usernameField": "",
            "passwordField": "", "encryptedUsername": encrypted[0], "encryptedPassword": encrypted[1],
            "guid": f"{{{uuid.uuid4()}}}", "encType": 1, "timeCreated": now, "timeLastUsed": now,
            "timePasswordChanged": now, "timesUsed": 1,
        }
        for number, realm in enumerate(("imap://127.0.0.1", "smtp://127.0.0.1"), 1)
    ]
    kept = {"nextId": 3, "logins": logins, "potentiallyVulnerablePasswords": [],
            "dismissedBreachAlertsByLoginGUID": {}, "version": 3}
    (profile / "logins.json").write_text(json.dumps(kept))


def make(profile: pathlib.Path, user: str, password: str, imap: int, submission: int) -> None:
    """Writes the profile: an account read at the one port and sending at the other, and nothing that asks or calls home."""
    settings = {
        "mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1",
        "mail.identity.id1.useremail": user, "mail.identity.id1.fullName": "Bob", "mail.identity.id1.valid": True,
        "mail.identity.id1.smtpServer": "smtp1", "mail.identity.id1.compose_html": False,
        "mail.server.server1.type": "imap", "mail.server.server1.hostname": "127.0.0.1", "mail.server.server1.port": imap,
        "mail.server.server1.userName": user, "mail.server.server1.name": user,
        "mail.server.server1.socketType": 0, "mail.server.server1.authMethod": 3,
        # It looks for mail when it starts and never again by itself: what comes later, IDLE has told.
        "mail.server.server1.login_at_startup": True, "mail.server.server1.check_new_mail": False,
        "mail.server.server1.use_idle": True, "mail.server.server1.offline_download": True,
        "mail.server.server1.autosync_offline_stores": True,
        "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1", "mail.smtpserver.smtp1.type": "smtp",
        "mail.smtpserver.smtp1.hostname": "127.0.0.1", "mail.smtpserver.smtp1.port": submission,
        "mail.smtpserver.smtp1.username": user, "mail.smtpserver.smtp1.authMethod": 3,
        "mail.smtpserver.smtp1.try_ssl": 0,
        # Any free port; it is written into the profile.
        "marionette.port": 0,
        "mail.shell.checkDefaultClient": False, "datareporting.policy.dataSubmissionEnabled": False,
        "app.update.enabled": False, "mail.provider.suppress_dialog_on_startup": True,
        "mail.rights.version": 1, "mail.spotlight.firstRunDone": True, "network.captive-portal-service.enabled": False,
        "toolkit.telemetry.enabled": False, "mailnews.start_page.enabled": False,
        "mailnews.start_page_override.mstone": "ignore", "mail.inappnotifications.enabled": False,
        "extensions.update.enabled": False, "network.connectivity-service.enabled": False,
        "mail.biff.show_alert": False, "mail.biff.play_sound": False,
    }
    lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in settings.items()]
    (profile / "user.js").write_text("\n".join(lines))
    store_password(profile, user, password)


def wait(what: str, found: Callable, within_s: float = 120):
    """The first thing found that is not false; an error that says what was waited for, and what there was instead."""
    until = time.monotonic() + within_s
    while not (seen := found()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {within_s:.0f} s in vain for {what}; last there was {seen!r}")
        time.sleep(0.1)
    return seen


class Thunderbird:
    """The program, started. Scripts run in its main window and find there what PRELUDE names."""

    PRELUDE = """
        const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
        const main = Services.wm.getMostRecentWindow("mail:3pane");
        // The tab with folders, messages and one message.
        const pane = main?.document.getElementById("tabmail")?.currentAbout3Pane;
        const root = MailServices.accounts.defaultAccount.incomingServer.rootFolder;
        const folder = path => path.split("/").reduce((at, name) => at.getChildNamed(name), root);
        const opened = type => Services.wm.getMostRecentWindow(type);
    """

    def __init__(self, profile: pathlib.Path):
        self.profile = profile
        self.screen = Screen(profile)
        environment = os.environ | {
            "HOME": str(profile), "DISPLAY": self.screen.name, "GDK_BACKEND": "x11", "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "MOZ_CRASHREPORTER_DISABLE": "1",
        }
        # Without the second flag Marionette keeps to the contents of tabs.
        words = ["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile),
                 "-width", str(Screen.WIDTH), "-height", str(Screen.HEIGHT)]
        self.log = open(profile / "output", "wb")
        self.process = subprocess.Popen(words, env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        self.remote = None

    def open(self) -> None:
        """Waits for its main window, and lets it fill the screen."""
        self.remote = Marionette(wait("Marionette's port", self.port, 120))
        self.wait("its main window", "return pane?.document.readyState == 'complete' && pane.folderTree?.rows.length > 1")
        self.script("main.moveTo(0, 0); main.resizeTo(screen.width, screen.height)")

    def port(self) -> int:
        if self.process.poll() is not None:
            said = (self.profile / "output").read_text(errors="replace")[-2000:]
            raise AssertionError(f"Thunderbird ended with {self.process.returncode}: {said}")
        file = self.profile / "MarionetteActivePort"
        return int(file.read_text() or 0) if file.exists() else 0

    def script(self, text: str, *arguments):
        return self.remote.script(self.PRELUDE + text, *arguments)

    def wait(self, what: str, text: str, *arguments, within_s: float = 120):
        """What a script gives once that is not false."""
        return wait(f"Thunderbird: {what}", lambda: self.script(text, *arguments), within_s)

    def stop(self) -> None:
        """Asks it to quit, and ends it by force if it does not hear or does not go."""
        try:
            if self.remote:
                self.remote.call("Marionette:Quit", flags=["eForceQuit"])
                self.process.wait(60)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            # Whatever made it deaf was said before, or is nothing that the server could see.
            print(f"       thunderbird is killed: {error}", flush=True)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(30)
            if self.remote:
                self.remote.close()
            self.log.close()
            self.screen.stop()


if __name__ == "__main__":
    print(json.dumps(encrypt(pathlib.Path(sys.argv[1]), sys.argv[2:])))
