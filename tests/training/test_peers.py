"""Workers that meet, fall silent, die and part: real connections on loopback, without TensorFlow."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import Queue

import pytest

from cnnlib.core.errors import ConfigError, WorkerLostError
from cnnlib.training import peers
from cnnlib.training.cluster import Cluster
from cnnlib.training.peers import Peers
from tests.helpers import eventually, free_port, is_open

Losses = Queue[tuple[str, int | None]]


def cluster_of(count: int) -> Cluster:
    return Cluster(tuple(f"127.0.0.1:{free_port()}" for _ in range(count)), 0)


def together(cluster: Cluster, indices: Iterator[int] | range) -> list[Peers]:
    """Peers of these numbers that have met."""
    workers = [Peers(replace(cluster, index=index), {"colour": f"c{index}"}) for index in indices]
    with ThreadPoolExecutor() as pool:
        hellos = [*pool.map(Peers.meet, workers)]
    assert all(one == hellos[0] for one in hellos)
    assert [hello["colour"] for hello in hellos[0]] == [f"c{index}" for index in range(len(cluster.workers))]
    return workers


def watched(worker: Peers) -> Losses:
    losses: Losses = Queue()
    worker.watch(lambda *loss: losses.put(loss))
    return losses


def test_all_hear_all_and_part_without_a_loss() -> None:
    workers = together(cluster_of(3), range(3))
    losses = [watched(worker) for worker in workers]
    with ThreadPoolExecutor() as pool:
        list(pool.map(Peers.part, workers))
    assert all(each.empty() for each in losses)


def test_port_is_free_again_for_tensorflow_while_the_connections_live() -> None:
    cluster = cluster_of(2)
    workers = together(cluster, range(2))
    port = int(cluster.workers[0].rpartition(":")[2])
    socket.create_server(("127.0.0.1", port)).close()
    for worker in workers:
        worker.part("enough")


def test_worker_that_dies_is_noticed_by_all_others() -> None:
    cluster = cluster_of(3)
    *alive, dead = together(cluster, range(3))
    losses = [watched(worker) for worker in alive]
    for connection in (*dead._listeners.values(), *dead._speakers.values()):
        connection.close()
    for each in losses:
        assert each.get(timeout=30) == (f"worker 2 ({cluster.workers[2]}) has ended", None)
    for worker in alive:
        worker.part("over")


def test_silent_worker_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "BEAT_S", 0.1)
    monkeypatch.setattr(peers, "SILENCE_S", 1.0)
    cluster = cluster_of(2)
    first, silent = together(cluster, range(2))
    assert watched(first).get(timeout=30) == (f"worker 1 ({cluster.workers[1]}) has been silent for 1 seconds", None)
    first.part("over")
    silent.part("over")


def test_what_went_wrong_is_told_with_its_status() -> None:
    cluster = cluster_of(2)
    first, second = together(cluster, range(2))
    losses = watched(first)
    second.part("sample/train/: expected 2 or more pictures; got 0", 2)
    sentence = f"worker 1 ({cluster.workers[1]}): sample/train/: expected 2 or more pictures; got 0"
    assert losses.get(timeout=30) == (sentence, 2)
    first.part("over")


def test_sentence_about_a_worker_is_passed_on_as_it_is() -> None:
    first, second = together(cluster_of(2), range(2))
    losses = watched(first)
    second.part("worker 1 (b:2222): expected the pictures of worker 0 (a:2222)", 2)
    assert losses.get(timeout=30) == ("worker 1 (b:2222): expected the pictures of worker 0 (a:2222)", 2)
    first.part("over")


def test_worker_that_does_not_come_is_named_after_the_set_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "WAIT_S", 1.0)
    cluster = cluster_of(3)
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(Peers(replace(cluster, index=index), {}).meet) for index in (0, 2)]
        for future in futures:
            with pytest.raises(WorkerLostError, match=r"waited 1 seconds for worker 1 \(127\.0\.0\.1:\d+\); start all"):
                future.result()


def test_same_index_on_two_machines_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "WAIT_S", 5.0)
    cluster = cluster_of(2)
    double = Cluster((cluster.workers[1], f"127.0.0.1:{free_port()}"), 0)  # at the address of worker 1
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(Peers(double, {}).meet)
        with pytest.raises(ConfigError, match="it says that it is worker 0; give each machine its own task"):
            Peers(cluster, {}).meet()
        assert isinstance(waiting.exception(), WorkerLostError)


def test_taken_port_is_named() -> None:
    cluster = cluster_of(2)
    port = int(cluster.workers[0].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigError, match=f"port {port} of this machine"):
        Peers(cluster, {}).meet()


def test_strangers_do_not_disturb_the_meeting() -> None:
    cluster = cluster_of(2)
    host, port = cluster.workers[0].split(":")
    with ThreadPoolExecutor() as pool:
        meeting = pool.submit(Peers(cluster, {}).meet)
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b'{"worker": [1]}\n', b'{"worker": 7}\n', b"\xff\n"):
            assert eventually(lambda: is_open(int(port)))
            stranger = socket.create_connection((host, int(port)), timeout=5)
            stranger.sendall(text)
            stranger.close()
        assert len(pool.submit(Peers(replace(cluster, index=1), {}).meet).result(timeout=60)) == 2
        assert len(meeting.result(timeout=60)) == 2
