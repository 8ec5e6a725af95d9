"""Packets of scenarios, read by Wireshark's tshark."""

import pathlib
import subprocess
import tempfile

from server import Server


def tshark_reads_the_packets_of_a_scenario(server: Server) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "packets.pcapng"

        def packets(scenario: str, *fields: str, wanted: str) -> list[str]:
            subprocess.run([str(server.binary), "replay", scenario, "--pcapng", str(file)], check=True, capture_output=True, timeout=60)
            command = ["tshark", "-r", str(file), "-Y", wanted, "-T", "fields", *(part for name in fields for part in ("-e", name))]
            ran = subprocess.run(command, check=True, capture_output=True, timeout=60)
            return ran.stdout.decode().splitlines()

        codes = packets("alice-to-bob", "smtp.response.code", wanted="smtp.response && tcp.port == 25")
        assert codes == ["220", "250", "250", "250", "354", "250", "221"], codes
        assert packets("alice-to-bob", "frame.number", wanted="_ws.malformed || tcp.analysis.flags || ip.checksum.status == 0") == []
        assert any("bob" in line for line in packets("pop-phases", "pop.request.parameter", wanted="pop.request"))
        assert any("SELECT" in line for line in packets("imap-folders", "imap.request.command", wanted="imap.request"))
        assert "GET" in packets("http-and-smtp", "http.request.method", wanted="http.request")


CHECKS = [tshark_reads_the_packets_of_a_scenario]
