"""What is measured, and what is asked of txsocketio."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One kind of load and how much of it.

    The goals are ratios of figures taken in one run: to Node's, as a guest to Node's, to the better python-socketio's.
    """

    name: str
    title: str
    load: str
    connections: int
    goal: float
    guest_goal: float | None = None
    python_goal: float | None = 0.25
    outstanding: int = 1
    unit: str = "µs"


CASES = {
    case.name: case
    for case in (
        Case("echo", "echo", "echo", 50, goal=0.9),
        Case("echo8", "echo, 8 outstanding", "echo", 50, goal=0.9, outstanding=8),
        Case("ack", "acknowledgement", "ack", 50, goal=0.9),
        Case("binary", "binary echo, 1 KiB", "binary", 50, goal=0.85),
        Case("broadcast", "broadcast to 1000, per delivery", "broadcast", 1000, goal=0.75),
        Case("connect", "connect + disconnect", "connect", 32, goal=0.75, guest_goal=0.9),
        Case("polling", "polling echo, POST + GET", "polling", 100, goal=0.9, guest_goal=1.9, python_goal=1 / 3),
        Case("memory", "idle connection, KiB", "memory", 2032, goal=0.75, python_goal=None, unit="KiB"),
    )
}
