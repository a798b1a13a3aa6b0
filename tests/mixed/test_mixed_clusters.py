"""Servers of Node.js and of ours are one cluster: each operation, in both directions, with text and with bytes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mixed.cluster import END, Cluster, Crowd, Member, received
from tests.mixed.conftest import ANSWERS_ELSEWHERE, KINDS, Connect
from tests.wire import ConnectionEnded

TEXT = [1, "é", None, {"deep": [True, 1.5, -1, 2**40]}]
BYTES = [b"\x01\xff", {"deep": [b"\x05", b""]}, "é"]

with_answers = pytest.mark.parametrize("kind", [*KINDS, *ANSWERS_ELSEWHERE], indirect=True, scope="module")


@pytest.fixture(params=["node", "first"], ids=["from node", "from ours"])
def sender(request: pytest.FixtureRequest, cluster: Cluster) -> Member:
    """The server that does what is tested."""
    return cluster.members[request.param]


async def settled(cluster: Cluster) -> None:
    """What was done before this is done everywhere: whoever answers a question has done it."""
    for member in cluster.members.values():
        await member.fetch(to=["nobody"])


# Clients are sent events


@pytest.mark.parametrize(
    ("targets", "places"),
    [
        pytest.param({}, {"one", "two", "both"}, id="everybody"),
        pytest.param({"to": ["one"]}, {"one", "both"}, id="room"),
        pytest.param({"to": ["one", "two"]}, {"one", "two", "both"}, id="rooms"),
        pytest.param({"except_": ["one"]}, {"two"}, id="except"),
        pytest.param({"to": ["one"], "except_": ["two", "three"]}, {"one"}, id="room except"),
        pytest.param({"volatile": True}, {"one", "two", "both"}, id="volatile"),
        pytest.param({"to": ["nobody"]}, set(), id="nobody"),
    ],
)
async def test_event_reaches_whom_it_is_for(
    sender: Member, crowd: Crowd, targets: dict[str, Any], places: set[str]
) -> None:
    """Everybody meant gets one copy, and nobody else gets any."""
    for event in ["text", *TEXT], ["bytes", *BYTES]:
        await sender.emit(*event, **targets)
        assert await crowd.got(sender) == {name: [event] for name in crowd.at(*places)}


async def test_event_reaches_one_socket_on_another_server(sender: Member, crowd: Crowd) -> None:
    """The id of a socket is the name of a room."""
    for name, client in crowd.at("one").items():
        await sender.emit("event", to=[client.id])
        assert await crowd.got(sender) == {name: [["event"]]}


async def test_events_arrive_in_their_order(sender: Member, crowd: Crowd) -> None:
    """Through rooms, to everybody and with bytes: what one server sends stays in order."""
    numbers = list(range(50))
    for number in numbers:
        await sender.emit("event", number, [b"\x00", "text"][number % 2], to=[[], ["one"], ["one", "two"]][number % 3])
    got = await crowd.at("both").got(sender)
    assert [[event[1] for event in events] for events in got.values()] == [numbers] * 3


async def test_namespaces_are_apart(cluster: Cluster, sender: Member, crowd: Crowd, connect: Connect) -> None:
    """Rooms of the same name in another namespace are other rooms."""
    others = Crowd()
    for name, member in cluster.members.items():
        others[name] = await connect(member.port, "one", namespace="/chat")
    await sender.emit("event", to=["one"])
    await sender.emit("other event", to=["one"], of="/chat")
    await sender.emit(END, of="/chat")
    assert [await received(client) for client in others.values()] == [[["other event"]]] * 3
    assert await crowd.got(sender) == {name: [["event"]] for name in crowd.at("one", "both")}


# Clients are asked


@with_answers
@pytest.mark.parametrize("payload", [TEXT, BYTES], ids=["text", "bytes"])
async def test_clients_of_all_servers_answer(sender: Member, crowd: Crowd, payload: list[Any]) -> None:
    """The answers are gathered on the server that asked."""
    asked = crowd.at("one", "both")
    answers = [payload, *payload, None, "the last"][: len(asked)]
    called = sender.call("ask", *payload, to=["one"])
    await asked.answer(*answers)
    assert same_items((await called)[0], answers)


def same_items(these: list[Any], those: list[Any]) -> bool:
    return sorted(map(repr, these)) == sorted(map(repr, those))


async def test_asking_nobody_is_answered_at_once(sender: Member, crowd: Crowd) -> None:
    """Each server says that it has nobody."""
    assert await sender.call("ask", to=["nobody"]) == ([], True)


async def test_answers_that_came_in_time_are_told(sender: Member, crowd: Crowd) -> None:
    """One client of each server is silent."""
    called = sender.call("ask", to=["one"], timeout=0.5)
    await crowd.at("both").answer(1, 2, 3)
    answers, complete = await called
    assert (sorted(answers), complete) == ([1, 2, 3], False)


@pytest.mark.parametrize(("place", "complete"), [("one of node", False), ("one of second", True)])
async def test_client_that_goes_does_not_answer(cluster: Cluster, crowd: Crowd, place: str, complete: bool) -> None:
    """Our servers tell one another, so that the asker need not wait; Node's are silent, and deaf to that."""
    called = cluster.members["first"].call("ask", to=[crowd[place].id], timeout=5 if complete else 0.3)
    called_by_node = cluster.members["node"].call("ask", to=[crowd[place].id], timeout=0.3)
    await crowd[place].asked()
    await crowd[place].asked()
    crowd[place].leave()
    assert await called == ([], complete)
    assert await called_by_node == ([], False)


