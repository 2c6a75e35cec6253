"""What a user of the library installs is small: other packages come with extras, and are imported in their rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
import tomllib

import pytest

from tests.tidy.source import ROOT, modules, name, tree

_LIBRARY = {"apsw", "google", "grpc", "grpc_health", "structlog"}  # as they are imported
_WHERE = {  # packages of extras, and the rooms that may import them; the others get by without
    "click": ("runtime/admin/", "runtime/cli/", "runtime/launching.py", "runtime/testing/commands/"),
    "rich": ("runtime/admin/", "runtime/testing/commands/"),
    "uvloop": ("runtime/launching.py",),
    "pytest": ("runtime/testing/fixtures.py", "runtime/testing/processes/postgresql/fixtures.py"),
    "pytest_asyncio": ("runtime/testing/fixtures.py",),
    "grpc_tools": ("runtime/cli/",),
    "asyncpg": ("runtime/store/postgresql/",),
    "prometheus_client": ("runtime/gateway/monitor/",),
    "starlette": ("runtime/gateway/monitor/", "runtime/page/"),
    "uvicorn": ("runtime/gateway/http_server.py",),
    "opentelemetry": ("runtime/observe/tracing/collector.py",),
    "jinja2": ("runtime/page/",),
    "markupsafe": ("runtime/page/",),  # comes with jinja2
}
_OURS = {"runtime", *sys.stdlib_module_names}
_FOR_TYPES = {"typing_extensions"}  # never imported by a process that runs

_ALONE = """
    import asyncio, sys

    for package in {without!r}:
        sys.modules[package] = None  # an import of it fails, as where it is not installed

    import grpc.aio

    import runtime
    import runtime.testing
    from actors.catalogue import catalogue
    from actors.gateway import register
    from protos import orders_pb2, orders_pb2_grpc
    from protos.sales_pb2 import ORCHESTRATION, READY_TO_SHIP
    from runtime.adapters import system_ports
    from runtime.config import Settings
    from runtime.host import Node

    async def main() -> None:
        settings = Settings(store="memory:", listen="127.0.0.1:0", name="alone")
        node = Node(settings, catalogue(), system_ports(), register=[register])
        await node.start()
        async with grpc.aio.insecure_channel(node.address) as channel:
            stub = orders_pb2_grpc.OrderServiceStub(channel)
            await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=1, request_id="1"), timeout=20)
            request = orders_pb2.PlaceOrderRequest(
                order_id="ORD-1", sku="lamp", quantity=1, amount_cents=100, flow=ORCHESTRATION, wait=True
            )
            order = await stub.PlaceOrder(request, timeout=30)
            assert order.status == READY_TO_SHIP, order
        await node.stop()

    asyncio.run(main())
    print("shipped")
"""


def _imported() -> list[tuple[str, str]]:
    """File and package, of each import under runtime/."""
    found: list[tuple[str, str]] = []
    for path in modules("runtime"):
        for node in ast.walk(tree(path)):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found += [(name(path), one.partition(".")[0]) for one in names]
    return found


def test_packages_of_an_extra_are_imported_only_by_what_the_extra_is_for() -> None:
    wrong = [
        f"{file} imports {package}"
        for file, package in _imported()
        if package not in _OURS | _LIBRARY | _FOR_TYPES and not file.startswith(_WHERE.get(package, ()))
    ]
    assert not wrong


def test_what_a_user_of_the_library_installs_is_what_it_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[<>=\[]", one)[0] for one in project["dependencies"]}
    assert needed == {"apsw", "grpcio", "grpcio-health-checking", "protobuf", "structlog"}


def test_a_saga_runs_where_no_extra_is_installed() -> None:
    without = [*_WHERE, "hypothesis", "psutil", "pydantic", "mypy_protobuf"]
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_ALONE).format(without=without)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert finished.stdout == "shipped\n", finished.stdout + finished.stderr


@pytest.mark.parametrize("package", ["click"])
def test_a_node_without_its_command_line_says_what_to_install(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; sys.argv = ['node.py']; import runpy; "
    program += "runpy.run_path('node.py', run_name='__main__')"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    told = f"error: the command line of a node needs {package}: pip install 'amends[cli]'\n"
    assert (finished.returncode, finished.stderr) == (1, told)
