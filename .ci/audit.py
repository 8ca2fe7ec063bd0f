"""Ask whether a vulnerability is known of any package that constraints.txt pins, and say plainly when that could not be asked.

pip-audit exits 0 where it could audit nothing. Exit status here: 0 every package was asked about and nothing is known of
any; 1 something is known; 2 not audited, or not all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parents[1] / "constraints.txt"


def main() -> int:
    """Run pip-audit without --strict, which stops at the first package that it cannot ask about, and judge its report."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--no-deps",
        "--disable-pip",
    ]
    done = subprocess.run([*command, "--requirement", str(PINS)], capture_output=True, text=True)
    wanted = sum("==" in line for line in PINS.read_text(encoding="utf-8").split("\n"))
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        why = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"NOT AUDITED: pip-audit gave no report. {why}", file=sys.stderr)
        return 2
    known = [
        (d["name"], d["version"], v["id"], ", ".join(v["fix_versions"]) or "none")
        for d in found
        for v in d.get("vulns", ())
    ]
    for name, version, ident, fixed in known:
        print(f"{name} {version}: {ident}; mended in: {fixed}")
    asked = sum("skip_reason" not in d for d in found)
    if known:
        return 1
    if asked < wanted:
        why = next((d["skip_reason"] for d in found if "skip_reason" in d), "they are not in the report")
        print(f"NOT AUDITED: {wanted - asked} of {wanted} packages could not be asked about ({why}).", file=sys.stderr)
        return 2
    print(f"pip-audit: {asked} packages, no vulnerability is known of any.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