@with_answers
async def test_client_that_was_found_answers(sender: Member, crowd: Crowd) -> None:
    """A socket of any server can be asked."""
    for name, client in crowd.at("two").items():
        called = sender.call_found(client.id, "ask", name)
        await client.answer(await client.asked(), {"name": name})
        assert await called == {"name": name}


# Clients are moved


async def test_sockets_of_all_servers_join_and_leave(cluster: Cluster, sender: Member, crowd: Crowd) -> None:
    """Those in one room, but not in another, enter a third one, and leave it."""
    await sender.join("three", "four", to=["one"], except_=["two"])
    await settled(cluster)
    await sender.emit("joined", to=["three"])
    await sender.leave("three", to=["four"])
    await settled(cluster)
    await sender.emit("left", to=["three"])
    await sender.emit("stayed", to=["four"])
    assert await crowd.got(sender) == {name: [["joined"], ["stayed"]] for name in crowd.at("one")}


@pytest.mark.parametrize("close", [False, True])
async def test_sockets_of_all_servers_are_disconnected(sender: Member, crowd: Crowd, close: bool) -> None:
    """From the namespace, or with their connection; the others stay."""
    await sender.disconnect(close, to=["one"], except_=["two"])
    for client in crowd.at("one").values():
        assert await client.ended() == "41"
        if close:
            with pytest.raises(ConnectionEnded):
                await client.ended()
    assert await crowd.at("two", "both").got(sender) == {}


# Servers look at one another


@with_answers
async def test_sockets_of_all_servers_are_found(cluster: Cluster, sender: Member, crowd: Crowd) -> None:
    """With their rooms and their data."""
    found = await sender.fetch(to=["one"], except_=["three"])
    asked = crowd.at("one", "both")
    assert {(each["id"], each["data"]["name"]) for each in found} == {
        (client.id, name) for name, client in asked.items()
    }
    places = {each["id"]: set(each["rooms"]) - {each["id"]} for each in found}
    assert places == {
        client.id: {"one"} if name.startswith("one") else {"one", "two"} for name, client in asked.items()
    }


@with_answers
async def test_servers_are_counted(cluster: Cluster) -> None:
    """Each server counts all of them."""
    assert [await member.count() for member in cluster.members.values()] == [3, 3, 3]


async def test_other_servers_are_told(cluster: Cluster, sender: Member) -> None:
    """The one that tells does not hear itself."""
    await sender.tell("told", *TEXT)
    await sender.tell("told", "again")
    others = [member for member in cluster.members.values() if member is not sender]
    assert [await member.heard.get() for member in others] == [TEXT] * 2
    assert [await member.heard.get() for member in others] == [["again"]] * 2
    assert not sender.heard.pending


@with_answers
async def test_other_servers_answer(sender: Member) -> None:
    """Each one that is not the asker."""
    for item in TEXT:
        assert await sender.ask("asked", item) == [item, item]
    assert await sender.ask("asked") == [None, None]


@pytest.mark.parametrize("kind", [name for name in KINDS if "classic" not in name], indirect=True, scope="module")
async def test_servers_exchange_bytes(cluster: Cluster, sender: Member) -> None:
    """Where they do not speak JSON."""
    await sender.tell("told", *BYTES)
    others = [member for member in cluster.members.values() if member is not sender]
    assert [await member.heard.get() for member in others] == [BYTES] * 2
    assert await sender.ask("asked", BYTES) == [BYTES] * 2
