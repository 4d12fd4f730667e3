"""The folder with the agent and everything it imports, for another machine: wheels are only unpacked."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from package_parts.errors import PackageError
from package_parts.targets import Target, from_debian

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "deploy" / "constraints.txt"
SOURCES = ("edge_agent", "hardware_mocks", "models", "pyproject.toml", "setup.py", "README.md")
EXTRAS = ("pi", "signed", "models")

UNCHECKED = ("--invalidation-mode", "unchecked-hash")  # the package's own files do not change under it

# Not of use on a storeroom's Pi: launchers of modules, headers, libraries' own tests.
NEEDLESS = (
    "bin", "gpiozerocli", "*.pth", "**/tests", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.a", "**/*.lib",
    "numpy/_core/include", "numpy/f2py", "numpy/doc", "numpy/_pyinstaller", "numpy/testing/**/data",
    "setuptools*", "_distutils_hack", "pkg_resources",
    # Of the runtime: other accelerators, compilers for them, and what only these import.
    "ai_edge_litert/aot", "ai_edge_litert/tools", "ai_edge_litert/vendors", "ai_edge_litert/*Accelerator.so",
    "ai_edge_litert/schema_py_generated.py", "ml_dtypes", "google/protobuf", "google/_upb", "tqdm",
)  # fmt: skip


def fill(
    site: Path, target: Target, scratch: Path, *, wheels: Path | None, is_latest: bool, version: str | None
) -> None:
    agent = _wheel_of_ourselves(scratch, version)
    options = ["--no-index", f"--find-links={wheels.resolve()}"] if wheels is not None else []
    if not is_latest:
        options.append(f"--constraint={CONSTRAINTS}")
    platforms = [f"--platform={tag}" for tag in target.platforms]
    _pip_for(
        target,
        [
            *("install", "--quiet", "--no-compile", "--only-binary=:all:", "--target", str(site)),
            *("--implementation=cp", f"--python-version={target.python}", *platforms, *options),
            *(str(agent), *requirements(target)),
        ],
    )
    for needless in _matches(site, NEEDLESS):
        shutil.rmtree(needless) if needless.is_dir() else needless.unlink()
    _be_reproducible(site)


def requirements(target: Target) -> list[str]:
    """Those of the agent on a Pi, but for what Debian has instead."""
    instead = from_debian(target)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    declared = [found for extra in EXTRAS for found in extras[extra]]
    return [found for found in declared if re.split(r"[ <>=!~;\[]", found)[0] not in instead]


def _wheel_of_ourselves(scratch: Path, version: str | None) -> Path:
    sources = scratch / "sources"
    sources.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, sources)
    if version is not None:
        (sources / "edge_agent" / "__init__.py").write_text(
            f'"""Built to try an upgrade."""\n\n__version__ = "{version}"\n'
        )
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", scratch, sources)
    return next(scratch.glob("edge_agent-*.whl"))


def _pip_for(target: Target, arguments: Sequence[str]) -> None:
    shim = Path(__file__).with_name("pip_for.py")
    try:
        _run(sys.executable, shim, target.architecture.machine, target.python, *arguments)
    except PackageError as error:
        missing = re.findall(r"(?:No matching distribution found for|Cannot install) (\S+)", str(error))
        if not missing:
            raise
        raise PackageError(
            f"no wheel of {', '.join(missing)} for {target.architecture.debian}, Python {target.python}: this package "
            "cannot be built; deploy/install.sh on the machine itself can, where pip may compile"
        ) from error


def _run(*command: str | Path) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise PackageError(f"{' '.join(words[:4])} ...: " + "\n".join(told[-8:]))


def _matches(site: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        for found in sorted(site.glob(pattern)):
            if found.exists():
                yield found


def _be_reproducible(site: Path) -> None:
    """Where pip says what it did and when."""
    for record in site.glob("*.dist-info"):
        for name in ("direct_url.json", "REQUESTED", "RECORD", "INSTALLER"):
            (record / name).unlink(missing_ok=True)


def _candidates(version: str) -> Iterator[str]:
    yield from (f"/usr/bin/python{version}", sys.executable, f"python{version}")


def _is_python(command: str, version: str) -> bool:
    """A name on the PATH may be a shim with nothing behind it."""
    ask = "import sys; print(*sys.version_info[:2], sep='.')"
    try:
        done = subprocess.run([command, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def compile_to(site: Path, target: Target) -> bool:
    """Bytecode beside the sources, if this machine has the target's Python; it depends on nothing but that."""
    python = next(filter(lambda found: _is_python(found, target.python), _candidates(target.python)), None)
    if python is None:
        return False
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-m", "compileall", "-q", "-s", str(site), "-p", "/usr/lib/edge-agent/site", *UNCHECKED, str(site)],
        env=environment | {"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise PackageError(f"python{target.python} -m compileall: {(done.stdout + done.stderr)[-500:]}")
    return True
