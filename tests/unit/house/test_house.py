"""House rules that a machine can hold."""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PACKAGES = ("contracts", "edge_agent", "device_registry", "cloud_api", "simulators", "firmware_mocks")
MODULES = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
BANNED_NAMES = {
    "utils": "the step it does",
    "util": "the step it does",
    "helpers": "the step it does",
    "common": "what its parts have in common",
    "manager": "what it decides or does",
    "misc": "each of its parts",
}
LINES_MAX = 480
LINES_USUAL = 300


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    return [REPOSITORY / name for name in names.decode().split("\0") if name and (REPOSITORY / name).is_file()]


def test_no_file_has_a_name_that_says_nothing() -> None:
    for path in MODULES:
        for part in path.relative_to(REPOSITORY).with_suffix("").parts:
            assert part not in BANNED_NAMES, f"{path}: name it for {BANNED_NAMES[part]}"


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES if "migrations" not in path.parts}
    assert not [path for path, lines in lengths.items() if lines > LINES_MAX], "cut it where two things meet"
    long = [path.name for path, lines in lengths.items() if lines > LINES_USUAL]
    assert len(long) <= len(MODULES) // 10, f"mostly under {LINES_USUAL} lines; too many are longer: {long}"


def test_nothing_is_left_to_fix() -> None:
    mark = re.compile("FIX" + r"ME|TO" + r"DO|X" + "XX")
    for path in MODULES:
        found = mark.search(path.read_text())
        assert not found, f"{path}: do it, or open an issue"


def test_no_file_names_this_machine_or_a_registry() -> None:
    place = "/" + "work/"
    host = re.compile(r"(files\.python" + r"hosted|py" + r"pi\.org|registry\.np" + r"mjs)")
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        assert place not in text, f"{path} names a path of one machine"
        assert not host.search(text), f"{path} names a package registry's host"


def test_imports_point_one_way() -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_documents_link_to_what_is_there() -> None:
    link = re.compile(r"\]\((?!https?:)([^)#]+)")
    for page in [path for path in tracked() if path.suffix == ".md" and "node_modules" not in path.parts]:
        for target in link.findall(page.read_text()):
            assert (page.parent / target).exists(), f"{page} links to {target}, which is not there"
