"""A client of Marionette, Mozilla's remote control: commands are JSON, each after its length and a colon."""

import json
import socket


class Marionette:
    """One session with a program of Mozilla's, whose windows' scripts may do all that the program itself may."""

    def __init__(self, port: int, timeout_s: float = 180):
        self.wire = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.buffer = b""
        self.number = 0
        greeting = self.receive()
        if greeting.get("marionetteProtocol") != 3:
            raise AssertionError(f"Marionette speaks another version of its protocol: {greeting}")
        self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"unhandledPromptBehavior": "ignore"}})
        self.call("Marionette:SetContext", value="chrome")

    def call(self, name: str, **parameters):
        """Runs a command; gives its value, and raises what it failed with."""
        self.number += 1
        octets = json.dumps([0, self.number, name, parameters]).encode()
        self.wire.sendall(b"%d:%s" % (len(octets), octets))
        try:
            _, number, error, result = self.receive()
        except AssertionError as failed:
            raise AssertionError(f"{name}: {failed}") from None
        if number != self.number:
            raise AssertionError(f"Marionette answered command {number} in place of {self.number}, {name}")
        if error:
            raise AssertionError(f"{name}: {error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def script(self, text: str, *arguments):
        """Runs the body of a function in the program's main window; a promise is waited for."""
        return self.call("WebDriver:ExecuteScript", script=text, args=list(arguments), sandbox="system")

    def receive(self):
        while b":" not in self.buffer:
            self.more()
        length, self.buffer = self.buffer.split(b":", 1)
        while len(self.buffer) < int(length):
            self.more()
        octets, self.buffer = self.buffer[: int(length)], self.buffer[int(length):]
        return json.loads(octets)

    def more(self) -> None:
        try:
            octets = self.wire.recv(65536)
        except TimeoutError:
            raise AssertionError(f"no answer in {self.wire.gettimeout():.0f} s: a dialog may be open that holds all up") from None
        if not octets:
            raise AssertionError("Marionette closed the connection")
        self.buffer += octets

    def close(self) -> None:
        self.wire.close()
