"""Metadata of the package. Tool settings are in pyproject.toml."""

from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup

BROKERS = {
    "redis": ["txredisapi>=1.6,<2", "hiredis>=3", "redis>=5"],
    # Checksums in C: four times as many messages a second. And of its network threads we use parts that are not public.
    "kafka": ["kafka-python[crc32c]>=3.0.12,<3.1"],
    "rabbitmq": ["pika>=1.4,<2"],
}

EXTRAS = {
    **BROKERS,
    "test": [
        *chain(*BROKERS.values()),
        "aiohttp>=3.10",  # what the asyncio client of python-socketio speaks HTTP with
        "hypothesis>=6.100",
        "klein>=24.8",
        "mypy>=1.18",
        "mypy-zope>=1.0.14",
        "pytest>=9,<10",
        "pytest-rerunfailures>=15",
        "pytest-twisted>=1.14.3,<2",
        "pytest-xdist>=3.6",  # tests wait for brokers most of the time
        "python-socketio[client]>=5.11",
        "ruff>=0.14",
        "setuptools>=77",
        "twisted[http2]>=26.4",
    ],
    "docs": ["furo>=2025.7", "sphinx>=8.2"],
}

setup(
    name="txsocketio",
    version="0.1.0",
    description="A Socket.IO server for Twisted",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The txsocketio authors",
    license="MIT",
    license_files=["LICENSE"],
    keywords=["socket.io", "engine.io", "websocket", "twisted", "realtime"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    # The lowest versions are those with which the tests pass.
    install_requires=[
        # Autobahn's version is a date, and we override methods of its protocol that it calls internal. The year is the
        # only fence that its numbers offer; what really guards us are the tests that compare our path with Autobahn's.
        "autobahn>=26.10,<27",
        "msgpack>=1.1",
        "orjson>=3.12",
        "twisted[tls]>=26.4",
    ],
    extras_require=EXTRAS,
    # The one layout that serves install, editable install, sdist, twistd and mypy alike: the real folder `adapters/` is
    # reached through the symlink txsocketio/adapters, and a package_dir with "" makes an editable install a plain path.
    package_dir={"": "."},
    packages=[*find_packages(include=["txsocketio", "txsocketio.*"]), "twisted.plugins"],
    package_data={"txsocketio": ["py.typed", "app/*.html"]},
    zip_safe=False,
)
