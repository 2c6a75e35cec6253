"""Runs the protobuf compiler over contracts, into a folder apart: nothing of the project is touched.

contracts ─▶ protoc ─┬─▶ *_pb2.py, *_pb2.pyi             of each
                     └─▶ *_pb2_grpc.py, *_pb2_grpc.pyi   of those that declare a service
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import runtime

__all__ = ["NotCompiled", "compile_contracts"]

_LIBRARY = Path(runtime.__file__).resolve().parents[1]  # where `import "runtime/protos/contract.proto"` is found
_DESCRIPTORS = "descriptors.binpb"
_STUBS = {"protoc-gen-mypy": "--mypy_out", "protoc-gen-mypy_grpc": "--mypy_grpc_out"}
_GRPC_ENDINGS = ("_pb2_grpc.py", "_pb2_grpc.pyi")


class NotCompiled(Exception):
    """A contract cannot be compiled; the text is what the compiler says, with file and line."""


def compile_contracts(root: Path, files: Sequence[str], output: Path) -> list[FileDescriptorProto]:
    """Generate from files, which are named by their path from the root. Raises NotCompiled."""
    descriptors = output / _DESCRIPTORS
    options = (f"-I{root}", f"-I{_LIBRARY}", f"--descriptor_set_out={descriptors}", *_outputs(output))
    command = (sys.executable, "-m", f"{grpc_tools.__name__}.protoc", *options, *files)
    finished = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # replay: no node runs it
    if finished.returncode:
        said = finished.stderr.strip() or f"the compiler ended with {finished.returncode}"
        raise NotCompiled(f"a contract cannot be compiled, so nothing is written:\n{said}")
    compiled = list(FileDescriptorSet.FromString(descriptors.read_bytes()).file)
    descriptors.unlink()
    for file in compiled:
        if not file.service:
            for ending in _GRPC_ENDINGS:
                (output / f"{_module(file.name)}{ending}").unlink(missing_ok=True)
    return compiled


def _module(contract: str) -> str:
    """The path of what is generated from a contract, without its ending."""
    return contract.removesuffix(".proto").replace("-", "_")


def _outputs(output: Path) -> list[str]:
    """Stubs by mypy-protobuf if it is installed, whose types are narrower, else by protoc itself."""
    plain = [f"--python_out={output}", f"--grpc_python_out={output}"]
    beside = Path(sys.executable).parent
    plugins = {name: shutil.which(str(beside / name)) or shutil.which(name) for name in _STUBS}
    if not all(plugins.values()):
        return [*plain, f"--pyi_out={output}"]
    named = [f"--plugin={name}={place}" for name, place in plugins.items()]
    return [*plain, *named, *(f"{option}=quiet:{output}" for option in _STUBS.values())]
