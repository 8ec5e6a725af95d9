"""A profile for Thunderbird, made by files: one IMAP account whose password is stored, so that nobody is asked."""

import base64
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import time
import uuid

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
    realm = "imap://127.0.0.1"
    login = {
        "id": 1, "hostname": realm, "httpRealm": realm, "formSubmitURL": None, "usernameField": "", "passwordField": "",
        "encryptedUsername": encrypted[0], "encryptedPassword": encrypted[1], "guid": f"{{{uuid.uuid4()}}}", "encType": 1,
        "timeCreated": now, "timeLastUsed": now, "timePasswordChanged": now, "timesUsed": 1,
    }
    logins = {"nextId": 2, "logins": [login], "potentiallyVulnerablePasswords": [], "dismissedBreachAlertsByLoginGUID": {}, "version": 3}
    (profile / "logins.json").write_text(json.dumps(logins))


def make(profile: pathlib.Path, user: str, password: str, port: int) -> None:
    settings = {
        "mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1",
        "mail.identity.id1.useremail": user, "mail.identity.id1.fullName": "Bob", "mail.identity.id1.valid": True,
        "mail.server.server1.type": "imap", "mail.server.server1.hostname": "127.0.0.1", "mail.server.server1.port": port,
        "mail.server.server1.userName": user, "mail.server.server1.name": user,
        "mail.server.server1.socketType": 0, "mail.server.server1.authMethod": 3,
        "mail.server.server1.login_at_startup": True, "mail.server.server1.check_new_mail": True,
        "mail.server.server1.use_idle": True, "mail.server.server1.offline_download": True,
        "mail.server.server1.autosync_offline_stores": True,
        "mail.shell.checkDefaultClient": False, "datareporting.policy.dataSubmissionEnabled": False,
        "app.update.enabled": False, "mail.provider.suppress_dialog_on_startup": True,
        "mail.rights.version": 1, "mail.spotlight.firstRunDone": True, "network.captive-portal-service.enabled": False,
        "toolkit.telemetry.enabled": False, "mailnews.start_page.enabled": False,
    }
    lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in settings.items()]
    (profile / "user.js").write_text("\n".join(lines))
    store_password(profile, user, password)


def start(profile: pathlib.Path) -> subprocess.Popen:
    environment = os.environ | {"HOME": str(profile), "MOZ_HEADLESS": "1"}
    words = ["thunderbird", "--headless", "--no-remote", "--profile", str(profile)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    print(json.dumps(encrypt(pathlib.Path(sys.argv[1]), sys.argv[2:])))
