"""`client` is a whole server in this process, on a database of this test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from catalog.app import Service
from catalog.settings import DatabaseSettings, IngestSettings, Settings


@pytest.fixture
def service(database_url: str) -> Service:
    limits = IngestSettings(max_body_bytes=20_000, max_compressed_bytes=10_000)
    return Service(Settings(database=DatabaseSettings(database_url), ingest=limits))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(service.app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client
