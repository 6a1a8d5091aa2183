"""The proxy that breaks links, itself under test: what it says it does is what a plain socket sees."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from edge_agent.southbound import packets
from tests.faultproxy import PUBACK, PUBLISH, FaultProxy, Packet, PacketFault, fault_proxy, split_packets


class Echo:
    """Sends back what comes, and remembers in which portions it came."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.portions: list[int] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65_536):
                self.portions.append(len(data))
                connection.sendall(data)
        except OSError:
            pass
        connection.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with fault_proxy(echo.port) as running:
        yield running


def connect(proxy: FaultProxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (data := client.recv(65_536)):
        found += data
    return found


def test_a_healthy_link_passes_everything(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        data = bytes(range(256)) * 1_000
        threading.Thread(target=client.sendall, args=(data,)).start()
        assert receive(client, len(data)) == data


def test_latency_and_rate(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        proxy.links["up"].latency_s = 0.2
        began = time.monotonic()
        client.sendall(b"x")
        receive(client, 1)
        assert time.monotonic() - began >= 0.2
        proxy.heal()
        proxy.links["up"].bytes_per_s = 8_000
        began = time.monotonic()
        client.sendall(bytes(4_000))
        receive(client, 4_000)
        assert time.monotonic() - began >= 0.5


def test_silence_holds_and_says_nothing_until_it_ends(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"1")
        assert receive(client, 1) == b"1"
        proxy.silence("down")
        client.sendall(b"23")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(5)
        proxy.heal()
        assert receive(client, 2) == b"23"


def test_cut_and_refuse(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"1")
        receive(client, 1)
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    connect(proxy).close()


def test_single_bytes_and_coalesced(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        proxy.links["up"].segment_bytes = 1
        client.sendall(bytes(200))
        receive(client, 200)
        assert proxy.counts["segments_up"] == 200
        assert len(echo.portions) > 1, "the bytes came together"
        proxy.heal()
        echo.portions.clear()
        proxy.links["up"].coalesce_s = 0.3
        for _ in range(10):
            client.sendall(b"x")
            time.sleep(0.005)  # ten segments by themselves are the fault
        receive(client, 10)
        assert len(echo.portions) <= 4


def test_flapping_cuts_again_and_again(proxy: FaultProxy) -> None:
    proxy.flap(0.1)
    ends = 0
    for _ in range(3):
        with connect(proxy) as client:
            try:
                ends += client.recv(1) == b""
            except ConnectionResetError:
                ends += 1
    assert ends == 3
    proxy.heal()


def test_packets_are_told_apart_in_any_portions() -> None:
    publish = packets.publish("linli/1/gw/up/bulk", b"x" * 300, 1, False, 77)
    stream = publish + packets.pubacks([77]) + packets.PINGREQ
    for cut in range(len(stream)):
        first, rest = split_packets("up", stream[:cut])
        second, rest = split_packets("up", rest + stream[cut:])
        assert [(p.kind, p.topic, p.packet_id) for p in first + second] == [
            (PUBLISH, "linli/1/gw/up/bulk", 77), (PUBACK, "", 77), (12, "", 0),
        ]  # fmt: skip
        assert rest == b""


def test_packets_are_dropped_doubled_reordered_and_replayed(proxy: FaultProxy) -> None:
    fault = PacketFault("up", PUBLISH, "/bulk", drop=0.25, double=0.25, reorder=0.25, seed=4)
    proxy.rule(fault)
    sent = [packets.publish("a/bulk", bytes([n]), 1, False, n) for n in range(1, 41)]
    with connect(proxy) as client:
        client.sendall(b"".join(sent))
        seen: list[Packet] = []
        rest = b""
        client.settimeout(0.7)
        try:
            while data := client.recv(65_536):
                found, rest = split_packets("down", rest + data)
                seen += found
        except TimeoutError:
            pass
        through = [packet.data for packet in seen if packet.kind == PUBLISH]
        assert fault.dropped and fault.doubled and fault.reordered
        assert len(through) == 40 - fault.dropped + fault.doubled
        assert through != sorted(through, key=sent.index), "nothing came out of order"
        assert len([packet for packet in seen if packet.kind == PUBACK]) == fault.dropped, "a drop is not told"
        proxy.heal()
        first = next(packet for packet in proxy.recorded if packet.way == "up")
        proxy.replay(first)
        assert receive(client, len(first.data)) == first.data
