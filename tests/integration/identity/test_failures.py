"""Each thing that can be wrong when a gateway comes in: a real server that is wrong in this way, its word and exit code."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.claim_code import claim_code
from edge_agent.provisioning import IdentityFiles, ceremony
from edge_agent.provisioning.failures import FAILURES, ProvisionFailed
from tests.brokers import free_port
from tests.certificates import Authority, Identity

CODE = claim_code(bytes(range(16)))
NOW_MS = int(time.time() * 1000)


def failure(tmp_path: Path, where: str, code: str = CODE, ca: Path | None = None, out: Path | None = None) -> str:
    """The word with which it fails."""
    with pytest.raises(ProvisionFailed) as failed:
        ceremony.provision(IdentityFiles(out or tmp_path / "out"), where, code, "", ca, NOW_MS)
    assert str(failed.value) and failed.value.failure.then
    return failed.value.word


class Answers(http.server.BaseHTTPRequestHandler):
    """A web server that is not Linli's."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name there)
        """Quiet."""


@contextmanager
def web_server(identity: Identity | None = None) -> Iterator[int]:
    """Gives its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    if identity is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(identity.cert, identity.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_before_anything_is_sent(tmp_path: Path) -> None:
    assert failure(tmp_path, "cloud.example") == "address_wrong"
    assert failure(tmp_path, "http://cloud.example") == "address_wrong", "a claim does not go in plain text"
    assert failure(tmp_path, "https://cloud.example", CODE[:-1] + "?") == "code_mistyped"
    (tmp_path / "file").write_text("")
    assert failure(tmp_path, "https://cloud.example", out=tmp_path / "file" / "out") == "key_unusable"


def test_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failure(tmp_path, "https://nowhere.invalid") == "name_unknown"
    assert failure(tmp_path, f"https://127.0.0.1:{free_port()}") == "port_closed"
    assert failure(tmp_path, "https://127.0.0.1:1", ca=tmp_path / "missing.pem") == "authority_unknown"
    monkeypatch.setattr(ceremony, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert failure(tmp_path, f"https://127.0.0.1:{silent.getsockname()[1]}") == "no_answer"


def test_who_answers(tmp_path: Path) -> None:
    ca = Authority(tmp_path, "web-ca")
    good = ca.issue("web", hosts=("127.0.0.1",))
    with web_server() as port:
        assert failure(tmp_path, f"https://127.0.0.1:{port}") == "not_https"
    with web_server(good) as port:
        assert failure(tmp_path, f"https://127.0.0.1:{port}") == "authority_unknown"
        other = Authority(tmp_path / "other", "web-ca")
        assert failure(tmp_path, f"https://127.0.0.1:{port}", ca=other.file) == "authority_unknown"
        assert failure(tmp_path, f"https://127.0.0.1:{port}", ca=ca.file) == "not_linli"
    with web_server(ca.issue("web", "elsewhere", hosts=("elsewhere.example",))) as port:
        assert failure(tmp_path, f"https://127.0.0.1:{port}", ca=ca.file) == "name_mismatch"
    for stem, begins, days in (("ended", -30, 29), ("early", 1, 29)):
        with web_server(ca.issue("web", stem, begins, days, hosts=("127.0.0.1",))) as port:
            assert failure(tmp_path, f"https://127.0.0.1:{port}", ca=ca.file) == "clock_wrong"
    assert not list((tmp_path / "out").glob("gateway.pem")), "nothing was written"
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["claim.key"], "the key stays for the next try"


def test_each_has_an_exit_code_of_its_own() -> None:
    codes = [failure.exit_code for failure in FAILURES.values()]
    assert len(set(codes)) == len(codes) and not {0, 1, 2} & set(codes)
    page = (Path(__file__).parents[3] / "docs" / "installer.md").read_text(encoding="utf-8")
    for word, failure in FAILURES.items():
        assert f"| {failure.exit_code} | `{word}` | {failure.then} |" in page
