# SPDX-License-Identifier: Apache-2.0
"""Questions to tshark, an independent dissector, about a capture."""
from proc import need, run

OP = {"READ": 25, "WRITE": 38, "COMMIT": 5, "EXCHANGE_ID": 42, "CREATE_SESSION": 43, "GETDEVICEINFO": 47, "LAYOUTCOMMIT": 49,
      "LAYOUTGET": 50, "LAYOUTRETURN": 51}


class Capture:
    def __init__(self, path, port=2049):
        self.base = [need("tshark", "tshark"), "-r", path, "-d", f"tcp.port=={port},rpc"]

    def _lines(self, *argv):
        text = run(*self.base, *argv, timeout=600)
        return [line for line in text.splitlines() if not line.startswith("Running as user")]

    def fields(self, display_filter, *names):
        """One list of strings for each frame that matches; several occurrences in one frame are joined by commas."""
        wanted = [word for name in names for word in ("-e", name)]
        return [line.split("\t") for line in self._lines("-Y", display_filter, "-T", "fields", *wanted)]

    def values(self, display_filter, name):
        """All occurrences of one field, in order."""
        return [value for (joined, *_) in self.fields(display_filter, name) for value in joined.split(",") if value]

    def count(self, display_filter):
        return len(self._lines("-Y", display_filter, "-T", "fields", "-e", "frame.number"))

    def calls(self, op, server=None):
        """Compounds with this operation that clients sent, to one server or to all."""
        where = f" and ip.dst == {server}" if server else ""
        return self.count(f"rpc.msgtyp == 0 and nfs.opcode == {OP[op]}{where}")

    def malformed(self):
        """Frames that the dissector could not follow, as text."""
        return ["  ".join(row) for row in self.fields("_ws.malformed", "frame.number", "_ws.col.Info")]

    def nfs_frames(self):
        return self.count("nfs")
