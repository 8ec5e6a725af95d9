"""A screen that nobody sees: Xvfb, and what is on it as a PNG."""

import os
import pathlib
import struct
import subprocess
import zlib


class Screen:
    """An X server with one screen, kept in a file in the directory given; it chooses its number itself."""

    WIDTH, HEIGHT = 1280, 800

    def __init__(self, directory: pathlib.Path):
        self.file = directory / "Xvfb_screen0"
        number, end = os.pipe()
        size = f"{self.WIDTH}x{self.HEIGHT}x24"
        words = ["Xvfb", "-displayfd", str(end), "-screen", "0", size, "-fbdir", str(directory), "-nolisten", "tcp"]
        self.process = subprocess.Popen(words, pass_fds=[end], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(end)
        with os.fdopen(number) as lines:
            self.name = f":{lines.readline().strip()}"
        if self.name == ":":
            raise AssertionError(f"Xvfb did not start; it ended with {self.process.wait(30)}")

    def pixels(self) -> list[bytes]:
        """Rows of red, green and blue."""
        octets = self.file.read_bytes()
        # XWD: fields of 32 bits, most significant octet first; then as many colours of 12 octets as field 19 says.
        fields = struct.unpack(">25I", octets[:100])
        header, width, height, bits, line, colours = (fields[index] for index in (0, 4, 5, 11, 12, 19))
        if (width, height, bits) != (self.WIDTH, self.HEIGHT, 32):
            raise AssertionError(f"Xvfb keeps its screen in another form: {fields}")
        start, rows = header + 12 * colours, []
        for row in range(height):
            from_x = octets[start + row * line : start + row * line + 4 * width]
            colour = bytearray(3 * width)
            colour[0::3], colour[1::3], colour[2::3] = from_x[2::4], from_x[1::4], from_x[0::4]
            rows.append(bytes(colour))
        return rows

    def colours(self, left: int, top: int, width: int, height: int) -> int:
        """How many colours a part of the screen has: one, if nothing is drawn there."""
        rows = self.pixels()[top : top + height]
        return len({row[3 * at : 3 * at + 3] for row in rows for at in range(left, left + width)})

    def png(self) -> bytes:
        """The screen as it is now (ISO/IEC 15948)."""

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        head = struct.pack(">IIBBBBB", self.WIDTH, self.HEIGHT, 8, 2, 0, 0, 0)
        # Each row says first that it is not filtered.
        data = zlib.compress(b"".join(b"\0" + row for row in self.pixels()))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

    def store(self, file: pathlib.Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.png())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
